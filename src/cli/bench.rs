//! `rord-run bench`: how long a training step takes, and what takes it.

use serde_json::{Value, json};

use super::args::BenchArgs;
use super::load::{Loaded, load_or_report};
use rord_engine::bench::{Measured, Options, Row, bench};
use rord_engine::plan::Plan;
use rord_engine::refusals::{Stop, size};
use rord_lang::report::{Report, plural};
use rord_record::terminal::Busy;

/// Measures and prints.
pub fn run(args: &BenchArgs) -> u8 {
    let Some(loaded) = load_or_report(&args.file) else { return super::REFUSED };
    match attempt(args, &loaded) {
        Ok(text) => {
            super::print(&text);
            super::DONE
        }
        Err(reports) => {
            super::print_reports(&reports, &loaded.sources);
            super::REFUSED
        }
    }
}

fn attempt(args: &BenchArgs, loaded: &Loaded) -> Result<String, Vec<Report>> {
    let plan = Plan::new(&loaded.pipeline, loaded.end())?;
    let (device, place) = super::train::device(&args.device).map_err(|r| vec![r])?;
    super::train::precision(&plan, &device).map_err(|r| vec![r])?;
    let options = Options { steps: args.steps.max(1), warmup: args.warmup, plain: args.plain };
    let line = Busy::new("loading the data");
    let mut busy = |what: &str| line.now(what);
    let found = bench(&loaded.pipeline, &loaded.vocabulary, &plan, &options, &device, &mut busy);
    drop(line);
    let found = found.map_err(Stop::reports)?;
    Ok(match args.json {
        true => format!("{}\n", object(&found, &plan, &options, (&loaded.pipeline.name, &place))),
        false => text(&found, &plan, &options, &loaded.pipeline.name),
    })
}

/// Billions of operations a second; nothing where none are counted or no time has passed.
fn rate(flops: f64, ms: f64) -> Option<f64> {
    (flops > 0.0 && ms > 0.0).then(|| flops / ms / 1e6)
}

fn object(m: &Measured, plan: &Plan, options: &Options, (name, device): (&str, &str)) -> Value {
    let row = |row: &Row| {
        json!({
            "op": row.op,
            "sizes": row.sizes,
            "count": row.count,
            "forward_ms": row.forward_ms,
            "backward_ms": row.backward_ms,
            "share": row.ms() / m.step.0,
            "gflops": rate(row.flops, row.ms()),
        })
    };
    let megabytes = |bytes: Option<usize>| bytes.map(|n| n as f64 / 1e6);
    json!({
        "pipeline": name,
        "device": device,
        "version": env!("CARGO_PKG_VERSION"),
        "median_ms": m.step.0,
        "min_ms": m.step.1,
        "max_ms": m.step.2,
        "steps": options.steps,
        "warmup": options.warmup,
        "plain": options.plain,
        "batch": plan.batch,
        "batch_ms": m.batch_ms,
        "gflop": m.flops / 1e9,
        "gflops": rate(m.flops, m.step.0),
        "peak_rss_mb": megabytes(m.peak),
        "predicted_mb": megabytes(m.predicted),
        "threads": m.threads,
        "simd": m.simd,
        "phases": {
            "forward_ms": m.phases.forward,
            "losses_ms": m.phases.losses,
            "backward_ms": m.phases.backward,
            "optimizer_ms": m.phases.optimizer,
        },
        "ops": m.rows.iter().map(row).collect::<Vec<_>>(),
    })
}

fn text(m: &Measured, plan: &Plan, options: &Options, name: &str) -> String {
    let by = if options.plain { "plain Candle operations".to_string() } else { m.simd.to_string() };
    let threads = plural(m.threads, "thread");
    let mut out = format!("{name}: batches of {}, {threads}, {by}, rord {}\n", plan.batch, env!("CARGO_PKG_VERSION"));
    out.push_str(&format!("data: {:.1} ms a batch on one thread\n\n", m.batch_ms));
    let (median, least, most) = m.step;
    let speed = rate(m.flops, median).map(|r| format!(", {:.1} GFLOP at {r:.0} a second", m.flops / 1e9));
    out.push_str(&format!(
        "step: {median:.1} ms ({least:.1} .. {most:.1}), the median of {} after {}{}\n",
        options.steps,
        options.warmup,
        speed.unwrap_or_default()
    ));
    let p = &m.phases;
    for (phase, ms) in
        [("forward", p.forward), ("losses", p.losses), ("backward", p.backward), ("optimizer", p.optimizer)]
    {
        out.push_str(&format!("  {phase:<9}  {ms:>9.1} ms  {:>4.0} %\n", 100.0 * ms / median));
    }
    let label = |row: &Row| match row.sizes.is_empty() {
        true => row.op.clone(),
        false => format!("{} {}", row.op, row.sizes),
    };
    let width = m.rows.iter().map(|r| label(r).chars().count()).max().unwrap_or(0).max(9);
    out.push_str(&format!("\n{:<width$}  count  forward  backward  share  GFLOP/s\n", "operation"));
    for row in &m.rows {
        let rate = rate(row.flops, row.ms()).map_or(String::new(), |r| format!("{r:.0}"));
        let share = 100.0 * row.ms() / median;
        let label = label(row);
        let line = format!(
            "{label:<width$}  {:>5}  {:>7.2}  {:>8.2}  {share:>3.0} %  {rate:>7}",
            row.count, row.forward_ms, row.backward_ms
        );
        out.push_str(&format!("{}\n", line.trim_end()));
    }
    let predicted = m.predicted.map(|n| format!(", predicted {}", size(n))).unwrap_or_default();
    out.push_str(&format!("\npeak memory: {}{predicted}\n", m.peak.map_or("unknown".into(), size)));
    out
}
