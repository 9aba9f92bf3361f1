//! Runs whose numbers change, by the step and by how training goes: the same bits for any number of threads that make
//! batches, and after a run was saved and taken up.

use candle_core::{DType, Device, Tensor};

use rord_data::loader::Loader;
use rord_data::pairs::Split;
use rord_engine::plan::Plan;
use rord_engine::source::DataSource;
use rord_engine::step::{Stepped, Stepper, prepare};
use rord_engine::timed::Clock;
use rord_lang::check::{NoImports, Outside, check};
use rord_lang::source::{SourceKind, Span};
use rord_lang::typed::Pipeline;
use rord_lang::vocabulary::Vocabulary;

/// Formulas and data that change: by the step, by a loss, by a metric, and by a validation.
const CHANGING: &str = r#"rord 1
pipeline "changing"
let turn = pace(watch = train.agreement, below = 0.05, by = 0.2)
let drawn = pace(watch = train.close, below = 0.9, by = 0.3)
let late = pace(watch = val.total, below = 2, by = 0.25)
let grown = ramp(0, 1, over = 2epochs, after = 1steps)
data pairs = layout_pairs(
  synth(tiles = 4, size = 12.8, seed = 1),
  patch = 16px,
  zoom = 1..(1 + 0.2 * turn),
  geometry = rotations(-180deg..180deg * turn),
  photo = [noise(0.05 * drawn)],
  render = layers(drop = 0.3 * late, etch = 0px..1px * grown),
  steps = 4,
) -> {
  image:   Image[B, 1, H, W]@orig,
  image_r: Image[B, 1, H, W]@moved,
  H:       Homography[B]@orig->moved,
}
model net(x: Image[B, 1, H, W]@f) {
  out det: Prob[B, 1, H, W]@f = x |> conv(4, 3) |> relu |> conv(1, 3) |> sigmoid
}
let { image, image_r, H } = pairs
let det = net(image).det
let back = inv(H)
loss agreement = l1(det, warp(net(image_r).det, back), mask = inside(back, like = det))
loss shape = mse(image, det)
metric close = mean(abs(image - det))
minimize total = cosine_ramp(1, 0.2, over = 6steps) * shape + grown * agreement
train { optimizer = adam(lr = 1e-2), batch = 2, epochs = 3 }
save { best = val.total, last = true }
"#;

/// Two datasets, the second of which draws more and more.
const SEVERAL: &str = r#"rord 1
pipeline "several"
let grown = ramp(0, 0.2, over = 3steps)
data known = layout_images(synth(tiles = 4, size = 12.8, seed = 1), patch = 16px, steps = 4) -> {
  image:   Image[B, 1, H, W]@known,
  corners: Label[B, 1, H, W]@known,
}
data more = layout_images(
  synth(tiles = 4, size = 12.8, seed = 1),
  patch = 16px,
  photo = [noise(grown)],
  steps = 3,
  train = 1,
) -> { image: Image[U, 1, H, W]@more }
layer encoder(x: Map[B, C, h, w]@f) -> Feat[B, 1, h, w]@f = x |> conv(4, 3) |> relu |> conv(1, 3)
model student(x: Image[B, 1, H, W]@f) {
  out s: Logit[B, 1, H, W]@f = encoder(x)
}
@ema(of = student, decay = 0.9)
model teacher(x: Image[B, 1, H, W]@f) {
  out s: Logit[B, 1, H, W]@f = encoder(x)
}
loss told = bce_logits(known.corners, student(known.image).s)
loss alike = mse(sigmoid(teacher(more.image).s), sigmoid(student(more.image).s))
minimize total = told + alike
train { optimizer = adam(lr = 1e-2), batch = 2, epochs = 3 }
save { best = val.total, last = true }
"#;

fn sound(text: &str) -> (Pipeline, Vocabulary, Plan) {
    let (vocabulary, mut sources) = rord_ops::vocabulary();
    let file = sources.add(SourceKind::Main, "changing.rord", text);
    let (pipeline, reports) = check(&mut sources, file, &vocabulary, &NoImports, &Outside::default());
    assert!(reports.is_empty(), "{reports:?}");
    let plan = Plan::new(&pipeline, Span::default()).unwrap();
    (pipeline, vocabulary, plan)
}

