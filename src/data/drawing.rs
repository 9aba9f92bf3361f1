//! Thin smooth lines, discs and text on pictures.

use image::{Rgb, RgbImage};
use noto_sans_mono_bitmap::{FontWeight, RasterHeight, get_raster};

/// A picture that is drawn on. Places are pixel centers, (x, y); what lies outside is left out.
pub struct Canvas(pub RgbImage);

/// Rows of a line of text, and columns of a letter.
pub const TEXT: [usize; 2] = [16, 8];

/// The most pixels along a line that are drawn: none is longer than pictures are.
const LONGEST: f64 = 20_000.0;

impl Canvas {
    /// One of a single color.
    pub fn new(width: usize, height: usize, color: Rgb<u8>) -> Self {
        Self(RgbImage::from_pixel(width as u32, height as u32, color))
    }

    /// Mixes a color into a pixel: all of it at 1.
    pub fn mix(&mut self, x: i64, y: i64, color: Rgb<u8>, share: f64) {
        let (Ok(x), Ok(y)) = (u32::try_from(x), u32::try_from(y)) else { return };
        let Some(pixel) = self.0.get_pixel_mut_checked(x, y) else { return };
        let share = share.clamp(0.0, 1.0);
        for (below, above) in pixel.0.iter_mut().zip(color.0) {
            *below = (f64::from(*below) * (1.0 - share) + f64::from(above) * share).round() as u8;
        }
    }

    /// A picture at a place.
    pub fn put(&mut self, picture: &RgbImage, left: usize, top: usize) {
        for (x, y, pixel) in picture.enumerate_pixels() {
            self.mix(i64::from(x) + left as i64, i64::from(y) + top as i64, *pixel, 1.0);
        }
    }

    /// A line of so many pixels' width, at a share of its color.
    pub fn line(&mut self, [from, to]: [[f64; 2]; 2], width: f64, color: Rgb<u8>, share: f64) {
        let steep = (to[1] - from[1]).abs() > (to[0] - from[0]).abs();
        let turned = |[x, y]: [f64; 2]| if steep { [y, x] } else { [x, y] };
        let (mut a, mut b) = (turned(from), turned(to));
        if a[0] > b[0] {
            (a, b) = (b, a);
        }
        let run = b[0] - a[0];
        if !(a.iter().chain(&b).all(|x| x.is_finite()) && run <= LONGEST) {
            return;
        }
        let slope = if run > 0.0 { (b[1] - a[1]) / run } else { 0.0 };
        // Distances are across the line, and steps along an axis.
        let across = 1.0 / slope.hypot(1.0);
        let reach = (width / 2.0 + 1.0) / across;
        for step in a[0].round() as i64..=b[0].round() as i64 {
            let middle = a[1] + slope * (step as f64 - a[0]);
            for side in (middle - reach).floor() as i64..=(middle + reach).ceil() as i64 {
                let covered = (width / 2.0 + 0.5 - (side as f64 - middle).abs() * across).clamp(0.0, 1.0);
                let [x, y] = if steep { [side, step] } else { [step, side] };
                self.mix(x, y, color, covered * share);
            }
        }
    }

    /// A disc.
    pub fn disc(&mut self, [x, y]: [f64; 2], radius: f64, color: Rgb<u8>, share: f64) {
        if !(x.is_finite() && y.is_finite() && x.abs() < 1e6 && y.abs() < 1e6 && radius < 1e4) {
            return;
        }
        let around = |at: f64| (at - radius - 1.0).floor() as i64..=(at + radius + 1.0).ceil() as i64;
        for row in around(y) {
            for column in around(x) {
                let off = (column as f64 - x).hypot(row as f64 - y);
                self.mix(column, row, color, (radius + 0.5 - off).clamp(0.0, 1.0) * share);
            }
        }
    }

    /// A disc with a dark rim, to be seen on light and on dark.
    pub fn dot(&mut self, place: [f64; 2], radius: f64, color: Rgb<u8>) {
        self.disc(place, radius + 1.0, Rgb([16, 16, 18]), 0.75);
        self.disc(place, radius, color, 1.0);
    }

