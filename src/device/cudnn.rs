//! Convolutions by cuDNN, where the library is there when they are first called.
//!
//! Maps are (B, H, W, C), weights (O, C, k, k), contiguous. Numbers are f32, multiplied as such, or bf16 with sums in f32. The library has many
//! ways for a convolution, and some only for maps that lie channels first: the first time that a geometry comes, the most promising ways of
//! both orders are run and timed, what turns maps and weights around included, and the fastest is kept.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::c_void;
use std::rc::Rc;
use std::time::{Duration, Instant};

use candle_core::cuda_backend::cudarc::cudnn::result as raw;
use candle_core::cuda_backend::cudarc::cudnn::result::CudnnError;
use candle_core::cuda_backend::cudarc::cudnn::sys::{self, cudnnMathType_t, cudnnTensorFormat_t};
use candle_core::{DType, Device, Result, Tensor};

use crate::conv::Pass;
use crate::launch::{empty, gpu, pointer, settle};
use crate::maps::{first, last, order_first};
use rord_kernels::conv::Geometry;

/// A way of the library for a pass.
struct Way {
    layers: Layers,
    /// The library's number of it.
    algorithm: u32,
    /// Bytes of memory that it works in.
    memory: usize,
}

/// What is computed: the pass, the sizes, and the type of numbers.
type Key = (Pass, [usize; 10], DType);

