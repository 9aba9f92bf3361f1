//! The folder of a run: a new one with its texts and record, or that of a run that is taken up where it was saved last.

use std::path::Path;
use std::time::SystemTime;

use super::{Options, STATE};
use crate::data_files;
use crate::machine;
use crate::note::Note;
use crate::plan::Plan;
use crate::pretrained::Taken;
use crate::refusals::{self, Stop};
use crate::source::{DataSource, SourceError};
use crate::state::{Identity, StateError};
use crate::step::Stepper;
use rord_kernels::simd::Simd;
use rord_lang::typed::Pipeline;
use rord_record::{
    BegunPart, DATA, DataFiles, FORMAT, Live, Machine, MemoryUse, Record, Resumed, RunFolder, Status, fingerprint,
    lock, timestamp,
};

/// A record that is open, and what a person is told of a run that was taken up.
type Opened = (Live, Vec<String>);

/// The folder of a new run, with the texts that are run and the record.
pub(super) fn open(
    pipeline: &Pipeline,
    plan: &Plan,
    options: &Options,
    stepper: &mut Stepper,
    data: &DataSource,
) -> Result<Opened, Stop> {
    let now = SystemTime::now();
    let mut files = Vec::new();
    // Of processes that share a run one writes.
    let opened = match options.leads() {
        false => None,
        true => {
            let folder = RunFolder::create(options.out.as_deref(), Path::new("runs"), &pipeline.name, now)?;
            let lock = lock(folder.path())?;
            folder.sweep();
            for (path, text) in &options.texts {
                folder.write_text(path, text)?;
            }
            let list;
            (files, list) = hashed(plan)?;
            if !list.is_empty() {
                folder.write_text(Path::new(DATA), &list)?;
            }
            Some((folder, lock))
        }
    };
    let graph = stepper.fingerprint.clone();
    stepper.state.identity = identity(options, graph.clone(), stepper, data);
    let mut record = Record {
        rord: env!("CARGO_PKG_VERSION").into(),
        format: FORMAT,
        pipeline: pipeline.name.clone(),
        source: options.source.clone(),
        command: options.command.clone(),
        graph,
        text: options.text.clone(),
        texts: options.texts.iter().map(|(path, text)| (name(path).into(), text_hash(text).into())).collect(),
        data: files,
        status: Status::Running,
        started: timestamp(now),
        resumed: Vec::new(),
        finished: None,
        machine: Some(Machine::here()),
        device: options.device_name.clone(),
        instructions: Simd::in_use().into(),
        threads: rayon::current_num_threads(),
        processes: options.processes(),
        exchange: None,
        memory: Some(memory(stepper)),
        seed: plan.seed,
        init: options.init.as_ref().map(|(_, init)| init.clone()),
        parts: stepper.taken.iter().map(begun).collect(),
        params: Default::default(),
        origins: Default::default(),
        epochs_done: 0,
        epoch_seconds: Vec::new(),
        step: None,
        best: None,
        kept: Vec::new(),
        stopped: None,
        error: None,
        validation: Default::default(),
    };
    for param in &pipeline.params {
        if let Some(value) = &param.value {
            record.param(&param.name, value, &param.origin.to_string());
        }
    }
    let live = match opened {
        Some((folder, lock)) => Live::open(folder, record, lock)?,
        None => Live::aside(RunFolder::open(options.out.as_deref().unwrap_or(Path::new("runs"))), record),
    };
    Ok((live, Vec::new()))
}

/// A path as records have it on every system.
fn name(path: &Path) -> String {
    path.components().map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/")
}

/// The hash of a text, for the record.
fn text_hash(text: &str) -> String {
    fingerprint(&blake3::hash(text.as_bytes()), 16)
}

/// The files of the data, and their list.
fn hashed(plan: &Plan) -> Result<(Vec<DataFiles>, String), Stop> {
    data_files::hashed(&plan.datasets).map_err(|e| Stop::Refused(refusals::data_of(plan, 0, &SourceError::Data(e))))
}

/// The memory that a run takes, as far as it is known by now.
pub(super) fn memory(stepper: &Stepper) -> MemoryUse {
    let megabytes = |bytes: usize| (bytes as u64).div_ceil(1_000_000);
    MemoryUse {
        foretold_mb: stepper.foretold.as_ref().map(|all| megabytes(all.total())),
        taken_mb: machine::peak_memory().map(megabytes),
    }
}

/// True where a run can be taken up from a saved state, rather than from its beginning.
pub fn resumable(run: &Path) -> bool {
    run.join(STATE).is_file()
}

/// Removes what a finished run needs no more: its state, and what killed writers left. The folder is locked by this process.
pub fn put_away(folder: &RunFolder) {
    folder.sweep();
    // Nothing goes on from it any more. Where it cannot be removed, it is in nobody's way.
    let _ = std::fs::remove_file(folder.file(STATE));
}

