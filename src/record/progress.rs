//! What a person sees of a run: one line an epoch on stdout and, on a terminal, a bar below it on stderr.
//!
//! ```text
//! epoch  3/20  train 1.482  val 1.391  detection 0.402  description 0.989  lr 1e-3     12.3 s  best
//! epoch  4/20 ━━━━╶──── 120/400  total 1.377  8 min 20 s left  detection 0.398  description 0.979
//! ```

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::terminal;
use rord_lang::constant;

/// Reports a run as it goes. Nothing here can fail a run: a closed pipe is ignored.
pub struct Progress {
    names: Vec<String>,
    epochs: u64,
    steps: u64,
    /// Results and the lines of epochs.
    out: Box<dyn Write + Send>,
    /// Notes, and how far a long epoch has come where there is no bar.
    aside: Box<dyn Write + Send>,
    bar: Option<ProgressBar>,
    color: bool,
    started: Instant,
    /// When the last line was written, since `started`.
    last: Duration,
    /// Steps since `started`: fewer than the run has made where it was resumed.
    done: u64,
    smooth: Vec<Smooth>,
}

/// The numbers of an epoch that has ended.
#[derive(Clone, Copy, Debug)]
pub struct Epoch<'a> {
    /// Its number, from 0.
    pub epoch: u64,
    /// The objective, averaged over the epoch's steps.
    pub train: f64,
    /// The objective on the validation pairs, if there was a validation.
    pub val: Option<f64>,
    /// Losses and metrics to show beside it.
    pub parts: &'a [(&'a str, f64)],
    /// The learning rate of its last step.
    pub lr: f64,
    /// How long it took.
    pub took: Duration,
    /// True for the best validation so far.
    pub best: bool,
}

/// The least time between two plain lines within an epoch.
const BETWEEN: Duration = Duration::from_secs(10);

impl Progress {
    /// For a run of `epochs` epochs of `steps` steps; `names` are the objective's and then its parts', as `step` gives them.
    ///
    /// There is a bar where stderr is a terminal that can move its cursor (`TERM` is not `dumb`), and color where stdout is
    /// one and `NO_COLOR` is not set.
    pub fn new(names: &[&str], epochs: u64, steps: u64) -> Self {
        let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let able = variable("TERM").is_none_or(|term| term != "dumb");
        let bar = terminal::stderr();
        let color = able && variable("NO_COLOR").is_none() && std::io::stdout().is_terminal();
        Self::onto(Box::new(std::io::stdout()), Box::new(std::io::stderr()), bar, color, names, epochs, steps)
    }

    fn onto(
        out: Box<dyn Write + Send>,
        aside: Box<dyn Write + Send>,
        bar: Option<ProgressDrawTarget>,
        color: bool,
        names: &[&str],
        epochs: u64,
        steps: u64,
    ) -> Self {
        // `wide_msg` cuts the line at the terminal's width, whatever that is; fields come in the order of their weight.
        let style = || ProgressStyle::with_template("{wide_msg}").unwrap_or_else(|_| ProgressStyle::default_bar());
        let drawn = |target| {
            let bar = ProgressBar::with_draw_target(Some(steps), target).with_style(style());
            bar.enable_steady_tick(terminal::TICK);
            bar
        };
        Self {
            names: names.iter().map(|name| name.to_string()).collect(),
            epochs,
            steps,
            out,
            aside,
            bar: bar.map(drawn),
            color,
            started: Instant::now(),
            last: Duration::ZERO,
            done: 0,
            smooth: vec![Smooth::default(); names.len()],
        }
    }

    /// A step has been made: `step` within `epoch`, both from 0, with the objective and its parts.
    pub fn step(&mut self, epoch: u64, step: u64, values: &[f64]) {
        self.step_at(self.started.elapsed(), epoch, step, values);
    }

    fn step_at(&mut self, now: Duration, epoch: u64, step: u64, values: &[f64]) {
        for (smooth, value) in self.smooth.iter_mut().zip(values) {
            smooth.add(*value);
        }
        self.done += 1;
        let made = epoch * self.steps + step + 1;
        let left = (self.epochs * self.steps).saturating_sub(made);
        let left = now.as_secs_f64() / self.done as f64 * left as f64;
        match &self.bar {
            Some(bar) => bar.set_message(self.live(epoch, step, left)),
            // The line of the epoch follows its last step at once.
            None if now.saturating_sub(self.last) >= BETWEEN && step + 1 < self.steps => {
                self.last = now;
                let line = format!("{}  step {}/{}", self.position(epoch), step + 1, self.steps);
                let line = format!("{line}  {}", self.fields(left).join("  "));
                let _ = writeln!(self.aside, "{line}");
            }
            None => {}
        }
    }

