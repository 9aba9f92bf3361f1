//! Learning rates over a run: `constant`, `cosine`, `step`, `linear_to_zero`, `one_cycle`, and `reduce_on_plateau`.
//!
//! `reduce_on_plateau(watch = val.total, factor = 0.5, patience = 5epochs)` halves the rate at the sixth validation in
//! a row that brings nothing new. Rates depend on the global step and on what was watched, so a resumed run has the
//! same ones.

use std::f64::consts::PI;

use serde_json::{Value, json};

use crate::optim::RecipeError;
use rord_lang::constant::{Constant, Recipe, Settings, Unit};
use rord_lang::typed::Direction;

/// Gives every step its learning rate.
pub trait Schedule: Send {
    /// The rate of the step numbered `step` (from 0, over the whole run) in `epoch` (from 0).
    fn lr(&self, step: u64, epoch: u64) -> f64;

    /// Takes the watched number after a validation; returns the change of the rate, where it causes one.
    fn after_validation(&mut self, _watched: f64) -> Option<LrChange> {
        None
    }

    /// The number that it watches: `val.total`. `None` for a schedule that watches nothing.
    fn watch(&self) -> Option<&str> {
        None
    }

    /// What has to be kept to go on later. Numbers are written as text (`"0.0005"`), which reads back to the same bit
    /// and can hold an infinity; JSON numbers do neither.
    fn state(&self) -> Value {
        Value::Null
    }

    /// Takes up what [`Schedule::state`] gave.
    fn load(&mut self, state: &Value) -> Result<(), BadState> {
        if state.is_null() { Ok(()) } else { Err(BadState { field: None }) }
    }
}

/// A change of the learning rate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LrChange {
    /// The rate until now.
    pub from: f64,
    /// The rate from now on.
    pub to: f64,
}

/// A saved state that is not this schedule's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the saved state is not of this schedule{}", field.map(|f| format!(": `{f}`")).unwrap_or_default())]
pub struct BadState {
    /// The entry that is absent or unreadable; `None` where the state as a whole is of another kind.
    pub field: Option<&'static str>,
}

/// Which values of the watched number are better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Smaller ones: a loss.
    Minimize,
    /// Larger ones: a share of correct matches.
    Maximize,
}

impl Mode {
    /// The value that every other is better than.
    pub fn worst(self) -> f64 {
        match self {
            Mode::Minimize => f64::INFINITY,
            Mode::Maximize => f64::NEG_INFINITY,
        }
    }

    /// True where a value is better than another; false for NaN.
    pub fn better(self, value: f64, than: f64) -> bool {
        match self {
            Mode::Minimize => value < than,
            Mode::Maximize => value > than,
        }
    }
}

impl From<Direction> for Mode {
    fn from(direction: Direction) -> Self {
        match direction {
            Direction::Down => Mode::Minimize,
            Direction::Up => Mode::Maximize,
        }
    }
}

/// The run a schedule is for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Span {
    /// The optimizer's learning rate, which the schedule starts from.
    pub base_lr: f64,
    /// Optimizer steps in an epoch.
    pub steps_per_epoch: u64,
    /// Epochs in the run.
    pub epochs: u64,
}

const KNOWN: &[&str] = &["constant", "cosine", "linear_to_zero", "one_cycle", "reduce_on_plateau", "step"];

/// The schedule a recipe names. `mode` is which values of the watched number are better.
pub fn schedule(recipe: &Recipe, span: Span, mode: Mode) -> Result<Box<dyn Schedule>, RecipeError> {
    let settings = &recipe.settings;
    let base = span.base_lr;
    let total = span.steps_per_epoch as f64 * span.epochs as f64;
    Ok(match recipe.op.as_str() {
        "constant" => Box::new(Curve::Constant { base }),
        "cosine" => {
            let to = RecipeError::in_range(settings, "to", "0 or more", |x| x >= 0.0)?;
            Box::new(Curve::Cosine { base, to, warmup: steps(settings, "warmup", span)?, total })
        }
        "step" => {
            let every = duration(settings, "every")?;
            let factor = RecipeError::in_range(settings, "factor", "above 0", |x| x > 0.0)?;
            if every.0 <= 0.0 {
                return Err(not_a_duration(settings, "every", "a duration above 0"));
            }
            Box::new(Curve::Step { base, every, factor })
        }
        "linear_to_zero" => Box::new(Curve::LinearToZero { base, over: steps(settings, "over", span)? }),
        "one_cycle" => Box::new(Curve::OneCycle { base, total }),
        "reduce_on_plateau" => Box::new(Plateau::new(settings, span, mode)?),
        other => return Err(RecipeError::Unknown { op: other.into(), known: KNOWN }),
    })
}

