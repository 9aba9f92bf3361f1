//! The page of one run.

use std::fmt::Write;

use rord_graph::overview::{self, What};
use rord_lang::ast::ItemKind;
use rord_lang::parse;
use rord_lang::report::grouped;
use rord_lang::typed::{ParamInfo, ValueId};
use rord_record::Status;
use rord_record::progress::{rate, short, time};

use super::Run;
use super::chart::{Chart, Points, Series};
use super::curves::Curve;
use super::html::{cell, code, code_cell, details, escaped, facts, number_cell, table};
use crate::formula::typed_parts;
use crate::load::Loaded;

/// Numbers that every run has.
pub const OWN: [&str; 2] = ["lr", "grad_norm"];
/// Files of the data that are listed.
const FILES: usize = 200;

/// What a curve is called where the name is the record's own.
pub fn called(name: &str) -> &str {
    match name {
        "lr" => "learning rate",
        "grad_norm" => "gradient norm",
        name => name.strip_prefix("value.").unwrap_or(name),
    }
}

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
    out += &super::contents(&sections);
    out += "<h2 id=\"curves\">Curves</h2>\n";
    out += &curves(run);
    out += &health(run);
    match pictures {
        Ok(pictures) => out += &format!("<h2 id=\"pictures\">Pictures</h2>\n{pictures}"),
        Err(why) => _ = writeln!(out, "<p class=\"hint\">Pictures are left out: {}.</p>", escaped(&why)),
    }
    match loaded {
        Ok(loaded) => {
            out += &losses(loaded);
            out += &network(loaded);
        }
        Err(why) => {
            _ = writeln!(
                out,
                "<p class=\"hint\">Formulas and network are left out: this version cannot read the text: {}.</p>",
                escaped(why)
            )
        }
    }
    out += &parameters(run, loaded.map_or(&[], |l| &l.pipeline.params));
    out += &format!("<h2 id=\"text\">Text</h2>\n{}", code(&run.text));
    out += &data(run, loaded.ok());
    out += &times(run);
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

/// The last epoch that curves reach.
pub fn until(run: &Run) -> f64 {
    let ends = run.curves.all.iter().flat_map(|(_, curve)| {
        let step = curve.train.in_pieces(1).last().map(|p| p.to);
        [step, curve.val.last().map(|[epoch, _]| *epoch)].into_iter().flatten()
    });
    ends.fold(run.record.epochs_done as f64, f64::max)
}

/// What the pipeline computes, and then the record's own numbers.
fn in_order(all: &[(String, Curve)]) -> impl Iterator<Item = &(String, Curve)> {
    let own = |(name, _): &&(String, Curve)| OWN.contains(&name.as_str());
    all.iter().filter(move |one| !own(one)).chain(all.iter().filter(own))
}

fn curves(run: &Run) -> String {
    let best = run.record.best.as_ref().map(|b| b.epoch as f64);
    let chart = |(name, curve): &(String, Curve)| {
        let mut series = Vec::new();
        let train = Points::Steps(curve.train.clone());
        if !train.is_empty() {
            let own = OWN.contains(&name.as_str()) || curve.val.is_empty();
            let label = if own { String::new() } else { "train".into() };
            series.push(Series { name: label, class: "t".into(), points: train });
        }
        if !curve.val.is_empty() {
            series.push(Series { name: "val".into(), class: "v".into(), points: Points::Epochs(curve.val.clone()) });
        }
        let last = curve.train.in_pieces(20).last().map(|p| p.mean());
        let about = match (curve.val.last(), last) {
            (Some([_, val]), _) => format!("val {}", short(*val)),
            (None, Some(last)) if name == "lr" => format!("last {}", rate(last)),
            (None, Some(last)) => format!("last {}", short(last)),
            _ => String::new(),
        };
        Chart { name: called(name).into(), about, series, until: until(run), best }.html()
    };
    let charts: String = in_order(&run.curves.all).map(chart).collect();
    if charts.is_empty() {
        return "<p class=\"lead\">No step was taken.</p>\n".into();
    }
    let marked = if best.is_some() { " The dotted line is the best epoch." } else { "" };
    format!(
        "<p class=\"lead\">Lines are means of steps with their least and greatest behind them, points are validations.{marked}</p>\n\
         <div class=\"charts\">{charts}</div>\n\
         <p class=\"hint\" hidden>Point at a curve for its numbers, drag to zoom into all of them, double-click to see all again.</p>\n"
    )
}

