//! The front end against whatever it is given: it reports, and never panics, hangs or overflows its stack.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use rord_lang::check::{ImportError, Importer, NoImports, Outside, check};
use rord_lang::parse;
use rord_lang::report::{Report, Severity};
use rord_lang::source::{FileId, SourceKind};
use rord_lang::tree::expression;
use rord_lang::typed::Pipeline;
use rord_ops as ops;

fn checked(text: &str) -> (Pipeline, Vec<Report>) {
    checked_with(text, &NoImports)
}

fn checked_with(text: &str, importer: &dyn Importer) -> (Pipeline, Vec<Report>) {
    let (vocabulary, mut sources) = ops::vocabulary();
    let file = sources.add(SourceKind::Main, "test.rord", text);
    check(&mut sources, file, &vocabulary, importer, &Outside::default())
}

fn codes(text: &str) -> Vec<&'static str> {
    checked(text).1.iter().map(|r| r.code).collect()
}

const DATA: &str = "data pairs = layout_pairs(synth(), patch = 64px) -> {
  image: Image[B, 1, H, W]@orig, image_r: Image[B, 1, H, W]@moved, H: Homography[B]@orig->moved,
}
let { image, image_r, H } = pairs
";

#[test]
fn the_vocabulary_itself_is_sound() {
    let mut sources = Default::default();
    let entries: Vec<_> = ops::all().map(|op| (op.name, op.entry)).collect();
    let (vocabulary, reports) = rord_lang::vocabulary::Vocabulary::new(&entries, ops::LIBRARY, &mut sources);
    assert!(reports.is_empty(), "{reports:?}");
    for op in ops::all() {
        assert!(!op.entry.manual.trim().is_empty(), "`{}` has no manual", op.name);
        assert_eq!(vocabulary.operation(op.name).map(|o| o.name), Some(op.name));
        assert!(op.entry.signature.starts_with(&format!("{}(", op.name)), "{}", op.entry.signature);
    }
    // Functions of the standard library are checked as a user's would be.
    for (name, text) in ops::LIBRARY {
        let (_, reports) = checked(&text.replace("fn ", "fn own_"));
        let wrong: Vec<_> = reports.iter().filter(|r| r.severity == Severity::Error).collect();
        assert!(wrong.is_empty() || wrong.iter().all(|r| r.code == "R0201"), "{name}: {wrong:?}");
        let (_, reports) = checked(text);
        assert!(reports.is_empty(), "{name}: {reports:?}");
    }
}

