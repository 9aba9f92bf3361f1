//! Renaming: every place that uses a name, in all files that do. The result is checked before it is returned, so a
//! renaming that would change what a pipeline computes is refused.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use lsp_types::{PrepareRenameResponse, TextEdit, WorkspaceEdit};

use super::hints::ambient;
use super::scene::{self, Defined};
use super::world::{Analysis, Unit, World};
use rord_lang::index::{How, Symbol, SymbolId, SymbolKind, Target, Use};
use rord_lang::lex::{KEYWORDS, TokenKind, lex};
use rord_lang::report::{Edit, Report, Severity};
use rord_lang::source::{FileId, Span};
use rord_lang::typed::ValueSource;
use rord_project::fix;

/// Edits of one file.
struct Changed {
    unit: Rc<Unit>,
    edits: Vec<Edit>,
}

/// Whether the name at a byte can be renamed, and which text that is.
pub fn prepare(world: &World, doc: &Analysis, offset: u32) -> Result<PrepareRenameResponse, String> {
    let (used, defined) = target(world, doc, offset)?;
    let placeholder = defined.symbol().map(|s| s.name.clone()).unwrap_or_default();
    Ok(PrepareRenameResponse::RangeWithPlaceholder { range: doc.unit.range(used.span), placeholder })
}

/// The edits that give the name at a byte another one.
pub fn rename(world: &World, doc: &Analysis, offset: u32, new: &str) -> Result<WorkspaceEdit, String> {
    let (_, defined) = target(world, doc, offset)?;
    let symbol = defined.symbol().ok_or("there is no name here")?.clone();
    if symbol.name == new {
        return Ok(WorkspaceEdit::default());
    }
    valid(world, new)?;
    let mut changed: BTreeMap<String, Changed> = BTreeMap::new();
    for place in scene::places(world, &defined) {
        let text = match place.how {
            How::Definition => match taken_here(&place.unit, place.span, &defined) {
                Some(field) => format!("{field} as {new}"),
                None => new.to_string(),
            },
            How::Plain => new.to_string(),
            How::Shorthand => format!("{} = {new}", place.unit.slice(place.span)),
            How::Taken => format!("{new} as {}", symbol.name),
        };
        let of = changed.entry(place.unit.uri.as_str().to_string());
        let of = of.or_insert_with(|| Changed { unit: Rc::clone(&place.unit), edits: vec![] });
        of.edits.push(Edit { span: place.span, text });
    }
    for one in changed.values() {
        let (_, reports) = rord_lang::parse::parse(&one.unit.text, one.unit.file);
        if reports.iter().any(|r| r.severity == Severity::Error) {
            return Err(format!("{} does not parse; fix it before renaming", world.name(&one.unit)));
        }
        clash(one, &symbol, new, one.unit.is(&defined.unit))?;
    }
    if let Some(own) = changed.get_mut(defined.unit.uri.as_str()) {
        let checked = match own.unit.is(&doc.unit) {
            true => None,
            false => Some(world.check(Rc::clone(&own.unit), &|_| None)),
        };
        own.edits.extend(spell_out(checked.as_ref().unwrap_or(doc), defined.id, &symbol, new));
    }
    verify(world, &changed)?;
    // The addresses are made of text and hash as such.
    #[allow(clippy::mutable_key_type)]
    let changes: HashMap<_, _> = changed
        .into_values()
        .map(|c| {
            let edits = c.edits.iter().map(|e| TextEdit::new(c.unit.range(e.span), e.text.clone())).collect();
            (c.unit.uri.clone(), edits)
        })
        .collect();
    Ok(WorkspaceEdit { changes: Some(changes), ..WorkspaceEdit::default() })
}

