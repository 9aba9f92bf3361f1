//! Every call to the system that a run makes fails once, and every allocation, one after the other: the run ends with a report, its
//! record says so, its folder holds nothing torn, and it goes on to the bytes of a run that nothing happened to.
//!
//! `RORD_FAILURES=all cargo test --release --test program failing -- --nocapture` goes on until none is left; a number takes as many of
//! each kind, spread over the run. Without it there are a few of each.

#![cfg(target_os = "linux")]

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Output};

use rord_kernels::allocator::failing::{fail_at, made};

use super::cli::rord;
use super::resume::{FULL, left, same, whole};
use super::skip::skip;

/// How many failures of each kind are made at most.
fn most(few: u64) -> u64 {
    match std::env::var("RORD_FAILURES").as_deref() {
        Ok("all") => u64::MAX,
        Ok(number) => number.parse().expect("RORD_FAILURES is `all` or a number"),
        Err(_) => few,
    }
}

/// Runs the binary with the `n`th call of a kind failing, in each of its threads; whether there was one.
fn failing(dir: &Path, call: &str, error: &str, n: u64, args: &[&str]) -> (Output, bool) {
    let log = dir.join("calls");
    let inject = format!("inject={call}:error={error}:when={n}");
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-o", log.to_str().unwrap(), "-e", &format!("trace={call}"), "-e", &inject]);
    let out = command.arg(env!("CARGO_BIN_EXE_rord-run")).args(args).current_dir(dir).output().unwrap();
    let calls = String::from_utf8_lossy(&std::fs::read(&log).unwrap()).into_owned();
    (out, calls.contains("(INJECTED)"))
}

/// Nothing in a run's folder is torn, and its record does not say what did not happen.
fn sound(run: &Path, code: Option<i32>, what: &str) {
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
            let record: serde_yaml::Value = serde_yaml::from_slice(&bytes).expect(what);
            let status = record["status"].as_str().unwrap();
            // One that could not be closed is still that of a run that goes on.
            let fits = if code == Some(0) { status == "finished" } else { ["failed", "running"].contains(&status) };
            assert!(fits, "{what}: {code:?}, and the record says {status}");
        }
    }
}

/// The run is taken up, and ends with the bytes of one that nothing happened to.
fn goes_on(dir: &Path, whole: &std::collections::BTreeMap<String, Vec<u8>>, what: &str) {
    let again = rord(dir, &["full.rord", "--out", "run", "--auto-resume"]);
    assert_eq!(again.status.code(), Some(0), "{what}: {}", String::from_utf8_lossy(&again.stderr));
    same(&left(&dir.join("run")), whole, what);
    std::fs::remove_dir_all(dir.join("run")).unwrap();
}

/// A run of three epochs that keeps all that a run can keep.
fn three_epochs() -> String {
    FULL.replace("Count  = 12", "Count  = 3").replace("every = 5epochs", "every = 2epochs")
}

const RUN: [&str; 5] = ["full.rord", "--out", "run", "--threads", "2"];

#[test]
fn every_call_that_fails_is_a_report_and_the_run_goes_on_from_there() {
    if !Command::new("strace").arg("-V").output().is_ok_and(|out| out.status.success()) {
        return skip("there is no strace");
    }
    let (dir, whole, _) = whole(&three_epochs());
    let dir = dir.path();
    let most = most(3);
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
        let (mut hit, mut ended, mut unloaded, mut n) = (0, 0, 0, 1);
        while hit < most {
            let what = format!("{call} {n} fails with {error}");
            let (out, failed) = failing(dir, call, error, n, &RUN);
            let said = String::from_utf8_lossy(&out.stderr).into_owned();
            let code = out.status.code();
            if !failed {
                assert_eq!(code, Some(0), "{what}: {said}");
                std::fs::remove_dir_all(dir.join("run")).unwrap();
                break;
            }
            // The loader, or the standard library, gets no memory before the program begins.
            let loading = said.is_empty() || said.contains("error while loading shared libraries");
            let starting = said.contains("thread 'main'") && said.contains("failed to allocate an alternative stack");
            let begun = call != "mmap" || !(loading && matches!(code, None | Some(127)) || starting);
            assert!(!said.contains("panicked") || !begun, "{what}: {said}");
            assert!(matches!(code, Some(0 | 1)) || !begun, "{what}: {code:?}: {said}");
            assert!(code != Some(1) || said.contains("R09") || call == "write", "{what}: {said}");
            sound(&dir.join("run"), code, &what);
            goes_on(dir, &whole, &what);
            (hit, ended, unloaded) = (hit + 1, ended + u64::from(code == Some(1)), unloaded + u64::from(!begun));
            n += if most < 50 { 7 } else { 1 };
        }
        let unloaded = if unloaded > 0 { format!(", {unloaded} before the program began") } else { String::new() };
        eprintln!("{call}: {hit} failed, {ended} ended the run{unloaded}; all went on to the same bytes");
    }
}

