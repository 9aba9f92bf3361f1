//! Convolutions by cuDNN, where the library is there when they are first called.
//!
//! Maps are (B, H, W, C), weights (O, k, k, C), contiguous. Numbers are f32, multiplied as such, or bf16 with sums in f32.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::c_void;

use candle_core::cuda_backend::cudarc::cudnn::result as raw;
use candle_core::cuda_backend::cudarc::cudnn::result::CudnnError;
use candle_core::cuda_backend::cudarc::cudnn::sys::{self, cudnnMathType_t, cudnnTensorFormat_t};
use candle_core::{DType, Result, Tensor};

use crate::launch::{empty, gpu, pointer};
use rord_kernels::conv::Geometry;

/// What is computed of a convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Pass {
    /// The value, of x and the weight.
    Value,
    /// The gradient of x, of the weight and the value's gradient.
    Input,
    /// The gradient of the weight, of x and the value's gradient.
    Weight,
}

/// The library's handle for one thread and device, and the ways that were chosen.
struct Library {
    handle: sys::cudnnHandle_t,
    chosen: HashMap<(Pass, [usize; 10], DType), (u32, usize)>,
}

thread_local! {
    /// By the number of the device's stream: the handle, or nothing where the library does not open.
    static LIBRARY: RefCell<HashMap<usize, Option<Library>>> = RefCell::new(HashMap::new());
}

/// A description of a tensor, a weight or a convolution, which is given back in the end.
struct Described<D: Copy>(D, unsafe fn(D) -> std::result::Result<(), CudnnError>);

impl<D: Copy> Drop for Described<D> {
    fn drop(&mut self) {
        // SAFETY: made by the function that belongs to this one, and of no use any more.
        let _ = unsafe { (self.1)(self.0) };
    }
}

fn wrong(e: CudnnError) -> candle_core::Error {
    candle_core::Error::msg(format!("cuDNN: {e:?}"))
}

fn kind(dtype: DType) -> Result<sys::cudnnDataType_t> {
    match dtype {
        DType::F32 => Ok(sys::cudnnDataType_t::CUDNN_DATA_FLOAT),
        DType::BF16 => Ok(sys::cudnnDataType_t::CUDNN_DATA_BFLOAT16),
        other => candle_core::bail!("cuDNN is given no {other:?}"),
    }
}

struct Layers {
    x: Described<sys::cudnnTensorDescriptor_t>,
    weight: Described<sys::cudnnFilterDescriptor_t>,
    y: Described<sys::cudnnTensorDescriptor_t>,
    conv: Described<sys::cudnnConvolutionDescriptor_t>,
}

fn described(g: &Geometry, dtype: DType, (h, w): (usize, usize)) -> Result<Layers> {
    let (of, last) = (kind(dtype)?, cudnnTensorFormat_t::CUDNN_TENSOR_NHWC);
    let int = |n: usize| n as i32;
    let map = |channels: usize, height: usize, width: usize| -> Result<Described<sys::cudnnTensorDescriptor_t>> {
        let made = Described(raw::create_tensor_descriptor().map_err(wrong)?, raw::destroy_tensor_descriptor);
        let sizes = [g.batch, channels, height, width].map(int);
        // SAFETY: it was made above.
        unsafe { raw::set_tensor4d_descriptor(made.0, last, of, sizes) }.map_err(wrong)?;
        Ok(made)
    };
    let (x, y) = (map(g.inputs, g.height, g.width)?, map(g.outputs, h, w)?);
    let weight = Described(raw::create_filter_descriptor().map_err(wrong)?, raw::destroy_filter_descriptor);
    let sizes = [g.outputs, g.inputs / g.groups, g.kernel, g.kernel].map(int);
    let conv = Described(raw::create_convolution_descriptor().map_err(wrong)?, raw::destroy_convolution_descriptor);
    let (pad, stride, dilation) = (int(g.pad), int(g.stride), int(g.dilation));
    let mode = sys::cudnnConvolutionMode_t::CUDNN_CROSS_CORRELATION;
    let sums = sys::cudnnDataType_t::CUDNN_DATA_FLOAT;
    let math = match dtype {
        DType::BF16 => cudnnMathType_t::CUDNN_TENSOR_OP_MATH,
        // Full factors: the tensor cores' own type for f32 has ten bits.
        _ => cudnnMathType_t::CUDNN_FMA_MATH,
    };
    // SAFETY: all of them were made above.
    unsafe {
        raw::set_filter4d_descriptor(weight.0, of, last, sizes).map_err(wrong)?;
        raw::set_convolution2d_descriptor(conv.0, pad, pad, stride, stride, dilation, dilation, mode, sums)
            .map_err(wrong)?;
        raw::set_convolution_math_type(conv.0, math).map_err(wrong)?;
        raw::set_convolution_group_count(conv.0, int(g.groups)).map_err(wrong)?;
    }
    Ok(Layers { x, weight, y, conv })
}

