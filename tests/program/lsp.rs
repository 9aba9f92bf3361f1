//! The language server, spoken to as an editor does: over its standard input and output, with a clock that ends whatever hangs.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// Longer than any answer takes, shorter than anybody waits.
const PATIENCE: Duration = Duration::from_secs(30);

struct Editor {
    child: Child,
    input: Option<ChildStdin>,
    output: Receiver<Value>,
    next: i64,
    /// The last reports of each document, with their version.
    reports: HashMap<String, (Value, Vec<Value>)>,
    texts: HashMap<String, (i64, String)>,
}

impl Drop for Editor {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Editor {
    /// A server that was not greeted yet.
    fn mute() -> Editor {
        Editor::started(&[])
    }

    fn started(args: &[&str]) -> Editor {
        let mut child = Command::new(env!("CARGO_BIN_EXE_rord-run"))
            .args(["lsp", "--stdio"])
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let (sender, output) = channel();
        std::thread::spawn(move || {
            loop {
                let mut length = 0;
                loop {
                    let mut line = String::new();
                    if out.read_line(&mut line).unwrap_or(0) == 0 {
                        return;
                    }
                    match line.trim() {
                        "" => break,
                        line => length = line.strip_prefix("Content-Length: ").unwrap().parse().unwrap(),
                    }
                }
                let mut body = vec![0; length];
                if out.read_exact(&mut body).is_err() || sender.send(serde_json::from_slice(&body).unwrap()).is_err() {
                    return;
                }
            }
        });
        let input = child.stdin.take();
        Editor { child, input, output, next: 0, reports: HashMap::new(), texts: HashMap::new() }
    }

    fn new() -> Editor {
        Editor::with(json!({ "capabilities": {
            "textDocument": {
                "publishDiagnostics": { "relatedInformation": true },
                "signatureHelp": { "signatureInformation": { "parameterInformation": { "labelOffsetSupport": true } } },
            },
        } }))
    }

    fn with(params: Value) -> Editor {
        let mut editor = Editor::mute();
        editor.ask("initialize", params).unwrap();
        editor.tell("initialized", json!({}));
        editor
    }

    fn raw(&mut self, bytes: &[u8]) {
        let input = self.input.as_mut().unwrap();
        input.write_all(bytes).unwrap();
        input.flush().unwrap();
    }

    fn send(&mut self, message: &Value) {
        let text = message.to_string();
        self.raw(format!("Content-Length: {}\r\n\r\n{text}", text.len()).as_bytes());
    }

    fn tell(&mut self, method: &str, params: Value) {
        self.send(&json!({ "jsonrpc": "2.0", "method": method, "params": params }));
    }

    fn receive(&mut self) -> Value {
        let message = self.output.recv_timeout(PATIENCE).expect("the server says nothing");
        if message["method"] == "textDocument/publishDiagnostics" {
            let p = &message["params"];
            let list = p["diagnostics"].as_array().unwrap().clone();
            self.reports.insert(p["uri"].as_str().unwrap().into(), (p["version"].clone(), list));
        }
        message
    }

    fn begin(&mut self, method: &str, params: Value) -> i64 {
        self.next += 1;
        let id = self.next;
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }));
        id
    }

    fn finish(&mut self, id: i64) -> Result<Value, (i64, String)> {
        loop {
            let message = self.receive();
            if message["id"] == json!(id) && message.get("method").is_none() {
                return match message.get("error") {
                    Some(e) => Err((e["code"].as_i64().unwrap(), e["message"].as_str().unwrap().to_string())),
                    None => Ok(message["result"].clone()),
                };
            }
        }
    }

    fn ask(&mut self, method: &str, params: Value) -> Result<Value, (i64, String)> {
        let id = self.begin(method, params);
        self.finish(id)
    }

    fn open(&mut self, uri: &str, text: &str) {
        self.texts.insert(uri.into(), (1, text.into()));
        let document = json!({ "uri": uri, "languageId": "rord", "version": 1, "text": text });
        self.tell("textDocument/didOpen", json!({ "textDocument": document }));
    }

    /// Replaces the first `from` of a document by `to`, as an incremental change.
    fn change(&mut self, uri: &str, from: &str, to: &str) {
        let (version, text) = self.texts[uri].clone();
        let at = text.find(from).unwrap_or_else(|| panic!("{from} is not in\n{text}"));
        let range = json!({ "start": place(&text, at), "end": place(&text, at + from.len()) });
        let document = json!({ "uri": uri, "version": version + 1 });
        let changes = json!([{ "range": range, "text": to }]);
        self.tell("textDocument/didChange", json!({ "textDocument": document, "contentChanges": changes }));
        self.texts.insert(uri.into(), (version + 1, text.replacen(from, to, 1)));
    }

    fn replace(&mut self, uri: &str, text: &str) {
        let version = self.texts[uri].0 + 1;
        let document = json!({ "uri": uri, "version": version });
        self.tell("textDocument/didChange", json!({ "textDocument": document, "contentChanges": [{ "text": text }] }));
        self.texts.insert(uri.into(), (version, text.into()));
    }

    /// The reports of a document as it is now: `R0501 at its text`.
    fn codes(&mut self, uri: &str) -> Vec<String> {
        let (version, text) = self.texts[uri].clone();
        let end = Instant::now() + PATIENCE;
        while self.reports.get(uri).is_none_or(|(v, _)| *v != json!(version)) {
            assert!(Instant::now() < end, "no reports for {uri}");
            self.receive();
        }
        let shown = |d: &Value| format!("{} {}", d["code"].as_str().unwrap(), slice(&text, &d["range"]));
        self.reports[uri].1.iter().map(shown).collect()
    }

    /// A request about the place of the mark ‸ in a text that is a part of the document's.
    fn at(&mut self, method: &str, uri: &str, marked: &str) -> Result<Value, (i64, String)> {
        let params = self.params(uri, marked);
        self.ask(&format!("textDocument/{method}"), params)
    }

    fn params(&self, uri: &str, marked: &str) -> Value {
        let text = &self.texts[uri].1;
        let bare = marked.replace('‸', "");
        let start = text.find(&bare).unwrap_or_else(|| panic!("{bare} is not in\n{text}"));
        let at = start + marked.find('‸').unwrap();
        json!({ "textDocument": { "uri": uri }, "position": place(text, at) })
    }

    fn hover(&mut self, uri: &str, marked: &str) -> String {
        self.at("hover", uri, marked).unwrap()["contents"]["value"].as_str().unwrap_or("").to_string()
    }

    fn labels(&mut self, uri: &str, marked: &str) -> Vec<String> {
        let list = self.at("completion", uri, marked).unwrap();
        let mut items: Vec<Value> = list["items"].as_array().unwrap().clone();
        items.sort_by_key(|i| i["sortText"].as_str().unwrap().to_string());
        items.iter().map(|i| i["label"].as_str().unwrap().to_string()).collect()
    }

    /// All documents that a renaming changes, as they are after it.
    fn renamed(&mut self, uri: &str, marked: &str, new: &str) -> Result<HashMap<String, String>, String> {
        let mut params = self.params(uri, marked);
        params["newName"] = json!(new);
        let edit = self.ask("textDocument/rename", params).map_err(|(_, why)| why)?;
        let mut out = HashMap::new();
        for (uri, edits) in edit["changes"].as_object().unwrap() {
            let text = match self.texts.get(uri) {
                Some((_, text)) => text.clone(),
                None => std::fs::read_to_string(uri.strip_prefix("file://").unwrap()).unwrap(),
            };
            out.insert(uri.clone(), edited(&text, edits));
        }
        Ok(out)
    }

    fn exit(mut self) -> i32 {
        self.tell("exit", Value::Null);
        self.code()
    }

    fn code(&mut self) -> i32 {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code().unwrap();
            }
            assert!(Instant::now() < end, "the server does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Line and column of a byte, in UTF-16.
fn place(text: &str, at: usize) -> Value {
    let before = &text[..at];
    let line = before.matches('\n').count();
    let column = before.rsplit('\n').next().unwrap().encode_utf16().count();
    json!({ "line": line, "character": column })
}

fn byte(text: &str, position: &Value) -> usize {
    let line = position["line"].as_u64().unwrap() as usize;
    let start = text.split_inclusive('\n').take(line).map(str::len).sum::<usize>();
    let mut left = position["character"].as_u64().unwrap() as usize;
    for (at, c) in text[start..].char_indices() {
        if left == 0 {
            return start + at;
        }
        left -= c.len_utf16();
    }
    text.len()
}

fn slice<'a>(text: &'a str, range: &Value) -> &'a str {
    &text[byte(text, &range["start"])..byte(text, &range["end"])]
}

