//! A newcomer's mistakes on the command line: what is printed, and that what is proposed works.

use std::path::Path;
use std::process::{Command, Output};

const FILE: &str = r#"param layouts: Layouts = synth(tiles = 4, seed = 1)
param weights: Path
param epochs:  Count   = 1    in [1, 1000]
param lr:      Rate    = 1e-3 in (0, 1)
param patch:   Pixels  = 32px

preset smoke { epochs = 1 }

data pairs = layout_pairs(layouts, patch = patch) -> { image: Image[B, 1, H, W]@orig }
metric m = lr * epochs * mean(pairs.image)
"#;

fn rord(folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rord-run"));
    command.args(args).current_dir(folder).env("NO_COLOR", "1").env("RORD_WIDTH", "100").env_remove("TERM");
    command.output().unwrap()
}

fn said(out: &Output) -> String {
    String::from_utf8(out.stderr.clone()).unwrap()
}

fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("a.rord"), FILE).unwrap();
    std::fs::create_dir(dir.path().join("parts")).unwrap();
    std::fs::write(dir.path().join("parts/parts.rord"), FILE).unwrap();
    dir
}

const SEE: &str = "`rord-run` alone lists the verbs, `rord-run help VERB` the options of one";

#[test]
fn the_command_that_was_meant_is_proposed() {
    let dir = folder();
    for (args, facts, command) in [
        ("trian a.rord", "there is no verb `trian`; did you mean `train`?", "rord-run train a.rord"),
        (
            "trian a.rord --preset smoke",
            "there is no verb `trian`; did you mean `train`?",
            "rord-run train a.rord --preset smoke",
        ),
        ("format a.rord", "there is no verb `format`; did you mean `fmt`?", "rord-run fmt a.rord"),
        ("a.rord check", "the verb `check` comes first", "rord-run check a.rord"),
        ("--preset smoke types a.rord", "the verb `types` comes first", "rord-run types --preset smoke a.rord"),
        (
            "--epochs 2 a.rord",
            "`--epochs` is no option; `epochs` is a parameter of a.rord",
            "rord-run --set epochs=2 a.rord",
        ),
        (
            "train a.rord --epochs 2",
            "`--epochs` is no option; `epochs` is a parameter of a.rord",
            "rord-run train a.rord --set epochs=2",
        ),
        (
            "a.rord --learning-rate=1e-4",
            "`--learning-rate` is no option; `lr` is a parameter of a.rord",
            "rord-run a.rord --set lr=1e-4",
        ),
        ("a.rord --smoke", "`--smoke` is no option; `smoke` is a preset of a.rord", "rord-run a.rord --preset smoke"),
        ("a.rord --set epochs 2", "`--set` takes NAME=VALUE in one word", "rord-run a.rord --set epochs=2"),
        (
            "a.rord --set epochs = 2 --set lr =1e-4",
            "`--set` takes NAME=VALUE in one word",
            "rord-run a.rord --set epochs=2 --set lr=1e-4",
        ),
        (
            "a.rord --set epochs=2 lr=1e-4",
            "`lr=1e-4` is no file; parameters are set by --set",
            "rord-run a.rord --set epochs=2 --set lr=1e-4",
        ),
        (
            "trian a.rord --epochs 2",
            "there is no verb `trian`; did you mean `train`?\n       \
             `--epochs` is no option; `epochs` is a parameter of a.rord",
            "rord-run train a.rord --set epochs=2",
        ),
    ] {
        let words: Vec<&str> = args.split(' ').collect();
        let out = rord(dir.path(), &words);
        assert_eq!(said(&out), format!("error: {facts}\n\n  write  {command}\n"), "{args}");
        assert_eq!(out.status.code(), Some(2), "{args}");
    }
    let out = rord(dir.path(), &["a.rord", "--layouts", "synth(tiles = 4)"]);
    assert!(said(&out).ends_with("\n  write  rord-run a.rord --set 'layouts=synth(tiles = 4)'\n"), "{}", said(&out));
}

