//! Recipes: layouts, datasets, views, optimizers, schedules, numbers that change. The checker knows their arguments; the engine carries them
//! out and reads their settings.

mod data;
mod initial;
mod layouts;
mod timed;
mod training;
mod views;

use crate::op::Op;
use rord_lang::constant::{Constant, Unit, number};
use rord_lang::report::numbers;
use rord_lang::vocabulary::Application;

/// Every recipe.
pub fn all() -> impl Iterator<Item = &'static Op> {
    let data = layouts::RECIPES.iter().chain(data::RECIPES).chain(views::RECIPES);
    data.chain(training::RECIPES).chain(timed::RECIPES).chain(initial::RECIPES)
}

/// Reports a number, or an end of a range, outside of what can be carried out.
fn limits(a: &mut Application<'_>, name: &str, low: f64, high: f64) {
    let Some(arg) = a.arg(name) else { return };
    let Some((from, to)) = arg.constant.as_ref().and_then(Constant::range) else { return };
    if from < low || to > high {
        let label = format!("not within {} to {}", number(low), number(high));
        let title = format!("`{name}` of `{}` is out of range", a.name);
        a.reports.push(numbers::rule(arg.span, &title, &label, "choose numbers within"));
    }
}

/// Reports a range in another unit, or below a bound.
fn range_of(a: &mut Application<'_>, name: &str, unit: Option<Unit>, low: f64) {
    let Some(arg) = a.arg(name) else { return };
    let Some(constant) = &arg.constant else { return };
    let span = arg.span;
    let ends: Vec<&Constant> = match constant {
        Constant::Range(low, high) => vec![low, high],
        Constant::None => return,
        one => vec![one],
    };
    let unit_of = |c: &Constant| if let Constant::Quantity(_, u) = c { Some(*u) } else { None };
    let label = constant.to_string();
    if ends.iter().any(|e| unit_of(e) != unit) {
        let title =
            format!("`{name}` is a range {}", unit.map_or("of plain numbers".into(), |u| format!("in {}", u.name())));
        let help = unit.map_or("as in 0.8..1.2".to_string(), |u| format!("as in 0{0}..9{0}", u.name()));
        a.reports.push(numbers::rule(span, &title, &label, &help));
    } else if ends.iter().any(|e| e.number().is_none_or(|x| x < low)) {
        let title = format!("`{name}` may not lie below {low}");
        a.reports.push(numbers::rule(span, &title, &label, "as in 0.8..1.2"));
    }
}
