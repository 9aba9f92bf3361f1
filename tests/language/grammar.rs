//! The parser and `grammar/rord.ebnf` agree: on sentences made up from the grammar, on files, and on files with one token wrong.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::ebnf::{Grammar, choices, program, scatter};
use super::skip::skip;
use rord_lang::lex::KEYWORDS;
use rord_lang::parse::parse;
use rord_lang::source::FileId;

/// What the parser reports. Limits of numbers and depth, and versions to come, are no matter of the grammar.
fn reports(text: &str) -> Vec<String> {
    let (_, reports) = parse(text, FileId(0));
    let beyond = ["R0104", "R0107", "R0110"];
    reports.iter().filter(|r| !beyond.contains(&r.code)).map(|r| format!("{} {}", r.code, r.title)).collect()
}

fn files(folder: &str) -> Vec<(PathBuf, String)> {
    let mut found: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    found.retain(|p| p.extension().is_some_and(|e| e == "rord"));
    found.sort();
    found.into_iter().map(|p| (p.clone(), std::fs::read_to_string(p).unwrap())).collect()
}

fn shipped() -> Vec<(PathBuf, String)> {
    ["pipelines", "pipelines/lib", "benches", "src/ops/std"].into_iter().flat_map(files).collect()
}

#[test]
fn the_grammar_is_whole() {
    let grammar = Grammar::shipped();
    assert_eq!(grammar.missing(), Vec::<String>::new());
    // A file is where it begins, and comments may stand anywhere.
    assert_eq!(grammar.unused(), ["file", "COMMENT"]);
    assert_eq!(grammar.keywords(), &KEYWORDS.iter().map(|k| k.to_string()).collect::<BTreeSet<_>>());
}

#[test]
fn sentences_of_every_production_parse() {
    let grammar = Grammar::shipped();
    let mut seen = BTreeSet::new();
    let mut longest = 0;
    for seed in 0..3000 {
        let tokens = program(&grammar, seed, 9 + seed as usize % 16, &mut seen);
        longest = longest.max(tokens.len());
        for untidy in [0, 6] {
            let text = scatter(&tokens, seed, untidy);
            assert!(grammar.accepts(&text), "the recognizer refuses what was derived:\n{text}");
            assert_eq!(reports(&text), Vec::<String>::new(), "seed {seed}:\n{text}");
        }
    }
    let left: Vec<_> = grammar.choices().difference(&seen).copied().collect();
    assert!(left.is_empty(), "alternatives that were never taken: {left:?}");
    assert!(longest > 100, "{longest}");
}

#[test]
fn files_are_read_alike() {
    let grammar = Grammar::shipped();
    for (path, text) in shipped().into_iter().chain(files("tests/reports")).chain(files("tests/golden/loss")) {
        let found = reports(&text);
        // A byte order mark says how a file is stored; the grammar speaks of what is in it.
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
        assert_eq!(grammar.accepts(text), found.is_empty(), "{}: {found:?}", path.display());
    }
}

/// Both say the same of a text.
fn agree(grammar: &Grammar, text: &str, counts: &mut [usize; 2]) {
    let (found, accepted) = (reports(text), grammar.accepts(text));
    counts[usize::from(accepted)] += 1;
    assert_eq!(accepted, found.is_empty(), "the grammar says {accepted}, the parser {found:?}:\n{text}");
}

#[test]
fn one_wrong_token_is_read_alike() {
    let grammar = Grammar::shipped();
    let mut counts = [0, 0];
    for (path, text) in shipped() {
        let tokens: Vec<String> = grammar.tokens(&text).unwrap().into_iter().map(|t| t.text).collect();
        // Every file is gone through at its own pace, so that long ones take no longer than short ones.
        let step = tokens.len().div_ceil(80);
        let mut choose = choices(tokens.len() as u64);
        let starts: Vec<usize> = (0..tokens.len()).step_by(step).map(|at| at + choose(step)).collect();
        for at in starts.into_iter().filter(|at| *at < tokens.len()) {
            for way in 0..4 {
                let mut wrong = tokens.clone();
                match way {
                    0 => drop(wrong.remove(at)),
                    1 => wrong.insert(at, tokens[at].clone()),
                    2 => wrong.swap(at, (at + 1) % tokens.len()),
                    _ => wrong[at] = tokens[choose(tokens.len())].clone(),
                }
                // The token's surroundings are enough: the file is cut at items that are far away.
                let from = at.saturating_sub(120);
                let item = |t: &String| rord_lang::lex::ITEMS.contains(&t.as_str());
                let begin = (0..=from).rev().find(|i| item(&tokens[*i])).unwrap_or(0);
                let end = (at + 120).min(wrong.len());
                let end = (end..wrong.len()).find(|i| item(&wrong[*i])).unwrap_or(wrong.len());
                agree(&grammar, &scatter(&wrong[begin..end], at as u64, 3), &mut counts);
            }
        }
        assert!(counts[0] > 0, "{}", path.display());
    }
    println!("{} refused, {} accepted", counts[0], counts[1]);
    assert!(counts[0] > 1500 && counts[1] > 100, "{counts:?}");
}