#[test]
fn what_cannot_be_guessed_names_where_to_look() {
    let dir = folder();
    for (args, expected) in [
        ("trian", format!("error: there is no verb `trian`; did you mean `train`?\n\n  {SEE}\n")),
        ("fetch a.rord", format!("error: there is no verb and no file called `fetch`\n\n  {SEE}\n")),
        ("mine", format!("error: there is no verb and no file called `mine`\n\n  {SEE}\n")),
        ("a.rord --png x.png", format!("error: `train` has no option `--png`; it is one of `data`\n\n  {SEE}\n")),
        (
            "a.rord --zzz 2",
            format!("error: there is no option `--zzz`; `rord-run params a.rord` lists its parameters\n\n  {SEE}\n"),
        ),
        (
            "b.rord --zzz 2",
            format!("error: there is no option `--zzz`; a parameter is set by  --set zzz=2\n\n  {SEE}\n"),
        ),
    ] {
        let out = rord(dir.path(), &args.split(' ').collect::<Vec<_>>());
        assert_eq!((said(&out), out.status.code()), (expected, Some(2)), "{args}");
    }
    // What resembles an option stays with it.
    let out = rord(dir.path(), &["a.rord", "--presset", "smoke"]);
    assert!(said(&out).contains("'--preset'") && out.status.code() == Some(2), "{}", said(&out));
}

#[test]
fn the_command_alone_lists_its_verbs_with_a_line_each() {
    let out = rord(Path::new("."), &[]);
    assert_eq!((out.status.code(), out.stdout.as_slice()), (Some(2), &b""[..]));
    assert_eq!(said(&out), ALONE);
    let help = rord(Path::new("."), &["--help"]);
    assert_eq!(help.status.code(), Some(0));
    assert!(String::from_utf8(help.stdout).unwrap().contains("--preset <NAME>"));
}

/// The reports on a command line, each as it is printed.
#[test]
fn values_from_the_command_line_are_spoken_of_as_such() {
    let dir = folder();
    let mut all = String::new();
    for set in [
        "epochs=two",
        "layouts=nope.gds",
        "layouts=tiles/b.gds.gz",
        "layouts=tiles/*.png",
        "layouts=tiles",
        "weights=x.safetensors",
        "weights=runs/x/best.safetensors",
        "epochs:2",
        "epochs=",
    ] {
        let out = rord(dir.path(), &["check", "a.rord", "--set", set]);
        assert_eq!(out.status.code(), Some(1), "{set}: {}", said(&out));
        all.push_str(&said(&out));
    }
    std::fs::write(dir.path().join("my.yaml"), "layouts: tiles/a.gds\nepochs: two\n").unwrap();
    let out = rord(dir.path(), &["check", "a.rord", "--params", "my.yaml"]);
    all.push_str(&said(&out));
    assert!(!all.contains("let "), "{all}");
    assert_eq!(all, VALUES);
}

#[test]
fn a_folder_is_not_a_pipeline_and_may_hold_one() {
    let dir = folder();
    let out = rord(dir.path(), &["check", "parts"]);
    let expected = "\
R0817

  × cannot read parts: is a directory
  help: this is a folder; did you mean parts/parts.rord?

";
    assert_eq!((said(&out).as_str(), out.status.code()), (expected, Some(1)));
    let out = rord(dir.path(), &["check", "a"]);
    assert!(said(&out).contains("did you mean a.rord?"), "{}", said(&out));
}

const ALONE: &str = r##"Trains local-feature networks from pipelines whose losses are checked formulas

Verbs:
  train        Train a pipeline
  resume       Go on with a run that was interrupted or killed
  replay       Make a run again and compare its bytes, or one of its steps with all ranges
  diff         Say what differs between two runs: text, parameters, data, machine, weights, curves
  report       Write a page about a run, or about several: curves, formulas, network, pictures
  sweep        Train a pipeline once for each point of a grid that it names
  check        Check pipelines and report what is wrong
  graph        Print the graph of a pipeline
  types        Print names with types, the weights, and what a step takes
  params       Print what can be changed from outside, and the values it has
  data         List what the network will see, and draw pairs of it
  predict      Use a trained network on pictures: key points with descriptors, or what it exports
  match        Match two pictures with a trained network, and find the move between them
  find         Find crops in chips with a trained network
  demo         Make a small chip, draw crops of it otherwise, and find them
  eval         Measure a trained network: its losses, what it finds, what it matches
  export       Write a trained network for other systems: as ONNX, as a PyTorch module
  loss         Evaluate losses on tensors of your own
  cache        List or remove the drawings of layouts that are kept on disk
  bench        Measure training steps: time by operation, memory
  explain      Print the manual: operations, reports, words, formulas
  fmt          Lay out pipelines in the one way there is; comments stay
  new          Begin a pipeline: a folder with one that trains as it is
  completions  Print a script that completes commands on Tab
  man          Print a manual page for man, or write all of them
  lsp          Serve an editor: reports, types and completion
  help         Print this message or the help of the given subcommand(s)

