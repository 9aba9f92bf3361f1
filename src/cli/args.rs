//! What each verb takes on the command line.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use rord_project::outside::Given;
use rord_record::Observer;
use rord_record::events::Events;
use rord_record::progress::Progress;

/// A pipeline and what is changed in it.
#[derive(Clone, Debug, Args)]
pub struct FileArgs {
    /// The pipeline, or the folder of a run
    #[arg(value_name = "FILE.rord", required = true)]
    pub file: Option<PathBuf>,
    /// What is changed in it
    #[command(flatten)]
    pub changes: Changes,
}

/// What is changed from outside.
#[derive(Clone, Debug, Args)]
pub struct Changes {
    /// Use a preset of the pipeline
    #[arg(long, value_name = "NAME")]
    pub preset: Option<String>,
    /// Read parameters from a flat YAML file
    #[arg(long, value_name = "FILE.yaml")]
    pub params: Option<PathBuf>,
    /// Set a parameter: a number, a string or a call, as in --set lr=3e-4
    #[arg(long, value_name = "NAME=VALUE")]
    pub set: Vec<String>,
    /// Allow imports from this folder and below [default: the pipeline's folder]
    #[arg(long, value_name = "DIR")]
    pub import_root: Option<PathBuf>,
}

impl FileArgs {
    /// The pipeline's path.
    pub fn path(&self) -> &Path {
        self.file.as_deref().unwrap_or(Path::new(""))
    }
}

impl Changes {
    /// The same, as it is read.
    pub fn given(&self) -> Given<'_> {
        let (preset, params) = (self.preset.as_deref(), self.params.as_deref());
        Given { preset, params, set: &self.set, point: None, import_root: self.import_root.as_deref() }
    }
}

/// How a run is shown while it goes.
#[derive(Clone, Copy, Debug, Args)]
pub struct WatchArgs {
    /// How a run is shown: a view of it below the lines of its epochs, on a terminal; lines alone; or one JSON object a line
    #[arg(long, value_enum, value_name = "HOW", default_value_t = Watch::View)]
    pub progress: Watch,
    /// Print errors and how a run ended, and nothing else
    #[arg(long, short, conflicts_with = "progress")]
    pub quiet: bool,
}

/// How a run is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Watch {
    /// Where standard error is a terminal; else lines
    View,
    /// For people, and files that are read later
    Lines,
    /// For programs
    Json,
}

impl WatchArgs {
    /// What shows a run.
    pub fn observer(self) -> Box<dyn Observer> {
        match self.progress {
            _ if self.quiet => Box::new(Progress::quiet()),
            Watch::View => Box::new(Progress::view()),
            Watch::Lines => Box::new(Progress::lines()),
            Watch::Json => Box::new(Events::stdout()),
        }
    }

    /// As [`WatchArgs::observer`], for one run of several, which is named so. `beside`: another process shows another one on the same terminal.
    pub fn observer_of(self, run: &str, beside: bool) -> Box<dyn Observer> {
        match self.progress {
            Watch::Json => Box::new(Events::stdout().of(run)),
            _ if beside && !self.quiet => Box::new(Progress::lines().of(run)),
            _ => self.observer(),
        }
    }

    /// True where a person reads what is printed beside the run.
    pub fn speaks(self) -> bool {
        !self.quiet && self.progress != Watch::Json
    }
}

/// Arguments of `train`.
#[derive(Clone, Debug, Args)]
pub struct TrainArgs {
    /// The pipeline
    #[command(flatten)]
    pub file: FileArgs,
    /// Write the run to this folder, which must be empty or not there yet [default: a new one under runs/]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Where --out holds a run of the same text that was interrupted, go on with it
    #[arg(long, requires = "out")]
    pub auto_resume: bool,
    /// Where and with what it begins
    #[command(flatten)]
    pub place: PlaceArgs,
    /// How it is shown
    #[command(flatten)]
    pub watch: WatchArgs,
}

