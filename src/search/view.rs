//! Pictures for people: key points on a picture, matches between two, a map in grey or in colors.

use std::io::Cursor;

use image::{GrayImage, ImageFormat, Rgb, RgbImage};

use rord_data::drawing::{Canvas, TEXT, rainbow};
use rord_data::patch::Rect;
use rord_matching::features::KeyPoints;

use crate::maps::Pixels;
use crate::matched::Matched;

const BACKGROUND: Rgb<u8> = Rgb([30, 32, 38]);
const INK: Rgb<u8> = Rgb([226, 228, 234]);
const FRAME: Rgb<u8> = Rgb([255, 202, 58]);
/// Where the first picture's upper edge lies in the second.
const EDGE: Rgb<u8> = Rgb([255, 89, 94]);
/// Pixels between panels and around them.
const GUTTER: usize = 12;
/// The sides that a panel has at most and, if it can be enlarged, at least.
const SIDES: (usize, usize) = (1000, 480);
/// Lines that are drawn of all matches.
const LINES: usize = 150;

/// A picture as it is shown: enlarged or reduced by a whole factor.
struct Panel {
    image: RgbImage,
    /// Its pixels for one of the picture.
    scale: f64,
}

impl Panel {
    /// Draws a picture so that its longer side has between `least` and `most` pixels, if whole factors allow. What is
    /// larger is reduced, block by block: memory is bounded by the panel.
    fn new(pixels: &dyn Pixels, (most, least): (usize, usize)) -> Result<Self, String> {
        let [width, height] = pixels.size();
        let long = width.max(height).max(1);
        if long > most {
            return reduced(pixels, long.div_ceil(most));
        }
        let up = (least / long).clamp(1, 8);
        let values = pixels.read(Rect { x: 0, y: 0, width, height })?;
        let color = colors(&values, pixels.channels(), width * height);
        let mut image = RgbImage::new((width * up) as u32, (height * up) as u32);
        for (x, y, pixel) in image.enumerate_pixels_mut() {
            *pixel = color(y as usize / up * width + x as usize / up);
        }
        Ok(Self { image, scale: up as f64 })
    }

    /// Where a place of the picture lies in the panel.
    fn at(&self, place: [f64; 2], [left, top]: [usize; 2]) -> [f64; 2] {
        let [x, y] = place.map(|at| (at + 0.5) * self.scale - 0.5);
        [x + left as f64, y + top as f64]
    }

    fn size(&self) -> [usize; 2] {
        [self.image.width() as usize, self.image.height() as usize]
    }
}

/// Each panel pixel the mean of `factor` × `factor` of the picture's.
fn reduced(pixels: &dyn Pixels, factor: usize) -> Result<Panel, String> {
    /// Panel pixels along a block's sides, at most; and pixels of the picture.
    const BLOCK: (usize, usize) = (64, 2048);
    let [width, height] = pixels.size();
    let (columns, rows) = (width.div_ceil(factor), height.div_ceil(factor));
    let side = BLOCK.0.min((BLOCK.1 / factor).max(1));
    let mut image = RgbImage::new(columns as u32, rows as u32);
    for top in (0..rows).step_by(side) {
        for left in (0..columns).step_by(side) {
            let (wide, high) = (side.min(columns - left), side.min(rows - top));
            let (w, h) = (wide * factor, high * factor);
            let window = Rect { x: (left * factor) as i64, y: (top * factor) as i64, width: w, height: h };
            let values = pixels.read(window)?;
            let mut means: Vec<f32> = Vec::with_capacity(values.len() / factor / factor);
            for plane in values.chunks_exact((w * h).max(1)) {
                for row in 0..high {
                    for column in 0..wide {
                        let lines = (0..factor).filter_map(|line| {
                            let from = (row * factor + line) * w + column * factor;
                            plane.get(from..from + factor)
                        });
                        let sum: f32 = lines.map(|line| line.iter().sum::<f32>()).sum();
                        means.push(sum / (factor * factor) as f32);
                    }
                }
            }
            let color = colors(&means, pixels.channels(), wide * high);
            for row in 0..high {
                for column in 0..wide {
                    let to = image.get_pixel_mut_checked((left + column) as u32, (top + row) as u32);
                    to.into_iter().for_each(|pixel| *pixel = color(row * wide + column));
                }
            }
        }
    }
    Ok(Panel { image, scale: 1.0 / factor as f64 })
}

