//! The files that a run's data comes from, with their hashes: what is needed to say whether a run was made from the same.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::source::{layouts_of, texts};
use rord_data::files::{LAYOUTS, PICTURES, TENSORS, find_all};
use rord_data::gds::hash;
use rord_data::{DataError, Source, listed};
use rord_lang::constant::Settings;
use rord_lang::typed::Dataset;
use rord_record::{DataFiles, fingerprint};

/// The files of all datasets, and the list of them as `b3sum` writes it. Of what is drawn from a seed there are none.
pub fn hashed(datasets: &[Dataset]) -> Result<(Vec<DataFiles>, String), DataError> {
    let (mut all, mut lines) = (Vec::new(), Vec::new());
    for dataset in datasets {
        let files = files(dataset)?;
        if files.is_empty() {
            continue;
        }
        let one = |path: &PathBuf| {
            let bytes = std::fs::metadata(path).map_or(0, |found| found.len());
            hash(path).map(|hash| (line(&blake3::Hash::from(hash), path), bytes))
        };
        let found: Vec<(String, u64)> = files.par_iter().map(one).collect::<Result<_, _>>()?;
        let text: String = found.iter().map(|(line, _)| line.as_str()).collect();
        all.push(DataFiles {
            name: dataset.name.clone(),
            files: files.len(),
            bytes: found.iter().map(|(_, bytes)| bytes).sum(),
            hash: fingerprint(&blake3::hash(text.as_bytes()), 16),
        });
        lines.extend(found.into_iter().map(|(line, _)| line));
    }
    // Two datasets may be of the same files.
    let lines: BTreeSet<String> = lines.into_iter().collect();
    Ok((all, lines.into_iter().collect()))
}

/// A line of `b3sum`: a path with a backslash or the end of a line in it is escaped, and marked by a backslash before the line.
fn line(hash: &blake3::Hash, path: &Path) -> String {
    let name = path.display().to_string();
    let hash = hash.to_hex();
    match name.contains(['\\', '\n', '\r']) {
        true => format!("\\{hash}  {}\n", name.replace('\\', "\\\\").replace('\n', "\\n").replace('\r', "\\r")),
        false => format!("{hash}  {name}\n"),
    }
}

/// The files of a dataset, each once.
fn files(dataset: &Dataset) -> Result<Vec<PathBuf>, DataError> {
    let settings = &dataset.recipe.settings;
    let of = |settings: &Settings, name: &str, endings: &[&str]| match texts(settings, name) {
        none if none.is_empty() => Ok(Vec::new()),
        patterns => find_all(&patterns, endings),
    };
    let mut files = match dataset.recipe.op.as_str() {
        "tensors" => [of(settings, "file", &TENSORS)?, of(settings, "validation", &TENSORS)?].concat(),
        "file_pairs" => {
            let mut pairs = listed::listed(&texts(settings, "list"), &texts(settings, "second"))?;
            if settings.list("validation").is_ok_and(|list| !list.is_empty()) {
                pairs.extend(listed::listed(&texts(settings, "validation"), &[])?);
            }
            pairs.into_iter().flat_map(|pair| [pair.a, pair.b]).collect()
        }
        _ => {
            let Ok(recipe) = settings.recipe("layouts") else { return Ok(Vec::new()) };
            let endings: &[&str] = match layouts_of(recipe) {
                Ok(Source::Gds(_)) => &LAYOUTS,
                Ok(Source::Images(_)) => &PICTURES,
                _ => return Ok(Vec::new()),
            };
            let names = recipe.settings.text("names").ok().map(PathBuf::from);
            let (own, held) = (of(&recipe.settings, "files", endings)?, of(&recipe.settings, "validation", endings)?);
            own.into_iter().chain(held).chain(names).collect()
        }
    };
    files.sort();
    files.dedup();
    Ok(files)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_those_of_b3sum() {
        let hash = blake3::hash(b"");
        let hex = "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262";
        assert_eq!(line(&hash, Path::new("tiles/a b.gds")), format!("{hex}  tiles/a b.gds\n"));
        assert_eq!(line(&hash, Path::new("a\\b\n")), format!("\\{hex}  a\\\\b\\n\n"));
    }
}
