//! How one weight moves: Adam, AdamW and stochastic gradient descent, on slices of f32 and on whole tensors.
//!
//! Adam's first step has the length of the learning rate whatever the gradient: m/(1 - β₁) over √(v/(1 - β₂)) is ±1.

use candle_core::{Result, Tensor};

use super::RecipeError;
use rord_lang::constant::{Constant, Settings, Unreadable};

/// How one weight moves. Everything else is common to all optimizers.
pub(super) trait Rule: Send + Sync {
    /// The names of what is remembered of past gradients.
    fn moments(&self) -> &'static [&'static str];

    /// The weight decay of its recipe.
    fn decay(&self) -> f64;

    /// The new weights of one block; moments start at 0. False where one of them is not finite, or a moment by which weights
    /// would stand still from then on.
    fn block(&self, pace: Pace, block: Block) -> bool;

    /// The same for whole tensors of any type on any device: the new weight, and new moments written over the old.
    fn whole(&self, pace: Pace, weight: &Tensor, grad: &Tensor, moments: &mut [Tensor]) -> Result<Tensor>;

    /// True where [`Rule::on_gpu`] has a kernel, which tells of what is not finite.
    fn tells_on_gpu(&self) -> bool {
        false
    }

    /// The same by one kernel on a GPU, where the rule has one. `lost` is raised where a number is not finite.
    fn on_gpu(
        &self,
        _: Pace,
        _weight: &Tensor,
        _grad: &Tensor,
        _moments: &mut [Tensor],
        _lost: &Tensor,
    ) -> Result<Option<Tensor>> {
        Ok(None)
    }
}

/// How one weight moves in one step.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// Its learning rate.
    pub(super) lr: f64,
    /// Its weight decay.
    pub(super) decay: f64,
    /// The steps it has taken with this one, from 1.
    pub(super) step: u64,
}

/// Slices of equal length; there are as many moments as the rule names.
pub(super) struct Block<'a> {
    pub(super) weight: &'a [f32],
    pub(super) grad: &'a [f32],
    pub(super) moments: Vec<&'a mut [f32]>,
    pub(super) result: &'a mut [f32],
}

/// What a block has come to, gathered while it is computed: no second pass, and nothing that keeps the loop from vectors.
#[derive(Clone, Copy, Default)]
struct Broken(u32);

impl Broken {
    /// The exponent of an f32, which is all ones for what is not finite.
    const EXPONENT: u32 = 0x7f80_0000;

    #[inline(always)]
    fn look(&mut self, x: f32) {
        self.0 |= u32::from(x.to_bits() & Self::EXPONENT == Self::EXPONENT);
    }
}

/// Adam (Kingma and Ba 2015) as `torch.optim.Adam`; `decoupled` makes it AdamW (Loshchilov and Hutter 2019).
pub(super) struct Adam {
    beta1: f64,
    beta2: f64,
    eps: f64,
    weight_decay: f64,
    decoupled: bool,
}

impl Adam {
    pub(super) fn new(settings: &Settings, decoupled: bool) -> std::result::Result<Self, RecipeError> {
        let wanted = "two numbers in [0, 1)";
        let [beta1, beta2] = settings.list("betas")? else {
            return Err(Unreadable { name: "betas".into(), wanted }.into());
        };
        let beta = |constant: &Constant| match constant.number() {
            Some(x) if (0.0..1.0).contains(&x) => Ok(x),
            _ => Err(RecipeError::OutOfRange { name: "betas".into(), value: constant.to_string(), wanted }),
        };
        Ok(Self {
            beta1: beta(beta1)?,
            beta2: beta(beta2)?,
            eps: RecipeError::in_range(settings, "eps", "0 or more", |x| x >= 0.0)?,
            weight_decay: RecipeError::in_range(settings, "weight_decay", "0 or more", |x| x >= 0.0)?,
            decoupled,
        })
    }

    /// What the weight is multiplied by, what of it joins the gradient, the length of the step, and √(1 - β₂ᵗ).
    fn factors(&self, Pace { lr, decay, step }: Pace) -> (f64, f64, f64, f64) {
        let t = step.min(i32::MAX as u64) as i32;
        let (keep, decay) = if self.decoupled { (1.0 - lr * decay, 0.0) } else { (1.0, decay) };
        (keep, decay, lr / (1.0 - self.beta1.powi(t)), (1.0 - self.beta2.powi(t)).sqrt())
    }
}

