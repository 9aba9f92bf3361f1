use super::*;
use crate::source::DataSource;
use crate::step::{Stepped, Stepper, prepare};
use crate::testing::small;
use candle_core::DType;
use rord_data::pairs::Split;

/// Steps of the runs that are compared: two epochs of four, and half of the third.
const STEPS: u64 = 10;

/// What a validation finds after each epoch: the second is no progress.
const VALIDATION: [f64; 3] = [1.0, 1.5, 0.5];

fn made(train: &str) -> (Stepper, DataSource, crate::plan::Plan) {
    let (pipeline, vocabulary, plan) = small(train);
    let (stepper, data) = prepare(&pipeline, &vocabulary, &plan, None, &Device::Cpu, &mut |_| ()).unwrap();
    (stepper, data, plan)
}

/// Goes on until `steps` are taken, ending epochs before the steps that follow them; the numbers of every step.
fn go((stepper, data, plan): &mut (Stepper, DataSource, crate::plan::Plan), steps: u64) -> Vec<u64> {
    let mut seen = Vec::new();
    while stepper.state.steps < steps {
        if stepper.done() == stepper.steps {
            let value = VALIDATION[stepper.state.epochs as usize];
            let ended = stepper.end_epoch(plan, &[("total".to_string(), value)]);
            seen.extend(ended.train.iter().map(|(_, x)| x.to_bits()));
        }
        let first = stepper.next_batch();
        let batches: Vec<_> = (first..first + stepper.batches_of_step() as u64)
            .map(|n| data.batches.batch_at(Split::Train, n).unwrap())
            .collect();
        match stepper.step(&batches, &mut ()).unwrap() {
            Stepped::Taken { values, lr, grad_norm } => {
                seen.extend(values.iter().chain([&lr, &grad_norm]).map(|x| x.to_bits()))
            }
            Stepped::NotFinite { what, .. } => panic!("{}", what.detail()),
        }
    }
    seen
}

/// Every bit of a state.
fn bits(state: &State) -> Vec<(String, Vec<u64>)> {
    let one = |name: &str, tensor: &Tensor| {
        let numbers: Vec<f64> = tensor.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap();
        (name.to_string(), numbers.iter().map(|x| x.to_bits()).collect::<Vec<u64>>())
    };
    let mut all: Vec<_> = state.weights.iter().map(|(name, tensor)| one(name, tensor)).collect();
    all.extend(state.optimizer.state().unwrap().iter().map(|(name, tensor)| one(name, tensor)));
    all.extend(state.shown().iter().map(|(name, tensor)| one(&format!("shown {name}"), tensor)));
    all.push(("means".into(), state.means.iter().map(|x| x.to_bits()).collect()));
    all.push(("counts".into(), vec![state.epochs, state.steps, state.lr.to_bits()]));
    all.push((state.timed.state().to_string(), vec![]));
    let schedule = state.schedule.as_ref().map(|s| s.state().to_string());
    all.push((format!("{:?} {schedule:?} {:?} {:?}", state.best, state.stop, state.kept), vec![]));
    all
}

fn continues(train: &str) {
    let mut whole = made(train);
    let expected = go(&mut whole, STEPS);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.safetensors");
    // Before the first step, in the middle of an epoch, at its end before the validation, and in the second epoch.
    for cut in [0, 2, 4, 7] {
        let mut first = made(train);
        let mut seen = go(&mut first, cut);
        first.0.state.observers = vec![("metrics.jsonl".into(), 17 + cut)];
        first.0.state.save(&path).unwrap();
        let mut second = made(train);
        // Other steps before leave nothing behind.
        go(&mut second, 1);
        second.0.state.load(&path).unwrap();
        assert_eq!(second.0.state.observers, [("metrics.jsonl".to_string(), 17 + cut)]);
        assert_eq!(bits(&second.0.state), bits(&first.0.state), "{train}, saved after {cut} steps");
        seen.extend(go(&mut second, STEPS));
        assert!(seen == expected, "{train}, taken up after {cut} steps: other numbers");
        assert_eq!(bits(&second.0.state), bits(&whole.0.state), "{train}, taken up after {cut} steps");
    }
}

#[test]
fn a_run_goes_on_to_the_same_bit_with_every_optimizer() {
    for optimizer in [
        "adam(lr = 1e-2)",
        "adamw(lr = 1e-2, weight_decay = 0.1)",
        "sgd(lr = 1e-2)",
        "sgd(lr = 1e-2, momentum = 0.9)",
        "sgd(lr = 1e-2, momentum = 0.9, nesterov = true)",
    ] {
        continues(&format!("optimizer = {optimizer}, clip = grad_norm(1.0)"));
    }
}

#[test]
fn a_run_goes_on_to_the_same_bit_with_every_schedule() {
    for schedule in [
        "constant()",
        "cosine(to = 1e-4, warmup = 3steps)",
        "step(every = 1epochs, factor = 0.3)",
        "linear_to_zero(over = 20steps)",
        "one_cycle()",
        "reduce_on_plateau(watch = val.total, factor = 0.5, patience = 0epochs)",
        "reduce_on_plateau(watch = train.total, factor = 0.5, patience = 0epochs)",
    ] {
        continues(&format!("optimizer = adam(lr = 1e-2), schedule = {schedule}"));
    }
}

