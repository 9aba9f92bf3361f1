//! The numbers that change while training, step by step: `ramp(0, 1, over = 5epochs)` is 0.5 in the middle of the third.
//!
//! A number is known before the batch of its step is made, and batches are made ahead: one that listens to training
//! hears of a step a fixed number of steps later ([`LAG`]), whatever was made by then. So nothing depends on threads.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use serde_json::{Map, Value};

use super::optim::RecipeError;
use super::plan::Watched;
use super::schedule::{BadState, half_cosine};
use rord_lang::constant::{Constant, Settings, Unit, Unreadable};
use rord_lang::timed::Course;
use rord_lang::typed::Pipeline;

/// Steps from what is heard to the first one that is made by it: more than are made ahead.
pub const LAG: u64 = 8;

/// All numbers of a run that change. A run has one, which its steps and its data share.
#[derive(Debug)]
pub struct Clock {
    /// The numbers with their names and how they change.
    courses: Vec<(String, Course, Curve)>,
    /// Batches of an epoch, and how many of them make a step, once the data is loaded.
    epoch: OnceLock<(u64, u64)>,
    board: Mutex<Board>,
}

/// What is known of numbers that listen.
#[derive(Debug)]
struct Board {
    /// Steps that have been taken.
    step: u64,
    /// The numbers of the last step and the next ones, for every course; empty for those that do not listen.
    next: Vec<VecDeque<f64>>,
    /// What each has come to so far.
    so_far: Vec<f64>,
}

/// How a number changes.
#[derive(Debug)]
enum Curve {
    Ramp { from: f64, to: f64, after: Time, over: Time, cosine: bool },
    StepsAt { from: f64, factor: f64, at: Vec<Time> },
    Pace { watch: Watched, by: f64, above: Option<f64>, below: Option<f64> },
}

/// An amount of time.
#[derive(Clone, Copy, Debug)]
struct Time(f64, Unit);

impl Time {
    fn read(settings: &Settings, name: &str) -> Result<Self, RecipeError> {
        Self::of(settings.get(name)).ok_or_else(|| unreadable(name).into())
    }

    fn of(constant: Option<&Constant>) -> Option<Self> {
        match constant {
            Some(Constant::Quantity(x, unit @ (Unit::Epochs | Unit::Steps))) => Some(Time(*x, *unit)),
            _ => None,
        }
    }

    /// In steps, not always a whole number.
    fn steps(self, epoch: u64) -> f64 {
        if self.1 == Unit::Epochs { self.0 * epoch as f64 } else { self.0 }
    }
}

fn unreadable(name: &str) -> Unreadable {
    Unreadable { name: name.into(), wanted: "a number of epochs or steps" }
}

impl Board {
    /// The step that the first number of each list is for.
    fn first(&self) -> u64 {
        self.step.saturating_sub(1)
    }
}

impl Curve {
    fn read(course: &Course) -> Result<Self, RecipeError> {
        let s = &course.recipe.settings;
        Ok(match course.recipe.op.as_str() {
            op @ ("ramp" | "cosine_ramp") => Curve::Ramp {
                from: s.number("from")?,
                to: s.number("to")?,
                after: Time::read(s, "after")?,
                over: Time::read(s, "over")?,
                cosine: op == "cosine_ramp",
            },
            "steps_at" => {
                let times = s.list("at")?.iter().map(|time| Time::of(Some(time)));
                let at = times.collect::<Option<_>>().ok_or_else(|| unreadable("at"))?;
                Curve::StepsAt { from: s.number("from")?, factor: s.number("factor")?, at }
            }
            "pace" => Curve::Pace {
                watch: Watched::parse(s.text("watch")?).ok_or_else(|| unreadable("watch"))?,
                by: s.number("by")?,
                above: s.number("above").ok(),
                below: s.number("below").ok(),
            },
            other => {
                let known = &["ramp", "cosine_ramp", "steps_at", "pace"];
                return Err(RecipeError::Unknown { op: other.into(), known });
            }
        })
    }

    fn listens(&self) -> bool {
        matches!(self, Curve::Pace { .. })
    }

    /// The number of a step, where that depends on nothing else.
    fn at(&self, step: u64, epoch: u64) -> Option<f64> {
        let step = step as f64;
        match self {
            Curve::Ramp { from, to, after, over, cosine } => {
                let part = (step - after.steps(epoch)) / over.steps(epoch).max(f64::MIN_POSITIVE);
                let part = part.clamp(0.0, 1.0);
                Some(if *cosine { half_cosine(*from, *to, part) } else { from + (to - from) * part })
            }
            Curve::StepsAt { from, factor, at } => {
                let come = at.iter().filter(|time| step >= time.steps(epoch)).count();
                Some(from * factor.powi(i32::try_from(come).unwrap_or(i32::MAX)))
            }
            Curve::Pace { .. } => None,
        }
    }

    /// What it has come to after these numbers of a split.
    fn hear(&self, so_far: f64, validation: bool, numbers: &[(String, f64)]) -> f64 {
        let Curve::Pace { watch, by, above, below } = self else { return so_far };
        let Some((_, x)) = numbers.iter().find(|(name, _)| watch.validation == validation && *name == watch.name)
        else {
            return so_far;
        };
        // What is no number is no reason to go on.
        if !x.is_finite() {
            return so_far;
        }
        let good = above.is_none_or(|bound| *x > bound) && below.is_none_or(|bound| *x < bound);
        if good { (so_far + by).min(1.0) } else { so_far }
    }
}

