//! `--init`: a file of weights, or a run's folder, which holds some.

use std::path::{Path, PathBuf};

use super::load::Loaded;
use rord_engine::kept;
use rord_files::FileError;
use rord_lang::report::{Report, runtime};
use rord_record::{InitWeights, fingerprint};

/// The file that `--init` means; which one a folder stands for is written to standard error.
pub fn weights(init: Option<&Path>) -> Result<Option<PathBuf>, Report> {
    let Some(path) = init else { return Ok(None) };
    if !path.is_dir() {
        return Ok(Some(path.to_path_buf()));
    }
    let Some(file) = kept::of_folder(path) else {
        let title = format!("{} is a folder without weights", path.display());
        let help = format!("name a *.safetensors file, or the folder of a run that holds {}", kept::KEPT.join(" or "));
        return Err(runtime::failed("R0913", &title, &help));
    };
    eprintln!("weights from {}", file.display());
    Ok(Some(file))
}

/// The weights that a run begins with: those of `--init`, or those that the run at hand began with.
pub fn began(given: Option<&Path>, loaded: &Loaded) -> Result<Option<(PathBuf, InitWeights)>, Report> {
    let before = loaded.run.as_ref().and_then(|run| Some((run, run.record.init.as_ref()?)));
    let path = match (weights(given)?, before) {
        (Some(path), _) => path,
        (None, Some((_, init))) => PathBuf::from(&init.file),
        (None, None) => return Ok(None),
    };
    let hash = hash(&path).map_err(|e| runtime::failed("R0913", &e.to_string(), e.help()))?;
    if let (None, Some((run, init))) = (given, before)
        && init.hash != hash
    {
        let title = format!("{} began with the weights in {}, which have changed since", run.name(), init.file);
        return Err(runtime::failed("R0913", &title, "name the weights to begin with:  --init WEIGHTS.safetensors"));
    }
    let file = path.display().to_string();
    Ok(Some((path, InitWeights { file, hash })))
}

/// The hash of a file's content, as records have it.
pub fn hash(path: &Path) -> Result<String, FileError> {
    Ok(fingerprint(&blake3::hash(&rord_files::whole(path)?), 16))
}
