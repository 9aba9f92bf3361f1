//! What the scores of a mask against the truth share: sums of what both, and either, cover.

use candle_core::{Result, Tensor};

use crate::compute::pixelwise::spread;
use crate::compute::samples::{Sample, numbers};
use crate::compute::slices::constant;
use crate::compute::{Call, Compute, Gradients, Output};

/// How much two masks overlap: intersection over union, or the harmonic mean of precision and recall where `HARMONIC`.
pub struct Overlap<const HARMONIC: bool>;

impl<const HARMONIC: bool> Compute for Overlap<HARMONIC> {
    fn forward(&self, call: &Call) -> Result<Output> {
        let (target, pred) = (call.tensor("target")?, call.tensor("pred")?);
        let seen = spread(call.maybe("mask"), pred)?.map(|m| numbers(&m)).transpose()?;
        let weight = |i: usize| seen.as_ref().map_or(Some(1.0), |s| s.get(i).copied()).unwrap_or(0.0);
        let (mut both, mut sum, mut all) = (0.0, 0.0, 0.0);
        for (i, (t, p)) in numbers(target)?.into_iter().zip(numbers(pred)?).enumerate() {
            both += weight(i) * t * p;
            sum += weight(i) * (t + p);
            all += weight(i);
        }
        let (part, whole) = if HARMONIC { (2.0 * both, sum) } else { (both, sum - both) };
        // Two empty masks are alike; where nothing is seen there is nothing to score.
        let empty = if all > 0.0 { 1.0 } else { 0.0 };
        Ok(constant(vec![if whole > 0.0 { part / whole } else { empty }], (), pred)?.into())
    }

    fn backward(&self, _: &Call, _: &Output, _: &Tensor) -> Result<Gradients> {
        Ok(Gradients::new())
    }
}

/// Cases of both scores.
pub fn samples() -> Result<Vec<Sample>> {
    let shape = [2, 3, 4, 5];
    let grey = |name| Sample::new(name, &[]).random("target", &shape, 0.0, 1.0)?.random("pred", &shape, 0.0, 1.0);
    Ok(vec![
        grey("grey")?,
        grey("masked")?.random("mask", &[2, 1, 4, 5], 0.0, 1.0)?,
        grey("nothing seen")?.filled("mask", &[2, 1, 4, 5], 0.0)?,
        Sample::new("empty", &[]).filled("target", &shape, 0.0)?.filled("pred", &shape, 0.0)?,
        Sample::new("one", &[]).filled("target", &[1, 1, 1, 1], 1.0)?.filled("pred", &[1, 1, 1, 1], 1.0)?,
    ])
}
