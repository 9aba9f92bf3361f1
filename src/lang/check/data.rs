//! Datasets: what they offer, checked against what the pipeline declares.

use std::collections::HashMap;
use std::rc::Rc;

use super::Checker;
use super::items::Progress;
use super::scope::{Env, Known, Record, Term};
use super::sizes::SizeOrigin;
use crate::ast::{BinaryOp, DimExpr, DimKind, Expr, ExprKind, FnParam, Name, TypeExpr};
use crate::constant::{Constant, Recipe, Settings};
use crate::dim::Dim;
use crate::report::{frames, kinds, names, shapes};
use crate::source::Span;
use crate::typed::{Dataset, Share, ValueSource};
use crate::types::{Frame, Kind, Type};

/// A size as the dataset knows it.
#[derive(Clone, Copy, PartialEq)]
enum Offered {
    Number(i64),
    Batch,
    Unknown,
}

impl Checker<'_> {
    /// A dataset; the record of its fields.
    pub fn data(
        &mut self,
        name: &Name,
        value: &Expr,
        declared: Option<&[(Name, TypeExpr)]>,
        env: &Env,
        progress: &mut Progress,
    ) -> Term {
        let vocabulary = self.vocabulary;
        let poison = |fields: Option<&[(Name, TypeExpr)]>| match fields {
            // The names are known even where the dataset is not: they must not be reported as missing where they are
            // used.
            Some(fields) => {
                let fields = fields.iter().map(|(n, _)| (n.text.clone(), Term::Poison)).collect();
                Term::Record(Rc::new(Record { of: name.text.clone(), made: name.span, fields, open: false }))
            }
            None => Term::Poison,
        };
        let recipe = match self.expr(value, env) {
            Term::Known(Known { value: recipe, kind: Kind::Dataset, .. }) => recipe,
            Term::Poison => return poison(declared),
            other => {
                let found = self.shown(&other);
                self.logs.reports.push(kinds::not_a_dataset(value.span, &found));
                return poison(declared);
            }
        };
        let (recipe, op) = match recipe {
            Some(Constant::Recipe(r)) => (Some(r.clone()), r.op),
            _ => (None, callee(value).unwrap_or_default().to_string()),
        };
        let Some(operation) = vocabulary.operation(&op) else { return poison(declared) };
        let offers = &operation.offers;
        let open = operation.offers_declared();
        if open && declared.is_none() {
            self.logs.reports.push(names::fields_not_declared(value.span, &op));
            return Term::Poison;
        }
        let stated: Vec<(Name, TypeExpr)> = match declared {
            Some(fields) => fields.to_vec(),
            None => offers
                .iter()
                .map(|(n, ty)| {
                    let ty = plain_sizes(ty, recipe.as_ref());
                    (Name { text: (*n).into(), span: name.span }, ty)
                })
                .collect(),
        };
        let mut frames_of: HashMap<String, Frame> = HashMap::new();
        let mut fields: Vec<(String, Term)> = Vec::new();
        let mut types = Vec::new();
        for (field, written) in &stated {
            let as_declared = if open { self.as_declared(field, written) } else { None };
            let offer = match open {
                true => as_declared.as_ref(),
                false => offers.iter().find(|(n, _)| *n == field.text).map(|(_, ty)| ty),
            };
            let Some(offer) = offer else {
                if open {
                    fields.push((field.text.clone(), Term::Poison));
                    continue;
                }
                let known: Vec<&str> = offers.iter().map(|(n, _)| *n).collect();
                self.logs.reports.push(names::no_such_field(field.span, &field.text, &op, &known));
                fields.push((field.text.clone(), Term::Poison));
                continue;
            };
            if fields.iter().any(|(n, _)| *n == field.text) {
                self.logs.reports.push(names::defined_twice(field.span, &field.text, field.span, None));
                continue;
            }
            let context = Context { recipe: recipe.as_ref(), value, op: &op };
            match self.field(written, offer, &context, &mut frames_of, progress) {
                Some(ty) => {
                    let place = if declared.is_some() { written.span } else { name.span };
                    if !self.own_frames(&ty, name, place) {
                        fields.push((field.text.clone(), Term::Poison));
                        continue;
                    }
                    self.declare_frame(&ty);
                    let source = ValueSource::Field { data: Some(self.out.datasets.len()), name: field.text.clone() };
                    let id = self.push(source, ty.clone(), written.span);
                    fields.push((field.text.clone(), Term::Tensor(id)));
                    types.push((field.text.clone(), ty));
                }
                None => fields.push((field.text.clone(), Term::Poison)),
            }
        }
        if let Some(recipe) = recipe {
            let share = share(value, &recipe, &operation.params);
            let name = name.text.clone();
            self.out.datasets.push(Dataset { name, recipe, fields: types, span: value.span, share });
        }
        Term::Record(Rc::new(Record { of: name.text.clone(), made: name.span, fields, open: false }))
    }

    /// Whether the frames of a field are of this dataset alone: places of two datasets have nothing to do with each other.
    fn own_frames(&mut self, ty: &Type, data: &Name, place: Span) -> bool {
        for frame in ty.frame.iter().chain(&ty.to) {
            let owner = self.frames_of_data.entry(frame.clone()).or_insert_with(|| data.text.clone());
            if *owner != data.text {
                let owner = owner.clone();
                if self.logs.reports.iter().all(|r| r.code != "R0521" || r.place() != Some(place)) {
                    self.logs.reports.push(frames::of_another_dataset(place, frame, &owner, &data.text));
                }
                return false;
            }
        }
        true
    }

    /// What a dataset offers that knows nothing of its fields: the written type, with samples along the first axis and
    /// the other sizes open. `None` where the type is none that a field can have, which is reported.
    fn as_declared(&mut self, field: &Name, written: &TypeExpr) -> Option<TypeExpr> {
        let Some(kind) = Kind::named(&written.kind.text) else {
            self.logs.reports.push(kinds::no_such_kind(written.kind.span, &written.kind.text));
            return None;
        };
        if !kind.is_tensor() || kind.is(Kind::Scalar) {
            self.logs.reports.push(kinds::field_kind(written.span, &field.text, kind));
            return None;
        }
        let (framed, example) = match kind {
            Kind::Homography => {
                (written.frame.is_some() && written.to.is_some(), "Homography[B]@orig->moved".to_string())
            }
            kind if kind.is_placed() => (written.frame.is_some(), format!("{}[B, N]@orig", kind.name())),
            kind if kind.is(Kind::Map) => (written.frame.is_some(), format!("{}[B, 1, H, W]@orig", kind.name())),
            kind => (true, format!("{}[B, C]", kind.name())),
        };
        let axes = written.dims.as_ref().map_or(0, Vec::len);
        let named = written.dims.iter().flatten().any(|d| d.axis.is_some());
        if axes == 0 || !named && kind.rank().is_some_and(|rank| rank != axes) {
            self.logs.reports.push(shapes::declared_axes(written.span, kind, &example));
            return None;
        }
        if !framed {
            self.logs.reports.push(frames::field_without_frame(written.span, kind.name(), &example));
            return None;
        }
        let mut offer = written.clone();
        for (axis, dim) in offer.dims.iter_mut().flatten().enumerate() {
            dim.kind = if axis == 0 { DimKind::Name("B".into()) } else { DimKind::Any };
        }
        Some(offer)
    }

    /// Where an argument's value was given: for a parameter that is where its value is, be it the command line.
    fn given_at(&self, context: &Context<'_>, name: &str) -> Option<Span> {
        let argument = context.argument(name)?;
        let param = match &argument.kind {
            ExprKind::Name(name) => self.out.params.iter().find(|p| p.name == *name),
            _ => None,
        };
        Some(param.map_or(argument.span, |p| p.value_span))
    }

    /// One field: the written type, checked against the offered one.
    fn field(
        &mut self,
        written: &TypeExpr,
        offer: &TypeExpr,
        context: &Context<'_>,
        frames_of: &mut HashMap<String, Frame>,
        progress: &mut Progress,
    ) -> Option<Type> {
        let Some(kind) = Kind::named(&written.kind.text) else {
            self.logs.reports.push(kinds::no_such_kind(written.kind.span, &written.kind.text));
            return None;
        };
        let offered = Kind::named(&offer.kind.text)?;
        if !offered.is(kind) {
            self.logs.reports.push(kinds::data_kind(written.span, context.op, offered, kind));
            return None;
        }
        let mut frame_of =
            |given: &Option<Name>, offer: &Option<Name>| -> Result<Option<Frame>, (Span, Frame, String)> {
                let Some(offer) = offer else { return Ok(None) };
                let frame = Frame(given.as_ref().map_or(offer.text.clone(), |n| n.text.clone()));
                let taken = frames_of.iter().find(|(o, f)| **f == frame && **o != offer.text).map(|(o, _)| o.clone());
                let earlier = frames_of.get(&offer.text).filter(|f| **f != frame).cloned();
                let span = given.as_ref().map_or(written.span, |n| n.span);
                match (taken, earlier) {
                    (Some(other), _) => Err((span, frame, format!("the view that `{}` calls @{other}", context.op))),
                    (_, Some(earlier)) => Err((span, frame, format!("called {earlier} above"))),
                    _ => {
                        frames_of.insert(offer.text.clone(), frame.clone());
                        Ok(Some(frame))
                    }
                }
            };
        let both = (frame_of(&written.frame, &offer.frame), frame_of(&written.to, &offer.to));
        let (frame, to) = match both {
            (Ok(frame), Ok(to)) => (frame, to),
            (Err((span, frame, why)), _) | (_, Err((span, frame, why))) => {
                self.logs.reports.push(frames::data_frame(span, &frame, &why));
                return None;
            }
        };
        for frame in frame.iter().chain(&to) {
            self.logs.moves.push(frame.clone());
        }
        if written.frame.is_some() && offer.frame.is_none() || written.to.is_some() && offer.to.is_none() {
            self.logs.reports.push(frames::no_frame_here(written.span, context.op));
            return None;
        }
        let offer_dims: &[DimExpr] = offer.dims.as_deref().unwrap_or(&[]);
        let own = plain_sizes(offer, context.recipe);
        let dims = written.dims.as_deref().or(own.dims.as_deref()).unwrap_or(&[]);
        if dims.len() != offer_dims.len() {
            let wanted = crate::tree::type_expr(offer);
            self.logs.reports.push(shapes::data_rank(written.span, context.op, &wanted));
            return None;
        }
        let mut shape = Vec::new();
        for (written, offer) in dims.iter().zip(offer_dims) {
            shape.push(self.data_size(written, offer, context, progress)?);
        }
        let axes = match written.dims {
            Some(_) => self.written_axes(written, kind)?,
            None => kind.axes(shape.len()),
        };
        Some(Type { kind, unit: written.unit.is_some(), dims: shape, axes, frame, to })
    }

    /// One size of a field. A new name is set by the data; anything else must agree with it.
    fn data_size(
        &mut self,
        written: &DimExpr,
        offer: &DimExpr,
        context: &Context<'_>,
        progress: &mut Progress,
    ) -> Option<Dim> {
        let (offered, set_by) = context.offered(offer);
        let set_at = set_by.and_then(|name| self.given_at(context, name)).unwrap_or(context.value.span);
        if let DimKind::Name(name) = &written.kind
            && !self.dims.contains_key(name)
        {
            // All datasets take the batch that `train` sets.
            if let (Offered::Batch, Some(batch)) = (offered, self.out.batch) {
                let same = self.dims.values().find(|d| d.as_symbol().is_some_and(|s| s.id == batch)).cloned();
                if let Some(dim) = same {
                    self.dims.insert(name.clone(), dim.clone());
                    return Some(dim);
                }
            }
            let symbol = self.new_symbol(name, false);
            match offered {
                Offered::Number(n) => {
                    self.out.sizes.insert(symbol.id, n);
                    progress.origins.push(SizeOrigin { symbol: symbol.id, name: name.clone(), value: n, set_at });
                }
                Offered::Batch => self.out.batch = Some(symbol.id),
                Offered::Unknown => {}
            }
            let dim = Dim::symbol(symbol);
            self.dims.insert(name.clone(), dim.clone());
            return Some(dim);
        }
        let known: HashMap<String, (Dim, usize)> = self.dims.iter().map(|(n, d)| (n.clone(), (d.clone(), 0))).collect();
        let dim = written_dim(written, &known).or_else(|| {
            self.logs.reports.push(shapes::not_linear(written.span, written.span));
            None
        })?;
        let value = dim.value(&self.out.sizes);
        let is_batch = dim.symbols().any(|s| self.out.batch == Some(s.id));
        let agrees = match offered {
            Offered::Number(_) | Offered::Unknown if is_batch => false,
            Offered::Number(n) => {
                if let (None, Some(symbol)) = (value, dim.as_symbol()) {
                    let (symbol, name) = (symbol.id, symbol.name.to_string());
                    self.out.sizes.insert(symbol, n);
                    progress.origins.push(SizeOrigin { symbol, name, value: n, set_at });
                }
                value.is_none() || value == Some(Ok(n))
            }
            Offered::Batch => dim.as_symbol().is_some_and(|s| self.out.batch == Some(s.id)),
            Offered::Unknown => true,
        };
        if !agrees {
            let says = match offered {
                Offered::Number(n) if is_batch => format!("{n}, and {dim} is the batch: give them different names"),
                Offered::Number(n) => n.to_string(),
                _ => "the batch, whose size `train { batch = … }` sets: give it a name of its own".into(),
            };
            self.logs.reports.push(shapes::data_size(written.span, &dim, set_at, &says));
            return None;
        }
        Some(dim)
    }
}