/// Arguments of `resume`.
#[derive(Clone, Debug, Args)]
pub struct ResumeArgs {
    /// The folder of the run
    #[arg(value_name = "RUN", required = true)]
    pub run: PathBuf,
    /// Where to run: cpu, cuda, cuda:1, metal [default: where it ran]
    #[arg(long, value_name = "DEVICE")]
    pub device: Option<String>,
    /// Threads on the CPU; results do not depend on it [default: one a core]
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    /// How it is shown
    #[command(flatten)]
    pub watch: WatchArgs,
}

/// Arguments of `replay`.
#[derive(Clone, Debug, Args)]
pub struct ReplayArgs {
    /// The folder of the run
    #[arg(value_name = "RUN", required = true)]
    pub run: PathBuf,
    /// Make this step alone, counted from 0 as in metrics.jsonl, and print the range of every value and gradient; of a step that failed
    /// exactly what was kept of it
    #[arg(long, value_name = "N")]
    pub step: Option<u64>,
    /// Keep what is made again in this folder, which must be empty or not there yet [default: it is removed]
    #[arg(long, value_name = "DIR", conflicts_with = "step")]
    pub out: Option<PathBuf>,
    /// Threads on the CPU; results do not depend on it [default: one a core]
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    /// How results are written
    #[arg(long, value_enum, default_value_t = ReportFormat::Human)]
    pub format: ReportFormat,
}

/// Arguments of `diff`.
#[derive(Clone, Debug, Args)]
pub struct DiffArgs {
    /// The folder of a run
    #[arg(value_name = "A", required = true)]
    pub a: PathBuf,
    /// The folder of another
    #[arg(value_name = "B", required = true)]
    pub b: PathBuf,
    /// How results are written
    #[arg(long, value_enum, default_value_t = ReportFormat::Human)]
    pub format: ReportFormat,
}

/// Arguments of `report`.
#[derive(Clone, Debug, Args)]
pub struct ReportArgs {
    /// The folders of runs; several are compared
    #[arg(value_name = "RUN", required = true, num_args = 1..)]
    pub runs: Vec<PathBuf>,
    /// Write the page to this file [default: report.html in the run's folder; of several runs in the folder at hand]
    #[arg(long, value_name = "FILE.html")]
    pub out: Option<PathBuf>,
    /// Threads on the CPU; results do not depend on it [default: one a core]
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
}

/// Where runs take place, and what they begin with.
#[derive(Clone, Debug, Args)]
pub struct PlaceArgs {
    /// Begin with these weights, or with the best of a run's folder
    #[arg(long, value_name = "WEIGHTS|RUN")]
    pub init: Option<PathBuf>,
    /// Where to run: cpu, cuda, cuda:1, metal
    #[arg(long, value_name = "DEVICE", default_value = "cpu")]
    pub device: String,
    /// Threads on the CPU; results do not depend on it [default: one a core]
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    /// Compute the same bits on every processor; several times slower
    #[arg(long)]
    pub reproducible: bool,
}

/// Arguments of `sweep`.
#[derive(Clone, Debug, Args)]
pub struct SweepArgs {
    /// The pipeline
    #[command(flatten)]
    pub file: FileArgs,
    /// The sweep, by its name in the pipeline
    #[arg(value_name = "SWEEP", required = true)]
    pub sweep: String,
    /// Write the runs to this folder; runs that are finished there are not made again [default: runs/PIPELINE-SWEEP]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Train so many runs at a time, each in a process of its own with its share of the threads
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024), conflicts_with = "worker")]
    pub jobs: Option<u16>,
    /// Train what no other process does: any number of these commands share a sweep, on all machines that see its folder
    #[arg(long)]
    pub worker: bool,
    /// Where and with what they begin
    #[command(flatten)]
    pub place: PlaceArgs,
    /// How they are shown
    #[command(flatten)]
    pub watch: WatchArgs,
}

/// Arguments of `params`.
#[derive(Debug, Args)]
pub struct ParamsArgs {
    /// The pipeline
    #[command(flatten)]
    pub file: FileArgs,
    /// Print a file that --params takes back
    #[arg(long)]
    pub yaml: bool,
}

