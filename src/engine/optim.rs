//! Optimizers, number for number those of `torch.optim`: `adam`, `adamw` and `sgd`.
//!
//! A step replaces the weight tensors by new ones and never writes into them, so a copy kept elsewhere (the best
//! weights so far, a frozen teacher) cannot change. A weight without a gradient keeps its value, its moments and its
//! own step count.

use candle_core::{DType, Device, Result, Storage, StorageRef, Tensor};
use rayon::prelude::*;

use crate::difference::{Difference, ShapeDiffers};
use crate::groups::Group;
use rord_graph::weight::WeightSpec;
use rord_lang::constant::{Recipe, Settings, Unreadable};

mod rules;

use rules::{Adam, Block, Pace, Rule, Sgd};

/// Moves weights against their gradients.
pub trait Optimizer: Send {
    /// One step. `weights` and `grads` are in the order of the specs the optimizer was made with; `None` is a weight
    /// that got no gradient. Where an error is returned, no weight and no moment has changed. Where the step would make a number
    /// of a weight infinite or NaN, that weight's place and how many such numbers it would have are returned; no weight has changed
    /// then, but moments have, and no further step can be taken.
    fn step(&mut self, lr: f64, weights: &mut [Tensor], grads: &[Option<Tensor>]) -> Result<Option<Overflow>>;

    /// The learning rate of its recipe, from which a schedule starts.
    fn base_lr(&self) -> f64;

    /// How many numbers are remembered of each number of a weight.
    fn moments(&self) -> usize;

    /// What has to be kept to go on later: `net.det.0.weight/step` (i64, one number) and the moments
    /// `net.det.0.weight/m`, of the weight's shape. A weight that never had a gradient has no entries.
    fn state(&self) -> Result<Vec<(String, Tensor)>>;

    /// Takes up a state that [`Optimizer::state`] gave, in any order: all of it, or nothing and an error.
    fn load(&mut self, state: &[(String, Tensor)]) -> std::result::Result<(), StateError>;
}

/// A weight that a step would make infinite or NaN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overflow {
    /// The first such weight, by its place.
    pub weight: usize,
    /// How many of its numbers; 0 where it is what the optimizer remembers of its gradients.
    pub numbers: usize,
    /// How many it has.
    pub of: usize,
}

/// A recipe that makes no optimizer, clip or schedule.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum RecipeError {
    /// No such operation.
    #[error("`{op}` is none of {known:?}")]
    Unknown {
        /// The operation that was asked for.
        op: String,
        /// The operations there are.
        known: &'static [&'static str],
    },
    /// A setting is absent or of another kind.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// A setting has a value with which the operation has no meaning.
    #[error("setting `{name}` is {value}, not {wanted}")]
    OutOfRange {
        /// The setting.
        name: String,
        /// Its value, as it is written.
        value: String,
        /// What it may be.
        wanted: &'static str,
    },
}

/// A saved optimizer state that belongs to other weights.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Names, shapes or types are not those of this optimizer.
    #[error("the state is of other weights: {0}")]
    Differs(Difference),
    /// A tensor operation failed.
    #[error(transparent)]
    Tensor(#[from] candle_core::Error),
}

impl RecipeError {
    /// The finite number `name`, if it satisfies `holds`; `wanted` is the same condition in words.
    pub(crate) fn in_range(
        settings: &Settings,
        name: &str,
        wanted: &'static str,
        holds: impl Fn(f64) -> bool,
    ) -> std::result::Result<f64, Self> {
        let x = settings.number(name)?;
        let fits = x.is_finite() && holds(x);
        if fits { Ok(x) } else { Err(Self::OutOfRange { name: name.into(), value: x.to_string(), wanted }) }
    }
}

/// The optimizer a recipe names, for these weights in this order, each treated as its group says. Weights without a group are of no
/// part.
pub fn optimizer(
    recipe: &Recipe,
    weights: &[WeightSpec],
    groups: &[Group],
) -> std::result::Result<Box<dyn Optimizer>, RecipeError> {
    let settings = &recipe.settings;
    let lr = RecipeError::in_range(settings, "lr", "0 or more", |x| x >= 0.0)?;
    match recipe.op.as_str() {
        "adam" => Ok(Box::new(Moments::new(Adam::new(settings, false)?, lr, weights, groups))),
        "adamw" => Ok(Box::new(Moments::new(Adam::new(settings, true)?, lr, weights, groups))),
        "sgd" => Ok(Box::new(Moments::new(Sgd::new(settings)?, lr, weights, groups))),
        other => Err(RecipeError::Unknown { op: other.into(), known: &["adam", "adamw", "sgd"] }),
    }
}

/// Elements of a block: five streams of it fit into a core's second cache.
const BLOCK: usize = 1 << 14;

