//! Every operation on a GPU against the CPU, on the operation's own samples: values and gradients, by kernels and by Candle's operations, in
//! f32 and f64, maps in both orders. Prints a row for each operation.
//!
//! In a build with `nccl` also sums over all GPUs of the machine.
//!
//! Where there is no GPU it says so and compares nothing. It is a program of its own, so that it can be carried to a machine that has one:
//! `benches/gpu/build.sh`.

mod across;

use std::process::ExitCode;

use candle_core::{DType, Device, Result, Tensor};
use rord_ops::OPERATIONS;
use rord_ops::compute::samples::{Sample, numbers};
use rord_ops::compute::slices::Plain;
use rord_ops::compute::{Compute, Output};
use rord_random::Stream;

/// The most that a number may differ, relative to the largest of its tensor.
fn bound(dtype: DType) -> f64 {
    if dtype == DType::F64 { 1e-9 } else { 1e-4 }
}

fn main() -> ExitCode {
    if rord_device::nccl::built() {
        println!("{}", across::library());
    }
    let device = match Device::new_cuda(0) {
        Ok(device) => device,
        Err(e) => {
            println!("no GPU here, nothing was compared: {}", brief(&e));
            return ExitCode::SUCCESS;
        }
    };
    if let Err(e) = rord_device::ready(&device) {
        println!("the GPU cannot be prepared: {}", brief(&e));
        return ExitCode::FAILURE;
    }
    println!(
        "{:18} {:4} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9}",
        "operation", "type", "value", "gradient", "last", "gradient", "plain", "gradient"
    );
    let (mut bad, mut rows) = (0, 0);
    let only: Vec<String> = std::env::args().skip(1).collect();
    for op in OPERATIONS {
        let Some(compute) = op.compute else { continue };
        if !only.is_empty() && !only.iter().any(|name| name == op.name) {
            continue;
        }
        for dtype in [DType::F32, DType::F64] {
            let (cells, notes) = row(compute, &(op.samples)().unwrap_or_default(), dtype, &device);
            let shown = cells.map(|x| if x < 0.0 { "-".into() } else { format!("{x:.1e}") });
            println!("{:18} {:4} {}", op.name, dtype.as_str(), shown.map(|x: String| format!("{x:>9}")).join(" "));
            notes.iter().for_each(|note| println!("    {note}"));
            bad += usize::from(!notes.is_empty());
            rows += 1;
        }
    }
    if rord_device::nccl::built() && only.is_empty() {
        let sums = across::sums();
        bad += usize::from(sums.is_err());
        println!("{}", sums.unwrap_or_else(|e| format!("    sums by NCCL: {}", brief(&e))));
    }
    println!("{rows} rows, {bad} of them with something wrong");
    if bad == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn brief(e: &candle_core::Error) -> String {
    e.to_string().lines().next().unwrap_or_default().chars().take(160).collect()
}

/// The largest errors of value and gradient: by kernels, by kernels with maps that lie channels last, and by Candle's operations.
fn row(compute: &'static dyn Compute, samples: &[Sample], dtype: DType, device: &Device) -> ([f64; 6], Vec<String>) {
    let (mut cells, mut notes) = ([-1.0f64; 6], Vec::new());
    for sample in samples {
        let plain = Plain(compute);
        let ways: [(&str, &dyn Compute, bool); 3] =
            [("", compute, false), (", channels last", compute, true), (", plain", &plain, false)];
        for (at, (name, way, last)) in ways.into_iter().enumerate() {
            if last && !compute.either_order() {
                continue;
            }
            match compared(compute, way, sample, dtype, device, last) {
                Ok(found) => {
                    for (cell, error) in cells.iter_mut().skip(2 * at).zip(found) {
                        *cell = cell.max(error);
                    }
                    if !found.iter().all(|x| *x < bound(dtype)) {
                        notes.push(format!("{}{name}: value {:.1e}, gradient {:.1e}", sample.name, found[0], found[1]));
                    }
                }
                Err(e) => notes.push(format!("{}{name}: {}", sample.name, brief(&e))),
            }
        }
    }
    (cells, notes)
}

/// The errors of a case's value and gradient on the device; the gradient's is -1 where it has none.
fn compared(
    cpu: &dyn Compute,
    gpu: &dyn Compute,
    sample: &Sample,
    dtype: DType,
    device: &Device,
    last: bool,
) -> Result<[f64; 2]> {
    let here = sample.on(dtype, &Device::Cpu)?;
    let mut there = sample.on(dtype, device)?;
    if last {
        for (_, t) in &mut there.inputs {
            *t = laid_last(t)?;
        }
    }
    let (expected, found) = (here.forward(cpu)?, there.forward(gpu)?);
    let mut errors = [error(&found.value, &expected.value, false)?, -1.0];
    if sample.differentiable.is_empty() {
        return Ok(errors);
    }
    let mut stream = Stream::new(7, &[]);
    let grad = (0..expected.value.elem_count()).map(|_| stream.range(-1.0, 1.0)).collect::<Vec<f64>>();
    let grad = Tensor::from_vec(grad, expected.value.shape(), &Device::Cpu)?.to_dtype(dtype)?;
    let mut given = grad.to_device(device)?;
    if last {
        given = laid_last(&given)?;
    }
    let found = there.backward(gpu, &Output { value: found.value, saved: found.saved }, &given)?;
    for (found, expected) in found.iter().zip(here.backward(cpu, &expected, &grad)?) {
        errors[1] = errors[1].max(error(found, &expected, sample.kink)?);
    }
    Ok(errors)
}

/// The same map with its channels last.
fn laid_last(t: &Tensor) -> Result<Tensor> {
    match t.rank() {
        4 => t.permute((0, 2, 3, 1))?.contiguous()?.permute((0, 3, 1, 2)),
        5 => t.permute((0, 3, 4, 1, 2))?.contiguous()?.permute((0, 3, 4, 1, 2)),
        _ => Ok(t.clone()),
    }
}

/// The largest difference, relative to the largest number; infinite where shapes differ or one of them alone is not finite. At a kink, where
/// a gradient may be a difference of equal numbers and so nothing but rounding, it is relative to 1 if that is more.
fn error(found: &Tensor, expected: &Tensor, kink: bool) -> Result<f64> {
    if found.dims() != expected.dims() || found.dtype() != expected.dtype() {
        return Ok(f64::INFINITY);
    }
    let (a, b) = (numbers(found)?, numbers(expected)?);
    let scale = b.iter().filter(|x| x.is_finite()).fold(if kink { 1.0 } else { 1e-30 }, |m: f64, x| m.max(x.abs()));
    let gap = |(a, b): (&f64, &f64)| match (a.is_finite(), b.is_finite()) {
        (true, true) => (a - b).abs() / scale,
        (false, false) => 0.0,
        _ => f64::INFINITY,
    };
    Ok(a.iter().zip(&b).map(gap).fold(0.0, f64::max))
}
