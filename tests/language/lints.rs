//! A formula is judged as the library's function is that computes the same: lints follow the graph of values.

use std::collections::BTreeSet;

use rord_lang::check::{NoImports, Outside, check};
use rord_lang::report::Severity;
use rord_ops as ops;

/// Two views of a network with a detector and descriptors, a teacher, and what losses are made of.
const HEAD: &str =
    "data pairs = layout_pairs(synth(tiles = 8), patch = 64px, geometry = rotations(0deg..90deg), steps = 2)
model net(x: Image[B, 1, H, W]@f) {
  out det:  Prob[B, 1, H, W]@f      = x |> conv(4, 3) |> relu |> conv(1, 1) |> sigmoid
  out desc: Desc unit[B, 8, H, W]@f = x |> conv(8, 3) |> l2norm
}
model head(x: Desc[B, 8, H, W]@f) { out y: Desc unit[B, 8, H, W]@f = x |> conv(8, 1) |> l2norm }
model teacher(x: Image[B, 1, H, W]@f) { out t: Prob[B, 1, H, W]@f = x |> conv(4, 3) |> relu |> conv(1, 1) |> sigmoid }
let { image, image_r, H, corners }   = pairs
let { det, desc }                    = net(image)
let { det as det_r, desc as desc_r } = net(image_r)
let back   = inv(H)
let seen   = inside(back, like = det)
let there  = warp(det_r, back)
let moved  = warp(desc_r, back)
let at     = place(grid(20), like = desc)
let to     = move(at, H)
let near   = sample(desc, at)
let far    = sample(desc_r, to)
let wrong  = sample(desc_r, pick(hardneg(apart = 8px), near, desc_r, to))
let loose  = sample(desc_r, pick(hardneg(), near, desc_r, to))
let table  = similarities(l2norm(rows(near)), l2norm(rows(far))) / 0.07
let far_apart = distances(rows(near), rows(far))
let guess  = teacher(image).t
let spot   = soft_argmax(det)
let spot_r = soft_argmax(det_r)
fn cells(x: Map[B, 1, h, w]@f) = space_to_channel(x, 8)
fn share(x: Map[B, 1, h, w]@f) = softmax(cells(x), over = channel)
fn my_dice(p: Prob[B, C, h, w]@f, q: Prob[B, C, h, w]@f) -> Loss =
  1 - (2 * sum(p * q) + 1) / (sum(p) + sum(q) + 1)
fn my_cosim(p: Prob[B, 1, h, w]@f, q: Prob[B, 1, h, w]@f) -> Loss = mean(
  1 - avg_pool(p * q, 16, stride = 8) / sqrt(avg_pool(p * p, 16, stride = 8) * avg_pool(q * q, 16, stride = 8) + 1e-12)
)
";

/// The lints of a pipeline that minimizes this, by code.
fn lints(objective: &str) -> BTreeSet<&'static str> {
    let (vocabulary, mut sources) = ops::vocabulary();
    let text = format!("{HEAD}minimize total = {objective}\n");
    let file = sources.add(rord_lang::source::SourceKind::Main, "test.rord", text.as_str());
    let (_, reports) = check(&mut sources, file, &vocabulary, &NoImports, &Outside::default());
    let errors: Vec<_> = reports.iter().filter(|r| r.severity == Severity::Error).collect();
    assert!(errors.is_empty(), "{objective}: {errors:?}");
    // What is left unused here is used elsewhere.
    reports.iter().map(|r| r.code).filter(|code| *code != "R0232").collect()
}

const LOOSE: &str = "R0602";
const PADDED: &str = "R0603";
const ITSELF: &str = "R0608";
const APART: &str = "R0702";
const MARGIN: &str = "R0703";

