//! Processes that were started together, in a build that trains in one: refused, once, and only where they would train.

use crate::cli::{command, err};

const LAUNCHERS: [&[(&str, &str)]; 3] = [
    &[("OMPI_COMM_WORLD_SIZE", "4"), ("OMPI_COMM_WORLD_RANK", "0")],
    &[("PMI_SIZE", "4"), ("PMI_RANK", "0")],
    &[("SLURM_STEP_NUM_TASKS", "4"), ("SLURM_PROCID", "0")],
];

#[test]
fn several_processes_are_not_silently_several_equal_runs() {
    if cfg!(feature = "mpi") {
        return; // They would wait for one another; benches/ranks/try.sh tries that.
    }
    let dir = tempfile::tempdir().unwrap();
    let file = std::env::current_dir().unwrap().join("pipelines/default.rord");
    let file = file.to_str().unwrap();
    for launcher in LAUNCHERS {
        for words in [&["train", file, "--preset", "smoke", "--out", "run"][..], &["resume", "run"]] {
            let out = command(dir.path(), words).envs(launcher.iter().copied()).output().unwrap();
            assert_eq!(out.status.code(), Some(1), "{launcher:?}");
            let said = err(&out);
            assert!(said.contains("R0937") && said.contains("4 processes were started together"), "{said}");
            assert!(said.contains("--features mpi"), "{said}");
            assert!(!dir.path().join("run").exists(), "{launcher:?}");
        }
        // The others leave it to the first to say so.
        let second = launcher.iter().map(|(name, value)| (*name, if *value == "0" { "1" } else { *value }));
        let out = command(dir.path(), &["train", file, "--preset", "smoke"]).envs(second).output().unwrap();
        assert_eq!((out.status.code(), err(&out)), (Some(1), String::new()), "{launcher:?}");
        let out = command(dir.path(), &["types", file]).envs(launcher.iter().copied()).output().unwrap();
        assert_eq!(out.status.code(), Some(0), "{launcher:?}: {}", err(&out));
    }
    let out = command(dir.path(), &["check", file]).env("OMPI_COMM_WORLD_SIZE", "1").output().unwrap();
    assert_eq!(out.status.code(), Some(0), "{}", err(&out));
}
