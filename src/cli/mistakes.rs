//! Mistakes on the command line: what was found, and the whole command that was probably meant.
//!
//! A proposal is made only where the command line reads it, so that it can be pasted.

mod known;

use std::path::Path;

use clap::error::ErrorKind;
use clap::{Command, CommandFactory, Error, Parser};

use rord_lang::report::closest;

use super::verbs::Cli;
pub use known::quoted;
use known::{ELSEWHERE, Named, is_file, is_name, named, own_option, read, similar, takes_value};

/// A piece of the command line.
#[derive(Clone, Debug, PartialEq)]
enum Piece {
    /// A verb, a file or another name.
    Word(String),
    /// An option that some verb has, with its value.
    Known(String, Option<String>),
    /// An option that no verb has, with what may be its value.
    Unknown(String, Option<String>),
}

/// The command line, as far as it can be read without knowing what is right.
struct Line {
    pieces: Vec<Piece>,
    facts: Vec<String>,
    verbs: Vec<String>,
}

/// A better error for a command line that clap refuses with `error`; that one where nothing better is known.
pub fn explained(args: &[String], error: Error) -> Error {
    if !error.use_stderr() {
        return error;
    }
    match correct(args) {
        Some((facts, command)) => refusal(&facts, command.as_deref()),
        None => error,
    }
}

/// The error for a command line that reads as `rord-run FILE`, where the file is neither there nor named as one.
pub fn no_such_verb(args: &[String], file: &Path) -> Option<Error> {
    let word = file.to_str().filter(|w| !w.is_empty() && !w.contains(['/', '\\', '.']) && !file.exists())?;
    let (facts, command) = correct(args).unwrap_or_else(|| (vec![nothing_called(word)], None));
    Some(refusal(&facts, command.as_deref()))
}

fn nothing_called(word: &str) -> String {
    format!("there is no verb and no file called `{word}`")
}

fn refusal(facts: &[String], command: Option<&str>) -> Error {
    let next = match command {
        Some(command) => format!("write  {command}"),
        None => "`rord-run` alone lists the verbs, `rord-run help VERB` the options of one".to_string(),
    };
    Error::raw(ErrorKind::UnknownArgument, format!("{}\n\n  {next}\n", facts.join("\n       ")))
}

/// What is wrong with a command line, and the one that was probably meant. `None` where clap's own error is as good.
fn correct(args: &[String]) -> Option<(Vec<String>, Option<String>)> {
    let mut line = Line::read(args);
    line.verb();
    let file = line.file();
    line.assignments();
    line.options(file.as_deref());
    if line.facts.is_empty() {
        return None;
    }
    let words: Vec<String> = line.pieces.iter().flat_map(Piece::words).collect();
    let command = std::iter::once("rord-run".to_string()).chain(words.iter().cloned());
    let sound = words != args && Cli::try_parse_from(command.clone()).is_ok();
    Some((line.facts, sound.then(|| command.map(|w| quoted(&w)).collect::<Vec<_>>().join(" "))))
}

impl Piece {
    fn words(&self) -> Vec<String> {
        match self {
            Piece::Word(word) => vec![word.clone()],
            Piece::Known(name, value) | Piece::Unknown(name, value) => {
                std::iter::once(name.clone()).chain(value.clone()).collect()
            }
        }
    }
}

impl Line {
    fn read(args: &[String]) -> Self {
        let command = Cli::command();
        let verbs: Vec<String> = command.get_subcommands().map(|c| c.get_name().to_string()).collect();
        let mut pieces = Vec::new();
        let mut rest = args.iter().peekable();
        while let Some(arg) = rest.next() {
            if !arg.starts_with('-') || arg == "-" {
                pieces.push(Piece::Word(arg.clone()));
                continue;
            }
            let (name, attached) = match arg.split_once('=') {
                Some((name, value)) => (name.to_string(), Some(value.to_string())),
                None => (arg.clone(), None),
            };
            let value = |word: &&String| !word.starts_with('-') && !verbs.contains(word) && !is_file(word);
            pieces.push(match takes_value(&command, &name) {
                Some(false) => Piece::Known(name, attached),
                Some(true) => Piece::Known(name, attached.or_else(|| rest.next().cloned())),
                None => Piece::Unknown(name, attached.or_else(|| rest.next_if(|word| value(word)).cloned())),
            });
        }
        Self { pieces, facts: Vec::new(), verbs }
    }

    /// The pipeline, if one is named.
    fn file(&self) -> Option<String> {
        let words = self.pieces.iter().filter_map(|p| if let Piece::Word(w) = p { Some(w) } else { None });
        words.into_iter().find(|w| is_file(w)).cloned()
    }

