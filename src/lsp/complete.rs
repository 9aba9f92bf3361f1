//! Completion: what may stand at a place. It goes by tokens and by the names of the index, so it is there while a line is written.

mod chain;
mod fields;
mod paths;

use lsp_types::{CompletionItem, CompletionItemKind, CompletionTextEdit, TextEdit};
use serde_json::json;

use super::brackets::{Before, Open};
use super::hints::type_of;
use super::hover::{brief, makes, page};
use super::signature::{Callee, active, callees, markdown, of_symbol};
use super::world::{Analysis, World};
use rord_lang::ast::ItemKind;
use rord_lang::index::{Symbol, SymbolKind};
use rord_lang::lex::{ITEMS, KEYWORDS, TokenKind};
use rord_lang::manual;
use rord_lang::parts::WeightClass;
use rord_lang::sections;
use rord_lang::source::Span;
use rord_lang::types::Kind;
use rord_ops::chapters::{self, CHAPTERS};

/// Items are sorted by how near they are: arguments of the call at hand, names of the file, operations, words of the grammar.
const NEAREST: u8 = 0;
const NAMES: u8 = 1;
const OPERATIONS: u8 = 2;
const WORDS: u8 = 3;
/// Functions of the library that are only parts of others.
const PARTS: u8 = 4;

/// The items at a byte.
pub fn complete(world: &World, doc: &Analysis, offset: u32) -> Vec<CompletionItem> {
    if let Some(files) = paths::paths(world, doc, offset) {
        return files;
    }
    let Some(before) = Before::new(&doc.unit, offset) else { return vec![] };
    let mut list = List { world, doc, offset, before: &before, items: Vec::new() };
    list.fill();
    let range = doc.unit.range(before.prefix);
    let mut items = list.items;
    for item in &mut items {
        let text = item.insert_text.take().unwrap_or_else(|| item.label.clone());
        item.text_edit = Some(CompletionTextEdit::Edit(TextEdit::new(range, text)));
    }
    items
}

/// Adds the documentation to an item that an editor is about to show.
pub fn resolve(world: &World, mut item: CompletionItem) -> CompletionItem {
    let name = item.data.as_ref().and_then(|d| d.get("operation")).and_then(|n| n.as_str()).map(str::to_string);
    if let Some((_, manual)) = name.and_then(|n| page(world, &n)) {
        item.documentation = Some(markdown(manual));
    }
    item
}

struct List<'a> {
    world: &'a World,
    doc: &'a Analysis,
    offset: u32,
    before: &'a Before<'a>,
    items: Vec<CompletionItem>,
}

