//! The verbs, in one table: name, what it does in a line, what it takes, and the function that carries it out. The
//! command line, its help, the completions and the tests of README.md read it.

use clap::{CommandFactory, Parser, Subcommand};

use super::args::*;
use super::{
    bench, cache, check, completions, data, demo, diff, eval, explain, export, find, fmt, graph, loss, lsp, man,
    matches, new, params, predict, replay, report, resume, sweep, train, types,
};

macro_rules! verbs {
    ($($(#[$about:meta])+ $name:ident($args:ty) => $run:path,)+) => {
        /// What to do.
        #[derive(Debug, Subcommand)]
        pub enum Verb {
            $($(#[$about])+ $name($args),)+
        }

        impl Verb {
            /// Carries it out, and returns the exit code.
            pub fn run(&self) -> u8 {
                match self {
                    $(Self::$name(args) => $run(args),)+
                }
            }
        }
    };
}

verbs! {
    /// Train a pipeline
    Train(TrainArgs) => train::run,
    /// Go on with a run that was interrupted or killed
    Resume(ResumeArgs) => resume::run,
    /// Make a run again and compare its bytes, or one of its steps with all ranges
    Replay(ReplayArgs) => replay::run,
    /// Say what differs between two runs: text, parameters, data, machine, weights, curves
    Diff(DiffArgs) => diff::run,
    /// Write a page about a run, or about several: curves, formulas, network, pictures
    Report(ReportArgs) => report::run,
    /// Train a pipeline once for each point of a grid that it names
    Sweep(SweepArgs) => sweep::run,
    /// Check pipelines and report what is wrong
    Check(CheckArgs) => check::run,
    /// Print the graph of a pipeline
    Graph(GraphArgs) => graph::run,
    /// Print names with types, the weights, and what a step takes
    Types(FileArgs) => types::types,
    /// Print what can be changed from outside, and the values it has
    Params(ParamsArgs) => params::run,
    /// List what the network will see, and draw pairs of it
    Data(DataArgs) => data::run,
    /// Use a trained network on pictures: key points with descriptors, or what it exports
    Predict(PredictArgs) => predict::run,
    /// Match two pictures with a trained network, and find the move between them
    Match(MatchArgs) => matches::run,
    /// Find crops in chips with a trained network
    Find(FindArgs) => find::run,
    /// Make a small chip, draw crops of it otherwise, and find them
    Demo(DemoArgs) => demo::run,
    /// Measure a trained network: its losses, what it finds, what it matches
    Eval(EvalArgs) => eval::run,
    /// Write a trained network for other systems: as ONNX, as a PyTorch module
    Export(ExportArgs) => export::run,
    /// Evaluate losses on tensors of your own
    Loss(LossArgs) => loss::run,
    /// List or remove the drawings of layouts that are kept on disk
    Cache(CacheArgs) => cache::run,
    /// Measure training steps: time by operation, memory
    Bench(BenchArgs) => bench::run,
    /// Print the manual: operations, reports, words, formulas
    Explain(ExplainArgs) => explain::run,
    /// Lay out pipelines in the one way there is; comments stay
    Fmt(FmtArgs) => fmt::run,
    /// Begin a pipeline: a folder with one that trains as it is
    New(NewArgs) => new::run,
    /// Print a script that completes commands on Tab
    Completions(CompletionsArgs) => completions::run,
    /// Print a manual page for man, or write all of them
    Man(ManArgs) => man::run,
    /// Serve an editor: reports, types and completion
    Lsp(LspArgs) => lsp::run,
}

/// Trains local-feature networks from pipelines whose losses are checked formulas.
#[derive(Debug, Parser)]
#[command(
    name = "rord-run",
    version,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    subcommand_value_name = "VERB",
    subcommand_help_heading = "Verbs",
    after_help = "`rord-run FILE.rord` trains it. `rord-run help VERB` lists the options of a verb.\n\
                  Begin with  rord-run new NAME"
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub verb: Option<Verb>,
    /// Keep at most so many MB of drawn layouts in memory; the rest is read from the cache
    #[arg(long, global = true, value_name = "MB", default_value_t = 512, hide_default_value = false)]
    pub data_memory: usize,
    /// Training, where no verb is given.
    #[command(flatten)]
    pub train: TrainArgs,
}

impl Cli {
    /// Carries out the verb.
    pub fn run(&self) -> u8 {
        match &self.verb {
            Some(verb) => verb.run(),
            None => train::run(&self.train),
        }
    }
}

/// Every verb with what it does in a line: what is printed where the command is called with nothing.
pub fn list() -> clap::builder::StyledStr {
    let template = "{about}\n\nVerbs:\n{subcommands}{after-help}";
    Cli::command().help_template(template).render_help()
}
