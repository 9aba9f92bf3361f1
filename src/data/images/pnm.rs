//! The largest value of a PNM file, which its decoder reads and does not use.

/// The value that is white in a PGM or PPM file, where it is not all ones of its bits. `None` for bitmaps.
pub fn white(bytes: &[u8]) -> Option<f64> {
    if bytes.starts_with(b"P7") {
        let header = String::from_utf8_lossy(bytes.get(..1024).unwrap_or(bytes));
        let lines = header.lines().take_while(|line| line.trim() != "ENDHDR");
        let white =
            lines.filter_map(|line| line.trim().strip_prefix("MAXVAL")).find_map(|n| n.trim().parse::<u32>().ok())?;
        return (white != 255 && white != 65535 && white > 1).then_some(f64::from(white));
    }
    if !matches!(bytes, [b'P', b'2' | b'3' | b'5' | b'6', ..]) {
        return None;
    }
    let (mut numbers, mut rest) = (Vec::new(), bytes.get(2..)?);
    while numbers.len() < 3 {
        rest = rest.trim_ascii_start();
        if let Some(comment) = rest.strip_prefix(b"#") {
            let end = comment.iter().position(|b| matches!(b, b'\n' | b'\r'))?;
            rest = comment.get(end..)?;
            continue;
        }
        let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
        let (number, behind) = rest.split_at_checked(digits)?;
        numbers.push(std::str::from_utf8(number).ok()?.parse::<u32>().ok()?);
        rest = behind;
    }
    let white = *numbers.last()?;
    (white != 255 && white != 65535 && white > 0).then_some(f64::from(white))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_value_is_found_behind_comments() {
        assert_eq!(white(b"P5\n# by a scanner\n12 7 # wide\n4095\n\xff"), Some(4095.0));
        let map = |white: &str| format!("P7\nWIDTH 1\nHEIGHT 1\nDEPTH 1\nMAXVAL {white}\nENDHDR\nMAXVAL 7");
        assert_eq!((white(map("1023").as_bytes()), white(map("255").as_bytes())), (Some(1023.0), None));
        assert_eq!((white(b"P6 1 1 255 abc"), white(b"P2 1 1 65535 1"), white(b"P4 8 1 a")), (None, None, None));
        assert_eq!((white(b"P5 1"), white(b"P5 1 1 99999999999"), white(b"P5 # ")), (None, None, None));
    }
}
