//! Draws a cut of a picture in grey: with its default weights, or as another process would show the same layout.
//!
//! A microscope shows layers in other greys, misses some, prints lines thinner or fatter, and may invert the contrast.
//! A [`Render`] draws all four for each view on its own, so a network must hold on to the geometry.

use super::patch::{Cut, Plane, Rect};
use super::picture::{Picture, Samples};
use rord_random::Stream;

/// What is drawn at random for each view.
#[derive(Clone, Debug, PartialEq)]
pub struct Render {
    /// Lowest and highest grey value of a layer.
    pub weights: (f64, f64),
    /// The chance that a layer is missing. One layer of each pair never is, or the views might share nothing.
    pub drop: f64,
    /// By how many patch pixels a layer's edges move outwards; below 0 inwards.
    pub etch: (f64, f64),
    /// The chance that a view is inverted.
    pub invert: f64,
    /// The chance that the two views of a pair are drawn each on its own; else both are drawn as the first.
    pub differ: f64,
    /// The chance that all edges of a view move by one length; else each layer's by its own.
    pub together: f64,
    /// The chance that a view shows one layer alone.
    pub single: f64,
}

impl Render {
    /// How far, in patch pixels, edges move at most.
    pub fn reach(&self) -> f64 {
        self.etch.0.abs().max(self.etch.1.abs())
    }
}

/// How one layer is drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Ink {
    weight: f32,
    dropped: bool,
    /// In patch pixels.
    etch: f64,
}

/// How one view is drawn.
#[derive(Clone, Debug, PartialEq)]
pub struct Look {
    inks: Vec<Ink>,
    inverted: bool,
}

impl Look {
    /// The picture's own weights, nothing dropped.
    pub fn plain(picture: &Picture) -> Self {
        let ink = |weight| Ink { weight, dropped: false, etch: 0.0 };
        Self { inks: picture.layers.iter().map(|layer| ink(layer.weight)).collect(), inverted: false }
    }

    /// Each layer by the grey value that `weight` gives it, or not at all, with its edges moved outwards by `etch` patch
    /// pixels.
    pub fn with(picture: &Picture, etch: f64, mut weight: impl FnMut(usize) -> Option<f32>) -> Self {
        let mut ink = |layer| {
            let weight = weight(layer);
            Ink { weight: weight.unwrap_or_default(), dropped: weight.is_none(), etch }
        };
        Self { inks: (0..picture.layers.len()).map(&mut ink).collect(), inverted: false }
    }

    /// A random look for `layers` layers of which layer `kept` is not dropped.
    pub fn draw(render: &Render, layers: usize, kept: Option<usize>, stream: &mut Stream) -> Self {
        let mut ink = |layer| Ink {
            weight: stream.range(render.weights.0, render.weights.1) as f32,
            dropped: stream.chance(render.drop) && Some(layer) != kept,
            etch: stream.range(render.etch.0, render.etch.1),
        };
        let mut inks: Vec<Ink> = (0..layers).map(&mut ink).collect();
        let inverted = stream.chance(render.invert);
        // Drawn last: without them all other draws are what they are.
        if stream.chance(render.together) {
            let etch = stream.range(render.etch.0, render.etch.1);
            inks.iter_mut().for_each(|ink| ink.etch = etch);
        }
        if stream.chance(render.single) && kept.is_some() {
            inks.iter_mut().enumerate().for_each(|(layer, ink)| ink.dropped = Some(layer) != kept);
        }
        Self { inks, inverted }
    }

    /// The planes of a view: one of all layers in grey, or, of more than one channel, one for each layer but the hidden one.
    /// Without a look, grey is the picture's own drawing and a channel is the layer's coverage.
    pub fn views(
        look: Option<Self>,
        picture: &Picture,
        cut: &Cut,
        zoom: f64,
        (channels, hidden): (usize, Option<usize>),
    ) -> Vec<Plane> {
        if channels == 1 {
            return vec![look.unwrap_or_else(|| Self::plain(picture).without(hidden)).composite(cut, zoom)];
        }
        let layers = (0..cut.layers.len()).filter(|layer| Some(*layer) != hidden);
        layers
            .map(|layer| match &look {
                Some(look) => look.channel(cut, zoom, layer),
                None => cut.coverage(Some(layer)),
            })
            .collect()
    }

