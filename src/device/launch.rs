//! Compiles kernels and launches them.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use candle_core::backend::BackendStorage;
use candle_core::cuda_backend::cudarc::driver::{
    CudaContext, CudaEvent, CudaFunction, CudaStream, DevicePtr, LaunchConfig, PushKernelArg, sys,
};
use candle_core::cuda_backend::cudarc::nvrtc::{CompileOptions, compile_ptx_with_opts};
use candle_core::cuda_backend::{CudaDType, CudaDevice, CudaStorage, CudaStorageSlice, WrapErr};
use candle_core::op::BackpropOp;
use candle_core::{DType, Device, Error, Result, Shape, Storage, Tensor};

use crate::{Arg, Source, Threads};

/// The GPU of a device.
pub(crate) fn gpu(device: &Device) -> Result<&CudaDevice> {
    match device {
        Device::Cuda(gpu) => Ok(gpu),
        _ => candle_core::bail!("a tensor is not on a GPU"),
    }
}

/// A tensor whose numbers are whatever its memory held.
pub(crate) fn empty(shape: impl Into<Shape>, dtype: DType, device: &Device) -> Result<Tensor> {
    fn made<T: CudaDType + candle_core::cuda_backend::cudarc::driver::DeviceRepr>(
        count: usize,
        gpu: &CudaDevice,
    ) -> Result<CudaStorage> {
        // SAFETY: every kernel here writes all numbers of what it is given as a result.
        let slice = unsafe { gpu.alloc::<T>(count) }?;
        Ok(T::wrap_cuda_slice(slice, gpu.clone()))
    }
    let (shape, gpu) = (shape.into(), gpu(device)?);
    let count = shape.elem_count();
    if count == 0 {
        return Tensor::zeros(shape, dtype, device);
    }
    let storage = match dtype {
        DType::F32 => made::<f32>(count, gpu)?,
        DType::F64 => made::<f64>(count, gpu)?,
        DType::U8 => made::<u8>(count, gpu)?,
        DType::U32 => made::<u32>(count, gpu)?,
        DType::BF16 => made::<half::bf16>(count, gpu)?,
        other => candle_core::bail!("kernels on the GPU make no {other:?}"),
    };
    Ok(Tensor::from_storage(Storage::Cuda(storage), shape, BackpropOp::none(), false))
}

/// Where the numbers of a contiguous tensor begin.
pub(crate) fn pointer(t: &Tensor) -> Result<u64> {
    let (storage, layout) = t.storage_and_layout();
    let Storage::Cuda(storage) = &*storage else { candle_core::bail!("a tensor is not on the GPU") };
    let Some((from, _)) = layout.contiguous_offsets() else { candle_core::bail!("a tensor is not contiguous") };
    let stream = storage.device().cuda_stream();
    let start = match &storage.slice {
        CudaStorageSlice::F32(s) => s.device_ptr(&stream).0,
        CudaStorageSlice::F64(s) => s.device_ptr(&stream).0,
        CudaStorageSlice::U8(s) => s.device_ptr(&stream).0,
        CudaStorageSlice::U32(s) => s.device_ptr(&stream).0,
        CudaStorageSlice::BF16(s) => s.device_ptr(&stream).0,
        _ => candle_core::bail!("kernels on the GPU do not read {:?}", t.dtype()),
    };
    Ok(start + (from * t.dtype().size_in_bytes()) as u64)
}

/// Compiled sources by their module's name.
static COMPILED: Mutex<Option<HashMap<String, String>>> = Mutex::new(None);

/// The head of a source for a type of number.
fn types(dtype: DType) -> Result<&'static str> {
    match dtype {
        DType::F32 => Ok("typedef float S; typedef float T;\n"),
        DType::F64 => Ok("typedef double S; typedef double T;\n"),
        DType::BF16 => Ok("typedef bf16 S; typedef float T;\n"),
        other => candle_core::bail!("there are no kernels for {other:?}"),
    }
}

/// The instructions of a source for a device, as text that its driver takes.
fn compiled(source: &Source, dtype: DType, (major, minor): (i32, i32)) -> Result<(String, String)> {
    let module = format!("rord_{}_{}_{major}{minor}", source.name, dtype.as_str());
    let mut all = COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
    let all = all.get_or_insert_default();
    if let Some(text) = all.get(&module) {
        return Ok((module, text.clone()));
    }
    let text = rord_kernels::cuda::whole(types(dtype)?, source.text);
    let options = CompileOptions {
        options: vec![format!("--gpu-architecture=compute_{major}{minor}"), "--std=c++17".into()],
        name: Some(format!("{}.cu", source.name)),
        ..CompileOptions::default()
    };
    let made = compile_ptx_with_opts(text, options).map_err(|e| Error::msg(format!("kernel {module}: {e:?}")))?;
    let made = made.to_src();
    all.insert(module.clone(), made.clone());
    Ok((module, made))
}

