//! Losses of two views, by construction: with a map that moves as its image does, what two views disagree about is nothing.
//!
//! A map is made from an image by a function that commutes with the move: a pointwise nonlinearity, then pooling. The second view is
//! the first one with its pixels permuted, or a ramp that is known everywhere. The detection loss as published is then 0 at all 8
//! symmetries of the square, and clearly not 0 with any of the mistakes that a single symmetry cannot see: H and its inverse swapped,
//! matrices in pixels, corners aligned, cells read at their corners.
use candle_core::{DType, Device, Tensor};
use rord_lang::constant::{Constant, Settings};
use rord_ops::compute::Call;
use rord_ops::compute::samples::numbers;
use rord_random::Stream;

/// A row-major 3 × 3 matrix in normalized coordinates.
type Matrix = [f64; 9];

/// Applies an operation of the vocabulary.
fn apply(op: &str, inputs: &[(&str, &Tensor)], settings: &[(&str, Constant)], shape: &[usize]) -> Tensor {
    let compute = rord_ops::find(op).and_then(|op| op.compute).expect("an operation that computes");
    let inputs: Vec<(&str, Tensor)> = inputs.iter().map(|(name, t)| (*name, (*t).clone())).collect();
    let settings = Settings(settings.iter().map(|(name, value)| ((*name).to_string(), value.clone())).collect());
    let call = Call {
        inputs: &inputs,
        settings: &settings,
        shape,
        stream: [0, 0, 0],
        training: true,
        wants: &[],
        share: None,
        apart: false,
    };
    compute.forward(&call).unwrap_or_else(|e| panic!("{op}: {e}")).value
}

fn word(word: &str) -> Constant {
    Constant::Word(word.into())
}

fn matrix(m: &Matrix, dtype: DType) -> Tensor {
    Tensor::from_vec(m.to_vec(), (1, 3, 3), &Device::Cpu).unwrap().to_dtype(dtype).unwrap()
}

fn inverse(m: &Tensor) -> Tensor {
    apply("inv", &[("x", m)], &[], &[1, 3, 3])
}

/// `warp(x, by)`: the operation reads its source at the inverse of the matrix it moves by.
fn warp(x: &Tensor, by: &Tensor) -> Tensor {
    apply("warp", &[("x", x), ("back", &inverse(by))], &[], x.dims())
}

fn bce(target: &Tensor, pred: &Tensor) -> f64 {
    numbers(&apply("bce", &[("target", target), ("pred", pred)], &[("reduce", word("mean"))], &[])).unwrap()[0]
}

fn smoothl1(target: &Tensor, pred: &Tensor, mask: Option<&Tensor>) -> f64 {
    let mut inputs = vec![("target", target), ("pred", pred)];
    inputs.extend(mask.map(|m| ("mask", m)));
    numbers(&apply("smoothl1", &inputs, &[("beta", Constant::Number(1.0)), ("reduce", word("mean"))], &[])).unwrap()[0]
}

/// `bce(det, warp(det_r, inv(H))) + 0.1 * smoothl1(det, warp(det_r, inv(H)))`
fn detection(det: &Tensor, det_r: &Tensor, h: &Tensor) -> f64 {
    let home = warp(det_r, &inverse(h));
    bce(det, &home) + 0.1 * smoothl1(det, &home, None)
}

/// The symmetries of the square that take (x, y) to (a·x + b·y, c·x + d·y).
const SYMMETRIES: [[i64; 4]; 8] = [
    [1, 0, 0, 1],
    [0, -1, 1, 0],
    [-1, 0, 0, -1],
    [0, 1, -1, 0],
    [-1, 0, 0, 1],
    [0, 1, 1, 0],
    [1, 0, 0, -1],
    [0, -1, -1, 0],
];

/// The quarter turns, which alone are not their own inverses.
const TURNS: [usize; 2] = [1, 3];

fn homography(s: &[i64; 4]) -> Matrix {
    let [a, b, c, d] = s.map(|x| x as f64);
    [a, b, 0.0, c, d, 0.0, 0.0, 0.0, 1.0]
}

