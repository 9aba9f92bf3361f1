//! `rord-run sweep`: one ordinary run for each point of a grid that the pipeline names.
//!
//! All points are checked before the first is trained, and the pipeline's text is read once. The sweep's folder remembers what it is a sweep of, so the
//! same command goes on where it was stopped, and another one is refused.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::args::SweepArgs;
use super::columns;
use super::load::{Loaded, Refused, load, load_text};
use super::train::{INTERRUPTED, Place, train_one};
use rord_engine::plan::Plan;
use rord_engine::schedule::Mode;
use rord_files::{Action, FileError, write_atomic};
use rord_lang::constant::Constant;
use rord_lang::report::{Report, params, plural, runtime};
use rord_lang::source::{FileId, Sources, Span};
use rord_lang::typed;
use rord_project::outside::Given;
use rord_record::progress::short;
use rord_record::{Best, RunFolder, Status, readable};

/// The most runs of a sweep.
const MOST_RUNS: usize = 1000;

/// `sweep.yaml`: what the folder is a sweep of.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct SweepRecord {
    rord: String,
    pipeline: String,
    sweep: String,
    source: String,
    /// The hash of all texts and of every run's parameters.
    fingerprint: String,
    runs: Vec<String>,
}

/// A point of the grid: `lr = 3e-4, margin = 0.5`.
struct Point {
    set: Vec<(String, Constant)>,
    loaded: Loaded,
    plan: Plan,
}

impl Point {
    fn about(&self) -> String {
        let set: Vec<String> = self.set.iter().map(|(name, value)| format!("{name} = {value}")).collect();
        set.join(", ")
    }
}

/// Trains every point that is not finished yet.
pub fn run(args: &SweepArgs) -> u8 {
    match attempt(args) {
        Ok(code) => code,
        Err((reports, sources)) => {
            super::print_reports(&reports, &sources);
            super::REFUSED
        }
    }
}

fn attempt(args: &SweepArgs) -> Result<u8, Refused> {
    let points = points(args)?;
    let refused = |report| (vec![report], Sources::default());
    let place = Place::new(&args.place).map_err(refused)?;
    let init = super::init::weights(args.place.init.as_deref()).map_err(refused)?;
    let Some(first) = points.first() else { return Ok(super::DONE) };
    let name = readable(&first.loaded.pipeline.name);
    let folder = args.out.clone().unwrap_or_else(|| Path::new("runs").join(format!("{name}-{}", args.sweep)));
    let runs = open(&folder, args, &points).map_err(refused)?;
    let mut failed = false;
    for (number, (point, run)) in points.iter().zip(&runs).enumerate() {
        let head = format!("run {} of {}: {}", number + 1, points.len(), point.about());
        if finished(run).is_some() {
            eprintln!("{head}: finished already");
            continue;
        }
        eprintln!("{head}");
        // What was stopped before stays where it is.
        let out = attempts(run).find(|path| !path.exists()).unwrap_or_else(|| run.clone());
        match train_one(&point.loaded, &point.plan, args.file.path(), &place, init.as_deref(), Some(&out)) {
            Ok(summary) if summary.interrupted => {
                eprintln!("the same command goes on with run {} of {}", number + 1, points.len());
                return Ok(INTERRUPTED);
            }
            Ok(_) => {}
            // What is refused before a run begins is refused for every run.
            Err(reports) if !out.exists() => {
                super::print_reports(&reports, &point.loaded.sources);
                return Ok(super::REFUSED);
            }
            Err(reports) => {
                super::print_reports(&reports, &point.loaded.sources);
                failed = true;
            }
        }
    }
    super::print(&table(&points, &runs));
    Ok(if failed { super::REFUSED } else { super::DONE })
}

/// Every point of the grid, checked; the last parameter changes fastest.
fn points(args: &SweepArgs) -> Result<Vec<Point>, Refused> {
    let loaded = load(&args.file)?;
    if rord_lang::report::any_error(&loaded.reports) {
        return Err((loaded.reports, loaded.sources));
    }
    super::print_reports(&loaded.reports, &loaded.sources);
    let text = loaded.sources.get(loaded.file).map(|s| s.text.clone()).unwrap_or_else(|| "".into());
    let mut sources = loaded.sources;
    let mut place = |start: usize, text: String| {
        let end = text.len() as u32;
        Span { file: sources.add("command line", text.as_str()), start: start as u32, end }
    };
    let Some((_, axes)) = loaded.pipeline.sweeps.iter().find(|(name, _)| *name == args.sweep) else {
        let known: Vec<&str> = loaded.pipeline.sweeps.iter().map(|(name, _)| name.as_str()).collect();
        let head = format!("sweep {} ", args.file.path().display());
        let report = params::no_such_sweep(place(head.len(), format!("{head}{}", args.sweep)), &args.sweep, &known);
        return Err((vec![report], sources));
    };
    let twice =
        args.file.changes.set.iter().find(|set| axes.iter().any(|(name, _)| set.split('=').next() == Some(name)));
    if let Some(set) = twice {
        let report = params::set_and_swept(place(6, format!("--set {set}")), &args.sweep);
        return Err((vec![report], sources));
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
        if rord_lang::report::any_error(&loaded.reports) {
            return Err((loaded.reports, loaded.sources));
        }
        let plan = Plan::new(&loaded.pipeline, loaded.end()).map_err(|reports| (reports, loaded.sources.clone()))?;
        points.push(Point { set, loaded, plan });
    }
    Ok(points)
}

