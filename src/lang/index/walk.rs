//! The tree, walked twice: names of the file first, then everything that speaks of names.

mod calls;

use std::collections::HashMap;

use super::unread;
use super::{How, Index, Symbol, SymbolId, SymbolKind, Target, Use};
use crate::ast::{
    Attribute, DimExpr, DimKind, Domain, Expr, ExprKind, Field, File, FnParam, Item, ItemKind, Let, ModelLine, Name,
    Pattern, TypeExpr,
};
use crate::lex::Token;
use crate::source::Span;
use crate::vocabulary::Vocabulary;

/// What a name may mean at a place.
#[derive(Default)]
pub struct Scope {
    /// Innermost last.
    locals: Vec<(String, SymbolId)>,
    /// Sizes and frames of a signature; those of the file for a top level.
    sizes: HashMap<String, SymbolId>,
    frames: HashMap<String, SymbolId>,
    /// The function or model.
    within: Option<SymbolId>,
    /// The item's part of the text.
    region: Span,
}

/// Who is called.
#[derive(Clone)]
enum Callee {
    Symbol(SymbolId),
    Operation(String),
}

/// An index in the making.
pub struct Walk<'a> {
    vocabulary: &'a Vocabulary,
    index: Index,
    globals: HashMap<String, SymbolId>,
    /// The symbols by the places of their names, and the parts of each.
    places: HashMap<Span, SymbolId>,
    parts: HashMap<SymbolId, Vec<SymbolId>>,
    /// What made the record that a name stands for.
    records: HashMap<SymbolId, Callee>,
    end: u32,
    /// Where the item at hand ends at the latest, if it is a block that nothing closes.
    pub reach: u32,
}

/// The index of a file.
pub fn index(tree: &File, tokens: &[Token], vocabulary: &Vocabulary) -> Index {
    let end = tokens.last().map_or(0, |t| t.span.end);
    let starts: Vec<Span> = tree.items.iter().map(start).collect();
    let ends = starts.iter().skip(1).map(|s| s.start).chain([end]);
    let regions: Vec<Span> = starts.iter().zip(ends).map(|(s, end)| Span { end: end.max(s.start), ..*s }).collect();
    let index = Index { regions: regions.clone(), ..Index::default() };
    let mut walk = Walk {
        vocabulary,
        index,
        globals: HashMap::new(),
        places: HashMap::new(),
        parts: HashMap::new(),
        records: HashMap::new(),
        end,
        reach: 0,
    };
    for (item, region) in tree.items.iter().zip(&regions) {
        walk.declare(item, *region);
    }
    let mut top = Scope::default();
    // A model that was not closed yet goes on in what looks like `let`s of the file.
    let line = |item: &Item| matches!(item.kind, ItemKind::Let(_) | ItemKind::Broken { .. });
    let (mut reaches, mut next) = (Vec::with_capacity(regions.len()), end);
    for (item, region) in tree.items.iter().zip(&regions).rev() {
        reaches.push(next);
        if !line(item) {
            next = region.start;
        }
    }
    for ((item, region), reach) in tree.items.iter().zip(&regions).zip(reaches.into_iter().rev()) {
        (top.region, walk.reach) = (*region, reach);
        for attribute in &item.attributes {
            walk.attribute(attribute, &mut top);
        }
        walk.item(item, &mut top, tokens);
    }
    let mut index = walk.index;
    index.uses.sort_by_key(|u| (u.span.start, u.span.end));
    index.uses.dedup();
    index
}

fn start(item: &Item) -> Span {
    item.attributes.first().map_or(item.span, |a| if a.span.start < item.span.start { a.span } else { item.span })
}

