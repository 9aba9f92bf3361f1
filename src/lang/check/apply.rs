//! Operations applied: the result's type, the weights that are made, the value that is listed.

use std::rc::Rc;

use super::Checker;
use super::call::{Bound, CallSite};
use super::scope::{Env, Known, Record, Subst, Term};
use crate::ast::FnParam;
use crate::axis::Axis;
use crate::constant::{Constant, Recipe, Settings};
use crate::dim::Dim;
use crate::parts::WeightClass;
use crate::report::{frames, kinds, shapes};
use crate::source::Span;
use crate::typed::{Apply, ValueId, ValueSource, WeightInfo};
use crate::types::{Frame, Kind, Type};
use crate::vocabulary::{Application, Operation, RuleArg};

/// What a rule says of a call.
struct Ruled {
    result: Type,
    weights: Vec<crate::vocabulary::NewWeight>,
    more: Vec<(&'static str, Constant)>,
    aligned: Vec<(&'static str, Vec<Axis>)>,
    count: Option<Dim>,
}

impl Checker<'_> {
    /// An operation applied to fitted arguments.
    pub fn apply(&mut self, op: &Operation, site: &CallSite<'_>, env: &Env) -> Term {
        if !op.entry.record.is_empty() {
            return self.apply_record(op, site, env);
        }
        if let Some(of_places) = op.entry.of_places
            && self.begins_with_places(site)
            && let Some(op) = self.vocabulary.operation(of_places)
        {
            let site = CallSite { params: &op.params, bound: site.bound.clone(), ..*site };
            return self.apply(op, &site, env);
        }
        let mut subst = Subst::default();
        let Some(turns) = self.turns(op, site) else { return Term::Poison };
        if !self.fit_all(site, &mut subst, env) {
            return Term::Poison;
        }
        if let Some((called, name)) = op.entry.new_frame
            && let Some(name) = name(&self.rule_args(op, site))
        {
            subst.frames.insert(called.to_string(), (Frame(name), usize::MAX));
        }
        let batch = subst.batch.clone();
        let inner = Env { subst: Rc::new(subst), top: false, ..env.clone() };
        let Some(mut result) = op.result.as_ref().and_then(|r| self.ground(r, &inner)) else { return Term::Poison };
        if let Some((batch, _)) = batch {
            result.dims.insert(0, batch);
            result.axes.insert(0, Axis::Batch);
        }
        let (mut inputs, mut settings, missing, tensors) = self.split(op, site);
        let args = self.rule_args(op, site);
        let Some(Ruled { result, weights, more, aligned, count }) = self.run_rule(op, site, &args, result, turns)
        else {
            return Term::Poison;
        };
        if !self.may_change(op, site) {
            return Term::Poison;
        }
        if op.entry.course.is_some() {
            let value = if missing { None } else { self.course(op, site, settings) };
            return Term::Known(Known { value, kind: result.kind, size: None, tensors });
        }
        if let Some(size) = count {
            let known = size.value(&self.out.sizes).and_then(Result::ok);
            // Of what is checked on its own no size is known, and every size may be.
            if known.is_some() || self.generic {
                let value = known.map(|n| Constant::Number(n as f64));
                return Term::Known(Known { value, kind: Kind::Count, size: Some(size), tensors: vec![] });
            }
        }
        settings.0.extend(more.into_iter().map(|(name, value)| (name.to_string(), value)));
        for (name, axes) in aligned {
            for (_, id) in inputs.iter_mut().filter(|(n, _)| *n == name) {
                *id = self.aligned(*id, &axes, env.entered_by.unwrap_or(site.span));
            }
        }
        if !result.kind.is_tensor() {
            let recipe = Constant::Recipe(Recipe { op: op.name.to_string(), settings });
            let value = (!missing).then_some(recipe);
            return Term::Known(Known { value, kind: result.kind, size: None, tensors });
        }
        let Some(weights) = self.make_weights(op, site, weights, env) else { return Term::Poison };
        match op.entry.carries_out {
            None => {
                let Some(settings) = self.with_pixels(op, site, &inputs, settings) else { return Term::Poison };
                let stream = if op.entry.graph.random { self.next_stream() } else { 0 };
                if op.entry.new_frame.is_some() {
                    self.declare_frame(&result);
                    self.logs.moves.extend(result.frame.iter().chain(&result.to).cloned());
                }
                let apply = Apply { op: op.name, inputs, weights, settings, stream };
                Term::Tensor(self.push_at(ValueSource::Apply(apply), result, site, env))
            }
            Some(param) => self.carry_out(op, site, param, inputs, result, env),
        }
    }

    /// An operation that gives several values: each is an operation of its own on the same arguments.
    fn apply_record(&mut self, op: &Operation, site: &CallSite<'_>, env: &Env) -> Term {
        let vocabulary = self.vocabulary;
        let mut fields = Vec::new();
        for (field, part) in op.entry.record {
            let Some(part) = vocabulary.operation(part) else { return Term::Poison };
            match self.apply(part, site, env) {
                // The arguments are the same, so what is wrong with one is wrong with all.
                Term::Poison => return Term::Poison,
                term => fields.push(((*field).to_string(), term)),
            }
        }
        Term::Record(Rc::new(Record { of: op.name.to_string(), made: site.span, fields, open: false }))
    }

    /// Tensors, settings, whether a setting is not known yet, and the tensors that recipes hold.
    #[allow(clippy::type_complexity)]
    fn split(
        &self,
        op: &Operation,
        site: &CallSite<'_>,
    ) -> (Vec<(&'static str, ValueId)>, Settings, bool, Vec<(&'static str, ValueId)>) {
        let (mut inputs, mut settings, mut missing, mut tensors) = (vec![], Settings::default(), false, vec![]);
        for bound in &site.bound {
            let Some(param) = op.params.get(bound.param) else { continue };
            match &bound.term {
                Term::Tensor(id) => {
                    let name = self.intern(&param.name.text);
                    inputs.push((name, *id));
                    tensors.push((name, *id));
                }
                Term::Known(k) => {
                    missing |= k.value.is_none();
                    settings.0.push((param.name.text.clone(), k.value.clone().unwrap_or(Constant::None)));
                }
                _ => {}
            }
        }
        (inputs, settings, missing, tensors)
    }

    /// The type as which an operation gets an argument, where that is another: a field as one of its turns.
    pub(super) fn given_as(&self, op: &Operation, param: &FnParam, ty: &Type) -> Option<Type> {
        let map = Kind::named(&param.ty.kind.text).is_some_and(|k| k.is(Kind::Map));
        if op.entry.fields && map { ty.one_turn().map(|(ty, _)| ty) } else { None }
    }

    /// The turns of the fields among the arguments, which must be fields of one group, all of them; `None` where they are not.
    fn turns(&mut self, op: &Operation, site: &CallSite<'_>) -> Option<Option<Dim>> {
        if !op.entry.fields {
            return Some(None);
        }
        let mut first: Option<(Option<Dim>, Span, Type)> = None;
        for bound in &site.bound {
            let (Some(param), Term::Tensor(id)) = (op.params.get(bound.param), &bound.term) else { continue };
            let Some(ty) = self.value_type(*id) else { continue };
            if !Kind::named(&param.ty.kind.text).is_some_and(|k| k.is(Kind::Map)) {
                continue;
            }
            let turns = ty.one_turn().map(|(_, turns)| turns);
            match &first {
                None => first = Some((turns, bound.span, ty)),
                Some((of, at, other)) => {
                    let same = match (of, &turns) {
                        (Some(p), Some(q)) => p == q || p.is_opaque() || q.is_opaque(),
                        (p, q) => p.is_none() && q.is_none(),
                    };
                    if !same {
                        self.logs.reports.push(kinds::unlike_fields(op.name, *at, other, bound.span, &ty));
                        return None;
                    }
                }
            }
        }
        Some(first.and_then(|(turns, ..)| turns))
    }

    fn rule_args(&self, op: &Operation, site: &CallSite<'_>) -> Vec<RuleArg> {
        let text = |span| self.sources.text(span).to_string();
        let one = |bound: &Bound| {
            let param = op.params.get(bound.param)?;
            let name = self.intern(&param.name.text);
            match &bound.term {
                Term::Tensor(id) => {
                    let (ty, span) = (self.value_type(*id)?, bound.span);
                    let ty = self.given_as(op, param, &ty).unwrap_or(ty);
                    Some(RuleArg { name, ty, constant: None, size: None, span, text: text(span) })
                }
                Term::Known(k) => Some(RuleArg {
                    name,
                    ty: Type::plain(k.kind),
                    constant: k.value.clone(),
                    size: k.size.clone(),
                    span: bound.span,
                    text: text(bound.span),
                }),
                _ => None,
            }
        };
        site.bound.iter().filter_map(one).collect()
    }

    fn run_rule(
        &mut self,
        op: &Operation,
        site: &CallSite<'_>,
        args: &[RuleArg],
        result: Type,
        turns: Option<Dim>,
    ) -> Option<Ruled> {
        let mut done = None;
        // A number that changes has to fit all along.
        for args in RuleArg::on_the_way(args).iter() {
            let next = &mut self.symbols;
            let mut unknown = |name: &str| {
                *next += 1;
                Dim::symbol(crate::dim::Symbol { id: *next, name: name.into(), opaque: true })
            };
            let mut application = Application {
                name: op.name,
                span: site.span,
                args,
                result: result.clone(),
                turns: turns.clone(),
                weights: vec![],
                owes: vec![],
                settings: vec![],
                aligned: vec![],
                count: None,
                reports: vec![],
                unknown: &mut unknown,
                sizes: &self.out.sizes,
            };
            (op.entry.rule)(&mut application);
            let Application { result, turns, weights, owes, reports, settings, aligned, count, .. } = application;
            let result = match turns {
                Some(turns) if result.kind.is(Kind::Map) => result.in_turns(turns),
                _ => result,
            };
            for (dim, by) in owes {
                self.logs.owed.push(super::sizes::Owed { dim, by, span: site.name_span, op: op.name });
            }
            let wrong = reports.iter().any(|r| r.severity == crate::report::Severity::Error);
            self.logs.reports.extend(reports);
            if wrong {
                return None;
            }
            done = Some(Ruled { result, weights, more: settings, aligned, count });
        }
        done
    }

    fn make_weights(
        &mut self,
        op: &Operation,
        site: &CallSite<'_>,
        new: Vec<crate::vocabulary::NewWeight>,
        env: &Env,
    ) -> Option<Vec<(&'static str, usize)>> {
        let mut made = Vec::new();
        for weight in new {
            let Some(path) = &env.weights else {
                if self.generic {
                    continue;
                }
                let shape: Vec<String> = weight.shape.iter().map(|d| d.map_or("?".into(), |n| n.to_string())).collect();
                let would = format!("{}.{} [{}]", op.name, weight.role, shape.join(", "));
                self.logs.reports.push(kinds::weights_outside_model(site.name_span, op.name, Some(&would)));
                return None;
            };
            if self.generic || self.untaken {
                continue;
            }
            let name = format!("{}.{}", path.name, weight.role);
            if !self.made.insert(name.clone()) {
                self.logs.reports.push(shapes::weight_made_twice(site.span, &name));
                return None;
            }
            let Some(shape) =
                weight.shape.iter().map(|d| d.and_then(|n| usize::try_from(n).ok())).collect::<Option<Vec<usize>>>()
            else {
                self.logs.reports.push(shapes::unknown_weight(site.span, &name));
                return None;
            };
            let values = shape.iter().try_fold(1usize, |n, d| n.checked_mul(*d)).filter(|n| *n < 1 << 33);
            if values.is_none() {
                self.logs.reports.push(shapes::huge_weight(site.span, &name, &shape));
                return None;
            }
            let index = match self.out.weights.iter().position(|w| w.name == name) {
                Some(index) => {
                    let first = self.out.weights.get(index)?;
                    if first.shape != shape {
                        self.logs.reports.push(shapes::weight_twice(site.span, &name, &first.shape, &shape));
                        return None;
                    }
                    index
                }
                None => {
                    let class = match weight.role {
                        _ if op.entry.graph.normalizes => WeightClass::Norm,
                        "bias" => WeightClass::Bias,
                        _ => WeightClass::Other,
                    };
                    let (initial, model, span) = (weight.initial, path.model, site.span);
                    let info = WeightInfo { name, shape, initial, class, model, span, follows: None };
                    self.out.weights.push(info);
                    self.out.weights.len() - 1
                }
            };
            made.push((weight.role, index));
        }
        Some(made)
    }

    /// Lengths in pixels mean pixels of the image that declares the frame: its size goes along.
    fn with_pixels(
        &mut self,
        op: &Operation,
        site: &CallSite<'_>,
        inputs: &[(&'static str, ValueId)],
        mut settings: Settings,
    ) -> Option<Settings> {
        let Some(param) = op.entry.pixels_of else { return Some(settings) };
        let (_, id) = inputs.iter().find(|(n, _)| *n == param)?;
        let frame = self.value_type(*id)?.frame?;
        match self.image_size(&frame) {
            Some(size) => {
                settings.0.extend(size);
                Some(settings)
            }
            // No length, no need for a unit of length.
            None if self.generic || !(op.entry.in_pixels || settings.0.iter().any(|(_, c)| is_length(c))) => {
                Some(settings)
            }
            None => {
                // What an operation is of places has the operation's name.
                let name = if op.entry.operator { site.name } else { op.name };
                self.logs.reports.push(frames::no_image(site.span, name, &frame));
                None
            }
        }
    }

    /// Width and height in pixels of the image that declares a frame, as settings; `none` where the data sets them.
    pub(super) fn image_size(&self, frame: &Frame) -> Option<[(String, Constant); 2]> {
        let (_, width, height) = self.logs.frames.iter().find(|(f, ..)| f == frame)?;
        let value = |d: &Dim| d.value(&self.out.sizes).and_then(Result::ok).map(|n| Constant::Number(n as f64));
        Some([("width", width), ("height", height)].map(|(n, d)| (n.into(), value(d).unwrap_or(Constant::None))))
    }

    /// `pick` carries out its miner, `place` its sampler: the recipe's operation becomes the value.
    fn carry_out(
        &mut self,
        op: &Operation,
        site: &CallSite<'_>,
        param: &str,
        mut inputs: Vec<(&'static str, ValueId)>,
        result: Type,
        env: &Env,
    ) -> Term {
        let recipe = site.bound.iter().find(|b| op.params.get(b.param).is_some_and(|p| p.name.text == param));
        let (recipe, tensors) = match recipe.map(|b| &b.term) {
            // Places that are given stay as they are; they must lie in the map's frame.
            Some(Term::Tensor(id)) => {
                let id = *id;
                return if self.places_fit(op, site, id, &result) { Term::Tensor(id) } else { Term::Poison };
            }
            Some(Term::Known(Known { value: Some(Constant::Recipe(r)), tensors, .. })) => {
                (Some(r.clone()), tensors.clone())
            }
            _ => (None, vec![]),
        };
        let vocabulary = self.vocabulary;
        let Some(recipe) = recipe else {
            // Checked on its own: the recipe is not known yet.
            return Term::Tensor(self.push_at(ValueSource::Parameter, result, site, env));
        };
        let Some(made) = vocabulary.operation(&recipe.op) else { return Term::Poison };
        if !tensors.iter().all(|(_, id)| self.places_fit(made, site, *id, &result)) {
            return Term::Poison;
        }
        inputs.extend(tensors);
        let result = self.with_count(&recipe, &inputs, result);
        let Some(settings) = self.with_pixels(made, site, &inputs, recipe.settings) else { return Term::Poison };
        let stream = if made.entry.graph.random { self.next_stream() } else { 0 };
        let apply = Apply { op: made.name, inputs, weights: vec![], settings, stream };
        Term::Tensor(self.push_at(ValueSource::Apply(apply), result, site, env))
    }

    /// Places that a recipe holds, or that stand in for one, lie in the frame in which they are used.
    fn places_fit(&mut self, op: &Operation, site: &CallSite<'_>, id: ValueId, result: &Type) -> bool {
        let Some(value) = self.value(id).cloned() else { return false };
        if !(value.ty.kind.is_placed() || value.ty.kind.is(Kind::Map)) {
            return true;
        }
        if value.ty.frame != result.frame {
            let report = frames::places(site.span, op.name, &value.ty, result.frame.as_ref(), value.span);
            self.logs.reports.push(report);
            return false;
        }
        let (found, wanted) = (value.ty.dims.first(), result.dims.first());
        if let (Some(found), Some(wanted)) = (found, wanted)
            && found != wanted
            && !found.is_opaque()
            && !wanted.is_opaque()
        {
            self.logs.reports.push(shapes::size(op.name, site.span, &value.ty, 0, wanted, found));
            return false;
        }
        true
    }

    /// The number of places that a sampler gives, where its settings say so.
    fn with_count(&mut self, recipe: &Recipe, inputs: &[(&'static str, ValueId)], mut result: Type) -> Type {
        if result.kind != Kind::Points || inputs.iter().any(|(n, _)| *n == "positive") {
            return result;
        }
        let count = |name: &str| recipe.settings.count(name).ok().and_then(|n| i64::try_from(n).ok());
        let n = count("n").or_else(|| count("keep")).or_else(|| count("rows")?.checked_mul(count("columns")?));
        if let (Some(n), Some(slot)) = (n, result.dims.get_mut(1)) {
            *slot = Dim::number(n);
        }
        result
    }

    fn push_at(&mut self, source: ValueSource, ty: Type, site: &CallSite<'_>, env: &Env) -> ValueId {
        self.push(source, ty, env.entered_by.unwrap_or(site.span))
    }
}

/// True for a length in pixels that is not zero.
fn is_length(c: &Constant) -> bool {
    matches!(c, Constant::Quantity(x, crate::constant::Unit::Px) if *x != 0.0)
}
