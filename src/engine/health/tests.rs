use super::*;

fn tensor(shape: (usize, usize, usize, usize), at: impl Fn(usize) -> f32) -> Tensor {
    let count = shape.0 * shape.1 * shape.2 * shape.3;
    Tensor::from_vec((0..count).map(at).collect::<Vec<f32>>(), shape, &Device::Cpu).unwrap()
}

fn looked(sort: Sort) -> Looked {
    Looked { judged: BTreeMap::from([(3, (sort, "net.out".to_string()))]), means: BTreeMap::new() }
}

/// What is said of an epoch of so many steps, each with this value.
fn said(sort: Sort, value: &Tensor, steps: u64) -> Vec<String> {
    let (looked, mut health) = (looked(sort), Health::default());
    let mut seen = Seen::default();
    for step in 1..=steps {
        let mut looking = Looking { looked: &looked, whole: step == steps, seen: Seen::default() };
        looking.value(3, value);
        seen = looking.seen;
        health.step(1.0, &[], &seen, &looked);
    }
    let found = health.end_epoch(1, &[], &seen, &looked);
    assert!(health.end_epoch(2, &[], &seen, &looked).is_empty(), "it is said once");
    found.into_iter().map(|finding| finding.what.to_string()).collect()
}

#[test]
fn what_is_the_same_everywhere_is_said_and_what_differs_is_not() {
    let ramp = tensor((2, 1, 4, 4), |i| (i % 7) as f32 / 7.0);
    let grey = tensor((2, 1, 4, 4), |_| 0.5);
    let black = tensor((2, 1, 4, 4), |_| 0.0);
    assert_eq!(said(Sort::Image, &grey, 2), ["flat_images"]);
    assert_eq!(said(Sort::Image, &black, 1), ["black_images"]);
    assert_eq!(said(Sort::Detector, &grey, 1), ["constant_detector"]);
    assert!(said(Sort::Image, &ramp, 2).is_empty() && said(Sort::Detector, &ramp, 2).is_empty());
    // Every place has the vector (1, 2, 3); then all of them have others.
    let alike = tensor((2, 3, 4, 4), |i| 1.0 + (i / 16 % 3) as f32);
    assert_eq!(said(Sort::Descriptors, &alike, 1), ["descriptors_alike"]);
    assert!(said(Sort::Descriptors, &tensor((2, 3, 4, 4), |i| (i * 5 % 11) as f32), 1).is_empty());
    assert_eq!(said(Sort::Margin, &black, 1), ["all_satisfied"]);
    assert!(said(Sort::Margin, &grey, 20).is_empty(), "before training many are violated");
    assert!(said(Sort::Margin, &ramp, 20).is_empty());
}

#[test]
fn triplets_that_are_violated_for_two_epochs_are_said() {
    let (looked, mut health) = (looked(Sort::Margin), Health::default());
    let grey = tensor((2, 1, 4, 4), |_| 0.5);
    let mut epoch = |number: u64, steps: u64| {
        let mut seen = Seen::default();
        for _ in 0..steps {
            let mut looking = Looking { looked: &looked, whole: true, seen: Seen::default() };
            looking.value(3, &grey);
            seen = looking.seen;
            health.step(1.0, &[], &seen, &looked);
        }
        health.end_epoch(number, &[], &seen, &looked).iter().map(|f| f.what).collect::<Vec<_>>()
    };
    assert!(epoch(1, 6).is_empty());
    assert_eq!(epoch(2, 6), ["all_violated"]);
    assert!(epoch(3, 6).is_empty(), "it is said once");
}

#[test]
fn a_gradient_that_is_zero_for_an_epoch_is_said_and_an_epoch_is_taken_up_in_its_middle() {
    let (looked, seen) = (Looked::default(), Seen::default());
    let names = ["a.weight".to_string(), "b.weight".to_string()];
    let mut health = Health::default();
    health.step(1.0, &[true, false], &seen, &looked);
    let mut taken_up = Health::default();
    taken_up.load(Some(&health.state()));
    assert_eq!(taken_up, health);
    taken_up.step(1.0, &[true, true], &seen, &looked);
    let found = taken_up.end_epoch(1, &names, &seen, &looked);
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].what, found[0].of.as_str()), ("no_gradient_of", "a.weight"));
    (0..3).for_each(|_| taken_up.step(0.0, &[true, true], &seen, &looked));
    assert_eq!(taken_up.end_epoch(2, &names, &seen, &looked)[0].what, "no_gradient");
    let mut again = Health::default();
    again.load(Some(&taken_up.state()));
    (0..3).for_each(|_| again.step(0.0, &[true, true], &seen, &looked));
    assert!(again.end_epoch(3, &names, &seen, &looked).is_empty(), "what was said stays said");
}

#[test]
fn one_number_that_is_not_zero_makes_a_gradient() {
    assert!(!any(&tensor((1, 1, 2, 2), |_| 0.0)));
    assert!(any(&tensor((1, 1, 2, 2), |i| f32::from(u8::from(i == 3)))));
    assert!(any(&tensor((1, 1, 2, 2), |_| f32::NAN)));
}

#[test]
fn figures_are_of_the_epoch_and_an_epoch_is_taken_up_in_its_middle() {
    let judged = BTreeMap::from([
        (3, (Sort::Margin, "loss".to_string())),
        (4, (Sort::Margin, "loss".to_string())),
        (5, (Sort::Detector, "net.det".to_string())),
    ]);
    let looked = Looked { judged, means: BTreeMap::from([(1, "loss.positives".to_string())]) };
    let mut health = Health::default();
    let mut seen = Seen::default();
    for step in 0..2u8 {
        let mut looking = Looking { looked: &looked, whole: step == 1, seen: Seen::default() };
        looking.value(1, &tensor((1, 1, 1, 4), |_| f32::from(step)));
        // One of four and then two of four are active, and none of twelve.
        looking.value(3, &tensor((1, 1, 1, 4), |i| f32::from(u8::from(i <= usize::from(step)))));
        looking.value(4, &tensor((1, 1, 1, 12), |_| 0.0));
        looking.value(5, &tensor((1, 1, 1, 2), |i| 0.25 + 0.5 * i as f32));
        seen = looking.seen;
        health.step(1.0, &[], &seen, &looked);
        let mut taken_up = Health::default();
        taken_up.load(Some(&health.state()));
        assert_eq!(taken_up, health);
        health = taken_up;
    }
    let figures = health.figures(&seen, &looked);
    let expected =
        [("loss.active", 3.0 / 32.0), ("loss.positives", 0.5), ("net.det.mean", 0.5), ("net.det.spread", 0.25)];
    assert_eq!(figures, expected.map(|(name, x)| (name.to_string(), x)));
    health.end_epoch(1, &[], &seen, &looked);
    assert!(health.figures(&Seen::default(), &looked).is_empty(), "the next epoch begins with none");
}
