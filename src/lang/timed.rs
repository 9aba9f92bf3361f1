//! Numbers that change while training: `ramp(0, 1, over = 5epochs)`, and what is computed of them, as `180deg * beta`.
//!
//! Such a number is known before each batch is drawn, so it stands among constants. [`Constant::at`] puts numbers in
//! its place. Outside of training steps it has the number that it ends with.

use std::fmt;

use super::ast::BinaryOp;
use super::constant::{Constant, Recipe, Settings, Unit};

/// A number that changes while training, with or without a unit.
#[derive(Clone, Debug, PartialEq)]
pub enum Timed {
    /// One that a recipe describes.
    Course(Course),
    /// One that is computed of others.
    Of {
        /// One of `+ - * /`.
        op: BinaryOp,
        /// Its left side.
        left: Constant,
        /// Its right side.
        right: Constant,
    },
}

/// How a number changes, by a recipe: `ramp(0, 1, over = 5epochs)`. Two with one recipe are one number.
#[derive(Clone, Debug)]
pub struct Course {
    /// The recipe.
    pub recipe: Recipe,
    /// Where it can lie.
    pub reach: Reach,
    /// The recipe as it was written.
    pub text: String,
}

impl PartialEq for Course {
    fn eq(&self, other: &Self) -> bool {
        self.recipe == other.recipe
    }
}

/// Where a number that changes can lie.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reach {
    /// The least it can be.
    pub low: f64,
    /// The most it can be.
    pub high: f64,
    /// What it ends with.
    pub last: f64,
}

impl Reach {
    /// That of a number that goes from one end to the other.
    pub fn between(from: f64, to: f64) -> Self {
        Self { low: from.min(to), high: from.max(to), last: to }
    }
}

/// Where a number with these settings can lie; `None` where a setting cannot be read.
pub type ReachOf = fn(&Settings) -> Option<Reach>;

impl Constant {
    /// The numbers in it that change, each once.
    pub fn courses(&self) -> Vec<&Course> {
        let mut found = Vec::new();
        self.find(&mut found);
        found
    }

    fn find<'a>(&'a self, found: &mut Vec<&'a Course>) {
        match self {
            Constant::Timed(timed) => match &**timed {
                Timed::Course(course) if found.contains(&course) => {}
                Timed::Course(course) => found.push(course),
                Timed::Of { left, right, .. } => [left, right].into_iter().for_each(|side| side.find(found)),
            },
            Constant::Range(low, high) => [low, high].into_iter().for_each(|end| end.find(found)),
            Constant::List(items) => items.iter().for_each(|item| item.find(found)),
            Constant::Recipe(recipe) => recipe.settings.0.iter().for_each(|(_, value)| value.find(found)),
            _ => {}
        }
    }

    /// The same with numbers in place of those that change.
    pub fn at(&self, number: &dyn Fn(&Course) -> f64) -> Constant {
        match self {
            Constant::Timed(timed) => timed.at(number),
            Constant::Range(low, high) => Constant::Range(low.at(number).into(), high.at(number).into()),
            Constant::List(items) => Constant::List(items.iter().map(|item| item.at(number)).collect()),
            Constant::Recipe(recipe) => {
                Constant::Recipe(Recipe { op: recipe.op.clone(), settings: recipe.settings.at(number) })
            }
            other => other.clone(),
        }
    }

    /// What it is as its numbers go from end to end: at both ends and at quarters between, each beside each.
    pub fn on_the_way(&self) -> Vec<Constant> {
        /// Numbers that are looked at between their ends; of more than these, the ends alone.
        const FINE: usize = 3;
        /// Of more than these only the first go from end to end.
        const MOST: usize = 8;
        let courses = self.courses();
        let parts = if courses.len() <= FINE { 4 } else { 1 };
        let varied = courses.len().min(MOST);
        let count = (parts + 1usize).pow(u32::try_from(varied).unwrap_or(0));
        let one = |mut index: usize| {
            let mut numbers = Vec::with_capacity(courses.len());
            for course in &courses {
                let part = index % (parts + 1);
                index /= parts + 1;
                let Reach { low, high, .. } = course.reach;
                numbers.push(if part == parts { high } else { low + (high - low) * part as f64 / parts as f64 });
            }
            self.at(&|course| {
                let at = courses.iter().position(|c| *c == course);
                at.and_then(|at| numbers.get(at)).copied().unwrap_or(course.reach.last)
            })
        };
        (0..count).map(one).collect()
    }

    /// Its unit, where it is one number with a unit.
    pub fn unit(&self) -> Option<Unit> {
        match self {
            Constant::Quantity(_, unit) => Some(*unit),
            Constant::Timed(timed) => timed.unit(),
            _ => None,
        }
    }
}

