//! GDSII, read record by record: no more of a file is in memory than one record and what became of those before it.
//!
//! It reads what gdstk and KLayout read. Where these two differ, the one that reads more is followed, and each liberty is
//! counted.

mod element;
mod records;
pub mod write;

use std::io::Read;
use std::path::Path;

use crate::builder::Builder;
use crate::{ReadError, ReadLibrary};
use element::{Element, Kind};
use records::{Fault, Records};

/// Meters in a database unit where a file has no UNITS record.
const USUAL_UNIT: f64 = 1e-9;

/// True of bytes that begin as GDSII does: a HEADER or, where that was left out, a BGNLIB record.
pub fn is_gds(bytes: &[u8]) -> bool {
    matches!(*bytes, [0, 4..=64, records::HEADER, 0..=2, ..] | [0, 4..=64, records::BGNLIB, 2, ..])
}

/// Reads a GDSII file of at most `limit` bytes. `path` is what errors call it; `packed` says that `source` unpacks gzip.
pub fn read(path: &Path, source: impl Read, limit: u64, packed: bool) -> Result<ReadLibrary, ReadError> {
    let (builder, unit) = built(path, source, limit, packed, Builder::default())?;
    Ok(builder.finish(unit))
}

/// Bytes that the library of a file takes in memory, about; else as [`read`].
pub(crate) fn weigh(path: &Path, source: impl Read, limit: u64, packed: bool) -> Result<u64, ReadError> {
    Ok(built(path, source, limit, packed, Builder::weighing())?.0.weight())
}

/// Everything passed on to a builder; micrometers in one database unit.
fn built(
    path: &Path,
    source: impl Read,
    limit: u64,
    packed: bool,
    builder: Builder,
) -> Result<(Builder, f64), ReadError> {
    let mut reader = Reader { builder, element: Element::default(), open: false, state: State::Outside };
    let mut records = Records::new(source, limit);
    let end = reader.library(&mut records);
    let (cell, path) = (reader.builder.current(), || path.to_path_buf());
    let meters = end.map_err(|stop| match stop {
        Stop::Fault(Fault::Ends(0)) => ReadError::EmptyFile { path: path() },
        Stop::Fault(Fault::Ends(at)) => ReadError::Truncated { path: path(), cell, at },
        Stop::Fault(Fault::TooLong) => ReadError::FileTooLarge { path: path(), limit },
        Stop::Fault(Fault::Length(at, length)) => {
            ReadError::Malformed { path: path(), cell, at, reason: format!("a record of {length} bytes") }
        }
        Stop::Fault(Fault::Source(error)) if packed => ReadError::Gzip { path: path(), reason: error.to_string() },
        Stop::Fault(Fault::Source(error)) => ReadError::unreadable(&path(), &error),
        Stop::Broken(at, reason) => ReadError::Malformed { path: path(), cell, at, reason },
    })?;
    if !(meters > 0.0 && meters.is_finite()) {
        return Err(ReadError::BadUnit { path: path(), meters });
    }
    Ok((reader.builder, meters * 1e6))
}

/// A name's bytes: up to the first zero, which fills names to an even length, or to that of a buffer.
fn name<'a>(body: &'a [u8], builder: &mut Builder) -> &'a [u8] {
    let end = body.iter().position(|&byte| byte == 0).unwrap_or(body.len());
    let (name, rest) = body.split_at_checked(end).unwrap_or((body, &[]));
    if rest.len() > 1 {
        builder.liberty("names with more than one zero at their end, read up to the first");
    }
    if !name.is_ascii() {
        builder.liberty("names with other characters than ASCII's, read as UTF-8 or Latin-1");
    }
    if name.is_empty() {
        builder.liberty("cells without a name");
    }
    name
}

/// Why reading stops before the end of the library.
enum Stop {
    Fault(Fault),
    /// What is wrong at this byte.
    Broken(u64, String),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Outside,
    /// Behind BGNSTR, before STRNAME.
    Unnamed,
    Inside,
}

struct Reader {
    builder: Builder,
    element: Element,
    /// Whether the element has begun and not ended.
    open: bool,
    state: State,
}

