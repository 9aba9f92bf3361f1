//! Runs that are killed or stopped at any moment, and taken up: they end with the bytes of a run that nothing happened to.
//!
//! `RORD_KILLS=200 cargo test --release --test program resume` kills so many times; without it a few.

#![cfg(unix)]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::cli::{command, err, rord};
use super::skip::skip;

/// Everything that a run goes on from: an average, running statistics, draws, a number that listens, a rate that is lowered, the best
/// three, files of steps and epochs, steps of two batches.
pub(super) const FULL: &str = r#"rord 1
pipeline "full"
param epochs: Count  = 12
param steps:  Count  = 4
param size:   Scalar = 12.8
data pairs = layout_pairs(synth(tiles = 4, size = size, seed = 1), patch = 16px, steps = steps, train = 0.5) -> {
  image:   Image[B, 1, H, W]@orig,
  image_r: Image[B, 1, H, W]@moved,
  H:       Homography[B]@orig->moved,
}
model net(x: Image[B, 1, H, W]@f) {
  out desc: Desc unit[B, 8, H/2, W/2]@f =
    x |> conv(8, 3) |> batch_norm |> relu |> dropout(0.2) |> max_pool(2) |> conv(8, 3) |> l2norm
}
let { image, image_r, H } = pairs
let { desc }              = net(image)
let { desc as desc_r }    = net(image_r)
let turn                  = pace(watch = val.total, below = 0.6, by = 0.1)
minimize total = triplet(grid(6), hardneg(apart = 4px), margin = 0.3 + 0.2 * turn)
train {
  optimizer  = adam(lr = 1e-2)
  schedule   = reduce_on_plateau(watch = val.total, factor = 0.5, patience = 1epochs)
  clip       = grad_norm(1.0)
  accumulate = 2
  ema        = 0.9
  batch      = 2
  epochs     = epochs
}
save { best = val.total, last = true, keep = 3, every = 5epochs, state = every(1steps) }
"#;

/// A folder with the pipeline, and all that an uninterrupted run of it leaves.
pub(super) fn whole(text: &str) -> (tempfile::TempDir, BTreeMap<String, Vec<u8>>, Duration) {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("full.rord"), text).unwrap();
    let begun = Instant::now();
    let out = rord(dir.path(), &["full.rord", "--out", "whole"]);
    assert_eq!(out.status.code(), Some(0), "{}", err(&out));
    let took = begun.elapsed();
    let left = left(&dir.path().join("whole"));
    assert!(!left.contains_key("state.safetensors"), "nothing goes on from a run that is finished");
    (dir, left, took)
}

/// What a run left, but for its record and its page, which have times.
pub(super) fn left(run: &Path) -> BTreeMap<String, Vec<u8>> {
    let read = |entry: std::fs::DirEntry| {
        (entry.file_name().to_string_lossy().into_owned(), std::fs::read(entry.path()).unwrap())
    };
    let mut left: BTreeMap<_, _> = std::fs::read_dir(run).unwrap().map(|e| read(e.unwrap())).collect();
    // One that was killed while it was written has none.
    left.remove("report.html");
    let record = String::from_utf8(left.remove("run.yaml").unwrap()).unwrap();
    assert!(record.contains("status: finished"), "{record}");
    let end = record.split_once("\nepochs_done: ").unwrap().1;
    left.insert("the end of run.yaml".into(), end.into());
    left
}

pub(super) fn same(left: &BTreeMap<String, Vec<u8>>, whole: &BTreeMap<String, Vec<u8>>, what: &str) {
    let names = |of: &BTreeMap<String, Vec<u8>>| of.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(left), names(whole), "{what}");
    let other: Vec<_> = whole.iter().filter(|(name, bytes)| left[*name] != **bytes).map(|(name, _)| name).collect();
    assert!(other.is_empty(), "{what}: other bytes in {other:?}");
}

