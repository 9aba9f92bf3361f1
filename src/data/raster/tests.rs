//! Coverage checked against areas, samples and itself.

use super::*;
use crate::layout::{Bounds, LayerKey, LayoutLayer, Polygons};
use rord_random::Stream;

fn rectangle(x0: f64, y0: f64, x1: f64, y1: f64) -> [[f64; 2]; 4] {
    [[x0, y0], [x1, y0], [x1, y1], [x0, y1]]
}

fn total(coverage: &[u8]) -> f64 {
    coverage.iter().map(|&c| f64::from(c) / 255.0).sum()
}

/// A star-shaped polygon around (x, y): simple, so that the shoelace formula gives its area.
fn star(stream: &mut Stream, x: f64, y: f64, radius: f64) -> Vec<[f64; 2]> {
    let corners = 3 + stream.below(12);
    (0..corners)
        .map(|k| {
            let (sin, cos) = ((k as f64 + stream.uniform()) / corners as f64 * std::f64::consts::TAU).sin_cos();
            let r = stream.range(0.2, 1.0) * radius;
            [x + r * cos, y + r * sin]
        })
        .collect()
}

fn shoelace(points: &[[f64; 2]]) -> f64 {
    let next = points.iter().cycle().skip(1);
    0.5 * points.iter().zip(next).map(|(a, b)| a[0] * b[1] - a[1] * b[0]).sum::<f64>().abs()
}

/// The share of an n × n grid of points in a pixel that lies in one of the polygons.
fn sampled(polygons: &[Vec<[f64; 2]>], column: usize, row: usize, n: usize) -> f64 {
    let inside = |polygon: &Vec<[f64; 2]>, x: f64, y: f64| {
        let sides = polygon.iter().zip(polygon.iter().cycle().skip(1));
        let winding: i32 = sides
            .map(|(a, b)| {
                let right = |a: &[f64; 2], b: &[f64; 2]| a[0] + (b[0] - a[0]) * (y - a[1]) / (b[1] - a[1]) > x;
                i32::from(a[1] <= y && b[1] > y && right(a, b)) - i32::from(b[1] <= y && a[1] > y && right(a, b))
            })
            .sum();
        winding != 0
    };
    let place = |cell: usize, k: usize| cell as f64 + (k as f64 + 0.5) / n as f64;
    let hits = (0..n * n).filter(|k| polygons.iter().any(|p| inside(p, place(column, k % n), place(row, k / n))));
    hits.count() as f64 / (n * n) as f64
}

#[test]
fn random_polygons_have_the_area_of_the_shoelace_formula() {
    let mut stream = Stream::new(1, &[]);
    for _ in 0..200 {
        let polygon = star(&mut stream, 40.3, 38.9, 38.0);
        let area = total(&fill(80, 80, &[&polygon]));
        // Each pixel on the outline is rounded by at most 1/510, mostly in both directions.
        assert!((area - shoelace(&polygon)).abs() < 0.15, "{area} for {}", shoelace(&polygon));
    }
}

#[test]
fn a_triangle_covers_each_pixel_by_its_exact_part() {
    let triangle = [[0.0, 0.0], [4.0, 0.0], [0.0, 2.0]];
    let quarter = |parts: u8| (f64::from(parts) / 4.0 * 255.0).round() as u8;
    let expected = [4, 4, 3, 1, 3, 1, 0, 0].map(quarter);
    assert_eq!(fill(4, 2, &[&triangle]), expected);
}

#[test]
fn abutting_rectangles_fill_their_pixel_and_overlapping_ones_do_not_exceed_it() {
    let (a, b) = (rectangle(0.0, 0.2, 1.3, 1.0), rectangle(1.3, 0.2, 3.0, 1.0));
    assert_eq!(fill(3, 1, &[&a, &b]), [204; 3]);
    // Corners that meet inside a pixel, four ways round.
    let four = [(0.0, 0.0, 1.4, 0.7), (1.4, 0.0, 3.0, 0.7), (0.0, 0.7, 1.4, 2.0), (1.4, 0.7, 3.0, 2.0)];
    let four = four.map(|(x0, y0, x1, y1)| rectangle(x0, y0, x1, y1));
    assert_eq!(fill(3, 2, &[&four[0], &four[1], &four[2], &four[3]]), [255; 6]);
    // Two wires over each other end in the same pixel: its part counts once.
    let (a, b) = (rectangle(0.0, 0.0, 2.4, 1.0), rectangle(1.0, 0.0, 2.4, 1.0));
    assert_eq!(fill(3, 1, &[&a, &b]), [255, 255, 102]);
    // Against each other's direction, too.
    let reversed: Vec<[f64; 2]> = b.iter().rev().copied().collect();
    assert_eq!(fill(3, 1, &[&a, &reversed]), [255, 255, 102]);
}

