//! A row of a terminal: texts behind each other, with colors where they are wanted, never wider than it may be.

use console::{measure_text_width, truncate_str};

/// How a text looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Look {
    /// As the terminal's text.
    #[default]
    Plain,
    /// What matters most.
    Bold,
    /// What matters less.
    Dim,
    /// A curve.
    Curve,
    /// Something goes wrong.
    Warning,
}

impl Look {
    /// What switches it on.
    fn code(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Bold => "\x1b[1m",
            Self::Dim => "\x1b[90m",
            Self::Curve => "\x1b[36m",
            Self::Warning => "\x1b[33m",
        }
    }
}

/// A row that is being written.
pub struct Row {
    text: String,
    used: usize,
    columns: usize,
    color: bool,
}

impl Row {
    /// An empty one of so many columns.
    pub fn new(columns: usize, color: bool) -> Self {
        Self { text: String::new(), used: 0, columns, color }
    }

    /// The columns that are left.
    pub fn left(&self) -> usize {
        self.columns - self.used
    }

    /// Adds a text, cut to what is left of the row.
    pub fn add(mut self, text: &str, look: Look) -> Self {
        if self.left() == 0 {
            return self;
        }
        let text = truncate_str(text, self.left(), "…");
        let code = if self.color { look.code() } else { "" };
        self.used += measure_text_width(&text);
        self.text.push_str(code);
        self.text.push_str(&text);
        self.text.push_str(if code.is_empty() { "" } else { "\x1b[0m" });
        self
    }

    /// Adds a text in a column of its own, cut or followed by spaces.
    pub fn cell(self, text: &str, columns: usize, look: Look) -> Self {
        let text = truncate_str(text, columns, "…");
        let spaces = columns.saturating_sub(measure_text_width(&text));
        self.add(&text, look).add(&" ".repeat(spaces), Look::Plain)
    }

    /// The row as it is written, without spaces at its end.
    pub fn end(self) -> String {
        self.text.trim_end().to_string()
    }
}
