//! What a pass changes in a graph, as a diff of lines in which a node keeps its number.

use similar::{ChangeTag, TextDiff};

/// A graph as lines, with numbers that nodes keep from pass to pass.
pub struct Stage {
    lines: Vec<Line>,
    /// The next number that no node has had.
    next: usize,
}

/// A node: its number, the rest of its line; an output has none.
struct Line {
    number: Option<usize>,
    text: String,
}

impl Stage {
    /// The graph as it is first printed.
    pub fn first(text: &str) -> Self {
        let lines: Vec<Line> = text.lines().map(|l| Line::read(l, &|n| n)).collect();
        Self { next: lines.iter().filter(|l| l.number.is_some()).count(), lines }
    }

    /// The graph after a pass, and what it changed.
    pub fn after(self, text: &str) -> (Self, String) {
        let (old, new): (Vec<String>, Vec<String>) =
            (self.lines.iter().map(|l| shape(&l.text)).collect(), text.lines().map(|l| shape(rest(l))).collect());
        let (old, new) = (old.join("\n"), new.join("\n"));
        // A node that is there as before, whatever its inputs are now, is the same node.
        let (mut names, mut next) = (Vec::new(), self.next);
        for change in TextDiff::from_lines(&old, &new).iter_all_changes() {
            match (change.tag(), change.old_index()) {
                (ChangeTag::Delete, _) => {}
                (ChangeTag::Equal, Some(at)) => names.push(self.lines[at].number),
                _ => {
                    names.push(Some(next));
                    next += 1;
                }
            }
        }
        let named = |n: usize| names[n].unwrap_or(n);
        let lines: Vec<Line> = text.lines().map(|l| Line::read(l, &named)).collect();
        let after = Self { lines, next };
        let (old, new) = (self.text(), after.text());
        let diff = TextDiff::from_lines(&old, &new);
        (after, diff.unified_diff().context_radius(1).to_string())
    }

    fn text(&self) -> String {
        let line = |l: &Line| match l.number {
            Some(n) => format!("%{n} = {}\n", l.text),
            None => format!("{}\n", l.text),
        };
        self.lines.iter().map(line).collect()
    }
}

impl Line {
    /// A printed line, with other numbers.
    fn read(line: &str, named: &dyn Fn(usize) -> usize) -> Self {
        let number = line.strip_prefix('%').and_then(|l| l.split(' ').next()?.parse().ok());
        Self { number: number.map(named), text: renumbered(&spaced(rest(line)), named) }
    }
}

/// What follows a node's own number.
fn rest(line: &str) -> &str {
    line.strip_prefix('%').and_then(|l| l.split_once(" = ")).map_or(line, |(_, rest)| rest)
}

/// Two spaces between a call and its type, however wide the column is.
fn spaced(text: &str) -> String {
    match text.split_once("  ") {
        Some((call, ty)) => format!("{call}  {}", ty.trim_start()),
        None => text.to_string(),
    }
}

/// The text with every `%n` renamed.
fn renumbered(text: &str, named: &dyn Fn(usize) -> usize) -> String {
    let mut parts = text.split('%');
    let mut out = parts.next().unwrap().to_string();
    for part in parts {
        let end = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
        let number: usize = part[..end].parse().unwrap();
        out.push_str(&format!("%{}{}", named(number), &part[end..]));
    }
    out
}

/// The text without numbers of nodes: two lines of one shape may be the same node.
fn shape(text: &str) -> String {
    let mut parts = spaced(text).split('%').map(str::to_string).collect::<Vec<_>>();
    for part in parts.iter_mut().skip(1) {
        *part = part.trim_start_matches(|c: char| c.is_ascii_digit()).to_string();
    }
    parts.join("%")
}

#[test]
fn a_removed_node_is_one_line_and_a_new_input_is_two() {
    let first = "%0 = data x   Map\n%1 = inv(%0)  Map\n%2 = relu(%0)  Map\n%3 = mean(%2)  Loss\nLoss l = %3\n";
    let (stage, changed) =
        Stage::first(first).after("%0 = data x  Map\n%1 = relu(%0)  Map\n%2 = mean(%1)  Loss\nLoss l = %2\n");
    assert_eq!(changed, "@@ -1,3 +1,2 @@\n %0 = data x  Map\n-%1 = inv(%0)  Map\n %2 = relu(%0)  Map\n");
    let (_, changed) = stage.after("%0 = data x  Map\n%1 = relu(%0)  Map\n%2 = mean(%0)  Loss\nLoss l = %2\n");
    assert_eq!(
        changed,
        "@@ -2,3 +2,3 @@\n %2 = relu(%0)  Map\n-%3 = mean(%2)  Loss\n+%3 = mean(%0)  Loss\n Loss l = %3\n"
    );
}
