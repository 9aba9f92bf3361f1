//! The library: each cell's geometry from a line of its logic.
//!
//! A cell is a row of columns, where diffusion can be contacted, with a gate or a break between two of them. Its stages
//! give the columns: in a NAND the upper transistors are side by side and the lower ones in a chain, in a NOR it is the
//! reverse. Then local interconnect is led through the cell's own grid (half columns by tracks), shortest path first,
//! and what the process and the seed leave open (where a gate is contacted, how far a supply strip reaches) is drawn at
//! random, once per library.

use std::collections::VecDeque;

use super::{Canvas, Layer, Process, Purpose};
use rord_random::Stream;

/// Name, how often it is placed, and its stages `kind gates:output`. Kinds: `&` NAND, `|` NOR, `~` and `%` compound
/// gates with random columns. Capital letters are pins; a lower-case letter is a net inside the cell.
const CELLS: [(&str, u32, &str); 46] = [
    ("inv_1", 9, "&A:Y"),
    ("inv_2", 6, "&AA:Y"),
    ("inv_4", 2, "&AAAA:Y"),
    ("inv_8", 1, "&AAAAAAAA:Y"),
    ("buf_1", 6, "&A:x &x:Y"),
    ("buf_2", 4, "&A:x &xx:Y"),
    ("buf_4", 2, "&A:x &xxxx:Y"),
    ("clkbuf_8", 1, "&AA:x &xxxxxxxx:Y"),
    ("nand2_1", 10, "&AB:Y"),
    ("nand2_2", 3, "&ABBA:Y"),
    ("nand3_1", 5, "&ABC:Y"),
    ("nand4_1", 2, "&ABCD:Y"),
    ("nor2_1", 9, "|AB:Y"),
    ("nor2_2", 3, "|ABBA:Y"),
    ("nor3_1", 4, "|ABC:Y"),
    ("nor4_1", 2, "|ABCD:Y"),
    ("and2_1", 6, "&AB:x &x:Y"),
    ("and3_1", 4, "&ABC:x &x:Y"),
    ("and4_1", 2, "&ABCD:x &x:Y"),
    ("or2_1", 6, "|AB:x &x:Y"),
    ("or3_1", 4, "|ABC:x &x:Y"),
    ("or4_1", 2, "|ABCD:x &x:Y"),
    ("aoi21_1", 5, "~ABC:Y"),
    ("aoi22_1", 4, "~ABCD:Y"),
    ("aoi211_1", 3, "~ABCD:Y"),
    ("aoi21_2", 2, "~ABBAC:Y"),
    ("oai21_1", 5, "%ABC:Y"),
    ("oai22_1", 4, "%ABCD:Y"),
    ("oai31_1", 2, "%ABCD:Y"),
    ("a21o_1", 5, "~ABC:x &x:Y"),
    ("a22o_1", 5, "~ABCD:x &x:Y"),
    ("o21a_1", 5, "%ABC:x &x:Y"),
    ("a31o_2", 3, "~ABCD:x &xx:Y"),
    ("o211a_1", 3, "%ABCD:x &x:Y"),
    ("xor2_1", 4, "|AB:x ~ABx:Y"),
    ("xnor2_1", 4, "&AB:x %ABx:Y"),
    ("mux2_1", 8, "&S:s ~AsBS:x &x:Y"),
    ("mux4_1", 2, "&S:s &T:t ~AsBS:x ~CsDS:y ~xtyT:z &z:Y"),
    ("ha_1", 2, "&AB:x &x:Z ~ABx:y &y:Y"),
    ("fa_1", 2, "~ABBAC:x &x:Z ~ABCx:y %ABC:z &z:Y"),
    ("maj3_1", 2, "%ABBC:x &x:Y"),
    ("latch_1", 2, "&G:g ~Dg:x &x:y ~yG:x &y:Q"),
    ("dff_1", 12, "&C:c &c:k ~Dk:x &x:y ~yc:x ~yk:z &z:w ~wc:z &w:Q"),
    ("dff_2", 4, "&C:c &c:k ~Dk:x &x:y ~yc:x ~yk:z &z:w ~wc:z &ww:Q"),
    ("dffr_1", 5, "&C:c &c:k ~Dk:x &xR:y ~yc:x ~yk:z &zR:w ~wc:z &w:Q"),
    ("dffe_1", 4, "&E:e ~DeQE:d &C:c &c:k ~dk:x &x:y ~yc:x ~yk:z &z:w ~wc:z &w:Q"),
];

