//! Data from files of tensors, by the whole binary: what fits trains, what does not fit is said of its field.

use std::collections::HashMap;
use std::path::Path;
use std::process::{Command, Output};

use candle_core::{DType, Device, Tensor};

const TEXT: &str = r#"rord 1
pipeline "labels"

param file: Path = "tiles.safetensors"
param batch: Count = 2

data tiles = tensors(file, shuffle = true, train = 0.75) -> {
  image: Image[B, 1, H, W]@i,
  truth: Label[B, 1, H/2, W/2]@i,
}

model net(x: Image[B, 1, H, W]@f) {
  out p: Prob[B, 1, H/2, W/2]@f = x |> conv(4, 3) |> relu |> max_pool(2) |> conv(1, 1) |> sigmoid
}

let { image, truth } = tiles
let { p } = net(image)
minimize total = bce(truth, p)

train { optimizer = adam(lr = 1e-2), batch, epochs = 2 }
"#;

fn rord(dir: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rord-run"));
    command.current_dir(dir).args(args).env("RORD_WIDTH", "160").env("NO_COLOR", "1").env_remove("TERM");
    command.output().unwrap()
}

/// What the binary prints for a pipeline and a file of these shapes.
fn run(text: &str, shapes: &[(&str, &[usize])], args: &[&str]) -> (Option<i32>, String) {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("t.rord"), text).unwrap();
    let ones = |shape: &[usize]| Tensor::ones(shape, DType::F32, &Device::Cpu).unwrap();
    let tensors: HashMap<&str, Tensor> = shapes.iter().map(|(name, shape)| (*name, ones(shape))).collect();
    candle_core::safetensors::save(&tensors, dir.path().join("tiles.safetensors")).unwrap();
    let out = rord(dir.path(), &[&["t.rord", "--out", "run"], args].concat());
    let status = out.status;
    let said = [out.stderr, out.stdout].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    assert!(!said.contains("panicked"), "{said}");
    assert_eq!(dir.path().join("run").exists(), status.success(), "a refused run leaves no folder");
    (status.code(), said)
}

const IMAGE: (&str, &[usize]) = ("image", &[12, 1, 16, 8]);
const TRUTH: (&str, &[usize]) = ("truth", &[12, 1, 8, 4]);

#[test]
fn what_fits_trains() {
    let (code, said) = run(TEXT, &[IMAGE, TRUTH], &[]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("9 samples to train on and 3 to validate, 2 epochs of 4 steps of 2 samples"), "{said}");
}

#[test]
fn without_validation_the_best_epoch_is_that_of_training() {
    let whole = TEXT.replace(", train = 0.75", "");
    for text in [&whole, &TEXT.replace("0.75", "1.0")] {
        let (code, said) = run(text, &[IMAGE, TRUTH], &[]);
        assert_eq!(code, Some(0), "{said}");
        assert!(said.contains("best train.total = "), "{said}");
    }
    // What is named has to exist, wherever the share and the name come from.
    let param =
        TEXT.replace("train = 0.75", "train = share").replace("param batch", "param share: Weight = 0.75\nparam batch");
    let watched = format!("{param}param watch: Watch = val.total\nsave {{ best = watch }}\n");
    assert_eq!(run(&watched, &[IMAGE, TRUTH], &[]).0, Some(0));
    for (text, args) in [
        (format!("{whole}save {{ best = val.total }}\n"), &[][..]),
        (watched.clone(), &["--set", "share=1.0"]),
        (format!("{watched}preset whole {{ share = 1.0 }}\n"), &["--preset", "whole"]),
        (
            watched.replace("optimizer", "schedule = reduce_on_plateau(watch), optimizer").replace("save {", "# {"),
            &["--set", "share=1"],
        ),
    ] {
        let (code, said) = run(&text, &[IMAGE, TRUTH], args);
        assert!(code == Some(1) && said.contains("R0233") && said.contains("all of the data is trained on"), "{said}");
        assert_eq!(said.matches("  × ").count(), 1, "{said}");
    }
    // A branch that is not taken names nothing.
    let either = watched.replace("= val.total\n", "= if share < 1 then val.total else train.total\n");
    let (code, said) = run(&either, &[IMAGE, TRUTH], &["--set", "share=1.0"]);
    assert!(code == Some(0) && said.contains("best train.total = "), "{said}");
    let (code, said) = run(&watched, &[IMAGE, TRUTH], &["--set", "share=1.0", "--set", "watch=train.total"]);
    assert!(code == Some(0) && said.contains("best train.total = "), "{said}");
}

