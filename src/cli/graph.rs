//! `rord-run graph`: the graph of a pipeline, before or after any pass.

use super::args::{GraphArgs, GraphFormat};
use super::load::load_or_report;
use rord_engine::graphs;
use rord_graph::print;

/// Prints the graph.
pub fn run(args: &GraphArgs) -> u8 {
    let Some(loaded) = load_or_report(&args.file) else { return super::REFUSED };
    let (pipeline, vocabulary) = (&loaded.pipeline, &loaded.vocabulary);
    let wanted = match args.validation {
        true => graphs::validation(pipeline),
        false => graphs::training(pipeline),
    };
    let graph = match graphs::up_to(pipeline, vocabulary, &wanted, &Default::default(), args.after.as_deref()) {
        Ok(graph) => graph,
        Err(stop) => {
            super::print_reports(&stop.reports(), &loaded.sources);
            return super::REFUSED;
        }
    };
    super::print(&match args.format {
        GraphFormat::Text => print::text(&graph, &loaded.vocabulary),
        GraphFormat::Mermaid => print::mermaid(&graph, &loaded.vocabulary),
        GraphFormat::Json => print::json(&graph, &loaded.vocabulary),
        GraphFormat::Dot => print::dot(&graph, &loaded.vocabulary),
    });
    super::DONE
}
