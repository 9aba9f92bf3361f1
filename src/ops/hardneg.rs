//! `hardneg`: for each anchor the place of the candidate that looks most like it:
//! `triplet(grid(200), hardneg(apart = 8px))`.

use candle_core::{Result, Tensor};

use crate::compute::memory::Memory;
use crate::compute::samples::Sample;
use crate::compute::slices::{Element, Paths, constant, read, tensor, wrong};
use crate::compute::tables::{matmul, plain, turned};
use crate::compute::{Call, Output};
use crate::op::Op;
use crate::rules::{between, positive};
use crate::sample::{at, at_fast};
use rord_kernels::nearest::{Apart, Lists, nearest};
use rord_lang::vocabulary::{Application, Entry, GraphFacts, LintFacts, Shapes};

/// The operation.
pub static OP: Op = Op {
    name: "hardneg",
    entry: Entry {
        signature: "hardneg(candidates: Count = 400, apart: Pixels = 0px, at: Points = none, \
                    gradient: Flag = true) -> Miner",
        manual: MANUAL,
        rule,
        pixels_of: Some("map"),
        lints: LintFacts { keeps_apart: true, ..LintFacts::NONE },
        graph: GraphFacts {
            apart: true,
            random: true,
            stops_gradient: true,
            products: Some(crate::rules::CANDIDATES),
            ..GraphFacts::NONE
        },
        ..Entry::PLAIN
    },
    compute: Some(&HardNeg),
    samples,
};

const MANUAL: &str = "\
Finds for each anchor the place in the second view whose descriptor is nearest to the anchor's, among random candidates.

1. Draw `candidates` places uniformly over the map of each sample, or take the places `at` (B, M, 2).
2. Leave out, for each anchor, those nearer than `apart` to its positive's place.
3. Choose the one with the least ‖a - b‖² = ‖a‖² + ‖b‖² - 2·a·b, never below 0. Where none was left, choose the one
   farthest from the positive.

`anchor` is (B, N, C), `map` is (B, C, h, w), `positive` is (B, N, 2) in the map's frame; the result is (B, N, 2) in
that frame. `apart` is in pixels of the image that declares the frame, whose size is `width` × `height`. The choice has
no gradient; the vector that is then read there has.

Source: hard-negative mining as in the loss of RoRD; `torch.cdist(anchor, candidates).argmin(2)`.

```rord
input desc:   Desc[B, 128, H, W]@orig
input desc_r: Desc[B, 128, H, W]@moved
input image:  Image[B, 1, R, S]@moved
input H:      Homography[B]@orig->moved
loss what = triplet(grid(200), hardneg(candidates = 400, apart = 8px))
```
";

fn rule(a: &mut Application<'_>) {
    positive(a, "candidates");
    between(a, "candidates", 0.0, 1e6, false);
    between(a, "apart", 0.0, 1e6, false);
}

/// The choice of the hardest negative.
pub struct HardNeg;

/// ‖a - b‖² for every row of `a` (B, N, C) with every row of `b` (B, M, C), not below 0: (B, N, M).
pub(crate) fn squares(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    let cross = matmul(plain(a), turned(b))?;
    let sum = a.sqr()?.sum_keepdim(2)?.broadcast_add(&b.sqr()?.sum_keepdim(2)?.transpose(1, 2)?)?;
    (sum - (cross * 2.0)?)?.maximum(0.0)
}

impl HardNeg {
    pub(crate) fn candidates(call: &Call, like: &Tensor) -> Result<Tensor> {
        if let Some(at) = call.maybe("at") {
            return at.contiguous();
        }
        thrown(call, like, call.count("candidates")?)
    }
}

/// `count` places drawn uniformly for each sample of `like`: (B, count, 2).
pub(crate) fn thrown(call: &Call, like: &Tensor, count: usize) -> Result<Tensor> {
    let batch = like.dim(0)?;
    let mut places = Vec::new();
    for sample in 0..batch {
        let mut stream = call.random(sample as u64);
        places.extend((0..2 * count).map(|_| stream.range(-1.0, 1.0)));
    }
    constant(places, (batch, count, 2), like)
}

