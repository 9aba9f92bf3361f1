//! Many processes that share every batch compute what one computes: losses, norms and weights of several steps, for every shipped
//! pipeline, whatever it compares with what. The processes are threads here, which add up in the same order as those of MPI.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use candle_core::{DType, Device, Tensor};
use rord_data::pairs::Split;
use rord_device::across;
use rord_engine::gpus;
use rord_engine::graphs;
use rord_engine::plan::Plan;
use rord_engine::program::{Feed, Part, Program, Watch};
use rord_engine::source::{DataSource, tensors};
use rord_engine::step::{Stepped, Stepper, prepare, prepare_shared};
use rord_graph::gradients::{Gradients, trained};
use rord_graph::node::NodeSource;
use rord_graph::share::share;
use rord_graph::verify::verify;
use rord_lang::check::{NoImports, Outside, check};
use rord_lang::report::any_error;
use rord_lang::source::{SourceKind, Span};
use rord_lang::typed::Pipeline;
use rord_lang::vocabulary::Vocabulary;
use rord_ops::compute::Call;
use rord_ops::compute::samples::Sample;
use rord_project::load::load;
use rord_project::outside::Given;
use rord_ranks::{Ranks, Share, threads};

type Made = (Pipeline, Vocabulary, Plan);

/// A shipped pipeline with its preset for smoke tests and a batch of this size; where the size is no parameter, as it is.
fn shipped(path: &Path, batch: usize) -> Made {
    let text = std::fs::read_to_string(path).unwrap();
    let set = ["batch", "pairs"].into_iter().find(|name| text.contains(&format!("param {name}:")));
    let set: Vec<String> = set.map(|name| format!("{name}={batch}")).into_iter().collect();
    let given = Given { preset: Some("smoke"), set: &set, params: None, point: None, import_root: None };
    let Ok(loaded) = load(rord_ops::vocabulary(), path, &given, None) else { panic!("{}", path.display()) };
    assert!(!any_error(&loaded.reports), "{}: {:?}", path.display(), loaded.reports);
    let plan = Plan::new(&loaded.pipeline, loaded.end()).unwrap();
    (loaded.pipeline, loaded.vocabulary, plan)
}

fn text(text: &str) -> Made {
    let (vocabulary, mut sources) = rord_ops::vocabulary();
    let file = sources.add(SourceKind::Main, "ranks.rord", text);
    let (pipeline, reports) = check(&mut sources, file, &vocabulary, &NoImports, &Outside::default());
    assert!(!any_error(&reports), "{reports:?}");
    let plan = Plan::new(&pipeline, Span::default()).unwrap();
    (pipeline, vocabulary, plan)
}

/// What a run of some steps gives: the values and the norm of each step, then all weights, statistics included.
#[derive(Debug)]
struct Run {
    steps: Vec<Vec<f64>>,
    weights: Vec<(String, Vec<f64>)>,
}

fn go((mut stepper, data): (Stepper, DataSource), steps: u64) -> Run {
    let mut seen = Vec::new();
    while stepper.state.steps < steps {
        let first = stepper.next_batch();
        let numbers = first..first + stepper.batches_of_step() as u64;
        let batches: Vec<_> = numbers.map(|n| data.batches.batch_at(Split::Train, n).unwrap()).collect();
        match stepper.step(&batches, &mut ()).unwrap() {
            Stepped::Taken { values, grad_norm, .. } => seen.push(values.into_iter().chain([grad_norm]).collect()),
            Stepped::NotFinite { what, .. } => panic!("{}", what.detail()),
        }
    }
    let numbers = |t: &candle_core::Tensor| t.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap();
    Run { steps: seen, weights: stepper.state.weights.iter().map(|(n, t)| (n.to_string(), numbers(t))).collect() }
}

fn alone((pipeline, vocabulary, plan): &Made, steps: u64) -> Run {
    go(prepare(pipeline, vocabulary, plan, None, &Device::Cpu, &mut |_| ()).unwrap(), steps)
}

