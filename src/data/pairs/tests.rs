//! Pairs checked against their matrices, their splits and their numbers.

use super::*;
use crate::batches::{Batches, PairBatches};
use crate::datasets::{Offered, Part};
use crate::geometry::{Geometry, Symmetry};
use crate::loader::Loader;
use crate::photo::Photo;
use crate::picture::PictureLayer;
use crate::render::Render;
use std::sync::Arc;

fn layer(name: &str, weight: f32) -> PictureLayer {
    PictureLayer { name: name.into(), weight }
}

fn picture(name: &str, width: usize, height: usize, f: impl Fn(usize, usize) -> f64) -> Picture {
    let coverage = (0..width * height).map(|i| (f(i % width, i / width) * 255.0).round() as u8).collect();
    Picture::held(name, width, height, vec![(layer("m", 1.0), Samples::Eight(coverage))])
}

/// Two layers of crossing wires with a block here and there.
fn wires(name: &str, side: usize) -> Picture {
    let lower = picture(name, side, side, |x, y| f64::from((x / 5) % 3 == 0 || (x / 40 + y / 30) % 4 == 0));
    let upper = picture(name, side, side, |x, y| f64::from((y / 4) % 4 == 0 && x % 90 > 20));
    let layers = vec![(layer("m", 0.4), lower.samples(0)), (layer("upper", 1.0), upper.samples(0))];
    Picture::held(name, side, side, layers)
}

fn source(pictures: Vec<Picture>, recipe: PairRecipe) -> Arc<PairSource> {
    Arc::new(PairSource::new(pictures, recipe).unwrap())
}

const ANY_TURN: Geometry = Geometry::Rotations { degrees: (0.0, 360.0), mirror: true };

/// Where H takes pixel coordinates of the original.
fn through(h: &[f32; 9], [x, y]: [f64; 2], n: usize) -> [f64; 2] {
    let [u, v] = [x, y].map(|q| (2.0 * q + 1.0) / n as f64 - 1.0);
    let h = h.map(f64::from);
    let w = h[6] * u + h[7] * v + h[8];
    [(h[0] * u + h[1] * v + h[2]) / w, (h[3] * u + h[4] * v + h[5]) / w].map(|q| ((q + 1.0) * n as f64 - 1.0) / 2.0)
}

#[test]
fn a_symmetry_permutes_pixels_as_its_matrix_says() {
    for n in [1, 16, 33] {
        let recipe = PairRecipe { patch: n, zoom: (0.8, 1.25), ..PairRecipe::default() };
        let source = source(vec![wires("a", 120), wires("b", 120)], recipe);
        let mut seen = std::collections::HashSet::new();
        for index in 0..60 {
            let pair = source.pair(Split::Train, index);
            seen.insert(pair.h.map(|x| x as i8));
            for (i, value) in pair.image.iter().enumerate() {
                let [x, y] = through(&pair.h, [(i % n) as f64, (i / n) as f64], n).map(|q| {
                    assert!((q - q.round()).abs() < 1e-9);
                    q.round() as usize
                });
                assert_eq!(pair.image_r[y * n + x], *value);
            }
        }
        assert_eq!(seen.len(), 8, "all symmetries are drawn");
    }
}

