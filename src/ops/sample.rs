//! `sample`: descriptors at places: `place(grid(200), like = desc)`.

use candle_core::{Result, Tensor};

use crate::compute::bilinear::{maps, of_points, read, read_backward, read_slopes};
use crate::compute::layout::{self, Order, order};
use crate::compute::memory::{Memory, bytes};
use crate::compute::samples::Sample as Case;
use crate::compute::slices::{self, Element, Paths, tensor, wrong};
use crate::compute::{Call, Gradients, Output};
use crate::max_pool::saved;
use crate::op::Op;
use rord_device::bilinear::{self as device, At};
use rord_kernels::bilinear as kernel;
use rord_kernels::order::channels_last;
use rord_lang::constant::Settings;
use rord_lang::vocabulary::{Entry, GraphFacts, LintFacts, Shapes};

/// The operation.
pub static OP: Op = Op {
    name: "sample",
    entry: Entry {
        signature: "sample(map: Map[B, C, h, w]@f, points: Points[B, N]@f) -> Vectors[B, N, C]",
        manual: MANUAL,
        lints: LintFacts {
            rises: &["map"],
            averages: Some("map"),
            between: Some("map"),
            range: |r| r.of("map").with_zero(),
            ..LintFacts::AVERAGE
        },
        graph: GraphFacts::APART,
        ..Entry::PLAIN
    },
    compute: Some(&Sample),
    samples,
};

const MANUAL: &str = "\
Reads a map at places, bilinear between the four nearest cells and 0 outside.

`map` is (B, C, h, w), `points` is (B, N, 2), each (x, y) normalized to [-1, 1] in the map's frame; the result is (B, N,
C): a vector for each point. The gradient goes to the map, and to the points where something moves them: between four
cells it is that of the bilinear surface, and 0 along a direction in which the place counts as on the map's border.

What is read between cells is a mean of up to four of them, and smoother than each: compare it with what was read in the same
way, not with `as_vectors(map)`, or a network is rewarded for noise.

Source: `torch.nn.functional.grid_sample(map, points, padding_mode = \"zeros\", align_corners = False)`, transposed.

```rord
input desc:   Desc[B, 128, H, W]@orig
input points: Points[B, N]@orig
let at = sample(desc, points)
```
";

/// Reading a map at points.
pub struct Sample;

fn count(points: &Tensor, batch: usize) -> Result<usize> {
    match points.dims() {
        [b, n, 2] if *b == batch => Ok(*n),
        _ => Err(candle_core::Error::msg("points are (B, N, 2) with the map's B")),
    }
}

/// The vectors of `map` at `points`, by Candle's operations: (B, N, C).
pub(crate) fn at(map: &Tensor, points: &Tensor) -> Result<Tensor> {
    let g = maps(map)?;
    count(points, g.batch)?;
    read(map, &of_points(points, &g)?)?.transpose(1, 2)?.contiguous()
}

/// The vectors of `map` at `points`, by the kernel.
pub(crate) fn at_fast<T: Element>(map: &Tensor, points: &Tensor) -> Result<Tensor> {
    let g = maps(map)?;
    let n = count(points, g.batch)?;
    if order(map) == Order::Last {
        let taps = slices::read::<T, _, 1>([points], |[p]| kernel::taps_of_points(&g, p, n))?.map_err(wrong)?;
        let value = layout::read::<T, _, 1>(Order::Last, [map], |[map]| kernel::read_last(&g, map, &taps, n))?;
        return tensor(value.map_err(wrong)?, (g.batch, n, g.channels));
    }
    let value = slices::read::<T, _, 2>([map, points], |[map, points]| {
        let value = kernel::read(&g, map, &kernel::taps_of_points(&g, points, n)?, n)?;
        channels_last(&value, (g.batch, g.channels, n))
    })?;
    tensor(value.map_err(wrong)?, (g.batch, n, g.channels))
}

/// The gradient of the points, from the slopes in x and in y of every number that was read, (B, N, C) each.
fn to_points(output: &Output, grad: &Tensor) -> Result<Tensor> {
    let along = |i: usize| (saved(output, i)? * grad)?.sum(2);
    Tensor::stack(&[along(0)?, along(1)?], 2)
}

impl Paths for Sample {
    const EITHER_ORDER: bool = true;

    fn memory(&self, shapes: &Shapes<'_>, wants: &[&str]) -> Memory {
        let saved = if wants.contains(&"points") { bytes(&shapes.result).saturating_mul(2) } else { 0 };
        Memory { saved, ..Memory::default() }
    }

