//! What other tools read although the format does not have it. `tests/golden/gds.py` compares the polygons and their
//! areas with what gdstk and KLayout find in the same bytes, which the variable `RORD_LENIENT` has written into a folder.

use super::*;

/// Flat polygons, their area in square units, and what the reader remarks.
fn read(bytes: &[u8]) -> (usize, f64, Vec<String>) {
    let read = read_bytes(bytes).unwrap();
    let hierarchy = Hierarchy::new(read.library).unwrap();
    let tops = hierarchy.tops();
    let all: Vec<_> = tops.iter().flat_map(|&top| flat_below(&hierarchy, top)).collect();
    let remarks = read.liberties.iter().map(ToString::to_string).collect();
    (all.len(), all.iter().map(|(_, points)| area(points)).sum(), remarks)
}

/// One remark that begins so.
#[track_caller]
fn check(bytes: &[u8], polygons: usize, area: f64, remark: &str) {
    let (found, covered, remarks) = read(bytes);
    assert_eq!((found, covered), (polygons, area), "{remark}: {remarks:?}");
    if let Some(folder) = std::env::var_os("RORD_LENIENT") {
        let line = std::panic::Location::caller().line();
        let name =
            format!("{line:03}-{}-{polygons}-{area}.gds", Stream::new(line.into(), &[bytes.len() as u64]).below(1000));
        std::fs::write(PathBuf::from(folder).join(name), bytes).unwrap();
    }
    match remark {
        "" => assert!(remarks.is_empty(), "{remarks:?}"),
        _ => assert!(remarks.len() == 1 && remarks[0].starts_with(remark), "{remarks:?} is not: {remark}"),
    }
}

fn a() -> Vec<u8> {
    cell("a", &[boundary(1, &SQUARE)])
}

/// A cell `top` that places `a`.
fn with_a(placement: Vec<u8>) -> Vec<u8> {
    stream(&[a(), cell("top", &[placement])])
}

fn top(elements: &[Vec<u8>]) -> Vec<u8> {
    stream(&[cell("top", elements)])
}

#[test]
fn placements() {
    let without = "magnifications or angles without STRANS";
    check(&with_a(sref("a", &[magnified(2.0)], [0, 0])), 1, 400.0, without);
    check(&with_a(sref("a", &[turned(90.0)], [0, 0])), 1, 100.0, without);
    for flags in [2, 4, 6] {
        let placement = sref("a", &[strans(flags), magnified(2.0)], [0, 0]);
        check(&with_a(placement), 1, 400.0, "absolute magnifications or angles");
    }
    check(&with_a(sref("a", &[strans(0), magnified(-2.0)], [0, 0])), 1, 400.0, "negative magnifications");
    let several = element(0x0a, &[record(0x12, 6, b"a\0"), xy(&[[0, 0], [5, 5]])]);
    check(&with_a(several), 1, 100.0, "placements of several points");
    check(&with_a(element(0x0a, &[record(0x12, 6, b"a\0")])), 1, 100.0, "placements without a point");
    let both = [boundary(1, &SQUARE), sref("gone", &[], [0, 0]), sref("a", &[], [0, 0]), sref("lost", &[], [0, 0])];
    let bytes = stream(&[a(), cell("top", &both)]);
    check(
        &bytes,
        2,
        200.0,
        "cells that are placed and not there, left out: `gone`, `lost` (2 times, first in cell `top`",
    );
    let liberty = &read_bytes(&bytes).unwrap().liberties[0];
    assert_eq!((liberty.cell.as_deref(), liberty.times), (Some("top"), 2));
    let LibertyKind::MissingCells { names, cells: 2 } = &liberty.kind else { panic!() };
    assert_eq!(*names, ["gone", "lost"]);
    // A short real, as the format's reals of four bytes are.
    check(&with_a(sref("a", &[strans(0), record(0x1b, 4, &real(2.0)[..4])], [0, 0])), 1, 400.0, "");
}

#[test]
fn arrays() {
    let corners = [[0, 0], [60, 0], [0, 20]];
    check(&with_a(aref("a", &[], [40_000, 1], &[[0, 0], [400_000, 0], [0, 20]])), 40_000, 4_000_000.0, "");
    check(&with_a(aref("a", &[], [0, 3], &corners)), 3, 300.0, "arrays of 0 columns or rows");
    check(&with_a(aref("a", &[], [3, 1], &corners[..2])), 3, 300.0, "arrays not of three points");
    check(&with_a(aref("a", &[], [3, 1], &[corners.as_slice(), &[[7, 7]]].concat())), 3, 300.0, "arrays not of three");
    let alone = element(0x0b, &[record(0x12, 6, b"a\0"), xy(&corners)]);
    check(&with_a(alone), 1, 100.0, "arrays without a number of columns and rows");
    check(&with_a(aref("a", &[], [3, 3], &[[0, 0]; 3])), 9, 900.0, "");
    let skew = aref("a", &[strans(0x8000), magnified(2.0), turned(90.0)], [3, 2], &[[0, 0], [101, 5], [3, 200]]);
    check(&with_a(skew), 6, 2400.0, "");
}

