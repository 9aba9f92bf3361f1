//! Every file in `tests/reports/` has a mistake; what the binary says of it is a snapshot, at a fixed width.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::process::Command;

#[test]
fn every_mistake_is_reported_as_a_person_would_want() {
    let mut files: Vec<_> = std::fs::read_dir("tests/reports").unwrap().map(|e| e.unwrap().path()).collect();
    files.retain(|p| p.extension().is_some_and(|e| e == "rord"));
    files.sort();
    assert!(files.len() >= 30);
    for path in files {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let out = Command::new(env!("CARGO_BIN_EXE_rord-run"))
            .args(["check", &path.display().to_string()])
            .env("RORD_WIDTH", "100")
            .env("NO_COLOR", "1")
            .env_remove("TERM")
            .output()
            .unwrap();
        let said = String::from_utf8(out.stderr).unwrap();
        let code = name.split('-').next().unwrap();
        if code.starts_with('R') {
            assert!(said.starts_with(code), "{name}: the first report is another one:\n{said}");
        }
        let errors = said.contains("  × ");
        assert_eq!(out.status.code(), Some(i32::from(errors)), "{name}");
        assert!(!said.contains("panicked"), "{said}");
        insta::with_settings!({ snapshot_path => "reports", prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_snapshot!(name, said);
        });
    }
}
