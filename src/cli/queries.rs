//! What `find` and `match` are asked for: pictures, folders of pictures, rectangles of a chip in µm, and cells.

use std::path::{Path, PathBuf};

use rord_data::files::{PICTURES, find};
use rord_data::gds::Gds;
use rord_data::images::{Images, decode};
use rord_data::patch::Rect;
use rord_data::picture::Picture;
use rord_data::store::Store;
use rord_data::{DataError, Source};
use rord_lang::report::{Report, runtime};
use rord_matching::moves::Move;
use rord_search::drawn::{Drawn, Held};
use rord_search::maps::Pixels;

use super::using::{self, Shown};

/// A query, and what it is called.
pub struct Asked {
    /// As it was written, or the file's path.
    pub name: String,
    /// Its pixels.
    pub pixels: Held,
}

/// Queries have at least so many pixels on a side.
const LEAST: usize = 12;

/// Reads every query. Rectangles and cells are those of the first chip that has them.
pub fn read(texts: &[String], chips: &[Shown]) -> Result<Vec<Asked>, Vec<Report>> {
    let mut asked = Vec::new();
    for text in texts {
        if let Some(cell) = text.strip_prefix("cell:") {
            asked.push(of_cell(text, cell, chips).map_err(|r| vec![r])?);
        } else if let Some(corners) = rectangle(text) {
            asked.push(of_rectangle(text, corners, chips).map_err(|r| vec![r])?);
        } else {
            for path in find(text, &PICTURES).map_err(|e| vec![unreadable(&e)])? {
                asked.push(of_picture(&path).map_err(|r| vec![r])?);
            }
        }
    }
    for one in &asked {
        let [width, height] = one.pixels.size;
        if width.min(height) < LEAST {
            let title = format!("`{}` is {width} × {height} px, which is too little to tell it from others", one.name);
            let help = format!("give a query of at least {LEAST} px on each side, better of 100");
            return Err(vec![runtime::failed("R0914", &title, &help)]);
        }
    }
    Ok(asked)
}

fn unreadable(error: &DataError) -> Report {
    runtime::failed("R0914", &error.to_string(), &error.help())
}

/// `x0,y0,x1,y1` in µm.
fn rectangle(text: &str) -> Option<[f64; 4]> {
    let numbers: Vec<f64> = text.split(',').map(|part| part.trim().parse().ok()).collect::<Option<_>>()?;
    <[f64; 4]>::try_from(numbers).ok()
}

fn of_picture(path: &Path) -> Result<Asked, Report> {
    let pages = decode(path, &Images::default()).map_err(|e| unreadable(&e))?;
    let page = pages.into_iter().next();
    let page =
        page.ok_or_else(|| runtime::failed("R0914", &format!("{}: no picture", path.display()), "give another"))?;
    let values: Vec<f32> = page.planes.iter().flat_map(|(_, plane)| plane.shares().collect::<Vec<f32>>()).collect();
    let pixels = Held { values, channels: page.planes.len(), size: [page.width, page.height] };
    Ok(Asked { name: path.display().to_string(), pixels })
}

/// A part of a chip as it is drawn. y goes upwards in µm.
fn of_rectangle(text: &str, [x0, y0, x1, y1]: [f64; 4], chips: &[Shown]) -> Result<Asked, Report> {
    let placed = chips.iter().find_map(|chip| chip.place.map(|place| (chip, place)));
    let Some((chip, ([left, upper], resolution))) = placed else {
        let help = "give a picture of it, or a layout to --in";
        return Err(runtime::failed("R0914", &format!("`{text}` is in µm, and pictures have none"), help));
    };
    let (low_x, high_x, low_y, high_y) = (x0.min(x1), x0.max(x1), y0.min(y1), y0.max(y1));
    let pixel = |um: f64| (um * resolution).round() as i64;
    let (x, y) = (pixel(low_x - left), pixel(upper - high_y));
    let (right, bottom) = (pixel(high_x - left), pixel(upper - low_y));
    let [width, height] = [chip.picture.width as i64, chip.picture.height as i64];
    if x < 0 || y < 0 || right > width || bottom > height || right <= x || bottom <= y {
        let (to_x, to_y) = (left + width as f64 / resolution, upper - height as f64 / resolution);
        let title = format!("`{text}` does not lie in {}", chip.picture.name);
        let help = format!("it reaches from {left:.3},{to_y:.3} to {to_x:.3},{upper:.3} µm");
        return Err(runtime::failed("R0914", &title, &help));
    }
    let window = Rect { x, y, width: (right - x) as usize, height: (bottom - y) as usize };
    Ok(Asked { name: text.into(), pixels: drawn(&chip.picture, window)? })
}

/// A part of a picture in grey.
fn drawn(picture: &Picture, window: Rect) -> Result<Held, Report> {
    let values = Drawn::new(picture, 1).read(window).map_err(|e| runtime::failed("R0914", &e, ""))?;
    Ok(Held { values, channels: 1, size: [window.width, window.height] })
}

/// A cell, drawn alone as its chip is.
fn of_cell(text: &str, cell: &str, chips: &[Shown]) -> Result<Asked, Report> {
    let mut last = None;
    let mut seen: Vec<&PathBuf> = Vec::new();
    for chip in chips {
        if chip.recipe.is_none() || seen.contains(&&chip.file) {
            continue;
        }
        seen.push(&chip.file);
        match exemplar(cell, chip) {
            Ok(exemplar) => return Ok(Asked { name: text.into(), pixels: exemplar.pixels }),
            Err(report) => last = Some(report),
        }
    }
    let none = || runtime::failed("R0914", &format!("`{text}`: pictures have no cells"), "give a layout to --in");
    Err(last.unwrap_or_else(none))
}

/// A cell that is drawn alone.
pub struct Exemplar {
    /// Its pixels.
    pub pixels: Held,
    /// From its pixel centers to µm in the cell.
    pub to_um: Move,
}

/// A cell of a layout, drawn alone with the layers and the resolution of the layout.
pub fn exemplar(cell: &str, chip: &Shown) -> Result<Exemplar, Report> {
    let Some(recipe) = &chip.recipe else {
        let title = format!("{}: a picture has no cell `{cell}`", chip.file.display());
        return Err(runtime::failed("R0914", &title, "give a layout to --in"));
    };
    let recipe = Gds { top: Some(cell.into()), ..recipe.clone() };
    let loaded = Source::Gds(recipe.clone()).load(&Store::of_process()).map_err(|e| unreadable(&e))?;
    let corner = loaded.files.iter().flat_map(|file| &file.pictures).map(|facts| facts.corner_um).next();
    let pictures = loaded.fit().map_err(|e| unreadable(&e))?;
    let (Some(picture), Some((left, upper))) = (pictures.first(), corner) else {
        let title = format!("cell `{cell}` has nothing on the layers that are drawn");
        return Err(runtime::failed("R0914", &title, "choose other layers with --layers"));
    };
    let window = Rect { x: 0, y: 0, width: picture.width, height: picture.height };
    let to_um = using::to_um(([left, upper], recipe.resolution));
    Ok(Exemplar { pixels: drawn(picture, window)?, to_um })
}