/// An amount of time and whether it counts epochs or steps.
fn duration(settings: &Settings, name: &str) -> Result<(f64, Unit), RecipeError> {
    match settings.get(name) {
        Some(Constant::Quantity(x, unit @ (Unit::Epochs | Unit::Steps))) if x.is_finite() && *x >= 0.0 => {
            Ok((*x, *unit))
        }
        Some(Constant::Number(0.0)) => Ok((0.0, Unit::Steps)),
        Some(_) => Err(not_a_duration(settings, name, "a number of epochs or steps")),
        None => {
            Err(rord_lang::constant::Unreadable { name: name.into(), wanted: "a number of epochs or steps" }.into())
        }
    }
}

fn not_a_duration(settings: &Settings, name: &str, wanted: &'static str) -> RecipeError {
    let value = settings.get(name).map(Constant::to_string).unwrap_or_default();
    RecipeError::OutOfRange { name: name.into(), value, wanted }
}

/// A duration in steps, not always a whole number: `1.5epochs` of 5 steps are 7.5.
fn steps(settings: &Settings, name: &str, span: Span) -> Result<f64, RecipeError> {
    Ok(match duration(settings, name)? {
        (x, Unit::Epochs) => x * span.steps_per_epoch as f64,
        (x, _) => x,
    })
}

/// A duration as a number of validations, one an epoch; a plain number counts validations, as in PyTorch.
pub(crate) fn validations(settings: &Settings, name: &str, span: Span) -> Result<u64, RecipeError> {
    if let Some(Constant::Number(_)) = settings.get(name) {
        let whole = |x: f64| x >= 0.0 && x.fract() == 0.0;
        return Ok(RecipeError::in_range(settings, name, "a whole number of validations", whole)? as u64);
    }
    Ok(match duration(settings, name)? {
        (x, Unit::Steps) => (x / span.steps_per_epoch.max(1) as f64).ceil() as u64,
        (x, _) => x.ceil() as u64,
    })
}

/// A rate that depends on the position alone; durations in steps.
enum Curve {
    Constant { base: f64 },
    Cosine { base: f64, to: f64, warmup: f64, total: f64 },
    Step { base: f64, every: (f64, Unit), factor: f64 },
    LinearToZero { base: f64, over: f64 },
    OneCycle { base: f64, total: f64 },
}

/// From `from` at 0 to `to` at 1 along half a cosine; the ends hold beyond.
pub(super) fn half_cosine(from: f64, to: f64, at: f64) -> f64 {
    to + (from - to) / 2.0 * (1.0 + (PI * at.clamp(0.0, 1.0)).cos())
}

