//! `rord-run data`: the pairs that the network will see, as a table or a picture.

use super::args::{DataArgs, ReportFormat};
use super::load::load_or_report;
use super::seen;
use rord_data::DataError;
use rord_data::batches::Batches;
use rord_data::datasets::{self, Part};
use rord_data::pairs::Split;
use rord_data::sheet::{self, Names};
use rord_engine::plan::{data_place, field_places};
use rord_engine::refusals;
use rord_engine::source::DataSource;
use rord_lang::report::{params, runtime};
use rord_lang::typed::Dataset;
use rord_record::terminal::Busy;

/// Shows pairs.
pub fn run(args: &DataArgs) -> u8 {
    let Some(loaded) = load_or_report(&args.file) else { return super::REFUSED };
    let pipeline = &loaded.pipeline;
    let refuse = |report| {
        super::print_reports(&[report], &loaded.sources);
        super::REFUSED
    };
    let named = |d: &&Dataset| args.of.as_ref().is_none_or(|of| d.name == *of);
    if let (Some(of), false) = (&args.of, pipeline.datasets.iter().any(|d| named(&d))) {
        let known: Vec<&str> = pipeline.datasets.iter().map(|d| d.name.as_str()).collect();
        let help = format!("datasets: {}", known.join(", "));
        return refuse(runtime::failed("R0204", &format!("no `data` is called `{of}`"), &help));
    }
    let Some((at, dataset)) = pipeline.datasets.iter().enumerate().find(|(_, d)| named(d)) else {
        let help = "say where the tensors come from:  data pairs = layout_pairs(synth())";
        return refuse(params::cannot_train(loaded.end(), "there is no `data`", help));
    };
    let count = |field: &str| pipeline.setting("train", field).and_then(|c| c.count()).unwrap_or_default();
    let place = data_place(pipeline, dataset);
    let busy = Busy::new("loading the data");
    let source = DataSource::load(dataset, &pipeline.sizes, count("batch"), count("seed") as u64, None);
    drop(busy);
    let source = match source {
        Ok(source) => source,
        Err(e) => {
            super::print_reports(&refusals::data(place, &field_places(pipeline, at), &e), &loaded.sources);
            return super::REFUSED;
        }
    };
    if args.format == ReportFormat::Json {
        super::print(&format!("{}\n", seen::object(&source)));
        return super::DONE;
    }
    let split = if args.validation { Split::Validation } else { Split::Train };
    super::print(&format!("{}: {}\n", dataset.name, source.batches.about()));
    for note in source.batches.notes() {
        super::print(&format!("note: {note}\n"));
    }
    super::print(&seen::table(&source));
    let Some(source) = source.pairs else {
        if args.png.is_some() {
            let help = "a sheet shows patches of layouts; leave --png out for a table of the tensors";
            return refuse(runtime::failed("R0914", "only patches of layouts are drawn", help));
        }
        return match table(source.batches.as_ref(), split, args.show) {
            Ok(lines) => {
                super::print(&lines);
                super::DONE
            }
            Err(error) => refuse(runtime::failed("R0917", &format!("the data stopped coming: {error}"), "")),
        };
    };
    let pairs: Vec<_> = (0..args.show as u64).map(|i| source.pair(split, i)).collect();
    let pictures = source.pictures();
    for (i, pair) in pairs.iter().enumerate() {
        let name = pictures.get(pair.picture).map_or("?", |p| p.name.as_str());
        let mean = pair.image.iter().sum::<f32>() / pair.image.len().max(1) as f32;
        let [column, row] = pair.from;
        let mut line = format!("{i:>3}  {name} at ({column}, {row}), zoom {:.2}, mean {mean:.3}", pair.zoom);
        if !pair.image_r.is_empty() {
            let h: Vec<String> = pair.h.iter().map(|x| format!("{x:.3}")).collect();
            line += &format!(", H = [{}]", h.join(" "));
        }
        if !pair.truth.is_empty() {
            let part = pair.truth.iter().sum::<f32>() / pair.truth.len() as f32;
            line += &format!(", the layer covers {:.1} %", 100.0 * part);
        }
        super::print(&format!("{line}\n"));
    }
    if let Some(path) = &args.png {
        let patch = source.recipe().patch;
        let drawing = sheet::sheet(&pairs, &names(dataset), patch, 2);
        if let Err(e) = sheet::write(&drawing, path) {
            return refuse(refusals::file(&e));
        }
        super::print(&format!("drawn to {}\n", path.display()));
    }
    super::DONE
}

/// The names that a sheet writes above its panels.
fn names(dataset: &Dataset) -> Names {
    let offered = datasets::fields(&dataset.recipe.op).unwrap_or_default();
    let of = |part: Part| {
        let name = offered.iter().find(|field| field.part == part).map_or("", |field| field.name);
        let frame = dataset.fields.iter().find(|(field, _)| field == name).and_then(|(_, ty)| ty.frame.as_ref());
        frame.map_or(name.to_string(), |frame| format!("{name} {frame}"))
    };
    Names { image: of(Part::Image), moved: of(Part::Moved), corners: of(Part::Corners), truth: of(Part::Truth) }
}

/// The first samples of a split, field by field: shape, least, mean and greatest number.
fn table(batches: &dyn Batches, split: Split, show: usize) -> Result<String, DataError> {
    let available = match split {
        Split::Train => u64::MAX,
        Split::Validation => batches.validation_batches(),
    };
    let (mut lines, mut shown) = (String::new(), 0);
    for step in 0..available {
        if shown >= show {
            break;
        }
        let batch = batches.batch_at(split, step)?;
        if batch.size == 0 {
            break;
        }
        for k in 0..batch.size.min(show - shown) {
            for (first, field) in batch.fields.iter().enumerate() {
                let number = if first == 0 { format!("{:>3}", shown + k) } else { "   ".into() };
                let shape = field.shape.get(1..).unwrap_or_default();
                let cells = shape.iter().product::<usize>();
                let values = field.values.get(k * cells..(k + 1) * cells).unwrap_or_default();
                let (low, high) =
                    values.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(a, b), x| (a.min(*x), b.max(*x)));
                let mean = values.iter().map(|x| f64::from(*x)).sum::<f64>() / cells.max(1) as f64;
                lines += &format!("{number}  {} {shape:?}: {low:.3} to {high:.3}, mean {mean:.3}\n", field.name);
            }
        }
        shown += batch.size;
    }
    Ok(lines)
}
