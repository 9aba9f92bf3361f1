//! Draws pairs with matching points, so that a person sees whether H is right.
//!
//! Each pair is a row with its number: the original, the moved view, the original with its corners, and the original with the layer
//! that is to be found, each under its name and frame. A point has the same color and number on both sides, with a line between; one that leaves
//! the moved view is a ring on the left only. Points are numbered as they are read, from the upper left.

use std::io::{self, Cursor};
use std::path::Path;

use image::{GrayImage, ImageFormat, Rgb, RgbImage};

use super::drawing::{Canvas, TEXT};
use super::pairs::Pair;
use rord_files::{Action, FileError, write_atomic};

/// Points drawn for each pair.
const POINTS: usize = 12;
/// Pixels between panels.
const GUTTER: usize = 8;
/// The least side of a drawn panel; smaller patches are enlarged by a whole factor.
const SIDE: usize = 384;

/// Pixels of the row of names above a panel.
const HEAD: usize = TEXT[0] + 4;

const INK: Rgb<u8> = Rgb([226, 228, 234]);
const BACKGROUND: Rgb<u8> = Rgb([46, 48, 54]);
const DARK: Rgb<u8> = Rgb([16, 16, 18]);
const CORNER: Rgb<u8> = Rgb([255, 64, 64]);
const COLORS: [Rgb<u8>; POINTS] = [
    Rgb([255, 89, 94]),
    Rgb([255, 202, 58]),
    Rgb([138, 201, 38]),
    Rgb([70, 160, 255]),
    Rgb([201, 110, 255]),
    Rgb([255, 146, 76]),
    Rgb([54, 222, 204]),
    Rgb([255, 130, 200]),
    Rgb([197, 220, 60]),
    Rgb([130, 150, 255]),
    Rgb([220, 170, 120]),
    Rgb([90, 230, 120]),
];

/// What is written above the panels: the field of each and the frame that it lives in, `image @orig`.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// The original.
    pub image: String,
    /// The moved view.
    pub moved: String,
    /// The corners.
    pub corners: String,
    /// The layer that is to be found.
    pub truth: String,
}

/// Draws `pairs` of patch size `n`, `across` beside each other in a row, numbered from 0. The moved view, the corners and the layer to
/// be found are left out where the pairs have none.
pub fn sheet(pairs: &[Pair], names: &Names, n: usize, across: usize) -> RgbImage {
    let scale = SIDE.div_ceil(n.max(1)).max(1);
    let side = n * scale;
    let across = across.clamp(1, pairs.len().max(1));
    let moved = pairs.iter().any(|pair| !pair.image_r.is_empty());
    let labelled = pairs.iter().any(|pair| !pair.corners.is_empty());
    let target = pairs.iter().any(|pair| !pair.truth.is_empty());
    let panels = 1 + usize::from(moved) + usize::from(labelled) + usize::from(target);
    let pair_width = panels * (side + GUTTER) + 2 * GUTTER;
    let high = HEAD + side + GUTTER;
    let (width, height) = (GUTTER + across * pair_width, GUTTER + pairs.len().div_ceil(across) * high);
    let mut canvas = Canvas::new(width, height, BACKGROUND);
    for (k, pair) in pairs.iter().enumerate() {
        let (x, y) = (2 * GUTTER + k % across * pair_width, GUTTER + k / across * high + HEAD);
        let panel = |i: usize| (x + i * (side + GUTTER), y);
        let mut name = |i: usize, text: &str| canvas.text(text, [panel(i).0, y - HEAD], side, INK);
        name(0, &format!("{k}  {}", names.image));
        if moved {
            name(1, &names.moved);
        }
        if labelled {
            name(1 + usize::from(moved), &names.corners);
        }
        if target {
            name(panels - 1, &names.truth);
        }
        patch(&mut canvas, panel(0), &pair.image, n, scale, |v| v);
        if moved {
            patch(&mut canvas, panel(1), &pair.image_r, n, scale, |v| v);
            points(&mut canvas, pair, n, scale, panel(0), panel(1));
        }
        if labelled {
            let at = panel(1 + usize::from(moved));
            patch(&mut canvas, at, &pair.image, n, scale, |v| 0.6 * v);
            corners(&mut canvas, at, &pair.corners, n, scale);
        }
        if target {
            patch(&mut canvas, panel(panels - 1), &pair.image, n, scale, |v| 0.6 * v);
            cover(&mut canvas, panel(panels - 1), &pair.truth, n, scale);
        }
    }
    canvas.0
}

