//! Pairs of the validation as a trained network sees them: key points that find each other, checked against the pair's own homography, and
//! the maps of the detector below. Pictures lie in the page; lines are drawn over them. Where there are no pairs, `maps.rs` has what there is.

use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;

use rord_data::batches::{Batch, Batches, Field};
use rord_data::pairs::Split;
use rord_engine::kept;
use rord_engine::plan::Plan;
use rord_engine::predict::{Picture, Predictor};
use rord_engine::source::DataSource;
use rord_lang::types::Kind;
use rord_matching::features::{Features, Select};
use rord_search::detect::features;
use rord_search::drawn::Held;
use rord_search::matched::nearest_of;
use rord_search::network::Network;
use rord_search::view;

use super::html::{data_address, escaped};
use super::maps::{self, in_words, looked_at};
use crate::load::Loaded;

/// Pairs that are looked at, and those that are shown.
const LOOKED_AT: usize = 8;
const SHOWN: usize = 4;
/// Pixels of both views of all pairs that are looked at, at most: a page is to be there at once.
const PIXELS: usize = 220_000;
/// Key points of a view, and the most cells that are points where nothing detects.
const POINTS: usize = 200;
const CELLS: usize = 4096;
/// Cells of a map along its edges by which its greys do not go.
const EDGE: usize = 2;
/// A detector's map that varies by less is the same everywhere.
const EVEN: f32 = 1e-4;
/// A match is right within so many pixels.
const WITHIN: f64 = 3.0;
/// Lines that are drawn of a pair.
const LINES: usize = 64;
/// The side of a view as it is drawn, and what is between the two.
pub const SIDE: [f64; 2] = [200.0, 12.0];

/// The fields of a pair.
struct Fields {
    a: String,
    b: String,
    by: String,
}

/// A pair as it was matched.
struct Seen {
    number: usize,
    views: [Held; 2],
    /// Places in both, and how far in pixels the first lies from the second where the homography takes it.
    matches: Vec<([f64; 2], [f64; 2], f64)>,
}

impl Seen {
    fn right(&self) -> usize {
        self.matches.iter().filter(|(.., off)| *off <= WITHIN).count()
    }

    /// Which share of the matches is right.
    fn share(&self) -> f64 {
        self.right() as f64 / self.matches.len().max(1) as f64
    }
}

/// The section of a page; why there is none. `batches` is the data of a run that has just ended.
pub fn section(loaded: &Loaded, run: &Path, batches: Option<&Arc<dyn Batches>>) -> Result<String, String> {
    let weights = kept::of_folder(run).ok_or("the run has kept no weights")?;
    let predictor = Predictor::new(&loaded.pipeline, &loaded.vocabulary, Some(&weights), 0).map_err(in_words)?;
    let own;
    let batches = match batches {
        Some(batches) => batches,
        None => {
            own = load(loaded)?;
            &own
        }
    };
    let file = weights.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let fields = match of_a_pair(loaded) {
        Some(fields) if Network::is_for_key_points(&predictor) => fields,
        _ => return maps::section(loaded, predictor, batches.as_ref(), &file),
    };
    let mut network = Network::any(predictor);
    let mut seen = Vec::new();
    let (split, of) = looked_at(batches.as_ref());
    for step in 0..if split == Split::Train { 1 } else { batches.validation_batches() } {
        let batch = batches.batch_at(split, step).map_err(|e| e.to_string())?;
        let most = most(&batch, &fields);
        for sample in 0..batch.size {
            if seen.len() >= most {
                break;
            }
            let pair = look(&mut network, &batch, &fields, sample, seen.len())?;
            seen.push(pair);
        }
        if seen.len() >= most || batch.size == 0 {
            break;
        }
    }
    if network.detects() || seen.iter().any(|s| !s.matches.is_empty()) {
        return drawn(&mut network, seen, &file, of);
    }
    Err("nothing is matched in the pairs that were looked at".into())
}

