//! Axes by name, from the text to the type: what is left of a shape, and sizes that are products.

use rord_lang::check::{NoImports, Outside, check};
use rord_lang::report::any_error;
use rord_lang::source::SourceKind;

/// The type of `value` in a text, or what is reported.
fn ty(text: &str) -> Result<String, String> {
    let (vocabulary, mut sources) = rord_ops::vocabulary();
    let file = sources.add(SourceKind::Main, "test.rord", text);
    let (pipeline, reports) = check(&mut sources, file, &vocabulary, &NoImports, &Outside::default());
    if any_error(&reports) {
        return Err(reports.iter().map(|r| format!("{} {}", r.code, r.title)).collect::<Vec<_>>().join("\n"));
    }
    let named = pipeline.names.iter().find(|n| n.name == "value").expect("a value of that name");
    Ok(pipeline.shown(named))
}

const INPUTS: &str = "input x: Feat[B, 8, h, w]@f
input p: Prob[B, 4, h, w]@f
input v: Vectors[B, N, 16]
input a: Vectors[N, 16]
input b: Vectors[M, 16]
input at: Points[B, N]@f
input s: Image[N, 1, S, S]@g
";

#[test]
fn what_is_left_of_a_shape_is_named() {
    for (formula, wanted) in [
        ("mean(x, over = channel)", "Values[batch B, row h, column w]@f"),
        ("mean(p, over = channel)", "Prob[batch B, row h, column w]@f"),
        ("sum(p, over = channel)", "Values[batch B, row h, column w]@f"),
        ("max(x, over = place)", "Values[batch B, channel 8]"),
        ("std(x, per = batch)", "Values[batch B]"),
        ("mean(x, over = row)", "Values[batch B, channel 8, column w]@f"),
        ("x - mean(x, over = channel)", "Feat[B, 8, h, w]@f"),
        ("x * sum(p, over = channel)", "Feat[B, 8, h, w]@f"),
        ("x > mean(x, per = channel)", "Mask[B, 8, h, w]@f"),
        ("softmax(x, over = channel)", "Prob[B, 8, h, w]@f"),
        ("similarities(a, b)", "Values[N, M]"),
        ("similarities(v, v)", "Values[B, N, N]"),
        ("distances(v, b)", "Dist[B, N, M]"),
        ("min(distances(v, b), over = column)", "Dist[batch B, row N]"),
        ("row_min(distances(a, b))", "Dist[N]"),
        ("col_min(distances(v, b))", "Dist[batch B, item M]"),
        ("diagonal(similarities(v, v))", "Values[batch B, item N]"),
        ("a - mean(a, over = item)", "Vectors[N, 16]"),
        ("product(softmax(similarities(v, b), over = column), b)", "Vectors[B, N, 16]"),
        ("transpose(similarities(a, b))", "Values[M, N]"),
        ("similarities(a, b) - levels(0..1, count = 5, axis = bin)", "Values[row N, column M, bin 5]"),
        ("top(similarities(a, a), 3, over = column)", "Values[N, 3]"),
        ("space_to_channel(x, 4)", "Feat[B, 128, h/4, w/4]@f"),
        ("flatten(s)", "Vectors[N, S*S]"),
        ("rows(v)", "Vectors[B*N, 16]"),
        ("rename(similarities(a, b), [row, column], [item, channel])", "Vectors[N, M]"),
        ("rows(sample(x, at))", "Vectors[B*N, 8]"),
        ("max_pool(mean(x, over = channel), 2)", "Map[B, 1, h/2, w/2]@f"),
    ] {
        let found = ty(&format!("{INPUTS}let value = {formula}\n"));
        assert_eq!(found.as_deref(), Ok(wanted), "{formula}");
    }
}

#[test]
fn what_does_not_meet_is_reported() {
    for (formula, code) in [
        ("x * p", "R0401"),
        ("sigmoid(mean(x, over = channel)) * dot(x, x) * x", "R0418"),
        ("similarities(a, a) - log_sum_exp(similarities(a, a))", "R0419"),
        ("mean(a, over = N)", "R0420"),
        ("mean(x, over = 1)", "R0421"),
        ("mean(x, over = channel, per = batch)", "R0422"),
        ("mean(max_pool(mean(x, over = row), 2))", "R0417"),
        ("product(similarities(a, b), a)", "R0425"),
        ("grid(rows = h, columns = w)", "R0202"),
        ("top(a, 40, over = channel)", ""),
        ("mean(a, over = row)", "R0420"),
        ("max(a, a, over = item)", ""),
    ] {
        let found = ty(&format!("{INPUTS}let value = {formula}\n")).expect_err(formula);
        assert!(found.starts_with(code), "{formula}: {found}");
    }
}

#[test]
fn a_function_may_be_told_along_which_axes() {
    let text = "fn level(x: Values, along: Axes) = x - mean(x, over = along)\n";
    let found = ty(&format!("{text}{INPUTS}let value = level(x, [row, column])\n"));
    assert_eq!(found.as_deref(), Ok("Feat[B, 8, h, w]@f"));
    let text = "fn flat(x: Values[batch B, row H, column W]@f) -> Values[B, H, W]@f = 2 * x\n";
    let found = ty(&format!("{text}{INPUTS}let value = flat(mean(x, over = channel))\n"));
    assert_eq!(found.as_deref(), Ok("Values[batch B, row h, column w]@f"));
    assert!(ty(&format!("{text}{INPUTS}let value = flat(mean(x, over = row))\n")).is_err());
}
