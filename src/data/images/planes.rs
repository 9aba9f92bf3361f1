//! From a decoded picture to planes: color or grey, over black, scaled to its range.

use std::path::Path;

use super::raw::{Colors, Numbers, Raw};
use super::{COLORS, GREY, Images, resize};
use crate::DataError;
use crate::picture::Samples;

/// A picture of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Page {
    /// The file, and the page where it has several: `scan.tif#2`.
    pub name: String,
    /// Pixels in a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Channels in the file without opacity: 1 grey, 3 color (of a palette too), 4 inks.
    pub channels: usize,
    /// Its planes by name: [`GREY`], or [`COLORS`].
    pub planes: Vec<(&'static str, Samples)>,
    /// What was done to it that is not plain to see, or looks like a mistake: each a sentence without its full stop.
    pub notes: Vec<String>,
}

/// A kind of stored number.
trait Stored: Copy + PartialOrd {
    const FULL: f64;
    fn number(self) -> f64;
    fn of(number: f64) -> Self;
}

impl Stored for u8 {
    const FULL: f64 = 255.0;
    fn number(self) -> f64 {
        f64::from(self)
    }
    fn of(number: f64) -> Self {
        number.round() as u8
    }
}

impl Stored for u16 {
    const FULL: f64 = 65535.0;
    fn number(self) -> f64 {
        f64::from(self)
    }
    fn of(number: f64) -> Self {
        number.round() as u16
    }
}

impl Stored for f32 {
    const FULL: f64 = 1.0;
    fn number(self) -> f64 {
        f64::from(self)
    }
    fn of(number: f64) -> Self {
        number as f32
    }
}

/// What becomes of the numbers of a picture, the same for all its rows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Plan {
    /// Three planes for color, or one.
    pub planes: usize,
    /// The stored values that become 0 and 1; without it numbers stay as they are.
    pub range: Option<(f64, f64)>,
}

/// What is counted while numbers become planes, for the notes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tally {
    pixels: u64,
    transparent: u64,
    inks: bool,
    /// The range that a picture without one was given.
    own: Option<(f64, f64)>,
    /// The greatest number of the type.
    full: f64,
    /// The least and the greatest value, as they are kept.
    ends: Option<(f64, f64)>,
    /// Numbers that were scaled, and how many of them lay on either side of the range.
    scaled: u64,
    below: u64,
    above: u64,
}

/// The planes of a decoded picture.
pub fn page(path: &Path, raw: Raw, images: &Images) -> Result<Page, DataError> {
    let raw = raw.upright();
    let name = match raw.page {
        Some(page) => format!("{}#{page}", path.display()),
        None => path.display().to_string(),
    };
    let (width, height, channels) = (raw.width, raw.height, raw.colors.count());
    let mut tally = Tally::default();
    let plan = Plan::new(&raw, images).unwrap_or_else(|planes| {
        let ends = survey(&raw, planes, None);
        Plan::own(planes, ends, &mut tally)
    });
    let planes: Vec<_> = plan.names().iter().copied().zip(strip(&raw, plan, &mut tally)).collect();
    let page = Page { name, width, height, channels, planes, notes: tally.notes(plan) };
    if images.resize == 1.0 { Ok(page) } else { resize::page(page, images.resize) }
}

impl Plan {
    /// By the kind of numbers and what a pipeline sets. Where the range depends on all numbers, the number of planes
    /// alone: then it takes [`survey`] and [`Plan::own`].
    pub fn new(raw: &Raw, images: &Images) -> Result<Self, usize> {
        let planes = if images.color && raw.colors != Colors::Grey { 3 } else { 1 };
        match (&raw.numbers, images.range) {
            (Numbers::Float(_), None) => Err(planes),
            (_, range) => Ok(Self { planes, range: range.or(raw.white.map(|white| (0.0, white))) }),
        }
    }

