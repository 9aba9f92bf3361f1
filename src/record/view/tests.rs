#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use super::*;

const NAMES: [&str; 3] = ["total", "detection", "description"];

/// A run in its third epoch, with `steps` steps taken at four a second.
fn running(steps: u64) -> View {
    let mut view = View::new(false);
    view.begin(&NAMES, 20, 400);
    for step in 0..steps {
        if step % 400 == 0 && step > 0 {
            let val = [("total", 1.391), ("detection", 0.402), ("description", 0.989)];
            let (train, timed, took) = (&val, &[], Duration::ZERO);
            let epoch = step / 400;
            view.ended(&Epoch {
                epoch,
                objective: "total",
                train,
                timed,
                validation: &val,
                lr: 1e-3,
                took,
                best: epoch == 1,
            });
        }
        let (x, wave) = (1.0 / (1.0 + step as f64 / 40.0), (step as f64 / 9.0).sin() / 40.0);
        let values = [("total", 1.4 + x + wave), ("detection", 0.4 + wave), ("description", 1.0 + x)];
        let (epoch, done) = (step / 400 + 1, step % 400 + 1);
        let step = Step { step, epoch, done, values: &values, lr: 1e-3, grad_norm: 3.1 };
        view.step(Duration::from_millis(250 * (step.step + 1)), &step);
    }
    view
}

fn drawn(view: &View, columns: usize, rows: usize) -> String {
    let room = rows - 2;
    let rows = draw::rows(view, Duration::from_secs(230), columns - 1, room);
    let wide = rows.iter().map(|row| console::measure_text_width(row)).max().unwrap_or(0);
    assert!(wide < columns && rows.len() <= room, "{wide} columns of {columns}");
    rows.iter().map(|row| format!("{row}\n")).collect()
}

#[test]
fn eighty_columns() {
    assert_eq!(
        drawn(&running(920), 80, 24),
        "\
epoch  3/20 ━━━━━━━━╶─────────────────── 120/400  4.0 steps/s  29 min 30 s left
total         1.446  █▇▅▇▆▄▆▅▃▄▅▂▃▄▂▂▃▁▁▃▁▁  val 1.391  best 1.391 in epoch 1
detection     0.403  █▅▁▇▆▁▆▇▁▅▇▁▅█▁▄█▂▃█▃▂  val 0.402
description   1.043  ██▇▇▆▆▅▅▄▄▄▃▃▃▂▂▂▁▁▁▁▁  val 0.989
lr 1e-3  gradient 3.100
  1.481 ┤⠔⠉⠉⠑⢄⠀⠀⠀⠀⠀⠀⣀⣀⡀
        │⠀⠀⠀⠀⠀⠑⢄⠀⢀⡠⠊⠀⠀⠈⠢⡀⠀⠀⠀⠀⡠⠔⠒⢄⠀⠀⠀⠀⠀⠀⠀⠀⡀
        │⠀⠀⠀⠀⠀⠀⠀⠉⠁⠀⠀⠀⠀⠀⠀⠈⠢⣀⠤⠊⠀⠀⠀⠀⠑⢄⠀⠀⠀⡠⠒⠉⠈⠑⢄⠀⠀⠀⠀⠀⡠⠔⠢⢄⠀⠀⠀⠀⠀⠀⠀⣀⣀
        │⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠑⠒⠊⠀⠀⠀⠀⠀⠀⠑⢄⣀⠤⠊⠀⠀⠀⠀⠑⢄⠀⠀⢀⡠⠊⠀⠀⠑⢄⠀⠀⠀⠀⢀⠔⠊⠑⠢⡀
  1.437 ┤⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠑⠒⠁⠀⠀⠀⠀⠀⠀⠑⠤⠤⠒⠁⠀⠀⠀⠀⠑⢄⣀⣀⡠⠊
"
    );
}

