//! Event files for TensorBoard, in the folder `tensorboard` of a run: `train` with the numbers of every step and the health of every epoch,
//! `val` with those of every validation, so that both are drawn into one picture; and the text that is run.

mod event;

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use self::event::{Said, kept, record};
use super::RecordError;
use super::observer::{Epoch, Observer, Started, Step};
use rord_files::{Action, FileError};

/// The folder's name in the run's folder.
pub const FOLDER: &str = "tensorboard";
/// The name of its files; TensorBoard goes by the part `tfevents`.
pub const FILE: &str = "events.out.tfevents.rord";

/// Writes event files. Every event is one write, so that a killed run leaves whole events but for the last.
pub struct TensorBoard {
    text: String,
    clock: fn() -> SystemTime,
    train: Option<Open>,
    val: Option<Open>,
    /// Steps that were taken, and whether the validation after them was written.
    at: (u64, bool),
}

struct Open {
    path: PathBuf,
    file: File,
}

impl Open {
    /// A file with those of its events that are wanted by their steps, which later ones follow. It begins with its version.
    fn at(folder: &Path, clock: fn() -> SystemTime, keep: impl Fn(u64) -> bool) -> Result<(Self, bool), RecordError> {
        std::fs::create_dir_all(folder).map_err(FileError::at(Action::MakeFolder, folder))?;
        let path = folder.join(FILE);
        let failed = FileError::at(Action::Write, &path);
        let before = if path.exists() { rord_files::whole(&path)? } else { Vec::new() };
        let length = kept(&before, keep);
        let file = OpenOptions::new().append(true).create(true).open(&path).map_err(&failed)?;
        file.set_len(length as u64).map_err(&failed)?;
        let mut open = Self { path, file };
        if length == 0 {
            open.write(clock, 0, Said::Version)?;
        }
        Ok((open, length == 0))
    }

    fn write(&mut self, clock: fn() -> SystemTime, step: u64, said: Said<'_>) -> Result<(), RecordError> {
        let now = clock().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64());
        let written = self.file.write_all(&record(now, step, said));
        Ok(written.map_err(FileError::at(Action::Write, &self.path))?)
    }

    fn flush(&self) -> Result<(), RecordError> {
        Ok(self.file.sync_data().map_err(FileError::at(Action::Write, &self.path))?)
    }
}

impl TensorBoard {
    /// For a run of this text.
    pub fn new(text: &str) -> Self {
        Self::timed(text, SystemTime::now)
    }

    fn timed(text: &str, clock: fn() -> SystemTime) -> Self {
        Self { text: text.into(), clock, train: None, val: None, at: (0, false) }
    }

    /// Opens the files of a run in its folder, which had come to `position`.
    fn open(&mut self, folder: &Path, position: u64) -> Result<(), RecordError> {
        let (steps, validated) = (position / 2, position % 2 == 1);
        self.at = (steps, validated);
        let (mut train, new) = Open::at(&folder.join("train"), self.clock, |step| position > 0 && step <= steps)?;
        if new {
            // As code, with the lines that it has.
            let text: String = self.text.lines().map(|line| format!("    {line}\n")).collect();
            train.write(self.clock, 0, Said::Text("pipeline", &text))?;
        }
        self.train = Some(train);
        let before = |step: u64| position > 0 && (step < steps || step == steps && (validated || step == 0));
        self.val = Some(Open::at(&folder.join("val"), self.clock, before)?.0);
        Ok(())
    }
}

impl Observer for TensorBoard {
    fn name(&self) -> &'static str {
        FOLDER
    }

    fn started(&mut self, run: &Started<'_>) -> Result<(), RecordError> {
        self.open(&run.record.folder().file(FOLDER), run.position.unwrap_or(0))
    }

    fn step(&mut self, step: &Step<'_>) -> Result<(), RecordError> {
        let taken = step.step + 1;
        let mut values = step.values.to_vec();
        values.extend([("lr", step.lr), ("grad_norm", step.grad_norm)]);
        if let Some(open) = &mut self.train {
            open.write(self.clock, taken, Said::Scalars(&values))?;
        }
        self.at = (taken, false);
        Ok(())
    }

    fn epoch(&mut self, epoch: &Epoch<'_>) -> Result<(), RecordError> {
        if let Some(open) = self.val.as_mut().filter(|_| !epoch.validation.is_empty()) {
            open.write(self.clock, self.at.0, Said::Scalars(epoch.validation))?;
        }
        self.at.1 = true;
        Ok(())
    }

    fn figures(&mut self, _: u64, figures: &[(&str, f64)]) -> Result<(), RecordError> {
        if let Some(open) = self.train.as_mut().filter(|_| !figures.is_empty()) {
            let named: Vec<(String, f64)> = figures.iter().map(|(name, x)| (format!("health/{name}"), *x)).collect();
            let named: Vec<(&str, f64)> = named.iter().map(|(name, x)| (name.as_str(), *x)).collect();
            open.write(self.clock, self.at.0, Said::Scalars(&named))?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), RecordError> {
        self.train.iter().chain(&self.val).try_for_each(Open::flush)
    }

    fn position(&self) -> u64 {
        self.at.0 * 2 + u64::from(self.at.1)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn clock() -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_700_000_000)
    }

    /// Makes the steps of some epochs of three, with a validation after each.
    fn go(board: &mut TensorBoard, steps: std::ops::Range<u64>, validated: bool) {
        for step in steps {
            let values = [("total", step as f64)];
            let taken =
                Step { step, epoch: step / 3 + 1, done: step % 3 + 1, values: &values, lr: 0.1, grad_norm: 1.0 };
            board.step(&taken).unwrap();
            if step % 3 == 2 && validated {
                let validation = [("total", -1.0)];
                let (objective, took) = ("total", Duration::ZERO);
                let epoch = step / 3 + 1;
                let (train, timed) = (&[][..], &[][..]);
                let validation = &validation;
                board.epoch(&Epoch { epoch, objective, train, timed, validation, lr: 0.1, took, best: true }).unwrap();
            }
        }
    }

    fn files(folder: &Path) -> [Vec<u8>; 2] {
        ["train", "val"].map(|split| std::fs::read(folder.join(split).join(FILE)).unwrap())
    }

    #[test]
    fn a_run_that_goes_on_leaves_the_files_of_one_that_did_not_stop() {
        let root = tempfile::tempdir().unwrap();
        let whole = root.path().join("whole");
        let mut board = TensorBoard::timed("rord 1\n", clock);
        board.open(&whole, 0).unwrap();
        go(&mut board, 0..9, true);
        board.flush().unwrap();
        // Saved within an epoch, before a validation, and after it; then more was written.
        for (saved, validated, more) in [(4, true, 8), (6, false, 6), (6, true, 9)] {
            let folder = root.path().join(format!("{saved} {validated}"));
            let mut board = TensorBoard::timed("rord 1\n", clock);
            board.open(&folder, 0).unwrap();
            go(&mut board, 0..3, true);
            go(&mut board, 3..saved, validated);
            let position = board.position();
            go(&mut board, saved..more, true);
            let mut again = TensorBoard::timed("rord 1\n", clock);
            again.open(&folder, position).unwrap();
            if saved == 6 && !validated {
                let (validation, took) = ([("total", -1.0)], Duration::ZERO);
                let (train, timed, validation) = (&[][..], &[][..], &validation[..]);
                again
                    .epoch(&Epoch { epoch: 2, objective: "total", train, timed, validation, lr: 0.1, took, best: true })
                    .unwrap();
            }
            go(&mut again, saved..9, true);
            assert_eq!(files(&folder), files(&whole), "{saved} {validated}");
        }
    }
}