    /// Something takes its time before the next line: the first step, a validation. Shown on a terminal only.
    pub fn doing(&self, epoch: u64, what: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(format!("{} {what}", self.position(epoch)));
        }
    }

    /// An epoch has ended.
    pub fn epoch(&mut self, epoch: &Epoch) {
        self.last = self.started.elapsed();
        if let Some(bar) = &self.bar {
            // Else the ended epoch's bar would be drawn again below its own line.
            bar.set_message("");
        }
        let mut line = format!("{}  train {:>5}", self.position(epoch.epoch), short(epoch.train));
        if let Some(val) = epoch.val {
            line += &format!("  val {:>5}", short(val));
        }
        for (name, value) in epoch.parts {
            line += &format!("  {name} {:>5}", short(*value));
        }
        line += &format!("  lr {:<7}  {:>6}", rate(epoch.lr), time(epoch.took));
        if epoch.best {
            line += if self.color { "  \x1b[32mbest\x1b[0m" } else { "  best" };
        }
        self.write(&line, true);
        self.smooth.fill(Smooth::default());
    }

    /// A remark between two lines: that the learning rate has changed, say.
    pub fn note(&mut self, text: &str) {
        self.write(text, false);
    }

    /// The run has ended: the bar goes, `text` stays as the last line.
    pub fn finish(&mut self, text: &str) {
        self.clear();
        self.write(text, true);
    }

    fn clear(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }

    fn write(&mut self, line: &str, result: bool) {
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
    fn position(&self, epoch: u64) -> String {
        let of = self.epochs.to_string();
        format!("epoch {:>width$}/{of}", epoch + 1, width = of.len())
    }

    /// The objective, the time left, the parts.
    fn fields(&self, left: f64) -> Vec<String> {
        let losses = self.names.iter().zip(&self.smooth).map(|(name, s)| format!("{name} {:>5}", short(s.value)));
        let mut fields: Vec<String> = losses.collect();
        let left = Duration::try_from_secs_f64(left).unwrap_or(Duration::MAX);
        fields.insert(fields.len().min(1), format!("{} left", time(left)));
        fields
    }

    fn live(&self, epoch: u64, step: u64, left: f64) -> String {
        let of = self.steps.to_string();
        let count = format!("{:>width$}/{of}", step + 1, width = of.len());
        format!("{} {} {count}  {}", self.position(epoch), bar(step + 1, self.steps), self.fields(left).join("  "))
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

/// `12.3 s`, `8 min 20 s`, `2 h 05 min`, `3 d 04 h`.
fn time(duration: Duration) -> String {
    let whole = duration.as_secs_f64().round() as u64;
    match whole {
        _ if duration.as_secs_f64() < 59.95 => format!("{:.1} s", duration.as_secs_f64()),
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
        let progress = Progress::onto(Box::new(out.clone()), Box::new(aside.clone()), None, false, &NAMES, 20, 400);
        (progress, out, aside)
    }

    fn epoch(number: u64, val: Option<f64>, best: bool) -> Epoch<'static> {
        let parts = &[("detection", 0.402), ("description", 0.989)];
        Epoch { epoch: number, train: 1.4821, val, parts, lr: 1e-3, took: Duration::from_millis(12_345), best }
    }

    #[test]
    fn an_epoch_is_one_line_in_aligned_columns() {
        let (mut progress, out, _) = plain();
        progress.epoch(&epoch(2, Some(1.391), true));
        progress.epoch(&Epoch { train: 12.345, lr: 5e-4, ..epoch(9, Some(f64::NAN), false) });
        progress.epoch(&epoch(19, None, false));
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
    fn without_a_terminal_a_long_epoch_speaks_every_ten_seconds() {
        let (mut progress, out, aside) = plain();
        for step in 0..400 {
            progress.step_at(Duration::from_millis(100 * (step + 1)), 0, step, &[1.0, 0.25, 0.75]);
        }
        // 40 s: at 10, 20 and 30; the line of the epoch itself takes the place of the last.
        let expected = "\
epoch  1/20  step 100/400  total 1.000  13 min 10 s left  detection 0.250  description 0.750
epoch  1/20  step 200/400  total 1.000  13 min 00 s left  detection 0.250  description 0.750
epoch  1/20  step 300/400  total 1.000  12 min 50 s left  detection 0.250  description 0.750
";
        assert_eq!((aside.text().as_str(), out.text().as_str()), (expected, ""));
        progress.note("learning rate 1e-3 -> 5e-4");
        assert!(aside.text().ends_with("-> 5e-4\n"));
    }

    #[test]
    fn a_resumed_run_does_not_count_the_time_of_steps_it_did_not_make() {
        let (mut progress, _, aside) = plain();
        progress.step_at(Duration::from_secs(10), 19, 389, &[1.0]);
        assert!(aside.text().contains("  1 min 40 s left"), "{}", aside.text());
    }

    #[test]
    fn the_bar_stays_within_a_narrow_terminal_and_goes_at_the_end() {
        let (out, screen) = (Page::default(), Narrow::default());
        let target = ProgressDrawTarget::term_like_with_hz(Box::new(screen.clone()), 255);
        let mut progress =
            Progress::onto(Box::new(out.clone()), Box::new(Page::default()), Some(target), true, &NAMES, 20, 400);
        progress.step_at(Duration::from_secs(1), 2, 199, &[1.5, 0.5, 1.0]);
        for piece in screen.0.lock().unwrap().iter() {
            assert!(piece.chars().count() <= 40, "{piece:?}");
        }
        let drawn = screen.0.lock().unwrap().join("");
        assert!(drawn.contains("epoch  3/20 ━━━━╶──── 200/400  total"), "{drawn:?}");
        screen.0.lock().unwrap().clear();
        progress.epoch(&epoch(2, Some(1.0), true));
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
        assert_eq!(seconds.map(|s| time(Duration::from_secs_f64(s))), texts);
        assert_eq!(
            [(0, 9), (5, 9), (9, 9), (1, 0)].map(|(d, n)| bar(d, n)),
            ["╶────────", "━━━━━╶───", "━━━━━━━━━", "╶────────"]
        );
    }
}