/// Grey values in 0..=1, in rows of `width`, as a PNG file of 8 bits.
pub fn grey_png(values: &[f32], width: usize, height: usize) -> Result<Vec<u8>, String> {
    let bytes = values.iter().map(|v| (v.clamp(0.0, 1.0) * 255.0).round() as u8).collect();
    let sides = u32::try_from(width).ok().zip(u32::try_from(height).ok());
    let picture = sides.and_then(|(width, height)| GrayImage::from_raw(width, height, bytes));
    let picture = picture.ok_or_else(|| format!("{} values for {width} × {height} px", values.len()))?;
    let mut png = Cursor::new(Vec::new());
    picture.write_to(&mut png, ImageFormat::Png).map_err(|e| e.to_string())?;
    Ok(png.into_inner())
}

/// Writes a sheet as a PNG file. Either the whole file appears under `path` or what was there stays.
pub fn write(sheet: &RgbImage, path: &Path) -> Result<(), FileError> {
    let mut bytes = Cursor::new(Vec::new());
    sheet
        .write_to(&mut bytes, ImageFormat::Png)
        .map_err(io::Error::other)
        .map_err(FileError::at(Action::Write, path))?;
    write_atomic(path, bytes.get_ref())
}

/// Where pixel coordinate (x, y) of the original lies in the moved view, in pixel coordinates of centers; `None`
/// outside.
fn moved([x, y]: [f64; 2], h: &[f32; 9], n: usize) -> Option<[f64; 2]> {
    let size = n as f64;
    let (u, v) = ((2.0 * x + 1.0) / size - 1.0, (2.0 * y + 1.0) / size - 1.0);
    let [a, b, c, d, e, f, g, i, j] = h.map(f64::from);
    let w = g * u + i * v + j;
    let place = [(a * u + b * v + c) / w, (d * u + e * v + f) / w].map(|q| ((q + 1.0) * size - 1.0) / 2.0);
    place.iter().all(|&q| (-0.5..size - 0.5).contains(&q)).then_some(place)
}

/// Pixels to mark: corners far from each other, or a grid where there are too few.
fn choose(pair: &Pair, n: usize) -> Vec<[f64; 2]> {
    let corners = pair.corners.iter().enumerate().filter(|(_, label)| **label > 0.5);
    let mut open: Vec<[f64; 2]> = corners.map(|(i, _)| [(i % n) as f64, (i / n) as f64]).collect();
    if open.len() < 4 * POINTS {
        let cell = |k: usize, of: usize| ((2 * k + 1) * n / (2 * of)) as f64;
        open.extend((0..POINTS).map(|k| [cell(k % 4, 4), cell(k / 4, 3)]));
    }
    let middle = [(n as f64 - 1.0) / 2.0; 2];
    let apart = |a: [f64; 2], b: [f64; 2]| (a[0] - b[0]).powi(2) + (a[1] - b[1]).powi(2);
    let mut chosen: Vec<[f64; 2]> = Vec::with_capacity(POINTS);
    for _ in 0..POINTS {
        // The first is the one nearest to the middle, then always the one farthest from all chosen ones.
        let value = |p: &[f64; 2]| match chosen.is_empty() {
            true => -apart(*p, middle),
            false => chosen.iter().map(|c| apart(*c, *p)).fold(f64::INFINITY, f64::min),
        };
        match open.iter().copied().max_by(|a, b| value(a).total_cmp(&value(b))) {
            Some(point) if !chosen.contains(&point) => chosen.push(point),
            _ => break,
        }
    }
    chosen.sort_by(|a, b| a[1].total_cmp(&b[1]).then(a[0].total_cmp(&b[0])));
    chosen
}

/// A block of one color.
fn block(canvas: &mut Canvas, (x, y): (i64, i64), (width, height): (usize, usize), color: Rgb<u8>) {
    for v in 0..height as i64 {
        (0..width as i64).for_each(|u| canvas.mix(x + u, y + v, color, 1.0));
    }
}

/// A patch, enlarged without smoothing: three channels as colors, any other number as their mean.
fn patch(
    canvas: &mut Canvas,
    (x, y): (usize, usize),
    values: &[f32],
    n: usize,
    scale: usize,
    tone: impl Fn(f32) -> f32,
) {
    let cells = (n * n).max(1);
    let channels = values.len() / cells;
    let byte = |value: f32| (tone(value).clamp(0.0, 1.0) * 255.0).round() as u8;
    for i in 0..cells.min(values.len()) {
        let mut channel = values.iter().skip(i).step_by(cells).copied();
        let color = match channels {
            3 => std::array::from_fn(|_| byte(channel.next().unwrap_or(0.0))),
            _ => [byte(channel.sum::<f32>() / channels.max(1) as f32); 3],
        };
        let at = ((x + i % n * scale) as i64, (y + i / n * scale) as i64);
        block(canvas, at, (scale, scale), Rgb(color));
    }
}

