//! The verbs that need no engine: parameters from YAML, pages of the manual, graphs for other tools.

use std::process::{Command, Output};

const DEFAULT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/pipelines/default.rord");

fn rord(folder: &std::path::Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rord-run"));
    command.args(args).current_dir(folder).env("NO_COLOR", "1").env("RORD_WIDTH", "100").env_remove("TERM");
    command.output().unwrap()
}

fn printed(args: &[&str]) -> String {
    let out = rord(std::path::Path::new("."), args);
    assert_eq!(out.status.code(), Some(0), "{args:?}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap()
}

#[test]
fn mistakes_in_yaml_are_shown_where_they_are() {
    let dir = tempfile::tempdir().unwrap();
    for (yaml, code, place, fact) in [
        (&b"lr: \"1e-3\"\n"[..], "R0802", "1:5", "write  lr: 1e-3"),
        (b"lr: 1\nbatch: 2\nlr: 2\n", "R0813", "3:1", "given again"),
        (b"train:\n  lr: 1\n", "R0811", "1:1", "a table"),
        (b"lr: 1e-3\n\tbatch: 2\n", "R0812", "2:1", "tab"),
        (b"batch: 2\nlr: &rate 1e-3\n", "R0811", "2:5", "anchor"),
        (b"lr: [1, 2]\n", "R0305", "1:5", "a list"),
        (b"lr:\n  - 1\n", "R0811", "1:1", "a list"),
        (b"lr: [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1", "R0811", "1:37", "lists within lists"),
        (b"lr: off\n", "R0802", "1:5", "write  false"),
        (b"lr: .nan\n", "R0107", "1:5", "not a finite number"),
        (b"# rates\nlr: \xff\n", "R0112", "2:5", "byte 12"),
        (b"patch: 64\n", "R0305", "1:8", "64px"),
        (b"lr: 3\n", "R0701", "1:5", "not in (0, 1)"),
        (b"learning_rate: 3\n", "R0801", "1:1", "did you mean `lr`? Parameters: batch"),
        (b"layouts: gds(tiles/a.gds)\n", "R0820", "1:14", "\"tiles/a.gds\""),
    ] {
        std::fs::write(dir.path().join("my.yaml"), yaml).unwrap();
        let out = rord(dir.path(), &["params", DEFAULT, "--params", "my.yaml"]);
        let said = String::from_utf8(out.stderr).unwrap();
        assert_eq!(out.status.code(), Some(1), "{said}");
        assert!(said.starts_with(code) && said.contains(&format!("my.yaml:{place}]")) && said.contains(fact), "{said}");
        assert_eq!(said.matches("  × ").count(), 1, "{said}");
    }
}

#[test]
fn parameters_are_printed_as_a_file_that_is_taken_back() {
    let dir = tempfile::tempdir().unwrap();
    let distill = concat!(env!("CARGO_MANIFEST_DIR"), "/pipelines/distill.rord");
    let weights = "teacher_weights=\"runs/a \\\"b\\\".safetensors\"";
    // A text with what YAML takes for a comment and for a key, decomposed letters, and a tab.
    let odd = "teacher_weights=\"e\u{301} #1: a\\tb.safetensors\"";
    let files = [
        (DEFAULT, vec!["--preset", "smoke", "--set", "lr=3e-4"]),
        (distill, vec!["--set", weights]),
        (distill, vec!["--set", odd]),
    ];
    for (file, args) in files {
        let yaml = printed(&[&["params", file, "--yaml"], args.as_slice()].concat());
        std::fs::write(dir.path().join("back.yaml"), &yaml).unwrap();
        let out = rord(dir.path(), &["params", file, "--yaml", "--params", "back.yaml"]);
        assert_eq!(String::from_utf8(out.stdout).unwrap(), yaml, "{}", String::from_utf8_lossy(&out.stderr));
    }
    assert!(printed(&["params", distill, "--yaml"]).contains("# teacher_weights: no value yet"));
}

#[test]
fn formulas_are_explained_with_their_types_and_gradients() {
    let text = printed(&["explain", "pipelines/default.rord:detection"]);
    for part in ["inv(H)", "Homography[B]@moved->orig", "Prob[B, 1, H/4, W/4]@orig", "14 of 16 weights of net"] {
        assert!(text.contains(part), "`{part}` is missing:\n{text}");
    }
    assert!(!text.contains("stops at"), "{text}");
    let text = printed(&["explain", "pipelines/default.rord:description"]);
    // Places carry no gradient; that is not worth a line.
    assert!(!text.contains("it stops at") && text.contains("of 16 weights of net"), "{text}");
    assert!(printed(&["explain", "pipelines/find.rord:shown"]).contains("Mask[batch B, item 256]"));
    // A function of the file is shown with the types that it has in this call.
    let text = printed(&["explain", "pipelines/start.rord:agreeing"]);
    let (_, inside) = text.split_once("\nin agreement\n").unwrap();
    for part in ["here = place(at, like = a)", "Points[B, 100]@orig", "there = move(here, by)", "Points[B, 100]@moved"]
    {
        assert!(inside.contains(part), "`{part}` is missing:\n{text}");
    }
    let out = rord(std::path::Path::new("."), &["explain", "pipelines/default.rord:detectin"]);
    assert!(String::from_utf8(out.stderr).unwrap().contains("did you mean `detection`?"));
    assert_eq!(out.status.code(), Some(1));
}

#[test]
fn reports_and_operations_have_pages() {
    assert!(printed(&["explain", "R0501"]).starts_with("# R0501: "));
    assert_eq!(printed(&["explain", "r0501"]), printed(&["explain", "R0501"]));
    assert!(printed(&["explain", "reports"]).contains("R0926"));
    assert!(printed(&["explain", "ops"]).contains("warp(x: Map, by: Homography"));
    assert!(printed(&["explain", "warp"]).contains("bilinear"));
}

/// What stands in quotes in the grammar, outside of its comments: keywords, marks and units.
fn terminals(grammar: &str) -> Vec<String> {
    // The quotation mark of a string is one.
    let grammar: Vec<&str> = grammar.lines().filter(|line| !line.starts_with("STRING ")).collect();
    let outside: String =
        grammar.join("\n").split("(*").map(|part| part.split_once("*)").map_or(part, |(_, behind)| behind)).collect();
    // Letters and digits of names and numbers.
    let within = |word: &str| word == "e" || word.starts_with(|c: char| c.is_uppercase() || c.is_ascii_digit());
    outside.split('"').skip(1).step_by(2).filter(|word| !within(word)).map(str::to_string).collect()
}

/// Whatever is typed has a page: operations and functions of the library, keywords, marks, units, axes, attributes, settings, kinds, verbs.
#[test]
fn everything_that_can_be_typed_has_a_page() {
    let ops = printed(&["explain", "ops"]);
    let lines: Vec<&str> = ops.lines().filter(|line| !line.is_empty() && !line.starts_with("# ")).collect();
    let bare: Vec<&&str> = lines.iter().filter(|line| !line.contains("  # ")).collect();
    assert!(lines.len() > 150 && bare.is_empty(), "{bare:?}");
    let (vocabulary, _) = rord_ops::vocabulary();
    let mut names: Vec<String> = vocabulary.names().map(str::to_string).collect();
    names.extend(rord_lang::lex::KEYWORDS.map(str::to_string));
    names.extend(rord_lang::sections::SECTIONS.iter().flat_map(|s| s.fields.iter().map(|f| f.name.to_string())));
    names.extend(rord_lang::types::Kind::names().map(str::to_string));
    names.extend(["bench", "find", "new", "sweep", "completions"].map(str::to_string));
    names.extend(rord_lang::lex::MARKS.map(str::to_string));
    names.extend(rord_lang::constant::Unit::ALL.map(|unit| unit.name().to_string()));
    names.extend(rord_lang::axis::WORDS.map(str::to_string));
    names.extend([rord_lang::axis::PLACE, "ema", "@ema", "frozen", "allow", "#", "##", "\""].map(str::to_string));
    let grammar = terminals(&std::fs::read_to_string("grammar/rord.ebnf").unwrap());
    assert!(["minimize", "under", "unit", "px", "|>", "=="].iter().all(|word| grammar.iter().any(|t| t == word)));
    names.extend(grammar);
    names.extend(rord_cli::explain::known(&vocabulary));
    // What lists the others.
    for name in names.into_iter().filter(|name| name != "ops") {
        assert!(rord_cli::explain::page(&name).is_some(), "`{name}` has no page");
    }
}

#[test]
fn words_have_pages() {
    let kind = printed(&["explain", "Prob"]);
    let facts = [
        "**Prob**: 0 to 1\n\nEvery `Prob` is a `Values`, a `Map`.\n\nKinds of it: `Mask`, `Label`.",
        "Its axes: batch, channel, row, column.",
    ];
    let lists = ["\n\nTaken by: ", "\n\nTaken as a `Map` by: ", "\n\nGiven by: "];
    assert!(facts.iter().chain(&lists).all(|part| kind.contains(part)), "{kind}");
    let under = |page: &str, head: &str| page.split_once(head).unwrap().1.split('\n').next().unwrap().to_string();
    assert!(
        under(&kind, "Given by: ").contains("sigmoid") && under(&kind, "as a `Map` by: ").contains("warp"),
        "{kind}"
    );
    let miner = printed(&["explain", "Miner"]);
    assert!(
        under(&miner, "Taken by: ").contains("triplet") && under(&miner, "Given by: ").contains("hardneg"),
        "{miner}"
    );
    assert!(!miner.contains("triplet_of"), "{miner}");

    let expected = "\
**loss**: a number that is reported in every step

```rord
loss where     = bce(det, truth)
loss what      = triplet(grid(200), hardneg(apart = 8px))
minimize total = where + 0.5 * what
```
";
    assert_eq!(printed(&["explain", "loss"]), expected);
    assert!(printed(&["explain", "fn"]).starts_with("**fn**: a function\n\n```rord\nfn "));
    for (word, says) in [
        ("@", "the view that a map lives in"),
        ("frame", "`warp` moves one into the other's"),
        ("|>", "first argument"),
        ("out", "what a model returns"),
        ("px", "pixels of the image"),
        ("val", "the numbers of validation"),
        ("@allow", "with the reason"),
        ("unit", "length 1"),
    ] {
        let page = printed(&["explain", word]);
        assert!(
            page.starts_with(&format!("**{word}**: ")) && page.contains(says) && page.contains("```rord"),
            "{page}"
        );
    }
    let lint = printed(&["explain", "unanchored"]);
    assert!(
        lint.starts_with("lint **unanchored**: a loss that is smallest") && lint.contains("\n\n# R0602: "),
        "{lint}"
    );

    let list = printed(&["explain", "pipelines/start.rord"]);
    assert!(list.lines().any(|l| l.starts_with("loss ") && l.contains("  agreeing ") && l.ends_with("Loss")), "{list}");
    assert!(list.ends_with(" shows one with the types in it\n"), "{list}");
    let out = rord(std::path::Path::new("."), &["explain", "Porb"]);
    let said = String::from_utf8(out.stderr).unwrap();
    assert!(
        out.status.code() == Some(1) && said.contains("did you mean `Prob`?") && said.contains("`unanchored`"),
        "{said}"
    );
    let missing = |name: &str| String::from_utf8(rord(std::path::Path::new("."), &["explain", name]).stderr).unwrap();
    let unwrapped = |name: &str| missing(name).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(unwrapped("layout_pair").contains("did you mean `layout_pairs`? Near it "), "{}", missing("layout_pair"));
    assert!(unwrapped("**").contains("`**` is not an operator: a square is written square(x)"), "{}", missing("**"));
    assert_eq!(rord(std::path::Path::new("."), &["explain", "none.rord"]).status.code(), Some(1));
}

#[test]
fn graphs_are_written_for_other_tools() {
    let mermaid = printed(&["graph", "pipelines/default.rord", "--format", "mermaid"]);
    assert!(mermaid.starts_with("flowchart BT\n"), "{mermaid}");
    assert!(mermaid.contains("-->|by|") || mermaid.contains("-->|back|"), "{mermaid}");
    let json = printed(&["graph", "pipelines/default.rord", "--format", "json"]);
    let graph: serde_json::Value = serde_json::from_str(&json).unwrap();
    let nodes = graph["nodes"].as_array().unwrap();
    for (i, node) in nodes.iter().enumerate() {
        assert_eq!(node["id"].as_u64(), Some(i as u64));
        assert!(node["inputs"].as_object().unwrap().values().all(|n| n.as_u64().unwrap() < i as u64), "{node}");
    }
    let text = printed(&["graph", "pipelines/default.rord"]);
    assert_eq!(nodes.len(), text.lines().filter(|l| l.starts_with('%')).count());
    assert!(graph["outputs"].as_array().unwrap().iter().any(|o| o["role"] == "objective" && o["name"] == "total"));
}

#[test]
fn parameters_say_what_they_stand_before() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("my.yaml"), "epochs: 3\nlr: 2e-4\n").unwrap();
    let out = rord(dir.path(), &["params", DEFAULT, "--preset", "smoke", "--params", "my.yaml", "--set", "epochs=7"]);
    let expected = "\
layouts  synth(tiles = 24, seed = 1)  default                                                             Layouts                   where patches come from: synth(…), gds(…), images(…)
patch    64px                         preset smoke, not the default 128px                                 Pixels in [32px, 2048px]
batch    2                            preset smoke, not the default 8                                     Count in [1, 512]
epochs   7                            --set, not 3 of my.yaml, not 1 of preset smoke, not the default 20  Count in [1, 10000]
lr       2e-4                         my.yaml, not the default 1e-3                                       Rate in (0, 1)            Adam's initial learning rate
margin   1                            default                                                             Scalar in (0, 10]
seed     0                            default                                                             Count

