//! Markdown as a terminal shows it: headings and names stand out, code keeps its lines, paragraphs and lists are wrapped.

/// Where colors are wanted.
const BOLD: (&str, &str) = ("\x1b[1m", "\x1b[22m");
const CODE: (&str, &str) = ("\x1b[36m", "\x1b[39m");
const DIM: (&str, &str) = ("\x1b[2m", "\x1b[22m");

/// A page for a terminal of so many columns.
pub fn rendered(page: &str, width: usize, color: bool) -> String {
    let mut out = Page { text: String::new(), width: width.max(20), color };
    let mut lines = page.lines().peekable();
    while let Some(line) = lines.next() {
        if let Some(fence) = line.trim_start().strip_prefix("```") {
            let end = |line: &&str| line.trim_start().starts_with("```");
            for code in lines.by_ref().take_while(|line| !end(line)) {
                out.code(code, fence);
            }
        } else if line.trim().is_empty() {
            out.text.push('\n');
        } else if line.starts_with('#') {
            out.styled(line.trim_start_matches('#').trim(), BOLD);
        } else if line.starts_with('|') {
            let mut table = vec![line];
            while let Some(row) = lines.next_if(|line| line.starts_with('|')) {
                table.push(row);
            }
            out.table(&table);
        } else {
            let (indent, mark, mut text) = item(line);
            // What follows belongs to the same paragraph until something else begins.
            while let Some(more) = lines.next_if(|line| goes_on(line)) {
                text.push(' ');
                text.push_str(more.trim());
            }
            out.paragraph(indent, mark, &text);
        }
    }
    out.text
}

/// The indent of a line, its mark in a list, and the rest.
fn item(line: &str) -> (usize, &str, String) {
    let rest = line.trim_start();
    let indent = line.len() - rest.len();
    let marked = ["* ", "- ", "> "].iter().find(|mark| rest.starts_with(**mark)).map(|mark| mark.len());
    let digits = rest.chars().take_while(char::is_ascii_digit).count();
    let numbered = (digits > 0 && rest.get(digits..).is_some_and(|r| r.starts_with(". "))).then_some(digits + 2);
    let (mark, text) = rest.split_at_checked(marked.or(numbered).unwrap_or(0)).unwrap_or(("", rest));
    (indent, mark, text.trim().into())
}

fn goes_on(line: &str) -> bool {
    let rest = line.trim_start();
    !rest.is_empty() && !rest.starts_with(['#', '|']) && !rest.starts_with("```") && item(line).1.is_empty()
}

struct Page {
    text: String,
    width: usize,
    color: bool,
}

impl Page {
    fn styled(&mut self, text: &str, (on, off): (&str, &str)) {
        let text = self.inline(text);
        self.text.push_str(&if self.color { format!("{on}{text}{off}\n") } else { format!("{text}\n") });
    }

    /// A line of code keeps its length.
    fn code(&mut self, line: &str, fence: &str) {
        let quiet = self.color && fence.trim() == "text";
        let (on, off) = if quiet { DIM } else { ("", "") };
        self.text.push_str(format!("    {on}{line}{off}").trim_end());
        self.text.push('\n');
    }

    /// A paragraph, or an entry of a list.
    fn paragraph(&mut self, indent: usize, mark: &str, text: &str) {
        let mark = mark.replace(['*', '-'], "•").replace('>', "│");
        let first = format!("{}{mark}", " ".repeat(indent));
        let behind = " ".repeat(first.chars().count());
        let lines = wrapped(&self.inline(text), self.width.saturating_sub(behind.len()).max(10));
        for (number, line) in lines.iter().enumerate() {
            self.text.push_str(if number == 0 { &first } else { &behind });
            self.text.push_str(line);
            self.text.push('\n');
        }
    }

