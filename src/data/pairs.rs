//! Training pairs: a patch, the same patch moved, and the matrix that leads from one to the other.
//!
//! A pair is a function of the recipe's seed, its split and its number, and of nothing else: threads, order and a resumed run
//! cannot change it. Validation pairs do not even depend on the seed, so runs that differ in it are measured on the same pairs.

use super::geometry::{Geometry, Move};
use super::layout::Picture;
use super::patch::{Cut, Grid, Plane};
use super::photo::{self, Photo};
use super::render::{Look, Render};
use super::split::{Field, split};
use super::{DataError, corners};
use crate::random::Stream;

/// How pairs are made from pictures.
#[derive(Clone, Debug, PartialEq)]
pub struct PairRecipe {
    /// Pixels in a row of a patch, n.
    pub patch: usize,
    /// The least and the most picture pixels that a patch pixel shows along an axis. Where a picture is too small for the most,
    /// what fits is the most.
    pub zoom: (f64, f64),
    /// How the second view is moved.
    pub geometry: Geometry,
    /// What is done to each view, in order, with draws of its own.
    pub photo: Vec<Photo>,
    /// How each view is drawn on its own; `None` draws both with the picture's weights.
    pub render: Option<Render>,
    /// Training batches in an epoch.
    pub steps: usize,
    /// Pairs in a batch.
    pub batch: usize,
    /// The share of pictures (of a single picture: of its width) for training, above 0. At 1 nothing is left for validation.
    pub train: f64,
    /// Seed of the training pairs.
    pub seed: u64,
    /// Whether the second view is made. Without it `image_r` is empty and the rest is unchanged.
    pub moved: bool,
    /// Whether corners are found. Without it `corners` is empty and the rest is unchanged.
    pub corners: bool,
    /// The layer that is not drawn but handed over as `truth`.
    pub target: Option<String>,
}

impl Default for PairRecipe {
    fn default() -> Self {
        Self {
            patch: 128,
            zoom: (1.0, 1.0),
            geometry: Geometry::SquareSymmetries,
            photo: Vec::new(),
            render: None,
            steps: 50,
            batch: 8,
            train: 0.8,
            seed: 0,
            moved: true,
            corners: true,
            target: None,
        }
    }
}

impl PairRecipe {
    /// Checks that all settings are in their ranges.
    pub fn check(&self) -> Result<(), DataError> {
        let one = |setting, value: f64, low: f64, high: f64| match (low..=high).contains(&value) {
            true => Ok(()),
            false => Err(DataError::BadSetting { setting, value, low, high }),
        };
        let range = |setting, (a, b): (f64, f64), low: f64, high: f64| {
            one(setting, a, low, high)?;
            one(setting, b, a, high)
        };
        one("patch", self.patch as f64, 1.0, 65_536.0)?;
        one("steps", self.steps as f64, 1.0, 1e12)?;
        one("batch", self.batch as f64, 1.0, 1e6)?;
        one("train", self.train, 1e-6, 1.0)?;
        range("zoom", self.zoom, 0.02, 50.0)?;
        match self.geometry {
            Geometry::Identity | Geometry::SquareSymmetries => {}
            Geometry::Rotations { degrees, .. } => range("degrees", degrees, -36_000.0, 36_000.0)?,
            Geometry::Affine { degrees, stretch, shear, .. } => {
                range("degrees", degrees, -36_000.0, 36_000.0)?;
                range("stretch", stretch, 0.1, 10.0)?;
                range("shear", shear, -5.0, 5.0)?;
            }
        }
        for photo in &self.photo {
            match *photo {
                Photo::Brightness(low, high) => range("brightness", (low, high), 0.0, 100.0)?,
                Photo::Contrast(low, high) => range("contrast", (low, high), 0.0, 100.0)?,
                Photo::Noise(sigma) => one("noise", sigma, 0.0, 10.0)?,
                Photo::Blur(low, high) => range("blur", (low, high), 0.0, 100.0)?,
                Photo::Gamma(low, high) => range("gamma", (low, high), 0.01, 100.0)?,
            }
        }
        if let Some(render) = &self.render {
            range("weights", render.weights, 0.0, 1.0)?;
            one("drop", render.drop, 0.0, 1.0)?;
            range("etch", render.etch, -32.0, 32.0)?;
            one("invert", render.invert, 0.0, 1.0)?;
        }
        Ok(())
    }
}

