//! Models that follow others: `@ema(of = net, decay = 0.99)` keeps in every weight the moving average of another's.
//!
//! After a step w' ← decay·w' + (1 - decay)·w, for what trains. Running statistics are no part of that: a model that
//! follows has its own, as in BYOL and MoCo, from the batches that it sees.

use candle_core::Result;

use super::weights::Weights;
use rord_lang::constant::Constant;
use rord_lang::timed::Course;
use rord_lang::typed::{Initial, Pipeline, WeightInfo};

/// A weight that follows another.
#[derive(Clone, Debug)]
pub struct Follower {
    /// Its own number among the weights.
    weight: usize,
    /// That of the other.
    of: usize,
    /// How much of itself stays in a step.
    decay: Constant,
}

/// Pairs of a weight and the one that it follows, running statistics among them.
fn pairs(pipeline: &Pipeline) -> impl Iterator<Item = (usize, usize, &WeightInfo)> {
    pipeline.weights.iter().enumerate().filter_map(|(at, w)| Some((at, w.follows?, w)))
}

/// Copies what is followed: a model that follows another begins as it.
pub fn begin(pipeline: &Pipeline, weights: &mut Weights) {
    for (at, of, _) in pairs(pipeline) {
        let copy = weights.tensors().get(of).cloned();
        if let (Some(slot), Some(copy)) = (weights.tensors_mut().get_mut(at), copy) {
            *slot = copy;
        }
    }
}

/// All weights that follow others step by step.
pub fn followers(pipeline: &Pipeline) -> Vec<Follower> {
    let one = |(weight, of, info): (usize, usize, &WeightInfo)| {
        let follows = pipeline.models.get(info.model)?.follows.as_ref()?;
        let statistic = matches!(info.initial, Initial::Statistic(_));
        (!statistic).then(|| Follower { weight, of, decay: follows.decay.clone() })
    };
    pairs(pipeline).filter_map(one).collect()
}

/// Lets them follow, after the weights have changed. `number` is that of a course at the step that was taken.
pub fn step(followers: &[Follower], weights: &mut Weights, number: &dyn Fn(&Course) -> f64) -> Result<()> {
    for Follower { weight, of, decay } in followers {
        let tensors = weights.tensors();
        let (Some(own), Some(other)) = (tensors.get(*weight), tensors.get(*of)) else { continue };
        let decay = decay.at(number).number().unwrap_or(1.0);
        let next = (own.affine(decay, 0.0)? + other.affine(1.0 - decay, 0.0)?)?;
        if let Some(slot) = weights.tensors_mut().get_mut(*weight) {
            *slot = next;
        }
    }
    Ok(())
}
