//! Files of layouts, from their bytes to pictures.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::path::Path;

use super::*;
use crate::layout::{Bounds, Layout, LayoutLayer, Polygons};
use crate::picture::Samples;
use crate::raster::rasterize;
use crate::skip::skip;
use crate::store::Settings;
use rord_random::Stream;

/// A GDSII file of cells, each a name, rectangles of layers, and placements at points.
type Cell<'a> = (&'a str, Vec<(i16, [i32; 4])>, Vec<(&'a str, [i32; 2])>);

fn record(kind: u16, data: &[u8]) -> Vec<u8> {
    [&(data.len() as u16 + 4).to_be_bytes()[..], &kind.to_be_bytes(), data].concat()
}

fn text(kind: u16, name: &str) -> Vec<u8> {
    let mut bytes = name.as_bytes().to_vec();
    bytes.resize(bytes.len().next_multiple_of(2), 0);
    record(kind, &bytes)
}

fn points(list: &[[i32; 2]]) -> Vec<u8> {
    record(0x1003, &list.iter().flatten().flat_map(|v| v.to_be_bytes()).collect::<Vec<_>>())
}

fn gds(cells: &[Cell<'_>]) -> Vec<u8> {
    let mut out = [record(0x0002, &[2, 88]), record(0x0102, &[0; 24]), text(0x0206, "lib")].concat();
    // 0.001 and 1e-9 as excess-64 numbers.
    let units = [0x3e41_8937_4bc6_a7f0u64, 0x3944_b82f_a09b_5a54].map(u64::to_be_bytes).concat();
    out.extend(record(0x0305, &units));
    for (name, rectangles, placed) in cells {
        out.extend([record(0x0502, &[0; 24]), text(0x0606, name)].concat());
        for (layer, [x0, y0, x1, y1]) in rectangles {
            out.extend([record(0x0800, &[]), record(0x0d02, &layer.to_be_bytes()), record(0x0e02, &[0, 0])].concat());
            out.extend(points(&[[*x0, *y0], [*x1, *y0], [*x1, *y1], [*x0, *y1], [*x0, *y0]]));
            out.extend(record(0x1100, &[]));
        }
        for (cell, at) in placed {
            out.extend([record(0x0a00, &[]), text(0x1206, cell), points(&[*at]), record(0x1100, &[])].concat());
        }
        out.extend(record(0x0700, &[]));
    }
    out.extend(record(0x0400, &[]));
    out
}

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self, name: &str, bytes: &[u8]) -> String {
        let path = self.0.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().into()
    }

    fn store(&self) -> Store {
        Store::new(Settings { memory: 4 << 20, folder: Some(self.0.path().join("cache")), progress: None })
    }

    fn all(&self) -> Gds {
        Gds { files: vec![self.0.path().to_str().unwrap().into()], ..Gds::default() }
    }
}

/// Many rectangles of three layers in a cell, which is placed several times and overlaps itself.
fn many() -> Vec<u8> {
    let mut stream = Stream::new(11, &[]);
    let mut at = |n: usize| stream.below(n) as i32;
    let rectangle = |at: &mut dyn FnMut(usize) -> i32, layer| {
        let (x, y) = (at(90_000), at(60_000));
        (layer, [x, y, x + 1 + at(9_000), y + 1 + at(3_000)])
    };
    let rectangles = (0..600).map(|k| rectangle(&mut at, 1 + k % 3)).collect();
    let places = [[0, 0], [7_013, 3_331], [12_345, 55_555]].map(|place| ("part", place)).to_vec();
    gds(&[("top", vec![(1, [0, 0, 500, 500])], places), ("part", rectangles, vec![])])
}

