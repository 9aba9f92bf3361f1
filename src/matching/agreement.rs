//! How well key points and matches of two pictures agree with the homography between them, by the formulas that the field
//! reports: repeatability, mean matching accuracy, and the area under the curve of homographies that are estimated.
//!
//! Places are pixels as everywhere here. Sizes are width and height.

use crate::moves::{Move, Pair, apart};

/// The share of key points that are found again: of the points of the first picture that the homography takes into the
/// second, and of those of the second that come from within the first, those that have a point of the other picture at
/// most `within` pixels away, measured in the second picture. 0 where neither has a point that the other shows.
///
/// Source: DeTone, Malisiewicz and Rabinovich, *SuperPoint* (2018), appendix, as evaluated in github.com/rpautrat/SuperPoint;
/// there a pair without points counts as 1.
pub fn repeatability(points: [&[[f64; 2]]; 2], truth: &Move, sizes: [[usize; 2]; 2], within: f64) -> f64 {
    let Some(back) = truth.inverse() else { return 0.0 };
    let [first, second] = points;
    let [first_size, second_size] = sizes;
    let moved: Vec<[f64; 2]> = first.iter().map(|p| truth.apply(*p)).filter(|p| holds(second_size, *p)).collect();
    let seen: Vec<[f64; 2]> = second.iter().copied().filter(|p| holds(first_size, back.apply(*p))).collect();
    let again = |of: &[[f64; 2]], among: &[[f64; 2]]| {
        of.iter().filter(|p| among.iter().any(|other| apart(**p, *other) <= within)).count()
    };
    let all = moved.len() + seen.len();
    if all == 0 { 0.0 } else { (again(&moved, &seen) + again(&seen, &moved)) as f64 / all as f64 }
}

fn holds([width, height]: [usize; 2], [x, y]: [f64; 2]) -> bool {
    x >= 0.0 && y >= 0.0 && x < width as f64 && y < height as f64
}

/// The share of matches that lie at most so many pixels from where the homography takes them, for each limit; 0 without a
/// match. The mean over pairs of pictures is the mean matching accuracy.
///
/// Source: Mikolajczyk and Schmid (2005); Dusmanu et al., *D2-Net* (2019), section 5.1, for limits of 1 to 10 px.
pub fn matching_accuracy(matches: &[Pair], truth: &Move, limits: &[f64]) -> Vec<f64> {
    let off: Vec<f64> = matches.iter().map(|(a, b)| apart(truth.apply(*a), *b)).collect();
    shares(limits, |limit| off.iter().filter(|d| **d <= limit).count(), off.len())
}

/// The share of matches whose mean distance there and back is below so many pixels, for each limit; 0 without a match.
///
/// Source: Pautrat et al., github.com/cvg/glue-factory, `prec@1px` and `prec@3px`, of which it reports the median over pairs.
pub fn precision(matches: &[Pair], truth: &Move, limits: &[f64]) -> Vec<f64> {
    let Some(back) = truth.inverse() else { return vec![0.0; limits.len()] };
    let both = |(a, b): &Pair| (apart(truth.apply(*a), *b) + apart(back.apply(*b), *a)) / 2.0;
    let off: Vec<f64> = matches.iter().map(both).collect();
    shares(limits, |limit| off.iter().filter(|d| **d < limit).count(), off.len())
}

fn shares(limits: &[f64], count: impl Fn(f64) -> usize, of: usize) -> Vec<f64> {
    limits.iter().map(|limit| count(*limit) as f64 / of.max(1) as f64).collect()
}

/// The mean distance between where an estimate and the truth take the corners (0, 0), (w, 0), (w, h) and (0, h) of the first
/// picture. Infinite without an estimate.
///
/// Source: DeTone et al., *SuperPoint* (2018), section 7.3; corners and mean as in github.com/cvg/glue-factory.
pub fn corner_error(estimate: Option<&Move>, truth: &Move, [width, height]: [usize; 2]) -> f64 {
    let Some(estimate) = estimate else { return f64::INFINITY };
    let (w, h) = (width as f64, height as f64);
    let off = |corner: [f64; 2]| apart(estimate.apply(corner), truth.apply(corner));
    let mean = [[0.0, 0.0], [w, 0.0], [w, h], [0.0, h]].map(off).iter().sum::<f64>() / 4.0;
    if mean.is_finite() { mean } else { f64::INFINITY }
}

