//! Every call to the system that a run makes fails once, one after the other: the run ends with a report, its folder holds nothing torn, and
//! it goes on to the bytes of a run that nothing happened to.
//!
//! `RORD_KILLS=200 cargo test --release --test program failing` takes every call; without it a few of each kind.

#![cfg(target_os = "linux")]

use std::path::Path;
use std::process::{Command, Output};

use super::cli::rord;
use super::resume::{FULL, kills, same, whole};
use super::skip::skip;

/// Runs the binary with the `n`th call of a kind failing.
fn failing(dir: &Path, call: &str, error: &str, n: usize, args: &[&str]) -> Output {
    let inject = format!("inject={call}:error={error}:when={n}");
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={call}"), "-e", &inject]);
    command.arg(env!("CARGO_BIN_EXE_rord-run")).args(args).current_dir(dir).output().unwrap()
}

/// Whether a call of a kind is made for the `n`th time at all.
fn reached(dir: &Path, call: &str, args: &[&str]) -> usize {
    let log = dir.join("calls");
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-o", log.to_str().unwrap(), "-e", &format!("trace={call}")]);
    command.arg(env!("CARGO_BIN_EXE_rord-run")).args(args).current_dir(dir).output().unwrap();
    let calls = std::fs::read_to_string(&log).unwrap();
    std::fs::remove_file(&log).unwrap();
    std::fs::remove_dir_all(dir.join("run")).unwrap();
    calls.lines().filter(|line| line.contains('(')).count()
}

/// Nothing in a run's folder is torn.
fn whole_files(run: &Path, what: &str) {
    let Ok(entries) = std::fs::read_dir(run) else { return };
    for path in entries.map(|entry| entry.unwrap().path()) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name.starts_with('.') {
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        if name.ends_with(".safetensors") {
            assert!(safetensors::SafeTensors::deserialize(&bytes).is_ok(), "{what}: {name} is torn");
        } else if name == "metrics.jsonl" {
            let text = String::from_utf8(bytes).unwrap();
            assert!(text.is_empty() || text.ends_with('\n'), "{what}: half a line of metrics");
            assert!(text.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()), "{what}");
        } else if name == "run.yaml" {
            assert!(serde_yaml::from_slice::<serde_yaml::Value>(&bytes).is_ok(), "{what}: {name} is torn");
        }
    }
}

#[test]
fn every_call_that_fails_is_a_report_and_the_run_goes_on_from_there() {
    if !Command::new("strace").arg("-V").output().is_ok_and(|out| out.status.success()) {
        return skip("there is no strace");
    }
    let text = FULL.replace("Count  = 12", "Count  = 3").replace("every = 5epochs", "every = 2epochs");
    let (dir, whole, _) = whole(&text);
    let dir = dir.path();
    let args = ["full.rord", "--out", "run", "--threads", "2"];
    let most = kills(1);
    let mut figures = Vec::new();
    // A disk that is full, one that is broken, folders that cannot be changed, threads and memory that are not given.
    let calls = [
        ("write", "ENOSPC"),
        ("fsync", "EIO"),
        ("fdatasync", "EIO"),
        ("rename", "EIO"),
        ("mkdir", "EACCES"),
        ("ftruncate", "EIO"),
        ("clone3", "EAGAIN"),
        ("mmap", "ENOMEM"),
    ];
    for (call, error) in calls {
        let count = reached(dir, call, &args);
        let every = if most < 50 { count.div_ceil(3).max(1) } else { 1 };
        let (mut failed, mut tried) = (0, 0);
        for n in (1..=count).step_by(every) {
            let what = format!("{call} {n} of {count} fails with {error}");
            let out = failing(dir, call, error, n, &args);
            let said = String::from_utf8_lossy(&out.stderr).into_owned();
            assert!(!said.contains("panicked"), "{what}: {said}");
            // The loader gets no memory before the program begins.
            let code = out.status.code();
            let loading = said.is_empty() || said.contains("error while loading shared libraries");
            let begun = call != "mmap" || !(loading && matches!(code, None | Some(127)));
            assert!(matches!(code, Some(0 | 1)) || !begun, "{what}: {code:?}: {said}");
            whole_files(&dir.join("run"), &what);
            let again = rord(dir, &["full.rord", "--out", "run", "--auto-resume"]);
            assert_eq!(again.status.code(), Some(0), "{what}: {}", String::from_utf8_lossy(&again.stderr));
            same(&super::resume::left(&dir.join("run")), &whole, &what);
            std::fs::remove_dir_all(dir.join("run")).unwrap();
            (failed, tried) = (failed + usize::from(code != Some(0)), tried + 1);
        }
        figures
            .push(format!("{call}: {tried} of {count} failed, {failed} ended the run, all went on to the same bytes"));
    }
    eprintln!("{}", figures.join("\n"));
}
