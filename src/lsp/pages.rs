//! Texts of the tool that an editor can open: the library, pages of operations and of reports. They are written to a folder
//! of their own when they are asked for, since an editor opens files.

use std::path::PathBuf;

use lsp_types::{Location, Uri};

use super::position::Lines;
use super::uri;
use super::world::World;
use rord_lang::report::pages;

/// The folder of this version's texts.
fn folder() -> PathBuf {
    std::env::temp_dir().join(format!("rord-{}", env!("CARGO_PKG_VERSION")))
}

/// The address of a text under a name, written where it is not there yet; `None` where it cannot be written.
fn kept(name: &str, text: &str) -> Option<Uri> {
    let path = folder().join(name);
    if std::fs::read_to_string(&path).ok().as_deref() != Some(text) {
        std::fs::create_dir_all(path.parent()?).ok()?;
        rord_files::write_atomic(&path, text.as_bytes()).ok()?;
    }
    uri::of(&path)
}

/// The page of a report.
pub fn report(code: &str) -> Option<Uri> {
    kept(&format!("reports/{code}.md"), pages::page(code)?)
}

/// Where a function of the library is defined, and the page of an operation; both, where both have the name.
pub fn operation(world: &World, name: &str) -> Vec<Location> {
    let function = world.vocabulary.function(name).and_then(|standard| {
        let source = world.base.get(standard.file)?;
        let address = kept(&source.name, &source.text)?;
        let lines = Lines::new(&source.text, world.encoding);
        Some(Location::new(address, lines.range(&source.text, standard.function.name.span)))
    });
    let page = world.vocabulary.operation_page(name).and_then(|page| {
        let text = format!("# {name}\n\n```rord\n{}\n```\n\n{}\n", page.signature, page.manual);
        Some(Location::new(kept(&format!("operations/{name}.md"), &text)?, lsp_types::Range::default()))
    });
    function.into_iter().chain(page).collect()
}