/// The data, loaded anew.
fn load(loaded: &Loaded) -> Result<Arc<dyn Batches>, String> {
    let plan = Plan::new(&loaded.pipeline, loaded.end())
        .map_err(|reports| reports.first().map(|r| r.title.clone()).unwrap_or_default())?;
    let source = DataSource::load_all(&plan.datasets, &loaded.pipeline.sizes, plan.batch, plan.seed, None);
    Ok(source.map_err(|(_, e)| format!("the data cannot be loaded: {e}"))?.batches)
}

/// The names of the fields of a pair: two images, and the homography from the frame of the first to that of the second.
fn of_a_pair(loaded: &Loaded) -> Option<Fields> {
    let all = maps::fields(loaded);
    all.iter().filter(|(_, ty)| ty.kind == Kind::Homography).find_map(|(by, ty)| {
        let image = |frame: &Option<_>| {
            let of = all.iter().find(|(_, t)| t.kind == Kind::Image && t.frame.is_some() && t.frame == *frame)?;
            Some(of.0.to_string())
        };
        Some(Fields { a: image(&ty.frame)?, b: image(&ty.to)?, by: by.to_string() })
    })
}

fn of<'b>(batch: &'b Batch, name: &str) -> Result<&'b Field, String> {
    batch.fields.iter().find(|f| f.name == name).ok_or(format!("a batch has no `{name}`"))
}

/// How many pairs are looked at.
fn most(batch: &Batch, fields: &Fields) -> usize {
    let pixels = of(batch, &fields.a).map_or(1, |f| f.shape.iter().skip(2).product::<usize>());
    (PIXELS / (2 * pixels.max(1))).clamp(2, LOOKED_AT)
}

/// A field's numbers of one sample, with its shape.
pub fn sample(field: &Field, at: usize) -> (&[f32], &[usize]) {
    let shape = field.shape.get(1..).unwrap_or_default();
    let cells: usize = shape.iter().product();
    (field.values.get(at * cells..(at + 1) * cells).unwrap_or_default(), shape)
}

fn look(network: &mut Network<'_>, batch: &Batch, fields: &Fields, at: usize, number: usize) -> Result<Seen, String> {
    let (a, b, by) = (of(batch, &fields.a)?, of(batch, &fields.b)?, of(batch, &fields.by)?);
    let (of_a, view_a) = view(network, sample(a, at))?;
    let (of_b, view_b) = view(network, sample(b, at))?;
    let h: [f32; 9] = sample(by, at).0.try_into().map_err(|_| "a homography has nine numbers".to_string())?;
    let there = |place| moved(h.map(f64::from), place, [view_a.size, view_b.size]);
    let pairs = match of_a.channels {
        // A detector alone: each point with the nearest to where it should be.
        0 => nearest(&of_a, &of_b, &there),
        _ => nearest_of(network.turns(), &of_a, &of_b).iter().map(|m| (m.a, m.b)).collect(),
    };
    let [width, height] = view_b.size.map(|side| side as f64);
    let matches = pairs.into_iter().filter_map(|(i, j)| {
        let (a, b) = (*of_a.points.places.get(i)?, *of_b.points.places.get(j)?);
        let [x, y] = there(a);
        // What the other view does not show cannot be found there.
        let shown = x >= 0.0 && y >= 0.0 && x <= width - 1.0 && y <= height - 1.0;
        shown.then(|| (a, b, (x - b[0]).hypot(y - b[1])))
    });
    Ok(Seen { number, matches: matches.collect(), views: [view_a, view_b] })
}

/// Each point of the first with the nearest of the second to where it is there.
fn nearest(a: &Features, b: &Features, there: &dyn Fn([f64; 2]) -> [f64; 2]) -> Vec<(usize, usize)> {
    let near = |place: &[f64; 2]| {
        let [x, y] = there(*place);
        let off = |p: &[f64; 2]| (p[0] - x).hypot(p[1] - y);
        let all = b.points.places.iter().enumerate();
        all.min_by(|(_, p), (_, q)| off(p).total_cmp(&off(q))).map(|(j, _)| j)
    };
    a.points.places.iter().enumerate().filter_map(|(i, place)| Some((i, near(place)?))).collect()
}

