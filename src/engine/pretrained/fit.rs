//! Which tensor of a file goes to which weight of a part: by their names, or by the order of their layers.
//!
//! `net.trunk.0.weight` takes `features.0.weight` where a part `net.trunk` begins with a file `under "features"` and every weight
//! of the part is found so. Else layers go by their order, each sort of layer for itself: the first convolution of the part takes
//! the first of the file, the second the second, and norms likewise. Shapes must agree, so that an order that is another one
//! does not go unseen.

use std::cmp::Ordering;
use std::fmt;

/// A tensor of a file, or a weight: its name and its shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// The name.
    pub name: String,
    /// The shape.
    pub shape: Vec<usize>,
}

/// How tensors were found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// By the whole name of each weight.
    FullNames,
    /// By the name of each weight behind the part's path.
    Names,
    /// By the order of layers.
    Order,
}

impl fmt::Display for By {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            By::FullNames | By::Names => "by name",
            By::Order => "in order",
        })
    }
}

/// A tensor that does not fit the weight that it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// The weight and the shape it has.
    pub weight: Named,
    /// The tensor, and its shape; `None` where the file's layer has none of this name.
    pub found: Option<Named>,
    /// The layer of the file.
    pub layer: String,
}

/// What a part takes from a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fit {
    /// How.
    pub by: By,
    /// Pairs of a weight and a tensor, as indices.
    pub pairs: Vec<(usize, usize)>,
    /// What does not fit.
    pub misfits: Vec<Misfit>,
}

/// A layer: its name, and the weights in it by their last word.
struct Layer<'a> {
    name: &'a str,
    weights: Vec<(&'a str, usize)>,
}

/// Matches the weights of a part, whose path is `path`, with the tensors of a file. The part of the file's names that the pipeline
/// names, `features`, is `under`; only tensors below it are given.
pub fn fit(weights: &[Named], path: &str, tensors: &[Named], under: Option<&str>) -> Fit {
    let at = |name: &str| tensors.iter().position(|t| t.name == name);
    let inner = |name: &str, path: &str| -> String {
        let rest = name.strip_prefix(path).unwrap_or(name);
        rest.strip_prefix('.').filter(|_| !path.is_empty()).unwrap_or(rest).to_string()
    };
    if under.is_none() && weights.iter().any(|w| at(&w.name).is_some()) {
        let pairs = (0..).zip(weights).filter_map(|(i, w)| Some((i, at(&w.name)?))).collect();
        return compared(weights, tensors, By::FullNames, pairs);
    }
    let named = |w: &Named| {
        let inner = inner(&w.name, path);
        at(&under.map_or(inner.clone(), |u| format!("{}.{inner}", u.trim_end_matches('.'))))
    };
    let pairs: Option<Vec<(usize, usize)>> = (0..).zip(weights).map(|(i, w)| Some((i, named(w)?))).collect();
    match pairs.filter(|p| !p.is_empty()) {
        Some(pairs) => compared(weights, tensors, By::Names, pairs),
        None => in_order(weights, tensors),
    }
}

fn compared(weights: &[Named], tensors: &[Named], by: By, pairs: Vec<(usize, usize)>) -> Fit {
    let mut misfits = Vec::new();
    for (w, t) in &pairs {
        let (Some(weight), Some(tensor)) = (weights.get(*w), tensors.get(*t)) else { continue };
        if weight.shape != tensor.shape {
            let layer = split(&tensor.name).0.to_string();
            misfits.push(Misfit { weight: weight.clone(), found: Some(tensor.clone()), layer });
        }
    }
    Fit { by, pairs, misfits }
}

/// The layer and the role of a weight's name: `features.0` and `weight`.
fn split(name: &str) -> (&str, &str) {
    name.rsplit_once('.').unwrap_or(("", name))
}

/// Layers in the order of their first weight.
fn layers(all: &[Named]) -> Vec<Layer<'_>> {
    let mut found: Vec<Layer<'_>> = Vec::new();
    let mut places = std::collections::HashMap::new();
    for (index, named) in all.iter().enumerate() {
        let (name, role) = split(&named.name);
        let place = *places.entry(name).or_insert_with(|| {
            found.push(Layer { name, weights: vec![] });
            found.len() - 1
        });
        if let Some(layer) = found.get_mut(place) {
            layer.weights.push((role, index));
        }
    }
    found
}

/// What sort of layer it is: how many axes its weight has, 4 for a convolution, 1 for a norm, 2 for a product.
fn sort(layer: &Layer<'_>, all: &[Named]) -> usize {
    let of = |role: &str| layer.weights.iter().find(|(r, _)| *r == role).and_then(|(_, i)| all.get(*i));
    of("weight").or(of("running_mean")).map_or(0, |w| w.shape.len())
}

