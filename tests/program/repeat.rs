//! Runs that are made again: from their folders, and by a sweep that goes on.

use std::path::Path;

use super::cli::{TINY, command, err, rord, tiny};

/// The tiny pipeline with a layer from `parts/trunk`, which lies outside of its folder and has no ending.
fn imported() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let import = "import \"../parts/trunk\" { trunk }\n\ndata pairs";
    let text = TINY.replace("data pairs", import).replace("x |> conv(8, 3) |> relu |> max_pool(2)", "x |> trunk(8)");
    let text = format!("{text}\nsweep rates {{ lr = [1e-3, 3e-4] }}\n");
    let head = "layer trunk(x: Map[B, C, H, W]@f, width: Count) -> Feat[B, width, H/2, W/2]@f =";
    let trunk = &*format!("{head}\n  x |> conv(width, 3) |> relu |> max_pool(2)\n");
    for (path, text) in [("nets/tiny.rord", &*text), ("parts/trunk", trunk)] {
        let path = dir.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    dir
}

fn done(dir: &Path, args: &[&str]) -> String {
    let out = rord(dir, args);
    assert_eq!(out.status.code(), Some(0), "{args:?}: {}", err(&out));
    err(&out)
}

fn refused(dir: &Path, args: &[&str], code: &str, fact: &str) {
    let out = rord(dir, args);
    let said = err(&out);
    assert_eq!(out.status.code(), Some(1), "{args:?}: {said}");
    assert!(said.starts_with(code) && said.contains(fact), "{args:?}: {said}");
}

/// All that must be equal where a run is repeated.
fn outcome(dir: &Path, run: &str) -> Vec<String> {
    let read = |file: &str| {
        let path = dir.join(run).join(file);
        std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
    };
    let record = String::from_utf8(read("run.yaml")).unwrap();
    let (_, params) = record.split_once("\nparams:\n").unwrap();
    let params = params.split("\norigins:").next().unwrap().to_string();
    let graph = record.lines().find(|l| l.starts_with("graph: ")).unwrap().to_string();
    let hash = |file: &str| blake3::hash(&read(file)).to_string();
    let texts = ["pipeline.rord", "params.yaml", "imports/trunk"].map(|file| String::from_utf8(read(file)).unwrap());
    [vec![params, graph, hash("last.safetensors"), hash("metrics.jsonl")], texts.to_vec()].concat()
}

