//! The manual: what is written from the code is what the code says, every example checks, every command prints what
//! is shown, and every link leads somewhere.

mod blocks;
mod console;
mod edit;
mod generated;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};
use std::process::Command;

use rord_lang::format::format;
use rord_lang::lex::KEYWORDS;
use rord_lang::parse;
use rord_lang::sections::SECTIONS;
use rord_lang::source::FileId;
use rord_ops as ops;
use rord_ops::chapters::{CHAPTERS, PARTS};

fn none(wrong: &[String]) {
    assert!(wrong.is_empty(), "{} found\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn what_is_written_from_the_code_is_what_the_code_says() {
    let mut wrong = Vec::new();
    for (page, text) in generated::pages() {
        let path = Path::new("docs").join(page);
        if std::fs::read_to_string(&path).is_ok_and(|old| old == text) {
            continue;
        }
        if std::env::var("INSTA_UPDATE").is_ok_and(|v| v == "always") {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, text).unwrap();
        } else {
            wrong.push(format!("{} is not what the code says; INSTA_UPDATE=always writes it", path.display()));
        }
    }
    let written: BTreeSet<_> = CHAPTERS.iter().map(|c| format!("{}.md", c.file)).collect();
    let there = std::fs::read_dir("docs/reference/operations").unwrap().map(|e| e.unwrap().file_name());
    wrong.extend(
        there
            .map(|f| f.into_string().unwrap())
            .filter(|f| !written.contains(f))
            .map(|f| format!("{f} is of no chapter")),
    );
    none(&wrong);
}

#[test]
fn every_operation_stands_in_one_chapter_and_is_documented() {
    let (vocabulary, sources) = ops::vocabulary();
    let mut standing = BTreeMap::new();
    for chapter in CHAPTERS {
        for name in chapter.names {
            assert_eq!(standing.insert(*name, chapter.file), None, "`{name}` stands in two chapters");
        }
    }
    let operations: Vec<&str> = ops::all().map(|op| op.name).collect();
    let functions = vocabulary.names().filter(|n| vocabulary.function(n).is_some());
    let functions: BTreeSet<String> =
        functions.map(|f| if operations.contains(&f) { format!("fn {f}") } else { f.to_string() }).collect();
    let mut wrong = Vec::new();
    for name in operations.iter().map(|n| n.to_string()).chain(functions) {
        let Some(chapter) = standing.remove(name.as_str()) else {
            wrong.push(format!("`{name}` stands in no chapter of src/ops/chapters.rs"));
            continue;
        };
        let manual = generated::page(&vocabulary, &sources, &name).manual;
        let part = manual.starts_with("Part of `");
        if part != (chapter == PARTS) {
            wrong.push(format!("`{name}`: parts, and only they, begin with \"Part of\" and stand in that chapter"));
        }
        let first = generated::first_sentence(&manual);
        if first.len() < 10 || !first.ends_with(['.', ':']) {
            wrong.push(format!("`{name}`: the manual begins with {first:?}"));
        }
        let examples: Vec<&str> = manual.split("```rord\n").skip(1).map(|b| b.split("```").next().unwrap()).collect();
        let called = name.trim_start_matches("fn ");
        let used = |e: &&str| match ops::find(called).filter(|op| op.entry.operator) {
            Some(_) => e.contains(['+', '-', '*', '/', '<', '>', '=', '(']),
            None => e.contains(called),
        };
        if !part && !examples.iter().any(used) {
            wrong.push(format!("`{name}`: the manual has no example that uses it"));
        }
    }
    wrong.extend(standing.keys().map(|n| format!("`{n}` stands in a chapter, and nowhere else")));
    none(&wrong);
}

/// The codes of what is said about a file, each once in a row.
fn reported(folder: &Path, file: &str) -> Vec<String> {
    let out = Command::new(env!("CARGO_BIN_EXE_rord-run"))
        .args(["check", "--format", "json", file])
        .current_dir(folder)
        .output()
        .unwrap();
    let lines = String::from_utf8(out.stdout).unwrap();
    let code = |l: &str| serde_json::from_str::<serde_json::Value>(l).unwrap()["code"].as_str().unwrap().to_string();
    let mut found: Vec<String> = lines.lines().map(code).collect();
    found.dedup();
    found
}

