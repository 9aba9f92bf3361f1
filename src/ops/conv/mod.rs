//! `conv`: a layer of filters, as `torch.nn.Conv2d`: `x |> conv(32, 3)`.

pub(crate) mod compute;
mod device;
mod fields;
mod normed;

pub(crate) use compute::arguments;
pub(crate) use fields::turns;

use crate::op::Op;
use crate::rules::{even_windows, positive};
use rord_lang::dim::Dim;
use rord_lang::report::shapes;
use rord_lang::vocabulary::{Application, Entry, FilterNames, GraphFacts, Products, ReadsThrough, Shapes, TakesIn};

/// The operation.
pub static OP: Op = Op {
    name: "conv",
    entry: Entry {
        signature: "conv(x: Map[B, C, H, W]@f, width: Count, kernel: Count, stride: Count = 1, pad: Count = same, \
                    dilation: Count = 1, groups: Count = 1, bias: Flag = true, symmetry: Word = none) \
                    -> Feat[B, _, _, _]@f",
        manual: MANUAL,
        rule,
        words: &[("pad", &["same"]), ("symmetry", &["none", "c4", "d4"])],
        fields: true,
        graph: GraphFacts {
            per_sample: true,
            rounds: true,
            filters: Some(FilterNames { weight: "weight", bias: "bias" }),
            takes_in: &[
                TakesIn { so_far: None, op: "relu", settings: &[], then: "relu" },
                TakesIn {
                    so_far: Some("relu"),
                    op: "max_pool",
                    settings: &[("k", 2.0), ("stride", 2.0), ("pad", 0.0)],
                    then: "relu_pool",
                },
            ],
            reads_through: Some(ReadsThrough {
                op: "batch_norm",
                input: "x",
                of: "x",
                names: normed::NAMES,
                settings: &["eps", "momentum"],
                word: normed::WORD,
                pays: normed::pays,
            }),
            products: Some(Products { count: products, of: &["x", "weight"] }),
            ..GraphFacts::NONE
        },
        ..Entry::PLAIN
    },
    compute: Some(&fields::Symmetric),
    samples: compute::samples,
};

const MANUAL: &str = "\
A layer of filters slid over a map, with weights of its own.

    y[b, o, p, q] = bias[o] + Σ_{c,i,j} weight[o, c, i, j] · x[b, c, p·stride + i·dilation - pad,
                                                                  q·stride + j·dilation - pad]

`x` is (B, C, H, W) and is 0 outside; `weight` is (width, C/groups, kernel, kernel), `bias` is (width); the result is
(B, width, H', W') with H' = ⌊(H + 2·pad - dilation·(kernel - 1) - 1)/stride⌋ + 1. It is a cross-correlation: the kernel
is not turned.

* `kernel`, `stride`, `pad` and `dilation` count cells. `pad = same` is dilation·(kernel - 1)/2 on every side and keeps
  the size at stride 1; an even kernel has no such middle and must give `pad`.
* `groups` splits the channels of both sides into blocks that do not mix.
* `bias = false` leaves the bias out.

* `symmetry = d4` slides every filter in all 8 symmetries of the square, `c4` in its 4 quarter turns: the result is a field
  (B, T, width, H', W') with T = 8 or 4. When the picture turns, the field turns with it and exchanges its turns.
* `x` may be a field (B, T, C, H, W). Then a filter looks at all turns, `weight` is (width, T, C, kernel, kernel), and its form
  for turn t is moved by t and reads turn t·s where the filter reads turn s. The symmetry is the field's own and need not be
  said again. [Networks that know how they turn](../../guide/fields.md) has more.

Errors: a kernel larger than the padded map; channels that `groups` does not divide; `pad = same` with an even kernel. Of fields:
another symmetry than the field's; `groups`; windows that do not lie evenly, as with an odd kernel at stride 2 on an even size.

Source: `torch.nn.Conv2d(C, width, kernel, stride, pad, dilation, groups, bias)`; Cohen and Welling, Group Equivariant
Convolutional Networks, 2016.

```rord
model net(x: Image[B, 1, H, W]@f) {
  out y = x |> conv(32, 3) |> relu |> conv(64, 3, stride = 2)
}
```
";

