//! Pages that are written from the code: operations by chapter, kinds, the grammar, lists of pages.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use rord_lang::source::Sources;
use rord_lang::types::Kind;
use rord_lang::vocabulary::{Page, Vocabulary};
use rord_ops as ops;
use rord_ops::chapters::CHAPTERS;

const NOTE: &str = "<!-- Written from the code: INSTA_UPDATE=always cargo test --release --test program docs -->\n";

/// The pages of the book that are written by hand and come before the reference, in order.
const GUIDE: [&str; 17] = [
    "guide/first-loss.md",
    "guide/language.md",
    "guide/axes.md",
    "guide/places.md",
    "guide/fields.md",
    "guide/using.md",
    "guide/export.md",
    "guide/chip.md",
    "guide/finding.md",
    "guide/changing.md",
    "guide/data.md",
    "guide/running.md",
    "guide/clusters.md",
    "guide/editor.md",
    "guide/numerics.md",
    "guide/pytorch.md",
    "guide/comparison.md",
];

/// All of them: path below `docs/`, and text.
pub fn pages() -> Vec<(PathBuf, String)> {
    let (vocabulary, sources) = ops::vocabulary();
    let mut pages = vec![("reference/operations.md".into(), contents(&vocabulary, &sources))];
    for chapter in CHAPTERS {
        let mut out = format!("# {}\n\n{NOTE}\n{}\n", chapter.title, chapter.about);
        for name in chapter.names {
            let page = page(&vocabulary, &sources, name);
            let title = name.trim_start_matches("fn ");
            write!(out, "\n## `{title}`\n\n```rord signature\n{}\n```\n\n{}\n", page.signature, page.manual).unwrap();
        }
        pages.push((format!("reference/operations/{}.md", chapter.file).into(), out));
    }
    pages.push(("reference/kinds.md".into(), kinds(&vocabulary)));
    pages.push(("reference/grammar.md".into(), grammar()));
    pages.push(("reports/README.md".into(), reports()));
    let contents = summary(&pages);
    pages.push(("SUMMARY.md".into(), contents));
    pages
}

/// What the manual says of an entry of a chapter.
pub fn page(vocabulary: &Vocabulary, sources: &Sources, name: &str) -> Page {
    let found = match name.strip_prefix("fn ") {
        Some(name) => vocabulary.function_page(name, sources),
        None => vocabulary.operation_page(name).or_else(|| vocabulary.function_page(name, sources)),
    };
    found.unwrap_or_else(|| panic!("`{name}` stands in a chapter and nowhere else"))
}

/// The first sentence of a manual.
pub fn first_sentence(manual: &str) -> String {
    let paragraph = manual.split("\n\n").next().unwrap().replace('\n', " ");
    let end = paragraph.match_indices(". ").map(|(at, _)| at + 1).next().unwrap_or(paragraph.len());
    paragraph[..end].to_string()
}

fn contents(vocabulary: &Vocabulary, sources: &Sources) -> String {
    let mut out = format!(
        "# Operations

{NOTE}
Everything a pipeline can call. `rord-run explain NAME` prints the page of one, `rord-run explain ops` lists all. An argument that defaults
to `desc`, `desc_r` or `H` takes what has that name where the call stands.
"
    );
    for chapter in CHAPTERS {
        write!(out, "\n## [{}](operations/{}.md)\n\n", chapter.title, chapter.file).unwrap();
        for name in chapter.names {
            let about = first_sentence(&page(vocabulary, sources, name).manual);
            let name = name.trim_start_matches("fn ");
            writeln!(out, "- [`{name}`](operations/{}.md#{name}): {about}", chapter.file).unwrap();
        }
    }
    out
}

