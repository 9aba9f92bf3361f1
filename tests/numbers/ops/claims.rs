//! What the checker claims about a value, held against what comes out: shapes, kinds and their ranges, at random shapes and for
//! every kind that an argument may be declared with. On the way the kernels are compared with plain tensor operations.

use std::collections::HashMap;

use candle_core::{DType, Device, Tensor};
use rord_lang::types::{Kind, Type};
use rord_ops::compute::Compute;
use rord_ops::compute::samples::{Sample, compare, numbers};
use rord_ops::compute::slices::Plain;
use rord_ops::op::Op;
use rord_random::Stream;

use super::written::{Argument, Language, kinds, sizes};

/// Sizes of batches, and of all other axes but those of maps: small, odd, and around the sixteen lanes of the kernels.
const CHANNELS: [usize; 10] = [1, 2, 3, 4, 5, 8, 16, 17, 19, 33];

/// Numbers that a text may hold.
const NUMBERS: [f64; 5] = [1.0, 0.5, 2.0, -0.75, 0.25];

/// Random numbers that a tensor of a kind may hold.
fn filling(a: &Argument, stream: &mut Stream) -> Vec<f64> {
    let count: usize = a.shape.iter().product();
    let mut one = |at: usize| match a.kind {
        Kind::Prob | Kind::Label => match stream.below(8) {
            0 => 0.0,
            1 => 1.0,
            _ => stream.uniform(),
        },
        Kind::Mask => stream.below(2) as f64,
        Kind::Image => stream.uniform(),
        Kind::Dist => stream.range(0.0, 3.0),
        Kind::Logit => stream.range(-6.0, 6.0),
        Kind::Points => stream.range(-1.3, 1.3),
        Kind::Homography => match at % 9 {
            8 => 1.0,
            0 | 4 => stream.range(0.7, 1.3),
            6 | 7 => stream.range(-0.1, 0.1),
            _ => stream.range(-0.4, 0.4),
        },
        // Places of an axis, which has at least one.
        Kind::Values if a.name == "at" => 0.0,
        _ => stream.range(-2.0, 2.0),
    };
    let mut out: Vec<f64> = (0..count).map(&mut one).collect();
    if a.unit {
        for vector in vectors(&a.shape) {
            let length = vector.iter().map(|i| out[*i] * out[*i]).sum::<f64>().sqrt();
            vector.iter().for_each(|i| out[*i] /= length);
        }
    }
    out
}

/// The indices of every vector: along the channels of a map, along the last axis of all else.
fn vectors(shape: &[usize]) -> Vec<Vec<usize>> {
    let axis = match shape.len() {
        4 => 1,
        5 => 2,
        rank => rank - 1,
    };
    let inner: usize = shape[axis + 1..].iter().product();
    let outer: usize = shape[..axis].iter().product();
    let vector = |o: usize, i: usize| (0..shape[axis]).map(|k| (o * shape[axis] + k) * inner + i).collect();
    (0..outer).flat_map(|o| (0..inner).map(move |i| (o, i))).map(|(o, i)| vector(o, i)).collect()
}

/// The same arguments with other sizes: those that the signature names are drawn by name, others axis by axis.
fn resized(language: &Language, op: &Op, like: &[Argument], stream: &mut Stream) -> Vec<Argument> {
    let mut named = HashMap::new();
    let mut draw = |name: &str| match name {
        "B" => 1 + stream.below(3),
        "C" | "D" => CHANNELS[stream.below(CHANNELS.len())],
        "_" => stream.below(2),
        _ => 1 + stream.below(14),
    };
    let axes = ["B", "C", "H", "W"].map(&mut draw);
    named.insert("B".to_string(), axes[0]);
    let number = NUMBERS[draw("N") % NUMBERS.len()];
    let one = |a: &Argument| {
        let param = language.tensors(op).into_iter().find(|p| p.name.text == a.name).unwrap();
        let mut shape: Vec<usize> = match param.ty.dims {
            Some(_) => sizes(param, &mut named, &mut draw),
            None => a.shape.iter().zip(&axes).map(|(n, axis)| if *n == 1 { 1 } else { *axis }).collect(),
        };
        if param.ty.dims.is_some() && a.shape.len() == shape.len() + 1 {
            shape.insert(0, axes[0]);
        }
        if a.kind == Kind::Points && param.ty.dims.is_none() {
            shape[2] = 2;
        }
        if let (Kind::Field, [_, turns, ..]) = (a.kind, a.shape.as_slice()) {
            // As many turns as there were, whether the signature speaks of them or not.
            match shape.len() {
                5 if param.ty.dims.is_some() => shape[1] = *turns,
                _ if param.ty.dims.is_none() => shape = vec![axes[0], *turns, axes[1], axes[2], axes[3]],
                _ => shape.insert(1, *turns),
            }
        }
        Argument { shape, number: a.number.map(|_| number), ..a.clone() }
    };
    like.iter().map(one).collect()
}