fn write(folder: &Path, file: &str, text: &str) {
    let path = folder.join(file);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

/// A `rord` block is a file that checks without a word. `wrong` gets the report that its page is about, or the one it
/// names, and no other; `right` says that nothing is wrong any more. `file=` gives a file to the blocks of its page,
/// `edit=` changes items of one.
#[test]
fn every_block_of_the_language_checks_or_is_wrong_as_it_says() {
    let (mut wrong, mut count) = (Vec::new(), 0);
    for page in blocks::pages() {
        let dir = tempfile::tempdir().unwrap();
        let blocks = blocks::blocks(&page);
        let own = page.file_stem().unwrap().to_str().unwrap();
        let about_report = page.starts_with("docs/reports") && own != "README";
        let words = blocks.iter().filter_map(|b| Some((b, b.words("rord")?)));
        for (block, words) in words.clone() {
            if let Some(file) = words.iter().find_map(|w| w.strip_prefix("file=")) {
                write(dir.path(), file, &block.text);
            }
        }
        for (block, words) in words {
            count += 1;
            let (mut file, mut expected, mut text) = ("page.rord", Vec::new(), block.text.clone());
            let mut checked = true;
            for word in words {
                match word.split_once('=').unwrap_or((word, "")) {
                    ("right", "") => {}
                    ("wrong", "") if about_report => expected.push(own),
                    ("wrong", code) if !code.is_empty() => expected.push(code),
                    // In a report's page such a file may be what is wrong.
                    ("file", name) => (file, checked) = (name, !about_report),
                    ("edit", name) => {
                        file = name;
                        text = edit::edited(&std::fs::read_to_string(dir.path().join(name)).unwrap(), &text);
                    }
                    ("signature", "") => {
                        checked = false;
                        parse::signature(block.text.trim(), FileId(0))
                            .unwrap_or_else(|e| panic!("{}: {e:?}", block.place));
                    }
                    _ => wrong.push(format!("{}: nobody knows what `{word}` means", block.place)),
                }
            }
            if !checked {
                continue;
            }
            write(dir.path(), file, &text);
            let found = reported(dir.path(), file);
            if found != expected {
                wrong.push(format!("{}: {found:?} instead of {expected:?}\n{text}", block.place));
            }
            // A page of a report shows the remedy as its mistake is laid out.
            let laid_out = format(&block.text, FileId(0));
            if !about_report && expected.is_empty() && laid_out.as_deref().ok() != Some(&block.text) {
                wrong.push(format!("{}: laid out it is\n{}", block.place, laid_out.unwrap_or_default()));
            }
        }
    }
    none(&wrong);
    assert!(count > 400, "{count} blocks");
}

#[test]
fn pages_of_reports_show_a_mistake_and_the_remedy() {
    let mut shown = 0;
    for (code, page) in rord_lang::report::pages::PAGES {
        assert!(page.starts_with(&format!("# {code}: ")), "{code}");
        assert!(!page.contains("```rord wrong") || page.contains("```rord right"), "{code} shows no remedy");
        shown += page.matches("```rord wrong").count();
    }
    assert!(shown > 100, "{shown} mistakes");
}

/// `console run` blocks are run, and print what is shown. The numbers of `console train` blocks depend on the
/// machine; `console by-hand` takes too long for a test, or files that are not there. Files are those of the page,
/// and the shipped pipelines.
#[test]
fn commands_of_the_guide_print_what_is_shown() {
    let mut wrong = Vec::new();
    for page in blocks::pages() {
        let blocks = blocks::blocks(&page);
        if !blocks.iter().any(|b| b.words("console").is_some()) {
            continue;
        }
        let dir = tempfile::tempdir().unwrap();
        for file in ["default", "find", "lib/nets"].map(|f| format!("pipelines/{f}.rord")) {
            write(dir.path(), &file, &std::fs::read_to_string(&file).unwrap());
        }
        for block in &blocks {
            for word in block.words("rord").unwrap_or_default() {
                match word.split_once('=') {
                    Some(("file", name)) => write(dir.path(), name, &block.text),
                    Some(("edit", name)) => {
                        let old = std::fs::read_to_string(dir.path().join(name)).unwrap();
                        write(dir.path(), name, &edit::edited(&old, &block.text));
                    }
                    _ => {}
                }
            }
            let exactly = match block.words("console").as_deref() {
                Some(["run"]) => true,
                Some(["train"]) => false,
                Some(["by-hand"]) => continue,
                // Only what a test runs may show what is printed.
                Some([]) if console::commands(&block.text).iter().any(|(_, shown)| shown.contains(|c| c != '\n')) => {
                    wrong.push(format!(
                        "{}: nothing checks what is shown; say `run`, `train` or `by-hand`",
                        block.place
                    ));
                    continue;
                }
                Some([]) | None => continue,
                Some(other) => panic!("{}: nobody knows what {other:?} means", block.place),
            };
            for (command, shown) in console::commands(&block.text) {
                let printed = console::run(dir.path(), &command);
                let alike = match exactly {
                    true => console::is_shown(&shown, &printed),
                    false => console::lines_are_shown(&shown, &printed),
                };
                if !alike {
                    wrong.push(format!("{}: {command}\n{printed}", block.place));
                }
            }
        }
    }
    none(&wrong);
}

/// The links of a page: what stands in `](…)`.
fn links(page: &Path) -> Vec<String> {
    let text = blocks::prose(page);
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
    targets.map(|(target, _)| target.to_string()).filter(|t| !t.is_empty() && !t.contains("://")).collect()
}

/// A path without `..` in it.
fn plain(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => drop(out.pop()),
            part => out.push(part),
        }
    }
    out
}