/// The second view of an n × n image: `image_r(S p) = image(p)`, each pixel set where its own goes. Whole numbers only.
fn second_view(image: &[f64], n: usize, s: &[i64; 4]) -> Vec<f64> {
    let place = |i: usize| (2 * i + 1) as i64 - n as i64;
    let cell = |x: i64| ((x + n as i64 - 1) / 2) as usize;
    let mut out = vec![f64::NAN; n * n];
    for row in 0..n {
        for column in 0..n {
            let (x, y) = (place(column), place(row));
            out[cell(s[2] * x + s[3] * y) * n + cell(s[0] * x + s[1] * y)] = image[row * n + column];
        }
    }
    assert!(out.iter().all(|x| x.is_finite()), "a permutation");
    out
}

/// The map of an image: brighter than one half after squaring, or a grey of it; then the brightest or the mean of each block.
fn map(image: &[f64], n: usize, stride: usize, binary: bool, dtype: DType) -> Tensor {
    let image = Tensor::from_vec(image.to_vec(), (1, 1, n, n), &Device::Cpu).unwrap().to_dtype(dtype).unwrap();
    let features = if binary {
        (image.sqr().unwrap() - 0.5).unwrap().gt(0.0).unwrap().to_dtype(dtype).unwrap()
    } else {
        apply("sigmoid", &[("x", &image.affine(9.0, -4.0).unwrap())], &[], image.dims())
    };
    let side = n / stride;
    let pool = if binary { "max_pool" } else { "avg_pool" };
    apply(pool, &[("x", &features)], &[("k", Constant::Number(stride as f64))], &[1, 1, side, side])
}

fn image(n: usize) -> Vec<f64> {
    let mut stream = Stream::new(4, &[n as u64]);
    (0..n * n).map(|_| stream.uniform()).collect()
}

#[test]
fn the_detection_loss_is_zero_at_all_symmetries() {
    for dtype in [DType::F32, DType::F64] {
        for (n, stride) in [(16, 1), (16, 2), (15, 3), (32, 4), (127, 1), (128, 8)] {
            let image = image(n);
            for s in &SYMMETRIES {
                let (h, image_r) = (matrix(&homography(s), dtype), second_view(&image, n, s));
                let (det, det_r) = (map(&image, n, stride, true, dtype), map(&image_r, n, stride, true, dtype));
                let marks: f64 = numbers(&det).unwrap().iter().sum();
                assert!(marks > 0.0, "a map without marks says nothing");
                let loss = detection(&det, &det_r, &h);
                assert!(loss.abs() <= 1e-6, "{n} by {n} at stride {stride}, {s:?}: {loss}");
                let (det, det_r) = (map(&image, n, stride, false, dtype), map(&image_r, n, stride, false, dtype));
                let apart = smoothl1(&det, &warp(&det_r, &inverse(&h)), None);
                assert!(apart <= 1e-9, "{n} by {n} at stride {stride}, {s:?}: grey maps are {apart} apart");
                // The entropy of the map itself is what is left of the other part.
                let rest = bce(&det, &warp(&det_r, &inverse(&h))) - bce(&det, &det);
                assert!(rest.abs() <= 1e-6, "{n} by {n} at stride {stride}, {s:?}: {rest}");
            }
        }
    }
}

#[test]
fn a_swapped_homography_is_seen_at_quarter_turns_and_only_there() {
    let (n, dtype) = (32, DType::F64);
    let image = image(n);
    for (i, s) in SYMMETRIES.iter().enumerate() {
        let (h, image_r) = (matrix(&homography(s), dtype), second_view(&image, n, s));
        let (det, det_r) = (map(&image, n, 2, true, dtype), map(&image_r, n, 2, true, dtype));
        let loss = detection(&det, &det_r, &inverse(&h));
        if TURNS.contains(&i) {
            assert!(loss > 1.0, "{s:?}: {loss}");
        } else {
            assert!(loss <= 1e-6, "{s:?} is its own inverse: {loss}");
        }
    }
}

