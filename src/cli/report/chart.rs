//! Curves as SVG: few lines, labels at their ends, a band from least to greatest behind the mean of many steps. A script makes them zoomable;
//! without it they are the same.

use std::fmt::Write;

use serde_json::{Value, json};

use super::curves::{Piece, Pieces};
use super::html::escaped;

/// Width and height, and what is left around the curves: left, right, above, below.
const SIZE: [f64; 2] = [400.0, 200.0];
const AROUND: [f64; 4] = [46.0, 66.0, 12.0, 24.0];
/// Pieces of a line and of a band that are drawn.
const DRAWN: [usize; 2] = [80, 200];
/// Pieces that the script has to zoom into.
const ZOOMED: usize = 600;
/// From this ratio of the greatest to the least on a scale is logarithmic.
const MANY: f64 = 40.0;
/// Points up to which each is marked.
const MARKED: usize = 40;

/// A line.
#[derive(Clone, Debug)]
pub struct Series {
    /// What it is called at its end.
    pub name: String,
    /// Its color: `t` of training, `v` of validation, `r0` to `r7` of runs.
    pub class: String,
    /// Its numbers.
    pub points: Points,
}

/// The numbers of a line.
#[derive(Clone, Debug)]
pub enum Points {
    /// One each step.
    Steps(Pieces),
    /// One each epoch.
    Epochs(Vec<[f64; 2]>),
    /// One each epoch, with how far numbers spread to both sides of it.
    Around(Vec<Piece>),
}

impl Points {
    /// What is drawn as a line.
    fn line(&self) -> Vec<[f64; 2]> {
        match self {
            Points::Steps(pieces) => pieces.in_pieces(DRAWN[0]).iter().map(|p| [p.at(), p.mean()]).collect(),
            Points::Epochs(points) => points.clone(),
            Points::Around(pieces) => pieces.iter().map(|p| [p.at(), p.mean()]).collect(),
        }
    }

    fn band(&self) -> Vec<Piece> {
        match self {
            Points::Steps(pieces) => pieces.in_pieces(DRAWN[1]),
            Points::Epochs(_) => Vec::new(),
            Points::Around(pieces) => pieces.clone(),
        }
    }

    /// True where there is nothing to draw.
    pub fn is_empty(&self) -> bool {
        self.line().is_empty()
    }
}

/// A picture with some lines.
#[derive(Clone, Debug)]
pub struct Chart {
    /// What the numbers are.
    pub name: String,
    /// What is said beside that.
    pub about: String,
    /// The lines, the most important last.
    pub series: Vec<Series>,
    /// The last epoch.
    pub until: f64,
    /// The epoch that is marked.
    pub best: Option<f64>,
}

/// The scales of a picture.
struct Scales {
    log: bool,
    y: [f64; 2],
    x: [f64; 2],
}

impl Scales {
    fn at(&self, [x, y]: [f64; 2]) -> [f64; 2] {
        let [left, right, above, below] = AROUND;
        let y = self.height(y).clamp(-3.0, 4.0);
        let x = (x - self.x[0]) / (self.x[1] - self.x[0]).max(1e-12);
        [left + x * (SIZE[0] - left - right), SIZE[1] - below - y * (SIZE[1] - above - below)]
    }

    /// 0 at the lower end, 1 at the upper.
    fn height(&self, y: f64) -> f64 {
        let of = |y: f64| if self.log { y.max(1e-300).ln() } else { y };
        let [low, high] = self.y.map(of);
        (of(y) - low) / (high - low).max(1e-300)
    }
}