/// Arguments of `check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// The pipelines
    #[arg(value_name = "FILE.rord", required = true)]
    pub files: Vec<PathBuf>,
    /// Make the edits that are certain: none that changes what is computed or brings another error
    #[arg(long)]
    pub fix: bool,
    /// With --fix: show the edits and write nothing
    #[arg(long, requires = "fix")]
    pub dry_run: bool,
    /// How reports are written: human to standard error, json as lines to standard output
    #[arg(long, value_enum, default_value_t = ReportFormat::Human)]
    pub format: ReportFormat,
    /// What is changed in them
    #[command(flatten)]
    pub changes: Changes,
}

/// How reports and results are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// For people
    Human,
    /// For tools
    Json,
}

/// Arguments of `graph`.
#[derive(Debug, Args)]
pub struct GraphArgs {
    /// The pipeline
    #[command(flatten)]
    pub file: FileArgs,
    /// Stop after this pass; `build` is before the first [default: the last]
    #[arg(long, value_name = "PASS", value_parser = ["build", "fold", "cse", "dead", "views", "fuse"])]
    pub after: Option<String>,
    /// What is a node: an operation, or in the overview a line of a model, a loss, a part of the data
    #[arg(long, value_enum, value_name = "LEVEL", default_value_t = GraphLevel::Operations)]
    pub level: GraphLevel,
    /// How the graph is written
    #[arg(long, value_enum, default_value_t = GraphFormat::Text)]
    pub format: GraphFormat,
    /// Show what validation computes, metrics included, rather than training
    #[arg(long)]
    pub validation: bool,
}

/// What is a node of a graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum GraphLevel {
    /// As it is run, after the passes
    Operations,
    /// As it is written, for people
    Overview,
}

/// How a graph is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum GraphFormat {
    /// A line a node
    Text,
    /// For Graphviz
    Dot,
    /// For Mermaid, as in Markdown pages
    Mermaid,
    /// For tools
    Json,
    /// A drawing, of the overview
    Svg,
}

/// Arguments of `data`.
#[derive(Clone, Debug, Args)]
pub struct DataArgs {
    /// The pipeline
    #[command(flatten)]
    pub file: FileArgs,
    /// How many pairs
    #[arg(long, value_name = "N", default_value_t = 6)]
    pub show: usize,
    /// Draw the pairs, with matching points on both sides, to this file
    #[arg(long, value_name = "SHEET.png")]
    pub png: Option<PathBuf>,
    /// Show validation pairs rather than training pairs
    #[arg(long)]
    pub validation: bool,
    /// The `data` to show, where there are several; the first
    #[arg(long, value_name = "NAME")]
    pub of: Option<String>,
    /// How it is written
    #[arg(long, value_enum, default_value_t = ReportFormat::Human)]
    pub format: ReportFormat,
}

/// Arguments of `cache`.
#[derive(Clone, Debug, Args)]
pub struct CacheArgs {
    /// Remove drawings; what is needed again is drawn again
    #[arg(long)]
    pub clear: bool,
    /// With --clear: those that were not used for so many days
    #[arg(long, value_name = "DAYS", requires = "clear")]
    pub unused: Option<u64>,
    /// How it is written
    #[arg(long, value_enum, default_value_t = ReportFormat::Human)]
    pub format: ReportFormat,
}

/// Arguments of `bench`.
#[derive(Clone, Debug, Args)]
pub struct BenchArgs {
    /// The pipeline
    #[command(flatten)]
    pub file: FileArgs,
    /// Steps that are measured
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub steps: usize,
    /// Steps before them
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub warmup: usize,
    /// Where to run: cpu, cuda, cuda:1, metal
    #[arg(long, value_name = "DEVICE", default_value = "cpu")]
    pub device: String,
    /// Threads on the CPU [default: one a core]
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
    /// Compute every operation by Candle's own, without kernels, for comparison
    #[arg(long)]
    pub plain: bool,
}

/// The chips that a network is used on, and how they are drawn.
#[derive(Clone, Debug, Args)]
pub struct ChipArgs {
    /// Chips: layouts or pictures; files, folders, or patterns
    #[arg(long = "in", value_name = "CHIP", required = true, num_args = 1..)]
    pub chips: Vec<PathBuf>,
    /// How layouts are drawn
    #[command(flatten)]
    pub drawn: DrawnArgs,
}

