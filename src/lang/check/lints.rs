//! Lints about values: comparisons against padding, negatives that are positives, margins out of reach.

use std::collections::HashSet;

use super::Checker;
use super::call::{Bound, CallSite};
use super::pulls::Pair;
use super::scope::Term;
use crate::axis::Axis;
use crate::constant::Constant;
use crate::report::lints;
use crate::source::Span;
use crate::typed::{ValueId, ValueSource};
use crate::types::Kind;

/// True for one pair of brackets, with all that stands in it.
fn one_bracket(text: &str) -> bool {
    let mut depth = 0usize;
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return at > 0 && at + 1 == text.len();
        }
    }
    false
}

impl Checker<'_> {
    /// All lints about what the losses are made of.
    pub fn lint_values(&mut self) {
        let mut roots: Vec<ValueId> = self.out.losses.iter().map(|l| l.value).collect();
        roots.extend(self.out.objectives.iter().map(|o| o.output.value));
        let lineage = self.lineage();
        let mut watched = roots.clone();
        watched.extend(self.out.metrics.iter().map(|m| m.value));
        self.compared_with_itself(&watched, &lineage);
        let mut said = HashSet::new();
        let pairs = self.pairs(&roots, &lineage);
        self.lint_uneven(&pairs, &lineage);
        for pair in pairs {
            if !lineage.same(pair.of.0, pair.of.1) {
                self.lint_padding(&pair, &mut said);
            }
        }
        let all: HashSet<ValueId> = roots.into_iter().flat_map(|root| self.below(root, |_| true)).collect();
        let mut all: Vec<ValueId> = all.into_iter().collect();
        all.sort();
        let (mut miners, mut margins) = (HashSet::new(), HashSet::new());
        for id in all {
            self.lint_apart(id, &mut miners);
            self.lint_margin(id, &mut margins);
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

    fn lint_padding(&mut self, pair: &Pair, said: &mut HashSet<Span>) {
        let Some(span) = self.value(pair.made).map(|v| v.span) else { return };
        let (a, b) = pair.of;
        if pair.masked || pair.table || self.is_place(a) {
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
            let map = self.value(other).is_some_and(|v| v.ty.frame.is_some() && v.ty.axes.contains(&Axis::Row));
            let like = if map { self.written(other) } else { "…".into() };
            let (warp, by) = (place(warp), self.written(by));
            let warp = if span.holds(warp) || warp.file == span.file { warp } else { span };
            let text = self.sources.text(span).to_string();
            let name = text.find(|c: char| !c.is_alphanumeric() && c != '_').filter(|n| *n > 0);
            let masked = name
                .and_then(|n| text.split_at_checked(n))
                .is_some_and(|(name, rest)| one_bracket(rest) && self.vocabulary.takes(name, "mask"));
            let fits = masked && text.len() <= 60 && !text.contains(['+', '\n']) && like != "…";
            let call = text.strip_suffix(')').filter(|_| fits && by != "…");
            let op = name.unwrap_or(text.len()) as u32;
            let report = lints::padding(span, op, warp, &by, call, &like);
            self.lint("padding", span, report);
            return;
        }
    }

    /// True for what changes numbers and leaves them where they are. A mask, as a comparison makes, has numbers of its own.
    fn keeps_places(&self, id: ValueId) -> bool {
        if self.value(id).is_some_and(|v| v.ty.kind == Kind::Mask) {
            return false;
        }
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

    /// The name that a value was given.
    pub(super) fn name_of(&self, id: ValueId) -> Option<String> {
        self.files.first().into_iter().flat_map(|f| f.names.iter()).find_map(|(name, b)| match b.term {
            Term::Tensor(of) if of == id => Some(name.clone()),
            _ => None,
        })
    }

    /// A value as it was written, or as the name it was given.
    pub(super) fn written(&self, id: ValueId) -> String {
        let named = self.name_of(id);
        let text = || self.value(id).map_or("", |v| self.sources.text(v.span)).to_string();
        named.unwrap_or_else(text)
    }

    /// Keeps where the margin of a loss of the library was written.
    pub fn note_margin(&mut self, site: &CallSite<'_>) {
        let margin = |b: &&Bound| b.given && site.params.get(b.param).is_some_and(|p| p.name.text == "margin");
        if let Some(bound) = site.bound.iter().find(margin).filter(|_| !self.generic) {
            self.logs.margins.push((site.span, bound.span));
        }
    }

    /// A hinge that always gives: what stands beside its margin is never large enough.
    fn lint_margin(&mut self, id: ValueId, said: &mut HashSet<Span>) {
        let Some((apply, span)) = self.apply_of(id).zip(self.value(id).map(|v| v.span)) else { return };
        let zero =
            |id: &ValueId| matches!(self.value(*id).map(|v| &v.source), Some(ValueSource::Number(x)) if *x == 0.0);
        let x = match apply.inputs.as_slice() {
            [("x", x)] => Some(*x),
            // `max(x, 0)` is `hinge(x)`.
            [(_, x), (_, y)] if zero(y) => Some(*x),
            [(_, x), (_, y)] if zero(x) => Some(*y),
            _ => None,
        };
        let hinged = self.vocabulary.operation(apply.op).is_some_and(|o| o.entry.lints.margin);
        let Some(x) = x.filter(|_| hinged) else { return };
        let (least, margin) = (self.range_of(x).low, self.margin_of(x));
        let Some((margin, place)) = margin.filter(|(margin, _)| least > 0.0 && least.is_finite() && *margin > least)
        else {
            return;
        };
        let written = self.logs.margins.iter().find(|(call, _)| *call == span).map(|(_, place)| *place);
        let own = if span.holds(place) { place } else { span };
        if said.insert(span) {
            let report = lints::margin(written.unwrap_or(own), margin, margin - least);
            self.lint("margin", span, report);
        }
    }

    /// The numbers in a sum, added up, with the place of one.
    fn margin_of(&self, id: ValueId) -> Option<(f64, Span)> {
        let value = self.value(id)?;
        match &value.source {
            ValueSource::Number(x) => Some((*x, value.span)),
            ValueSource::Alias(of) => self.margin_of(*of),
            ValueSource::Apply(apply) => {
                let [(_, a), (_, b)] = apply.inputs.as_slice() else { return None };
                let sign = match apply.op {
                    "add" => 1.0,
                    "sub" => -1.0,
                    _ => return None,
                };
                match (self.margin_of(*a), self.margin_of(*b)) {
                    (Some((x, place)), Some((y, _))) => Some((x + sign * y, place)),
                    (Some(one), None) => Some(one),
                    (None, Some((y, place))) => Some((sign * y, place)),
                    (None, None) => None,
                }
            }
            _ => None,
        }
    }
}
