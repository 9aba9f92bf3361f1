//! Finds the fields of a pipeline in files of tensors, and checks their shapes against the declared types.

use std::collections::HashMap;
use std::path::Path;

use super::archive::Archive;
use super::misfit::Misfit;
use super::npz::Scratch;
use super::stored::Stored;
use rord_lang::types::{Kind, Type};

/// Reads files one after the other, each field against what those before it set.
pub struct Reader<'a> {
    /// The sizes that are known by symbol.
    pub sizes: &'a mut HashMap<u32, i64>,
    /// Which field set a size.
    pub origins: HashMap<u32, String>,
    /// Where arrays are unpacked to.
    pub scratch: Scratch,
    /// What does not fit so far.
    pub misfits: Vec<Misfit>,
    /// Whether there are several files, so that a misfit has to say which.
    pub several: bool,
}

impl Reader<'_> {
    /// Where the fields of a file lie, and how many samples it has; less where something was put on the list.
    pub fn file(&mut self, path: &Path, archive: &Archive, wanted: &[(String, Type)]) -> (usize, Vec<Stored>) {
        let (mut samples, mut fields): (Option<(usize, String)>, Vec<Stored>) = (None, Vec::new());
        for (name, ty) in wanted {
            match self.field(archive, &mut samples, name, ty) {
                Ok(stored) => fields.push(stored),
                Err(misfit) => {
                    let misfit = match self.several {
                        true => Misfit::In { file: path.to_path_buf(), of: misfit.into() },
                        false => misfit,
                    };
                    self.misfits.push(misfit);
                }
            }
        }
        (samples.map_or(0, |(n, _)| n), fields)
    }

    fn field(
        &mut self,
        archive: &Archive,
        samples: &mut Option<(usize, String)>,
        name: &str,
        ty: &Type,
    ) -> Result<Stored, Misfit> {
        let field = name.to_string();
        let Some(shape) = archive.shape(name) else {
            return Err(Misfit::Missing { field, present: archive.present() });
        };
        let shape = shape.to_vec();
        self.fit_shape(name, ty, &shape)?;
        let found = shape.first().copied().unwrap_or(0);
        match samples {
            Some((expected, first)) if *expected != found => {
                return Err(Misfit::Samples { field, found, first: first.clone(), expected: *expected });
            }
            Some(_) => {}
            None => *samples = Some((found, field.clone())),
        }
        archive.stored(name, &mut self.scratch).map_err(|reason| Misfit::Unreadable { field, reason })
    }

    /// Checks the axes after the first against the declared ones, and takes sizes that nothing has set yet.
    fn fit_shape(&mut self, name: &str, ty: &Type, shape: &[usize]) -> Result<(), Misfit> {
        let field = name.to_string();
        let more = ty.kind.beside_axes();
        let wanted = ty.dims.len() + more.len();
        if shape.len() != wanted {
            return Err(Misfit::Rank { field, wanted, found: shape.to_vec() });
        }
        if self.channels_last(ty, shape) {
            return Err(Misfit::ChannelsLast { field, shape: shape.to_vec() });
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

    /// Whether a map's channels lie behind its rows and columns: the last size is the declared number of channels and the
    /// second is not, or, where any number is declared, few channels lie behind what is larger.
    fn channels_last(&self, ty: &Type, shape: &[usize]) -> bool {
        let (Some(declared), &[_, second, third, last]) = (ty.dims.get(1), shape) else { return false };
        if !ty.kind.is(Kind::Map) {
            return false;
        }
        match declared.value(self.sizes) {
            Some(Ok(channels)) => {
                let is = |size: usize| i64::try_from(size) == Ok(channels);
                is(last) && !is(second)
            }
            _ => ty.kind == Kind::Image && (1..=4).contains(&last) && second > 4 && third > 4,
        }
    }
}