/// How layouts are drawn for a network.
#[derive(Clone, Debug, Args)]
pub struct DrawnArgs {
    /// The layers that are drawn, the lowest first [default: those that the network was trained on]
    #[arg(long, value_name = "LAYER,…", value_delimiter = ',')]
    pub layers: Vec<String>,
    /// Names of layers: KLayout's layer properties or a layer map [default: as the network was trained]
    #[arg(long, value_name = "FILE.lyp")]
    pub names: Option<PathBuf>,
    /// Pixels per µm [default: as the network was trained, else 10]
    #[arg(long, value_name = "PX")]
    pub resolution: Option<f64>,
    /// The cell to draw
    #[arg(long, value_name = "CELL")]
    pub top: Option<String>,
}

/// The weights of a trained network, and where it runs.
#[derive(Clone, Debug, Args)]
pub struct NetworkArgs {
    /// Weights in place of the run's best
    #[arg(long, value_name = "WEIGHTS|RUN")]
    pub weights: Option<PathBuf>,
    /// Threads on the CPU; results do not depend on it [default: one a core]
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
}

/// Arguments of `find`.
#[derive(Clone, Debug, Args)]
pub struct FindArgs {
    /// The folder of a run [default: the network that comes with rord]
    #[arg(value_name = "RUN")]
    pub run: Option<PathBuf>,
    /// What is changed in it
    #[command(flatten)]
    pub changes: Changes,
    /// What is looked for: pictures, folders of pictures, x0,y0,x1,y1 in µm of the chip, or cell:NAME
    #[arg(long, value_name = "QUERY", required = true, num_args = 1..)]
    pub query: Vec<String>,
    /// Where it is looked for
    #[command(flatten)]
    pub chips: ChipArgs,
    /// Keep what the network saw of the chip in this folder, and look there first
    #[arg(long, value_name = "FOLDER")]
    pub index: Option<PathBuf>,
    /// Look at what no other process does, and keep it in the index: any number of these commands share a chip. What lies where is then
    /// found by the same command without it
    #[arg(long, requires = "index", conflicts_with_all = ["all", "out"])]
    pub worker: bool,
    /// Every place where it lies, not the best alone
    #[arg(long)]
    pub all: bool,
    /// The least score of an answer, from 0 to 1
    #[arg(long, value_name = "SCORE", default_value_t = 0.0)]
    pub least: f64,
    /// Write what was found, by the ending: .json, .png, .lyrdb (KLayout's markers), .gds (a copy with boxes)
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// The network's weights, and where it runs
    #[command(flatten)]
    pub network: NetworkArgs,
    /// How results are written
    #[arg(long, value_enum, default_value_t = ReportFormat::Human)]
    pub format: ReportFormat,
}

/// Arguments of `demo`.
#[derive(Clone, Debug, Args)]
pub struct DemoArgs {
    /// Where it is written
    #[arg(value_name = "FOLDER", default_value = "demo")]
    pub folder: PathBuf,
}

/// Arguments of `export`.
#[derive(Clone, Debug, Args)]
pub struct ExportArgs {
    /// The folder of a run [default: the network that comes with rord]
    #[arg(value_name = "RUN")]
    pub run: Option<PathBuf>,
    /// What is changed in it
    #[command(flatten)]
    pub changes: Changes,
    /// For which system: without it, what there is to export is listed
    #[arg(long, value_enum)]
    pub to: Option<ExportTo>,
    /// The file that is written, or for torch the folder [default: the pipeline's name]
    #[arg(long, value_name = "FILE.onnx|DIR")]
    pub out: Option<PathBuf>,
    /// The network's weights, and where it runs
    #[command(flatten)]
    pub network: NetworkArgs,
}

/// What a network is exported to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ExportTo {
    /// One file of ONNX, for pictures of any size
    Onnx,
    /// A module of PyTorch with its weights and a test
    Torch,
}

