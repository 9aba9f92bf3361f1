//! The whole binary, as a person uses it: what it prints, how it exits, what it leaves behind.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

pub const TINY: &str = r#"rord 1
pipeline "tiny"

param layouts: Layouts = synth(tiles = 4, seed = 1)
param patch:   Pixels  = 32px in [16px, 64px]
param epochs:  Count   = 1    in [1, 1000]
param lr:      Rate    = 1e-3 in (0, 1)
param margin:  Scalar  = 1.0

preset longer { epochs = 2 }

data pairs = layout_pairs(layouts, patch = patch, steps = 3) -> {
  image:   Image[B, 1, H, W]@orig,
  image_r: Image[B, 1, H, W]@moved,
  H:       Homography[B]@orig->moved,
}

model net(x: Image[B, 1, H, W]@f) {
  let trunk = x |> conv(8, 3) |> relu |> max_pool(2)
  out det:  Prob[B, 1, H/2, W/2]@f = trunk |> conv(1, 3) |> sigmoid
  out desc: Desc[B, 16, H/2, W/2]@f = trunk |> conv(16, 3) |> instance_norm
}

let { image, image_r, H }            = pairs
let { det, desc }                    = net(image)
let { det as det_r, desc as desc_r } = net(image_r)

@allow(unanchored, "a test")
loss detection   = bce(det, warp(det_r, inv(H))) + 0.1 * smoothl1(det, warp(det_r, inv(H)))
@allow(apart, "a test")
loss description = triplet(grid(20), hardneg(candidates = 30), margin = margin)
minimize total   = detection + description

train { optimizer = adam(lr = lr), clip = grad_norm(1.0), batch = 2, epochs }
save { best = val.total, last = true }
"#;

pub fn rord(dir: &Path, args: &[&str]) -> Output {
    command(dir, args).output().unwrap()
}

pub fn command(dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rord-run"));
    command.current_dir(dir).args(args).env("RORD_WIDTH", "100").env("NO_COLOR", "1").env_remove("TERM");
    command
}

pub fn err(out: &Output) -> String {
    let text = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(!text.contains("panicked"), "{text}");
    text
}

pub fn tiny() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("tiny.rord"), TINY).unwrap();
    dir
}

pub fn lines(path: &Path) -> Vec<serde_json::Value> {
    std::fs::read_to_string(path).unwrap().lines().map(|l| serde_json::from_str(l).unwrap()).collect()
}

#[test]
fn a_run_leaves_its_folder_behind() {
    let dir = tiny();
    let out = rord(dir.path(), &["tiny.rord", "--preset", "longer", "--out", "run"]);
    assert_eq!(out.status.code(), Some(0), "{}", err(&out));
    let run = dir.path().join("run");
    let mut files: Vec<_> =
        std::fs::read_dir(&run).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    files.sort();
    assert_eq!(
        files,
        [
            "best.safetensors",
            "last.safetensors",
            "metrics.jsonl",
            "params.yaml",
            "pipeline.rord",
            "report.html",
            "run.yaml"
        ]
    );
    assert_eq!(std::fs::read_to_string(run.join("pipeline.rord")).unwrap(), TINY);
    let metrics = lines(&run.join("metrics.jsonl"));
    let of = |split: &str| metrics.iter().filter(|l| l["split"] == split).count();
    assert_eq!((of("train"), of("figures"), of("val")), (6, 2, 2));
    let epochs: Vec<u64> = metrics.iter().map(|l| l["epoch"].as_u64().unwrap()).collect();
    assert_eq!(epochs, [1, 1, 1, 1, 1, 2, 2, 2, 2, 2]);
    for line in metrics.iter().filter(|l| l["split"] != "figures") {
        let (total, parts) =
            (line["total"].as_f64().unwrap(), ["detection", "description"].map(|n| line[n].as_f64().unwrap()));
        assert!((total - parts[0] - parts[1]).abs() < 1e-5, "the total is the plain sum: {line}");
    }
    let record = std::fs::read_to_string(run.join("run.yaml")).unwrap();
    for text in ["status: finished", "epochs: preset longer", "patch: default", "epochs_done: 2"] {
        assert!(record.contains(text), "{text} is missing:\n{record}");
    }
    let weights = std::fs::read(run.join("last.safetensors")).unwrap();
    let weights = safetensors::SafeTensors::deserialize(&weights).unwrap();
    let mut names = weights.names();
    names.sort();
    let expected = [
        "net.desc.0.bias",
        "net.desc.0.weight",
        "net.det.0.bias",
        "net.det.0.weight",
        "net.trunk.0.bias",
        "net.trunk.0.weight",
    ];
    assert_eq!(names, expected);
    let printed = String::from_utf8(out.stdout).unwrap();
    let best = record.split("\n  epoch: ").nth(1).unwrap().lines().next().unwrap();
    assert!(
        printed.contains(&format!(" in epoch {best}, written to run\nreport in run/report.html\n")),
        "{printed}{record}"
    );
    assert!(printed.contains("epoch 1/2") && printed.contains("val ") && printed.contains("description"), "{printed}");
}

