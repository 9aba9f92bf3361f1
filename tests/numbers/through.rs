//! A convolution that reads a map through the normalization before it: the graph is another; values, gradients and running statistics
//! are not.

use std::collections::HashSet;

use candle_core::{DType, Device};

use super::views::{checked, graph, views};
use rord_engine::program::{Feed, Outcome, Program};
use rord_engine::weights::{Weights, weight_specs};
use rord_graph::node::{Graph, NodeSource};
use rord_kernels::simd::Simd;
use rord_lang::constant::Constant;
use rord_ops::compute::samples::apart;

/// A network with three normalizations, two of which a convolution alone reads. Two runs of it move its statistics twice.
const TEXT: &str = "rord 1
pipeline \"through\" \"For a test.\"
model net(x: Image[B, 1, H, W]@f) {
  let early = x |> conv(6, 3) |> batch_norm |> relu |> conv(9, 3, stride = 2) |> batch_norm |> conv(8, 3)
  let late  = early |> batch_norm |> relu
  out seen: Feat[B, 8, H/2, W/2]@f = late + (late |> conv(8, 3))
}
input image:   Image[2, 1, 10, 12]@orig
input image_r: Image[2, 1, 10, 12]@orig
let { seen } = net(image)
let { seen as seen_r } = net(image_r)
loss what = mse(seen, seen_r) - mean(seen)
minimize total = what
";

/// A step of the graph after a pass, where the weights that `trained` names have gradients.
fn run(last: &str, dtype: DType, training: bool, trained: impl Fn(&str) -> bool) -> Outcome {
    step(graph(TEXT, last), dtype, training, trained)
}

/// A step of a graph.
fn step(graph: Graph, dtype: DType, training: bool, trained: impl Fn(&str) -> bool) -> Outcome {
    let (pipeline, _) = checked(TEXT);
    let weights = Weights::init(&weight_specs(&pipeline), 3, dtype, &Device::Cpu).unwrap();
    let fields = views(dtype);
    let names: Vec<String> = graph.weights.iter().map(|w| w.name.clone()).collect();
    let wanted = |s: &NodeSource| matches!(s, NodeSource::Weight(w) if trained(&names[*w]));
    let program = Program::new(graph, wanted, dtype, &Device::Cpu).unwrap();
    let feed = Feed { seed: 1, training, ..Feed::of(2, &fields, weights.tensors()) };
    program.run(&feed, true).unwrap()
}

/// The largest difference of all numbers, gradients and new statistics, each relative to its own size.
fn difference(a: &Outcome, b: &Outcome) -> f64 {
    let numbers = [a, b].map(|o| o.numbers().unwrap());
    let values = numbers[0].iter().zip(&numbers[1]).map(|(a, b)| (a - b).abs() / a.abs().max(1e-6));
    let both = a.grads.iter().zip(&b.grads).chain(a.updates.iter().zip(&b.updates));
    let tensors = both.filter_map(|(a, b)| {
        assert_eq!(a.is_some(), b.is_some());
        Some(apart(a.as_ref()?, b.as_ref()?).unwrap())
    });
    values.chain(tensors).fold(0.0, f64::max)
}

#[test]
fn what_a_convolution_alone_reads_is_not_written() {
    let (before, after) = (graph(TEXT, "fuse"), graph(TEXT, "through"));
    assert_eq!((before.count("batch_norm"), before.count("conv")), (6, 8));
    // The third is read twice.
    assert_eq!((after.count("batch_norm"), after.count("conv")), (2, 8));
    let narrow = TEXT.replace("conv(9, 3, stride = 2)", "conv(9, 1, stride = 1, pad = 0) |> max_pool(2)");
    assert_eq!(graph(&narrow, "through").count("batch_norm"), 4, "no kernel of 1 x 1 reads through");
}

#[test]
fn values_gradients_and_statistics_are_the_same() {
    for (dtype, bound) in [(DType::F64, 1e-11), (DType::F32, 2e-4)] {
        for training in [true, false] {
            let [before, after] = ["fuse", "through"].map(|last| run(last, dtype, training, |_| true));
            assert_eq!(after.updates.iter().flatten().count(), if training { 6 } else { 0 });
            let apart = difference(&before, &after);
            assert!(apart < bound, "{dtype:?}, training {training}: {apart:e}");
        }
    }
}

#[test]
fn rounded_products_are_read_through_to_as_well() {
    // As the graph's builder says it where `precision = bf16`.
    let rounded = |last: &str| {
        let mut graph = graph(TEXT, last);
        for node in &mut graph.nodes {
            if let NodeSource::Op(op) = &mut node.source
                && op.op == "conv"
            {
                op.settings.0.push(("products".into(), Constant::Word("bf16".into())));
            }
        }
        step(graph, DType::F32, true, |_| true)
    };
    let [written, read] = ["fuse", "through"].map(rounded);
    assert!(difference(&written, &read) < 2e-2, "{:e}", difference(&written, &read));
    let [single, read] = [run("through", DType::F32, true, |_| true), read].map(|run| run.numbers().unwrap());
    let apart = single.iter().zip(&read).map(|(a, b)| (a - b).abs() / a.abs()).fold(0.0, f64::max);
    assert!(apart < 2e-2, "{apart:e}");
    assert_eq!(apart > 0.0, Simd::chosen().multiplies_bf16(), "rounded where this machine multiplies such numbers");
}

#[test]
fn a_frozen_normalization_keeps_its_statistics_and_a_frozen_convolution_does_not_freeze_it() {
    let all = run("through", DType::F64, true, |_| true);
    // The weights that normalizations read before the pass.
    let before = graph(TEXT, "fuse");
    let ops = before.nodes.iter().filter_map(|n| match &n.source {
        NodeSource::Op(op) if op.op == "batch_norm" => Some(op.inputs.iter().map(|(_, id)| *id)),
        _ => None,
    });
    let norms: HashSet<String> = ops
        .flatten()
        .filter_map(|id| match before.node(id)?.source {
            NodeSource::Weight(w) => Some(before.weights[w].name.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(norms.len(), 12);
    for (trains_norms, moved) in [(false, 0), (true, 6)] {
        let trained = |name: &str| norms.contains(name) == trains_norms;
        let [before, after] = ["fuse", "through"].map(|last| run(last, DType::F64, true, trained));
        assert_eq!(after.updates.iter().flatten().count(), moved);
        assert!(difference(&before, &after) < 1e-11);
        let same = after.numbers().unwrap() == all.numbers().unwrap();
        assert_eq!(same, trains_norms, "statistics of the batch are used where the normalization is not frozen");
    }
}
