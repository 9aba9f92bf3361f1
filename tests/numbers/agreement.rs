//! What is reported of pairs of pictures, against NumPy: `tests/golden/agreement.json`, made by `agreement.py`.

use rord_matching::agreement::{area_under_curve, corner_error, matching_accuracy, precision, repeatability};
use rord_matching::moves::{Move, Pair};
use serde_json::Value;

fn golden() -> Value {
    serde_json::from_slice(&std::fs::read("tests/golden/agreement.json").unwrap()).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
}

fn places(value: &Value) -> Vec<[f64; 2]> {
    value.as_array().unwrap().iter().map(|p| <[f64; 2]>::try_from(numbers(p)).unwrap()).collect()
}

fn matrix(value: &Value) -> Move {
    let rows: Vec<[f64; 3]> = value.as_array().unwrap().iter().map(|r| numbers(r).try_into().unwrap()).collect();
    Move(rows.try_into().unwrap())
}

fn near(found: &[f64], wanted: &Value, what: &str) {
    let wanted = numbers(wanted);
    assert_eq!(found.len(), wanted.len(), "{what}");
    for (a, b) in found.iter().zip(&wanted) {
        assert!((a - b).abs() < 1e-6 * b.abs().max(1.0), "{what}: {found:?} for {wanted:?}");
    }
}

#[test]
fn pairs_are_measured_by_the_published_formulas() {
    let golden = golden();
    let limits = numbers(&golden["limits"]);
    for pair in golden["pairs"].as_array().unwrap() {
        let (a, b, truth) = (places(&pair["a"]), places(&pair["b"]), matrix(&pair["h"]));
        let sizes: Vec<[usize; 2]> = places(&pair["sizes"]).iter().map(|s| s.map(|v| v as usize)).collect();
        let sizes: [[usize; 2]; 2] = sizes.try_into().unwrap();
        let again: Vec<f64> = limits.iter().map(|t| repeatability([&a, &b], &truth, sizes, *t)).collect();
        near(&again, &pair["repeatability"], "repeatability");
        let matches: Vec<Pair> = places(&pair["from"]).into_iter().zip(places(&pair["to"])).collect();
        near(&matching_accuracy(&matches, &truth, &limits), &pair["accuracy"], "accuracy");
        near(&precision(&matches, &truth, &limits), &pair["precision"], "precision");
        for (weights, wanted) in [(vec![1.0; matches.len()], "dlt"), (numbers(&pair["weights"]), "dlt_weighted")] {
            let weighted: Vec<(Pair, f64)> = matches.iter().copied().zip(weights).collect();
            let fitted = Move::fit_homography(&weighted).unwrap();
            let wanted = matrix(&pair[wanted]);
            assert!(corner_error(Some(&fitted), &wanted, sizes[0]) < 1e-6, "{fitted:?} for {wanted:?}");
        }
        let found = corner_error(Some(&matrix(&pair["dlt"])), &truth, sizes[0]);
        near(&[found], &serde_json::json!([pair["corner_error"]]), "corner error");
    }
    for case in golden["areas"].as_array().unwrap() {
        near(&area_under_curve(&numbers(&case["errors"]), &limits), &case["area"], "area");
    }
}
