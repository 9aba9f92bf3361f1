//! Recipes: layouts, datasets, views, optimizers, schedules. The checker knows their arguments; whoever carries them out reads
//! their settings.

use crate::op::Op;
use crate::rules::{between, positive};
use rord_data::datasets::offers;
use rord_lang::constant::{Constant, Unit};
use rord_lang::report::numbers;
use rord_lang::vocabulary::{Application, Entry, LintFacts, Offers};

/// Every recipe.
pub static RECIPES: [Op; 28] = [
    Op::recipe(
        "synth",
        Entry {
            signature: "synth(tiles: Count = 24, seed: Count = 0, size: Rate = 51.2, resolution: Rate = 10) -> Layouts",
            manual: "\
Procedural standard-cell layouts: rows of cells between power rails, placed in four orientations, routed on several metal layers.

`tiles` squares of `size` µm at `resolution` pixels per µm. Tile k depends on `seed` and k alone, so asking for more tiles changes
none. The layers, bottom to top: diff, poly, li, contact, m1, mcon, m2, via, m3, via2, m4, via3.

```rord
param layouts: Layouts = synth(tiles = 24, seed = 1)
```
",
            rule: |a| {
                positive(a, "tiles");
            },
            ..Entry::PLAIN
        },
    ),
    Op::recipe(
        "gds",
        Entry {
            signature: "gds(files: Path, layers: List = [], resolution: Rate = 10, top: Text = none) -> Layouts",
            manual: "\
Layouts from GDSII files, plain or compressed with gzip.

`files` is a file, a folder, or a pattern such as \"tiles/*.gds.gz\", relative to the folder in which rord-run is started. `layers`
lists what is drawn, bottom to top, as \"layer/datatype\"; without it everything is. `resolution` is in pixels per µm. `top` names
the cell to draw; without it, it is the one that no other cell uses.

The hierarchy is flattened with mirrors, rotations, magnifications and arrays; boundaries, boxes and paths are drawn with exact
coverage. Layouts are split into training and validation by file.

```rord
param layouts: Layouts = gds(\"tiles/*.gds.gz\", layers = [\"66/20\", \"67/20\", \"68/20\"], resolution = 10)
```
",
            rule: |a| layer_names(a),
            ..Entry::PLAIN
        },
    ),
    Op::recipe(
        "images",
        Entry {
            signature: "images(files: Path) -> Layouts",
            manual: "\
Pictures from PNG and JPEG files: a file, a folder, or a pattern such as \"chips/*.png\". Colors become grey by Rec. 709 luma.

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

`image` is (B, 1, patch, patch) with values in [0, 1]; `image_r(q) = image(H⁻¹ q)`; `H` takes normalized points of the first view to
the second. `corners` is 1 where a drawn corner lies in the first view and 0 elsewhere.

* `zoom`: how many source pixels a patch pixel shows along an axis, drawn from this range.
* `geometry`: how the second view is made: `square_symmetries` (exact, by permutation), `rotations(…)`.
* `photo`: what is done to each view on its own, in this order.
* `render`: how layers become grey; without it both views are drawn alike.
* `steps`: batches in an epoch. `train`: the share of layouts to train on; validation sees the others, the same pairs every epoch.

```rord
data pairs = layout_pairs(synth(tiles = 8), patch = 64px, photo = [noise(0.02)])
```
",
            rule: pairs,
            offers: Offers::Fields(offers),
            ..Entry::PLAIN
        },
    ),
    Op::recipe(
        "layout_images",
        Entry {
            signature: "layout_images(layouts: Layouts, patch: Pixels = 128px, zoom: Range = 1..1, photo: Augment = [], \
                        render: Render = none, steps: Count = 50, train: Weight = 0.8) -> Dataset",
            manual: "\
A patch of a layout: `image` (B, 1, patch, patch) in [0, 1], and its drawn `corners`. The arguments are those of `layout_pairs`.

```rord
data patches = layout_images(synth(tiles = 8), patch = 64px) -> { image: Image[B, 1, H, W]@orig }
```
",
            rule: pairs,
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
Small patches in two views, for descriptors of whole patches: `a` and `b` are (N, 1, size, size) in [0, 1] and show the same place of a
layout, N places in a batch. `b(q) = a(H⁻¹ q)`. Patch i of `a` belongs to patch i of `b`; all others are negatives, though a layout that
repeats itself shows some places twice.

The arguments are those of `layout_pairs`; `size` is its `patch`. N is the `batch` of `train`.

```rord
data patches = layout_patches(synth(tiles = 8), size = 32px) -> { a: Image[N, 1, 32, 32]@a, b: Image[N, 1, 32, 32]@b }
```
",
            rule: pairs,
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
A patch of a layout drawn without one of its layers, and that layer: `image` (B, 1, patch, patch) in [0, 1] shows all layers but
`target`, `truth` (B, 1, patch, patch) is the exact part of each pixel that `target` covers, also where layers above lie over it.

The layer is left out of the drawing because its own grey value would give it away: what is to be learned is where it must be, from
what lies around it. `target` is a layer's name: `via` in `synth`, \"68/44\" in GDSII. `photo` and `render` change `image` alone. The other
arguments are those of `layout_pairs`.

```rord
data tiles = labelled_layouts(synth(tiles = 8), patch = 64px, target = \"via\")
```
",
            rule: pairs,
            offers: Offers::Fields(offers),
            ..Entry::PLAIN
        },
    ),
    Op::recipe(
        "tensors",
        Entry {
            signature: "tensors(file: Path, shuffle: Flag = false, train: Weight = 1.0) -> Dataset",
            manual: "\
Tensors from a safetensors file. Each field is the tensor of its name, whose first axis counts samples; other tensors of the file are
not read. A `Homography[B]` is (samples, 3, 3), `Points[B, N]` are (samples, N, 2), all else has the declared axes.

Names, kinds, sizes and frames are what the pipeline says: the file is not opened before the run. Then it must fit: names that stand
for sizes are set by it, every number must be finite, and a `Prob` or `Label` within 0 to 1. Numbers are read as f32.

A pass is ⌊samples/batch⌋ steps; what is left over is not used in it. Samples come in the order of the file, with `shuffle` in another
order in each epoch, drawn from the seed. `train` is the share of samples, the first of the file, to train on; the others are validated.

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
    Op::recipe(
        "same_view",
        Entry {
            signature: "same_view() -> Symmetry",
            manual: "\
The second view shows the same place as the first, so H is the identity. With `photo` or `render` they still differ.

```rord
data pairs = layout_pairs(synth(), geometry = same_view, photo = [noise(0.05)])
```
",
            lints: LintFacts { onto: true, ..LintFacts::NONE },
            ..Entry::PLAIN
        },
    ),
    Op::recipe(
        "square_symmetries",
        Entry {
            signature: "square_symmetries() -> Symmetry",
            manual: "\
One of the 8 symmetries of the square, with equal chance: the turns by 0°, 90°, 180° and 270°, and their mirrors. The second view
is a permutation of the first one's pixels, so the pair is exact.

```rord
data pairs = layout_pairs(synth(), geometry = square_symmetries)
```
",
            lints: LintFacts { onto: true, ..LintFacts::NONE },
            ..Entry::PLAIN
        },
    ),
    Op::recipe(
        "rotations",
        Entry {
            signature: "rotations(degrees: Range = 0deg..360deg, mirror: Flag = false) -> Symmetry",
            rule: |a| range_of(a, "degrees", Some(Unit::Deg), f64::NEG_INFINITY),
            manual: "\
A turn about the middle of the patch by an angle from the range; with `mirror`, half of the views are mirrored first. The second
view is read from the layout itself, so its corners show what lies there and nothing is interpolated twice.

```rord
data pairs = layout_pairs(synth(), geometry = rotations(-30deg..30deg, mirror = true))
```
",
            ..Entry::PLAIN
        },
    ),
    Op::recipe(
        "affine",
        Entry {
            signature: "affine(degrees: Range = 0deg..360deg, stretch: Range = 0.8..1.25, shear: Range = -0.2..0.2, \
                        mirror: Flag = false) -> Symmetry",
            manual: "\
A random affine move about the middle of the patch: stretched along x and y by factors from `stretch`, sheared along x by a number
from `shear`, turned by an angle from `degrees`, and with `mirror` mirrored in half of the pairs.

```rord
data pairs = layout_pairs(synth(), geometry = affine(stretch = 0.9..1.1, shear = -0.1..0.1))
```
",
            rule: |a| {
                if let Some((low, _)) = a.arg("stretch").and_then(|x| x.constant.as_ref()).and_then(Constant::range)
                    && low <= 0.0
                {
                    let span = a.arg("stretch").map_or(a.span, |x| x.span);
                    a.reports.push(numbers::rule(span, "a stretch must be positive", "reaches 0 or below", "as in 0.8..1.25"));
                }
            },
            ..Entry::PLAIN
        },
    ),
    Op::recipe("brightness", Entry { signature: "brightness(by: Range) -> Augment",
            rule: |a| range_of(a, "by", None, 0.0), manual: "\
Multiplies all values by a number from the range; then values are cut to [0, 1].

```rord
data pairs = layout_pairs(synth(), photo = [brightness(0.8..1.2)])
```
", ..Entry::PLAIN }),
    Op::recipe("contrast", Entry { signature: "contrast(by: Range) -> Augment",
            rule: |a| range_of(a, "by", None, 0.0), manual: "\
Multiplies the distance of all values from the image's mean by a number from the range.

```rord
data pairs = layout_pairs(synth(), photo = [contrast(0.8..1.2)])
```
", ..Entry::PLAIN }),
    Op::recipe("noise", Entry { signature: "noise(sigma: Weight) -> Augment", manual: "\
Adds normal noise of this deviation to every pixel; pixels range over [0, 1].

```rord
data pairs = layout_pairs(synth(), photo = [noise(0.02)])
```
", ..Entry::PLAIN }),
    Op::recipe("blur", Entry { signature: "blur(sigma: Range) -> Augment",
            rule: |a| range_of(a, "sigma", None, 0.0), manual: "\
Blurs with a Gaussian whose deviation, in pixels, comes from the range.

```rord
data pairs = layout_pairs(synth(), photo = [blur(0..1.5)])
```
", ..Entry::PLAIN }),
    Op::recipe("gamma", Entry { signature: "gamma(by: Range) -> Augment",
            rule: |a| range_of(a, "by", None, 0.0), manual: "\
Raises all values to a power from the range.

```rord
data pairs = layout_pairs(synth(), photo = [gamma(0.7..1.4)])
```
", ..Entry::PLAIN }),
    Op::recipe(
        "layers",
        Entry {
            signature: "layers(weights: Range = 0.2..1, drop: Weight = 0, etch: Range = 0px..0px, invert: Weight = 0) -> Render",
            manual: "\
Draws each view on its own, as different microscopes would: every layer's grey value comes from `weights`, a layer is missing with
probability `drop`, edges move outwards by a length from `etch`, and the view is inverted with probability `invert`.

```rord
data pairs = layout_pairs(synth(), render = layers(drop = 0.1, etch = -1px..1px))
```
",
            rule: |a| {
                range_of(a, "weights", None, 0.0);
                range_of(a, "etch", Some(Unit::Px), f64::NEG_INFINITY);
                between(a, "drop", 0.0, 1.0, true);
                between(a, "invert", 0.0, 1.0, false);
            },
            ..Entry::PLAIN
        },
    ),
    Op::recipe(
        "adam",
        Entry {
            signature: "adam(lr: Rate, betas: List = [0.9, 0.999], eps: Rate = 1e-8, weight_decay: Weight = 0) -> Optimizer",
            manual: "\
Adam, as `torch.optim.Adam`: decay is added to the gradient. Source: Kingma and Ba, 2015.

```rord
train { optimizer = adam(lr = 1e-3) }
```
",
            rule: |a| betas(a),
            ..Entry::PLAIN
        },
    ),
    Op::recipe(
        "adamw",
        Entry {
            signature: "adamw(lr: Rate, betas: List = [0.9, 0.999], eps: Rate = 1e-8, weight_decay: Weight = 1e-2) -> Optimizer",
            manual: "\
Adam with decay apart from the gradient, as `torch.optim.AdamW`. Source: Loshchilov and Hutter, 2019.

```rord
train { optimizer = adamw(lr = 1e-3, weight_decay = 0.05) }
```
",
            rule: |a| betas(a),
            ..Entry::PLAIN
        },
    ),
    Op::recipe(
        "sgd",
        Entry {
            signature: "sgd(lr: Rate, momentum: Weight = 0, nesterov: Flag = false, weight_decay: Weight = 0) -> Optimizer",
            manual: "\
Stochastic gradient descent, as `torch.optim.SGD` without dampening.

```rord
train { optimizer = sgd(lr = 0.1, momentum = 0.9, nesterov = true) }
```
",
            rule: |a| {
                if a.is_true("nesterov") && a.number("momentum") == Some(0.0) {
                    let span = a.arg("nesterov").map_or(a.span, |x| x.span);
                    a.reports.push(numbers::rule(span, "Nesterov's method needs a momentum", "momentum is 0", "as in  sgd(lr = 0.1, momentum = 0.9, nesterov = true)"));
                }
            },
            ..Entry::PLAIN
        },
    ),
    Op::recipe(
        "grad_norm",
        Entry {
            signature: "grad_norm(max: Rate = 1.0) -> Clip",
            manual: "\
Scales all gradients together so that their norm is at most `max`, as `torch.nn.utils.clip_grad_norm_`: one norm over all
weights, and the factor min(1, max/(norm + 1e-6)).

```rord
train { optimizer = adam(lr = 1e-3), clip = grad_norm(1.0) }
```
",
            ..Entry::PLAIN
        },
    ),
    Op::recipe(
        "reduce_on_plateau",
        Entry {
            signature: "reduce_on_plateau(watch: Watch, factor: Rate = 0.1, patience: Duration = 10epochs, threshold: Weight = 1e-4, \
                        cooldown: Duration = 0epochs, min_lr: Weight = 0) -> Schedule",
            manual: "\
Multiplies the learning rate by `factor` once `watch` has not improved for more than `patience` epochs, as
`torch.optim.lr_scheduler.ReduceLROnPlateau` with a relative threshold. A loss improves by falling, a score by growing.

```rord
input p: Prob[B, 1, H, W]@f
minimize total = mean(p)
train { optimizer = adam(lr = 1e-3), schedule = reduce_on_plateau(watch = val.total, factor = 0.5, patience = 5epochs) }
```
",
            rule: |a| between(a, "factor", 0.0, 1.0, true),
            ..Entry::PLAIN
        },
    ),
    Op::recipe("constant", Entry { signature: "constant() -> Schedule", manual: "\
The learning rate stays as it is.

```rord
train { optimizer = adam(lr = 1e-3), schedule = constant }
```
", ..Entry::PLAIN }),
    Op::recipe(
        "cosine",
        Entry {
            signature: "cosine(warmup: Duration = 0steps, to: Weight = 0) -> Schedule",
            manual: "\
Grows linearly over `warmup`, then falls along half a cosine to the rate `to` at the end of the run.

```rord
train { optimizer = adam(lr = 1e-3), schedule = cosine(warmup = 200steps) }
```
",
            ..Entry::PLAIN
        },
    ),
    Op::recipe(
        "step",
        Entry {
            signature: "step(every: Duration, factor: Rate = 0.1) -> Schedule",
            manual: "\
Multiplies the learning rate by `factor` every so often, as `torch.optim.lr_scheduler.StepLR`.

```rord
train { optimizer = sgd(lr = 0.1), schedule = step(every = 30epochs) }
```
",
            ..Entry::PLAIN
        },
    ),
    Op::recipe(
        "linear_to_zero",
        Entry {
            signature: "linear_to_zero(over: Duration) -> Schedule",
            manual: "\
Falls along a straight line to 0 over this time, and stays there.

```rord
train { optimizer = sgd(lr = 0.1), schedule = linear_to_zero(over = 20epochs) }
```
",
            ..Entry::PLAIN
        },
    ),
    Op::recipe(
        "one_cycle",
        Entry {
            signature: "one_cycle() -> Schedule",
            manual: "\
One rise and one fall over the run with cosine annealing, as `torch.optim.lr_scheduler.OneCycleLR` by default: from lr/25 to lr over
the first 30 % of the steps, then down to lr/25e4.

```rord
train { optimizer = sgd(lr = 0.1, momentum = 0.9), schedule = one_cycle }
```
",
            ..Entry::PLAIN
        },
    ),
];

fn pairs(a: &mut Application<'_>) {
    positive(a, "steps");
    range_of(a, "zoom", None, 0.0);
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

/// `train` says which part of the data is trained on.
fn share(a: &mut Application<'_>, of: &str) {
    if a.number("train").is_some_and(|t| t <= 0.0 || t > 1.0) {
        let span = a.arg("train").map_or(a.span, |x| x.span);
        let title = format!("`train` is a share of the {of}");
        a.reports.push(numbers::rule(span, &title, "not in (0, 1]", "as in  train = 0.8"));
    }
}

/// Reports a range in another unit, or below a bound.
fn range_of(a: &mut Application<'_>, name: &str, unit: Option<Unit>, low: f64) {
    let Some(arg) = a.arg(name) else { return };
    let Some(constant) = &arg.constant else { return };
    let span = arg.span;
    let ends: Vec<&Constant> = match constant {
        Constant::Range(low, high) => vec![low, high],
        Constant::None => return,
        one => vec![one],
    };
    let unit_of = |c: &Constant| if let Constant::Quantity(_, u) = c { Some(*u) } else { None };
    let label = constant.to_string();
    if ends.iter().any(|e| unit_of(e) != unit) {
        let title =
            format!("`{name}` is a range {}", unit.map_or("of plain numbers".into(), |u| format!("in {}", u.name())));
        let help = unit.map_or("as in 0.8..1.2".to_string(), |u| format!("as in 0{0}..9{0}", u.name()));
        a.reports.push(numbers::rule(span, &title, &label, &help));
    } else if ends.iter().any(|e| e.number().is_none_or(|x| x < low)) {
        let title = format!("`{name}` may not lie below {low}");
        a.reports.push(numbers::rule(span, &title, &label, "as in 0.8..1.2"));
    }
}

fn betas(a: &mut Application<'_>) {
    let fits = match a.arg("betas").and_then(|x| x.constant.as_ref()) {
        Some(Constant::List(items)) => {
            items.len() == 2 && items.iter().all(|b| b.number().is_some_and(|b| (0.0..1.0).contains(&b)))
        }
        Some(_) => false,
        None => true,
    };
    if !fits {
        let span = a.arg("betas").map_or(a.span, |x| x.span);
        a.reports.push(numbers::rule(
            span,
            "`betas` are two numbers in [0, 1)",
            "something else",
            "as in  betas = [0.9, 0.999]",
        ));
    }
}

fn layer_names(a: &mut Application<'_>) {
    let Some(Constant::List(items)) = a.arg("layers").and_then(|x| x.constant.as_ref()) else { return };
    let pair = |text: &str| {
        text.split_once('/').is_some_and(|(l, d)| l.trim().parse::<i16>().is_ok() && d.trim().parse::<i16>().is_ok())
    };
    let wrong = items.iter().find(|i| !matches!(i, Constant::Text(t) if pair(t)));
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
