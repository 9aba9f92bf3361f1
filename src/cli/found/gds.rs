//! The chip's GDSII file with marker boxes on a layer of their own, in the cell that was searched.

use std::collections::BTreeMap;

use rord_layouts::read::content;

use super::{Found, Shown};

/// Layers from here on are tried for the markers.
const FIRST: u16 = 1000;

// Record types, from the GDSII Stream Format Manual, release 6.0.
const UNITS: u8 = 0x03;
const STRNAME: u8 = 0x06;
const ENDSTR: u8 = 0x07;
const LAYER: u8 = 0x0d;

/// The file's bytes with the boxes. Refused: several files, OASIS, pictures.
pub fn marked(found: &Found<'_>) -> Result<Vec<u8>, String> {
    let files = found.layouts();
    let [file] = files.as_slice() else {
        return Err(format!("{} layouts were searched; a .gds file is a copy of one", files.len()));
    };
    let bytes = content(file).map_err(|e| e.to_string())?;
    let records =
        records(&bytes).ok_or_else(|| format!("{} is no GDSII file; write .lyrdb or .json", file.display()))?;
    let unit = records.iter().find(|r| r.kind == UNITS).and_then(|r| real(bytes.get(r.at + 12..r.at + 20)?));
    let unit = unit.filter(|u| *u > 0.0).ok_or("the file has no unit")?;
    let used = |layer: u16| {
        let is = |r: &Record| bytes.get(r.at + 4..r.at + 6).is_some_and(|b| b == layer.to_be_bytes());
        records.iter().any(|r| r.kind == LAYER && is(r))
    };
    let layer = (FIRST..u16::MAX).find(|layer| !used(*layer)).ok_or("the file has no layer that is free")?;
    let boxes = boxes(found, unit, layer)?;
    let mut out = Vec::with_capacity(bytes.len() + 100);
    let mut cell: Vec<u8> = Vec::new();
    for record in &records {
        let content = bytes.get(record.at..record.end).unwrap_or_default();
        match record.kind {
            STRNAME => cell = content.get(4..).unwrap_or_default().iter().copied().take_while(|b| *b != 0).collect(),
            ENDSTR => out.extend(boxes.get(&cell).into_iter().flatten()),
            _ => {}
        }
        out.extend_from_slice(content);
    }
    Ok(out)
}

/// The elements for each cell, by its name.
fn boxes(found: &Found<'_>, unit: f64, layer: u16) -> Result<BTreeMap<Vec<u8>, Vec<u8>>, String> {
    let mut all: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
    for (asked, hits) in found.all() {
        for hit in hits {
            let Some((chip, to_um)) = found.chip(hit).and_then(|chip| Some((chip, Shown::to_um(chip)?))) else {
                continue;
            };
            // µm to database units, which are given in meters.
            let whole = |um: f64| {
                let value = (um * 1e-6 / unit).round();
                let fits = value >= f64::from(i32::MIN) && value <= f64::from(i32::MAX);
                fits.then_some(value as i32).ok_or_else(|| format!("{um} µm does not fit in the file's units"))
            };
            let [a, b, c, d] = asked.corners(&hit.answer.by).map(|corner| to_um.apply(corner));
            let out = all.entry(chip.top.clone().into_bytes()).or_default();
            out.extend([0, 4, 0x08, 0]);
            out.extend([0, 6, LAYER, 2]);
            out.extend(layer.to_be_bytes());
            out.extend([0, 6, 0x0e, 2, 0, 0]);
            out.extend([0, 44, 0x10, 3]);
            for [x, y] in [a, b, c, d, a] {
                out.extend(whole(x)?.to_be_bytes());
                out.extend(whole(y)?.to_be_bytes());
            }
            out.extend([0, 4, 0x11, 0]);
        }
    }
    Ok(all)
}

struct Record {
    kind: u8,
    at: usize,
    end: usize,
}

/// All records up to the end of the library; `None` where the bytes are none of GDSII.
fn records(bytes: &[u8]) -> Option<Vec<Record>> {
    const ENDLIB: u8 = 0x04;
    if bytes.get(2..4)? != [0, 2] {
        return None;
    }
    let (mut at, mut records) = (0, Vec::new());
    loop {
        let &[high, low, kind, _] = bytes.get(at..at + 4)? else { return None };
        let length = usize::from(u16::from_be_bytes([high, low]));
        let end = at.checked_add(length).filter(|end| length >= 4 && *end <= bytes.len())?;
        records.push(Record { kind, at, end });
        if kind == ENDLIB {
            return Some(records);
        }
        at = end;
    }
}

/// An eight-byte real of GDSII: a sign, seven bits of an exponent of 16 in excess 64, and 56 bits of a fraction.
fn real(bytes: &[u8]) -> Option<f64> {
    let bits = u64::from_be_bytes(bytes.try_into().ok()?);
    let fraction = (bits & 0x00ff_ffff_ffff_ffff) as f64 / (1u64 << 56) as f64;
    let exponent = ((bits >> 56) & 0x7f) as i32 - 64;
    let value = fraction * 16f64.powi(exponent);
    Some(if bits >> 63 == 1 { -value } else { value })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn reals_are_read_as_the_manual_has_them() {
        // 1e-9, as every library in nanometers has it.
        let nanometer = [0x39, 0x44, 0xb8, 0x2f, 0xa0, 0x9b, 0x5a, 0x54];
        assert!((real(&nanometer).unwrap() - 1e-9).abs() < 1e-22);
        assert_eq!(real(&[0x41, 0x10, 0, 0, 0, 0, 0, 0]), Some(1.0));
        assert_eq!(real(&[0xc1, 0x10, 0, 0, 0, 0, 0, 0]), Some(-1.0));
        assert_eq!(real(&[0]), None);
    }
}
