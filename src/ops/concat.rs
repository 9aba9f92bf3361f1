//! `concat`: the channels of two maps after each other: `concat(skip, up)`.
//!
//! Where nothing else reads the second one before it is enlarged by `upsample(by)`, the pass `through` has it read as it is, each cell
//! for as many cells as it becomes.

use candle_core::{Result, Tensor};

use crate::compute::fields::{As, OnFields};
use crate::compute::layout::{Order, order, read, tensor};
use crate::compute::samples::Sample;
use crate::compute::slices::{Element, Paths, wrong};
use crate::compute::{Call, Gradients, Output};
use crate::export::onnx::Attribute::Int;
use crate::export::onnx::Onnx;
use crate::export::torch::Torch;
use crate::export::{Form, Use};
use crate::op::Op;
use crate::upsample;
use rord_kernels::join::{Enlarged, joined, joined_enlarged, parted, parted_enlarged};
use rord_lang::constant::Settings;
use rord_lang::vocabulary::{Application, Entry, GraphFacts, LintFacts, ReadsThrough};

/// The operation.
pub static OP: Op = Op {
    name: "concat",
    entry: Entry {
        signature: "concat(a: Map[B, C, H, W]@f, b: Map[B, D, H, W]@f) -> Feat[B, _, H, W]@f",
        manual: MANUAL,
        rule,
        fields: true,
        graph: GraphFacts {
            per_sample: true,
            reads_through: Some(ReadsThrough {
                op: "upsample",
                input: "b",
                of: "x",
                names: &[],
                settings: &["by", "mode"],
                word: WORD,
                pays: |_, enlarged| enlarged.text("mode") == Ok("nearest"),
            }),
            ..GraphFacts::NONE
        },
        lints: LintFacts {
            rises: &["a", "b"],
            keeps_zero: true,
            range: |r| r.of("a").hull(r.of("b")),
            ..LintFacts::NONE
        },
        ..Entry::PLAIN
    },
    compute: Some(&OnFields(Concat, As::Batch)),
    samples,
};

const MANUAL: &str = "\
Puts the channels of two maps after each other.

`a` is (B, C, H, W), `b` is (B, D, H, W); the result is (B, C + D, H, W), a's channels first.

Errors: maps that differ in anything but their channels.

Source: `torch.cat([a, b], 1)`.

```rord
input a: Feat[B, 8, H, W]@f
input b: Feat[B, 4, H, W]@f
let both = concat(a, b)
```
";

fn rule(a: &mut Application<'_>) {
    let (x, y) = (a.dims("a"), a.dims("b"));
    if let (Some(p), Some(q)) = (x.get(1), y.get(1)) {
        let sum = p.add(q).unwrap_or_else(|| (a.unknown)("?"));
        a.set_dim(1, sum);
    }
}

/// The setting that says that the second map is enlarged on the way.
const WORD: &str = "enlarged";

/// Joining along the channel axis.
pub struct Concat;

/// How many cells a cell of the second map becomes along an axis.
fn enlarged(call: &Call) -> Result<Option<usize>> {
    call.settings.get(WORD).map(|_| call.count("by")).transpose()
}

/// The order to join two maps in: last if either lies so.
fn meeting(a: &Tensor, b: &Tensor) -> Order {
    if order(a) == Order::Last || order(b) == Order::Last { Order::Last } else { Order::First }
}

/// The sizes of the blocks that are put in turn.
fn blocks(a: &Tensor, b: &Tensor, order: Order) -> Result<(usize, usize)> {
    let ((_, n, h, w), (_, m, _, _)) = (a.dims4()?, b.dims4()?);
    Ok(if order == Order::Last { (n, m) } else { (n * h * w, m * h * w) })
}

/// The sizes of both maps, of which the second is enlarged on the way.
fn sizes(a: &Tensor, b: &Tensor, by: usize) -> Result<Enlarged> {
    let ((images, n, height, width), (_, m, _, _)) = (a.dims4()?, b.dims4()?);
    Ok(Enlarged { images, height, width, channels: (n, m), by })
}

impl Paths for Concat {
    const EITHER_ORDER: bool = true;

    fn backward_reads(&self, _: &str) -> bool {
        false
    }

