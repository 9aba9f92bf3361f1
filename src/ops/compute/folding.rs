//! What reductions share: the axes that go, folds by kernels where the tensor lies in the CPU's memory and by Candle
//! elsewhere, and results spread again.

use candle_core::{DType, Device, Result, Tensor};

use crate::axes::POSITIONS;
use crate::compute::slices::{Element, read, tensor, wrong};
use crate::compute::{Call, Compute, Gradients, Output, layout, pixelwise};
use crate::export::onnx::Onnx;
use crate::export::torch::Torch;
use crate::export::{self, Form, Use};
use rord_kernels::reduce::{self, Cut};
use rord_kernels::soft::{self, Made};
use rord_kernels::{map, shares, spread};
use rord_lang::constant::Constant;

/// A tensor with the axes of it that go.
pub struct Folding {
    /// The shape of the tensor.
    pub shape: Vec<usize>,
    /// The positions of the axes that go.
    pub gone: Vec<usize>,
    /// The shape of what is left.
    pub left: Vec<usize>,
    /// Whether the kernels do it.
    fast: bool,
}

/// The positions that a call's setting holds; all axes without one.
pub fn positions(call: &Call, rank: usize) -> Result<Vec<usize>> {
    match call.settings.get(POSITIONS) {
        None => Ok((0..rank).collect()),
        Some(_) => {
            let list = call.settings.list(POSITIONS).map_err(candle_core::Error::wrap)?;
            list.iter()
                .map(|c| {
                    let at = c.count().filter(|at| *at < rank);
                    at.ok_or_else(|| candle_core::Error::msg(format!("there is no axis {c}")))
                })
                .collect()
        }
    }
}

/// The setting of these positions, for samples.
pub fn at(axes: &[usize]) -> Constant {
    Constant::List(axes.iter().map(|a| Constant::Number(*a as f64)).collect())
}

/// The setting of these names, for samples.
pub fn words(names: &[&str]) -> Constant {
    Constant::List(names.iter().map(|name| Constant::Word((*name).into())).collect())
}

/// An operation whose two paths differ in nothing but what its [`Folding`]s are told.
pub trait Folds: Sync {
    /// The value. Kernels are used if `fast`.
    fn value(&self, call: &Call, fast: bool) -> Result<Output>;

    /// The gradients, likewise. An operation that stops the gradient has none.
    fn gradients(&self, _call: &Call, _output: &Output, _grad: &Tensor, _fast: bool) -> Result<Gradients> {
        Ok(Gradients::new())
    }

    /// [`Compute::backward_reads`].
    fn backward_reads(&self, _name: &str) -> bool {
        true
    }

    /// [`Compute::onnx`].
    fn onnx(&self, _: &Use, _: &mut Onnx) -> Form {
        Err(export::NONE.into())
    }

    /// [`Compute::torch`].
    fn torch(&self, _: &Use, _: &mut Torch) -> Form {
        Err(export::NONE.into())
    }
}

/// An operation that folds, as one that computes.
pub struct Folded<F>(pub F);

impl<F: Folds> Compute for Folded<F> {
    fn forward(&self, call: &Call) -> Result<Output> {
        self.0.value(call, true)
    }

    fn backward(&self, call: &Call, output: &Output, grad: &Tensor) -> Result<Gradients> {
        self.0.gradients(call, output, grad, true)
    }

    fn plain_forward(&self, call: &Call) -> Result<Output> {
        self.0.value(call, false)
    }

    fn plain_backward(&self, call: &Call, output: &Output, grad: &Tensor) -> Result<Gradients> {
        self.0.gradients(call, output, grad, false)
    }

    fn has_kernels(&self) -> bool {
        true
    }

    fn backward_reads(&self, name: &str) -> bool {
        self.0.backward_reads(name)
    }

    fn onnx(&self, call: &Use, out: &mut Onnx) -> Form {
        self.0.onnx(call, out)
    }

    fn torch(&self, call: &Use, out: &mut Torch) -> Form {
        self.0.torch(call, out)
    }
}

