//! `rord-run train`: checks, then trains.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use candle_core::Device;

use super::args::{PlaceArgs, TrainArgs, WatchArgs};
use super::exhausted;
use super::init;
use super::interrupt::{self, Interruptible, Over, STOP};
use super::load::{Loaded, load_or_report};
use super::mistakes::quoted;
use super::report;
use super::resume::{self, Before};
use super::together::{self, Next};
use super::using;
use rord_engine::gpus;
use rord_engine::plan::Plan;
use rord_engine::refusals::{self, Stop};
use rord_engine::train::{Options, Summary, train};
use rord_kernels::simd::{REPRODUCIBLE, Simd};
use rord_lang::report::render::draw;
use rord_lang::report::{Report, runtime};
use rord_lang::types::Kind;
use rord_project::keep::text_hash;
use rord_ranks::Ranks;
use rord_record::metrics::Metrics;
use rord_record::tensorboard::TensorBoard;
use rord_record::{InitWeights, Observer, RecordError, RunFolder, Started};

/// The exit code of what Ctrl-C ends.
pub const INTERRUPTED: u8 = 130;

/// Trains the pipeline: in this process, or in all that were started together.
pub fn run(args: &TrainArgs) -> u8 {
    together::all(|| one_of(args))
}

fn one_of(args: &TrainArgs) -> u8 {
    let Some(loaded) = load_or_report(&args.file) else { return super::REFUSED };
    let refused = |reports: &[Report]| {
        super::print_reports(reports, &loaded.sources);
        super::REFUSED
    };
    let (next, report) = match together::leads().then(|| before(args, &loaded)) {
        Some(Err(report)) => (Next::Refused, Some(report)),
        Some(Ok(next)) => (next, None),
        None => (Next::Train, None),
    };
    let next = together::first_says(next);
    if let Some(report) = report {
        return refused(&[report]);
    }
    match (next, &args.out) {
        (Next::Refused, _) => super::REFUSED,
        (Next::Resume, Some(out)) => resume::go(out, Some(&args.place.device), args.watch),
        _ => attempt(args, &loaded).unwrap_or_else(|reports| refused(&reports)),
    }
}

/// Looks at what --out holds before anything is loaded.
fn before(args: &TrainArgs, loaded: &Loaded) -> Result<Next, Report> {
    let Some(out) = &args.out else { return Ok(Next::Train) };
    let before = Before::of(out, loaded)?;
    if let Some(report) = before.report(out, args.auto_resume) {
        return Err(report);
    }
    match before {
        Before::Nothing if args.auto_resume => resume::clean(out, loaded).map(|()| Next::Train),
        Before::Finished | Before::Unfinished if args.auto_resume => Ok(Next::Resume),
        _ => Ok(Next::Train),
    }
}

fn attempt(args: &TrainArgs, loaded: &Loaded) -> Result<u8, Vec<Report>> {
    let plan = Plan::new(&loaded.pipeline, loaded.end())?;
    let place = Place::new(&args.place).map_err(|r| vec![r])?;
    let init = init::began(args.place.init.as_deref(), loaded).map_err(|r| vec![r])?;
    if let Some(out) = &args.out {
        // Before the data is loaded.
        RunFolder::free(out).map_err(|e| Stop::from(e).reports())?;
    }
    exhausted::spare();
    let how = How {
        out: args.out.as_deref(),
        resume: None,
        until: None,
        ranks: together::ranks(),
        shown: args.watch.observer(),
    };
    let summary = one(loaded, &plan, args.file.path(), &place, init, how)?;
    Ok(ended(&summary, loaded, args.watch))
}

