//! Laying out changes nothing but the layout, is done once and for all, and is done to everything that is shipped.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use super::ebnf::{Grammar, program, scatter};
use proptest::prelude::*;
use rord_lang::format::{FormatError, WIDTH, format};
use rord_lang::parse::parse;
use rord_lang::source::FileId;

fn laid_out(text: &str) -> String {
    format(text, FileId(0)).unwrap_or_else(|e| panic!("{e:?}\n{text}"))
}

/// The tree without places, and the comments in order.
fn meaning(text: &str) -> (String, Vec<String>) {
    let (file, reports) = parse(text, FileId(0));
    assert!(reports.is_empty(), "{reports:?}\n{text}");
    let shown = format!("{:?} {:?}", file.version.map(|v| v.0), file.items);
    // A span's own text holds no brackets but that of its file.
    let mut tree = String::new();
    for (i, part) in shown.split("Span { file: FileId(0), start: ").enumerate() {
        tree.push_str(if i == 0 { part } else { part.split_once('}').unwrap().1 });
    }
    (tree, file.comments.into_iter().map(|c| c.text).collect())
}

/// Lines of documentation, which the tree keeps only before items.
fn documentation(text: &str) -> Vec<String> {
    let docs = text.lines().map(str::trim).filter(|l| l.starts_with("##") && !l.starts_with("###"));
    docs.map(|l| l[2..].strip_prefix(' ').unwrap_or(&l[2..]).to_string()).collect()
}

fn check(text: &str) -> String {
    let once = laid_out(text);
    assert_eq!(meaning(text), meaning(&once), "\n{text}\n----\n{once}");
    let twice = laid_out(&once);
    assert_eq!(once, twice, "laid out twice:\n{text}");
    // Line ends are those of the first line, and nothing else depends on them.
    let crlf = text.split_once('\n').is_some_and(|(first, _)| first.ends_with('\r'));
    let bare = once.replace("\r\n", "\n");
    assert_eq!(once.matches("\r\n").count(), if crlf { bare.matches('\n').count() } else { 0 }, "{once:?}");
    assert!(!bare.contains("\n\n\n") && !bare.contains(" \n") && !bare.contains('\t'), "{once}");
    once
}

fn rord_files(folder: &str) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    found.retain(|p| p.extension().is_some_and(|e| e == "rord"));
    found.sort();
    found
}

#[test]
fn what_is_shipped_is_laid_out() {
    let mut count = 0;
    for path in ["pipelines", "pipelines/lib", "benches", "src/ops/std"].into_iter().flat_map(rord_files) {
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text, check(&text), "rord-run fmt {}", path.display());
        let code = text.lines().filter(|l| !l.trim_start().starts_with('#'));
        assert!(code.into_iter().all(|l| l.chars().count() <= WIDTH), "{}", path.display());
        count += 1;
    }
    assert!(count >= 10, "{count}");
}

#[test]
fn mistakes_are_not_laid_out() {
    for text in ["let x = (1", "let = 1", "loss", "## alone"] {
        assert!(matches!(format(text, FileId(0)), Err(FormatError::Syntax(reports)) if !reports.is_empty()), "{text}");
    }
    assert_eq!(laid_out(""), "");
    assert_eq!(laid_out("\n\n  \n"), "");
    assert_eq!(laid_out("\n\n  # alone"), "# alone\n");
}