fn health(run: &Run) -> String {
    let mut out = String::from("<h2 id=\"health\">Health</h2>\n");
    if run.curves.found.is_empty() {
        return out
            + "<p class=\"lead\">Nothing was found that goes wrong without an error: gradients, detectors, descriptors, triplets and \
               pictures were looked at in every epoch.</p>\n";
    }
    for found in &run.curves.found {
        _ = writeln!(out, "<div class=\"finding\">{}<span>epoch {}</span></div>", escaped(&found.text), found.epoch);
    }
    out
}

/// Each loss, objective and metric as it is written, with the types of its parts.
fn losses(loaded: &Loaded) -> String {
    let text = loaded.sources.get(loaded.file).map(|s| s.text.clone()).unwrap_or_else(|| "".into());
    let (tree, _) = parse::parse(&text, loaded.file);
    let mut out = String::from("<h2 id=\"losses\">Losses</h2>\n");
    for item in &tree.items {
        let name = match &item.kind {
            ItemKind::Loss { name, .. } | ItemKind::Metric { name, .. } | ItemKind::Minimize { name, .. } => name,
            _ => continue,
        };
        out += &format!("<h3>{}</h3>\n{}", escaped(&name.text), code(loaded.sources.text(item.span)));
        let all: Vec<ValueId> = (0..).zip(&loaded.pipeline.values).map(|(id, _)| ValueId(id)).collect();
        let pipeline = &loaded.pipeline;
        let mut rows = typed_parts(loaded, item.span, all, &[]);
        // What a call took from the file by name is not written, and matters as much.
        for ambient in pipeline.notes.ambient.iter().filter(|a| item.span.holds(a.call)) {
            let known = pipeline.names.iter().find(|n| n.name == ambient.name);
            let row =
                (format!("{} = {}", ambient.param, ambient.name), known.map(|n| pipeline.shown(n)).unwrap_or_default());
            if !rows.contains(&row) {
                rows.push(row);
            }
        }
        if !rows.is_empty() {
            let rows = rows.iter().map(|(part, ty)| vec![code_cell(part), code_cell(ty)]);
            out += &details("with types", &table(&[], rows));
        }
    }
    out
}

fn network(loaded: &Loaded) -> String {
    let (pipeline, all) = (&loaded.pipeline, crate::graph::overview(loaded));
    let mut out = format!("<h2 id=\"network\">Network</h2>\n<div class=\"net\">{}</div>\n", overview::svg(&all));
    let mut rows = Vec::new();
    for (index, group) in all.groups.iter().enumerate().filter(|(_, g)| g.about != "the same weights") {
        let own = all.boxes.iter().filter(|b| b.group == Some(index) && b.what == What::Stage);
        rows.extend(own.map(|b| {
            let model = group.name.split('(').next().unwrap_or_default();
            vec![
                code_cell(&format!("{model}.{}", b.name)),
                code_cell(&b.shape),
                number_cell(&grouped(b.weights)),
                ("s", escaped(&b.by)),
            ]
        }));
    }
    if !rows.is_empty() {
        out += &table(&[cell("stage"), cell("gives"), ("r", "weights".into()), cell("operations")], rows);
    }
    let weights = pipeline.weights.iter().map(|w| {
        let shape: Vec<String> = w.shape.iter().map(usize::to_string).collect();
        vec![code_cell(&w.name), number_cell(&shape.join(" × ")), number_cell(&grouped(w.shape.iter().product()))]
    });
    let weights = table(&[cell("weight"), ("r", "shape".into()), ("r", "numbers".into())], weights);
    out + &details(&format!("all {} tensors of weights", pipeline.weights.len()), &weights)
}

