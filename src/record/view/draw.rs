//! A view of a run drawn into as many rows as there are: what matters most comes first, and what does not fit is left out.

use std::time::Duration;

use super::row::{Look, Row};
use super::{Begun, Loss, View, curve};
use crate::figures::{bar, rate, short, time};

/// The most rows.
const ROWS: usize = 16;
/// The most columns of a row: a terminal that becomes narrower, down to the usual 80, breaks none.
const WIDEST: usize = 79;
/// Fewer columns make no curve.
const LEAST_CURVE: usize = 8;
/// Columns of the longest curve beside a loss, and of the bar.
const LONGEST: usize = 60;
/// Rows of the curve of the objective.
const CURVE: usize = 5;
/// The most losses that have a row, and the columns of the longest name.
const LOSSES: usize = 8;
const NAME: usize = 20;
/// Columns of a loss's number, and of its validation with what stands before it.
const NUMBER: usize = 9;
const VALIDATION: usize = 12;
/// Columns of its best validation, for which a terminal has to be wide.
const BEST: usize = 24;
const WIDE: usize = 70;

/// The rows of a view on so many columns, `now` since the run began.
pub fn rows(view: &View, now: Duration, columns: usize, room: usize) -> Vec<String> {
    let columns = columns.min(WIDEST);
    let row = || Row::new(columns, view.color);
    let Some(begun) = &view.begun else {
        return vec![row().add(view.busy.as_deref().unwrap_or("preparing"), Look::Plain).end()];
    };
    let mut rows = vec![row().add(&head(view, begun, now, columns), Look::Bold).end()];
    let losses = view.losses.iter().take(LOSSES);
    let name = losses.clone().map(|loss| loss.name.chars().count()).max().unwrap_or(0).min(NAME);
    for (number, loss) in losses.enumerate() {
        let best = view.best.filter(|_| number == 0);
        rows.push(self::loss(row(), loss, name, number == 0, best));
    }
    if view.taken > 0 {
        rows.push(health(row(), view));
    }
    // The curve of the objective where that leaves half of the terminal to lines.
    let last: Vec<f64> = view.losses.first().map(|loss| loss.last.iter().copied().collect()).unwrap_or_default();
    if room >= 2 * (rows.len() + CURVE) && columns >= 2 * NAME {
        for (label, dots) in curve::line(&last, columns - NUMBER, CURVE) {
            let axis = if label.is_empty() { "│" } else { "┤" };
            rows.push(row().add(&format!("{label:>7} {axis}"), Look::Dim).add(&dots, Look::Curve).end());
        }
    }
    rows.truncate(room.min(ROWS));
    rows
}

/// Where the run is, in the fields that fit.
fn head(view: &View, begun: &Begun, now: Duration, columns: usize) -> String {
    let of = begun.epochs.to_string();
    let place = format!("epoch {:>width$}/{of}", view.epoch, width = of.len());
    if let Some(busy) = &view.busy {
        return format!("{place}  {busy}");
    }
    let of = begun.steps.to_string();
    let count = format!("{:>width$}/{of}", view.done, width = of.len());
    let left = view.left(now).map(|left| {
        let left = Duration::try_from_secs_f64(left).unwrap_or(Duration::MAX);
        format!("{} left", time(left.as_secs_f64()))
    });
    let speed = view.speed().map(|speed| match speed {
        slow if slow < 0.95 => format!("{} a step", time(1.0 / slow)),
        fast if fast < 99.5 => format!("{fast:.1} steps/s"),
        fastest => format!("{fastest:.0} steps/s"),
    });
    let fields = [Some(count), speed, left];
    // The speed is the first to go.
    let chosen: [&[usize]; 4] = [&[0, 1, 2], &[0, 2], &[0], &[]];
    for indices in chosen {
        let kept: Vec<&str> = indices.iter().filter_map(|i| fields.get(*i)?.as_deref()).collect();
        let behind = kept.join("  ");
        let room = columns.saturating_sub(place.chars().count() + behind.chars().count() + 2);
        if room >= 9 {
            return format!("{place} {} {behind}", bar(view.done, begun.steps, room.min(LONGEST)));
        }
    }
    place
}

/// A loss: its name, the mean of its last steps, their curve, its validation.
fn loss(row: Row, loss: &Loss, name: usize, objective: bool, best: Option<(f64, u64)>) -> String {
    let look = if objective { Look::Bold } else { Look::Plain };
    let wide = row.left() >= WIDE;
    let row = row.cell(&loss.name, name + 1, look).cell(&format!("{:>7}", short(loss.smooth.value)), NUMBER, look);
    // All curves are equally long.
    let behind = if wide { VALIDATION + BEST } else { VALIDATION };
    let columns = row.left().saturating_sub(behind).min(LONGEST);
    let row = match columns >= LEAST_CURVE {
        true => {
            let values: Vec<f64> = loss.last.iter().copied().collect();
            row.cell(&curve::bars(&values, columns), columns + 2, Look::Curve)
        }
        false => row,
    };
    let row = match loss.val {
        Some(val) => row.add(&format!("val {:>5}", short(val)), look),
        None => row,
    };
    match best.filter(|_| wide) {
        Some((value, epoch)) => row.add(&format!("  best {} in epoch {epoch}", short(value)), Look::Plain).end(),
        None => row.end(),
    }
}

/// The rate, the gradient, and what was found.
fn health(row: Row, view: &View) -> String {
    let row = row.add(&format!("lr {}  gradient {}", rate(view.lr), short(view.grad_norm)), Look::Dim);
    let Some((epoch, finding)) = &view.last_finding else { return row.end() };
    let count = match view.findings {
        1 => "warning".into(),
        many => format!("{many} warnings, the last"),
    };
    row.add(&format!("  {count} in epoch {epoch}: {finding}"), Look::Warning).end()
}