impl Clock {
    /// The numbers of a pipeline, before the first step.
    pub fn new(pipeline: &Pipeline) -> Result<Self, RecipeError> {
        let read = |(name, course): (String, Course)| Curve::read(&course).map(|curve| (name, course, curve));
        let courses: Vec<_> = pipeline.timed().into_iter().map(read).collect::<Result<_, _>>()?;
        let next = courses.iter().map(|(.., curve)| match curve.listens() {
            true => VecDeque::from(vec![0.0; LAG as usize]),
            false => VecDeque::new(),
        });
        let board = Board { step: 0, next: next.collect(), so_far: vec![0.0; courses.len()] };
        Ok(Self { courses, epoch: OnceLock::new(), board: Mutex::new(board) })
    }

    /// Sets how many batches an epoch has, and how many of them make a step. Only the first call counts.
    pub fn set_epoch(&self, batches: u64, of_step: u64) {
        self.epoch.get_or_init(|| (batches.max(1), of_step.max(1)));
    }

    /// Batches of an epoch, how many of them make a step, and the steps that they make.
    fn epoch(&self) -> (u64, u64, u64) {
        let (batches, of_step) = self.epoch.get().copied().unwrap_or((1, 1));
        (batches, of_step, batches.div_ceil(of_step))
    }

    /// The step that a batch belongs to.
    fn step_of(&self, batch: u64) -> u64 {
        let (batches, of_step, steps) = self.epoch();
        batch / batches * steps + batch % batches / of_step
    }

    fn board(&self) -> MutexGuard<'_, Board> {
        // Nothing that can panic runs while it is held.
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number of a batch: that of its step.
    pub fn number(&self, course: &Course, batch: u64) -> f64 {
        self.number_at(course, self.step_of(batch))
    }

    /// The number of a step. Of numbers that listen, those of the next [`LAG`] steps are known.
    pub fn number_at(&self, course: &Course, step: u64) -> f64 {
        let at = self.courses.iter().position(|(_, known, _)| known == course);
        at.map_or(course.reach.last, |at| self.nth(at, step))
    }

    fn nth(&self, at: usize, step: u64) -> f64 {
        let Some((_, course, curve)) = self.courses.get(at) else { return 0.0 };
        let (.., epoch) = self.epoch();
        curve.at(step, epoch).unwrap_or_else(|| {
            let board = self.board();
            let index = usize::try_from(step.saturating_sub(board.first())).unwrap_or(usize::MAX);
            let next = board.next.get(at);
            let known = step >= board.first() && next.is_some_and(|next| index < next.len());
            debug_assert!(known, "the number of step {step} is not known after {} steps", board.step);
            next.and_then(|next| next.get(index).or(next.back())).copied().unwrap_or(course.reach.last)
        })
    }

    /// The numbers of the last step that was taken, by name.
    pub fn last(&self) -> Vec<(String, f64)> {
        let step = self.board().first();
        self.numbers(step)
    }

    /// The numbers of a step by name.
    pub fn numbers(&self, step: u64) -> Vec<(String, f64)> {
        self.courses.iter().enumerate().map(|(at, (name, ..))| (name.clone(), self.nth(at, step))).collect()
    }

    /// Hears of a step that has been taken.
    pub fn step(&self, numbers: &[(String, f64)]) {
        let mut board = self.board();
        board.step += 1;
        let Board { next, so_far, .. } = &mut *board;
        let most = LAG as usize + 1;
        for (((.., curve), next), so_far) in self.courses.iter().zip(next).zip(so_far) {
            if curve.listens() {
                *so_far = curve.hear(*so_far, false, numbers);
                next.push_back(*so_far);
                if next.len() > most {
                    next.pop_front();
                }
            }
        }
    }

    /// Hears of a validation. The first step that goes by it is as far ahead as after a training step.
    pub fn validated(&self, numbers: &[(String, f64)]) {
        let mut board = self.board();
        for ((.., curve), so_far) in self.courses.iter().zip(&mut board.so_far) {
            *so_far = curve.hear(*so_far, true, numbers);
        }
    }

    /// What a run has to keep to go on: for every number that listens, those of the next steps and what it has come to.
    pub fn state(&self) -> Value {
        let board = self.board();
        let mut kept = Map::new();
        kept.insert("step".into(), board.step.into());
        for (((_, course, curve), next), so_far) in self.courses.iter().zip(&board.next).zip(&board.so_far) {
            if curve.listens() {
                let numbers = next.iter().chain([so_far]).map(|x| Value::from(x.to_string()));
                kept.insert(course.recipe.to_string(), numbers.collect());
            }
        }
        Value::Object(kept)
    }

    /// Takes up what [`Clock::state`] gave: all of it, or nothing.
    pub fn load(&self, state: &Value) -> Result<(), BadState> {
        let bad = || BadState { field: Some("timed") };
        let kept = state.as_object().ok_or_else(bad)?;
        let step = kept.get("step").and_then(Value::as_u64).ok_or_else(bad)?;
        let listening = self.courses.iter().filter(|(.., curve)| curve.listens()).count();
        if kept.len() != listening + 1 {
            return Err(bad());
        }
        let (mut next, mut so_far) = (Vec::new(), Vec::new());
        for (_, course, curve) in &self.courses {
            if !curve.listens() {
                next.push(VecDeque::new());
                so_far.push(0.0);
                continue;
            }
            let numbers = kept.get(&course.recipe.to_string()).and_then(Value::as_array).ok_or_else(bad)?;
            let read = |x: &Value| x.as_str().and_then(|text| text.parse::<f64>().ok());
            let mut numbers: VecDeque<f64> = numbers.iter().map(read).collect::<Option<_>>().ok_or_else(bad)?;
            so_far.push(numbers.pop_back().ok_or_else(bad)?);
            if numbers.len() as u64 != LAG + step.min(1) {
                return Err(bad());
            }
            next.push(numbers);
        }
        *self.board() = Board { step, next, so_far };
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests;
