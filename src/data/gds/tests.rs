#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::collections::BTreeSet;
use std::io::Write;
use std::path::PathBuf;

use gds21::*;

use super::*;
use crate::layout::Bounds;
use crate::skip::skip;
use rord_random::Stream;

/// An L, so that each of the eight placements of a square looks different.
const L: [(i32, i32); 6] = [(0, 0), (30, 0), (30, 10), (10, 10), (10, 20), (0, 20)];

fn boundary(layer: i16, points: &[(i32, i32)]) -> GdsElement {
    let closed: Vec<(i32, i32)> = points.iter().chain(points.first()).copied().collect();
    GdsBoundary { layer, datatype: 0, xy: GdsPoint::vec(&closed), ..Default::default() }.into()
}

fn cell(name: &str, elems: Vec<GdsElement>) -> GdsStruct {
    GdsStruct { elems, ..GdsStruct::new(name) }
}

fn sref(name: &str, (x, y): (i32, i32), reflected: bool, angle: f64, mag: f64) -> GdsElement {
    let strans = GdsStrans { reflected, angle: Some(angle), mag: Some(mag), ..Default::default() };
    GdsStructRef { name: name.into(), xy: GdsPoint::new(x, y), strans: Some(strans), ..Default::default() }.into()
}

fn stream(structs: Vec<GdsStruct>) -> Vec<u8> {
    let mut library = GdsLibrary::new("test");
    library.structs = structs;
    let mut file = tempfile::tempfile().unwrap();
    library.write(&mut file).unwrap();
    let mut bytes = Vec::new();
    std::io::Seek::rewind(&mut file).unwrap();
    file.read_to_end(&mut bytes).unwrap();
    bytes
}

fn layout_of(bytes: &[u8], layers: &[LayerKey], top: Option<&str>) -> Result<Layout, DataError> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    read(file.path(), layers, top)
}

fn flat(structs: Vec<GdsStruct>) -> Result<Layout, DataError> {
    layout_of(&stream(structs), &[], None)
}

fn polygons(layout: &Layout) -> Vec<Vec<(i32, i32)>> {
    let lists = layout.layers.iter().flat_map(|layer| layer.polygons.iter());
    lists.map(|points| points.iter().map(|&[x, y]| (x, y)).collect()).collect()
}

#[test]
fn mirrors_and_turns_are_exact() {
    // Reflected first, then turned counter-clockwise, then moved by (1000, -7): written out by hand.
    type Place = fn(i32, i32) -> (i32, i32);
    let expected: [(bool, f64, Place); 8] = [
        (false, 0.0, |x, y| (x, y)),
        (false, 90.0, |x, y| (-y, x)),
        (false, 180.0, |x, y| (-x, -y)),
        (false, 270.0, |x, y| (y, -x)),
        (true, 0.0, |x, y| (x, -y)),
        (true, 90.0, |x, y| (y, x)),
        (true, 180.0, |x, y| (-x, y)),
        (true, -90.0, |x, y| (-y, -x)),
    ];
    for (reflected, angle, place) in expected {
        let top = cell("top", vec![sref("l", (1000, -7), reflected, angle, 1.0)]);
        let layout = flat(vec![top, cell("l", vec![boundary(1, &L)])]).unwrap();
        let by_hand: Vec<(i32, i32)> = L.iter().map(|&(x, y)| place(x, y)).map(|(x, y)| (x + 1000, y - 7)).collect();
        assert_eq!(polygons(&layout), [by_hand], "reflected {reflected}, {angle}°");
    }
}

#[test]
fn placements_compose_from_the_inside_out() {
    // Inner: (x, y) -> (-y, x) + (5, 0). Outer: reflected, turned by 180°, twice as large: (-2x, 2y) + (100, 200).
    let inner = cell("inner", vec![sref("l", (5, 0), false, 90.0, 1.0)]);
    let outer = cell("outer", vec![sref("inner", (100, 200), true, 180.0, 2.0)]);
    let layout = flat(vec![cell("l", vec![boundary(1, &L)]), inner, outer]).unwrap();
    let by_hand: Vec<(i32, i32)> = L.iter().map(|&(x, y)| (-2 * (5 - y) + 100, 2 * x + 200)).collect();
    assert_eq!(polygons(&layout), [by_hand]);
    // 45 degrees: rounded once, to the nearest unit.
    let top = cell("top", vec![sref("s", (0, 0), false, 45.0, 1.0)]);
    let square = boundary(1, &[(0, 0), (100, 0), (100, 100), (0, 100)]);
    let layout = flat(vec![top, cell("s", vec![square])]).unwrap();
    assert_eq!(polygons(&layout), [[(0, 0), (71, 71), (0, 141), (-71, 71)]]);
}

