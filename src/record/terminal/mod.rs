//! The terminal that a person sits at: what takes long is shown in its lowest rows, and lines are written above them.

mod bottom;
#[cfg(test)]
mod tests;

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use console::{Term, measure_text_width};
use rord_lang::report::visible::visible;

pub use bottom::{Bottom, Part, Shown, TICK};

static BOTTOM: OnceLock<Option<Arc<Bottom>>> = OnceLock::new();

/// The lowest rows of standard error, if that is a terminal that can move its cursor (`TERM` is not `dumb`). There is one owner of them
/// in a process.
pub fn bottom() -> Option<&'static Arc<Bottom>> {
    let begin = || {
        let term = Term::stderr();
        // Windows shows colors and moves the cursor where it was asked to.
        let asked = || cfg!(not(windows)) || term.features().colors_supported();
        if !able() || !term.is_term() || !asked() {
            return None;
        }
        let continued = Arc::new(AtomicBool::new(false));
        #[cfg(unix)]
        {
            // Without it the rows are drawn over lines of the shell.
            let _ = signal_hook::flag::register(signal_hook::consts::SIGCONT, continued.clone());
        }
        let size = move || {
            let (rows, columns) = term.size();
            (columns, rows)
        };
        Some(Arc::new(Bottom::onto(Box::new(std::io::stderr()), Box::new(size), continued)))
    };
    BOTTOM.get_or_init(begin).as_ref()
}

/// True unless the terminal is said to have no cursor that moves.
pub fn able() -> bool {
    std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// True where colors are wanted (`NO_COLOR` is not set) and possible.
pub fn colored() -> bool {
    able() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Calls what writes to standard output or standard error, while nothing is drawn there.
pub fn above(write: impl FnOnce()) {
    match bottom() {
        Some(bottom) => bottom.above(write),
        None => write(),
    }
}

/// Before the process ends: nothing is drawn any more, and what was drawn goes.
pub fn leave() {
    if let Some(bottom) = bottom() {
        bottom.leave();
    }
}

/// Where the process ends by a panic or without memory: nothing is drawn any more, and what was drawn stays above what is reported.
pub fn abandon() {
    if let Some(bottom) = BOTTOM.get().and_then(|bottom| bottom.as_ref()) {
        bottom.abandon();
    }
}

/// What is being done, on a terminal's last row, for as long as this lives. Nothing where standard error is no
/// terminal.
pub struct Busy(Option<(Arc<Mutex<Spinner>>, Shown)>);

struct Spinner {
    text: String,
    turn: usize,
}

impl Part for Spinner {
    fn rows(&mut self, columns: u16, _: u16) -> Vec<String> {
        self.turn += 1;
        let sign = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏".chars().cycle().nth(self.turn % 10).unwrap_or(' ');
        let row = format!("{sign} {}", visible(self.text.lines().next().unwrap_or_default()));
        vec![console::truncate_str(&row, usize::from(columns), "…").into_owned()]
    }
}

impl Busy {
    /// Shows `text` behind a spinner.
    pub fn new(text: &str) -> Self {
        Self::on(bottom(), text)
    }

    fn on(bottom: Option<&Arc<Bottom>>, text: &str) -> Self {
        Self(bottom.map(|bottom| {
            let spinner = Arc::new(Mutex::new(Spinner { text: text.into(), turn: 0 }));
            let shown = bottom.show(spinner.clone());
            (spinner, shown)
        }))
    }

    /// Shows another text.
    pub fn now(&self, text: &str) {
        if let Some((spinner, shown)) = &self.0 {
            spinner.lock().unwrap_or_else(PoisonError::into_inner).text = text.into();
            shown.bottom().touch();
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
