//! `rord-run diff`: what differs between two runs: text, parameters, data, machine, weights, curves.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::args::{DiffArgs, ReportFormat};
use super::load::a_run;
use super::print_reports;
use rord_engine::compare;
use rord_engine::kept::KEPT;
use rord_engine::refusals;
use rord_files::FileError;
use rord_lang::report::{Report, plural, runtime};
use rord_record::progress::short;
use rord_record::{DATA, PARAMS, Record, RunFolder, metrics};

/// The most bytes of a text that is compared.
const MOST_BYTES: u64 = 64 << 20;

/// Prints what differs.
pub fn run(args: &DiffArgs) -> u8 {
    let read = Side::read(&args.a).and_then(|a| Ok((a, Side::read(&args.b)?)));
    let found = read.and_then(|(a, b)| Ok((Found::of(&a, &b)?, a, b)));
    match found {
        Ok((found, a, b)) => {
            super::print(&match args.format {
                ReportFormat::Human => found.text(&a, &b),
                ReportFormat::Json => format!("{}\n", found.object(&a, &b)),
            });
            super::DONE
        }
        Err(report) => {
            print_reports(&[report], &Default::default());
            super::REFUSED
        }
    }
}

/// One of the two runs.
struct Side {
    name: String,
    folder: PathBuf,
    record: Record,
    /// Its texts by place, without its parameters.
    texts: BTreeMap<String, String>,
    /// Its parameters as its record has them.
    params: BTreeMap<String, String>,
    /// The hash of each file of its data.
    data: BTreeMap<String, String>,
    curves: Curves,
}

/// The numbers of `metrics.jsonl`.
#[derive(Default)]
struct Curves {
    /// Of each step its numbers by name.
    steps: BTreeMap<u64, Map<String, Value>>,
    /// Of each epoch those of its validation.
    epochs: BTreeMap<u64, Map<String, Value>>,
}

impl Side {
    fn read(path: &Path) -> Result<Self, Report> {
        a_run(path, "name the folders that two runs were written to, as in  runs/a")?;
        let folder: PathBuf = path.components().collect();
        let refused = |e: rord_record::RecordError| match &e {
            rord_record::RecordError::Newer { .. } => {
                runtime::failed("R0817", &e.to_string(), "use that version of rord, or a later one")
            }
            _ => runtime::failed("R0817", &e.to_string(), "a run's files must stay as the run has written them"),
        };
        let record = RunFolder::open(&folder).read_record().map_err(refused)?;
        let file = |e: FileError| refusals::file(&e);
        let mut texts = BTreeMap::new();
        let mut places = Vec::new();
        texts_below(&folder, &folder, 0, &mut places);
        for place in places {
            let bytes = rord_files::read(&folder.join(&place), MOST_BYTES).map_err(file)?;
            texts.insert(place, String::from_utf8_lossy(&bytes).into_owned());
        }
        let scalar = |value: &serde_yaml::Value| match value {
            serde_yaml::Value::String(text) => text.clone(),
            other => serde_yaml::to_string(other).unwrap_or_default().trim().to_string(),
        };
        let params = record.params.iter().map(|(name, value)| (scalar(name), scalar(value))).collect();
        let list = rord_files::read(&folder.join(DATA), MOST_BYTES).unwrap_or_default();
        let line = |line: &str| line.split_once("  ").map(|(hash, path)| (path.to_string(), hash.to_string()));
        let data = String::from_utf8_lossy(&list).lines().filter_map(line).collect();
        let curves = Curves::read(&folder.join(metrics::FILE));
        Ok(Self { name: folder.display().to_string(), folder, record, texts, params, data, curves })
    }
}

/// The pipelines below a folder: what a run keeps of its text.
fn texts_below(folder: &Path, root: &Path, depth: usize, out: &mut Vec<String>) {
    const DEEPEST: usize = 8;
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let own = |path: &Path| path.strip_prefix(root).map(|p| p.display().to_string()).ok();
        if path.is_dir() && depth < DEEPEST && !path.is_symlink() {
            texts_below(&path, root, depth + 1, out);
        } else if path.extension().is_some_and(|end| end == "rord") || folder != root {
            out.extend(own(&path).filter(|place| place != PARAMS));
        }
    }
}

