//! The peaks of a map: cells that no cell nearby exceeds, the best first.
#![allow(clippy::indexing_slicing)] // Cells are counted from the sizes that the map is checked against on entry.

use std::cmp::Ordering;

use rayon::prelude::*;

use super::{Mismatch, length};

/// Which cells of `batch` maps are taken.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Choice {
    /// Maps.
    pub batch: usize,
    /// Height of a map.
    pub height: usize,
    /// Width of a map.
    pub width: usize,
    /// Cells that are taken of each map.
    pub keep: usize,
    /// From the middle of a cell to that of the next, to the right and down.
    pub step: [f64; 2],
    /// A peak exceeds all cells that are nearer than this; with 0 every cell is one.
    pub apart: f64,
    /// How far from the edge of the map a peak lies at least.
    pub border: f64,
}

/// The cells that are taken of each map of `scores` (batch, height, width): (batch, keep) numbers row · width + column.
///
/// Peaks come first, in order of their scores, of equal ones that with the lower number; of cells nearby with one score
/// the first is a peak. Where there are fewer than `keep`, the best cells that are `apart` from all that are taken
/// follow, then the best of the others within the border, then those on it. A score that is no number is the lowest.
pub fn peaks(g: &Choice, scores: &[f64]) -> Result<Vec<usize>, Mismatch> {
    let cells = g.height * g.width;
    length("scores", scores, g.batch * cells)?;
    if g.keep > cells {
        return Err(Mismatch::Sizes("more places are asked for than the map has cells"));
    }
    if g.keep == 0 {
        return Ok(Vec::new());
    }
    let around = around(g);
    let rows: Vec<Vec<usize>> = scores
        .par_chunks(g.width)
        .enumerate()
        .map(|(row, _)| {
            let map = &scores[row / g.height * cells..][..cells];
            (0..g.width).map(|c| row % g.height * g.width + c).filter(|at| is_peak(g, map, &around, *at)).collect()
        })
        .collect();
    let mut out = vec![0; g.batch * g.keep];
    let maps = scores.par_chunks(cells).zip(rows.par_chunks(g.height));
    out.par_chunks_mut(g.keep).zip(maps).for_each(|(out, (map, rows))| {
        let mut taken: Vec<usize> = rows.iter().flatten().copied().collect();
        taken.sort_unstable_by(|a, b| better(map, *a, *b));
        taken.truncate(g.keep);
        fill(g, map, &mut taken);
        out.copy_from_slice(&taken);
    });
    Ok(out)
}

/// The peaks of a single map alone, in order of their scores, of equal ones that with the lower number: at most `keep`, and
/// fewer where there are no more.
pub fn maxima(g: &Choice, scores: &[f64]) -> Result<Vec<usize>, Mismatch> {
    length("scores", scores, g.height * g.width)?;
    let around = around(g);
    let rows: Vec<Vec<usize>> = (0..g.height)
        .into_par_iter()
        .map(|row| (row * g.width..(row + 1) * g.width).filter(|at| is_peak(g, scores, &around, *at)).collect())
        .collect();
    let mut found: Vec<usize> = rows.into_iter().flatten().collect();
    found.sort_unstable_by(|a, b| better(scores, *a, *b));
    found.truncate(g.keep);
    Ok(found)
}

/// The cells nearer than `apart` to a cell, as steps down and to the right, the nearest first.
fn around(g: &Choice) -> Vec<(isize, isize)> {
    let reach = |n: usize, step: f64| ((g.apart / step).ceil().max(0.0) as isize).min(n as isize);
    let (down, right) = (reach(g.height, g.step[1]), reach(g.width, g.step[0]));
    let far = |(r, c): (isize, isize)| (r as f64 * g.step[1]).hypot(c as f64 * g.step[0]);
    let steps = (-down..=down).flat_map(|r| (-right..=right).map(move |c| (r, c)));
    let mut near: Vec<(isize, isize)> = steps.filter(|s| *s != (0, 0) && far(*s) < g.apart).collect();
    near.sort_by(|a, b| far(*a).total_cmp(&far(*b)));
    near
}

fn place(g: &Choice, at: usize) -> [f64; 2] {
    [((at % g.width) as f64 + 0.5) * g.step[0], ((at / g.width) as f64 + 0.5) * g.step[1]]
}

fn is_free(g: &Choice, at: usize) -> bool {
    let ends = [g.width as f64 * g.step[0], g.height as f64 * g.step[1]];
    g.border <= 0.0 || place(g, at).iter().zip(ends).all(|(x, end)| *x >= g.border && *x <= end - g.border)
}

