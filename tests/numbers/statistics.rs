//! Running statistics: they follow the data in training, one call after another, are kept with the weights, and nothing trains them.
use std::collections::HashMap;

use candle_core::{DType, Device, Tensor};
use rord_engine::program::{Feed, Outcome, Program};
use rord_engine::weights::{Weights, weight_specs};
use rord_graph::node::Role;
use rord_graph::{build, passes};
use rord_lang::check::{NoImports, Outside, check};
use rord_lang::report::Report;
use rord_lang::source::SourceKind;
use rord_lang::typed::Pipeline;
use rord_lang::vocabulary::Vocabulary;

const TEXT: &str = "input first: Image[2, 1, 2, 2]@f
input second: Image[2, 1, 2, 2]@f
model net(x: Image[B, 1, H, W]@f) { out y = x |> batch_norm(momentum = 0.5) }
let a = net(first)
let b = net(second)
minimize l = mean(a.y * a.y) + mean(b.y)
";

fn checked(text: &str) -> (Pipeline, Vocabulary, Vec<Report>) {
    let (vocabulary, mut sources) = rord_ops::vocabulary();
    let file = sources.add(SourceKind::Main, "test.rord", text);
    let (pipeline, reports) = check(&mut sources, file, &vocabulary, &NoImports, &Outside::default());
    (pipeline, vocabulary, reports)
}

/// A step of `text` on two batches, with its weights.
fn step(text: &str, trains: bool, training: bool) -> (Weights, Outcome) {
    let (pipeline, vocabulary, reports) = checked(text);
    assert!(reports.is_empty(), "{reports:?}");
    let mut graph = build::build(&pipeline, &vocabulary, &build::outputs(&pipeline, &[Role::Objective]));
    passes::run(&mut graph, &vocabulary, None).unwrap();
    let weights = Weights::init(&weight_specs(&pipeline), 0, DType::F64, &Device::Cpu).unwrap();
    let program = Program::new(graph, |_| trains, DType::F64, &Device::Cpu).unwrap();
    let batch = |numbers: [f64; 8]| Tensor::from_slice(&numbers, (2, 1, 2, 2), &Device::Cpu).unwrap();
    let fields = HashMap::from([
        ("first".to_string(), batch([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0])),
        ("second".to_string(), batch([2.0, 2.0, 2.0, 2.0, 4.0, 4.0, 4.0, 4.0])),
    ]);
    let feed = Feed { training, ..Feed::of(2, &fields, weights.tensors()) };
    let outcome = program.run(&feed, trains).unwrap();
    (weights, outcome)
}

fn update(weights: &Weights, outcome: &Outcome, name: &str) -> Option<f64> {
    let index = weights.names().iter().position(|n| n.ends_with(name)).expect(name);
    outcome.updates[index].as_ref().map(|t| t.to_vec1::<f64>().unwrap()[0])
}

#[test]
fn two_calls_in_a_step_move_them_one_after_the_other() {
    let (weights, outcome) = step(TEXT, true, true);
    // Means 4.5 and 3; variances over seven 6 and 8/7.
    let mean = 0.5 * (0.5 * 4.5) + 0.5 * 3.0;
    let variance = 0.5 * (0.5 + 0.5 * 6.0) + 0.5 * 8.0 / 7.0;
    assert!((update(&weights, &outcome, "running_mean").unwrap() - mean).abs() < 1e-12);
    assert!((update(&weights, &outcome, "running_var").unwrap() - variance).abs() < 1e-12);
    assert_eq!((update(&weights, &outcome, ".weight"), update(&weights, &outcome, ".bias")), (None, None));
    for (name, grad) in weights.names().iter().zip(&outcome.grads) {
        assert_eq!(grad.is_none(), name.contains("running"), "{name}");
    }
}