/// Where a homography of normalized coordinates takes a pixel's center.
fn moved(h: [f64; 9], [x, y]: [f64; 2], [from, to]: [[usize; 2]; 2]) -> [f64; 2] {
    let normal = |at: f64, side: usize| (2.0 * at + 1.0) / side as f64 - 1.0;
    let (x, y) = (normal(x, from[0]), normal(y, from[1]));
    let [a, b, c, d, e, f, g, i, j] = h;
    let w = g * x + i * y + j;
    let pixel = |at: f64, side: usize| ((at + 1.0) * side as f64 - 1.0) / 2.0;
    [pixel((a * x + b * y + c) / w, to[0]), pixel((d * x + e * y + f) / w, to[1])]
}

fn view(network: &mut Network<'_>, (values, shape): (&[f32], &[usize])) -> Result<(Features, Held), String> {
    let &[channels, height, width] = shape else { return Err("an image has three axes".into()) };
    let held = Held { values: values.to_vec(), channels, size: [width, height] };
    // Without a detector every cell is a point: of some of them the other view would have others.
    let keep = if network.detects() { POINTS } else { CELLS };
    let select = Select { keep, apart: 3.0, border: 4.0, least: 0.0 };
    let found = features(network, &held, &select, &mut |_, _| true).map_err(|e| e.to_string())?;
    Ok((found.unwrap_or_default(), held))
}

/// The detector's map of a view, as a picture: from its least numbers to its greatest. True where it
/// is the same everywhere.
fn map(network: &mut Network<'_>, view: &Held) -> Result<(Vec<u8>, bool), String> {
    let (values, channels, [width, height]) = (&view.values, view.channels, view.size);
    let raw = network.maps(&Picture { values, channels, height, width }).map_err(|e| e.to_string())?;
    let (rows, columns, scores) = raw.scores;
    // Cells at the edges of a picture are often far from all others, which are the ones to see.
    let inside = |at: &usize| {
        let (row, column) = (at / columns.max(1), at % columns.max(1));
        let within = |at: usize, side: usize| side <= 4 * EDGE || (EDGE..side - EDGE).contains(&at);
        within(row, rows) && within(column, columns)
    };
    let inner = (0..scores.len()).filter(inside).filter_map(|at| scores.get(at).copied());
    let mut sorted: Vec<f32> = inner.collect();
    sorted.sort_by(f32::total_cmp);
    let [low, high] = [2, 98].map(|percent| {
        let at = sorted.len().saturating_sub(1) * percent / 100;
        sorted.get(at).copied().unwrap_or_default()
    });
    let even = high - low < EVEN;
    let scaled: Vec<f32> = scores.iter().map(|x| if even { *x } else { (x - low) / (high - low) }).collect();
    Ok((view::map(&scaled, [1, rows, columns])?, even))
}

/// The best, the worst, and some between.
fn drawn(network: &mut Network<'_>, mut seen: Vec<Seen>, weights: &str, of: &str) -> Result<String, String> {
    let looked_at = seen.len();
    let (right, all) = seen.iter().fold((0, 0), |(r, a), s| (r + s.right(), a + s.matches.len()));
    seen.sort_by(|a, b| b.share().total_cmp(&a.share()).then(b.right().cmp(&a.right())));
    let (last, shown) = (seen.len().saturating_sub(1), SHOWN.min(seen.len()));
    let mut figures = String::new();
    for at in (0..shown).map(|i| i * last / (shown - 1).max(1)) {
        let which = match at {
            0 if last > 0 => "the best",
            at if at == last && last > 0 => "the worst",
            _ => "",
        };
        if let Some(pair) = seen.get(at) {
            figures += &figure(network, pair, which)?;
        }
    }
    let detects = network.detects();
    let maps = if detects { " Below, what the detector sees: bright is sure." } else { "" };
    let found = match all {
        0 => "none was found".to_string(),
        all => format!("{right} of {all} are right"),
    };
    Ok(format!(
        "<p class=\"lead\">Key points that are each other's nearest, with the weights of <code>{}</code>, in {looked_at} pairs of the {of}. \
         <b class=\"ok\">Green</b> is within {WITHIN} px of where the pair's homography leads, <b class=\"bad\">red</b> is not: \
         {found}.{maps}</p><div class=\"pairs\">{figures}</div>\n",
        escaped(weights)
    ))
}

