//! The language server: what `rord-run` knows about a pipeline, given to an editor while the pipeline is written.
//!
//! It is a crate beside the command line, on the same layer: `lang` checks and indexes texts, this crate speaks the protocol. One file
//! for each family of requests; none of them keeps anything, all they need is the [`world::World`] and an [`world::Analysis`].

mod actions;
mod brackets;
mod complete;
mod diagnostics;
mod extract;
mod format;
mod hints;
mod hover;
mod navigate;
mod outline;
mod pages;
mod position;
mod rename;
mod scene;
mod semantic;
mod server;
mod signature;
mod transport;
mod uri;
mod world;

pub use server::serve;