/// The dataset at hand.
struct Context<'a> {
    recipe: Option<&'a Recipe>,
    value: &'a Expr,
    op: &'a str,
}

impl Context<'_> {
    /// What a size is in the dataset, and which of its arguments sets it.
    fn offered<'d>(&self, offer: &'d DimExpr) -> (Offered, Option<&'d str>) {
        match &offer.kind {
            DimKind::Number(n) => (Offered::Number(*n), None),
            DimKind::Name(name) if name == "B" => (Offered::Batch, None),
            DimKind::Name(name) => {
                let count = self.recipe.and_then(|r| r.settings.count(name).ok()).and_then(|n| i64::try_from(n).ok());
                (count.map_or(Offered::Unknown, Offered::Number), Some(name))
            }
            _ => (Offered::Unknown, None),
        }
    }

    /// An argument of the dataset's call, as it was written.
    fn argument(&self, name: &str) -> Option<&Expr> {
        match &self.value.kind {
            ExprKind::Call { args, .. } => {
                args.iter().find(|a| a.name.as_ref().is_some_and(|n| n.text == name)).map(|a| &a.value)
            }
            _ => None,
        }
    }
}

/// The type a dataset offers, with its channels as the number that they are, and its image's sizes called H and W.
fn plain_sizes(offer: &TypeExpr, recipe: Option<&Recipe>) -> TypeExpr {
    let mut ty = offer.clone();
    for (axis, dim) in ty.dims.iter_mut().flatten().enumerate() {
        let DimKind::Name(name) = &dim.kind else { continue };
        let count = || recipe.and_then(|r| r.settings.count(name).ok()).and_then(|n| i64::try_from(n).ok());
        dim.kind = match axis {
            0 => continue,
            1 => count().map_or(DimKind::Name("C".into()), DimKind::Number),
            2 => DimKind::Name("H".into()),
            _ => DimKind::Name("W".into()),
        };
    }
    ty
}

