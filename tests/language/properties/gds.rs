//! The same for GDSII: any bytes end in a layout that can be drawn or in an error that says something.

use std::path::Path;

use rord_data::gds::{Limits, layout};
use rord_data::raster::rasterize;

/// Less than of a file on disk, so that no input takes long for being large.
const MOST: Limits = Limits { bytes: 1 << 20, polygons: 200, points: 2_000 };

/// Reads bytes as a GDSII file, and draws what was read.
pub fn gds(bytes: &[u8]) {
    let wanted = ["1/0".parse().unwrap(), "2/0".parse().unwrap()];
    for (layers, top) in [(&[][..], None), (&wanted, Some("top"))] {
        match layout(Path::new("input.gds"), bytes.to_vec(), layers, top, MOST) {
            Err(error) => {
                let told = error.to_string();
                assert!(told.starts_with("input.gds: ") && told.len() < 100_000, "{told}");
            }
            Ok(layout) => {
                assert!(layout.layers.iter().any(|l| !l.polygons.is_empty()));
                let points: usize = layout.layers.iter().map(|l| l.polygons.points().len()).sum();
                assert!(points as u64 <= 2 * MOST.points, "{points}");
                let side = layout.bounds.width().max(layout.bounds.height()).max(1) as f64;
                let picture = rasterize(&layout, 48.0 / (side * layout.unit));
                if let Ok(picture) = picture {
                    assert!(picture.width <= 49 && picture.height <= 49);
                    picture.draw();
                }
            }
        }
    }
}
