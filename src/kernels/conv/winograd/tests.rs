#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use super::*;
use crate::conv::Geometry;
use crate::conv::call::{After, Past, Wanted};
use crate::conv::last::{general, general_backward};
use crate::conv::tests::{near, singles, wide};
use crate::simd::Simd;
use crate::skip::skip;

/// Sides and channels that fill no tile and no vector, that fill them exactly, and a layer wide enough for one copy of
/// its sums.
fn shapes() -> Vec<Sizes> {
    let sizes = |batch, height, width, inputs, outputs| Sizes { batch, height, width, inputs, outputs };
    vec![
        sizes(1, 1, 1, 1, 1),
        sizes(2, 3, 2, 5, 3),
        sizes(3, 9, 7, 4, 17),
        sizes(1, 4, 16, 16, 32),
        sizes(2, 13, 22, 33, 40),
        sizes(1, 30, 31, 64, 31),
        sizes(1, 11, 6, 260, 140),
        sizes(0, 8, 8, 8, 8),
    ]
}

#[test]
fn value_and_gradients_are_those_of_the_general_path() {
    for simd in Simd::ALL.into_iter().filter(|s| s.runs_here()) {
        for s in shapes() {
            for after in [After::Nothing, After::Relu, After::ReluPool] {
                compared(simd, s, after);
            }
        }
    }
}

#[test]
fn many_tiles_are_summed_block_by_block() {
    // More tiles than a part takes at a time, and for the wide layer more than exist at once.
    let sizes = |batch, height, width, inputs, outputs| Sizes { batch, height, width, inputs, outputs };
    compared(Simd::chosen(), sizes(2, 96, 96, 32, 48), After::Relu);
    compared(Simd::chosen(), sizes(1, 96, 98, 136, 241), After::ReluPool);
}

/// Holds value and gradients to the general path in double precision.
fn compared(simd: Simd, s: Sizes, after: After) {
    let g = Geometry {
        batch: s.batch,
        inputs: s.inputs,
        height: s.height,
        width: s.width,
        outputs: s.outputs,
        kernel: 3,
        stride: 1,
        pad: 1,
        dilation: 1,
        groups: 1,
    };
    let x = singles(1, s.batch * s.height * s.width * s.inputs);
    let weight = singles(2, s.outputs * s.inputs * 9);
    let bias = singles(3, s.outputs);
    let what = format!("{} {s:?} {after:?}", simd.name());
    let expected = general(&g, &wide(&x), &wide(&weight), Some(&wide(&bias)), after).unwrap();
    let got = value(How::single(simd), &s, Source::Plain(&x), &weight, Some(&bias), after);
    near(&format!("{what}: value"), &got.numbers, &expected.numbers);
    assert_eq!(got.cells.len(), expected.cells.len());
    let grad = singles(4, got.numbers.len());
    // Backward from the value found here, so that rounding in forward does not count.
    let past = wide(&got.numbers);
    let past = Past { after, value: &past, cells: &got.cells };
    let wanted = Wanted { x: true, weight: true, bias: true };
    let back = general_backward(&g, &wide(&x), &wide(&weight), past, &wide(&grad), wanted).unwrap();
    let source = match after {
        After::Nothing => Source::Plain(&grad),
        After::Relu => Source::Relu { grad: &grad, value: &got.numbers },
        After::ReluPool => Source::Pool { grad: &grad, cells: &got.cells },
    };
    near(&format!("{what}: input"), &input_gradient(How::single(simd), &s, &weight, source), &back.x.unwrap());
    let (weight, bias) = weight_gradient(How::single(simd), &s, Source::Plain(&x), source);
    near(&format!("{what}: weight"), &weight, &back.weight.unwrap());
    near(&format!("{what}: bias"), &bias, &back.bias.unwrap());
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let s = Sizes { batch: 2, height: 24, width: 20, inputs: 32, outputs: 48 };
    let (x, weight) = (singles(1, 2 * 24 * 20 * 32), singles(2, 48 * 32 * 9));
    let grad = singles(3, 2 * 24 * 20 * 48);
    let with = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let simd = Simd::chosen();
            let out = value(How::single(simd), &s, Source::Plain(&x), &weight, None, After::Nothing).numbers;
            (
                out,
                input_gradient(How::single(simd), &s, &weight, Source::Plain(&grad)),
                weight_gradient(How::single(simd), &s, Source::Plain(&x), Source::Plain(&grad)),
            )
        })
    };
    assert!(with(1) == with(3));
}

#[test]
fn rounded_products_are_near() {
    let Some(how) = How::rounded(Simd::chosen()) else {
        return skip("this machine has no AVX-512 BF16");
    };
    for s in shapes().into_iter().filter(|s| s.batch > 0) {
        let single = How::single(Simd::chosen());
        let x = singles(1, s.batch * s.height * s.width * s.inputs);
        let weight = singles(2, s.outputs * s.inputs * 9);
        let grad = singles(3, s.batch * s.height * s.width * s.outputs);
        let about = |what: &str, a: &[f32], b: &[f32]| {
            let square = |x: f32| f64::from(x) * f64::from(x);
            let error: f64 = a.iter().zip(b).map(|(a, b)| square(a - b)).sum();
            let size: f64 = b.iter().map(|b| square(*b)).sum();
            assert!(a.len() == b.len() && error.sqrt() < 0.03 * size.sqrt(), "{s:?} {what}: {}", (error / size).sqrt());
            let rounded = what != "weight" || weight_gradient::rounds(&s);
            assert!((a != b) == rounded, "{s:?} {what}: rounded where it should not be, or not where it should");
        };
        let run = |how| {
            let out = value(how, &s, Source::Plain(&x), &weight, None, After::Nothing).numbers;
            let back = input_gradient(how, &s, &weight, Source::Plain(&grad));
            (out, back, weight_gradient(how, &s, Source::Plain(&x), Source::Plain(&grad)))
        };
        let (a, b) = (run(how), run(single));
        about("value", &a.0, &b.0);
        about("input", &a.1, &b.1);
        about("weight", &a.2.0, &b.2.0);
        assert_eq!(a.2.1, b.2.1, "the bias is summed in single precision");
    }
}