/// The same by so many ranks, each on a thread of its own.
fn shared((pipeline, vocabulary, plan): &Made, ranks: usize, steps: u64) -> Vec<Run> {
    on_all(ranks, |ranks| {
        let made = prepare_shared(pipeline, vocabulary, plan, None, &Device::Cpu, Some(&ranks), &mut |_| ());
        go(made.unwrap(), steps)
    })
}

/// Calls `f` for each of so many ranks, on a thread of its own.
fn on_all<T: Send>(ranks: usize, f: impl Fn(Arc<Ranks>) -> T + Sync) -> Vec<T> {
    let all: Vec<_> = threads::ranks(ranks).unwrap().into_iter().map(Arc::new).collect();
    std::thread::scope(|scope| {
        let threads: Vec<_> = all.into_iter().map(|ranks| scope.spawn(|| f(ranks))).collect();
        threads.into_iter().map(|t| t.join().unwrap()).collect()
    })
}

/// As [`shared`], with gradients that are added up from device to device, of which the CPU is one here.
fn shared_across((pipeline, vocabulary, plan): &Made, ranks: usize, steps: u64) -> Vec<Run> {
    let movers = across::threads::movers(ranks).into_iter().map(|mover| Mutex::new(Some(mover))).collect::<Vec<_>>();
    on_all(ranks, |ranks| {
        let made = prepare_shared(pipeline, vocabulary, plan, None, &Device::Cpu, Some(&ranks), &mut |_| ());
        let (mut stepper, data) = made.unwrap();
        let mover = movers[ranks.rank()].lock().unwrap().take().unwrap();
        stepper.across = Some(gpus::beside(&ranks, move || Ok(mover), &Device::Cpu).unwrap());
        let run = go((stepper, data), steps);
        let (beside, now) = (ranks.spent().beside, ranks.spent().now);
        assert!(beside.bytes > 0 && beside.calls >= steps && now.bytes > 0, "{beside:?}");
        run
    })
}

/// The largest differences of values and of weights, in parts of what is there where that is more than 1.
fn off(one: &Run, other: &Run) -> (f64, f64) {
    let off = |(a, b): (&f64, &f64)| if a.is_finite() { (a - b).abs() / a.abs().max(1.0) } else { f64::INFINITY };
    let values = one.steps.iter().flatten().zip(other.steps.iter().flatten()).map(off);
    let weights = one.weights.iter().zip(&other.weights).flat_map(|((_, a), (_, b))| a.iter().zip(b).map(off));
    (values.fold(0.0, f64::max), weights.fold(0.0, f64::max))
}

/// Every shipped pipeline but one that begins with the weights of another run.
fn pipelines() -> Vec<PathBuf> {
    let of = |folder: &str| std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path());
    let mut all: Vec<PathBuf> = of("pipelines").chain(of("pipelines/papers")).collect();
    all.retain(|p| p.extension().is_some_and(|e| e == "rord") && !p.ends_with("distill.rord"));
    all.sort();
    all
}

/// A graph in f64, whole or as one of several ranks has it: the values of all outputs, and the gradients of all weights.
fn exact(made: &Made, ranks: Option<Arc<Ranks>>) -> (Vec<f64>, Vec<Option<Vec<f64>>>) {
    let (pipeline, vocabulary, plan) = made;
    let (stepper, data) =
        prepare_shared(pipeline, vocabulary, plan, None, &Device::Cpu, ranks.as_ref(), &mut |_| ()).unwrap();
    let wanted = |source: &NodeSource| trained(pipeline)(source);
    let graph = stepper.graph().clone();
    let program = Program::new(graph, wanted, DType::F64, &Device::Cpu).unwrap();
    let batch = data.batches.batch_at(Split::Train, 0).unwrap();
    let fields = tensors(&batch, DType::F64, &Device::Cpu).unwrap();
    let wide = |(_, t): (&str, &Tensor)| t.to_dtype(DType::F64).unwrap();
    let weights: Vec<Tensor> = stepper.state.weights.iter().map(wide).collect();
    let share = ranks.as_ref().map(|ranks| Share::of(ranks, plan.batch));
    let (batch, timed) = (plan.batch, Some(&*stepper.state.timed));
    let feed = Feed { batch, share, fields: &fields, weights: &weights, seed: 5, step: 0, training: true, timed };
    let outcome = program.run(&feed, true).unwrap();
    let sum = |t: Tensor| -> Vec<f64> {
        let own: Vec<f64> = t.flatten_all().unwrap().to_vec1().unwrap();
        ranks.as_ref().map_or(own.clone(), |ranks| ranks.sum(own).unwrap())
    };
    (outcome.numbers().unwrap(), outcome.grads.into_iter().map(|grad| grad.map(sum)).collect())
}