fn kinds(vocabulary: &Vocabulary) -> String {
    let makers = |kind: &str| -> Vec<String> {
        let of = |name: &&&str| {
            let op = vocabulary.operation(name).filter(|_| !name.starts_with("fn "));
            op.is_some_and(|op| op.result.as_ref().is_some_and(|r| r.kind.text == kind))
        };
        let link = |chapter: &str, name: &str| format!("[`{name}`](operations/{chapter}.md#{name})");
        CHAPTERS.iter().flat_map(|c| c.names.iter().filter(of).map(|n| link(c.file, n))).collect()
    };
    let mut tables = [String::new(), String::new(), String::new()];
    for kind in Kind::names().map(|name| Kind::named(name).unwrap()) {
        let above = kind.above().map_or(String::new(), |k| format!("`{}`", k.name()));
        let (name, holds) = (kind.name(), kind.holds());
        let makers = makers(name);
        if kind.is_tensor() {
            let axes = kind.usual_axes();
            writeln!(tables[0], "| `{name}` | {above} | {holds} | {axes} |").unwrap();
        } else if makers.is_empty() {
            writeln!(tables[1], "| `{name}` | {above} | {holds} |").unwrap();
        } else {
            writeln!(tables[2], "| `{name}` | {} |", makers.join(", ")).unwrap();
        }
    }
    format!(
        "# Kinds and types

{NOTE}
A type is `Kind[shape]@frame`, or `Homography[B]@a->b`. Where a kind is asked for, whatever is below it will do: a `Mask` is a `Prob`, and that
a `Map`. [The language](../guide/language.md#types) tells what follows from it.

## Tensors

What there is only while running. Axes are those that a shape in brackets has; a homography is (B, 3, 3) and points are (B, N, 2) all the
same. `Desc unit` and `Vectors unit` are vectors of length 1.

| kind | is a | holds | axes |
|---|---|---|---|
{}
## Known before the run

| kind | is a | holds |
|---|---|---|
{}
## Recipes

Operations that are only passed to what carries them out.

| kind | is made by |
|---|---|
{}",
        tables[0], tables[1], tables[2]
    )
}

fn grammar() -> String {
    let text = std::fs::read_to_string("grammar/rord.ebnf").unwrap();
    format!(
        "# Grammar

{NOTE}
This is `grammar/rord.ebnf`, which is normative; a test makes sentences of it and holds the parser to them. Beside it there lie a grammar for
tree-sitter and one for TextMate, for editors.

```ebnf
{}
```
",
        text.trim_end()
    )
}

/// A page's heading.
pub fn heading(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines()
        .find_map(|l| l.strip_prefix("# "))
        .unwrap_or_else(|| panic!("{} has no heading", path.display()))
        .to_string()
}

/// What is written by hand in the list of reports: all until the first family, and the families' headings.
fn reports() -> String {
    let old = std::fs::read_to_string("docs/reports/README.md").unwrap();
    let mut out = old.split("\n## ").next().unwrap().trim_end().to_string();
    for family in families() {
        write!(out, "\n\n## {family}\n").unwrap();
        for (code, title) in codes(&family[..3]) {
            write!(out, "\n* [{code}]({code}.md): {title}").unwrap();
        }
    }
    out + "\n"
}

/// "R01: Syntax" and so on, as the list of reports has them.
fn families() -> Vec<String> {
    let list = std::fs::read_to_string("docs/reports/README.md").unwrap();
    list.lines().filter_map(|l| l.strip_prefix("## ")).map(str::to_string).collect()
}

/// The codes of a family with their pages' titles.
fn codes(family: &str) -> Vec<(String, String)> {
    let files = std::fs::read_dir("docs/reports").unwrap().map(|e| e.unwrap().path());
    let mut files: Vec<_> = files.filter(|f| f.file_name().unwrap().to_str().unwrap().starts_with(family)).collect();
    files.sort();
    files.iter().map(|f| heading(f).split_once(": ").map(|(a, b)| (a.to_string(), b.to_string())).unwrap()).collect()
}

/// The book's contents.
fn summary(written: &[(PathBuf, String)]) -> String {
    let title = |page: &str| match written.iter().find(|(path, _)| path == Path::new(page)) {
        Some((_, text)) => text.lines().next().unwrap().trim_start_matches("# ").to_string(),
        None => heading(&Path::new("docs").join(page)),
    };
    let mut out = format!("# Summary\n\n{NOTE}\n[rord](README.md)\n\n# Guide\n\n");
    let line = |out: &mut String, depth: usize, title: &str, page: &str| {
        writeln!(out, "{}- [{title}]({page})", "  ".repeat(depth)).unwrap();
    };
    for page in GUIDE {
        line(&mut out, 0, &title(page), page);
    }
    for page in ["performance.md", "scaling.md", "gpu.md", "reliability.md"] {
        line(&mut out, 0, &title(page), page);
    }
    out.push_str("\n# Reference\n\n");
    line(&mut out, 0, "Operations", "reference/operations.md");
    for chapter in CHAPTERS {
        line(&mut out, 1, chapter.title, &format!("reference/operations/{}.md", chapter.file));
    }
    for page in ["kinds", "sections", "reports", "json", "grammar"].map(|p| format!("reference/{p}.md")) {
        line(&mut out, 0, &title(&page), &page);
    }
    out.push_str("\n# Reports\n\n");
    line(&mut out, 0, "All reports", "reports/README.md");
    for family in families() {
        // A heading without a page: what is below it folds.
        line(&mut out, 0, &family, "");
        for (code, title) in codes(&family[..3]) {
            line(&mut out, 1, &format!("{code}: {title}"), &format!("reports/{code}.md"));
        }
    }
    out.push_str("\n# Decisions\n\n");
    line(&mut out, 0, "Decisions", "decisions/README.md");
    let list = std::fs::read_to_string("docs/decisions/README.md").unwrap();
    for page in list.lines().filter_map(|l| l.strip_prefix("- [")?.split_once("](")?.1.split_once(')').map(|x| x.0)) {
        line(&mut out, 1, &title(&format!("decisions/{page}")), &format!("decisions/{page}"));
    }
    out
}