/// Sizes as torch's; a stride is owed to divide what has a name.
fn rule(a: &mut Application<'_>) {
    let mut sound = true;
    for name in ["width", "kernel", "stride", "dilation", "groups"] {
        sound &= positive(a, name);
    }
    if !sound {
        return;
    }
    let (kernel, stride) = (a.count("kernel"), a.count("stride"));
    let (dilation, groups) = (a.count("dilation"), a.count("groups"));
    let same = a.word("pad") == Some("same");
    let pad = if same { kernel.zip(dilation).map(|(k, d)| d.saturating_mul(k - 1) / 2) } else { a.count("pad") };
    if same && kernel.is_some_and(|k| k % 2 == 0) {
        let span = a.arg("kernel").map_or(a.span, |x| x.span);
        let report = shapes::rule(
            span,
            "an even kernel has no middle, so `pad = same` cannot be",
            "even",
            "give the padding, as in  conv(32, 4, pad = 1)",
        );
        a.reports.push(report);
        return;
    }
    let Some(sources) = symmetric(a, groups) else { return };
    if let (Some(k), Some(s), Some(p), Some(d)) = (kernel, stride, pad, dilation)
        && !even_windows(a, (k, s, p, d), EVEN)
    {
        return;
    }
    let width = a.size("width");
    a.set_dim(1, width.clone());
    let dims = a.dims("x");
    for axis in [2, 3] {
        let Some(dim) = dims.get(axis) else { continue };
        let size = match (kernel, stride, pad, dilation) {
            (Some(k), Some(s), Some(p), Some(d)) => extent(a, dim, (k, s, p, d), same),
            _ => None,
        };
        let size = size.unwrap_or_else(|| (a.unknown)("?"));
        if a.reports.is_empty() && size.as_number().is_some_and(|n| n < 1) {
            let report = shapes::rule(
                a.span,
                "this kernel is larger than its map",
                &format!(
                    "the map is {} × {} here",
                    dims.get(2).map_or("?".into(), Dim::to_string),
                    dims.get(3).map_or("?".into(), Dim::to_string)
                ),
                "pad more, or pool less before",
            );
            a.reports.push(report);
        }
        a.set_dim(axis, size);
    }
    let Some(channels) = dims.get(1).cloned() else { return };
    let (Some(groups), Some(kernel)) = (groups, kernel) else {
        return;
    };
    let split = |d: &Dim| a.known(d).is_none_or(|n| n % groups == 0);
    if !split(&channels) || !split(&width) {
        let span = a.arg("groups").map_or(a.span, |x| x.span);
        let label = format!("{channels} channels in, {width} out, {groups} groups");
        a.reports.push(shapes::rule(span, "`groups` must divide both widths", &label, "choose a common divisor"));
        return;
    }
    let depth = a.known(&channels).map_or(channels.clone(), |n| Dim::number(n / groups));
    let k = Dim::number(kernel);
    let shape: Vec<Dim> = [width.clone()].into_iter().chain(sources).chain([depth, k.clone(), k]).collect();
    let initial = a.fan_in(&shape);
    a.weight("weight", &shape, initial);
    if a.is_true("bias") {
        a.weight("bias", &[width], initial);
    }
}

/// What to do about a stride that leaves cells over.
const EVEN: &str = "of an even size, let an even kernel stride:  conv(32, 4, stride = 2, pad = 1);  or pool:  conv(32, 3) |> avg_pool(2)";

/// The turns of the field that the filters look at: `Some(None)` of a plain map, `None` where something is wrong. Gives the
/// result its turns.
fn symmetric(a: &mut Application<'_>, groups: Option<i64>) -> Option<Option<Dim>> {
    let asked = a.word("symmetry").and_then(fields::turns).and_then(|n| i64::try_from(n).ok());
    let of = a.turns.clone();
    if of.is_none() && asked.is_none() {
        return Some(None);
    }
    if let (Some(asked), Some(turns)) = (asked, of.as_ref().and_then(Dim::as_number))
        && asked != turns
    {
        let span = a.arg("symmetry").map_or(a.span, |x| x.span);
        let label = format!("{asked} turns, and the field has {turns}");
        let help = "leave `symmetry` out: it is the field's own";
        a.reports.push(shapes::rule(span, "this symmetry is not that of its field", &label, help));
        return None;
    }
    if groups.is_some_and(|n| n != 1) {
        let span = a.arg("groups").map_or(a.span, |x| x.span);
        let help = "leave `groups` out, or make a map of the field first:  turns_to_channel(…)";
        a.reports.push(shapes::rule(span, "a convolution with a symmetry has no groups", "of a field", help));
        return None;
    }
    if of.is_none() {
        a.turns = asked.map(Dim::number);
    }
    Some(of)
}

/// ⌊(n + 2·pad - dilation·(kernel - 1) - 1)/stride⌋ + 1 of kernel, stride, padding and dilation.
pub(crate) fn extent(a: &mut Application<'_>, n: &Dim, (k, s, p, d): (i64, i64, i64, i64), same: bool) -> Option<Dim> {
    let grown = p.checked_mul(2)?.checked_sub(d.checked_mul(k - 1)?)?.checked_sub(1)?;
    let reach = n.add(&Dim::number(grown))?;
    if s == 1 {
        return reach.add(&Dim::number(1));
    }
    if let Some(reach) = reach.as_number() {
        return Some(Dim::number(reach.div_euclid(s) + 1));
    }
    if same {
        // The middle of an odd kernel lies on every s-th cell: as many as s goes into n, where it does exactly.
        return Some(a.divide(n, s));
    }
    // A rest that the constant part brings along is dropped; the named part is owed to divide.
    let rest = grown.rem_euclid(s);
    let exact = n.add(&Dim::number(grown - rest))?;
    a.divide(&exact, s).add(&Dim::number(1))
}

/// Multiply-adds: what every number of the result sums, before it is pooled.
fn products(shapes: &Shapes<'_>) -> Option<f64> {
    let settings = shapes.settings;
    let asked = settings.text("symmetry").ok().and_then(fields::turns).unwrap_or(1);
    let (batch, height, width, outputs, depth, kernel) = match (shapes.of("x")?, shapes.of("weight")?) {
        (&[batch, _, height, width], &[outputs, depth, kernel, _]) => {
            (batch, height, width, outputs.checked_mul(asked)?, depth, kernel)
        }
        (&[batch, turns, _, height, width], &[outputs, _, depth, kernel, _]) => {
            (batch, height, width, outputs.checked_mul(turns)?, depth.checked_mul(turns)?, kernel)
        }
        _ => return None,
    };
    let (stride, dilation) = (settings.count("stride").ok()?, settings.count("dilation").ok()?);
    let reach = dilation.checked_mul(kernel.checked_sub(1)?)?;
    let pad = settings.count("pad").unwrap_or(reach / 2);
    let side = |n: usize| {
        let room = pad.checked_mul(2)?.checked_add(n)?.checked_sub(reach.checked_add(1)?)?;
        Some(room.checked_div(stride)? + 1)
    };
    Some(Shapes::elements(&[batch, outputs, side(height)?, side(width)?, depth, kernel, kernel]))
}
