//! How a second view is moved, and how each view is drawn.

use crate::op::Op;
use crate::rules::between;
use rord_lang::constant::{Constant, Unit};
use rord_lang::report::numbers;
use rord_lang::vocabulary::{Entry, LintFacts};

use super::{limits, range_of};

/// Every one of them.
pub static RECIPES: &[Op] = &[
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
One of the 8 symmetries of the square, with equal chance: the turns by 0°, 90°, 180° and 270°, and their mirrors. The
second view is a permutation of the first one's pixels, so the pair is exact.

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
            rule: |a| {
                range_of(a, "degrees", Some(Unit::Deg), f64::NEG_INFINITY);
                limits(a, "degrees", -36_000.0, 36_000.0);
            },
            timed: &["degrees"],
            manual: "\
A turn about the middle of the patch by an angle from the range; with `mirror`, half of the views are mirrored first.
The second view is read from the layout itself, so its corners show what lies there and nothing is interpolated twice.

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
A random affine move about the middle of the patch: stretched along x and y by factors from `stretch`, sheared along x
by a number from `shear`, turned by an angle from `degrees`, and with `mirror` mirrored in half of the pairs.

```rord
data pairs = layout_pairs(synth(), geometry = affine(stretch = 0.9..1.1, shear = -0.1..0.1))
```
",
            timed: &["degrees", "stretch", "shear"],
            rule: |a| {
                range_of(a, "degrees", Some(Unit::Deg), f64::NEG_INFINITY);
                limits(a, "degrees", -36_000.0, 36_000.0);
                limits(a, "stretch", 0.1, 10.0);
                limits(a, "shear", -5.0, 5.0);
                if let Some((low, _)) = a.arg("stretch").and_then(|x| x.constant.as_ref()).and_then(Constant::range)
                    && low <= 0.0
                {
                    let span = a.arg("stretch").map_or(a.span, |x| x.span);
                    let help = "as in 0.8..1.25";
                    a.reports.push(numbers::rule(span, "a stretch must be positive", "reaches 0 or below", help));
                }
            },
            ..Entry::PLAIN
        },
    ),
    Op::recipe(
        "perspective",
        Entry {
            signature: "perspective(corners: Weight = 0.2, degrees: Range = -45deg..45deg, scale: Range = 0.8..1.25, \
                        shift: Weight = 0, mirror: Flag = false) -> Symmetry",
            manual: "\
A random homography: each corner of the patch moves on its own by up to `corners` of the patch's side along each axis, then
all of it is scaled by a factor from `scale`, turned by an angle from `degrees`, moved by up to `shift` of its side along
each axis, and with `mirror` mirrored in half of the pairs. H is exact.

Corners that would turn the patch inside out, or tilt it by more than 4 to 1, move less. The second view is read from the
layout itself, so no part of it is empty; what it shows smaller is averaged as much as it shrinks there.

Source: DeTone, Malisiewicz and Rabinovich, \"Deep Image Homography Estimation\" (2016), whose corners move by 0.25; scale
and turn are drawn behind that as in SuperPoint (2018), which takes 0.8..1.2 and -90deg..90deg.

```rord
data pairs = layout_pairs(synth(), geometry = perspective(corners = 0.25, degrees = -30deg..30deg))
```
",
            timed: &["corners", "degrees", "scale", "shift"],
            rule: |a| {
                limits(a, "corners", 0.0, 0.49);
                range_of(a, "degrees", Some(Unit::Deg), f64::NEG_INFINITY);
                limits(a, "degrees", -36_000.0, 36_000.0);
                range_of(a, "scale", None, f64::NEG_INFINITY);
                limits(a, "scale", 0.1, 10.0);
                limits(a, "shift", 0.0, 2.0);
            },
            ..Entry::PLAIN
        },
    ),
    Op::recipe(
        "brightness",
        Entry {
            signature: "brightness(by: Range) -> Augment",
            rule: |a| {
                range_of(a, "by", None, 0.0);
                limits(a, "by", 0.0, 100.0);
            },
            timed: &["by"],
            manual: "\
Multiplies all values by a number from the range; then values are cut to [0, 1].

```rord
data pairs = layout_pairs(synth(), photo = [brightness(0.8..1.2)])
```
",
            ..Entry::PLAIN
        },
    ),
    Op::recipe(
        "contrast",
        Entry {
            signature: "contrast(by: Range) -> Augment",
            rule: |a| {
                range_of(a, "by", None, 0.0);
                limits(a, "by", 0.0, 100.0);
            },
            timed: &["by"],
            manual: "\
Multiplies the distance of all values from the image's mean by a number from the range.

```rord
data pairs = layout_pairs(synth(), photo = [contrast(0.8..1.2)])
```
",
            ..Entry::PLAIN
        },
    ),
    Op::recipe(
        "noise",
        Entry {
            signature: "noise(sigma: Weight) -> Augment",
            rule: |a| limits(a, "sigma", 0.0, 10.0),
            timed: &["sigma"],
            manual: "\
Adds normal noise of this deviation to every pixel; pixels range over [0, 1].

```rord
data pairs = layout_pairs(synth(), photo = [noise(0.02)])
```
",
            ..Entry::PLAIN
        },
    ),
    Op::recipe(
        "blur",
        Entry {
            signature: "blur(sigma: Range) -> Augment",
            rule: |a| {
                range_of(a, "sigma", None, 0.0);
                limits(a, "sigma", 0.0, 100.0);
            },
            timed: &["sigma"],
            manual: "\
Blurs with a Gaussian whose deviation, in pixels, comes from the range.

```rord
data pairs = layout_pairs(synth(), photo = [blur(0..1.5)])
```
",
            ..Entry::PLAIN
        },
    ),
    Op::recipe(
        "gamma",
        Entry {
            signature: "gamma(by: Range) -> Augment",
            rule: |a| {
                range_of(a, "by", None, 0.0);
                limits(a, "by", 0.01, 100.0);
            },
            timed: &["by"],
            manual: "\
Raises all values to a power from the range.

```rord
data pairs = layout_pairs(synth(), photo = [gamma(0.7..1.4)])
```
",
            ..Entry::PLAIN
        },
    ),
    Op::recipe(
        "layers",
        Entry {
            signature: "layers(weights: Range = 0.2..1, drop: Weight = 0, etch: Range = 0px..0px, \
                        invert: Weight = 0, differ: Weight = 1, together: Weight = 0, single: Weight = 0) -> Render",
            manual: "\
Draws each view on its own, as different microscopes would: every layer's grey value comes from `weights`, a layer is
missing with probability `drop`, edges move outwards by a length from `etch`, and the view is inverted with probability
`invert`. In a share `differ` of the pairs the two views are drawn each on its own; in the others both are drawn as the first.

Each layer's edges move by a length of their own; with probability `together` all of a view move by one length, as when a
whole process prints too thin. With probability `single` a view shows one layer alone, one that the other view shows too.

```rord
data pairs = layout_pairs(synth(), render = layers(drop = 0.1, etch = -1px..1px))
```
",
            timed: &["weights", "drop", "etch", "invert", "differ", "together", "single"],
            rule: |a| {
                range_of(a, "weights", None, 0.0);
                limits(a, "weights", 0.0, 1.0);
                limits(a, "etch", -32.0, 32.0);
                range_of(a, "etch", Some(Unit::Px), f64::NEG_INFINITY);
                between(a, "drop", 0.0, 1.0, true);
                between(a, "invert", 0.0, 1.0, false);
                for name in ["differ", "together", "single"] {
                    between(a, name, 0.0, 1.0, false);
                }
            },
            ..Entry::PLAIN
        },
    ),
];