/// Calls of the library, formulas that compute the same, and the lints of all of them.
const TWINS: &[(&str, &[&str], &[&str])] = &[
    (
        "l1(det, there)",
        &["mean(abs(det - there))", "mean(abs(there - det))", "abs(there - det) |> mean"],
        &[LOOSE, PADDED],
    ),
    (
        "l1(det, there, mask = seen)",
        &[
            "mean(abs(det - there), mask = seen)",
            "mean(abs(det - there) * seen)",
            "sum(abs(det - there) * seen) / sum(seen)",
            "sum(seen * abs(det - there)) / (sum(seen) + 1e-6)",
        ],
        &[LOOSE],
    ),
    (
        "mse(det, there)",
        &[
            "mean(square(det - there))",
            "mean((det - there) * (det - there))",
            "sqrt(mean(square(det - there)) + 1e-8)",
            "0.5 * mean(square(0.5 * (det - there)))",
            "1 - mean(exp(0 - square(det - there)))",
        ],
        &[LOOSE, PADDED],
    ),
    ("huber(det, there, mask = seen)", &["mean(sqrt(1 + square(det - there)) - 1, mask = seen)"], &[LOOSE]),
    (
        "bce(there, det)",
        &[
            "mean(0 - there * log(det) - (1 - there) * log(1 - det))",
            "0 - mean(there * log(det) + (1 - there) * log(1 - det))",
        ],
        &[LOOSE, PADDED],
    ),
    ("bce(corners, det)", &["mean(0 - corners * log(det) - (1 - corners) * log(1 - det))"], &[]),
    ("bce(corners, there)", &["mean(0 - corners * log(there) - (1 - corners) * log(1 - there))"], &[]),
    ("smoothl1(corners, det)", &["mean(abs(corners - det))", "mean(square(det - corners))"], &[]),
    ("dice(det, there)", &["my_dice(det, there)"], &[LOOSE, PADDED]),
    ("dice(corners, det)", &["my_dice(corners, det)"], &[]),
    ("cosim(det, there)", &["my_cosim(det, there)"], &[LOOSE, PADDED]),
    (
        "mean(1 - cosine(desc, moved), mask = seen)",
        &["1 - mean(cosine(desc, moved), mask = seen)", "mean(square(1 - cosine(desc, moved)), mask = seen)"],
        &[LOOSE],
    ),
    ("mean(1 - cosine(desc, moved))", &["mean(1 - dot(desc, moved))"], &[LOOSE, PADDED]),
    (
        "mean(distance(near, far))",
        &["mean(square(near - far))", "mean(distance(near, far, squared = true))", "mean(diagonal(far_apart))"],
        &[LOOSE],
    ),
    (
        "triplet(grid(20), hardneg(apart = 8px), margin = 0.5)",
        &[
            "mean(hinge(distance(near, far) - distance(near, wrong) + 0.5))",
            "mean(hinge(0.5 + distance(near, far) - distance(near, wrong)))",
            "mean(softplus(distance(near, far) - distance(near, wrong)))",
            "mean(distance(near, far) / (distance(near, wrong) + 0.1))",
        ],
        &[],
    ),
    (
        "triplet(grid(20), hardneg(), margin = 0.5)",
        &["mean(hinge(distance(near, far) - distance(near, loose) + 0.5))"],
        &[APART],
    ),
    (
        "triplet(grid(20), hardneg(apart = 8px), margin = 3)",
        &["mean(hinge(distance(near, far) - distance(near, wrong) + 3))"],
        &[MARGIN],
    ),
    (
        "triplet(grid(20), hardneg(apart = 8px), margin = 3, squared = true)",
        &["mean(hinge(3 + distance(near, far, squared = true) - distance(near, wrong, squared = true)))"],
        &[],
    ),
    (
        "contrastive(grid(20), hardneg(apart = 8px), margin = 1)",
        &["mean(distance(near, far, squared = true)) + mean(square(hinge(1 - distance(near, wrong))))"],
        &[],
    ),
    (
        "contrastive(grid(20), hardneg(apart = 8px), margin = 2.5)",
        &["mean(distance(near, far, squared = true)) + mean(square(hinge(2.5 - distance(near, wrong))))"],
        &[MARGIN],
    ),
    ("info_nce(rows(near), rows(far))", &["mean(log_sum_exp(table) - diagonal(table))"], &[]),
    (
        "hardest_in_batch(rows(near), rows(far))",
        &["mean(hinge(1 + diagonal(far_apart) - row_min(off_diagonal(far_apart))))"],
        &[],
    ),
    (
        "mean(distance(near, far, squared = true))",
        &[
            "mean(diagonal(distances(rows(near), rows(far), squared = true)))",
            "mean(sum(near * near + far * far - 2 * near * far, over = channel))",
            "mean(sum(square(near), over = channel) + sum(square(far), over = channel) - 2 * sum(near * far, over = channel))",
            "2 - 2 * mean(diagonal(similarities(rows(near), rows(far))))",
            "2 - 2 * mean(diagonal(product(table(rows(near)), transpose(table(rows(far))))))",
            "mean(min(distances(near, far), over = column))",
            "mean(take(distances(near, far), argmin(distances(near, far), over = column), over = column))",
            "mean(top(rename(distance(near, far), item, channel), 5, over = channel))",
        ],
        &[LOOSE],
    ),
    (
        "info_nce(rows(near), rows(far))",
        &[
            "0 - mean(diagonal(log_softmax(table, over = column)))",
            "0 - mean(log(diagonal(softmax(table, over = column))))",
            "0 - mean(diagonal(log_softmax(product(table(rows(near)), transpose(table(rows(far)))), over = column)))",
            "mean(softplus(log_sum_exp(table, mask = 1 - identity(table)) - diagonal(table)))",
            "mean(sum(square(identity(table) - table), over = column))",
        ],
        &[],
    ),
    (
        "triplet(grid(20), hardneg(apart = 8px), margin = 3)",
        &["mean(max(distance(near, far) - distance(near, wrong) + 3, 0))"],
        &[MARGIN],
    ),
    (
        "mean(abs(cells(det) - cells(there)))",
        &[
            "mean(abs(cells(det - there)))",
            "mean(abs(as_vectors(det) - as_vectors(there)))",
            "mean(as_map(abs(as_vectors(det) - as_vectors(there)), like = det))",
            "mean(tanh(square(det - there)))",
            "mean(leaky_relu(abs(det - there)))",
            "mean(concat(abs(det - there), abs(there - det)))",
            "mean(append(as_vectors(abs(det - there)), as_vectors(abs(there - det)), over = item))",
            "mean(top(as_vectors(abs(det - there)), 50, over = item))",
            "mean(sort(as_vectors(square(det - there)), over = item))",
            "mean(arrange(as_vectors(square(det - there)), by = as_vectors(det), over = item))",
            "mean(abs(cumsum(det - there, over = column)))",
            "mean(max(abs(det - there), 0.01))",
        ],
        &[LOOSE, PADDED],
    ),
    (
        "mean(abs(det - there), mask = seen)",
        &["mean(abs(det - there), mask = as_map(seen(move(coords(like = det), H)), like = det))"],
        &[LOOSE],
    ),
    // How far one says what the other does.
    (
        "mean(sum(share(det) * (log(share(det)) - log(share(there))), over = channel))",
        &[
            "mean(sum(share(det) * log(share(det) / share(there)), over = channel))",
            "mean(sum(share(det) * (log_softmax(cells(det), over = channel) - log_softmax(cells(there), over = channel)), over = channel))",
            "0 - mean(sum(share(det) * log(share(there)), over = channel))",
        ],
        &[LOOSE, PADDED],
    ),
    (
        "mean(sum(share(corners) * (log(share(corners)) - log(share(det))), over = channel))",
        &["0 - mean(sum(share(corners) * log_softmax(cells(det), over = channel), over = channel))"],
        &[],
    ),
    ("smoothl1(det, det)", &["mean(abs(det - det))", "mean(square(det - net(image).det))"], &[ITSELF]),
    ("mean(distance(spot, spot))", &["mean(length(spot - spot))"], &[ITSELF]),
    // A place that a flat score has depends on the view.
    ("mean(distance(move(spot, H), spot_r))", &["mean(length(move(spot, H) - spot_r))"], &[]),
    ("l1(there, warp(det_r, inv(H)))", &["mean(abs(there - warp(det_r, inv(H))))"], &[ITSELF]),
];