/// What is to be renamed, or why it cannot be.
fn target(world: &World, doc: &Analysis, offset: u32) -> Result<(Use, Defined), String> {
    let unit = &doc.unit;
    let Some(used) = unit.index.at(offset) else {
        let here = unit.tokens.iter().find(|t| t.span.start <= offset && offset <= t.span.end);
        return Err(match here.map(|t| &t.kind) {
            Some(TokenKind::Name(word)) if KEYWORDS.contains(&word.as_str()) => format!("`{word}` is a keyword"),
            _ => "there is no name here".into(),
        });
    };
    let text = unit.slice(used.span);
    let fixed = |what: &str| Err(format!("`{text}` is {what}; only what pipelines define can be renamed"));
    match &used.to {
        Target::Operation(_) => return fixed("an operation"),
        Target::OperationArgument { of, .. } => return fixed(&format!("an argument of the operation `{of}`")),
        Target::OperationField { of, .. } => return fixed(&format!("a field that `{of}` gives")),
        Target::SectionField { .. } => return fixed("a field of the language"),
        Target::Kind(_) => return fixed("a kind"),
        Target::Lint(_) => return fixed("a lint"),
        Target::Word(_) => return fixed("a word of the language"),
        Target::Symbol(_) | Target::Outside { .. } => {}
    }
    let defined = scene::definition(world, unit, &used.to).ok_or_else(|| format!("`{text}` is defined nowhere"))?;
    match defined.symbol().map(|s| s.kind) {
        Some(SymbolKind::Import) => Err(format!("the file that `{text}` comes from cannot be read")),
        Some(SymbolKind::Unread) | None => Err(format!("what defines `{text}` does not parse; fix it before renaming")),
        Some(SymbolKind::Field) => match offered_by(world, &defined) {
            Some(op) => {
                Err(format!("`{op}` calls this field `{text}`; where it is taken it can be renamed: {{ {text} as … }}"))
            }
            None => Ok((used.clone(), defined)),
        },
        Some(_) => Ok((used.clone(), defined)),
    }
}

/// The operation that names the fields of a dataset, where the pipeline itself does not.
fn offered_by(world: &World, field: &Defined) -> Option<String> {
    use rord_lang::ast::{ExprKind, ItemKind};
    let data = field.unit.index.symbol(field.symbol()?.within?)?;
    let value = field.unit.tree.items.iter().find_map(|item| match &item.kind {
        ItemKind::Data { name, value, .. } if name.span == data.span => Some(value),
        _ => None,
    })?;
    let op = match &value.kind {
        ExprKind::Call { callee, .. } => field.unit.slice(callee.span),
        _ => field.unit.slice(value.span),
    };
    world.vocabulary.operation(op).filter(|o| !o.offers_declared()).map(|o| o.name.to_string())
}

/// Whether a text may be a name at all.
fn valid(world: &World, new: &str) -> Result<(), String> {
    let (tokens, comments, reports) = lex(new, FileId(0));
    let one = matches!(tokens.as_slice(), [name, _] if name.kind == TokenKind::Name(new.to_string()));
    if !one || !comments.is_empty() || !reports.is_empty() {
        return Err(format!("`{new}` is no name: letters, digits and _, and no digit first"));
    }
    if KEYWORDS.contains(&new) || new == "none" {
        return Err(format!("`{new}` is a keyword"));
    }
    if world.vocabulary.callable(new) {
        return Err(format!("`{new}` is an operation"));
    }
    Ok(())
}

/// The field that a definition is taken from by its own name: `det` of `let { det } = net(x)`.
fn taken_here(unit: &Unit, span: Span, defined: &Defined) -> Option<String> {
    let is_let = defined.symbol().is_some_and(|s| s.kind == SymbolKind::Let);
    // Fields of what is unknown are no uses of anything, and are taken all the same.
    let pattern = is_let && in_pattern(unit, span);
    pattern.then(|| unit.slice(span).to_string())
}

/// True for a name alone in the braces of a `let`.
fn in_pattern(unit: &Unit, span: Span) -> bool {
    use rord_lang::ast::{ItemKind, ModelLine, Pattern};
    let alone = |pattern: &Pattern| match pattern {
        Pattern::Record(fields, _) => fields.iter().any(|(field, bound)| field.span == span && bound.span == span),
        Pattern::Name(_) => false,
    };
    unit.tree.items.iter().any(|item| match &item.kind {
        ItemKind::Let(binding) => alone(&binding.pattern),
        ItemKind::Function(f) => f.lets.iter().any(|binding| alone(&binding.pattern)),
        ItemKind::Model { body, .. } => {
            body.iter().any(|line| matches!(line, ModelLine::Let(binding) if alone(&binding.pattern)))
        }
        _ => false,
    })
}

