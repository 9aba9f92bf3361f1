#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::collections::BTreeSet;
use std::io::Write;
use std::path::PathBuf;

use crate::testing::*;
use crate::{Bounds, Hierarchy, LibertyKind, Point, ReadError};
use rord_random::Stream;

#[test]
fn mirrors_and_turns_are_exact() {
    // Reflected first, then turned counter-clockwise, then moved by (1000, -7): written out by hand.
    type Place = fn(i32, i32) -> Point;
    let expected: [(bool, f64, Place); 8] = [
        (false, 0.0, |x, y| [x, y]),
        (false, 90.0, |x, y| [-y, x]),
        (false, 180.0, |x, y| [-x, -y]),
        (false, 270.0, |x, y| [y, -x]),
        (true, 0.0, |x, y| [x, -y]),
        (true, 90.0, |x, y| [y, x]),
        (true, 180.0, |x, y| [-x, y]),
        (true, -90.0, |x, y| [-y, -x]),
    ];
    for (reflected, angle, moved) in expected {
        let top = cell("top", &[place("l", [1000, -7], reflected, angle, 1.0)]);
        let by_hand: Vec<Point> = L.iter().map(|&[x, y]| moved(x, y)).map(|[x, y]| [x + 1000, y - 7]).collect();
        assert_eq!(flat(&[top, cell("l", &[boundary(1, &L)])]), [by_hand], "reflected {reflected}, {angle}°");
    }
}

#[test]
fn placements_compose_from_the_inside_out() {
    // Inner: (x, y) -> (-y, x) + (5, 0). Outer: reflected, turned by 180°, twice as large: (-2x, 2y) + (100, 200).
    let inner = cell("inner", &[place("l", [5, 0], false, 90.0, 1.0)]);
    let outer = cell("outer", &[place("inner", [100, 200], true, 180.0, 2.0)]);
    let by_hand: Vec<Point> = L.iter().map(|&[x, y]| [-2 * (5 - y) + 100, 2 * x + 200]).collect();
    assert_eq!(flat(&[cell("l", &[boundary(1, &L)]), inner, outer]), [by_hand]);
    // 45 degrees: rounded once, to the nearest unit.
    let top = cell("top", &[place("s", [0, 0], false, 45.0, 1.0)]);
    let square = boundary(1, &[[0, 0], [100, 0], [100, 100], [0, 100]]);
    assert_eq!(flat(&[top, cell("s", &[square])]), [[[0, 0], [71, 71], [0, 141], [-71, 71]]]);
}

#[test]
fn arrays_step_by_their_own_vectors() {
    let array = |how: &[Vec<u8>], points: [Point; 3]| cell("top", &[aref("dot", how, [3, 2], &points)]);
    let dot = || cell("dot", &[boundary(1, &[[0, 0], [2, 0], [2, 1]])]);
    let first = |all: &[Vec<Point>]| all.iter().map(|p| p[0]).collect::<BTreeSet<_>>();
    let all = flat(&[dot(), array(&[], [[10, 20], [40, 20], [10, 120]])]);
    assert_eq!(first(&all), [[10, 20], [20, 20], [30, 20], [10, 70], [20, 70], [30, 70]].into());
    // The lattice of a turned array is given as it lies in the parent.
    let all = flat(&[dot(), array(&[strans(0), turned(90.0)], [[0, 0], [0, 30], [-100, 0]])]);
    assert_eq!(first(&all), [[0, 0], [0, 10], [0, 20], [-50, 0], [-50, 10], [-50, 20]].into());
    assert_eq!(all[0], [[0, 0], [0, 2], [-1, 2]]);
    // Points that are on no grid: each copy is rounded where it comes to lie.
    let all = flat(&[dot(), array(&[], [[0, 0], [10, 1], [0, 3]])]);
    assert_eq!(first(&all), [[0, 0], [3, 0], [7, 1], [0, 2], [3, 2], [7, 2]].into());
    // As many columns as two bytes can say, without a sign.
    let wide = cell("top", &[aref("dot", &[], [65535, 1], &[[0, 0], [3 * 65535, 0], [0, 9]])]);
    let all = flat(&[dot(), wide]);
    assert_eq!((all.len(), all[65534][0]), (65535, [3 * 65534, 0]));
}

