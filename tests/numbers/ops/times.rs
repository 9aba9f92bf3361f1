//! How long operations take on tensors of given shapes, for `benches/ops/compare.py`, which sets `RORD_CASES` to a file with them.

use std::time::Instant;

use candle_core::{DType, Device, Tensor};
use rord_lang::constant::Settings;
use rord_ops::compute::Call;
use rord_random::Stream;

use super::golden::constant;

/// The median of the times of a call, in ms, over a fifth of a second at least.
fn median(mut call: impl FnMut()) -> f64 {
    call();
    let (begin, mut times) = (Instant::now(), Vec::new());
    while times.len() < 5 || begin.elapsed().as_secs_f64() < 0.2 {
        let start = Instant::now();
        call();
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

#[test]
#[ignore = "it measures; benches/ops/compare.py calls it"]
fn times_of_cases() {
    let path = std::env::var("RORD_CASES").expect("RORD_CASES names the file of cases");
    let cases: serde_json::Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    for case in cases.as_array().unwrap() {
        let text = |key: &str| case[key].as_str().unwrap().to_string();
        let compute = rord_ops::find(&text("op")).unwrap().compute.unwrap();
        let mut stream = Stream::new(7, &[]);
        let mut inputs: Vec<(&'static str, Tensor)> = Vec::new();
        for (name, about) in case["inputs"].as_object().unwrap() {
            let numbers = |v: &serde_json::Value| v.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect();
            let (shape, ends): (Vec<f64>, Vec<f64>) = (numbers(&about["shape"]), numbers(&about["range"]));
            let shape: Vec<usize> = shape.iter().map(|n| *n as usize).collect();
            let mut draw = || {
                let x = stream.range(ends[0], ends[1]);
                if about["whole"] == true { x.floor() } else { x }
            };
            let numbers: Vec<f32> = (0..shape.iter().product()).map(|_| draw() as f32).collect();
            inputs.push((name.clone().leak(), Tensor::from_vec(numbers, shape, &Device::Cpu).unwrap()));
        }
        let settings = case["settings"].as_object().unwrap().iter().map(|(k, v)| (k.clone(), constant(v))).collect();
        let settings = Settings(settings);
        let wants: Vec<&'static str> =
            case["wants"].as_array().unwrap().iter().map(|n| &*n.as_str().unwrap().to_string().leak()).collect();
        let shape: Vec<usize> =
            case["shape"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap() as usize).collect();
        let call = Call {
            inputs: &inputs,
            settings: &settings,
            shape: &shape,
            stream: [5, 3, 1],
            training: true,
            wants: &wants,
            share: None,
            apart: false,
        };
        let output = compute.forward(&call).unwrap();
        assert_eq!(output.value.dtype(), DType::F32);
        let grad = output.value.ones_like().unwrap().contiguous().unwrap();
        let forward = median(|| drop(compute.forward(&call).unwrap()));
        let product = rord_ops::find("mul").unwrap().compute.unwrap();
        let backward = || {
            let gradients = compute.backward(&call, &output, &grad).unwrap();
            if case["read"] == true {
                let inputs = [("a", gradients[0].1.clone()), ("b", inputs[0].1.clone())];
                drop(product.forward(&Call { inputs: &inputs, wants: &[], ..call }).unwrap());
            }
        };
        let backward = if wants.is_empty() { 0.0 } else { median(backward) };
        println!("TIME {} {forward:.4} {backward:.4}", text("name"));
    }
}
