use super::*;

fn clock(text: &str) -> Clock {
    let text = format!(
        "rord 1\ninput p: Prob[B, 1, H, W]@f\ninput q: Prob[B, 1, H, W]@f\nlet x = {text}\n\
         loss hit = mean(p)\nmetric seen = mean(p)\nminimize total = hit + x * mean(q)\n"
    );
    let (vocabulary, mut sources) = rord_ops::vocabulary();
    let file = sources.add(rord_lang::source::SourceKind::Main, "timed.rord", text);
    let (imports, outside) = (rord_lang::check::NoImports, rord_lang::check::Outside::default());
    let (pipeline, reports) = rord_lang::check::check(&mut sources, file, &vocabulary, &imports, &outside);
    assert!(reports.is_empty(), "{reports:?}");
    assert_eq!(pipeline.timed().len(), 1);
    let clock = Clock::new(&pipeline).unwrap();
    clock.set_epoch(10, 1);
    clock
}

fn numbers(text: &str, steps: &[u64]) -> Vec<f64> {
    let clock = clock(text);
    steps.iter().map(|step| clock.numbers(*step)[0].1).collect()
}

#[test]
fn numbers_follow_their_recipes() {
    assert_eq!(numbers("ramp(2, 4, over = 2epochs)", &[0, 5, 10, 20, 99]), [2.0, 2.5, 3.0, 4.0, 4.0]);
    assert_eq!(numbers("ramp(1, 0, over = 4steps, after = 1epochs)", &[9, 10, 11, 14, 15]), [1.0, 1.0, 0.75, 0.0, 0.0]);
    let cosine = numbers("cosine_ramp(0, 1, over = 8steps)", &[0, 2, 4, 8, 9]);
    let expected = [0.0, 0.5 - 0.5f64.sqrt() / 2.0, 0.5, 1.0, 1.0];
    assert!(cosine.iter().zip(expected).all(|(x, y)| (x - y).abs() < 1e-15), "{cosine:?}");
    // torch.optim.lr_scheduler.MultiStepLR(milestones = [3, 6], gamma = 0.1), times ten steps.
    let steps = numbers("steps_at(1, 0.1, at = [3epochs, 6epochs])", &[0, 29, 30, 59, 60, 500]);
    assert!(steps.iter().zip([1.0, 1.0, 0.1, 0.1, 0.01, 0.01]).all(|(x, y)| (x - y).abs() < 1e-15), "{steps:?}");
}

#[test]
fn a_pace_hears_of_steps_a_fixed_number_of_batches_later() {
    let clock = clock("pace(watch = train.hit, above = 0.35, by = 0.4)");
    let heard = [0.5, 0.2, 0.35, 0.9, f64::NAN, 0.8, 0.1];
    for (step, hit) in (0u64..).zip(heard) {
        // What is known ahead does not change later.
        let ahead = clock.numbers(step + LAG - 1)[0].1;
        clock.step(&[("hit".into(), hit)]);
        assert_eq!(clock.numbers(step + LAG - 1)[0].1, ahead);
    }
    let rises = [0.4, 0.4, 0.4, 0.8, 0.8, 1.0, 1.0];
    for (step, expected) in (0u64..).zip(rises) {
        if step + LAG >= 6 + LAG {
            assert_eq!(clock.numbers(step + LAG)[0].1, expected);
        }
    }
    assert_eq!(clock.last()[0].1, 0.0, "the numbers of steps that were taken came before");
    for _ in 0..LAG {
        clock.step(&[("hit".into(), 0.0)]);
    }
    assert_eq!(clock.last()[0].1, 1.0);
}

#[test]
fn what_is_heard_in_validation_counts_from_there_on() {
    let clock = clock("pace(watch = val.seen, below = 0.5, by = 0.25)");
    clock.step(&[("seen".into(), 0.1)]);
    clock.validated(&[("seen".into(), 0.1)]);
    clock.step(&[("seen".into(), 0.1)]);
    assert_eq!((clock.numbers(LAG)[0].1, clock.numbers(LAG + 1)[0].1), (0.0, 0.25));
    let state = clock.state();
    let other = self::clock("pace(watch = val.seen, below = 0.5, by = 0.25)");
    other.load(&state).unwrap();
    assert_eq!((other.state(), other.numbers(LAG + 1)[0].1), (state.clone(), 0.25));
    other.validated(&[("seen".into(), f64::NEG_INFINITY)]);
    assert_eq!(other.state(), state, "what is no number brings nothing forward");
    let another = self::clock("pace(watch = val.seen, below = 0.5, by = 0.5)");
    assert!(another.load(&state).is_err() && another.load(&serde_json::json!({ "step": 3 })).is_err());
}
