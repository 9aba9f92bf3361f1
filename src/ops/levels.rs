//! `levels`: numbers evenly spread over a range, along a new axis: `levels(0..1, count = 20, axis = bin)`.

use candle_core::{Device, Result, Tensor};

use crate::compute::samples::Sample;
use crate::compute::{Call, Compute, Output};
use crate::export::onnx::Numbers;
use crate::export::onnx::Onnx;
use crate::export::torch::Torch;
use crate::export::{Form, Use};
use crate::op::Op;
use rord_lang::constant::Constant;
use rord_lang::report::shapes;
use rord_lang::types::{Kind, Type};
use rord_lang::vocabulary::{Application, Entry, GraphFacts};

/// The operation.
pub static OP: Op = Op {
    name: "levels",
    entry: Entry {
        signature: "levels(range: Range, count: Count, axis: Axes) -> Values[_]",
        manual: "\
Numbers evenly spread over a range, both ends included, along an axis of their own.

    y_i = low + (high - low)·i / (count - 1)        i = 0 … count - 1

The axis has any name that the values do not have which it meets, `bin` for example: then each of those meets each level.
Of one level it is the middle of the range. There is no gradient.

Source: `torch.linspace(low, high, count)`.

```rord
input s: Values[N, M]
let bins      = hinge(1 - abs(s - levels(0..1, count = 20, axis = bin)) * 19)
let histogram = sum(bins, over = column)
```
",
        rule,
        graph: GraphFacts { stops_gradient: true, ..GraphFacts::NONE },
        ..Entry::PLAIN
    },
    compute: Some(&Levels),
    samples,
};

fn rule(a: &mut Application<'_>) {
    let Some(axes) = a.axes("axis") else { return };
    if !crate::rules::positive(a, "count") {
        return;
    }
    let [axis] = axes.as_slice() else {
        let span = a.arg("axis").map_or(a.span, |x| x.span);
        a.reports.push(shapes::rule(span, "`levels` makes one axis", "names several", "give it one name:  axis = bin"));
        return;
    };
    let size = a.size("count");
    a.result = Type { axes: vec![axis.clone()], dims: vec![size], ..Type::plain(Kind::Values) };
}

/// Numbers evenly spread.
struct Levels;

/// The levels of a call that is written out.
fn all(call: &Use) -> std::result::Result<Vec<f64>, String> {
    let (low, high) = call.settings.range("range").map_err(|e| e.to_string())?;
    let count = call.settings.count("count").map_err(|e| e.to_string())?;
    let step = (high - low) / count.saturating_sub(1).max(1) as f64;
    Ok((0..count).map(|i| if count == 1 { 0.5 * (low + high) } else { low + step * i as f64 }).collect())
}

impl Compute for Levels {
    fn forward(&self, call: &Call) -> Result<Output> {
        let (low, high) = call.settings.range("range").map_err(candle_core::Error::wrap)?;
        let count = call.count("count")?;
        let at = |i: usize| match count {
            1 => 0.5 * (low + high),
            _ => low + (high - low) * i as f64 / (count - 1) as f64,
        };
        // The program gives it the type and the device of everything else.
        Ok(Tensor::from_vec((0..count).map(at).collect::<Vec<f64>>(), count, &Device::Cpu)?.into())
    }

    fn onnx(&self, call: &Use, out: &mut Onnx) -> Form {
        Ok(out.constant(Numbers::Floats(vec![all(call)?.len()], all(call)?.into_iter().map(|x| x as f32).collect())))
    }

    fn torch(&self, call: &Use, _: &mut Torch) -> Form {
        Ok(format!("torch.tensor({:?})", all(call)?))
    }
}

/// Cases.
fn samples() -> Result<Vec<Sample>> {
    let range = |low, high| Constant::Range(Box::new(Constant::Number(low)), Box::new(Constant::Number(high)));
    let case = |name, low, high, count: usize| {
        Sample::new(name, &[count]).setting("range", range(low, high)).number("count", count as f64).word("axis", "bin")
    };
    Ok(vec![case("five", 0.0, 1.0, 5), case("one", -1.0, 3.0, 1), case("twenty", -2.0, 0.5, 20)])
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;
    use crate::compute::samples::numbers;

    #[test]
    fn levels_include_both_ends() {
        let values = |sample: &Sample| numbers(&sample.forward(&Levels).unwrap().value).unwrap();
        let all = samples().unwrap();
        assert_eq!(values(&all[0]), [0.0, 0.25, 0.5, 0.75, 1.0]);
        assert_eq!(values(&all[1]), [1.0]);
        assert_eq!((values(&all[2])[0], values(&all[2])[19]), (-2.0, 0.5));
    }
}