#[test]
fn the_grammar_as_a_whole_is_read() {
    let text = "rord 1
pipeline \"all\" \"of it\"
## documented
param n: Count = 2 in {2, 4} \"a choice\"
param on: Flag = false
preset p { n = 4 }
sweep s { n = [2, 4] }
layer block(x: Feat[N, C, H, W]@f, width: Count, stride: Count = 1) -> Feat[N, width, _, _]@f =
  x |> conv(width, 3, stride = stride, bias = false) |> relu
fn both(a: Prob[B, C, h, w]@f, b: Prob[B, C, h, w]@f, k: Scalar = 0.5) -> Loss = mean(a * b) * k + (if on then 1 else 0) * mean(a)
model net(x: Image[B, 1, H, W]@f) {
  let t: Feat[B, 8, H/2, W/2]@f = x |> conv(8, 3) |> block(8, stride = 2)
  out p: Prob[B, 1, H/2, W/2]@f = t |> conv(1, 1) |> sigmoid
}
data pairs = layout_pairs(synth(tiles = 2), patch = 64px, zoom = 0.8..1.2, geometry = rotations(-90deg..90deg, mirror = true))
let { p } = net(pairs.image)
let q = net(pairs.image_r).p
@allow(unanchored, \"an example\")
loss l = bce(p, warp(q, inv(pairs.H)), mask = inside(inv(pairs.H), like = p))
metric k = both(p, warp(q, inv(pairs.H)), k = -(-0.5))
metric m = mean(p > 0.5)
minimize total = 2 * l
train { optimizer = sgd(lr = 0.1, momentum = 0.9), batch = n, epochs = 1 }
save { best = max(val.m) }
";
    let (pipeline, reports) = checked(text);
    assert!(reports.is_empty(), "{reports:?}");
    let names: Vec<&str> = pipeline.weights.iter().map(|w| w.name.as_str()).collect();
    assert_eq!(names, ["net.t.0.weight", "net.t.0.bias", "net.t.1.0.weight", "net.p.0.weight", "net.p.0.bias"]);
}

#[test]
fn a_call_and_a_pipe_are_the_same() {
    let weights = |body: &str| {
        let text = format!("{DATA}model net(x: Image[B, 1, H, W]@f) {{ out y = {body} }}\nlet {{ y }} = net(image)\n");
        let (pipeline, reports) = checked(&text);
        assert!(reports.is_empty(), "{body}: {reports:?}");
        pipeline.weights.iter().map(|w| w.name.clone()).collect::<Vec<_>>()
    };
    let piped = weights("x |> conv(8, 3) |> relu |> conv(1, 1) |> sigmoid");
    assert_eq!(piped, weights("sigmoid(conv(relu(conv(x, 8, 3)), 1, 1))"));
    assert_eq!(piped, ["net.y.0.weight", "net.y.0.bias", "net.y.2.weight", "net.y.2.bias"]);
    let residual = weights("(x |> conv(8, 3) |> relu) + (x |> conv(8, 3))");
    assert_eq!(residual, ["net.y.left.0.weight", "net.y.left.0.bias", "net.y.right.0.weight", "net.y.right.0.bias"]);
}

#[test]
fn imports_bring_callables_and_nothing_else() {
    struct Two;
    impl Importer for Two {
        fn import(&self, path: &str, _: &str) -> Result<(String, String), ImportError> {
            Ok((
                path.to_string(),
                match path {
                    "a.rord" => "layer half(x: Map[B, C, H, W]@f) -> Map[B, C, H/2, W/2]@f = max_pool(x, 2)\nparam hidden: Count = 1".into(),
                    "b.rord" => "let k = 3\n@allow(unanchored, \"for a test\")\nfn half(x: Scalar) = x / k\n@frosen()\nfn more(x: Scalar) = x".into(),
                    "edited.rord" => "fn f(x: Scalar) -> Scalar {\n  let q = mean(x\nfn ok(x: Scalar) = x + x".into(),
                    "above.rord" => "import \"edited.rord\" { f, ok }".into(),
                    "nameless.rord" => "fn (x: Scalar) = x\nfn ok(x: Scalar) = x + x".into(),
                    "loop.rord" => "import \"loop.rord\" { x }\nfn x(a: Scalar) = a".into(),
                    _ => return Err(ImportError::Unreadable(format!("there is no {path}"))),
                },
            ))
        }
    }
    let codes = |text: &str| checked_with(text, &Two).1.iter().map(|r| r.code).collect::<Vec<_>>();
    let model = "model m(x: Image[B, 1, H, W]@f) { out y: Map[B, 1, H/2, W/2]@f = half(x) }";
    assert_eq!(codes(&format!("import \"a.rord\" {{ half }}\n{model}")), ["R0821"], "its parameter stays there");
    assert_eq!(codes("import \"b.rord\" { half }"), ["R0822", "R0227"]);
    assert_eq!(codes("import \"a.rord\" { haff }"), ["R0821", "R0220"]);
    assert_eq!(codes("import \"a.rord\" { hidden }"), ["R0821", "R0220"]);
    assert_eq!(codes("import \"none.rord\" { half }"), ["R0806"]);
    assert_eq!(codes("import \"loop.rord\" { x }"), ["R0803"]);
    // In the middle of an edit nothing is said of what could not be read, but that it could not.
    assert_eq!(codes("import \"edited.rord\" { f, ok }\nlet y = f(ok(2))"), ["R0101"]);
    assert_eq!(codes("import \"above.rord\" { f, ok }\nlet y = ok(f(2))"), ["R0101"]);
    assert_eq!(codes("import \"edited.rord\" { g }"), ["R0220", "R0101"]);
    assert_eq!(codes("import \"nameless.rord\" { f, ok }").iter().filter(|c| **c == "R0220").count(), 0);
}

#[test]
fn the_core_of_an_anchored_pipeline_checks() {
    let text = "data pairs = layout_pairs(synth(), patch = 64px, geometry = rotations(mirror = true), render = layers(drop = 0.3)) -> {
  image: Image[B, 1, H, W]@orig, image_r: Image[B, 1, H, W]@moved, H: Homography[B]@orig->moved, corners: Label[B, 1, H, W]@orig,
}
model net(x: Image[B, 1, H, W]@f) {
  let t = x |> conv(8, 3) |> relu |> max_pool(4)
  out score: Logit[B, 1, H/4, W/4]@f = t |> conv(1, 1)
  out desc: Desc unit[B, 16, H/4, W/4]@f = t |> conv(16, 3) |> l2norm
}
let { image, image_r, H, corners } = pairs
let { score, desc } = net(image)
let { score as score_r, desc as desc_r } = net(image_r)
let back = inv(H)
let seen = inside(back, like = score)
let truth = shrink(corners, by = 4)
loss where = bce_logits(truth, score, balance = auto)
loss agreement = smoothl1(sigmoid(score), warp(sigmoid(score_r), back), mask = seen)
loss what = triplet(grid(200), hardneg(apart = 8px), margin = 0.5)
minimize total = where + 0.1 * agreement + what
train { optimizer = adam(lr = 1e-3) }
";
    let (_, reports) = checked(text);
    assert!(reports.is_empty(), "{reports:?}");
}

