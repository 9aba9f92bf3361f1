//! `rord-run demo`: a small chip is made, crops of it are drawn otherwise, and the network that comes with rord finds them.

use std::path::Path;

use rord_data::Source;
use rord_data::gds::Gds;
use rord_data::picture::Picture;
use rord_data::sheet::grey_png;
use rord_data::store::Store;
use rord_data::synth::Synth;
use rord_lang::report::{Report, runtime};
use rord_lang::source::Sources;
use rord_layouts::gds::write;
use rord_layouts::{Bounds, LayerKey, Point, Polygons};
use rord_matching::search::corners_apart;
use rord_project::outside::Given;
use rord_search::chip::{Chip, Options};
use rord_search::drawn::Drawn;
use rord_search::picture;
use rord_search::query::Query;
use rord_search::suite::{Case, Crop, Suite};

use super::args::DemoArgs;
use super::{shipped, using};

/// How the crops differ from the chip.
const CASES: [(Case, &str); 5] = [
    (Case::Same, "drawn alike"),
    (Case::Inverted, "light is dark"),
    (Case::Intensities, "layers in other greys"),
    (Case::Scaled, "larger or smaller, in other greys"),
    (Case::Etched, "all edges moved by 1 px"),
];
/// The process of the chip, and its side in µm.
const SEED: u64 = 2026;
const SIDE: f64 = 102.4;
/// Pixels of a crop's side.
const CROP: usize = 128;

/// Makes the folder, and looks for the crops.
pub fn run(args: &DemoArgs) -> u8 {
    match attempt(&args.folder) {
        Ok(()) => super::DONE,
        Err(reports) => {
            super::print_reports(&reports, &Sources::default());
            super::REFUSED
        }
    }
}

fn failed(text: impl ToString) -> Vec<Report> {
    vec![runtime::failed("R0914", &text.to_string(), "name another folder:  rord-run demo FOLDER")]
}

fn attempt(folder: &Path) -> Result<(), Vec<Report>> {
    if std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(failed(format!("{} is not empty", folder.display())));
    }
    std::fs::create_dir_all(folder).map_err(|e| failed(format!("{} cannot be made: {e}", folder.display())))?;
    let put = |name: &str, bytes: &[u8]| rord_files::write_atomic(&folder.join(name), bytes).map_err(failed);
    let shown = |name: &str| folder.join(name).display().to_string();
    put("chip.gds", &chip()?)?;
    super::print(&format!("{}: a chip of {SIDE} × {SIDE} µm, generated\n", shown("chip.gds")));

    let loaded = shipped::load(&Given::default()).map_err(|(reports, _)| reports)?;
    let mut network = shipped::network(&loaded)?;
    let picture = drawn(&folder.join("chip.gds"), using::layers(&loaded))?;
    let crops: Vec<(Case, &str, Crop)> = CASES
        .into_iter()
        .filter_map(|(case, how)| {
            let suite = Suite { side: CROP, seed: SEED };
            Some((case, how, suite.crop(std::slice::from_ref(&picture), case, 0)?))
        })
        .collect();
    let mut queries = Vec::new();
    for (case, _, crop) in &crops {
        let png = grey_png(&crop.pixels.values, CROP, CROP).map_err(failed)?;
        put(&format!("crop-{}.png", case.name()), &png)?;
        queries.push(Query::new(&mut network, &crop.pixels).map_err(using::refused)?);
    }
    let pixels = Drawn::new(&picture, 1);
    let chip = Chip { pixels: &pixels, options: Options::default(), index: None };
    let bar = using::Bar::new("searching");
    let searched = chip.search(&mut network, &queries, &mut |done, all| bar.at(done, all)).map_err(using::refused)?;
    drop(bar);
    for ((case, how, crop), answers) in crops.iter().zip(searched.answers) {
        let name = format!("crop-{}.png", case.name());
        let Some(best) = answers.first() else {
            super::print(&format!("{} ({how}): not found\n", shown(&name)));
            continue;
        };
        let off = corners_apart(&best.by, &crop.truth, [CROP; 2]);
        let (turn, _, mirrored) = best.by.parts();
        let mirror = if mirrored { ", mirrored" } else { "" };
        let place = if off < 3.0 { format!("found, {off:.1} px off") } else { "found in a wrong place".into() };
        super::print(&format!("{} ({how}): {place}, turned {:.0}°{mirror}\n", shown(&name), turn.to_degrees()));
        put(
            &format!("found-{}.png", case.name()),
            &picture::found(&crop.pixels, &pixels, &[best.by]).map_err(failed)?,
        )?;
    }
    super::print(&format!(
        "\nlook at {}; by hand it is\n\n  rord-run find --query {} --in {} --out found.png\n",
        shown("found-intensities.png"),
        shown("crop-intensities.png"),
        shown("chip.gds"),
    ));
    Ok(())
}

/// The chip's GDSII file.
fn chip() -> Result<Vec<u8>, Vec<Report>> {
    let synth = Synth { tiles: 1, seed: SEED, size: SIDE, ..Synth::default() };
    let layout = synth.layouts().map_err(failed)?.into_iter().next().ok_or_else(|| failed("no layout was made"))?;
    // Wires lead out of a tile; the chip ends where the tile does.
    let Bounds { low, high } = layout.bounds;
    let inside = |[x, y]: &Point| [(*x).clamp(low[0], high[0]), (*y).clamp(low[1], high[1])];
    let cut: Vec<(LayerKey, Polygons)> = layout
        .layers
        .iter()
        .map(|layer| {
            let mut polygons = Polygons::default();
            layer.polygons.iter().for_each(|polygon| polygons.push(polygon.iter().map(inside)));
            (layer.key, polygons)
        })
        .collect();
    let layers = cut.iter().map(|(key, polygons)| (*key, polygons));
    write::flat("CHIP", layout.unit, layers).ok_or_else(|| failed("the layout cannot be written as GDSII"))
}

/// The chip as the network sees layouts.
fn drawn(file: &Path, layers: Vec<String>) -> Result<Picture, Vec<Report>> {
    let recipe = Gds { files: vec![file.display().to_string()], layers, ..Gds::default() };
    let read = Source::Gds(recipe).load(&Store::of_process()).and_then(|loaded| loaded.fit());
    read.map_err(failed)?.into_iter().next().ok_or_else(|| failed("the chip has no picture"))
}