#[test]
fn tiles_are_the_whole_drawing_cut() {
    let place = Place::new();
    place.file("a.gds", &many());
    let loaded = place.all().load(&place.store()).unwrap();
    let picture = &loaded.pictures[0];
    assert!(picture.width > 1000 && picture.height > 1100, "{picture:?} has several tiles");
    // The same flat layout, drawn in one piece.
    let library = rord_layouts::from_bytes(Path::new("a"), many()).unwrap().library;
    let hierarchy = rord_layouts::Hierarchy::new(library).unwrap();
    let top = hierarchy.tops()[0];
    let layer = |number: u32| {
        let key = rord_layouts::LayerKey { layer: number, datatype: 0 };
        let mut polygons = Polygons::default();
        let mut sink = |_, points: &[[i32; 2]]| polygons.push(points.iter().copied());
        hierarchy.visit(top, None, &|k| k == key, &mut sink).unwrap();
        LayoutLayer { key, name: key.to_string(), weight: 1.0, polygons }
    };
    let bounds: Bounds = hierarchy.bounds(top, &|_| true).unwrap().unwrap();
    let whole = Layout { name: "a".into(), layers: vec![layer(1), layer(2), layer(3)], unit: 0.001, bounds };
    let whole = rasterize(&whole, 10.0).unwrap();
    assert_eq!((whole.width, whole.height), (picture.width, picture.height));
    for k in 0..3 {
        assert!(whole.samples(k) == picture.samples(k), "layer {k}");
    }
    let share = whole.samples(0).shares().map(f64::from).sum::<f64>() / (whole.width * whole.height) as f64;
    let facts = &loaded.files[0].pictures[0];
    assert!((facts.drawn[0].share - share).abs() < 1e-6);
    assert_eq!(facts.present, [("1/0".to_string(), 601), ("2/0".into(), 600), ("3/0".into(), 600)]);
    // From the cache, and by any number of threads, the same.
    let again = place.all().load(&place.store()).unwrap();
    assert!(again.files[0].cached && !loaded.files[0].cached && again.pictures == loaded.pictures);
    let other = Place::new();
    other.file("a.gds", &many());
    let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
    let threads = pool.install(|| other.all().load(&other.store()).unwrap());
    assert!((0..3).all(|k| threads.pictures[0].samples(k) == picture.samples(k)));
}

#[test]
fn a_window_is_cut_out_of_the_whole() {
    let place = Place::new();
    place.file("a.gds", &many());
    let whole = place.all().load(&place.store()).unwrap().pictures.remove(0);
    let window = Some([20.0, 30.0, 60.0, 80.0]);
    let part = Gds { window, ..place.all() }.load(&place.store()).unwrap().pictures.remove(0);
    assert_eq!((part.width, part.height), (400, 500));
    let top = hierarchy_top(&many());
    let (x, y) = (200 - top.low[0] / 100, (top.high[1] - 80_000) / 100);
    if top.low[0] % 100 == 0 && top.high[1] % 100 == 0 {
        let (all, cut) = (whole.samples(0), part.samples(0));
        for row in 0..500 {
            let start = (y as usize + row) * whole.width + x as usize;
            assert_eq!(all.eight()[start..start + 400], cut.eight()[row * 400..(row + 1) * 400]);
        }
    }
    let nothing = Gds { window: Some([5e3, 5e3, 6e3, 6e3]), ..place.all() }.load(&place.store()).unwrap();
    assert!(matches!(*nothing.skipped[0].error, DataError::NoPolygons { .. }));
    let wrong = Gds { window: Some([5.0, 5.0, 5.0, 6.0]), ..place.all() }.load(&place.store());
    assert!(matches!(wrong, Err(DataError::BadWindow { .. })));
}

fn hierarchy_top(bytes: &[u8]) -> Bounds {
    let library = rord_layouts::from_bytes(Path::new("a"), bytes.to_vec()).unwrap().library;
    let hierarchy = rord_layouts::Hierarchy::new(library).unwrap();
    hierarchy.bounds(hierarchy.tops()[0], &|_| true).unwrap().unwrap()
}

#[test]
fn every_top_is_a_picture_and_small_ones_are_left_out_with_a_word() {
    let place = Place::new();
    let cell =
        |name: &'static str, side: i32| (name, vec![(1, [0, 0, side, side]), (2, [0, 0, side, side / 2])], vec![]);
    place.file("lib.gds", &gds(&[cell("inv", 5_000), cell("tap", 500), cell("nand", 8_000)]));
    let mut loaded = place.all().load(&place.store()).unwrap();
    let tops: Vec<&str> = loaded.files[0].pictures.iter().map(|p| p.top.as_str()).collect();
    assert_eq!(tops, ["inv", "tap", "nand"]);
    loaded.leave_out_small(20);
    assert_eq!(loaded.files[0].pictures.iter().map(|p| p.picture).collect::<Vec<_>>(), [0, 1]);
    assert_eq!(loaded.files[0].warnings, ["1 of 3 cells are smaller than 20 px and left out"]);
    assert!(loaded.pictures[1].name.ends_with("lib.gds: nand"));
    let some = Gds { top: Some("n*".into()), ..place.all() }.load(&place.store()).unwrap();
    assert_eq!(some.pictures.len(), 1);
    loaded.leave_out_small(1000);
    assert!(matches!(*loaded.skipped[0].error, DataError::PictureTooSmall { needed: 1000, .. }));
    let none = Gds { top: Some("x*".into()), ..place.all() }.load(&place.store()).unwrap();
    assert!(matches!(&*none.skipped[0].error, DataError::NoSuchCell { tops, .. } if tops.len() == 3));
}

