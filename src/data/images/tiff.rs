//! TIFF: any page, in strips or tiles, the channels of a pixel together or each in planes of its own, 1 to 64 bits, whole
//! or float.

use std::io::Cursor;
use std::path::Path;

use tiff::decoder::{Decoder, DecodingResult, Limits};
use tiff::tags::{PhotometricInterpretation, Tag};
use tiff::{ColorType, TiffError};

use super::LIMIT;
use super::palette::as_greys;
use super::plain::too_large;
use super::raw::{Colors, Numbers, Raw};
use crate::DataError;

/// As many pages of a file are read.
const PAGES: usize = 10_000;

/// Reads all pages but thumbnails, smaller copies and masks.
pub fn read(path: &Path, bytes: &[u8]) -> Result<Vec<Raw>, DataError> {
    let fail = |error: TiffError| of_error(path, error);
    let mut limits = Limits::default();
    limits.decoding_buffer_size = LIMIT as usize;
    limits.intermediate_buffer_size = LIMIT as usize;
    limits.ifd_value_size = 64 << 20;
    let greys = as_greys(bytes);
    let mut decoder = Decoder::new(Cursor::new(&*greys.bytes)).map_err(fail)?.with_limits(limits);
    let (mut pages, mut total) = (Vec::new(), 0u64);
    for number in 1..=PAGES {
        // Bit 0 is a smaller copy, bit 2 a mask.
        let kind: u32 = decoder.find_tag_unsigned(Tag::NewSubfileType).ok().flatten().unwrap_or(0);
        if kind & 0b101 == 0 {
            let palette = decoder.ifd_pointer().is_some_and(|at| greys.pages.contains(&at.0));
            let page = page(path, bytes.len(), &mut decoder, palette)?;
            total = total.saturating_add(size(&page));
            if total > LIMIT {
                return Err(too_large(path, page.width as u64, page.height as u64));
            }
            pages.push(Raw { page: Some(number), ..page });
        }
        if !decoder.more_images() {
            break;
        }
        decoder.next_image().map_err(fail)?;
    }
    if let [only] = pages.as_mut_slice() {
        only.page = None;
    }
    match pages.is_empty() {
        true => Err(DataError::BadImage { path: path.to_path_buf(), reason: "a TIFF file of thumbnails alone".into() }),
        false => Ok(pages),
    }
}

fn size(raw: &Raw) -> u64 {
    match &raw.numbers {
        Numbers::Eight(v) => v.len() as u64,
        Numbers::Sixteen(v) => 2 * v.len() as u64,
        Numbers::Float(v) => 4 * v.len() as u64,
    }
}

/// How a page is stored.
struct Stored {
    width: usize,
    height: usize,
    bits: u8,
    /// Samples of a pixel.
    samples: usize,
    /// Whether each sample has chunks of its own.
    apart: bool,
}

