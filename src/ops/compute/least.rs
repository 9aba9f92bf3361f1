//! What `row_min` and `col_min` share: the least number along an axis of a table.

use candle_core::{Result, Tensor};

use crate::compute::samples::Sample;
use crate::compute::{Call, Compute, Gradients, Output};
use crate::max_pool::saved;

/// The least number along the axis `AXIS` of a table, which goes.
pub struct Least<const AXIS: usize>;

impl<const AXIS: usize> Compute for Least<AXIS> {
    fn forward(&self, call: &Call) -> Result<Output> {
        let x = call.tensor("x")?.contiguous()?;
        let chosen = x.argmin_keepdim(AXIS)?;
        let value = x.gather(&chosen, AXIS)?.squeeze(AXIS)?;
        Ok(Output { value, saved: vec![chosen] })
    }

    fn backward(&self, call: &Call, output: &Output, grad: &Tensor) -> Result<Gradients> {
        if !call.wants("x") {
            return Ok(Gradients::new());
        }
        let (zeros, grad) = (call.tensor("x")?.zeros_like()?, grad.unsqueeze(AXIS)?.contiguous()?);
        Ok(vec![("x", zeros.scatter_add(saved(output, 0)?, &grad, AXIS)?)])
    }
}

/// Cases for either axis.
pub fn tables<const AXIS: usize>() -> Result<Vec<Sample>> {
    let case = |name, n: usize, m: usize| {
        let left = if AXIS == 1 { n } else { m };
        Sample::new(name, &[left]).random("x", &[n, m], -1.0, 1.0).map(|s| s.to(&["x"]))
    };
    Ok(vec![case("odd", 5, 7)?, case("long", 9, 2)?, case("one", 1, 1)?])
}
