//! Optimizers, clipping, schedules, and early ends.

use crate::op::Op;
use crate::rules::{between, positive};
use rord_lang::constant::{Constant, Unit, number};
use rord_lang::report::numbers;
use rord_lang::vocabulary::{Application, Entry, InRun};

/// Every one of them.
pub static RECIPES: &[Op] = &[
    Op::recipe(
        "adam",
        Entry {
            signature: "adam(lr: Rate, betas: List = [0.9, 0.999], eps: Rate = 1e-8, \
                        weight_decay: Weight = 0) -> Optimizer",
            manual: "\
Adam, as `torch.optim.Adam`: decay is added to the gradient. Source: Kingma and Ba, 2015.

```rord
train { optimizer = adam(lr = 1e-3) }
```
",
            rule: |a| betas(a),
            ..Entry::PLAIN
        },
    ),
    Op::recipe(
        "adamw",
        Entry {
            signature: "adamw(lr: Rate, betas: List = [0.9, 0.999], eps: Rate = 1e-8, \
                        weight_decay: Weight = 1e-2) -> Optimizer",
            manual: "\
Adam with decay apart from the gradient, as `torch.optim.AdamW`. Source: Loshchilov and Hutter, 2019.

```rord
train { optimizer = adamw(lr = 1e-3, weight_decay = 0.05) }
```
",
            rule: |a| betas(a),
            ..Entry::PLAIN
        },
    ),
    Op::recipe(
        "sgd",
        Entry {
            signature: "sgd(lr: Rate, momentum: Weight = 0, nesterov: Flag = false, \
                        weight_decay: Weight = 0) -> Optimizer",
            manual: "\
Stochastic gradient descent, as `torch.optim.SGD` without dampening.

```rord
train { optimizer = sgd(lr = 0.1, momentum = 0.9, nesterov = true) }
```
",
            rule: |a| {
                between(a, "momentum", 0.0, 1.0, true);
                if a.is_true("nesterov") && a.number("momentum") == Some(0.0) {
                    let span = a.arg("nesterov").map_or(a.span, |x| x.span);
                    let help = "as in  sgd(lr = 0.1, momentum = 0.9, nesterov = true)";
                    a.reports.push(numbers::rule(span, "Nesterov's method needs a momentum", "momentum is 0", help));
                }
            },
            ..Entry::PLAIN
        },
    ),
    Op::recipe(
        "grad_norm",
        Entry {
            signature: "grad_norm(max: Rate = 1.0) -> Clip",
            manual: "\
Scales all gradients together so that their norm is at most `max`, as `torch.nn.utils.clip_grad_norm_`: one norm over
all weights, and the factor min(1, max/(norm + 1e-6)).

```rord
train { optimizer = adam(lr = 1e-3), clip = grad_norm(1.0) }
```
",
            ..Entry::PLAIN
        },
    ),
    Op::recipe(
        "grad_value",
        Entry {
            signature: "grad_value(max: Rate) -> Clip",
            manual: "\
Cuts every number of every gradient to [-max, max], as `torch.nn.utils.clip_grad_value_`. This may turn the direction of a
step, which `grad_norm` does not.

```rord
train { optimizer = adam(lr = 1e-3), clip = grad_value(0.5) }
```
",
            ..Entry::PLAIN
        },
    ),
    Op::recipe(
        "after",
        Entry {
            signature: "after(patience: Duration, without: Watch) -> Stop",
            manual: "\
Ends the run once `without` has been no better than its best for `patience` epochs in a row. A loss is better when it is
smaller, a score when it is larger; `max(val.m)` and `min(val.m)` say it where nothing else does. Validations are counted,
one an epoch. The run's last lines and its record say that it ended so, and its record is `finished`.

```rord
data d = layout_images(synth(), patch = 64px) -> { image: Image[B, 1, H, W]@orig, corners: Label[B, 1, H, W]@orig }
model net(x: Image[B, 1, H, W]@f) {
  out det = x |> conv(1, 3) |> sigmoid
}
minimize total = bce(d.corners, net(d.image).det)
train { optimizer = adam(lr = 1e-3), epochs = 100, stop = after(10epochs, without = val.total) }
```

Source: Prechelt, Early Stopping - But When?, 1998.
",
            rule: |a| {
                positive(a, "patience");
            },
            in_run: |run| by_epochs(run, "patience"),
            ..Entry::PLAIN
        },
    ),
    Op::recipe(
        "every",
        Entry {
            signature: "every(time: Interval) -> Every",
            manual: "\
How often the state of a run is saved, in minutes, steps or epochs: `rord-run resume RUN` goes on from the last one. Whenever it
is saved, the numbers of the run stay the same. It is saved before and after each validation in any case.

```rord
train { optimizer = adam(lr = 1e-3) }
save  { state = every(5min) }
```
",
            rule: |a| {
                if a.number("time") == Some(0.0) {
                    let span = a.arg("time").map_or(a.span, |x| x.span);
                    let help = "as in  every(5min), or every(200steps)";
                    a.reports.push(numbers::rule(span, "`time` of `every` is a time above 0", "no time", help));
                }
            },
            ..Entry::PLAIN
        },
    ),
    Op::recipe(
        "reduce_on_plateau",
        Entry {
            signature: "reduce_on_plateau(watch: Watch, factor: Rate = 0.1, patience: Duration = 10epochs, \
                        threshold: Weight = 1e-4, cooldown: Duration = 0epochs, min_lr: Weight = 0) -> Schedule",
            manual: "\
Multiplies the learning rate by `factor` once `watch` has not improved for more than `patience` epochs, as
`torch.optim.lr_scheduler.ReduceLROnPlateau` with a relative threshold. A loss improves by falling, a score by growing;
of a number for which nothing says which, `watch = max(val.m)` or `watch = min(val.m)` does. `patience` and `cooldown`
count validations, one an epoch.

```rord
data d = layout_images(synth(), patch = 64px) -> { image: Image[B, 1, H, W]@orig, corners: Label[B, 1, H, W]@orig }
model net(x: Image[B, 1, H, W]@f) {
  out det = x |> conv(1, 3) |> sigmoid
}
minimize total = bce(d.corners, net(d.image).det)
train { optimizer = adam(lr = 1e-3), schedule = reduce_on_plateau(watch = val.total, factor = 0.5, patience = 5epochs) }
```
",
            rule: |a| between(a, "factor", 0.0, 1.0, true),
            in_run: |run| {
                by_epochs(run, "patience");
                by_epochs(run, "cooldown");
            },
            ..Entry::PLAIN
        },
    ),
    Op::recipe(
        "constant",
        Entry {
            signature: "constant() -> Schedule",
            manual: "\
The learning rate stays as it is.

```rord
train { optimizer = adam(lr = 1e-3), schedule = constant }
```
",
            ..Entry::PLAIN
        },
    ),
    Op::recipe(
        "cosine",
        Entry {
            signature: "cosine(warmup: Duration = 0steps, to: Weight = 0) -> Schedule",
            manual: "\
Grows linearly over `warmup`, then falls along half a cosine to the rate `to` at the end of the run.

```rord
train { optimizer = adam(lr = 1e-3), schedule = cosine(warmup = 200steps) }
```
",
            in_run: |run| {
                if let Some(warmup) = run.in_epochs("warmup").filter(|w| *w >= run.epochs) {
                    let reached = run.epochs / warmup.max(f64::MIN_POSITIVE);
                    let share = number((reached * 1000.0).round() / 10.0);
                    let title = "the warm-up does not end within the run".to_string();
                    let label = format!("the run is {} long, so the rate gets to {share} % of `lr`", run.length_like("warmup"));
                    run.find("warmup", title, label, "shorten the warm-up, or train for longer".into());
                }
                if let (Ok(to), Some(lr)) = (run.settings.number("to"), run.lr)
                    && to >= lr
                {
                    let title = "the rate does not fall: `to` is a rate, not a share of `lr`".to_string();
                    let label = format!("from lr = {} to {}", number(lr), number(to));
                    run.find("to", title, label, format!("as in  to = {}", number(lr / 100.0)));
                }
            },
            ..Entry::PLAIN
        },
    ),
    Op::recipe(
        "step",
        Entry {
            signature: "step(every: Duration, factor: Rate = 0.1) -> Schedule",
            manual: "\
Multiplies the learning rate by `factor` every so often, as `torch.optim.lr_scheduler.StepLR`.

```rord
train { optimizer = sgd(lr = 0.1), epochs = 90, schedule = step(every = 30epochs) }
```
",
            rule: |a| {
                positive(a, "every");
            },
            in_run: |run| {
                if run.in_epochs("every").is_some_and(|e| e >= run.epochs) {
                    let title = "the rate never changes within the run".to_string();
                    let label = format!("the run is {} long", run.length_like("every"));
                    run.find("every", title, label, "choose less than the run is long, or leave the schedule out".into());
                }
            },
            ..Entry::PLAIN
        },
    ),
    Op::recipe(
        "linear_to_zero",
        Entry {
            signature: "linear_to_zero(over: Duration) -> Schedule",
            manual: "\
Falls along a straight line to 0 over this time, and stays there.

```rord
train { optimizer = sgd(lr = 0.1), epochs = 20, schedule = linear_to_zero(over = 20epochs) }
```
",
            rule: |a| {
                positive(a, "over");
            },
            in_run: |run| {
                if run.in_epochs("over").is_some_and(|over| over < run.epochs) {
                    let title = "the rate is 0 before the run ends, and nothing is learned from there on".to_string();
                    let whole = run.length_like("over");
                    let label = format!("the run is {whole} long");
                    run.find("over", title, label, format!("as long as the run:  over = {whole}"));
                }
            },
            ..Entry::PLAIN
        },
    ),
    Op::recipe(
        "one_cycle",
        Entry {
            signature: "one_cycle() -> Schedule",
            manual: "\
One rise and one fall over the run with cosine annealing, as `torch.optim.lr_scheduler.OneCycleLR` by default: from
lr/25 to lr over the first 30 % of the steps, then down to lr/25e4.

```rord
train { optimizer = sgd(lr = 0.1, momentum = 0.9), schedule = one_cycle }
```
",
            ..Entry::PLAIN
        },
    ),
];