#[test]
fn paths_become_polygons_of_their_type() {
    let straight = [[0, 0], [100, 0]];
    let bounds = |element: Vec<u8>| {
        let Bounds { low, high } = Bounds::of(flat(&[cell("top", &[element])]).iter().flatten()).unwrap();
        [low[0], low[1], high[0], high[1]]
    };
    assert_eq!(bounds(path(0, 20, &[], &straight)), [0, -10, 100, 10]);
    assert_eq!(bounds(path(1, 20, &[], &straight)), [-10, -10, 110, 10]);
    assert_eq!(bounds(path(2, 20, &[], &straight)), [-10, -10, 110, 10]);
    let extensions = [record(0x30, 3, &longs(&[3])), record(0x31, 3, &longs(&[7]))];
    assert_eq!(bounds(path(4, 20, &extensions, &straight)), [-3, -10, 107, 10]);
    // In a cell drawn twice as large, a negative width stays; so does a square end, which is half of it.
    for (kind, width, reach) in [(0, 20, [0, 20]), (0, -20, [0, 10]), (2, 20, [20, 20]), (2, -20, [10, 10])] {
        let top = cell("top", &[place("p", [0, 0], false, 0.0, 2.0)]);
        let all = flat(&[cell("p", &[path(kind, width, &[], &straight)]), top]);
        let expected = Bounds { low: [-reach[0], -reach[1]], high: [200 + reach[0], reach[1]] };
        assert_eq!(Bounds::of(all.iter().flatten()), Some(expected), "type {kind}, width {width}");
    }
    // An odd width lies half a unit beside the grid, and is rounded after it was turned.
    let odd = cell("p", &[path(0, 3, &[], &straight)]);
    for (angle, expected) in [(0.0, [0, -1, 100, 2]), (180.0, [-100, -1, 0, 2])] {
        let all = flat(&[odd.clone(), cell("top", &[place("p", [0, 0], false, angle, 1.0)])]);
        let Bounds { low, high } = Bounds::of(all.iter().flatten()).unwrap();
        assert_eq!([low[0], low[1], high[0], high[1]], expected);
    }
    // No width, no area.
    let square = || boundary(2, &SQUARE);
    for nothing in [path(0, 0, &[], &straight), path(4, 0, &extensions, &straight), path(0, 9, &[], &straight[..1])] {
        assert_eq!(flat(&[cell("top", &[nothing, square()])]), [SQUARE]);
    }
    let closed = [[0, 0], [9, 0], [9, 9], [0, 9], [0, 0]];
    let numbers = [record(0x0d, 2, &shorts(&[4])), record(0x2e, 2, &shorts(&[2]))];
    let hierarchy = hierarchy(&[cell("top", &[element(0x2d, &[numbers.concat(), xy(&closed)])])]);
    let all = flat_below(&hierarchy, hierarchy.tops()[0]);
    assert_eq!((all[0].0.to_string().as_str(), all[0].1.len()), ("4/2", 4));
}

#[test]
fn tops_are_the_cells_that_no_other_places() {
    let small = cell("small", &[boundary(1, &L)]);
    let large = cell("large", &[place("part", [0, 0], false, 0.0, 1.0), boundary(2, &L)]);
    let hierarchy = hierarchy(&[small, cell("part", &[boundary(1, &L), boundary(1, &L)]), large]);
    let counts = |name: &str| {
        let counts = hierarchy.counts(hierarchy.named(name).unwrap());
        counts.into_iter().map(|(key, count)| (key.to_string(), count)).collect::<Vec<_>>()
    };
    let names = |ids: Vec<_>| ids.into_iter().map(|id| hierarchy.cell(id).unwrap().name.clone()).collect::<Vec<_>>();
    assert_eq!(counts("large"), [("1/0".into(), 2), ("2/0".into(), 1)]);
    assert_eq!(counts("small"), [("1/0".into(), 1)]);
    assert_eq!(counts("part"), [("1/0".into(), 2)]);
    assert_eq!(hierarchy.named("gone"), None);
    assert_eq!(names(hierarchy.tops()), ["small", "large"]);
    assert_eq!(names(hierarchy.matching("*a[rl]*")), ["small", "part", "large"]);
}

#[test]
fn impossible_libraries_are_error_values() {
    let error = |cells: &[Vec<u8>]| read_bytes(&stream(cells)).unwrap_err();
    let l = || cell("l", &[boundary(1, &L)]);
    assert!(matches!(error(&[]), ReadError::NoCells { .. }));
    let none = error(&[l(), cell("top", &[place("l", [0, 0], false, 0.0, 0.0)])]);
    assert!(none.to_string().contains("in cell `top`, at byte 216:"), "{none}");
    assert!(none.to_string().ends_with("`l` is placed with magnification 0 and angle 0"), "{none}");
    let nameless = [record(5, 2, &[0; 24]), boundary(1, &L)].concat();
    assert!(error(&[nameless]).to_string().ends_with("at byte 90: a cell without a STRNAME record"));
    let short = cell("top", &[element(8, &[record(0x0d, 2, &[]), xy(&L)])]);
    assert!(error(&[short]).to_string().contains("in cell `top`, at byte 102: a record of type 0x0d with 0 bytes"));
}