/// The squared gaps in pixels between positives (B, N, 2) and places (B, M, 2): (B, N, M).
pub(crate) fn gaps(call: &Call, positive: &Tensor, places: &Tensor) -> Result<Tensor> {
    let (width, height) = (call.number("width")?, call.number("height")?);
    let along = |i: usize, pixels: f64| {
        let from = positive.narrow(2, i, 1)?;
        let to = places.narrow(2, i, 1)?.transpose(1, 2)?;
        (from.broadcast_sub(&to)? * (0.5 * pixels))?.sqr()
    };
    // Clamped, since a positive may be far outside the map and squares must stay finite.
    (along(0, width)? + along(1, height)?)?.minimum(1e30)
}

impl Paths for HardNeg {
    const EITHER_ORDER: bool = true;

    fn memory(&self, shapes: &Shapes<'_>, _: &[&str]) -> Memory {
        Memory::of_candidates(shapes).unwrap_or_default()
    }

    fn lower(&self, call: &Call) -> Result<Output> {
        let (anchor, map, positive) = (call.tensor("anchor")?, call.tensor("map")?, call.tensor("positive")?);
        let places = Self::candidates(call, map)?;
        let (batch, count, _) = places.dims3()?;
        let (_, anchors, _) = anchor.dims3()?;
        if count == 0 {
            return Err(candle_core::Error::msg("a choice needs at least one candidate"));
        }
        let near = squares(anchor, &at(map, &places)?)?;
        let apart = call.number("apart")?;
        let chosen = if apart > 0.0 {
            let gap = gaps(call, positive, &places)?;
            let free = gap.ge(apart * apart)?;
            let excluded = (near.zeros_like()? + f64::from(f32::MAX))?;
            let nearest = free.where_cond(&near, &excluded)?.argmin(2)?;
            let some = free.max(2)?;
            some.where_cond(&nearest, &gap.argmax(2)?)?
        } else {
            near.argmin(2)?
        };
        let chosen = chosen.unsqueeze(2)?.broadcast_as((batch, anchors, 2))?.contiguous()?;
        Ok(places.gather(&chosen, 1)?.into())
    }

    fn device(&self, call: &Call) -> Result<Option<Output>> {
        let (anchors, map, positive) = (call.tensor("anchor")?, call.tensor("map")?, call.tensor("positive")?);
        let places = &Self::candidates(call, map)?;
        if places.dim(1)? == 0 {
            return Ok(None);
        }
        let vectors = &rord_device::bilinear::read(map, &rord_device::bilinear::At::Points(places))?;
        let least = call.number("apart")?;
        let scale = if least > 0.0 { [0.5 * call.number("width")?, 0.5 * call.number("height")?] } else { [1.0; 2] };
        let lists = rord_device::nearest::Lists { anchors, vectors, positive, places };
        Ok(Some(rord_device::nearest::hardest(&lists, scale, least)?.into()))
    }

    fn fast<T: Element>(&self, call: &Call) -> Result<Output> {
        let (anchor, map, positive) = (call.tensor("anchor")?, call.tensor("map")?, call.tensor("positive")?);
        let places = Self::candidates(call, map)?;
        let ((batch, candidates, _), (_, anchors, channels)) = (places.dims3()?, anchor.dims3()?);
        let vectors = at_fast::<T>(map, &places)?;
        let g = Lists { batch, anchors, candidates, channels };
        let least = call.number("apart")?;
        let scale = match least > 0.0 {
            true => [T::of(0.5 * call.number("width")?), T::of(0.5 * call.number("height")?)],
            false => [T::ONE; 2],
        };
        let tensors = [anchor, &vectors, positive, &places];
        let chosen = read::<T, _, 4>(tensors, |[anchor, vectors, own, places]| {
            let apart = (least > 0.0).then_some(Apart { own, places, scale, least: T::of(least) });
            let chosen = nearest(&g, anchor, vectors, apart)?;
            let place = |(i, j): (usize, &usize)| places.get(2 * (i / anchors * candidates + j)..)?.get(..2);
            Ok(chosen.iter().enumerate().filter_map(place).flatten().copied().collect::<Vec<T>>())
        })?;
        Ok(tensor(chosen.map_err(wrong)?, (batch, anchors, 2))?.into())
    }
}

