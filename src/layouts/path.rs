//! Outlines of GDSII paths: a spine with a width, as one polygon.
//!
//! Corners are mitred up to a right angle. A sharper one would reach far beyond the wire, so there both sides go on by
//! half the width and are joined straight: the `natural` join of gdstk, which reads paths in this way.

/// How a path ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cap {
    /// Straight, this far beyond the last point (types 0 and 4); less than 0 ends before it.
    Flat(f64),
    /// Straight, half the width beyond the last point (type 2).
    Square,
    /// A half circle around the last point (type 1).
    Round,
}

/// The largest distance of a round cap from its circle, in database units.
const TOLERANCE: f64 = 1.0;

type Vector = [f64; 2];

fn along(point: Vector, direction: Vector, length: f64) -> Vector {
    [point[0] + direction[0] * length, point[1] + direction[1] * length]
}

/// `direction`, turned left by a right angle.
fn left(direction: Vector) -> Vector {
    [-direction[1], direction[0]]
}

/// The polygon of a path `2·half` wide. Points that repeat are passed over; empty where nothing has an area.
pub fn outline(spine: &[Vector], half: f64, caps: [Cap; 2]) -> Vec<Vector> {
    let mut points = spine.to_vec();
    points.dedup();
    let (Some(&first), Some(&last)) = (points.first(), points.last()) else { return vec![] };
    if half.is_nan() || half <= 0.0 {
        return vec![];
    }
    // Each segment's direction and length; a single point lies along x.
    let segment = |(a, b): (&Vector, &Vector)| {
        let (dx, dy) = (b[0] - a[0], b[1] - a[1]);
        let length = dx.hypot(dy);
        ([dx / length, dy / length], length)
    };
    let mut segments: Vec<(Vector, f64)> = points.iter().zip(points.iter().skip(1)).map(segment).collect();
    if segments.is_empty() {
        if caps == [Cap::Flat(0.0); 2] {
            return vec![];
        }
        segments.push(([1.0, 0.0], 0.0));
    }
    let (Some(&(start, _)), Some(&(end, _))) = (segments.first(), segments.last()) else { return vec![] };
    let corners = || points.iter().skip(1).zip(segments.iter().zip(segments.iter().skip(1)));
    let mut sides = [Vec::new(), Vec::new()];
    for (side, offset) in sides.iter_mut().zip([half, -half]) {
        for (&point, (&before, &after)) in corners() {
            join(side, point, before, after, offset, half);
        }
    }
    let [mut polygon, right] = sides;
    cap(&mut polygon, last, end, half, caps[1]);
    polygon.extend(right.into_iter().rev());
    cap(&mut polygon, first, [-start[0], -start[1]], half, caps[0]);
    polygon
}

/// One side's corner at `point`, `offset` to the left of the spine.
fn join(side: &mut Vec<Vector>, point: Vector, before: (Vector, f64), after: (Vector, f64), offset: f64, half: f64) {
    let ((d0, length0), (d1, length1)) = (before, after);
    let (a, b) = (along(point, left(d0), offset), along(point, left(d1), offset));
    let (cross, dot) = (d0[0] * d1[1] - d0[1] * d1[0], d0[0] * d1[0] + d0[1] * d1[1]);
    // Where the two offset lines meet, this far beyond the corner; tan of half the turn, so without bound at a U-turn.
    let reach = if 1.0 + dot < 1e-12 { f64::INFINITY } else { -offset * cross / (1.0 + dot) };
    if reach > half * (1.0 + 1e-9) {
        side.extend([along(a, d0, half), along(b, d1, -half)]);
    } else if -reach > length0.min(length1) {
        // Inside a turn of short segments the lines meet beyond their ends.
        side.extend([a, b]);
    } else {
        side.push(along(a, d0, reach));
    }
}

