//! A step that is made again, with the range of every value and of every gradient: `rord-run replay RUN --step 1200`.
//!
//! A step that failed is made from what was kept of it: the weights before it, its batch, and a note of where its random numbers come
//! from. Any other is reached from the last state before it, or from the beginning of the run.

pub mod update;

use std::collections::HashMap;
use std::path::Path;

use candle_core::{DType, Device, Tensor};
use safetensors::SafeTensors;
use serde_json::{Value, json};

use super::begin;
use super::graphs;
use super::plan::Plan;
use super::program::{Feed, Part, Program, Watch};
use super::refusals::{self, Stop};
use super::source::DataSource;
use super::state::StateError;
use super::timed::Clock;
use rord_graph::gradients::trained_by;
use rord_graph::node::{Graph, NodeSource};
use rord_lang::source::Span;
use rord_lang::typed::Pipeline;
use rord_lang::vocabulary::Vocabulary;
use update::Update;

/// The note of a batch that was kept.
const ENTRY: &str = "rord.step";

/// The numbers of a tensor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Numbers {
    /// How many there are.
    pub count: usize,
    /// The least finite one.
    pub min: f64,
    /// The largest finite one.
    pub max: f64,
    /// The mean of the finite ones.
    pub mean: f64,
    /// How many are infinite or NaN.
    pub not_finite: usize,
}

impl Numbers {
    /// Those of a tensor.
    pub fn of(tensor: &Tensor) -> candle_core::Result<Self> {
        let all: Vec<f64> = tensor.to_device(&Device::Cpu)?.to_dtype(DType::F64)?.flatten_all()?.to_vec1()?;
        let (mut min, mut max, mut sum, mut finite) = (f64::INFINITY, f64::NEG_INFINITY, 0.0, 0usize);
        for x in all.iter().filter(|x| x.is_finite()) {
            (min, max, sum, finite) = (min.min(*x), max.max(*x), sum + x, finite + 1);
        }
        if finite == 0 {
            (min, max) = (f64::NAN, f64::NAN);
        }
        Ok(Self { count: all.len(), min, max, mean: sum / finite as f64, not_finite: all.len() - finite })
    }
}

/// A node of the graph in a step.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Its number in the graph, as `rord-run graph` prints it.
    pub node: usize,
    /// Its operation, or what it is: `data image`, `weight net.0.weight`.
    pub what: String,
    /// The text that made it.
    pub span: Span,
    /// Its shape.
    pub shape: Vec<usize>,
    /// Its value.
    pub value: Numbers,
    /// The gradient of the objective in it, where there is one.
    pub gradient: Option<Numbers>,
}

/// A step that was made again.
#[derive(Clone, Debug)]
pub struct Replayed {
    /// Its number, from 0.
    pub step: u64,
    /// Samples of its batch.
    pub batch: usize,
    /// True where it was made from what a failed step had kept.
    pub kept: bool,
    /// What it reports, by name.
    pub outputs: Vec<(String, f64)>,
    /// Every node, in the order of computation.
    pub rows: Vec<Row>,
    /// What the optimizer made of it; `None` where the step was made from what was kept of it.
    pub update: Option<Update>,
}

impl Replayed {
    /// True where all values and gradients are finite.
    pub fn is_finite(&self) -> bool {
        let finite = |numbers: &Numbers| numbers.not_finite == 0;
        self.rows.iter().all(|row| finite(&row.value) && row.gradient.as_ref().is_none_or(finite))
    }
}

/// Looks at all values and gradients of a program.
#[derive(Default)]
struct Ranges {
    values: HashMap<usize, (Vec<usize>, Numbers)>,
    gradients: HashMap<usize, Numbers>,
    failed: Option<candle_core::Error>,
}

impl Watch for Ranges {
    fn done(&mut self, _: Part) {}

    fn value(&mut self, node: usize, value: &Tensor) {
        match Numbers::of(value) {
            Ok(numbers) => _ = self.values.insert(node, (value.dims().to_vec(), numbers)),
            Err(error) => self.failed = Some(error),
        }
    }

    fn gradient(&mut self, node: usize, gradient: &Tensor) {
        match Numbers::of(gradient) {
            Ok(numbers) => _ = self.gradients.insert(node, numbers),
            Err(error) => self.failed = Some(error),
        }
    }
}

/// What a node is.
fn what(graph: &Graph, node: usize) -> String {
    match graph.nodes.get(node).map(|node| &node.source) {
        Some(NodeSource::Op(op)) => op.op.to_string(),
        Some(NodeSource::Field { name, .. }) => format!("data {name}"),
        Some(NodeSource::Weight(w)) => format!("weight {}", graph.weights.get(*w).map_or("?", |w| w.name.as_str())),
        Some(NodeSource::Number(x)) => format!("number {x}"),
        Some(NodeSource::Timed(timed)) => format!("number {timed}"),
        None => "?".into(),
    }
}

/// Makes a step of a program, and looks at all of it.
pub fn look(program: &Program, feed: &Feed<'_>) -> Result<Replayed, Stop> {
    let mut ranges = Ranges::default();
    let outcome = program.run_watched(feed, true, &mut ranges)?;
    if let Some(error) = ranges.failed {
        return Err(error.into());
    }
    let graph = program.graph();
    let row = |(node, of): (usize, &rord_graph::node::Node)| {
        let (shape, value) = ranges.values.get(&node)?.clone();
        let gradient = ranges.gradients.get(&node).copied();
        Some(Row { node, what: what(graph, node), span: of.span, shape, value, gradient })
    };
    let rows = graph.nodes.iter().enumerate().filter_map(row).collect();
    let outputs = graph.outputs.iter().map(|output| output.name.clone()).zip(outcome.numbers()?).collect();
    Ok(Replayed { step: feed.step, batch: feed.batch, kept: false, outputs, rows, update: None })
}

