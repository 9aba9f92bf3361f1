//! Why a run, a measurement or an evaluation ended early, and the reports that users read about it.
//!
//! Error values elsewhere in this crate are facts; here, and nowhere else, they become sentences.

mod data;

use rord_data::loader::LoaderError;
use rord_files::FileError;
use rord_graph::verify::Broken;
use rord_lang::report::{Report, closest, list, runtime};
use rord_lang::typed::Pipeline;
use rord_ranks::Lost;
use rord_record::RecordError;
use rord_record::folder::OTHER_FOLDER;

use super::difference::Difference;
use super::flow::Fault;
use super::foretold::{Blame, TooLarge};
use super::frozen::FrozenError;
use super::gpus::Twice;
use super::optim::RecipeError;
use super::plan::Plan;
use super::pretrained::{InitError, Misfit, Why};
use super::state::StateError;
use super::stored::StoredError;
use super::weights::WeightsError;

pub use data::{data, data_of, sizes};

/// What to do where memory may have run out.
const LESS: &str = "if memory ran out, lower `batch` or `patch`";

/// What to do about a mistake of the tool.
const MISTAKE: &str = "this is a mistake of rord; please report it";

/// Why something ended early.
#[derive(Debug, thiserror::Error)]
pub enum Stop {
    /// Reports about the pipeline or its data.
    #[error("refused")]
    Refused(Vec<Report>),
    /// A value is no longer a finite number.
    #[error("not finite")]
    NotFinite(Box<Report>),
    /// Weights could not be read or written.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// Weights of a frozen model.
    #[error(transparent)]
    Frozen(#[from] FrozenError),
    /// Weights that a part begins with.
    #[error(transparent)]
    Init(#[from] InitError),
    /// The saved state of a run cannot be taken up.
    #[error(transparent)]
    State(#[from] StateError),
    /// The run's folder or one of its files could not be written.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// A file of tensors could not be written.
    #[error(transparent)]
    Stored(#[from] StoredError),
    /// An operation failed.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// A recipe could not be carried out.
    #[error(transparent)]
    Recipe(#[from] RecipeError),
    /// The data stopped coming.
    #[error(transparent)]
    Loader(#[from] LoaderError),
    /// A tensor operation failed.
    #[error(transparent)]
    Tensor(#[from] candle_core::Error),
    /// The graph is broken.
    #[error(transparent)]
    Graph(#[from] Broken),
    /// Another process of the run is gone.
    #[error(transparent)]
    Lost(#[from] Lost),
}

impl Stop {
    /// The reports that a user reads.
    pub fn reports(self) -> Vec<Report> {
        let one = |code, title: &str, help: &str| vec![runtime::failed(code, title, help)];
        let tensor = |e: &candle_core::Error| one("R0915", &format!("a tensor operation failed: {e}"), LESS);
        match self {
            Stop::Refused(reports) => reports,
            Stop::NotFinite(report) => vec![*report],
            Stop::Weights(e) => vec![weights(&e)],
            Stop::Frozen(e) => vec![frozen(&e)],
            Stop::Init(e) => vec![init(&e)],
            Stop::Record(e) => {
                let help = match &e {
                    RecordError::NotEmpty { .. } => OTHER_FOLDER,
                    RecordError::NotAFolder { .. } => "name a folder with --out",
                    RecordError::InUse { .. } => "wait until that process has ended, or name another folder",
                    RecordError::File(e) => e.help(),
                    RecordError::Newer { .. } => "use that version of rord, or a later one",
                    RecordError::Malformed { .. } => "a run's files must stay as the run has written them",
                };
                one("R0914", &e.to_string(), help)
            }
            Stop::State(e) => vec![state(&e)],
            Stop::Stored(StoredError::File(e)) => vec![file(&e)],
            Stop::Stored(StoredError::Tensor(e)) | Stop::Tensor(e) => tensor(&e),
            Stop::Fault(e) => vec![runtime::data("R0915", e.span, "an operation failed", &e.to_string(), LESS)],
            Stop::Recipe(e) => one("R0916", &e.to_string(), "change this setting in the section `train`"),
            Stop::Loader(e) => one("R0917", &format!("the data stopped coming: {e}"), ""),
            Stop::Lost(e) => vec![lost(&e)],
            Stop::Graph(e) => one("R0999", &format!("the graph is broken: {e}"), MISTAKE),
        }
    }
}

/// The report for a process of the run that is gone.
pub fn lost(error: &Lost) -> Report {
    let help = match error {
        Lost::Failed { .. } => "the run is ended in all processes",
        Lost::Length { .. } | Lost::Closed => MISTAKE,
        Lost::Gone { .. } | Lost::Silent { .. } => {
            "look for its last words above, and in the kernel's log for memory that ran out:  dmesg | tail"
        }
    };
    runtime::failed("R0938", &error.to_string(), help)
}

/// Refuses more processes than samples.
pub fn ranks(ranks: usize, batch: usize) -> Result<(), Stop> {
    if ranks <= batch {
        return Ok(());
    }
    let title = format!("a batch of {batch} cannot be shared by {ranks} processes");
    let help = "each must have a sample of it: start fewer, or raise `batch` in the section `train`";
    Err(Stop::Refused(vec![runtime::failed("R0937", &title, help)]))
}

/// The report for two processes that are on one GPU without being asked to.
pub fn one_gpu(Twice { first, second, gpu }: &Twice) -> Report {
    let title = format!("processes {first} and {second} would train on the same GPU ({gpu})");
    let help = "start as many processes on a machine as it has GPUs, or show each its own:  srun --gpus-per-task=1 …\n\
                to share one all the same, name it:  --device cuda:0  (gradients go through the host's memory then)";
    runtime::failed("R0937", &title, help)
}

/// The report for GPUs of several processes that cannot be connected.
pub fn gpus(error: &candle_core::Error) -> Stop {
    let error = error.to_string();
    let title = format!("the GPUs of the processes cannot be connected: {}", error.lines().next().unwrap_or_default());
    let help = "see what NCCL says:  NCCL_DEBUG=INFO mpirun …\n\
                without it gradients go through the host's memory: a build with `--features cuda,mpi`";
    Stop::Refused(vec![runtime::failed("R0937", &title, help)])
}

/// The report for processes that were started together and do not make the same run.
pub fn unequal(rank: usize, what: &str) -> Stop {
    let title = format!("process {rank} does not make the same run as process 0: {what}");
    let help = "all must read the same files: the text, its imports, its data, and the run's folder to go on with";
    Stop::Refused(vec![runtime::failed("R0937", &title, help)])
}

/// The report for a file that could not be read or written.
pub fn file(error: &FileError) -> Report {
    runtime::failed("R0914", &error.to_string(), error.help())
}

/// The report for weights that could not be read or written.
pub fn weights(error: &WeightsError) -> Report {
    match error {
        WeightsError::Differs { path, difference } => {
            let title = format!("{} holds other weights than this pipeline has", path.display());
            let fit = "weights fit the pipeline they were trained with; names and shapes must agree";
            runtime::failed("R0913", &title, &format!("{}\n{fit}", differing(difference)))
        }
        other => {
            let help = match other {
                WeightsError::File(e) => e.help(),
                WeightsError::Malformed { .. } => "check the path; weights are *.safetensors files",
                WeightsError::Tensor(_) => LESS,
                _ => "",
            };
            runtime::failed("R0913", &other.to_string(), help)
        }
    }
}

/// The report for a saved state that cannot be taken up.
fn state(error: &StateError) -> Report {
    const REPEAT: &str = "the run can be repeated from its beginning:  rord-run RUN --out OTHER";
    match error {
        StateError::File(e) => file(e),
        StateError::Weights(difference) => {
            runtime::failed("R0914", "the saved run has other weights", &differing(difference))
        }
        StateError::Tensor(e) => runtime::failed("R0915", &format!("a tensor operation failed: {e}"), LESS),
        other => runtime::failed("R0914", &other.to_string(), REPEAT),
    }
}

/// The report for the file of a frozen model.
fn frozen(e: &FrozenError) -> Report {
    let label = format!("`{}` takes its weights from there", e.model);
    match &e.source {
        WeightsError::Differs { path, difference } => {
            let title = format!("{} holds other weights than `{}` has", path.display(), e.model);
            let fit = "a frozen model is written as it was in the pipeline that trained it; only its name may differ";
            runtime::data("R0913", e.span, &title, &label, &format!("{}\n{fit}", differing(difference)))
        }
        other => {
            let help = "check the path; it starts in the folder in which rord-run is started";
            runtime::data("R0913", e.span, &other.to_string(), &label, help)
        }
    }
}

/// The report for the file that a part begins with.
fn init(e: &InitError) -> Report {
    let file = e.path.display();
    let label = format!("`{}` begins with it", e.part);
    let report = |title: &str, label: &str, help: &str| runtime::data("R0913", e.span, title, label, help);
    match &e.why {
        Why::File(error) => {
            let help = "check the path; it starts in the folder in which rord-run is started";
            report(&error.to_string(), &label, help)
        }
        Why::Malformed(reason) => {
            let help = "a part begins with *.safetensors, or with a *.pth of a dictionary of tensors; nothing else of a pickle is read";
            report(&format!("{file} is no file of weights: {reason}"), &label, help)
        }
        Why::Nothing { under, span, known } => {
            let title = format!("no name in {file} begins with `{under}`");
            let near = closest(under, known.iter().map(String::as_str));
            let near = near.map(|n| format!("did you mean \"{n}\"? ")).unwrap_or_default();
            let help = format!("{near}names in it begin with {}", list(known));
            runtime::data("R0913", *span, &title, "looked for here", &help)
        }
        Why::NoneFits => {
            let help = "the part's layers and the file's must be of the same sorts; `rord-run types` lists the part's";
            report(&format!("nothing in {file} fits `{}`", e.part), &label, help)
        }
        Why::Differs(misfits) => {
            let title = format!("{file} holds other layers than `{}` has", e.part);
            let channels = |m: &Misfit| {
                let (own, other) = (&m.weight.shape, m.found.as_ref().map(|f| &f.shape));
                matches!((own.as_slice(), other.map(Vec::as_slice)), ([a, 1, b, c], Some([x, 3, y, z])) if (a, b, c) == (x, y, z))
            };
            let help = match misfits.as_slice() {
                [one] if channels(one) => {
                    "the file's network takes three channels: repeat yours before the part,  concat(x, x, x)"
                }
                _ => {
                    "layers must agree one by one, each sort in its order; name the part of the file with  under \"…\""
                }
            };
            report(&title, &label, &format!("{}\n{help}", misfitting(misfits)))
        }
        Why::Tensor(error) => report(&error.to_string(), &label, LESS),
    }
}

/// What does not fit, a line each, the first few.
fn misfitting(misfits: &[Misfit]) -> String {
    const SHOWN: usize = 4;
    let line = |m: &Misfit| match &m.found {
        Some(found) if m.weight.shape.is_empty() => {
            format!("{} {:?} is in the file, and `{}` has none", found.name, found.shape, m.weight.name)
        }
        Some(found) => format!("{} is {:?}, {} is {:?}", m.weight.name, m.weight.shape, found.name, found.shape),
        None => format!("{} {:?} has nothing in the layer {}", m.weight.name, m.weight.shape, m.layer),
    };
    let mut lines: Vec<String> = misfits.iter().take(SHOWN).map(line).collect();
    let more = misfits.len().saturating_sub(SHOWN);
    if more > 0 {
        lines.push(format!("… and {more} more like this"));
    }
    lines.join("\n")
}

/// What differs between a file's weights and the pipeline's, a line each, the first few of each sort.
fn differing(d: &Difference) -> String {
    const SHOWN: usize = 4;
    let mut lines: Vec<String> = Vec::new();
    let mut sort = |found: Vec<String>| {
        let more = found.len().saturating_sub(SHOWN);
        lines.extend(found.into_iter().take(SHOWN));
        if more > 0 {
            lines.push(format!("… and {more} more like this"));
        }
    };
    sort(d.missing.iter().map(|(n, s)| format!("{n} {s:?} is not in the file")).collect());
    sort(d.unexpected.iter().map(|(n, s)| format!("{n} {s:?} is only in the file")).collect());
    sort(d.shapes.iter().map(|s| format!("{} is {:?}, expected {:?}", s.name, s.found, s.expected)).collect());
    sort(d.types.iter().map(|(n, t)| format!("{n} holds {t}, expected f32")).collect());
    lines.join("\n")
}

/// The report for a run that memory does not hold.
pub fn memory(pipeline: &Pipeline, plan: &Plan, too_large: &TooLarge) -> Report {
    let place = |name: &str| pipeline.params.iter().find(|p| p.name == name).map(|p| p.value_span);
    let objective = pipeline.objective.as_ref().map(|o| o.span);
    let setting = |name| plan.datasets.iter().find_map(|d| d.recipe.settings.count(name).ok()).map(|n| (name, n));
    let side = setting("patch").or(setting("size"));
    let name = side.map_or("the size of the data", |(name, _)| name);
    let batch = match side {
        Some((name, pixels)) => format!("batch = {}, {name} = {pixels}px", plan.batch),
        None => format!("batch = {}", plan.batch),
    };
    let smaller = |what: &str| match too_large.batch {
        Some(batch) => format!("{what}: a batch of {batch} would fit"),
        None => what.to_string(),
    };
    let (what, span, label, help) = match &too_large.blame {
        Blame::Step => {
            let help = match too_large.batch {
                Some(batch) => format!("lower `batch`, or {name}: a batch of {batch} would fit"),
                None => format!("lower {name}; no batch would fit as it is"),
            };
            ("a step", place("batch").or(objective), batch, help)
        }
        Blame::Data(index, held) => {
            let span = plan.data_places.get(*index).map(|(span, _)| *span);
            ("the data of this run", span, held.what.clone(), held.less.clone())
        }
        Blame::Validation(span, metric) => {
            let label = match metric {
                Some(metric) => format!("`{metric}` takes most here, with {batch}"),
                None => format!("most is taken here, with {batch}"),
            };
            ("the validation", Some(*span), label, smaller("look at fewer places, or lower `batch`"))
        }
        Blame::Saving => {
            let help = "lower the widths of the network; a state holds what the optimizer remembers of every weight";
            ("saving the state", objective, "the weights of this take most".into(), help.into())
        }
    };
    let needed = format!("about {}, and {} are free", size(too_large.needed), size(too_large.available));
    let title = match &too_large.blame {
        Blame::Step | Blame::Data(..) => format!("{what} needs {needed}"),
        _ => format!("with {what} the run needs {needed}"),
    };
    runtime::data("R0927", span.unwrap_or_default(), &title, &label, &help)
}

/// Bytes for people: `310 MB`, `1.4 GB`.
pub fn size(bytes: usize) -> String {
    let bytes = bytes as f64;
    match bytes {
        x if x < 999.5e6 => format!("{:.0} MB", x / 1e6),
        x if x < 9.995e9 => format!("{:.1} GB", x / 1e9),
        x => format!("{:.0} GB", x / 1e9),
    }
}