#[test]
fn a_formula_is_judged_as_the_call_that_computes_the_same() {
    let mut wrong = Vec::new();
    for (call, formulas, codes) in TWINS {
        let expected: BTreeSet<&str> = codes.iter().copied().collect();
        for text in std::iter::once(call).chain(*formulas) {
            let found = lints(text);
            // A warped view of data is padded too, which is told of the call and of the formula alike.
            let padded = text.contains("corners") && text.contains("there");
            let found: BTreeSet<&str> = found.into_iter().filter(|c| !(padded && *c == PADDED)).collect();
            if found != expected {
                wrong.push(format!("{text}: {found:?}, not {expected:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_data_holds_is_not_loose() {
    let mut wrong = Vec::new();
    for (call, formulas, codes) in TWINS.iter().filter(|(.., codes)| codes.contains(&LOOSE)) {
        let descriptors = call.contains("desc") || call.contains("near");
        let anchor = match descriptors {
            true => "triplet(grid(20), hardneg(apart = 8px), margin = 0.5)",
            false => "mean(0 - corners * log(det) - (1 - corners) * log(1 - det))",
        };
        let expected: BTreeSet<&str> = codes.iter().copied().filter(|c| *c != LOOSE).collect();
        for text in std::iter::once(call).chain(*formulas) {
            let found = lints(&format!("{anchor} + 0.1 * ({text})"));
            if found != expected {
                wrong.push(format!("{text}: {found:?}, not {expected:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_mask_has_numbers_of_its_own() {
    // What chooses cells by a comparison does not compare what it was made of.
    for choice in ["(there > 0.5)", "(there >= max(there, over = [row, column]))"] {
        let found = lints(&format!("bce(corners, det) - mean({choice} * log(det))"));
        assert!(!found.contains(PADDED), "{choice}: {found:?}");
    }
}

/// A detector that something holds: the terms behind it are about descriptors or other models.
const HELD: &str = "bce(corners, det) + ";

#[test]
fn targets_without_a_gradient_are_told_from_networks_that_follow_themselves() {
    let y = "head(desc).y";
    for (objective, codes) in [
        // A head of its own before the comparison, and no gradient to the target: nothing collapses.
        (format!("mean(1 - cosine({y}, detach(moved)), mask = seen)"), vec![]),
        (format!("mean(1 - cosine({y}, moved), mask = seen)"), vec![LOOSE]),
        ("mean(1 - cosine(desc, detach(moved)), mask = seen)".into(), vec![LOOSE]),
        ("mean(abs(detach(det) - there), mask = seen)".into(), vec![LOOSE]),
        // A teacher that data holds, with and without a gradient.
        (format!("{HELD}bce(corners, guess) + bce(detach(guess), det)"), vec![]),
        ("bce(corners, guess) + bce(detach(guess), det)".into(), vec![]),
        ("bce(corners, guess) + bce(guess, det)".into(), vec![LOOSE]),
        ("bce(corners, guess) + mean(square(guess - det))".into(), vec![LOOSE]),
        (format!("{HELD}bce(corners, guess) + bce(guess, det)"), vec![]),
        // Two networks that only agree with each other.
        ("mean(abs(guess - det))".into(), vec![LOOSE]),
        // What the difference is multiplied or divided by holds nothing.
        ("mean(abs(det - there) * detach(det), mask = seen)".into(), vec![LOOSE]),
        ("sum(abs(det - there) * det * seen) / (sum(det) + 1)".into(), vec![LOOSE]),
        // A second term does.
        ("mean(abs(det - there), mask = seen) + peaky(det)".into(), vec![]),
        ("mean(abs(det - there), mask = seen) + hinge(0.2 - mean(det))".into(), vec![]),
        // A reliability that weighs what descriptors make is not drawn to it.
        ("1 - mean(det) * (mean(diagonal(table)) - mean(table))".into(), vec![]),
    ] {
        assert_eq!(lints(&objective), codes.iter().copied().collect::<BTreeSet<_>>(), "{objective}");
    }
}

#[test]
fn terms_without_a_gradient_are_found_in_every_sum() {
    for term in ["mean(det > 0.5)", "0.5 * mean(det > 0.5)", "mean(bce(corners, det, reduce = none) + (det > 0.5))"] {
        assert!(lints(&format!("bce(corners, det) + {term}")).contains("R0607"), "{term}");
    }
    for objective in [
        "sum(bce(corners, det, reduce = none) * (det > 0.5)) / sum(det > 0.5)",
        "mean(bce(corners, det, reduce = none), mask = det > 0.5)",
        "bce(corners, det + detach((det > 0.5) - det) |> abs |> min(valid(det)))",
    ] {
        assert!(!lints(objective).contains("R0607"), "{objective}");
    }
}
