//! Kinds follow ranges: what a formula keeps between 0 and 1 is a probability.

use rord_lang::check::{NoImports, Outside, check};
use rord_ops as ops;

/// The codes of what is said where `value` is used as a probability.
fn codes(value: &str) -> Vec<&'static str> {
    let (vocabulary, mut sources) = ops::vocabulary();
    let text = format!(
        "param share: Rate = 0.3
input t: Label[B, 1, h, w]@f
input p: Prob[B, 1, h, w]@f
input q: Prob[B, 1, h, w]@f
input x: Feat[B, 1, h, w]@f
input z: Logit[B, 1, h, w]@f
fn smooth(t: Prob[B, 1, h, w]@f, by: Scalar) -> Map[B, 1, h, w]@f = t * (1 - by) + 0.5 * by
fn between(p: Prob[B, 1, h, w]@f, q: Prob[B, 1, h, w]@f, m: Prob[B, 1, h, w]@f) -> Prob[B, 1, h, w]@f =
  m * p + (1 - m) * q
loss used = mean(t) + mean(p) + mean(q) + mean(x) + mean(sigmoid(z)) + share + mean(smooth(t, 0.1)) + mean(between(p, q, t))
minimize total = used + bce({value}, p)
"
    );
    let file = sources.add(rord_lang::source::SourceKind::Main, "test.rord", text.as_str());
    check(&mut sources, file, &vocabulary, &NoImports, &Outside::default()).1.iter().map(|r| r.code).collect()
}

#[test]
fn formulas_that_stay_between_0_and_1_are_probabilities() {
    for value in [
        "0.9 * t + 0.05",
        "t * 0.9 + 0.05",
        "0.05 + 0.9 * t",
        "1 - p",
        "1 - 0.95 * (1 - 0.947368 * t)",
        "0.3 * p + 0.7 * q",
        "share * p + (1 - share) * q",
        "0.1 * p + 0.2 * q + 0.7 * t",
        "(p + q) / 2",
        "(p + q + t) / 3",
        "0.5 * (p + q)",
        "max(p, q)",
        "min(p, 1 - q)",
        "p * q",
        "p * p",
        "t * p + (1 - t) * q",
        "p * t + q * (1 - t)",
        "q * (1 - (p > 0.5)) + (p > 0.5) * p",
        "abs(p - q) * 1",
        "0.5 + 0.5 * (p - q)",
        "p / (1 + q)",
        "p + q - p * q |> min(valid(p)) |> max(0 * p)",
        "avg_pool(0.9 * t + 0.05, 1)",
        "between(p, q, t)",
        "p + q - p * q",
        "p + (1 - p) * q",
        "p + hinge(q - p * q)",
        "1 - (1 - p) * (1 - q)",
        "t * p + (1 - t) * (1 - p)",
        "t * (p + q - p * q) + (1 - t) * (1 - p)",
        "min(max(x, 0), 1)",
        "max(0.2, p)",
        "hinge(p - q)",
    ] {
        assert_eq!(codes(value), [""; 0], "{value}");
    }
}

#[test]
fn formulas_that_may_leave_it_are_not() {
    for value in [
        "0.95 * t + 0.1",
        "p + q",
        "p - q",
        "2 * p",
        "0 - p",
        "p / q",
        "p / 0.5",
        "0.5 * x",
        "x * p",
        "0.5 * z + 0.5",
        "t * p + (1 - q) * q + p",
        "t * p + (1 - t) * x",
        "(p + q) / share",
        "smooth(t, 0.1)",
        "p + q - 0.5 * p * q",
        "p * q + (1 - p) * (1 + q)",
        "max(x, 0.5)",
        "min(x, 1)",
        "p + hinge(q - 0.5 * p * q)",
    ] {
        assert_eq!(codes(value), ["R0301"], "{value}");
    }
}
