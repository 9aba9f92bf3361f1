//! Calls: who is called, which argument goes to which parameter, and what stands in for those that were left out.

use std::cell::Cell;
use std::rc::Rc;

use super::expr::known;
use super::scope::{Binding, Callable, Env, FunctionDef, Record, Subst, Term, WeightPath};
use super::{Checker, MOST_HELPED};
use crate::ast::{Arg, Expr, ExprKind, FnParam, ModelLine, Name, TypeExpr};
use crate::constant::Constant;
use crate::named::Meaning;
use crate::report::{elsewhere, names, shapes};
use crate::source::Span;
use crate::typed::{Ambient, ValueSource};
use crate::types::Kind;
use crate::vocabulary::usage;

/// How deep calls may go: a chain of definitions, or a function that calls itself.
const MOST_CALLS: u32 = 48;

/// An argument with its parameter.
#[derive(Clone, Debug)]
pub struct Bound {
    /// The parameter's index.
    pub param: usize,
    /// What was given.
    pub term: Term,
    /// Where; the call's name for a default.
    pub span: Span,
    /// False for a default.
    pub given: bool,
}

/// A call with its arguments bound.
pub struct CallSite<'p> {
    /// Who is called.
    pub name: &'p str,
    /// Where the name stands.
    pub name_span: Span,
    /// The call.
    pub span: Span,
    /// The parameters.
    pub params: &'p [FnParam],
    /// The arguments, in the order of the parameters.
    pub bound: Vec<Bound>,
}

/// Who is called.
enum Callee {
    Callable(Callable),
    Operation(&'static str),
}

impl Checker<'_> {
    /// A call of an expression: only names can be called.
    pub fn call_expr(
        &mut self,
        callee: &Expr,
        subject: Option<(Term, Span)>,
        args: &[Arg],
        span: Span,
        place: usize,
        env: &Env,
    ) -> Term {
        if let (None, Some(term)) = (&subject, self.directed(callee, args, env)) {
            return term;
        }
        match &callee.kind {
            ExprKind::Name(text) => {
                let name = Name { text: text.clone(), span: callee.span };
                self.call(&name, subject, args, span, place, env)
            }
            _ => {
                if let Some((term, _)) = &subject
                    && matches!(term, Term::Poison)
                {
                    return Term::Poison;
                }
                let known = subject.as_ref().map(|(term, span)| (self.type_of(term), *span));
                let foreign = super::foreign::Call { callee, subject: known, args, span };
                if self.translated(&foreign, env) {
                    return Term::Poison;
                }
                let report = self.not_callable(callee, env);
                self.logs.reports.push(report);
                match &callee.kind {
                    // `F.relu` is `relu`: what is wrong below shows at once.
                    ExprKind::Member { of, name } if self.callable_usage(&name.text, env).is_some() => {
                        let module = self.is_module(of, env);
                        let subject = match subject {
                            None if !module => Some((self.expr(of, env), of.span)),
                            subject => subject,
                        };
                        self.call(name, subject, args, span, place, env)
                    }
                    _ => Term::Poison,
                }
            }
        }
    }

