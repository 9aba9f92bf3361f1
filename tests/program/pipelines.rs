//! Every shipped pipeline, stage by stage: one Markdown page each, so that a change of any stage shows in a diff.

mod stages;

use std::fmt::Write;
use std::path::{Path, PathBuf};

use rord_cli::load::{Loaded, load_given};
use rord_cli::types::types_text;
use rord_graph::node::{Graph, Role};
use rord_graph::verify::verify;
use rord_graph::{build, passes, print};
use rord_lang::tree::outline;
use rord_project::outside::Given;

fn pipelines() -> Vec<PathBuf> {
    let mut all: Vec<PathBuf> = std::fs::read_dir("pipelines")
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.extension().is_some_and(|e| e == "rord"))
        .collect();
    all.sort();
    assert!(!all.is_empty());
    all
}

fn load(path: &Path) -> Loaded {
    // What has no default must be given; the file itself is first read when a run begins.
    let set: &[String] = match path.ends_with("distill.rord") {
        true => &["teacher_weights=\"teacher.safetensors\"".to_string()],
        false => &[],
    };
    let given = Given { set, ..Given::default() };
    load_given(path, &given).unwrap_or_else(|(reports, _)| panic!("{path:?}: {reports:?}"))
}

fn training_graph(loaded: &Loaded) -> Graph {
    build::build(
        &loaded.pipeline,
        &loaded.vocabulary,
        &build::outputs(&loaded.pipeline, &[Role::Objective, Role::Loss]),
    )
}

/// The stages of one pipeline as a page.
fn page(path: &Path) -> String {
    let loaded = load(path);
    assert!(loaded.reports.is_empty(), "{path:?}: {:?}", loaded.reports);
    let text = std::fs::read_to_string(path).unwrap();
    let (tree, _) = rord_lang::parse::parse(&text, loaded.file);
    let mut out = format!("# {}\n", path.display());
    let mut stage = |title: &str, fence: &str, body: &str| {
        write!(out, "\n## {title}\n\n```{fence}\n{}\n```\n", body.trim_end()).unwrap();
    };
    stage("Syntax tree", "text", &outline(&tree));
    stage("Names and weights", "text", &types_text(&loaded.pipeline));
    let mut graph = training_graph(&loaded);
    verify(&graph, &loaded.vocabulary).unwrap();
    let mut last = print::text(&graph, &loaded.vocabulary);
    stage("Graph as built", "text", &last);
    let mut lines = stages::Stage::first(&last);
    for (name, pass) in passes::PASSES {
        pass(&mut graph, &loaded.vocabulary);
        verify(&graph, &loaded.vocabulary).unwrap();
        last = print::text(&graph, &loaded.vocabulary);
        let changed;
        (lines, changed) = lines.after(&last);
        let changed = if changed.is_empty() { "nothing changes" } else { &changed };
        stage(&format!("What {name} changes, to {} nodes", graph.nodes.len()), "diff", changed);
    }
    let fingerprint = blake3::hash(last.as_bytes()).to_hex();
    write!(out, "\nThe graph that is trained: b3:{}\n", &fingerprint[..16]).unwrap();
    out
}

#[test]
fn every_stage_of_every_pipeline() {
    for path in pipelines() {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        insta::with_settings!({ snapshot_path => "../pipelines", prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_binary_snapshot!(&format!("{name}.md"), page(&path).into_bytes());
        });
    }
}

#[test]
fn the_optimizer_shares_the_warp_and_leaves_no_inverse() {
    let loaded = load(Path::new("pipelines/default.rord"));
    let mut graph = training_graph(&loaded);
    assert_eq!((graph.count("warp"), graph.count("inv")), (2, 4));
    passes::run(&mut graph, &loaded.vocabulary, None).unwrap();
    assert_eq!((graph.count("warp"), graph.count("inv")), (1, 0));
    assert_eq!(graph.count("hardneg"), 1);
}

#[test]
fn two_draws_stay_two_and_one_name_is_one_draw() {
    let text = std::fs::read_to_string("pipelines/default.rord").unwrap();
    let twice = text.replace(
        "loss description = triplet(grid(200), hardneg, margin = margin)",
        "loss description = triplet(grid(200), hardneg, margin = margin) + triplet(grid(200), hardneg)",
    );
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("twice.rord");
    std::fs::write(&path, twice).unwrap();
    let loaded = load(&path);
    assert!(loaded.reports.is_empty(), "{:?}", loaded.reports);
    let mut graph = training_graph(&loaded);
    passes::run(&mut graph, &loaded.vocabulary, None).unwrap();
    assert_eq!(graph.count("hardneg"), 2, "two calls are two draws");
    assert_eq!(graph.count("grid"), 1, "what draws nothing is shared");
    let streams: Vec<u64> = graph
        .nodes
        .iter()
        .filter_map(|n| match &n.source {
            rord_graph::node::NodeSource::Op(op) if op.op == "hardneg" => Some(op.stream),
            _ => None,
        })
        .collect();
    assert_ne!(streams[0], streams[1]);
}

#[test]
fn a_broken_graph_is_found() {
    let loaded = load(Path::new("pipelines/default.rord"));
    let graph = training_graph(&loaded);
    let warp =
        graph.nodes.iter().position(|n| matches!(&n.source, rord_graph::node::NodeSource::Op(o) if o.op == "warp"));
    // The inverse left out: the warp would read its source the wrong way round.
    let mut wrong = graph.clone();
    let node = &mut wrong.nodes[warp.unwrap()];
    if let rord_graph::node::NodeSource::Op(op) = &mut node.source {
        let back = op.inputs.iter().position(|(n, _)| *n == "back").unwrap();
        let of = graph.op(op.inputs[back].1).unwrap().inputs[0].1;
        op.inputs[back].1 = of;
    }
    let broken = verify(&wrong, &loaded.vocabulary).unwrap_err();
    assert!(broken.what.contains("warp"), "{broken}");
}

#[test]
fn the_short_forms_are_accepted() {
    let text = std::fs::read_to_string("pipelines/default.rord").unwrap();
    let short = text.replace("triplet(grid(200), hardneg, margin = margin)", "triplet(grid(200), hardneg)").replace(
        "bce(det, warp(det_r, inv(H))) + 0.1 * smoothl1(det, warp(det_r, inv(H)))",
        "bce(det, warp(det_r, inv(H))) + 0.1*smoothl1(det, warp(det_r, inv(H)))",
    );
    let short: String = short.lines().filter(|l| !l.starts_with("param margin")).map(|l| format!("{l}\n")).collect();
    let short = short.replace(", margin = [0.5, 1.0]", "");
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("short.rord");
    std::fs::write(&path, short).unwrap();
    let loaded = load(&path);
    assert!(loaded.reports.is_empty(), "{:?}", loaded.reports);
}
