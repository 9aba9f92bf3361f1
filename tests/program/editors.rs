//! The folder `editors/`: copies are equal, files are readable, and the extension names what is there.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::skip::skip;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("editors/vscode")
}

fn json(path: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn the_extension_has_the_grammar_of_the_language() {
    let own = std::fs::read_to_string(folder().join("rord.tmLanguage.json")).unwrap();
    let grammar = Path::new(env!("CARGO_MANIFEST_DIR")).join("grammar/rord.tmLanguage.json");
    assert_eq!(own, std::fs::read_to_string(grammar).unwrap(), "run: npm run grammar, in editors/vscode");
}

#[test]
fn what_the_extension_names_is_there() {
    let package = json(&folder().join("package.json"));
    let contributes = &package["contributes"];
    let named = [&package["main"], &contributes["languages"][0]["configuration"], &contributes["grammars"][0]["path"]];
    for path in named {
        let path = folder().join(path.as_str().unwrap());
        assert!(path.is_file(), "{}", path.display());
    }
    json(&folder().join("language-configuration.json"));
    let script = std::fs::read_to_string(folder().join("extension.js")).unwrap();
    for command in contributes["commands"].as_array().unwrap() {
        assert!(script.contains(command["command"].as_str().unwrap()), "{command}");
    }
    for setting in contributes["configuration"]["properties"].as_object().unwrap().keys() {
        // The library of the protocol reads its own.
        let own = setting.strip_prefix("rord.").unwrap();
        assert!(own == "trace.server" || script.contains(&format!("settings.get(\"{own}\")")), "{setting}");
    }
    assert_eq!(package["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(json(&folder().join("rord.tmLanguage.json"))["scopeName"], contributes["grammars"][0]["scopeName"]);
}

#[test]
fn scripts_are_read_by_node() {
    for script in ["extension.js", "grammar.js"] {
        match Command::new("node").arg("--check").arg(folder().join(script)).output() {
            Ok(out) => assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr)),
            Err(_) => skip("there is no node on the path"),
        }
    }
}
