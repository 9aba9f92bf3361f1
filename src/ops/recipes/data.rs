//! Layouts and pictures, and the datasets made of them or of tensors.

use crate::op::Op;
use crate::rules::positive;
use rord_data::datasets::offers;
use rord_lang::constant::Constant;
use rord_lang::report::numbers;
use rord_lang::vocabulary::{Application, Entry, Offers};

use super::{limits, range_of};

/// Every one of them.
pub static RECIPES: &[Op] = &[
    Op::recipe(
        "synth",
        Entry {
            signature: "synth(tiles: Count = 24, seed: Count = 0, size: Rate = 51.2, resolution: Rate = 10) -> Layouts",
            manual: "\
Procedural standard-cell layouts: rows of cells between power rails, placed in four orientations, routed on several
metal layers.

`tiles` squares of `size` µm at `resolution` pixels per µm. Tile k depends on `seed` and k alone, so asking for more
tiles changes none. The layers, bottom to top: diff, poly, li, contact, m1, mcon, m2, via, m3, via2, m4, via3.

```rord
param layouts: Layouts = synth(tiles = 24, seed = 1)
```
",
            rule: |a| {
                positive(a, "tiles");
                limits(a, "size", 2.0, 2000.0);
                limits(a, "resolution", 0.1, 1000.0);
            },
            ..Entry::PLAIN
        },
    ),
    Op::recipe(
        "gds",
        Entry {
            signature: "gds(files: Path, layers: List = [], resolution: Rate = 10, top: Text = none, \
                        names: Path = none, window: List = [], unfit: Word = refuse) -> Layouts",
            manual: "\
Layouts from GDSII and OASIS files, plain or compressed with gzip.

`files` is a file, a folder, or a pattern such as \"tiles/*.gds.gz\", relative to the folder in which rord-run is
started.

* `layers`: what is drawn, bottom to top: \"68/20\", \"68/*\", \"1-5/0\", names such as \"met1\" where `names` is given; with
  a `-` in front, what is not. Without it all layers are drawn but those that cover 95 % of the area and more while
  there are others: they would hide these.
* `names`: a file with names of layers: KLayout's `.lyp`, or a layer map.
* `resolution`: in pixels per µm.
* `top`: a pattern of the cells to draw, such as \"inv_*\". Without it, each cell that no other uses is a layout; those
  smaller than a patch are left out.
* `window`: what is drawn of each cell, in µm: `[left, lower, right, upper]`.
* `unfit`: what to do about files that cannot be used: `refuse`, which names all of them, or `skip`.

The hierarchy is drawn with mirrors, rotations, magnifications and arrays; boundaries, boxes and paths with exact
coverage. Drawn layouts are kept in a cache, from which the next run begins at once: in the folder that `RORD_CACHE`
names, or `~/.cache/rord`. Layouts are split into training and validation by the names and contents of their files,
wherever these lie; a single layout is cut in two.

```rord
param layouts: Layouts = gds(\"tiles/*.gds.gz\", layers = [\"66/20\", \"67/20\", \"68/20\"], resolution = 10)
```
",
            words: &[("unfit", &["refuse", "skip"])],
            rule: |a| {
                layer_names(a);
                window(a);
            },
            ..Entry::PLAIN
        },
    ),
    Op::recipe(
        "images",
        Entry {
            signature: "images(files: Path) -> Layouts",
            manual: "\
Pictures from PNG and JPEG files: a file, a folder, or a pattern such as \"chips/*.png\". Colors become grey by Rec. 709
luma.

```rord
param layouts: Layouts = images(\"chips/*.png\")
```
",
            ..Entry::PLAIN
        },
    ),
    Op::recipe(
        "layout_pairs",
        Entry {
            signature: "layout_pairs(layouts: Layouts, patch: Pixels = 128px, zoom: Range = 1..1, \
                        geometry: Symmetry = square_symmetries, photo: Augment = [], render: Render = none, \
                        steps: Count = 50, train: Weight = 0.8) -> Dataset",
            manual: "\
A patch of a layout, the same patch moved, and the move.

`image` is (B, 1, patch, patch) with values in [0, 1]; `image_r(q) = image(H⁻¹ q)`; `H` takes normalized points of the
first view to the second. `corners` is 1 where a drawn corner lies in the first view and 0 elsewhere.

* `zoom`: how many source pixels a patch pixel shows along an axis, drawn from this range.
* `geometry`: how the second view is made: `square_symmetries` (exact, by permutation), `rotations(…)`.
* `photo`: what is done to each view on its own, in this order.
* `render`: how layers become grey; without it both views are drawn alike.
* `steps`: batches in an epoch. `train`: the share of layouts to train on; validation sees the others, the same pairs
  every epoch.

```rord
data pairs = layout_pairs(synth(tiles = 8), patch = 64px, photo = [noise(0.02)])
```
",
            rule: pairs,
            timed: &["zoom"],
            offers: Offers::Fields(offers),
            ..Entry::PLAIN
        },
    ),
    Op::recipe(
        "layout_images",
        Entry {
            signature: "layout_images(layouts: Layouts, patch: Pixels = 128px, zoom: Range = 1..1, \
                        photo: Augment = [], render: Render = none, steps: Count = 50, \
                        train: Weight = 0.8) -> Dataset",
            manual: "\
A patch of a layout: `image` (B, 1, patch, patch) in [0, 1], and its drawn `corners`. The arguments are those of
`layout_pairs`.

```rord
data patches = layout_images(synth(tiles = 8), patch = 64px) -> { image: Image[B, 1, H, W]@orig }
```
",
            rule: pairs,
            timed: &["zoom"],
            offers: Offers::Fields(offers),
            ..Entry::PLAIN
        },
    ),
    Op::recipe(
        "layout_patches",
        Entry {
            signature: "layout_patches(layouts: Layouts, size: Pixels = 32px, zoom: Range = 1..1, \
                        geometry: Symmetry = square_symmetries, photo: Augment = [], render: Render = none, \
                        steps: Count = 50, train: Weight = 0.8) -> Dataset",
            manual: "\
Small patches in two views, for descriptors of whole patches: `a` and `b` are (N, 1, size, size) in [0, 1] and show the
same place of a layout, N places in a batch. `b(q) = a(H⁻¹ q)`. Patch i of `a` belongs to patch i of `b`; all others are
negatives, though a layout that repeats itself shows some places twice.

The arguments are those of `layout_pairs`; `size` is its `patch`. N is the `batch` of `train`.

```rord
data patches = layout_patches(synth(tiles = 8), size = 32px) -> { a: Image[N, 1, 32, 32]@a, b: Image[N, 1, 32, 32]@b }
```
",
            rule: pairs,
            timed: &["zoom"],
            offers: Offers::Fields(offers),
            ..Entry::PLAIN
        },
    ),
    Op::recipe(
        "labelled_layouts",
        Entry {
            signature: "labelled_layouts(layouts: Layouts, patch: Pixels = 128px, target: Text, zoom: Range = 1..1, \
                        photo: Augment = [], render: Render = none, steps: Count = 50, train: Weight = 0.8) -> Dataset",
            manual: "\
A patch of a layout drawn without one of its layers, and that layer: `image` (B, 1, patch, patch) in [0, 1] shows all
layers but `target`, `truth` (B, 1, patch, patch) is the exact part of each pixel that `target` covers, also where
layers above lie over it.

The layer is left out of the drawing because its own grey value would give it away: what is to be learned is where it
must be, from what lies around it. `target` is a layer's name: `via` in `synth`, \"68/44\" in GDSII. `photo` and
`render` change `image` alone. The other arguments are those of `layout_pairs`.

```rord
data tiles = labelled_layouts(synth(tiles = 8), patch = 64px, target = \"via\")
```
",
            rule: pairs,
            timed: &["zoom"],
            offers: Offers::Fields(offers),
            ..Entry::PLAIN
        },
    ),
    Op::recipe(
        "tensors",
        Entry {
            signature: "tensors(file: Path, shuffle: Flag = false, train: Weight = 1.0) -> Dataset",
            manual: "\
Tensors from a safetensors file. Each field is the tensor of its name, whose first axis counts samples; other tensors of
the file are not read. A `Homography[B]` is (samples, 3, 3), `Points[B, N]` are (samples, N, 2), all else has the
declared axes.

Names, kinds, sizes and frames are what the pipeline says: the file is not opened before the run. Then it must fit:
names that stand for sizes are set by it, every number must be finite, and a `Prob` or `Label` within 0 to 1. Numbers
are read as f32.

A pass is ⌊samples/batch⌋ steps; what is left over is not used in it. Samples come in the order of the file, with
`shuffle` in another order in each epoch, drawn from the seed. `train` is the share of samples, the first of the file,
to train on; the others are validated.

```rord
data pairs = tensors(\"pairs.safetensors\", shuffle = true) -> {
  image:   Image[B, 1, H, W]@orig,
  image_r: Image[B, 1, H, W]@moved,
  H:       Homography[B]@orig->moved,
}
```
",
            rule: |a| share(a, "samples"),
            offers: Offers::Declared,
            ..Entry::PLAIN
        },
    ),
];

