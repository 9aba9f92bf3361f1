//! The folder of a sweep: what it is a sweep of, and what has become of each of its runs.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::super::args::SweepArgs;
use super::super::init::hash;
use super::points::Point;
use rord_engine::refusals;
use rord_files::{Action, FileError, write_atomic};
use rord_lang::report::{Report, runtime};
use rord_lang::source::{FileId, Source, SourceKind};
use rord_lang::typed::ParamInfo;
use rord_record::folder::OTHER_FOLDER;
use rord_record::{Best, InitWeights, RunFolder, Status, fingerprint};

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

/// The sweep's folder, new or as it was left: the folder of every run.
pub fn open(
    folder: &Path,
    args: &SweepArgs,
    points: &[Point],
    init: Option<&InitWeights>,
) -> Result<Vec<PathBuf>, Report> {
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
    let found = match read(&file)? {
        Some(found) => found,
        None => {
            let made = RunFolder::create(Some(folder), Path::new("runs"), "", SystemTime::now());
            match made {
                Ok(_) => {
                    let text = serde_yaml::to_string(&record).unwrap_or_default();
                    write_atomic(&file, text.as_bytes()).map_err(|e| refusals::file(&e))?;
                    text
                }
                // Another process that works on the same sweep may have been first.
                Err(e) => read(&file)?.ok_or_else(|| runtime::failed("R0914", &e.to_string(), OTHER_FOLDER))?,
            }
        }
    };
    let found: Option<SweepRecord> = serde_yaml::from_str(&found).ok();
    let other = match &found {
        Some(found) => record.other_than(found),
        None => vec!["a sweep.yaml that this version does not write"],
    };
    if !other.is_empty() {
        let title = format!("{} holds another sweep, with {}", folder.display(), other.join(" and "));
        return Err(runtime::failed("R0932", &title, OTHER_FOLDER));
    }
    Ok(record.runs.iter().map(|run| folder.join(run)).collect())
}

/// The text of `sweep.yaml`, where it is there.
fn read(file: &Path) -> Result<Option<String>, Report> {
    match std::fs::read_to_string(file) {
        Ok(text) => Ok(Some(text)),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => {
            let e = FileError::at(Action::Read, file)(e);
            Err(refusals::file(&e))
        }
    }
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

/// A run's folder, and those of further attempts at it, whether they were made or not.
fn places(run: &Path) -> impl Iterator<Item = PathBuf> + '_ {
    let again = |n: u32| PathBuf::from(format!("{}-{n}", run.display()));
    std::iter::once(run.to_path_buf()).chain((2..1000).map(again))
}

/// The attempts at a run so far.
pub fn attempts(run: &Path) -> impl Iterator<Item = PathBuf> + '_ {
    places(run).take_while(|path| path.exists())
}

/// Where the next attempt at a run is made.
pub fn next(run: &Path) -> PathBuf {
    places(run).find(|path| !path.exists()).unwrap_or_else(|| run.into())
}

/// The attempt that came to its end, with its best value.
pub fn finished(run: &Path) -> Option<(PathBuf, Option<Best>)> {
    let record = |path: PathBuf| RunFolder::open(&path).read_record().ok().map(|record| (path, record));
    attempts(run).filter_map(record).find(|(_, r)| r.status == Status::Finished).map(|(path, r)| (path, r.best))
}

/// True where the last attempt at a run failed.
pub fn failed(run: &Path) -> bool {
    let record = attempts(run).last().and_then(|path| RunFolder::open(&path).read_record().ok());
    record.is_some_and(|record| record.status == Status::Failed)
}
