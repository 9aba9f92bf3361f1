//! Some rows of a map with zeros around them, which windows read without asking where the map ends.
#![allow(clippy::indexing_slicing)] // Rows and columns are cut to the map.

use super::half;
use crate::conv::call::Seen;

/// Numbers of a strip: what stays in a core's second-level cache beside a panel of the matrix.
const STRIP: usize = 24 * 1024;

/// The part of a map (height, width, channels) that some lines of windows see.
#[derive(Clone, Copy, Debug)]
pub struct Strips {
    /// Height and width of the map.
    pub sides: (usize, usize),
    /// Channels of the map.
    pub channels: usize,
    /// Lines of windows in an image, and windows in a line.
    pub windows: (usize, usize),
    /// Cells from a window to the next.
    pub stride: usize,
    /// The first cell that the first window sees, along both axes; below 0 there are zeros.
    pub first: isize,
    /// Cells along an axis that a window reaches over.
    pub reach: usize,
}

impl Strips {
    /// Cells of a row.
    pub fn width(&self) -> usize {
        (self.windows.1 - 1) * self.stride + self.reach
    }

    /// Lines of windows that a strip has.
    pub fn lines(&self) -> usize {
        let fitting = (STRIP / (self.width() * self.channels).max(1)).saturating_sub(self.reach) / self.stride + 1;
        fitting.min(self.windows.0).max(1)
    }

    /// Numbers that the strip of `lines` lines has.
    pub fn numbers(&self, lines: usize) -> usize {
        ((lines - 1) * self.stride + self.reach) * self.width() * self.channels
    }

    /// All strips of a batch: image, first line, lines.
    pub fn of(&self, batch: usize) -> Vec<(usize, usize, usize)> {
        let (all, lines) = (self.windows.0, self.lines());
        let image = move |image| (0..all).step_by(lines).map(move |top| (image, top, lines.min(all - top)));
        (0..batch).flat_map(image).collect()
    }

    /// Copies what the strip sees of the map `x` (batch, height, width, channels).
    pub fn copy(&self, x: Seen<f32>, strip: (usize, usize, usize), to: &mut Vec<f32>) {
        let line = self.width() * self.channels;
        to.resize(self.numbers(strip.2), 0.0);
        to.chunks_exact_mut(line).enumerate().for_each(|(row, to)| self.copy_row(x, strip, row, to));
    }

    /// The same in words of two channels of a cell, rounded, of which there are half as many.
    pub fn copy_channels(&self, x: Seen<f32>, strip: (usize, usize, usize), to: &mut Vec<f32>) {
        let line = self.width() * self.channels;
        let mut numbers = vec![0.0; line];
        to.resize(self.numbers(strip.2) / 2, 0.0);
        for (row, to) in to.chunks_exact_mut(line / 2).enumerate() {
            self.copy_row(x, strip, row, &mut numbers);
            half::neighbors(&numbers, to);
        }
    }

    /// The same in words of a cell and the one that the next window sees in its place, rounded; beyond the row there are zeros.
    pub fn copy_places(&self, x: Seen<f32>, strip: (usize, usize, usize), to: &mut Vec<f32>) {
        let (line, apart) = (self.width() * self.channels, self.stride * self.channels);
        let mut numbers = vec![0.0; line + apart];
        to.resize(self.numbers(strip.2), 0.0);
        for (row, to) in to.chunks_exact_mut(line).enumerate() {
            self.copy_row(x, strip, row, &mut numbers[..line]);
            half::beside(&numbers[..line], &numbers[apart..], to);
        }
    }

    /// Copies a row of it.
    fn copy_row(&self, x: Seen<f32>, (image, top, _): (usize, usize, usize), row: usize, to: &mut [f32]) {
        let ((height, width), c) = (self.sides, self.channels);
        // The columns of the map that lie in the strip.
        let (before, from) = (self.first.min(0).unsigned_abs(), self.first.max(0).unsigned_abs());
        let inside = width.saturating_sub(from).min(self.width().saturating_sub(before));
        let before = before.min(self.width());
        let y = (top * self.stride + row).checked_add_signed(self.first).filter(|y| *y < height);
        let Some(y) = y else {
            to.fill(0.0);
            return;
        };
        to[..before * c].fill(0.0);
        to[(before + inside) * c..].fill(0.0);
        let start = (image * height + y) * width + from.min(width);
        let (to, from) = (&mut to[before * c..(before + inside) * c], &x.numbers[start * c..(start + inside) * c]);
        match x.lines {
            Some(lines) => lines.apply(from, to),
            None => to.copy_from_slice(from),
        }
    }
}
