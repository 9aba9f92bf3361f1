//! How much memory a convolution takes beside its input and its result, from its sizes alone.

use super::algorithm::Algorithm;
use super::call::After;
use super::winograd::value::thread_numbers;
use super::winograd::weights::transformed_numbers;
use super::winograd::{self, weight_gradient};
use super::{Geometry, depthwise, gathered, phases, pointwise, windows};
use crate::simd::Simd;

/// Bytes that a convolution takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Working {
    /// Kept from forward to backward.
    pub saved: usize,
    /// While the result is computed, beside it and what is saved.
    pub forward: usize,
    /// While gradients are computed, beside them and what backward reads.
    pub backward: usize,
    /// Kept by every thread from the first call on.
    pub thread: usize,
}

/// Bytes of f32 numbers in this shape; as many as can be counted where there are more.
fn bytes(shape: &[usize]) -> usize {
    shape.iter().try_fold(4usize, |n, size| n.checked_mul(*size)).unwrap_or(usize::MAX / 64)
}

/// The memory of a convolution; `x` and `weight` are true where their gradients are needed.
pub fn working(g: &Geometry, after: After, x: bool, weight: bool) -> Working {
    let Ok((height, width)) = g.result() else { return Working::default() };
    let result = bytes(&[g.batch, height, width, g.outputs]);
    let pooled = after == After::ReluPool;
    let saved = if pooled { bytes(&[g.batch, height / 2, width / 2, g.outputs]) / 4 } else { 0 };
    let whole = if pooled { result } else { 0 };
    let undone = if after == After::Nothing { 0 } else { result };
    if let (None, Some(plain)) = (Algorithm::of(g), phases::of(g)) {
        // Input and result once more as grids, and what the plain convolution takes.
        let input = bytes(&[g.batch, g.height, g.width, g.inputs]);
        let own = working(&plain, After::Nothing, x, weight);
        let grids = result.saturating_add(input);
        return Working {
            saved,
            forward: own.forward.saturating_add(grids).saturating_add(whole),
            backward: own.backward.saturating_add(grids).saturating_add(input).saturating_add(undone),
            thread: own.thread,
        };
    }
    match Algorithm::of(g) {
        Some(Algorithm::FewInputs(_)) => {
            let backward = if x || pooled { undone } else { 0 };
            Working { saved, forward: whole, backward, ..Working::default() }
        }
        Some(Algorithm::Winograd(s)) => Working { saved, ..by_winograd(&s, x, weight) },
        Some(Algorithm::FewOutputs(_)) => Working { saved, forward: whole, backward: undone, ..Working::default() },
        None if pointwise::takes(g) => Working { saved, forward: whole, backward: undone, ..Working::default() },
        None if depthwise::takes(g) => Working { saved, forward: whole, backward: undone, ..Working::default() },
        None => {
            let takes = gathered::takes(g) && (gathered::takes_back(g) || !x);
            let (forward, backward, thread) = if takes { gathered::working(g) } else { windows::working(g) };
            Working { saved, forward: forward.saturating_add(whole), backward: backward.saturating_add(undone), thread }
        }
    }
}

/// Transformed kernels, sums of transformed gradients, and what every thread keeps for a block of tiles.
fn by_winograd(s: &winograd::Sizes, x: bool, weight: bool) -> Working {
    let simd = Simd::chosen();
    let kernels = |s: &winograd::Sizes| bytes(&[transformed_numbers(simd, s.inputs, s.outputs)]);
    let block = |s: &winograd::Sizes| bytes(&[thread_numbers(simd, s)]);
    let mut memory = Working { forward: kernels(s), thread: block(s), ..Working::default() };
    if x {
        memory.backward = kernels(&s.back());
        memory.thread = memory.thread.max(block(&s.back()));
    }
    if weight {
        let (shared, thread) = weight_gradient::numbers(simd, s);
        memory.thread = memory.thread.max(bytes(&[thread]));
        memory.backward = memory.backward.max(bytes(&[shared]));
    }
    memory
}
