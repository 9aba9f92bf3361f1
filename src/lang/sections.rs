//! The sections `train`, `save` and `export`, and the parts of `train`: one table of their fields, which the checker, the engine, the language
//! server and the manual read.

use super::constant::Constant;
use super::types::Kind;

/// A section.
pub struct Section {
    /// Its keyword.
    pub name: &'static str,
    /// Its fields, in alphabetical order.
    pub fields: &'static [Field],
}

/// A field of a section.
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// Its kind.
    pub kind: Kind,
    /// Another kind that it may have.
    pub also: Option<Kind>,
    /// Which of the kind's values it takes.
    pub within: Within,
    /// The words that it may be, where it is one of a few.
    pub words: &'static [&'static str],
    /// What holds without it.
    pub default: Default,
    /// What it is for, in Markdown.
    pub about: &'static str,
}

/// Which values of its kind a field takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Within {
    /// All of them.
    Any,
    /// Not 0.
    AtLeastOne,
    /// Numbers below 1.
    Share,
}

/// What holds where a field is left out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Default {
    /// The run is refused.
    Required,
    /// What the field would do is not done.
    Nothing,
    /// A count.
    Count(u32),
    /// A flag.
    Flag(bool),
    /// A word.
    Word(&'static str),
    /// The objective, in validation where there is data for it, else in training.
    Objective,
}

impl Default {
    /// The value, where it does not depend on the pipeline.
    pub fn constant(self) -> Option<Constant> {
        match self {
            Default::Required | Default::Nothing | Default::Objective => None,
            Default::Count(n) => Some(Constant::Number(f64::from(n))),
            Default::Flag(flag) => Some(Constant::Flag(flag)),
            Default::Word(word) => Some(Constant::Word(word.into())),
        }
    }

    /// The value as a person reads it; `None` where the field cannot be left out.
    pub fn shown(self) -> Option<String> {
        match self {
            Default::Required => None,
            Default::Nothing => Some("none".into()),
            Default::Objective => Some("the objective".into()),
            other => other.constant().map(|c| c.to_string()),
        }
    }
}

impl Field {
    /// The kinds that it may have, in words: `Rate or Factor`.
    pub fn kinds(&self) -> String {
        let also = self.also.map(|k| format!(" or {}", k.name())).unwrap_or_default();
        format!("{}{also}", self.kind.name())
    }
}

const PLAIN: Field = Field {
    name: "",
    kind: Kind::Word,
    also: None,
    within: Within::Any,
    words: &[],
    default: Default::Nothing,
    about: "",
};