fn figure(network: &mut Network<'_>, seen: &Seen, which: &str) -> Result<String, String> {
    let [side, gap] = SIDE;
    let [a, b] = &seen.views;
    let scale = |view: &Held| side / view.size[0].max(view.size[1]).max(1) as f64;
    let (scale_a, scale_b) = (scale(a), scale(b));
    let tall = |view: &Held, scale: f64| view.size[1] as f64 * scale;
    let high = tall(a, scale_a).max(tall(b, scale_b));
    let maps = if network.detects() { high + gap } else { 0.0 };
    let mut out = format!(
        "<figure><svg viewBox=\"0 0 {:.0} {:.0}\" role=\"img\" aria-label=\"two views with their matches\">",
        2.0 * side + gap,
        high + maps
    );
    let mut all_even = network.detects();
    for (view, left, scale) in [(a, 0.0, scale_a), (b, side + gap, scale_b)] {
        let [width, height] = view.size.map(|s| s as f64 * scale);
        let mut image = |png: &[u8], top: f64, class: &str| {
            let _ = write!(
                out,
                "<image class=\"{class}\" x=\"{left}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" preserveAspectRatio=\"none\" href=\"{}\"/>",
                data_address("image/png", png)
            );
        };
        let [columns, rows] = view.size;
        image(&view::picture(&view.values, [view.channels, rows, columns])?, 0.0, "view");
        if network.detects() {
            let (map, even) = map(network, view)?;
            image(&map, high + gap, "map");
            all_even &= even;
            let top = high + gap;
            let _ = write!(
                out,
                "<rect class=\"edge\" x=\"{left}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"{height:.1}\"/>"
            );
        }
    }
    let place = |[x, y]: [f64; 2], scale: f64, left: f64| [(x + 0.5) * scale + left, (y + 0.5) * scale];
    let every = seen.matches.len().div_ceil(LINES).max(1);
    let mut shown: Vec<_> = seen.matches.iter().step_by(every).collect();
    // What is wrong lies above.
    shown.sort_by_key(|(.., off)| *off > WITHIN);
    for (from, to, off) in shown {
        let ([x, y], [u, v]) = (place(*from, scale_a, 0.0), place(*to, scale_b, side + gap));
        let class = if *off <= WITHIN { "ok" } else { "bad" };
        let _ = write!(
            out,
            "<path class=\"{class}\" d=\"M{x:.1} {y:.1}L{u:.1} {v:.1}\"><title>{off:.1} px off</title></path>\
             <circle class=\"{class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"1.7\"/><circle class=\"{class}\" cx=\"{u:.1}\" cy=\"{v:.1}\" r=\"1.7\"/>"
        );
    }
    let which = if which.is_empty() { String::new() } else { format!(", {which}") };
    let (right, all) = (seen.right(), seen.matches.len());
    let even = if all_even { ", and the detector is the same everywhere" } else { "" };
    let _ = writeln!(
        out,
        "</svg><figcaption><b>pair {}{which}</b> <span>{right} of {all} matches right{even}</span></figcaption></figure>",
        seen.number
    );
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quarter_turn_takes_corners_to_corners() {
        // (x, y) to (y, -x), as `Symmetry` has it.
        let h = [0.0, 1.0, 0.0, -1.0, 0.0, 0.0, 0.0, 0.0, 1.0];
        let at = |place| moved(h, place, [[8, 8], [8, 8]]);
        assert_eq!([at([0.0, 0.0]), at([7.0, 0.0]), at([3.0, 5.0])], [[0.0, 7.0], [0.0, 0.0], [5.0, 4.0]]);
        // A view of another size.
        assert_eq!(moved([1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0], [0.0, 3.0], [[4, 4], [8, 8]]), [0.5, 6.5]);
    }
}
