//! Curves: a row of bars for each loss, and a line of dots for the objective where there is room.

use crate::figures::short;

/// The heights of a bar.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// The bits of a sign of Braille: two dots beside each other, four below each other.
const DOTS: [[u32; 2]; 4] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]];

/// Numbers as at most so many: each the mean of a run of them.
fn gathered(values: &[f64], most: usize) -> Vec<f64> {
    let count = values.len().min(most);
    let part = |n: usize| {
        let (from, to) = (n * values.len() / count, (n + 1) * values.len() / count);
        let part = values.get(from..to).unwrap_or_default();
        part.iter().sum::<f64>() / part.len() as f64
    };
    (0..count).map(part).collect()
}

/// The least and the largest number that is finite.
fn range(values: &[f64]) -> Option<(f64, f64)> {
    let finite = values.iter().copied().filter(|x| x.is_finite());
    finite.fold(None, |range, x| Some(range.map_or((x, x), |(a, b): (f64, f64)| (a.min(x), b.max(x)))))
}

/// Where a number lies between two, as one of `count` levels from 0; in the middle where the two are one.
fn level(x: f64, (low, high): (f64, f64), count: usize) -> usize {
    let share = if high > low { (x - low) / (high - low) } else { 0.5 };
    ((share * count as f64) as usize).min(count.saturating_sub(1))
}

/// Bars from the least number to the largest, in at most so many columns. A number that is not finite is a cross.
pub fn bars(values: &[f64], columns: usize) -> String {
    let values = gathered(values, columns);
    let Some(range) = range(&values) else { return "×".repeat(values.len()) };
    let bar = |x: &f64| if x.is_finite() { BARS.get(level(*x, range, BARS.len())).copied() } else { None };
    values.iter().map(|x| bar(x).unwrap_or('×')).collect()
}

/// A line of dots in rows of at most so many columns, and what stands at the left of each row: the largest number and the least.
/// Nothing where there is no line.
pub fn line(values: &[f64], columns: usize, rows: usize) -> Vec<(String, String)> {
    // Two dots lie beside each other in a sign.
    let values = gathered(values, 2 * columns);
    let Some((low, high)) = range(&values).filter(|_| values.len() > 1 && rows > 1) else { return Vec::new() };
    let mut signs = vec![vec![0u32; columns]; rows];
    let mut dot = |x: usize, up: usize| {
        let y = (4 * rows - 1).saturating_sub(up);
        let bit = DOTS.get(y % 4).and_then(|row| row.get(x % 2)).copied().unwrap_or(0);
        if let Some(sign) = signs.get_mut(y / 4).and_then(|row| row.get_mut(x / 2)) {
            *sign |= bit;
        }
    };
    let heights: Vec<Option<usize>> =
        values.iter().map(|x| x.is_finite().then(|| level(*x, (low, high), 4 * rows))).collect();
    // Few steps are stretched over half of the columns at least.
    let stretch = (columns / values.len()).max(1);
    for (at, height) in heights.iter().enumerate() {
        let Some(height) = *height else { continue };
        let next = heights.get(at + 1).copied().flatten().unwrap_or(height);
        for step in 0..stretch {
            // From here to the next, with what lies between two heights.
            let to = |n: usize| (height * (stretch - n) + next * n) / stretch;
            let (from, until) = (to(step), to(step + 1));
            let until = if until > from + 1 {
                until - 1
            } else if until + 1 < from {
                until + 1
            } else {
                from
            };
            (from.min(until)..=from.max(until)).for_each(|up| dot(at * stretch + step, up));
        }
    }
    let label = |row: usize| match row {
        0 => short(high),
        _ if row + 1 == rows => short(low),
        _ => String::new(),
    };
    let text = |row: &Vec<u32>| row.iter().map(|bits| char::from_u32(0x2800 + bits).unwrap_or(' ')).collect::<String>();
    let blank = char::from_u32(0x2800).unwrap_or(' ');
    signs.iter().enumerate().map(|(n, row)| (label(n), text(row).trim_end_matches(blank).to_string())).collect()
}
