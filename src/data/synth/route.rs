//! Wires a placed tile: metal 1 level on the tracks, metal 2 upright between them, metal 3 level for long paths.
//!
//! Nodes are half columns by tracks, one grid for each metal; a node belongs to one net. Each output is joined to a few
//! inputs, most of them near; a path that is taken is given up after some tries, as congested nets move to metals that
//! are not drawn.

use super::cells::Pin;
use super::place::Placed;
use super::{Canvas, Layer, Process};
use rord_random::Stream;

/// Owner of nodes that no net may use.
const BLOCKED: u32 = u32::MAX;

struct Router<'a> {
    process: &'a Process,
    canvas: &'a mut Canvas,
    columns: i32,
    rows: i32,
    /// Owner of each node of metals 1 to 3, column by column; 0 is free.
    owner: [Vec<u32>; 3],
    wires: Vec<(u32, Wire)>,
}

/// A straight wire: metal (0 to 2), and the nodes from one end to the other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wire {
    pub metal: usize,
    pub from: [i32; 2],
    pub to: [i32; 2],
}

/// Draws power straps and wires between the pins of `placed`. Gives each net's wires, nets counted from 1.
pub(super) fn route(process: &Process, placed: &Placed, stream: &mut Stream, canvas: &mut Canvas) -> Vec<(u32, Wire)> {
    let (columns, rows) = (placed.columns + 1, placed.rows + 1);
    let owner = std::array::from_fn(|_| vec![0; (columns * rows) as usize]);
    let mut router = Router { process, canvas, columns, rows, owner, wires: vec![] };
    router.straps(&placed.straps);
    // Inputs by track and from left to right, so that one near any place is found by halving.
    let mut inputs: Vec<Pin> = placed.pins.iter().filter(|pin| !pin.output).copied().collect();
    inputs.sort_by_key(|pin| (pin.track / process.tracks as i32, pin.h));
    let mut used = vec![false; inputs.len()];
    for (net, pin) in placed.pins.iter().filter(|pin| pin.output).enumerate() {
        let fans = [1, 1, 2, 2, 3, 4, 6];
        let mut wanted = fans.get(stream.below(fans.len())).copied().unwrap_or(1);
        for _ in 0..4 * wanted {
            let far = if stream.chance(0.15) { 5.0 } else { 1.0 };
            let mut spread = |scale: f64| {
                let away = -scale * far * (1.0 - stream.uniform()).ln();
                if stream.chance(0.5) { away as i32 } else { -(away as i32) }
            };
            let row = pin.track / process.tracks as i32 + spread(2.0);
            let near = (row, pin.h + spread(16.0));
            let found = inputs.partition_point(|pin| (pin.track / process.tracks as i32, pin.h) < near);
            let Some(target) = inputs.get(found).filter(|target| target.track / process.tracks as i32 == row) else {
                continue;
            };
            if used.get(found) == Some(&false) && router.join(net as u32 + 1, *pin, *target, stream) {
                used.iter_mut().skip(found).take(1).for_each(|used| *used = true);
                wanted -= 1;
                if wanted == 0 {
                    break;
                }
            }
        }
    }
    router.wires
}