/// A rule with what it remembers of every weight.
struct Moments<R> {
    rule: R,
    base_lr: f64,
    names: Vec<String>,
    shapes: Vec<Vec<usize>>,
    groups: Vec<Group>,
    slots: Vec<Slot>,
}

/// What is remembered of one weight; before its first gradient, nothing.
#[derive(Clone, Default)]
struct Slot {
    step: u64,
    moments: Vec<Moment>,
}

/// f32 on the CPU lives in plain vectors that are updated in place.
#[derive(Clone)]
enum Moment {
    Host(Vec<f32>),
    Tensor(Tensor),
}

impl Moment {
    fn move_to_host(&mut self) -> Result<()> {
        if let Moment::Tensor(tensor) = self {
            *self = Moment::Host(tensor.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?);
        }
        Ok(())
    }

    fn tensor(&self, shape: &[usize]) -> Result<Tensor> {
        match self {
            Moment::Host(values) => Tensor::from_slice(values, shape, &Device::Cpu),
            Moment::Tensor(tensor) => Ok(tensor.clone()),
        }
    }
}

/// A weight that is stepped by blocks, with its gradient and room for the new weight.
struct Host {
    weight: Tensor,
    grad: Tensor,
    result: Vec<f32>,
}

impl<R: Rule> Moments<R> {
    fn new(rule: R, base_lr: f64, weights: &[WeightSpec], groups: &[Group]) -> Self {
        let groups = (0..weights.len()).map(|w| groups.get(w).copied().unwrap_or(Group::PLAIN)).collect();
        Self {
            groups,
            rule,
            base_lr,
            names: weights.iter().map(|w| w.name.clone()).collect(),
            shapes: weights.iter().map(|w| w.shape.clone()).collect(),
            slots: vec![Slot::default(); weights.len()],
        }
    }

    fn check(&self, weights: &[Tensor], grads: &[Option<Tensor>]) -> Result<()> {
        let (known, given) = (self.names.len(), (weights.len(), grads.len()));
        if given != (known, known) {
            candle_core::bail!("{known} weights are known, {} weights and {} gradients given", given.0, given.1);
        }
        for (((weight, grad), shape), name) in weights.iter().zip(grads).zip(&self.shapes).zip(&self.names) {
            let Some(grad) = grad else { continue };
            if weight.dims() != shape || grad.dims() != shape {
                candle_core::bail!("{name} is {shape:?}, weight {:?}, gradient {:?}", weight.dims(), grad.dims());
            }
            if weight.dtype() != grad.dtype() || !weight.device().same_device(grad.device()) {
                candle_core::bail!("{name}: the gradient is of another type or on another device than the weight");
            }
        }
        Ok(())
    }

    /// Rate and decay of a weight of a group, whose slot has taken so many steps with this one.
    fn pace(&self, lr: f64, group: Group, step: u64) -> Pace {
        Pace { lr: lr * group.factor, decay: group.decay.unwrap_or(self.rule.decay()), step }
    }

    /// The new weight on any device, and the slot after it. A kernel raises `lost` where one of their numbers is not finite.
    fn whole(
        &self,
        lr: f64,
        group: Group,
        weight: &Tensor,
        grad: &Tensor,
        slot: &Slot,
        lost: Option<&Tensor>,
    ) -> Result<(Tensor, Slot)> {
        let mut moments = Vec::new();
        for i in 0..self.rule.moments().len() {
            moments.push(match slot.moments.get(i) {
                Some(moment) => moment.tensor(weight.dims())?.to_device(weight.device())?.to_dtype(weight.dtype())?,
                None => weight.zeros_like()?,
            });
        }
        let step = slot.step + 1;
        let pace = self.pace(lr, group, step);
        let made = lost.map(|lost| self.rule.on_gpu(pace, weight, grad, &mut moments, lost)).transpose()?.flatten();
        let result = match made {
            Some(result) => result,
            None => self.rule.whole(pace, weight, grad, &mut moments)?,
        };
        let result = result.detach();
        Ok((result, Slot { step, moments: moments.into_iter().map(|m| Moment::Tensor(m.detach())).collect() }))
    }

    /// The first of new weights that is not finite, or whose moments are not. Where kernels say that there is none, none is looked at.
    fn lost(&self, wholes: &[(usize, (Tensor, Slot))], lost: Option<&Tensor>) -> Result<Option<Overflow>> {
        let told = self.rule.tells_on_gpu() && lost.is_some();
        if told
            && let Some(lost) = lost
            && lost.to_vec1::<u32>()? == [0]
        {
            return Ok(None);
        }
        let mut moments = None;
        for (weight, (new, slot)) in wholes {
            let (weight, of) = (*weight, new.elem_count());
            let numbers = not_finite(new)?;
            if numbers > 0 {
                return Ok(Some(Overflow { weight, numbers, of }));
            }
            for moment in &slot.moments {
                if moments.is_none() && told && not_finite(&moment.tensor(new.dims())?)? > 0 {
                    moments = Some(Overflow { weight, numbers: 0, of });
                }
            }
        }
        Ok(moments)
    }