#[test]
fn a_folder_repeats_its_run() {
    let dir = imported();
    let dir = dir.path();
    std::fs::write(dir.join("my.yaml"), "margin: 0.5\nlr: 1e-2\n").unwrap();
    let given = ["--import-root", ".", "--preset", "longer", "--params", "my.yaml", "--set", "lr=3e-4"];
    done(dir, &[&["nets/tiny.rord", "--out", "first"], &given[..]].concat());
    for gone in ["nets", "parts"] {
        std::fs::remove_dir_all(dir.join(gone)).unwrap();
    }
    let wanted = outcome(dir, "first");
    assert!(wanted[4].contains("import \"imports/trunk\" { trunk }"), "{}", wanted[4]);
    let expected = "\
# The parameters of this run; --params takes them, too.
layouts: synth(tiles = 4, seed = 1, size = 51.2, resolution = 10)
patch: 32px
epochs: 2
lr: 3e-4
margin: 0.5
";
    assert_eq!(wanted[5], expected);

    assert!(!done(dir, &["first", "--out", "second"]).contains("text of a run"));
    assert_eq!(outcome(dir, "second"), wanted);
    let record = std::fs::read_to_string(dir.join("second/run.yaml")).unwrap();
    assert!(record.contains("source: first\n") && record.contains("\n  lr: run first\n"), "{record}");
    let note = "second/pipeline.rord is the text of a run: its parameters are those in second/params.yaml\n";
    assert!(done(dir, &["second/pipeline.rord", "--out", "third"]).starts_with(note));
    assert_eq!(outcome(dir, "third"), wanted);

    // Every verb takes the folder, and the command line stands before it.
    let shown = |args: &[&str]| {
        let out = rord(dir, args);
        assert_eq!(out.status.code(), Some(0), "{args:?}: {}", err(&out));
        String::from_utf8(out.stdout).unwrap()
    };
    let params = shown(&["params", "first/", "--set", "lr=1e-2"]);
    for row in ["epochs   2  ", "lr       0.01  ", "margin   0.5  "] {
        assert!(params.contains(&format!("\n{row}")), "{row}: {params}");
    }
    let of = |name: &str| params.lines().find(|l| l.starts_with(name)).unwrap().to_string();
    assert!(of("lr").contains("--set, not 3e-4 of run first, not the default 1e-3"), "{params}");
    assert!(of("patch").contains(" run first  ") && !of("patch").contains("not"), "{params}");
    let preset = shown(&["params", "third", "--set", "epochs=9", "--preset", "longer"]);
    assert!(preset.contains("--set, not 2 of preset longer"), "{preset}");
    for verb in [&["check", "first"][..], &["types", "first"], &["graph", "first"], &["data", "first"]] {
        shown(verb);
    }
    assert!(shown(&["explain", "first:detection"]).contains("smoothl1"));
    assert!(shown(&["explain", "first"]).contains("detection"));

    std::fs::write(dir.join("first/params.yaml"), "lr: 3\n").unwrap();
    refused(dir, &["check", "first"], "R0701", "first/params.yaml:1:5");
    std::fs::remove_file(dir.join("first/params.yaml")).unwrap();
    refused(dir, &["first"], "R0817", "first cannot be repeated: its folder has no params.yaml");
    std::fs::write(dir.join("second/run.yaml"), "status: asleep\n").unwrap();
    refused(dir, &["second"], "R0817", "second/run.yaml is not a file of a run");
    refused(dir, &["check", "--fix", "third"], "R0914", "third/pipeline.rord is what a run was made from");
}

#[test]
fn a_run_is_repeated_with_the_weights_that_it_began_with() {
    let dir = tiny();
    let dir = dir.path();
    done(dir, &["tiny.rord", "--out", "first"]);
    done(dir, &["tiny.rord", "--init", "first/last.safetensors", "--set", "lr=1e-2", "--out", "second"]);
    done(dir, &["second", "--out", "third"]);
    let weights = |run: &str| std::fs::read(dir.join(run).join("last.safetensors")).unwrap();
    assert_eq!(weights("second"), weights("third"));
    let record = std::fs::read_to_string(dir.join("third/run.yaml")).unwrap();
    assert!(record.contains("\ninit:\n  file: first/last.safetensors\n  hash: b3:"), "{record}");
    std::fs::write(dir.join("first/last.safetensors"), weights("second")).unwrap();
    let changed = "second began with the weights in first/last.safetensors, which have changed since";
    refused(dir, &["second", "--out", "fourth"], "R0913", changed);
    assert!(!dir.join("fourth").exists());
    done(dir, &["second", "--init", "first/last.safetensors", "--out", "fourth"]);
}