fn corners(canvas: &mut Canvas, (x, y): (usize, usize), labels: &[f32], n: usize, scale: usize) {
    for (i, _) in labels.iter().enumerate().filter(|(_, label)| **label > 0.5) {
        let at = ((x + i % n * scale) as i64, (y + i / n * scale) as i64);
        block(canvas, at, (scale, scale), CORNER);
    }
}

/// A layer over what is drawn already: the more of a pixel it covers, the more of its color.
fn cover(canvas: &mut Canvas, (x, y): (usize, usize), truth: &[f32], n: usize, scale: usize) {
    for (i, &part) in truth.iter().enumerate().filter(|(_, part)| **part > 0.0) {
        let (left, top) = ((x + i % n * scale) as u32, (y + i / n * scale) as u32);
        let Some(below) = canvas.0.get_pixel_checked(left, top).copied() else { continue };
        let mut color = below;
        for (mixed, over) in color.0.iter_mut().zip(CORNER.0) {
            *mixed = (f32::from(*mixed) * (1.0 - part) + f32::from(over) * part).round() as u8;
        }
        block(canvas, (i64::from(left), i64::from(top)), (scale, scale), color);
    }
}

/// Matching points on both sides: first all lines, so that none lies over a mark.
fn points(canvas: &mut Canvas, pair: &Pair, n: usize, scale: usize, left: (usize, usize), right: (usize, usize)) {
    let pixel = |panel: (usize, usize), [x, y]: [f64; 2]| {
        let at = |from: usize, q: f64| from as i64 + ((q + 0.5) * scale as f64).floor() as i64;
        (at(panel.0, x), at(panel.1, y))
    };
    let marks: Vec<_> = choose(pair, n)
        .into_iter()
        .map(|place| (pixel(left, place), moved(place, &pair.h, n).map(|there| pixel(right, there))))
        .collect();
    let place = |(x, y): (i64, i64)| [x as f64, y as f64];
    for ((here, there), color) in marks.iter().zip(COLORS) {
        if let Some(there) = there {
            canvas.line([place(*here), place(*there)], 1.2, color, 0.6);
        }
    }
    for (k, ((here, there), color)) in marks.iter().zip(COLORS).enumerate() {
        mark(canvas, *here, color, there.is_some());
        number(canvas, *here, k + 1, color, (left, n * scale));
        if let Some(there) = there {
            mark(canvas, *there, color, true);
            number(canvas, *there, k + 1, color, (right, n * scale));
        }
    }
}

/// A disc or ring with a dark rim.
fn mark(canvas: &mut Canvas, (x, y): (i64, i64), color: Rgb<u8>, filled: bool) {
    for v in -6..=6i64 {
        for u in -6..=6i64 {
            match u * u + v * v {
                0..=9 if filled => canvas.mix(x + u, y + v, color, 1.0),
                10..=22 if !filled => canvas.mix(x + u, y + v, color, 1.0),
                10..=36 => canvas.mix(x + u, y + v, DARK, 1.0),
                _ => {}
            }
        }
    }
}

