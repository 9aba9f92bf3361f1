//! What is known before a run: numbers with their units, words, ranges, lists, and recipes such as `adam(lr = 1e-3)`.
//!
//! A constant is what a `param` holds and what an operation receives as a setting. It prints as the language writes it,
//! and the text reads back as the same constant: sweeps, parameter files, reports and the formatter rely on that.

use std::fmt;

use super::timed::Timed;

/// A unit that is written glued to its number: `256px`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unit {
    /// Pixels of the image that declares the frame.
    Px,
    /// Degrees.
    Deg,
    /// Passes over the training set.
    Epochs,
    /// Optimizer steps.
    Steps,
    /// Minutes of the clock.
    Minutes,
    /// So many times another number: `0.1x`.
    Times,
}

impl Unit {
    /// All units, in the order in which a message lists them.
    pub const ALL: [Unit; 6] = [Unit::Px, Unit::Deg, Unit::Epochs, Unit::Steps, Unit::Minutes, Unit::Times];

    /// The unit as it is written.
    pub fn name(self) -> &'static str {
        match self {
            Unit::Px => "px",
            Unit::Deg => "deg",
            Unit::Epochs => "epochs",
            Unit::Steps => "steps",
            Unit::Minutes => "min",
            Unit::Times => "x",
        }
    }
}

/// A value that is known before a tensor exists.
#[derive(Clone, Debug, PartialEq)]
pub enum Constant {
    /// `none`: an optional argument that was left out.
    None,
    /// A plain number.
    Number(f64),
    /// A number with a unit.
    Quantity(f64, Unit),
    /// `true` or `false`.
    Flag(bool),
    /// A string.
    Text(String),
    /// A word with a meaning to the operation that takes it: `same`, `mean`, `val.total`.
    Word(String),
    /// `low..high`.
    Range(Box<Constant>, Box<Constant>),
    /// `[a, b, c]`.
    List(Vec<Constant>),
    /// An operation with its settings, to be carried out later: `hardneg(apart = 8px)`.
    Recipe(Recipe),
    /// A number that changes while training: `ramp(0, 1, over = 5epochs)`.
    Timed(Box<Timed>),
}

/// An operation with its settings: `adam(lr = 1e-3)`.
#[derive(Clone, Debug, PartialEq)]
pub struct Recipe {
    /// The operation's name.
    pub op: String,
    /// Every setting the operation has, defaults included.
    pub settings: Settings,
}

/// The settings of one use of an operation, by parameter name, in the order of its signature.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings(pub Vec<(String, Constant)>);

/// A setting that is absent or of another kind than the operation reads. The checker rules this out for what a user
/// writes; it is an error value all the same, because nothing may panic.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("setting `{name}` is not {wanted}")]
pub struct Unreadable {
    /// The setting's name.
    pub name: String,
    /// What the operation wanted to read.
    pub wanted: &'static str,
}

impl Settings {
    /// The setting called `name`, if it is there and not `none`.
    pub fn get(&self, name: &str) -> Option<&Constant> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, c)| c).filter(|c| !matches!(c, Constant::None))
    }

    fn read<'a, T>(
        &'a self,
        name: &str,
        wanted: &'static str,
        read: impl Fn(&'a Constant) -> Option<T>,
    ) -> Result<T, Unreadable> {
        self.get(name).and_then(read).ok_or_else(|| Unreadable { name: name.into(), wanted })
    }

    /// A number; the unit, if any, is dropped.
    pub fn number(&self, name: &str) -> Result<f64, Unreadable> {
        self.read(name, "a number", Constant::number)
    }

    /// A whole number that is not negative; the unit, if any, is dropped.
    pub fn count(&self, name: &str) -> Result<usize, Unreadable> {
        self.read(name, "a count", Constant::count)
    }

    /// `true` or `false`.
    pub fn flag(&self, name: &str) -> Result<bool, Unreadable> {
        self.read(name, "true or false", |c| match c {
            Constant::Flag(b) => Some(*b),
            _ => None,
        })
    }

    /// A word or a string.
    pub fn text(&self, name: &str) -> Result<&str, Unreadable> {
        self.read(name, "a word", |c| match c {
            Constant::Text(s) | Constant::Word(s) => Some(s.as_str()),
            _ => None,
        })
    }

    /// Both ends of a range; a single number is a range of one value.
    pub fn range(&self, name: &str) -> Result<(f64, f64), Unreadable> {
        self.read(name, "a range", Constant::range)
    }

    /// A list; a single value is a list of one.
    pub fn list(&self, name: &str) -> Result<&[Constant], Unreadable> {
        self.read(name, "a list", |c| match c {
            Constant::List(items) => Some(items.as_slice()),
            one => Some(std::slice::from_ref(one)),
        })
    }

    /// A recipe.
    pub fn recipe(&self, name: &str) -> Result<&Recipe, Unreadable> {
        self.read(name, "a recipe", |c| match c {
            Constant::Recipe(r) => Some(r),
            _ => None,
        })
    }
}

