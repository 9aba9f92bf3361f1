//! A convolution that reads a map through the normalization before it: the normalized map is never written. The pass `through` makes such
//! nodes.
//!
//! Its tensors are those of both, the normalization's under names of their own. It saves the batch's mean and variance first, then what
//! the convolution saves; away from the CPU the normalized map, too, from which the convolution goes on there.

use candle_core::{DType, Result, Tensor};

use super::compute::{Conv, found_gradients, gradients, sizes, value};
use crate::batch_norm::{BatchNorm, Grad};
use crate::compute::layout;
use crate::compute::memory::{Memory, bytes};
use crate::compute::slices::{Element, Paths, Plain, native};
use crate::compute::{Call, Compute, Gradients, Output};
use crate::max_pool::saved;
use rord_kernels::conv::last::reads_through;
use rord_lang::constant::{Constant, Settings};
use rord_lang::vocabulary::Shapes;

/// The setting that says that there is a normalization, and whether it is rectified.
pub(super) const WORD: &str = "norm";

/// The normalization's tensors, by their names there and here.
pub(super) const NAMES: &[(&str, &str)] = &[
    ("weight", "norm_weight"),
    ("bias", "norm_bias"),
    ("running_mean", "running_mean"),
    ("running_var", "running_var"),
];

/// Where the kernels read through lines: a layer of 3 × 3, or one that moves by more than a cell.
pub(super) fn pays(settings: &Settings, _: &Settings) -> bool {
    let is = |name: &str, n: usize| settings.count(name) == Ok(n);
    let plain = is("groups", 1) && is("dilation", 1) && settings.text("symmetry") == Ok("none");
    let moves = settings.count("stride").is_ok_and(|stride| stride > 1);
    let few = settings.count("width").is_ok_and(|width| width < 8);
    plain && !few && (is("kernel", 3) || moves)
}

/// True where there is a normalization to be read through.
pub(super) fn is(settings: &Settings) -> bool {
    settings.get(WORD).is_some()
}

