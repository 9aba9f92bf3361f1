//! Where layouts and pictures come from: generated, or from files.

use crate::op::Op;
use crate::rules::positive;
use rord_lang::constant::Constant;
use rord_lang::report::numbers;
use rord_lang::vocabulary::{Application, Entry};

use super::limits;

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
            signature: "gds(files: Paths, layers: List = [], resolution: Rate = 10, top: Text = none, \
                        names: Path = none, window: List = [], unfit: Word = refuse, \
                        validation: Paths = []) -> Layouts",
            manual: "\
Layouts from GDSII and OASIS files, plain or compressed with gzip.

`files` is a file, a folder, a pattern such as \"tiles/*.gds.gz\", or a list of these, relative to the folder in which
rord-run is started; `~` is the home folder, and `{a,b}` stands for a and b. A file that several of them lead to is read
once. `validation` names files of their own to validate on; then all others are trained on, whatever `train` is.


* `layers`: what is drawn, bottom to top: \"68/20\", \"68/*\", \"1-5/0\", names such as \"met1\" where `names` is given or
  an OASIS file names its layers; with a `-` in front, what is not. Without it all layers are drawn but those that
  cover 95 % of the area and more while there are others: they would hide these.
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
                paths(a, "files", 1);
                paths(a, "validation", 0);
            },
            ..Entry::PLAIN
        },
    ),
    Op::recipe(
        "images",
        Entry {
            signature: "images(files: Paths, validation: Paths = [], range: Range = none, resize: Rate = 1, \
                        unfit: Word = refuse) -> Layouts",
            manual: "\
Pictures from PNG, JPEG, TIFF, WebP, BMP, PPM, PGM and PBM files.

`files`, `validation` and `unfit` are as in `gds`. Colors become grey by Rec. 709 luma, and a CMYK picture's inks colors; what is
transparent is drawn over black; a camera's note (EXIF) of how it was held is followed. Each page of a TIFF file is a
picture. Eight bits stay eight, and sixteen stay sixteen.

`range = a..b` makes the stored values a to b 0 to 1, and cuts off what lies beyond: 0..4095 for twelve bits in a file of
sixteen. Without it the whole range of the file's type is 0 to 1, and floating-point numbers beyond 0 to 1 are stretched
from the least to the greatest of the picture. `resize` is how many pixels a pixel of the file becomes along an axis.

```rord
param layouts: Layouts = images([\"chips/*.png\", \"scans\"], range = 0..4095, resize = 0.5)
```
",
            words: &[("unfit", &["refuse", "skip"])],
            rule: |a| {
                paths(a, "files", 1);
                paths(a, "validation", 0);
                limits(a, "resize", 0.01, 16.0);
                value_range(a);
            },
            ..Entry::PLAIN
        },
    ),
];

/// A range of stored values leads upwards.
pub fn value_range(a: &mut Application<'_>) {
    if let Some((low, high)) = a.arg("range").and_then(|x| x.constant.as_ref()).and_then(Constant::range)
        && low >= high
    {
        let span = a.arg("range").map_or(a.span, |x| x.span);
        let title = "a range leads from a value to a higher one";
        a.reports.push(numbers::rule(span, title, "its ends are not in this order", "as in  range = 0..4095"));
    }
}

/// A list of paths holds `least` at least.
pub fn paths(a: &mut Application<'_>, name: &str, least: usize) {
    if let Some(arg) = a.arg(name)
        && let Some(Constant::List(items)) = &arg.constant
        && items.len() < least
    {
        let title = format!("`{name}` names no file");
        a.reports.push(numbers::rule(arg.span, &title, "an empty list", "as in  [\"a\", \"b/*\"]"));
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

/// How files end that have no names of layers.
const NAMELESS: [&str; 5] = [".gds", ".gds.gz", ".gds2", ".gdsii", ".gdsii.gz"];

fn layer_names(a: &mut Application<'_>) {
    let Some(Constant::List(items)) = a.arg("layers").and_then(|x| x.constant.as_ref()) else { return };
    // Names are known when their file is read.
    let named = a.arg("names").and_then(|x| x.constant.as_ref()).is_some_and(|c| *c != Constant::None);
    // OASIS files may name their layers; GDSII has no names.
    let texts = |name: &str| match a.arg(name).and_then(|x| x.constant.as_ref()) {
        Some(Constant::Text(text)) => Some(vec![text.clone()]),
        Some(Constant::List(list)) => {
            list.iter().map(|c| if let Constant::Text(text) = c { Some(text.clone()) } else { None }).collect()
        }
        _ => None,
    };
    let nameless = texts("files").zip(texts("validation")).is_some_and(|(files, more)| {
        files.iter().chain(&more).all(|text| NAMELESS.iter().any(|ending| text.to_lowercase().ends_with(ending)))
    });
    let known = |text: &str| {
        let bare = text.trim().trim_start_matches('-');
        named || rord_data::gds::is_layer(text) || (!nameless && rord_data::gds::may_be_name(bare))
    };
    let wrong = items.iter().find(|i| !matches!(i, Constant::Text(t) if known(t)));
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
