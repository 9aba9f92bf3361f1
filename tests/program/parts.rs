//! Training by part, early ends, and which weights are kept, by the whole binary.

use std::collections::HashMap;
use std::path::Path;
use std::process::{Command, Output};

use candle_core::{Device, Tensor};
use rord_record::{Record, RunFolder, Status};

const TEXT: &str = "
data d = layout_images(synth(tiles = 4, size = 12.8), patch = 16px, steps = 3) -> {
  image: Image[B, 1, H, W]@o, corners: Label[B, 1, H, W]@o,
}
model net(x: Image[B, 1, H, W]@f) {
  let trunk = x |> conv(4, 3) |> relu |> conv(4, 3) |> relu |> max_pool(2) |> conv(8, 3) |> relu |> conv(8, 3) |> relu
  out det   = trunk |> conv(1, 1) |> upsample(2) |> sigmoid
}
let { det } = net(d.image)
minimize total = bce(d.corners, det)
metric hit = 100 * iou(d.corners, det > 0.02) + 3
metric level = mean(det)
";

fn rord(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rord-run"));
    command.args(args).env("RORD_WIDTH", "200").env("NO_COLOR", "1").env_remove("TERM");
    command.output().unwrap()
}

/// Trains the text with these sections; the run's folder, its record, and what was said.
fn run(dir: &Path, sections: &str) -> (RunFolder, Record, String) {
    let (file, out) = (dir.join("t.rord"), dir.join("run"));
    std::fs::write(&file, format!("{TEXT}{sections}\n")).unwrap();
    let done = rord(&["train", file.to_str().unwrap(), "--out", out.to_str().unwrap()]);
    let said = [done.stderr, done.stdout].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    assert!(done.status.success(), "{said}");
    let folder = RunFolder::open(&out);
    let record = folder.read_record().unwrap();
    assert_eq!(record.status, Status::Finished);
    (folder, record, said)
}

/// What the binary says of the text with these sections.
fn checked(sections: &str) -> String {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("t.rord");
    std::fs::write(&file, format!("{TEXT}{sections}\n")).unwrap();
    String::from_utf8(rord(&["check", file.to_str().unwrap()]).stderr).unwrap()
}

fn tensors(path: &Path) -> HashMap<String, Vec<f32>> {
    let found = candle_core::safetensors::load(path, &Device::Cpu).unwrap();
    let numbers = |t: &Tensor| t.flatten_all().unwrap().to_vec1().unwrap();
    found.iter().map(|(name, tensor)| (name.clone(), numbers(tensor))).collect()
}

fn weights_files(folder: &RunFolder) -> Vec<String> {
    let names = std::fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|n| n.ends_with(".safetensors")).collect();
    names.sort();
    names
}

#[test]
fn a_part_begins_with_a_file_of_pytorch_and_stays_as_long_as_it_is_frozen() {
    let dir = tempfile::tempdir().unwrap();
    let init = "tests/golden/pretrained/vgg-legacy.pth";
    let part = format!("part net.trunk {{ frozen = true, init = \"{init}\" under \"features\" }}");
    let (folder, record, said) =
        run(dir.path(), &format!("train {{ optimizer = adam(lr = 1e-2), epochs = 1, batch = 2, {part} }}"));
    let line = format!("net.trunk: 8 of 8 weights from {init} under features, by name");
    assert!(said.contains(&line), "{said}");
    let [begun] = record.parts.as_slice() else { panic!("{record:?}") };
    assert_eq!((begun.part.as_str(), begun.under.as_deref()), ("net.trunk", Some("features")));
    assert!(begun.hash.starts_with("b3:") && begun.took.len() == 8 && begun.left.is_empty() && begun.random.is_empty());
    assert_eq!(begun.took.get("net.trunk.5.weight").unwrap().as_str(), Some("features.5.weight"));
    let (expected, last) =
        (tensors(Path::new("tests/golden/pretrained/vgg.safetensors")), tensors(&folder.file("last.safetensors")));
    for (weight, tensor) in &begun.took {
        assert_eq!(last[weight.as_str().unwrap()], expected[tensor.as_str().unwrap()], "{weight:?}");
    }
    let types = rord(&["types", dir.path().join("t.rord").to_str().unwrap()]);
    let shown = String::from_utf8(types.stdout).unwrap();
    assert!(shown.contains(&format!("[4, 1, 3, 3]  frozen = true, init = \"{init}\"")), "{shown}");
    // Repeated from its folder, it takes the same again.
    let again = rord(&["train", folder.path().to_str().unwrap(), "--out", dir.path().join("again").to_str().unwrap()]);
    assert!(again.status.success(), "{}", String::from_utf8_lossy(&again.stderr));
    assert_eq!(tensors(&dir.path().join("again/last.safetensors")), last);
}

