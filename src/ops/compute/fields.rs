//! Operations on maps that take fields, too: a field (B, T, C, H, W) is given to them as a map, and what they make of it is a
//! field again.

use candle_core::{DType, Device, Result, Shape, Tensor};

use crate::compute::layout;
use crate::compute::memory::Memory;
use crate::compute::{Call, Compute, Gradients, Output};
use crate::export::onnx::Onnx;
use crate::export::torch::Torch;
use crate::export::{Form, Use};
use rord_lang::constant::Settings;
use rord_lang::vocabulary::Shapes;

/// As which map an operation gets a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum As {
    /// (B, T·C, H, W), for what treats every channel of every turn alike: pooling. No number is moved.
    Channels,
    /// (B, C, H, W·T), for what takes the turns of a channel of a sample together: norms. No number is moved where channels lie
    /// last.
    Places,
    /// (B·T, C, H, W), for what works along the channels of each turn, or over the whole batch. No number is moved where
    /// channels lie first.
    Batch,
}

/// An operation on maps, for maps and fields.
pub struct OnFields<C>(pub C, pub As);

impl As {
    fn map(self, field: &Tensor) -> Result<Tensor> {
        match self {
            As::Channels => layout::folded(field),
            As::Places => {
                let (b, turns, c, h, w) = field.dims5()?;
                let last = field.permute((0, 3, 4, 1, 2))?.contiguous()?;
                last.reshape((b, h, w * turns, c))?.permute((0, 3, 1, 2))
            }
            As::Batch => {
                let (b, turns, c, h, w) = field.dims5()?;
                layout::first(field)?.reshape((b * turns, c, h, w))
            }
        }
    }

    fn field(self, map: &Tensor, turns: usize) -> Result<Tensor> {
        match self {
            As::Channels => layout::unfolded(map, turns),
            As::Places => {
                let (b, c, h, all) = map.dims4()?;
                let last = map.permute((0, 2, 3, 1))?.contiguous()?;
                last.reshape((b, h, all / turns.max(1), turns, c))?.permute((0, 3, 4, 1, 2))
            }
            As::Batch => {
                let (all, c, h, w) = map.dims4()?;
                layout::first(map)?.reshape((all / turns.max(1), turns, c, h, w))
            }
        }
    }

    fn shape(self, field: &[usize]) -> Vec<usize> {
        match (self, field) {
            (As::Channels, &[b, t, c, h, w]) => vec![b, t * c, h, w],
            (As::Places, &[b, t, c, h, w]) => vec![b, c, h, w * t],
            (As::Batch, &[b, t, c, h, w]) => vec![b * t, c, h, w],
            _ => field.to_vec(),
        }
    }
}

/// A tensor of this shape that holds nothing: in place of what is not read.
fn blank(shape: Vec<usize>, dtype: DType, device: &Device) -> Result<Tensor> {
    Tensor::new(f64::NAN, device)?.to_dtype(dtype)?.broadcast_as(Shape::from(shape))
}

/// The turns of the field among the inputs, if there is one.
fn turns(call: &Call) -> Option<usize> {
    // A weight may have five axes as well; what the operation works on comes first.
    call.inputs.first().and_then(|(_, t)| if t.rank() == 5 { t.dims().get(1).copied() } else { None })
}

impl<C: Compute> OnFields<C> {
    /// Calls `f` with every field as a map; what is not read is blank. `back` is true where gradients are asked for.
    fn with<R>(&self, call: &Call, back: bool, f: impl FnOnce(&Call) -> Result<R>) -> Result<R> {
        let laid = |t: Tensor| if self.0.either_order() { Ok(t) } else { layout::first(&t) };
        let one = |(name, t): &(&str, Tensor)| match t.rank() {
            5 if back && !self.0.backward_reads(name) => blank(self.1.shape(t.dims()), t.dtype(), t.device()),
            5 => laid(self.1.map(t)?),
            _ => Ok(t.clone()),
        };
        let inputs = call.inputs.iter().map(|i| Ok((i.0, one(i)?))).collect::<Result<Vec<_>>>()?;
        let shape = self.1.shape(call.shape);
        f(&Call { inputs: &inputs, shape: &shape, ..*call })
    }

    fn made(&self, output: Output, turns: usize) -> Result<Output> {
        Ok(Output { value: self.1.field(&output.value, turns)?, saved: output.saved })
    }

