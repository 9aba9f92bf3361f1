//! Places in pixels and in cells: what the operations on points share.

use candle_core::{Result, Tensor};

use crate::compute::Call;
use crate::compute::slices::constant;

/// Half of the width and the height, in pixels, of the image that declares the frame: what a normalized coordinate is
/// multiplied by.
pub fn half_sizes(call: &Call) -> Result<[f64; 2]> {
    Ok([0.5 * call.number("width")?, 0.5 * call.number("height")?])
}

/// The same as a tensor (1, 1, 2), of the type of `like`.
pub fn half(call: &Call, like: &Tensor) -> Result<Tensor> {
    constant(half_sizes(call)?.to_vec(), (1, 1, 2), like)
}

/// The sizes of places (B, N, 2).
pub fn sizes(points: &Tensor) -> Result<(usize, usize)> {
    match points.dims() {
        [batch, count, 2] => Ok((*batch, *count)),
        _ => Err(candle_core::Error::msg("a place has two coordinates")),
    }
}

/// The middle of cell `i` of `n`, normalized.
pub fn middle(i: usize, n: usize) -> f64 {
    (2 * i + 1) as f64 / n as f64 - 1.0
}
