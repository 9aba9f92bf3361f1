//! Fields, by construction: what a layer makes of a picture that was moved by a symmetry is what it made of the picture, moved, with
//! its turns exchanged. Every layer is held to that at all symmetries of its group, in value and in gradients, to the rounding of f32.
use std::collections::HashMap;

use candle_core::{DType, Device, Tensor};
use rord_engine::graphs;
use rord_engine::program::{Feed, Program};
use rord_engine::weights::{Weights, weight_specs};
use rord_graph::build::Wanted;
use rord_graph::node::Role;
use rord_kernels::turns::{inverse, motion, product};
use rord_lang::check::{NoImports, Outside, check};
use rord_lang::constant::{Constant, Settings};
use rord_lang::source::{SourceKind, Span};
use rord_lang::typed::{ValueId, ValueSource};
use rord_ops::compute::samples::{apart, numbers};
use rord_ops::compute::{Call, Compute};
use rord_random::Stream;

fn random(shape: &[usize], key: u64) -> Tensor {
    let mut stream = Stream::new(key, &[]);
    let numbers: Vec<f32> = (0..shape.iter().product()).map(|_| stream.range(-1.0, 1.0) as f32).collect();
    Tensor::from_vec(numbers, shape, &Device::Cpu).unwrap()
}

/// The last two axes, square, moved by a turn: cell p goes to g·p.
fn moved(x: &Tensor, g: usize) -> Tensor {
    let n = x.dims()[x.rank() - 1];
    let [a, b, c, d] = motion(inverse(g)).map(i64::from);
    let (place, cell) = (|i: usize| 2 * i as i64 - n as i64 + 1, |x: i64| ((x + n as i64 - 1) / 2) as usize);
    let from = |i: usize| {
        let (x, y) = (place(i % n), place(i / n));
        cell(c * x + d * y) * n + cell(a * x + b * y)
    };
    let (values, cells) = (x.flatten_all().unwrap().to_vec1::<f32>().unwrap(), n * n);
    let out: Vec<f32> = (0..values.len()).map(|i| values[i / cells * cells + from(i % cells)]).collect();
    Tensor::from_vec(out, x.shape(), &Device::Cpu).unwrap()
}

/// The turns, the second axis, exchanged by g: turn t is what turn g⁻¹·t was.
fn exchanged(x: &Tensor, g: usize) -> Tensor {
    let turns = x.dims()[1];
    let parts: Vec<Tensor> = (0..turns).map(|t| x.narrow(1, product(inverse(g), t), 1).unwrap()).collect();
    Tensor::cat(&parts, 1).unwrap()
}

/// What a tensor does when the picture is moved.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Acts {
    /// Its cells move.
    Map,
    /// Its cells move, and its turns are exchanged.
    Field,
    /// The same, with the turns among the channels.
    Descriptor(usize),
    /// Nothing: a weight.
    Stays,
}

impl Acts {
    fn on(self, x: &Tensor, g: usize) -> Tensor {
        match self {
            Acts::Map => moved(x, g),
            Acts::Field => exchanged(&moved(x, g), g),
            Acts::Descriptor(turns) => {
                let (b, c, h, w) = x.dims4().unwrap();
                let field = x.reshape((b, turns, c / turns, h, w)).unwrap();
                Acts::Field.on(&field, g).reshape(x.shape()).unwrap()
            }
            Acts::Stays => x.clone(),
        }
    }
}

/// One layer with its inputs.
struct Layer {
    op: &'static str,
    inputs: Vec<(&'static str, Tensor, Acts)>,
    settings: Settings,
    makes: Acts,
}

impl Layer {
    fn of(op: &'static str, makes: Acts) -> Layer {
        Layer { op, inputs: vec![], settings: Settings::default(), makes }
    }

    fn given(mut self, name: &'static str, shape: &[usize], acts: Acts) -> Layer {
        self.inputs.push((name, random(shape, self.inputs.len() as u64 + 7), acts));
        self
    }

    fn set(mut self, name: &str, value: Constant) -> Layer {
        self.settings.0.push((name.into(), value));
        self
    }

    fn number(self, name: &str, x: f64) -> Layer {
        self.set(name, Constant::Number(x))
    }

    fn word(self, name: &str, word: &str) -> Layer {
        self.set(name, Constant::Word(word.into()))
    }

    fn flag(self, name: &str, flag: bool) -> Layer {
        self.set(name, Constant::Flag(flag))
    }

