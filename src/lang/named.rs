//! The names of a pipeline and what they stand for, in the order of the text: tensors, settings, records of both.

use super::constant::Constant;
use super::source::Span;
use super::typed::{Pipeline, ValueId};
use super::types::{Kind, Type};

/// A name.
#[derive(Clone, Debug)]
pub struct Named {
    /// `det`, `net.trunk`
    pub name: String,
    /// What it stands for.
    pub is: Meaning,
    /// Where the name stands.
    pub span: Span,
}

/// What a name stands for.
#[derive(Clone, Debug)]
pub enum Meaning {
    /// A tensor of the pipeline, which can be computed.
    Tensor(ValueId),
    /// A tensor inside a function or a model, as that was checked on its own: every call makes another.
    Within(Type),
    /// Something known before the run; its value, once it is set.
    Known(Kind, Option<Constant>),
    /// Several named things.
    Record(Vec<(String, Meaning)>),
    /// Something that was reported.
    Wrong,
}

impl Meaning {
    /// Its type as a person reads it; `ty` is the type of a tensor.
    pub fn shown<'a>(&self, ty: impl Fn(ValueId) -> Option<&'a Type>) -> String {
        match self {
            Meaning::Tensor(id) => ty(*id).map(Type::to_string).unwrap_or_default(),
            Meaning::Within(ty) => ty.to_string(),
            Meaning::Known(kind, Some(value)) => match value {
                Constant::Recipe(r) => format!("{} `{}`", kind.name(), r.op),
                value @ Constant::List(_) => format!("a list {value}"),
                value => format!("{} {value}", kind.name()),
            },
            Meaning::Known(kind, None) => kind.name().to_string(),
            Meaning::Record(fields) => {
                let fields: Vec<&str> = fields.iter().map(|(name, _)| name.as_str()).collect();
                format!("{{ {} }}", fields.join(", "))
            }
            Meaning::Wrong => "?".into(),
        }
    }

    /// The same without numbers of values, which are given out again.
    pub fn within<'a>(self, ty: impl Fn(ValueId) -> Option<&'a Type> + Copy) -> Meaning {
        match self {
            Meaning::Tensor(id) => ty(id).map_or(Meaning::Wrong, |t| Meaning::Within(t.clone())),
            Meaning::Record(fields) => {
                Meaning::Record(fields.into_iter().map(|(name, is)| (name, is.within(ty))).collect())
            }
            other => other,
        }
    }

    /// The tensor, or the one of a record that a path of fields leads to.
    fn tensor(&self, mut path: std::str::Split<'_, char>) -> Option<ValueId> {
        match (self, path.next()) {
            (Meaning::Tensor(id), None) => Some(*id),
            (Meaning::Record(fields), Some(field)) => {
                fields.iter().find(|(name, _)| name == field).and_then(|(_, is)| is.tensor(path))
            }
            _ => None,
        }
    }
}

impl Pipeline {
    /// The type of a name as a person reads it.
    pub fn shown(&self, named: &Named) -> String {
        named.is.shown(|id| self.value(id).map(|v| &v.ty))
    }

    /// The tensor that a name of the file stands for: `det`, or `pairs.image` for a field of what a name stands for.
    pub fn tensor(&self, name: &str) -> Option<ValueId> {
        let mut path = name.split('.');
        let first = path.next()?;
        self.names.iter().find(|n| n.name == first).and_then(|n| n.is.tensor(path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_to_tensors_through_the_fields_of_records() {
        let named = |name: &str, is| Named { name: name.into(), is, span: Span::default() };
        let fields = vec![("image".into(), Meaning::Tensor(ValueId(3))), ("wrong".into(), Meaning::Wrong)];
        let names = vec![
            named("det", Meaning::Tensor(ValueId(1))),
            named("pairs", Meaning::Record(fields)),
            named("lr", Meaning::Known(Kind::Rate, Some(Constant::Number(1e-3)))),
            named("net.det", Meaning::Within(Type::plain(Kind::Loss))),
        ];
        let pipeline = Pipeline { names, ..Pipeline::default() };
        assert_eq!(pipeline.tensor("det"), Some(ValueId(1)));
        assert_eq!(pipeline.tensor("pairs.image"), Some(ValueId(3)));
        for none in ["pairs", "pairs.wrong", "pairs.other", "det.x", "lr", "net.det", "absent", ""] {
            assert_eq!(pipeline.tensor(none), None, "{none}");
        }
        let shown: Vec<String> = pipeline.names.iter().map(|n| pipeline.shown(n)).collect();
        assert_eq!(shown, ["", "{ image, wrong }", "Rate 1e-3", "Loss"]);
    }
}
