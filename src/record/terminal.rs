//! The terminal's last line, which is drawn again and again: a bar, or what takes long before there is one.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use console::{Term, measure_text_width};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle, TermLike};

/// How often the line is drawn at least, so that it shows that something goes on and follows a resize.
pub const TICK: Duration = Duration::from_millis(250);

/// Standard error, if it is a terminal that can move its cursor (`TERM` is not `dumb`).
pub fn stderr() -> Option<ProgressDrawTarget> {
    let able = std::env::var_os("TERM").is_none_or(|term| term != "dumb");
    let term = Term::buffered_stderr();
    (able && term.is_term()).then(|| ProgressDrawTarget::term_like(Box::new(LastLine::onto(term))))
}

/// What is being done, on a terminal's last line, for as long as this lives. Nothing where standard error is no
/// terminal.
pub struct Busy(Option<ProgressBar>);

impl Busy {
    /// Shows `text` behind a spinner.
    pub fn new(text: &str) -> Self {
        let show = |target| {
            let style = ProgressStyle::with_template("{spinner} {wide_msg}")
                .unwrap_or_else(|_| ProgressStyle::default_spinner());
            let bar = ProgressBar::with_draw_target(None, target).with_style(style).with_message(text.to_string());
            tick(&bar);
            bar
        };
        Self(stderr().map(show))
    }

    /// Shows another text.
    pub fn now(&self, text: &str) {
        if let Some(bar) = &self.0 {
            bar.set_message(text.to_string());
        }
    }
}

/// Has a bar drawn again and again, where the system gives a thread for that.
pub fn tick(bar: &ProgressBar) {
    // The bar's own thread would panic without one.
    if std::thread::Builder::new().spawn(|| ()).is_ok_and(|thread| thread.join().is_ok()) {
        bar.enable_steady_tick(TICK);
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}

/// A line in as many as a terminal of `width` columns needs, broken between fields, which are two spaces apart, or
/// else between words.
pub fn folded(line: &str, width: usize) -> String {
    if measure_text_width(line) <= width {
        return line.to_string();
    }
    let fields: Vec<&str> = line.split("  ").map(str::trim).filter(|f| !f.is_empty()).collect();
    let (pieces, between) = match fields.as_slice() {
        [_] => (line.split(' ').collect(), " "),
        _ => (fields, "  "),
    };
    let (mut out, mut used) = (String::new(), 0);
    for piece in pieces {
        let columns = measure_text_width(piece);
        if used > 0 && used + between.len() + columns > width {
            out.push_str("\n  ");
            used = 2;
        } else if used > 0 {
            out.push_str(between);
            used += between.len();
        }
        out.push_str(piece);
        used += columns;
    }
    out
}

/// A terminal that clears all of the line it has drawn, also where a resize has made several of it since.
#[derive(Debug)]
struct LastLine<T> {
    term: T,
    /// The columns of what was drawn since the line was cleared.
    drawn: AtomicUsize,
}

impl<T: TermLike> LastLine<T> {
    fn onto(term: T) -> Self {
        Self { term, drawn: AtomicUsize::new(0) }
    }
}

impl<T: TermLike> TermLike for LastLine<T> {
    fn width(&self) -> u16 {
        // The terminal shows Ctrl-C as two characters behind the line; they must not begin another one.
        self.term.width().saturating_sub(3).max(1)
    }

    fn height(&self) -> u16 {
        self.term.height()
    }

    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        self.term.move_cursor_up(n)
    }

    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        self.term.move_cursor_down(n)
    }

    fn move_cursor_right(&self, n: usize) -> io::Result<()> {
        self.term.move_cursor_right(n)
    }

    fn move_cursor_left(&self, n: usize) -> io::Result<()> {
        self.term.move_cursor_left(n)
    }

    fn write_line(&self, s: &str) -> io::Result<()> {
        self.term.write_line(s)
    }

    fn write_str(&self, s: &str) -> io::Result<()> {
        // The line is padded to the terminal's width; a narrower one would make two of it.
        if s.len() > 1 && s.bytes().all(|b| b == b' ') {
            return Ok(());
        }
        self.drawn.fetch_add(measure_text_width(s.trim_start_matches('\r')), Ordering::Relaxed);
        self.term.write_str(s)
    }

    fn clear_line(&self) -> io::Result<()> {
        let (drawn, width) = (self.drawn.swap(0, Ordering::Relaxed), usize::from(self.term.width()).max(1));
        let rows = drawn.div_ceil(width);
        if rows > 1 {
            self.term.move_cursor_up(rows - 1)?;
        }
        // To the start of the line, and clear to the end of the screen.
        self.term.write_str("\r\x1b[J")
    }

    fn flush(&self) -> io::Result<()> {
        self.term.flush()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    /// A terminal whose width changes, and what was written to it.
    #[derive(Clone, Debug, Default)]
    struct Screen(Arc<Mutex<(u16, String)>>);

    impl Screen {
        fn write(&self, s: &str) -> io::Result<()> {
            self.0.lock().unwrap().1.push_str(s);
            Ok(())
        }
    }

    impl TermLike for Screen {
        fn width(&self) -> u16 {
            self.0.lock().unwrap().0
        }
        fn move_cursor_up(&self, n: usize) -> io::Result<()> {
            self.write(&if n > 0 { format!("<up {n}>") } else { String::new() })
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
            self.write(s)
        }
        fn write_str(&self, s: &str) -> io::Result<()> {
            self.write(s)
        }
        fn clear_line(&self) -> io::Result<()> {
            self.write("<clear>")
        }
        fn flush(&self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lines_end_between_fields_or_words() {
        let line = "epoch  3/20  train 1.482  val 1.391  lr 1e-3     12.3 s  \x1b[32mbest\x1b[0m";
        assert_eq!(folded(line, 61), line);
        assert_eq!(folded(line, 30), "epoch  3/20  train 1.482\n  val 1.391  lr 1e-3  12.3 s\n  \x1b[32mbest\x1b[0m");
        assert_eq!(folded("19 layouts to train on", 12), "19 layouts\n  to train\n  on");
    }

    #[test]
    fn a_line_that_a_resize_has_broken_is_cleared_as_a_whole() {
        let screen = Screen::default();
        screen.0.lock().unwrap().0 = 40;
        let target = ProgressDrawTarget::term_like_with_hz(Box::new(LastLine::onto(screen.clone())), 255);
        let style = ProgressStyle::with_template("{wide_msg}").unwrap();
        let bar = ProgressBar::with_draw_target(Some(3), target).with_style(style);
        bar.set_message("x".repeat(40));
        bar.tick();
        screen.0.lock().unwrap().0 = 15;
        screen.0.lock().unwrap().1.clear();
        std::thread::sleep(Duration::from_millis(20));
        bar.set_message("short");
        bar.tick();
        // 40 columns are three rows of 15.
        let drawn = std::mem::take(&mut screen.0.lock().unwrap().1);
        assert!(drawn.starts_with("<up 2>\r\x1b[Jshort"), "{drawn:?}");
        bar.finish_and_clear();
        let drawn = screen.0.lock().unwrap().1.clone();
        assert!(!drawn.contains("<up"), "{drawn:?}");
        assert!(drawn.ends_with("\r\x1b[J"), "{drawn:?}");
    }
}
