//! The lowest rows of a terminal, which are drawn again and again, and the one owner of them: whatever else is written to the terminal
//! goes through it, so that lines stand above these rows and nothing tears them.
//!
//! The cursor is moved up over the rows and rests on the empty row below them. It is neither hidden nor asked for, and no mode of
//! the terminal is changed: whatever ends the process leaves a terminal as it should be, with the prompt on a row of its own.

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use console::measure_text_width;

/// How often the rows are drawn at most, and while something is shown at least.
pub const TICK: Duration = Duration::from_millis(250);

/// Something that is shown there.
pub trait Part: Send {
    /// Its rows on a terminal of so many columns, in at most `rows`; none needs more columns. They may have colors.
    fn rows(&mut self, columns: u16, rows: u16) -> Vec<String>;
}

/// A part that can be changed while it is shown.
pub type Shared = Arc<Mutex<dyn Part>>;

/// The lowest rows of a terminal.
pub struct Bottom {
    inner: Mutex<Inner>,
    /// Set where the process goes on after it was stopped: other lines stand where the rows were.
    continued: Arc<AtomicBool>,
}

/// Columns and rows of a terminal.
pub type Size = (u16, u16);

struct Inner {
    out: Box<dyn Write + Send>,
    size: Box<dyn Fn() -> Size + Send>,
    /// What is shown, the upper first.
    parts: Vec<(u64, Shared)>,
    next: u64,
    /// The columns of each row that is on the screen.
    drawn: Vec<usize>,
    /// What was drawn last, and on which size.
    last: (String, Size),
    at: Option<Instant>,
    /// Whether a thread draws.
    ticks: bool,
    /// Nothing is drawn any more.
    left: bool,
}

impl Bottom {
    /// On a terminal that `out` writes to.
    pub fn onto(out: Box<dyn Write + Send>, size: Box<dyn Fn() -> Size + Send>, continued: Arc<AtomicBool>) -> Self {
        let inner = Inner {
            out,
            size,
            parts: Vec::new(),
            next: 0,
            drawn: Vec::new(),
            last: Default::default(),
            at: None,
            ticks: false,
            left: false,
        };
        Self { inner: Mutex::new(inner), continued }
    }

    /// Shows a part below the others until what is returned is dropped.
    pub fn show(self: &Arc<Self>, part: Shared) -> Shown {
        let mut inner = self.inner();
        let id = inner.next;
        inner.next += 1;
        inner.parts.push((id, part));
        inner.paint(&self.continued);
        if !inner.ticks {
            let bottom = self.clone();
            // Without a thread the rows are drawn where something changes.
            inner.ticks = std::thread::Builder::new().name("terminal".into()).spawn(move || bottom.draw_on()).is_ok();
        }
        Shown { bottom: self.clone(), id }
    }

    /// Draws as long as something is shown.
    fn draw_on(&self) {
        loop {
            std::thread::sleep(TICK);
            let mut inner = self.inner();
            if inner.parts.is_empty() || inner.left {
                inner.ticks = false;
                return;
            }
            inner.paint(&self.continued);
        }
    }

    /// Something has changed: it is drawn now where no thread does it, and not too often.
    pub fn touch(&self) {
        let mut inner = self.inner();
        if !inner.ticks && inner.at.is_none_or(|at| at.elapsed() >= TICK) {
            inner.paint(&self.continued);
        }
    }

    /// Writes lines, to this terminal or elsewhere, while the rows are not there.
    pub fn above(&self, write: impl FnOnce()) {
        let mut inner = self.inner();
        inner.clear(&self.continued);
        write();
        inner.paint(&self.continued);
    }

    /// Nothing is drawn any more, and what was drawn goes.
    pub fn leave(&self) {
        let mut inner = self.inner();
        inner.clear(&self.continued);
        inner.left = true;
    }

    /// Nothing is drawn any more; what was drawn stays as it is, and what follows stands below it. Waits for nobody.
    pub fn abandon(&self) {
        if let Ok(mut inner) = self.inner.try_lock() {
            inner.left = true;
        }
    }

