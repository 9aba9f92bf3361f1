use super::*;
use crate::Mismatch;
use crate::order::{channels_first, channels_last};
use rord_random::Stream;

/// Seven loops: what a convolution is.
fn plain(g: &Geometry, x: &[f64], weight: &[f64], bias: &[f64]) -> Vec<f64> {
    let (h, w) = g.result().unwrap();
    let (ci, co, k) = (g.inputs / g.groups, g.outputs / g.groups, g.kernel);
    let mut out = vec![0.0; g.batch * g.outputs * h * w];
    for (at, out) in out.iter_mut().enumerate() {
        let (q, p, o, b) = (at % w, at / w % h, at / (w * h) % g.outputs, at / (w * h * g.outputs));
        *out = bias[o];
        for c in 0..ci {
            for i in 0..k {
                for j in 0..k {
                    let (y, x_) = (p * g.stride + i * g.dilation, q * g.stride + j * g.dilation);
                    if y < g.pad || x_ < g.pad || y - g.pad >= g.height || x_ - g.pad >= g.width {
                        continue;
                    }
                    let channel = b * g.inputs + o / co * ci + c;
                    out.add_assign(
                        x[(channel * g.height + y - g.pad) * g.width + x_ - g.pad]
                            * weight[((o * ci + c) * k + i) * k + j],
                    );
                }
            }
        }
    }
    out
}

use std::ops::AddAssign;

/// A convolution of one group: (batch, inputs), sides, outputs, kernel, (stride, pad, dilation).
pub(super) fn one_group(
    (batch, inputs): (usize, usize),
    (height, width): (usize, usize),
    outputs: usize,
    kernel: usize,
    (stride, pad, dilation): (usize, usize, usize),
) -> Geometry {
    Geometry { batch, inputs, height, width, outputs, kernel, stride, pad, dilation, groups: 1 }
}

fn shapes() -> Vec<Geometry> {
    let g = |b, i, height, width, outputs, kernel, stride, pad, dilation, groups| Geometry {
        groups,
        ..one_group((b, i), (height, width), outputs, kernel, (stride, pad, dilation))
    };
    vec![
        g(1, 1, 1, 1, 1, 1, 1, 0, 1, 1),
        g(2, 3, 17, 23, 5, 3, 1, 1, 1, 1),
        g(1, 4, 31, 9, 6, 3, 2, 1, 1, 2),
        g(3, 2, 7, 5, 4, 5, 1, 4, 2, 1),
        g(2, 6, 40, 41, 6, 3, 1, 0, 1, 6),
        g(9, 8, 8, 8, 7, 8, 1, 0, 1, 1),
        g(2, 70, 33, 20, 3, 1, 1, 0, 1, 1),
        g(2, 5, 12, 13, 3, 1, 3, 2, 1, 1),
        g(1, 3, 300, 11, 2, 2, 1, 0, 1, 1),
        g(2, 2, 3, 3, 2, 3, 4, 6, 1, 1),
    ]
}

fn numbers(key: u64, n: usize) -> Vec<f64> {
    let mut stream = Stream::new(key, &[n as u64]);
    (0..n).map(|_| stream.range(-1.0, 1.0)).collect()
}

/// As many `f32` numbers from -1 to 1.
pub(super) fn singles(key: u64, n: usize) -> Vec<f32> {
    numbers(key, n).into_iter().map(|x| x as f32).collect()
}

/// The same numbers in double precision.
pub(super) fn wide(x: &[f32]) -> Vec<f64> {
    x.iter().map(|x| f64::from(*x)).collect()
}

/// Every number within 1e-5 of the other, relative to the largest.
pub(super) fn near(what: &str, a: &[f32], b: &[f64]) {
    assert_eq!(a.len(), b.len(), "{what}");
    let scale = b.iter().fold(1e-30, |m: f64, x| m.max(x.abs()));
    for (i, (a, b)) in a.iter().zip(b).enumerate() {
        assert!((f64::from(*a) - b).abs() <= 1e-5 * scale, "{what}: number {i} is {a}, not {b}");
    }
}