fn edited(text: &str, edits: &Value) -> String {
    let mut edits: Vec<(usize, usize, &str)> = edits
        .as_array()
        .unwrap()
        .iter()
        .map(|e| {
            let (start, end) = (byte(text, &e["range"]["start"]), byte(text, &e["range"]["end"]));
            (start, end, e["newText"].as_str().unwrap())
        })
        .collect();
    edits.sort();
    let mut out = text.to_string();
    for (start, end, new) in edits.into_iter().rev() {
        out.replace_range(start..end, new);
    }
    out
}

fn shipped(name: &str) -> (String, String) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("pipelines").join(name);
    (address(&path), std::fs::read_to_string(&path).unwrap())
}

fn address(path: &Path) -> String {
    format!("file://{}", path.display())
}

const SMALL: &str = "\
rord 1
param k: Count = 3 in [1, 9] \"how wide the filters are\"
input image: Image[B, 1, H, W]@orig # H⁻¹ 🦀
input image_r: Image[B, 1, H, W]@moved
input H: Homography[B]@orig->moved

## Where, and what.
model net(x: Image[B, 1, H, W]@f) {
  let t = x |> conv(8, k) |> relu
  out det: Prob[B, 1, H, W]@f = t |> conv(1, 1) |> sigmoid
  out desc: Desc unit[B, 16, H, W]@f = t |> conv(16, 3) |> l2norm
}

let { det, desc } = net(image)
let { det as det_r, desc as desc_r } = net(image_r)
let back = inv(H)
@allow(unanchored, \"for the test\")
loss where = bce(det, warp(det_r, back), mask = inside(back, like = det))
loss what = triplet(grid(20), hardneg(apart = 8px), margin = 0.5)
minimize total = where + what
";

const URI: &str = "untitled:small.rord";

#[test]
fn a_whole_session() {
    let (uri, text) = shipped("default.rord");
    let mut editor = Editor::new();
    editor.open(&uri, &text);
    assert_eq!(editor.codes(&uri), [""; 0]);

    // A mistake is reported at its place, with its second place, as it is typed; and fixed by its quick fix.
    editor.change(&uri, "smoothl1(det, warp(det_r, inv(H)))", "smoothl1(det, warp(det_r, H))");
    let codes = editor.codes(&uri);
    assert!(codes[0].starts_with("R0501"), "{codes:?}");
    let report = editor.reports[&uri].1[0].clone();
    assert_eq!(report["severity"], 1);
    assert!(report["message"].as_str().unwrap().contains("help: "), "{report}");
    assert!(!report["relatedInformation"].as_array().unwrap().is_empty(), "{report}");
    let params =
        json!({ "textDocument": { "uri": uri }, "range": report["range"], "context": { "diagnostics": [report] } });
    let actions = editor.ask("textDocument/codeAction", params).unwrap();
    // Another homography could be meant as well, so a person chooses, and nothing is fixed by itself.
    let fix = actions.as_array().unwrap().iter().find(|a| a["kind"] == "quickfix").unwrap();
    assert_eq!(fix["isPreferred"], false);
    let fixed = edited(&editor.texts[&uri].1.clone(), &fix["edit"]["changes"][&uri]);
    assert_eq!(fixed, text);
    assert!(!actions.as_array().unwrap().iter().any(|a| a["kind"] == "source.fixAll"), "{actions}");
    editor.replace(&uri, &fixed);
    assert_eq!(editor.codes(&uri), [""; 0]);

    // What is there is looked at.
    assert!(editor.hover(&uri, "loss det‸ection").contains("loss detection: Loss"));
    let outline = editor.ask("textDocument/documentSymbol", json!({ "textDocument": { "uri": uri } })).unwrap();
    let net = outline.as_array().unwrap().iter().find(|s| s["name"] == "net").unwrap();
    let parts: Vec<&str> = net["children"].as_array().unwrap().iter().map(|c| c["name"].as_str().unwrap()).collect();
    assert_eq!(parts, ["x", "trunk", "det", "desc"]);

    // A line is written, with what it may say.
    editor.change(&uri, "save {", "metric m = repeatability(\nsave {");
    let labels = editor.labels(&uri, "repeatability(‸");
    assert!(labels.contains(&"det".to_string()) && labels.iter().any(|l| l.ends_with(" = ")), "{labels:?}");
    assert!(!editor.codes(&uri).is_empty());
    editor.change(&uri, "metric m = repeatability(\n", "");
    assert_eq!(editor.codes(&uri), [""; 0]);

    // It is closed, and with it go its reports.
    editor.change(&uri, "minimize total", "minimize ");
    assert!(!editor.codes(&uri).is_empty());
    editor.tell("textDocument/didClose", json!({ "textDocument": { "uri": uri } }));
    while !editor.reports[&uri].1.is_empty() {
        editor.receive();
    }
    assert_eq!(editor.ask("shutdown", Value::Null).unwrap(), Value::Null);
    assert_eq!(editor.ask("textDocument/hover", json!({})).unwrap_err().0, -32600);
    assert_eq!(editor.exit(), 0);
}

#[test]
fn every_shipped_pipeline_is_understood_whole() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("pipelines");
    let mut editor = Editor::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|e| e != "rord") {
            continue;
        }
        let (uri, text) = shipped(path.file_name().unwrap().to_str().unwrap());
        editor.open(&uri, &text);
        assert_eq!(editor.codes(&uri), [""; 0], "{uri}");
        let document = json!({ "textDocument": { "uri": uri } });
        let tokens = editor.ask("textDocument/semanticTokens/full", document.clone()).unwrap();
        assert!(tokens["data"].as_array().unwrap().len() > 500);
        assert_eq!(editor.ask("textDocument/formatting", with_options(&document)).unwrap(), json!([]));
        // Whatever stands anywhere can be asked about, and every name leads to a definition of its own spelling.
        let mut asked = Vec::new();
        for (at, _) in text.char_indices().step_by(5) {
            let at = json!({ "textDocument": { "uri": uri }, "position": place(&text, at) });
            for method in ["hover", "completion", "signatureHelp", "definition", "documentHighlight"] {
                asked.push(editor.begin(&format!("textDocument/{method}"), at.clone()));
            }
            if asked.len() > 100 {
                asked.drain(..).for_each(|id| drop(editor.finish(id).unwrap()));
            }
        }
        asked.drain(..).for_each(|id| drop(editor.finish(id).unwrap()));
    }
}

fn with_options(document: &Value) -> Value {
    let mut params = document.clone();
    params["options"] = json!({ "tabSize": 2, "insertSpaces": true });
    params
}

