//! A pipeline in some fifteen boxes, for people: what the data gives, the lines of each model in each of its calls, `let`s, losses, and
//! what is minimized. The graph of operations is for compilers.

mod layout;
mod print;
mod svg;

use std::collections::{BTreeMap, BTreeSet};

use rord_lang::named::Meaning;
use rord_lang::source::Span;
use rord_lang::typed::{Apply, Output, Pipeline, ValueId, ValueSource};
use rord_lang::types::{Kind, Type};

pub use print::{dot, json, mermaid, text};
pub use svg::svg;

/// The most calls of a model that are drawn apart.
const MOST_CALLS: usize = 3;

/// What a box is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// A field of a dataset, or an input.
    Field,
    /// A line of a model.
    Stage,
    /// A `let` of the file.
    Let,
    /// A loss.
    Loss,
    /// What is minimized.
    Objective,
}

impl What {
    /// In a word.
    pub fn name(self) -> &'static str {
        match self {
            What::Field => "field",
            What::Stage => "stage",
            What::Let => "let",
            What::Loss => "loss",
            What::Objective => "objective",
        }
    }
}

/// A box.
#[derive(Clone, Debug, PartialEq)]
pub struct Block {
    /// What it is.
    pub what: What,
    /// What it is called: `trunk`.
    pub name: String,
    /// Its kind and its shape without the batch: `Desc 64 × 16 × 16`; empty for numbers.
    pub shape: String,
    /// Its weights.
    pub weights: usize,
    /// What it is made by: operations of a stage, the formula of others.
    pub by: String,
    /// The group that it lies in.
    pub group: Option<usize>,
}

/// A dataset, or calls of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// `pairs`, `net(image)`
    pub name: String,
    /// `data`, `model`, `model, the same weights`
    pub about: String,
}

/// Boxes and what leads from one to another.
#[derive(Clone, Debug, Default)]
pub struct Overview {
    /// Datasets and calls of models.
    pub groups: Vec<Group>,
    /// The boxes, each after what it uses.
    pub boxes: Vec<Block>,
    /// From a box to one that uses it.
    pub edges: BTreeSet<(usize, usize)>,
}

/// What makes a box of its own.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Field(Option<usize>, String),
    /// A line of the model in the call of this number.
    Line(usize, usize, String),
    Item(String),
}

impl Overview {
    /// The boxes of a pipeline's losses, of what is minimized and of what is exported. `written` returns the formula of
    /// an item, by its name and by the place of its value.
    pub fn of(pipeline: &Pipeline, written: &dyn Fn(&str, Span) -> String) -> Self {
        let objectives = pipeline.objectives.iter().map(|o| &o.output);
        let outputs: Vec<_> = pipeline.losses.iter().chain(objectives).chain(&pipeline.exports).collect();
        let wanted: BTreeSet<ValueId> = outputs.iter().flat_map(|o| pipeline.below(o.value)).collect();
        let of_export =
            |o: &Output| pipeline.below(o.value).into_iter().map(|id| (id, o.name.clone())).collect::<Vec<_>>();
        let exported = pipeline.exports.iter().flat_map(of_export).collect();
        let (keys, groups) = (BTreeMap::new(), BTreeMap::new());
        let mut made = Made { pipeline, keys, all: Overview::default(), groups, exported };
        made.group_calls(&wanted);
        made.fields(&wanted);
        for id in &wanted {
            made.add(*id);
        }
        for output in outputs {
            made.finish(&Key::Item(output.name.clone()), output.value, written);
        }
        made.close(written);
        made.all
    }
}

/// An overview that is being made.
struct Made<'p> {
    pipeline: &'p Pipeline,
    /// The box of each key, its last value, and the weights that it has.
    keys: BTreeMap<Key, (usize, ValueId, BTreeSet<usize>)>,
    all: Overview,
    /// The group of a call, after those that are drawn as one.
    groups: BTreeMap<(usize, usize), usize>,
    /// What an export is made of that is written in the section itself.
    exported: BTreeMap<ValueId, String>,
}