    /// The verb comes first, and is one of those that there are.
    fn verb(&mut self) {
        let is_verb = |p: &Piece| matches!(p, Piece::Word(w) if self.verbs.contains(w));
        match self.pieces.iter().position(is_verb) {
            Some(0) => {}
            Some(at) => {
                let verb = self.pieces.remove(at);
                self.facts.push(format!("the verb `{}` comes first", verb.words().join(" ")));
                self.pieces.insert(0, verb);
            }
            None => {
                let Some(Piece::Word(word)) = self.pieces.first() else { return };
                if word.contains(['/', '\\', '.', '=']) || word == "help" || Path::new(word).exists() {
                    return;
                }
                let elsewhere = ELSEWHERE.iter().find(|(other, _)| other == word).map(|(_, verb)| *verb);
                let near = elsewhere.or_else(|| closest(word, self.verbs.iter().map(String::as_str)));
                let pipeline = format!("{word}.rord");
                let (fact, piece) = match near {
                    Some(verb) => (format!("there is no verb `{word}`; did you mean `{verb}`?"), verb.to_string()),
                    None if Path::new(&pipeline).exists() => {
                        (format!("there is no verb `{word}`, but a file {pipeline}"), pipeline)
                    }
                    None => (nothing_called(word), word.clone()),
                };
                self.facts.push(fact);
                if let Some(first) = self.pieces.first_mut() {
                    *first = Piece::Word(piece);
                }
            }
        }
    }

    /// `--set epochs 2`, `--set epochs = 2` and `epochs=2` alone.
    fn assignments(&mut self) {
        let mut out: Vec<Piece> = Vec::new();
        let mut pieces = std::mem::take(&mut self.pieces).into_iter().peekable();
        let mut fact = |text: &str| {
            if !self.facts.iter().any(|f| f == text) {
                self.facts.push(text.to_string());
            }
        };
        while let Some(piece) = pieces.next() {
            let whole = |text: &str| text.split_once('=').is_some_and(|(_, value)| !value.is_empty());
            match piece {
                Piece::Known(name, Some(given)) if name == "--set" && !whole(&given) => {
                    let mut joined = given.trim_end_matches('=').to_string();
                    let bare = |p: &Piece| matches!(p, Piece::Word(w) if !is_file(w));
                    let mut value = None;
                    while value.is_none()
                        && let Some(next) = pieces.next_if(bare)
                    {
                        let word = next.words().concat();
                        value = Some(word.trim_start_matches('=').to_string()).filter(|v| !v.is_empty());
                    }
                    match value {
                        Some(value) => {
                            joined = format!("{joined}={value}");
                            fact("`--set` takes NAME=VALUE in one word");
                            out.push(Piece::Known(name, Some(joined)));
                        }
                        None => out.push(Piece::Known(name, Some(given))),
                    }
                }
                Piece::Word(word) if whole(&word) && is_name(word.split('=').next().unwrap_or("")) => {
                    fact(&format!("`{word}` is no file; parameters are set by --set"));
                    out.push(Piece::Known("--set".into(), Some(word)));
                }
                other => out.push(other),
            }
        }
        self.pieces = out;
    }

    /// Options that are none: parameters and presets of the pipeline, and options of other verbs.
    fn options(&mut self, file: Option<&str>) {
        let (command, tree) = (Cli::command(), file.and_then(read));
        let verb = self.pieces.first().map(|p| p.words().concat()).filter(|w| self.verbs.contains(w));
        let own = verb.as_deref().and_then(|v| command.find_subcommand(v)).unwrap_or(&command).clone();
        let of = file.unwrap_or("the pipeline");
        for piece in &mut self.pieces {
            match piece {
                Piece::Known(name, _) if own_option(&own, name).is_none() => {
                    let has = |c: &&Command| own_option(c, name).is_some();
                    let others: Vec<String> =
                        command.get_subcommands().filter(has).map(|c| format!("`{}`", c.get_name())).collect();
                    let verb = verb.as_deref().unwrap_or("train");
                    let verbs = rord_lang::report::list(&others);
                    self.facts.push(format!("`{verb}` has no option `{name}`; it is one of {verbs}"));
                }
                Piece::Unknown(name, value) => {
                    let bare = name.trim_start_matches('-').replace('-', "_");
                    let found = tree.as_ref().and_then(|tree| named(tree, &bare, similar(&own, name)));
                    let set = |param: &str| Some(format!("{param}={}", value.as_deref().unwrap_or("…")));
                    let better = match found {
                        Some(Named::Preset(preset)) => {
                            self.facts.push(format!("`{name}` is no option; `{preset}` is a preset of {of}"));
                            Piece::Known("--preset".into(), Some(preset))
                        }
                        Some(Named::Param(param)) => {
                            self.facts.push(format!("`{name}` is no option; `{param}` is a parameter of {of}"));
                            Piece::Known("--set".into(), set(&param))
                        }
                        None if similar(&own, name) || !is_name(&bare) => continue,
                        None => {
                            let value = value.as_deref().unwrap_or("…");
                            let help = match tree {
                                Some(_) => format!("`rord-run params {of}` lists its parameters"),
                                None => format!("a parameter is set by  --set {bare}={value}"),
                            };
                            self.facts.push(format!("there is no option `{name}`; {help}"));
                            continue;
                        }
                    };
                    *piece = better;
                }
                _ => {}
            }
        }
    }
}