/// Cases.
pub fn samples() -> Result<Vec<Sample>> {
    let case = |name| {
        Sample::new(name, &[2, 7, 2])
            .random("anchor", &[2, 7, 5], -1.0, 1.0)?
            .random("map", &[2, 5, 6, 9], -1.0, 1.0)?
            .random("positive", &[2, 7, 2], -1.0, 1.0)
    };
    let with = |s: Sample, candidates: f64, apart: f64| {
        s.number("candidates", candidates).number("apart", apart).number("width", 36.0).number("height", 24.0)
    };
    Ok(vec![
        with(case("anywhere")?, 30.0, 0.0),
        with(case("apart")?, 30.0, 8.0),
        with(case("all excluded")?, 10.0, 1000.0),
        with(case("given")?.random("at", &[2, 4, 2], -1.0, 1.0)?, 400.0, 3.0),
        with(
            Sample::new("zero vectors", &[1, 2, 2])
                .filled("anchor", &[1, 2, 3], 0.0)?
                .filled("map", &[1, 3, 4, 4], 0.0)?
                .filled("positive", &[1, 2, 2], 1e6)?,
            5.0,
            2.0,
        ),
    ])
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;
    use crate::compute::samples::numbers;

    #[test]
    fn the_choice_is_what_two_loops_choose() {
        for sample in samples().unwrap() {
            let call = sample.call();
            let map = call.tensor("map").unwrap();
            let places = HardNeg::candidates(&call, map).unwrap();
            let (batch, m, _) = places.dims3().unwrap();
            let (_, n, c) = call.tensor("anchor").unwrap().dims3().unwrap();
            let vectors = numbers(&at(map, &places).unwrap()).unwrap();
            let (places, anchor) = (numbers(&places).unwrap(), numbers(call.tensor("anchor").unwrap()).unwrap());
            let positive = numbers(call.tensor("positive").unwrap()).unwrap();
            let chosen = numbers(&sample.forward(&HardNeg).unwrap().value).unwrap();
            let apart = call.number("apart").unwrap();
            for b in 0..batch {
                for i in b * n..(b + 1) * n {
                    let gap = |j: usize| {
                        let d = [0, 1].map(|k| positive[2 * i + k] - places[2 * j + k]);
                        ((d[0] * 18.0).powi(2) + (d[1] * 12.0).powi(2)).sqrt()
                    };
                    let far = |j: usize| (0..c).map(|k| (anchor[i * c + k] - vectors[j * c + k]).powi(2)).sum::<f64>();
                    let all = b * m..(b + 1) * m;
                    let best = all.clone().filter(|j| gap(*j) >= apart).min_by(|a, b| far(*a).total_cmp(&far(*b)));
                    let best = best.or_else(|| all.max_by(|a, b| gap(*a).total_cmp(&gap(*b)))).unwrap();
                    assert_eq!(chosen[2 * i..2 * i + 2], places[2 * best..2 * best + 2], "{}", sample.name);
                }
            }
        }
    }

    #[test]
    fn each_step_and_sample_draws_its_own() {
        let list = samples().unwrap();
        let mut call = list[0].call();
        let map = call.tensor("map").unwrap().clone();
        let draw = |call: &Call| numbers(&HardNeg::candidates(call, &map).unwrap()).unwrap();
        let first = draw(&call);
        assert_eq!(first, draw(&call));
        assert_ne!(first[..60], first[60..]);
        call.stream = [5, 4, 1];
        assert_ne!(first, draw(&call));
    }
}
