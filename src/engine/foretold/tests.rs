use super::*;
use crate::testing::{small, sound};

fn blamed(text: &str, share: f64) -> (TooLarge, String) {
    let (pipeline, vocabulary, plan) = sound(text);
    let graphs = Graphs::of(&pipeline, &vocabulary, &plan).unwrap().unwrap();
    let all = foretold(&pipeline, &plan, &graphs).unwrap();
    let available = (share * all.total() as f64) as usize;
    let large = too_large(&pipeline, &plan, Some(&graphs), available, 0).unwrap();
    assert_eq!(large.needed, all.total());
    let report = refusals::memory(&pipeline, &plan, &large);
    (large, format!("{report:?}"))
}

const TEXT: &str = r#"rord 1
pipeline "blamed"
data pairs = layout_pairs(DATA, patch = 64px, steps = 4) -> {
  image:   Image[B, 1, H, W]@orig,
  image_r: Image[B, 1, H, W]@moved,
  H:       Homography[B]@orig->moved,
}
model net(x: Image[B, 1, H, W]@f) {
  out desc: Desc unit[B, 16, H/4, W/4]@f = x |> conv(16, 3) |> relu |> max_pool(4) |> conv(16, 3) |> l2norm
}
let { image, image_r, H } = pairs
let { desc }              = net(image)
let { desc as desc_r }    = net(image_r)
minimize total  = triplet(grid(9), hardneg(apart = 8px), margin = 0.5)
metric matching = matching_accuracy(desc, desc_r, H, at = grid(PLACES), within = 3px)
train { optimizer = adam(lr = 1e-3), batch = BATCH, epochs = 3 }
save { best = val.total, last = true }
"#;

fn text(data: &str, places: &str, batch: &str) -> String {
    TEXT.replace("DATA", data).replace("PLACES", places).replace("BATCH", batch)
}

#[test]
fn what_takes_most_is_blamed() {
    let (large, report) = blamed(&text("synth(tiles = 100)", "9", "2"), 0.5);
    assert!(matches!(&large.blame, Blame::Data(0, _)), "{large:?}");
    assert!(report.contains("synth(tiles = 100") && report.contains("lower `tiles`"), "{report}");
    let (large, report) = blamed(&text("synth(tiles = 2)", "200000", "8"), 0.6);
    assert!(matches!(&large.blame, Blame::Validation(_, Some(metric)) if metric == "matching"), "{large:?}");
    assert!(large.batch.is_some_and(|batch| batch < 8) && report.contains("`matching` takes most here"), "{report}");
    let (large, report) = blamed(&text("synth(tiles = 2)", "9", "500"), 0.5);
    assert_eq!((large.blame, large.batch), (Blame::Step, Some(125)));
    assert!(report.contains("lower `batch`, or patch"), "{report}");
}

#[test]
fn what_fits_is_let_pass_and_data_alone_is_judged_without_graphs() {
    let (pipeline, vocabulary, plan) = small("optimizer = adam(lr = 1e-3)");
    let graphs = Graphs::of(&pipeline, &vocabulary, &plan).unwrap().unwrap();
    let all = foretold(&pipeline, &plan, &graphs).unwrap();
    assert!(all.validation > 0 && all.saving > 0 && all.validation < all.step, "{all:?}");
    assert_eq!(too_large(&pipeline, &plan, Some(&graphs), all.total(), 0), None);
    assert!(too_large(&pipeline, &plan, Some(&graphs), all.total() - 1, 0).is_some());
    let least = PROCESS + all.data;
    assert_eq!(too_large(&pipeline, &plan, None, least, 0), None);
    assert!(too_large(&pipeline, &plan, None, least - 1, 0).is_some());
}
