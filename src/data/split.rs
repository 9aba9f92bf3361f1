//! Splits pictures for training and validation, so that no pixel is in both.

use super::DataError;
use super::patch::Region;
use super::picture::Picture;
use rord_random::Stream;

/// A part of a picture and how likely it is to be drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Field {
    /// Which picture.
    pub picture: usize,
    /// Which part of it.
    pub region: Region,
    /// The areas of this field and of those before it, in pixels.
    pub until: f64,
}

/// The fields for training and those for validation, in the order of their pictures. The share `train` of the pictures
/// is for training, at least one is for each; where some say that they are validated on, those are, and all others trained
/// on. Which, depends on their names and not on a seed, so another seed never
/// trains on what an earlier one was validated on. A single picture is cut in two along a vertical line (a horizontal
/// one where it is too narrow). With `train` 1 all is for training.
///
/// Errors: no picture, or one with a side shorter than `needed` pixels (a single one: with no side twice as long).
pub fn split(pictures: &[Picture], train: f64, needed: usize) -> Result<(Vec<Field>, Vec<Field>), DataError> {
    let too_small = |picture: &Picture, needed| {
        let Picture { name, width, height, .. } = picture;
        DataError::PictureTooSmall { name: name.clone(), width: *width, height: *height, needed }
    };
    if let Some(small) = pictures.iter().find(|p| p.width.min(p.height) < needed) {
        return Err(too_small(small, needed));
    }
    let all = || pictures.iter().map(Region::whole).enumerate();
    let named = |i: &usize| pictures.get(*i).is_some_and(|picture| picture.validates);
    if pictures.iter().any(|picture| picture.validates) {
        let (held, trained) = (fields(all().filter(|(i, _)| named(i))), fields(all().filter(|(i, _)| !named(i))));
        return match trained.is_empty() {
            true => Err(DataError::NothingToTrainOn { split: "training".into(), pictures: held.len(), train: 0.0 }),
            false => Ok((trained, held)),
        };
    }
    match pictures {
        [] => Err(DataError::NothingToTrainOn { split: "training".into(), pictures: 0, train }),
        _ if train >= 1.0 => Ok((fields(all()), Vec::new())),
        [one] => {
            let [a, b] = halves(one, train, needed).ok_or_else(|| too_small(one, 2 * needed))?;
            Ok((fields([(0, a)].into_iter()), fields([(0, b)].into_iter())))
        }
        many => {
            let mut order: Vec<(u64, usize)> = many.iter().map(|p| rank(&p.name)).zip(0..).collect();
            order.sort_unstable();
            let wanted = (many.len() as f64 * (1.0 - train)).round() as usize;
            order.truncate(wanted.clamp(1, many.len() - 1));
            let held = |i: usize| order.iter().any(|(_, held)| *held == i);
            Ok((fields(all().filter(|(i, _)| !held(*i))), fields(all().filter(|(i, _)| held(*i)))))
        }
    }
}

/// Adds up areas.
fn fields(regions: impl Iterator<Item = (usize, Region)>) -> Vec<Field> {
    let mut until = 0.0;
    let field = |(picture, region): (usize, Region)| {
        until += region.width() as f64 * region.height() as f64;
        Field { picture, region, until }
    };
    regions.map(field).collect()
}

/// A number for a name that has nothing to do with its place in a list.
fn rank(name: &str) -> u64 {
    let key: Vec<u64> = name.bytes().map(u64::from).collect();
    Stream::new(0, &key).bits()
}

/// Cuts a picture in two, side by side or else one above the other, with at least `needed` pixels for each.
fn halves(picture: &Picture, train: f64, needed: usize) -> Option<[Region; 2]> {
    let whole = Region::whole(picture);
    let cut = |side: usize| {
        (side >= 2 * needed && side >= 2).then(|| {
            let least = needed.max(1);
            ((side as f64 * train).round() as usize).clamp(least, side - least)
        })
    };
    if let Some(at) = cut(picture.width) {
        return Some([Region { x: (0, at), ..whole }, Region { x: (at, picture.width), ..whole }]);
    }
    let at = cut(picture.height)?;
    Some([Region { y: (0, at), ..whole }, Region { y: (at, picture.height), ..whole }])
}