impl Made<'_> {
    /// Numbers the calls of each model; of a model that is called often all are one.
    fn group_calls(&mut self, wanted: &BTreeSet<ValueId>) {
        let mut calls: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
        for id in wanted {
            if let Some((model, call, _)) = self.line(*id) {
                calls.entry(model).or_default().insert(call);
            }
        }
        for (model, calls) in calls {
            for call in &calls {
                let shown = if calls.len() > MOST_CALLS { calls.first().copied().unwrap_or_default() } else { *call };
                self.groups.insert((model, *call), shown);
            }
        }
    }

    /// The model, the call and the line of the outermost model that a value is made in.
    fn line(&self, id: ValueId) -> Option<(usize, usize, &str)> {
        let stages = &self.pipeline.stages;
        let mut stage = stages.get(self.pipeline.value(id)?.stage)?;
        while let Some(outer) = stages.get(stage.within).filter(|outer| outer.model.is_some()) {
            stage = outer;
        }
        Some((stage.model?, stage.call, &stage.name))
    }

    /// The value that a value is, under whatever type.
    fn resolved(&self, mut id: ValueId) -> ValueId {
        while let Some(ValueSource::Alias(of)) = self.pipeline.value(id).map(|v| &v.source) {
            id = *of;
        }
        id
    }

    fn key(&self, id: ValueId) -> Option<Key> {
        let value = self.pipeline.value(id)?;
        match &value.source {
            ValueSource::Field { data, name } => Some(Key::Field(*data, name.clone())),
            ValueSource::Apply(_) => Some(match self.line(id) {
                Some((model, call, name)) => {
                    let call = self.groups.get(&(model, call)).copied().unwrap_or(call);
                    Key::Line(model, call, name.into())
                }
                None => Key::Item(match self.pipeline.stages.get(value.stage)?.name.as_str() {
                    // A section has no name, and what it exports has.
                    "" => self.exported.get(&id).cloned().unwrap_or_default(),
                    name => name.to_string(),
                }),
            }),
            _ => None,
        }
    }

    /// The fields of each dataset that are used, in their order.
    fn fields(&mut self, wanted: &BTreeSet<ValueId>) {
        for id in wanted {
            let Some(value) = self.pipeline.value(*id) else { continue };
            let ValueSource::Field { data, name } = &value.source else { continue };
            let group = match data.and_then(|data| self.pipeline.datasets.get(data)) {
                Some(dataset) => Group { name: dataset.name.clone(), about: "data".into() },
                None => Group { name: "inputs".into(), about: "given by the caller".into() },
            };
            let group = self.group(group);
            let of = Block {
                what: What::Field,
                name: name.clone(),
                shape: shape(self.pipeline, &value.ty),
                weights: 0,
                by: String::new(),
                group: Some(group),
            };
            self.put(Key::Field(*data, name.clone()), *id, of);
        }
    }

    fn group(&mut self, group: Group) -> usize {
        let at = self.all.groups.iter().position(|g| *g == group);
        at.unwrap_or_else(|| {
            self.all.groups.push(group);
            self.all.groups.len() - 1
        })
    }

    fn put(&mut self, key: Key, id: ValueId, one: Block) {
        if !self.keys.contains_key(&key) {
            self.all.boxes.push(one);
            self.keys.insert(key, (self.all.boxes.len() - 1, id, BTreeSet::new()));
        }
    }

    /// Adds a value to the box of its line, with what leads there.
    fn add(&mut self, id: ValueId) {
        let Some(value) = self.pipeline.value(id) else { return };
        let ValueSource::Apply(apply) = &value.source else {
            return self.retype(id);
        };
        let Some(key) = self.key(id) else { return };
        let (what, name, group) = match &key {
            Key::Line(model, call, name) => (What::Stage, name.clone(), Some(self.call_group(*model, *call))),
            Key::Item(name) => (self.role(name), name.clone(), None),
            Key::Field(..) => return,
        };
        let one = Block { what, name, shape: String::new(), weights: 0, by: String::new(), group };
        self.put(key.clone(), id, one);
        let inputs: Vec<ValueId> = apply.inputs.iter().map(|(_, input)| self.resolved(*input)).collect();
        let from: Vec<usize> = inputs.iter().filter_map(|id| Some(self.keys.get(&self.key(*id)?)?.0)).collect();
        let declared = apply.inputs.iter().filter_map(|(_, input)| match self.pipeline.value(*input)?.source {
            ValueSource::Weight(w) => Some(w),
            _ => None,
        });
        let weights: Vec<usize> = apply.weights.iter().map(|(_, w)| *w).chain(declared).collect();
        let Some((at, last, own)) = self.keys.get_mut(&key) else { return };
        own.extend(weights);
        *last = id;
        let at = *at;
        self.all.edges.extend(from.into_iter().filter(|from| *from != at).map(|from| (from, at)));
        if let Some(one) = self.all.boxes.get_mut(at).filter(|one| one.what == What::Stage) {
            step(&mut one.by, &operation(self.pipeline, apply));
        }
    }

    /// A type that the text states in the line itself is the line's.
    fn retype(&mut self, id: ValueId) {
        let of = self.resolved(id);
        let same = self.line(id).is_some() && self.line(id) == self.line(of);
        if let Some((_, last, _)) = self.key(of).filter(|_| same).and_then(|key| self.keys.get_mut(&key)) {
            *last = id;
        }
    }

    fn role(&self, name: &str) -> What {
        let objective = self.pipeline.objectives.iter().any(|o| o.output.name == name);
        match () {
            () if objective => What::Objective,
            () if self.pipeline.losses.iter().any(|o| o.name == name) => What::Loss,
            () => What::Let,
        }
    }

    fn call_group(&mut self, model: usize, call: usize) -> usize {
        let Some(info) = self.pipeline.models.get(model) else { return 0 };
        // Names of groups are unique until they are closed.
        self.group(Group { name: format!("{} {call}", info.name), about: format!("model {model}") })
    }

    /// The formula of an output, which may be another's value under a name of its own.
    fn finish(&mut self, key: &Key, value: ValueId, written: &dyn Fn(&str, Span) -> String) {
        let of = self.resolved(value);
        if !self.keys.contains_key(key) {
            let (Some(from), Key::Item(name)) = (self.key(of).and_then(|key| Some(self.keys.get(&key)?.0)), key) else {
                return;
            };
            let what = self.role(name);
            // What is exported as it is has its box already.
            if what == What::Let {
                return;
            }
            let one =
                Block { what, name: name.clone(), shape: String::new(), weights: 0, by: String::new(), group: None };
            self.put(key.clone(), value, one);
            let at = self.all.boxes.len() - 1;
            self.all.edges.insert((from, at));
        }
        let Key::Item(name) = key else { return };
        let text = self.pipeline.value(value).map(|v| written(name, v.span)).unwrap_or_default();
        if let Some(one) = self.keys.get(key).and_then(|(at, ..)| self.all.boxes.get_mut(*at)) {
            one.by = one_line(&text);
        }
    }

    /// Shapes, weights and the names of calls.
    fn close(&mut self, written: &dyn Fn(&str, Span) -> String) {
        for (key, (at, last, weights)) in &self.keys {
            let Some((value, one)) = self.pipeline.value(*last).zip(self.all.boxes.get_mut(*at)) else { continue };
            if !matches!(key, Key::Field(..)) {
                one.shape = shape(self.pipeline, &value.ty);
                let sizes = weights.iter().filter_map(|w| self.pipeline.weights.get(*w));
                one.weights = sizes.map(|w| w.shape.iter().product::<usize>()).sum();
            }
            // Of several values of an item the first name's counts.
            let named = self.pipeline.names.iter().find(|named| named.name == one.name).map(|named| &named.is);
            if let (What::Let, Some(Meaning::Tensor(id))) = (one.what, named) {
                one.shape = self.pipeline.value(*id).map(|v| shape(self.pipeline, &v.ty)).unwrap_or_default();
            }
            if one.what == What::Let && one.by.is_empty() {
                one.by = one_line(&written(&one.name, value.span));
            }
        }
        let mut seen = BTreeSet::new();
        for index in 0..self.all.groups.len() {
            let model = self.all.groups.get(index).and_then(|g| g.about.strip_prefix("model ")?.parse::<usize>().ok());
            let Some(model) = model else { continue };
            let inside = |at: usize| self.all.boxes.get(at).and_then(|b| b.group) == Some(index);
            let entering = self.all.edges.iter().filter(|(from, to)| !inside(*from) && inside(*to));
            let mut from: Vec<usize> = entering.map(|(from, _)| *from).collect();
            from.dedup();
            let names: Vec<&str> = from.iter().filter_map(|at| Some(self.all.boxes.get(*at)?.name.as_str())).collect();
            let calls: BTreeSet<usize> =
                self.groups.iter().filter(|((m, _), _)| *m == model).map(|(_, shown)| *shown).collect();
            let all = self.groups.keys().filter(|(m, _)| *m == model).count();
            let Some(info) = self.pipeline.models.get(model) else { continue };
            let again = !seen.insert(model);
            let name = match calls.len() == 1 && all > 1 {
                true => format!("{}, {all} calls", info.name),
                false => format!("{}({})", info.name, names.join(", ")),
            };
            let about = match (again, info.trains(), info.follows.is_some()) {
                (true, ..) => "the same weights",
                (_, true, _) => "model",
                (_, _, true) => "follows another model",
                _ => "frozen",
            };
            if let Some(group) = self.all.groups.get_mut(index) {
                *group = Group { name, about: about.into() };
            }
        }
    }
}

