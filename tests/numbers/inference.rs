//! Networks as they are used: what is folded into what changes no value. And how long they take, for `benches/inference/compare.py`.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use candle_core::{DType, Device, Tensor};
use rord_engine::predict::{Picture, Predictor};
use rord_engine::program::{Feed, Part, Program, Watch};
use rord_engine::weights::{Weights, weight_specs};
use rord_graph::node::{Graph, Node, NodeSource};
use rord_lang::report::any_error;
use rord_ops::compute::samples::apart;
use rord_project::load::{Loaded, load_text};
use rord_project::outside::Given;
use rord_random::Stream;

/// A shipped pipeline; one that only trains descriptors of patches exports those.
fn shipped(path: &Path) -> Loaded {
    let mut text = std::fs::read_to_string(path).unwrap();
    if path.ends_with("pipelines/hardnet.rord") {
        text.push_str("export { va }\n");
    }
    let given = Given { preset: None, set: &[], params: None, point: None, import_root: None };
    let Ok(loaded) = load_text(rord_ops::vocabulary(), path, &text, &given, None) else { panic!("{}", path.display()) };
    assert!(!any_error(&loaded.reports), "{}: {:?}", path.display(), loaded.reports);
    loaded
}

/// Noise in 0..1.
fn noise(count: usize) -> Vec<f32> {
    let mut stream = Stream::new(11, &[]);
    (0..count).map(|_| stream.uniform() as f32).collect()
}

/// All weights drawn at random, statistics and scales too, as a file: what is folded must not be 1 or 0.
fn drawn(loaded: &Loaded) -> Vec<u8> {
    let mut weights = Weights::init(&weight_specs(&loaded.pipeline), 3, DType::F32, &Device::Cpu).unwrap();
    let names = weights.names().to_vec();
    let mut stream = Stream::new(5, &[]);
    for (name, tensor) in names.iter().zip(weights.tensors_mut()) {
        let (low, high) = match name.rsplit('.').next() {
            Some("running_var") => (0.3, 3.0),
            Some("running_mean") => (-0.5, 0.5),
            // Filters and biases stay as they begin, so that maps neither vanish nor grow.
            _ if tensor.rank() != 1 => continue,
            _ => (0.2, 1.5),
        };
        let numbers: Vec<f32> = (0..tensor.elem_count()).map(|_| stream.range(low, high) as f32).collect();
        *tensor = Tensor::from_vec(numbers, tensor.shape(), &Device::Cpu).unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("drawn.safetensors");
    weights.save(&path).unwrap();
    std::fs::read(path).unwrap()
}

/// What a network exports of a picture as its text says, nothing folded or fused.
fn as_written(network: &Predictor, picture: &Picture) -> Vec<Tensor> {
    let mut graph = network.open().unwrap_or_else(|_| panic!("refused"));
    let (name, ty) = network.image();
    let name = name.to_string();
    let shape = [1, picture.channels, picture.height, picture.width];
    for (dim, size) in ty.dims.iter().zip(shape) {
        if let Some(symbol) = dim.as_symbol() {
            graph.sizes.insert(symbol.id, size as i64);
        }
    }
    let program = Program::new(graph, |_| false, DType::F32, &Device::Cpu).unwrap();
    let fields = HashMap::from([(name, Tensor::from_slice(picture.values, shape.as_slice(), &Device::Cpu).unwrap())]);
    program.run(&Feed::of(1, &fields, network.weights().tensors()), false).unwrap().values
}

/// Every shipped pipeline, papers too, that exports something of one image, and a picture that it takes.
fn networks() -> Vec<PathBuf> {
    let of = |folder: &str| std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path());
    let mut all: Vec<PathBuf> = of("pipelines").chain(of("pipelines/papers")).collect();
    all.retain(|p| p.extension().is_some_and(|e| e == "rord"));
    all.sort();
    all
}

#[test]
fn what_is_folded_for_use_changes_no_value() {
    let (mut normalized, mut refused) = (0, Vec::new());
    for path in networks() {
        let loaded = shipped(&path);
        let bytes = drawn(&loaded);
        let Ok(mut network) = Predictor::from_bytes(&loaded.pipeline, &loaded.vocabulary, &bytes, &path) else {
            refused.push(path.file_stem().unwrap().to_string_lossy().into_owned());
            continue;
        };
        let [height, width] = network.fixed().map(|side| side.unwrap_or(96));
        let channels = network.channels().unwrap_or(1);
        let values = noise(channels * height * width);
        let picture = Picture { values: &values, channels, height, width };
        let plain = as_written(&network, &picture);
        let found = network.run(&picture).unwrap_or_else(|_| panic!("{}", path.display()));
        assert_eq!(plain.len(), found.len());
        for (plain, found) in plain.iter().zip(&found) {
            let off = apart(plain, found).unwrap();
            assert!(off < 2e-4, "{}: {off:e}", path.display());
        }
        let (before, graph) = (network.open().ok().unwrap(), network.graph(&picture).ok().flatten().unwrap());
        assert_eq!(graph.count("dropout") + graph.count("detach"), 0, "{}", path.display());
        let read_through = |n: &Node| matches!(&n.source, NodeSource::Op(op) if op.settings.get("norm").is_some());
        if before.count("batch_norm") > 0 {
            normalized += 1;
            assert!(!graph.made.is_empty() && !graph.nodes.iter().any(read_through), "{}", path.display());
        }
    }
    println!("REFUSED {refused:?} {normalized}");
    assert!(normalized >= 2, "{normalized} networks have normalizations");
}