#[test]
fn a_matrix_in_pixels_is_seen_at_all_symmetries_but_two_or_fewer() {
    let (n, dtype) = (32, DType::F64);
    let image = image(n);
    let mut seen = 0;
    for s in &SYMMETRIES {
        let image_r = second_view(&image, n, s);
        let (det, det_r) = (map(&image, n, 1, true, dtype), map(&image_r, n, 1, true, dtype));
        // In pixels the middle is at (n - 1)/2, so every symmetry but the identity is also a shift.
        let [a, b, c, d] = s.map(|x| x as f64);
        let middle = (n as f64 - 1.0) / 2.0;
        let pixels = [a, b, middle - (a + b) * middle, c, d, middle - (c + d) * middle, 0.0, 0.0, 1.0];
        seen += usize::from(detection(&det, &det_r, &matrix(&pixels, dtype)) > 1.0);
    }
    assert!(seen >= 6, "seen at {seen} of 8");
}

/// A map that is linear in normalized coordinates: `ramp(p) = 0.5 + 0.2·x - 0.15·y`, moved by an affine T.
fn ramp(h: usize, w: usize, moved_by: &Matrix, dtype: DType) -> Tensor {
    let back = numbers(&inverse(&matrix(moved_by, DType::F64))).unwrap();
    let place = |i: usize, n: usize| (2 * i + 1) as f64 / n as f64 - 1.0;
    let at = |row: usize, column: usize| {
        let (x, y) = (place(column, w), place(row, h));
        let along = |r: usize| back[3 * r] * x + back[3 * r + 1] * y + back[3 * r + 2];
        0.5 + 0.2 * along(0) / along(2) - 0.15 * along(1) / along(2)
    };
    let cells: Vec<f64> = (0..h * w).map(|i| at(i / w, i % w)).collect();
    Tensor::from_vec(cells, (1, 1, h, w), &Device::Cpu).unwrap().to_dtype(dtype).unwrap()
}

/// A turn, a stretch, a shear and a shift, all of them drawn.
fn affine(stream: &mut Stream) -> Matrix {
    let (angle, shear) = (stream.range(0.4, 1.2), stream.range(-0.3, 0.3));
    let (s, c) = angle.sin_cos();
    let (p, q) = (stream.range(0.75, 0.95), stream.range(1.05, 1.3));
    [c * p, shear - s * q, stream.range(0.1, 0.3), s * p, c * q, stream.range(-0.3, -0.1), 0.0, 0.0, 1.0]
}

const IDENTITY: Matrix = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0];

/// The masked loss of a ramp and the same ramp seen from the second view, brought home by `by`; the mask is that of `seen`.
fn ramps(h: &Matrix, by: &Tensor, seen: &Tensor, size: (usize, usize), dtype: DType) -> f64 {
    let (rows, columns) = size;
    let (first, second) = (ramp(rows, columns, &IDENTITY, dtype), ramp(rows, columns, h, dtype));
    let mask = apply("inside", &[("back", &inverse(seen))], &[], &[1, 1, rows, columns]);
    let share = numbers(&mask).unwrap().iter().sum::<f64>() / (rows * columns) as f64;
    assert!(share > 0.2 && share < 1.0, "{share} of the map is seen: the mask has nothing to do");
    smoothl1(&first, &warp(&second, by), Some(&mask))
}

#[test]
fn a_ramp_comes_home_from_any_affine_inside_the_mask_at_every_stride() {
    let mut stream = Stream::new(6, &[]);
    for round in 0..20 {
        let h = affine(&mut stream);
        for dtype in [DType::F32, DType::F64] {
            let (there, home) = (matrix(&h, dtype), inverse(&matrix(&h, dtype)));
            for size in [(64, 64), (16, 16), (33, 48), (8, 8)] {
                let loss = ramps(&h, &home, &home, size, dtype);
                // A place in the rim of 1e-4 cells is drawn onto the border: that much of the ramp may be missing.
                assert!(loss < 1e-11, "{round}: {loss} at {size:?} in {dtype:?}");
                let swapped = ramps(&h, &there, &home, size, dtype);
                assert!(swapped > 1e-3, "{round}: swapped {swapped} at {size:?}");
                // Without the mask the zeros outside are compared as if they were seen.
                let (first, second) = (ramp(size.0, size.1, &IDENTITY, dtype), ramp(size.0, size.1, &h, dtype));
                assert!(smoothl1(&first, &warp(&second, &home), None) > 1e-3, "{round}: unmasked");
            }
        }
    }
}