impl Constant {
    /// The number, without its unit.
    pub fn number(&self) -> Option<f64> {
        match self {
            Constant::Number(x) | Constant::Quantity(x, _) => Some(*x),
            _ => None,
        }
    }

    /// The number, if it is whole, not negative and exactly representable.
    pub fn count(&self) -> Option<usize> {
        self.number().filter(|x| *x >= 0.0 && x.fract() == 0.0 && *x <= 9e15).map(|x| x as usize)
    }

    /// Both ends of a range; a single number is a range of one value.
    pub fn range(&self) -> Option<(f64, f64)> {
        match self {
            Constant::Range(low, high) => Some((low.number()?, high.number()?)),
            one => one.number().map(|x| (x, x)),
        }
    }
}

impl fmt::Display for Constant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Constant::None => f.write_str("none"),
            Constant::Number(x) => f.write_str(&number(*x)),
            Constant::Quantity(x, unit) => write!(f, "{}{}", number(*x), unit.name()),
            Constant::Flag(b) => write!(f, "{b}"),
            Constant::Text(s) => f.write_str(&quoted(s)),
            Constant::Word(w) => f.write_str(w),
            Constant::Range(low, high) => write!(f, "{low}..{high}"),
            Constant::List(items) => {
                f.write_str("[")?;
                for (i, item) in items.iter().enumerate() {
                    write!(f, "{}{item}", if i == 0 { "" } else { ", " })?;
                }
                f.write_str("]")
            }
            Constant::Recipe(r) => write!(f, "{r}"),
            Constant::Timed(timed) => write!(f, "{timed}"),
        }
    }
}

impl fmt::Display for Recipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({})", self.op, self.settings)
    }
}

impl fmt::Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let given = self.0.iter().filter(|(_, c)| *c != Constant::None);
        for (i, (name, value)) in given.enumerate() {
            write!(f, "{}{name} = {value}", if i == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

/// A string as the lexer reads it: in double quotes, with the four escapes that the language has.
pub fn quoted(s: &str) -> String {
    let mut out = String::with_capacity(s.len() + 2);
    out.push('"');
    for c in s.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// A number that was computed in f32, with no more digits than that has: 0.864, and not 0.8639999985694885. What no normal f32 is
/// near keeps all of its digits.
pub fn of_f32(x: f64) -> f64 {
    let single = x as f32;
    if single.is_normal() { single.to_string().parse().unwrap_or(x) } else { x }
}

/// A number as a person writes it: `0.001` as `1e-3`, `128` without a point, the shortest digits that read back the
/// same.
pub fn number(x: f64) -> String {
    let plain = format!("{x}");
    if x == 0.0 || (1e-2..1e6).contains(&x.abs()) || !x.is_finite() {
        return plain;
    }
    format!("{x:e}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_of_f32_has_no_more_digits_than_that() {
        let single = f64::from(0.864f32);
        assert_ne!(single, 0.864);
        assert_eq!((of_f32(single), of_f32(0.0), of_f32(1e300)), (0.864, 0.0, 1e300));
        assert!(of_f32(f64::NAN).is_nan());
    }

    #[test]
    fn numbers_print_as_written() {
        for (x, text) in [(1e-3, "1e-3"), (0.1, "0.1"), (128.0, "128"), (1e10, "1e10"), (0.02, "0.02"), (3e-4, "3e-4")]
        {
            assert_eq!(number(x), text);
            assert_eq!(text.parse::<f64>(), Ok(x));
        }
    }

    #[test]
    fn strings_have_the_escapes_of_the_language_and_no_others() {
        assert_eq!(quoted("e\u{301} \u{1}\r'"), "\"e\u{301} \u{1}\r'\"");
        assert_eq!(quoted("a\"b\\c\nd\te"), "\"a\\\"b\\\\c\\nd\\te\"");
    }

    #[test]
    fn settings_read_what_they_hold_and_nothing_else() {
        let settings = Settings(vec![
            ("kernel".into(), Constant::Number(3.0)),
            ("zoom".into(), Constant::Range(Constant::Number(0.8).into(), Constant::Number(1.2).into())),
            ("mask".into(), Constant::None),
        ]);
        assert_eq!(settings.count("kernel"), Ok(3));
        assert_eq!(settings.range("zoom"), Ok((0.8, 1.2)));
        assert!(
            settings.number("mask").is_err() && settings.flag("kernel").is_err() && settings.count("absent").is_err()
        );
        assert_eq!(settings.to_string(), "kernel = 3, zoom = 0.8..1.2");
    }
}
