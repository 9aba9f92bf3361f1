//! Addresses of files: `file:///home/a%20b.rord` is `/home/a b.rord`.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use lsp_types::Uri;

/// The file an address names; `None` for what is no file, such as `untitled:1`.
pub fn path(uri: &str) -> Option<PathBuf> {
    let rest = uri.strip_prefix("file://")?;
    // Behind the two slashes may stand a host, which is this one.
    let rest = rest.strip_prefix("localhost").unwrap_or(rest);
    let text = decoded(rest.split(['?', '#']).next().unwrap_or(rest))?;
    let drive = text
        .strip_prefix('/')
        .filter(|t| t.chars().nth(1) == Some(':') && t.starts_with(|c: char| c.is_ascii_alphabetic()));
    Some(PathBuf::from(drive.unwrap_or(&text)))
}

fn decoded(text: &str) -> Option<String> {
    let (mut bytes, mut rest) = (Vec::with_capacity(text.len()), text.bytes());
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digit = |b: Option<u8>| b.and_then(|b| char::from(b).to_digit(16));
            let (high, low) = (digit(rest.next())?, digit(rest.next())?);
            bytes.push((high * 16 + low) as u8);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

/// The address of a file.
pub fn of(path: &Path) -> Option<Uri> {
    let text = path.to_str()?.replace('\\', "/");
    let mut out = String::from(if text.starts_with('/') { "file://" } else { "file:///" });
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    Uri::from_str(&out).ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_paths_lead_to_each_other() {
        for p in ["/a/b.rord", "/a b/ü%🦀.rord", "/x#y?z"] {
            assert_eq!(path(of(Path::new(p)).unwrap().as_str()), Some(PathBuf::from(p)));
        }
        assert_eq!(path("file:///c%3A/a.rord"), Some(PathBuf::from("c:/a.rord")));
        assert_eq!(path("untitled:Untitled-1"), None);
        assert_eq!(path("file:///a%zz"), None);
    }
}
