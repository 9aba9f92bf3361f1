//! What an operation says of itself for lints and ranges, held against what it computes.

use candle_core::Tensor;
use rord_lang::constant::Settings;
use rord_lang::range::Range;
use rord_lang::vocabulary::{Combines, Compares, Ranges};
use rord_ops::compute::samples::{Sample, numbers};

use super::{none, samples};

/// Where the numbers of a tensor lie.
fn span(t: &Tensor) -> Range {
    let all = numbers(t).unwrap();
    all.iter().fold(Range { low: f64::INFINITY, high: f64::NEG_INFINITY }, |r, x| r.hull(Range::at(*x)))
}

/// True where no vector along an axis is longer than 1.
fn short(t: &Tensor) -> bool {
    let axis = if t.rank() == 4 { 1 } else { t.rank().saturating_sub(1) };
    t.rank() > 1 && numbers(&t.sqr().unwrap().sum(axis).unwrap()).unwrap().iter().all(|x| *x <= 1.0 + 1e-9)
}

/// The same sample with every vector of length 1.
fn shortened(sample: &Sample) -> Sample {
    let mut sample = sample.clone();
    for (_, t) in sample.inputs.iter_mut().filter(|(_, t)| t.rank() > 1) {
        let axis = if t.rank() == 4 { 1 } else { t.rank() - 1 };
        let length = (t.sqr().unwrap().sum_keepdim(axis).unwrap().sqrt().unwrap() + 1e-12).unwrap();
        *t = t.broadcast_div(&length).unwrap();
    }
    sample
}

fn claimed(op: &rord_ops::op::Op, sample: &Sample, settings: &Settings) -> Range {
    let input = |name: &str| sample.inputs.iter().find(|(n, _)| *n == name).map(|(_, t)| t);
    (op.entry.lints.range)(&Ranges {
        tensor: &|name| input(name).map(span),
        short: &|name| input(name).is_some_and(short),
        settings,
    })
}

#[test]
fn numbers_lie_where_an_operation_says() {
    let (mut wrong, mut bounded) = (Vec::new(), 0);
    for (op, compute, sample) in samples() {
        for sample in [shortened(&sample), sample] {
            let claim = claimed(op, &sample, &sample.settings);
            bounded += usize::from(claim != Range::ALL);
            let Ok(out) = sample.forward(compute) else { continue };
            let found = span(&out.value);
            let room = 1e-5 * found.high.abs().max(found.low.abs()).max(1.0);
            if found.low < claim.low - room || found.high > claim.high + room {
                wrong.push(format!("{}, {}: {found:?} is not in {claim:?}", op.name, sample.name));
            }
            if let Some(x) = op.entry.lints.averages {
                let from = sample.inputs.iter().find(|(n, _)| *n == x).map(|(_, t)| t);
                // The vectors of a field lie along its third axis.
                if from.is_some_and(short) && !short(&out.value) && matches!(out.value.rank(), 2..=4) {
                    wrong.push(format!("{}, {}: a vector became longer", op.name, sample.name));
                }
            }
        }
    }
    none(&wrong);
    assert!(bounded > 100, "{bounded}");
}

#[test]
fn what_rises_has_no_negative_slope_and_what_keeps_zero_keeps_it() {
    let (mut wrong, mut seen) = (Vec::new(), 0);
    for (op, compute, sample) in samples() {
        let facts = op.entry.lints;
        if facts.rises.is_empty() {
            continue;
        }
        let out = sample.forward(compute).unwrap();
        if !sample.differentiable.is_empty() && !op.entry.graph.random {
            let slopes = sample.backward(compute, &out, &out.value.ones_like().unwrap()).unwrap();
            for (name, slope) in sample.differentiable.iter().zip(&slopes) {
                seen += 1;
                if facts.rises.contains(name) && numbers(slope).unwrap().iter().any(|x| *x < -1e-9) {
                    wrong.push(format!("{}, {}: falls with `{name}`", op.name, sample.name));
                }
            }
        }
        if facts.keeps_zero {
            let mut zero = sample.clone();
            for (_, t) in zero.inputs.iter_mut().filter(|(name, _)| facts.rises.contains(name)) {
                *t = t.zeros_like().unwrap();
            }
            if numbers(&zero.forward(compute).unwrap().value).unwrap().iter().any(|x| *x != 0.0) {
                wrong.push(format!("{}, {}: is not 0 of zeros", op.name, sample.name));
            }
        }
    }
    none(&wrong);
    assert!(seen > 40, "{seen}");
}

