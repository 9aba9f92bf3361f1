//! What is checked on trial leaves nothing behind, and one mistake does not hide another.

use rord_lang::check::{NoImports, Outside, check};
use rord_ops as ops;

fn codes(text: &str) -> Vec<&'static str> {
    let (vocabulary, mut sources) = ops::vocabulary();
    let file = sources.add(rord_lang::source::SourceKind::Main, "test.rord", text);
    check(&mut sources, file, &vocabulary, &NoImports, &Outside::default()).1.iter().map(|r| r.code).collect()
}

const HEAD: &str = "data pairs = layout_pairs(synth(tiles = 8), patch = 64px)
model net(x: Image[B, 1, H, W]@f) { out det: Prob[B, 1, H, W]@f = x |> conv(4, 3) |> relu |> conv(1, 1) |> sigmoid }
let { image, image_r, H, corners } = pairs
let { det } = net(image)
let back    = inv(H)
let seen    = inside(back, like = det)
let other   = warp(net(image_r).det, back)
";

#[test]
fn a_branch_that_is_not_taken_compares_nothing() {
    // However many values the other branch makes, none of them is mistaken for the comparison that was not made.
    let chain = " |> square".repeat(60);
    let text = |both: bool| {
        format!(
            "{HEAD}param both: Flag = {both}
loss d = if both then cosim(det, other, mask = seen) else mean((det - corners){chain})
minimize total = d
"
        )
    };
    assert_eq!(codes(&text(true)), ["R0602"]);
    assert_eq!(codes(&text(false)), [""; 0]);
}

#[test]
fn a_margin_counts_where_it_is_used() {
    let text = |wide: bool| {
        format!(
            "data pairs = layout_pairs(synth(), patch = 64px)
model net(x: Image[B, 1, H, W]@f) {{ out desc: Desc unit[B, 8, H, W]@f = x |> conv(8, 3) |> l2norm }}
let {{ image, image_r, H }} = pairs
let {{ desc }} = net(image)
let {{ desc as desc_r }} = net(image_r)
param wide: Flag = {wide}
param miner: Miner = hardneg(apart = 8px)
minimize d = if wide then triplet(grid(64), miner, margin = 5) else triplet(grid(64), miner, margin = 1)
"
        )
    };
    assert_eq!(codes(&text(true)), ["R0703"]);
    assert_eq!(codes(&text(false)), [""; 0]);
}

#[test]
fn the_same_mistake_in_many_places_is_reported_in_each() {
    let metrics: String = (0..40).map(|i| format!("metric m{i} = mean(net(image))\n")).collect();
    assert_eq!(codes(&format!("{HEAD}{metrics}")).iter().filter(|c| **c == "R0314").count(), 40);
    // One record is one mistake, however often it is used.
    let text = format!("{HEAD}let both = net(image)\nloss a = mean(both)\nloss b = mean(both)\n");
    assert_eq!(codes(&text).iter().filter(|c| **c == "R0314").count(), 1);
}