    /// Columns as wide as what stands in them; the last one is wrapped.
    fn table(&mut self, rows: &[&str]) {
        let cells = |row: &&str| -> Vec<String> {
            let inner = row.trim().trim_matches('|').replace("\\|", "\u{0}");
            inner.split('|').map(|cell| self.inline(cell.trim()).replace('\u{0}', "|")).collect()
        };
        let rule = |row: &&&str| row.chars().all(|c| "|-: ".contains(c));
        let rows: Vec<Vec<String>> = rows.iter().filter(|row| !rule(row)).map(cells).collect();
        let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
        let wide = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| seen(cell)).max();
        let widths: Vec<usize> = (0..columns).map(|column| wide(column).unwrap_or(0)).collect();
        for row in &rows {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(&widths).take(columns.saturating_sub(1)) {
                line.push_str(&format!("{cell}{}  ", " ".repeat(width - seen(cell).min(*width))));
            }
            let before = seen(&line);
            let last = row.get(columns.saturating_sub(1)).map(String::as_str).unwrap_or_default();
            for (number, part) in wrapped(last, self.width.saturating_sub(before).max(24)).iter().enumerate() {
                let lead = if number == 0 { line.clone() } else { " ".repeat(before) };
                self.text.push_str(format!("{lead}{part}").trim_end());
                self.text.push('\n');
            }
        }
    }

    /// Names in code and bold words, and links as their text.
    fn inline(&self, text: &str) -> String {
        let (mut out, mut rest) = (String::new(), text);
        let dress = |out: &mut String, (on, off): (&str, &str), text: &str| match self.color {
            true => out.push_str(&format!("{on}{text}{off}")),
            false => out.push_str(text),
        };
        while let Some(c) = rest.chars().next() {
            let enclosed = |mark: &str| {
                let inner = rest.strip_prefix(mark)?;
                let (inner, after) = inner.split_once(mark)?;
                (!inner.is_empty()).then_some((inner, after))
            };
            let link = || {
                let (text, after) = rest.strip_prefix('[')?.split_once("](")?;
                let (_, after) = after.split_once(')')?;
                (!text.contains('[')).then_some((text, after))
            };
            if let Some((inner, after)) = enclosed("`") {
                dress(&mut out, CODE, inner);
                rest = after;
            } else if let Some((inner, after)) = enclosed("**") {
                dress(&mut out, BOLD, inner);
                rest = after;
            } else if let Some((inner, after)) = link() {
                out.push_str(&self.inline(inner));
                rest = after;
            } else {
                out.push(c);
                rest = rest.get(c.len_utf8()..).unwrap_or("");
            }
        }
        out
    }
}

/// The columns of a text without what switches colors.
fn seen(text: &str) -> usize {
    let (mut count, mut inside) = (0, false);
    for c in text.chars() {
        match (inside, c) {
            (false, '\x1b') => inside = true,
            (true, 'm') => inside = false,
            (true, _) => {}
            (false, _) => count += 1,
        }
    }
    count
}

/// Lines of at most so many columns, broken between words.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let (mut lines, mut line, mut used) = (Vec::new(), String::new(), 0);
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let columns = seen(word);
        if used > 0 && used + 1 + columns > width {
            lines.push(std::mem::take(&mut line));
            used = 0;
        }
        if used > 0 {
            line.push(' ');
            used += 1;
        }
        line.push_str(word);
        used += columns;
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use super::rendered;

    const PAGE: &str = "# A title\n\nA paragraph with `code`, a **bold** word and a [link](there.md), which is\nlong.\n\n\
                        * one entry that is long enough\n  to be wrapped\n* two\n\n```rord\nlet x = 1   # stays as it is, however long\n```\n\n\
                        | name | is |\n|---|---|\n| `a` | the first of all names |\n| longer | b |\n";

    #[test]
    fn a_page_is_laid_out() {
        let expected = "\
A title

A paragraph with code, a bold
word and a link, which is
long.

• one entry that is long
  enough to be wrapped
• two

    let x = 1   # stays as it is, however long

name    is
a       the first of all names
longer  b
";
        assert_eq!(rendered(PAGE, 30, false), expected);
        let colored = rendered(PAGE, 30, true);
        assert!(
            colored.starts_with("\x1b[1mA title\x1b[22m\n") && colored.contains("\x1b[36mcode\x1b[39m,"),
            "{colored}"
        );
        for hostile in ["`", "**", "[a](", "|", "```", "* ", "1. ", "\u{1b}[31m`x"] {
            rendered(hostile, 1, true);
        }
    }
}
