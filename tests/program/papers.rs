//! The published methods of `pipelines/papers`: each checks without a word, is laid out, and trains with its smoke preset.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::cli::{err, lines, rord};

/// Every file of the gallery.
fn papers() -> Vec<PathBuf> {
    let all = std::fs::read_dir("pipelines/papers").unwrap().map(|e| e.unwrap().path());
    let mut all: Vec<PathBuf> = all.filter(|p| p.extension().is_some_and(|e| e == "rord")).collect();
    all.sort();
    assert!(all.len() > 20);
    all
}

#[test]
fn every_paper_trains_with_its_smoke_preset() {
    let dir = tempfile::tempdir().unwrap();
    let here = std::env::current_dir().unwrap();
    let mut wrong = Vec::new();
    for path in papers() {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let file = here.join(&path);
        let start = Instant::now();
        let out = rord(dir.path(), &[file.to_str().unwrap(), "--preset", "smoke", "--out", &name]);
        let took = start.elapsed();
        if out.status.code() != Some(0) {
            wrong.push(format!("{name}: {}", err(&out)));
            continue;
        }
        let metrics = lines(&dir.path().join(&name).join("metrics.jsonl"));
        let steps = metrics.iter().filter(|l| l["split"] == "train").count();
        assert!(steps > 0 && metrics.iter().any(|l| l["split"] == "val"), "{name}: {metrics:?}");
        assert!(dir.path().join(&name).join("best.safetensors").exists(), "{name}");
        #[cfg(target_os = "linux")]
        {
            let (foretold, taken) = crate::memory::figures(&dir.path().join(&name));
            // Runs for a moment: what threads keep of what they had weighs much.
            assert!(taken <= 1.3 * foretold, "{name}: {taken} MB taken, {foretold} MB foretold");
        }
        // A smoke preset is for a moment; in a debug build beside others it takes longer.
        assert!(took < Duration::from_secs(60), "{name} took {took:?}");
        println!("{name}: {took:.1?}");
    }
    assert!(wrong.is_empty(), "{} do not train\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_paper_is_laid_out_and_checks_without_a_word() {
    let mut all = papers();
    all.push(Path::new("pipelines/papers/lib/nets.rord").to_path_buf());
    for path in all {
        let out = rord(Path::new("."), &["fmt", "--check", path.to_str().unwrap()]);
        assert_eq!(out.status.code(), Some(0), "{}: {}", path.display(), err(&out));
        let out = rord(Path::new("."), &["check", path.to_str().unwrap()]);
        let said = err(&out);
        assert!(out.status.code() == Some(0) && !said.contains("warning"), "{}: {said}", path.display());
    }
}
