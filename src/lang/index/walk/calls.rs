//! Calls: who is called, what its arguments are called, and which of them are words.

use super::{Callee, Scope, Walk};
use crate::ast::{Arg, Expr, ExprKind, FnParam, Name};
use crate::index::{How, SymbolKind, Target};

impl Walk<'_> {
    pub(super) fn call(&mut self, callee: &Expr, args: &[Arg], piped: usize, scope: &mut Scope) {
        let found = match &callee.kind {
            ExprKind::Name(name) => self.callee(name, callee.span),
            _ => {
                self.expr(callee, scope);
                None
            }
        };
        match &found {
            Some(Callee::Symbol(id)) => self.see(callee.span, Target::Symbol(*id), How::Plain),
            Some(Callee::Operation(name)) => self.see(callee.span, Target::Operation(name.clone()), How::Plain),
            None => {
                if let ExprKind::Name(name) = &callee.kind
                    && let Some(id) = Self::local(name, scope)
                {
                    self.see(callee.span, Target::Symbol(id), How::Plain);
                }
            }
        }
        for (i, arg) in args.iter().enumerate() {
            if let (Some(name), Some(callee)) = (&arg.name, &found)
                && let Some(to) = self.argument(callee, &name.text)
            {
                self.see(name.span, to, How::Plain);
            }
            let (name, at) = (arg.name.as_ref(), i + piped);
            let local = |word: &String| scope.locals.iter().any(|(name, _)| name == word);
            match &arg.value.kind {
                ExprKind::Name(word) if self.is_word(&found, name, at, word) && !local(word) => {
                    self.see(arg.value.span, Target::Word(word.clone()), How::Plain);
                }
                // Axes.
                ExprKind::List(of) if self.is_word(&found, name, at, "channel") => {
                    of.iter()
                        .for_each(|axis| self.see(axis.span, Target::Word(crate::tree::expression(axis)), How::Plain));
                }
                _ => self.expr(&arg.value, scope),
            }
        }
    }

    /// A parameter of who is called.
    fn argument(&self, callee: &Callee, name: &str) -> Option<Target> {
        match callee {
            Callee::Operation(of) => Some(Target::OperationArgument { of: of.clone(), name: name.to_string() }),
            Callee::Symbol(id) if self.index.symbol(*id)?.kind == SymbolKind::Import => {
                Some(Target::Outside { import: *id, name: name.to_string() })
            }
            Callee::Symbol(id) => self.part(*id, name, |k| k == SymbolKind::Argument),
        }
    }

    /// True where an argument is one of the words that its parameter takes.
    fn is_word(&self, callee: &Option<Callee>, name: Option<&Name>, place: usize, word: &str) -> bool {
        let Some(Callee::Operation(of)) = callee else { return false };
        let (params, words): (&[FnParam], &[(&str, &[&str])]) = match self.vocabulary.operation(of) {
            Some(op) => (&op.params, op.entry.words),
            None => (self.vocabulary.function(of).map_or(&[], |f| &f.function.params), &[]),
        };
        let param = match name {
            Some(name) => params.iter().find(|p| p.name.text == name.text),
            None => params.get(place),
        };
        let Some(param) = param else { return false };
        let listed = words.iter().any(|(p, w)| *p == param.name.text && w.contains(&word));
        let axes = param.ty.kind.text == "Axes";
        listed || axes || (param.ty.kind.text == "Reduce" && matches!(word, "mean" | "sum" | "none"))
    }
}