#[test]
fn h_takes_a_mark_to_where_it_appears() {
    let blob = |x: usize, y: usize| (-((x as f64 - 120.3).powi(2) + (y as f64 - 95.8).powi(2)) / 18.0).exp();
    let affine = Geometry::Affine { degrees: (0.0, 360.0), stretch: (0.8, 1.25), shear: (-0.3, 0.3), mirror: true };
    for geometry in [Geometry::SquareSymmetries, ANY_TURN, affine] {
        for n in [64, 65] {
            let recipe = PairRecipe {
                patch: n,
                zoom: (0.8, 1.3),
                train: 1.0,
                geometry: geometry.clone(),
                ..PairRecipe::default()
            };
            let source = source(vec![picture("dot", 240, 200, blob)], recipe);
            let mut checked = 0;
            for index in 0..60 {
                let pair = source.pair(Split::Train, index);
                // The centroid, where the whole mark is in the view.
                let centroid = |image: &[f32]| {
                    let sum = |f: &dyn Fn(usize) -> f64| {
                        image.iter().enumerate().map(|(i, v)| f64::from(*v) * f(i)).sum::<f64>()
                    };
                    let [x, y] = [sum(&|i| (i % n) as f64), sum(&|i| (i / n) as f64)].map(|s| s / sum(&|_| 1.0));
                    let clear = (14.0..n as f64 - 14.0).contains(&x) && (14.0..n as f64 - 14.0).contains(&y);
                    (image.iter().any(|v| *v > 0.9) && clear).then_some([x, y])
                };
                let (Some(here), Some(there)) = (centroid(&pair.image), centroid(&pair.image_r)) else { continue };
                let expected = through(&pair.h, here, n);
                let error = (expected[0] - there[0]).hypot(expected[1] - there[1]);
                assert!(error < 0.05, "{geometry:?}, n {n}, pair {index}: {error} px");
                checked += 1;
            }
            assert!(checked > 10, "{checked} checked");
        }
    }
}

#[test]
fn sampled_quarter_turns_equal_permutations() {
    for (quarters, symmetry) in Symmetry::ALL.into_iter().enumerate().take(4) {
        for n in [31, 32] {
            let degrees = (90.0 * quarters as f64, 90.0 * quarters as f64);
            let geometry = Geometry::Rotations { degrees, mirror: false };
            let recipe = PairRecipe { patch: n, zoom: (0.7, 1.6), geometry, ..PairRecipe::default() };
            let source = source(vec![wires("a", 100), wires("b", 100)], recipe);
            for index in 0..5 {
                let pair = source.pair(Split::Train, index);
                let exact = symmetry.permute(&pair.image, n);
                let worst = exact.iter().zip(&pair.image_r).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                assert!(worst < 1e-5, "{degrees:?}, n {n}: {worst}");
            }
        }
    }
}

#[test]
fn a_turned_view_is_filled_from_the_picture_and_has_no_black_edge() {
    let bright = |x: usize, y: usize| 0.6 + 0.4 * f64::from((x / 7 + y / 5).is_multiple_of(2));
    for side in [40, 120] {
        let recipe = PairRecipe { patch: 40, geometry: ANY_TURN, train: 1.0, ..PairRecipe::default() };
        let source = source(vec![picture("bright", side, side, bright)], recipe);
        for index in 0..20 {
            let pair = source.pair(Split::Train, index);
            assert!(pair.image.iter().chain(&pair.image_r).all(|v| *v > 0.59));
        }
    }
}

#[test]
fn splits_share_nothing() {
    let pictures: Vec<Picture> =
        (0..10).map(|i| picture(&format!("tile-{i}"), 40, 40, |x, y| f64::from((x + y + i) % 9 < 4))).collect();
    let recipe = PairRecipe { patch: 32, train: 0.7, ..PairRecipe::default() };
    let many = source(pictures.clone(), recipe.clone());
    let (train, validation) = (many.pictures_of(Split::Train), many.pictures_of(Split::Validation));
    assert_eq!((train.len(), validation.len()), (7, 3));
    assert!(train.iter().all(|p| !validation.contains(p)));
    let other = source(pictures.clone(), PairRecipe { seed: 9, ..recipe.clone() });
    assert_eq!(other.pictures_of(Split::Validation), validation, "another seed splits alike");
    for (split, mine) in [(Split::Train, &train), (Split::Validation, &validation)] {
        let seen: std::collections::BTreeSet<usize> = (0..200).map(|i| many.pair(split, i).picture).collect();
        assert_eq!(seen.into_iter().collect::<Vec<_>>(), *mine);
    }
    for train in [0.01, 0.99] {
        let two = source(pictures[..2].to_vec(), PairRecipe { train, ..recipe.clone() });
        assert_eq!((two.pictures_of(Split::Train).len(), two.pictures_of(Split::Validation).len()), (1, 1));
    }
    // A single picture: dark on the left 70 % (or the upper, where it is narrow), bright elsewhere.
    for (width, height) in [(200, 50), (50, 200)] {
        let dark = |x: usize, y: usize| if x.max(y) < 140 { 0.2 } else { 0.8 };
        let recipe = PairRecipe { zoom: (0.9, 1.3), geometry: ANY_TURN, ..recipe.clone() };
        let one = source(vec![picture("one", width, height, dark)], recipe);
        for index in 0..40 {
            for (split, grey) in [(Split::Train, 0.2), (Split::Validation, 0.8)] {
                let pair = one.pair(split, index);
                assert!(pair.image.iter().chain(&pair.image_r).all(|v| (v - grey).abs() < 1e-4), "{split:?}");
            }
        }
    }
}

