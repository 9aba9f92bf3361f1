//! How each weight is trained: its share of the learning rate, its decay, and until when it is frozen, as the parts of `train` say.
//!
//! `part net.trunk { lr = 0.1x, frozen = 5epochs }` in epochs of 50 steps: a tenth of the rate, and nothing before step 250.

use rord_lang::constant::{Constant, Unit};
use rord_lang::typed::Pipeline;

/// What an optimizer does with one weight.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Group {
    /// What the learning rate is multiplied by.
    pub factor: f64,
    /// Its weight decay; `None` for the optimizer's.
    pub decay: Option<f64>,
}

impl Group {
    /// A weight of no part.
    pub const PLAIN: Group = Group { factor: 1.0, decay: None };
}

/// What the optimizer, whose rate is `lr`, does with each weight of a pipeline.
pub fn groups(pipeline: &Pipeline, lr: f64) -> Vec<Group> {
    let one = |w| {
        let treatment = pipeline.treatment(w);
        Group { factor: treatment.factor(lr), decay: treatment.weight_decay }
    };
    (0..pipeline.weights.len()).map(one).collect()
}

/// Which weights stay as they are, by step.
#[derive(Clone, Debug, Default)]
pub struct Freezing {
    /// The step from which on each weight trains; without an end, never.
    until: Vec<f64>,
}

impl Freezing {
    /// That of a pipeline, in epochs of `steps`.
    pub fn new(pipeline: &Pipeline, steps: u64) -> Self {
        let one = |w| match pipeline.treatment(w).frozen {
            Some(Constant::Flag(true)) => f64::INFINITY,
            Some(Constant::Quantity(x, Unit::Epochs)) => x * steps as f64,
            Some(Constant::Quantity(x, _)) => x,
            _ => 0.0,
        };
        Self { until: (0..pipeline.weights.len()).map(one).collect() }
    }

    /// Which weights are frozen at a step of the run.
    pub fn at(&self, step: u64) -> Vec<bool> {
        self.until.iter().map(|until| (step as f64) < *until).collect()
    }
}
