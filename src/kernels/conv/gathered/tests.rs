use super::*;
use crate::conv::tests::{near, one_group, singles, wide};
use crate::conv::{call, last};
use crate::skip::skip;

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
        // The only window is the whole map: parts of taps and of channels that are not full.
        one_group((6, 40), (8, 8), 72, 8, (1, 0, 1)),
        one_group((5, 131), (5, 5), 33, 5, (1, 0, 1)),
        one_group((1, 300), (3, 3), 9, 3, (2, 0, 1)),
    ];
    for g in shapes {
        let (h, w) = g.result().unwrap();
        let (x, weight) = (singles(1, g.input_len()), singles(2, g.weight_len()));
        let (bias, grad) = (singles(3, g.outputs), singles(4, g.batch * h * w * g.outputs));
        let [value_, input, weights] = by_windows(&g, &x, &weight, &bias, &grad);
        near("value", &value(&g, (h, w), (&x).into(), &weight, Some(&bias), Products::Single), &value_);
        near("input", &input_gradient(&g, (h, w), &weight, &grad, Products::Single), &input);
        near("weight", &weight_gradient(&g, (h, w), (&x).into(), &grad, Products::Single), &weights);
    }
}

#[test]
fn rounded_factors_are_near_and_do_not_depend_on_threads() {
    if !Simd::chosen().multiplies_bf16() {
        return skip("this machine has no AVX-512 BF16");
    }
    let shapes = [
        one_group((2, 8), (16, 16), 64, 3, (2, 1, 1)),
        one_group((3, 10), (20, 28), 34, 3, (2, 1, 1)),
        one_group((1, 12), (9, 36), 18, 5, (3, 0, 2)),
        one_group((2, 18), (32, 24), 48, 8, (4, 3, 1)),
        one_group((6, 132), (7, 7), 40, 7, (1, 0, 1)),
    ];
    for g in shapes {
        let (h, w) = g.result().unwrap();
        let (x, weight) = (singles(1, g.input_len()), singles(2, g.weight_len()));
        let (bias, grad) = (singles(3, g.outputs), singles(4, g.batch * h * w * g.outputs));
        let all = |products| {
            let out = value(&g, (h, w), (&x).into(), &weight, Some(&bias), products);
            let back = input_gradient(&g, (h, w), &weight, &grad, products);
            [out, back, weight_gradient(&g, (h, w), (&x).into(), &grad, products)]
        };
        let (rounded, single) = (all(Products::Rounded), all(Products::Single));
        for (a, b) in rounded.iter().zip(&single) {
            let squares = |x: &mut dyn Iterator<Item = f32>| x.map(|x| f64::from(x) * f64::from(x)).sum::<f64>();
            let error = squares(&mut a.iter().zip(b).map(|(a, b)| a - b));
            let share = (error / squares(&mut b.iter().copied())).sqrt();
            assert!(a.len() == b.len() && share < 4e-3 && share > 1e-4, "{g:?}: {share}");
        }
        let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
        assert!(pool.install(|| all(Products::Rounded)) == rounded, "{g:?}");
    }
}

#[test]
fn what_does_not_come_in_pairs_is_taken_as_it_is() {
    let simd = Simd::chosen();
    assert_eq!(factors(Products::Rounded, simd, 7), Factors::Single);
    assert_eq!(factors(Products::Single, simd, 8), Factors::Single);
    assert_eq!(factors(Products::Rounded, Simd::Portable, 8), Factors::Single);
}

#[test]
fn words_by_vectors_are_those_of_single_numbers() {
    for n in [1, 15, 16, 33] {
        let (one, mut other) = (singles(1, 2 * n), singles(2, n));
        other[n / 2] = f32::NAN;
        let (mut pairs, mut both) = (vec![0.0; n], vec![0.0; n]);
        half::neighbors(&one, &mut pairs);
        half::beside(&one[..n], &other, &mut both);
        let bits = |of: &[f32]| of.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        let expected: Vec<f32> = one.chunks_exact(2).map(|x| word(x[0], x[1])).collect();
        assert_eq!(bits(&pairs), bits(&expected));
        let expected: Vec<f32> = one.iter().zip(&other).map(|(a, b)| word(*a, *b)).collect();
        assert_eq!(bits(&both), bits(&expected));
    }
}