impl Router<'_> {
    fn index(&self, [h, track]: [i32; 2]) -> Option<usize> {
        let inside = (0..self.columns).contains(&h) && (0..self.rows).contains(&track);
        inside.then_some((h * self.rows + track) as usize)
    }

    fn take(&mut self, metal: usize, node: [i32; 2], net: u32) {
        if let Some(index) = self.index(node)
            && let Some(owner) = self.owner.get_mut(metal).and_then(|grid| grid.get_mut(index))
        {
            *owner = net;
        }
    }

    fn open(&self, metal: usize, node: [i32; 2], net: u32) -> bool {
        let owner = self.index(node).and_then(|index| self.owner.get(metal)?.get(index));
        owner.is_some_and(|&owner| owner == 0 || owner == net)
    }

    /// Power straps on metal 4, tied down to every second rail.
    fn straps(&mut self, straps: &[i32]) {
        let (process, tracks) = (self.process, self.process.tracks as i32);
        let (top, half) = (self.rows * process.pitch, process.rail / 2);
        for (k, &x) in straps.iter().enumerate() {
            let right = x + process.strap;
            self.canvas.add(Layer::Metal4, [x, 0, right, top]);
            for rail in (0..self.rows / tracks + 1).filter(|rail| (rail + k as i32) % 2 == 0) {
                let y = rail * process.height();
                for layer in [Layer::Metal2, Layer::Metal3] {
                    self.canvas.add(layer, [x, y - half, right, y + half]);
                }
                for cut in 0..process.strap / 320 {
                    for layer in [Layer::Via, Layer::Via2, Layer::Via3] {
                        self.canvas.add_around(layer, [x + 200 + cut * 320, y], process.cut, process.cut);
                    }
                }
                let columns = 2 * x / process.site - 1..=2 * right / process.site + 2;
                for h in columns {
                    for track in rail * tracks - 1..=rail * tracks + 1 {
                        self.take(1, [h, track], BLOCKED);
                        self.take(2, [h, track], BLOCKED);
                    }
                }
            }
        }
    }

    /// Joins two pins; false where no path was found.
    fn join(&mut self, net: u32, a: Pin, b: Pin, stream: &mut Stream) -> bool {
        let ([ha, ta], [hb, tb]) = ([a.h, a.track], [b.h, b.track]);
        if ta == tb {
            let path = [Wire { metal: 0, from: [ha, ta], to: [hb, tb] }];
            return self.free(net, &path) && self.draw(net, &path);
        }
        // Metal 2 runs on even half columns only, one site apart.
        let even = |h: i32| h & !1;
        let (low, high) = (ha.min(hb) - 4, ha.max(hb) + 4);
        let long = (ha - hb).abs() > 50 || (ta - tb).abs() > 60;
        for attempt in 0..8 {
            let mut between = || even(low + stream.below((high - low + 1) as usize) as i32);
            let path: Vec<Wire> = if long {
                let (first, last) =
                    (even(ha + (between() - ha).clamp(-6, 6)), even(hb + (between() - hb).clamp(-6, 6)));
                // Metal 3 has half as many tracks and leaves those beside the rails to the straps.
                let level = (ta + (tb - ta) * attempt / 8) & !1;
                let tracks = self.process.tracks as i32;
                if !(2..=tracks - 2).contains(&(level % tracks)) {
                    continue;
                }
                vec![
                    Wire { metal: 0, from: [ha, ta], to: [first, ta] },
                    Wire { metal: 1, from: [first, ta], to: [first, level] },
                    Wire { metal: 2, from: [first, level], to: [last, level] },
                    Wire { metal: 1, from: [last, level], to: [last, tb] },
                    Wire { metal: 0, from: [last, tb], to: [hb, tb] },
                ]
            } else {
                let column = match attempt {
                    0 => even(ha),
                    1 => even(hb),
                    _ => between(),
                };
                vec![
                    Wire { metal: 0, from: [ha, ta], to: [column, ta] },
                    Wire { metal: 1, from: [column, ta], to: [column, tb] },
                    Wire { metal: 0, from: [column, tb], to: [hb, tb] },
                ]
            };
            if self.free(net, &path) {
                return self.draw(net, &path);
            }
        }
        false
    }

    /// Whether all nodes of the path and those just beyond its wires' ends are free or the net's own.
    fn free(&self, net: u32, path: &[Wire]) -> bool {
        path.iter().all(|wire| {
            let [h0, h1] = [wire.from[0].min(wire.to[0]), wire.from[0].max(wire.to[0])];
            let [t0, t1] = [wire.from[1].min(wire.to[1]), wire.from[1].max(wire.to[1])];
            let level = wire.metal != 1;
            let clear = |node| self.open(wire.metal, node, net);
            if level {
                // Metal 1 leaves the rails' tracks alone.
                (wire.metal == 2 || t0 % self.process.tracks as i32 != 0) && (h0 - 1..=h1 + 1).all(|h| clear([h, t0]))
            } else {
                (t0 - 1..=t1 + 1).all(|t| clear([h0, t]))
            }
        })
    }

    fn draw(&mut self, net: u32, path: &[Wire]) -> bool {
        let (process, cut) = (self.process, self.process.cut);
        let at = |[h, track]: [i32; 2]| [process.x(h), track * process.pitch];
        let metals = [(Layer::Metal1, process.wire), (Layer::Metal2, process.wire), (Layer::Metal3, process.wide)];
        self.wires.extend(path.iter().map(|&wire| (net, wire)));
        for wire in path {
            let (from, to) = (wire.from, wire.to);
            for h in from[0].min(to[0])..=from[0].max(to[0]) {
                for track in from[1].min(to[1])..=from[1].max(to[1]) {
                    self.take(wire.metal, [h, track], net);
                }
            }
            let Some(&(layer, width)) = metals.get(wire.metal) else { continue };
            let ([xa, ya], [xb, yb], half) = (at(from), at(to), width / 2);
            let rectangle = [xa.min(xb) - half, ya.min(yb) - half, xa.max(xb) + half, ya.max(yb) + half];
            self.canvas.add(layer, rectangle);
        }
        for pair in path.windows(2) {
            let [Wire { metal: lower, to: node, .. }, Wire { metal: upper, .. }] = pair else { continue };
            let place = at(*node);
            let cut_layer = if lower.min(upper) == &0 { Layer::Via } else { Layer::Via2 };
            self.canvas.add_around(cut_layer, place, cut, cut);
            for &metal in [lower, upper] {
                if let Some(&(layer, width)) = metals.get(metal) {
                    // The metal reaches over its cuts, further along its own direction.
                    let (along, across) = ((cut + 140).max(width), (cut + 80).max(width));
                    let (w, h) = if metal == 1 { (across, along) } else { (along, across) };
                    self.canvas.add_around(layer, place, w, h);
                }
            }
        }
        for end in [path.first().map(|wire| wire.from), path.last().map(|wire| wire.to)].into_iter().flatten() {
            self.canvas.add_around(Layer::LocalVia, at(end), cut, cut);
            self.canvas.add_around(Layer::Metal1, at(end), cut + 140, cut + 80);
        }
        true
    }
}
