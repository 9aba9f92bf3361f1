//! Numbers that change while training: of the step alone, or of how training goes.

use crate::op::Op;
use rord_lang::constant::{Constant, Settings, Unit};
use rord_lang::report::numbers;
use rord_lang::timed::Reach;
use rord_lang::vocabulary::{Application, Entry};

/// Every one of them.
pub static RECIPES: &[Op] = &[
    Op::recipe(
        "ramp",
        Entry {
            signature: "ramp(from: Scalar, to: Scalar, over: Duration, after: Duration = 0steps) -> Timed",
            manual: "\
A number that goes from one value to another along a straight line.

    from + (to - from) · min(1, max(0, step - after) / over)

It is `from` until `after` is over, then takes as long as `over`, and stays at `to`. Steps count from 0 over the whole
run, so the first step has `from`. Outside of training steps, as in validation, it is `to`.
[Numbers that change](../../guide/changing.md) says where it may stand.

```rord
input p: Prob[B, 1, H, W]@f
let weight = ramp(0, 0.5, over = 5epochs)
minimize total = mean(p) + weight * mean(p * p)
```
",
            rule: |a| time(a, "over"),
            course: Some(ends),
            ..Entry::PLAIN
        },
    ),
    Op::recipe(
        "cosine_ramp",
        Entry {
            signature: "cosine_ramp(from: Scalar, to: Scalar, over: Duration, after: Duration = 0steps) -> Timed",
            manual: "\
A number that goes from one value to another along half a cosine: slowly at both ends, fast between them.

    from + (to - from) · (1 - cos(π·t))/2      t = min(1, max(0, step - after) / over)

The rest is as in `ramp`. The decay of a model that follows another grows like this in BYOL.

Source: Grill et al., Bootstrap Your Own Latent, 2020, section 3.2, for the decay.

```rord
input p: Prob[B, 1, H, W]@f
let weight = cosine_ramp(0, 0.5, over = 5epochs)
minimize total = mean(p) + weight * mean(p * p)
```
",
            rule: |a| time(a, "over"),
            course: Some(ends),
            ..Entry::PLAIN
        },
    ),
    Op::recipe(
        "steps_at",
        Entry {
            signature: "steps_at(from: Scalar, factor: Rate, at: List) -> Timed",
            manual: "\
A number that is multiplied by `factor` at each of these times, as the rate of
`torch.optim.lr_scheduler.MultiStepLR`.

    from · factor^k      k: how many times of `at` have come

`steps_at(1, 0.1, at = [3epochs, 6epochs])` is 1 for three epochs, 0.1 for three, then 0.01. Outside of training steps
it is the last of these.

```rord
input p: Prob[B, 1, H, W]@f
let weight = steps_at(1, 0.1, at = [3epochs, 6epochs])
minimize total = mean(p) + weight * mean(p * p)
```
",
            rule: times,
            course: Some(|s| {
                let (from, factor, times) = (s.number("from").ok()?, s.number("factor").ok()?, s.list("at").ok()?);
                Some(Reach::between(from, from * factor.powi(i32::try_from(times.len()).ok()?)))
            }),
            ..Entry::PLAIN
        },
    ),
    Op::recipe(
        "pace",
        Entry {
            signature: "pace(watch: Watch, by: Rate, above: Scalar = none, below: Scalar = none) -> Timed",
            manual: "\
A number that rises from 0 to 1 while training goes well: a curriculum that sets its own pace.

    p ← min(1, p + by)      after every step whose `watch` is above `above`, or below `below`

`watch` is a loss or a metric of the pipeline: a metric that is watched as `train.hit` is computed in training steps,
too. Of `val.hit` there is one value an epoch, and so one rise at most. Exactly one of `above` and `below` is given. It
never falls.

Batches are made ahead of the step that takes them, so that a step has the number that came of the steps up to 8 before
it. This does not depend on the machine or its threads, and a run that is resumed has the same numbers.

Outside of training steps it is 1: validation always sees the whole task.

```rord
let turn = pace(watch = train.agreement, below = 0.05, by = 0.002)
data pairs = layout_pairs(synth(), geometry = rotations(-180deg..180deg * turn))
model net(x: Image[B, 1, H, W]@f) {
  out det: Prob[B, 1, H, W]@f = x |> conv(8, 3) |> relu |> conv(1, 3) |> sigmoid
}
@allow(padding, \"an example\")
loss agreement = smoothl1(net(pairs.image).det, warp(net(pairs.image_r).det, inv(pairs.H)))
```
",
            rule: paced,
            course: Some(|_| Some(Reach::between(0.0, 1.0))),
            ..Entry::PLAIN
        },
    ),
];

fn ends(settings: &Settings) -> Option<Reach> {
    Some(Reach::between(settings.number("from").ok()?, settings.number("to").ok()?))
}

/// Reports a time of 0 over which something is to happen.
fn time(a: &mut Application<'_>, name: &str) {
    if a.number(name) == Some(0.0) {
        let span = a.arg(name).map_or(a.span, |x| x.span);
        let title = format!("`{name}` of `{}` is a time above 0", a.name);
        a.reports.push(numbers::rule(span, &title, "no time", "as in  over = 5epochs, or 200steps"));
    }
}

/// `at` is a list of times, each later than the one before, and of one unit.
fn times(a: &mut Application<'_>) {
    let Some(Constant::List(items)) = a.arg("at").and_then(|x| x.constant.as_ref()) else {
        return bad_times(a, "no list");
    };
    let time = |c: &Constant| match c {
        Constant::Quantity(x, unit @ (Unit::Epochs | Unit::Steps)) => Some((*x, *unit)),
        _ => None,
    };
    let Some(found) = items.iter().map(time).collect::<Option<Vec<_>>>().filter(|found| !found.is_empty()) else {
        return bad_times(a, "no list of times");
    };
    let rising = |pair: &[(f64, Unit)]| matches!(pair, [(x, u), (y, v)] if u == v && x < y);
    if !found.windows(2).all(rising) {
        bad_times(a, "not one after the other in one unit");
    }
}

fn bad_times(a: &mut Application<'_>, label: &str) {
    let Some((span, true)) = a.arg("at").map(|x| (x.span, x.constant.is_some())) else { return };
    let title = "`at` of `steps_at` is a list of times";
    a.reports.push(numbers::rule(span, title, label, "as in  at = [3epochs, 6epochs]"));
}

/// Exactly one of `above` and `below`.
fn paced(a: &mut Application<'_>) {
    let given = |name: &str| a.arg(name).is_some_and(|x| x.constant != Some(Constant::None));
    if given("above") == given("below") {
        let label = if given("above") { "both are given" } else { "neither is given" };
        let title = "`pace` needs `above` or `below`";
        let help = "above = … for a score that should grow, below = … for a loss that should fall";
        a.reports.push(numbers::rule(a.span, title, label, help));
    }
}
