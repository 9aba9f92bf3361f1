//! `rord-run explain`: the manual at hand.

use super::args::ExplainArgs;
use crate::lang::report::{closest, pages, runtime};
use crate::lang::source::Sources;
use crate::ops;

/// Prints a page of the manual.
pub fn run(args: &ExplainArgs) -> u8 {
    let (vocabulary, sources) = ops::vocabulary();
    if args.name == "ops" {
        let mut out = String::new();
        for chapter in ops::chapters::CHAPTERS {
            let usages: Vec<String> = chapter
                .names
                .iter()
                .filter_map(|name| match name.strip_prefix("fn ") {
                    Some(name) => vocabulary.function_usage(name),
                    None => vocabulary.usage(name).filter(|_| vocabulary.callable(name)),
                })
                .collect();
            if !usages.is_empty() {
                out.push_str(&format!("# {}\n\n{}\n\n", chapter.title, usages.join("\n")));
            }
        }
        super::print(&format!("{}\n", out.trim_end()));
        return super::DONE;
    }
    if let Some(page) = pages::page(&args.name) {
        super::print(page);
        return super::DONE;
    }
    if args.name == "reports" {
        super::print(include_str!("../../docs/reports/README.md"));
        return super::DONE;
    }
    if let Some((file, formula)) = args.name.rsplit_once(':')
        && file.ends_with(".rord")
    {
        return super::formula::run(std::path::Path::new(file), formula, &args.changes.given());
    }
    // `cosine` is a schedule and a function.
    let found = [vocabulary.operation_page(&args.name), vocabulary.function_page(&args.name, &sources)];
    let found: Vec<String> = found.iter().flatten().map(|p| format!("{}\n\n{}\n", p.signature, p.manual)).collect();
    if !found.is_empty() {
        super::print(&found.join("\n"));
        return super::DONE;
    }
    let help = match closest(&args.name, vocabulary.names()) {
        Some(near) => format!("did you mean `{near}`? `rord-run explain ops` lists all operations"),
        None => "`rord-run explain ops` lists all operations, `rord-run explain reports` all reports".into(),
    };
    let report = runtime::failed("R0818", &format!("there is no page called `{}`", args.name), &help);
    super::print_reports(&[report], &Sources::default());
    super::REFUSED
}