/// The program itself with an allocation that fails, in the process of a test: see below.
#[test]
fn the_program_in_a_process_of_its_own() {
    let (Ok(words), Ok(n)) = (std::env::var("RORD_PROGRAM"), std::env::var("RORD_FAILS_AT")) else { return };
    let words: Vec<OsString> = words.split('\n').map(OsString::from).collect();
    rord_cli::exhausted::watch();
    fail_at(n.parse().unwrap());
    let code = rord_cli::with(&words);
    eprintln!("\nallocations: {}", made());
    std::process::exit(i32::from(code));
}

/// Runs the program with its `n`th allocation failing; 0 for none.
fn without_memory(dir: &Path, n: u64) -> Output {
    let words = [&["rord-run"], &RUN[..]].concat().join("\n");
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "failing::the_program_in_a_process_of_its_own", "--nocapture"]).current_dir(dir);
    command.env("RORD_PROGRAM", words).env("RORD_FAILS_AT", n.to_string()).env("RUST_MIN_STACK", "8388608");
    command.env("RORD_WIDTH", "100").env("NO_COLOR", "1").env_remove("TERM").output().unwrap()
}

#[test]
fn every_allocation_that_fails_is_a_report_and_the_run_goes_on_from_there() {
    let (dir, whole, _) = whole(&three_epochs());
    let dir = dir.path();
    let out = without_memory(dir, 0);
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert_eq!(out.status.code(), Some(0), "{said}");
    let count: u64 = said.split("allocations: ").nth(1).unwrap_or_else(|| panic!("{said}")).trim().parse().unwrap();
    same(&left(&dir.join("run")), &whole, "in the process of a test");
    std::fs::remove_dir_all(dir.join("run")).unwrap();
    let wanted = most(3).min(count);
    let (mut hit, mut resumed, mut spared) = (0u64, 0u64, 0u64);
    for k in 0..wanted {
        // Spread over the run, from its first allocation on.
        let n = 1 + (u128::from(k) * u128::from(count) / u128::from(wanted)) as u64;
        let what = format!("allocation {n} of {count} fails");
        let out = without_memory(dir, n);
        let said = String::from_utf8_lossy(&out.stderr).into_owned();
        let code = out.status.code();
        assert!(!said.contains("panicked"), "{what}: {said}");
        // What fails after the end of the run changes nothing of it.
        let after = code == Some(0) && said.contains("memory gave out after the run had ended");
        // Threads do not allocate in the same order twice: the last few may not come.
        let none = code == Some(0) && !said.contains("memory");
        assert!(none || after || (code == Some(1) && said.contains("R0936")), "{what}: {code:?}: {said}");
        sound(&dir.join("run"), code, &what);
        hit += u64::from(!none && !after);
        spared += u64::from(after);
        // Going on takes longer than failing.
        if wanted < 50 || k % 20 == 0 {
            goes_on(dir, &whole, &what);
            resumed += 1;
        } else {
            let _ = std::fs::remove_dir_all(dir.join("run"));
        }
    }
    eprintln!(
        "allocations: {hit} of {count} failed and ended the run, {spared} came after its end; \
         {resumed} of {resumed} went on to the same bytes"
    );
}

#[test]
fn memory_that_gives_out_while_the_page_is_made_is_a_warning() {
    let (dir, whole, _) = whole(&three_epochs());
    let dir = dir.path();
    let out = without_memory(dir, 0);
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    let count: u64 = said.split("allocations: ").nth(1).unwrap_or_else(|| panic!("{said}")).trim().parse().unwrap();
    std::fs::remove_dir_all(dir.join("run")).unwrap();
    let out = without_memory(dir, count - count / 50);
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert_eq!(out.status.code(), Some(0), "{said}");
    assert!(said.contains("warning: memory gave out after the run had ended: "), "{said}");
    assert!(said.ends_with("its page may be missing; `rord-run report run` writes it\n"), "{said}");
    assert!(!dir.join("run/report.html").exists(), "{said}");
    same(&left(&dir.join("run")), &whole, "no page");
    let page = rord(dir, &["report", "run"]);
    assert_eq!(page.status.code(), Some(0), "{}", String::from_utf8_lossy(&page.stderr));
    assert!(dir.join("run/report.html").exists());
}