/// Where a wire may reach a cell.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pin {
    /// Half column and track from the cell's lower left corner.
    pub h: i32,
    pub track: i32,
    pub output: bool,
}

/// What a cell is placed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Logic,
    Tap,
    Filler,
}

/// A cell of the library, its lower left corner at (0, 0).
#[derive(Clone)]
pub(super) struct Cell {
    pub sites: i32,
    pub weight: u32,
    pub role: Role,
    pub register: bool,
    pub shapes: Vec<(Layer, [i32; 4])>,
    pub pins: Vec<Pin>,
}

/// All cells of the process.
pub(super) fn library(process: &Process, seed: u64) -> Vec<Cell> {
    let stream = |index: usize| Stream::new(seed, &[Purpose::Cell as u64, index as u64]);
    let logic = CELLS.iter().enumerate().map(|(index, &(name, weight, stages))| {
        let mut stream = stream(index);
        let mut sketch = Sketch::new(process, stages, &mut stream);
        sketch.connect();
        Cell { weight, register: name.starts_with("dff"), ..sketch.draw() }
    });
    let fillers = [1, 2, 4].map(|sites| plain(process, sites, Role::Filler));
    let decaps = [3, 4, 6, 8].map(|sites| decap(process, sites));
    logic.chain(fillers).chain(decaps).chain([plain(process, 1, Role::Tap)]).collect()
}

fn cell(canvas_sites: i32, role: Role, shapes: Vec<(Layer, [i32; 4])>) -> Cell {
    Cell { sites: canvas_sites, weight: 0, role, register: false, shapes, pins: vec![] }
}

/// The strips of local interconnect under both rails.
fn supplies(process: &Process, sites: i32) -> Vec<(Layer, [i32; 4])> {
    let (half, width) = (process.local / 2, sites * process.site);
    [0, process.height()].map(|y| (Layer::Local, [0, y - half, width, y + half])).into()
}

/// The same area in fewer rectangles: neighbors of one layer and equal width (or height) that touch become one, and
/// what lies inside another is left out.
fn merged(mut shapes: Vec<(Layer, [i32; 4])>) -> Vec<(Layer, [i32; 4])> {
    let mut out: Vec<(Layer, [i32; 4])> = vec![];
    while let Some((layer, [mut x0, mut y0, mut x1, mut y1])) = shapes.pop() {
        let found = out.iter().position(|&(other, [a0, b0, a1, b1])| {
            let across = (a0, a1) == (x0, x1) && b0 <= y1 && y0 <= b1;
            let along = (b0, b1) == (y0, y1) && a0 <= x1 && x0 <= a1;
            let inside = a0 >= x0 && a1 <= x1 && b0 >= y0 && b1 <= y1 || a0 <= x0 && a1 >= x1 && b0 <= y0 && b1 >= y1;
            other == layer && (across || along || inside)
        });
        if let Some(found) = found {
            let (_, [a0, b0, a1, b1]) = out.swap_remove(found);
            (x0, y0, x1, y1) = (x0.min(a0), y0.min(b0), x1.max(a1), y1.max(b1));
            // It may now meet one that it did not meet before.
            shapes.push((layer, [x0, y0, x1, y1]));
        } else {
            out.push((layer, [x0, y0, x1, y1]));
        }
    }
    out
}

fn around(layer: Layer, x: i32, y: i32, width: i32, height: i32) -> (Layer, [i32; 4]) {
    (layer, [x - width / 2, y - height / 2, x + width / 2, y + height / 2])
}

