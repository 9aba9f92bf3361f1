//! ARCHITECTURE.md draws the imports between crates, and the manifests have exactly these.

use std::collections::{BTreeMap, BTreeSet};

type Imports = BTreeMap<String, BTreeSet<String>>;

/// The crates' imports as ARCHITECTURE.md lists them: `graph ─▶ lang, random`.
fn drawn() -> Imports {
    let text = std::fs::read_to_string("ARCHITECTURE.md").unwrap();
    let list = text.split("<!-- crates -->").nth(1).unwrap().split("```").nth(1).unwrap();
    let line = |line: &str| {
        let (name, imports) = line.split_once("─▶")?;
        let imports = imports.split(',').map(|i| i.trim().to_string()).filter(|i| i != "(nothing)").collect();
        Some((name.trim().to_string(), imports))
    };
    list.lines().filter_map(line).collect()
}

/// The crates of rord that a manifest names under `[dependencies]`.
fn imports(manifest: &str) -> BTreeSet<String> {
    let text = std::fs::read_to_string(manifest).unwrap();
    let own = text.split("\n[dependencies]\n").nth(1).unwrap_or("").split("\n[").next().unwrap();
    let name = |line: &str| Some(line.strip_prefix("rord-")?.split(['.', ' ']).next()?.to_string());
    own.lines().filter_map(name).collect()
}

#[test]
fn the_drawn_imports_are_those_of_the_manifests() {
    let mut real = Imports::from([("rord".to_string(), imports("Cargo.toml"))]);
    for entry in std::fs::read_dir("src").unwrap() {
        let folder = entry.unwrap().path();
        let manifest = folder.join("Cargo.toml");
        if manifest.exists() {
            let name = folder.file_name().unwrap().to_str().unwrap().to_string();
            real.insert(name, imports(manifest.to_str().unwrap()));
        }
    }
    assert!(real.len() > 10, "{real:?}");
    assert_eq!(drawn(), real);
}

#[test]
fn every_crate_is_a_default_member_so_that_cargo_test_tests_it() {
    let text = std::fs::read_to_string("Cargo.toml").unwrap();
    let list = |key: &str| -> BTreeSet<String> {
        let inside = text.split(&format!("\n{key} = [")).nth(1).unwrap().split(']').next().unwrap();
        inside.split('"').skip(1).step_by(2).map(str::to_string).collect()
    };
    let mut members = list("members");
    members.insert(".".into());
    assert_eq!(list("default-members"), members);
    let crates = std::fs::read_dir("src").unwrap().map(|e| e.unwrap().path());
    let crates: BTreeSet<String> =
        crates.filter(|p| p.join("Cargo.toml").exists()).map(|p| p.to_str().unwrap().to_string()).collect();
    assert_eq!(members.difference(&crates).collect::<Vec<_>>(), ["."]);
    assert!(crates.is_subset(&members));
}