#[test]
fn the_best_are_kept_and_so_is_every_second() {
    let dir = tempfile::tempdir().unwrap();
    let sections = "train { optimizer = adam(lr = 1e-2), epochs = 5, batch = 2 }\nsave { best = max(val.level), keep = 2, every = 2epochs }";
    let (folder, record, _) = run(dir.path(), sections);
    let text = std::fs::read_to_string(folder.file("metrics.jsonl")).unwrap();
    let lines = text.lines().map(|l| serde_json::from_str::<serde_json::Value>(l).unwrap());
    let mut levels: Vec<(u64, f64)> = lines
        .filter(|l| l["split"] == "val")
        .map(|l| (l["epoch"].as_u64().unwrap(), l["level"].as_f64().unwrap()))
        .collect();
    assert_eq!(levels.len(), 5);
    levels.sort_by(|a, b| b.1.total_cmp(&a.1));
    let (first, second) = (levels[0].0, levels[1].0);
    let kept: Vec<(&str, u64)> = record.kept.iter().map(|k| (k.file.as_str(), k.epoch)).collect();
    assert_eq!(
        kept,
        [(format!("top-{first}.safetensors").as_str(), first), (format!("top-{second}.safetensors").as_str(), second)]
    );
    assert_eq!(record.best.as_ref().map(|b| (b.epoch, b.watch.as_str())), Some((first, "val.level")));
    let mut expected = vec![
        "best.safetensors".to_string(),
        "epoch-2.safetensors".into(),
        "epoch-4.safetensors".into(),
        "last.safetensors".into(),
    ];
    expected.extend([first, second].map(|n| format!("top-{n}.safetensors")));
    expected.sort();
    assert_eq!(weights_files(&folder), expected);
    assert_eq!(tensors(&folder.file("best.safetensors")), tensors(&folder.file(&format!("top-{first}.safetensors"))));
}

#[test]
fn a_run_that_makes_no_progress_ends_and_says_so() {
    let dir = tempfile::tempdir().unwrap();
    // At this rate nothing moves by a bit, so the second epoch is no better than the first.
    let sections =
        "train { optimizer = sgd(lr = 1e-30), epochs = 9, batch = 2, stop = after(2epochs, without = val.total) }";
    let (_, record, said) = run(dir.path(), sections);
    assert_eq!(record.epochs_done, 3);
    let why = record.stopped.unwrap();
    assert!(why.starts_with("val.total has not improved for 2 epochs; its best is "), "{why}");
    assert!(said.contains(&format!("stopped after epoch 3: {why}")), "{said}");
}

#[test]
fn the_average_is_what_is_validated_and_saved() {
    let dir = tempfile::tempdir().unwrap();
    // So slow an average is still the weights after the first step, whatever these have become.
    let sections =
        "train { optimizer = sgd(lr = 1.0), epochs = 2, batch = 2, ema = 0.999999999 }\nsave { every = 1steps }";
    let (folder, ..) = run(dir.path(), sections);
    let (first, last) = (tensors(&folder.file("step-1.safetensors")), tensors(&folder.file("last.safetensors")));
    assert_eq!(weights_files(&folder).len(), 2 + 6);
    for (name, weight) in &first {
        let far = weight.iter().zip(&last[name]).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(far < 1e-6, "{name}: {far}");
    }
    let text = std::fs::read_to_string(folder.file("metrics.jsonl")).unwrap();
    let of = |split: &str| -> Vec<f64> {
        let lines = text.lines().map(|l| serde_json::from_str::<serde_json::Value>(l).unwrap());
        lines.filter(|l| l["split"] == split).map(|l| l["total"].as_f64().unwrap()).collect()
    };
    let (train, val) = (of("train"), of("val"));
    assert!((val[0] - val[1]).abs() < 1e-6 && (train[0] - train[5]).abs() > 1e-4, "{train:?} {val:?}");
}

