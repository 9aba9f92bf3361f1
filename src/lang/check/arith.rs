//! Operators between values: which kinds they keep, and that both sides live in one frame and have one shape.

use super::Checker;
use super::call::CallSite;
use super::expr::known;
use super::scope::{Env, Known, Term};
use crate::ast::BinaryOp;
use crate::axis::Axis;
use crate::constant::{Constant, Settings};
use crate::dim::Dim;
use crate::meet::meet;
use crate::report::{frames, kinds, numbers};
use crate::source::Span;
use crate::typed::{Apply, ValueId, ValueSource};
use crate::types::{Kind, Type};

/// One side of an operator.
pub(super) type Side = (Term, Span);

impl Checker<'_> {
    /// `a op b`.
    pub fn binary(&mut self, op: BinaryOp, op_span: Span, a: Side, b: Side, span: Span, env: &Env) -> Term {
        match (&a.0, &b.0) {
            (Term::Poison, _) | (_, Term::Poison) => Term::Poison,
            (Term::Known(x), Term::Known(y)) => self.constants(op, op_span, x, y, (a.1, b.1), span),
            (Term::Record(_), _) | (_, Term::Record(_)) => {
                for side in [&a, &b] {
                    if let Term::Record(record) = &side.0 {
                        self.record_given(record, side.1, op.symbol(), |ty| ty.kind.is(Kind::Map));
                    }
                }
                Term::Poison
            }
            _ => self.tensors(op, op_span, &a, &b, span, env),
        }
    }

    pub(super) fn constants(
        &mut self,
        op: BinaryOp,
        op_span: Span,
        x: &Known,
        y: &Known,
        at: (Span, Span),
        span: Span,
    ) -> Term {
        if let Some(range) = self.scaled_range(op, op_span, (x, y), at, span) {
            return range;
        }
        let numeric = |k: &Known| {
            k.kind.is(Kind::Scalar) || matches!(k.kind, Kind::Pixels | Kind::Degrees) || k.kind.is(Kind::Interval)
        };
        let equal_anything = op == BinaryOp::Equal && x.kind.join(y.kind).is_some();
        for (k, place) in [(x, at.0), (y, at.1)] {
            if !numeric(k) && !equal_anything {
                let found = self.shown(&Term::Known(k.clone()));
                self.logs.reports.push(kinds::no_arithmetic(op_span, op.symbol(), place, &found));
                return Term::Poison;
            }
        }
        let whole = x.kind == Kind::Count && y.kind == Kind::Count && matches!(op, BinaryOp::Add | BinaryOp::Mul);
        let (Some(a), Some(b)) = (&x.value, &y.value) else {
            let count = |k: &Known| k.value.as_ref().and_then(Constant::count).and_then(|n| i64::try_from(n).ok());
            let size = |k: &Known| k.size.clone().or(count(k).map(Dim::number));
            let size = match (op, size(x), size(y)) {
                (BinaryOp::Add, Some(a), Some(b)) => a.add(&b),
                (BinaryOp::Sub, Some(a), Some(b)) => a.sub(&b),
                (BinaryOp::Mul, Some(a), Some(b)) => a.mul(&b),
                _ => None,
            };
            let kind = match op.compares() {
                true => Kind::Flag,
                false if whole || x.kind == Kind::Count || y.kind == Kind::Count => Kind::Count,
                false => x.kind,
            };
            return Term::Known(Known { value: None, kind, size, tensors: vec![] });
        };
        if matches!(a, Constant::Timed(_)) || matches!(b, Constant::Timed(_)) {
            return self.of_timed(op, op_span, (a, b), at, span);
        }
        if equal_anything && !(numeric(x) && numeric(y)) {
            return known(Constant::Flag(a == b), Kind::Flag);
        }
        let unit = |c: &Constant| if let Constant::Quantity(_, u) = c { Some(*u) } else { None };
        let (u, v) = (unit(a), unit(b));
        let (Some(p), Some(q)) = (a.number(), b.number()) else { return Term::Poison };
        let fits = match op {
            BinaryOp::Mul => u.is_none() || v.is_none(),
            BinaryOp::Div => v.is_none() || u == v,
            _ => u == v,
        };
        if !fits {
            self.logs.reports.push(kinds::units(op_span, op.symbol(), &a.to_string(), &b.to_string()));
            return Term::Poison;
        }
        let number = match op {
            BinaryOp::Add => p + q,
            BinaryOp::Sub => p - q,
            BinaryOp::Mul => p * q,
            BinaryOp::Div => {
                if q == 0.0 {
                    self.logs.reports.push(numbers::division_by_zero(span));
                    return Term::Poison;
                }
                p / q
            }
            BinaryOp::Less => return known(Constant::Flag(p < q), Kind::Flag),
            BinaryOp::Greater => return known(Constant::Flag(p > q), Kind::Flag),
            BinaryOp::LessEqual => return known(Constant::Flag(p <= q), Kind::Flag),
            BinaryOp::GreaterEqual => return known(Constant::Flag(p >= q), Kind::Flag),
            BinaryOp::Equal => return known(Constant::Flag(p == q), Kind::Flag),
        };
        if !number.is_finite() {
            self.logs.reports.push(crate::report::syntax::not_finite(span));
            return Term::Poison;
        }
        let kept = if op == BinaryOp::Div && u == v { None } else { u.or(v) };
        match kept {
            Some(unit) => known(Constant::Quantity(number, unit), super::expr::unit_kind(unit)),
            None if whole => known(Constant::Number(number), Kind::Count),
            None => known(Constant::Number(number), Kind::Scalar),
        }
    }

    fn tensors(&mut self, op: BinaryOp, op_span: Span, a: &Side, b: &Side, span: Span, env: &Env) -> Term {
        let (Some(x), Some(y)) = (self.operand(a, op, op_span), self.operand(b, op, op_span)) else {
            return Term::Poison;
        };
        let (xt, yt) = (x.1, y.1);
        if xt.kind == Kind::Homography && yt.kind == Kind::Homography && op == BinaryOp::Mul {
            return self.compose((x.0, &xt, a.1), (y.0, &yt, b.1), op_span, span, env);
        }
        if xt.kind.is_placed() || yt.kind.is_placed() {
            return self.places((op, op_span), (x.0, &xt, a), (y.0, &yt, b), span, env);
        }
        for (ty, place) in [(&xt, a.1), (&yt, b.1)] {
            if ty.kind == Kind::Homography {
                self.logs.reports.push(kinds::no_arithmetic(op_span, op.symbol(), place, &ty.to_string()));
                return Term::Poison;
            }
        }
        let Some(shape) = self.common_shape(op, (&xt, a), (&yt, b), env) else { return Term::Poison };
        let constant = |t: &Term| match t {
            Term::Known(Known { value: Some(c), .. }) => c.number(),
            _ => None,
        };
        let kind = result_kind(op, &xt, &yt, &shape.axes, constant(&a.0), constant(&b.0));
        let ty = Type { kind, unit: false, ..shape };
        let place = env.entered_by.unwrap_or(span);
        let inputs = vec![("a", self.aligned(x.0, &ty.axes, place)), ("b", self.aligned(y.0, &ty.axes, place))];
        let apply = Apply { op: op.operation(), inputs, weights: vec![], settings: Settings::default(), stream: 0 };
        Term::Tensor(self.push(ValueSource::Apply(apply), ty.natural(), place))
    }

    /// A side as a tensor; a number becomes one.
    fn operand(&mut self, side: &Side, op: BinaryOp, op_span: Span) -> Option<(ValueId, Type)> {
        match &side.0 {
            Term::Tensor(id) => Some((*id, self.value_type(*id)?)),
            Term::Known(k) if k.kind.is(Kind::Scalar) => Some((self.number(k, side.1), Type::plain(Kind::Scalar))),
            Term::Known(Known { kind: Kind::Pixels, value: Some(length), .. }) => {
                self.logs.reports.push(kinds::length_in_a_formula(op_span, op.symbol(), side.1, length));
                None
            }
            other => {
                let found = self.shown(other);
                self.logs.reports.push(kinds::no_arithmetic(op_span, op.symbol(), side.1, &found));
                None
            }
        }
    }

    /// A number that is known before the run, or before a step, as a value.
    pub(super) fn number(&mut self, k: &Known, span: Span) -> ValueId {
        let source = match &k.value {
            Some(Constant::Timed(timed)) => ValueSource::Timed((**timed).clone()),
            value => value.as_ref().and_then(Constant::number).map_or(ValueSource::Parameter, ValueSource::Number),
        };
        self.push(source, Type::plain(Kind::Scalar), span)
    }

    /// Numbers where an operation takes them for tensors.
    pub(super) fn as_numbers(&mut self, site: &mut CallSite<'_>, taken: &[&str]) {
        for bound in &mut site.bound {
            let name = site.params.get(bound.param).map_or("", |p| p.name.text.as_str());
            if let Term::Known(k) = &bound.term
                && k.kind.is(Kind::Scalar)
                && taken.contains(&name)
            {
                bound.term = Term::Tensor(self.number(&k.clone(), bound.span));
            }
        }
    }

    /// Shape and frame of both sides together: the axes of both by name. A single number goes everywhere.
    fn common_shape(&mut self, op: BinaryOp, a: (&Type, &Side), b: (&Type, &Side), env: &Env) -> Option<Type> {
        let ((xt, a), (yt, b)) = (a, b);
        if xt.dims.is_empty() {
            return Some(yt.clone());
        }
        if yt.dims.is_empty() {
            return Some(xt.clone());
        }
        if let (Some(f), Some(g)) = (&xt.frame, &yt.frame)
            && f != g
        {
            if xt.kind == Kind::Field || yt.kind == Kind::Field {
                self.logs.reports.push(frames::fields_of_two_views(op.symbol(), a.1, f, b.1, g));
                return None;
            }
            let (from_a, from_b) = (self.image_of(&a.0), self.image_of(&b.0));
            let left = self.sources.text(a.1).to_string();
            let right = self.sources.text(b.1).to_string();
            let help = self.move_from(g, Some(f), env).map(|by| format!("{left} {} warp({right}, {by})", op.symbol()));
            self.logs.reports.push(frames::differ(op.symbol(), b.1, g, from_b, f, Some((a.1, from_a)), help));
            return None;
        }
        match meet(op.symbol(), (xt, a.1, self.sources.text(a.1)), (yt, b.1, self.sources.text(b.1))) {
            Ok(ty) => Some(ty),
            Err(report) => {
                self.logs.reports.push(*report);
                None
            }
        }
    }

    /// `A * B` of homographies: first B, then A.
    fn compose(
        &mut self,
        a: (ValueId, &Type, Span),
        b: (ValueId, &Type, Span),
        op_span: Span,
        span: Span,
        env: &Env,
    ) -> Term {
        if a.1.frame != b.1.to {
            let (left, right) = (self.sources.text(a.2).to_string(), self.sources.text(b.2).to_string());
            self.logs.reports.push(frames::do_not_chain(op_span, a.2, a.1, b.2, b.1, &left, &right));
            return Term::Poison;
        }
        let ty = Type { frame: b.1.frame.clone(), to: a.1.to.clone(), ..a.1.clone() };
        let apply = Apply {
            op: "compose",
            inputs: vec![("a", a.0), ("b", b.0)],
            weights: vec![],
            settings: Settings::default(),
            stream: 0,
        };
        Term::Tensor(self.push(ValueSource::Apply(apply), ty, env.entered_by.unwrap_or(span)))
    }
}

