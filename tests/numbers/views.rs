//! One run for several views, and what follows an operation taken into it: the graph is another, its values and gradients are not.
use std::collections::HashMap;

use candle_core::{DType, Device, Tensor};
use rord_engine::program::{Feed, Outcome, Program};
use rord_engine::weights::{Weights, weight_specs};
use rord_graph::node::{Graph, NodeSource, Role};
use rord_graph::verify::verify;
use rord_graph::{build, passes};
use rord_lang::check::{NoImports, Outside, check};
use rord_lang::report::any_error;
use rord_lang::source::SourceKind;
use rord_lang::typed::Pipeline;
use rord_lang::vocabulary::Vocabulary;
use rord_random::Stream;

const MODEL: &str = "rord 1
pipeline \"views\" \"For a test.\"
model net(x: Image[B, 1, H, W]@f) {
  let trunk = x |> conv(4, 3) |> relu |> max_pool(2) |> conv(5, 3) |> relu
  out det:  Prob[B, 1, H/2, W/2]@f = trunk |> conv(1, 1) |> sigmoid
  out desc: Feat[B, 6, H/2, W/2]@f = trunk |> conv(6, 3, bias = false) |> instance_norm
}
input image:   Image[2, 1, 10, 12]@orig
input image_r: Image[2, 1, 10, 12]@moved
input T: Homography[2]@orig->moved
let { det, desc } = net(image)
";

const LOSS: &str = "@allow(unanchored, \"a test\")
loss where = mean(det * warp(det_r, inv(T))) + 0.3 * mean(desc)
loss what = mse(desc, warp(desc_r, inv(T)))
minimize total = where + what
";

pub(super) fn checked(text: &str) -> (Pipeline, Vocabulary) {
    let (vocabulary, mut sources) = rord_ops::vocabulary();
    let file = sources.add(SourceKind::Main, "test.rord", text);
    let (pipeline, reports) = check(&mut sources, file, &vocabulary, &NoImports, &Outside::default());
    assert!(!any_error(&reports), "{text}\n{:?}", reports.iter().map(|r| &r.title).collect::<Vec<_>>());
    (pipeline, vocabulary)
}

/// The graph after every pass up to one.
pub(super) fn graph(text: &str, last: &str) -> Graph {
    let (pipeline, vocabulary) = checked(text);
    let mut graph = build::build(&pipeline, &vocabulary, &build::outputs(&pipeline, &[Role::Objective, Role::Loss]));
    passes::run(&mut graph, &vocabulary, Some(last)).unwrap();
    verify(&graph, &vocabulary).unwrap();
    graph
}

/// Two views of two samples, (2, 1, 10, 12) each.
pub(super) fn views(dtype: DType) -> HashMap<String, Tensor> {
    let mut fields = HashMap::new();
    for (name, key) in [("image", 1), ("image_r", 2)] {
        let mut stream = Stream::new(key, &[]);
        let numbers: Vec<f64> = (0..240).map(|_| stream.uniform()).collect();
        let tensor = Tensor::from_vec(numbers, (2, 1, 10, 12), &Device::Cpu).unwrap();
        fields.insert(name.to_string(), tensor.to_dtype(dtype).unwrap());
    }
    fields
}

fn run(text: &str, last: &str, dtype: DType) -> Outcome {
    let (pipeline, _) = checked(text);
    let specs = weight_specs(&pipeline);
    let weights = Weights::init(&specs, 3, dtype, &Device::Cpu).unwrap();
    let mut fields = views(dtype);
    let matrix = [0.9, 0.2, 0.1, -0.15, 1.1, -0.2, 0.1, -0.05, 1.0];
    let both = Tensor::from_vec([matrix, matrix].concat(), (2, 3, 3), &Device::Cpu).unwrap();
    fields.insert("T".to_string(), both.to_dtype(dtype).unwrap());
    let trained = |s: &NodeSource| matches!(s, NodeSource::Weight(_) | NodeSource::Field { .. });
    let program = Program::new(graph(text, last), trained, dtype, &Device::Cpu).unwrap();
    let feed = Feed { seed: 1, training: true, ..Feed::of(2, &fields, weights.tensors()) };
    program.run(&feed, true).unwrap()
}

