//! Calls written as elsewhere, `nn.Conv2d(…)`, `x.relu()`, `f(beta == 1)`, `gds(tiles/a.gds)`: what they are meant for.

use std::rc::Rc;

use super::Checker;
use super::call::CallSite;
use super::scope::{Env, Record, Term};
use crate::ast::{Arg, Expr, ExprKind, Name};
use crate::report::{elsewhere, kinds, names};
use crate::source::Span;
use crate::types::{Kind, Type};

impl Checker<'_> {
    /// The report for a call of what is no name: a method, or a function of a module.
    pub(super) fn not_callable(&self, callee: &Expr, env: &Env) -> crate::report::Report {
        let text = self.sources.text(callee.span);
        let ExprKind::Member { of, name } = &callee.kind else { return names::not_callable(callee.span, None) };
        let op = if self.callable_usage(&name.text, env).is_some() {
            Some(name.text.as_str())
        } else {
            elsewhere::here(text)
        };
        match (op, self.is_module(of, env)) {
            (Some(op), false) => self.method(of, name, op),
            (Some(op), true) => names::module(callee.span, text, op),
            (None, false) => names::no_method(name.span, &name.text),
            (None, true) => names::not_callable(callee.span, Some(text)),
        }
    }

    /// True for `nn` and `torch.nn`: names of nothing in scope, which a module of another library has.
    pub(super) fn is_module(&self, e: &Expr, env: &Env) -> bool {
        match &e.kind {
            ExprKind::Name(name) => self.lookup(name, env).is_none(),
            ExprKind::Member { of, .. } => self.is_module(of, env),
            _ => false,
        }
    }

    /// `(a - b).abs()`, which is `abs(a - b)`.
    fn method(&self, of: &Expr, name: &Name, op: &str) -> crate::report::Report {
        let source = self.sources.get(of.span.file).map(|s| s.text.clone()).unwrap_or_else(|| "".into());
        let slice = |start: u32, end: u32| source.get(start as usize..end as usize).unwrap_or("");
        // An expression's place leaves out the brackets around it.
        let closing = slice(of.span.end, name.span.start).matches(')').count();
        let mut start = of.span.start;
        for _ in 0..closing {
            let before = slice(0, start).trim_end();
            start = if before.ends_with('(') { before.len() as u32 - 1 } else { start };
        }
        let end = name.span.start
            - slice(of.span.end, name.span.start).chars().rev().take_while(|c| *c != '.').count() as u32
            - 1;
        let whole = Span { start, end, ..of.span };
        let inner = if closing > 0 { of.span } else { whole };
        let arguments = source.get(name.span.end as usize..).unwrap_or("");
        let lead = arguments.len() - arguments.trim_start().len();
        let rest = arguments.trim_start().strip_prefix('(');
        let edits = rest.map(|rest| {
            let separated = if rest.trim_start().starts_with(')') { "" } else { ", " };
            let open = name.span.end + lead as u32 + 1;
            [
                (Span { start, end: inner.start, ..whole }, format!("{op}(")),
                (Span { start: inner.end, end: open, ..whole }, separated.to_string()),
            ]
        });
        names::method(name.span, self.sources.text(inner), op, op == name.text, edits)
    }

    /// `f(beta == 1)`, where `beta` is an argument of `f` and nothing else: one `=` is meant.
    pub(super) fn meant_as_named(&mut self, arg: &Arg, site: &CallSite<'_>, env: &Env) -> Option<Arg> {
        use crate::ast::BinaryOp::Equal;
        let ExprKind::Binary { op: Equal, op_span, left, right } = &arg.value.kind else { return None };
        let ExprKind::Name(name) = &left.kind else { return None };
        let argument = arg.name.is_none() && site.params.iter().any(|p| p.name.text == *name);
        if !argument || self.lookup(name, env).is_some_and(|b| !matches!(b.term, Term::Known(_))) {
            return None;
        }
        let flag = site.params.iter().any(|p| p.ty.kind.text == Kind::Flag.name() && p.name.text == *name);
        if flag && self.lookup(name, env).is_some() {
            return None;
        }
        let certain = self.lookup(name, env).is_none();
        self.logs.reports.push(crate::report::syntax::not_equals(*op_span, "==", name, certain));
        Some(Arg { name: Some(Name { text: name.clone(), span: left.span }), value: (**right).clone() })
    }

    /// Reports a record where one value belongs, once for each record: `let det = net(image)` is one mistake, however
    /// often `det` is used.
    pub(super) fn record_given(&mut self, record: &Rc<Record>, span: Span, taker: &str, fits: impl Fn(&Type) -> bool) {
        if !self.logs.mistaken.insert(record.made) {
            return;
        }
        let written = self.sources.text(span).to_string();
        let named = record.fields.iter().find(|(name, _)| *name == written || written.starts_with(&format!("{name}_")));
        let fitting = || record.fields.iter().find(|(_, term)| self.type_of(term).is_some_and(|ty| fits(&ty)));
        let field = named.or_else(fitting).or(record.fields.first()).map(|(name, _)| name.clone());
        let found = self.shown(&Term::Record(Rc::clone(record)));
        self.logs.reports.push(kinds::record_given(span, &written, &record.of, &found, taker, field.as_deref()));
    }

    /// True where something else stands before a place on its line.
    pub(super) fn behind_a_value(&self, span: Span) -> bool {
        let line = self
            .sources
            .get(span.file)
            .and_then(|s| s.text.get(..span.start as usize)?.rsplit('\n').next().map(str::to_string));
        line.is_some_and(|line| !line.trim().is_empty())
    }

    /// True for a word or a path from outside that nothing is called by.
    pub(super) fn bare_word(&self, e: &Expr, env: &Env) -> bool {
        let operation = matches!(&e.kind, ExprKind::Name(name) if self.vocabulary.callable(name));
        !operation && self.unquoted_path(e, env)
    }

    /// True for `tiles/a.gds`: a path without its quotes.
    pub(super) fn unquoted_path(&self, e: &Expr, env: &Env) -> bool {
        match &e.kind {
            ExprKind::Name(name) => self.lookup(name, env).is_none() && name != "none",
            ExprKind::Member { of, .. } => self.unquoted_path(of, env),
            ExprKind::Binary { op: crate::ast::BinaryOp::Div, left, .. } => self.unquoted_path(left, env),
            _ => false,
        }
    }
}