#[test]
fn one_seed_gives_one_result_on_any_number_of_threads() {
    let dir = tiny();
    for (threads, out) in [("1", "one"), ("3", "three")] {
        let out = rord(dir.path(), &["tiny.rord", "--threads", threads, "--out", out]);
        assert_eq!(out.status.code(), Some(0), "{}", err(&out));
    }
    let read = |run: &str, file: &str| std::fs::read(dir.path().join(run).join(file)).unwrap();
    assert_eq!(read("one", "metrics.jsonl"), read("three", "metrics.jsonl"));
    assert_eq!(read("one", "last.safetensors"), read("three", "last.safetensors"));
}

#[test]
fn weights_can_be_taken_along_and_must_fit() {
    let dir = tiny();
    assert_eq!(rord(dir.path(), &["tiny.rord", "--out", "first"]).status.code(), Some(0));
    let out = rord(dir.path(), &["tiny.rord", "--init", "first/last.safetensors", "--out", "second"]);
    assert_eq!(out.status.code(), Some(0), "{}", err(&out));
    std::fs::write(
        dir.path().join("wide.rord"),
        TINY.replace("conv(16, 3)", "conv(24, 3)").replace("B, 16,", "B, 24,"),
    )
    .unwrap();
    let out = rord(dir.path(), &["wide.rord", "--init", "first/last.safetensors", "--out", "third"]);
    assert_eq!(out.status.code(), Some(1));
    assert!(err(&out).contains("net.desc.0.weight"), "{}", err(&out));
    assert!(!dir.path().join("third").exists());
    std::fs::write(
        dir.path().join("torn.safetensors"),
        &std::fs::read(dir.path().join("first/last.safetensors")).unwrap()[..500],
    )
    .unwrap();
    let out = rord(dir.path(), &["tiny.rord", "--init", "torn.safetensors", "--out", "third"]);
    assert_eq!(out.status.code(), Some(1));
    assert!(err(&out).contains("not a whole safetensors file"), "{}", err(&out));
    assert!(!dir.path().join("third").exists());
}

#[test]
fn a_run_folder_stands_for_its_weights() {
    let dir = tiny();
    assert_eq!(rord(dir.path(), &["tiny.rord", "--out", "first"]).status.code(), Some(0));
    let begin = |init: &str, out: &str| rord(dir.path(), &["tiny.rord", "--init", init, "--out", out]);
    let weights = |run: &str| std::fs::read(dir.path().join(run).join("last.safetensors")).unwrap();
    let out = begin("first", "second");
    assert!(err(&out).starts_with("weights from first/best.safetensors\n"), "{}", err(&out));
    assert_eq!(begin("first/best.safetensors", "third").status.code(), Some(0));
    assert_eq!(weights("second"), weights("third"));
    std::fs::remove_file(dir.path().join("first/best.safetensors")).unwrap();
    let out = begin("first/", "fourth");
    assert!(err(&out).starts_with("weights from first/last.safetensors\n"), "{}", err(&out));
    std::fs::create_dir(dir.path().join("empty")).unwrap();
    let out = begin("empty", "fifth");
    let expected = "\
R0913

  × empty is a folder without weights
  help: name a *.safetensors file, or the folder of a run that holds best.safetensors or
        last.safetensors

";
    assert_eq!((err(&out).as_str(), out.status.code()), (expected, Some(1)));
    assert!(!dir.path().join("fifth").exists());
}

#[test]
fn a_folder_that_holds_something_is_kept_as_it_is() {
    let dir = tiny();
    std::fs::create_dir(dir.path().join("mine")).unwrap();
    std::fs::write(dir.path().join("mine/thesis.tex"), "x").unwrap();
    let out = rord(dir.path(), &["tiny.rord", "--out", "mine"]);
    let expected = "\
R0914

  × mine is not empty: it holds `thesis.tex`
  help: name another folder with --out; this one stays as it is

";
    assert_eq!((err(&out).as_str(), out.status.code()), (expected, Some(1)));
    assert_eq!(std::fs::read_dir(dir.path().join("mine")).unwrap().count(), 1);
}

#[test]
fn data_that_cannot_be_used_is_one_report_and_no_folder() {
    let dir = tiny();
    std::fs::create_dir(dir.path().join("empty")).unwrap();
    let text = b"\x00\x06\x00\x02\x00\x05\x00\x1c\x01\x02";
    std::fs::write(dir.path().join("torn.gds"), text).unwrap();
    std::fs::write(dir.path().join("text.gds"), "not a layout").unwrap();
    for (layouts, code, fact) in [
        ("gds(\"torn.gds\")", "R0906", "torn.gds"),
        ("gds(\"text.gds\")", "R0906", "text.gds"),
        ("gds(\"nowhere\")", "R0904", "nowhere"),
        ("gds(\"nowhere/*.gds\")", "R0905", "nowhere/*.gds"),
        ("gds(\"empty\")", "R0905", "empty"),
        ("images(\"empty\")", "R0905", "empty"),
        ("synth(tiles = 4, size = 2.5)", "R0907", "px"),
    ] {
        let set = format!("layouts={layouts}");
        let out = rord(dir.path(), &["tiny.rord", "--set", &set]);
        let said = err(&out);
        assert_eq!(out.status.code(), Some(1), "{layouts}: {said}");
        assert!(said.starts_with(code) && said.contains(fact), "{layouts}: {said}");
        assert_eq!(said.matches("  × ").count(), 1, "{said}");
        assert!(said.contains("command line:1:"), "the report shows where the data is named: {said}");
        assert!(!dir.path().join("runs").exists(), "{layouts}");
    }
}