fn close(a: &[f64], b: &[f64]) {
    assert_eq!(a.len(), b.len());
    for (a, b) in a.iter().zip(b) {
        assert!((a - b).abs() <= 1e-10 * (1.0 + a.abs()), "{a} is not {b}");
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// The general algorithm on maps laid out channels first, as the loops above have them.
fn forward<T: crate::Float>(g: &Geometry, x: &[T], weight: &[T], bias: Option<&[T]>) -> Result<Vec<T>, Mismatch> {
    let (h, w) = g.result()?;
    let x = channels_last(x, (g.batch, g.inputs, g.height * g.width))?;
    let made = last::general(g, &x, weight, bias, call::After::Nothing)?;
    channels_first(&made.numbers, (g.batch, g.outputs, h * w))
}

/// The gradients of input, weight and bias, likewise.
fn gradients<T: crate::Float>(g: &Geometry, x: &[T], weight: &[T], grad: &[T]) -> Result<[Vec<T>; 3], Mismatch> {
    let (h, w) = g.result()?;
    let cells = (g.batch, g.inputs, g.height * g.width);
    let (x, grad) = (channels_last(x, cells)?, channels_last(grad, (g.batch, g.outputs, h * w))?);
    let wanted = call::Wanted { x: true, weight: true, bias: true };
    let past = call::Past { after: call::After::Nothing, value: &grad, cells: &[] };
    let found = last::general_backward(g, &x, weight, past, &grad, wanted)?;
    Ok([channels_first(&found.x.unwrap(), cells)?, found.weight.unwrap(), found.bias.unwrap()])
}

#[test]
fn the_value_is_the_sum_over_taps() {
    for g in shapes() {
        let (x, w, b) = (numbers(1, g.input_len()), numbers(2, g.weight_len()), numbers(3, g.outputs));
        close(&forward(&g, &x, &w, Some(&b)).unwrap(), &plain(&g, &x, &w, &b));
    }
}

#[test]
fn the_gradients_are_the_transposes() {
    // The value is linear in x and in the weight, so ⟨grad, f(x)⟩ = ⟨gradient, x⟩ for every x names each gradient
    // exactly.
    for g in shapes() {
        let (h, w) = g.result().unwrap();
        let weight = numbers(2, g.weight_len());
        let grad = numbers(4, g.batch * g.outputs * h * w);
        let x = numbers(1, g.input_len());
        let zero = vec![0.0; g.outputs];
        let [gx, gw, gb] = gradients(&g, &x, &weight, &grad).unwrap();
        for key in 5..8 {
            let (dx, dw, db) = (numbers(key, g.input_len()), numbers(key, g.weight_len()), numbers(key, g.outputs));
            close(&[dot(&gx, &dx)], &[dot(&grad, &plain(&g, &dx, &weight, &zero))]);
            close(&[dot(&gw, &dw)], &[dot(&grad, &plain(&g, &x, &dw, &zero))]);
            close(&[dot(&gb, &db)], &[dot(&grad, &plain(&g, &vec![0.0; x.len()], &weight, &db))]);
        }
    }
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let g = Geometry {
        batch: 5,
        inputs: 9,
        height: 37,
        width: 41,
        outputs: 7,
        kernel: 3,
        stride: 1,
        pad: 1,
        dilation: 1,
        groups: 1,
    };
    let single = |v: Vec<f64>| v.into_iter().map(|x| x as f32).collect::<Vec<f32>>();
    let (x, w) = (single(numbers(1, g.input_len())), single(numbers(2, g.weight_len())));
    let grad = single(numbers(3, g.batch * g.outputs * 37 * 41));
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| (forward(&g, &x, &w, None).unwrap(), gradients(&g, &x, &w, &grad).unwrap()))
    };
    assert_eq!(run(1), run(3));
}

#[test]
fn sizes_that_do_not_fit_are_errors() {
    let g = shapes()[1];
    let (x, w) = (vec![0.0f32; g.input_len()], vec![0.0f32; g.weight_len()]);
    let forward =
        |g: &Geometry, x: &[f32], w: &[f32], b| last::forward(g, x, w, b, call::After::Nothing, call::Products::Single);
    assert!(forward(&g, &x[1..], &w, None).is_err());
    assert!(forward(&g, &x, &w[1..], None).is_err());
    assert!(forward(&Geometry { groups: 2, ..g }, &x, &w, None).is_err());
    assert!(forward(&Geometry { kernel: 40, ..g }, &x, &w, None).is_err());
    assert!(forward(&Geometry { stride: 0, ..g }, &x, &w, None).is_err());
    assert!(forward(&Geometry { pad: 1 << 50, ..g }, &x, &w, None).is_err());
}

/// Convolutions that each fast algorithm takes, and some that none does.
fn taken_by_each() -> Vec<Geometry> {
    let g = |b, i, height, width, outputs, kernel, stride| {
        one_group((b, i), (height, width), outputs, kernel, (stride, kernel / 2, 1))
    };
    vec![
        g(2, 3, 7, 9, 6, 3, 1),
        g(1, 2, 6, 5, 3, 3, 1),
        g(2, 40, 5, 6, 2, 3, 1),
        g(2, 6, 9, 10, 7, 3, 1),
        g(2, 40, 7, 5, 33, 1, 1),
        g(1, 6, 8, 8, 7, 5, 1),
        g(1, 6, 9, 8, 7, 3, 2),
        Geometry { dilation: 2, pad: 2, ..g(2, 6, 9, 8, 7, 3, 1) },
        Geometry { dilation: 3, pad: 3, ..g(1, 8, 14, 13, 9, 3, 1) },
    ]
}