/// What a link to a heading of the page is called, by GitHub and mdBook alike.
fn anchors(page: &Path) -> BTreeSet<String> {
    let text = std::fs::read_to_string(page).unwrap();
    let mut code = false;
    let headings = text.lines().filter(|l| {
        code ^= l.trim_start().starts_with("```");
        !code && l.starts_with('#')
    });
    let mut found = BTreeSet::new();
    for heading in headings {
        let title = heading.trim_start_matches('#').trim();
        // Of a link only its text is part of the name.
        let title =
            title.split("](").enumerate().map(|(i, p)| if i == 0 { p } else { p.split_once(')').map_or("", |x| x.1) });
        let kept = |c: char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
        let name: String = title.collect::<String>().to_lowercase().chars().filter(|c| kept(*c)).collect();
        found.insert(name.replace(' ', "-"));
    }
    found
}

#[test]
fn every_link_leads_somewhere_and_the_book_is_whole() {
    let (mut wrong, mut count) = (Vec::new(), 0);
    for page in blocks::pages() {
        for link in links(&page) {
            let (file, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target = match file {
                "" => page.clone(),
                file => plain(&page.parent().unwrap().join(file)),
            };
            count += 1;
            if !target.exists() {
                wrong.push(format!("{}: {link} leads nowhere", page.display()));
            } else if !anchor.is_empty() && !anchors(&target).contains(anchor) {
                wrong.push(format!("{}: {link} names no heading", page.display()));
            } else if page.starts_with("docs") && !target.starts_with("docs") {
                wrong.push(format!("{}: {link} is outside of the book", page.display()));
            } else if page.starts_with("docs") && target.is_dir() {
                wrong.push(format!("{}: {link} is a folder, which a book has none of", page.display()));
            }
        }
    }
    let listed: BTreeSet<PathBuf> =
        links(Path::new("docs/SUMMARY.md")).iter().map(|l| Path::new("docs").join(l)).collect();
    let book = blocks::pages().into_iter().filter(|p| p.starts_with("docs") && !p.ends_with("SUMMARY.md"));
    wrong.extend(book.filter(|p| !listed.contains(p)).map(|p| format!("{} is missing from SUMMARY.md", p.display())));
    none(&wrong);
    assert!(count > 500, "{count} links");
}

#[test]
fn the_page_of_sections_names_every_field_with_its_kind() {
    let page = std::fs::read_to_string("docs/reference/sections.md").unwrap();
    let mut found = BTreeSet::new();
    for part in page.split("\n## ").skip(1).filter(|p| SECTIONS.iter().any(|s| p.lines().next() == Some(s.name))) {
        let section = part.lines().next().unwrap();
        for row in part.lines().filter(|l| l.starts_with("| `")) {
            let cells: Vec<String> = row.split('|').map(|c| c.trim().replace('`', "")).collect();
            found.insert((section.to_string(), cells[1].clone(), cells[2].clone()));
            // A default that is a constant stands in the table as it is.
            let field = rord_lang::sections::field(section, &cells[1]).unwrap_or_else(|| panic!("{row}"));
            if let Some(default) = field.default.constant() {
                assert_eq!(cells[3], default.to_string(), "{row}");
            }
        }
    }
    let fields = SECTIONS.iter().flat_map(|s| s.fields.iter().map(move |f| (s.name, f.name, f.kinds())));
    let expected = fields.map(|(s, f, k)| (s.to_string(), f.to_string(), k.to_string())).collect();
    assert_eq!(found, expected);
}

#[test]
fn the_book_colors_every_keyword() {
    let script = std::fs::read_to_string("docs/theme/rord.js").unwrap();
    let words: BTreeSet<&str> = script.split(|c: char| !c.is_alphanumeric()).collect();
    let missing: Vec<_> = KEYWORDS.iter().filter(|k| !words.contains(**k)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
