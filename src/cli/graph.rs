//! `rord-run graph`: the graph of a pipeline, before or after any pass.

use super::args::{GraphArgs, GraphFormat};
use super::load::load_or_report;
use rord_graph::node::Role;
use rord_graph::{build, passes, print};
use rord_lang::report::runtime;

/// Prints the graph.
pub fn run(args: &GraphArgs) -> u8 {
    let Some(loaded) = load_or_report(&args.file) else { return super::REFUSED };
    let wanted: &[Role] = match args.validation {
        true => &[Role::Objective, Role::Loss, Role::Metric],
        false => &[Role::Objective, Role::Loss],
    };
    let mut graph = build::build(&loaded.pipeline, &loaded.vocabulary, wanted);
    if args.after.as_deref() != Some("build")
        && let Err(broken) = passes::run(&mut graph, &loaded.vocabulary, args.after.as_deref())
    {
        let report = runtime::failed(
            "R0999",
            &format!("the graph is broken: {broken}"),
            "this is a mistake of rord; please report it",
        );
        super::print_reports(&[report], &loaded.sources);
        return super::REFUSED;
    }
    super::print(&match args.format {
        GraphFormat::Text => print::text(&graph, &loaded.vocabulary),
        GraphFormat::Mermaid => print::mermaid(&graph, &loaded.vocabulary),
        GraphFormat::Json => print::json(&graph, &loaded.vocabulary),
        GraphFormat::Dot => print::dot(&graph, &loaded.vocabulary),
    });
    super::DONE
}
