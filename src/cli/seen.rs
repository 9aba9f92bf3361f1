//! What is known of the data that a network will see: each file, its layers, its side of the split, and how many patches are
//! flat.

use std::collections::BTreeSet;

use rord_data::loaded::{FileFacts, PictureFacts};
use rord_data::pairs::{PairSource, Split};
use rord_data::store::Store;
use rord_engine::source::{About, DataSource};
use rord_lang::report::plural;
use serde_json::{Map, Value, json};

/// Patches of a split that are looked at.
const PATCHES: u64 = 64;
/// Layers that a table shows of a file.
const LAYERS: usize = 8;

/// One object for programs.
pub fn object(source: &DataSource) -> Value {
    let mut files: Vec<Value> = Vec::new();
    for (file, picture) in pictures(source) {
        let side = side(source.pairs.as_deref(), picture.picture);
        let size = shown(source.pairs.as_deref(), picture.picture);
        let layers: Map<String, Value> = picture
            .present
            .iter()
            .map(|(name, polygons)| {
                let share = picture.drawn.iter().find(|layer| layer.name == *name).map(|layer| layer.share);
                let mut layer = json!({ "polygons": polygons, "share": share });
                if let (Some(called), Some(facts)) = (file.names.get(name), layer.as_object_mut()) {
                    facts.insert("name".into(), json!(called));
                }
                (name.clone(), layer)
            })
            .collect();
        files.push(json!({
            "path": file.path, "top": picture.top, "tops": file.tops,
            "size_um": [picture.size_um.0, picture.size_um.1], "size_px": size,
            "layers": layers, "split": side, "skipped": null, "warnings": file.warnings,
        }));
    }
    for unfit in &source.skipped {
        files.push(json!({
            "path": unfit.path, "top": null, "tops": [], "size_um": null, "size_px": null,
            "layers": {}, "split": null, "skipped": unfit.error.to_string(), "warnings": [],
        }));
    }
    let cached = !source.files.is_empty() && source.files.iter().all(|file| file.cached);
    let memory = Store::of_process().memory().limit() / 1_000_000;
    json!({
        "files": files, "train": split(source, Split::Train), "val": split(source, Split::Validation),
        "memory_mb": memory, "cached": cached, "warnings": source.warnings.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}

fn pictures(source: &DataSource) -> impl Iterator<Item = (&FileFacts, &PictureFacts)> {
    source.files.iter().flat_map(|file| file.pictures.iter().map(move |picture| (file, picture)))
}

fn side(pairs: Option<&PairSource>, picture: usize) -> Option<&'static str> {
    let of = |split| pairs.is_some_and(|pairs| pairs.pictures_of(split).contains(&picture));
    // A single picture is cut in two; it is named by the larger part.
    match (of(Split::Train), of(Split::Validation)) {
        (true, _) => Some("train"),
        (false, true) => Some("val"),
        _ => None,
    }
}

fn shown(pairs: Option<&PairSource>, picture: usize) -> Option<[usize; 2]> {
    pairs.and_then(|pairs| pairs.pictures().get(picture)).map(|p| [p.width, p.height])
}

fn split(source: &DataSource, split: Split) -> Value {
    let Some(pairs) = &source.pairs else { return json!({ "files": 0, "patches_flat": null }) };
    let empty = split == Split::Validation && pairs.validation_batches() == 0;
    let on: BTreeSet<usize> = if empty { BTreeSet::new() } else { pairs.pictures_of(split).into_iter().collect() };
    let files = source.files.iter().filter(|file| file.pictures.iter().any(|p| on.contains(&p.picture))).count();
    let flat = if empty { 0.0 } else { pairs.flat(split, PATCHES) as f64 / PATCHES as f64 };
    json!({ "files": files, "pictures": on.len(), "patches_flat": flat })
}

/// A table for people; nothing where the data comes from no files.
pub fn table(source: &DataSource) -> String {
    let mut text = String::new();
    for (file, picture) in pictures(source) {
        let side = side(source.pairs.as_deref(), picture.picture).unwrap_or("-");
        let size =
            shown(source.pairs.as_deref(), picture.picture).map_or(String::new(), |[w, h]| format!("{w} × {h} px"));
        let (width, height) = picture.size_um;
        let um = if width > 0.0 { format!(", {width:.1} × {height:.1} µm") } else { String::new() };
        let top = if picture.top.is_empty() { String::new() } else { format!("  top {}", picture.top) };
        text += &format!("{:<5}  {}{top}  {size}{um}\n", side, file.path.display());
        let mut layers: Vec<_> = picture.drawn.iter().collect();
        layers.sort_by(|a, b| b.share.total_cmp(&a.share));
        let polygons = |name: &str| picture.present.iter().find(|(n, _)| n == name).map_or(0, |(_, count)| *count);
        let show = |name: &str, share: f64| {
            let (shown, percent) = (file.layer(name), 100.0 * share);
            format!("{shown} {percent:.1} % ({})", plural(polygons(name) as usize, "polygon"))
        };
        let lines: Vec<String> = layers.iter().take(LAYERS).map(|layer| show(&layer.name, layer.share)).collect();
        let more = layers.len().saturating_sub(LAYERS);
        let more = if more > 0 { format!(", and {more} more") } else { String::new() };
        if picture.present.iter().any(|(_, count)| *count > 0) {
            text += &format!("       {}{more}\n", lines.join(", "));
        }
    }
    for unfit in &source.skipped {
        text += &format!("skip   {}\n", unfit.error);
    }
    for warning in source.warnings.iter().filter(|w| w.about != About::Skipped) {
        text += &format!("warning: {warning}\n");
    }
    if let Some(pairs) = source.pairs.as_ref().filter(|_| !source.files.is_empty()) {
        for (name, split) in [("train", Split::Train), ("val", Split::Validation)] {
            if split == Split::Validation && pairs.validation_batches() == 0 {
                continue;
            }
            let flat = pairs.flat(split, PATCHES);
            let pictures = plural(pairs.pictures_of(split).len(), "picture");
            text += &format!("{name}: {pictures}, {flat} of {PATCHES} patches are flat\n");
        }
    }
    text
}
