//! Functions that call themselves. Each call is written out, so there must be an end that is known before the run: a
//! `Count` gets smaller at every call, and an `if` on it chooses.
//!
//! Where a function is checked on its own its counts are names. There, and in a branch that is not taken, a call of itself is of
//! the type that the function states, and nothing is written out.

use std::rc::Rc;

use super::Checker;
use super::call::CallSite;
use super::scope::{Env, FunctionDef, Known, Subst, Term};
use crate::constant::Constant;
use crate::report::names;
use crate::source::Span;
use crate::typed::ValueSource;
use crate::types::Kind;

/// A count of a call, as it is in the body and as it is given to the next call.
struct Count<'a> {
    name: &'a str,
    before: Known,
    now: Known,
    span: Span,
}

/// What is known of a count from one call to the next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Smaller,
    NotSmaller,
    Unknown,
}

impl Count<'_> {
    fn step(&self) -> Step {
        let number = |k: &Known| k.value.as_ref().and_then(Constant::number);
        let smaller = |yes| if yes { Step::Smaller } else { Step::NotSmaller };
        if let (Some(before), Some(now)) = (number(&self.before), number(&self.now)) {
            return smaller(now < before);
        }
        // Of names, `depth` and `depth - 1` differ by a number.
        let apart = self.before.size.as_ref().zip(self.now.size.as_ref()).and_then(|(before, now)| before.sub(now));
        apart.and_then(|d| d.as_number()).map_or(Step::Unknown, |n| smaller(n > 0))
    }

    fn shown(&self) -> String {
        match (&self.before.value, &self.now.value) {
            (Some(before), Some(now)) => format!("`{}` is {now} and was {before}", self.name),
            _ => format!("`{}` does not get smaller", self.name),
        }
    }
}

impl Checker<'_> {
    /// Whether a call of the function `f` within its own body gets nearer to an end; reports it where it does not.
    pub(super) fn gets_smaller(&mut self, f: &Rc<FunctionDef>, site: &CallSite<'_>, env: &Env) -> bool {
        let counts: Vec<Count> = site
            .bound
            .iter()
            .filter_map(|bound| {
                let param = site.params.get(bound.param)?;
                let name = param.name.text.as_str();
                let before = env.locals.iter().find(|(n, _)| n == name).map(|(_, binding)| &binding.term)?;
                match (before, &bound.term) {
                    (Term::Known(before), Term::Known(now)) if param.ty.kind.text == Kind::Count.name() => {
                        Some(Count { name, before: before.clone(), now: now.clone(), span: bound.span })
                    }
                    _ => None,
                }
            })
            .collect();
        let steps: Vec<Step> = counts.iter().map(Count::step).collect();
        let defined = f.function.name.span;
        let below = counts.iter().find(|c| c.now.value.as_ref().and_then(Constant::number).is_some_and(|n| n < 0.0));
        let report = if let Some(count) = below.filter(|c| c.step() == Step::Smaller) {
            let given = count.now.value.as_ref().map(Constant::to_string).unwrap_or_default();
            names::never_stops(count.span, site.name, count.name, &given, defined)
        } else if steps.iter().all(|s| *s == Step::NotSmaller) {
            let shown: Vec<String> = counts.iter().map(Count::shown).collect();
            names::never_ends(site.name_span, site.name, defined, &shown)
        } else {
            return true;
        };
        self.logs.reports.push(report);
        // Once is enough: the function is not written out any more. A branch that is not taken says nothing.
        if !self.untaken {
            f.too_far.set(true);
        }
        false
    }

    /// True where a call of a function by itself stays as it is: its counts are names, or nobody takes the branch.
    pub(super) fn not_written_out(&self, site: &CallSite<'_>, env: &Env) -> bool {
        let open = |term: &Term| matches!(term, Term::Known(Known { value: None, kind: Kind::Count, .. }));
        let counts = env.locals.iter().filter(|(n, _)| site.params.iter().any(|p| p.name.text == *n));
        self.generic || self.untaken || counts.map(|(_, b)| &b.term).chain(site.bound.iter().map(|b| &b.term)).any(open)
    }

    /// The result of a call as the function states it.
    pub(super) fn of_its_stated_type(
        &mut self,
        f: &Rc<FunctionDef>,
        site: &CallSite<'_>,
        subst: Subst,
        env: &Env,
    ) -> Term {
        let Some(stated) = &f.function.result else {
            self.logs.reports.push(names::needs_result(site.name_span, site.name, f.function.name.span));
            f.too_far.set(true);
            return Term::Poison;
        };
        let inner = Env { subst: Rc::new(subst), top: false, ..env.clone() };
        let Some(ty) = self.ground(stated, &inner) else { return Term::Poison };
        if ty.kind.is_tensor() {
            return Term::Tensor(self.push(ValueSource::Parameter, ty, site.span));
        }
        let size = (ty.kind == Kind::Count).then(|| self.unknown_dim("?"));
        Term::Known(Known { value: None, kind: ty.kind, size, tensors: vec![] })
    }
}
