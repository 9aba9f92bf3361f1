//! How a set of named tensors differs from the set that is expected: all of it at once.

use std::collections::{HashMap, HashSet};
use std::fmt;

/// All the ways in which the tensors that were found differ from those that were expected. Lists are in the order of
/// the expectation, unexpected names in alphabetical order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// Expected and not there: name and expected shape.
    pub missing: Vec<(String, Vec<usize>)>,
    /// There and not expected: name and shape.
    pub unexpected: Vec<(String, Vec<usize>)>,
    /// There with another shape.
    pub shapes: Vec<ShapeDiffers>,
    /// There with numbers of a type that is not read (whole numbers, say): name, and type as the file names it.
    pub types: Vec<(String, String)>,
}

/// One tensor whose shape is not the expected one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShapeDiffers {
    /// The tensor.
    pub name: String,
    /// The shape the pipeline gives it.
    pub expected: Vec<usize>,
    /// The shape that was found.
    pub found: Vec<usize>,
}

impl Difference {
    /// True where nothing differs.
    pub fn is_empty(&self) -> bool {
        self.missing.is_empty() && self.unexpected.is_empty() && self.shapes.is_empty() && self.types.is_empty()
    }

    /// Compares names and shapes. Types are compared by the caller, because each reads other ones.
    pub fn between(expected: &[(&str, &[usize])], found: &[(&str, &[usize])]) -> Self {
        let mut difference = Self::default();
        let here: HashMap<&str, &[usize]> = found.iter().copied().collect();
        for (name, shape) in expected {
            match here.get(name) {
                None => difference.missing.push((name.to_string(), shape.to_vec())),
                Some(other) if other != shape => difference.shapes.push(ShapeDiffers {
                    name: name.to_string(),
                    expected: shape.to_vec(),
                    found: other.to_vec(),
                }),
                Some(_) => {}
            }
        }
        let known: HashSet<&str> = expected.iter().map(|(name, _)| *name).collect();
        let more = found.iter().filter(|(name, _)| !known.contains(name));
        difference.unexpected = more.map(|(name, shape)| (name.to_string(), shape.to_vec())).collect();
        difference.unexpected.sort();
        difference
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (missing, unexpected, shapes) = (self.missing.len(), self.unexpected.len(), self.shapes.len());
        write!(
            f,
            "{missing} missing, {unexpected} unexpected, {shapes} of another shape, {} of another type",
            self.types.len()
        )
    }
}