impl Walk<'_> {
    /// Notes a symbol and the place that defines it.
    pub fn define(&mut self, name: &Name, kind: SymbolKind, whole: Span, within: Option<SymbolId>) -> SymbolId {
        let id = SymbolId(self.index.symbols.len());
        let visible = Span { start: whole.end, end: whole.end, ..whole };
        let (text, span) = (name.text.clone(), name.span);
        // A name that is defined twice is known by its first definition.
        self.places.entry(span).or_insert(id);
        if let Some(within) = within {
            self.parts.entry(within).or_default().push(id);
        }
        self.index.symbols.push(Symbol { name: text, kind, span, whole, within, doc: vec![], visible, path: None });
        self.index.uses.push(Use { span, to: Target::Symbol(id), how: How::Definition });
        id
    }

    pub fn see(&mut self, span: Span, to: Target, how: How) {
        self.index.uses.push(Use { span, to, how });
    }

    fn change(&mut self, id: SymbolId, change: impl FnOnce(&mut Symbol)) {
        if let Some(symbol) = self.index.symbols.get_mut(id.0) {
            change(symbol);
        }
    }

    pub fn show(&mut self, id: SymbolId, from: u32, to: u32) {
        self.change(id, |s| s.visible = Span { start: from, end: to, ..s.visible });
    }

    fn global(&mut self, name: &Name, kind: SymbolKind, item: &Item, region: Span) -> SymbolId {
        let id = self.define(name, kind, item.span, None);
        let end = self.end;
        self.show(id, region.end, end);
        self.change(id, |s| s.doc.clone_from(&item.doc));
        self.globals.entry(name.text.clone()).or_insert(id);
        id
    }

    /// The names of the file, and the parts that others ask for.
    fn declare(&mut self, item: &Item, region: Span) {
        let simple = match &item.kind {
            ItemKind::Param { name, .. } => Some((name, SymbolKind::Param)),
            ItemKind::Input { name, .. } => Some((name, SymbolKind::Input)),
            ItemKind::Data { name, .. } => Some((name, SymbolKind::Data)),
            ItemKind::Model { name, .. } => Some((name, SymbolKind::Model)),
            ItemKind::Function(f) => Some((&f.name, if f.layer { SymbolKind::Layer } else { SymbolKind::Function })),
            ItemKind::Loss { name, .. } => Some((name, SymbolKind::Loss)),
            ItemKind::Metric { name, .. } => Some((name, SymbolKind::Metric)),
            ItemKind::Minimize { name, .. } => Some((name, SymbolKind::Objective)),
            _ => None,
        };
        let id = simple.map(|(name, kind)| self.global(name, kind, item, region));
        if let (Some(id), ItemKind::Function(_)) = (id, &item.kind) {
            // It may call itself.
            let end = self.end;
            self.show(id, region.start, end);
        }
        match &item.kind {
            ItemKind::Import { path, names } => {
                for name in names {
                    let id = self.global(name, SymbolKind::Import, item, region);
                    self.change(id, |s| s.path = Some(path.text.clone()));
                }
            }
            ItemKind::Preset { name, .. } | ItemKind::Sweep { name, .. } => {
                let sweep = matches!(item.kind, ItemKind::Sweep { .. });
                let id = self.define(name, if sweep { SymbolKind::Sweep } else { SymbolKind::Preset }, item.span, None);
                self.change(id, |s| s.doc.clone_from(&item.doc));
            }
            ItemKind::Data { fields, .. } => {
                for (name, ty) in fields.iter().flatten() {
                    self.define(name, SymbolKind::Field, name.span.to(ty.span), id);
                }
            }
            ItemKind::Function(f) => self.arguments(&f.params, id, region),
            ItemKind::Model { params, body, .. } => {
                self.arguments(params, id, region);
                for line in body {
                    if let ModelLine::Out { name, value, .. } | ModelLine::Weight { name, value, .. } = line {
                        let out = self.define(name, SymbolKind::Out, name.span.to(value.span), id);
                        self.show(out, value.span.end, region.end);
                    }
                }
            }
            ItemKind::Let(binding) => {
                for name in binding.pattern.names() {
                    self.global(name, SymbolKind::Let, item, region);
                }
            }
            ItemKind::Broken { defines } => {
                for name in defines {
                    self.global(name, SymbolKind::Unread, item, region);
                }
            }
            _ => {}
        }
    }

    fn arguments(&mut self, params: &[FnParam], of: Option<SymbolId>, region: Span) {
        for param in params {
            let end = param.default.as_ref().map_or(param.ty.span, |d| d.span);
            let id = self.define(&param.name, SymbolKind::Argument, param.name.span.to(end), of);
            self.show(id, end.end, region.end);
        }
    }

    fn item(&mut self, item: &Item, top: &mut Scope, tokens: &[Token]) {
        match &item.kind {
            ItemKind::Param { ty, default, domain, .. } => {
                self.ty(ty, top);
                default.iter().for_each(|e| self.expr(e, top));
                domain.iter().for_each(|d| self.domain(d, top));
            }
            ItemKind::Preset { fields, .. } | ItemKind::Sweep { fields, .. } => self.settings(fields, top),
            ItemKind::Input { ty, .. } => self.ty(ty, top),
            ItemKind::Data { name, value, fields } => {
                self.expr(value, top);
                if let (Some(callee), Some(id)) = (self.made_by(value, top), self.globals.get(&name.text)) {
                    self.records.insert(*id, callee);
                }
                fields.iter().flatten().for_each(|(_, ty)| self.ty(ty, top));
            }
            ItemKind::Model { name, params, body } => {
                let within = self.defined_at(name.span);
                let mut scope = self.signature(params, within, top.region);
                for line in body {
                    self.line(line, &mut scope);
                }
            }
            ItemKind::Function(f) => {
                let within = self.defined_at(f.name.span);
                let mut scope = self.signature(&f.params, within, top.region);
                f.result.iter().for_each(|t| self.ty(t, &mut scope));
                f.lets.iter().for_each(|binding| self.own_let(binding, &mut scope));
                self.expr(&f.body, &mut scope);
            }
            ItemKind::Let(binding) => {
                self.binding(binding, top);
                for name in binding.pattern.names() {
                    if let Some(id) = self.defined_at(name.span) {
                        self.named(binding, id, top);
                    }
                }
            }
            ItemKind::Minimize { of, value, .. } => {
                of.iter().for_each(|model| self.value_of(model, How::Plain));
                self.expr(value, top);
            }
            ItemKind::Loss { value, .. } | ItemKind::Metric { value, .. } => self.expr(value, top),
            ItemKind::Section { keyword, fields, parts } => {
                self.section_fields(&keyword.text, fields, top);
                for part in parts {
                    self.part_path(&part.names);
                    self.section_fields("part", &part.fields, top);
                }
            }
            ItemKind::Broken { .. } => unread::read(self, item, top.region, tokens),
            ItemKind::Pipeline { .. } | ItemKind::Import { .. } => {}
        }
    }

    /// The model that a part of `train` names, and the name in it.
    fn part_path(&mut self, names: &[Name]) {
        let Some((head, Target::Symbol(id))) = names.first().and_then(|h| Some((h, self.meant(&h.text)?))) else {
            return;
        };
        self.see(head.span, Target::Symbol(id), How::Plain);
        if let Some(inner) = names.get(1)
            && let Some(to) = self.part(id, &inner.text, |k| matches!(k, SymbolKind::Let | SymbolKind::Out))
        {
            self.see(inner.span, to, How::Plain);
        }
    }

    fn section_fields(&mut self, section: &str, fields: &[Field], top: &mut Scope) {
        for field in fields {
            // The names of exports are the pipeline's own.
            if section != "export" {
                let to = Target::SectionField { section: section.to_string(), name: field.name.text.clone() };
                self.see(field.name.span, to, How::Taken);
            }
            match &field.value {
                Some(value) => self.expr(value, top),
                None => self.value_of(&field.name, How::Shorthand),
            }
        }
    }

    /// The symbol whose name stands at a place.
    fn defined_at(&self, span: Span) -> Option<SymbolId> {
        self.places.get(&span).copied()
    }

    /// A name that stands for a record remembers what made it.
    fn named(&mut self, binding: &Let, id: SymbolId, scope: &Scope) {
        if let (Pattern::Name(_), Some(callee)) = (&binding.pattern, self.made_by(&binding.value, scope)) {
            self.records.insert(id, callee);
        }
    }

    fn binding(&mut self, binding: &Let, scope: &mut Scope) {
        binding.ty.iter().for_each(|t| self.ty(t, scope));
        self.expr(&binding.value, scope);
        if let Pattern::Record(fields, _) = &binding.pattern {
            let record = self.made_by(&binding.value, scope);
            for (field, bound) in fields {
                let how = if field.span == bound.span { How::Taken } else { How::Plain };
                if let Some(to) = record.as_ref().and_then(|r| self.field(r, &field.text)) {
                    self.see(field.span, to, how);
                }
            }
        }
    }

    /// A `let` of a body.
    fn own_let(&mut self, binding: &Let, scope: &mut Scope) {
        self.binding(binding, scope);
        for name in binding.pattern.names() {
            let id = self.define(name, SymbolKind::Let, name.span.to(binding.value.span), scope.within);
            self.show(id, binding.value.span.end, scope.region.end);
            self.named(binding, id, scope);
            scope.locals.push((name.text.clone(), id));
        }
    }

    fn line(&mut self, line: &ModelLine, scope: &mut Scope) {
        match line {
            ModelLine::Let(binding) => self.own_let(binding, scope),
            ModelLine::Out { name, ty, value } => {
                ty.iter().for_each(|t| self.ty(t, scope));
                self.expr(value, scope);
                if let Some(id) = self.defined_at(name.span) {
                    scope.locals.push((name.text.clone(), id));
                }
            }
            ModelLine::Weight { name, ty, value } => {
                self.see(ty.kind.span, Target::Kind(ty.kind.text.clone()), How::Plain);
                for dim in ty.dims.iter().flatten() {
                    match &dim.kind {
                        // A count of the file.
                        DimKind::Name(count) if self.globals.contains_key(count) => {
                            self.value_of(&Name { text: count.clone(), span: dim.span }, How::Plain);
                        }
                        _ => self.dim(dim, scope),
                    }
                }
                self.expr(value, scope);
                if let Some(id) = self.defined_at(name.span) {
                    scope.locals.push((name.text.clone(), id));
                }
            }
            ModelLine::Broken { defines } => {
                for name in defines {
                    let id = self.define(name, SymbolKind::Unread, name.span, scope.within);
                    self.show(id, name.span.end, scope.region.end);
                    scope.locals.push((name.text.clone(), id));
                }
            }
        }
    }

    /// The scope of a body. A shape may speak of a count that comes after it, so all arguments are there at once.
    fn signature(&mut self, params: &[FnParam], within: Option<SymbolId>, region: Span) -> Scope {
        let mut scope = Scope { within, region, ..Scope::default() };
        for param in params {
            if let Some(id) = self.defined_at(param.name.span) {
                scope.locals.push((param.name.text.clone(), id));
            }
        }
        for param in params {
            self.ty(&param.ty, &mut scope);
        }
        for param in params {
            // The default of a tensor is a name of the caller's scope, whatever that may be.
            let tensor = crate::types::Kind::named(&param.ty.kind.text).is_some_and(|k| k.is_tensor());
            if let Some(default) = param.default.as_ref().filter(|d| !(tensor && matches!(d.kind, ExprKind::Name(_)))) {
                self.expr(default, &mut scope);
            }
            param.domain.iter().for_each(|d| self.domain(d, &mut scope));
        }
        scope
    }

    fn attribute(&mut self, attribute: &Attribute, top: &mut Scope) {
        for (i, arg) in attribute.args.iter().enumerate() {
            match &arg.value.kind {
                ExprKind::Name(lint) if attribute.name.text == "allow" && i == 0 => {
                    self.see(arg.value.span, Target::Lint(lint.clone()), How::Plain);
                }
                // Models are called, and named nowhere else.
                ExprKind::Name(model)
                    if attribute.name.text == "ema" && arg.name.as_ref().is_some_and(|n| n.text == "of") =>
                {
                    self.value_of(&Name { text: model.clone(), span: arg.value.span }, How::Plain);
                }
                _ => self.expr(&arg.value, top),
            }
        }
    }

    /// Fields of a preset: each is named for a parameter.
    fn settings(&mut self, fields: &[Field], top: &mut Scope) {
        for field in fields {
            self.value_of(&field.name, How::Plain);
            field.value.iter().for_each(|e| self.expr(e, top));
        }
    }

    fn value_of(&mut self, name: &Name, how: How) {
        if let Some(id) = self.globals.get(&name.text) {
            self.see(name.span, Target::Symbol(*id), how);
        }
    }

    fn domain(&mut self, domain: &Domain, scope: &mut Scope) {
        match domain {
            Domain::Interval { low, high, .. } => [low, high].into_iter().for_each(|e| self.expr(e, scope)),
            Domain::Choice(values, _) => values.iter().for_each(|e| self.expr(e, scope)),
        }
    }

    fn ty(&mut self, ty: &TypeExpr, scope: &mut Scope) {
        self.see(ty.kind.span, Target::Kind(ty.kind.text.clone()), How::Plain);
        ty.dims.iter().flatten().for_each(|d| self.dim(d, scope));
        for frame in ty.frame.iter().chain(&ty.to) {
            match scope.frames.get(&frame.text) {
                Some(id) => self.see(frame.span, Target::Symbol(*id), How::Plain),
                None => {
                    let id = self.define(frame, SymbolKind::Frame, frame.span, scope.within);
                    self.show(id, scope.region.start, if scope.within.is_some() { scope.region.end } else { self.end });
                    scope.frames.insert(frame.text.clone(), id);
                }
            }
        }
    }

    fn dim(&mut self, dim: &DimExpr, scope: &mut Scope) {
        match &dim.kind {
            DimKind::Name(name) => {
                let argument = scope.locals.iter().find(|(n, _)| n == name).map(|(_, id)| *id);
                match argument.or(scope.sizes.get(name).copied()) {
                    Some(id) => self.see(dim.span, Target::Symbol(id), How::Plain),
                    None => {
                        let at = Name { text: name.clone(), span: dim.span };
                        let id = self.define(&at, SymbolKind::Size, dim.span, scope.within);
                        let end = if scope.within.is_some() { scope.region.end } else { self.end };
                        self.show(id, scope.region.start, end);
                        scope.sizes.insert(name.clone(), id);
                    }
                }
            }
            DimKind::Binary { left, right, .. } => {
                self.dim(left, scope);
                self.dim(right, scope);
            }
            DimKind::Number(_) | DimKind::Any => {}
        }
    }

    fn expr(&mut self, e: &Expr, scope: &mut Scope) {
        match &e.kind {
            ExprKind::Name(name) => {
                if let Some(to) = self.value(name, scope) {
                    self.see(e.span, to, How::Plain);
                }
            }
            ExprKind::Member { of, name } => self.member(of, name, scope),
            ExprKind::Call { callee, args } => self.call(callee, args, 0, scope),
            ExprKind::Pipe { first, stages } => {
                self.expr(first, scope);
                for stage in stages {
                    match &stage.kind {
                        ExprKind::Call { callee, args } => self.call(callee, args, 1, scope),
                        _ => self.call(stage, &[], 1, scope),
                    }
                }
            }
            _ => e.kind.children().into_iter().for_each(|e| self.expr(e, scope)),
        }
    }

    fn local(name: &str, scope: &Scope) -> Option<SymbolId> {
        scope.locals.iter().rev().find(|(n, _)| n == name).map(|(_, id)| *id)
    }

    /// What a name stands for as a value.
    fn value(&self, name: &str, scope: &Scope) -> Option<Target> {
        let symbol = Self::local(name, scope).or_else(|| self.globals.get(name).copied());
        match symbol {
            Some(id) => Some(Target::Symbol(id)),
            None => self.vocabulary.callable(name).then(|| Target::Operation(name.to_string())),
        }
    }

    fn member(&mut self, of: &Expr, name: &Name, scope: &mut Scope) {
        if let ExprKind::Name(split) = &of.kind
            && matches!(split.as_str(), "val" | "train")
            && Self::local(split, scope).is_none()
            && !self.globals.contains_key(split)
        {
            return self.value_of(name, How::Plain);
        }
        self.expr(of, scope);
        if let Some(to) = self.made_by(of, scope).and_then(|r| self.field(&r, &name.text)) {
            self.see(name.span, to, How::Plain);
        }
    }

    /// Who is called by a name at a place: what was defined before it, then operations, then what is defined later.
    fn callee(&self, name: &str, at: Span) -> Option<Callee> {
        let own = self.globals.get(name).copied();
        let before = |id: &SymbolId| {
            self.index
                .symbol(*id)
                .is_some_and(|s| s.span.start < at.start && (s.kind.callable() || s.kind == SymbolKind::Unread))
        };
        match own.filter(before) {
            Some(id) => Some(Callee::Symbol(id)),
            None if self.vocabulary.callable(name) => Some(Callee::Operation(name.to_string())),
            None => own.map(Callee::Symbol),
        }
    }

    /// What makes the record that an expression stands for.
    fn made_by(&self, e: &Expr, scope: &Scope) -> Option<Callee> {
        match &e.kind {
            ExprKind::Name(name) => {
                let id = Self::local(name, scope).or_else(|| self.globals.get(name).copied());
                match id {
                    Some(id) => {
                        let data = self.index.symbol(id).is_some_and(|s| s.kind == SymbolKind::Data);
                        if data { Some(Callee::Symbol(id)) } else { self.records.get(&id).cloned() }
                    }
                    // A recipe without brackets: `hardneg.gradient`.
                    None => self.vocabulary.callable(name).then(|| Callee::Operation(name.clone())),
                }
            }
            ExprKind::Call { callee, .. } => match &callee.kind {
                ExprKind::Name(name) => self.callee(name, callee.span),
                _ => None,
            },
            ExprKind::Pipe { stages, .. } => {
                let last = stages.last()?;
                match &last.kind {
                    ExprKind::Name(name) => self.callee(name, last.span),
                    _ => self.made_by(last, scope),
                }
            }
            ExprKind::If { then, .. } => self.made_by(then, scope),
            _ => None,
        }
    }

    /// A part of a symbol.
    fn part(&self, of: SymbolId, name: &str, kind: impl Fn(SymbolKind) -> bool) -> Option<Target> {
        let own = |id: &&SymbolId| self.index.symbol(**id).is_some_and(|s| s.name == name && kind(s.kind));
        self.parts.get(&of)?.iter().find(own).map(|id| Target::Symbol(*id))
    }

    /// A field of a record.
    fn field(&self, record: &Callee, name: &str) -> Option<Target> {
        let part = |id| self.part(id, name, |k| matches!(k, SymbolKind::Field | SymbolKind::Out));
        match record {
            Callee::Operation(of) => Some(Target::OperationField { of: of.clone(), name: name.to_string() }),
            Callee::Symbol(id) => match self.index.symbol(*id)?.kind {
                SymbolKind::Import => Some(Target::Outside { import: *id, name: name.to_string() }),
                // A data that declares nothing has the fields that its operation offers.
                SymbolKind::Data => part(*id).or_else(|| self.field(self.records.get(id)?, name)),
                _ => part(*id),
            },
        }
    }

    /// The symbol of a broken item, if it is known what it would have defined.
    pub fn defined(&self, names: &[Name]) -> Option<SymbolId> {
        names.first().and_then(|n| self.defined_at(n.span))
    }

    /// The name of the file, for tokens that no tree was made of.
    pub fn meant(&self, name: &str) -> Option<Target> {
        match self.globals.get(name) {
            Some(id) => Some(Target::Symbol(*id)),
            None => self.vocabulary.callable(name).then(|| Target::Operation(name.to_string())),
        }
    }
}
