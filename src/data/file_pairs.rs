//! Pairs of pictures that show the same thing, from files: a crop of each around the same place, and the homography
//! between the crops.
//!
//! As with [`PairSource`](super::pairs::PairSource), a pair is a function of the seed, its split and its number alone.

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests;

use rord_lang::report::plural;
use std::collections::HashMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::DataError;
use super::batches::{Batch, Batches, Field, RecipeAt};
use super::datasets::Offered;
use super::geometry::{Homography, Move};
use super::images::{self, Images};
use super::listed::Listed;
use super::pairs::{Pair, PairRecipe, Split, variation};
use super::patch::{Cut, Grid, Region};
use super::photo;
use super::picture::Picture;
use super::render::Look;
use super::store::Store;
use rord_random::Stream;

/// Two pictures and what leads from one to the other.
#[derive(Clone, Copy, Debug)]
struct Linked {
    a: usize,
    b: usize,
    /// From places of the first to those of the second, where pixel i covers i..i+1.
    h: Homography,
}

/// Pairs of pictures from which pairs of crops are made.
pub struct FilePairs {
    pictures: Vec<Picture>,
    linked: Vec<Linked>,
    recipe: PairRecipe,
    train: Vec<usize>,
    validation: Vec<usize>,
    fields: Vec<Offered>,
    changing: Option<RecipeAt>,
}

impl FilePairs {
    /// Reads the pictures of `listed`, of which those in `held` are validated on; without any, the share `recipe.train` of
    /// the pictures is trained on. Pairs with a picture in common are on one side.
    ///
    /// Errors: a picture that cannot be read or is too small for a patch, other channels than `recipe.channels`, or a side
    /// without a pair.
    pub fn new(
        listed: &[Listed],
        held: &[Listed],
        images: &Images,
        store: &Store,
        recipe: PairRecipe,
        fields: Vec<Offered>,
    ) -> Result<Self, DataError> {
        recipe.check()?;
        let mut numbers: HashMap<&Path, usize> = HashMap::new();
        let mut paths: Vec<&Path> = Vec::new();
        for path in listed.iter().chain(held).flat_map(|pair| [pair.a.as_path(), pair.b.as_path()]) {
            numbers.entry(path).or_insert_with(|| {
                paths.push(path);
                paths.len() - 1
            });
        }
        let read = images::load(&paths, images, store).into_iter().zip(&paths);
        let all = read.map(|(read, path)| one(path, read?.0, &recipe)).collect::<Result<Vec<Picture>, _>>()?;
        let half = |s: f64| Homography([[1.0, 0.0, s], [0.0, 1.0, s], [0.0, 0.0, 1.0]]);
        let link = |pair: &Listed| {
            let (a, b) = (numbers.get(pair.a.as_path())?, numbers.get(pair.b.as_path())?);
            Some(Linked { a: *a, b: *b, h: half(0.5).after(&pair.h).after(&half(-0.5)) })
        };
        let linked: Vec<Linked> = listed.iter().chain(held).filter_map(link).collect();
        let (train, validation) = match held.is_empty() {
            true => split(&linked, &paths, recipe.train)?,
            false => {
                let files =
                    |list: &[Listed]| list.iter().flat_map(|p| [p.a.clone(), p.b.clone()]).collect::<Vec<PathBuf>>();
                super::files::apart(&files(listed), &files(held))?;
                ((0..listed.len()).collect(), (listed.len()..linked.len()).collect())
            }
        };
        Ok(Self { pictures: all, linked, recipe, train, validation, fields, changing: None })
    }

    /// The same pairs, made otherwise at each training step.
    pub fn changing(self, recipe: PairRecipe, changing: Option<RecipeAt>) -> Self {
        Self { recipe, changing, ..self }
    }

    /// The pair number `index` of a split, by `recipe`.
    pub fn pair_by(&self, recipe: &PairRecipe, split: Split, index: u64) -> Pair {
        let stream = |part: u64| split.stream(recipe.seed, index, part);
        let n = recipe.patch;
        let mut places = stream(0);
        let moved = recipe.geometry.draw(&mut places);
        let Some((linked, place)) = self.place(recipe, split, &moved, &mut places) else { return Pair::black(recipe) };
        let (Some(a), Some(b)) = (self.pictures.get(linked.a), self.pictures.get(linked.b)) else {
            return Pair::black(recipe);
        };
        let [here, there] =
            [place.here, place.there].map(|middle| Grid::new(n, middle, place.zoom, [[1.0, 0.0], [0.0, 1.0]]));
        let cut = Cut::new(a, Region::whole(a), here.reach());
        let mut image: Vec<f32> = Look::views(None, a, &cut, place.zoom, (recipe.channels, None))
            .iter()
            .flat_map(|plane| plane.sample(&here))
            .collect();
        let view = moved.view(n, place.there, place.zoom);
        let cut = Cut::new(b, Region::whole(b), there.reach().union(view.reach()));
        let mut image_r: Vec<f32> = Look::views(None, b, &cut, place.zoom, (recipe.channels, None))
            .iter()
            .flat_map(|plane| match &moved {
                Move::Symmetry(symmetry) => symmetry.permute(&plane.sample(&there), n),
                Move::Linear(_) | Move::Projective(_) => view.sample(plane),
            })
            .collect();
        photo::apply(&recipe.photo, &mut image, n, &mut stream(3));
        photo::apply(&recipe.photo, &mut image_r, n, &mut stream(4));
        let half = n as f64 * place.zoom / 2.0;
        let from = place.here.map(|at| (at - half).round() as i64);
        let h = place.h.flat();
        Pair { image, image_r, h, corners: Vec::new(), truth: Vec::new(), picture: linked.a, from, zoom: place.zoom }
    }

