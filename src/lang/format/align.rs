//! Columns: `=`, types, domains and comments of lines that follow each other stand below each other.

use std::collections::HashSet;

use super::doc::Class;
use super::layout::WIDTH;

/// Neighbors whose text differs by more than this are not aligned, where a column holds text of any length.
const JUMP: usize = 8;

/// A place on a line, in characters.
#[derive(Clone, Copy, Debug)]
pub struct Mark {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

/// A line that may be aligned with its neighbors.
#[derive(Clone, Debug)]
pub struct Row {
    /// Only rows of one class are aligned.
    pub class: Class,
    /// Its line.
    pub line: usize,
    /// Its first column.
    pub indent: usize,
    /// Columns by number, and where each begins.
    pub marks: Vec<(u8, usize)>,
    /// One past its last column, comments left out.
    pub end: usize,
}

/// A comment behind something.
struct Comment {
    line: usize,
    /// Where it begins, before and after what stands before it was aligned.
    column: usize,
    now: usize,
    length: usize,
    /// The indentation of its line.
    indent: usize,
}

/// The text with spaces put in before the marks of `rows` and before `comments`.
pub fn align(text: &str, rows: &[Row], comments: &[Mark]) -> String {
    let (attributes, mut rows): (Vec<&Row>, Vec<&Row>) = rows.iter().partition(|r| r.class == Class::Attribute);
    let attributes: HashSet<usize> = attributes.iter().map(|r| r.line).collect();
    rows.sort_by_key(|r| r.line);
    let follows = |a: &Row, b: &Row| (a.line + 1..b.line).all(|line| attributes.contains(&line)) && b.line > a.line;
    // Per line: columns, and how many spaces go before each.
    let mut spaces: Vec<Vec<(usize, usize)>> = vec![Vec::new(); text.split('\n').count()];
    for block in rows.chunk_by(|a, b| follows(a, b) && a.class == b.class && a.indent == b.indent) {
        for (row, pads) in block.iter().zip(pads(block)) {
            if let Some(line) = spaces.get_mut(row.line) {
                line.extend(pads);
            }
        }
    }
    let lines: Vec<&str> = text.split('\n').collect();
    let placed = comments.iter().map(|c| {
        let shift: usize = spaces.get(c.line).map_or(0, |s| s.iter().map(|(_, n)| n).sum());
        let line = lines.get(c.line).copied().unwrap_or("");
        Comment {
            line: c.line,
            column: c.column,
            now: c.column + shift,
            length: line.chars().count().saturating_sub(c.column),
            indent: line.len() - line.trim_start_matches(' ').len(),
        }
    });
    let placed: Vec<Comment> = placed.collect();
    for run in placed.chunk_by(|a, b| b.line == a.line + 1 && a.indent == b.indent) {
        let target = run.iter().map(|c| c.now).max().unwrap_or(0);
        if run.iter().any(|c| target + c.length > WIDTH) {
            continue;
        }
        for comment in run {
            if let Some(line) = spaces.get_mut(comment.line) {
                line.push((comment.column, target - comment.now));
            }
        }
    }
    let padded: Vec<String> = lines.iter().zip(&spaces).map(|(line, spaces)| pad(line, spaces)).collect();
    padded.join("\n")
}

fn pad(line: &str, spaces: &[(usize, usize)]) -> String {
    let mut out = String::with_capacity(line.len());
    for (i, c) in line.chars().enumerate() {
        let count: usize = spaces.iter().filter(|(column, _)| *column == i).map(|(_, n)| n).sum();
        out.extend(std::iter::repeat_n(' ', count));
        out.push(c);
    }
    out
}

/// The spaces that go before the marks of each row: for as many columns as keep every line within the width.
fn pads(block: &[&Row]) -> Vec<Vec<(usize, usize)>> {
    let mut columns: Vec<u8> = block.iter().flat_map(|r| r.marks.iter().map(|(id, _)| *id)).collect();
    columns.sort_unstable();
    columns.dedup();
    loop {
        let pads = pads_of(block, &columns);
        let fits = |(row, pads): (&&Row, &Vec<(usize, usize)>)| {
            let grown: usize = pads.iter().map(|(_, n)| n).sum();
            grown == 0 || row.end + grown <= WIDTH
        };
        if block.iter().zip(&pads).all(fits) || columns.pop().is_none() {
            return pads;
        }
    }
}

fn pads_of(block: &[&Row], columns: &[u8]) -> Vec<Vec<(usize, usize)>> {
    let mut pads: Vec<Vec<(usize, usize)>> = vec![Vec::new(); block.len()];
    for id in columns {
        // Row, where the column begins now, and how wide the one before it is.
        let mut found: Vec<(usize, usize, usize, usize)> = Vec::new();
        for (i, row) in block.iter().enumerate() {
            let Some(k) = row.marks.iter().position(|(m, _)| m == id) else { continue };
            let Some((_, column)) = row.marks.get(k) else { continue };
            let before = k.checked_sub(1).and_then(|k| row.marks.get(k)).map_or(row.indent, |(_, c)| *c);
            let shift: usize = pads.get(i).map_or(0, |p| p.iter().map(|(_, n)| n).sum());
            found.push((i, column + shift, column - before, *column));
        }
        let class = block.first().map(|r| r.class);
        let jumps = matches!((class, id), (Some(Class::Row(_)), _) | (Some(Class::Typed), 1));
        for section in found.chunk_by(|a, b| !jumps || a.2.abs_diff(b.2) <= JUMP) {
            let target = section.iter().map(|s| s.1).max().unwrap_or(0);
            for (i, now, _, column) in section {
                if let Some(pads) = pads.get_mut(*i) {
                    pads.push((*column, target - now));
                }
            }
        }
    }
    pads
}
