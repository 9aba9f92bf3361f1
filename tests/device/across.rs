//! Sums over GPUs by NCCL against those formed here: over all GPUs that this process sees, a thread for each; with one, over that alone.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use candle_core::{Device, Result, Tensor};
use rord_device::across::Company;
use rord_device::nccl;

/// The threads of a process do not leave one another.
struct Here;

impl Company for Here {
    fn left(&self) -> bool {
        false
    }
}

/// What of NCCL is there without a GPU: its version, and that it finds a network to meet in.
pub fn library() -> String {
    match (nccl::version(), nccl::meeting()) {
        (None, _) => "NCCL is not found (libnccl.so.2)".into(),
        (Some(version), Ok(meeting)) => format!("NCCL {version} is there, and meets at {}…", &meeting[..16]),
        (Some(version), Err(e)) => format!("NCCL {version} is there, but: {e}"),
    }
}

/// Numbers of a rank. Those of ranks 2 and 3 cancel each other, and leave of those before them what f64 keeps beside them: in another order
/// more.
fn numbers(rank: usize, count: usize) -> Vec<f32> {
    let scale = [1.0, 1e-8, 1e17, -1e17, 1e-3][rank.min(4)];
    (0..count).map(|at| ((at * 7919 + 31 * rank.min(2)) % 1013) as f32 * scale).collect()
}

/// Adds up buckets of several lengths: a line that says of how many GPUs, and how fast. Errors: what does not add up.
pub fn sums() -> Result<String> {
    const LENGTHS: [&[usize]; 5] = [&[7], &[3, 1, 13], &[1], &[1 << 18], &[4096, 0, 5]];
    let ranks = rord_device::visible();
    let meeting = nccl::meeting()?;
    let one = |rank: usize| -> Result<f64> {
        let device = Device::new_cuda(rank)?;
        rord_device::ready(&device)?;
        let across = nccl::begin(&device, (rank, ranks), &meeting, Here)?;
        let mut fastest = f64::INFINITY;
        for _ in 0..3 {
            let mut begun = Vec::new();
            for lengths in LENGTHS {
                let all = numbers(rank, lengths.iter().sum());
                let mut from = 0;
                let cut = lengths.iter().map(|n| {
                    from += n;
                    Tensor::new(&all[from - n..from], &device)
                });
                begun.push((all.len(), across.sum(&cut.collect::<Result<Vec<Tensor>>>()?)?));
            }
            for (count, sum) in begun {
                let found = sum.wait(&|| true)?;
                let own: Vec<Vec<f32>> = (0..ranks).map(|rank| numbers(rank, count)).collect();
                let of = |at: usize| own.iter().fold(0.0f64, |sum, own| sum + f64::from(own[at])) as f32;
                let numbers = found.numbers.to_vec1::<f32>()?;
                if let Some(at) = (0..count).find(|at| numbers[*at] != of(*at)) {
                    candle_core::bail!("number {at} of {count} came to {} in place of {}", numbers[at], of(at))
                }
                if count == 1 << 18 {
                    fastest = fastest.min(found.took.as_secs_f64());
                }
            }
        }
        Ok(fastest)
    };
    let all = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..ranks).map(|rank| scope.spawn(move || one(rank))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Result<Vec<f64>>>()
    })?;
    let slowest = all.into_iter().fold(0.0, f64::max);
    Ok(format!("sums over {ranks} GPU(s) by NCCL have the bits of their order; 1 MiB took {:.2} ms", 1e3 * slowest))
}