#[test]
fn the_direction_of_a_score_is_carried_through_and_asked_for_where_it_is_not_known() {
    let base = "train { optimizer = adam(lr = 1e-2), batch = 2, epochs = 1 }\n";
    for (metric, watch, known) in [
        ("100 * iou(d.corners, det > 0.5)", "val.m", Some("max")),
        ("1 - iou(d.corners, det > 0.5)", "val.m", Some("min")),
        ("-1 * iou(d.corners, det > 0.5) / 2", "val.m", Some("min")),
        ("iou(d.corners, det > 0.5) + 2 * f1(d.corners, det > 0.5)", "val.m", Some("max")),
        ("iou(d.corners, det > 0.5) - bce(d.corners, det)", "val.m", Some("max")),
        ("0.5 * bce(d.corners, det) + 1", "val.m", Some("min")),
        ("1 - total", "val.m", Some("max")),
        ("mean(det)", "val.m", None),
        ("iou(d.corners, det > 0.5) + bce(d.corners, det)", "val.m", None),
        ("mean(det)", "min(val.m)", Some("min")),
        ("iou(d.corners, det > 0.5)", "min(val.m)", Some("min")),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("t.rord");
        std::fs::write(&file, format!("{TEXT}metric m = {metric}\n{base}save {{ best = {watch} }}\n")).unwrap();
        let loaded = rord_cli::load::load_given(&file, &Default::default()).unwrap_or_else(|_| panic!("{metric}"));
        let asked: Vec<&str> = loaded.reports.iter().map(|r| r.code).filter(|c| *c == "R0730").collect();
        match known {
            None => assert_eq!(asked, ["R0730"], "{metric}"),
            Some(wanted) => {
                assert_eq!(asked, [""; 0], "{metric}");
                let plan = rord_engine::plan::Plan::new(&loaded.pipeline, loaded.end()).unwrap();
                let up = plan.best.1 == rord_engine::schedule::Mode::Maximize;
                assert_eq!(up, wanted == "max", "{metric}");
            }
        }
    }
    let plateau = "schedule = reduce_on_plateau(watch = val.level)";
    let said = checked(&format!("train {{ optimizer = adam(lr = 1e-2), epochs = 1, {plateau} }}"));
    assert!(said.starts_with("R0730") && said.contains("a score:  max(val.level)"), "{said}");
    let said = checked("train { optimizer = adam(lr = 1e-2), epochs = 1, stop = after(3epochs, without = val.level) }");
    assert!(said.starts_with("R0730"), "{said}");
    assert_eq!(checked("train { optimizer = adam(lr = 1e-2), stop = after(3epochs, without = max(val.level)) }"), "");
}

#[test]
fn a_rate_by_part_is_a_parameter_like_any_other() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("t.rord");
    let text = format!(
        "{TEXT}param slow: Factor = 0.1x in (0x, 1x]\ntrain {{ optimizer = adam(lr = 1e-2), part net.trunk {{ lr = slow }} }}\n"
    );
    std::fs::write(&file, text).unwrap();
    let shown = |args: &[&str]| {
        let out = rord(&[&["types", file.to_str().unwrap()], args].concat());
        String::from_utf8([out.stdout, out.stderr].concat()).unwrap()
    };
    assert!(shown(&[]).contains("lr = 0.1x"), "{}", shown(&[]));
    assert!(shown(&["--set", "slow=0.5x"]).contains("lr = 0.5x"));
    assert!(shown(&["--set", "slow=3x"]).contains("R0701"), "{}", shown(&["--set", "slow=3x"]));
    assert!(shown(&["--set", "slow=0.5"]).contains("R0305"), "{}", shown(&["--set", "slow=0.5"]));
}

#[test]
fn explain_has_the_fields_of_sections_and_of_parts() {
    for (name, parts) in [
        ("train", ["accumulate: Count = 1", "stop: Stop"]),
        ("part", ["lr: Rate or Factor", "frozen: Flag or Duration"]),
        ("save", ["every: Duration", "keep: Count = 1"]),
    ] {
        let said = String::from_utf8(rord(&["explain", name]).stdout).unwrap();
        assert!(parts.iter().all(|p| said.contains(p)), "{said}");
    }
}