    fn backward_reads_value(&self, _: &Settings) -> bool {
        false
    }

    fn lower(&self, call: &Call) -> Result<Output> {
        let (a, b) = (call.tensor("a")?, call.tensor("b")?);
        Ok(match enlarged(call)? {
            Some(by) => Tensor::cat(&[a, &upsample::repeated(b, by)?], 1)?.into(),
            None => Tensor::cat(&[a, b], 1)?.into(),
        })
    }

    fn lower_backward(&self, call: &Call, _: &Output, grad: &Tensor) -> Result<Gradients> {
        let (first, second) = (call.tensor("a")?.dim(1)?, call.tensor("b")?.dim(1)?);
        let mut out = Gradients::new();
        if call.wants("a") {
            out.push(("a", grad.narrow(1, 0, first)?.contiguous()?));
        }
        if call.wants("b") {
            let own = grad.narrow(1, first, second)?;
            out.push(("b", enlarged(call)?.map_or_else(|| own.contiguous(), |by| upsample::summed(&own, by))?));
        }
        Ok(out)
    }

    fn fast<T: Element>(&self, call: &Call) -> Result<Output> {
        let (a, b, by) = (call.tensor("a")?, call.tensor("b")?, enlarged(call)?);
        let order = meeting(a, b);
        if by.is_some() && order == Order::First {
            return self.lower(call);
        }
        let blocks = blocks(a, b, order)?;
        let sizes = by.map(|by| sizes(a, b, by)).transpose()?;
        let made = read::<T, _, 2>(order, [a, b], |[a, b]| match &sizes {
            Some(sizes) => joined_enlarged(a, b, sizes),
            None => joined(a, b, blocks),
        })?;
        let (images, n, h, w) = a.dims4()?;
        Ok(tensor(order, made.map_err(wrong)?, &[images, n + b.dim(1)?, h, w])?.into())
    }

    fn fast_backward<T: Element>(&self, call: &Call, output: &Output, grad: &Tensor) -> Result<Gradients> {
        let (a, b, order, by) = (call.tensor("a")?, call.tensor("b")?, order(grad), enlarged(call)?);
        if by.is_some() && order == Order::First {
            return self.lower_backward(call, output, grad);
        }
        let blocks = blocks(a, b, order)?;
        let sizes = by.map(|by| sizes(a, b, by)).transpose()?;
        let mut out = Gradients::new();
        for (name, like, second) in [("a", a, false), ("b", b, true)] {
            if call.wants(name) {
                let made = read::<T, _, 1>(order, [grad], |[grad]| match &sizes {
                    Some(sizes) if second => parted_enlarged(grad, sizes),
                    _ => parted(grad, blocks, second),
                })?;
                out.push((name, tensor(order, made.map_err(wrong)?, like.dims())?));
            }
        }
        Ok(out)
    }

    fn onnx(&self, call: &Use, out: &mut Onnx) -> Form {
        Ok(out.op("Concat", &[call.name("a")?, call.name("b")?], vec![("axis", Int(1))]))
    }

    fn torch(&self, call: &Use, _: &mut Torch) -> Form {
        Ok(format!("torch.cat([{}, {}], dim=1)", call.name("a")?, call.name("b")?))
    }
}

/// Cases.
pub fn samples() -> Result<Vec<Sample>> {
    Ok(vec![
        Sample::new("odd", &[2, 4, 5, 3])
            .random("a", &[2, 3, 5, 3], -1.0, 1.0)?
            .random("b", &[2, 1, 5, 3], -1.0, 1.0)?
            .to(&["a", "b"]),
        Sample::new("enlarged", &[2, 5, 6, 9])
            .random("a", &[2, 3, 6, 9], -1.0, 1.0)?
            .random("b", &[2, 2, 2, 3], -1.0, 1.0)?
            .word(WORD, "plain")
            .word("mode", "nearest")
            .number("by", 3.0)
            .to(&["a", "b"]),
        Sample::new("fields", &[2, 4, 3, 2, 3])
            .random("a", &[2, 4, 2, 2, 3], -1.0, 1.0)?
            .random("b", &[2, 4, 1, 2, 3], -1.0, 1.0)?
            .to(&["a", "b"]),
    ])
}