#[test]
fn the_rules_one_by_one() {
    for (text, expected) in [
        ("let x=1+2 *-y", "let x = 1 + 2 * -y\n"),
        ("let x = 1/2 let y = a/b", "let x = 1/2\nlet y = a / b\n"),
        ("let x: Map[ 2*C+1,H / 4 ,_, ]@ f->g = - 1px .. 1px", "let x: Map[2*C + 1, H/4, _]@f->g = -1px..1px\n"),
        ("fn f(x:T,)=f (x,\n1,)", "fn f(x: T) = f(x, 1)\n"),
        ("train{a=1 seed b=2,}", "train { a = 1, seed, b = 2 }\n"),
        (
            "train {\na = adam(lr=1) seed batch,\nlonger = 2}",
            "train {\n  a      = adam(lr = 1)\n  seed, batch\n  longer = 2\n}\n",
        ),
        ("import \"a\" {b,c}", "import \"a\" { b, c }\n"),
        ("let {a,b as c}=d", "let { a, b as c } = d\n"),
        ("let x = f(\na, b=1)", "let x = f(\n  a,\n  b = 1,\n)\n"),
        ("let x = f(g(\na, b))", "let x = f(g(\n  a,\n  b,\n))\n"),
        ("let x = a\n|> f |> g\n|> h", "let x = a\n  |> f |> g\n  |> h\n"),
        ("let x = if a\nthen b else\nc", "let x = if a\n  then b\n  else c\n"),
        (
            "train{optimizer=o,part net . trunk{lr=0.1x ,init=\"v\"under \"f\"}part norms{weight_decay=0}}",
            "train { optimizer = o, part net.trunk { lr = 0.1x, init = \"v\" under \"f\" }, part norms { weight_decay = 0 } }\n",
        ),
        ("fn f(x: T) =\nif a then b\nelse c", "fn f(x: T) =\n  if a then b\n  else c\n"),
        ("let x = 1 # one\n# two\nlet yy = 2 # two", "let x = 1  # one\n# two\nlet yy = 2  # two\n"),
        ("let x = 1 # one\nlet yyy = 2 # two", "let x   = 1  # one\nlet yyy = 2  # two\n"),
        ("let x = f(a, # first\nb)", "let x = f(\n  a,  # first\n  b,\n)\n"),
        ("let x = f(a # first\n, b # second\n)", "let x = f(\n  a,  # first\n  b,  # second\n)\n"),
        ("let x = 1 ##doc\n@frozen()\nmodel m() {}", "let x = 1\n## doc\n@frozen()\nmodel m() {}\n"),
        ("let a = 1\n\n\n\nlet bb = 2", "let a = 1\n\nlet bb = 2\n"),
        ("let a = 1\nlet bb = 2", "let a  = 1\nlet bb = 2\n"),
        ("input x: Map\n@frozen() model m() {}", "input x: Map\n@frozen()\nmodel m() {}\n"),
        (
            "param a: T = 1 in (0,1] \"x\"\nparam bb: Scalar in{1,2}",
            "param a:  T = 1  in (0, 1] \"x\"\nparam bb: Scalar in {1, 2}\n",
        ),
    ] {
        assert_eq!(check(text), expected, "{text}");
    }
}

#[test]
fn long_lines_end_where_they_may() {
    let long = "a_rather_long_name_of_something";
    let call = format!("let x = f({long}, {long}, {long}, {long})");
    assert_eq!(check(&call), format!("let x = f(\n  {long},\n  {long},\n  {long},\n  {long},\n)\n"));
    let chain = format!("let x = {long} |> {long} |> {long} |> {long}");
    assert_eq!(check(&chain), format!("let x = {long}\n  |> {long}\n  |> {long}\n  |> {long}\n"));
    let body = format!("fn f({long}: T, {long}_2: T) -> T = {long} + {long}");
    assert_eq!(check(&body), format!("fn f({long}: T, {long}_2: T) -> T =\n  {long} + {long}\n"));
}

#[test]
fn hostile_texts_are_laid_out_quickly() {
    let begun = std::time::Instant::now();
    let nested = |open: &str, inner: &str, close: &str, n: usize| {
        format!("let x = {}{inner}{}", open.repeat(n), close.repeat(n))
    };
    // As in a thread of an editor, whose stack is small.
    let texts = [
        nested("f(a, ", "1", ", b)", 180),
        nested("(1 + ", "1", ")", 90),
        nested("[\n", "1", "]", 180),
        nested("f(x |> ", "y", "\n|> z)", 90),
        nested("if a then b else ", "1", "", 180),
        format!("let x = f({})", "a, ".repeat(20_000)),
        format!("let x = 1{}", " + 1".repeat(190)),
        (0..20_000).map(|i| format!("let a{i} = {i} + 1 # note\n")).collect(),
        "# note\n".repeat(50_000),
    ];
    let thread = std::thread::Builder::new().stack_size(2 << 20);
    let run = move || texts.iter().for_each(|text| drop(check(text)));
    thread.spawn(run).unwrap().join().unwrap();
    let limit = if cfg!(debug_assertions) { 100 } else { 20 };
    assert!(begun.elapsed().as_secs() < limit, "{:?}", begun.elapsed());
}

fn grammar() -> &'static Grammar {
    static GRAMMAR: std::sync::OnceLock<Grammar> = std::sync::OnceLock::new();
    GRAMMAR.get_or_init(Grammar::shipped)
}

/// `RORD_CASES` programs, or 2000.
fn cases() -> u32 {
    std::env::var("RORD_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(2000)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn programs_stay_the_same(seed in any::<u64>(), deepest in 8usize..24, untidy in 0usize..10) {
        let mut tokens = program(grammar(), seed, deepest, &mut BTreeSet::new());
        if tokens.first().is_some_and(|t| t == "rord") {
            tokens[1] = "1".into();
        }
        let text = scatter(&tokens, seed, untidy);
        let once = check(&text);
        prop_assert_eq!(documentation(&tokens.join("\n")), documentation(&once));
        // The same with other line ends is laid out the same.
        let ends = |text: &str| text.replace("\r\n", "\n").replace('\n', "\r\n");
        let (plain, other) = (check(&text.replace("\r\n", "\n")), check(&ends(&text)));
        let first = text.contains('\n');
        prop_assert_eq!(if first { ends(&plain) } else { plain }, other);
        // How it was laid out before does not matter beyond the line ends that are kept.
        let spaced = laid_out(&scatter(&tokens, seed, 0).replace('\r', ""));
        prop_assert_eq!(meaning(&spaced).0, meaning(&once).0);
    }
}

