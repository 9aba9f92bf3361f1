//! What a layout is before it is drawn: flat polygons in database units. Drawn, it is a [`Picture`](super::Picture).

pub use rord_layouts::{Bounds, LayerKey, Point, Polygons};

/// One layer of a layout.
#[derive(Clone, Debug, PartialEq)]
pub struct LayoutLayer {
    /// Layer and datatype.
    pub key: LayerKey,
    /// What a pipeline calls the layer: `via` in generated layouts, `68/44` in a GDSII file.
    pub name: String,
    /// The grey value it is drawn with unless a pipeline draws its own, see [`Picture::draw`](super::Picture::draw).
    pub weight: f32,
    /// Its flat polygons.
    pub polygons: Polygons,
}

/// A flat layout: the layers in the order they are drawn, the lowest first.
#[derive(Clone, Debug, PartialEq)]
pub struct Layout {
    /// Where it comes from: a file's path, or `synth-3`.
    pub name: String,
    /// Its layers in drawing order.
    pub layers: Vec<LayoutLayer>,
    /// Micrometres in one database unit.
    pub unit: f64,
    /// What a picture of it shows.
    pub bounds: Bounds,
}

/// Default grey values of `layers` layers, the lowest first: equally far apart from 0.25 to 1, so that no two layers
/// look the same, the lowest differs from the black ground, and higher layers are lighter (as upper metals are under a
/// microscope). A single layer has 1.
pub fn default_weights(layers: usize) -> impl Iterator<Item = f32> {
    let steps = layers.saturating_sub(1).max(1) as f32;
    (0..layers).map(move |k| if layers == 1 { 1.0 } else { 0.25 + 0.75 * k as f32 / steps })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn default_weights_are_distinct_and_rise() {
        assert_eq!(default_weights(1).collect::<Vec<_>>(), [1.0]);
        let many: Vec<f32> = default_weights(28).collect();
        assert!(many.windows(2).all(|w| w[1] - w[0] > 0.02) && many[0] == 0.25 && many[27] == 1.0);
    }
}