fn written_dim(written: &DimExpr, known: &HashMap<String, (Dim, usize)>) -> Option<Dim> {
    match &written.kind {
        DimKind::Number(n) => Some(Dim::number(*n)),
        DimKind::Name(name) => known.get(name).map(|(d, _)| d.clone()),
        DimKind::Any => None,
        DimKind::Binary { op, left, right } => {
            let (a, b) = (written_dim(left, known)?, written_dim(right, known)?);
            match op {
                BinaryOp::Add => a.add(&b),
                BinaryOp::Sub => a.sub(&b),
                BinaryOp::Mul => a.mul(&b),
                _ => a.over(b.as_number()?),
            }
        }
    }
}

/// The share of a dataset that is trained on, at the argument that sets it; where there is none, at the dataset.
fn share(value: &Expr, recipe: &Recipe, params: &[FnParam]) -> Option<Share> {
    let trained = recipe.settings.number(Share::SETTING).ok()?;
    // Files of its own to validate on leave none of the others out, whatever the share is.
    let held = |settings: &Settings| settings.list(Share::APART).is_ok_and(|files| !files.is_empty());
    let of_layouts = recipe.settings.0.iter().any(|(_, c)| matches!(c, Constant::Recipe(r) if held(&r.settings)));
    let trained = if held(&recipe.settings) || of_layouts { trained.min(0.5) } else { trained };
    let args = if let ExprKind::Call { args, .. } = &value.kind { args.as_slice() } else { &[] };
    let named = args.iter().find(|a| a.name.as_ref().is_some_and(|n| n.text == Share::SETTING));
    let at = params.iter().position(|p| p.name.text == Share::SETTING);
    let unnamed = at.and_then(|at| args.iter().filter(|a| a.name.is_none()).nth(at));
    let span = named.or(unnamed).map_or(value.span, |a| a.value.span);
    Some(Share { trained, span })
}

fn callee(e: &Expr) -> Option<&str> {
    match &e.kind {
        ExprKind::Call { callee, .. } => match &callee.kind {
            ExprKind::Name(name) => Some(name),
            _ => None,
        },
        ExprKind::Name(name) => Some(name),
        _ => None,
    }
}
