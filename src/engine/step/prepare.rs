//! What has to be there before the first step: data, graphs, weights, optimizer.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use candle_core::{DType, Device};

use super::{Roles, Stepper};
use crate::begin;
use crate::clip::Clip;
use crate::early::EarlyStop;
use crate::follow;
use crate::foretold::{self, Graphs};
use crate::graphs;
use crate::groups::{self, Freezing};
use crate::health::Health;
use crate::memory::Load;
use crate::optim::optimizer;
use crate::plan::Plan;
use crate::program::Program;
use crate::refusals::{self, Stop};
use crate::schedule::{Mode, Span, schedule};
use crate::source::{self, DataSource};
use crate::state::{Average, Identity, State};
use crate::timed::Clock;
use crate::weights::weight_specs;
use rord_data::batches::Shared;
use rord_graph::gradients::trained_by;
use rord_graph::node::{Graph, NodeSource};
use rord_graph::share::share;
use rord_lang::typed::Pipeline;
use rord_lang::vocabulary::Vocabulary;
use rord_ranks::{Ranks, range};
use rord_record::fingerprint;

/// Loads the data and makes everything ready. Refuses what could not be run, as a step that memory does not hold. `busy` hears what
/// takes its time.
pub fn prepare(
    pipeline: &Pipeline,
    vocabulary: &Vocabulary,
    plan: &Plan,
    init: Option<&Path>,
    device: &Device,
    busy: &mut dyn FnMut(&str),
) -> Result<(Stepper, DataSource), Stop> {
    prepare_shared(pipeline, vocabulary, plan, init, device, None, busy)
}

