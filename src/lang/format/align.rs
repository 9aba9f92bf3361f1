//! Columns: `=`, types, domains and comments of lines that follow each other stand below each other.

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

/// The text with spaces put in before the marks of `rows` and before `comments`.
pub fn align(text: &str, rows: &[Row], comments: &[Mark]) -> String {
    let mut rows: Vec<&Row> = rows.iter().collect();
    rows.sort_by_key(|r| r.line);
    // Per line: columns, and how many spaces go before each.
    let mut spaces: Vec<Vec<(usize, usize)>> = vec![Vec::new(); text.split('\n').count()];
    for block in rows.chunk_by(|a, b| b.line == a.line + 1 && a.class == b.class && a.indent == b.indent) {
        for (row, pads) in block.iter().zip(pads(block)) {
            if let Some(line) = spaces.get_mut(row.line) {
                line.extend(pads);
            }
        }
    }
    let lines: Vec<&str> = text.split('\n').collect();
    let shifted: Vec<(Mark, usize, usize)> = comments
        .iter()
        .map(|c| {
            let shift: usize = spaces.get(c.line).map_or(0, |s| s.iter().map(|(_, n)| n).sum());
            let length = lines.get(c.line).map_or(0, |l| l.chars().count());
            let indent = lines.get(c.line).map_or(0, |l| l.len() - l.trim_start_matches(' ').len());
            (Mark { column: c.column + shift, ..*c }, length.saturating_sub(c.column), indent)
        })
        .collect();
    for run in shifted.chunk_by(|a, b| b.0.line == a.0.line + 1 && a.2 == b.2) {
        let target = run.iter().map(|(c, _, _)| c.column).max().unwrap_or(0);
        if run.iter().any(|(_, length, _)| target + length > WIDTH) {
            continue;
        }
        for ((mark, _, _), original) in run.iter().zip(comments.iter().filter(|c| run.iter().any(|r| r.0.line == c.line))) {
            if let Some(line) = spaces.get_mut(mark.line) {
                line.push((original.column, target - mark.column));
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
