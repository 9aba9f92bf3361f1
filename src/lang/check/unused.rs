//! Names that nothing uses. Read off the text: a name counts as used wherever it is written, so none is blamed wrongly.

use std::collections::HashSet;

use super::Checker;
use crate::ast::{
    DimExpr, DimKind, Domain, Expr, ExprKind, Field, File, FnParam, Item, ItemKind, Let, ModelLine, Pattern, TypeExpr,
};
use crate::report::lints;
use crate::source::Span;

/// Every name that a text speaks of.
#[derive(Default)]
struct Spoken(HashSet<String>);

impl Spoken {
    fn expr(&mut self, e: &Expr) {
        match &e.kind {
            ExprKind::Name(name) => {
                self.0.insert(name.clone());
            }
            ExprKind::Member { name, .. } => {
                self.0.insert(name.text.clone());
            }
            _ => {}
        }
        e.kind.children().into_iter().for_each(|e| self.expr(e));
    }

    fn dim(&mut self, dim: &DimExpr) {
        match &dim.kind {
            DimKind::Name(name) => {
                self.0.insert(name.clone());
            }
            DimKind::Binary { left, right, .. } => {
                self.dim(left);
                self.dim(right);
            }
            _ => {}
        }
    }

    fn ty(&mut self, ty: &TypeExpr) {
        ty.dims.iter().flatten().for_each(|d| self.dim(d));
    }

    fn domain(&mut self, domain: &Domain) {
        match domain {
            Domain::Interval { low, high, .. } => [low, high].into_iter().for_each(|e| self.expr(e)),
            Domain::Choice(values, _) => values.iter().for_each(|e| self.expr(e)),
        }
    }

    fn params(&mut self, params: &[FnParam]) {
        for param in params {
            self.ty(&param.ty);
            param.default.iter().for_each(|e| self.expr(e));
            param.domain.iter().for_each(|d| self.domain(d));
        }
    }

    fn fields(&mut self, fields: &[Field]) {
        for field in fields {
            match &field.value {
                Some(value) => self.expr(value),
                None => {
                    self.0.insert(field.name.text.clone());
                }
            }
        }
    }

    /// The fields that a pattern asks for are spoken of; the names it binds are not.
    fn pattern(&mut self, pattern: &Pattern) {
        if let Pattern::Record(fields, _) = pattern {
            self.0.extend(fields.iter().map(|(field, _)| format!(".{}", field.text)));
        }
    }

    fn binding(&mut self, binding: &Let) {
        self.pattern(&binding.pattern);
        binding.ty.iter().for_each(|t| self.ty(t));
        self.expr(&binding.value);
    }

    fn line(&mut self, line: &ModelLine) {
        match line {
            ModelLine::Let(binding) => self.binding(binding),
            ModelLine::Out { ty, value, .. } => {
                ty.iter().for_each(|t| self.ty(t));
                self.expr(value);
            }
            ModelLine::Weight { ty, value, .. } => {
                self.ty(ty);
                self.expr(value);
            }
            ModelLine::Broken { .. } => {}
        }
    }

    fn item(&mut self, item: &ItemKind) {
        match item {
            ItemKind::Param { ty, default, domain, .. } => {
                self.ty(ty);
                default.iter().for_each(|e| self.expr(e));
                domain.iter().for_each(|d| self.domain(d));
            }
            ItemKind::Preset { fields, .. } | ItemKind::Sweep { fields, .. } => {
                // To change a parameter is not to use it.
                fields.iter().filter_map(|f| f.value.as_ref()).for_each(|e| self.expr(e));
            }
            ItemKind::Section { fields, parts, .. } => {
                self.fields(fields);
                parts.iter().for_each(|p| self.fields(&p.fields));
                // A `let` of a model that a part names is used.
                let segments = parts.iter().flat_map(|p| p.path.text.split('.'));
                self.0.extend(segments.map(str::to_string));
            }
            ItemKind::Data { value, fields, .. } => {
                self.expr(value);
                fields.iter().flatten().for_each(|(_, ty)| self.ty(ty));
            }
            ItemKind::Input { ty, .. } => self.ty(ty),
            ItemKind::Model { params, body, .. } => {
                self.params(params);
                body.iter().for_each(|l| self.line(l));
            }
            ItemKind::Function(f) => {
                self.params(&f.params);
                f.result.iter().for_each(|t| self.ty(t));
                f.lets.iter().for_each(|l| self.binding(l));
                self.expr(&f.body);
            }
            ItemKind::Let(binding) => self.binding(binding),
            ItemKind::Loss { value, .. } | ItemKind::Metric { value, .. } | ItemKind::Minimize { value, .. } => {
                self.expr(value);
            }
            ItemKind::Pipeline { .. } | ItemKind::Import { .. } | ItemKind::Broken { .. } => {}
        }
    }
}

