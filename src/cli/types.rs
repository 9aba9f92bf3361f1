//! `rord-run types`: every name of a pipeline with its type, its weights, and what a step takes.

use super::args::FileArgs;
use super::load::{Loaded, load_or_report};
use rord_engine::flow::Flow;
use rord_engine::graphs;
use rord_engine::memory::predict;
use rord_engine::optim::optimizer;
use rord_engine::plan::Plan;
use rord_engine::refusals::size;
use rord_engine::step::load;
use rord_graph::flops::{Flops, flops};
use rord_graph::gradients::trained;
use rord_graph::node::Graph;
use rord_lang::constant::number;
use rord_lang::parts::Treatment;
use rord_lang::typed::{Pipeline, WeightInfo};

/// Prints every name with its type, and the weights.
pub fn types(args: &FileArgs) -> u8 {
    let Some(loaded) = load_or_report(args) else { return super::REFUSED };
    super::print(&types_text(&loaded.pipeline));
    super::print(&step_text(&loaded));
    super::DONE
}

/// What a training step takes, in a line; nothing where nothing is trained, or where a size is known to the data alone.
pub fn step_text(loaded: &Loaded) -> String {
    let pipeline = &loaded.pipeline;
    if pipeline.train.is_empty() || pipeline.objective.is_none() {
        return String::new();
    }
    let batch = pipeline.setting("train", "batch").and_then(|c| c.count()).unwrap_or_default();
    let wanted = graphs::training(pipeline);
    let Ok(graph) = graphs::graph(pipeline, &loaded.vocabulary, &wanted, &Default::default()) else {
        return String::new();
    };
    let Ok(flow) = Flow::of(&graph, trained(pipeline)) else { return String::new() };
    let Some(counted) = flops(&graph, &loaded.vocabulary, &flow.gradients, batch) else { return String::new() };
    let gflop = counted.iter().map(Flops::total).sum::<f64>() / 1e9;
    let digits = if gflop < 9.95 { 1 } else { 0 };
    format!("\na step: {gflop:.digits$} GFLOP{}\n", memory_text(loaded, &graph, &flow))
}

/// The memory that a step takes; nothing where the pipeline does not train as it is.
fn memory_text(loaded: &Loaded, graph: &Graph, flow: &Flow) -> String {
    let found = Plan::new(&loaded.pipeline, loaded.end()).ok().and_then(|plan| {
        let moments = optimizer(&plan.optimizer, &[], &[]).ok()?.moments();
        predict(graph, flow, load(&plan, moments, usize::MAX))
    });
    found.map(|p| format!(", about {}", size(p.total()))).unwrap_or_default()
}

/// Every name with its type, then the weights by model.
pub fn types_text(pipeline: &Pipeline) -> String {
    let mut out = super::columns(pipeline.names.iter().map(|n| vec![n.name.clone(), pipeline.shown(n)]));
    if !pipeline.weights.is_empty() {
        let total = pipeline.weights.iter().fold(0usize, |n, w| n.saturating_add(w.shape.iter().product()));
        let row = |(index, w): (usize, &WeightInfo)| {
            let shape: Vec<String> = w.shape.iter().map(usize::to_string).collect();
            vec![w.name.clone(), format!("[{}]", shape.join(", ")), treated(pipeline, index)]
        };
        out.push_str(&format!("\n{}{total} weights\n", super::columns(pipeline.weights.iter().enumerate().map(row))));
    }
    out
}

/// How a weight is trained, where parts of `train` say so: `lr = 0.1x, frozen = 5epochs`.
fn treated(pipeline: &Pipeline, weight: usize) -> String {
    let Treatment { lr, weight_decay, frozen } = pipeline.treatment(weight);
    let begun = pipeline
        .weights
        .get(weight)
        .and_then(|w| pipeline.parts.iter().rev().find(|p| p.holds(w) && p.field("init").is_some())?.field("init"));
    let said = [
        lr.map(|c| format!("lr = {c}")),
        weight_decay.map(|x| format!("weight_decay = {}", number(x))),
        frozen.map(|c| format!("frozen = {c}")),
        begun.map(|f| format!("init = {}", f.value)),
    ];
    said.into_iter().flatten().collect::<Vec<_>>().join(", ")
}
