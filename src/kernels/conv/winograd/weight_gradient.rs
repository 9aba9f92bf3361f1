//! The gradients of weight and bias: sums over all tiles, in parts that do not depend on the number of cores.
#![allow(unsafe_code)]
#![allow(clippy::indexing_slicing)] // ends of parts are computed from the lengths they cut

use rayon::prelude::*;

use super::ahead::Ahead;
#[cfg(target_arch = "x86_64")]
use super::half;
use super::pixels::Source;
use super::product::Kernels;
use super::read::{Frame, Tiles, Windows};
use super::scratch::scratch;
use super::{How, POINTS, STAGGER, Sizes, weights};
use crate::shared::Shared;
use crate::simd::{Simd, run};

/// Sums of all parts together have about this many numbers.
const SUMS: usize = 1 << 21;

/// Numbers of transformed tiles that exist at once where tiles are not summed part by part.
const CHUNK: usize = 6 << 20;

/// Tiles that one task transforms where all threads share them.
const TASK: usize = 32;

/// The gradients of weight (outputs, inputs, 3, 3) and bias (outputs), where `grad` is the gradient of the value.
pub fn weight_gradient(how: How, s: &Sizes, x: Source, grad: Source) -> (Vec<f32>, Vec<f32>) {
    if s.tiles() == 0 {
        return (vec![0.0; s.outputs * s.inputs * 9], vec![0.0; s.outputs]);
    }
    let how = if rounds(s) { how } else { How::single(how.simd) };
    let filled = s.filled(how.simd);
    match Cut::of(s, filled) {
        Cut::Wide { room } => wide(how, s, x, grad, filled, room),
        Cut::Narrow { parts, per, room } => narrow(how, s, x, grad, filled, (parts, per, room)),
    }
}

/// True where rounded factors pay. Two tiles have to be put side by side, which takes longer than it saves where few products are made of
/// them: on Zen 5 1.2 times as long with 64 channels on both sides, 0.8 times with 128.
pub(super) fn rounds(s: &Sizes) -> bool {
    s.inputs.min(s.outputs) >= 128
}

/// How the tiles are cut.
enum Cut {
    /// Parts of `per` tiles, each with sums of its own; `room` tiles are transformed at a time.
    Narrow { parts: usize, per: usize, room: usize },
    /// Chunks of `room` tiles, and one copy of the sums.
    Wide { room: usize },
}

impl Cut {
    fn of(s: &Sizes, (inputs, outputs): (usize, usize)) -> Self {
        let product = s.inputs * s.outputs;
        // A wide layer's sums outgrow every cache: better all cores on one copy, point by point.
        if product >= 128 * 256 {
            let room = (CHUNK / (POINTS * (inputs + outputs))).next_multiple_of(TASK).max(TASK);
            return Self::Wide { room: room.min(s.tiles().next_multiple_of(2)) };
        }
        let parts = (SUMS / (POINTS * inputs * outputs)).clamp(4, 16).min(s.tiles().div_ceil(16)).max(1);
        let per = s.tiles().div_ceil(parts).max(1);
        // Even, for tiles that are taken two by two.
        let room = per.min(if product >= 128 * 128 { 128 } else { 64 }).next_multiple_of(2);
        Self::Narrow { parts: s.tiles().div_ceil(per), per, room }
    }
}

/// Numbers that a weight's gradient takes in between: of all threads together, and of each.
pub fn numbers(simd: Simd, s: &Sizes) -> (usize, usize) {
    let (inputs, outputs) = s.filled(simd);
    let tiles = |room: usize| POINTS * (room * (inputs + outputs) + 2 * STAGGER);
    match Cut::of(s, (inputs, outputs)) {
        Cut::Narrow { parts, room, .. } => (parts * (POINTS * inputs * outputs + outputs), tiles(room)),
        Cut::Wide { room } => (POINTS * inputs * outputs + tiles(room), 0),
    }
}

/// Transforms both sides of a product. Rounded tiles take the first half of the memory that is there for them.
fn read(how: How, seen: Windows, arriving: Tiles) {
    #[cfg(target_arch = "x86_64")]
    if how.bf16 {
        // SAFETY: `How` has seen to the instructions.
        unsafe {
            half::paired_windows(&seen, seen.0.to.cast());
            half::paired_tiles(&arriving, arriving.frame.to.cast());
        }
        return;
    }
    run(how.simd, seen);
    run(how.simd, arriving);
}

/// Multiplies what [`read`] has left.
fn multiply(how: How, product: Kernels) {
    #[cfg(target_arch = "x86_64")]
    if how.bf16 {
        let (windows, grads) = (product.windows, product.grads);
        // SAFETY: as above.
        unsafe { half::sums(product, windows.cast(), grads.cast()) };
        return;
    }
    run(how.simd, product);
}

