use super::*;
use crate::conv::tests::{near, one_group, singles, wide};
use crate::conv::{call, last};

/// The same by windows, in double precision.
fn by_windows(g: &Geometry, x: &[f32], weight: &[f32], bias: &[f32], grad: &[f32]) -> [Vec<f64>; 3] {
    let (x, weight, grad) = (wide(x), wide(weight), wide(grad));
    let value = last::general(g, &x, &weight, Some(&wide(bias)), call::After::Nothing).unwrap().numbers;
    let wanted = call::Wanted { x: true, weight: true, bias: false };
    let past = call::Past { after: call::After::Nothing, value: &value, cells: &[] };
    let found = last::general_backward(g, &x, &weight, past, &grad, wanted).unwrap();
    [value, found.x.unwrap(), found.weight.unwrap()]
}

#[test]
fn all_three_passes_are_those_of_windows_for_any_stride_padding_and_dilation() {
    let shapes = [
        one_group((2, 8), (16, 16), 64, 3, (2, 1, 1)),
        one_group((3, 9), (17, 13), 33, 3, (2, 1, 1)),
        one_group((1, 12), (9, 31), 17, 5, (3, 0, 2)),
        one_group((2, 16), (7, 6), 40, 2, (2, 0, 1)),
        one_group((1, 8), (11, 10), 8, 1, (3, 0, 1)),
        one_group((1, 10), (5, 4), 9, 3, (4, 3, 1)),
        one_group((1, 11), (3, 40), 50, 3, (1, 2, 3)),
        one_group((5, 40), (64, 65), 48, 3, (2, 1, 1)),
        one_group((1, 8), (1, 1), 8, 3, (1, 1, 1)),
    ];
    for g in shapes {
        let (h, w) = g.result().unwrap();
        let (x, weight) = (singles(1, g.input_len()), singles(2, g.weight_len()));
        let (bias, grad) = (singles(3, g.outputs), singles(4, g.batch * h * w * g.outputs));
        let [value_, input, weights] = by_windows(&g, &x, &weight, &bias, &grad);
        near("value", &value(&g, (h, w), (&x).into(), &weight, Some(&bias)), &value_);
        near("input", &input_gradient(&g, (h, w), &weight, &grad), &input);
        near("weight", &weight_gradient(&g, (h, w), (&x).into(), &grad), &weights);
    }
}