#[test]
fn frames_and_kinds_are_told_apart() {
    let model = "model net(x: Image[B, 1, H, W]@f) {\n  out p: Prob[B, 1, H, W]@f = x |> conv(1, 1) |> sigmoid\n  out d: Desc[B, 8, H, W]@f = x |> conv(8, 1)\n}
let { p, d } = net(image)\nlet { p as p_r, d as d_r } = net(image_r)\n";
    for (line, expected) in [
        ("loss l = bce(p, p_r)", "R0502"),
        ("loss l = bce(p, warp(p_r, H))", "R0501"),
        ("let x = p + p_r", "R0502"),
        ("let x = p * warp(p_r, inv(inv(H)))", "R0501"),
        ("let x = H * H", "R0503"),
        ("let x = inv(H) * H\nlet y: Map@orig = warp(p, x)", ""),
        ("let x = sample(d_r, place(grid(20), d))", "R0509"),
        ("let x = move(place(grid(20), d_r), H)", "R0501"),
        ("loss l = triplet(grid(20), hardneg, a = d, b = d)", "R0504"),
        ("let x = bce(p, d)", "R0301"),
        ("let x: Prob[B, 8, H, W]@orig = d", "R0406"),
        ("let x: Map[B, 1, H/2, W]@orig = p", "R0406"),
        ("let x: Map@moved = p", "R0406"),
        ("let x = p > 0.5\nlet y: Mask@orig = x", ""),
        ("let x: Prob@orig = 1 - p * p", ""),
        ("let x: Prob@orig = p + p", "R0406"),
        ("let x = if true then p else p_r", "R0316"),
        ("let x = smoothl1(p, d)", "R0401"),
        ("let x = hardneg(apart = 3)", "R0305"),
        ("let x = conv(p, 8, 4)", "R0414"),
        ("let x = 3px + 2deg", "R0310"),
        ("let x = 1 / 0", "R0705"),
        ("let x = p(1)", "R0213"),
        ("let x = warp", "R0214"),
        ("let x: Foo = p", "R0308"),
        ("let x: Map[Q, 1, H, W]@orig = p", "R0217"),
        ("let x: Map@elsewhere = p", "R0505"),
        ("let { q } = net(image)", "R0212"),
        ("let x = upsample(p, 2, mode = cubic)", "R0216"),
        ("minimize a = mean(p)\nminimize b = mean(p)", "R0222"),
        ("fn f(x: Scalar) = g(x)\nfn g(x: Scalar) = x", "R0208"),
        ("fn f(x: Scalar) = f(x)", "R0250"),
        ("model m(x: Map@a) { out y = m(x).y }", "R0208"),
        ("fn f(x: Map@a) = p", "R0215"),
    ] {
        let found = codes(&format!("{DATA}{model}{line}\n"));
        let errors: Vec<&&str> = found.iter().filter(|c| !matches!(**c, "R0602" | "R0207")).collect();
        match expected {
            "" => assert!(errors.is_empty(), "{line}: {found:?}"),
            code => assert_eq!(errors, [&code], "{line}"),
        }
    }
}

