use super::*;

const SPAN: Span = Span { base_lr: 0.1, steps_per_epoch: 5, epochs: 4 };

fn recipe(op: &str, settings: &[(&str, Constant)]) -> Recipe {
    Recipe { op: op.into(), settings: Settings(settings.iter().map(|(n, c)| (n.to_string(), c.clone())).collect()) }
}

fn number(x: f64) -> Constant {
    Constant::Number(x)
}

fn make(op: &str, settings: &[(&str, Constant)]) -> Box<dyn Schedule> {
    schedule(&recipe(op, settings), SPAN, Mode::Minimize).unwrap()
}

fn plateau(factor: f64, patience: Constant, cooldown: f64, min_lr: f64, mode: Mode) -> Box<dyn Schedule> {
    let settings = [
        ("watch", Constant::Word("val.total".into())),
        ("factor", number(factor)),
        ("patience", patience),
        ("threshold", number(1e-4)),
        ("cooldown", number(cooldown)),
        ("min_lr", number(min_lr)),
    ];
    schedule(&recipe("reduce_on_plateau", &settings), SPAN, mode).unwrap()
}

fn after(schedule: &mut Box<dyn Schedule>, watched: &[f64]) -> Vec<f64> {
    let rate = |x: &f64| {
        schedule.after_validation(*x);
        schedule.lr(0, 0)
    };
    watched.iter().map(rate).collect()
}

fn close(lr: f64, expected: f64) {
    assert!((lr - expected).abs() <= 1e-12 * expected.abs(), "{lr} is not {expected}");
}

#[test]
fn plateau_waits_reduces_cools_down_and_stops_at_the_minimum() {
    let mut s = plateau(0.5, Constant::Quantity(2.0, Unit::Epochs), 0.0, 0.02, Mode::Minimize);
    assert_eq!(s.watch(), Some("val.total"));
    // Best 1, then three bad ones: reduced at the third, not the second. NaN is bad, and so is a gain below 1e-4.
    assert_eq!(after(&mut s, &[1.0, 1.0, f64::NAN]), [0.1, 0.1, 0.1]);
    assert_eq!(s.after_validation(0.99995), Some(LrChange { from: 0.1, to: 0.05 }));
    // 0.9998 is better than 1 - 1e-4 and starts the count again.
    assert_eq!(after(&mut s, &[1.0, 1.0, 0.9998, 1.0, 1.0, 1.0]), [0.05, 0.05, 0.05, 0.05, 0.05, 0.025]);
    assert_eq!(after(&mut s, &[f64::NAN; 9]), [0.025; 9]);
    assert_eq!(after(&mut s, &[1.0])[0], 0.02);
    assert_eq!(after(&mut s, &[1.0; 9]), [0.02; 9]);
}

#[test]
fn validations_within_the_cooldown_do_not_count() {
    let mut s = plateau(0.1, number(0.0), 2.0, 0.0, Mode::Minimize);
    let lr = after(&mut s, &[1.0, 1.0, 1.0, 1.0, 1.0]);
    // Reduced at the second, two ignored, reduced at the fifth.
    for (lr, expected) in lr.iter().zip([0.1, 0.01, 0.01, 0.01, 0.001]) {
        close(*lr, expected);
    }
}

#[test]
fn changes_of_less_than_eps_are_not_made() {
    let mut s = plateau(0.5, number(0.0), 0.0, 0.1 - 1e-9, Mode::Minimize);
    assert_eq!(after(&mut s, &[1.0, 1.0, 1.0]), [0.1; 3]);
}

#[test]
fn larger_is_better_when_maximizing() {
    let mut up = plateau(0.5, number(0.0), 0.0, 0.0, Mode::Maximize);
    assert_eq!(after(&mut up, &[0.1, 0.2, 0.3, 0.30001]), [0.1, 0.1, 0.1, 0.05]);
    let mut down = plateau(0.5, number(0.0), 0.0, 0.0, Mode::Minimize);
    assert_eq!(after(&mut down, &[0.1, 0.2]), [0.1, 0.05]);
}

#[test]
fn patience_in_steps_counts_whole_validations() {
    let mut s = plateau(0.5, Constant::Quantity(10.0, Unit::Steps), 0.0, 0.0, Mode::Minimize);
    assert_eq!(after(&mut s, &[1.0, 1.0, 1.0, 1.0]), [0.1, 0.1, 0.1, 0.05]);
}

