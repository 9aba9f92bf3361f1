use super::*;
use crate::testing::small;
use candle_core::Tensor;
use rord_record::folder::RunFolder;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Mutex};

static GO_ON: AtomicBool = AtomicBool::new(false);

/// Writes down what it sees, and fails or panics at a step.
#[derive(Clone, Default)]
struct Witness {
    seen: Arc<Mutex<Vec<String>>>,
    fails_at: Option<u64>,
    panics_at: Option<u64>,
}

impl Witness {
    fn add(&self, line: String) -> Result<(), RecordError> {
        self.seen.lock().unwrap().push(line);
        Ok(())
    }
}

impl Observer for Witness {
    fn name(&self) -> &'static str {
        "witness"
    }

    fn started(&mut self, run: &Started<'_>) -> Result<(), RecordError> {
        assert_eq!(run.record.folder().read_record().unwrap().status, Status::Running);
        self.add(format!("{} epochs of {}: {}", run.epochs, run.steps, run.names.join(" ")))
    }

    fn step(&mut self, step: &Step<'_>) -> Result<(), RecordError> {
        assert_ne!(self.panics_at, Some(step.step), "on purpose");
        if self.fails_at == Some(step.step) {
            return Err(RecordError::Malformed { path: "metrics".into(), reason: "on purpose".into() });
        }
        let names: Vec<&str> = step.values.iter().map(|(n, _)| *n).collect();
        self.add(format!("step {} of epoch {}, {} done: {}", step.step, step.epoch, step.done, names.join(" ")))
    }

    fn epoch(&mut self, epoch: &Epoch<'_>) -> Result<(), RecordError> {
        self.add(format!("epoch {}, {} numbers", epoch.epoch, epoch.train.len() + epoch.validation.len()))
    }

    fn note(&mut self, text: &str) -> Result<(), RecordError> {
        self.add(text.into())
    }

    fn finished(&mut self, end: &Finished<'_>) -> Result<(), RecordError> {
        self.add(format!("{:?} in epoch {}", end.status, end.epoch))
    }

    fn position(&self) -> u64 {
        self.seen.lock().unwrap().len() as u64
    }
}

fn options() -> Options<'static> {
    Options {
        out: None,
        init: None,
        device: Device::Cpu,
        device_name: "cpu".into(),
        command: "rord-run small.rord".into(),
        until: None,
        source: "small.rord".into(),
        texts: vec![],
        text: String::new(),
        resume: None,
        shown: &|_| String::new(),
        stop: &GO_ON,
        ranks: None,
    }
}

fn run(out: &Path, witness: &Witness) -> Result<Summary, Stop> {
    let (pipeline, vocabulary, plan) = small("optimizer = adam(lr = 1e-2)");
    let options = Options { out: Some(out.into()), ..options() };
    train(&pipeline, &vocabulary, &plan, &options, vec![Box::new(witness.clone())])
}

#[test]
fn observers_see_every_event_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let witness = Witness::default();
    let summary = run(&folder.path().join("run"), &witness).unwrap();
    assert_eq!((summary.interrupted, summary.epochs), (false, 3));
    let seen = witness.seen.lock().unwrap().clone();
    let mut expected = vec!["3 epochs of 4: total detection description".to_string()];
    for step in 0..12 {
        let (epoch, done) = (step / 4 + 1, step % 4 + 1);
        expected.push(format!("step {step} of epoch {epoch}, {done} done: total detection description"));
        if done == 4 {
            expected.push(format!("epoch {epoch}, 6 numbers"));
        }
    }
    expected.push("Finished in epoch 3".into());
    assert_eq!(seen, expected);
}

#[test]
fn a_run_that_ends_by_an_error_or_a_panic_is_recorded_as_failed() {
    let folder = tempfile::tempdir().unwrap();
    let record = |out: &Path| RunFolder::open(out).read_record().unwrap();
    let failing = Witness { fails_at: Some(5), ..Witness::default() };
    let out = folder.path().join("error");
    assert!(matches!(run(&out, &failing), Err(Stop::Record(_))));
    assert_eq!((record(&out).status, record(&out).epochs_done), (Status::Failed, 1));
    assert!(record(&out).finished.is_some());
    assert_eq!(failing.seen.lock().unwrap().last().unwrap(), "Failed in epoch 2");
    let out = folder.path().join("panic");
    let panicking = Witness { panics_at: Some(6), ..Witness::default() };
    assert!(catch_unwind(AssertUnwindSafe(|| run(&out, &panicking).is_ok())).is_err());
    assert_eq!((record(&out).status, record(&out).epochs_done), (Status::Failed, 1));
}