#[test]
fn hover_says_what_is_known() {
    let mut editor = Editor::new();
    editor.open(URI, SMALL);
    assert_eq!(editor.codes(URI), [""; 0]);
    for (at, facts) in [
        ("let ba‸ck", &["let back: Homography[B]@moved->orig"][..]),
        ("mask = inside(back, like = de‸t)", &["let det: Prob[B, 1, H, W]@orig"]),
        ("param ‸k", &["param k: Count = 3 in [1, 9]", "how wide", "`Count` is a whole number"]),
        ("conv(8, k‸)", &["param k"]),
        ("net‸(image)", &["model net(x: Image[B, 1, H, W]@f)", "Where, and what.", "out det: Prob[B, 1, H, W]@f"]),
        ("let t‸ =", &["let t: Feat[B, 8, H, W]@f"]),
        ("w‸arp(det_r", &["warp(", "here: `Prob[B, 1, H, W]@orig`", "homography"]),
        ("tri‸plet", &["triplet(", "here: `Loss`", "written in the language itself"]),
        ("ma‸sk =", &["mask: ", "argument of `bce`"]),
        ("Pro‸b", &["**Prob**", "0 to 1", "`Map`"]),
        ("lo‸ss where", &["**loss**", "every step"]),
        ("unan‸chored", &["lint **unanchored**", "# R0602"]),
        ("@mo‸ved\ninput H", &["frame `@moved`"]),
        ("let { det‸,", &["let det: Prob[B, 1, H, W]@orig", "out det: Prob[B, 1, H, W]@f"]),
    ] {
        let said = editor.hover(URI, at);
        for fact in facts {
            assert!(said.contains(fact), "{at}: {fact} is not in\n{said}");
        }
    }
    editor.change(URI, "rord 1\n", "rord 1\n# see R0501\n");
    assert!(editor.hover(URI, "R05‸01").contains("wrong direction"));
    let (uri, text) = shipped("segment.rord");
    editor.open(&uri, &text);
    let said = editor.hover(&uri, "|> un‸et(");
    assert!(said.contains("layer unet(") && said.contains("Ronneberger") && said.contains("lib/nets.rord"), "{said}");
    assert!(editor.hover(&uri, "ba‸se = 16").contains("base: Count = 16"));
    assert!(editor.hover(&uri, "sched‸ule").contains("Schedule"));
}

#[test]
fn hints_show_what_nobody_wrote() {
    let mut editor = Editor::new();
    editor.open(URI, SMALL);
    let end = place(SMALL, SMALL.len());
    let params = json!({ "textDocument": { "uri": URI }, "range": { "start": place(SMALL, 0), "end": end } });
    let hints = editor.ask("textDocument/inlayHint", params).unwrap();
    let shown: Vec<(usize, String)> = hints
        .as_array()
        .unwrap()
        .iter()
        .map(|h| (byte(SMALL, &h["position"]), h["label"].as_str().unwrap().to_string()))
        .collect();
    let behind = |needle: &str| SMALL.find(needle).unwrap() + needle.len();
    assert_eq!(
        shown,
        [
            (behind("let t"), ": Feat[B, 8, H, W]@f".to_string()),
            (behind("let back"), ": Homography[B]@moved->orig".to_string()),
            (behind("margin = 0.5"), ", a = desc, b = desc_r, by = H".to_string()),
        ]
    );
}

#[test]
fn completion_knows_where_it_is() {
    let mut editor = Editor::new();
    editor.open(URI, SMALL);
    for (from, to, at, wanted, unwanted) in [
        ("let back", "lo\nlet back", "lo‸", &["loss", "let", "model"][..], &["bce"][..]),
        ("let back", "let z = de\nlet back", "z = de‸", &["det", "det_r", "detach", "k"], &["t", "x", "back"]),
        ("let back", "let z = det |> s\nlet back", "det |> s‸\n", &["sigmoid", "net"], &["det"]),
        ("let back", "let z = bce(\nlet back", "bce(‸", &["target = ", "pred = ", "det"], &["loss"]),
        ("let back", "let z = bce(det, mask = det, \nlet back", "det, ‸\n", &["pred = "], &["mask = ", "target = "]),
        ("let back", "let z: \nlet back", "z: ‸", &["Prob", "Logit"], &["det"]),
        ("let back", "let z: Prob[B, 1, H, W]@\nlet back", "@‸\n", &["orig", "moved"], &["f", "Prob"]),
        ("let back", "let z: Prob[\nlet back", "Prob[‸\n", &["B", "H"], &["det"]),
        ("let back", "let {  } = net(image)\nlet back", "{ ‸ } = net", &["det", "desc"], &["image"]),
        ("let back", "let z = net(image).\nlet back", "(image).‸\n", &["det", "desc"], &["image"]),
        ("let back", "preset p { \nlet back", "p { ‸\n", &["k"], &["det"]),
        ("minimize", "train { \nminimize", "train { ‸\n", &["optimizer", "batch"], &["det"]),
        ("minimize", "train { optimizer = \nminimize", "optimizer = ‸\n", &["adam", "k"], &["batch"]),
        ("minimize", "train { part \nminimize", "part ‸\n", &["net", "norms", "biases"], &["optimizer"]),
        ("minimize", "train { part net { \nminimize", "net { ‸\n", &["lr", "frozen", "init"], &["optimizer", "part"]),
        ("minimize", "train { part net { lr = 0.1x }, \nminimize", "}, ‸\n", &["optimizer", "part"], &["frozen"]),
        ("minimize", "save { best = val.\nminimize", "val.‸\n", &["where", "what"], &["det"]),
        ("minimize", "@\nminimize", "\n@‸\n", &["allow", "frozen"], &["orig"]),
        ("minimize", "@allow(\nminimize", "@allow(‸\n", &["unused", "apart"], &["det"]),
        (
            "minimize",
            "let m = triplet(grid(9), \nminimize",
            "(9), ‸\n",
            &["negatives = ", "hardneg", "semihard"],
            &["at = "],
        ),
        ("  let t", "  o\n  let t", "  o‸\n", &["out", "let"], &["loss"]),
        ("let back", "let z = mean(det, over = \nlet back", "over = ‸\n", &["channel", "row", "place"], &["loss"]),
        ("let back", "let z = mean(det, over = [row, \nlet back", "[row, ‸\n", &["channel", "column"], &["det"]),
        ("let back", "let z: Values[batch B, \nlet back", "B, ‸\n", &["row", "column", "H"], &["det"]),
        ("  let t", "  let s = x |> conv(4, 3, pad = \n  let t", "pad = ‸\n", &["same", "k", "x"], &["det"]),
        // A body sees no tensors of the file; a default in its signature does.
        (
            "let back",
            "param n: Scalar = 2\nlet m = n + 1\nfn f(a: Map[B, C, H, W]@f) -> Loss = mean(\nlet back",
            "= mean(‸",
            &["a", "n", "m", "k", "net", "mean"],
            &["det", "image", "H", "desc_r"],
        ),
        (
            "let back",
            "fn f(a: Map[B, C, H, W]@f) -> Loss {\n  let q = a + a\n  out = mean(\n}\nlet back",
            "= mean(‸",
            &["a", "q", "k", "net"],
            &["det", "image", "H"],
        ),
        (
            "let back",
            "fn f(a: Map[B, C, H, W]@f) -> Loss {\n  let q = a + (\n  let r = q + \nlet back",
            "= q + ‸",
            &["a", "q", "k"],
            &["det", "image", "H"],
        ),
        (
            "let back",
            "fn f(a: Map[B, C, H, W]@f = ) -> Loss = mean(a)\nlet back",
            "@f = ‸)",
            &["det", "image", "k"],
            &["back"],
        ),
        (
            "let back",
            "model two(y: Image[B, 1, H, W]@f) {\n  out o = y + \n}\nlet back",
            "y + ‸",
            &["y", "k", "sigmoid"],
            &["det", "image", "x"],
        ),
        // A chain hands a tensor on.
        (
            "let back",
            "let z = det |> \nlet back",
            "det |> ‸\n",
            &["sigmoid", "net", "conv", "mean"],
            &["adam", "affine", "brightness", "cosine_decay", "det", "synth"],
        ),
        ("let back", "let { det as d2,  } = net(image)\nlet back", "d2, ‸ } = net", &["desc"], &["image", "det"]),
        ("let back", "let { d } = net(image)\nlet back", "{ d‸ } = net", &["det", "desc"], &["image"]),
        ("let back", "let {  } = image |> net\nlet back", "{ ‸ } = image", &["det", "desc"], &["image"]),
        ("let back", "let {  = net(image)\nlet back", "{ ‸ = net", &["det", "desc"], &["image"]),
        (
            "let back",
            "fn f(a: Image[B, 1, H, W]@f) -> Loss {\n  let {  } = net(a)\n  out = mean(a)\n}\nlet back",
            "{ ‸ } = net(a)",
            &["det", "desc"],
            &["a"],
        ),
        // What is set already is left out, also where it stands behind the place.
        ("let back", "param n: Scalar = 2\npreset p { , k = 1 }\nlet back", "p { ‸, k", &["n"], &["k"]),
        ("minimize", "train { , batch = 2, seed }\nminimize", "train { ‸, batch", &["optimizer"], &["batch", "seed"]),
        ("input H", "data d = layout_pairs(synth()) -> { \ninput H", "-> { ‸\n", &["image", "corners"], &["k"]),
    ] {
        editor.replace(URI, &SMALL.replacen(from, to, 1));
        let labels = editor.labels(URI, at);
        for word in wanted {
            assert!(labels.iter().any(|l| l == word), "{at}: {word} is not in {labels:?}");
        }
        for word in unwanted {
            assert!(!labels.iter().any(|l| l == word), "{at}: {word} is in {labels:?}");
        }
    }
    // Nothing in comments and strings; manuals when asked for; what comes first is what is missing.
    editor.replace(URI, SMALL);
    assert_eq!(editor.labels(URI, "# H⁻¹ ‸🦀"), [""; 0]);
    assert_eq!(editor.labels(URI, "\"how ‸wide"), [""; 0]);
    editor.change(URI, "let back", "let z = warp(\nlet back");
    let labels = editor.labels(URI, "z = warp(‸");
    assert_eq!(labels[..2], ["x = ", "by = "]);
    // Parts of the library's functions come last.
    let part = labels.iter().position(|l| l == "triplet_of").unwrap();
    assert!(part > labels.iter().position(|l| l == "true").unwrap(), "{labels:?}");
    let list = editor.at("completion", URI, "z = warp(‸").unwrap();
    let item = list["items"].as_array().unwrap().iter().find(|i| i["label"] == "bce").unwrap().clone();
    let whole = editor.ask("completionItem/resolve", item).unwrap();
    assert!(whole["documentation"]["value"].as_str().unwrap().len() > 100, "{whole}");
    let (uri, text) = shipped("segment.rord");
    editor.open(&uri, &text.replace("{ unet }", "{ }"));
    let labels = editor.labels(&uri, "rord\" { ‸}");
    assert!(labels.contains(&"unet".into()) && labels.contains(&"trunk".into()), "{labels:?}");
}