presets, by --preset
smoke  epochs = 1, batch = 2, patch = 64px

sweeps, by rord-run sweep
rates  lr = 1e-3 | 3e-4 | 1e-4,  margin = 0.5 | 1  6 runs

--set replaces --params, --params replaces --preset, --preset replaces the default
";
    assert_eq!(String::from_utf8(out.stdout).unwrap(), expected);
}

#[test]
fn a_new_pipeline_is_a_folder_that_checks() {
    let dir = tempfile::tempdir().unwrap();
    let out = rord(dir.path(), &["new", "nets/parts"]);
    let expected = "\
nets/parts/parts.rord
nets/parts/.gitignore

  cd nets/parts
  rord-run parts.rord --preset smoke   train for a moment, to see that all works
  rord-run parts.rord                  train
  rord-run types parts.rord            every name with its type
  rord-run explain ops                 what a formula can be made of
";
    assert_eq!((String::from_utf8(out.stdout).unwrap().as_str(), out.status.code()), (expected, Some(0)));
    let checked = rord(&dir.path().join("nets/parts"), &["check", "parts.rord"]);
    assert_eq!(String::from_utf8_lossy(&checked.stdout), "parts.rord: no reports\n");
    let again = rord(dir.path(), &["new", "nets/parts"]);
    assert_eq!(again.status.code(), Some(1));
    let said = String::from_utf8(again.stderr).unwrap();
    assert!(said.contains("nets/parts is there already, and holds `.gitignore`"), "{said}");
}

