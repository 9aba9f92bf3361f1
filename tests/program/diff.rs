//! `rord-run diff`: two runs compared.

use std::path::Path;

use serde_json::Value;

use super::cli::{TINY, err, rord, tiny};

fn made(dir: &Path, args: &[&str]) -> String {
    let out = rord(dir, args);
    assert_eq!(out.status.code(), Some(0), "{args:?}: {}", err(&out));
    String::from_utf8(out.stdout).unwrap()
}

#[test]
fn runs_are_compared_by_text_parameters_data_machine_weights_and_curves() {
    let dir = tiny();
    let dir = dir.path();
    made(dir, &["tiny.rord", "--out", "a", "--threads", "1"]);
    made(dir, &["a", "--out", "b", "--threads", "1"]);
    let said = made(dir, &["diff", "a", "b"]);
    assert_eq!(said, "a  a\nb  b\n\nnothing differs: text, parameters, data, machine, 2 files of weights, curves\n");

    std::fs::write(dir.join("tiny.rord"), TINY.replace("conv(8, 3)", "conv(8, 5)")).unwrap();
    made(dir, &["tiny.rord", "--out", "c", "--set", "lr=3e-4", "--threads", "2"]);
    let said = made(dir, &["diff", "a", "c"]);
    for fact in [
        "  -  let trunk = x |> conv(8, 3)",
        "  +  let trunk = x |> conv(8, 5)",
        "  lr  0.001  0.0003\n",
        "\ndata: the same\n",
        "  threads  1  2\n",
        "  last.safetensors: other tensors: net.trunk.0.weight\n",
        "  train.total  ",
        "  the first step with another number is 0, in grad_norm\n",
    ] {
        assert!(said.contains(fact), "{fact}\n{said}");
    }
    let found: Value = serde_json::from_str(&made(dir, &["diff", "a", "c", "--format", "json"])).unwrap();
    assert_eq!((&found["same"], &found["first_other_step"]), (&Value::Bool(false), &Value::from(0)));
    assert_eq!(found["parameters"], serde_json::json!([{ "what": "lr", "a": "0.001", "b": "0.0003" }]));
    let keys: Vec<&String> = found.as_object().unwrap().keys().collect();
    let expected = [
        "a",
        "b",
        "same",
        "text",
        "parameters",
        "data",
        "machine",
        "ends",
        "weights",
        "curves",
        "first_other_step",
        "first_other_name",
    ];
    assert_eq!(keys, expected);
    let out = rord(dir, &["diff", "a", "tiny.rord"]);
    assert!(err(&out).contains("tiny.rord is not the folder of a run"), "{}", err(&out));
}

#[test]
fn the_files_of_the_data_are_in_the_record_and_a_run_does_not_go_on_with_others() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    std::fs::create_dir(dir.join("tiles")).unwrap();
    let picture = |name: &str, shade: u8| {
        let bytes: Vec<u8> = (0..96u32 * 96).map(|i| ((i * i / 7) % 251) as u8 ^ shade).collect();
        let head = "P5\n96 96\n255\n".as_bytes();
        std::fs::write(dir.join("tiles").join(name), [head, &bytes].concat()).unwrap();
    };
    picture("a.pgm", 1);
    picture("b.pgm", 2);
    picture("c.pgm", 3);
    let text = TINY
        .replace("synth(tiles = 4, seed = 1)", "images(\"tiles\")")
        .replace("save {", "save { state = every(1steps),");
    std::fs::write(dir.join("t.rord"), text).unwrap();
    made(dir, &["t.rord", "--out", "a"]);
    let record = std::fs::read_to_string(dir.join("a/run.yaml")).unwrap();
    assert!(record.contains("\ndata:\n- name: pairs\n  files: 3\n  bytes: 27687\n  hash: b3:"), "{record}");
    for key in [
        "\nformat: 1\n",
        "\ncommand: rord-run t.rord --out a\n",
        "\ntexts:\n",
        "  pipeline.rord: b3:",
        "\nmachine:\n",
        "  system: ",
    ] {
        assert!(record.contains(key), "{key}: {record}");
    }
    let list = std::fs::read_to_string(dir.join("a/data.b3")).unwrap();
    let hash = blake3::hash(&std::fs::read(dir.join("tiles/a.pgm")).unwrap()).to_hex();
    assert!(list.contains(&format!("{hash}  tiles/a.pgm\n")) && list.lines().count() == 3, "{list}");

    // A run that failed is gone on with, as long as its data is the same.
    std::fs::write(dir.join("a/run.yaml"), record.replace("status: finished", "status: failed")).unwrap();
    picture("b.pgm", 77);
    let out = rord(dir, &["resume", "a"]);
    let said = err(&out);
    assert_eq!(out.status.code(), Some(1), "{said}");
    assert!(said.contains("the files of `pairs` have changed since the run began"), "{said}");
    std::fs::write(dir.join("a/run.yaml"), &record).unwrap();
    made(dir, &["t.rord", "--out", "b"]);
    let said = made(dir, &["diff", "a", "b"]);
    assert!(
        said.contains("  tiles/b.pgm  ") && said.contains("3 files, 27687 bytes") && !said.contains("tiles/a.pgm"),
        "{said}"
    );

    std::fs::write(dir.join("b/run.yaml"), record.replace("rord: 0.1.0", "rord: 9.0.0")).unwrap();
    for args in [&["diff", "a", "b"][..], &["resume", "b"], &["types", "b"], &["replay", "b"]] {
        let out = rord(dir, args);
        assert_eq!(out.status.code(), Some(1), "{args:?}");
        assert!(err(&out).contains("is of rord 9.0.0, which is later than this version"), "{args:?}: {}", err(&out));
    }
}