/// The color of each pixel: three channels are red, green and blue, of any other number the mean is grey.
fn colors(values: &[f32], channels: usize, pixels: usize) -> impl Fn(usize) -> Rgb<u8> + '_ {
    let byte = |value: f32| (value.clamp(0.0, 1.0) * 255.0).round() as u8;
    move |at| {
        let channel = |c: usize| values.get(c * pixels + at).copied().unwrap_or_default();
        match channels {
            3 => Rgb([0, 1, 2].map(|c| byte(channel(c)))),
            n => Rgb([byte((0..n).map(channel).sum::<f32>() / n.max(1) as f32); 3]),
        }
    }
}

/// A PNG file of a picture with its key points: the surer, the more to the red.
pub fn key_points(pixels: &dyn Pixels, points: &KeyPoints) -> Result<Vec<u8>, String> {
    let panel = Panel::new(pixels, (2048, 512))?;
    let mut canvas = Canvas(panel.image.clone());
    let count = points.places.len();
    let radius = if count > 500 { 1.5 } else { 2.5 };
    // The surest last, above the others.
    for (rank, place) in points.places.iter().enumerate().rev() {
        canvas.dot(panel.at(*place, [0, 0]), radius, rainbow(rank as f64 / count.max(2) as f64));
    }
    png(&canvas.0)
}

/// A PNG file of two pictures beside each other, under their names, with lines between the matches that agree with the
/// move, and the outline of the first in the second; its upper edge is red there.
pub fn matches([a, b]: [&dyn Pixels; 2], [name_a, name_b]: [&str; 2], found: &Matched) -> Result<Vec<u8>, String> {
    let (left, right) = (Panel::new(a, SIDES)?, Panel::new(b, SIDES)?);
    let ([wide, high], [wide_b, high_b]) = (left.size(), right.size());
    let top = 2 * GUTTER + TEXT[0];
    let (at_a, at_b) = ([GUTTER, top], [2 * GUTTER + wide, top]);
    let width = (3 * GUTTER + wide + wide_b).max(480);
    let height = top + high.max(high_b) + 2 * GUTTER + TEXT[0];
    let mut canvas = Canvas::new(width, height, BACKGROUND);
    canvas.put(&left.image, at_a[0], at_a[1]);
    canvas.put(&framed(&right, a.size(), found), at_b[0], at_b[1]);
    canvas.text(name_a, [at_a[0], GUTTER], wide, INK);
    canvas.text(name_b, [at_b[0], GUTTER], wide_b, INK);
    let agreed = found.pairs.get(..found.inliers).unwrap_or_default();
    let ends = |pair: &crate::matched::Paired| [left.at(pair.a, at_a), right.at(pair.b, at_b)];
    // By where they are in the first picture, so that neighbors have colors that are near.
    let [width_a, height_a] = a.size().map(|side| side.max(1) as f64);
    let color = |[x, y]: [f64; 2]| rainbow((x / width_a + y / height_a) / 2.0);
    let every = agreed.len().div_ceil(LINES).max(1);
    for pair in agreed.iter().step_by(every) {
        canvas.line(ends(pair), 1.0, color(pair.a), 0.7);
    }
    for pair in agreed {
        ends(pair).into_iter().for_each(|end| canvas.dot(end, 2.0, color(pair.a)));
    }
    let said = match found.by {
        Some(_) => format!("{} of {} matches agree with the move", found.inliers, found.pairs.len()),
        None => format!("{} matches, and no move that enough of them agree with", found.pairs.len()),
    };
    canvas.text(&said, [GUTTER, height - GUTTER - TEXT[0]], width - 2 * GUTTER, INK);
    png(&canvas.0)
}

/// The second picture with the outline of the first, whose width and height are given, where the move takes it.
fn framed(panel: &Panel, size: [usize; 2], found: &Matched) -> RgbImage {
    let mut canvas = Canvas(panel.image.clone());
    if let Some(by) = &found.by {
        let [p, q, r, s] = rord_matching::search::corners(size).map(|corner| panel.at(by.apply(corner), [0, 0]));
        for (from, to, color) in [(q, r, FRAME), (r, s, FRAME), (s, p, FRAME), (p, q, EDGE)] {
            canvas.line([from, to], 2.0, color, 0.9);
        }
    }
    canvas.0
}