impl Settings {
    /// The same with numbers in place of those that change.
    pub fn at(&self, number: &dyn Fn(&Course) -> f64) -> Settings {
        Settings(self.0.iter().map(|(name, value)| (name.clone(), value.at(number))).collect())
    }
}

impl Timed {
    /// The number, given those of recipes.
    pub fn at(&self, number: &dyn Fn(&Course) -> f64) -> Constant {
        let x = match self {
            Timed::Course(course) => number(course),
            Timed::Of { op, left, right } => {
                let number = |side: &Constant| side.at(number).number().unwrap_or(f64::NAN);
                let (a, b) = (number(left), number(right));
                match op {
                    BinaryOp::Add => a + b,
                    BinaryOp::Sub => a - b,
                    BinaryOp::Mul => a * b,
                    BinaryOp::Div => a / b,
                    _ => f64::NAN,
                }
            }
        };
        match self.unit() {
            Some(unit) => Constant::Quantity(x, unit),
            None => Constant::Number(x),
        }
    }

    /// Its unit.
    pub fn unit(&self) -> Option<Unit> {
        match self {
            Timed::Course(_) => None,
            Timed::Of { op: BinaryOp::Div, left, right } if left.unit() == right.unit() => None,
            Timed::Of { left, right, .. } => left.unit().or(right.unit()),
        }
    }
}

/// As the language writes it.
impl fmt::Display for Timed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Timed::Course(course) => write!(f, "{}", course.recipe),
            Timed::Of { op, left, right } => {
                let side = |of: &Constant| match of {
                    Constant::Timed(timed) if matches!(**timed, Timed::Of { .. }) => format!("({of})"),
                    // A minus binds less than the operators.
                    of if of.number().is_some_and(|x| x < 0.0) => format!("({of})"),
                    of => of.to_string(),
                };
                write!(f, "{} {} {}", side(left), op.symbol(), side(right))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn course(name: &str, from: f64, to: f64) -> Constant {
        let settings = Settings(vec![("from".into(), Constant::Number(from)), ("to".into(), Constant::Number(to))]);
        let recipe = Recipe { op: name.into(), settings };
        Constant::Timed(Box::new(Timed::Course(Course { recipe, reach: Reach::between(from, to), text: name.into() })))
    }

    fn of(op: BinaryOp, left: Constant, right: Constant) -> Constant {
        Constant::Timed(Box::new(Timed::Of { op, left, right }))
    }

    #[test]
    fn numbers_take_the_place_of_those_that_change() {
        let ramp = course("ramp", 0.0, 1.0);
        let turn = of(BinaryOp::Mul, Constant::Quantity(180.0, Unit::Deg), ramp.clone());
        let range = Constant::Range(Constant::Quantity(0.0, Unit::Deg).into(), turn.clone().into());
        assert_eq!(turn.unit(), Some(Unit::Deg));
        assert_eq!(range.at(&|_| 0.5).range(), Some((0.0, 90.0)));
        assert_eq!(turn.at(&|_| 0.5), Constant::Quantity(90.0, Unit::Deg));
        assert_eq!(turn.to_string(), "180deg * ramp(from = 0, to = 1)");
        let part = of(BinaryOp::Sub, Constant::Number(1.0), of(BinaryOp::Add, ramp.clone(), Constant::Number(-2.0)));
        assert_eq!(part.to_string(), "1 - (ramp(from = 0, to = 1) + (-2))");
        assert_eq!(range.courses().len(), 1);
        assert_eq!(of(BinaryOp::Mul, ramp.clone(), ramp).courses().len(), 1, "one recipe is one number");
        assert_eq!(Constant::Number(3.0).on_the_way(), [Constant::Number(3.0)]);
    }

    #[test]
    fn what_is_on_the_way_reaches_every_end() {
        let (a, b) = (course("a", 0.0, 1.0), course("b", 2.0, -2.0));
        let numbers: Vec<f64> =
            of(BinaryOp::Mul, a.clone(), b).on_the_way().iter().filter_map(Constant::number).collect();
        assert_eq!(numbers.len(), 25);
        assert!(numbers.contains(&2.0) && numbers.contains(&-2.0) && numbers.contains(&0.25));
        let many = (0..9).map(|i| course(&format!("c{i}"), 0.0, 1.0)).reduce(|x, y| of(BinaryOp::Add, x, y));
        assert_eq!(many.map(|m| m.on_the_way().len()), Some(256));
    }
}