    /// Draws a place that both pictures show, or the best of a few.
    fn place(&self, recipe: &PairRecipe, split: Split, moved: &Move, stream: &mut Stream) -> Option<(Linked, Place)> {
        /// The share of the first crop that the second shows that is enough, and the deviation of grey values.
        const ENOUGH: (f64, f64) = (0.5, 0.1);
        const TRIES: usize = 16;
        let list = match split {
            Split::Validation if !self.validation.is_empty() => &self.validation,
            _ => &self.train,
        };
        let mut best: Option<(f64, Linked, Place)> = None;
        for _ in 0..TRIES {
            let linked = *self.linked.get(*list.get(stream.below(list.len()))?)?;
            let Some(place) = self.place_in(recipe, &linked, moved, stream) else { continue };
            let worth = (place.overlap / ENOUGH.0).min(1.0) * (0.1 + (place.variation / ENOUGH.1).min(1.0));
            if best.as_ref().is_none_or(|(most, ..)| worth > *most) {
                best = Some((worth, linked, place));
            }
            if worth >= 1.1 {
                break;
            }
        }
        best.map(|(_, linked, place)| (linked, place))
    }

    fn place_in(&self, recipe: &PairRecipe, linked: &Linked, moved: &Move, stream: &mut Stream) -> Option<Place> {
        let (a, b) = (self.pictures.get(linked.a)?, self.pictures.get(linked.b)?);
        let n = recipe.patch as f64;
        let least = [a.width, a.height, b.width, b.height].into_iter().min().unwrap_or(0) as f64;
        let (low, high) = recipe.zoom;
        let zoom = stream.range(low, high.min(least / n).max(low));
        let half = n * zoom / 2.0;
        // Whole picture pixels, so that zoom 1 copies pixels.
        let mut draw =
            |side: usize| stream.below(((side as f64 - 2.0 * half).floor().max(0.0)) as usize + 1) as f64 + half;
        let here = [draw(a.width), draw(a.height)];
        if linked.h.weight(here) <= 0.0 {
            return None;
        }
        let within =
            |at: f64, side: usize| (at - half).round().clamp(0.0, (side as f64 - 2.0 * half).floor().max(0.0)) + half;
        let [x, y] = linked.h.takes(here);
        let there = [within(x, b.width), within(y, b.height)];
        let crop = |[x, y]: [f64; 2]| Homography([[half, 0.0, x], [0.0, half, y], [0.0, 0.0, 1.0]]);
        let between = crop(there).inverse()?.after(&linked.h).after(&crop(here));
        let h = moved.map().after(&between).normal()?;
        let shown = (0..25).filter(|k| {
            let at = [k % 5, k / 5].map(|i| f64::from(i) / 2.0 - 1.0);
            h.weight(at) > 0.0 && h.takes(at).iter().all(|q| q.abs() <= 1.0)
        });
        let overlap = shown.count() as f64 / 25.0;
        let from = here.map(|at| (at - half).round() as i64);
        let variation = variation(a, from, (2.0 * half).ceil() as usize);
        Some(Place { here, there, zoom, h, overlap, variation })
    }
}

/// Where a pair of crops lies.
#[derive(Clone, Copy)]
struct Place {
    /// The middle of the first crop, in its picture.
    here: [f64; 2],
    /// The middle of the second crop before it is moved.
    there: [f64; 2],
    zoom: f64,
    /// Between the crops, in normalized coordinates.
    h: Homography,
    /// Which part of the first crop the second shows.
    overlap: f64,
    variation: f64,
}