    /// Steps all weights in `hosts` at once: their blocks are one list of jobs, so a large weight does not keep the
    /// other cores waiting. Results and moments are written; steps are not yet counted. False where one is not finite.
    fn by_blocks(&mut self, lr: f64, hosts: &mut [Option<Host>]) -> Result<bool> {
        let tensors: Vec<_> = hosts.iter().map(|h| h.as_ref().map(|h| (h.weight.clone(), h.grad.clone()))).collect();
        let tensors: Vec<_> = tensors.iter().map(Option::as_ref).collect();
        let held = tensors.iter().map(|t| t.map(|(w, g)| (w.storage_and_layout().0, g.storage_and_layout().0)));
        let held: Vec<_> = held.collect();
        let mut jobs = Vec::new();
        let paces: Vec<Pace> =
            self.groups.iter().zip(&self.slots).map(|(g, slot)| self.pace(lr, *g, slot.step + 1)).collect();
        let parts = hosts.iter_mut().zip(&tensors).zip(&held).zip(&mut self.slots).zip(paces);
        for ((((host, tensors), held), slot), pace) in parts {
            let (Some(host), Some(tensors), Some(held)) = (host, tensors, held) else { continue };
            if slot.step == 0 {
                slot.moments = vec![Moment::Host(vec![0.0; host.result.len()]); self.rule.moments().len()];
            }
            let mut moments = Vec::new();
            for moment in &mut slot.moments {
                moment.move_to_host()?;
                moments.extend(match moment {
                    Moment::Host(values) => Some(values.chunks_mut(BLOCK)),
                    Moment::Tensor(_) => None,
                });
            }
            let weight = slice(&held.0, &tensors.0)?.chunks(BLOCK);
            let grad = slice(&held.1, &tensors.1)?.chunks(BLOCK);
            for ((weight, grad), result) in weight.zip(grad).zip(host.result.chunks_mut(BLOCK)) {
                let moments = moments.iter_mut().filter_map(Iterator::next).collect();
                jobs.push((pace, Block { weight, grad, moments, result }));
            }
        }
        let rule = &self.rule;
        // Every block is computed, whatever another one comes to.
        Ok(jobs.into_par_iter().map(|(pace, block)| rule.block(pace, block)).reduce(|| true, |a, b| a & b))
    }
}

/// The first weight whose step, or what is remembered of it, is not finite.
fn overflow(hosts: &[Option<Host>], slots: &[Slot]) -> Overflow {
    let bad = |values: &[f32]| values.iter().filter(|x| !x.is_finite()).count();
    let remembered = |slot: &Slot| slot.moments.iter().any(|m| matches!(m, Moment::Host(values) if bad(values) > 0));
    let found = hosts.iter().zip(slots).enumerate().filter_map(|(weight, (host, slot))| {
        let result = &host.as_ref()?.result;
        let numbers = bad(result);
        (numbers > 0 || remembered(slot)).then_some(Overflow { weight, numbers, of: result.len() })
    });
    // Most tell of the first weight that is lost itself.
    found.min_by_key(|found| (found.numbers == 0, found.weight)).unwrap_or(Overflow { weight: 0, numbers: 0, of: 0 })
}

/// How many numbers of a tensor, wherever it lies, are infinite or NaN.
pub fn not_finite(tensor: &Tensor) -> Result<usize> {
    // 0 times a number is 0, and NaN where it is not finite: one sum tells, on the device.
    let sum = (tensor * 0.0)?.sum_all()?.to_device(&Device::Cpu)?.to_dtype(DType::F64)?.to_scalar::<f64>()?;
    if sum.is_finite() {
        return Ok(0);
    }
    let all: Vec<f64> = tensor.to_device(&Device::Cpu)?.to_dtype(DType::F64)?.flatten_all()?.to_vec1()?;
    Ok(all.iter().filter(|x| !x.is_finite()).count())
}

/// The elements of a contiguous f32 tensor on the CPU.
fn slice<'a>(storage: &'a StorageRef, tensor: &Tensor) -> Result<&'a [f32]> {
    let range = tensor.layout().contiguous_offsets().map(|(from, to)| from..to);
    match (&**storage, range) {
        (Storage::Cpu(cpu), Some(range)) => {
            cpu.as_slice::<f32>()?.get(range).ok_or_else(|| candle_core::Error::msg("a layout beyond its storage"))
        }
        _ => candle_core::bail!("a contiguous tensor on the CPU was expected"),
    }
}