fn is_peak(g: &Choice, map: &[f64], around: &[(isize, isize)], at: usize) -> bool {
    let (own, row, column) = (map[at], (at / g.width) as isize, (at % g.width) as isize);
    let lower = |(r, c): &(isize, isize)| {
        let (r, c) = (row + r, column + c);
        if r < 0 || c < 0 || r >= g.height as isize || c >= g.width as isize {
            return true;
        }
        let other = r as usize * g.width + c as usize;
        map[other] < own || map[other] == own && other > at || map[other].is_nan()
    };
    !own.is_nan() && is_free(g, at) && around.iter().all(lower)
}

/// The higher score first, then the lower number.
fn better(map: &[f64], a: usize, b: usize) -> Ordering {
    let score = |at: usize| if map[at].is_nan() { f64::NEG_INFINITY } else { map[at] };
    score(b).total_cmp(&score(a)).then(a.cmp(&b))
}

/// Takes cells that are no peaks until `keep` are taken.
fn fill(g: &Choice, map: &[f64], taken: &mut Vec<usize>) {
    if taken.len() == g.keep {
        return;
    }
    let mut used = vec![false; map.len()];
    taken.iter().for_each(|at| used[*at] = true);
    let mut rest: Vec<usize> = (0..map.len()).filter(|at| !used[*at]).collect();
    rest.sort_unstable_by(|a, b| better(map, *a, *b));
    let far = |a: usize, b: usize| {
        let (p, q) = (place(g, a), place(g, b));
        (p[0] - q[0]).hypot(p[1] - q[1]) >= g.apart
    };
    for round in 0..3 {
        for at in &rest {
            if taken.len() == g.keep {
                return;
            }
            let fits = match round {
                0 => is_free(g, *at) && taken.iter().all(|other| far(*at, *other)),
                1 => is_free(g, *at),
                _ => true,
            };
            if !used[*at] && fits {
                used[*at] = true;
                taken.push(*at);
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    const ROW: Choice = Choice { batch: 1, height: 1, width: 8, keep: 3, step: [2.0, 2.0], apart: 5.0, border: 0.0 };

    #[test]
    fn peaks_come_first_and_then_what_is_apart_from_them() {
        let map = [0.0, 0.9, 0.8, 0.1, 0.2, 0.7, 0.3, 0.0];
        // 0.9 and 0.7 are 8 apart and exceed all cells within 4; nothing else is 5 away from both, so 0.8 is next.
        assert_eq!(peaks(&ROW, &map).unwrap(), [1, 5, 2]);
        assert_eq!(maxima(&ROW, &map).unwrap(), [1, 5], "and nothing else where peaks alone are wanted");
        assert_eq!(maxima(&ROW, &[0.5; 8]).unwrap(), [0], "of what is flat the first");
        // A cell at each end is 5 away from a peak in the middle.
        let map = [0.1, 0.2, 0.3, 0.4, 0.3, 0.2, 0.1, 0.0];
        assert_eq!(peaks(&ROW, &map).unwrap(), [3, 0, 6]);
        assert_eq!(peaks(&Choice { apart: 0.0, ..ROW }, &map).unwrap(), [3, 2, 4], "without suppression the best");
        assert_eq!(peaks(&Choice { border: 4.0, ..ROW }, &map).err(), None);
    }

    #[test]
    fn of_equal_cells_the_first_is_taken_and_a_border_is_kept_free() {
        let flat = [0.5; 8];
        assert_eq!(peaks(&ROW, &flat).unwrap(), [0, 3, 6]);
        let wide = Choice { height: 5, width: 5, keep: 2, border: 3.0, apart: 0.0, ..ROW };
        let map: Vec<f64> = (0..25).map(|i| if i == 0 { 9.0 } else { f64::from(i) * 0.01 }).collect();
        assert_eq!(peaks(&wide, &map).unwrap(), [18, 17], "the corner scores most and lies on the border");
        let all = Choice { keep: 25, ..wide };
        let mut every = peaks(&all, &map).unwrap();
        every.sort_unstable();
        assert!(every.iter().copied().eq(0..25), "no cell twice");
        assert!(peaks(&Choice { keep: 26, ..wide }, &map).is_err());
    }

    #[test]
    fn what_is_no_number_is_last() {
        let map = [f64::NAN, 0.1, f64::NAN, 0.3, 0.2, f64::NAN, 0.0, 0.0];
        assert_eq!(peaks(&Choice { keep: 8, apart: 3.0, ..ROW }, &map).unwrap()[..2], [3, 1]);
    }
}