impl Folding {
    /// Of the tensor `x` in a call. Kernels are used if `fast` and the tensor allows it.
    pub fn new(call: &Call, x: &Tensor, fast: bool) -> Result<Self> {
        Ok(Self::of(x, positions(call, x.rank())?, fast))
    }

    /// Of the tensor `x`, of which these axes go.
    pub fn of(x: &Tensor, gone: Vec<usize>, fast: bool) -> Self {
        Self::to(x.dims(), x, gone, fast)
    }

    /// Of a tensor of this shape, of the device and type of `like`, of which these axes go.
    pub fn to(shape: &[usize], like: &Tensor, gone: Vec<usize>, fast: bool) -> Self {
        let left = shape.iter().enumerate().filter(|(i, _)| !gone.contains(i)).map(|(_, n)| *n).collect();
        let native = matches!(like.device(), Device::Cpu) && matches!(like.dtype(), DType::F32 | DType::F64);
        Self { shape: shape.to_vec(), gone, left, fast: fast && native }
    }

    /// How many numbers become one.
    pub fn folded(&self) -> usize {
        self.gone.iter().filter_map(|a| self.shape.get(*a)).product()
    }

    /// The shape of what is left, with axes of size 1 where some went.
    fn ones(&self) -> Vec<usize> {
        self.shape.iter().enumerate().map(|(i, n)| if self.gone.contains(&i) { 1 } else { *n }).collect()
    }

    fn cut(&self) -> Result<Cut> {
        Cut::new(&self.shape, &self.gone).map_err(wrong)
    }

    /// What is left, seen as wide as the tensor. By kernels it is a view, which [`written_out`](layout::written_out) has the numbers of: what
    /// reads it may need fewer.
    pub fn seen_wide(&self, left: &Tensor) -> Result<Tensor> {
        if !self.fast {
            return self.widened(left);
        }
        layout::first(left)?.reshape(self.ones())?.broadcast_as(self.shape.as_slice())
    }

    /// What is left, as wide as the tensor.
    pub fn widened(&self, left: &Tensor) -> Result<Tensor> {
        if !self.fast {
            return left.reshape(self.ones())?.broadcast_as(self.shape.as_slice())?.contiguous();
        }
        let cut = self.cut()?;
        match left.dtype() {
            DType::F32 => {
                let out = read::<f32, _, 1>([left], |[p]| spread::spread(&cut, [&[], &[]], [p, &[]], |_, [p, _]| p))?;
                tensor(out.map_err(wrong)?, self.shape.as_slice())
            }
            _ => {
                let out = read::<f64, _, 1>([left], |[p]| spread::spread(&cut, [&[], &[]], [p, &[]], |_, [p, _]| p))?;
                tensor(out.map_err(wrong)?, self.shape.as_slice())
            }
        }
    }

    /// Σ x.
    pub fn sum(&self, x: &Tensor) -> Result<Tensor> {
        if !self.fast {
            return x.contiguous()?.sum_keepdim(self.gone.as_slice())?.reshape(self.left.as_slice());
        }
        self.sum_of(x, None, |x, _| x)
    }

    /// Σ x·y, both of the whole shape.
    pub fn dot(&self, x: &Tensor, y: &Tensor) -> Result<Tensor> {
        if !self.fast {
            return self.sum(&(x * y)?);
        }
        match x.dtype() {
            DType::F32 => self.dot_of::<f32>(x, y),
            _ => self.dot_of::<f64>(x, y),
        }
    }

    fn dot_of<T: Element>(&self, x: &Tensor, y: &Tensor) -> Result<Tensor> {
        let cut = self.cut()?;
        let out = read::<T, _, 2>([x, y], |[x, y]| reduce::products(&cut, x, y))?;
        tensor(out.map_err(wrong)?, self.left.as_slice())
    }

