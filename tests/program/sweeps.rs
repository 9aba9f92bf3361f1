//! Sweeps that several processes share.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use super::cli::{TINY, command, err, rord};

const RUNS: [&str; 4] = ["1-lr=1e-3,margin=0.5", "2-lr=1e-3,margin=1", "3-lr=3e-4,margin=0.5", "4-lr=3e-4,margin=1"];

/// A folder with a pipeline of four points.
fn four() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let text = format!(
        "{TINY}\nsweep rates {{ lr = [1e-3, 3e-4], margin = [0.5, 1.0] }}\nsweep bad {{ lr = [1e-3, 0.99], margin = [1.0, 3e38] }}\n"
    );
    std::fs::write(dir.path().join("tiny.rord"), text).unwrap();
    dir
}

fn sweep(dir: &Path, out: &str, more: &[&str]) -> Output {
    rord(dir, &[&["sweep", "tiny.rord", "rates", "--out", out], more].concat())
}

/// The weights of every run of a sweep. Nothing else may be there.
fn weights(sweep: &Path) -> BTreeMap<String, Vec<u8>> {
    let names = std::fs::read_dir(sweep).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
    let runs = names.filter(|name| ![".claims", "sweep.yaml"].contains(&name.as_str()));
    runs.map(|run| (run.clone(), std::fs::read(sweep.join(run).join("last.safetensors")).unwrap())).collect()
}

