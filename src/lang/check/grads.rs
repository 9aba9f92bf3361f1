//! Where gradients flow: whether the objective trains anything, and what holds each loss in place.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::Checker;
use super::scope::{Known, Term};
use crate::ast::{ExprKind, File, Item, ItemKind};
use crate::constant::Constant;
use crate::report::{Report, follow, grads, names};
use crate::source::Span;
use crate::typed::{Apply, Initial, ModelInfo, Objective, ValueId, ValueSource, WeightInfo};
use crate::types::Kind;
use crate::vocabulary::Combines;

/// The lints that `@allow` can silence.
pub const LINTS: [&str; 10] = [
    "apart",
    "itself",
    "margin",
    "no_gradient",
    "padding",
    "schedule",
    "unanchored",
    "uneven",
    "unminimized",
    "unused",
];

/// An `@allow`.
pub struct Allowed {
    lint: String,
    item: Span,
    span: Span,
    used: bool,
}

/// An operation as it is written: `>` for `greater`.
fn written(op: &'static str) -> &'static str {
    use crate::ast::BinaryOp::{Add, Div, Equal, Greater, GreaterEqual, Less, LessEqual, Mul, Sub};
    let all = [Add, Sub, Mul, Div, Less, Greater, LessEqual, GreaterEqual, Equal];
    all.into_iter().find(|o| o.operation() == op).map_or(op, |o| o.symbol())
}

impl Checker<'_> {
    /// The attributes of an item: which lints it allows, and that all are known.
    pub fn attributes(&mut self, item: &Item) {
        for attribute in &item.attributes {
            match attribute.name.text.as_str() {
                "allow" => {
                    let lint = attribute.args.first().map(|a| (&a.value.kind, a.value.span));
                    match lint {
                        Some((ExprKind::Name(lint), _)) if LINTS.contains(&lint.as_str()) => {
                            self.allowed.push(Allowed {
                                lint: lint.clone(),
                                item: item.span,
                                span: attribute.span,
                                used: false,
                            });
                            let reason = attribute.args.get(1).map(|a| &a.value.kind);
                            if !matches!(reason, Some(ExprKind::Text(t)) if !t.trim().is_empty())
                                || attribute.args.len() > 2
                            {
                                self.logs.reports.push(names::allow_without_reason(attribute.span, lint));
                            }
                        }
                        Some((ExprKind::Name(lint), span)) => {
                            self.logs.reports.push(names::no_such_lint(span, lint, &LINTS));
                        }
                        _ => self.logs.reports.push(names::no_such_lint(attribute.span, "", &LINTS)),
                    }
                }
                "frozen" if matches!(item.kind, ItemKind::Model { .. }) => {}
                "frozen" => self.logs.reports.push(names::frozen_needs_model(attribute.span)),
                "ema" if matches!(item.kind, ItemKind::Model { .. }) => {}
                "ema" => self.logs.reports.push(follow::needs_model(attribute.span)),
                // `let both = H @ inv(G)`, which the grammar has to read as the next item's attribute.
                _ if self.behind_a_value(attribute.span) => {
                    let at = Span { end: attribute.span.start + 1, ..attribute.span };
                    self.logs.reports.push(crate::report::syntax::matrix_product(at));
                }
                other => self.logs.reports.push(names::no_such_attribute(attribute.name.span, other)),
            }
        }
    }

    /// Whether a model is frozen, and where its weights come from.
    pub fn frozen(&mut self, item: &Item, home: usize) -> Option<Option<String>> {
        let attribute = item.attributes.iter().find(|a| a.name.text == "frozen")?;
        let env = self.top(home);
        let mut path = None;
        for arg in &attribute.args {
            if arg.name.as_ref().is_none_or(|n| n.text != "weights") {
                let span = arg.name.as_ref().map_or(arg.value.span, |n| n.span);
                let found = self.sources.text(span).to_string();
                self.logs.reports.push(names::no_such_argument(
                    span,
                    "@frozen",
                    &found,
                    Some("weights"),
                    "@frozen(weights = path)",
                ));
                continue;
            }
            if let Term::Known(k) = self.expr(&arg.value, &env)
                && let Some(Known { value: Some(Constant::Text(text)), .. }) =
                    self.known_as(k, Kind::Path, arg.value.span, arg.value.span, "`weights` of `@frozen`")
            {
                path = Some(text);
            }
        }
        Some(path)
    }

    /// Everything about gradients, once all values are known.
    pub fn gradients(&mut self) {
        for objective in self.out.objectives.clone() {
            let reach = self.reach(&objective);
            let output = &objective.output;
            let trains = reach.get(output.value.0 as usize).copied().unwrap_or(false);
            if !trains {
                let stops = self.stops(output.value, &reach);
                let why = |(index, m): (usize, &ModelInfo)| match (&m.frozen, &m.follows) {
                    (Some(_), _) => "is frozen",
                    (None, Some(_)) => "follows another model, and has no gradient",
                    (None, None) if !objective.of(index) => "is not one of its models",
                    (None, None) if self.frozen_by_parts(index) => "is frozen by parts",
                    (None, None) => "is not part of the objective",
                };
                let models = self.out.models.iter().enumerate();
                let models: Vec<(Span, String, &'static str)> =
                    models.map(|(i, m)| (m.span, m.name.clone(), why((i, m)))).collect();
                self.logs.reports.push(grads::nothing_trains(output.span, &output.name, &stops, &models));
            } else {
                self.unanchored(output.value);
                self.idle_terms(output.value, &output.name, &reach);
            }
        }
        self.unminimized();
    }

    /// An `@allow` that no lint has met is out of date.
    pub fn unused_allows(&mut self) {
        for allowed in std::mem::take(&mut self.allowed) {
            if !allowed.used {
                self.logs.reports.push(grads::allows_nothing(allowed.span, &allowed.lint));
            }
        }
    }

    /// Terms of the objective's sum that depend on what is trained and have no gradient: they move the number and teach
    /// nothing.
    fn idle_terms(&mut self, objective: ValueId, name: &str, reach: &[bool]) {
        let (mut open, mut seen) = (vec![objective], HashSet::new());
        while let Some(id) = open.pop() {
            if !seen.insert(id) {
                continue;
            }
            if reach.get(id.0 as usize).copied().unwrap_or(false) {
                open.extend(self.terms(id));
            } else if !self.weights_below(id, |_| true).is_empty()
                && let Some(span) = self.value(id).map(|v| v.span)
            {
                let stop = self.stops(id, reach).first().copied();
                let place = stop.map_or(span, |(place, _)| place);
                self.lint("no_gradient", place, grads::idle_term(span, name, stop));
            }
        }
    }

    /// The terms of a sum, also where a number weighs it or a mean is taken of it.
    fn terms(&self, id: ValueId) -> Vec<ValueId> {
        let number = |id: &ValueId| matches!(self.value(*id).map(|v| &v.source), Some(ValueSource::Number(_)));
        match self.value(id).map(|v| &v.source) {
            Some(ValueSource::Alias(of)) => vec![*of],
            Some(ValueSource::Apply(apply)) => {
                let inputs = || apply.inputs.iter().map(|(_, id)| *id);
                let average = || {
                    self.vocabulary.operation(apply.op).is_some_and(|o| o.entry.lints.adds_up)
                        && apply.inputs.len() == 1
                };
                match self.combines(id) {
                    Combines::Sum | Combines::Difference => inputs().collect(),
                    Combines::Product | Combines::Quotient if inputs().any(|i| number(&i)) => {
                        inputs().filter(|i| !number(i)).collect()
                    }
                    _ if average() => inputs().collect(),
                    _ => vec![],
                }
            }
            _ => vec![],
        }
    }

    /// Metrics that the objective is made of, by name: a value that a metric happens to share is no metric.
    pub fn metrics_minimized(&mut self, tree: &File) {
        let (mut metrics, mut values, mut open) = (HashMap::new(), HashMap::new(), Vec::new());
        for item in &tree.items {
            match &item.kind {
                ItemKind::Metric { name, .. } => {
                    metrics.insert(name.text.as_str(), name.span);
                }
                ItemKind::Loss { name, value } => {
                    values.insert(name.text.as_str(), value);
                }
                ItemKind::Let(binding) => {
                    let bound = binding.pattern.names().into_iter();
                    values.extend(bound.map(|name| (name.text.as_str(), &binding.value)));
                }
                ItemKind::Minimize { value, .. } => open.push(value),
                _ => {}
            }
        }
        while let Some(e) = open.pop() {
            if let ExprKind::Name(name) = &e.kind {
                if let Some(defined) = metrics.remove(name.as_str()) {
                    self.logs.reports.push(grads::metric_minimized(e.span, name, defined));
                } else {
                    open.extend(values.remove(name.as_str()));
                }
            }
            open.extend(e.kind.children());
        }
    }

    pub(super) fn inputs(&self, id: ValueId) -> Vec<ValueId> {
        match self.value(id).map(|v| &v.source) {
            Some(ValueSource::Apply(apply)) => apply.inputs.iter().map(|(_, id)| *id).collect(),
            Some(ValueSource::Alias(of)) => vec![*of],
            _ => vec![],
        }
    }

    pub(super) fn apply_of(&self, id: ValueId) -> Option<&Apply> {
        match self.value(id).map(|v| &v.source) {
            Some(ValueSource::Apply(apply)) => Some(apply),
            _ => None,
        }
    }

    pub(super) fn stops_gradient(&self, op: &str) -> bool {
        self.vocabulary.operation(op).is_some_and(|o| o.entry.graph.stops_gradient)
    }

    /// For every value, whether a gradient from it reaches a weight that an objective trains, or an input.
    fn reach(&self, by: &Objective) -> Vec<bool> {
        let trains = |w: usize| self.trains(w) && self.out.weights.get(w).is_some_and(|w| by.of(w.model));
        let mut reach: Vec<bool> = Vec::with_capacity(self.logs.values.len());
        for value in &self.logs.values {
            let through = |ids: &[ValueId]| ids.iter().any(|i| reach.get(i.0 as usize).copied().unwrap_or(false));
            reach.push(match &value.source {
                ValueSource::Apply(apply) if self.stops_gradient(apply.op) => false,
                ValueSource::Apply(apply) => {
                    let own = apply.weights.iter().any(|(_, w)| trains(*w));
                    own || through(&self.numbers_in(ValueId(reach.len() as u32)))
                }
                ValueSource::Alias(of) => through(&[*of]),
                ValueSource::Weight(w) => trains(*w),
                // A caller of `input`s asks for gradients in them.
                ValueSource::Field { data: None, .. } => {
                    (value.ty.kind.is(Kind::Values) || value.ty.kind.is_placed())
                        && !matches!(value.ty.kind, Kind::Label | Kind::Mask)
                }
                _ => false,
            });
        }
        reach
    }

    pub(super) fn trains(&self, weight: usize) -> bool {
        let statistic = |w: &WeightInfo| matches!(w.initial, Initial::Statistic(_));
        let known = !self.out.weights.get(weight).is_none_or(statistic);
        known && self.model_of(weight).is_some_and(ModelInfo::trains) && !self.out.treatment(weight).is_frozen()
    }

    /// True for a model with weights, all of which parts of `train` freeze for the whole run.
    fn frozen_by_parts(&self, model: usize) -> bool {
        let mut own = (0..).zip(&self.out.weights).filter(|(_, w)| w.model == model).peekable();
        own.peek().is_some() && own.all(|(weight, _)| self.out.treatment(weight).is_frozen())
    }

    pub(super) fn model_of(&self, weight: usize) -> Option<&ModelInfo> {
        self.out.weights.get(weight).and_then(|w| self.out.models.get(w.model))
    }

    /// True for a weight of a model that stays as it is.
    pub(super) fn is_frozen(&self, weight: usize) -> bool {
        let frozen = self.model_of(weight).is_none_or(|m| m.frozen.is_some());
        frozen || self.out.treatment(weight).is_frozen()
    }

    /// Where the gradient stops below a value: places at which an input reaches a weight and the value does not.
    fn stops(&self, from: ValueId, reach: &[bool]) -> Vec<(Span, &'static str)> {
        let mut found = Vec::new();
        for id in self.below(from, |_| true) {
            if let Some(apply) = self.apply_of(id)
                && self.stops_gradient(apply.op)
                && apply.inputs.iter().any(|(_, i)| reach.get(i.0 as usize).copied().unwrap_or(false))
                && let Some(value) = self.value(id)
            {
                found.push((value.span, written(apply.op)));
            }
        }
        found
    }

    /// All values below `from`, itself included, going down only where `enter` agrees.
    pub(super) fn below(&self, from: ValueId, enter: impl Fn(ValueId) -> bool) -> Vec<ValueId> {
        let (mut seen, mut open) = (HashSet::new(), vec![from]);
        while let Some(id) = open.pop() {
            if seen.insert(id) && enter(id) {
                open.extend(self.inputs(id));
            }
        }
        let mut seen: Vec<ValueId> = seen.into_iter().collect();
        seen.sort();
        seen
    }

    /// The weights that a value is or that its operation has.
    pub(super) fn weights_of(&self, id: ValueId) -> Vec<usize> {
        match self.value(id).map(|v| &v.source) {
            Some(ValueSource::Apply(apply)) => apply.weights.iter().map(|(_, w)| *w).collect(),
            Some(ValueSource::Weight(w)) => vec![*w],
            _ => vec![],
        }
    }

    pub(super) fn weights_below(&self, from: ValueId, enter: impl Fn(ValueId) -> bool) -> BTreeSet<usize> {
        let below = self.below(from, enter);
        let weights = below.iter().flat_map(|id| self.weights_of(*id));
        weights.filter(|w| self.trains(*w)).collect()
    }

    fn unminimized(&mut self) {
        let Some(at) = self.out.objective.as_ref().map(|o| o.span) else { return };
        let objectives = self.out.objectives.iter();
        let below: HashSet<ValueId> = objectives.flat_map(|o| self.below(o.output.value, |_| true)).collect();
        for loss in self.out.losses.clone() {
            if !below.contains(&loss.value) {
                self.lint("unminimized", loss.span, grads::unminimized(loss.span, &loss.name, at));
            }
        }
    }

    /// Reports a lint, unless the item at `place` allows it.
    pub(super) fn lint(&mut self, lint: &str, place: Span, report: Report) {
        let allowed = self.allowed.iter_mut().find(|a| a.lint == lint && a.item.holds(place));
        match allowed {
            Some(allowed) => allowed.used = true,
            None => self.logs.reports.push(report),
        }
    }
}
