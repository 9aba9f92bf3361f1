//! The same for layouts: any bytes end in a hierarchy that can be visited window by window, or in an error that says
//! something.

use std::path::Path;

use rord_layouts::{Bounds, CellId, Hierarchy, HierarchyError, LayerKey, Limits, Point};

/// Less than of a file on disk, so that no input takes long for being large.
const MOST: Limits = Limits { polygons: 200, points: 4_000 };
const MOST_BYTES: u64 = 1 << 20;

/// Reads bytes as a layout, and visits all its tops.
pub fn gds(bytes: &[u8]) {
    is_layout(bytes);
}

/// As [`gds`]; true where the bytes are a layout.
pub fn is_layout(bytes: &[u8]) -> bool {
    let read = match rord_layouts::read::at_most(Path::new("input.gds"), bytes.to_vec(), MOST_BYTES) {
        Ok(read) => read,
        Err(error) => {
            let told = error.to_string();
            assert!(told.starts_with("input.gds: ") && told.len() < 300_000, "{told}");
            return false;
        }
    };
    assert!(read.liberties.iter().all(|liberty| liberty.times > 0 && liberty.to_string().len() < 2_000_000));
    let Ok(hierarchy) = Hierarchy::new(read.library) else { return false };
    for top in hierarchy.tops().into_iter().take(10) {
        windows(&hierarchy, top, MOST);
    }
    true
}

/// Visits by windows are parts of the whole visit, in its order, and are complete; bounds and counts are right.
pub fn windows(hierarchy: &Hierarchy, top: CellId, limits: Limits) {
    let any = |_: LayerKey| true;
    let view = match hierarchy.view(top, &any, limits) {
        Ok(view) => view,
        Err(error) => return assert!(matches!(error, HierarchyError::TooManyPolygons { .. })),
    };
    let mut all = Vec::new();
    let visited = view.visit(None, &mut |key, points| all.push((key, points.to_vec())));
    if visited.is_err() {
        assert!(matches!(visited, Err(HierarchyError::OutOfRange { .. })));
        return;
    }
    let bounds = Bounds::of(all.iter().flat_map(|(_, points)| points));
    assert_eq!(view.bounds(), Ok(bounds));
    let counts = hierarchy.counts(top);
    let count = |key| all.iter().filter(|(on, _)| *on == key).count() as u64;
    assert!(counts.iter().all(|(&key, &counted)| count(key) == counted), "{counts:?}");
    let points = all.iter().map(|(_, points)| points.len() as u64).sum::<u64>();
    let (polygons, most_points) = hierarchy.size(top, &any);
    assert!(points <= most_points && all.len() as u64 == polygons, "{points} {most_points}");
    let Some(Bounds { low, high }) = bounds else { return };
    // A grid of 4 × 3 windows, and a little beyond.
    let cut = |k: usize, part: i64, parts: i64| {
        let (low, high) = (i64::from(low[k]) - 2, i64::from(high[k]) + 2);
        (low + (high - low) * part / parts).clamp(i32::MIN.into(), i32::MAX.into()) as i32
    };
    for (i, j) in (0..4).flat_map(|i| (0..3).map(move |j| (i, j))) {
        let window = Bounds { low: [cut(0, i, 4), cut(1, j, 3)], high: [cut(0, i + 1, 4), cut(1, j + 1, 3)] };
        let touches = |points: &[Point]| {
            let Some(Bounds { low, high }) = Bounds::of(points) else { return false };
            (0..2).all(|k| low[k] <= window.high[k] && high[k] >= window.low[k])
        };
        let expected: Vec<_> = all.iter().filter(|(_, points)| touches(points)).cloned().collect();
        let mut seen = Vec::new();
        view.visit(Some(window), &mut |key, points| seen.push((key, points.to_vec()))).unwrap();
        assert_eq!(seen, expected, "{window:?}");
    }
}
