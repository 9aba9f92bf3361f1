//! `eval --suite pairs` on a small set in HPatches' form that is made here.

use std::path::Path;
use std::process::{Command, Output};

use rord_random::Stream;
use serde_json::Value;

/// The binary, with a cache of its own.
fn rord(dir: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rord-run"));
    command.current_dir(dir).args(args).env("RORD_CACHE", dir.join("cache")).env("NO_COLOR", "1").env_remove("TERM");
    let out = command.env("RORD_WIDTH", "200").output().unwrap();
    assert!(!String::from_utf8_lossy(&out.stderr).contains("panicked"), "{args:?}");
    out
}

fn said(out: &Output) -> String {
    String::from_utf8_lossy(&out.stderr).into_owned()
}

type Matrix = [[f64; 3]; 3];

const SIZE: [usize; 2] = [200, 160];
const IDENTITY: Matrix = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
/// The homographies of the set, each with what takes it back.
const SHIFT: [Matrix; 2] =
    [[[1.0, 0.0, 9.0], [0.0, 1.0, -6.0], [0.0, 0.0, 1.0]], [[1.0, 0.0, -9.0], [0.0, 1.0, 6.0], [0.0, 0.0, 1.0]]];

/// Rectangles in color, the last one on top.
struct World(Vec<([f64; 4], [f64; 3])>);

impl World {
    fn new(seed: u64) -> Self {
        let mut stream = Stream::new(seed, &[]);
        let mut one = |_| {
            let (x, y) = (stream.range(-30.0, 210.0), stream.range(-30.0, 170.0));
            let (w, h) = (stream.range(5.0, 40.0), stream.range(5.0, 40.0));
            ([x, y, x + w, y + h], [0, 1, 2].map(|_: i32| stream.range(0.0, 1.0)))
        };
        Self((0..140).map(&mut one).collect())
    }

    fn color(&self, [x, y]: [f64; 2]) -> [f64; 3] {
        let holds = |[x0, y0, x1, y1]: [f64; 4]| x >= x0 && x < x1 && y >= y0 && y < y1;
        self.0.iter().rev().find(|(r, _)| holds(*r)).map_or([0.4; 3], |(_, color)| *color)
    }

    /// A PPM file of what lies where `back` takes its pixels, its colors to the power of `gamma`.
    fn write(&self, path: &Path, back: &Matrix, gamma: f64) {
        let mut bytes = format!("P6 {} {} 255\n", SIZE[0], SIZE[1]).into_bytes();
        for y in 0..SIZE[1] {
            for x in 0..SIZE[0] {
                let mut sum = [0.0; 3];
                for (dx, dy) in [(-0.25, -0.25), (0.25, -0.25), (-0.25, 0.25), (0.25, 0.25)] {
                    let p = [x as f64 + dx, y as f64 + dy];
                    let [u, v, w] = back.map(|[a, b, c]| a * p[0] + b * p[1] + c);
                    let color = self.color([u / w, v / w]);
                    (0..3).for_each(|k| sum[k] += color[k] / 4.0);
                }
                bytes.extend(sum.map(|v| (255.0 * v.powf(gamma)).round() as u8));
            }
        }
        std::fs::write(path, bytes).unwrap();
    }
}

/// One sequence of other lights, and one that is moved.
fn hpatches(folder: &Path) {
    for (name, seed, h, gammas) in [("i_light", 1, [IDENTITY, IDENTITY], [0.7, 1.4]), ("v_moved", 2, SHIFT, [1.0, 1.0])]
    {
        let (dir, world) = (folder.join(name), World::new(seed));
        std::fs::create_dir_all(&dir).unwrap();
        world.write(&dir.join("1.ppm"), &IDENTITY, 1.0);
        for (k, gamma) in gammas.into_iter().enumerate() {
            world.write(&dir.join(format!("{}.ppm", k + 2)), &h[1], gamma);
            let lines: Vec<String> = h[0].iter().map(|row| row.map(|v| v.to_string()).join(" ")).collect();
            std::fs::write(dir.join(format!("H_1_{}", k + 2)), lines.join("\n")).unwrap();
        }
    }
}

fn train(dir: &Path, pipeline: &str, more: &[&str]) {
    let pipeline = Path::new(env!("CARGO_MANIFEST_DIR")).join("pipelines").join(pipeline);
    let out = rord(dir, &[&[pipeline.to_str().unwrap(), "--preset", "smoke", "--out", "run"], more].concat());
    assert!(out.status.success(), "{}", said(&out));
}

fn pairs(dir: &Path, more: &[&str]) -> Value {
    let out = rord(dir, &[&["eval", "run", "--suite", "pairs", "--in", "set", "--format", "json"], more].concat());
    assert!(out.status.success(), "{}", said(&out));
    serde_json::from_slice(&out.stdout).unwrap()
}

