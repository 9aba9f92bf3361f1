//! `rord-run explain`: the manual at hand.

use super::args::ExplainArgs;
use crate::lang::report::{closest, pages, runtime};
use crate::lang::source::Sources;
use crate::ops;

/// Prints a page of the manual.
pub fn run(args: &ExplainArgs) -> u8 {
    let (vocabulary, _) = ops::vocabulary();
    if args.name == "ops" {
        let mut out = String::new();
        for name in vocabulary.names() {
            out.push_str(&format!("{}\n", vocabulary.usage(name).unwrap_or_default()));
        }
        super::print(&out);
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
        return super::formula::run(std::path::Path::new(file), formula);
    }
    if let Some(operation) = vocabulary.operation(&args.name) {
        super::print(&format!("{}\n\n{}", operation.entry.signature, operation.entry.manual));
        return super::DONE;
    }
    if let Some(function) = vocabulary.function(&args.name) {
        let usage = vocabulary.usage(&args.name).unwrap_or_default();
        let body = crate::lang::tree::function_text(&function.function).replace('\n', "\n    ");
        super::print(&format!(
            "{usage}\n\n{}\n\nIt is written in the language itself:\n\n    {body}\n",
            function.doc.join("\n")
        ));
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