    /// The gradients by `f`, which gets value and gradient as maps.
    fn gradients(
        &self,
        call: &Call,
        output: &Output,
        grad: &Tensor,
        turns: usize,
        f: impl FnOnce(&Call, &Output, &Tensor) -> Result<Gradients>,
    ) -> Result<Gradients> {
        let laid = |t: Tensor| if self.0.either_order() { Ok(t) } else { layout::first(&t) };
        let value = match self.0.backward_reads_value(call.settings) {
            true => laid(self.1.map(&output.value)?)?,
            false => blank(self.1.shape(output.value.dims()), grad.dtype(), grad.device())?,
        };
        let output = Output { value, saved: output.saved.clone() };
        let grad = laid(self.1.map(grad)?)?;
        let found = self.with(call, true, |call| f(call, &output, &grad))?;
        let one = |(name, t): (&'static str, Tensor)| {
            let field = call.maybe(name).is_some_and(|x| x.rank() == 5);
            Ok((name, if field { self.1.field(&t, turns)? } else { t }))
        };
        found.into_iter().map(one).collect()
    }
}

impl<C: Compute> Compute for OnFields<C> {
    fn forward(&self, call: &Call) -> Result<Output> {
        let Some(turns) = turns(call) else { return self.0.forward(call) };
        self.made(self.with(call, false, |call| self.0.forward(call))?, turns)
    }

    fn backward(&self, call: &Call, output: &Output, grad: &Tensor) -> Result<Gradients> {
        let Some(turns) = turns(call) else { return self.0.backward(call, output, grad) };
        self.gradients(call, output, grad, turns, |call, output, grad| self.0.backward(call, output, grad))
    }

    fn updates(&self, call: &Call, output: &Output) -> Result<Vec<(&'static str, Tensor)>> {
        // The value is not looked at, and what is saved is the inner operation's.
        self.with(call, true, |call| self.0.updates(call, output))
    }

    fn plain_forward(&self, call: &Call) -> Result<Output> {
        let Some(turns) = turns(call) else { return self.0.plain_forward(call) };
        self.made(self.with(call, false, |call| self.0.plain_forward(&straight(call)?.call(call)))?, turns)
    }

    fn plain_backward(&self, call: &Call, output: &Output, grad: &Tensor) -> Result<Gradients> {
        let Some(turns) = turns(call) else { return self.0.plain_backward(call, output, grad) };
        self.gradients(call, output, grad, turns, |call, output, grad| {
            let output = Output { value: layout::first(&output.value)?, saved: output.saved.clone() };
            self.0.plain_backward(&straight(call)?.call(call), &output, &layout::first(grad)?)
        })
    }

    fn either_order(&self) -> bool {
        self.0.either_order()
    }

    fn takes_rounded(&self) -> bool {
        self.0.takes_rounded()
    }

    fn backward_reads(&self, name: &str) -> bool {
        self.0.backward_reads(name)
    }

    fn backward_reads_value(&self, settings: &Settings) -> bool {
        self.0.backward_reads_value(settings)
    }

    fn memory(&self, shapes: &Shapes<'_>, wants: &[&str]) -> Memory {
        let inputs = shapes.inputs.iter().map(|(name, shape)| (*name, self.1.shape(shape))).collect();
        self.0.memory(&Shapes { inputs, result: self.1.shape(&shapes.result), settings: shapes.settings }, wants)
    }

    fn has_kernels(&self) -> bool {
        self.0.has_kernels()
    }

    fn onnx(&self, call: &Use, out: &mut Onnx) -> Form {
        self.1.onnx(call, out, |call, out| self.0.onnx(call, out))
    }

    fn torch(&self, call: &Use, out: &mut Torch) -> Form {
        self.1.torch(call, out, |call, out| self.0.torch(call, out))
    }
}

/// The inputs of a call, contiguous: what an operation written with Candle's takes.
struct Straight<'a>(Vec<(&'a str, Tensor)>);

fn straight<'a>(call: &Call<'a>) -> Result<Straight<'a>> {
    Ok(Straight(call.inputs.iter().map(|(n, t)| Ok((*n, layout::first(t)?))).collect::<Result<_>>()?))
}

impl<'a> Straight<'a> {
    fn call<'b>(&'b self, call: &'b Call<'a>) -> Call<'b> {
        Call {
            inputs: &self.0,
            settings: call.settings,
            shape: call.shape,
            stream: call.stream,
            training: call.training,
            wants: call.wants,
            share: call.share,
            apart: call.apart,
        }
    }
}
