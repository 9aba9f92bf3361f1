//! Which algorithm takes a convolution of `f32` by vectors, and the three of them behind one interface.

use super::Geometry;
use super::after::{followed, undone};
use super::call::{After, Gradients, Past, Products, Seen, Value, Wanted};
use super::direct::{self, few_inputs, few_outputs};
use super::winograd::{self, How, Source};
use crate::Mismatch;
use crate::simd::Simd;

/// Products of one output up to which a convolution is few-input: a 3 × 3 kernel on a picture of three colors has 27.
const FEW_PRODUCTS: usize = 32;

/// Outputs up to which a convolution is few-output.
const FEW_OUTPUTS: usize = 4;

/// A fast algorithm, with the sizes it works on.
#[derive(Clone, Copy, Debug)]
pub enum Algorithm {
    /// Vectors of outputs.
    FewInputs(direct::Sizes),
    /// Vectors of inputs.
    FewOutputs(direct::Sizes),
    /// F(4 × 4, 3 × 3).
    Winograd(winograd::Sizes),
}

impl Algorithm {
    /// The algorithm for these sizes; `None` where only the general one does.
    pub fn of(g: &Geometry) -> Option<Self> {
        let &Geometry { batch, inputs, height, width, outputs, kernel, stride, pad, dilation, groups } = g;
        let same = kernel % 2 == 1 && pad == kernel / 2 && stride == 1 && dilation == 1 && groups == 1;
        if !same {
            return None;
        }
        let sizes = direct::Sizes { batch, height, width, inputs, outputs, kernel };
        if inputs * kernel * kernel <= FEW_PRODUCTS && !(outputs <= FEW_OUTPUTS && inputs > FEW_OUTPUTS) {
            Some(Self::FewInputs(sizes))
        } else if outputs <= FEW_OUTPUTS {
            Some(Self::FewOutputs(sizes))
        } else {
            (kernel == 3).then_some(Self::Winograd(winograd::Sizes { batch, height, width, inputs, outputs }))
        }
    }

    /// True where it reads through lines; others must be given what these make.
    pub fn reads_through(&self) -> bool {
        matches!(self, Self::Winograd(_))
    }

    /// As [`super::last::forward`], lengths checked.
    pub fn value(
        &self,
        x: Seen<f32>,
        weight: &[f32],
        bias: Option<&[f32]>,
        after: After,
        products: Products,
    ) -> Value<f32> {
        let simd = Simd::chosen();
        let then = |numbers, s: &direct::Sizes| followed(numbers, s.batch, (s.height, s.width), s.outputs, after);
        match self {
            Self::FewInputs(s) if after == After::Relu => {
                Value { numbers: few_inputs::value(simd, s, x.numbers, weight, bias, true), cells: Vec::new() }
            }
            Self::FewInputs(s) => then(few_inputs::value(simd, s, x.numbers, weight, bias, false), s),
            Self::FewOutputs(s) => then(few_outputs::value(simd, s, x.numbers, weight, bias), s),
            Self::Winograd(s) => winograd::value(how(products), s, source(x), weight, bias, after),
        }
    }

    /// As [`super::last::backward`], lengths checked.
    pub fn gradients(
        &self,
        x: Seen<f32>,
        weight: &[f32],
        past: Past<f32>,
        grad: &[f32],
        wanted: Wanted,
        products: Products,
    ) -> Result<Gradients<f32>, Mismatch> {
        let simd = Simd::chosen();
        let mut out = Gradients::default();
        let weights = wanted.weight || wanted.bias;
        let mut keep = |(weight, bias): (Vec<f32>, Vec<f32>)| {
            out.weight = wanted.weight.then_some(weight);
            out.bias = wanted.bias.then_some(bias);
        };
        match self {
            Self::Winograd(s) => {
                let (how, seen) = (how(products), source(x));
                let source = match past.after {
                    After::Nothing => Source::Plain(grad),
                    After::Relu => Source::Relu { grad, value: past.value },
                    After::ReluPool => Source::Pool { grad, cells: past.cells },
                };
                if weights {
                    keep(winograd::weight_gradient(how, s, seen, source));
                }
                if wanted.x {
                    out.x = Some(winograd::input_gradient(how, s, weight, source));
                }
            }
            Self::FewInputs(s) => {
                if weights && past.after == After::Relu {
                    keep(few_inputs::weight_gradient(simd, s, x.numbers, grad, Some(past.value)));
                } else if weights {
                    let grad = undone(past, grad, s.batch, (s.height, s.width), s.outputs)?;
                    keep(few_inputs::weight_gradient(simd, s, x.numbers, &grad, None));
                }
                if wanted.x {
                    let grad = undone(past, grad, s.batch, (s.height, s.width), s.outputs)?;
                    out.x = Some(few_outputs::input_gradient(simd, s, weight, &grad));
                }
            }
            Self::FewOutputs(s) => {
                let grad = undone(past, grad, s.batch, (s.height, s.width), s.outputs)?;
                if weights {
                    keep(few_outputs::weight_gradient(simd, s, x.numbers, &grad));
                }
                if wanted.x {
                    out.x = Some(few_outputs::input_gradient(simd, s, weight, &grad));
                }
            }
        }
        Ok(out)
    }
}

/// What Winograd's algorithm reads.
fn source(x: Seen<'_, f32>) -> Source<'_> {
    match x.lines {
        Some(lines) => Source::Normal { x: x.numbers, lines },
        None => Source::Plain(x.numbers),
    }
}

/// How Winograd's algorithm multiplies here.
fn how(products: Products) -> How {
    let simd = Simd::chosen();
    let rounded = (products == Products::Rounded).then(|| How::rounded(simd));
    rounded.flatten().unwrap_or(How::single(simd))
}