/// The library's first choice of a way that wants no more memory than this, and what it wants.
fn choice(handle: sys::cudnnHandle_t, l: &Layers, pass: Pass) -> Result<(u32, usize)> {
    const MOST: usize = 2 << 30;
    const WAYS: usize = 8;
    let mut count = [0i32; 1];
    // SAFETY (of all below): results are plain numbers, there is room for as many as are asked for, and all descriptions live.
    macro_rules! best {
        ($get:ident, $($part:expr),+) => {{
            let mut found = [unsafe { std::mem::zeroed() }; WAYS];
            unsafe { raw::$get(handle, $($part,)+ WAYS as i32, count.as_mut_ptr(), found.as_mut_ptr()) }.map_err(wrong)?;
            let found = found.iter().take(count[0].max(0) as usize);
            let ok = found.filter(|way| way.status == sys::cudnnStatus_t::CUDNN_STATUS_SUCCESS && way.memory <= MOST);
            ok.map(|way| (way.algo as u32, way.memory)).next()
        }};
    }
    let found = match pass {
        Pass::Value => best!(get_convolution_forward_algorithm, l.x.0, l.weight.0, l.conv.0, l.y.0),
        Pass::Input => best!(get_convolution_backward_data_algorithm, l.weight.0, l.y.0, l.conv.0, l.x.0),
        Pass::Weight => best!(get_convolution_backward_filter_algorithm, l.x.0, l.y.0, l.conv.0, l.weight.0),
    };
    found.ok_or_else(|| candle_core::Error::msg("cuDNN has no way for this convolution"))
}

/// What this pass makes of two tensors: (B, h, w, O), (B, H, W, C) or (O, k, k, C). `None` where there is no cuDNN.
pub(crate) fn convolved(pass: Pass, g: &Geometry, a: &Tensor, b: &Tensor) -> Result<Option<Tensor>> {
    let device = gpu(a.device())?;
    let stream = device.cuda_stream();
    LIBRARY.with_borrow_mut(|all| {
        let slot = all.entry(stream.context().ordinal()).or_insert_with(|| {
            let handle = raw::create_handle().ok()?;
            // SAFETY: the handle was just made; the stream lives as long as the process's device.
            unsafe { raw::set_stream(handle, stream.cu_stream() as *mut _) }.ok()?;
            Some(Library { handle, chosen: HashMap::new() })
        });
        let Some(library) = slot else { return Ok(None) };
        let (h, w) = g.result().map_err(candle_core::Error::wrap)?;
        let layers = described(g, a.dtype(), (h, w))?;
        let key = [g.batch, g.inputs, g.height, g.width, g.outputs, g.kernel, g.stride, g.pad, g.dilation, g.groups];
        let (way, memory) = match library.chosen.get(&(pass, key, a.dtype())) {
            Some(chosen) => *chosen,
            None => {
                let chosen = choice(library.handle, &layers, pass)?;
                library.chosen.insert((pass, key, a.dtype()), chosen);
                chosen
            }
        };
        let shape = match pass {
            Pass::Value => (g.batch, h, w, g.outputs),
            Pass::Input => (g.batch, g.height, g.width, g.inputs),
            Pass::Weight => (g.outputs, g.kernel, g.kernel, g.inputs / g.groups),
        };
        let out = empty(shape, a.dtype(), a.device())?;
        let room = empty(memory.max(1), DType::U8, a.device())?;
        let at = |t: &Tensor| pointer(t).map(|p| p as *mut c_void);
        let (a, b, to, room) = (at(a)?, at(b)?, at(&out)?, at(&room)?);
        let (one, zero) = (1f32, 0f32);
        let (one, zero) = ((&raw const one).cast::<c_void>(), (&raw const zero).cast::<c_void>());
        let (handle, conv) = (library.handle, layers.conv.0);
        let (x, weight, y) = (layers.x.0, layers.weight.0, layers.y.0);
        // SAFETY: the tensors are of the shapes that were described and on this device; `way` is one of the library's own numbers.
        let done = unsafe {
            match pass {
                Pass::Value => {
                    let way = std::mem::transmute::<u32, sys::cudnnConvolutionFwdAlgo_t>(way);
                    raw::convolution_forward(handle, one, x, a, weight, b, conv, way, room, memory, zero, y, to)
                }
                Pass::Input => {
                    let way = std::mem::transmute::<u32, sys::cudnnConvolutionBwdDataAlgo_t>(way);
                    raw::convolution_backward_data(handle, one, weight, a, y, b, conv, way, room, memory, zero, x, to)
                }
                Pass::Weight => {
                    let way = std::mem::transmute::<u32, sys::cudnnConvolutionBwdFilterAlgo_t>(way);
                    raw::convolution_backward_filter(handle, one, x, a, y, b, conv, way, room, memory, zero, weight, to)
                }
            }
        };
        done.map_err(wrong)?;
        Ok(Some(out))
    })
}
