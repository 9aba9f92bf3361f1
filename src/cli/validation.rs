//! `rord-run eval` without a suite: losses and metrics of a run on its validation data.

use rord_engine::plan::Plan;
use rord_engine::refusals::Stop;
use rord_engine::validate::{Validated, validate};
use rord_graph::node::Role;
use rord_lang::constant::of_f32;
use rord_lang::report::{Report, runtime};
use rord_record::terminal::Busy;
use serde_json::{Map, Value, json};

use super::args::{EvalArgs, ReportFormat};
use super::interrupt::{self, STOP};
use super::load::{Loaded, load_sound};
use super::using;

/// Evaluates.
pub fn run(args: &EvalArgs) -> u8 {
    let Some(loaded) = load_sound(args.file.path(), &args.file.changes.given()) else { return super::REFUSED };
    match attempt(args, &loaded) {
        Ok(Some(found)) => {
            match args.format {
                ReportFormat::Human => super::print(&table(&found)),
                ReportFormat::Json => super::print(&format!("{}\n", object(&found))),
            }
            super::DONE
        }
        Ok(None) => {
            eprintln!("stopped before the last batch; there is no mean");
            super::interrupt::code()
        }
        Err(reports) => {
            super::print_reports(&reports, &loaded.sources);
            super::REFUSED
        }
    }
}

/// The means; `None` where somebody asked to stop.
fn attempt(args: &EvalArgs, loaded: &Loaded) -> Result<Option<Validated>, Vec<Report>> {
    let pipeline = &loaded.pipeline;
    if pipeline.datasets.is_empty() {
        let help = "for tensors of your own:  rord-run loss FILE --inputs TENSORS.safetensors";
        let title = "this pipeline cannot be evaluated on data of its own";
        return Err(vec![runtime::data("R0819", loaded.end(), title, "there is no `data` to validate on", help)]);
    }
    let plan = Plan::new(pipeline, loaded.end())?;
    super::train::precision(&plan, &candle_core::Device::Cpu).map_err(|r| vec![r])?;
    using::begin().map_err(|r| vec![r])?;
    let weights = using::weights(loaded, args.network.weights.as_deref()).map_err(|r| vec![r])?;
    let busy = Busy::new("loading the data");
    let mut progress = |done: u64, all: u64| busy.now(&format!("validating: batch {done} of {all}"));
    let found =
        validate(pipeline, &loaded.vocabulary, &plan, weights.as_deref(), &STOP, &mut progress).map_err(Stop::reports);
    drop(busy);
    let found = found?.filter(|_| !interrupt::stopped());
    if let Some(found) = &found {
        found.warnings.iter().for_each(|warning| eprintln!("warning: {warning}"));
    }
    Ok(found)
}

fn role(role: Role) -> &'static str {
    match role {
        Role::Objective => "objective",
        Role::Loss => "loss",
        Role::Metric => "metric",
        Role::Value => "value",
    }
}

/// A line for each number.
fn table(found: &Validated) -> String {
    let Validated { values, batches, batch, about, .. } = found;
    let row = |(name, of, x): &(String, Role, f64)| vec![name.clone(), role(*of).into(), shown(*x)];
    let noun = if *batches == 1 { "batch" } else { "batches" };
    let head = format!("{about}; means over {batches} {noun} of {batch}\n");
    head + &super::columns(values.iter().map(row))
}

/// Six digits.
fn shown(x: f64) -> String {
    let plain = (1e-3..1e6).contains(&x.abs()) || x == 0.0 || !x.is_finite();
    let digits = (5 - x.abs().max(1e-3).log10().floor() as i64).clamp(0, 8) as usize;
    if plain { format!("{x:.digits$}") } else { format!("{x:.5e}") }
}

/// One object for programs: numbers as `metrics.jsonl` has them, to the last digit.
fn object(found: &Validated) -> Value {
    let of = |metrics: bool| -> Map<String, Value> {
        let chosen = found.values.iter().filter(|(_, role, _)| (*role == Role::Metric) == metrics);
        chosen.map(|(name, _, x)| (name.clone(), number(*x))).collect()
    };
    json!({ "split": "val", "batches": found.batches, "losses": of(false), "metrics": of(true) })
}

/// As in `metrics.jsonl`: what is an f32 has no more digits than one, and what is not finite is `null`.
fn number(x: f64) -> Value {
    Value::from(if f64::from(x as f32) == x { of_f32(x) } else { x })
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn numbers_have_six_digits() {
        let found = [0.0, 1.686_123_4, 0.001_234_567, 12_345.678, -250.0, 1e-7, f64::NAN].map(shown);
        assert_eq!(found, ["0.00000000", "1.68612", "0.00123457", "12345.7", "-250.000", "1.00000e-7", "NaN"]);
    }
}
