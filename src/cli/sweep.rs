//! `rord-run sweep`: one ordinary run for each point of a grid that the pipeline names.
//!
//! All points are checked before the first is trained, and the pipeline's text is read once. The sweep's folder records what
//! it is a sweep of, so that the same command continues where it was stopped, and another one is refused.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::args::{SweepArgs, Watch};
use super::columns;
use super::init::{began, hash};
use super::interrupt;
use super::load::{Loaded, Refused, load, load_text};
use super::report;
use super::resume;
use super::train::{Place, resume_one, train_one};
use rord_engine::plan::Plan;
use rord_engine::schedule::Mode;
use rord_files::{Action, FileError, write_atomic};
use rord_lang::constant::Constant;
use rord_lang::report::{Report, params, plural, runtime};
use rord_lang::source::{FileId, Source, SourceKind, Sources, Span};
use rord_lang::typed::{self, Origin, ParamInfo};
use rord_project::outside::Given;
use rord_record::folder::OTHER_FOLDER;
use rord_record::progress::short;
use rord_record::{Best, InitWeights, RunFolder, Status, fingerprint, readable};

/// The most runs of a sweep.
const MOST_RUNS: usize = 1000;

/// `sweep.yaml`: what the folder is a sweep of.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct SweepRecord {
    rord: String,
    pipeline: String,
    sweep: String,
    source: String,
    /// The hash of all texts but the language's own.
    texts: String,
    /// The hash of every run's parameters.
    params: String,
    /// The hash of the weights that runs begin with, or take from a file for a frozen model.
    weights: String,
    runs: Vec<String>,
}

impl SweepRecord {
    /// What decides results and is not the same in another record.
    fn other_than(&self, other: &SweepRecord) -> Vec<&'static str> {
        let parts = [
            (self.texts == other.texts, "other texts"),
            (self.params == other.params, "other parameters"),
            (self.weights == other.weights, "other weights"),
        ];
        parts.into_iter().filter(|(same, _)| !same).map(|(_, part)| part).collect()
    }
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
    let Some(first) = points.first() else { return Ok(super::DONE) };
    let name = readable(&first.loaded.pipeline.name);
    let folder = args.out.clone().unwrap_or_else(|| Path::new("runs").join(format!("{name}-{}", args.sweep)));
    let init = began(args.place.init.as_deref(), &first.loaded).map_err(refused)?;
    let runs = open(&folder, args, &points, init.as_ref().map(|(_, init)| init)).map_err(refused)?;
    let mut failed = false;
    let say = |line: &str| {
        if !args.watch.quiet {
            eprintln!("{line}");
        }
    };
    for (number, (point, run)) in points.iter().zip(&runs).enumerate() {
        let head = format!("run {} of {}: {}", number + 1, points.len(), point.about());
        if finished(run).is_some() {
            say(&format!("{head}: finished already"));
            continue;
        }
        say(&head);
        // What failed stays where it is; what was stopped goes on there.
        let stopped = attempts(run).take_while(|path| path.exists()).find(|path| resume::stopped(path, &point.loaded));
        let out = stopped.clone().or_else(|| attempts(run).find(|path| !path.exists())).unwrap_or_else(|| run.clone());
        let made = match &stopped {
            Some(run) => resume_one(&point.loaded, &point.plan, &place, init.clone(), run, args.watch),
            None => {
                let (path, out) = (args.file.path(), Some(out.as_path()));
                train_one(&point.loaded, &point.plan, path, &place, init.clone(), out, args.watch)
            }
        };
        match made {
            Ok(summary) if summary.interrupted => {
                eprintln!("the same command goes on with run {} of {}", number + 1, points.len());
                return Ok(interrupt::code());
            }
            Ok(summary) => report::at_end(&summary, &point.loaded, args.watch.speaks()),
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
    // Lines of JSON have nothing else between them.
    if args.watch.progress != Watch::Json {
        super::print(&table(&points, &runs));
    }
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
        if rord_lang::report::any_error(&loaded.reports) {
            return Err((loaded.reports, loaded.sources));
        }
        let plan = Plan::new(&loaded.pipeline, loaded.end()).map_err(|reports| (reports, loaded.sources.clone()))?;
        points.push(Point { set, loaded, plan });
    }
    Ok(points)
}

/// The sweep's folder, new or as it was left: the folder of every run.
fn open(folder: &Path, args: &SweepArgs, points: &[Point], init: Option<&InitWeights>) -> Result<Vec<PathBuf>, Report> {
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
        texts: texts(points),
        params: values(points),
        weights: weights(points, init)?,
        runs: points.iter().enumerate().map(name).collect(),
    };
    let file = folder.join("sweep.yaml");
    let failed = |e: FileError| runtime::failed("R0914", &e.to_string(), e.help());
    match std::fs::read_to_string(&file) {
        Ok(text) => {
            let found: Option<SweepRecord> = serde_yaml::from_str(&text).ok();
            let other = match &found {
                Some(found) => record.other_than(found),
                None => vec!["a sweep.yaml that this version does not write"],
            };
            if !other.is_empty() {
                let title = format!("{} holds another sweep, with {}", folder.display(), other.join(" and "));
                return Err(runtime::failed("R0932", &title, OTHER_FOLDER));
            }
        }
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            RunFolder::create(Some(folder), Path::new("runs"), "", std::time::SystemTime::now())
                .map_err(|e| runtime::failed("R0914", &e.to_string(), OTHER_FOLDER))?;
            let text = serde_yaml::to_string(&record).unwrap_or_default();
            write_atomic(&file, text.as_bytes()).map_err(failed)?;
        }
        Err(e) => return Err(failed(FileError::at(Action::Read, &file)(e))),
    }
    Ok(record.runs.iter().map(|run| folder.join(run)).collect())
}

/// A hash of parts. The length of each is hashed with it, so that parts are not confused.
fn hashed(parts: impl IntoIterator<Item = String>) -> String {
    let mut hash = blake3::Hasher::new();
    for part in parts {
        hash.update(&(part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    fingerprint(&hash.finalize(), 16)
}

/// The hash of every text that is not the language's own.
fn texts(points: &[Point]) -> String {
    let run = |(_, source): &(FileId, &Source)| matches!(source.kind, SourceKind::Main | SourceKind::Import);
    hashed(points.iter().flat_map(|p| p.loaded.sources.all().filter(run)).map(|(_, source)| source.text.to_string()))
}

/// The hash of every run's parameters.
fn values(points: &[Point]) -> String {
    let value = |p: &ParamInfo| p.value.as_ref().map(ToString::to_string).unwrap_or_default();
    let params = points.iter().flat_map(|point| &point.loaded.pipeline.params);
    hashed(params.map(|param| format!("{} = {}", param.name, value(param))))
}

/// The hash of the weights that runs begin with, and of those that their frozen models take from files.
fn weights(points: &[Point], init: Option<&InitWeights>) -> Result<String, Report> {
    let models = points.iter().flat_map(|point| &point.loaded.pipeline.models);
    let files: BTreeSet<&String> = models.filter_map(|model| model.frozen.as_ref()?.as_ref()).collect();
    let mut parts: Vec<String> = init.map(|init| init.hash.clone()).into_iter().collect();
    for file in files {
        let content = hash(Path::new(file)).map_err(|e| runtime::failed("R0913", &e.to_string(), e.help()))?;
        parts.push(format!("{file} {content}"));
    }
    Ok(hashed(parts))
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
