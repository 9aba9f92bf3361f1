//! Whether this process was started as one of several.

/// The variables by which Open MPI, MPICH's Hydra, Intel MPI and Slurm's PMI and PMIx tell a process how many there are.
const COUNTS: [&str; 3] = ["OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "MPI_LOCALNRANKS"];

/// How many processes were started together with this one, itself included, as far as the environment says. Slurm tells a step's tasks
/// by `SLURM_STEP_NUM_TASKS`: a process outside of a step, in a batch script, has `SLURM_STEP_ID` unset or is the only one.
pub fn launched() -> usize {
    launched_by(|name| std::env::var(name).ok())
}

/// True where the environment does not say that this process is another than the first.
pub fn first() -> bool {
    const PLACES: [&str; 3] = ["OMPI_COMM_WORLD_RANK", "PMI_RANK", "SLURM_PROCID"];
    PLACES.iter().find_map(|name| std::env::var(name).ok()).is_none_or(|rank| rank.trim() == "0")
}

fn launched_by(get: impl Fn(&str) -> Option<String>) -> usize {
    let count = |name: &str| get(name).and_then(|text| text.trim().parse::<usize>().ok());
    let slurm = count("SLURM_STEP_NUM_TASKS").filter(|_| get("SLURM_PROCID").is_some());
    COUNTS.into_iter().filter_map(count).chain(slurm).max().unwrap_or(1).max(1)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::launched_by;

    #[test]
    fn every_launcher_is_known_and_a_batch_script_is_one_process() {
        let given = |pairs: &'static [(&str, &str)]| {
            launched_by(move |name| pairs.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_string()))
        };
        assert_eq!(given(&[]), 1);
        assert_eq!(given(&[("OMPI_COMM_WORLD_SIZE", "4")]), 4);
        assert_eq!(given(&[("PMI_SIZE", "3")]), 3);
        assert_eq!(given(&[("SLURM_STEP_NUM_TASKS", "8"), ("SLURM_PROCID", "5")]), 8);
        assert_eq!(given(&[("SLURM_NTASKS", "8"), ("SLURM_PROCID", "0")]), 1, "a batch script");
        assert_eq!(given(&[("OMPI_COMM_WORLD_SIZE", "many")]), 1);
    }
}