#[test]
fn shapes() {
    let numbers = || layer(1, 0);
    let closed = [SQUARE.as_slice(), &SQUARE[..1]].concat();
    let parts = element(8, &[numbers(), xy(&closed[..2]), xy(&closed[2..])]);
    check(&top(&[parts]), 1, 100.0, "elements with several XY records");
    let parts = element(9, &[numbers(), record(0x0f, 3, &longs(&[2])), xy(&[[0, 0], [10, 0]]), xy(&[[10, 10]])]);
    check(&top(&[parts]), 1, 40.0, "elements with several XY records");
    check(&top(&[element(8, &[numbers(), xy(&SQUARE)])]), 1, 100.0, "");
    check(&top(&[element(8, &[numbers(), xy(&SQUARE[..3])])]), 1, 50.0, "");
    // Those of less than three points, or on a line, cover nothing; a keyhole and a bow do not cross out.
    check(&top(&[boundary(1, &SQUARE[..2]), boundary(1, &[[0, 0], [5, 5], [9, 9]])]), 0, 0.0, "");
    check(&top(&[boundary(1, &[[0, 0], [10, 10], [10, 0], [0, 10]])]), 1, 0.0, "");
    let keyhole = [[0, 0], [40, 0], [40, 40], [0, 40], [0, 10], [10, 10], [10, 30], [30, 30], [30, 10], [0, 10]];
    check(&top(&[boundary(1, &keyhole)]), 1, 1200.0, "");
    let half = [longs(closed.as_flattened()), longs(&[7])].concat();
    check(&top(&[element(8, &[numbers(), record(0x10, 3, &half)])]), 1, 100.0, "XY records that end within a point");
    let odd = [longs(closed.as_flattened()), vec![0]].concat();
    check(&top(&[element(8, &[numbers(), record(0x10, 3, &odd)])]), 1, 100.0, "records of an odd length");
    check(&top(&[element(8, &[numbers()])]), 0, 0.0, "shapes without points");
    check(&top(&[element(8, &[xy(&closed)])]), 1, 100.0, "shapes without a layer");
    for kind in [3, 5, 9, -1] {
        let straight = path(kind, 2, &[], &[[0, 0], [10, 0]]);
        check(&top(&[straight]), 1, 20.0, "paths of a type other than 0, 1, 2 and 4");
    }
    let box_type = [record(0x0d, 2, &shorts(&[1])), record(0x2e, 2, &shorts(&[0]))].concat();
    let boxed = |points: &[Point]| top(&[element(0x2d, &[box_type.clone(), xy(points)])]);
    check(&boxed(&closed), 1, 100.0, "");
    check(&boxed(&SQUARE), 1, 100.0, "boxes not of five points");
    check(&boxed(&L), 1, 400.0, "boxes not of five points");
    check(&boxed(&[[0, 0], [10, 20]]), 1, 200.0, "boxes of two points");
    // KLayout draws a path of one point as its ends are, gdstk not at all.
    check(&top(&[path(2, 10, &[], &[[0, 0]])]), 1, 100.0, "");
}

#[test]
fn layers_have_no_sign() {
    for (number, expected) in [(40_000, "40000/0"), (-1, "65535/0"), (32_767, "32767/0")] {
        let hierarchy = hierarchy(&[cell("top", &[boundary(number, &SQUARE)])]);
        assert_eq!(flat_below(&hierarchy, hierarchy.tops()[0])[0].0.to_string(), expected);
    }
    let long = element(8, &[record(0x0d, 3, &longs(&[70_000])), record(0x0e, 2, &shorts(&[4])), xy(&SQUARE)]);
    let hierarchy = hierarchy(&[cell("top", &[long])]);
    assert_eq!(flat_below(&hierarchy, hierarchy.tops()[0])[0].0.to_string(), "70000/4");
}

