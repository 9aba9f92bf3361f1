//! Makes a picture larger or smaller: smaller by averages, larger by lines between pixels.

use image::imageops::FilterType;
use image::{ImageBuffer, Luma};

use super::planes::Page;
use crate::DataError;
use crate::picture::Samples;

/// The picture with `factor` pixels for each of its own along an axis, and at least one.
pub fn page(page: Page, factor: f64) -> Result<Page, DataError> {
    let side = |n: usize| ((n as f64 * factor).round() as usize).max(1);
    let (width, height) = (side(page.width), side(page.height));
    let small = |n: usize| u32::try_from(n).ok().filter(|n| *n <= 1 << 20);
    let (Some(from_width), Some(from_height), Some(to_width), Some(to_height)) =
        (small(page.width), small(page.height), small(width), small(height))
    else {
        return Err(too_large(&page, width, height));
    };
    if (width as u64).saturating_mul(height as u64) > super::LIMIT / 8 {
        return Err(too_large(&page, width, height));
    }
    let mut planes = Vec::new();
    for (name, samples) in page.planes {
        let samples = match samples {
            Samples::Eight(v) => {
                let Some(image) = ImageBuffer::<Luma<u8>, _>::from_raw(from_width, from_height, v) else { continue };
                Samples::Eight(image::imageops::resize(&image, to_width, to_height, FilterType::Triangle).into_raw())
            }
            Samples::Sixteen(v) => {
                let Some(image) = ImageBuffer::<Luma<u16>, _>::from_raw(from_width, from_height, v) else { continue };
                Samples::Sixteen(image::imageops::resize(&image, to_width, to_height, FilterType::Triangle).into_raw())
            }
        };
        planes.push((name, samples));
    }
    Ok(Page { width, height, planes, ..page })
}

fn too_large(page: &Page, width: usize, height: usize) -> DataError {
    let (width, height) = (width as u64, height as u64);
    let (name, layers) = (page.name.clone(), page.planes.len());
    DataError::PictureTooLarge { name, width, height, layers, limit: super::LIMIT }
}
