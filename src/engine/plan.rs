//! What a training run needs of a pipeline, taken from it once: everything that can be refused is refused here.

use rord_lang::constant::{Constant, Recipe, Unit};
use rord_lang::report::{Report, params};
use rord_lang::source::Span;
use rord_lang::trainable;
use rord_lang::typed::{self, Dataset, Direction, Pipeline, Value, ValueSource};

use super::schedule::Mode;

/// A number that is watched: of which split, and which output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watched {
    /// True for `val.…`.
    pub validation: bool,
    /// The output.
    pub name: String,
}

impl std::fmt::Display for Watched {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", if self.validation { "val" } else { "train" }, self.name)
    }
}

impl Watched {
    pub(super) fn parse(text: &str) -> Option<Watched> {
        let (split, name) = text.split_once('.')?;
        Some(Watched { validation: split == "val", name: name.to_string() })
    }
}

/// A training run, as the pipeline describes it.
pub struct Plan {
    /// The data: each step takes a batch of every dataset.
    pub datasets: Vec<Dataset>,
    /// Samples in a batch.
    pub batch: usize,
    /// Passes over the data.
    pub epochs: u64,
    /// The seed of weights, data and draws.
    pub seed: u64,
    /// The optimizer.
    pub optimizer: Recipe,
    /// The schedule.
    pub schedule: Option<Recipe>,
    /// True where the factors of products may be rounded to bfloat16.
    pub bf16: bool,
    /// The bound on gradients.
    pub clip: Option<Recipe>,
    /// What `best` goes by, and which way it improves.
    pub best: (Watched, Mode),
    /// What the schedule watches, and which way it improves.
    pub watch: Option<(Watched, Mode)>,
    /// When it ends early, by which number, and which way that improves.
    pub stop: Option<(Recipe, (Watched, Mode))>,
    /// Batches whose gradients are averaged for a step.
    pub accumulate: usize,
    /// The share of itself that the average of the weights keeps in each step; `None`: there is none.
    pub ema: Option<f64>,
    /// How many of the best epochs are kept.
    pub keep: usize,
    /// How often the weights are kept under a name of their own, in epochs or steps.
    pub every: Option<(f64, Unit)>,
    /// Batches of the validation that are tried before the first epoch.
    pub sanity: u64,
    /// How often the state is saved between validations, in minutes, steps or epochs.
    pub state: Option<(f64, Unit)>,
    /// Whether the last weights are kept.
    pub keep_last: bool,
    /// Whether a page is written at the end.
    pub report: bool,
    /// Whether numbers are written for TensorBoard, too.
    pub tensorboard: bool,
    /// For each dataset, where its layouts or its file are named and where its fields are declared, for reports.
    pub data_places: Vec<(Span, Vec<(String, Span)>)>,
}

impl Plan {
    /// Reads a checked pipeline; `end` is the end of its text.
    pub fn new(pipeline: &Pipeline, end: Span) -> Result<Plan, Vec<Report>> {
        let mut reports = Vec::new();
        for param in &pipeline.params {
            if param.value.is_none() {
                reports.push(params::missing_param(param.span, &param.name, param.kind));
            }
        }
        reports.extend(trainable::lacks(pipeline, end));
        let optimizer = match pipeline.train("optimizer") {
            Some(Constant::Recipe(recipe)) => Some(recipe.clone()),
            _ => None,
        };
        let recipe = |field: &str| match pipeline.train(field) {
            Some(Constant::Recipe(recipe)) => Some(recipe.clone()),
            _ => None,
        };
        let count = |field: &str| pipeline.setting("train", field).and_then(|c| c.count()).unwrap_or_default();
        let watched = |text: &str| {
            let (stated, name) = typed::watched(text);
            let watched = Watched::parse(name)?;
            let mode = stated.or_else(|| pipeline.direction(&watched.name)).unwrap_or(Direction::Down);
            Some((watched, Mode::from(mode)))
        };
        let best = match pipeline.save("best") {
            Some(Constant::Word(text)) => watched(text),
            _ => None,
        };
        let schedule = recipe("schedule");
        let watch = schedule.as_ref().and_then(|s| s.settings.text("watch").ok()).and_then(watched);
        let stop = recipe("stop").and_then(|recipe| {
            let without = recipe.settings.text("without").ok().and_then(watched)?;
            Some((recipe, without))
        });
        let (Some(objective), Some(optimizer), true) = (&pipeline.objective, optimizer, reports.is_empty()) else {
            return Err(reports);
        };
        let every = match pipeline.save("every") {
            Some(Constant::Quantity(x, unit)) => Some((*x, *unit)),
            _ => None,
        };
        let state = match pipeline.save("state") {
            Some(Constant::Recipe(recipe)) => match recipe.settings.get("time") {
                Some(Constant::Quantity(x, unit)) => Some((*x, *unit)),
                _ => None,
            },
            _ => None,
        };
        Ok(Plan {
            batch: count("batch"),
            epochs: count("epochs") as u64,
            seed: count("seed") as u64,
            optimizer,
            schedule,
            bf16: pipeline.setting("train", "precision") == Some(Constant::Word("bf16".into())),
            clip: recipe("clip"),
            best: best.unwrap_or((
                Watched { validation: pipeline.validates(), name: objective.name.clone() },
                Mode::Minimize,
            )),
            watch,
            stop,
            accumulate: count("accumulate").max(1),
            ema: pipeline.train("ema").and_then(Constant::number),
            keep: pipeline.setting("save", "keep").and_then(|c| c.count()).unwrap_or(1),
            every,
            sanity: count("sanity") as u64,
            state,
            keep_last: pipeline.setting("save", "last") == Some(Constant::Flag(true)),
            report: pipeline.setting("save", "report") == Some(Constant::Flag(true)),
            tensorboard: pipeline.setting("save", "tensorboard") == Some(Constant::Flag(true)),
            data_places: (0..)
                .zip(&pipeline.datasets)
                .map(|(i, d)| (data_place(pipeline, d), field_places(pipeline, i)))
                .collect(),
            datasets: pipeline.datasets.clone(),
        })
    }
}

/// The text that names the layouts or the file: the parameter's value where one holds them, else the dataset's own.
pub fn data_place(pipeline: &Pipeline, dataset: &Dataset) -> Span {
    let settings = &dataset.recipe.settings;
    let layouts = settings.get("layouts").or(settings.get("file"));
    let param = pipeline.params.iter().find(|p| p.value.is_some() && p.value.as_ref() == layouts);
    param.map_or(dataset.span, |p| p.value_span)
}

/// Where the fields of a dataset are declared, by its number.
pub fn field_places(pipeline: &Pipeline, of: usize) -> Vec<(String, Span)> {
    let place = |value: &Value| match &value.source {
        ValueSource::Field { data: Some(data), name } if *data == of => Some((name.clone(), value.span)),
        _ => None,
    };
    pipeline.values.iter().filter_map(place).collect()
}
