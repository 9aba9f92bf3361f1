//! `sample`: descriptors at places: `place(grid(200), like = desc)`.

use candle_core::{Result, Tensor};

use crate::compute::bilinear::{maps, of_points, read, read_backward};
use crate::compute::layout::{self, Order, order};
use crate::compute::samples::Sample as Case;
use crate::compute::slices::{self, Element, Paths, tensor, wrong};
use crate::compute::{Call, Gradients, Output};
use crate::op::Op;
use rord_kernels::bilinear as kernel;
use rord_kernels::order::channels_last;
use rord_lang::constant::Settings;
use rord_lang::vocabulary::Entry;

/// The operation.
pub static OP: Op = Op {
    name: "sample",
    entry: Entry {
        signature: "sample(map: Map[B, C, h, w]@f, points: Points[B, N]@f) -> Vectors[B, N, C]",
        manual: MANUAL,
        ..Entry::PLAIN
    },
    compute: Some(&Sample),
    samples,
};

const MANUAL: &str = "\
Reads a map at places, bilinear between the four nearest cells and 0 outside.

`map` is (B, C, h, w), `points` is (B, N, 2), each (x, y) normalized to [-1, 1] in the map's frame; the result is (B, N,
C): a vector for each point. The gradient goes to the map; places have none.

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

impl Paths for Sample {
    const EITHER_ORDER: bool = true;

    fn backward_reads(&self, name: &str) -> bool {
        name != "map"
    }

    fn backward_reads_value(&self, _: &Settings) -> bool {
        false
    }

    fn lower(&self, call: &Call) -> Result<Output> {
        Ok(at(call.tensor("map")?, call.tensor("points")?)?.into())
    }

    fn lower_backward(&self, call: &Call, _: &Output, grad: &Tensor) -> Result<Gradients> {
        if !call.wants("map") {
            return Ok(Gradients::new());
        }
        let map = call.tensor("map")?;
        let places = of_points(call.tensor("points")?, &maps(map)?)?;
        Ok(vec![("map", read_backward(map, &places, &grad.transpose(1, 2)?.contiguous()?)?)])
    }

    fn fast<T: Element>(&self, call: &Call) -> Result<Output> {
        Ok(at_fast::<T>(call.tensor("map")?, call.tensor("points")?)?.into())
    }

    fn fast_backward<T: Element>(&self, call: &Call, _: &Output, grad: &Tensor) -> Result<Gradients> {
        if !call.wants("map") {
            return Ok(Gradients::new());
        }
        let (map, points) = (call.tensor("map")?, call.tensor("points")?);
        let g = maps(map)?;
        let n = count(points, g.batch)?;
        let out = slices::read::<T, _, 2>([points, grad], |[points, grad]| {
            kernel::read_backward_last(&g, grad, &kernel::taps_of_points(&g, points, n)?, n)
        })?;
        Ok(vec![("map", layout::tensor(Order::Last, out.map_err(wrong)?, map.dims())?)])
    }
}

/// Cases.
pub fn samples() -> Result<Vec<Case>> {
    let case = |name, map: &[usize; 4], n: usize, reach: f64| {
        let [b, c, _, _] = *map;
        let sample = Case::new(name, &[b, n, c]).random("map", map, -1.0, 1.0)?;
        Ok::<_, candle_core::Error>(sample.random("points", &[b, n, 2], -reach, reach)?.to(&["map"]))
    };
    Ok(vec![
        case("odd", &[2, 3, 5, 7], 9, 1.0)?,
        case("partly outside", &[1, 2, 4, 3], 11, 1.6)?,
        case("one cell", &[1, 1, 1, 1], 5, 1.2)?,
        Case::new("far away", &[1, 2, 2])
            .random("map", &[1, 2, 3, 3], -1.0, 1.0)?
            .given("points", &[1, 2, 2], vec![1e6, 1e6, -1e6, 0.0])?
            .to(&["map"]),
    ])
}
