//! What goes wrong without an error is said once, and is in the metrics.

use std::path::Path;

use super::cli::{TINY, err, lines, rord};

/// What is said of a pipeline, and what its metrics have of it.
fn said(dir: &Path, name: &str, text: &str) -> (String, Vec<String>) {
    std::fs::write(dir.join(format!("{name}.rord")), text).unwrap();
    let out = rord(dir, &[&format!("{name}.rord"), "--out", name, "--set", "epochs=3"]);
    assert_eq!(out.status.code(), Some(0), "{name}: {}", err(&out));
    let health = lines(&dir.join(name).join("metrics.jsonl")).into_iter().filter(|line| line["split"] == "health");
    let all = format!("{}{}", String::from_utf8_lossy(&out.stdout), err(&out));
    (all, health.map(|line| format!("{} {}", line["found"].as_str().unwrap(), line["of"].as_str().unwrap())).collect())
}

#[test]
fn each_finding_is_said_once_with_what_to_try() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let (all, found) = said(dir, "sound", TINY);
    assert!(found.is_empty() && !all.contains("warning"), "{found:?}: {all}");

    // The figures of each epoch are numbers for curves.
    let figures = lines(&dir.join("sound/metrics.jsonl")).into_iter().filter(|line| line["split"] == "figures");
    let figures: Vec<_> = figures.collect();
    assert_eq!(figures.iter().map(|line| line["epoch"].as_u64().unwrap()).collect::<Vec<_>>(), [1, 2, 3]);
    for line in &figures {
        let of = |name: &str| line[name].as_f64().unwrap_or_else(|| panic!("{name}: {line}"));
        assert!((0.0..=1.0).contains(&of("description.active")), "{line}");
        assert!(of("description.positives") > 0.0 && of("description.negatives") > 0.0, "{line}");
        assert!(of("net.det.mean") > 0.0 && of("net.det.spread") > 0.0, "{line}");
    }

    let margin = |margin: &str| {
        TINY.replace("margin:  Scalar  = 1.0", &format!("margin:  Scalar  = {margin}"))
            .replace("steps = 3", "steps = 12")
    };
    let (all, found) = said(dir, "violated", &margin("1000"));
    assert!(found.contains(&"all_violated description".to_string()), "{found:?}");
    assert_eq!(all.matches("triplets of `description` were violated").count(), 1, "{all}");
    assert!(all.contains("the margin may be larger than distances can be"), "{all}");

    // The greatest number along an axis is a choice, not what is missing to a margin.
    let choice = TINY.replace("steps = 3", "steps = 12").replace(
        "= detection + description",
        "= detection + description + 0.001 * mean(max(exp(desc), over = channel))",
    );
    let (all, found) = said(dir, "choice", &choice);
    assert!(found.is_empty(), "{found:?}: {all}");

    let still = TINY.replace("= detection + description", "= 0 * detection + 0 * description");
    let (all, found) = said(dir, "still", &still);
    assert!(found.contains(&"no_gradient ".to_string()), "{found:?}: {all}");
    assert_eq!(all.matches("the gradient was 0 in all 3 steps of epoch 1").count(), 1, "{all}");

    let alike = TINY
        .replace("steps = 3", "steps = 12")
        .replace("trunk |> conv(16, 3) |> instance_norm", "(0 * (trunk |> conv(16, 3)) + 1) |> l2norm");
    let (all, found) = said(dir, "alike", &alike);
    assert!(found.iter().any(|f| f.starts_with("descriptors_alike net")), "{found:?}: {all}");

    let constant = TINY
        .replace("steps = 3", "steps = 12")
        .replace("trunk |> conv(1, 3) |> sigmoid", "0 * (trunk |> conv(1, 3)) |> sigmoid");
    let (all, found) = said(dir, "constant", &constant);
    assert!(found.iter().any(|f| f.starts_with("constant_detector net")), "{found:?}: {all}");
}

/// A margin that is written out is one, too, and distances that are chosen among others are distances.
#[test]
fn terms_are_told_apart_by_what_they_are_made_of() {
    let dir = tempfile::tempdir().unwrap();
    let out = rord(
        dir.path(),
        &[
            concat!(env!("CARGO_MANIFEST_DIR"), "/pipelines/hardnet.rord"),
            "--preset",
            "smoke",
            "--out",
            "run",
            "--quiet",
        ],
    );
    assert_eq!(out.status.code(), Some(0), "{}", err(&out));
    let all = lines(&dir.path().join("run/metrics.jsonl"));
    let figures = all.iter().find(|line| line["split"] == "figures").unwrap();
    let of = |name: &str| figures[name].as_f64().unwrap_or_else(|| panic!("{name}: {figures}"));
    assert!((0.0..=1.0).contains(&of("hardest.active")), "{figures}");
    assert!(of("hardest.positives") > 0.0 && of("hardest.negatives") > 0.0, "{figures}");
    // Rectifiers of the network are no margins, and a leaky one is none either.
    let leaky = TINY.replace(
        "= detection + description",
        "= detection + description + mean(leaky_relu(mean(det, per = batch) - 0.1))",
    );
    std::fs::write(dir.path().join("leaky.rord"), leaky).unwrap();
    let out = rord(dir.path(), &["leaky.rord", "--out", "leaky"]);
    assert_eq!(out.status.code(), Some(0), "{}", err(&out));
    let all = lines(&dir.path().join("leaky/metrics.jsonl"));
    let figures = all.iter().find(|line| line["split"] == "figures").unwrap();
    let active: Vec<&String> = figures.as_object().unwrap().keys().filter(|name| name.ends_with(".active")).collect();
    assert_eq!(active, ["description.active"], "{figures}");
}