fn made(text: &str) -> (Stepper, DataSource, Plan) {
    let (pipeline, vocabulary, plan) = sound(text);
    let (stepper, data) = prepare(&pipeline, &vocabulary, &plan, None, &Device::Cpu, &mut |_| ()).unwrap();
    (stepper, data, plan)
}

/// Takes steps up to number `steps`, with so many threads that make batches; the bits of every batch, value and gradient.
fn go((stepper, data, plan): &mut (Stepper, DataSource, Plan), steps: u64, threads: usize) -> Vec<u64> {
    let mut loader = Loader::new(data.batches.clone(), Split::Train, stepper.state.steps, 3, threads).unwrap();
    let mut seen = Vec::new();
    while stepper.state.steps < steps {
        if stepper.done() == stepper.steps {
            stepper.end_epoch(plan, &[("total".to_string(), 1.0)]);
        }
        let batch = loader.next().unwrap().unwrap();
        seen.extend(batch.fields.iter().flat_map(|f| &f.values).map(|x| u64::from(x.to_bits())));
        let Stepped::Taken { values, grad_norm, .. } = stepper.step(std::slice::from_ref(&batch), &mut ()).unwrap()
        else {
            panic!()
        };
        seen.extend(values.iter().chain([&grad_norm]).map(|x| x.to_bits()));
        seen.extend(stepper.state.timed.last().iter().map(|(_, x)| x.to_bits()));
    }
    seen
}

fn weights(stepper: &Stepper) -> Vec<(String, Vec<u64>)> {
    let bits = |t: &Tensor| -> Vec<u64> {
        let numbers: Vec<f64> = t.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap();
        numbers.iter().map(|x| x.to_bits()).collect()
    };
    stepper.state.weights.iter().map(|(name, t)| (name.to_string(), bits(t))).collect()
}

#[test]
fn threads_that_make_batches_cannot_be_seen_in_a_run() {
    for text in [CHANGING, SEVERAL] {
        let mut one = made(text);
        let seen = go(&mut one, 20, 1);
        for threads in [2, 4] {
            let mut many = made(text);
            assert!(go(&mut many, 20, threads) == seen, "{threads} threads");
            assert!(weights(&many.0) == weights(&one.0), "{threads} threads");
        }
    }
}

#[test]
fn every_number_of_the_run_changes() {
    let mut run = made(CHANGING);
    go(&mut run, 20, 1);
    let names: Vec<String> = Clock::new(&sound(CHANGING).0).unwrap().numbers(0).into_iter().map(|(n, _)| n).collect();
    assert_eq!(names, ["turn", "drawn", "late", "grown", "cosine_ramp(1, 0.2, over = 6steps)"]);
    // A pace that never rises would prove nothing.
    let ends: Vec<f64> = run.0.state.timed.last().iter().map(|(_, x)| *x).collect();
    assert!(ends[..4].iter().all(|x| *x > 0.3) && ends[4] == 0.2, "{ends:?}");
}

#[test]
fn a_run_goes_on_to_the_same_bit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.safetensors");
    for text in [CHANGING, SEVERAL] {
        let mut whole = made(text);
        let expected = go(&mut whole, 18, 1);
        for cut in [0, 3, 8, 13] {
            let mut first = made(text);
            let mut seen = go(&mut first, cut, 1);
            first.0.state.save(&path).unwrap();
            let mut second = made(text);
            // Other steps before leave nothing behind.
            go(&mut second, 2, 1);
            second.0.state.load(&path).unwrap();
            seen.extend(go(&mut second, 18, 2));
            assert!(seen == expected, "taken up after {cut} steps: other numbers");
            assert!(weights(&second.0) == weights(&whole.0), "taken up after {cut} steps");
            assert_eq!(second.0.state.timed.state(), whole.0.state.timed.state());
        }
    }
}
