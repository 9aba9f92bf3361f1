//! `eval --suite cells`: instances of a cell, found from one exemplar, against where the layout's hierarchy places it.

use rord_data::patch::Rect;
use rord_kernels::turns::motion;
use rord_matching::moves::Move;
use rord_matching::search::{corners, corners_apart};

use crate::chip::Answer;
use crate::drawn::Held;
use crate::maps::Pixels;

/// A cell whose instances are looked for.
#[derive(Clone, Debug, Default)]
pub struct Truth {
    /// From the exemplar's pixels to the chip's, for every instance that lies wholly in the picture.
    pub whole: Vec<Move>,
    /// The same of those that lie partly in it: they are not counted, found or not.
    pub cut: Vec<Move>,
    /// The symmetries of the exemplar: moves of its pixels under which its drawing stays the same, the identity first.
    pub symmetries: Vec<Move>,
}

/// The share of the exemplar's smaller side that corners may be off.
const OFF: f64 = 1.0 / 3.0;
/// The mean difference of pixels, in 0..=1, up to which two drawings are the same.
const SAME: f32 = 0.004;

impl Truth {
    /// The instances at `moves`, from the exemplar's pixels to those of a picture of `picture` pixels.
    pub fn new(moves: Vec<Move>, exemplar: &Held, picture: [usize; 2]) -> Self {
        let [width, height] = picture.map(|side| side as f64 + 0.5);
        // Edges are rounded to whole pixels.
        let inside = |[x, y]: [f64; 2]| x >= -1.5 && y >= -1.5 && x <= width && y <= height;
        let is_whole = |by: &Move| corners(exemplar.size).iter().all(|c| inside(by.apply(*c)));
        let touches = |by: &Move| corners(exemplar.size).iter().any(|c| inside(by.apply(*c)));
        let (whole, cut): (Vec<Move>, Vec<Move>) = moves.into_iter().partition(is_whole);
        let cut = cut.into_iter().filter(touches).collect();
        Self { whole, cut, symmetries: same_drawing(exemplar, exemplar) }
    }

    /// Which answers are right: each takes the nearest instance that is left and whose corners it meets within a third of the
    /// exemplar's smaller side. Answers come the likeliest first.
    pub fn score(&self, answers: &[Answer], size: [usize; 2]) -> Scored {
        let within = OFF * size[0].min(size[1]) as f64;
        let off = |answer: &Answer, truth: &Move| {
            let apart = |s: &Move| corners_apart(&answer.by, &truth.after(s), size);
            self.symmetries.iter().map(apart).fold(f64::INFINITY, f64::min)
        };
        let mut left: Vec<&Move> = self.whole.iter().collect();
        let mut right = Vec::new();
        for answer in answers {
            let distances = left.iter().map(|truth| off(answer, truth)).enumerate();
            let nearest = distances.min_by(|a, b| a.1.total_cmp(&b.1)).filter(|(_, d)| *d <= within);
            match nearest {
                Some((at, _)) => {
                    left.swap_remove(at);
                    right.push((answer.likeness, true));
                }
                None if self.cut.iter().any(|truth| off(answer, truth) <= within) => {}
                None => right.push((answer.likeness, false)),
            }
        }
        Scored { instances: self.whole.len(), right }
    }
}

/// The moves from one drawing's pixels to another's under which both are the same: symmetries of the square about the
/// middle. Empty where they differ.
pub fn same_drawing(a: &Held, b: &Held) -> Vec<Move> {
    let value = |held: &Held, x: usize, y: usize| {
        let plane = held.values.get(y * held.size[0] + x);
        plane.copied().unwrap_or_default()
    };
    let same = |symmetry: usize| -> Option<Move> {
        let by = about_middles(symmetry, a.size, b.size)?;
        let mut sum = 0.0;
        for y in 0..a.size[1] {
            for x in 0..a.size[0] {
                let [u, v] = by.apply([x as f64, y as f64]).map(|at| at.round().max(0.0) as usize);
                sum += (value(a, x, y) - value(b, u, v)).abs();
            }
        }
        (sum <= SAME * (a.size[0] * a.size[1]) as f32).then_some(by)
    };
    (0..8).filter_map(same).collect()
}

/// A symmetry that takes a picture of one size to one of another; `None` where the sizes do not allow it.
fn about_middles(symmetry: usize, from: [usize; 2], to: [usize; 2]) -> Option<Move> {
    let [a, b, c, d] = motion(symmetry).map(f64::from);
    let turned = if a == 0.0 { [from[1], from[0]] } else { from };
    let middle = |size: [usize; 2]| size.map(|side| (side as f64 - 1.0) / 2.0);
    let ([x, y], [u, v]) = (middle(from), middle(to));
    let by = Move([[a, b, u - a * x - b * y], [c, d, v - c * x - d * y], [0.0, 0.0, 1.0]]);
    (turned == to).then_some(by)
}

