//! A square of a picture, packed: a byte for each layer that has one value there, LZ4 for the others.

use crate::picture::{Block, SQUARE, Samples, Square};

/// What a layer begins with.
const NOTHING: u8 = 0;
const FULL: u8 = 1;
const FLAT: u8 = 2;
const EIGHT: u8 = 3;
const SIXTEEN: u8 = 4;

/// Packs one layer of a square.
pub fn pack_block(block: &Block) -> Vec<u8> {
    let packed = |kind: u8, samples: &[u8]| {
        let packed = lz4_flex::block::compress(samples);
        let mut out = Vec::with_capacity(packed.len() + 5);
        out.push(kind);
        out.extend((packed.len() as u32).to_le_bytes());
        out.extend(packed);
        out
    };
    match block {
        Block::Flat(0) => vec![NOTHING],
        Block::Flat(u16::MAX) => vec![FULL],
        Block::Flat(value) => [&[FLAT][..], &value.to_le_bytes()].concat(),
        Block::Eight(values) => packed(EIGHT, values),
        Block::Sixteen(values) => packed(SIXTEEN, &values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>()),
    }
}

/// Packs a square `height` pixels high.
pub fn pack(square: &Square, height: usize) -> Vec<u8> {
    join(square.width, height, square.blocks.iter().map(pack_block))
}

/// A packed square of packed layers.
pub fn join(width: usize, height: usize, blocks: impl ExactSizeIterator<Item = Vec<u8>>) -> Vec<u8> {
    let mut out = vec![width as u8, height as u8];
    out.extend((blocks.len() as u32).to_le_bytes());
    blocks.for_each(|block| out.extend(block));
    out
}

/// The square that was packed, and its height; `None` where the bytes are not one.
pub fn unpack(bytes: &[u8]) -> Option<Square> {
    let mut at = bytes;
    let mut take = |count: usize| {
        let (head, rest) = at.split_at_checked(count)?;
        at = rest;
        Some(head)
    };
    let [width, height] = *take(2)?.first_chunk::<2>()?;
    let (width, height) = (usize::from(width), usize::from(height));
    let layers = u32::from_le_bytes(*take(4)?.first_chunk()?) as usize;
    if width == 0 || height == 0 || width > SQUARE || height > SQUARE || layers > bytes.len() {
        return None;
    }
    let mut blocks = Vec::with_capacity(layers);
    for _ in 0..layers {
        blocks.push(match *take(1)?.first()? {
            NOTHING => Block::Flat(0),
            FULL => Block::Flat(u16::MAX),
            FLAT => Block::Flat(u16::from_le_bytes(*take(2)?.first_chunk()?)),
            kind @ (EIGHT | SIXTEEN) => {
                let packed = u32::from_le_bytes(*take(4)?.first_chunk()?) as usize;
                let size = width * height * if kind == EIGHT { 1 } else { 2 };
                let values = lz4_flex::block::decompress(take(packed)?, size).ok().filter(|v| v.len() == size)?;
                match kind {
                    EIGHT => Block::Eight(values.into()),
                    _ => Block::Sixteen(values.as_chunks().0.iter().map(|pair| u16::from_le_bytes(*pair)).collect()),
                }
            }
            _ => return None,
        });
    }
    Some(Square { width, blocks })
}

/// Cuts rows of a layer, at most 128 of `width` samples, into packed blocks from left to right.
pub fn pack_rows(samples: &Samples, width: usize) -> Vec<Vec<u8>> {
    let height = samples.len() / width.max(1);
    let layer = std::slice::from_ref(samples);
    let block = |column: usize| crate::picture::cut(width, height, layer, column * SQUARE, 0).blocks.pop();
    (0..width.div_ceil(SQUARE)).map(|column| block(column).as_ref().map(pack_block).unwrap_or_default()).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;
    use rord_random::Stream;

    fn square() -> Square {
        let eight = |f: fn(usize) -> u8| Block::Eight((0..100 * 7).map(f).collect());
        let sixteen = Block::Sixteen((0..700).map(|i| i * 90).collect());
        let blocks = vec![
            Block::Flat(0),
            Block::Flat(u16::MAX),
            Block::Flat(77),
            eight(|i| (i % 9) as u8),
            sixteen,
            eight(|i| (i * i) as u8),
        ];
        Square { width: 100, blocks }
    }

    #[test]
    fn what_is_packed_comes_back_and_little_is_kept_of_what_is_alike() {
        assert_eq!(unpack(&pack(&square(), 7)), Some(square()));
        let flat = Square { width: 128, blocks: vec![Block::Flat(0), Block::Flat(u16::MAX)] };
        assert_eq!(pack(&flat, 128).len(), 8);
    }

    #[test]
    fn other_bytes_are_no_square_or_one_of_its_size() {
        let (whole, mut random) = (pack(&square(), 7), Stream::new(3, &[]));
        assert!((0..whole.len()).all(|end| unpack(&whole[..end]).is_none()));
        for k in 0..4 * whole.len() {
            let mut bytes = whole.clone();
            bytes[k % whole.len()] = random.bits() as u8;
            let Some(other) = unpack(&bytes) else { continue };
            assert!(other.blocks.iter().all(|b| b.bytes() == 0 || b.bytes() % other.width == 0));
        }
    }
}
