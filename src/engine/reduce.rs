//! Adds up the gradients of weights over processes, while the rest of backward goes on.
//!
//! Gradients come in the order of backward, which is the same in every process. They are put in buckets of one size; a bucket that is
//! full is on its way at once: by the ranks' own engine, from the host's memory, or from GPU to GPU where they are connected.

use std::collections::HashMap;
use std::time::Instant;

use candle_core::{DType, Device, Tensor};

use super::program::{Part, Watch};
use rord_device::across::{Across, Sum};
use rord_graph::node::{Graph, NodeSource};
use rord_ops::compute::layout;
use rord_ranks::{Pending, Ranks};
use rord_record::SumBegun;

/// The most numbers of a bucket: 1 MiB. Larger ones leave more to wait for after backward.
const BUCKET: usize = 1 << 18;

/// The least: smaller ones spend their time on the way.
const SMALL_BUCKET: usize = 1 << 13;

/// Of a small network's gradients so many buckets are made, or the only one would begin when backward is over.
const BUCKETS: usize = 8;

/// A gradient in a bucket: its weight, its place there, and its shape.
struct Place {
    weight: usize,
    from: usize,
    shape: Vec<usize>,
}

/// A bucket that is on its way.
enum Sent<'a> {
    ByHost(Pending<'a, f32>),
    Across(Sum),
}

/// A bucket of sums.
enum Sums {
    Host(Vec<f32>),
    Device(Tensor),
}

/// A watch that takes the gradients of weights as they come, and passes everything on to another.
pub struct Reducing<'a, W> {
    ranks: &'a Ranks,
    /// The GPUs, where they are connected.
    across: Option<&'a Across>,
    watch: &'a mut W,
    /// The weight of each node that is one.
    weights: HashMap<usize, usize>,
    /// Gradients of the batches of the step before this one, of this process.
    earlier: &'a [Option<Tensor>],
    /// The numbers of a full bucket.
    full: usize,
    filling: Vec<Tensor>,
    /// The numbers in it.
    filled: usize,
    places: Vec<Place>,
    sent: Vec<(Vec<Place>, Sent<'a>)>,
    /// When each sum began, and of how many numbers.
    begun: Vec<(Instant, usize)>,
    fault: Option<candle_core::Error>,
}

impl<'a, W: Watch> Reducing<'a, W> {
    /// A watch of one backward pass of this graph. Gradients lie on the devices that `across` connects, or anywhere where there is none.
    pub fn new(
        (ranks, across): (&'a Ranks, Option<&'a Across>),
        graph: &Graph,
        earlier: &'a [Option<Tensor>],
        watch: &'a mut W,
    ) -> Self {
        let weights = graph.nodes.iter().enumerate().filter_map(|(node, n)| match n.source {
            NodeSource::Weight(weight) => Some((node, weight)),
            _ => None,
        });
        let all: usize = graph.weights.iter().map(|weight| weight.shape.iter().product::<usize>()).sum();
        let full = (all / BUCKETS).clamp(SMALL_BUCKET, BUCKET);
        let (filling, filled, places, sent, begun) = (Vec::new(), 0, Vec::new(), Vec::new(), Vec::new());
        let weights = weights.collect();
        Self { ranks, across, watch, weights, earlier, full, filling, filled, places, sent, begun, fault: None }
    }

    fn take(&mut self, weight: usize, gradient: &Tensor) -> candle_core::Result<()> {
        let gradient = match self.earlier.get(weight).and_then(Option::as_ref) {
            Some(earlier) => (earlier + gradient)?,
            None => gradient.clone(),
        };
        let shape = gradient.dims().to_vec();
        let numbers = layout::first(&gradient)?.flatten_all()?.to_dtype(DType::F32)?;
        self.places.push(Place { weight, from: self.filled, shape });
        self.filled += numbers.elem_count();
        self.filling.push(numbers);
        if self.filled >= self.full {
            self.send()?;
        }
        Ok(())
    }

    fn send(&mut self) -> candle_core::Result<()> {
        let (tensors, places) = (std::mem::take(&mut self.filling), std::mem::take(&mut self.places));
        let count = std::mem::take(&mut self.filled);
        if places.is_empty() {
            return Ok(());
        }
        let begun = Instant::now();
        let sent = match self.across {
            Some(across) => Sent::Across(across.sum(&tensors)?),
            None => Sent::ByHost(self.ranks.begin_sum(numbers(&tensors)?)),
        };
        self.begun.push((begun, count));
        self.sent.push((places, sent));
        Ok(())
    }

    /// Waits for the sums and puts them in place of the gradients of this process. Is called once backward is over; the sums that were begun.
    pub fn finish(mut self, gradients: &mut [Option<Tensor>], device: &Device) -> candle_core::Result<Vec<SumBegun>> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        self.send()?;
        let over = Instant::now();
        for (places, sent) in self.sent {
            let sums = match sent {
                Sent::ByHost(sums) => Sums::Host(sums.wait().map_err(candle_core::Error::wrap)?),
                Sent::Across(sums) => {
                    let sums = sums.wait(&|| self.ranks.trouble().is_none())?;
                    self.ranks.moved_aside(sums.numbers.elem_count(), sums.took, sums.waited);
                    Sums::Device(sums.numbers)
                }
            };
            for Place { weight, from, shape } in places {
                let count: usize = shape.iter().product();
                let own = match &sums {
                    Sums::Host(sums) => {
                        Tensor::from_slice(sums.get(from..from + count).unwrap_or_default(), shape, device)?
                    }
                    Sums::Device(sums) => sums.narrow(0, from, count)?.reshape(shape)?,
                };
                if let Some(slot) = gradients.get_mut(weight) {
                    *slot = Some(own);
                }
            }
        }
        let begun = |(at, numbers): &(Instant, usize)| SumBegun {
            mb: 4e-6 * *numbers as f64,
            left_ms: 1e3 * over.duration_since(*at).as_secs_f64(),
        };
        Ok(self.begun.iter().map(begun).collect())
    }
}

/// The numbers of all tensors in the host's memory. From a GPU they are fetched at once.
fn numbers(tensors: &[Tensor]) -> candle_core::Result<Vec<f32>> {
    if tensors.first().is_some_and(|t| !t.device().is_cpu()) {
        return Tensor::cat(tensors, 0)?.to_vec1();
    }
    let mut all = Vec::new();
    for tensor in tensors {
        all.append(&mut tensor.to_vec1()?);
    }
    Ok(all)
}

impl<W: Watch> Watch for Reducing<'_, W> {
    fn done(&mut self, part: Part) {
        self.watch.done(part);
    }

    fn value(&mut self, node: usize, value: &Tensor) {
        self.watch.value(node, value);
    }

    fn gradient(&mut self, node: usize, gradient: &Tensor) {
        self.watch.gradient(node, gradient);
        if let Some(weight) = self.weights.get(&node).copied()
            && self.fault.is_none()
            && let Err(fault) = self.take(weight, gradient)
        {
            self.fault = Some(fault);
        }
    }
}