#[test]
fn the_branch_that_is_not_taken_makes_nothing() {
    let run = |on: &str, body: &str| {
        let model = format!("model net(x: Image[B, 1, H, W]@f) {{ out y = {body} }}\nlet {{ y }} = net(image)\n");
        let text = format!("param on: Flag = {on}\n{DATA}{model}loss l = mean(y)\nminimize m = l\n");
        let (pipeline, reports) = checked(&text);
        assert!(!reports.iter().any(|r| r.severity == Severity::Error), "{text}: {reports:?}");
        let names = pipeline.weights.iter().map(|w| format!("{} {:?}", w.name, w.shape)).collect::<Vec<_>>();
        let ops = |op: &str| {
            let is = |v: &&rord_lang::typed::Value| matches!(&v.source, rord_lang::typed::ValueSource::Apply(a) if a.op == op);
            pipeline.values.iter().filter(is).count()
        };
        (names, ops("conv"), ops("relu"))
    };
    let choice = "(if on then x |> conv(8, 3) |> relu else x) |> conv(2, 1, bias = false)";
    let both = ["net.y.0.weight [8, 1, 3, 3]", "net.y.0.bias [8]", "net.y.2.weight [2, 8, 1, 1]"];
    assert_eq!(run("true", choice), (both.map(str::to_string).to_vec(), 2, 1));
    // Later stages keep their names whichever branch is taken.
    assert_eq!(run("false", choice), (vec!["net.y.2.weight [2, 1, 1, 1]".to_string()], 1, 0));
    // It owes nothing either: 7 does not divide 64.
    let third = "let z = if on then mean(rescale(image, by = 1/7).image) else mean(image)\n";
    assert_eq!(codes(&format!("param on: Flag = true\n{DATA}{third}")), ["R0403"]);
    assert!(codes(&format!("param on: Flag = false\n{DATA}{third}")).is_empty());
}

#[test]
fn the_branch_that_is_not_taken_is_checked_all_the_same() {
    let head = "param on: Flag = false\nparam depth: Count = 1\n";
    for (line, expected) in [
        ("let x = if on then conv(image, 8, 4) else image", "R0414"),
        ("let x = if on then nothing_like_it(image) else image", "R0201"),
        ("let x = if on then image + image_r else image", "R0502"),
        ("let x = if on then image_r else image", "R0316"),
        ("let x = if image > 0 then image else image", "R0315"),
        ("layer f(x: Map[B, C, h, w]@f, d: Count) = if d > 0 then conv(x, 8, 4) else x", "R0414"),
        // With branches of two widths the result is of neither.
        (
            "layer f(x: Map[B, C, h, w]@f, on: Flag) -> Feat[B, 16, h, w]@f = if on then conv(x, 8, 3) else conv(x, 16, 3)",
            "",
        ),
        ("layer f(x: Map[B, C, h, w]@f, on: Flag) -> Prob[B, C, h, w]@f = if on then sigmoid(x) else relu(x)", "R0406"),
        // Only what a call takes has to fit it: 64 is halved six times, and not a seventh time.
        (
            "layer f6(x: Map[B, C, h, w]@f, d: Count) = if d > 6 then max_pool(x, 2) |> relu else x
             layer f(x: Map[B, C, h, w]@f, d: Count) = x |> max_pool(64) |> f6(d)
             model m(x: Image[B, 1, 64, 64]@f) { out y = f(x, 6) }
             input fixed: Image[B, 1, 64, 64]@fixed
             let y = m(fixed).y",
            "",
        ),
    ] {
        let found = codes(&format!("{head}{DATA}{line}\n"));
        match expected {
            "" => assert!(found.is_empty(), "{line}: {found:?}"),
            code => assert_eq!(found, [code], "{line}"),
        }
    }
}

