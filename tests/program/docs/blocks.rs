//! Fenced blocks of a page: where they stand, what their fence says, and what they hold.

use std::path::{Path, PathBuf};

/// A fenced block.
pub struct Block {
    /// `docs/guide/language.md:12`.
    pub place: String,
    /// What stands behind the opening fence: `rord`, `rord wrong`, `console run`.
    pub info: String,
    /// The lines, without the fence's own indentation.
    pub text: String,
}

impl Block {
    /// The words behind the block's language, if it is written in `language`.
    pub fn words(&self, language: &str) -> Option<Vec<&str>> {
        let mut words = self.info.split_whitespace();
        (words.next() == Some(language)).then(|| words.collect())
    }
}

/// Every page: the book, and what stands beside the sources.
pub fn pages() -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> =
        ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"].map(PathBuf::from).into();
    under(Path::new("docs"), &mut found);
    under(Path::new("grammar"), &mut found);
    found.sort();
    found
}

fn under(folder: &Path, found: &mut Vec<PathBuf>) {
    for path in std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()) {
        match path.is_dir() {
            true => under(&path, found),
            false if path.extension().is_some_and(|e| e == "md") => found.push(path),
            false => {}
        }
    }
}

/// The blocks of a page, in order.
pub fn blocks(page: &Path) -> Vec<Block> {
    let text = std::fs::read_to_string(page).unwrap();
    let (mut found, mut lines) = (Vec::new(), text.lines().enumerate());
    while let Some((number, line)) = lines.next() {
        let indent = &line[..line.len() - line.trim_start().len()];
        let Some(info) = line.trim_start().strip_prefix("```") else { continue };
        let mut inside = String::new();
        let mut closed = false;
        for (_, line) in lines.by_ref() {
            if line.trim() == "```" {
                closed = true;
                break;
            }
            inside.push_str(line.strip_prefix(indent).unwrap_or(line));
            inside.push('\n');
        }
        let place = format!("{}:{}", page.display(), number + 1);
        assert!(closed, "{place}: the block is never closed");
        found.push(Block { place, info: info.trim().to_string(), text: inside });
    }
    found
}

/// The page without its fenced blocks and code spans: what Markdown reads.
pub fn prose(page: &Path) -> String {
    let text = std::fs::read_to_string(page).unwrap();
    let (mut out, mut code) = (String::new(), false);
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            code = !code;
        } else if !code {
            // What stands between backticks is no link; a link's text may hold some, so its own brackets stay.
            for (i, part) in line.split('`').enumerate() {
                out.push_str(if i % 2 == 0 { part } else { "x" });
            }
            out.push('\n');
        }
    }
    out
}