/// The library's handle for one thread and device, and the ways that were chosen.
struct Library {
    handle: sys::cudnnHandle_t,
    chosen: HashMap<Key, Rc<Way>>,
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

/// Descriptions of all that takes part in a convolution.
struct Layers {
    x: Described<sys::cudnnTensorDescriptor_t>,
    weight: Described<sys::cudnnFilterDescriptor_t>,
    y: Described<sys::cudnnTensorDescriptor_t>,
    conv: Described<sys::cudnnConvolutionDescriptor_t>,
    /// True where maps and weights lie channels last.
    last: bool,
}

fn described(g: &Geometry, dtype: DType, last: bool, math: cudnnMathType_t) -> Result<Layers> {
    let of = kind(dtype)?;
    let format = if last { cudnnTensorFormat_t::CUDNN_TENSOR_NHWC } else { cudnnTensorFormat_t::CUDNN_TENSOR_NCHW };
    let int = |n: usize| n as i32;
    let map = |channels: usize, height: usize, width: usize| -> Result<Described<sys::cudnnTensorDescriptor_t>> {
        let made = Described(raw::create_tensor_descriptor().map_err(wrong)?, raw::destroy_tensor_descriptor);
        let sizes = [g.batch, channels, height, width].map(int);
        // SAFETY: it was made above.
        unsafe { raw::set_tensor4d_descriptor(made.0, format, of, sizes) }.map_err(wrong)?;
        Ok(made)
    };
    let (h, w) = g.result().map_err(candle_core::Error::wrap)?;
    let (x, y) = (map(g.inputs, g.height, g.width)?, map(g.outputs, h, w)?);
    let weight = Described(raw::create_filter_descriptor().map_err(wrong)?, raw::destroy_filter_descriptor);
    let sizes = [g.outputs, g.inputs / g.groups, g.kernel, g.kernel].map(int);
    let conv = Described(raw::create_convolution_descriptor().map_err(wrong)?, raw::destroy_convolution_descriptor);
    let (pad, stride, dilation) = (int(g.pad), int(g.stride), int(g.dilation));
    let mode = sys::cudnnConvolutionMode_t::CUDNN_CROSS_CORRELATION;
    let sums = sys::cudnnDataType_t::CUDNN_DATA_FLOAT;
    // SAFETY: all of them were made above.
    unsafe {
        raw::set_filter4d_descriptor(weight.0, of, format, sizes).map_err(wrong)?;
        raw::set_convolution2d_descriptor(conv.0, pad, pad, stride, stride, dilation, dilation, mode, sums)
            .map_err(wrong)?;
        raw::set_convolution_math_type(conv.0, math).map_err(wrong)?;
        raw::set_convolution_group_count(conv.0, int(g.groups)).map_err(wrong)?;
    }
    Ok(Layers { x, weight, y, conv, last })
}

/// How factors are multiplied: bf16 by the tensor cores. Their own type for f32 has ten bits, so f32 is left to the other cores.
fn math(dtype: DType) -> cudnnMathType_t {
    match dtype {
        DType::BF16 => cudnnMathType_t::CUDNN_TENSOR_OP_MATH,
        _ => cudnnMathType_t::CUDNN_FMA_MATH,
    }
}

/// The library's ways for maps in one order, the most promising first: their numbers and the memory they want.
fn promising(handle: sys::cudnnHandle_t, l: &Layers, pass: Pass) -> Result<Vec<(u32, usize)>> {
    const MOST: usize = 4 << 30;
    const WAYS: usize = 16;
    let mut count = [0i32; 1];
    // SAFETY (of all below): results are plain numbers, there is room for as many as are asked for, and all descriptions live.
    macro_rules! found {
        ($get:ident, $($part:expr),+) => {{
            let mut found = [unsafe { std::mem::zeroed() }; WAYS];
            unsafe { raw::$get(handle, $($part,)+ WAYS as i32, count.as_mut_ptr(), found.as_mut_ptr()) }.map_err(wrong)?;
            let found = found.iter().take(count[0].max(0) as usize);
            let ok = found.filter(|way| way.status == sys::cudnnStatus_t::CUDNN_STATUS_SUCCESS && way.memory <= MOST);
            ok.map(|way| (way.algo as u32, way.memory)).collect::<Vec<_>>()
        }};
    }
    let all = match pass {
        Pass::Value => found!(get_convolution_forward_algorithm, l.x.0, l.weight.0, l.conv.0, l.y.0),
        Pass::Input => found!(get_convolution_backward_data_algorithm, l.weight.0, l.y.0, l.conv.0, l.x.0),
        Pass::Weight => found!(get_convolution_backward_filter_algorithm, l.x.0, l.y.0, l.conv.0, l.weight.0),
    };
    let mut once: Vec<(u32, usize)> = Vec::new();
    for way in all {
        // One number comes for each kind of multiplication; ours is set.
        match once.iter_mut().find(|(number, _)| *number == way.0) {
            Some(known) => known.1 = known.1.max(way.1),
            None => once.push(way),
        }
    }
    Ok(once)
}

/// The fastest of the promising ways.
fn fastest(handle: sys::cudnnHandle_t, g: &Geometry, pass: Pass, (a, b): (&Tensor, &Tensor)) -> Result<Way> {
    const TRIED: usize = 4;
    let device = a.device();
    let mut best: Option<(Duration, Way)> = None;
    for lies_last in [true, false] {
        // Rounded numbers are multiplied well in this order alone.
        if !lies_last && a.dtype() == DType::BF16 {
            continue;
        }
        let ways = described(g, a.dtype(), lies_last, math(a.dtype())).and_then(|l| promising(handle, &l, pass));
        for (algorithm, memory) in ways.unwrap_or_default().into_iter().take(TRIED) {
            let way = Way { layers: described(g, a.dtype(), lies_last, math(a.dtype()))?, algorithm, memory };
            let least = best.as_ref().map(|(least, _)| *least);
            if let Ok(took) = timed(handle, g, pass, (a, b), &way, device, least)
                && best.as_ref().is_none_or(|(least, _)| took < *least)
            {
                best = Some((took, way));
            }
        }
    }
    best.map(|(_, way)| way).ok_or_else(|| candle_core::Error::msg("cuDNN has no way for this convolution"))
}

/// The time of a way, once warm: the least of three, or the first where that is far from the least `known`.
fn timed(
    handle: sys::cudnnHandle_t,
    g: &Geometry,
    pass: Pass,
    of: (&Tensor, &Tensor),
    way: &Way,
    device: &Device,
    known: Option<Duration>,
) -> Result<Duration> {
    let mut least = Duration::MAX;
    for turn in 0..4 {
        settle(device)?;
        let begun = Instant::now();
        let made = computed(handle, g, pass, of, way)?;
        settle(device)?;
        drop(made);
        if turn > 0 {
            least = least.min(begun.elapsed());
            if known.is_some_and(|known| least > known.mul_f64(1.5)) {
                break;
            }
        }
    }
    Ok(least)
}

/// What a way makes of two tensors.
fn computed(
    handle: sys::cudnnHandle_t,
    g: &Geometry,
    pass: Pass,
    (a, b): (&Tensor, &Tensor),
    way: &Way,
) -> Result<Tensor> {
    let (h, w) = g.result().map_err(candle_core::Error::wrap)?;
    let lies_last = way.layers.last;
    let map = |t: &Tensor| if lies_last { Ok(t.clone()) } else { order_first(t) };
    let weight = |t: &Tensor| if lies_last { last(t) } else { Ok(t.clone()) };
    let (a, b) = match pass {
        Pass::Value => (map(a)?, weight(b)?),
        Pass::Input => (weight(a)?, map(b)?),
        Pass::Weight => (map(a)?, map(b)?),
    };
    let shape = match pass {
        Pass::Value => [g.batch, g.outputs, h, w],
        Pass::Input => [g.batch, g.inputs, g.height, g.width],
        Pass::Weight => [g.outputs, g.inputs / g.groups, g.kernel, g.kernel],
    };
    let [batch, channels, height, width] = shape;
    let lies = if lies_last { (batch, height, width, channels) } else { (batch, channels, height, width) };
    let out = empty(lies, a.dtype(), a.device())?;
    let room = empty(way.memory.max(1), DType::U8, a.device())?;
    let at = |t: &Tensor| pointer(t).map(|p| p as *mut c_void);
    let (from, with, to, room) = (at(&a)?, at(&b)?, at(&out)?, at(&room)?);
    let (one, zero) = (1f32, 0f32);
    let (one, zero) = ((&raw const one).cast::<c_void>(), (&raw const zero).cast::<c_void>());
    let (conv, memory) = (way.layers.conv.0, way.memory);
    let (x, weight, y) = (way.layers.x.0, way.layers.weight.0, way.layers.y.0);
    // SAFETY: the tensors are of the shapes that were described and on this device; the way's number is one of the library's own.
    let done = unsafe {
        match pass {
            Pass::Value => {
                let way = std::mem::transmute::<u32, sys::cudnnConvolutionFwdAlgo_t>(way.algorithm);
                raw::convolution_forward(handle, one, x, from, weight, with, conv, way, room, memory, zero, y, to)
            }
            Pass::Input => {
                let way = std::mem::transmute::<u32, sys::cudnnConvolutionBwdDataAlgo_t>(way.algorithm);
                raw::convolution_backward_data(handle, one, weight, from, y, with, conv, way, room, memory, zero, x, to)
            }
            Pass::Weight => {
                let way = std::mem::transmute::<u32, sys::cudnnConvolutionBwdFilterAlgo_t>(way.algorithm);
                raw::convolution_backward_filter(
                    handle, one, x, from, y, with, conv, way, room, memory, zero, weight, to,
                )
            }
        }
    };
    done.map_err(wrong)?;
    match (pass, lies_last) {
        (Pass::Weight, true) => first(&out.permute((0, 3, 1, 2))?),
        (Pass::Weight, false) | (_, true) => Ok(out),
        (_, false) => last(&out),
    }
}

/// What this pass makes of two tensors: (B, h, w, O), (B, H, W, C) or (O, C, k, k). `None` where there is no cuDNN.
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
        let sizes = [g.batch, g.inputs, g.height, g.width, g.outputs, g.kernel, g.stride, g.pad, g.dilation, g.groups];
        let key = (pass, sizes, a.dtype());
        let way = match library.chosen.get(&key) {
            Some(way) => way.clone(),
            None => {
                let way = Rc::new(fastest(library.handle, g, pass, (a, b))?);
                library.chosen.insert(key, way.clone());
                way
            }
        };
        computed(library.handle, g, pass, (a, b), &way).map(Some)
    })
}
