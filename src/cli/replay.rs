//! `rord-run replay`: makes a run again and compares its bytes, or makes one step of it and prints the range of every value.

mod shown;

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::args::{ReplayArgs, ReportFormat};
use super::load::{Loaded, NAME_A_RUN, a_run, load_sound};
use super::train::{How, Place, as_recorded, one};
use super::{init, interrupt, print_reports};
use rord_engine::plan::Plan;
use rord_engine::refusals;
use rord_engine::refusals::Stop;
use rord_engine::replay::{self, Replayed};
use rord_engine::train::{STATE, resumable};
use rord_engine::{compare, kept, state};
use rord_kernels::simd::{Simd, VARIABLE};
use rord_lang::report::{Report, plural, runtime};
use rord_project::outside::Given;
use rord_record::progress::go_on;
use rord_record::terminal::Busy;
use rord_record::{Observer, Record, RecordError, Started, Status, Step, metrics};

/// Makes a run or a step again.
pub fn run(args: &ReplayArgs) -> u8 {
    let folder = args.run.as_path();
    if let Err(report) = a_run(folder, NAME_A_RUN) {
        print_reports(&[report], &Default::default());
        return super::REFUSED;
    }
    let Some(loaded) = load_sound(folder, &Given::default()) else { return super::REFUSED };
    let done = match args.step {
        Some(number) => step(args, number, &loaded),
        None => whole(args, &loaded),
    };
    done.unwrap_or_else(|reports| {
        print_reports(&reports, &loaded.sources);
        super::REFUSED
    })
}

/// A folder that is removed again.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        Self(std::env::temp_dir().join(format!("rord-replay-{}", std::process::id())))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed lies where systems tidy up.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// How far it is, on the terminal's last line.
struct Shown {
    busy: Busy,
    all: u64,
}

impl Observer for Shown {
    fn name(&self) -> &'static str {
        "replay"
    }

    fn busy(&mut self, what: &str) {
        self.busy.now(what);
    }

    fn started(&mut self, run: &Started<'_>) -> Result<(), RecordError> {
        self.all = run.epochs.saturating_mul(run.steps);
        Ok(())
    }

    fn step(&mut self, step: &Step<'_>) -> Result<(), RecordError> {
        self.busy.now(&format!("step {} of {}", step.step + 1, self.all));
        Ok(())
    }
}

fn shown() -> Box<dyn Observer> {
    Box::new(Shown { busy: Busy::new("making the run again"), all: 0 })
}

fn record(loaded: &Loaded) -> Result<&Record, Vec<Report>> {
    let record = loaded.run.as_ref().map(|run| &run.record);
    record.ok_or_else(|| vec![runtime::failed("R0817", "this is no run", "name the folder of a run")])
}

fn file(e: rord_files::FileError) -> Vec<Report> {
    vec![refusals::file(&e)]
}

/// One step.
fn step(args: &ReplayArgs, number: u64, loaded: &Loaded) -> Result<u8, Vec<Report>> {
    let (folder, record) = (args.run.as_path(), record(loaded)?);
    as_recorded(&record.instructions);
    let plan = Plan::new(&loaded.pipeline, loaded.end())?;
    let kept = replay::failed(&loaded.pipeline, &loaded.vocabulary, &plan, folder, number).map_err(Stop::reports)?;
    let found = match kept {
        Some(found) if !found.is_finite() => found,
        // What is finite failed in the update, which takes what the optimizer remembers.
        kept => match (kept, reached(args, number, loaded, &plan, record)?) {
            (_, None) => return Ok(interrupt::code()),
            (None, Some(found)) => found,
            (Some(kept), Some(found)) => Replayed { update: found.update, ..kept },
        },
    };
    let written = shown::written(folder, number);
    let after = number.saturating_add(1);
    let beside = found.update.as_ref().filter(|update| update.refused.is_none()).map(|u| u.beside(folder, after));
    let beside = beside.transpose().map_err(Stop::reports)?.unwrap_or_default();
    match args.format {
        ReportFormat::Json => super::print(&format!("{}\n", shown::object(&found, loaded, written.as_ref(), &beside))),
        ReportFormat::Human => {
            let written = written.as_ref();
            let update = shown::update(&found, written, &beside);
            super::print(&format!("{}{update}", shown::text(&found, loaded, folder, written)));
        }
    }
    Ok(if beside.iter().all(|file| file.same) { super::DONE } else { super::REFUSED })
}

/// A step that did not fail: from the last state before it, or from the beginning.
fn reached(
    args: &ReplayArgs,
    number: u64,
    loaded: &Loaded,
    plan: &Plan,
    record: &Record,
) -> Result<Option<Replayed>, Vec<Report>> {
    let (folder, scratch) = (args.run.as_path(), Scratch::new());
    let place = Place::named(&record.device).map_err(|r| vec![r])?;
    let taken = resumable(folder) && state::steps(&folder.join(STATE)).is_some_and(|steps| steps <= number);
    let (init, resume) = match taken {
        true => {
            copy(folder, &scratch.0).map_err(file)?;
            (None, Some(scratch.0.as_path()))
        }
        false => (init::began(None, loaded).map_err(|r| vec![r])?, None),
    };
    let how = How { out: Some(&scratch.0), resume, until: Some(number), ranks: None, shown: shown() };
    let summary = one(loaded, plan, folder, &place, init, how)?;
    match summary.replayed {
        Some(found) => Ok(Some(found)),
        None if summary.interrupted => Ok(None),
        None => {
            let title = format!("{} has no step {number}: it has {} epochs", folder.display(), summary.epochs);
            Err(vec![runtime::failed("R0935", &title, "steps count from 0 over the whole run, as in metrics.jsonl")])
        }
    }
}

