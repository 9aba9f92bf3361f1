//! Candle tensors as plain slices and back, and the choice between an operation's two paths.
//!
//! An operation with kernels implements [`Paths`]: `lower` defines it in Candle's tensor operations, `fast` the same by
//! `rord_kernels` where all its tensors are `f32` or all `f64` in the CPU's memory. [`Plain`] takes the first path
//! always; the tests compare the two. Where its tensors lie on a GPU, an operation may have a third path ([`Paths::device`]) by
//! `rord_device`; without one it takes `lower` there.

use candle_core::{DType, Device, Result, Shape, Storage, Tensor, WithDType};

use crate::compute::memory::Memory;
use crate::compute::{Call, Compute, Gradients, Output, layout};
use crate::export::onnx::Onnx;
use crate::export::torch::Torch;
use crate::export::{self, Form, Use};
use rord_kernels::{Float, Mismatch};
use rord_lang::constant::Settings;
use rord_lang::vocabulary::Shapes;

/// A number that both Candle and the kernels know.
pub trait Element: Float + WithDType {}
impl Element for f32 {}
impl Element for f64 {}

/// An operation that has a fast path on the CPU beside its definition.
pub trait Paths: Sync {
    /// True where both paths take maps in either [order](layout).
    const EITHER_ORDER: bool = false;

    /// [`Compute::takes_rounded`].
    const ROUNDED: bool = false;

    /// [`Compute::backward_reads`].
    fn backward_reads(&self, _name: &str) -> bool {
        true
    }

    /// [`Compute::backward_reads_value`].
    fn backward_reads_value(&self, _settings: &Settings) -> bool {
        true
    }

    /// [`Compute::memory`]; kernels write what they make and little else.
    fn memory(&self, _shapes: &Shapes<'_>, _wants: &[&str]) -> Memory {
        Memory::default()
    }

    /// [`Compute::updates`], of a value by either path.
    fn updates(&self, _call: &Call, _output: &Output) -> Result<Vec<(&'static str, Tensor)>> {
        Ok(Vec::new())
    }

    /// [`Compute::onnx`].
    fn onnx(&self, _: &Use, _: &mut Onnx) -> Form {
        Err(export::NONE.into())
    }

    /// [`Compute::torch`].
    fn torch(&self, _: &Use, _: &mut Torch) -> Form {
        Err(export::NONE.into())
    }

    /// The value, by Candle's tensor operations.
    fn lower(&self, call: &Call) -> Result<Output>;
    /// The gradients, by Candle's tensor operations.
    fn lower_backward(&self, _call: &Call, _output: &Output, _grad: &Tensor) -> Result<Gradients> {
        Ok(Gradients::new())
    }
    /// The value by kernels on a GPU, where the operation has any for this call; what it saves is its own.
    fn device(&self, _call: &Call) -> Result<Option<Output>> {
        Ok(None)
    }
    /// The gradients of a value from [`Paths::device`], which gave one for such a call.
    fn device_backward(&self, _call: &Call, _output: &Output, _grad: &Tensor) -> Result<Option<Gradients>> {
        Ok(None)
    }
    /// The value, by kernels. Saves what [`Paths::lower`] saves.
    fn fast<T: Element>(&self, call: &Call) -> Result<Output>;
    /// The gradients, by kernels.
    fn fast_backward<T: Element>(&self, _call: &Call, _output: &Output, _grad: &Tensor) -> Result<Gradients> {
        Ok(Gradients::new())
    }
}

impl<P: Paths> Compute for P {
    fn forward(&self, call: &Call) -> Result<Output> {
        match native(call) {
            Some(DType::F32) => self.fast::<f32>(call),
            Some(DType::F64) => self.fast::<f64>(call),
            _ => match on_gpu(call).then(|| self.device(call)).transpose()?.flatten() {
                Some(output) => Ok(output),
                None => straight(call, |call| self.lower(call)),
            },
        }
    }

    fn backward(&self, call: &Call, output: &Output, grad: &Tensor) -> Result<Gradients> {
        match native(call) {
            Some(DType::F32) => self.fast_backward::<f32>(call, output, grad),
            Some(DType::F64) => self.fast_backward::<f64>(call, output, grad),
            _ => match on_gpu(call).then(|| self.device_backward(call, output, grad)).transpose()?.flatten() {
                Some(gradients) => Ok(gradients),
                None => straight(call, |call| {
                    let output = Output { value: layout::first(&output.value)?, saved: output.saved.clone() };
                    self.lower_backward(call, &output, &layout::first(grad)?)
                }),
            },
        }
    }

    fn plain_forward(&self, call: &Call) -> Result<Output> {
        self.lower(call)
    }

    fn plain_backward(&self, call: &Call, output: &Output, grad: &Tensor) -> Result<Gradients> {
        self.lower_backward(call, output, grad)
    }

    fn has_kernels(&self) -> bool {
        true
    }

    fn updates(&self, call: &Call, output: &Output) -> Result<Vec<(&'static str, Tensor)>> {
        Paths::updates(self, call, output)
    }

