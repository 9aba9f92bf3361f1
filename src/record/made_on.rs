//! What a run was made on and from, for its record: the machine, the memory, the files of its data.

use serde::{Deserialize, Serialize};

/// The machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// The processor, as it calls itself; empty where it does not say.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub cpu: String,
    /// Processors that the process may use.
    pub cores: usize,
    /// System and architecture: `linux x86_64`.
    pub system: String,
}

impl Machine {
    /// This machine.
    pub fn here() -> Self {
        let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        Self {
            cpu: cpu(&text),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            system: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        }
    }
}

/// The processor's name in `/proc/cpuinfo`.
fn cpu(text: &str) -> String {
    let of = |key: &str| {
        let line = text.lines().find(|line| line.split(':').next().is_some_and(|k| k.trim() == key))?;
        Some(line.split_once(':')?.1.trim().to_string()).filter(|name| !name.is_empty())
    };
    of("model name").or_else(|| of("Processor")).or_else(|| of("CPU part")).unwrap_or_default()
}

/// What the processes of a run have to say to each other in the steps of an epoch, as the first of them sees it.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq)]
pub struct Exchange {
    /// Megabytes that it gives away in a step, each counted once, whoever gets it.
    pub megabytes_a_step: f64,
    /// Those of them that are gradients of weights, which are added up while backward goes on.
    #[serde(default)]
    pub gradients_mb: f64,
    /// How often in a step it waits for the others: for values of all samples, and for sums.
    #[serde(default)]
    pub meetings: f64,
    /// Milliseconds of a step for what every process computes of all samples, of one step of each of the last epochs: they grow with the batch,
    /// whoever shares it.
    #[serde(default)]
    pub common_ms: f64,
    /// The part of the time in which something is on its way.
    pub under_way: f64,
    /// The part of the time in which it waits for others, for those that are slower as well.
    pub waited: f64,
    /// The part of the time that gradients are on their way in which it computes: 1 where nothing is waited for.
    #[serde(default)]
    pub hidden: f64,
    /// The sums of gradients of the last step, in the order in which they begin.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sums: Vec<SumBegun>,
}

/// A sum of gradients.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, PartialEq)]
pub struct SumBegun {
    /// Megabytes of this process.
    pub mb: f64,
    /// Milliseconds of backward that were left when it began.
    pub left_ms: f64,
}

/// The memory of a run, in MB.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryUse {
    /// What was foretold; absent where the data alone sets a size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub foretold_mb: Option<u64>,
    /// The most that the process has had until the last epoch; absent where the system does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken_mb: Option<u64>,
}

/// What a training step took, in milliseconds: medians over a step of each of the last epochs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StepTimes {
    /// How many steps were measured.
    pub steps: usize,
    /// All of it.
    pub ms: f64,
    /// From the beginning of one step to that of the next, with the wait for data: the median over all steps of the last epoch, however few
    /// carry a watch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pace_ms: Option<f64>,
    /// Values of the models.
    pub forward_ms: f64,
    /// All other values.
    pub losses_ms: f64,
    /// Gradients.
    pub backward_ms: f64,
    /// Clipping, new weights, running statistics.
    pub optimizer_ms: f64,
    /// The operations that took most, the longest first; convolutions one by one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub operations: Vec<OperationTime>,
}

/// What an operation took in a step, in milliseconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct OperationTime {
    /// Its name, with what it has taken in: `conv+relu+pool`.
    pub op: String,
    /// The sizes of a convolution.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub sizes: String,
    /// How often it occurs.
    pub count: usize,
    /// Its values.
    pub forward_ms: f64,
    /// Its gradients.
    pub backward_ms: f64,
}

/// The files of a dataset.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataFiles {
    /// The dataset, as the pipeline names it.
    pub name: String,
    /// How many there are.
    pub files: usize,
    /// Their bytes in all.
    pub bytes: u64,
    /// The hash of the list of them: `b3:0c5d1f22a0b7e319`. The list is in `data.b3`, as `b3sum` writes it.
    pub hash: String,
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn a_processor_says_what_it_is() {
        assert_eq!(cpu("processor\t: 0\nmodel\t: 85\nmodel name\t: Some(R) CPU @ 2 GHz\n"), "Some(R) CPU @ 2 GHz");
        assert_eq!(cpu("processor\t: 0\nCPU part\t: 0xd0c\n"), "0xd0c");
        assert_eq!(cpu(""), "");
        let here = Machine::here();
        assert!(here.cores > 0 && here.system.contains(' '), "{here:?}");
    }
}
