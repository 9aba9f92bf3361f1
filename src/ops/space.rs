//! `space_to_channel` and `channel_to_space`: blocks of cells as channels, and back: `space_to_channel(x, 8)`.

use candle_core::{Result, Tensor};

use crate::compute::samples::Sample;
use crate::compute::{Call, Compute, Gradients, Output};
use crate::export::onnx::Attribute::{Int, Text};
use crate::export::onnx::Onnx;
use crate::export::torch::Torch;
use crate::export::{Form, Use};
use crate::op::Op;
use crate::rules::positive;
use rord_lang::axis::Axis;
use rord_lang::constant::Settings;
use rord_lang::report::shapes;
use rord_lang::vocabulary::{Application, Entry, GraphFacts, LintFacts};

macro_rules! space {
    ($name:literal, $what:literal, $shape:literal, $formula:literal, $torch:literal, $input:literal, $down:literal) => {
        Op {
            name: $name,
            entry: Entry {
                signature: concat!($name, "(x: Map[B, C, H, W]@f, by: Count) -> Map[B, _, _, _]@f"),
                manual: concat!(
                    "\
",
                    $what,
                    "

    ",
                    $formula,
                    "

`x` is (B, C, H, W); the result is ",
                    $shape,
                    ". No number is changed, so a probability stays one.

Errors: sizes that `by` does not divide.

Source: `torch.nn.",
                    $torch,
                    "(by)`.

```rord
input x: ",
                    $input,
                    "@f
let y = ",
                    $name,
                    "(x, 4)
```
"
                ),
                rule: if $down { down } else { up },
                graph: GraphFacts { per_sample: true, ..GraphFacts::NONE },
                lints: LintFacts::SAME,
                ..Entry::PLAIN
            },
            compute: Some(&Space::<$down>),
            samples: if $down { folded } else { unfolded },
        }
    };
}

/// Blocks of cells as channels.
pub static SPACE_TO_CHANNEL: Op = space!(
    "space_to_channel",
    "Each block of cells as channels of one cell: a map of places as a choice among the places of a block.",
    "(B, C·by², H/by, W/by)",
    "y[b, (c·by + i)·by + j, h, w] = x[b, c, h·by + i, w·by + j]",
    "PixelUnshuffle",
    "Label[B, 1, H, W]",
    true
);
/// Channels as blocks of cells.
pub static CHANNEL_TO_SPACE: Op = space!(
    "channel_to_space",
    "Channels as blocks of cells: the inverse of `space_to_channel`.",
    "(B, C/by², H·by, W·by)",
    "y[b, c, h·by + i, w·by + j] = x[b, (c·by + i)·by + j, h, w]",
    "PixelShuffle",
    "Feat[B, 64, H, W]",
    false
);

fn down(a: &mut Application<'_>) {
    a.keep_kind("x");
    a.result.unit = false;
    if !positive(a, "by") {
        return;
    }
    let (dims, by) = (a.dims("x"), a.count("by"));
    let Some(by) = by.filter(|by| *by < 1 << 15) else { return };
    if let Some(wider) = dims.get(1).and_then(|c| c.times(by * by)) {
        a.set_dim(1, wider);
    }
    for axis in [2, 3] {
        let Some(dim) = dims.get(axis) else { continue };
        if dim.as_number().is_some_and(|n| n % by != 0) {
            indivisible(a, &dim.to_string(), by);
            return;
        }
        let divided = a.divide(dim, by);
        a.set_dim(axis, divided);
    }
}

fn up(a: &mut Application<'_>) {
    a.keep_kind("x");
    a.result.unit = false;
    if !positive(a, "by") {
        return;
    }
    let (dims, by) = (a.dims("x"), a.count("by"));
    let Some(by) = by.filter(|by| *by < 1 << 15) else { return };
    if let Some(channels) = dims.get(1) {
        if a.known(channels).is_some_and(|n| n % (by * by) != 0) {
            indivisible(a, &format!("{channels} channels"), by * by);
            return;
        }
        let divided = a.divide(channels, by * by);
        a.set_dim(1, divided);
    }
    for axis in [2, 3] {
        if let Some(larger) = dims.get(axis).and_then(|d| d.times(by)) {
            a.set_dim(axis, larger);
        }
    }
}

