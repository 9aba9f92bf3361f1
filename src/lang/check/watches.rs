//! Which way a reported number is better: a loss by falling, a score by growing, and what is computed from them accordingly.

use super::Checker;
use super::logs::Watched;
use super::scope::{Env, Term};
use crate::ast::{Arg, Expr, ExprKind};
use crate::constant::Constant;
use crate::report::lints;
use crate::source::Span;
use crate::typed::{Direction, SectionField, ValueId, ValueSource, watched};
use crate::types::Kind;
use crate::vocabulary::{Combines, Compares};

/// The words for what is watched in a setting, each with the direction that it states: `val.total` in
/// `reduce_on_plateau(watch = val.total)`.
pub fn words(constant: &Constant) -> Vec<(Option<Direction>, &str)> {
    match constant {
        Constant::Word(word) => vec![watched(word)],
        Constant::List(items) => items.iter().flat_map(words).collect(),
        Constant::Recipe(recipe) => recipe.settings.0.iter().flat_map(|(_, c)| words(c)).collect(),
        _ => vec![],
    }
}

/// `total` where `val.total` belongs, alone or in `max(total)`: the name and its place.
pub fn bare_watch(e: &Expr) -> Option<(&str, Span)> {
    match &e.kind {
        ExprKind::Name(name) => Some((name, e.span)),
        ExprKind::Call { callee, args } => match (&callee.kind, args.as_slice()) {
            (ExprKind::Name(word), [Arg { name: None, value }]) if matches!(word.as_str(), "max" | "min") => {
                bare_watch(value)
            }
            _ => None,
        },
        _ => None,
    }
}

impl Checker<'_> {
    /// `max(val.m)`: a watched number with its direction. `None` for any other call.
    pub fn directed(&mut self, callee: &Expr, args: &[Arg], env: &Env) -> Option<Term> {
        let (ExprKind::Name(word), [Arg { name: None, value }]) = (&callee.kind, args) else { return None };
        if !matches!(word.as_str(), "max" | "min") {
            return None;
        }
        let split = |of: &Expr| matches!(&of.kind, ExprKind::Name(n) if matches!(n.as_str(), "val" | "train") && self.lookup(n, env).is_none());
        let watch = match &value.kind {
            ExprKind::Member { of, .. } => split(of),
            ExprKind::Name(name) => {
                matches!(self.lookup(name, env).map(|b| b.term), Some(Term::Known(k)) if k.kind == Kind::Watch)
            }
            _ => false,
        };
        if !watch {
            return None;
        }
        Some(match self.expr(value, env) {
            Term::Known(mut k) => {
                if let Some(Constant::Word(name)) = &k.value {
                    let (_, plain) = watched(name);
                    k = super::scope::Known::new(Constant::Word(format!("{word}({plain})")), Kind::Watch);
                }
                Term::Known(k)
            }
            other => other,
        })
    }

    /// Which way a value is better, where what it is computed from tells.
    pub fn direction(&self, id: ValueId) -> Option<Direction> {
        use Combines::{Difference, Product, Quotient, Sum};
        use Direction::{Down, Up};
        let outputs = self.out.losses.iter().chain(self.out.objectives.iter().map(|o| &o.output));
        if outputs.into_iter().any(|o| o.value == id) {
            return Some(Down);
        }
        let apply = match &self.value(id)?.source {
            ValueSource::Alias(of) => return self.direction(*of),
            ValueSource::Apply(apply) => apply,
            _ => return None,
        };
        let input = |name: &str| apply.inputs.iter().find(|(n, _)| *n == name).map(|(_, id)| *id);
        let number = |id: ValueId| match self.value(id).map(|v| &v.source) {
            Some(ValueSource::Number(x)) => Some(*x),
            _ => None,
        };
        let facts = self.vocabulary.operation(apply.op)?.entry.lints;
        if facts.higher_is_better {
            return Some(Up);
        }
        if facts.lower_is_better {
            return Some(Down);
        }
        match facts.compares {
            Compares::Distance(..) | Compares::Distances(..) => return Some(Down),
            Compares::Likeness(..) | Compares::Likenesses(..) => return Some(Up),
            Compares::Nothing => {}
        }
        if let Some(of) = facts.grows_with {
            return self.direction(input(of)?);
        }
        let (Some(a), Some(b)) = (input("a"), input("b")) else {
            return self.draws_together(id).then_some(Down);
        };
        // Of two values added or subtracted, each has its own direction.
        let mixed = matches!(facts.combines, Sum | Difference) && number(a).is_none() && number(b).is_none();
        // What a number does to the other side: nothing, or it turns it round.
        let found = match (facts.combines, number(a), number(b)) {
            (Sum, Some(_), _) => self.direction(b),
            (Sum | Difference, _, Some(_)) => self.direction(a),
            (Difference, Some(_), _) => self.direction(b).map(Direction::turned),
            (Product, Some(x), _) => {
                self.direction(b).filter(|_| x != 0.0).map(|d| if x > 0.0 { d } else { d.turned() })
            }
            (Product | Quotient, _, Some(x)) => {
                self.direction(a).filter(|_| x != 0.0).map(|d| if x > 0.0 { d } else { d.turned() })
            }
            (Sum, None, None) => self.direction(a).filter(|d| self.direction(b) == Some(*d)),
            (Difference, None, None) => self.direction(a).filter(|d| self.direction(b) == Some(d.turned())),
            _ => None,
        };
        found.or_else(|| (!mixed && self.draws_together(id)).then_some(Down))
    }

    /// A number that a run goes by must be known to be better when it grows, or when it falls.
    pub fn check_directions(&mut self, watches: &[Watched]) {
        let mut reports = Vec::new();
        let fields: Vec<(&str, &SectionField)> =
            self.out.train.iter().map(|f| ("train", f)).chain(self.out.save.iter().map(|f| ("save", f))).collect();
        for (section, field) in fields {
            for (stated, word) in words(&field.value) {
                let Some((_, name)) = word.split_once('.').filter(|(s, _)| matches!(*s, "val" | "train")) else {
                    continue;
                };
                let metric = self.out.metrics.iter().find(|m| m.name == name);
                let Some(metric) = metric.filter(|_| stated.is_none() && self.out.direction(name).is_none()) else {
                    continue;
                };
                // In the field itself, or in the parameter that it takes its value from.
                let params = self.out.params.iter().filter(|p| {
                    p.value.as_ref().is_some_and(|v| words(v).iter().any(|(d, w)| d.is_none() && *w == word))
                });
                let holders: Vec<Span> = std::iter::once(field.span).chain(params.map(|p| p.value_span)).collect();
                let said = |h: &Span| {
                    let written = |w: &&Watched| !w.untaken && h.holds(w.whole) && word.ends_with(&w.name.text);
                    watches.iter().find(written).map(|w| w.whole)
                };
                let place = holders.iter().find_map(said);
                reports.push(lints::no_direction(
                    place.unwrap_or(field.span),
                    word,
                    (section, &field.name),
                    metric.span,
                ));
            }
        }
        self.logs.reports.extend(reports);
    }
}
