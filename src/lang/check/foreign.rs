//! Calls of other libraries: one report, with the call as it is written here.

use super::Checker;
use super::scope::{Env, Term};
use crate::ast::{Arg, Expr, ExprKind};
use crate::report::names::{self, Missing};
use crate::report::translate::{self, Callable, Foreign, Given, Ours};
use crate::source::Span;
use crate::types::Type;
use crate::vocabulary::Vocabulary;

impl Callable for Vocabulary {
    fn exists(&self, name: &str) -> bool {
        self.callable(name)
    }

    fn takes(&self, name: &str, param: &str) -> bool {
        Vocabulary::takes(self, name, param)
    }
}

/// A call of something that is not here.
pub struct Call<'a> {
    /// Who is called.
    pub callee: &'a Expr,
    /// The value that it is applied to, in a chain or as a method.
    pub subject: Option<(Option<Type>, Span)>,
    /// Its arguments.
    pub args: &'a [Arg],
    /// All of it; of a chain, the stage.
    pub span: Span,
}

impl Checker<'_> {
    /// Reports a call of another library with what is written here, if that is known. True where it was.
    pub(super) fn translated(&mut self, call: &Call<'_>, env: &Env) -> bool {
        // `nn.MSELoss()(a, b)` is made first and called then.
        let (callee, made_with) = match &call.callee.kind {
            ExprKind::Call { callee, args } => (callee.as_ref(), Some(args.as_slice())),
            _ => (call.callee, None),
        };
        let (name, method) = match &callee.kind {
            ExprKind::Name(name) => (name.clone(), None),
            ExprKind::Member { of, .. } if self.is_module(of, env) => {
                (self.sources.text(callee.span).to_string(), None)
            }
            ExprKind::Member { of, name } => (name.text.clone(), Some(of.as_ref())),
            _ => return false,
        };
        if !translate::known(&name) {
            return false;
        }
        // What is called as it is here, and takes what it is given, is read as what it is here.
        let own = name.rsplit('.').next().unwrap_or(&name);
        let strange = call.args.iter().filter_map(|a| a.name.as_ref()).find(|n| !self.vocabulary.takes(own, &n.text));
        let exists = self.vocabulary.callable(own) && made_with.is_none();
        let given = call.args.len() + usize::from(call.subject.is_some() || method.is_some());
        let fits = self.vocabulary.takes_so_many(own, given);
        if exists && strange.is_none() && (fits || name == own && method.is_none()) {
            return false;
        }
        let strange = strange.filter(|_| exists).map(|n| (n.text.clone(), n.span));
        let subject = match (call.subject.clone(), method) {
            (None, Some(of)) => Some((self.type_on_trial(of, env), of.span)),
            (subject, _) => subject,
        };
        let plain = || call.args.iter().filter(|a| a.name.is_none());
        let types: Vec<Option<Type>> = match &subject {
            Some((ty, _)) => {
                let second = plain().next().and_then(|a| self.type_on_trial(&a.value, env));
                vec![ty.clone(), second]
            }
            None => plain().take(2).map(|a| self.type_on_trial(&a.value, env)).collect(),
        };
        let ty = |at: usize| types.get(at).and_then(Option::as_ref);
        let given = |args: &[Arg]| -> Vec<(Option<String>, String)> {
            args.iter()
                .map(|a| (a.name.as_ref().map(|n| n.text.clone()), self.sources.text(a.value.span).to_string()))
                .collect()
        };
        let (args, made) = (given(call.args), made_with.map(given));
        let text = subject.as_ref().map(|(_, span)| self.sources.text(*span).to_string());
        let objective = self.out.objective.as_ref().map_or("total", |o| o.name.as_str()).to_string();
        let foreign = Foreign {
            name: &name,
            subject: text.as_deref(),
            made_with: made.as_ref().map(|m| m.iter().map(|(n, t)| Given { name: n.as_deref(), text: t }).collect()),
            args: args.iter().map(|(n, t)| Given { name: n.as_deref(), text: t }).collect(),
            kind: ty(0).map(|t| t.kind),
            second: ty(1).map(|t| t.kind),
            axes: ty(0).map_or_else(Vec::new, |t| t.axes.iter().map(|a| a.name().to_string()).collect()),
            objective: &objective,
        };
        let Some(Ours { call: written, stage, op, note }) = translate::ours(&foreign, self.vocabulary) else {
            return false;
        };
        // An expression's place leaves out the brackets around it, so `(a - b).clamp(0)` is not replaced.
        let bracketed = method.is_some_and(|of| {
            let between = Span { start: of.span.end, end: callee.span.end, ..callee.span };
            self.sources.text(between).contains(')')
        });
        let whole = match &subject {
            Some((_, place)) if !stage && method.is_none() => place.to(call.span),
            _ => call.span,
        };
        // A method's value stands before it, so the call is written whole.
        let written = match (stage, method) {
            (true, Some(_)) => written.zip(text).map(|(written, text)| format!("{text} |> {written}")),
            _ => written,
        };
        let edit = written.clone().filter(|_| !bracketed).map(|text| (whole, text));
        let usage = op.filter(|_| written.is_none()).and_then(|op| self.vocabulary.usage(op));
        let elsewhere = method.is_some() || name.contains('.');
        if strange.is_some() && written.is_none() && !elsewhere {
            return false;
        }
        let missing = match &strange {
            Some((argument, place)) => Missing::Argument(own, argument, *place),
            None if elsewhere || made_with.is_some() => Missing::Module(&name),
            None => Missing::Operation(&name),
        };
        self.logs.reports.push(names::translated(
            callee.span,
            &missing,
            written.as_deref(),
            usage.as_deref(),
            note,
            edit,
        ));
        true
    }

    /// The type of an expression. Nothing that it makes or reports stays.
    fn type_on_trial(&mut self, e: &Expr, env: &Env) -> Option<Type> {
        let mark = self.logs.mark();
        let (untaken, too_far) = (std::mem::replace(&mut self.untaken, true), self.too_far);
        let term = self.expr(e, env);
        let ty = match &term {
            Term::Tensor(_) => self.type_of(&term),
            _ => None,
        };
        self.logs.rollback(&mark);
        self.logs.unsay(&mark);
        self.logs.unwatch(&mark);
        (self.untaken, self.too_far) = (untaken, too_far);
        ty
    }
}
