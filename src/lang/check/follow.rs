//! Models that follow others, weights that models declare, and which objective trains which model.

use super::Checker;
use super::scope::{Callable, Env, Known, Term};
use crate::ast::{DimKind, Expr, ExprKind, Item, Name, TypeExpr};
use crate::constant::{Constant, Settings};
use crate::dim::Dim;
use crate::report::{follow, kinds, names, shapes};
use crate::source::Span;
use crate::typed::{Apply, Follows, Initial, Objective, ValueSource, WeightInfo};
use crate::types::{Kind, Type};

impl Checker<'_> {
    /// The model whose weights those of an item follow: `@ema(of = net, decay = 0.99)`.
    pub fn follows(&mut self, item: &Item, home: usize) -> Option<Follows> {
        let attribute = item.attributes.iter().find(|a| a.name.text == "ema")?;
        if let Some(frozen) = item.attributes.iter().find(|a| a.name.text == "frozen") {
            self.logs.reports.push(follow::frozen_too(attribute.span, frozen.span));
            return None;
        }
        let (mut of, mut decay, mut sound) = (None, None, true);
        for arg in &attribute.args {
            match arg.name.as_ref().map(|n| n.text.as_str()) {
                Some("of") => of = Some(&arg.value),
                Some("decay") => decay = Some(&arg.value),
                _ => {
                    let span = arg.name.as_ref().map_or(arg.value.span, |n| n.span);
                    let found = self.sources.text(span).to_string();
                    let usage = "@ema(of = model, decay = 0.99)";
                    self.logs.reports.push(names::no_such_argument(span, "@ema", &found, None, usage));
                    sound = false;
                }
            }
        }
        for (missing, there) in [("of", of.is_some()), ("decay", decay.is_some())] {
            if sound && !there {
                self.logs.reports.push(follow::missing(attribute.span, missing));
                sound = false;
            }
        }
        let (Some(of), Some(decay), true) = (of, decay, sound) else { return None };
        let model = self.followed(of, home)?;
        let decay = self.decay(decay, home)?;
        Some(Follows { model, decay, span: attribute.span })
    }

    fn followed(&mut self, of: &Expr, home: usize) -> Option<usize> {
        let text = self.sources.text(of.span).to_string();
        let model = match &of.kind {
            ExprKind::Name(name) => self.model_called(name, home),
            _ => None,
        };
        let why = match model.and_then(|index| self.out.models.get(index)) {
            None => "no model above is called so",
            Some(info) if info.frozen.is_some() => "it is frozen, and never changes",
            Some(info) if info.follows.is_some() => "it follows another model itself",
            Some(_) => return model,
        };
        let known: Vec<&str> = self.out.models.iter().filter(|m| m.trains()).map(|m| m.name.as_str()).collect();
        self.logs.reports.push(follow::cannot_follow(of.span, &text, why, &known));
        None
    }

    fn decay(&mut self, decay: &Expr, home: usize) -> Option<Constant> {
        let env = self.top(home);
        let term = self.expr(decay, &env);
        let Term::Known(k) = term else {
            if !matches!(term, Term::Poison) {
                let found = self.shown(&term);
                self.logs.reports.push(follow::decay(decay.span, &found));
            }
            return None;
        };
        let k = self.known_as(k, Kind::Weight, decay.span, decay.span, "`decay` of `@ema`")?;
        // One that nobody has set yet is set before there is a run.
        let value = k.value.unwrap_or(Constant::Number(0.0));
        if value.on_the_way().iter().any(|x| x.number().is_none_or(|x| x > 1.0)) {
            self.logs.reports.push(follow::decay(decay.span, &value.to_string()));
            return None;
        }
        Some(value)
    }

    /// The index of a model of a file.
    fn model_called(&self, name: &str, home: usize) -> Option<usize> {
        match self.files.get(home)?.callable(name)?.1 {
            Callable::Model(def) => Some(def.index),
            Callable::Function(_) => None,
        }
    }

    /// Finds for every weight of a model that follows the weight of the other, and reports the first that differs.
    pub fn pair_followers(&mut self) {
        for (index, model) in self.out.models.clone().into_iter().enumerate() {
            let Some(follows) = &model.follows else { continue };
            let Some(of) = self.out.models.get(follows.model).cloned() else { continue };
            let own = |of: usize, name: &str| -> Vec<(usize, String, Vec<usize>)> {
                let all = self.out.weights.iter().enumerate().filter(|(_, w)| w.model == of);
                let prefix = format!("{name}.");
                all.map(|(i, w)| (i, w.name.strip_prefix(&prefix).unwrap_or(&w.name).into(), w.shape.clone())).collect()
            };
            let (mine, theirs) = (own(index, &model.name), own(follows.model, &of.name));
            if model.calls == 0 {
                continue;
            }
            let mut pairs = Vec::new();
            let mut difference =
                (of.calls == 0).then(|| format!("`{}` is never called, so it has no weights", of.name));
            for (at, role, shape) in &mine {
                let there = theirs.iter().find(|(_, r, _)| r == role);
                let differs = match there {
                    None => Some(format!("`{}.{role}` {shape:?} has none beside it in `{}`", model.name, of.name)),
                    Some((_, _, other)) if other != shape => {
                        Some(format!("`{}.{role}` is {shape:?}, and `{}.{role}` is {other:?}", model.name, of.name))
                    }
                    Some((there, ..)) => {
                        pairs.push((*at, *there));
                        None
                    }
                };
                difference = difference.or(differs);
            }
            let lacking = theirs.iter().find(|(_, role, _)| !mine.iter().any(|(_, r, _)| r == role));
            let lacking =
                lacking.map(|(_, role, shape)| format!("it has no weight beside `{}.{role}` {shape:?}", of.name));
            if let Some(difference) = difference.or(lacking) {
                let report = follow::weights_differ(model.span, &model.name, of.span, &of.name, &difference);
                self.logs.reports.push(report);
                continue;
            }
            for (at, there) in pairs {
                if let Some(weight) = self.out.weights.get_mut(at) {
                    weight.follows = Some(there);
                }
            }
        }
    }

    /// `weight temperature: Rate = 0.07` of a model: the tensor that it is.
    pub fn declared_weight(&mut self, name: &Name, ty: &TypeExpr, value: &Expr, env: &Env) -> Term {
        let Some(kind) = Kind::named(&ty.kind.text) else {
            self.logs.reports.push(kinds::no_such_kind(ty.kind.span, &ty.kind.text));
            return Term::Poison;
        };
        if !matches!(kind, Kind::Scalar | Kind::Rate | Kind::Vectors) {
            self.logs.reports.push(follow::weight_kind(ty.span, &name.text, kind));
            return Term::Poison;
        }
        let wanted = if kind == Kind::Vectors { 2 } else { 0 };
        let written = ty.dims.as_deref().unwrap_or(&[]);
        if written.len() != wanted || ty.unit.is_some() || ty.frame.is_some() {
            self.logs.reports.push(match wanted {
                0 => follow::weight_kind(ty.span, &name.text, Kind::Values),
                _ => follow::weight_shape(ty.span, &name.text),
            });
            return Term::Poison;
        }
        let mut dims = Vec::new();
        for dim in written {
            // A size may be a count that is known before the run, of the model or of the file.
            let counted = match &dim.kind {
                DimKind::Name(count) => match self.lookup(count, env).map(|b| b.term) {
                    Some(Term::Known(Known { value, size, kind: Kind::Count, .. })) => {
                        let number = value.as_ref().and_then(Constant::count).and_then(|n| i64::try_from(n).ok());
                        number.map(Dim::number).or(size)
                    }
                    _ => None,
                },
                _ => None,
            };
            let alone = TypeExpr { dims: Some(vec![dim.clone()]), ..ty.clone() };
            let Some(dim) = counted.or_else(|| self.ground(&alone, env)?.dims.into_iter().next()) else {
                return Term::Poison;
            };
            dims.push(dim);
        }
        let term = self.expr(value, env);
        let shape: Option<Vec<usize>> = dims
            .iter()
            .map(|d| d.value(&self.out.sizes).and_then(Result::ok).and_then(|n| usize::try_from(n).ok()))
            .collect();
        let Some(initial) = self.begins(name, kind, &term, value.span, shape.as_deref()) else { return Term::Poison };
        // One number that is learned is a loss's factor like any other; a rate stays positive, for its logarithm is kept.
        let own = if kind == Kind::Vectors { Kind::Vectors } else { Kind::Loss };
        let stored = Type::shaped(own, dims);
        let source = match (&env.weights, self.generic || self.untaken) {
            (Some(path), false) => {
                let suffix = if kind == Kind::Rate { ".log" } else { "" };
                let info = WeightInfo {
                    class: crate::parts::WeightClass::Other,
                    name: format!("{}{suffix}", path.name),
                    shape: shape.unwrap_or_default(),
                    initial: initial.unwrap_or(Initial::Constant(0.0)),
                    model: path.model,
                    span: name.span,
                    follows: None,
                };
                if stored.dims.iter().any(|d| d.value(&self.out.sizes).is_none()) {
                    self.logs.reports.push(shapes::unknown_weight(name.span, &info.name));
                    return Term::Poison;
                }
                let at = self.out.weights.iter().position(|w| w.name == info.name);
                ValueSource::Weight(at.unwrap_or_else(|| {
                    self.out.weights.push(info);
                    self.out.weights.len() - 1
                }))
            }
            _ => ValueSource::Parameter,
        };
        let id = self.push(source, stored, name.span);
        if kind != Kind::Rate {
            return Term::Tensor(id);
        }
        let apply =
            Apply { op: "exp", inputs: vec![("x", id)], weights: vec![], settings: Settings::default(), stream: 0 };
        Term::Tensor(self.push(ValueSource::Apply(apply), Type::plain(Kind::Rate), name.span))
    }

    /// How a weight begins; `Some(None)` where that is not known yet, `None` where it was reported.
    fn begins(
        &mut self,
        name: &Name,
        kind: Kind,
        term: &Term,
        span: Span,
        shape: Option<&[usize]>,
    ) -> Option<Option<Initial>> {
        let initial = match term {
            Term::Poison => return None,
            Term::Known(Known { value: None, kind: of, .. }) if of.is(Kind::Scalar) || *of == Kind::Init => {
                return Some(None);
            }
            Term::Known(Known { value: Some(Constant::Number(x)), .. }) => match kind {
                Kind::Rate if *x <= 0.0 => None,
                Kind::Rate => Some(Initial::Constant(x.ln())),
                _ => Some(Initial::Constant(*x)),
            },
            Term::Known(Known { value: Some(Constant::Recipe(recipe)), kind: Kind::Init, .. })
                if kind != Kind::Rate =>
            {
                let drawn = self.vocabulary.operation(&recipe.op).and_then(|op| op.entry.initial);
                match shape {
                    None => return Some(None),
                    Some(shape) => drawn.and_then(|drawn| drawn(&recipe.settings, shape)),
                }
            }
            _ => None,
        };
        if initial.is_none() {
            let mut found = self.shown(term);
            if kind == Kind::Rate {
                found.push_str(", and a Rate begins as a positive number");
            }
            self.logs.reports.push(follow::weight_begins(span, &name.text, &found));
            return None;
        }
        Some(initial)
    }

    /// `minimize name of models = value`
    pub fn minimize(&mut self, name: &Name, of: &[Name], value: &Expr, home: usize, env: &Env) {
        let first = self.out.objectives.first().map(|o| (o.output.span, o.models.is_some()));
        if let Some((first, named)) = first
            && (!named || of.is_empty())
        {
            self.logs.reports.push(names::two_objectives(name.span, first));
            return;
        }
        let mut models = Vec::new();
        for of in of {
            let Some(index) = self.model_called(&of.text, home) else {
                let known: Vec<&str> = self.out.models.iter().map(|m| m.name.as_str()).collect();
                self.logs.reports.push(follow::no_model(of.span, &of.text, &known));
                continue;
            };
            let earlier = self.out.objectives.iter().find(|o| o.models.as_ref().is_some_and(|m| m.contains(&index)));
            let why = match self.out.models.get(index) {
                Some(model) if model.frozen.is_some() => Some("it is frozen"),
                Some(model) if model.follows.is_some() => Some("it follows another model"),
                _ if earlier.is_some() => Some("another objective trains it already"),
                _ if models.contains(&index) => Some("it is named twice"),
                _ => None,
            };
            match why {
                Some(why) => {
                    let first = earlier.map(|o| o.output.span);
                    self.logs.reports.push(follow::cannot_train(of.span, &of.text, why, first));
                }
                None => models.push(index),
            }
        }
        if let Some(output) = self.output(name, value, "objective", home, env) {
            self.out.objective.get_or_insert_with(|| output.clone());
            let models = (!of.is_empty()).then_some(models);
            self.out.objectives.push(Objective { output, models });
        }
    }

    /// Where objectives name their models, every model that trains has one.
    pub fn every_model_trained(&mut self) {
        let named = |o: &&Objective| o.models.is_some();
        let Some(objective) = self.out.objectives.iter().find(named).map(|o| o.output.span) else { return };
        let idle = |(index, _): &(usize, &crate::typed::ModelInfo)| !self.out.objectives.iter().any(|o| o.of(*index));
        let models = self.out.models.iter().enumerate().filter(|(_, m)| m.trains() && m.calls > 0);
        let reports: Vec<_> = models.filter(idle).map(|(_, m)| follow::untrained(m.span, &m.name, objective)).collect();
        self.logs.reports.extend(reports);
    }
}
