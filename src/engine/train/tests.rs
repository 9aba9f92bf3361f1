use super::*;
use crate::testing::small;
use rord_record::folder::RunFolder;
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

fn run(out: &Path, witness: &Witness) -> Result<Summary, Stop> {
    let (pipeline, vocabulary, plan) = small("optimizer = adam(lr = 1e-2)");
    let options = Options {
        out: Some(out.into()),
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
    };
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
