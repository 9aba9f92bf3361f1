//! How much memory a call takes beside its inputs and its value, from its shapes alone.
//!
//! The engine adds it up before a step is taken. What is counted here is for f32 and the kernels.

use rord_kernels::conv::call::After;
use rord_kernels::conv::memory::Working;
use rord_kernels::conv::{self, Geometry};
use rord_lang::vocabulary::Shapes;

/// Bytes that a call takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// Kept for backward: what is in `Output::saved`.
    pub saved: usize,
    /// While the value is computed, beside it and what is saved.
    pub forward: usize,
    /// While gradients are computed, beside them and all that backward reads.
    pub backward: usize,
    /// Kept by every thread from the first call on.
    pub thread: usize,
    /// True where the value is its first input, or a part of it, as a view.
    pub shares: bool,
}

/// Bytes of a tensor of f32; as many as can be counted where it has more.
pub fn bytes(shape: &[usize]) -> usize {
    shape.iter().try_fold(4usize, |n, size| n.checked_mul(*size)).unwrap_or(usize::MAX / 64)
}

impl Memory {
    /// Of an operation written with Candle's, each of which makes a tensor: about two at a time, as large as the
    /// largest it works on.
    pub fn of_tensor_operations(shapes: &Shapes<'_>) -> Self {
        let inputs = shapes.inputs.iter().map(|(_, shape)| bytes(shape));
        let most = inputs.chain([bytes(&shapes.result)]).max().unwrap_or(0).saturating_mul(2);
        Self { forward: most, backward: most, ..Self::default() }
    }

    /// Of a value that is a view of its input.
    pub fn shared() -> Self {
        Self { shares: true, ..Self::default() }
    }

    /// The same with so many tensors like the value saved.
    pub fn saving(self, shapes: &Shapes<'_>, tensors: usize) -> Self {
        Self { saved: bytes(&shapes.result).saturating_mul(tensors), ..self }
    }

    /// Of vectors read from a map at many places, (B, N, C) of them, with the distances of `anchors` vectors to each.
    pub fn of_candidates(shapes: &Shapes<'_>) -> Option<Self> {
        let &[batch, anchors, channels] = shapes.of("anchor")? else { return None };
        let count = match shapes.of("at") {
            Some(&[_, count, _]) => count,
            _ => shapes.settings.count("candidates").ok()?,
        };
        let forward = bytes(&[batch, count, channels]).saturating_add(bytes(&[anchors, count]).saturating_mul(2));
        Some(Self { forward, ..Self::default() })
    }
}

/// Of a convolution by the kernels, of which gradients are wanted for these inputs.
pub fn convolution(g: &Geometry, after: After, wants: &[&str]) -> Memory {
    let (x, weight) = (wants.contains(&"x"), wants.contains(&"weight") || wants.contains(&"bias"));
    let Working { saved, forward, backward, thread } = conv::memory::working(g, after, x, weight);
    Memory { saved, forward, backward, thread, shares: false }
}
