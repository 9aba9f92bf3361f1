//! Splits pictures for training and validation, so that no pixel is in both.

use std::collections::{BTreeMap, BTreeSet};

use super::DataError;
use super::patch::Region;
use super::picture::{Origin, Picture};
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
/// is for training, at least one is for each; where some say that they are validated on, those are, and all others
/// trained on. Which, depends on the files' own names and contents (of generated ones, on
/// their names) and not on folders or a seed, so another seed or machine never trains on what an earlier run was
/// validated on. What is made of one file, or of files of the same content, stays together; where that leaves nothing
/// for one side, as with the cells of a single file, pictures are told apart by their cells. A single picture is cut in
/// two along a vertical line (a horizontal one where it is too narrow). With `train` 1 all is for training.
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
            let wanted = ((many.len() as f64 * (1.0 - train)).round() as usize).clamp(1, many.len() - 1);
            let held = held(many, wanted);
            Ok((fields(all().filter(|(i, _)| !held.contains(i))), fields(all().filter(|(i, _)| held.contains(i)))))
        }
    }
}

/// The pictures for validation: whole groups, as near to `wanted` pictures as they come, and something for each side.
fn held(pictures: &[Picture], wanted: usize) -> BTreeSet<usize> {
    let mut groups: BTreeMap<[u8; 32], (u64, Vec<usize>)> = BTreeMap::new();
    for (index, picture) in pictures.iter().enumerate() {
        let Origin { file, content } = &picture.origin;
        let rank =
            if picture.origin.is_file() { rank(content.iter().chain(file.as_bytes())) } else { rank(file.as_bytes()) };
        let group = groups.entry(*content).or_insert((rank, Vec::new()));
        // Of copies under several names, the same one decides wherever they are found.
        group.0 = group.0.min(rank);
        group.1.push(index);
    }
    if let (1, Some((_, (_, all)))) = (groups.len(), groups.first_key_value()) {
        let named = |&index: &usize| (rank(pictures.get(index).map_or("", |p| own(&p.name)).as_bytes()), index);
        let mut order: Vec<(u64, usize)> = all.iter().map(named).collect();
        order.sort_unstable();
        return order.into_iter().take(wanted).map(|(_, index)| index).collect();
    }
    let mut order: Vec<(u64, Vec<usize>)> = groups.into_values().collect();
    order.sort_unstable();
    // Something is left to train on.
    order.pop();
    let mut held = BTreeSet::new();
    for (_, group) in order {
        let (before, after) = (held.len(), held.len() + group.len());
        if before > 0 && (before >= wanted || after.abs_diff(wanted) > wanted - before) {
            break;
        }
        held.extend(group);
    }
    held
}

/// A picture's name without the folders of its file.
fn own(name: &str) -> &str {
    name.rsplit(['/', '\\']).next().unwrap_or(name)
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

/// A number for bytes that has nothing to do with their place in a list.
fn rank<'a>(bytes: impl IntoIterator<Item = &'a u8>) -> u64 {
    let key: Vec<u64> = bytes.into_iter().map(|byte| u64::from(*byte)).collect();
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
