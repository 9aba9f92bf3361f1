//! Calls of PyTorch and JAX give one report each, and what it proposes checks.

use std::collections::BTreeSet;

use rord_lang::check::{NoImports, Outside, check};
use rord_lang::report::{Report, Severity, translate};
use rord_lang::source::SourceKind;
use rord_ops as ops;

/// What the calls work on.
const HEAD: &str = "input x:      Feat[B, 8, h, w]@f
input y:      Feat[B, 8, h, w]@f
input image:  Image[B, 1, h, w]@f
input moved:  Image[B, 1, h, w]@g
input mask:   Mask[B, 8, h, w]@f
input truth:  Label[B, 1, h, w]@f
input probs:  Prob[B, 1, h, w]@f
input classes: Label[B, 8, h, w]@f
input shares: Prob[B, 8, h, w]@f
input logits: Logit[B, 1, h, w]@f
input a:      Vectors[N, 16]
input b:      Vectors[N, 16]
input c:      Vectors[N, 16]
input table:  Dist[N, N]
input back:   Homography[B]@g->f
input points: Points[B, K]@f
";

/// What stands in place of `…` in a model: a call on a map `m` with 8 channels.
const LAYERS: &[&str] = &[
    "m |> conv2d(8, 16, 3)",
    "m |> nn.Conv2d(8, 16, kernel_size = 3, stride = 2)",
    "m |> nn.ConvTranspose2d(8, 16, 4, stride = 2)",
    "m |> nn.Linear(8, 16)",
    "m |> nn.BatchNorm2d(8)",
    "m |> nn.InstanceNorm2d(8)",
    "m |> nn.GroupNorm(4, 8)",
    "m |> nn.LayerNorm(8)",
    "F.max_pool2d(m, 2)",
    "m |> nn.MaxPool2d(2)",
    "F.avg_pool2d(m, 2)",
    "m |> adaptive_avg_pool2d(1)",
    "m |> nn.Dropout2d(0.5)",
    "m |> nn.ReLU()",
    "m |> nn.ReLU",
    "m |> F.gelu",
    "m |> gelu",
    "m |> silu",
    "m |> nn.LeakyReLU(0.2)",
    "torch.tanh(m)",
    "F.interpolate(m, scale_factor = 2, mode = \"bilinear\")",
    "m |> nn.Sequential(1, 2)",
    "m |> space_to_depth(2)",
    "m |> nn.PixelShuffle(2)",
];

