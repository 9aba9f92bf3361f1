//! Datasets that are cut from layouts: which fields each has, of which type, and which part of a pair a field holds.

use super::pairs::Pair;

/// A field of a dataset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offered {
    /// Its name in a pipeline.
    pub name: &'static str,
    /// Its type, in terms of the recipe's arguments.
    pub ty: &'static str,
    /// What it holds.
    pub part: Part,
}

/// A part of a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The original view, (B, channels, n, n).
    Image,
    /// The moved view, (B, channels, n, n).
    Moved,
    /// The homography, (B, 3, 3).
    Homography,
    /// Corners of the original view, (B, 1, n, n).
    Corners,
    /// Coverage of the target layer, (B, 1, n, n).
    Truth,
}

const fn offered(name: &'static str, ty: &'static str, part: Part) -> Offered {
    Offered { name, ty, part }
}

/// Every dataset that is cut from layouts.
const DATASETS: &[(&str, &[Offered])] = &[
    (
        "layout_pairs",
        &[
            offered("image", "Image[B, channels, patch, patch]@orig", Part::Image),
            offered("image_r", "Image[B, channels, patch, patch]@moved", Part::Moved),
            offered("H", "Homography[B]@orig->moved", Part::Homography),
            offered("corners", "Label[B, 1, patch, patch]@orig", Part::Corners),
        ],
    ),
    (
        "layout_images",
        &[
            offered("image", "Image[B, channels, patch, patch]@orig", Part::Image),
            offered("corners", "Label[B, 1, patch, patch]@orig", Part::Corners),
        ],
    ),
    (
        "layout_patches",
        &[
            offered("a", "Image[B, channels, size, size]@a", Part::Image),
            offered("b", "Image[B, channels, size, size]@b", Part::Moved),
            offered("H", "Homography[B]@a->b", Part::Homography),
        ],
    ),
    (
        "file_pairs",
        &[
            offered("image", "Image[B, channels, patch, patch]@orig", Part::Image),
            offered("image_r", "Image[B, channels, patch, patch]@moved", Part::Moved),
            offered("H", "Homography[B]@orig->moved", Part::Homography),
        ],
    ),
    (
        "labelled_layouts",
        &[
            offered("image", "Image[B, channels, patch, patch]@image", Part::Image),
            offered("truth", "Label[B, 1, patch, patch]@image", Part::Truth),
        ],
    ),
];

/// The fields of a dataset; `None` where it is not cut from layouts.
pub fn fields(dataset: &str) -> Option<&'static [Offered]> {
    DATASETS.iter().find(|(name, _)| *name == dataset).map(|(_, fields)| *fields)
}

/// Names and types of the fields of a dataset, as the checker reads them.
pub fn offers(dataset: &str) -> Vec<(&'static str, &'static str)> {
    fields(dataset).unwrap_or_default().iter().map(|field| (field.name, field.ty)).collect()
}

impl Part {
    /// The shape of a batch of it, for patches of n pixels and views of so many channels.
    pub fn shape(self, batch: usize, n: usize, channels: usize) -> Vec<usize> {
        match self {
            Self::Homography => vec![batch, 3, 3],
            Self::Image | Self::Moved => vec![batch, channels, n, n],
            Self::Corners | Self::Truth => vec![batch, 1, n, n],
        }
    }

    /// Its numbers.
    pub fn of(self, pair: &Pair) -> &[f32] {
        match self {
            Self::Image => &pair.image,
            Self::Moved => &pair.image_r,
            Self::Homography => &pair.h,
            Self::Corners => &pair.corners,
            Self::Truth => &pair.truth,
        }
    }
}
