//! Numbers as they are shown to people: losses, rates, times, and means of the last steps.

use rord_lang::constant;

/// A mean that follows the last steps: of the first 30 exactly, later with a weight of 1/30 for each new one.
#[derive(Clone, Debug)]
pub(crate) struct Smooth {
    pub value: f64,
    count: u64,
}

impl Default for Smooth {
    fn default() -> Self {
        Self { value: f64::NAN, count: 0 }
    }
}

impl Smooth {
    pub fn add(&mut self, x: f64) {
        // A value that is not finite shows at once and does not stay.
        if !self.value.is_finite() || !x.is_finite() {
            *self = Self { value: x, count: 1 };
            return;
        }
        self.count = (self.count + 1).min(30);
        self.value += (x - self.value) / self.count as f64;
    }
}

/// So many cells, filled from the left.
pub(crate) fn bar(done: u64, of: u64, cells: usize) -> String {
    let full = u128::from(done.min(of)) * cells as u128;
    let full = full.checked_div(u128::from(of)).unwrap_or(0) as usize;
    let rest = cells - full.min(cells);
    format!("{}{}{}", "━".repeat(full), if rest > 0 { "╶" } else { "" }, "─".repeat(rest.saturating_sub(1)))
}

/// Four digits in five characters where that is possible: `1.482`, `12.34`, `123.4`, `1234`, `1.2e-5`.
pub fn short(x: f64) -> String {
    match x.abs() {
        a if !a.is_finite() => format!("{x}").to_lowercase(),
        0.0 => "0.000".into(),
        a if !(1e-3..1e5).contains(&a) => format!("{x:.1e}"),
        a if a < 9.9995 => format!("{x:.3}"),
        a if a < 99.995 => format!("{x:.2}"),
        a if a < 999.95 => format!("{x:.1}"),
        _ => format!("{x:.0}"),
    }
}

/// A learning rate with three digits, as the language writes it: `1e-3`.
pub fn rate(lr: f64) -> String {
    constant::number(format!("{lr:.2e}").parse().unwrap_or(lr))
}

/// A time in seconds: `12.3 s`, `8 min 20 s`, `2 h 05 min`, `3 d 04 h`.
pub fn time(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    match whole {
        _ if seconds < 59.95 => format!("{seconds:.1} s"),
        0..3600 => format!("{} min {:02} s", whole / 60, whole % 60),
        3600..86_400 => format!("{} h {:02} min", whole / 3600, whole / 60 % 60),
        _ => format!("{} d {:02} h", whole / 86_400, whole / 3600 % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smoothed_loss_forgets_and_recovers_from_nan() {
        let mut smooth = Smooth::default();
        for x in [1.0, 2.0, 6.0] {
            smooth.add(x);
        }
        assert_eq!(smooth.value, 3.0);
        smooth.add(f64::NAN);
        assert!(smooth.value.is_nan());
        smooth.add(5.0);
        assert_eq!(smooth.value, 5.0);
        for _ in 0..200 {
            smooth.add(1.0);
        }
        assert!((1.0..1.01).contains(&smooth.value), "{}", smooth.value);
    }

    #[test]
    fn numbers_and_times_are_short() {
        let numbers = [1.4821, 9.99951, 12.345, 123.45, 1234.5, 1.23e-5, 2.5e7, 0.0, -0.5, f64::NAN, f64::NEG_INFINITY];
        let texts = ["1.482", "10.00", "12.35", "123.5", "1234", "1.2e-5", "2.5e7", "0.000", "-0.500", "nan", "-inf"];
        assert_eq!(numbers.map(short), texts);
        assert_eq!([1e-3, 0.05, 1.0 / 3000.0, 0.0].map(rate), ["1e-3", "0.05", "3.33e-4", "0"]);
        let seconds = [0.0, 59.9, 59.96, 3599.0, 3600.0, 90_000.0];
        let texts = ["0.0 s", "59.9 s", "1 min 00 s", "59 min 59 s", "1 h 00 min", "1 d 01 h"];
        assert_eq!(seconds.map(time), texts);
        assert_eq!(
            [(0, 9), (5, 9), (9, 9), (1, 0), (u64::MAX, u64::MAX)].map(|(d, n)| bar(d, n, 9)),
            ["╶────────", "━━━━━╶───", "━━━━━━━━━", "╶────────", "━━━━━━━━━"]
        );
    }
}
