//! The nearest move under which something is largest.

use crate::moves::Move;

/// The move shifted, turned and scaled a little at a time to where `value` is largest, and its value there. `steps` are those
/// of a shift in pixels; steps of turn and scale move a corner of a picture of `size` pixels as far.
pub fn climb(value: &dyn Fn(&Move) -> f64, by: &Move, size: [usize; 2], steps: &[f64]) -> (Move, f64) {
    /// Rounds at a step, so that the search ends.
    const ROUNDS: usize = 8;
    let [width, height] = size.map(|side| side as f64);
    let middle = [(width - 1.0) / 2.0, (height - 1.0) / 2.0];
    let reach = (width.hypot(height) / 2.0).max(1.0);
    let (mut best, mut most) = (*by, value(by));
    for step in steps {
        for _ in 0..ROUNDS {
            let before = most;
            for [x, y, turn, scale] in
                [[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.0, 1.0]]
            {
                for sign in [*step, -step] {
                    let about = Move::similarity(sign * turn / reach, (sign * scale / reach).exp(), false, [0.0; 2]);
                    let there = about.apply(middle);
                    let back = Move::similarity(0.0, 1.0, false, [middle[0] - there[0], middle[1] - there[1]]);
                    let shift = Move::similarity(0.0, 1.0, false, [sign * x, sign * y]);
                    let next = shift.after(&best).after(&back.after(&about));
                    let now = value(&next);
                    if now > most {
                        (best, most) = (next, now);
                        break;
                    }
                }
            }
            if most <= before {
                break;
            }
        }
    }
    (best, most)
}
