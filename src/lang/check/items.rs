//! Items in the order of the file.

use std::cell::Cell;
use std::collections::HashMap;
use std::rc::Rc;

use super::imports::left_out;
use super::scope::{Binding, Callable, Env, FileScope, FunctionDef, Known, ModelDef, Subst, Term};
use super::sizes::SizeOrigin;
use super::{Checker, Outside, Tensors};
use crate::ast::{DimExpr, DimKind, Expr, File, FnParam, Function, Item, ItemKind, ModelLine, Name, TypeExpr};
use crate::dim::Dim;
use crate::named::Named;
use crate::report::{frames, kinds, names, runtime, shapes};
use crate::source::Span;
use crate::typed::{ModelInfo, Output, ValueSource};
use crate::types::{Frame, Kind, Type};

/// The most calls that a function or model may be written out to.
const MOST_ALONE: u32 = 20_000;

/// What the items so far have set, beside names.
#[derive(Default)]
pub struct Progress {
    /// Sizes that the data set, for the report of a size that does not divide.
    pub origins: Vec<SizeOrigin>,
    /// Sizes stated by model outputs, with their text.
    pub declared: Vec<(Span, String)>,
}

impl Checker<'_> {
    /// Checks a whole file.
    pub fn run(&mut self, tree: &File, outside: &Outside) {
        let home = self.open_file(tree, |_| true);
        let presets = self.find_preset(tree, outside);
        let mut progress = Progress::default();
        for item in &tree.items {
            self.attributes(item);
            self.item(item, home, outside, &presets, &mut progress);
        }
        self.metrics_minimized(tree);
        self.sections(tree, home);
        self.presets_and_sweeps(tree, home);
        self.unknown_given(outside, tree);
        let broken = tree.items.iter().any(|i| matches!(i.kind, ItemKind::Broken { .. }));
        self.check_watched(broken);
        self.discharge(&progress.origins, &progress.declared);
        self.check_parts(tree);
        self.trainable(tree);
        // What hangs on broken lines would only be confused by them.
        if !crate::report::any_error(&self.logs.reports) {
            self.pair_followers();
            self.every_model_trained();
        }
        if !crate::report::any_error(&self.logs.reports) {
            self.gradients();
        }
        if !crate::report::any_error(&self.logs.reports) {
            self.lint_values();
            self.lint_schedule(tree);
            self.unused(tree);
            self.unused_allows();
        }
    }

    pub(super) fn open_file(&mut self, tree: &File, used: impl Fn(&Item) -> bool) -> usize {
        let mut later = HashMap::new();
        for item in tree.items.iter().filter(|i| used(i)) {
            for name in defined_by(item) {
                later.entry(name.text.clone()).or_insert(name.span);
            }
        }
        let mut left = HashMap::new();
        for item in tree.items.iter().filter(|i| !used(i)) {
            for name in defined_by(item) {
                left.entry(name.text.clone()).or_insert((name.span, left_out(&item.kind).to_string()));
            }
        }
        self.files.push(FileScope { later, left, ..FileScope::default() });
        self.files.len() - 1
    }

    fn item(&mut self, item: &Item, home: usize, outside: &Outside, preset: &[(Name, Expr)], progress: &mut Progress) {
        let env = self.top(home);
        let outer = self.enter(defined_by(item).first().map_or("", |name| name.text.as_str()), None);
        self.item_within(item, &env, home, outside, preset, progress);
        self.stage.0 = outer;
    }

    fn item_within(
        &mut self,
        item: &Item,
        env: &Env,
        home: usize,
        outside: &Outside,
        preset: &[(Name, Expr)],
        progress: &mut Progress,
    ) {
        match &item.kind {
            ItemKind::Pipeline { name, about } => {
                if !self.out.name.is_empty() {
                    self.logs.reports.push(names::second_of(item.span, "pipeline"));
                }
                self.out.name = name.text.clone();
                self.out.about = about.as_ref().map(|a| a.text.clone());
            }
            ItemKind::Import { path, names } => self.import(path, names, home),
            ItemKind::Param { name, ty, default, domain, about } => {
                let param = super::params::Written { name, ty, default: default.as_ref(), domain: domain.as_ref() };
                let known = self.param(&param, about.as_ref().map(|a| a.text.clone()), outside, preset, env);
                self.define(home, name, known);
            }
            ItemKind::Data { name, value, fields } => {
                self.begin_streams(&name.text);
                let record = self.data(name, value, fields.as_deref(), env, progress);
                self.define(home, name, record);
            }
            ItemKind::Input { name, ty } => {
                let term = self.input(name, ty, outside.tensors.as_ref());
                self.define(home, name, term);
            }
            ItemKind::Model { name, params, body } => self.model(item, name, params, body, home, progress),
            ItemKind::Function(f) => self.function(f, home),
            ItemKind::Let(binding) => {
                let bound = binding.pattern.names();
                self.begin_streams(&bound.iter().map(|n| n.text.as_str()).collect::<Vec<_>>().join(" "));
                let mut term = self.expr(&binding.value, env);
                if let Some(ty) = &binding.ty {
                    term = self.stated(term, ty, binding.value.span, env);
                }
                for (name, term) in self.destructure(&binding.pattern, term, binding.value.span) {
                    self.define(home, &name, term);
                }
            }
            ItemKind::Loss { name, value } => {
                if let Some(output) = self.output(name, value, "loss", home, env) {
                    self.out.losses.push(output);
                }
            }
            ItemKind::Metric { name, value } => {
                if let Some(output) = self.output(name, value, "metric", home, env) {
                    let direction = self.direction(output.value);
                    self.out.directions.extend(direction.map(|d| (output.name.clone(), d)));
                    self.out.metrics.push(output);
                }
            }
            ItemKind::Minimize { name, of, value } => self.minimize(name, of, value, home, env),
            ItemKind::Broken { defines } => {
                self.poison_new(defines, home);
            }
            // Read together once all names are known.
            ItemKind::Section { .. } | ItemKind::Preset { .. } | ItemKind::Sweep { .. } => {}
        }
    }

    /// Defines a name of a file, once.
    fn define(&mut self, home: usize, name: &Name, term: Term) {
        let is = Self::meaning(&term);
        let Some(file) = self.files.get_mut(home) else { return };
        if let Some(first) = file.names.get(&name.text) {
            let renamed = matches!(first.term, Term::Tensor(_)).then(|| format!("{}_r", name.text));
            self.logs.reports.push(names::defined_twice(name.span, &name.text, first.span, renamed.as_deref()));
            // The name it should have had is most likely used below; that is the same mistake.
            if let Some(renamed) = renamed {
                let binding = Binding { term: Term::Poison, span: name.span };
                file.names.entry(renamed).or_insert(binding);
            }
            return;
        }
        if !matches!(term, Term::Poison) {
            self.out.names.push(Named { name: name.text.clone(), is, span: name.span });
        }
        file.names.insert(name.text.clone(), Binding { term, span: name.span });
    }

    /// A loss, a metric or the objective: one number.
    pub(super) fn output(&mut self, name: &Name, value: &Expr, what: &str, home: usize, env: &Env) -> Option<Output> {
        self.begin_streams(&name.text);
        let term = self.expr(value, env);
        let ty = self.type_of(&term);
        match (&term, ty) {
            (Term::Tensor(id), Some(ty)) if ty.kind == Kind::Loss => {
                let output = Output { name: name.text.clone(), value: *id, span: name.span };
                self.define(home, name, term);
                Some(output)
            }
            (Term::Poison, _) => {
                self.define(home, name, Term::Poison);
                None
            }
            (_, ty) => {
                let found = self.shown(&term);
                let is_map = ty.is_some_and(|t| t.kind.is(Kind::Values));
                let cause = self.reduction_of(value);
                self.logs.reports.push(kinds::one_number(what, &name.text, value.span, &found, is_map, cause));
                self.define(home, name, Term::Poison);
                None
            }
        }
    }

    /// The `reduce = none` that left a map, if that is what happened.
    fn reduction_of(&self, value: &Expr) -> Option<Span> {
        use crate::ast::ExprKind;
        match &value.kind {
            ExprKind::Call { args, .. } => args.iter().find_map(|a| {
                let name = a.name.as_ref().filter(|n| n.text == "reduce")?;
                Some(name.span.to(a.value.span))
            }),
            _ => value.kind.children().into_iter().find_map(|e| self.reduction_of(e)),
        }
    }

    /// An operation's name cannot be given to something else: a reader would take the one for the other.
    fn refuse_taken(&mut self, name: &Name) {
        // `cosine` is a schedule and a function of the library, and the latter may be replaced.
        let replaced = self.vocabulary.function(&name.text).is_some();
        if !replaced && self.vocabulary.operation(&name.text).is_some_and(|o| !o.entry.operator) {
            let usage = self.vocabulary.usage(&name.text).unwrap_or_default();
            self.logs.reports.push(names::name_taken(name.span, &name.text, &usage));
        }
    }

    /// A `fn` or a `layer`, checked on its own.
    pub(super) fn function(&mut self, f: &Function, home: usize) {
        if !self.new_callable(&f.name, home) {
            return;
        }
        self.refuse_taken(&f.name);
        let before = self.files.get(home).map_or(0, |f| f.callables.len());
        let def = Rc::new(FunctionDef { function: f.clone(), home: Some(home), before, too_far: Cell::new(false) });
        if let Some(file) = self.files.get_mut(home) {
            file.add(Callable::Function(Rc::clone(&def)));
        }
        let too_far = self.alone(&f.params, home, before + 1, |checker, env| {
            checker.function_body(f, &Env { within: Some(Rc::clone(&def)), ..env.clone() });
        });
        if too_far {
            def.too_far.set(true);
        }
    }

    pub(super) fn model(
        &mut self,
        item: &Item,
        name: &Name,
        params: &[FnParam],
        body: &[ModelLine],
        home: usize,
        progress: &mut Progress,
    ) {
        if !self.new_callable(name, home) {
            return;
        }
        if let Some(first) = self.out.models.iter().find(|m| m.name == name.text) {
            // Weights are named by their model, so two of one name cannot be distinguished, even in different files.
            self.logs.reports.push(names::defined_twice(name.span, &name.text, first.span, None));
            return;
        }
        self.refuse_taken(name);
        let gives =
            |l: &ModelLine| matches!(l, ModelLine::Out { .. } | ModelLine::Weight { .. } | ModelLine::Broken { .. });
        if !body.iter().any(gives) {
            self.logs.reports.push(names::model_without_out(name.span, &name.text));
        }
        for line in body {
            if let ModelLine::Out { ty: Some(TypeExpr { dims: Some(dims), .. }), .. } = line {
                let text = |d: &DimExpr| self.sources.text(d.span).to_string();
                progress.declared.extend(dims.iter().map(|d| (d.span, text(d))));
            }
        }
        let before = self.files.get(home).map_or(0, |f| f.callables.len());
        let index = self.out.models.len();
        let frozen = self.frozen(item, home);
        let follows = self.follows(item, home);
        self.out.models.push(ModelInfo { name: name.text.clone(), span: name.span, calls: 0, frozen, follows });
        let def = ModelDef { name: name.clone(), params: params.to_vec(), body: body.to_vec(), home, before, index };
        let mut outs = Vec::new();
        self.alone(params, home, before, |checker, env| {
            for (out, term) in checker.model_body(&def, env) {
                outs.push((out, checker.meaning_within(&term)));
            }
        });
        for (out, is) in outs {
            self.out.names.push(Named { name: format!("{}.{out}", name.text), is, span: name.span });
        }
        if let Some(file) = self.files.get_mut(home) {
            file.add(Callable::Model(Rc::new(def)));
        }
    }

    pub(super) fn new_callable(&mut self, name: &Name, home: usize) -> bool {
        let Some(file) = self.files.get(home) else { return false };
        let first = file.callable(&name.text).map(|(_, c)| c.head().0.span);
        let variable = file.names.get(&name.text).filter(|b| !matches!(b.term, Term::Poison)).map(|b| b.span);
        if let Some(first) = first.or(variable) {
            self.logs.reports.push(names::defined_twice(name.span, &name.text, first, None));
            return false;
        }
        true
    }

    /// Checks a body on its own: sizes and frames of its parameters are names, settings are unknown. Nothing of it
    /// stays. True where writing it out led too far.
    fn alone(&mut self, params: &[FnParam], home: usize, visible: usize, body: impl FnOnce(&mut Self, &Env)) -> bool {
        let (mark, kept) = (self.logs.mark(), (self.streams, self.budget));
        let generic = std::mem::replace(&mut self.generic, true);
        let outer = std::mem::replace(&mut self.too_far, false);
        self.budget = self.budget.min(MOST_ALONE);
        let mut subst = Subst::default();
        for param in params {
            for dim in param.ty.dims.iter().flatten() {
                self.name_sizes(dim, &mut subst);
            }
            for frame in param.ty.frame.iter().chain(&param.ty.to) {
                subst.frames.insert(frame.text.clone(), (Frame(frame.text.clone()), usize::MAX));
            }
        }
        let said = self.logs.reports.len();
        let mut env = Env { visible, top: false, ..self.top(home) };
        env.subst = Rc::new(subst);
        for param in params {
            let mut term = self.parameter(param, &env);
            if let (Term::Known(Known { size: Some(size), .. }), Kind::Count) =
                (&mut term, Kind::named(&param.ty.kind.text).unwrap_or(Kind::Values))
            {
                // A shape before it may have spoken of it: `x: Feat[B, width, h, w]@f, width: Count`.
                if let Some((named, _)) = env.subst.dims.get(&param.name.text) {
                    *size = named.clone();
                }
                let mut subst = (*env.subst).clone();
                subst.dims.insert(param.name.text.clone(), (size.clone(), usize::MAX));
                env.subst = Rc::new(subst);
            }
            self.refuse_local_twice(&param.name, &env);
            env = Self::with_local(env, &param.name.text, term, param.name.span);
        }
        let before = self.logs.reports.len();
        body(self, &env);
        if self.logs.reports.iter().take(before).skip(said).any(|r| r.code == "R0513") {
            // The frame that an argument lacks is the one that the body speaks of.
            let mut at = 0;
            self.logs.reports.retain(|r| {
                at += 1;
                at <= before || r.code != "R0505"
            });
        }
        self.generic = generic;
        // The values go; what they were stays as a note.
        let parts = self.logs.values.iter().skip(mark.values()).map(|v| (v.span, v.ty.clone()));
        self.out.notes.parts.extend(parts);
        self.logs.rollback(&mark);
        self.logs.unwatch(&mark);
        (self.streams, self.budget) = kept;
        std::mem::replace(&mut self.too_far, outer)
    }

    fn name_sizes(&mut self, dim: &DimExpr, subst: &mut Subst) {
        match &dim.kind {
            DimKind::Name(name) if !subst.dims.contains_key(name) => {
                let symbol = self.new_symbol(name, false);
                subst.dims.insert(name.clone(), (Dim::symbol(symbol), usize::MAX));
            }
            DimKind::Binary { left, right, .. } => {
                self.name_sizes(left, subst);
                self.name_sizes(right, subst);
            }
            _ => {}
        }
    }

    /// A parameter of what is checked on its own.
    fn parameter(&mut self, param: &FnParam, env: &Env) -> Term {
        let Some(kind) = Kind::named(&param.ty.kind.text) else {
            self.logs.reports.push(kinds::no_such_kind(param.ty.kind.span, &param.ty.kind.text));
            return Term::Poison;
        };
        if !kind.is_tensor() {
            let size = (kind == Kind::Count).then(|| Dim::symbol(self.new_symbol(&param.name.text, false)));
            return Term::Known(Known { value: None, kind, size, tensors: vec![] });
        }
        if kind.has_frame() && param.ty.frame.is_none() {
            self.logs.reports.push(frames::argument_needs_frame(param.ty.span, &param.name.text, kind.name()));
            return Term::Poison;
        }
        if param.ty.dims.is_some() && !self.has_its_axes(&param.ty, kind) {
            return Term::Poison;
        }
        match self.ground(&param.ty, env) {
            Some(mut ty) => {
                // A shape that is left open is one that nothing is known of.
                if let (None, Some(rank)) = (&param.ty.dims, kind.rank()) {
                    ty.dims = (0..rank).map(|_| self.unknown_dim("?")).collect();
                    ty.axes = kind.axes(rank);
                }
                Term::Tensor(self.push(ValueSource::Parameter, ty, param.name.span))
            }
            None => Term::Poison,
        }
    }

    fn input(&mut self, name: &Name, ty: &TypeExpr, tensors: Option<&Tensors>) -> Term {
        let written = ty;
        for dim in ty.dims.iter().flatten() {
            let mut subst = Subst::default();
            self.name_sizes(dim, &mut subst);
            for (name, (dim, _)) in subst.dims {
                self.dims.entry(name).or_insert(dim);
            }
        }
        for frame in ty.frame.iter().chain(&ty.to) {
            self.logs.moves.push(Frame(frame.text.clone()));
        }
        let env = self.top(0);
        let Some(ty) = self.ground(ty, &env) else { return Term::Poison };
        if !ty.kind.is_tensor() {
            self.logs.reports.push(kinds::input_kind(name.span, &name.text, ty.kind));
            return Term::Poison;
        }
        if ty.frame.is_none() && ty.kind.has_frame() {
            self.logs.reports.push(frames::input_needs_frame(written.span, &name.text, ty.kind.name()));
            return Term::Poison;
        }
        if !self.has_its_axes(written, ty.kind) {
            return Term::Poison;
        }
        if let Some(tensors) = tensors
            && !self.supplied(name, &ty, tensors)
        {
            return Term::Poison;
        }
        self.declare_frame(&ty);
        self.out.inputs.push((name.text.clone(), ty.clone()));
        Term::Tensor(self.push(ValueSource::Field { data: None, name: name.text.clone() }, ty, name.span))
    }

    /// Whether a written type has the axes that its kind is known to have.
    fn has_its_axes(&mut self, written: &TypeExpr, kind: Kind) -> bool {
        let axes = written.dims.as_ref().map_or(0, Vec::len);
        let named = written.dims.iter().flatten().any(|d| d.axis.is_some());
        let fits = named || kind.rank().is_none_or(|rank| rank == axes);
        if !fits {
            let example = match kind {
                Kind::Homography => "Homography[B]@orig->moved".to_string(),
                kind if kind.is_placed() => format!("{}[B, N]@orig", kind.name()),
                Kind::Field => "Field[B, 8, C, H, W]@orig".to_string(),
                kind if kind.is(Kind::Map) => format!("{}[B, 1, H, W]@orig", kind.name()),
                kind => format!("{}[B, C]", kind.name()),
            };
            self.logs.reports.push(shapes::declared_axes(written.span, kind, &example));
        }
        fits
    }

    /// Whether the tensor for an input is there and of its shape; sizes that had a name only get its value.
    fn supplied(&mut self, name: &Name, ty: &Type, tensors: &Tensors) -> bool {
        let Some((_, shape)) = tensors.shapes.iter().find(|(n, _)| *n == name.text) else {
            let known: Vec<&str> = tensors.shapes.iter().map(|(n, _)| n.as_str()).collect();
            self.logs.reports.push(runtime::no_tensor(name.span, &name.text, &tensors.file, &known));
            return false;
        };
        // What a kind adds to its axes: the matrix of a homography, the two coordinates of a point.
        let fixed = ty.kind.beside_axes();
        let axes = ty.dims.len();
        let mut fits = shape.len() == axes + fixed.len() && shape.get(axes..) == Some(fixed);
        for (dim, found) in ty.dims.iter().zip(shape) {
            let Ok(found) = i64::try_from(*found) else { return false };
            let open = dim.symbols().find(|s| !self.out.sizes.contains_key(&s.id)).map(|s| s.id);
            match open {
                Some(symbol) => match dim.solve(symbol, &Dim::number(found)).and_then(|d| d.as_number()) {
                    Some(n) => {
                        self.out.sizes.insert(symbol, n);
                    }
                    None => fits = false,
                },
                None => fits &= dim.value(&self.out.sizes) == Some(Ok(found)),
            }
        }
        if !fits {
            let known = |dim: &Dim| match dim.value(&self.out.sizes) {
                Some(Ok(n)) if dim.as_number().is_none() => format!("{dim} = {n}"),
                _ => dim.to_string(),
            };
            let wanted: Vec<String> = ty.dims.iter().map(known).chain(fixed.iter().map(usize::to_string)).collect();
            self.logs.reports.push(runtime::tensor_shape(
                name.span,
                &name.text,
                &tensors.file,
                &wanted.join(", "),
                shape,
            ));
        }
        fits
    }

    /// An image declares how large its frame is.
    pub fn declare_frame(&mut self, ty: &Type) {
        if let (Kind::Image, Some(frame), [_, _, h, w]) = (ty.kind, &ty.frame, ty.dims.as_slice())
            && !self.logs.frames.iter().any(|(f, ..)| f == frame)
        {
            self.logs.frames.push((frame.clone(), w.clone(), h.clone()));
        }
    }
}

/// The names an item defines.
pub fn defined_by(item: &Item) -> Vec<&Name> {
    match &item.kind {
        ItemKind::Param { name, .. }
        | ItemKind::Input { name, .. }
        | ItemKind::Data { name, .. }
        | ItemKind::Model { name, .. }
        | ItemKind::Loss { name, .. }
        | ItemKind::Metric { name, .. }
        | ItemKind::Minimize { name, .. } => vec![name],
        ItemKind::Function(f) => vec![&f.name],
        ItemKind::Let(binding) => binding.pattern.names(),
        ItemKind::Broken { defines } => defines.iter().collect(),
        _ => vec![],
    }
}
