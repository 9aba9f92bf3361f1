//! Operations on maps that take fields, too, written out: a field becomes a map, and what is made of it a field again.

use super::onnx::{Onnx, Size};
use super::torch::Torch;
use super::{Form, Use};
use crate::compute::fields::As;
use rord_lang::axis::Axis;
use rord_lang::types::{Kind, Type};

/// A call with its fields as maps; types are those of a map with the channels that it has.
fn with<'a>(call: &Use<'a>, mut map: impl FnMut(&Type, &str) -> Result<String, String>) -> Result<Use<'a>, String> {
    let mut inputs = call.inputs.clone();
    for input in inputs.iter_mut().filter(|i| i.ty.kind == Kind::Field) {
        input.name = map(input.ty, &input.name)?;
    }
    Ok(Use { inputs, settings: call.settings, ty: call.ty, sizes: call.sizes })
}

fn is_field(call: &Use) -> bool {
    call.inputs.iter().any(|i| i.ty.kind == Kind::Field)
}

impl As {
    /// In ONNX; `f` writes the operation on maps.
    pub fn onnx(self, call: &Use, out: &mut Onnx, f: impl FnOnce(&Use, &mut Onnx) -> Form) -> Form {
        if !is_field(call) {
            return f(call, out);
        }
        let (turns, channels) = (call.size(call.ty, &Axis::Turn)?, call.size(call.ty, &Axis::Channel)?);
        let plain = with(call, |ty, name| {
            Ok(match self {
                As::Channels => {
                    let all = call.size(ty, &Axis::Turn)?.saturating_mul(call.size(ty, &Axis::Channel)?);
                    out.folded(name, all)
                }
                As::Places => {
                    let last = out.transposed(name, &[0, 2, 3, 4, 1]);
                    out.reshaped(&last, &[Size::Of(0, 3), Size::Known(-1)])
                }
                As::Batch => out.reshaped(name, &[Size::Known(-1), Size::Of(2, 5)]),
            })
        })?;
        let map = f(&plain, out)?;
        Ok(match self {
            As::Channels => out.unfolded(&map, turns, channels),
            As::Places => {
                let last = out.reshaped(&map, &[Size::Of(0, 3), Size::Known(-1), Size::Known(turns)]);
                out.transposed(&last, &[0, 4, 1, 2, 3])
            }
            As::Batch => out.reshaped(&map, &[Size::Known(-1), Size::Known(turns), Size::Of(1, 4)]),
        })
    }

    /// In PyTorch.
    pub fn torch(self, call: &Use, out: &mut Torch, f: impl FnOnce(&Use, &mut Torch) -> Form) -> Form {
        if !is_field(call) {
            return f(call, out);
        }
        let turns = call.size(call.ty, &Axis::Turn)?;
        let plain = with(call, |_, name| {
            Ok(match self {
                As::Channels => format!("{name}.flatten(1, 2)"),
                As::Places => format!("{name}.permute(0, 2, 3, 4, 1).flatten(3)"),
                As::Batch => format!("{name}.flatten(0, 1)"),
            })
        })?;
        let map = f(&plain, out)?;
        Ok(match self {
            As::Channels => format!("{map}.unflatten(1, ({turns}, -1))"),
            As::Places => format!("{map}.unflatten(3, (-1, {turns})).permute(0, 4, 1, 2, 3)"),
            As::Batch => format!("{map}.unflatten(0, (-1, {turns}))"),
        })
    }
}
