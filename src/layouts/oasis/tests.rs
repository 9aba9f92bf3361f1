//! Files of every record against what gdstk and KLayout read of them (`tests/golden/oasis.py`), and the same files
//! broken.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::*;
use crate::path::outline;
use crate::{CellId, LayerKey, LibertyKind, Library, Repetition, Transform};

pub(super) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/oasis")
}

fn bytes_of(name: &str) -> Vec<u8> {
    std::fs::read(folder().join(format!("{name}.oas"))).unwrap()
}

fn library(name: &str) -> ReadLibrary {
    read(Path::new(name), &bytes_of(name)).unwrap()
}

/// Polygons, the sum of their areas, and their bounding box.
type Seen = (u64, f64, [f64; 4]);

/// Offsets of all copies.
fn offsets(repetition: &Repetition) -> Vec<[f64; 2]> {
    match repetition {
        Repetition::Once => vec![[0.0; 2]],
        Repetition::Places(places) => places.iter().map(|place| place.map(|value| value as f64)).collect(),
        Repetition::Grid { counts, steps } => {
            let at = |i: u32, j: u32, axis: usize| f64::from(i) * steps[0][axis] + f64::from(j) * steps[1][axis];
            (0..counts[1])
                .flat_map(|j| (0..counts[0]).map(move |i| (i, j)))
                .map(|(i, j)| [at(i, j, 0), at(i, j, 1)])
                .collect()
        }
    }
}

/// Counts a cell's polygons with all cells in place, without rounding.
fn flatten(library: &Library, cell: CellId, transform: &Transform, seen: &mut BTreeMap<LayerKey, Seen>) {
    let cell = &library.cells[cell.0 as usize];
    let mut add = |key: LayerKey, points: &[[f64; 2]], repetition: &Repetition| {
        for [dx, dy] in offsets(repetition) {
            let points: Vec<[f64; 2]> = points.iter().map(|[x, y]| transform.apply([x + dx, y + dy])).collect();
            let next = points.iter().cycle().skip(1);
            let area = points.iter().zip(next).map(|(a, b)| a[0] * b[1] - a[1] * b[0]).sum::<f64>().abs() / 2.0;
            let none = (0, 0.0, [f64::MAX, f64::MAX, f64::MIN, f64::MIN]);
            let (count, sum, bounds) = seen.entry(key).or_insert(none);
            (*count, *sum) = (*count + 1, *sum + area);
            for [x, y] in points {
                *bounds = [bounds[0].min(x), bounds[1].min(y), bounds[2].max(x), bounds[3].max(y)];
            }
        }
    };
    let float = |points: &[[i32; 2]]| points.iter().map(|point| point.map(f64::from)).collect::<Vec<_>>();
    for (key, shapes) in &cell.layers {
        for &[x0, y0, x1, y1] in &shapes.rectangles {
            add(*key, &float(&[[x0, y0], [x1, y0], [x1, y1], [x0, y1]]), &Repetition::Once);
        }
        for points in shapes.polygons.iter() {
            add(*key, &float(points), &Repetition::Once);
        }
        for (points, repetition) in &shapes.repeated {
            add(*key, &float(points), repetition);
        }
        for wire in &shapes.wires {
            add(*key, &outline(&float(&wire.spine), wire.half, wire.caps), &wire.repetition);
        }
    }
    for placement in &cell.placements {
        for by in offsets(&placement.repetition) {
            // A copy is moved in the coordinates of the cell that holds it.
            let [x, y] = placement.transform.shift;
            let moved = transform.after(&placement.transform, [x + by[0], y + by[1]]);
            flatten(library, placement.cell, &moved, seen);
        }
    }
}

fn counted(library: &Library) -> BTreeMap<LayerKey, Seen> {
    let placed: Vec<CellId> = library.cells.iter().flat_map(|cell| &cell.placements).map(|p| p.cell).collect();
    let mut seen = BTreeMap::new();
    for id in (0..library.cells.len() as u32).map(CellId).filter(|id| !placed.contains(id)) {
        flatten(library, id, &Transform::IDENTITY, &mut seen);
    }
    seen
}

