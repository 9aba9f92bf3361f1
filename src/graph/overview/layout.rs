#![allow(clippy::indexing_slicing)] // indices are those of lists that are made here
//! Boxes in ranks from top to bottom, so that lines lead downwards and pass between what they do not end at.
//!
//! Source: Sugiyama, Tagawa and Toda, 1981: a rank is the longest way from above, a line over several ranks has a place in each, an order
//! goes by the mean of what is joined. Places along a rank are the nearest to these means that keep the order and the gaps.

/// Between boxes of a rank, and beside a line that passes.
const GAP: f64 = 22.0;
/// Between ranks.
const BETWEEN: f64 = 44.0;
/// How often orders and places are improved.
const SWEEPS: usize = 6;

/// A line from one box to another, and where it leaves and enters, counted from their middles.
#[derive(Clone, Copy, Debug)]
pub struct Line {
    /// The box above.
    pub from: usize,
    /// The box below.
    pub to: usize,
    /// Where it leaves.
    pub leaves: f64,
    /// Where it enters.
    pub enters: f64,
}

/// A vertical piece of a line: its place, and from where to where.
pub type Stop = [f64; 3];

/// Where everything lies.
#[derive(Clone, Debug, Default)]
pub struct Layout {
    /// The middle of each box along its rank, and its upper edge.
    pub places: Vec<[f64; 2]>,
    /// Of each line where it passes ranks.
    pub passes: Vec<Vec<Stop>>,
    /// Width and height of it all.
    pub size: [f64; 2],
}

/// A thing in a rank: a box, or a line that passes.
struct Item {
    width: f64,
    rank: usize,
    /// What it is joined to above and below, with the places of the ends on the other and on itself.
    above: Vec<(usize, f64, f64)>,
    below: Vec<(usize, f64, f64)>,
    x: f64,
}

/// Lays boxes out, whose widths and heights are given. `last` are put into the last rank.
pub fn layered(boxes: &[[f64; 2]], lines: &[Line], last: &[usize]) -> Layout {
    let ranks = ranks(boxes.len(), lines, last);
    let mut items: Vec<Item> = boxes
        .iter()
        .zip(&ranks)
        .map(|(size, rank)| Item { width: size[0], rank: *rank, above: Vec::new(), below: Vec::new(), x: 0.0 })
        .collect();
    let mut chains: Vec<Vec<usize>> = Vec::new();
    for line in lines {
        let mut chain = Vec::new();
        let (mut at, mut leaves) = (line.from, line.leaves);
        for rank in ranks[line.from] + 1..ranks[line.to].max(ranks[line.from] + 1) {
            items.push(Item { width: 4.0, rank, above: Vec::new(), below: Vec::new(), x: 0.0 });
            let next = items.len() - 1;
            join(&mut items, at, next, leaves, 0.0);
            chain.push(next);
            (at, leaves) = (next, 0.0);
        }
        if ranks[line.to] > ranks[line.from] {
            join(&mut items, at, line.to, leaves, line.enters);
        }
        chains.push(chain);
    }
    let count = items.iter().map(|item| item.rank + 1).max().unwrap_or(0);
    let mut rows: Vec<Vec<usize>> = vec![Vec::new(); count];
    for (index, item) in items.iter().enumerate() {
        rows[item.rank].push(index);
    }
    rows.iter().for_each(|row| packed(&mut items, row));
    for sweep in 0..SWEEPS {
        // Orders settle first, then places.
        let down = sweep % 2 == 0;
        let order: Vec<usize> = if down { (0..count).collect() } else { (0..count).rev().collect() };
        for rank in order {
            let wanted = wishes(&items, &rows[rank], down);
            if sweep + 2 < SWEEPS {
                let mut row: Vec<(f64, usize)> = wanted.iter().copied().zip(rows[rank].iter().copied()).collect();
                row.sort_by(|a, b| a.0.total_cmp(&b.0));
                rows[rank] = row.iter().map(|(_, index)| *index).collect();
            }
            let wanted = wishes(&items, &rows[rank], down);
            settle(&mut items, &rows[rank], &wanted);
        }
    }
    let left = items.iter().map(|item| item.x - item.width / 2.0).fold(f64::INFINITY, f64::min);
    let right = items.iter().map(|item| item.x + item.width / 2.0).fold(f64::NEG_INFINITY, f64::max);
    let (mut tops, mut heights, mut y) = (Vec::new(), Vec::new(), 0.0);
    for rank in 0..count {
        let height = boxes.iter().zip(&ranks).filter(|(_, r)| **r == rank).map(|(b, _)| b[1]).fold(0.0, f64::max);
        tops.push(y);
        heights.push(height);
        y += height + BETWEEN;
    }
    let top = |index: usize| tops[ranks[index]] + (heights[ranks[index]] - boxes[index][1]) / 2.0;
    let stop = |index: &usize| {
        let item = &items[*index];
        [item.x - left, tops[item.rank], tops[item.rank] + heights[item.rank]]
    };
    Layout {
        places: (0..boxes.len()).map(|index| [items[index].x - left, top(index)]).collect(),
        passes: chains.iter().map(|chain| chain.iter().map(stop).collect()).collect(),
        size: if count == 0 { [0.0; 2] } else { [right - left, y - BETWEEN] },
    }
}