    fn compute(&self) -> &'static dyn Compute {
        rord_ops::find(self.op).and_then(|op| op.compute).expect("an operation that computes")
    }

    /// The value and all gradients where the picture is moved by `g`, with the gradient `grad` of the value at rest.
    fn run(&self, g: usize, grad: Option<&Tensor>) -> (Tensor, Vec<Tensor>) {
        let inputs: Vec<(&str, Tensor)> = self.inputs.iter().map(|(n, t, acts)| (*n, acts.on(t, g))).collect();
        let wants: Vec<&str> = inputs.iter().map(|(n, _)| *n).filter(|n| !n.starts_with("running")).collect();
        let call = |shape| Call {
            inputs: &inputs,
            settings: &self.settings,
            shape,
            stream: [0; 3],
            training: true,
            wants: &wants,
            share: None,
            apart: false,
        };
        // Operations read the shape of what they are to make where it cannot be had otherwise; none of these does.
        let output = self.compute().forward(&call(&[])).unwrap_or_else(|e| panic!("{}: {e}", self.op));
        let Some(grad) = grad else { return (output.value, vec![]) };
        let shape = output.value.dims().to_vec();
        let found = self.compute().backward(&call(&shape), &output, &self.makes.on(grad, g)).unwrap();
        let of = |name: &&str| found.iter().find(|(n, _)| n == name).map(|(_, t)| t.clone()).expect("a gradient");
        (output.value, wants.iter().map(of).collect())
    }

    /// The largest error over all symmetries, in the value and in the gradients.
    fn error(&self, turns: usize) -> f64 {
        let grad = random(self.run(0, None).0.dims(), 99);
        let (value, slopes) = self.run(0, Some(&grad));
        let acts: Vec<Acts> =
            self.inputs.iter().filter(|(n, ..)| !n.starts_with("running")).map(|(.., acts)| *acts).collect();
        let mut worst = 0.0f64;
        for g in 1..turns {
            let (there, slopes_there) = self.run(g, Some(&grad));
            worst = worst.max(apart(&self.makes.on(&value, g), &there).unwrap());
            for ((acts, slope), there) in acts.iter().zip(&slopes).zip(&slopes_there) {
                worst = worst.max(apart(&acts.on(slope, g), there).unwrap());
            }
        }
        worst
    }
}

/// A convolution of kernel, stride, padding and dilation, of a map or of a field.
fn conv(turns: usize, of: Acts, n: usize, [kernel, stride, pad, dilation]: [usize; 4]) -> Layer {
    let (x, weight): (Vec<usize>, Vec<usize>) = match of {
        Acts::Field => (vec![2, turns, 3, n, n], vec![2, turns, 3, kernel, kernel]),
        _ => (vec![2, 3, n, n], vec![2, 3, kernel, kernel]),
    };
    let layer = Layer::of("conv", Acts::Field).given("x", &x, of).given("weight", &weight, Acts::Stays);
    let layer = layer.given("bias", &[2], Acts::Stays).number("width", 2.0).number("groups", 1.0).flag("bias", true);
    let layer = layer.number("kernel", kernel as f64).number("stride", stride as f64).number("pad", pad as f64);
    layer.number("dilation", dilation as f64).word("symmetry", if turns == 4 { "c4" } else { "d4" })
}