impl Curves {
    fn read(path: &Path) -> Self {
        let mut curves = Self::default();
        let bytes = rord_files::whole(path).unwrap_or_default();
        for line in String::from_utf8_lossy(&bytes).lines() {
            // Half a line is not there yet.
            let Ok(Value::Object(mut line)) = serde_json::from_str(line) else { continue };
            let split = line.remove("split").and_then(|s| s.as_str().map(str::to_string)).unwrap_or_default();
            let (step, epoch) = (line.remove("step"), line.remove("epoch"));
            match (split.as_str(), step.and_then(|s| s.as_u64()), epoch.and_then(|e| e.as_u64())) {
                ("train", Some(step), _) => _ = curves.steps.insert(step, line),
                ("val", _, Some(epoch)) => _ = curves.epochs.insert(epoch, line),
                _ => {}
            }
        }
        curves
    }

    /// The names of its numbers, with the split of each.
    fn names(&self) -> BTreeSet<Name> {
        let of = |split: &'static str, lines: &BTreeMap<u64, Map<String, Value>>| -> Vec<Name> {
            lines.values().flat_map(|line| line.keys().map(move |name| (split, name.clone()))).collect()
        };
        of("train", &self.steps).into_iter().chain(of("val", &self.epochs)).collect()
    }

    /// The last value of a number, and the least and the largest.
    fn ends(&self, (split, name): &Name) -> Ends {
        let lines = if *split == "train" { &self.steps } else { &self.epochs };
        let values: Vec<f64> = lines.values().filter_map(|line| line.get(name)?.as_f64()).collect();
        let last = *values.last()?;
        Some([
            last,
            values.iter().copied().fold(f64::INFINITY, f64::min),
            values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        ])
    }
}

/// Each text that differs between two runs, with the difference as a patch.
pub fn texts(a: &Path, b: &Path) -> Result<Vec<(String, String)>, Report> {
    Ok(patches(&Side::read(a)?, &Side::read(b)?))
}

fn patches(a: &Side, b: &Side) -> Vec<(String, String)> {
    let names: BTreeSet<&String> = a.texts.keys().chain(b.texts.keys()).collect();
    let mut texts = Vec::new();
    for name in names {
        let empty = String::new();
        let (left, right) = (a.texts.get(name).unwrap_or(&empty), b.texts.get(name).unwrap_or(&empty));
        if left != right {
            let diff = similar::TextDiff::from_lines(left.as_str(), right.as_str());
            let (from, to) = (format!("{}/{name}", a.name), format!("{}/{name}", b.name));
            texts.push((name.clone(), diff.unified_diff().context_radius(1).header(&from, &to).to_string()));
        }
    }
    texts
}

/// Two values of one thing.
struct Pair {
    what: String,
    a: Option<String>,
    b: Option<String>,
}

