//! What this machine has: memory that is free, and how much of it this process has taken.
//!
//! Linux has both in files; elsewhere they are not known, and nothing is refused for lack of memory.

use std::fs::read_to_string;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The threads that everything is computed on, once they were started.
static THREADS: OnceLock<usize> = OnceLock::new();

/// Says how many threads were started. Once in a process.
pub fn started(threads: usize) {
    let _ = THREADS.set(threads);
}

/// The threads that things are computed on, or that there will be: asking rayon would start them.
pub fn threads() -> usize {
    *THREADS.get().unwrap_or(&std::thread::available_parallelism().map_or(1, usize::from))
}

/// The processes of the same work that began with this one, each of which is to have as much memory.
static SHARED_BY: AtomicUsize = AtomicUsize::new(1);

/// Says among how many processes memory is shared.
pub fn shared_by(processes: usize) {
    SHARED_BY.store(processes.max(1), Ordering::Relaxed);
}

/// The most memory that this process has had, in bytes.
pub fn peak_memory() -> Option<usize> {
    line(&read_to_string("/proc/self/status").ok()?, "VmHWM:")
}

/// Memory that this process may still take, in bytes: what the system has free, or less where its control group or its
/// own limits (`ulimit -v`, `ulimit -d`) allow less. Processes that share it have a part each.
pub fn available_memory() -> Option<usize> {
    let free = line(&read_to_string("/proc/meminfo").ok()?, "MemAvailable:")?;
    let group = read_to_string("/proc/self/cgroup").ok().and_then(|groups| allowed(&groups));
    // Limits of a process are its own.
    let own = || limited(&read_to_string("/proc/self/limits").ok()?, &read_to_string("/proc/self/status").ok()?);
    let shared = group.map_or(free, |group| group.min(free)) / SHARED_BY.load(Ordering::Relaxed);
    Some(own().map_or(shared, |own| own.min(shared)))
}

/// What the limits of a process leave it; `limits` and `status` are its files in `/proc`. What was only reserved (by the allocator, and
/// for stacks) is still there to be taken.
fn limited(limits: &str, status: &str) -> Option<usize> {
    let limit = |name: &str| -> Option<usize> {
        // `Max address space         2097152000           unlimited            bytes`
        limits.lines().find_map(|l| l.strip_prefix(name))?.split_whitespace().next()?.parse().ok()
    };
    let of = |key: &str| line(status, key).unwrap_or(0);
    let reserved = of("VmData:").saturating_sub(of("RssAnon:"));
    let space = limit("Max address space").map(|n| n.saturating_sub(of("VmSize:").saturating_sub(reserved)));
    let data = limit("Max data size").map(|n| n.saturating_sub(of("RssAnon:")));
    [space, data].into_iter().flatten().min()
}

/// The number of kilobytes behind a key, in bytes: `MemAvailable:   23145000 kB`.
fn line(text: &str, key: &str) -> Option<usize> {
    let rest = text.lines().find_map(|l| l.strip_prefix(key))?;
    let kilobytes: usize = rest.trim().trim_end_matches("kB").trim().parse().ok()?;
    kilobytes.checked_mul(1024)
}

/// What the control groups of this process leave it; `groups` is `/proc/self/cgroup`.
fn allowed(groups: &str) -> Option<usize> {
    let mut least = None;
    for group in groups.lines() {
        let mut parts = group.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { continue };
        let (root, limit, usage) = match controllers {
            "" => ("/sys/fs/cgroup", "memory.max", "memory.current"),
            c if c.split(',').any(|c| c == "memory") => {
                ("/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes")
            }
            _ => continue,
        };
        // Within a container the path may be that of the host; the root is then the group itself.
        let folder = PathBuf::from(root).join(path.trim_start_matches('/'));
        for folder in folder.ancestors().take_while(|f| f.starts_with(root)) {
            if let Some(left) = left(folder, limit, usage) {
                least = Some(least.map_or(left, |n: usize| n.min(left)));
            }
        }
    }
    least
}

/// What one group may still take. Pages of files that are not in use are freed when memory is needed, so they do not
/// count.
fn left(folder: &Path, limit: &str, usage: &str) -> Option<usize> {
    let number = |name: &str| read_to_string(folder.join(name)).ok()?.trim().parse::<usize>().ok();
    let (limit, used) = (number(limit)?, number(usage)?);
    let cached = read_to_string(folder.join("memory.stat")).ok().and_then(|stat| {
        let line = |l: &str| l.strip_prefix("inactive_file ")?.trim().parse::<usize>().ok();
        stat.lines().find_map(line)
    });
    Some(limit.saturating_sub(used.saturating_sub(cached.unwrap_or(0))))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_behind_their_keys() {
        let text = "MemTotal:       24682500 kB\nMemAvailable:   23145000 kB\n";
        assert_eq!(line(text, "MemAvailable:"), Some(23_145_000 * 1024));
        assert_eq!(line(text, "VmHWM:"), None);
    }

    #[test]
    fn a_group_leaves_its_limit_less_what_is_in_use() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
        write("memory.max", "1000\n");
        write("memory.current", "700\n");
        assert_eq!(left(dir.path(), "memory.max", "memory.current"), Some(300));
        write("memory.stat", "anon 400\ninactive_file 250\n");
        assert_eq!(left(dir.path(), "memory.max", "memory.current"), Some(550));
        write("memory.max", "max\n");
        assert_eq!(left(dir.path(), "memory.max", "memory.current"), None);
    }

    #[test]
    fn limits_of_the_process_leave_what_was_reserved() {
        let limits = "Limit    Soft Limit   Hard Limit   Units\nMax data size  unlimited  unlimited  bytes\n\
                      Max address space   2097152000   unlimited   bytes\n";
        let status = "VmSize:\t 1048576 kB\nVmData:\t  900000 kB\nRssAnon:\t  10000 kB\n";
        let expected = 2_097_152_000 - (1_048_576 - 890_000) * 1024;
        assert_eq!(limited(limits, status), Some(expected));
        let none = limits.replace("2097152000", "unlimited");
        assert_eq!(limited(&none, status), None);
        assert_eq!(limited(&none.replacen("unlimited  ", "30720000  ", 1), status), Some(30_720_000 - 10_240_000));
    }

    #[test]
    fn on_linux_both_are_known() {
        if cfg!(target_os = "linux") {
            assert!(available_memory().unwrap() > 0 && peak_memory().unwrap() > 1 << 20);
        }
    }
}
