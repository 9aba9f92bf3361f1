//! What a training run needs of a pipeline, taken from it once: everything that can be refused is refused here.

use rord_data::tensors::Misfit;
use rord_graph::sizes::Impossible;
use rord_lang::constant::{Constant, Recipe};
use rord_lang::report::{Report, params, runtime};
use rord_lang::source::Span;
use rord_lang::typed::{Dataset, Pipeline, Value, ValueSource};

use super::memory::TooLarge;
use super::schedule::Mode;
use super::source::SourceError;

/// A number that is watched: which split, which output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watched {
    /// True for `val.…`.
    pub validation: bool,
    /// The output.
    pub name: String,
}

impl Watched {
    fn parse(text: &str) -> Option<Watched> {
        let (split, name) = text.split_once('.')?;
        Some(Watched { validation: split == "val", name: name.to_string() })
    }
}

/// A training run, as the pipeline describes it.
pub struct Plan {
    /// The data.
    pub dataset: Dataset,
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
    /// Whether the last weights are kept.
    pub keep_last: bool,
    /// Where the data's layouts or its file are named, for reports about them.
    pub data_place: Span,
    /// Where each of its fields is declared.
    pub field_places: Vec<(String, Span)>,
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
        let Some(objective) = &pipeline.objective else {
            reports.push(params::cannot_train(
                end,
                "nothing is minimized by the end of the file",
                "add an objective:  minimize total = …",
            ));
            return Err(reports);
        };
        if let Some((name, _)) = pipeline.inputs.first() {
            let lacks = format!("`{name}` is an `input`, which a caller supplies");
            reports.push(params::cannot_train(
                end,
                &lacks,
                "a training run takes its tensors from `data`; inputs are for evaluating losses on tensors of your own",
            ));
        }
        let optimizer = match pipeline.train("optimizer") {
            Some(Constant::Recipe(recipe)) => Some(recipe.clone()),
            _ => {
                let help = "say how the weights change:  train { optimizer = adam(lr = 1e-3), batch = 8, epochs = 20 }";
                reports.push(params::cannot_train(end, "no optimizer is given by the end of the file", help));
                None
            }
        };
        let dataset = match pipeline.datasets.as_slice() {
            [one] => Some(one.clone()),
            [] => {
                let help = "say where the tensors come from:  data pairs = layout_pairs(synth())";
                reports.push(params::cannot_train(end, "there is no `data`", help));
                None
            }
            [_, second, ..] => {
                let help = "keep one of them; a run draws its batches from one dataset";
                reports.push(params::cannot_train(second.span, "a second `data`", help));
                None
            }
        };
        let recipe = |field: &str| match pipeline.train(field) {
            Some(Constant::Recipe(recipe)) => Some(recipe.clone()),
            _ => None,
        };
        let count = |field: &str| pipeline.setting("train", field).and_then(|c| c.count()).unwrap_or_default();
        let mode = |name: &str| match pipeline.higher_is_better(name) {
            true => Mode::Maximize,
            false => Mode::Minimize,
        };
        let watched = |text: &str| Watched::parse(text).map(|w| (w.clone(), mode(&w.name)));
        let best = match pipeline.save("best") {
            Some(Constant::Word(text)) => watched(text),
            _ => None,
        };
        let schedule = recipe("schedule");
        let watch = schedule.as_ref().and_then(|s| s.settings.text("watch").ok()).and_then(watched);
        let (Some(dataset), Some(optimizer), true) = (dataset, optimizer, reports.is_empty()) else {
            return Err(reports);
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
            keep_last: pipeline.setting("save", "last") == Some(Constant::Flag(true)),
            data_place: data_place(pipeline, &dataset),
            field_places: field_places(pipeline),
            dataset,
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

/// Where the fields of the data are declared.
pub fn field_places(pipeline: &Pipeline) -> Vec<(String, Span)> {
    let place = |value: &Value| match &value.source {
        ValueSource::Field { data: Some(_), name } => Some((name.clone(), value.span)),
        _ => None,
    };
    pipeline.values.iter().filter_map(place).collect()
}

/// The reports for data that cannot be loaded or used; `fields` are the places of [`field_places`].
pub fn data_reports(place: Span, fields: &[(String, Span)], error: &SourceError) -> Vec<Report> {
    let SourceError::Misfits(misfits) = error else { return vec![data_report(place, error)] };
    let at = |misfit: &Misfit| {
        let declared = misfit.field().and_then(|f| fields.iter().find(|(n, _)| n == f));
        declared.map_or(place, |(_, span)| *span)
    };
    misfits.iter().map(|misfit| misfit_report(at(misfit), misfit)).collect()
}

/// The report for one way in which a file of tensors does not fit the pipeline.
fn misfit_report(span: Span, misfit: &Misfit) -> Report {
    use Misfit as M;
    let of = misfit.field().unwrap_or_default();
    let (code, title, help) = match misfit {
        M::Missing { .. } => (
            "R0918",
            format!("the file holds no tensor called `{of}`"),
            "fields are found by their names; rename one of the two",
        ),
        M::Unreadable { .. } => ("R0919", format!("the numbers of `{of}` cannot be read"), "write them as f32"),
        M::Rank { .. } => (
            "R0920",
            format!("`{of}` has other axes in the file"),
            "samples are the first axis; a Homography adds (3, 3), Points add their two coordinates",
        ),
        M::Size { .. } | M::Rest { .. } => (
            "R0921",
            format!("`{of}` has another size in the file"),
            "a name stands for one size everywhere; give it another name, or write the number",
        ),
        M::Samples { .. } => (
            "R0922",
            format!("`{of}` has another number of samples"),
            "sample i is the i-th of every tensor, so all have as many",
        ),
        M::NotFinite { .. } => {
            ("R0923", format!("`{of}` is not finite everywhere"), "leave these samples out, or mend what wrote them")
        }
        M::OutOfRange { .. } => (
            "R0924",
            format!("`{of}` is not what it is declared to be"),
            "declare another kind, or scale the numbers when the file is written",
        ),
        M::TooFew { split, .. } => (
            "R0925",
            format!("there are fewer samples for {split} than a batch takes"),
            "lower `batch`, change the share for training, or bring more samples",
        ),
    };
    runtime::data(code, span, &title, &misfit.to_string(), help)
}

/// The report for a step that memory does not hold.
pub fn memory_report(pipeline: &Pipeline, plan: &Plan, too_large: &TooLarge) -> Report {
    let place = |name: &str| pipeline.params.iter().find(|p| p.name == name);
    let span = place("batch").map(|p| p.value_span).or(pipeline.objective.as_ref().map(|o| o.span));
    let setting = |name| plan.dataset.recipe.settings.count(name).ok().map(|n| (name, n));
    let side = setting("patch").or(setting("size"));
    let title = format!("a step needs about {}, and {} are free", size(too_large.needed), size(too_large.available));
    let label = match side {
        Some((name, pixels)) => format!("batch = {}, {name} = {pixels}px", plan.batch),
        None => format!("batch = {}", plan.batch),
    };
    let name = side.map_or("the size of the data", |(name, _)| name);
    let help = match too_large.batch {
        Some(batch) => format!("lower `batch`, or {name}: a batch of {batch} would fit"),
        None => format!("lower {name}; no batch would fit as it is"),
    };
    runtime::data("R0927", span.unwrap_or_default(), &title, &label, &help)
}

/// Bytes for people: `310 MB`, `1.4 GB`.
pub fn size(bytes: usize) -> String {
    let bytes = bytes as f64;
    match bytes {
        x if x < 999.5e6 => format!("{:.0} MB", x / 1e6),
        x if x < 9.995e9 => format!("{:.1} GB", x / 1e9),
        x => format!("{:.0} GB", x / 1e9),
    }
}

/// The reports for sizes that the data has set and that cannot be.
pub fn size_reports(impossible: &[Impossible]) -> Vec<Report> {
    let one = |i: &Impossible| {
        let label = match i.value {
            Ok(n) => format!("{} would be {n}", i.dim),
            Err(n) => format!("{} is not a whole number, for {n}", i.dim),
        };
        let help = "bring data of another size, or pool and stride less";
        runtime::data("R0926", i.span, "the data's size does not go through the network", &label, help)
    };
    impossible.iter().take(1).map(one).collect()
}

/// The report for data that cannot be loaded.
fn data_report(place: Span, error: &SourceError) -> Report {
    use rord_data::DataError as D;
    let facts = error.to_string();
    let SourceError::Data(error) = error else {
        return runtime::data(
            "R0909",
            place,
            "this data cannot be made",
            &facts,
            "this is a mistake of rord; please report it",
        );
    };
    let (code, title, help) = match error {
        D::NotFound { .. } => (
            "R0904",
            "the data is not there",
            "paths start in the folder in which rord-run is started; without files, synth(tiles = 24) draws layouts",
        ),
        D::EmptyFolder { .. } | D::NoMatch { .. } => {
            ("R0905", "there is no data in this place", "check the folder and the ending of the files")
        }
        D::BadPattern { .. } => ("R0905", "this is not a pattern", "as in \"tiles/*.gds.gz\""),
        D::NoPolygons { .. } | D::NoSuchLayer { .. } => {
            ("R0907", "there is nothing to draw", "choose among the layers that are there:  layers = [\"68/20\", …]")
        }
        D::PictureTooSmall { .. } => {
            ("R0907", "a layout is too small for the patches", "use a smaller patch or zoom, or a higher resolution")
        }
        D::NothingToTrainOn { .. } => {
            ("R0907", "the data cannot be split", "add layouts, or change the share for training:  train = 0.8")
        }
        D::BadSetting { .. } | D::BadResolution { .. } => ("R0908", "a setting of the data is out of range", ""),
        D::NoSuchCell { .. } => {
            ("R0907", "there is no such cell", "leave `top` out to draw the cell that no other places")
        }
        D::PictureTooLarge { .. } | D::FileTooLarge { .. } | D::TooManyPolygons { .. } => {
            ("R0907", "the data is too large", "lower the resolution, or draw fewer layers")
        }
        D::Unreadable { .. } => ("R0904", "the data cannot be read", "check the file's permissions"),
        _ => ("R0906", "a file of the data is broken", "fetch or export it again, or leave it out of the pattern"),
    };
    runtime::data(code, place, title, &facts, help)
}