    /// A line of text in so many columns at most; what does not fit is cut out at its beginning, so that of a path the
    /// file's name stays.
    pub fn text(&mut self, text: &str, [left, top]: [usize; 2], columns: usize, color: Rgb<u8>) {
        let most = columns / TEXT[1];
        let letters: Vec<char> = text.chars().collect();
        let cut = letters.len().saturating_sub(most);
        let shown = letters.iter().skip(if cut > 0 { cut + 2 } else { 0 });
        let shown: String = if cut > 0 { "..".chars().chain(shown.copied()).collect() } else { shown.collect() };
        for (index, letter) in shown.chars().take(most).enumerate() {
            let raster = |letter| get_raster(letter, FontWeight::Regular, RasterHeight::Size16);
            let Some(raster) = raster(letter).or_else(|| raster('?')) else { continue };
            for (row, line) in raster.rows().enumerate() {
                for (column, ink) in line.iter().enumerate() {
                    let (x, y) = (left + index * TEXT[1] + column, top + row);
                    self.mix(x as i64, y as i64, color, f64::from(*ink) / 255.0);
                }
            }
        }
    }
}

/// A color of the rainbow without its dark blues, from red (0) over yellow and green to violet (1).
pub fn rainbow(at: f64) -> Rgb<u8> {
    const COLORS: [[f64; 3]; 7] = [
        [255.0, 89.0, 94.0],
        [255.0, 146.0, 76.0],
        [255.0, 202.0, 58.0],
        [138.0, 201.0, 38.0],
        [54.0, 222.0, 204.0],
        [70.0, 160.0, 255.0],
        [201.0, 110.0, 255.0],
    ];
    let place = if at.is_finite() { at.clamp(0.0, 1.0) } else { 0.0 } * (COLORS.len() - 1) as f64;
    let first = (place as usize).min(COLORS.len() - 2);
    let share = place - first as f64;
    let mut pair = COLORS.iter().skip(first);
    let (Some(a), Some(b)) = (pair.next(), pair.next()) else { return Rgb([255; 3]) };
    let mut mixed = a.iter().zip(b).map(|(a, b)| (a * (1.0 - share) + b * share).round() as u8);
    Rgb(std::array::from_fn(|_| mixed.next().unwrap_or(255)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const BLACK: Rgb<u8> = Rgb([0; 3]);
    const WHITE: Rgb<u8> = Rgb([255; 3]);

    /// The sum of all pixels, in whole white ones.
    fn ink(canvas: &Canvas) -> f64 {
        canvas.0.pixels().map(|p| f64::from(p.0[0]) / 255.0).sum()
    }

    #[test]
    fn a_line_has_its_width_at_any_angle_and_none_outside_is_drawn() {
        for to in [[90.0, 50.0], [50.0, 90.0], [80.0, 77.0], [20.0, 15.0]] {
            let mut canvas = Canvas::new(100, 100, BLACK);
            canvas.line([[50.0, 50.0], to], 2.0, WHITE, 1.0);
            let long = (to[0] - 50.0f64).hypot(to[1] - 50.0);
            assert!((ink(&canvas) / (2.0 * long) - 1.0).abs() < 0.1, "{to:?}: {}", ink(&canvas));
        }
        let mut canvas = Canvas::new(20, 20, BLACK);
        for wrong in [f64::NAN, f64::INFINITY, 1e300, -1e9] {
            canvas.line([[5.0, 5.0], [wrong, 3.0]], 1.0, WHITE, 1.0);
            canvas.disc([wrong, 5.0], 3.0, WHITE, 1.0);
        }
        assert_eq!(ink(&canvas), 0.0);
        canvas.line([[-500.0, 10.0], [500.0, 10.0]], 1.0, WHITE, 1.0);
        assert!((ink(&canvas) - 20.0).abs() < 0.1);
    }

    #[test]
    fn discs_have_their_area_and_long_names_keep_their_end() {
        let mut canvas = Canvas::new(40, 40, BLACK);
        canvas.disc([19.3, 20.8], 6.0, WHITE, 1.0);
        assert!((ink(&canvas) / (std::f64::consts::PI * 36.0) - 1.0).abs() < 0.05, "{}", ink(&canvas));
        let drawn = |text: &str| {
            let mut canvas = Canvas::new(120, 20, BLACK);
            canvas.text(text, [0, 0], 80, WHITE);
            canvas.0
        };
        assert_eq!(drawn("folder/of/picture.png"), drawn("..ture.png"));
        assert_eq!(drawn("short"), drawn("short"));
        assert!(drawn("short") != drawn("shirt"));
    }
}
