//! Every operation of the list, held against itself: adding an operation adds no test code.
//!
//! What runs here runs over `rord_ops::OPERATIONS` and each one's own samples: signatures and manuals, gradients against central
//! differences, kernels against plain tensor operations, what the checker claims against what comes out, and goldens made by PyTorch.
mod claims;
mod facts;
mod golden;
mod times;
mod written;

use candle_core::{DType, Device, Tensor};
use rord_lang::lex::{TokenKind, lex};
use rord_lang::parse;
use rord_lang::source::FileId;
use rord_lang::tree;
use rord_lang::vocabulary::{Compares, is_tensor_param};
use rord_ops::compute::samples::{Sample, apart, compare, finite_differences, numbers};
use rord_ops::compute::slices::Plain;
use rord_ops::compute::{Call, Compute, Gradients, Output};
use rord_ops::op::Op;
use rord_ops::{OPERATIONS, all};
use rord_random::Stream;
use written::Language;

/// Every operation that computes.
fn computing() -> impl Iterator<Item = (&'static Op, &'static dyn Compute)> {
    OPERATIONS.iter().filter_map(|op| Some((*op, op.compute?)))
}

/// Every operation that computes with each of its samples.
fn samples() -> impl Iterator<Item = (&'static Op, &'static dyn Compute, Sample)> {
    computing().flat_map(|(op, compute)| {
        let list = (op.samples)().unwrap_or_else(|e| panic!("{}: {e}", op.name));
        assert!(!list.is_empty(), "{} has no samples", op.name);
        list.into_iter().map(move |sample| (op, compute, sample))
    })
}

/// What went wrong, without the places it passed.
fn brief<T: std::fmt::Debug>(result: &candle_core::Result<T>) -> String {
    match result {
        Ok(value) => format!("{value:?}"),
        Err(e) => e.to_string().lines().next().unwrap_or_default().to_string(),
    }
}

/// Fails with everything that is wrong at once.
fn none(wrong: &[String]) {
    assert!(wrong.is_empty(), "{} found\n{}", wrong.len(), wrong.join("\n"));
}

/// What wraps an operation says of it what it says of itself: else maps are turned into f32 and back between convolutions.
#[test]
fn convolutions_and_what_is_behind_them_take_rounded_maps() {
    let takes: Vec<&str> = computing().filter(|(_, compute)| compute.takes_rounded()).map(|(op, _)| op.name).collect();
    for name in ["conv", "relu", "max_pool"] {
        assert!(takes.contains(&name), "{name} is not among {takes:?}");
    }
}

#[test]
fn names_are_told_apart() {
    let mut names: Vec<&str> = all().map(|op| op.name).collect();
    names.sort_unstable();
    let count = names.len();
    names.dedup();
    assert_eq!(names.len(), count, "{names:?}");
    for (op, _) in computing() {
        assert!(rord_ops::find(op.name).is_some_and(|found| std::ptr::eq(found, op)), "{}", op.name);
    }
}

#[test]
fn signatures_print_as_they_parse() {
    let language = Language::new();
    for op in all() {
        let print = |text: &str| {
            let (name, params, result) = parse::signature(text, FileId(0)).unwrap_or_else(|e| panic!("{text}: {e:?}"));
            let params: Vec<String> = params
                .iter()
                .map(|p| {
                    let default = p.default.as_ref().map(|d| format!(" = {}", tree::expression(d))).unwrap_or_default();
                    format!("{}: {}{default}", p.name.text, tree::type_expr(&p.ty))
                })
                .collect();
            format!("{name}({}) -> {}", params.join(", "), tree::type_expr(&result.expect(text)))
        };
        let printed = print(op.entry.signature);
        assert!(printed.starts_with(&format!("{}(", op.name)), "{}: {printed}", op.name);
        assert_eq!(print(&printed), printed);
        // `1.0` and `1` are one number.
        let plain = |kind| match kind {
            TokenKind::Number { value, unit, .. } => TokenKind::Number { value, unit, whole: None },
            other => other,
        };
        let tokens =
            |text: &str| -> Vec<TokenKind> { lex(text, FileId(0)).0.into_iter().map(|t| plain(t.kind)).collect() };
        assert_eq!(tokens(&printed), tokens(op.entry.signature), "{}: printing loses something", op.name);
        let usage = language.vocabulary.usage(op.name).expect(op.name);
        for param in &language.operation(op).params {
            assert!(usage.contains(&format!("{}: {}", param.name.text, param.ty.kind.text)), "{usage}");
        }
    }
}

