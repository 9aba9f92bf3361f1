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

/// The planes of a decoded picture.
pub fn page(path: &Path, raw: Raw, images: &Images) -> Result<Page, DataError> {
    let raw = raw.upright();
    let name = match raw.page {
        Some(page) => format!("{}#{page}", path.display()),
        None => path.display().to_string(),
    };
    let (width, height, channels, white) = (raw.width, raw.height, raw.colors.count(), raw.white);
    let wanted = if images.color && raw.colors != Colors::Grey { 3 } else { 1 };
    let mut notes = Vec::new();
    let planes = match &raw.numbers {
        Numbers::Eight(v) => split(v, &raw, wanted, &mut notes, |planes, notes| match (images.range, white) {
            (None, None) => whole(planes, images.range, notes, Samples::Eight),
            (range, white) => scaled(planes, range.or(white.map(|w| (0.0, w))), white.unwrap_or(255.0), notes),
        }),
        Numbers::Sixteen(v) => split(v, &raw, wanted, &mut notes, |planes, notes| match (images.range, white) {
            (None, None) => whole(planes, images.range, notes, Samples::Sixteen),
            (range, white) => scaled(planes, range.or(white.map(|w| (0.0, w))), white.unwrap_or(65535.0), notes),
        }),
        Numbers::Float(v) => split(v, &raw, wanted, &mut notes, |planes, notes| {
            let range = images.range.unwrap_or_else(|| own_range(&planes, notes));
            scaled(planes, Some(range), 1.0, notes)
        }),
    };
    let names: &[&'static str] = if planes.len() == 3 { &COLORS } else { &[GREY] };
    let planes: Vec<_> = names.iter().copied().zip(planes).collect();
    let page = Page { name, width, height, channels, planes, notes };
    if images.resize == 1.0 { Ok(page) } else { resize::page(page, images.resize) }
}

type Planes<T> = Vec<Vec<T>>;

/// Splits pixels into planes over black, and has `finish` make values of 0 to 1 of them.
fn split<T: Stored>(
    values: &[T],
    raw: &Raw,
    wanted: usize,
    notes: &mut Vec<String>,
    finish: impl Fn(Planes<T>, &mut Vec<String>) -> Vec<Samples>,
) -> Vec<Samples> {
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
    if transparent > 0 {
        let share = 100.0 * transparent as f64 / (raw.width * raw.height).max(1) as f64;
        notes.push(format!("{share:.1} % of it is transparent, which is drawn over black"));
    }
    if raw.colors == Colors::Cmyk {
        notes.push("its inks (CMYK) are taken as colors without a profile".into());
    }
    finish(planes, notes)
}

/// The least and the greatest finite value.
fn ends<T: Stored>(planes: &Planes<T>) -> Option<(f64, f64)> {
    let finite = planes.iter().flatten().map(|v| v.number()).filter(|v| v.is_finite());
    finite.fold(None, |ends, v| {
        let (low, high) = ends.unwrap_or((v, v));
        Some((f64::min(low, v), f64::max(high, v)))
    })
}

/// Values of the whole range of their type.
fn whole<T: Stored>(
    planes: Planes<T>,
    _: Option<(f64, f64)>,
    notes: &mut Vec<String>,
    samples: fn(Vec<T>) -> Samples,
) -> Vec<Samples> {
    if let Some((low, high)) = ends(&planes) {
        notes.extend(little(low, high, T::FULL));
    }
    planes.into_iter().map(samples).collect()
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

/// Values of `range` as 0 to 1, in sixteen bits; what lies beyond is cut off.
fn scaled<T: Stored>(planes: Planes<T>, range: Option<(f64, f64)>, full: f64, notes: &mut Vec<String>) -> Vec<Samples> {
    let (low, high) = range.unwrap_or((0.0, full));
    let width = if high > low { high - low } else { 1.0 };
    let (mut below, mut above, mut all) = (0u64, 0u64, 0u64);
    let mut scale = |v: &T| {
        let v = v.number();
        all += 1;
        below += u64::from(v < low || v.is_nan());
        above += u64::from(v > high);
        // What is no number becomes 0.
        (((v - low) / width).clamp(0.0, 1.0) * 65535.0).round() as u16
    };
    let planes: Vec<Vec<u16>> = planes.iter().map(|plane| plane.iter().map(&mut scale).collect()).collect();
    if (below + above) * 100 > all {
        let share = |n: u64| 100.0 * n as f64 / all.max(1) as f64;
        notes.push(format!(
            "{:.1} % of its values lie below {low} and {:.1} % above {high}, which are cut off",
            share(below),
            share(above)
        ));
    } else if let Some((least, most)) = ends(&planes)
        && most - least < 65535.0 / 4.0
    {
        let of = |v: f64| low + v / 65535.0 * width;
        notes.push(match least == most {
            true => format!("every pixel is {} of {low} to {high}", of(least)),
            false => format!("its values are {:.4} to {:.4} of {low} to {high}", of(least), of(most)),
        });
    }
    planes.into_iter().map(Samples::Sixteen).collect()
}

/// The range of numbers that no type bounds: 0 to 1 where they lie there, else that of the picture.
fn own_range(planes: &Planes<f32>, notes: &mut Vec<String>) -> (f64, f64) {
    match ends(planes) {
        None => (0.0, 1.0),
        Some((low, high)) if low >= 0.0 && high <= 1.0 => (0.0, 1.0),
        Some((low, high)) => {
            notes.push(format!(
                "its values, {low} to {high}, are taken as 0 to 1; `range` sets that for all pictures alike"
            ));
            (low, high)
        }
    }
}