#[test]
fn a_plateau_goes_on_where_it_was_saved_to_the_bit() {
    let fresh = || plateau(0.7, number(1.0), 1.0, 0.0, Mode::Minimize);
    let watched = [0.1 + 0.2, 1.0 / 3.0, 1.0, f64::NAN, 0.2999, 1.0, 1.0, 1.0, 1.0];
    for cut in 0..watched.len() {
        let (mut whole, mut first, mut second) = (fresh(), fresh(), fresh());
        after(&mut first, &watched[..cut]);
        let text = first.state().to_string();
        second.load(&serde_json::from_str(&text).unwrap()).unwrap();
        assert_eq!(after(&mut whole, &watched)[cut..], after(&mut second, &watched[cut..]), "{text}");
    }
    let mut s = fresh();
    assert_eq!(s.load(&json!({"lr": "0.1", "best": "inf", "bad": 0})), Err(BadState { field: Some("cooldown") }));
    assert_eq!(s.load(&Value::Null), Err(BadState { field: Some("lr") }));
    assert_eq!(make("constant", &[]).load(&json!({})), Err(BadState { field: None }));
}

#[test]
fn constant_step_and_linear_follow_their_formulas() {
    assert_eq!(make("constant", &[]).lr(17, 3), 0.1);
    let by_epoch = make("step", &[("every", Constant::Quantity(2.0, Unit::Epochs)), ("factor", number(0.1))]);
    for (epoch, expected) in [(0, 0.1), (1, 0.1), (2, 0.01), (3, 0.01)] {
        close(by_epoch.lr(epoch * 5 + 4, epoch), expected);
    }
    let by_step = make("step", &[("every", Constant::Quantity(3.0, Unit::Steps)), ("factor", number(0.5))]);
    for (step, expected) in [(0, 0.1), (2, 0.1), (3, 0.05), (6, 0.025)] {
        close(by_step.lr(step, 0), expected);
    }
    let linear = make("linear_to_zero", &[("over", Constant::Quantity(2.0, Unit::Epochs))]);
    for (step, expected) in [(0, 0.1), (5, 0.05), (9, 0.01), (10, 0.0), (19, 0.0)] {
        assert!((linear.lr(step, 0) - expected).abs() < 1e-15);
    }
}

#[test]
fn cosine_rises_in_a_line_and_falls_along_half_a_cosine() {
    let s = make("cosine", &[("warmup", Constant::Quantity(4.0, Unit::Steps)), ("to", number(0.02))]);
    let expected = [(0, 0.02), (1, 0.04), (3, 0.08), (4, 0.1), (12, 0.06), (20, 0.02), (99, 0.02)];
    for (step, expected) in expected {
        close(s.lr(step, 0), expected);
    }
    // torch: eta_min + (base - eta_min) * (1 + cos(pi * t / T)) / 2 with t = 4, T = 16.
    close(s.lr(8, 0), 0.02 + 0.08 * (1.0 + (PI / 4.0).cos()) / 2.0);
    close(make("cosine", &[("warmup", number(0.0)), ("to", number(0.0))]).lr(0, 0), 0.1);
}

#[test]
fn one_cycle_is_torch_s() {
    // total_steps = 20: up to step 5 from 0.1/25, then down to 0.1/25/1e4 at step 19.
    let s = make("one_cycle", &[]);
    let up = |pct: f64| 0.1 + (0.004 - 0.1) / 2.0 * ((PI * pct).cos() + 1.0);
    let down = |pct: f64| 4e-7 + (0.1 - 4e-7) / 2.0 * ((PI * pct).cos() + 1.0);
    let expected =
        [(0, 0.004), (1, up(0.2)), (4, up(0.8)), (5, 0.1), (6, down(1.0 / 14.0)), (12, down(0.5)), (19, 4e-7)];
    for (step, expected) in expected {
        let lr = s.lr(step, 0);
        assert!((lr - expected).abs() < 1e-12, "step {step}: {lr} is not {expected}");
    }
    for total in 1..4 {
        let span = Span { base_lr: 0.1, steps_per_epoch: 1, epochs: total };
        let short = schedule(&recipe("one_cycle", &[]), span, Mode::Minimize).unwrap();
        assert!((0..=total).all(|step| short.lr(step, 0).is_finite()));
    }
}

#[test]
fn settings_without_a_meaning_are_errors() {
    let refused = |op: &str, settings: &[(&str, Constant)]| {
        schedule(&recipe(op, settings), SPAN, Mode::Minimize).err().expect("refused")
    };
    assert!(matches!(refused("sawtooth", &[]), RecipeError::Unknown { .. }));
    assert!(matches!(refused("linear_to_zero", &[]), RecipeError::Unreadable(_)));
    for over in [number(3.0), Constant::Quantity(3.0, Unit::Px), Constant::Quantity(-1.0, Unit::Steps)] {
        assert!(matches!(refused("linear_to_zero", &[("over", over)]), RecipeError::OutOfRange { .. }));
    }
    let never = [("every", Constant::Quantity(0.0, Unit::Steps)), ("factor", number(0.5))];
    assert!(matches!(refused("step", &never), RecipeError::OutOfRange { name, .. } if name == "every"));
    let growing = [("watch", Constant::Word("val.total".into())), ("factor", number(1.0))];
    assert!(matches!(refused("reduce_on_plateau", &growing), RecipeError::OutOfRange { name, .. } if name == "factor"));
}
