//! A convolution's value, and by the same steps its input's gradient: blocks of tiles that stay in a core's cache.
#![allow(unsafe_code)]
#![allow(clippy::indexing_slicing)] // spare capacity was reserved the line before

use rayon::prelude::*;

use super::ahead::Ahead;
#[cfg(target_arch = "x86_64")]
use super::half;
use super::pixels::Source;
use super::product::Values;
use super::read::{Frame, Windows};
use super::scratch::scratch;
use super::weights::transformed;
use super::write::Results;
use super::{How, POINTS, STAGGER, Sizes};
use crate::conv::call::{After, Value};
use crate::shared::Shared;
use crate::simd::{Simd, run};

/// Numbers of transformed tiles, of input and result together, that a block may have: about what a core's second-level cache
/// holds beside what is fetched ahead.
const BLOCK: usize = 240_000;

/// `x` (batch, height, width, inputs) convolved with `weight` (outputs, inputs, 3, 3), plus `bias` (outputs), and
/// `after` done with it.
pub fn value(how: How, s: &Sizes, x: Source, weight: &[f32], bias: Option<&[f32]>, after: After) -> Value<f32> {
    let kernels = transformed(how.simd, s, weight, false);
    convolved(how, s, x, kernels, bias, after)
}

/// The gradient (batch, height, width, inputs) of the input, where `grad` is the gradient of the value.
pub fn input_gradient(how: How, s: &Sizes, weight: &[f32], grad: Source) -> Vec<f32> {
    let kernels = transformed(how.simd, s, weight, true);
    convolved(how, &s.back(), grad, kernels, None, After::Nothing).numbers
}

/// Tiles of a block: a multiple of the rows that a product takes at a time.
fn block(s: &Sizes, rows: usize) -> usize {
    let fitting = BLOCK / (POINTS * (s.inputs + s.outputs));
    // Where the kernels fill the cache by themselves, more tiles must share each reading of them.
    let least = if s.inputs * s.outputs >= 128 * 128 { 112 } else { 28 };
    let tiles = fitting.clamp(least, 140);
    // No more than half of all, for the sake of a second core.
    (tiles / rows * rows).max(rows).min(s.tiles().div_ceil(2).next_multiple_of(rows))
}

/// Numbers that every thread holds for a block of tiles.
pub fn thread_numbers(simd: Simd, s: &Sizes) -> usize {
    let (room, (inputs, outputs)) = (block(s, simd.shape().1), s.filled(simd));
    POINTS * (room * (inputs + outputs) + 2 * STAGGER)
}

fn convolved(
    how: How,
    s: &Sizes,
    source: Source,
    (kernels, kernels_step): (Vec<f32>, usize),
    bias: Option<&[f32]>,
    after: After,
) -> Value<f32> {
    if s.tiles() == 0 {
        return Value { numbers: Vec::new(), cells: Vec::new() };
    }
    let simd = how.simd;
    let (inputs, outputs) = s.filled(simd);
    let pooled = after == After::ReluPool;
    let len = match pooled {
        true => s.batch * (s.height / 2) * (s.width / 2) * s.outputs,
        false => s.batch * s.height * s.width * s.outputs,
    };
    let mut numbers: Vec<f32> = Vec::with_capacity(len);
    let mut cells: Vec<u8> = Vec::with_capacity(if pooled { len } else { 0 });
    let mut filled = vec![0.0; outputs];
    if let Some(bias) = bias {
        filled[..s.outputs].copy_from_slice(bias);
    }
    let room = block(s, simd.shape().1);
    let (tiles_step, to_step) = (room * inputs + STAGGER, room * outputs + STAGGER);
    let to = Shared::new(&mut numbers.spare_capacity_mut()[..len]);
    let to_cells = Shared::new(&mut cells.spare_capacity_mut()[..if pooled { len } else { 0 }]);
    #[cfg(target_arch = "x86_64")]
    let half = how.bf16.then(|| half::kernels(&kernels, kernels_step, s.inputs));
    #[cfg(not(target_arch = "x86_64"))]
    let half: Option<(Vec<u16>, usize)> = None;
    // The kernels in single precision are not needed beside the rounded ones.
    let kernels = if half.is_some() { Vec::new() } else { kernels };
    let (filled, kernels) = (&filled[..], &kernels[..]);
    (0..s.tiles().div_ceil(room)).into_par_iter().for_each(|block| {
        let tiles = (block * room, room.min(s.tiles() - block * room));
        scratch(thread_numbers(simd, s), |windows| {
            let products = windows.wrapping_add(POINTS * tiles_step);
            let reading = Windows(Frame { sizes: *s, source, tiles, to: windows, step: tiles_step, room });
            let mut ahead = Ahead::default();
            ahead.writing(s, after, (to.from(0).0.cast(), to_cells.from(0).0.cast()), tiles);
            ahead.reading(s, source, s.inputs, (tiles.0 + room, room));
            let mut ahead = ahead.cut(Values::calls(tiles.1, s.outputs, simd.shape()));
            let product = Values {
                tiles: windows,
                tiles_step,
                kernels: kernels.as_ptr(),
                kernels_step,
                to: products,
                to_step,
                room,
                count: tiles.1,
                inputs: s.inputs,
                outputs: s.outputs,
                ahead: &mut ahead,
            };
            match &half {
                // SAFETY: `How` has seen to the instructions; the tiles take half of the memory that is there for them.
                #[cfg(target_arch = "x86_64")]
                Some((kernels, kernels_step)) => unsafe {
                    half::windows(&reading, windows.cast());
                    let product = Values { inputs, kernels_step: *kernels_step, ..product };
                    half::values(product, windows.cast(), kernels.as_ptr());
                },
                _ => {
                    run(simd, reading);
                    run(simd, product);
                }
            }
            // Tiles do not overlap, so that each task writes places of its own.
            let results = Results {
                sizes: *s,
                tiles,
                from: products,
                step: to_step,
                room,
                bias: filled.as_ptr(),
                after,
                to: to.from(0).0.cast(),
                cells: to_cells.from(0).0.cast(),
            };
            run(simd, results);
        });
    });
    // SAFETY: the tiles cover the result: every number and cell was written.
    unsafe {
        numbers.set_len(len);
        cells.set_len(if pooled { len } else { 0 });
    }
    Value { numbers, cells }
}