fn pairs(a: &mut Application<'_>) {
    positive(a, "steps");
    range_of(a, "zoom", None, 0.0);
    limits(a, "zoom", 0.02, 50.0);
    limits(a, "train", 1e-6, 1.0);
    limits(a, "steps", 0.0, 1e12);
    let side = if a.arg("patch").is_some() { "patch" } else { "size" };
    if a.number(side).is_some_and(|p| p < 4.0 || p.fract() != 0.0 || p > 16384.0) {
        let span = a.arg(side).map_or(a.span, |x| x.span);
        let report = numbers::rule(
            span,
            "a patch has a whole number of pixels",
            "not within 4px to 16384px",
            &format!("as in  {side} = 128px"),
        );
        a.reports.push(report);
    }
    if let Some((low, _)) = a.arg("zoom").and_then(|x| x.constant.as_ref()).and_then(Constant::range)
        && low <= 0.0
    {
        let span = a.arg("zoom").map_or(a.span, |x| x.span);
        a.reports.push(numbers::rule(span, "a zoom must be positive", "reaches 0 or below", "as in  zoom = 0.8..1.2"));
    }
    share(a, "layouts");
}

/// `train` is the part of the data that is trained on.
fn share(a: &mut Application<'_>, of: &str) {
    if a.number("train").is_some_and(|t| t <= 0.0 || t > 1.0) {
        let span = a.arg("train").map_or(a.span, |x| x.span);
        let title = format!("`train` is a share of the {of}");
        a.reports.push(numbers::rule(span, &title, "not in (0, 1]", "as in  train = 0.8"));
    }
}