#[test]
fn what_does_not_fit_is_said_of_its_field() {
    for (shapes, args, code, words) in [
        (&[IMAGE][..], &[][..], "R0918", "holds image [12, 1, 16, 8]"),
        (&[IMAGE, ("truth", &[12, 8, 4])], &[], "R0920", "3 axes instead of 4"),
        (&[IMAGE, ("truth", &[12, 1, 8, 8])], &[], "R0921", "W/2 is 4 as in `image`"),
        (&[IMAGE, ("truth", &[9, 1, 8, 4])], &[], "R0922", "9 samples, but 12 in `image`"),
        (&[IMAGE, TRUTH], &["--set", "batch=10"], "R0925", "9 samples for training, and a batch takes 10"),
        (&[IMAGE, TRUTH], &["--set", "file=\"none.safetensors\""], "R0904", "none.safetensors"),
    ] {
        let (status, said) = run(TEXT, shapes, args);
        assert!(status == Some(1) && said.contains(code) && said.contains(words), "{code}: {said}");
    }
    let (_, said) = run(TEXT, &[("truth", &[12])], &[]);
    assert!(said.contains("R0918") && said.contains("R0920"), "all fields are reported at once: {said}");
    // Sizes that fit the data's declaration and not the network.
    let text = TEXT.replace("  truth: Label[B, 1, H/2, W/2]@i,\n", "").replace("let { image, truth }", "let { image }");
    let text = text.replace("bce(truth, p)", "bce(0.5 * p, p)");
    let (_, said) = run(&text, &[("image", &[12, 1, 15, 8])], &[]);
    // The label is broken between words, and the frame's lines are between them.
    let words: Vec<&str> = said.split_whitespace().filter(|word| !["│", "·", "╰─┤"].contains(word)).collect();
    assert!(said.contains("R0926") && words.join(" ").contains("H/2 is not a whole number, for 15"), "{said}");
}

#[test]
fn declarations_are_checked_without_the_file() {
    for (from, to, code) in [
        (" -> {\n  image: Image[B, 1, H, W]@i,\n  truth: Label[B, 1, H/2, W/2]@i,\n}", "", "R0229"),
        ("Label[B, 1, H/2, W/2]@i", "Label[B, H/2, W/2]@i", "R0415"),
        ("Label[B, 1, H/2, W/2]@i", "Label[B, 1, H/2, W/2]", "R0510"),
        ("Label[B, 1, H/2, W/2]@i", "Loss", "R0324"),
        ("Label[B, 1, H/2, W/2]@i", "Label[12, 1, H/2, W/2]@i", "R0413"),
        ("train = 0.75", "train = 1.5", "R07"),
    ] {
        assert!(TEXT.contains(from));
        let (status, said) = run(&TEXT.replace(from, to), &[IMAGE, TRUTH], &[]);
        assert!(status == Some(1) && said.contains(code), "{code}: {said}");
    }
}

#[test]
fn samples_are_shown_as_a_table() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("t.rord"), TEXT).unwrap();
    let ones = |shape: &[usize]| Tensor::ones(shape, DType::F32, &Device::Cpu).unwrap();
    let tensors = HashMap::from([("image", ones(IMAGE.1)), ("truth", ones(TRUTH.1))]);
    candle_core::safetensors::save(&tensors, dir.path().join("tiles.safetensors")).unwrap();
    let out = rord(dir.path(), &["data", "t.rord", "--show", "3"]);
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    assert_eq!(text.matches("image [1, 16, 8]: 1.000 to 1.000, mean 1.000").count(), 3, "{text}");
    assert_eq!(rord(dir.path(), &["data", "t.rord", "--png", "x.png"]).status.code(), Some(1));
}

#[test]
fn patches_and_labelled_layouts_train() {
    let patches = r#"rord 1
pipeline "patches"
data patches = layout_patches(synth(tiles = 3), size = 16px, steps = 2) -> { a: Image[N, 1, 16, 16]@a, b: Image[N, 1, 16, 16]@b }
model net(x: Image[N, 1, H, W]@f) { out v: Vectors[N, _] = x |> conv(4, 3, stride = 4) |> flatten |> l2norm }
let { a, b } = patches
let { v as va } = net(a)
let { v as vb } = net(b)
@allow(unanchored, "a test")
minimize total = mean(relu(va - vb))
train { optimizer = sgd(lr = 0.1), batch = 4, epochs = 1 }
"#;
    let labelled = r#"rord 1
pipeline "labelled"
data tiles = labelled_layouts(synth(tiles = 3), patch = 32px, target = "via", steps = 2)
model net(x: Image[B, 1, H, W]@f) { out p: Prob[B, 1, H, W]@f = x |> conv(1, 3) |> sigmoid }
let { image, truth } = tiles
let { p } = net(image)
minimize total = bce(truth, p)
train { optimizer = sgd(lr = 0.1), batch = 4, epochs = 1 }
"#;
    for text in [patches, labelled] {
        let (code, said) = run(text, &[IMAGE], &[]);
        assert_eq!(code, Some(0), "{said}");
    }
    let (code, said) = run(&labelled.replace("via", "vai"), &[IMAGE], &[]);
    assert!(code == Some(1) && said.contains("R0907") && said.contains("mcon"), "{said}");
}
