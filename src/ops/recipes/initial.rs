//! How weights begin that a model declares.

use crate::op::Op;
use rord_lang::typed::Initial;
use rord_lang::vocabulary::Entry;

/// Every one of them.
pub static RECIPES: &[Op] = &[
    Op::recipe(
        "normal",
        Entry {
            signature: "normal(deviation: Rate = 0.01) -> Init",
            manual: "\
A weight begins with normal numbers of mean 0 and this deviation, drawn from the run's seed and the weight's name.

Source: `torch.nn.init.normal_(w, std = deviation)`, with other draws.

```rord
input f: Vectors[N, 128]
model classes() {
  weight prototypes: Vectors[10, 128] = normal(0.01)
}
minimize total = mean(similarities(f, l2norm(classes().prototypes)))
```
",
            initial: Some(|s, _| s.number("deviation").ok().map(Initial::Normal)),
            ..Entry::PLAIN
        },
    ),
    Op::recipe(
        "fan_in",
        Entry {
            signature: "fan_in() -> Init",
            manual: "\
A weight begins uniform within ±1/√n, where n is its last size: as the layers of PyTorch do.

Source: `torch.nn.Linear`, with other draws.

```rord
input f: Vectors[N, 128]
model classes() {
  weight prototypes: Vectors[10, 128] = fan_in
}
minimize total = mean(similarities(f, classes().prototypes))
```
",
            initial: Some(|_, shape| Some(Initial::FanIn(shape.last().copied().unwrap_or(1)))),
            ..Entry::PLAIN
        },
    ),
];
