//! Optimizers, number for number those of `torch.optim`: `adam`, `adamw` and `sgd`.
//!
//! A step replaces the weight tensors by new ones and never writes into them, so a copy kept elsewhere (the best
//! weights so far, a frozen teacher) cannot change. A weight without a gradient keeps its value, its moments and its
//! own step count.

use candle_core::{DType, Device, Result, Storage, StorageRef, Tensor};
use rayon::prelude::*;

use crate::difference::{Difference, ShapeDiffers};
use rord_graph::weight::WeightSpec;
use rord_lang::constant::{Recipe, Settings, Unreadable};

mod rules;

use rules::{Adam, Block, Rule, Sgd};

/// Moves weights against their gradients.
pub trait Optimizer: Send {
    /// One step. `weights` and `grads` are in the order of the specs the optimizer was made with; `None` is a weight
    /// that got no gradient. Where an error is returned, no weight and no moment has changed.
    fn step(&mut self, lr: f64, weights: &mut [Tensor], grads: &[Option<Tensor>]) -> Result<()>;

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

/// The optimizer a recipe names, for these weights in this order.
pub fn optimizer(recipe: &Recipe, weights: &[WeightSpec]) -> std::result::Result<Box<dyn Optimizer>, RecipeError> {
    let settings = &recipe.settings;
    let lr = RecipeError::in_range(settings, "lr", "0 or more", |x| x >= 0.0)?;
    match recipe.op.as_str() {
        "adam" => Ok(Box::new(Moments::new(Adam::new(settings, false)?, lr, weights))),
        "adamw" => Ok(Box::new(Moments::new(Adam::new(settings, true)?, lr, weights))),
        "sgd" => Ok(Box::new(Moments::new(Sgd::new(settings)?, lr, weights))),
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
    fn new(rule: R, base_lr: f64, weights: &[WeightSpec]) -> Self {
        Self {
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

    /// The new weight on any device, and the slot after it.
    fn whole(&self, lr: f64, weight: &Tensor, grad: &Tensor, slot: &Slot) -> Result<(Tensor, Slot)> {
        let mut moments = Vec::new();
        for i in 0..self.rule.moments().len() {
            moments.push(match slot.moments.get(i) {
                Some(moment) => moment.tensor(weight.dims())?.to_device(weight.device())?.to_dtype(weight.dtype())?,
                None => weight.zeros_like()?,
            });
        }
        let step = slot.step + 1;
        let result = self.rule.whole(lr, step, weight, grad, &mut moments)?.detach();
        Ok((result, Slot { step, moments: moments.into_iter().map(|m| Moment::Tensor(m.detach())).collect() }))
    }

    /// Steps all weights in `hosts` at once: their blocks are one list of jobs, so a large weight does not keep the
    /// other cores waiting. Results and moments are written; steps are not yet counted.
    fn by_blocks(&mut self, lr: f64, hosts: &mut [Option<Host>]) -> Result<()> {
        let tensors: Vec<_> = hosts.iter().map(|h| h.as_ref().map(|h| (h.weight.clone(), h.grad.clone()))).collect();
        let tensors: Vec<_> = tensors.iter().map(Option::as_ref).collect();
        let held = tensors.iter().map(|t| t.map(|(w, g)| (w.storage_and_layout().0, g.storage_and_layout().0)));
        let held: Vec<_> = held.collect();
        let mut jobs = Vec::new();
        for (((host, tensors), held), slot) in hosts.iter_mut().zip(&tensors).zip(&held).zip(&mut self.slots) {
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
                jobs.push((slot.step + 1, Block { weight, grad, moments, result }));
            }
        }
        let rule = &self.rule;
        jobs.into_par_iter().for_each(|(step, block)| rule.block(lr, step, block));
        Ok(())
    }
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
    fn step(&mut self, lr: f64, weights: &mut [Tensor], grads: &[Option<Tensor>]) -> Result<()> {
        self.check(weights, grads)?;
        let (mut hosts, mut wholes) = (Vec::new(), Vec::new());
        for (index, ((weight, grad), slot)) in weights.iter().zip(grads).zip(&self.slots).enumerate() {
            hosts.push(match grad {
                Some(grad) if weight.device().is_cpu() && weight.dtype() == DType::F32 => Some(Host {
                    weight: weight.contiguous()?,
                    grad: grad.contiguous()?,
                    result: vec![0.0; weight.elem_count()],
                }),
                Some(grad) => {
                    wholes.push((index, self.whole(lr, weight, grad, slot)?));
                    None
                }
                None => None,
            });
        }
        // Everything above may fail and has changed nothing; the moments change here, all of them or none.
        self.by_blocks(lr, &mut hosts)?;
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
        Ok(())
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
mod tests {
    use super::*;
    use rord_graph::weight::Init;
    use rord_lang::constant::Constant;

    const STEPS: [[f64; 3]; 4] = [[0.5, -2.0, 0.0], [1.0, 0.25, 1e-3], [-0.75, 0.5, 2.0], [0.1, -0.1, -3.0]];
    const START: [f64; 3] = [1.0, -0.5, 0.25];

    fn recipe(op: &str, settings: &[(&str, Constant)]) -> Recipe {
        let mut all = vec![("lr".to_string(), Constant::Number(0.1))];
        all.extend(settings.iter().map(|(name, value)| (name.to_string(), value.clone())));
        Recipe { op: op.into(), settings: Settings(all) }
    }

    fn adam(op: &str, betas: [f64; 2], eps: f64, decay: f64) -> Recipe {
        let betas = Constant::List(betas.map(Constant::Number).into());
        recipe(op, &[("betas", betas), ("eps", Constant::Number(eps)), ("weight_decay", Constant::Number(decay))])
    }

    fn sgd(momentum: f64, nesterov: bool, decay: f64) -> Recipe {
        let momentum = Constant::Number(momentum);
        let decay = Constant::Number(decay);
        recipe("sgd", &[("momentum", momentum), ("nesterov", Constant::Flag(nesterov)), ("weight_decay", decay)])
    }

    fn spec(name: &str, shape: &[usize]) -> WeightSpec {
        WeightSpec { name: name.into(), shape: shape.into(), init: Init::Constant(0.0) }
    }

    fn tensor(values: &[f64], dtype: DType) -> Tensor {
        Tensor::new(values, &Device::Cpu).unwrap().to_dtype(dtype).unwrap()
    }

    fn values(tensor: &Tensor) -> Vec<f64> {
        tensor.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap()
    }

    /// After the first and after the fourth step, computed with a plain transcription of PyTorch's documented
    /// algorithms in f64 Python.
    fn references() -> Vec<(Recipe, [f64; 3], [f64; 3])> {
        vec![
            (
                adam("adam", [0.9, 0.999], 1e-8, 0.0),
                [0.900000002, -0.4000000005, 0.25],
                [0.7513063384088057, -0.28984278508776934, 0.13100831083711006],
            ),
            (
                adam("adam", [0.8, 0.99], 1e-3, 0.1),
                [0.9001663893510815, -0.4000487567040468, 0.15384615384615385],
                [0.7411121125498452, -0.3008099640083781, 0.016450431716526104],
            ),
            (
                adam("adamw", [0.9, 0.999], 1e-8, 0.1),
                [0.890000002, -0.3950000005, 0.2475],
                [0.717056616424085, -0.27452580821307193, 0.12327722565958814],
            ),
            (
                sgd(0.0, false, 0.05),
                [0.945, -0.2975, 0.24875],
                [0.8965182568749999, -0.35756040031249997, 0.34593837265625005],
            ),
            (
                sgd(0.9, false, 0.05),
                [0.945, -0.2975, 0.24875],
                [0.648422794375, 0.04922289343750004, 0.15950587578125006],
            ),
            (
                sgd(0.9, true, 0.05),
                [0.8955, -0.11524999999999996, 0.247625],
                [0.5845725619331874, 0.12839808901871885, 0.2663044792543907],
            ),
        ]
    }

    #[test]
    fn steps_are_torch_s_on_slices_and_on_tensors() {
        for (dtype, tolerance) in [(DType::F32, 1e-6), (DType::F64, 1e-13)] {
            for (recipe, first, last) in references() {
                let mut optimizer = optimizer(&recipe, &[spec("w", &[3])]).unwrap();
                let mut weights = [tensor(&START, dtype)];
                for (i, grad) in STEPS.iter().enumerate() {
                    optimizer.step(0.1, &mut weights, &[Some(tensor(grad, dtype))]).unwrap();
                    let expected = [Some(first), None, None, Some(last)][i];
                    for (x, y) in values(&weights[0]).iter().zip(expected.iter().flatten()) {
                        assert!((x - y).abs() < tolerance, "{recipe}, {dtype:?}, step {i}: {x} is not {y}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_weight_without_a_gradient_is_left_alone_and_counts_no_step() {
        for (recipe, first, _) in references() {
            let mut optimizer = optimizer(&recipe, &[spec("a", &[3]), spec("b", &[3])]).unwrap();
            let mut weights = [tensor(&START, DType::F32), tensor(&START, DType::F32)];
            for _ in 0..5 {
                optimizer.step(0.1, &mut weights, &[Some(tensor(&STEPS[0], DType::F32)), None]).unwrap();
            }
            assert_eq!(values(&weights[1]), START);
            assert!(optimizer.state().unwrap().iter().all(|(name, _)| name.starts_with("a/")));
            optimizer.step(0.1, &mut weights, &[None, Some(tensor(&STEPS[0], DType::F32))]).unwrap();
            for (x, y) in values(&weights[1]).iter().zip(first) {
                assert!((x - y).abs() < 1e-6, "{recipe}: the first step of a late weight is {x}, not {y}");
            }
        }
    }

    #[test]
    fn blocks_cover_large_weights_and_views() {
        let n = 2 * BLOCK + 7;
        let specs = [spec("large", &[n]), spec("view", &[3, 2])];
        let view = |x: f32| {
            (Tensor::arange(0f32, 6.0, &Device::Cpu).unwrap().reshape((2, 3)).unwrap() * f64::from(x)).unwrap()
        };
        for (recipe, ..) in references() {
            let run = |dtype: DType| {
                let mut optimizer = optimizer(&recipe, &specs).unwrap();
                let ramp = Tensor::arange(0f32, n as f32, &Device::Cpu).unwrap().affine(1e-3, -10.0).unwrap();
                let mut weights = [&ramp, &view(1.0).t().unwrap()].map(|t| t.to_dtype(dtype).unwrap());
                for i in 0..3 {
                    let grads = [ramp.affine(0.5, i as f64).unwrap(), view(0.5).t().unwrap()];
                    let grads = grads.map(|t| Some(t.to_dtype(dtype).unwrap()));
                    optimizer.step(0.01, &mut weights, &grads).unwrap();
                }
                weights.map(|t| values(&t))
            };
            for (fast, plain) in run(DType::F32).iter().zip(run(DType::F64)) {
                let off = fast.iter().zip(&plain).map(|(x, y)| (x - y).abs()).fold(0.0, f64::max);
                assert!(off < 1e-4, "{recipe}: {off}");
            }
        }
    }

    #[test]
    fn a_copy_kept_elsewhere_does_not_change() {
        let mut optimizer = optimizer(&references()[0].0, &[spec("w", &[3])]).unwrap();
        let mut weights = [tensor(&START, DType::F32)];
        let best = weights[0].clone();
        // The gradient of half the squared length is the weight itself, the same tensor.
        optimizer.step(0.1, &mut weights, &[Some(best.clone())]).unwrap();
        assert_eq!(values(&best), START);
        assert_ne!(values(&weights[0]), START);
    }

    #[test]
    fn a_run_that_goes_on_from_a_saved_state_is_the_run_that_never_stopped() {
        for dtype in [DType::F32, DType::F64] {
            for (recipe, ..) in references() {
                let specs = [spec("w", &[3]), spec("never", &[2])];
                let grads = |i: usize| [Some(tensor(&STEPS[i], dtype)), None];
                let mut whole = optimizer(&recipe, &specs).unwrap();
                let mut weights = [tensor(&START, dtype), tensor(&[0.0, 0.0], dtype)];
                (0..2).for_each(|i| whole.step(0.1, &mut weights, &grads(i)).unwrap());
                let mut state = whole.state().unwrap();
                state.reverse();
                let mut halves = optimizer(&recipe, &specs).unwrap();
                halves.load(&state).unwrap();
                let mut again = weights.clone();
                (2..4).for_each(|i| whole.step(0.1, &mut weights, &grads(i)).unwrap());
                (2..4).for_each(|i| halves.step(0.1, &mut again, &grads(i)).unwrap());
                assert_eq!(values(&weights[0]), values(&again[0]), "{recipe}");
            }
        }
    }

    #[test]
    fn a_state_of_other_weights_is_refused_with_all_that_differs_and_changes_nothing() {
        let recipe = &references()[0].0;
        let mut adam = optimizer(recipe, &[spec("w", &[3])]).unwrap();
        let one = |n: i64| Tensor::new(n, &Device::Cpu).unwrap();
        let state = [
            ("w/step".to_string(), one(3)),
            ("w/m".to_string(), tensor(&[0.0, 0.0], DType::F32)),
            ("x/m".to_string(), one(0)),
        ];
        let Err(StateError::Differs(difference)) = adam.load(&state) else { panic!("taken") };
        assert_eq!(difference.missing, [("w/v".to_string(), vec![3])]);
        assert_eq!(difference.unexpected, [("x/m".to_string(), vec![])]);
        assert_eq!(difference.shapes, [ShapeDiffers { name: "w/m".into(), expected: vec![3], found: vec![2] }]);
        assert!(adam.state().unwrap().is_empty());
        let types = [("w/step", tensor(&[1.0], DType::F32).squeeze(0).unwrap()), ("w/m", one(0)), ("w/v", one(0))];
        let types =
            types.map(|(name, t)| (name.to_string(), if name == "w/step" { t } else { t.broadcast_as(3).unwrap() }));
        let Err(StateError::Differs(difference)) = adam.load(&types) else { panic!("taken") };
        assert_eq!(difference.types.len(), 3);
    }

    #[test]
    fn wrong_counts_and_shapes_are_errors_that_change_nothing() {
        let mut adam = optimizer(&references()[0].0, &[spec("w", &[3]), spec("x", &[2])]).unwrap();
        let mut weights = [tensor(&START, DType::F32), tensor(&[1.0, 2.0], DType::F32)];
        assert!(adam.step(0.1, &mut weights, &[None]).is_err());
        let grads = [Some(tensor(&START, DType::F32)), Some(tensor(&START, DType::F32))];
        assert!(adam.step(0.1, &mut weights, &grads).is_err());
        let grads = [Some(tensor(&START, DType::F32)), Some(tensor(&[1.0, 1.0], DType::F64))];
        assert!(adam.step(0.1, &mut weights, &grads).is_err());
        assert_eq!(values(&weights[0]), START);
        assert!(adam.state().unwrap().is_empty());
    }

    #[test]
    fn recipes_without_a_meaning_are_errors() {
        let refused = |recipe: Recipe| optimizer(&recipe, &[]).err().expect("refused");
        assert!(matches!(refused(recipe("lion", &[])), RecipeError::Unknown { op, .. } if op == "lion"));
        assert!(matches!(refused(recipe("adam", &[])), RecipeError::Unreadable(u) if u.name == "betas"));
        assert!(matches!(refused(sgd(0.0, true, 0.0)), RecipeError::OutOfRange { name, .. } if name == "momentum"));
        assert!(
            matches!(refused(adam("adam", [0.9, 1.0], 1e-8, 0.0)), RecipeError::OutOfRange { name, .. } if name == "betas")
        );
        assert!(
            matches!(refused(adam("adamw", [0.9, 0.9], 1e-8, -0.1)), RecipeError::OutOfRange { name, .. } if name == "weight_decay")
        );
    }
}