/// The tensors and settings of the two calls that a call is.
struct Parts<'a> {
    norm: Vec<(&'static str, Tensor)>,
    conv: Vec<(&'a str, Tensor)>,
    settings: Settings,
    wants_norm: Vec<&'static str>,
    wants_conv: Vec<&'a str>,
}

impl<'a> Parts<'a> {
    fn of(call: &Call<'a>) -> Result<Self> {
        let there = |name: &str| match name {
            "x" => Some("x"),
            _ => NAMES.iter().find(|(_, here)| *here == name).map(|(there, _)| *there),
        };
        let tensors = call.inputs.iter();
        let norm: Vec<_> = tensors.clone().filter_map(|(name, t)| Some((there(name)?, t.clone()))).collect();
        let own = |name: &str| !NAMES.iter().any(|(_, here)| *here == name);
        let conv = tensors.filter(|(name, _)| own(name)).cloned().collect();
        let mut settings = vec![
            ("eps".to_string(), Constant::Number(call.number("eps")?)),
            ("momentum".to_string(), Constant::Number(call.number("momentum")?)),
        ];
        if call.text(WORD)? == "relu" {
            settings.push(("then".into(), Constant::Word("relu".into())));
        }
        let wants_norm: Vec<_> = call.wants.iter().filter_map(|name| there(name)).collect();
        // The convolution's input is the normalization's value.
        let mut wants_conv: Vec<&str> = call.wants.iter().copied().filter(|name| own(name) && *name != "x").collect();
        if !wants_norm.is_empty() {
            wants_conv.push("x");
        }
        Ok(Self { norm, conv, settings: Settings(settings), wants_norm, wants_conv })
    }

    fn norm<'b>(&'b self, call: &Call<'b>) -> Call<'b> {
        Call { inputs: &self.norm, settings: &self.settings, wants: &self.wants_norm, ..*call }
    }

    fn conv<'b>(&'b self, call: &Call<'b>, inputs: &'b [(&'b str, Tensor)]) -> Call<'b> {
        Call { inputs, wants: &self.wants_conv, ..*call }
    }

    /// The convolution's tensors, reading this map.
    fn reading(&self, map: &Tensor) -> Vec<(&'a str, Tensor)> {
        let one = |(name, t): &(&'a str, Tensor)| (*name, if *name == "x" { map.clone() } else { t.clone() });
        self.conv.iter().map(one).collect()
    }
}

/// The value, by kernels on the CPU, else by the two operations one after the other.
pub(super) fn forward(call: &Call) -> Result<Output> {
    match native(call) {
        Some(DType::F32) => fast::<f32>(call),
        Some(DType::F64) => fast::<f64>(call),
        _ => in_turn(call, &BatchNorm, &Conv),
    }
}

/// The gradients of a value from [`forward`].
pub(super) fn backward(call: &Call, output: &Output, grad: &Tensor) -> Result<Gradients> {
    match native(call) {
        Some(DType::F32) => fast_backward::<f32>(call, output, grad),
        Some(DType::F64) => fast_backward::<f64>(call, output, grad),
        _ => in_turn_backward(call, output, grad, &BatchNorm, &Conv),
    }
}

/// The value by Candle's tensor operations.
pub(super) fn plain_forward(call: &Call) -> Result<Output> {
    in_turn(call, &Plain(&BatchNorm), &Plain(&Conv))
}

/// The gradients by Candle's tensor operations.
pub(super) fn plain_backward(call: &Call, output: &Output, grad: &Tensor) -> Result<Gradients> {
    in_turn_backward(call, output, grad, &Plain(&BatchNorm), &Plain(&Conv))
}

/// The running statistics after a call.
pub(super) fn updates(call: &Call, output: &Output) -> Result<Vec<(&'static str, Tensor)>> {
    let parts = Parts::of(call)?;
    Paths::updates(&BatchNorm, &parts.norm(call), output)
}

fn fast<T: Element>(call: &Call) -> Result<Output> {
    let parts = Parts::of(call)?;
    let moments = BatchNorm::moments::<T>(&parts.norm(call))?;
    let (lines, _) = BatchNorm::lines::<T>(&parts.norm(call), [&moments[0], &moments[1]])?;
    let mut output = value::<T>(&parts.conv(call, &parts.conv), Some(&lines))?;
    output.saved.splice(0..0, moments);
    Ok(output)
}

fn fast_backward<T: Element>(call: &Call, output: &Output, grad: &Tensor) -> Result<Gradients> {
    let parts = Parts::of(call)?;
    let moments = [saved(output, 0)?, saved(output, 1)?];
    let (lines, _) = BatchNorm::lines::<T>(&parts.norm(call), moments)?;
    let past = Output { value: output.value.clone(), saved: output.saved.iter().skip(2).cloned().collect() };
    let conv = parts.conv(call, &parts.conv);
    let mut found = gradients::<T>(&conv, &past, grad, Some(&lines))?;
    let through = found.x.take();
    let mut out = found_gradients(found, call.tensor("x")?, call.tensor("weight")?)?;
    if let Some(grad) = through {
        out.extend(named(BatchNorm::gradients::<T>(&parts.norm(call), moments, Grad::Own(grad))?));
    }
    Ok(out)
}

/// A map of bf16 from a GPU's convolution as f32, which the normalization takes.
fn whole(map: &mut Tensor) -> Result<()> {
    if map.dtype() == DType::BF16 {
        *map = layout::of_type(map, DType::F32)?;
    }
    Ok(())
}

fn in_turn(call: &Call, norm: &dyn Compute, conv: &dyn Compute) -> Result<Output> {
    let mut parts = Parts::of(call)?;
    parts.norm.iter_mut().try_for_each(|(_, t)| whole(t))?;
    let normal = norm.forward(&parts.norm(call))?;
    let mut output = conv.forward(&parts.conv(call, &parts.reading(&normal.value)))?;
    output.saved.splice(0..0, normal.saved.into_iter().take(2).chain([normal.value]));
    Ok(output)
}

fn in_turn_backward(
    call: &Call,
    output: &Output,
    grad: &Tensor,
    norm: &dyn Compute,
    conv: &dyn Compute,
) -> Result<Gradients> {
    let mut parts = Parts::of(call)?;
    parts.norm.iter_mut().try_for_each(|(_, t)| whole(t))?;
    let normal = Output { value: saved(output, 2)?.clone(), saved: output.saved.iter().take(2).cloned().collect() };
    let past = Output { value: output.value.clone(), saved: output.saved.iter().skip(3).cloned().collect() };
    let found = conv.backward(&parts.conv(call, &parts.reading(&normal.value)), &past, grad)?;
    let (mut through, mut out): (Gradients, Gradients) = found.into_iter().partition(|(name, _)| *name == "x");
    if let Some((_, grad)) = through.first_mut() {
        whole(grad)?;
        out.extend(named(norm.backward(&parts.norm(call), &normal, grad)?));
    }
    Ok(out)
}

/// The normalization's gradients, by their names here.
fn named(found: Gradients) -> Gradients {
    let here = |name: &'static str| NAMES.iter().find(|(there, _)| *there == name).map_or(name, |(_, here)| *here);
    found.into_iter().map(|(name, t)| (here(name), t)).collect()
}

/// What it takes beside the convolution alone. Where no kernel reads through, the normalized map is written each time.
pub(super) fn memory(conv: Memory, shapes: &Shapes<'_>) -> Memory {
    let read = shapes.of("x").zip(shapes.of("weight"));
    let g = read.and_then(|(x, weight)| sizes(x, weight, shapes.settings).ok());
    let made = if g.is_some_and(|g| reads_through(&g)) { 0 } else { shapes.of("x").map_or(0, bytes) };
    let channels = shapes.of("x").and_then(|x| x.get(1)).copied().unwrap_or(0);
    Memory {
        saved: conv.saved.saturating_add(bytes(&[2, channels])),
        forward: conv.forward.saturating_add(made),
        backward: conv.backward.saturating_add(made),
        ..conv
    }
}