#[test]
fn every_file_is_read_as_gdstk_and_klayout_read_it() {
    let expected = std::fs::read_to_string(folder().join("expected.txt")).unwrap();
    let mut lines = expected.lines().peekable();
    let mut files = 0;
    while let Some(head) = lines.next() {
        let head: Vec<&str> = head.split(' ').collect();
        let (name, unit, near) = (head[0], head[1].parse::<f64>().unwrap(), head[2].parse::<f64>().unwrap());
        let read = library(name);
        assert!((read.library.unit / unit - 1.0).abs() < 1e-6, "{name}: {}", read.library.unit);
        let mut seen = counted(&read.library);
        while let Some(line) = lines.next_if(|line| line.starts_with(' ')) {
            let line: Vec<&str> = line.trim().split(' ').collect();
            let number = |index: usize| line[index].parse::<f64>().unwrap();
            let (count, area, bounds) = seen.remove(&line[0].parse().unwrap()).unwrap_or_default();
            assert_eq!(count as f64, number(1), "{name} {line:?}");
            assert!((area - number(2)).abs() <= near * number(2), "{name} {line:?}: area {area}");
            for (index, bound) in bounds.into_iter().enumerate() {
                assert!(
                    (bound - number(3 + index)).abs() <= 1.0 + near * (number(5) - number(3)),
                    "{name} {line:?}: {bounds:?}"
                );
            }
        }
        assert!(seen.is_empty(), "{name}: {seen:?}");
        // Only what is no OASIS to the letter is reported.
        assert_eq!(read.liberties.is_empty(), !name.starts_with("liberty-"), "{name}: {:?}", read.liberties);
        files += 1;
    }
    assert!(files >= 35, "{files}");
}

#[test]
fn files_are_known_by_their_content_in_gzip_too() {
    use std::io::Write;
    let bytes = bytes_of("klayout-2-cblocks");
    let mut packer = flate2::write::GzEncoder::new(vec![], flate2::Compression::best());
    packer.write_all(&bytes).unwrap();
    let packed = packer.finish().unwrap();
    let plain = crate::from_bytes(Path::new("a.gds"), bytes).unwrap();
    assert_eq!(crate::from_bytes(Path::new("b"), packed).unwrap(), plain);
    assert_eq!(plain, library("klayout-2-cblocks"));
    let start = crate::from_bytes(Path::new("b"), MAGIC.to_vec()).unwrap_err();
    assert_eq!(start.to_string(), "b: ends at byte 13, before the end of the library");
}

/// The liberties of a file as text.
fn liberties(name: &str) -> Vec<String> {
    library(name).liberties.iter().map(|liberty| liberty.to_string()).collect()
}

#[test]
fn liberties_say_what_was_read_and_where() {
    for (name, expected) in [
        ("straddling", "records that begin in a compressed block and end behind it (in cell `top`, at byte 39)"),
        ("short-end", "an END record of other than 256 bytes (at byte 47)"),
        ("behind-end", "bytes behind the END record (at byte 47)"),
        ("missing-cell", "cells that are placed and not there, left out: `nowhere` (in cell `top`, at byte 47)"),
        ("odd-list", "point lists along x and y in turn of an odd number of sides (in cell `top`, at byte 39)"),
        (
            "layer-not-given",
            "numbers left to the records before, none of which gives them, taken as 0 (2 times, first in cell `top`, at byte 39)",
        ),
        ("twice", "cells defined more than once, taken together (in cell `top`, at byte 47)"),
        ("checksum", "a checksum that is not the file's: its bytes have changed since it was written (at byte 47)"),
    ] {
        assert_eq!(liberties(&format!("liberty-{name}")), [expected]);
    }
    let missing = library("liberty-missing-cell").liberties.remove(0).kind;
    assert_eq!(missing, LibertyKind::MissingCells { names: vec!["nowhere".to_owned()], cells: 1 });
}

#[test]
fn names_that_come_after_their_use_are_those_of_their_cells() {
    let read = library("names-after");
    let names: Vec<&str> = read.library.cells.iter().map(|cell| cell.name.as_str()).collect();
    assert_eq!(names, ["leaf", "top", "other$1"]);
    let layers = |name: &str, layers, datatypes| LayerName { name: name.to_owned(), layers, datatypes };
    assert_eq!(
        read.layer_names,
        [
            layers("met1", [68, 68], [20, 20]),
            layers("all", [0, u32::MAX], [0, u32::MAX]),
            layers("low", [0, 5], [7, u32::MAX]),
            layers("mid", [5, 9], [0, 0]),
        ]
    );
    assert_eq!(library("klayout-2-strict").layer_names[0], layers("name_1", [1, 1], [1, 1]));
}