    /// The range of numbers that no type bounds: 0 to 1 where they lie there, else that of the picture.
    pub fn own(planes: usize, ends: Option<(f64, f64)>, tally: &mut Tally) -> Self {
        let beyond = ends.filter(|(low, high)| !(*low >= 0.0 && *high <= 1.0));
        tally.own = beyond;
        Self { planes, range: Some(beyond.unwrap_or((0.0, 1.0))) }
    }

    /// What the planes are called.
    pub fn names(&self) -> &'static [&'static str] {
        if self.planes == 3 { &COLORS } else { &[GREY] }
    }
}

/// The planes of a picture, or of some rows of it.
pub fn strip(raw: &Raw, plan: Plan, tally: &mut Tally) -> Vec<Samples> {
    match &raw.numbers {
        Numbers::Eight(v) => finish(split(v, raw, plan.planes, tally), plan, tally, Samples::Eight),
        Numbers::Sixteen(v) => finish(split(v, raw, plan.planes, tally), plan, tally, Samples::Sixteen),
        Numbers::Float(v) => {
            let planes = split(v, raw, plan.planes, tally);
            scaled(&planes, plan.range.unwrap_or((0.0, 1.0)), tally)
        }
    }
}

/// The least and the greatest finite value of a picture, or of some rows of it and those `before`.
pub fn survey(raw: &Raw, planes: usize, before: Option<(f64, f64)>) -> Option<(f64, f64)> {
    let mut unused = Tally::default();
    match &raw.numbers {
        Numbers::Eight(v) => ends(&split(v, raw, planes, &mut unused), before),
        Numbers::Sixteen(v) => ends(&split(v, raw, planes, &mut unused), before),
        Numbers::Float(v) => ends(&split(v, raw, planes, &mut unused), before),
    }
}

type Planes<T> = Vec<Vec<T>>;

/// Splits pixels into planes over black.
fn split<T: Stored>(values: &[T], raw: &Raw, wanted: usize, tally: &mut Tally) -> Planes<T> {
    let (stored, count) = (raw.channels(), raw.colors.count());
    let full = raw.white.unwrap_or(T::FULL);
    let mut planes: Planes<T> = (0..wanted).map(|_| Vec::with_capacity(raw.width * raw.height)).collect();
    let mut transparent = 0u64;
    for pixel in values.chunks_exact(stored.max(1)) {
        let opacity = if raw.alpha { pixel.last().map_or(1.0, |a| (a.number() / full).clamp(0.0, 1.0)) } else { 1.0 };
        transparent += u64::from(opacity < 1.0);
        let color: [f64; 3] = match (raw.colors, pixel.get(..count)) {
            (Colors::Grey, Some([v])) if opacity == 1.0 => {
                if let [plane] = planes.as_mut_slice() {
                    plane.push(*v);
                }
                continue;
            }
            (Colors::Grey, Some([v])) => [v.number(); 3],
            (Colors::Rgb, Some([r, g, b])) => [r.number(), g.number(), b.number()],
            (Colors::Cmyk, Some([c, m, y, k])) => {
                let paper = (full - k.number()) / full;
                [c, m, y].map(|ink| (full - ink.number()) * paper)
            }
            _ => continue,
        };
        let [r, g, b] = color.map(|v| v * opacity);
        match planes.as_mut_slice() {
            [grey] => grey.push(T::of(0.2126 * r + 0.7152 * g + 0.0722 * b)),
            [red, green, blue] => {
                red.push(T::of(r));
                green.push(T::of(g));
                blue.push(T::of(b));
            }
            _ => {}
        }
    }
    tally.pixels += (raw.width * raw.height) as u64;
    tally.transparent += transparent;
    tally.inks |= raw.colors == Colors::Cmyk;
    tally.full = T::FULL;
    planes
}