#[test]
fn parameters_of_functions_have_domains() {
    let layer = "layer f(x: Map[B, C, h, w]@f, depth: Count = 2 in [1, 3], way: Count = 1 in {1, 4}) = x |> dropout(0.01 * depth * way)\n";
    for (call, expected) in [
        ("f(image)", ""),
        ("f(image, 3, 4)", ""),
        ("f(image, 4)", "R0701"),
        ("f(image, depth = 0)", "R0701"),
        ("f(image, way = 2)", "R0701"),
    ] {
        let model = format!("model m(image: Image[B, 1, H, W]@f) {{ out y = {call} }}\nlet {{ y }} = m(image)\n");
        let found = codes(&format!("{DATA}{layer}{model}"));
        assert_eq!(found, if expected.is_empty() { vec![] } else { vec![expected; found.len().max(1)] }, "{call}");
    }
}

#[test]
fn a_unet_has_as_many_levels_as_it_is_deep() {
    struct Shipped;
    impl Importer for Shipped {
        fn import(&self, path: &str, _: &str) -> Result<(String, String), ImportError> {
            Ok((path.to_string(), std::fs::read_to_string(format!("pipelines/{path}")).unwrap()))
        }
    }
    let run = |patch: u32, depth: u32| {
        let data = DATA.replace("64px", &format!("{patch}px"));
        let text = format!(
            "import \"lib/nets.rord\" {{ unet }}\n{data}model net(x: Image[B, 1, H, W]@f) {{
               out logits: Logit[B, 3, H, W]@f = x |> unet(base = 4, depth = {depth}, classes = 3)
             }}\nlet {{ logits }} = net(image)\n"
        );
        checked_with(&text, &Shipped)
    };
    for depth in 1..=5 {
        let (pipeline, reports) = run(64, depth);
        assert!(reports.is_empty(), "{depth}: {reports:?}");
        let convs: Vec<_> = pipeline.weights.iter().filter(|w| w.shape.len() == 4).collect();
        assert_eq!(convs.len() as u32, 2 * (2 * depth + 1) + 1, "two on each level down and up, and the last");
        assert_eq!(convs.iter().map(|w| w.shape[0]).max(), Some(4 << depth));
    }
    assert_eq!(run(64, 6).1[0].code, "R0701");
    assert_eq!(run(64, 0).1[0].code, "R0701");
    for (patch, depth) in [(72, 3), (80, 4)] {
        assert!(run(patch, depth).1.is_empty());
        let wrong = run(patch, depth + 1).1;
        assert_eq!(wrong.iter().map(|r| r.code).collect::<Vec<_>>(), ["R0403"]);
        assert!(wrong[0].title.contains(&format!("{patch} px does not divide by {}", 1 << (depth + 1))), "{wrong:?}");
    }
}

/// What this thread has computed, which on a busy machine is less than what has passed; where the system does not tell, that.
fn computed(begun: Instant) -> Duration {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanoseconds = told.as_deref().and_then(|t| t.split(' ').next()?.parse().ok());
    nanoseconds.map_or_else(|| begun.elapsed(), Duration::from_nanos)
}

/// Runs on a small stack, as a thread of an editor would, and must be done within a second.
fn survives(text: String) -> Vec<&'static str> {
    let begun = Instant::now();
    let thread = std::thread::Builder::new().stack_size(2 << 20);
    let start = text.get(..60.min(text.len())).unwrap_or("").to_string();
    let run = move || (codes(&text), computed(begun));
    let (found, took) = thread.spawn(run).unwrap().join().expect("no panic");
    let limit = if cfg!(debug_assertions) { 20 } else { 1 };
    assert!(took < Duration::from_secs(limit), "{took:?}: {start}…");
    found
}