/// A loss of each sample by itself, which one sample of twelve makes infinite: the third of the third batch.
const ODD: &str = r#"rord 1
pipeline "odd"
data pairs = tensors("FILE", shuffle = false, train = 1.0) -> { image: Image[B, 1, H, W]@orig }
model net(x: Image[B, 1, H, W]@f) {
  out code: Vectors[B, 1] = x |> conv(4, 3) |> relu |> global_pool |> linear(1)
}
let { image } = pairs
let code = net(image).code
minimize total = mean(LOSS)
train { optimizer = sgd(lr = 0.01), batch = 4, epochs = 2 }
save { last = true }
"#;

/// Title and labels of a report.
type Said = (String, String);

/// Runs it by so many ranks, each a thread; the report of each, with the tensors that are kept of the step.
fn odd(dir: &Path, loss: &str, ranks: usize) -> (Vec<Said>, Vec<(String, Vec<f32>)>) {
    let numbers = |at: usize| if at / 64 == 10 { 0.0f32 } else { ((at * 7919) % 1000) as f32 / 1000.0 };
    let image = Tensor::from_vec((0..12 * 64).map(numbers).collect::<Vec<_>>(), (12, 1, 8, 8), &Device::Cpu).unwrap();
    let file = dir.join("t.safetensors");
    candle_core::safetensors::save(&HashMap::from([("image", image)]), &file).unwrap();
    let text = ODD.replace("FILE", &file.display().to_string()).replace("LOSS", loss);
    let (pipeline, vocabulary, plan) = crate::testing::sound(&text);
    let out = dir.join(format!("{ranks}"));
    let one = |ranks: Option<Arc<Ranks>>| {
        let options = Options { out: Some(out.clone()), ranks, ..options() };
        match train(&pipeline, &vocabulary, &plan, &options, vec![]) {
            Err(Stop::NotFinite(report)) => {
                let labels: Vec<&str> = report.labels.iter().map(|label| label.text.as_str()).collect();
                (report.title.clone(), labels.join("\n"))
            }
            Err(other) => panic!("{:?}", other.reports()),
            Ok(_) => panic!("nothing was found"),
        }
    };
    let reports = match ranks {
        1 => vec![one(None)],
        _ => std::thread::scope(|scope| {
            let all = rord_ranks::threads::ranks(ranks).unwrap().into_iter().map(Arc::new);
            let threads: Vec<_> = all.map(|ranks| scope.spawn(|| one(Some(ranks)))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        }),
    };
    let mut kept = Vec::new();
    for name in ["nan-2.safetensors", "nan-2-batch.safetensors"] {
        let all = candle_core::safetensors::load(out.join(name), &Device::Cpu).unwrap();
        let mut all: Vec<_> = all.into_iter().collect();
        all.sort_by(|a, b| a.0.cmp(&b.0));
        kept.extend(all.into_iter().map(|(name, t)| (name, t.flatten_all().unwrap().to_vec1::<f32>().unwrap())));
    }
    assert_eq!(RunFolder::open(&out).read_record().unwrap().status, Status::Failed);
    (reports, kept)
}

#[test]
fn what_is_not_finite_in_one_process_ends_all_as_one_would_end() {
    for (loss, says) in [
        ("square(code) / global_pool(image)", "`div` gave the first value that is not finite"),
        ("exp(0 - 1 / (global_pool(image) * square(code)))", "its value is finite, but its gradient is not"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let (alone, kept) = odd(folder.path(), loss, 1);
        assert!(alone[0].1.contains(says), "{alone:?}");
        for ranks in [2, 3, 4] {
            let (reports, shared) = odd(folder.path(), loss, ranks);
            assert_eq!(reports, vec![alone[0].clone(); ranks], "{loss}, {ranks} ranks");
            for ((name, one), (other, many)) in kept.iter().zip(&shared) {
                let off = one.iter().zip(many).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                assert!(name == other && one.len() == many.len() && off < 1e-5, "{loss}, {ranks} ranks: {name} {off}");
            }
        }
    }
}
