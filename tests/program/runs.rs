//! A run's folder repeats the run: it has the same texts, graph and parameters, wherever imports lay and whatever was set.

use std::path::{Path, PathBuf};

use proptest::prelude::*;
use proptest::sample::{Index, select};
use rord_graph::node::Role;
use rord_graph::{build, passes, print};
use rord_lang::report::any_error;
use rord_lang::types::Kind;
use rord_project::load::{Loaded, load};
use rord_project::outside::Given;
use rord_record::{Record, RunFolder, Status};

/// Every kind that a parameter can have, with its default, and values that `--set` gives it.
const PARAMS: &[(&str, &str, &[&str])] = &[
    ("Scalar", "-0.5", &["1e-7", "1e300", "0.1", "-3", "1/3", "-0.0"]),
    ("Weight", "0.5", &["0", "2.5e-9"]),
    ("Rate", "1e-3", &["3e-4", "0.9999999999999999"]),
    ("Count", "3", &["0", "8999999999999999"]),
    ("Flag", "true", &["false"]),
    ("Pixels", "64px", &["0.5px", "1e-3px"]),
    ("Degrees", "10deg", &["-90deg", "0.1deg"]),
    ("Epochs", "3epochs", &["0.5epochs"]),
    ("Steps", "30steps", &["1e6steps"]),
    ("Duration", "3epochs", &["100steps"]),
    ("Minutes", "5min", &["0.5min"]),
    ("Interval", "5min", &["100steps", "1epochs"]),
    ("Factor", "0.1x", &["2x", "1e-3x"]),
    (
        "Text",
        "\"a text\"",
        &["\"\"", "\"é: #1 'two'\"", "\"a\\\\b\\\"c\\nd\\te\"", "\"yes\"", "\"e\u{301}\u{85}\u{feff}\""],
    ),
    ("Path", "\"data\"", &["\"a b/é.gds\"", "\"1e-3\"", "\"|\""]),
    ("Paths", "\"data\"", &["\"a b/é.gds\"", "[\"a: b\", \"c #d\"]", "[]"]),
    ("Range", "0.5..1.5", &["1px..2px", "-1..1e-5", "3"]),
    ("List", "[1, 2]", &["[]", "[1px, 2px]", "[\"a: b\", \"c #d\"]", "[[1], [2]]"]),
    ("Watch", "val.m", &["val.other", "max(val.other)"]),
    ("Layouts", "synth()", &["synth(tiles = 3, seed = 2)", "gds(\"a #1: b.gds\")", "gds(\"e\u{301} \\\"q\\\".gds\")"]),
    ("Sampler", "grid(20)", &["grid(7)"]),
    ("Miner", "hardneg()", &["hardneg(apart = 8px)"]),
    ("Optimizer", "adam(lr = 1e-3)", &["sgd(lr = 0.1, momentum = 0.9)"]),
    ("Schedule", "cosine()", &["step(every = 2epochs)"]),
    ("Clip", "grad_norm(1)", &["grad_norm(0.3)", "grad_value(0.3)"]),
    ("Stop", "after(5epochs, without = val.m)", &["after(2epochs, without = min(val.m))"]),
    ("Every", "every(5min)", &["every(200steps)"]),
    ("Symmetry", "square_symmetries()", &["rotations(degrees = 0deg..90deg, mirror = true)"]),
    ("Render", "layers()", &["layers(drop = 0.1)"]),
    ("Dataset", "tensors(\"t.safetensors\")", &["tensors(\"a #1: b\", train = 0.5)"]),
    ("Augment", "noise(0.02)", &["[noise(0.02), contrast(0.8..1.2)]", "[]"]),
];

/// A parameter of each kind: `p0`, `p1`, ….
fn declarations() -> String {
    let declared =
        |(i, (kind, default, _)): (usize, &(&str, &str, &[&str]))| format!("param p{i}: {kind} = {default}\n");
    PARAMS.iter().enumerate().map(declared).collect()
}

/// The parameter of a kind.
fn of(kind: &str) -> String {
    format!("p{}", PARAMS.iter().position(|(k, ..)| *k == kind).unwrap())
}

/// A file that is imported: its folder, its name, and which of the files behind it it imports.
#[derive(Clone, Debug)]
struct Part {
    folder: &'static str,
    name: &'static str,
    imports: Vec<bool>,
    /// How the import's path is written: as it is, with `./`, or down into a folder and up again.
    written: usize,
    /// True where a link leads to it from the pipeline's folder.
    linked: bool,
}