/// How often a test kills.
pub(super) fn kills(few: usize) -> usize {
    std::env::var("RORD_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(few)
}

fn started(dir: &Path, args: &[&str]) -> Child {
    command(dir, args).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Numbers that are spread evenly, always the same.
fn spread(n: usize) -> f64 {
    (n as f64 * 0.618_033_988_749_895).fract()
}

/// The command that goes on with a run, whatever is left of it.
fn goes_on(dir: &Path, run: &str, n: usize) -> Vec<String> {
    let all: &[&str] = match n.is_multiple_of(2) && dir.join(run).join("run.yaml").exists() {
        true => &["resume", run],
        false => &["full.rord", "--out", run, "--auto-resume"],
    };
    all.iter().map(|s| s.to_string()).collect()
}

#[test]
fn a_run_that_is_killed_at_any_moment_ends_as_if_nothing_had_happened() {
    let (dir, whole, took) = whole(FULL);
    let dir = dir.path();
    let (mut killed, mut runs) = (0, 0);
    let wanted = kills(6);
    while killed < wanted {
        let run = format!("run-{runs}");
        // Some runs are killed once, some again and again on their way.
        for again in 0..=runs % 4 {
            let args = goes_on(dir, &run, killed);
            let args: Vec<&str> = args.iter().map(String::as_str).collect();
            let mut child = started(dir, &args);
            std::thread::sleep(took.mul_f64(spread(killed) / (1.0 + again as f64)));
            // SIGKILL: nothing in the process hears of it.
            child.kill().unwrap();
            let out = child.wait_with_output().unwrap();
            if out.status.code().is_some() {
                assert_eq!(out.status.code(), Some(0), "{args:?}: {}", err(&out));
                break;
            }
            killed += 1;
        }
        let args = goes_on(dir, &run, runs);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let out = rord(dir, &args);
        assert_eq!(out.status.code(), Some(0), "{args:?}: {}", err(&out));
        same(&left(&dir.join(&run)), &whole, &format!("{run}, after {killed} kills"));
        std::fs::remove_dir_all(dir.join(&run)).unwrap();
        runs += 1;
    }
    eprintln!("{killed} kills, {runs} of {runs} runs ended with the same bytes");
}

/// Kills a run as it makes a system call for the `n`th time; false where it came to its end before.
fn killed_at(dir: &Path, call: &str, n: usize, args: &[&str]) -> bool {
    let inject = format!("inject={call}:signal=KILL:when={n}");
    let trace = format!("trace={call}");
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-o", "/dev/null", "-e", &trace, "-e", &inject, env!("CARGO_BIN_EXE_rord-run")]);
    let out = command.args(args).current_dir(dir).output().unwrap();
    !out.status.success()
}

#[cfg(target_os = "linux")]
#[test]
fn a_run_that_is_killed_at_any_system_call_of_a_save_ends_as_if_nothing_had_happened() {
    if !Command::new("strace").arg("-V").output().is_ok_and(|out| out.status.success()) {
        return skip("there is no strace");
    }
    let text = FULL.replace("Count  = 12", "Count  = 3").replace("every = 5epochs", "every = 2epochs");
    let (dir, whole, _) = whole(&text);
    let dir = dir.path();
    let (mut killed, most) = (0, kills(6));
    // Where a save begins, where it is on the disk, where it gets its name, where one goes, and where metrics are cut.
    for call in ["rename", "fsync", "fdatasync", "unlink", "ftruncate"] {
        let mut here = 0;
        for n in 1.. {
            // A few of each, far apart; all of them where many are asked for.
            let at = if most < 50 { n * 7 - 6 } else { n };
            if here >= most.div_ceil(5).max(1) || !killed_at(dir, call, at, &["full.rord", "--out", "run"]) {
                let _ = std::fs::remove_dir_all(dir.join("run"));
                break;
            }
            (killed, here) = (killed + 1, here + 1);
            let out = rord(dir, &["full.rord", "--out", "run", "--auto-resume"]);
            assert_eq!(out.status.code(), Some(0), "{call} {at}: {}", err(&out));
            same(&left(&dir.join("run")), &whole, &format!("killed at {call} {at}"));
            std::fs::remove_dir_all(dir.join("run")).unwrap();
        }
    }
    assert!(killed > 0);
    eprintln!("{killed} of {killed} runs that were killed within a save ended with the same bytes");
}

/// Waits until a run has written so many lines of metrics.
fn until_lines(child: &mut Child, metrics: &Path, lines: usize) {
    let begun = Instant::now();
    let found = || std::fs::read_to_string(metrics).map_or(0, |text| text.matches('\n').count());
    while found() < lines {
        assert!(begun.elapsed() < Duration::from_secs(60) && child.try_wait().unwrap().is_none(), "no step was taken");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn signal(child: &Child, name: &str) {
    assert!(Command::new("kill").args([name, &child.id().to_string()]).status().unwrap().success());
}

#[test]
fn every_signal_has_its_exit_code_and_the_run_goes_on_from_there() {
    // So long that none of the signals comes after its end, however late the lines are seen.
    let (dir, whole, _) = whole(&FULL.replace("Count  = 12", "Count  = 150"));
    let dir = dir.path();
    let signals = [("-INT", 130, 3), ("-TERM", 143, 20), ("-HUP", 129, 41), ("-USR1", 138, 62)];
    let mut args = vec!["full.rord", "--out", "run"];
    // Below `nohup` a run ignores SIGHUP, as all programs do there.
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| u64::from_str_radix(line.strip_prefix("SigIgn:")?.trim(), 16).ok());
    let signals = signals.into_iter().filter(|(name, ..)| *name != "-HUP" || ignored.is_none_or(|set| set & 1 == 0));
    let mut sent = 0;
    for (name, code, lines) in signals {
        sent += 1;
        let mut child = started(dir, &args);
        until_lines(&mut child, &dir.join("run/metrics.jsonl"), lines);
        signal(&child, name);
        let out = child.wait_with_output().unwrap();
        let said = err(&out);
        assert_eq!(out.status.code(), Some(code), "{name}: {said}");
        assert!(said.contains("go on with:  rord-run resume run\n"), "{name}: {said}");
        let record = std::fs::read_to_string(dir.join("run/run.yaml")).unwrap();
        assert!(record.contains("status: interrupted"), "{name}: {record}");
        args = vec!["resume", "run"];
    }
    let out = rord(dir, &["resume", "run"]);
    assert_eq!(out.status.code(), Some(0), "{}", err(&out));
    assert!(err(&out).contains("\ngoes on after step "), "{}", err(&out));
    let record = std::fs::read_to_string(dir.join("run/run.yaml")).unwrap();
    assert_eq!(record.matches("\n- at: ").count(), sent, "{record}");
    same(&left(&dir.join("run")), &whole, "after all signals");
    let out = rord(dir, &["resume", "run"]);
    assert_eq!((out.status.code(), err(&out).as_str()), (Some(0), "run is finished; nothing is left to do\n"));
}

#[test]
fn a_signal_is_heard_within_a_second_in_a_batch_of_the_validation() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    // A batch of many seconds on one thread; the first one is that which tries the validation.
    let deep = ["conv(32, 15)"; 24].join(" |> ");
    let text = FULL.replace("patch = 16px", "patch = 128px").replace("12.8", "51.2");
    std::fs::write(dir.join("slow.rord"), text.replace("x |> conv(8, 3)", &format!("x |> {deep} |> conv(8, 3)")))
        .unwrap();
    let child = started(dir, &["slow.rord", "--threads", "1", "--out", "run"]);
    let begun = Instant::now();
    while !dir.join("run/metrics.jsonl").exists() {
        assert!(begun.elapsed() < Duration::from_secs(60), "the run did not begin");
        std::thread::sleep(Duration::from_millis(20));
    }
    std::thread::sleep(Duration::from_millis(300));
    signal(&child, "-TERM");
    let begun = Instant::now();
    let out = child.wait_with_output().unwrap();
    // A second, and room for a machine that has other work.
    assert!(begun.elapsed() < Duration::from_millis(4000), "{:?}", begun.elapsed());
    assert_eq!(out.status.code(), Some(143), "{}", err(&out));
    assert!(err(&out).ends_with("stopped in the validation\ngo on with:  rord-run resume run\n"), "{}", err(&out));
    assert!(std::fs::read_to_string(dir.join("run/run.yaml")).unwrap().contains("status: interrupted"));
}

#[test]
fn a_folder_with_an_interrupted_run_is_told_of_and_goes_on_where_it_is_asked_to() {
    let (dir, whole, _) = whole(FULL);
    let dir = dir.path();
    let refused = |args: &[&str], facts: &[&str]| {
        let out = rord(dir, args);
        let said = err(&out);
        assert_eq!(out.status.code(), Some(1), "{args:?}: {said}");
        assert!(said.starts_with("R0935") && facts.iter().all(|fact| said.contains(fact)), "{args:?}: {said}");
    };
    let mut child = started(dir, &["full.rord", "--out", "run"]);
    until_lines(&mut child, &dir.join("run/metrics.jsonl"), 7);
    // It stands still for as long as others look at it.
    signal(&child, "-STOP");
    refused(&["resume", "run"], &["run is in use by process ", "wait until it has ended"]);
    child.kill().unwrap();
    child.wait().unwrap();

    refused(
        &["full.rord", "--out", "run"],
        &["holds a run of this text that did not come to its end", "rord-run resume run", "--auto-resume"],
    );
    refused(
        &["full.rord", "--out", "run", "--auto-resume", "--set", "epochs=13"],
        &["holds a run of another text, or with other parameters"],
    );
    let text = std::fs::read(dir.join("run/pipeline.rord")).unwrap();
    std::fs::write(dir.join("run/pipeline.rord"), [&text[..], b"# more\n"].concat()).unwrap();
    refused(&["resume", "run"], &["the text or the parameters in run have changed since the run began"]);
    std::fs::write(dir.join("run/pipeline.rord"), text).unwrap();

    // A state that the disk has changed is not gone on from, whatever it still looks like.
    let path = dir.join("run/state.safetensors");
    let state = std::fs::read(&path).unwrap();
    let mut broken = state.clone();
    let last = broken.len() - 3;
    broken[last] ^= 4;
    for (bytes, fact) in [(&broken[..], "the disk or a copy has changed them"), (&state[..200], "is not a saved run")] {
        std::fs::write(&path, bytes).unwrap();
        let out = rord(dir, &["resume", "run"]);
        let said = err(&out).replace("\n        ", " ").replace("\n  │ ", " ");
        assert_eq!(out.status.code(), Some(1), "{said}");
        assert!(said.contains("R0914") && said.contains(fact), "{said}");
    }
    std::fs::write(&path, &state).unwrap();

    let out = rord(dir, &["full.rord", "--out", "run", "--auto-resume"]);
    assert_eq!(out.status.code(), Some(0), "{}", err(&out));
    same(&left(&dir.join("run")), &whole, "taken up by --auto-resume");
    let out = rord(dir, &["full.rord", "--out", "run", "--auto-resume"]);
    assert_eq!((out.status.code(), err(&out).contains("run is finished")), (Some(0), true), "{}", err(&out));
    let out = rord(dir, &["full.rord", "--out", "new", "--auto-resume"]);
    assert_eq!(out.status.code(), Some(0), "{}", err(&out));
    same(&left(&dir.join("new")), &whole, "begun with --auto-resume");
    let out = rord(dir, &["resume", "nowhere"]);
    assert!(err(&out).contains("nowhere is not the folder of a run"), "{}", err(&out));
}
