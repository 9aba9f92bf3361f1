#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use super::*;
use std::io::{self, Write};
use std::sync::atomic::{AtomicU16, Ordering};

/// What was written, read by the test.
#[derive(Clone, Debug, Default)]
struct Screen(Arc<Mutex<String>>);

impl Screen {
    fn take(&self) -> String {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl Write for Screen {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().push_str(std::str::from_utf8(bytes).unwrap());
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Rows that do not change by themselves.
struct Rows(Vec<String>);

impl Part for Rows {
    fn rows(&mut self, _: u16, _: u16) -> Vec<String> {
        self.0.clone()
    }
}

fn screen() -> (Arc<Bottom>, Screen, Arc<AtomicU16>, Arc<AtomicBool>) {
    let (screen, columns, continued) =
        (Screen::default(), Arc::new(AtomicU16::new(40)), Arc::new(AtomicBool::new(false)));
    let width = columns.clone();
    let size = move || (width.load(Ordering::Relaxed), 24);
    let bottom = Arc::new(Bottom::onto(Box::new(screen.clone()), Box::new(size), continued.clone()));
    (bottom, screen, columns, continued)
}

#[test]
fn lines_end_between_fields_or_words() {
    let line = "epoch  3/20  train 1.482  val 1.391  lr 1e-3     12.3 s  \x1b[32mbest\x1b[0m";
    assert_eq!(folded(line, 61), line);
    assert_eq!(folded(line, 30), "epoch  3/20  train 1.482\n  val 1.391  lr 1e-3  12.3 s\n  \x1b[32mbest\x1b[0m");
    assert_eq!(folded("19 layouts to train on", 12), "19 layouts\n  to train\n  on");
}

#[test]
fn lines_are_written_above_the_rows_and_nothing_is_left_of_them() {
    let (bottom, screen, ..) = screen();
    let shown = bottom.show(Arc::new(Mutex::new(Rows(vec!["first".into(), "second".into()]))));
    assert_eq!(screen.take(), "first\x1b[K\r\nsecond\x1b[K\r\n\x1b[J");
    let mut out = screen.clone();
    bottom.above(|| out.write_all(b"a line\n").unwrap());
    assert_eq!(screen.take(), "\r\x1b[2A\x1b[Ja line\nfirst\x1b[K\r\nsecond\x1b[K\r\n\x1b[J");
    drop(shown);
    assert_eq!(screen.take(), "\r\x1b[2A\x1b[J");
    bottom.above(|| out.write_all(b"the end\n").unwrap());
    assert_eq!(screen.take(), "the end\n");
}

#[test]
fn rows_that_a_resize_has_broken_are_cleared_as_a_whole() {
    let (bottom, screen, columns, _) = screen();
    let shown = bottom.show(Arc::new(Mutex::new(Rows(vec!["x".repeat(39), "y".into()]))));
    screen.take();
    columns.store(15, Ordering::Relaxed);
    drop(shown);
    // 39 columns are three rows of 15.
    assert_eq!(screen.take(), "\r\x1b[4A\x1b[J");
}

#[test]
fn a_process_that_goes_on_leaves_what_others_wrote_meanwhile() {
    let (bottom, screen, _, continued) = screen();
    let part = Arc::new(Mutex::new(Rows(vec!["a row".into()])));
    let shown = bottom.show(part.clone());
    screen.take();
    continued.store(true, Ordering::Relaxed);
    part.lock().unwrap().0 = vec!["another".into()];
    bottom.above(|| ());
    assert!(!screen.take().contains("A\x1b[J"), "the cursor goes up over lines of the shell");
    drop(shown);
}

#[test]
fn two_that_are_busy_have_a_row_each() {
    let (bottom, screen, ..) = screen();
    let first = Busy::on(Some(&bottom), "loading the data");
    screen.take();
    let second = Busy::on(Some(&bottom), "drawing a\x1b[2J.gds: 1 of 9 tiles, of which some are large");
    let drawn = screen.take();
    assert!(drawn.starts_with("\r\x1b[1A") && drawn.contains("loading the data"), "{drawn:?}");
    assert!(drawn.contains(" drawing a␛[2J.gds: 1 of 9 tiles, of …\x1b[K"), "{drawn:?}");
    drop((second, first));
    assert!(screen.take().ends_with("\x1b[J"));
}

#[test]
fn after_it_was_left_nothing_is_drawn() {
    let (bottom, screen, ..) = screen();
    let shown = bottom.show(Arc::new(Mutex::new(Rows(vec!["a row".into()]))));
    screen.take();
    bottom.abandon();
    bottom.touch();
    drop(shown);
    assert_eq!(screen.take(), "");
}