#[test]
fn signatures_follow_the_argument() {
    let mut editor = Editor::new();
    for (text, name, argument) in [
        ("let y = warp(", "warp", Some("x: ")),
        ("let y = warp(det, ", "warp", Some("by: ")),
        ("let y = image |> conv(8, ", "conv", Some("kernel")),
        ("let y = bce(det, warp(det_r, back), mask = ", "bce", Some("mask: ")),
        ("let y = bce(det, [1, ", "bce", Some("pred: ")),
        ("let y = net(", "net", Some("x: Image")),
        ("let y = warp(a, b, c, d, e, f, ", "warp", None),
    ] {
        editor.open(URI, &format!("{SMALL}{text}"));
        let help = editor.at("signatureHelp", URI, &format!("{text}‸")).unwrap();
        let one = &help["signatures"][0];
        let label = one["label"].as_str().unwrap();
        assert!(label.starts_with(&format!("{name}(")), "{text}: {help}");
        let active = one["activeParameter"].as_u64().map(|i| {
            let offsets = &one["parameters"][i as usize]["label"];
            let units: Vec<u16> = label.encode_utf16().collect();
            let (start, end) = (offsets[0].as_u64().unwrap() as usize, offsets[1].as_u64().unwrap() as usize);
            String::from_utf16(&units[start..end]).unwrap()
        });
        match argument {
            Some(argument) => assert!(active.as_ref().unwrap().starts_with(argument), "{text}: {active:?}"),
            None => assert_eq!(active, None),
        }
    }
    editor.open(URI, SMALL);
    assert_eq!(editor.at("signatureHelp", URI, "let ba‸ck").unwrap(), Value::Null);
}

#[test]
fn definitions_and_references_are_found() {
    let mut editor = Editor::new();
    editor.open(URI, SMALL);
    for (at, defined, references) in [
        ("conv(8, ‸k)", "k: Count", 2),
        ("inv(‸H)", "H: Homography", 2),
        ("warp(det_‸r", "det_r, desc", 2),
        ("net(im‸age)", "image: Image", 2),
        ("like = de‸t", "det, desc", 3),
        ("let { det‸ as", "det: Prob", 3),
        ("@ori‸g->moved", "orig # H", 2),
    ] {
        let found = editor.at("definition", URI, at).unwrap();
        let start = byte(SMALL, &found["range"]["start"]);
        assert!(SMALL[start..].starts_with(defined), "{at}: {}", &SMALL[start..start + 20]);
        let mut params = editor.params(URI, at);
        params["context"] = json!({ "includeDeclaration": true });
        let all = editor.ask("textDocument/references", params.clone()).unwrap();
        assert_eq!(all.as_array().unwrap().len(), references, "{at}: {all}");
        params["context"] = json!({ "includeDeclaration": false });
        let uses = editor.ask("textDocument/references", params).unwrap();
        assert_eq!(uses.as_array().unwrap().len(), references - 1, "{at}");
    }
    let marks = editor.at("documentHighlight", URI, "let ba‸ck").unwrap();
    assert_eq!(marks.as_array().unwrap().iter().map(|m| m["kind"].as_i64().unwrap()).collect::<Vec<_>>(), [3, 2, 2]);
}

/// The text of a file that an answer leads to, from the place on.
fn led_to(location: &Value) -> String {
    let path = location["uri"].as_str().unwrap().strip_prefix("file://").unwrap();
    let text = std::fs::read_to_string(path).unwrap();
    text[byte(&text, &location["range"]["start"])..].to_string()
}

#[test]
fn definitions_lead_into_the_library_and_to_pages() {
    let mut editor = Editor::new();
    editor.open(URI, SMALL);
    let page = editor.at("definition", URI, "= t |> co‸nv(1").unwrap();
    assert!(led_to(&page).starts_with("# conv\n\n```rord\nconv("), "{page}");
    editor.change(URI, "minimize", "loss far = l1(det, det_r) + mean(cosine(desc, desc))\nminimize");
    let text = editor.at("definition", URI, "far = l‸1(").unwrap();
    assert!(led_to(&text).starts_with("l1(target: Map"), "{text}");
    // `cosine` is a function of the library, and a schedule.
    let both = editor.at("definition", URI, "mean(cos‸ine(").unwrap();
    let both: Vec<String> = both.as_array().unwrap().iter().map(led_to).collect();
    assert!(both.len() == 2 && both[0].starts_with("cosine(a: Map") && both[1].starts_with("# cosine"), "{both:?}");
}

#[test]
fn reports_lead_to_their_pages() {
    let mut editor = Editor::new();
    editor.open(URI, &SMALL.replace("let back", "let idle = det * 2\nlet back"));
    assert_eq!(editor.codes(URI), ["R0232 idle"]);
    let page = editor.reports[URI].1[0]["codeDescription"]["href"].clone();
    let text = std::fs::read_to_string(page.as_str().unwrap().strip_prefix("file://").unwrap()).unwrap();
    assert_eq!(text, std::fs::read_to_string("docs/reports/R0232.md").unwrap());
}