/// The sweep's folder, new or as it was left: the folder of every run.
fn open(folder: &Path, args: &SweepArgs, points: &[Point]) -> Result<Vec<PathBuf>, Report> {
    let name = |(number, point): (usize, &Point)| {
        let plain = |c: char| if c.is_alphanumeric() || "=._-".contains(c) { c } else { '-' };
        let set: Vec<String> = point.set.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let text: String = set.join(",").chars().map(|c| if c == ',' { c } else { plain(c) }).take(80).collect();
        format!("{:0width$}-{text}", number + 1, width = points.len().to_string().len())
    };
    let record = SweepRecord {
        rord: env!("CARGO_PKG_VERSION").into(),
        pipeline: points.first().map(|p| p.loaded.pipeline.name.clone()).unwrap_or_default(),
        sweep: args.sweep.clone(),
        source: args.file.path().display().to_string(),
        fingerprint: fingerprint(points),
        runs: points.iter().enumerate().map(name).collect(),
    };
    let file = folder.join("sweep.yaml");
    let failed = |e: FileError| runtime::failed("R0914", &e.to_string(), e.help());
    match std::fs::read_to_string(&file) {
        Ok(text) => {
            let found: Option<SweepRecord> = serde_yaml::from_str(&text).ok();
            if found.is_none_or(|f| f.fingerprint != record.fingerprint) {
                let title = format!("{} holds another sweep", folder.display());
                let help = format!("the pipeline or its parameters have changed since; {}", super::OTHER_FOLDER);
                return Err(runtime::failed("R0932", &title, &help));
            }
        }
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            RunFolder::create(Some(folder), Path::new("runs"), "", std::time::SystemTime::now())
                .map_err(|e| runtime::failed("R0914", &e.to_string(), super::OTHER_FOLDER))?;
            let text = serde_yaml::to_string(&record).unwrap_or_default();
            write_atomic(&file, text.as_bytes()).map_err(failed)?;
        }
        Err(e) => return Err(failed(FileError::at(Action::Read, &file)(e))),
    }
    Ok(record.runs.iter().map(|run| folder.join(run)).collect())
}

/// The hash of what is run: every text that is not the language's own, and every run's parameters.
fn fingerprint(points: &[Point]) -> String {
    let mut hash = blake3::Hasher::new();
    let mut add = |text: &str| {
        hash.update(&(text.len() as u64).to_le_bytes());
        hash.update(text.as_bytes());
    };
    for point in points {
        let texts = (point.loaded.file.0..).map_while(|file| point.loaded.sources.get(FileId(file)));
        texts.filter(|s| s.name.ends_with(".rord")).for_each(|s| add(&s.text));
        for param in &point.loaded.pipeline.params {
            add(&format!("{} = {}", param.name, param.value.as_ref().map(ToString::to_string).unwrap_or_default()));
        }
    }
    format!("b3:{}", hash.finalize().to_hex().as_str().get(..16).unwrap_or(""))
}

/// A run's folder, and those of further attempts at it.
fn attempts(run: &Path) -> impl Iterator<Item = PathBuf> + '_ {
    let again = |n: u32| PathBuf::from(format!("{}-{n}", run.display()));
    std::iter::once(run.to_path_buf()).chain((2..1000).map(again))
}

/// The attempt that came to its end, with its best value.
fn finished(run: &Path) -> Option<(PathBuf, Option<Best>)> {
    let record = |path: PathBuf| RunFolder::open(&path).read_record().ok().map(|record| (path, record));
    let mut records = attempts(run).take_while(|path| path.exists()).filter_map(record);
    records.find(|(_, r)| r.status == Status::Finished).map(|(path, r)| (path, r.best))
}

/// All runs, the best first.
fn table(points: &[Point], runs: &[PathBuf]) -> String {
    let mode = points.first().map_or(Mode::Minimize, |p| p.plan.best.1);
    let mut rows: Vec<(Option<f64>, String, String)> = points
        .iter()
        .zip(runs)
        .map(|(point, run)| match finished(run) {
            Some((path, best)) => (best.map(|b| b.value), point.about(), path.display().to_string()),
            None => (None, point.about(), "not finished".to_string()),
        })
        .collect();
    let order = |a: &f64, b: &f64| if mode == Mode::Minimize { a.total_cmp(b) } else { b.total_cmp(a) };
    rows.sort_by(|(a, ..), (b, ..)| match (a, b) {
        (Some(a), Some(b)) => order(a, b),
        (a, b) => b.is_some().cmp(&a.is_some()),
    });
    let watched = points.first().map(|p| &p.plan.best.0);
    let head = watched.map(|w| format!("{}.{}", if w.validation { "val" } else { "train" }, w.name));
    let shown = |x: Option<f64>| x.map_or("-".to_string(), short);
    let mut cells = vec![vec![head.unwrap_or_default(), "set".to_string(), "folder".to_string()]];
    cells.extend(rows.into_iter().map(|(value, set, path)| vec![shown(value), set, path]));
    format!("{}\n{}", plural(points.len(), "run"), columns(cells))
}