/// What stands in place of `…` in a loss.
const VALUES: &[&str] = &[
    "mean(torch.add(x, y))",
    "mean(torch.sub(x, y))",
    "mean(torch.mul(x, y))",
    "mean(torch.div(x, y))",
    "mean(torch.neg(x))",
    "mean(torch.reciprocal(x))",
    "mean(torch.eq(x, y))",
    "mean(torch.ne(x, y))",
    "mean(torch.gt(x, y))",
    "mean(torch.ge(x, y))",
    "mean(torch.lt(x, y))",
    "mean(torch.le(x, y))",
    "mean(torch.logical_and(x, y))",
    "mean(torch.logical_or(x, y))",
    "mean(torch.logical_not(x))",
    "mean(F.logsigmoid(x))",
    "mean(F.softmin(x, dim = 1))",
    "mean(torch.logaddexp(x, y))",
    "mean(torch.log1p(x))",
    "mean(torch.expm1(x))",
    "mean(torch.rsqrt(x))",
    "mean(torch.sign(x))",
    "mean(torch.lerp(x, y, 0.5))",
    "mean(torch.hypot(x, y))",
    "mean(F.relu6(x))",
    "mean(F.hardtanh(x))",
    "mean(torch.norm(x))",
    "mean(torch.diag(table))",
    "mean(table.fill_diagonal_(0))",
    "mean(torch.outer(a, b))",
    "mean(F.one_hot(x))",
    "mean(F.margin_ranking_loss(x, y, 1))",
    "mean(torch.flip(x, 1))",
    "mean(torch.triu(table))",
    "mean(torch.median(x))",
    "mean(torch.masked_select(x, mask))",
    "mean(torch.floor(x))",
    "mean(F.unfold(x, 3))",
    "mean(torch.logit(x))",
    "mean(torch.nan_to_num(x))",
    "mean(torch.flatten(x, 1))",
    "mean(x.view(2, 8))",
    "mean(x.permute(0, 2, 3, 1))",
    "mean(a.transpose(0, 1))",
    "mean(clamp(x, 0, 1))",
    "mean(x.clamp(min = 0))",
    "mean(x |> clamp(max = 1))",
    "mean(torch.clamp(x - y, 0, 1))",
    "mean((x - y).clamp(0, 1))",
    "mean(softmax(x, dim = 1))",
    "mean(F.softmax(x, dim = 1))",
    "mean(x |> log_softmax(dim = 1))",
    "mean(torch.logsumexp(table, dim = 1))",
    "mean(row_sum(table))",
    "mean(col_sum(table))",
    "mean(table.sum(dim = 1))",
    "mean(mean(table, dim = 1))",
    "mean(torch.std(x, dim = 1))",
    "mean(x.var(dim = 1))",
    "mean(table.amax(dim = 1))",
    "mean(table.amin(dim = 1))",
    "mean(table.argsort(dim = 1))",
    "mean(torch.pow(x, 2))",
    "mean(x.pow(0.5))",
    "mean(torch.maximum(x, y))",
    "mean(torch.minimum(x, y))",
    "mean(torch.where(x > 0, x, y))",
    "mean(x.masked_fill(mask, 0))",
    "mean(torch.ones_like(x))",
    "mean(torch.zeros_like(x))",
    "mean(jax.lax.stop_gradient(x))",
    "mean(torch.cat([x, y], dim = 1))",
    "mean(torch.stack([x, y]))",
    "mean(F.normalize(x, dim = 1))",
    "mean(F.cosine_similarity(x, y, dim = 1))",
    "mean(cosine_similarity(a, b))",
    "mean(F.pairwise_distance(a, b))",
    "mean(torch.cdist(a, b))",
    "mean(torch.matmul(a, b))",
    "mean(torch.bmm(a, b))",
    "mean(torch.einsum(\"nc,mc->nm\", a, b))",
    "mean(F.grid_sample(moved, back))",
    "mean(F.grid_sample(x, points))",
    "F.binary_cross_entropy(probs, truth)",
    "nn.BCELoss()(probs, truth)",
    "F.binary_cross_entropy_with_logits(logits, truth)",
    "nn.BCEWithLogitsLoss(reduction = \"sum\")(logits, truth)",
    "F.mse_loss(x, y)",
    "nn.MSELoss()(x, y)",
    "F.l1_loss(x, y)",
    "F.smooth_l1_loss(x, y, beta = 0.5)",
    "F.huber_loss(x, y, delta = 0.5)",
    "nn.NLLLoss()(x, classes)",
    "F.kl_div(x, shares)",
    "F.triplet_margin_loss(a, b, c, margin = 0.5)",
    "nn.TripletMarginLoss(margin = 0.5)(a, b, c)",
    "nn.TripletMarginLoss(margin = 0.5)",
    "F.cosine_embedding_loss(a, b, c)",
    "NTXentLoss(a, b)",
];

/// Fields of `train`.
const FIELDS: &[&str] = &[
    "optimizer = torch.optim.Adam(net.parameters(), lr = 1e-4)",
    "optimizer = AdamW(net.parameters(), lr = 1e-3, weight_decay = 0.01)",
    "optimizer = SGD(net.parameters(), 0.1, momentum = 0.9)",
    "optimizer = adam(lr = 1e-3), schedule = CosineAnnealingLR(optimizer, T_max = 20)",
    "optimizer = adam(lr = 1e-3), schedule = StepLR(optimizer, 5, gamma = 0.5)",
    "optimizer = adam(lr = 1e-3), schedule = ExponentialLR(optimizer, gamma = 0.9)",
    "optimizer = adam(lr = 1e-3), schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience = 3)",
    "optimizer = adam(lr = 1e-3), schedule = OneCycleLR(optimizer, max_lr = 0.1)",
    "optimizer = adam(lr = 1e-3), clip = clip_grad_norm_(net.parameters(), 1.0)",
    "optimizer = adam(lr = 1e-3), batch = DataLoader(pairs, 8)",
];

fn model(call: &str) -> String {
    format!(
        "{HEAD}model net(x: Image[B, 1, H, W]@f) {{
  let m: Feat[B, 8, H, W]@f = x |> conv(8, 3)
  out y = {call}
}}
loss total = mean(net(image).y)
"
    )
}

