//! `rord-run new`: a folder with a pipeline that trains as it is, to be changed.

use std::path::{Path, PathBuf};

use super::args::{NewArgs, Template};
use rord_files::{Action, FileError, write_atomic};
use rord_lang::report::{Report, runtime};
use rord_lang::source::Sources;

const NETS: &str = include_str!("../../pipelines/lib/nets.rord");

impl Template {
    /// The name in its text, and its text.
    fn text(self) -> (&'static str, &'static str) {
        match self {
            Template::Start => ("start", include_str!("../../pipelines/start.rord")),
            Template::Default => ("rord", include_str!("../../pipelines/default.rord")),
            Template::Find => ("find", include_str!("../../pipelines/find.rord")),
            Template::Hardnet => ("hardnet", include_str!("../../pipelines/hardnet.rord")),
            Template::Segment => ("segment", include_str!("../../pipelines/segment.rord")),
        }
    }
}

/// Makes the folder.
pub fn run(args: &NewArgs) -> u8 {
    match make(&args.name, args.from) {
        Ok(text) => {
            super::print(&text);
            super::DONE
        }
        Err(report) => {
            super::print_reports(&[report], &Sources::default());
            super::REFUSED
        }
    }
}

/// Makes the folder and returns a list of what is in it.
fn make(folder: &Path, from: Template) -> Result<String, Report> {
    let name = name(folder)?;
    let (template, text) = from.text();
    let header = format!("pipeline \"{template}\"");
    let mut files =
        vec![(folder.join(format!("{name}.rord")), text.replacen(&header, &format!("pipeline \"{name}\""), 1))];
    if text.contains("import \"lib/nets.rord\"") {
        files.push((folder.join("lib/nets.rord"), NETS.to_string()));
    }
    files.push((folder.join(".gitignore"), "runs/\n".to_string()));
    let entries = std::fs::read_dir(folder).map(|found| found.flatten().map(|e| e.file_name()).min());
    match entries {
        Ok(Some(first)) => {
            let title = format!("{} is there already, and holds `{}`", folder.display(), first.to_string_lossy());
            return Err(runtime::failed("R0931", &title, "choose another name; nothing was written"));
        }
        Err(_) if folder.exists() => {
            let title = format!("{} is there already, and is no folder", folder.display());
            return Err(runtime::failed("R0931", &title, "choose another name; nothing was written"));
        }
        _ => {}
    }
    let mut out = String::new();
    for (path, text) in &files {
        let parent = path.parent().unwrap_or(Path::new(""));
        std::fs::create_dir_all(parent)
            .map_err(FileError::at(Action::MakeFolder, parent))
            .and_then(|()| write_atomic(path, text.as_bytes()))
            .map_err(|e| runtime::failed("R0931", &e.to_string(), e.help()))?;
        out.push_str(&format!("{}\n", path.display()));
    }
    let width = name.len() + 30;
    let mut line = |command: String, about: &str| out.push_str(&format!("  {command:<width$}  {about}\n"));
    line(String::new(), "");
    line(format!("cd {}", folder.display()), "");
    line(format!("rord-run {name}.rord --preset smoke"), "train for a moment, to see that all works");
    line(format!("rord-run {name}.rord"), "train");
    line(format!("rord-run types {name}.rord"), "every name with its type");
    line("rord-run explain ops".to_string(), "what a formula can be made of");
    Ok(out.lines().map(|l| format!("{}\n", l.trim_end())).collect())
}

/// The pipeline's name: that of its folder, as letters, digits, `-` and `_`.
fn name(folder: &Path) -> Result<String, Report> {
    let name = folder.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let fits = |name: &str| !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '-' || c == '_');
    if fits(&name) && !name.starts_with('-') {
        return Ok(name);
    }
    let kept: String = name
        .strip_suffix(".rord")
        .unwrap_or(&name)
        .chars()
        .map(|c| if fits(&c.to_string()) { c } else { '-' })
        .collect();
    let kept = kept.trim_matches('-');
    let shown = folder.display().to_string();
    let parent: PathBuf = folder.parent().map(Path::to_path_buf).unwrap_or_default();
    let better = parent.join(if kept.is_empty() { "mine" } else { kept });
    let title = format!("`{shown}` cannot name a pipeline");
    let help =
        format!("a folder of that name is made: letters, digits, - and _, as in  rord-run new {}", better.display());
    Err(runtime::failed("R0930", &title, &help))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;
    use clap::ValueEnum;

    #[test]
    fn every_template_becomes_a_pipeline_that_checks_under_its_new_name() {
        let dir = tempfile::tempdir().unwrap();
        for &template in Template::value_variants() {
            let folder = dir.path().join(format!("{template:?}").to_lowercase()).join("mine");
            let said = make(&folder, template).unwrap();
            assert!(said.contains("mine.rord"), "{said}");
            let loaded = crate::load::load_given(
                &folder.join("mine.rord"),
                &rord_project::outside::Given { preset: Some("smoke"), ..Default::default() },
            );
            let loaded = loaded.unwrap_or_else(|(reports, _)| panic!("{reports:?}"));
            // The smoke run of `find` is shorter than its warm-up.
            let told: Vec<_> = loaded.reports.iter().map(|r| r.code).collect();
            assert_eq!(told, if template == Template::Find { vec!["R0731"] } else { vec![] }, "{:?}", loaded.reports);
            assert_eq!(loaded.pipeline.name, "mine");
        }
    }

    #[test]
    fn what_is_there_stays_and_names_are_names() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("a"), "kept").unwrap();
        assert_eq!(make(&dir.path().join("a"), Template::Start).unwrap_err().code, "R0931");
        assert_eq!(std::fs::read_to_string(dir.path().join("a")).unwrap(), "kept");
        std::fs::create_dir_all(dir.path().join("b/c")).unwrap();
        assert_eq!(make(&dir.path().join("b"), Template::Start).unwrap_err().code, "R0931");
        for wrong in ["x.rord", "a b", "..", "/", "-x", "a\"b"] {
            assert_eq!(name(Path::new(wrong)).unwrap_err().code, "R0930", "{wrong}");
        }
        assert!(name(Path::new("nets/x.rord")).unwrap_err().help.unwrap().contains("nets/x"));
    }
}