/// Which pairs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Split {
    /// Endless.
    Train,
    /// The same list every time.
    Validation,
}

/// One training sample of patch size n.
#[derive(Clone, Debug, PartialEq)]
pub struct Pair {
    /// The original view, n rows of n values in 0..=1.
    pub image: Vec<f32>,
    /// The moved view, `image_r(q) = image(H⁻¹ q)` but for what each side draws on its own.
    pub image_r: Vec<f32>,
    /// H, 3×3 row by row, in normalized coordinates: takes a column (x, y, 1) of the original to the moved view.
    pub h: [f32; 9],
    /// 1 at the corners of polygons in the original view, else 0. See [`corners::corners`].
    pub corners: Vec<f32>,
    /// Coverage of the target layer in the original view, in 0..=1; empty without a target.
    pub truth: Vec<f32>,
    /// Which picture it is cut from.
    pub picture: usize,
    /// The picture's column and row at the original view's upper left corner.
    pub from: [i64; 2],
    /// Picture pixels in a patch pixel, along an axis.
    pub zoom: f64,
}

/// Pictures, split for training and validation, from which pairs are made.
#[derive(Debug)]
pub struct PairSource {
    pictures: Vec<Picture>,
    recipe: PairRecipe,
    train: Vec<Field>,
    validation: Vec<Field>,
}

/// Where a pair lies.
struct Place {
    field: Field,
    from: [i64; 2],
    zoom: f64,
    /// How much there is to see.
    variation: f64,
}

impl PairSource {
    /// Splits `pictures` as [`split`] does; each belongs wholly to training or to validation, a single one is cut in two.
    ///
    /// Errors: a setting out of range, no picture, one too small for a patch at the least zoom, or no picture with the target layer.
    pub fn new(pictures: Vec<Picture>, recipe: PairRecipe) -> Result<Self, DataError> {
        recipe.check()?;
        let needed = (recipe.patch as f64 * recipe.zoom.0 - 1e-9).ceil() as usize;
        let (train, validation) = split(&pictures, recipe.train, needed)?;
        if let (Some(layer), Some(first)) = (&recipe.target, pictures.first())
            && pictures.iter().all(|p| p.layer(layer).is_none())
        {
            let present = first.layers.iter().map(|l| l.name.clone()).collect();
            return Err(DataError::NoSuchLayer { picture: first.name.clone(), layer: layer.clone(), present });
        }
        Ok(Self { pictures, recipe, train, validation })
    }

    /// The recipe.
    pub fn recipe(&self) -> &PairRecipe {
        &self.recipe
    }

    /// The pictures, in the order they were given.
    pub fn pictures(&self) -> &[Picture] {
        &self.pictures
    }

    /// Which pictures a split draws from.
    pub fn pictures_of(&self, split: Split) -> Vec<usize> {
        self.fields(split).iter().map(|field| field.picture).collect()
    }

    /// Batches in the validation split: as many for one of training as its pictures are for one of training's, rounded up,
    /// `⌈steps · (1 - train) / train⌉` and at least one; none where `train` is 1.
    pub fn validation_batches(&self) -> u64 {
        let PairRecipe { train, steps, .. } = self.recipe;
        if self.validation.is_empty() {
            return 0;
        }
        ((steps as f64 * (1.0 - train) / train - 1e-9).ceil() as u64).max(1)
    }

    fn fields(&self, split: Split) -> &[Field] {
        match split {
            Split::Validation if !self.validation.is_empty() => &self.validation,
            _ => &self.train,
        }
    }