/// What is written and said at the end of a run, and the exit code.
pub fn ended(summary: &Summary, loaded: &Loaded, watch: WatchArgs) -> u8 {
    report::at_end(summary, loaded, watch.speaks());
    if summary.interrupted {
        return interrupt::code();
    }
    let pipeline = &loaded.pipeline;
    let describes = pipeline.exports.iter().any(|e| pipeline.value(e.value).is_some_and(|v| v.ty.kind == Kind::Desc));
    if let Some(folder) = summary.folder.as_ref().filter(|_| describes && watch.speaks()) {
        let folder = folder.display();
        super::print(&match using::knows_layouts(loaded) {
            true => format!("next:  rord-run find {folder} --query crop.png --in chip.gds\n"),
            false => format!("next:  rord-run match {folder} a.png b.png\n"),
        });
    }
    super::DONE
}

/// Where runs take place, and that they can be stopped.
pub struct Place {
    device: Device,
    name: String,
}

impl Place {
    /// Finds the device, and begins to watch for signals. Once in a process.
    pub fn new(args: &PlaceArgs) -> Result<Self, Report> {
        if args.reproducible {
            as_recorded(REPRODUCIBLE);
        }
        Self::named(&args.device)
    }

    /// As [`Place::new`], by name. Of several processes each takes a GPU of its own, where none is named by its number.
    pub fn named(name: &str) -> Result<Self, Report> {
        let ranks = together::ranks().filter(|ranks| name == "cuda" && ranks.size() > 1);
        let own = ranks.as_ref().map(|ranks| gpus::own(ranks, rord_device::visible()));
        let (device, own) = opened(&own.map_or(name.into(), |own| format!("cuda:{own}")), name)?;
        let name = match ranks {
            None => own,
            Some(ranks) => {
                // Reports of a process that is gone come from elsewhere.
                if let Ok(Some(twice)) = gpus::twice(&ranks, &device) {
                    return Err(refusals::one_gpu(&twice));
                }
                name.into()
            }
        };
        interrupt::watch()?;
        Ok(Self { device, name })
    }

    /// As the run was made that this is the record of. Processes that go on with one of another number of them take a GPU each.
    pub fn recorded(name: &str) -> Result<Self, Report> {
        let several = together::ranks().is_some_and(|ranks| ranks.size() > 1);
        Self::named(if several && name.starts_with("cuda:") { "cuda" } else { name })
    }
}

/// Takes the instructions that the record of a run has, where they are those of `--reproducible`.
pub fn as_recorded(instructions: &str) {
    if instructions == REPRODUCIBLE {
        // Nothing has been computed by now.
        Simd::reproduce();
    }
}

/// How a run is made.
pub struct How<'a> {
    /// The folder that it is written to; `None`: a new one.
    pub out: Option<&'a Path>,
    /// The folder of a run that is taken up.
    pub resume: Option<&'a Path>,
    /// The step before which it ends.
    pub until: Option<u64>,
    /// The processes that share it.
    pub ranks: Option<Arc<Ranks>>,
    /// What shows it.
    pub shown: Box<dyn Observer>,
}

/// One run of a checked pipeline, which was read from `path`, made in this way.
pub fn one(
    loaded: &Loaded,
    plan: &Plan,
    path: &Path,
    place: &Place,
    init: Option<(PathBuf, InitWeights)>,
    how: How<'_>,
) -> Result<Summary, Vec<Report>> {
    precision(plan, &place.device).map_err(|r| vec![r])?;
    let texts = loaded.kept().map_err(|r| vec![r])?;
    let shown = |report: &Report| draw(report, &loaded.sources, super::style());
    let options = Options {
        out: how.out.map(Path::to_path_buf),
        init,
        text: text_hash(&texts),
        resume: how.resume.map(Path::to_path_buf),
        until: how.until,
        shown: &shown,
        device: place.device.clone(),
        device_name: place.name.clone(),
        source: path.display().to_string(),
        command: command(),
        texts,
        stop: &STOP,
        ranks: how.ranks,
    };
    if !together::leads() {
        // Another process shows and writes.
        let trained = train(&loaded.pipeline, &loaded.vocabulary, plan, &options, vec![Box::new(together::Began)]);
        return trained.inspect_err(together::ended).map_err(Stop::reports);
    }
    let mut observers: Vec<Box<dyn Observer>> = vec![Box::new(Interruptible), Box::new(Metrics::default()), how.shown];
    if plan.tensorboard {
        let text = loaded.sources.get(loaded.file).map(|s| s.text.to_string()).unwrap_or_default();
        observers.push(Box::new(TensorBoard::new(&text)));
    }
    let folder = Arc::new(Mutex::new(None));
    observers.extend([Box::new(Begun(folder.clone())) as Box<dyn Observer>, Box::new(together::Began), Box::new(Over)]);
    train(&loaded.pipeline, &loaded.vocabulary, plan, &options, observers).map_err(Stop::reports).inspect_err(
        |reports| {
            let folder = folder.lock().unwrap_or_else(PoisonError::into_inner).take();
            folder.into_iter().for_each(|folder: PathBuf| report::at_error(&folder, loaded, reports));
        },
    )
}

