//! What a record leaves out it takes from the records before it: the modal variables, reset by each CELL and each name.

use std::rc::Rc;

use super::numbers::Vector;
use crate::library::{CellId, Repetition};

/// The modal variables. Those of texts and properties are left out, since both are passed over.
#[derive(Default)]
pub(super) struct Modal {
    /// Positions are differences from the ones before.
    pub relative: bool,
    pub layer: Option<u32>,
    pub datatype: Option<u32>,
    pub placement: Vector,
    pub geometry: Vector,
    pub cell: Option<CellId>,
    pub width: Option<i64>,
    pub height: Option<i64>,
    pub polygon: Option<Rc<[Vector]>>,
    pub spine: Option<Rc<[Vector]>>,
    pub half_width: Option<i64>,
    pub extensions: [Option<i64>; 2],
    pub trapezoid: Option<u64>,
    pub radius: Option<i64>,
    pub repetition: Option<Rc<Repetition>>,
}
