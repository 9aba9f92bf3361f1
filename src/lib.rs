//! rord for programs: pipelines checked, trained and evaluated without the command line.
//!
//! ```
//! use rord::{Pipeline, Tensors};
//!
//! let text = "
//! input a: Map[B, 1, h, w]@f
//! input b: Map[B, 1, h, w]@f
//! let apart = abs(a - b)
//! minimize total = mean(apart)
//! ";
//! let ramp = |from: f32| -> Vec<f32> { (0..4).map(|i| from + i as f32).collect() };
//! let tensors = Tensors::new([("a", vec![1, 1, 2, 2], ramp(0.0)), ("b", vec![1, 1, 2, 2], ramp(3.0))])?;
//! let pipeline = Pipeline::from_text("apart.rord", text, &tensors)?;
//! assert_eq!(pipeline.evaluate(&tensors)?, [("total".to_string(), 3.0)]);
//! assert_eq!(pipeline.predict(&tensors, &["apart"])?[0].1.dims(), [1, 1, 2, 2]);
//!
//! let wrong = Pipeline::from_text("wrong.rord", "minimize total = mean(nowhere)", &tensors).unwrap_err();
//! assert_eq!(wrong.reports[0].code, "R0202");
//! # Ok::<(), rord::Refused>(())
//! ```
//!
//! The crates below have the parts: `rord_lang` the language, `rord_engine` what trains, `rord_project` files and changes.

use std::collections::HashMap;
use std::fmt;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use candle_core::{DType, Device, Tensor};

use rord_engine::evaluate::{Supplied, check_values, evaluate, predict};
use rord_engine::plan::Plan;
use rord_engine::refusals::Stop;
use rord_engine::train::{Options, train};
use rord_lang::report::render::{Style, draw};
use rord_lang::report::{Report, any_error, runtime};
use rord_lang::source::Sources;
use rord_project::keep::text_hash;
use rord_project::load::{self, Loaded};

pub use rord_engine::train::Summary;
pub use rord_project::outside::Given as Changes;
pub use rord_record::Observer;

/// Nothing asks a run of a program to stop but its own end.
static NEVER: AtomicBool = AtomicBool::new(false);

/// Why something was refused. Displayed, it is what the command line prints.
#[derive(Debug)]
pub struct Refused {
    /// The reports; at least one is an error.
    pub reports: Vec<Report>,
    drawn: String,
}

impl Refused {
    fn new(reports: Vec<Report>, sources: &Sources) -> Self {
        let style = Style { width: 100, color: false, unicode: true };
        let drawn = reports.iter().map(|report| format!("{}\n", draw(report, sources, style))).collect();
        Self { reports, drawn }
    }

    fn tensor(error: &candle_core::Error) -> Self {
        let report =
            runtime::failed("R0915", &format!("a tensor operation failed: {error}"), "check its shape and numbers");
        Self::new(vec![report], &Sources::default())
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.drawn.trim_end())
    }
}

impl std::error::Error for Refused {}

/// Tensors for the `input`s of a pipeline, by name.
pub struct Tensors(Supplied);

impl Tensors {
    /// From names, shapes and numbers in row-major order. Fails where a shape has another count of numbers.
    pub fn new<'a>(tensors: impl IntoIterator<Item = (&'a str, Vec<usize>, Vec<f32>)>) -> Result<Self, Refused> {
        let tensor = |(name, shape, numbers): (&str, Vec<usize>, Vec<f32>)| {
            Ok((name.to_string(), Tensor::from_vec(numbers, shape, &Device::Cpu)?))
        };
        let tensors: candle_core::Result<HashMap<String, Tensor>> = tensors.into_iter().map(tensor).collect();
        let tensors = tensors.map_err(|e| Refused::tensor(&e))?;
        Ok(Self(Supplied { file: "the given tensors".into(), tensors, dtype: DType::F32 }))
    }

    /// From a safetensors file. Fails where it cannot be read.
    pub fn read(path: &Path) -> Result<Self, Refused> {
        Supplied::read(path).map(Self).map_err(|e| Refused::new(Stop::from(e).reports(), &Sources::default()))
    }
}