#[test]
fn repeated_shapes_stay_repetitions() {
    let read = library("repetitions");
    let repeated: usize = read.library.cells.iter().flat_map(|cell| &cell.layers).map(|(_, s)| s.repeated.len()).sum();
    assert_eq!(repeated, 6 * 11);
    assert!(
        read.library
            .cells
            .iter()
            .flat_map(|cell| &cell.layers)
            .all(|(key, s)| key.layer == 50 || s.rectangles.is_empty())
    );
}

#[test]
fn names_are_of_any_bytes() {
    let content = [14, 2, b'a', 0xe4, 20, 0x7b, 1, 0, 5, 6, 0, 0];
    let read = read(Path::new("x.oas"), &file(&content)).unwrap();
    assert_eq!(read.library.cells[0].name, "aä");
    let text = read.liberties[0].to_string();
    assert_eq!(text, "names with other characters than ASCII's, read as UTF-8 or Latin-1 (at byte 33)");
}

/// A file of that content, with an END record that a reader takes.
fn file(content: &[u8]) -> Vec<u8> {
    let mut bytes = [MAGIC, &[1, 3, b'1', b'.', b'0', 0, 100, 0], &[0; 12], content, &[2, 252, 1]].concat();
    bytes.extend([0; 253]);
    bytes
}

const TOP: &[u8] = &[14, 3, b't', b'o', b'p'];

fn wrong(content: &[u8]) -> String {
    let error = read(Path::new("x.oas"), &file(&[TOP, content].concat())).unwrap_err();
    error.to_string()
}

#[test]
fn two_hundred_bytes_may_mean_any_number_of_copies() {
    // 2^30 × 2^30 copies of a square: counts are written less two.
    let many = [0xfe, 0xff, 0xff, 0xff, 0x03];
    let content = [TOP, &[20, 0xdf, 1, 0, 1, 0, 0, 1], &many, &many, &[1, 1]].concat();
    let read = read(Path::new("x.oas"), &file(&content)).unwrap();
    let (_, shapes) = &read.library.cells[0].layers[0];
    let Repetition::Grid { counts, .. } = shapes.repeated[0].1 else { panic!("{shapes:?}") };
    assert_eq!(counts, [1 << 30, 1 << 30]);
}

