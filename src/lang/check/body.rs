//! Bodies: what functions and models compute where their parameters are bound, line by line.

use std::rc::Rc;

use super::Checker;
use super::scope::{Env, Term, WeightPath};
use crate::ast::{Function, Let, ModelLine, Name, Pattern};
use crate::named::Named;
use crate::report::names;
use crate::source::Span;

impl Checker<'_> {
    /// What a function computes where its parameters are bound. Weights of a layer's `let` hang under its name.
    pub fn function_body(&mut self, f: &Function, env: &Env) -> Term {
        let mut env = env.clone();
        for binding in &f.lets {
            let first = binding.pattern.names().first().map_or("", |n| n.text.as_str());
            let mut term = self.expr(&binding.value, &env.under(first));
            if let Some(stated) = &binding.ty {
                term = self.stated(term, stated, binding.value.span, &env);
            }
            env = self.bound(binding, term, env);
        }
        let term = self.expr(&f.body, &env);
        match &f.result {
            Some(stated) => self.stated(term, stated, f.body.span, &env),
            None => term,
        }
    }

    /// The environment in which a `let` stands for its value.
    fn bound(&mut self, binding: &Let, term: Term, mut env: Env) -> Env {
        for (name, term) in self.destructure(&binding.pattern, term, binding.value.span) {
            self.refuse_local_twice(&name, &env);
            self.note_local(&name, &term, &env);
            env = Self::with_local(env, &name.text, term, name.span);
        }
        env
    }

    /// The lines of a model in order; its outs.
    pub fn model_body(&mut self, m: &super::scope::ModelDef, env: &Env) -> Vec<(String, Term)> {
        let mut env = env.clone();
        let mut outs = Vec::new();
        let path = |bound: &str| Some(Rc::new(WeightPath { model: m.index, name: format!("{}.{bound}", m.name.text) }));
        self.stage.1 += 1;
        let call = self.stage.1;
        for line in &m.body {
            let outer = self.enter(line.name(), Some((m.index, call)));
            match line {
                ModelLine::Let(binding) => {
                    let first = line.name();
                    let mut term = self.expr(&binding.value, &Env { weights: path(first), ..env.clone() });
                    if let Some(stated) = &binding.ty {
                        term = self.stated(term, stated, binding.value.span, &env);
                    }
                    env = self.bound(binding, term, env);
                }
                ModelLine::Out { name, ty, value } => {
                    let mut term = self.expr(value, &Env { weights: path(&name.text), ..env.clone() });
                    if let Some(stated) = ty {
                        term = self.stated(term, stated, value.span, &env);
                    }
                    self.refuse_local_twice(name, &env);
                    self.note_local(name, &term, &env);
                    env = Self::with_local(env, &name.text, term.clone(), name.span);
                    outs.push((name.text.clone(), term));
                }
                ModelLine::Weight { name, ty, value } => {
                    let term = self.declared_weight(name, ty, value, &Env { weights: path(&name.text), ..env.clone() });
                    self.refuse_local_twice(name, &env);
                    self.note_local(name, &term, &env);
                    env = Self::with_local(env, &name.text, term.clone(), name.span);
                    outs.push((name.text.clone(), term));
                }
                ModelLine::Broken { defines } => {
                    for name in defines {
                        env = Self::with_local(env, &name.text, Term::Poison, name.span);
                        outs.push((name.text.clone(), Term::Poison));
                    }
                }
            }
            self.stage.0 = outer;
        }
        outs
    }

    /// Keeps the type of a name inside a model, where the model is checked on its own.
    fn note_local(&mut self, name: &Name, term: &Term, env: &Env) {
        if env.depth == 0 && !matches!(term, Term::Poison) {
            let is = self.meaning_within(term);
            self.out.notes.locals.push(Named { name: name.text.clone(), is, span: name.span });
        }
    }

    /// Reports a name that a body has already.
    pub fn refuse_local_twice(&mut self, name: &Name, env: &Env) {
        if let Some((_, first)) = env.locals.iter().find(|(n, _)| *n == name.text) {
            self.logs.reports.push(names::defined_twice(name.span, &name.text, first.span, None));
        }
    }

    /// The terms a pattern binds.
    pub fn destructure(&mut self, pattern: &Pattern, term: Term, span: Span) -> Vec<(Name, Term)> {
        match (pattern, term) {
            (Pattern::Name(name), term) => vec![(name.clone(), term)],
            (Pattern::Record(fields, _), Term::Record(record)) => fields
                .iter()
                .map(|(field, bound)| {
                    let found = record.fields.iter().find(|(n, _)| *n == field.text).map(|(_, t)| t.clone());
                    let term = found.unwrap_or_else(|| {
                        if record.open {
                            return Term::Poison;
                        }
                        let known: Vec<&str> = record.fields.iter().map(|(n, _)| n.as_str()).collect();
                        self.logs.reports.push(names::no_such_field(field.span, &field.text, &record.of, &known));
                        Term::Poison
                    });
                    (bound.clone(), term)
                })
                .collect(),
            (Pattern::Record(fields, braces), term) => {
                if !matches!(term, Term::Poison) {
                    let found = self.shown(&term);
                    self.logs.reports.push(crate::report::kinds::no_fields(*braces, span, &found));
                }
                fields.iter().map(|(_, bound)| (bound.clone(), Term::Poison)).collect()
            }
        }
    }
}
