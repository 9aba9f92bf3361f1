//! Whether arguments fit parameters: kinds, shapes and frames, each with the argument that fixed them first.

use std::collections::HashMap;

use super::Checker;
use super::call::{Bound, CallSite};
use super::scope::{Env, Known, Subst, Term};
use crate::ast::{BinaryOp, DimExpr, DimKind, FnParam, TypeExpr};
use crate::axis::Axis;
use crate::constant::{Constant, Unit};
use crate::dim::{Dim, Symbol};
use crate::report::{Report, frames, kinds, names, shapes};
use crate::source::Span;
use crate::types::{Frame, Kind, Type};

/// A size that was expected, and the parameter that set it first.
type Mismatch = (Dim, Option<usize>);

impl Checker<'_> {
    /// Fits every argument; on success `subst` holds what sizes and frames stand for, and constants have the
    /// parameter's kind.
    pub fn fit_all(&mut self, site: &CallSite<'_>, subst: &mut Subst, env: &Env) -> bool {
        let mut sound = true;
        // Counts first: a shape may speak of them.
        for bound in &site.bound {
            if let (Some(param), Term::Known(k)) = (site.params.get(bound.param), &bound.term)
                && param.ty.kind.text == "Count"
            {
                let number = k.value.as_ref().and_then(Constant::count).and_then(|n| i64::try_from(n).ok());
                let mut dim = number.map(Dim::number).or(k.size.clone());
                if dim.is_none() && k.value.is_none() {
                    dim = Some(self.unknown_dim(&param.name.text));
                }
                if let Some(dim) = dim {
                    subst.dims.insert(param.name.text.clone(), (dim, bound.param));
                }
            }
        }
        for bound in &site.bound {
            if let Some(param) = site.params.get(bound.param) {
                sound &= self.fit(site, param, bound, subst, env);
            }
        }
        sound
    }

    fn fit(&mut self, site: &CallSite<'_>, param: &FnParam, bound: &Bound, subst: &mut Subst, env: &Env) -> bool {
        let Some(kind) = Kind::named(&param.ty.kind.text) else {
            self.logs.reports.push(kinds::no_such_kind(param.ty.kind.span, &param.ty.kind.text));
            return false;
        };
        match &bound.term {
            Term::Poison => false,
            Term::Known(k) => {
                if matches!(k.value, Some(Constant::None)) {
                    let optional = param.default.as_ref().is_some_and(super::is_none);
                    if !optional {
                        self.logs.reports.push(kinds::none_given(bound.span, site.name, &param.name.text));
                    }
                    return optional;
                }
                if kind.is_tensor() && kind != Kind::Loss {
                    let found = self.shown(&bound.term);
                    let report = self.wrong_kind(site, param, bound, kind, &found, subst, env);
                    self.logs.reports.push(report);
                    return false;
                }
                let what = format!("`{}` of `{}`", param.name.text, site.name);
                let known = self.known_as(k.clone(), kind, param.ty.span, bound.span, &what);
                match known.map(|k| k.value) {
                    Some(Some(value)) => self.argument_in_domain(site.name, param, &value, bound.span, env),
                    Some(None) => true,
                    None => false,
                }
            }
            Term::Record(record) => {
                let fits = |ty: &crate::types::Type| ty.kind.is(kind);
                self.record_given(record, bound.span, &param.name.text, fits);
                false
            }
            Term::Tensor(id) => {
                let Some(ty) = self.value_type(*id) else { return false };
                let operation = self.vocabulary.operation(site.name);
                let ty = operation.and_then(|op| self.given_as(op, param, &ty)).unwrap_or(ty);
                let places = kind == Kind::Sampler && ty.kind == Kind::Points;
                if places {
                    return true;
                }
                if kind.is(Kind::Scalar) && ty.kind.is(kind) && self.vocabulary.operation(site.name).is_none() {
                    return true;
                }
                let one_number = kind == Kind::Values && ty.kind.is(Kind::Scalar);
                if !(ty.kind.is(kind) || one_number) || !kind.is_tensor() {
                    // What is left of a map lacks axes, whatever it holds.
                    let rest_of_map = kind.is(Kind::Map) && ty.kind == Kind::Values && ty.frame.is_some();
                    let written = self.sources.text(bound.span);
                    let report = if rest_of_map {
                        shapes::axes(bound.span, site.name, &crate::tree::type_expr(&param.ty), &ty)
                    } else if kind == Kind::Watch && written.chars().all(|c| c.is_alphanumeric() || c == '_') {
                        names::watch_without_split(bound.span, written)
                    } else if kind.is_tensor() {
                        self.wrong_kind(site, param, bound, kind, &ty.to_string(), subst, env)
                    } else {
                        kinds::known_before(bound.span, &param.name.text, kind, &ty)
                    };
                    self.logs.reports.push(report);
                    return false;
                }
                if param.ty.unit.is_some() && !ty.unit {
                    self.logs.reports.push(kinds::needs_unit(bound.span, site.name, &ty));
                    return false;
                }
                self.fit_frames(site, param, bound, &ty, subst, env) && self.fit_dims(site, param, bound, &ty, subst)
            }
        }
    }

    fn fit_frames(
        &mut self,
        site: &CallSite<'_>,
        param: &FnParam,
        bound: &Bound,
        ty: &Type,
        subst: &mut Subst,
        env: &Env,
    ) -> bool {
        for (pattern, found) in [(&param.ty.frame, &ty.frame), (&param.ty.to, &ty.to)] {
            let (Some(pattern), Some(found)) = (pattern, found) else { continue };
            match subst.frames.get(&pattern.text) {
                None => {
                    subst.frames.insert(pattern.text.clone(), (found.clone(), bound.param));
                }
                Some((first, _)) if first == found => {}
                Some((first, by)) => {
                    let first = first.clone();
                    let other = site.bound.iter().find(|b| b.param == *by).cloned();
                    let report = self.wrong_frame(site, bound, ty, other.as_ref(), &first, found, env);
                    self.logs.reports.push(report);
                    return false;
                }
            }
        }
        true
    }

    /// The report for two arguments that live in different frames, or a homography that leads elsewhere.
    fn wrong_frame(
        &mut self,
        site: &CallSite<'_>,
        bound: &Bound,
        ty: &Type,
        other: Option<&Bound>,
        first: &Frame,
        found: &Frame,
        env: &Env,
    ) -> Report {
        let Some(other) = other else { return frames::differ(site.name, bound.span, found, None, first, None, None) };
        if self.type_of(&bound.term).is_some_and(|t| t.kind == Kind::Field) {
            return frames::fields_of_two_views(site.name, other.span, first, bound.span, found);
        }
        let other_ty = self.type_of(&other.term);
        let is_move = |t: &Type| t.kind == Kind::Homography;
        let moves = (is_move(ty), other_ty.as_ref().is_some_and(is_move));
        let text = |span: Span| self.sources.text(span).to_string();
        match moves {
            (true, false) | (false, true) => {
                let (by, by_ty, map) = match moves.0 {
                    true => (bound, Some(ty.clone()), other),
                    false => (other, other_ty, bound),
                };
                let lives = if moves.0 { first } else { found };
                let Some(by_ty) = by_ty else {
                    return frames::differ(site.name, bound.span, found, None, first, None, None);
                };
                let (by_text, map_text) = (text(by.span), text(map.span));
                let declared = self.origin(&by.term).filter(|s| *s != by.span);
                if by_ty.to.as_ref() == Some(lives) {
                    // Where the map is the one to be moved, the inverse fixes it; the argument's own name is known to
                    // the text.
                    let fixed = invert(&by_text);
                    return frames::wrong_way(site.name, map.span, &map_text, lives, by.span, &by_ty, declared, &fixed);
                }
                let starts = by_ty.frame.as_ref() == Some(lives);
                let instead = if starts { None } else { self.move_from(lives, by_ty.to.as_ref(), env) };
                frames::leads_elsewhere(site.name, map.span, lives, by.span, &by_ty, instead.as_deref(), starts)
            }
            (true, true) => {
                let (a, b) = (self.type_of(&other.term).unwrap_or_else(|| ty.clone()), ty.clone());
                frames::do_not_chain(
                    site.name_span,
                    other.span,
                    &a,
                    bound.span,
                    &b,
                    &text(other.span),
                    &text(bound.span),
                )
            }
            (false, false) if ty.kind == Kind::Points || other_ty.as_ref().is_some_and(|t| t.kind == Kind::Points) => {
                let (points, lives, map, wanted) = match ty.kind == Kind::Points {
                    true => (bound.span, found, other.span, first),
                    false => (other.span, first, bound.span, found),
                };
                let by = self.move_from(lives, Some(wanted), env);
                frames::places_given(site.name, (points, text(points), lives), (map, wanted), by.as_deref())
            }
            (false, false) => {
                let back = self.move_from(found, Some(first), env);
                let from = |checker: &Self, term: &Term| checker.image_of(term);
                let (a, b) = (from(self, &other.term), from(self, &bound.term));
                let call = |by: &str| {
                    let args: Vec<String> =
                        site.bound
                            .iter()
                            .filter(|x| x.given)
                            .map(|x| {
                                if x.span == bound.span {
                                    format!("warp({}, {by})", text(x.span))
                                } else {
                                    text(x.span)
                                }
                            })
                            .collect();
                    format!("{}({})", site.name, args.join(", "))
                };
                let help = back.map(|by| call(&by));
                let mut report = frames::differ(site.name, bound.span, found, b, first, Some((other.span, a)), help);
                if report.edits.is_empty()
                    && let Some(by) = self.move_from(found, Some(first), env)
                {
                    report.certainty = crate::report::Certainty::Perhaps;
                    report.edits.push(crate::report::Edit {
                        span: bound.span,
                        text: format!("warp({}, {by})", text(bound.span)),
                    });
                }
                report
            }
        }
    }

    /// A homography in scope that leads from one frame to another, written as it would be used: `inv(H)`.
    pub fn move_from(&self, from: &Frame, to: Option<&Frame>, env: &Env) -> Option<String> {
        let locals = env.locals.iter().map(|(n, b)| (n.as_str(), &b.term));
        let globals = env.home.and_then(|h| self.files.get(h)).filter(|_| env.top);
        let globals = globals.into_iter().flat_map(|f| f.names.iter()).map(|(n, b)| (n.as_str(), &b.term));
        let mut found: Vec<String> = Vec::new();
        for (name, term) in locals.chain(globals) {
            let Some(ty) = self.type_of(term).filter(|t| t.kind == Kind::Homography) else { continue };
            if ty.frame.as_ref() == Some(from) && (to.is_none() || ty.to.as_ref() == to) {
                found.push(name.to_string());
            } else if ty.to.as_ref() == Some(from) && (to.is_none() || ty.frame.as_ref() == to) {
                found.push(format!("inv({name})"));
            }
        }
        found.sort_by_key(|f| (f.len(), f.clone()));
        found.into_iter().next()
    }

    fn fit_dims(&mut self, site: &CallSite<'_>, param: &FnParam, bound: &Bound, ty: &Type, subst: &mut Subst) -> bool {
        let Some(pattern) = &param.ty.dims else { return true };
        let batched = pattern.len() + 1 == ty.dims.len()
            && ty.axes.first() == Some(&Axis::Batch)
            && self.vocabulary.operation(site.name).is_some_and(|o| o.entry.batched);
        if batched && let Some(found) = ty.dims.first() {
            match subst.batch.clone() {
                None => subst.batch = Some((found.clone(), bound.param)),
                Some((first, _)) if first == *found || first.is_opaque() || found.is_opaque() => {}
                Some((first, by)) => {
                    let other = site.bound.iter().find(|b| b.param == by);
                    let report = self.wrong_size(site, bound, ty, 0, &first, found, other);
                    self.logs.reports.push(report);
                    return false;
                }
            }
        }
        let skipped = usize::from(batched);
        if pattern.len() + skipped != ty.dims.len() {
            let wanted = crate::tree::type_expr(&param.ty);
            self.logs.reports.push(shapes::rank(bound.span, site.name, &wanted, ty));
            return false;
        }
        let kind = Kind::named(&param.ty.kind.text).unwrap_or(Kind::Values);
        let named = pattern.iter().any(|d| d.axis.is_some());
        let wanted = match named {
            true => pattern.iter().filter_map(|d| Some(Axis::named(&d.axis.as_ref()?.text))).collect(),
            false => kind.axes(pattern.len()),
        };
        if ty.axes.get(skipped..) != Some(&wanted) && (named || !kind.is_open()) {
            let wanted = crate::tree::type_expr(&param.ty);
            self.logs.reports.push(shapes::axes(bound.span, site.name, &wanted, ty));
            return false;
        }
        for (axis, (dim, found)) in pattern.iter().zip(ty.dims.iter().skip(skipped)).enumerate() {
            let axis = axis + skipped;
            match self.match_dim(dim, found, bound.param, subst) {
                Ok(()) => {}
                Err(None) => {
                    self.logs.reports.push(shapes::not_linear(dim.span, bound.span));
                    return false;
                }
                Err(Some((wanted, by))) => {
                    let other = by.and_then(|by| site.bound.iter().find(|b| b.param == by && by != bound.param));
                    let report = self.wrong_size(site, bound, ty, axis, &wanted, found, other);
                    self.logs.reports.push(report);
                    return false;
                }
            }
        }
        true
    }

    fn wrong_size(
        &self,
        site: &CallSite<'_>,
        bound: &Bound,
        ty: &Type,
        axis: usize,
        wanted: &Dim,
        found: &Dim,
        other: Option<&Bound>,
    ) -> Report {
        let text = |b: &Bound| self.sources.text(b.span).to_string();
        let other_ty = other.and_then(|o| self.type_of(&o.term)).filter(|t| t.dims.len() == ty.dims.len());
        let long = axis + 1 == ty.dims.len() && ty.kind.is(Kind::Vectors) || axis == 1 && ty.kind.is(Kind::Desc);
        match (other, other_ty) {
            (Some(other), Some(other_ty))
                if long && (other_ty.kind.is(Kind::Desc) || other_ty.kind.is(Kind::Vectors)) =>
            {
                shapes::lengths(site.name, other.span, &other_ty, wanted, bound.span, ty, found)
            }
            (Some(other), Some(other_ty)) => {
                let same_frame = ty.frame == other_ty.frame;
                let (a, b) = (text(other), text(bound));
                shapes::sizes(site.name, (other.span, &a, &other_ty), (bound.span, &b, ty), same_frame)
            }
            _ => shapes::size(site.name, bound.span, ty, axis, wanted, found),
        }
    }

    /// Matches a written size against a found one. `Err(None)`: it cannot be matched at all.
    fn match_dim(
        &mut self,
        pattern: &DimExpr,
        found: &Dim,
        param: usize,
        subst: &mut Subst,
    ) -> Result<(), Option<Mismatch>> {
        if matches!(pattern.kind, DimKind::Any) {
            return Ok(());
        }
        let mut free: Option<(String, Symbol)> = None;
        let value = self.dim(pattern, &subst.dims, &mut free).ok_or(None)?;
        match free {
            Some((name, symbol)) => {
                let solved = value.solve(symbol.id, found).ok_or(None)?;
                subst.dims.insert(name, (solved, param));
                Ok(())
            }
            None if value == *found || value.is_opaque() || found.is_opaque() => Ok(()),
            None => {
                let by = first_name(pattern).and_then(|n| subst.dims.get(n)).map(|(_, by)| *by);
                Err(Some((value, by)))
            }
        }
    }

    /// A written size, with at most one name that nothing stands for yet.
    fn dim(
        &mut self,
        written: &DimExpr,
        known: &HashMap<String, (Dim, usize)>,
        free: &mut Option<(String, Symbol)>,
    ) -> Option<Dim> {
        match &written.kind {
            DimKind::Number(n) => Some(Dim::number(*n)),
            DimKind::Any => Some(self.unknown_dim("_")),
            DimKind::Name(name) => match known.get(name) {
                Some((dim, _)) => Some(dim.clone()),
                None => match free {
                    Some((n, symbol)) if n == name => Some(Dim::symbol(symbol.clone())),
                    Some(_) => None,
                    None => {
                        let symbol = self.new_symbol(name, false);
                        *free = Some((name.clone(), symbol.clone()));
                        Some(Dim::symbol(symbol))
                    }
                },
            },
            DimKind::Binary { op, left, right } => {
                let a = self.dim(left, known, free)?;
                let b = self.dim(right, known, free)?;
                match op {
                    BinaryOp::Add => a.add(&b),
                    BinaryOp::Sub => a.sub(&b),
                    BinaryOp::Mul => a.mul(&b),
                    _ => match b.as_number() {
                        Some(by) => a.over(by),
                        None if b.is_opaque() => Some(self.unknown_dim("?")),
                        None => None,
                    },
                }
            }
        }
    }

    /// A written type as a type: every name in it must stand for something, or is reported.
    pub fn ground(&mut self, written: &TypeExpr, env: &Env) -> Option<Type> {
        let Some(kind) = Kind::named(&written.kind.text) else {
            self.logs.reports.push(kinds::no_such_kind(written.kind.span, &written.kind.text));
            return None;
        };
        let mut names_known = env.subst.dims.clone();
        if env.top {
            for (name, dim) in &self.dims {
                names_known.entry(name.clone()).or_insert((dim.clone(), usize::MAX));
            }
        }
        let mut dims = Vec::new();
        for d in written.dims.iter().flatten() {
            let mut free = None;
            let dim = self.dim(d, &names_known, &mut free);
            match (dim, free) {
                (Some(dim), None) => dims.push(dim),
                (_, Some((name, _))) => {
                    let known: Vec<&str> = names_known.keys().map(String::as_str).collect();
                    self.logs.reports.push(names::no_such_size(d.span, &name, &known));
                    return None;
                }
                (None, None) => {
                    self.logs.reports.push(shapes::not_linear(d.span, d.span));
                    return None;
                }
            }
        }
        let frame = |name: &crate::ast::Name| match env.subst.frames.get(&name.text) {
            Some((frame, _)) => Frame(frame.0.clone()),
            None => Frame(name.text.clone()),
        };
        let axes = self.written_axes(written, kind)?;
        let ty = Type {
            kind,
            unit: written.unit.is_some(),
            dims,
            axes,
            frame: written.frame.as_ref().map(&frame),
            to: written.to.as_ref().map(&frame),
        };
        if kind == Kind::Homography && (ty.frame.is_none() || ty.to.is_none()) {
            self.logs.reports.push(frames::homography_needs_both(written.span));
            return None;
        }
        for name in written.frame.iter().chain(&written.to) {
            let known = env.subst.frames.contains_key(&name.text)
                || self.logs.frames.iter().any(|(f, ..)| f.0 == name.text)
                || self.logs.moves.iter().any(|f| f.0 == name.text);
            if !known {
                let all: Vec<&str> = self.logs.frames.iter().map(|(f, ..)| f.0.as_str()).collect();
                self.logs.reports.push(frames::unknown(name.span, &name.text, &all));
                return None;
            }
        }
        Some(ty)
    }

    /// The type a value has under a stated type, if it can have it: a lower kind may be called by a higher one, and
    /// features may be called what they are used as. Nothing becomes a probability by being called one.
    #[allow(clippy::result_unit_err)]
    pub fn relabel(&self, want: &Type, have: &Type) -> Result<Type, ()> {
        let real = matches!(have.kind, Kind::Feat | Kind::Map)
            && matches!(want.kind, Kind::Feat | Kind::Map | Kind::Logit | Kind::Desc);
        // A formula that happens to stay between 0 and 1 may be a feature as any other.
        let real = real || have.kind == Kind::Prob && want.kind == Kind::Feat;
        let kind = have.kind.is(want.kind) || real || (want.kind == Kind::Scalar && have.kind == Kind::Loss);
        let unit = !want.unit || have.unit;
        let dims = want.dims.is_empty()
            || want.dims.len() == have.dims.len()
                && want.dims.iter().zip(&have.dims).all(|(a, b)| a == b || a.is_opaque() || b.is_opaque());
        // Numbers of any shape may have any axes; only how many is said.
        let axes = want.dims.is_empty()
            || want.axes == have.axes
            || want.kind.is_open() && want.axes == want.kind.axes(want.dims.len());
        let frame = want.frame.is_none() || want.frame == have.frame;
        let to = want.to.is_none() || want.to == have.to;
        if !(kind && unit && dims && axes && frame && to) {
            return Err(());
        }
        Ok(Type { kind: want.kind, unit: want.unit, ..have.clone() })
    }

    /// A known value as one of a kind, checked by its value.
    pub fn known_as(&mut self, k: Known, kind: Kind, declared: Span, given: Span, what: &str) -> Option<Known> {
        let Some(value) = &k.value else {
            let fits = k.kind.is(kind)
                || k.kind == Kind::Scalar && kind.is(Kind::Scalar)
                || k.kind == Kind::Count && kind.is(Kind::Scalar)
                || kind == Kind::Path && k.kind == Kind::Text
                || kind == Kind::Paths && matches!(k.kind, Kind::Text | Kind::Path | Kind::List)
                || kind == Kind::Range && k.kind.is(Kind::Scalar);
            if !fits {
                self.logs.reports.push(kinds::constant(given, what, kind, k.kind.name(), Some(declared)));
                return None;
            }
            return Some(Known { kind, ..k });
        };
        if matches!(value, Constant::Timed(_)) && !may_change(kind) {
            self.logs.reports.push(crate::report::numbers::cannot_change(given, what, false, &[]));
            return None;
        }
        // A number that changes has to fit all along.
        let fits = |value: &Constant| match (kind, value) {
            (_, Constant::Recipe(_)) => k.kind.is(kind),
            (Kind::Scalar | Kind::Loss, Constant::Number(_)) => true,
            (Kind::Weight, Constant::Number(x)) => *x >= 0.0,
            (Kind::Rate, Constant::Number(x)) => *x > 0.0,
            (Kind::Count, Constant::Number(_)) => value.count().is_some(),
            (Kind::Pixels, Constant::Quantity(_, Unit::Px)) => true,
            (Kind::Degrees, Constant::Quantity(_, Unit::Deg)) => true,
            (Kind::Epochs | Kind::Duration | Kind::Interval, Constant::Quantity(x, Unit::Epochs)) => *x >= 0.0,
            (Kind::Steps | Kind::Duration | Kind::Interval, Constant::Quantity(x, Unit::Steps)) => *x >= 0.0,
            (Kind::Minutes | Kind::Interval, Constant::Quantity(x, Unit::Minutes)) => *x >= 0.0,
            (Kind::Factor, Constant::Quantity(x, Unit::Times)) => *x > 0.0,
            (Kind::Flag, Constant::Flag(_)) => true,
            (Kind::Text | Kind::Path | Kind::Paths, Constant::Text(_)) => true,
            (Kind::Paths, Constant::List(items)) => items.iter().all(|item| matches!(item, Constant::Text(_))),
            (Kind::Word | Kind::Reduce | Kind::Watch, Constant::Word(_)) => k.kind == kind || kind == Kind::Word,
            (Kind::Axes, Constant::Word(_) | Constant::List(_)) => k.kind == Kind::Axes,
            // Words that a parameter of another kind knows: `pad = same`.
            (_, Constant::Word(_)) => k.kind == Kind::Word,
            (Kind::Range, Constant::Range(..) | Constant::Number(_) | Constant::Quantity(..)) => true,
            (Kind::List, Constant::List(_)) => true,
            (Kind::List, _) => true,
            (_, Constant::List(items)) if !items.is_empty() => {
                // A list of recipes where one recipe is expected: `photo = [noise(0.02), contrast(0.8..1.2)]`.
                k.kind.is(kind) && kind == Kind::Augment
            }
            (_, Constant::List(items)) => items.is_empty() && matches!(kind, Kind::Augment),
            _ => false,
        };
        if value.on_the_way().iter().all(fits) {
            return Some(Known { kind, ..k });
        }
        let found = self.shown(&Term::Known(k.clone()));
        let report = kinds::constant(given, what, kind, &found, Some(declared));
        let report = self.of_literal(report, value);
        self.logs.reports.push(report);
        None
    }

    /// A report about a constant, whose edits write it otherwise: without them where the text is not the constant itself, but
    /// a name for it, or a number with a unit that was not understood.
    pub(super) fn of_literal(&self, mut report: Report, value: &Constant) -> Report {
        let literal =
            |text: &str| text == value.to_string() || text.parse().ok().is_some_and(|x| value.number() == Some(x));
        if !report.edits.iter().all(|e| literal(self.sources.text(e.span))) {
            report.edits.clear();
        }
        report
    }

    /// The report for a tensor argument of the wrong kind.
    fn wrong_kind(
        &mut self,
        site: &CallSite<'_>,
        param: &FnParam,
        bound: &Bound,
        kind: Kind,
        found: &str,
        subst: &Subst,
        env: &Env,
    ) -> Report {
        let text = self.sources.text(bound.span).to_string();
        let ty = self.type_of(&bound.term);
        if kind == Kind::Homography {
            let from = param.ty.frame.as_ref().and_then(|f| subst.frames.get(&f.text)).map(|(f, _)| f.clone());
            let instead = from.as_ref().and_then(|f| self.move_from(f, None, env));
            return kinds::not_a_move(site.name, bound.span, &text, from.as_ref(), found, instead.as_deref());
        }
        if ty.as_ref().is_some_and(|t| t.kind == Kind::Field) {
            return kinds::field_given(site.name, bound.span, &text, found, kind);
        }
        if let Some(report) = self.exchanged(site, param, bound, kind) {
            return report;
        }
        let is_logit = ty.as_ref().is_some_and(|t| t.kind == Kind::Logit);
        if kind.is(Kind::Prob) && is_logit {
            let declared = self.origin(&bound.term).filter(|s| *s != bound.span);
            let args: Vec<String> =
                site.bound.iter().filter(|b| b.given).map(|b| self.sources.text(b.span).to_string()).collect();
            let with_logits = self.vocabulary.operation(&format!("{}_logits", site.name)).is_some();
            return kinds::logits_for_probabilities(site.name, bound.span, &text, found, declared, &args, with_logits);
        }
        let hint = match (kind, ty.as_ref().map(|t| t.kind)) {
            (k, Some(Kind::Feat | Kind::Map | Kind::Desc)) if k.is(Kind::Prob) => {
                let range = match &bound.term {
                    Term::Tensor(id) => self.range_of(*id),
                    _ => crate::range::Range::ALL,
                };
                Some(kinds::to_probabilities(&text, range))
            }
            (Kind::Values, Some(k)) if k.is(Kind::Scalar) => Some(
                "a number meets maps, vectors and distances in + - * / and comparisons; max(0, x) is  hinge(x)".into(),
            ),
            (k, Some(Kind::Offsets)) if k.is(Kind::Values) => Some(format!("how long they are is:  length({text})")),
            (k, Some(Kind::Points)) if k.is(Kind::Values) => {
                Some("numbers of places are  distance(p, q)  and  length(p - q)".into())
            }
            (Kind::Map | Kind::Values, Some(Kind::Homography)) => Some("a homography moves maps; it is not one".into()),
            _ => None,
        };
        kinds::wrong_kind(site.name, &param.name.text, bound.span, &text, kind, found, hint.as_deref())
    }
}

/// True for kinds of numbers that need no value before the first step.
fn may_change(kind: Kind) -> bool {
    let numbers = [Kind::Scalar, Kind::Loss, Kind::Weight, Kind::Rate, Kind::Timed];
    numbers.contains(&kind) || matches!(kind, Kind::Pixels | Kind::Degrees | Kind::Range | Kind::List)
}

fn first_name(dim: &DimExpr) -> Option<&str> {
    match &dim.kind {
        DimKind::Name(name) => Some(name),
        DimKind::Binary { left, right, .. } => first_name(left).or_else(|| first_name(right)),
        _ => None,
    }
}

/// `inv(H)` of `H`, and `H` of `inv(H)`.
fn invert(text: &str) -> String {
    match text.strip_prefix("inv(").and_then(|t| t.strip_suffix(')')) {
        Some(inner) if !inner.contains(['(', ')']) => inner.to_string(),
        _ => format!("inv({text})"),
    }
}
