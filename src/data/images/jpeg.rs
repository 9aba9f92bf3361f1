//! Whether a JPEG file is whole: decoders fill what is missing with grey and say nothing.

/// Where a JPEG file ends before its end marker; `None` where it has one, or is broken in a way that its decoder tells.
pub fn cut_short(bytes: &[u8]) -> Option<usize> {
    let mut at = 2;
    loop {
        if *bytes.get(at)? != 0xff && at < bytes.len() {
            return None;
        }
        // Any number of fill bytes.
        while bytes.get(at) == Some(&0xff) {
            at += 1;
        }
        let Some(marker) = bytes.get(at) else { return Some(bytes.len()) };
        at += 1;
        match marker {
            0xd9 => return None,
            0x01 | 0xd0..=0xd8 => continue,
            _ => {}
        }
        let (Some(high), Some(low)) = (bytes.get(at), bytes.get(at + 1)) else { return Some(bytes.len()) };
        at += usize::from(u16::from_be_bytes([*high, *low])).max(2);
        if *marker == 0xda {
            // Behind a scan's header lie its bits, in which 0xff is followed by 0 or by a restart.
            loop {
                match (bytes.get(at), bytes.get(at + 1)) {
                    (Some(0xff), Some(0 | 0xd0..=0xd7)) => at += 2,
                    (Some(0xff), Some(_)) => break,
                    (Some(_), Some(_)) => at += 1,
                    _ => return Some(bytes.len()),
                }
            }
        }
        if at >= bytes.len() {
            return Some(bytes.len());
        }
    }
}

/// Whether so many bytes cannot hold so many pixels. Each 8 × 8 of them take a bit at least, for how much lighter or darker they are
/// than those before.
pub fn claimed(width: u32, height: u32, bytes: usize) -> bool {
    const PIXELS_A_BYTE: u64 = 8 * 64;
    u64::from(width) * u64::from(height) / PIXELS_A_BYTE > bytes as u64
}

#[cfg(test)]
#[allow(clippy::indexing_slicing)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_its_end_is_seen() {
        let whole = [
            &[0xff, 0xd8, 0xff, 0xe0, 0, 4, 0xff, 0xd9, 0xff, 0xda, 0, 3, 1][..],
            &[1, 2, 0xff, 0, 3, 0xff, 0xd0, 4, 0xff, 0xff, 0xc4, 0, 2, 0xff, 0xda, 0, 2, 5, 6, 0xff, 0xd9],
        ]
        .concat();
        assert_eq!(cut_short(&whole), None);
        assert_eq!(cut_short(&[&whole[..], b"more"].concat()), None);
        for end in 5..whole.len() {
            assert_eq!(cut_short(&whole[..end]), Some(end).filter(|_| end > 2), "cut at {end}");
        }
    }
}
