//! `turns_to_channel`: a field as a descriptor whose channels are exchanged when the picture turns:
//! `x |> conv(16, 3) |> turns_to_channel |> l2norm`.

use candle_core::{Result, Tensor};

use crate::compute::memory::Memory;
use crate::compute::samples::Sample;
use crate::compute::{Call, Compute, Gradients, Output, layout};
use crate::export::onnx::Onnx;
use crate::export::torch::Torch;
use crate::export::{Form, Use};
use crate::op::Op;
use rord_lang::axis::Axis;
use rord_lang::constant::Settings;
use rord_lang::vocabulary::{Application, Entry, GraphFacts, LintFacts, Shapes};

/// The operation.
pub static OP: Op = Op {
    name: "turns_to_channel",
    entry: Entry {
        signature: "turns_to_channel(x: Field[B, T, C, H, W]@f) -> Desc[B, _, H, W]@f",
        manual: MANUAL,
        rule,
        graph: GraphFacts { per_sample: true, ..GraphFacts::NONE },
        lints: LintFacts::SAME,
        ..Entry::PLAIN
    },
    compute: Some(&TurnsToChannel),
    samples,
};

const MANUAL: &str = "\
The turns of a field among its channels: a descriptor that keeps all the field knows.

    y[b, t·C + c, p, q] = x[b, t, c, p, q]

`x` is a field (B, T, C, H, W); the result is (B, T·C, H, W), and shares its numbers. Where the picture is turned by g, the
descriptor of a place is that of the same place before, with turn g⁻¹·t in place of turn t: blocks of C numbers are exchanged,
its length stays. `permute_turns` exchanges them back where g is known.

Source: `x.flatten(1, 2)` of (B, T, C, H, W).

```rord
model net(x: Image[B, 1, H, W]@f) {
  # 16 filters in 8 turns: 128 numbers for each place.
  out desc: Desc unit[B, 128, H, W]@f =
    x |> conv(16, 3, symmetry = d4) |> relu |> conv(16, 3) |> turns_to_channel |> l2norm
}
```
";

fn rule(a: &mut Application<'_>) {
    if let [_, turns, channels, ..] = a.dims("x").as_slice() {
        let both = turns.mul(channels).unwrap_or_else(|| (a.unknown)("?"));
        a.set_dim(1, both);
    }
}

/// The same numbers with an axis less.
pub struct TurnsToChannel;

impl Compute for TurnsToChannel {
    fn memory(&self, _: &Shapes<'_>, _: &[&str]) -> Memory {
        Memory::shared()
    }

    fn either_order(&self) -> bool {
        true
    }

    fn backward_reads(&self, _: &str) -> bool {
        false
    }

    fn backward_reads_value(&self, _: &Settings) -> bool {
        false
    }

    fn forward(&self, call: &Call) -> Result<Output> {
        Ok(layout::folded(call.tensor("x")?)?.into())
    }

    fn backward(&self, call: &Call, _: &Output, grad: &Tensor) -> Result<Gradients> {
        Ok(vec![("x", layout::unfolded(grad, call.tensor("x")?.dim(1)?)?)])
    }

    fn onnx(&self, call: &Use, out: &mut Onnx) -> Form {
        let channels = call.size(call.ty, &Axis::Channel)?;
        Ok(out.folded(call.name("x")?, channels))
    }

    fn torch(&self, call: &Use, _: &mut Torch) -> Form {
        Ok(format!("{}.flatten(1, 2)", call.name("x")?))
    }
}

/// Cases.
pub fn samples() -> Result<Vec<Sample>> {
    let case = |name, x: [usize; 5]| {
        let shape = [x[0], x[1] * x[2], x[3], x[4]];
        Sample::new(name, &shape).random("x", &x, -1.0, 1.0).map(|s| s.to(&["x"]))
    };
    Ok(vec![case("d4", [2, 8, 3, 4, 5])?, case("c4", [1, 4, 1, 3, 2])?])
}