#[test]
fn a_state_of_another_run_is_refused_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.safetensors");
    let plateau = "schedule = reduce_on_plateau(watch = val.total, factor = 0.5, patience = 0epochs)";
    let mut first = made(&format!("optimizer = adam(lr = 1e-2), {plateau}"));
    go(&mut first, 5);
    first.0.state.save(&path).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    let mut other = made(&format!("optimizer = sgd(lr = 1e-2, momentum = 0.9), {plateau}"));
    go(&mut other, 3);
    let before = bits(&other.0.state);
    assert!(matches!(other.0.state.load(&path), Err(StateError::Optimizer(_))));
    assert_eq!(bits(&other.0.state), before);
    let mut constant = made("optimizer = adam(lr = 1e-2)");
    let before = bits(&constant.0.state);
    assert!(matches!(constant.0.state.load(&path), Err(StateError::Schedule(_))));
    assert_eq!(bits(&constant.0.state), before);

    first.0.state.weights.save(&path).unwrap();
    let error = other.0.state.load(&path).unwrap_err().to_string();
    assert!(error.contains("state.safetensors is not a saved run: it holds weights"), "{error}");
    for end in [0, 8, 100, bytes.len() / 2, bytes.len() - 1] {
        std::fs::write(&path, &bytes[..end]).unwrap();
        let before = bits(&first.0.state);
        assert!(first.0.state.load(&path).is_err(), "cut at {end}");
        assert_eq!(bits(&first.0.state), before);
    }
    std::fs::remove_file(&path).unwrap();
    let error = first.0.state.load(&path).unwrap_err().to_string();
    assert!(error.starts_with(&format!("cannot read {}: ", path.display())), "{error}");
}

#[test]
fn a_run_with_parts_an_average_and_an_early_end_goes_on_to_the_same_bit() {
    for train in [
        "optimizer = adamw(lr = 1e-2), ema = 0.9",
        "optimizer = adam(lr = 1e-2), part net.trunk { lr = 0.1x, frozen = 1epochs }, part norms { weight_decay = 0 }",
        "optimizer = sgd(lr = 1e-2, momentum = 0.9), part net.trunk { frozen = 6steps }, ema = 0.5, clip = grad_value(0.1)",
        "optimizer = adam(lr = 1e-2), stop = after(2epochs, without = val.total), ema = 0.99, part net.det { lr = 1e-3 }",
    ] {
        continues(train);
    }
}

#[test]
fn the_best_are_ranked_and_the_ranks_are_kept() {
    let mut run = made("optimizer = adam(lr = 1e-2)");
    let state = &mut run.0.state;
    let mut seen = Vec::new();
    for (epoch, value) in [(1, 0.5), (2, 0.9), (3, 0.7), (4, 0.9), (5, 0.1), (6, 0.95)] {
        state.epochs = epoch;
        seen.push(state.rank(value, Mode::Maximize, 3));
    }
    let expected = [(true, vec![]), (true, vec![]), (true, vec![]), (true, vec![1]), (false, vec![]), (true, vec![3])];
    assert_eq!(seen, expected);
    let ranks = |state: &State| state.kept.iter().map(|k| (k.epoch, k.value)).collect::<Vec<_>>();
    assert_eq!(ranks(state), [(6, 0.95), (2, 0.9), (4, 0.9)]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.safetensors");
    state.save(&path).unwrap();
    let expected = ranks(state);
    let mut other = made("optimizer = adam(lr = 1e-2)");
    other.0.state.load(&path).unwrap();
    assert_eq!(ranks(&other.0.state), expected);
}

#[test]
fn an_average_is_that_of_torch() {
    use rord_graph::weight::{Init, WeightSpec};
    let spec = |name: &str| WeightSpec { name: name.into(), shape: vec![2], init: Init::Constant(0.0) };
    let (mut pipeline, ..) = small("optimizer = adam(lr = 1e-2)");
    pipeline.weights.retain(|w| w.name == "net.trunk.0.weight" || w.name == "net.trunk.1.running_mean");
    let mut weights = Weights::init(&[spec("w"), spec("mean")], 0, DType::F64, &Device::Cpu).unwrap();
    let mut average = Average::new(0.9, &pipeline);
    // `AveragedModel` with `get_ema_multi_avg_fn(0.9)`, whose buffers are those of the model.
    let expected = [[1.0, -2.0], [0.95, -1.4], [1.155, -1.235]];
    for (step, expected) in [[1.0, -2.0], [0.5, 4.0], [3.0, 0.25]].iter().zip(expected) {
        let now = Tensor::new(step, &Device::Cpu).unwrap();
        weights.tensors_mut().fill(now);
        average.follow(&weights).unwrap();
        let found = average.weights.as_ref().unwrap().tensors();
        let numbers: Vec<f64> = found[0].to_vec1().unwrap();
        assert!(numbers.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12), "{numbers:?}");
        assert_eq!(found[1].to_vec1::<f64>().unwrap(), step);
    }
}
