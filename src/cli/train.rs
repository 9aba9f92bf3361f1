//! `rord-run train`: checks, then trains.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use candle_core::Device;

use super::args::{PlaceArgs, TrainArgs};
use super::load::{Loaded, load_or_report};
use rord_engine::frozen::FrozenError;
use rord_engine::plan::Plan;
use rord_engine::train::{Options, Stop, Summary, train};
use rord_engine::weights::WeightsError;
use rord_kernels::simd::Simd;
use rord_lang::report::{Report, runtime};
use rord_record::RecordError;

/// Set by Ctrl-C: the step at hand is finished, the weights are kept.
static STOP: AtomicBool = AtomicBool::new(false);

/// Signals that come within this time are one.
const SAME_SIGNAL: Duration = Duration::from_millis(300);

/// The exit code of a run that was asked to stop.
pub const INTERRUPTED: u8 = 130;

/// Trains the pipeline.
pub fn run(args: &TrainArgs) -> u8 {
    let Some(loaded) = load_or_report(&args.file) else { return super::REFUSED };
    match attempt(args, &loaded) {
        Ok(code) => code,
        Err(reports) => {
            super::print_reports(&reports, &loaded.sources);
            super::REFUSED
        }
    }
}

fn attempt(args: &TrainArgs, loaded: &Loaded) -> Result<u8, Vec<Report>> {
    let plan = Plan::new(&loaded.pipeline, loaded.end())?;
    let place = Place::new(&args.place).map_err(|r| vec![r])?;
    let init = super::init::weights(args.place.init.as_deref()).map_err(|r| vec![r])?;
    let summary = train_one(loaded, &plan, args.file.path(), &place, init.as_deref(), args.out.as_deref())?;
    Ok(if summary.interrupted { INTERRUPTED } else { super::DONE })
}

/// Where runs take place, and that they can be stopped.
pub struct Place {
    device: Device,
    name: String,
}

impl Place {
    /// Finds the device, sets the threads, and begins to watch for Ctrl-C. Once in a process.
    pub fn new(args: &PlaceArgs) -> Result<Self, Report> {
        let (device, name) = device(&args.device)?;
        if let Some(threads) = args.threads {
            set_threads(threads)?;
        }
        // The second Ctrl-C does not wait for the step. One that comes with the first is the same: `timeout -s INT` signals twice.
        let mut first = None;
        let handler = ctrlc::set_handler(move || {
            STOP.store(true, Ordering::Relaxed);
            if first.get_or_insert_with(Instant::now).elapsed() > SAME_SIGNAL {
                std::process::exit(i32::from(INTERRUPTED));
            }
        });
        match handler {
            Ok(()) => Ok(Self { device, name }),
            Err(_) => Err(runtime::failed("R0910", "Ctrl-C cannot be watched for", "")),
        }
    }
}

/// One run of a checked pipeline, which was read from `path`.
pub fn train_one(
    loaded: &Loaded,
    plan: &Plan,
    path: &Path,
    place: &Place,
    init: Option<&Path>,
    out: Option<&Path>,
) -> Result<Summary, Vec<Report>> {
    precision(plan, &place.device).map_err(|r| vec![r])?;
    let text = loaded.sources.get(loaded.file).map(|s| s.text.to_string()).unwrap_or_default();
    let options = Options {
        out: out.map(Path::to_path_buf),
        init: init.map(Path::to_path_buf),
        device: place.device.clone(),
        device_name: place.name.clone(),
        source: (path.display().to_string(), text),
        imports: loaded.imports(),
        stop: &STOP,
    };
    train(&loaded.pipeline, &loaded.vocabulary, plan, &options).map_err(reports)
}

/// Has everything run on so many threads.
pub fn set_threads(threads: usize) -> Result<(), Report> {
    let built = (threads > 0).then(|| rayon::ThreadPoolBuilder::new().num_threads(threads).build_global().is_ok());
    match built {
        Some(true) => Ok(()),
        _ => Err(runtime::failed(
            "R0911",
            &format!("cannot run on {threads} threads"),
            "give a positive number, as in --threads 2",
        )),
    }
}