/// A window has four ends, in order.
fn window(a: &mut Application<'_>) {
    let Some(Constant::List(items)) = a.arg("window").and_then(|x| x.constant.as_ref()) else { return };
    let numbers: Vec<f64> = items.iter().filter_map(Constant::number).collect();
    let sound = matches!(numbers.as_slice(), [x0, y0, x1, y1] if x0 < x1 && y0 < y1);
    if items.is_empty() || (sound && items.len() == 4) {
        return;
    }
    let span = a.arg("window").map_or(a.span, |x| x.span);
    let title = "a window is its left, lower, right and upper end in µm";
    a.reports.push(numbers::rule(span, title, "is none", "as in  window = [0, 0, 500, 500]"));
}

fn layer_names(a: &mut Application<'_>) {
    let Some(Constant::List(items)) = a.arg("layers").and_then(|x| x.constant.as_ref()) else { return };
    // Names are known when their file is read.
    let named = a.arg("names").and_then(|x| x.constant.as_ref()).is_some_and(|c| *c != Constant::None);
    let wrong = items.iter().find(|i| !matches!(i, Constant::Text(t) if named || rord_data::gds::is_layer(t)));
    if let Some(wrong) = wrong {
        let span = a.arg("layers").map_or(a.span, |x| x.span);
        let label = format!("{wrong} is none");
        let report = numbers::rule(
            span,
            "a layer is written \"layer/datatype\"",
            &label,
            "as in  layers = [\"67/20\", \"68/20\"]",
        );
        a.reports.push(report);
    }
}