#[test]
fn entries_speak_of_parameters_that_exist() {
    let language = Language::new();
    for op in all() {
        let (e, operation) = (&op.entry, language.operation(op));
        let compared = match e.lints.compares {
            Compares::Nothing => vec![],
            Compares::Distance(a, b)
            | Compares::Distances(a, b)
            | Compares::Likeness(a, b)
            | Compares::Likenesses(a, b) => vec![a, b],
        };
        let lint = compared.into_iter().chain(e.lints.rises.iter().chain(e.lints.lends).chain(e.numbers).copied());
        let named = e.carries_out.into_iter().chain(lint).chain(e.lints.averages);
        let named = named.chain(e.graph.inverted.map(|(from, _)| from)).chain(e.graph.shape_only.iter().copied());
        for name in named.chain(e.words.iter().map(|(name, _)| *name)) {
            assert!(operation.params.iter().any(|p| p.name.text == name), "{} has no `{name}`", op.name);
        }
        if let Some(name) = e.pixels_of {
            assert!(language.tensors(op).iter().any(|p| p.name.text == name), "{} has no `{name}`", op.name);
        }
    }
}

#[test]
fn samples_use_what_a_call_can_give() {
    let (language, mut wrong) = (Language::new(), Vec::new());
    for (op, _, sample) in samples() {
        let mut refuse = |what: String| wrong.push(format!("{}, {}: {what}", op.name, sample.name));
        // What only a pass writes is nothing a call can give.
        if sample.settings.get("then").is_some() {
            if !op.entry.graph.takes_in.iter().any(|row| sample.settings.text("then") == Ok(row.then)) {
                refuse("takes in nothing of that name".into());
            }
            continue;
        }
        if let Some(through) = op.entry.graph.reads_through.filter(|t| t.is_in(&sample.settings)) {
            let other = OPERATIONS.iter().find(|op| op.name == through.op);
            if other.is_none_or(|op| op.compute.is_none()) || !(through.pays)(&sample.settings, &sample.settings) {
                refuse("reads through nothing of that name".into());
            }
            continue;
        }
        let operation = language.operation(op);
        let call = language.call(op, &language.arguments(op, &sample), &sample.settings);
        let weights = call.as_ref().map(|c| c.weights.clone()).unwrap_or_default();
        for (name, tensor) in &sample.inputs {
            match weights.iter().find(|(role, _)| role == name) {
                Some((_, shape)) if shape == tensor.dims() => {}
                Some((_, shape)) => {
                    refuse(format!("weight `{name}` is {:?}, the checker says {shape:?}", tensor.dims()))
                }
                None if language.parameter(op, name).is_some() => {}
                None => refuse(format!("`{name}` is neither a parameter nor a weight")),
            }
        }
        let settings = call.as_ref().map(|c| c.settings.clone()).unwrap_or_default();
        for (name, value) in &sample.settings.0 {
            let pixels = op.entry.pixels_of.is_some() && ["width", "height"].contains(&name.as_str());
            let param = operation.params.iter().find(|p| p.name.text == *name);
            // What the checker derives it must derive alike.
            let derived = param.is_none() && settings.get(name) == Some(value);
            if !pixels && !derived && param.is_none_or(is_tensor_param) {
                refuse(format!("`{name}` is no setting"));
            }
        }
        for name in &sample.differentiable {
            if !sample.inputs.iter().any(|(n, _)| n == name) || op.entry.graph.stops_gradient {
                refuse(format!("`{name}` cannot have a gradient"));
            }
        }
        match call {
            Err(report) => refuse(format!("the checker refuses it\n{report}")),
            Ok(checked) => match checked.shape {
                Some(shape) if shape != sample.shape => {
                    refuse(format!("the value is {:?}, the checker says {shape:?}", sample.shape));
                }
                Some(_) => {}
                None => refuse(format!("the checker knows no shape: {}", checked.ty)),
            },
        }
    }
    none(&wrong);
}

