//! `sweep --jobs N`: so many processes on this machine, each of which takes runs that no other has.

use std::ffi::{OsStr, OsString};
use std::process::{Child, Command};

use super::super::args::SweepArgs;
use super::super::{interrupt, print_reports};
use super::share::VARIABLE;
use rord_engine::machine;
use rord_lang::report::{Report, plural, runtime};

/// Starts the processes, passes signals on to them, and waits for all. The exit code: that of a signal, else the largest.
/// `tried`: how often each run has been tried.
pub fn run(args: &SweepArgs, jobs: usize, tried: &[usize]) -> Result<u8, Report> {
    let cannot = |what: &str, e: std::io::Error| {
        runtime::failed("R0911", &format!("cannot {what}: {e}"), "fewer take less:  --jobs 1")
    };
    let program = std::env::current_exe().map_err(|e| cannot("find the program itself", e))?;
    let threads = (machine::threads() / jobs).max(1);
    let words = words(&std::env::args_os().skip(1).collect::<Vec<_>>(), threads);
    let told = tried.iter().fold(jobs.to_string(), |told, tried| format!("{told} {tried}"));
    let mut children: Vec<Child> = Vec::new();
    for _ in 0..jobs {
        match Command::new(&program).args(&words).env(VARIABLE, &told).spawn() {
            Ok(child) => children.push(child),
            // Those that were started do all of it.
            Err(e) if !children.is_empty() => {
                let title = format!("only {} of {} jobs could be started: {e}", children.len(), jobs);
                print_reports(&[runtime::failed("R0911", &title, "fewer take less:  --jobs 1")], &Default::default());
                break;
            }
            Err(e) => return Err(cannot("start a job", e)),
        }
    }
    interrupt::pass_on(children.iter().map(Child::id).collect())?;
    if !args.watch.quiet {
        eprintln!("{} of {}", plural(children.len(), "job"), plural(threads, "thread"));
    }
    let mut code = 0;
    for mut child in children {
        let id = child.id();
        let ended = child.wait().map_err(|e| cannot("wait for a job", e))?;
        let its = ended.code().and_then(|code| u8::try_from(code).ok());
        if its.is_none() {
            eprintln!("process {id} did not end by itself ({ended}); the same command goes on with its run");
        }
        code = code.max(its.unwrap_or(super::super::REFUSED));
    }
    Ok(code)
}

/// The arguments of a job: those of this process, with its share of threads, and as one of many.
fn words(all: &[OsString], threads: usize) -> Vec<OsString> {
    let mut words = Vec::new();
    let mut rest = all.iter();
    let value = |word: &OsStr, name: &str| word.to_string_lossy().starts_with(&format!("{name}="));
    let mut verb = true;
    while let Some(word) = rest.next() {
        let named = ["--jobs", "--threads"].into_iter().find(|name| word == *name || value(word, name));
        match named {
            Some(name) if word == name => drop(rest.next()),
            Some(_) => {}
            None => words.push(word.clone()),
        }
        if verb && word == "sweep" {
            verb = false;
            words.extend(["--worker".into(), "--threads".into(), threads.to_string().into()]);
        }
    }
    words
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn a_job_has_the_arguments_of_all_and_its_share_of_threads() {
        let of = |line: &str| {
            let all: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            let words = words(&all, 3);
            words.iter().map(|w| w.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(of("sweep a.rord rates --jobs 4"), "sweep --worker --threads 3 a.rord rates");
        assert_eq!(
            of("--data-memory 9 sweep --threads=8 --set lr=1 --jobs=2 a.rord rates -- b"),
            "--data-memory 9 sweep --worker --threads 3 --set lr=1 a.rord rates -- b"
        );
        assert_eq!(of("sweep --jobs 2 sweep sweep"), "sweep --worker --threads 3 sweep sweep");
    }
}