fn page(path: &Path, length: usize, decoder: &mut Decoder<Cursor<&[u8]>>, has_palette: bool) -> Result<Raw, DataError> {
    let fail = |error: TiffError| of_error(path, error);
    let unsupported = |what: String| unsupported(path, &what);
    let (width, height) = decoder.dimensions().map_err(fail)?;
    let color = decoder.colortype().map_err(fail)?;
    let (bits, samples) = (color.bit_depth(), usize::from(color.num_samples()));
    let (colors, alpha) = match color {
        ColorType::Gray(_) | ColorType::Palette(_) => (Colors::Grey, false),
        ColorType::GrayA(_) => (Colors::Grey, true),
        // The decoder turns the colors of JPEG in TIFF into red, green and blue.
        ColorType::RGB(_) | ColorType::YCbCr(_) => (Colors::Rgb, false),
        ColorType::RGBA(_) => (Colors::Rgb, true),
        ColorType::CMYK(_) => (Colors::Cmyk, false),
        ColorType::CMYKA(_) => (Colors::Cmyk, true),
        ColorType::Lab(_) => return Err(unsupported("a TIFF picture in Lab colors".into())),
        ColorType::Multiband { num_samples, .. } => {
            return Err(unsupported(format!("a TIFF picture of {num_samples} bands")));
        }
        _ => return Err(unsupported("a TIFF picture of unknown colors".into())),
    };
    let planar: u16 = decoder.find_tag_unsigned(Tag::PlanarConfiguration).ok().flatten().unwrap_or(1);
    let apart = planar == 2 && samples > 1;
    let compression: u32 = decoder.find_tag_unsigned(Tag::Compression).ok().flatten().unwrap_or(1);
    let photometric: u16 = decoder.find_tag_unsigned(Tag::PhotometricInterpretation).ok().flatten().unwrap_or(1);
    if photometric == PhotometricInterpretation::YCbCr.to_u16() && compression != 7 {
        return Err(unsupported("a TIFF picture in YCbCr colors without JPEG".into()));
    }
    let stored = Stored { width: width as usize, height: height as usize, bits, samples, apart };
    let each = match bits {
        0..=8 => 1,
        9..=16 => 2,
        _ => 4,
    };
    let bytes_needed = u64::from(width) * u64::from(height) * samples as u64 * each;
    // Deflate and LZW pack zeros by less than 1,400 to 1; a fax of a white page takes a bit for each row.
    let tightest = if (2..=4).contains(&compression) { 500_000 } else { 3000 };
    let claimed = bytes_needed / tightest > length as u64;
    if width == 0 || height == 0 || claimed {
        let reason = format!("a picture of {width} × {height} px in {} bytes", length);
        return Err(DataError::BadImage { path: path.to_path_buf(), reason });
    }
    if bytes_needed > LIMIT {
        return Err(too_large(path, u64::from(width), u64::from(height)));
    }
    let mut numbers = chunks(decoder, &stored).map_err(fail)?;
    let mut white = None;
    let mut colors = colors;
    if has_palette || matches!(color, ColorType::Palette(_)) {
        numbers = palette(decoder, &numbers, bits).map_err(fail)?;
        colors = Colors::Rgb;
    } else if bits < 16 && bits != 8 {
        white = Some(f64::from((1u32 << bits) - 1));
    }
    let orientation: u16 = decoder.find_tag_unsigned(Tag::Orientation).ok().flatten().unwrap_or(1);
    let orientation = u8::try_from(orientation).unwrap_or(1);
    let (width, height) = (stored.width, stored.height);
    Ok(Raw { width, height, colors, alpha, numbers, white, orientation, page: None })
}

/// All numbers of a page, chunk by chunk.
fn chunks(decoder: &mut Decoder<Cursor<&[u8]>>, page: &Stored) -> Result<Numbers, TiffError> {
    let (chunk_width, chunk_height) = decoder.chunk_dimensions();
    let (chunk_width, chunk_height) = (chunk_width.max(1) as usize, chunk_height.max(1) as usize);
    let (across, down) = (page.width.div_ceil(chunk_width), page.height.div_ceil(chunk_height));
    let planes = if page.apart { page.samples } else { 1 };
    let within = page.samples / planes;
    let mut all: Option<Numbers> = None;
    let mut index = 0u32;
    for plane in 0..planes {
        for row in 0..down {
            for column in 0..across {
                let (wide, high) = decoder.chunk_data_dimensions(index);
                let chunk = decoder.read_chunk(index)?;
                index += 1;
                let numbers = match chunk {
                    DecodingResult::U8(v) if page.bits < 8 => {
                        Numbers::Eight(unpacked(&v, wide as usize * within, high as usize, page.bits))
                    }
                    other => as_numbers(other),
                };
                let area = page.width * page.height * page.samples;
                let all = all.get_or_insert_with(|| match &numbers {
                    Numbers::Eight(_) => Numbers::Eight(vec![0; area]),
                    Numbers::Sixteen(_) => Numbers::Sixteen(vec![0; area]),
                    Numbers::Float(_) => Numbers::Float(vec![0.0; area]),
                });
                let place = Place {
                    page,
                    x: column * chunk_width,
                    y: row * chunk_height,
                    wide: wide as usize,
                    high: high as usize,
                    within,
                    plane,
                };
                match (all, &numbers) {
                    (Numbers::Eight(all), Numbers::Eight(chunk)) => place.put(all, chunk),
                    (Numbers::Sixteen(all), Numbers::Sixteen(chunk)) => place.put(all, chunk),
                    (Numbers::Float(all), Numbers::Float(chunk)) => place.put(all, chunk),
                    _ => {}
                }
            }
        }
    }
    Ok(all.unwrap_or(Numbers::Eight(Vec::new())))
}

/// Where a chunk lies in its page.
struct Place<'a> {
    page: &'a Stored,
    x: usize,
    y: usize,
    wide: usize,
    high: usize,
    /// Samples of a pixel in the chunk.
    within: usize,
    /// Which sample of a pixel the first of them is.
    plane: usize,
}