/// Launches the kernel `name` of a source, on the device of `like`.
pub(crate) fn run(
    source: &Source,
    name: &str,
    dtype: DType,
    like: &Tensor,
    threads: Threads,
    args: &[Arg],
) -> Result<()> {
    let gpu = gpu(like.device())?;
    run_on(&gpu.cuda_stream(), gpu, source, name, dtype, threads, args)
}

/// Compiles a source for a device and loads its kernel `name`.
pub(crate) fn loaded(gpu: &CudaDevice, source: &Source, name: &str, dtype: DType) -> Result<CudaFunction> {
    let capability = gpu.cuda_stream().context().compute_capability().w()?;
    let (module, text) = compiled(source, dtype, capability)?;
    Ok(gpu.get_or_load_custom_func(name, &module, &text)?.into_cuda_function())
}

/// As [`run`], in a stream of one's own.
pub(crate) fn run_on(
    stream: &CudaStream,
    gpu: &CudaDevice,
    source: &Source,
    name: &str,
    dtype: DType,
    threads: Threads,
    args: &[Arg],
) -> Result<()> {
    let function = loaded(gpu, source, name, dtype)?;
    enum Plain {
        Place(u64),
        Int(i32),
        Long(i64),
        Real(f64),
    }
    let plain = args.iter().map(|arg| {
        Ok(match arg {
            Arg::Of(t) => Plain::Place(pointer(t)?),
            Arg::None => Plain::Place(0),
            Arg::At(place) => Plain::Place(*place),
            Arg::Int(n) => Plain::Int(i32::try_from(*n).map_err(Error::wrap)?),
            Arg::Long(n) => Plain::Long(i64::try_from(*n).map_err(Error::wrap)?),
            Arg::Real(x) => Plain::Real(*x),
        })
    });
    let plain = plain.collect::<Result<Vec<Plain>>>()?;
    let mut launch = stream.launch_builder(&function);
    for arg in &plain {
        match arg {
            Plain::Place(x) => launch.arg(x),
            Plain::Int(x) => launch.arg(x),
            Plain::Long(x) => launch.arg(x),
            Plain::Real(x) => launch.arg(x),
        };
    }
    let [x, y, z] = threads.blocks.map(|n| n as u32);
    let config = LaunchConfig {
        grid_dim: (x, y, z),
        block_dim: (threads.of[0] as u32, threads.of[1] as u32, 1),
        shared_mem_bytes: 0,
    };
    // SAFETY: each caller gives what the kernel's parameters are, in their order, and tensors as large as it says they are.
    unsafe { launch.launch(config) }.map_err(|e| Error::msg(format!("kernel {name}: {e}")))?;
    Ok(())
}

/// A point that a computation has come to, and that another stream may wait for.
pub struct Moment(#[cfg_attr(not(feature = "nccl"), allow(dead_code))] Option<CudaEvent>);

impl Moment {
    /// What is given to a stream from here on waits for it.
    #[cfg(feature = "nccl")]
    pub(crate) fn before(&self, stream: &CudaStream) -> Result<()> {
        self.0.as_ref().map_or(Ok(()), |event| stream.wait(event).w())
    }
}

/// The point that the computation of this thread has come to.
pub(crate) fn moment(device: &Device) -> Result<Moment> {
    match device {
        Device::Cuda(gpu) => Ok(Moment(Some(gpu.cuda_stream().record_event(None).w()?))),
        _ => Ok(Moment(None)),
    }
}

/// How many GPUs this process sees: none where there is no driver.
pub fn visible() -> usize {
    CudaContext::device_count().ok().and_then(|count| usize::try_from(count).ok()).unwrap_or(0)
}

/// What tells a GPU from all others, and its name.
pub fn identity(device: &Device) -> Result<(String, String)> {
    let stream = gpu(device)?.cuda_stream();
    let bytes = stream.context().uuid().w()?.bytes;
    let id = bytes.iter().map(|byte| format!("{:02x}", *byte as u8)).collect();
    Ok((id, stream.context().name().w()?))
}

/// Prepares a device for a run: freed memory stays with the process, and nothing is recorded for other streams. There is one more where GPUs
/// add up gradients; who gives it work orders it by events of their own ([`Moment`]).
pub fn ready(device: &Device) -> Result<()> {
    let Ok(gpu) = gpu(device) else { return Ok(()) };
    // SAFETY: all work of this process goes to one stream, but for the sums over GPUs, whose tensors are waited for before anything else
    // reads or frees them.
    unsafe { gpu.disable_event_tracking() };
    let stream = gpu.cuda_stream();
    let mut pool = std::ptr::null_mut();
    let mut all = u64::MAX;
    // SAFETY: both take a place to write to or read from, which outlives the call.
    unsafe {
        sys::cuDeviceGetDefaultMemPool(&mut pool, stream.context().cu_device()).result().w()?;
        let attribute = sys::CUmemPool_attribute::CU_MEMPOOL_ATTR_RELEASE_THRESHOLD;
        sys::cuMemPoolSetAttribute(pool, attribute, (&raw mut all).cast()).result().w()?;
    }
    Ok(())
}

/// Waits until a device has done all that it was given.
pub fn settle(device: &Device) -> Result<()> {
    device.synchronize()
}
