//! Lints about values: comparisons against padding, negatives that are positives, margins out of reach.

use std::collections::HashSet;

use super::Checker;
use super::call::CallSite;
use super::scope::{Known, Term};
use crate::constant::Constant;
use crate::report::lints;
use crate::source::Span;
use crate::typed::{ValueId, ValueSource};
use crate::types::Kind;

/// A margin beside the greatest distance there is.
pub struct Margin {
    span: Span,
    margin: f64,
    bound: f64,
    what: &'static str,
}

impl Checker<'_> {
    /// All lints about what the losses are made of.
    pub fn lint_values(&mut self) {
        for margin in std::mem::take(&mut self.logs.margins) {
            self.lint("margin", margin.span, lints::margin(margin.span, margin.margin, margin.bound, margin.what));
        }
        let mut roots: Vec<ValueId> = self.out.losses.iter().map(|l| l.value).collect();
        roots.extend(self.out.objectives.iter().map(|o| o.output.value));
        let all: HashSet<ValueId> = roots.into_iter().flat_map(|root| self.below(root, |_| true)).collect();
        let mut all: Vec<ValueId> = all.into_iter().collect();
        all.sort();
        let mut said = HashSet::new();
        for id in all {
            self.lint_apart(id, &mut said);
            self.lint_padding(id, &mut said);
        }
    }

    fn lint_apart(&mut self, id: ValueId, said: &mut HashSet<Span>) {
        let Some((apply, span)) = self.apply_of(id).zip(self.value(id).map(|v| v.span)) else { return };
        let Some(operation) = self.vocabulary.operation(apply.op).filter(|o| o.entry.lints.keeps_apart) else { return };
        let zero = matches!(apply.settings.get("apart"), Some(c) if c.number() == Some(0.0));
        let given = apply.inputs.iter().any(|(name, _)| *name == "at");
        if !zero || given || !said.insert(span) {
            return;
        }
        let candidates = apply.settings.count("candidates").ok();
        // The miner stands inside the call that it belongs to, if it stands there at all.
        let text = self.sources.text(span);
        let at = text.find(operation.name).map(|at| (span.start as usize + at) as u32);
        let place = at.map_or(span, |start| Span { start, end: start + operation.name.len() as u32, ..span });
        let report = lints::apart(place, operation.name, candidates);
        self.lint("apart", span, report);
    }

    fn lint_padding(&mut self, id: ValueId, said: &mut HashSet<Span>) {
        let Some(span) = self.value(id).map(|v| v.span) else { return };
        let compared = self.logs.comparisons.iter().find(|c| c.made == id).map(|c| (c.of, c.masked));
        let Some(((a, b), masked)) = compared.or_else(|| self.compared_by(id)) else { return };
        if masked {
            return;
        }
        for (side, other) in [(a, b), (b, a)] {
            let below = self.below(side, |i| self.keeps_places(i));
            let fact = |i: ValueId, fact: fn(&crate::vocabulary::LintFacts) -> bool| {
                let op = self.apply_of(i).and_then(|a| self.vocabulary.operation(a.op));
                op.is_some_and(|o| fact(&o.entry.lints))
            };
            if below.iter().any(|i| fact(*i, |e| e.shows_border)) {
                continue;
            }
            let warp = below.iter().find_map(|i| {
                let apply = self.apply_of(*i)?;
                let by = self.vocabulary.operation(apply.op)?.entry.lints.pads?;
                let (_, by) = apply.inputs.iter().find(|(n, _)| *n == by)?;
                (!self.onto(*by)).then_some((*i, *by))
            });
            let Some((warp, by)) = warp else { continue };
            if !said.insert(span) {
                return;
            }
            let place = |id: ValueId| self.value(id).map_or(span, |v| v.span);
            let (warp, by, like) = (place(warp), self.written(by), self.written(other));
            let warp = if span.holds(warp) || warp.file == span.file { warp } else { span };
            let text = self.sources.text(span).to_string();
            let fits = text.ends_with(')') && text.len() <= 60 && !text.contains(['+', '\n']) && like != "…";
            let call = text.strip_suffix(')').filter(|_| fits && by != "…");
            let name = text.find(|c: char| !c.is_alphanumeric() && c != '_').filter(|n| *n > 0);
            let op = name.unwrap_or(text.len()) as u32;
            let report = lints::padding(span, op, warp, &by, call, &like);
            self.lint("padding", span, report);
            return;
        }
    }

    /// The two sides of an operation that compares, and whether it has a mask.
    fn compared_by(&self, id: ValueId) -> Option<((ValueId, ValueId), bool)> {
        let apply = self.apply_of(id)?;
        let (a, b) = self.vocabulary.operation(apply.op)?.entry.lints.compares?;
        let side = |name: &str| apply.inputs.iter().find(|(n, _)| *n == name).map(|(_, id)| *id);
        Some(((side(a)?, side(b)?), side("mask").is_some()))
    }

    /// True for what changes numbers and leaves them where they are.
    fn keeps_places(&self, id: ValueId) -> bool {
        let through = |apply: &crate::typed::Apply| {
            let facts = self.vocabulary.operation(apply.op).map(|o| o.entry.lints);
            facts.is_some_and(|f| f.pads.is_none() && !f.shows_border) && apply.weights.is_empty()
        };
        match self.value(id).map(|v| &v.source) {
            Some(ValueSource::Apply(apply)) => through(apply),
            _ => true,
        }
    }

    /// True for a homography that takes a view onto itself whole, so that nothing comes in from outside.
    fn onto(&self, id: ValueId) -> bool {
        let Some(value) = self.value(id) else { return false };
        match &value.source {
            ValueSource::Alias(of) => self.onto(*of),
            ValueSource::Field { data: Some(data), .. } => {
                let recipe = self.out.datasets.get(*data).map(|d| &d.recipe.settings);
                let moved = recipe.into_iter().flat_map(|s| &s.0).find_map(|(_, c)| match c {
                    Constant::Recipe(r) => self
                        .vocabulary
                        .operation(&r.op)
                        .filter(|o| o.result.as_ref().is_some_and(|ty| ty.kind.text == Kind::Symmetry.name())),
                    _ => None,
                });
                moved.is_some_and(|o| o.entry.lints.onto)
            }
            ValueSource::Apply(apply) => {
                let whole = self.vocabulary.operation(apply.op).is_some_and(|o| o.entry.lints.onto);
                let moves = |i: &ValueId| self.value(*i).is_some_and(|v| v.ty.kind == Kind::Homography);
                let mut from = apply.inputs.iter().map(|(_, i)| i).filter(|i| moves(i)).peekable();
                whole || from.peek().is_some() && from.all(|i| self.onto(*i))
            }
            _ => false,
        }
    }

    /// A value as it was written, or as the name it was given.
    fn written(&self, id: ValueId) -> String {
        let named = self.files.first().into_iter().flat_map(|f| f.names.iter()).find_map(|(name, b)| match b.term {
            Term::Tensor(of) if of == id => Some(name.clone()),
            _ => None,
        });
        let text = || self.value(id).map_or("", |v| self.sources.text(v.span)).to_string();
        named.unwrap_or_else(text)
    }

    /// Keeps the margin of a loss of the library beside what it is compared with: distances of unit descriptors have an
    /// end.
    pub fn note_margin(&mut self, site: &CallSite<'_>) {
        let bound =
            |name: &str| site.bound.iter().find(|b| site.params.get(b.param).is_some_and(|p| p.name.text == name));
        let constant = |name: &str| match bound(name).map(|b| &b.term) {
            Some(Term::Known(Known { value: Some(c), .. })) => Some(c.clone()),
            _ => None,
        };
        let scalar = site.params.iter().any(|p| p.name.text == "margin" && p.ty.kind.text == Kind::Scalar.name());
        let Some(margin) = constant("margin").and_then(|c| c.number()).filter(|_| scalar && !self.generic) else {
            return;
        };
        let descriptors: Vec<bool> = site
            .bound
            .iter()
            .filter_map(|b| self.type_of(&b.term))
            .filter(|t| matches!(t.kind, Kind::Desc | Kind::Vectors))
            .map(|t| t.unit)
            .collect();
        let flag = |name: &str| constant(name) == Some(Constant::Flag(true));
        let euclidean = constant("p").and_then(|c| c.number()).is_none_or(|p| p == 2.0);
        let (bound_at, what) = match (flag("cosine"), flag("squared")) {
            (true, _) => (2.0, "cosine distances"),
            (_, true) => (4.0, "squared distances"),
            _ => (2.0, "distances"),
        };
        if descriptors.len() >= 2
            && descriptors.iter().all(|u| *u)
            && (euclidean || flag("cosine"))
            && margin > bound_at
        {
            let span = bound("margin").map_or(site.span, |b| b.span);
            self.logs.margins.push(Margin { span, margin, bound: bound_at, what });
        }
    }
}
