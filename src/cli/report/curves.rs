//! The numbers of a run for its pictures: of each name what training and validation had, in bounded memory however long the run was.

use std::io::{BufRead, BufReader};
use std::path::Path;

use serde_json::{Map, Value};

/// The most pieces of a curve that are kept.
const MOST: usize = 1024;

/// Some steps in a row: where the first and the last lie, in epochs, and least, mean and greatest of what they had.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Piece {
    /// The first step.
    pub from: f64,
    /// The last step.
    pub to: f64,
    /// The least number.
    pub low: f64,
    /// The greatest.
    pub high: f64,
    /// Their sum.
    sum: f64,
    /// How many there are.
    count: u64,
}

impl Piece {
    fn one(at: f64, y: f64) -> Self {
        Self::around(at, y, 0.0)
    }

    /// A mean, and so much to both sides of it.
    pub fn around(at: f64, y: f64, spread: f64) -> Self {
        Self { from: at, to: at, low: y - spread, high: y + spread, sum: y, count: 1 }
    }

    fn and(&self, next: &Self) -> Self {
        Self {
            from: self.from,
            to: next.to,
            low: self.low.min(next.low),
            high: self.high.max(next.high),
            sum: self.sum + next.sum,
            count: self.count + next.count,
        }
    }

    /// Their mean.
    pub fn mean(&self) -> f64 {
        self.sum / self.count as f64
    }

    /// The middle.
    pub fn at(&self) -> f64 {
        (self.from + self.to) / 2.0
    }
}

/// A curve of steps, in at most so many pieces.
#[derive(Clone, Debug, PartialEq)]
pub struct Pieces {
    all: Vec<Piece>,
    /// Steps of a piece.
    of: u64,
}

impl Default for Pieces {
    fn default() -> Self {
        Self { all: Vec::new(), of: 1 }
    }
}

impl Pieces {
    fn add(&mut self, at: f64, y: f64) {
        let next = Piece::one(at, y);
        match self.all.last_mut().filter(|last| last.count < self.of) {
            Some(last) => *last = last.and(&next),
            None => self.all.push(next),
        }
        if self.all.len() > MOST {
            self.all = by(&self.all, 2);
            self.of *= 2;
        }
    }

    /// The curve in at most so many pieces.
    pub fn in_pieces(&self, most: usize) -> Vec<Piece> {
        merged(&self.all, most)
    }
}

fn merged(all: &[Piece], most: usize) -> Vec<Piece> {
    by(all, all.len().div_ceil(most.max(1)).max(1))
}

/// So many pieces joined to one.
fn by(all: &[Piece], each: usize) -> Vec<Piece> {
    all.chunks(each).filter_map(|some| some.iter().copied().reduce(|a, b| a.and(&b))).collect()
}

/// A number of a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Curve {
    /// What each step had, by the time in epochs.
    pub train: Pieces,
    /// What each validation had, by its epoch.
    pub val: Vec<[f64; 2]>,
}

/// Something that went wrong without an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The epoch.
    pub epoch: u64,
    /// All of it in words; of runs that did not keep them, what it is and of what.
    pub text: String,
}

/// All that `metrics.jsonl` has.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Curves {
    /// By name, in the order of the file.
    pub all: Vec<(String, Curve)>,
    /// How terms were, by the figure's name (`description.active`): each epoch with its number.
    pub figures: Vec<(String, Vec<[f64; 2]>)>,
    /// What went wrong.
    pub found: Vec<Found>,
    /// Steps that were taken.
    pub steps: u64,
}

impl Curves {
    /// Reads a file, which need not be there; half a line at its end is not there yet.
    pub fn read(path: &Path) -> Self {
        let mut curves = Self::default();
        let Ok(file) = std::fs::File::open(path) else { return curves };
        let steps = steps_of_epoch(path).max(1) as f64;
        let mut lines = BufReader::new(file);
        let mut line = Vec::new();
        while let Ok(1..) = {
            line.clear();
            std::io::Read::take(&mut lines, 1 << 20).read_until(b'\n', &mut line)
        } {
            if let Ok(Value::Object(entries)) = serde_json::from_slice(&line) {
                curves.line(entries, steps);
            }
        }
        curves
    }

