//! What there is for a mistaken word to mean: verbs of other tools, parameters and presets of the pipeline, options of the verbs.

use std::path::Path;

use clap::{ArgAction, Command};

use rord_lang::ast::{File, ItemKind};
use rord_lang::parse::parse;
use rord_lang::report::{closest, elsewhere};
use rord_lang::source::FileId;

use crate::load::text_of;

/// What other tools call a verb.
pub const ELSEWHERE: [(&str, &str); 24] = [
    ("run", "train"),
    ("fit", "train"),
    ("start", "train"),
    ("lint", "check"),
    ("validate", "check"),
    ("verify", "check"),
    ("format", "fmt"),
    ("init", "new"),
    ("create", "new"),
    ("benchmark", "bench"),
    ("profile", "bench"),
    ("evaluate", "eval"),
    ("test", "eval"),
    ("infer", "predict"),
    ("detect", "predict"),
    ("search", "find"),
    ("locate", "find"),
    ("doc", "explain"),
    ("show", "data"),
    ("grid", "sweep"),
    ("config", "params"),
    ("compare", "diff"),
    ("rerun", "replay"),
    ("repeat", "replay"),
];

/// What a pipeline calls so.
pub enum Named {
    /// A parameter.
    Param(String),
    /// A preset.
    Preset(String),
}

/// The parameter or the preset that an option means. Where an option of the command is near, only one of the very name.
pub fn named(tree: &File, name: &str, near: bool) -> Option<Named> {
    let (mut params, mut presets) = (Vec::new(), Vec::new());
    for item in &tree.items {
        match &item.kind {
            ItemKind::Param { name, .. } => params.push(name.text.as_str()),
            ItemKind::Preset { name, .. } => presets.push(name.text.as_str()),
            _ => {}
        }
    }
    let same = |known: &[&str]| known.iter().find(|k| **k == name).map(|k| k.to_string());
    let param = || same(&params).map(Named::Param);
    let preset = || same(&presets).map(Named::Preset);
    let other = || elsewhere::parameter(name).into_iter().flatten().find(|n| params.contains(n)).copied();
    let close = || closest(name, params.iter().copied()).filter(|_| !near);
    param().or_else(preset).or_else(|| other().or_else(close).map(|n| Named::Param(n.to_string())))
}

/// The syntax tree of a file, if it can be read.
pub fn read(path: &str) -> Option<File> {
    let bytes = rord_files::read(&text_of(Path::new(path)), rord_project::files::MOST_BYTES).ok()?;
    Some(parse(std::str::from_utf8(&bytes).ok()?, FileId(0)).0)
}

/// True for what names a pipeline, or a run.
pub fn is_file(word: &str) -> bool {
    word.ends_with(".rord") || Path::new(word).is_file() || text_of(Path::new(word)) != Path::new(word)
}

/// True for what could be the name of a parameter.
pub fn is_name(word: &str) -> bool {
    word.starts_with(|c: char| c.is_alphabetic()) && word.chars().all(|c| c.is_alphanumeric() || c == '_')
}

/// Whether an option of some verb takes a value; `None` where no verb has it.
pub fn takes_value(command: &Command, name: &str) -> Option<bool> {
    own_option(command, name).or_else(|| command.get_subcommands().find_map(|c| own_option(c, name)))
}

/// The same for the options of one command.
pub fn own_option(command: &Command, name: &str) -> Option<bool> {
    if matches!(name, "-h" | "--help" | "-V" | "--version") {
        return Some(false);
    }
    let long = name.strip_prefix("--")?;
    let arg = command.get_arguments().find(|a| a.get_long() == Some(long))?;
    Some(matches!(arg.get_action(), ArgAction::Set | ArgAction::Append))
}

/// True where an option resembles one of the command's: clap proposes that.
pub fn similar(command: &Command, name: &str) -> bool {
    let longs: Vec<&str> = command.get_arguments().filter_map(|a| a.get_long()).collect();
    closest(name.trim_start_matches('-'), longs).is_some()
}

/// A word as a shell takes it.
pub fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "=._-+/:,@%…".contains(c);
    match word.chars().all(plain) && !word.is_empty() {
        true => word.to_string(),
        false => shlex::try_quote(word).map_or_else(|_| word.to_string(), |quoted| quoted.into_owned()),
    }
}