fn full() -> PairRecipe {
    PairRecipe {
        patch: 48,
        zoom: (0.8, 1.25),
        geometry: ANY_TURN,
        photo: vec![Photo::Brightness(0.5, 1.5), Photo::Blur(0.0, 1.0), Photo::Contrast(0.8, 1.2), Photo::Noise(0.05)],
        render: Some(Render {
            weights: (0.2, 1.0),
            drop: 0.3,
            etch: (-1.0, 1.0),
            invert: 0.25,
            differ: 1.0,
            together: 0.0,
            single: 0.0,
        }),
        batch: 3,
        ..PairRecipe::default()
    }
}

#[test]
fn a_share_of_the_pairs_is_drawn_alike() {
    let alike = |differ: f64| {
        let render = full().render.map(|render| Render { differ, ..render });
        let recipe =
            PairRecipe { zoom: (1.0, 1.0), geometry: Geometry::SquareSymmetries, photo: vec![], render, ..full() };
        let pairs = source((0..5).map(|i| wires(&format!("w{i}"), 150)).collect(), recipe);
        let sorted = |mut values: Vec<f32>| {
            values.sort_by(f32::total_cmp);
            values
        };
        let same = |i: &u64| {
            let pair = pairs.pair(Split::Train, *i);
            sorted(pair.image) == sorted(pair.image_r)
        };
        (0..40).filter(same).count()
    };
    let [never, half, always] = [1.0, 0.5, 0.0].map(alike);
    assert!(never < 4 && (10..30).contains(&half) && always == 40, "{never} {half} {always}");
}

#[test]
fn pairs_depend_on_their_number_alone() {
    let pictures = || (0..5).map(|i| wires(&format!("w{i}"), 150)).collect::<Vec<_>>();
    let here = source(pictures(), full());
    let named = |source: Arc<PairSource>| {
        let parts = [("a", Part::Image), ("b", Part::Moved), ("H", Part::Homography), ("c", Part::Corners)];
        let fields = parts.map(|(name, part)| Offered { name, ty: "", part }).to_vec();
        Arc::new(PairBatches { source, fields, recipe: None })
    };
    let batches: Vec<_> = (0..6).map(|step| named(here.clone()).batch_at(Split::Train, step).unwrap()).collect();
    let (pair, fields) = (here.pair(Split::Train, 3), &batches[1].fields);
    assert_eq!((&fields[0].values[..48 * 48], fields[0].shape.as_slice()), (&pair.image[..], &[3, 1, 48, 48][..]));
    assert_eq!((fields[2].name.as_str(), &fields[2].values[..9]), ("H", &pair.h[..]));
    for threads in [1, 2, 5] {
        let loader = Loader::new(named(source(pictures(), full())), Split::Train, 2, 3, threads).unwrap();
        let made: Vec<_> = loader.take(4).map(Result::unwrap).collect();
        assert!(made == batches[2..], "{threads} threads");
    }
    let other = source(pictures(), PairRecipe { seed: 1, ..full() });
    assert_ne!(other.pair(Split::Train, 0).image, here.pair(Split::Train, 0).image);
    assert_eq!(other.pair(Split::Validation, 4), here.pair(Split::Validation, 4));
    assert_ne!(here.pair(Split::Train, 4).image, here.pair(Split::Validation, 4).image);
    let few = source(pictures(), PairRecipe { steps: 10, train: 0.8, ..full() });
    assert_eq!(few.validation_batches(), 3, "10 · 0.2 / 0.8, rounded up");
    assert_eq!(Loader::new(named(few), Split::Validation, 0, 2, 2).unwrap().count(), 3);
}

