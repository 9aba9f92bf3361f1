//! What the talk of a rank costs: bytes, calls and time, apart for what a computation waits for at once and for what goes on beside it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::Lane;

/// What a rank has spent on the talk with others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// On what was waited for at once.
    pub now: Costs,
    /// On what went on beside the computation.
    pub beside: Costs,
}

/// What one of the two has cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Costs {
    /// Bytes that were given away, each counted once, whoever gets it.
    pub bytes: u64,
    /// Gathers and sums.
    pub calls: u64,
    /// The time that something was on its way. What is waited for at once passes what goes on beside: such times are counted in both.
    pub talked: Duration,
    /// The part of `talked` in which something was on its way beside as well; 0 there.
    pub meanwhile: Duration,
    /// The time that computations have waited for answers.
    pub waited: Duration,
}

impl Spent {
    /// Bytes in all.
    pub fn bytes(&self) -> u64 {
        self.now.bytes + self.beside.bytes
    }

    /// The time that anything was on its way.
    pub fn talked(&self) -> Duration {
        (self.now.talked + self.beside.talked).saturating_sub(self.now.meanwhile)
    }

    /// The time that computations have waited for anything.
    pub fn waited(&self) -> Duration {
        self.now.waited + self.beside.waited
    }

    /// What has been spent since then.
    pub fn since(&self, then: &Self) -> Self {
        let less = |now: Costs, then: Costs| Costs {
            bytes: now.bytes.saturating_sub(then.bytes),
            calls: now.calls.saturating_sub(then.calls),
            talked: now.talked.saturating_sub(then.talked),
            meanwhile: now.meanwhile.saturating_sub(then.meanwhile),
            waited: now.waited.saturating_sub(then.waited),
        };
        Self { now: less(self.now, then.now), beside: less(self.beside, then.beside) }
    }
}

/// The same while it grows, by lane.
#[derive(Default)]
pub(crate) struct Meter([Counters; 2]);

#[derive(Default)]
struct Counters {
    bytes: AtomicU64,
    calls: AtomicU64,
    /// Nanoseconds.
    talked: AtomicU64,
    meanwhile: AtomicU64,
    waited: AtomicU64,
}

fn add(to: &AtomicU64, time: Duration) {
    to.fetch_add(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
}

impl Meter {
    fn of(&self, lane: Lane) -> &Counters {
        let [now, beside] = &self.0;
        if lane == Lane::Now { now } else { beside }
    }

    /// Words are given away in a call.
    pub fn gives(&self, lane: Lane, words: usize) {
        self.of(lane).bytes.fetch_add(4 * words as u64, Ordering::Relaxed);
        self.of(lane).calls.fetch_add(1, Ordering::Relaxed);
    }

    /// A call took so long; `meanwhile` where another was open beside it.
    pub fn talked(&self, lane: Lane, time: Duration, meanwhile: bool) {
        add(&self.of(lane).talked, time);
        if meanwhile {
            add(&self.of(lane).meanwhile, time);
        }
    }

    /// A computation has waited.
    pub fn waited(&self, lane: Lane, time: Duration) {
        add(&self.of(lane).waited, time);
    }

    /// What has been spent so far.
    pub fn spent(&self) -> Spent {
        let costs = |lane| {
            let counters = self.of(lane);
            let time = |nanoseconds: &AtomicU64| Duration::from_nanos(nanoseconds.load(Ordering::Relaxed));
            Costs {
                bytes: counters.bytes.load(Ordering::Relaxed),
                calls: counters.calls.load(Ordering::Relaxed),
                talked: time(&counters.talked),
                meanwhile: time(&counters.meanwhile),
                waited: time(&counters.waited),
            }
        };
        Spent { now: costs(Lane::Now), beside: costs(Lane::Beside) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_on_its_way_twice_counts_once() {
        let (meter, ms) = (Meter::default(), Duration::from_millis);
        meter.gives(Lane::Beside, 10);
        meter.gives(Lane::Now, 1);
        meter.talked(Lane::Beside, ms(30), false);
        meter.talked(Lane::Now, ms(20), true);
        meter.talked(Lane::Now, ms(5), false);
        let then = meter.spent();
        assert_eq!((then.bytes(), then.talked()), (44, ms(35)));
        meter.waited(Lane::Beside, ms(2));
        meter.waited(Lane::Now, ms(1));
        let since = meter.spent().since(&then);
        assert_eq!((since.bytes(), since.talked(), since.waited()), (0, ms(0), ms(3)));
    }
}
