//! Archives of arrays as NumPy writes them, and as it does not.

use super::super::archive::{Archive, read_all};
use super::*;
use rord_random::Stream;

/// An array: version, type, order, shape, bytes.
struct A<'a>(u8, &'a str, bool, &'a str, Vec<u8>);

fn npy(A(version, descr, fortran, shape, bytes): &A<'_>) -> Vec<u8> {
    let order = if *fortran { "True" } else { "False" };
    let mut text = format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}");
    while (text.len() + 11) % 64 != 0 {
        text.push(' ');
    }
    text.push('\n');
    let length = text.len() as u32;
    let length = &length.to_le_bytes()[..if *version == 1 { 2 } else { 4 }];
    [b"\x93NUMPY", &[*version, 0][..], length, text.as_bytes(), bytes].concat()
}

/// A zip of entries, packed or as they are.
fn zip_of(entries: &[(&str, Vec<u8>)], deflated: bool) -> Vec<u8> {
    let (mut file, mut directory) = (Vec::new(), Vec::new());
    for (name, bytes) in entries {
        let mut crc = flate2::Crc::new();
        crc.update(bytes);
        let packed = match deflated {
            false => bytes.clone(),
            true => {
                let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
                encoder.write_all(bytes).unwrap();
                encoder.finish().unwrap()
            }
        };
        let mut fields = Vec::new();
        fields.extend_from_slice(&[20, 0, 0, 0, if deflated { 8 } else { 0 }, 0, 0, 0, 0x21, 0]);
        for number in [crc.sum(), packed.len() as u32, bytes.len() as u32] {
            fields.extend_from_slice(&number.to_le_bytes());
        }
        fields.extend_from_slice(&(name.len() as u16).to_le_bytes());
        fields.extend_from_slice(&[0, 0]);
        directory.extend_from_slice(b"PK\x01\x02\x14\0");
        directory.extend_from_slice(&fields);
        directory.extend_from_slice(&[0; 10]);
        directory.extend_from_slice(&(file.len() as u32).to_le_bytes());
        directory.extend_from_slice(name.as_bytes());
        file.extend_from_slice(b"PK\x03\x04");
        file.extend_from_slice(&fields);
        file.extend_from_slice(name.as_bytes());
        file.extend_from_slice(&packed);
    }
    let (count, start) = ((entries.len() as u16).to_le_bytes(), file.len() as u32);
    let end = [
        b"PK\x05\x06\0\0\0\0",
        &count[..],
        &count,
        &(directory.len() as u32).to_le_bytes(),
        &start.to_le_bytes(),
        &[0, 0],
    ]
    .concat();
    [file, directory, end].concat()
}

/// The numbers of an array of a file, sample by sample.
fn numbers(bytes: &[u8], name: &str) -> Result<Vec<Vec<f32>>, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.npz");
    std::fs::write(&path, bytes).unwrap();
    let archive = Archive::open(&path).map_err(|e| e.to_string())?;
    let mut scratch = Scratch::default();
    let stored = archive.stored(name, &mut scratch)?;
    let mut raw = Vec::new();
    let sample = |k| {
        let mut out = Vec::new();
        stored.read(k, 1, &mut raw, &mut out).map(|()| out).map_err(|e| e.to_string())
    };
    (0..stored.samples()).map(sample).collect()
}

#[test]
fn arrays_of_every_order_and_packing_have_the_same_numbers() {
    // Sample i, row j, column k is 100 i + 10 j + k.
    let (n, h, w) = (5usize, 3usize, 4usize);
    let value = |i: usize, j: usize, k: usize| (100 * i + 10 * j + k) as u16;
    let mut c = Vec::new();
    let mut f = Vec::new();
    for at in 0..n * h * w {
        c.extend(value(at / (h * w), at / w % h, at % w).to_le_bytes());
        f.extend(value(at % n, at / n % h, at / (n * h)).to_be_bytes());
    }
    let arrays = [
        ("c.npy", npy(&A(1, "<u2", false, "(5, 3, 4)", c.clone()))),
        ("f.npy", npy(&A(2, ">u2", true, "(5, 3, 4)", f))),
        ("v.npy", npy(&A(3, "<u2", true, "(60,)", c))),
        ("note.txt", b"no array".to_vec()),
    ];
    for deflated in [false, true] {
        let bytes = zip_of(&arrays, deflated);
        let expected: Vec<Vec<f32>> =
            (0..n).map(|i| (0..h * w).map(|at| f32::from(value(i, at / w, at % w))).collect()).collect();
        assert_eq!(numbers(&bytes, "c"), Ok(expected.clone()));
        assert_eq!(numbers(&bytes, "f"), Ok(expected.clone()));
        assert_eq!(numbers(&bytes, "v").unwrap().concat(), expected.concat());
        assert!(numbers(&bytes, "note").is_err());
    }
}

#[test]
fn what_is_broken_or_not_read_is_told() {
    let good = || npy(&A(1, "<f4", false, "(2, 2)", vec![0; 16]));
    let refused = |bytes: &[u8]| numbers(bytes, "x").unwrap_err();
    let objects = zip_of(&[("x.npy", npy(&A(1, "|O", false, "(2,)", vec![1, 2, 3])))], false);
    assert!(refused(&objects).contains("NumPy's type |O"), "{}", refused(&objects));
    let short = zip_of(&[("x.npy", npy(&A(1, "<f4", false, "(2, 3)", vec![0; 16])))], false);
    assert!(refused(&short).contains("[2, 3], 24 bytes, and 16 follow"), "{}", refused(&short));
    let huge = zip_of(&[("x.npy", npy(&A(1, "<f4", false, "(99999999999, 99999999999)", vec![0; 16])))], true);
    assert!(refused(&huge).contains("too many bytes"), "{}", refused(&huge));
    for deflated in [false, true] {
        let whole = zip_of(&[("x.npy", good())], deflated);
        assert!(numbers(&whole, "x").is_ok());
        let mut changed = whole.clone();
        let at = if deflated { 60 } else { 170 };
        changed[at] ^= 4;
        assert!(numbers(&changed, "x").is_err(), "the checksum is looked at");
        for end in 0..whole.len() {
            assert!(numbers(&whole[..end], "x").is_err(), "cut at {end}");
        }
    }
    assert!(refused(&zip_of(&[("a.txt", vec![])], false)).contains("no NumPy array"));
    assert!(refused(&good()).contains("a single NumPy array, which is not read"));
}

/// Changes bytes at random and reads what is left. `RORD_MUTATIONS` sets how often.
#[test]
fn changed_files_are_read_or_refused() {
    let times: u64 = std::env::var("RORD_MUTATIONS").ok().and_then(|n| n.parse().ok()).unwrap_or(500);
    let c = npy(&A(1, "<u2", false, "(5, 3, 4)", vec![7; 120]));
    let f = npy(&A(2, ">f8", true, "(5, 3)", vec![1; 120]));
    let seeds = [false, true].map(|deflated| zip_of(&[("c.npy", c.clone()), ("f.npy", f.clone())], deflated));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.npz");
    for k in 0..times {
        let mut stream = Stream::new(7, &[k]);
        let mut bytes = seeds[stream.below(2)].clone();
        crate::mutate(&mut bytes, &mut stream);
        std::fs::write(&path, &bytes).unwrap();
        let _ = read_all(&path);
    }
}
