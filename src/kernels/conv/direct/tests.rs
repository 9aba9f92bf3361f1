#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use super::*;
use crate::kernels::conv::Geometry;
use crate::kernels::conv::last::{After, Past, Wanted, general, general_back};
use crate::kernels::simd::Simd;
use crate::random::Stream;

fn numbers(key: u64, n: usize) -> Vec<f32> {
    let mut stream = Stream::new(key, &[n as u64]);
    (0..n).map(|_| stream.range(-1.0, 1.0) as f32).collect()
}

fn wide(x: &[f32]) -> Vec<f64> {
    x.iter().map(|x| f64::from(*x)).collect()
}

fn close(what: &str, a: &[f32], b: &[f64]) {
    assert_eq!(a.len(), b.len(), "{what}");
    let scale = b.iter().fold(1e-30, |m: f64, x| m.max(x.abs()));
    for (i, (a, b)) in a.iter().zip(b).enumerate() {
        assert!((f64::from(*a) - b).abs() <= 1e-5 * scale, "{what}: number {i} is {a}, not {b}");
    }
}

#[test]
fn both_kinds_compute_what_the_general_path_does() {
    let shapes = [
        (1, 1, 1, 1, 1, 1),
        (2, 9, 15, 1, 33, 3),
        (1, 17, 30, 3, 20, 3),
        (2, 5, 4, 2, 5, 5),
        (1, 3, 2, 1, 4, 7),
        (2, 8, 19, 70, 1, 3),
        (1, 6, 5, 37, 3, 1),
        (3, 10, 3, 16, 2, 5),
    ];
    for simd in Simd::ALL.into_iter().filter(|s| s.runs_here()) {
        for (batch, height, width, inputs, outputs, kernel) in shapes {
            let s = Sizes { batch, height, width, inputs, outputs, kernel };
            let (stride, pad, dilation, groups) = (1, kernel / 2, 1, 1);
            let g = Geometry { batch, inputs, height, width, outputs, kernel, stride, pad, dilation, groups };
            let x = numbers(1, batch * height * width * inputs);
            let weight = numbers(2, outputs * inputs * kernel * kernel);
            let bias = numbers(3, outputs);
            let grad = numbers(4, batch * height * width * outputs);
            for after in [After::Nothing, After::Relu] {
                let relu = after == After::Relu;
                let what = format!("{} {s:?} {after:?}", simd.name());
                let expected = general(&g, &wide(&x), &wide(&weight), Some(&wide(&bias)), after).unwrap().numbers;
                let value = few_inputs::value(simd, &s, &x, &weight, Some(&bias), relu);
                close(&format!("{what}: few inputs"), &value, &expected);
                let seen = wide(&value);
                let past = Past { after, value: &seen, cells: &[] };
                let wanted = Wanted { x: true, weight: true, bias: true };
                let back = general_back(&g, &wide(&x), &wide(&weight), past, &wide(&grad), wanted).unwrap();
                let (back_x, back_weight, back_bias) = (back.x.unwrap(), back.weight.unwrap(), back.bias.unwrap());
                let got = few_inputs::weight_gradient(simd, &s, &x, &grad, relu.then_some(&value[..]));
                close(&format!("{what}: few inputs, weight"), &got.0, &back_weight);
                close(&format!("{what}: few inputs, bias"), &got.1, &back_bias);
                if !relu {
                    let value = few_outputs::value(simd, &s, &x, &weight, Some(&bias));
                    close(&format!("{what}: few outputs"), &value, &expected);
                    let got = few_outputs::input_gradient(simd, &s, &weight, &grad);
                    close(&format!("{what}: few outputs, input"), &got, &back_x);
                    let got = few_outputs::weight_gradient(simd, &s, &x, &grad);
                    close(&format!("{what}: few outputs, weight"), &got.0, &back_weight);
                    close(&format!("{what}: few outputs, bias"), &got.1, &back_bias);
                }
            }
        }
    }
}
