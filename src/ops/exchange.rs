//! `all_gather`, `hand_out` and `count_once`: what processes that share a batch bring together. Only the graph's sharing writes them.

use candle_core::{DType, Result, Tensor};

use crate::compute::samples::Sample;
use crate::compute::{Call, Compute, Gradients, Output, layout};
use crate::op::Op;
use crate::over_processes::lost;
use rord_lang::constant::Settings;
use rord_lang::vocabulary::Entry;
use rord_ranks::{Ranks, Share};

/// The samples of all processes.
pub static GATHER: Op = Op {
    name: "all_gather",
    entry: Entry {
        signature: "all_gather(x: Values, views: Count = 1) -> Values",
        manual: MANUAL,
        operator: true,
        ..Entry::PLAIN
    },
    compute: Some(&Gather),
    samples: gathered,
};

/// What all have, read by each for its own samples.
pub static HAND_OUT: Op = Op {
    name: "hand_out",
    entry: Entry { signature: "hand_out(x: Values) -> Values", manual: MANUAL, operator: true, ..Entry::PLAIN },
    compute: Some(&HandOut),
    samples: same,
};

/// What all have, read by all in the same way.
pub static COUNT_ONCE: Op = Op {
    name: "count_once",
    entry: Entry { signature: "count_once(x: Values) -> Values", manual: MANUAL, operator: true, ..Entry::PLAIN },
    compute: Some(&CountOnce),
    samples: same,
};

const MANUAL: &str = "\
What processes that share a batch bring together.

    all_gather(x)   the samples of all processes, in their order; the gradient of a process is that of its own samples
    hand_out(x)     x; its gradients in all processes are added up
    count_once(x)   x; its gradient counts in the first process alone

None of them can be called: they stand in the graph of a run that many processes take part in, where values of single samples
meet those of the whole batch. In a process by itself each of them hands its argument on. `views` is how many batches lie one after
the other in `x`.

Source: `torch.distributed.nn.functional.all_gather`.

```rord
model net(x: Image[B, 1, H, W]@f) {
  out desc: Vectors unit[B, 8] = x |> conv(8, 3) |> relu |> global_pool |> l2norm
}
input image:   Image[B, 1, H, W]@orig
input image_r: Image[B, 1, H, W]@moved
# Both descriptors are gathered: every one is compared with all others of the batch.
loss apart = info_nce(net(image).desc, net(image_r).desc)
```
";

/// Numbers of all processes one after the other, in the type of `x`.
fn gather(ranks: &Ranks, x: &Tensor, each: &[usize]) -> Result<Tensor> {
    let count: usize = each.iter().sum();
    let flat = x.flatten_all()?;
    let all = match x.dtype() {
        DType::F64 => Tensor::from_vec(ranks.gather(&flat.to_vec1::<f64>()?, each).map_err(lost)?, count, x.device())?,
        _ => {
            let own = flat.to_dtype(DType::F32)?.to_vec1::<f32>()?;
            Tensor::from_vec(ranks.gather(&own, each).map_err(lost)?, count, x.device())?
        }
    };
    all.to_dtype(x.dtype())
}

/// The samples of all processes.
struct Gather;

impl Gather {
    /// Each view of `x`, which lie one after the other.
    fn views(call: &Call, x: &Tensor, samples: usize) -> Result<Vec<Tensor>> {
        (0..call.count("views")?.max(1)).map(|view| x.narrow(0, view * samples, samples)).collect()
    }
}

impl Compute for Gather {
    fn forward(&self, call: &Call) -> Result<Output> {
        let x = call.tensor("x")?;
        let Some(share) = &call.share else { return Ok(x.clone().into()) };
        let inner: usize = x.dims().iter().skip(1).product();
        let each: Vec<usize> = share.each().iter().map(|samples| samples * inner).collect();
        let shape: Vec<usize> = std::iter::once(share.batch).chain(x.dims().iter().skip(1).copied()).collect();
        let all = Self::views(call, x, share.samples)?;
        let all = all.iter().map(|view| gather(share.ranks, view, &each)?.reshape(shape.as_slice()));
        Ok(Tensor::cat(&all.collect::<Result<Vec<_>>>()?, 0)?.into())
    }

    fn backward(&self, call: &Call, _: &Output, grad: &Tensor) -> Result<Gradients> {
        let Some(Share { batch, first, samples, .. }) = call.share else { return Ok(vec![("x", grad.clone())]) };
        let own = Self::views(call, grad, batch)?.into_iter().map(|view| view.narrow(0, first, samples));
        Ok(vec![("x", Tensor::cat(&own.collect::<Result<Vec<_>>>()?, 0)?)])
    }

    fn backward_reads(&self, _: &str) -> bool {
        false
    }

    fn backward_reads_value(&self, _: &Settings) -> bool {
        false
    }
}

/// The same value; gradients are added up.
struct HandOut;

impl Compute for HandOut {
    fn forward(&self, call: &Call) -> Result<Output> {
        Ok(call.tensor("x")?.clone().into())
    }

    fn backward(&self, call: &Call, _: &Output, grad: &Tensor) -> Result<Gradients> {
        let Some(share) = &call.share else { return Ok(vec![("x", grad.clone())]) };
        let flat = layout::first(grad)?.flatten_all()?.to_dtype(DType::F64)?.to_vec1::<f64>()?;
        let sum = share.ranks.sum(flat).map_err(lost)?;
        Ok(vec![("x", Tensor::from_vec(sum, grad.shape(), grad.device())?.to_dtype(grad.dtype())?)])
    }

    fn backward_reads(&self, _: &str) -> bool {
        false
    }

    fn backward_reads_value(&self, _: &Settings) -> bool {
        false
    }
}

/// The same value; its gradient counts in one process.
struct CountOnce;

impl Compute for CountOnce {
    fn forward(&self, call: &Call) -> Result<Output> {
        Ok(call.tensor("x")?.clone().into())
    }

    fn backward(&self, call: &Call, _: &Output, grad: &Tensor) -> Result<Gradients> {
        let counts = call.share.is_none_or(|share| share.ranks.leads());
        Ok(vec![("x", if counts { grad.clone() } else { grad.zeros_like()? })])
    }

    fn backward_reads(&self, _: &str) -> bool {
        false
    }

    fn backward_reads_value(&self, _: &Settings) -> bool {
        false
    }
}

/// Cases: in a process by itself.
fn gathered() -> Result<Vec<Sample>> {
    Ok(vec![Sample::new("alone", &[4, 3]).random("x", &[4, 3], -1.0, 1.0)?.number("views", 1.0).to(&["x"])])
}

/// Cases of what hands its argument on.
fn same() -> Result<Vec<Sample>> {
    Ok(vec![Sample::new("alone", &[4, 3]).random("x", &[4, 3], -1.0, 1.0)?.to(&["x"])])
}
