use super::*;
use crate::source::DataSource;
use crate::testing::{small, sound};
use rord_data::pairs::Split;

/// A run of a text.
fn run(text: &str) -> (Stepper, DataSource, Plan) {
    let (pipeline, vocabulary, plan) = sound(text);
    let (stepper, data) = prepare(&pipeline, &vocabulary, &plan, None, &Device::Cpu, &mut |_| ()).unwrap();
    (stepper, data, plan)
}

/// Takes a step and returns its values.
fn step((stepper, data, _): &mut (Stepper, DataSource, Plan)) -> Vec<f64> {
    let first = stepper.next_batch();
    let numbers = first..first + stepper.batches_of_step() as u64;
    let batches: Vec<_> = numbers.map(|n| data.batches.batch_at(Split::Train, n).unwrap()).collect();
    match stepper.step(&batches, &mut ()).unwrap() {
        Stepped::Taken { values, grad_norm, .. } => values.into_iter().chain([grad_norm]).collect(),
        Stepped::NotFinite { what, .. } => panic!("{}", what.detail()),
    }
}

fn numbers(stepper: &Stepper, name: &str) -> Vec<f32> {
    stepper.state.weights.get(name).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

/// A pipeline without norms and draws, whose loss is a mean over samples.
fn mean(steps: usize, train: &str) -> String {
    format!(
        "data d = layout_images(synth(tiles = 4, size = 12.8, seed = 1), patch = 16px, steps = {steps}) -> {{
  image: Image[B, 1, H, W]@orig, corners: Label[B, 1, H, W]@orig,
}}
model net(x: Image[B, 1, H, W]@f) {{
  out det: Logit[B, 1, H, W]@f = x |> conv(4, 3) |> relu |> conv(1, 3)
}}
minimize total = bce_logits(d.corners, net(d.image).det)
train {{ epochs = 3, {train} }}
"
    )
}

#[test]
fn accumulated_batches_are_one_batch_as_large() {
    for optimizer in ["sgd(lr = 0.5, momentum = 0.9)", "adam(lr = 1e-2)"] {
        let mut whole = run(&mean(3, &format!("optimizer = {optimizer}, batch = 8, clip = grad_norm(0.1)")));
        let mut parts =
            run(&mean(12, &format!("optimizer = {optimizer}, batch = 2, accumulate = 4, clip = grad_norm(0.1)")));
        assert_eq!((whole.0.steps, parts.0.steps), (3, 3));
        let before = numbers(&whole.0, "net.det.0.weight");
        for _ in 0..3 {
            for (a, b) in step(&mut whole).iter().zip(step(&mut parts)) {
                assert!((a - b).abs() < 1e-5 * a.abs().max(1.0), "{optimizer}: {a} is not {b}");
            }
        }
        let (a, b) = (numbers(&whole.0, "net.det.0.weight"), numbers(&parts.0, "net.det.0.weight"));
        let moved = a.iter().zip(&before).any(|(x, y)| (x - y).abs() > 1e-3);
        assert!(moved && a.iter().zip(&b).all(|(x, y)| (x - y).abs() < 1e-4), "{optimizer}: {a:?} {b:?}");
        let means = (whole.0.state.means.clone(), parts.0.state.means.clone());
        assert!((means.0[0] - means.1[0]).abs() < 1e-5, "{means:?}");
    }
}

#[test]
fn the_last_step_of_an_epoch_takes_what_is_left() {
    let mut run = run(&mean(5, "optimizer = sgd(lr = 0.1), batch = 2, accumulate = 2"));
    assert_eq!(run.0.steps, 3);
    let mut taken = Vec::new();
    for _ in 0..6 {
        taken.push((run.0.next_batch(), run.0.batches_of_step()));
        step(&mut run);
        if run.0.done() == run.0.steps {
            let plan = &run.2;
            run.0.end_epoch(plan, &[]);
        }
    }
    assert_eq!(taken, [(0, 2), (2, 2), (4, 1), (5, 2), (7, 2), (9, 1)]);
}

