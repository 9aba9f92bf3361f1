//! Laying out, as edits: only lines that change are touched.

use lsp_types::TextEdit;

use super::world::Unit;
use rord_lang::format::format;
use rord_lang::source::Span;

/// The edits that lay a text out; none for one that does not parse.
pub fn formatting(unit: &Unit) -> Vec<TextEdit> {
    match format(&unit.text, unit.file) {
        Ok(new) => edits(unit, &new),
        Err(_) => vec![],
    }
}

/// The edit from a text to another: the lines between those that both begin and end with.
pub fn edits(unit: &Unit, new: &str) -> Vec<TextEdit> {
    if unit.text == new {
        return vec![];
    }
    let (a, b): (Vec<&str>, Vec<&str>) =
        (unit.text.split_inclusive('\n').collect(), new.split_inclusive('\n').collect());
    let head = a.iter().zip(&b).take_while(|(x, y)| x == y).count();
    let rest = a.len().min(b.len()) - head;
    let tail = a.iter().rev().zip(b.iter().rev()).take(rest).take_while(|(x, y)| x == y).count();
    let length =
        |lines: &[&str], from: usize, to: usize| -> usize { lines.iter().take(to).skip(from).map(|l| l.len()).sum() };
    let start = length(&a, 0, head);
    let end = start + length(&a, head, a.len() - tail);
    let text: String = b.iter().take(b.len() - tail).skip(head).copied().collect();
    let span = Span { file: unit.file, start: start as u32, end: end as u32 };
    vec![TextEdit::new(unit.range(span), text)]
}