#[test]
fn every_shell_is_given_its_completions() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = printed(&["completions", shell]);
        let words: Vec<&str> = script.split(|c: char| !c.is_alphanumeric() && c != '-').collect();
        for verb in verbs() {
            assert!(words.contains(&verb.as_str()), "{shell} does not complete `{verb}`");
        }
    }
}

#[test]
fn every_verb_has_a_manual_page() {
    let dir = tempfile::tempdir().unwrap();
    let out = rord(dir.path(), &["man", "--out", "man/man1"]);
    assert_eq!(out.status.code(), Some(0), "{}", String::from_utf8_lossy(&out.stderr));
    let read = |name: &str| std::fs::read_to_string(dir.path().join("man/man1").join(name)).unwrap();
    let main = read("rord-run.1");
    for verb in verbs() {
        assert!(main.contains(&format!("rord\\-run\\-{verb}(1)")), "{verb}: {main}");
        let page = read(&format!("rord-run-{verb}.1"));
        assert!(page.contains(".TH rord-run-") && page.contains(".SH NAME") && page.contains(".SH OPTIONS"), "{page}");
        assert_eq!(printed(&["man", &verb]), page);
    }
    assert_eq!(std::fs::read_dir(dir.path().join("man/man1")).unwrap().count(), verbs().len() + 1);
    assert!(read("rord-run-find.1").contains("\\-\\-query"), "{}", read("rord-run-find.1"));
    assert_eq!(printed(&["man"]), main);
    // The options of training are those of `train`, and the program has a row of its own for them.
    let out = rord(dir.path(), &["man", "fnd"]);
    let said = String::from_utf8(out.stderr).unwrap();
    assert!(
        out.status.code() == Some(1) && said.contains("there is no verb `fnd`") && said.contains("`find`"),
        "{said}"
    );
}

