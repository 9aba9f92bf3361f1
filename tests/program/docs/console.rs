//! Commands of the guide, run as they are written, and what they print checked against what the page shows.

use std::path::Path;
use std::process::Command;

/// The commands of a block with what the page shows below each.
pub fn commands(text: &str) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    for line in text.lines() {
        match (line.strip_prefix("$ "), found.last_mut()) {
            (Some(command), _) => found.push((command.to_string(), String::new())),
            (None, Some((_, shown))) => {
                shown.push_str(line);
                shown.push('\n');
            }
            (None, None) => panic!("a block of commands begins with one: {line}"),
        }
    }
    found
}

/// What a command of the shell prints on both streams together, at a width of 100.
pub fn run(folder: &Path, command: &str) -> String {
    let tool = Path::new(env!("CARGO_BIN_EXE_rord-run")).parent().unwrap();
    let path = format!("{}:{}", tool.display(), std::env::var("PATH").unwrap());
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("exec 2>&1; {command}")]).current_dir(folder);
    shell.env("PATH", path).env("NO_COLOR", "1").env("RORD_WIDTH", "100").env_remove("TERM");
    String::from_utf8(shell.output().unwrap().stdout).unwrap()
}

/// True where the text is what is shown; `…` stands for anything, and the ends of lines are trimmed.
pub fn is_shown(shown: &str, text: &str) -> bool {
    let trimmed = |t: &str| t.lines().map(str::trim_end).collect::<Vec<_>>().join("\n").trim().to_string();
    let (shown, text) = (trimmed(shown), trimmed(text));
    let parts: Vec<&str> = shown.split('…').collect();
    let [first, .., last] = parts.as_slice() else { return shown == text };
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    for part in &parts[1..parts.len() - 1] {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

/// True where every line that is shown was printed, in order, but for the numbers: how a run goes depends on the
/// machine, and a slow one prints more lines.
pub fn lines_are_shown(shown: &str, text: &str) -> bool {
    let (shown, text) = (without_numbers(shown), without_numbers(text));
    let mut printed = text.lines();
    shown.lines().all(|line| printed.any(|p| is_shown(line, p)))
}

/// The text with `#` for every number, and one space for several: what depends on the machine is gone.
fn without_numbers(text: &str) -> String {
    let mut out = String::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c.is_ascii_digit() {
            while chars.next_if(|c| c.is_ascii_digit() || matches!(c, '.' | ',' | 'e' | '-')).is_some() {}
            out.push('#');
        } else if c == ' ' {
            while chars.next_if(|c| *c == ' ').is_some() {}
            out.push(' ');
        } else {
            out.push(c);
        }
    }
    // A slow machine takes minutes for what takes seconds elsewhere.
    out.replace("# min # s", "# s")
}