    fn memory(&self, shapes: &Shapes<'_>, wants: &[&str]) -> Memory {
        Paths::memory(self, shapes, wants)
    }

    fn either_order(&self) -> bool {
        P::EITHER_ORDER
    }

    fn takes_rounded(&self) -> bool {
        P::ROUNDED
    }

    fn backward_reads(&self, name: &str) -> bool {
        Paths::backward_reads(self, name)
    }

    fn backward_reads_value(&self, settings: &Settings) -> bool {
        Paths::backward_reads_value(self, settings)
    }

    fn onnx(&self, call: &Use, out: &mut Onnx) -> Form {
        Paths::onnx(self, call, out)
    }

    fn torch(&self, call: &Use, out: &mut Torch) -> Form {
        Paths::torch(self, call, out)
    }
}

/// An operation without its kernels.
pub struct Plain<'a>(pub &'a dyn Compute);

impl Compute for Plain<'_> {
    fn forward(&self, call: &Call) -> Result<Output> {
        self.0.plain_forward(call)
    }

    fn backward(&self, call: &Call, output: &Output, grad: &Tensor) -> Result<Gradients> {
        self.0.plain_backward(call, output, grad)
    }
}

/// The type of number, where every input lies in the CPU's memory and has the same one.
pub(crate) fn native(call: &Call) -> Option<DType> {
    let (_, first) = call.inputs.first()?;
    let same = |t: &Tensor| matches!(t.device(), Device::Cpu) && t.dtype() == first.dtype();
    call.inputs.iter().all(|(_, t)| same(t)).then(|| first.dtype())
}

/// True where kernels for GPUs can take every input.
fn on_gpu(call: &Call) -> bool {
    // Rounded numbers may be among the others: an operation gets them only where it takes them.
    let mut whole = call.inputs.iter().map(|(_, t)| t.dtype()).filter(|dtype| *dtype != DType::BF16);
    let first = whole.next();
    !call.inputs.is_empty()
        && call.inputs.iter().all(|(_, t)| rord_device::has(t))
        && whole.all(|dtype| Some(dtype) == first)
}

/// Calls `f` with the same call, all tensors of which lie as their shapes say: Candle's own operations are slow with others, or refuse them.
fn straight<R>(call: &Call, f: impl FnOnce(&Call) -> Result<R>) -> Result<R> {
    if call.inputs.iter().all(|(_, t)| t.is_contiguous()) {
        return f(call);
    }
    let inputs = call.inputs.iter().map(|(name, t)| Ok((*name, layout::first(t)?))).collect::<Result<Vec<_>>>()?;
    f(&Call { inputs: &inputs, ..*call })
}

/// Calls `f` with the numbers of `tensors`, without a copy where they are contiguous. All are in the CPU's memory.
pub fn read<T: WithDType, R, const N: usize>(tensors: [&Tensor; N], f: impl FnOnce([&[T]; N]) -> R) -> Result<R> {
    let whole = tensors.iter().map(|t| layout::first(t)).collect::<Result<Vec<_>>>()?;
    let held: Vec<_> = whole.iter().map(|t| t.storage_and_layout()).collect();
    let mut slices: [&[T]; N] = [&[]; N];
    for (slice, (storage, layout)) in slices.iter_mut().zip(&held) {
        let Storage::Cpu(storage) = &**storage else {
            return Err(candle_core::Error::msg("a tensor is not in the CPU's memory"));
        };
        let numbers = storage.as_slice::<T>()?;
        let range = layout.contiguous_offsets().and_then(|(from, to)| numbers.get(from..to));
        *slice = range.ok_or_else(|| candle_core::Error::msg("a tensor is not contiguous"))?;
    }
    Ok(f(slices))
}

/// A tensor of these numbers in the CPU's memory.
pub fn tensor<T: WithDType>(numbers: Vec<T>, shape: impl Into<Shape>) -> Result<Tensor> {
    Tensor::from_vec(numbers, shape.into(), &Device::Cpu)
}

/// A kernel's error as one of Candle's.
pub fn wrong(mismatch: Mismatch) -> candle_core::Error {
    candle_core::Error::wrap(mismatch)
}

/// `numbers` on the device of `like` and in its type.
pub fn constant(numbers: Vec<f64>, shape: impl Into<Shape>, like: &Tensor) -> Result<Tensor> {
    Tensor::from_vec(numbers, shape.into(), &Device::Cpu)?.to_dtype(like.dtype())?.to_device(like.device())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn views_are_read_in_their_own_order() {
        let t = tensor(vec![1.0f32, 2.0, 3.0, 4.0, 5.0, 6.0], (2, 3)).unwrap();
        let (turned, part) = (t.t().unwrap(), t.narrow(0, 1, 1).unwrap());
        let seen = read::<f32, _, 2>([&turned, &part], |[a, b]| (a.to_vec(), b.to_vec())).unwrap();
        assert_eq!(seen, (vec![1.0, 4.0, 2.0, 5.0, 3.0, 6.0], vec![4.0, 5.0, 6.0]));
        assert!(read::<f64, _, 1>([&t], |_| ()).is_err());
    }
}