impl Rule for Adam {
    fn moments(&self) -> &'static [&'static str] {
        &["m", "v"]
    }

    fn decay(&self) -> f64 {
        self.weight_decay
    }

    fn block(&self, pace: Pace, block: Block) -> bool {
        let mut broken = Broken::default();
        let (keep, decay, length, root) = self.factors(pace);
        let (keep, decay, length, root) = (keep as f32, decay as f32, length as f32, root as f32);
        let (first, second, rest) = ((1.0 - self.beta1) as f32, self.beta2 as f32, (1.0 - self.beta2) as f32);
        let eps = self.eps as f32;
        let Block { weight, grad, mut moments, result } = block;
        let [m, v] = moments.as_mut_slice() else { return false };
        for ((((y, w), g), m), v) in result.iter_mut().zip(weight).zip(grad).zip(m.iter_mut()).zip(v.iter_mut()) {
            let g = g + decay * w;
            *m += (g - *m) * first;
            *v = *v * second + rest * g * g;
            *y = w * keep - length * *m / (v.sqrt() / root + eps);
            broken.look(*y);
            // An infinite one would hold its weight where it is, silently.
            broken.look(*v);
        }
        broken.0 == 0
    }

    fn whole(&self, pace: Pace, weight: &Tensor, grad: &Tensor, moments: &mut [Tensor]) -> Result<Tensor> {
        let (keep, decay, length, root) = self.factors(pace);
        let [m, v] = moments else { candle_core::bail!("Adam has two moments") };
        let grad = if decay == 0.0 { grad.clone() } else { (grad + (weight * decay)?)? };
        *m = (&*m + ((&grad - &*m)? * (1.0 - self.beta1))?)?;
        *v = ((&*v * self.beta2)? + (grad.sqr()? * (1.0 - self.beta2))?)?;
        let denominator = ((v.sqrt()? / root)? + self.eps)?;
        (weight * keep)? - ((&*m / denominator)? * length)?
    }

    fn tells_on_gpu(&self) -> bool {
        true
    }

    fn on_gpu(
        &self,
        pace: Pace,
        weight: &Tensor,
        grad: &Tensor,
        moments: &mut [Tensor],
        lost: &Tensor,
    ) -> Result<Option<Tensor>> {
        let (keep, decay, length, root) = self.factors(pace);
        let [m, v] = moments else { candle_core::bail!("Adam has two moments") };
        let (first, second, rest) = (1.0 - self.beta1, self.beta2, 1.0 - self.beta2);
        let by = rord_device::optim::Adam { first, second, rest, eps: self.eps, keep, decay, length, root };
        let [weight, next_m, next_v] = rord_device::optim::adam(weight, grad, [m, v], lost, &by)?;
        (*m, *v) = (next_m, next_v);
        Ok(Some(weight))
    }
}

/// Stochastic gradient descent as `torch.optim.SGD` with dampening 0.
pub(super) struct Sgd {
    momentum: f64,
    nesterov: bool,
    weight_decay: f64,
}

impl Sgd {
    pub(super) fn new(settings: &Settings) -> std::result::Result<Self, RecipeError> {
        let nesterov = settings.flag("nesterov")?;
        let wanted = if nesterov { "above 0, as `nesterov` needs" } else { "0 or more" };
        let weight_decay = RecipeError::in_range(settings, "weight_decay", "0 or more", |x| x >= 0.0)?;
        let momentum = RecipeError::in_range(settings, "momentum", wanted, |x| x > 0.0 || (x == 0.0 && !nesterov))?;
        Ok(Self { momentum, nesterov, weight_decay })
    }
}

impl Rule for Sgd {
    fn moments(&self) -> &'static [&'static str] {
        if self.momentum == 0.0 { &[] } else { &["momentum"] }
    }

    fn decay(&self) -> f64 {
        self.weight_decay
    }

    fn block(&self, pace: Pace, block: Block) -> bool {
        let mut broken = Broken::default();
        let (lr, decay) = (pace.lr as f32, pace.decay as f32);
        let momentum = self.momentum as f32;
        let Block { weight, grad, mut moments, result } = block;
        match moments.as_mut_slice() {
            [buffer] => {
                for (((y, w), g), b) in result.iter_mut().zip(weight).zip(grad).zip(buffer.iter_mut()) {
                    let g = g + decay * w;
                    // At the first step the buffer is 0 and becomes the gradient, as in torch.
                    *b = *b * momentum + g;
                    *y = w - lr * if self.nesterov { g + momentum * *b } else { *b };
                    broken.look(*y);
                }
            }
            _ => {
                for ((y, w), g) in result.iter_mut().zip(weight).zip(grad) {
                    *y = w - lr * (g + decay * w);
                    broken.look(*y);
                }
            }
        }
        broken.0 == 0
    }

    fn whole(&self, pace: Pace, weight: &Tensor, grad: &Tensor, moments: &mut [Tensor]) -> Result<Tensor> {
        let Pace { lr, decay, .. } = pace;
        let grad = if decay == 0.0 { grad.clone() } else { (grad + (weight * decay)?)? };
        let direction = match moments {
            [buffer] => {
                *buffer = ((&*buffer * self.momentum)? + &grad)?;
                if self.nesterov { (grad + (&*buffer * self.momentum)?)? } else { buffer.clone() }
            }
            _ => grad,
        };
        weight - (direction * lr)?
    }
}
