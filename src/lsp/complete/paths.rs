//! The files that an import may name: `import "lib/` is followed by what lies there.

use std::path::Path;

use lsp_types::{CompletionItem, CompletionItemKind, CompletionTextEdit, TextEdit};

use crate::world::{Analysis, World};
use rord_lang::source::Span;

/// Files and folders at the path that is being written, where the place is in the string of an import; `None` elsewhere.
pub(super) fn paths(world: &World, doc: &Analysis, offset: u32) -> Option<Vec<CompletionItem>> {
    let unit = &doc.unit;
    let before = unit.text.get(..offset as usize)?;
    let line = before.rsplit('\n').next()?;
    let written = line.trim_start().strip_prefix("import")?.trim_start().strip_prefix('"')?;
    if written.contains('"') {
        return None;
    }
    let own = unit.path.as_deref()?;
    let (folder, name) = written.rsplit_once('/').map_or(("", written), |(folder, name)| (folder, name));
    let (start, end) = (offset - name.len() as u32, behind(unit.text.get(offset as usize..)?) + offset);
    let range = unit.range(Span { file: unit.file, start, end });
    let mut found: Vec<(String, bool)> = Vec::new();
    for root in own.parent().into_iter().chain(world.import_root()) {
        list(&root.join(folder), own, &mut found);
    }
    found.sort();
    found.dedup();
    let item = |(name, is_folder): (String, bool)| CompletionItem {
        label: if is_folder { format!("{name}/") } else { name.clone() },
        kind: Some(if is_folder { CompletionItemKind::FOLDER } else { CompletionItemKind::FILE }),
        // Folders behind files.
        sort_text: Some(format!("{}{name}", u8::from(is_folder))),
        text_edit: Some(CompletionTextEdit::Edit(TextEdit::new(
            range,
            if is_folder { format!("{name}/") } else { name },
        ))),
        ..CompletionItem::default()
    };
    Some(found.into_iter().map(item).collect())
}

/// How far the name goes on behind the place: to the end of the string, or of the next folder.
fn behind(text: &str) -> u32 {
    text.find(['"', '/', '\n', '\r']).unwrap_or(text.len()) as u32
}

/// The pipelines in a folder, and the folders in it that hold any.
fn list(folder: &Path, own: &Path, found: &mut Vec<(String, bool)>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for path in entries.flatten().map(|e| e.path()) {
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let pipeline = |p: &Path| p.extension().is_some_and(|e| e == "rord");
        if name.starts_with('.') || path == own {
            continue;
        }
        if path.is_dir() {
            let inside = std::fs::read_dir(&path).into_iter().flatten().flatten().map(|e| e.path());
            if inside.take(MOST_ENTRIES).any(|p| pipeline(&p) || p.is_dir()) {
                found.push((name, true));
            }
        } else if pipeline(&path) {
            found.push((name, false));
        }
    }
}

/// How many entries of a folder are looked at.
const MOST_ENTRIES: usize = 1000;
