//! Pairs of pictures from files: what H says is what is seen.

use super::*;
use crate::datasets;
use crate::geometry::{Geometry, Perspective};
use image::{ImageBuffer, Luma};

/// A smooth picture, in sixteen bits so that rounding does not matter, seen through `h`: pixels to those of the scene.
fn save(path: &Path, h: &Homography, (width, height): (u32, u32)) {
    let scene = |x: f64, y: f64| 0.5 + 0.2 * (x / 6.0).sin() + 0.2 * (y / 8.0).cos() + 0.05 * ((x + y) / 5.0).sin();
    let image = ImageBuffer::from_fn(width, height, |x, y| {
        let [x, y] = h.takes([f64::from(x), f64::from(y)]);
        Luma([(scene(x, y) * 65535.0) as u16])
    });
    image.save(path).unwrap();
}

fn store(folder: &Path) -> Store {
    Store::new(crate::store::Settings { folder: Some(folder.join("cache")), ..Default::default() })
}

fn pairs(folder: &Path, geometry: Geometry, train: f64) -> Result<FilePairs, DataError> {
    let same = Homography::linear([[1.0, 0.0], [0.0, 1.0]]);
    let h = Homography([[0.95, 0.12, 6.0], [-0.1, 1.05, 9.0], [0.0003, -0.0002, 1.0]]);
    let mut listed = Vec::new();
    for k in 0..3 {
        let (a, b) = (folder.join(format!("{k}a.png")), folder.join(format!("{k}b.png")));
        save(&a, &same, (150, 130));
        save(&b, &h.inverse().unwrap(), (170, 150));
        listed.push(Listed { a, b, h });
    }
    let recipe = PairRecipe { patch: 32, zoom: (0.8, 1.5), geometry, train, batch: 2, ..PairRecipe::default() };
    let fields = datasets::fields("file_pairs").unwrap().to_vec();
    FilePairs::new(&listed, &[], &Images::default(), &store(folder), recipe, fields)
}

#[test]
fn what_lies_at_a_place_is_seen_where_h_takes_it() {
    let folder = tempfile::tempdir().unwrap();
    let perspective =
        Perspective { corners: 0.1, degrees: (-30.0, 30.0), scale: (0.9, 1.1), shift: 0.05, mirror: true };
    for geometry in [Geometry::Identity, Geometry::SquareSymmetries, Geometry::Perspective(perspective)] {
        let source = pairs(folder.path(), geometry, 0.8).unwrap();
        assert_eq!((source.train.len(), source.validation.len()), (2, 1));
        let (n, mut seen, mut worst) = (32usize, 0, 0.0f64);
        for index in 0..20 {
            let pair = source.pair_by(&source.recipe, Split::Train, index);
            assert_eq!(pair, source.pair_by(&source.recipe, Split::Train, index));
            let [a, b, c, d, e, f, g, h, i] = pair.h.map(f64::from);
            let map = Homography([[a, b, c], [d, e, f], [g, h, i]]);
            for at in (0..n * n).step_by(7) {
                let p = [at % n, at / n].map(|k| (2.0 * k as f64 + 1.0) / n as f64 - 1.0);
                let q = map.takes(p).map(|q| (q + 1.0) * n as f64 / 2.0 - 0.5);
                if !q.iter().all(|q| (0.0..n as f64 - 1.0).contains(q)) {
                    continue;
                }
                let (x, y, s, t) = (q[0] as usize, q[1] as usize, q[0].fract(), q[1].fract());
                let value = |x: usize, y: usize| f64::from(pair.image_r[y * n + x]);
                let above = value(x, y) * (1.0 - s) + value(x + 1, y) * s;
                let below = value(x, y + 1) * (1.0 - s) + value(x + 1, y + 1) * s;
                worst = worst.max((above * (1.0 - t) + below * t - f64::from(pair.image[at])).abs());
                seen += 1;
            }
        }
        // Both are interpolated, and filtered where they shrink.
        assert!(seen > 1000 && worst < 0.03, "{worst} of {seen}");
    }
}

#[test]
fn what_has_pictures_in_common_stays_together() {
    let folder = tempfile::tempdir().unwrap();
    let source = pairs(folder.path(), Geometry::Identity, 1.0).unwrap();
    assert_eq!((source.train.len(), source.validation_batches()), (3, 0));
    let linked = |a, b| Linked { a, b, h: Homography::linear([[1.0, 0.0], [0.0, 1.0]]) };
    let names: Vec<PathBuf> = (0..6).map(|k| PathBuf::from(format!("s/{k}.png"))).collect();
    let paths: Vec<&Path> = names.iter().map(PathBuf::as_path).collect();
    let (train, held) = split(&[linked(0, 1), linked(2, 3), linked(4, 1), linked(5, 3)], &paths, 0.5).unwrap();
    assert!([(vec![0, 2], vec![1, 3]), (vec![1, 3], vec![0, 2])].contains(&(train, held)));
    let all = [linked(0, 1), linked(1, 2)];
    assert_eq!(split(&all, &paths, 0.5), Err(DataError::OneGroup { pairs: 2 }));
    let batch = source.batch_at(Split::Train, 3).unwrap();
    let shapes: Vec<_> = batch.fields.iter().map(|f| (f.name.as_str(), f.shape.clone(), f.values.len())).collect();
    assert_eq!(shapes[1], ("image_r", vec![2, 1, 32, 32], 2048));
    assert_eq!(shapes[2], ("H", vec![2, 3, 3], 18));
}

#[test]
fn other_channels_are_refused_with_both_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let source = pairs(folder.path(), Geometry::Identity, 1.0).unwrap();
    let a = folder.path().join("0a.png");
    let listed = [Listed { a: a.clone(), b: a, h: Homography::linear([[1.0, 0.0], [0.0, 1.0]]) }];
    let recipe = PairRecipe { channels: 3, train: 1.0, ..source.recipe.clone() };
    let images = Images { color: true, ..Images::default() };
    let refused = FilePairs::new(&listed, &[], &images, &store(folder.path()), recipe, Vec::new());
    assert!(matches!(refused.err(), Some(DataError::Channels { found: 1, wanted: 3, .. })));
}
