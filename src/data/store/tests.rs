//! Drawings kept, read back, broken, and drawn again.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::ops::Range;
use std::path::Path;
use std::sync::atomic::AtomicUsize;

use super::*;
use crate::picture::{SQUARE, Samples};

/// A drawing by a formula, which counts how often it is asked.
#[derive(Default)]
struct Formula(AtomicUsize);

const SHAPE: Shape = Shape { width: 700, height: 1100, layers: 4 };

fn value(layer: usize, x: usize, y: usize) -> u16 {
    match layer {
        0 => 0,
        1 => u16::MAX,
        2 => 257 * u16::from((x / 50).is_multiple_of(2) && y / 170 % 3 == 1),
        _ => (x * 31 + y * 17) as u16,
    }
}

impl Paint for Formula {
    fn paint(&self, rows: Range<usize>, sink: Sink<'_>) -> Result<(), DataError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        for layer in 1..SHAPE.layers {
            for first in rows.clone().step_by(SQUARE) {
                let rows = first..(first + SQUARE).min(rows.end);
                let all = rows.flat_map(|y| (0..SHAPE.width).map(move |x| value(layer, x, y)));
                let samples = match layer {
                    3 => Samples::Sixteen(all.collect()),
                    _ => Samples::Eight(all.map(|v| (v / 257) as u8).collect()),
                };
                sink(layer, first, samples);
            }
        }
        Ok(())
    }
}

fn store(folder: &Path) -> Store {
    Store::new(Settings { memory: 8 << 20, folder: Some(folder.into()), progress: None })
}

fn open(store: &Store, painter: &Arc<Formula>) -> Picture {
    let layer = |k: usize| (k, PictureLayer { name: format!("l{k}"), weight: 1.0 });
    let key = DrawingKey::new([5; 32], "test");
    // The second layer is not shown.
    store.open("p", &key, 0, SHAPE, [0, 2, 3].map(layer).to_vec(), painter.clone())
}

fn right(picture: &Picture) -> bool {
    [0, 2, 3].iter().enumerate().all(|(shown, &layer)| {
        let expected = (0..SHAPE.width * SHAPE.height).map(|i| value(layer, i % SHAPE.width, i / SHAPE.width));
        let read: Vec<u16> = match picture.samples(shown) {
            Samples::Eight(v) => v.into_iter().map(|v| u16::from(v) * 257).collect(),
            Samples::Sixteen(v) => v,
        };
        expected.eq(read)
    })
}

/// The files of the only drawing in a cache.
fn files(folder: &Path) -> Vec<PathBuf> {
    let drawing = std::fs::read_dir(folder.join("drawings-1")).unwrap().next().unwrap().unwrap().path();
    std::fs::read_dir(drawing).unwrap().map(|e| e.unwrap().path()).collect()
}

#[test]
fn a_drawing_is_read_back_whole_by_any_process_and_is_not_drawn_again() {
    let folder = tempfile::tempdir().unwrap();
    let heard = Arc::new(std::sync::Mutex::new(Vec::new()));
    let hear = heard.clone();
    let progress: Hear = Arc::new(move |p: Progress<'_>| hear.lock().unwrap().push((p.done, p.total)));
    let settings = Settings { memory: 8 << 20, folder: Some(folder.path().into()), progress: Some(progress) };
    let painter = Arc::new(Formula::default());
    let key = DrawingKey::new([5; 32], "test");
    let first = Store::new(settings);
    let shares = first.draw(&key, 0, SHAPE, painter.as_ref(), "p").unwrap();
    assert_eq!(*heard.lock().unwrap(), [(0, 6), (2, 6), (4, 6), (6, 6)]);
    assert_eq!((shares[0], shares[1], painter.0.load(Ordering::Relaxed)), (0.0, 1.0, 3));
    assert!(right(&open(&first, &painter)));
    let again = store(folder.path());
    assert!(right(&open(&again, &painter)) && right(&open(&again, &painter)));
    assert!(again.memory().bytes() <= 8 << 20);
    assert_eq!(painter.0.load(Ordering::Relaxed), 3);
}

#[test]
fn broken_and_missing_tiles_are_drawn_anew() {
    let folder = tempfile::tempdir().unwrap();
    let painter = Arc::new(Formula::default());
    assert!(right(&open(&store(folder.path()), &painter)), "nothing is drawn before it is read");
    let paths = files(folder.path());
    assert_eq!(paths.len(), 6);
    let drawn = || painter.0.load(Ordering::Relaxed);
    for (k, path) in paths.iter().enumerate() {
        let whole = std::fs::read(path).unwrap();
        let before = drawn();
        match k % 3 {
            0 => std::fs::remove_file(path).unwrap(),
            1 => std::fs::write(path, &whole[..whole.len() / 2]).unwrap(),
            _ => {
                let mut other = whole.clone();
                other[whole.len() * 3 / 4] ^= 64;
                std::fs::write(path, other).unwrap();
            }
        }
        assert!(right(&open(&store(folder.path()), &painter)), "{path:?}");
        assert!(drawn() > before);
        assert_eq!(std::fs::read(path).unwrap(), whole, "it is as it was");
    }
}

#[test]
fn two_processes_at_once_see_the_same() {
    let folder = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let painter = Arc::new(Formula::default());
                let store = store(folder.path());
                let key = DrawingKey::new([5; 32], "test");
                store.draw(&key, 0, SHAPE, painter.as_ref(), "p").unwrap();
                assert!(right(&open(&store, &painter)));
            });
        }
    });
    assert_eq!(files(folder.path()).len(), 6, "no leftovers");
}

#[test]
fn where_nothing_can_be_written_both_places_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let blocked = folder.path().join("file");
    std::fs::write(&blocked, "no folder").unwrap();
    let inner = Inner {
        memory: Memory::new(1 << 20),
        folder: Folder::new(Some(blocked.clone()), blocked.clone()),
        progress: None,
    };
    let picture = open(&Store(Arc::new(inner)), &Arc::default());
    picture.draw();
    let Some(DataError::NoPlace { place, .. }) = picture.trouble() else { panic!() };
    assert!(place.first.0.starts_with(&blocked) && place.second.0.starts_with(&blocked));
}