impl Checker<'_> {
    /// Reports what a pipeline defines and never uses; an input is its caller's to give. A file of functions alone is a
    /// library: others use it.
    pub fn unused(&mut self, tree: &File) {
        let reports =
            |k: &ItemKind| matches!(k, ItemKind::Loss { .. } | ItemKind::Metric { .. } | ItemKind::Minimize { .. });
        if !tree.items.iter().any(|i| reports(&i.kind)) {
            return;
        }
        let ambient = std::mem::take(&mut self.ambient);
        let mut spoken = Spoken(ambient.clone());
        for item in &tree.items {
            spoken.item(&item.kind);
            item.attributes.iter().flat_map(|a| &a.args).for_each(|a| spoken.expr(&a.value));
        }
        let mut found: Vec<(Span, &str, String)> = Vec::new();
        for item in &tree.items {
            let mut blame = |span: Span, what: &'static str, name: &str, used: bool| {
                if !used && !name.starts_with('_') {
                    found.push((span, what, name.to_string()));
                }
            };
            let used = |name: &str| spoken.0.contains(name);
            // What is called by itself alone is not used.
            let itself = |item: &Item, name: &str| {
                let mut own = Spoken(Default::default());
                own.item(&item.kind);
                own.0.contains(name)
            };
            let others = |name: &str| {
                let mut rest = Spoken(ambient.clone());
                tree.items.iter().filter(|i| !std::ptr::eq(*i, item)).for_each(|i| rest.item(&i.kind));
                rest.0.contains(name)
            };
            match &item.kind {
                ItemKind::Param { name, .. } => blame(name.span, "parameter", &name.text, used(&name.text)),
                ItemKind::Import { names, .. } => {
                    names.iter().for_each(|n| blame(n.span, "import", &n.text, used(&n.text)));
                }
                ItemKind::Let(binding) => match &binding.pattern {
                    Pattern::Name(name) => blame(name.span, "name", &name.text, used(&name.text)),
                    Pattern::Record(fields, _) => {
                        fields.iter().for_each(|(_, n)| blame(n.span, "field", &n.text, used(&n.text)));
                    }
                },
                ItemKind::Function(f) => {
                    let name = f.name.text.as_str();
                    let called = used(name) && (!itself(item, name) || others(name));
                    blame(f.name.span, if f.layer { "layer" } else { "function" }, name, called);
                    // Of a body, too, calls take arguments by name.
                    let mut inner = Spoken(ambient.clone());
                    inner.params(&f.params);
                    f.result.iter().for_each(|t| inner.ty(t));
                    f.lets.iter().for_each(|l| inner.binding(l));
                    inner.expr(&f.body);
                    for p in &f.params {
                        blame(p.name.span, "argument", &p.name.text, inner.0.contains(&p.name.text));
                    }
                    for n in f.lets.iter().flat_map(|l| l.pattern.names()) {
                        blame(n.span, "name", &n.text, inner.0.contains(&n.text));
                    }
                }
                ItemKind::Model { name, body, .. } => {
                    blame(name.span, "model", &name.text, used(&name.text));
                    let taken = |n: &str| used(n) || spoken.0.contains(&format!(".{n}"));
                    for line in body.iter().filter(|_| used(&name.text)) {
                        match line {
                            ModelLine::Out { name, .. } => blame(name.span, "output", &name.text, taken(&name.text)),
                            ModelLine::Weight { name, .. } => blame(name.span, "weight", &name.text, taken(&name.text)),
                            ModelLine::Let(binding) => {
                                for n in binding.pattern.names() {
                                    blame(n.span, "name", &n.text, used(&n.text));
                                }
                            }
                            ModelLine::Broken { .. } => {}
                        }
                    }
                }
                _ => {}
            }
        }
        for (span, what, name) in found {
            self.lint("unused", span, lints::unused(span, what, &name));
        }
    }
}
