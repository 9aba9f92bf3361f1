//! The early end of a run: `after(10epochs, without = val.total)`.

use serde_json::{Value, json};

use super::optim::RecipeError;
use super::schedule::{BadState, Mode, Span, validations};
use rord_lang::constant::{Recipe, number};

/// Counts validations without progress.
#[derive(Clone, Debug, PartialEq)]
pub struct EarlyStop {
    watch: String,
    mode: Mode,
    patience: u64,
    best: f64,
    epoch: u64,
    bad: u64,
}

impl EarlyStop {
    /// What a recipe names; `watch` is the number it goes by, `mode` which values of it are better.
    pub fn new(recipe: &Recipe, span: Span, watch: String, mode: Mode) -> Result<Self, RecipeError> {
        if recipe.op != "after" {
            return Err(RecipeError::Unknown { op: recipe.op.clone(), known: &["after"] });
        }
        let patience = validations(&recipe.settings, "patience", span)?.max(1);
        Ok(Self { watch, mode, patience, best: mode.worst(), epoch: 0, bad: 0 })
    }

    /// Takes the watched number after an epoch, counted from 1. What a reader of the run is told, where it ends here.
    pub fn after_validation(&mut self, value: f64, epoch: u64) -> Option<String> {
        if value.is_finite() && self.mode.better(value, self.best) {
            (self.best, self.epoch, self.bad) = (value, epoch, 0);
            return None;
        }
        self.bad += 1;
        if self.bad < self.patience {
            return None;
        }
        let (watch, epochs) = (&self.watch, self.bad);
        let before = match self.epoch {
            0 => "it was never a number".to_string(),
            n => format!("its best is {} of epoch {n}", number(rord_lang::constant::of_f32(self.best))),
        };
        let epochs = if epochs == 1 { "1 epoch".to_string() } else { format!("{epochs} epochs") };
        Some(format!("{watch} has not improved for {epochs}; {before}"))
    }

    /// What has to be kept to go on later.
    pub fn state(&self) -> Value {
        json!({ "best": self.best.to_string(), "epoch": self.epoch, "bad": self.bad })
    }

    /// Takes up what [`EarlyStop::state`] gave.
    pub fn load(&mut self, state: &Value) -> Result<(), BadState> {
        let absent = |field| BadState { field: Some(field) };
        let best = state.get("best").and_then(Value::as_str).and_then(|text| text.parse::<f64>().ok());
        let count = |field| state.get(field).and_then(Value::as_u64).ok_or_else(|| absent(field));
        (self.best, self.epoch, self.bad) = (best.ok_or_else(|| absent("best"))?, count("epoch")?, count("bad")?);
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;
    use rord_lang::constant::{Constant, Settings, Unit};

    fn stop(patience: f64, unit: Unit, mode: Mode) -> EarlyStop {
        let settings = Settings(vec![("patience".into(), Constant::Quantity(patience, unit))]);
        let span = Span { base_lr: 0.1, steps_per_epoch: 4, epochs: 9 };
        EarlyStop::new(&Recipe { op: "after".into(), settings }, span, "val.m".into(), mode).unwrap()
    }

    #[test]
    fn it_ends_after_so_many_epochs_without_progress() {
        let ends = |stop: &mut EarlyStop, values: &[f64]| -> Vec<bool> {
            (1..).zip(values).map(|(epoch, x)| stop.after_validation(*x, epoch).is_some()).collect()
        };
        assert_eq!(
            ends(&mut stop(2.0, Unit::Epochs, Mode::Minimize), &[3.0, 2.0, 2.0, 2.5]),
            [false, false, false, true]
        );
        assert_eq!(ends(&mut stop(1.0, Unit::Epochs, Mode::Maximize), &[0.5, 0.7, 0.7]), [false, false, true]);
        // Eight steps are two epochs of four; what is not a number is no progress.
        assert_eq!(
            ends(&mut stop(8.0, Unit::Steps, Mode::Minimize), &[f64::NAN, 1.0, 1.0, 1.0]),
            [false, false, false, true]
        );
        let mut early = stop(1.0, Unit::Epochs, Mode::Maximize);
        assert_eq!(early.after_validation(0.25, 1), None);
        let said = early.after_validation(0.125, 2).unwrap();
        assert_eq!(said, "val.m has not improved for 1 epoch; its best is 0.25 of epoch 1");
        let mut none = stop(1.0, Unit::Epochs, Mode::Minimize);
        assert!(none.after_validation(f64::NAN, 1).unwrap().contains("never a number"));
    }

    #[test]
    fn its_state_goes_on() {
        let mut first = stop(3.0, Unit::Epochs, Mode::Minimize);
        first.after_validation(0.1 + 0.2, 1);
        first.after_validation(1.0, 2);
        let mut second = stop(3.0, Unit::Epochs, Mode::Minimize);
        second.load(&first.state()).unwrap();
        assert_eq!(first, second);
        assert!(second.load(&Value::Null).is_err());
    }
}