/// A pipeline that was checked without an error.
pub struct Pipeline(Loaded);

impl fmt::Debug for Pipeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pipeline").field(&self.0.pipeline.name).finish()
    }
}

impl Pipeline {
    /// Reads and checks a file, or the folder of a run, with what is changed in it. Fails with what the checker reports.
    pub fn check(path: &Path, changes: &Changes<'_>) -> Result<Self, Refused> {
        Self::sound(load::load(rord_ops::vocabulary(), path, changes, None))
    }

    /// Checks a text as if it were the file `name`, for the tensors that it will be evaluated on.
    pub fn from_text(name: &str, text: &str, tensors: &Tensors) -> Result<Self, Refused> {
        let shapes = Some(tensors.0.shapes());
        Self::sound(load::load_text(rord_ops::vocabulary(), Path::new(name), text, &Changes::default(), shapes))
    }

    fn sound(loaded: Result<Loaded, load::Refused>) -> Result<Self, Refused> {
        match loaded {
            Ok(loaded) if !any_error(&loaded.reports) => Ok(Self(loaded)),
            Ok(Loaded { reports, sources, .. }) | Err((reports, sources)) => Err(Refused::new(reports, &sources)),
        }
    }

    /// What the checker warns of.
    pub fn warnings(&self) -> &[Report] {
        &self.0.reports
    }

    /// Trains into `out`, which must be empty or absent, or into a new folder under `runs/`. Observers hear of every step. Fails with
    /// what keeps the pipeline from being trained, or ends the run.
    pub fn train(&self, out: Option<&Path>, observers: Vec<Box<dyn Observer>>) -> Result<Summary, Refused> {
        let refused = |reports| Refused::new(reports, &self.0.sources);
        let plan = Plan::new(&self.0.pipeline, self.0.end()).map_err(refused)?;
        let texts = self.0.kept().map_err(|report| refused(vec![report]))?;
        let shown = |report: &Report| report.title.clone();
        let options = Options {
            text: text_hash(&texts),
            resume: None,
            shown: &shown,
            out: out.map(Path::to_path_buf),
            init: None,
            device: Device::Cpu,
            device_name: "cpu".into(),
            command: String::new(),
            until: None,
            source: self.0.sources.get(self.0.file).map(|s| s.name.clone()).unwrap_or_default(),
            texts,
            stop: &NEVER,
            ranks: None,
        };
        let trained = train(&self.0.pipeline, &self.0.vocabulary, &plan, &options, observers);
        trained.map_err(|stop| refused(stop.reports()))
    }

    /// Every loss, every metric and the objective on these tensors. Models have the weights that training would begin with. Fails
    /// where a tensor is not what its `input` declares, and where a value is not finite.
    pub fn evaluate(&self, tensors: &Tensors) -> Result<Vec<(String, f64)>, Refused> {
        self.fits(tensors)?;
        let found = evaluate(&self.0.pipeline, &self.0.vocabulary, &tensors.0, None, 0, false);
        found.map(|e| e.values).map_err(|stop| Refused::new(stop.reports(), &self.0.sources))
    }

    /// The tensors that these names of the text mean, with the weights of [`Pipeline::evaluate`]. Fails for a name that is no tensor.
    pub fn predict(&self, tensors: &Tensors, names: &[&str]) -> Result<Vec<(String, Tensor)>, Refused> {
        self.fits(tensors)?;
        let found = predict(&self.0.pipeline, &self.0.vocabulary, &tensors.0, None, 0, names);
        found.map_err(|stop| Refused::new(stop.reports(), &self.0.sources))
    }

    fn fits(&self, tensors: &Tensors) -> Result<(), Refused> {
        let places: Vec<_> = self.0.pipeline.names.iter().map(|n| (n.name.clone(), n.span)).collect();
        let wrong = check_values(&self.0.pipeline, &tensors.0, &places).map_err(|e| Refused::tensor(&e))?;
        if wrong.is_empty() { Ok(()) } else { Err(Refused::new(wrong, &self.0.sources)) }
    }
}
