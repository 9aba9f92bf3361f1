//! The points of a sweep's grid: each is the pipeline with other parameters, checked before any is trained.

use super::super::args::SweepArgs;
use super::super::load::{Loaded, Refused, load, load_text};
use rord_engine::plan::Plan;
use rord_lang::constant::Constant;
use rord_lang::report::{any_error, params};
use rord_lang::source::{SourceKind, Span};
use rord_lang::typed::{self, Origin, ParamInfo};
use rord_project::outside::Given;

/// The most runs of a sweep.
const MOST_RUNS: usize = 1000;

/// A point of the grid: `lr = 3e-4, margin = 0.5`.
pub struct Point {
    pub set: Vec<(String, Constant)>,
    pub loaded: Loaded,
    pub plan: Plan,
}

impl Point {
    /// What it sets.
    pub fn about(&self) -> String {
        let set: Vec<String> = self.set.iter().map(|(name, value)| format!("{name} = {value}")).collect();
        set.join(", ")
    }
}

/// Every point of the grid, checked; the last parameter changes fastest.
pub fn points(args: &SweepArgs, say: bool) -> Result<Vec<Point>, Refused> {
    let loaded = load(&args.file)?;
    if any_error(&loaded.reports) {
        return Err((loaded.reports, loaded.sources));
    }
    if say {
        super::super::print_reports(&loaded.reports, &loaded.sources);
    }
    let text = loaded.sources.get(loaded.file).map(|s| s.text.clone()).unwrap_or_else(|| "".into());
    let mut sources = loaded.sources;
    let Some((_, axes)) = loaded.pipeline.sweeps.iter().find(|(name, _)| *name == args.sweep) else {
        let known: Vec<&str> = loaded.pipeline.sweeps.iter().map(|(name, _)| name.as_str()).collect();
        let head = format!("sweep {} ", args.file.path().display());
        let text = format!("{head}{}", args.sweep);
        let (start, end) = (head.len() as u32, text.len() as u32);
        let file = sources.add(SourceKind::CommandLine, "command line", text);
        return Err((vec![params::no_such_sweep(Span { file, start, end }, &args.sweep, &known)], sources));
    };
    let swept = |p: &&ParamInfo| p.origin == Origin::Set && axes.iter().any(|(name, _)| *name == p.name);
    if let Some(param) = loaded.pipeline.params.iter().find(swept) {
        return Err((vec![params::set_and_swept(param.value_span, &args.sweep)], sources));
    }
    let runs = typed::points(axes);
    if runs == 0 || runs > MOST_RUNS {
        return Err((vec![params::sweep_size(&args.sweep, runs, MOST_RUNS)], sources));
    }
    let mut points = Vec::new();
    for number in 0..runs {
        let mut rest = number;
        let mut set: Vec<(String, Constant)> = Vec::new();
        for (name, values) in axes.iter().rev() {
            if let Some(value) = values.get(rest % values.len().max(1)) {
                set.push((name.clone(), value.clone()));
            }
            rest /= values.len().max(1);
        }
        set.reverse();
        let given = Given { point: Some((&args.sweep, &set)), ..args.file.changes.given() };
        let loaded = load_text(args.file.path(), &text, &given)?;
        if any_error(&loaded.reports) {
            return Err((loaded.reports, loaded.sources));
        }
        let plan = Plan::new(&loaded.pipeline, loaded.end()).map_err(|reports| (reports, loaded.sources.clone()))?;
        points.push(Point { set, loaded, plan });
    }
    Ok(points)
}