#[test]
fn views_are_drawn_apart_and_stay_in_range_while_corners_stay_the_same() {
    let plain = PairRecipe { render: None, photo: Vec::new(), ..full() };
    let (drawn, plain) =
        (source(vec![wires("a", 200), wires("b", 200)], full()), source(vec![wires("a", 200), wires("b", 200)], plain));
    let mut labels = 0.0;
    for index in 0..20 {
        let (a, b) = (drawn.pair(Split::Train, index), plain.pair(Split::Train, index));
        assert!(a.image.iter().chain(&a.image_r).all(|v| (0.0..=1.0).contains(v)));
        assert_eq!((&a.corners, a.h, a.from), (&b.corners, b.h, b.from));
        labels += a.corners.iter().sum::<f32>();
        assert_ne!(a.image, b.image);
    }
    assert!(labels > 40.0, "{labels} labels");
    let still = PairRecipe { geometry: Geometry::Identity, ..full() };
    let pair = source(vec![wires("a", 200), wires("b", 200)], still.clone()).pair(Split::Train, 0);
    assert_ne!(pair.image, pair.image_r, "each view draws its own");
    let single = PairRecipe { moved: false, corners: false, ..still };
    let alone = source(vec![wires("a", 200), wires("b", 200)], single).pair(Split::Train, 0);
    assert_eq!((alone.image, alone.image_r.len(), alone.corners.len()), (pair.image, 0, 0));
}

#[test]
fn the_target_layer_is_handed_over_and_not_drawn() {
    let pictures = vec![wires("a", 150), wires("b", 150)];
    let recipe = PairRecipe { target: Some("upper".into()), moved: false, corners: false, ..full() };
    let plain = PairRecipe { render: None, photo: Vec::new(), ..recipe.clone() };
    let lower = |p: &Picture| Picture::held("lower", 150, 150, vec![(p.layers[0].clone(), p.samples(0))]);
    let without: Vec<Picture> = pictures.iter().map(lower).collect();
    let all = source(pictures.clone(), plain.clone());
    let drawn = source(pictures, recipe.clone());
    let mut covered = 0.0;
    for index in 0..10 {
        let pair = all.pair(Split::Train, index);
        let place = Grid::new(48, [0, 1].map(|i| pair.from[i] as f64 + 24.0 * pair.zoom), pair.zoom, HERE);
        let picture = &without[pair.picture];
        let cut = Cut::new(picture, crate::patch::Region::whole(picture), place.reach());
        let expected = Look::plain(picture).composite(&cut, pair.zoom).sample(&place);
        assert!(pair.image.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-6));
        assert_eq!(pair.truth, drawn.pair(Split::Train, index).truth, "render and photo leave the truth alone");
        assert!(pair.truth.iter().all(|v| (0.0..=1.0).contains(v)));
        covered += pair.truth.iter().sum::<f32>() / (10.0 * 48.0 * 48.0);
    }
    assert!((0.1..0.5).contains(&covered), "{covered} is covered");
    let nowhere = PairRecipe { target: Some("via9".into()), ..recipe };
    let error = PairSource::new(vec![wires("a", 150), wires("b", 150)], nowhere).unwrap_err();
    assert!(matches!(error, DataError::NoSuchLayer { layer, .. } if layer == "via9"));
}