impl List<'_> {
    fn add(&mut self, label: &str, kind: CompletionItemKind, detail: &str, order: u8) -> Option<&mut CompletionItem> {
        if self.items.iter().any(|i| i.label == label) {
            return None;
        }
        self.items.push(CompletionItem {
            label: label.to_string(),
            kind: Some(kind),
            detail: (!detail.is_empty()).then(|| detail.to_string()),
            sort_text: Some(format!("{order}{label}")),
            ..CompletionItem::default()
        });
        self.items.last_mut()
    }

    fn fill(&mut self) {
        let before = self.before;
        let open = before.open();
        let first = self.first_of_line();
        match before.last_mark() {
            Some("@") if first && open.is_empty() => return self.attributes(),
            Some("@") => return self.frames(),
            Some("->") if self.behind_frame() => return self.frames(),
            Some("->") if open.is_empty() && before.word(0) == Some("data") => return,
            Some(":" | "->") => return self.kinds(),
            Some(".") => return self.members(),
            Some("|>") => return self.callables(true),
            _ => {}
        }
        // What follows these is a name that the user makes up.
        if let Some(word) = before.last_word().filter(|w| KEYWORDS.contains(w)) {
            let names =
                ["pipeline", "import", "param", "preset", "sweep", "input", "data", "model", "layer", "fn", "let"];
            let more = ["loss", "metric", "minimize", "out", "as", "rord"];
            if names.contains(&word) || more.contains(&word) {
                return;
            }
        }
        match open.last() {
            None if first || before.len() == 0 => self.item_words(),
            None => self.expression(),
            Some(innermost) => self.inside(innermost),
        }
    }

    /// True where only the name being typed precedes the place in its line.
    fn first_of_line(&self) -> bool {
        let unit = &self.doc.unit;
        let start = unit.lines.start(unit.lines.line(self.before.prefix.start as usize), &unit.text);
        let text = unit.text.get(start..self.before.prefix.start as usize).unwrap_or("").trim();
        text.is_empty() || text == "@"
    }

    /// True behind the arrow of `Homography[B]@a->`.
    fn behind_frame(&self) -> bool {
        let n = self.before.len();
        n > 2 && self.before.word(n - 2).is_some() && self.before.mark(n - 3) == Some("@")
    }

    fn inside(&mut self, open: &Open) {
        let before = self.before;
        let word = |back: usize| open.at.checked_sub(back).and_then(|i| before.word(i));
        let mark = |back: usize| open.at.checked_sub(back).and_then(|i| before.mark(i));
        match open.mark {
            "{" => {
                let head = before.word(0).unwrap_or("");
                match (word(1), word(2)) {
                    (Some(section @ ("train" | "save" | "export")), _) => self.section(section, open),
                    _ if self.of_part(open.at) => self.section("part", open),
                    (_, Some("preset" | "sweep")) => self.settings(open),
                    (Some("let"), _) => self.pattern(open),
                    (Some("in"), _) => self.expression(),
                    _ if head == "import" => self.import(),
                    _ if mark(1) == Some("->") => self.data_fields(),
                    _ if self.first_of_line() => {
                        self.add("let", CompletionItemKind::KEYWORD, "a name for a value", WORDS);
                        self.add(
                            "out",
                            CompletionItemKind::KEYWORD,
                            "what the model returns, or the function computes",
                            WORDS,
                        );
                        if head == "model" {
                            self.add("weight", CompletionItemKind::KEYWORD, "a tensor that is learned", WORDS);
                        }
                    }
                    _ => self.expression(),
                }
            }
            "[" => {
                let kind = word(1).is_some_and(|w| Kind::named(w).is_some() || w == "unit");
                let named = mark(1) == Some("=") && matches!(word(2), Some("over" | "per" | "from" | "to"));
                if kind || named {
                    for axis in rord_lang::axis::WORDS {
                        self.add(axis, CompletionItemKind::ENUM_MEMBER, "an axis", NEAREST);
                    }
                }
                match (kind, named) {
                    (true, _) => self.sizes(),
                    (_, true) => {}
                    _ => self.expression(),
                }
            }
            _ => match (mark(2), word(1)) {
                (Some("@"), Some("allow")) if open.commas == 0 => {
                    for (lint, what) in manual::LINTS {
                        self.add(lint, CompletionItemKind::ENUM_MEMBER, what, NEAREST);
                    }
                }
                (Some("@"), Some("frozen")) => {
                    if before.last_mark() == Some("(")
                        && let Some(item) =
                            self.add("weights", CompletionItemKind::PROPERTY, "where they come from", NEAREST)
                    {
                        item.insert_text = Some("weights = ".into());
                    }
                    self.names();
                }
                _ => {
                    // A signature names its own arguments.
                    let signature = matches!(word(2), Some("fn" | "layer" | "model"));
                    if !(signature && matches!(before.last_mark(), Some("(" | ","))) {
                        self.call(open);
                        self.expression();
                    }
                }
            },
        }
    }

    /// Arguments that the call at hand does not have yet, and the words that the one at hand takes.
    fn call(&mut self, open: &Open) {
        let Some(name) = open.at.checked_sub(1).and_then(|i| self.before.word(i)) else { return };
        let found = callees(self.world, &self.doc.unit, name);
        for callee in &found {
            let at = active(self.before, callee, open.at - 1, open);
            if let Some(param) = at.and_then(|i| callee.params.get(i)) {
                for word in &param.words {
                    self.add(word, CompletionItemKind::ENUM_MEMBER, &param.shown, NEAREST);
                }
                self.recipes(&param.kind);
            }
            if matches!(self.before.last_mark(), Some("(" | ",")) {
                self.arguments(callee, open);
            }
        }
    }

    fn arguments(&mut self, callee: &Callee, open: &Open) {
        let given = self.given(open);
        let places = open.commas + usize::from(self.before.piped(open.at - 1));
        for (i, param) in callee.params.iter().enumerate() {
            if i < places.min(given.1) || given.0.contains(&param.name) {
                continue;
            }
            let label = format!("{} = ", param.name);
            if let Some(item) = self.add(&label, CompletionItemKind::FIELD, &param.shown, NEAREST) {
                item.filter_text = Some(param.name.clone());
                // Those that have to be there come first.
                item.sort_text = Some(format!("{NEAREST}{}{i:02}", u8::from(param.optional)));
            }
        }
    }

    /// The names that stand directly in a bracket, before the place and behind it.
    fn names_in(&self, open: &Open) -> Vec<Inside<'_>> {
        let Some(start) = self.before.token(open.at).map(|t| t.span.start) else { return vec![] };
        let from = self.doc.unit.tokens.partition_point(|t| t.span.start < start);
        let tokens = self.doc.unit.tokens.get(from..).unwrap_or(&[]);
        let (mut depth, mut names) = (0usize, Vec::new());
        for (i, token) in tokens.iter().enumerate() {
            let beside = |at: Option<usize>| at.and_then(|at| tokens.get(at)).map(|t| &t.kind);
            match &token.kind {
                TokenKind::Mark("(" | "[" | "{") => depth += 1,
                TokenKind::Mark(")" | "]" | "}") => {
                    depth = depth.saturating_sub(1);
                    if depth == 0 {
                        break;
                    }
                }
                TokenKind::Name(word) if token.first && depth == 1 && ITEMS.contains(&word.as_str()) => break,
                TokenKind::Name(word) if depth == 1 => {
                    let valued = beside(Some(i + 1)) == Some(&TokenKind::Mark("="));
                    let begins = token.first || matches!(beside(i.checked_sub(1)), Some(TokenKind::Mark("{" | ",")));
                    names.push(Inside { word, span: token.span, valued, begins });
                }
                _ => {}
            }
        }
        names
    }

    /// The arguments of a call that have a name already, and how many before the place have none.
    fn given(&self, open: &Open) -> (Vec<String>, usize) {
        let names = self.names_in(open).iter().filter(|n| n.valued).map(|n| n.word.to_string()).collect();
        // Of the parts before the place, those without a name take the first parameters.
        let (mut part, mut plain) = (open.at + 1, 0);
        for at in open.at + 1..self.before.len() {
            if self.before.mark(at) == Some(",") {
                plain += usize::from(self.before.mark(part + 1) != Some("="));
                part = at + 1;
            }
        }
        (names, plain + usize::from(self.before.piped(open.at - 1)))
    }

    /// The fields that stand between braces already, with a value or alone.
    fn fields_given(&self, open: &Open) -> Vec<String> {
        let names = self.names_in(open);
        let fields = names.iter().filter(|n| n.span != self.before.prefix && (n.valued || n.begins));
        fields.map(|n| n.word.to_string()).collect()
    }

    /// Operations that make what a parameter of a kind takes: `hardneg` for a miner.
    fn recipes(&mut self, kind: &str) {
        let Some(wanted) = Kind::named(kind).filter(|k| !k.is_tensor() && !k.is(Kind::Scalar)) else { return };
        let names: Vec<String> = self.world.vocabulary.names().map(str::to_string).collect();
        for name in names.iter().filter(|n| makes(self.world, n).is_some_and(|k| k.is(wanted))) {
            self.operation(name, NEAREST);
        }
    }

    fn expression(&mut self) {
        self.names();
        self.callables(false);
        for word in ["if", "then", "else", "true", "false", "none"] {
            self.add(word, CompletionItemKind::KEYWORD, "", WORDS);
        }
    }

    fn shown(kind: SymbolKind) -> CompletionItemKind {
        match kind {
            SymbolKind::Model => CompletionItemKind::CLASS,
            SymbolKind::Layer | SymbolKind::Function | SymbolKind::Import => CompletionItemKind::FUNCTION,
            SymbolKind::Param => CompletionItemKind::CONSTANT,
            SymbolKind::Field | SymbolKind::Out => CompletionItemKind::FIELD,
            SymbolKind::Size | SymbolKind::Frame => CompletionItemKind::TYPE_PARAMETER,
            _ => CompletionItemKind::VARIABLE,
        }
    }

    /// Names of the file and of the body around, innermost first where two are the same.
    fn names(&mut self) {
        let doc = self.doc;
        let body = self.body();
        let seen: Vec<&Symbol> = doc.unit.index.visible(self.before.prefix.start).map(|(_, s)| s).collect();
        for symbol in seen.into_iter().rev().filter(|s| !s.kind.callable()) {
            if body.is_none_or(|from| symbol.within.is_some() || symbol.span.start > from || self.known(symbol)) {
                self.name(symbol);
            }
        }
    }

    /// Where the function, layer or model begins whose body the place is in. A default in its signature is not: it may speak of
    /// tensors of the file.
    fn body(&self) -> Option<u32> {
        let before = self.before;
        let callable = |i: usize| matches!(before.word(i), Some("fn" | "layer" | "model"));
        if before.open().iter().any(|o| o.mark == "(" && o.at.checked_sub(2).is_some_and(callable)) {
            return None;
        }
        let head = (0..before.len()).find(|i| callable(*i)).and_then(|i| before.token(i)).map(|t| t.span.start);
        // A body that nothing closes yet goes on in what looks like items of the file.
        let arguments = || {
            let seen = self.doc.unit.index.visible(before.prefix.start);
            seen.filter(|(_, s)| s.kind == SymbolKind::Argument).map(|(_, s)| s.span.start).max()
        };
        head.or_else(arguments)
    }

    /// True for a name of the file whose value is known before the run: bodies see no others.
    fn known(&self, symbol: &Symbol) -> bool {
        let kind = || Kind::named(type_of(self.doc, symbol.span)?.split(|c: char| !c.is_alphanumeric()).next()?);
        match symbol.kind {
            SymbolKind::Param => true,
            SymbolKind::Let => kind().is_some_and(|k| !k.is_tensor()),
            _ => false,
        }
    }

    fn name(&mut self, symbol: &Symbol) {
        let detail = brief(self.doc, symbol);
        let docs = symbol.doc.join("\n");
        if let Some(item) = self.add(&symbol.name, Self::shown(symbol.kind), &detail, NAMES)
            && !docs.is_empty()
        {
            item.documentation = Some(markdown(docs));
        }
    }

    /// What can be called; only what takes a tensor first, for a chain.
    fn callables(&mut self, piped: bool) {
        let doc = self.doc;
        // In a chain, what takes a value of the kind at hand comes first.
        let kind = if piped { self.chained() } else { None };
        let own: Vec<_> = doc
            .unit
            .index
            .visible(self.before.prefix.start)
            .filter(|(_, s)| s.kind.callable())
            .map(|(id, _)| id)
            .collect();
        for id in own {
            let Some(symbol) = doc.unit.index.symbol(id) else { continue };
            let callee = of_symbol(self.world, &doc.unit, id);
            if piped && callee.as_ref().is_some_and(|c| !takes_tensor(c)) {
                continue;
            }
            let detail = callee.as_ref().map_or(String::new(), |c| c.line().0);
            let rank = Self::rank(callee.as_ref(), kind);
            if let Some(item) = self.add(&symbol.name, Self::shown(symbol.kind), &detail, NAMES) {
                item.sort_text = kind.map(|_| format!("{rank}{NAMES}{}", symbol.name)).or(item.sort_text.take());
                if let Some(callee) = callee.filter(|c| !c.doc.is_empty()) {
                    item.documentation = Some(markdown(callee.doc));
                }
            }
        }
        let names: Vec<String> = self.world.vocabulary.names().map(str::to_string).collect();
        let parts = CHAPTERS.iter().find(|c| c.file == chapters::PARTS).map_or(&[] as &[_], |c| c.names);
        for name in names {
            let found = callees(self.world, &doc.unit, &name);
            if piped && !found.iter().any(takes_tensor) {
                continue;
            }
            let order = if parts.contains(&name.as_str()) { PARTS } else { OPERATIONS };
            self.operation(&name, order);
            let rank = found.iter().map(|c| Self::rank(Some(c), kind)).min();
            if let (Some(_), Some(rank), Some(item)) = (kind, rank, self.items.last_mut().filter(|i| i.label == name)) {
                item.sort_text = Some(format!("{rank}{order}{name}"));
            }
        }
    }

    fn operation(&mut self, name: &str, order: u8) {
        let usage = self.world.vocabulary.usage(name).unwrap_or_default();
        let line: Vec<&str> = usage.split_whitespace().collect();
        if let Some(item) = self.add(name, CompletionItemKind::FUNCTION, &line.join(" "), order) {
            // The manual is sent when it is asked for.
            item.data = Some(json!({ "operation": name }));
        }
    }

    fn kinds(&mut self) {
        for name in Kind::names() {
            let holds = Kind::named(name).map_or("", Kind::holds);
            if let Some(item) = self.add(name, CompletionItemKind::CLASS, holds, NEAREST) {
                item.documentation = manual::kind(name).map(markdown);
            }
        }
    }

    fn frames(&mut self) {
        self.spaced(SymbolKind::Frame, "frame");
    }

    fn sizes(&mut self) {
        self.spaced(SymbolKind::Size, "size");
        let doc = self.doc;
        for (_, symbol) in doc.unit.index.symbols().filter(|(_, s)| s.kind == SymbolKind::Argument) {
            if self.near(symbol) && brief(doc, symbol).starts_with("Count") {
                self.add(&symbol.name, CompletionItemKind::VARIABLE, "Count", NEAREST);
            }
        }
    }

    fn spaced(&mut self, kind: SymbolKind, what: &str) {
        let doc = self.doc;
        for (_, symbol) in doc.unit.index.symbols().filter(|(_, s)| s.kind == kind) {
            // The name that is being written is no name yet.
            if symbol.span.start != self.before.prefix.start && self.near(symbol) {
                self.add(&symbol.name, CompletionItemKind::TYPE_PARAMETER, what, NEAREST);
            }
        }
    }

    /// True for a symbol of the body around the place, or of the file.
    fn near(&self, symbol: &Symbol) -> bool {
        symbol.within.is_none() || self.doc.unit.index.region(self.offset).is_some_and(|r| r.holds(symbol.span))
    }

    fn attributes(&mut self) {
        self.add("allow", CompletionItemKind::KEYWORD, "keep something knowingly: @allow(lint, \"why\")", NEAREST);
        self.add(
            "frozen",
            CompletionItemKind::KEYWORD,
            "a model that does not train: @frozen(weights = path)",
            NEAREST,
        );
        let follows = "a model whose weights follow another's: @ema(of = net, decay = 0.99)";
        self.add("ema", CompletionItemKind::KEYWORD, follows, NEAREST);
    }

    fn item_words(&mut self) {
        for (word, about, _) in manual::ITEMS {
            if let Some(item) = self.add(word, CompletionItemKind::KEYWORD, about, NEAREST) {
                item.documentation = manual::item(word).map(markdown);
            }
        }
    }

    /// True for the brace behind `part net.trunk`.
    fn of_part(&self, at: usize) -> bool {
        let before = self.before;
        let path = |i: usize| {
            let text = before.token(i).is_some_and(|t| matches!(t.kind, TokenKind::Text(_)));
            text || before.word(i).is_some_and(|w| w != "part") || before.mark(i) == Some(".")
        };
        let first = (0..at).rev().take_while(|i| path(*i)).last();
        first.and_then(|i| i.checked_sub(1)).is_some_and(|i| before.word(i) == Some("part"))
    }

    /// What a part may name first: a model, or a class of weights.
    fn part_names(&mut self) {
        for model in &self.doc.pipeline.models {
            self.add(&model.name, CompletionItemKind::CLASS, "all weights of the model", NEAREST);
        }
        for (class, _) in WeightClass::NAMED {
            self.add(class, CompletionItemKind::CLASS, "those of all layers", NEAREST);
        }
    }

    fn section(&mut self, section: &str, open: &Open) {
        let n = self.before.len();
        if section == "train" && self.before.last_word() == Some("part") {
            return self.part_names();
        }
        if self.before.last_mark() != Some("=")
            && !matches!(self.before.last_mark(), Some("+" | "-" | "*" | "/" | "|>"))
        {
            let Some(found) = sections::section(section) else { return };
            let given = self.fields_given(open);
            let scope: Vec<String> = self.doc.unit.index.visible(self.offset).map(|(_, s)| s.name.clone()).collect();
            for field in found.fields.iter().filter(|f| !given.iter().any(|g| g == f.name)) {
                let detail = format!("{}: {}", field.kinds(), field.about);
                let named = scope.iter().any(|s| s == field.name);
                let field = field.name;
                if let Some(item) = self.add(field, CompletionItemKind::PROPERTY, &detail, NEAREST) {
                    // A field alone takes the value of its name.
                    item.insert_text = (!named).then(|| format!("{field} = "));
                }
            }
            if section == "train"
                && let Some(item) =
                    self.add("part", CompletionItemKind::KEYWORD, "weights trained in a way of their own", NEAREST)
            {
                item.insert_text = Some("part ".into());
            }
            return;
        }
        let field = n.checked_sub(2).and_then(|i| self.before.word(i)).unwrap_or("");
        match sections::field(section, field) {
            Some(field) if field.kind == Kind::Watch => self.watched(),
            Some(field) if field.kind == Kind::Flag => {
                for word in ["true", "false"] {
                    self.add(word, CompletionItemKind::KEYWORD, field.name, NEAREST);
                }
                self.expression();
            }
            Some(field) if !field.words.is_empty() => {
                for word in field.words {
                    self.add(word, CompletionItemKind::ENUM_MEMBER, field.name, NEAREST);
                }
            }
            Some(field) => {
                self.recipes(field.kind.name());
                self.expression();
            }
            None => self.expression(),
        }
    }

    fn watched(&mut self) {
        for split in ["val", "train"] {
            for name in self.reported(split) {
                self.add(&format!("{split}.{name}"), CompletionItemKind::FIELD, "a reported number", NEAREST);
            }
        }
    }

    /// What is reported of a split: metrics are computed in validation only.
    fn reported(&self, split: &str) -> Vec<String> {
        let reported = |k: SymbolKind| {
            matches!(k, SymbolKind::Loss | SymbolKind::Objective) || (k == SymbolKind::Metric && split == "val")
        };
        self.doc.unit.index.symbols().filter(|(_, s)| reported(s.kind)).map(|(_, s)| s.name.clone()).collect()
    }

    /// Parameters in a preset or a sweep; behind `=` what they may be.
    fn settings(&mut self, open: &Open) {
        let before = self.before;
        let doc = self.doc;
        if before.last_mark() == Some("=") {
            let name = before.len().checked_sub(2).and_then(|i| before.word(i)).unwrap_or("");
            let kind = doc.pipeline.params.iter().find(|p| p.name == name).map(|p| p.kind.name());
            kind.into_iter().for_each(|k| self.recipes(k));
            return self.expression();
        }
        if !matches!(before.last_mark(), Some("{" | ",")) && !self.first_of_line() {
            return self.expression();
        }
        let given = self.fields_given(open);
        for (_, symbol) in doc.unit.index.symbols().filter(|(_, s)| s.kind == SymbolKind::Param) {
            if given.contains(&symbol.name) {
                continue;
            }
            let detail = brief(doc, symbol);
            if let Some(item) = self.add(&symbol.name, CompletionItemKind::CONSTANT, &detail, NEAREST) {
                item.insert_text = Some(format!("{} = ", symbol.name));
            }
        }
    }

    /// What an import may bring.
    fn import(&mut self) {
        let path = self.doc.unit.tree.items.iter().find_map(|item| match &item.kind {
            ItemKind::Import { path, .. } if item.span.start <= self.offset && self.offset <= item.span.end => {
                Some(&path.text)
            }
            _ => None,
        });
        // While it does not parse, the path is the string behind the keyword.
        let written = (0..self.before.len()).find_map(|i| match self.before.token(i).map(|t| &t.kind) {
            Some(TokenKind::Text(text)) => Some(text),
            _ => None,
        });
        let Some(other) = path.or(written).and_then(|p| self.world.resolve(&self.doc.unit, p)) else { return };
        for (id, symbol) in other.index.symbols().filter(|(_, s)| s.within.is_none() && s.kind.callable()) {
            let callee = of_symbol(self.world, &other, id);
            let detail = callee.as_ref().map_or(String::new(), |c| c.line().0);
            if let Some(item) = self.add(&symbol.name, CompletionItemKind::FUNCTION, &detail, NEAREST)
                && let Some(callee) = callee.filter(|c| !c.doc.is_empty())
            {
                item.documentation = Some(markdown(callee.doc));
            }
        }
    }
}

/// True where a chain can hand a tensor to it.
fn takes_tensor(callee: &Callee) -> bool {
    callee.params.first().is_some_and(|p| Kind::named(&p.kind).is_none_or(Kind::is_tensor))
}

/// A name in a bracket.
struct Inside<'a> {
    word: &'a str,
    span: Span,
    /// `=` follows it.
    valued: bool,
    /// A line or a part begins with it.
    begins: bool,
}