    /// One layer alone, as this look draws it over black.
    fn channel(&self, cut: &Cut, zoom: f64, layer: usize) -> Plane {
        let inks = self.inks.get(layer..).and_then(|inks| inks.first()).copied();
        let alone = Self { inks: inks.into_iter().collect(), inverted: self.inverted };
        let layers = cut.layers.get(layer).cloned().into_iter().collect();
        alone.composite(&Cut { rect: cut.rect, layers }, zoom)
    }

    /// The same look, but `layer` is not drawn.
    pub fn without(mut self, layer: Option<usize>) -> Self {
        if let Some(ink) = layer.and_then(|i| self.inks.get_mut(i)) {
            ink.dropped = true;
        }
        self
    }

    /// Draws a cut: from black, each layer in turn covers what lies below by its coverage. `zoom` is how many picture
    /// pixels a patch pixel shows; the cut's outer `⌈etch · zoom⌉` pixels are not to be relied on.
    pub fn composite(&self, cut: &Cut, zoom: f64) -> Plane {
        let mut values = vec![0f32; cut.rect.width * cut.rect.height];
        for (ink, coverage) in self.inks.iter().zip(&cut.layers) {
            let (false, Some(coverage)) = (ink.dropped, coverage) else { continue };
            match (coverage, ink.etch * zoom) {
                (Samples::Eight(c), 0.0) => cover(&mut values, ink.weight, c, 1.0 / 255.0),
                (Samples::Eight(c), by) => cover(&mut values, ink.weight, &etch(c, cut.rect, by), 1.0 / 255.0),
                (Samples::Sixteen(c), 0.0) => cover(&mut values, ink.weight, c, 1.0 / 65_535.0),
                (Samples::Sixteen(c), by) => cover(&mut values, ink.weight, &etch(c, cut.rect, by), 1.0 / 65_535.0),
            }
        }
        if self.inverted {
            values.iter_mut().for_each(|v| *v = 1.0 - *v);
        }
        Plane { rect: cut.rect, values }
    }
}

/// Draws a layer over what is there; `one` times its samples is its coverage.
fn cover<T: Copy + Into<f32>>(values: &mut [f32], weight: f32, samples: &[T], one: f32) {
    for (value, &c) in values.iter_mut().zip(samples) {
        *value += (weight - *value) * (c.into() * one);
    }
}

/// Coverage with all edges moved outwards by `by` pixels (inwards where negative). A whole step is the largest
/// (smallest) value of 3×3 pixels; a part of a step mixes the two nearest, which moves the area under a straight edge
/// by exactly that part.
fn etch<T: Sample>(coverage: &[T], rect: Rect, by: f64) -> Vec<T> {
    if by > 0.0 { moved(coverage, rect, by, T::max) } else { moved(coverage, rect, -by, T::min) }
}

/// Generic over the choice, so that each becomes a loop that takes 32 or 64 pixels at a time.
fn moved<T: Sample>(coverage: &[T], rect: Rect, by: f64, choose: impl Fn(T, T) -> T + Copy) -> Vec<T> {
    let mut grown = coverage.to_vec();
    for _ in 0..(by as usize).min(rect.width.max(rect.height)) {
        grown = spread(&grown, rect.width, choose);
    }
    let share = (by.fract() * 256.0).round() as u32;
    if share > 0 {
        let further = spread(&grown, rect.width, choose);
        for (here, &next) in grown.iter_mut().zip(&further) {
            *here = T::mixed(*here, next, share);
        }
    }
    grown
}

/// A sample of 8 or 16 bits.
trait Sample: Copy + Ord {
    /// `share` 256ths of `next` and the rest of `here`.
    fn mixed(here: Self, next: Self, share: u32) -> Self;
}

impl Sample for u8 {
    fn mixed(here: u8, next: u8, share: u32) -> u8 {
        let share = share as u16;
        ((u16::from(here) * (256 - share) + u16::from(next) * share + 128) >> 8).min(255) as u8
    }
}

impl Sample for u16 {
    fn mixed(here: u16, next: u16, share: u32) -> u16 {
        ((u32::from(here) * (256 - share) + u32::from(next) * share + 128) >> 8).min(65_535) as u16
    }
}

