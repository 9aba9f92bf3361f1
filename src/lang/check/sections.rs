//! The sections `train`, `save` and `export`: which fields they have, and what these hold.

use super::Checker;
use super::expr::known;
use super::scope::{Known, Term};
use crate::ast::{ExprKind, File, ItemKind};
use crate::constant::Constant;
use crate::report::{kinds, names};
use crate::typed::SectionField;
use crate::types::Kind;

/// The fields of every section with their kinds, in alphabetical order.
pub const SECTIONS: [(&str, &[(&str, Kind)]); 3] = [
    (
        "train",
        &[
            ("batch", Kind::Count),
            ("clip", Kind::Clip),
            ("epochs", Kind::Count),
            ("optimizer", Kind::Optimizer),
            ("precision", Kind::Word),
            ("schedule", Kind::Schedule),
            ("seed", Kind::Count),
        ],
    ),
    ("save", &[("best", Kind::Watch), ("last", Kind::Flag)]),
    ("export", &[]),
];

/// The words that a field may be.
const WORDS: [(&str, &[&str]); 1] = [("precision", &["f32", "bf16"])];

impl Checker<'_> {
    /// Reads all sections.
    pub fn sections(&mut self, tree: &File, home: usize) {
        let env = self.top(home);
        let mut seen = Vec::new();
        for item in &tree.items {
            let ItemKind::Section { keyword, fields } = &item.kind else { continue };
            if seen.contains(&keyword.text) {
                self.reports.push(names::second_of(keyword.span, &keyword.text));
                continue;
            }
            seen.push(keyword.text.clone());
            let Some((_, known_fields)) = SECTIONS.iter().find(|(n, _)| *n == keyword.text) else { continue };
            let mut read: Vec<SectionField> = Vec::new();
            for field in fields {
                let Some((_, kind)) = known_fields.iter().find(|(n, _)| *n == field.name.text) else {
                    let all: Vec<&str> = known_fields.iter().map(|(n, _)| *n).collect();
                    self.reports.push(names::no_such_section_field(
                        field.name.span,
                        keyword.span,
                        &keyword.text,
                        &field.name.text,
                        &all,
                    ));
                    continue;
                };
                if let Some(first) = read.iter().find(|f| f.name == field.name.text) {
                    self.reports.push(names::given_twice(field.name.span, &field.name.text, first.span));
                    continue;
                }
                let what = format!("`{}` of `{}`", field.name.text, keyword.text);
                let span = field.value.as_ref().map_or(field.name.span, |v| v.span);
                // A watched value of this split needs no split: `best = total` would be ambiguous, so it is a report.
                if let (Kind::Watch, Some(ExprKind::Name(name))) = (*kind, field.value.as_ref().map(|v| &v.kind))
                    && !matches!(self.lookup(name, &env).map(|b| b.term), Some(Term::Known(k)) if k.kind == Kind::Watch)
                {
                    self.reports.push(names::watch_without_split(span, name));
                    continue;
                }
                if let Some((_, words)) = WORDS.iter().find(|(name, _)| *name == field.name.text) {
                    match field.value.as_ref().map(|v| &v.kind) {
                        Some(ExprKind::Name(word)) if words.contains(&word.as_str()) => {
                            let value = Constant::Word(word.clone());
                            read.push(SectionField { name: field.name.text.clone(), value, span });
                        }
                        Some(ExprKind::Name(word)) => {
                            self.reports.push(names::no_such_word(span, word, &field.name.text, words));
                        }
                        _ => {
                            self.reports.push(names::no_word(span, &field.name.text, words));
                        }
                    }
                    continue;
                }
                match self.field_value(field, &env) {
                    Term::Known(k) => {
                        let unset = k.value.is_none();
                        if let Some(Known { value: Some(value), .. }) = self.known_as(k, *kind, span, span, &what)
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
                        self.reports.push(kinds::constant(span, &what, *kind, &found, None));
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

    fn at_least_one(&mut self, value: &Constant, span: crate::source::Span, what: &str) {
        if value.count() == Some(0) {
            let found = self.shown(&known(value.clone(), Kind::Count));
            self.reports.push(crate::report::numbers::zero_count(span, what, &found));
        }
    }

    /// What is watched or saved by must be something that is reported. Where an item is `broken`, it may be the one that is meant.
    pub fn check_watched(&mut self, broken: bool) {
        let watched = std::mem::take(&mut self.watched);
        if broken {
            return;
        }
        let outputs = self.out.losses.iter().chain(&self.out.metrics).chain(&self.out.objective);
        let mut all: Vec<String> = outputs.map(|o| o.name.clone()).collect();
        // A name that was reported already would be reported twice.
        let poisoned = |name: &str| {
            self.files.first().and_then(|f| f.names.get(name)).is_some_and(|b| matches!(b.term, Term::Poison))
        };
        all.sort();
        all.dedup();
        let trained: Vec<String> = self.out.losses.iter().chain(&self.out.objective).map(|o| o.name.clone()).collect();
        let mut reports = Vec::new();
        for (name, split) in watched {
            // Metrics are computed in validation only.
            let all = if split == "train" { &trained } else { &all };
            // What could not be read may have reported it.
            let unread = all.is_empty() && crate::report::any_error(&self.reports);
            if !all.contains(&name.text) && !poisoned(&name.text) && !unread {
                reports.push(names::not_reported(name.span, &split, &name.text, all));
            }
        }
        self.reports.extend(reports);
    }
}
