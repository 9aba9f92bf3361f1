//! What goes wrong without an error: no gradient, a detector that is the same everywhere, descriptors that are all alike, triplets that
//! are all satisfied or all violated, pictures without anything on them. Each is said once, with figures and what to try.
//!
//! Nothing is computed for it that a step does not compute anyway: values are looked at as they come. Margins, what they hold against what, and
//! gradients are looked at in every step, maps in the last of an epoch. What is seen also makes figures of each epoch, for curves.

mod terms;

use std::collections::{BTreeMap, BTreeSet};

use candle_core::{Device, Result, Storage, Tensor};
use serde_json::{Value, json};

use super::program::{Part, Watch};
use rord_graph::node::{Graph, NodeId, NodeSource, OpNode, Role};
use rord_lang::constant::number;
use rord_lang::types::Kind;
use rord_ops as ops;
use rord_ops::compute::layout;
use rord_record::Finding;

/// A picture whose grey values deviate by less is flat, and one whose mean is less is black.
const FLAT: f64 = 1e-3;
/// Probabilities that deviate by less are the same everywhere.
const CONSTANT: f64 = 1e-4;
/// Descriptors of which a smaller share differs are all alike.
const ALIKE: f64 = 1e-4;
/// Steps and epochs in a row after which triplets that were all violated are told: at the beginning of training most are.
const PATIENCE: (u64, u64) = (10, 2);

/// What is looked at in a node's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sort {
    Image,
    Detector,
    Descriptors,
    Margin,
}

/// The nodes that are looked at, by number.
#[derive(Clone, Debug, Default)]
pub struct Looked {
    /// Those that are judged, with what each is called.
    judged: BTreeMap<usize, (Sort, String)>,
    /// Those whose mean is a figure, with the figure's name.
    means: BTreeMap<usize, String>,
}

impl Looked {
    /// The nodes of a graph that are looked at.
    pub fn of(graph: &Graph) -> Self {
        let kind = |index: usize| graph.nodes.get(index).map(|node| node.ty.kind);
        let mut looked = BTreeMap::new();
        for (index, node) in graph.nodes.iter().enumerate() {
            let one_channel = node.ty.dims.get(1).is_some_and(|dim| dim.to_string() == "1");
            let sort = match &node.source {
                NodeSource::Field { name, .. } if node.ty.kind == Kind::Image => Some((Sort::Image, name.clone())),
                NodeSource::Op(op) => {
                    let first = |of: Kind| {
                        node.ty.kind == of && !op.inputs.iter().any(|(_, id)| kind(id.0 as usize) == Some(of))
                    };
                    // Of two values the greater is a margin where one of them is 0; of one value it is a choice.
                    let zero = |(_, id): &(&str, NodeId)| {
                        matches!(graph.nodes.get(id.0 as usize).map(|n| &n.source), Some(NodeSource::Number(0.0)))
                    };
                    let margin = ops::find(op.op).is_some_and(|o| o.entry.lints.margin)
                        && (op.inputs.iter().any(|(name, _)| *name == "x") || op.inputs.iter().any(zero));
                    let sort = match () {
                        () if margin || terms::is_margin(graph, node, op) => Some(Sort::Margin),
                        () if first(Kind::Desc) => Some(Sort::Descriptors),
                        () if first(Kind::Prob) && one_channel => Some(Sort::Detector),
                        () => None,
                    };
                    sort.and_then(|sort| {
                        let name = if sort == Sort::Margin { loss(graph, index) } else { part(graph, op) };
                        Some((sort, name?))
                    })
                }
                _ => None,
            };
            looked.extend(sort.map(|sort| (index, sort)));
        }
        let margins = looked.iter().filter(|(_, (sort, _))| *sort == Sort::Margin);
        let means = terms::against(graph, margins.map(|(node, (_, loss))| (*node, loss.as_str())));
        Self { judged: looked, means }
    }
}

/// The part of a network that an operation ends: that of the nearest weight above it.
fn part(graph: &Graph, op: &OpNode) -> Option<String> {
    let mut above: Vec<usize> = op.inputs.iter().map(|(_, id)| id.0 as usize).collect();
    for _ in 0..graph.nodes.len() {
        let mut next = Vec::new();
        for index in above {
            match graph.nodes.get(index).map(|node| &node.source) {
                Some(NodeSource::Weight(w)) => {
                    let name = &graph.weights.get(*w)?.name;
                    let words: Vec<&str> = name.split('.').take_while(|word| word.parse::<usize>().is_err()).collect();
                    return Some(words.join("."));
                }
                Some(NodeSource::Op(op)) => next.extend(op.inputs.iter().map(|(_, id)| id.0 as usize)),
                _ => {}
            }
        }
        above = next;
        if above.is_empty() {
            break;
        }
    }
    None
}

