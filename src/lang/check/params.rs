//! Parameters: what can be changed from outside, and what has been.

use std::collections::HashMap;

use super::scope::{Binding, Env, Known, Term};
use super::{Checker, Outside};
use crate::ast::{Domain, Expr, ExprKind, Field, File, FnParam, Item, ItemKind, Name, TypeExpr};
use crate::constant::Constant;
use crate::report::{Report, kinds, numbers, params};
use crate::source::Span;
use crate::typed::{Origin, ParamInfo};
use crate::types::Kind;

/// A parameter as written.
pub struct Written<'a> {
    /// Its name.
    pub name: &'a Name,
    /// Its type.
    pub ty: &'a TypeExpr,
    /// Its default.
    pub default: Option<&'a Expr>,
    /// The values it may take.
    pub domain: Option<&'a Domain>,
}

/// A value that stands before the default.
struct Outer<'a> {
    value: &'a Expr,
    origin: Origin,
    /// True for one that comes from outside of the file.
    given: bool,
    /// True for a quoted string of YAML.
    quoted: bool,
}

impl Checker<'_> {
    /// A parameter with its value: the default, or what the run at hand, the preset, the file or the command line give, in this
    /// order.
    pub fn param(
        &mut self,
        written: &Written<'_>,
        about: Option<String>,
        outside: &Outside,
        preset: &[(Name, Expr)],
        env: &Env,
    ) -> Term {
        let Some(kind) = Kind::named(&written.ty.kind.text) else {
            self.logs.reports.push(kinds::no_such_kind(written.ty.kind.span, &written.ty.kind.text));
            return Term::Poison;
        };
        if kind.is_tensor() {
            self.logs.reports.push(kinds::param_kind(written.ty.span, &written.name.text, kind));
            return Term::Poison;
        }
        let mut value: Option<Known> = None;
        let mut outdone = Vec::new();
        let mut origin = Origin::Missing;
        let mut sound = true;
        let mut value_span = written.name.span;
        if let Some(default) = written.default {
            value_span = default.span;
            value = self.param_value(written, kind, default, false, env);
            sound &= value.is_some();
            origin = Origin::Default;
        }
        let preset = preset.iter().find(|(n, _)| n.text == written.name.text).map(|(_, e)| {
            let name = outside.preset.as_ref().map(|p| p.text.clone()).unwrap_or_default();
            Outer { value: e, origin: Origin::Preset(name), given: false, quoted: false }
        });
        let given = outside.given.iter().filter(|g| g.name.text == written.name.text);
        let given = given.map(|g| Outer { value: &g.value, origin: g.origin.clone(), given: true, quoted: g.quoted });
        // What a run was made with takes the place of the default: a preset that is asked for now changes it.
        let (of_run, asked): (Vec<_>, Vec<_>) = given.partition(|g| matches!(g.origin, Origin::Run(_)));
        for outer in of_run.into_iter().chain(preset).chain(asked) {
            let text = matches!(kind, Kind::Text | Kind::Path | Kind::Paths);
            let in_quotes = match outer.value.kind {
                ExprKind::Text(_) => true,
                ExprKind::List(_) => kind == Kind::Paths,
                _ => false,
            };
            if outer.given && text && !in_quotes {
                let bare = self.sources.text(outer.value.span).to_string();
                let set = outer.origin == Origin::Set;
                self.logs.reports.push(params::unquoted(outer.value.span, &written.name.text, kind, &bare, set));
                sound = false;
                continue;
            }
            if kind != Kind::Watch && self.bare_word(outer.value, env) {
                let bare = self.sources.text(outer.value.span).to_string();
                let (name, set) = (&written.name.text, outer.origin == Origin::Set);
                let default = written.default.map(crate::tree::expression);
                self.logs.reports.push(params::bare_word(outer.value.span, name, kind, &bare, default.as_deref(), set));
                sound = false;
                continue;
            }
            let given = self.param_value(written, kind, outer.value, outer.quoted, env);
            sound &= given.is_some();
            let before = value.as_ref().and_then(|k| k.value.clone());
            let same = given.as_ref().is_some_and(|k| k.value == before);
            // A run has a value for every parameter; that most are the defaults is not worth a word.
            if !(same && matches!(outer.origin, Origin::Run(_))) {
                outdone.extend(before.map(|before| (before, origin)));
            }
            value = given.or(value);
            value_span = outer.value.span;
            origin = outer.origin;
        }
        let domain = written.domain.map(crate::tree::domain_text);
        let constant = value.as_ref().and_then(|k| k.value.clone());
        let span = written.name.span;
        let name = written.name.text.clone();
        self.out.params.push(ParamInfo {
            name: name.clone(),
            kind,
            value: constant,
            origin,
            outdone: outdone.into_iter().rev().collect(),
            domain,
            about,
            span,
            value_span,
        });
        if !sound {
            return Term::Poison;
        }
        match value {
            Some(k) => Term::Known(Known { kind, ..k }),
            None => {
                let size = (kind == Kind::Count).then(|| crate::dim::Dim::symbol(self.new_symbol(&name, false)));
                Term::Known(Known { value: None, kind, size, tensors: vec![] })
            }
        }
    }

    /// One value for a parameter, checked against its kind and its domain.
    fn param_value(&mut self, written: &Written<'_>, kind: Kind, e: &Expr, quoted: bool, env: &Env) -> Option<Known> {
        let k = match self.expr(e, env) {
            Term::Known(k) => k,
            Term::Poison => return None,
            other => {
                let found = self.shown(&other);
                self.logs.reports.push(kinds::constant(e.span, "a parameter", kind, &found, Some(written.ty.span)));
                return None;
            }
        };
        if quoted && !matches!(kind, Kind::Text | Kind::Path | Kind::Paths) && k.kind == Kind::Text {
            let bare = self.sources.text(e.span).trim_matches(['"', '\'']).to_string();
            self.logs.reports.push(params::quoted(e.span, &written.name.text, kind, &bare));
            return None;
        }
        let what = format!("`{}`", written.name.text);
        let k = self.known_as(k, kind, written.ty.span, e.span, &what)?;
        if let (Some(domain), Some(value)) = (written.domain, &k.value)
            && self.sound_domain(&written.name.text, kind, domain, env)
            && let Some(report) = self.outside_domain(written, domain, value, e.span, env)
        {
            self.logs.reports.push(report);
            return None;
        }
        Some(k)
    }

    fn outside_domain(
        &mut self,
        written: &Written<'_>,
        domain: &Domain,
        value: &Constant,
        given: Span,
        env: &Env,
    ) -> Option<Report> {
        if self.in_domain(domain, value, env)? {
            return None;
        }
        let default = written.default.map(|d| format!(" = {}", crate::tree::expression(d))).unwrap_or_default();
        let domain = crate::tree::domain_text(domain);
        let declaration = format!("param {}: {}{default} in {domain}", written.name.text, written.ty.kind.text);
        let place = self.place(written.name.span);
        Some(numbers::out_of_range(given, &written.name.text, &domain, &place, &declaration))
    }

    /// Whether a domain is made of what the parameter holds: bounds with its unit, and no interval of words.
    pub fn sound_domain(&mut self, name: &str, kind: Kind, domain: &Domain, env: &Env) -> bool {
        let ordered = kind.is(Kind::Scalar)
            || matches!(kind, Kind::Pixels | Kind::Degrees | Kind::Factor)
            || kind.is(Kind::Interval);
        let (values, interval): (Vec<&Expr>, _) = match domain {
            Domain::Interval { span, .. } if !ordered => {
                self.logs.reports.push(params::no_interval(*span, name, kind));
                return false;
            }
            Domain::Interval { low, high, .. } => (vec![low, high], true),
            Domain::Choice(values, _) => (values.iter().collect(), false),
        };
        let mut sound = true;
        for value in values {
            let Term::Known(k) = self.expr(value, env) else {
                sound = false;
                continue;
            };
            let unit = |c: &Constant| if let Constant::Quantity(_, u) = c { Some(*u) } else { None };
            let fits = match &k.value {
                None => true,
                Some(c) if ordered => {
                    let same = unit(c).map(super::expr::unit_kind).map_or(kind.is(Kind::Scalar), |of| of.is(kind));
                    c.number().is_some() && same
                }
                Some(Constant::Recipe(_)) => k.kind.is(kind),
                Some(Constant::Text(_)) => matches!(kind, Kind::Text | Kind::Path | Kind::Paths),
                Some(Constant::Flag(_)) => kind == Kind::Flag,
                Some(_) => !interval,
            };
            if !fits {
                let found = self.shown(&Term::Known(k.clone()));
                let report = params::domain_kind(value.span, name, kind, &found);
                let report = self.of_literal(report, k.value.as_ref().unwrap_or(&Constant::None));
                self.logs.reports.push(report);
                sound = false;
            }
        }
        sound
    }

    /// Whether a value lies in a domain; `None` where the domain has no meaning, which was reported.
    fn in_domain(&mut self, domain: &Domain, value: &Constant, env: &Env) -> Option<bool> {
        let constant = |checker: &mut Self, e: &Expr| match checker.expr(e, env) {
            Term::Known(Known { value: Some(c), .. }) => Some(c),
            _ => None,
        };
        Some(match domain {
            Domain::Interval { .. } if matches!(value, Constant::Timed(_)) => {
                let mut inside = true;
                for value in value.on_the_way() {
                    inside &= self.in_domain(domain, &value, env)?;
                }
                inside
            }
            Domain::Interval { low, high, low_open, high_open, .. } => {
                let low = constant(self, low)?.number()?;
                let high = constant(self, high)?.number()?;
                let x = value.number()?;
                (if *low_open { x > low } else { x >= low }) && (if *high_open { x < high } else { x <= high })
            }
            Domain::Choice(choices, _) => {
                let mut any = false;
                for choice in choices {
                    any |= constant(self, choice)? == *value;
                }
                any
            }
        })
    }

    /// Holds an argument to the domain of its parameter. The domain sees no names: it is the same for every caller.
    pub fn argument_in_domain(&mut self, of: &str, param: &FnParam, value: &Constant, given: Span, env: &Env) -> bool {
        let Some(domain) = &param.domain else { return true };
        let plain = Env { locals: Default::default(), home: None, weights: None, ..env.clone() };
        let kind = Kind::named(&param.ty.kind.text).unwrap_or(Kind::Values);
        if !self.sound_domain(&param.name.text, kind, domain, &plain) {
            return false;
        }
        match self.in_domain(domain, value, &plain) {
            Some(inside) if !inside => {
                let default =
                    param.default.as_ref().map(|d| format!(" = {}", crate::tree::expression(d))).unwrap_or_default();
                let domain = crate::tree::domain_text(domain);
                let declaration = format!("{}: {}{default} in {domain}", param.name.text, param.ty.kind.text);
                let place = self.place(param.name.span);
                let (name, value) = (&param.name.text, value.to_string());
                let report = numbers::argument_out_of_range(given, of, name, &value, &domain, &place, &declaration);
                self.logs.reports.push(report);
                false
            }
            _ => true,
        }
    }

    /// `file:line`, for a message.
    fn place(&self, span: Span) -> String {
        let (line, _) = self.sources.line_column(span);
        format!("{}:{line}", self.sources.get(span.file).map(|s| s.name.as_str()).unwrap_or_default())
    }

    /// The fields of the preset that was asked for.
    pub fn find_preset(&mut self, tree: &File, outside: &Outside) -> Vec<(Name, Expr)> {
        let Some(wanted) = &outside.preset else { return vec![] };
        let mut known = Vec::new();
        for item in &tree.items {
            if let ItemKind::Preset { name, fields } = &item.kind {
                if name.text == wanted.text {
                    return fields.iter().filter_map(|f| Some((f.name.clone(), f.value.clone()?))).collect();
                }
                known.push(name.text.as_str());
            }
        }
        self.logs.reports.push(params::no_such_preset(wanted.span, &wanted.text, &known));
        vec![]
    }

    /// Presets and sweeps may only speak of parameters, with values these may take.
    pub fn presets_and_sweeps(&mut self, tree: &File, home: usize) {
        let env = self.top(home);
        let mut seen: HashMap<&str, Span> = HashMap::new();
        let mut declared: HashMap<&str, &Item> = HashMap::new();
        for item in &tree.items {
            if let ItemKind::Param { name, .. } = &item.kind {
                declared.entry(&name.text).or_insert(item);
            }
        }
        for item in &tree.items {
            let (name, fields, sweep) = match &item.kind {
                ItemKind::Preset { name, fields } => (name, fields, false),
                ItemKind::Sweep { name, fields } => (name, fields, true),
                _ => continue,
            };
            let first = *seen.entry(&name.text).or_insert(name.span);
            if first != name.span {
                self.logs.reports.push(crate::report::names::defined_twice(name.span, &name.text, first, None));
            }
            let mut values = Vec::new();
            let mut given: HashMap<&str, Span> = HashMap::new();
            for field in fields {
                let first = *given.entry(&field.name.text).or_insert(field.name.span);
                if first != field.name.span {
                    let report = crate::report::names::given_twice(field.name.span, &field.name.text, first);
                    self.logs.reports.push(report);
                    continue;
                }
                let written = declared.get(field.name.text.as_str());
                if let Some(of) = self.preset_field(written.map(|i| &i.kind), field, sweep, &env) {
                    values.push((field.name.text.clone(), of));
                }
            }
            if sweep {
                self.out.sweeps.push((name.text.clone(), values));
            } else {
                let single = values.into_iter().filter_map(|(n, v)| Some((n, v.into_iter().next()?))).collect();
                self.out.presets.push((name.text.clone(), single));
            }
        }
    }

    fn preset_field(
        &mut self,
        param: Option<&ItemKind>,
        field: &Field,
        sweep: bool,
        env: &Env,
    ) -> Option<Vec<Constant>> {
        let Some(ItemKind::Param { name, ty, default, domain, .. }) = param else {
            let most = if self.logs.reports.len() > super::MOST_HELPED { 20 } else { usize::MAX };
            let known: Vec<&str> = self.out.params.iter().take(most).map(|p| p.name.as_str()).collect();
            self.logs.reports.push(params::no_such_param(field.name.span, &field.name.text, None, &known));
            return None;
        };
        let written = Written { name, ty, default: default.as_ref(), domain: domain.as_ref() };
        let kind = Kind::named(&written.ty.kind.text)?;
        let Some(value) = &field.value else {
            self.logs.reports.push(params::field_without_value(field.name.span, &field.name.text));
            return None;
        };
        match (&value.kind, sweep) {
            (crate::ast::ExprKind::List(items), true) => {
                items.iter().map(|e| self.param_value(&written, kind, e, false, env).and_then(|k| k.value)).collect()
            }
            (_, true) => {
                self.logs.reports.push(params::sweep_needs_list(value.span, &field.name.text));
                None
            }
            (_, false) => self.param_value(&written, kind, value, false, env).and_then(|k| k.value).map(|c| vec![c]),
        }
    }

    /// Everything given from outside must be a parameter; nothing is ignored.
    pub fn unknown_given(&mut self, outside: &Outside, tree: &File) {
        for given in &outside.given {
            if self.out.params.iter().any(|p| p.name == given.name.text) {
                continue;
            }
            let known: Vec<&str> = self.out.params.iter().map(|p| p.name.as_str()).collect();
            let (section, field) = given.name.text.split_once('.').unwrap_or(("", ""));
            if matches!(section, "train" | "save" | "export") {
                let param = known.contains(&field).then_some(field);
                let value = self.sources.text(given.value.span).to_string();
                self.logs.reports.push(params::not_a_param(given.name.span, &given.name.text, section, param, &value));
                continue;
            }
            let defined = tree.items.iter().find_map(|item| match &item.kind {
                ItemKind::Let(binding) => {
                    binding.pattern.names().into_iter().find(|n| n.text == given.name.text).map(|n| n.span)
                }
                _ => None,
            });
            self.logs.reports.push(params::no_such_param(given.name.span, &given.name.text, defined, &known));
        }
    }

    /// A value that stands for a field of the same name: `batch` alone in a section.
    pub fn field_value(&mut self, field: &Field, env: &Env) -> Term {
        match &field.value {
            Some(value) => self.expr(value, env),
            None => match self.lookup(&field.name.text, env) {
                Some(Binding { term, .. }) => term,
                None => {
                    let report = params::nothing_called(field.name.span, &field.name.text);
                    self.logs.reports.push(report);
                    Term::Poison
                }
            },
        }
    }
}
