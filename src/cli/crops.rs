//! The queries of `rord-run eval --suite find` as files, for other ways to find them.

use std::collections::BTreeSet;
use std::path::Path;

use rord_data::patch::Rect;
use rord_data::picture::Picture;
use rord_data::sheet::grey_png;
use rord_lang::report::{Report, runtime};
use rord_search::maps::Pixels;
use rord_search::suite::{Case, Suite, drawn};
use serde_json::{Value, json};

/// Writes every query and every layout as a picture, and `crops.json`: which query lies where.
pub fn write(folder: &Path, suite: &Suite, pictures: &[Picture], cases: &[Case], n: u64) -> Result<(), Report> {
    let failed = |text: String| runtime::failed("R0914", &text, "name another folder with --crops");
    std::fs::create_dir_all(folder).map_err(|e| failed(format!("{} cannot be made: {e}", folder.display())))?;
    let put = |name: &str, bytes: &[u8]| {
        rord_files::write_atomic(&folder.join(name), bytes).map_err(|e| failed(e.to_string()))
    };
    let picture = |name: &str, pixels: &dyn Pixels| {
        let [width, height] = pixels.size();
        let values = pixels.read(Rect { x: 0, y: 0, width, height }).map_err(&failed)?;
        put(name, &grey_png(&values, width, height).map_err(&failed)?)
    };
    let (mut listed, mut chips) = (Vec::new(), BTreeSet::new());
    for case in cases {
        let mut queries: Vec<Value> = Vec::new();
        for (index, crop) in suite.crops(pictures, *case, n).iter().enumerate() {
            let name = format!("{}-{index}.png", case.name());
            picture(&name, &crop.pixels)?;
            let layer = crop.layer.filter(|_| *case == Case::LayerAlone);
            let chip = match layer {
                Some(layer) => format!("chip-{}-layer-{layer}.png", crop.picture),
                None => format!("chip-{}.png", crop.picture),
            };
            if let (true, Some(shown)) = (chips.insert(chip.clone()), pictures.get(crop.picture)) {
                picture(&chip, &drawn(shown, layer))?;
            }
            let [row, second, _] = crop.truth.0;
            queries.push(json!({ "query": name, "in": chip, "matrix_px": [row, second] }));
        }
        listed.push(json!({ "case": case.name(), "queries": queries }));
    }
    put("crops.json", format!("{:#}\n", json!({ "cases": listed })).as_bytes())
}
