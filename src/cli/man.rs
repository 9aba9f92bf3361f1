//! `rord-run man`: manual pages, made from the same table as the help. `rord-run man find | man -l -`.

use std::io;
use std::path::Path;

use clap::{Command, CommandFactory};
use clap_mangen::Man;

use rord_files::{Action, FileError, write_atomic};
use rord_lang::report::{closest, runtime};
use rord_lang::source::Sources;

use super::args::ManArgs;
use super::verbs::Cli;

/// Prints the page of the command or of a verb, or writes all of them into a folder.
pub fn run(args: &ManArgs) -> u8 {
    let pages = pages();
    let refuse = |report| {
        super::print_reports(&[report], &Sources::default());
        super::REFUSED
    };
    if let Some(folder) = &args.out {
        return match written(&pages, folder) {
            Ok(()) => {
                super::print(&format!("{} pages in {}\n", pages.len(), folder.display()));
                super::DONE
            }
            Err(error) => refuse(runtime::failed("R0914", &error.to_string(), error.help())),
        };
    }
    let name = match &args.verb {
        Some(verb) => format!("rord-run-{verb}"),
        None => "rord-run".into(),
    };
    match pages.iter().find(|page| page.name == name) {
        Some(page) => {
            super::print_as_is(&page.text);
            super::DONE
        }
        None => {
            let verb = args.verb.as_deref().unwrap_or_default();
            let verbs: Vec<&str> = pages.iter().filter_map(|page| page.name.strip_prefix("rord-run-")).collect();
            let help = match closest(verb, verbs) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "`rord-run` alone lists the verbs".into(),
            };
            refuse(runtime::failed("R0818", &format!("there is no verb `{verb}`"), &help))
        }
    }
}

/// A manual page: its name and its text for troff.
struct Page {
    name: String,
    text: String,
}

/// The pages of the command and of every verb.
fn pages() -> Vec<Page> {
    // Help is no verb of its own.
    let mut command = Cli::command().disable_help_subcommand(true);
    // Names verbs as they are called, `rord-run find`, and their pages, `rord-run-find`.
    command.build();
    let of = |verb: &Command| {
        page(verb.clone().version(env!("CARGO_PKG_VERSION")), &format!("rord-run-{}", verb.get_name()))
    };
    std::iter::once(page(command.clone(), "rord-run")).chain(command.get_subcommands().map(of)).collect()
}

fn page(command: Command, name: &str) -> Page {
    let mut text = Vec::new();
    // Nothing fails that is written into memory.
    let _ =
        Man::new(command).title(name).date("").source(concat!("rord ", env!("CARGO_PKG_VERSION"))).render(&mut text);
    Page { name: name.into(), text: String::from_utf8_lossy(&text).into_owned() }
}

fn written(pages: &[Page], folder: &Path) -> Result<(), FileError> {
    let failed = |error: io::Error| FileError::at(Action::MakeFolder, folder)(error);
    std::fs::create_dir_all(folder).map_err(failed)?;
    pages.iter().try_for_each(|page| write_atomic(&folder.join(format!("{}.1", page.name)), page.text.as_bytes()))
}