fn in_order(weights: &[Named], tensors: &[Named]) -> Fit {
    let (ours, theirs) = (layers(weights), layers(tensors));
    let (mut pairs, mut misfits) = (Vec::new(), Vec::new());
    for axes in 1..=5 {
        let own = ours.iter().filter(|l| sort(l, weights) == axes);
        let others = theirs.iter().filter(|l| sort(l, tensors) == axes);
        for (own, other) in own.zip(others) {
            for (role, index) in &own.weights {
                let Some(weight) = weights.get(*index) else { continue };
                let there = other.weights.iter().find(|(r, _)| r == role).map(|(_, i)| *i);
                let found = there.and_then(|i| tensors.get(i));
                match (there, found) {
                    (Some(i), Some(tensor)) if tensor.shape == weight.shape => pairs.push((*index, i)),
                    _ => {
                        let (found, layer) = (found.cloned(), other.name.to_string());
                        misfits.push(Misfit { weight: weight.clone(), found, layer });
                    }
                }
            }
            // A layer of the file that adds something is no layer without a bias.
            let more = other.weights.iter().filter(|(role, _)| own.weights.iter().all(|(r, _)| r != role));
            for tensor in more.filter_map(|(_, i)| tensors.get(*i)) {
                let weight = Named { name: format!("{}.{}", own.name, split(&tensor.name).1), shape: vec![] };
                misfits.push(Misfit { weight, found: Some(tensor.clone()), layer: other.name.to_string() });
            }
        }
    }
    pairs.sort_unstable();
    Fit { by: By::Order, pairs, misfits }
}

/// The order of names in which `layer.10` comes behind `layer.9`: what a file without an order of its own is read in.
pub fn natural(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a.split('.'), b.split('.'));
    loop {
        let (x, y) = match (a.next(), b.next()) {
            (Some(x), Some(y)) => (x, y),
            (x, y) => return x.is_some().cmp(&y.is_some()),
        };
        let order = match (x.parse::<u64>(), y.parse::<u64>()) {
            (Ok(n), Ok(m)) => n.cmp(&m),
            _ => x.cmp(y),
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    fn named(all: &[(&str, &[usize])]) -> Vec<Named> {
        all.iter().map(|(name, shape)| Named { name: (*name).into(), shape: shape.to_vec() }).collect()
    }

    #[test]
    fn names_go_before_order() {
        let ours = named(&[("net.trunk.0.weight", &[8, 1, 3, 3]), ("net.trunk.2.weight", &[8, 8, 3, 3])]);
        let theirs = named(&[("features.0.weight", &[8, 1, 3, 3]), ("features.2.weight", &[8, 8, 3, 3])]);
        let found = fit(&ours, "net.trunk", &theirs, Some("features"));
        assert_eq!((found.by, found.pairs), (By::Names, vec![(0, 0), (1, 1)]));
        let own = named(&[("net.trunk.2.weight", &[8, 8, 3, 3]), ("net.head.weight", &[1])]);
        let found = fit(&ours, "net.trunk", &own, None);
        assert_eq!((found.by, found.pairs), (By::FullNames, vec![(1, 0)]));
    }

    #[test]
    fn layers_of_a_sort_go_in_their_order() {
        let ours = named(&[
            ("net.a.0.weight", &[4, 1, 3, 3]),
            ("net.a.1.weight", &[4]),
            ("net.a.1.bias", &[4]),
            ("net.b.0.weight", &[4, 4, 3, 3]),
            ("net.b.1.weight", &[4]),
            ("net.b.1.bias", &[4]),
            ("net.c.0.weight", &[9, 4, 1, 1]),
        ]);
        // Norms before convolutions, as names are sorted; one convolution fewer, and a product that nothing takes.
        let theirs = named(&[
            ("bn1.bias", &[4]),
            ("bn1.weight", &[4]),
            ("bn2.bias", &[4]),
            ("bn2.weight", &[4]),
            ("conv1.weight", &[4, 1, 3, 3]),
            ("conv2.weight", &[4, 4, 3, 3]),
            ("fc.weight", &[10, 4]),
        ]);
        let found = fit(&ours, "net", &theirs, None);
        assert_eq!(found.by, By::Order);
        assert_eq!(found.misfits, []);
        assert_eq!(found.pairs, [(0, 4), (1, 1), (2, 0), (3, 5), (4, 3), (5, 2)]);
    }

    #[test]
    fn another_order_is_seen_by_its_shapes() {
        let ours = named(&[("net.0.weight", &[4, 1, 3, 3]), ("net.1.weight", &[8, 4, 1, 1])]);
        let theirs = named(&[("a.weight", &[8, 4, 1, 1]), ("b.weight", &[4, 1, 3, 3]), ("b.bias", &[4])]);
        let found = fit(&ours, "net", &theirs, None);
        assert_eq!(found.misfits.len(), 3);
        assert_eq!(found.misfits[0].found.as_ref().unwrap().name, "a.weight");
        assert_eq!(found.misfits[2].weight.name, "net.1.bias");
    }

    #[test]
    fn numbers_in_names_are_numbers() {
        let mut names = ["l.10.w", "l.9.w", "a", "l.9", "b.w"];
        names.sort_by(|a, b| natural(a, b));
        assert_eq!(names, ["a", "b.w", "l.9", "l.9.w", "l.10.w"]);
    }
}