#[test]
fn frozen_weights_their_moments_and_their_statistics_stay_and_then_move() {
    let (pipeline, vocabulary, plan) =
        small("optimizer = adam(lr = 1e-2), part net.trunk { frozen = 3steps }, part net.desc { lr = 1e-4 }");
    let made = prepare(&pipeline, &vocabulary, &plan, None, &Device::Cpu, &mut |_| ()).unwrap();
    let mut run = (made.0, made.1, plan);
    let trunk = ["net.trunk.0.weight", "net.trunk.1.bias", "net.trunk.1.running_mean", "net.trunk.1.running_var"];
    let now = |run: &(Stepper, DataSource, Plan), names: &[&str]| -> Vec<Vec<f32>> {
        names.iter().map(|n| numbers(&run.0, n)).collect()
    };
    let (begin, head) = (now(&run, &trunk), now(&run, &["net.det.0.weight", "net.desc.0.weight"]));
    for _ in 0..3 {
        step(&mut run);
        assert_eq!(now(&run, &trunk), begin);
    }
    let state = run.0.state.optimizer.state().unwrap();
    assert!(!state.iter().any(|(name, _)| name.starts_with("net.trunk")), "a frozen weight has moments");
    let moved: Vec<f32> = now(&run, &["net.det.0.weight", "net.desc.0.weight"])
        .iter()
        .zip(&head)
        .map(|(a, b)| a.iter().zip(b).fold(0.0, |most: f32, (x, y)| most.max((x - y).abs())))
        .collect();
    // Three steps of Adam are three rates long at most.
    assert!(moved[0] > 1e-2 && moved[0] < 3.1e-2 && moved[1] > 1e-4 && moved[1] < 3.1e-4, "{moved:?}");
    step(&mut run);
    let after = now(&run, &trunk);
    assert!(after.iter().zip(&begin).all(|(a, b)| a != b), "{after:?}");
    let state = run.0.state.optimizer.state().unwrap();
    let steps = |name: &str| state.iter().find(|(n, _)| n == name).unwrap().1.to_scalar::<i64>().unwrap();
    assert_eq!((steps("net.trunk.0.weight/step"), steps("net.det.0.weight/step")), (1, 4));
}

#[test]
fn what_is_frozen_for_all_of_the_run_has_no_gradient() {
    let (pipeline, vocabulary, plan) = small("optimizer = sgd(lr = 0.1), part net.trunk { frozen = true }");
    let (stepper, _) = prepare(&pipeline, &vocabulary, &plan, None, &Device::Cpu, &mut |_| ()).unwrap();
    let graph = stepper.program.graph();
    let trains = |name: &str| {
        let node = graph
            .nodes
            .iter()
            .position(|n| matches!(n.source, rord_graph::node::NodeSource::Weight(w) if graph.weights[w].name == name));
        stepper.program.flow().gradients.needs[node.unwrap()]
    };
    assert!(trains("net.det.0.weight") && !trains("net.trunk.0.weight") && !trains("net.trunk.1.bias"));
    let treated = |name: &str| pipeline.treatment(pipeline.weights.iter().position(|w| w.name == name).unwrap());
    assert!(treated("net.trunk.0.weight").is_frozen() && !treated("net.det.0.weight").is_frozen());
}

#[test]
fn the_more_special_part_counts_field_by_field() {
    let (pipeline, ..) = small(
        "optimizer = adamw(lr = 1e-2), part net { lr = 0.5x, weight_decay = 0.3 }, part norms { weight_decay = 0 },
         part net.trunk { lr = 0.1x }, part net.trunk.biases { lr = 1e-3 }, part \"net.det.0\" { weight_decay = 0.7 }",
    );
    let of = |name: &str| {
        let treated = pipeline.treatment(pipeline.weights.iter().position(|w| w.name == name).unwrap());
        (treated.factor(1e-2), treated.weight_decay)
    };
    assert_eq!(of("net.trunk.0.weight"), (0.1, Some(0.3)));
    assert_eq!(of("net.trunk.0.bias"), (0.1, Some(0.3)));
    assert_eq!(of("net.trunk.1.weight"), (0.1, Some(0.0)));
    assert_eq!(of("net.trunk.1.bias"), (0.1, Some(0.0)));
    assert_eq!(of("net.det.0.weight"), (0.5, Some(0.7)));
    assert_eq!(of("net.desc.0.bias"), (0.5, Some(0.3)));
}
