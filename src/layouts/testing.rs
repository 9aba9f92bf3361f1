//! Writes GDSII for tests, right or wrong, and flattens what was read.

use std::path::Path;

use crate::{CellId, Hierarchy, LayerKey, Point, ReadError, ReadLibrary, from_bytes};

/// An L, so that each of the eight placements of a square looks different.
pub const L: [Point; 6] = [[0, 0], [30, 0], [30, 10], [10, 10], [10, 20], [0, 20]];
pub const SQUARE: [Point; 4] = [[0, 0], [10, 0], [10, 10], [0, 10]];

pub fn record(kind: u8, data: u8, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len() + 4).unwrap();
    [&length.to_be_bytes()[..], &[kind, data], body].concat()
}

pub fn shorts(numbers: &[i32]) -> Vec<u8> {
    numbers.iter().flat_map(|&number| (number as u16).to_be_bytes()).collect()
}

pub fn longs(numbers: &[i32]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_be_bytes()).collect()
}

/// A real of eight bytes.
pub fn real(value: f64) -> [u8; 8] {
    if value == 0.0 {
        return [0; 8];
    }
    let (mut size, mut exponent) = (value.abs(), 64u64);
    while size >= 1.0 {
        (size, exponent) = (size / 16.0, exponent + 1);
    }
    while size < 1.0 / 16.0 {
        (size, exponent) = (size * 16.0, exponent - 1);
    }
    let sign = u64::from(value < 0.0) << 63;
    (sign | exponent << 56 | (size * (1u64 << 56) as f64) as u64).to_be_bytes()
}

/// A name, filled with a zero to an even length.
pub fn text(name: &[u8]) -> Vec<u8> {
    let mut bytes = name.to_vec();
    bytes.resize(name.len().next_multiple_of(2), 0);
    bytes
}

pub fn header() -> Vec<u8> {
    let units = [real(1e-3), real(1e-9)].concat();
    let name = record(2, 6, b"test");
    [record(0, 2, &[0, 3]), record(1, 2, &[0; 24]), name, record(3, 5, &units)].concat()
}

pub fn stream(cells: &[Vec<u8>]) -> Vec<u8> {
    [header(), cells.concat(), record(4, 0, &[])].concat()
}

pub fn cell_of(name: &[u8], elements: &[Vec<u8>]) -> Vec<u8> {
    [record(5, 2, &[0; 24]), record(6, 6, &text(name)), elements.concat(), record(7, 0, &[])].concat()
}

pub fn cell(name: &str, elements: &[Vec<u8>]) -> Vec<u8> {
    cell_of(name.as_bytes(), elements)
}

pub fn xy(points: &[Point]) -> Vec<u8> {
    record(0x10, 3, &longs(points.as_flattened()))
}

/// An element of these records.
pub fn element(kind: u8, records: &[Vec<u8>]) -> Vec<u8> {
    [record(kind, 0, &[]), records.concat(), record(0x11, 0, &[])].concat()
}

pub fn layer(layer: i32, datatype: i32) -> Vec<u8> {
    [record(0x0d, 2, &shorts(&[layer])), record(0x0e, 2, &shorts(&[datatype]))].concat()
}

pub fn boundary(number: i32, points: &[Point]) -> Vec<u8> {
    let closed: Vec<Point> = points.iter().chain(points.first()).copied().collect();
    element(8, &[layer(number, 0), xy(&closed)])
}

/// A path on layer 1; `more` are records before its points.
pub fn path(kind: i32, width: i32, more: &[Vec<u8>], points: &[Point]) -> Vec<u8> {
    let kind = record(0x21, 2, &shorts(&[kind]));
    element(9, &[layer(1, 0), kind, record(0x0f, 3, &longs(&[width])), more.concat(), xy(points)])
}

pub fn strans(flags: i32) -> Vec<u8> {
    record(0x1a, 1, &shorts(&[flags]))
}

pub fn magnified(by: f64) -> Vec<u8> {
    record(0x1b, 5, &real(by))
}

pub fn turned(by: f64) -> Vec<u8> {
    record(0x1c, 5, &real(by))
}

/// A placement; `how` are records before its point.
pub fn sref(name: &str, how: &[Vec<u8>], at: Point) -> Vec<u8> {
    element(0x0a, &[record(0x12, 6, &text(name.as_bytes())), how.concat(), xy(&[at])])
}

pub fn place(name: &str, at: Point, reflected: bool, angle: f64, magnification: f64) -> Vec<u8> {
    sref(name, &[strans(if reflected { 0x8000 } else { 0 }), magnified(magnification), turned(angle)], at)
}

pub fn aref(name: &str, how: &[Vec<u8>], [columns, rows]: [i32; 2], points: &[Point]) -> Vec<u8> {
    let counts = record(0x13, 2, &shorts(&[columns, rows]));
    element(0x0b, &[record(0x12, 6, &text(name.as_bytes())), how.concat(), counts, xy(points)])
}

pub fn read_bytes(bytes: &[u8]) -> Result<ReadLibrary, ReadError> {
    from_bytes(Path::new("input.gds"), bytes.to_vec())
}

pub fn hierarchy(cells: &[Vec<u8>]) -> Hierarchy {
    Hierarchy::new(read_bytes(&stream(cells)).unwrap().library).unwrap()
}

pub fn any(_: LayerKey) -> bool {
    true
}

/// All flat polygons below a cell.
pub fn flat_below(hierarchy: &Hierarchy, top: CellId) -> Vec<(LayerKey, Vec<Point>)> {
    let mut all = Vec::new();
    hierarchy.visit(top, None, &any, &mut |key, points| all.push((key, points.to_vec()))).unwrap();
    all
}

/// All flat polygons below the first top.
pub fn flat(cells: &[Vec<u8>]) -> Vec<Vec<Point>> {
    let hierarchy = hierarchy(cells);
    flat_below(&hierarchy, hierarchy.tops()[0]).into_iter().map(|(_, points)| points).collect()
}

pub fn area(points: &[Point]) -> f64 {
    let next = points.iter().cycle().skip(1);
    let twice =
        points.iter().zip(next).map(|(a, b)| f64::from(a[0]) * f64::from(b[1]) - f64::from(b[0]) * f64::from(a[1]));
    twice.sum::<f64>().abs() / 2.0
}