const HERE: [[f64; 2]; 2] = [[1.0, 0.0], [0.0, 1.0]];

#[test]
fn empty_places_are_passed_over() {
    let spot = |x: usize, y: usize| f64::from(x < 130 && y < 130 && (x / 6).is_multiple_of(2));
    let recipe = PairRecipe { patch: 50, train: 1.0, ..PairRecipe::default() };
    let source = source(vec![picture("mostly empty", 300, 300, spot)], recipe);
    let full = (0..100).filter(|&i| source.pair(Split::Train, i).image.iter().any(|v| *v > 0.0)).count();
    assert!(full > 80, "{full} of 100 show something");
}

#[test]
fn what_cannot_be_is_said() {
    let error = |pictures, recipe| PairSource::new(pictures, recipe).unwrap_err();
    let recipe = || PairRecipe { patch: 64, zoom: (0.5, 2.0), ..PairRecipe::default() };
    assert!(matches!(error(vec![], recipe()), DataError::NothingToTrainOn { pictures: 0, .. }));
    let small = error(vec![wires("a", 100), wires("b", 31)], recipe());
    assert!(matches!(small, DataError::PictureTooSmall { name, needed: 32, .. } if name == "b"));
    assert!(matches!(error(vec![wires("a", 63)], recipe()), DataError::PictureTooSmall { needed: 64, .. }));
    for wrong in [
        PairRecipe { zoom: (0.0, 1.0), ..recipe() },
        PairRecipe { zoom: (1.0, f64::NAN), ..recipe() },
        PairRecipe { zoom: (1.2, 0.8), ..recipe() },
        PairRecipe { patch: 0, ..recipe() },
        PairRecipe { train: 0.0, ..recipe() },
        PairRecipe { photo: vec![Photo::Noise(-1.0)], ..recipe() },
    ] {
        assert!(matches!(error(vec![wires("a", 100)], wrong), DataError::BadSetting { .. }));
    }
    // A picture that just fits is cut at every zoom that fits.
    let tight = source(vec![wires("a", 64), wires("b", 64)], recipe());
    assert!((0..20).all(|i| tight.pair(Split::Train, i).zoom <= 1.0));
}

#[test]
fn channels_are_layers_and_another_number_is_refused() {
    let zoom = (1.0, 1.0);
    let recipe = PairRecipe { channels: 2, zoom, render: None, photo: Vec::new(), ..full() };
    let grey = PairRecipe { channels: 1, ..recipe.clone() };
    let (two, one) = (source(vec![wires("a", 150)], recipe.clone()), source(vec![wires("a", 150)], grey));
    for index in 0..10 {
        let (pair, drawn) = (two.pair(Split::Train, index), one.pair(Split::Train, index));
        let n = recipe.patch * recipe.patch;
        assert_eq!((pair.image.len(), pair.image_r.len()), (2 * n, 2 * n));
        assert_eq!((&pair.corners, pair.h, pair.from), (&drawn.corners, drawn.h, drawn.from));
        // Lower wires have 0.4, upper ones cover them.
        let composed = |i: usize| 0.4 * pair.image[i] * (1.0 - pair.image[n + i]) + pair.image[n + i];
        assert!((0..n).all(|i| (composed(i) - drawn.image[i]).abs() < 1e-5));
    }
    let rendered = PairRecipe { channels: 2, ..full() };
    let views = source(vec![wires("a", 150)], rendered);
    assert!((0..5).all(|i| views.pair(Split::Train, i).image.iter().all(|v| (0.0..=1.0).contains(v))));
    let refused = PairSource::new(vec![wires("a", 150)], PairRecipe { channels: 3, ..recipe });
    assert!(matches!(refused.err(), Some(DataError::Channels { found: 2, wanted: 3, .. })));
}
