//! What a file may not have by its format and was read nevertheless: facts for a warning.

use std::fmt;

/// One kind of liberty that was taken in reading a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Liberty {
    /// What was read.
    pub kind: LibertyKind,
    /// How often.
    pub times: u64,
    /// The cell where it was first met, if in a cell.
    pub cell: Option<String>,
    /// The byte where it was first met, of the decompressed file.
    pub at: u64,
}

/// What was read although the format does not have it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum LibertyKind {
    /// Cells are placed that the file does not have; nothing is drawn for them.
    MissingCells {
        /// Their names, up to [`LibertyKind::MOST_NAMES`].
        names: Vec<String>,
        /// How many there are.
        cells: u64,
    },
    /// Anything else, as a sentence about the file: "records of a type that GDSII does not have, passed over".
    Read(&'static str),
}

impl LibertyKind {
    /// How many names are kept of missing cells.
    pub const MOST_NAMES: usize = 10;
}

impl fmt::Display for LibertyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MissingCells { names, cells } => {
                write!(
                    f,
                    "cells that are placed and not there, left out: {}",
                    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
                )?;
                match cells.saturating_sub(names.len() as u64) {
                    0 => Ok(()),
                    more => write!(f, " and {more} more"),
                }
            }
            Self::Read(what) => f.write_str(what),
        }
    }
}

impl fmt::Display for Liberty {
    /// `what (3 times, first in cell a, at byte 120)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (", self.kind)?;
        if self.times > 1 {
            write!(f, "{} times, first ", self.times)?;
        }
        if let Some(cell) = &self.cell {
            write!(f, "in cell `{cell}`, ")?;
        }
        write!(f, "at byte {})", self.at)
    }
}
