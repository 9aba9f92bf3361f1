//! One element of a GDSII cell: its records are collected, and its end adds it to the cell.

use super::records::{self, real, signed, unsigned};
use crate::builder::Builder;
use crate::layer::LayerKey;
use crate::library::{Repetition, Transform};
use crate::path::Cap;
use crate::polygons::Point;

/// What an element is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    Boundary,
    Path,
    Box,
    Sref,
    Aref,
    /// A text or a node, which cover nothing, or what is in no cell.
    #[default]
    Nothing,
}

/// The records of an element. One value serves all elements, so that none allocates.
#[derive(Default)]
pub struct Element {
    pub kind: Kind,
    /// The byte where it begins.
    pub at: u64,
    layer: Option<u32>,
    datatype: Option<u32>,
    width: i32,
    path_type: u16,
    extensions: [i32; 2],
    points: Vec<Point>,
    places: u32,
    name: Vec<u8>,
    flags: Option<u16>,
    magnification: Option<f64>,
    angle: Option<f64>,
    /// Columns and rows.
    counts: Option<[u16; 2]>,
}

impl Element {
    /// Begins another element.
    pub fn begin(&mut self, kind: Kind, at: u64) {
        let (mut points, mut name) = (std::mem::take(&mut self.points), std::mem::take(&mut self.name));
        points.clear();
        name.clear();
        *self = Self { kind, at, points, name, ..Self::default() };
    }

    /// Takes a record of the element in. The error says what is wrong with it.
    pub fn take(&mut self, kind: u8, body: &[u8], builder: &mut Builder) -> Result<(), String> {
        let short = || format!("a record of type {kind:#04x} with {} bytes", body.len());
        match kind {
            _ if self.kind == Kind::Nothing => {}
            records::LAYER => self.layer = Some(number(body).ok_or_else(short)?),
            records::DATATYPE | records::BOXTYPE => self.datatype = Some(number(body).ok_or_else(short)?),
            records::WIDTH => self.width = signed(body).ok_or_else(short)?,
            records::PATHTYPE => self.path_type = unsigned(body).ok_or_else(short)?,
            records::BGNEXTN => self.extensions[0] = signed(body).ok_or_else(short)?,
            records::ENDEXTN => self.extensions[1] = signed(body).ok_or_else(short)?,
            records::STRANS => self.flags = Some(unsigned(body).ok_or_else(short)?),
            records::MAG => self.magnification = Some(real(body).ok_or_else(short)?),
            records::ANGLE => self.angle = Some(real(body).ok_or_else(short)?),
            records::COLROW => {
                let counts = unsigned(body).zip(body.get(2..).and_then(unsigned)).ok_or_else(short)?;
                self.counts = Some(counts.into());
            }
            records::SNAME => {
                self.name.clear();
                self.name.extend_from_slice(super::name(body, builder));
            }
            records::XY => {
                // Large polygons come in several records, one after the other.
                self.places += 1;
                if self.places == 2 {
                    builder.liberty("elements with several XY records, read as one");
                }
                let (points, rest) = body.as_chunks::<8>();
                if rest.len() > 1 {
                    builder.liberty("XY records that end within a point, read up to it");
                }
                self.points.extend(points.iter().map(|&[a, b, c, d, e, f, g, h]| {
                    [i32::from_be_bytes([a, b, c, d]), i32::from_be_bytes([e, f, g, h])]
                }));
            }
            kind if records::WITHOUT_SHAPE.contains(&kind) => {}
            _ => builder.liberty("records of types that GDSII does not have there, passed over"),
        }
        Ok(())
    }

    /// Adds the element to the current cell. The error says what is wrong with it.
    pub fn end(&mut self, builder: &mut Builder) -> Result<(), String> {
        match self.kind {
            Kind::Nothing => return Ok(()),
            _ if self.points.is_empty() && matches!(self.kind, Kind::Boundary | Kind::Path | Kind::Box) => {
                builder.liberty("shapes without points, left out");
            }
            Kind::Boundary => {
                let key = self.key(builder);
                builder.polygon(key, &self.points, Repetition::Once);
            }
            Kind::Box => self.add_box(builder),
            Kind::Path => self.add_path(builder),
            Kind::Sref | Kind::Aref => return self.place(builder),
        }
        Ok(())
    }

