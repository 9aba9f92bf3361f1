//! Expressions to terms.

use std::rc::Rc;

use super::Checker;
use super::logs::Watched;
use super::scope::{Binding, Env, Known, Term};
use crate::ast::{BinaryOp, Expr, ExprKind, Name};
use crate::constant::{Constant, Unit};
use crate::report::{Report, kinds, names};
use crate::source::Span;
use crate::typed::ValueSource;
use crate::types::{Kind, Type};

impl Checker<'_> {
    /// What an expression stands for. What is wrong with it has been reported when this returns.
    pub fn expr(&mut self, e: &Expr, env: &Env) -> Term {
        match &e.kind {
            ExprKind::Number { value, .. } if !value.is_finite() => {
                self.logs.reports.push(crate::report::syntax::not_finite(e.span));
                Term::Poison
            }
            ExprKind::Number { value, unit: None } => known(Constant::Number(*value), Kind::Scalar),
            // `2x` where something is called `x` is a product that was written as elsewhere.
            ExprKind::Number { unit: Some(Unit::Times), .. } if self.lookup("x", env).is_some() => {
                let digits = self.sources.text(e.span).trim_end_matches('x').to_string();
                self.logs.reports.push(crate::report::syntax::unknown_unit(e.span, &digits, "x"));
                Term::Poison
            }
            ExprKind::Number { value, unit: Some(unit) } => known(Constant::Quantity(*value, *unit), unit_kind(*unit)),
            ExprKind::Text(text) => known(Constant::Text(text.clone()), Kind::Text),
            ExprKind::Flag(flag) => known(Constant::Flag(*flag), Kind::Flag),
            ExprKind::Name(name) => self.name(name, e.span, env),
            ExprKind::List(items) => self.list(items, env),
            ExprKind::Range(low, high) => self.range(low, high, e.span, env),
            ExprKind::Member { of, name } => self.member(of, name, &env.under("of")),
            ExprKind::Negate(of) => self.negate(of, e.span, &env.under("negated")),
            ExprKind::Binary { op, op_span, left, right } => {
                let a = self.wanting(Some(Kind::Values), |c| c.expr(left, &env.under("left")));
                let b = self.wanting(Some(Kind::Values), |c| c.expr(right, &env.under("right")));
                self.binary(*op, *op_span, (a, left.span), (b, right.span), e.span, env)
            }
            ExprKind::If { condition, then, otherwise } => self.conditional(condition, then, otherwise, env),
            ExprKind::Call { callee, args } => {
                let place = chain_length(args.iter().find(|a| a.name.is_none()).map(|a| &a.value));
                self.call_expr(callee, None, args, e.span, place, env)
            }
            ExprKind::Pipe { first, stages } => {
                let base = chain_length(Some(first));
                let mut term = self.expr(first, env);
                let mut so_far = first.span;
                for (i, stage) in stages.iter().enumerate() {
                    let subject = Some((term, so_far));
                    so_far = so_far.to(stage.span);
                    term = match &stage.kind {
                        ExprKind::Call { callee, args } => {
                            self.call_expr(callee, subject, args, stage.span, base + i, env)
                        }
                        _ => self.call_expr(stage, subject, &[], stage.span, base + i, env),
                    };
                }
                term
            }
        }
    }

    /// What is done while a kind is wanted of expressions.
    pub fn wanting<T>(&mut self, kind: Option<Kind>, run: impl FnOnce(&mut Self) -> T) -> T {
        let outer = std::mem::replace(&mut self.wanted, kind);
        let done = run(self);
        self.wanted = outer;
        done
    }

    /// The meaning of a name: a variable, or an operation that stands for its recipe with defaults.
    pub fn name(&mut self, name: &str, span: Span, env: &Env) -> Term {
        if let Some(binding) = self.lookup(name, env) {
            return binding.term;
        }
        if name == "none" {
            return known(Constant::None, Kind::Word);
        }
        if self.vocabulary.operation(name).is_some_and(|op| op.params.iter().all(|p| p.default.is_some())) {
            let name = Name { text: name.into(), span };
            return self.call(&name, None, &[], span, 0, env);
        }
        if env.subst.dims.contains_key(name) || env.top && self.dims.contains_key(name) {
            // A count of places is a product of sizes, and one mistake.
            let beside = |place: Span| {
                let between = Span { start: place.end, end: span.start, ..span };
                let near = place.end <= span.start && span.start - place.end < 200;
                place.file == span.file && near && !self.sources.text(between).contains('\n')
            };
            let mut reported =
                self.logs.reports.iter().rev().take(8).filter(|r| r.code == "R0202").filter_map(Report::place);
            if !reported.any(beside) {
                let instead = self.size_of(name, env);
                self.logs.reports.push(names::size_as_value(span, name, instead.as_deref()));
            }
            return Term::Poison;
        }
        // One missing name is one report, however often it is used.
        if self.logs.missing.insert(name.to_string()) {
            let report = self.unknown_name(name, span, env);
            self.logs.reports.push(report);
        }
        Term::Poison
    }

    /// What says a size as a number: `size(x, row)` of a tensor in scope that has it.
    fn size_of(&self, name: &str, env: &Env) -> Option<String> {
        let wanted = match env.subst.dims.get(name) {
            Some((dim, _)) => dim,
            None => self.dims.get(name)?,
        };
        let home = env.home.and_then(|h| self.files.get(h)).filter(|_| env.top);
        let locals = env.locals.iter().map(|(n, b)| (n.as_str(), &b.term));
        let globals = home.into_iter().flat_map(|f| f.names.iter()).map(|(n, b)| (n.as_str(), &b.term));
        let found = locals.chain(globals).filter_map(|(n, term)| {
            let ty = self.type_of(term).filter(|t| t.kind.is(Kind::Values))?;
            let axis = ty.shape().find(|(_, d)| *d == wanted).map(|(axis, _)| axis.to_string())?;
            Some(format!("size({n}, {axis})"))
        });
        found.min()
    }

    /// A variable, from the innermost names outward.
    pub fn lookup(&self, name: &str, env: &Env) -> Option<Binding> {
        if let Some((_, binding)) = env.locals.iter().rev().find(|(n, _)| n == name) {
            return Some(binding.clone());
        }
        let binding = env.home.and_then(|home| self.files.get(home)?.names.get(name))?;
        // Inside a function only what is known before the run is visible; tensors come in as arguments.
        let visible = env.top || matches!(binding.term, Term::Known(_) | Term::Poison);
        visible.then(|| binding.clone())
    }

    fn unknown_name(&self, name: &str, span: Span, env: &Env) -> crate::report::Report {
        let home = env.home.and_then(|h| self.files.get(h));
        if let Some(binding) = home.and_then(|f| f.names.get(name)) {
            return names::outside_tensor(span, name, binding.span);
        }
        if let Some(later) = home.and_then(|f| f.later.get(name)) {
            return names::defined_later(span, name, *later);
        }
        if let Some((place, what)) = home.and_then(|f| f.left.get(name)) {
            return crate::report::params::left_behind(span, name, *place, what);
        }
        let operation = self.callable_usage(name, env);
        if let Some(usage) = operation {
            return names::operation_as_value(span, name, &usage);
        }
        if self.logs.reports.len() > super::MOST_HELPED {
            return names::not_in_scope(span, name, None, None);
        }
        let locals = env.locals.iter().map(|(n, b)| (n.as_str(), b));
        let globals = home.into_iter().flat_map(|f| f.names.iter()).map(|(n, b)| (n.as_str(), b));
        let all: Vec<(&str, &Binding)> = locals.chain(globals).collect();
        // Names of the kind that is wanted come first, however near others are.
        let tensors = self.wanted.is_some_and(Kind::is_tensor);
        let fits = |b: &Binding| match (self.wanted, self.type_of(&b.term)) {
            (Some(wanted), Some(ty)) => {
                ty.kind.is(wanted) || tensors && ty.kind.is(Kind::Scalar) && wanted == Kind::Values
            }
            _ => true,
        };
        let near = crate::report::closest(name, all.iter().filter(|(_, b)| fits(b)).map(|(n, _)| *n))
            .or_else(|| crate::report::closest(name, all.iter().map(|(n, _)| *n)));
        let near = near.and_then(|n| all.iter().find(|(m, _)| *m == n)).map(|(n, b)| ((*n).to_string(), b.span));
        // A recipe is a value of its own; what computes values is not one without its arguments.
        let recipe = |n: &&str| !tensors && !self.vocabulary.gives_tensors(n);
        let word = crate::report::elsewhere::here(name)
            .or_else(|| crate::report::closest(name, self.vocabulary.names().filter(recipe)));
        names::not_in_scope(span, name, near, word)
    }

    fn list(&mut self, items: &[Expr], env: &Env) -> Term {
        let mut values = Vec::new();
        let mut kind = None;
        for item in items {
            match self.expr(item, env) {
                Term::Known(k) => {
                    let joined = kind.map_or(Some(k.kind), |kind: Kind| kind.join(k.kind));
                    if joined.is_none() {
                        let first = kind.unwrap_or(k.kind);
                        self.logs.reports.push(kinds::mixed_list(item.span, first, k.kind));
                        return Term::Poison;
                    }
                    kind = joined;
                    values.push(k.value);
                }
                Term::Poison => return Term::Poison,
                Term::Tensor(_) | Term::Record(_) => {
                    self.logs.reports.push(kinds::tensor_in_list(item.span));
                    return Term::Poison;
                }
            }
        }
        let value = values.into_iter().collect::<Option<Vec<_>>>().map(Constant::List);
        Term::Known(Known { value, kind: kind.unwrap_or(Kind::List), size: None, tensors: vec![] })
    }

    fn range(&mut self, low: &Expr, high: &Expr, span: Span, env: &Env) -> Term {
        let mut ends = Vec::new();
        for end in [low, high] {
            match self.expr(end, env) {
                Term::Known(Known { value, kind, .. }) => match value {
                    None => return Term::Known(Known { value: None, kind: Kind::Range, size: None, tensors: vec![] }),
                    Some(c @ (Constant::Number(_) | Constant::Quantity(..) | Constant::Timed(_))) => ends.push(c),
                    Some(_) => {
                        self.logs.reports.push(kinds::range_of(end.span, kind));
                        return Term::Poison;
                    }
                },
                Term::Poison => return Term::Poison,
                _ => {
                    self.logs.reports.push(kinds::range_of(end.span, Kind::Values));
                    return Term::Poison;
                }
            }
        }
        let (Some(b), Some(a)) = (ends.pop(), ends.pop()) else { return Term::Poison };
        if a.unit() != b.unit() {
            self.logs.reports.push(kinds::range_units(span, &a.to_string(), &b.to_string()));
            return Term::Poison;
        }
        self.range_between(a, b, span)
    }

    /// A range of two ends of one unit, which may not be empty at any time.
    pub(super) fn range_between(&mut self, a: Constant, b: Constant, span: Span) -> Term {
        let range = Constant::Range(Box::new(a), Box::new(b));
        let empty = range.on_the_way().into_iter().find(|c| c.range().is_some_and(|(low, high)| low > high));
        if let Some(Constant::Range(a, b)) = empty {
            let changes = !range.courses().is_empty();
            self.logs.reports.push(crate::report::numbers::empty_range(span, &a.to_string(), &b.to_string(), changes));
            return Term::Poison;
        }
        known(range, Kind::Range)
    }

    fn member(&mut self, of: &Expr, name: &Name, env: &Env) -> Term {
        if let ExprKind::Name(split) = &of.kind
            && matches!(split.as_str(), "val" | "train")
            && self.lookup(split, env).is_none()
        {
            self.logs.watched.push(Watched {
                name: name.clone(),
                split: split.clone(),
                whole: of.span.to(name.span),
                untaken: self.untaken,
            });
            return known(Constant::Word(format!("{split}.{}", name.text)), Kind::Watch);
        }
        match self.expr(of, env) {
            Term::Record(record) => match record.fields.iter().find(|(n, _)| *n == name.text) {
                Some((_, term)) => term.clone(),
                None if record.open => Term::Poison,
                None => {
                    let known: Vec<&str> = record.fields.iter().map(|(n, _)| n.as_str()).collect();
                    self.logs.reports.push(names::no_such_field(name.span, &name.text, &record.of, &known));
                    Term::Poison
                }
            },
            // A recipe's settings can be read: `negatives.gradient`.
            Term::Known(Known { value: Some(Constant::Recipe(recipe)), .. }) => {
                match recipe.settings.0.iter().find(|(n, _)| *n == name.text) {
                    Some((_, value)) => {
                        let kind = constant_kind(value);
                        known(value.clone(), kind)
                    }
                    None => {
                        let known: Vec<&str> = recipe.settings.0.iter().map(|(n, _)| n.as_str()).collect();
                        self.logs.reports.push(names::no_such_field(name.span, &name.text, &recipe.op, &known));
                        Term::Poison
                    }
                }
            }
            // What is checked on its own has recipes without settings.
            Term::Known(k @ Known { value: None, .. }) => {
                let kind = self.vocabulary.setting_kind(k.kind, &name.text).unwrap_or(Kind::Scalar);
                Term::Known(Known { kind, size: None, ..k })
            }
            Term::Poison => Term::Poison,
            other => {
                let found = self.shown(&other);
                self.logs.reports.push(kinds::no_fields(name.span, of.span, &found));
                Term::Poison
            }
        }
    }

    fn negate(&mut self, of: &Expr, span: Span, env: &Env) -> Term {
        match self.expr(of, env) {
            Term::Known(Known { value: Some(Constant::Number(x)), .. }) => known(Constant::Number(-x), Kind::Scalar),
            Term::Known(Known { value: Some(Constant::Quantity(x, unit)), kind, .. }) => {
                known(Constant::Quantity(-x, unit), kind)
            }
            Term::Known(Known { value: Some(Constant::Timed(timed)), .. }) => {
                let minus = Constant::Number(-1.0);
                self.of_timed(BinaryOp::Mul, span, (&minus, &Constant::Timed(timed)), (span, of.span), span)
            }
            Term::Known(k @ Known { value: None, .. }) => Term::Known(k),
            Term::Poison => Term::Poison,
            term => {
                let minus = Span { end: span.start + 1, ..span };
                let zero = known(Constant::Number(0.0), Kind::Scalar);
                self.binary(BinaryOp::Sub, minus, (zero, minus), (term, of.span), span, env)
            }
        }
    }

    /// The condition is known before the run, so one branch is taken. The other is checked for its type alone: nothing
    /// that it would make stays. Where nobody has set the condition yet, the first branch stands for both.
    fn conditional(&mut self, condition: &Expr, then: &Expr, otherwise: &Expr, env: &Env) -> Term {
        let decided = match self.expr(condition, env) {
            Term::Known(Known { value: Some(Constant::Flag(flag)), .. }) => Some(flag),
            // Numbers of what is checked on its own are unknown, and so is how they compare.
            Term::Known(Known { value: None, kind: Kind::Flag, .. }) | Term::Poison => None,
            other => {
                let found = self.shown(&other);
                self.logs.reports.push(kinds::condition(condition.span, &found, matches!(other, Term::Tensor(_))));
                return Term::Poison;
            }
        };
        // In the order of the text, whichever is taken: draws are numbered by their place.
        let (taken, x, y);
        if decided == Some(false) {
            x = self.type_alone(then, env);
            taken = self.expr(otherwise, env);
            y = self.type_of(&taken);
        } else {
            taken = self.expr(then, env);
            x = self.type_of(&taken);
            y = self.type_alone(otherwise, env);
        }
        let (Some(x), Some(y)) = (x, y) else { return taken };
        let Some(kind) = x.kind.join(y.kind).filter(|_| x.frame == y.frame) else {
            self.logs.reports.push(kinds::branches(then.span, &x, otherwise.span, &y));
            return Term::Poison;
        };
        match &taken {
            Term::Tensor(id) if decided.is_none() && self.generic && x != y => {
                // On its own it is known to be what both branches are.
                let open = x.dims.len() != y.dims.len();
                let mut ty = Type { kind, unit: x.unit && y.unit, ..x };
                for (dim, other) in ty.dims.iter_mut().zip(&y.dims) {
                    if open || dim != other {
                        *dim = self.unknown_dim("?");
                    }
                }
                let place = self.value(*id).map_or(then.span, |v| v.span);
                Term::Tensor(self.push(ValueSource::Alias(*id), ty, place))
            }
            _ => taken,
        }
    }

    /// The type of a branch that is not taken. It makes no weights, and nothing that it makes stays.
    fn type_alone(&mut self, branch: &Expr, env: &Env) -> Option<Type> {
        let mark = self.logs.mark();
        let (outer, too_far) = (std::mem::replace(&mut self.untaken, true), self.too_far);
        let term = self.expr(branch, env);
        self.untaken = outer;
        let ty = self.type_of(&term);
        self.logs.rollback(&mark);
        if env.depth > 0 {
            // A body was checked where it is defined. What would be wrong with these arguments in a branch that they do
            // not take is not wrong: `if depth > 0 then … max_pool(2) …` ends there.
            self.logs.unsay(&mark);
            self.too_far = too_far;
        }
        ty
    }

    /// Binds names in order, innermost last.
    pub fn with_local(mut env: Env, name: &str, term: Term, span: Span) -> Env {
        Rc::make_mut(&mut env.locals).push((name.to_string(), Binding { term, span }));
        env
    }
}