/// A filler without transistors, or a tap that ties the wells to the rails.
fn plain(process: &Process, sites: i32, role: Role) -> Cell {
    let mut shapes = supplies(process, sites);
    if role == Role::Tap {
        let (x, tracks) = (process.site / 2, process.tracks as i32);
        for (from, to, rail) in [(1, 2, 0), (tracks - 3, tracks - 1, tracks)] {
            let (low, high) = (from * process.pitch, to * process.pitch);
            shapes.push((Layer::Diffusion, [x - 150, low - 150, x + 150, high + 150]));
            let (low, high) = (low.min(rail * process.pitch), high.max(rail * process.pitch));
            shapes.push((Layer::Local, [x - process.local / 2, low - 85, x + process.local / 2, high + 85]));
            shapes.extend((from..=to).map(|t| around(Layer::Contact, x, t * process.pitch, process.cut, process.cut)));
        }
    }
    cell(sites, role, shapes)
}

/// A capacitor of wide gates between the rails.
fn decap(process: &Process, sites: i32) -> Cell {
    let mut shapes = supplies(process, sites);
    let (width, tracks, pitch) = (sites * process.site, process.tracks as i32, process.pitch);
    let (left, right, half) = (process.site / 2, width - process.site / 2, process.local / 2);
    shapes.push((Layer::Diffusion, [left - 150, pitch - 150, right + 150, 2 * pitch + 150]));
    shapes.push((Layer::Diffusion, [left - 150, (tracks - 3) * pitch - 150, right + 150, (tracks - 1) * pitch + 150]));
    let inner = [left + 200, right - 200];
    shapes.push((Layer::Poly, [inner[0], pitch - 300, inner[1], 3 * pitch]));
    shapes.push((Layer::Poly, [inner[0], 3 * pitch + 240, inner[1], tracks * pitch - 40]));
    for (x, from, to) in [(left, 0, 2), (right, 0, 2), (left, tracks - 3, tracks), (right, tracks - 3, tracks)] {
        shapes.push((Layer::Local, [x - half, from * pitch - 85, x + half, to * pitch + 85]));
        shapes.extend(
            (from.max(1)..=to.min(tracks - 1)).map(|t| around(Layer::Contact, x, t * pitch, process.cut, process.cut)),
        );
    }
    // Each gate is tied to the other rail across the cell's middle.
    shapes.push((Layer::Local, [inner[0] + 100, 3 * pitch - 250, inner[1] - 100, 3 * pitch - 30]));
    shapes.push((Layer::Local, [inner[0] + 100, 3 * pitch + 270, inner[1] - 100, 4 * pitch + 150]));
    cell(sites, Role::Filler, shapes)
}

/// What a column of diffusion is tied to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tie {
    Rail,
    Net(char),
    Nothing,
}

/// Between two columns: a gate of that net, or a break in the diffusion.
type Slot = Option<char>;

const RAIL: char = '#';

/// A logic cell in the making. Half column 2c + 1 is column c, half column 2s + 2 is slot s.
struct Sketch<'a> {
    process: &'a Process,
    stream: &'a mut Stream,
    slots: Vec<Slot>,
    /// Each column's lower and upper tie.
    columns: Vec<[Tie; 2]>,
    /// Which net has local interconnect at each node, half columns by tracks.
    nodes: Vec<Option<char>>,
    /// Local interconnect between neighboring nodes.
    links: Vec<[usize; 2]>,
    /// Contacted gates: slot and track.
    pads: Vec<(usize, usize)>,
}

impl<'a> Sketch<'a> {
    fn new(process: &'a Process, stages: &str, stream: &'a mut Stream) -> Self {
        let (mut slots, mut columns): (Vec<Slot>, Vec<[Tie; 2]>) = (vec![], vec![]);
        for stage in stages.split(' ') {
            let mut letters = stage.chars();
            let kind = letters.next().unwrap_or('&');
            let (gates, output) = letters.as_str().split_once(':').unwrap_or(("A", "Y"));
            let gates: Vec<char> = gates.chars().collect();
            let output = Tie::Net(output.chars().next().unwrap_or('Y'));
            let ties = columns_of(kind, &gates, output, stream);
            if columns.last() == Some(&[Tie::Rail; 2]) && ties.first() == Some(&[Tie::Rail; 2]) {
                columns.pop();
            } else if !columns.is_empty() {
                slots.push(None);
            }
            columns.extend(ties);
            slots.extend(gates.into_iter().map(Some));
        }
        let nodes = vec![None; (2 * columns.len() + 1) * (process.tracks + 1)];
        Self { process, stream, slots, columns, nodes, links: vec![], pads: vec![] }
    }

