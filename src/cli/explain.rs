//! `rord-run explain`: the manual at hand.

use std::path::Path;

use clap::CommandFactory;

use super::args::ExplainArgs;
use super::load::load_sound;
use super::verbs::Cli;
use rord_lang::ast::ItemKind;
use rord_lang::check::names_of;
use rord_lang::manual;
use rord_lang::parse::parse;
use rord_lang::report::{nearest, pages, runtime};
use rord_lang::sections::{SECTIONS, Section};
use rord_lang::source::{FileId, Sources};
use rord_lang::types::Kind;
use rord_lang::vocabulary::Vocabulary;
use rord_ops as ops;
use rord_ops::chapters::{CHAPTERS, PARTS};
use rord_project::outside::Given;
use rord_project::run::Named;

/// Prints a page of the manual.
pub fn run(args: &ExplainArgs) -> u8 {
    let (vocabulary, sources) = ops::vocabulary();
    if args.name == "ops" {
        let mut out = String::new();
        for chapter in ops::chapters::CHAPTERS {
            let usages: Vec<String> = chapter
                .names
                .iter()
                .filter_map(|name| {
                    let (usage, page) = match name.strip_prefix("fn ") {
                        Some(name) => (vocabulary.function_usage(name)?, vocabulary.function_page(name, &sources)),
                        None => {
                            let usage = vocabulary.usage(name).filter(|_| vocabulary.callable(name))?;
                            let page =
                                vocabulary.operation_page(name).or_else(|| vocabulary.function_page(name, &sources));
                            (usage, page)
                        }
                    };
                    let about = page.map(|page| sentence(&page.manual)).unwrap_or_default();
                    let usage = usage.split_whitespace().collect::<Vec<_>>().join(" ");
                    Some(if about.is_empty() { usage } else { format!("{usage}  # {about}") })
                })
                .collect();
            if !usages.is_empty() {
                out.push_str(&format!("# {}\n\n{}\n\n", chapter.title, usages.join("\n")));
            }
        }
        super::print(&format!("{}\n", out.trim_end()));
        return super::DONE;
    }
    if let Some((file, formula)) = args.name.rsplit_once(':')
        && names_a_file(file)
    {
        return super::formula::run(std::path::Path::new(file), formula, &args.changes.given());
    }
    if names_a_file(&args.name) {
        return formulas(Path::new(&args.name), &args.changes.given());
    }
    if let Some(page) = page(&args.name) {
        super::print_page(&page);
        return super::DONE;
    }
    let known = known(&vocabulary);
    let near = nearest(&args.name, known.iter().map(String::as_str), NEAR);
    let also: Vec<String> = near.iter().skip(1).map(|name| format!("`{name}`")).collect();
    let help = match (near.first(), elsewhere(&args.name)) {
        (_, Some(said)) => said,
        (None, None) => LISTS.into(),
        (Some(near), None) if also.is_empty() => format!("did you mean `{near}`? {LISTS}"),
        (Some(near), None) => {
            let is = if also.len() == 1 { "is" } else { "are" };
            format!("did you mean `{near}`? Near it {is} also {}. {LISTS}", rord_lang::report::list(&also))
        }
    };
    let report = runtime::failed("R0818", &format!("there is no page called `{}`", args.name), &help);
    super::print_reports(&[report], &Sources::default());
    super::REFUSED
}

/// The most names that are proposed for one that has no page.
const NEAR: usize = 3;

/// All names that have a page.
pub fn known(vocabulary: &Vocabulary) -> Vec<String> {
    let items = manual::ITEMS.iter().map(|(word, ..)| *word).chain(["part", "ops", "reports"]);
    let words = manual::WORDS.iter().flat_map(|(words, ..)| words.iter().copied());
    let lints = manual::LINTS.iter().map(|(lint, _)| *lint);
    let settings = SECTIONS.iter().flat_map(|section| section.fields.iter().map(|field| field.name));
    let command = Cli::command();
    let verbs = command.get_subcommands().map(|verb| verb.get_name().to_string());
    let named = Kind::names().chain(items).chain(words).chain(lints).chain(settings).map(str::to_string);
    let mut all: Vec<String> = Vec::new();
    for name in
        vocabulary.names().map(str::to_string).chain(named).chain(pages::codes().map(str::to_string)).chain(verbs)
    {
        if !all.contains(&name) {
            all.push(name);
        }
    }
    all
}

/// What reading a mark of another language says about it.
fn elsewhere(name: &str) -> Option<String> {
    let mark = !name.is_empty() && !name.contains(|c: char| c.is_alphanumeric() || c.is_whitespace() || c == '_');
    let (_, reports) = mark.then(|| parse(&format!("let y = a {name} b\n"), FileId(0)))?;
    let report = reports.first()?;
    let help = report.help.as_deref()?;
    Some(format!("{}: {help}", report.title))
}

/// The page of a word: of a report, an operation, a function, a kind, an item, a mark, a setting, a lint or a verb.
pub fn page(name: &str) -> Option<String> {
    if let Some(page) = pages::page(name) {
        return Some(page.to_string());
    }
    if name == "reports" {
        return Some(include_str!("../../docs/reports/README.md").to_string());
    }
    let (vocabulary, sources) = ops::vocabulary();
    // `cosine` is a schedule and a function.
    let found = [vocabulary.operation_page(name), vocabulary.function_page(name, &sources)];
    let mut found: Vec<String> = found.iter().flatten().map(|p| format!("{}\n\n{}\n", p.signature, p.manual)).collect();
    let words = [
        kind(name, &vocabulary),
        manual::item(name),
        manual::part(name),
        manual::word(name),
        setting(name),
        manual::lint(name),
    ];
    found.extend(words.into_iter().flatten().map(|page| format!("{page}\n")));
    // `loss` is an item first.
    if found.is_empty() {
        found.extend(verb(name).map(|page| format!("{page}\n")));
    }
    (!found.is_empty()).then(|| found.join("\n"))
}

