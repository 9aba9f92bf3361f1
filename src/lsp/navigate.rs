//! Definition, references, highlight.

use std::rc::Rc;

use lsp_types::{DocumentHighlight, DocumentHighlightKind, GotoDefinitionResponse, Location};

use super::pages;
use super::scene::{self, Defined};
use super::world::{Analysis, World};
use rord_lang::ast::ItemKind;
use rord_lang::index::{How, Target};

/// What the name at a byte leads to. A field that is taken by its own name leads to both: to the field first.
fn defined(world: &World, doc: &Analysis, offset: u32) -> Vec<Defined> {
    let uses = doc.unit.index.all_at(offset);
    uses.iter().filter_map(|u| scene::definition(world, &doc.unit, &u.to)).collect()
}

/// Goes to where a name is defined: from the path of an import to the file, from a function of the library to its text, from
/// an operation to its page.
pub fn definition(world: &World, doc: &Analysis, offset: u32) -> Option<GotoDefinitionResponse> {
    for item in &doc.unit.tree.items {
        if let ItemKind::Import { path, .. } = &item.kind
            && path.span.start <= offset
            && offset <= path.span.end
        {
            let file = world.resolve(&doc.unit, &path.text)?;
            let location = Location::new(file.uri.clone(), lsp_types::Range::default());
            return Some(GotoDefinitionResponse::Scalar(location));
        }
    }
    let uses = doc.unit.index.all_at(offset);
    // At a name that is both, the definition is somewhere else: that of the field.
    let taken = uses.iter().find(|u| u.how == How::Taken && matches!(u.to, Target::Symbol(_) | Target::Outside { .. }));
    let target = taken.or(uses.first())?;
    if let Target::Operation(name)
    | Target::OperationArgument { of: name, .. }
    | Target::OperationField { of: name, .. } = &target.to
    {
        let mut found = pages::operation(world, name);
        return match found.len() {
            0 => None,
            1 => found.pop().map(GotoDefinitionResponse::Scalar),
            _ => Some(GotoDefinitionResponse::Array(found)),
        };
    }
    let found = scene::definition(world, &doc.unit, &target.to)?;
    Some(GotoDefinitionResponse::Scalar(found.unit.location(found.symbol()?.span)))
}

/// Every place that speaks of a name.
pub fn references(world: &World, doc: &Analysis, offset: u32, declaration: bool) -> Option<Vec<Location>> {
    let of = defined(world, doc, offset).into_iter().next()?;
    let places = scene::places(world, &of);
    let shown = places.iter().filter(|p| declaration || p.how != How::Definition);
    Some(shown.map(|p| p.unit.location(p.span)).collect())
}

/// The places of this file that speak of a name, or of the same operation, word or kind.
pub fn highlight(doc: &Analysis, offset: u32) -> Option<Vec<DocumentHighlight>> {
    let unit = Rc::clone(&doc.unit);
    let to = &unit.index.at(offset)?.to;
    let same = unit.index.uses().iter().filter(|u| u.to == *to);
    let kind =
        |how: How| if how == How::Definition { DocumentHighlightKind::WRITE } else { DocumentHighlightKind::READ };
    Some(same.map(|u| DocumentHighlight { range: unit.range(u.span), kind: Some(kind(u.how)) }).collect())
}
