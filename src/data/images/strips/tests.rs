//! Pictures by strips are the pictures that are read whole, of every way in which they may be stored.

use super::*;
use crate::images::from_bytes;
use ::image::{ImageBuffer, Luma, LumaA, Rgb, Rgba};
use ::tiff::encoder::{Compression, TiffEncoder, colortype};
use std::io::Cursor;

const WIDTH: u32 = 77;
const HEIGHT: u32 = 301;

fn value(x: u32, y: u32) -> u16 {
    (x * 701 + y * 997 + x * y) as u16
}

/// All rows, in strips of such heights, and what is to be told.
fn by_strips(path: &Path, images: &Images, heights: &[usize]) -> (Vec<Samples>, Vec<String>) {
    let mut strips = Strips::open(path, At { index: 0, page: None }, images).unwrap();
    let (mut planes, mut y): (Vec<Samples>, usize) = (Vec::new(), 0);
    for high in heights.iter().cycle() {
        let rows = y..(y + high).min(strips.head.height);
        for (k, samples) in strips.read(rows.clone()).unwrap().into_iter().enumerate() {
            match (planes.get_mut(k), samples) {
                (None, samples) => planes.push(samples),
                (Some(Samples::Eight(all)), Samples::Eight(more)) => all.extend(more),
                (Some(Samples::Sixteen(all)), Samples::Sixteen(more)) => all.extend(more),
                _ => panic!("strips of two kinds"),
            }
        }
        y = rows.end;
        if y == strips.head.height {
            break;
        }
    }
    let notes = strips.tally.notes(strips.plan);
    (planes, notes)
}

fn same(name: &str, bytes: &[u8]) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    for (color, range) in [(false, None), (true, None), (false, Some((10.0, 200.0)))] {
        let images = Images { color, range, ..Images::default() };
        let whole = from_bytes(&path, bytes, &images).unwrap().remove(0);
        let planes: Vec<Samples> = whole.planes.into_iter().map(|(_, samples)| samples).collect();
        for heights in [&[128][..], &[1, 40, 7], &[1000]] {
            let (found, notes) = by_strips(&path, &images, heights);
            assert!(found == planes, "{name} by {heights:?}");
            assert_eq!(notes, whole.notes, "{name}");
        }
        // A row of above again, as where a part that was drawn is lost.
        let mut strips = Strips::open(&path, At { index: 0, page: None }, &images).unwrap();
        let (last, first) = (strips.read(290..301).unwrap(), strips.read(0..11).unwrap());
        // All numbers of a palette lie beyond the range.
        assert!(range.is_some() || last != first, "{name}");
        assert!(first == strips.read(0..11).unwrap(), "{name}");
    }
}

/// What writes a TIFF.
type Putting<'a> = dyn Fn(&mut TiffEncoder<&mut Cursor<Vec<u8>>>) + 'a;

#[test]
fn png_of_every_kind() {
    let grey = ImageBuffer::from_fn(WIDTH, HEIGHT, |x, y| Luma([value(x, y) as u8]));
    let deep = ImageBuffer::from_fn(WIDTH, HEIGHT, |x, y| Luma([value(x, y)]));
    let clear = ImageBuffer::from_fn(WIDTH, HEIGHT, |x, y| LumaA([value(x, y) as u8, value(y, x) as u8]));
    let color = ImageBuffer::from_fn(WIDTH, HEIGHT, |x, y| Rgb([x as u8, y as u8, value(x, y) as u8]));
    let all = ImageBuffer::from_fn(WIDTH, HEIGHT, |x, y| Rgba([value(x, y), 7, value(y, x), 60_000]));
    let images = [::image::DynamicImage::from(grey), deep.into(), clear.into(), color.into(), all.into()];
    for (k, image) in images.into_iter().enumerate() {
        let mut bytes = Cursor::new(Vec::new());
        image.write_to(&mut bytes, ::image::ImageFormat::Png).unwrap();
        same(&format!("{k}.png"), bytes.get_ref());
    }
}