fn indivisible(a: &mut Application<'_>, what: &str, by: i64) {
    let span = a.arg("x").map_or(a.span, |x| x.span);
    let title = format!("`{}` needs sizes that divide", a.name);
    a.reports.push(shapes::rule(span, &title, &format!("{what} do not divide by {by}"), "choose another block"));
}

/// Cells to channels, or back.
struct Space<const DOWN: bool>;

fn to_channels(x: &Tensor, by: usize) -> Result<Tensor> {
    let (b, c, h, w) = x.dims4()?;
    let blocks = x.contiguous()?.reshape(vec![b, c, h / by, by, w / by, by])?;
    blocks.permute(vec![0, 1, 3, 5, 2, 4])?.contiguous()?.reshape((b, c * by * by, h / by, w / by))
}

fn to_cells(x: &Tensor, by: usize) -> Result<Tensor> {
    let (b, c, h, w) = x.dims4()?;
    let blocks = x.contiguous()?.reshape(vec![b, c / (by * by), by, by, h, w])?;
    blocks.permute(vec![0, 1, 4, 2, 5, 3])?.contiguous()?.reshape((b, c / (by * by), h * by, w * by))
}

impl<const DOWN: bool> Compute for Space<DOWN> {
    fn backward_reads(&self, _: &str) -> bool {
        false
    }

    fn backward_reads_value(&self, _: &Settings) -> bool {
        false
    }

    fn forward(&self, call: &Call) -> Result<Output> {
        let (x, by) = (call.tensor("x")?, call.count("by")?);
        Ok(if DOWN { to_channels(x, by)? } else { to_cells(x, by)? }.into())
    }

    fn backward(&self, call: &Call, _: &Output, grad: &Tensor) -> Result<Gradients> {
        let by = call.count("by")?;
        Ok(vec![("x", if DOWN { to_cells(grad, by)? } else { to_channels(grad, by)? })])
    }

    fn onnx(&self, call: &Use, out: &mut Onnx) -> Form {
        let (x, by) = (call.name("x")?, call.count("by")?);
        if !DOWN {
            return Ok(out.op("DepthToSpace", &[x], vec![("blocksize", Int(by)), ("mode", Text("CRD"))]));
        }
        let blocks = out.op("SpaceToDepth", &[x], vec![("blocksize", Int(by))]);
        let channels = call.size(call.argument("x")?.ty, &Axis::Channel)?;
        if channels == 1 {
            return Ok(blocks);
        }
        // ONNX counts places before channels.
        let cells = by.saturating_mul(by);
        let order: Vec<i64> = (0..channels).flat_map(|c| (0..cells).map(move |cell| cell * channels + c)).collect();
        let order = out.ints(&order);
        Ok(out.op("Gather", &[&blocks, &order], vec![("axis", Int(1))]))
    }

    fn torch(&self, call: &Use, _: &mut Torch) -> Form {
        let (x, by) = (call.name("x")?, call.count("by")?);
        Ok(format!("F.pixel_{}shuffle({x}, {by})", if DOWN { "un" } else { "" }))
    }
}

fn case(name: &'static str, x: &[usize], value: &[usize], by: f64) -> Result<Sample> {
    Ok(Sample::new(name, value).random("x", x, -1.0, 1.0)?.number("by", by).to(&["x"]))
}

fn folded() -> Result<Vec<Sample>> {
    Ok(vec![
        case("two by two", &[2, 3, 4, 6], &[2, 12, 2, 3], 2.0)?,
        case("one channel", &[1, 1, 9, 3], &[1, 9, 3, 1], 3.0)?,
        case("one cell", &[2, 3, 2, 5], &[2, 3, 2, 5], 1.0)?,
    ])
}

fn unfolded() -> Result<Vec<Sample>> {
    Ok(vec![
        case("two by two", &[2, 12, 2, 3], &[2, 3, 4, 6], 2.0)?,
        case("one channel", &[1, 4, 3, 1], &[1, 1, 6, 2], 2.0)?,
    ])
}