/// The loss that a node is for: the first, and else the objective.
fn loss(graph: &Graph, node: usize) -> Option<String> {
    let below = |output: usize| {
        let mut needed = BTreeSet::from([output]);
        for index in (0..=output).rev() {
            if needed.contains(&index)
                && let Some(NodeSource::Op(op)) = graph.nodes.get(index).map(|n| &n.source)
            {
                needed.extend(op.inputs.iter().map(|(_, id)| id.0 as usize));
            }
        }
        needed.contains(&node)
    };
    let of = |role: Role| graph.outputs.iter().find(|o| o.role == role && below(o.node.0 as usize));
    of(Role::Loss).or_else(|| of(Role::Objective)).map(|output| output.name.clone())
}

/// Looks at the values of a step.
pub struct Looking<'a> {
    /// The nodes.
    pub looked: &'a Looked,
    /// True in the last step of an epoch, where maps are looked at, too.
    pub whole: bool,
    /// What was seen.
    pub seen: Seen,
}

/// What was seen in a step.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Two figures of a node that is judged.
    judged: BTreeMap<usize, (f64, f64)>,
    /// The mean of a node that is a figure by itself.
    means: BTreeMap<usize, f64>,
}

impl Watch for Looking<'_> {
    fn done(&mut self, _: Part) {}

    fn value(&mut self, node: usize, value: &Tensor) {
        // Of several batches of a step the last one counts.
        if self.looked.means.contains_key(&node)
            && let Ok(numbers) = numbers(value)
        {
            self.seen.means.insert(node, mean(&numbers));
        }
        let judged = self.looked.judged.get(&node);
        let Some((sort, _)) = judged.filter(|(sort, _)| self.whole || *sort == Sort::Margin) else { return };
        // What cannot be looked at is not judged.
        let Ok(figures) = figures(*sort, value) else { return };
        self.seen.judged.insert(node, figures);
    }
}

/// All numbers of a value.
fn numbers(value: &Tensor) -> Result<Vec<f32>> {
    value.to_device(&Device::Cpu)?.to_dtype(candle_core::DType::F32)?.flatten_all()?.to_vec1()
}

/// Their mean.
fn mean(of: &[f32]) -> f64 {
    of.iter().map(|x| f64::from(*x)).sum::<f64>() / of.len().max(1) as f64
}

/// The figures of a value: of pictures the share of flat ones and the mean; of probabilities deviation and mean; of descriptors the share that
/// differs; of margins how many are violated, and of how many.
fn figures(sort: Sort, value: &Tensor) -> Result<(f64, f64)> {
    let value = layout::first(value)?;
    let numbers = numbers(&value)?;
    let all = mean(&numbers);
    let deviation = |of: &[f32]| {
        let (n, mean) = (of.len().max(1) as f64, mean(of));
        (of.iter().map(|x| (f64::from(*x) - mean).powi(2)).sum::<f64>() / n).sqrt()
    };
    Ok(match sort {
        Sort::Margin => (numbers.iter().filter(|x| **x > 0.0).count() as f64, numbers.len() as f64),
        Sort::Detector => (deviation(&numbers), all),
        Sort::Image => {
            let samples = value.dim(0)?.max(1);
            let flat =
                numbers.chunks((numbers.len() / samples).max(1)).filter(|sample| deviation(sample) < FLAT).count();
            (flat as f64 / samples as f64, all)
        }
        Sort::Descriptors => {
            let (batch, channels) = (value.dim(0)?.max(1), value.dim(1)?.max(1));
            let places = (numbers.len() / (batch * channels)).max(1);
            let (mut sums, mut squares) = (vec![0.0f64; channels], 0.0f64);
            for (plane, numbers) in numbers.chunks(places).enumerate() {
                let sum = numbers.iter().map(|x| f64::from(*x)).sum::<f64>();
                sums.get_mut(plane % channels).into_iter().for_each(|all| *all += sum);
                squares += numbers.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>();
            }
            let vectors = (batch * places) as f64;
            let common = sums.iter().map(|sum| (sum / vectors).powi(2)).sum::<f64>();
            let all = squares / vectors;
            (if all > 0.0 { ((all - common) / all).max(0.0) } else { 0.0 }, all)
        }
    })
}

/// Whether a gradient has a number that is not 0. The first one ends the look.
pub fn any(grad: &Tensor) -> bool {
    let (storage, layout) = grad.storage_and_layout();
    match (&*storage, layout.contiguous_offsets()) {
        (Storage::Cpu(cpu), Some((from, to))) => match cpu.as_slice::<f32>() {
            Ok(numbers) => numbers.get(from..to).is_none_or(|own| own.iter().any(|x| *x != 0.0)),
            Err(_) => true,
        },
        // Elsewhere nothing is fetched for it.
        _ => true,
    }
}

