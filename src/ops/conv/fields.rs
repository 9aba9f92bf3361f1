//! A convolution with a symmetry: its filters in all turns of a group, as one plain convolution.

use candle_core::{DType, Device, Result, Tensor};

use super::compute::{Conv, Padding, arguments, written};
use super::normed;
use crate::compute::fields::{As, OnFields};
use crate::compute::layout;
use crate::compute::memory::{Memory, bytes};
use crate::compute::slices::{Plain, read, tensor, wrong};
use crate::compute::{Call, Compute, Gradients, Output};
use crate::export::onnx::Numbers;
use crate::export::onnx::Onnx;
use crate::export::torch::Torch;
use crate::export::{Form, Use};
use rord_kernels::turns::{Bank, expanded, gathered};
use rord_lang::axis::Axis;
use rord_lang::constant::Settings;
use rord_lang::types::{Kind, Type};
use rord_lang::vocabulary::Shapes;

/// The convolution of maps and of fields.
pub struct Symmetric;

/// The turns of a symmetry by its name; `None` for `none`.
pub fn turns(symmetry: &str) -> Option<usize> {
    match symmetry {
        "c4" => Some(4),
        "d4" => Some(8),
        _ => None,
    }
}

/// The sizes of the filters, if they come in turns: `x` is a field, or a symmetry is asked for.
fn bank(x: &[usize], weight: &[usize], settings: &Settings) -> Option<Bank> {
    let asked = settings.text("symmetry").ok().and_then(turns);
    let of = |turns, sources, outputs, inputs, kernel| Some(Bank { turns, outputs, sources, inputs, kernel });
    match (x, weight) {
        (&[_, turns, ..], &[outputs, sources, inputs, kernel, _]) if x.len() == 5 => {
            of(turns, sources, outputs, inputs, kernel)
        }
        (_, &[outputs, inputs, kernel, _]) => of(asked?, 1, outputs, inputs, kernel),
        _ => None,
    }
}

fn of(call: &Call) -> Result<Option<Bank>> {
    Ok(bank(call.tensor("x")?.dims(), call.tensor("weight")?.dims(), call.settings))
}

/// The weight of the plain convolution: (turns·outputs, sources·inputs, kernel, kernel).
fn forms(g: &Bank, weight: &Tensor) -> Result<Tensor> {
    let shape = (g.turns * g.outputs, g.sources * g.inputs, g.kernel, g.kernel);
    match (weight.device(), weight.dtype()) {
        (Device::Cpu, DType::F32) => tensor(read::<f32, _, 1>([weight], |[w]| expanded(g, w))?.map_err(wrong)?, shape),
        (Device::Cpu, DType::F64) => tensor(read::<f64, _, 1>([weight], |[w]| expanded(g, w))?.map_err(wrong)?, shape),
        _ => {
            // Which number of the weight each of them is: turning moves numbers and changes none.
            let table = places(g, weight)?.into_iter().map(|x| x as u32);
            weight.flatten_all()?.index_select(&Tensor::from_iter(table, weight.device())?, 0)?.reshape(shape)
        }
    }
}

/// What `forms` makes of the places of a weight's numbers.
fn places(g: &Bank, weight: &Tensor) -> Result<Vec<f64>> {
    let own: Vec<f64> = (0..weight.elem_count()).map(|i| i as f64).collect();
    expanded(g, &own).map_err(wrong)
}

/// The gradient of the filters as they are learned.
fn learned(g: &Bank, grad: &Tensor, like: &Tensor) -> Result<Tensor> {
    match (grad.device(), grad.dtype()) {
        (Device::Cpu, DType::F32) => {
            tensor(read::<f32, _, 1>([grad], |[x]| gathered(g, x))?.map_err(wrong)?, like.shape())
        }
        (Device::Cpu, DType::F64) => {
            tensor(read::<f64, _, 1>([grad], |[x]| gathered(g, x))?.map_err(wrong)?, like.shape())
        }
        _ => {
            // Every number of the weight is in as many places as there are turns; their gradients are added in order.
            let mut of: Vec<Vec<u32>> = vec![Vec::with_capacity(g.turns); like.elem_count()];
            for (place, number) in places(g, like)?.into_iter().enumerate() {
                if let Some(of) = of.get_mut(number as usize) {
                    of.push(place as u32);
                }
            }
            let count = of.first().map_or(0, Vec::len);
            let table = Tensor::from_iter(of.concat(), like.device())?;
            let parts = grad.flatten_all()?.index_select(&table, 0)?;
            parts.reshape((like.elem_count(), count))?.sum(1)?.reshape(like.shape())
        }
    }
}