/// Keeps the folder of a run that has begun.
struct Begun(Arc<Mutex<Option<PathBuf>>>);

impl Observer for Begun {
    fn name(&self) -> &'static str {
        "folder"
    }

    fn started(&mut self, run: &Started<'_>) -> Result<(), RecordError> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(run.record.path().into());
        Ok(())
    }
}

/// The command line of this process, as a shell takes it.
fn command() -> String {
    let words = std::env::args_os().skip(1).map(|word| quoted(&word.to_string_lossy()));
    std::iter::once("rord-run".to_string()).chain(words).collect::<Vec<_>>().join(" ")
}

/// Refuses rounded products where there are no instructions for them.
pub fn precision(plan: &Plan, device: &Device) -> Result<(), Report> {
    if !plan.bf16 || rord_device::on(device) || device.is_cpu() && Simd::chosen().multiplies_bf16() {
        return Ok(());
    }
    let what = match device.is_cpu() {
        true => "this processor has no products of bfloat16 numbers",
        false => "bfloat16 products are for the CPU and for CUDA only",
    };
    Err(runtime::failed("R0928", what, "leave `precision = bf16` out of `train`; f32 runs everywhere"))
}

/// `cpu`, `cuda`, `cuda:1`, `metal`.
pub fn device(name: &str) -> Result<(Device, String), Report> {
    opened(name, name)
}

/// As [`device`]; reports name what was asked for.
fn opened(name: &str, asked: &str) -> Result<(Device, String), Report> {
    let (kind, index) = match name.split_once(':') {
        Some((kind, index)) => (kind, index.parse::<usize>().ok()),
        None => (name, Some(0)),
    };
    let unknown = || {
        let help = "devices: cpu, cuda, cuda:1, metal";
        runtime::failed("R0912", &format!("there is no device called `{name}`"), help)
    };
    let index = index.ok_or_else(unknown)?;
    // What a device is not there for: the build, or the machine.
    let missing = |feature: &str, built: bool, e: candle_core::Error| {
        let first = match e.to_string() {
            text if text.contains("CUDA_ERROR_NO_DEVICE") => "there is no NVIDIA GPU here, or no driver for it".into(),
            text => text.lines().next().unwrap_or_default().to_string(),
        };
        let help = match built {
            true => format!("see what `nvidia-smi` says, or leave `--device {asked}` out"),
            false => format!("build with it:  cargo run --release --features {feature} -- … --device {asked}"),
        };
        runtime::failed("R0912", &format!("the device `{asked}` cannot be used: {first}"), &help)
    };
    let cuda = |index| {
        let device = Device::new_cuda(index)?;
        rord_device::ready(&device)?;
        Ok(device)
    };
    match kind {
        "cpu" if !name.contains(':') => Ok((Device::Cpu, "cpu".into())),
        "cuda" => {
            cuda(index).map(|d| (d, format!("cuda:{index}"))).map_err(|e| missing("cuda", rord_device::built(), e))
        }
        "metal" => {
            Device::new_metal(index).map(|d| (d, format!("metal:{index}"))).map_err(|e| missing("metal", false, e))
        }
        _ => Err(unknown()),
    }
}
