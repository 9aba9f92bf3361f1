//! The page of one run: its head, and the sections of it in order.

mod health;
mod network;
mod numbers;
mod texts;

use std::fmt::Write;

use rord_lang::report::grouped;
use rord_record::Status;
use rord_record::progress::{short, time};

use super::Run;
use super::html::{code, escaped, facts};
use crate::load::Loaded;

pub use numbers::{OWN, called, until};
pub use texts::shown;

/// How a run ended, in a word.
pub fn status(status: Status) -> &'static str {
    match status {
        Status::Running => "running",
        Status::Finished => "finished",
        Status::Interrupted => "interrupted",
        Status::Failed => "failed",
    }
}

/// The page; why there is no text, or no pictures, where there are none.
pub fn page(run: &Run, loaded: Result<&Loaded, &str>, pictures: Result<String, String>) -> String {
    let record = &run.record;
    let mut out = head(run, loaded.ok());
    let mut sections = vec![("curves", "Curves"), ("health", "Health")];
    if pictures.is_ok() {
        sections.push(("pictures", "Pictures"));
    }
    if loaded.is_ok() {
        sections.extend([("losses", "Losses"), ("network", "Network")]);
    }
    sections.extend([
        ("parameters", "Parameters"),
        ("text", "Text"),
        ("data", "Data"),
        ("time", "Time"),
        ("machine", "Machine"),
    ]);
    if let Some(error) = &record.error {
        out += &format!("<h2 id=\"error\">What ended it</h2>\n<pre class=\"error\">{}</pre>\n", escaped(error));
        sections.insert(0, ("error", "What ended it"));
    }
    out += &super::contents(&sections);
    out += "<h2 id=\"curves\">Curves</h2>\n";
    out += &numbers::curves(run);
    out += &health::health(&run.curves, until(run), record.best.as_ref().map(|b| b.epoch as f64));
    match pictures {
        Ok(pictures) => out += &format!("<h2 id=\"pictures\">Pictures</h2>\n{pictures}"),
        Err(why) => _ = writeln!(out, "<p class=\"hint\">Pictures are left out: {}.</p>", escaped(&why)),
    }
    match loaded {
        Ok(loaded) => {
            let tree = crate::graph::tree(loaded);
            out += &network::losses(loaded, &tree);
            out += &network::network(loaded, &tree);
        }
        Err(why) => {
            _ = writeln!(
                out,
                "<p class=\"hint\">Formulas and network are left out: this version cannot read the text: {}.</p>",
                escaped(why)
            )
        }
    }
    out += &texts::parameters(run, loaded.map_or(&[], |l| &l.pipeline.params));
    out += &format!("<h2 id=\"text\">Text</h2>\n{}", code(&run.text));
    out += &texts::data(run, loaded.ok());
    out += &numbers::times(run);
    out += "<h2 id=\"machine\">Machine</h2>\n";
    let machine = record.machine.clone().unwrap_or_default();
    let memory = record.memory.unwrap_or_default();
    let megabytes = |mb: Option<u64>| mb.map(|mb| format!("{mb} MB")).unwrap_or_default();
    out += &facts(&[
        ("rord", record.rord.clone()),
        ("command", record.command.clone()),
        ("processor", machine.cpu),
        ("system", machine.system),
        ("cores", if machine.cores > 0 { machine.cores.to_string() } else { String::new() }),
        ("device", record.device.clone()),
        ("instructions", record.instructions.clone()),
        ("threads", record.threads.to_string()),
        ("memory foretold", megabytes(memory.foretold_mb)),
        ("memory taken", megabytes(memory.taken_mb)),
        ("seed", record.seed.to_string()),
        ("began with", record.init.as_ref().map(|i| format!("{}, {}", i.file, i.hash)).unwrap_or_default()),
        ("graph", record.graph.clone()),
        ("text and parameters", record.text.clone()),
    ]);
    super::whole(&format!("{} · {}", record.pipeline, run.short()), &out)
}

fn head(run: &Run, loaded: Option<&Loaded>) -> String {
    let record = &run.record;
    let ended = status(record.status);
    let mut out = format!(
        "<header><div class=\"top\"><h1>{}</h1><span class=\"pill {ended}\">{ended}</span></div>\n",
        escaped(&record.pipeline)
    );
    if let Some(about) = loaded.and_then(|l| l.pipeline.about.as_deref()) {
        out += &format!("<p class=\"about\">{}</p>\n", escaped(about));
    }
    out += &format!("<p class=\"where\">{} · begun {}</p>\n", escaped(&run.name), escaped(&record.started));
    let mut figures: Vec<(String, String)> = Vec::new();
    if let Some(best) = &record.best {
        figures.push((short(best.value), format!("best {}, epoch {}", best.watch, best.epoch)));
    }
    let epochs = loaded.and_then(|l| l.pipeline.setting("train", "epochs")?.count());
    let of = epochs.map(|n| format!(" of {n}")).unwrap_or_default();
    figures.push((format!("{}{of}", record.epochs_done), "epochs".into()));
    if let Some(seconds) = run.seconds() {
        let steps = run.curves.steps as f64;
        let each = if steps > 0.0 && record.resumed.is_empty() {
            format!("in all, {} steps", grouped(run.curves.steps as usize))
        } else {
            "from its beginning to its end".into()
        };
        figures.push((time(seconds), each));
    }
    if let Some(loaded) = loaded {
        let count: usize = loaded.pipeline.weights.iter().map(|w| w.shape.iter().product::<usize>()).sum();
        figures.push((grouped(count), "weights".into()));
    }
    let threads = if record.threads == 1 { "1 thread".into() } else { format!("{} threads", record.threads) };
    figures.push((record.device.clone(), threads));
    let figure = |(value, name): &(String, String)| {
        format!("<div><b>{}</b><span>{}</span></div>", escaped(value), escaped(name))
    };
    out += &format!("<div class=\"figures\">{}</div>\n", figures.iter().map(figure).collect::<String>());
    if let Some(why) = &record.stopped {
        out += &format!("<p class=\"lead\">It ended early: {}.</p>\n", escaped(why));
    }
    let resumed: Vec<String> = record.resumed.iter().map(|r| format!("after step {}, {}", r.step, r.at)).collect();
    if !resumed.is_empty() {
        out += &format!("<p class=\"lead\">Taken up again {}.</p>\n", escaped(&resumed.join("; ")));
    }
    out + "</header>\n"
}
