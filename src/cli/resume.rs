//! `rord-run resume`: goes on with a run that was interrupted, killed or ended by an error, from its last state to the end that it would
//! have had.

use std::path::Path;

use super::args::{ResumeArgs, WatchArgs};
use super::load::{Loaded, NAME_A_RUN, a_run, load_given};
use super::train::{self, How, Place};
use super::{exhausted, init, print_reports, together};
use rord_engine::plan::Plan;
use rord_engine::train::{put_away, resumable};
use rord_lang::report::{Report, any_error, runtime};
use rord_project::keep::text_hash;
use rord_project::outside::Given;
use rord_record::progress::go_on;
use rord_record::{Record, RunFolder, Status, lock, locked};

/// Goes on with a run.
pub fn run(args: &ResumeArgs) -> u8 {
    together::all(|| go(&args.run, args.device.as_deref(), args.watch))
}

/// Goes on with the run in a folder, on the device that it ran on unless another is named.
pub fn go(run: &Path, device: Option<&str>, watch: WatchArgs) -> u8 {
    if let Err(report) = a_run(run, NAME_A_RUN) {
        print_reports(&[report], &Default::default());
        return super::REFUSED;
    }
    let loaded = match load_given(run, &Given::default()) {
        Ok(loaded) => loaded,
        Err((reports, sources)) => {
            print_reports(&reports, &sources);
            return super::REFUSED;
        }
    };
    print_reports(&loaded.reports, &loaded.sources);
    if any_error(&loaded.reports) {
        return super::REFUSED;
    }
    match attempt(run, device, &loaded, watch) {
        Ok(code) => code,
        Err(reports) => {
            print_reports(&reports, &loaded.sources);
            super::REFUSED
        }
    }
}

fn attempt(folder: &Path, device: Option<&str>, loaded: &Loaded, watch: WatchArgs) -> Result<u8, Vec<Report>> {
    let record = loaded.run.as_ref().map(|run| run.record.clone());
    let record = record.ok_or_else(|| vec![runtime::failed("R0817", "this is no run", "")])?;
    if record.status == Status::Finished {
        if together::leads() {
            eprintln!("{} is finished; nothing is left to do", folder.display());
        }
        // One that was killed as it ended has not put everything away.
        if let Ok(_lock) = lock(folder) {
            put_away(&RunFolder::open(folder));
        }
        return Ok(super::DONE);
    }
    if let Some(report) = refused(folder, &record, loaded)? {
        return Err(vec![report]);
    }
    train::as_recorded(&record.instructions);
    let plan = Plan::new(&loaded.pipeline, loaded.end())?;
    let place = device.map_or_else(|| Place::recorded(&record.device), Place::named).map_err(|r| vec![r])?;
    // A state has all weights; the file that they began with may be gone.
    let init = match resumable(folder) {
        true => None,
        false => init::began(None, loaded).map_err(|r| vec![r])?,
    };
    exhausted::spare();
    let how = How { out: None, resume: Some(folder), until: None, ranks: together::ranks(), shown: watch.observer() };
    let summary = train::one(loaded, &plan, folder, &place, init, how)?;
    Ok(train::ended(&summary, loaded, watch))
}

/// Why a run cannot be taken up.
fn refused(folder: &Path, record: &Record, loaded: &Loaded) -> Result<Option<Report>, Vec<Report>> {
    let name = folder.display();
    let refused = |what: String, help: &str| Ok(Some(runtime::failed("R0935", &what, help)));
    let again = format!("repeat it from its beginning:  rord-run {name} --out OTHER");
    if record.text.is_empty() {
        return refused(format!("{name} is of a version of rord whose runs cannot be taken up"), &again);
    }
    let found = text_hash(&loaded.kept().map_err(|r| vec![r])?);
    if found != record.text {
        let help = "a run goes on with the text and the parameters that it began with; train what is changed into another folder";
        return refused(format!("the text or the parameters in {name} have changed since the run began"), help);
    }
    // The first of several processes locks it for all of them.
    if together::leads() && locked(folder) {
        let error = lock(folder).err().map_or_else(|| format!("{name} is in use"), |e| e.to_string());
        return refused(error, "that process makes this run; wait until it has ended");
    }
    Ok(None)
}

/// Removes what a run left that was killed while its folder was made, before it had a record: texts as they would be written again.
pub fn clean(out: &Path, loaded: &Loaded) -> Result<(), Report> {
    for (place, text) in loaded.kept()? {
        let path = out.join(place);
        if std::fs::read(&path).is_ok_and(|found| found == text.as_bytes()) {
            // What stays is named where the folder is opened.
            let _ = std::fs::remove_file(&path);
            let folders = path.ancestors().skip(1).take_while(|folder| *folder != out);
            folders.for_each(|folder| drop(std::fs::remove_dir(folder)));
        }
    }
    Ok(())
}

/// True for the folder of a run of this text and these parameters that was stopped or killed, and did not fail.
pub fn stopped(run: &Path, loaded: &Loaded) -> bool {
    let Ok(record) = RunFolder::open(run).read_record() else { return false };
    let same = || loaded.kept().is_ok_and(|kept| text_hash(&kept) == record.text);
    matches!(record.status, Status::Interrupted | Status::Running) && same()
}

/// What a folder that `train` is to write to holds of the same pipeline.
pub enum Before {
    /// Nothing, or something else: `train` says what.
    Nothing,
    /// A run of the same text and parameters that came to its end.
    Finished,
    /// A run of the same text and parameters that did not.
    Unfinished,
    /// A run of another text, or with other parameters.
    Other,
}

impl Before {
    /// What is in `out`.
    pub fn of(out: &Path, loaded: &Loaded) -> Result<Self, Report> {
        let Ok(record) = RunFolder::open(out).read_record() else { return Ok(Self::Nothing) };
        let same = record.text == text_hash(&loaded.kept()?);
        Ok(match record.status {
            _ if !same => Self::Other,
            Status::Finished => Self::Finished,
            Status::Running | Status::Interrupted | Status::Failed => Self::Unfinished,
        })
    }

    /// The report on a folder that `train` is not to write to.
    pub fn report(&self, out: &Path, auto: bool) -> Option<Report> {
        let name = out.display();
        let failed = |title: String, help: String| Some(runtime::failed("R0935", &title, &help));
        match self {
            Self::Unfinished if !auto => failed(
                format!("{name} holds a run of this text that did not come to its end"),
                format!("{}\nor give --auto-resume, which does so; or name another folder with --out", go_on(out)),
            ),
            Self::Other if auto => failed(
                format!("{name} holds a run of another text, or with other parameters"),
                "--auto-resume goes on with a run of the same text and parameters; name another folder with --out"
                    .into(),
            ),
            _ => None,
        }
    }
}