#[test]
fn hostile_files_end_in_a_report() {
    assert!(survives(format!("let x = {}", "(".repeat(100_000))).contains(&"R0104"));
    assert!(survives(format!("let x = {}1", "-".repeat(100_000))).contains(&"R0104"));
    assert!(survives(format!("let x = 1{}", " + 1".repeat(100_000))).contains(&"R0104"));
    assert!(survives(format!("let x = a{}", ".b".repeat(100_000))).contains(&"R0104"));
    assert!(survives(format!("let x = {}1", "if true then 1 else ".repeat(100_000))).contains(&"R0104"));
    assert!(survives(format!("let x: Map[H{}] = 1", " + 1".repeat(100_000))).contains(&"R0104"));
    assert!(!survives("[".repeat(100_000)).is_empty());
    assert!(!survives("let x = \0".into()).is_empty());
    assert!(survives("\u{feff}let x = 1".into()).is_empty(), "a byte order mark says nothing about the pipeline");
    let chain: String = (1..10_000).map(|i| format!("fn f{i}(x: Scalar) = f{}(x)\n", i - 1)).collect();
    assert!(survives(format!("fn f0(x: Scalar) = x\n{chain}let y = f9999(1)")).contains(&"R0224"));
    let doubling: String = (1..40).map(|i| format!("fn f{i}(x: Scalar) = f{0}(x) + f{0}(x)\n", i - 1)).collect();
    assert!(survives(format!("fn f0(x: Scalar) = x\n{doubling}let y = f39(1)")).contains(&"R0224"));
    let huge = "model m(x: Image[B, 1, H, W]@f) { out y = x |> conv(4000000000, 3) |> conv(4000000000, 999999999) }";
    assert!(!survives(format!("{DATA}{huge}\nlet {{ y }} = m(image)")).is_empty());
    assert!(!survives(format!("{DATA}let x: Map[9223372036854775807*H, 1, H, W]@orig = image")).is_empty());
    let lines = "  let a = x + x\n".repeat(50_000);
    let function = survives(format!("fn f(x: Map[B, C, H, W]@f) -> Loss {{\n{lines}  out = mean(x)\n}}\n"));
    assert_eq!(function, ["R0124"]);
    assert!(survives(format!("model n(x: Map[B, C, H, W]@f) {{\n{lines}  out y = x\n}}\n")).contains(&"R0124"));
    for habit in ["let x = a", "let x = a ? b : "] {
        for more in ["^2", " ? b", " @ b", " @b((", " if b else c", "a, ", "\na = b"] {
            let text = format!("{habit}{}", more.repeat(50_000));
            assert!(!survives(text).is_empty(), "{habit}{more}");
        }
    }
    assert!(!survives(format!("fn f() -> Loss =\n{}", "a = b\n".repeat(50_000))).is_empty());
    assert!(!survives("let ".repeat(50_000)).is_empty());
    assert!(!survives("@".repeat(50_000)).is_empty());
    assert!(!survives("\"".repeat(50_000)).is_empty());
}

/// Each of these once took a second or much more, or overflowed the stack.
#[test]
fn what_once_took_long_does_no_more() {
    let lines = |n: usize, line: &dyn Fn(usize) -> String| (0..n).map(line).collect::<String>();
    for (text, code) in [
        ("{".repeat(100_000), "R0108"),
        ("blok {\n".repeat(50_000), "R0102"),
        (format!("let x = f({}", "1 ".repeat(100_000)), "R0101"),
        (format!("let x = {}a", "not ".repeat(100_000)), "R0104"),
        ("## d\n".repeat(100_000), "R0111"),
        ("@a()\n".repeat(100_000), "R0111"),
        ("\0".repeat(1_000_000), "R0106"),
        ("«".repeat(300_000), "R0106"),
        ("/*\n".repeat(200_000), "R0114"),
        (format!("let x = 1{}", " |> f".repeat(100_000)), "R0201"),
        (lines(30_000, &|i| format!("let a{i} = b{i}\n")), "R0202"),
        (format!("preset p {{\n{}}}", lines(30_000, &|i| format!("a{i} = 1\n"))), "R0801"),
    ] {
        let found = survives(text.clone());
        assert!(found.contains(&code), "{:?}: {:?}", text.get(..20), found.iter().take(9).collect::<Vec<_>>());
    }
    // Functions are many, have many parameters, and a model has many lines.
    assert!(survives(lines(20_000, &|i| format!("fn g{i}(x: Scalar) = x\n"))).is_empty());
    survives(format!("fn g({}) = 1", lines(20_000, &|i| format!("a{i}: Scalar, "))));
    let body = lines(15_000, &|i| format!("let a{i} = x |> relu\n"));
    survives(format!("model m(x: Image[B, 1, H, W]@f) {{\n{body}out y = x\n}}"));
    // Each function alone stays within what one may be written out to, and all of them together do not.
    let doubling = lines(12, &|i| format!("fn g{}(x: Scalar) = g{i}(x) + g{i}(x)\n", i + 1));
    let users = lines(3_000, &|i| format!("fn h{i}(x: Scalar) = g12(x)\n"));
    let found = survives(format!("fn g0(x: Scalar) = x\n{doubling}{users}"));
    assert_eq!(found, ["R0224"]);
}

