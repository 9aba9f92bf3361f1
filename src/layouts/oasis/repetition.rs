//! Repetitions: where the copies of a shape or of a placed cell lie.

use super::fault::Fault;
use super::numbers::{Vector, plus};
use super::source::Source;
use crate::library::Repetition;

/// How many places room is made for before any is read: a number that is only claimed must not cost memory.
const FIRST_ROOM: u64 = 1 << 10;

/// A repetition of any type but 0, which means the one before.
pub(super) fn repetition(source: &mut Source<'_>, kind: u64) -> Result<Repetition, Fault> {
    // Counts are written less two.
    let count = |source: &mut Source<'_>| {
        let count = source.unsigned()?;
        u32::try_from(count).ok().and_then(|count| count.checked_add(2)).ok_or(Fault::TooManyCopies(count))
    };
    match kind {
        1 => {
            let counts = [count(source)?, count(source)?];
            let steps = [source.length()?, source.length()?];
            Ok(grid(counts, [[steps[0], 0], [0, steps[1]]]))
        }
        2 => Ok(grid([count(source)?, 1], [[source.length()?, 0], [0, 0]])),
        3 => Ok(grid([1, count(source)?], [[0, 0], [0, source.length()?]])),
        4 | 5 => places(source, kind == 5, |source, grid| Ok([times(source.length()?, grid)?, 0])),
        6 | 7 => places(source, kind == 7, |source, grid| Ok([0, times(source.length()?, grid)?])),
        8 => {
            let counts = [count(source)?, count(source)?];
            Ok(grid(counts, [source.delta()?, source.delta()?]))
        }
        9 => Ok(grid([count(source)?, 1], [source.delta()?, [0, 0]])),
        10 | 11 => places(source, kind == 11, |source, grid| {
            let [x, y] = source.delta()?;
            Ok([times(x, grid)?, times(y, grid)?])
        }),
        _ => Err(Fault::RepetitionType(kind)),
    }
}

fn times(a: i64, b: i64) -> Result<i64, Fault> {
    a.checked_mul(b).ok_or(Fault::NumberTooLarge)
}

/// A grid; copies that all lie in one place are one copy.
fn grid(counts: [u32; 2], steps: [Vector; 2]) -> Repetition {
    let [n, m] = [0, 1].map(|k| if steps.get(k) == Some(&[0, 0]) { 1 } else { counts.get(k).copied().unwrap_or(1) });
    match [n, m] {
        [1, 1] => Repetition::Once,
        counts => Repetition::Grid { counts, steps: steps.map(|step| step.map(|d| d as f64)) },
    }
}

/// Copies at any places, each as a displacement from the one before.
fn places(
    source: &mut Source<'_>,
    gridded: bool,
    displacement: impl Fn(&mut Source<'_>, i64) -> Result<Vector, Fault>,
) -> Result<Repetition, Fault> {
    let count = source.unsigned()?;
    let grid = if gridded { source.length()? } else { 1 };
    let mut places = Vec::with_capacity(count.min(FIRST_ROOM) as usize + 2);
    let mut place = [0i64; 2];
    places.push(place);
    // The count is written less two, and the first copy has no displacement.
    for _ in 0..=count {
        let [dx, dy] = displacement(source, grid)?;
        place = [plus(place[0], dx)?, plus(place[1], dy)?];
        // A copy on the one before covers nothing more.
        if [dx, dy] != [0, 0] {
            places.push(place);
            source.holds(places.len())?;
        }
    }
    Ok(if places.len() == 1 { Repetition::Once } else { Repetition::Places(places) })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::super::limits::Limits;
    use super::*;

    fn of(bytes: &[u8]) -> Result<Repetition, Fault> {
        repetition(&mut Source::new(&bytes[1..], 0, Limits::of(0)), u64::from(bytes[0]))
    }

    fn grid(counts: [u32; 2], steps: [[f64; 2]; 2]) -> Result<Repetition, Fault> {
        Ok(Repetition::Grid { counts, steps })
    }

    #[test]
    fn each_type_is_read() {
        assert_eq!(of(&[1, 1, 2, 30, 40]), grid([3, 4], [[30.0, 0.0], [0.0, 40.0]]));
        assert_eq!(of(&[2, 1, 30]), grid([3, 1], [[30.0, 0.0], [0.0, 0.0]]));
        assert_eq!(of(&[3, 1, 30]), grid([1, 3], [[0.0, 0.0], [0.0, 30.0]]));
        assert_eq!(of(&[4, 1, 30, 40]), Ok(Repetition::Places(vec![[0, 0], [30, 0], [70, 0]])));
        assert_eq!(of(&[5, 1, 10, 3, 4]), Ok(Repetition::Places(vec![[0, 0], [30, 0], [70, 0]])));
        assert_eq!(of(&[6, 1, 30, 40]), Ok(Repetition::Places(vec![[0, 0], [0, 30], [0, 70]])));
        assert_eq!(of(&[7, 1, 10, 3, 4]), Ok(Repetition::Places(vec![[0, 0], [0, 30], [0, 70]])));
        assert_eq!(of(&[8, 0, 1, 5 << 2 | 1, 4, 5 << 2 | 3, 6]), grid([2, 3], [[5.0, 2.0], [-5.0, 3.0]]));
        assert_eq!(of(&[9, 1, 5 << 4 | 4 << 1]), grid([3, 1], [[5.0, 5.0], [0.0, 0.0]]));
        assert_eq!(of(&[10, 1, 80, 5 << 2 | 3, 3]), Ok(Repetition::Places(vec![[0, 0], [5, 0], [0, -1]])));
        assert_eq!(of(&[11, 1, 10, 80, 5 << 2 | 3, 3]), Ok(Repetition::Places(vec![[0, 0], [50, 0], [0, -10]])));
        assert_eq!(of(&[12]), Err(Fault::RepetitionType(12)));
    }

    #[test]
    fn copies_in_one_place_are_one() {
        assert_eq!(of(&[1, 100, 2, 0, 40]), grid([1, 4], [[0.0, 0.0], [0.0, 40.0]]));
        assert_eq!(of(&[2, 100, 0]), Ok(Repetition::Once));
        assert_eq!(of(&[4, 1, 0, 0]), Ok(Repetition::Once));
    }

    #[test]
    fn numbers_that_are_only_claimed_cost_nothing() {
        let most = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
        assert_eq!(of(&[&[4][..], &most, &[1, 2, 3]].concat()), Err(Fault::EndOfData));
        assert_eq!(of(&[&[2][..], &most, &[1]].concat()), Err(Fault::TooManyCopies(u64::MAX)));
        assert_eq!(of(&[&[11, 0][..], &most, &[80]].concat()), Err(Fault::NumberTooLarge));
    }
}