/// The number of a mark to its upper right, within a panel of so many pixels.
fn number(
    canvas: &mut Canvas,
    (x, y): (i64, i64),
    number: usize,
    color: Rgb<u8>,
    ((left, top), side): ((usize, usize), usize),
) {
    let text = number.to_string();
    let (width, height) = (TEXT[1] * text.len() + 2, TEXT[0]);
    let within = |at: i64, from: usize, size: usize| at.clamp(from as i64, (from + side.saturating_sub(size)) as i64);
    let (left, top) = (within(x + 6, left, width), within(y - 18, top, height));
    block(canvas, (left, top), (width, height), DARK);
    canvas.text(&text, [left.max(0) as usize + 1, top.max(0) as usize], usize::MAX, color);
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    fn pair(n: usize, h: [f32; 9]) -> Pair {
        let grey = vec![0.5; n * n];
        Pair {
            image: grey.clone(),
            image_r: grey,
            h,
            corners: Vec::new(),
            truth: Vec::new(),
            picture: 0,
            from: [0, 0],
            zoom: 1.0,
        }
    }

    #[test]
    fn points_follow_h_and_those_outside_are_on_the_left_only() {
        let quarter = [0.0, 1.0, 0.0, -1.0, 0.0, 0.0, 0.0, 0.0, 1.0];
        assert_eq!(
            moved([63.0, 0.0], &quarter, 64),
            Some([0.0, 0.0]),
            "the upper right corner turns to the upper left"
        );
        let twice = [2.0, 0.0, 0.0, 0.0, 2.0, 0.0, 0.0, 0.0, 1.0];
        assert_eq!(moved([63.0, 0.0], &twice, 64), None);
        let count = |image: &RgbImage, color: Rgb<u8>, columns: std::ops::Range<u32>| {
            columns
                .flat_map(|x| (0..image.height()).map(move |y| (x, y)))
                .filter(|&(x, y)| *image.get_pixel(x, y) == color)
                .count()
        };
        let drawn = sheet(&[pair(64, quarter), pair(64, twice)], &Names::default(), 64, 2);
        let half = drawn.width() / 2;
        let right = |first: u32| first + (SIDE + 2 * GUTTER) as u32 + GUTTER as u32..first + half - GUTTER as u32;
        for color in COLORS {
            assert!(count(&drawn, color, right(0)) > 20, "a quarter turn keeps all points");
        }
        let kept = COLORS.iter().filter(|color| count(&drawn, **color, right(half)) > 20).count();
        assert!((1..POINTS).contains(&kept), "{kept} points are left at twice the size");
    }

    #[test]
    fn a_sheet_that_cannot_be_written_leaves_what_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sheet.png");
        let drawn = sheet(&[pair(5, [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0])], &Names::default(), 5, 1);
        write(&drawn, &path).unwrap();
        assert_eq!(image::open(&path).unwrap().to_rgb8(), drawn);
        let before = std::fs::read(&path).unwrap();
        // A side of 0 pixels is no picture.
        let error = write(&RgbImage::new(0, 0), &path).unwrap_err();
        assert!(error.to_string().starts_with(&format!("cannot write {}: ", path.display())), "{error}");
        assert_eq!(std::fs::read(&path).unwrap(), before);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn sheets_of_odd_shapes_are_drawn() {
        let mut single = pair(5, [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]);
        single.image_r.clear();
        assert_eq!(
            sheet(std::slice::from_ref(&single), &Names::default(), 5, 9).dimensions(),
            (8 + 385 + 24, 8 + 20 + 385 + 8)
        );
        assert_eq!(sheet(&[], &Names::default(), 5, 0).height(), 8);
        single.truth = vec![0.0; 25];
        single.truth[7] = 1.0;
        single.truth[8] = 0.5;
        let drawn = sheet(&[single], &Names::default(), 5, 1);
        assert_eq!(drawn.dimensions(), (8 + 2 * (385 + 8) + 16, 8 + 20 + 385 + 8));
        let cell = |i: u32| *drawn.get_pixel(16 + 393 + 77 * (i % 5) + 38, 8 + 20 + 77 * (i / 5) + 38);
        assert_eq!((cell(6), cell(7), cell(8)), (Rgb([77; 3]), CORNER, Rgb([166, 71, 71])));
    }

    #[test]
    fn a_pair_has_its_number_and_names_and_lines_between_its_points() {
        let same = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0];
        let names = Names { image: "image @orig".into(), moved: "image_r @moved".into(), ..Names::default() };
        let ink = |drawn: &RgbImage, [left, right]: [u32; 2], top: u32| {
            let columns = (left..right).flat_map(|x| (top..top + HEAD as u32).map(move |y| (x, y)));
            columns.filter(|&(x, y)| *drawn.get_pixel(x, y) != BACKGROUND).count()
        };
        let drawn = sheet(&[pair(64, same), pair(64, same)], &names, 64, 1);
        let (second, row) = (16 + (SIDE + GUTTER) as u32, (HEAD + SIDE + GUTTER) as u32);
        assert!(ink(&drawn, [16, second], 8) > 50 && ink(&drawn, [second, second + 200], 8) > 50);
        // The number of the first pair is another one than that of the second.
        let number = |top: u32| (16..24).flat_map(|x| (top..top + 16).map(move |y| (x, y))).collect::<Vec<_>>();
        let pixels = |top: u32| number(top).iter().map(|&(x, y)| *drawn.get_pixel(x, y)).collect::<Vec<_>>();
        assert_ne!(pixels(8), pixels(8 + row));
        // Between the panels there is nothing but lines, one for each point.
        let gap = 16 + SIDE as u32 + GUTTER as u32 / 2;
        let lines = (8 + HEAD as u32..row).filter(|&y| *drawn.get_pixel(gap, y) != BACKGROUND).count();
        assert!(lines >= POINTS / 2, "{lines}");
    }

    #[test]
    fn points_are_numbered_as_they_are_read() {
        let chosen = choose(&pair(64, [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]), 64);
        assert_eq!(chosen.len(), POINTS);
        assert!(chosen.windows(2).all(|w| (w[0][1], w[0][0]) < (w[1][1], w[1][0])), "{chosen:?}");
    }
}
