//! `rord-run export`: a trained network for other systems, as one file of ONNX or as a module of PyTorch.

use std::path::{Path, PathBuf};

use rord_engine::export::{Written, onnx, torch};
use rord_engine::predict::Predictor;
use rord_engine::refusals::Stop;
use rord_files::{FileError, write_atomic};
use rord_lang::report::{Report, runtime};
use rord_record::fingerprint;

use super::args::{ExportArgs, ExportTo};
use super::load::{Loaded, load_sound};
use super::{shipped, using};

/// Exports.
pub fn run(args: &ExportArgs) -> u8 {
    let given = args.changes.given();
    let loaded = match &args.run {
        Some(run) => load_sound(run, &given),
        None => shipped::load_sound(&given),
    };
    let Some(loaded) = loaded else { return super::REFUSED };
    using::ended(attempt(args, &loaded).map(|()| true), &loaded)
}

fn attempt(args: &ExportArgs, loaded: &Loaded) -> Result<(), Vec<Report>> {
    if let (Some(ExportTo::Onnx), Some(out)) = (args.to, &args.out)
        && out.extension().is_none_or(|e| e != "onnx")
    {
        let title = format!("{} does not end in .onnx", out.display());
        let help = "give the file that is to be written:  --out network.onnx";
        return Err(vec![runtime::failed("R0914", &title, help)]);
    }
    let mut predictor = match &args.run {
        None if args.network.weights.is_none() => shipped::predictor(loaded)?,
        _ => using::predictor(&args.network, loaded)?,
    };
    let whose = match &args.run {
        Some(run) => run.display().to_string(),
        None => shipped::NAME.to_string(),
    };
    let Some(to) = args.to else {
        super::print(&listing(&predictor, args.run.as_deref())?);
        return Ok(());
    };
    let about = about(&predictor, loaded, &whose);
    let name = &loaded.pipeline.name;
    let plain: String = name.chars().map(|c| if c.is_alphanumeric() || "-_".contains(c) { c } else { '-' }).collect();
    let out = |usual: String| args.out.clone().unwrap_or_else(|| PathBuf::from(usual));
    let sentence = loaded.pipeline.about.clone().unwrap_or_default();
    match to {
        ExportTo::Onnx => {
            let written = Written::new(&predictor, about).map_err(Stop::reports)?;
            let bytes = onnx::file(&written, name, &sentence).map_err(Stop::reports)?;
            let path = out(format!("{plain}.onnx"));
            write_atomic(&path, &bytes).map_err(unwritten)?;
            super::print(&format!("{}  {:.1} MB, operator set {}\n", path.display(), mega(bytes.len()), onnx::opset()));
        }
        ExportTo::Torch => {
            let written = Written::new(&predictor, about).map_err(Stop::reports)?;
            let lead = if sentence.is_empty() { format!("{name}.") } else { format!("{name}: {sentence}") };
            let module = torch::module(&written, &lead, &loaded.sources).map_err(Stop::reports)?;
            let weights = torch::weights(&written).map_err(Stop::reports)?;
            let multiple = written.multiple();
            let example = torch::example(&mut predictor, multiple).map_err(Stop::reports)?;
            let folder = out(format!("{plain}-torch"));
            std::fs::create_dir_all(&folder).map_err(|e| {
                let title = format!("{} cannot be made: {e}", folder.display());
                vec![runtime::failed("R0914", &title, "give a folder with --out")]
            })?;
            for (file, bytes) in [
                (torch::MODULE, module.as_bytes()),
                (torch::WEIGHTS, &weights),
                (torch::EXAMPLE, &example),
                (torch::TEST, torch::CHECK.as_bytes()),
            ] {
                let path = folder.join(file);
                write_atomic(&path, bytes).map_err(unwritten)?;
                super::print(&format!("{}\n", path.display()));
            }
            super::print(&format!("\nTo compare it with rord:  python {}\n", folder.join(torch::MODULE).display()));
        }
    }
    Ok(())
}

fn unwritten(error: FileError) -> Vec<Report> {
    vec![runtime::failed("R0914", &error.to_string(), error.help())]
}

fn mega(bytes: usize) -> f64 {
    bytes as f64 / 1e6
}

/// What is written beside a network.
fn about(predictor: &Predictor<'_>, loaded: &Loaded, whose: &str) -> Vec<(&'static str, String)> {
    let text = loaded.sources.get(loaded.file).map(|s| blake3::hash(s.text.as_bytes()));
    let turned = predictor.exports().iter().filter(|e| e.turns > 1);
    let turned: Vec<String> = turned.map(|e| format!("{} {}", e.name, e.turns)).collect();
    let mut all = vec![
        ("version", env!("CARGO_PKG_VERSION").to_string()),
        ("pipeline", loaded.pipeline.name.clone()),
        ("text", text.map(|hash| fingerprint(&hash, 16)).unwrap_or_default()),
        ("run", whose.to_string()),
        ("input", INPUT.to_string()),
    ];
    if let Some(gds) = using::trained(loaded) {
        let layers =
            if gds.layers.is_empty() { "all layers".into() } else { format!("layers {}", gds.layers.join(", ")) };
        all.push(("layouts", format!("{} px per µm, {layers}", gds.resolution)));
    }
    if !turned.is_empty() {
        all.push(("turns", turned.join(", ")));
    }
    all
}

/// How pictures are given to a network.
const INPUT: &str = "batch, channel, row, column; numbers from 0 to 1: grey values or colors / 255, of a layout the share of a pixel that \
                     is covered";

/// What there is to export, and how.
fn listing(predictor: &Predictor<'_>, run: Option<&Path>) -> Result<String, Vec<Report>> {
    let written = Written::new(predictor, Vec::new()).map_err(Stop::reports)?;
    let (input, ty) = written.input;
    let called = onnx::called(ty);
    let shape = |ty: &rord_lang::types::Type| {
        let side = |dim: &rord_lang::dim::Dim| match dim.value(&written.graph.sizes) {
            Some(Ok(n)) => n.to_string(),
            _ => dim.replace(&called).unwrap_or_else(|| dim.clone()).to_string(),
        };
        let unit = if ty.unit { " unit" } else { "" };
        format!("{}{unit}[{}]", ty.kind.name(), ty.dims.iter().map(side).collect::<Vec<_>>().join(", "))
    };
    let mut rows = vec![("takes", input.to_string(), shape(ty))];
    for output in &written.graph.outputs {
        let ty = written.graph.node(output.node).map(|n| shape(&n.ty)).unwrap_or_default();
        rows.push(("gives", output.name.clone(), ty));
    }
    let width = rows.iter().map(|(_, name, _)| name.len()).max().unwrap_or(0);
    let mut text: String = rows.iter().map(|(what, name, ty)| format!("{what}  {name:width$}  {ty}\n")).collect();
    let run = run.map(|run| format!(" {}", run.display())).unwrap_or_default();
    text += &format!("\n  rord-run export{run} --to onnx    one file, for ONNX Runtime, OpenVINO, TensorRT\n");
    text += &format!("  rord-run export{run} --to torch   a module of PyTorch, its weights, and a test\n");
    Ok(text)
}