    fn node(&self, h: usize, track: usize) -> usize {
        h * (self.process.tracks + 1) + track
    }

    fn place(&self, node: usize) -> (usize, usize) {
        (node / (self.process.tracks + 1), node % (self.process.tracks + 1))
    }

    fn net(&self, node: usize) -> Option<char> {
        self.nodes.get(node).copied().flatten()
    }

    fn set(&mut self, node: usize, net: char) {
        if let Some(place) = self.nodes.get_mut(node) {
            *place = Some(net);
        }
    }

    /// Tracks of the lower transistors, between the transistors, and of the upper ones.
    fn zones(&self) -> [std::ops::RangeInclusive<usize>; 3] {
        let tracks = self.process.tracks;
        [1..=2, 3..=tracks - 4, tracks - 3..=tracks - 1]
    }

    /// Contacts all gates and columns and joins what belongs together.
    fn connect(&mut self) {
        let [low, middle, high] = self.zones();
        let mut terminals: Vec<(char, usize)> = vec![];
        let mut tie = |sketch: &mut Self, net: char, node: usize| {
            sketch.set(node, net);
            terminals.push((net, node));
        };
        for (c, ties) in self.columns.clone().into_iter().enumerate() {
            let tracks = [(*low.start(), *low.end()), (*high.end(), *high.start())];
            for (at, (outer, inner)) in ties.into_iter().zip(tracks) {
                match at {
                    Tie::Net(net) => {
                        let node = self.node(2 * c + 1, inner);
                        tie(self, net, node);
                    }
                    Tie::Rail => {
                        let rail = if outer == *low.start() { 0 } else { self.process.tracks };
                        let (outer, rail) = (self.node(2 * c + 1, outer), self.node(2 * c + 1, rail));
                        self.set(outer, RAIL);
                        self.set(rail, RAIL);
                        self.links.push([outer, rail]);
                    }
                    Tie::Nothing => {}
                }
            }
        }
        for (s, slot) in self.slots.clone().into_iter().enumerate() {
            // Neighboring gates of one net share the first one's contact.
            let shared = s > 0 && slot.is_some() && self.slots.get(s - 1) == Some(&slot);
            if let (Some(net), false) = (slot, shared) {
                let track = middle.start() + self.stream.below(middle.clone().count());
                self.pads.push((s, track));
                let node = self.node(2 * s + 2, track);
                tie(self, net, node);
            }
        }
        let mut nets: Vec<char> = terminals.iter().map(|terminal| terminal.0).collect();
        nets.sort_unstable();
        nets.dedup();
        for net in nets {
            let nodes: Vec<usize> = terminals.iter().filter(|terminal| terminal.0 == net).map(|t| t.1).collect();
            let mut joined: Vec<usize> = nodes.iter().copied().take(1).collect();
            for &node in nodes.iter().skip(1) {
                // Where local interconnect has no path left, a metal would go; the two parts stay apart.
                let path = self.path(net, &joined, node);
                self.links.extend(path.iter().zip(path.iter().skip(1)).map(|(&a, &b)| [a, b]));
                path.iter().for_each(|&node| self.set(node, net));
                joined.extend(path);
            }
        }
        self.grow();
    }

    /// The shortest path of free nodes from one of `from` to `to`; empty where there is none.
    fn path(&mut self, net: char, from: &[usize], to: usize) -> Vec<usize> {
        let (tracks, last) = (self.process.tracks, 2 * self.columns.len() - 1);
        let mut came: Vec<Option<usize>> = vec![None; self.nodes.len()];
        let mut queue: VecDeque<usize> = from.iter().copied().collect();
        from.iter().for_each(|&node| came.iter_mut().skip(node).take(1).for_each(|c| *c = Some(node)));
        let upright = self.stream.chance(0.5);
        while let Some(node) = queue.pop_front() {
            if node == to {
                let mut path = vec![node];
                let mut at = node;
                while let Some(before) = came.get(at).copied().flatten().filter(|&before| before != at) {
                    path.push(before);
                    at = before;
                }
                return path;
            }
            let (h, track) = self.place(node);
            let mut next = [(h + 1, track), (h - 1, track), (h, track + 1), (h, track - 1)];
            if upright {
                next.rotate_left(2);
            }
            for (h, track) in next {
                if h < 1 || h > last || track < 1 || track >= tracks {
                    continue;
                }
                let next = self.node(h, track);
                let open = self.net(next).is_none_or(|other| other == net);
                if open && came.get(next).is_some_and(Option::is_none) {
                    came.iter_mut().skip(next).take(1).for_each(|c| *c = Some(node));
                    queue.push_back(next);
                }
            }
        }
        vec![]
    }