    fn backward_reads(&self, name: &str) -> bool {
        name != "map"
    }

    fn backward_reads_value(&self, _: &Settings) -> bool {
        false
    }

    fn lower(&self, call: &Call) -> Result<Output> {
        let (map, points) = (call.tensor("map")?, call.tensor("points")?);
        let mut out = Output::from(at(map, points)?);
        // The map is let go before the gradients are computed, so what the points need of it is kept.
        if call.wants("points") {
            for slope in read_slopes(map, &of_points(points, &maps(map)?)?)? {
                out.saved.push(slope.transpose(1, 2)?.contiguous()?);
            }
        }
        Ok(out)
    }

    fn lower_backward(&self, call: &Call, output: &Output, grad: &Tensor) -> Result<Gradients> {
        let mut out = Gradients::new();
        if call.wants("points") {
            out.push(("points", to_points(output, grad)?));
        }
        if call.wants("map") {
            let map = call.tensor("map")?;
            let places = of_points(call.tensor("points")?, &maps(map)?)?;
            out.push(("map", read_backward(map, &places, &grad.transpose(1, 2)?.contiguous()?)?));
        }
        Ok(out)
    }

    fn device(&self, call: &Call) -> Result<Option<Output>> {
        // The slopes are Candle's: few points are moved.
        if call.wants("points") {
            return Ok(None);
        }
        let (map, points) = (call.tensor("map")?, call.tensor("points")?);
        count(points, maps(map)?.batch)?;
        Ok(Some(device::read(map, &At::Points(points))?.into()))
    }

    fn device_backward(&self, call: &Call, output: &Output, grad: &Tensor) -> Result<Option<Gradients>> {
        let mut out = Gradients::new();
        if call.wants("points") {
            out.push(("points", to_points(output, grad)?));
        }
        if call.wants("map") {
            let shape = call.tensor("map")?.dims4()?;
            out.push(("map", device::read_back(grad, &At::Points(call.tensor("points")?), shape)?));
        }
        Ok(Some(out))
    }

    fn fast<T: Element>(&self, call: &Call) -> Result<Output> {
        let (map, points) = (call.tensor("map")?, call.tensor("points")?);
        let mut out = Output::from(at_fast::<T>(map, points)?);
        if call.wants("points") {
            let (g, order) = (maps(map)?, order(map));
            let n = count(points, g.batch)?;
            let slopes = layout::read::<T, _, 1>(order, [map], |[map]| {
                slices::read::<T, _, 1>([points], |[points]| {
                    kernel::slopes_of_points(&g, map, points, n, order == Order::Last)
                })
            })?;
            for slope in slopes?.map_err(wrong)? {
                out.saved.push(tensor(slope, (g.batch, n, g.channels))?);
            }
        }
        Ok(out)
    }

    fn fast_backward<T: Element>(&self, call: &Call, output: &Output, grad: &Tensor) -> Result<Gradients> {
        let mut all = Gradients::new();
        if call.wants("points") {
            all.push(("points", to_points(output, grad)?));
        }
        if !call.wants("map") {
            return Ok(all);
        }
        let (map, points) = (call.tensor("map")?, call.tensor("points")?);
        let g = maps(map)?;
        let n = count(points, g.batch)?;
        let out = slices::read::<T, _, 2>([points, grad], |[points, grad]| {
            kernel::read_backward_last(&g, grad, &kernel::taps_of_points(&g, points, n)?, n)
        })?;
        all.push(("map", layout::tensor(Order::Last, out.map_err(wrong)?, map.dims())?));
        Ok(all)
    }
}

/// Cases.
pub fn samples() -> Result<Vec<Case>> {
    let case = |name, map: &[usize; 4], n: usize, reach: f64| {
        let [b, c, _, _] = *map;
        let sample = Case::new(name, &[b, n, c]).random("map", map, -1.0, 1.0)?;
        Ok::<_, candle_core::Error>(sample.random("points", &[b, n, 2], -reach, reach)?.to(&["map", "points"]))
    };
    Ok(vec![
        case("odd", &[2, 3, 5, 7], 9, 1.0)?,
        case("partly outside", &[1, 2, 4, 3], 11, 1.6)?,
        case("one cell", &[1, 1, 1, 1], 5, 1.2)?,
        Case::new("far away", &[1, 2, 2])
            .random("map", &[1, 2, 3, 3], -1.0, 1.0)?
            .given("points", &[1, 2, 2], vec![1e6, 1e6, -1e6, 0.0])?
            .to(&["map", "points"]),
    ])
}