#[test]
fn a_hundred_and_twenty_columns_are_used_like_eighty_and_a_warning() {
    let mut view = running(920);
    let text = "the descriptors of `net.desc` are all alike".to_string();
    view.found(&Finding { epoch: 2, what: "descriptors_alike", of: "net.desc".into(), figures: vec![], text });
    assert_eq!(
        drawn(&view, 120, 40),
        "\
epoch  3/20 ━━━━━━━━╶─────────────────── 120/400  4.0 steps/s  29 min 30 s left
total         1.446  █▇▅▇▆▄▆▅▃▄▅▂▃▄▂▂▃▁▁▃▁▁  val 1.391  best 1.391 in epoch 1
detection     0.403  █▅▁▇▆▁▆▇▁▅▇▁▅█▁▄█▂▃█▃▂  val 0.402
description   1.043  ██▇▇▆▆▅▅▄▄▄▃▃▃▂▂▂▁▁▁▁▁  val 0.989
lr 1e-3  gradient 3.100  warning in epoch 2: descriptors alike net.desc
  1.481 ┤⠔⠉⠉⠑⢄⠀⠀⠀⠀⠀⠀⣀⣀⡀
        │⠀⠀⠀⠀⠀⠑⢄⠀⢀⡠⠊⠀⠀⠈⠢⡀⠀⠀⠀⠀⡠⠔⠒⢄⠀⠀⠀⠀⠀⠀⠀⠀⡀
        │⠀⠀⠀⠀⠀⠀⠀⠉⠁⠀⠀⠀⠀⠀⠀⠈⠢⣀⠤⠊⠀⠀⠀⠀⠑⢄⠀⠀⠀⡠⠒⠉⠈⠑⢄⠀⠀⠀⠀⠀⡠⠔⠢⢄⠀⠀⠀⠀⠀⠀⠀⣀⣀
        │⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠑⠒⠊⠀⠀⠀⠀⠀⠀⠑⢄⣀⠤⠊⠀⠀⠀⠀⠑⢄⠀⠀⢀⡠⠊⠀⠀⠑⢄⠀⠀⠀⠀⢀⠔⠊⠑⠢⡀
  1.437 ┤⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠑⠒⠁⠀⠀⠀⠀⠀⠀⠑⠤⠤⠒⠁⠀⠀⠀⠀⠑⢄⣀⣀⡠⠊
"
    );
}

#[test]
fn a_small_terminal_has_what_matters_most() {
    assert_eq!(
        drawn(&running(920), 40, 5),
        "\
epoch  3/20 ━━━━━╶───────────── 120/400
total         1.446  val 1.391
detection     0.403  val 0.402
"
    );
    // None is too small.
    for (columns, rows) in (2..60).flat_map(|c| (3..20).map(move |r| (c, r))) {
        drawn(&running(40), columns, rows);
    }
}

#[test]
fn before_the_first_step_a_view_says_what_is_done() {
    let mut view = View::new(false);
    assert_eq!(drawn(&view, 80, 24), "preparing\n");
    view.busy("loading the data");
    assert_eq!(drawn(&view, 80, 24), "loading the data\n");
    view.begin(&NAMES, 20, 400);
    view.busy("making the first step");
    assert!(drawn(&view, 80, 24).starts_with("epoch  1/20  making the first step\ntotal"));
}

#[test]
fn colors_take_no_columns_and_end_where_the_text_ends() {
    let plain = running(40);
    let view = View { color: true, ..running(40) };
    let rows = |view: &View| draw::rows(view, Duration::from_secs(10), 79, 22);
    let colored = rows(&view);
    assert!(colored[0].starts_with("\x1b[1mepoch") && colored[0].ends_with("left\x1b[0m"), "{:?}", colored[0]);
    assert!(colored[1].contains("\x1b[36m█"), "{:?}", colored[1]);
    let stripped: Vec<String> =
        colored.iter().map(|row| console::strip_ansi_codes(row).trim_end().to_string()).collect();
    assert_eq!(stripped, rows(&plain));
}

#[test]
fn a_loss_that_is_not_finite_is_shown_as_such() {
    let mut view = View::new(false);
    view.begin(&NAMES[..1], 1, 10);
    for (at, value) in [1.0, 2.0, f64::NAN, f64::INFINITY, 1.0].into_iter().enumerate() {
        let (step, values) = (at as u64, [("total", value)]);
        let step = Step { step, epoch: 1, done: step + 1, values: &values, lr: 1e-3, grad_norm: 1.0 };
        view.step(Duration::from_secs(step.step), &step);
    }
    assert!(drawn(&view, 80, 10).contains("total   1.000  ▁█××▁"), "{}", drawn(&view, 80, 10));
}

#[test]
fn no_row_is_broken_where_a_wide_terminal_becomes_one_of_eighty_columns() {
    assert_eq!(drawn(&running(920), 200, 40), drawn(&running(920), 80, 40));
    let rows = draw::rows(&running(920), Duration::from_secs(230), 200, 40);
    assert_eq!(rows.iter().map(|row| console::measure_text_width(row)).max(), Some(79));
}
