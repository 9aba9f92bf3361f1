//! Images of the validation beside the maps that a trained network makes of them, and beside what is true of them.

use std::fmt::Write;

use candle_core::DType;
use rord_data::batches::{Batch, Batches};
use rord_data::pairs::Split;
use rord_engine::predict::{Picture, Predictor};
use rord_engine::refusals::Stop;
use rord_lang::typed::ValueSource;
use rord_lang::types::{Kind, Type};
use rord_search::view;

use super::html::{data_address, escaped};
use super::pictures::{SIDE, sample};
use crate::load::Loaded;

/// Images that are shown, and pictures of each.
const SHOWN: usize = 4;
const BESIDE: usize = 4;

/// The section of a page; why there is none.
pub fn section(
    loaded: &Loaded,
    mut predictor: Predictor<'_>,
    batches: &dyn Batches,
    weights: &str,
) -> Result<String, String> {
    if !predictor.exports().iter().any(|e| e.map && drawn(e.kind)) {
        return Err("the network exports no map of scores or probabilities, and no descriptors of pairs".into());
    }
    let fields = fields(loaded);
    let Some((image, ty)) = fields.iter().find(|(_, ty)| ty.kind == Kind::Image) else {
        return Err("the data has no images".into());
    };
    let truths: Vec<&str> =
        fields.iter().filter(|(_, t)| t.kind == Kind::Label && t.frame == ty.frame).map(|(n, _)| *n).collect();
    let (split, of) = looked_at(batches);
    let batch = batches.batch_at(split, 0).map_err(|e| e.to_string())?;
    let mut figures = String::new();
    for at in 0..batch.size.min(SHOWN) {
        figures += &figure(&mut predictor, &batch, image, &truths, at)?;
    }
    Ok(format!(
        "<p class=\"lead\">Images of the {of} with what the network makes of them, with the weights of <code>{}</code>.</p>\n\
         <div class=\"pairs\">{figures}</div>\n",
        escaped(weights)
    ))
}

fn drawn(kind: Kind) -> bool {
    matches!(kind, Kind::Prob | Kind::Logit | Kind::Mask)
}

/// The part of the data that a page shows, and its name.
pub fn looked_at(batches: &dyn Batches) -> (Split, &'static str) {
    match batches.validation_batches() {
        0 => (Split::Train, "training"),
        _ => (Split::Validation, "validation"),
    }
}

/// Why something was not computed, in a line.
pub fn in_words(stop: Stop) -> String {
    stop.reports().first().map_or("it cannot be run".into(), |r| r.title.clone())
}

/// The fields of the data that the pipeline uses, with their types.
pub fn fields(loaded: &Loaded) -> Vec<(&str, &Type)> {
    let all = loaded.pipeline.values.iter().filter_map(|v| match &v.source {
        ValueSource::Field { data: Some(_), name } => Some((name.as_str(), &v.ty)),
        _ => None,
    });
    all.collect()
}

/// A picture with its name.
type Named = (String, Vec<u8>);

fn figure(
    predictor: &mut Predictor<'_>,
    batch: &Batch,
    image: &str,
    truths: &[&str],
    at: usize,
) -> Result<String, String> {
    let field = |name: &str| batch.fields.iter().find(|f| f.name == name);
    let (values, shape) = sample(field(image).ok_or("a batch has no images")?, at);
    let &[channels, height, width] = shape else { return Err("an image has three axes".into()) };
    let mut all: Vec<Named> = vec![(image.into(), view::picture(values, [channels, height, width])?)];
    let exports = predictor.exports().to_vec();
    let made = predictor.run(&Picture { values, channels, height, width }).map_err(in_words)?;
    for (export, map) in exports.iter().zip(&made).filter(|(e, _)| e.map && drawn(e.kind)) {
        let &[1, channels, rows, columns] = map.dims() else { continue };
        let numbers =
            map.to_dtype(DType::F32).and_then(|m| m.flatten_all()?.to_vec1::<f32>()).map_err(|e| e.to_string())?;
        let logit = export.kind == Kind::Logit && channels == 1;
        let shown: Vec<f32> = if logit { numbers.iter().map(|x| 1.0 / (1.0 + (-x).exp())).collect() } else { numbers };
        all.push((export.name.clone(), view::map(&shown, [channels, rows, columns])?));
    }
    for truth in truths {
        let Some((values, &[channels, rows, columns])) = field(truth).map(|f| sample(f, at)) else { continue };
        all.push(((*truth).into(), view::map(values, [channels, rows, columns])?));
    }
    all.truncate(BESIDE);
    let [side, gap] = SIDE;
    let tall = side * height as f64 / width.max(1) as f64;
    let mut out = format!(
        "<figure><svg viewBox=\"0 0 {:.0} {tall:.0}\" role=\"img\" aria-label=\"an image and its maps\">",
        all.len() as f64 * (side + gap) - gap
    );
    for (index, (_, png)) in all.iter().enumerate() {
        let _ = write!(
            out,
            "<image class=\"view\" x=\"{:.0}\" y=\"0\" width=\"{side}\" height=\"{tall:.1}\" preserveAspectRatio=\"none\" href=\"{}\"/>",
            index as f64 * (side + gap),
            data_address("image/png", png)
        );
    }
    let names: Vec<String> = all.iter().map(|(name, _)| escaped(name)).collect();
    let _ =
        writeln!(out, "</svg><figcaption><b>image {at}</b> <span>{}</span></figcaption></figure>", names.join(" · "));
    Ok(out)
}
