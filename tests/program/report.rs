//! The page of a run, the drawing of a pipeline, and event files.

use std::path::Path;

use super::cli::{TINY, err, rord, tiny};
use super::skip::skip;

fn page(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

/// What a page may not have: a script that is not its own, or anything from elsewhere.
fn whole(page: &str) {
    assert!(page.contains("default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-"), "{page}");
    assert_eq!(page.matches("<script>").count(), 1, "{page}");
    assert_eq!(page.matches("<script").count() - 1, page.matches("<script type=\"application/json\">").count());
    assert!(!page.contains(" src=\"") && !page.contains("url(http") && !page.contains("@import"), "{page}");
    assert_eq!(
        page.matches("http").count(),
        page.matches("http://www.w3.org/2000/svg").count() + page.matches("http-equiv").count()
    );
}

#[test]
fn a_run_ends_with_a_page_and_runs_are_compared_in_one() {
    let dir = tiny();
    let dir = dir.path();
    let hostile = TINY.replace("pipeline \"tiny\"", "pipeline \"</title><script>alert(1)</script>\"");
    let hostile = format!("# <img src=x onerror=alert(2)> \u{202e}\n{hostile}");
    assert!(hostile.contains("alert(1)") && hostile.contains("alert(2)"));
    std::fs::write(dir.join("hostile.rord"), hostile).unwrap();
    let out = rord(dir, &["hostile.rord", "--out", "a<b>&\"c"]);
    assert_eq!(out.status.code(), Some(0), "{}", err(&out));
    assert!(String::from_utf8_lossy(&out.stdout).contains("\nreport in a<b>&\"c/report.html\n"));
    let found = page(&dir.join("a<b>&\"c/report.html"));
    whole(&found);
    for data in ["<script>alert", "<img", "a<b>", "\u{202e}"] {
        assert!(!found.contains(data), "{data}: {found}");
    }
    for section in
        ["curves", "health", "pictures", "losses", "network", "parameters", "text", "data", "time", "machine"]
    {
        assert!(found.contains(&format!("<h2 id=\"{section}\">")), "{section}: {found}");
    }
    for fact in ["<b>detection</b>", "<b>learning rate</b>", "class=\"ov\"", "matches right", "data:image/png;base64,"]
        .into_iter()
        .chain(["<b>description: share that misses its margin</b>", "<b>net.det: probability, mean ± spread</b>"])
    {
        assert!(found.contains(fact), "{fact}: {found}");
    }

    std::fs::write(dir.join("tiny.rord"), TINY.replace("conv(8, 3)", "conv(8, 5)")).unwrap();
    let out = rord(dir, &["tiny.rord", "--out", "b", "--set", "lr=3e-4"]);
    assert_eq!(out.status.code(), Some(0), "{}", err(&out));
    let out = rord(dir, &["report", "a<b>&\"c", "b", "--out", "both.html"]);
    assert_eq!((out.status.code(), String::from_utf8_lossy(&out.stdout).as_ref()), (Some(0), "written to both.html\n"));
    let both = page(&dir.join("both.html"));
    whole(&both);
    for fact in [
        "a&lt;b&gt;&amp;&quot;c",
        "0.0003",
        "<b>description: active</b>",
        "<i class=\"plus\">+  let trunk = x |&gt; conv(8, 5)",
    ] {
        assert!(both.contains(fact), "{fact}: {both}");
    }

    // Written again it is the same but for what it knows by itself.
    let out = rord(dir, &["report", "b", "--out", "again.html"]);
    assert_eq!(out.status.code(), Some(0), "{}", err(&out));
    assert_eq!(page(&dir.join("again.html")), page(&dir.join("b/report.html")));
    let out = rord(dir, &["report", "b", "--out", "nowhere/x.html"]);
    assert!(out.status.code() == Some(1) && err(&out).contains("R0914"), "{}", err(&out));
    let out = rord(dir, &["report", "tiny.rord"]);
    assert!(err(&out).contains("tiny.rord is not the folder of a run"), "{}", err(&out));
}

#[test]
fn a_text_may_leave_the_page_out_and_ask_for_event_files() {
    let dir = tiny();
    let dir = dir.path();
    let text = TINY.replace("last = true", "last = true, report = false, tensorboard = true");
    assert!(text != TINY);
    std::fs::write(dir.join("tiny.rord"), text).unwrap();
    let out = rord(dir, &["tiny.rord", "--out", "run"]);
    assert_eq!(out.status.code(), Some(0), "{}", err(&out));
    assert!(!dir.join("run/report.html").exists() && !String::from_utf8_lossy(&out.stdout).contains("report"));
    let events =
        |split: &str| std::fs::read(dir.join("run/tensorboard").join(split).join("events.out.tfevents.rord")).unwrap();
    let holds = |bytes: &[u8], text: &str| bytes.windows(text.len()).any(|part| part == text.as_bytes());
    let (train, val) = (events("train"), events("val"));
    for (text, in_train, in_val) in [
        ("brain.Event:2", true, true),
        ("pipeline", true, false),
        ("grad_norm", true, false),
        ("health/description.active", true, false),
        ("detection", true, true),
    ] {
        assert_eq!((holds(&train, text), holds(&val, text)), (in_train, in_val), "{text}");
    }
}

#[test]
fn a_pipeline_is_drawn_in_a_dozen_boxes() {
    let graph = |pipeline: &str, more: &[&str]| {
        let file = format!("pipelines/{pipeline}.rord");
        let args: Vec<&str> = ["graph", &file, "--level", "overview"].iter().chain(more).copied().collect();
        let out = rord(Path::new("."), &args);
        assert_eq!(out.status.code(), Some(0), "{}", err(&out));
        String::from_utf8(out.stdout).unwrap()
    };
    insta::with_settings!({ snapshot_path => "../overview", prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("default", graph("default", &[]));
        insta::assert_snapshot!("distill", graph("distill", &["--set", "teacher_weights=\"x\""]));
    });
    // The drawing is shown in the guide.
    let (picture, drawn) = (Path::new("docs/pictures/overview.svg"), graph("default", &["--format", "svg"]));
    if std::env::var_os("INSTA_UPDATE").is_some_and(|update| update == "always") {
        std::fs::write(picture, &drawn).unwrap();
    }
    assert_eq!(page(picture), drawn);
    for format in ["dot", "mermaid", "json"] {
        let text = graph("default", &["--format", format]);
        assert!(["trunk", "277", "net(image_r)"].iter().all(|part| text.contains(part)), "{text}");
    }
    let out = rord(Path::new("."), &["graph", "pipelines/default.rord", "--format", "svg"]);
    assert!(out.status.code() == Some(1) && err(&out).contains("--level overview --format svg"), "{}", err(&out));
}

/// The page's script runs under its own policy, and what it draws is what stood there.
#[test]
fn the_script_of_a_page_runs() {
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let all = std::env::split_paths(&paths).flat_map(|folder| names.map(|name| folder.join(name)));
    let Some(browser) = all.into_iter().find(|path| path.is_file()) else { return skip("no Chromium") };
    let dir = tiny();
    let out = rord(dir.path(), &["tiny.rord", "--out", "run"]);
    assert_eq!(out.status.code(), Some(0), "{}", err(&out));
    let address = format!("file://{}", dir.path().join("run/report.html").canonicalize().unwrap().display());
    let user = format!("--user-data-dir={}", dir.path().join("user").display());
    let args = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"];
    let shown = std::process::Command::new(browser).args(args).args([&user, "--dump-dom", &address]).output().unwrap();
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    // The script takes the hint out of hiding once it has set up every chart.
    assert!(shown.contains("<p class=\"hint\">Point at a curve"), "{shown}");
}