impl Schedule for Curve {
    fn lr(&self, step: u64, epoch: u64) -> f64 {
        let s = step as f64;
        match *self {
            Curve::Constant { base } => base,
            // The first step already moves the weights, and the warm-up meets the cosine at its top: (s+1)/(warmup+1).
            Curve::Cosine { base, warmup, .. } if s < warmup => base * (s + 1.0) / (warmup + 1.0),
            // torch's CosineAnnealingLR: `to` would be reached one step after the last.
            Curve::Cosine { base, to, warmup, total } => {
                half_cosine(base, to, (s - warmup) / (total - warmup).max(1.0))
            }
            Curve::Step { base, every: (every, unit), factor } => {
                let position = if unit == Unit::Epochs { epoch as f64 } else { s };
                base * factor.powf((position / every).floor())
            }
            Curve::LinearToZero { base, over } => base * (1.0 - s / over.max(1.0)).max(0.0),
            // torch's OneCycleLR with its defaults: pct_start 0.3, div_factor 25, final_div_factor 1e4, cosine, two
            // phases.
            Curve::OneCycle { base, total } => {
                let (top, end, start) = (0.3 * total - 1.0, total - 1.0, base / 25.0);
                if s <= top {
                    half_cosine(start, base, if top > 0.0 { s / top } else { 1.0 })
                } else {
                    half_cosine(base, start / 1e4, if end > top { (s - top) / (end - top) } else { 1.0 })
                }
            }
        }
    }
}

/// `torch.optim.lr_scheduler.ReduceLROnPlateau` with a relative threshold and eps 1e-8.
struct Plateau {
    watch: String,
    mode: Mode,
    factor: f64,
    patience: u64,
    threshold: f64,
    cooldown: u64,
    min_lr: f64,
    lr: f64,
    best: f64,
    bad: u64,
    cooling: u64,
}

/// Changes of the rate that are not larger are not made.
const EPS: f64 = 1e-8;

impl Plateau {
    fn new(settings: &Settings, span: Span, mode: Mode) -> Result<Self, RecipeError> {
        Ok(Self {
            watch: settings.text("watch")?.to_string(),
            mode,
            factor: RecipeError::in_range(settings, "factor", "in [0, 1)", |x| (0.0..1.0).contains(&x))?,
            patience: validations(settings, "patience", span)?,
            threshold: RecipeError::in_range(settings, "threshold", "0 or more", |x| x >= 0.0)?,
            cooldown: validations(settings, "cooldown", span)?,
            min_lr: RecipeError::in_range(settings, "min_lr", "0 or more", |x| x >= 0.0)?,
            lr: span.base_lr,
            best: if mode == Mode::Minimize { f64::INFINITY } else { f64::NEG_INFINITY },
            bad: 0,
            cooling: 0,
        })
    }

    /// False for NaN.
    fn better(&self, watched: f64) -> bool {
        match self.mode {
            Mode::Minimize => watched < self.best * (1.0 - self.threshold),
            Mode::Maximize => watched > self.best * (1.0 + self.threshold),
        }
    }
}

impl Schedule for Plateau {
    fn lr(&self, _step: u64, _epoch: u64) -> f64 {
        self.lr
    }

    fn after_validation(&mut self, watched: f64) -> Option<LrChange> {
        if watched.is_finite() && self.better(watched) {
            self.best = watched;
            self.bad = 0;
        } else {
            self.bad += 1;
        }
        if self.cooling > 0 {
            self.cooling -= 1;
            self.bad = 0;
        }
        // What is no number is no progress, but lowers nothing itself.
        if self.bad <= self.patience || !watched.is_finite() {
            return None;
        }
        self.cooling = self.cooldown;
        self.bad = 0;
        let from = self.lr;
        let to = (from * self.factor).max(self.min_lr);
        if from - to <= EPS {
            return None;
        }
        self.lr = to;
        Some(LrChange { from, to })
    }

    fn watch(&self) -> Option<&str> {
        Some(&self.watch)
    }

    fn state(&self) -> Value {
        json!({
            "lr": self.lr.to_string(),
            "best": self.best.to_string(),
            "bad": self.bad,
            "cooldown": self.cooling,
        })
    }

    fn load(&mut self, state: &Value) -> Result<(), BadState> {
        let absent = |field| BadState { field: Some(field) };
        let real = |field| {
            let text = state.get(field).and_then(Value::as_str);
            text.and_then(|text| text.parse::<f64>().ok()).ok_or_else(|| absent(field))
        };
        let count = |field| state.get(field).and_then(Value::as_u64).ok_or_else(|| absent(field));
        (self.lr, self.best, self.bad, self.cooling) = (real("lr")?, real("best")?, count("bad")?, count("cooldown")?);
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests;
