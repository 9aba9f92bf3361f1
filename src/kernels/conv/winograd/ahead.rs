//! What the next block of tiles will read and where this one's results go, fetched into the second-level cache while products are computed:
//! these leave the memory idle, and a core that reads or writes tiles would wait for it.
#![allow(unsafe_code)] // addresses are fetched ahead, not read

use super::Sizes;
use super::pixels::Source;
use crate::conv::call::After;

/// Bytes of a line of the cache.
const LINE: usize = 64;

/// Pieces of memory that are needed soon.
#[derive(Default)]
pub struct Ahead {
    /// First address and lines of each.
    spans: Vec<(*const u8, usize)>,
    /// How many lines are fetched at a time.
    share: usize,
    /// Where to go on: span and line.
    at: (usize, usize),
}

/// A map whose lines are fetched.
#[derive(Clone, Copy)]
struct Map {
    first: *const u8,
    /// Bytes of a number.
    size: usize,
    channels: usize,
    /// 2 where the map was pooled.
    by: usize,
    /// Windows see a row more above and below; the rows above have been fetched for the tiles there.
    windows: bool,
}

impl Ahead {
    /// What the tiles `first .. first + count` show of a map of so many channels.
    pub fn reading(&mut self, s: &Sizes, source: Source, channels: usize, tiles: (usize, usize)) {
        let full = |x: &[f32]| Map { first: x.as_ptr().cast(), size: 4, channels, by: 1, windows: true };
        match source {
            Source::Plain(x) | Source::Normal { x, .. } => self.add(s, full(x), tiles),
            Source::Relu { grad, value } => {
                self.add(s, full(grad), tiles);
                self.add(s, full(value), tiles);
            }
            Source::Pool { grad, cells } => {
                self.add(s, Map { by: 2, ..full(grad) }, tiles);
                self.add(s, Map { first: cells.as_ptr(), size: 1, by: 2, ..full(grad) }, tiles);
            }
        }
    }

    /// Where the tiles `first .. first + count` of a result, and the cells of its maxima, are written.
    pub fn writing(&mut self, s: &Sizes, after: After, to: (*const f32, *const u8), tiles: (usize, usize)) {
        let by = if after == After::ReluPool { 2 } else { 1 };
        let numbers = Map { first: to.0.cast(), size: 4, channels: s.outputs, by, windows: false };
        self.add(s, numbers, tiles);
        if by == 2 {
            self.add(s, Map { first: to.1, size: 1, ..numbers }, tiles);
        }
    }

    fn add(&mut self, s: &Sizes, map: Map, (first, count): (usize, usize)) {
        let Map { by, channels, size, .. } = map;
        let (height, width) = (s.height / by, s.width / by);
        let (mut tile, end) = (first, (first + count).min(s.tiles()));
        while tile < end {
            let (image, top, left) = s.tile(tile);
            let beside = (s.width - left).div_ceil(4).min(end - tile);
            tile += beside;
            let (top, left, below) = (top / by, left / by, usize::from(map.windows));
            let rows = if top == 0 { 0 } else { top + below }..(top + 4 / by + below).min(height);
            let cells = (beside * 4 / by).min(width.saturating_sub(left));
            for row in rows {
                let at = ((image * height + row) * width + left) * channels * size;
                self.spans.push((map.first.wrapping_add(at), (cells * channels * size).div_ceil(LINE)));
            }
        }
    }

    /// Cuts them into so many shares.
    pub fn cut(mut self, shares: usize) -> Self {
        let lines: usize = self.spans.iter().map(|(_, lines)| lines).sum();
        self.share = lines.div_ceil(shares.max(1));
        self
    }

    /// Fetches a share.
    #[inline(always)]
    pub fn fetch(&mut self) {
        let (mut left, (mut span, mut line)) = (self.share, self.at);
        while left > 0 {
            let Some((start, lines)) = self.spans.get(span) else { break };
            let now = left.min(lines - line);
            (line..line + now).for_each(|line| fetch(start.wrapping_add(line * LINE)));
            (left, line) = (left - now, line + now);
            if line == *lines {
                (span, line) = (span + 1, 0);
            }
        }
        self.at = (span, line);
    }
}

/// Fetches a line.
#[inline(always)]
fn fetch(at: *const u8) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a hint, which any address may be given.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T1>(at.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = at;
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_a_map_is_fetched_and_none_beyond() {
        for (height, width, channels) in [(8, 8, 16), (7, 9, 16), (5, 6, 3), (12, 4, 32)] {
            let s = Sizes { batch: 2, height, width, inputs: channels, outputs: channels };
            let (map, cells) = (vec![0.0f32; 2 * height * width * channels], vec![0u8; map_len(&s)]);
            let grad = &map[..map_len(&s)];
            let value = vec![0.0; map.len()];
            for source in
                [Source::Plain(&map), Source::Relu { grad: &map, value: &value }, Source::Pool { grad, cells: &cells }]
            {
                let mut ahead = Ahead::default();
                // Blocks that end in the middle of a row of tiles.
                (0..s.tiles()).step_by(3).for_each(|first| ahead.reading(&s, source, channels, (first, 3)));
                let of = |x: &[f32]| (x.as_ptr().cast::<u8>(), 4 * x.len());
                let maps = match source {
                    Source::Relu { grad, value } => vec![of(grad), of(value)],
                    Source::Pool { grad, cells } => vec![of(grad), (cells.as_ptr(), cells.len())],
                    _ => vec![of(&map)],
                };
                all(&ahead, &maps);
            }
            for after in [After::Nothing, After::ReluPool] {
                let mut ahead = Ahead::default();
                let to = (map.as_ptr(), cells.as_ptr());
                (0..s.tiles()).step_by(3).for_each(|first| ahead.writing(&s, after, to, (first, 3)));
                let pooled = after == After::ReluPool;
                let numbers = if pooled { grad.len() } else { map.len() };
                let maps = [(map.as_ptr().cast(), 4 * numbers), (cells.as_ptr(), cells.len())];
                all(&ahead, if pooled { &maps } else { &maps[..1] });
            }
        }
    }

    /// Numbers of the map, pooled.
    fn map_len(s: &Sizes) -> usize {
        s.batch * (s.height / 2) * (s.width / 2) * s.inputs
    }

    /// That the spans, some of whose lines end behind their last number, cover these maps and nothing else.
    fn all(ahead: &Ahead, maps: &[(*const u8, usize)]) {
        let mut covered: Vec<Vec<bool>> = maps.iter().map(|(_, bytes)| vec![false; *bytes]).collect();
        for (start, lines) in &ahead.spans {
            let inside = |(first, bytes): &(*const u8, usize)| (start.addr().wrapping_sub(first.addr())) < *bytes;
            let index = maps.iter().position(inside).expect("a span begins in a map");
            let at = start.addr() - maps[index].0.addr();
            covered[index][at..].iter_mut().take(lines * LINE).for_each(|covered| *covered = true);
        }
        assert!(covered.iter().flatten().all(|covered| *covered));
    }
}
