//! Small cases of an operation, and the finite differences that every operation's gradient is checked against.
//!
//! An operation lists its cases in `samples()`; [`finite_differences`] runs each alone and in a diamond, where the
//! input is used by two branches and the gradients must add up.

use candle_core::{DType, Device, Result, Tensor};

use crate::compute::{Call, Compute, Output};
use rord_lang::constant::{Constant, Settings};
use rord_random::Stream;

/// One case: inputs in `f64`, settings, the shape of the value, and the inputs that have a gradient.
#[derive(Clone, Debug)]
pub struct Sample {
    /// What the case is about.
    pub name: &'static str,
    /// Tensor arguments by parameter name.
    pub inputs: Vec<(&'static str, Tensor)>,
    /// All other arguments.
    pub settings: Settings,
    /// The shape of the value.
    pub shape: Vec<usize>,
    /// The inputs that receive a gradient.
    pub differentiable: Vec<&'static str>,
    /// True where the value has a kink or a step at the inputs (relu at 0, equal vectors), so that its gradient is a
    /// convention: it must be finite, and is not compared with differences.
    pub kink: bool,
    /// The names of an input's axes, where they are not those of its kind.
    pub axes: Vec<(&'static str, &'static [&'static str])>,
}

impl Sample {
    /// A case whose value has this shape.
    pub fn new(name: &'static str, shape: &[usize]) -> Self {
        let settings = Settings::default();
        Self {
            name,
            inputs: Vec::new(),
            settings,
            shape: shape.to_vec(),
            differentiable: Vec::new(),
            kink: false,
            axes: Vec::new(),
        }
    }

    /// With an input of random numbers between `low` and `high`.
    pub fn random(self, input: &'static str, shape: &[usize], low: f64, high: f64) -> Result<Self> {
        let key =
            self.name.bytes().chain(input.bytes()).fold(0u64, |key, b| key.wrapping_mul(31).wrapping_add(b.into()));
        let mut stream = Stream::new(key, &[]);
        let numbers = (0..shape.iter().product()).map(|_| stream.range(low, high)).collect();
        self.given(input, shape, numbers)
    }

    /// With an input of these numbers.
    pub fn given(mut self, input: &'static str, shape: &[usize], numbers: Vec<f64>) -> Result<Self> {
        self.inputs.push((input, Tensor::from_vec(numbers, shape, &Device::Cpu)?));
        Ok(self)
    }

    /// With an input that holds the same number everywhere.
    pub fn filled(self, input: &'static str, shape: &[usize], number: f64) -> Result<Self> {
        self.given(input, shape, vec![number; shape.iter().product()])
    }

    /// With a setting that is a number.
    pub fn number(self, setting: &str, number: f64) -> Self {
        self.setting(setting, Constant::Number(number))
    }

    /// With a setting that is a word.
    pub fn word(self, setting: &str, word: &str) -> Self {
        self.setting(setting, Constant::Word(word.into()))
    }

    /// With a setting that is true or false.
    pub fn flag(self, setting: &str, flag: bool) -> Self {
        self.setting(setting, Constant::Flag(flag))
    }

    /// With any setting.
    pub fn setting(mut self, setting: &str, value: Constant) -> Self {
        self.settings.0.push((setting.into(), value));
        self
    }

    /// With gradients to these inputs.
    pub fn to(mut self, inputs: &[&'static str]) -> Self {
        self.differentiable = inputs.to_vec();
        self
    }

    /// With an input whose axes have these names: `Values[row N, column M]`.
    pub fn named(mut self, input: &'static str, axes: &'static [&'static str]) -> Self {
        self.axes.push((input, axes));
        self
    }

    /// At a kink: see [`Sample::kink`].
    pub fn kinked(mut self) -> Self {
        self.kink = true;
        self
    }

    /// The same case in another type of number, on another device.
    pub fn on(&self, dtype: DType, device: &Device) -> Result<Self> {
        let inputs = self.inputs.iter().map(|(name, t)| Ok((*name, t.to_dtype(dtype)?.to_device(device)?)));
        Ok(Self { inputs: inputs.collect::<Result<_>>()?, ..self.clone() })
    }

    /// The call of this case.
    pub fn call(&self) -> Call<'_> {
        Call {
            inputs: &self.inputs,
            settings: &self.settings,
            shape: &self.shape,
            stream: [5, 3, 1],
            training: true,
            wants: &self.differentiable,
            share: None,
            apart: false,
        }
    }

    /// The value.
    pub fn forward(&self, compute: &dyn Compute) -> Result<Output> {
        compute.forward(&self.call())
    }

    /// The gradients of the case's inputs, in the order of `differentiable`.
    pub fn backward(&self, compute: &dyn Compute, output: &Output, grad: &Tensor) -> Result<Vec<Tensor>> {
        let gradients = compute.backward(&self.call(), output, grad)?;
        let find = |name: &&str| {
            let found = gradients.iter().find(|(n, _)| n == name).map(|(_, t)| t.clone());
            found.ok_or_else(|| candle_core::Error::msg(format!("{}: no gradient of `{name}`", self.name)))
        };
        self.differentiable.iter().map(find).collect()
    }
}

/// The value's shape and finiteness, and the gradients against central differences in `f64` of a random projection of
/// the value, first alone, then in the diamond f(x) + 2·f(x). Gives the largest error relative to the largest gradient
/// of its input (0 where nothing is differentiable or the case is at a kink); fails where a number is not finite or a
/// shape is wrong.
pub fn finite_differences(compute: &dyn Compute, sample: &Sample) -> Result<f64> {
    let fail = |what: String| Err(candle_core::Error::msg(format!("{}: {what}", sample.name)));
    let output = sample.forward(compute)?;
    if output.value.dims() != sample.shape.as_slice() {
        return fail(format!("value has shape {:?}, not {:?}", output.value.dims(), sample.shape));
    }
    let value = numbers(&output.value)?;
    if !value.iter().all(|x| x.is_finite()) {
        return fail("value is not finite".into());
    }
    let mut stream = Stream::new(11, &[value.len() as u64]);
    let weights: Vec<f64> = value.iter().map(|_| stream.range(-1.0, 1.0)).collect();
    let project = |out: &Tensor| -> Result<f64> { Ok(numbers(out)?.iter().zip(&weights).map(|(a, b)| a * b).sum()) };
    let grad = Tensor::from_vec(weights.clone(), sample.shape.as_slice(), &Device::Cpu)?;
    let grad = grad.to_dtype(output.value.dtype())?.to_device(output.value.device())?;
    let alone = sample.backward(compute, &output, &grad)?;
    let second = sample.forward(compute)?;
    let branch = sample.backward(compute, &second, &(&grad * 2.0)?)?;
    let mut worst = 0.0f64;
    for ((name, alone), branch) in sample.differentiable.iter().zip(&alone).zip(&branch) {
        let Some(input) = sample.inputs.iter().position(|(n, _)| n == name) else {
            return fail(format!("no input `{name}`"));
        };
        let at = sample.inputs.iter().filter(|(n, _)| n == name).map(|(_, t)| t).next();
        let Some(at) = at else { return fail(format!("no input `{name}`")) };
        if alone.dims() != at.dims() {
            return fail(format!("gradient of `{name}` has shape {:?}, not {:?}", alone.dims(), at.dims()));
        }
        let (single, diamond) = (numbers(alone)?, numbers(&(alone + branch)?)?);
        if !single.iter().chain(&diamond).all(|x| x.is_finite()) {
            return fail(format!("gradient of `{name}` is not finite"));
        }
        if sample.kink {
            continue;
        }
        let base = numbers(at)?;
        let mut slopes = Vec::with_capacity(base.len());
        for (i, x) in base.iter().enumerate() {
            let step = 1e-5 * x.abs().max(1.0);
            let moved = |by: f64| -> Result<f64> {
                let mut numbers = base.clone();
                if let Some(number) = numbers.get_mut(i) {
                    *number += by;
                }
                let mut sample = sample.clone();
                if let Some(slot) = sample.inputs.get_mut(input) {
                    slot.1 = Tensor::from_vec(numbers, at.dims(), &Device::Cpu)?;
                }
                project(&sample.forward(compute)?.value)
            };
            slopes.push((moved(step)? - moved(-step)?) / (2.0 * step));
        }
        let scale = slopes.iter().chain(&single).fold(1e-3f64, |m, x| m.max(x.abs()));
        for ((slope, single), diamond) in slopes.iter().zip(&single).zip(&diamond) {
            worst = worst.max((slope - single).abs() / scale).max((3.0 * slope - diamond).abs() / (3.0 * scale));
        }
    }
    Ok(worst)
}

/// The largest difference between two paths of an operation, in the values and in every gradient, relative to the
/// largest number.
pub fn compare(one: &dyn Compute, other: &dyn Compute, sample: &Sample) -> Result<f64> {
    let (a, b) = (sample.forward(one)?, sample.forward(other)?);
    let mut stream = Stream::new(12, &[]);
    let grad = (0..a.value.elem_count()).map(|_| stream.range(-1.0, 1.0)).collect::<Vec<f64>>();
    let grad = Tensor::from_vec(grad, a.value.shape(), &Device::Cpu)?.to_dtype(a.value.dtype())?;
    let grad = grad.to_device(a.value.device())?;
    /// Sums of numbers around 1 may come out near zero by chance, and are rounded as their terms are. How they are added
    /// differs from processor to processor.
    const LEAST: f64 = 1e-2;
    let mut worst = apart_of(&a.value, &b.value, LEAST)?;
    for (a, b) in sample.backward(one, &a, &grad)?.iter().zip(&sample.backward(other, &b, &grad)?) {
        worst = worst.max(apart_of(a, b, LEAST)?);
    }
    Ok(worst)
}

/// The largest difference relative to the largest number of `a`; infinite where the shapes differ.
pub fn apart(a: &Tensor, b: &Tensor) -> Result<f64> {
    apart_of(a, b, 1e-6)
}

/// The largest difference relative to the largest number of `a`, or to `least` where that is larger.
fn apart_of(a: &Tensor, b: &Tensor, least: f64) -> Result<f64> {
    if a.dims() != b.dims() {
        return Ok(f64::INFINITY);
    }
    let (a, b) = (numbers(a)?, numbers(b)?);
    let scale = a.iter().fold(least, |m, x| m.max(x.abs()));
    Ok(a.iter().zip(&b).fold(0.0, |m, (a, b)| if a == b { m } else { f64::max(m, (a - b).abs() / scale) }))
}

/// All numbers of a tensor, in order.
pub fn numbers(t: &Tensor) -> Result<Vec<f64>> {
    t.to_dtype(DType::F64)?.to_device(&Device::Cpu)?.flatten_all()?.to_vec1()
}