#[test]
fn other_conventions_are_seen() {
    let (mut stream, dtype) = (Stream::new(7, &[]), DType::F64);
    for _ in 0..20 {
        let h = affine(&mut stream);
        let home = inverse(&matrix(&h, dtype));
        for n in [8usize, 16, 64] {
            let right = ramps(&h, &home, &home, (n, n), dtype);
            // With corners aligned, -1 and 1 are the outermost cells' centres: the same move of pixels is another matrix.
            let shift = n as f64 / (n as f64 - 1.0);
            let aligned = [h[0], h[1], h[2] * shift, h[3], h[4], h[5] * shift, 0.0, 0.0, 1.0];
            // The same matrix read with corners aligned: places are drawn together towards the middle.
            let narrow =
                [h[0] / shift, h[1] / shift, h[2] / shift, h[3] / shift, h[4] / shift, h[5] / shift, 0.0, 0.0, 1.0];
            let half = n as f64 / 2.0;
            let middle = half - 0.5;
            let shifts = [h[2] * half, h[5] * half];
            let moved = |r: usize| shifts[r / 3] + middle - (h[r] + h[r + 1]) * middle;
            let pixels = [h[0], h[1], moved(0), h[3], h[4], moved(3), 0.0, 0.0, 1.0];
            for (name, wrong) in [("aligned", aligned), ("narrow", narrow), ("pixels", pixels)] {
                let loss = ramps(&h, &inverse(&matrix(&wrong, dtype)), &home, (n, n), dtype);
                assert!(loss > 1e-8 && loss > 1e4 * right, "{name} at {n}: {loss}, right is {right}");
            }
        }
    }
}

#[test]
fn a_pooled_cell_lies_in_the_middle_of_its_pixels() {
    let (mut stream, dtype, n) = (Stream::new(8, &[]), DType::F64, 64);
    for stride in [2usize, 4, 8] {
        let h = affine(&mut stream);
        let (home, side) = (inverse(&matrix(&h, dtype)), n / stride);
        let shape = [1, 1, side, side];
        let pooled = |x: &Tensor| apply("avg_pool", &[("x", x)], &[("k", Constant::Number(stride as f64))], &shape);
        let corner = |x: &Tensor| {
            let cells = Tensor::arange_step(0u32, n as u32, stride as u32, &Device::Cpu).unwrap();
            x.index_select(&cells, 2).unwrap().index_select(&cells, 3).unwrap()
        };
        let (first, second) = (ramp(n, n, &IDENTITY, dtype), ramp(n, n, &h, dtype));
        let mask = apply("inside", &[("back", &inverse(&home))], &[], &shape);
        let loss = smoothl1(&pooled(&first), &warp(&pooled(&second), &home), Some(&mask));
        assert!(loss < 1e-24, "stride {stride}: {loss}");
        // Cell i read as pixel stride·i, not stride·i + (stride - 1)/2.
        let loss = smoothl1(&corner(&first), &warp(&corner(&second), &home), Some(&mask));
        assert!(loss > 1e-6, "stride {stride}: {loss}");
    }
}

