//! The losses of the standard library, each against its formula worked out by hand on a few numbers, and with a gradient.
use std::collections::HashMap;

use candle_core::{DType, Device, Tensor};
use rord_engine::program::{Feed, Program};
use rord_engine::weights::{Weights, weight_specs};
use rord_graph::node::Role;
use rord_graph::{build, passes};
use rord_lang::check::{NoImports, Outside, check};
use rord_lang::source::SourceKind;

/// Two maps of probabilities, two of descriptors with a move that changes nothing, and two lists of vectors.
const INPUTS: &str = "input t: Prob[1, 1, 2, 2]@f
input p: Prob[1, 1, 2, 2]@f
input l: Logit[1, 1, 2, 2]@f
input s: Mask[1, 1, 2, 2]@f
input image: Image[1, 1, 2, 2]@g
input desc: Desc[1, 2, 2, 2]@f
input desc_r: Desc[1, 2, 2, 2]@g
input H: Homography[1]@f->g
input a: Vectors[2, 2]
input b: Vectors[2, 2]
";

const T: [f64; 4] = [1.0, 0.0, 1.0, 0.0];
const P: [f64; 4] = [0.9, 0.2, 0.4, 0.5];
const L: [f64; 4] = [2.0, -1.0, -0.5, 0.25];

fn fields() -> HashMap<String, Tensor> {
    let all: [(&str, &[usize], &[f64]); 10] = [
        ("t", &[1, 1, 2, 2], &T),
        ("p", &[1, 1, 2, 2], &P),
        ("l", &[1, 1, 2, 2], &L),
        ("s", &[1, 1, 2, 2], &[1.0, 1.0, 0.0, 0.0]),
        ("image", &[1, 1, 2, 2], &[0.0; 4]),
        ("desc", &[1, 2, 2, 2], &[1.0, 0.0, 1.0, 0.6, 0.0, 1.0, 1.0, 0.8]),
        ("desc_r", &[1, 2, 2, 2], &[1.0, 0.0, 1.0, 0.6, 0.0, 1.0, 0.0, 0.8]),
        ("H", &[1, 3, 3], &[1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]),
        ("a", &[2, 2], &[1.0, 0.0, 0.0, 1.0]),
        ("b", &[2, 2], &[0.6, 0.8, 0.0, 1.0]),
    ];
    all.into_iter().map(|(n, shape, x)| (n.to_string(), Tensor::from_slice(x, shape, &Device::Cpu).unwrap())).collect()
}

/// The value of an expression.
fn value(expression: &str) -> f64 {
    let text = format!("{INPUTS}metric value = {expression}\n");
    let (vocabulary, mut sources) = rord_ops::vocabulary();
    let file = sources.add(SourceKind::Main, "test.rord", text.as_str());
    let (pipeline, reports) = check(&mut sources, file, &vocabulary, &NoImports, &Outside::default());
    assert!(reports.is_empty(), "{expression}: {reports:?}");
    let mut graph = build::build(&pipeline, &vocabulary, &build::outputs(&pipeline, &[Role::Metric]));
    passes::run(&mut graph, &vocabulary, None).unwrap();
    rord_graph::verify::verify(&graph, &vocabulary).unwrap();
    let weights = Weights::init(&weight_specs(&pipeline), 0, DType::F64, &Device::Cpu).unwrap();
    let program = Program::new(graph, |_| false, DType::F64, &Device::Cpu).unwrap();
    let fields = fields();
    let feed = Feed::of(1, &fields, weights.tensors());
    program.run(&feed, false).unwrap().numbers().unwrap()[0]
}

fn close(expression: &str, expected: f64) {
    let found = value(expression);
    assert!((found - expected).abs() < 1e-6, "{expression} is {found}, not {expected}");
}