#[test]
fn one_wrong_character_is_read_alike() {
    let grammar = Grammar::shipped();
    let mut counts = [0, 0];
    for (_, text) in shipped() {
        let chars: Vec<char> = text.chars().take(3000).collect();
        let mut choose = choices(chars.len() as u64);
        for _ in 0..120 {
            let mut wrong = chars.clone();
            let at = choose(wrong.len());
            let other =
                ['#', '"', '\\', '@', '_', '8', 'e', '.', '|', '>', '-', '=', '\n', 'é', '²', '§', '}'][choose(17)];
            match choose(3) {
                0 => drop(wrong.remove(at)),
                1 => wrong.insert(at, other),
                _ => wrong[at] = other,
            }
            agree(&grammar, &wrong.into_iter().collect::<String>(), &mut counts);
        }
    }
    println!("{} refused, {} accepted", counts[0], counts[1]);
    assert!(counts[0] > 200 && counts[1] > 200, "{counts:?}");
}

#[test]
fn made_up_sentences_with_a_wrong_token_are_read_alike() {
    let grammar = Grammar::shipped();
    let mut counts = [0, 0];
    for seed in 10_000..14_000 {
        let mut tokens = program(&grammar, seed, 14, &mut BTreeSet::new());
        let mut choose = choices(seed);
        if tokens.is_empty() {
            continue;
        }
        let (at, other) = (choose(tokens.len()), choose(tokens.len()));
        match choose(4) {
            0 => drop(tokens.remove(at)),
            1 => tokens.insert(at, tokens[other].clone()),
            2 => tokens.swap(at, other),
            _ => tokens[at] = KEYWORDS[choose(KEYWORDS.len())].to_string(),
        }
        agree(&grammar, &scatter(&tokens, seed, 4), &mut counts);
    }
    println!("{} refused, {} accepted", counts[0], counts[1]);
    assert!(counts[0] > 1000 && counts[1] > 200, "{counts:?}");
}