/// Refuses rounded products where there are no instructions for them.
pub fn precision(plan: &Plan, device: &Device) -> Result<(), Report> {
    if !plan.bf16 || device.is_cpu() && Simd::chosen().multiplies_bf16() {
        return Ok(());
    }
    let what = match device.is_cpu() {
        true => "this processor has no products of bfloat16 numbers",
        false => "bfloat16 products are for the CPU only",
    };
    Err(runtime::failed("R0928", what, "leave `precision = bf16` out of `train`; f32 runs everywhere"))
}

/// `cpu`, `cuda`, `cuda:1`, `metal`.
fn device(name: &str) -> Result<(Device, String), Report> {
    let (kind, index) = match name.split_once(':') {
        Some((kind, index)) => (kind, index.parse::<usize>().ok()),
        None => (name, Some(0)),
    };
    let unknown = || {
        let help = "devices: cpu, cuda, cuda:1, metal";
        runtime::failed("R0912", &format!("there is no device called `{name}`"), help)
    };
    let index = index.ok_or_else(unknown)?;
    let missing = |feature: &str, e: candle_core::Error| {
        let first = e.to_string().lines().next().unwrap_or_default().to_string();
        let help = format!("build with it:  cargo run --release --features {feature} -- … --device {name}");
        runtime::failed("R0912", &format!("the device `{name}` cannot be used: {first}"), &help)
    };
    match kind {
        "cpu" if !name.contains(':') => Ok((Device::Cpu, "cpu".into())),
        "cuda" => Device::new_cuda(index).map(|d| (d, format!("cuda:{index}"))).map_err(|e| missing("cuda", e)),
        "metal" => Device::new_metal(index).map(|d| (d, format!("metal:{index}"))).map_err(|e| missing("metal", e)),
        _ => Err(unknown()),
    }
}

/// Why a run stopped, in words.
pub fn reports(stop: Stop) -> Vec<Report> {
    let one = |code, title: &str, help: &str| vec![runtime::failed(code, title, help)];
    match stop {
        Stop::Refused(reports) => reports,
        Stop::NotFinite(report) => vec![*report],
        Stop::Weights(WeightsError::Differs { path, difference }) => {
            let title = format!("{} holds other weights than this pipeline has", path.display());
            let fit = "weights fit the pipeline they were trained with; names and shapes must agree";
            one("R0913", &title, &format!("{}\n{fit}", differing(&difference)))
        }
        Stop::Frozen(e) => vec![frozen(&e)],
        Stop::Weights(e) => {
            let help = match &e {
                WeightsError::File(e) => e.help(),
                WeightsError::Malformed { .. } => "check the path; weights are *.safetensors files",
                _ => "",
            };
            one("R0913", &e.to_string(), help)
        }
        Stop::Record(e) => {
            let help = match &e {
                RecordError::NotEmpty { .. } => super::OTHER_FOLDER,
                RecordError::File(e) => e.help(),
                _ => "check the path, the space and the permissions",
            };
            one("R0914", &e.to_string(), help)
        }
        Stop::Io(e) => one(
            "R0914",
            &format!("a file of the run cannot be written: {}", rord_files::plain(&e)),
            "check the space and the permissions of the disk",
        ),
        Stop::Fault(e) => vec![runtime::data(
            "R0915",
            e.span,
            "an operation failed",
            &e.to_string(),
            "if memory ran out, lower `batch` or `patch`",
        )],
        Stop::Recipe(e) => one("R0916", &e.to_string(), ""),
        Stop::Loader(e) => one("R0917", &format!("the data stopped coming: {e}"), ""),
        Stop::Tensor(e) => {
            one("R0915", &format!("a tensor operation failed: {e}"), "if memory ran out, lower `batch` or `patch`")
        }
        Stop::Graph(e) => {
            one("R0999", &format!("the graph is broken: {e}"), "this is a mistake of rord; please report it")
        }
    }
}

/// What differs between a file's weights and the pipeline's, a line each, the first few of each sort.
fn differing(d: &rord_engine::weights::Difference) -> String {
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