/// What an operator keeps of its sides' kinds, where the value has these axes. A number is given where one side is one.
fn result_kind(op: BinaryOp, x: &Type, y: &Type, axes: &[Axis], a: Option<f64>, b: Option<f64>) -> Kind {
    let (xk, yk) = (x.kind, y.kind);
    let scalar = |k: Kind| k.is(Kind::Scalar);
    if scalar(xk) && scalar(yk) {
        return Kind::Loss;
    }
    if op.compares() {
        return if axes.is_empty() { Kind::Values } else { Kind::Mask };
    }
    let unit_interval = |n: Option<f64>| n.is_some_and(|n| (0.0..=1.0).contains(&n));
    let prob = |k: Kind, n: Option<f64>| k.is(Kind::Prob) || scalar(k) && unit_interval(n);
    let keeps_prob = match op {
        BinaryOp::Mul => prob(xk, a) && prob(yk, b),
        BinaryOp::Sub => a == Some(1.0) && yk.is(Kind::Prob),
        _ => false,
    };
    if keeps_prob {
        return Kind::Prob;
    }
    // A number, or what is spread over the other side, leaves that side what it is.
    let spread = |own: &Type, other: &Type| scalar(own.kind) || own.axes != axes && other.axes == axes;
    let shaped = if spread(x, y) { yk } else { xk };
    if shaped == Kind::Dist {
        let not_negative = |k: Kind, n: Option<f64>| k == Kind::Dist || k.is(Kind::Prob) || n.is_some_and(|n| n >= 0.0);
        let kept = not_negative(xk, a) && not_negative(yk, b) && op != BinaryOp::Sub;
        return if kept { Kind::Dist } else { Kind::Values };
    }
    let plain = |k: Kind| match k {
        k if (k.is(Kind::Prob) || k == Kind::Image) && axes == k.axes(4) => Kind::Map,
        k if k.is(Kind::Prob) || k == Kind::Image => Kind::Values,
        k => k,
    };
    if spread(x, y) || spread(y, x) {
        return plain(shaped);
    }
    match xk.join(yk) {
        None => Kind::Values,
        Some(k) if xk == yk => plain(k),
        Some(k) if k.is(Kind::Map) => plain(Kind::Prob),
        Some(k) => k,
    }
}