#[test]
fn short_records_that_copy_long_ones_end_at_a_limit() {
    // A polygon of 40,000 corners, then 40,000 records of 3 bytes each that repeat it.
    let mut content = [TOP, &[21, 0x3b, 1, 0, 2, 0xc0, 0xb8, 0x02]].concat();
    content.extend((0..40_000u32).map(|k| 4 + (k % 4) as u8));
    content.extend([0, 0]);
    content.extend((0..40_000u32).flat_map(|_| [21, 0x10, 2]));
    let error = read(Path::new("x.oas"), &file(&content)).unwrap_err();
    assert!(matches!(error, ReadError::Unsupported { .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains("POLYGON: more than "), "{text}");
    // The same by copies at given places.
    let mut content = [TOP, &[20, 0xdf, 1, 0, 1, 0, 0, 4, 0xc0, 0xb8, 0x02]].concat();
    content.extend([1; 40_001]);
    content.extend((0..40_000u32).flat_map(|_| [20, 0x14, 2, 0]));
    let text = read(Path::new("x.oas"), &file(&content)).unwrap_err().to_string();
    assert!(text.contains("RECTANGLE: more than "), "{text}");
}

#[test]
fn many_layers_cells_and_copies_end_at_a_limit() {
    let limits = Limits { inflated: 0, points: 100_000 };
    let number = |k: u32| [(k & 127 | 128) as u8, (k >> 7 & 127 | 128) as u8, (k >> 14) as u8];
    // One list alone.
    let list = [&[20, 0x7f, 1, 0, 1, 1, 0, 0, 4, 0xff, 0xff, 0x7f][..], &[1; 200_000]].concat();
    let layers = (0..20_000).flat_map(|k| [&[20, 0x63][..], &number(k), &[0, 1, 1]].concat());
    let cells = (0..20_000).flat_map(|k| [&[17, 0xc0][..], &number(k)].concat());
    for content in [layers.collect::<Vec<u8>>(), cells.collect(), list] {
        let bytes = file(&[TOP, &content].concat());
        let text = read_within(Path::new("x.oas"), &bytes, limits).unwrap_err().to_string();
        assert!(text.contains("more than 100000 points of shapes"), "{text}");
    }
}

#[test]
fn compressed_blocks_end_at_a_limit() {
    use std::io::Write;
    let mut packer = flate2::write::DeflateEncoder::new(vec![], flate2::Compression::best());
    packer.write_all(&vec![0; 1 << 20]).unwrap();
    let packed = packer.finish().unwrap();
    let mut content = [TOP, &[20, 0xdb, 1, 0, 1, 0, 0, 34, 0, 0x80, 0x80, 0x40]].concat();
    content.extend([(packed.len() & 127 | 128) as u8, (packed.len() >> 7) as u8]);
    content.extend(packed);
    let bytes = file(&content);
    assert!(read(Path::new("x.oas"), &bytes).is_ok());
    let limits = Limits { inflated: 1 << 19, points: 1 << 20 };
    let text = read_within(Path::new("x.oas"), &bytes, limits).unwrap_err().to_string();
    assert_eq!(
        text,
        "x.oas: in cell `top`, at byte 45, not supported: CBLOCK: compressed blocks grow beyond 524288 bytes"
    );
}

#[test]
fn what_is_broken_is_named_with_cell_and_byte() {
    for (content, expected) in [
        (&[35][..], "x.oas: in cell `top`, at byte 38: a record of type 35: there are types 0 to 34"),
        (
            &[20, 1, 0xff, 0xff, 0xff, 0xff, 0x7f],
            "x.oas: in cell `top`, at byte 38, not supported: RECTANGLE: layer or datatype 34359738367: those up to 4294967295 are read",
        ),
        (
            &[21, 0x3b, 1, 0, 7, 1],
            "x.oas: in cell `top`, at byte 38: POLYGON: a point list of type 7: there are types 0 to 5",
        ),
        (
            &[21, 0x00],
            "x.oas: in cell `top`, at byte 38: POLYGON: the point list is left to the records before, none of which gives it",
        ),
        (
            &[17, 0x00],
            "x.oas: in cell `top`, at byte 38: PLACEMENT: the placed cell is left to the records before, none of which gives it",
        ),
        (
            &[20, 0x04, 12],
            "x.oas: in cell `top`, at byte 38: RECTANGLE: a repetition of type 12: there are types 0 to 11",
        ),
        (
            &[20, 0x04, 0],
            "x.oas: in cell `top`, at byte 38: RECTANGLE: the repetition is left to the records before, none of which gives it",
        ),
        (&[26, 0x80, 26], "x.oas: in cell `top`, at byte 38: CTRAPEZOID: type 26: there are types 0 to 25"),
        (&[18, 0x84, 1, b'a', 0, 0], "x.oas: in cell `top`, at byte 38: PLACEMENT: a magnification of 0"),
        (&[13, 5], "x.oas: at byte 40: END: no CELLNAME record gives the name of cell number 5"),
        (&[4, 1, b'a', 5, 4, 1, b'b', 5], "x.oas: at byte 42: CELLNAME: cell number 5 has two names, `a` and `b`"),
        (&[3, 1, b'a', 20, 0], "x.oas: at byte 41: RECTANGLE: outside a cell"),
        (
            &[34, 1, 0, 0],
            "x.oas: in cell `top`, at byte 38: CBLOCK: a compressed block of type 1: only type 0 exists, deflate",
        ),
        (
            &[34, 0, 9, 0xff, 0x7f],
            "x.oas: in cell `top`, at byte 38: CBLOCK: a compressed block of 16383 bytes, with 256 bytes left in the file",
        ),
        (
            &[34, 0, 9, 3, 0xff, 0xff, 0xff],
            "x.oas: in cell `top`, at byte 38: CBLOCK: a compressed block that is not deflate data",
        ),
    ] {
        assert_eq!(wrong(content), expected, "{content:?}");
    }
    let cut = &bytes_of("polygons")[..200];
    let text = read(Path::new("x.oas"), cut).unwrap_err().to_string();
    assert_eq!(text, "x.oas: ends at byte 200, in cell `top`, before the end of the library");
}

#[test]
fn inside_a_compressed_block_its_byte_is_named_too() {
    use std::io::Write;
    let mut packer = flate2::write::DeflateEncoder::new(vec![], flate2::Compression::best());
    packer.write_all(&[20, 0x7b, 1, 0, 5, 6, 0, 0, 26, 0x80, 40]).unwrap();
    let packed = packer.finish().unwrap();
    let content = [&[34, 0, 11, packed.len() as u8], &packed[..]].concat();
    assert_eq!(
        wrong(&content),
        "x.oas: in cell `top`, at byte 38: CTRAPEZOID at byte 8 of the compressed block: type 40: there are types 0 to 25"
    );
}