/// Every layer that takes fields.
fn layers(turns: usize) -> Vec<Layer> {
    let shape = [2, turns, 4, 6, 6];
    let on = |op, makes| Layer::of(op, makes).given("x", &shape, Acts::Field);
    let field = |op| on(op, Acts::Field);
    let scaled = |layer: Layer| layer.given("weight", &[4], Acts::Stays).given("bias", &[4], Acts::Stays);
    let mut all = Vec::new();
    for of in [Acts::Map, Acts::Field] {
        let sizes = [[3, 1, 1, 1], [1, 1, 0, 1], [4, 2, 1, 1], [2, 2, 0, 1], [3, 1, 2, 2], [5, 1, 0, 1], [2, 1, 0, 1]];
        all.extend(sizes.map(|sizes| conv(turns, of, 6, sizes)));
        all.push(conv(turns, of, 7, [3, 2, 1, 1]));
        all.push(conv(turns, of, 6, [3, 1, 1, 1]).word("then", "relu"));
        all.push(conv(turns, of, 6, [3, 1, 1, 1]).word("then", "relu_pool"));
    }
    all.extend([
        field("relu"),
        field("gelu").word("form", "exact"),
        field("silu"),
        field("tanh"),
        field("softplus"),
        field("leaky_relu").number("slope", 0.1),
        field("max_pool").number("k", 2.0),
        field("max_pool").number("k", 3.0).number("stride", 1.0).number("pad", 1.0),
        field("avg_pool").number("k", 3.0),
        field("avg_pool").number("k", 3.0).number("stride", 1.0).number("pad", 1.0).flag("count_pad", false),
        field("upsample").number("by", 2.0).word("mode", "nearest"),
        field("upsample").number("by", 3.0).word("mode", "bilinear"),
        field("instance_norm").number("eps", 1e-5),
        scaled(field("group_norm")).number("groups", 2.0).number("eps", 1e-5).flag("affine", true),
        scaled(field("layer_norm")).number("eps", 1e-5).flag("affine", true),
        scaled(field("batch_norm"))
            .given("running_mean", &[4], Acts::Stays)
            .given("running_var", &[4], Acts::Stays)
            .number("momentum", 0.1)
            .number("eps", 1e-5)
            .flag("affine", true),
        Layer::of("concat", Acts::Field).given("a", &shape, Acts::Field).given("b", &shape, Acts::Field),
        Layer::of("add", Acts::Field).given("a", &shape, Acts::Field).given("b", &shape, Acts::Field),
        on("invariant", Acts::Map).word("by", "mean"),
        on("invariant", Acts::Map).word("by", "max"),
        on("turns_to_channel", Acts::Descriptor(turns)),
    ]);
    all
}

