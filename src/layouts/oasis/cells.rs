//! Records of cells: CELL, PLACEMENT and TEXT.

use std::rc::Rc;

use super::fault::Fault;
use super::modal::Modal;
use super::numbers::plus;
use super::reader::Reader;
use super::repetition::repetition;
use crate::library::{Repetition, Transform};

/// Turns nearer than this to right angles, in quarters of a turn, are right angles; as in KLayout.
const NEARLY_RIGHT: f64 = 1e-6;

impl Reader<'_> {
    /// A CELL record: what follows is in that cell.
    pub(super) fn begin_cell(&mut self, by_number: bool) -> Result<(), Fault> {
        self.builder.close();
        self.cell = None;
        self.modal = Modal::default();
        let id = self.cell(by_number)?;
        self.cell = Some(id);
        self.spend(32)?;
        self.layers.clear();
        self.layer = None;
        if !self.builder.define(id) {
            self.builder.liberty("cells defined more than once, taken together");
        }
        self.defined.insert(id);
        Ok(())
    }

    /// Reads a coordinate where there is one, as the mode says.
    pub(super) fn coordinate(&mut self, there: bool, value: i64) -> Result<i64, Fault> {
        match (there, self.modal.relative) {
            (false, _) => Ok(value),
            (true, false) => self.source.signed(),
            (true, true) => plus(value, self.source.signed()?),
        }
    }

    /// Reads a repetition where there is one; the next with type 0 is the same.
    pub(super) fn repetition(&mut self, there: bool) -> Result<Option<Rc<Repetition>>, Fault> {
        if !there {
            return Ok(None);
        }
        let kind = self.source.unsigned()?;
        if kind != 0 {
            self.modal.repetition = Some(Rc::new(repetition(&mut self.source, kind)?));
        }
        self.modal.repetition.clone().ok_or(Fault::Undefined("the repetition")).map(Some)
    }

    /// A repetition to keep with a shape or a placement.
    pub(super) fn keep(&mut self, repetition: Option<Rc<Repetition>>) -> Result<Repetition, Fault> {
        let Some(repetition) = repetition else { return Ok(Repetition::Once) };
        if let Repetition::Places(places) = repetition.as_ref() {
            self.spend(2 * places.len())?;
        }
        Ok(repetition.as_ref().clone())
    }

    /// A PLACEMENT record; `scaled` with any magnification and angle.
    pub(super) fn placement(&mut self, scaled: bool) -> Result<(), Fault> {
        let info = self.source.byte()?;
        if info & 0x80 != 0 {
            self.modal.cell = Some(self.cell(info & 0x40 != 0)?);
        }
        let (mut magnification, mut angle) = (1.0, 0.0);
        if scaled {
            if info & 0x04 != 0 {
                magnification = self.source.real()?;
            }
            if info & 0x02 != 0 {
                angle = self.source.real()?;
            }
        } else {
            angle = f64::from(info >> 1 & 3) * 90.0;
        }
        let [x, y] = self.modal.placement;
        self.modal.placement = [self.coordinate(info & 0x20 != 0, x)?, y];
        self.modal.placement[1] = self.coordinate(info & 0x10 != 0, y)?;
        let repetition = self.repetition(info & 0x08 != 0)?;
        if !(magnification > 0.0 && magnification.is_finite()) {
            return Err(Fault::Magnification(magnification));
        }
        if !angle.is_finite() {
            return Err(Fault::Angle(angle));
        }
        let quarters = angle / 90.0;
        if (quarters - quarters.round()).abs() < NEARLY_RIGHT {
            angle = quarters.round() * 90.0;
        }
        let cell = self.modal.cell.ok_or(Fault::Undefined("the placed cell"))?;
        let shift = self.modal.placement.map(|value| value as f64);
        self.spend(16)?;
        let repetition = self.keep(repetition)?;
        self.builder.place(cell, Transform::placement(info & 0x01 != 0, magnification, angle, shift), repetition);
        Ok(())
    }

    /// A TEXT record, passed over but for its repetition.
    pub(super) fn text(&mut self) -> Result<(), Fault> {
        let info = self.source.byte()?;
        match info & 0x60 {
            0x40 => self.source.skip_string()?,
            0x60 => drop(self.source.unsigned()?),
            _ => {}
        }
        for there in [info & 0x01, info & 0x02, info & 0x10, info & 0x08] {
            if there != 0 {
                self.source.unsigned()?;
            }
        }
        self.repetition(info & 0x04 != 0)?;
        Ok(())
    }
}
