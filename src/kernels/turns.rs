//! Filters in all turns of a symmetry group, and what is done over the turns of the fields they make.
//!
//! The group is c4, the quarter turns, or d4, the symmetries of the square. Turn t = r + 4·m is a mirror image if m = 1 (left and
//! right exchanged), then r quarter turns from the right to below. A field of a picture that was moved by g is the field of the
//! picture, moved cell by cell, with turn g⁻¹·t in place of turn t: Cohen and Welling, Group Equivariant Convolutional Networks, 2016.
#![allow(clippy::indexing_slicing)] // Rows are cut by the sizes that the slices are checked against on entry.

use rayon::prelude::*;

use super::{Float, Mismatch, length};

/// What a turn does to (column, row), as [a, b, c, d]: (a·x + b·y, c·x + d·y).
pub type Move = [i8; 4];

const QUARTER: Move = [0, -1, 1, 0];
const MIRROR: Move = [-1, 0, 0, 1];
const STILL: Move = [1, 0, 0, 1];

/// First `b`, then `a`.
fn after(a: Move, b: Move) -> Move {
    let row = |p: i8, q: i8| [p * b[0] + q * b[2], p * b[1] + q * b[3]];
    let ([x, y], [z, w]) = (row(a[0], a[1]), row(a[2], a[3]));
    [x, y, z, w]
}

/// What turn number `t` does.
pub fn motion(t: usize) -> Move {
    let start = if t / 4 % 2 == 1 { MIRROR } else { STILL };
    (0..t % 4).fold(start, |so_far, _| after(QUARTER, so_far))
}

/// The number of a move.
fn number(m: Move) -> usize {
    (0..8).find(|t| motion(*t) == m).unwrap_or(0)
}

/// The inverse of a turn, which is another one of its group.
pub fn inverse(t: usize) -> usize {
    let [a, b, c, d] = motion(t);
    // The transpose, as lengths stay.
    number([a, c, b, d])
}

/// First turn `b`, then `a`.
pub fn product(a: usize, b: usize) -> usize {
    number(after(motion(a), motion(b)))
}

/// For each tap of a kernel, by rows, the tap that comes there by turn `t`.
fn taps(kernel: usize, t: usize) -> Vec<usize> {
    let [a, b, c, d] = motion(inverse(t)).map(i64::from);
    let middle = kernel as i64 - 1;
    let back = |x: i64| ((x + middle) / 2) as usize;
    let cells = (0..kernel).flat_map(|i| (0..kernel).map(move |j| (2 * i as i64 - middle, 2 * j as i64 - middle)));
    cells.map(|(y, x)| back(c * x + d * y) * kernel + back(a * x + b * y)).collect()
}

/// The sizes of a bank of filters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bank {
    /// Turns: 4 or 8.
    pub turns: usize,
    /// Filters.
    pub outputs: usize,
    /// Turns of the input: as many, or 1 for a plain map.
    pub sources: usize,
    /// Channels of the input, for each turn of it.
    pub inputs: usize,
    /// Side of a filter.
    pub kernel: usize,
}

impl Bank {
    /// Numbers of the filters as they are learned: (outputs, sources, inputs, kernel, kernel).
    fn learned(&self) -> usize {
        self.outputs * self.sources * self.inputs * self.kernel * self.kernel
    }

    fn checked(&self) -> Result<(), Mismatch> {
        let group = self.turns == 4 || self.turns == 8;
        if !group || self.sources != 1 && self.sources != self.turns {
            return Err(Mismatch::Sizes("a symmetry group has 4 or 8 turns, and so has the field it takes"));
        }
        if self.outputs * self.inputs * self.kernel == 0 {
            return Err(Mismatch::Sizes("a bank of filters has at least one number"));
        }
        Ok(())
    }

    /// The turn of a learned filter that meets turn `source` of the input in form `t` of the filter.
    fn relative(&self, t: usize, source: usize) -> usize {
        if self.sources == 1 { 0 } else { product(inverse(t), source) }
    }