/// True for what names a pipeline or a run, rather than a word that has a page. A pipeline that is not there is missed as a file.
fn names_a_file(name: &str) -> bool {
    let path = Path::new(name);
    path.is_file() || name.ends_with(".rord") || !Named::new(path).is_ok_and(|named| named.run.is_none())
}

/// The first sentence of a manual, in a line.
fn sentence(manual: &str) -> String {
    let text = manual.split("\n\n").next().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ");
    let end = text.find(". ").or_else(|| text.strip_suffix(['.', ':']).map(str::len)).unwrap_or(text.len());
    text.get(..end).unwrap_or_default().to_string()
}

/// A field of sections: its kind, what it is for, and where it stands.
fn setting(name: &str) -> Option<String> {
    let one = |section: &Section| {
        let field = section.fields.iter().find(|field| field.name == name)?;
        let default = match field.default.shown() {
            Some(default) => format!("; {default} where it is left out"),
            None => "; it cannot be left out".into(),
        };
        let words: Vec<String> = field.words.iter().map(|word| format!("`{word}`")).collect();
        let words = if words.is_empty() { String::new() } else { format!("\n\nOne of {}.", words.join(", ")) };
        let kinds = field.kinds().replace(" or ", "` or `");
        let section = section.name;
        Some(format!("**{name}**: a field of `{section}`, of kind `{kinds}`{default}.\n\n{}{words}", field.about))
    };
    let all: Vec<String> = SECTIONS.iter().filter_map(one).collect();
    (!all.is_empty()).then(|| all.join("\n\n"))
}

/// What a verb does, and where its options are listed.
fn verb(name: &str) -> Option<String> {
    let about = Cli::command().find_subcommand(name)?.get_about()?.to_string();
    Some(format!("**rord-run {name}**: {about}\n\n`rord-run help {name}` lists what it takes."))
}

/// Where all that has a page is listed.
const LISTS: &str = "`rord-run explain ops` lists all operations, `explain reports` all reports; kinds as in `Desc`, items as in `loss`, \
                     marks as in `@` and lints as in `unanchored` have pages, too";

/// The page of a kind: what editors show at it, and the operations that take it and give it.
fn kind(name: &str, vocabulary: &Vocabulary) -> Option<String> {
    let (mut page, kind) = (manual::kind(name)?, Kind::named(name)?);
    let parts = CHAPTERS.iter().find(|c| c.file == PARTS).map_or(&[] as &[_], |c| c.names);
    // `cosine` is a schedule and a function.
    let mut called: Vec<&str> = Vec::new();
    for name in vocabulary.names().filter(|n| !parts.contains(n)) {
        if !called.contains(&name) {
            called.push(name);
        }
    }
    let mut listed: Vec<&str> = Vec::new();
    let mut taking = |wanted: Kind| {
        let takes = |name: &str| {
            let operation = vocabulary.operation(name).map(|o| &o.params);
            let function = vocabulary.function(name).map(|f| &f.function.params);
            operation.into_iter().chain(function).flatten().any(|p| p.ty.kind.text == wanted.name())
        };
        let names: Vec<&str> = called.iter().copied().filter(|n| takes(n) && !listed.contains(n)).collect();
        listed.extend(&names);
        names
    };
    let gives = |name: &str| {
        let operation = vocabulary.operation(name).and_then(|o| o.result.as_ref());
        let function = vocabulary.function(name).and_then(|f| f.function.result.as_ref());
        operation.into_iter().chain(function).any(|ty| ty.kind.text == kind.name())
    };
    let mut list = |head: &str, names: Vec<&str>| {
        if !names.is_empty() {
            page.push_str(&format!("\n\n{head}: {}.", names.join(", ")));
        }
    };
    list("Taken by", taking(kind));
    let mut above = kind.above();
    while let Some(wider) = above {
        list(&format!("Taken as a `{}` by", wider.name()), taking(wider));
        above = wider.above();
    }
    list("Given by", called.iter().copied().filter(|n| gives(n)).collect());
    Some(page)
}

/// Lists the formulas of a pipeline, each with its type.
fn formulas(path: &Path, given: &Given<'_>) -> u8 {
    let Some(loaded) = load_sound(path, given) else { return super::REFUSED };
    let text = loaded.sources.get(loaded.file).map(|s| s.text.clone()).unwrap_or_else(|| "".into());
    let mut rows = Vec::new();
    for item in parse(&text, loaded.file).0.items {
        let word = match &item.kind {
            ItemKind::Let(_) => "let",
            ItemKind::Loss { .. } => "loss",
            ItemKind::Metric { .. } => "metric",
            ItemKind::Minimize { .. } => "minimize",
            _ => continue,
        };
        for name in names_of(&item) {
            let ty = loaded.pipeline.names.iter().find(|n| n.span == name.span).map(|n| loaded.pipeline.shown(n));
            rows.push(vec![word.to_string(), name.text.clone(), ty.unwrap_or_default()]);
        }
    }
    let shown = path.display();
    let last = match rows.last().and_then(|row| row.get(1)) {
        Some(name) => format!("\nrord-run explain {shown}:{name} shows one with the types in it\n"),
        None => format!("{shown} has no formulas\n"),
    };
    super::print(&format!("{}{last}", super::columns(rows)));
    super::DONE
}