/// A PNG file of a picture (channels, rows, columns), a pixel for each of its own: three channels are red, green and blue, of any other
/// number the mean is grey.
pub fn picture(values: &[f32], [channels, rows, columns]: [usize; 3]) -> Result<Vec<u8>, String> {
    if channels != 3 {
        let cells = rows * columns;
        let sum = |at: usize| values.iter().skip(at).step_by(cells.max(1)).take(channels).sum::<f32>();
        let means: Vec<f32> = (0..cells).map(|at| sum(at) / channels.max(1) as f32).collect();
        return map(&means, [1, rows, columns]);
    }
    let color = colors(values, channels, rows * columns);
    let mut image = RgbImage::new(columns as u32, rows as u32);
    for (x, y, pixel) in image.enumerate_pixels_mut() {
        *pixel = color(y as usize * columns + x as usize);
    }
    png(&image)
}

/// A PNG file of a map (channels, rows, columns), a pixel for each cell: one channel in grey, 0 black and 1 white; of more
/// the one with the greatest number in each cell, as a color.
pub fn map(values: &[f32], [channels, rows, columns]: [usize; 3]) -> Result<Vec<u8>, String> {
    let cells = rows * columns;
    let at = |channel: usize, cell: usize| values.get(channel * cells + cell).copied().unwrap_or_default();
    if channels == 1 {
        let mut image = GrayImage::new(columns as u32, rows as u32);
        for (x, y, pixel) in image.enumerate_pixels_mut() {
            let value = at(0, y as usize * columns + x as usize);
            pixel.0 = [(value.clamp(0.0, 1.0) * 255.0).round() as u8];
        }
        let mut png = Cursor::new(Vec::new());
        image.write_to(&mut png, ImageFormat::Png).map_err(|e| e.to_string())?;
        return Ok(png.into_inner());
    }
    let mut image = RgbImage::new(columns as u32, rows as u32);
    for (x, y, pixel) in image.enumerate_pixels_mut() {
        let cell = y as usize * columns + x as usize;
        let greatest = (0..channels).fold((0, f32::NEG_INFINITY), |best, channel| {
            let value = at(channel, cell);
            if value > best.1 { (channel, value) } else { best }
        });
        *pixel = rainbow(greatest.0 as f64 / channels.saturating_sub(1).max(1) as f64);
    }
    png(&image)
}

fn png(image: &RgbImage) -> Result<Vec<u8>, String> {
    let mut png = Cursor::new(Vec::new());
    image.write_to(&mut png, ImageFormat::Png).map_err(|e| e.to_string())?;
    Ok(png.into_inner())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::drawn::Held;

    #[test]
    fn panels_are_enlarged_and_reduced_by_whole_factors() {
        let ramp = |width: usize, height: usize| Held {
            values: (0..width * height).map(|i| (i % width) as f32 / width as f32).collect(),
            channels: 1,
            size: [width, height],
        };
        let small = Panel::new(&ramp(100, 60), SIDES).unwrap();
        assert_eq!((small.size(), small.scale), ([400, 240], 4.0));
        let large = Panel::new(&ramp(2500, 30), SIDES).unwrap();
        assert_eq!((large.size(), large.scale), ([834, 10], 1.0 / 3.0));
        let grey = |x: u32| large.image.get_pixel(x, 5).0[0];
        assert!(grey(10) < 6 && (126..130).contains(&grey(417)) && grey(830) > 250);
        assert_eq!(small.at([0.0, 0.0], [10, 20]), [11.5, 21.5]);
    }

    #[test]
    fn channels_of_a_picture_are_colors_or_their_mean() {
        let read = |png: &[u8]| image::load_from_memory(png).unwrap().to_rgb8().get_pixel(1, 0).0;
        let values = [0.0, 1.0, 0.0, 0.0, 0.0, 0.5];
        assert_eq!(read(&picture(&values, [3, 1, 2]).unwrap()), [255, 0, 128]);
        assert_eq!(read(&picture(&values[..4], [2, 1, 2]).unwrap()), [128; 3]);
    }

    #[test]
    fn nothing_is_drawn_as_nothing() {
        let held = Held { values: vec![0.5; 64], channels: 1, size: [8, 8] };
        assert!(matches([&held, &held], ["a", "b"], &Matched::default()).is_ok());
        assert!(key_points(&held, &KeyPoints::default()).is_ok());
        assert!(map(&[f32::NAN; 12], [3, 2, 2]).is_ok() && map(&[2.0], [1, 1, 1]).is_ok());
    }
}