    /// f of every number of `x` and the number of `left` that belongs to it, by kernels.
    pub fn meet<T: Element>(&self, x: &Tensor, left: &Tensor, f: impl Fn(T, T) -> T + Sync) -> Result<Tensor> {
        let cut = self.cut()?;
        let out = read::<T, _, 2>([x, left], |[x, p]| match p {
            // A single number: nothing to look up.
            [p] => Ok(map::one(x, |x| f(x, *p))),
            _ => spread::spread(&cut, [x, &[]], [p, &[]], |[x, _], [p, _]| f(x, p)),
        })?;
        tensor(out.map_err(wrong)?, self.shape.as_slice())
    }

    /// Σ f(x, p) by kernels, p being the number of `with` that is left there.
    fn sum_of(&self, x: &Tensor, with: Option<&Tensor>, f: impl Fn(f64, f64) -> f64 + Sync) -> Result<Tensor> {
        let cut = self.cut()?;
        match x.dtype() {
            DType::F32 => {
                let g = |x: f32, p: f32| f(f64::from(x), f64::from(p)) as f32;
                let out = match with {
                    Some(p) => read::<f32, _, 2>([x, p], |[x, p]| reduce::sum(&cut, x, p, g))?,
                    None => read::<f32, _, 1>([x], |[x]| reduce::sum(&cut, x, &[], g))?,
                };
                tensor(out.map_err(wrong)?, self.left.as_slice())
            }
            _ => {
                let out = match with {
                    Some(p) => read::<f64, _, 2>([x, p], |[x, p]| reduce::sum(&cut, x, p, f))?,
                    None => read::<f64, _, 1>([x], |[x]| reduce::sum(&cut, x, &[], f))?,
                };
                tensor(out.map_err(wrong)?, self.left.as_slice())
            }
        }
    }

    /// Σ f(x, p), p being the number of `with` that is left there; `plain` is f of tensors, both as wide as `x`.
    pub fn sum_with(
        &self,
        x: &Tensor,
        with: &Tensor,
        f: impl Fn(f64, f64) -> f64 + Sync,
        plain: impl FnOnce(&Tensor, &Tensor) -> Result<Tensor>,
    ) -> Result<Tensor> {
        if self.fast { self.sum_of(x, Some(with), f) } else { self.sum(&plain(x, &self.widened(with)?)?) }
    }

    /// The greatest of what goes, or the least.
    pub fn extreme(&self, x: &Tensor, greatest: bool) -> Result<Tensor> {
        if self.fast {
            let cut = self.cut()?;
            return match x.dtype() {
                DType::F32 => {
                    let out = read::<f32, _, 1>([x], |[x]| reduce::extreme(&cut, x, greatest))?;
                    tensor(out.map_err(wrong)?, self.left.as_slice())
                }
                _ => {
                    let out = read::<f64, _, 1>([x], |[x]| reduce::extreme(&cut, x, greatest))?;
                    tensor(out.map_err(wrong)?, self.left.as_slice())
                }
            };
        }
        let mut out = x.contiguous()?;
        for axis in &self.gone {
            out = if greatest { out.max_keepdim(*axis)? } else { out.min_keepdim(*axis)? };
        }
        out.reshape(self.left.as_slice())
    }

    /// f at every place: of the numbers of `x` and `y` there, and of those of `p` and `q` that are left there. `plain`
    /// is f of tensors, all as wide as the tensor.
    pub fn spread(
        &self,
        [x, y]: [&Tensor; 2],
        [p, q]: [&Tensor; 2],
        f: impl Fn([f64; 2], [f64; 2]) -> f64 + Sync,
        plain: impl FnOnce([&Tensor; 2], [&Tensor; 2]) -> Result<Tensor>,
    ) -> Result<Tensor> {
        if !self.fast {
            let (p, q) = (self.widened(p)?, self.widened(q)?);
            return plain([x, y], [&p, &q]);
        }
        let cut = self.cut()?;
        match x.dtype() {
            DType::F32 => {
                let wide = |[a, b]: [f32; 2]| [f64::from(a), f64::from(b)];
                let g = |xy: [f32; 2], pq: [f32; 2]| f(wide(xy), wide(pq)) as f32;
                let out = read::<f32, _, 4>([x, y, p, q], |[x, y, p, q]| spread::spread(&cut, [x, y], [p, q], g))?;
                tensor(out.map_err(wrong)?, self.shape.as_slice())
            }
            _ => {
                let out = read::<f64, _, 4>([x, y, p, q], |[x, y, p, q]| spread::spread(&cut, [x, y], [p, q], f))?;
                tensor(out.map_err(wrong)?, self.shape.as_slice())
            }
        }
    }
}

