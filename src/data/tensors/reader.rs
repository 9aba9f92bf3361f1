//! Reads the fields of a pipeline from a file of tensors, and checks them against their declared types.

use std::collections::HashMap;

use super::Column;
use super::file::TensorFile;
use super::misfit::Misfit;
use rord_lang::types::{Kind, Type};

/// Reads fields one after the other, each against what those before it set.
pub struct Reader<'a> {
    /// The file.
    pub file: TensorFile,
    /// The sizes that are known by symbol.
    pub sizes: &'a mut HashMap<u32, i64>,
    /// Which field set a size.
    pub origins: HashMap<u32, String>,
    /// The number of samples, and the field that has them.
    pub samples: Option<(usize, String)>,
    /// What does not fit so far.
    pub misfits: Vec<Misfit>,
}

impl Reader<'_> {
    /// One field; `None` where something was put on the list.
    pub fn column(&mut self, name: &str, ty: &Type) -> Option<Column> {
        match self.try_column(name, ty) {
            Ok(column) => Some(column),
            Err(misfit) => {
                self.misfits.push(misfit);
                None
            }
        }
    }

    fn try_column(&mut self, name: &str, ty: &Type) -> Result<Column, Misfit> {
        let field = name.to_string();
        let Some(shape) = self.file.shape(name) else {
            return Err(Misfit::Missing { field, present: self.file.present() });
        };
        self.fit_shape(name, ty, &shape)?;
        let values = self.file.numbers(name).map_err(|reason| Misfit::Unreadable { field: field.clone(), reason })?;
        let (samples, shape) = shape.split_first().map(|(n, rest)| (*n, rest.to_vec())).unwrap_or((0, vec![]));
        let cells = shape.iter().product::<usize>().max(1);
        let holds: fn(f32) -> bool = match ty.kind {
            Kind::Mask => |x| x == 0.0 || x == 1.0,
            kind if kind.is(Kind::Prob) => |x| (0.0..=1.0).contains(&x),
            Kind::Dist => |x| x >= 0.0,
            _ => |_| true,
        };
        let count = values.iter().filter(|x| !x.is_finite()).count();
        if let Some(at) = values.iter().position(|x| !x.is_finite()) {
            return Err(Misfit::NotFinite { field, sample: at / cells, count });
        }
        if let Some((at, value)) = values.iter().enumerate().find(|(_, x)| !holds(**x)) {
            let count = values.iter().filter(|x| !holds(**x)).count();
            return Err(Misfit::OutOfRange { field, kind: ty.kind, sample: at / cells, value: *value, count });
        }
        match &self.samples {
            Some((expected, first)) if *expected != samples => {
                return Err(Misfit::Samples { field, found: samples, first: first.clone(), expected: *expected });
            }
            Some(_) => {}
            None => self.samples = Some((samples, field.clone())),
        }
        Ok(Column { name: field, shape, values })
    }

    /// Checks the axes after the first against the declared ones, and takes sizes that nothing has set yet.
    fn fit_shape(&mut self, name: &str, ty: &Type, shape: &[usize]) -> Result<(), Misfit> {
        let field = name.to_string();
        let more = ty.kind.beside_axes();
        let wanted = ty.dims.len() + more.len();
        if shape.len() != wanted {
            return Err(Misfit::Rank { field, wanted, found: shape.to_vec() });
        }
        for (dim, found) in ty.dims.iter().zip(shape).skip(1) {
            let size = i64::try_from(*found).unwrap_or(i64::MAX);
            let origin = dim.symbols().find_map(|s| self.origins.get(&s.id).cloned());
            match dim.value(self.sizes) {
                Some(Ok(value)) if value == size && value > 0 => {}
                Some(Ok(value)) => {
                    let declared = dim.to_string();
                    return Err(Misfit::Size { field, declared, value, origin, shape: shape.to_vec() });
                }
                Some(Err(numerator)) => {
                    return Err(Misfit::Rest { field, declared: dim.to_string(), numerator, origin });
                }
                None => {
                    // A size is a name of its own where it is seen first; `H/4` comes after an `H`, unless that field
                    // is missing.
                    let Some(symbol) = dim.as_symbol() else { continue };
                    if size < 1 {
                        let (declared, shape) = (dim.to_string(), shape.to_vec());
                        return Err(Misfit::Size { field, declared, value: 1, origin: None, shape });
                    }
                    self.sizes.insert(symbol.id, size);
                    self.origins.insert(symbol.id, name.to_string());
                }
            }
        }
        let fixed = shape.get(ty.dims.len()..).unwrap_or_default();
        match fixed.iter().zip(more).find(|(found, wanted)| found != wanted) {
            Some((_, wanted)) => {
                let (declared, value) = (format!("the last size of a {}", ty.kind.name()), *wanted as i64);
                Err(Misfit::Size { field, declared, value, origin: None, shape: shape.to_vec() })
            }
            None => Ok(()),
        }
    }
}
