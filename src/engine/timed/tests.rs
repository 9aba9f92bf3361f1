use super::*;
use crate::step::{Stepped, prepare};
use crate::testing::sound;
use candle_core::Device;
use rord_data::loader::Loader;
use rord_data::pairs::Split;

/// Formulas and data that change: by the step, by a loss, by a metric, and by a validation.
pub const CHANGING: &str = r#"rord 1
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
@allow(unanchored, "a test")
loss agreement = l1(det, warp(net(image_r).det, back), mask = inside(back, like = det))
loss shape = mse(image, det)
metric close = mean(abs(image - det))
minimize total = cosine_ramp(1, 0.2, over = 6steps) * shape + grown * agreement
train { optimizer = adam(lr = 1e-2), batch = 2, epochs = 3 }
save { best = val.total, last = true }
"#;

fn clock(text: &str) -> Clock {
    let text = format!(
        "rord 1\ninput p: Prob[B, 1, H, W]@f\ninput q: Prob[B, 1, H, W]@f\nlet x = {text}\n\
         loss hit = mean(p)\nmetric seen = mean(p)\nminimize total = hit + x * mean(q)\n"
    );
    let (vocabulary, mut sources) = rord_ops::vocabulary();
    let file = sources.add(rord_lang::source::SourceKind::Main, "timed.rord", text);
    let (imports, outside) = (rord_lang::check::NoImports, rord_lang::check::Outside::default());
    let (pipeline, reports) = rord_lang::check::check(&mut sources, file, &vocabulary, &imports, &outside);
    assert!(reports.is_empty(), "{reports:?}");
    assert_eq!(pipeline.timed().len(), 1);
    let clock = Clock::new(&pipeline).unwrap();
    clock.set_steps(10);
    clock
}

fn numbers(text: &str, steps: &[u64]) -> Vec<f64> {
    let clock = clock(text);
    steps.iter().map(|step| clock.numbers(*step)[0].1).collect()
}

#[test]
fn numbers_follow_their_recipes() {
    assert_eq!(numbers("ramp(2, 4, over = 2epochs)", &[0, 5, 10, 20, 99]), [2.0, 2.5, 3.0, 4.0, 4.0]);
    assert_eq!(numbers("ramp(1, 0, over = 4steps, after = 1epochs)", &[9, 10, 11, 14, 15]), [1.0, 1.0, 0.75, 0.0, 0.0]);
    let cosine = numbers("cosine_ramp(0, 1, over = 8steps)", &[0, 2, 4, 8, 9]);
    let expected = [0.0, 0.5 - 0.5f64.sqrt() / 2.0, 0.5, 1.0, 1.0];
    assert!(cosine.iter().zip(expected).all(|(x, y)| (x - y).abs() < 1e-15), "{cosine:?}");
    // torch.optim.lr_scheduler.MultiStepLR(milestones = [3, 6], gamma = 0.1), times ten steps.
    let steps = numbers("steps_at(1, 0.1, at = [3epochs, 6epochs])", &[0, 29, 30, 59, 60, 500]);
    assert!(steps.iter().zip([1.0, 1.0, 0.1, 0.1, 0.01, 0.01]).all(|(x, y)| (x - y).abs() < 1e-15), "{steps:?}");
}

#[test]
fn a_pace_hears_of_steps_a_fixed_number_of_batches_later() {
    let clock = clock("pace(watch = train.hit, above = 0.35, by = 0.4)");
    let heard = [0.5, 0.2, 0.35, 0.9, f64::NAN, 0.8, 0.1];
    for (step, hit) in (0u64..).zip(heard) {
        // What is known ahead does not change later.
        let ahead = clock.numbers(step + LAG - 1)[0].1;
        clock.step(&[("hit".into(), hit)]);
        assert_eq!(clock.numbers(step + LAG - 1)[0].1, ahead);
    }
    let rises = [0.4, 0.4, 0.4, 0.8, 0.8, 1.0, 1.0];
    for (step, expected) in (0u64..).zip(rises) {
        if step + LAG >= 6 + LAG {
            assert_eq!(clock.numbers(step + LAG)[0].1, expected);
        }
    }
    assert_eq!(clock.last()[0].1, 0.0, "the numbers of steps that were taken came before");
    for _ in 0..LAG {
        clock.step(&[("hit".into(), 0.0)]);
    }
    assert_eq!(clock.last()[0].1, 1.0);
}

#[test]
fn what_is_heard_in_validation_counts_from_there_on() {
    let clock = clock("pace(watch = val.seen, below = 0.5, by = 0.25)");
    clock.step(&[("seen".into(), 0.1)]);
    clock.validated(&[("seen".into(), 0.1)]);
    clock.step(&[("seen".into(), 0.1)]);
    assert_eq!((clock.numbers(LAG)[0].1, clock.numbers(LAG + 1)[0].1), (0.0, 0.25));
    let state = clock.state();
    let other = self::clock("pace(watch = val.seen, below = 0.5, by = 0.25)");
    other.load(&state).unwrap();
    assert_eq!((other.state(), other.numbers(LAG + 1)[0].1), (state.clone(), 0.25));
    let another = self::clock("pace(watch = val.seen, below = 0.5, by = 0.5)");
    assert!(another.load(&state).is_err() && another.load(&serde_json::json!({ "step": 3 })).is_err());
}

/// The bits of every value, gradient and number of twenty steps, with so many threads that make batches.
fn trained(threads: usize) -> (Vec<u64>, Vec<f64>) {
    let (pipeline, vocabulary, plan) = sound(CHANGING);
    let (mut stepper, data) = prepare(&pipeline, &vocabulary, &plan, None, &Device::Cpu, &mut |_| ()).unwrap();
    let mut loader = Loader::new(data.batches.clone(), Split::Train, 0, 3, threads).unwrap();
    let (mut seen, mut paces) = (Vec::new(), Vec::new());
    for _ in 0..20 {
        if stepper.done() == stepper.steps {
            stepper.end_epoch(&plan, &[("total".to_string(), 1.0)]);
        }
        let batch = loader.next().unwrap().unwrap();
        seen.extend(batch.fields.iter().flat_map(|f| &f.values).map(|x| u64::from(x.to_bits())));
        let Stepped::Taken { values, grad_norm, .. } = stepper.step(std::slice::from_ref(&batch), &mut ()).unwrap() else { panic!() };
        seen.extend(values.iter().chain([&grad_norm]).map(|x| x.to_bits()));
        paces.extend(stepper.state.timed.last().iter().map(|(_, x)| *x));
    }
    (seen, paces)
}

#[test]
fn threads_that_make_batches_cannot_be_seen_in_a_run_that_sets_its_own_pace() {
    let (one, paces) = trained(1);
    let names: Vec<String> = Clock::new(&sound(CHANGING).0).unwrap().numbers(0).into_iter().map(|(n, _)| n).collect();
    assert_eq!(names, ["turn", "drawn", "late", "grown", "cosine_ramp(1, 0.2, over = 6steps)"]);
    // All have moved: a pace that never rises would prove nothing.
    let ends: Vec<f64> = paces[paces.len() - 5..].to_vec();
    assert!(ends[..4].iter().all(|x| *x > 0.5) && ends[4] == 0.2, "{ends:?}");
    assert!(one == trained(2).0 && one == trained(4).0);
}