/// A value of YAML in a line.
pub fn shown(value: &serde_yaml::Value) -> String {
    match value {
        serde_yaml::Value::String(text) => text.clone(),
        other => serde_yaml::to_string(other).unwrap_or_default().trim().to_string(),
    }
}

fn parameters(run: &Run, known: &[ParamInfo]) -> String {
    let mut out = String::from("<h2 id=\"parameters\">Parameters</h2>\n");
    let rows = run.record.params.iter().map(|(name, value)| {
        let name = shown(name);
        let origin = run.record.origins.get(name.as_str()).map(shown).unwrap_or_default();
        let info = known.iter().find(|p| p.name == name);
        let about = info.and_then(|p| p.about.clone()).unwrap_or_default();
        let domain = info.and_then(|p| p.domain.clone()).unwrap_or_default();
        let class = if origin == "default" { "old" } else { "new" };
        vec![
            code_cell(&name),
            code_cell(&shown(value)),
            (class, escaped(&origin)),
            ("c", escaped(&domain)),
            ("s", escaped(&about)),
        ]
    });
    let rows: Vec<_> = rows.collect();
    if rows.is_empty() {
        return out + "<p class=\"lead\">The pipeline has none.</p>\n";
    }
    out += &table(&["name", "value", "from", "may be", "means"].map(cell), rows);
    out
}

fn data(run: &Run, loaded: Option<&Loaded>) -> String {
    let mut out = String::from("<h2 id=\"data\">Data</h2>\n");
    for dataset in loaded.iter().flat_map(|l| &l.pipeline.datasets) {
        out += &format!("<h3>{}</h3>\n{}", escaped(&dataset.name), code(&dataset.recipe.to_string()));
    }
    let rows: Vec<_> = run
        .record
        .data
        .iter()
        .map(|d| {
            vec![
                code_cell(&d.name),
                number_cell(&grouped(d.files)),
                number_cell(&grouped(d.bytes as usize)),
                code_cell(&d.hash),
            ]
        })
        .collect();
    if rows.is_empty() {
        return out + "<p class=\"lead\">No files: what is seen is drawn from the seed.</p>\n";
    }
    let heads = [cell("data"), ("r", "files".into()), ("r", "bytes".into()), cell("hash")];
    out += &table(&heads, rows);
    let all: Vec<&str> = run.data.lines().collect();
    if !all.is_empty() {
        let shown = all.iter().take(FILES).copied().collect::<Vec<_>>().join("\n");
        let more = all.len().saturating_sub(FILES);
        let more = if more > 0 { format!("\nand {more} more, in {}", rord_record::DATA) } else { String::new() };
        out += &details("its files", &format!("<pre>{}{}</pre>", escaped(&shown), escaped(&more)));
    }
    out
}

fn times(run: &Run) -> String {
    let mut out = String::from("<h2 id=\"time\">Time</h2>\n");
    let seconds = &run.record.epoch_seconds;
    let most = seconds.iter().copied().fold(0.0, f64::max);
    if most > 0.0 {
        // Of many epochs each bar is the mean of some.
        let each = seconds.len().div_ceil(120);
        let bar = |(index, some): (usize, &[f64])| {
            let mean = some.iter().sum::<f64>() / some.len().max(1) as f64;
            let name = format!("epoch {}: {}", index * each + 1, time(mean));
            format!("<i style=\"height:{:.0}%\" title=\"{name}\"></i>", 100.0 * mean / most)
        };
        let bars: String = seconds.chunks(each).enumerate().map(bar).collect();
        let mean = seconds.iter().sum::<f64>() / seconds.len() as f64;
        out += &format!(
            "<div class=\"bars\" role=\"img\" aria-label=\"seconds of each epoch\">{bars}</div>\n\
             <p class=\"hint\">Each epoch with its validation: {} on average, {} at most. <code>rord-run bench {}</code> says which operations \
             take it.</p>\n",
            time(mean),
            time(most),
            escaped(&run.name)
        );
    }
    let record = &run.record;
    out + &facts(&[
        ("begun", record.started.clone()),
        ("ended", record.finished.clone().unwrap_or_default()),
        ("in all", run.seconds().map(time).unwrap_or_default()),
    ])
}
