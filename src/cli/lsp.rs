//! `rord-run lsp`: serves an editor over standard input and output, by the Language Server Protocol.

use super::args::LspArgs;
use rord_lsp as lsp;

/// Serves until the editor sends `exit` or closes the input. Done where it sent `shutdown` before.
pub fn run(args: &LspArgs) -> u8 {
    match lsp::serve(std::io::stdin(), std::io::stdout(), args.import_root.clone()) {
        true => super::DONE,
        false => super::REFUSED,
    }
}