/// A sample of random numbers for arguments that the checker accepts, and the type it gives the value.
fn drawn(
    language: &Language,
    op: &Op,
    like: &Sample,
    arguments: &[Argument],
    stream: &mut Stream,
) -> Option<(Sample, Type)> {
    let checked = language.call(op, arguments, &like.settings).ok()?;
    let mut sample = Sample::new("drawn", &checked.shape?);
    for a in arguments.iter().filter(|a| !op.entry.graph.shape_only.contains(&a.name.as_str())) {
        let name = match op.entry.graph.inverted {
            Some((from, to)) if from == a.name => to,
            _ => language.vocabulary.intern(&a.name),
        };
        let numbers = a.number.map_or_else(|| filling(a, stream), |x| vec![x]);
        sample = sample.given(name, &a.shape, numbers).unwrap();
    }
    for (role, shape) in &checked.weights {
        let numbers = (0..shape.iter().product()).map(|_| stream.range(-0.5, 0.5)).collect();
        sample = sample.given(role, shape, numbers).unwrap();
    }
    sample.settings = checked.settings;
    let wants: Vec<&'static str> = like.differentiable.clone();
    sample.differentiable = wants.into_iter().filter(|n| sample.inputs.iter().any(|(name, _)| name == n)).collect();
    Some((sample, checked.ty))
}

/// What a value of this type may not be.
fn broken(ty: &Type, value: &Tensor) -> Option<String> {
    let shape = value.dims();
    let value = numbers(value).unwrap();
    let worst = |outside: &dyn Fn(f64) -> bool| value.iter().copied().find(|x| outside(*x));
    let wrong = if ty.kind == Kind::Mask {
        worst(&|x| x != 0.0 && x != 1.0)
    } else if ty.kind.is(Kind::Prob) {
        worst(&|x| !(-1e-6..=1.0 + 1e-6).contains(&x))
    } else if ty.kind == Kind::Dist || ty.kind.is(Kind::Weight) {
        worst(&|x| x < 0.0)
    } else if ty.unit {
        let length = |v: &Vec<usize>| v.iter().map(|i| value[*i] * value[*i]).sum::<f64>().sqrt();
        // The zero vector has no direction and stays as it is.
        vectors(shape).iter().map(length).find(|l| (l - 1.0).abs() > 1e-5 && *l > 1e-9)
    } else {
        None
    };
    wrong.map(|x| format!("{ty} holds {x}"))
}

/// Everything that must be so for a drawn sample.
fn judged(op: &Op, compute: &dyn Compute, sample: &Sample, ty: &Type) -> candle_core::Result<()> {
    let fail = |what: String| Err(candle_core::Error::msg(what));
    for (dtype, bound) in [(DType::F64, 1e-9), (DType::F32, 2e-4)] {
        let sample = sample.on(dtype, &Device::Cpu)?;
        let out = sample.forward(compute)?;
        if out.value.dims() != sample.shape.as_slice() {
            return fail(format!("the value is {:?}, the checker says {:?}", out.value.dims(), sample.shape));
        }
        // What reads nothing is brought to the type of everything else by the program.
        if out.value.dtype() != dtype && !sample.inputs.is_empty() {
            return fail(format!("{dtype:?} became {:?}", out.value.dtype()));
        }
        if let Some(wrong) = broken(ty, &out.value) {
            return fail(wrong);
        }
        // A quotient may be infinite by its meaning, and its slopes with it.
        if op.name == "div" {
            continue;
        }
        let slopes = sample.backward(compute, &out, &out.value.ones_like()?)?;
        for tensor in slopes.iter().chain([&out.value]) {
            if !numbers(tensor)?.iter().all(|x| x.is_finite()) {
                return fail(format!("not finite in {dtype:?}"));
            }
        }
        if compute.has_kernels() {
            let error = compare(&Plain(compute), compute, &sample)?;
            if error > bound {
                return fail(format!("the paths are {error:e} apart in {dtype:?}"));
            }
        }
    }
    Ok(())
}

