//! What words of the language are about: items, lints and kinds. Editors show it at a word, `rord-run explain loss`
//! prints it.

use super::report::{lints, pages};
use super::sections;
use super::types::Kind;

/// The words that items of a file begin with: what each is for, and three lines with it.
pub const ITEMS: [(&str, &str, &str); 17] = [
    ("pipeline", "the run's name, and what it is for", "pipeline \"corners\" \"finds the corners of drawn layouts\"\n"),
    (
        "import",
        "functions, layers and models from another file",
        "import \"lib/blocks.rord\" { down, up }\nlayer both(x: Map[B, C, H, W]@f, width: Count) -> Map[B, width, H, W]@f = x |> down(width) |> up(width)\n",
    ),
    (
        "param",
        "what may be changed from outside",
        "param lr: Rate = 1e-3 in (0, 1) \"the initial learning rate\"\npreset slow { lr = 1e-4 }\ntrain { optimizer = adam(lr) }\n",
    ),
    ("preset", "named values for parameters", "param batch: Count = 8\npreset smoke { batch = 2 }\ntrain { batch }\n"),
    (
        "sweep",
        "a grid of values for parameters",
        "param lr: Rate = 1e-3\nsweep rates { lr = [1e-3, 1e-4] }\ntrain { optimizer = adam(lr) }\n",
    ),
    (
        "input",
        "a tensor that a caller supplies",
        "input a: Prob[B, 1, H, W]@view\ninput b: Prob[B, 1, H, W]@view\nmetric overlap = mean(a * b)\n",
    ),
    (
        "data",
        "where tensors come from",
        "data pairs = layout_pairs(synth(), patch = 64px) -> {\n  image: Image[B, 1, H, W]@orig,\n}\n",
    ),
    (
        "model",
        "a network: weights live here",
        "model net(x: Image[B, 1, H, W]@f) {\n  out det: Prob[B, 1, H, W]@f = x |> conv(1, 3) |> sigmoid\n}\n",
    ),
    (
        "layer",
        "a function that may make weights",
        "layer block(x: Map[B, C, H, W]@f, width: Count) -> Feat[B, width, H, W]@f =\n  x |> conv(width, 3) |> group_norm(4) |> relu\n",
    ),
    (
        "fn",
        "a function",
        "fn difference(a: Prob[B, 1, H, W]@f, b: Prob[B, 1, H, W]@f) -> Loss =\n  mean(square(a - b))\nloss same = difference(det, truth)\n",
    ),
    (
        "let",
        "a name for a value",
        "let { det, desc } = net(image)\nlet back          = inv(H)\nlet moved_back    = warp(det_r, back)\n",
    ),
    (
        "loss",
        "a number that is reported in every step",
        "loss where     = bce(det, truth)\nloss what      = triplet(grid(200), hardneg(apart = 8px))\nminimize total = where + 0.5 * what\n",
    ),
    (
        "metric",
        "a number that is reported in validation",
        "loss where    = bce(det, truth)\nmetric far    = mean(square(det - truth))\nminimize what = where\n",
    ),
    (
        "minimize",
        "what is made small",
        "loss a         = bce(det, truth)\nloss b         = mean(det)\nminimize total = a + 0.1 * b\n",
    ),
    ("train", "how it is trained", "train { optimizer = adam(1e-3), batch = 8, epochs = 20 }\n"),
    ("save", "which weights are kept", "minimize total = where + what\nsave { best = val.total, last = true }\n"),
    (
        "export",
        "what is written beside the weights",
        "minimize total = where\nsave   { best = val.total }\nexport {}\n",
    ),
];

/// What lints look for.
pub const LINTS: [(&str, &str); 10] = [
    ("apart", "negatives that are often the positive itself"),
    ("itself", "a comparison of a value with itself"),
    ("margin", "a margin that no distance can reach"),
    ("no_gradient", "a term of what is minimized that has no gradient"),
    ("padding", "pixels from outside of a view, compared as if they were seen"),
    ("schedule", "a rate, a duration or a patience that does not fit the run"),
    ("unanchored", "a loss that is smallest when the network says the same everywhere"),
    ("uneven", "right pairs that are read between cells, against others that are cells"),
    ("unminimized", "a loss that is no part of what is minimized"),
    ("unused", "a name that nothing uses"),
];