fn parts() -> impl Strategy<Value = Vec<Part>> {
    let folders = vec!["a", "a/lib", "a/lib/deep", "a/imports", "a/v1.2", "b", "b/é e\u{301} c", "."];
    let names = vec![
        "nets.rord",
        "pipeline.rord",
        "Pipeline.rord",
        "two parts",
        "é.rord",
        "e\u{301}.rord",
        "run.yaml",
        "params.yaml",
        "q\"uote\\.rord",
    ];
    let flags = prop::collection::vec(any::<bool>(), 6);
    let part = (select(folders), select(names), flags, 0..3usize, any::<bool>());
    prop::collection::vec(part, 1..6).prop_map(|parts| {
        let part = |(folder, name, imports, written, linked)| Part { folder, name, imports, written, linked };
        let mut parts: Vec<Part> = parts.into_iter().map(part).collect();
        // One place holds one file.
        let place = |p: &Part| format!("{}/{}", p.folder, p.name).to_lowercase();
        let mut seen = std::collections::HashSet::new();
        parts.retain(|p| seen.insert(place(p)));
        parts
    })
}

/// A path as it is written in the language.
fn quoted(path: &str) -> String {
    format!("\"{}\"", path.replace('\\', "\\\\").replace('"', "\\\""))
}

/// The lines that import functions of files into a file of `folder`.
fn imports(folder: &str, parts: &[Part], wanted: &[bool], from: usize) -> String {
    let mut out = String::new();
    for (i, part) in parts.iter().enumerate().skip(from) {
        if !wanted.get(i).copied().unwrap_or(false) {
            continue;
        }
        let up = "../".repeat(Path::new(folder).components().count());
        let folder = if part.folder == "." { String::new() } else { format!("{}/", part.folder) };
        let path = match (part.linked, part.written) {
            (true, _) => format!("{up}a/link {i}"),
            (_, 0) => format!("{up}{folder}{}", part.name),
            (_, 1) => format!("./{up}{folder}{}", part.name),
            (..) => format!("{up}b/../{folder}{}", part.name),
        };
        out.push_str(&format!("import {} {{ part{i} }}\n", quoted(&path)));
    }
    out
}

/// Writes a pipeline `a/main.rord` with its parts.
fn write(root: &Path, parts: &[Part]) {
    for folder in ["a", "b"] {
        std::fs::create_dir_all(root.join(folder)).unwrap();
    }
    for (i, part) in parts.iter().enumerate() {
        let folder = root.join(part.folder);
        std::fs::create_dir_all(&folder).unwrap();
        let calls: String =
            (i + 1..parts.len()).filter(|j| part.imports[*j]).map(|j| format!(" + part{j}(x)")).collect();
        let head = if part.folder == "." { "" } else { part.folder };
        let imports = imports(head, parts, &part.imports, i + 1);
        let text = format!("{imports}fn part{i}(x: Map[B, C, H, W]@f) -> Map[B, C, H, W]@f = {i}.5 * x{calls}\n");
        std::fs::write(folder.join(part.name), text).unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink(folder.join(part.name), root.join(format!("a/link {i}"))).unwrap();
        #[cfg(not(unix))]
        std::fs::copy(folder.join(part.name), root.join(format!("a/link {i}"))).unwrap();
    }
    let all = vec![true; parts.len()];
    let sum: Vec<String> = (0..parts.len()).map(|i| format!("part{i}(x)")).collect();
    let [scalar, count, path] = ["Scalar", "Count", "Path"].map(of);
    let preset = format!("preset other {{ {scalar} = 0.25, {count} = 7, {path} = \"of the preset\" }}\n");
    let text = format!(
        "rord 1\n{}{}{preset}input x: Map[B, 1, H, W]@f\nmetric m = {scalar} * mean({})\nmetric other = mean(x)\n",
        imports("a", parts, &all, 0),
        declarations(),
        sum.join(" + "),
    );
    std::fs::write(root.join("a/main.rord"), text).unwrap();
}

fn sound(path: &Path, given: &Given<'_>) -> Loaded {
    let said = |reports: &[rord_lang::report::Report]| format!("{}: {reports:#?}", path.display());
    let loaded =
        load(rord_ops::vocabulary(), path, given, None).unwrap_or_else(|(reports, _)| panic!("{}", said(&reports)));
    assert!(!any_error(&loaded.reports), "{}", said(&loaded.reports));
    loaded
}

/// What a run must repeat: the graph, and every parameter's value.
fn result(loaded: &Loaded) -> (String, Vec<(String, String)>) {
    let mut graph =
        build::build(&loaded.pipeline, &loaded.vocabulary, &build::outputs(&loaded.pipeline, &[Role::Metric]));
    passes::run(&mut graph, &loaded.vocabulary, None).unwrap();
    let params = loaded.pipeline.params.iter().map(|p| (p.name.clone(), format!("{:?}", p.value))).collect();
    (print::text(&graph, &loaded.vocabulary), params)
}