#[test]
fn names_are_any_bytes() {
    let named = |bytes: &[u8]| {
        let placement = element(0x0a, &[record(0x12, 6, &text(bytes)), xy(&[[0, 0]])]);
        stream(&[cell_of(bytes, &[boundary(1, &SQUARE)]), cell("top", &[placement])])
    };
    let name = |bytes: &[u8]| read_bytes(&named(bytes)).unwrap().library.cells[0].name.clone();
    let remark = "names with other characters than ASCII's";
    for bytes in [&b"caf\xe9"[..], b"\xb5\xe7\xd7\xe8", "Mäander".as_bytes()] {
        check(&named(bytes), 1, 100.0, remark);
    }
    assert_eq!((name(b"caf\xe9"), name("Mäander".as_bytes())), ("café".into(), "Mäander".into()));
    let padded = [record(5, 2, &[0; 24]), record(6, 6, b"a\0\0\0\0\0"), boundary(1, &SQUARE), record(7, 0, &[])];
    let placing = cell("top", &[sref("a", &[], [0, 0])]);
    check(&stream(&[padded.concat(), placing.clone()]), 1, 100.0, "names with more than one zero");
    let odd = [record(5, 2, &[0; 24]), record(6, 6, b"a"), boundary(1, &SQUARE), record(7, 0, &[])];
    check(&stream(&[odd.concat(), placing]), 1, 100.0, "records of an odd length");
    check(&stream(&[cell("", &[boundary(1, &SQUARE)])]), 1, 100.0, "cells without a name");
    // gdstk keeps both, and places the last; KLayout refuses the file.
    let twice = [a(), cell("a", &[boundary(1, &L), boundary(1, &L)]), cell("top", &[sref("a", &[], [0, 0])])];
    check(&stream(&twice), 2, 800.0, "several cells of one name, of which the last is read (in cell `a`, at byte");
}

#[test]
fn records_around() {
    let square = || boundary(1, &SQUARE);
    let strange = "records of types that GDSII does not have there";
    for kind in [0x3c, 0x7f, 0xff, 0x24] {
        let unknown = || record(kind, 2, &[0, 7]);
        check(&top(&[element(8, &[layer(1, 0), unknown(), xy(&SQUARE)])]), 1, 100.0, strange);
        check(&top(&[unknown(), square()]), 1, 100.0, strange);
        check(&stream(&[unknown(), a()]), 1, 100.0, strange);
    }
    // Records of the format that say nothing of shapes: REFLIBS, PROPATTR and PROPVALUE, a NODE.
    let property = [record(0x2b, 2, &[0, 1]), record(0x2c, 6, b"hi")].concat();
    let node = element(0x15, &[layer(1, 0), record(0x2a, 2, &[0, 1]), xy(&[[0, 0]])]);
    check(&top(&[element(8, &[layer(1, 0), xy(&SQUARE), property]), node]), 1, 100.0, "");
    check(&stream(&[record(0x1f, 6, &[0; 90]), a()]), 1, 100.0, "");
    let open = [record(8, 0, &[]), layer(1, 0), xy(&SQUARE)].concat();
    check(&top(std::slice::from_ref(&open)), 1, 100.0, "elements without an end");
    check(&top(&[open, square()]), 2, 200.0, "elements without an end");
    let begun = [record(5, 2, &[0; 24]), record(6, 6, b"b\0"), square()].concat();
    check(&stream(std::slice::from_ref(&begun)), 1, 100.0, "cells without an end");
    check(&stream(&[begun, a()]), 2, 200.0, "cells without an end");
    check(&stream(&[a(), record(7, 0, &[])]), 1, 100.0, "ends of cells that did not begin");
    check(&stream(&[square(), a()]), 1, 100.0, "elements outside of cells");
    check(&stream(&[a(), header(), cell("b", &[square()])]), 2, 200.0, "several libraries in one");
    check(&[stream(&[a()]), vec![0; 2048]].concat(), 1, 100.0, "");
    check(&[stream(&[a()]), b"more".to_vec()].concat(), 1, 100.0, "more bytes behind the end of the library");
    let end = record(4, 0, &[]);
    let head = [record(0, 2, &[0, 3]), record(1, 2, &[0; 24])].concat();
    check(&[head, a(), end.clone()].concat(), 1, 100.0, "no database unit, read as 1 nm");
    for header in [record(0, 2, &[0, 3, 0, 0]), record(0, 0, &[0, 3]), vec![]] {
        check(&[header, stream(&[a()])[6..].to_vec()].concat(), 1, 100.0, "");
    }
    // A polygon of more than 0x8000 bytes: its length has no sign.
    let many: Vec<Point> = (0..5000).map(|k| [k, k % 2 * 5]).chain([[4999, -9], [0, -9]]).collect();
    check(&top(&[boundary(1, &many)]), 1, area(&many), "");
}