/// A layout of one square of 20 µm, as a GDSII file.
fn square() -> Vec<u8> {
    let record = |kind: u16, data: &[u8]| -> Vec<u8> {
        let length = u16::try_from(data.len() + 4).unwrap();
        [&length.to_be_bytes()[..], &kind.to_be_bytes(), data].concat()
    };
    // A thousandth, and a billionth, as the format writes real numbers.
    let units = [0x3e, 0x41, 0x89, 0x37, 0x4b, 0xc6, 0xa7, 0xf0, 0x39, 0x44, 0xb8, 0x2f, 0xa0, 0x9b, 0x5a, 0x54];
    let corners = [(0, 0), (20_000, 0), (20_000, 20_000), (0, 20_000), (0i32, 0i32)];
    let corners: Vec<u8> = corners.iter().flat_map(|(x, y)| [x.to_be_bytes(), y.to_be_bytes()].concat()).collect();
    let (version, date) = (record(0x0002, &[2, 88]), [0; 24]);
    let library = [record(0x0102, &date), record(0x0206, b"ab"), record(0x0305, &units)].concat();
    let cell = [record(0x0502, &date), record(0x0606, b"ab")].concat();
    let square = [record(0x0800, &[]), record(0x0d02, &[0, 1]), record(0x0e02, &[0, 0]), record(0x1003, &corners)];
    let ends = [record(0x1100, &[]), record(0x0700, &[]), record(0x0400, &[])];
    [version, library, cell, square.concat(), ends.concat()].concat()
}

#[test]
fn a_layout_that_is_cut_short_is_one_report() {
    let (dir, bytes) = (tiny(), square());
    for name in ["a", "b"] {
        std::fs::write(dir.path().join(format!("whole-{name}.gds")), &bytes).unwrap();
    }
    let out = rord(dir.path(), &["data", "tiny.rord", "--set", "layouts=gds(\"whole-*.gds\")"]);
    assert_eq!(out.status.code(), Some(0), "{}", err(&out));
    std::fs::write(dir.path().join("cut.gds"), &bytes[..bytes.len() / 2]).unwrap();
    let out = rord(dir.path(), &["tiny.rord", "--set", "layouts=gds(\"cut.gds\")"]);
    assert_eq!(out.status.code(), Some(1));
    assert!(err(&out).starts_with("R0906") && err(&out).contains("ends at byte"), "{}", err(&out));
    assert!(!dir.path().join("runs").exists());
}

#[test]
fn parameters_come_from_outside_in_order_and_nothing_is_ignored() {
    let dir = tiny();
    std::fs::write(dir.path().join("my.yaml"), "lr: 3e-4   # slower\npatch: 64px\nmargin: 0.5\n").unwrap();
    let out =
        rord(dir.path(), &["params", "tiny.rord", "--preset", "longer", "--params", "my.yaml", "--set", "margin=2"]);
    assert_eq!(out.status.code(), Some(0), "{}", err(&out));
    let printed = String::from_utf8(out.stdout).unwrap();
    for text in [
        "\nepochs   2                           preset longer, not the default 1 ",
        "\nlr       3e-4                        my.yaml, not the default 1e-3 ",
        "\nmargin   2                           --set, not 0.5 of my.yaml, not the default 1 ",
    ] {
        assert!(printed.contains(text), "`{text}` is missing:\n{printed}");
    }
    for (yaml, code) in [
        ("learning_rate: 1e-4", "R0801"),
        ("epochs: \"50\"", "R0802"),
        ("lr: 1\nlr: 2", "R0813"),
        ("lr: [1, 2]", "R0305"),
        ("lr:\n  deep: 1", "R0811"),
        ("- 1", "R0811"),
        ("lr:\t1e-3\n\tx: 2", "R0812"),
        ("lr: 3", "R0701"),
        ("lr:", "R0811"),
    ] {
        std::fs::write(dir.path().join("bad.yaml"), yaml).unwrap();
        let out = rord(dir.path(), &["params", "tiny.rord", "--params", "bad.yaml"]);
        assert_eq!(out.status.code(), Some(1), "{yaml}");
        assert!(err(&out).starts_with(code) && err(&out).contains("bad.yaml:"), "{yaml}: {}", err(&out));
    }
    for (set, code) in [
        ("lr=3", "R0701"),
        ("lrr=1e-3", "R0801"),
        ("train.epochs=3", "R0804"),
        ("lr", "R0814"),
        ("lr=1e-3)", "R0108"),
        ("epochs=2.5", "R0305"),
    ] {
        let out = rord(dir.path(), &["params", "tiny.rord", "--set", set]);
        assert_eq!(out.status.code(), Some(1), "{set}");
        assert!(err(&out).starts_with(code), "{set}: {}", err(&out));
    }
    let out = rord(dir.path(), &["check", "tiny.rord", "--preset", "long"]);
    assert!(err(&out).starts_with("R0805") && err(&out).contains("did you mean `longer`?"), "{}", err(&out));
}