`rord-run FILE.rord` trains it. `rord-run help VERB` lists the options of a verb.
Begin with  rord-run new NAME
"##;

const VALUES: &str = r##"R0305

  × `epochs` must be a Count, and `two` is not
   ╭─[command line:1:14]
 1 │ --set epochs=two
   ·              ─┬─
   ·               ╰── expected Count (a whole number, 0 or more), found a word
   ╰────
  help: as in  --set epochs=1

R0820

  × `layouts` takes layouts, and this is a path without a reader
   ╭─[command line:1:15]
 1 │ --set layouts=nope.gds
   ·               ────┬───
   ·                   ╰── neither in quotes nor in a call
   ╰────
  help: write  --set 'layouts=gds("nope.gds")'   (the outer quotes are for the shell)

R0820

  × `layouts` takes layouts, and this is a path without a reader
   ╭─[command line:1:15]
 1 │ --set layouts=tiles/b.gds.gz
   ·               ───────┬──────
   ·                      ╰── neither in quotes nor in a call
   ╰────
  help: write  --set 'layouts=gds("tiles/b.gds.gz")'   (the outer quotes are for the shell)

R0820

  × `layouts` takes layouts, and this is a path without a reader
   ╭─[command line:1:15]
 1 │ --set layouts=tiles/*.png
   ·               ─────┬─────
   ·                    ╰── neither in quotes nor in a call
   ╰────
  help: write  --set 'layouts=images("tiles/*.png")'   (the outer quotes are for the shell)

R0820

  × `layouts` takes layouts, and this is a path without a reader
   ╭─[command line:1:15]
 1 │ --set layouts=tiles
   ·               ──┬──
   ·                 ╰── neither in quotes nor in a call
   ╰────
  help: write  --set 'layouts=gds("tiles")'   (the outer quotes are for the shell)

R0820

  × `weights` is a Path, and this is not in quotes
   ╭─[command line:1:15]
 1 │ --set weights=x.safetensors
   ·               ──────┬──────
   ·                     ╰── read as a formula
   ╰────
  help: write  --set 'weights="x.safetensors"'   (the outer quotes are for the shell)

R0820

  × `weights` is a Path, and this is not in quotes
   ╭─[command line:1:15]
 1 │ --set weights=runs/x/best.safetensors
   ·               ───────────┬───────────
   ·                          ╰── read as a formula
   ╰────
  help: write  --set 'weights="runs/x/best.safetensors"'   (the outer quotes are for the shell)

R0814

  × `--set` takes name=value
   ╭─[command line:1:7]
 1 │ --set epochs:2
   ·       ────┬───
   ·           ╰── no `=` in here
   ╰────
  help: write  --set epochs=2

R0814

  × `--set` takes name=value
   ╭─[command line:1:7]
 1 │ --set epochs=
   ·       ───┬───
   ·          ╰── nothing behind the `=`
   ╰────
  help: write  --set epochs=…

R0820

  × `layouts` takes layouts, and this is a path without a reader
   ╭─[my.yaml:1:10]
 1 │ layouts: tiles/a.gds
   ·          ─────┬─────
   ·               ╰── neither in quotes nor in a call
   ╰────
  help: write  layouts: gds("tiles/a.gds")

R0305

  × `epochs` must be a Count, and `two` is not
   ╭─[my.yaml:2:9]
 2 │ epochs: two
   ·         ─┬─
   ·          ╰── expected Count (a whole number, 0 or more), found a word
   ╰────
  help: as in  epochs: 1

2 errors
"##;