#[test]
fn pictures_that_are_fed_at_once_give_what_each_gives_alone() {
    let mut several = Vec::new();
    for path in networks() {
        let loaded = shipped(&path);
        let bytes = drawn(&loaded);
        let Ok(mut network) = Predictor::from_bytes(&loaded.pipeline, &loaded.vocabulary, &bytes, &path) else {
            continue;
        };
        if !network.takes_several() {
            continue;
        }
        several.push(path.file_stem().unwrap().to_string_lossy().into_owned());
        let [height, width] = network.fixed().map(|side| side.unwrap_or(64));
        let channels = network.channels().unwrap_or(1);
        let size = channels * height * width;
        let values = noise(3 * size);
        let picture = |values| Picture { values, channels, height, width };
        let together = network.run_several(3, &picture(&values)).unwrap_or_else(|_| panic!("{}", path.display()));
        for (at, values) in values.chunks_exact(size).enumerate() {
            let alone = network.run(&picture(values)).unwrap_or_else(|_| panic!("{}", path.display()));
            for (together, alone) in together.iter().zip(&alone) {
                let off = apart(&together.narrow(0, at, 1).unwrap(), alone).unwrap();
                assert!(off < 1e-4, "{} {at}: {off:e}", path.display());
            }
        }
    }
    assert!(
        ["find", "hardnet", "segment", "start"].iter().all(|name| several.iter().any(|s| s == name)),
        "{several:?}"
    );
}

#[test]
fn a_network_that_compares_its_samples_is_fed_one_by_one() {
    let text = |out: &str| {
        let begin = "rord 1\npipeline \"t\" \"For a test.\"\nmodel net(x: Image[N, 1, 8, 8]@f) {\n  out v: Vectors[N, 4] = x |> conv(4, 8, pad = 0) |> flatten\n}\n";
        format!("{begin}input image: Image[N, 1, 8, 8]@f\nlet v = net(image).v\nlet d = {out}\nexport {{ d }}\n")
    };
    let several = |out: &str| {
        let (pipeline, vocabulary) = super::views::checked(&text(out));
        let network = Predictor::new(&pipeline, &vocabulary, None, 0).unwrap_or_else(|_| panic!("{out}"));
        network.takes_several()
    };
    assert!(several("l2norm(v)"));
    assert!(!several("distances(v, v)"));
    assert!(!several("row_min(off_diagonal(distances(v, v)))"));
}

/// Adds up the time of each node.
struct Rows {
    last: Instant,
    ms: Vec<f64>,
}

impl Watch for Rows {
    fn done(&mut self, part: Part) {
        let now = Instant::now();
        if let Part::Forward(node) = part {
            self.ms[node] += (now - self.last).as_secs_f64() * 1e3;
        }
        self.last = now;
    }
}

/// What a node is: the operation with what it has taken in, and the sizes of what it reads and makes.
fn what(graph: &Graph, index: usize) -> Option<String> {
    let NodeSource::Op(op) = &graph.nodes[index].source else { return None };
    let shape = |i: usize| graph.shape(&graph.nodes[i].ty, 1).unwrap_or_default();
    let inputs: Vec<_> = op.inputs.iter().map(|(name, id)| format!("{name} {:?}", shape(id.0 as usize))).collect();
    let then = op.settings.text("then").unwrap_or_default();
    Some(format!("{} {then} ({}) -> {:?}", op.op, inputs.join(", "), shape(index)))
}

#[test]
#[ignore = "it measures; benches/inference/compare.py calls it"]
fn times_of_a_network() {
    let var = |name: &str| std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set"));
    let loaded = shipped(Path::new(&var("RORD_NETWORK")));
    let picture = var("RORD_PICTURE");
    let sizes: Vec<usize> = picture.split(',').map(|n| n.parse().unwrap()).collect();
    let &[channels, height, width] = sizes.as_slice() else { panic!("RORD_PICTURE is channels,height,width") };
    let count: usize = var("RORD_COUNT").parse().unwrap();
    let values = noise(count * sizes.iter().product::<usize>());
    let picture = Picture { values: &values, channels, height, width };
    let mut network =
        Predictor::new(&loaded.pipeline, &loaded.vocabulary, None, 0).unwrap_or_else(|_| panic!("refused"));
    let seconds: f64 = var("RORD_SECONDS").parse().unwrap();
    let mut times = Vec::new();
    let run = |network: &mut Predictor| {
        let start = Instant::now();
        // Key points are read from maps as they lie.
        let values =
            if count > 1 { network.run_several(count, &picture) } else { network.run_watched(&picture, &mut ()) };
        drop(values.unwrap_or_else(|_| panic!("refused")));
        start.elapsed().as_secs_f64() * 1e3
    };
    for _ in 0..3 {
        run(&mut network);
    }
    let begin = Instant::now();
    while times.len() < 5 || begin.elapsed().as_secs_f64() < seconds {
        times.push(run(&mut network));
    }
    times.sort_by(f64::total_cmp);
    println!("TIME {:.4}", times[times.len() / 2]);
    if var("RORD_ROWS") == "1" && count == 1 {
        let graph = network.graph(&picture).ok().flatten().unwrap().clone();
        let mut rows = Rows { last: Instant::now(), ms: vec![0.0; graph.nodes.len()] };
        for _ in 0..10 {
            rows.last = Instant::now();
            drop(network.run_watched(&picture, &mut rows));
        }
        for index in 0..graph.nodes.len() {
            if let Some(what) = what(&graph, index) {
                println!("ROW {:8.3} ms  {what}", rows.ms[index] / 10.0);
            }
        }
    }
}