#[test]
fn broken_files_are_error_values_and_never_panics() {
    let points = [[0, 0], [90, 0], [0, 90]];
    let label = element(0x0c, &[layer(1, 0), xy(&[[0, 0]]), record(0x19, 6, &[])]);
    let l = cell("l", &[boundary(1, &L), path(0, 4, &[], &[[0, 0], [50, 0]]), label]);
    let placements = [aref("l", &[], [3, 3], &points), place("l", [0, 0], true, 90.0, 1.5)];
    let whole = stream(&[l.clone(), cell("top", &placements)]);
    assert_eq!(flat(&[l, cell("top", &placements)]).len(), 20);
    for end in 0..whole.len() {
        let error = read_bytes(&whole[..end]).unwrap_err();
        let expected = match (end, &error) {
            (0, ReadError::EmptyFile { .. }) | (1..4, ReadError::NotLayout { .. }) => true,
            (4.., ReadError::Truncated { at, .. }) => *at == end as u64,
            _ => false,
        };
        assert!(expected, "cut at {end}: {error}");
    }
    let Err(ReadError::Truncated { cell, .. }) = read_bytes(&whole[..whole.len() - 20]) else { panic!() };
    assert_eq!(cell.as_deref(), Some("top"));
    // What GDSII does not have is passed over; a record that no file can have is not.
    let unknown = [0, 6, 0, 2, 0, 3, 0, 4, 0x7f, 0, 0, 4, 4, 0];
    assert!(matches!(read_bytes(&unknown), Err(ReadError::NoCells { .. })));
    for length in 0..4 {
        let impossible = [0, 6, 0, 2, 0, 3, 0, length, 0x7f, 0, 0, 4, 4, 0];
        assert!(matches!(read_bytes(&impossible), Err(ReadError::Malformed { at: 6, .. })), "{length}");
    }
    // UNITS is the third record, behind HEADER (6 bytes), BGNLIB (28) and LIBNAME (8); the second of its numbers is
    // meters.
    let mut bytes = whole;
    assert_eq!(bytes[42..46], [0, 20, 3, 5]);
    bytes[54..62].fill(0);
    assert!(matches!(read_bytes(&bytes), Err(ReadError::BadUnit { meters: 0.0, .. })));
    bytes[54..62].copy_from_slice(&real(-1e-9));
    assert!(matches!(read_bytes(&bytes), Err(ReadError::BadUnit { meters, .. }) if meters < 0.0));
    bytes[54..62].copy_from_slice(&real(2.5e-10));
    assert_eq!(read_bytes(&bytes).unwrap().library.unit, 2.5e-4);
}

#[test]
fn gzip_is_told_from_content() {
    let plain = stream(&[cell("l", &[boundary(1, &L)])]);
    let pack = |bytes: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    };
    let packed = pack(&plain);
    assert_eq!(read_bytes(&packed), read_bytes(&plain));
    for end in [2, 5, 12, packed.len() / 2, packed.len() - 1] {
        assert!(matches!(read_bytes(&packed[..end]), Err(ReadError::Gzip { .. })), "cut at {end}");
    }
    assert!(matches!(read_bytes(b"\x1f\x8bgarbage that is no deflate stream"), Err(ReadError::Gzip { .. })));
    // A stream made to grow without end, behind a layout or instead of one.
    let zeros = vec![0; 100 << 20];
    let behind = pack(&[plain.as_slice(), &zeros].concat());
    assert!(matches!(read_bytes(&behind), Err(ReadError::FileTooLarge { .. })));
    assert!(matches!(read_bytes(&pack(&zeros)), Err(ReadError::NotLayout { looks: None, .. })));
    let Err(ReadError::NotLayout { looks, .. }) = read_bytes(b"BZh91AY&SY") else { panic!() };
    assert_eq!(looks, Some("a bzip2 file"));
}

/// A folder beside the repository, or where the variable says.
fn shared(variable: &str, folder: &str) -> Option<PathBuf> {
    let beside = || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared")).join(folder);
    let folder = std::env::var_os(variable).map_or_else(beside, PathBuf::from);
    folder.is_dir().then_some(folder)
}

#[test]
fn real_layouts_have_the_known_number_of_polygons() {
    let Some(folder) = shared("RORD_LAYOUTS", "data/gds") else {
        return crate::skip::skip("RORD_LAYOUTS may name a folder with the layouts of sky130");
    };
    let read = crate::read(&folder.join("sky130/gregdavill_serv_top.gds.gz")).unwrap();
    assert_eq!((read.liberties.len(), read.library.unit), (0, 0.001));
    let hierarchy = Hierarchy::new(read.library).unwrap();
    let counts = hierarchy.counts(hierarchy.tops()[0]);
    assert_eq!((counts.values().sum::<u64>(), counts.len()), (190_028, 28));
    let mut visited = std::collections::BTreeMap::new();
    hierarchy.visit(hierarchy.tops()[0], None, &any, &mut |key, _| *visited.entry(key).or_default() += 1).unwrap();
    assert_eq!(visited, counts);
}