    /// A call by name; `subject` is the value of the pipe so far, `place` the call's place in its chain.
    pub fn call(
        &mut self,
        name: &Name,
        subject: Option<(Term, Span)>,
        args: &[Arg],
        span: Span,
        place: usize,
        env: &Env,
    ) -> Term {
        self.budget = self.budget.saturating_sub(1);
        // Once no more is written out at all, the first call has reported it.
        let reported = self.too_far || self.work == 0;
        self.work = self.work.saturating_sub(1);
        if env.depth > MOST_CALLS || self.budget == 0 || self.work == 0 {
            if !reported {
                self.logs.reports.push(names::too_many_calls(name.span, MOST_CALLS));
            }
            self.too_far = true;
            return Term::Poison;
        }
        let vocabulary = self.vocabulary;
        let on_tensors = match &subject {
            Some((term, _)) => matches!(term, Term::Tensor(_)),
            None => args.first().is_some_and(|a| self.speaks_of_tensors(&a.value, env)),
        };
        let Some(callee) = self.resolve(&name.text, on_tensors, env) else {
            let own = Expr::new(ExprKind::Name(name.text.clone()), name.span);
            let known = subject.as_ref().map(|(term, span)| (self.type_of(term), *span));
            let foreign = super::foreign::Call { callee: &own, subject: known, args, span };
            let unknown = self.is_unknown(&name.text, env) && !matches!(subject, Some((Term::Poison, _)));
            if !(unknown && self.translated(&foreign, env)) {
                for arg in args {
                    self.expr(&arg.value, env);
                }
                self.report_unknown_callee(name, on_tensors, env);
            }
            return Term::Poison;
        };
        if matches!(callee, Callee::Operation(_)) && args.iter().any(|a| a.name.is_some()) {
            let own = Expr::new(ExprKind::Name(name.text.clone()), name.span);
            let known = subject.as_ref().map(|(term, span)| (self.type_of(term), *span));
            if self.translated(&super::foreign::Call { callee: &own, subject: known, args, span }, env) {
                return Term::Poison;
            }
        }
        let (params, words): (Vec<FnParam>, _) = match &callee {
            Callee::Callable(c) => (c.head().1.to_vec(), &[] as &[_]),
            Callee::Operation(op) => match vocabulary.operation(op) {
                Some(operation) => (operation.params.clone(), operation.entry.words),
                None => return Term::Poison,
            },
        };
        let inner = env.under(place);
        let site = CallSite { name: &name.text, name_span: name.span, span, params: &params, bound: vec![] };
        let Some(bound) = self.bind(&site, subject, args, words, &inner) else { return Term::Poison };
        let mut site = CallSite { bound, ..site };
        if site.bound.iter().any(|b| matches!(b.term, Term::Poison)) {
            return Term::Poison;
        }
        self.as_maps(&mut site, &inner);
        if let Callee::Operation(op) = &callee
            && let Some(operation) = vocabulary.operation(op)
        {
            self.as_numbers(&mut site, operation.entry.numbers);
        }
        match callee {
            Callee::Operation(op) => match vocabulary.operation(op) {
                Some(operation) => self.apply(operation, &site, &inner),
                None => Term::Poison,
            },
            Callee::Callable(Callable::Function(f)) => self.call_function(&f, &site, &inner),
            Callee::Callable(Callable::Model(m)) => self.call_model(&m, &site, &inner),
        }
    }

    /// True where an expression names a tensor, or a record of them.
    fn speaks_of_tensors(&self, e: &Expr, env: &Env) -> bool {
        let here = match &e.kind {
            ExprKind::Name(name) => {
                matches!(self.lookup(name, env).map(|b| b.term), Some(Term::Tensor(_) | Term::Record(_)))
            }
            _ => false,
        };
        here || e.kind.children().into_iter().any(|e| self.speaks_of_tensors(e, env))
    }

    /// Who is meant by a name. `cosine` is a schedule and the cosine of two maps: given tensors, the standard function
    /// is meant.
    fn resolve(&mut self, name: &str, on_tensors: bool, env: &Env) -> Option<Callee> {
        if let Some(file) = env.home.and_then(|h| self.files.get(h))
            && let Some((at, found)) = file.callable(name)
            && at < env.visible
        {
            let found = found.clone();
            return Some(Callee::Callable(found));
        }
        let both = on_tensors && self.vocabulary.function(name).is_some();
        if let Some(operation) = self.vocabulary.operation(name).filter(|o| !o.entry.operator && !both) {
            return Some(Callee::Operation(operation.name));
        }
        if let Some(def) = self.standard.get(name) {
            return Some(Callee::Callable(Callable::Function(Rc::clone(def))));
        }
        let function = self.vocabulary.function(name)?;
        let def = Rc::new(FunctionDef {
            function: function.function.clone(),
            home: None,
            before: 0,
            too_far: Cell::new(false),
        });
        self.standard.insert(name.to_string(), Rc::clone(&def));
        Some(Callee::Callable(Callable::Function(def)))
    }