#[test]
fn a_distance_is_least_where_both_agree() {
    let (mut wrong, mut seen) = (Vec::new(), 0);
    for (op, compute, sample) in samples() {
        let Compares::Distance(a, b) = op.entry.lints.compares else { continue };
        // Logits agree with probabilities at no number of both.
        if b == "logits" {
            continue;
        }
        let total = |s: &Sample| numbers(&s.forward(compute).unwrap().value).unwrap().iter().sum::<f64>();
        let mut alike = sample.clone();
        let from = sample.inputs.iter().find(|(n, _)| *n == a).unwrap().1.clone();
        alike.inputs.iter_mut().filter(|(n, _)| *n == b).for_each(|(_, t)| *t = from.clone());
        seen += 1;
        if total(&alike) > total(&sample) + 1e-4 {
            wrong.push(format!("{}, {}: {} where both agree, {}", op.name, sample.name, total(&alike), total(&sample)));
        }
    }
    none(&wrong);
    assert!(seen > 8, "{seen}");
}

/// Operations that have a gradient and of which nothing is said, and why. A walk from a loss ends there, so that no lint is
/// found below.
const SILENT: &[(&str, &str)] = &[
    ("conv", "it has weights"),
    ("conv_transpose", "it has weights"),
    ("linear", "it has weights"),
    ("instance_norm", "it has weights"),
    ("batch_norm", "it has weights"),
    ("group_norm", "it has weights"),
    ("layer_norm", "it has weights"),
    ("standardize", "each number is relative to all others"),
    ("l2norm", "each number is relative to the others of its vector; the type says that it is of length 1"),
    ("move", "it moves places"),
    ("place_add", "it moves places"),
    ("offset_mul", "it moves places"),
    ("offset_div", "it moves places"),
    ("soft_argmax", "it gives places"),
    ("dispersion", "it falls as a score has a peak, whatever the score was"),
];

#[test]
fn something_is_said_of_every_operation_that_has_a_gradient() {
    let mut silent = Vec::new();
    for (op, _) in super::computing().filter(|(op, _)| !op.entry.graph.stops_gradient) {
        let facts = op.entry.lints;
        let unit = |_: &str| Some(Range::UNIT);
        let settings = Settings::default();
        let range = (facts.range)(&Ranges { tensor: &unit, short: &|_| true, settings: &settings });
        let said = facts.compares != Compares::Nothing
            || facts.combines != Combines::Nothing
            || !facts.rises.is_empty()
            || facts.drops_sign
            || facts.higher_is_better
            || facts.lower_is_better
            || facts.averages.is_some()
            || range != Range::ALL;
        let samples = (op.samples)().unwrap();
        if !said && samples.iter().any(|s| !s.differentiable.is_empty()) {
            silent.push(op.name);
        }
    }
    silent.sort_unstable();
    let mut expected: Vec<&str> = SILENT.iter().map(|(name, _)| *name).collect();
    expected.sort_unstable();
    assert_eq!(silent, expected);
}

#[test]
fn what_keeps_positive_numbers_keeps_them() {
    let (mut wrong, mut seen) = (Vec::new(), 0);
    for (op, compute, sample) in samples() {
        if !op.entry.lints.keeps_positive {
            continue;
        }
        seen += 1;
        let mut sample = sample;
        for (_, t) in &mut sample.inputs {
            *t = t.abs().unwrap();
        }
        let (x, y) = (numbers(&sample.inputs[0].1).unwrap(), numbers(&sample.forward(compute).unwrap().value).unwrap());
        if x != y {
            wrong.push(format!("{}, {}", op.name, sample.name));
        }
    }
    none(&wrong);
    assert!(seen > 8, "{seen}");
}
