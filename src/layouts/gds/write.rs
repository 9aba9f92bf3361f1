//! Writes a flat GDSII file: one cell of polygons.

use super::records;
use crate::{LayerKey, Polygons};

/// The bytes of a library with one cell. `unit` is a database unit in µm. `None` where GDSII cannot say it: a layer above
/// 65,535, a polygon of more than 8,190 vertices, a unit that is not above 0, a name of more than 65,000 bytes.
pub fn flat<'a>(cell: &str, unit: f64, layers: impl IntoIterator<Item = (LayerKey, &'a Polygons)>) -> Option<Vec<u8>> {
    if !(unit.is_finite() && unit > 0.0) {
        return None;
    }
    let mut out = Vec::new();
    record(&mut out, records::HEADER, 2, &600u16.to_be_bytes())?;
    // Times of change and access: none, so that the same polygons give the same bytes.
    record(&mut out, records::BGNLIB, 2, &[0; 24])?;
    record(&mut out, records::LIBNAME, 6, &text(cell))?;
    record(&mut out, records::UNITS, 5, &[real(unit), real(unit * 1e-6)].concat())?;
    record(&mut out, records::BGNSTR, 2, &[0; 24])?;
    record(&mut out, records::STRNAME, 6, &text(cell))?;
    for (key, polygons) in layers {
        let [layer, datatype] = [key.layer, key.datatype].map(u16::try_from);
        let (layer, datatype) = (layer.ok()?, datatype.ok()?);
        for polygon in polygons.iter().filter(|polygon| !polygon.is_empty()) {
            record(&mut out, records::BOUNDARY, 0, &[])?;
            record(&mut out, records::LAYER, 2, &layer.to_be_bytes())?;
            record(&mut out, records::DATATYPE, 2, &datatype.to_be_bytes())?;
            let closed = polygon.iter().chain(polygon.first());
            let points: Vec<u8> = closed.flatten().flat_map(|at| at.to_be_bytes()).collect();
            record(&mut out, records::XY, 3, &points)?;
            record(&mut out, records::ENDEL, 0, &[])?;
        }
    }
    record(&mut out, records::ENDSTR, 0, &[])?;
    record(&mut out, records::ENDLIB, 0, &[])?;
    Some(out)
}

fn record(out: &mut Vec<u8>, kind: u8, data: u8, body: &[u8]) -> Option<()> {
    let length = u16::try_from(body.len() + 4).ok()?;
    out.extend(length.to_be_bytes());
    out.extend([kind, data]);
    out.extend(body);
    Some(())
}

/// A name, filled with a zero to an even length.
fn text(name: &str) -> Vec<u8> {
    let mut bytes = name.as_bytes().to_vec();
    bytes.resize(bytes.len().next_multiple_of(2), 0);
    bytes
}

/// A real of eight bytes: an exponent of 16 in excess 64, and 56 bits of a fraction. `value` is above 0.
fn real(value: f64) -> [u8; 8] {
    let (mut size, mut exponent) = (value, 64u64);
    while size >= 1.0 {
        (size, exponent) = (size / 16.0, exponent + 1);
    }
    while size < 1.0 / 16.0 {
        (size, exponent) = (size * 16.0, exponent - 1);
    }
    (exponent << 56 | (size * (1u64 << 56) as f64).round() as u64).to_be_bytes()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;
    use crate::testing::{L, SQUARE};
    use crate::{Hierarchy, from_bytes};
    use std::path::Path;

    #[test]
    fn what_is_written_is_read_again() {
        let (mut first, mut second) = (Polygons::default(), Polygons::default());
        first.push(L);
        first.push(SQUARE);
        second.push_rectangle([-5, -7, 1_000_000, 20]);
        let key = |layer, datatype| LayerKey { layer, datatype };
        let bytes = flat("chip", 0.001, [(key(66, 20), &first), (key(68, 0), &second)]).unwrap();
        let read = from_bytes(Path::new("chip.gds"), bytes).unwrap();
        assert!(read.liberties.is_empty(), "{:?}", read.liberties);
        assert!((read.library.unit - 0.001).abs() < 1e-15);
        let hierarchy = Hierarchy::new(read.library).unwrap();
        let [top] = hierarchy.tops()[..] else { panic!("one top") };
        let counts: Vec<(LayerKey, u64)> = hierarchy.counts(top).into_iter().collect();
        assert_eq!(counts, [(key(66, 20), 2), (key(68, 0), 1)]);
        assert_eq!(flat("chip", 0.001, [(key(70_000, 0), &first)]), None);
        assert_eq!(flat("chip", f64::NAN, []), None);
    }
}
