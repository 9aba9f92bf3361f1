//! Weights that are made of others once, for a network that learns no more: filters with the normalization after them in them.

use candle_core::{DType, Result, Tensor};

use rord_graph::node::{Lines, Made};

/// All weights of a graph: those of the pipeline, and behind them those that are `made`. Computed in f64, and rounded once.
pub fn with_made(weights: &[Tensor], made: &[Made]) -> Result<Vec<Tensor>> {
    let mut all = weights.to_vec();
    for one in made {
        all.push(make(weights, one)?);
    }
    Ok(all)
}

fn make(weights: &[Tensor], made: &Made) -> Result<Tensor> {
    let own =
        |at: usize| weights.get(at).ok_or_else(|| candle_core::Error::msg(format!("there is no weight number {at}")));
    let wide = |at: usize| own(at)?.to_dtype(DType::F64);
    let line = |lines: &Lines| -> Result<(Tensor, Tensor)> {
        // A file may hold any number where a variance should be.
        let factor = (wide(lines.variance)?.maximum(0.0)? + lines.eps)?.sqrt()?.recip()?;
        let scale = match lines.scale {
            Some(scale) => (factor * wide(scale)?)?,
            None => factor,
        };
        Ok((wide(lines.mean)?, scale))
    };
    match made {
        Made::Filters { weight, lines } => {
            let (dtype, weight) = (own(*weight)?.dtype(), wide(*weight)?);
            let (_, scale) = line(lines)?;
            let mut sizes = vec![1; weight.rank()];
            sizes.iter_mut().take(1).for_each(|n| *n = scale.elem_count());
            weight.broadcast_mul(&scale.reshape(sizes)?)?.to_dtype(dtype)
        }
        Made::Bias { bias, lines } => {
            let (mean, scale) = line(lines)?;
            let from = match bias {
                Some(bias) => (wide(*bias)? - mean)?,
                None => mean.neg()?,
            };
            let value = (from * scale)?;
            let value = match lines.shift {
                Some(shift) => (value + wide(shift)?)?,
                None => value,
            };
            value.to_dtype(own(lines.mean)?.dtype())
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn a_line_goes_into_filters_and_bias() {
        let tensor = |numbers: &[f64]| Tensor::new(numbers, &Device::Cpu).unwrap();
        // Two filters of one number each; their biases, means, variances, scales and shifts.
        let filters = tensor(&[3.0, -2.0]).reshape((2, 1, 1, 1)).unwrap();
        let rows = [[0.5, 1.0], [2.0, -1.0], [3.0, 0.0], [4.0, 6.0], [0.25, 0.0]];
        let weights: Vec<Tensor> = [filters].into_iter().chain(rows.iter().map(|row| tensor(row))).collect();
        let lines = |scale, shift| Lines { mean: 2, variance: 3, scale, shift, eps: 1.0 };
        let made = [
            Made::Filters { weight: 0, lines: lines(Some(4), Some(5)) },
            Made::Bias { bias: Some(1), lines: lines(Some(4), Some(5)) },
            Made::Bias { bias: None, lines: lines(None, None) },
        ];
        let all = with_made(&weights, &made).unwrap();
        let numbers = |at: usize| all[at].flatten_all().unwrap().to_vec1::<f64>().unwrap();
        assert_eq!(all[6].dims(), [2, 1, 1, 1]);
        // 1 / √(3 + 1) and 1 / √(0 + 1).
        assert_eq!(numbers(6), [3.0 * 0.5 * 4.0, -2.0 * 6.0]);
        assert_eq!(numbers(7), [(0.5 - 2.0) * 0.5 * 4.0 + 0.25, (1.0 + 1.0) * 6.0]);
        assert_eq!(numbers(8), [-1.0, 1.0]);
    }
}
