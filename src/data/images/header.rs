//! What a picture will take in memory, from its first bytes: nothing is decoded.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use image::{ImageDecoder, ImageReader};

use super::Images;
use crate::files::{PICTURES, find_all};

/// As many files are looked at; where there are more, the others are taken to be like them.
const LOOKED_AT: usize = 256;

/// As many pages of a TIFF file are looked at.
const PAGES: usize = 4096;

/// Bytes of the pictures of a recipe.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// Files.
    pub files: usize,
    /// What is held of all.
    pub held: usize,
    /// What the largest takes while it is read, beside what is held.
    pub reading: usize,
}

/// What the pictures of a recipe take. Files that cannot be read count nothing: they are refused where they are loaded.
pub fn taken(images: &Images) -> Taken {
    let mut files = find_all(&images.files, &PICTURES).unwrap_or_default();
    if !images.validation.is_empty() {
        files.extend(find_all(&images.validation, &PICTURES).unwrap_or_default());
    }
    let step = files.len().div_ceil(LOOKED_AT).max(1);
    let (mut all, mut looked_at) = (Taken { files: files.len(), ..Taken::default() }, 0usize);
    for path in files.iter().step_by(step) {
        looked_at += 1;
        let Some((samples, bytes)) = samples(path) else { continue };
        let planes = if images.color { 3 } else { 1 };
        let scale = (images.resize * images.resize).max(0.0);
        let held = (samples as f64 * scale) as usize * planes * bytes.min(2);
        all.held = all.held.saturating_add(held);
        let file = std::fs::metadata(path).map_or(0, |found| found.len() as usize);
        // The decoded pixels, most often of three or four colors, and the file.
        all.reading = all.reading.max(samples.saturating_mul(4 * bytes).saturating_add(file));
    }
    all.held = (all.held as f64 * files.len() as f64 / looked_at.max(1) as f64) as usize;
    all
}

/// Pixels of all pages of a file, and bytes of a sample.
fn samples(path: &Path) -> Option<(usize, usize)> {
    let file = BufReader::new(File::open(path).ok()?);
    if let Ok(mut tiff) = tiff::decoder::Decoder::new(file) {
        let (mut all, mut bytes) = (0usize, 1);
        for _ in 0..PAGES {
            let (width, height) = tiff.dimensions().ok()?;
            all = all.saturating_add((width as usize).saturating_mul(height as usize));
            bytes = tiff.colortype().map_or(bytes, |color| bytes.max(usize::from(color.bit_depth()).div_ceil(8)));
            if !tiff.more_images() || tiff.next_image().is_err() {
                break;
            }
        }
        return Some((all, bytes));
    }
    let decoder = ImageReader::open(path).ok()?.with_guessed_format().ok()?.into_decoder().ok()?;
    let ((width, height), color) = (decoder.dimensions(), decoder.color_type());
    let bytes = usize::from(color.bytes_per_pixel()) / usize::from(color.channel_count()).max(1);
    Some(((width as usize).saturating_mul(height as usize), bytes.max(1)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_measured_without_being_decoded() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.png");
        image::RgbImage::new(300, 200).save(&path).unwrap();
        assert_eq!(samples(&path), Some((60_000, 1)));
        image::ImageBuffer::<image::Luma<u16>, _>::new(30, 20).save(folder.path().join("b.png")).unwrap();
        assert_eq!(samples(&folder.path().join("b.png")), Some((600, 2)));
        let files = vec![folder.path().display().to_string()];
        let found = taken(&Images { files: files.clone(), ..Images::default() });
        assert_eq!((found.files, found.held), (2, 60_000 + 1200));
        let color = taken(&Images { files, color: true, resize: 2.0, ..Images::default() });
        assert_eq!(color.held, 3 * 4 * (60_000 + 1200));
        let gone = Images { files: vec!["nowhere.png".into()], ..Images::default() };
        assert_eq!(taken(&gone), Taken::default());
    }
}
