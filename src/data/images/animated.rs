//! Whether a PNG or WebP file holds an animation, of which decoders show the first frame and say nothing.

/// True for an animation.
pub fn is(bytes: &[u8]) -> bool {
    png(bytes) || webp(bytes)
}

/// A chunk `acTL` before the pixels, with more than one frame.
fn png(bytes: &[u8]) -> bool {
    let Some(mut rest) = bytes.strip_prefix(b"\x89PNG\r\n\x1a\n") else { return false };
    while let Some((length, behind)) = rest.split_first_chunk::<4>() {
        let (kind, behind) = behind.split_at(behind.len().min(4));
        match kind {
            b"acTL" => return behind.first_chunk::<4>().is_some_and(|frames| u32::from_be_bytes(*frames) > 1),
            b"IDAT" => return false,
            _ => {}
        }
        // The chunk and its check sum.
        let length = u32::from_be_bytes(*length) as usize;
        let Some(next) = length.checked_add(4).and_then(|length| behind.get(length..)) else { return false };
        rest = next;
    }
    false
}

/// The flag of the extended header.
fn webp(bytes: &[u8]) -> bool {
    let extended = bytes.starts_with(b"RIFF") && bytes.get(8..16) == Some(b"WEBPVP8X");
    extended && bytes.get(20).is_some_and(|flags| flags & 2 != 0)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn animations_are_told_from_pictures() {
        let chunk = |kind: &[u8], data: &[u8]| [&(data.len() as u32).to_be_bytes()[..], kind, data, &[0; 4]].concat();
        let png = |chunks: &[Vec<u8>]| [&b"\x89PNG\r\n\x1a\n"[..], &chunks.concat()].concat();
        let (head, pixels) = (chunk(b"IHDR", &[0; 13]), chunk(b"IDAT", &[1, 2]));
        let frames = |n: u8| chunk(b"acTL", &[0, 0, 0, n, 0, 0, 0, 0]);
        assert!(is(&png(&[head.clone(), frames(3), pixels.clone()])));
        assert!(!is(&png(&[head.clone(), frames(1), pixels.clone()])));
        assert!(!is(&png(&[head.clone(), pixels, frames(3)])));
        // Lengths that lead nowhere.
        assert!(!is(&png(&[vec![0xff; 7]])) && !is(&png(&[vec![0xff; 12]])) && !is(b""));
        let webp = |flags: u8| [&b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0"[..], &[flags, 0, 0, 0]].concat();
        assert!(is(&webp(0b10)) && !is(&webp(0b10000)) && !is(b"RIFF\0\0\0\0WEBPVP8 "));
    }
}
