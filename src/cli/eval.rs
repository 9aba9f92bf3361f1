//! `rord-run eval`: how well a trained network does what it is for.

use rord_data::picture::Picture;
use rord_lang::report::{Report, runtime};
use rord_search::chip::Options;
use rord_search::suite::{Case, Outcome, Suite};

use super::args::{EvalArgs, ReportFormat};
use super::load::{Loaded, load_sound};
use super::using;

/// An answer is right within this distance of all corners, in pixels.
const WITHIN: f64 = 3.0;

/// Evaluates a run.
pub fn run(args: &EvalArgs) -> u8 {
    if args.suite.is_none() && args.chips.chips.is_empty() {
        return super::validation::run(args);
    }
    // What is to be said of the text was said before it was trained.
    let Some(loaded) = load_sound(args.file.path(), &args.file.changes.given()) else { return super::REFUSED };
    match attempt(args, &loaded) {
        Ok(()) => super::DONE,
        Err(reports) => {
            super::print_reports(&reports, &loaded.sources);
            super::REFUSED
        }
    }
}

fn attempt(args: &EvalArgs, loaded: &Loaded) -> Result<(), Vec<Report>> {
    if let Some(threads) = args.network.threads {
        super::train::set_threads(threads).map_err(|r| vec![r])?;
    }
    let pictures: Vec<Picture> = using::chips(&args.chips, loaded)?.into_iter().map(|shown| shown.picture).collect();
    let cases: Vec<Case> = match args.cases.is_empty() {
        true => Case::ALL.to_vec(),
        false => args.cases.iter().map(|name| case(name)).collect::<Result<_, _>>().map_err(|r| vec![r])?,
    };
    let suite = Suite { side: args.side, seed: args.seed };
    if let Some(folder) = &args.crops {
        return super::crops::write(folder, &suite, &pictures, &cases, args.queries).map_err(|r| vec![r]);
    }
    let mut network = using::network(&args.network, loaded)?;
    let mut rows = Vec::new();
    for case in cases {
        let begin = std::time::Instant::now();
        let bar = using::Bar::new(&format!("{}: searching", case.name()));
        let outcomes = suite
            .run(&mut network, &pictures, case, args.queries, &Options::default(), &mut |done, all| bar.at(done, all))
            .map_err(using::refused)?;
        drop(bar);
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
