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