#[test]
fn a_sweep_goes_on_only_where_all_that_decides_results_is_the_same() {
    let dir = imported();
    let dir = dir.path();
    done(dir, &["nets/tiny.rord", "--import-root", ".", "--out", "start"]);
    std::fs::copy(dir.join("start/last.safetensors"), dir.join("start.safetensors")).unwrap();
    let sweep =
        ["sweep", "nets/tiny.rord", "rates", "--import-root", ".", "--init", "start.safetensors", "--out", "all"];
    let with = |more: &[&'static str]| [&sweep[..], more].concat();
    for set in ["lr=1e-2", "lr =1e-2", " lr = 1e-2"] {
        refused(dir, &with(&["--set", set]), "R0825", "command line:1:");
    }
    done(dir, &sweep);
    assert_eq!(done(dir, &sweep).matches("finished already").count(), 2);

    // A point is a run, and its folder repeats it.
    done(dir, &["all/2-lr=3e-4", "--out", "again"]);
    assert_eq!(outcome(dir, "again"), outcome(dir, "all/2-lr=3e-4"));
    refused(dir, &["all"], "R0817", "name one of its runs");

    refused(dir, &with(&["--set", "margin=2"]), "R0932", "all holds another sweep, with other parameters");
    refused(dir, &["sweep", "nets/tiny.rord", "rates", "--import-root", ".", "--out", "all"], "R0932", "other weights");
    let change = |file: &str, to: &[u8]| {
        let before = std::fs::read(dir.join(file)).unwrap();
        std::fs::write(dir.join(file), to).unwrap();
        before
    };
    let other = std::fs::read(dir.join("all/2-lr=3e-4/last.safetensors")).unwrap();
    let before = change("start.safetensors", &other);
    refused(dir, &sweep, "R0932", "all holds another sweep, with other weights");
    change("start.safetensors", &before);
    let trunk = std::fs::read_to_string(dir.join("parts/trunk")).unwrap();
    change("parts/trunk", trunk.replace("conv(width, 3)", "conv(width, 5)").as_bytes());
    refused(dir, &sweep, "R0932", "all holds another sweep, with other texts");
    change("parts/trunk", trunk.as_bytes());
    assert_eq!(done(dir, &sweep).matches("finished already").count(), 2);
}

#[cfg(unix)]
#[test]
fn fixes_respect_a_file_that_is_read_only_follow_links_and_keep_permissions() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let wrong = TINY.replace("tiles = 4", "tiles: 4");
    let path = dir.join("tiny.rord");
    let mode = |mode: u32| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    std::fs::write(&path, &wrong).unwrap();
    std::os::unix::fs::symlink("tiny.rord", dir.join("link.rord")).unwrap();

    mode(0o444);
    for name in ["tiny.rord", "link.rord"] {
        let out = rord(dir, &["check", "--fix", name]);
        let said = err(&out);
        assert_eq!(out.status.code(), Some(1), "{said}");
        assert!(said.contains(&format!("cannot write {name}: it is read-only")), "{said}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), wrong);
    }
    mode(0o640);
    let out = rord(dir, &["check", "--fix", "link.rord"]);
    assert_eq!(out.status.code(), Some(0), "{}", err(&out));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), TINY);
    assert!(std::fs::symlink_metadata(dir.join("link.rord")).unwrap().is_symlink());
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
    let names: Vec<_> = std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names.len(), 2, "{names:?}");
}

#[test]
fn reproducible_runs_have_the_same_bits_with_every_instruction_set() {
    let dir = tiny();
    let dir = dir.path();
    let bytes = |run: &str| std::fs::read(dir.join(run).join("last.safetensors")).unwrap();
    let weights = |run: &str| {
        let bytes = bytes(run);
        let read = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        read.iter().map(|(name, t)| (name.to_string(), t.data().to_vec())).collect::<std::collections::BTreeMap<_, _>>()
    };
    let mut same = Vec::new();
    for simd in rord_kernels::simd::Simd::ALL.into_iter().filter(|s| s.runs_here()).map(|s| s.name()) {
        for (run, more) in [(format!("{simd}-same"), &["--reproducible"][..]), (format!("{simd}-own"), &[][..])] {
            let args = [&["tiny.rord", "--out", &run], more].concat();
            let out = command(dir, &args).env("RORD_SIMD", simd).output().unwrap();
            assert_eq!(out.status.code(), Some(0), "{}", err(&out));
            if more.is_empty() {
                assert!(simd == "portable" || weights(&run) != weights("portable-own"), "{simd} sums as portable does");
            } else {
                let record = std::fs::read_to_string(dir.join(&run).join("run.yaml")).unwrap();
                assert!(record.contains("instructions: reproducible\n"), "{record}");
                same.push(weights(&run));
            }
        }
    }
    assert!(same.windows(2).all(|two| two[0] == two[1]));
    // What repeats a run takes the mode from its record.
    let said = rord(dir, &["replay", "portable-same"]);
    assert_eq!(said.status.code(), Some(0), "{}", err(&said));
}
