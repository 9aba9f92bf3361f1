//! What can follow a dot, and what can be between the braces of a `let` or a `data`: fields of what a name makes or means.

use lsp_types::CompletionItemKind;

use super::{List, NEAREST};
use crate::brackets::Open;
use crate::hover::brief;
use crate::scene;
use rord_lang::index::{SymbolKind, Target};
use rord_lang::lex::KEYWORDS;
use rord_lang::tree::type_expr;

impl List<'_> {
    /// The fields of what a `let { … } = value` takes apart.
    pub(super) fn pattern(&mut self, open: &Open) {
        let Some(start) = self.before.token(open.at).map(|t| t.span.start) else { return };
        use rord_lang::lex::TokenKind::{Mark, Name};
        let tokens = &self.doc.unit.tokens;
        let Some(from) = tokens.iter().position(|t| t.span.start == start) else { return };
        let behind = |at: usize| tokens.get(at).map(|t| &t.kind);
        // The brace that ends it may be missing yet; its names are followed by no `=` but the one behind it.
        let ends = |i: &usize| matches!(behind(*i), Some(Mark("}" | "=")));
        let Some(end) = (from + 1..tokens.len()).find(ends) else { return };
        let close = if behind(end) == Some(&Mark("}")) { end } else { end - 1 };
        let taken: Vec<&str> = tokens
            .iter()
            .take(end)
            .skip(from)
            .filter(|t| t.span != self.before.prefix)
            .filter_map(|t| if let Name(n) = &t.kind { Some(n.as_str()) } else { None })
            .collect();
        let (Some(Mark("=")), Some(Name(of))) = (behind(close + 1), behind(close + 2)) else { return };
        // In a chain it is the last stage that makes the value.
        let (mut of, mut depth) = (of, 0usize);
        for (i, token) in tokens.iter().enumerate().skip(close + 2) {
            match &token.kind {
                Name(word) if token.first && KEYWORDS.contains(&word.as_str()) => break,
                Mark("(" | "[" | "{") => depth += 1,
                Mark(")" | "]" | "}") if depth == 0 => break,
                Mark(")" | "]" | "}") => depth -= 1,
                Mark("|>") if depth == 0 => {
                    if let Some(Name(stage)) = behind(i + 1) {
                        of = stage;
                    }
                }
                _ => {}
            }
        }
        let (of, taken) = (of.clone(), taken.into_iter().map(str::to_string).collect::<Vec<_>>());
        self.fields(&of, &taken);
    }

    /// The fields of what a name makes or means.
    fn fields(&mut self, of: &str, without: &[String]) {
        let doc = self.doc;
        let mut found: Vec<(String, String)> = Vec::new();
        if let Some(id) = doc.unit.index.global(of) {
            let defined = scene::definition(self.world, &doc.unit, &Target::Symbol(id));
            if let Some(defined) = defined {
                for (_, part) in defined.unit.index.parts(defined.id) {
                    if matches!(part.kind, SymbolKind::Out | SymbolKind::Field) {
                        let known = doc.pipeline.names.iter().find(|n| n.name == format!("{of}.{}", part.name));
                        found.push((
                            part.name.clone(),
                            known.map_or_else(|| brief(doc, part), |n| doc.pipeline.shown(n)),
                        ));
                    }
                }
            }
            // A data that declares nothing has what its operation offers.
            if found.is_empty()
                && let Some(set) = doc.pipeline.datasets.iter().find(|d| d.name == of)
            {
                found.extend(set.fields.iter().map(|(n, ty)| (n.clone(), ty.to_string())));
            }
        } else if let Some(operation) = self.world.vocabulary.operation(of) {
            found.extend(operation.entry.record.iter().map(|(_, field)| ((*field).to_string(), String::new())));
            if found.is_empty() {
                found.extend(operation.params.iter().map(|p| (p.name.text.clone(), type_expr(&p.ty))));
            }
        }
        for (field, ty) in found.iter().filter(|(f, _)| !without.contains(f)) {
            self.add(field, CompletionItemKind::FIELD, ty, NEAREST);
        }
    }

    pub(super) fn members(&mut self) {
        let n = self.before.len();
        let Some(of) = n.checked_sub(2).and_then(|i| self.before.word(i)) else {
            // `net(x).`: the callee is before the bracket that the call opened.
            let mut depth = 0usize;
            for i in (0..n.saturating_sub(1)).rev() {
                match self.before.mark(i) {
                    Some(")") => depth += 1,
                    Some("(") => depth = depth.saturating_sub(1),
                    _ => {}
                }
                if depth == 0 {
                    let callee = i.checked_sub(1).and_then(|i| self.before.word(i)).map(str::to_string);
                    return callee.iter().for_each(|c| self.fields(c, &[]));
                }
            }
            return;
        };
        let of = of.to_string();
        if matches!(of.as_str(), "val" | "train") && self.doc.unit.index.global(&of).is_none() {
            for name in self.reported(&of) {
                self.add(&name, CompletionItemKind::FIELD, "a reported number", NEAREST);
            }
            return;
        }
        self.fields(&of, &[]);
    }

    /// What a dataset offers that is declared behind its arrow, with types.
    pub(super) fn data_fields(&mut self) {
        if !matches!(self.before.last_mark(), Some("{" | ",")) {
            return;
        }
        let operation =
            (0..self.before.len()).find(|i| self.before.mark(*i) == Some("=")).and_then(|i| self.before.word(i + 1));
        let Some(operation) = operation.and_then(|o| self.world.vocabulary.operation(o)) else { return };
        let declared: Vec<&str> = (0..self.before.len())
            .filter(|i| self.before.mark(i + 1) == Some(":"))
            .filter_map(|i| self.before.word(i))
            .collect();
        for (name, ty) in operation.offers.iter().filter(|(n, _)| !declared.contains(n)) {
            let mut ty = ty.clone();
            // The sizes of images are called H and W by custom; the offer speaks of its settings.
            for (axis, dim) in ty.dims.iter_mut().flatten().enumerate() {
                if let rord_lang::ast::DimKind::Name(name) = &mut dim.kind
                    && name != "B"
                {
                    *name = if axis == 2 { "H".into() } else { "W".into() };
                }
            }
            let text = format!("{name}: {}", type_expr(&ty));
            if let Some(item) = self.add(name, CompletionItemKind::FIELD, &type_expr(&ty), NEAREST) {
                item.insert_text = Some(text);
            }
        }
    }
}