impl Place<'_> {
    fn put<T: Copy>(&self, all: &mut [T], chunk: &[T]) {
        let Stored { width, samples, .. } = *self.page;
        for (row, line) in chunk.chunks_exact((self.wide * self.within).max(1)).take(self.high).enumerate() {
            let at = ((self.y + row) * width + self.x) * samples;
            let Some(out) = all.get_mut(at..at + self.wide * samples) else { continue };
            if self.within == samples {
                out.copy_from_slice(line);
            } else {
                for (pixel, value) in out.chunks_exact_mut(samples).zip(line) {
                    if let Some(sample) = pixel.get_mut(self.plane) {
                        *sample = *value;
                    }
                }
            }
        }
    }
}

fn as_numbers(chunk: DecodingResult) -> Numbers {
    use DecodingResult as D;
    fn float<T>(values: Vec<T>, number: impl Fn(T) -> f32) -> Numbers {
        Numbers::Float(values.into_iter().map(number).collect())
    }
    match chunk {
        D::U8(v) => Numbers::Eight(v),
        D::U16(v) => Numbers::Sixteen(v),
        D::U32(v) => float(v, |x| x as f32),
        D::U64(v) => float(v, |x| x as f32),
        D::I8(v) => float(v, f32::from),
        D::I16(v) => float(v, f32::from),
        D::I32(v) => float(v, |x| x as f32),
        D::I64(v) => float(v, |x| x as f32),
        D::F16(v) => float(v, half::f16::to_f32),
        D::F32(v) => Numbers::Float(v),
        D::F64(v) => float(v, |x| x as f32),
    }
}

/// Numbers of fewer than eight bits, of which each row begins with a byte.
fn unpacked(packed: &[u8], wide: usize, high: usize, bits: u8) -> Vec<u8> {
    let bits = usize::from(bits.max(1));
    let stride = (wide * bits).div_ceil(8);
    let mut out = Vec::with_capacity(wide * high);
    for row in packed.chunks(stride.max(1)).take(high) {
        out.extend((0..wide).map(|k| {
            let (byte, shift) = (k * bits / 8, 8usize.saturating_sub(bits + k * bits % 8));
            (row.get(byte).copied().unwrap_or(0) >> shift) & (((1u16 << bits) - 1) as u8)
        }));
    }
    out
}

/// Colors of a palette's numbers, sixteen bits each.
fn palette(decoder: &mut Decoder<Cursor<&[u8]>>, numbers: &Numbers, bits: u8) -> Result<Numbers, TiffError> {
    let map = decoder.get_tag_u16_vec(Tag::ColorMap)?;
    let count = map.len() / 3;
    let color =
        |index: usize| [0, 1, 2].map(|c| map.get(c * count + index.min(count.saturating_sub(1))).copied().unwrap_or(0));
    // Programs that knew eight bits alone wrote colors of 0 to 255.
    let old = bits <= 8 && map.iter().all(|value| *value < 256);
    let indices: Box<dyn Iterator<Item = usize>> = match numbers {
        Numbers::Eight(v) => Box::new(v.iter().map(|x| usize::from(*x))),
        Numbers::Sixteen(v) => Box::new(v.iter().map(|x| usize::from(*x))),
        Numbers::Float(v) => Box::new(v.iter().map(|x| *x as usize)),
    };
    let whole = indices.flat_map(color);
    // Most palettes hold eight bits, each byte twice.
    let eight = old || map.iter().all(|value| value % 257 == 0);
    Ok(match (eight, old) {
        (true, true) => Numbers::Eight(whole.map(|x| x as u8).collect()),
        (true, false) => Numbers::Eight(whole.map(|x| (x / 257) as u8).collect()),
        _ => Numbers::Sixteen(whole.collect()),
    })
}

fn unsupported(path: &Path, what: &str) -> DataError {
    let help = format!("convert it:  magick \"{}\" picture.png", path.display());
    DataError::Unsupported { path: path.to_path_buf(), what: what.into(), help }
}

fn of_error(path: &Path, error: TiffError) -> DataError {
    match error {
        TiffError::UnsupportedError(error) => unsupported(path, &format!("a TIFF picture ({error})")),
        TiffError::LimitsExceeded => too_large(path, 0, 0),
        other => DataError::BadImage { path: path.to_path_buf(), reason: format!("a broken TIFF picture: {other}") },
    }
}