#[test]
fn maps_are_compared_as_the_formulas_say() {
    let pairs = || T.into_iter().zip(P);
    let mean = |f: &dyn Fn(f64, f64) -> f64| pairs().map(|(t, p)| f(t, p)).sum::<f64>() / 4.0;
    close("l1(t, p)", mean(&|t, p| (t - p).abs()));
    close("l1(t, p, mask = s)", (0.1 + 0.2) / 2.0);
    close("mse(t, p)", mean(&|t, p| (t - p) * (t - p)));
    let huber = |d: f64| if d < 0.3 { 0.5 * d * d } else { 0.3 * (d - 0.15) };
    close("huber(t, p, delta = 0.3)", mean(&|t, p| huber((t - p).abs())));
    let (both, sum) = (0.9 + 0.4, 2.0 + 2.0);
    close("dice(t, p)", 1.0 - (2.0 * both + 1.0) / (sum + 1.0));
    close("iou(t, p > 0.3)", 2.0 / 3.0);
    close("f1(t, p > 0.3)", 4.0 / 5.0);
    let focal = |gamma: f64| {
        let right = |t: f64, l: f64| 1.0 / (1.0 + (if t > 0.5 { -l } else { l }).exp());
        let one = |(t, l)| (1.0 - right(t, l)).powf(gamma) * -right(t, l).ln();
        T.into_iter().zip(L).map(one).sum::<f64>() / 4.0
    };
    close("focal_logits(t, l)", focal(2.0));
    close("focal_logits(t, l, gamma = 0.5)", focal(0.5));
    close("focal_logits(t, l, gamma = 0)", value("bce_logits(t, l)"));
}

#[test]
fn windows_are_compared_as_the_formulas_say() {
    close("peaky(p, size = 2)", 1.0 - (0.9 - 0.5));
    let (dot, t, p) = (0.9 + 0.4, 2.0f64, 0.81 + 0.04 + 0.16 + 0.25);
    close("cosim(t, p, size = 2, stride = 2)", 1.0 - dot / (t * p).sqrt());
    close("cosim(t, t, size = 2, stride = 2)", 0.0);
}

#[test]
fn descriptors_are_compared_as_the_formulas_say() {
    // Three places agree, at the third the angle is 45°.
    let other = "warp(desc_r, inv(H))";
    close(&format!("mean(1 - cosine(desc, {other}))"), (1.0 - 0.5f64.sqrt()) / 4.0);
    close("matching_accuracy(desc, desc_r, H, at = grid(4), within = 0.1px)", 0.75);
    // Positives 0, 0, 1, 0 apart, squared; negatives all outside the margin of 0.
    close("contrastive(grid(4), random, margin = 0)", 0.5 * 0.25);
    for miner in ["random", "semihard", "hardneg", "semihard(apart = 1px)", "random(apart = 1px)"] {
        assert!(value(&format!("triplet(grid(4), {miner})")).is_finite(), "{miner}");
        assert!(value(&format!("contrastive(scatter(9), {miner})")) > 0.0, "{miner}");
    }
}

#[test]
fn lists_of_vectors_are_compared_as_the_formulas_say() {
    // Cosines [[0.6, 0], [0.8, 1]].
    let choice = |own: f64, other: f64| (own.exp() + other.exp()).ln() - own;
    close("info_nce(a, b, temperature = 0.5)", 0.5 * (choice(1.2, 0.0) + choice(2.0, 1.6)));
    let far = |s: f64| (2.0 - 2.0 * s + 1e-6f64).sqrt();
    let hardest = |own: f64, least: f64| (1.0 + far(own) - far(least)).max(0.0);
    close("hardest_in_batch(a, b)", 0.5 * (hardest(0.6, 0.8) + hardest(1.0, 0.8)));
    let circle = |own: f64, other: f64| {
        let pull = 10.0 * (1.25 - own) * (0.75 - own);
        (1.0 + (pull + 10.0 * (other + 0.25) * (other - 0.25)).exp()).ln()
    };
    close("circle(a, b, scale = 10)", 0.5 * (circle(0.6, 0.0) + circle(1.0, 0.8)));
    close(
        "hardest_in_batch(rows(sample(desc, place(grid(4), desc))), rows(sample(desc, place(grid(4), desc))), margin = 0)",
        0.0,
    );
}

#[test]
fn a_function_of_the_file_goes_before_one_of_the_library() {
    let text = format!(
        "{INPUTS}fn dice(t: Prob[B, C, H, W]@f, p: Prob[B, C, H, W]@f) -> Loss = 7 + mean(t * p)\nmetric value = dice(t, p)\n"
    );
    let (vocabulary, mut sources) = rord_ops::vocabulary();
    let file = sources.add(SourceKind::Main, "test.rord", text.as_str());
    let (pipeline, reports) = check(&mut sources, file, &vocabulary, &NoImports, &Outside::default());
    assert!(reports.is_empty(), "{reports:?}");
    let graph = build::build(&pipeline, &vocabulary, &build::outputs(&pipeline, &[Role::Metric]));
    assert_eq!((graph.count("mean"), graph.count("sum")), (1, 0));
}