/// The end at `point` of a path that leads there in `direction`, from its left to its right side.
fn cap(polygon: &mut Vec<Vector>, point: Vector, direction: Vector, half: f64, cap: Cap) {
    match cap {
        Cap::Flat(_) | Cap::Square => {
            let extension = if let Cap::Flat(extension) = cap { extension } else { half };
            let end = along(point, direction, extension);
            polygon.extend([along(end, left(direction), half), along(end, left(direction), -half)]);
        }
        Cap::Round => {
            let step = 2.0 * (1.0 - TOLERANCE / half).clamp(0.0, 1.0).acos();
            let steps = if step > 0.0 { (std::f64::consts::PI / step).ceil().clamp(4.0, 64.0) } else { 64.0 };
            polygon.extend((0..=steps as u32).map(|k| {
                let (sin, cos) = (f64::from(k) / steps * std::f64::consts::PI).sin_cos();
                along(along(point, left(direction), half * cos), direction, half * sin)
            }));
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    const FLUSH: [Cap; 2] = [Cap::Flat(0.0), Cap::Flat(0.0)];

    fn area(points: &[Vector]) -> f64 {
        0.5 * points
            .iter()
            .zip(points.iter().cycle().skip(1))
            .map(|(a, b)| a[0] * b[1] - a[1] * b[0])
            .sum::<f64>()
            .abs()
    }

    #[test]
    fn a_corner_is_mitred_as_drawn_by_hand() {
        let polygon = outline(&[[0.0, 0.0], [10.0, 0.0], [10.0, 20.0]], 2.0, FLUSH);
        let expected = [[8.0, 2.0], [8.0, 20.0], [12.0, 20.0], [12.0, -2.0], [0.0, -2.0], [0.0, 2.0]];
        assert_eq!(polygon, expected);
        let straight =
            outline(&[[0.0, 0.0], [5.0, 0.0], [5.0, 0.0], [9.0, 0.0]], 1.0, [Cap::Flat(1.0), Cap::Flat(3.0)]);
        assert_eq!(straight, [[5.0, 1.0], [12.0, 1.0], [12.0, -1.0], [5.0, -1.0], [-1.0, -1.0], [-1.0, 1.0]]);
    }

    #[test]
    fn sharp_corners_stay_near_the_wire() {
        let distance = |p: &Vector, a: Vector, b: Vector| {
            let (d, q) = ([b[0] - a[0], b[1] - a[1]], [p[0] - a[0], p[1] - a[1]]);
            let t = ((q[0] * d[0] + q[1] * d[1]) / (d[0] * d[0] + d[1] * d[1])).clamp(0.0, 1.0);
            (q[0] - t * d[0]).hypot(q[1] - t * d[1])
        };
        for turned in [[0.0, 1.0], [0.0, 0.0], [-5.0, 30.0], [98.0, 2.0]] {
            let (start, corner) = ([0.0, 0.0], [100.0, 0.0]);
            for point in outline(&[start, corner, turned], 5.0, FLUSH) {
                let far = distance(&point, start, corner).min(distance(&point, corner, turned));
                assert!(far <= 5.0 * 2f64.sqrt() + 1e-9, "{point:?} is {far} away, turned to {turned:?}");
            }
        }
    }

    #[test]
    fn round_caps_are_nearly_circles_and_points_have_their_caps_only() {
        let polygon = outline(&[[0.0, 0.0], [1000.0, 0.0]], 300.0, [Cap::Round, Cap::Round]);
        let circle = std::f64::consts::PI * 300.0 * 300.0;
        assert!((area(&polygon) - 600.0 * 1000.0 - circle).abs() < 0.01 * circle);
        assert!((area(&outline(&[[7.0, 7.0]], 300.0, [Cap::Round, Cap::Round])) - circle).abs() < 0.01 * circle);
        assert_eq!(area(&outline(&[[7.0, 7.0], [7.0, 7.0]], 3.0, [Cap::Flat(3.0), Cap::Flat(3.0)])), 36.0);
        for nothing in
            [outline(&[[7.0, 7.0]], 3.0, FLUSH), outline(&[], 3.0, FLUSH), outline(&[[0.0; 2], [1.0; 2]], 0.0, FLUSH)]
        {
            assert!(nothing.is_empty());
        }
    }
}