    /// Numbers of one learned filter, and of its part for one turn of the input.
    fn strides(&self) -> (usize, usize) {
        let part = self.inputs * self.kernel * self.kernel;
        (self.sources * part, part)
    }
}

/// The learned filters in all their turns: (turns, outputs, sources, inputs, kernel, kernel), a plain convolution's weight.
pub fn expanded<T: Float>(g: &Bank, weight: &[T]) -> Result<Vec<T>, Mismatch> {
    g.checked()?;
    length("weight", weight, g.learned())?;
    let ((whole, part), cells) = (g.strides(), g.kernel * g.kernel);
    let taps: Vec<Vec<usize>> = (0..g.turns).map(|t| taps(g.kernel, t)).collect();
    let mut out = vec![T::ZERO; g.turns * g.learned()];
    out.par_chunks_mut(whole).enumerate().for_each(|(row, out)| {
        let (t, filter) = (row / g.outputs, &weight[row % g.outputs * whole..][..whole]);
        for (source, out) in out.chunks_exact_mut(part).enumerate() {
            let from = &filter[g.relative(t, source) * part..][..part];
            for (out, from) in out.chunks_exact_mut(cells).zip(from.chunks_exact(cells)) {
                out.iter_mut().zip(&taps[t]).for_each(|(out, tap)| *out = from[*tap]);
            }
        }
    });
    Ok(out)
}

/// The gradient of the learned filters, from that of [`expanded`]: every number's copies added up, turn by turn.
pub fn gathered<T: Float>(g: &Bank, grad: &[T]) -> Result<Vec<T>, Mismatch> {
    g.checked()?;
    length("gradient", grad, g.turns * g.learned())?;
    let ((whole, part), cells) = (g.strides(), g.kernel * g.kernel);
    let taps: Vec<Vec<usize>> = (0..g.turns).map(|t| taps(g.kernel, t)).collect();
    let mut out = vec![T::ZERO; g.learned()];
    out.par_chunks_mut(whole).enumerate().for_each(|(filter, out)| {
        for (t, taps) in taps.iter().enumerate() {
            let form = &grad[(t * g.outputs + filter) * whole..][..whole];
            for (source, form) in form.chunks_exact(part).enumerate() {
                let to = &mut out[g.relative(t, source) * part..][..part];
                for (to, form) in to.chunks_exact_mut(cells).zip(form.chunks_exact(cells)) {
                    taps.iter().zip(form).for_each(|(tap, x)| to[*tap] += *x);
                }
            }
        }
    });
    Ok(out)
}

fn cells<T>(x: &[T], turns: usize, channels: usize) -> Result<usize, Mismatch> {
    let size = turns * channels;
    if size == 0 || !x.len().is_multiple_of(size) {
        return Err(Mismatch::Sizes("a field's turns and channels do not divide it"));
    }
    Ok(x.len() / size)
}

/// Cells that one task takes.
const STRIP: usize = 256;

/// The mean over the turns of fields (cell, turn, channel): (cell, channel).
pub fn mean<T: Float>(x: &[T], turns: usize, channels: usize) -> Result<Vec<T>, Mismatch> {
    let count = cells(x, turns, channels)?;
    let share = T::of(1.0 / turns as f64);
    let mut out = vec![T::ZERO; count * channels];
    let strips = out.par_chunks_mut(STRIP * channels).zip(x.par_chunks(STRIP * channels * turns));
    strips.for_each(|(out, x)| {
        for (out, x) in out.chunks_exact_mut(channels).zip(x.chunks_exact(channels * turns)) {
            for x in x.chunks_exact(channels) {
                out.iter_mut().zip(x).for_each(|(out, x)| *out += *x);
            }
            out.iter_mut().for_each(|x| *x = *x * share);
        }
    });
    Ok(out)
}

