//! Who is called, and with what: signature help, and what completion needs to know of a call.

use std::rc::Rc;

use lsp_types::SignatureInformation;
use lsp_types::{Documentation, MarkupContent, MarkupKind, ParameterInformation, ParameterLabel, SignatureHelp};

use super::brackets::Before;
use super::scene;
use super::world::{Analysis, Unit, World};
use rord_lang::ast::{FnParam, ItemKind};
use rord_lang::index::{SymbolId, Target};
use rord_lang::tree::{domain_text, expression, type_expr};

/// Something that can be called.
pub struct Callee {
    /// Its name.
    pub name: String,
    /// Its parameters.
    pub params: Vec<Parameter>,
    /// What it returns, as written.
    pub result: Option<String>,
    /// Its documentation, in Markdown.
    pub doc: String,
}

/// A parameter of it.
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: String,
    /// `pad: Word = same`
    pub shown: String,
    /// True where it may be left out.
    pub optional: bool,
    /// The words that it takes.
    pub words: Vec<&'static str>,
}

impl Callee {
    /// The signature on one line, and where each parameter is in it.
    pub fn line(&self) -> (String, Vec<std::ops::Range<usize>>) {
        let (mut out, mut places) = (format!("{}(", self.name), Vec::new());
        for (i, param) in self.params.iter().enumerate() {
            if i > 0 {
                out.push_str(", ");
            }
            places.push(out.len()..out.len() + param.shown.len());
            out.push_str(&param.shown);
        }
        out.push(')');
        if let Some(result) = &self.result {
            out.push_str(&format!(" -> {result}"));
        }
        (out, places)
    }
}

fn parameters(params: &[FnParam], words: &[(&str, &'static [&'static str])]) -> Vec<Parameter> {
    let one = |p: &FnParam| {
        let default = p.default.as_ref().map(|d| format!(" = {}", expression(d))).unwrap_or_default();
        let domain = p.domain.as_ref().map(|d| format!(" in {}", domain_text(d))).unwrap_or_default();
        let listed = words.iter().find(|(name, _)| *name == p.name.text).map(|(_, words)| words.to_vec());
        let reduce = || match p.ty.kind.text.as_str() {
            "Reduce" => vec!["mean", "sum", "none"],
            "Axes" => rord_lang::axis::WORDS.into_iter().chain([rord_lang::axis::PLACE]).collect(),
            _ => vec![],
        };
        Parameter {
            name: p.name.text.clone(),
            kind: p.ty.kind.text.clone(),
            shown: format!("{}: {}{default}{domain}", p.name.text, type_expr(&p.ty)),
            optional: p.default.is_some(),
            words: listed.unwrap_or_else(reduce),
        }
    };
    params.iter().map(one).collect()
}

/// Everything that may be called by a name at a place. `cosine` is two things.
pub fn callees(world: &World, unit: &Rc<Unit>, name: &str) -> Vec<Callee> {
    if let Some(id) = unit.index.global(name)
        && unit.index.symbol(id).is_some_and(|s| s.kind.callable())
    {
        return of_symbol(world, unit, id).into_iter().collect();
    }
    let vocabulary = &world.vocabulary;
    let operation = vocabulary.operation(name).filter(|o| !o.entry.operator).map(|o| Callee {
        name: name.to_string(),
        params: parameters(&o.params, o.entry.words),
        result: o.result.as_ref().map(type_expr),
        doc: o.entry.manual.to_string(),
    });
    let function = vocabulary.function(name).map(|f| Callee {
        name: name.to_string(),
        params: parameters(&f.function.params, &[]),
        result: f.function.result.as_ref().map(type_expr),
        doc: f.doc.join("\n"),
    });
    operation.into_iter().chain(function).collect()
}

/// A function, a layer or a model of a file; an imported one from its own.
pub fn of_symbol(world: &World, unit: &Rc<Unit>, id: SymbolId) -> Option<Callee> {
    let defined = scene::definition(world, unit, &Target::Symbol(id))?;
    let span = defined.symbol()?.span;
    defined.unit.tree.items.iter().find_map(|item| {
        let (name, params, result) = match &item.kind {
            ItemKind::Function(f) => (&f.name, &f.params, f.result.as_ref()),
            ItemKind::Model { name, params, .. } => (name, params, None),
            _ => return None,
        };
        (name.span == span).then(|| Callee {
            name: name.text.clone(),
            params: parameters(params, &[]),
            result: result.map(type_expr),
            doc: item.doc.join("\n"),
        })
    })
}

/// The parameter that a place in a call belongs to: by its name where there is one, else by counting.
pub fn active(before: &Before<'_>, callee: &Callee, at: usize, open: &super::brackets::Open) -> Option<usize> {
    match (before.word(open.part), before.mark(open.part + 1)) {
        (Some(name), Some("=")) => callee.params.iter().position(|p| p.name == name),
        _ => {
            let place = open.commas + usize::from(before.piped(at));
            (place < callee.params.len()).then_some(place)
        }
    }
}

/// The signatures of the call around a byte. Parameters are given as `offsets` into the label where an editor takes these, else as
/// text. Offsets count in UTF-16, whatever columns count in.
pub fn help(world: &World, doc: &Analysis, offset: u32, offsets: bool) -> Option<SignatureHelp> {
    let before = Before::new(&doc.unit, offset)?;
    let (name, at, open) = before.call()?;
    let found = callees(world, &doc.unit, name);
    let signatures: Vec<SignatureInformation> = found
        .iter()
        .map(|callee| {
            let (label, places) = callee.line();
            let units = |end: usize| label.get(..end).map_or(0, |t| t.encode_utf16().count()) as u32;
            let parameters = places.iter().map(|p| ParameterInformation {
                label: match offsets {
                    true => ParameterLabel::LabelOffsets([units(p.start), units(p.end)]),
                    false => ParameterLabel::Simple(label.get(p.clone()).unwrap_or("").to_string()),
                },
                documentation: None,
            });
            SignatureInformation {
                parameters: Some(parameters.collect()),
                active_parameter: active(&before, callee, at, &open).map(|i| i as u32),
                documentation: (!callee.doc.is_empty()).then(|| markdown(callee.doc.clone())),
                label,
            }
        })
        .collect();
    let active_parameter = signatures.first()?.active_parameter;
    Some(SignatureHelp { signatures, active_signature: Some(0), active_parameter })
}

/// A text that an editor shows as Markdown.
pub fn markdown(value: String) -> Documentation {
    Documentation::MarkupContent(MarkupContent { kind: MarkupKind::Markdown, value })
}