    fn key(&self, builder: &mut Builder) -> LayerKey {
        if self.layer.is_none() || self.datatype.is_none() {
            builder.liberty("shapes without a layer or a datatype, read as 0");
        }
        LayerKey { layer: self.layer.unwrap_or(0), datatype: self.datatype.unwrap_or(0) }
    }

    fn add_box(&self, builder: &mut Builder) {
        let key = self.key(builder);
        match *self.points.as_slice() {
            [[x0, y0], [x1, y1]] => {
                builder.liberty("boxes of two points, read as opposite corners");
                builder.rectangle(key, [x0, y0, x1, y1], Repetition::Once);
            }
            _ => {
                if self.points.len() != 5 {
                    builder.liberty("boxes not of five points, read as polygons");
                }
                builder.polygon(key, &self.points, Repetition::Once);
            }
        }
    }

    fn add_path(&self, builder: &mut Builder) {
        let key = self.key(builder);
        let half = f64::from(self.width).abs() / 2.0;
        if half == 0.0 {
            // The format has them; who draws with them is told that nothing is seen of it.
            return builder.liberty("paths without width, which cover nothing");
        }
        let caps = match self.path_type {
            1 => [Cap::Round; 2],
            2 => [Cap::Square; 2],
            4 => self.extensions.map(|extension| Cap::Flat(f64::from(extension))),
            path_type => {
                if path_type != 0 {
                    builder.liberty("paths of a type other than 0, 1, 2 and 4, read as of type 0");
                }
                [Cap::Flat(0.0); 2]
            }
        };
        builder.path(key, &self.points, half, caps, Repetition::Once, self.width >= 0);
    }

    fn place(&self, builder: &mut Builder) -> Result<(), String> {
        if self.flags.is_none() && (self.magnification.is_some() || self.angle.is_some()) {
            builder.liberty("magnifications or angles without STRANS, followed");
        }
        let flags = self.flags.unwrap_or(0);
        if flags & 6 != 0 {
            builder.liberty("absolute magnifications or angles, read as relative ones");
        }
        let (magnification, angle) = (self.magnification.unwrap_or(1.0), self.angle.unwrap_or(0.0));
        if magnification == 0.0 {
            let name = crate::builder::text(&self.name);
            return Err(format!("`{name}` is placed with magnification {magnification} and angle {angle}"));
        }
        if magnification < 0.0 {
            builder.liberty("negative magnifications, read as half a turn");
        }
        if self.points.is_empty() {
            builder.liberty("placements without a point, read as at (0, 0)");
        }
        let point = |index: usize| self.points.get(index).map(|point| point.map(f64::from));
        let origin = point(0).unwrap_or_default();
        let repetition = if self.kind == Kind::Aref { self.array(origin, builder) } else { Repetition::Once };
        if self.kind == Kind::Sref && self.points.len() > 1 {
            builder.liberty("placements of several points, read as at the first");
        }
        let transform = Transform::placement(flags & 0x8000 != 0, magnification, angle, origin);
        let cell = builder.cell(&self.name);
        builder.place(cell, transform, repetition);
        Ok(())
    }

    /// The second and the third point are one array width to the right and one height up of the first.
    fn array(&self, [x, y]: [f64; 2], builder: &mut Builder) -> Repetition {
        let Some(counts) = self.counts else {
            builder.liberty("arrays without a number of columns and rows, read as one placement");
            return Repetition::Once;
        };
        if counts.contains(&0) {
            builder.liberty("arrays of 0 columns or rows, read as of 1");
        }
        if self.points.len() != 3 {
            builder
                .liberty("arrays not of three points; steps that are not there are 0, points beyond are passed over");
        }
        let counts = counts.map(|count| u32::from(count.max(1)));
        let step = |index: usize, count: u32| {
            let [to_x, to_y] = self.points.get(index).map_or([x, y], |point| point.map(f64::from));
            [(to_x - x) / f64::from(count), (to_y - y) / f64::from(count)]
        };
        let steps = [step(1, counts[0]), step(2, counts[1])];
        if counts == [1, 1] { Repetition::Once } else { Repetition::Grid { counts, steps } }
    }
}

/// A layer's number: two bytes as the format has them, or four as some write large ones.
fn number(body: &[u8]) -> Option<u32> {
    match body.first_chunk() {
        Some(bytes) => Some(u32::from_be_bytes(*bytes)),
        None => unsigned(body).map(u32::from),
    }
}
