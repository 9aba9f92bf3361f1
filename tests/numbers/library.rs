//! The losses of the standard library, value and gradients, against PyTorch: `tests/golden/std.safetensors`, made by `std.py`.
//!
//! Choices of negatives are compared with it too: PyTorch's side takes the index of each negative as a plain number, so a gradient that
//! reaches anything through the choice shows here.
use candle_core::DType;

use crate::golden::{cases, errors};

#[test]
fn losses_of_the_library_are_those_of_torch() {
    let mut wrong = Vec::new();
    let mut worst = [[0.0f64; 2]; 2];
    let all: Vec<_> = ["std", "place_formulas"].into_iter().flat_map(cases).collect();
    assert!(all.len() > 100);
    for (name, case) in &all {
        for (i, (dtype, bounds)) in [(DType::F64, [1e-9, 1e-8]), (DType::F32, [1e-5, 1e-4])].into_iter().enumerate() {
            let errors = errors(case, dtype);
            for at in 0..2 {
                worst[i][at] = worst[i][at].max(errors[at]);
                // A place within 1e-4 of a cell of the border counts as the border here, and as a hair outside of it in torch.
                let slack = if case.tensors.contains_key("in/H") { 100.0 } else { 1.0 };
                if errors[at] > bounds[at] * if dtype == DType::F64 { slack } else { 1.0 } {
                    let what = ["value", "gradient"][at];
                    wrong.push(format!("{name} in {dtype:?}: {what} off by {:.1e}: {}", errors[at], case.expression));
                }
            }
        }
    }
    println!("{} cases, largest errors {worst:?}", all.len());
    assert!(wrong.is_empty(), "{} found\n{}", wrong.len(), wrong.join("\n"));
}
