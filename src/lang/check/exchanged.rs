//! Two arguments in each other's place: `bce_logits(logits, truth)`.

use super::Checker;
use super::call::{Bound, CallSite};
use super::scope::Term;
use crate::ast::FnParam;
use crate::report::{Report, kinds};
use crate::types::Kind;

impl Checker<'_> {
    /// The report for an argument of the wrong kind, where another argument of the call has the right one and each fits
    /// where the other is.
    pub(super) fn exchanged(
        &self,
        site: &CallSite<'_>,
        param: &FnParam,
        bound: &Bound,
        wanted: Kind,
    ) -> Option<Report> {
        let kind_of = |b: &Bound| match &b.term {
            Term::Tensor(id) => self.value_type(*id).map(|t| t.kind),
            _ => None,
        };
        let here = kind_of(bound)?;
        let fits = |found: Kind, param: &FnParam| Kind::named(&param.ty.kind.text).is_some_and(|k| found.is(k));
        // A value that fits both places may stand where it is.
        let (other_param, other) = site.bound.iter().filter(|b| b.given && b.param != bound.param).find_map(|b| {
            let param = site.params.get(b.param)?;
            let exchanged = kind_of(b)?.is(wanted) && fits(here, param) && !fits(kind_of(b)?, param);
            exchanged.then_some((param, b))
        })?;
        let text = |b: &Bound| self.sources.text(b.span).to_string();
        let label = |b: &Bound, wanted: &FnParam| {
            let found = self.shown(&b.term);
            format!("{found} for `{}`, which takes {}", wanted.name.text, wanted.ty.kind.text)
        };
        let args: Vec<String> = site
            .bound
            .iter()
            .filter(|b| b.given)
            .filter_map(|b| Some((b, site.params.get(b.param)?)))
            .map(|(b, own)| match b.param {
                p if p == bound.param => text(other),
                p if p == other.param => text(bound),
                _ => format!("{} = {}", own.name.text, text(b)),
            })
            .collect();
        Some(kinds::exchanged(
            site.name,
            (&param.name.text, bound.span, &label(bound, param)),
            (&other_param.name.text, other.span, &label(other, other_param)),
            &format!("{}({})", site.name, args.join(", ")),
        ))
    }
}