/// The verbs of the command line.
fn verbs() -> Vec<String> {
    use clap::CommandFactory;
    let command = rord_cli::verbs::Cli::command();
    command.get_subcommands().map(|c| c.get_name().to_string()).collect()
}

#[test]
fn the_table_of_the_readme_has_every_verb_in_the_order_of_the_help() {
    let readme = std::fs::read_to_string("README.md").unwrap();
    let (_, table) = readme.split_once("\n## Verbs\n").unwrap();
    let (table, _) = table.split_once("\n## ").unwrap();
    let rows = table.lines().filter_map(|l| l.strip_prefix("| `rord-run ")?.split([' ', '`', '…']).next());
    let named: Vec<String> = rows.map(|word| if word == "FILE" { "train" } else { word }.to_string()).collect();
    assert_eq!(named, verbs());
}

#[test]
fn imports_stay_below_the_root_that_is_allowed() {
    let dir = tempfile::tempdir().unwrap();
    for folder in ["a", "lib"] {
        std::fs::create_dir(dir.path().join(folder)).unwrap();
    }
    let write = |path: &str, text: &str| std::fs::write(dir.path().join(path), text).unwrap();
    write("a/one.rord", "import \"../lib/two.rord\" { two }\ninput x: Map[B, 1, H, W]@f\nmetric m = mean(two(x))\n");
    write("lib/two.rord", "fn two(x: Map[B, C, H, W]@f) -> Map[B, C, H, W]@f = x + x\n");
    let check = |args: &[&str]| {
        let out = rord(dir.path(), &[&["check", "a/one.rord"], args].concat());
        (out.status.code(), String::from_utf8(out.stderr).unwrap())
    };
    let (code, said) = check(&[]);
    assert!(code == Some(1) && said.starts_with("R0807") && said.contains("--import-root DIR"), "{said}");
    assert_eq!(check(&["--import-root", "."]), (Some(0), String::new()));
    assert_eq!(check(&["--import-root", "a"]).0, Some(1));
    let (code, said) = check(&["--import-root", "lib/two.rord"]);
    assert!(code == Some(1) && said.contains("--import-root lib/two.rord is no folder"), "{said}");
    let explained = rord(dir.path(), &["explain", "a/one.rord:m", "--import-root", "."]);
    assert_eq!(explained.status.code(), Some(0));
    let (_, said) = check(&["--import-root", ".", "--set", "x="]);
    assert!(said.starts_with("R0814") && said.contains("nothing behind the `=`"), "{said}");
    write("lib/two.rord", "import \"../a/one.rord\" { one }\nfn two(x: Map[B, C, H, W]@f) -> Map[B, C, H, W]@f = x\n");
    let (_, said) = check(&["--import-root", "."]);
    assert!(said.contains("a/one.rord → lib/two.rord → a/one.rord"), "{said}");
    assert_eq!(said.matches("  × ").count(), 1, "{said}");
}