fn fmt(args: &[&str], input: Option<&[u8]>) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_rord-run"))
        .arg("fmt")
        .args(args)
        .env("NO_COLOR", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.unwrap_or(b"")).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn the_verb_writes_what_differs_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (untidy, tidy, wrong) = (path("untidy.rord"), path("tidy.rord"), path("wrong.rord"));
    std::fs::write(&untidy, "let x=1").unwrap();
    std::fs::write(&tidy, "let x = 1\n").unwrap();
    std::fs::write(&wrong, "let x=(1").unwrap();

    let checked = fmt(&["--check", &untidy, &tidy], None);
    assert_eq!(checked.status.code(), Some(1));
    let shown = String::from_utf8(checked.stdout).unwrap();
    assert!(shown.contains("untidy.rord is not laid out:\n    1 - let x=1\n      + let x = 1\n"), "{shown}");
    assert!(!shown.contains("/tidy.rord"), "{shown}");
    assert_eq!(std::fs::read_to_string(&untidy).unwrap(), "let x=1");
    assert_eq!(fmt(&["--check", &tidy], None).status.code(), Some(0));

    // One wrong file keeps none of the others from being laid out.
    let done = fmt(&[&wrong, &untidy, &tidy], None);
    assert_eq!(done.status.code(), Some(1));
    assert!(String::from_utf8(done.stderr).unwrap().contains("R0101"));
    assert_eq!(std::fs::read_to_string(&untidy).unwrap(), "let x = 1\n");
    assert_eq!(std::fs::read_to_string(&wrong).unwrap(), "let x=(1");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 3, "something was left over");
    assert_eq!(fmt(&[&path("none.rord")], None).status.code(), Some(1));
}

#[test]
fn line_ends_of_a_file_are_kept() {
    for (text, expected) in [
        ("let x=1\r\n# note \r\n\r\n\r\nlet yy=2", "let x = 1\r\n# note\r\n\r\nlet yy = 2\r\n"),
        ("## doc \r\nlet x = 1\n", "## doc\r\nlet x = 1\r\n"),
        ("let x=1\nlet yy=2\r\n", "let x  = 1\nlet yy = 2\n"),
        ("\r\n", ""),
        ("let x=1\r", "let x = 1\n"),
    ] {
        assert_eq!(check(text), expected, "{text:?}");
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("crlf.rord").display().to_string();
    let checked = |text: &str| {
        std::fs::write(&path, text).unwrap();
        let out = fmt(&["--check", &path], None);
        (out.status.code(), String::from_utf8(out.stdout).unwrap())
    };
    assert_eq!(checked("let x = 1\r\nlet y = 2\r\n"), (Some(0), String::new()));
    let (code, shown) = checked("let x = 1\r\nlet y = 2\n");
    assert!(
        code == Some(1) && shown.ends_with("is not laid out: some lines end in \\r\\n and some in \\n\n"),
        "{shown}"
    );
    let (code, shown) = checked("let x = 1\r\nlet y=2\n");
    assert!(code == Some(1) && shown.ends_with("laid out:\n    2 - let y=2\n      + let y = 2\n"), "{shown:?}");
    assert_eq!(fmt(&[&path], None).status.code(), Some(0));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "let x = 1\r\nlet y = 2\r\n");
}

#[test]
fn standard_input_goes_to_standard_output() {
    let out = fmt(&["-"], Some(b"let x=1"));
    assert_eq!((out.status.code(), out.stdout.as_slice()), (Some(0), b"let x = 1\n".as_slice()));
    let out = fmt(&["--check", "-"], Some(b"let x=1"));
    assert_eq!(out.status.code(), Some(1));
    for wrong in [b"let x=(".as_slice(), b"let \xff = 1"] {
        let out = fmt(&["-"], Some(wrong));
        assert_eq!((out.status.code(), out.stdout.len()), (Some(1), 0));
        assert!(!out.stderr.is_empty());
    }
}

#[cfg(unix)]
#[test]
fn links_are_followed_and_permissions_kept() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let (file, link) = (folder.path().join("file.rord"), folder.path().join("link.rord"));
    std::fs::write(&file, "let x=1").unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
    std::os::unix::fs::symlink("file.rord", &link).unwrap();
    assert_eq!(fmt(&[&link.display().to_string()], None).status.code(), Some(0));
    assert!(link.symlink_metadata().unwrap().is_symlink());
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "let x = 1\n");
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o640);
}