#[test]
fn layers_that_cover_everything_are_left_out_unless_they_are_listed() {
    let place = Place::new();
    let wires = |k: i32| (2, [0, 10_000 * k, 50_000, 10_000 * k + 3_000]);
    let top = ("top", [vec![(1, [0, 0, 50_000, 50_000])], (0..5).map(wires).collect()].concat(), vec![]);
    place.file("a.gds", &gds(&[top]));
    let load = |layers: &[&str]| {
        let layers = layers.iter().map(ToString::to_string).collect();
        let loaded = Gds { layers, ..place.all() }.load(&place.store()).unwrap();
        let names: Vec<String> = loaded.pictures[0].layers.iter().map(|l| l.name.clone()).collect();
        (names, loaded)
    };
    let (names, loaded) = load(&[]);
    assert_eq!((names.as_slice(), loaded.pictures[0].layers[0].weight), (&["2/0".to_string()][..], 1.0));
    assert!(loaded.warnings[0].starts_with("layer 1/0 covers 100.0 % of the area"), "{:?}", loaded.warnings);
    assert!(loaded.pictures[0].samples(0).eight().contains(&0));
    let (names, loaded) = load(&["2/0", "1/0"]);
    assert_eq!(names, ["2/0", "1/0"]);
    assert!(loaded.warnings[0].ends_with("it hides the others"));
    assert_eq!(load(&["1/0"]).1.warnings, [""; 0], "alone it hides nothing");
}

#[test]
fn all_unfit_files_are_named_at_once_or_skipped() {
    let place = Place::new();
    let good = gds(&[("top", vec![(1, [0, 0, 50_000, 50_000])], vec![])]);
    place.file("a.gds", &good);
    place.file("b.gds", &good[..good.len() / 2]);
    place.file("c.gds", b"");
    place.file("d.gds", &gds(&[("top", vec![(7, [0, 0, 50_000, 50_000])], vec![])]));
    let gds = Gds { layers: vec!["1/0".into()], ..place.all() };
    let error = gds.load(&place.store()).unwrap().fit().unwrap_err();
    let DataError::Unfit { fit: 1, files } = &error else { panic!("{error}") };
    assert_eq!(files.len(), 3);
    assert_eq!(error.to_string(), "3 of 4 files cannot be used");
    let told = error.help();
    for name in ["b.gds: ends at byte", "c.gds: ", "d.gds: no polygon on 1/0; there are 7/0 (1)"] {
        assert_eq!(told.matches(name).count(), 1, "{name}: {told}");
    }
    assert!(told.ends_with("unfit = skip") && told.lines().count() == 7, "{told}");
    let skipped = Gds { unfit: Unfit::Skip, ..gds.clone() }.load(&place.store()).unwrap();
    assert_eq!((skipped.skipped.len(), skipped.fit().unwrap().len()), (3, 1));
    std::fs::remove_file(place.0.path().join("a.gds")).unwrap();
    let nothing = Gds { unfit: Unfit::Skip, ..gds }.load(&place.store()).unwrap();
    assert!(matches!(nothing.fit(), Err(DataError::Unfit { fit: 0, .. })));
}

#[test]
fn a_file_that_changes_under_a_run_is_trouble_and_not_a_wrong_picture() {
    let place = Place::new();
    let file = place.file("a.gds", &many());
    let picture = place.all().load(&place.store()).unwrap().pictures.remove(0);
    std::fs::remove_dir_all(place.0.path().join("cache")).unwrap();
    std::fs::write(&file, gds(&[("top", vec![(1, [0, 0, 50_000, 50_000])], vec![])])).unwrap();
    picture.view((0, 10), (0, 10));
    assert_eq!(picture.trouble(), Some(&DataError::Changed { path: file.into() }));
}

#[test]
fn real_layouts_are_drawn() {
    let Some(folder) = std::env::var_os("RORD_LAYOUTS").map(PathBuf::from) else {
        return skip("RORD_LAYOUTS may name a folder with the layouts of sky130");
    };
    let place = Place::new();
    let cells = Gds { files: vec![folder.join("cells").to_str().unwrap().into()], ..Gds::default() };
    let pictures = cells.load(&place.store()).unwrap().fit().unwrap();
    assert_eq!(pictures.len(), 1);
    let layer = pictures[0].layer("67/20").unwrap();
    assert!(matches!(pictures[0].samples(layer), Samples::Eight(v) if v.contains(&255)));
}