impl Chart {
    /// The picture in a page; nothing where no line has a number.
    pub fn html(&self) -> String {
        let lines: Vec<Vec<[f64; 2]>> = self.series.iter().map(|s| s.points.line()).collect();
        // Of steps the line says how high the picture is, and of what spreads all of it.
        let spread =
            self.series.iter().filter_map(|s| if let Points::Around(all) = &s.points { Some(all) } else { None });
        let spread = spread.flatten().flat_map(|p| [p.low, p.high]);
        let ys = lines.iter().flatten().map(|[_, y]| *y).chain(spread);
        let (low, high) = ys.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), y| (a.min(y), b.max(y)));
        if !(low.is_finite() && high.is_finite()) {
            return String::new();
        }
        let log = low > 0.0 && high / low > MANY;
        let y = match (log, (high - low) * 0.06) {
            (true, _) => [low / 1.15, high * 1.15],
            (_, room) if room > 0.0 => [low - room, high + room],
            // All or nothing is a share.
            _ if low == 0.0 || low == 1.0 => [-0.06, 1.06],
            _ => [low - low.abs().max(1e-6) * 0.5, high + high.abs().max(1e-6) * 0.5],
        };
        let scales = Scales { log, y, x: [0.0, self.until.max(1e-9)] };
        let scale = if log { " <small>logarithmic</small>" } else { "" };
        let mut out = format!(
            "<figure class=\"chart\"><figcaption><b>{}</b>{scale} <span>{}</span></figcaption>\
             <svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{}\">",
            escaped(&self.name),
            escaped(&self.about),
            SIZE[0],
            SIZE[1],
            escaped(&format!("{}: {}", self.name, self.about)),
        );
        self.axes(&mut out, &scales);
        let [left, right, above, below] = AROUND;
        let (width, height) = (SIZE[0] - left - right, SIZE[1] - above - below);
        // A drawing of its own cuts off what lies outside.
        let _ = write!(
            out,
            "<svg x=\"{left}\" y=\"{above}\" width=\"{width}\" height=\"{height}\" viewBox=\"{left} {above} {width} {height}\"><g class=\"lines\">"
        );
        for series in &self.series {
            band(&mut out, &scales, &series.points.band(), &series.class);
        }
        for (series, line) in self.series.iter().zip(&lines) {
            let _ = write!(out, "<path class=\"l {}\" d=\"{}\"/>", series.class, path(&scales, line));
            let marked = !matches!(series.points, Points::Steps(_)) && line.len() <= MARKED;
            for point in line.iter().filter(|_| marked) {
                let [x, y] = scales.at(*point);
                let _ = write!(out, "<circle class=\"{}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"2.1\"/>", series.class);
            }
        }
        out += "</g></svg>";
        self.labels(&mut out, &scales, &lines);
        let data = self.data(&scales).to_string().replace('<', "\\u003c");
        let _ = writeln!(out, "</svg><script type=\"application/json\">{data}</script></figure>");
        out
    }

    fn axes(&self, out: &mut String, scales: &Scales) {
        let ([left, right, above, below], [width, height]) = (AROUND, SIZE);
        out.push_str("<g class=\"axes\">");
        for tick in ticks(scales.y, scales.log, 4) {
            let [_, y] = scales.at([scales.x[0], tick]);
            let _ = write!(
                out,
                "<path d=\"M{left} {y:.1}H{}\"/><text class=\"y\" x=\"{}\" y=\"{:.1}\">{}</text>",
                width - right,
                left - 7.0,
                y + 3.5,
                shown(tick)
            );
        }
        for tick in ticks(scales.x, false, 5) {
            let [x, _] = scales.at([tick, scales.y[0]]);
            let _ = write!(out, "<text class=\"x\" x=\"{x:.1}\" y=\"{}\">{}</text>", height - 7.0, shown(tick));
        }
        let end = width - right;
        let _ = write!(out, "<text class=\"e\" x=\"{}\" y=\"{}\">epoch</text>", end + 16.0, height - 7.0);
        if let Some(best) = self.best {
            let [x, _] = scales.at([best, scales.y[0]]);
            let _ = write!(out, "<path class=\"best\" d=\"M{x:.1} {above}V{}\"/>", height - below);
        }
        out.push_str("</g>");
    }

    /// The name of each line at its end; none above another.
    fn labels(&self, out: &mut String, scales: &Scales, lines: &[Vec<[f64; 2]>]) {
        const APART: f64 = 12.5;
        let ends = self.series.iter().zip(lines).filter_map(|(s, line)| Some((s, scales.at(*line.last()?))));
        let mut ends: Vec<(&Series, [f64; 2])> = ends.collect();
        ends.sort_by(|a, b| a.1[1].total_cmp(&b.1[1]));
        let bottom = SIZE[1] - AROUND[3] + 2.0;
        let (mut last, mut heights) = (f64::NEG_INFINITY, Vec::new());
        for (_, [_, y]) in &ends {
            last = (y + 3.5).clamp(AROUND[2] + 4.0, bottom).max(last + APART);
            heights.push(last);
        }
        // What was moved out below moves up again.
        let over = heights.last().map_or(0.0, |last| (last - bottom).max(0.0));
        let mut next = f64::INFINITY;
        for height in heights.iter_mut().rev().filter(|_| over > 0.0) {
            *height = height.min(bottom).min(next - APART);
            next = *height;
        }
        out.push_str("<g class=\"labels\">");
        for ((series, _), y) in ends.iter().zip(heights) {
            let x = SIZE[0] - AROUND[1] + 8.0;
            let name: String = series.name.chars().take(11).collect();
            let _ = write!(out, "<text class=\"{}\" x=\"{x}\" y=\"{y:.1}\">{}</text>", series.class, escaped(&name));
        }
        out.push_str("</g>");
    }

    /// What the script draws from.
    fn data(&self, scales: &Scales) -> Value {
        let digits = |x: f64| format!("{x:.4e}").parse::<f64>().unwrap_or(x);
        let points =
            |all: &[Piece]| all.iter().map(|p| [p.at(), p.mean(), p.low, p.high].map(digits).to_vec()).collect();
        let series = self.series.iter().map(|s| {
            let points: Vec<Vec<f64>> = match &s.points {
                Points::Steps(pieces) => points(&pieces.in_pieces(ZOOMED)),
                Points::Around(pieces) => points(pieces),
                Points::Epochs(points) => points.iter().map(|p| p.map(digits).to_vec()).collect(),
            };
            let spread = matches!(s.points, Points::Around(_));
            json!({ "name": s.name, "class": s.class, "spread": spread, "points": points })
        });
        json!({ "log": scales.log, "x": scales.x, "y": scales.y, "best": self.best, "series": series.collect::<Vec<_>>() })
    }
}