/// Quoted words and names of rules in `grammar.js`.
fn names_in_js() -> (BTreeSet<String>, BTreeSet<String>) {
    let js = std::fs::read_to_string("grammar/tree-sitter-rord/grammar.js").unwrap();
    let rules = js.split_once("rules: {").unwrap().1;
    let mut names = BTreeSet::new();
    for line in rules.lines() {
        if let Some((name, _)) = line.trim_start().split_once(": (") {
            names.insert(name.trim_start_matches('_').to_string());
        }
    }
    let code: String = js.lines().filter(|l| !l.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    // `field('name', …)` names a part of a node and is no word of the language.
    let parts = code.split("field('").enumerate();
    let code: String = parts.map(|(i, p)| if i == 0 { p } else { p.split_once('\'').unwrap().1 }).collect();
    let quoted = code.split('\'').skip(1).step_by(2).map(String::from).collect();
    (names, quoted)
}

#[test]
fn the_grammar_for_editors_has_the_same_words() {
    let grammar = Grammar::shipped();
    let (names, quoted) = names_in_js();
    // What is said without a name of its own there, and with another form here.
    let without = [
        "item", "cond", "atom", "postfix", "size", "DIGITS", "DIGIT", "UNIT", "KEYWORD", "LETTER", "NUMERAL", "CAPITAL",
    ];
    for rule in &grammar.order {
        let here = names.contains(&rule.to_lowercase());
        assert!(here || without.contains(&rule.as_str()), "{rule} is not in grammar.js");
    }
    let of_its_own =
        ["version", "pipe", "if", "call", "member", "arguments", "boolean", "list", "group", "dim", "term"];
    for name in &names {
        let known = grammar.order.iter().any(|r| r.to_lowercase() == *name || (r == "DOC" && name == "doc"));
        assert!(
            known || of_its_own.contains(&name.as_str()) || without.contains(&name.as_str()),
            "{name} is not in rord.ebnf"
        );
    }
    let mut words: BTreeSet<String> = grammar.keywords().clone();
    for (rule, _) in grammar.rules.iter().filter(|(n, _)| n.chars().any(char::is_lowercase)) {
        words.extend(grammar.parts(rule).1);
    }
    let missing: Vec<_> = words.difference(&quoted).collect();
    let strange: Vec<_> = quoted.difference(&words).filter(|w| *w != "rord").collect();
    assert!(missing.is_empty() && strange.is_empty(), "missing {missing:?}, strange {strange:?}");
    let textmate = std::fs::read_to_string("grammar/rord.tmLanguage.json").unwrap();
    let _: serde_json::Value = serde_json::from_str(&textmate).unwrap();
    let listed: BTreeSet<&str> = textmate.split(|c: char| !c.is_alphabetic()).collect();
    for word in KEYWORDS.iter().chain(&["px", "deg", "epochs", "steps", "min", "x", "unit", "part", "under"]) {
        assert!(listed.contains(word), "{word} is not in rord.tmLanguage.json");
    }
}

/// The command of tree-sitter, if there is one.
fn tree_sitter() -> Option<std::ffi::OsString> {
    let command = std::env::var_os("RORD_TREE_SITTER").unwrap_or("tree-sitter".into());
    std::process::Command::new(&command).arg("--version").output().ok().filter(|o| o.status.success()).map(|_| command)
}

#[test]
fn tree_sitter_reads_alike() {
    let Some(command) = tree_sitter() else {
        return skip("there is no command tree-sitter; RORD_TREE_SITTER may name it");
    };
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    for name in [
        "grammar.js",
        "tree-sitter.json",
        "queries/highlights.scm",
        "test/corpus/items.txt",
        "test/corpus/expressions.txt",
    ] {
        let target = root.join(name);
        std::fs::create_dir_all(target.parent().unwrap()).unwrap();
        std::fs::copy(std::path::Path::new("grammar/tree-sitter-rord").join(name), target).unwrap();
    }
    let run = |args: &[&str]| {
        let mut command = std::process::Command::new(&command);
        // A cache of its own: another version of the parser may lie in the usual one.
        command.args(args).current_dir(root).env("XDG_CACHE_HOME", root.join("cache"));
        let out = command.output().unwrap();
        (
            out.status.success(),
            format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr)),
        )
    };
    for verb in ["generate", "test"] {
        let (done, said) = run(&[verb]);
        assert!(done, "{verb}: {said}");
    }
    let grammar = Grammar::shipped();
    let mut texts: Vec<String> = shipped().into_iter().chain(files("tests/reports")).map(|(_, t)| t).collect();
    // A byte order mark is taken off before the grammar begins; tree-sitter does that itself.
    texts.iter_mut().for_each(|text| *text = text.trim_start_matches('\u{feff}').to_string());
    for seed in 0..600 {
        let mut tokens = program(&grammar, seed, 13, &mut BTreeSet::new());
        texts.push(scatter(&tokens, seed, 4));
        let mut choose = choices(seed);
        if !tokens.is_empty() {
            let (at, other) = (choose(tokens.len()), choose(tokens.len()));
            match choose(3) {
                0 => drop(tokens.remove(at)),
                1 => tokens.insert(at, tokens[other].clone()),
                _ => tokens.swap(at, other),
            }
            texts.push(scatter(&tokens, seed, 4));
        }
    }
    std::fs::create_dir(root.join("texts")).unwrap();
    let name = |i: usize| format!("texts/{i:05}.rord");
    for (i, text) in texts.iter().enumerate() {
        std::fs::write(root.join(name(i)), text).unwrap();
    }
    let list: String = (0..texts.len()).map(|i| format!("{}\n", name(i))).collect();
    std::fs::write(root.join("list"), list).unwrap();
    let (_, said) = run(&["parse", "--quiet", "--paths", "list"]);
    let mut counts = [0, 0];
    for (i, text) in texts.iter().enumerate() {
        let (accepted, refused) = (grammar.accepts(text), said.contains(&name(i)));
        counts[usize::from(accepted)] += 1;
        assert_eq!(accepted, !refused, "the grammar says {accepted}:\n{text}");
    }
    println!("{} refused, {} accepted", counts[0], counts[1]);
    assert!(counts[0] > 200 && counts[1] > 500, "{counts:?}");
}