    /// How something is called, if it can be.
    pub fn callable_usage(&self, name: &str, env: &Env) -> Option<String> {
        let file = env.home.and_then(|h| self.files.get(h));
        let own = file.and_then(|f| f.callable(name)).map(|(_, c)| c);
        match own {
            Some(c) => Some(usage(name, c.head().1, c.head().2)),
            None => self.vocabulary.usage(name),
        }
    }

    /// True for a name of nothing in scope, neither of a value nor of what is defined further down.
    fn is_unknown(&self, name: &str, env: &Env) -> bool {
        let later = env.home.and_then(|h| self.files.get(h)).is_some_and(|f| f.later.contains_key(name));
        self.lookup(name, env).is_none() && !later
    }

    fn report_unknown_callee(&mut self, name: &Name, on_tensors: bool, env: &Env) {
        let file = env.home.and_then(|h| self.files.get(h));
        if let Some(binding) = self.lookup(&name.text, env) {
            if matches!(binding.term, Term::Poison) {
                return;
            }
            self.logs.reports.push(names::not_a_function(name.span, &name.text, binding.span));
            return;
        }
        if let Some(later) = file.and_then(|f| f.later.get(&name.text)) {
            // What is defined above and is not visible is what is being defined.
            let report = match later.file == name.span.file && later.start < name.span.start {
                true => names::calls_itself(name.span, &name.text, *later),
                false => names::defined_later(name.span, &name.text, *later),
            };
            self.logs.reports.push(report);
            return;
        }
        if self.logs.reports.len() > MOST_HELPED {
            self.logs.reports.push(names::no_such_operation(name.span, &name.text, None, None));
            return;
        }
        let own = file.into_iter().flat_map(|f| f.callables.iter().map(|c| c.head().0.text.as_str()));
        // What works on values is never a recipe: `step` is no map's operation.
        let fits = |n: &&str| !on_tensors || self.vocabulary.gives_tensors(n);
        let known = elsewhere::here(&name.text).filter(|n| self.vocabulary.usage(n).is_some()).filter(fits);
        let near = known
            .or_else(|| crate::report::closest(&name.text, own.chain(self.vocabulary.names().filter(fits))))
            .map(str::to_string);
        // `cosine` is a schedule and a function of maps.
        let of_tensors = near.as_deref().filter(|_| on_tensors).and_then(|n| self.vocabulary.function_usage(n));
        let usage = of_tensors.or_else(|| near.as_deref().and_then(|n| self.callable_usage(n, env)));
        self.logs.reports.push(names::no_such_operation(name.span, &name.text, near.as_deref(), usage.as_deref()));
    }