/// A known value.
pub fn known(value: Constant, kind: Kind) -> Term {
    Term::Known(Known::new(value, kind))
}

/// The kind of a number with a unit.
pub fn unit_kind(unit: Unit) -> Kind {
    match unit {
        Unit::Px => Kind::Pixels,
        Unit::Deg => Kind::Degrees,
        Unit::Epochs => Kind::Epochs,
        Unit::Steps => Kind::Steps,
        Unit::Minutes => Kind::Minutes,
        Unit::Times => Kind::Factor,
    }
}

/// The kind a constant has by itself.
pub fn constant_kind(constant: &Constant) -> Kind {
    match constant {
        Constant::Number(_) => Kind::Scalar,
        Constant::Quantity(_, unit) => unit_kind(*unit),
        Constant::Flag(_) => Kind::Flag,
        Constant::Text(_) => Kind::Text,
        Constant::Word(_) | Constant::None => Kind::Word,
        Constant::Range(..) => Kind::Range,
        Constant::List(_) | Constant::Recipe(_) => Kind::List,
        Constant::Timed(timed) => timed.unit().map_or(Kind::Timed, unit_kind),
    }
}

/// How many stages a chain has that ends in this expression: `x |> f |> g`, which is `g(f(x))`, has two.
fn chain_length(e: Option<&Expr>) -> usize {
    match e.map(|e| &e.kind) {
        Some(ExprKind::Call { args, .. }) => 1 + chain_length(args.iter().find(|a| a.name.is_none()).map(|a| &a.value)),
        Some(ExprKind::Pipe { first, stages }) => chain_length(Some(first)) + stages.len(),
        // Room for the longer branch, so that no later stage depends on which is taken.
        Some(ExprKind::If { then, otherwise, .. }) => chain_length(Some(then)).max(chain_length(Some(otherwise))),
        _ => 0,
    }
}