#[test]
fn wrong_use_exits_with_two_and_wrong_names_with_one() {
    let dir = tiny();
    for args in [
        &["tiny.rord", "--presset", "x"][..],
        &[][..],
        &["check"][..],
        &["graph", "tiny.rord", "--after", "nothing"][..],
    ] {
        assert_eq!(rord(dir.path(), args).status.code(), Some(2), "{args:?}");
    }
    let out = rord(dir.path(), &["tine.rord"]);
    assert_eq!(out.status.code(), Some(1));
    assert!(err(&out).contains("did you mean ./tiny.rord?"), "{}", err(&out));
    let out = rord(dir.path(), &["tiny.rord", "--device", "tpu"]);
    assert!(out.status.code() == Some(1) && err(&out).contains("there is no device called `tpu`"), "{}", err(&out));
    std::fs::create_dir_all(dir.path().join("full")).unwrap();
    std::fs::write(dir.path().join("full/file"), "x").unwrap();
    let out = rord(dir.path(), &["tiny.rord", "--out", "full"]);
    assert!(out.status.code() == Some(1) && err(&out).contains("full"), "{}", err(&out));
    assert_eq!(std::fs::read_dir(dir.path().join("full")).unwrap().count(), 1);
}

#[test]
fn pairs_can_be_looked_at() {
    let dir = tiny();
    let out = rord(dir.path(), &["data", "tiny.rord", "--show", "3", "--png", "sheet.png"]);
    assert_eq!(out.status.code(), Some(0), "{}", err(&out));
    let png = std::fs::read(dir.path().join("sheet.png")).unwrap();
    assert_eq!(&png[1..4], b"PNG");
    assert_eq!(String::from_utf8(out.stdout).unwrap().lines().filter(|l| l.contains(" H = [")).count(), 3);
}

#[test]
fn graphs_types_and_manuals_are_printed() {
    let dir = tiny();
    let print = |args: &[&str]| {
        let out = rord(dir.path(), args);
        assert_eq!(out.status.code(), Some(0), "{args:?}: {}", err(&out));
        String::from_utf8(out.stdout).unwrap()
    };
    let text = print(&["graph", "tiny.rord"]);
    assert_eq!((text.matches("= warp(").count(), text.matches("= inv(").count()), (1, 0));
    assert_eq!(print(&["graph", "tiny.rord", "--after", "build"]).matches("= warp(").count(), 2);
    assert!(print(&["graph", "tiny.rord", "--format", "dot"]).starts_with("digraph"));
    assert!(print(&["types", "tiny.rord"]).contains("net.desc.0.weight"));
    assert!(print(&["explain", "ops"]).contains("warp(x: Map, by: Homography"));
    assert!(print(&["explain", "warp"]).contains("bilinear"));
    assert!(print(&["explain", "triplet"]).contains("TripletMarginLoss"));
    let json = rord(dir.path(), &["check", "--format", "json", "tiny.rord", "--set", "lr=3"]);
    let line: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!((line["code"].as_str(), line["labels"][0]["column"].as_u64()), (Some("R0701"), Some(10)));
}

#[test]
fn an_objective_that_is_no_number_stops_the_run_and_keeps_what_is_needed() {
    let dir = tiny();
    let text =
        TINY.replace("minimize total   = detection + description", "minimize total = detection / (0 * description)");
    std::fs::write(dir.path().join("nan.rord"), text).unwrap();
    let out = rord(dir.path(), &["nan.rord", "--out", "run"]);
    assert_eq!(out.status.code(), Some(1));
    let said = err(&out);
    assert!(said.contains("R0902") && said.contains("`div` gave the first value"), "{said}");
    // No step was taken, so the learning rate is not what is wrong: the divisor is.
    assert!(said.contains("what is divided by is 0") && said.contains("1e-6"), "{said}");
    assert!(!said.contains("learning rate") && said.contains("is not a finite number at step 0"), "{said}");
    for file in ["nan-0.safetensors", "nan-0-batch.safetensors"] {
        assert!(dir.path().join("run").join(file).exists(), "{file}");
    }
    assert!(std::fs::read_to_string(dir.path().join("run/run.yaml")).unwrap().contains("status: failed"));
    let left = std::fs::read_dir(dir.path().join("run")).unwrap().map(|e| e.unwrap().file_name());
    let left: Vec<_> = left.filter(|n| n.to_string_lossy().starts_with('.')).collect();
    assert!(left.is_empty(), "half-written files: {left:?}");
}

