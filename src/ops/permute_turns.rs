//! `permute_turns`: the turns of descriptors exchanged as a move of the view exchanges them:
//! `permute_turns(desc_r, by = inv(H))`.

use candle_core::{DType, Device, Result, Tensor};

use crate::compute::samples::Sample;
use crate::compute::{Call, Compute, Gradients, Output};
use crate::op::Op;
use rord_kernels::turns::{inverse, motion, product};
use rord_lang::constant::Settings;
use rord_lang::report::shapes;
use rord_lang::vocabulary::{Application, Entry, GraphFacts, LintFacts};

/// The operation.
pub static OP: Op = Op {
    name: "permute_turns",
    entry: Entry {
        signature: "permute_turns(x: Desc[B, C, H, W]@a, by: Homography[B]@a->b, symmetry: Word = d4) \
                    -> Desc[B, C, H, W]@a",
        manual: MANUAL,
        rule,
        words: &[("symmetry", &["c4", "d4"])],
        graph: GraphFacts { per_sample: true, ..GraphFacts::NONE },
        lints: LintFacts::SAME,
        ..Entry::PLAIN
    },
    compute: Some(&PermuteTurns),
    samples,
};

const MANUAL: &str = "\
Descriptors of `turns_to_channel` as they are in the view that `by` leads to. Places stay where they are; blocks of channels are
exchanged.

    y[b, t·D + c, p, q] = x[b, (g⁻¹·t)·D + c, p, q]        g the symmetry nearest to `by`, D = C/T

`x` is (B, C, H, W), of a field of `symmetry`: T is 8 for d4, 4 for c4. Of each sample's matrix the linear part in the middle of the
view counts: g is the symmetry m with the largest trace(mᵀ·J). So for `square_symmetries` it is the move itself, and for small
angles the identity. With c4 a mirror image is taken for the quarter turn nearest to it, which is none: give d4 where views are
mirrored.

With H from `image` to `image_r`, the descriptor of a place in `image` is that of its place in `image_r` after `inv(H)`.

Errors: channels that T does not divide.

```rord
input image_r: Image[B, 1, H, W]@moved
input desc:    Desc unit[B, 128, H, W]@orig
input desc_r:  Desc unit[B, 128, H, W]@moved
input H:       Homography[B]@orig->moved
loss what = triplet(grid(100), hardneg(apart = 8px), b = permute_turns(desc_r, by = inv(H)))
```
";

fn rule(a: &mut Application<'_>) {
    a.keep_type("x");
    let turns = a.word("symmetry").and_then(crate::conv::turns).and_then(|n| i64::try_from(n).ok());
    let channels = a.dims("x").get(1).and_then(rord_lang::dim::Dim::as_number);
    if let (Some(turns), Some(channels)) = (turns, channels)
        && channels % turns != 0
    {
        let span = a.arg("x").map_or(a.span, |x| x.span);
        let label = format!("{channels} channels, {turns} turns");
        let help = "these descriptors were not made by `turns_to_channel` of such a field";
        a.reports.push(shapes::rule(span, "the turns must divide the channels", &label, help));
    }
}

/// An exchange of blocks of channels.
pub struct PermuteTurns;

/// The symmetry nearest to a row-major 3 × 3 matrix, in the middle of the view.
fn nearest(matrix: &[f64], turns: usize) -> usize {
    let &[a, b, c, d, e, f, g, h, i] = matrix else { return 0 };
    // The slope of (a·x + b·y + c)/(g·x + h·y + i) at 0, times i².
    let slope = [a * i - c * g, b * i - c * h, d * i - f * g, e * i - f * h];
    let along = |t: usize| -> f64 { motion(t).iter().zip(slope).map(|(m, x)| f64::from(*m) * x).sum() };
    (1..turns).fold(0, |best, t| if along(t) > along(best) { t } else { best })
}

/// For each sample, the turn whose block of channels comes to each turn; backward the other way around.
fn sources(call: &Call, back: bool) -> Result<Vec<Vec<usize>>> {
    let turns =
        crate::conv::turns(call.text("symmetry")?).ok_or_else(|| candle_core::Error::msg("`symmetry` is c4 or d4"))?;
    let by = call.tensor("by")?.to_device(&Device::Cpu)?.to_dtype(DType::F64)?;
    let matrices = by.reshape((by.dim(0)?, 9))?.to_vec2::<f64>()?;
    let one = |m: &Vec<f64>| {
        let g = nearest(m, turns);
        (0..turns).map(|t| product(if back { g } else { inverse(g) }, t)).collect()
    };
    Ok(matrices.iter().map(one).collect())
}

/// Blocks of channels of every sample, in the order of `sources`.
fn exchanged(x: &Tensor, sources: &[Vec<usize>]) -> Result<Tensor> {
    let x = x.contiguous()?;
    let samples = sources.iter().enumerate().map(|(i, order)| {
        let size = x.dim(1)? / order.len().max(1);
        let one = x.narrow(0, i, 1)?;
        Tensor::cat(&order.iter().map(|t| one.narrow(1, t * size, size)).collect::<Result<Vec<_>>>()?, 1)
    });
    Tensor::cat(&samples.collect::<Result<Vec<_>>>()?, 0)
}

impl Compute for PermuteTurns {
    fn backward_reads(&self, name: &str) -> bool {
        name == "by"
    }

    fn backward_reads_value(&self, _: &Settings) -> bool {
        false
    }

    fn forward(&self, call: &Call) -> Result<Output> {
        Ok(exchanged(call.tensor("x")?, &sources(call, false)?)?.into())
    }

    fn backward(&self, call: &Call, _: &Output, grad: &Tensor) -> Result<Gradients> {
        let mut out = Gradients::new();
        if call.wants("x") {
            out.push(("x", exchanged(grad, &sources(call, true)?)?));
        }
        if call.wants("by") {
            // It chooses, and a choice has no slope.
            out.push(("by", call.tensor("by")?.zeros_like()?));
        }
        Ok(out)
    }
}

/// Cases.
pub fn samples() -> Result<Vec<Sample>> {
    let case = |name, x: [usize; 4], symmetry, moves: &[usize]| {
        let matrix = |t: &usize| {
            let [a, b, c, d] = motion(*t).map(f64::from);
            [a, b, 0.1, c, d, -0.2, 0.0, 0.1, 1.0]
        };
        let by: Vec<f64> = moves.iter().flat_map(matrix).collect();
        let sample = Sample::new(name, &x).random("x", &x, -1.0, 1.0)?.given("by", &[moves.len(), 3, 3], by)?;
        Ok::<_, candle_core::Error>(sample.word("symmetry", symmetry).to(&["x"]))
    };
    Ok(vec![case("d4", [3, 16, 2, 3], "d4", &[0, 5, 3])?, case("c4", [2, 4, 3, 2], "c4", &[1, 2])?])
}