#[test]
fn tiff_in_strips_of_any_height() {
    let pixels = || (0..HEIGHT).flat_map(|y| (0..WIDTH).map(move |x| value(x, y)));
    for compression in [Compression::Uncompressed, Compression::Lzw] {
        for rows in [1, 17, 301] {
            let write = |put: &Putting<'_>| {
                let mut bytes = Cursor::new(Vec::new());
                put(&mut TiffEncoder::new(&mut bytes).unwrap().with_compression(compression));
                bytes.into_inner()
            };
            let eight = write(&|encoder| {
                let mut image = encoder.new_image::<colortype::Gray8>(WIDTH, HEIGHT).unwrap();
                image.rows_per_strip(rows).unwrap();
                image.write_data(&pixels().map(|v| v as u8).collect::<Vec<_>>()).unwrap();
            });
            same(&format!("8-{rows}.tif"), &eight);
            let sixteen = write(&|encoder| {
                let mut image = encoder.new_image::<colortype::Gray16>(WIDTH, HEIGHT).unwrap();
                image.rows_per_strip(rows).unwrap();
                image.write_data(&pixels().collect::<Vec<_>>()).unwrap();
            });
            same(&format!("16-{rows}.tif"), &sixteen);
            let float = write(&|encoder| {
                let mut image = encoder.new_image::<colortype::Gray32Float>(WIDTH, HEIGHT).unwrap();
                image.rows_per_strip(rows).unwrap();
                image.write_data(&pixels().map(|v| f32::from(v) / 100.0 - 3.0).collect::<Vec<_>>()).unwrap();
            });
            same(&format!("f-{rows}.tif"), &float);
            let color = write(&|encoder| {
                let mut image = encoder.new_image::<colortype::RGB8>(WIDTH, HEIGHT).unwrap();
                image.rows_per_strip(rows).unwrap();
                image.write_data(&pixels().flat_map(|v| [v as u8, (v >> 8) as u8, 9]).collect::<Vec<_>>()).unwrap();
            });
            same(&format!("rgb-{rows}.tif"), &color);
        }
    }
}

/// A TIFF file, big-endian, in tiles of 32 × 48 px, each channel of a pixel in tiles of its own.
fn tiled(bits: u16, channels: u16, palette: bool) -> Vec<u8> {
    let (across, down) = (WIDTH.div_ceil(32), HEIGHT.div_ceil(48));
    let mut bytes = b"MM\0*\0\0\0\0".to_vec();
    let (mut offsets, mut lengths) = (Vec::new(), Vec::new());
    for channel in 0..channels {
        for tile in 0..across * down {
            offsets.push(bytes.len() as u32);
            for y in 0..48 {
                for x in 0..32 {
                    let v = value(tile % across * 32 + x, tile / across * 48 + y).wrapping_add(channel * 77);
                    if bits == 8 { bytes.push(v as u8) } else { bytes.extend(v.to_be_bytes()) }
                }
            }
            lengths.push(bytes.len() as u32 - offsets[offsets.len() - 1]);
        }
    }
    let mut put = |values: &[u8]| {
        let at = bytes.len() as u32;
        bytes.extend(values);
        at
    };
    let longs = |v: &[u32]| v.iter().flat_map(|v| v.to_be_bytes()).collect::<Vec<u8>>();
    let shorts = |v: &[u16]| v.iter().flat_map(|v| v.to_be_bytes()).collect::<Vec<u8>>();
    let short = |v: u16| u32::from(v) << 16;
    let (starts, sizes) = (put(&longs(&offsets)), put(&longs(&lengths)));
    let depths = put(&shorts(&vec![bits; usize::from(channels)]));
    let colors = put(&shorts(&(0..768).map(|k| (k * 331 % 65_536) as u16).collect::<Vec<_>>()));
    let tiles = u32::from(channels) * across * down;
    let interpretation = if palette {
        3
    } else if channels == 3 {
        2
    } else {
        1
    };
    let depth = if channels == 1 { short(bits) } else { depths };
    let mut entries = vec![
        (256u16, 4u16, 1u32, WIDTH),
        (257, 4, 1, HEIGHT),
        (258, 3, u32::from(channels), depth),
        (259, 3, 1, short(1)),
        (262, 3, 1, short(interpretation)),
        (277, 3, 1, short(channels)),
        (284, 3, 1, short(if channels == 1 { 1 } else { 2 })),
        (322, 4, 1, 32),
        (323, 4, 1, 48),
        (324, 4, tiles, starts),
        (325, 4, tiles, sizes),
    ];
    if palette {
        entries.insert(7, (320, 3, 768, colors));
    }
    let directory = bytes.len() as u32;
    bytes.extend((entries.len() as u16).to_be_bytes());
    for (tag, kind, count, value) in entries {
        bytes.extend(shorts(&[tag, kind]));
        bytes.extend(longs(&[count, value]));
    }
    bytes.extend([0; 4]);
    bytes[4..8].copy_from_slice(&directory.to_be_bytes());
    bytes
}

#[test]
fn tiff_in_tiles_planes_and_palettes() {
    for (bits, channels, palette) in [(8, 1, false), (16, 1, false), (8, 3, false), (16, 3, false), (8, 1, true)] {
        same(&format!("{bits}-{channels}-{palette}.tif"), &tiled(bits, channels, palette));
    }
}

#[test]
fn what_ends_too_early_is_said_to() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cut.tif");
    let whole = tiled(8, 1, false);
    let mut cut = whole.clone();
    // The offsets of tiles lead beyond the end.
    cut[4..8].copy_from_slice(&[0, 0, 0, 8]);
    cut.drain(8..whole.len() - 200);
    std::fs::write(&path, cut).unwrap();
    assert!(Strips::open(&path, At { index: 0, page: None }, &Images::default()).is_err());
}