/// A watched number is there once an epoch, so that time before it is known is counted in epochs.
fn by_epochs(run: &mut InRun<'_>, setting: &'static str) {
    let Some(Constant::Quantity(steps, Unit::Steps)) = run.settings.get(setting) else { return };
    let counted = run.in_epochs(setting).map(f64::ceil);
    let title = format!("`{setting}` counts validations, and there is one an epoch");
    let label = match counted {
        Some(epochs) => format!("{}steps are counted as {}epochs", number(*steps), number(epochs)),
        None => "rounded up to whole epochs".to_string(),
    };
    let help = counted.map_or("write it in epochs".to_string(), |n| format!("write  {setting} = {}epochs", number(n)));
    run.find(setting, title, label, help);
}

fn betas(a: &mut Application<'_>) {
    let fits = match a.arg("betas").and_then(|x| x.constant.as_ref()) {
        Some(Constant::List(items)) => {
            items.len() == 2 && items.iter().all(|b| b.number().is_some_and(|b| (0.0..1.0).contains(&b)))
        }
        Some(_) => false,
        None => true,
    };
    if !fits {
        let span = a.arg("betas").map_or(a.span, |x| x.span);
        a.reports.push(numbers::rule(
            span,
            "`betas` are two numbers in [0, 1)",
            "something else",
            "as in  betas = [0.9, 0.999]",
        ));
    }
}
