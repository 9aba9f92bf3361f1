//! Trapezoids: TRAPEZOID by two offsets, CTRAPEZOID by one of 26 types.

use super::fault::Fault;
use super::numbers::Vector;

/// A multiple of the width plus a multiple of the height.
type Length = (i8, i8);

const O: Length = (0, 0);
const W: Length = (1, 0);
const H: Length = (0, 1);
const W2: Length = (2, 0);
const H2: Length = (0, 2);
const W_H: Length = (1, -1);
const H_W: Length = (-1, 1);

/// The corners (x, y) of each type, clockwise from the lower left. Types 16 to 23 are triangles, with a corner twice;
/// 16 to 19, 22, 23 and 25 have no height, 20 and 21 no width of their own.
const TYPES: [[[Length; 2]; 4]; 26] = [
    // Two sides along x, and 45° elsewhere.
    [[O, O], [O, H], [W_H, H], [W, O]],
    [[O, O], [O, H], [W, H], [W_H, O]],
    [[O, O], [H, H], [W, H], [W, O]],
    [[H, O], [O, H], [W, H], [W, O]],
    [[O, O], [H, H], [W_H, H], [W, O]],
    [[H, O], [O, H], [W, H], [W_H, O]],
    [[O, O], [H, H], [W, H], [W_H, O]],
    [[H, O], [O, H], [W_H, H], [W, O]],
    // Two sides along y.
    [[O, O], [O, H], [W, H_W], [W, O]],
    [[O, O], [O, H_W], [W, H], [W, O]],
    [[O, O], [O, H], [W, H], [W, W]],
    [[O, W], [O, H], [W, H], [W, O]],
    [[O, O], [O, H], [W, H_W], [W, W]],
    [[O, W], [O, H_W], [W, H], [W, O]],
    [[O, O], [O, H_W], [W, H], [W, W]],
    [[O, W], [O, H], [W, H_W], [W, O]],
    // Halves of a square.
    [[O, O], [O, W], [W, O], [O, O]],
    [[O, O], [O, W], [W, W], [O, O]],
    [[O, O], [W, W], [W, O], [O, O]],
    [[O, W], [W, W], [W, O], [O, W]],
    // Twice as wide as high, and the other way around.
    [[O, O], [H, H], [H2, O], [O, O]],
    [[O, H], [H2, H], [H, O], [O, H]],
    [[O, O], [O, W2], [W, W], [O, O]],
    [[W, O], [O, W], [W, W2], [W, O]],
    // A rectangle and a square.
    [[O, O], [O, H], [W, H], [W, O]],
    [[O, O], [O, W], [W, W], [W, O]],
];

/// Which of width and height a CTRAPEZOID type reads.
pub(super) fn reads(kind: u64) -> [bool; 2] {
    match kind {
        16..=19 | 22 | 23 | 25 => [true, false],
        20 | 21 => [false, true],
        _ => [true, true],
    }
}

/// The corners of a CTRAPEZOID and its width and height. Of a width or a height that its type does not read any number
/// may be given. Sizes are below 2⁶¹, so that nothing overflows.
pub(super) fn compact(kind: u64, width: i64, height: i64) -> Result<([Vector; 4], Vector), Fault> {
    let corners = usize::try_from(kind).ok().and_then(|kind| TYPES.get(kind)).ok_or(Fault::TrapezoidType(kind))?;
    let length = |(w, h): Length| i64::from(w) * width + i64::from(h) * height;
    let size = match kind {
        16..=19 | 25 => [width, width],
        20 | 21 => [2 * height, height],
        22 | 23 => [width, 2 * width],
        _ => [width, height],
    };
    Ok((corners.map(|corner| corner.map(length)), size))
}

/// The corners of a TRAPEZOID in a box of that width and height, with two sides along x, or along y where `upright`.
/// Its ends are aslant by `a` (left, lower) and `b` (right, upper): the distance from a lower corner to an upper one,
/// or from a left one to a right one.
pub(super) fn aslant(upright: bool, [width, height]: Vector, a: i64, b: i64) -> [Vector; 4] {
    if upright {
        [[0, a.max(0)], [0, height + b.min(0)], [width, height - b.max(0)], [width, -a.min(0)]]
    } else {
        [[a.max(0), height], [width + b.min(0), height], [width - b.max(0), 0], [-a.min(0), 0]]
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    fn twice_the_area(points: &[Vector]) -> i64 {
        points.iter().zip(points.iter().cycle().skip(1)).map(|(a, b)| b[0] * a[1] - a[0] * b[1]).sum()
    }

    #[test]
    fn every_type_fills_its_box_clockwise() {
        for kind in 0..26 {
            // Upright types are higher than wide, the others wider than high.
            let given = if (8..16).contains(&kind) { [10, 40] } else { [40, 10] };
            let (points, size) = compact(kind, given[0], given[1]).unwrap();
            for axis in [0, 1] {
                assert_eq!(points.iter().map(|p| p[axis]).min(), Some(0), "{kind}");
                assert_eq!(points.iter().map(|p| p[axis]).max(), Some(size[axis]), "{kind}");
            }
            let [w, h] = size;
            let expected = match kind {
                0..=3 => 2 * w * h - h * h,
                4 | 5 => 2 * w * h - 2 * h * h,
                6 | 7 => 2 * (w - h) * h,
                8..=11 => 2 * w * h - w * w,
                12 | 13 => 2 * w * h - 2 * w * w,
                14 | 15 => 2 * (h - w) * w,
                16..=23 => w * h,
                _ => 2 * w * h,
            };
            assert_eq!(twice_the_area(&points), expected, "{kind}");
        }
        assert_eq!(compact(26, 1, 1), Err(Fault::TrapezoidType(26)));
    }

    #[test]
    fn ends_are_aslant_to_either_side() {
        assert_eq!(aslant(false, [20, 10], 3, -4), [[3, 10], [16, 10], [20, 0], [0, 0]]);
        assert_eq!(aslant(false, [20, 10], -3, 4), [[0, 10], [20, 10], [16, 0], [3, 0]]);
        assert_eq!(aslant(true, [20, 10], 3, -4), [[0, 3], [0, 6], [20, 10], [20, 0]]);
        assert_eq!(aslant(true, [20, 10], -3, 4), [[0, 0], [0, 10], [20, 6], [20, 3]]);
    }
}
