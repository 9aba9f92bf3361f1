#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use super::*;
use crate::builder::Builder;
use crate::properties::windows;
use crate::testing::*;
use crate::{Repetition, Transform};
use rord_random::Stream;

/// A layout of a few levels with everything that a layout can have.
fn random(random: &mut Stream) -> Hierarchy {
    let mut builder = Builder::default();
    let cells: Vec<CellId> = (0..5).map(|k| builder.cell(format!("cell {k}").as_bytes())).collect();
    for (k, &cell) in cells.iter().enumerate() {
        builder.define(cell);
        let shapes = if random.chance(0.1) { 90 } else { random.below(5) };
        for _ in 0..shapes {
            let key = LayerKey { layer: random.below(3) as u32, datatype: 0 };
            let [x, y] = [random.below(900) as i32 - 400, random.below(900) as i32 - 400];
            let repetition = if random.chance(0.2) { repetition(random) } else { Repetition::Once };
            let caps = [[crate::path::Cap::Flat(3.0); 2], [crate::path::Cap::Square; 2], [crate::path::Cap::Round; 2]];
            match random.below(4) {
                0 => builder.rectangle(key, [x, y, x + 7, y + 30], repetition),
                1 => builder.polygon(key, &L.map(|[px, py]| [px + x, py + y]), repetition),
                2 => {
                    let spine = [[x, y], [x + 50, y], [x + 50, y + random.below(99) as i32], [x, y + 9]];
                    let half = random.below(20) as f64 / 2.0;
                    builder.path(key, &spine, half, caps[random.below(3)], repetition, random.chance(0.5));
                }
                _ => builder.polygon(key, &[[x, y], [x + 100, y + 3], [x, y + 44]], repetition),
            }
        }
        let most = if random.chance(0.1) { 50 } else { 3 };
        let placements = if k == 0 { 0 } else { 1 + random.below(most) };
        for _ in 0..placements {
            let turn = if random.chance(0.7) { 90.0 * random.below(4) as f64 } else { random.range(0.0, 360.0) };
            let magnification = if random.chance(0.7) { 1.0 } else { random.range(0.3, 2.0) };
            let shift = [random.below(3000) as f64, random.below(3000) as f64];
            let transform = Transform::placement(random.chance(0.5), magnification, turn, shift);
            let repetition = if random.chance(0.3) { repetition(random) } else { Repetition::Once };
            builder.place(cells[random.below(k)], transform, repetition);
        }
    }
    Hierarchy::new(builder.finish(0.001).library).unwrap()
}

fn repetition(random: &mut Stream) -> Repetition {
    if random.chance(0.3) {
        let mut place = || [random.below(2000) as i64 - 900, random.below(2000) as i64];
        return Repetition::Places(vec![[0, 0], place(), place(), place()]);
    }
    let counts = [1 + random.below(6) as u32, 1 + random.below(4) as u32];
    let mut step = || match random.below(5) {
        0 => 0.0,
        1 => random.range(-300.0, 300.0),
        _ => random.below(600) as f64 - 200.0,
    };
    Repetition::Grid { counts, steps: [[step(), step()], [step(), step()]] }
}

#[test]
fn windows_show_what_touches_them() {
    let (mut most, mut total) = (0, 0);
    for k in 0..400 {
        let hierarchy = random(&mut Stream::new(11, &[k]));
        for top in hierarchy.tops() {
            windows(&hierarchy, top, Limits { polygons: 20_000, points: 400_000 });
            let size = hierarchy.size(top, &any).0;
            (most, total) = (most.max(size), total + size.min(20_000));
        }
    }
    assert!(most > 5000 && total > 100_000, "{most} {total}");
}