#[test]
fn every_shipped_pipeline_has_the_same_values_and_gradients_on_any_number_of_ranks() {
    let mut wrong = Vec::new();
    for path in pipelines() {
        for (ranks, batch) in [(2, 4), (3, 5)] {
            let made = shipped(&path, batch);
            let (values, gradients) = exact(&made, None);
            let many = on_all(ranks, |ranks| exact(&made, Some(ranks)));
            let off = |a: &[f64], b: &[f64]| {
                let most = a.iter().fold(1e-6f64, |most, x| most.max(x.abs()));
                a.iter().zip(b).fold(0.0f64, |off, (a, b)| off.max((a - b).abs() / most))
            };
            for (rank, (found, slopes)) in many.iter().enumerate() {
                let values = off(&values, found);
                let both = gradients.iter().zip(slopes);
                let slopes = both.map(|pair| match pair {
                    (Some(a), Some(b)) => off(a, b),
                    (None, None) => 0.0,
                    _ => f64::INFINITY,
                });
                let slopes = slopes.fold(0.0, f64::max);
                if !(values < 1e-9 && slopes < 1e-7) {
                    wrong.push(format!(
                        "{}, {rank} of {ranks}: values {values:.1e}, gradients {slopes:.1e}",
                        path.display()
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_shipped_pipeline_is_trained_by_many_as_by_one() {
    let mut wrong = Vec::new();
    for path in pipelines() {
        let name = path.display().to_string();
        for (ranks, batch) in [(2, 4), (3, 5)] {
            let made = shipped(&path, batch);
            let (one, many) = (alone(&made, 3), shared(&made, ranks, 3));
            // What rounding changes grows from step to step where a maximum jumps or Adam divides by next to nothing, and all ranks
            // have the same bits all the same.
            let losses = |run: &Run| run.steps[0][..run.steps[0].len() - 1].to_vec();
            let first = |run: &Run| Run { steps: vec![losses(run)], weights: Vec::new() };
            let ((values, _), (later, weights)) = (off(&first(&one), &first(&many[0])), off(&one, &many[0]));
            let same = many.iter().all(|run| run.weights == many[0].weights && run.steps == many[0].steps);
            println!("{name}, {ranks} ranks: first step {values:.1e}, three {later:.1e}, weights {weights:.1e}");
            if values > 1e-6 || later > 0.1 || !same {
                wrong.push(format!("{name}, {ranks} ranks: {values:.1e}, {later:.1e}, the same {same}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Dense losses over patches, with running statistics, draws of every kind, an average over batches, and clipping.
const DENSE: &str = include_str!("../../benches/ranks/dense.rord");

/// Embeddings that are compared with all others of the batch.
const EMBEDDED: &str = include_str!("../../benches/ranks/embedded.rord");

#[test]
fn runs_of_many_steps_are_those_of_one_process() {
    // Losses alone; the norm of the gradient comes last, and is of single precision as a whole.
    let split = |run: &Run, norms: bool| {
        let part = |step: &Vec<f64>| match norms {
            true => step[step.len() - 1..].to_vec(),
            false => step[..step.len() - 1].to_vec(),
        };
        Run { steps: run.steps.iter().map(part).collect(), weights: run.weights.clone() }
    };
    // A distance of two vectors that are nearly equal is a root of rounding: it has half the digits. In f64 all of them agree, as above.
    for (name, made, limit) in [("dense", text(DENSE), 1e-6), ("embedded", text(EMBEDDED), 5e-6)] {
        let one = alone(&made, 8);
        for ranks in [2, 3, 5] {
            let many = shared(&made, ranks, 8);
            let (losses, weights) = off(&split(&one, false), &split(&many[0], false));
            let (norms, _) = off(&split(&one, true), &split(&many[0], true));
            println!("{name}, {ranks} ranks: losses {losses:.1e}, norms {norms:.1e}, weights {weights:.1e}");
            let close = losses < limit && norms < 1e-4 && weights < 1e-5;
            assert!(close, "{name}, {ranks} ranks: {losses:.1e} {norms:.1e} {weights:.1e}\n{one:?}\n{:?}", many[0]);
            assert!(many.iter().all(|run| run.weights == many[0].weights), "{name}: the ranks differ");
        }
    }
}

#[test]
fn gradients_from_device_to_device_have_the_bits_of_those_by_the_host() {
    for (name, made) in [("dense", text(DENSE)), ("embedded", text(EMBEDDED))] {
        for ranks in [2, 3] {
            let (host, across) = (shared(&made, ranks, 4), shared_across(&made, ranks, 4));
            for (rank, (host, across)) in host.iter().zip(&across).enumerate() {
                assert_eq!(host.steps, across.steps, "{name}, {rank} of {ranks}");
                assert_eq!(host.weights, across.weights, "{name}, {rank} of {ranks}");
            }
        }
    }
}

#[test]
fn networks_are_computed_sample_by_sample_and_little_is_gathered() {
    for path in pipelines() {
        let (pipeline, vocabulary, plan) = shipped(&path, 4);
        let graph = graphs::graph(&pipeline, &vocabulary, &graphs::training(&pipeline), &HashMap::new()).unwrap();
        let shared = share(&graph, &vocabulary);
        verify(&shared, &vocabulary).unwrap();
        let flow = Gradients::of(&shared, trained(&pipeline), |_| false);
        let flops = rord_graph::flops::flops(&shared, &vocabulary, &flow, plan.batch).unwrap();
        let of = |apart: bool| -> f64 {
            flops.iter().enumerate().filter(|(i, _)| shared.is_apart(*i) == apart).map(|(_, f)| f.total()).sum()
        };
        let gathered = shared.nodes.iter().filter(|n| matches!(&n.source, NodeSource::Op(op) if op.op == "all_gather"));
        let numbers: usize = gathered.filter_map(|n| shared.shape(&n.ty, 1)).map(|s| s.iter().product::<usize>()).sum();
        let part = of(true) / (of(true) + of(false));
        println!("{}: {:.2}% sample by sample, {numbers} numbers gathered of each", path.display(), 100.0 * part);
        assert!(part > 0.97, "{}: {part}", path.display());
    }
}

/// What a backward pass does, in its order.
#[derive(PartialEq)]
enum Event {
    Gradient(usize),
    Passed(usize),
}

struct Order(Vec<Event>);

impl Watch for Order {
    fn done(&mut self, part: Part) {
        if let Part::Backward(node) = part {
            self.0.push(Event::Passed(node));
        }
    }

    fn gradient(&mut self, node: usize, _: &Tensor) {
        self.0.push(Event::Gradient(node));
    }
}

#[test]
fn the_gradient_of_a_weight_is_there_once_backward_has_passed_its_first_reader() {
    // Else sums over processes would begin when there is nothing left to compute beside them.
    let mut late = Vec::new();
    for path in pipelines() {
        let (pipeline, vocabulary, plan) = shipped(&path, 4);
        let (stepper, data) = prepare(&pipeline, &vocabulary, &plan, None, &Device::Cpu, &mut |_| ()).unwrap();
        let batch = data.batches.batch_at(Split::Train, 0).unwrap();
        let fields = tensors(&batch, DType::F32, &Device::Cpu).unwrap();
        let timed = Some(&*stepper.state.timed);
        let feed = Feed { seed: 5, training: true, timed, ..Feed::of(4, &fields, stepper.state.weights.tensors()) };
        let mut order = Order(Vec::new());
        stepper.program.run_watched(&feed, true, &mut order).unwrap();
        let graph = stepper.graph();
        let reads = |node: usize, weight: usize| match &graph.nodes[node].source {
            NodeSource::Op(op) => op.inputs.iter().any(|(_, id)| id.0 as usize == weight),
            _ => false,
        };
        let mut seen = 0;
        for (at, event) in order.0.iter().enumerate() {
            let Event::Gradient(weight) = event else { continue };
            if !matches!(graph.nodes[*weight].source, NodeSource::Weight(_)) {
                continue;
            }
            seen += 1;
            let first = (0..graph.nodes.len()).find(|node| reads(*node, *weight)).unwrap();
            if order.0[..at].iter().any(|event| matches!(event, Event::Passed(node) if *node < first)) {
                late.push(format!("{}: {}", path.display(), graph.nodes[*weight].ty));
            }
        }
        assert!(seen > 1, "{}", path.display());
    }
    assert!(late.is_empty(), "{}", late.join("\n"));
}

/// The samples from `first` on of what has `batch` samples; weights and tables stay whole.
fn cut(sample: &Sample, batch: usize, first: usize, count: usize) -> Vec<(&'static str, Tensor)> {
    let whole = ["weight", "bias", "running_mean", "running_var"];
    let one = |(name, t): &(&'static str, Tensor)| match t.dims().first() {
        Some(n) if *n == batch && !whole.contains(name) => (*name, t.narrow(0, first, count).unwrap()),
        _ => (*name, t.clone()),
    };
    sample.inputs.iter().map(one).collect()
}

#[test]
fn operations_that_say_so_treat_each_sample_alone() {
    let ranks = threads::ranks(1).unwrap().remove(0);
    let (mut wrong, mut seen) = (Vec::new(), Vec::new());
    for op in rord_ops::all() {
        let facts = op.entry.graph;
        let Some(compute) = op.compute.filter(|_| facts.apart || facts.per_sample) else { continue };
        for sample in (op.samples)().unwrap() {
            // A normalization that is read through sums up over all processes; networks that have one are compared whole, above.
            if facts.reads_through.is_some_and(|through| through.is_in(&sample.settings)) {
                continue;
            }
            let call = sample.call();
            let mixes = sample.settings.list("axes").is_ok_and(|axes| axes.iter().any(|at| at.count() == Some(0)));
            let Some(batch) = call.shape.first().copied().filter(|n| *n > 1 && !mixes) else { continue };
            // The same rule as the graph's: what has samples has as many as the value, and a table is one for each of them.
            let tables = op.entry.batched && sample.inputs.iter().any(|(_, t)| t.rank() < 3);
            if tables || !sample.inputs.iter().any(|(_, t)| t.dims().first() == Some(&batch)) {
                continue;
            }
            let value = compute.forward(&call).unwrap().value;
            if value.dims().first() != Some(&batch) {
                continue;
            }
            for (first, count) in [(0, batch - 1), (batch - 1, 1)] {
                let inputs = cut(&sample, batch, first, count);
                let shape: Vec<usize> = std::iter::once(count).chain(call.shape.iter().skip(1).copied()).collect();
                let share = Some(Share { ranks: &ranks, batch, first, samples: count });
                let part = Call { inputs: &inputs, shape: &shape, share, apart: true, ..sample.call() };
                let numbers = |t: &Tensor| -> Vec<f64> {
                    t.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap()
                };
                let expected = numbers(&value.narrow(0, first, count).unwrap().contiguous().unwrap());
                let found = match compute.forward(&part) {
                    Ok(output) => numbers(&output.value.contiguous().unwrap()),
                    Err(e) => {
                        wrong.push(format!("{}, {}: {e}", op.name, sample.name));
                        continue;
                    }
                };
                let same = expected.len() == found.len()
                    && expected
                        .iter()
                        .zip(&found)
                        .all(|(a, b)| (a - b).abs() <= 1e-9 * a.abs().max(1.0) || a.is_nan() && b.is_nan());
                if !same {
                    wrong.push(format!("{}, {}: samples {first} to {} differ", op.name, sample.name, first + count));
                }
                seen.push(op.name);
            }
        }
    }
    seen.dedup();
    assert!(seen.len() > 60 && seen.contains(&"dropout") && seen.contains(&"scatter"), "{seen:?}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