/// The least and the greatest finite value of these planes and of what was `before`.
fn ends<T: Stored>(planes: &Planes<T>, before: Option<(f64, f64)>) -> Option<(f64, f64)> {
    let finite = planes.iter().flatten().map(|v| v.number()).filter(|v| v.is_finite());
    finite.fold(before, |ends, v| {
        let (low, high) = ends.unwrap_or((v, v));
        Some((f64::min(low, v), f64::max(high, v)))
    })
}

/// Values as they are, or scaled.
fn finish<T: Stored>(planes: Planes<T>, plan: Plan, tally: &mut Tally, keep: fn(Vec<T>) -> Samples) -> Vec<Samples> {
    if let Some(range) = plan.range {
        return scaled(&planes, range, tally);
    }
    tally.ends = ends(&planes, tally.ends);
    planes.into_iter().map(keep).collect()
}

/// Values of `range` as 0 to 1, in sixteen bits; what lies beyond is cut off.
fn scaled<T: Stored>(planes: &Planes<T>, (low, high): (f64, f64), tally: &mut Tally) -> Vec<Samples> {
    let width = width(low, high);
    let mut scale = |v: &T| {
        let v = v.number();
        tally.scaled += 1;
        tally.below += u64::from(v < low || v.is_nan());
        tally.above += u64::from(v > high);
        // What is no number becomes 0.
        (((v - low) / width).clamp(0.0, 1.0) * 65535.0).round() as u16
    };
    let planes: Vec<Vec<u16>> = planes.iter().map(|plane| plane.iter().map(&mut scale).collect()).collect();
    tally.ends = ends(&planes, tally.ends);
    planes.into_iter().map(Samples::Sixteen).collect()
}

fn width(low: f64, high: f64) -> f64 {
    if high > low { high - low } else { 1.0 }
}

impl Tally {
    /// What is to be told of a picture whose rows were all counted.
    pub fn notes(&self, plan: Plan) -> Vec<String> {
        let share = |part: u64, all: u64| 100.0 * part as f64 / all.max(1) as f64;
        let mut notes = Vec::new();
        if self.transparent > 0 {
            let share = share(self.transparent, self.pixels);
            notes.push(format!("{share:.1} % of it is transparent, which is drawn over black"));
        }
        if self.inks {
            notes.push("its inks (CMYK) are taken as colors without a profile".into());
        }
        if let Some((low, high)) = self.own {
            notes.push(format!(
                "its values, {low} to {high}, are taken as 0 to 1; `range` sets that for all pictures alike"
            ));
        }
        let Some((low, high)) = plan.range else {
            notes.extend(self.ends.and_then(|(least, most)| little(least, most, self.full)));
            return notes;
        };
        if (self.below + self.above) * 100 > self.scaled {
            notes.push(format!(
                "{:.1} % of its values lie below {low} and {:.1} % above {high}, which are cut off",
                share(self.below, self.scaled),
                share(self.above, self.scaled)
            ));
        } else if let Some((least, most)) = self.ends
            && most - least < 65535.0 / 4.0
        {
            let of = |v: f64| low + v / 65535.0 * width(low, high);
            notes.push(match least == most {
                true => format!("every pixel is {} of {low} to {high}", of(least)),
                false => format!("its values are {:.4} to {:.4} of {low} to {high}", of(least), of(most)),
            });
        }
        notes
    }
}

/// What to say of values that use little of their range.
fn little(low: f64, high: f64, full: f64) -> Option<String> {
    if low == high {
        return Some(format!("every pixel is {low} of {full}"));
    }
    (high - low < full / 4.0).then(|| {
        // A file of twelve bits in sixteen has 4095, not what its brightest pixel is.
        let bits = [10, 12, 14].map(|bits| f64::from((1u32 << bits) - 1));
        let (from, to) = match bits.into_iter().find(|b| full > 255.0 && high <= *b && high > b / 4.0) {
            Some(bits) => (0.0, bits),
            None => (low, high),
        };
        format!("its values are {low} to {high} of 0 to {full}; `range = {from}..{to}` would make them 0 to 1")
    })
}