    /// The pair number `index` of a split; in training, sample k of step s is `s · batch + k`. Any number is a pair; validation
    /// is a list only in that its users stop after [`PairSource::validation_batches`] batches.
    pub fn pair(&self, split: Split, index: u64) -> Pair {
        let stream = |part: u64| match split {
            Split::Train => Stream::new(self.recipe.seed, &[0, index, part]),
            Split::Validation => Stream::new(0, &[1, index, part]),
        };
        let n = self.recipe.patch;
        let mut places = stream(0);
        let moved = self.recipe.geometry.draw(&mut places);
        let empty = |h| {
            let black = || vec![0.0; n * n];
            let (image, image_r, corners) = (black(), black(), black());
            Pair { image, image_r, h, corners, truth: black(), picture: 0, from: [0, 0], zoom: 1.0 }
        };
        // Neither can be missing: `new` refuses an empty split.
        let Some(place) = self.place(split, &moved, &mut places) else { return empty(moved.homography()) };
        let Some(picture) = self.pictures.get(place.field.picture) else { return empty(moved.homography()) };

        let middle = place.from.map(|at| at as f64 + n as f64 * place.zoom / 2.0);
        let here = Grid::new(n, middle, place.zoom, [[1.0, 0.0], [0.0, 1.0]]);
        let there = match moved {
            Move::Symmetry(_) => here,
            Move::Linear(_) if !self.recipe.moved => here,
            Move::Linear(_) => Grid::new(n, middle, place.zoom, moved.inverse()),
        };
        let etched = self.recipe.render.as_ref().map_or(0, |r| (r.reach() * place.zoom).ceil() as usize);
        let labelled = if self.recipe.corners { corners::MARGIN } else { 0 };
        let window = here.reach().grown(labelled.max(etched)).union(there.reach().grown(etched));
        let cut = Cut::new(picture, place.field.region, window);
        let label = if self.recipe.corners { corners::corners(&cut, &here) } else { Vec::new() };

        let hidden = self.recipe.target.as_ref().and_then(|t| picture.layers.iter().position(|l| l.name == *t));
        let truth = match &self.recipe.target {
            Some(_) => cut.coverage(hidden).sample(&here),
            None => Vec::new(),
        };
        let drawn = |(i, layer): (usize, &Option<Vec<u8>>)| (layer.is_some() && Some(i) != hidden).then_some(i);
        let present: Vec<usize> = cut.layers.iter().enumerate().filter_map(drawn).collect();
        let kept = present.get(places.below(present.len())).copied();
        let draw = |part: u64| match &self.recipe.render {
            Some(render) => Look::draw(render, cut.layers.len(), kept, &mut stream(part)),
            None => Look::plain(picture),
        };
        let draw = |part: u64| draw(part).without(hidden).composite(&cut, place.zoom);
        let view = |plane: &Plane, moved: &Move| match moved {
            Move::Symmetry(symmetry) => symmetry.permute(&plane.sample(&here), n),
            Move::Linear(_) => plane.sample(&there),
        };
        let plane = draw(1);
        let mut image = plane.sample(&here);
        let mut image_r = match (&self.recipe.render, &moved) {
            _ if !self.recipe.moved => Vec::new(),
            (None, Move::Symmetry(symmetry)) => symmetry.permute(&image, n),
            (None, _) => view(&plane, &moved),
            (Some(_), _) => view(&draw(2), &moved),
        };
        photo::apply(&self.recipe.photo, &mut image, n, &mut stream(3));
        photo::apply(&self.recipe.photo, &mut image_r, n, &mut stream(4));
        let Place { field, from, zoom, .. } = place;
        Pair { image, image_r, h: moved.homography(), corners: label, truth, picture: field.picture, from, zoom }
    }

