use super::*;
use rord_graph::weight::Init;
use rord_lang::constant::Constant;

const STEPS: [[f64; 3]; 4] = [[0.5, -2.0, 0.0], [1.0, 0.25, 1e-3], [-0.75, 0.5, 2.0], [0.1, -0.1, -3.0]];
const START: [f64; 3] = [1.0, -0.5, 0.25];

fn recipe(op: &str, settings: &[(&str, Constant)]) -> Recipe {
    let mut all = vec![("lr".to_string(), Constant::Number(0.1))];
    all.extend(settings.iter().map(|(name, value)| (name.to_string(), value.clone())));
    Recipe { op: op.into(), settings: Settings(all) }
}

fn adam(op: &str, betas: [f64; 2], eps: f64, decay: f64) -> Recipe {
    let betas = Constant::List(betas.map(Constant::Number).into());
    recipe(op, &[("betas", betas), ("eps", Constant::Number(eps)), ("weight_decay", Constant::Number(decay))])
}

fn sgd(momentum: f64, nesterov: bool, decay: f64) -> Recipe {
    let momentum = Constant::Number(momentum);
    let decay = Constant::Number(decay);
    recipe("sgd", &[("momentum", momentum), ("nesterov", Constant::Flag(nesterov)), ("weight_decay", decay)])
}

fn spec(name: &str, shape: &[usize]) -> WeightSpec {
    WeightSpec { name: name.into(), shape: shape.into(), init: Init::Constant(0.0) }
}

fn tensor(values: &[f64], dtype: DType) -> Tensor {
    Tensor::new(values, &Device::Cpu).unwrap().to_dtype(dtype).unwrap()
}