    /// Lengthens strips over diffusion where the next node is free, as for more contacts.
    fn grow(&mut self) {
        let tracks = self.process.tracks;
        for c in 0..self.columns.len() {
            for steps in [
                [(1, 2), (2, 1)],
                [(tracks - 1, tracks - 2), (tracks - 2, tracks - 3)],
                [(tracks - 3, tracks - 2), (tracks - 2, tracks - 1)],
            ] {
                for (from, to) in steps {
                    let (from, to) = (self.node(2 * c + 1, from), self.node(2 * c + 1, to));
                    if let (Some(net), None) = (self.net(from), self.net(to))
                        && self.stream.chance(0.8)
                    {
                        self.set(to, net);
                        self.links.push([from, to]);
                    }
                }
            }
        }
    }

    fn draw(self) -> Cell {
        let process = self.process;
        let (pitch, cut, tracks) = (process.pitch, process.cut, process.tracks as i32);
        let sites = self.columns.len() as i32;
        let mut shapes = supplies(process, sites);
        let at = |node: usize| {
            let (h, track) = self.place(node);
            [process.x(h as i32), track as i32 * pitch]
        };
        // Diffusion, in runs without a break; narrow transistors leave the outer track of a run free.
        let drives: Vec<bool> = self
            .slots
            .iter()
            .scan(7u32, |state, slot| {
                *state = state.wrapping_mul(31).wrapping_add(slot.map_or(0, u32::from));
                Some(*state % 3 == 0)
            })
            .collect();
        let mut start = 0;
        for c in 0..self.columns.len() {
            if self.slots.get(c).is_some_and(Option::is_some) {
                continue;
            }
            let narrow = drives.get(start).copied().unwrap_or(false);
            let (left, right) = (process.x(2 * start as i32 + 1) - 150, process.x(2 * c as i32 + 1) + 150);
            let trim = if narrow { 120 } else { 0 };
            shapes.push((Layer::Diffusion, [left, pitch - 150 + trim, right, 2 * pitch + 150]));
            shapes
                .push((Layer::Diffusion, [left, (tracks - 3) * pitch - 150, right, (tracks - 1) * pitch + 150 - trim]));
            start = c + 1;
        }
        for (s, slot) in self.slots.iter().enumerate() {
            if let Some(net) = slot {
                let x = process.x(2 * s as i32 + 2);
                shapes.push((
                    Layer::Poly,
                    [x - process.gate / 2, pitch - 290, x + process.gate / 2, (tracks - 1) * pitch + 290],
                ));
                if self.slots.get(s + 1) == Some(&Some(*net)) {
                    let (_, y) = self.pad_of(s);
                    shapes.push((Layer::Poly, [x, y - 75, x + process.site, y + 75]));
                }
            }
        }
        for &(s, track) in &self.pads {
            let (x, y) = (process.x(2 * s as i32 + 2), track as i32 * pitch);
            shapes.push(around(Layer::Poly, x, y, 270, 270));
            shapes.push(around(Layer::Contact, x, y, cut, cut));
            shapes.push(around(Layer::Local, x, y, process.local, process.local + 120));
        }
        for &[a, b] in &self.links {
            let ([xa, ya], [xb, yb], half) = (at(a), at(b), process.local / 2);
            let rectangle = [xa.min(xb) - half, ya.min(yb) - half, xa.max(xb) + half, ya.max(yb) + half];
            shapes.push((Layer::Local, rectangle));
        }
        let [low, _, high] = self.zones();
        for c in 0..self.columns.len() {
            for track in low.clone().chain(high.clone()) {
                let node = self.node(2 * c + 1, track);
                let lower = low.contains(&track);
                let tied = self.columns.get(c).map_or(Tie::Nothing, |ties| if lower { ties[0] } else { ties[1] });
                let own = match (tied, self.net(node)) {
                    (Tie::Rail, Some(RAIL)) => true,
                    (Tie::Net(net), Some(other)) => net == other,
                    _ => false,
                };
                if own {
                    let [x, y] = at(node);
                    shapes.push(around(Layer::Contact, x, y, cut, cut));
                    shapes.push(around(Layer::Local, x, y, process.local, process.local + 60));
                }
            }
        }
        let mut pins: Vec<Pin> = vec![];
        let mut seen: Vec<char> = vec![];
        let outputs = ['Y', 'Z', 'Q'];
        let gates =
            self.pads.iter().filter_map(|&(s, track)| Some((self.slots.get(s).copied().flatten()?, 2 * s + 2, track)));
        let drains = self.columns.iter().enumerate().filter_map(|(c, ties)| match ties[1] {
            Tie::Net(net) if outputs.contains(&net) => Some((net, 2 * c + 1, process.tracks - 3)),
            _ => None,
        });
        for (net, h, track) in drains.chain(gates) {
            if net.is_uppercase() && !seen.contains(&net) {
                seen.push(net);
                pins.push(Pin { h: h as i32, track: track as i32, output: outputs.contains(&net) });
            }
        }
        Cell { pins, ..cell(sites, Role::Logic, merged(shapes)) }
    }