#[test]
fn paths_of_imports_are_completed() {
    let dir = tempfile::tempdir().unwrap();
    let layer = "layer half(x: Map[B, C, H, W]@f) -> Map[B, C, H/2, W/2]@f = x |> avg_pool(2)\n";
    std::fs::create_dir_all(dir.path().join("lib/more")).unwrap();
    std::fs::create_dir(dir.path().join("empty")).unwrap();
    for name in ["lib/nets.rord", "lib/more/parts.rord", "beside.rord", "notes.md", "lib/.hidden.rord"] {
        std::fs::write(dir.path().join(name), layer).unwrap();
    }
    let uri = address(&dir.path().join("main.rord"));
    let mut editor = Editor::new();
    editor.open(&uri, "rord 1\nimport \"\n");
    assert_eq!(editor.labels(&uri, "import \"‸"), ["beside.rord", "lib/"]);
    editor.replace(&uri, "rord 1\nimport \"lib/ne.rord\" { half }\n");
    assert_eq!(editor.labels(&uri, "lib/ne‸"), ["nets.rord", "more/"]);
    let list = editor.at("completion", &uri, "lib/ne‸").unwrap();
    let edit =
        json!([list["items"].as_array().unwrap().iter().find(|i| i["label"] == "nets.rord").unwrap()["textEdit"]]);
    assert_eq!(edited(&editor.texts[&uri].1, &edit), "rord 1\nimport \"lib/nets.rord\" { half }\n");
    editor.replace(&uri, "rord 1\nimport \"lib/more/\" { half }\n");
    assert_eq!(editor.labels(&uri, "more/‸"), ["parts.rord"]);
    assert_eq!(editor.labels(&uri, "{ ‸half"), [""; 0]);
}

#[test]
fn what_fits_the_chain_comes_first() {
    let mut editor = Editor::new();
    editor.open(URI, SMALL);
    for (from, to, at, first, later) in [
        // A probability: what takes one before what takes any map, and that before what takes any value.
        ("let back", "let z = det |> \nlet back", "det |> ‸\n", "peaky", "conv"),
        ("let back", "let z = det |> \nlet back", "det |> ‸\n", "conv", "exp"),
        ("let back", "let z = det |> \nlet back", "det |> ‸\n", "exp", "net"),
        ("let back", "let z = image |> \nlet back", "image |> ‸\n", "net", "conv"),
        ("let back", "let z = image |> avg_pool(2) |> sigmoid |> \nlet back", "sigmoid |> ‸\n", "bce", "conv"),
        ("let back", "let z = det |> relu |> \nlet back", "relu |> ‸\n", "dice", "conv"),
        (
            "let back",
            "let z = sample(desc, place(grid(9), like = desc)) |> \nlet back",
            "desc)) |> ‸\n",
            "rows",
            "mean",
        ),
    ] {
        editor.replace(URI, &SMALL.replacen(from, to, 1));
        let labels = editor.labels(URI, at);
        let place = |name: &str| labels.iter().position(|l| l == name);
        let (a, b) = (place(first), place(later));
        assert!(a.is_some() && b.is_some() && a < b, "{to}: {first} {a:?}, {later} {b:?}: {labels:?}");
    }
}

#[test]
fn renaming_keeps_what_the_pipeline_computes() {
    let mut editor = Editor::new();
    editor.open(URI, SMALL);
    let mut renamed = |at: &str, new: &str| editor.renamed(URI, at, new).map(|mut all| all.remove(URI).unwrap());
    // A name and its uses.
    let text = renamed("let ba‸ck", "home").unwrap();
    assert_eq!(text, SMALL.replace("back", "home"));
    // A field that is taken by its name keeps it.
    let text = renamed("like = d‸et)", "spot").unwrap();
    assert!(text.contains("let { det as spot, desc } = net(image)"), "{text}");
    assert!(text.contains("bce(spot, warp(det_r, back), mask = inside(back, like = spot))"), "{text}");
    // The field itself: names that are taken from it keep theirs.
    let text = renamed("out d‸et", "score").unwrap();
    assert!(text.contains("out score: Prob") && text.contains("let { score as det, desc } = net(image)"), "{text}");
    assert!(text.contains("let { score as det_r, desc as desc_r }"), "{text}");
    // What a call took by name it is told from then on.
    let text = renamed("inv(‸H)", "move_").unwrap();
    assert!(text.contains("input move_: Homography") && text.contains("margin = 0.5, by = move_)"), "{text}");
    assert!(text.contains("Image[B, 1, H, W]@orig"), "{text}");
    // Sizes and frames are names too.
    assert!(renamed("@mo‸ved\ninput H", "second").unwrap().contains("Homography[B]@orig->second"));
    assert!(renamed("model n‸et", "network").unwrap().contains("= network(image_r)"));
    assert!(renamed("net(‸x:", "view").unwrap().contains("let t = view |> conv"));

    for (at, new, why) in [
        ("let ba‸ck", "image", "is defined already, in line 3"),
        ("let ba‸ck", "let", "is a keyword"),
        ("let ba‸ck", "bce", "is an operation"),
        ("let ba‸ck", "1st", "is no name"),
        ("let ba‸ck", "a b", "is no name"),
        ("let ba‸ck", "", "is no name"),
        ("w‸arp(det_r", "move_", "`warp` is an operation"),
        ("le‸t back", "x", "`let` is a keyword"),
        ("Pro‸b[", "P", "is a kind"),
        ("ma‸sk =", "m", "argument of the operation `bce`"),
        ("net(‸x:", "k", "is defined already"),
        ("param ‸k", "t", "is defined already"),
    ] {
        let said = renamed(at, new).unwrap_err();
        assert!(said.contains(why), "{at} to {new}: {said}");
    }
    // What a dataset calls its fields is not the pipeline's to say.
    let (uri, text) = shipped("default.rord");
    editor.open(&uri, &text);
    assert!(editor.renamed(&uri, "  ima‸ge:", "view").unwrap_err().contains("`layout_pairs` calls this field `image`"));
    let ready = editor.at("prepareRename", URI, "let ba‸ck").unwrap();
    assert_eq!((slice(SMALL, &ready["range"]), ready["placeholder"].as_str().unwrap()), ("back", "back"));
    assert_eq!(editor.at("prepareRename", URI, "w‸arp(det_r").unwrap_err().0, -32803);
    // `{ batch }` in a section names its field and its value.
    editor.replace(URI, &SMALL.replace("param k: Count", "param batch: Count").replace("(8, k)", "(8, batch)"));
    editor.change(URI, "minimize", "train { optimizer = adam, batch }\nminimize");
    let text = editor.renamed(URI, "param bat‸ch", "n").unwrap().remove(URI).unwrap();
    assert!(text.contains("train { optimizer = adam, batch = n }") && text.contains("conv(8, n)"), "{text}");
    // What does not parse is not renamed.
    editor.change(URI, "let back", "let = 1\nlet back");
    assert!(editor.renamed(URI, "let ba‸ck", "home").unwrap_err().contains("does not parse"));
}

