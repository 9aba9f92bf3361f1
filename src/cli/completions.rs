//! `rord-run completions`: `rord-run completions bash > ~/.local/share/bash-completion/completions/rord-run`.

use clap::CommandFactory;

use super::args::CompletionsArgs;
use super::verbs::Cli;

/// Prints the script.
pub fn run(args: &CompletionsArgs) -> u8 {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "rord-run", &mut script);
    super::print_as_is(&String::from_utf8_lossy(&script));
    super::DONE
}