/// A file's only picture, which has to hold a patch.
fn one(path: &Path, mut pages: Vec<Picture>, recipe: &PairRecipe) -> Result<Picture, DataError> {
    let Some(picture) = pages.drain(..).next() else {
        return Err(DataError::BadImage { path: path.to_path_buf(), reason: "a file without a picture".into() });
    };
    let needed = (recipe.patch as f64 * recipe.zoom.0 - 1e-9).ceil() as usize;
    if picture.width.min(picture.height) < needed {
        let (name, width, height) = (picture.name, picture.width, picture.height);
        return Err(DataError::PictureTooSmall { name, width, height, needed });
    }
    picture.has_channels(recipe.channels, 0)?;
    Ok(picture)
}

/// Pairs for training and for validation: those that have pictures in common stay together. Which are held out depends on
/// the names of files and their folders.
fn split(linked: &[Linked], paths: &[&Path], train: f64) -> Result<(Vec<usize>, Vec<usize>), DataError> {
    if train >= 1.0 {
        return Ok(((0..linked.len()).collect(), Vec::new()));
    }
    let mut group: Vec<usize> = (0..paths.len()).collect();
    fn root(group: &[usize], mut at: usize) -> usize {
        while let Some(up) = group.get(at).copied().filter(|up| *up != at) {
            at = up;
        }
        at
    }
    for Linked { a, b, .. } in linked {
        let (a, b) = (root(&group, *a), root(&group, *b));
        if let Some(up) = group.get_mut(a.max(b)) {
            *up = a.min(b);
        }
    }
    let mut groups: HashMap<usize, Vec<usize>> = HashMap::new();
    for (k, pair) in linked.iter().enumerate() {
        groups.entry(root(&group, pair.a)).or_default().push(k);
    }
    let rank = |at: usize| {
        let path = paths.get(at).copied().unwrap_or(Path::new(""));
        // A sequence's pictures are all called `1.ppm`: the folder tells them apart.
        let parts: Vec<_> =
            path.components().rev().take(2).map(|c| c.as_os_str().to_string_lossy().into_owned()).collect();
        let key: Vec<u64> = parts.join("/").bytes().map(u64::from).collect();
        Stream::new(0, &key).bits()
    };
    let mut order: Vec<(u64, Vec<usize>)> = groups.into_iter().map(|(at, pairs)| (rank(at), pairs)).collect();
    order.sort_unstable();
    if order.len() < 2 {
        return Err(DataError::OneGroup { pairs: linked.len() });
    }
    let wanted = (order.len() as f64 * (1.0 - train)).round().clamp(1.0, order.len() as f64 - 1.0) as usize;
    let trained = order.split_off(wanted);
    let flat = |list: Vec<(u64, Vec<usize>)>| {
        let mut all: Vec<usize> = list.into_iter().flat_map(|(_, pairs)| pairs).collect();
        all.sort_unstable();
        all
    };
    Ok((flat(trained), flat(order)))
}

impl Batches for FilePairs {
    fn steps(&self) -> u64 {
        self.recipe.steps.max(1) as u64
    }

    fn validation_batches(&self) -> u64 {
        match self.validation.is_empty() {
            true => 0,
            false => self.recipe.validation_batches(self.validation.len() as f64 / self.train.len().max(1) as f64),
        }
    }

    fn batch_at(&self, split: Split, step: u64) -> Result<Batch, DataError> {
        self.share_at(split, step, 0..self.recipe.batch)
    }

    fn share_at(&self, split: Split, step: u64, own: Range<usize>) -> Result<Batch, DataError> {
        let changed = self.changing.as_ref().filter(|_| split == Split::Train).map(|at| at(step));
        let recipe = changed.as_ref().unwrap_or(&self.recipe);
        let (size, n) = (self.recipe.batch, self.recipe.patch);
        let shape = |field: &Offered| field.part.shape(own.len(), n, self.recipe.channels);
        let mut fields: Vec<Field> = self
            .fields
            .iter()
            .map(|field| Field { name: field.name.to_string(), shape: shape(field), values: Vec::new() })
            .collect();
        for k in own.clone() {
            let pair = self.pair_by(recipe, split, step.wrapping_mul(size as u64).wrapping_add(k as u64));
            for (offered, field) in self.fields.iter().zip(&mut fields) {
                field.values.extend_from_slice(offered.part.of(&pair));
            }
        }
        match self.pictures.iter().find_map(Picture::trouble) {
            Some(error) => Err(error.clone()),
            None => Ok(Batch { size: own.len(), fields }),
        }
    }

    fn beside(&self, step: u64) -> Result<Batch, DataError> {
        self.batch_at(Split::Validation, step)
    }

    fn notes(&self) -> Vec<String> {
        super::batches::notes(&self.pictures)
    }

    fn about(&self) -> String {
        format!(
            "{} of pictures to train on and {} to validate",
            plural(self.train.len(), "pair"),
            self.validation.len()
        )
    }

    fn noun(&self) -> &'static str {
        "pairs"
    }
}