#[test]
fn files_that_import_each_other_are_one() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().canonicalize().unwrap();
    std::fs::create_dir(root.join("lib")).unwrap();
    let library =
        "layer block(x: Map[B, C, H, W]@f, width: Count = 4) -> Feat[B, width, H, W]@f = x |> conv(width, 3)\n";
    let main = "import \"lib/a b.rord\" { block }\ninput i: Image[B, 1, H, W]@o\n\
                model net(x: Image[B, 1, H, W]@f) {\n  out d: Prob[B, 1, H, W]@f = x |> block(width = 8) |> conv(1, 1) |> sigmoid\n}\n\
                minimize m = mean(net(i).d)\n";
    let (lib, path) = (root.join("lib/a b.rord"), root.join("main.rord"));
    std::fs::write(&lib, library).unwrap();
    std::fs::write(&path, main).unwrap();
    let (lib_uri, uri) = (address(&lib).replace(' ', "%20"), address(&path));
    let mut editor = Editor::new();
    editor.open(&uri, main);
    assert_eq!(editor.codes(&uri), [""; 0]);

    // Into the file on disk.
    let found = editor.at("definition", &uri, "|> blo‸ck(").unwrap();
    assert_eq!(found["uri"], json!(lib_uri));
    assert_eq!(slice(library, &found["range"]), "block");
    let found = editor.at("definition", &uri, "wid‸th = 8").unwrap();
    assert_eq!(slice(library, &found["range"]), "width");
    assert_eq!(editor.at("definition", &uri, "\"lib/‸a b").unwrap()["uri"], json!(lib_uri));

    // A buffer that was not saved counts before the disk, and its importer is checked again.
    editor.open(&lib_uri, library);
    editor.codes(&lib_uri);
    editor.change(&lib_uri, "width: Count = 4", "wide: Count = 4");
    let end = Instant::now() + PATIENCE;
    while editor.reports[&uri].1.is_empty() {
        assert!(Instant::now() < end);
        editor.receive();
    }
    assert!(!editor.codes(&lib_uri).is_empty());
    let report = editor.reports[&uri]
        .1
        .iter()
        .find(|r| r["code"] == "R0202" || r["message"].as_str().unwrap().contains("width"));
    assert!(report.is_some(), "{:?}", editor.reports[&uri]);
    editor.change(&lib_uri, "wide: Count = 4", "width: Count = 4");
    while !editor.reports[&uri].1.is_empty() {
        editor.receive();
    }

    // Renaming reaches both, whichever file it begins in; also where the importer is not open.
    let both = editor.renamed(&uri, "|> blo‸ck(", "unit_").unwrap();
    assert_eq!(both.len(), 2);
    assert_eq!(both[&uri], main.replace("block", "unit_"));
    assert_eq!(both[&lib_uri], library.replace("block", "unit_"));
    editor.tell("textDocument/didClose", json!({ "textDocument": { "uri": uri } }));
    let both = editor.renamed(&lib_uri, "f, wid‸th", "extent").unwrap();
    assert!(both[&uri].contains("block(extent = 8)") && both[&lib_uri].contains("conv(extent, 3)"), "{both:?}");

    // A file that was never written can be imported, too; one that leads out of the folder cannot.
    let fresh = address(&root.join("fresh.rord"));
    editor.open(&fresh, &library.replace("block", "fresh_block"));
    let other = address(&root.join("other.rord"));
    editor.open(&other, "import \"fresh.rord\" { fresh_block }\n");
    assert_eq!(editor.codes(&other), [""; 0]);
    let inner = address(&root.join("lib/inner.rord"));
    editor.open(&inner, "import \"../main.rord\" { net }\n");
    assert_eq!(editor.codes(&inner), ["R0807 \"../main.rord\""]);
}

#[test]
fn imports_reach_as_far_as_the_editor_allows() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().canonicalize().unwrap();
    std::fs::create_dir_all(root.join("nets/small")).unwrap();
    std::fs::create_dir(root.join("lib")).unwrap();
    let library = "fn twice(x: Map[B, C, H, W]@f) -> Map[B, C, H, W]@f = x + x\n";
    std::fs::write(root.join("lib/two.rord"), library).unwrap();
    let main = "import \"../../lib/two.rord\" { twice }\ninput x: Map[B, 1, H, W]@f\nmetric m = mean(twice(x))\n";
    let uri = address(&root.join("nets/small/one.rord"));
    let folders = json!([{ "uri": address(&root), "name": "root" }]);
    let by_option = |allowed: &str| json!({ "capabilities": {}, "workspaceFolders": folders, "initializationOptions": { "importRoot": allowed } });
    let greeted = |args: &[&str], params: Value| {
        let mut editor = Editor::started(args);
        editor.ask("initialize", params).unwrap();
        editor.tell("initialized", json!({}));
        editor
    };
    let plain = json!({ "capabilities": {} });
    let (whole, winding) = (root.display().to_string(), root.join("lib/..").display().to_string());
    for mut editor in [
        greeted(&["--import-root", &whole], plain.clone()),
        greeted(&["--import-root", &winding], plain.clone()),
        greeted(&[], by_option(".")),
        greeted(&[], by_option(&whole)),
        greeted(&["--import-root", "/"], by_option("")),
    ] {
        editor.open(&uri, main);
        assert_eq!(editor.codes(&uri), [""; 0]);
        let found = editor.at("definition", &uri, "mean(twi‸ce").unwrap();
        assert_eq!(found["uri"], json!(address(&root.join("lib/two.rord"))));
    }
    for mut editor in [greeted(&[], plain.clone()), greeted(&["--import-root", &whole], by_option("nets"))] {
        editor.open(&uri, main);
        assert_eq!(editor.codes(&uri), ["R0807 \"../../lib/two.rord\""]);
    }
    // A pipeline that lies elsewhere keeps its folder.
    let mut editor = greeted(&[], by_option("nets"));
    let beside = address(&root.join("lib/three.rord"));
    editor.open(&beside, &main.replace("../../lib/", ""));
    assert_eq!(editor.codes(&beside), [""; 0]);

    // Messages call files as the importing one does, and a library in the middle of an edit is wrong in one place alone.
    let mut editor = greeted(&["--import-root", &whole], plain);
    editor.open(&uri, &main.replace("twice", "thrice"));
    assert_eq!(editor.codes(&uri), ["R0220 thrice"]);
    let said = editor.reports[&uri].1[0]["message"].as_str().unwrap().to_string();
    assert!(said.starts_with("../../lib/two.rord has no `thrice` to import"), "{said}");
    editor.replace(&uri, &main.replace("two.rord", "none.rord"));
    assert_eq!(editor.codes(&uri), ["R0806 \"../../lib/none.rord\""]);
    let library = address(&root.join("lib/two.rord"));
    editor.open(&library, "fn twice(x: Map[B, C, H, W]@f) -> Map[B, C, H, W]@f {\n  let y = mean(x\n");
    editor.replace(&uri, main);
    assert_eq!(editor.codes(&uri), ["R0101 \"../../lib/two.rord\""]);
    for report in editor.reports.values().flat_map(|(_, list)| list) {
        assert!(!report["message"].as_str().unwrap().contains(&whole), "{report}");
    }
}

#[test]
fn a_mistake_in_an_imported_file_is_shown_at_the_import_that_leads_to_it() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().canonicalize().unwrap();
    let function =
        |name: &str, value: &str| format!("fn {name}(x: Map[B, C, H, W]@f) -> Map[B, C, H, W]@f = {value}\n");
    for (path, text) in [
        ("a/parts.rord", function("one", "x + x")),
        ("b/parts.rord", format!("import \"deep/c\" {{ three }}\n{}", function("two", "three(x)"))),
        ("b/deep/c", function("three", "x + nothing")),
    ] {
        std::fs::create_dir_all(root.join(path).parent().unwrap()).unwrap();
        std::fs::write(root.join(path), text).unwrap();
    }
    let imports = "import \"a/parts.rord\" { one }\nimport \"b/parts.rord\" { two }\n";
    let main = format!("{imports}input x: Map[B, 1, H, W]@f\nmetric m = mean(one(x) + two(x))\n");
    let uri = address(&root.join("main.rord"));
    let mut editor = Editor::new();
    editor.open(&uri, &main);
    assert_eq!(editor.codes(&uri), ["R0202 \"b/parts.rord\""]);
}