/// The largest difference of all values and gradients, relative to the largest number of each.
fn apart(a: &Outcome, b: &Outcome) -> f64 {
    let values = [a, b].map(|o| o.numbers().unwrap());
    let mut worst =
        values[0].iter().zip(&values[1]).map(|(a, b)| (a - b).abs() / a.abs().max(1e-6)).fold(0.0, f64::max);
    let pairs = a.grads.iter().zip(&b.grads).filter_map(|(a, b)| {
        assert_eq!(a.is_some(), b.is_some());
        Some((a.as_ref()?, b.as_ref()?))
    });
    let fields = a.field_grads.iter().map(|(name, a)| (a, &b.field_grads.iter().find(|(n, _)| n == name).unwrap().1));
    assert_eq!(a.field_grads.len(), b.field_grads.len());
    for (a, b) in pairs.chain(fields) {
        worst = worst.max(rord_ops::compute::samples::apart(a, b).unwrap());
    }
    worst
}

#[test]
fn two_views_are_one_run_and_give_the_same() {
    let text = format!("{MODEL}let {{ det as det_r, desc as desc_r }} = net(image_r)\n{LOSS}");
    let (before, after) = (graph(&text, "dead"), graph(&text, "fuse"));
    assert_eq!((before.count("conv"), after.count("conv")), (8, 4));
    assert_eq!((after.count("join"), after.count("part")), (1, 4));
    assert_eq!((after.count("relu"), after.count("max_pool")), (0, 0));
    for (dtype, bound) in [(DType::F64, 1e-11), (DType::F32, 1e-4)] {
        let (a, b, c) = (run(&text, "dead", dtype), run(&text, "views", dtype), run(&text, "fuse", dtype));
        assert!(a.grads.iter().all(Option::is_some) && a.field_grads.len() == 2);
        assert!(apart(&a, &b) < bound, "{dtype:?}: {:e}", apart(&a, &b));
        assert!(apart(&a, &c) < bound, "{dtype:?}: {:e}", apart(&a, &c));
    }
}

#[test]
fn a_view_made_from_the_other_s_result_stays_apart() {
    let text =
        format!("{MODEL}let {{ det as det_r, desc as desc_r }} = net(image_r * upsample(warp(det, T), 2))\n{LOSS}");
    let text = text.replace("net(x: Image[", "net(x: Map[");
    let after = graph(&text, "fuse");
    assert_eq!((after.count("conv"), after.count("join")), (8, 0));
}

#[test]
fn what_looks_at_the_whole_batch_and_what_is_random_stay_apart() {
    for op in ["batch_norm", "dropout(0.5)"] {
        let model = MODEL.replace("conv(4, 3) |> relu |> max_pool(2)", &format!("conv(4, 3) |> {op} |> max_pool(2)"));
        let text = format!("{model}let {{ det as det_r, desc as desc_r }} = net(image_r)\n{LOSS}");
        let (before, after) = (graph(&text, "dead"), graph(&text, "views"));
        let name = op.split('(').next().unwrap();
        assert_eq!((before.count(name), after.count(name)), (2, 2), "{op}");
    }
}

#[test]
fn a_value_that_somebody_else_reads_is_not_taken_in() {
    let text = format!("{MODEL}let {{ det as det_r, desc as desc_r }} = net(image_r)\n{LOSS}");
    let text = text.replace("trunk |> conv(1, 1) |> sigmoid", "trunk |> conv(1, 1) |> sigmoid |> relu");
    // sigmoid takes nothing in, and instance_norm's conv is followed by nothing that conv takes in.
    assert_eq!(graph(&text, "fuse").count("relu"), 1);
    let two = MODEL
        .replace("|> conv(5, 3) |> relu\n", "|> conv(5, 3)\n")
        .replace("trunk |> conv(6, 3, bias = false)", "relu(trunk) |> conv(6, 3, bias = false)");
    let text = format!("{two}let {{ det as det_r, desc as desc_r }} = net(image_r)\n{LOSS}");
    assert_eq!(graph(&text, "fuse").count("relu"), 1, "det reads the convolution before the relu");
    assert!(apart(&run(&text, "dead", DType::F64), &run(&text, "fuse", DType::F64)) < 1e-11);
}
