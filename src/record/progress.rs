//! What a person sees of a run: one line an epoch on stdout and, on a terminal, a bar below it on stderr.
//!
//! ```text
//! epoch  3/20  train 1.482  val 1.391  detection 0.402  description 0.989  lr 1e-3     12.3 s  best
//! epoch  4/20 ━━━━╶──── 120/400  total 1.377  8 min 20 s left  detection 0.398  description 0.979
//! ```

use std::io::{IsTerminal, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use console::Term;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::observer::{Epoch, Finished, Observer, Started, Step};
use super::{RecordError, Status, terminal};
use rord_lang::constant;
use rord_lang::report::visible::visible_but_colors;
use rord_lang::report::{grouped, plural};

/// Shows a run as it goes. Nothing here can fail a run: a closed pipe is ignored.
pub struct Progress {
    epochs: u64,
    steps: u64,
    /// Results and the lines of epochs.
    out: Box<dyn Write + Send>,
    /// Notes, and how far a long epoch has come where there is no bar.
    aside: Box<dyn Write + Send>,
    bar: Option<ProgressBar>,
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
    /// On the terminal. There is a bar where stderr is a terminal that can move its cursor (`TERM` is not `dumb`), and
    /// color where stdout is one and `NO_COLOR` is not set.
    pub fn terminal() -> Self {
        let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let able = variable("TERM").is_none_or(|term| term != "dumb");
        let bar = terminal::stderr();
        let color = able && variable("NO_COLOR").is_none() && std::io::stdout().is_terminal();
        let mut progress = Self::onto(Box::new(std::io::stdout()), Box::new(std::io::stderr()), bar, color);
        progress.folds = true;
        progress
    }

    fn onto(
        out: Box<dyn Write + Send>,
        aside: Box<dyn Write + Send>,
        bar: Option<ProgressDrawTarget>,
        color: bool,
    ) -> Self {
        // `wide_msg` cuts the line at the terminal's width, whatever that is; fields come in the order of their weight.
        let style = || ProgressStyle::with_template("{wide_msg}").unwrap_or_else(|_| ProgressStyle::default_bar());
        let drawn = |target| {
            let bar = ProgressBar::with_draw_target(None, target).with_style(style());
            terminal::tick(&bar);
            bar
        };
        Self {
            epochs: 0,
            steps: 0,
            out,
            aside,
            bar: bar.map(drawn),
            color,
            folds: false,
            started: Instant::now(),
            last: Duration::ZERO,
            done: 0,
            smooth: Vec::new(),
        }
    }

    /// Shown on a terminal only, where a part without steps takes its time.
    fn show_busy(&self, what: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(match self.steps {
                0 => what.to_string(),
                steps => format!("{} {what}", self.place((self.done / steps + 1).min(self.epochs))),
            });
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
        let made = epoch.saturating_sub(1) * self.steps + done;
        let left = (self.epochs * self.steps).saturating_sub(made);
        let left = now.as_secs_f64() / self.done as f64 * left as f64;
        match &self.bar {
            Some(bar) => bar.set_message(self.live(epoch, done, left)),
            // The line of the epoch follows its last step at once.
            None if now.saturating_sub(self.last) >= BETWEEN && done < self.steps => {
                self.last = now;
                let line = format!("{}  step {done}/{}", self.place(epoch), self.steps);
                let line = format!("{line}  {}", self.fields(left).join("  "));
                let _ = writeln!(self.aside, "{line}");
            }
            None => {}
        }
    }

    fn epoch_line(&mut self, epoch: &Epoch<'_>) {
        let of = |numbers: &[(&str, f64)]| numbers.iter().find(|(n, _)| *n == epoch.objective).map(|(_, x)| *x);
        let parts = if epoch.validation.is_empty() { epoch.train } else { epoch.validation };
        self.last = self.started.elapsed();
        if let Some(bar) = &self.bar {
            // Otherwise the bar of the ended epoch would be drawn again below its own line.
            bar.set_message("");
        }
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

    /// The run has ended: the bar goes, `text` stays as the last line.
    fn finish(&mut self, text: &str) {
        self.clear();
        self.write(text, true);
    }

    fn clear(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }

    fn write(&mut self, line: &str, result: bool) {
        let term = if result { Term::stdout() } else { Term::stderr() };
        let columns = (self.folds && term.is_term()).then(|| usize::from(term.size().1));
        let line = &*visible_but_colors(line);
        let line = columns.map_or_else(|| line.to_string(), |width| terminal::folded(line, width));
        let to = if result { &mut self.out } else { &mut self.aside };
        let mut write = || {
            let _ = writeln!(to, "{line}").and_then(|()| to.flush());
        };
        match &self.bar {
            Some(bar) => bar.suspend(write),
            None => write(),
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

    fn live(&self, epoch: u64, done: u64, left: f64) -> String {
        let of = self.steps.to_string();
        let count = format!("{done:>width$}/{of}", width = of.len());
        format!("{} {} {count}  {}", self.place(epoch), bar(done, self.steps), self.fields(left).join("  "))
    }
}

impl Observer for Progress {
    fn name(&self) -> &'static str {
        "terminal"
    }

    fn busy(&mut self, what: &str) {
        self.show_busy(what);
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
        Ok(())
    }

    fn step(&mut self, step: &Step<'_>) -> Result<(), RecordError> {
        self.step_at(self.started.elapsed(), step.epoch, step.done, step.values);
        Ok(())
    }

    fn epoch(&mut self, epoch: &Epoch<'_>) -> Result<(), RecordError> {
        self.epoch_line(epoch);
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
            Status::Running | Status::Failed => self.clear(),
        }
        Ok(())
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}

/// A mean that follows the last steps: of the first 30 exactly, later with a weight of 1/30 for each new one.
#[derive(Clone, Debug)]
struct Smooth {
    value: f64,
    count: u64,
}

impl Default for Smooth {
    fn default() -> Self {
        Self { value: f64::NAN, count: 0 }
    }
}

impl Smooth {
    fn add(&mut self, x: f64) {
        // A value that is not finite shows at once and does not stay.
        if !self.value.is_finite() || !x.is_finite() {
            *self = Self { value: x, count: 1 };
            return;
        }
        self.count = (self.count + 1).min(30);
        self.value += (x - self.value) / self.count as f64;
    }
}

/// Nine cells, filled from the left.
fn bar(done: u64, of: u64) -> String {
    let full = (done.min(of) * 9).checked_div(of).unwrap_or(0) as usize;
    let rest = 9 - full;
    format!("{}{}{}", "━".repeat(full), if rest > 0 { "╶" } else { "" }, "─".repeat(rest.saturating_sub(1)))
}

/// Four digits in five characters where that is possible: `1.482`, `12.34`, `123.4`, `1234`, `1.2e-5`.
pub fn short(x: f64) -> String {
    match x.abs() {
        a if !a.is_finite() => format!("{x}").to_lowercase(),
        0.0 => "0.000".into(),
        a if !(1e-3..1e5).contains(&a) => format!("{x:.1e}"),
        a if a < 9.9995 => format!("{x:.3}"),
        a if a < 99.995 => format!("{x:.2}"),
        a if a < 999.95 => format!("{x:.1}"),
        _ => format!("{x:.0}"),
    }
}

/// A learning rate with three digits, as the language writes it: `1e-3`.
pub fn rate(lr: f64) -> String {
    constant::number(format!("{lr:.2e}").parse().unwrap_or(lr))
}

/// A time in seconds: `12.3 s`, `8 min 20 s`, `2 h 05 min`, `3 d 04 h`.
pub fn time(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    match whole {
        _ if seconds < 59.95 => format!("{seconds:.1} s"),
        0..3600 => format!("{} min {:02} s", whole / 60, whole % 60),
        3600..86_400 => format!("{} h {:02} min", whole / 3600, whole / 60 % 60),
        _ => format!("{} d {:02} h", whole / 86_400, whole / 3600 % 24),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;
    use std::io;
    use std::sync::{Arc, Mutex};

    /// Somewhere to write, read by the test.
    #[derive(Clone, Debug, Default)]
    struct Page(Arc<Mutex<String>>);

    impl Page {
        fn text(&self) -> String {
            self.0.lock().unwrap().clone()
        }
    }

    impl Write for Page {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().push_str(std::str::from_utf8(bytes).unwrap());
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// A terminal of 40 columns that keeps what is written, one entry a call.
    #[derive(Clone, Debug, Default)]
    struct Narrow(Arc<Mutex<Vec<String>>>);

    impl indicatif::TermLike for Narrow {
        fn width(&self) -> u16 {
            40
        }
        fn move_cursor_up(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_down(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_right(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_left(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn write_line(&self, s: &str) -> io::Result<()> {
            self.write_str(s)
        }
        fn write_str(&self, s: &str) -> io::Result<()> {
            self.0.lock().unwrap().push(s.into());
            Ok(())
        }
        fn clear_line(&self) -> io::Result<()> {
            Ok(())
        }
        fn flush(&self) -> io::Result<()> {
            Ok(())
        }
    }

    const NAMES: [&str; 3] = ["total", "detection", "description"];

    fn plain() -> (Progress, Page, Page) {
        let (out, aside) = (Page::default(), Page::default());
        let mut progress = Progress::onto(Box::new(out.clone()), Box::new(aside.clone()), None, false);
        progress.begin(&NAMES, 20, 400);
        (progress, out, aside)
    }

    fn values(numbers: [f64; 3]) -> [(&'static str, f64); 3] {
        [(NAMES[0], numbers[0]), (NAMES[1], numbers[1]), (NAMES[2], numbers[2])]
    }

    /// Ends an epoch with this objective in training and in validation.
    fn epoch(progress: &mut Progress, epoch: u64, train: f64, val: Option<f64>, lr: f64, best: bool) {
        let numbers = |total: f64| [("total", total), ("detection", 0.402), ("description", 0.989)];
        let validation = val.map(numbers);
        let ended = Epoch {
            epoch,
            objective: "total",
            train: &numbers(train),
            timed: &[],
            validation: validation.as_ref().map_or(&[], |v| v),
            lr,
            took: Duration::from_millis(12_345),
            best,
        };
        Observer::epoch(progress, &ended).unwrap();
    }

    #[test]
    fn an_epoch_is_one_line_in_aligned_columns() {
        let (mut progress, out, _) = plain();
        epoch(&mut progress, 3, 1.4821, Some(1.391), 1e-3, true);
        epoch(&mut progress, 10, 12.345, Some(f64::NAN), 5e-4, false);
        epoch(&mut progress, 20, 1.4821, None, 1e-3, false);
        progress.finish("runs/x: best val.total 1.391 in epoch 3");
        let expected = "\
epoch  3/20  train 1.482  val 1.391  detection 0.402  description 0.989  lr 1e-3     12.3 s  best
epoch 10/20  train 12.35  val   nan  detection 0.402  description 0.989  lr 5e-4     12.3 s
epoch 20/20  train 1.482  detection 0.402  description 0.989  lr 1e-3     12.3 s
runs/x: best val.total 1.391 in epoch 3
";
        assert_eq!(out.text(), expected);
    }

    #[test]
    fn without_a_terminal_a_long_epoch_has_a_line_every_ten_seconds() {
        let (mut progress, out, aside) = plain();
        for done in 1..=400 {
            progress.step_at(Duration::from_millis(100 * done), 1, done, &values([1.0, 0.25, 0.75]));
        }
        // 40 s: at 10, 20 and 30; the line of the epoch itself takes the place of the last.
        let expected = "\
epoch  1/20  step 100/400  total 1.000  13 min 10 s left  detection 0.250  description 0.750
epoch  1/20  step 200/400  total 1.000  13 min 00 s left  detection 0.250  description 0.750
epoch  1/20  step 300/400  total 1.000  12 min 50 s left  detection 0.250  description 0.750
";
        assert_eq!((aside.text().as_str(), out.text().as_str()), (expected, ""));
        progress.note("learning rate 1e-3 -> 5e-4").unwrap();
        assert!(aside.text().ends_with("-> 5e-4\n"));
    }

    #[test]
    fn a_resumed_run_does_not_count_the_time_of_steps_it_did_not_make() {
        let (mut progress, _, aside) = plain();
        progress.step_at(Duration::from_secs(10), 20, 390, &[("total", 1.0)]);
        assert!(aside.text().contains("  1 min 40 s left"), "{}", aside.text());
    }

    #[test]
    fn the_bar_stays_within_a_narrow_terminal_and_goes_at_the_end() {
        let (out, screen) = (Page::default(), Narrow::default());
        let target = ProgressDrawTarget::term_like_with_hz(Box::new(screen.clone()), 255);
        let mut progress = Progress::onto(Box::new(out.clone()), Box::new(Page::default()), Some(target), true);
        progress.begin(&NAMES, 20, 400);
        progress.step_at(Duration::from_secs(1), 3, 200, &values([1.5, 0.5, 1.0]));
        for piece in screen.0.lock().unwrap().iter() {
            assert!(piece.chars().count() <= 40, "{piece:?}");
        }
        let drawn = screen.0.lock().unwrap().join("");
        assert!(drawn.contains("epoch  3/20 ━━━━╶──── 200/400  total"), "{drawn:?}");
        screen.0.lock().unwrap().clear();
        epoch(&mut progress, 3, 1.4821, Some(1.0), 1e-3, true);
        let after = screen.0.lock().unwrap().join("");
        assert!(!after.contains('━'), "the bar of the ended epoch is drawn again: {after:?}");
        assert!(out.text().ends_with("\x1b[32mbest\x1b[0m\n"));
        progress.finish("done");
        assert!(progress.bar.is_none() && out.text().ends_with("done\n"));
    }

    #[test]
    fn the_smoothed_loss_forgets_and_recovers_from_nan() {
        let mut smooth = Smooth::default();
        for x in [1.0, 2.0, 6.0] {
            smooth.add(x);
        }
        assert_eq!(smooth.value, 3.0);
        smooth.add(f64::NAN);
        assert!(smooth.value.is_nan());
        smooth.add(5.0);
        assert_eq!(smooth.value, 5.0);
        for _ in 0..200 {
            smooth.add(1.0);
        }
        assert!((1.0..1.01).contains(&smooth.value), "{}", smooth.value);
    }

    #[test]
    fn numbers_and_times_are_short() {
        let numbers = [1.4821, 9.99951, 12.345, 123.45, 1234.5, 1.23e-5, 2.5e7, 0.0, -0.5, f64::NAN, f64::NEG_INFINITY];
        let texts = ["1.482", "10.00", "12.35", "123.5", "1234", "1.2e-5", "2.5e7", "0.000", "-0.500", "nan", "-inf"];
        assert_eq!(numbers.map(short), texts);
        assert_eq!([1e-3, 0.05, 1.0 / 3000.0, 0.0].map(rate), ["1e-3", "0.05", "3.33e-4", "0"]);
        let seconds = [0.0, 59.9, 59.96, 3599.0, 3600.0, 90_000.0];
        let texts = ["0.0 s", "59.9 s", "1 min 00 s", "59 min 59 s", "1 h 00 min", "1 d 01 h"];
        assert_eq!(seconds.map(time), texts);
        assert_eq!(
            [(0, 9), (5, 9), (9, 9), (1, 0)].map(|(d, n)| bar(d, n)),
            ["╶────────", "━━━━━╶───", "━━━━━━━━━", "╶────────"]
        );
    }
}