/// The rank of each box: 0 where nothing leads to it. A line that leads back, as in a network that is fed with what it made, counts
/// for nothing.
pub fn ranks(count: usize, lines: &[Line], last: &[usize]) -> Vec<usize> {
    let mut ranks = vec![0; count];
    for _ in 0..count {
        for line in lines.iter().filter(|line| line.from < line.to || last.contains(&line.to)) {
            ranks[line.to] = ranks[line.to].max(ranks[line.from] + 1);
        }
    }
    let lowest = ranks.iter().copied().max().unwrap_or(0);
    last.iter().for_each(|index| ranks[*index] = lowest);
    ranks
}

fn join(items: &mut [Item], above: usize, below: usize, leaves: f64, enters: f64) {
    items[above].below.push((below, enters, leaves));
    items[below].above.push((above, leaves, enters));
}

/// One beside the other.
fn packed(items: &mut [Item], row: &[usize]) {
    let total: f64 = row.iter().map(|index| items[*index].width + GAP).sum::<f64>() - GAP;
    let mut x = -total / 2.0;
    for index in row {
        items[*index].x = x + items[*index].width / 2.0;
        x += items[*index].width + GAP;
    }
}

/// Where each of a row would lie by what it is joined to.
fn wishes(items: &[Item], row: &[usize], down: bool) -> Vec<f64> {
    let wish = |index: &usize| {
        let item = &items[*index];
        let joined = if down { &item.above } else { &item.below };
        let sum: f64 = joined.iter().map(|(other, there, here)| items[*other].x + there - here).sum();
        if joined.is_empty() { item.x } else { sum / joined.len() as f64 }
    };
    row.iter().map(wish).collect()
}

/// Puts a row as near to its wishes as its order and the gaps allow: least squares by pooling neighbors that would overlap.
fn settle(items: &mut [Item], row: &[usize], wanted: &[f64]) {
    // Counted from the place at which each would lie if all were packed.
    let (mut packed, mut x) = (Vec::new(), 0.0);
    for index in row {
        packed.push(x + items[*index].width / 2.0);
        x += items[*index].width + GAP;
    }
    let mut pools: Vec<(f64, usize)> = Vec::new();
    for (wish, at) in wanted.iter().zip(&packed) {
        pools.push((wish - at, 1));
        while let [.., (a, n), (b, m)] = pools.as_slice() {
            if a <= b {
                break;
            }
            let (n, m) = (*n, *m);
            let mean = (a * n as f64 + b * m as f64) / (n + m) as f64;
            pools.truncate(pools.len() - 2);
            pools.push((mean, n + m));
        }
    }
    let shifts = pools.iter().flat_map(|(shift, n)| std::iter::repeat_n(*shift, *n));
    for ((index, at), shift) in row.iter().zip(&packed).zip(shifts) {
        items[*index].x = at + shift;
    }
}

#[cfg(test)]
#[allow(clippy::panic)]
mod tests {
    use super::*;

    fn line(from: usize, to: usize) -> Line {
        Line { from, to, leaves: 0.0, enters: 0.0 }
    }

    #[test]
    fn a_line_over_a_rank_passes_beside_its_boxes() {
        // A diamond with a line from top to bottom.
        let lines = [line(0, 1), line(0, 2), line(1, 3), line(2, 3), line(0, 3)];
        let layout = layered(&[[80.0, 30.0]; 4], &lines, &[]);
        let [stop] = layout.passes[4].as_slice() else { panic!("{layout:?}") };
        for place in &layout.places[1..3] {
            assert!((place[0] - stop[0]).abs() > 40.0, "{layout:?}");
        }
        assert_eq!(layout.places[0][0], layout.places[3][0]);
        assert!(layout.places[1][1] == layout.places[2][1] && layout.places[1][1] >= 30.0 + BETWEEN);
    }

    #[test]
    fn boxes_of_a_rank_do_not_overlap_and_lines_back_end() {
        let lines: Vec<Line> = (1..8).flat_map(|to| [line(0, to), line(to, 0)]).collect();
        let layout = layered(&[[50.0, 20.0]; 8], &lines, &[]);
        let mut xs: Vec<f64> = layout.places[1..].iter().map(|p| p[0]).collect();
        xs.sort_by(f64::total_cmp);
        assert!(xs.windows(2).all(|w| w[1] - w[0] >= 50.0 + GAP - 1e-9), "{xs:?}");
        assert_eq!(layered(&[], &[], &[]).size, [0.0; 2]);
    }
}
