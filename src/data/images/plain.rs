//! PNG, JPEG, WebP, BMP and PNM, by the crate `image`.

use std::io::{BufRead, Cursor, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use image::error::{LimitErrorKind, UnsupportedErrorKind};
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader};

use super::raw::{Colors, Numbers, Raw};
use super::{LIMIT, animated, jpeg, pnm};
use crate::DataError;

/// Reads one picture.
pub fn read(path: &Path, bytes: &[u8]) -> Result<Raw, DataError> {
    let bad = |reason: String| DataError::BadImage { path: path.to_path_buf(), reason };
    let reached = Arc::new(AtomicU64::new(0));
    let tracked = Tracked { bytes: Cursor::new(bytes), reached: Arc::clone(&reached) };
    let refused = |error: &ImageError| of_error(path, error, reached.load(Ordering::Relaxed), bytes.len());
    let reader = ImageReader::new(tracked).with_guessed_format();
    let mut reader = reader.map_err(|error| crate::files::unreadable(path, &error))?;
    let Some(format) = reader.format().filter(|format| known(*format)) else {
        return Err(bad("neither PNG, JPEG, TIFF, WebP, BMP nor PNM".into()));
    };
    if format == ImageFormat::Jpeg
        && let Some(at) = jpeg::cut_short(bytes)
    {
        return Err(bad(format!("a JPEG picture that ends at byte {at}, before its end marker")));
    }
    if animated::is(bytes) {
        return Err(bad(
            "an animation, where one picture is expected: save the frame that is meant as a file of its own".into(),
        ));
    }
    let mut limits = image::Limits::no_limits();
    limits.max_alloc = Some(LIMIT);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(|error| refused(&error))?;
    let (width, height) = decoder.dimensions();
    if width == 0 || height == 0 {
        return Err(bad(format!("a picture of {width} × {height} px")));
    }
    if format == ImageFormat::Jpeg && jpeg::claimed(width, height, bytes.len()) {
        return Err(bad(format!("a picture of {width} × {height} px in {} bytes", bytes.len())));
    }
    if decoder.total_bytes() > LIMIT {
        return Err(too_large(path, u64::from(width), u64::from(height)));
    }
    // A broken note of how the camera was held is none.
    let orientation = decoder.orientation().map_or(1, image::metadata::Orientation::to_exif);
    let decoded = DynamicImage::from_decoder(decoder).map_err(|error| refused(&error))?;
    let (colors, alpha) = match decoded.color().channel_count() {
        1 => (Colors::Grey, false),
        2 => (Colors::Grey, true),
        3 => (Colors::Rgb, false),
        _ => (Colors::Rgb, true),
    };
    let numbers = match decoded {
        DynamicImage::ImageLuma8(v) => Numbers::Eight(v.into_raw()),
        DynamicImage::ImageLumaA8(v) => Numbers::Eight(v.into_raw()),
        DynamicImage::ImageRgb8(v) => Numbers::Eight(v.into_raw()),
        DynamicImage::ImageRgba8(v) => Numbers::Eight(v.into_raw()),
        DynamicImage::ImageLuma16(v) => Numbers::Sixteen(v.into_raw()),
        DynamicImage::ImageLumaA16(v) => Numbers::Sixteen(v.into_raw()),
        DynamicImage::ImageRgb16(v) => Numbers::Sixteen(v.into_raw()),
        DynamicImage::ImageRgba16(v) => Numbers::Sixteen(v.into_raw()),
        DynamicImage::ImageRgb32F(v) => Numbers::Float(v.into_raw()),
        DynamicImage::ImageRgba32F(v) => Numbers::Float(v.into_raw()),
        _ => return Err(bad("a picture of an unknown kind of pixels".into())),
    };
    let white = if format == ImageFormat::Pnm { pnm::white(bytes) } else { None };
    let numbers = match white {
        Some(white) => pnm::stored(numbers, white),
        None => numbers,
    };
    let (width, height) = (width as usize, height as usize);
    Ok(Raw { width, height, colors, alpha, numbers, white, orientation, page: None })
}

fn known(format: ImageFormat) -> bool {
    use ImageFormat as F;
    matches!(format, F::Png | F::Jpeg | F::WebP | F::Bmp | F::Pnm)
}

fn of_error(path: &Path, error: &ImageError, reached: u64, length: usize) -> DataError {
    let reason = error.to_string();
    match error {
        ImageError::Unsupported(unsupported) => {
            let what = match unsupported.kind() {
                UnsupportedErrorKind::Format(_) => "a picture of a kind".into(),
                _ => reason,
            };
            let help = format!("convert it:  magick \"{}\" picture.png", path.display());
            DataError::Unsupported { path: path.to_path_buf(), what, help }
        }
        ImageError::Limits(limits) if !matches!(limits.kind(), LimitErrorKind::Unsupported { .. }) => {
            too_large(path, 0, 0)
        }
        _ if (reached as usize) < length => DataError::BadImage {
            path: path.to_path_buf(),
            reason: format!("broken at byte {reached} or before: {reason}"),
        },
        _ => DataError::BadImage {
            path: path.to_path_buf(),
            reason: format!("broken, or cut short at byte {length}: {reason}"),
        },
    }
}

/// The error of a picture that takes more than [`LIMIT`].
pub fn too_large(path: &Path, width: u64, height: u64) -> DataError {
    DataError::PictureTooLarge { name: path.display().to_string(), width, height, layers: 1, limit: LIMIT }
}

/// Bytes, and how far they were read.
struct Tracked<'a> {
    bytes: Cursor<&'a [u8]>,
    reached: Arc<AtomicU64>,
}

impl Tracked<'_> {
    fn note(&self) {
        self.reached.fetch_max(self.bytes.position(), Ordering::Relaxed);
    }
}

impl Read for Tracked<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.bytes.read(buffer);
        self.note();
        read
    }
}

impl BufRead for Tracked<'_> {
    fn fill_buf(&mut self) -> std::io::Result<&[u8]> {
        self.bytes.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.bytes.consume(amount);
        self.note();
    }
}

impl Seek for Tracked<'_> {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        self.bytes.seek(to)
    }
}
