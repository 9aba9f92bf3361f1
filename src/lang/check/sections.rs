//! The sections `train`, `save` and `export` of a pipeline, checked against the table of their fields.

use super::Checker;
use super::expr::known;
use super::logs::{self, Watched};
use super::scope::{Known, Term};
use crate::ast::{ExprKind, File, ItemKind};
use crate::constant::Constant;
use crate::report::{kinds, names};
use crate::sections::section;
use crate::source::Span;
use crate::typed::SectionField;
use crate::types::Kind;

impl Checker<'_> {
    /// Reads all sections.
    pub fn sections(&mut self, tree: &File, home: usize) {
        let env = self.top(home);
        let mut seen = Vec::new();
        for item in &tree.items {
            let ItemKind::Section { keyword, fields } = &item.kind else { continue };
            if seen.contains(&keyword.text) {
                self.logs.reports.push(names::second_of(keyword.span, &keyword.text));
                continue;
            }
            seen.push(keyword.text.clone());
            let Some(section) = section(&keyword.text) else { continue };
            let mut read: Vec<SectionField> = Vec::new();
            for field in fields {
                let Some(entry) = section.fields.iter().find(|f| f.name == field.name.text) else {
                    let all: Vec<&str> = section.fields.iter().map(|f| f.name).collect();
                    self.logs.reports.push(names::no_such_section_field(
                        field.name.span,
                        keyword.span,
                        &keyword.text,
                        &field.name.text,
                        &all,
                    ));
                    continue;
                };
                if let Some(first) = read.iter().find(|f| f.name == field.name.text) {
                    self.logs.reports.push(names::given_twice(field.name.span, &field.name.text, first.span));
                    continue;
                }
                let what = format!("`{}` of `{}`", field.name.text, keyword.text);
                let span = field.value.as_ref().map_or(field.name.span, |v| v.span);
                // A watched value of this split needs no split: `best = total` would be ambiguous, so it is a report.
                if let (Kind::Watch, Some(ExprKind::Name(name))) = (entry.kind, field.value.as_ref().map(|v| &v.kind))
                    && !matches!(self.lookup(name, &env).map(|b| b.term), Some(Term::Known(k)) if k.kind == Kind::Watch)
                {
                    self.logs.reports.push(names::watch_without_split(span, name));
                    continue;
                }
                let words = entry.words;
                if !words.is_empty() {
                    match field.value.as_ref().map(|v| &v.kind) {
                        Some(ExprKind::Name(word)) if words.contains(&word.as_str()) => {
                            let value = Constant::Word(word.clone());
                            read.push(SectionField { name: field.name.text.clone(), value, span });
                        }
                        Some(ExprKind::Name(word)) => {
                            self.logs.reports.push(names::no_such_word(span, word, &field.name.text, words));
                        }
                        _ => {
                            self.logs.reports.push(names::no_word(span, &field.name.text, words));
                        }
                    }
                    continue;
                }
                match self.field_value(field, &env) {
                    Term::Known(k) => {
                        let unset = k.value.is_none();
                        if let Some(Known { value: Some(value), .. }) = self.known_as(k, entry.kind, span, span, &what)
                            && !unset
                        {
                            if field.name.text == "batch" || field.name.text == "epochs" {
                                self.at_least_one(&value, span, &what);
                            }
                            read.push(SectionField { name: field.name.text.clone(), value, span });
                        }
                    }
                    Term::Poison => {}
                    other => {
                        let found = self.shown(&other);
                        self.logs.reports.push(kinds::constant(span, &what, entry.kind, &found, None));
                    }
                }
            }
            match keyword.text.as_str() {
                "train" => self.out.train = read,
                "save" => self.out.save = read,
                _ => {}
            }
        }
    }

    fn at_least_one(&mut self, value: &Constant, span: Span, what: &str) {
        if value.count() == Some(0) {
            let found = self.shown(&known(value.clone(), Kind::Count));
            self.logs.reports.push(crate::report::numbers::zero_count(span, what, &found));
        }
    }

    /// What a run goes by in validation needs data that is not trained on.
    pub fn check_validated(&mut self, watched: &[Watched]) {
        if self.out.validates() {
            return;
        }
        let Some(share) = self.out.datasets.iter().find_map(|d| d.share) else { return };
        let trained: Vec<&str> = self
            .out
            .losses
            .iter()
            .chain(self.out.objectives.iter().map(|o| &o.output))
            .map(|o| o.name.as_str())
            .collect();
        let mut reports = Vec::new();
        for (section, field) in
            self.out.train.iter().map(|f| ("train", f)).chain(self.out.save.iter().map(|f| ("save", f)))
        {
            for name in words(&field.value).into_iter().filter_map(|w| w.strip_prefix("val.")) {
                let said = watched.iter().filter(|w| !w.untaken && w.split == "val" && w.name.text == name);
                let places: Vec<Span> = said.map(|w| w.whole).collect();
                // In the field itself, or in the parameter that it takes its value from.
                let params = self
                    .out
                    .params
                    .iter()
                    .filter(|p| p.value.as_ref().is_some_and(|v| words(v).contains(&&*format!("val.{name}"))));
                let holders = std::iter::once(field.span).chain(params.map(|p| p.value_span));
                let place = holders.filter_map(|h| places.iter().find(|p| h.holds(**p)).copied()).next();
                let instead = trained.contains(&name);
                reports.push(names::never_validated(
                    place.unwrap_or(field.span),
                    name,
                    (section, &field.name),
                    share.span,
                    instead,
                ));
            }
        }
        for word in watched.iter().filter(|w| !w.untaken && w.split == "val") {
            if self.paced.contains(&format!("val.{}", word.name.text)) {
                let instead = trained.contains(&word.name.text.as_str());
                let of = ("pace", "watch");
                let report = names::never_validated(word.whole, &word.name.text, of, share.span, instead);
                if reports.iter().all(|r: &crate::report::Report| r.place() != Some(word.whole)) {
                    reports.push(report);
                }
            }
        }
        self.logs.reports.extend(reports);
    }

    /// What is watched or saved by must be something that is reported. Where an item is `broken`, it may be the one
    /// that is meant.
    pub fn check_watched(&mut self, broken: bool) {
        let watched = std::mem::take(&mut self.logs.watched);
        if broken {
            return;
        }
        self.check_validated(&watched);
        let outputs =
            self.out.losses.iter().chain(&self.out.metrics).chain(self.out.objectives.iter().map(|o| &o.output));
        let mut all: Vec<String> = outputs.map(|o| o.name.clone()).collect();
        // A name that was reported already would be reported twice.
        let poisoned = |name: &str| {
            self.files.first().and_then(|f| f.names.get(name)).is_some_and(|b| matches!(b.term, Term::Poison))
        };
        all.sort();
        all.dedup();
        let trained: Vec<String> = self
            .out
            .losses
            .iter()
            .chain(self.out.objectives.iter().map(|o| &o.output))
            .map(|o| o.name.clone())
            .collect();
        let mut reports = Vec::new();
        for logs::Watched { name, split, .. } in watched {
            // Metrics are computed in validation only, unless something listens to them.
            let heard = self.paced.contains(&format!("{split}.{}", name.text));
            let all = if split == "train" && !heard { &trained } else { &all };
            // What could not be read may have reported it.
            let unread = all.is_empty() && crate::report::any_error(&self.logs.reports);
            if !all.contains(&name.text) && !poisoned(&name.text) && !unread {
                reports.push(names::not_reported(name.span, &split, &name.text, all));
            }
        }
        self.logs.reports.extend(reports);
    }
}

/// The words for what is watched in a setting: `val.total` in `reduce_on_plateau(watch = val.total)`.
fn words(constant: &Constant) -> Vec<&str> {
    match constant {
        Constant::Word(word) => vec![word],
        Constant::List(items) => items.iter().flat_map(words).collect(),
        Constant::Recipe(recipe) => recipe.settings.0.iter().flat_map(|(_, c)| words(c)).collect(),
        _ => vec![],
    }
}
