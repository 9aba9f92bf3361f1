//! How an operation is written in the terms of other systems, for `rord-run export`: each says its ONNX and its line of
//! PyTorch in its own file, beside its value and its gradient.

pub mod fields;
pub mod onnx;
pub mod torch;

use std::collections::HashMap;

use candle_core::Tensor;

use crate::axes::POSITIONS;
use rord_lang::axis::Axis;
use rord_lang::constant::{Constant, Settings};
use rord_lang::types::Type;

/// What an operation is elsewhere: the name of its value there; or why there is no such form, in words that follow its name.
pub type Form = Result<String, String>;

/// Why an operation that says nothing has no form.
pub const NONE: &str = "has no form there";

/// An argument of an operation that is written out.
#[derive(Clone, Debug)]
pub struct Argument<'a> {
    /// The parameter that takes it.
    pub role: &'a str,
    /// What it is called where it is written: a value of ONNX, an expression of Python.
    pub name: String,
    /// Its type.
    pub ty: &'a Type,
    /// Its name and numbers, of a weight.
    pub weight: Option<(&'a str, &'a Tensor)>,
}

/// One use of an operation, to be written out.
pub struct Use<'a> {
    /// Its tensors.
    pub inputs: Vec<Argument<'a>>,
    /// All other arguments, defaults included.
    pub settings: &'a Settings,
    /// The type of its value.
    pub ty: &'a Type,
    /// The sizes that are known; those of the batch and of pictures are not.
    pub sizes: &'a HashMap<u32, i64>,
}

impl<'a> Use<'a> {
    /// The argument of a parameter, if it was given.
    pub fn maybe(&self, role: &str) -> Option<&Argument<'a>> {
        self.inputs.iter().find(|i| i.role == role)
    }

    /// The argument of a parameter.
    pub fn argument(&self, role: &str) -> Result<&Argument<'a>, String> {
        self.maybe(role).ok_or_else(|| format!("has no form without `{role}`"))
    }

    /// What an argument is called.
    pub fn name(&self, role: &str) -> Result<&str, String> {
        Ok(self.argument(role)?.name.as_str())
    }

    /// The numbers of a weight.
    pub fn weight(&self, role: &str) -> Result<(&'a str, &'a Tensor), String> {
        self.argument(role)?.weight.ok_or_else(|| format!("has no form where `{role}` is computed"))
    }

    /// Refused where an argument is given that has no counterpart.
    pub fn without(&self, role: &str) -> Result<(), String> {
        match self.maybe(role) {
            Some(_) => Err(format!("has no such form with a `{role}`")),
            None => Ok(()),
        }
    }

    /// A setting as a number.
    pub fn number(&self, name: &str) -> Result<f64, String> {
        self.settings.number(name).map_err(|e| e.to_string())
    }

    /// A setting as a whole number.
    pub fn count(&self, name: &str) -> Result<i64, String> {
        let count = self.settings.count(name).map_err(|e| e.to_string())?;
        i64::try_from(count).map_err(|e| e.to_string())
    }

    /// The same, or another number where it is not set.
    pub fn count_or(&self, name: &str, other: i64) -> Result<i64, String> {
        match self.settings.get(name) {
            None | Some(Constant::None) => Ok(other),
            Some(_) => self.count(name),
        }
    }

    /// A setting as true or false.
    pub fn flag(&self, name: &str) -> Result<bool, String> {
        self.settings.flag(name).map_err(|e| e.to_string())
    }

    /// A setting as a word.
    pub fn text(&self, name: &str) -> Result<&str, String> {
        self.settings.text(name).map_err(|e| e.to_string())
    }

    /// The axes along which it works, of the argument `role`; all of them where none is named.
    pub fn along(&self, role: &str) -> Result<Vec<i64>, String> {
        let rank = rank(self.argument(role)?.ty);
        match self.settings.get(POSITIONS) {
            None => Ok((0..rank).collect()),
            Some(_) => {
                let list = self.settings.list(POSITIONS).map_err(|e| e.to_string())?;
                let at = |c: &Constant| c.count().and_then(|n| i64::try_from(n).ok());
                list.iter().map(|c| at(c).ok_or_else(|| format!("has no axis {c}"))).collect()
            }
        }
    }

    /// The one axis along which it works.
    pub fn one_axis(&self, role: &str) -> Result<i64, String> {
        match self.along(role)?.as_slice() {
            [axis] => Ok(*axis),
            _ => Err("has no such form along several axes".into()),
        }
    }

    /// A size of a type, where it is known.
    pub fn size(&self, ty: &Type, axis: &Axis) -> Result<i64, String> {
        let known = ty.size(axis).and_then(|d| d.value(self.sizes)).and_then(Result::ok);
        known.ok_or_else(|| format!("needs to know how many {}s there are", axis.name()))
    }
}

/// How many axes a type's tensors have.
pub fn rank(ty: &Type) -> i64 {
    ty.dims.len() as i64 + ty.kind.beside_axes().len() as i64
}
