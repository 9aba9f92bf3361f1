//! What a camera does to an image: brightness, contrast, noise, blur and gamma, drawn anew for each view.
//!
//! ```
//! use rord_data::photo::{self, Photo};
//! use rord_random::Stream;
//! let mut image = vec![0.5; 16];
//! photo::apply(&[Photo::Brightness(0.5, 0.5)], &mut image, 4, &mut Stream::new(0, &[]));
//! assert_eq!(image, [0.25; 16]);
//! ```

use std::f64::consts::TAU;
use std::sync::OnceLock;

use super::convolution::separable;
use rord_random::Stream;

/// One change of an image; two numbers are the lowest and the highest value drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Photo {
    /// Multiplies all values.
    Brightness(f64, f64),
    /// Multiplies the distance of all values from the image's mean.
    Contrast(f64, f64),
    /// Adds normal noise of this deviation to each pixel.
    Noise(f64),
    /// Blurs with a Gaussian of this deviation in pixels; the outermost pixels are repeated beyond the edge.
    Blur(f64, f64),
    /// Raises values, at least 0, to this power.
    Gamma(f64, f64),
}

/// Applies `photos` in order to channels of `width` rows of `width` values, all alike, with draws from `stream`; then
/// clamps them to 0..=1.
pub fn apply(photos: &[Photo], image: &mut [f32], width: usize, stream: &mut Stream) {
    for photo in photos {
        match *photo {
            Photo::Brightness(low, high) => {
                let factor = stream.range(low, high) as f32;
                image.iter_mut().for_each(|v| *v *= factor);
            }
            Photo::Contrast(low, high) => {
                let factor = stream.range(low, high) as f32;
                let sum: f64 = image.iter().map(|&v| f64::from(v)).sum();
                let mean = (sum / image.len().max(1) as f64) as f32;
                image.iter_mut().for_each(|v| *v = (*v - mean) * factor + mean);
            }
            Photo::Noise(sigma) => add_noise(image, sigma as f32, stream),
            Photo::Blur(low, high) => {
                let sigma = stream.range(low, high);
                image.chunks_mut((width * width).max(1)).for_each(|channel| blur(channel, width, sigma));
            }
            Photo::Gamma(low, high) => {
                let power = stream.range(low, high) as f32;
                image.iter_mut().for_each(|v| *v = v.max(0.0).powf(power));
            }
        }
    }
    if !photos.is_empty() {
        image.iter_mut().for_each(|v| *v = v.clamp(0.0, 1.0));
    }
}

/// Levels of [`normal_levels`]: five draws of them fit into 64 random bits.
const LEVELS: usize = 4096;

/// The standard normal distribution in equally likely levels, each the mean of its share, scaled to variance 1. The
/// outermost lie at ±3.6. Drawing one costs a look into 16 KiB, a tenth of Box and Muller's transform.
fn normal_levels() -> &'static [f32; LEVELS] {
    static TABLE: OnceLock<Box<[f32; LEVELS]>> = OnceLock::new();
    TABLE.get_or_init(|| {
        const STEP: f64 = 1e-4;
        let density = |z: f64| (-0.5 * z * z).exp() / TAU.sqrt();
        let mut table = Box::new([0f32; LEVELS]);
        let (mut below, mut z) = (0.0, -8.0);
        let mut from = density(z);
        let mut square = 0.0;
        for (k, level) in table.iter_mut().enumerate() {
            let until = (k + 1) as f64 / LEVELS as f64;
            while below + density(z + STEP / 2.0) * STEP < until && z < 8.0 {
                below += density(z + STEP / 2.0) * STEP;
                z += STEP;
            }
            // The mean of z between two quantiles is the difference of the density there, over the share.
            let part = ((until - below) / density(z + STEP / 2.0)).clamp(0.0, STEP);
            let to = if k + 1 == LEVELS { 0.0 } else { density(z + part) };
            let mean = (from - to) * LEVELS as f64;
            from = to;
            square += mean * mean / LEVELS as f64;
            *level = mean as f32;
        }
        table.iter_mut().for_each(|level| *level /= square.sqrt() as f32);
        table
    })
}

fn add_noise(image: &mut [f32], sigma: f32, stream: &mut Stream) {
    let levels = normal_levels();
    for five in image.chunks_mut(5) {
        let mut bits = stream.bits();
        for value in five {
            *value += sigma * levels.get(bits as usize % LEVELS).copied().unwrap_or_default();
            bits >>= LEVELS.trailing_zeros();
        }
    }
}