#[test]
fn gradients_agree_with_differences_alone_and_in_a_diamond() {
    let mut wrong = Vec::new();
    for (op, compute, sample) in samples() {
        let plain: &dyn Compute = &Plain(compute);
        for (path, compute) in [("", compute), (" (plain)", plain)] {
            match finite_differences(compute, &sample) {
                Ok(error) if error < 1e-6 => {}
                other => wrong.push(format!("{}{path}, {}: {}", op.name, sample.name, brief(&other))),
            }
        }
    }
    none(&wrong);
}

#[test]
fn kernels_compute_what_plain_operations_compute() {
    let mut wrong = Vec::new();
    for (op, compute, sample) in samples() {
        for (dtype, bound) in [(DType::F64, 1e-10), (DType::F32, 1e-4)] {
            let sample = sample.on(dtype, &Device::Cpu).unwrap();
            match compare(&Plain(compute), compute, &sample) {
                Ok(error) if error < bound => {}
                other => wrong.push(format!("{}, {} in {dtype:?}: {}", op.name, sample.name, brief(&other))),
            }
        }
    }
    none(&wrong);
}

/// The sample with every map laid out channels last.
fn laid_last(sample: &Sample) -> Sample {
    let mut sample = sample.clone();
    let weights: Vec<&str> = sample.inputs.iter().skip(1).filter(|(n, _)| *n == "weight").map(|(n, _)| *n).collect();
    for (name, t) in sample.inputs.iter_mut().filter(|(_, t)| t.rank() == 4 || t.rank() == 5) {
        if t.rank() == 5 && weights.contains(name) {
            continue;
        }
        *t = last(t);
    }
    sample
}

/// The same map with its channels last in memory.
fn last(t: &Tensor) -> Tensor {
    if t.rank() == 5 {
        let exchanged = (0, 3, 4, 1, 2);
        return t.permute(exchanged).unwrap().contiguous().unwrap().permute(exchanged).unwrap();
    }
    t.permute((0, 2, 3, 1)).unwrap().contiguous().unwrap().permute((0, 3, 1, 2)).unwrap()
}

#[test]
fn maps_may_lie_channels_last_where_an_operation_says_so() {
    let (mut wrong, mut seen) = (Vec::new(), 0);
    for (op, compute, sample) in samples().filter(|(_, compute, _)| compute.either_order()) {
        for (dtype, bound) in [(DType::F64, 1e-10), (DType::F32, 1e-4)] {
            let sample = sample.on(dtype, &Device::Cpu).unwrap();
            let turned = laid_last(&sample);
            let out = sample.forward(&Plain(compute)).unwrap();
            let mut stream = Stream::new(3, &[]);
            let grad = (0..out.value.elem_count()).map(|_| stream.range(-1.0, 1.0)).collect::<Vec<f64>>();
            let grad = Tensor::from_vec(grad, out.value.shape(), &Device::Cpu).unwrap().to_dtype(dtype).unwrap();
            let mut want = sample.backward(&Plain(compute), &out, &grad).unwrap();
            want.push(out.value);
            let grads = if grad.rank() >= 4 { vec![grad.clone(), last(&grad)] } else { vec![grad] };
            // Every mixture of the two orders, since the input's says nothing of the gradient's.
            for (sample, grad) in [&sample, &turned].into_iter().flat_map(|s| grads.iter().map(move |g| (s, g))) {
                let out = sample.forward(compute).unwrap();
                let mut got = sample.backward(compute, &out, grad).unwrap();
                got.push(out.value);
                let worst = want.iter().zip(&got).map(|(a, b)| apart(a, b).unwrap()).fold(0.0, f64::max);
                seen += 1;
                if worst > bound {
                    wrong.push(format!("{}, {} in {dtype:?}: {worst:e} apart", op.name, sample.name));
                }
            }
        }
    }
    assert!(seen > 100, "{seen}");
    none(&wrong);
}

