//! What a guide means by "change these lines": items take the place of those of a name of theirs, others are put in before the next of these.

use rord_lang::ast::{Item, ItemKind};
use rord_lang::check::names_of;
use rord_lang::parse::parse;
use rord_lang::source::FileId;

/// What an item is known by: its names, or its keyword where it has none.
fn key(item: &Item) -> Vec<String> {
    let names: Vec<String> = names_of(item).iter().map(|n| n.text.clone()).collect();
    match &item.kind {
        ItemKind::Minimize { .. } => vec!["minimize".into()],
        ItemKind::Section { keyword, .. } => vec![keyword.text.clone()],
        _ if names.is_empty() => vec![format!("{:?}", std::mem::discriminant(&item.kind))],
        _ => names,
    }
}

/// The text of every item, with its documentation and attributes and the comment lines above, and its key.
fn items(text: &str) -> Vec<(Vec<String>, String)> {
    let (tree, reports) = parse(text, FileId(0));
    assert!(reports.is_empty(), "{reports:?}\n{text}");
    let ends: Vec<usize> = tree.items.iter().map(|i| i.span.end as usize).collect();
    let starts = std::iter::once(0).chain(ends.iter().copied());
    let mut out: Vec<_> =
        tree.items.iter().zip(starts).zip(&ends).map(|((i, a), b)| (key(i), text[a..*b].to_string())).collect();
    if let (Some(last), Some(end)) = (out.last_mut(), ends.last()) {
        last.1.push_str(&text[*end..]);
    }
    out
}

/// The text with the changes made.
pub fn edited(text: &str, changes: &str) -> String {
    let mut all = items(text);
    let mut at = all.len();
    for (key, change) in items(changes).into_iter().rev() {
        let change = format!("\n{}", change.trim_matches('\n'));
        match all.iter().position(|(k, _)| k.iter().any(|name| key.contains(name))) {
            Some(found) => {
                all[found].1 = change;
                at = found;
            }
            None => all.insert(at, (key, change)),
        }
    }
    all.into_iter().map(|(_, text)| text).collect::<String>().trim_start().to_string()
}
