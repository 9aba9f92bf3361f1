//! A decoded picture before it is made grey: its numbers as they are stored, pixel by pixel.

/// The numbers of a picture, row by row from the top, all channels of a pixel beside each other.
#[derive(Clone, Debug, PartialEq)]
pub enum Numbers {
    /// Eight bits: 255 is white.
    Eight(Vec<u8>),
    /// Sixteen bits: 65535 is white.
    Sixteen(Vec<u16>),
    /// Anything else.
    Float(Vec<f32>),
}

/// What the channels are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colors {
    /// One.
    Grey,
    /// Red, green, blue.
    Rgb,
    /// Cyan, magenta, yellow, black: how much ink.
    Cmyk,
}

impl Colors {
    /// Channels without opacity.
    pub fn count(self) -> usize {
        match self {
            Self::Grey => 1,
            Self::Rgb => 3,
            Self::Cmyk => 4,
        }
    }
}

/// A decoded picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Raw {
    /// Pixels in a row, as they are stored.
    pub width: usize,
    /// Rows, as they are stored.
    pub height: usize,
    /// What the channels are.
    pub colors: Colors,
    /// Whether opacity follows them.
    pub alpha: bool,
    /// The numbers.
    pub numbers: Numbers,
    /// The largest stored value, where that is not what the type of numbers has.
    pub white: Option<f64>,
    /// How the camera was held, by EXIF: 1 upright, 2 to 8 as in its standard.
    pub orientation: u8,
    /// Which page of the file it is, from 1, where there are several.
    pub page: Option<usize>,
}

impl Raw {
    /// Channels with opacity.
    pub fn channels(&self) -> usize {
        self.colors.count() + usize::from(self.alpha)
    }

    /// The picture as the camera's note says it is upright.
    pub fn upright(mut self) -> Self {
        if !(2..=8).contains(&self.orientation) {
            return self;
        }
        let (channels, orientation) = (self.channels(), self.orientation);
        let (width, height) = (self.width, self.height);
        self.numbers = match self.numbers {
            Numbers::Eight(v) => Numbers::Eight(turned(&v, width, height, channels, orientation)),
            Numbers::Sixteen(v) => Numbers::Sixteen(turned(&v, width, height, channels, orientation)),
            Numbers::Float(v) => Numbers::Float(turned(&v, width, height, channels, orientation)),
        };
        if orientation >= 5 {
            (self.width, self.height) = (height, width);
        }
        self.orientation = 1;
        self
    }
}

/// The pixels as EXIF's orientation says they are upright. Source: TIFF 6.0, tag 274.
fn turned<T: Copy>(values: &[T], width: usize, height: usize, channels: usize, orientation: u8) -> Vec<T> {
    let (across, down) = if orientation >= 5 { (height, width) } else { (width, height) };
    let mut out = Vec::with_capacity(values.len());
    for y in 0..down {
        for x in 0..across {
            let (last_x, last_y) = (width - 1, height - 1);
            let (from_x, from_y) = match orientation {
                2 => (last_x - x, y),
                3 => (last_x - x, last_y - y),
                4 => (x, last_y - y),
                5 => (y, x),
                6 => (y, last_y - x),
                7 => (last_x - y, last_y - x),
                _ => (last_x - y, x),
            };
            let at = (from_y * width + from_x) * channels;
            out.extend_from_slice(values.get(at..at + channels).unwrap_or_default());
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orientations_are_those_of_exif() {
        // A picture of 2 × 3 pixels:  1 2 / 3 4 / 5 6
        let of = |orientation| {
            let numbers = Numbers::Eight((1..=6).collect());
            let (colors, alpha, white, page) = (Colors::Grey, false, None, None);
            let raw = Raw { width: 2, height: 3, colors, alpha, numbers, white, orientation, page }.upright();
            let Numbers::Eight(values) = raw.numbers else { return Vec::new() };
            assert_eq!(raw.width * raw.height, 6);
            values.chunks(raw.width).map(<[u8]>::to_vec).collect::<Vec<_>>()
        };
        assert_eq!(of(1), [[1, 2], [3, 4], [5, 6]]);
        assert_eq!(of(2), [[2, 1], [4, 3], [6, 5]]);
        assert_eq!(of(3), [[6, 5], [4, 3], [2, 1]]);
        assert_eq!(of(4), [[5, 6], [3, 4], [1, 2]]);
        assert_eq!(of(5), [[1, 3, 5], [2, 4, 6]]);
        assert_eq!(of(6), [[5, 3, 1], [6, 4, 2]]);
        assert_eq!(of(7), [[6, 4, 2], [5, 3, 1]]);
        assert_eq!(of(8), [[2, 4, 6], [1, 3, 5]]);
    }
}