#[test]
fn the_way_back_reads_only_what_it_says() {
    let (mut wrong, mut seen) = (Vec::new(), 0);
    for (op, compute, sample) in samples().filter(|(.., sample)| !sample.differentiable.is_empty()) {
        let blank = |t: &Tensor| {
            let nothing = Tensor::new(f64::NAN, &Device::Cpu).unwrap().to_dtype(t.dtype()).unwrap();
            nothing.broadcast_as(t.shape()).unwrap()
        };
        let mut emptied = sample.clone();
        for (name, t) in emptied.inputs.iter_mut().filter(|(name, _)| !compute.backward_reads(name)) {
            assert!(!name.is_empty());
            *t = blank(t);
            seen += 1;
        }
        let mut out = sample.forward(compute).unwrap();
        let grad = out.value.ones_like().unwrap();
        let want = sample.backward(compute, &out, &grad).unwrap();
        if !compute.backward_reads_value(&sample.settings) {
            out.value = blank(&out.value);
            seen += 1;
        }
        let got = emptied.backward(compute, &out, &grad).unwrap();
        for (a, b) in want.iter().zip(&got) {
            if apart(a, b).unwrap() > 1e-12 || numbers(b).unwrap().iter().any(|x| x.is_nan()) {
                wrong.push(format!("{}, {}: reads what it says it does not", op.name, sample.name));
            }
        }
    }
    assert!(seen > 30, "{seen}");
    none(&wrong);
}

#[test]
fn single_precision_stays_finite_and_near_double() {
    let mut wrong = Vec::new();
    for (op, compute, sample) in samples() {
        let single = sample.on(DType::F32, &Device::Cpu).unwrap();
        let (a, b) = (everything(compute, &sample).unwrap(), everything(compute, &single).unwrap());
        for (a, b) in a.iter().zip(&b) {
            if !numbers(b).unwrap().iter().all(|x| x.is_finite()) {
                wrong.push(format!("{}, {}: not finite in f32", op.name, sample.name));
            }
            let error = apart(a, b).unwrap();
            if !sample.kink && error > 2e-4 {
                wrong.push(format!("{}, {}: {error:e} apart", op.name, sample.name));
            }
        }
    }
    none(&wrong);
}

/// The value of a sample and its gradients, for a fixed gradient of the value.
fn everything(compute: &dyn Compute, sample: &Sample) -> candle_core::Result<Vec<Tensor>> {
    let out = sample.forward(compute)?;
    let mut stream = Stream::new(2, &[]);
    let grad = (0..out.value.elem_count()).map(|_| stream.range(-1.0, 1.0)).collect::<Vec<f64>>();
    let grad = Tensor::from_vec(grad, out.value.shape(), &Device::Cpu)?.to_dtype(out.value.dtype())?;
    let mut list = sample.backward(compute, &out, &grad)?;
    list.push(out.value);
    Ok(list)
}

/// Half of relu's gradient: the differences must tell.
struct Half;

impl Compute for Half {
    fn forward(&self, call: &Call) -> candle_core::Result<Output> {
        rord_ops::relu::Relu.forward(call)
    }

    fn backward(&self, call: &Call, output: &Output, grad: &Tensor) -> candle_core::Result<Gradients> {
        rord_ops::relu::Relu.backward(call, output, &(grad * 0.5)?)
    }
}

#[test]
fn a_wrong_gradient_is_seen() {
    let list = rord_ops::relu::samples().unwrap();
    assert!(finite_differences(&Half, &list[0]).unwrap() > 0.1);
    assert!(compare(&Half, &rord_ops::relu::Relu, &list[0]).unwrap() > 0.1);
}

#[test]
fn a_grid_of_200_is_200_places_inside_at_every_size() {
    let grid = rord_ops::find("grid").and_then(|op| op.compute).unwrap();
    for (h, w) in [(1, 1), (2, 3), (8, 8), (32, 32), (32, 64), (64, 32), (127, 33), (1, 500), (500, 1), (16, 256)] {
        for n in [1usize, 2, 7, 50, 196, 200, 201, 1000] {
            let sample =
                Sample::new("any", &[2, n, 2]).filled("like", &[2, 1, h, w], 0.0).unwrap().number("n", n as f64);
            let value = sample.forward(grid).unwrap().value;
            assert_eq!(value.dims(), [2, n, 2], "{n} on {h} by {w}");
            let places = numbers(&value).unwrap();
            assert!(places.iter().all(|x| x.abs() < 1.0), "{n} on {h} by {w}: a place on the border");
            let mut bits: Vec<[u64; 2]> = places[..2 * n].chunks(2).map(|p| [p[0].to_bits(), p[1].to_bits()]).collect();
            bits.sort_unstable();
            bits.dedup();
            assert_eq!(bits.len(), n, "{n} on {h} by {w}: a place twice");
        }
    }
}
