//! Numbers of a TIFF picture's strips and tiles: of any type in the three that pictures have, and rows of them put together.

use tiff::decoder::DecodingResult;

use crate::images::raw::Numbers;

/// Some rows of a page: as many numbers as `samples` for each pixel.
#[derive(Clone, Debug)]
pub struct Lines {
    /// Pixels in a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Numbers of a pixel.
    pub samples: usize,
    /// The numbers; none before the first chunk.
    pub numbers: Option<Numbers>,
}

/// Numbers of a strip or tile.
pub struct Chunk {
    /// Where it lies in the rows.
    pub at: (usize, usize),
    /// Its width and height.
    pub size: (usize, usize),
    /// Numbers of a pixel that it holds, and which the first of them is.
    pub within: (usize, usize),
    /// The numbers.
    pub numbers: Numbers,
}

impl Lines {
    /// Takes a chunk in. One of another kind of numbers than those before is passed over.
    pub fn put(&mut self, chunk: &Chunk) {
        let area = self.width * self.height * self.samples;
        let all = self.numbers.get_or_insert_with(|| match &chunk.numbers {
            Numbers::Eight(_) => Numbers::Eight(vec![0; area]),
            Numbers::Sixteen(_) => Numbers::Sixteen(vec![0; area]),
            Numbers::Float(_) => Numbers::Float(vec![0.0; area]),
        });
        let place = (self.width, self.samples);
        match (all, &chunk.numbers) {
            (Numbers::Eight(all), Numbers::Eight(values)) => put(all, place, chunk, values),
            (Numbers::Sixteen(all), Numbers::Sixteen(values)) => put(all, place, chunk, values),
            (Numbers::Float(all), Numbers::Float(values)) => put(all, place, chunk, values),
            _ => {}
        }
    }

    /// Takes in rows of others from number `from` on, `count` of them, as rows `at` and below.
    pub fn copy(&mut self, others: &Self, from: usize, at: usize, count: usize) {
        let Some(numbers) = &others.numbers else { return };
        let row = others.width * others.samples;
        let part = from * row..(from + count) * row;
        let numbers = match numbers {
            Numbers::Eight(v) => Numbers::Eight(v.get(part).unwrap_or_default().to_vec()),
            Numbers::Sixteen(v) => Numbers::Sixteen(v.get(part).unwrap_or_default().to_vec()),
            Numbers::Float(v) => Numbers::Float(v.get(part).unwrap_or_default().to_vec()),
        };
        self.put(&Chunk { at: (0, at), size: (others.width, count), within: (others.samples, 0), numbers });
    }
}

fn put<T: Copy>(all: &mut [T], (width, samples): (usize, usize), chunk: &Chunk, values: &[T]) {
    let Chunk { at: (x, y), size: (wide, high), within: (within, first), .. } = *chunk;
    for (row, line) in values.chunks_exact((wide * within).max(1)).take(high).enumerate() {
        let at = ((y + row) * width + x) * samples;
        let Some(out) = all.get_mut(at..at + wide * samples) else { continue };
        if within == samples {
            out.copy_from_slice(line);
        } else {
            for (pixel, value) in out.chunks_exact_mut(samples).zip(line) {
                if let Some(sample) = pixel.get_mut(first) {
                    *sample = *value;
                }
            }
        }
    }
}

/// The numbers of a decoded chunk.
pub fn as_numbers(chunk: DecodingResult) -> Numbers {
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
pub fn unpacked(packed: &[u8], wide: usize, high: usize, bits: u8) -> Vec<u8> {
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