    /// Arguments to parameters, defaults included. `None` where something is wrong that was reported.
    fn bind(
        &mut self,
        site: &CallSite<'_>,
        subject: Option<(Term, Span)>,
        args: &[Arg],
        words: &[(&str, &[&str])],
        env: &Env,
    ) -> Option<Vec<Bound>> {
        let usage_text = || usage(site.name, site.params, None);
        let mut slots: Vec<Option<Bound>> = site.params.iter().map(|_| None).collect();
        let mut next = 0;
        let mut sound = true;
        let mut poisoned = false;
        if let Some((term, span)) = subject {
            match slots.first_mut() {
                Some(slot) => *slot = Some(Bound { param: 0, term, span, given: true }),
                None => {
                    self.logs.reports.push(names::too_many_arguments(site.span, site.name, 0, &usage_text()));
                    sound = false;
                }
            }
            next = 1;
        }
        for (i, arg) in args.iter().enumerate() {
            let given = self.meant_as_named(arg, site, env);
            let arg = given.as_ref().unwrap_or(arg);
            let index = match &arg.name {
                Some(name) => match site.params.iter().position(|p| p.name.text == name.text) {
                    Some(index) => index,
                    None => {
                        self.expr(&arg.value, env);
                        let known = elsewhere::argument(&name.text);
                        let near = known.filter(|k| site.params.iter().any(|p| p.name.text == *k));
                        let near = near.or_else(|| {
                            crate::report::closest(&name.text, site.params.iter().map(|p| p.name.text.as_str()))
                        });
                        let full = self.callable_usage(site.name, env).unwrap_or_else(usage_text);
                        self.logs.reports.push(names::no_such_argument(name.span, site.name, &name.text, near, &full));
                        sound = false;
                        continue;
                    }
                },
                None => {
                    next += 1;
                    next - 1
                }
            };
            let Some(param) = site.params.get(index) else {
                self.expr(&arg.value, env);
                let full = self.callable_usage(site.name, env).unwrap_or_else(usage_text);
                self.logs.reports.push(names::too_many_arguments(arg.value.span, site.name, site.params.len(), &full));
                sound = false;
                continue;
            };
            // The first plain argument continues the chain that the call ends; others hang their weights beside it.
            let chained = index == 0 && arg.name.is_none() && i == 0;
            let beside = if chained { self.parent(env) } else { env.under(&param.name.text) };
            let term = self.argument(&arg.value, param, words, &beside);
            poisoned |= matches!(term, Term::Poison);
            let span = arg.value.span;
            if let Some(slot) = slots.get_mut(index) {
                if let Some(first) = slot {
                    self.logs.reports.push(names::given_twice(span, &param.name.text, first.span));
                    sound = false;
                } else {
                    *slot = Some(Bound { param: index, term, span, given: true });
                }
            }
        }
        if !sound {
            return None;
        }
        let mut bound = Vec::with_capacity(slots.len());
        for (index, (slot, param)) in slots.into_iter().zip(site.params).enumerate() {
            if let Some(b) = slot {
                bound.push(b);
                continue;
            }
            let term = self.left_out(site, param, words, env, (&bound, poisoned))?;
            bound.push(Bound { param: index, term, span: site.name_span, given: false });
        }
        Some(bound)
    }

    /// The environment without the last segment of the weights' path: where a chain's earlier stages hang.
    fn parent(&self, env: &Env) -> Env {
        let weights = env.weights.as_ref().map(|w| {
            let name = w.name.rsplit_once('.').map_or(w.name.as_str(), |(head, _)| head);
            Rc::new(WeightPath { model: w.model, name: name.to_string() })
        });
        Env { weights, ..env.clone() }
    }

    /// An argument, where a word that its parameter knows is that word.
    fn argument(&mut self, e: &Expr, param: &FnParam, words: &[(&str, &[&str])], env: &Env) -> Term {
        if let ExprKind::Name(word) = &e.kind {
            let listed = words.iter().find(|(p, _)| *p == param.name.text).map(|(_, w)| *w);
            let reduce = ["mean", "sum", "none"];
            let choices = listed.or((param.ty.kind.text == "Reduce").then_some(&reduce[..]));
            if choices.is_some_and(|c| c.contains(&word.as_str())) {
                let kind = if param.ty.kind.text == "Reduce" { Kind::Reduce } else { Kind::Word };
                return known(Constant::Word(word.clone()), kind);
            }
            if let Some(choices) = choices
                && matches!(param.ty.kind.text.as_str(), "Reduce" | "Word")
                && self.lookup(word, env).is_none()
                && word != "none"
            {
                self.logs.reports.push(names::no_such_word(e.span, word, &param.name.text, choices));
                return Term::Poison;
            }
        }
        if param.ty.kind.text == "Axes" {
            return self.axes_argument(e, env);
        }
        if matches!(param.ty.kind.text.as_str(), "Path" | "Paths" | "Text") && self.unquoted_path(e, env) {
            let kind = Kind::named(&param.ty.kind.text).unwrap_or(Kind::Text);
            let text = self.sources.text(e.span).to_string();
            self.logs.reports.push(crate::report::params::unquoted_argument(e.span, &param.name.text, kind, &text));
            return Term::Poison;
        }
        self.wanting(Kind::named(&param.ty.kind.text), |c| c.expr(e, env))
    }

