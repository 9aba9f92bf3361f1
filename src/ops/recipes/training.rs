//! Optimizers, clipping and schedules.

use crate::op::Op;
use crate::rules::between;
use rord_lang::constant::Constant;
use rord_lang::report::numbers;
use rord_lang::vocabulary::{Application, Entry};

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
        "reduce_on_plateau",
        Entry {
            signature: "reduce_on_plateau(watch: Watch, factor: Rate = 0.1, patience: Duration = 10epochs, \
                        threshold: Weight = 1e-4, cooldown: Duration = 0epochs, min_lr: Weight = 0) -> Schedule",
            manual: "\
Multiplies the learning rate by `factor` once `watch` has not improved for more than `patience` epochs, as
`torch.optim.lr_scheduler.ReduceLROnPlateau` with a relative threshold. A loss improves by falling, a score by growing.

```rord
input p: Prob[B, 1, H, W]@f
minimize total = mean(p)
train { optimizer = adam(lr = 1e-3), schedule = reduce_on_plateau(watch = val.total, factor = 0.5, patience = 5epochs) }
```
",
            rule: |a| between(a, "factor", 0.0, 1.0, true),
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
train { optimizer = sgd(lr = 0.1), schedule = step(every = 30epochs) }
```
",
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
train { optimizer = sgd(lr = 0.1), schedule = linear_to_zero(over = 20epochs) }
```
",
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
