//! The section `export`: what a trained network is used for, each value a function of one image.

use super::Checker;
use super::scope::{Env, Term};
use crate::ast::Field;
use crate::report::{exports, names};
use crate::source::Span;
use crate::typed::{Output, ValueId, ValueSource};
use crate::types::Kind;

impl Checker<'_> {
    /// Reads `export { name = value, … }`.
    pub(super) fn exports(&mut self, fields: &[Field], env: &Env) {
        let mut first: Option<(ValueId, Span, String)> = None;
        for field in fields {
            let name = &field.name;
            if let Some(earlier) = self.out.exports.iter().find(|e| e.name == name.text) {
                self.logs.reports.push(names::given_twice(name.span, &name.text, earlier.span));
                continue;
            }
            let span = field.value.as_ref().map_or(name.span, |v| v.span);
            let value = match self.field_value(field, env) {
                Term::Tensor(value) => value,
                Term::Poison => continue,
                other => {
                    let found = self.shown(&other);
                    self.logs.reports.push(exports::no_tensor(span, &name.text, &found));
                    continue;
                }
            };
            let fed = self.fed_by(value);
            let images: Vec<&(ValueId, String)> = fed.iter().filter(|(id, _)| self.is_image(*id)).collect();
            let report = match (images.as_slice(), fed.as_slice()) {
                ([(image, called)], [_]) => match &first {
                    Some((other, there, before)) if other != image => {
                        Some(exports::another_image(span, &name.text, called, *there, before))
                    }
                    _ => {
                        first.get_or_insert((*image, span, called.clone()));
                        None
                    }
                },
                _ => {
                    let all: Vec<&str> = fed.iter().map(|(_, called)| called.as_str()).collect();
                    Some(exports::not_of_one_image(span, &name.text, &all))
                }
            };
            match report {
                Some(report) => self.logs.reports.push(report),
                None => self.out.exports.push(Output { name: name.text.clone(), value, span: name.span }),
            }
        }
    }

    /// The data and the inputs that a value is made of, with their names, in the order of the text.
    fn fed_by(&self, value: ValueId) -> Vec<(ValueId, String)> {
        let mut fed: Vec<(ValueId, String)> = Vec::new();
        let mut below: Vec<ValueId> = self.below(value, |_| true).into_iter().collect();
        below.sort_unstable_by_key(|id| id.0);
        for id in below {
            let Some(ValueSource::Field { name, .. }) = self.value(id).map(|v| &v.source) else { continue };
            if !fed.iter().any(|(_, called)| called == name) {
                fed.push((id, name.clone()));
            }
        }
        fed
    }

    fn is_image(&self, id: ValueId) -> bool {
        self.value(id).is_some_and(|v| v.ty.kind == Kind::Image)
    }
}
