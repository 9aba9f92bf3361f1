//! What a weight is before it holds a number: its name, its shape, and how its first values are drawn.
//!
//! `net.det.0.weight`, shape `[64, 128, 3, 3]`, from U(-1/√1152, 1/√1152).

/// One trained tensor of a model.
#[derive(Clone, Debug, PartialEq)]
pub struct WeightSpec {
    /// Model, bound name and place in the chain: `net.det.0.weight`.
    pub name: String,
    /// Sizes, outermost first; empty for a single number.
    pub shape: Vec<usize>,
    /// Where its first values come from.
    pub init: Init,
}

/// Where a weight's first values come from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Init {
    /// Uniform in [-bound, bound).
    Uniform {
        /// Half the width of the interval.
        bound: f64,
    },
    /// Every element is this number: 1 for a scale, 0 for a shift.
    Constant(f64),
    /// Normal with mean 0.
    Normal {
        /// Its standard deviation.
        deviation: f64,
    },
}

impl Init {
    /// PyTorch's default for a convolution or a linear layer, weight and bias alike: U(-1/√fan_in, 1/√fan_in).
    ///
    /// `fan_in` is the number of values that one output sums: `channels / groups * kernel * kernel`. For the weight
    /// this is `kaiming_uniform_(a = √5)`, whose bound √3·√(2/(1 + 5))/√fan_in is the same number. A layer that sums
    /// nothing (`fan_in` 0) starts at zero.
    pub fn fan_in(fan_in: usize) -> Self {
        if fan_in == 0 { Init::Constant(0.0) } else { Init::Uniform { bound: 1.0 / (fan_in as f64).sqrt() } }
    }
}

impl WeightSpec {
    /// The number of elements; `None` where it does not fit in a `usize`.
    pub fn elements(&self) -> Option<usize> {
        self.shape.iter().try_fold(1usize, |n, size| n.checked_mul(*size))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fan_in_gives_the_bound_of_kaiming_uniform_with_a_of_root_five() {
        let fan_in = 64 / 2 * 3 * 3;
        let gain = (2.0f64 / (1.0 + 5.0)).sqrt();
        let torch = 3f64.sqrt() * gain / (fan_in as f64).sqrt();
        assert!(matches!(Init::fan_in(fan_in), Init::Uniform { bound } if (bound - torch).abs() < 1e-15));
        assert_eq!(Init::fan_in(0), Init::Constant(0.0));
    }

    #[test]
    fn elements_are_counted_and_a_product_too_large_is_none() {
        let of = |shape: &[usize]| {
            WeightSpec { name: "w".into(), shape: shape.into(), init: Init::Constant(0.0) }.elements()
        };
        assert_eq!(of(&[64, 128, 3, 3]), Some(73_728));
        assert_eq!(of(&[]), Some(1));
        assert_eq!(of(&[usize::MAX, 2]), None);
    }
}
