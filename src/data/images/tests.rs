//! Pictures of every kind, by their values.

use super::*;
use crate::picture::Samples;
use ::image::{DynamicImage, GrayImage, ImageBuffer, ImageFormat, Luma, LumaA, Rgb, RgbImage, Rgba, RgbaImage};
use ::tiff::encoder::{TiffEncoder, colortype};
use std::io::Cursor;

fn bytes_of(image: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.into().write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn pages(bytes: &[u8], images: &Images) -> Result<Vec<Page>, DataError> {
    from_bytes(Path::new("x"), bytes, images)
}

fn grey(bytes: &[u8]) -> Page {
    pages(bytes, &Images::default()).unwrap().remove(0)
}

fn eight(page: &Page) -> &[u8] {
    match &page.planes[0].1 {
        Samples::Eight(v) => v,
        Samples::Sixteen(_) => panic!("sixteen bits"),
    }
}

fn sixteen(page: &Page) -> &[u16] {
    match &page.planes[0].1 {
        Samples::Sixteen(v) => v,
        Samples::Eight(_) => panic!("eight bits"),
    }
}

#[test]
fn grey_and_color_of_many_formats_have_their_values() {
    let ramp = GrayImage::from_fn(5, 4, |x, y| Luma([(40 * x + 10 * y) as u8]));
    for format in [ImageFormat::Png, ImageFormat::Bmp, ImageFormat::Pnm, ImageFormat::WebP] {
        let image: DynamicImage = match format {
            ImageFormat::WebP => DynamicImage::ImageLuma8(ramp.clone()).to_rgb8().into(),
            _ => ramp.clone().into(),
        };
        let page = grey(&bytes_of(image, format));
        assert_eq!((page.width, page.height, eight(&page)[5 * 2 + 4]), (5, 4, 180), "{format:?}");
    }
    let red = bytes_of(RgbImage::from_pixel(3, 2, Rgb([255, 0, 0])), ImageFormat::Png);
    assert_eq!((grey(&red).channels, eight(&grey(&red))[0]), (3, 54));
    let color = pages(&red, &Images { color: true, ..Images::default() }).unwrap().remove(0);
    let names: Vec<_> = color.planes.iter().map(|(name, s)| (*name, s.shares().next().unwrap())).collect();
    assert_eq!(names, [("red", 1.0), ("green", 0.0), ("blue", 0.0)]);
    let jpeg = grey(&bytes_of(GrayImage::from_pixel(16, 8, Luma([120])), ImageFormat::Jpeg));
    assert!(eight(&jpeg)[0].abs_diff(120) <= 1);
}

#[test]
fn sixteen_bits_are_kept_and_ranges_scale() {
    let deep = ImageBuffer::from_fn(64, 2, |x, _| Luma([(x * 64) as u16]));
    for format in [ImageFormat::Png, ImageFormat::Pnm] {
        let bytes = bytes_of(deep.clone(), format);
        let page = grey(&bytes);
        assert_eq!(sixteen(&page)[..3], [0, 64, 128]);
        assert!(page.notes[0].contains("range = 0..4095"), "{:?}", page.notes);
        let ranged = pages(&bytes, &Images { range: Some((0.0, 4095.0)), ..Images::default() }).unwrap().remove(0);
        assert_eq!((sixteen(&ranged)[63], ranged.notes.len()), ((4032.0 / 4095.0 * 65535.0f64).round() as u16, 0));
        let cut = pages(&bytes, &Images { range: Some((64.0, 128.0)), ..Images::default() }).unwrap().remove(0);
        assert_eq!(sixteen(&cut)[..4], [0, 0, 65535, 65535]);
        assert!(cut.notes[0].contains("above 128"), "{:?}", cut.notes);
    }
    // A PGM file of twelve bits says what is white.
    let page = grey(b"P5 2 1 4095 \x00\x00\x0f\xff");
    assert_eq!((sixteen(&page), page.notes.len()), (&[0, 65535][..], 0));
    assert_eq!(eight(&grey(b"P4 8 1\n\xa0"))[..3], [0, 255, 0]);
}

#[test]
fn what_is_transparent_is_drawn_over_black_and_told() {
    let page = grey(&bytes_of(RgbaImage::from_pixel(3, 2, Rgba([0, 255, 0, 51])), ImageFormat::Png));
    assert_eq!(
        (eight(&page)[0], page.notes[0].as_str()),
        (36, "100.0 % of it is transparent, which is drawn over black")
    );
    let page = grey(&bytes_of(ImageBuffer::from_fn(2, 1, |x, _| LumaA([200u8, 255 * x as u8])), ImageFormat::Png));
    assert_eq!(eight(&page), [0, 200]);
    let solid = grey(&bytes_of(RgbaImage::from_fn(3, 2, |x, _| Rgba([100 * x as u8, 0, 0, 255])), ImageFormat::Png));
    assert!(solid.notes.iter().all(|note| !note.contains("transparent")));
}

#[test]
fn cameras_are_held_upright() {
    let upright = grey(&turned(1));
    let portrait = grey(&turned(6));
    assert_eq!((upright.width, upright.height, portrait.width, portrait.height), (16, 8, 8, 16));
    // Orientation 6: the file's left side is the top of the picture, its lower left corner the upper left.
    assert!(eight(&portrait)[0].abs_diff(eight(&upright)[7 * 16]) <= 2);
    assert!(eight(&portrait)[7].abs_diff(eight(&upright)[0]) <= 2);
}

/// A JPEG file with EXIF's orientation.
fn turned(orientation: u8) -> Vec<u8> {
    let image = GrayImage::from_fn(16, 8, |x, y| Luma([(8 * x + 16 * y) as u8]));
    let jpeg = bytes_of(image, ImageFormat::Jpeg);
    let exif =
        [b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0", &[orientation][..], b"\0\0\0\0\0\0"].concat();
    let length = (exif.len() as u16 + 2).to_be_bytes();
    [&jpeg[..2], b"\xff\xe1", &length, &exif, &jpeg[2..]].concat()
}

fn tiff_of<C: colortype::ColorType>(width: u32, height: u32, data: &[C::Inner]) -> Vec<u8>
where
    [C::Inner]: ::tiff::encoder::TiffValue,
{
    let mut bytes = Cursor::new(Vec::new());
    TiffEncoder::new(&mut bytes).unwrap().write_image::<C>(width, height, data).unwrap();
    bytes.into_inner()
}

#[test]
fn tiff_pages_of_many_types_are_read() {
    let ramp: Vec<u8> = (0..200).map(|i| (i % 20 * 12) as u8).collect();
    assert_eq!(eight(&grey(&tiff_of::<colortype::Gray8>(20, 10, &ramp))), &ramp[..]);
    let deep: Vec<u16> = (0..200).map(|i| i * 300).collect();
    assert_eq!(sixteen(&grey(&tiff_of::<colortype::Gray16>(20, 10, &deep))), &deep[..]);
    let float: Vec<f32> = (0..200).map(|i| i as f32 / 199.0).collect();
    let page = grey(&tiff_of::<colortype::Gray32Float>(20, 10, &float));
    assert_eq!((sixteen(&page)[0], sixteen(&page)[199], page.notes.len()), (0, 65535, 0));
    let wide: Vec<f32> = (0..200).map(|i| i as f32 * 10.0 - 50.0).collect();
    let page = grey(&tiff_of::<colortype::Gray32Float>(20, 10, &wide));
    assert_eq!((sixteen(&page)[0], sixteen(&page)[199]), (0, 65535));
    assert!(page.notes[0].contains("-50 to 1940"), "{:?}", page.notes);
    let ink = grey(&tiff_of::<colortype::CMYK8>(2, 1, &[0, 0, 0, 0, 0, 0, 0, 255]));
    assert_eq!(eight(&ink), [255, 0]);
    let mut two = Cursor::new(Vec::new());
    let mut encoder = TiffEncoder::new(&mut two).unwrap();
    encoder.write_image::<colortype::Gray8>(20, 10, &ramp).unwrap();
    encoder.write_image::<colortype::RGB8>(1, 1, &[255, 255, 255]).unwrap();
    let both = pages(two.get_ref(), &Images::default()).unwrap();
    let names: Vec<_> = both.iter().map(|p| (p.name.as_str(), p.width, p.channels)).collect();
    assert_eq!(names, [("x#1", 20, 1), ("x#2", 1, 3)]);
}

#[test]
fn palettes_are_looked_up() {
    // Grey numbers 0 to 3 in a file that then says they are places in a palette, which is a private tag's values before.
    let mut colors = vec![0u16; 3 * 256];
    for (index, [r, g, b]) in [[0, 0, 0], [65535, 0, 0], [0, 65535, 0], [257, 514, 771]].into_iter().enumerate() {
        (colors[index], colors[256 + index], colors[512 + index]) = (r, g, b);
    }
    let mut bytes = Cursor::new(Vec::new());
    let mut encoder = TiffEncoder::new(&mut bytes).unwrap();
    let mut image = encoder.new_image::<colortype::Gray8>(4, 1).unwrap();
    image.encoder().write_tag(::tiff::tags::Tag::ColorMap, &colors[..]).unwrap();
    image.write_data(&[0, 1, 2, 3]).unwrap();
    let mut bytes = bytes.into_inner();
    let entry = bytes.windows(4).position(|w| w == [6, 1, 3, 0]).unwrap();
    assert_eq!(bytes[entry + 8], 1);
    assert_eq!(eight(&grey(&bytes)), [0, 1, 2, 3]);
    bytes[entry + 8] = 3;
    assert_eq!((grey(&bytes).channels, eight(&grey(&bytes))), (3, &[0, 54, 182, 2][..]));
}

#[test]
fn resizing_averages() {
    let stripes = bytes_of(GrayImage::from_fn(64, 32, |x, _| Luma([255 * (x % 2) as u8])), ImageFormat::Png);
    let half = pages(&stripes, &Images { resize: 0.25, ..Images::default() }).unwrap().remove(0);
    assert_eq!((half.width, half.height), (16, 8));
    assert!(eight(&half)[20..24].iter().all(|v| v.abs_diff(127) < 6), "{:?}", &eight(&half)[20..24]);
}

#[test]
fn broken_and_foreign_files_are_error_values() {
    let of = |bytes: &[u8]| pages(bytes, &Images::default());
    assert!(matches!(of(&[]), Err(DataError::EmptyFile { .. })));
    assert!(matches!(of(b"no image at all"), Err(DataError::BadImage { .. })));
    assert!(matches!(of(b"GIF89a........"), Err(DataError::Unsupported { .. })));
    assert!(matches!(of(b"\x1f\x8b\x08........"), Err(DataError::Unsupported { .. })));
    let image = RgbImage::from_fn(64, 64, |x, y| Rgb([(x * y) as u8, x as u8, y as u8]));
    let ramp: Vec<u8> = (0..64 * 64).map(|i| (i % 251) as u8).collect();
    let mut files: Vec<Vec<u8>> =
        [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::Bmp, ImageFormat::Pnm, ImageFormat::WebP]
            .map(|format| bytes_of(image.clone(), format))
            .into();
    files.push(tiff_of::<colortype::Gray8>(64, 64, &ramp));
    for whole in files {
        assert!(of(&whole).is_ok());
        for end in [1, 8, 20, 40, whole.len() / 2, whole.len() - 20] {
            let refused = of(&whole[..end]);
            assert!(
                matches!(refused, Err(DataError::BadImage { .. } | DataError::Unsupported { .. })),
                "cut at {end}: {refused:?}"
            );
        }
    }
    assert!(matches!(decode(Path::new("gone.png"), &Images::default()), Err(DataError::Unreadable { .. })));
}

/// A few bytes that say they are a picture of gigabytes take no memory.
#[test]
fn files_that_cannot_hold_what_they_claim_are_refused() {
    let mut jpeg = turned(1);
    let frame = jpeg.windows(2).position(|pair| pair == [0xff, 0xc0]).unwrap();
    // Behind the marker: a length of two bytes, the bits of a number, then height and width.
    jpeg[frame + 5..frame + 9].copy_from_slice(&[0xff, 0xdc, 0xff, 0xdc]);
    let refused = pages(&jpeg, &Images::default()).unwrap_err().to_string();
    assert!(refused.contains("a picture of 65500 × 65500 px in "), "{refused}");
}

/// Changes bytes at random and reads what is left. `RORD_MUTATIONS` sets how often.
#[test]
fn changed_files_are_read_or_refused() {
    let times: u64 = std::env::var("RORD_MUTATIONS").ok().and_then(|n| n.parse().ok()).unwrap_or(300);
    let ramp: Vec<u8> = (0..96).map(|i| i * 2).collect();
    let deep: Vec<u16> = (0..96).map(|i| i * 600).collect();
    let mut two = Cursor::new(Vec::new());
    let mut encoder = TiffEncoder::new(&mut two).unwrap().with_compression(::tiff::encoder::Compression::Lzw);
    encoder.write_image::<colortype::RGB8>(8, 4, &ramp).unwrap();
    encoder.write_image::<colortype::Gray16>(12, 8, &deep).unwrap();
    let seeds = [
        tiff_of::<colortype::RGB8>(8, 4, &ramp),
        tiff_of::<colortype::Gray16>(12, 8, &deep),
        two.into_inner(),
        b"P5 8 8 4095\n0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef".to_vec(),
        turned(6),
    ];
    for k in 0..times {
        let mut stream = rord_random::Stream::new(9, &[k]);
        // Most of it is TIFF.
        let mut bytes = seeds[stream.below(16).min(4) % if stream.chance(0.9) { 3 } else { 5 }].clone();
        crate::mutate(&mut bytes, &mut stream);
        let _ = pages(&bytes, &Images { range: stream.chance(0.5).then_some((0.0, 4095.0)), ..Images::default() });
    }
}