#[test]
fn a_polygon_that_overlaps_itself_is_filled_once() {
    // Twice around the same square, and a keyhole polygon with a hole.
    let twice = [rectangle(0.5, 0.0, 2.5, 1.0), rectangle(0.5, 0.0, 2.5, 1.0)].concat();
    assert_eq!(fill(3, 1, &[&twice]), [128, 255, 128]);
    let ring = [
        [[0.0, 0.0], [5.0, 0.0], [5.0, 5.0], [0.0, 5.0]],
        [[0.0, 2.0], [2.0, 2.0], [2.0, 3.0], [3.0, 3.0]],
        [[3.0, 2.0], [2.0, 2.0], [0.0, 2.0], [0.0, 0.0]],
    ]
    .concat();
    let drawn = fill(5, 5, &[&ring]);
    assert_eq!((drawn[2 * 5 + 2], total(&drawn)), (0, 24.0));
    // A bow tie: both wings count, though they wind in opposite directions.
    let bow = [[0.0, 0.0], [4.0, 4.0], [4.0, 0.0], [0.0, 4.0]];
    assert!((total(&fill(4, 4, &[&bow])) - 8.0).abs() < 0.02);
    let square = rectangle(0.0, 0.0, 4.0, 4.0);
    assert_eq!(fill(4, 4, &[&bow, &square]), [255; 16]);
}

#[test]
fn clipping_equals_cutting_a_larger_picture() {
    let mut stream = Stream::new(2, &[]);
    let (shift, large, small) = (30, 100, 40);
    for _ in 0..50 {
        let polygons: Vec<_> = (0..4).map(|_| star(&mut stream, 50.0, 50.0, 49.0)).collect();
        let moved: Vec<Vec<_>> = polygons
            .iter()
            .map(|p| p.iter().map(|[x, y]| [x - f64::from(shift), y - f64::from(shift)]).collect())
            .collect();
        let slices = |list: &[Vec<[f64; 2]>]| -> Vec<Vec<[f64; 2]>> { list.to_vec() };
        let (whole, part) = (slices(&polygons), slices(&moved));
        let whole = fill(large, large, &whole.iter().map(Vec::as_slice).collect::<Vec<_>>());
        let part = fill(small, small, &part.iter().map(Vec::as_slice).collect::<Vec<_>>());
        for (k, &value) in part.iter().enumerate() {
            let (row, column) = (k / small + shift as usize, k % small + shift as usize);
            assert!(value.abs_diff(whole[row * large + column]) <= 1, "pixel {row}, {column}");
        }
    }
}

#[test]
fn rectangles_that_overlap_in_any_way_cover_what_their_union_does() {
    let mut stream = Stream::new(6, &[]);
    // Corners on eighths of a pixel: 8 × 8 samples in each are exact. Few and small first, so that most lie apart, then many.
    for (count, most) in [(12, 30), (40, 60), (90, 150)] {
        let (width, height) = (50, 40);
        let mut side = |room: usize| {
            let from = stream.below(8 * room);
            (from, from + 1 + stream.below(most))
        };
        let all: Vec<[usize; 4]> = (0..count)
            .map(|_| {
                let ((x0, x1), (y0, y1)) = (side(width), side(height));
                [x0, y0, x1, y1]
            })
            .collect();
        let eighths = |at: usize| at as f64 / 8.0;
        let polygons = all.iter().map(|r| r.map(eighths)).map(|[x0, y0, x1, y1]| rectangle(x0, y0, x1, y1));
        let polygons: Vec<_> = polygons.collect();
        let drawn = fill(width, height, &polygons.iter().map(|p| &p[..]).collect::<Vec<_>>());
        for (k, &value) in drawn.iter().enumerate() {
            let (x, y) = (k % width * 8, k / width * 8);
            let inside =
                |x: usize, y: usize| all.iter().any(|&[a, b, c, d]| (a..c).contains(&x) && (b..d).contains(&y));
            let hits = (0..64).filter(|i| inside(x + i % 8, y + i / 8)).count();
            assert_eq!(value, (hits as f64 / 64.0 * 255.0).round() as u8, "pixel {k} of {count}: {hits} of 64");
        }
    }
}