#[test]
fn every_layer_is_exact_at_every_symmetry() {
    let mut wrong = Vec::new();
    for turns in [4, 8] {
        for layer in layers(turns) {
            let error = layer.error(turns);
            let shape = layer.inputs[0].1.dims().to_vec();
            println!("{:<18} {shape:?} {error:.1e}", layer.op);
            if error > 5e-6 {
                wrong.push(format!("{} on {shape:?} with {turns} turns: {error:e}\n  {:?}", layer.op, layer.settings));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_breaks_a_symmetry_is_seen() {
    // A plain convolution, a mirror image under c4, a window that does not lie evenly, and turns that are not exchanged.
    let plain = Layer { makes: Acts::Map, ..conv(8, Acts::Map, 6, [3, 1, 1, 1]).word("symmetry", "none") };
    let plain = Layer { settings: Settings(plain.settings.0.into_iter().rev().collect()), ..plain };
    assert!(plain.error(8) > 0.1);
    let uneven = conv(8, Acts::Field, 6, [3, 2, 1, 1]);
    assert!(uneven.error(8) > 0.1);
    let forgotten = Layer { makes: Acts::Map, ..conv(8, Acts::Field, 6, [3, 1, 1, 1]) };
    assert!(forgotten.error(8) > 0.1);
    let dropped = Layer::of("max_pool", Acts::Field).given("x", &[1, 8, 2, 5, 5], Acts::Field).number("k", 2.0);
    assert!(dropped.error(8) > 0.1);
    // The mirror images are no turns of c4, so a field of it cannot say what becomes of them.
    let c4 = conv(4, Acts::Map, 6, [5, 1, 2, 1]);
    let (rest, there) = (c4.run(0, None).0, c4.run(4, None).0);
    let (rest, there) = (moved(&rest.mean(1).unwrap(), 4), there.mean(1).unwrap());
    assert!(apart(&rest, &there).unwrap() > 0.1);
}

#[test]
fn exchanged_turns_are_exchanged_back_by_the_move_of_the_view() {
    for (turns, symmetry) in [(8, "d4"), (4, "c4")] {
        let desc = random(&[1, 3 * turns, 6, 6], 3);
        for g in 0..turns {
            let there = Acts::Descriptor(turns).on(&desc, g);
            let [a, b, c, d] = motion(inverse(g)).map(f32::from);
            let matrix = vec![a, b, 0.0, c, d, 0.0, 0.0, 0.0, 1.0];
            let by = Tensor::from_vec(matrix, (1, 3, 3), &Device::Cpu).unwrap();
            let inputs = [("x", there), ("by", by)];
            let settings = Settings(vec![("symmetry".into(), Constant::Word(symmetry.into()))]);
            let call = Call {
                inputs: &inputs,
                settings: &settings,
                shape: desc.dims(),
                stream: [0; 3],
                training: false,
                wants: &[],
                share: None,
                apart: false,
            };
            let back = rord_ops::find("permute_turns").and_then(|op| op.compute).unwrap().forward(&call).unwrap().value;
            assert_eq!(numbers(&back).unwrap(), numbers(&moved(&desc, g)).unwrap(), "{symmetry}, {g}");
        }
    }
}

const NET: &str = "input image: Image[1, 1, 16, 16]@view
layer block(x: Field[B, T, C, h, w]@f, width: Count) -> Field[B, T, width, h, w]@f {
  let change = x |> conv(width, 3, bias = false) |> batch_norm |> relu |> conv(width, 3)
  out = relu(change + conv(x, width, 1))
}
model net(x: Image[B, 1, H, W]@f) {
  let trunk = x |> conv(6, 3, symmetry = d4) |> relu |> block(8) |> max_pool(2) |> conv(8, 4, stride = 2, pad = 1) |> relu
  let wide  = concat(trunk, trunk |> instance_norm) |> upsample(2, mode = bilinear)
  out det:  Prob[B, 1, H/2, W/2]@f        = wide |> conv(4, 3) |> relu |> invariant |> conv(1, 1) |> sigmoid
  out desc: Desc unit[B, 128, H/2, W/2]@f = wide |> conv(16, 3) |> turns_to_channel |> l2norm
}
let { det, desc } = net(image)
minimize total = mean(det) + mean(desc)
";

#[test]
fn a_detector_stands_still_and_a_descriptor_exchanges_its_turns() {
    let (vocabulary, mut sources) = rord_ops::vocabulary();
    let file = sources.add(SourceKind::Main, "test.rord", NET);
    let (pipeline, reports) = check(&mut sources, file, &vocabulary, &NoImports, &Outside::default());
    let said: Vec<_> = reports.iter().map(|r| (r.title.clone(), r.labels.clone())).collect();
    assert!(!rord_lang::report::any_error(&reports), "{said:?}");
    // Turns share their weights: so many as a plain network of 8 times the input channels has, and no more.
    let shapes: HashMap<&str, &[usize]> =
        pipeline.weights.iter().map(|w| (w.name.as_str(), w.shape.as_slice())).collect();
    assert_eq!(shapes["net.trunk.0.weight"], [6, 1, 3, 3]);
    assert_eq!(shapes["net.trunk.2.change.0.weight"], [8, 8, 6, 3, 3]);
    assert_eq!(shapes["net.trunk.2.change.1.running_mean"], [8]);
    assert_eq!(shapes["net.desc.0.weight"], [16, 8, 16, 3, 3]);
    let last = |op: &str, name: &str| {
        let at =
            pipeline.values.iter().rposition(|v| matches!(&v.source, ValueSource::Apply(a) if a.op == op)).unwrap();
        Wanted { value: ValueId(at as u32), name: name.into(), role: Role::Value, span: Span::default() }
    };
    let wanted = [last("sigmoid", "det"), last("l2norm", "desc")];
    let weights = Weights::init(&weight_specs(&pipeline), 3, DType::F32, &Device::Cpu).unwrap();
    let image = random(&[1, 1, 16, 16], 5);
    let run = |g: usize, training: bool| {
        let graph = graphs::graph(&pipeline, &vocabulary, &wanted, &HashMap::new()).unwrap();
        let program = Program::new(graph, |_| false, DType::F32, &Device::Cpu).unwrap();
        let fields = HashMap::from([("image".to_string(), moved(&image, g))]);
        let feed = Feed { training, ..Feed::of(1, &fields, weights.tensors()) };
        program.run(&feed, false).unwrap().values
    };
    for training in [true, false] {
        let still = run(0, training);
        assert_eq!((still[0].dims(), still[1].dims()), (&[1, 1, 8, 8][..], &[1, 128, 8, 8][..]));
        for g in 1..8 {
            let there = run(g, training);
            let (det, desc) = (Acts::Map.on(&still[0], g), Acts::Descriptor(8).on(&still[1], g));
            assert!(apart(&det, &there[0]).unwrap() < 1e-5, "{g}");
            assert!(apart(&desc, &there[1]).unwrap() < 5e-5, "{g}: {}", apart(&desc, &there[1]).unwrap());
            assert!(apart(&Acts::Map.on(&still[1], g), &there[1]).unwrap() > 0.1, "{g}: nothing was exchanged");
        }
    }
}