    /// Draws a place where there is something to see, or the best of a few.
    fn place(&self, split: Split, moved: &Move, stream: &mut Stream) -> Option<Place> {
        /// The deviation of grey values that is enough.
        const ENOUGH: f64 = 0.1;
        const TRIES: usize = 8;
        let fields = self.fields(split);
        let total = fields.last()?.until;
        let mut best: Option<Place> = None;
        for _ in 0..TRIES {
            let at = stream.uniform() * total;
            let field = *fields.get(fields.partition_point(|f| f.until <= at)).or(fields.last())?;
            let place = self.place_in(field, moved, stream);
            let enough = place.variation >= ENOUGH;
            if best.as_ref().is_none_or(|best| place.variation > best.variation) {
                best = Some(place);
            }
            if enough {
                break;
            }
        }
        best
    }

    fn place_in(&self, field: Field, moved: &Move, stream: &mut Stream) -> Place {
        let (n, (low, high)) = (self.recipe.patch as f64, self.recipe.zoom);
        let Field { picture, region, .. } = field;
        let fits = region.width().min(region.height()) as f64 / n;
        let zoom = stream.range(low, high.min(fits).max(low));
        let half = n * zoom / 2.0;
        let extent = match moved {
            Move::Linear(_) if self.recipe.moved => {
                Grid::new(self.recipe.patch, [0.0; 2], zoom, moved.inverse()).half_extent().map(|e| e.max(half))
            }
            _ => [half; 2],
        };
        // Whole picture pixels, so that zoom 1 copies pixels. The moved view lies within the picture too where it can.
        let mut draw = |(low, high): (usize, usize), extent: f64| {
            let range =
                |e: f64| ((low as f64 + e - half - 1e-9).ceil() as i64, (high as f64 - e - half + 1e-9).floor() as i64);
            let (first, last) = if range(extent).0 <= range(extent).1 { range(extent) } else { range(half) };
            first + stream.below(usize::try_from(last - first + 1).unwrap_or(1).max(1)) as i64
        };
        let from = [draw(region.x, extent[0]), draw(region.y, extent[1])];
        let size = (2.0 * half).ceil() as usize;
        let variation = self.pictures.get(picture).map_or(0.0, |picture| variation(picture, from, size));
        Place { field, from, zoom, variation }
    }
}

