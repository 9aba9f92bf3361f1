#![allow(clippy::indexing_slicing)] // indices are those of lists that are made here
//! An overview as a drawing: boxes in ranks, datasets and calls of models framed, for light and for dark.

use std::fmt::Write;

use rord_lang::report::grouped;
use rord_lang::report::visible::visible;

use super::layout::{Layout, Line, Stop, layered, ranks};
use super::{Block, Overview, What};

/// Around the drawing, inside of frames, and the rows of a frame's head.
const MARGIN: f64 = 8.0;
const PADDING: f64 = 14.0;
const HEAD: f64 = 34.0;
/// The lines of a box: the first, the others, and what is above and below them.
const LINES: [f64; 3] = [17.0, 14.0, 9.0];
/// Letters of a line of formula or operations, and lines of them.
const WRAPPED: (usize, usize) = (38, 3);

const STYLE: &str = "\
.ov{--ink:#1d2330;--soft:#5d6675;--line:#8b94a3;--page:#fff;--frame:#f5f6f8;--edge:#d8dce3;\
--field:#eef3fb;--stage:#fff;--loss:#fdf1e4;--let:#f3f4f6;--goal:#e9f5ec;\
font-family:ui-sans-serif,system-ui,-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif}\
@media (prefers-color-scheme:dark){.ov{--ink:#e8ebf1;--soft:#a2abba;--line:#7d8797;--page:#14171d;--frame:#1a1e26;\
--edge:#343b47;--field:#1c2738;--stage:#232935;--loss:#33271a;--let:#22262e;--goal:#1b2e22}}\
.ov text{fill:var(--ink);font-size:11px}.ov .n{font-size:13px;font-weight:600}.ov .s{fill:var(--soft)}\
.ov .c{fill:var(--soft);font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;font-size:10px}\
.ov .h{paint-order:stroke;stroke:var(--frame);stroke-width:5px;stroke-linejoin:round}.ov rect{stroke:var(--edge)}.ov .g{fill:var(--frame)}.ov .field{fill:var(--field)}.ov .stage{fill:var(--stage)}\
.ov .let{fill:var(--let)}.ov .loss{fill:var(--loss)}.ov .objective{fill:var(--goal)}\
.ov path{fill:none;stroke:var(--line);stroke-width:1.2}.ov marker path{fill:var(--line);stroke:none}";

/// A line of a box: its class and its text.
type Text = (&'static str, String);

fn lines(one: &Block) -> Vec<Text> {
    let mut lines = vec![("n", one.name.clone())];
    if !one.shape.is_empty() {
        lines.push(("s", one.shape.clone()));
    }
    if one.weights > 0 {
        lines.push(("s", format!("{} weights", grouped(one.weights))));
    }
    let class = if one.what == What::Stage { "s" } else { "c" };
    lines.extend(wrapped(&one.by).into_iter().map(|line| (class, line)));
    lines
}

/// A text in few short lines; what is left out is marked.
fn wrapped(text: &str) -> Vec<String> {
    let (most, rows) = WRAPPED;
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ').filter(|w| !w.is_empty()) {
        let word: String = if word.chars().count() > most {
            word.chars().take(most - 1).chain(['…']).collect()
        } else {
            word.into()
        };
        match lines.last_mut().filter(|line| line.chars().count() + 1 + word.chars().count() <= most) {
            Some(line) => *line = format!("{line} {word}"),
            None => lines.push(word),
        }
    }
    if lines.len() > rows {
        lines.truncate(rows);
        if let Some(last) = lines.last_mut() {
            last.push_str(" …");
        }
    }
    lines
}

fn size(one: &Block) -> [f64; 2] {
    let lines = lines(one);
    let wide = lines.iter().map(|(class, text)| {
        let letter = match *class {
            "n" => 7.9,
            "c" => 6.2,
            _ => 6.5,
        };
        letter * text.chars().count() as f64
    });
    let [first, next, around] = LINES;
    [(wide.fold(0.0, f64::max) + 24.0).max(84.0), first + next * (lines.len() - 1) as f64 + 2.0 * around - 3.0]
}

/// What a drawing is made of: a frame with boxes in it, or a box by itself.
struct Part {
    /// Its boxes.
    boxes: Vec<usize>,
    group: Option<usize>,
    inner: Layout,
    /// The lines inside, as pairs of boxes; those that leave have a place below the last rank in `exits`.
    edges: Vec<(usize, usize)>,
    /// Of boxes that are not in the last rank and have lines that leave, the pass of these.
    exits: Vec<(usize, Vec<Stop>)>,
    size: [f64; 2],
    /// The part's upper left corner.
    at: [f64; 2],
}