/// Refuses a name that is taken where the old one is defined or used.
fn clash(changed: &Changed, symbol: &Symbol, new: &str, home: bool) -> Result<(), String> {
    let index = &changed.unit.index;
    let taken = index.symbols().filter(|(_, s)| s.name == new && s.kind.space() == symbol.kind.space());
    for (id, other) in taken {
        let beside =
            if home { other.within == symbol.within } else { other.within.is_none() && symbol.within.is_none() };
        // A name of the file is hidden in a body by one of the body's own.
        let region = |of: Option<SymbolId>| of.and_then(|id| index.symbol(id)).map(|s| s.whole);
        let hides = region(other.within).is_some_and(|r| changed.edits.iter().any(|e| r.holds(e.span)));
        let hidden = home && region(symbol.within).is_some_and(|r| index.uses_of(id).any(|u| r.holds(u.span)));
        if beside || (hides && symbol.within.is_none()) || (hidden && other.within.is_none()) {
            let line = changed.unit.range(other.span).start.line + 1;
            return Err(format!("`{new}` is defined already, in line {line}: {} {new}", other.kind.word()));
        }
    }
    Ok(())
}

/// Calls that took the old name from their scope get the new one as an argument: `triplet(…)` becomes `triplet(…, a = new)`.
fn spell_out(doc: &Analysis, id: SymbolId, symbol: &Symbol, new: &str) -> Vec<Edit> {
    let (unit, mut edits) = (&doc.unit, Vec::new());
    for (call, args) in ambient(doc) {
        let body = unit.index.symbols().find(|(_, s)| s.kind.callable() && s.whole.holds(call)).map(|(id, _)| id);
        let local = body.and_then(|b| unit.index.parts(b).find(|(_, s)| s.name == symbol.name && s.kind.value()));
        let meant = local.map(|(id, _)| id).or_else(|| unit.index.global(&symbol.name));
        if meant != Some(id) {
            continue;
        }
        let list: Vec<String> =
            args.iter().filter(|a| a.name == symbol.name).map(|a| format!("{} = {new}", a.param)).collect();
        if list.is_empty() {
            continue;
        }
        let list = list.join(", ");
        let text = unit.slice(call);
        edits.push(match text.strip_suffix(')') {
            None => Edit { span: call.after(), text: format!("({list})") },
            Some(inner) => {
                let bare = inner.trim_end();
                let at = Span { start: call.start + bare.len() as u32, end: call.start + bare.len() as u32, ..call };
                let before = if bare.ends_with('(') {
                    ""
                } else if bare.ends_with(',') {
                    " "
                } else {
                    ", "
                };
                Edit { span: at, text: format!("{before}{list}") }
            }
        });
    }
    edits
}

/// Makes the edits on the side and refuses them where a pipeline would say or compute something else.
fn verify(world: &World, changed: &BTreeMap<String, Changed>) -> Result<(), String> {
    let mut texts: HashMap<PathBuf, String> = HashMap::new();
    let mut pairs = Vec::new();
    for one in changed.values() {
        let text = fix::apply(&one.unit.text, &one.edits).ok_or("these edits overlap")?;
        if let Some(real) = &one.unit.real {
            texts.insert(real.clone(), text.clone());
        }
        pairs.push((one, text));
    }
    let new_texts = |path: &Path| texts.get(path).cloned();
    for (one, text) in pairs {
        let unit = &one.unit;
        let new = world.unit(unit.uri.clone(), unit.path.clone(), unit.real.clone(), text);
        let before = world.check(Rc::clone(unit), &|_| None);
        let after = world.check(Rc::new(new), &new_texts);
        let count = |all: &[Report], code: &str| all.iter().filter(|r| r.code == code).count();
        if let Some(report) =
            after.reports.iter().find(|r| count(&after.reports, r.code) > count(&before.reports, r.code))
        {
            return Err(format!("this would bring a report in {}: {}", world.name(unit), report.title));
        }
        if meaning(&before) != meaning(&after) {
            return Err(format!("this would change what {} computes", world.name(unit)));
        }
    }
    Ok(())
}

/// What a pipeline computes, without its names.
fn meaning(of: &Analysis) -> Vec<String> {
    let value = |v: &rord_lang::typed::Value| match &v.source {
        ValueSource::Apply(apply) => {
            let inputs: Vec<String> = apply.inputs.iter().map(|(name, id)| format!("{name} {}", id.0)).collect();
            format!("{} {inputs:?} {:?}", apply.op, apply.weights)
        }
        ValueSource::Field { .. } => "field".into(),
        ValueSource::Number(n) => n.to_string(),
        ValueSource::Timed(timed) => timed.to_string(),
        ValueSource::Weight(w) => format!("weight {w}"),
        ValueSource::Alias(id) => format!("alias {}", id.0),
        ValueSource::Parameter => "parameter".into(),
    };
    let parts = of.pipeline.notes.parts.iter().map(|(_, ty)| ty.kind.name().to_string());
    of.pipeline.values.iter().map(value).chain(parts).collect()
}