#[test]
fn hostile_parameter_files_end_in_a_report() {
    let dir = tempfile::tempdir().unwrap();
    let laughs: String =
        "abcdefghij".chars().zip("bcdefghijk".chars()).fold("a: &a [lol]\n".into(), |all, (from, to)| {
            let nine = vec![format!("*{from}"); 9].join(", ");
            format!("{all}{to}: &{to} [{nine}]\n")
        });
    let names: String = (0..60_000).map(|i| format!("k{i}: 1\n")).collect();
    let few: String = (0..6_000).map(|i| format!("k{i}: 1\n")).collect();
    for text in ["[".repeat(100_000), "{a: ".repeat(100_000), "- ".repeat(30_000), laughs, names, few] {
        std::fs::write(dir.path().join("my.yaml"), &text).unwrap();
        let begun = std::time::Instant::now();
        let out = rord(dir.path(), &["check", DEFAULT, "--params", "my.yaml"]);
        let said = String::from_utf8(out.stderr).unwrap();
        assert!(out.status.code() == Some(1) && said.starts_with("R08"), "{}", said.get(..300).unwrap_or(&said));
        // A second where nothing else runs.
        assert!(begun.elapsed().as_secs() < 8, "{:?} for {}", begun.elapsed(), text.get(..20).unwrap());
    }
}