/// Words and marks within items: what each is for, and lines with it.
pub const WORDS: [(&[&str], &str, &str); 40] = [
    (
        &["out"],
        "what a model returns, by name, or what a function with names of its own computes",
        "model net(x: Image[B, 1, H, W]@f) { out det: Prob[B, 1, H, W]@f = x |> conv(1, 3) |> sigmoid }\nlet { det } = net(image)\n",
    ),
    (
        &["|>", "chain", "pipe"],
        "hands a value to a call as its first argument: `x |> conv(16, 3) |> relu` is `relu(conv(x, 16, 3))`",
        "let scores = image |> avg_pool(2) |> standardize\n",
    ),
    (
        &["@", "frame", "frames"],
        "the view that a map lives in. Maps of different frames do not meet: `warp` moves one into the other's. In a signature a frame is a name for whatever comes in. Before an item, `@` begins an attribute: `@allow(…)`, `@frozen(…)`",
        "input a: Prob[B, 1, H, W]@orig\ninput b: Prob[B, 1, H, W]@moved\ninput H: Homography[B]@orig->moved\nloss same = l1(a, warp(b, inv(H)))\n",
    ),
    (
        &["->"],
        "before the type of what a function computes, the fields of a dataset, and the frame to which a homography leads",
        "input H: Homography[B]@orig->moved\nfn area(x: Prob[B, 1, H, W]@f) -> Loss = sum(x)\n",
    ),
    (
        &["..", "range"],
        "a range, with one unit on both ends",
        "data pairs = layout_pairs(synth(), patch = 64px, zoom = 0.8..1.2, geometry = rotations(0deg..90deg))\n",
    ),
    (
        &["px", "pixels"],
        "a length in pixels of the image that declares the frame, however small the map is in which it is used. It is glued to its number",
        "loss what = triplet(grid(200), hardneg(apart = 8px))\n",
    ),
    (
        &["deg", "degrees"],
        "an angle, glued to its number",
        "data pairs = layout_pairs(synth(), patch = 64px, geometry = rotations(0deg..360deg))\n",
    ),
    (
        &["epochs", "epoch"],
        "a duration in passes over the data, glued to its number. `epochs` of `train` is a plain number",
        "train { optimizer = adam(lr = 1e-3), schedule = step(every = 5epochs), epochs = 20 }\n",
    ),
    (
        &["steps", "step of training"],
        "a duration in steps of the optimizer, glued to its number",
        "train { optimizer = adam(lr = 1e-3), schedule = cosine(warmup = 100steps) }\n",
    ),
    (&["min", "minutes"], "a duration by the clock, glued to its number", "save { state = every(5min) }\n"),
    (
        &["val", "val.total"],
        "the numbers of validation, by name: `val.total` is the mean of `total` over the data that is not trained on. They can be watched and saved by; `train.total` is the same of training",
        "minimize total = where\ntrain { optimizer = adam(lr = 1e-3), schedule = reduce_on_plateau(watch = val.total) }\nsave { best = val.total }\n",
    ),
    (
        &["unit"],
        "every vector has length 1: what `l2norm` gives, and what some losses ask for",
        "input desc: Desc unit[B, 128, H, W]@f\n",
    ),
    (
        &["mask"],
        "an argument that says which cells count, by their weight in 0 to 1; one channel weighs all",
        "let seen = inside(inv(H), like = det)\nloss same = l1(det, warp(det_r, inv(H)), mask = seen)\n",
    ),
    (
        &["as"],
        "another name for a field that is taken",
        "let { det } = net(image)\nlet { det as det_r } = net(image_r)\n",
    ),
    (
        &["in", "domain"],
        "the values that a parameter may take",
        "param lr: Rate = 1e-3 in (0, 1)\nparam size: Count = 9 in {9, 17}\n",
    ),
    (
        &["if", "then", "else"],
        "a choice between two formulas by what is known before the run. Between values of a map chooses a mask: `m * a + (1 - m) * b`",
        "param smooth: Flag = true\nloss l = if smooth then smoothl1(a, b) else l1(a, b)\n",
    ),
    (
        &["none"],
        "leaves an argument out, where that is possible",
        "loss cells = mean(bce(truth, det, reduce = none))\n",
    ),
    (&["true", "false"], "a flag", "param balanced: Flag = true\n"),
    (&["rord", "version"], "the version of the language that a file is written in, in its first line", "rord 1\n"),
    (&["_"], "a size that may be any", "fn level(x: Map[B, _, H, W]@f) -> Loss = mean(x)\n"),
    (
        &["#", "##", "comment"],
        "`#` begins a comment, which ends with its line; `##` before an item documents it",
        "## How far apart.\nloss far = l1(a, b)  # in both views\n",
    ),
    (
        &["allow", "@allow"],
        "keeps what a lint finds, with the reason",
        "@allow(unanchored, \"as published\")\nloss same = l1(det, moved)\n",
    ),
    (
        &["frozen", "@frozen"],
        "a model whose weights do not train",
        "@frozen(weights = \"runs/teacher/best.safetensors\")\nmodel teacher(x: Image[B, 1, H, W]@f) { out det: Prob[B, 1, H, W]@f = x |> conv(1, 3) |> sigmoid }\n",
    ),
    (
        &["ema", "@ema"],
        "a model whose weights are the running average of another's, which has the same parts",
        "model net(x: Image[B, 1, H, W]@f) { out det: Prob[B, 1, H, W]@f = x |> conv(1, 3) |> sigmoid }\n@ema(of = net, decay = 0.99)\nmodel slow(x: Image[B, 1, H, W]@f) { out det: Prob[B, 1, H, W]@f = x |> conv(1, 3) |> sigmoid }\n",
    ),
    (
        &["weight"],
        "in a model, a tensor that is learned, with what it begins with",
        "model net(x: Feat[B, 8, H, W]@f) {\n  weight scale: Scalar = 1.0\n  out y: Feat[B, 8, H, W]@f = scale * x\n}\n",
    ),
    (
        &["of"],
        "the models that an objective trains, where there are several objectives",
        "minimize total of net = where\nminimize rival of critic = told_apart\n",
    ),
    (
        &["under"],
        "in a part, where the layers of a file of weights lie",
        "train { optimizer = adam(1e-3), part net.trunk { init = \"vgg16.pth\" under \"features\" } }\n",
    ),
    (
        &["x", "times"],
        "so many times what it would be otherwise, glued to its number",
        "train { optimizer = adam(1e-3), part net.trunk { lr = 0.1x } }\n",
    ),
    (
        &["batch", "item", "turn", "channel", "row", "column", "place", "axis", "axes"],
        "an axis by its name, before its size in a type and in arguments such as `over` and `per`; `place` is row and column together. A kind knows the names of its axes, so that they are seldom written",
        "input x: Feat[batch B, channel C, row H, column W]@f\nlet brightest = max(x, over = channel)\n",
    ),
    (
        &["="],
        "gives a name its formula, an argument or a setting its value",
        "let seen = inside(inv(H), like = det)\ntrain { batch = 8 }\n",
    ),
    (
        &[":"],
        "before a type: of a field, a parameter, an argument, and of a value where you want it checked",
        "param lr: Rate = 1e-3\nlet back: Homography[B]@moved->orig = inv(H)\n",
    ),
    (
        &["."],
        "one of several values, and the decimal point",
        "let both = net(image)\nloss small = 0.5 * mean(both.det)\n",
    ),
    (&[","], "between arguments, axes and fields; one at the end of a list may stay", "loss l = huber(a, b,)\n"),
    (
        &["(", ")", "()", "parentheses"],
        "arguments of a call, what is computed first, and an end of a domain that is not part of it",
        "param lr: Rate = 1e-3 in (0, 1]\nlet y = (a + b) * f(c)\n",
    ),
    (
        &["[", "]", "[]", "brackets"],
        "axes of a type, a list, and an end of a domain that is part of it",
        "param lr: Rate = 1e-3 in [1e-5, 1)\ninput a: Feat[B, 8, H, W]@f\nsweep rates { lr = [1e-3, 1e-4] }\n",
    ),
    (
        &["{", "}", "{}", "braces"],
        "what belongs to an item, names that are taken out of a value, and the only values of a parameter",
        "param size: Count = 9 in {9, 17}\nlet { det, desc } = net(image)\nsave { last = true }\n",
    ),
    (
        &["+", "-", "*", "/", "arithmetic"],
        "arithmetic, number by number. Axes meet by their names, one that only one of them has is spread over the other, and frames have to be the same. `*` and `/` come before `+` and `-`",
        "loss total = where + 0.5 * what\nlet centered = 2 * det - 1\n",
    ),
    (
        &["<", ">", "<=", ">=", "==", "comparison"],
        "compares: of numbers that are known before the run for `if`, of values 1 where it holds and 0 elsewhere, without a gradient",
        "let strong = det > 0.5\nlet y = if size == 9 then a else b\n",
    ),
    (
        &["\"", "string", "text"],
        "a text: paths, names, descriptions. Within it `\\\"` is a quotation mark, `\\\\` a backslash, `\\n` a new line",
        "pipeline \"corners\" \"finds the corners of drawn layouts\"\n",
    ),
    (
        &["number", "numbers"],
        "a number: `3`, `0.5`, `1e-3`. A unit is glued to it: `px`, `deg`, `epochs`, `steps`, `min`, `x`",
        "param lr: Rate = 1e-3\ndata pairs = layout_pairs(synth(), patch = 64px)\n",
    ),
];

