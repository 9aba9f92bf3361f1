//! What `mse` and `smoothl1` share: losses of two maps that depend on their difference alone.

use candle_core::{Result, Tensor};

use crate::compute::Call;
use crate::compute::pixelwise::Cells;
use crate::compute::samples::Sample;

/// A loss of d = pred - target, given cell by cell.
pub trait Difference: Sync {
    /// The loss of every cell.
    fn value(&self, call: &Call, d: &Tensor) -> Result<Tensor>;

    /// Its slope in d.
    fn slope(&self, call: &Call, d: &Tensor) -> Result<Tensor>;
}

impl<D: Difference> Cells for D {
    const NAMES: [&'static str; 2] = ["target", "pred"];

    fn value(&self, call: &Call, target: &Tensor, pred: &Tensor) -> Result<Tensor> {
        Difference::value(self, call, &(pred - target)?)
    }

    fn slopes(&self, call: &Call, target: &Tensor, pred: &Tensor) -> Result<[Option<Tensor>; 2]> {
        let slope = self.slope(call, &(pred - target)?)?;
        Ok([Some(slope.neg()?), Some(slope)])
    }
}

/// A case of two random maps with the value's shape and the word for its reduction.
pub fn pair(name: &'static str, shape: &[usize], value: &[usize], reduce: &str) -> Result<Sample> {
    let sample = Sample::new(name, value).random("target", shape, -1.0, 1.0)?.random("pred", shape, -1.0, 1.0)?;
    Ok(sample.word("reduce", reduce).to(&["target", "pred"]))
}