#[test]
fn impossible_hierarchies_are_error_values() {
    let try_new = |cells: &[Vec<u8>]| Hierarchy::new(read_bytes(&stream(cells)).unwrap().library);
    let place = |name: &str| place(name, [0, 0], false, 0.0, 1.0);
    let l = || cell("l", &[boundary(1, &L)]);
    let round = [cell("top", &[place("a")]), cell("a", &[place("b")]), cell("b", &[place("a")])];
    let Err(HierarchyError::Cycle { cells }) = try_new(&round) else { panic!() };
    assert_eq!(cells, ["a", "b", "a"]);
    assert!(matches!(try_new(&[cell("a", &[place("a")])]), Err(HierarchyError::Cycle { .. })));
    // 2⁶³ polygons in 64 cells; and as many places of nothing, which take no time.
    let doubling = |own: Vec<u8>, last: Vec<u8>| {
        let step = |k: usize| {
            let below = format!("c{}", k + 1);
            cell(&format!("c{k}"), &[if k == 0 { own.clone() } else { vec![] }, place(&below), place(&below)])
        };
        hierarchy(&(0..63).map(step).chain([last]).collect::<Vec<_>>())
    };
    let endless = doubling(vec![], cell("c63", &[boundary(1, &L)]));
    let top = endless.tops()[0];
    let error = endless.visit(top, None, &any, &mut |_, _| {}).unwrap_err();
    assert!(matches!(error, HierarchyError::TooManyPolygons { polygons, .. } if polygons == 1 << 63));
    assert_eq!(endless.counts(top).into_values().collect::<Vec<_>>(), [1 << 63]);
    assert_eq!(endless.bounds(top, &any), Ok(Some(Bounds { low: [0, 0], high: [30, 20] })));
    let part = endless.named("c63").unwrap();
    assert!(matches!(endless.instances(top, part, 1000), Err(HierarchyError::TooManyInstances { .. })));
    let nothing = doubling(boundary(1, &L), cell("c63", &[]));
    assert_eq!(flat_below(&nothing, nothing.tops()[0]).len(), 1);
    let chain = |cells: usize| {
        let step = |k: usize| match k + 1 {
            next if next == cells => cell(&format!("c{k}"), &[boundary(1, &L)]),
            next => cell(&format!("c{k}"), &[crate::testing::place(&format!("c{next}"), [1, 1], true, 45.0, 1.0)]),
        };
        (0..cells).map(step).collect::<Vec<_>>()
    };
    for cells in [MAX_DEPTH + 1, 100_000] {
        assert!(matches!(try_new(&chain(cells)), Err(HierarchyError::TooDeep { .. })));
    }
    // As deep as is followed, on a small stack.
    let deepest = move || {
        let deep = hierarchy(&chain(MAX_DEPTH));
        windows(&deep, deep.tops()[0], Limits::FILE);
        deep.instances(deep.tops()[0], deep.named("c255").unwrap(), 1).unwrap().len()
    };
    assert_eq!(std::thread::Builder::new().stack_size(1 << 20).spawn(deepest).unwrap().join().unwrap(), 1);
    let far = hierarchy(&[l(), cell("top", &[crate::testing::place("l", [i32::MAX, 0], false, 0.0, 1.0)])]);
    let beyond = HierarchyError::OutOfRange { cell: "l".into() };
    assert_eq!(far.visit(far.tops()[0], None, &any, &mut |_, _| {}), Err(beyond));
    assert!(matches!(far.bounds(far.tops()[0], &any), Err(HierarchyError::OutOfRange { .. })));
}

#[test]
fn bounds_of_hierarchies_without_end_are_found() {
    // 40 levels, each twice the one below, turned: boxes of boxes would grow beyond any coordinate, and 2⁴⁰ copies
    // cannot be looked at.
    let mut builder = Builder::default();
    let ids: Vec<CellId> = (0..40).map(|k| builder.cell(&[k])).collect();
    builder.define(ids[0]);
    builder.rectangle(LayerKey::default(), [-50, -50, 50, 50], Repetition::Once);
    for pair in ids.windows(2) {
        builder.define(pair[1]);
        for angle in [30.0, 45.0] {
            builder.place(pair[0], Transform::placement(false, 0.9, angle, [1.0, 0.0]), Repetition::Once);
        }
    }
    let hierarchy = Hierarchy::new(builder.finish(1.0).library).unwrap();
    assert!(hierarchy.bounds(hierarchy.tops()[0], &any).unwrap().is_some());
}

#[test]
fn copies_far_from_a_window_take_no_time() {
    // 2⁶⁰ copies, in a grid of a grid, turned by an angle that is not right.
    let mut builder = Builder::default();
    let [dot, row, top] = ["dot", "row", "top"].map(|name| builder.cell(name.as_bytes()));
    let grid = |step: f64| Repetition::Grid { counts: [1 << 15, 1 << 15], steps: [[step, 0.0], [0.0, step]] };
    builder.define(dot);
    builder.rectangle(LayerKey::default(), [0, 0, 1, 1], grid(2.0));
    builder.define(row);
    builder.place(dot, Transform::IDENTITY, grid(2.0));
    builder.define(top);
    builder.place(row, Transform::placement(true, 1.0, 33.0, [5.0, 5.0]), Repetition::Once);
    let hierarchy = Hierarchy::new(builder.finish(1.0).library).unwrap();
    let top = hierarchy.tops()[0];
    assert_eq!(hierarchy.size(top, &any).0, 1 << 60);
    let view = hierarchy.view(top, &any, Limits { polygons: u64::MAX, points: u64::MAX }).unwrap();
    let count = |window| {
        let mut seen = 0;
        view.visit(Some(window), &mut |_, _| seen += 1).unwrap();
        seen
    };
    // At the corner of the first copy, a handful; beyond it none.
    assert!((1..50).contains(&count(Bounds { low: [4, 4], high: [6, 6] })));
    assert_eq!(count(Bounds { low: [-100, 0], high: [-90, 10] }), 0);
    assert!(hierarchy.bounds(top, &any).unwrap().is_some());
}