/// A word or a mark within items, in Markdown.
pub fn word(name: &str) -> Option<String> {
    let (_, about, example) = WORDS.iter().find(|(words, ..)| words.contains(&name))?;
    Some(format!("**{name}**: {about}\n\n```rord\n{example}```"))
}

/// An item's word: a sentence and lines with it, in Markdown.
pub fn item(name: &str) -> Option<String> {
    let (word, about, example) = ITEMS.iter().find(|(word, ..)| *word == name)?;
    Some(format!("**{word}**: {about}\n\n```rord\n{example}```{}", fields(name)))
}

/// A part of `train`: what it is and its fields, in Markdown.
pub fn part(name: &str) -> Option<String> {
    let about = "weights that are trained in a way of their own: those of a model, `net`, of what is in it, `net.trunk`, or `norms` and `biases`";
    let example = "train { optimizer = adam(1e-3), part net.trunk { lr = 0.1x, frozen = 5epochs } }\n";
    (name == "part").then(|| format!("**part**: {about}\n\n```rord\n{example}```{}", fields(name)))
}

/// The fields of a section, each with its kinds and what it is for.
fn fields(name: &str) -> String {
    let all: &[sections::Field] = sections::section(name).map_or(&[], |s| s.fields);
    let one = |f: &sections::Field| {
        let default = f.default.constant().map(|c| format!(" = {c}")).unwrap_or_default();
        format!("\n* `{}: {}{default}`: {}", f.name, f.kinds(), f.about)
    };
    let listed: String = all.iter().map(one).collect();
    if listed.is_empty() { listed } else { format!("\n{listed}") }
}

