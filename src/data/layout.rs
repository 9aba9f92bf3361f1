//! What a layout is before it is drawn: flat polygons in database units. Drawn, it is a [`Picture`](super::Picture).

use std::fmt;
use std::str::FromStr;

/// A layer number and its datatype, written `67/20`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LayerKey {
    /// GDSII layer number.
    pub layer: i16,
    /// GDSII datatype (the box type of a BOX).
    pub datatype: i16,
}

impl fmt::Display for LayerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.layer, self.datatype)
    }
}

/// The text is not of the form `67/20`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a layer/datatype pair of two numbers from -32768 to 32767")]
pub struct NotALayerKey;

impl FromStr for LayerKey {
    type Err = NotALayerKey;

    /// Reads `67/20`; a number alone has datatype 0.
    fn from_str(text: &str) -> Result<Self, NotALayerKey> {
        let (layer, datatype) = text.split_once('/').unwrap_or((text, "0"));
        let number = |part: &str| part.trim().parse().map_err(|_| NotALayerKey);
        Ok(Self { layer: number(layer)?, datatype: number(datatype)? })
    }
}

/// A point in database units, (x, y) with y upwards.
pub type Point = [i32; 2];

/// Many polygons in one allocation: all vertices in a row, and where each polygon ends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Polygons {
    points: Vec<Point>,
    ends: Vec<usize>,
}

impl Polygons {
    /// Room for `polygons` polygons of `points` vertices in all.
    pub fn with_capacity(polygons: usize, points: usize) -> Self {
        Self { points: Vec::with_capacity(points), ends: Vec::with_capacity(polygons) }
    }

    /// Adds a polygon: its vertices in either direction, the first not repeated at the end.
    pub fn push(&mut self, vertices: impl IntoIterator<Item = Point>) {
        self.points.extend(vertices);
        self.ends.push(self.points.len());
    }

    /// Adds the rectangle with the corners (x0, y0) and (x1, y1).
    pub fn push_rectangle(&mut self, [x0, y0, x1, y1]: [i32; 4]) {
        self.push([[x0, y0], [x1, y0], [x1, y1], [x0, y1]]);
    }

    /// How many polygons there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// True where there is no polygon.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The vertices of all polygons.
    pub fn points(&self) -> &[Point] {
        &self.points
    }

    /// Each polygon's vertices.
    pub fn iter(&self) -> impl Iterator<Item = &[Point]> {
        let mut start = 0;
        self.ends.iter().map(move |&end| {
            let polygon = self.points.get(start..end).unwrap_or_default();
            start = end;
            polygon
        })
    }

    /// Adds all polygons of `other` behind these.
    pub fn append(&mut self, other: &Self) {
        let shift = self.points.len();
        self.points.extend_from_slice(&other.points);
        self.ends.extend(other.ends.iter().map(|end| end + shift));
    }
}

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

/// The smallest rectangle around some points, in database units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Lower left corner.
    pub low: Point,
    /// Upper right corner.
    pub high: Point,
}

impl Bounds {
    /// The bounds of `points`; `None` where there are none.
    pub fn of<'a>(points: impl IntoIterator<Item = &'a Point>) -> Option<Self> {
        points.into_iter().fold(None, |bounds, &[x, y]| {
            let Self { low, high } = bounds.unwrap_or(Self { low: [x, y], high: [x, y] });
            Some(Self { low: [low[0].min(x), low[1].min(y)], high: [high[0].max(x), high[1].max(y)] })
        })
    }

    /// Width in database units.
    pub fn width(&self) -> i64 {
        i64::from(self.high[0]) - i64::from(self.low[0])
    }

    /// Height in database units.
    pub fn height(&self) -> i64 {
        i64::from(self.high[1]) - i64::from(self.low[1])
    }
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
    fn layer_keys_read_what_they_write() {
        for key in [LayerKey { layer: 67, datatype: 20 }, LayerKey { layer: -1, datatype: 0 }] {
            assert_eq!(key.to_string().parse(), Ok(key));
        }
        assert_eq!("67".parse(), Ok(LayerKey { layer: 67, datatype: 0 }));
        for wrong in ["", "/", "67/", "a/1", "67/20/3", "40000/0"] {
            assert_eq!(wrong.parse::<LayerKey>(), Err(NotALayerKey), "{wrong}");
        }
    }

    #[test]
    fn polygons_keep_their_borders() {
        let mut all = Polygons::default();
        all.push([[0, 0], [1, 0], [0, 1]]);
        let mut more = Polygons::default();
        more.push_rectangle([5, 6, 7, 9]);
        all.append(&more);
        let lists: Vec<&[Point]> = all.iter().collect();
        assert_eq!(lists, [&[[0, 0], [1, 0], [0, 1]][..], &[[5, 6], [7, 6], [7, 9], [5, 9]][..]]);
        let bounds = Bounds::of(all.points()).unwrap();
        assert_eq!((bounds.width(), bounds.height()), (7, 9));
        assert_eq!(Bounds::of(&[]), None);
    }

    #[test]
    fn default_weights_are_distinct_and_rise() {
        assert_eq!(default_weights(1).collect::<Vec<_>>(), [1.0]);
        let many: Vec<f32> = default_weights(28).collect();
        assert!(many.windows(2).all(|w| w[1] - w[0] > 0.02) && many[0] == 0.25 && many[27] == 1.0);
    }
}