    /// A part that panicked in between spoils its own rows alone.
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// What takes the cursor to the first of the rows that are there.
    fn up(&mut self, columns: u16, continued: &AtomicBool) -> String {
        if continued.swap(false, Ordering::Relaxed) {
            self.drawn.clear();
        }
        // A terminal that became narrower has made several rows of one.
        let rows = |used: &usize| used.div_ceil(usize::from(columns).max(1)).max(1);
        match self.drawn.iter().map(rows).sum::<usize>() {
            0 => String::new(),
            up => format!("\r\x1b[{up}A"),
        }
    }

    fn paint(&mut self, continued: &AtomicBool) {
        if self.left || !in_foreground() {
            return;
        }
        let size = (self.size)();
        let (columns, height) = size;
        // The last column is left free, where some terminals break lines; below the rows the cursor has one of its own.
        let mut room = height.saturating_sub(2).max(1);
        let mut rows: Vec<String> = Vec::new();
        for (_, part) in &self.parts {
            let mut part = part.lock().unwrap_or_else(PoisonError::into_inner);
            let more = part.rows(columns.saturating_sub(1).max(1), room);
            rows.extend(more.into_iter().take(usize::from(room)));
            room = height.saturating_sub(2).max(1).saturating_sub(u16::try_from(rows.len()).unwrap_or(u16::MAX));
            if room == 0 {
                break;
            }
        }
        if rows.is_empty() && self.drawn.is_empty() {
            return;
        }
        let text: String = rows.iter().map(|row| format!("{row}\x1b[K\r\n")).collect();
        self.at = Some(Instant::now());
        if self.last == (text.clone(), size) && self.drawn.len() == rows.len() && !continued.load(Ordering::Relaxed) {
            return;
        }
        let up = self.up(columns, continued);
        let all = format!("{up}{text}\x1b[J");
        // Nobody to show it to is no reason to fail.
        let _ = self.out.write_all(all.as_bytes()).and_then(|()| self.out.flush());
        self.drawn = rows.iter().map(|row| measure_text_width(row)).collect();
        self.last = (text, size);
    }

    fn clear(&mut self, continued: &AtomicBool) {
        if self.left || self.drawn.is_empty() {
            return;
        }
        let (columns, _) = (self.size)();
        let up = self.up(columns, continued);
        if !up.is_empty() {
            let _ = self.out.write_all(format!("{up}\x1b[J").as_bytes()).and_then(|()| self.out.flush());
        }
        self.drawn.clear();
    }
}

/// Keeps a part on the screen.
pub struct Shown {
    bottom: Arc<Bottom>,
    id: u64,
}

impl Shown {
    /// Where it is shown.
    pub fn bottom(&self) -> &Bottom {
        &self.bottom
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        let mut inner = self.bottom.inner();
        inner.parts.retain(|(id, _)| *id != self.id);
        match inner.parts.is_empty() {
            true => inner.clear(&self.bottom.continued),
            false => inner.paint(&self.bottom.continued),
        }
    }
}

/// False where the shell has put the process into the background: rows that are drawn again would go over what is typed.
fn in_foreground() -> bool {
    let stat = match cfg!(target_os = "linux") {
        true => std::fs::read_to_string("/proc/self/stat").unwrap_or_default(),
        false => String::new(),
    };
    foreground(&stat)
}

/// The same of the text of `/proc/self/stat`: the process's group is the terminal's, or it has no terminal of its own.
fn foreground(stat: &str) -> bool {
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
    match (fields.get(2), fields.get(5)) {
        (Some(group), Some(terminal)) => group == terminal || *terminal == "-1",
        _ => true,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn a_process_in_the_background_is_known() {
        let stat = |group: &str, terminal: &str| format!("12 (a) b) S 1 {group} 7 34816 {terminal} 4194304");
        assert!(foreground(&stat("12", "12")) && foreground(&stat("12", "-1")) && foreground(""));
        assert!(!foreground(&stat("12", "99")));
    }
}
