//! Reads PNG and JPEG images as pictures of one layer.
//!
//! Color becomes grey by the luma of Rec. 709, `0.2126 R + 0.7152 G + 0.0722 B` on the stored values, rounded to 8
//! bits; transparency is ignored. How many channels a file had is kept, so that a caller may refuse color.
//!
//! ```no_run
//! use rord_data::images::Images;
//! for image in (Images { files: "scans/*.png".into() }).read().unwrap() {
//!     println!("{}: {} channels", image.picture.name, image.channels);
//! }
//! ```

use std::path::{Path, PathBuf};

use image::{DynamicImage, ImageReader};
use rayon::prelude::*;

use super::DataError;
use super::files::{find, unreadable};
use super::picture::{Picture, PictureLayer, Samples};

/// How the files of a folder must end to be read.
const ENDINGS: [&str; 3] = [".png", ".jpg", ".jpeg"];
/// The name of an image's only layer.
pub const GREY: &str = "grey";

/// The recipe `images(…)`.
#[derive(Clone, Debug, PartialEq)]
pub struct Images {
    /// A file, a folder or a glob pattern.
    pub files: String,
}

/// An image file and what it was before it became grey.
#[derive(Clone, Debug, PartialEq)]
pub struct Image {
    /// The file.
    pub path: PathBuf,
    /// Channels in the file, opacity counted: 1 grey, 2 grey and opacity, 3 color, 4 color and opacity. A palette
    /// counts as color.
    pub channels: usize,
    /// Its grey values as the coverage of one layer called [`GREY`], weight 1.
    pub picture: Picture,
}

impl Images {
    /// Reads every file, in the order of their paths; the kind of a file is found from its content. The first file in
    /// that order with an error gives the error.
    pub fn read(&self) -> Result<Vec<Image>, DataError> {
        let images: Vec<_> = find(&self.files, &ENDINGS)?.par_iter().map(|path| read(path)).collect();
        images.into_iter().collect()
    }

    /// As [`Images::read`], the pictures alone.
    pub fn load(&self) -> Result<Vec<Picture>, DataError> {
        Ok(self.read()?.into_iter().map(|image| image.picture).collect())
    }
}

/// Reads one image.
pub fn read(path: &Path) -> Result<Image, DataError> {
    let bytes = rord_files::whole(path).map_err(|error| unreadable(path, &error.source))?;
    if bytes.is_empty() {
        return Err(DataError::EmptyFile { path: path.to_path_buf() });
    }
    let bad = |reason: String| DataError::BadImage { path: path.to_path_buf(), reason };
    let reader = ImageReader::new(std::io::Cursor::new(bytes)).with_guessed_format();
    let reader = reader.map_err(|error| unreadable(path, &error))?;
    let decoded = reader.decode().map_err(|error| bad(error.to_string()))?;
    let channels = usize::from(decoded.color().channel_count());
    let (width, height) = (decoded.width() as usize, decoded.height() as usize);
    if width == 0 || height == 0 {
        return Err(bad(format!("an image of {width} × {height} px")));
    }
    let layer = PictureLayer { name: GREY.into(), weight: 1.0 };
    let layers = vec![(layer, Samples::Eight(grey(&decoded)))];
    let picture = Picture::held(path.display().to_string(), width, height, layers);
    Ok(Image { path: path.to_path_buf(), channels, picture })
}

/// 8-bit grey values, row by row from the top.
fn grey(image: &DynamicImage) -> Vec<u8> {
    match image {
        DynamicImage::ImageLuma8(values) => values.as_raw().clone(),
        DynamicImage::ImageLumaA8(values) => values.pixels().map(|pixel| pixel.0[0]).collect(),
        DynamicImage::ImageLuma16(_) | DynamicImage::ImageLumaA16(_) => {
            image.to_luma16().pixels().map(|pixel| eight_bits(f64::from(pixel.0[0]))).collect()
        }
        // 16 bits a channel hold every kind of file without loss; 8-bit values come there as 257 times themselves.
        _ => {
            let luma = |[r, g, b]: [u16; 3]| 0.2126 * f64::from(r) + 0.7152 * f64::from(g) + 0.0722 * f64::from(b);
            image.to_rgb16().pixels().map(|pixel| eight_bits(luma(pixel.0))).collect()
        }
    }
}

fn eight_bits(sixteen: f64) -> u8 {
    (sixteen / 257.0).round().clamp(0.0, 255.0) as u8
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;
    use image::{GrayImage, ImageBuffer, Luma, Rgb, RgbImage, Rgba, RgbaImage};

    #[test]
    fn grey_and_color_files_are_read_in_order_with_their_channels() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        GrayImage::from_fn(5, 4, |x, y| Luma([(10 * x + y) as u8])).save(at("a.png")).unwrap();
        RgbImage::from_pixel(3, 2, Rgb([255, 0, 0])).save(at("b.png")).unwrap();
        RgbaImage::from_pixel(3, 2, Rgba([0, 255, 0, 7])).save(at("c.png")).unwrap();
        ImageBuffer::from_pixel(2, 2, Luma([257u16 * 99 + 3])).save(at("d.png")).unwrap();
        GrayImage::from_pixel(16, 8, Luma([120])).save(at("e.jpg")).unwrap();
        RgbImage::from_pixel(16, 8, Rgb([80, 80, 80])).save(at("f.JPEG")).unwrap();
        let images = Images { files: folder.path().to_str().unwrap().into() }.read().unwrap();
        let channels: Vec<usize> = images.iter().map(|image| image.channels).collect();
        assert_eq!(channels, [1, 3, 4, 1, 1, 3]);
        let first = |k: usize| images[k].picture.samples(0).eight()[0];
        assert_eq!([first(1), first(2), first(3)], [54, 182, 99]);
        assert!(first(4).abs_diff(120) <= 1 && first(5).abs_diff(80) <= 1);
        let picture = &images[0].picture;
        assert_eq!((picture.width, picture.height, picture.samples(0).eight()[5 * 2 + 4]), (5, 4, 42));
    }

    #[test]
    fn broken_files_are_error_values() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.png");
        let write = |bytes: &[u8]| std::fs::write(&path, bytes).unwrap();
        write(&[]);
        assert_eq!(read(&path), Err(DataError::EmptyFile { path: path.clone() }));
        write(b"no image at all");
        assert!(matches!(read(&path), Err(DataError::BadImage { .. })));
        RgbImage::from_fn(64, 64, |x, y| Rgb([(x * y) as u8, x as u8, y as u8])).save(&path).unwrap();
        let whole = std::fs::read(&path).unwrap();
        for end in [1, 8, 20, 40, whole.len() / 2] {
            write(&whole[..end]);
            assert!(matches!(read(&path), Err(DataError::BadImage { .. })), "cut at {end}");
        }
        assert!(matches!(read(&folder.path().join("gone.png")), Err(DataError::Unreadable { .. })));
    }
}
