//! Names: cells by number, and layers. Strings of texts and properties are passed over.

use std::collections::HashMap;

use super::fault::Fault;
use super::reader::Reader;
use crate::builder::text;
use crate::library::CellId;

/// A name that the file gives to layers (LAYERNAME): those in both intervals, the ends with them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerName {
    /// The name.
    pub name: String,
    /// The first and the last layer number.
    pub layers: [u32; 2],
    /// The first and the last datatype.
    pub datatypes: [u32; 2],
}

/// The cells that go by a number: names may come after their use.
#[derive(Default)]
pub(super) struct CellNumbers {
    names: HashMap<u64, Vec<u8>>,
    cells: HashMap<u64, CellId>,
    /// The number of the next name that does not give one.
    next: u64,
    /// True once a name gave its number.
    explicit: bool,
}

/// How many characters of a name errors show.
const SHOWN: usize = 80;

/// A name as errors show it.
pub(super) fn shown(name: &str) -> String {
    match name.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", name.get(..end).unwrap_or_default()),
        None => name.to_owned(),
    }
}

impl Reader<'_> {
    /// The cell that a record refers to, by its number or by its name.
    pub(super) fn cell(&mut self, by_number: bool) -> Result<CellId, Fault> {
        if !by_number {
            let name = self.name()?;
            // Of a name that is known nothing new is kept.
            if self.builder.known(&name).is_none() {
                self.spend(32 + name.len())?;
            }
            return Ok(self.builder.cell(&name));
        }
        let number = self.source.unsigned()?;
        if let Some(&id) = self.numbers.cells.get(&number) {
            return Ok(id);
        }
        self.spend(32)?;
        let id = match self.numbers.names.get(&number) {
            Some(name) => self.builder.cell(name),
            None => self.builder.unnamed(),
        };
        self.numbers.cells.insert(number, id);
        Ok(id)
    }

    /// A cell's name; by the standard of printable ASCII, at least one.
    fn name(&mut self) -> Result<Vec<u8>, Fault> {
        let name = self.source.string()?;
        if name.is_empty() {
            self.builder.liberty("cells without a name");
        } else if !name.is_ascii() {
            self.builder.liberty("names with other characters than ASCII's, read as UTF-8 or Latin-1");
        }
        Ok(name)
    }

    /// A CELLNAME record, with a number of its own or with the next one.
    pub(super) fn cell_name(&mut self, explicit: bool) -> Result<(), Fault> {
        let name = self.name()?;
        self.spend(16 + name.len())?;
        let numbers = &mut self.numbers;
        let number = if explicit { self.source.unsigned()? } else { numbers.next };
        if explicit != numbers.explicit && !numbers.names.is_empty() {
            self.builder.liberty("names of cells, some with numbers of their own and some without");
        }
        numbers.explicit = explicit;
        if !explicit {
            numbers.next += 1;
        }
        match numbers.names.get(&number) {
            Some(first) if *first == name => {}
            Some(first) => {
                return Err(Fault::TwoNames { number, first: shown(&text(first)), second: shown(&text(&name)) });
            }
            None => {
                if let Some(&id) = numbers.cells.get(&number) {
                    self.builder.name(id, &name);
                }
                numbers.names.insert(number, name);
            }
        }
        Ok(())
    }

    /// What an error calls a cell that goes by a number.
    pub(super) fn number_of(&self, cell: CellId) -> Option<String> {
        self.numbers.cells.iter().find(|(_, id)| **id == cell).map(|(number, _)| format!("#{number}"))
    }

    /// At the end of the file: every cell must have its name, and only one definition.
    pub(super) fn check_names(&self) -> Result<(), Fault> {
        let numbers = &self.numbers;
        if let Some(&number) = numbers.cells.keys().filter(|number| !numbers.names.contains_key(number)).min() {
            return Err(Fault::NoName(number));
        }
        // A cell defined under its number, and again under the name that the number turned out to have.
        let mut by_name = HashMap::new();
        for (number, id) in numbers.cells.iter().filter(|(_, id)| self.defined.contains(id)) {
            if let Some(name) = numbers.names.get(number) {
                by_name.entry(name).or_insert(id);
            }
        }
        for (name, id) in by_name {
            let named = self.builder.known(name);
            if named.is_some_and(|named| named != *id && self.defined.contains(&named)) {
                return Err(Fault::SecondDefinition(shown(&text(name))));
            }
        }
        Ok(())
    }

    /// A LAYERNAME record. Names of texts' layers are passed over.
    pub(super) fn layer_name(&mut self, of_texts: bool) -> Result<(), Fault> {
        let name = self.source.string()?;
        let (layers, datatypes) = (self.interval()?, self.interval()?);
        if !of_texts {
            self.spend(8 + name.len())?;
            self.layer_names.push(LayerName { name: text(&name), layers, datatypes });
        }
        Ok(())
    }

    /// The first and the last number of an interval; beyond 32 bits, the largest number of 32 bits.
    fn interval(&mut self) -> Result<[u32; 2], Fault> {
        let kind = self.source.unsigned()?;
        let mut bound = || Ok(u32::try_from(self.source.unsigned()?).unwrap_or(u32::MAX));
        Ok(match kind {
            0 => [0, u32::MAX],
            1 => [0, bound()?],
            2 => [bound()?, u32::MAX],
            3 => [bound()?; 2],
            4 => [bound()?, bound()?],
            _ => return Err(Fault::IntervalType(kind)),
        })
    }

    /// TEXTSTRING, PROPNAME, PROPSTRING: a string, with a number where it is explicit.
    pub(super) fn skip_name(&mut self, explicit: bool) -> Result<(), Fault> {
        self.source.skip_string()?;
        if explicit {
            self.source.unsigned()?;
        }
        Ok(())
    }
}
