#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use super::*;
use std::io;
use std::sync::{Arc, Mutex};

/// Somewhere to write, read by the test.
#[derive(Clone, Debug, Default)]
pub(crate) struct Page(Arc<Mutex<String>>);

impl Page {
    pub(crate) fn text(&self) -> String {
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

const NAMES: [&str; 3] = ["total", "detection", "description"];

fn plain() -> (Progress, Page, Page) {
    let (out, aside) = (Page::default(), Page::default());
    let mut progress = Progress::onto(Box::new(out.clone()), Box::new(aside.clone()), false);
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
fn lines_stand_above_the_view_which_goes_at_the_end() {
    let (out, screen) = (Page::default(), Page::default());
    let bottom = Arc::new(Bottom::onto(Box::new(screen.clone()), Box::new(|| (80, 24)), Default::default()));
    let mut progress = Progress::onto(Box::new(out.clone()), Box::new(out.clone()), true);
    progress.show(Some(&bottom), false);
    progress.busy("loading the data");
    progress.begin(&NAMES, 20, 400);
    epoch(&mut progress, 3, 1.4821, Some(1.0), 1e-3, true);
    assert!(out.text().ends_with("\x1b[32mbest\x1b[0m\n"));
    let drawn = screen.text();
    assert!(drawn.contains("\r\x1b[1A\x1b[J") && drawn.contains("loading the data"), "{drawn:?}");
    progress.finish("done");
    assert!(progress.view.is_none() && out.text().ends_with("done\n"));
    assert!(screen.text().ends_with("\x1b[J"));
}

#[test]
fn a_quiet_run_says_how_it_ended() {
    let (mut progress, out, aside) = plain();
    progress.quiet = true;
    progress.note("warning: all descriptors are alike").unwrap();
    progress.step_at(Duration::from_secs(60), 1, 1, &values([1.0, 0.25, 0.75]));
    epoch(&mut progress, 3, 1.4821, Some(1.0), 1e-3, true);
    progress.finish("written to runs/a");
    assert_eq!((out.text().as_str(), aside.text().as_str()), ("written to runs/a\n", ""));
}