impl Part {
    fn new(all: &Overview, group: Option<usize>, boxes: Vec<usize>) -> Self {
        let local = |at: usize| boxes.iter().position(|b| *b == at);
        let inside = |(from, to): &(usize, usize)| Some((local(*from)?, local(*to)?));
        let pairs: Vec<(usize, usize)> = all.edges.iter().filter_map(inside).collect();
        let straight = |(from, to): &(usize, usize)| Line { from: *from, to: *to, leaves: 0.0, enters: 0.0 };
        let mut lines: Vec<Line> = pairs.iter().map(straight).collect();
        let mut sizes: Vec<[f64; 2]> = boxes.iter().filter_map(|at| all.boxes.get(*at)).map(size).collect();
        let before = ranks(sizes.len(), &lines, &[]);
        let lowest = before.iter().copied().max().unwrap_or(0);
        let leaves = |at: usize| all.edges.iter().any(|(from, to)| *from == at && local(*to).is_none());
        let leaving: Vec<usize> = (0..boxes.len()).filter(|i| before[*i] < lowest && leaves(boxes[*i])).collect();
        let mut last = Vec::new();
        for from in &leaving {
            sizes.push([4.0, 0.0]);
            last.push(sizes.len() - 1);
            lines.push(Line { from: *from, to: sizes.len() - 1, leaves: 0.0, enters: 0.0 });
        }
        let inner = layered(&sizes, &lines, &last);
        let exits = leaving.iter().enumerate().map(|(i, from)| {
            let mut stops = inner.passes[pairs.len() + i].clone();
            let [x, y] = inner.places[last[i]];
            stops.push([x, y, y]);
            (boxes[*from], stops)
        });
        let exits = exits.collect();
        let edges = pairs.iter().map(|(a, b)| (boxes[*a], boxes[*b])).collect();
        let [wide, high] = inner.size;
        let head = group.and_then(|g| all.groups.get(g)).map(|g| {
            let text = 7.0 * g.name.chars().count() as f64 + 6.0 * g.about.chars().count() as f64 + 14.0;
            [wide.max(text) + 2.0 * PADDING, high + HEAD + PADDING]
        });
        Self { boxes, group, inner, edges, exits, size: head.unwrap_or([wide, high]), at: [0.0; 2] }
    }

    /// Where what is inside begins.
    fn origin(&self) -> [f64; 2] {
        let inside = (self.size[0] - self.inner.size[0]) / 2.0;
        [self.at[0] + inside, self.at[1] + if self.group.is_some() { HEAD } else { 0.0 }]
    }

    /// The middle of a box, and its upper edge.
    fn place(&self, at: usize) -> [f64; 2] {
        let index = self.boxes.iter().position(|b| *b == at).unwrap_or_default();
        let ([x, y], [left, top]) = (self.inner.places[index], self.origin());
        [left + x, top + y]
    }

    /// Where a line from a box leaves the part.
    fn exit(&self, at: usize) -> f64 {
        let stops = self.exits.iter().find(|(from, _)| *from == at).and_then(|(_, stops)| stops.last());
        stops.map_or_else(|| self.place(at)[0], |stop| self.origin()[0] + stop[0])
    }

    fn middle(&self) -> f64 {
        self.at[0] + self.size[0] / 2.0
    }
}