/// The inputs of the plain convolution.
fn inputs<'a>(g: &Bank, call: &Call<'a>) -> Result<Vec<(&'a str, Tensor)>> {
    let one = |(name, t): &(&'a str, Tensor)| {
        let t = match *name {
            "x" if t.rank() == 5 => layout::folded(t)?,
            "weight" => forms(g, t)?,
            "bias" => t.repeat(g.turns)?,
            _ => t.clone(),
        };
        Ok((*name, t))
    };
    call.inputs.iter().map(one).collect()
}

impl Symmetric {
    fn value(&self, conv: &dyn Compute, g: &Bank, call: &Call) -> Result<Output> {
        let inputs = inputs(g, call)?;
        let output = conv.forward(&Call { inputs: &inputs, ..*call })?;
        Ok(Output { value: layout::unfolded(&output.value, g.turns)?, saved: output.saved })
    }

    fn gradients(
        &self,
        conv: &dyn Compute,
        g: &Bank,
        call: &Call,
        output: &Output,
        grad: &Tensor,
    ) -> Result<Gradients> {
        let inputs = inputs(g, call)?;
        let value = match self.backward_reads_value(call.settings) {
            true => layout::folded(&output.value)?,
            // A blank, of which only the shape is asked for.
            false => layout::folded(grad)?,
        };
        let output = Output { value, saved: output.saved.clone() };
        let found = conv.backward(&Call { inputs: &inputs, ..*call }, &output, &layout::folded(grad)?)?;
        let one = |(name, t): (&'static str, Tensor)| {
            let t = match name {
                "x" if call.tensor("x")?.rank() == 5 => layout::unfolded(&t, g.turns)?,
                "weight" => learned(g, &t, call.tensor("weight")?)?,
                "bias" => t.reshape((g.turns, g.outputs))?.sum(0)?,
                _ => t,
            };
            Ok((name, t))
        };
        found.into_iter().map(one).collect()
    }
}

/// The turns and the channels of the field that a call makes, and what it is made of; `None` of a plain convolution.
fn of_field<'a>(call: &Use<'a>) -> std::result::Result<Option<(i64, i64, &'a Type)>, String> {
    if call.ty.kind != Kind::Field {
        return Ok(None);
    }
    let (turns, channels) = (call.size(call.ty, &Axis::Turn)?, call.size(call.ty, &Axis::Channel)?);
    Ok(Some((turns, channels, call.argument("x")?.ty)))
}

