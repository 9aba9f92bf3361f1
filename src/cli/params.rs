//! `rord-run params`: what can be changed from outside, what it is now, and why.

use super::args::ParamsArgs;
use super::columns;
use super::load::{Loaded, load_or_report};
use rord_lang::constant::Constant;
use rord_lang::report::plural;
use rord_lang::typed::{Origin, ParamInfo, points};

/// Prints every parameter with its value and where that comes from.
pub fn run(args: &ParamsArgs) -> u8 {
    let Some(loaded) = load_or_report(&args.file) else { return super::REFUSED };
    super::print(&if args.yaml { rord_project::params::text(&loaded.pipeline.params).0 } else { text(&loaded) });
    super::DONE
}

/// Parameters, presets and sweeps as tables.
fn text(loaded: &Loaded) -> String {
    let pipeline = &loaded.pipeline;
    if pipeline.params.is_empty() {
        return "nothing can be changed from outside: the pipeline has no `param`\n".into();
    }
    let mut out = columns(pipeline.params.iter().map(|p| row(p, loaded)));
    if !pipeline.presets.is_empty() {
        out.push_str("\npresets, by --preset\n");
        let set = |fields: &[(String, Constant)]| -> Vec<String> {
            fields.iter().map(|(name, value)| format!("{name} = {value}")).collect()
        };
        out.push_str(&columns(pipeline.presets.iter().map(|(name, f)| vec![name.clone(), set(f).join(", ")])));
    }
    if !pipeline.sweeps.is_empty() {
        out.push_str("\nsweeps, by rord-run sweep\n");
        let grid = |(name, axes): &rord_lang::typed::Sweep| {
            let shown = |values: &[Constant]| -> Vec<String> { values.iter().map(Constant::to_string).collect() };
            let axes_text: Vec<String> =
                axes.iter().map(|(name, values)| format!("{name} = {}", shown(values).join(" | "))).collect();
            vec![name.clone(), axes_text.join(",  "), plural(points(axes), "run")]
        };
        out.push_str(&columns(pipeline.sweeps.iter().map(grid)));
    }
    out.push_str("\n--set replaces --params, --params replaces --preset, --preset replaces the default\n");
    out
}

/// Name, value, where it comes from and what it replaces, kind and domain, meaning.
fn row(param: &ParamInfo, loaded: &Loaded) -> Vec<String> {
    let value = match &param.value {
        None => "(no value)".to_string(),
        // As it was written: with its defaults it is long.
        Some(Constant::Recipe(_) | Constant::List(_)) => {
            let written: Vec<&str> = loaded.sources.text(param.value_span).split_whitespace().collect();
            written.join(" ")
        }
        Some(value) => value.to_string(),
    };
    let mut from = param.origin.to_string();
    for (value, origin) in &param.outdone {
        // A recipe's value is long, and where it came from is in the file.
        let value = match value {
            Constant::Recipe(recipe) => format!("{}(…)", recipe.op),
            other => other.to_string(),
        };
        from.push_str(&match origin {
            Origin::Default => format!(", not the default {value}"),
            origin => format!(", not {value} of {origin}"),
        });
    }
    let domain = param.domain.as_ref().map(|d| format!(" in {d}")).unwrap_or_default();
    let kind = format!("{}{domain}", param.kind.name());
    vec![param.name.clone(), value, from, kind, param.about.clone().unwrap_or_default()]
}