#[test]
fn columns_count_as_was_agreed() {
    let offered = |encodings: Value| json!({ "capabilities": { "general": { "positionEncodings": encodings } } });
    for (encodings, said) in
        [(json!(["utf-8", "utf-16"]), "utf-8"), (json!(["utf-16"]), "utf-16"), (Value::Null, "utf-16")]
    {
        let mut editor = Editor::mute();
        let params = if encodings.is_null() { json!({ "capabilities": {} }) } else { offered(encodings) };
        let result = editor.ask("initialize", params).unwrap();
        assert_eq!(result["capabilities"]["positionEncoding"], said);
        editor.tell("initialized", json!({}));
        // The report stands behind characters of two, three and four bytes.
        let line = "param a: Text = \"é⁻🦀\" let y = nothing_like_it\n";
        editor.open(URI, line);
        while editor.reports.is_empty() {
            editor.receive();
        }
        let at = line.find("nothing").unwrap();
        let column = if said == "utf-8" { at } else { line[..at].encode_utf16().count() };
        let starts: Vec<u64> =
            editor.reports[URI].1.iter().map(|r| r["range"]["start"]["character"].as_u64().unwrap()).collect();
        assert!(starts.contains(&(column as u64)), "{said}: {starts:?}");
        // A change behind them is made where it belongs.
        let range =
            json!({ "start": { "line": 0, "character": column }, "end": { "line": 0, "character": column + 15 } });
        let changes = json!([{ "range": range, "text": "1" }]);
        let document = json!({ "uri": URI, "version": 2 });
        editor.texts.insert(URI.into(), (2, line.replace("nothing_like_it", "1")));
        editor.tell("textDocument/didChange", json!({ "textDocument": document, "contentChanges": changes }));
        assert_eq!(editor.codes(URI), [""; 0], "{said}");
    }
}

#[test]
fn lints_are_marked_and_can_be_allowed() {
    let mut editor = Editor::new();
    let text = SMALL.replace("let back", "let idle = det * 2\nlet back").replace("hardneg(apart = 8px)", "hardneg");
    editor.open(URI, &text);
    let codes = editor.codes(URI);
    assert_eq!(codes, ["R0232 idle", "R0702 hardneg"]);
    let report = editor.reports[URI].1[0].clone();
    assert_eq!(report["tags"], json!([1]));
    assert_eq!(report["severity"], 2);
    while let Some(report) = editor.reports[URI].1.first().cloned() {
        let params = json!({
            "textDocument": { "uri": URI }, "range": report["range"], "context": { "diagnostics": [], "only": ["quickfix"] },
        });
        let actions = editor.ask("textDocument/codeAction", params).unwrap();
        let allow =
            actions.as_array().unwrap().iter().find(|a| a["title"].as_str().unwrap().contains("@allow(")).unwrap();
        assert!(actions.as_array().unwrap().iter().all(|a| a["kind"] == "quickfix"), "{actions}");
        let new = edited(&editor.texts[URI].1.clone(), &allow["edit"]["changes"][URI]);
        editor.replace(URI, &new);
        editor.codes(URI);
    }
    assert_eq!(editor.codes(URI), [""; 0], "{}", editor.texts[URI].1);
    assert!(editor.texts[URI].1.contains("@allow(unused, \"why this is meant\")\nlet idle"));
}

#[test]
fn everything_that_can_be_fixed_is_fixed_at_once() {
    let mut editor = Editor::new();
    let text = SMALL.replace("let back = inv(H)", "back = inv(H)").replace("margin = 0.5", "margin = .5");
    editor.open(URI, &text);
    assert!(editor.codes(URI).len() > 1);
    let params = json!({
        "textDocument": { "uri": URI },
        "range": { "start": place(&text, 0), "end": place(&text, 0) },
        "context": { "diagnostics": [], "only": ["source.fixAll"] },
    });
    let actions = editor.ask("textDocument/codeAction", params).unwrap();
    assert_eq!(actions.as_array().unwrap().len(), 1, "{actions}");
    let new = edited(&text, &actions[0]["edit"]["changes"][URI]);
    editor.replace(URI, &new);
    assert_eq!(editor.codes(URI), [""; 0], "{new}");
}

#[test]
fn a_part_of_a_formula_becomes_a_let() {
    let mut editor = Editor::new();
    editor.open(URI, SMALL);
    let mut asked = |part: &str| {
        let at = SMALL.find(part).unwrap();
        let params = json!({
            "textDocument": { "uri": URI },
            "range": { "start": place(SMALL, at), "end": place(SMALL, at + part.len()) },
            "context": { "diagnostics": [], "only": ["refactor.extract"] },
        });
        editor.ask("textDocument/codeAction", params).unwrap()
    };
    let actions = asked("inv(H)");
    assert_eq!(actions.as_array().unwrap().len(), 1, "{actions}");
    let new = edited(SMALL, &actions[0]["edit"]["changes"][URI]);
    assert!(new.contains("let part = inv(H)\nlet back = part\n"), "{new}");
    // Half of a call is no formula.
    assert_eq!(asked("inv(").as_array().unwrap().len(), 0);
}

#[test]
fn names_are_found_in_all_files() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("other.rord"), "rord 1\nfn closeness(a: Prob[B, 1, H, W]@f) -> Loss = mean(a)\n")
        .unwrap();
    let folders = json!([{ "uri": address(dir.path()), "name": "here" }]);
    let mut editor = Editor::with(json!({ "capabilities": {}, "workspaceFolders": folders }));
    editor.open(URI, SMALL);
    let mut names = |query: &str| {
        let found = editor.ask("workspace/symbol", json!({ "query": query })).unwrap();
        let of = |s: &Value| s["name"].as_str().unwrap().to_string();
        found.as_array().unwrap().iter().map(of).collect::<Vec<String>>()
    };
    assert_eq!(names("clsn"), ["closeness"]);
    assert!(names("back").contains(&"back".to_string()));
    assert!(names("").len() > 3 && names("no such name").is_empty());
}

#[test]
fn texts_are_laid_out_and_folded() {
    let mut editor = Editor::new();
    let text = "rord 1\n\n# one\n# two\nlet  x=1\ntrain {\n  optimizer = adam(\n    lr = 1e-3\n  )\n  batch = 2\n}\n";
    editor.open(URI, text);
    let document = json!({ "textDocument": { "uri": URI } });
    let edits = editor.ask("textDocument/formatting", with_options(&document)).unwrap();
    let new = edited(text, &edits);
    assert!(new.contains("\nlet x = 1\n"), "{new}");
    let from = edits[0]["range"]["start"]["line"].as_u64().unwrap();
    assert!(from >= 4, "what is laid out already is left alone: {edits}");
    editor.replace(URI, &new);
    assert_eq!(editor.ask("textDocument/formatting", with_options(&document)).unwrap(), json!([]));
    editor.replace(URI, text);
    let folds = editor.ask("textDocument/foldingRange", document.clone()).unwrap();
    let folds: Vec<(u64, u64)> = folds
        .as_array()
        .unwrap()
        .iter()
        .map(|f| (f["startLine"].as_u64().unwrap(), f["endLine"].as_u64().unwrap()))
        .collect();
    assert_eq!(folds, [(2, 3), (5, 10), (6, 7)]);
    editor.replace(URI, "let x = (1\n");
    assert_eq!(editor.ask("textDocument/formatting", with_options(&document)).unwrap(), json!([]));
}

