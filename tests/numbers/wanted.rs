//! Any value of a pipeline can be asked for: it is a tensor of its type's shape, and optimizing the graph does not change it.

use std::collections::HashMap;

use candle_core::{DType, Device, Tensor};
use rord_engine::graphs;
use rord_engine::program::{Feed, Outcome, Program};
use rord_engine::weights::{Weights, weight_specs};
use rord_graph::build::Wanted;
use rord_graph::node::Role;
use rord_lang::check::{NoImports, Outside, check};
use rord_lang::source::Span;
use rord_lang::typed::{Pipeline, ValueId, ValueSource};
use rord_lang::vocabulary::Vocabulary;

const TEXT: &str = "input image: Image[2, 1, 16, 16]@orig
input image_r: Image[2, 1, 16, 16]@moved
input H: Homography[2]@orig->moved
model net(x: Image[B, 1, H, W]@f) {
  let trunk = x |> conv(8, 3) |> relu |> max_pool(2)
  out det:  Prob[B, 1, H/2, W/2]@f = trunk |> conv(1, 3) |> sigmoid
  out desc: Desc[B, 4, H/2, W/2]@f = trunk |> conv(4, 3) |> instance_norm
}
let { det, desc }                    = net(image)
let { det as det_r, desc as desc_r } = net(image_r)
@allow(unanchored, \"a test\")
loss far = bce(det, warp(det_r, inv(H)))
minimize total = far + 0 * mean(desc) + 0 * mean(desc_r)
";

fn checked() -> (Pipeline, Vocabulary) {
    let (vocabulary, mut sources) = rord_ops::vocabulary();
    let file = sources.add(rord_lang::source::SourceKind::Main, "test.rord", TEXT);
    let (pipeline, reports) = check(&mut sources, file, &vocabulary, &NoImports, &Outside::default());
    assert!(!rord_lang::report::any_error(&reports), "{reports:?}");
    (pipeline, vocabulary)
}

/// What an operation makes at its n-th place, under a name.
fn of(pipeline: &Pipeline, op: &str, place: usize, name: &str) -> Wanted {
    let mut ids = (0u32..).zip(&pipeline.values).filter(|(_, v)| match &v.source {
        ValueSource::Apply(apply) => apply.op == op,
        _ => false,
    });
    let value = ValueId(ids.nth(place).unwrap_or_else(|| panic!("{op} {place}")).0);
    Wanted { value, name: name.into(), role: Role::Value, span: Span::default() }
}

/// What these values are after the passes up to `last`.
fn run(pipeline: &Pipeline, vocabulary: &Vocabulary, wanted: &[Wanted], last: Option<&str>, back: bool) -> Outcome {
    let graph = graphs::up_to(pipeline, vocabulary, wanted, &HashMap::new(), last).unwrap();
    assert_eq!(graph.outputs.len(), wanted.len());
    let program = Program::new(graph, |_| back, DType::F32, &Device::Cpu).unwrap();
    let weights = Weights::init(&weight_specs(pipeline), 3, DType::F32, &Device::Cpu).unwrap();
    let noise = |key| {
        let mut stream = rord_random::Stream::new(key, &[]);
        let numbers: Vec<f32> = (0..512).map(|_| stream.uniform() as f32).collect();
        Tensor::from_vec(numbers, (2, 1, 16, 16), &Device::Cpu).unwrap()
    };
    let h = Tensor::eye(3, DType::F32, &Device::Cpu).unwrap().broadcast_as((2, 3, 3)).unwrap().contiguous().unwrap();
    let fields =
        HashMap::from([("image".to_string(), noise(1)), ("image_r".to_string(), noise(2)), ("H".to_string(), h)]);
    let feed = Feed::of(2, &fields, weights.tensors());
    program.run(&feed, back).unwrap()
}

fn numbers(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

#[test]
fn any_value_can_be_asked_for_as_a_tensor() {
    let (pipeline, vocabulary) = checked();
    // Of each view: the detector, the descriptor, and a convolution that `relu` and `max_pool` follow.
    let wanted = [
        of(&pipeline, "sigmoid", 0, "det"),
        of(&pipeline, "sigmoid", 1, "det_r"),
        of(&pipeline, "instance_norm", 1, "desc_r"),
        of(&pipeline, "conv", 0, "first"),
        of(&pipeline, "max_pool", 0, "trunk"),
        of(&pipeline, "inv", 0, "back"),
    ];
    let shapes: [&[usize]; 6] =
        [&[2, 1, 8, 8], &[2, 1, 8, 8], &[2, 4, 8, 8], &[2, 8, 16, 16], &[2, 8, 8, 8], &[2, 3, 3]];
    let plain = run(&pipeline, &vocabulary, &wanted, Some("build"), false);
    let optimized = run(&pipeline, &vocabulary, &wanted, None, false);
    assert!(plain.numbers().is_err(), "maps are no numbers");
    for (((w, shape), a), b) in wanted.iter().zip(shapes).zip(&plain.values).zip(&optimized.values) {
        assert_eq!((a.dims(), b.dims()), (shape, shape), "{}", w.name);
        assert!(a.is_contiguous() && b.is_contiguous(), "{}", w.name);
        let (a, b) = (numbers(a), numbers(b));
        assert!(a.iter().any(|x| *x != a[0]) || w.name == "first", "{} is the same everywhere", w.name);
        let apart = a.iter().zip(&b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(apart < 1e-5, "{}: {apart}", w.name);
    }
    assert_ne!(numbers(&optimized.values[0]), numbers(&optimized.values[1]), "two views");
    // One alone needs less than all: the graph of `back` has its input and the inverse.
    let graph = graphs::graph(&pipeline, &vocabulary, &wanted[5..], &HashMap::new()).unwrap();
    assert_eq!(graph.nodes.len(), 2);
}

#[test]
fn tensors_beside_the_objective_leave_its_gradient_as_it_is() {
    let (pipeline, vocabulary) = checked();
    let alone = run(&pipeline, &vocabulary, &graphs::training(&pipeline), None, true);
    let mut wanted = graphs::training(&pipeline);
    wanted.insert(0, of(&pipeline, "sigmoid", 0, "det"));
    let beside = run(&pipeline, &vocabulary, &wanted, None, true);
    assert_eq!(beside.values[0].dims(), [2, 1, 8, 8]);
    assert_eq!(alone.numbers().unwrap()[0], f64::from(numbers(&beside.values[1])[0]));
    assert!(alone.grads.iter().flatten().count() >= 4);
    for (a, b) in alone.grads.iter().zip(&beside.grads) {
        assert_eq!(a.as_ref().map(numbers), b.as_ref().map(numbers));
    }
}
