//! Fills a tile with rows of cells.
//!
//! Rows abut and every second one is upside down, so that neighbors share a rail. Wells are tied in regular columns.
//! Between the cells some room is left, most of it closed by fillers; registers lie together, as placers put them.

use super::cells::{Cell, Pin, Role, stamp};
use super::{Canvas, Layer, Process};
use rord_random::Stream;

/// A tile with its cells.
pub(super) struct Placed {
    /// Half columns and tracks in all.
    pub columns: i32,
    pub rows: i32,
    /// Where wires may begin and end: `h` and `track` count from the lower left of all.
    pub pins: Vec<Pin>,
    /// Left edges of the power straps.
    pub straps: Vec<i32>,
}

/// Sites between two wells ties of one row; the next row's lie in the middle between them.
const TAP_SITES: i32 = 28;

/// Where the window of a tile begins: less than a row and less than the distance of ties from the lower left, on the
/// grid.
pub(super) fn margin(process: &Process, stream: &mut Stream) -> [i32; 2] {
    [TAP_SITES * process.site, 2 * process.height()].map(|length| 5 * stream.below((length / 5) as usize) as i32)
}

/// Places cells over the whole window of the canvas and a little more, and draws them and their rails.
pub(super) fn place(process: &Process, library: &[Cell], stream: &mut Stream, canvas: &mut Canvas) -> Placed {
    let (height, [right, top]) = (process.height(), canvas.window.high);
    let (sites, rows) = (right / process.site + 2, top / height + 2);
    let mut pins = vec![];
    for row in 0..rows {
        let y = row * height;
        let mut add = |index: &Cell, site: i32, stream: &mut Stream| {
            let (mirrored, flipped) = (stream.chance(0.5), row % 2 == 1);
            stamp(process, index, [site * process.site, y], mirrored, flipped, canvas);
            pins.extend(index.pins.iter().map(|pin| Pin {
                h: 2 * site + if mirrored { 2 * index.sites - pin.h } else { pin.h },
                track: row * process.tracks as i32
                    + if flipped { process.tracks as i32 - pin.track } else { pin.track },
                output: pin.output,
            }));
        };
        fill_row(library, sites, row, stream, &mut add);
    }
    let width = sites * process.site;
    for rail in 0..=rows {
        let (y, half) = (rail * height, process.rail / 2);
        canvas.add(Layer::Metal1, [0, y - half, width, y + half]);
        for site in 0..sites {
            canvas.add_around(Layer::LocalVia, [site * process.site + process.site / 2, y], process.cut, process.cut);
        }
    }
    let first = stream.below((process.strap_pitch / 5) as usize) as i32 * 5;
    let straps = (0..).map(|k| first + k * process.strap_pitch).take_while(|x| x + process.strap < width).collect();
    Placed { columns: 2 * sites, rows: rows * process.tracks as i32, pins, straps }
}

/// One row from left to right; `add` is given each cell and its first site.
fn fill_row(
    library: &[Cell],
    sites: i32,
    row: i32,
    stream: &mut Stream,
    add: &mut impl FnMut(&Cell, i32, &mut Stream),
) {
    let with = |role: Role| library.iter().filter(move |cell| cell.role == role);
    let total: u32 = with(Role::Logic).map(|cell| cell.weight).sum();
    // How full a row is differs from row to row; registers follow registers.
    let room = stream.range(0.02, 0.2);
    let (mut site, mut registers) = (0, false);
    while site < sites {
        let tap = site + (-(site + row % 2 * (TAP_SITES / 2))).rem_euclid(TAP_SITES);
        if tap == site {
            with(Role::Tap).take(1).for_each(|cell| add(cell, site, stream));
            site += 1;
            continue;
        }
        let free = (tap - site).min(sites - site);
        let mut cell = None;
        if !stream.chance(room) {
            let wanted = registers && stream.chance(0.6);
            for _ in 0..8 {
                let mut ticket = stream.below(total as usize) as u32;
                let drawn = with(Role::Logic).find(|cell| {
                    let found = ticket < cell.weight;
                    ticket = ticket.saturating_sub(cell.weight);
                    found
                });
                cell = drawn.filter(|cell| cell.sites <= free && (!wanted || cell.register));
                if cell.is_some() {
                    break;
                }
            }
        }
        if let Some(cell) = cell {
            registers = cell.register;
            add(cell, site, stream);
            site += cell.sites;
            continue;
        }
        // Room: mostly a filler or capacitor that fits, seldom bare ground between the rails.
        let choices: Vec<&Cell> = with(Role::Filler).filter(|cell| cell.sites <= free).collect();
        match choices.get(stream.below(choices.len())) {
            Some(filler) if !stream.chance(0.15) => {
                add(filler, site, stream);
                site += filler.sites;
            }
            _ => site += 1,
        }
    }
}