/// The largest over the turns, and the first turn that is as large.
pub fn largest<T: Float>(x: &[T], turns: usize, channels: usize) -> Result<(Vec<T>, Vec<u32>), Mismatch> {
    let count = cells(x, turns, channels)?;
    let (mut out, mut chosen) = (vec![T::ZERO; count * channels], vec![0u32; count * channels]);
    let strips = out.par_chunks_mut(STRIP * channels).zip(chosen.par_chunks_mut(STRIP * channels));
    strips.zip(x.par_chunks(STRIP * channels * turns)).for_each(|((out, chosen), x)| {
        let each = out.chunks_exact_mut(channels).zip(chosen.chunks_exact_mut(channels));
        for ((out, chosen), x) in each.zip(x.chunks_exact(channels * turns)) {
            out.copy_from_slice(&x[..channels]);
            for (t, x) in x.chunks_exact(channels).enumerate() {
                for ((out, chosen), x) in out.iter_mut().zip(chosen.iter_mut()).zip(x) {
                    if super::pool::above(*x, *out) {
                        (*out, *chosen) = (*x, t as u32);
                    }
                }
            }
        }
    });
    Ok((out, chosen))
}

/// The gradient of fields (cell, turn, channel) from that of their means, or to the chosen turns alone.
pub fn spread<T: Float>(grad: &[T], chosen: Option<&[u32]>, turns: usize, channels: usize) -> Result<Vec<T>, Mismatch> {
    let count = cells(grad, 1, channels)?;
    if let Some(chosen) = chosen {
        length("chosen turns", chosen, grad.len())?;
    }
    let share = T::of(1.0 / turns.max(1) as f64);
    let mut out = vec![T::ZERO; count * channels * turns];
    out.par_chunks_mut((turns * channels).max(1)).with_min_len(STRIP).enumerate().for_each(|(cell, out)| {
        let grad = &grad[cell * channels..][..channels];
        for (t, out) in out.chunks_exact_mut(channels).enumerate() {
            match chosen {
                None => out.iter_mut().zip(grad).for_each(|(out, grad)| *out = *grad * share),
                Some(chosen) => {
                    let chosen = &chosen[cell * channels..][..channels];
                    for ((out, grad), chosen) in out.iter_mut().zip(grad).zip(chosen) {
                        *out = if *chosen as usize == t { *grad } else { T::ZERO };
                    }
                }
            }
        }
    });
    Ok(out)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn turns_are_a_group_with_the_quarter_turns_in_it() {
        for t in 0..8 {
            assert_eq!((product(t, inverse(t)), product(inverse(t), t), product(0, t)), (0, 0, t));
            for s in 0..8 {
                assert_eq!(motion(product(t, s)), after(motion(t), motion(s)));
            }
        }
        assert!((0..4).all(|t| (0..4).all(|s| product(t, s) < 4) && inverse(t) < 4));
    }

    #[test]
    fn a_filter_turns_as_a_picture_does() {
        let g = Bank { turns: 8, outputs: 1, sources: 1, inputs: 1, kernel: 2 };
        let forms = expanded(&g, &[1.0f32, 2.0, 3.0, 4.0]).unwrap();
        // A quarter turn takes what is at the right to below: 1 2 / 3 4 becomes 3 1 / 4 2.
        assert_eq!(forms[4..8], [3.0, 1.0, 4.0, 2.0]);
        assert_eq!(forms[16..20], [2.0, 1.0, 4.0, 3.0]);
        assert!(expanded(&Bank { turns: 5, ..g }, &[0.0f32; 4]).is_err());
    }

    #[test]
    fn gathering_is_the_transpose_of_expanding() {
        for turns in [4, 8] {
            for sources in [1, turns] {
                let g = Bank { turns, outputs: 2, sources, inputs: 3, kernel: 3 };
                let weight: Vec<f64> = (0..g.learned()).map(|i| ((i * 37) % 101) as f64).collect();
                let grad: Vec<f64> = (0..turns * g.learned()).map(|i| ((i * 53) % 89) as f64).collect();
                let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
                let (forms, back) = (expanded(&g, &weight).unwrap(), gathered(&g, &grad).unwrap());
                assert_eq!(dot(&forms, &grad), dot(&weight, &back));
            }
        }
    }
}
