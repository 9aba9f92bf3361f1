//! The sections `train`, `save` and `export` of a pipeline, checked against the table of their fields.

use super::Checker;
use super::expr::{constant_kind, known};
use super::logs::{self, Watched};
use super::scope::{Env, Term};
use super::watches::{bare_watch, words};
use crate::ast::{ExprKind, Field, File, ItemKind};
use crate::constant::Constant;
use crate::report::{kinds, names, numbers, params};
use crate::sections::{self, Section, Within, section};
use crate::source::Span;
use crate::typed::SectionField;
use crate::types::Kind;

impl Checker<'_> {
    /// Reads all sections.
    pub fn sections(&mut self, tree: &File, home: usize) {
        let env = self.top(home);
        let mut seen = Vec::new();
        for item in &tree.items {
            let ItemKind::Section { keyword, fields, parts } = &item.kind else { continue };
            if seen.contains(&keyword.text) {
                self.logs.reports.push(names::second_of(keyword.span, &keyword.text));
                continue;
            }
            seen.push(keyword.text.clone());
            if keyword.text == "export" {
                self.exports(fields, &env);
                continue;
            }
            let Some(section) = section(&keyword.text) else { continue };
            let read = self.section_fields(section, keyword.span, fields, &env);
            match keyword.text.as_str() {
                "train" => {
                    self.out.train = read;
                    self.parts(parts, &env);
                }
                "save" => self.out.save = read,
                _ => {}
            }
        }
    }

    /// The fields of a section or of a part, checked against its table.
    pub(super) fn section_fields(
        &mut self,
        section: &'static Section,
        head: Span,
        fields: &[Field],
        env: &Env,
    ) -> Vec<SectionField> {
        let mut read: Vec<SectionField> = Vec::new();
        for field in fields {
            let name = &field.name;
            let Some(entry) = section.fields.iter().find(|f| f.name == name.text) else {
                let all: Vec<&str> = section.fields.iter().map(|f| f.name).collect();
                let report = names::no_such_section_field(name.span, head, section.name, &name.text, &all);
                self.logs.reports.push(report);
                continue;
            };
            if let Some(first) = read.iter().find(|f| f.name == name.text) {
                self.logs.reports.push(names::given_twice(name.span, &name.text, first.span));
                continue;
            }
            if let Some((value, span)) = self.section_value(section.name, entry, field, env) {
                read.push(SectionField { name: name.text.clone(), value, span });
            }
        }
        read
    }

    /// The value of one field, and its place; `None` where it was reported, or where nobody has set it yet.
    fn section_value(
        &mut self,
        section: &str,
        entry: &sections::Field,
        field: &Field,
        env: &Env,
    ) -> Option<(Constant, Span)> {
        let what = format!("`{}` of `{section}`", field.name.text);
        let span = field.value.as_ref().map_or(field.name.span, |v| v.span);
        let value = field.value.as_ref().map(|v| &v.kind);
        // A watched value of this split needs no split: `best = total` would be ambiguous, so it is a report.
        if let (Kind::Watch, Some((name, place))) = (entry.kind, field.value.as_ref().and_then(bare_watch))
            && !matches!(self.lookup(name, env).map(|b| b.term), Some(Term::Known(k)) if k.kind == Kind::Watch)
        {
            self.logs.reports.push(names::watch_without_split(place, name));
            return None;
        }
        if !entry.words.is_empty() {
            return match value {
                Some(ExprKind::Name(word)) if entry.words.contains(&word.as_str()) => {
                    Some((Constant::Word(word.clone()), span))
                }
                Some(ExprKind::Name(word)) => {
                    self.logs.reports.push(names::no_such_word(span, word, &field.name.text, entry.words));
                    None
                }
                _ => {
                    self.logs.reports.push(names::no_word(span, &field.name.text, entry.words));
                    None
                }
            };
        }
        // A flag that stands alone is most likely meant as `true`.
        if value.is_none() && entry.kind == Kind::Flag && self.lookup(&field.name.text, env).is_none() {
            self.logs.reports.push(params::flag_alone(span, &field.name.text));
            return None;
        }
        match self.field_value(field, env) {
            Term::Known(k) => {
                let unset = k.value.is_none();
                let kind = entry.also.filter(|also| k.kind.is(*also)).unwrap_or(entry.kind);
                let known = self.known_as(k, kind, span, span, &what)?;
                let value = known.value.filter(|_| !unset)?;
                let within = match entry.within {
                    Within::Any => true,
                    Within::AtLeastOne => self.at_least_one(&value, span, &what),
                    Within::Share => self.below_one(&value, span, &what),
                };
                within.then_some((value, span))
            }
            Term::Poison => None,
            other => {
                let found = self.shown(&other);
                self.logs.reports.push(kinds::constant(span, &what, entry.kind, &found, None));
                None
            }
        }
    }

    /// A count, or a duration, that is not 0.
    fn at_least_one(&mut self, value: &Constant, span: Span, what: &str) -> bool {
        let sound = value.number() != Some(0.0);
        if !sound {
            let found = self.shown(&known(value.clone(), constant_kind(value)));
            self.logs.reports.push(numbers::zero_count(span, what, &found));
        }
        sound
    }

    /// A number from 0 up to 1, 1 not included.
    fn below_one(&mut self, value: &Constant, span: Span, what: &str) -> bool {
        let sound = value.number().is_some_and(|x| (0.0..1.0).contains(&x));
        if !sound {
            let title = format!("{what} is a share below 1");
            let label = format!("{value} is not in [0, 1)");
            self.logs.reports.push(numbers::rule(span, &title, &label, "as in  ema = 0.999"));
        }
        sound
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
            for name in words(&field.value).into_iter().filter_map(|(_, w)| w.strip_prefix("val.")) {
                let said = watched.iter().filter(|w| !w.untaken && w.split == "val" && w.name.text == name);
                let places: Vec<Span> = said.map(|w| w.whole).collect();
                // In the field itself, or in the parameter that it takes its value from.
                let params = self.out.params.iter().filter(|p| {
                    p.value.as_ref().is_some_and(|v| words(v).iter().any(|(_, w)| *w == format!("val.{name}")))
                });
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
        self.check_directions(&watched);
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