/// The layer in PyTorch. A turn is 0 to 3 quarter turns, and 4 more where it begins with a mirror image.
const TURNED: &str = r#"
class TurnedConv2d(nn.Module):
    """A convolution whose filters are slid in all turns of a symmetry (Cohen and Welling, 2016).

    From a map (B, C, H, W), or a field (B, T, C, H, W), to a field (B, T, width, H', W').
    """

    def __init__(self, inputs, width, kernel, stride=1, padding=0, dilation=1, bias=True, turns=8, of="map"):
        super().__init__()
        sources = (turns, inputs) if of == "field" else (inputs,)
        self.weight = nn.Parameter(torch.empty(width, *sources, kernel, kernel))
        self.bias = nn.Parameter(torch.empty(width)) if bias else None
        self.turns, self.how = turns, {"stride": stride, "padding": padding, "dilation": dilation}

    def forms(self):
        """The filters in all their turns: (T * width, inputs of all turns, kernel, kernel)."""
        all = []
        for t in range(self.turns):
            form = self.weight
            if form.dim() == 5:  # Form t reads turn s of the input where the filter reads turn t⁻¹·s.
                back = -1 if t >= 4 else 1
                reads = [(s - t) * back % 4 + 4 * ((s // 4 + t // 4) % 2) for s in range(self.turns)]
                form = form[:, reads].flatten(1, 2)
            if t >= 4:
                form = form.flip(-1)
            all.append(form.rot90(-(t % 4), (-2, -1)))
        return torch.cat(all)

    def forward(self, x):
        if x.dim() == 5:
            x = x.flatten(1, 2)
        bias = None if self.bias is None else self.bias.repeat(self.turns)
        return F.conv2d(x, self.forms(), bias, **self.how).unflatten(1, (self.turns, -1))
"#;

impl Compute for Symmetric {
    fn forward(&self, call: &Call) -> Result<Output> {
        if normed::is(call.settings) {
            return normed::forward(call);
        }
        match of(call)? {
            Some(g) => self.value(&Conv, &g, call),
            None => Conv.forward(call),
        }
    }

    fn backward(&self, call: &Call, output: &Output, grad: &Tensor) -> Result<Gradients> {
        if normed::is(call.settings) {
            return normed::backward(call, output, grad);
        }
        match of(call)? {
            Some(g) => self.gradients(&Conv, &g, call, output, grad),
            None => Conv.backward(call, output, grad),
        }
    }

    fn plain_forward(&self, call: &Call) -> Result<Output> {
        if normed::is(call.settings) {
            return normed::plain_forward(call);
        }
        match of(call)? {
            Some(g) => self.value(&Plain(&Conv), &g, call),
            None => Conv.plain_forward(call),
        }
    }

    fn plain_backward(&self, call: &Call, output: &Output, grad: &Tensor) -> Result<Gradients> {
        if normed::is(call.settings) {
            return normed::plain_backward(call, output, grad);
        }
        match of(call)? {
            Some(g) => self.gradients(&Plain(&Conv), &g, call, output, grad),
            None => Conv.plain_backward(call, output, grad),
        }
    }

    fn updates(&self, call: &Call, output: &Output) -> Result<Vec<(&'static str, Tensor)>> {
        if normed::is(call.settings) { normed::updates(call, output) } else { Ok(Vec::new()) }
    }

    fn either_order(&self) -> bool {
        Conv.either_order()
    }

    fn takes_rounded(&self) -> bool {
        Conv.takes_rounded()
    }

    fn backward_reads(&self, name: &str) -> bool {
        Compute::backward_reads(&Conv, name) && !name.starts_with("running")
    }

    fn backward_reads_value(&self, settings: &Settings) -> bool {
        Compute::backward_reads_value(&Conv, settings)
    }

    fn has_kernels(&self) -> bool {
        true
    }

    fn memory(&self, shapes: &Shapes<'_>, wants: &[&str]) -> Memory {
        let on_fields = OnFields(Conv, As::Channels);
        let (Some(x), Some(weight)) = (shapes.of("x"), shapes.of("weight")) else { return Memory::default() };
        let Some(g) = bank(x, weight, shapes.settings) else {
            let conv = Compute::memory(&Conv, shapes, wants);
            return if normed::is(shapes.settings) { normed::memory(conv, shapes) } else { conv };
        };
        let forms = vec![g.turns * g.outputs, g.sources * g.inputs, g.kernel, g.kernel];
        let size = bytes(&forms);
        let one = |(name, shape): &(&'static str, Vec<usize>)| {
            (*name, if *name == "weight" { forms.clone() } else { shape.clone() })
        };
        let inputs = shapes.inputs.iter().map(one).collect();
        let plain = Shapes { inputs, result: shapes.result.clone(), settings: shapes.settings };
        let inner = on_fields.memory(&plain, wants);
        Memory {
            forward: inner.forward.saturating_add(size),
            backward: inner.backward.saturating_add(size.saturating_mul(2)),
            ..inner
        }
    }

    fn onnx(&self, call: &Use, out: &mut Onnx) -> Form {
        let Some((turns, channels, x)) = of_field(call)? else { return Compute::onnx(&Conv, call, out) };
        let x = match call.argument("x")?.ty.kind {
            Kind::Field => {
                let inputs = call.size(x, &Axis::Turn)?.saturating_mul(call.size(x, &Axis::Channel)?);
                out.folded(call.name("x")?, inputs)
            }
            _ => call.name("x")?.to_string(),
        };
        // The filters in all their turns, as one plain convolution has them.
        let (name, weight) = call.weight("weight")?;
        let count = usize::try_from(turns).unwrap_or(1);
        let shape: Vec<usize> = if weight.rank() == 5 { vec![0, count, 0, 0, 0] } else { vec![0; 4] };
        let g = bank(&shape, weight.dims(), call.settings).ok_or("has no form of these filters")?;
        let turned = forms(&g, weight).map_err(|e| e.to_string())?;
        let weight = out.named(format!("{name}.turned"), Numbers::of(&turned)?);
        let bias = match call.maybe("bias") {
            None => None,
            Some(_) => {
                let (name, bias) = call.weight("bias")?;
                let all = bias.repeat(count).map_err(|e| e.to_string())?;
                Some(out.named(format!("{name}.turned"), Numbers::of(&all)?))
            }
        };
        let map = written(call, out, &x, &weight, bias.as_deref())?;
        Ok(out.unfolded(&map, turns, channels))
    }

    fn torch(&self, call: &Use, out: &mut Torch) -> Form {
        let Some((turns, _, x)) = of_field(call)? else { return Compute::torch(&Conv, call, out) };
        let field = x.kind == Kind::Field;
        out.helper(TURNED);
        let arguments = arguments(call, call.size(x, &Axis::Channel)?, Padding::of(call)?.pad, "padding")?;
        let from = if field { "field" } else { "map" };
        let layer = out.layer(call, format!("TurnedConv2d({arguments}, turns={turns}, of={from:?})"))?;
        Ok(format!("{layer}({})", call.name("x")?))
    }
}
