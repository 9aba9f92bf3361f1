//! Datasets made of layouts, of pictures, or of tensors.

use crate::op::Op;
use crate::rules::positive;
use rord_data::datasets::offers;
use rord_lang::constant::Constant;
use rord_lang::report::numbers;
use rord_lang::vocabulary::{Application, Entry, Offers};

use super::layouts::{paths, value_range};
use super::{limits, range_of};

/// Every one of them.
pub static RECIPES: &[Op] = &[
    Op::recipe(
        "layout_pairs",
        Entry {
            signature: "layout_pairs(layouts: Layouts, patch: Pixels = 128px, zoom: Range = 1..1, \
                        geometry: Symmetry = square_symmetries, photo: Augment = [], render: Render = none, \
                        steps: Count = 50, train: Weight = 0.8, channels: Count = 1, \
                        corners: Word = drawn) -> Dataset",
            manual: "\
A patch of a layout, the same patch moved, and the move.

`image` is (B, channels, patch, patch) with values in [0, 1]; `image_r(q) = image(H⁻¹ q)`; `H` takes normalized points of
the first view to the second. `corners` is 1 where a drawn corner lies in the first view and 0 elsewhere.

* `channels`: 1 is a drawing in grey. As many as there are layers (those that `gds` lists) gives each layer's coverage as a
  channel of its own, bottom to top, and 3 with color `images` red, green and blue. `render` then draws each channel over
  black: greys, missing layers and edges channel by channel, exchanged black and white of a whole view.
* `corners`: `drawn` takes them from polygons, which pictures from files do not have. `picture` finds them in the grey values
  of the first view, before `photo` (Shi and Tomasi, 1994).
* `zoom`: how many source pixels a patch pixel shows along an axis, drawn from this range.
* `geometry`: how the second view is made: `square_symmetries` (exact, by permutation), `rotations(…)`,
  `affine(…)`, `perspective(…)`.
* `photo`: what is done to each view on its own, in this order.
* `render`: how layers become grey; without it both views are drawn alike.
* `steps`: batches in an epoch. `train`: the share of layouts to train on; validation sees the others, the same pairs
  every epoch.

```rord
data pairs = layout_pairs(synth(tiles = 8), patch = 64px, photo = [noise(0.02)])
```
",
            rule: pairs,
            words: &[("corners", &["drawn", "picture"])],
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
                        train: Weight = 0.8, channels: Count = 1, corners: Word = drawn) -> Dataset",
            manual: "\
A patch of a layout: `image` (B, channels, patch, patch) in [0, 1], and its `corners`. The arguments are those of
`layout_pairs`.

```rord
data patches = layout_images(synth(tiles = 8), patch = 64px) -> { image: Image[B, 1, H, W]@orig }
```
",
            rule: pairs,
            words: &[("corners", &["drawn", "picture"])],
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
                        steps: Count = 50, train: Weight = 0.8, channels: Count = 1) -> Dataset",
            manual: "\
Small patches in two views, for descriptors of whole patches: `a` and `b` are (N, channels, size, size) in [0, 1] and show the
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
                        photo: Augment = [], render: Render = none, steps: Count = 50, train: Weight = 0.8, \
                        channels: Count = 1) -> Dataset",
            manual: "\
A patch of a layout drawn without one of its layers, and that layer: `image` (B, channels, patch, patch) in [0, 1] shows all
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
        "file_pairs",
        Entry {
            signature: "file_pairs(list: Paths, second: Paths = [], channels: Count = 1, patch: Pixels = 128px, \
                        zoom: Range = 1..1, geometry: Symmetry = same_view, photo: Augment = [], range: Range = none, \
                        steps: Count = 50, train: Weight = 0.8, validation: Paths = []) -> Dataset",
            manual: "\
Crops of two pictures of the same thing, and the homography between them.

`list` names the pairs, in one of these forms:

* a CSV file of lines `a.png, b.png, h11, h12, h13, h21, h22, h23, h31, h32, h33`, row by row; without the nine numbers the
  pictures lie over each other. Paths start in the list's folder; a first line may name the columns;
* a file of JSON lines, `{\"a\": \"a.png\", \"b\": \"b.png\", \"H\": [[1, 0, 0], [0, 1, 0], [0, 0, 1]]}`;
* a folder in the form of HPatches: `1.ppm` to `6.ppm` with `H_1_2` to `H_1_6`, or a folder of such folders;
* with `second`, two folders (or patterns, or lists) of pictures: those of the same name lie over each other.

A homography takes pixels of the first picture to pixels of the second as OpenCV counts them: x to the right, y
downwards, the middle of the first pixel at (0, 0). Here it comes out exact, between the crops and in normalized
coordinates.

The first crop is drawn from the first picture, the second around the same place of the other; at least half of the first is to be
seen in the second where that can be. `geometry` moves the second crop further. `image` and `image_r` are (B, channels,
patch, patch) in [0, 1], `H` leads from the first to the second.

`train` is the share of pictures to train on; pairs that have a picture in common stay on one side. With `validation`, its
lists are validated and all of `list` is trained on. The other arguments are those of `layout_pairs` and `images`.

Source: Balntas et al., \"HPatches\" (2017), for its form.

```rord
data pairs = file_pairs(\"hpatches\", patch = 64px, geometry = rotations(-20deg..20deg))
```
",
            rule: |a| {
                pairs(a);
                paths(a, "list", 1);
                paths(a, "second", 0);
                paths(a, "validation", 0);
                value_range(a);
                let list = |a: &Application<'_>, name| {
                    a.arg(name).and_then(|x| x.constant.clone()).is_some_and(|c| c != Constant::List(Vec::new()))
                };
                if list(a, "second") && list(a, "validation") {
                    let span = a.arg("validation").map_or(a.span, |x| x.span);
                    let title = "pictures that lie over each other are split by `train`";
                    a.reports.push(numbers::rule(span, title, "beside `second`", "write the pairs of both in lists"));
                }
            },
            timed: &["zoom"],
            offers: Offers::Fields(offers),
            ..Entry::PLAIN
        },
    ),
    Op::recipe(
        "tensors",
        Entry {
            signature: "tensors(file: Paths, shuffle: Flag = false, train: Weight = 1.0, validation: Paths = []) \
                        -> Dataset",
            manual: "\
Tensors from safetensors files or NumPy's npz. Each field is the tensor of its name, whose first axis counts samples; other
tensors of the file are not read. A `Homography[B]` is (samples, 3, 3), `Points[B, N]` are (samples, N, 2), all else has
the declared axes, channels first.

`file` is a file, a folder, a pattern, or a list of these; of several files samples come file by file, in the order of their
paths. Names, kinds, sizes and frames are what the pipeline says: no file is opened before the run. Then they must fit:
names that stand for sizes are set by them, every number must be finite, a `Prob` or `Label` within 0 to 1, and a
`Homography` in normalized coordinates lead from the view to somewhere near it. Numbers are read as f32, and by the
sample: files may be larger than memory. An `Image` of type U8 or U16 is taken as 0 to 1.

A pass is ⌊samples/batch⌋ steps; what is left over is not used in it. Samples come in the order of the files, with
`shuffle` in another order in each epoch, drawn from the seed. `train` is the share of samples, the first ones, to train on;
the others are validated. With `validation`, its files are validated and all others trained on, whatever `train` is.

```rord
data pairs = tensors(\"pairs.safetensors\", shuffle = true) -> {
  image:   Image[B, 1, H, W]@orig,
  image_r: Image[B, 1, H, W]@moved,
  H:       Homography[B]@orig->moved,
}
```
",
            rule: |a| {
                share(a, "samples");
                paths(a, "file", 1);
                paths(a, "validation", 0);
            },
            offers: Offers::Declared,
            ..Entry::PLAIN
        },
    ),
];

fn pairs(a: &mut Application<'_>) {
    positive(a, "steps");
    positive(a, "channels");
    limits(a, "channels", 0.0, 4096.0);
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