#[test]
fn two_losses_are_two_numbers_of_a_line_whatever_they_are_called() {
    let dir = tiny();
    let names = ["step", "step_", "epoch", "lr_", "split"];
    let losses: String = names.iter().map(|n| format!("loss {n} = mean(det)\n")).collect();
    let total = "minimize total   = detection + description";
    let text = TINY.replace("param lr:      ", "param rate:    ").replace("lr = lr", "lr = rate");
    let text = text.replace(total, &format!("{losses}{total} + 0 * ({})", names.join(" + ")));
    std::fs::write(dir.path().join("names.rord"), text).unwrap();
    let out = rord(dir.path(), &["names.rord", "--out", "run"]);
    assert_eq!(out.status.code(), Some(0), "{}", err(&out));
    let metrics = lines(&dir.path().join("run/metrics.jsonl"));
    for (number, line) in metrics.iter().filter(|line| line["split"] != "figures").enumerate() {
        let train = line["split"] == "train";
        assert_eq!(line["split"], if number < 3 { "train" } else { "val" });
        assert_eq!((line["epoch"].as_u64(), line["step"].as_u64()), (Some(1), train.then_some(number as u64)));
        let keys = ["value.step", "step_", "value.epoch", "lr_", "value.split"];
        let found: Vec<f64> = keys.iter().map(|k| line[*k].as_f64().unwrap_or_else(|| panic!("{k}: {line}"))).collect();
        assert!(found[0] > 0.0 && found.iter().all(|x| *x == found[0]), "{line}");
    }
}

