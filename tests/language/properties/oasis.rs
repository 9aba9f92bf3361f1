//! The same for OASIS: any bytes end in a layout or in an error that says something, and within limits.

use std::path::Path;

use rord_layouts::oasis::{self, Limits};
use rord_layouts::{Hierarchy, hierarchy};

/// Less than of a file on disk, so that no input takes long for being large.
const MOST: Limits = Limits { inflated: 1 << 22, points: 1 << 20 };
const FLAT: hierarchy::Limits = hierarchy::Limits { polygons: 2_000, points: 20_000 };

/// Reads bytes as an OASIS file, as if they began as one, and flattens what was read.
pub fn oasis(bytes: &[u8]) {
    let file = [&b"%SEMI-OASIS\r\n"[..], bytes.strip_prefix(b"%SEMI-OASIS\r\n").unwrap_or(bytes)].concat();
    let read = match oasis::read_within(Path::new("input.oas"), &file, MOST) {
        Ok(read) => read,
        Err(error) => {
            let text = error.to_string();
            assert!(text.starts_with("input.oas: ") && text.len() < 1_000, "{text}");
            return;
        }
    };
    assert!(read.library.unit > 0.0 && read.library.unit.is_finite());
    let Ok(hierarchy) = Hierarchy::new(read.library) else { return };
    for top in hierarchy.tops() {
        let counted = hierarchy.counts(top).values().fold(0u64, |sum, count| sum.saturating_add(*count));
        let Ok(view) = hierarchy.view(top, &|_| true, FLAT) else { continue };
        let mut visited = 0;
        if view.visit(None, &mut |_, points| visited += u64::from(points.len() > 2)).is_ok() {
            assert!(visited <= counted, "{visited} of {counted}");
        }
    }
}