/// What has been seen of the epoch at hand, and what has been said.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Health {
    said: BTreeSet<String>,
    /// Steps of the epoch at hand.
    steps: u64,
    /// Steps without any gradient.
    still: u64,
    /// By weight the steps in which its gradient was 0.
    zero: Vec<u64>,
    /// By node how many margins were violated, of how many, and for how many steps all of them have been.
    margins: BTreeMap<usize, (f64, f64, u64)>,
    /// By node the sum of the means of the epoch's steps, and how many there were.
    means: BTreeMap<usize, (f64, u64)>,
}

impl Health {
    /// Takes in a step: the norm of its gradient, the weights whose gradient was 0, and what was seen.
    pub fn step(&mut self, norm: f64, zero: &[bool], seen: &Seen, looked: &Looked) {
        self.steps += 1;
        self.still += u64::from(norm == 0.0);
        self.zero.resize(zero.len(), 0);
        self.zero.iter_mut().zip(zero).for_each(|(count, zero)| *count += u64::from(*zero));
        for (node, mean) in &seen.means {
            let (sum, count) = self.means.entry(*node).or_default();
            (*sum, *count) = (*sum + mean, *count + 1);
        }
        for (node, (violated, of)) in &seen.judged {
            if looked.judged.get(node).is_some_and(|(sort, _)| *sort == Sort::Margin) {
                let (all, count, long) = self.margins.entry(*node).or_default();
                *long = if violated == of { *long + 1 } else { 0 };
                (*all, *count) = (*all + violated, *count + of);
            }
        }
    }

    /// The figures of the epoch at hand by name, for curves: of a loss with a margin the share that is `active`, and the means of what it holds
    /// against what; of a detector `mean` and `spread` (standard deviation) of its probabilities; of descriptors the share of their square that
    /// differs from place to place. `seen` is of its last step.
    pub fn figures(&self, seen: &Seen, looked: &Looked) -> Vec<(String, f64)> {
        // Several nodes of one name count alike, but margins by how many there are.
        let mut all: BTreeMap<String, (f64, f64)> = BTreeMap::new();
        let mut add = |name: String, (value, weight): (f64, f64)| {
            let (sum, of) = all.entry(name).or_default();
            (*sum, *of) = (*sum + value * weight, *of + weight);
        };
        for (node, (violated, of, _)) in self.margins.iter().filter(|(_, (_, of, _))| *of > 0.0) {
            if let Some((_, loss)) = looked.judged.get(node) {
                add(format!("{loss}.active"), (violated / of, *of));
            }
        }
        for (node, (sum, count)) in self.means.iter().filter(|(_, (_, count))| *count > 0) {
            if let Some(name) = looked.means.get(node) {
                add(name.clone(), (sum / *count as f64, 1.0));
            }
        }
        for (node, (a, b)) in &seen.judged {
            match looked.judged.get(node) {
                Some((Sort::Detector, part)) => {
                    add(format!("{part}.mean"), (*b, 1.0));
                    add(format!("{part}.spread"), (*a, 1.0));
                }
                Some((Sort::Descriptors, part)) => add(format!("{part}.spread"), (*a, 1.0)),
                _ => {}
            }
        }
        all.into_iter().map(|(name, (sum, of))| (name, sum / of)).collect()
    }

