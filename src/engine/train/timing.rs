//! Time by operation, for the record: one step of an epoch carries a watch.

use candle_core::{Device, Tensor};

use super::super::health::Looking;
use super::super::program::{Part, Watch};
use super::super::stopwatch::{Settled, Stopwatch, common, median, phases, rows};
use rord_graph::node::Graph;
use rord_lang::vocabulary::Vocabulary;
use rord_record::{OperationTime, StepTimes};

/// The last steps with a watch that are kept, and the operations that are recorded of them.
const KEPT: usize = 8;
const OPERATIONS: usize = 40;

/// What looks at a step: at its values, and where it carries a watch, at its times.
pub(super) struct Watched<'a> {
    pub looking: Looking<'a>,
    pub watch: Option<Stopwatch>,
}

impl Watch for Watched<'_> {
    fn done(&mut self, part: Part) {
        if let Some(watch) = &mut self.watch {
            watch.done(part);
        }
    }

    fn value(&mut self, node: usize, value: &Tensor) {
        self.looking.value(node, value);
    }
}

/// The last steps that carried a watch.
#[derive(Default)]
pub(super) struct Timing {
    steps: Vec<Stopwatch>,
    /// The seconds of each step of the epoch, with the wait for its data.
    paces: Vec<f64>,
}

impl Timing {
    /// A watch for the step that follows after `done` of `of` steps of the epoch, if that carries one: in the middle, where values are
    /// not looked at closely; and not the very first, which is slower than others.
    pub fn watch(&self, done: u64, of: u64, taken: u64, nodes: usize, device: &Device) -> Option<Stopwatch> {
        (done == of / 2 && taken > 0).then(|| Stopwatch::start(nodes, device, Settled::Parts))
    }

    /// An epoch begins.
    pub fn begin(&mut self) {
        self.paces.clear();
    }

    /// A step of the epoch is over, so many seconds after the one before it.
    pub fn paced(&mut self, seconds: f64) {
        self.paces.push(seconds);
    }

    /// Keeps a step that was taken.
    pub fn keep(&mut self, watch: Stopwatch) {
        // While a part is frozen other operations are run.
        self.steps.retain(|step| step.nodes() == watch.nodes());
        if self.steps.len() >= KEPT {
            self.steps.remove(0);
        }
        self.steps.push(watch);
    }

    /// What every process computes for all samples of the batch, in milliseconds.
    pub fn common(&self, graph: &Graph) -> f64 {
        common(graph, &self.steps)
    }

    /// What the steps took, for the record: medians over them.
    pub fn times(&self, graph: &Graph, vocabulary: &Vocabulary, batch: usize) -> Option<StepTimes> {
        let fits = self.steps.last().is_some_and(|step| step.nodes() == graph.nodes.len());
        if !fits {
            return None;
        }
        let parts = phases(graph, vocabulary, &self.steps);
        let mut operations = rows(graph, &self.steps, &[], batch);
        operations.sort_by(|a, b| b.ms().total_cmp(&a.ms()));
        let operation = |row: &super::super::bench::Row| OperationTime {
            op: row.op.clone(),
            sizes: row.sizes.clone(),
            count: row.count,
            forward_ms: rounded(row.forward_ms),
            backward_ms: rounded(row.backward_ms),
        };
        Some(StepTimes {
            steps: self.steps.len(),
            ms: rounded(median(self.steps.iter().map(|step| 1e3 * step.total()).collect())),
            pace_ms: (!self.paces.is_empty()).then(|| rounded(1e3 * median(self.paces.clone()))),
            forward_ms: rounded(parts.forward),
            losses_ms: rounded(parts.losses),
            backward_ms: rounded(parts.backward),
            optimizer_ms: rounded(parts.optimizer),
            operations: operations.iter().take(OPERATIONS).map(operation).collect(),
        })
    }
}

/// To the microsecond.
fn rounded(ms: f64) -> f64 {
    (1e3 * ms).round() / 1e3
}
