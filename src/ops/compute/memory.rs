//! How much memory a call takes beside its inputs and its value, told from shapes alone.
//!
//! The engine adds it up before a step is taken. What is told here is for f32 and the kernels.

use crate::kernels::conv::Geometry;
use crate::kernels::conv::last::After;
use crate::kernels::simd::Simd;
use crate::lang::vocabulary::Shapes;

/// Bytes that a call takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// Kept for the way back: what is in `Output::saved`.
    pub saved: usize,
    /// While the value is computed, beside it and what is saved.
    pub forward: usize,
    /// While gradients are computed, beside them and all that the way back reads.
    pub backward: usize,
    /// Kept by every thread from the first call on.
    pub thread: usize,
    /// True where the value is its first input, or a part of it, seen in another way.
    pub shares: bool,
}

/// Bytes of a tensor of f32; as many as can be counted where it has more.
pub fn bytes(shape: &[usize]) -> usize {
    shape.iter().try_fold(4usize, |n, size| n.checked_mul(*size)).unwrap_or(usize::MAX / 64)
}

impl Memory {
    /// Of an operation written with Candle's, each of which makes a tensor: about two at a time, as large as the largest it works on.
    pub fn of_tensor_operations(shapes: &Shapes<'_>) -> Self {
        let inputs = shapes.inputs.iter().map(|(_, shape)| bytes(shape));
        let most = inputs.chain([bytes(&shapes.result)]).max().unwrap_or(0).saturating_mul(2);
        Self { forward: most, backward: most, ..Self::default() }
    }

    /// Of a value that is its input seen in another way.
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

/// Points of a transformed tile.
const POINTS: usize = 36;

/// Of a convolution by the kernels, of which gradients are wanted for these inputs. Follows `kernels::conv`, file by file.
pub fn convolution(g: &Geometry, after: After, wants: &[&str]) -> Memory {
    let Ok((height, width)) = g.result() else { return Memory::default() };
    let result = bytes(&[g.batch, height, width, g.outputs]);
    let input = bytes(&[g.batch, g.height, g.width, g.inputs]);
    let pooled = after == After::ReluPool;
    let cells = if pooled { bytes(&[g.batch, height / 2, width / 2, g.outputs]) / 4 } else { 0 };
    let whole = if pooled { result } else { 0 };
    let undone = if after == After::Nothing { 0 } else { result };
    let (x, weight) = (wants.contains(&"x"), wants.contains(&"weight") || wants.contains(&"bias"));
    let same = g.kernel % 2 == 1 && g.pad == g.kernel / 2 && g.stride == 1 && g.dilation == 1 && g.groups == 1;
    if same && g.inputs * g.kernel * g.kernel <= 32 {
        let backward = if x || pooled { undone } else { 0 };
        return Memory { saved: cells, forward: whole, backward, ..Memory::default() };
    }
    if same && g.outputs <= 4 || g.kernel == 1 && g.stride == 1 && g.pad == 0 && g.groups == 1 {
        return Memory { saved: cells, forward: whole, backward: undone, ..Memory::default() };
    }
    if same && g.kernel == 3 {
        return Memory { saved: cells, ..winograd(g, x, weight) };
    }
    // Both maps are turned to lie channels first.
    let turned = result.saturating_add(input);
    Memory {
        saved: cells,
        forward: turned.saturating_add(whole),
        backward: turned.saturating_add(input).saturating_add(undone),
        ..Memory::default()
    }
}

/// Transformed kernels, sums of transformed gradients, and what every thread keeps for a block of tiles.
fn winograd(g: &Geometry, x: bool, weight: bool) -> Memory {
    const BLOCK: usize = 360_000;
    const SUMS: usize = 1 << 21;
    const CHUNK: usize = 6 << 20;
    let (lanes, rows) = Simd::chosen().shape();
    let tiles = g.batch * g.height.div_ceil(4) * g.width.div_ceil(4);
    let filled = |inputs: usize, outputs: usize| (inputs.next_multiple_of(lanes), outputs.next_multiple_of(2 * lanes));
    let product = g.inputs * g.outputs;
    let kernels = |inputs: usize, outputs: usize| bytes(&[POINTS, inputs, filled(inputs, outputs).1]);
    let block = |inputs: usize, outputs: usize| {
        let fitting = BLOCK / (POINTS * (inputs + outputs));
        let room = fitting.clamp(if product >= 128 * 128 { 112 } else { 28 }, 140);
        let room = (room / rows * rows).max(rows).min(tiles.div_ceil(2).next_multiple_of(rows));
        let (inputs, outputs) = filled(inputs, outputs);
        bytes(&[POINTS, room, inputs + outputs])
    };
    let mut memory =
        Memory { forward: kernels(g.inputs, g.outputs), thread: block(g.inputs, g.outputs), ..Memory::default() };
    if x {
        memory.backward = kernels(g.outputs, g.inputs);
        memory.thread = memory.thread.max(block(g.outputs, g.inputs));
    }
    if weight {
        let (inputs, outputs) = filled(g.inputs, g.outputs);
        let sums = if product >= 128 * 256 {
            let room = (CHUNK / (POINTS * (inputs + outputs))).next_multiple_of(32).max(32).min(tiles);
            bytes(&[POINTS, inputs, outputs]) + bytes(&[POINTS, room, inputs + outputs])
        } else {
            let parts = (SUMS / (POINTS * inputs * outputs)).clamp(4, 16).min(tiles.div_ceil(16)).max(1);
            let room = tiles.div_ceil(parts).min(if product >= 128 * 128 { 128 } else { 64 });
            memory.thread = memory.thread.max(bytes(&[POINTS, room, inputs + outputs]));
            bytes(&[parts, POINTS, inputs, outputs])
        };
        memory.backward = memory.backward.max(sums);
    }
    memory
}
