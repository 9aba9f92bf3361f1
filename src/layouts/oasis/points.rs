//! Point lists: the vertices of polygons and paths, each as a displacement from the one before.

use super::fault::Fault;
use super::numbers::{Vector, plus};
use super::source::Source;

/// What a point list is read for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum For {
    Polygon,
    Path,
}

/// How many points room is made for before any is read: a length that is only claimed must not cost memory.
const FIRST_ROOM: u64 = 1 << 10;

/// A point list and whether its length is odd where the format allows only even ones. The first point is (0, 0).
pub(super) fn point_list(source: &mut Source<'_>, purpose: For) -> Result<(Vec<Vector>, bool), Fault> {
    let kind = source.unsigned()?;
    let count = source.unsigned()?;
    let mut points = Vec::with_capacity(count.min(FIRST_ROOM) as usize + 2);
    let mut point = [0i64; 2];
    let mut step = [0i64; 2];
    points.push(point);
    for index in 0..count {
        step = match kind {
            // Along x and y in turn; type 0 begins along x.
            0 | 1 if (index + kind) % 2 == 0 => [source.signed()?, 0],
            0 | 1 => [0, source.signed()?],
            2 => source.delta2()?,
            3 => source.delta3()?,
            4 => source.delta()?,
            // Each displacement as its difference from the one before.
            5 => {
                let change = source.delta()?;
                [plus(step[0], change[0])?, plus(step[1], change[1])?]
            }
            _ => return Err(Fault::PointListType(kind)),
        };
        point = [plus(point[0], step[0])?, plus(point[1], step[1])?];
        points.push(point);
        source.holds(points.len())?;
    }
    if kind > 5 {
        return Err(Fault::PointListType(kind));
    }
    let mut odd = false;
    if kind < 2 && purpose == For::Polygon {
        // One more corner is left out: that from which the last side leads back to the first point.
        odd = count % 2 == 1;
        points.push(if (count + kind) % 2 == 0 { [0, point[1]] } else { [point[0], 0] });
    }
    Ok((points, odd))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::super::limits::Limits;
    use super::*;

    fn list(bytes: &[u8], purpose: For) -> Result<(Vec<Vector>, bool), Fault> {
        point_list(&mut Source::new(bytes, 0, Limits::of(0)), purpose)
    }

    #[test]
    fn each_type_draws_the_same_l() {
        // (0,0) (6,0) (6,4) (2,4) (2,8) (0,8)
        let l = vec![[0, 0], [6, 0], [6, 4], [2, 4], [2, 8], [0, 8]];
        let lists: [&[u8]; 5] = [
            &[0, 4, 12, 8, 9, 8],
            &[2, 5, 6 << 2, 4 << 2 | 1, 4 << 2 | 2, 4 << 2 | 1, 2 << 2 | 2],
            &[3, 5, 6 << 3, 4 << 3 | 1, 4 << 3 | 2, 4 << 3 | 1, 2 << 3 | 2],
            &[4, 5, 6 << 4, 4 << 4 | 1 << 1, 4 << 4 | 2 << 1, 1, 8, 2 << 2 | 3, 0],
            // Differences: (6,0) (-6,4) (-4,-4) (4,4) (-2,-4)
            &[5, 5, 6 << 4, 6 << 2 | 3, 8, 4 << 4 | 6 << 1, 4 << 4 | 4 << 1, 2 << 2 | 3, 9],
        ];
        for bytes in lists {
            assert_eq!(list(bytes, For::Polygon), Ok((l.clone(), false)), "{bytes:?}");
        }
        // Type 1 begins along y: (0,0) (0,6) (4,6) (4,2) (8,2) and, left out, (8,0).
        let turned = l.iter().map(|&[x, y]| [y, x]).collect::<Vec<_>>();
        assert_eq!(list(&[1, 4, 12, 8, 9, 8], For::Polygon), Ok((turned.clone(), false)));
        assert_eq!(list(&[1, 4, 12, 8, 9, 8], For::Path), Ok((turned[..5].to_vec(), false)));
        assert_eq!(
            list(&[0, 3, 12, 8, 9], For::Polygon).unwrap(),
            (vec![[0, 0], [6, 0], [6, 4], [2, 4], [2, 0]], true)
        );
    }

    #[test]
    fn a_length_that_is_only_claimed_costs_nothing() {
        let claims = [4, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 0];
        assert_eq!(list(&claims, For::Polygon), Err(Fault::EndOfData));
        assert_eq!(list(&[6, 0], For::Polygon), Err(Fault::PointListType(6)));
    }
}