#[test]
fn an_input_has_the_axes_of_its_kind() {
    for text in ["Prob[]@a", "Prob@a", "Prob[B, H, W]@a", "Points[B]@a"] {
        assert_eq!(codes(&format!("input p: {text}")), ["R0415"], "{text}");
    }
    assert_eq!(codes("fn f(x: Prob[B, H, W]@a) = mean(x)"), ["R0415"]);
}

#[test]
fn a_large_file_is_read_quickly() {
    let text: String = (0..10_000).map(|i| format!("let a{i} = {i} + 1\n")).collect();
    assert!(survives(text).is_empty());
}

/// Expressions of every shape, without places.
fn any_expression() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("x".to_string()),
        Just("1".to_string()),
        Just("0.5".to_string()),
        Just("8px".to_string()),
        Just("true".to_string()),
        Just("\"a\\\"b\"".to_string()),
    ];
    leaf.prop_recursive(5, 40, 3, |inner| {
        let two = (inner.clone(), inner.clone());
        let op = prop_oneof!["\\+", "-", "\\*", "/", "<", ">=", "=="];
        prop_oneof![
            (two.clone(), op).prop_map(|((a, b), op)| format!("({a}) {} ({b})", op.replace('\\', ""))),
            inner.clone().prop_map(|a| format!("-({a})")),
            two.clone().prop_map(|(a, b)| format!("({a})..({b})")),
            two.clone().prop_map(|(a, b)| format!("f({a}, k = {b})")),
            two.clone().prop_map(|(a, b)| format!("({a}) |> g({b}) |> h")),
            inner.clone().prop_map(|a| format!("[{a}, {a}]")),
            inner.clone().prop_map(|a| format!("({a}).part")),
            (inner.clone(), two).prop_map(|(c, (a, b))| format!("if {c} then {a} else ({b})")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_printed_reads_back_the_same(text in any_expression()) {
        let first = parse::expression(&text, FileId(0), 0).map_err(|r| TestCaseError::fail(format!("{text}: {r:?}")))?;
        let printed = expression(&first);
        let again = parse::expression(&printed, FileId(0), 0).map_err(|r| TestCaseError::fail(format!("{printed}: {r:?}")))?;
        prop_assert_eq!(&printed, &expression(&again));
        prop_assert_eq!(first.height, again.height, "{} became {}", text, printed);
    }

    #[test]
    fn any_text_ends_in_a_report_or_a_pipeline(text in "[ -~\n@#→é]{0,200}") {
        checked(&text);
    }

    #[test]
    fn any_mixture_of_words_ends_in_a_report_or_a_pipeline(words in proptest::collection::vec(
        prop_oneof![
            "let|loss|param|model|data|fn|train|minimize|if|then|else|out|in|as|x|det|H|image|none",
            "\\(|\\)|\\[|\\]|\\{|\\}|=|,|:|->|@f|\\+|\\*|/|\\.\\.|\\|>|\\.|<",
            "1|0.5|8px|3epochs|\"t\"|conv\\(8, 3\\)|warp|bce|Prob\\[B, 1, H, W\\]@orig|grid\\(200\\)|\n"
        ], 0..60)) {
        checked(&format!("{DATA}{}", words.join(" ")));
    }
}

#[test]
fn every_name_of_another_library_leads_to_something_that_exists() {
    let (vocabulary, _) = ops::vocabulary();
    for (_, here) in rord_lang::report::elsewhere::NAMES {
        let word = matches!(here, "none" | "true" | "false");
        assert!(word || vocabulary.usage(here).is_some(), "{here}");
    }
}
