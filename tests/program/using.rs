//! `predict`, `match` and `eval` of a run, on pictures and a chip that are made here.

use std::path::Path;

use rord_data::sheet::grey_png;
use rord_random::Stream;
use serde_json::Value;

use super::find::{rord, trained};

/// What a command prints, which succeeds.
fn done(dir: &Path, args: &[&str]) -> String {
    let out = rord(dir, args);
    assert!(out.status.success(), "{args:?}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap()
}

fn object(dir: &Path, args: &[&str]) -> Value {
    serde_json::from_str(&done(dir, args)).unwrap()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

/// Bars of all greys, `width` × `height`.
fn bars(width: usize, height: usize) -> Vec<f32> {
    let mut stream = Stream::new(4, &[]);
    let mut values = vec![0.0; width * height];
    for _ in 0..width * height / 300 {
        let (long, wide) = (8 + stream.below(40), 2 + stream.below(5));
        let (w, h) = if stream.chance(0.5) { (long, wide) } else { (wide, long) };
        let (x, y, grey) = (stream.below(width), stream.below(height), stream.range(0.3, 1.0) as f32);
        for row in y..(y + h).min(height) {
            (x..(x + w).min(width)).for_each(|column| values[row * width + column] = grey);
        }
    }
    values
}

fn put(path: &Path, values: &[f32], width: usize, height: usize) {
    std::fs::write(path, grey_png(values, width, height).unwrap()).unwrap();
}

/// The segmentation pipeline, trained for a moment, with what it exports.
fn segmenting() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("pipelines");
    std::fs::create_dir(dir.path().join("lib")).unwrap();
    std::fs::copy(folder.join("lib/nets.rord"), dir.path().join("lib/nets.rord")).unwrap();
    let text = std::fs::read_to_string(folder.join("segment.rord")).unwrap();
    std::fs::write(dir.path().join("mask.rord"), text + "export { mask = sigmoid(logits) }\n").unwrap();
    done(dir.path(), &["fmt", "mask.rord"]);
    done(dir.path(), &["mask.rord", "--preset", "smoke", "--set", "epochs=2", "--out", "run"]);
    dir
}

#[test]
fn key_points_of_a_chip_are_written_in_every_form() {
    let (dir, _) = trained();
    let dir = dir.path();
    let on_chip = ["predict", "run", "--in", "chip.gds", "--layers", "1/0,2/0", "--keep", "300"];
    let with = |more: &[&'static str]| [&on_chip[..], more].concat();
    let found = object(dir, &with(&["--out", "kp.safetensors", "--format", "json"]));
    let one = &found["pictures"][0];
    assert_eq!((one["in"].as_str(), &one["size_px"]), (Some("chip.gds"), &serde_json::json!([600, 600])));
    let (points, um) = (one["keypoints"].as_array().unwrap(), one["keypoints_um"].as_array().unwrap());
    assert_eq!((points.len(), um.len(), one["descriptor"].as_u64()), (300, 300, Some(128)));
    for (point, um) in points.iter().zip(um) {
        // The chip's lower left corner is (0, 0); 10 pixels are a µm, and pixel 0 reaches to 0.1 µm.
        assert!((number(&um[0]) - (number(&point[0]) + 0.5) / 10.0).abs() < 1e-9, "{point} {um}");
        assert!((number(&um[1]) - (60.0 - (number(&point[1]) + 0.5) / 10.0)).abs() < 1e-9, "{point} {um}");
    }
    let scores: Vec<f64> = one["scores"].as_array().unwrap().iter().map(number).collect();
    assert!(scores.windows(2).all(|w| w[0] >= w[1]), "the surest first");
    let bytes = std::fs::read(dir.join("kp.safetensors")).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let shape = |name: &str| file.tensor(name).unwrap().shape().to_vec();
    assert_eq!((shape("keypoints"), shape("scores"), shape("descriptors")), (vec![300, 2], vec![300], vec![300, 128]));
    let numbers = |name: &str| -> Vec<f32> {
        file.tensor(name).unwrap().data().chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect()
    };
    assert_eq!(f64::from(numbers("keypoints")[1]) as f32, number(&points[0][1]) as f32);
    let lengths =
        numbers("descriptors").chunks_exact(128).map(|d| d.iter().map(|x| x * x).sum::<f32>()).collect::<Vec<_>>();
    assert!(lengths.iter().all(|l| (l - 1.0).abs() < 1e-4), "unit vectors");
    done(dir, &with(&["--out", "kp.csv"]));
    let text = std::fs::read_to_string(dir.join("kp.csv")).unwrap();
    assert_eq!(text.lines().next(), Some("picture,x,y,score,x_um,y_um"));
    assert_eq!(text.lines().count(), 301);
    let line: Vec<&str> = text.lines().nth(1).unwrap().split(',').collect();
    assert_eq!(
        line[..3],
        ["chip.gds", &format!("{:.3}", number(&points[0][0])), &format!("{:.3}", number(&points[0][1]))]
    );
    // A folder has both forms; NumPy's is what `tensors` reads.
    done(dir, &with(&["--out", "all"]));
    assert!(std::fs::read(dir.join("all/chip.png")).unwrap().starts_with(b"\x89PNG"));
    let npz = std::fs::read(dir.join("all/chip.npz")).unwrap();
    let holds = |text: &str| npz.windows(text.len()).any(|w| w == text.as_bytes());
    assert!(npz.starts_with(b"PK\x03\x04") && holds("descriptors.npy") && holds("'shape': (300, 128,)"));
    // Threads change nothing.
    let again = object(dir, &with(&["--format", "json", "--threads", "1"]));
    assert_eq!(again["pictures"][0]["keypoints"], one["keypoints"]);
    // The maps themselves: cells of 4 px.
    let dense = object(dir, &with(&["--dense", "--format", "json"]));
    let maps = &dense["pictures"][0]["maps"];
    assert_eq!((&maps["desc"]["shape"], &maps["score"]["shape"]), (&[128, 150, 150].into(), &[1, 150, 150].into()));
}

#[test]
fn a_mask_is_the_map_that_is_exported() {
    let dir = segmenting();
    let dir = dir.path();
    put(&dir.join("a.png"), &bars(96, 64), 96, 64);
    put(&dir.join("odd.png"), &bars(101, 70), 101, 70);
    std::fs::create_dir(dir.join("pictures")).unwrap();
    put(&dir.join("pictures/b.png"), &bars(128, 128), 128, 128);
    put(&dir.join("pictures/c.png"), &bars(64, 128), 64, 128);
    let said = done(dir, &["predict", "run", "--in", "a.png", "--out", "mask.safetensors"]);
    assert!(said.starts_with("a.png  96 × 64 px  mask: Prob [1, 64, 96], 0."), "{said}");
    let bytes = std::fs::read(dir.join("mask.safetensors")).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!((file.names(), file.tensor("mask").unwrap().shape()), (vec!["mask"], &[1, 64, 96][..]));
    done(dir, &["predict", "run", "--in", "a.png", "--out", "mask.png"]);
    let drawn = rord_data::images::decode(&dir.join("mask.png"), &Default::default()).unwrap();
    assert_eq!((drawn[0].width, drawn[0].height), (96, 64));
    let grey: Vec<f32> = drawn[0].planes[0].1.shares().collect();
    let mask: Vec<f32> = file
        .tensor("mask")
        .unwrap()
        .data()
        .chunks_exact(4)
        .map(|b| f32::from_le_bytes(b.try_into().unwrap()))
        .collect();
    assert!(grey.iter().zip(&mask).all(|(a, b)| (a - b).abs() <= 0.5 / 255.0 + 1e-6));
    // Sides that the network does not divide are filled up, and cut again.
    let odd = object(dir, &["predict", "run", "--in", "odd.png", "--format", "json"]);
    assert_eq!(odd["pictures"][0]["maps"]["mask"]["shape"], serde_json::json!([1, 70, 101]));
    let both = object(dir, &["predict", "run", "--in", "pictures", "--out", "out", "--format", "json"]);
    assert_eq!(both["pictures"].as_array().unwrap().len(), 2);
    for name in ["b.npz", "b.png", "c.npz", "c.png"] {
        assert!(dir.join("out").join(name).is_file(), "{name}");
    }
}

#[test]
fn two_pictures_are_matched_at_every_quarter_turn_and_mirrored() {
    let (dir, _) = trained();
    let dir = dir.path();
    let (width, height) = (256, 192);
    let values = bars(width, height);
    put(&dir.join("a.png"), &values, width, height);
    // Each with where it takes the pixel (x, y).
    let (right, low) = (width as f64 - 1.0, height as f64 - 1.0);
    let turns: [(&str, [[f64; 3]; 2], f64, bool); 5] = [
        ("as it is", [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]], 0.0, false),
        ("quarter", [[0.0, -1.0, low], [1.0, 0.0, 0.0]], 90.0, false),
        ("half", [[-1.0, 0.0, right], [0.0, -1.0, low]], 180.0, false),
        ("three quarters", [[0.0, 1.0, 0.0], [-1.0, 0.0, right]], -90.0, false),
        ("mirrored", [[-1.0, 0.0, right], [0.0, 1.0, 0.0]], 180.0, true),
    ];
    for (name, matrix, turn, mirrored) in turns {
        let swapped = matrix[0][0] == 0.0;
        let (wide, high) = if swapped { (height, width) } else { (width, height) };
        let mut moved = vec![0.0; width * height];
        for y in 0..height {
            for x in 0..width {
                let at = matrix.map(|[a, b, c]| (a * x as f64 + b * y as f64 + c) as usize);
                moved[at[1] * wide + at[0]] = values[y * width + x];
            }
        }
        put(&dir.join("b.png"), &moved, wide, high);
        let found = object(dir, &["match", "run", "a.png", "b.png", "--format", "json", "--out", "m.png"]);
        assert_eq!(found["mirrored"], mirrored, "{name}");
        let off = (number(&found["turn_deg"]) - turn).rem_euclid(360.0);
        assert!(off.min(360.0 - off) < 0.5, "{name}: {}", found["turn_deg"]);
        for (row, expected) in found["matrix_px"].as_array().unwrap().iter().zip(matrix) {
            for (found, (expected, within)) in
                row.as_array().unwrap().iter().zip(expected.iter().zip([0.01, 0.01, 1.0]))
            {
                assert!((number(found) - expected).abs() < within, "{name}: {row}");
            }
        }
        let inliers = found["inliers"].as_u64().unwrap() as usize;
        let matches = found["matches"].as_array().unwrap();
        assert!(inliers >= 30 && 10 * inliers > 7 * matches.len(), "{name}: {inliers} of {}", matches.len());
        assert!(matches.iter().all(|m| m.as_array().unwrap().len() == 5));
        assert!(found["ms"].is_u64() && std::fs::read(dir.join("m.png")).unwrap().starts_with(b"\x89PNG"));
    }
    for (kind, rows) in [("affine", 2), ("homography", 3)] {
        let found = object(dir, &["match", "run", "b.png", "a.png", "--move", kind, "--format", "json"]);
        assert_eq!(found["matrix_px"].as_array().unwrap().len(), rows);
        assert!((number(&found["matrix_px"][0][0]) + 1.0).abs() < 0.02, "{kind}: {found}");
    }
    // A layout and a picture of nothing: no move, and that is no error.
    put(&dir.join("dark.png"), &vec![0.0; 96 * 96], 96, 96);
    let found = object(dir, &["match", "run", "dark.png", "chip.gds", "--layers", "1/0", "--format", "json"]);
    assert_eq!((&found["inliers"], &found["matrix_px"]), (&0.into(), &Value::Null));
}

#[test]
fn an_evaluation_is_the_validation_of_the_run_to_the_last_digit() {
    let dir = segmenting();
    let dir = dir.path();
    let metrics = std::fs::read_to_string(dir.join("run/metrics.jsonl")).unwrap();
    let lines: Vec<Value> = metrics.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let val: Vec<&Value> = lines.iter().filter(|line| line["split"] == "val").collect();
    assert_eq!(val.len(), 2);
    let found = object(dir, &["eval", "run", "--weights", "run/last.safetensors", "--format", "json"]);
    for (of, names) in [("losses", &["total", "ce", "overlap"][..]), ("metrics", &["iou"])] {
        assert_eq!(found[of].as_object().unwrap().len(), names.len());
        for name in names {
            assert_eq!(found[of][name].to_string(), val[1][name].to_string(), "{name}");
        }
    }
    // Without weights those of the best epoch; other parameters on top of the run's own.
    let record = std::fs::read_to_string(dir.join("run/run.yaml")).unwrap();
    let best = usize::from(record.split("best:").nth(1).unwrap().contains("epoch: 2"));
    let found = object(dir, &["eval", "run", "--format", "json"]);
    assert_eq!(found["losses"]["total"].to_string(), val[best]["total"].to_string());
    let other = object(dir, &["eval", "run", "--set", "w_dice=2", "--format", "json"]);
    assert_eq!(other["losses"]["ce"], found["losses"]["ce"]);
    assert_ne!(other["losses"]["total"], found["losses"]["total"]);
    let said = done(dir, &["eval", "run"]);
    let mut lines = said.lines();
    assert_eq!(lines.next(), Some("3 layouts to train on and 1 to validate; means over 1 batch of 2"));
    assert!(lines.next().unwrap().starts_with("total    objective  "), "{said}");
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_an_evaluation() {
    use std::process::{Command, Stdio};
    use std::time::{Duration, Instant};
    let dir = segmenting();
    let mut command = Command::new(env!("CARGO_BIN_EXE_rord-run"));
    command.args(["eval", "run", "--set", "steps=100000"]).current_dir(dir.path()).stdout(Stdio::piped());
    let child = command.env("RORD_CACHE", dir.path().join("cache")).stderr(Stdio::piped()).spawn().unwrap();
    std::thread::sleep(Duration::from_secs(3));
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let begin = Instant::now();
    let out = child.wait_with_output().unwrap();
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
    let said = String::from_utf8_lossy(&out.stderr);
    assert_eq!((out.status.code(), out.stdout.len()), (Some(130), 0), "{said}");
    assert!(said.contains("stopping; a second signal (Ctrl-C) stops at once"), "{said}");
}

#[test]
fn what_a_run_is_not_used_on_is_one_report() {
    let (dir, _) = trained();
    let dir = dir.path();
    std::fs::write(dir.join("torn.png"), b"\x89PNG\r\n\x1a\n").unwrap();
    std::fs::create_dir(dir.join("empty")).unwrap();
    put(&dir.join("a.png"), &bars(64, 64), 64, 64);
    let pipeline = Path::new(env!("CARGO_MANIFEST_DIR")).join("pipelines/find.rord");
    let pipeline = pipeline.to_str().unwrap();
    for (args, fact) in [
        (&["predict", "run", "--in", "a.png", "--out", "x.txt"][..], "x.txt: predictions are not written so"),
        (&["predict", "run", "--in", "a.png", "chip.gds", "--out", "x.npz"], "x.npz holds one picture"),
        (&["predict", "run", "--in", "a.png", "--dense", "--out", "x.csv"], "no key points to list"),
        (&["predict", "run", "--in", "a.png", "--keep", "0"], "--keep 0"),
        (&["predict", "run", "--in", "torn.png"], "torn.png"),
        (&["predict", "run", "--in", "gone.png"], "gone.png"),
        (&["predict", "run", "--in", "empty"], "empty"),
        (&["predict", "run", "--in", "chip.gds", "--top", "none"], "none"),
        (&["predict", pipeline, "--in", "a.png"], "a pipeline has no weights before it is trained"),
        (&["match", "run", "a.png", "empty"], "empty is a folder"),
        (&["match", "run", "a.png", "gone.png"], "gone.png"),
        (&["match", "run", "a.png", "a.png", "--out", "x.gds"], "x.gds: matches are not written so"),
        (&["match", "run", "a.png", "a.png", "--within", "nan"], "--within NaN"),
        (&["eval", "run", "--weights", "torn.png"], "torn.png"),
        (&["eval", pipeline], "a pipeline has no weights before it is trained"),
        (&["fmt", "run"], "stays as it is"),
    ] {
        let out = rord(dir, args);
        let said = String::from_utf8_lossy(&out.stderr).into_owned();
        assert_eq!(out.status.code(), Some(1), "{args:?}: {said}");
        assert!(said.contains(fact) && said.matches("  × ").count() == 1, "{args:?}: {said}");
    }
    assert!(!dir.join("x.npz").exists());
    // What is for a suite needs something to be measured on.
    for option in [&["--suite", "find"][..], &["--cases", "same"], &["--queries", "3"]] {
        let out = rord(dir, &[&["eval", "run"], option].concat());
        assert_eq!(out.status.code(), Some(2), "{option:?}");
        assert!(String::from_utf8_lossy(&out.stderr).contains("--in <CHIP>"), "{option:?}");
    }
}

#[test]
fn a_run_is_an_argument_wherever_a_pipeline_is() {
    let dir = segmenting();
    let dir = dir.path();
    let changed = ["--preset", "smoke", "--set", "epochs=2"];
    for verb in [&["graph"][..], &["types"], &["data", "--show", "2"], &["params", "--yaml"]] {
        let of = |file: &'static str| [&verb[..1], &[file], &verb[1..]].concat();
        let (run, file) = (done(dir, &of("run")), done(dir, &[of("mask.rord"), changed.to_vec()].concat()));
        // The run's own parameters are those that it was given.
        match verb[0] {
            "params" => assert!(run.contains("epochs: 2") && run.contains("batch: 2"), "{run}"),
            _ => assert_eq!(run, file, "{verb:?}"),
        }
    }
    assert_eq!(done(dir, &["check", "run"]), "run: no reports\n");
    assert_eq!(done(dir, &["fmt", "--check", "run"]), "");
    assert!(done(dir, &["explain", "run"]).contains("run:iou"));
    assert!(done(dir, &["explain", "run:iou"]).contains("iou"));
    assert!(done(dir, &["bench", "run", "--steps", "1", "--warmup", "0"]).starts_with("segment: batches of 2"));
    // Its parameters are known where one is written as an option.
    let out = rord(dir, &["train", "run", "--epochs", "3"]);
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(
        said.contains("`epochs` is a parameter of run") && said.contains("rord-run train run --set epochs=3"),
        "{said}"
    );
    // A frozen model, and a part, take the weights of a folder.
    let text = std::fs::read_to_string(dir.join("mask.rord")).unwrap();
    let begun = text.replace("  batch, epochs\n", "  batch, epochs\n  part net { init = \"run\" }\n");
    let frozen = text
        .replace("model net(", "@frozen(weights = \"run\")\nmodel net(")
        .replace("let { image, truth }", "model own(x: Logit[B, 1, H, W]@f) {\n  out logits: Logit[B, 1, H, W]@f = conv(x, 1, 1)\n}\n\nlet { image, truth }")
        .replace("= net(image)\n", "= own(net(image).logits)\n");
    for (name, text) in [("begun.rord", begun), ("frozen.rord", frozen)] {
        std::fs::write(dir.join(name), text).unwrap();
        assert_eq!(done(dir, &["check", name]), format!("{name}: no reports\n"));
    }
    std::fs::rename(dir.join("run"), dir.join("gone")).unwrap();
    for name in ["begun.rord", "frozen.rord"] {
        assert_eq!(rord(dir, &["check", name]).status.code(), Some(1), "{name} needs the run");
    }
}