#[test]
fn every_way_computes_what_the_general_one_does() {
    use call::{After, Past, Products, Wanted};
    use last::{backward, general, general_backward};
    let forward = |g: &Geometry, x: &[f32], w: &[f32], b: Option<&[f32]>, after| {
        last::forward(g, x, w, b, after, Products::Single)
    };
    for g in taken_by_each() {
        let (x, weight, bias) = (numbers(1, g.input_len()), numbers(2, g.weight_len()), numbers(3, g.outputs));
        let single = |x: &[f64]| x.iter().map(|x| *x as f32).collect::<Vec<f32>>();
        let near = |what: &str, a: &[f32], b: &[f64]| {
            assert_eq!(a.len(), b.len(), "{g:?}: {what}");
            let bad = a.iter().zip(b).find(|(a, b)| (f64::from(**a) - **b).abs() > 1e-4);
            assert_eq!(bad, None, "{g:?}: {what}");
        };
        for after in [After::Nothing, After::Relu, After::ReluPool] {
            let expected = general(&g, &x, &weight, Some(&bias), after).unwrap();
            let double = last::forward(&g, &x, &weight, Some(&bias), after, Products::Rounded).unwrap();
            assert_eq!(double.cells, expected.cells);
            let (sx, sw, sb) = (single(&x), single(&weight), single(&bias));
            let value = forward(&g, &sx, &sw, Some(&sb), after).unwrap();
            near("value", &value.numbers, &expected.numbers);
            // One number in single precision may have another sign than in double: go back by what was found.
            let (value, cells) = (value.numbers, value.cells);
            let seen: Vec<f64> = value.iter().map(|x| f64::from(*x)).collect();
            let grad = numbers(4, value.len());
            let wanted = Wanted { x: true, weight: true, bias: true };
            let past = Past { after, value: &seen, cells: &cells };
            let expected = general_backward(&g, &x, &weight, past, &grad, wanted).unwrap();
            let past = Past { after, value: &value, cells: &cells };
            let got = backward(&g, &sx, &sw, past, &single(&grad), wanted, Products::Single).unwrap();
            near("input", &got.x.unwrap(), &expected.x.unwrap());
            near("weight", &got.weight.unwrap(), &expected.weight.unwrap());
            near("bias", &got.bias.unwrap(), &expected.bias.unwrap());
            let none = Wanted { x: false, weight: false, bias: false };
            assert_eq!(
                backward(&g, &sx, &sw, past, &single(&grad), none, Products::Single).unwrap(),
                Default::default()
            );
            assert!(backward(&g, &sx, &sw, past, &single(&grad[1..]), wanted, Products::Single).is_err());
        }
        assert!(forward(&g, &single(&x[1..]), &single(&weight), None, After::Nothing).is_err());
        // What is not a number must not vanish in relu or among maxima: a run would go on with a dead layer.
        let mut broken = single(&weight);
        broken[0] = f32::NAN;
        for after in [After::Relu, After::ReluPool] {
            let out = forward(&g, &single(&x), &broken, None, after).unwrap().numbers;
            let lost = out.iter().step_by(g.outputs).filter(|y| !y.is_nan()).count();
            let edge = if after == After::Relu { g.batch * (g.height + g.width) * g.dilation } else { 0 };
            assert!(lost <= edge, "{g:?} {after:?}: {lost} of {} numbers are finite", out.len() / g.outputs);
        }
    }
}

#[test]
fn what_is_read_through_lines_is_what_they_make() {
    use call::{After, Past, Products, Seen, Wanted};
    let wanted = Wanted { x: true, weight: true, bias: true };
    for (g, rectified) in taken_by_each().into_iter().flat_map(|g| [(g, true), (g, false)]) {
        let line = |key, from: f32| singles(key, g.inputs).iter().map(|x| x + from).collect::<Vec<f32>>();
        let lines =
            crate::batch_norm::Lines { mean: line(5, 0.0), scale: line(6, 1.0), shift: line(7, 0.5), rectified };
        let (x, weight, bias) = (singles(1, g.input_len()), singles(2, g.weight_len()), singles(3, g.outputs));
        let seen = Seen { numbers: &x, lines: Some(&lines) };
        let made = seen.made(g.inputs).unwrap().unwrap();
        for after in [After::Nothing, After::Relu, After::ReluPool] {
            let value = |x: Seen<f32>| last::forward(&g, x, &weight, Some(&bias), after, Products::Single).unwrap();
            let expected = value((&made).into());
            assert_eq!(value(seen), expected, "{g:?}");
            let (past, grad) =
                (Past { after, value: &expected.numbers, cells: &expected.cells }, singles(4, expected.numbers.len()));
            let back = |x: Seen<f32>| last::backward(&g, x, &weight, past, &grad, wanted, Products::Single).unwrap();
            assert_eq!(back(seen), back((&made).into()), "{g:?}");
        }
    }
    let g = taken_by_each()[3];
    let short = crate::batch_norm::Lines { mean: vec![], scale: vec![], shift: vec![], rectified: true };
    let (x, weight) = (singles(1, g.input_len()), singles(2, g.weight_len()));
    let seen = Seen { numbers: &x, lines: Some(&short) };
    assert!(last::forward(&g, seen, &weight, None, After::Nothing, Products::Single).is_err());
}
