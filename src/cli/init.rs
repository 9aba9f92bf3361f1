//! `--init`: a file of weights, or a run's folder, which holds some.

use std::path::{Path, PathBuf};

use rord_lang::report::{Report, runtime};

/// The files of a run that hold weights, the better first.
const KEPT: [&str; 2] = ["best.safetensors", "last.safetensors"];

/// The file that `--init` means; which one a folder stands for is written to standard error.
pub fn weights(init: Option<&Path>) -> Result<Option<PathBuf>, Report> {
    let Some(path) = init else { return Ok(None) };
    if !path.is_dir() {
        return Ok(Some(path.to_path_buf()));
    }
    let Some(file) = KEPT.iter().map(|name| path.join(name)).find(|file| file.is_file()) else {
        let title = format!("{} is a folder without weights", path.display());
        let help = format!("name a *.safetensors file, or the folder of a run that holds {}", KEPT.join(" or "));
        return Err(runtime::failed("R0913", &title, &help));
    };
    eprintln!("weights from {}", file.display());
    Ok(Some(file))
}
