//! Reads records one after the other, and says of a fault where it lies.

use std::collections::HashSet;
use std::path::Path;

use super::MAGIC;
use super::fault::Fault;
use super::limits::Limits;
use super::modal::Modal;
use super::names::{CellNumbers, LayerName, shown};
use super::source::{Place, Source};
use crate::ReadLibrary;
use crate::builder::Builder;
use crate::error::ReadError;
use crate::layer::LayerKey;
use crate::library::CellId;

/// A file being read.
pub(super) struct Reader<'a> {
    pub source: Source<'a>,
    pub builder: Builder,
    pub modal: Modal,
    pub numbers: CellNumbers,
    pub layer_names: Vec<LayerName>,
    /// The cell being defined, and all that were.
    pub cell: Option<CellId>,
    pub defined: HashSet<CellId>,
    /// The layers of that cell, and the last shape's.
    pub layers: HashSet<LayerKey>,
    pub layer: Option<LayerKey>,
    limits: Limits,
    points_left: u64,
    /// Where the record being read begins, and what it is called.
    place: Place,
    record: &'static str,
}

/// What records are called, by their type.
const RECORDS: [&str; 35] = [
    "PAD",
    "START",
    "END",
    "CELLNAME",
    "CELLNAME",
    "TEXTSTRING",
    "TEXTSTRING",
    "PROPNAME",
    "PROPNAME",
    "PROPSTRING",
    "PROPSTRING",
    "LAYERNAME",
    "LAYERNAME",
    "CELL",
    "CELL",
    "XYABSOLUTE",
    "XYRELATIVE",
    "PLACEMENT",
    "PLACEMENT",
    "TEXT",
    "RECTANGLE",
    "POLYGON",
    "PATH",
    "TRAPEZOID",
    "TRAPEZOID",
    "TRAPEZOID",
    "CTRAPEZOID",
    "CIRCLE",
    "PROPERTY",
    "PROPERTY",
    "XNAME",
    "XNAME",
    "XELEMENT",
    "XGEOMETRY",
    "CBLOCK",
];

/// What a file's START record says.
struct Start {
    /// Micrometers in one database unit.
    unit: f64,
    /// The table offsets are in the END record.
    offsets_at_end: bool,
}

impl<'a> Reader<'a> {
    /// A reader of `bytes`, which begin with [`MAGIC`].
    pub fn new(bytes: &'a [u8], limits: Limits, builder: Builder) -> Self {
        Self {
            source: Source::new(bytes, MAGIC.len(), limits),
            builder,
            modal: Modal::default(),
            numbers: CellNumbers::default(),
            layer_names: vec![],
            cell: None,
            defined: HashSet::new(),
            layers: HashSet::new(),
            layer: None,
            limits,
            points_left: limits.points,
            place: Place::default(),
            record: "START",
        }
    }

    /// Reads the whole file.
    pub fn read(mut self, path: &Path) -> Result<ReadLibrary, ReadError> {
        match self.file() {
            Ok(unit) => {
                if let Some((times, at)) = self.source.odd_blocks {
                    self.builder.at = at;
                    for _ in 0..times {
                        self.builder.liberty("compressed blocks of other lengths than their records give");
                    }
                }
                let mut library = self.builder.finish(unit);
                library.layer_names = self.layer_names;
                Ok(library)
            }
            Err(fault) => Err(self.error(path, fault)),
        }
    }

    /// Reads the whole file, and counts what its library would take.
    pub fn weigh(mut self, path: &Path) -> Result<u64, ReadError> {
        match self.file() {
            Ok(_) => Ok(self.builder.weight()),
            Err(fault) => Err(self.error(path, fault)),
        }
    }

    /// The fault with the file, the cell and the byte.
    fn error(&self, path: &Path, fault: Fault) -> ReadError {
        let path = path.into();
        let name = self.builder.current().filter(|name| !name.is_empty());
        let cell = self.cell.and_then(|cell| name.map(|name| shown(&name)).or_else(|| self.number_of(cell)));
        let Place { at, within } = self.place;
        let within = within.filter(|_| !fault.is_of_block());
        if matches!((&fault, within), (Fault::NoEnd | Fault::EndOfData, None)) {
            return ReadError::Truncated { path, cell, at: self.source.file().len() as u64 };
        }
        if let Fault::Unit(grid) = fault {
            return ReadError::BadUnit { path, meters: 1e-6 / grid };
        }
        let record = if fault.is_of_block() { "CBLOCK" } else { self.record };
        let inside = within.map(|byte| format!("at byte {byte} of the compressed block")).unwrap_or_default();
        let facts =
            [record.to_owned(), inside].into_iter().filter(|fact| !fact.is_empty()).collect::<Vec<_>>().join(" ");
        let reason = if facts.is_empty() { fault.to_string() } else { format!("{facts}: {fault}") };
        match fault.is_beyond() {
            true => ReadError::Unsupported { path, cell, at, reason },
            false => ReadError::Malformed { path, cell, at, reason },
        }
    }

