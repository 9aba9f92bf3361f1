//! `rord-run graph`: the graph of a pipeline, before or after any pass.

use super::args::{GraphArgs, GraphFormat, GraphLevel};
use super::load::{Loaded, load_or_report};
use rord_engine::graphs;
use rord_graph::overview::{self, Overview};
use rord_graph::print;
use rord_lang::ast::{File, ItemKind};
use rord_lang::parse;
use rord_lang::report::runtime;
use rord_lang::report::visible::visible;

/// Prints the graph.
pub fn run(args: &GraphArgs) -> u8 {
    let Some(loaded) = load_or_report(&args.file) else { return super::REFUSED };
    if let Err((title, help)) = fits(args) {
        super::print_reports(&[runtime::failed("R0909", title, help)], &loaded.sources);
        return super::REFUSED;
    }
    if args.level == GraphLevel::Overview {
        super::print_as_is(&drawn(&loaded, args.format));
        return super::DONE;
    }
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
        // Refused before.
        GraphFormat::Svg => String::new(),
    });
    super::DONE
}

/// What does not go together.
fn fits(args: &GraphArgs) -> Result<(), (&'static str, &'static str)> {
    match args.level {
        GraphLevel::Operations if args.format == GraphFormat::Svg => Err((
            "`--format svg` draws the overview, not every operation",
            "write --level overview --format svg, or --format dot for Graphviz",
        )),
        GraphLevel::Overview if args.after.is_some() || args.validation => Err((
            "`--after` and `--validation` are for the graph of operations",
            "leave them out, or write --level operations",
        )),
        _ => Ok(()),
    }
}

/// The text of a pipeline as it is written.
pub fn tree(loaded: &Loaded) -> File {
    let text = loaded.sources.get(loaded.file).map(|s| s.text.clone()).unwrap_or_else(|| "".into());
    parse::parse(&text, loaded.file).0
}

/// The overview of a pipeline, whose text this is.
pub fn overview(loaded: &Loaded, tree: &File) -> Overview {
    let formula = |name: &str| {
        tree.items.iter().find_map(|item| match &item.kind {
            ItemKind::Loss { name: own, value } | ItemKind::Metric { name: own, value } if own.text == name => {
                Some(value.span)
            }
            ItemKind::Minimize { name: own, value, .. } if own.text == name => Some(value.span),
            ItemKind::Let(binding) if binding.pattern.names().iter().any(|n| n.text == name) => {
                Some(binding.value.span)
            }
            _ => None,
        })
    };
    Overview::of(&loaded.pipeline, &|name, span| loaded.sources.text(formula(name).unwrap_or(span)).to_string())
}

fn drawn(loaded: &Loaded, format: GraphFormat) -> String {
    let all = overview(loaded, &tree(loaded));
    match format {
        GraphFormat::Text => visible(&overview::text(&all)).into_owned(),
        GraphFormat::Mermaid => overview::mermaid(&all),
        GraphFormat::Json => overview::json(&all),
        GraphFormat::Dot => overview::dot(&all),
        GraphFormat::Svg => overview::svg(&all),
    }
}