    fn line(&mut self, mut line: Map<String, Value>, steps: f64) {
        let split = line.shift_remove("split");
        let (step, epoch) = (line.shift_remove("step"), line.shift_remove("epoch"));
        let epoch = epoch.and_then(|e| e.as_u64()).unwrap_or(0);
        match split.as_ref().and_then(Value::as_str) {
            Some("train") => {
                let step = step.and_then(|s| s.as_u64()).unwrap_or(0);
                self.steps = self.steps.max(step.saturating_add(1));
                let at = (step as f64 + 1.0) / steps;
                for (name, y) in line.iter().filter_map(|(name, y)| Some((name, y.as_f64()?))) {
                    self.curve(name).train.add(at, y);
                }
            }
            Some("val") => {
                for (name, y) in line.iter().filter_map(|(name, y)| Some((name, y.as_f64()?))) {
                    self.curve(name).val.push([epoch as f64, y]);
                }
            }
            Some("figures") => {
                for (name, y) in line.iter().filter_map(|(name, y)| Some((name, y.as_f64()?))) {
                    match self.figures.iter_mut().find(|(n, _)| n == name) {
                        Some((_, points)) => points.push([epoch as f64, y]),
                        None => self.figures.push((name.clone(), vec![[epoch as f64, y]])),
                    }
                }
            }
            Some("health") => {
                let of = |name: &str| line.get(name).and_then(Value::as_str).unwrap_or_default();
                let short = format!("{} {}", of("found").replace('_', " "), of("of"));
                let text = if of("text").is_empty() { short } else { of("text").to_string() };
                self.found.push(Found { epoch, text });
            }
            _ => {}
        }
    }

    fn curve(&mut self, name: &str) -> &mut Curve {
        let at = self.all.iter().position(|(n, _)| n == name).unwrap_or_else(|| {
            self.all.push((name.into(), Curve::default()));
            self.all.len() - 1
        });
        // It is there.
        #[allow(clippy::indexing_slicing)]
        &mut self.all[at].1
    }

    /// A figure by epoch; empty where there is none.
    pub fn figure(&self, name: &str) -> &[[f64; 2]] {
        self.figures.iter().find(|(n, _)| n == name).map_or(&[], |(_, points)| points)
    }

    /// A number's curve.
    pub fn of(&self, name: &str) -> Option<&Curve> {
        self.all.iter().find(|(n, _)| n == name).map(|(_, curve)| curve)
    }
}

/// Steps of an epoch, by the first step of the second; of a run within its first epoch, those that there are.
fn steps_of_epoch(path: &Path) -> u64 {
    let Ok(file) = std::fs::File::open(path) else { return 0 };
    let mut steps = 0;
    for line in BufReader::new(file).split(b'\n').map_while(Result::ok) {
        let Ok(line) = serde_json::from_slice::<Value>(&line) else { continue };
        if line.get("split").and_then(Value::as_str) == Some("train") {
            if line.get("epoch").and_then(Value::as_u64) != Some(1) {
                break;
            }
            steps += 1;
        }
    }
    steps
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;

    #[test]
    fn a_long_curve_keeps_its_ends_and_its_extremes() {
        let mut pieces = Pieces::default();
        for step in 0..100_000u32 {
            pieces.add(f64::from(step), if step == 77_777 { 9.0 } else { f64::from(step % 2) });
        }
        let all = pieces.in_pieces(200);
        assert!(pieces.all.len() <= MOST && all.len() <= 200 && all.len() > 100);
        assert_eq!((all[0].from, all[all.len() - 1].to), (0.0, 99_999.0));
        assert_eq!(all.iter().map(|p| p.high).fold(0.0, f64::max), 9.0);
        assert!((all[0].mean() - 0.5).abs() < 1e-9 && all.iter().map(|p| p.count).sum::<u64>() == 100_000);
    }

    #[test]
    fn lines_become_curves() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("metrics.jsonl");
        let text = r#"{"split":"train","step":0,"epoch":1,"total":2.0,"lr":0.1,"grad_norm":null}
{"split":"train","step":1,"epoch":1,"total":1.0,"lr":0.1,"grad_norm":3.0}
{"split":"figures","epoch":1,"loss.active":0.25,"net.det.mean":null}
{"split":"health","epoch":1,"found":"flat_images","of":"image"}
{"split":"val","epoch":1,"total":1.5}
{"split":"train","step":2,"epoch":2,"total":0.5,"lr":0.1,"grad_norm":1.0}
{"split":"train","step":3"#;
        std::fs::write(&path, text).unwrap();
        let curves = Curves::read(&path);
        assert_eq!(curves.steps, 3);
        let total = curves.of("total").unwrap();
        let at: Vec<[f64; 2]> = total.train.in_pieces(9).iter().map(|p| [p.at(), p.mean()]).collect();
        assert_eq!((at, &total.val), (vec![[0.5, 2.0], [1.0, 1.0], [1.5, 0.5]], &vec![[1.0, 1.5]]));
        assert_eq!(curves.of("grad_norm").unwrap().train.in_pieces(9).len(), 2);
        assert_eq!((curves.figure("loss.active"), curves.figure("net.det.mean")), (&[[1.0, 0.25]][..], &[][..]));
        assert_eq!(curves.found, [Found { epoch: 1, text: "flat images image".into() }]);
        assert_eq!(Curves::read(&root.path().join("none")), Curves::default());
    }
}