    /// Counts points that are kept.
    pub fn spend(&mut self, points: usize) -> Result<(), Fault> {
        let left = self.points_left.checked_sub(points as u64);
        self.points_left = left.ok_or(Fault::TooManyPoints(self.limits.points))?;
        Ok(())
    }

    /// All records; micrometers in one database unit.
    fn file(&mut self) -> Result<f64, Fault> {
        self.place = self.source.place();
        let start = self.start()?;
        loop {
            self.place = self.source.place();
            let in_block = self.source.in_block();
            let Some(kind) = self.source.record()? else { return Err(Fault::NoEnd) };
            if in_block && !self.source.in_block() {
                // The block ended; the byte lies behind it.
                self.place = Place { at: self.source.place().at.saturating_sub(1), within: None };
            }
            self.builder.at = self.place.at;
            self.record = RECORDS.get(usize::from(kind)).copied().unwrap_or_default();
            if kind == 2 {
                self.end(self.place, start.offsets_at_end)?;
                self.check_names()?;
                return Ok(start.unit);
            }
            let in_block = self.source.in_block();
            self.one(kind)?;
            if kind != 34 && in_block && !self.source.in_block() {
                self.builder.liberty("records that begin in a compressed block and end behind it");
            }
        }
    }

    /// The START record: version, unit, and perhaps the offsets of tables, which are not needed.
    fn start(&mut self) -> Result<Start, Fault> {
        if self.source.byte()? != 1 {
            return Err(Fault::NoStart);
        }
        let version = self.source.string()?;
        if version != b"1.0" {
            let version = version.get(..version.len().min(16)).unwrap_or_default();
            return Err(Fault::Version(String::from_utf8_lossy(version).into_owned()));
        }
        let grid = self.source.real()?;
        let unit = 1.0 / grid;
        if !(grid > 0.0 && unit.is_finite() && unit > 0.0) {
            return Err(Fault::Unit(grid));
        }
        let offsets_at_end = self.source.unsigned()? != 0;
        if !offsets_at_end {
            self.table_offsets()?;
        }
        Ok(Start { unit, offsets_at_end })
    }

    /// Six tables' offsets, each with whether all names are in its table.
    pub fn table_offsets(&mut self) -> Result<(), Fault> {
        for _ in 0..12 {
            self.source.unsigned()?;
        }
        Ok(())
    }

    /// A record of any kind but END.
    fn one(&mut self, kind: u8) -> Result<(), Fault> {
        if matches!(kind, 17..=27 | 33) && self.cell.is_none() {
            return Err(Fault::OutsideCell);
        }
        match kind {
            0 => {}
            1 => return Err(Fault::SecondStart),
            3..=12 | 30 | 31 => {
                self.builder.close();
                self.cell = None;
                self.modal = Modal::default();
                match kind {
                    3 | 4 => self.cell_name(kind == 4)?,
                    5..=10 => self.skip_name(matches!(kind, 6 | 8 | 10))?,
                    11 | 12 => self.layer_name(kind == 12)?,
                    _ => {
                        self.source.unsigned()?;
                        self.skip_name(kind == 31)?;
                    }
                }
            }
            13 | 14 => self.begin_cell(kind == 13)?,
            15 | 16 => self.modal.relative = kind == 16,
            17 | 18 => self.placement(kind == 18)?,
            19 => self.text()?,
            20 => self.rectangle()?,
            21 => self.polygon()?,
            22 => self.path()?,
            23..=25 => self.trapezoid(kind)?,
            26 => self.compact_trapezoid()?,
            27 => self.circle()?,
            28 => self.property()?,
            // The last property again, on something else.
            29 => {}
            32 => {
                self.source.unsigned()?;
                self.source.skip_string()?;
            }
            33 => self.extension()?,
            34 => self.block()?,
            _ => return Err(Fault::RecordType(kind)),
        }
        Ok(())
    }

    /// A CBLOCK record: its content is read next.
    fn block(&mut self) -> Result<(), Fault> {
        if self.source.in_block() {
            return Err(Fault::BlockInBlock);
        }
        let kind = self.source.unsigned()?;
        if kind != 0 {
            return Err(Fault::BlockType(kind));
        }
        let (stated, length) = (self.source.unsigned()?, self.source.unsigned()?);
        self.source.enter(self.place.at, stated, length)
    }

    /// A PROPERTY record, passed over.
    fn property(&mut self) -> Result<(), Fault> {
        let info = self.source.byte()?;
        match info & 0x06 {
            0x04 => self.source.skip_string()?,
            0x06 => drop(self.source.unsigned()?),
            _ => {}
        }
        if info & 0x08 != 0 {
            return Ok(());
        }
        let count = match info >> 4 {
            15 => self.source.unsigned()?,
            count => u64::from(count),
        };
        for _ in 0..count {
            match self.source.unsigned()? {
                kind @ 0..=7 => drop(self.source.real_of(kind)?),
                8 | 9 | 13..=15 => drop(self.source.unsigned()?),
                10..=12 => self.source.skip_string()?,
                kind => return Err(Fault::PropertyType(kind)),
            }
        }
        Ok(())
    }
}
