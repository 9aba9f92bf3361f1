//! Records of shapes: RECTANGLE, POLYGON, PATH, TRAPEZOID, CTRAPEZOID, CIRCLE and XGEOMETRY.

use std::f64::consts::TAU;
use std::rc::Rc;

use super::fault::Fault;
use super::numbers::{Vector, plus};
use super::points::{For, point_list};
use super::reader::Reader;
use super::trapezoid::{aslant, compact, reads};
use crate::layer::LayerKey;
use crate::library::Repetition;
use crate::path::Cap;
use crate::polygons::Point;

/// Lengths beyond this are refused before anything is computed with them.
const LONGEST: i64 = 1 << 40;

/// The largest distance of a circle's polygon from the circle, in database units, and how many corners it has at least
/// and at most. With 128, its area is that of the circle to 4 in 10,000.
const SAGITTA: f64 = 0.25;
const FEWEST: f64 = 128.0;
const MOST: f64 = 1024.0;

/// What the first shape of a cell on a layer takes, in points.
const NEW_LAYER: usize = 40;

/// What every record of a shape ends with.
struct Where {
    at: Vector,
    repetition: Option<Rc<Repetition>>,
}

/// What a repeated shape takes beside its points.
fn extra(repetition: &Repetition) -> usize {
    if *repetition == Repetition::Once { 0 } else { 14 }
}

fn whole(value: i64) -> Result<i32, Fault> {
    i32::try_from(value).map_err(|_| Fault::Coordinate(value))
}