fn path(scales: &Scales, line: &[[f64; 2]]) -> String {
    let mut d = String::new();
    for (index, point) in line.iter().enumerate() {
        let [x, y] = scales.at(*point);
        let _ = write!(d, "{}{x:.1} {y:.1}", if index == 0 { 'M' } else { 'L' });
    }
    // A single point is seen, too.
    if line.len() == 1 { d + "h0.1" } else { d }
}

fn band(out: &mut String, scales: &Scales, pieces: &[Piece], class: &str) {
    if pieces.iter().all(|p| p.low == p.high) && pieces.len() < DRAWN[0] {
        return;
    }
    let upper = pieces.iter().map(|p| [p.at(), p.high]);
    let lower = pieces.iter().rev().map(|p| [p.at(), p.low]);
    let around: Vec<[f64; 2]> = upper.chain(lower).collect();
    let _ = write!(out, "<path class=\"b {class}\" d=\"{}Z\"/>", path(scales, &around));
}

/// Round numbers within a range, about so many.
fn ticks([low, high]: [f64; 2], log: bool, about: usize) -> Vec<f64> {
    if log {
        let decades = low.log10().floor() as i32..=high.log10().ceil() as i32;
        let many = high / low > 2e3;
        let steps: &[f64] = if many { &[1.0] } else { &[1.0, 2.0, 5.0] };
        let all = decades.flat_map(|d| steps.iter().map(move |s| s * 10f64.powi(d)));
        let all: Vec<f64> = all.filter(|t| *t >= low && *t <= high).collect();
        let each = all.len().div_ceil(about + 2).max(1);
        return all.into_iter().step_by(each).collect();
    }
    let step = (high - low) / about as f64;
    if !(step > 0.0 && step.is_finite()) {
        return Vec::new();
    }
    let size = 10f64.powf(step.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|m| m * size).find(|s| *s >= step * 0.999).unwrap_or(step);
    let first = (low / step).ceil() as i64;
    (0..=(2 * about as i64 + 2)).map(|i| (first + i) as f64 * step).take_while(|t| *t <= high + step * 1e-9).collect()
}

/// A number of an axis, as short as it can be.
fn shown(x: f64) -> String {
    let near = if x.abs() < 1e-12 { 0.0 } else { format!("{x:.6e}").parse().unwrap_or(x) };
    match near.abs() {
        a if a == 0.0 || (1e-4..1e5).contains(&a) => format!("{near}"),
        _ => format!("{near:e}"),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round() {
        assert_eq!(ticks([0.0, 10.0], false, 5), [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]);
        assert_eq!(
            ticks([0.17, 0.95], false, 4).iter().map(|t| shown(*t)).collect::<Vec<_>>(),
            ["0.2", "0.4", "0.6", "0.8"]
        );
        assert_eq!(ticks([1e-5, 2.0], true, 4), [1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1.0].map(|x: f64| x).to_vec());
        assert!(ticks([1.0, 1.0], false, 4).is_empty() && ticks([f64::NAN, 1.0], false, 4).is_empty());
        assert_eq!([1e-3, 1e-5, 0.30000000000000004, 2e6].map(shown), ["0.001", "1e-5", "0.3", "2e6"]);
    }

    #[test]
    fn labels_of_lines_that_end_together_are_apart() {
        let end = |y: f64| Points::Epochs(vec![[0.0, 0.0], [1.0, y]]);
        let series = |i: usize, y: f64| Series { name: format!("<{i}>"), class: format!("r{i}"), points: end(y) };
        let series = (0..6).map(|i| series(i, if i < 5 { 0.0 } else { 1.0 })).collect();
        let chart = Chart { name: "</script>".into(), about: String::new(), series, until: 1.0, best: Some(1.0) };
        let html = chart.html();
        let labels = html.split("<g class=\"labels\">").nth(1).unwrap().split("</g>").next().unwrap();
        let mut ys: Vec<f64> =
            labels.split(" y=\"").skip(1).map(|rest| rest.split('"').next().unwrap().parse().unwrap()).collect();
        ys.sort_by(f64::total_cmp);
        assert!(ys.len() == 6 && ys.windows(2).all(|w| w[1] - w[0] > 12.0) && ys[5] <= 200.0, "{ys:?}");
        assert_eq!(html.matches("</script>").count(), 1, "{html}");
        assert!(!html.contains("<0>"), "{html}");
    }
}
