//! `rord-run cache`: the drawings that are kept on disk.

use std::time::{Duration, SystemTime};

use rord_data::store::{Drawing, clear, default_folder, list};
use rord_lang::report::{plural, runtime};
use rord_lang::source::Sources;
use serde_json::json;

use super::args::{CacheArgs, ReportFormat};

/// Lists the drawings, or removes them.
pub fn run(args: &CacheArgs) -> u8 {
    let refuse = |title: &str, help: &str| {
        super::print_reports(&[runtime::failed("R0914", title, help)], &Sources::default());
        super::REFUSED
    };
    let Some(folder) = default_folder() else {
        return refuse("there is no folder for drawings", "name one:  RORD_CACHE=/a/folder rord-run …");
    };
    let now = SystemTime::now();
    let before = args.unused.and_then(|days| now.checked_sub(Duration::from_secs(days.saturating_mul(86_400))));
    let found = match args.clear {
        // So many days ago there was no file.
        true if args.unused.is_some() && before.is_none() => Ok(Vec::new()),
        true => clear(&folder, before),
        false => list(&folder),
    };
    let drawings = match found {
        Ok(drawings) => drawings,
        Err(error) => return refuse(&format!("{}: {error}", folder.display()), "see who may write there"),
    };
    let bytes: u64 = drawings.iter().map(|drawing| drawing.bytes).sum();
    if args.format == ReportFormat::Json {
        let one = |d: &Drawing| json!({ "key": d.key, "file": d.file, "pictures": d.pictures, "bytes": d.bytes, "unused_s": age(d, now) });
        let all: Vec<_> = drawings.iter().map(one).collect();
        let object = json!({ "folder": folder, "cleared": args.clear, "bytes": bytes, "drawings": all });
        super::print(&format!("{object}\n"));
        return super::DONE;
    }
    for drawing in drawings.iter().filter(|_| !args.clear) {
        let file = drawing.file.as_deref().unwrap_or("(not finished)");
        let days = age(drawing, now) / 86_400;
        let used = if days == 0 { "today".to_string() } else { format!("{} ago", plural(days as usize, "day")) };
        super::print(&format!("{:>9}  used {used:<12}  {file}\n", size(drawing.bytes)));
    }
    let done = if args.clear { "removed" } else { "in all" };
    super::print(&format!("{} {done}, {}, in {}\n", plural(drawings.len(), "drawing"), size(bytes), folder.display()));
    super::DONE
}

/// Seconds since it was used.
fn age(drawing: &Drawing, now: SystemTime) -> u64 {
    now.duration_since(drawing.used).unwrap_or_default().as_secs()
}

fn size(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}
