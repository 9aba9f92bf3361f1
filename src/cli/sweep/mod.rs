//! `rord-run sweep`: one ordinary run for each point of a grid that the pipeline names.
//!
//! All points are checked before the first is trained, and the pipeline's text is read once. The sweep's folder records what
//! it is a sweep of, so that the same command continues where it was stopped, and another one is refused. Processes may share
//! the work: each claims a run before it trains it.

mod jobs;
mod kept;
mod points;
mod share;
mod table;

use std::path::{Path, PathBuf};

use super::args::{SweepArgs, Watch};
use super::init::began;
use super::load::Refused;
use super::train::{How, Place, device, one};
use super::{DONE, REFUSED, interrupt, print, print_reports, report, resume};
use points::Point;
use rord_engine::machine;
use rord_lang::report::{Report, runtime};
use rord_lang::source::Sources;
use rord_record::{InitWeights, readable};
use share::{Claim, Share};

/// Trains every point that is not finished yet.
pub fn run(args: &SweepArgs) -> u8 {
    match attempt(args) {
        Ok(code) => code,
        Err((reports, sources)) => {
            print_reports(&reports, &sources);
            REFUSED
        }
    }
}

fn attempt(args: &SweepArgs) -> Result<u8, Refused> {
    let share = Share::of(args);
    if let Share::Job { of, .. } = &share {
        machine::shared_by(*of);
    }
    let points = points::points(args, share == Share::Alone)?;
    let refused = |report| (vec![report], Sources::default());
    let Some(first) = points.first() else { return Ok(DONE) };
    let name = readable(&first.loaded.pipeline.name);
    let folder = args.out.clone().unwrap_or_else(|| Path::new("runs").join(format!("{name}-{}", args.sweep)));
    let init = began(args.place.init.as_deref(), &first.loaded).map_err(refused)?;
    let open = || kept::open(&folder, args, &points, init.as_ref().map(|(_, init)| init)).map_err(refused);
    let (code, runs) = match args.jobs.filter(|_| !args.worker) {
        Some(jobs) => {
            // What is refused for all is refused once.
            device(&args.place.device).map_err(refused)?;
            let runs = open()?;
            let left = runs.iter().filter(|run| kept::finished(run).is_none()).count();
            let tried: Vec<usize> = runs.iter().map(|run| kept::attempts(run).count()).collect();
            (jobs::run(args, usize::from(jobs).min(left.max(1)), &tried).map_err(refused)?, runs)
        }
        None => {
            let place = Place::new(&args.place).map_err(refused)?;
            let runs = open()?;
            (Sweep { args, share: &share, place, init, points: &points, runs: &runs }.all()?, runs)
        }
    };
    // Lines of JSON have nothing else between them, and of several jobs the one that started them has the table.
    let last = !matches!(share, Share::Job { .. }) && code <= REFUSED;
    if last && args.watch.progress != Watch::Json {
        print(&table::table(&points, &runs));
    }
    Ok(code)
}

/// A sweep, and what this process has to do with it.
struct Sweep<'a> {
    args: &'a SweepArgs,
    share: &'a Share,
    place: Place,
    init: Option<(PathBuf, InitWeights)>,
    points: &'a [Point],
    runs: &'a [PathBuf],
}

/// What came of a point.
enum Made {
    /// It was finished, or another process has it, or it had failed.
    Left,
    Trained,
    Failed,
    Interrupted,
    /// It was refused before it began.
    Refused,
}

impl Sweep<'_> {
    /// Every point that is this process's to train. Of several processes the last goes on until nothing is left that no other has:
    /// one that was killed leaves its run.
    fn all(&self) -> Result<u8, Refused> {
        let mut failed = false;
        loop {
            let mut trained = false;
            for number in 0..self.points.len() {
                match self.point(number)? {
                    Made::Left => {}
                    Made::Trained => trained = true,
                    Made::Failed => (trained, failed) = (true, true),
                    Made::Interrupted => {
                        let of = self.points.len();
                        eprintln!("the same command goes on with run {} of {of}", number + 1);
                        return Ok(interrupt::code());
                    }
                    // What is refused before a run begins is refused for every run.
                    Made::Refused => return Ok(REFUSED),
                }
            }
            if *self.share == Share::Alone || !trained {
                return Ok(if failed { REFUSED } else { DONE });
            }
        }
    }

    fn say(&self, line: &str) {
        if !self.args.watch.quiet {
            eprintln!("{line}");
        }
    }

    /// True where a point is left as it is: it is finished, or it failed and is not tried again.
    fn settled(&self, number: usize, run: &Path) -> bool {
        let again = match self.share {
            Share::Alone => true,
            Share::Worker => false,
            // Unless another job has done so.
            Share::Job { tried, .. } => tried.get(number).is_some_and(|&before| kept::attempts(run).count() <= before),
        };
        !again && kept::failed(run) || kept::finished(run).is_some()
    }

    fn point(&self, number: usize) -> Result<Made, Refused> {
        let (Some(point), Some(run)) = (self.points.get(number), self.runs.get(number)) else { return Ok(Made::Left) };
        let head = format!("run {} of {}: {}", number + 1, self.points.len(), point.about());
        let refused = |report: Report| (vec![report], Sources::default());
        if self.settled(number, run) {
            if *self.share == Share::Alone {
                self.say(&format!("{head}: finished already"));
            }
            return Ok(Made::Left);
        }
        let _claim = match share::claim(run, self.share).map_err(refused)? {
            Claim::Mine(lock) => lock,
            Claim::Taken { by } if *self.share == Share::Alone => {
                let title = format!("run {} of {} is being trained by {by}", number + 1, self.points.len());
                let help = "with --worker a process takes what no other has";
                return Err(refused(runtime::failed("R0914", &title, help)));
            }
            Claim::Taken { .. } => return Ok(Made::Left),
        };
        // The one that had it may have ended it meanwhile.
        if self.settled(number, run) {
            return Ok(Made::Left);
        }
        self.say(&head);
        Ok(self.train(number + 1, point, run))
    }

    fn train(&self, number: usize, point: &Point, run: &Path) -> Made {
        // What failed stays where it is; what was stopped goes on there.
        let stopped = kept::attempts(run).find(|path| resume::stopped(path, &point.loaded));
        let out = stopped.clone().unwrap_or_else(|| kept::next(run));
        let watch = self.args.watch;
        let beside = matches!(self.share, Share::Job { .. });
        let shown = watch.observer_of(&format!("run {number} of {}", self.points.len()), beside);
        let how = match &stopped {
            Some(run) => How { out: None, resume: Some(run), until: None, ranks: None, shown },
            None => How { out: Some(out.as_path()), resume: None, until: None, ranks: None, shown },
        };
        let path = stopped.as_deref().unwrap_or_else(|| self.args.file.path());
        match one(&point.loaded, &point.plan, path, &self.place, self.init.clone(), how) {
            Ok(summary) if summary.interrupted => Made::Interrupted,
            Ok(summary) => {
                report::at_end(&summary, &point.loaded, watch.speaks());
                Made::Trained
            }
            Err(reports) => {
                print_reports(&reports, &point.loaded.sources);
                if out.exists() { Made::Failed } else { Made::Refused }
            }
        }
    }
}