/// As [`prepare`], for processes that share every batch.
pub fn prepare_shared(
    pipeline: &Pipeline,
    vocabulary: &Vocabulary,
    plan: &Plan,
    init: Option<&Path>,
    device: &Device,
    ranks: Option<&Arc<Ranks>>,
    busy: &mut dyn FnMut(&str),
) -> Result<(Stepper, DataSource), Stop> {
    let ranks = ranks.filter(|ranks| ranks.size() > 1);
    if let Some(ranks) = ranks {
        refusals::ranks(ranks.size(), plan.batch)?;
    }
    busy("loading the data");
    let dtype = DType::F32;
    let base_lr = plan.optimizer.settings.number("lr").unwrap_or_default();
    let optimizer = optimizer(&plan.optimizer, &weight_specs(pipeline), &groups::groups(pipeline, base_lr))?;
    let processes = ranks.map_or(1, |ranks| ranks.size());
    let graphs = Graphs::of(pipeline, vocabulary, plan)?.map(|graphs| graphs.shared_by(processes));
    if device.is_cpu() {
        foretold::refuse(pipeline, plan, graphs.as_ref(), false)?;
    }
    let foretold = graphs.as_ref().and_then(|graphs| foretold::foretold(pipeline, plan, graphs));
    drop(graphs);
    let hash = RefCell::new(String::new());
    let programs = |known: &HashMap<u32, i64>| -> Result<Vec<Program>, Stop> {
        let mut programs = Vec::new();
        for (objective, wanted) in pipeline.objectives.iter().zip(graphs::training_by_objective(pipeline)) {
            let mut graph = graphs::graph(pipeline, vocabulary, &wanted, known)?;
            graph.live = graphs::live(pipeline, objective);
            graph.live.retain(|w| !pipeline.treatment(*w).is_frozen());
            if programs.is_empty() {
                *hash.borrow_mut() = fingerprint_of(&graph, vocabulary);
            }
            if ranks.is_some() {
                graph = share(&graph, vocabulary);
            }
            let program = Program::new(graph, trained_by(pipeline, objective), dtype, device)?;
            programs.push(program);
        }
        Ok(programs)
    };
    let timed = Arc::new(Clock::new(pipeline)?);
    let data = || {
        DataSource::load_all(&plan.datasets, &pipeline.sizes, plan.batch, plan.seed, Some(&timed))
            .map_err(|(of, e)| Stop::Refused(refusals::data_of(plan, of, &e)))
    };
    let (mut programs, data) = match graphs::set_by_data(pipeline, &plan.datasets) {
        true => {
            let data = data()?;
            (programs(&data.sizes)?, data)
        }
        // Before the data is loaded: a step that memory does not hold is refused at once.
        false => (programs(&HashMap::new())?, data()?),
    };
    let data = match ranks {
        Some(ranks) => {
            let own = range(plan.batch, ranks.rank(), ranks.size());
            DataSource { batches: Arc::new(Shared::new(data.batches, own)), ..data }
        }
        None => data,
    };
    let rivals = programs.split_off(1.min(programs.len()));
    let program = programs.pop().ok_or_else(|| candle_core::Error::msg("there is no objective"))?;
    let (batches, accumulate) = (data.batches.steps(), plan.accumulate as u64);
    let steps = batches.div_ceil(accumulate);
    timed.set_epoch(batches, accumulate);
    let span = Span { base_lr: optimizer.base_lr(), steps_per_epoch: steps, epochs: plan.epochs };
    let mode = plan.watch.as_ref().map_or(Mode::Minimize, |(_, m)| *m);
    let (weights, taken) = begin::weights(pipeline, init, plan.seed, dtype, device)?;
    let stop = plan.stop.as_ref().map(|(r, (w, mode))| EarlyStop::new(r, span, w.to_string(), *mode)).transpose()?;
    let freezing = Freezing::new(pipeline, steps);
    let state = State {
        weights,
        average: plan.ema.map(|decay| Average::new(decay, pipeline)),
        stop,
        kept: Vec::new(),
        schedule: plan.schedule.as_ref().map(|r| schedule(r, span, mode)).transpose()?,
        lr: optimizer.base_lr(),
        optimizer,
        epochs: 0,
        steps: 0,
        means: vec![0.0; std::iter::once(&program).chain(&rivals).map(|p| p.graph().outputs.len()).sum()],
        best: None,
        observers: Vec::new(),
        health: Health::default(),
        timed,
        identity: Identity::default(),
    };
    let clip = plan.clip.as_ref().map(Clip::new).transpose()?;
    let weights = 0..pipeline.weights.len();
    let frozen = weights.clone().map(|w| pipeline.treatment(w).is_frozen()).collect();
    let roles = |objective| {
        let trains = trained_by(pipeline, objective);
        let trains = weights.clone().map(|w| trains(&NodeSource::Weight(w))).collect();
        Roles { trains, live: graphs::live(pipeline, objective) }
    };
    let stepper = Stepper {
        program,
        state,
        steps,
        taken,
        batches,
        accumulate,
        rivals,
        followers: follow::followers(pipeline),
        clip,
        freezing,
        frozen,
        roles: pipeline.objectives.iter().map(roles).collect(),
        plain: false,
        zero: Vec::new(),
        sums: Vec::new(),
        seed: plan.seed,
        device: device.clone(),
        optimizer: pipeline.train.iter().find(|f| f.name == "optimizer").map(|f| f.span).unwrap_or_default(),
        ranks: ranks.map(|ranks| (Arc::clone(ranks), plan.batch)),
        across: None,
        fingerprint: hash.into_inner(),
        foretold,
    };
    Ok((stepper, data))
}

/// The fingerprint of what is trained: the optimized graph as text.
fn fingerprint_of(graph: &Graph, vocabulary: &Vocabulary) -> String {
    let text = rord_graph::print::text(graph, vocabulary);
    fingerprint(&blake3::hash(text.as_bytes()), 8)
}

/// What a step takes beside its graph. An average of the weights, and gradients that are added up, are kept like moments. Layouts are
/// looked into where reading them may take more than `enough` bytes.
pub fn load(plan: &Plan, moments: usize, enough: usize) -> Load {
    let moments = moments + usize::from(plan.ema.is_some()) + usize::from(plan.accumulate > 1);
    let (pictures, reading) = source::pictures(&plan.datasets, enough);
    Load { batch: plan.batch, moments, pictures, reading }
}