    /// The contact that the gate in slot `s` uses: its own or the last one to its left.
    fn pad_of(&self, s: usize) -> (usize, i32) {
        let pad = self.pads.iter().rev().find(|pad| pad.0 <= s).copied().unwrap_or((s, 3));
        (pad.0, pad.1 as i32 * self.process.pitch)
    }
}

/// A stage's columns, one more than its gates.
fn columns_of(kind: char, gates: &[char], output: Tie, stream: &mut Stream) -> Vec<[Tie; 2]> {
    let count = gates.len();
    let folded = count > 2 && gates.first() == gates.last();
    let parallel = |c: usize| if c.is_multiple_of(2) { Tie::Rail } else { output };
    let series = |c: usize| match c {
        0 => Tie::Rail,
        c if folded && c == count => Tie::Rail,
        c if if folded { 2 * c == count } else { c == count } => output,
        _ => Tie::Nothing,
    };
    let single = gates.iter().all(|gate| gates.first() == Some(gate));
    let mut compound = |c: usize, flip: bool| match c {
        0 => {
            if flip {
                output
            } else {
                Tie::Rail
            }
        }
        c if c == count => {
            if flip {
                Tie::Rail
            } else {
                output
            }
        }
        _ => [Tie::Rail, output, Tie::Nothing, Tie::Nothing].get(stream.below(4)).copied().unwrap_or(output),
    };
    (0..=count)
        .map(|c| match kind {
            _ if single => [parallel(c); 2],
            '&' => [series(c), parallel(c)],
            '|' => [parallel(c), series(c)],
            '~' => [compound(c, false), compound(c, true)],
            _ => [compound(c, true), compound(c, false)],
        })
        .collect()
}

/// Adds a placed cell to the canvas: mirrored about its upright (`mirrored`) or level (`flipped`) axis, its lower left
/// corner at (x, y).
pub(super) fn stamp(
    process: &Process,
    cell: &Cell,
    [x, y]: [i32; 2],
    mirrored: bool,
    flipped: bool,
    canvas: &mut Canvas,
) {
    let (width, height) = (cell.sites * process.site, process.height());
    for &(layer, [x0, y0, x1, y1]) in &cell.shapes {
        let (x0, x1) = if mirrored { (width - x1, width - x0) } else { (x0, x1) };
        let (y0, y1) = if flipped { (height - y1, height - y0) } else { (y0, y1) };
        canvas.add(layer, [x + x0, y + y0, x + x1, y + y1]);
    }
}