/// An operation of a stage: its name, with the channels that its weights make.
fn operation(pipeline: &Pipeline, apply: &Apply) -> String {
    let made = apply.weights.iter().find(|(role, _)| *role == "weight").and_then(|(_, w)| pipeline.weights.get(*w));
    match made.filter(|weight| weight.shape.len() > 1).and_then(|weight| weight.shape.first()) {
        Some(channels) => format!("{} {channels}", apply.op),
        None => apply.op.to_string(),
    }
}

/// Adds a step; the same one again is counted.
fn step(by: &mut String, next: &str) {
    let (before, last) = by.rsplit_once(" · ").map_or(("", by.as_str()), |(before, last)| (before, last));
    let (last, times) = match last.rsplit_once(" ×") {
        Some((last, times)) => (last, times.parse().unwrap_or(1usize)),
        None => (last, 1),
    };
    if last == next {
        let joint = if before.is_empty() { "" } else { " · " };
        *by = format!("{before}{joint}{next} ×{}", times + 1);
    } else if by.is_empty() {
        *by = next.into();
    } else {
        *by = format!("{by} · {next}");
    }
}

/// Its kind and its shape without the batch, in numbers where they are known.
fn shape(pipeline: &Pipeline, ty: &Type) -> String {
    if matches!(ty.kind, Kind::Loss | Kind::Scalar) {
        return String::new();
    }
    let batch = |dim: &rord_lang::dim::Dim| dim.as_symbol().is_some_and(|s| pipeline.batch == Some(s.id));
    let sizes = ty.dims.iter().filter(|dim| !batch(dim)).map(|dim| match dim.value(&pipeline.sizes) {
        Some(Ok(n)) => n.to_string(),
        _ => dim.to_string(),
    });
    let sizes: Vec<String> = sizes.collect();
    format!("{} {}", ty.kind.name(), sizes.join(" × ")).trim_end().to_string()
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
