//! Names across files: an imported name leads to the file that defines it, and from there to everyone who imports it.

use std::rc::Rc;

use super::world::{Unit, World};
use rord_lang::index::{How, Symbol, SymbolId, SymbolKind, Target};
use rord_lang::source::Span;

/// A definition, in whichever file it is.
#[derive(Clone)]
pub struct Defined {
    /// The file.
    pub unit: Rc<Unit>,
    /// The name in it.
    pub id: SymbolId,
}

/// A place that speaks of a definition.
pub struct Place {
    /// The file.
    pub unit: Rc<Unit>,
    /// The place.
    pub span: Span,
    /// How it speaks of it.
    pub how: How,
}

impl Defined {
    /// The symbol.
    pub fn symbol(&self) -> Option<&Symbol> {
        self.unit.index.symbol(self.id)
    }

    fn is(&self, other: &Defined) -> bool {
        self.id == other.id && self.unit.is(&other.unit)
    }
}

/// Where a target is defined: imports are followed to their end. What cannot be followed is defined by the import itself.
pub fn definition(world: &World, unit: &Rc<Unit>, target: &Target) -> Option<Defined> {
    match target {
        Target::Symbol(id) => Some(follow(world, unit, *id, 16)),
        Target::Outside { import, name } => {
            let whole = follow(world, unit, *import, 16);
            let part = |s: &Symbol| matches!(s.kind, SymbolKind::Argument | SymbolKind::Out) && s.name == *name;
            let (id, _) = whole.unit.index.parts(whole.id).find(|(_, s)| part(s))?;
            Some(Defined { unit: Rc::clone(&whole.unit), id })
        }
        _ => None,
    }
}

fn follow(world: &World, unit: &Rc<Unit>, id: SymbolId, steps: usize) -> Defined {
    let here = Defined { unit: Rc::clone(unit), id };
    let Some(symbol) = here.symbol().filter(|_| steps > 0) else { return here };
    let Some(path) = symbol.path.as_ref().filter(|_| symbol.kind == SymbolKind::Import) else { return here };
    let found = world.resolve(unit, path).and_then(|other| other.index.global(&symbol.name).map(|id| (other, id)));
    match found {
        Some((other, id)) => follow(world, &other, id, steps - 1),
        None => here,
    }
}

/// Every place that speaks of a definition, in all files around it; the definition is the first.
pub fn places(world: &World, of: &Defined) -> Vec<Place> {
    let mut found = Vec::new();
    let Some(symbol) = of.symbol() else { return found };
    let own = |found: &mut Vec<Place>, unit: &Rc<Unit>, id: SymbolId| {
        let uses = unit.index.uses_of(id);
        found.extend(uses.map(|u| Place { unit: Rc::clone(unit), span: u.span, how: u.how }));
    };
    own(&mut found, &of.unit, of.id);
    found.sort_by_key(|p| p.how != How::Definition);
    // What is imported is a function, a layer or a model; its parts come with it.
    let whole = symbol.within.unwrap_or(of.id);
    let importable = of.unit.index.symbol(whole).is_some_and(|s| s.kind.callable());
    let part = matches!(symbol.kind, SymbolKind::Argument | SymbolKind::Out);
    if !importable || (symbol.within.is_some() && !part) {
        return found;
    }
    let whole = Defined { unit: Rc::clone(&of.unit), id: whole };
    for unit in world.around(&of.unit) {
        if unit.is(&of.unit) {
            continue;
        }
        let imports: Vec<SymbolId> =
            unit.index.symbols().filter(|(_, s)| s.kind == SymbolKind::Import).map(|(id, _)| id).collect();
        for import in imports.into_iter().filter(|i| follow(world, &unit, *i, 16).is(&whole)) {
            if !part {
                own(&mut found, &unit, import);
                continue;
            }
            let wanted = Target::Outside { import, name: symbol.name.clone() };
            let uses = unit.index.uses().iter().filter(|u| u.to == wanted);
            found.extend(uses.map(|u| Place { unit: Rc::clone(&unit), span: u.span, how: u.how }));
        }
    }
    found
}
