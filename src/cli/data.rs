//! `rord-run data`: the pairs that the network will see, as a table or a picture.

use super::args::DataArgs;
use super::load::load_or_report;
use crate::data::pairs::Split;
use crate::data::sheet;
use crate::engine::plan::data_report;
use crate::engine::source::DataSource;
use crate::lang::constant::Constant;
use crate::lang::report::{params, runtime};

/// Shows pairs.
pub fn run(args: &DataArgs) -> u8 {
    let Some(loaded) = load_or_report(&args.file) else { return super::REFUSED };
    let pipeline = &loaded.pipeline;
    let refuse = |report| {
        super::print_reports(&[report], &loaded.sources);
        super::REFUSED
    };
    let Some(dataset) = pipeline.datasets.first() else {
        let help = "say where the tensors come from:  data pairs = layout_pairs(synth())";
        return refuse(params::cannot_train(loaded.end(), "there is no `data`", help));
    };
    let count = |field: &str, default: usize| pipeline.train(field).and_then(Constant::count).unwrap_or(default);
    let fields: Vec<&str> = dataset.fields.iter().map(|(n, _)| n.as_str()).collect();
    let place = crate::engine::plan::data_place(pipeline, dataset);
    let source = match DataSource::load(dataset, count("batch", 8), count("seed", 0) as u64, &fields) {
        Ok(source) => source,
        Err(e) => return refuse(data_report(place, &e)),
    };
    let split = if args.validation { Split::Validation } else { Split::Train };
    let pairs: Vec<_> = (0..args.show as u64).map(|i| source.pairs.pair(split, i)).collect();
    let pictures = source.pairs.pictures();
    super::print(&format!(
        "{}: {} layouts, {} to train on, {} to validate\n",
        dataset.name,
        pictures.len(),
        source.pairs.pictures_of(Split::Train).len(),
        source.pairs.pictures_of(Split::Validation).len(),
    ));
    for (i, pair) in pairs.iter().enumerate() {
        let name = pictures.get(pair.picture).map_or("?", |p| p.name.as_str());
        let mean = pair.image.iter().sum::<f32>() / pair.image.len().max(1) as f32;
        let h: Vec<String> = pair.h.iter().map(|x| format!("{x:.3}")).collect();
        super::print(&format!(
            "{i:>3}  {name} at ({}, {}), zoom {:.2}, mean {mean:.3}, H = [{}]\n",
            pair.from[0],
            pair.from[1],
            pair.zoom,
            h.join(" ")
        ));
    }
    if let Some(path) = &args.png {
        let patch = source.pairs.recipe().patch;
        let drawing = sheet::sheet(&pairs, patch, 2);
        if let Err(e) = sheet::write(&drawing, path) {
            let title = format!("cannot write {}: {e}", path.display());
            return refuse(runtime::failed("R0914", &title, "check the path; the name must end in .png"));
        }
        super::print(&format!("drawn to {}\n", path.display()));
    }
    super::DONE
}
