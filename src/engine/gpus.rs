//! The GPUs of processes that share a run: which of them are one and the same, and how they add up gradients.
//!
//! Processes find each other by MPI, and everything short goes that way. Gradients are added up on the GPUs where NCCL connects them, and in the
//! host's memory elsewhere, to the same bits.

use std::sync::Arc;

use candle_core::Device;

use super::refusals::{self, Stop};
use rord_device::across::{Across, Company};
use rord_device::nccl;
use rord_ranks::{Lost, Ranks};

/// Two processes, each by its number, on one GPU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Twice {
    /// The first of them.
    pub first: usize,
    /// The other.
    pub second: usize,
    /// What the GPU is called.
    pub gpu: String,
}

/// The GPU of each of the processes of a machine that see so many, where none is asked for: one each, in their order.
pub fn own(ranks: &Ranks, visible: usize) -> usize {
    ranks.place() % visible.max(1)
}

/// The first two processes that are on one GPU, if any are. All call this.
pub fn twice(ranks: &Ranks, device: &Device) -> Result<Option<Twice>, Stop> {
    let own = rord_device::identity(device);
    // One that cannot say it is asked all the same: the others wait for its answer.
    let text = own.as_ref().map(|(id, name)| format!("{id}\n{name}")).unwrap_or_default();
    let all = ranks.texts(&text)?;
    own?;
    Ok(same(&all))
}

/// The first two that have the same GPU, of texts that begin with what tells GPUs apart, and go on with their names.
fn same(all: &[String]) -> Option<Twice> {
    let id = |text: &String| text.lines().next().unwrap_or_default().to_string();
    all.iter().enumerate().filter(|(_, text)| !text.is_empty()).find_map(|(second, text)| {
        let first = all.iter().take(second).position(|other| id(other) == id(text))?;
        Some(Twice { first, second, gpu: text.lines().nth(1).unwrap_or("a GPU").to_string() })
    })
}

/// What is known of the other processes by MPI.
struct Others(Arc<Ranks>);

impl Company for Others {
    fn left(&self) -> bool {
        self.0.trouble().is_some()
    }

    fn moving(&self, begins: bool) {
        self.0.aside(begins);
    }
}

/// As [`Across::begin`] with what the ranks know of each other.
pub fn beside<M: rord_device::across::Mover>(
    ranks: &Arc<Ranks>,
    connect: impl FnOnce() -> candle_core::Result<M> + Send + 'static,
    device: &Device,
) -> candle_core::Result<Across> {
    Across::begin(move |_| connect(), Others(ranks.clone()), device)
}

/// Connects the GPUs of all processes, and says how gradients go; nothing where there are no GPUs or no other processes. All call this.
pub fn connect(ranks: Option<&Arc<Ranks>>, device: &Device) -> Result<(Option<Across>, Option<String>), Stop> {
    let Some(ranks) = ranks.filter(|_| rord_device::on(device)) else { return Ok((None, None)) };
    let by_host = |why: String| Ok((None, Some(format!("warning: gradients go through the host's memory: {why}"))));
    if !nccl::built() {
        return by_host("this build has no NCCL; one with it adds them up on the GPUs:  --features nccl".into());
    }
    if let Some(Twice { first, second, .. }) = twice(ranks, device)? {
        return by_host(format!("processes {first} and {second} share a GPU, and NCCL takes one process on each"));
    }
    let versions = ranks.texts(&nccl::version().unwrap_or_default())?;
    if let Some(rank) = versions.iter().position(String::is_empty) {
        return by_host(format!("process {rank} does not find NCCL (libnccl.so.2)"));
    }
    if let Some(rank) = versions.iter().position(|version| Some(version) != versions.first()) {
        let of = |rank: usize| versions.get(rank).cloned().unwrap_or_default();
        return by_host(format!("process {rank} has NCCL {}, and process 0 has {}", of(rank), of(0)));
    }
    // The first makes the meeting place; what it cannot do all learn, and not what they would wait for.
    let made = if ranks.leads() { nccl::meeting() } else { Ok(String::new()) };
    let failed = |e: candle_core::Error| match ranks.trouble() {
        Some(lost) => Stop::Lost(lost.clone()),
        None => refusals::gpus(&e),
    };
    let place = ranks.texts(made.as_deref().unwrap_or_default())?.into_iter().next().unwrap_or_default();
    made.map_err(failed)?;
    if place.is_empty() {
        return Err(Stop::Lost(Lost::Closed));
    }
    let across = nccl::begin(device, (ranks.rank(), ranks.size()), &place, Others(ranks.clone())).map_err(failed)?;
    let version = versions.into_iter().next().unwrap_or_default();
    Ok((Some(across), Some(format!("gradients of {} GPUs are added up over NCCL {version}", ranks.size()))))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn processes_of_a_machine_have_a_gpu_each() {
        let all = rord_ranks::threads::ranks(5).unwrap();
        let of = |visible| all.iter().map(|ranks| own(ranks, visible)).collect::<Vec<_>>();
        assert_eq!(of(8), [0, 1, 2, 3, 4]);
        // Each sees its own alone; there are too few, and the last ones share; there are none, which opening the device says.
        assert_eq!((of(1), of(3), of(0)), (vec![0; 5], vec![0, 1, 2, 0, 1], vec![0; 5]));
    }

    #[test]
    fn two_on_one_gpu_are_named() {
        let all = |ids: &[&str]| ids.iter().map(|id| format!("{id}\nNVIDIA H100")).collect::<Vec<_>>();
        assert_eq!(same(&all(&["a", "b", "c"])), None);
        // Those that could not say it say so themselves.
        assert_eq!(same(&[String::new(), String::new()]), None);
        let gpu = "NVIDIA H100".to_string();
        assert_eq!(same(&all(&["a", "b", "c", "b", "a"])), Some(Twice { first: 1, second: 3, gpu }));
    }

    #[test]
    fn what_mpi_knows_of_others_ends_a_sum_over_gpus() {
        let all: Vec<Arc<Ranks>> = rord_ranks::threads::ranks(2).unwrap().into_iter().map(Arc::new).collect();
        let movers = rord_device::across::threads::movers(2);
        let found: Vec<String> = std::thread::scope(|scope| {
            let one = |(ranks, mover): (&Arc<Ranks>, _)| {
                let ranks = ranks.clone();
                scope.spawn(move || {
                    let across = beside(&ranks, move || Ok(mover), &Device::Cpu).unwrap();
                    if ranks.leads() {
                        ranks.tell("no memory");
                        return String::new();
                    }
                    let own = candle_core::Tensor::new(&[1.0f32, 2.0], &Device::Cpu).unwrap();
                    let error = across.sum(&[own]).unwrap().wait(&|| true).map(|_| ()).unwrap_err();
                    format!("{error}; {:?}", ranks.trouble())
                })
            };
            let threads: Vec<_> = all.iter().zip(movers).map(one).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let [_, found] = found.as_slice() else { panic!() };
        assert!(found.starts_with("another process is gone") && found.contains("no memory"), "{found}");
    }

    #[test]
    fn nothing_is_connected_without_gpus_or_others() {
        let ranks = Arc::new(rord_ranks::threads::ranks(1).unwrap().remove(0));
        for ranks in [None, Some(&ranks)] {
            let (across, said) = connect(ranks, &Device::Cpu).unwrap();
            assert!(across.is_none() && said.is_none());
        }
    }
}