#[test]
fn random_shapes_come_out_as_the_checker_says() {
    let (language, mut wrong, mut stream) = (Language::new(), Vec::new(), Stream::new(1, &[]));
    for (op, compute, like) in super::samples() {
        let mut accepted = 0;
        for tries in 0..4000 {
            // Some samples fit few shapes: those are looked for longer.
            if accepted == 16 || tries >= 200 && accepted > 0 {
                break;
            }
            let arguments = resized(&language, op, &language.arguments(op, &like), &mut stream);
            let Some((sample, ty)) = drawn(&language, op, &like, &arguments, &mut stream) else { continue };
            accepted += 1;
            let judgement = judged(op, compute, &sample, &ty);
            if judgement.is_err() {
                let e = super::brief(&judgement);
                let given: Vec<String> = arguments.iter().map(|a| format!("{} {:?}", a.name, a.shape)).collect();
                wrong.push(format!("{}, as {:?}, {}: {e}", op.name, like.name, given.join(", ")));
            }
        }
        // What only a pass makes has sizes that no call gives.
        let by_pass = op.entry.graph.reads_through.is_some_and(|through| through.is_in(&like.settings));
        if accepted == 0 && !by_pass {
            wrong.push(format!("{}, as {:?}: the checker accepts no shape", op.name, like.name));
        }
    }
    super::none(&wrong);
}

#[test]
fn values_are_what_their_kinds_claim() {
    let (language, mut wrong, mut stream) = (Language::new(), Vec::new(), Stream::new(2, &[]));
    for (op, compute, like) in super::samples() {
        let arguments = language.arguments(op, &like);
        let choices: Vec<Vec<(Kind, bool)>> = arguments
            .iter()
            .map(|a| {
                let param = language.tensors(op).into_iter().find(|p| p.name.text == a.name).unwrap();
                if op.entry.graph.shape_only.contains(&a.name.as_str()) || a.number.is_some() || a.axes.is_some() {
                    return vec![(a.kind, a.unit)];
                }
                kinds(param, a.shape.len())
            })
            .collect();
        let count: usize = choices.iter().map(Vec::len).product();
        let mut accepted = 0;
        for mut code in 0..count {
            let number = NUMBERS[stream.below(NUMBERS.len())];
            let arguments: Vec<Argument> = arguments
                .iter()
                .zip(&choices)
                .map(|(a, choices)| {
                    let (kind, unit) = choices[code % choices.len()];
                    code /= choices.len();
                    Argument { kind, unit, number: a.number.map(|_| number), ..a.clone() }
                })
                .collect();
            let Some((sample, ty)) = drawn(&language, op, &like, &arguments, &mut stream) else { continue };
            accepted += 1;
            let judgement = judged(op, compute, &sample, &ty);
            if judgement.is_err() {
                let e = super::brief(&judgement);
                let unit = |a: &Argument| if a.unit { " unit" } else { "" };
                let given: Vec<String> = arguments.iter().map(|a| format!("{}{}", a.kind.name(), unit(a))).collect();
                wrong.push(format!("{}({}), as {:?}: {e}", op.name, given.join(", "), like.name));
            }
        }
        // What only a pass makes has sizes that no call gives.
        let by_pass = op.entry.graph.reads_through.is_some_and(|through| through.is_in(&like.settings));
        if accepted == 0 && !by_pass {
            wrong.push(format!("{}, as {:?}: the checker accepts no kinds", op.name, like.name));
        }
    }
    super::none(&wrong);
}
