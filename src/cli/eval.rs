//! `rord-run eval`: how well a trained network does what it is for.

use rord_data::picture::Picture;
use rord_lang::report::{Report, runtime};
use rord_search::chip::Options;
use rord_search::suite::{Case, Outcome, Suite};

use super::args::{EvalArgs, EvalSuite, ReportFormat};
use super::load::{Loaded, load_sound};
use super::using;

/// An answer is right within this distance of all corners, in pixels.
const WITHIN: f64 = 3.0;
/// Queries of each case, and pixels of a query's side, where nothing else is asked for.
const QUERIES: u64 = 100;
const SIDE: usize = 128;

/// Evaluates a run.
pub fn run(args: &EvalArgs) -> u8 {
    if args.suite.is_none() && args.chips.chips.is_empty() {
        return super::validation::run(args);
    }
    // What is to be said of the text was said before it was trained.
    let Some(loaded) = load_sound(args.file.path(), &args.file.changes.given()) else { return super::REFUSED };
    using::ended(attempt(args, &loaded).map(|()| !super::interrupt::stopped()), &loaded)
}

fn attempt(args: &EvalArgs, loaded: &Loaded) -> Result<(), Vec<Report>> {
    using::begin().map_err(|r| vec![r])?;
    refuse_unused(args).map_err(|r| vec![r])?;
    match suite(args) {
        EvalSuite::Find => find(args, loaded),
        EvalSuite::Cells => super::eval_cells::attempt(args, loaded),
        EvalSuite::Pairs => super::eval_pairs::attempt(args, loaded),
    }
}

/// What is measured where --in names something.
fn suite(args: &EvalArgs) -> EvalSuite {
    args.suite.unwrap_or(EvalSuite::Find)
}

/// An option of another suite would be read and do nothing.
fn refuse_unused(args: &EvalArgs) -> Result<(), Report> {
    use EvalSuite::{Cells, Find, Pairs};
    let chips = &args.chips.drawn;
    let options: [(&str, bool, &[EvalSuite]); 13] = [
        ("--queries", args.queries.is_some(), &[Find]),
        ("--side", args.side.is_some(), &[Find]),
        ("--cases", !args.cases.is_empty(), &[Find]),
        ("--seed", args.seed.is_some(), &[Find]),
        ("--crops", args.crops.is_some(), &[Find]),
        ("--cells", !args.cells.is_empty(), &[Cells]),
        ("--least", args.least.is_some(), &[Cells]),
        ("--points", args.points.is_some(), &[Pairs]),
        ("--short", args.short.is_some(), &[Pairs]),
        ("--layers", !chips.layers.is_empty(), &[Find, Cells]),
        ("--names", chips.names.is_some(), &[Find, Cells]),
        ("--resolution", chips.resolution.is_some(), &[Find, Cells]),
        ("--top", chips.top.is_some(), &[Find, Cells]),
    ];
    for (option, given, suites) in options {
        if given && !suites.contains(&suite(args)) {
            let names: Vec<&str> = suites.iter().map(|suite| name(*suite)).collect();
            let title = format!("`{option}` is no option of the suite {}", name(suite(args)));
            let help = format!("leave it out, or write --suite {}", names.join(" or --suite "));
            return Err(runtime::failed("R0909", &title, &help));
        }
    }
    let limits =
        [("--points", args.points, 4, 100_000), ("--short", args.short, 32, 20_000), ("--side", args.side, 16, 4096)];
    for (option, value, least, most) in limits {
        if value.is_some_and(|value| value < least || value > most) {
            let title = format!("`{option} {}` is out of range", value.unwrap_or_default());
            return Err(runtime::failed("R0909", &title, &format!("give a number from {least} to {most}")));
        }
    }
    if let Some(least) = args.least.filter(|least| !(*least > 0.0 && *least <= 1.0)) {
        return Err(runtime::failed("R0909", &format!("`--least {least}` is out of range"), "give a number in (0, 1]"));
    }
    Ok(())
}

fn name(suite: EvalSuite) -> &'static str {
    match suite {
        EvalSuite::Find => "find",
        EvalSuite::Cells => "cells",
        EvalSuite::Pairs => "pairs",
    }
}

fn find(args: &EvalArgs, loaded: &Loaded) -> Result<(), Vec<Report>> {
    let pictures: Vec<Picture> = using::chips(&args.chips, loaded)?.into_iter().map(|shown| shown.picture).collect();
    let cases: Vec<Case> = match args.cases.is_empty() {
        true => Case::ALL.to_vec(),
        false => args.cases.iter().map(|name| case(name)).collect::<Result<_, _>>().map_err(|r| vec![r])?,
    };
    let suite = Suite { side: args.side.unwrap_or(SIDE), seed: args.seed.unwrap_or(0) };
    let queries = args.queries.unwrap_or(QUERIES);
    if let Some(folder) = &args.crops {
        return super::crops::write(folder, &suite, &pictures, &cases, queries).map_err(|r| vec![r]);
    }
    let mut network = using::network(&args.network, loaded)?;
    let mut rows = Vec::new();
    for case in cases {
        let begin = std::time::Instant::now();
        let bar = using::Bar::new(&format!("{}: searching", case.name()));
        let outcomes = suite
            .run(&mut network, &pictures, case, queries, &Options::default(), &mut |done, all| bar.at(done, all))
            .map_err(using::refused)?;
        drop(bar);
        // What was stopped is not a measurement.
        if super::interrupt::stopped() {
            return Ok(());
        }
        match args.format {
            ReportFormat::Human => super::print(&line(case, &outcomes, begin.elapsed().as_secs_f64())),
            ReportFormat::Json => rows.push(json(case, &outcomes)),
        }
    }
    if args.format == ReportFormat::Json {
        super::print(&format!("{}\n", serde_json::json!({ "suite": "find", "within_px": WITHIN, "cases": rows })));
    }
    Ok(())
}

fn case(name: &str) -> Result<Case, Report> {
    Case::ALL.into_iter().find(|case| case.name() == name).ok_or_else(|| {
        let all: Vec<&str> = Case::ALL.iter().map(|case| case.name()).collect();
        runtime::failed("R0201", &format!("there is no case `{name}`"), &format!("cases: {}", all.join(", ")))
    })
}

fn right(outcomes: &[Outcome]) -> usize {
    outcomes.iter().filter(|o| o.error.is_some_and(|e| e < WITHIN)).count()
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

fn line(case: Case, outcomes: &[Outcome], seconds: f64) -> String {
    let n = outcomes.len();
    let share = 100.0 * right(outcomes) as f64 / n.max(1) as f64;
    let hits: Vec<f64> = outcomes.iter().filter_map(|o| o.error).filter(|e| *e < WITHIN).collect();
    let off = median(hits).map_or(String::new(), |m| format!("  median error {m:.2} px"));
    format!("{:<14} {share:5.1} %  of {n}{off}  {seconds:.1} s\n", case.name())
}

fn json(case: Case, outcomes: &[Outcome]) -> serde_json::Value {
    let errors: Vec<Option<f64>> = outcomes.iter().map(|o| o.error).collect();
    serde_json::json!({
        "case": case.name(),
        "queries": outcomes.len(),
        "right": right(outcomes),
        "errors_px": errors,
    })
}