#[test]
fn arrays_step_by_their_own_vectors() {
    let array = |strans, xy: [(i32, i32); 3]| GdsArrayRef {
        name: "dot".into(),
        xy: xy.map(|(x, y)| GdsPoint::new(x, y)),
        cols: 3,
        rows: 2,
        strans,
        ..Default::default()
    };
    let dot = || cell("dot", vec![boundary(1, &[(0, 0), (2, 0), (2, 1)])]);
    let first = |layout: &Layout| polygons(layout).iter().map(|p| p[0]).collect::<BTreeSet<_>>();
    let top = cell("top", vec![array(None, [(10, 20), (40, 20), (10, 120)]).into()]);
    let layout = flat(vec![dot(), top]).unwrap();
    assert_eq!(first(&layout), [(10, 20), (20, 20), (30, 20), (10, 70), (20, 70), (30, 70)].into());
    // The lattice of a turned array is given as it lies in the parent.
    let strans = GdsStrans { angle: Some(90.0), ..Default::default() };
    let top = cell("top", vec![array(Some(strans), [(0, 0), (0, 30), (-100, 0)]).into()]);
    let layout = flat(vec![dot(), top]).unwrap();
    assert_eq!(first(&layout), [(0, 0), (0, 10), (0, 20), (-50, 0), (-50, 10), (-50, 20)].into());
    assert_eq!(polygons(&layout)[0], [(0, 0), (0, 2), (-1, 2)]);
}

#[test]
fn paths_become_polygons_of_their_type() {
    let path = |path_type, begin_extn, end_extn, width| GdsPath {
        layer: 1,
        datatype: 0,
        xy: GdsPoint::vec(&[(0, 0), (100, 0)]),
        width: Some(width),
        path_type: Some(path_type),
        begin_extn,
        end_extn,
        ..Default::default()
    };
    let bounds = |element: GdsPath| {
        let Bounds { low, high } = flat(vec![cell("top", vec![element.into()])]).unwrap().bounds;
        [low[0], low[1], high[0], high[1]]
    };
    assert_eq!(bounds(path(0, None, None, 20)), [0, -10, 100, 10]);
    assert_eq!(bounds(path(1, None, None, 20)), [-10, -10, 110, 10]);
    assert_eq!(bounds(path(2, None, None, 20)), [-10, -10, 110, 10]);
    assert_eq!(bounds(path(4, Some(3), Some(7), 20)), [-3, -10, 107, 10]);
    // In a cell drawn twice as large, a negative width stays.
    for (width, half) in [(20, 20), (-20, 10)] {
        let top = cell("top", vec![sref("p", (0, 0), false, 0.0, 2.0)]);
        let layout = flat(vec![cell("p", vec![path(0, None, None, width).into()]), top]).unwrap();
        assert_eq!(layout.bounds, Bounds { low: [0, -half], high: [200, half] });
    }
    let error = flat(vec![cell("top", vec![path(3, None, None, 20).into()])]).unwrap_err();
    assert!(matches!(error, DataError::BadPathType { path_type: 3, .. }));
    let square = GdsPoint::vec(&[(0, 0), (9, 0), (9, 9), (0, 9), (0, 0)]);
    let boxed = GdsBox { layer: 4, boxtype: 2, xy: square.try_into().unwrap(), ..Default::default() };
    let layout = flat(vec![cell("top", vec![boxed.into()])]).unwrap();
    assert_eq!((layout.layers[0].name.as_str(), polygons(&layout)[0].len()), ("4/2", 4));
}