fn values(tensor: &Tensor) -> Vec<f64> {
    tensor.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

/// After the first and after the fourth step, computed with a plain transcription of PyTorch's documented
/// algorithms in f64 Python.
fn references() -> Vec<(Recipe, [f64; 3], [f64; 3])> {
    vec![
        (
            adam("adam", [0.9, 0.999], 1e-8, 0.0),
            [0.900000002, -0.4000000005, 0.25],
            [0.7513063384088057, -0.28984278508776934, 0.13100831083711006],
        ),
        (
            adam("adam", [0.8, 0.99], 1e-3, 0.1),
            [0.9001663893510815, -0.4000487567040468, 0.15384615384615385],
            [0.7411121125498452, -0.3008099640083781, 0.016450431716526104],
        ),
        (
            adam("adamw", [0.9, 0.999], 1e-8, 0.1),
            [0.890000002, -0.3950000005, 0.2475],
            [0.717056616424085, -0.27452580821307193, 0.12327722565958814],
        ),
        (
            sgd(0.0, false, 0.05),
            [0.945, -0.2975, 0.24875],
            [0.8965182568749999, -0.35756040031249997, 0.34593837265625005],
        ),
        (sgd(0.9, false, 0.05), [0.945, -0.2975, 0.24875], [0.648422794375, 0.04922289343750004, 0.15950587578125006]),
        (
            sgd(0.9, true, 0.05),
            [0.8955, -0.11524999999999996, 0.247625],
            [0.5845725619331874, 0.12839808901871885, 0.2663044792543907],
        ),
    ]
}

#[test]
fn steps_are_torch_s_on_slices_and_on_tensors() {
    for (dtype, tolerance) in [(DType::F32, 1e-6), (DType::F64, 1e-13)] {
        for (recipe, first, last) in references() {
            let mut optimizer = optimizer(&recipe, &[spec("w", &[3])], &[]).unwrap();
            let mut weights = [tensor(&START, dtype)];
            for (i, grad) in STEPS.iter().enumerate() {
                optimizer.step(0.1, &mut weights, &[Some(tensor(grad, dtype))]).unwrap();
                let expected = [Some(first), None, None, Some(last)][i];
                for (x, y) in values(&weights[0]).iter().zip(expected.iter().flatten()) {
                    assert!((x - y).abs() < tolerance, "{recipe}, {dtype:?}, step {i}: {x} is not {y}");
                }
            }
        }
    }
}

#[test]
fn a_weight_without_a_gradient_is_left_alone_and_counts_no_step() {
    for (recipe, first, _) in references() {
        let mut optimizer = optimizer(&recipe, &[spec("a", &[3]), spec("b", &[3])], &[]).unwrap();
        let mut weights = [tensor(&START, DType::F32), tensor(&START, DType::F32)];
        for _ in 0..5 {
            optimizer.step(0.1, &mut weights, &[Some(tensor(&STEPS[0], DType::F32)), None]).unwrap();
        }
        assert_eq!(values(&weights[1]), START);
        assert!(optimizer.state().unwrap().iter().all(|(name, _)| name.starts_with("a/")));
        optimizer.step(0.1, &mut weights, &[None, Some(tensor(&STEPS[0], DType::F32))]).unwrap();
        for (x, y) in values(&weights[1]).iter().zip(first) {
            assert!((x - y).abs() < 1e-6, "{recipe}: the first step of a late weight is {x}, not {y}");
        }
    }
}

#[test]
fn blocks_cover_large_weights_and_views() {
    let n = 2 * BLOCK + 7;
    let specs = [spec("large", &[n]), spec("view", &[3, 2])];
    let view =
        |x: f32| (Tensor::arange(0f32, 6.0, &Device::Cpu).unwrap().reshape((2, 3)).unwrap() * f64::from(x)).unwrap();
    for (recipe, ..) in references() {
        let run = |dtype: DType| {
            let mut optimizer = optimizer(&recipe, &specs, &[]).unwrap();
            let ramp = Tensor::arange(0f32, n as f32, &Device::Cpu).unwrap().affine(1e-3, -10.0).unwrap();
            let mut weights = [&ramp, &view(1.0).t().unwrap()].map(|t| t.to_dtype(dtype).unwrap());
            for i in 0..3 {
                let grads = [ramp.affine(0.5, i as f64).unwrap(), view(0.5).t().unwrap()];
                let grads = grads.map(|t| Some(t.to_dtype(dtype).unwrap()));
                optimizer.step(0.01, &mut weights, &grads).unwrap();
            }
            weights.map(|t| values(&t))
        };
        for (fast, plain) in run(DType::F32).iter().zip(run(DType::F64)) {
            let off = fast.iter().zip(&plain).map(|(x, y)| (x - y).abs()).fold(0.0, f64::max);
            assert!(off < 1e-4, "{recipe}: {off}");
        }
    }
}

#[test]
fn a_copy_kept_elsewhere_does_not_change() {
    let mut optimizer = optimizer(&references()[0].0, &[spec("w", &[3])], &[]).unwrap();
    let mut weights = [tensor(&START, DType::F32)];
    let best = weights[0].clone();
    // The gradient of half the squared length is the weight itself, the same tensor.
    optimizer.step(0.1, &mut weights, &[Some(best.clone())]).unwrap();
    assert_eq!(values(&best), START);
    assert_ne!(values(&weights[0]), START);
}

#[test]
fn a_run_that_goes_on_from_a_saved_state_is_the_run_that_never_stopped() {
    for dtype in [DType::F32, DType::F64] {
        for (recipe, ..) in references() {
            let specs = [spec("w", &[3]), spec("never", &[2])];
            let grads = |i: usize| [Some(tensor(&STEPS[i], dtype)), None];
            let mut whole = optimizer(&recipe, &specs, &[]).unwrap();
            let mut weights = [tensor(&START, dtype), tensor(&[0.0, 0.0], dtype)];
            (0..2).for_each(|i| assert!(whole.step(0.1, &mut weights, &grads(i)).unwrap().is_none()));
            let mut state = whole.state().unwrap();
            state.reverse();
            let mut halves = optimizer(&recipe, &specs, &[]).unwrap();
            halves.load(&state).unwrap();
            let mut again = weights.clone();
            (2..4).for_each(|i| assert!(whole.step(0.1, &mut weights, &grads(i)).unwrap().is_none()));
            (2..4).for_each(|i| assert!(halves.step(0.1, &mut again, &grads(i)).unwrap().is_none()));
            assert_eq!(values(&weights[0]), values(&again[0]), "{recipe}");
        }
    }
}

#[test]
fn a_state_of_other_weights_is_refused_with_all_that_differs_and_changes_nothing() {
    let recipe = &references()[0].0;
    let mut adam = optimizer(recipe, &[spec("w", &[3])], &[]).unwrap();
    let one = |n: i64| Tensor::new(n, &Device::Cpu).unwrap();
    let state = [
        ("w/step".to_string(), one(3)),
        ("w/m".to_string(), tensor(&[0.0, 0.0], DType::F32)),
        ("x/m".to_string(), one(0)),
    ];
    let Err(StateError::Differs(difference)) = adam.load(&state) else { panic!("taken") };
    assert_eq!(difference.missing, [("w/v".to_string(), vec![3])]);
    assert_eq!(difference.unexpected, [("x/m".to_string(), vec![])]);
    assert_eq!(difference.shapes, [ShapeDiffers { name: "w/m".into(), expected: vec![3], found: vec![2] }]);
    assert!(adam.state().unwrap().is_empty());
    let types = [("w/step", tensor(&[1.0], DType::F32).squeeze(0).unwrap()), ("w/m", one(0)), ("w/v", one(0))];
    let types =
        types.map(|(name, t)| (name.to_string(), if name == "w/step" { t } else { t.broadcast_as(3).unwrap() }));
    let Err(StateError::Differs(difference)) = adam.load(&types) else { panic!("taken") };
    assert_eq!(difference.types.len(), 3);
}

#[test]
fn wrong_counts_and_shapes_are_errors_that_change_nothing() {
    let mut adam = optimizer(&references()[0].0, &[spec("w", &[3]), spec("x", &[2])], &[]).unwrap();
    let mut weights = [tensor(&START, DType::F32), tensor(&[1.0, 2.0], DType::F32)];
    assert!(adam.step(0.1, &mut weights, &[None]).is_err());
    let grads = [Some(tensor(&START, DType::F32)), Some(tensor(&START, DType::F32))];
    assert!(adam.step(0.1, &mut weights, &grads).is_err());
    let grads = [Some(tensor(&START, DType::F32)), Some(tensor(&[1.0, 1.0], DType::F64))];
    assert!(adam.step(0.1, &mut weights, &grads).is_err());
    assert_eq!(values(&weights[0]), START);
    assert!(adam.state().unwrap().is_empty());
}

#[test]
fn recipes_without_a_meaning_are_errors() {
    let refused = |recipe: Recipe| optimizer(&recipe, &[], &[]).err().expect("refused");
    assert!(matches!(refused(recipe("lion", &[])), RecipeError::Unknown { op, .. } if op == "lion"));
    assert!(matches!(refused(recipe("adam", &[])), RecipeError::Unreadable(u) if u.name == "betas"));
    assert!(matches!(refused(sgd(0.0, true, 0.0)), RecipeError::OutOfRange { name, .. } if name == "momentum"));
    assert!(
        matches!(refused(adam("adam", [0.9, 1.0], 1e-8, 0.0)), RecipeError::OutOfRange { name, .. } if name == "betas")
    );
    assert!(
        matches!(refused(adam("adamw", [0.9, 0.9], 1e-8, -0.1)), RecipeError::OutOfRange { name, .. } if name == "weight_decay")
    );
}

/// After four steps of `references` with a rate of 0.1 and a decay of 0.1, of a weight in a group with a rate of 0.01 and a decay of 0.05
/// (every step, then the last two alone) and of one in none: PyTorch's parameter groups in f64.
#[allow(clippy::type_complexity)]
fn grouped() -> Vec<(Recipe, [f64; 3], [f64; 3], [f64; 3])> {
    let plain = [0.7299181098895189, -0.2820113213048428, 0.0072273366558060805];
    vec![
        (
            adam("adam", [0.9, 0.999], 1e-8, 0.1),
            [0.9738699703050514, -0.4784790661787913, 0.2254040512020076],
            [1.0149858413168178, -0.5145763202758382, 0.24243106111972829],
            plain,
        ),
        (
            adam("adamw", [0.9, 0.999], 1e-8, 0.1),
            [0.9731580925284126, -0.4780071225460763, 0.23761184086633844],
            [1.0146530336474222, -0.5146053854301677, 0.2422320807016019],
            [0.717056616424085, -0.27452580821307193, 0.12327722565958814],
        ),
        (
            sgd(0.9, false, 0.1),
            [0.9644717720381875, -0.44431750045878127, 0.24085265816314064],
            [1.0117965, -0.507772625, 0.2416475625],
            [0.6079628599999999, 0.06310814500000005, 0.14945436749999996],
        ),
    ]
}

#[test]
fn groups_are_those_of_torch_and_a_weight_that_waits_has_taken_no_step() {
    for (recipe, every, late, plain) in grouped() {
        for dtype in [DType::F64, DType::F32] {
            let tolerance = if dtype == DType::F64 { 1e-12 } else { 2e-6 };
            let group = Group { factor: 0.1, decay: Some(0.05) };
            let specs = [spec("a", &[3]), spec("b", &[3]), spec("c", &[3])];
            let mut optimizer = optimizer(&recipe, &specs, &[group, group]).unwrap();
            let mut weights = vec![tensor(&START, dtype); 3];
            for (i, step) in STEPS.iter().enumerate() {
                let grad = || Some(tensor(step, dtype));
                let grads = [grad(), grad().filter(|_| i >= 2), grad()];
                optimizer.step(0.1, &mut weights, &grads).unwrap();
            }
            for (weight, expected) in weights.iter().zip([every, late, plain]) {
                for (x, y) in values(weight).iter().zip(expected) {
                    assert!((x - y).abs() < tolerance, "{}: {x} is not {y}", recipe.op);
                }
            }
        }
    }
}

#[test]
fn a_step_that_would_lose_a_weight_changes_none_and_says_which() {
    let specs = [spec("a", &[3]), spec("b", &[3])];
    let grad = |numbers: &[f64]| Some(tensor(numbers, DType::F32));
    for (recipe, ..) in references() {
        for dtype in [DType::F32, DType::F64] {
            // Too large for f64 where that computes it, and for f32 there.
            let lr = if dtype == DType::F32 { 1e39 } else { f64::INFINITY };
            let mut optimizer = optimizer(&recipe, &specs, &[]).unwrap();
            let mut weights = [tensor(&START, dtype), tensor(&START, dtype)];
            let grads = [None, Some(tensor(&STEPS[0], dtype))];
            let found = optimizer.step(lr, &mut weights, &grads).unwrap();
            assert!(
                found.is_some_and(|f| f.weight == 1 && f.numbers > 0 && f.of == 3),
                "{recipe} {dtype:?}: {found:?}"
            );
            assert_eq!(weights.each_ref().map(values), [START.to_vec(), START.to_vec()]);
        }
    }
    // The square of a gradient that f32 does not hold: the weight would stand still from then on.
    let (recipe, ..) = references().swap_remove(0);
    let mut adam = optimizer(&recipe, &specs, &[]).unwrap();
    let mut weights = [tensor(&START, DType::F32), tensor(&START, DType::F32)];
    let found = adam.step(0.1, &mut weights, &[grad(&[1e30, 0.0, 0.0]), grad(&STEPS[0])]).unwrap();
    assert_eq!(found, Some(Overflow { weight: 0, numbers: 0, of: 3 }));
}

#[test]
fn what_is_not_finite_is_counted_wherever_it_is() {
    for n in [1, 7, 40_000] {
        let mut numbers = vec![f32::MAX; n];
        let count = |numbers: &[f32]| not_finite(&Tensor::from_slice(numbers, n, &Device::Cpu).unwrap()).unwrap();
        assert_eq!(count(&numbers), 0);
        for (at, bad) in [(0, f32::NAN), (n - 1, f32::INFINITY), (n / 2, f32::NEG_INFINITY)] {
            numbers[at] = bad;
            assert!(count(&numbers) > 0, "{bad} at {at} of {n}");
        }
    }
}