/// A lint: what it looks for, how it is allowed, and the page of its report, in Markdown.
pub fn lint(name: &str) -> Option<String> {
    let (lint, what) = LINTS.iter().find(|(lint, _)| *lint == name)?;
    let page = lints::code_of(lint).and_then(pages::page).map(|page| format!("\n\n{}", page.trim_end()));
    let allowed = format!("`@allow({lint}, \"why\")` before an item silences it.");
    Some(format!("lint **{lint}**: {what}\n\n{allowed}{}", page.unwrap_or_default()))
}

/// A kind: what it holds, its place among kinds, and its axes, in Markdown.
pub fn kind(name: &str) -> Option<String> {
    let kind = Kind::named(name)?;
    let others = || Kind::names().filter_map(Kind::named).filter(|k| *k != kind);
    let listed = |kinds: Vec<Kind>| kinds.iter().map(|k| format!("`{}`", k.name())).collect::<Vec<_>>().join(", a ");
    let above = listed(others().filter(|k| kind.is(*k)).collect());
    let below = listed(others().filter(|k| k.above() == Some(kind)).collect()).replace(", a ", ", ");
    let is = if above.is_empty() { String::new() } else { format!("\n\nEvery `{name}` is a {above}.") };
    let holds = if below.is_empty() { String::new() } else { format!("\n\nKinds of it: {below}.") };
    let axes = match kind.usual_axes() {
        "" => String::new(),
        axes => format!("\n\nIts axes: {axes}."),
    };
    Some(format!("**{name}**: {}{is}{holds}{axes}", kind.holds()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;
    use crate::format::format;
    use crate::source::FileId;

    #[test]
    fn every_item_is_described_and_its_lines_are_laid_out() {
        let described: Vec<&str> = ITEMS.iter().map(|(word, ..)| *word).collect();
        assert_eq!(described, crate::lex::ITEMS);
        for (word, _, example) in ITEMS {
            let lines = format(example, FileId(0)).unwrap_or_else(|e| panic!("{word}: {e:?}"));
            assert_eq!(lines, example, "{word}");
            assert!(example.lines().any(|l| l.starts_with(word)) && example.lines().count() <= 3, "{word}");
        }
    }

    #[test]
    fn words_and_marks_are_described_with_lines_that_parse() {
        for (words, about, example) in WORDS {
            let (_, reports) = crate::parse::parse(example, FileId(0));
            assert!(reports.is_empty(), "{words:?}: {reports:?}");
            assert_eq!(about.trim_end_matches('.'), about, "{words:?}");
            for name in words {
                assert!(word(name).unwrap().contains(about), "{name}");
            }
        }
        let mut names: Vec<&str> = WORDS.iter().flat_map(|(words, ..)| *words).copied().collect();
        names.sort_unstable();
        assert!(
            names.windows(2).all(|pair| pair[0] != pair[1]) && names.iter().all(|n| item(n).is_none()),
            "{names:?}"
        );
    }

    #[test]
    fn every_lint_is_described_and_has_a_report() {
        assert_eq!(LINTS.map(|(lint, _)| lint), crate::check::LINTS);
        for (lint, _) in LINTS {
            assert!(super::lint(lint).unwrap().contains("\n\n# R0"), "{lint}");
        }
    }
}
