//! The numbers of a run: its curves, and times.

use rord_lang::report::plural;
use rord_record::progress::{rate, short, time};
use rord_record::{OperationTime, StepTimes};

use super::super::Run;
use super::super::chart::{Chart, Points, Series};
use super::super::curves::Curve;
use super::super::html::{cell, code_cell, details, escaped, facts, number_cell, table};

/// Numbers that every run has.
pub const OWN: [&str; 2] = ["lr", "grad_norm"];

/// What a curve is called where the name is the record's own.
pub fn called(name: &str) -> &str {
    match name {
        "lr" => "learning rate",
        "grad_norm" => "gradient norm",
        name => name.strip_prefix("value.").unwrap_or(name),
    }
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

/// A chart for each number.
pub fn curves(run: &Run) -> String {
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

/// How long epochs were.
pub fn times(run: &Run) -> String {
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
             <p class=\"hint\">Each epoch with its validation: {} on average, {} at most.</p>\n",
            time(mean),
            time(most),
        );
    }
    let record = &run.record;
    out += &record.step.as_ref().map(step).unwrap_or_default();
    out + &facts(&[
        ("begun", record.started.clone()),
        ("ended", record.finished.clone().unwrap_or_default()),
        ("in all", run.seconds().map(time).unwrap_or_default()),
    ])
}

/// The time of a step by its parts and by operation, with a bar for the share of each.
fn step(step: &StepTimes) -> String {
    let share = |ms: f64| 100.0 * ms / step.ms.max(f64::MIN_POSITIVE);
    let parts = [
        ("forward", step.forward_ms),
        ("losses", step.losses_ms),
        ("backward", step.backward_ms),
        ("optimizer", step.optimizer_ms),
    ];
    let parts: Vec<String> = parts.iter().map(|(name, ms)| format!("{name} {:.0} %", share(*ms))).collect();
    let row = |o: &OperationTime| {
        let all = o.forward_ms + o.backward_ms;
        let bar = format!(
            "<svg class=\"share\" width=\"100\" height=\"8\" aria-hidden=\"true\"><rect width=\"{:.1}\" height=\"8\"/></svg> {:.1} %",
            share(all).clamp(0.0, 100.0),
            share(all)
        );
        let number = |ms: f64| number_cell(&format!("{ms:.2}"));
        vec![
            code_cell(&o.op),
            ("s", escaped(&o.sizes)),
            number_cell(&o.count.to_string()),
            number(o.forward_ms),
            number(o.backward_ms),
            ("c", bar),
        ]
    };
    let heads = [
        cell("operation"),
        cell("sizes"),
        ("r", "times".into()),
        ("r", "forward, ms".into()),
        ("r", "backward, ms".into()),
        cell("of the step"),
    ];
    let (long, rest) = step.operations.split_at(step.operations.len().min(12));
    let more = if rest.is_empty() { String::new() } else { details("the rest", &table(&heads, rest.iter().map(row))) };
    format!(
        "<p class=\"lead\">A step takes {:.1} ms: {}. The median of {}, one in the middle of each of the last epochs.</p>\n{}{more}",
        step.ms,
        parts.join(", "),
        plural(step.steps, "step"),
        table(&heads, long.iter().map(row))
    )
}
