#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use super::*;
use crate::conv::Geometry;
use crate::conv::call::{After, Past, Wanted};
use crate::conv::last::{general, general_backward};
use crate::conv::tests::{near, singles, wide};
use crate::simd::Simd;

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
            let x = singles(1, batch * height * width * inputs);
            let weight = singles(2, outputs * inputs * kernel * kernel);
            let bias = singles(3, outputs);
            let grad = singles(4, batch * height * width * outputs);
            for after in [After::Nothing, After::Relu] {
                let relu = after == After::Relu;
                let what = format!("{} {s:?} {after:?}", simd.name());
                let expected = general(&g, &wide(&x), &wide(&weight), Some(&wide(&bias)), after).unwrap().numbers;
                let value = few_inputs::value(simd, &s, &x, &weight, Some(&bias), relu);
                near(&format!("{what}: few inputs"), &value, &expected);
                let seen = wide(&value);
                let past = Past { after, value: &seen, cells: &[] };
                let wanted = Wanted { x: true, weight: true, bias: true };
                let back = general_backward(&g, &wide(&x), &wide(&weight), past, &wide(&grad), wanted).unwrap();
                let (back_x, back_weight, back_bias) = (back.x.unwrap(), back.weight.unwrap(), back.bias.unwrap());
                let got = few_inputs::weight_gradient(simd, &s, &x, &grad, relu.then_some(&value[..]));
                near(&format!("{what}: few inputs, weight"), &got.0, &back_weight);
                near(&format!("{what}: few inputs, bias"), &got.1, &back_bias);
                if !relu {
                    let value = few_outputs::value(simd, &s, &x, &weight, Some(&bias));
                    near(&format!("{what}: few outputs"), &value, &expected);
                    let got = few_outputs::input_gradient(simd, &s, &weight, &grad);
                    near(&format!("{what}: few outputs, input"), &got, &back_x);
                    let got = few_outputs::weight_gradient(simd, &s, &x, &grad);
                    near(&format!("{what}: few outputs, weight"), &got.0, &back_weight);
                    near(&format!("{what}: few outputs, bias"), &got.1, &back_bias);
                }
            }
        }
    }
}