#[test]
fn positives_are_read_where_their_anchors_went() {
    let (n, dtype) = (32, DType::F64);
    let image = image(n);
    let like = Tensor::zeros((1, 1, n, n), dtype, &Device::Cpu).unwrap();
    let anchors = apply("grid", &[("like", &like)], &[("n", Constant::Number(200.0))], &[1, 200, 2]);
    let vectors = |map: &Tensor, at: &Tensor| apply("sample", &[("map", map), ("points", at)], &[], &[1, 200, 2]);
    let two = |x: &[f64]| {
        let map = map(x, n, 2, false, dtype);
        Tensor::cat(&[map.clone(), map.sqr().unwrap()], 1).unwrap()
    };
    for (i, s) in SYMMETRIES.iter().enumerate() {
        let h = matrix(&homography(s), dtype);
        let (desc, desc_r) = (two(&image), two(&second_view(&image, n, s)));
        let apart = |h: &Tensor| {
            let there = apply("move", &[("points", &anchors), ("by", h)], &[], &[1, 200, 2]);
            let pair = [("a", &vectors(&desc, &anchors)), ("b", &vectors(&desc_r, &there))];
            let settings = [("p", Constant::Number(2.0)), ("squared", Constant::Flag(true))];
            numbers(&apply("distance", &pair, &settings, &[1, 200])).unwrap().into_iter().fold(0.0, f64::max)
        };
        assert!(apart(&h) < 1e-20, "{s:?}: {}", apart(&h));
        assert_eq!(apart(&inverse(&h)) > 1e-2, TURNS.contains(&i), "{s:?}: {}", apart(&inverse(&h)));
    }
}

/// The largest difference of two lists of numbers.
fn apart(a: &Tensor, b: &Tensor) -> f64 {
    let (a, b) = (numbers(a).unwrap(), numbers(b).unwrap());
    assert_eq!(a.len(), b.len());
    a.iter().zip(&b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

#[test]
fn peaks_and_their_soft_places_move_as_the_view_does() {
    let count = |n: usize| Constant::Number(n as f64);
    for dtype in [DType::F32, DType::F64] {
        for n in [9, 16, 31] {
            let score = image(n);
            for (i, s) in SYMMETRIES.iter().enumerate() {
                let h = matrix(&homography(s), dtype);
                let map =
                    |x: Vec<f64>| Tensor::from_vec(x, (1, 1, n, n), &Device::Cpu).unwrap().to_dtype(dtype).unwrap();
                let (det, det_r) = (map(score.clone()), map(second_view(&score, n, s)));
                let pixels = [("width", count(2 * n)), ("height", count(2 * n))];
                // 12 px are 6 cells, so that there are fewer peaks than are asked for, and the rest has to agree, too.
                for (keep, apart_by, border) in [(5, 5.0, 0.0), (12, 12.0, 3.0)] {
                    let lengths = [("apart", Constant::Number(apart_by)), ("border", Constant::Number(border))];
                    let settings = [&[("keep", count(keep))], &lengths[..], &pixels[..]].concat();
                    let at = |det: &Tensor| apply("peaks", &[("score", det)], &settings, &[1, keep, 2]);
                    let moved = |p: &Tensor, k: usize| apply("move", &[("points", p), ("by", &h)], &[], &[1, k, 2]);
                    let (first, second) = (at(&det), at(&det_r));
                    assert!(apart(&moved(&first, keep), &second) < 1e-5, "peaks at {s:?} of {n}");
                    if i > 0 {
                        assert!(apart(&first, &second) > 0.05, "{s:?} of {n} moves nothing");
                    }
                    let settings = [("window", count(5)), ("temperature", Constant::Number(0.2))];
                    let soft = |det: &Tensor, p: &Tensor| {
                        apply("soft_argmax", &[("score", det), ("at", p)], &settings, &[1, keep, 2])
                    };
                    let (first, second) = (soft(&det, &first), soft(&det_r, &second));
                    assert!(apart(&moved(&first, keep), &second) < 1e-5, "soft places at {s:?} of {n}");
                    let whole = |det: &Tensor| {
                        apply("soft_argmax", &[("score", det)], &[("temperature", Constant::Number(0.05))], &[1, 1, 2])
                    };
                    assert!(apart(&moved(&whole(&det), 1), &whole(&det_r)) < 1e-5, "whole map at {s:?} of {n}");
                    // How far it spreads is one number for both views.
                    let spread = [&settings[..], &[("squared", Constant::Flag(false))], &pixels[..]].concat();
                    let spread = |det: &Tensor, p: &Tensor| {
                        apply("dispersion", &[("score", det), ("at", p)], &spread, &[1, keep])
                    };
                    let (first, second) = (spread(&det, &at(&det)), spread(&det_r, &at(&det_r)));
                    assert!(apart(&first, &second) < 1e-4, "dispersion at {s:?} of {n}");
                }
            }
        }
    }
}