fn value(call: &str) -> String {
    format!("{HEAD}loss total = {call}\n")
}

fn field(fields: &str) -> String {
    format!(
        "data pairs = layout_images(synth(tiles = 8), patch = 64px)
model net(x: Image[B, 1, H, W]@f) {{ out det: Prob[B, 1, H, W]@f = x |> conv(1, 3) |> sigmoid }}
minimize total = bce(pairs.corners, net(pairs.image).det)
train {{ {fields} }}
"
    )
}

fn errors(text: &str) -> Vec<Report> {
    let (vocabulary, mut sources) = ops::vocabulary();
    let file = sources.add(SourceKind::Main, "test.rord", text);
    let (_, reports) = check(&mut sources, file, &vocabulary, &NoImports, &Outside::default());
    reports.into_iter().filter(|r| r.severity == Severity::Error).collect()
}

fn edited(text: &str, report: &Report) -> String {
    let mut edits = report.edits.clone();
    edits.sort_by_key(|e| std::cmp::Reverse(e.span.start));
    edits.iter().fold(text.to_string(), |text, e| {
        let (start, end) = (e.span.start as usize, e.span.end as usize);
        format!("{}{}{}", &text[..start], e.text, &text[end..])
    })
}

#[test]
fn calls_of_other_libraries_give_one_report_and_a_call_that_checks() {
    let texts = LAYERS.iter().map(|c| (c, model(c))).chain(VALUES.iter().map(|c| (c, value(c))));
    let (mut wrong, mut proposed) = (Vec::new(), 0);
    for (call, text) in texts.chain(FIELDS.iter().map(|c| (c, field(c)))) {
        let found = errors(&text);
        let [report] = found.as_slice() else {
            // It may be an operation of this name by now, called as it is here.
            if !found.is_empty() {
                wrong.push(format!("{call}: {} reports, {found:?}", found.len()));
            }
            continue;
        };
        let help = report.help.clone().unwrap_or_default();
        if !matches!(report.code, "R0201" | "R0203" | "R0213") || help.is_empty() {
            wrong.push(format!("{call}: {report:?}"));
        } else if !report.edits.is_empty() {
            proposed += 1;
            let fixed = edited(&text, report);
            let left = errors(&fixed);
            if report.can_be_fixed() || !left.is_empty() {
                wrong.push(format!("{call}: {help}\n  {:?}", left.first()));
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong\n{}", wrong.len(), wrong.join("\n"));
    assert!(proposed >= 55, "{proposed}");
}

#[test]
fn every_row_of_the_table_is_tried() {
    let all = LAYERS.iter().chain(VALUES).chain(FIELDS).copied().collect::<Vec<_>>().join(" ");
    let words = |text: &str| -> BTreeSet<String> {
        let words = text.split(|c: char| !c.is_alphanumeric() && c != '_');
        words.map(|w| w.replace('_', "").to_lowercase()).collect()
    };
    let tried = words(&all);
    // Rows are called by their first name; some are tried by another one.
    let by_another = ["pixelunshuffle", "view", "kldiv", "infonce", "relu"];
    let missing: Vec<&str> = translate::names().filter(|n| !tried.contains(*n) && !by_another.contains(n)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn what_is_proposed_is_of_the_kind_that_is_wanted() {
    // `cosine` is a schedule and a function of maps, `step` only a schedule.
    for (call, never) in
        [("mean(x |> steps(2))", "step("), ("mean(cosin(x, y))", "Schedule"), ("mean(x |> constantt)", "constant(")]
    {
        let found = errors(&value(call));
        assert_eq!(found.len(), 1, "{call}: {found:?}");
        assert!(!found[0].help.clone().unwrap_or_default().contains(never), "{call}: {found:?}");
    }
    let text = format!("{HEAD}param margins: Scalar = 1\nloss total = mean(margin * x) + margins\n");
    let found = errors(&text);
    assert!(found[0].help.clone().unwrap().contains("`margins`"), "{found:?}");
    // A map is meant where a map is wanted, though a number's name is nearer.
    let text = format!(
        "{HEAD}param maps: Scalar = 1\ninput mapping: Feat[B, 8, h, w]@f\nloss total = l1(mapp, x) + maps + mean(mapping)\n"
    );
    let found = errors(&text);
    assert!(found[0].help.clone().unwrap().contains("`mapping`"), "{found:?}");
}