impl Reader<'_> {
    /// The info byte, and layer and datatype where it announces them.
    fn head(&mut self) -> Result<u8, Fault> {
        let info = self.source.byte()?;
        self.layer(info)?;
        Ok(info)
    }

    fn layer(&mut self, info: u8) -> Result<(), Fault> {
        if info & 0x01 != 0 {
            self.modal.layer = Some(self.source.layer()?);
        }
        if info & 0x02 != 0 {
            self.modal.datatype = Some(self.source.layer()?);
        }
        Ok(())
    }

    /// Position and repetition.
    fn tail(&mut self, info: u8) -> Result<Where, Fault> {
        let [x, y] = self.modal.geometry;
        let x = self.coordinate(info & 0x10 != 0, x)?;
        let y = self.coordinate(info & 0x08 != 0, y)?;
        self.modal.geometry = [x, y];
        Ok(Where { at: [x, y], repetition: self.repetition(info & 0x04 != 0)? })
    }

    /// A number that records leave to those before; 0 where none gives it, as KLayout and gdstk read it.
    fn number<T: Copy + Default>(&mut self, value: Option<T>) -> T {
        value.unwrap_or_else(|| {
            self.builder.liberty("numbers left to the records before, none of which gives them, taken as 0");
            T::default()
        })
    }

    /// The layer of a shape that keeps so many points.
    fn key(&mut self, points: usize) -> Result<LayerKey, Fault> {
        let (layer, datatype) = (self.modal.layer, self.modal.datatype);
        let key = LayerKey { layer: self.number(layer), datatype: self.number(datatype) };
        self.spend(points)?;
        if self.layer != Some(key) {
            self.layer = Some(key);
            if self.layers.insert(key) {
                self.spend(NEW_LAYER)?;
            }
        }
        Ok(key)
    }

    fn length(&mut self) -> Result<Option<i64>, Fault> {
        match self.source.length()? {
            length if length > LONGEST => Err(Fault::Coordinate(length)),
            length => Ok(Some(length)),
        }
    }

    fn size(&mut self, info: u8) -> Result<(), Fault> {
        if info & 0x40 != 0 {
            self.modal.width = self.length()?;
        }
        if info & 0x20 != 0 {
            self.modal.height = self.length()?;
        }
        Ok(())
    }

    pub(super) fn rectangle(&mut self) -> Result<(), Fault> {
        let info = self.head()?;
        self.size(info & 0x40)?;
        if info & 0x80 != 0 {
            if info & 0x20 != 0 {
                self.builder.liberty("squares with a height, which is not read");
            }
            self.modal.height = self.modal.width;
        } else {
            self.size(info & 0x20)?;
        }
        let Where { at: [x, y], repetition } = self.tail(info)?;
        let (width, height) = (self.modal.width, self.modal.height);
        let (width, height) = (self.number(width), self.number(height));
        let corners = [whole(x)?, whole(y)?, whole(plus(x, width)?)?, whole(plus(y, height)?)?];
        let repetition = self.keep(repetition)?;
        let key = self.key(2 + extra(&repetition))?;
        self.builder.rectangle(key, corners, repetition);
        Ok(())
    }

    /// Adds a polygon by its corners from `at`.
    fn add(&mut self, points: &[Vector], Where { at: [x, y], repetition }: Where) -> Result<(), Fault> {
        let moved = |&[px, py]: &Vector| Ok([whole(plus(x, px)?)?, whole(plus(y, py)?)?]);
        let points: Vec<Point> = points.iter().map(moved).collect::<Result<_, Fault>>()?;
        let repetition = self.keep(repetition)?;
        let key = self.key(points.len() + 1 + extra(&repetition))?;
        self.builder.polygon(key, &points, repetition);
        Ok(())
    }

    fn points(&mut self, purpose: For) -> Result<Rc<[Vector]>, Fault> {
        let (points, odd) = point_list(&mut self.source, purpose)?;
        if odd {
            self.builder.liberty("point lists along x and y in turn of an odd number of sides");
        }
        Ok(points.into())
    }

    pub(super) fn polygon(&mut self) -> Result<(), Fault> {
        let info = self.head()?;
        if info & 0x20 != 0 {
            self.modal.polygon = Some(self.points(For::Polygon)?);
        }
        let place = self.tail(info)?;
        let points = self.modal.polygon.clone().ok_or(Fault::Undefined("the point list"))?;
        self.add(&points, place)
    }

    pub(super) fn path(&mut self) -> Result<(), Fault> {
        let info = self.head()?;
        if info & 0x40 != 0 {
            self.modal.half_width = self.length()?;
        }
        if info & 0x80 != 0 {
            let scheme = self.source.unsigned()?;
            for (end, bits) in [(0, scheme >> 2 & 3), (1, scheme & 3)] {
                let extension = match bits {
                    0 => continue,
                    1 => Some(0),
                    2 => {
                        let half = self.modal.half_width;
                        Some(self.number(half))
                    }
                    _ => Some(self.source.signed()?.clamp(-LONGEST, LONGEST)),
                };
                if let Some(slot) = self.modal.extensions.get_mut(end) {
                    *slot = extension;
                }
            }
        }
        if info & 0x20 != 0 {
            self.modal.spine = Some(self.points(For::Path)?);
        }
        let Where { at: [x, y], repetition } = self.tail(info)?;
        let spine = self.modal.spine.clone().ok_or(Fault::Undefined("the point list"))?;
        let (half, [start, end]) = (self.modal.half_width, self.modal.extensions);
        let half = self.number(half);
        let caps = [self.number(start), self.number(end)].map(|extension| Cap::Flat(extension as f64));
        let moved = |&[px, py]: &Vector| Ok([whole(plus(x, px)?)?, whole(plus(y, py)?)?]);
        let points: Vec<Point> = spine.iter().map(moved).collect::<Result<_, Fault>>()?;
        let repetition = self.keep(repetition)?;
        let key = self.key(4 * points.len() + 16)?;
        self.builder.path(key, &points, half as f64, caps, repetition, true);
        Ok(())
    }

    pub(super) fn trapezoid(&mut self, kind: u8) -> Result<(), Fault> {
        let info = self.head()?;
        self.size(info)?;
        let a = if kind == 25 { 0 } else { self.source.signed()? };
        let b = if kind == 24 { 0 } else { self.source.signed()? };
        let place = self.tail(info)?;
        let (width, height) = (self.modal.width, self.modal.height);
        let size = [self.number(width), self.number(height)];
        let [a, b] = [a, b].map(|aslant| aslant.clamp(-LONGEST, LONGEST));
        self.add(&aslant(info & 0x80 != 0, size, a, b), place)
    }

    pub(super) fn compact_trapezoid(&mut self) -> Result<(), Fault> {
        let info = self.head()?;
        if info & 0x80 != 0 {
            self.modal.trapezoid = Some(self.source.unsigned()?);
        }
        self.size(info)?;
        let place = self.tail(info)?;
        let kind = self.modal.trapezoid.ok_or(Fault::Undefined("the type"))?;
        let read = reads(kind);
        let width = if read[0] { self.modal.width } else { Some(0) };
        let height = if read[1] { self.modal.height } else { Some(0) };
        let (points, size) = compact(kind, self.number(width), self.number(height))?;
        [self.modal.width, self.modal.height] = size.map(|length| Some(length.min(LONGEST)));
        self.add(&points, place)
    }

    pub(super) fn circle(&mut self) -> Result<(), Fault> {
        let info = self.head()?;
        if info & 0x20 != 0 {
            self.modal.radius = self.length()?;
        }
        let place = self.tail(info)?;
        let radius = self.modal.radius;
        let points = circle(self.number(radius));
        self.add(&points, place)
    }

    /// An XGEOMETRY record, passed over but for what it leaves to those behind.
    pub(super) fn extension(&mut self) -> Result<(), Fault> {
        let info = self.source.byte()?;
        self.source.unsigned()?;
        self.layer(info)?;
        self.source.skip_string()?;
        self.tail(info)?;
        Ok(())
    }
}

/// A circle around (0, 0) as a polygon whose corners lie on it, to the nearest whole numbers.
fn circle(radius: i64) -> Vec<Vector> {
    let radius = radius as f64;
    let corners = (TAU / (2.0 * (2.0 * SAGITTA / radius.max(1.0)).sqrt())).clamp(FEWEST, MOST);
    // A multiple of four, so that the corners at the axes are there.
    let corners = 4 * (corners / 4.0).ceil() as u32;
    let mut points: Vec<Vector> = (0..corners)
        .map(|k| {
            let (sin, cos) = (f64::from(k) / f64::from(corners) * TAU).sin_cos();
            [(radius * cos).round() as i64, (radius * sin).round() as i64]
        })
        .collect();
    points.dedup();
    points
}