/// A run whose standard error is read later.
#[cfg(unix)]
fn begun(dir: &Path, args: &[&str]) -> std::process::Child {
    command(dir, args).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Waits until something has happened.
#[cfg(unix)]
fn until(what: &str, happened: impl Fn() -> bool) {
    let begun = Instant::now();
    while !happened() {
        assert!(begun.elapsed() < Duration::from_secs(60), "{what} did not happen");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[cfg(unix)]
fn interrupt(child: &std::process::Child) {
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
}

/// How long a run took to end, its code, and its standard error.
#[cfg(unix)]
fn ended(child: std::process::Child) -> (Duration, Option<i32>, String) {
    let begun = Instant::now();
    let out = child.wait_with_output().unwrap();
    (begun.elapsed(), out.status.code(), err(&out))
}

#[cfg(unix)]
#[test]
fn ctrl_c_is_noticed_during_validation() {
    let dir = tiny();
    // One step of training in an epoch, and 19,999 batches of validation.
    let text = TINY.replace("steps = 3", "steps = 1, train = 0.00005").replace("tiles = 4", "tiles = 40");
    std::fs::write(dir.path().join("slow.rord"), text).unwrap();
    let child = begun(dir.path(), &["slow.rord", "--out", "run"]);
    let metrics = dir.path().join("run/metrics.jsonl");
    until("the first step", || std::fs::read_to_string(&metrics).is_ok_and(|t| t.ends_with('\n')));
    std::thread::sleep(Duration::from_millis(500));
    interrupt(&child);
    let (took, code, said) = ended(child);
    assert!(took < Duration::from_secs(3), "{took:?}");
    assert_eq!((code, said.contains("stopping after this step")), (Some(130), true), "{said}");
    let record = std::fs::read_to_string(dir.path().join("run/run.yaml")).unwrap();
    assert!(record.contains("status: interrupted") && record.contains("epochs_done: 0"), "{record}");
    let splits: Vec<_> = lines(&metrics).iter().map(|line| line["split"].clone()).collect();
    assert_eq!(splits, ["train", "figures"], "no numbers of half a validation");
    assert!(dir.path().join("run/last.safetensors").exists());
}

#[cfg(target_os = "linux")]
#[test]
fn ctrl_c_is_noticed_while_data_loads() {
    let dir = tiny();
    let child = begun(dir.path(), &["tiny.rord", "--set", "layouts=synth(tiles = 4000)", "--out", "run"]);
    let status = format!("/proc/{}/status", child.id());
    // The signal of Ctrl-C is the second bit.
    until("watching for Ctrl-C", || {
        let text = std::fs::read_to_string(&status).unwrap();
        let caught = text.lines().find_map(|l| l.strip_prefix("SigCgt:")).unwrap().trim().to_string();
        u64::from_str_radix(&caught, 16).unwrap() & 2 != 0
    });
    std::thread::sleep(Duration::from_millis(300));
    interrupt(&child);
    let (took, code, said) = ended(child);
    assert!(took < Duration::from_secs(3), "{took:?}");
    assert_eq!((code, said.as_str()), (Some(130), "stopped before the first step; nothing was written\n"));
    assert!(!dir.path().join("run").exists());
}

#[cfg(unix)]
#[test]
fn a_second_ctrl_c_ends_at_once_and_is_recorded() {
    let dir = tiny();
    // A step of many seconds on one thread.
    let deep = ["conv(64, 15)"; 24].join(" |> ");
    let text = TINY.replace("conv(8, 3)", &deep);
    std::fs::write(dir.path().join("slow.rord"), text).unwrap();
    let child = begun(dir.path(), &["slow.rord", "--set", "patch=64px", "--threads", "1", "--out", "run"]);
    until("the first step", || dir.path().join("run/metrics.jsonl").exists());
    // The first batch is there in a moment.
    std::thread::sleep(Duration::from_millis(500));
    interrupt(&child);
    std::thread::sleep(Duration::from_millis(500));
    interrupt(&child);
    let (took, code, _) = ended(child);
    assert!(took < Duration::from_secs(1), "{took:?}");
    assert_eq!(code, Some(130));
    assert!(!dir.path().join("run/last.safetensors").exists(), "the step was waited for");
    let record = std::fs::read_to_string(dir.path().join("run/run.yaml")).unwrap();
    assert!(record.contains("status: interrupted") && record.contains("\nfinished: "), "{record}");
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_after_the_step_and_keeps_the_weights() {
    let dir = tiny();
    let mut child = command(dir.path(), &["tiny.rord", "--set", "epochs=1000", "--out", "run"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let begun = Instant::now();
    let metrics = dir.path().join("run/metrics.jsonl");
    while !metrics.exists() || std::fs::metadata(&metrics).unwrap().len() < 100 {
        assert!(begun.elapsed() < Duration::from_secs(60), "the run did not start");
        std::thread::sleep(Duration::from_millis(20));
    }
    // Twice at once, as `timeout` does: still one interruption.
    let interrupt = || Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    let killed = [interrupt(), interrupt()][1];
    assert!(killed.success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(std::fs::read_to_string(dir.path().join("run/run.yaml")).unwrap().contains("status: interrupted"));
    let weights = std::fs::read(dir.path().join("run/last.safetensors")).unwrap();
    assert!(safetensors::SafeTensors::deserialize(&weights).is_ok());
}

#[test]
fn training_learns() {
    let dir = tiny();
    let text = TINY.replace("steps = 3", "steps = 40").replace("in [1, 1000]", "").replace("= 1    ", "= 3    ");
    std::fs::write(dir.path().join("learn.rord"), text).unwrap();
    let out = rord(dir.path(), &["learn.rord", "--out", "run"]);
    assert_eq!(out.status.code(), Some(0), "{}", err(&out));
    let metrics = lines(&dir.path().join("run/metrics.jsonl"));
    let val: Vec<f64> = metrics.iter().filter(|l| l["split"] == "val").map(|l| l["total"].as_f64().unwrap()).collect();
    let first = metrics[0]["total"].as_f64().unwrap();
    assert!(val[2] < val[0] && val[2] < 0.8 * first, "validation {val:?}, first step {first}");
}

/// The shipped pipelines, `teacher` first: `distill` learns from its weights.
fn shipped() -> Vec<std::path::PathBuf> {
    let all = std::fs::read_dir("pipelines").unwrap().map(|e| e.unwrap().path());
    let mut all: Vec<_> = all.filter(|p| p.extension().is_some_and(|e| e == "rord")).collect();
    all.sort_by_key(|p| (!p.ends_with("teacher.rord"), p.clone()));
    all
}

#[test]
fn every_shipped_pipeline_trains_with_its_smoke_preset() {
    let dir = tempfile::tempdir().unwrap();
    let here = std::env::current_dir().unwrap();
    for path in shipped() {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let file = here.join(&path);
        let mut args = vec![file.to_str().unwrap(), "--preset", "smoke", "--out", &name];
        if name == "distill" {
            args.extend(["--set", "teacher_weights=\"teacher/best.safetensors\""]);
        }
        let out = rord(dir.path(), &args);
        assert_eq!(out.status.code(), Some(0), "{name}: {}", err(&out));
        let metrics = lines(&dir.path().join(&name).join("metrics.jsonl"));
        assert!(metrics.iter().any(|l| l["split"] == "val"), "{name}");
        assert!(dir.path().join(&name).join("best.safetensors").exists(), "{name}");
    }
}

#[test]
fn the_two_commands_of_the_guide_teach_a_small_network() {
    let guide = std::fs::read_to_string("docs/guide/running.md").unwrap();
    let commands: Vec<Vec<String>> = guide
        .lines()
        .filter_map(|l| l.strip_prefix("$ rord-run "))
        .filter(|l| l.starts_with("pipelines/teacher.rord") || l.starts_with("pipelines/distill.rord"))
        .map(|l| l.split_whitespace().map(|a| a.trim_matches('\'').to_string()).collect())
        .collect();
    assert_eq!(commands.len(), 2, "{commands:?}");
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(dir.path().join("pipelines/lib")).unwrap();
    for file in ["teacher.rord", "distill.rord", "lib/nets.rord"] {
        std::fs::copy(Path::new("pipelines").join(file), dir.path().join("pipelines").join(file)).unwrap();
    }
    for command in &commands {
        let mut args: Vec<&str> = command.iter().map(String::as_str).collect();
        args.extend(["--preset", "smoke"]);
        let out = rord(dir.path(), &args);
        assert_eq!(out.status.code(), Some(0), "{command:?}: {}", err(&out));
    }
    let read = |run: &str| std::fs::read(dir.path().join("runs").join(run).join("best.safetensors")).unwrap();
    let (taught, distilled) = (read("teacher"), read("distill"));
    let taught = safetensors::SafeTensors::deserialize(&taught).unwrap();
    let distilled = safetensors::SafeTensors::deserialize(&distilled).unwrap();
    for (name, tensor) in taught.tensors() {
        assert_eq!(distilled.tensor(&name).unwrap().data(), tensor.data(), "`{name}` is frozen");
    }
}

#[test]
fn weights_of_a_teacher_are_asked_for_and_must_fit() {
    let dir = tiny();
    assert_eq!(rord(dir.path(), &["tiny.rord", "--out", "other"]).status.code(), Some(0));
    let file = std::env::current_dir().unwrap().join("pipelines/distill.rord");
    for (set, code, facts) in [
        ("layouts=synth(tiles = 4)", "R0815", &["--set 'teacher_weights=\"…\"'"][..]),
        ("teacher_weights=other/best.safetensors", "R0820", &["--set 'teacher_weights=\"other/best.safetensors\"'"]),
        ("teacher_weights=./best.safetensors", "R0108", &["--set 'teacher_weights=\"./best.safetensors\"'"]),
        ("teacher_weights=\"nowhere.safetensors\"", "R0913", &["cannot read nowhere.safetensors", "model teacher"]),
        (
            "teacher_weights=\"other/best.safetensors\"",
            "R0913",
            &[
                "holds other weights than `teacher` has",
                "model teacher",
                "t.0.0.weight [64, 1, 3, 3] is not in the file",
            ],
        ),
    ] {
        let out = rord(dir.path(), &[file.to_str().unwrap(), "--preset", "smoke", "--set", set, "--out", "run"]);
        let said = err(&out);
        assert_eq!(out.status.code(), Some(1), "{set}: {said}");
        assert!(said.starts_with(code) && facts.iter().all(|f| said.contains(f)), "{set}: {said}");
        assert_eq!(said.matches("  × ").count(), 1, "{said}");
        assert!(!dir.path().join("run").exists(), "{set}");
    }
    std::fs::write(dir.path().join("my.yaml"), "teacher_weights: other/best.safetensors\n").unwrap();
    let out = rord(dir.path(), &["check", file.to_str().unwrap(), "--params", "my.yaml"]);
    assert!(err(&out).contains("write  teacher_weights: \"other/best.safetensors\""), "{}", err(&out));
}

/// The total of every training step.
fn totals(dir: &Path, run: &str) -> Vec<f64> {
    let text = std::fs::read_to_string(dir.join(run).join("metrics.jsonl")).unwrap();
    let lines = text.lines().map(|l| serde_json::from_str::<serde_json::Value>(l).unwrap());
    lines.filter(|l| l["split"] == "train").map(|l| l["total"].as_f64().unwrap()).collect()
}

#[test]
fn rounded_products_train_or_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let rounded = TINY.replace("batch = 2, epochs }", "batch = 2, epochs, precision = bf16 }");
    std::fs::write(dir.path().join("plain.rord"), TINY).unwrap();
    std::fs::write(dir.path().join("rounded.rord"), rounded).unwrap();
    let out = rord(dir.path(), &["rounded.rord", "--out", "rounded"]);
    if !rord_kernels::simd::Simd::chosen().multiplies_bf16() {
        assert_eq!(out.status.code(), Some(1));
        assert!(err(&out).contains("R0928") && !dir.path().join("rounded").exists(), "{}", err(&out));
        return;
    }
    assert!(out.status.success(), "{}", err(&out));
    assert!(rord(dir.path(), &["plain.rord", "--out", "plain"]).status.success());
    let (a, b) = (totals(dir.path(), "rounded"), totals(dir.path(), "plain"));
    assert_eq!((a.len(), b.len()), (3, 3));
    assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 0.05 * b), "{a:?} {b:?}");
    assert_ne!(a[0], b[0], "nothing was rounded");
}

#[test]
fn every_instruction_set_trains_alike_and_others_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("tiny.rord"), TINY).unwrap();
    let mut found: Vec<Vec<f64>> = Vec::new();
    for simd in rord_kernels::simd::Simd::ALL.into_iter().filter(|s| s.runs_here()) {
        let out =
            command(dir.path(), &["tiny.rord", "--out", simd.name()]).env("RORD_SIMD", simd.name()).output().unwrap();
        assert!(out.status.success(), "{}", err(&out));
        found.push(totals(dir.path(), simd.name()));
    }
    assert!(found.iter().all(|totals| totals.len() == 3), "{found:?}");
    assert!(found.iter().flatten().zip(found[0].iter().cycle()).all(|(a, b)| (a - b).abs() < 1e-3 * b), "{found:?}");
    let out = command(dir.path(), &["check", "tiny.rord"]).env("RORD_SIMD", "mmx").output().unwrap();
    assert_eq!(out.status.code(), Some(2));
    assert!(err(&out).contains("`mmx`"), "{}", err(&out));
}

#[test]
fn a_sweep_trains_every_point_and_goes_on_where_it_was_stopped() {
    let dir = tempfile::tempdir().unwrap();
    let text = format!("{TINY}\nsweep rates {{ lr = [1e-3, 3e-4], margin = [0.5, 1.0] }}\nsweep none {{ lr = [] }}\n");
    std::fs::write(dir.path().join("tiny.rord"), &text).unwrap();
    let sweep = |more: &[&str]| rord(dir.path(), &[&["sweep", "tiny.rord", "rates"], more].concat());
    let out = sweep(&[]);
    assert_eq!(out.status.code(), Some(0), "{}", err(&out));
    let said = String::from_utf8(out.stdout).unwrap();
    let (_, table) = said.split_once("4 runs\n").unwrap();
    assert!(table.starts_with("val.total  set "), "{table}");
    let best: Vec<f64> = table.lines().skip(1).map(|l| l.split(' ').next().unwrap().parse().unwrap()).collect();
    assert!(best.len() == 4 && best.is_sorted(), "{table}");
    let folder = dir.path().join("runs/tiny-rates");
    let folders = ["1-lr=1e-3,margin=0.5", "2-lr=1e-3,margin=1", "3-lr=3e-4,margin=0.5", "4-lr=3e-4,margin=1"];
    for (name, lr) in folders.iter().zip(["0.001", "0.001", "0.0003", "0.0003"]) {
        let record = std::fs::read_to_string(folder.join(name).join("run.yaml")).unwrap();
        assert!(record.contains(&format!("\n  lr: {lr}\n")) && record.contains("lr: sweep rates"), "{record}");
    }
    // A run of the same point by hand is the same run.
    let by_hand = rord(dir.path(), &["tiny.rord", "--set", "lr=3e-4", "--set", "margin=0.5", "--out", "hand"]);
    assert_eq!(by_hand.status.code(), Some(0));
    let weights = |path: &Path| std::fs::read(path.join("last.safetensors")).unwrap();
    assert_eq!(weights(&dir.path().join("hand")), weights(&folder.join(folders[2])));

    // One that was stopped is gone on with; the others are left alone.
    let stopped = folder.join(folders[1]);
    let record = std::fs::read_to_string(stopped.join("run.yaml")).unwrap();
    std::fs::write(stopped.join("run.yaml"), record.replace("status: finished", "status: interrupted")).unwrap();
    let before = weights(&stopped);
    let again = sweep(&[]);
    assert_eq!((again.status.code(), err(&again).matches("finished already").count()), (Some(0), 3));
    assert_eq!(weights(&stopped), before);
    let record = std::fs::read_to_string(stopped.join("run.yaml")).unwrap();
    assert!(record.contains("status: finished"), "{record}");
    assert!(!folder.join(format!("{}-2", folders[1])).exists());

    for (args, code) in [
        (vec!["sweep", "tiny.rord", "rate"], "R0824"),
        (vec!["sweep", "tiny.rord", "none"], "R0824"),
        (vec!["sweep", "tiny.rord", "rates", "--set", "lr=1e-2"], "R0825"),
        (vec!["sweep", "tiny.rord", "rates", "--set", "epochs=2"], "R0932"),
        (vec!["sweep", "tiny.rord", "rates", "--out", "hand"], "R0914"),
        (vec!["sweep", "tiny.rord", "rates", "--set", "epochs=0"], "R0701"),
    ] {
        let out = rord(dir.path(), &args);
        assert_eq!(out.status.code(), Some(1), "{args:?}");
        assert!(err(&out).starts_with(code), "{args:?}: {}", err(&out));
    }
}

#[test]
fn a_run_keeps_the_texts_it_was_made_from() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(dir.path().join("nets/lib")).unwrap();
    let (imports, model) = ("import \"lib/nets.rord\" { trunk }\n\ndata pairs", "x |> trunk(8)");
    let text = TINY.replace("data pairs", imports).replace("x |> conv(8, 3) |> relu |> max_pool(2)", model);
    let trunk = "layer trunk(x: Map[B, C, H, W]@f, width: Count) -> Feat[B, width, H/2, W/2]@f =\n  x |> conv(width, 3) |> relu |> max_pool(2)\n";
    std::fs::write(dir.path().join("nets/tiny.rord"), text).unwrap();
    std::fs::write(dir.path().join("nets/lib/nets.rord"), trunk).unwrap();
    let out = rord(dir.path(), &["nets/tiny.rord", "--out", "first"]);
    assert_eq!(out.status.code(), Some(0), "{}", err(&out));
    assert_eq!(std::fs::read_to_string(dir.path().join("first/lib/nets.rord")).unwrap(), trunk);
    std::fs::remove_dir_all(dir.path().join("nets")).unwrap();
    let out = rord(dir.path(), &["first/pipeline.rord", "--out", "second"]);
    assert_eq!(out.status.code(), Some(0), "{}", err(&out));
    let weights = |run: &str| std::fs::read(dir.path().join(run).join("last.safetensors")).unwrap();
    assert_eq!(weights("first"), weights("second"));
}
