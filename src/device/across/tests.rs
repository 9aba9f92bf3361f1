//! Sums over ranks that are threads: their order, what does not divide, and ranks that are gone.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::threads::{Threads, movers};
use super::*;

/// Company that is there until it is said to be gone.
#[derive(Clone, Default)]
struct Known(Arc<AtomicBool>);

impl Company for Known {
    fn left(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Calls `f` for each of so many ranks, on a thread of its own.
fn on_all<T: Send>(size: usize, known: &Known, f: impl Fn(usize, Across) -> T + Sync) -> Vec<T> {
    std::thread::scope(|scope| {
        let one = |(rank, mover): (usize, Threads)| {
            let (known, f) = (known.clone(), &f);
            scope.spawn(move || f(rank, Across::begin(move |_| Ok(mover), known, &Device::Cpu).unwrap()))
        };
        let threads: Vec<_> = movers(size).into_iter().enumerate().map(one).collect();
        threads.into_iter().map(|t| t.join().unwrap()).collect()
    })
}

/// Numbers of a rank. Those of ranks 2 and 3 cancel each other, and leave of those before them what f64 keeps beside them: in another order
/// more.
fn numbers(rank: usize, count: usize) -> Vec<f32> {
    let scale = [1.0, 1e-8, 1e17, -1e17, 1e-3][rank];
    (0..count).map(|at| ((at * 7919 + 31 * rank.min(2)) % 1013) as f32 * scale).collect()
}

fn in_order(size: usize, count: usize) -> Vec<f32> {
    let all: Vec<Vec<f32>> = (0..size).map(|rank| numbers(rank, count)).collect();
    (0..count).map(|at| all.iter().fold(0.0f64, |sum, own| sum + f64::from(own[at])) as f32).collect()
}

#[test]
fn sums_are_those_in_the_order_of_ranks_and_the_same_everywhere() {
    for size in [1, 2, 3, 5] {
        let found = on_all(size, &Known::default(), |rank, across| {
            // Buckets of one tensor and of several, none of which the ranks divide, growing and shrinking; two are on their way at once.
            let of = |lengths: &[usize]| {
                let all = numbers(rank, lengths.iter().sum());
                let mut from = 0;
                let cut = lengths.iter().map(|n| {
                    from += n;
                    Tensor::new(&all[from - n..from], &Device::Cpu).unwrap()
                });
                cut.collect::<Vec<Tensor>>()
            };
            let begun: Vec<Sum> = [&[7][..], &[3, 1, 13], &[1], &[4096, 0, 5], &[30]]
                .into_iter()
                .map(|lengths| across.sum(&of(lengths)).unwrap())
                .collect();
            begun
                .into_iter()
                .map(|sum| sum.wait(&|| true).unwrap().numbers.to_vec1().unwrap())
                .collect::<Vec<Vec<f32>>>()
        });
        let expected: Vec<Vec<f32>> = [7, 17, 1, 4101, 30].map(|count| in_order(size, count)).into();
        assert!(found.iter().all(|own| *own == expected), "{size} ranks");
    }
}

#[test]
fn what_is_given_stays_as_it_is() {
    // Of a length that is moved as it is, and of one that is not.
    for count in [8, 9] {
        let kept = on_all(2, &Known::default(), |rank, across| {
            let own = Tensor::new(numbers(rank, count), &Device::Cpu).unwrap();
            let sum = across.sum(std::slice::from_ref(&own)).unwrap().wait(&|| true).unwrap();
            assert_eq!(sum.numbers.dims(), [count]);
            own.to_vec1::<f32>().unwrap() == numbers(rank, count)
        });
        assert_eq!(kept, [true, true]);
    }
}

#[test]
fn a_rank_that_is_gone_frees_those_that_wait() {
    let known = Known::default();
    let begun = Instant::now();
    let waiting = AtomicUsize::new(0);
    let found = on_all(3, &known, |rank, across| {
        let own = Tensor::new(&[1.0f32; 10], &Device::Cpu).unwrap();
        if rank == 1 {
            // It says nothing, and ends once the others wait for it; that it has is learned by another way.
            while waiting.load(Ordering::Relaxed) < 2 {
                std::thread::yield_now();
            }
            drop(across);
            known.0.store(true, Ordering::Relaxed);
            return None;
        }
        let sum = across.sum(std::slice::from_ref(&own)).unwrap();
        waiting.fetch_add(1, Ordering::Relaxed);
        // The computation has not heard of it yet: the thread ends the wait.
        let first = sum.wait(&|| true).map(|_| ()).unwrap_err().to_string();
        // Nothing can begin after that, and nothing waits.
        let second = across.sum(&[own]).unwrap().wait(&|| true).map(|_| ()).unwrap_err().to_string();
        Some([first, second])
    });
    let said = |text: &str| text.starts_with("another process is gone");
    assert!(
        found[1].is_none() && [0, 2].iter().all(|r| found[*r].as_ref().unwrap().iter().all(|t| said(t))),
        "{found:?}"
    );
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

#[test]
fn a_computation_that_has_heard_of_it_stops_waiting_by_itself() {
    let found = on_all(2, &Known::default(), |rank, across| {
        if rank == 1 {
            std::thread::sleep(Duration::from_millis(200));
            return across.size == 2;
        }
        let sum = across.sum(&[Tensor::new(&[1.0f32; 10], &Device::Cpu).unwrap()]).unwrap();
        let ended = sum.wait(&|| false).is_err();
        // Its thread waits for what the other never adds, and is not waited for.
        drop(across);
        ended
    });
    assert_eq!(found, [true, true]);
}

/// A mover that gets the parts of ranks in the wrong order, or fails.
struct Broken(Threads, bool);

impl Mover for Broken {
    type Room = Vec<f32>;

    fn rank(&self) -> usize {
        self.0.rank()
    }
    fn size(&self) -> usize {
        self.0.size()
    }
    fn room(&mut self, count: usize) -> Result<Vec<f32>> {
        self.0.room(count)
    }
    fn follow(&mut self, since: &Moment) -> Result<()> {
        self.0.follow(since)
    }
    fn exchange(&mut self, own: &Tensor, parts: &mut Vec<f32>, part: usize, goes_on: GoesOn) -> Result<()> {
        match self.1 {
            true => candle_core::bail!("no way"),
            false => self.0.exchange(own, parts, part, goes_on),
        }
    }
    fn add(&mut self, parts: &Vec<f32>, sums: &mut Vec<f32>, part: usize) -> Result<()> {
        self.0.add(parts, sums, part)?;
        sums[0] += 1.0;
        Ok(())
    }
    fn gather(&mut self, own: &Vec<f32>, all: &Tensor, part: usize, goes_on: GoesOn) -> Result<()> {
        self.0.gather(own, all, part, goes_on)
    }
    fn settled(&mut self, goes_on: GoesOn) -> Result<Duration> {
        self.0.settled(goes_on)
    }
    fn abandon(&mut self) {}
    fn leave(&mut self) {}
}

#[test]
fn what_does_not_add_up_is_known_before_anything_is_computed() {
    // Without what the environment may add to it.
    let said = |across: Result<Across>| across.map(|_| ()).unwrap_err().to_string().lines().next().unwrap().to_string();
    let begin = |fails: bool| {
        let mover = Broken(movers(1).remove(0), fails);
        said(Across::begin(move |_| Ok(mover), Known::default(), &Device::Cpu))
    };
    assert_eq!(begin(false), "the GPUs do not add up: number 0 of a trial came to 2 in place of 1");
    assert_eq!(begin(true), "no way");
    let none = |_: GoesOn<'_>| -> Result<Threads> { candle_core::bail!("not here") };
    assert_eq!(said(Across::begin(none, Known::default(), &Device::Cpu)), "not here");
}