#[test]
fn validation_and_frozen_models_leave_them() {
    for (trains, training) in [(true, false), (false, true), (false, false)] {
        let (_, outcome) = step(TEXT, trains, training);
        assert!(outcome.updates.iter().all(Option::is_none), "{trains} {training}");
        // The running mean 0 and variance 1 normalize nothing: mean(a²) of 1 to 8 is 25.5, mean(b) is 3.
        let expected = 25.5 / (1.0 + 1e-5) + 3.0 / (1.0f64 + 1e-5).sqrt();
        let value = outcome.numbers().unwrap()[0];
        assert!((value - expected).abs() < 1e-9, "{trains} {training}: {value}");
    }
}

#[test]
fn they_hold_no_loss_in_place() {
    let text = "input a: Image[2, 1, 8, 8]@f
input b: Image[2, 1, 8, 8]@f
model net(x: Image[B, 1, H, W]@f) { out p = x |> conv(2, 3) |> batch_norm(affine = false) |> conv(1, 1) |> sigmoid }
minimize l = bce(net(a).p, net(b).p)
";
    let codes: Vec<&str> = checked(text).2.iter().map(|r| r.code).collect();
    assert_eq!(codes, ["R0602"], "a network held to itself alone");
    let nothing = "input a: Label[2, 1, 8, 8]@f
model net(x: Map[B, 1, H, W]@f) { out p = x |> batch_norm(affine = false) }
minimize l = mean(net(a).p)
";
    let codes: Vec<&str> = checked(nothing).2.iter().map(|r| r.code).collect();
    assert_eq!(codes, ["R0601"], "statistics alone do not train");
}

/// The patch descriptor of HardNet, on patches that somebody supplies.
#[test]
fn hardest_in_batch_checks_and_trains() {
    let text = "input a: Image[6, 1, 16, 16]@a
input b: Image[6, 1, 16, 16]@b
layer block(x: Feat[N, C, H, W]@f, width: Count, stride: Count = 1) =
  x |> conv(width, 3, stride = stride, bias = false) |> batch_norm(affine = false) |> relu
model hardnet(x: Image[N, 1, 16, 16]@f) {
  out v: Vectors unit[N, 8] =
    x |> standardize |> block(4) |> block(8, stride = 2) |> dropout(0.3) |> conv(8, 8, pad = 0, bias = false)
      |> batch_norm(affine = false) |> flatten |> l2norm
}
let { v as va } = hardnet(a)
let { v as vb } = hardnet(b)
let d   = distances(va, vb)
let neg = min(row_min(off_diagonal(d)), col_min(off_diagonal(d)))
minimize hardest = mean(relu(1.0 + diagonal(d) - neg))
metric fpr95 = fpr_at_tpr(d, tpr = 0.95)
";
    let (pipeline, vocabulary, reports) = checked(text);
    assert!(reports.is_empty(), "{reports:?}");
    assert_eq!(pipeline.direction("fpr95"), Some(rord_lang::typed::Direction::Down));
    let mut graph = build::build(&pipeline, &vocabulary, &build::outputs(&pipeline, &[Role::Objective, Role::Metric]));
    passes::run(&mut graph, &vocabulary, None).unwrap();
    let weights = Weights::init(&weight_specs(&pipeline), 0, DType::F64, &Device::Cpu).unwrap();
    let program = Program::new(graph, |_| true, DType::F64, &Device::Cpu).unwrap();
    let noise = |key| {
        let mut stream = rord_random::Stream::new(key, &[]);
        let numbers: Vec<f64> = (0..6 * 256).map(|_| stream.uniform()).collect();
        Tensor::from_vec(numbers, (6, 1, 16, 16), &Device::Cpu).unwrap()
    };
    let fields = HashMap::from([("a".to_string(), noise(1)), ("b".to_string(), noise(2))]);
    let feed = Feed { training: true, ..Feed::of(6, &fields, weights.tensors()) };
    let outcome = program.run(&feed, true).unwrap();
    let reached = weights.names().iter().zip(&outcome.grads).filter(|(_, g)| g.is_some()).count();
    assert_eq!((reached, outcome.updates.iter().flatten().count()), (3, 6), "{:?}", weights.names());
    let values = outcome.numbers().unwrap();
    assert!(values.iter().all(|x| x.is_finite()) && values[0] > 0.0, "{values:?}");
}
