//! A network that calls itself is the network that is written out: the same graph, the same names of weights, the same bits.
use std::collections::HashMap;

use candle_core::{DType, Device, Tensor};
use rord_engine::graphs;
use rord_engine::program::{Feed, Program};
use rord_engine::weights::{Weights, weight_specs};
use rord_graph::print::text as print;
use rord_lang::check::{NoImports, Outside, check};
use rord_lang::source::SourceKind;
use rord_lang::typed::Pipeline;
use rord_lang::vocabulary::Vocabulary;
use rord_random::Stream;

const TWICE: &str = "
layer twice(x: Map[B, C, h, w]@f, width: Count) -> Feat[B, width, h, w]@f =
  x |> conv(width, 3) |> batch_norm |> relu |> conv(width, 3) |> batch_norm |> relu
";

/// A U-Net of any depth, and its lines.
const RECURSIVE: &str = "
layer unet(x: Map[B, C, h, w]@f, width: Count, depth: Count) -> Feat[B, width, h, w]@f {
  let here = x |> twice(width)
  let back = if depth == 0 then here else here |> max_pool(2) |> unet(2 * width, depth - 1) |> conv_transpose(width, 2, stride = 2)
  out      = if depth == 0 then here else concat(here, back) |> twice(width)
}
model net(x: Image[B, 1, H, W]@f) { out y: Logit[B, 1, H, W]@f = x |> unet(4, 3) |> conv(1, 1) }
";

/// The same, level by level.
const WRITTEN: &str = "
layer unet_0(x: Map[B, C, h, w]@f, width: Count) -> Feat[B, width, h, w]@f {
  let here = x |> twice(width)
  out      = here
}
layer unet_1(x: Map[B, C, h, w]@f, width: Count) -> Feat[B, width, h, w]@f {
  let here = x |> twice(width)
  let back = here |> max_pool(2) |> unet_0(2 * width) |> conv_transpose(width, 2, stride = 2)
  out      = concat(here, back) |> twice(width)
}
layer unet_2(x: Map[B, C, h, w]@f, width: Count) -> Feat[B, width, h, w]@f {
  let here = x |> twice(width)
  let back = here |> max_pool(2) |> unet_1(2 * width) |> conv_transpose(width, 2, stride = 2)
  out      = concat(here, back) |> twice(width)
}
layer unet_3(x: Map[B, C, h, w]@f, width: Count) -> Feat[B, width, h, w]@f {
  let here = x |> twice(width)
  let back = here |> max_pool(2) |> unet_2(2 * width) |> conv_transpose(width, 2, stride = 2)
  out      = concat(here, back) |> twice(width)
}
model net(x: Image[B, 1, H, W]@f) { out y: Logit[B, 1, H, W]@f = x |> unet_3(4) |> conv(1, 1) }
";

const LOSS: &str = "
input image: Image[2, 1, 16, 24]@view
input truth: Label[2, 1, 16, 24]@view
minimize total = bce_logits(truth, net(image).y)
";

fn checked(text: &str) -> (Pipeline, Vocabulary) {
    let (vocabulary, mut sources) = rord_ops::vocabulary();
    let file = sources.add(SourceKind::Main, "test.rord", text);
    let (pipeline, reports) = check(&mut sources, file, &vocabulary, &NoImports, &Outside::default());
    let said: Vec<_> = reports.iter().map(|r| (&r.title, &r.labels)).collect();
    assert!(said.is_empty(), "{said:?}");
    (pipeline, vocabulary)
}

/// The bits of the loss and of every gradient, by the names of the weights.
fn run(text: &str) -> (u32, Vec<(String, Vec<u32>)>) {
    let (pipeline, vocabulary) = checked(text);
    let graph = graphs::graph(&pipeline, &vocabulary, &graphs::training(&pipeline), &HashMap::new()).unwrap();
    let program = Program::new(graph, |_| true, DType::F32, &Device::Cpu).unwrap();
    let weights = Weights::init(&weight_specs(&pipeline), 3, DType::F32, &Device::Cpu).unwrap();
    let noise = |key| {
        let mut stream = Stream::new(key, &[]);
        let numbers: Vec<f32> = (0..768).map(|_| stream.uniform() as f32).collect();
        Tensor::from_vec(numbers, (2, 1, 16, 24), &Device::Cpu).unwrap()
    };
    let fields = HashMap::from([("image".to_string(), noise(1)), ("truth".to_string(), noise(2))]);
    let feed = Feed { training: true, ..Feed::of(2, &fields, weights.tensors()) };
    let outcome = program.run(&feed, true).unwrap();
    let bits = |t: &Tensor| -> Vec<u32> {
        t.flatten_all().unwrap().to_vec1::<f32>().unwrap().into_iter().map(f32::to_bits).collect()
    };
    let names = pipeline.weights.iter().map(|w| w.name.clone());
    let grads = names.zip(outcome.grads.iter().map(|g| g.as_ref().map(bits).unwrap_or_default()));
    (bits(&outcome.values[0])[0], grads.collect())
}

#[test]
fn a_recursive_network_is_the_network_written_out() {
    let (recursive, written) = (format!("{TWICE}{RECURSIVE}{LOSS}"), format!("{TWICE}{WRITTEN}{LOSS}"));
    let shown = |text: &str| {
        let (pipeline, vocabulary) = checked(text);
        print(
            &graphs::graph(&pipeline, &vocabulary, &graphs::training(&pipeline), &HashMap::new()).unwrap(),
            &vocabulary,
        )
    };
    assert_eq!(shown(&recursive), shown(&written));
    let (a, b) = (run(&recursive), run(&written));
    assert!(f32::from_bits(a.0).is_finite() && a.1.iter().all(|(name, g)| name.contains("running") || !g.is_empty()));
    assert_eq!(a, b);
    // Levels have names that say where they are.
    let names: Vec<&str> = a.1.iter().map(|(name, _)| name.as_str()).collect();
    for name in ["net.y.0.here.0.0.weight", "net.y.0.back.1.back.1.back.1.here.0.3.weight", "net.y.0.back.2.weight"] {
        assert!(names.contains(&name), "{name}: {names:?}");
    }
}

#[test]
fn counts_choose_how_often_and_numbers_may_be_computed_so() {
    let text = "fn power(x: Map[B, C, h, w]@f, n: Count) -> Map[B, C, h, w]@f = if n == 0 then 0 * x + 1 else x * power(x, n - 1)
fn factorial(n: Count) -> Count = if n == 0 then 1 else n * factorial(n - 1)
input p: Map[1, 1, 2, 2]@a
loss x = mean(power(p, 3)) / factorial(4)
minimize total = x
";
    let (pipeline, vocabulary) = checked(text);
    let graph = print(
        &graphs::graph(&pipeline, &vocabulary, &graphs::training(&pipeline), &HashMap::new()).unwrap(),
        &vocabulary,
    );
    assert!(graph.contains("24") && graph.matches("mul").count() >= 3, "{graph}");
}