#[test]
fn words_are_colored_by_what_they_are() {
    let mut editor = Editor::mute();
    let said = editor.ask("initialize", json!({ "capabilities": {} })).unwrap();
    let legend: Vec<String> = said["capabilities"]["semanticTokensProvider"]["legend"]["tokenTypes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|t| t.as_str().unwrap().to_string())
        .collect();
    editor.open(URI, SMALL);
    let tokens = editor.ask("textDocument/semanticTokens/full", json!({ "textDocument": { "uri": URI } })).unwrap();
    let data: Vec<u64> = tokens["data"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).collect();
    let (mut line, mut column, mut seen) = (0, 0, Vec::new());
    for five in data.chunks(5) {
        column = if five[0] > 0 { five[1] } else { column + five[1] };
        line += five[0];
        let start = byte(SMALL, &json!({ "line": line, "character": column }));
        let end = byte(SMALL, &json!({ "line": line, "character": column + five[2] }));
        seen.push((SMALL[start..end].to_string(), legend[five[3] as usize].clone()));
    }
    for (text, kind) in [
        ("param", "keyword"),
        ("k", "variable"),
        ("Count", "type"),
        ("# H⁻¹ 🦀", "comment"),
        ("net", "class"),
        ("x", "parameter"),
        ("conv", "function"),
        ("orig", "typeParameter"),
        ("8px", "number"),
        ("mask", "parameter"),
        ("|>", "operator"),
        ("unit", "keyword"),
    ] {
        assert!(seen.contains(&(text.into(), kind.into())), "{text} {kind}: {seen:?}");
    }
}

#[test]
fn nothing_that_is_sent_ends_the_server() {
    let mut editor = Editor::mute();
    assert_eq!(editor.ask("textDocument/hover", json!({})).unwrap_err().0, -32002);
    editor.tell("textDocument/didOpen", json!({}));
    assert_eq!(editor.ask("initialize", json!([])).unwrap_err().0, -32602);
    editor.ask("initialize", json!({ "capabilities": {} })).unwrap();
    assert_eq!(editor.ask("initialize", json!({ "capabilities": {} })).unwrap_err().0, -32600);
    assert_eq!(editor.ask("textDocument/nonsense", json!({})).unwrap_err().0, -32601);
    assert_eq!(editor.ask("textDocument/hover", json!({ "textDocument": 3 })).unwrap_err().0, -32602);
    assert_eq!(editor.ask("textDocument/hover", Value::Null).unwrap_err().0, -32602);
    let nowhere =
        json!({ "textDocument": { "uri": "file:///not/open.rord" }, "position": { "line": 0, "character": 0 } });
    assert_eq!(editor.ask("textDocument/hover", nowhere).unwrap_err().0, -32602);
    // Bytes that are no messages.
    editor.raw(b"garbage\r\n\r\nContent-Length: 9\r\n\r\nnot json!");
    assert_eq!(editor.receive()["error"]["code"], -32700);
    editor.raw(b"Content-Length: 4\r\n\r\n\xff\xfe\x00\x01");
    assert_eq!(editor.receive()["error"]["code"], -32700);
    editor.raw(b"Content-Length: 2\r\n\r\n[]Content-Length: nine\r\n\r\n");
    assert_eq!(editor.receive()["error"]["code"], -32600);
    editor.send(&json!({ "jsonrpc": "2.0", "id": 1e300, "method": "shutdown" }));
    assert_eq!(editor.receive()["error"]["code"], -32600);
    editor.send(&json!({ "jsonrpc": "2.0", "id": "none asked", "result": 3 }));
    // Notifications that make no sense.
    for method in
        ["textDocument/didOpen", "textDocument/didChange", "textDocument/didClose", "$/odd", "$/cancelRequest"]
    {
        editor.tell(method, json!({ "textDocument": { "uri": "untitled:x" } }));
        editor.tell(method, json!(7));
    }
    // Changes at places that do not exist.
    editor.open(URI, "let a = 1\n");
    let far = json!({ "line": 4000000000u32, "character": 4000000000u32 });
    let near = json!({ "line": 0, "character": 0 });
    for (start, end) in [(&far, &far), (&far, &near), (&near, &far)] {
        let range = json!({ "start": start, "end": end });
        let change = json!([{ "range": range, "text": "let b = 🦀\n" }]);
        let document = json!({ "uri": URI, "version": 2 });
        editor.tell("textDocument/didChange", json!({ "textDocument": document, "contentChanges": change }));
    }
    let at = json!({ "textDocument": { "uri": URI }, "position": far });
    for method in ["hover", "completion", "definition", "signatureHelp", "documentHighlight"] {
        editor.ask(&format!("textDocument/{method}"), at.clone()).unwrap();
    }
    // A string can be an id.
    editor.send(&json!({ "jsonrpc": "2.0", "id": "a string", "method": "shutdown" }));
    while editor.receive()["id"] != "a string" {}
    assert_eq!(editor.exit(), 0);
}

#[test]
fn texts_in_pieces_are_answered_for() {
    let (uri, text) = shipped("hardnet.rord");
    let mut editor = Editor::new();
    editor.open(&uri, &text);
    let document = json!({ "textDocument": { "uri": uri } });
    for cut in (1..text.len()).step_by(61).filter(|n| text.is_char_boundary(*n)) {
        editor.replace(&uri, &text[..cut]);
        let mut params = document.clone();
        params["position"] = place(&text, cut);
        let mut asked = Vec::new();
        for method in ["completion", "hover", "signatureHelp", "documentSymbol", "foldingRange", "semanticTokens/full"]
        {
            asked.push(editor.begin(&format!("textDocument/{method}"), params.clone()));
        }
        for id in asked {
            editor.finish(id).unwrap();
        }
    }
    // Changes that come in a burst are taken in together; only what is there at the end has to be reported.
    for _ in 0..50 {
        editor.change(&uri, "rord", "rord ");
    }
    editor.replace(&uri, &text);
    assert_eq!(editor.codes(&uri), [""; 0]);
}

#[test]
fn what_is_taken_back_is_not_answered() {
    let mut editor = Editor::new();
    editor.open(URI, SMALL);
    let params = editor.params(URI, "let ba‸ck");
    // Both in one write, so that the server has both before it answers the first.
    let request = json!({ "jsonrpc": "2.0", "id": 900, "method": "textDocument/hover", "params": params }).to_string();
    let cancel = json!({ "jsonrpc": "2.0", "method": "$/cancelRequest", "params": { "id": 900 } }).to_string();
    let slow = editor.begin("textDocument/completion", params);
    let head = |t: &str| format!("Content-Length: {}\r\n\r\n{t}", t.len());
    editor.raw(format!("{}{}", head(&request), head(&cancel)).as_bytes());
    editor.finish(slow).unwrap();
    match editor.finish(900) {
        Err((code, _)) => assert_eq!(code, -32800),
        // It may have been answered before the second message was read.
        Ok(answer) => assert!(answer["contents"]["value"].as_str().unwrap().contains("let back")),
    }
}

#[test]
fn the_server_ends_when_it_is_told_to() {
    let mut editor = Editor::new();
    editor.ask("shutdown", Value::Null).unwrap();
    assert_eq!(editor.exit(), 0);
    assert_eq!(Editor::new().exit(), 1);
    assert_eq!(Editor::mute().exit(), 1);
    let mut editor = Editor::new();
    editor.input = None;
    assert_eq!(editor.code(), 1);
}

#[test]
fn names_of_a_function_are_its_own() {
    let mut editor = Editor::new();
    let text = "\
input p: Prob[B, 1, H, W]@f
input q: Prob[B, 1, H, W]@f
fn mine(a: Prob[B, 1, H, W]@f, b: Prob[B, 1, H, W]@f) -> Loss {
  let d = a - b
  let s = square(d)
  out = mean(s)
}
let d          = 1 - q
minimize total = mine(p, d)
";
    editor.open(URI, text);
    assert_eq!(editor.codes(URI), [""; 0]);
    let hover = editor.hover(URI, "square(d‸)");
    assert!(hover.contains("let d: Map[B, 1, H, W]@f"), "{hover}");
    let renamed = editor.renamed(URI, "square(d‸)", "change").unwrap();
    let expected = text.replace("let d = a", "let change = a").replace("square(d)", "square(change)");
    assert_eq!(renamed[URI], expected);
    assert!(editor.renamed(URI, "square(d‸)", "a").unwrap_err().contains("`a`"));
    let labels = editor.labels(URI, "mean(‸");
    assert!(labels.iter().any(|l| l == "s") && labels.iter().any(|l| l == "d"), "{labels:?}");
}
