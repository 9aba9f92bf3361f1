//! How an operation computes: a value from its inputs, and its inputs' gradients from its value's.
//!
//! Gradients are the operation's own, not taken from Candle's tape: several of Candle's are missing or wrong (see
//! `docs/decisions/`), and the graph knows which inputs need one at all. Everything here is written with Candle's
//! tensor operations, so it runs in f32 and f64 on every device; a fast CPU path may take over where the tensors live
//! there.

pub mod bilinear;
pub mod difference;
pub mod elementwise;
pub mod fields;
pub mod folding;
pub mod layout;
pub mod memory;
pub mod pixelwise;
pub mod places;
pub mod samples;
pub mod scaling;
pub mod slices;
pub mod tables;
pub mod windows;

use candle_core::{Result, Tensor};

use self::memory::Memory;
use crate::export::onnx::Onnx;
use crate::export::torch::Torch;
use crate::export::{self, Form, Use};
use rord_lang::constant::Settings;
use rord_lang::vocabulary::Shapes;
use rord_random::Stream;
use rord_ranks::Share;

/// The value of one call, with what its own backward pass needs.
pub struct Output {
    /// The value.
    pub value: Tensor,
    /// Kept for [`Compute::backward`]: an argmax, a deviation, a choice.
    pub saved: Vec<Tensor>,
}

impl From<Tensor> for Output {
    fn from(value: Tensor) -> Self {
        Self { value, saved: Vec::new() }
    }
}

/// One use of an operation: its tensors by parameter name, its settings, and the random stream it may draw from.
pub struct Call<'a> {
    /// Tensor arguments by parameter name; an argument that was left out is not listed.
    pub inputs: &'a [(&'a str, Tensor)],
    /// All other arguments, defaults included.
    pub settings: &'a Settings,
    /// The shape the checker derived for the value.
    pub shape: &'a [usize],
    /// Names the random stream: seed, step, place in the source.
    pub stream: [u64; 3],
    /// True while training, false in validation.
    pub training: bool,
    /// The inputs whose gradient is needed.
    pub wants: &'a [&'a str],
    /// Where several processes share the batch, which samples are this one's.
    pub share: Option<Share<'a>>,
    /// True where the call is for these samples alone; else it is for all, and the same in every process.
    pub apart: bool,
}

/// Gradients by parameter name, each of its input's shape.
pub type Gradients = Vec<(&'static str, Tensor)>;

/// What an operation computes.
pub trait Compute: Sync {
    /// The value of a call.
    fn forward(&self, call: &Call) -> Result<Output>;

    /// The gradient of every input in `call.wants`, which is not empty, given the gradient `grad` of the value (of the
    /// value's shape). An operation that stops the gradient has none.
    fn backward(&self, _call: &Call, _output: &Output, _grad: &Tensor) -> Result<Gradients> {
        Ok(Gradients::new())
    }

    /// New values of weights by role, made of a value from [`Compute::forward`]: running statistics. Asked for while
    /// training only.
    fn updates(&self, _: &Call, _: &Output) -> Result<Vec<(&'static str, Tensor)>> {
        Ok(Vec::new())
    }

    /// The value by Candle's tensor operations alone, as on a device without kernels; `forward` is checked against it.
    fn plain_forward(&self, call: &Call) -> Result<Output> {
        self.forward(call)
    }

    /// The gradients by Candle's tensor operations alone, of a value from [`Compute::plain_forward`].
    fn plain_backward(&self, call: &Call, output: &Output, grad: &Tensor) -> Result<Gradients> {
        self.backward(call, output, grad)
    }

    /// True for what takes maps in either [order](layout) and gradients likewise. All others get contiguous tensors.
    fn either_order(&self) -> bool {
        false
    }

    /// True for what takes maps and gradients of bf16 on a GPU, where convolutions make such with `precision = bf16`. All others get f32.
    fn takes_rounded(&self) -> bool {
        false
    }

    /// `Some((i, n))` where the value is the i-th of n equal parts of its only input along the first axis. Its gradient
    /// is then put beside those of the other parts, and `backward`, which would fill the rest with zeros to be added,
    /// is not called.
    fn part_of(&self, _settings: &Settings) -> Option<(usize, usize)> {
        None
    }

    /// Whether `backward` reads the numbers of the input `name`. In place of one that it does not read it may get
    /// another tensor of the same shape and type, so that the memory is free by then.
    fn backward_reads(&self, _name: &str) -> bool {
        true
    }

    /// The same of its own value, which may depend on the settings.
    fn backward_reads_value(&self, _settings: &Settings) -> bool {
        true
    }

    /// The memory that a call on the CPU takes beside its inputs, its value and their gradients, those of `wants`. It
    /// is known before there is a call.
    fn memory(&self, shapes: &Shapes<'_>, _wants: &[&str]) -> Memory {
        Memory::of_tensor_operations(shapes)
    }

    /// True where `forward` has a path of its own beside `plain_forward`.
    fn has_kernels(&self) -> bool {
        false
    }

    /// The same in ONNX, outside of training: adds nodes, and returns the name of their value.
    fn onnx(&self, _: &Use, _: &mut Onnx) -> Form {
        Err(export::NONE.into())
    }

    /// The same in PyTorch, outside of training: an expression.
    fn torch(&self, _: &Use, _: &mut Torch) -> Form {
        Err(export::NONE.into())
    }
}

impl Call<'_> {
    /// The tensor argument `name`.
    pub fn tensor(&self, name: &str) -> Result<&Tensor> {
        self.maybe(name).ok_or_else(|| candle_core::Error::msg(format!("argument `{name}` is missing")))
    }

    /// The tensor argument `name`, if it was given.
    pub fn maybe(&self, name: &str) -> Option<&Tensor> {
        self.inputs.iter().find(|(n, _)| *n == name).map(|(_, t)| t)
    }

    /// True where the gradient of the argument `name` is needed.
    pub fn wants(&self, name: &str) -> bool {
        self.wants.contains(&name)
    }

    /// The share of the batch that this call is for, where it is not for all.
    pub fn own(&self) -> Option<&Share<'_>> {
        self.share.as_ref().filter(|_| self.apart)
    }

    /// The random stream of this call at this step, for the sample numbered `sample` among those at hand. A sample draws the same
    /// whoever it is shared out to.
    pub fn random(&self, sample: u64) -> Stream {
        let [seed, step, place] = self.stream;
        let first = self.own().map_or(0, |share| share.first as u64);
        Stream::new(seed, &[step, place, first + sample])
    }

    /// A setting as a number.
    pub fn number(&self, name: &str) -> Result<f64> {
        self.settings.number(name).map_err(candle_core::Error::wrap)
    }

    /// A setting as a whole number.
    pub fn count(&self, name: &str) -> Result<usize> {
        self.settings.count(name).map_err(candle_core::Error::wrap)
    }

    /// A setting as true or false.
    pub fn flag(&self, name: &str) -> Result<bool> {
        self.settings.flag(name).map_err(candle_core::Error::wrap)
    }

    /// A setting as a word.
    pub fn text(&self, name: &str) -> Result<&str> {
        self.settings.text(name).map_err(candle_core::Error::wrap)
    }
}
