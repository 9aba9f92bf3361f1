//! Where predictions are written: one file for one picture, a list for all of them, or a folder with files for each.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use rord_data::files::{LAYOUTS, PICTURES};
use rord_engine::refusals;
use rord_lang::report::{Report, runtime};
use rord_search::maps::Pixels;
use serde_json::json;

use super::{Predicted, What};

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// NumPy's arrays.
    Npz,
    /// Tensors.
    Safetensors,
    /// A key point a line.
    Csv,
    /// A drawing.
    Png,
    /// What `--format json` prints.
    Json,
}

const FORMS: [(&str, Form); 5] = [
    ("npz", Form::Npz),
    ("safetensors", Form::Safetensors),
    ("csv", Form::Csv),
    ("png", Form::Png),
    ("json", Form::Json),
];

/// Where predictions go.
pub struct Out {
    path: PathBuf,
    /// `None`: a folder.
    form: Option<Form>,
    /// Names of files that were written to the folder.
    taken: HashSet<String>,
    written: usize,
}

impl Out {
    /// What `--out` names. Refused: an ending that means nothing.
    pub fn new(path: &Path) -> Result<Self, Report> {
        let ending = path.extension().map(|e| e.to_string_lossy().to_lowercase());
        let slash = path.to_string_lossy().ends_with(['/', std::path::MAIN_SEPARATOR]);
        let form = match ending {
            _ if path.is_dir() || slash => None,
            None => None,
            Some(ending) => match FORMS.iter().find(|(known, _)| *known == ending) {
                Some((_, form)) => Some(*form),
                None => {
                    let title = format!("{}: predictions are not written so", path.display());
                    let help = "endings: .npz, .safetensors, .csv, .png, .json; a name without one is a folder";
                    return Err(runtime::failed("R0914", &title, help));
                }
            },
        };
        Ok(Self { path: path.into(), form, taken: HashSet::new(), written: 0 })
    }

    /// Refuses several files for one that holds a single picture, before anything is done.
    pub fn holds(&self, files: &[PathBuf]) -> Result<(), Report> {
        match files {
            [_, second, ..] if self.form.is_some() && !self.is_list() => {
                Err(self.holds_one(&second.display().to_string()))
            }
            _ => Ok(()),
        }
    }

    fn holds_one(&self, other: &str) -> Report {
        let title = format!("{} holds one picture, and {other} is another", self.path.display());
        runtime::failed("R0914", &title, "name a folder with --out, which gets a .npz and a .png of each, or a .csv")
    }

    /// True where all pictures go to one file, which is written at the end.
    pub fn is_list(&self) -> bool {
        matches!(self.form, Some(Form::Csv | Form::Json))
    }

    /// Writes what came of a picture. Refused: a second picture for a file that holds one.
    pub fn write(&mut self, one: &Predicted, pixels: &dyn Pixels) -> Result<(), Report> {
        let failed = |text: String| runtime::failed("R0914", &text, "name another file with --out");
        let Some(form) = self.form else { return self.put_in_folder(one, pixels) };
        if self.written > 0 {
            return Err(self.holds_one(&one.name));
        }
        self.written += 1;
        put(&self.path, &one.bytes(form, pixels).map_err(failed)?)
    }

    fn put_in_folder(&mut self, one: &Predicted, pixels: &dyn Pixels) -> Result<(), Report> {
        let failed = |text: String| runtime::failed("R0914", &text, "name another folder with --out");
        let stem = self.stem(&one.name);
        std::fs::create_dir_all(&self.path)
            .map_err(|e| failed(format!("{} cannot be made: {e}", self.path.display())))?;
        put(&self.path.join(format!("{stem}.npz")), &one.bytes(Form::Npz, pixels).map_err(failed)?)?;
        let drawn = match &one.what {
            What::Maps(all) => all.iter().any(|o| o.shape.len() == 3),
            What::Points(_) => true,
        };
        match drawn {
            true => put(&self.path.join(format!("{stem}.png")), &one.bytes(Form::Png, pixels).map_err(failed)?),
            false => Ok(()),
        }
    }

    /// A file's name for a picture, without ending: that of its own file, with a number where there was one before.
    fn stem(&mut self, name: &str) -> String {
        let file = name.rsplit(['/', '\\']).next().unwrap_or(name).to_string();
        let lower = file.to_lowercase();
        let endings = PICTURES.iter().chain(&LAYOUTS).filter(|ending| lower.ends_with(*ending));
        let cut = endings.map(|ending| ending.len()).max().unwrap_or(0);
        let plain = |c: char| if c.is_alphanumeric() || "-_.+".contains(c) { c } else { '-' };
        let base: String = file.get(..file.len().saturating_sub(cut)).unwrap_or(&file).chars().map(plain).collect();
        let base = if base.trim_matches('.').is_empty() { "picture".to_string() } else { base };
        let mut stem = base.clone();
        let mut number = 2;
        while !self.taken.insert(stem.clone()) {
            stem = format!("{base}-{number}");
            number += 1;
        }
        stem
    }

    /// Writes a list of all pictures.
    pub fn finish(&self, all: &[Predicted]) -> Result<(), Report> {
        match self.form {
            Some(Form::Json) => put(&self.path, format!("{:#}\n", object(all)).as_bytes()),
            Some(Form::Csv) => {
                let um = all.iter().any(|one| one.um.is_some());
                let mut text = String::from(if um { "picture,x,y,score,x_um,y_um\n" } else { "picture,x,y,score\n" });
                for one in all {
                    text += &one.csv(um).ok_or_else(|| {
                        let title = format!("{}: a map has no key points to list", self.path.display());
                        runtime::failed("R0914", &title, "write it to a .npz, a .safetensors or a .png")
                    })?;
                }
                put(&self.path, text.as_bytes())
            }
            _ => Ok(()),
        }
    }
}

/// All pictures as one object.
pub fn object(all: &[Predicted]) -> serde_json::Value {
    json!({ "pictures": all.iter().map(Predicted::json).collect::<Vec<_>>() })
}

fn put(path: &Path, bytes: &[u8]) -> Result<(), Report> {
    rord_files::write_atomic(path, bytes).map_err(|e| refusals::file(&e))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn files_of_a_folder_have_names_of_their_own() {
        let mut out = Out::new(Path::new("all")).unwrap();
        let names = ["a/x.png", "b/x.png", "chip.gds.gz", "chip.gds.gz top 2", "..", "scan.tiff page 2", "x.jpg"];
        let stems: Vec<String> = names.iter().map(|name| out.stem(name)).collect();
        assert_eq!(stems, ["x", "x-2", "chip", "chip.gds.gz-top-2", "picture", "scan.tiff-page-2", "x-3"]);
    }
}