fn at(set: &Value, key: &str, k: usize) -> f64 {
    set[key][k].as_f64().unwrap()
}

/// Rows of the table, as words.
fn rows(text: &str) -> Vec<Vec<&str>> {
    text.lines().map(|line| line.split_whitespace().collect()).collect()
}

#[test]
fn pairs_of_pictures_are_measured_by_a_network_that_sees_grey() {
    let dir = tempfile::tempdir().unwrap();
    hpatches(&dir.path().join("set"));
    train(dir.path(), "find.rord", &[]);
    let answer = pairs(dir.path(), &[]);
    let sets = answer["sets"].as_array().unwrap();
    let counts: Vec<(&str, u64)> =
        sets.iter().map(|s| (s["set"].as_str().unwrap(), s["pairs"].as_u64().unwrap())).collect();
    assert_eq!(counts, [("i", 2), ("v", 2), ("all", 4)]);
    // A shift by whole pixels that are no whole cells: most is found again, and the homography is near.
    let moved = &sets[1];
    assert!(at(moved, "repeatability", 2) > 0.4 && at(moved, "accuracy", 4) > 0.6, "{moved}");
    assert!(at(moved, "auc_ransac", 2) > 0.5 && at(moved, "auc_ransac", 2) >= at(moved, "auc_dlt", 2), "{moved}");
    for set in sets {
        let accuracy: Vec<f64> = (0..10).map(|k| at(set, "accuracy", k)).collect();
        assert!(accuracy.windows(2).all(|w| w[0] <= w[1]) && accuracy[9] <= 1.0, "{set}");
    }
    // Threads change nothing, and the table has the same numbers.
    assert_eq!(pairs(dir.path(), &["--threads", "1"]), answer);
    let out = rord(dir.path(), &["eval", "run", "--suite", "pairs", "--in", "set"]);
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    let rows = rows(&text);
    assert_eq!((rows.len(), rows[1][0], rows[3][1]), (4, "i", "4"), "{text}");
    assert_eq!(rows[2][5], format!("{:.1}", 100.0 * at(moved, "repeatability", 2)), "{text}");
    // Half as large, errors are half as large too.
    let small = pairs(dir.path(), &["--short", "80", "--points", "200"]);
    assert_eq!(small["key_points"], 200);
    assert!(at(&small["sets"][1], "repeatability", 4) > 0.5, "{small}");
}

#[test]
fn a_network_that_sees_colors_gets_them() {
    let dir = tempfile::tempdir().unwrap();
    hpatches(&dir.path().join("set"));
    train(dir.path(), "photos.rord", &["--set", "pictures=images(\"set\")", "--set", "channels=3"]);
    let answer = pairs(dir.path(), &[]);
    let moved = &answer["sets"][1];
    // After four steps it knows next to nothing; it is shown three colors, and key points come of it.
    assert!(moved["points"].as_f64().unwrap() > 50.0 && moved["matches"].as_f64().unwrap() >= 1.0, "{moved}");
    // A picture in grey is given to it three times.
    let grey: Vec<u8> = [&b"P5 96 96 255\n"[..], &vec![90; 96 * 96]].concat();
    for name in ["1.pgm", "2.pgm"] {
        std::fs::create_dir_all(dir.path().join("set/i_grey")).unwrap();
        std::fs::write(dir.path().join("set/i_grey").join(name), &grey).unwrap();
    }
    std::fs::write(dir.path().join("set/i_grey/H_1_2"), "1 0 0 0 1 0 0 0 1").unwrap();
    assert_eq!(pairs(dir.path(), &[])["sets"][0]["pairs"], 3);
}

#[test]
fn what_cannot_be_measured_is_one_report() {
    let dir = tempfile::tempdir().unwrap();
    hpatches(&dir.path().join("set"));
    train(dir.path(), "find.rord", &[]);
    std::fs::create_dir_all(dir.path().join("torn/v_a")).unwrap();
    std::fs::copy(dir.path().join("set/v_moved/1.ppm"), dir.path().join("torn/v_a/1.ppm")).unwrap();
    std::fs::write(dir.path().join("torn/v_a/H_1_2"), "1 0 0 0 1 0 0 0").unwrap();
    for (args, fact) in [
        (&["--in", "set", "--layers", "1/0"][..], "`--layers` is no option of the suite pairs"),
        (&["--in", "set", "--cells", "a"], "--suite cells"),
        (&["--in", "set", "--points", "2"], "`--points 2` is out of range"),
        (&["--in", "gone"], "gone"),
        (&["--in", "torn"], "8 numbers of a matrix instead of 9"),
    ] {
        let out = rord(dir.path(), &[&["eval", "run", "--suite", "pairs"], args].concat());
        assert_eq!(out.status.code(), Some(1), "{args:?}: {}", said(&out));
        assert!(said(&out).contains(fact) && said(&out).matches("  × ").count() == 1, "{args:?}: {}", said(&out));
    }
}