    /// Ends an epoch: what is to be said that has not been said before. `seen` is of its last step.
    pub fn end_epoch(&mut self, epoch: u64, names: &[String], seen: &Seen, looked: &Looked) -> Vec<Finding> {
        let mut found = Vec::new();
        let steps = std::mem::take(&mut self.steps);
        let still = std::mem::take(&mut self.still);
        let zero = std::mem::take(&mut self.zero);
        let mut say = |what: &'static str, of: &str, figures: &[(&'static str, f64)], text: String| {
            found.push(Finding { epoch, what, of: of.into(), figures: figures.to_vec(), text });
        };
        let without: Vec<&String> =
            zero.iter().zip(names).filter(|(n, _)| **n == steps).map(|(_, name)| name).collect();
        match without.as_slice() {
            _ if steps > 0 && still == steps => say(
                "no_gradient",
                "",
                &[("steps", steps as f64)],
                format!(
                    "the gradient was 0 in all {steps} steps of epoch {epoch}, so that nothing is learned: \
                         look for a loss that is 0 or the same for every weight, and for `detach`"
                ),
            ),
            [first, ..] if steps > 0 => say(
                "no_gradient_of",
                first,
                &[("weights", without.len() as f64), ("steps", steps as f64)],
                format!(
                    "the gradient of `{first}`{} was 0 in all {steps} steps of epoch {epoch}: dead rectifiers, or no path to the loss; \
                         try a lower learning rate, `leaky_relu`, or another seed",
                    more(without.len())
                ),
            ),
            _ => {}
        }
        for (node, (violated, of, long)) in &mut self.margins {
            let Some((_, name)) = looked.judged.get(node) else { continue };
            let count = of.max(0.0);
            if *violated == 0.0 && count > 0.0 {
                say(
                    "all_satisfied",
                    name,
                    &[("triplets", count)],
                    format!(
                        "all {} triplets of `{name}` were satisfied in epoch {epoch}, so that they teach nothing: \
                     raise the margin, or take harder negatives (`hardneg`, more candidates)",
                        number(count)
                    ),
                );
            } else if violated == of && count > 0.0 && *long >= PATIENCE.0.max(PATIENCE.1 * steps) {
                say(
                    "all_violated",
                    name,
                    &[("triplets", count)],
                    format!(
                        "all {} triplets of `{name}` were violated in epoch {epoch}: \
                     the margin may be larger than distances can be (2 for unit vectors), or the positives may be wrong",
                        number(count)
                    ),
                );
            }
            (*violated, *of) = (0.0, 0.0);
        }
        self.means.clear();
        for (node, (a, b)) in &seen.judged {
            let Some((sort, name)) = looked.judged.get(node) else { continue };
            match sort {
                Sort::Detector if *a < CONSTANT => say(
                    "constant_detector",
                    name,
                    &[("deviation", *a), ("mean", *b)],
                    format!(
                        "what `{name}` detects is the same everywhere after epoch {epoch}: {} ± {}; \
                     its loss may be least for a constant: let peaks pull against the mean, or lower the learning rate",
                        short(*b),
                        short(*a)
                    ),
                ),
                Sort::Descriptors if *a < ALIKE => say(
                    "descriptors_alike",
                    name,
                    &[("spread", *a)],
                    format!(
                        "the descriptors of `{name}` are all alike after epoch {epoch}: {} of their square differs from place to place; \
                     raise the margin, take harder negatives, or lower the learning rate",
                        short(*a)
                    ),
                ),
                Sort::Image if *a >= 0.5 => {
                    let (what, sort) = if *b < FLAT { ("black_images", "black") } else { ("flat_images", "flat") };
                    say(
                        what,
                        name,
                        &[("share", *a), ("mean", *b)],
                        format!(
                            "{:.0} % of the pictures `{name}` of a batch of epoch {epoch} are {sort}: their mean is {}; \
                         look at them with `rord-run data FILE --png sheet.png`, at `layers`, `range` and `photo`",
                            100.0 * a,
                            short(*b)
                        ),
                    );
                }
                _ => {}
            }
        }
        found.retain(|finding| self.said.insert(format!("{} {}", finding.what, finding.of)));
        found
    }

    /// What has to be kept to go on later.
    pub fn state(&self) -> Value {
        let margins: Vec<Value> =
            self.margins.iter().map(|(node, (a, b, long))| json!([node, a.to_string(), b.to_string(), long])).collect();
        let means: Vec<Value> =
            self.means.iter().map(|(node, (sum, count))| json!([node, sum.to_string(), count])).collect();
        json!({
            "said": self.said, "steps": self.steps, "still": self.still, "zero": self.zero, "margins": margins,
            "means": means,
        })
    }

    /// Takes up what [`Health::state`] gave; a state without it begins anew.
    pub fn load(&mut self, state: Option<&Value>) {
        let of = |name: &str| state.and_then(|state| state.get(name));
        let count = |name: &str| of(name).and_then(Value::as_u64).unwrap_or(0);
        let list = |name: &str| of(name).and_then(Value::as_array).cloned().unwrap_or_default();
        self.said = list("said").iter().filter_map(|text| text.as_str().map(str::to_string)).collect();
        (self.steps, self.still) = (count("steps"), count("still"));
        self.zero = list("zero").iter().filter_map(Value::as_u64).collect();
        let margin = |entry: &Value| {
            let real = |at: usize| entry.get(at)?.as_str()?.parse::<f64>().ok();
            Some((entry.get(0)?.as_u64()? as usize, (real(1)?, real(2)?, entry.get(3)?.as_u64()?)))
        };
        self.margins = list("margins").iter().filter_map(margin).collect();
        let mean = |entry: &Value| {
            let sum = entry.get(1)?.as_str()?.parse::<f64>().ok()?;
            Some((entry.get(0)?.as_u64()? as usize, (sum, entry.get(2)?.as_u64()?)))
        };
        self.means = list("means").iter().filter_map(mean).collect();
    }
}

fn more(count: usize) -> String {
    match count.saturating_sub(1) {
        0 => String::new(),
        n => format!(" and of {}", rord_lang::report::plural(n, "more weight")),
    }
}

/// A figure with few digits.
fn short(x: f64) -> String {
    if x == 0.0 || (1e-3..1e4).contains(&x.abs()) { format!("{x:.4}") } else { format!("{x:.1e}") }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests;
