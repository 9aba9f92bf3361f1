#![allow(clippy::indexing_slicing)] // pixels of pictures whose sizes are checked where they are made
//! A query, what the chip has where it was found, and the part of the chip around.

use std::io::Cursor;

use image::{ImageFormat, Rgb, RgbImage};

use rord_data::patch::Rect;
use rord_matching::moves::Move;
use rord_matching::search::corners;

use crate::maps::Pixels;

const BACKGROUND: Rgb<u8> = Rgb([32, 34, 40]);
const FRAME: Rgb<u8> = Rgb([255, 202, 58]);
/// Where the query's upper edge lies.
const EDGE: Rgb<u8> = Rgb([255, 89, 94]);
/// Pixels between the panels.
const GUTTER: usize = 16;
/// The most pixels of a chip that are shown along a side.
const MOST: usize = 1400;
/// How bright the chip is beside the places.
const DIMMED: f32 = 0.45;
/// Half the width of a frame's lines.
const HALF: f64 = 2.0;

/// A PNG file: on the left the query, and below it what the chip has at the first place, turned as the query is; on the right
/// the chip around all places, each with its frame, which is red at the query's upper edge. `places` take the query's pixels
/// to the chip's.
pub fn found(query: &dyn Pixels, chip: &dyn Pixels, places: &[Move]) -> Result<Vec<u8>, String> {
    let size = query.size();
    let frames: Vec<[[f64; 2]; 4]> = places.iter().map(|by| corners(size).map(|c| by.apply(c))).collect();
    let window = around(chip.size(), &frames);
    // Both panels of the query fit beside the chip.
    let scale = (window.height / (2 * size[1].max(1) + GUTTER)).clamp(1, 4);
    let panel = size.map(|side| side * scale);
    let panels = if places.is_empty() { 1 } else { 2 };
    let left = panels * panel[1] + (panels - 1) * GUTTER;
    let (width, height) = (panel[0] + window.width + 3 * GUTTER, window.height.max(left) + 2 * GUTTER);
    let mut canvas = RgbImage::from_pixel(width as u32, height as u32, BACKGROUND);
    let shown = query.read(Rect { x: 0, y: 0, width: size[0], height: size[1] })?;
    for y in 0..panel[1] {
        for x in 0..panel[0] {
            put(&mut canvas, [GUTTER + x, GUTTER + y], shown[y / scale * size[0] + x / scale]);
        }
    }
    if let (Some(by), Some(frame)) = (places.first(), frames.first()) {
        there(&mut canvas, chip, by, frame, panel, scale)?;
    }
    let shown = chip.read(window)?;
    let right = panel[0] + 2 * GUTTER;
    let on_canvas = |[x, y]: [f64; 2]| [x - window.x as f64 + right as f64, y - window.y as f64 + GUTTER as f64];
    let framed: Vec<[[f64; 2]; 4]> = frames.iter().map(|corners| corners.map(on_canvas)).collect();
    for y in 0..window.height {
        for x in 0..window.width {
            let at = [right + x, GUTTER + y];
            let lit = framed.is_empty() || framed.iter().any(|frame| inside(frame, at.map(|v| v as f64)));
            put(&mut canvas, at, shown[y * window.width + x] * if lit { 1.0 } else { DIMMED });
        }
    }
    for frame in &framed {
        // The upper edge last: it covers the corners.
        for k in [1, 2, 3, 0] {
            line(&mut canvas, frame[k], frame[(k + 1) % 4], if k == 0 { EDGE } else { FRAME }, right);
        }
    }
    let mut png = Cursor::new(Vec::new());
    canvas.write_to(&mut png, ImageFormat::Png).map_err(|e| e.to_string())?;
    Ok(png.into_inner())
}

/// What the chip has under a move, drawn below the query.
fn there(
    canvas: &mut RgbImage,
    chip: &dyn Pixels,
    by: &Move,
    frame: &[[f64; 2]; 4],
    panel: [usize; 2],
    scale: usize,
) -> Result<(), String> {
    let bound = |axis: usize, pick: fn(f64, f64) -> f64| frame.iter().map(|c| c[axis]).reduce(pick).unwrap_or(0.0);
    let low = [0, 1].map(|axis| bound(axis, f64::min).floor() as i64 - 1);
    let high = [0, 1].map(|axis| bound(axis, f64::max).ceil() as i64 + 2);
    let [width, height] = [0, 1].map(|axis| usize::try_from(high[axis] - low[axis]).unwrap_or(0));
    if width < 2 || height < 2 || width.max(height) > 4 * MOST {
        return Ok(());
    }
    let values = chip.read(Rect { x: low[0], y: low[1], width, height })?;
    for y in 0..panel[1] {
        for x in 0..panel[0] {
            let place = by.apply([x, y].map(|at| (at as f64 + 0.5) / scale as f64 - 0.5));
            let [u, v] = [place[0] - low[0] as f64, place[1] - low[1] as f64];
            let (column, row) = (u.clamp(0.0, width as f64 - 1.001), v.clamp(0.0, height as f64 - 1.001));
            let (i, j) = (column as usize, row as usize);
            let (s, t) = ((column - i as f64) as f32, (row - j as f64) as f32);
            let at = |i: usize, j: usize| values[j * width + i];
            let value = (1.0 - t) * ((1.0 - s) * at(i, j) + s * at(i + 1, j))
                + t * ((1.0 - s) * at(i, j + 1) + s * at(i + 1, j + 1));
            put(canvas, [GUTTER + x, 2 * GUTTER + panel[1] + y], value);
        }
    }
    Ok(())
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

/// True within a frame of four corners, in either sense of rotation.
fn inside(frame: &[[f64; 2]; 4], [x, y]: [f64; 2]) -> bool {
    let side = |k: usize| {
        let ([ax, ay], [bx, by]) = (frame[k], frame[(k + 1) % 4]);
        (bx - ax) * (y - ay) - (by - ay) * (x - ax)
    };
    (0..4).all(|k| side(k) >= 0.0) || (0..4).all(|k| side(k) <= 0.0)
}

/// A line with smooth edges, of which nothing is drawn left of `from`.
fn line(canvas: &mut RgbImage, [x0, y0]: [f64; 2], [x1, y1]: [f64; 2], color: Rgb<u8>, from: usize) {
    if ![x0, y0, x1, y1].iter().all(|v| v.is_finite()) {
        return;
    }
    let clip = |low: f64, high: f64, least: usize, most: u32| {
        let first = (low - HALF - 1.0).floor().max(least as f64) as u32;
        let end = (high + HALF + 2.0).ceil().clamp(0.0, f64::from(most)) as u32;
        first..end
    };
    let (rows, columns) =
        (clip(y0.min(y1), y0.max(y1), 0, canvas.height()), clip(x0.min(x1), x0.max(x1), from, canvas.width()));
    let (dx, dy) = (x1 - x0, y1 - y0);
    let square = (dx * dx + dy * dy).max(1e-9);
    for y in rows {
        for x in columns.clone() {
            let (px, py) = (f64::from(x) - x0, f64::from(y) - y0);
            let t = ((px * dx + py * dy) / square).clamp(0.0, 1.0);
            let off = (px - t * dx).hypot(py - t * dy);
            let share = (HALF + 0.5 - off).clamp(0.0, 1.0);
            if share > 0.0 {
                let under = canvas.get_pixel(x, y).0;
                let mixed = [0, 1, 2].map(|k| share * f64::from(color.0[k]) + (1.0 - share) * f64::from(under[k]));
                canvas.put_pixel(x, y, Rgb(mixed.map(|v| v.round() as u8)));
            }
        }
    }
}
