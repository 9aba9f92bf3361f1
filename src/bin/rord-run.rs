//! The command: reads its arguments, calls a verb, exits with its code.

use std::process::ExitCode;

use clap::Parser;
use rord::cli::args::{Cli, Verb};

/// It hands freed memory back to the system only after a second (its own default): what the next step takes again is there, where
/// asking the system for every tensor's pages would cost more than computing it.
#[cfg(feature = "engine")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    #[cfg(feature = "engine")]
    if let Err(text) = rord::kernels::simd::Simd::asked() {
        return ExitCode::from(rord::cli::no_such_instructions(&text));
    }
    let code = match cli.verb {
        Some(Verb::Check(args)) => rord::cli::check::run(&args),
        Some(Verb::Graph(args)) => rord::cli::graph::run(&args),
        Some(Verb::Types(args)) => rord::cli::types::types(&args),
        Some(Verb::Params(args)) => rord::cli::params::run(&args),
        Some(Verb::Explain(args)) => rord::cli::explain::run(&args),
        Some(Verb::Fmt(args)) => rord::cli::fmt::run(&args),
        Some(Verb::New(args)) => rord::cli::new::run(&args),
        Some(Verb::Completions(args)) => rord::cli::completions::run(&args),
        Some(Verb::Lsp(args)) => rord::cli::lsp::run(&args),
        Some(Verb::Data(args)) => data(&args),
        Some(Verb::Loss(args)) => loss(&args),
        Some(Verb::Bench(args)) => bench(&args),
        Some(Verb::Train(args)) => train(&args),
        Some(Verb::Sweep(args)) => sweep(&args),
        None => train(&cli.train),
    };
    ExitCode::from(code)
}

#[cfg(feature = "engine")]
fn train(args: &rord::cli::args::TrainArgs) -> u8 {
    rord::cli::train::run(args)
}

#[cfg(feature = "engine")]
fn sweep(args: &rord::cli::args::SweepArgs) -> u8 {
    rord::cli::sweep::run(args)
}

#[cfg(not(feature = "engine"))]
fn sweep(_: &rord::cli::args::SweepArgs) -> u8 {
    without_engine()
}

#[cfg(feature = "engine")]
fn bench(args: &rord::cli::args::BenchArgs) -> u8 {
    rord::cli::bench::run(args)
}

#[cfg(not(feature = "engine"))]
fn bench(_: &rord::cli::args::BenchArgs) -> u8 {
    without_engine()
}

#[cfg(feature = "engine")]
fn loss(args: &rord::cli::args::LossArgs) -> u8 {
    rord::cli::loss::run(args)
}

#[cfg(not(feature = "engine"))]
fn loss(_: &rord::cli::args::LossArgs) -> u8 {
    without_engine()
}

#[cfg(feature = "engine")]
fn data(args: &rord::cli::args::DataArgs) -> u8 {
    rord::cli::data::run(args)
}

#[cfg(not(feature = "engine"))]
fn train(_: &rord::cli::args::TrainArgs) -> u8 {
    without_engine()
}

#[cfg(not(feature = "engine"))]
fn data(_: &rord::cli::args::DataArgs) -> u8 {
    without_engine()
}

#[cfg(not(feature = "engine"))]
fn without_engine() -> u8 {
    eprintln!(
        "this rord-run was built without its engine and can only look at pipelines; build it with --features engine"
    );
    rord::cli::REFUSED
}