#[test]
fn the_top_is_the_largest_cell_that_no_other_places() {
    let small = cell("small", vec![boundary(1, &L)]);
    let large = cell("large", vec![sref("part", (0, 0), false, 0.0, 1.0), boundary(2, &L)]);
    let bytes = stream(vec![small, cell("part", vec![boundary(1, &L), boundary(1, &L)]), large]);
    let counts =
        |top| layout_of(&bytes, &[], top).map(|l| l.layers.iter().map(|l| l.polygons.len()).collect::<Vec<_>>());
    assert_eq!(counts(None), Ok(vec![2, 1]));
    assert_eq!(counts(Some("small")), Ok(vec![1]));
    assert_eq!(counts(Some("part")), Ok(vec![2]));
    let Err(DataError::NoSuchCell { tops, .. }) = counts(Some("gone")) else { panic!() };
    assert_eq!(tops, ["small", "large"]);
    // Wanted layers come in the wanted order; one without polygons stays as long as another has some.
    let key = |layer| LayerKey { layer, datatype: 0 };
    let layout = layout_of(&bytes, &[key(2), key(9), key(1)], None).unwrap();
    assert_eq!(layout.layers.iter().map(|l| l.polygons.len()).collect::<Vec<_>>(), [1, 0, 2]);
    let Err(DataError::NoPolygons { wanted, present, .. }) = layout_of(&bytes, &[key(9)], None) else { panic!() };
    assert_eq!((wanted, present), (vec![key(9)], vec![(key(1), 2), (key(2), 1)]));
}

#[test]
fn impossible_hierarchies_are_error_values() {
    let place = |name: &str| sref(name, (0, 0), false, 0.0, 1.0);
    let l = || cell("l", vec![boundary(1, &L)]);
    let Err(DataError::MissingCell { cell: at, missing, .. }) = flat(vec![cell("top", vec![place("no")])]) else {
        panic!()
    };
    assert_eq!((at.as_str(), missing.as_str()), ("top", "no"));
    let round = vec![cell("top", vec![place("a")]), cell("a", vec![place("b")]), cell("b", vec![place("a")])];
    let Err(DataError::CellCycle { cells, .. }) = flat(round) else { panic!() };
    assert_eq!(cells, ["a", "b", "a"]);
    assert!(matches!(flat(vec![cell("a", vec![place("a")])]), Err(DataError::CellCycle { .. })));
    assert!(matches!(flat(vec![l(), l()]), Err(DataError::DuplicateCell { .. })));
    assert!(matches!(flat(vec![]), Err(DataError::NoCells { .. })));
    // 2⁶³ polygons in 64 cells; and as many places of nothing, which take no time.
    let doubling = |last: GdsStruct| {
        let step =
            |k: usize| cell(&format!("c{k}"), vec![place(&format!("c{}", k + 1)), place(&format!("c{}", k + 1))]);
        (0..63).map(step).chain([last]).collect::<Vec<_>>()
    };
    let Err(DataError::TooManyPolygons { polygons, .. }) = flat(doubling(cell("c63", vec![boundary(1, &L)]))) else {
        panic!()
    };
    assert_eq!(polygons, 1 << 63);
    let mut nothing = doubling(cell("c63", vec![]));
    nothing[0].elems.push(boundary(1, &L));
    assert_eq!(flat(nothing).unwrap().layers[0].polygons.len(), 1);
    let chain = (0..100_000).map(|k| match k {
        99_999 => cell("c99999", vec![boundary(1, &L)]),
        _ => cell(&format!("c{k}"), vec![place(&format!("c{}", k + 1))]),
    });
    assert!(matches!(flat(chain.collect()), Err(DataError::TooDeep { .. })));
    let array = GdsArrayRef { name: "l".into(), cols: 0, rows: 2, ..Default::default() };
    assert!(matches!(flat(vec![l(), cell("top", vec![array.into()])]), Err(DataError::BadArray { columns: 0, .. })));
    let far = |mag| flat(vec![l(), cell("top", vec![sref("l", (i32::MAX, 0), false, 0.0, mag)])]);
    assert!(matches!(far(1.0), Err(DataError::OutOfRange { .. })));
    assert!(matches!(far(0.0), Err(DataError::BadPlacement { .. })));
}