/// Copies what a run is taken up from.
fn copy(from: &Path, to: &Path) -> Result<(), rord_files::FileError> {
    let made = rord_files::FileError::at(rord_files::Action::MakeFolder, to);
    std::fs::create_dir_all(to).map_err(made)?;
    for entry in std::fs::read_dir(from).map_err(rord_files::FileError::at(rord_files::Action::List, from))?.flatten() {
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        let name = entry.file_name().to_string_lossy().into_owned();
        if path.is_dir() {
            copy(&path, &target)?;
        } else if !name.starts_with("nan-") && !name.starts_with('.') {
            std::fs::copy(&path, &target).map_err(rord_files::FileError::at(rord_files::Action::Write, &target))?;
        }
    }
    Ok(())
}

/// A file that was made again.
struct Compared {
    file: String,
    same: bool,
    /// In words, where it is not the same.
    how: String,
}

/// The step of which a run kept what it failed at.
fn failed(folder: &Path) -> Option<u64> {
    let names = std::fs::read_dir(folder).ok()?.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    let step = |name: String| name.strip_prefix("nan-")?.strip_suffix(".safetensors")?.parse().ok();
    names.filter_map(step).max()
}

/// The whole run.
fn whole(args: &ReplayArgs, loaded: &Loaded) -> Result<u8, Vec<Report>> {
    let (folder, before) = (args.run.as_path(), record(loaded)?);
    if before.status != Status::Finished {
        let title = format!("{} did not come to its end, so there is none to compare with", folder.display());
        let help = match failed(folder) {
            Some(step) => format!("look at the step that failed:  rord-run replay {} --step {step}", folder.display()),
            None => format!("{}\nor look at one step:  rord-run replay {} --step N", go_on(folder), folder.display()),
        };
        return Err(vec![runtime::failed("R0935", &title, &help)]);
    }
    as_recorded(&before.instructions);
    let here = Simd::in_use();
    if !before.instructions.is_empty() && before.instructions != here {
        let own = &before.instructions;
        eprintln!(
            "warning: it was made with the instructions {own}, and this is {here}: the last digits will differ; \
             {VARIABLE}={own} asks for those where a machine has them"
        );
    }
    let plan = Plan::new(&loaded.pipeline, loaded.end())?;
    let place = Place::named(&before.device).map_err(|r| vec![r])?;
    let init = init::began(None, loaded).map_err(|r| vec![r])?;
    let scratch = Scratch::new();
    let out = args.out.as_deref().unwrap_or(&scratch.0);
    let summary = one(
        loaded,
        &plan,
        folder,
        &place,
        init,
        How { out: Some(out), resume: None, until: None, ranks: None, shown: shown() },
    )?;
    if summary.interrupted {
        return Ok(interrupt::code());
    }
    let compared = compared(folder, out)?;
    let same = compared.iter().all(|file| file.same);
    match args.format {
        ReportFormat::Json => {
            let files: Vec<Value> =
                compared.iter().map(|f| json!({ "file": f.file, "same": f.same, "how": f.how })).collect();
            super::print(&format!(
                "{}\n",
                json!({ "run": folder.display().to_string(), "same": same, "instructions": here, "files": files })
            ));
        }
        ReportFormat::Human => {
            let rows = compared.iter().map(|f| {
                vec![f.file.clone(), if f.same && f.how.is_empty() { "same bytes".into() } else { f.how.clone() }]
            });
            super::print(&super::columns(rows));
            let end = if same {
                "the run was made again, bit by bit"
            } else {
                "the run was made again, and came out otherwise"
            };
            super::print(&format!(
                "{end}: {}, {here}, {}\n",
                plural(compared.len(), "file"),
                plural(rayon::current_num_threads(), "thread")
            ));
        }
    }
    Ok(if same { super::DONE } else { super::REFUSED })
}

/// The files of a run beside those of the run made again: weights, and the metrics where they are there.
fn compared(before: &Path, now: &Path) -> Result<Vec<Compared>, Vec<Report>> {
    let mut names: Vec<String> = std::fs::read_dir(before)
        .map_err(|e| file(rord_files::FileError::at(rord_files::Action::List, before)(e)))?
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| {
            name.ends_with(".safetensors") && name != STATE && !name.starts_with("nan-") || name == metrics::FILE
        })
        .collect();
    names.sort_by_key(|name| (!kept::KEPT.contains(&name.as_str()), name.clone()));
    let one = |name: String| -> Result<Compared, Vec<Report>> {
        let (old, new) = (before.join(&name), now.join(&name));
        if !new.exists() {
            return Ok(Compared { file: name, same: false, how: "was not made again".into() });
        }
        if name == metrics::FILE {
            let read = |path: &Path| rord_files::whole(path).map_err(file);
            let (old, new) = (read(&old)?, read(&new)?);
            let line = old.split(|b| *b == b'\n').zip(new.split(|b| *b == b'\n')).position(|(a, b)| a != b);
            let how = line.map_or_else(|| "one is longer".to_string(), |n| format!("line {} is another", n + 1));
            return Ok(Compared { file: name, same: old == new, how: if old == new { String::new() } else { how } });
        }
        let found = compare::weights(&old, &new).map_err(|e| vec![rord_engine::refusals::weights(&e)])?;
        let how = match &found.largest {
            _ if found.same_bytes => String::new(),
            _ if found.same_numbers => "same numbers, other notes beside them".into(),
            Some((by, tensor)) if found.other.is_empty() => format!("differs by up to {by:.1e}, in {tensor}"),
            _ => format!("has other tensors: {}", found.other.join(", ")),
        };
        Ok(Compared { file: name, same: found.same_numbers, how })
    };
    names.into_iter().map(one).collect()
}