/// Arguments of `predict`.
#[derive(Clone, Debug, Args)]
pub struct PredictArgs {
    /// The run
    #[command(flatten)]
    pub file: FileArgs,
    /// What it is used on
    #[command(flatten)]
    pub chips: ChipArgs,
    /// Write what comes of it, by the ending: .npz, .safetensors, .csv, .png, .json; for several pictures a folder
    #[arg(long, value_name = "FILE|DIR")]
    pub out: Option<PathBuf>,
    /// Key points of a picture at most, the surest
    #[arg(long, value_name = "N", default_value_t = 2048)]
    pub keep: usize,
    /// The least score of a key point
    #[arg(long, value_name = "SCORE", default_value_t = 0.0)]
    pub least: f32,
    /// The exported maps themselves, rather than key points
    #[arg(long)]
    pub dense: bool,
    /// The network's weights, and where it runs
    #[command(flatten)]
    pub network: NetworkArgs,
    /// How results are written
    #[arg(long, value_enum, default_value_t = ReportFormat::Human)]
    pub format: ReportFormat,
}

/// Arguments of `match`.
#[derive(Clone, Debug, Args)]
pub struct MatchArgs {
    /// The run
    #[command(flatten)]
    pub file: FileArgs,
    /// A picture or a layout
    #[arg(value_name = "A", required = true)]
    pub a: PathBuf,
    /// The one that it is matched with
    #[arg(value_name = "B", required = true)]
    pub b: PathBuf,
    /// Draw both with their matches, to a .png, or write what --format json prints, to a .json
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// The move that is looked for between them
    #[arg(long = "move", value_enum, value_name = "MOVE", default_value_t = MoveKind::Similarity)]
    pub moves: MoveKind,
    /// Key points of each at most, the surest
    #[arg(long, value_name = "N", default_value_t = 2048)]
    pub keep: usize,
    /// How far a match may lie from the move, in pixels of B
    #[arg(long, value_name = "PX", default_value_t = 4.0)]
    pub within: f64,
    /// Match A as it lies, not in all its quarter turns and mirrors
    #[arg(long)]
    pub upright: bool,
    /// How layouts are drawn
    #[command(flatten)]
    pub drawn: DrawnArgs,
    /// The network's weights, and where it runs
    #[command(flatten)]
    pub network: NetworkArgs,
    /// How results are written
    #[arg(long, value_enum, default_value_t = ReportFormat::Human)]
    pub format: ReportFormat,
}

/// A move between two pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum MoveKind {
    /// A turn, a scale and a shift, mirrored or not
    Similarity,
    /// Any that keeps lines parallel
    Affine,
    /// Any that keeps lines straight
    Homography,
}

/// Arguments of `eval`.
#[derive(Clone, Debug, Args)]
#[command(mut_arg("chips", |arg| arg.required(false)))]
pub struct EvalArgs {
    /// The run
    #[command(flatten)]
    pub file: FileArgs,
    /// What is measured [default: find of what --in names; without it losses and metrics on the validation data]
    #[arg(long, value_enum, value_name = "SUITE", requires = "chips")]
    pub suite: Option<EvalSuite>,
    /// What it is measured on
    #[command(flatten)]
    pub chips: ChipArgs,
    /// find: queries of each case [default: 100]
    #[arg(long, requires = "chips", value_name = "N")]
    pub queries: Option<u64>,
    /// find: pixels of a query's side [default: 128]
    #[arg(long, requires = "chips", value_name = "PX")]
    pub side: Option<usize>,
    /// find: the cases: same, inverted, intensities, scaled, etched, layer, layer-in-all [default: all]
    #[arg(long, requires = "chips", value_name = "CASE,…", value_delimiter = ',')]
    pub cases: Vec<String>,
    /// find: the seed of the queries [default: 0]
    #[arg(long, requires = "chips", value_name = "N")]
    pub seed: Option<u64>,
    /// find: write the queries and the layouts as pictures to this folder, for other ways to find them, and do no more
    #[arg(long, requires = "chips", value_name = "DIR")]
    pub crops: Option<PathBuf>,
    /// cells: the cells that are looked for, also as patterns [default: the most frequent that are large enough]
    #[arg(long, requires = "chips", value_name = "CELL,…", value_delimiter = ',')]
    pub cells: Vec<String>,
    /// cells: the least likeness of an instance, from 0 to 1 [default: 0.43, as find --all]
    #[arg(long, requires = "chips", value_name = "LIKENESS")]
    pub least: Option<f64>,
    /// pairs: key points of a picture at most [default: 1024]
    #[arg(long, requires = "chips", value_name = "N")]
    pub points: Option<usize>,
    /// pairs: pixels that the shorter side of every picture is made [default: pictures stay as they are]
    #[arg(long, requires = "chips", value_name = "PX")]
    pub short: Option<usize>,
    /// The network's weights, and where it runs
    #[command(flatten)]
    pub network: NetworkArgs,
    /// How results are written
    #[arg(long, value_enum, default_value_t = ReportFormat::Human)]
    pub format: ReportFormat,
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum EvalSuite {
    /// Crops that are drawn and moved otherwise, looked for in layouts
    Find,
    /// Every instance of a cell, looked for from one exemplar
    Cells,
    /// Pairs of pictures with the homography between them, as in HPatches
    Pairs,
}

/// Arguments of `explain`.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// What is changed in a pipeline
    #[command(flatten)]
    pub changes: Changes,
    /// An operation as in `warp`, a report as in `R0501`, a kind as in `Desc`, an item as in `loss`, a lint as in `unanchored`, a
    /// loss as in `FILE.rord:detection`; or `FILE.rord`, `ops`, `reports` for a list
    #[arg(value_name = "NAME")]
    pub name: String,
}