#[test]
fn instances_are_the_placements_of_the_whole_hierarchy() {
    let l = cell("l", &[boundary(1, &L)]);
    let pair = cell("pair", &[place("l", [0, 0], false, 0.0, 1.0), place("l", [100, 0], true, 90.0, 2.0)]);
    let array = aref("pair", &[], [2, 1], &[[0, 0], [2000, 0], [0, 10]]);
    let hierarchy = hierarchy(&[l, pair, cell("top", &[array, place("l", [5, 5], false, 180.0, 1.0)])]);
    let [top, l] = ["top", "l"].map(|name| hierarchy.named(name).unwrap());
    let found = hierarchy.instances(top, l, 5).unwrap();
    let mut drawn: Vec<Vec<Point>> = Vec::new();
    for transform in &found {
        drawn.push(L.iter().map(|p| transform.apply(p.map(f64::from)).map(|value| value.round() as i32)).collect());
    }
    let mut flat: Vec<_> = flat_below(&hierarchy, top).into_iter().map(|(_, points)| points).collect();
    drawn.sort();
    flat.sort();
    assert_eq!(drawn, flat);
    assert_eq!(hierarchy.instances(l, top, 5), Ok(vec![]));
    assert_eq!(hierarchy.instances(l, l, 5), Ok(vec![Transform::IDENTITY]));
    assert!(hierarchy.instances(top, l, 4).is_err());
}

#[test]
fn notes_of_klayout_are_never_the_top() {
    let part = |name: &str| cell(name, &[boundary(1, &L)]);
    let place = |name: &str| place(name, [0, 0], false, 0.0, 1.0);
    let context = cell(CONTEXT, &[place("a"), place("b"), boundary(1, &L)]);
    let names = |hierarchy: &Hierarchy| {
        hierarchy.tops().into_iter().map(|id| hierarchy.cell(id).unwrap().name.clone()).collect::<Vec<_>>()
    };
    let both = [part("a"), part("b"), context.clone(), cell("chip", &[place("a")])];
    assert_eq!(names(&hierarchy(&both)), ["chip"]);
    assert_eq!(names(&hierarchy(&[context, part("a"), part("b")])), ["a", "b"]);
}

#[test]
fn rectangles_are_their_corners_turned_and_rounded_one_by_one() {
    let mut builder = Builder::default();
    let [bar, top] = ["bar", "top"].map(|name| builder.cell(name.as_bytes()));
    builder.define(bar);
    builder.rectangle(LayerKey::default(), [-3, 5, 40, 9], Repetition::Once);
    builder.define(top);
    // Halves of a unit, too.
    let turns = [0.0, 90.0, 180.0, 270.0, 30.0];
    let placed: Vec<Transform> = [false, true]
        .into_iter()
        .flat_map(|mirrored| turns.map(|turn| Transform::placement(mirrored, 1.0, turn, [100.5, -7.5])))
        .collect();
    placed.iter().for_each(|transform| builder.place(bar, *transform, Repetition::Once));
    let hierarchy = Hierarchy::new(builder.finish(1.0).library).unwrap();
    let corner =
        |transform: &Transform, point: [f64; 2]| transform.apply(point).map(|value| (value + 0.5).floor() as i32);
    let corners = [[-3.0, 5.0], [40.0, 5.0], [40.0, 9.0], [-3.0, 9.0]];
    let mut expected: Vec<Vec<Point>> =
        placed.iter().map(|t| corners.iter().map(|c| corner(t, *c)).collect()).collect();
    let mut seen: Vec<Vec<Point>> = Vec::new();
    let mut sink = |_: LayerKey, points: &[Point]| seen.push(points.to_vec());
    hierarchy.visit(hierarchy.tops()[0], None, &|_| true, &mut sink).unwrap();
    expected.sort();
    seen.sort();
    assert_eq!(seen, expected);
}
