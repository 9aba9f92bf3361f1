#![allow(clippy::indexing_slicing)] // pixels of pictures whose sizes are checked where they are made
//! A query beside the part of a chip where it was found.

use std::io::Cursor;

use image::{ImageFormat, Rgb, RgbImage};

use rord_data::patch::Rect;

use crate::maps::Pixels;

const BACKGROUND: Rgb<u8> = Rgb([46, 48, 54]);
const FRAME: Rgb<u8> = Rgb([255, 202, 58]);
/// Where the query's upper edge lies.
const EDGE: Rgb<u8> = Rgb([255, 89, 94]);
/// Pixels between the panels.
const GUTTER: usize = 12;
/// The most pixels of a chip that are shown along a side.
const MOST: usize = 1400;

/// A PNG file: on the left the query, on the right the chip around all places, each with its frame; of the query's upper edge
/// the frame is red. `places` are corners, clockwise from the query's upper left one.
pub fn found(query: &dyn Pixels, chip: &dyn Pixels, places: &[[[f64; 2]; 4]]) -> Result<Vec<u8>, String> {
    let window = around(chip.size(), places);
    let [query_width, query_height] = query.size();
    let scale = (window.height / (2 * query_height.max(1))).clamp(1, 4);
    let (left, height) = (query_width * scale, window.height.max(query_height * scale));
    let (width, all) = (left + window.width + 3 * GUTTER, height + 2 * GUTTER);
    let mut canvas = RgbImage::from_pixel(width as u32, all as u32, BACKGROUND);
    let shown = query.read(Rect { x: 0, y: 0, width: query_width, height: query_height })?;
    for y in 0..query_height * scale {
        for x in 0..left {
            put(&mut canvas, [GUTTER + x, GUTTER + y], shown[y / scale * query_width + x / scale]);
        }
    }
    let shown = chip.read(window)?;
    let right = left + 2 * GUTTER;
    for y in 0..window.height {
        for x in 0..window.width {
            put(&mut canvas, [right + x, GUTTER + y], shown[y * window.width + x]);
        }
    }
    for corners in places {
        let at = |[x, y]: [f64; 2]| [x - window.x as f64 + right as f64, y - window.y as f64 + GUTTER as f64];
        for k in 0..4 {
            let color = if k == 0 { EDGE } else { FRAME };
            line(&mut canvas, at(corners[k]), at(corners[(k + 1) % 4]), color);
        }
    }
    let mut png = Cursor::new(Vec::new());
    canvas.write_to(&mut png, ImageFormat::Png).map_err(|e| e.to_string())?;
    Ok(png.into_inner())
}

/// The whole chip where it is small, else what lies around the places, or its middle.
fn around([width, height]: [usize; 2], places: &[[[f64; 2]; 4]]) -> Rect {
    if width <= MOST && height <= MOST {
        return Rect { x: 0, y: 0, width, height };
    }
    let along = |axis: usize, side: usize| {
        let shown = side.min(MOST);
        let values = || places.iter().flatten().filter_map(|p| p.get(axis).copied()).filter(|v| v.is_finite());
        let (low, high) = values().fold((f64::MAX, f64::MIN), |(a, b), v| (a.min(v), b.max(v)));
        let middle = if low <= high { (low + high) / 2.0 } else { side as f64 / 2.0 };
        let first = (middle - shown as f64 / 2.0).clamp(0.0, (side - shown) as f64);
        (first as i64, shown)
    };
    let ((x, width), (y, height)) = (along(0, width), along(1, height));
    Rect { x, y, width, height }
}

fn put(canvas: &mut RgbImage, [x, y]: [usize; 2], value: f32) {
    let grey = (value.clamp(0.0, 1.0) * 255.0).round() as u8;
    canvas.put_pixel(x as u32, y as u32, Rgb([grey; 3]));
}

/// A line two pixels wide.
fn line(canvas: &mut RgbImage, [x0, y0]: [f64; 2], [x1, y1]: [f64; 2], color: Rgb<u8>) {
    let steps = (x1 - x0).abs().max((y1 - y0).abs()).ceil().clamp(1.0, 20_000.0);
    for k in 0..=steps as usize {
        let t = k as f64 / steps;
        let (x, y) = (x0 + t * (x1 - x0), y0 + t * (y1 - y0));
        for (dx, dy) in [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0)] {
            let (x, y) = ((x + dx).round(), (y + dy).round());
            if x >= 0.0 && y >= 0.0 && x < f64::from(canvas.width()) && y < f64::from(canvas.height()) {
                canvas.put_pixel(x as u32, y as u32, color);
            }
        }
    }
}