/// Arguments of `loss`.
#[derive(Clone, Debug, Args)]
pub struct LossArgs {
    /// The pipeline
    #[command(flatten)]
    pub file: FileArgs,
    /// The inputs, by name
    #[arg(long, value_name = "TENSORS.safetensors")]
    pub inputs: PathBuf,
    /// Write all values, and the gradient of the objective in every input as grad.NAME, to this file
    #[arg(long, value_name = "RESULT.safetensors")]
    pub out: Option<PathBuf>,
    /// Weights of the pipeline's models, if it has any, or a run's folder
    #[arg(long, value_name = "WEIGHTS|RUN")]
    pub init: Option<PathBuf>,
}

/// Arguments of `fmt`.
#[derive(Debug, Args)]
pub struct FmtArgs {
    /// The pipelines; `-` reads standard input and writes standard output
    #[arg(value_name = "FILE.rord", required = true)]
    pub files: Vec<PathBuf>,
    /// Write nothing; show what would change, and exit with 1 if anything would
    #[arg(long)]
    pub check: bool,
}

/// Arguments of `new`.
#[derive(Debug, Args)]
pub struct NewArgs {
    /// The folder to make; its name is the pipeline's
    #[arg(value_name = "NAME")]
    pub name: PathBuf,
    /// What to begin with
    #[arg(long, value_enum, value_name = "PIPELINE", default_value_t = Template::Start)]
    pub from: Template,
}

/// A pipeline to begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Template {
    /// Small and commented: descriptors of two views, and a loss of its own
    Start,
    /// RoRD as published: detector and descriptors
    Default,
    /// Crops found in chips, however they are drawn and turned
    Find,
    /// HardNet: descriptors of patches
    Hardnet,
    /// Segmentation with a U-Net
    Segment,
}

/// Arguments of `completions`.
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_enum, value_name = "SHELL")]
    pub shell: clap_complete::Shell,
}

/// Arguments of `man`.
#[derive(Debug, Args)]
pub struct ManArgs {
    /// The verb; the page of the command itself without one
    #[arg(value_name = "VERB")]
    pub verb: Option<String>,
    /// Write all pages into this folder
    #[arg(long, value_name = "DIR", conflicts_with = "verb")]
    pub out: Option<PathBuf>,
}

/// Arguments of `lsp`.
#[derive(Debug, Args)]
pub struct LspArgs {
    /// Speak over standard input and output, which is also what happens without it
    #[arg(long)]
    pub stdio: bool,
    /// Allow imports from this folder and below, for the pipelines in it [default: the folder of each pipeline]
    #[arg(long, value_name = "DIR")]
    pub import_root: Option<PathBuf>,
}
