//! The parts of a section `train`, and what is said of the section once the whole pipeline is known.

use std::collections::BTreeSet;

use super::Checker;
use super::scope::Env;
use crate::ast::{self, ExprKind, File, Item, ItemKind};
use crate::constant::{Constant, Unit, number};
use crate::parts::{Part, WeightClass, within};
use crate::report::{lints, names};
use crate::sections::section;
use crate::source::Span;
use crate::typed::SectionField;
use crate::vocabulary::{Finding, InRun};

impl Checker<'_> {
    /// Reads the parts of `train`. Which weights they hold is checked once all weights are known.
    pub(super) fn parts(&mut self, parts: &[ast::Part], env: &Env) {
        let Some(table) = section("part") else { return };
        for part in parts {
            let fields = self.section_fields(table, part.keyword, &part.fields, env);
            let mut under = None;
            for field in &part.fields {
                match &field.under {
                    Some(text) if field.name.text == "init" => under = Some((text.text.clone(), text.span)),
                    Some(text) => self.logs.reports.push(names::under_what(text.span, &field.name.text)),
                    None => {}
                }
            }
            let name = part.path.text.clone();
            self.out.parts.push(Part { path: name.clone(), name, class: None, fields, under, span: part.path.span });
        }
    }

    /// Finds the weights of every part: it may name a path of them, a class, or a class behind a path.
    pub(super) fn check_parts(&mut self, tree: &File) {
        let mut parts = std::mem::take(&mut self.out.parts);
        // Weights of what could not be read may be the ones that are meant.
        let unknown = crate::report::any_error(&self.logs.reports);
        let mut seen: Vec<(String, Span)> = Vec::new();
        for part in &mut parts {
            let named = |path: &str| self.out.weights.iter().any(|w| within(&w.name, path));
            if part.name.is_empty() || !named(&part.name) {
                let (path, last) = part.name.rsplit_once('.').unwrap_or(("", &part.name));
                if let Some(class) = WeightClass::named(last).filter(|_| path.is_empty() || named(path)) {
                    (part.path, part.class) = (path.to_string(), Some(class));
                }
            }
            if let Some((_, first)) = seen.iter().find(|(name, _)| *name == part.name) {
                self.logs.reports.push(names::given_twice(part.span, &part.name, *first));
                continue;
            }
            seen.push((part.name.clone(), part.span));
            if unknown {
                continue;
            }
            let mine: Vec<usize> = (0..self.out.weights.len())
                .filter(|w| self.out.weights.get(*w).is_some_and(|w| part.holds(w)))
                .collect();
            if mine.is_empty() || part.name.is_empty() {
                self.logs.reports.push(names::no_such_part(part.span, &part.name, &self.part_names()));
                continue;
            }
            let frozen = |w: &usize| {
                let model = self.out.weights.get(*w).and_then(|w| self.out.models.get(w.model));
                model.filter(|m| m.frozen.is_some())
            };
            let model = mine.first().and_then(frozen).filter(|_| mine.iter().all(|w| frozen(w).is_some()));
            let trained = part.fields.iter().find(|f| f.name != "init");
            if let (Some(model), Some(field)) = (model, trained) {
                let report = names::part_of_a_frozen_model(part.span, &field.name, &model.name, model.span);
                self.logs.reports.push(report);
            }
        }
        for item in &tree.items {
            let ItemKind::Section { parts, .. } = &item.kind else { continue };
            for part in parts.iter().filter(|p| p.fields.is_empty()) {
                self.logs.reports.push(names::empty_part(part.keyword.to(part.path.span), &part.path.text));
            }
        }
        self.out.parts = parts;
    }

    /// What a part may be called: every beginning of a weight's name, and the classes that there are.
    fn part_names(&self) -> Vec<String> {
        let mut found = BTreeSet::new();
        for weight in &self.out.weights {
            let dots = weight.name.match_indices('.').map(|(at, _)| at);
            found.extend(dots.filter_map(|at| weight.name.get(..at)).map(str::to_string));
        }
        let classes = WeightClass::NAMED.iter().filter(|(_, c)| self.out.weights.iter().any(|w| w.class == *c));
        let classes: Vec<String> = classes.map(|(name, _)| (*name).to_string()).collect();
        found.into_iter().chain(classes).collect()
    }

    /// A file with a section `train` is meant to be trained. One that has nothing but sections and parameters is a piece of one.
    pub(super) fn trainable(&mut self, tree: &File) {
        let train = |i: &Item| matches!(&i.kind, ItemKind::Section { keyword, .. } if keyword.text == "train");
        let piece = |i: &Item| {
            use ItemKind::{Import, Param, Pipeline, Preset, Section, Sweep};
            matches!(
                &i.kind,
                Pipeline { .. } | Import { .. } | Param { .. } | Preset { .. } | Sweep { .. } | Section { .. }
            )
        };
        let meant = tree.items.iter().any(train) && !tree.items.iter().all(piece);
        // Values that are given with the command are not known yet.
        let unset = self.out.params.iter().any(|p| p.value.is_none());
        if !meant || unset || crate::report::any_error(&self.logs.reports) {
            return;
        }
        let end = tree.items.iter().map(|i| i.span).max_by_key(|s| s.end).unwrap_or_default();
        let end = Span { start: end.end.saturating_sub(1), ..end };
        self.logs.reports.extend(crate::trainable::lacks(&self.out, end));
    }

    /// Durations, rates and patiences of `train` and `save` beside the length of the run.
    pub(super) fn lint_schedule(&mut self, tree: &File) {
        let Some(Constant::Number(epochs)) = self.out.setting("train", "epochs") else { return };
        let batches = match self.out.datasets.as_slice() {
            [one] => one.recipe.settings.number("steps").ok(),
            _ => None,
        };
        let accumulate = self.out.setting("train", "accumulate").and_then(|c| c.number()).unwrap_or(1.0);
        let steps = batches.map(|b| (b / accumulate.max(1.0)).ceil());
        let optimizer = match self.out.train("optimizer") {
            Some(Constant::Recipe(recipe)) => Some(recipe),
            _ => None,
        };
        let lr = optimizer.and_then(|r| r.settings.number("lr").ok());
        let mut found: Vec<(Span, Finding)> = Vec::new();
        for field in &self.out.train {
            let Constant::Recipe(recipe) = &field.value else { continue };
            let Some(operation) = self.vocabulary.operation(&recipe.op) else { continue };
            let mut run = InRun { settings: &recipe.settings, epochs, steps, lr, found: vec![] };
            (operation.entry.in_run)(&mut run);
            let place = |setting| argument(tree, field, setting).unwrap_or(field.span);
            found.extend(run.found.into_iter().map(|f| (place(f.setting), f)));
        }
        let lasts = |field: &SectionField| match field.value {
            Constant::Quantity(x, Unit::Epochs) => x >= epochs,
            Constant::Quantity(x, Unit::Steps) => steps.is_some_and(|s| x >= s * epochs),
            _ => false,
        };
        let run = match steps {
            Some(steps) => format!("the run has {} epochs of {} steps", number(epochs), number(steps)),
            None => format!("the run has {} epochs", number(epochs)),
        };
        for part in &self.out.parts {
            let Some(field) = part.field("frozen").filter(|f| lasts(f)) else { continue };
            let title = format!("`{}` stays frozen for all of the run", part.name);
            let help = "if that is meant, write  frozen = true  (its gradient is then not even computed)".to_string();
            found.push((field.span, Finding { setting: "frozen", title, label: run.clone(), help }));
        }
        let last = self.out.setting("train", "epochs").map(|c| format!("{c}epochs")).unwrap_or_default();
        if let Some(field) = self.out.save.iter().find(|f| f.name == "every")
            && lasts(field)
            && field.value.to_string() != last
        {
            let title = "`every` is never reached, so nothing is kept by it".to_string();
            let help = "choose less than the run is long".to_string();
            found.push((field.span, Finding { setting: "every", title, label: run.clone(), help }));
        }
        for (span, f) in found {
            self.lint("schedule", span, lints::schedule(span, &f.title, &f.label, &f.help));
        }
    }
}

/// Where an argument of a field's call is written.
fn argument(tree: &File, field: &SectionField, setting: &str) -> Option<Span> {
    let values = tree.items.iter().filter_map(|i| match &i.kind {
        ItemKind::Section { fields, .. } => Some(fields.iter().filter_map(|f| f.value.as_ref())),
        _ => None,
    });
    let call = values.flatten().find(|v| v.span == field.span)?;
    let ExprKind::Call { args, .. } = &call.kind else { return None };
    let arg = args.iter().find(|a| a.name.as_ref().is_some_and(|n| n.text == setting))?;
    Some(arg.name.as_ref().map_or(arg.value.span, |n| n.span.to(arg.value.span)))
}