/// Each pixel's choice among the 3×3 around it.
fn spread<T: Copy>(plane: &[T], width: usize, choose: impl Fn(T, T) -> T + Copy) -> Vec<T> {
    let mut across = plane.to_vec();
    for (out, row) in across.chunks_mut(width.max(1)).zip(plane.chunks(width.max(1))) {
        for (out, &left) in out.iter_mut().skip(1).zip(row) {
            *out = choose(*out, left);
        }
        for (out, &right) in out.iter_mut().zip(row.iter().skip(1)) {
            *out = choose(*out, right);
        }
    }
    let mut both = across.clone();
    for (out, &above) in both.iter_mut().skip(width).zip(&across) {
        *out = choose(*out, above);
    }
    for (out, &below) in both.iter_mut().zip(across.iter().skip(width)) {
        *out = choose(*out, below);
    }
    both
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    /// A square of `side` pixels in the middle of 20×20.
    fn square(side: usize) -> Vec<u8> {
        let inside = |i: usize| (10 - side / 2..10 + side / 2).contains(&i);
        (0..400).map(|i| if inside(i % 20) && inside(i / 20) { 255 } else { 0 }).collect()
    }

    const RECT: Rect = Rect { x: 0, y: 0, width: 20, height: 20 };

    #[test]
    fn etching_moves_edges_by_its_length() {
        for by in [-2.0, -1.25, -0.5, 0.3, 1.0, 2.75] {
            let etched = etch(&square(8), RECT, by);
            // A row through the middle: its covered length grows at both ends.
            let length = etched[200..220].iter().map(|&c| f64::from(c) / 255.0).sum::<f64>();
            assert!((length - (8.0 + 2.0 * by)).abs() < 0.02, "{by}: {length}");
        }
        assert!(etch(&square(4), RECT, -3.0).iter().all(|&c| c == 0));
        assert!(etch(&square(4), RECT, 1e9).iter().all(|&c| c == 255));
    }

    #[test]
    fn looks_differ_stay_in_range_and_keep_one_layer() {
        let cut =
            Cut { rect: RECT, layers: vec![Some(Samples::Eight(square(12))), None, Some(Samples::Eight(square(6)))] };
        let render = Render {
            weights: (0.2, 1.0),
            drop: 0.9,
            etch: (-1.0, 1.0),
            invert: 0.5,
            differ: 1.0,
            together: 0.0,
            single: 0.0,
        };
        let mut inverted = 0;
        for seed in 0..40 {
            let look = Look::draw(&render, 3, Some(2), &mut Stream::new(seed, &[]));
            let drawn = look.composite(&cut, 1.0).values;
            assert!(drawn.iter().all(|v| (0.0..=1.0).contains(v)));
            let contrast = (drawn[0] - drawn[210]).abs();
            assert!(contrast > 0.15, "layer 2 must be seen: {contrast}");
            inverted += usize::from(drawn[0] == 1.0);
        }
        assert!((8..32).contains(&inverted), "{inverted} of 40 inverted");
    }

    #[test]
    fn edges_move_together_and_layers_stand_alone_where_asked() {
        let render = Render {
            weights: (0.2, 1.0),
            drop: 0.0,
            etch: (-1.0, 1.0),
            invert: 0.0,
            differ: 1.0,
            together: 1.0,
            single: 1.0,
        };
        for seed in 0..20 {
            let stream = || Stream::new(seed, &[]);
            let look = Look::draw(&render, 5, Some(3), &mut stream());
            assert!(look.inks.windows(2).all(|two| two[0].etch == two[1].etch), "{look:?}");
            let shown: Vec<usize> = (0..5).filter(|k| !look.inks[*k].dropped).collect();
            assert_eq!(shown, [3]);
            // Greys are drawn as they are without both.
            let without = Render { together: 0.0, single: 0.0, ..render.clone() };
            let other = Look::draw(&without, 5, Some(3), &mut stream());
            assert!(look.inks.iter().zip(&other.inks).all(|(a, b)| a.weight == b.weight));
            assert!(other.inks.windows(2).any(|two| two[0].etch != two[1].etch));
        }
    }

    #[test]
    fn a_plain_look_is_the_default_drawing() {
        use crate::picture::PictureLayer;
        let layer = |weight, side| (PictureLayer { name: String::new(), weight }, Samples::Eight(square(side)));
        let picture = Picture::held("p", 20, 20, vec![layer(0.3, 12), layer(0.9, 6)]);
        let cut = Cut::new(&picture, crate::patch::Region::whole(&picture), RECT);
        let drawn = Look::plain(&picture).composite(&cut, 1.0).values;
        assert!(drawn.iter().zip(picture.draw()).all(|(a, b)| (a - b).abs() < 1e-6));
    }
}