#[test]
fn broken_files_are_error_values_and_never_panics() {
    let text = GdsTextElem { string: String::new(), layer: 1, ..Default::default() };
    let array = GdsArrayRef {
        name: "l".into(),
        xy: [(0, 0), (90, 0), (0, 90)].map(|(x, y)| GdsPoint::new(x, y)),
        cols: 3,
        rows: 3,
        ..Default::default()
    };
    let path = GdsPath { layer: 2, xy: GdsPoint::vec(&[(0, 0), (50, 0)]), width: Some(4), ..Default::default() };
    let l = cell("l", vec![boundary(1, &L), path.into(), text.into()]);
    let whole = stream(vec![l, cell("top", vec![array.into(), sref("l", (0, 0), true, 90.0, 1.5)])]);
    assert_eq!(polygons(&layout_of(&whole, &[], None).unwrap()).len(), 20);
    for end in 0..whole.len() {
        let error = layout_of(&whole[..end], &[], None).unwrap_err();
        let expected = match (end, &error) {
            (0, DataError::EmptyFile { .. }) | (1..4, DataError::NotGds { .. }) => true,
            (4.., DataError::Truncated { offset, .. }) => *offset == end as u64,
            _ => false,
        };
        assert!(expected, "cut at {end}: {error}");
    }
    // Any other byte anywhere: a layout or an error value, no panic.
    let mut random = Stream::new(5, &[]);
    let mut good = 0;
    for k in 0..4 * whole.len() {
        let mut bytes = whole.clone();
        bytes[k % whole.len()] = random.bits() as u8;
        good += usize::from(layout_of(&bytes, &[], None).is_ok());
    }
    assert!(good > whole.len() / 4, "{good}");
    let unknown = [0, 6, 0, 2, 0, 3, 0, 4, 0x7f, 0, 0, 4, 4, 0];
    let odd = [0, 6, 0, 2, 0, 3, 0, 5, 0x7f, 0, 0, 4, 4, 0];
    for bytes in [unknown, odd] {
        assert!(matches!(layout_of(&bytes, &[], None), Err(DataError::Malformed { .. })));
    }
    // UNITS is the third record, behind HEADER (6 bytes), BGNLIB (28) and LIBNAME (8); the second of its numbers is
    // meters.
    let mut bytes = whole.clone();
    assert_eq!(bytes[42..46], [0, 20, 3, 5]);
    bytes[54..62].fill(0);
    assert!(matches!(layout_of(&bytes, &[], None), Err(DataError::BadUnit { meters: 0.0, .. })));
    bytes[54..62].copy_from_slice(&GdsFloat64::encode(-1e-9).to_be_bytes());
    assert!(matches!(layout_of(&bytes, &[], None), Err(DataError::BadUnit { meters, .. }) if meters < 0.0));
}

#[test]
fn gzip_is_told_from_content() {
    let plain = stream(vec![cell("l", vec![boundary(1, &L)])]);
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(&plain).unwrap();
    let packed = encoder.finish().unwrap();
    assert_eq!(polygons(&layout_of(&packed, &[], None).unwrap()), [L]);
    for end in [2, 5, 12, packed.len() / 2, packed.len() - 1] {
        assert!(matches!(layout_of(&packed[..end], &[], None), Err(DataError::Gzip { .. })), "cut at {end}");
    }
    assert!(matches!(layout_of(b"\x1f\x8bgarbage that is no deflate stream", &[], None), Err(DataError::Gzip { .. })));
}

#[test]
fn real_layouts_have_the_known_number_of_polygons() {
    let Some(folder) = std::env::var_os("RORD_LAYOUTS").map(PathBuf::from) else {
        return skip("RORD_LAYOUTS may name a folder with the layouts of sky130");
    };
    let layout = read(&folder.join("sky130/gregdavill_serv_top.gds.gz"), &[], None).unwrap();
    assert_eq!(layout.layers.iter().map(|layer| layer.polygons.len()).sum::<usize>(), 190_028);
    assert_eq!((layout.layers.len(), layout.unit), (28, 0.001));
    let cells = Gds { files: vec![folder.join("cells").to_str().unwrap().into()], resolution: 10.0, ..Gds::default() };
    let pictures = cells.load().unwrap();
    assert_eq!(pictures.len(), 1);
    assert!(pictures[0].layer("67/20").is_some_and(|layer| pictures[0].samples(layer).eight().contains(&255)));
    // The same picture, however many threads draw it.
    let layers = ["66/20", "67/20", "68/20"].map(|key| key.parse().unwrap()).to_vec();
    let gds = Gds { files: vec![folder.join("sky130/gatecat*").to_str().unwrap().into()], layers, ..cells };
    let threads = |n| rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap().install(|| gds.load().unwrap());
    assert!(threads(1) == threads(3));
}