/// The part of a picture that a window shows.
pub fn cut(pixels: &dyn Pixels, window: Rect) -> Result<Held, String> {
    let size = [window.width, window.height];
    Ok(Held { values: pixels.read(window)?, channels: pixels.channels(), size })
}

/// How answers compare with the truth.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scored {
    /// Instances there are.
    pub instances: usize,
    /// For each answer, the likeliest first, its likeness and whether it is right.
    pub right: Vec<(f64, bool)>,
}

impl Scored {
    /// Answers that are right.
    pub fn hits(&self) -> usize {
        self.right.iter().filter(|(_, right)| *right).count()
    }

    /// The share of answers that are right; 1 without answers.
    pub fn precision(&self) -> f64 {
        if self.right.is_empty() { 1.0 } else { self.hits() as f64 / self.right.len() as f64 }
    }

    /// The share of instances that were found; 1 where there are none.
    pub fn recall(&self) -> f64 {
        if self.instances == 0 { 1.0 } else { self.hits() as f64 / self.instances as f64 }
    }

    /// Twice the right answers over answers and instances: the harmonic mean of precision and recall. 1 where there are neither.
    pub fn f1(&self) -> f64 {
        let all = self.right.len() + self.instances;
        if all == 0 { 1.0 } else { 2.0 * self.hits() as f64 / all as f64 }
    }

    /// With only the answers of at least so much likeness.
    pub fn above(&self, likeness: f64) -> Self {
        let right = self.right.iter().copied().filter(|(l, _)| *l >= likeness).collect();
        Self { instances: self.instances, right }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;

    fn answer(x: f64, likeness: f64) -> Answer {
        Answer { by: at(x), inliers: 9, likeness, score: likeness }
    }

    fn at(x: f64) -> Move {
        Move::similarity(0.0, 1.0, false, [x, 10.0])
    }

    /// A drawing whose left and right halves mirror each other.
    fn drawing() -> Held {
        let bar = |x: usize, y: usize| if y < 3 || x == 5 || x == 6 { 1.0 } else { 0.0 };
        let values = (0..9 * 12).map(|at| bar(at % 12, at / 12)).collect();
        Held { values, channels: 1, size: [12, 9] }
    }

    #[test]
    fn each_instance_is_found_once_and_cut_ones_do_not_count() {
        let truth = Truth::new(vec![at(10.0), at(40.0), at(70.0), at(93.0)], &drawing(), [100, 30]);
        assert_eq!((truth.whole.len(), truth.cut.len()), (3, 1));
        // Two answers on one instance, one between, one on the instance that is cut, one 3 px off: a third of 9.
        let answers = [answer(10.0, 0.9), answer(11.0, 0.8), answer(55.0, 0.7), answer(93.0, 0.6), answer(43.0, 0.5)];
        let scored = truth.score(&answers, [12, 9]);
        assert_eq!(scored.right.iter().map(|(_, right)| *right).collect::<Vec<_>>(), [true, false, false, true]);
        assert_eq!((scored.precision(), scored.recall()), (0.5, 2.0 / 3.0));
        assert!((scored.f1() - 4.0 / 7.0).abs() < 1e-12);
        assert_eq!(scored.above(0.85).precision(), 1.0);
        let moved = truth.score(&[answer(43.2, 0.5)], [12, 9]);
        assert_eq!(moved.hits(), 0);
    }

    #[test]
    fn a_symmetric_cell_may_be_found_mirrored() {
        let drawing = drawing();
        let truth = Truth::new(vec![at(10.0)], &drawing, [100, 30]);
        assert_eq!(truth.symmetries.len(), 2, "{:?}", truth.symmetries);
        let mirrored = Move([[-1.0, 0.0, 21.0], [0.0, 1.0, 10.0], [0.0, 0.0, 1.0]]);
        let found = Answer { by: mirrored, ..answer(0.0, 0.9) };
        assert_eq!(truth.score(&[found], [12, 9]).hits(), 1);
        let other = Held { values: vec![0.0; 108], ..drawing };
        assert!(same_drawing(&drawing, &other).is_empty());
    }

    #[test]
    fn nothing_is_found_of_nothing() {
        let none = Scored::default();
        assert_eq!((none.precision(), none.recall(), none.f1()), (1.0, 1.0, 1.0));
    }
}
