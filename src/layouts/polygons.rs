//! Points, many polygons in one allocation, and the rectangles around them, in database units.

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

    /// The vertices of polygon `index`; none where there is no such polygon.
    pub fn get(&self, index: usize) -> &[Point] {
        let start = if index == 0 { 0 } else { self.ends.get(index - 1).copied().unwrap_or(0) };
        let end = self.ends.get(index).copied().unwrap_or(start);
        self.points.get(start..end).unwrap_or_default()
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

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;

    #[test]
    fn polygons_keep_their_borders() {
        let mut all = Polygons::default();
        all.push([[0, 0], [1, 0], [0, 1]]);
        let mut more = Polygons::default();
        more.push_rectangle([5, 6, 7, 9]);
        all.append(&more);
        let lists: Vec<&[Point]> = all.iter().collect();
        assert_eq!(lists, [&[[0, 0], [1, 0], [0, 1]][..], &[[5, 6], [7, 6], [7, 9], [5, 9]][..]]);
        assert_eq!([all.get(0), all.get(1), all.get(2)], [lists[0], lists[1], &[]]);
        let bounds = Bounds::of(all.points()).unwrap();
        assert_eq!((bounds.width(), bounds.height()), (7, 9));
        assert_eq!(Bounds::of(&[]), None);
    }
}
