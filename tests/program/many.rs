//! Long runs and many runs: ten thousand steps take no more memory at their end than at their beginning, and hundreds of runs that begin
//! at once end well.
//!
//! `RORD_STEPS=10000 RORD_AT_ONCE=200 cargo test --release --test program many -- --nocapture` makes so many; without these it is a few.

#![cfg(target_os = "linux")]

use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::process::{Child, Output, Stdio};
use std::time::Duration;

use super::cli::{command, err};
use super::resume::{FULL, left, same, whole};

fn number(variable: &str, few: u64) -> u64 {
    std::env::var(variable).ok().and_then(|n| n.parse().ok()).unwrap_or(few)
}

/// Kilobytes that a process has in memory.
fn resident(child: &Child) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
    status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?.trim().trim_end_matches(" kB").parse().ok()
}

/// Lines that were written to a file since it was looked at last.
fn new_lines(path: &Path, from: &mut u64) -> u64 {
    let Ok(mut file) = std::fs::File::open(path) else { return 0 };
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(*from)).unwrap();
    file.read_to_end(&mut bytes).unwrap();
    *from += bytes.len() as u64;
    bytes.iter().filter(|byte| **byte == b'\n').count() as u64
}

#[test]
fn a_long_run_takes_no_more_memory_as_it_goes() {
    let steps = number("RORD_STEPS", 300);
    let dir = tempfile::tempdir().unwrap();
    // Without the page at the end, which takes memory of its own.
    let text = FULL.replace("state = every(1steps)", "state = every(100steps), report = false");
    std::fs::write(dir.path().join("full.rord"), text).unwrap();
    let epochs = format!("epochs={}", steps / 20);
    let args = ["full.rord", "--out", "run", "--threads", "1", "--set", "steps=40", "--set", &epochs];
    let mut child = command(dir.path(), &args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let (mut from, mut taken) = (0, 0);
    // At a tenth of all steps, and at the end.
    let (mut early, mut late) = (0, 0);
    while child.try_wait().unwrap().is_none() {
        taken += new_lines(&dir.path().join("run/metrics.jsonl"), &mut from);
        let now = resident(&child).unwrap_or(0);
        if taken <= steps / 10 {
            early = early.max(now);
        } else if taken >= steps - steps / 10 {
            late = late.max(now);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(child.wait().unwrap().success());
    assert!(early > 0 && late > 0, "{early} kB, {late} kB");
    eprintln!("{early} kB up to step {}, {late} kB up to step {steps}", steps / 10);
    // Pages that are let go come and go, by some megabytes; what is kept of each of ten thousand steps would be much more.
    assert!(late < early + early / 4, "{early} kB up to step {}, {late} kB up to step {steps}", steps / 10);
}

#[test]
fn runs_that_begin_at_once_end_as_one_that_is_alone() {
    let count = number("RORD_AT_ONCE", 4);
    let (dir, whole, _) = whole(&FULL.replace("Count  = 12", "Count  = 2"));
    let dir = dir.path();
    let begun: Vec<(String, Child)> = (0..count)
        .map(|k| {
            let run = format!("run-{k}");
            let mut command = command(dir, &["full.rord", "--out", &run, "--threads", "1"]);
            (run, command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap())
        })
        .collect();
    let (mut good, mut told) = (0, 0);
    for (run, child) in begun {
        let out: Output = child.wait_with_output().unwrap();
        let said = err(&out);
        match out.status.code() {
            Some(0) => same(&left(&dir.join(&run)), &whole, &run),
            // A machine that has no more memory or threads to give says so.
            code => assert!(code == Some(1) && said.contains("R09"), "{run}: {code:?}: {said}"),
        }
        (good, told) = (good + u64::from(out.status.success()), told + u64::from(!out.status.success()));
    }
    eprintln!("{count} runs at once: {good} ended with the same bytes, {told} with a report");
    assert!(good > 0);
}
