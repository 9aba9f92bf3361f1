//! Arithmetic of places: `p - q` is what leads from q to p, in pixels; `p + o` is a place again.

use super::Checker;
use super::arith::Side;
use super::call::CallSite;
use super::scope::{Env, Known, Term};
use crate::ast::BinaryOp;
use crate::axis::Axis;
use crate::constant::{Constant, Settings};
use crate::report::{frames, kinds, shapes};
use crate::source::Span;
use crate::typed::{Apply, ValueId, ValueSource};
use crate::types::{Frame, Kind, Type};

/// One side: its value, its type, its text.
type Placed<'s> = (ValueId, &'s Type, &'s Side);

impl Checker<'_> {
    /// `a op b`, of which at least one is places or offsets.
    pub(super) fn places(&mut self, op: (BinaryOp, Span), a: Placed, b: Placed, span: Span, env: &Env) -> Term {
        use BinaryOp::{Add, Div, Mul, Sub};
        use Kind::{Offsets, Points};
        let zero =
            |side: &Side| matches!(&side.0, Term::Known(Known { value: Some(Constant::Number(x)), .. }) if *x == 0.0);
        let number = |ty: &Type| ty.kind.is(Kind::Scalar);
        let per_item = |ty: &Type| ty.kind.is(Kind::Values) && ty.axes == [Axis::Batch, Axis::Item];
        match (op.0, a.1.kind, b.1.kind) {
            (Sub, Points, Points) => self.combined("place_sub", Offsets, op, (a, b), span, env),
            (Add, Points, Offsets) => self.combined("place_add", Points, op, (a, b), span, env),
            (Add, Offsets, Points) => self.combined("place_add", Points, op, (b, a), span, env),
            (Sub, Points, Offsets) => {
                let back = self.reversed((b.0, b.1), b.2.1, env);
                self.combined("place_add", Points, op, (a, (back, b.1, b.2)), span, env)
            }
            (Add | Sub, Offsets, Offsets) => self.combined(op.0.operation(), Offsets, op, (a, b), span, env),
            (Mul | Div, Offsets, _) if number(b.1) => self.applied(op.0.operation(), (a.0, b.0), a.1, span, env),
            (Mul, _, Offsets) if number(a.1) => self.applied(op.0.operation(), (a.0, b.0), b.1, span, env),
            (Sub, _, Offsets) if zero(a.2) => Term::Tensor(self.reversed((b.0, b.1), span, env)),
            (Mul, Offsets, _) if per_item(b.1) => self.combined("offset_mul", Offsets, op, (a, b), span, env),
            (Mul, _, Offsets) if per_item(a.1) => self.combined("offset_mul", Offsets, op, (b, a), span, env),
            (Div, Offsets, _) if per_item(b.1) => self.combined("offset_div", Offsets, op, (a, b), span, env),
            _ => {
                let shown = |side: Placed| (side.2.1, side.1.to_string());
                self.logs.reports.push(kinds::arithmetic_of_places(op.1, op.0.symbol(), shown(a), shown(b)));
                Term::Poison
            }
        }
    }

    /// An operation on two sides of one frame and one shape, of which the first is places or offsets.
    fn combined(
        &mut self,
        name: &'static str,
        kind: Kind,
        (op, op_span): (BinaryOp, Span),
        (a, b): (Placed, Placed),
        span: Span,
        env: &Env,
    ) -> Term {
        if let (Some(f), Some(g)) = (&a.1.frame, &b.1.frame)
            && f != g
        {
            let help = self.taken_over(op, (a.2, a.1), (b.2, b.1), env);
            let sides = ((a.2.1, a.1), (b.2.1, b.1));
            self.logs.reports.push(frames::places_apart(op.symbol(), op_span, sides, help.as_deref()));
            return Term::Poison;
        }
        let same = |(p, q): (&crate::dim::Dim, &crate::dim::Dim)| p == q || p.is_opaque() || q.is_opaque();
        if a.1.dims.len() != b.1.dims.len() || !a.1.dims.iter().zip(&b.1.dims).all(same) {
            self.logs.reports.push(shapes::operands(op.symbol(), a.2.1, a.1, b.2.1, b.1));
            return Term::Poison;
        }
        let mut settings = Settings::default();
        if self.vocabulary.operation(name).is_some_and(|o| o.entry.in_pixels)
            && let Some(frame) = &a.1.frame
        {
            match self.image_size(frame) {
                Some(size) => settings.0.extend(size),
                None if self.generic => {}
                None => {
                    self.logs.reports.push(frames::no_image(span, op.symbol(), frame));
                    return Term::Poison;
                }
            }
        }
        let apply = Apply { op: name, inputs: vec![("a", a.0), ("b", b.0)], weights: vec![], settings, stream: 0 };
        let ty = Type { kind, ..a.1.clone() };
        Term::Tensor(self.push(ValueSource::Apply(apply), ty, env.entered_by.unwrap_or(span)))
    }

    /// An operator on offsets and a number.
    fn applied(&mut self, name: &'static str, (a, b): (ValueId, ValueId), ty: &Type, span: Span, env: &Env) -> Term {
        let inputs = vec![("a", a), ("b", b)];
        let apply = Apply { op: name, inputs, weights: vec![], settings: Settings::default(), stream: 0 };
        Term::Tensor(self.push(ValueSource::Apply(apply), ty.clone(), env.entered_by.unwrap_or(span)))
    }

    /// Offsets the other way.
    fn reversed(&mut self, (offsets, ty): (ValueId, &Type), span: Span, env: &Env) -> ValueId {
        let span = env.entered_by.unwrap_or(span);
        let minus = self.push(ValueSource::Number(-1.0), Type::plain(Kind::Scalar), span);
        let inputs = vec![("a", minus), ("b", offsets)];
        let operation = BinaryOp::Mul.operation();
        let apply = Apply { op: operation, inputs, weights: vec![], settings: Settings::default(), stream: 0 };
        self.push(ValueSource::Apply(apply), ty.clone(), span)
    }

    /// The expression with the second side's places taken to the frame of the first, where something in scope does.
    fn taken_over(&self, op: BinaryOp, a: (&Side, &Type), b: (&Side, &Type), env: &Env) -> Option<String> {
        let (f, g): (&Frame, &Frame) = (a.1.frame.as_ref()?, b.1.frame.as_ref()?);
        let text = |side: &Side| self.sources.text(side.1).to_string();
        if b.1.kind == Kind::Points {
            let by = self.move_from(g, Some(f), env)?;
            return Some(format!("{} {} move({}, {by})", text(a.0), op.symbol(), text(b.0)));
        }
        None
    }

    /// True where the first tensor of a call is places: then an operation may have another meaning.
    pub(super) fn begins_with_places(&self, site: &CallSite<'_>) -> bool {
        let first = site.bound.iter().find_map(|b| self.type_of(&b.term));
        first.is_some_and(|ty| ty.kind == Kind::Points)
    }
}
