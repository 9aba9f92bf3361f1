//! What functions of one number share: a value and a slope for every number by itself.

use candle_core::{Result, Tensor};

use crate::compute::samples::Sample;
use crate::compute::{Call, Compute, Gradients, Output};

/// A function of one number, applied to every number of `x`.
pub struct Unary {
    /// Its values.
    pub value: fn(&Call, &Tensor) -> Result<Tensor>,
    /// Its slopes, of the numbers and their values.
    pub slope: fn(&Call, &Tensor, &Tensor) -> Result<Tensor>,
}

impl Compute for Unary {
    fn forward(&self, call: &Call) -> Result<Output> {
        Ok((self.value)(call, call.tensor("x")?)?.into())
    }

    fn backward(&self, call: &Call, output: &Output, grad: &Tensor) -> Result<Gradients> {
        if !call.wants("x") {
            return Ok(Gradients::new());
        }
        Ok(vec![("x", (grad * (self.slope)(call, call.tensor("x")?, &output.value)?)?)])
    }
}

/// Cases of a function that is smooth between `low` and `high`.
pub(crate) fn samples(low: f64, high: f64) -> Result<Vec<Sample>> {
    let case = |name, shape: &[usize]| Sample::new(name, shape).random("x", shape, low, high).map(|s| s.to(&["x"]));
    Ok(vec![case("map", &[2, 3, 5, 7])?, case("vectors", &[3, 4])?, case("one each", &[5])?])
}
