//! The same for OASIS, whose bytes at random never begin as it does.

use std::path::Path;

use rord_layouts::oasis::{self, Limits};
use rord_layouts::{Hierarchy, hierarchy};

/// Less than of a file on disk, so that no input takes long for being large.
const MOST: Limits = Limits { inflated: 1 << 22, points: 1 << 20 };
const FLAT: hierarchy::Limits = hierarchy::Limits { polygons: 200, points: 4_000 };

/// Reads bytes as an OASIS file, as if they began as one, and visits all its tops. True where they are a layout.
pub fn is_layout(bytes: &[u8]) -> bool {
    const MAGIC: &[u8] = b"%SEMI-OASIS\r\n";
    let file = [MAGIC, bytes.strip_prefix(MAGIC).unwrap_or(bytes)].concat();
    let read = match oasis::read_within(Path::new("input.oas"), &file, MOST) {
        Ok(read) => read,
        Err(error) => {
            let text = error.to_string();
            assert!(text.starts_with("input.oas: ") && text.len() < 1_000, "{text}");
            return false;
        }
    };
    assert!(read.library.unit > 0.0 && read.library.unit.is_finite());
    assert!(read.liberties.iter().all(|liberty| liberty.times > 0));
    let Ok(hierarchy) = Hierarchy::new(read.library) else { return false };
    for top in hierarchy.tops().into_iter().take(10) {
        super::gds::windows(&hierarchy, top, FLAT);
    }
    true
}