/// The drawing. It stands alone, and in a page, whose colors it has.
pub fn svg(all: &Overview) -> String {
    let mut parts: Vec<Part> = (0..all.groups.len())
        .map(|group| (Some(group), (0..all.boxes.len()).filter(|at| all.boxes[*at].group == Some(group)).collect()))
        .chain((0..all.boxes.len()).filter(|at| all.boxes[*at].group.is_none()).map(|at| (None, vec![at])))
        .map(|(group, boxes)| Part::new(all, group, boxes))
        .filter(|part| !part.boxes.is_empty())
        .collect();
    // Each after what it uses.
    parts.sort_by_key(|part| part.boxes.iter().min().copied());
    let part_of =
        |parts: &[Part], at: usize| parts.iter().position(|part| part.boxes.contains(&at)).unwrap_or_default();
    let between: Vec<(usize, usize)> =
        all.edges.iter().copied().filter(|(a, b)| part_of(&parts, *a) != part_of(&parts, *b)).collect();
    let outer: Vec<Line> = between
        .iter()
        .map(|(a, b)| {
            let (from, to) = (part_of(&parts, *a), part_of(&parts, *b));
            let (above, below) = (&parts[from], &parts[to]);
            Line { from, to, leaves: above.exit(*a) - above.middle(), enters: below.place(*b)[0] - below.middle() }
        })
        .collect();
    let sizes: Vec<[f64; 2]> = parts.iter().map(|part| part.size).collect();
    let layout = layered(&sizes, &outer, &[]);
    for (part, [x, y]) in parts.iter_mut().zip(&layout.places) {
        part.at = [x - part.size[0] / 2.0 + MARGIN, y + MARGIN];
    }
    let [width, height] = layout.size.map(|side| (side + 2.0 * MARGIN).ceil());
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"ov\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" role=\"img\">\
         <style>{STYLE}</style><defs><marker id=\"ov-end\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"6\" markerHeight=\"6\" \
         orient=\"auto\"><path d=\"M0 0.6L8 4L0 7.4z\"/></marker></defs>\n"
    );
    parts.iter().for_each(|part| frame(&mut out, part));
    for part in &parts {
        for (index, (a, b)) in part.edges.iter().enumerate() {
            let [left, top] = part.origin();
            let passes = part.inner.passes[index].iter().map(|[x, y, to]| [x + left, y + top, to + top]);
            let ([xa, ya], [xb, yb]) = (part.place(*a), part.place(*b));
            let bottom = ya + size(&all.boxes[*a])[1];
            let stops: Vec<Stop> = [[xa, bottom, bottom]].into_iter().chain(passes).chain([[xb, yb, yb]]).collect();
            path(&mut out, &stops);
        }
    }
    for (line, ((a, b), passes)) in outer.iter().zip(between.iter().zip(&layout.passes)) {
        let (above, below) = (&parts[line.from], &parts[line.to]);
        let ([xa, ya], [xb, yb]) = (above.place(*a), below.place(*b));
        let bottom = above.at[1] + above.size[1];
        let end = ya + size(&all.boxes[*a])[1];
        let mut stops = vec![[xa, end, end]];
        let [left, top] = above.origin();
        let exits = above.exits.iter().filter(|(from, _)| from == a).flat_map(|(_, stops)| stops);
        stops.extend(exits.map(|[x, y, to]| [x + left, y + top, to + top]));
        if let Some(end) = stops.last_mut() {
            end[2] = bottom;
        }
        stops.extend(passes.iter().map(|[x, y, to]| [x + MARGIN, y + MARGIN, to + MARGIN]));
        stops.push([xb, below.at[1].min(yb), yb]);
        path(&mut out, &stops);
    }
    for part in &parts {
        head(&mut out, all, part);
        part.boxes.iter().for_each(|at| block(&mut out, &all.boxes[*at], part.place(*at)));
    }
    out.push_str("</svg>\n");
    out
}

/// The frame of a group.
fn frame(out: &mut String, part: &Part) {
    let ([x, y], [w, h]) = (part.at, part.size);
    if part.group.is_some() {
        let _ =
            writeln!(out, "<rect class=\"g\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{w:.1}\" height=\"{h:.1}\" rx=\"9\"/>");
    }
}

/// The head of a group, above the lines that cross it.
fn head(out: &mut String, all: &Overview, part: &Part) {
    let Some(group) = part.group.and_then(|g| all.groups.get(g)) else { return };
    let _ = writeln!(
        out,
        "<text class=\"h\" x=\"{:.1}\" y=\"{:.1}\"><tspan class=\"n\">{}</tspan><tspan class=\"s\" dx=\"8\">{}</tspan></text>",
        part.at[0] + PADDING,
        part.at[1] + 21.0,
        escaped(&group.name),
        escaped(&group.about),
    );
}

fn block(out: &mut String, one: &Block, [middle, top]: [f64; 2]) {
    let [w, h] = size(one);
    let class = one.what.name();
    let x = middle - w / 2.0;
    let _ = write!(
        out,
        "<g><title>{}</title><rect class=\"{class}\" x=\"{x:.1}\" y=\"{top:.1}\" width=\"{w:.1}\" height=\"{h:.1}\" rx=\"6\"/>",
        escaped(&format!("{} {}", one.name, one.by))
    );
    let [first, next, around] = LINES;
    for (index, (class, text)) in lines(one).iter().enumerate() {
        let y = top + around + first - 5.0 + next * index as f64;
        let _ = write!(out, "<text class=\"{class}\" x=\"{:.1}\" y=\"{y:.1}\">{}</text>", x + 12.0, escaped(text));
    }
    out.push_str("</g>\n");
}

/// A line through its stops: straight along each, curved between them.
fn path(out: &mut String, stops: &[Stop]) {
    let Some([x, from, to]) = stops.first().copied() else { return };
    let mut d = format!("M{x:.1} {from:.1}V{to:.1}");
    let mut at = [x, to];
    for (index, [x, top, bottom]) in stops.iter().enumerate().skip(1) {
        let middle = (at[1] + top) / 2.0;
        let _ = match (x - at[0]).abs() < 0.5 {
            true => write!(d, "V{top:.1}"),
            false => write!(d, "C{:.1} {middle:.1} {x:.1} {middle:.1} {x:.1} {top:.1}", at[0]),
        };
        if bottom > top {
            let _ = write!(d, "V{bottom:.1}");
        }
        at = [*x, if index + 1 == stops.len() { *top } else { bottom.max(*top) }];
    }
    let _ = writeln!(out, "<path d=\"{d}\" marker-end=\"url(#ov-end)\"/>");
}

/// A text of data as XML holds it.
fn escaped(text: &str) -> String {
    visible(text).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