/// Takes up a run of the same texts. Without a state it was killed before its first, and begins anew; of what it wrote after its last
/// one, the lines of `metrics.jsonl` are cut off, and files are written again.
pub(super) fn take_up(
    path: &Path,
    plan: &Plan,
    options: &Options,
    stepper: &mut Stepper,
    data: &DataSource,
) -> Result<Opened, Stop> {
    let folder = RunFolder::open(path);
    let lock = options.leads().then(|| lock(path)).transpose()?;
    if lock.is_some() {
        folder.sweep();
    }
    let record = folder.read_record()?;
    let graph = stepper.fingerprint.clone();
    if record.graph != graph {
        let reason = "this version of rord makes another graph of its text".to_string();
        return Err(StateError::OtherRun { path: path.into(), reason }.into());
    }
    let (files, _) = hashed(plan)?;
    if let Some(other) = files.iter().find(|own| record.data.iter().any(|d| d.name == own.name && d.hash != own.hash)) {
        let reason = format!("the files of `{}` have changed since the run began; {DATA} has their hashes", other.name);
        return Err(StateError::OtherRun { path: path.into(), reason }.into());
    }
    stepper.state.identity = identity(options, graph, stepper, data);
    let mut notes = Vec::new();
    if resumable(path) {
        stepper.state.load(&folder.file(STATE))?;
        // What was taken from other files was said when the run began.
        stepper.taken.clear();
        let state = &stepper.state;
        notes.push(format!("goes on after step {} of epoch {}", stepper.done(), state.epochs + 1));
    } else {
        notes.push("it was not saved yet, and begins anew".to_string());
    }
    let state = &stepper.state;
    notes.extend(other_machine(&record, options));
    notes.extend(other_best(&folder, stepper));
    let mut record = record;
    if record.epochs_done != state.epochs {
        record.validation = Default::default();
    }
    record.status = Status::Running;
    record.finished = None;
    record.stopped = None;
    record.error = None;
    record.epochs_done = state.epochs;
    record.epoch_seconds.truncate(usize::try_from(state.epochs).unwrap_or(usize::MAX));
    record.best = state.best.clone();
    record.kept = state.kept.iter().map(super::kept).collect();
    record.threads = rayon::current_num_threads();
    record.processes = options.processes();
    record.device = options.device_name.clone();
    record.resumed.push(Resumed { at: timestamp(SystemTime::now()), step: state.steps });
    let live = match lock {
        Some(lock) => Live::open(folder, record, lock)?,
        None => Live::aside(folder, record),
    };
    Ok((live, notes))
}

/// True where both may be the same: `cuda` is the GPU that is a process's own among several.
fn same_device(one: &str, other: &str) -> bool {
    let kind = |name: &str| name.split(':').next().unwrap_or_default().to_string();
    one == other || kind(one) == kind(other) && [one, other].iter().any(|name| !name.contains(':'))
}

/// What is said where a run goes on with other instructions: its last bits are then others.
fn other_machine(record: &Record, options: &Options) -> Option<String> {
    let (now, before) = (Simd::chosen().name(), record.instructions.as_str());
    if !same_device(&record.device, &options.device_name) {
        let (from, to) = (&record.device, &options.device_name);
        return Some(format!(
            "warning: it began on {from} and goes on on {to}: the last digits of its numbers will differ"
        ));
    }
    let other = !before.is_empty() && before != now;
    other.then(|| {
        format!(
            "warning: it began with the instructions {before} and goes on with {now}: the last digits of its numbers will differ"
        )
    })
}

/// What is said of a file of the best weights that is not of the best epoch that the state knows.
fn other_best(folder: &RunFolder, stepper: &Stepper) -> Option<String> {
    let best = stepper.state.best.as_ref()?;
    let path = folder.file("best.safetensors");
    if !path.exists() {
        let name = path.display();
        return Some(format!(
            "warning: {name} is gone; it is written again by an epoch that is better than {}",
            best.epoch
        ));
    }
    let note = Note::read(&path)?;
    match note {
        note if note.text != stepper.state.identity.text => {
            Some(format!("warning: {} is of another run", path.display()))
        }
        note if note.epoch > best.epoch => Some(format!(
            "{} is of epoch {}, which was not saved as a whole, and is made again",
            path.display(),
            note.epoch
        )),
        note if note.epoch < best.epoch => {
            let (own, found) = (best.epoch, note.epoch);
            Some(format!("warning: {} is of epoch {found}, and the best epoch is {own}", path.display()))
        }
        _ => None,
    }
}

/// What the states of a run have in common.
fn identity(options: &Options, graph: String, stepper: &Stepper, data: &DataSource) -> Identity {
    Identity { text: options.text.clone(), graph, steps: stepper.steps, data: data.batches.about() }
}

/// What a part began with, for the record.
fn begun(taken: &Taken) -> BegunPart {
    BegunPart {
        part: taken.part.clone(),
        file: taken.file.clone(),
        hash: taken.hash.clone(),
        under: taken.under.clone(),
        matched: taken.by.to_string(),
        took: taken.took.iter().map(|(weight, tensor)| (weight.as_str().into(), tensor.as_str().into())).collect(),
        left: taken.left.clone(),
        random: taken.random.clone(),
    }
}