    /// What stands in for an argument that was left out: the default, or the name it defaults to in the caller's scope.
    fn left_out(
        &mut self,
        site: &CallSite<'_>,
        param: &FnParam,
        words: &[(&str, &[&str])],
        env: &Env,
        (so_far, poisoned): (&[Bound], bool),
    ) -> Option<Term> {
        let Some(default) = &param.default else {
            if !poisoned {
                let full = self.callable_usage(site.name, env).unwrap_or_default();
                self.logs.reports.push(names::missing_argument(site.name_span, site.name, &param.name.text, &full));
            }
            return None;
        };
        let ambient = match &default.kind {
            ExprKind::Name(n) if Kind::named(&param.ty.kind.text).is_some_and(Kind::is_tensor) && n != "none" => n,
            _ => {
                // A default may speak of the parameters before it: `stride = k`.
                let before = so_far.iter().filter_map(|b| Some((site.params.get(b.param)?, b)));
                let locals = before
                    .map(|(p, b)| (p.name.text.clone(), Binding { term: b.term.clone(), span: b.span }))
                    .collect();
                let plain = Env { locals: Rc::new(locals), home: None, weights: None, ..env.clone() };
                return Some(self.argument(default, param, words, &plain));
            }
        };
        if let Some(binding) = self.lookup(ambient, env) {
            self.ambient.insert(ambient.clone());
            // Once for the text, not again for every place that it is written out at.
            if env.depth == 0 && env.home.is_some() {
                let (call, param, name) = (site.span, param.name.text.clone(), ambient.clone());
                self.out.notes.ambient.push(Ambient { call, param, name });
            }
            return Some(binding.term);
        }
        // A name that is missing altogether has been reported where it is written.
        if !poisoned && !self.logs.missing.contains(ambient) {
            let ty = Self::shown_param(param);
            let written = crate::tree::type_expr(&param.ty);
            let inside = (!env.top).then_some(written.as_str());
            self.logs.reports.push(names::missing_ambient(
                site.name_span,
                site.name,
                &param.name.text,
                &ty,
                ambient,
                inside,
            ));
        }
        None
    }

    fn shown_param(param: &FnParam) -> String {
        format!("{}: {}", param.name.text, crate::tree::type_expr(&param.ty))
    }

    fn call_function(&mut self, f: &Rc<FunctionDef>, site: &CallSite<'_>, env: &Env) -> Term {
        if f.too_far.get() {
            return Term::Poison;
        }
        let again = env.within.as_ref().is_some_and(|within| Rc::ptr_eq(within, f));
        if again && !self.gets_smaller(f, site, env) {
            return Term::Poison;
        }
        let mut subst = Subst::default();
        if !self.fit_all(site, &mut subst, env) {
            return Term::Poison;
        }
        if f.function.layer && env.weights.is_none() && !self.generic {
            self.logs.reports.push(crate::report::kinds::weights_outside_model(site.name_span, site.name, None));
            return Term::Poison;
        }
        if again && self.not_written_out(site, env) {
            return self.of_its_stated_type(f, site, subst, env);
        }
        let inner = self.entered(site, subst, f.home, f.before + 1, env, f.function.layer);
        let inner = Env { within: Some(Rc::clone(f)), ..inner };
        let before = self.logs.reports.len();
        let term = self.function_body(&f.function, &inner);
        if f.home.is_none() && env.entered_by.is_none() {
            self.note_margin(site);
        }
        if f.home.is_none() && env.entered_by.is_none() {
            // The library's text means nothing to a user: what is wrong inside is wrong with the call.
            for report in self.logs.reports.iter_mut().skip(before) {
                report.move_to(site.span, f.function.body.span.file);
            }
        }
        term
    }

