#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use super::*;

/// Every operation of `Lanes` on one vector, with everything written behind it.
struct Everything;

impl Task for Everything {
    type Out = Vec<Vec<f32>>;

    #[inline(always)]
    unsafe fn run<L: Lanes>(self) -> Self::Out {
        let n = L::N;
        let a: Vec<f32> = (0..n).map(|i| i as f32 - 2.5).collect();
        let b: Vec<f32> = (0..n).map(|i| 1.5 - (i % 3) as f32).collect();
        let nan: Vec<f32> = (0..n).map(|i| if i == 1 { f32::NAN } else { -1.0 }).collect();
        let mut out = Vec::new();
        unsafe {
            let (va, vb) = (L::load(a.as_ptr()), L::load(b.as_ptr()));
            let mut keep = |v: L| {
                let mut row = vec![9.0; n];
                v.store(row.as_mut_ptr());
                row.truncate(4);
                out.push(row);
            };
            keep(L::splat(3.0));
            keep(va.add(vb));
            keep(va.sub(vb));
            keep(va.mul(vb));
            keep(va.plus(vb, vb));
            keep(va.minus(vb, vb));
            keep(va.rectified());
            keep(L::load(nan.as_ptr()).rectified());
            keep(va.where_positive(vb));
            keep(va.where_positive(L::load(nan.as_ptr())));
            keep(L::largest([L::splat(1.0), L::load(nan.as_ptr()), va, L::splat(2.0)], vec![0; n].as_mut_ptr()));
            keep(L::load_part(a.as_ptr(), 3));
            let cells: Vec<u8> = (0..n).map(|i| (i % 4) as u8).collect();
            keep(va.where_cell(cells.as_ptr(), 2));
            let mut found = vec![7u8; n];
            let largest = L::largest([vb, va, L::splat(-0.5), L::splat(-0.25)], found.as_mut_ptr());
            keep(largest);
            keep(L::largest([L::splat(-1.0); 4], found.as_mut_ptr()));
            assert!(found.iter().all(|c| *c == 4));
            L::largest([L::splat(1.0), L::splat(1.0), vb, va], found.as_mut_ptr());
            out.push(found.iter().take(4).map(|c| f32::from(*c)).collect());
            let mut row = vec![9.0; n];
            va.store_part(row.as_mut_ptr(), 2);
            row.truncate(4);
            out.push(row);
            assert_eq!(L::splat(1.0).total(), n as f32);
        }
        out
    }
}

#[test]
fn every_kind_of_vector_computes_the_same() {
    let expected = vec![
        vec![3.0, 3.0, 3.0, 3.0],
        vec![-1.0, -1.0, -1.0, 2.0],
        vec![-4.0, -2.0, 0.0, -1.0],
        vec![-3.75, -0.75, 0.25, 0.75],
        vec![-0.25, -1.25, -0.25, 2.75],
        vec![-4.75, -1.75, -0.75, -1.75],
        vec![0.0, 0.0, 0.0, 0.5],
        vec![0.0, f32::NAN, 0.0, 0.0],
        vec![-2.5, -1.5, 0.0, 0.5],
        vec![0.0, -1.5, 0.0, 0.0],
        vec![2.0, f32::NAN, 2.0, 2.0],
        vec![-2.5, -1.5, -0.5, 0.0],
        vec![0.0, 0.0, -0.5, 0.0],
        vec![1.5, 0.5, 0.0, 1.5],
        vec![0.0, 0.0, 0.0, 0.0],
        vec![2.0, 0.0, 0.0, 2.0],
        vec![-2.5, -1.5, 9.0, 9.0],
    ];
    for simd in Simd::ALL.into_iter().filter(|s| s.runs_here()) {
        let got = run(simd, Everything);
        for (row, (a, b)) in got.iter().zip(&expected).enumerate() {
            let same = a.iter().zip(b).all(|(a, b)| a == b || a.is_nan() && b.is_nan());
            assert!(same, "{}, operation {row}: {a:?} is not {b:?}", simd.name());
        }
        assert_eq!(got.len(), expected.len());
    }
}
