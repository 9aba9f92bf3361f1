//! What weights a file holds: the step and the epoch they were trained to, the score by which they were kept, and the text's hash. It
//! lies beside the tensors, where readers of safetensors pass over it.

use std::collections::HashMap;
use std::path::Path;

use safetensors::SafeTensors;
use serde_json::{Value, json};

/// The entry of the file that holds it all: one, because several would have no order.
const ENTRY: &str = "rord.weights";

/// What is noted in a file of weights.
#[derive(Clone, Debug, PartialEq)]
pub struct Note {
    /// Steps that had been taken.
    pub step: u64,
    /// Epochs that were complete.
    pub epoch: u64,
    /// The watched number of that epoch by name; `None` between two validations.
    pub score: Option<(String, f64)>,
    /// The hash of the run's text and parameters.
    pub text: String,
}

impl Note {
    /// As entries of a safetensors file.
    pub fn entries(&self) -> HashMap<String, String> {
        let mut note = json!({ "step": self.step, "epoch": self.epoch });
        if let (Some(map), Some((watch, value))) = (note.as_object_mut(), &self.score) {
            map.insert("watch".into(), watch.as_str().into());
            // As text: it reads back to the same bit, and can be NaN.
            map.insert("value".into(), value.to_string().into());
        }
        if let Some(map) = note.as_object_mut() {
            map.insert("text".into(), self.text.as_str().into());
        }
        HashMap::from([(ENTRY.to_string(), note.to_string())])
    }

    /// The note of a file; `None` where it cannot be read, or has none.
    pub fn read(path: &Path) -> Option<Self> {
        let bytes = rord_files::whole(path).ok()?;
        let (_, header) = SafeTensors::read_metadata(&bytes).ok()?;
        let value: Value = serde_json::from_str(header.metadata().as_ref()?.get(ENTRY)?).ok()?;
        let text = |name: &str| value.get(name).and_then(Value::as_str);
        let score = text("watch").zip(text("value").and_then(|x| x.parse().ok()));
        Some(Self {
            step: value.get("step")?.as_u64()?,
            epoch: value.get("epoch")?.as_u64()?,
            score: score.map(|(watch, x)| (watch.to_string(), x)),
            text: text("text")?.to_string(),
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;
    use crate::stored;
    use candle_core::{Device, Tensor};

    #[test]
    fn a_note_reads_back_and_weights_without_one_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w.safetensors");
        let tensors = [("a".to_string(), Tensor::new(&[1f32, 2.0], &Device::Cpu).unwrap())];
        for score in [None, Some(("val.total".to_string(), 0.1 + 0.2))] {
            let note = Note { step: 7, epoch: 2, score, text: "b3:0".into() };
            std::fs::write(&path, stored::bytes(&tensors, Some(note.entries())).unwrap()).unwrap();
            assert_eq!(Note::read(&path), Some(note));
        }
        std::fs::write(&path, stored::bytes(&tensors, None).unwrap()).unwrap();
        assert_eq!(Note::read(&path), None);
        assert_eq!(Note::read(&folder.path().join("absent")), None);
    }
}