/// The deviation of the default drawing in a square window, over two dozen of its rows at uneven distances (even ones would see
/// the same thing again and again in a regular layout).
fn variation(picture: &Picture, [x, y]: [i64; 2], size: usize) -> f64 {
    let (Ok(x), Ok(y)) = (usize::try_from(x), usize::try_from(y)) else { return 0.0 };
    let rows = size.min(24);
    let stride = size / rows.max(1);
    let mut line = vec![0f32; size];
    let (mut count, mut sum, mut square) = (0.0, 0.0, 0.0);
    for k in 0..rows {
        let row = y + k * size / rows + (k * 7) % stride.max(1);
        let start = row * picture.width + x;
        line.fill(0.0);
        for layer in &picture.layers {
            let until = (start + size).min((row + 1) * picture.width);
            let Some(coverage) = layer.coverage.get(start..until) else { continue };
            for (value, &c) in line.iter_mut().zip(coverage) {
                *value += (layer.weight - *value) * (f32::from(c) * (1.0 / 255.0));
            }
        }
        count += size as f64;
        sum += f64::from(line.iter().sum::<f32>());
        square += f64::from(line.iter().map(|v| v * v).sum::<f32>());
    }
    let mean = sum / f64::max(count, 1.0);
    (square / f64::max(count, 1.0) - mean * mean).max(0.0).sqrt()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;
    use crate::data::batches::{Batches, PairBatches, Part};
    use crate::data::geometry::Symmetry;
    use crate::data::layout::PictureLayer;
    use crate::data::loader::Loader;
    use std::sync::Arc;

    fn picture(name: &str, width: usize, height: usize, f: impl Fn(usize, usize) -> f64) -> Picture {
        let coverage = (0..width * height).map(|i| (f(i % width, i / width) * 255.0).round() as u8).collect();
        let layers = vec![PictureLayer { name: "m".into(), weight: 1.0, coverage }];
        Picture { name: name.into(), width, height, layers }
    }

    /// Two layers of crossing wires with a block here and there.
    fn wires(name: &str, side: usize) -> Picture {
        let mut two = picture(name, side, side, |x, y| f64::from((x / 5) % 3 == 0 || (x / 40 + y / 30) % 4 == 0));
        let mut upper = picture(name, side, side, |x, y| f64::from((y / 4) % 4 == 0 && x % 90 > 20)).layers;
        two.layers[0].weight = 0.4;
        two.layers.append(&mut upper);
        two
    }

    fn source(pictures: Vec<Picture>, recipe: PairRecipe) -> Arc<PairSource> {
        Arc::new(PairSource::new(pictures, recipe).unwrap())
    }

    const ANY_TURN: Geometry = Geometry::Rotations { degrees: (0.0, 360.0), mirror: true };

    /// Where H takes pixel coordinates of the original.
    fn through(h: &[f32; 9], [x, y]: [f64; 2], n: usize) -> [f64; 2] {
        let [u, v] = [x, y].map(|q| (2.0 * q + 1.0) / n as f64 - 1.0);
        let h = h.map(f64::from);
        let w = h[6] * u + h[7] * v + h[8];
        [(h[0] * u + h[1] * v + h[2]) / w, (h[3] * u + h[4] * v + h[5]) / w].map(|q| ((q + 1.0) * n as f64 - 1.0) / 2.0)
    }

    #[test]
    fn a_symmetry_permutes_pixels_as_its_matrix_says() {
        for n in [1, 16, 33] {
            let recipe = PairRecipe { patch: n, zoom: (0.8, 1.25), ..PairRecipe::default() };
            let source = source(vec![wires("a", 120), wires("b", 120)], recipe);
            let mut seen = std::collections::HashSet::new();
            for index in 0..60 {
                let pair = source.pair(Split::Train, index);
                seen.insert(pair.h.map(|x| x as i8));
                for (i, value) in pair.image.iter().enumerate() {
                    let [x, y] = through(&pair.h, [(i % n) as f64, (i / n) as f64], n).map(|q| {
                        assert!((q - q.round()).abs() < 1e-9);
                        q.round() as usize
                    });
                    assert_eq!(pair.image_r[y * n + x], *value);
                }
            }
            assert_eq!(seen.len(), 8, "all symmetries are drawn");
        }
    }

    #[test]
    fn h_takes_a_mark_to_where_it_appears() {
        let blob = |x: usize, y: usize| (-((x as f64 - 120.3).powi(2) + (y as f64 - 95.8).powi(2)) / 18.0).exp();
        let affine = Geometry::Affine { degrees: (0.0, 360.0), stretch: (0.8, 1.25), shear: (-0.3, 0.3), mirror: true };
        for geometry in [Geometry::SquareSymmetries, ANY_TURN, affine] {
            for n in [64, 65] {
                let recipe = PairRecipe {
                    patch: n,
                    zoom: (0.8, 1.3),
                    train: 1.0,
                    geometry: geometry.clone(),
                    ..PairRecipe::default()
                };
                let source = source(vec![picture("dot", 240, 200, blob)], recipe);
                let mut checked = 0;
                for index in 0..60 {
                    let pair = source.pair(Split::Train, index);
                    // The centroid, where the whole mark is in the view.
                    let centroid = |image: &[f32]| {
                        let sum = |f: &dyn Fn(usize) -> f64| {
                            image.iter().enumerate().map(|(i, v)| f64::from(*v) * f(i)).sum::<f64>()
                        };
                        let [x, y] = [sum(&|i| (i % n) as f64), sum(&|i| (i / n) as f64)].map(|s| s / sum(&|_| 1.0));
                        let clear = (14.0..n as f64 - 14.0).contains(&x) && (14.0..n as f64 - 14.0).contains(&y);
                        (image.iter().any(|v| *v > 0.9) && clear).then_some([x, y])
                    };
                    let (Some(here), Some(there)) = (centroid(&pair.image), centroid(&pair.image_r)) else { continue };
                    let expected = through(&pair.h, here, n);
                    let error = (expected[0] - there[0]).hypot(expected[1] - there[1]);
                    assert!(error < 0.05, "{geometry:?}, n {n}, pair {index}: {error} px");
                    checked += 1;
                }
                assert!(checked > 10, "{checked} checked");
            }
        }
    }

    #[test]
    fn sampled_quarter_turns_equal_permutations() {
        for (quarters, symmetry) in Symmetry::ALL.into_iter().enumerate().take(4) {
            for n in [31, 32] {
                let degrees = (90.0 * quarters as f64, 90.0 * quarters as f64);
                let geometry = Geometry::Rotations { degrees, mirror: false };
                let recipe = PairRecipe { patch: n, zoom: (0.7, 1.6), geometry, ..PairRecipe::default() };
                let source = source(vec![wires("a", 100), wires("b", 100)], recipe);
                for index in 0..5 {
                    let pair = source.pair(Split::Train, index);
                    let exact = symmetry.permute(&pair.image, n);
                    let worst = exact.iter().zip(&pair.image_r).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                    assert!(worst < 1e-5, "{degrees:?}, n {n}: {worst}");
                }
            }
        }
    }

    #[test]
    fn a_turned_view_is_filled_from_the_picture_and_has_no_black_edge() {
        let bright = |x: usize, y: usize| 0.6 + 0.4 * f64::from((x / 7 + y / 5).is_multiple_of(2));
        for side in [40, 120] {
            let recipe = PairRecipe { patch: 40, geometry: ANY_TURN, train: 1.0, ..PairRecipe::default() };
            let source = source(vec![picture("bright", side, side, bright)], recipe);
            for index in 0..20 {
                let pair = source.pair(Split::Train, index);
                assert!(pair.image.iter().chain(&pair.image_r).all(|v| *v > 0.59));
            }
        }
    }

    #[test]
    fn splits_share_nothing() {
        let pictures: Vec<Picture> =
            (0..10).map(|i| picture(&format!("tile-{i}"), 40, 40, |x, y| f64::from((x + y + i) % 9 < 4))).collect();
        let recipe = PairRecipe { patch: 32, train: 0.7, ..PairRecipe::default() };
        let many = source(pictures.clone(), recipe.clone());
        let (train, validation) = (many.pictures_of(Split::Train), many.pictures_of(Split::Validation));
        assert_eq!((train.len(), validation.len()), (7, 3));
        assert!(train.iter().all(|p| !validation.contains(p)));
        let other = source(pictures.clone(), PairRecipe { seed: 9, ..recipe.clone() });
        assert_eq!(other.pictures_of(Split::Validation), validation, "another seed splits alike");
        for (split, mine) in [(Split::Train, &train), (Split::Validation, &validation)] {
            let seen: std::collections::BTreeSet<usize> = (0..200).map(|i| many.pair(split, i).picture).collect();
            assert_eq!(seen.into_iter().collect::<Vec<_>>(), *mine);
        }
        for train in [0.01, 0.99] {
            let two = source(pictures[..2].to_vec(), PairRecipe { train, ..recipe.clone() });
            assert_eq!((two.pictures_of(Split::Train).len(), two.pictures_of(Split::Validation).len()), (1, 1));
        }
        // A single picture: dark on the left 70 % (or the upper, where it is narrow), bright elsewhere.
        for (width, height) in [(200, 50), (50, 200)] {
            let dark = |x: usize, y: usize| if x.max(y) < 140 { 0.2 } else { 0.8 };
            let recipe = PairRecipe { zoom: (0.9, 1.3), geometry: ANY_TURN, ..recipe.clone() };
            let one = source(vec![picture("one", width, height, dark)], recipe);
            for index in 0..40 {
                for (split, grey) in [(Split::Train, 0.2), (Split::Validation, 0.8)] {
                    let pair = one.pair(split, index);
                    assert!(pair.image.iter().chain(&pair.image_r).all(|v| (v - grey).abs() < 1e-4), "{split:?}");
                }
            }
        }
    }

    fn full() -> PairRecipe {
        PairRecipe {
            patch: 48,
            zoom: (0.8, 1.25),
            geometry: ANY_TURN,
            photo: vec![
                Photo::Brightness(0.5, 1.5),
                Photo::Blur(0.0, 1.0),
                Photo::Contrast(0.8, 1.2),
                Photo::Noise(0.05),
            ],
            render: Some(Render { weights: (0.2, 1.0), drop: 0.3, etch: (-1.0, 1.0), invert: 0.25 }),
            batch: 3,
            ..PairRecipe::default()
        }
    }

    #[test]
    fn pairs_depend_on_their_number_alone() {
        let pictures = || (0..5).map(|i| wires(&format!("w{i}"), 150)).collect::<Vec<_>>();
        let here = source(pictures(), full());
        let named = |source: Arc<PairSource>| {
            let fields = vec![("a", Part::Image), ("b", Part::Moved), ("H", Part::Homography), ("c", Part::Corners)];
            Arc::new(PairBatches { source, fields })
        };
        let batches: Vec<_> = (0..6).map(|step| named(here.clone()).batch_at(Split::Train, step)).collect();
        let (pair, fields) = (here.pair(Split::Train, 3), &batches[1].fields);
        assert_eq!((&fields[0].values[..48 * 48], fields[0].shape.as_slice()), (&pair.image[..], &[3, 1, 48, 48][..]));
        assert_eq!((fields[2].name.as_str(), &fields[2].values[..9]), ("H", &pair.h[..]));
        for threads in [1, 2, 5] {
            let loader = Loader::new(named(source(pictures(), full())), Split::Train, 2, 3, threads).unwrap();
            let made: Vec<_> = loader.take(4).map(Result::unwrap).collect();
            assert!(made == batches[2..], "{threads} threads");
        }
        let other = source(pictures(), PairRecipe { seed: 1, ..full() });
        assert_ne!(other.pair(Split::Train, 0).image, here.pair(Split::Train, 0).image);
        assert_eq!(other.pair(Split::Validation, 4), here.pair(Split::Validation, 4));
        assert_ne!(here.pair(Split::Train, 4).image, here.pair(Split::Validation, 4).image);
        let few = source(pictures(), PairRecipe { steps: 10, train: 0.8, ..full() });
        assert_eq!(few.validation_batches(), 3, "10 · 0.2 / 0.8, rounded up");
        assert_eq!(Loader::new(named(few), Split::Validation, 0, 2, 2).unwrap().count(), 3);
    }

    #[test]
    fn views_are_drawn_apart_and_stay_in_range_while_corners_stay_the_same() {
        let plain = PairRecipe { render: None, photo: Vec::new(), ..full() };
        let (drawn, plain) = (
            source(vec![wires("a", 200), wires("b", 200)], full()),
            source(vec![wires("a", 200), wires("b", 200)], plain),
        );
        let mut labels = 0.0;
        for index in 0..20 {
            let (a, b) = (drawn.pair(Split::Train, index), plain.pair(Split::Train, index));
            assert!(a.image.iter().chain(&a.image_r).all(|v| (0.0..=1.0).contains(v)));
            assert_eq!((&a.corners, a.h, a.from), (&b.corners, b.h, b.from));
            labels += a.corners.iter().sum::<f32>();
            assert_ne!(a.image, b.image);
        }
        assert!(labels > 40.0, "{labels} labels");
        let still = PairRecipe { geometry: Geometry::Identity, ..full() };
        let pair = source(vec![wires("a", 200), wires("b", 200)], still.clone()).pair(Split::Train, 0);
        assert_ne!(pair.image, pair.image_r, "each view draws its own");
        let single = PairRecipe { moved: false, corners: false, ..still };
        let alone = source(vec![wires("a", 200), wires("b", 200)], single).pair(Split::Train, 0);
        assert_eq!((alone.image, alone.image_r.len(), alone.corners.len()), (pair.image, 0, 0));
    }

    #[test]
    fn the_target_layer_is_handed_over_and_not_drawn() {
        let mut pictures = vec![wires("a", 150), wires("b", 150)];
        pictures.iter_mut().for_each(|p| p.layers[1].name = "upper".into());
        let recipe = PairRecipe { target: Some("upper".into()), moved: false, corners: false, ..full() };
        let plain = PairRecipe { render: None, photo: Vec::new(), ..recipe.clone() };
        let without: Vec<Picture> =
            pictures.iter().map(|p| Picture { layers: p.layers[..1].to_vec(), ..p.clone() }).collect();
        let all = source(pictures.clone(), plain.clone());
        let drawn = source(pictures, recipe.clone());
        let mut covered = 0.0;
        for index in 0..10 {
            let pair = all.pair(Split::Train, index);
            let place = Grid::new(48, [0, 1].map(|i| pair.from[i] as f64 + 24.0 * pair.zoom), pair.zoom, HERE);
            let picture = &without[pair.picture];
            let cut = Cut::new(picture, crate::data::patch::Region::whole(picture), place.reach());
            let expected = Look::plain(picture).composite(&cut, pair.zoom).sample(&place);
            assert!(pair.image.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-6));
            assert_eq!(pair.truth, drawn.pair(Split::Train, index).truth, "render and photo leave the truth alone");
            assert!(pair.truth.iter().all(|v| (0.0..=1.0).contains(v)));
            covered += pair.truth.iter().sum::<f32>() / (10.0 * 48.0 * 48.0);
        }
        assert!((0.1..0.5).contains(&covered), "{covered} is covered");
        let nowhere = PairRecipe { target: Some("via9".into()), ..recipe };
        let error = PairSource::new(vec![wires("a", 150), wires("b", 150)], nowhere).unwrap_err();
        assert!(matches!(error, DataError::NoSuchLayer { layer, .. } if layer == "via9"));
    }

    const HERE: [[f64; 2]; 2] = [[1.0, 0.0], [0.0, 1.0]];

    #[test]
    fn empty_places_are_passed_over() {
        let spot = |x: usize, y: usize| f64::from(x < 130 && y < 130 && (x / 6).is_multiple_of(2));
        let recipe = PairRecipe { patch: 50, train: 1.0, ..PairRecipe::default() };
        let source = source(vec![picture("mostly empty", 300, 300, spot)], recipe);
        let full = (0..100).filter(|&i| source.pair(Split::Train, i).image.iter().any(|v| *v > 0.0)).count();
        assert!(full > 80, "{full} of 100 show something");
    }

    #[test]
    fn what_cannot_be_is_said() {
        let error = |pictures, recipe| PairSource::new(pictures, recipe).unwrap_err();
        let recipe = || PairRecipe { patch: 64, zoom: (0.5, 2.0), ..PairRecipe::default() };
        assert!(matches!(error(vec![], recipe()), DataError::NothingToTrainOn { pictures: 0, .. }));
        let small = error(vec![wires("a", 100), wires("b", 31)], recipe());
        assert!(matches!(small, DataError::PictureTooSmall { name, needed: 32, .. } if name == "b"));
        assert!(matches!(error(vec![wires("a", 63)], recipe()), DataError::PictureTooSmall { needed: 64, .. }));
        for wrong in [
            PairRecipe { zoom: (0.0, 1.0), ..recipe() },
            PairRecipe { zoom: (1.0, f64::NAN), ..recipe() },
            PairRecipe { zoom: (1.2, 0.8), ..recipe() },
            PairRecipe { patch: 0, ..recipe() },
            PairRecipe { train: 0.0, ..recipe() },
            PairRecipe { photo: vec![Photo::Noise(-1.0)], ..recipe() },
        ] {
            assert!(matches!(error(vec![wires("a", 100)], wrong), DataError::BadSetting { .. }));
        }
        // A picture that just fits is cut at every zoom that fits.
        let tight = source(vec![wires("a", 64), wires("b", 64)], recipe());
        assert!((0..20).all(|i| tight.pair(Split::Train, i).zoom <= 1.0));
    }
}