/// The area under the curve of the share of errors below a limit, from 0 to each limit, over the limit. The curve is straight
/// from each error to the next larger one, and level from the last one below the limit. 0 without errors.
///
/// Source: Sarlin et al., *SuperGlue* (2020), section 5; the rule between errors is that of github.com/cvg/glue-factory, which
/// rounds to four digits.
pub fn area_under_curve(errors: &[f64], limits: &[f64]) -> Vec<f64> {
    let mut sorted: Vec<f64> = errors.iter().map(|e| if e.is_nan() { f64::INFINITY } else { *e }).collect();
    sorted.sort_by(f64::total_cmp);
    let step = 1.0 / sorted.len().max(1) as f64;
    let under = |limit: &f64| {
        let (mut area, mut at, mut share) = (0.0, 0.0, 0.0);
        for error in sorted.iter().take_while(|e| **e < *limit) {
            area += (error - at) * (share + step / 2.0);
            (at, share) = (*error, share + step);
        }
        (area + (limit - at) * share) / limit
    };
    limits.iter().map(under).collect()
}

/// The middle of the values, or the mean of the two middle ones; `None` without values.
pub fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let upper = *sorted.get(sorted.len() / 2)?;
    match sorted.len() % 2 {
        0 => Some((sorted.get(sorted.len() / 2 - 1)? + upper) / 2.0),
        _ => Some(upper),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;

    const SHIFT: Move = Move([[1.0, 0.0, 10.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]);

    #[test]
    fn key_points_beyond_the_other_picture_do_not_count() {
        // Of the first picture's points one leaves the second; of the second's points one was never in the first.
        let a = [[20.0, 20.0], [50.0, 30.0], [95.0, 5.0]];
        let b = [[31.0, 20.0], [60.0, 36.0], [3.0, 3.0]];
        let rate = |within: f64| repeatability([&a, &b], &SHIFT, [[100, 50]; 2], within);
        assert_eq!((rate(0.5), rate(1.0), rate(6.0)), (0.0, 0.5, 1.0));
        assert_eq!(repeatability([&[], &[]], &SHIFT, [[100, 50]; 2], 3.0), 0.0);
        assert_eq!(repeatability([&a, &b], &Move([[0.0; 3]; 3]), [[100, 50]; 2], 3.0), 0.0);
    }

    #[test]
    fn a_match_counts_from_its_distance_on() {
        let matches = [([0.0, 0.0], [11.0, 0.0]), ([5.0, 5.0], [15.0, 8.0]), ([5.0, 5.0], [90.0, 8.0])];
        assert_eq!(matching_accuracy(&matches, &SHIFT, &[0.5, 1.0, 3.0]), [0.0, 1.0 / 3.0, 2.0 / 3.0]);
        assert_eq!(precision(&matches, &SHIFT, &[1.0, 1.1]), [0.0, 1.0 / 3.0]);
        assert_eq!(matching_accuracy(&[], &SHIFT, &[1.0]), [0.0]);
    }

    #[test]
    fn the_area_is_that_of_the_drawn_curve() {
        // (0, 0) to (1, 1/2), then level to 2: (0.25 + 0.5) / 2. The error of 2 is not below 2.
        assert_eq!(area_under_curve(&[2.0, 1.0], &[2.0]), [0.375]);
        assert_eq!(area_under_curve(&[f64::INFINITY, f64::NAN], &[5.0]), [0.0]);
        assert_eq!((area_under_curve(&[], &[5.0])[0], area_under_curve(&[0.0], &[5.0])[0]), (0.0, 1.0));
        assert_eq!(corner_error(None, &SHIFT, [4, 4]), f64::INFINITY);
        assert_eq!(corner_error(Some(&Move::IDENTITY), &SHIFT, [4, 4]), 10.0);
        assert_eq!((median(&[3.0, 1.0, 2.0]), median(&[1.0, 2.0]), median(&[])), (Some(2.0), Some(1.5), None));
    }
}