impl<R: Rule> Optimizer for Moments<R> {
    fn step(&mut self, lr: f64, weights: &mut [Tensor], grads: &[Option<Tensor>]) -> Result<Option<Overflow>> {
        self.check(weights, grads)?;
        let (mut hosts, mut wholes) = (Vec::new(), Vec::new());
        // Of weights on a GPU one number tells whether all are finite; none is asked before all are computed.
        let gpu = weights.iter().find(|w| rord_device::has(w));
        let lost = gpu.map(|w| Tensor::zeros(1, DType::U32, w.device())).transpose()?;
        let all = weights.iter().zip(grads).zip(&self.slots).zip(&self.groups);
        for (index, (((weight, grad), slot), group)) in all.enumerate() {
            hosts.push(match grad {
                Some(grad) if weight.device().is_cpu() && weight.dtype() == DType::F32 => Some(Host {
                    weight: weight.contiguous()?,
                    grad: grad.contiguous()?,
                    result: vec![0.0; weight.elem_count()],
                }),
                Some(grad) => {
                    let whole = self.whole(lr, *group, weight, grad, slot, lost.as_ref())?;
                    wholes.push((index, whole));
                    None
                }
                None => None,
            });
        }
        if let Some(overflow) = self.lost(&wholes, lost.as_ref())? {
            return Ok(Some(overflow));
        }
        // Everything above may fail and has changed nothing; the moments change here, all of them or none.
        if !self.by_blocks(lr, &mut hosts)? {
            return Ok(Some(overflow(&hosts, &self.slots)));
        }
        for ((weight, slot), host) in weights.iter_mut().zip(&mut self.slots).zip(hosts) {
            if let Some(host) = host {
                *weight = Tensor::from_vec(host.result, host.weight.shape(), host.weight.device())?;
                slot.step += 1;
            }
        }
        for (index, whole) in wholes {
            if let (Some(weight), Some(slot)) = (weights.get_mut(index), self.slots.get_mut(index)) {
                (*weight, *slot) = whole;
            }
        }
        Ok(None)
    }

    fn base_lr(&self) -> f64 {
        self.base_lr
    }

    fn moments(&self) -> usize {
        self.rule.moments().len()
    }

    fn state(&self) -> Result<Vec<(String, Tensor)>> {
        let mut state = Vec::new();
        for ((name, shape), slot) in self.names.iter().zip(&self.shapes).zip(&self.slots) {
            if slot.step == 0 {
                continue;
            }
            state.push((format!("{name}/step"), Tensor::new(slot.step as i64, &Device::Cpu)?));
            for (moment, values) in self.rule.moments().iter().zip(&slot.moments) {
                state.push((format!("{name}/{moment}"), values.tensor(shape)?));
            }
        }
        Ok(state)
    }

    fn load(&mut self, state: &[(String, Tensor)]) -> std::result::Result<(), StateError> {
        let mut rest: std::collections::BTreeMap<&str, &Tensor> = state.iter().map(|(n, t)| (n.as_str(), t)).collect();
        let mut difference = Difference::default();
        let mut slots = Vec::with_capacity(self.names.len());
        for (name, shape) in self.names.iter().zip(&self.shapes) {
            let parts = std::iter::once(("step", &[][..])).chain(self.rule.moments().iter().map(|m| (*m, &shape[..])));
            let wanted: Vec<(String, &[usize])> =
                parts.map(|(part, shape)| (format!("{name}/{part}"), shape)).collect();
            let found: Vec<Option<&Tensor>> = wanted.iter().map(|(key, _)| rest.remove(key.as_str())).collect();
            if found.iter().all(Option::is_none) {
                slots.push(Slot::default());
                continue;
            }
            for (i, ((key, shape), tensor)) in wanted.into_iter().zip(&found).enumerate() {
                match tensor {
                    None => difference.missing.push((key, shape.to_vec())),
                    Some(t) if t.dims() != shape => difference.shapes.push(ShapeDiffers {
                        name: key,
                        expected: shape.to_vec(),
                        found: t.dims().to_vec(),
                    }),
                    Some(t) if (i == 0) != (t.dtype() == DType::I64) => {
                        difference.types.push((key, t.dtype().as_str().to_uppercase()));
                    }
                    Some(_) => {}
                }
            }
            let found: Vec<&Tensor> = found.into_iter().flatten().collect();
            if let (true, [step, moments @ ..]) = (difference.is_empty(), found.as_slice()) {
                let moments = moments.iter().map(|t| Moment::Tensor((*t).clone())).collect();
                slots.push(Slot { step: step.to_scalar::<i64>()?.max(0) as u64, moments });
            }
        }
        difference.unexpected = rest.into_iter().map(|(name, t)| (name.to_string(), t.dims().to_vec())).collect();
        if !difference.is_empty() {
            return Err(StateError::Differs(difference));
        }
        self.slots = slots;
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests;