/// Polygons and their area in square units, on all layers of all tops, as gdstk 1.0.2 and KLayout 0.30.12 find them.
const CASES: [(&str, usize, f64, usize); 13] = [
    ("absolute_flag.gds", 5, 536e6, 1),
    ("boundary_hides.gds", 21, 2320e6, 0),
    ("context_cell_wins.gds", 43, 200e6, 0),
    ("keyhole.gds", 1, 1200e6, 0),
    ("layer_40000.gds", 2, 2400e6, 0),
    ("library_of_tops.gds", 60, 1380e6, 0),
    ("mag_without_strans.gds", 5, 224e6, 1),
    ("missing_cell.gds", 5, 146e6, 1),
    ("name_latin1.gds", 5, 146e6, 1),
    // gdstk's area is 170.1374, KLayout's, whose circles are finer, 170.1523.
    ("path_types.gds", 4, 170.1379e6, 0),
    // Both keep a polygon without area.
    ("path_width_0.gds", 0, 0.0, 1),
    ("two_xy_records.gds", 4, 434.1591e6, 1),
    ("ten/9.gds", 14, 296e6, 0),
];

#[test]
fn layouts_of_other_tools_are_read_as_they_read_them() {
    let Some(folder) = shared("RORD_CASES", "cases/data") else {
        return crate::skip::skip("RORD_CASES may name a folder with layouts of other tools");
    };
    for (name, polygons, covered, remarks) in CASES {
        let read = crate::read(&folder.join(name)).unwrap();
        assert_eq!(read.liberties.len(), remarks, "{name}: {:?}", read.liberties);
        let hierarchy = Hierarchy::new(read.library).unwrap();
        let all: Vec<_> = hierarchy.tops().into_iter().flat_map(|top| flat_below(&hierarchy, top)).collect();
        let sum: f64 = all.iter().map(|(_, points)| area(points)).sum();
        assert_eq!(all.len(), polygons, "{name}");
        assert!((sum - covered).abs() <= 1e-6 * covered, "{name}: {sum}");
    }
    let Err(ReadError::Truncated { cell, at, .. }) = crate::read(&folder.join("one_broken/x.gds")) else { panic!() };
    assert_eq!((cell.as_deref(), at), (Some("TOP"), 366));
}

#[test]
fn what_is_no_file_is_an_error_value() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    assert!(matches!(crate::read(folder), Err(ReadError::Unreadable { not_found: false, .. })));
    assert!(matches!(crate::read(&folder.join("gone.gds")), Err(ReadError::Unreadable { not_found: true, .. })));
    let Err(ReadError::NotLayout { looks: None, .. }) = crate::read(&folder.join("lib.rs")) else { panic!() };
}

#[test]
fn any_bytes_are_a_library_or_an_error() {
    let points = [[0, 0], [90, 0], [0, 90]];
    let l = cell("l", &[boundary(1, &L), path(4, -5, &[record(0x30, 3, &longs(&[3]))], &[[0, 0], [50, 40], [9, 9]])]);
    let round = cell("round", &[path(1, 7, &[], &[[0, 0], [50, 0]]), place("l", [1, 2], true, 30.0, 0.5)]);
    let placements = [aref("l", &[strans(0)], [3, 3], &points), place("round", [0, 0], true, 90.0, 1.5)];
    let whole = stream(&[l, round, cell("top", &placements)]);
    let mut random = Stream::new(5, &[]);
    let times = std::env::var("RORD_MUTATIONS").ok().and_then(|times| times.parse().ok()).unwrap_or(20_000);
    let mut good = 0;
    for _ in 0..times {
        let mut bytes = whole.clone();
        for _ in 0..=random.below(3) {
            let at = random.below(bytes.len());
            match random.below(8) {
                0 => bytes.truncate(at.max(1)),
                1 => drop(bytes.drain(at..(at + random.below(9)).min(bytes.len()))),
                2 => {
                    let part = bytes[at..(at + random.below(40)).min(bytes.len())].to_vec();
                    let to = random.below(bytes.len());
                    bytes.splice(to..to, part);
                }
                _ => bytes[at] = random.bits() as u8,
            }
            if bytes.is_empty() {
                bytes.push(0);
            }
        }
        good += usize::from(crate::properties::is_layout(&bytes));
    }
    assert!(good > times / 4, "{good} of {times}");
}

#[test]
fn what_fuzzing_found_is_read() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/corpus/gds");
    let files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(files.len() >= 15, "{}", files.len());
    let good = files.iter().filter(|path| crate::properties::is_layout(&std::fs::read(path).unwrap())).count();
    assert!(good > 3, "{good}");
}

mod lenient;
