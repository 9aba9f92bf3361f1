//! `fpr_at_tpr`: how many wrong pairs pass where a share of the right ones does: `fpr_at_tpr(d, tpr = 0.95)`.

use candle_core::Result;

use crate::compute::samples::{Sample, numbers};
use crate::compute::slices::constant;
use crate::compute::{Call, Compute, Output};
use crate::op::Op;
use rord_lang::vocabulary::{Entry, GraphFacts, LintFacts};

/// The operation.
pub static OP: Op = Op {
    name: "fpr_at_tpr",
    entry: Entry {
        signature: "fpr_at_tpr(d: Dist[N, N], tpr: Rate = 0.95) -> Loss",
        manual: MANUAL,
        rule: |a| crate::rules::between(a, "tpr", 0.0, 1.0, false),
        lints: LintFacts { lower_is_better: true, ..LintFacts::NONE },
        graph: GraphFacts { stops_gradient: true, ..GraphFacts::NONE },
        ..Entry::PLAIN
    },
    compute: Some(&FprAtTpr),
    samples,
};

const MANUAL: &str = "\
The share of wrong pairs that are as near as the share `tpr` of right ones: the false positive rate at 95 % recall.

    t   = the ⌈tpr·N⌉-th least number of the diagonal
    fpr = |{ (i, j) : i ≠ j, d[i, j] ≤ t }| / (N² - N)

`d` is (N, N) with the right pairs on its diagonal; the result is one number from 0 to 1, and 0 for a single pair. A
wrong pair at exactly t counts, so that equal distances everywhere give 1. Less is better; there is no gradient.

Errors: `tpr` outside (0, 1].

Source: Brown, Hua and Winder, Discriminative Learning of Local Image Descriptors, 2011; the FPR95 of HardNet's
evaluation.

```rord
input a: Vectors[N, 128]
input b: Vectors[N, 128]
metric fpr95 = fpr_at_tpr(distances(a, b), tpr = 0.95)
```
";

/// The false positive rate.
pub struct FprAtTpr;

impl Compute for FprAtTpr {
    fn forward(&self, call: &Call) -> Result<Output> {
        let (d, tpr) = (call.tensor("d")?, call.number("tpr")?);
        let (n, m) = d.dims2()?;
        if n != m || n == 0 || !(tpr > 0.0 && tpr <= 1.0) {
            return Err(candle_core::Error::msg("a rate needs a square table and a share in (0, 1]"));
        }
        let all = numbers(d)?;
        let mut right: Vec<f64> = all.iter().step_by(n + 1).copied().collect();
        right.sort_by(f64::total_cmp);
        // A share such as 0.95 is not exact: 0.95 · 20 must be 19, not 20.
        let rank = ((tpr * n as f64 - 1e-9).ceil() as usize).clamp(1, n);
        let limit = right.get(rank - 1).copied().unwrap_or(f64::NAN);
        let wrong = all.iter().enumerate().filter(|(i, x)| i % (n + 1) != 0 && **x <= limit).count();
        Ok(constant(vec![wrong as f64 / (n * n - n).max(1) as f64], (), d)?.into())
    }
}

/// Cases.
pub fn samples() -> Result<Vec<Sample>> {
    let case =
        |name, n: usize, tpr: f64| Sample::new(name, &[]).random("d", &[n, n], 0.0, 2.0).map(|s| s.number("tpr", tpr));
    Ok(vec![case("all", 7, 1.0)?, case("most", 20, 0.95)?, case("one pair", 1, 0.5)?])
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_counted() {
        let rate = |d: Vec<f64>, tpr: f64| {
            let n = d.len().isqrt();
            let sample = Sample::new("d", &[]).given("d", &[n, n], d).unwrap().number("tpr", tpr);
            numbers(&sample.forward(&FprAtTpr).unwrap().value).unwrap()[0]
        };
        assert_eq!(rate(vec![0.1, 1.0, 1.0, 0.2], 1.0), 0.0);
        assert_eq!(rate(vec![0.1, 0.15, 1.0, 0.2], 1.0), 0.5);
        assert_eq!(rate(vec![0.1, 0.15, 1.0, 0.2], 0.5), 0.0);
        assert_eq!(rate(vec![0.5; 9], 0.95), 1.0);
    }
}