#[test]
fn jobs_and_workers_make_the_runs_that_one_process_makes() {
    let dir = four();
    let dir = dir.path();
    let alone = sweep(dir, "alone", &[]);
    assert_eq!(alone.status.code(), Some(0), "{}", err(&alone));
    let whole = weights(&dir.join("alone"));
    assert_eq!(whole.keys().collect::<Vec<_>>(), RUNS);
    let table = |out: &Output, folder: &str| {
        let said = String::from_utf8(out.stdout.clone()).unwrap();
        said[said.find("4 runs\n").unwrap_or_else(|| panic!("{said}"))..].replace(&format!("{folder}/"), "")
    };

    let jobs = sweep(dir, "jobs", &["--jobs", "3", "--threads", "3"]);
    let said = err(&jobs);
    assert_eq!(jobs.status.code(), Some(0), "{said}");
    assert!(said.contains("3 jobs of 1 thread\n"), "{said}");
    // Each line says which run it is of.
    for number in 1..=4 {
        assert_eq!(said.matches(&format!("run {number} of 4: writing to jobs/")).count(), 1, "{said}");
    }
    assert_eq!(weights(&dir.join("jobs")), whole);
    assert_eq!(table(&jobs, "jobs"), table(&alone, "alone"));
    // Nothing is made twice, and nothing is started for it.
    let again = sweep(dir, "jobs", &["--jobs", "2"]);
    assert_eq!((again.status.code(), err(&again).contains("writing to")), (Some(0), false), "{}", err(&again));

    let workers: Vec<_> = (0..3)
        .map(|_| {
            let mut command = command(dir, &["sweep", "tiny.rord", "rates", "--out", "workers", "--worker"]);
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    let ended: Vec<Output> = workers.into_iter().map(|worker| worker.wait_with_output().unwrap()).collect();
    assert!(ended.iter().all(|out| out.status.code() == Some(0)), "{}", ended.iter().map(err).collect::<String>());
    let begun: usize = ended.iter().map(|out| err(out).matches("writing to workers/").count()).sum();
    assert_eq!((begun, weights(&dir.join("workers"))), (4, whole));

    let json = sweep(dir, "json", &["--jobs", "2", "--progress", "json"]);
    let lines = String::from_utf8(json.stdout).unwrap();
    let ends = lines.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let mut ends: Vec<String> =
        ends.filter(|line| line["event"] == "finished").map(|line| line["run"].as_str().unwrap().into()).collect();
    ends.sort();
    assert_eq!(ends, ["run 1 of 4", "run 2 of 4", "run 3 of 4", "run 4 of 4"], "{lines}");
}

#[test]
fn a_run_that_another_process_has_is_left_to_it() {
    let dir = four();
    let dir = dir.path();
    assert_eq!(sweep(dir, "all", &[]).status.code(), Some(0));
    let run = dir.join("all").join(RUNS[1]);
    std::fs::remove_dir_all(&run).unwrap();
    let claim = rord_files::Lock::take(&dir.join("all/.claims").join(RUNS[1])).unwrap();
    let alone = sweep(dir, "all", &[]);
    let said = err(&alone);
    assert_eq!(alone.status.code(), Some(1), "{said}");
    assert!(said.contains(&format!("run 2 of 4 is being trained by process {}", std::process::id())), "{said}");
    assert!(said.contains("with --worker a process takes what no other has"), "{said}");
    let worker = sweep(dir, "all", &["--worker"]);
    let table = String::from_utf8(worker.stdout.clone()).unwrap();
    assert_eq!(worker.status.code(), Some(0), "{}", err(&worker));
    assert!(table.contains("being trained") && !run.exists(), "{table}");
    // One that was killed leaves its claim behind, which is nobody's.
    drop(claim);
    let worker = sweep(dir, "all", &["--worker"]);
    assert_eq!(worker.status.code(), Some(0), "{}", err(&worker));
    assert!(run.join("last.safetensors").exists());
}

#[test]
fn a_worker_leaves_what_failed_and_jobs_try_it_once_more() {
    let dir = four();
    let dir = dir.path();
    let bad = |more: &[&str]| {
        let out = rord(dir, &[&["sweep", "tiny.rord", "bad", "--out", "bad"], more].concat());
        let failed = err(&out).matches("R0902").count();
        (out.status.code(), failed, String::from_utf8(out.stdout).unwrap())
    };
    let (code, failed, table) = bad(&["--worker"]);
    assert!(code == Some(1) && failed > 0 && table.matches(" failed").count() == failed, "{table}");
    let (code, left, table) = bad(&["--worker"]);
    assert!(code == Some(0) && left == 0 && table.matches(" failed").count() == failed, "{table}");
    // Each of two would try again what the other has seen fail.
    let (code, again, table) = bad(&["--jobs", "2"]);
    assert!(
        code == Some(1) && again == failed && table.matches(" failed").count() == failed,
        "{again} {failed} {table}"
    );
}

#[cfg(unix)]
#[test]
fn a_signal_to_jobs_stops_all_of_them_and_the_same_command_goes_on() {
    let dir = four();
    let dir = dir.path();
    let args = ["sweep", "tiny.rord", "rates", "--out", "all", "--set", "epochs=25", "--jobs", "2"];
    assert_eq!(rord(dir, &[&args[..4], &["whole"], &args[5..7], &[]].concat()).status.code(), Some(0));
    let child = command(dir, &args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let begun = Instant::now();
    let runs = || (0..2).filter(|&k| dir.join("all").join(RUNS[k]).join("metrics.jsonl").exists()).count();
    while runs() < 2 {
        assert!(begun.elapsed() < Duration::from_secs(60));
        std::thread::sleep(Duration::from_millis(5));
    }
    let id = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    let out = child.wait_with_output().unwrap();
    let said = err(&out);
    assert_eq!(out.status.code(), Some(143), "{said}");
    assert_eq!(said.matches("the same command goes on with run").count(), 2, "{said}");
    let go_on = rord(dir, &args);
    assert_eq!(go_on.status.code(), Some(0), "{}", err(&go_on));
    assert_eq!(weights(&dir.join("all")), weights(&dir.join("whole")));
}

#[test]
fn jobs_are_checked_before_any_is_started() {
    let dir = four();
    let dir = dir.path();
    for (more, code, says) in [
        (vec!["--jobs", "0"], 2, "--jobs"),
        (vec!["--jobs", "2", "--worker"], 2, "--worker"),
        (vec!["--jobs", "2", "--set", "epochs=0"], 1, "R0701"),
        (vec!["--jobs", "2", "--set", "lr=1e-3"], 1, "R0825"),
        (vec!["--jobs", "2", "--device", "gpu"], 1, "gpu"),
    ] {
        let out = sweep(dir, "all", &more);
        let said = err(&out);
        assert_eq!((out.status.code(), said.matches(says).count() > 0), (Some(code), true), "{more:?}: {said}");
        assert!(!dir.join("all").exists(), "{more:?}");
        assert!(said.matches("R0").count() <= 1, "{more:?}: {said}");
    }
}