fn blur(image: &mut [f32], width: usize, sigma: f64) {
    let radius = (3.0 * sigma).ceil() as usize;
    if width == 0 || radius == 0 || sigma < 0.05 {
        return;
    }
    let weight = |d: usize| (-0.5 * (d as f64 / sigma).powi(2)).exp();
    let total: f64 = weight(0) + 2.0 * (1..=radius).map(weight).sum::<f64>();
    let kernel: Vec<f32> = (0..=2 * radius).map(|i| (weight(i.abs_diff(radius)) / total) as f32).collect();
    separable(image, width, &kernel, &kernel);
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    fn moments(values: &[f32]) -> (f64, f64, f64) {
        let n = values.len() as f64;
        let mean = values.iter().map(|&v| f64::from(v)).sum::<f64>() / n;
        let power = |p| values.iter().map(|&v| (f64::from(v) - mean).powi(p)).sum::<f64>() / n;
        (mean, power(2), power(4) / power(2).powi(2))
    }

    #[test]
    fn noise_is_standard_normal() {
        let (mean, variance, kurtosis) = moments(normal_levels());
        assert!(mean.abs() < 1e-4 && (variance - 1.0).abs() < 1e-4 && (kurtosis - 3.0).abs() < 0.05);
        assert!(normal_levels().windows(2).all(|w| w[0] < w[1]));
        // Quantiles of the normal distribution: 84.134 % and 97.725 %.
        assert!((normal_levels()[3446] - 1.0).abs() < 2e-3 && (normal_levels()[4002] - 2.0).abs() < 5e-3);
        let mut image = vec![0f32; 50_000];
        add_noise(&mut image, 0.1, &mut Stream::new(5, &[]));
        let (mean, variance, kurtosis) = moments(&image);
        assert!(mean.abs() < 0.002 && (variance - 0.01).abs() < 2e-4 && (kurtosis - 3.0).abs() < 0.1);
        let product: f64 = image.windows(2).map(|w| f64::from(w[0] * w[1])).sum::<f64>() / 50_000.0;
        assert!(product.abs() < 2e-4, "neighbors are correlated: {product}");
    }

    #[test]
    fn contrast_keeps_the_mean_and_blur_keeps_the_sum() {
        let mut image: Vec<f32> = (0..64).map(|i| if i % 8 < 4 { 0.3 } else { 0.5 }).collect();
        apply(&[Photo::Contrast(0.5, 0.5)], &mut image, 8, &mut Stream::new(0, &[]));
        assert!((image[0] - 0.35).abs() < 1e-6 && (image[7] - 0.45).abs() < 1e-6);
        let mut dot = vec![0f32; 31 * 31];
        dot[15 * 31 + 15] = 1.0;
        apply(&[Photo::Blur(1.5, 1.5)], &mut dot, 31, &mut Stream::new(0, &[]));
        assert!((dot.iter().sum::<f32>() - 1.0).abs() < 1e-5);
        let spread: f32 = dot.iter().enumerate().map(|(i, v)| v * ((i % 31) as f32 - 15.0).powi(2)).sum();
        assert!((spread - 2.25).abs() < 0.1, "variance {spread}");
        assert!((dot[15 * 31 + 12] - dot[18 * 31 + 15]).abs() < 1e-7, "alike in both directions");
    }

    #[test]
    fn the_order_is_the_listed_one_and_values_stay_in_range() {
        let run = |photos: &[Photo]| {
            let mut image = vec![0.5f32; 4];
            apply(photos, &mut image, 2, &mut Stream::new(0, &[]));
            image[0]
        };
        let (half, square) = (Photo::Brightness(0.5, 0.5), Photo::Gamma(2.0, 2.0));
        assert_eq!((run(&[half, square]), run(&[square, half])), (0.0625, 0.125));
        let mut image: Vec<f32> = (0..100).map(|i| (i % 7) as f32 / 6.0).collect();
        let all = [Photo::Noise(2.0), Photo::Gamma(0.5, 2.0), Photo::Contrast(3.0, 4.0), Photo::Brightness(-1.0, 3.0)];
        for seed in 0..20 {
            apply(&all, &mut image, 10, &mut Stream::new(seed, &[]));
            assert!(image.iter().all(|v| (0.0..=1.0).contains(v)));
        }
    }
}
