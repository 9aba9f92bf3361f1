//! Text in lines of a width, broken between words only: code that a line can hold stays whole, a path that it cannot
//! hold is broken behind a `/`, and a command nowhere, so that it can be copied.

use textwrap::core::{Word, display_width};
use textwrap::wrap_algorithms::wrap_first_fit;

/// The text in lines of at most `width` columns, as far as its words allow.
///
/// Code is what stands between backticks, and what two spaces set apart from the words around it, as in `write  --set
/// lr=3e-4`.
pub fn wrap(text: &str, width: usize) -> String {
    let lines: Vec<String> = text.lines().flat_map(|line| wrap_line(line, width)).collect();
    lines.join("\n")
}

fn wrap_line(line: &str, width: usize) -> Vec<String> {
    if display_width(line) <= width {
        return vec![line.to_string()];
    }
    let words: Vec<Word<'_>> = words(line, width).into_iter().map(Word::from).collect();
    let joined = |words: &[Word<'_>]| -> String {
        let text: String = words.iter().flat_map(|w| [w.word, w.whitespace]).collect();
        text.trim_end().to_string()
    };
    wrap_first_fit(&words, &[width as f64]).into_iter().map(joined).collect()
}

/// The pieces of a line that stay whole, each with the spaces behind it.
fn words(line: &str, width: usize) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = line;
    let mut code = false;
    while !rest.is_empty() {
        let spaces = |text: &str, from: usize| {
            let tail = text.get(from..).unwrap_or("");
            tail.len() - tail.trim_start_matches(' ').len()
        };
        let end = match code {
            true => rest.find("  ").unwrap_or(rest.len()),
            false => word_end(rest, width),
        };
        let gap = spaces(rest, end);
        let whole = code;
        // Two spaces lead from words to code, and from code to words.
        code = (gap >= 2) != code;
        let (word, tail) = rest.split_at_checked(end + gap).unwrap_or((rest, ""));
        let command = word.starts_with("--") || word.starts_with("rord-run");
        match display_width(word.trim_end()) > width && !command {
            true if whole => found.extend(word.split_inclusive(' ')),
            true => found.extend(word.split_inclusive('/')),
            false => found.push(word),
        }
        rest = tail;
    }
    found
}

/// Where the first word ends; what stands between backticks is one word if a line can hold it.
fn word_end(text: &str, width: usize) -> usize {
    let (mut quoted, mut end) = (false, text.len());
    for (at, c) in text.char_indices() {
        match c {
            '`' => quoted = !quoted,
            ' ' if !quoted => {
                end = at;
                break;
            }
            _ => {}
        }
    }
    match text.get(..end) {
        Some(word) if display_width(word) <= width => end,
        _ => text.find(' ').unwrap_or(text.len()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_between_words_and_code_stays_whole() {
        let text = "keep one of the two `let x = 1` and write  --set 'a=gds(\"b c\")'   (quotes are for the shell)";
        let expected =
            ["keep one of the two", "`let x = 1` and write", "--set 'a=gds(\"b c\")'", "(quotes are for the", "shell)"];
        assert_eq!(wrap(text, 22).lines().collect::<Vec<_>>(), expected);
        assert_eq!(wrap(text, 200), text);
        assert_eq!(wrap("a  b c d e f g h", 8), "a  b c d\ne f g h", "code that no line can hold is broken");
        assert_eq!(wrap("write  --set 'a = b(c)'", 8), "write\n--set 'a = b(c)'", "a command is copied as a whole");
        assert_eq!(wrap("first\nsecond", 6), "first\nsecond");
    }

    #[test]
    fn long_paths_end_behind_a_slash() {
        assert_eq!(
            wrap("cannot read runs/first/second/third.rord", 16),
            "cannot read\nruns/first/\nsecond/\nthird.rord"
        );
        assert_eq!(wrap("`a b c d e f g` x", 8), "`a b c d\ne f g` x", "what no line holds is broken at spaces");
    }
}
