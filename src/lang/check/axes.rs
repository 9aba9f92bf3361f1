//! Axes by name: what a written type calls them, which ones an argument names, and how two values meet.

use super::Checker;
use super::call::{Bound, CallSite};
use super::scope::{Env, Known, Term};
use crate::ast::{DimExpr, Expr, ExprKind, TypeExpr};
use crate::axis::{self, Axis};
use crate::constant::{Constant, Settings};
use crate::dim::Dim;
use crate::report::shapes;
use crate::source::Span;
use crate::typed::{Apply, ValueId, ValueSource};
use crate::types::{Kind, Type};

impl Checker<'_> {
    /// The axes of a written type: those that it names, or else those of its kind.
    pub fn written_axes(&mut self, written: &TypeExpr, kind: Kind) -> Option<Vec<Axis>> {
        let dims: &[DimExpr] = written.dims.as_deref().unwrap_or(&[]);
        let named: Vec<Axis> = dims.iter().filter_map(|d| Some(Axis::named(&d.axis.as_ref()?.text))).collect();
        if named.is_empty() {
            return Some(kind.axes(dims.len()));
        }
        if named.len() < dims.len() {
            let first = dims.iter().find_map(|d| d.axis.as_ref()).map_or(written.span, |a| a.span);
            let text = self.sources.text(first).to_string();
            self.logs.reports.push(shapes::partly_named(first, &text, written.span, named.len() == 1));
            return None;
        }
        if !axis::in_order(&named) {
            let mut sorted: Vec<(Axis, &DimExpr)> = named.into_iter().zip(dims).collect();
            sorted.sort_by(|a, b| a.0.cmp(&b.0));
            let ordered: Vec<String> =
                sorted.iter().map(|(a, d)| format!("{a} {}", self.sources.text(d.span))).collect();
            let twice = sorted.windows(2).any(|w| w.first().map(|(a, _)| a) == w.last().map(|(a, _)| a));
            self.logs.reports.push(shapes::axes_order(written.span, (!twice).then(|| ordered.join(", "))));
            return None;
        }
        Some(named)
    }

    /// An argument that names axes: `channel`, `[row, column]`, or a parameter that does.
    pub fn axes_argument(&mut self, e: &Expr, env: &Env) -> Term {
        let known = |value| Term::Known(Known::new(value, Kind::Axes));
        let word = |e: &Expr| if let ExprKind::Name(word) = &e.kind { Some(word.clone()) } else { None };
        match &e.kind {
            ExprKind::Name(name) if name == "none" => Term::Known(Known::new(Constant::None, Kind::Word)),
            ExprKind::Name(name) => match env.locals.iter().rev().find(|(n, _)| n == name) {
                Some((_, binding)) if matches!(&binding.term, Term::Known(Known { kind: Kind::Axes, .. })) => {
                    binding.term.clone()
                }
                _ => known(Constant::Word(name.clone())),
            },
            ExprKind::List(items) if !items.is_empty() && items.iter().all(|i| word(i).is_some()) => {
                known(Constant::List(items.iter().filter_map(word).map(Constant::Word).collect()))
            }
            _ => {
                self.logs.reports.push(shapes::axes_wanted(e.span, self.sources.text(e.span)));
                Term::Poison
            }
        }
    }

    /// A value with further axes of size 1, so that it lies beside one that has them all.
    pub fn aligned(&mut self, id: ValueId, axes: &[Axis], span: Span) -> ValueId {
        let Some(ty) = self.value_type(id) else { return id };
        if ty.dims.is_empty() || ty.axes == axes {
            return id;
        }
        let shape = axes.iter().map(|a| (a.clone(), ty.size(a).cloned().unwrap_or_else(|| Dim::number(1))));
        let (axes, dims): (Vec<Axis>, Vec<Dim>) = shape.unzip();
        let words = axes.iter().map(|a| Constant::Word(a.name().to_string())).collect();
        let settings = Settings(vec![("axes".to_string(), Constant::List(words))]);
        let apply = Apply { op: "align", inputs: vec![("x", id)], weights: vec![], settings, stream: 0 };
        self.push(ValueSource::Apply(apply), Type { axes, dims, unit: false, ..ty }, span)
    }

    /// A map that lacks only the channel, as a map of one.
    pub fn as_map(&mut self, id: ValueId, span: Span) -> Option<ValueId> {
        let ty = self.value_type(id)?;
        let lacks = ty.axes == [Axis::Batch, Axis::Row, Axis::Column] && ty.frame.is_some();
        if !lacks || !ty.kind.is(Kind::Values) {
            return None;
        }
        let made = self.aligned(id, &Kind::Map.axes(4), span);
        if let Some(value) = self.logs.values.get_mut(made.0 as usize)
            && !value.ty.kind.is(Kind::Map)
        {
            value.ty.kind = Kind::Map;
        }
        Some(made)
    }

    /// Arguments that lack only the channel, where maps are wanted.
    pub fn as_maps(&mut self, site: &mut CallSite<'_>, env: &Env) {
        let place = env.entered_by;
        let wanted: Vec<bool> = site
            .bound
            .iter()
            .map(|b| {
                site.params.get(b.param).is_some_and(|p| {
                    let map = Kind::named(&p.ty.kind.text).is_some_and(|k| k.is(Kind::Map));
                    map && p.ty.dims.as_ref().is_some_and(|d| d.len() == 4 && d.iter().all(|d| d.axis.is_none()))
                })
            })
            .collect();
        for (bound, _) in site.bound.iter_mut().zip(wanted).filter(|(_, wanted)| *wanted) {
            if let Bound { term: Term::Tensor(id), span, .. } = bound
                && let Some(made) = self.as_map(*id, place.unwrap_or(*span))
            {
                bound.term = Term::Tensor(made);
            }
        }
    }
}