    /// The environment of a body: its parameters, its file, and nothing of the caller but where weights hang.
    fn entered(
        &self,
        site: &CallSite<'_>,
        subst: Subst,
        home: Option<usize>,
        visible: usize,
        env: &Env,
        layer: bool,
    ) -> Env {
        let locals = site
            .bound
            .iter()
            .filter_map(|b| site.params.get(b.param).map(|p| (p, b)))
            .map(|(p, b)| (p.name.text.clone(), Binding { term: b.term.clone(), span: b.span }))
            .collect();
        Env {
            locals: Rc::new(locals),
            home,
            visible,
            top: false,
            weights: if layer { env.weights.clone() } else { None },
            entered_by: env.entered_by.or(home.is_none().then_some(site.span)),
            caller: Some(Rc::new(env.clone())),
            subst: Rc::new(subst),
            depth: env.depth + 1,
            within: None,
        }
    }

    fn call_model(&mut self, m: &super::scope::ModelDef, site: &CallSite<'_>, env: &Env) -> Term {
        let mut subst = Subst::default();
        if !self.fit_all(site, &mut subst, env) {
            return Term::Poison;
        }
        if !self.generic
            && !self.untaken
            && let Some(info) = self.out.models.get_mut(m.index)
        {
            info.calls += 1;
        }
        let inner = self.entered(site, subst, Some(m.home), m.before, env, false);
        let outer = std::mem::take(&mut self.made);
        let fields = self.model_body(m, &inner);
        self.made = outer;
        let open = m.body.iter().any(|l| matches!(l, ModelLine::Broken { .. }));
        Term::Record(Rc::new(Record { of: m.name.text.clone(), made: site.span, fields, open }))
    }

    /// A term checked against the type that was written for it.
    pub fn stated(&mut self, term: Term, stated: &TypeExpr, span: Span, env: &Env) -> Term {
        let Term::Tensor(id) = term else {
            return match (&term, Kind::named(&stated.kind.text)) {
                (Term::Known(k), Some(kind)) => {
                    let (k, span) = (k.clone(), span);
                    match self.known_as(k, kind, stated.span, span, "this value") {
                        Some(k) => Term::Known(k),
                        None => Term::Poison,
                    }
                }
                (Term::Poison, _) => Term::Poison,
                (_, None) => {
                    self.ground(stated, env);
                    Term::Poison
                }
                _ => term,
            };
        };
        let Some(want) = self.ground(stated, env) else { return Term::Poison };
        let map = want.kind.is(Kind::Map) && want.axes == want.kind.axes(4);
        let id = Some(id).filter(|_| map).and_then(|id| self.as_map(id, span)).unwrap_or(id);
        let Some(have) = self.value_type(id) else { return Term::Poison };
        match self.relabel(&want, &have) {
            Ok(ty) => {
                if ty == have {
                    return Term::Tensor(id);
                }
                let place = self.logs.values.get(id.0 as usize).map_or(span, |v| v.span);
                Term::Tensor(self.push(ValueSource::Alias(id), ty, place))
            }
            Err(()) => {
                self.logs.reports.push(shapes::stated_otherwise(stated.span, span, &want, &have));
                Term::Poison
            }
        }
    }

    /// A term as a message shows it.
    pub fn shown(&self, term: &Term) -> String {
        Self::meaning(term).shown(|id| self.value(id).map(|v| &v.ty))
    }

    /// What a term is, for those who read the pipeline.
    pub fn meaning(term: &Term) -> Meaning {
        match term {
            Term::Tensor(id) => Meaning::Tensor(*id),
            Term::Known(k) => Meaning::Known(k.kind, k.value.clone()),
            Term::Record(record) => {
                Meaning::Record(record.fields.iter().map(|(name, of)| (name.clone(), Self::meaning(of))).collect())
            }
            Term::Poison => Meaning::Wrong,
        }
    }

    /// The same of a term that does not stay: with its type instead of its value.
    pub fn meaning_within(&self, term: &Term) -> Meaning {
        Self::meaning(term).within(|id| self.value(id).map(|v| &v.ty))
    }
}
