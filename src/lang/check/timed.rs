//! Numbers that change while training, as the checker sees them: what is computed of them, and where they may stand.

use super::Checker;
use super::call::CallSite;
use super::scope::{Known, Term};
use crate::ast::BinaryOp;
use crate::constant::{Constant, Settings};
use crate::report::{kinds, numbers};
use crate::source::Span;
use crate::timed::{Course, Timed};
use crate::types::Kind;
use crate::vocabulary::Operation;

impl Checker<'_> {
    /// The number that changes as a recipe describes; `None` where its settings are not known yet, or are refused.
    pub(super) fn course(&mut self, op: &Operation, site: &CallSite<'_>, settings: Settings) -> Option<Constant> {
        let reach = (op.entry.course?)(&settings)?;
        if let Ok(watch) = settings.text("watch") {
            self.paced.insert(watch.to_string());
        }
        let text = self.sources.text(site.span).split_whitespace().collect::<Vec<_>>().join(" ");
        let recipe = crate::constant::Recipe { op: op.name.to_string(), settings };
        Some(Constant::Timed(Box::new(Timed::Course(Course { recipe, reach, text }))))
    }

    /// Whether every argument that changes is one that may.
    pub(super) fn may_change(&mut self, op: &Operation, site: &CallSite<'_>) -> bool {
        let mut sound = true;
        for bound in &site.bound {
            let (Some(param), Term::Known(Known { value: Some(value), .. })) =
                (op.params.get(bound.param), &bound.term)
            else {
                continue;
            };
            // What recipes hold was checked where they are written.
            let plain = match value {
                Constant::Timed(_) => true,
                Constant::Range(low, high) => [low, high].iter().any(|end| matches!(***end, Constant::Timed(_))),
                Constant::List(items) => items.iter().any(|item| matches!(item, Constant::Timed(_))),
                _ => false,
            };
            if plain && !op.entry.timed.contains(&param.name.text.as_str()) {
                let what = format!("`{}` of `{}`", param.name.text, op.name);
                let rate = param.name.text == "lr";
                self.logs.reports.push(numbers::cannot_change(bound.span, &what, rate, op.entry.timed));
                sound = false;
            }
        }
        sound
    }

    /// A range times or over a number, `0deg..180deg * beta`: both of its ends are. `None` for anything else.
    pub(super) fn scaled_range(
        &mut self,
        op: BinaryOp,
        op_span: Span,
        (x, y): (&Known, &Known),
        at: (Span, Span),
        span: Span,
    ) -> Option<Term> {
        let of_range = match (op, x.kind, y.kind) {
            (BinaryOp::Mul | BinaryOp::Div, Kind::Range, of) => of.is(Kind::Scalar),
            (BinaryOp::Mul, of, Kind::Range) => of.is(Kind::Scalar),
            _ => false,
        };
        if !of_range {
            return None;
        }
        let unknown = || Term::Known(Known { value: None, kind: Kind::Range, size: None, tensors: vec![] });
        let mut ends = Vec::new();
        let (range, number) = if x.kind == Kind::Range { (x, y) } else { (y, x) };
        let Some(Constant::Range(low, high)) = &range.value else { return Some(unknown()) };
        for end in [low, high] {
            let end = Known::new((**end).clone(), super::expr::constant_kind(end));
            let (a, b) = if x.kind == Kind::Range { (&end, number) } else { (number, &end) };
            match self.constants(op, op_span, a, b, at, span) {
                Term::Known(Known { value: Some(value), .. }) => ends.push(value),
                Term::Known(_) => return Some(unknown()),
                _ => return Some(Term::Poison),
            }
        }
        let (high, low) = (ends.pop()?, ends.pop()?);
        Some(self.range_between(low, high, span))
    }

    /// An operator between constants of which one changes.
    pub(super) fn of_timed(
        &mut self,
        op: BinaryOp,
        op_span: Span,
        (a, b): (&Constant, &Constant),
        at: (Span, Span),
        span: Span,
    ) -> Term {
        if op.compares() {
            let place = if matches!(a, Constant::Timed(_)) { at.0 } else { at.1 };
            self.logs.reports.push(numbers::cannot_change(place, "a condition", false, &[]));
            return Term::Poison;
        }
        let (u, v) = (a.unit(), b.unit());
        let fits = match op {
            BinaryOp::Mul => u.is_none() || v.is_none(),
            BinaryOp::Div => v.is_none() || u == v,
            _ => u == v,
        };
        if !fits {
            self.logs.reports.push(kinds::units(op_span, op.symbol(), &a.to_string(), &b.to_string()));
            return Term::Poison;
        }
        let zero = |c: &Constant| c.number() == Some(0.0);
        if op == BinaryOp::Div && b.on_the_way().iter().any(zero) {
            self.logs.reports.push(numbers::division_by_zero(span));
            return Term::Poison;
        }
        let value = Constant::Timed(Box::new(Timed::Of { op, left: a.clone(), right: b.clone() }));
        let kind = value.unit().map_or(Kind::Scalar, super::expr::unit_kind);
        Term::Known(Known::new(value, kind))
    }
}