/// Every part of the tiles has sums of its own.
fn narrow(
    how: How,
    s: &Sizes,
    x: Source,
    grad: Source,
    (inputs, outputs): (usize, usize),
    (parts, per, room): (usize, usize, usize),
) -> (Vec<f32>, Vec<f32>) {
    let (simd, step) = (how.simd, inputs * outputs);
    let (windows_step, grads_step) = (room * inputs + STAGGER, room * outputs + STAGGER);
    let apart = POINTS * step + outputs;
    let mut sums: Vec<f32> = Vec::with_capacity(parts * apart);
    let spare = Shared::new(&mut sums.spare_capacity_mut()[..parts * apart]);
    (0..parts).into_par_iter().for_each(|part| {
        let (from, end) = (part * per, ((part + 1) * per).min(s.tiles()));
        let to = spare.from(part * apart).0.cast::<f32>();
        let bias = to.wrapping_add(POINTS * step);
        // SAFETY: the numbers of this part are this task's alone.
        unsafe { std::ptr::write_bytes(bias, 0, outputs) };
        for first in (from..end).step_by(room) {
            let tiles = (first, room.min(end - first));
            scratch(POINTS * (windows_step + grads_step), |windows| {
                let grads = windows.wrapping_add(POINTS * windows_step);
                let seen = Frame { sizes: *s, source: x, tiles, to: windows, step: windows_step, room };
                let arriving = Frame { source: grad, to: grads, step: grads_step, ..seen };
                read(how, Windows(seen), Tiles { frame: arriving, sums: bias, whole: how.bf16 });
                let mut ahead = Ahead::default();
                let next = (first + room, room.min(end.saturating_sub(first + room)));
                ahead.reading(s, x, s.inputs, next);
                ahead.reading(s, grad, s.outputs, next);
                let mut ahead = ahead.cut(Kernels::calls((inputs, outputs), simd.shape().0));
                let product = Kernels {
                    ahead: &mut ahead,
                    windows,
                    windows_step,
                    grads,
                    grads_step,
                    room,
                    count: tiles.1,
                    to,
                    to_step: step,
                    add: first > from,
                    inputs: s.inputs,
                    outputs: s.outputs,
                    points: 0..POINTS,
                };
                multiply(how, product);
            });
        }
    });
    // SAFETY: every part has at least one tile, and its first block wrote all of its sums.
    unsafe { sums.set_len(parts * apart) };
    let weight = weights::gradient(simd, s, &sums, (parts, apart), step);
    let bias = (0..s.outputs).map(|k| (0..parts).map(|p| sums[p * apart + POINTS * step + k]).sum()).collect();
    (weight, bias)
}

/// One copy of the sums: chunks of tiles are transformed on all cores, then each point's product is one core's.
fn wide(
    how: How,
    s: &Sizes,
    x: Source,
    grad: Source,
    (inputs, outputs): (usize, usize),
    room: usize,
) -> (Vec<f32>, Vec<f32>) {
    let (simd, step) = (how.simd, inputs * outputs);
    let (windows_step, grads_step) = (room * inputs + STAGGER, room * outputs + STAGGER);
    let mut sums: Vec<f32> = Vec::with_capacity(POINTS * step);
    let mut windows: Vec<f32> = Vec::with_capacity(POINTS * windows_step);
    let mut grads: Vec<f32> = Vec::with_capacity(POINTS * grads_step);
    let mut biases = vec![0.0; s.tiles().div_ceil(TASK) * outputs];
    let to_sums = Shared::new(&mut sums.spare_capacity_mut()[..POINTS * step]);
    let to_windows = Shared::new(&mut windows.spare_capacity_mut()[..POINTS * windows_step]);
    let to_grads = Shared::new(&mut grads.spare_capacity_mut()[..POINTS * grads_step]);
    let mut left = &mut biases[..];
    for first in (0..s.tiles()).step_by(room) {
        let count = room.min(s.tiles() - first);
        let (now, later) = left.split_at_mut(count.div_ceil(TASK) * outputs);
        left = later;
        now.par_chunks_mut(outputs).enumerate().for_each(|(task, bias)| {
            let at = task * TASK;
            let tiles = (first + at, TASK.min(count - at));
            // SAFETY: tiles of other tasks go to other places.
            let to = how.tile(to_windows.from(0).0.cast(), at * simd.shape().0);
            let seen = Frame { sizes: *s, source: x, tiles, to, step: windows_step, room };
            let to = how.tile(to_grads.from(0).0.cast(), at * 2 * simd.shape().0);
            let arriving = Frame { source: grad, to, step: grads_step, ..seen };
            read(how, Windows(seen), Tiles { frame: arriving, sums: bias.as_mut_ptr(), whole: how.bf16 });
        });
        (0..POINTS).into_par_iter().for_each(|point| {
            // Tiles in blocks whose gradients stay in the cache while all inputs pass by.
            for block in (0..count).step_by(256) {
                // SAFETY: the sums of this point are this task's alone; tiles were written above.
                let product = Kernels {
                    ahead: &mut Ahead::default(),
                    windows: how.tile(to_windows.from(0).0.cast(), block * simd.shape().0),
                    windows_step,
                    grads: how.tile(to_grads.from(0).0.cast(), block * 2 * simd.shape().0),
                    grads_step,
                    room,
                    count: 256.min(count - block),
                    to: to_sums.from(0).0.cast(),
                    to_step: step,
                    add: first + block > 0,
                    inputs: s.inputs,
                    outputs: s.outputs,
                    points: point..point + 1,
                };
                multiply(how, product);
            }
        });
    }
    // SAFETY: every point's sums were written by its first block.
    unsafe { sums.set_len(POINTS * step) };
    let weight = weights::gradient(simd, s, &sums, (1, 0), step);
    let bias = (0..s.outputs).map(|k| biases.iter().skip(k).step_by(outputs).sum()).collect();
    (weight, bias)
}