#[test]
fn a_row_is_the_same_wherever_its_band_begins() {
    let mut stream = Stream::new(7, &[]);
    let (width, height) = (60, 70);
    // All on eighths, so that moving down by whole rows rounds nothing; slanted ones in the upper half alone.
    let mut polygons: Vec<Vec<[f64; 2]>> = Vec::new();
    for k in 0..120 {
        let at = |number: usize| number as f64 / 8.0;
        let (x, y) = (at(stream.below(8 * width)), at(stream.below(8 * height)));
        let [w, h] = [at(1 + stream.below(60)), at(1 + stream.below(if k % 3 == 0 { 200 } else { 12 }))];
        polygons.push(match k % 12 {
            11 => vec![[x, y / 2.0], [x + w, y / 2.0 + w], [x, y / 2.0 + 2.0 * w], [x - w, y / 2.0 + w]],
            _ => rectangle(x, y, x + w, y + h).to_vec(),
        });
    }
    let drawn = |down: usize| {
        let moved = |polygon: &Vec<[f64; 2]>| polygon.iter().map(|[x, y]| [*x, y + down as f64]).collect();
        let polygons: Vec<Vec<[f64; 2]>> = polygons.iter().map(moved).collect();
        let drawn = fill(width, height + down, &polygons.iter().map(Vec::as_slice).collect::<Vec<_>>());
        drawn[down * width..].to_vec()
    };
    let whole = drawn(0);
    for down in 1..=2 * BAND {
        assert_eq!(drawn(down), whole, "{down} rows further down");
    }
}

#[test]
fn crossing_overlapping_polygons_have_the_area_of_their_union() {
    let mut stream = Stream::new(3, &[]);
    for _ in 0..6 {
        let polygons: Vec<_> = (0..6)
            .map(|_| star(&mut stream, 8.0, 8.0, 9.0))
            .chain([vec![[1.0, 2.0], [14.0, 9.0], [3.0, 13.0], [12.0, 1.5]]])
            .collect();
        let drawn = fill(16, 16, &polygons.iter().map(Vec::as_slice).collect::<Vec<_>>());
        for (k, &value) in drawn.iter().enumerate() {
            let expected = sampled(&polygons, k % 16, k / 16, 64);
            assert!((f64::from(value) / 255.0 - expected).abs() < 0.02, "pixel {k}: {value} for {expected}");
        }
    }
}

#[test]
fn a_tangle_of_crossings_ends_and_stays_in_range() {
    let mut stream = Stream::new(4, &[]);
    let tangle: Vec<[f64; 2]> = (0..1500).map(|_| [stream.range(-9.0, 70.0), stream.range(-9.0, 70.0)]).collect();
    let drawn = fill(64, 64, &[&tangle]);
    let pixels = (0..40).map(|_| (stream.below(64), stream.below(64)));
    let wrong = pixels.map(|(x, y)| {
        let expected = sampled(std::slice::from_ref(&tangle), x, y, 16);
        (f64::from(drawn[y * 64 + x]) / 255.0 - expected).abs()
    });
    let wrong = wrong.sum::<f64>() / 40.0;
    assert!(wrong < 0.02, "{wrong} on average");
    let odd = [[f64::NAN, 0.0], [f64::INFINITY, 3.0], [1.0, f64::NEG_INFINITY], [1e300, -1e300]];
    fill(4, 4, &[&odd, &[], &[[1.0, 1.0]]]);
    assert!(fill(0, 3, &[&rectangle(0.0, 0.0, 1.0, 1.0)]).is_empty());
}

#[test]
fn a_layout_is_drawn_with_its_top_row_first() {
    let mut polygons = Polygons::default();
    polygons.push_rectangle([1000, 2000, 1100, 2050]);
    let layer = LayoutLayer { key: LayerKey { layer: 1, datatype: 0 }, name: "m1".into(), weight: 1.0, polygons };
    let bounds = Bounds { low: [1000, 2000], high: [1300, 2200] };
    let mut layout = Layout { name: "l".into(), layers: vec![layer], unit: 0.001, bounds };
    let picture = rasterize(&layout, 10.0).unwrap();
    assert_eq!((picture.width, picture.height), (3, 2));
    assert_eq!(picture.samples(0), Samples::Eight(vec![0, 0, 0, 128, 0, 0]));
    for wrong in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(matches!(rasterize(&layout, wrong), Err(DataError::BadResolution { .. })));
    }
    assert!(matches!(rasterize(&layout, 1e9), Err(DataError::PictureTooLarge { .. })));
    layout.bounds.high = layout.bounds.low;
    assert_eq!(rasterize(&layout, 10.0).unwrap().width, 1);
}
