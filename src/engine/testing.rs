//! A small pipeline for this crate's tests: two views, running statistics, draws, and a validation.

use rord_lang::check::{NoImports, Outside, check};
use rord_lang::source::Span;
use rord_lang::typed::Pipeline;
use rord_lang::vocabulary::Vocabulary;

use super::plan::Plan;

/// Four steps an epoch; `TRAIN` is replaced.
const TEXT: &str = r#"rord 1
pipeline "small"
data pairs = layout_pairs(synth(tiles = 4, size = 12.8, seed = 1), patch = 16px, steps = 4) -> {
  image:   Image[B, 1, H, W]@orig,
  image_r: Image[B, 1, H, W]@moved,
  H:       Homography[B]@orig->moved,
}
model net(x: Image[B, 1, H, W]@f) {
  let trunk = x |> conv(4, 3) |> batch_norm |> relu |> max_pool(2)
  out det:  Prob[B, 1, H/2, W/2]@f = trunk |> conv(1, 3) |> sigmoid
  out desc: Desc[B, 8, H/2, W/2]@f = trunk |> conv(8, 3) |> instance_norm
}
let { image, image_r, H }            = pairs
let { det, desc }                    = net(image)
let { det as det_r, desc as desc_r } = net(image_r)
@allow(unanchored, "a test")
loss detection   = bce(det, warp(det_r, inv(H)))
@allow(apart, "a test")
loss description = triplet(grid(6), hardneg(candidates = 10), margin = 1.0)
minimize total   = detection + description
train { TRAIN, batch = 2, epochs = 3 }
save { best = val.total, last = true }
"#;

/// The pipeline with these fields in its section `train`.
pub fn small(train: &str) -> (Pipeline, Vocabulary, Plan) {
    sound(&TEXT.replace("TRAIN", train))
}

/// A pipeline about which nothing is reported.
pub fn sound(text: &str) -> (Pipeline, Vocabulary, Plan) {
    let (vocabulary, mut sources) = rord_ops::vocabulary();
    let file = sources.add(rord_lang::source::SourceKind::Main, "small.rord", text);
    let (pipeline, reports) = check(&mut sources, file, &vocabulary, &NoImports, &Outside::default());
    assert!(reports.is_empty(), "{text}: {reports:?}");
    let plan = Plan::new(&pipeline, Span::default()).unwrap();
    (pipeline, vocabulary, plan)
}