fn record(name: &str) -> Record {
    Record {
        rord: "0.1.0".into(),
        pipeline: name.into(),
        format: 0,
        source: "a/main.rord".into(),
        command: String::new(),
        graph: String::new(),
        text: String::new(),
        texts: Default::default(),
        data: Vec::new(),
        resumed: Vec::new(),
        instructions: String::new(),
        status: Status::Finished,
        started: String::new(),
        finished: None,
        machine: None,
        device: "cpu".into(),
        threads: 1,
        processes: 1,
        exchange: None,
        memory: None,
        seed: 0,
        init: None,
        params: Default::default(),
        origins: Default::default(),
        epoch_seconds: Vec::new(),
        step: None,
        epochs_done: 0,
        parts: Vec::new(),
        kept: Vec::new(),
        stopped: None,
        error: None,
        best: None,
        validation: Default::default(),
    }
}

/// Writes what a run of the pipeline keeps, as training does.
fn keep(loaded: &Loaded, folder: &Path) -> Vec<(PathBuf, String)> {
    let run = RunFolder::create(Some(folder), Path::new(""), "", std::time::SystemTime::now()).unwrap();
    let kept = loaded.kept().unwrap();
    for (place, text) in &kept {
        let path = folder.join(place);
        assert!(!path.exists(), "{} is written twice", place.display());
        run.write_text(place, text).unwrap();
    }
    run.write_record(&record(&loaded.pipeline.name)).unwrap();
    kept
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_folder_repeats_the_run(
        parts in parts(),
        set in prop::collection::vec((any::<Index>(), any::<Index>()), 0..8),
        (text, path, number) in (any::<String>(), "[^\u{0}]{0,12}", any::<f64>()),
        (preset, file) in (any::<bool>(), any::<bool>()),
    ) {
        let root = tempfile::tempdir().unwrap();
        write(root.path(), &parts);
        let value = |(param, value): &(Index, Index)| {
            let param = param.index(PARAMS.len());
            format!("p{param}={}", PARAMS[param].2[value.index(PARAMS[param].2.len())])
        };
        let mut set: Vec<String> = set.iter().map(value).collect();
        let escaped = |text: &str| rord_lang::constant::quoted(text);
        if number.is_finite() {
            set.push(format!("{}={}", of("Scalar"), rord_lang::constant::number(number)));
        }
        set.push(format!("{}={}", of("Text"), escaped(&text)));
        set.push(format!("{}=gds({})", of("Layouts"), escaped(&path.replace(char::is_control, " "))));
        let yaml = root.path().join("my.yaml");
        std::fs::write(&yaml, format!("{}: 0.125\n{}: 7px\n", of("Rate"), of("Pixels"))).unwrap();
        let given = Given {
            preset: preset.then_some("other"),
            params: file.then_some(&*yaml),
            set: &set,
            import_root: Some(root.path()),
            ..Given::default()
        };
        let first = sound(&root.path().join("a/main.rord"), &given);
        let runs = root.path().join("runs");
        let kept = keep(&first, &runs.join("1"));
        let wanted = result(&first);

        // The originals are gone: the folder alone repeats the run, and so does the folder of the repeated run.
        for folder in ["a", "b"] {
            std::fs::remove_dir_all(root.path().join(folder)).unwrap();
        }
        std::fs::rename(&runs, root.path().join("elsewhere")).unwrap();
        let folder = root.path().join("elsewhere/1");
        for named in [folder.clone(), folder.join("pipeline.rord")] {
            let second = sound(&named, &Given::default());
            prop_assert_eq!(&result(&second), &wanted);
            prop_assert_eq!(&second.pipeline.name, &first.pipeline.name);
            prop_assert_eq!(second.kept().unwrap(), kept.clone());
        }
        let changed = sound(&folder, &Given { set: &[format!("{}=12", of("Count"))], ..Given::default() });
        let (graph, params) = result(&changed);
        prop_assert_eq!(&graph, &wanted.0);
        let pairs = params.iter().zip(&wanted.1).filter(|(a, b)| a != b);
        let differ: Vec<&str> = pairs.map(|(a, _)| a.0.as_str()).collect();
        prop_assert_eq!(differ, [of("Count")]);
    }
}

#[test]
fn every_kind_of_parameter_is_kept() {
    let tensor = |kind: &&str| Kind::named(kind).is_none_or(Kind::is_tensor);
    let missing: Vec<&str> =
        Kind::names().filter(|k| !tensor(k) && !PARAMS.iter().any(|(kind, ..)| kind == k)).collect();
    // A word means something only where an operation reads it, and a number that changes or a first weight only where it
    // stands: no text gives one to a parameter.
    assert_eq!(missing, ["Timed", "Word", "Reduce", "Init", "Axes"]);
}