impl Folding {
    /// Whether kernels do it.
    pub fn is_fast(&self) -> bool {
        self.fast
    }

    /// By kernels: of what goes, the greatest number, and the sum of exponentials relative to it, each weighed by a mask as wide
    /// as the tensor.
    pub fn exponentials(&self, x: &Tensor, mask: Option<&Tensor>) -> Result<[Tensor; 2]> {
        match x.dtype() {
            DType::F32 => self.exponentials_of::<f32>(x, mask),
            _ => self.exponentials_of::<f64>(x, mask),
        }
    }

    fn exponentials_of<T: Element>(&self, x: &Tensor, mask: Option<&Tensor>) -> Result<[Tensor; 2]> {
        let cut = self.cut()?;
        let sums = match mask {
            Some(mask) => read::<T, _, 2>([x, mask], |[x, mask]| soft::sums(&cut, x, mask))?,
            None => read::<T, _, 1>([x], |[x]| soft::sums(&cut, x, &[]))?,
        };
        let soft::Sums { most, sum } = sums.map_err(wrong)?;
        Ok([tensor(most, self.left.as_slice())?, tensor(sum, self.left.as_slice())?])
    }

    /// By kernels: each number as its share of its sum of exponentials, or the logarithm of that.
    pub fn shares(&self, x: &Tensor, logarithm: bool) -> Result<Tensor> {
        match x.dtype() {
            DType::F32 => self.shares_of::<f32>(x, logarithm),
            _ => self.shares_of::<f64>(x, logarithm),
        }
    }

    fn shares_of<T: Element>(&self, x: &Tensor, logarithm: bool) -> Result<Tensor> {
        let cut = self.cut()?;
        let out = read::<T, _, 1>([x], |[x]| shares::shares(&cut, x, logarithm))?;
        tensor(out.map_err(wrong)?, self.shape.as_slice())
    }

    /// By kernels: the gradient of what [`Folding::shares`] made `y` of, given that of `y`.
    pub fn shares_gradient(&self, y: &Tensor, grad: &Tensor, logarithm: bool) -> Result<Tensor> {
        match y.dtype() {
            DType::F32 => self.shares_gradient_of::<f32>(y, grad, logarithm),
            _ => self.shares_gradient_of::<f64>(y, grad, logarithm),
        }
    }

    fn shares_gradient_of<T: Element>(&self, y: &Tensor, grad: &Tensor, logarithm: bool) -> Result<Tensor> {
        let cut = self.cut()?;
        let out = read::<T, _, 2>([y, grad], |[y, grad]| shares::gradient(&cut, y, grad, logarithm))?;
        tensor(out.map_err(wrong)?, self.shape.as_slice())
    }

    /// By kernels: what is made of the numbers of `x` and `y` at each place, and of those of `p` and `q` that are left there.
    pub fn made(&self, made: Made, [x, y]: [&Tensor; 2], [p, q]: [&Tensor; 2]) -> Result<Tensor> {
        match x.dtype() {
            DType::F32 => self.made_of::<f32>(made, [x, y], [p, q]),
            _ => self.made_of::<f64>(made, [x, y], [p, q]),
        }
    }

    fn made_of<T: Element>(&self, made: Made, [x, y]: [&Tensor; 2], [p, q]: [&Tensor; 2]) -> Result<Tensor> {
        let cut = self.cut()?;
        let out = read::<T, _, 4>([x, y, p, q], |[x, y, p, q]| soft::spread(&cut, made, [x, y], [p, q]))?;
        tensor(out.map_err(wrong)?, self.shape.as_slice())
    }
}

/// The mask of a call as wide as `x`, if there is one.
pub fn mask(call: &Call, x: &Tensor) -> Result<Option<Tensor>> {
    pixelwise::spread(call.maybe("mask"), x)
}
