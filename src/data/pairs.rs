//! Training pairs: a patch, the same patch moved, and the matrix that leads from one to the other.
//!
//! A pair is a function of the recipe's seed, its split and its number, and of nothing else: threads, order and a
//! resumed run cannot change it. Validation pairs do not even depend on the seed, so runs that differ in it are
//! measured on the same pairs.

mod recipe;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests;

use rayon::prelude::*;

use super::geometry::Move;
use super::patch::{Cut, Grid, Plane};
use super::photo;
use super::picture::{Picture, Run, Samples};
use super::project::View;
use super::render::Look;
use super::split::{Field, split};
use super::{DataError, Loaded, corners, detect};
use rord_random::Stream;

pub use recipe::{Detect, PairRecipe};

/// Which pairs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Split {
    /// Endless.
    Train,
    /// The same list every time.
    Validation,
}

impl Split {
    /// The stream of a part of the pair number `index`. That of validation does not depend on the seed.
    pub(crate) fn stream(self, seed: u64, index: u64, part: u64) -> Stream {
        match self {
            Self::Train => Stream::new(seed, &[0, index, part]),
            Self::Validation => Stream::new(0, &[1, index, part]),
        }
    }
}

/// One training sample of patch size n.
#[derive(Clone, Debug, PartialEq)]
pub struct Pair {
    /// The original view, n rows of n values in 0..=1 for each channel.
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

impl Pair {
    /// Nothing to see.
    pub fn black(recipe: &PairRecipe) -> Self {
        let (black, channels) = (vec![0.0; recipe.patch * recipe.patch], recipe.channels);
        Self {
            image: black.repeat(channels),
            image_r: black.repeat(channels),
            h: [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
            corners: black.clone(),
            truth: black,
            picture: 0,
            from: [0, 0],
            zoom: 1.0,
        }
    }
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
    /// Splits `pictures` as [`split`] does; each belongs wholly to training or to validation, a single one is cut in
    /// two.
    ///
    /// Errors: a setting out of range, no picture, one too small for a patch at the least zoom, or no picture with the
    /// target layer.
    pub fn new(pictures: Vec<Picture>, recipe: PairRecipe) -> Result<Self, DataError> {
        recipe.check()?;
        let (train, validation) = split(&pictures, recipe.train, needed(&recipe))?;
        if let (Some(layer), Some(first)) = (&recipe.target, pictures.first())
            && pictures.iter().all(|p| p.layer(layer).is_none())
        {
            let present = first.layers.iter().map(|l| l.name.clone()).collect();
            return Err(DataError::NoSuchLayer { picture: first.name.clone(), layer: layer.clone(), present });
        }
        let hidden = usize::from(recipe.target.is_some());
        pictures.iter().try_for_each(|picture| picture.has_channels(recipe.channels, hidden))?;
        Ok(Self { pictures, recipe, train, validation })
    }

    /// As [`PairSource::new`], of what was loaded. Errors: also files that cannot be used, all of them at once, too small
    /// ones among them; where they are to be skipped, only if nothing is left.
    /// What is known of the files is returned too.
    pub fn of(mut loaded: Loaded, recipe: PairRecipe) -> Result<(Self, Loaded), DataError> {
        recipe.check()?;
        loaded.leave_out_small(needed(&recipe));
        let known = Loaded { pictures: Vec::new(), ..loaded.clone() };
        Ok((Self::new(loaded.fit()?, recipe)?, known))
    }

    /// The same pictures with another recipe, which may differ in what is drawn alone.
    pub fn with_recipe(self, recipe: PairRecipe) -> Self {
        Self { recipe, ..self }
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

    /// Batches in the validation split: as many for one of training as its pictures are for one of training's, rounded
    /// up, `⌈steps · (1 - train) / train⌉` and at least one; none where `train` is 1.
    pub fn validation_batches(&self) -> u64 {
        if self.validation.is_empty() {
            return 0;
        }
        let train = self.recipe.train;
        self.recipe.validation_batches((1.0 - train) / train)
    }

    fn fields(&self, split: Split) -> &[Field] {
        match split {
            Split::Validation if !self.validation.is_empty() => &self.validation,
            _ => &self.train,
        }
    }

    /// The pair number `index` of a split; in training, sample k of step s is `s · batch + k`. Any number is a pair;
    /// validation is a list only in that its users stop after [`PairSource::validation_batches`] batches.
    pub fn pair(&self, split: Split, index: u64) -> Pair {
        self.pair_by(&self.recipe, split, index)
    }

    /// The same by another recipe, which may differ in what is drawn: in zoom, geometry, `photo` and `render`. The
    /// draws are the same.
    pub fn pair_by(&self, recipe: &PairRecipe, split: Split, index: u64) -> Pair {
        let stream = |part: u64| split.stream(recipe.seed, index, part);
        let n = recipe.patch;
        let mut places = stream(0);
        let moved = recipe.geometry.draw(&mut places);
        // Neither can be missing: `new` refuses an empty split.
        let Some(place) = self.place(recipe, split, &moved, &mut places) else { return Pair::black(recipe) };
        let Some(picture) = self.pictures.get(place.field.picture) else { return Pair::black(recipe) };

        let middle = place.from.map(|at| at as f64 + n as f64 * place.zoom / 2.0);
        let here = Grid::new(n, middle, place.zoom, [[1.0, 0.0], [0.0, 1.0]]);
        let there = if recipe.moved { moved.view(n, middle, place.zoom) } else { View::Grid(here) };
        let detected = if recipe.corners && recipe.detect == Detect::Picture { detect::AROUND } else { 0.0 };
        let etched = recipe.render.as_ref().map_or(0, |r| (r.reach() * place.zoom).ceil() as usize);
        let labelled = if recipe.corners { corners::MARGIN } else { 0 };
        let labelled = labelled.max((detected * place.zoom).ceil() as usize);
        let window = here.reach().grown(labelled.max(etched)).union(there.reach().grown(etched));
        let cut = Cut::new(picture, place.field.region, window);
        let label = match recipe.detect {
            _ if !recipe.corners => Vec::new(),
            Detect::Drawn => corners::corners(&cut, &here),
            Detect::Picture => detect::corners(&Look::plain(picture).composite(&cut, place.zoom), &here),
        };

        let hidden = recipe.target.as_ref().and_then(|t| picture.layer(t));
        let truth = match &recipe.target {
            Some(_) => cut.coverage(hidden).sample(&here),
            None => Vec::new(),
        };
        let drawn = |(i, layer): (usize, &Option<Samples>)| (layer.is_some() && Some(i) != hidden).then_some(i);
        let present: Vec<usize> = cut.layers.iter().enumerate().filter_map(drawn).collect();
        // A layer that is shown alone should show something.
        let shows = |layer: &usize| varies(&cut.coverage(Some(*layer)).sample(&here));
        let shown: Vec<usize> = match &recipe.render {
            Some(render) if render.single > 0.0 => present.iter().copied().filter(shows).collect(),
            _ => Vec::new(),
        };
        let kept = if shown.is_empty() { &present } else { &shown };
        let kept = kept.get(places.below(kept.len())).copied();
        let draw = |part: u64| {
            let look = recipe.render.as_ref().map(|r| Look::draw(r, cut.layers.len(), kept, &mut stream(part)));
            Look::views(look.map(|look| look.without(hidden)), picture, &cut, place.zoom, (recipe.channels, hidden))
        };
        let planes = draw(1);
        let mut image: Vec<f32> = planes.iter().flat_map(|plane| plane.sample(&here)).collect();
        let view = |planes: &[Plane]| -> Vec<f32> {
            match &moved {
                Move::Symmetry(symmetry) => {
                    planes.iter().flat_map(|plane| symmetry.permute(&plane.sample(&here), n)).collect()
                }
                Move::Linear(_) | Move::Projective(_) => planes.iter().flat_map(|plane| there.sample(plane)).collect(),
            }
        };
        let mut image_r = match (&recipe.render, &moved) {
            _ if !recipe.moved => Vec::new(),
            (None, Move::Symmetry(symmetry)) => {
                image.chunks_exact(n * n).flat_map(|channel| symmetry.permute(channel, n)).collect()
            }
            (None, _) => view(&planes),
            // A stream of its own: with a share of 1 all other draws stay as they are.
            (Some(render), _) if stream(5).chance(render.differ) => view(&draw(2)),
            (Some(_), _) => view(&planes),
        };
        photo::apply(&recipe.photo, &mut image, n, &mut stream(3));
        photo::apply(&recipe.photo, &mut image_r, n, &mut stream(4));
        let Place { field, from, zoom, .. } = place;
        Pair { image, image_r, h: moved.homography(), corners: label, truth, picture: field.picture, from, zoom }
    }

    /// The first error that reading a picture met; pairs made since then are not to be used.
    pub fn trouble(&self) -> Option<&DataError> {
        self.pictures.iter().find_map(Picture::trouble)
    }

    /// Of the first `samples` patches of a split, how many have nearly one value only, before photometry.
    pub fn flat(&self, split: Split, samples: u64) -> u64 {
        /// Values within this are one value to the eye.
        const NEARLY: f32 = 0.02;
        let recipe = PairRecipe { photo: Vec::new(), corners: false, ..self.recipe.clone() };
        let flat = |index: &u64| {
            let image = self.pair_by(&recipe, split, *index).image;
            let (low, high) = image.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(a, b), v| (a.min(*v), b.max(*v)));
            high - low <= NEARLY
        };
        (0..samples).into_par_iter().filter(flat).count() as u64
    }

    /// Draws a place where there is something to see, or the best of a few.
    fn place(&self, recipe: &PairRecipe, split: Split, moved: &Move, stream: &mut Stream) -> Option<Place> {
        /// The deviation of grey values that is enough.
        const ENOUGH: f64 = 0.1;
        const TRIES: usize = 8;
        let fields = self.fields(split);
        let total = fields.last()?.until;
        let mut best: Option<Place> = None;
        for _ in 0..TRIES {
            let at = stream.uniform() * total;
            let field = *fields.get(fields.partition_point(|f| f.until <= at)).or(fields.last())?;
            let place = self.place_in(recipe, field, moved, stream);
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

    fn place_in(&self, recipe: &PairRecipe, field: Field, moved: &Move, stream: &mut Stream) -> Place {
        let (n, (low, high)) = (recipe.patch as f64, recipe.zoom);
        let Field { picture, region, .. } = field;
        let fits = region.width().min(region.height()) as f64 / n;
        let zoom = stream.range(low, high.min(fits).max(low));
        let half = n * zoom / 2.0;
        let extent = match moved {
            Move::Linear(_) | Move::Projective(_) if recipe.moved => {
                moved.view(recipe.patch, [0.0; 2], zoom).half_extent().map(|e| e.max(half))
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

/// The least side of a picture, in pixels.
fn needed(recipe: &PairRecipe) -> usize {
    (recipe.patch as f64 * recipe.zoom.0 - 1e-9).ceil() as usize
}

/// The deviation of the default drawing in a square window, over two dozen of its rows at uneven distances (even ones
/// would see the same thing again and again in a regular layout).
pub fn variation(picture: &Picture, [x, y]: [i64; 2], size: usize) -> f64 {
    let (Ok(x), Ok(y)) = (usize::try_from(x), usize::try_from(y)) else { return 0.0 };
    let rows = size.min(24);
    let stride = size / rows.max(1);
    let until = (x + size).min(picture.width);
    let view = picture.view((x, until), (y, (y + size).min(picture.height)));
    let mut line = vec![0f32; size];
    let (mut count, mut sum, mut square) = (0.0, 0.0, 0.0);
    for k in 0..rows {
        let row = y + k * size / rows + (k * 7) % stride.max(1);
        line.fill(0.0);
        for (index, layer) in picture.layers.iter().enumerate().take_while(|_| row < picture.height) {
            view.runs(index, row, (x, until), |at, run| {
                cover(line.get_mut(at..).unwrap_or_default(), layer.weight, run)
            });
        }
        count += size as f64;
        sum += f64::from(line.iter().sum::<f32>());
        square += f64::from(line.iter().map(|v| v * v).sum::<f32>());
    }
    let mean = sum / f64::max(count, 1.0);
    (square / f64::max(count, 1.0) - mean * mean).max(0.0).sqrt()
}

/// True where values deviate by a tenth: there is something to see.
fn varies(values: &[f32]) -> bool {
    let n = values.len().max(1) as f32;
    let mean = values.iter().sum::<f32>() / n;
    values.iter().map(|v| (v - mean) * (v - mean)).sum::<f32>() / n >= 0.01
}

/// Draws samples over grey values.
fn cover(line: &mut [f32], weight: f32, run: Run<'_>) {
    match run {
        Run::Flat(0, _) => {}
        Run::Flat(c, count) => {
            let c = f32::from(c) * (1.0 / 65_535.0);
            line.iter_mut().take(count).for_each(|value| *value += (weight - *value) * c);
        }
        Run::Eight(run) => {
            for (value, &c) in line.iter_mut().zip(run) {
                *value += (weight - *value) * (f32::from(c) * (1.0 / 255.0));
            }
        }
        Run::Sixteen(run) => {
            for (value, &c) in line.iter_mut().zip(run) {
                *value += (weight - *value) * (f32::from(c) * (1.0 / 65_535.0));
            }
        }
    }
}