impl Reader {
    /// Reads up to the end of the source. The value is meters in a database unit.
    fn library<R: Read>(&mut self, records: &mut Records<R>) -> Result<f64, Stop> {
        let (mut meters, mut first) = (None, true);
        loop {
            records.advance().map_err(Stop::Fault)?;
            self.builder.at = if self.open { self.element.at } else { records.at };
            if !records.body().len().is_multiple_of(2) {
                self.builder.liberty("records of an odd length");
            }
            let broken = |reason: String| Stop::Broken(records.at, reason);
            match records.kind {
                records::HEADER | records::LIBNAME => {}
                records::BGNLIB => {
                    if !std::mem::take(&mut first) {
                        self.builder.liberty("several libraries in one, read as one");
                    }
                }
                records::UNITS => {
                    let unit = records.body().get(8..).and_then(records::real);
                    meters = Some(unit.ok_or_else(|| broken("units of less than two numbers".into()))?);
                }
                records::ENDLIB => {
                    self.end_cell()?;
                    break;
                }
                records::BGNSTR => {
                    self.end_cell()?;
                    self.state = State::Unnamed;
                }
                records::STRNAME => self.begin_cell(records.body()),
                records::ENDSTR => {
                    self.end_element()?;
                    if self.state == State::Outside {
                        self.builder.liberty("ends of cells that did not begin");
                    }
                    self.state = State::Outside;
                    self.end_cell()?;
                }
                records::BOUNDARY => self.begin_element(Kind::Boundary, records.at)?,
                records::PATH => self.begin_element(Kind::Path, records.at)?,
                records::BOX => self.begin_element(Kind::Box, records.at)?,
                records::SREF => self.begin_element(Kind::Sref, records.at)?,
                records::AREF => self.begin_element(Kind::Aref, records.at)?,
                records::TEXT | records::NODE => self.begin_element(Kind::Nothing, records.at)?,
                records::ENDEL if self.open => {
                    self.open = false;
                    self.finish_element()?;
                }
                kind if self.open => self.element.take(kind, records.body(), &mut self.builder).map_err(broken)?,
                kind if records::WITHOUT_SHAPE.contains(&kind) => {}
                _ => self.builder.liberty("records of types that GDSII does not have there, passed over"),
            }
        }
        self.builder.at = records.at;
        if records.drain().map_err(Stop::Fault)? {
            self.builder.liberty("more bytes behind the end of the library, passed over");
        }
        if meters.is_none() {
            self.builder.liberty("no database unit, read as 1 nm");
        }
        Ok(meters.unwrap_or(USUAL_UNIT))
    }

    fn begin_cell(&mut self, body: &[u8]) {
        if self.state != State::Unnamed {
            self.builder.liberty("names of cells that did not begin");
        }
        self.state = State::Inside;
        let name = name(body, &mut self.builder);
        let id = self.builder.cell(name);
        if !self.builder.define(id) {
            self.builder.liberty("several cells of one name, of which the last is read");
            self.builder.redefine(id);
        }
    }

    /// Ends a cell, which should have ended before where one is open.
    fn end_cell(&mut self) -> Result<(), Stop> {
        self.end_element()?;
        if self.state != State::Outside {
            self.builder.liberty("cells without an end");
        }
        self.state = State::Outside;
        self.builder.close();
        Ok(())
    }

    fn begin_element(&mut self, kind: Kind, at: u64) -> Result<(), Stop> {
        self.end_element()?;
        self.builder.at = at;
        let kind = match self.state {
            State::Inside => kind,
            State::Unnamed => return Err(Stop::Broken(at, "a cell without a STRNAME record".into())),
            State::Outside => {
                self.builder.liberty("elements outside of cells, left out");
                Kind::Nothing
            }
        };
        self.open = true;
        self.element.begin(kind, at);
        Ok(())
    }

    /// Ends an element that should have ended before.
    fn end_element(&mut self) -> Result<(), Stop> {
        if !self.open {
            return Ok(());
        }
        self.open = false;
        self.builder.liberty("elements without an end");
        self.finish_element()
    }

    fn finish_element(&mut self) -> Result<(), Stop> {
        self.element.end(&mut self.builder).map_err(|reason| Stop::Broken(self.element.at, reason))
    }
}

#[cfg(test)]
mod tests;
