//! What a person sees of a run: one line an epoch on stdout and, on a terminal, a view of the run below them on stderr.
//!
//! ```text
//! epoch  3/20  train 1.482  val 1.391  detection 0.402  description 0.989  lr 1e-3     12.3 s  best
//! ```

use std::io::{IsTerminal, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use console::Term;

use super::figures::Smooth;
pub use super::figures::{rate, short, time};
use super::observer::{Epoch, Finding, Finished, Observer, Started, Step};
use super::terminal::{Bottom, Shown};
use super::view::View;
use super::{RecordError, Status, terminal};
use rord_lang::report::visible::visible_but_colors;
use rord_lang::report::{grouped, plural};

/// Shows a run as it goes. Nothing here can fail a run: a closed pipe is ignored.
pub struct Progress {
    epochs: u64,
    steps: u64,
    /// Results and the lines of epochs.
    out: Box<dyn Write + Send>,
    /// Notes, and how far a long epoch has come where there is no view.
    aside: Box<dyn Write + Send>,
    view: Option<(Shown, Arc<Mutex<View>>)>,
    /// Whether the terminal has rows that are drawn again, of this run or of something else.
    drawn: bool,
    /// What lines begin with: which of several runs this is.
    head: String,
    /// Nothing is written but how the run ended.
    quiet: bool,
    color: bool,
    /// Whether lines are folded to the width of the terminal that they are written to.
    folds: bool,
    started: Instant,
    /// When the last line was written, since `started`.
    last: Duration,
    /// Steps since `started`: fewer than the run has made where it was resumed.
    done: u64,
    /// The objective and its parts by name.
    smooth: Vec<(String, Smooth)>,
}

/// The line that says how a run goes on.
pub fn go_on(folder: &Path) -> String {
    let name = folder.display().to_string();
    let plain = |c: char| c.is_alphanumeric() || "/._-+=,:@%".contains(c);
    let name = match !name.is_empty() && name.chars().all(plain) {
        true => name,
        false => format!("'{}'", name.replace('\'', "'\\''")),
    };
    format!("go on with:  rord-run resume {name}")
}

/// The least time between two plain lines within an epoch.
const BETWEEN: Duration = Duration::from_secs(10);

impl Progress {
    /// Lines, and below them a view where stderr is a terminal that can move its cursor (`TERM` is not `dumb`). There is color where
    /// `NO_COLOR` is not set.
    pub fn view() -> Self {
        let mut progress = Self::lines();
        progress.show(terminal::bottom(), terminal::colored());
        progress
    }

    /// Lines alone.
    pub fn lines() -> Self {
        let color = terminal::colored() && std::io::stdout().is_terminal();
        let mut progress = Self::onto(Box::new(std::io::stdout()), Box::new(std::io::stderr()), color);
        (progress.folds, progress.drawn) = (true, true);
        progress
    }

    /// How the run ended, and nothing else.
    pub fn quiet() -> Self {
        Self { quiet: true, ..Self::lines() }
    }

    /// For one run of several on the same terminal: `run` begins every line.
    pub fn of(self, run: &str) -> Self {
        Self { head: format!("{run}: "), ..self }
    }

    fn onto(out: Box<dyn Write + Send>, aside: Box<dyn Write + Send>, color: bool) -> Self {
        Self {
            epochs: 0,
            steps: 0,
            out,
            aside,
            view: None,
            drawn: false,
            head: String::new(),
            quiet: false,
            color,
            folds: false,
            started: Instant::now(),
            last: Duration::ZERO,
            done: 0,
            smooth: Vec::new(),
        }
    }

    fn show(&mut self, bottom: Option<&Arc<Bottom>>, color: bool) {
        self.view = bottom.map(|bottom| {
            let view = Arc::new(Mutex::new(View::new(color)));
            (bottom.show(view.clone()), view)
        });
    }

    /// Changes what the view shows.
    fn viewed(&self, change: impl FnOnce(&mut View)) {
        if let Some((shown, view)) = &self.view {
            // Let go before anything is drawn.
            change(&mut view.lock().unwrap_or_else(PoisonError::into_inner));
            shown.bottom().touch();
        }
    }

    /// The time begins to count, for a run of `epochs` epochs of `steps` steps.
    fn begin(&mut self, names: &[&str], epochs: u64, steps: u64) {
        (self.epochs, self.steps, self.started) = (epochs, steps, Instant::now());
        self.smooth = names.iter().map(|name| (name.to_string(), Smooth::default())).collect();
    }

    /// `done` steps of `epoch` (from 1) have been taken.
    fn step_at(&mut self, now: Duration, epoch: u64, done: u64, values: &[(&str, f64)]) {
        for ((_, smooth), (_, value)) in self.smooth.iter_mut().zip(values) {
            smooth.add(*value);
        }
        self.done += 1;
        // The line of the epoch follows its last step at once.
        if self.view.is_none() && !self.quiet && now.saturating_sub(self.last) >= BETWEEN && done < self.steps {
            self.last = now;
            let made = epoch.saturating_sub(1) * self.steps + done;
            let left = (self.epochs * self.steps).saturating_sub(made);
            let left = now.as_secs_f64() / self.done as f64 * left as f64;
            let line = format!("{}  step {done}/{}  {}", self.place(epoch), self.steps, self.fields(left).join("  "));
            self.write(&line, false);
        }
    }

    fn epoch_line(&mut self, epoch: &Epoch<'_>) {
        let of = |numbers: &[(&str, f64)]| numbers.iter().find(|(n, _)| *n == epoch.objective).map(|(_, x)| *x);
        let parts = if epoch.validation.is_empty() { epoch.train } else { epoch.validation };
        self.last = self.started.elapsed();
        let mut line = format!("{}  train {:>5}", self.place(epoch.epoch), short(of(epoch.train).unwrap_or(f64::NAN)));
        if let Some(val) = of(epoch.validation) {
            line += &format!("  val {:>5}", short(val));
        }
        for (name, value) in parts.iter().filter(|(n, _)| *n != epoch.objective) {
            line += &format!("  {name} {:>5}", short(*value));
        }
        for (name, value) in epoch.timed {
            line += &format!("  {name} {:>5}", short(*value));
        }
        line += &format!("  lr {:<7}  {:>6}", rate(epoch.lr), time(epoch.took.as_secs_f64()));
        if epoch.best {
            line += if self.color { "  \x1b[32mbest\x1b[0m" } else { "  best" };
        }
        self.write(&line, true);
        self.smooth.iter_mut().for_each(|(_, smooth)| *smooth = Smooth::default());
    }

    /// The run has ended: the view goes, `text` stays as the last line.
    fn finish(&mut self, text: &str) {
        (self.view, self.quiet) = (None, false);
        self.write(text, true);
    }

    fn write(&mut self, line: &str, result: bool) {
        if self.quiet {
            return;
        }
        let term = if result { Term::stdout() } else { Term::stderr() };
        let columns = (self.folds && term.is_term()).then(|| usize::from(term.size().1));
        let line = format!("{}{line}", self.head);
        let line = &*visible_but_colors(&line);
        let line = columns.map_or_else(|| line.to_string(), |width| terminal::folded(line, width));
        let to = if result { &mut self.out } else { &mut self.aside };
        let mut write = || {
            let _ = writeln!(to, "{line}").and_then(|()| to.flush());
        };
        match (&self.view, self.drawn) {
            (Some((shown, _)), _) => shown.bottom().above(write),
            (None, true) => terminal::above(write),
            (None, false) => write(),
        }
    }

    /// `epoch  3/20`, as wide in every epoch.
    fn place(&self, epoch: u64) -> String {
        let of = self.epochs.to_string();
        format!("epoch {epoch:>width$}/{of}", width = of.len())
    }

    /// The objective, the time left, the parts.
    fn fields(&self, left: f64) -> Vec<String> {
        let losses = self.smooth.iter().map(|(name, s)| format!("{name} {:>5}", short(s.value)));
        let mut fields: Vec<String> = losses.collect();
        let left = Duration::try_from_secs_f64(left).unwrap_or(Duration::MAX);
        fields.insert(fields.len().min(1), format!("{} left", time(left.as_secs_f64())));
        fields
    }
}

impl Observer for Progress {
    fn name(&self) -> &'static str {
        "terminal"
    }

    fn busy(&mut self, what: &str) {
        self.viewed(|view| view.busy(what));
    }

    fn started(&mut self, run: &Started<'_>) -> Result<(), RecordError> {
        let count = |n: u64, noun: &str| plural(usize::try_from(n).unwrap_or(usize::MAX), noun);
        let record = run.record.get();
        let line = format!(
            "{}: {} weights, {}, {} of {} of {} {}, on {} ({})",
            record.pipeline,
            grouped(run.weights),
            run.data,
            count(run.epochs, "epoch"),
            count(run.steps, "step"),
            run.batch,
            run.noun,
            record.device,
            plural(record.threads, "thread"),
        );
        self.write(&line, false);
        self.write(&format!("writing to {}", run.record.path().display()), false);
        self.begin(run.names, run.epochs, run.steps);
        self.viewed(|view| view.started(run));
        Ok(())
    }

    fn step(&mut self, step: &Step<'_>) -> Result<(), RecordError> {
        let now = self.started.elapsed();
        self.step_at(now, step.epoch, step.done, step.values);
        self.viewed(|view| view.step(now, step));
        Ok(())
    }

    fn epoch(&mut self, epoch: &Epoch<'_>) -> Result<(), RecordError> {
        self.viewed(|view| view.ended(epoch));
        self.epoch_line(epoch);
        Ok(())
    }

    fn found(&mut self, finding: &Finding) -> Result<(), RecordError> {
        self.viewed(|view| view.found(finding));
        Ok(())
    }

    fn note(&mut self, text: &str) -> Result<(), RecordError> {
        self.write(text, false);
        Ok(())
    }

    fn finished(&mut self, end: &Finished<'_>) -> Result<(), RecordError> {
        match end.status {
            Status::Interrupted => {
                let place = match end.done < end.steps {
                    true => format!("stopped in epoch {} after {}", end.epoch, plural(end.done as usize, "step")),
                    false => format!("stopped in the validation of epoch {}", end.epoch),
                };
                let kept = end.weights.map(|path| format!("; weights in {}", path.display()));
                self.finish(&format!("{place}{}", kept.unwrap_or_default()));
                if end.resumable {
                    self.write(&go_on(end.folder), false);
                }
            }
            Status::Finished => {
                let best = end.best.map(|b| format!("best {} = {} in epoch {}, ", b.watch, short(b.value), b.epoch));
                self.finish(&format!("{}written to {}", best.unwrap_or_default(), end.folder.display()));
            }
            // What ended it follows as a report.
            Status::Running | Status::Failed => self.view = None,
        }
        Ok(())
    }
}

#[cfg(test)]
pub(crate) mod tests;