/// What is noted of a step whose batch is kept: all that its values depend on beside weights and batch.
#[derive(Clone, Debug, PartialEq)]
pub struct Kept {
    /// Which objective.
    pub objective: usize,
    /// Samples of the batch.
    pub batch: usize,
    /// The number of the batch in the run, by which random numbers are keyed.
    pub stream: u64,
    /// Batches of an epoch, and how many of them make a step.
    pub epoch: (u64, u64),
    /// The numbers that change, as [`Clock::state`] has them.
    pub timed: Value,
}

impl Kept {
    /// As entries of a safetensors file.
    pub fn entries(&self) -> HashMap<String, String> {
        let Self { objective, batch, stream, epoch: (batches, accumulate), timed } = self;
        let note = json!({
            "objective": objective, "batch": batch, "stream": stream, "batches": batches, "accumulate": accumulate, "timed": timed,
        });
        HashMap::from([(ENTRY.to_string(), note.to_string())])
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let (_, header) = SafeTensors::read_metadata(bytes).ok()?;
        let note: Value = serde_json::from_str(header.metadata().as_ref()?.get(ENTRY)?).ok()?;
        let count = |name: &str| note.get(name).and_then(Value::as_u64);
        Some(Self {
            objective: count("objective")? as usize,
            batch: count("batch")? as usize,
            stream: count("stream")?,
            epoch: (count("batches")?, count("accumulate")?),
            timed: note.get("timed")?.clone(),
        })
    }
}

/// Makes a step again that failed; `None` where nothing was kept of a step of this number.
pub fn failed(
    pipeline: &Pipeline,
    vocabulary: &Vocabulary,
    plan: &Plan,
    run: &Path,
    step: u64,
) -> Result<Option<Replayed>, Stop> {
    let weights = run.join(format!("nan-{step}.safetensors"));
    let batch = run.join(format!("nan-{step}-batch.safetensors"));
    if !weights.is_file() || !batch.is_file() {
        return Ok(None);
    }
    let bytes = rord_files::whole(&batch).map_err(StateError::from)?;
    let malformed = |reason: String| StateError::Malformed { path: batch.clone(), reason };
    let kept = Kept::read(&bytes)
        .ok_or_else(|| malformed("an earlier version has written it, without a note of its step".into()))?;
    let fields = candle_core::safetensors::load_buffer(&bytes, &Device::Cpu).map_err(|e| malformed(e.to_string()))?;
    let objective =
        pipeline.objectives.get(kept.objective).ok_or_else(|| malformed("it is of another pipeline".into()))?;
    let wanted = graphs::training_by_objective(pipeline).into_iter().nth(kept.objective).unwrap_or_default();
    let sizes = match graphs::set_by_data(pipeline, &plan.datasets) {
        true => {
            let data = DataSource::load_all(&plan.datasets, &pipeline.sizes, plan.batch, plan.seed, None);
            data.map_err(|(of, e)| Stop::Refused(refusals::data_of(plan, of, &e)))?.sizes
        }
        false => HashMap::new(),
    };
    let mut graph = graphs::graph(pipeline, vocabulary, &wanted, &sizes)?;
    graph.live = graphs::live(pipeline, objective);
    let program = Program::new(graph, trained_by(pipeline, objective), DType::F32, &Device::Cpu)?;
    let clock = Clock::new(pipeline)?;
    clock.set_epoch(kept.epoch.0, kept.epoch.1);
    clock.load(&kept.timed).map_err(StateError::from)?;
    let (weights, _) = begin::weights(pipeline, Some(&weights), plan.seed, DType::F32, &Device::Cpu)?;
    let feed = Feed {
        seed: plan.seed,
        step: kept.stream,
        training: true,
        timed: Some(&clock),
        ..Feed::of(kept.batch, &fields, weights.tensors())
    };
    Ok(Some(Replayed { step, kept: true, ..look(&program, &feed)? }))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_of_what_is_finite_and_the_rest_is_counted() {
        let tensor = Tensor::new(&[1f32, f32::NAN, -3.0, f32::INFINITY], &Device::Cpu).unwrap();
        let found = Numbers::of(&tensor).unwrap();
        assert_eq!(found, Numbers { count: 4, min: -3.0, max: 1.0, mean: -1.0, not_finite: 2 });
        let none = Numbers::of(&Tensor::new(&[f32::NAN], &Device::Cpu).unwrap()).unwrap();
        assert!(none.min.is_nan() && none.mean.is_nan() && none.not_finite == 1);
    }

    #[test]
    fn what_is_noted_of_a_step_reads_back() {
        let kept = Kept { objective: 1, batch: 8, stream: 1200, epoch: (40, 2), timed: json!({ "a": "0.1" }) };
        let tensors = [("x".to_string(), Tensor::new(&[1f32], &Device::Cpu).unwrap())];
        let bytes = crate::stored::bytes(&tensors, Some(kept.entries())).unwrap();
        assert_eq!(Kept::read(&bytes), Some(kept));
        assert_eq!(Kept::read(&crate::stored::bytes(&tensors, None).unwrap()), None);
    }
}
