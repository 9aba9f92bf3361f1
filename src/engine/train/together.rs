//! What processes that share a run have to agree on: that it is the same run, from the same state, and what went wrong in it.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use candle_core::{DType, Device, Tensor};

use super::Options;
use crate::program::NotFinite;
use crate::refusals::{Stop, unequal};
use crate::replay::Kept;
use crate::step::Stepper;
use rord_lang::report::runtime::Cause;
use rord_ranks::Share;
use rord_record::{Live, RunFolder, fingerprint};

/// Why a number is not finite, as it is told between processes.
const CAUSES: [Cause; 5] = [Cause::Divisor, Cause::Size, Cause::Data, Cause::Steps, Cause::Update];

/// Refuses processes that do not make the same run.
pub(super) fn same_run(options: &Options, stepper: &Stepper) -> Result<(), Stop> {
    if options.ranks().is_none() {
        return Ok(());
    }
    let weights = of_weights(stepper)?;
    let run = [
        ("the text or the parameters differ", options.text.clone()),
        ("another version of rord, or another graph", stepper.fingerprint.clone()),
        ("the data has another number of steps", stepper.steps.to_string()),
        ("the weights begin with other numbers", weights),
    ];
    agreed(options, &run)
}

/// Refuses processes that go on from different states.
pub(super) fn same_state(options: &Options, stepper: &Stepper) -> Result<(), Stop> {
    if options.ranks().is_none() {
        return Ok(());
    }
    let state = &stepper.state;
    let run = [
        ("it goes on after another step", format!("{} {}", state.epochs, state.steps)),
        ("the state has other weights", of_weights(stepper)?),
    ];
    agreed(options, &run)
}

/// The record of the process that writes, and in the others one aside with the same folder.
pub(super) fn same_folder(options: &Options, record: Live) -> Result<Live, Stop> {
    let Some(ranks) = options.ranks() else { return Ok(record) };
    let paths = ranks.texts(&record.path().display().to_string())?;
    match paths.first().filter(|_| !record.writes()) {
        Some(path) => Ok(Live::aside(RunFolder::open(Path::new(path)), record.get())),
        None => Ok(record),
    }
}

/// Compares facts with those of the first process; each has what is said where it differs.
fn agreed(options: &Options, facts: &[(&str, String)]) -> Result<(), Stop> {
    let Some(ranks) = options.ranks() else { return Ok(()) };
    let own: Vec<&str> = facts.iter().map(|(_, fact)| fact.as_str()).collect();
    let all = ranks.texts(&own.join("\n"))?;
    let Some(first) = all.first() else { return Ok(()) };
    for (rank, other) in all.iter().enumerate() {
        let mut lines = first.lines().zip(other.lines()).zip(facts);
        if let Some((_, (what, _))) = lines.find(|((a, b), _)| a != b) {
            return Err(unequal(rank, what));
        }
    }
    Ok(())
}

/// The fingerprint of all weights.
fn of_weights(stepper: &Stepper) -> Result<String, Stop> {
    let mut hasher = blake3::Hasher::new();
    for tensor in stepper.state.weights.tensors() {
        let numbers: Vec<f32> = tensor.flatten_all()?.to_device(&Device::Cpu)?.to_dtype(DType::F32)?.to_vec1()?;
        for x in numbers {
            hasher.update(&x.to_le_bytes());
        }
    }
    Ok(fingerprint(&hasher.finalize(), 16))
}

/// What all processes found of a number that is not finite: the first node that gave one, whoever has it, and the whole batch.
pub(super) fn found(
    options: &Options,
    stepper: &Stepper,
    own: NotFinite,
    fields: HashMap<String, Tensor>,
    kept: Kept,
) -> Result<(NotFinite, HashMap<String, Tensor>, Kept), Stop> {
    let Some(ranks) = options.ranks() else { return Ok((own, fields, kept)) };
    let node = own.node.map_or(f64::INFINITY, |node| node as f64);
    let nodes = ranks.gather(&[node], &vec![1; ranks.size()])?;
    let cause = CAUSES.iter().position(|cause| *cause == own.cause).unwrap_or(0);
    let texts = ranks.texts(&format!("{cause}\n{}\n{}", own.what, own.inputs.join("\n")))?;
    let least = nodes.iter().enumerate().min_by(|a, b| a.1.total_cmp(b.1)).map_or(0, |(rank, _)| rank);
    let mut lines = texts.get(least).map(|text| text.lines()).into_iter().flatten();
    let cause = lines.next().and_then(|line| line.parse().ok()).and_then(|at: usize| CAUSES.get(at).copied());
    let what = lines.next().unwrap_or_default().to_string();
    let node = nodes.get(least).filter(|node| node.is_finite()).map(|node| *node as usize);
    let span = node.and_then(|node| stepper.graph().nodes.get(node)).map_or(own.span, |node| node.span);
    let inputs = lines.map(str::to_string).collect();
    let found = NotFinite { node, span, what, inputs, cause: cause.unwrap_or(own.cause) };
    // In the order of their names, which is the same in all processes.
    let fields: BTreeMap<String, Tensor> = fields.into_iter().collect();
    let mut whole = HashMap::new();
    let share = Share::of(ranks, stepper.batch());
    let batch = if fields.is_empty() { kept.batch } else { share.batch };
    for (name, own) in fields {
        let inner: usize = own.dims().iter().skip(1).product();
        let each: Vec<usize> = share.each().iter().map(|samples| samples * inner).collect();
        let numbers = ranks.gather(&own.flatten_all()?.to_dtype(DType::F32)?.to_vec1::<f32>()?, &each)?;
        let shape: Vec<usize> = std::iter::once(share.batch).chain(own.dims().iter().skip(1).copied()).collect();
        whole.insert(name, Tensor::from_vec(numbers, shape, own.device())?);
    }
    Ok((found, whole, Kept { batch, ..kept }))
}
