//! Which copies of a repetition may touch a window: by arithmetic, so that copies far from it take no time.

use super::extent::Extent;
use crate::library::{Repetition, Transform};

type Vector = [f64; 2];

/// Calls `each` with where every copy lies (`origin` and its offset), in order. With a window only those whose extent
/// touches it: `first` is around the first copy as `outer` places it in the window's coordinates.
pub fn copies<E>(
    repetition: &Repetition,
    origin: Vector,
    outer: &Transform,
    first: &Extent,
    window: Option<&Extent>,
    each: &mut dyn FnMut(Vector) -> Result<(), E>,
) -> Result<(), E> {
    let near = |offset: Vector| {
        window.is_none_or(|window| {
            let by = outer.turn(offset);
            first.spread(&Extent { low: by, high: by }).touches(window)
        })
    };
    match repetition {
        Repetition::Once => {
            if near([0.0; 2]) {
                each(origin)?;
            }
        }
        Repetition::Places(places) => {
            for &[x, y] in places {
                let offset = [x as f64, y as f64];
                if near(offset) {
                    each([origin[0] + offset[0], origin[1] + offset[1]])?;
                }
            }
        }
        Repetition::Grid { counts, steps: [across, up] } => {
            let turned = [outer.turn(*across), outer.turn(*up)];
            let columns = window.map_or(0..counts[0], |window| columns(*counts, turned, first, window));
            for i in columns {
                let i = f64::from(i);
                let rows = window.map_or(0..counts[1], |window| {
                    let by = turned[0].map(|step| i * step);
                    rows(counts[1], turned[1], &first.spread(&Extent { low: by, high: by }), window)
                });
                for j in rows {
                    let j = f64::from(j);
                    if near([i * across[0] + j * up[0], i * across[1] + j * up[1]]) {
                        each([origin[0] + i * across[0] + j * up[0], origin[1] + i * across[1] + j * up[1]])?;
                    }
                }
            }
        }
    }
    Ok(())
}

/// The columns of a grid that may have a copy in the window.
fn columns(counts: [u32; 2], [u, v]: [Vector; 2], first: &Extent, window: &Extent) -> std::ops::Range<u32> {
    // A whole column at once.
    let last = v.map(|step| f64::from(counts[1].saturating_sub(1)) * step);
    let column = first.spread(&Extent::of([[0.0; 2], last]));
    let swept = rows(counts[0], u, &column, window);
    // The shifts that bring the first copy into the window, in steps of the grid.
    let determinant = u[0] * v[1] - u[1] * v[0];
    if determinant == 0.0 {
        return swept;
    }
    let low = [window.low[0] - first.high[0], window.low[1] - first.high[1]];
    let high = [window.high[0] - first.low[0], window.high[1] - first.low[1]];
    let steps = [[low[0], low[1]], [high[0], low[1]], [high[0], high[1]], [low[0], high[1]]]
        .map(|[x, y]| (x * v[1] - y * v[0]) / determinant);
    let least = steps.into_iter().fold(f64::INFINITY, f64::min);
    let most = steps.into_iter().fold(f64::NEG_INFINITY, f64::max);
    meet(swept, &between(least, most, counts[0]))
}

/// Which of `count` copies of `first`, one `step` after the other, touch the window.
fn rows(count: u32, step: Vector, first: &Extent, window: &Extent) -> std::ops::Range<u32> {
    let axis = |step: f64, [low, high]: [f64; 2], [from, to]: [f64; 2]| {
        if step == 0.0 {
            return if high < from || to < low { 0..0 } else { 0..count };
        }
        let (a, b) = ((from - high) / step, (to - low) / step);
        between(a.min(b), a.max(b), count)
    };
    let x = axis(step[0], [first.low[0], first.high[0]], [window.low[0], window.high[0]]);
    let y = axis(step[1], [first.low[1], first.high[1]], [window.low[1], window.high[1]]);
    meet(x, &y)
}

/// The whole numbers below `count` from `least` to `most`, and one more at each end against rounding.
fn between(least: f64, most: f64, count: u32) -> std::ops::Range<u32> {
    if least.is_nan() || most.is_nan() {
        return 0..count;
    }
    let (from, to) = ((least.floor() - 1.0).max(0.0), (most.ceil() + 2.0).min(f64::from(count)));
    if from < to { from as u32..to as u32 } else { 0..0 }
}

fn meet(a: std::ops::Range<u32>, b: &std::ops::Range<u32>) -> std::ops::Range<u32> {
    let (from, to) = (a.start.max(b.start), a.end.min(b.end));
    if from < to { from..to } else { 0..0 }
}

/// The copies that can lie outermost.
pub fn corners(repetition: &Repetition, transform: &Transform) -> Repetition {
    match repetition {
        Repetition::Once => Repetition::Once,
        &Repetition::Grid { counts, steps } => {
            // Of a row the first and the last, with the step between these.
            let ends = counts.map(|count| count.min(2));
            let far = |count: u32, step: [f64; 2]| step.map(|step| f64::from(count.saturating_sub(1)) * step);
            Repetition::Grid { counts: ends, steps: [far(counts[0], steps[0]), far(counts[1], steps[1])] }
        }
        Repetition::Places(places) => {
            let along = |k: usize, place: &[i64; 2]| {
                let [x, y] = transform.turn(place.map(|value| value as f64));
                if k == 0 { x } else { y }
            };
            let mut outer = Vec::with_capacity(4);
            for k in 0..2 {
                outer.extend(places.iter().min_by(|a, b| along(k, a).total_cmp(&along(k, b))).copied());
                outer.extend(places.iter().max_by(|a, b| along(k, a).total_cmp(&along(k, b))).copied());
            }
            Repetition::Places(outer)
        }
    }
}