/// Every section.
pub const SECTIONS: [Section; 4] = [
    Section {
        name: "train",
        fields: &[
            Field {
                name: "accumulate",
                kind: Kind::Count,
                within: Within::AtLeastOne,
                default: Default::Count(1),
                about: "how many batches' gradients are averaged for a step",
                ..PLAIN
            },
            Field {
                name: "batch",
                kind: Kind::Count,
                within: Within::AtLeastOne,
                default: Default::Count(8),
                about: "how many samples a batch holds",
                ..PLAIN
            },
            Field {
                name: "clip",
                kind: Kind::Clip,
                about: "a bound on the gradients: `grad_norm(1.0)`, `grad_value(0.5)`",
                ..PLAIN
            },
            Field {
                name: "ema",
                kind: Kind::Weight,
                within: Within::Share,
                about: "the share of itself that the running average of the weights keeps in each step, such as 0.999; the average is \
                        validated and saved",
                ..PLAIN
            },
            Field {
                name: "epochs",
                kind: Kind::Count,
                within: Within::AtLeastOne,
                default: Default::Count(10),
                about: "how often the run goes through its steps, with a validation after each",
                ..PLAIN
            },
            Field {
                name: "optimizer",
                kind: Kind::Optimizer,
                default: Default::Required,
                about: "how weights change: `adam(…)`, `adamw(…)`, `sgd(…)`",
                ..PLAIN
            },
            Field {
                name: "precision",
                words: &["f32", "bf16"],
                default: Default::Word("f32"),
                about: "`f32`, or `bf16`: what is multiplied is rounded to bfloat16, on processors that gain by it",
                ..PLAIN
            },
            Field {
                name: "sanity",
                kind: Kind::Count,
                default: Default::Count(1),
                about: "how many batches of the validation are tried before the first epoch, so that what fails there fails at once",
                ..PLAIN
            },
            Field {
                name: "schedule",
                kind: Kind::Schedule,
                about: "how the learning rate changes: `reduce_on_plateau(…)`, `cosine(…)`",
                ..PLAIN
            },
            Field {
                name: "seed",
                kind: Kind::Count,
                default: Default::Count(0),
                about: "the number that all randomness of the run comes from",
                ..PLAIN
            },
            Field {
                name: "stop",
                kind: Kind::Stop,
                about: "when the run ends early, such as `after(10epochs, without = val.total)`",
                ..PLAIN
            },
        ],
    },
    Section {
        name: "save",
        fields: &[
            Field {
                name: "best",
                kind: Kind::Watch,
                default: Default::Objective,
                about: "the reported number whose best epoch is kept as `best.safetensors`, such as `val.total` or `max(val.matching)`",
                ..PLAIN
            },
            Field {
                name: "every",
                kind: Kind::Duration,
                within: Within::AtLeastOne,
                about: "how often the weights are kept under a name of their own, `epoch-5.safetensors` or `step-500.safetensors`",
                ..PLAIN
            },
            Field {
                name: "keep",
                kind: Kind::Count,
                within: Within::AtLeastOne,
                default: Default::Count(1),
                about: "how many of the best epochs are kept: `best.safetensors`, and above 1 each as `top-EPOCH.safetensors`",
                ..PLAIN
            },
            Field {
                name: "last",
                kind: Kind::Flag,
                default: Default::Flag(true),
                about: "whether the weights of the last epoch are kept",
                ..PLAIN
            },
            Field {
                name: "report",
                kind: Kind::Flag,
                default: Default::Flag(true),
                about: "whether the run ends with `report.html`, a page to look at: curves, formulas, pictures",
                ..PLAIN
            },
            Field {
                name: "state",
                kind: Kind::Every,
                about: "how often, besides before and after each validation, everything is saved that `rord-run resume` goes on \
                        from: `every(5min)`, `every(200steps)`",
                ..PLAIN
            },
            Field {
                name: "tensorboard",
                kind: Kind::Flag,
                default: Default::Flag(false),
                about: "whether numbers and the text are also written for TensorBoard, into the folder `tensorboard`",
                ..PLAIN
            },
        ],
    },
    Section { name: "export", fields: &[] },
    Section {
        name: "part",
        fields: &[
            Field {
                name: "frozen",
                kind: Kind::Flag,
                also: Some(Kind::Duration),
                default: Default::Flag(false),
                about: "`true`, or how long the weights stay as they are, such as `5epochs`",
                ..PLAIN
            },
            Field {
                name: "init",
                kind: Kind::Path,
                about: "a file that the weights begin with, of rord or PyTorch; `under \"features\"` names the part of it",
                ..PLAIN
            },
            Field {
                name: "lr",
                kind: Kind::Rate,
                also: Some(Kind::Factor),
                about: "the learning rate, or a multiple of the optimizer's such as `0.1x`",
                ..PLAIN
            },
            Field {
                name: "weight_decay",
                kind: Kind::Weight,
                about: "the weight decay, in place of the optimizer's",
                ..PLAIN
            },
        ],
    },
];

/// A section by its keyword.
pub fn section(name: &str) -> Option<&'static Section> {
    const ALL: &[Section] = &SECTIONS;
    ALL.iter().find(|s| s.name == name)
}

/// A field of a section.
pub fn field(section_name: &str, name: &str) -> Option<&'static Field> {
    section(section_name)?.fields.iter().find(|f| f.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_described_in_order_and_defaults_are_of_their_kind() {
        for section in &SECTIONS {
            assert!(section.fields.is_sorted_by_key(|f| f.name), "{}", section.name);
            for field in section.fields {
                assert!(!field.about.is_empty(), "{}.{}", section.name, field.name);
                assert_eq!(field.words.is_empty(), field.kind != Kind::Word, "{}", field.name);
                let fits = match field.default {
                    Default::Required | Default::Nothing => true,
                    Default::Objective => field.kind == Kind::Watch,
                    Default::Count(_) => field.kind == Kind::Count,
                    Default::Flag(_) => field.kind == Kind::Flag,
                    Default::Word(word) => field.words.contains(&word),
                };
                assert!(fits, "{}.{}", section.name, field.name);
            }
        }
        assert!(field("train", "batch").is_some() && field("save", "batch").is_none());
    }
}