/// A number of the curves: its split and its name.
type Name = (&'static str, String);

/// The last value of a number, the least and the largest.
type Ends = Option<[f64; 3]>;

/// What differs.
struct Found {
    /// Each text that differs, with the difference as a patch.
    texts: Vec<(String, String)>,
    params: Vec<Pair>,
    data: Vec<Pair>,
    machine: Vec<Pair>,
    /// Each file of weights that both have, with what differs.
    weights: Vec<(String, compare::Compared)>,
    /// Numbers of the curves: split and name, and of each side the last, the least and the largest.
    curves: Vec<(Name, Ends, Ends)>,
    /// The first step with another number, and that number's name.
    first: Option<(u64, String)>,
    /// How far each came.
    ends: Vec<Pair>,
}

impl Found {
    fn of(a: &Side, b: &Side) -> Result<Self, Report> {
        let texts = patches(a, b);
        let mut weights = Vec::new();
        for name in KEPT {
            let (left, right) = (a.folder.join(name), b.folder.join(name));
            if left.is_file() && right.is_file() {
                let compared = compare::weights(&left, &right).map_err(|e| rord_engine::refusals::weights(&e))?;
                weights.push((name.to_string(), compared));
            }
        }
        let names: BTreeSet<_> = a.curves.names().into_iter().chain(b.curves.names()).collect();
        let curves = names.into_iter().map(|name| {
            let (left, right) = (a.curves.ends(&name), b.curves.ends(&name));
            (name, left, right)
        });
        let (of_a, of_b) = (&a.record, &b.record);
        Ok(Self {
            texts,
            params: pairs(&a.params, &b.params),
            data: pairs(&data(a), &data(b)),
            machine: pairs(&machine(of_a), &machine(of_b)),
            weights,
            curves: curves.filter(|(_, left, right)| left != right).collect(),
            first: first(&a.curves, &b.curves),
            ends: pairs(&ends(of_a), &ends(of_b)),
        })
    }

    fn same(&self) -> bool {
        let numbers = self.weights.iter().all(|(_, compared)| compared.same_numbers);
        let pairs = [&self.params, &self.data, &self.machine, &self.ends];
        self.texts.is_empty()
            && pairs.iter().all(|p| p.is_empty())
            && numbers
            && self.curves.is_empty()
            && self.first.is_none()
    }

    fn object(&self, a: &Side, b: &Side) -> Value {
        let pairs = |pairs: &[Pair]| -> Vec<Value> {
            pairs.iter().map(|p| json!({ "what": p.what, "a": p.a, "b": p.b })).collect()
        };
        let ends = |ends: &Ends| ends.map(|[last, least, most]| json!({ "last": last, "min": least, "max": most }));
        let weights = |(file, c): &(String, compare::Compared)| {
            json!({
                "file": file, "same_bytes": c.same_bytes, "same_numbers": c.same_numbers, "other": c.other,
                "largest": c.largest.as_ref().map(|(by, _)| by), "in": c.largest.as_ref().map(|(_, name)| name), "relative": c.relative,
            })
        };
        json!({
            "a": a.name,
            "b": b.name,
            "same": self.same(),
            "text": self.texts.iter().map(|(file, diff)| json!({ "file": file, "diff": diff })).collect::<Vec<_>>(),
            "parameters": pairs(&self.params),
            "data": pairs(&self.data),
            "machine": pairs(&self.machine),
            "ends": pairs(&self.ends),
            "weights": self.weights.iter().map(weights).collect::<Vec<_>>(),
            "curves": self.curves.iter().map(|((split, name), a, b)| json!({ "split": split, "name": name, "a": ends(a), "b": ends(b) })).collect::<Vec<_>>(),
            "first_other_step": self.first.as_ref().map(|(step, _)| step),
            "first_other_name": self.first.as_ref().map(|(_, name)| name),
        })
    }

    fn text(&self, a: &Side, b: &Side) -> String {
        let mut out = format!("a  {}\nb  {}\n", a.name, b.name);
        if self.same() {
            out.push_str(&format!(
                "\nnothing differs: text, parameters, data, machine, {}, curves\n",
                match self.weights.len() {
                    1 => "1 file of weights".into(),
                    files => format!("{files} files of weights"),
                }
            ));
            return out;
        }
        let mut section = |name: &str, body: String| match body.is_empty() {
            true => out.push_str(&format!("\n{name}: the same\n")),
            false => out.push_str(&format!("\n{name}\n{body}")),
        };
        let indented = |text: &str| text.lines().map(|line| format!("  {line}\n")).collect::<String>();
        section("text", self.texts.iter().map(|(_, diff)| indented(diff)).collect());
        let table = |pairs: &[Pair]| match pairs.is_empty() {
            true => String::new(),
            false => {
                let cell = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".into());
                let head = vec!["".to_string(), "a".into(), "b".into()];
                let rows = pairs.iter().map(|p| vec![p.what.clone(), cell(&p.a), cell(&p.b)]);
                indented(&super::columns(std::iter::once(head).chain(rows)))
            }
        };
        section("parameters", table(&self.params));
        section("data", table(&self.data));
        section("machine", table(&self.machine));
        section("ends", table(&self.ends));
        let weights = |(file, c): &(String, compare::Compared)| match &c.largest {
            _ if c.same_numbers => None,
            _ if !c.other.is_empty() => Some(format!("  {file}: other tensors: {}\n", c.other.join(", "))),
            Some((by, name)) => {
                Some(format!("  {file}: up to {by:.1e}, in {name}; {:.1e} of their length\n", c.relative))
            }
            None => None,
        };
        section("weights", self.weights.iter().filter_map(weights).collect());
        let shown = |ends: &Ends| match ends {
            Some(ends) => ends.map(short).to_vec(),
            None => vec!["-".into(), "".into(), "".into()],
        };
        let head = ["", "a: last", "min", "max", "b: last", "min", "max"].map(String::from).to_vec();
        let rows = self
            .curves
            .iter()
            .map(|((split, name), a, b)| [vec![format!("{split}.{name}")], shown(a), shown(b)].concat());
        let mut curves = match self.curves.is_empty() {
            true => String::new(),
            false => indented(&super::columns(std::iter::once(head).chain(rows))),
        };
        if let Some((step, name)) = &self.first {
            curves.push_str(&format!("  the first step with another number is {step}, in {name}\n"));
        }
        section("curves", curves);
        out
    }
}

/// What two maps have otherwise.
fn pairs(a: &BTreeMap<String, String>, b: &BTreeMap<String, String>) -> Vec<Pair> {
    let names: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
    let pair = |name: &String| Pair { what: name.clone(), a: a.get(name).cloned(), b: b.get(name).cloned() };
    names.into_iter().filter(|name| a.get(*name) != b.get(*name)).map(pair).collect()
}

/// What a run's data is made of: the datasets, the files whose hashes are listed, and the weights that it begins with.
fn data(side: &Side) -> BTreeMap<String, String> {
    let sets = side
        .record
        .data
        .iter()
        .map(|d| (d.name.clone(), format!("{}, {} bytes, {}", plural(d.files, "file"), d.bytes, d.hash)));
    let hash = |hash: &String| hash.trim_start_matches('\\').get(..16).unwrap_or(hash).to_string();
    let files = side.data.iter().map(|(path, h)| (path.clone(), hash(h)));
    let begun = side.record.init.iter().map(|init| ("--init".to_string(), format!("{}, {}", init.file, init.hash)));
    let parts = side.record.parts.iter().map(|part| (part.part.clone(), format!("{}, {}", part.file, part.hash)));
    sets.chain(files).chain(begun).chain(parts).collect()
}

/// What a run was made on.
fn machine(record: &Record) -> BTreeMap<String, String> {
    let machine = record.machine.clone().unwrap_or_default();
    [
        ("rord", record.rord.clone()),
        ("cpu", machine.cpu),
        ("system", machine.system),
        ("cores", if machine.cores == 0 { String::new() } else { machine.cores.to_string() }),
        ("device", record.device.clone()),
        ("instructions", record.instructions.clone()),
        ("threads", record.threads.to_string()),
    ]
    .into_iter()
    .filter(|(_, value)| !value.is_empty())
    .map(|(name, value)| (name.to_string(), value))
    .collect()
}

/// How far a run came.
fn ends(record: &Record) -> BTreeMap<String, String> {
    let status = serde_yaml::to_string(&record.status).unwrap_or_default().trim().to_string();
    let mut ends = BTreeMap::from([
        ("status".to_string(), status),
        ("epochs".into(), record.epochs_done.to_string()),
        ("seed".into(), record.seed.to_string()),
        ("graph".into(), record.graph.clone()),
    ]);
    if let Some(best) = &record.best {
        ends.insert("best".into(), format!("{} {} of epoch {}", best.watch, short(best.value), best.epoch));
    }
    ends
}

/// The first step that both have with another number in it.
fn first(a: &Curves, b: &Curves) -> Option<(u64, String)> {
    a.steps.iter().find_map(|(step, left)| {
        let right = b.steps.get(step)?;
        let name = left.keys().find(|name| left.get(*name) != right.get(*name))?;
        Some((*step, name.clone()))
    })
}
