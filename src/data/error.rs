//! What can be wrong with data: facts without advice, as `tiles/a.gds: no cells`.

use std::path::PathBuf;

use super::LayerKey;

/// What can be wrong with data, as facts.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[allow(missing_docs)] // each field is what the sentence above its variant names it
pub enum DataError {
    /// Neither a file nor a folder nor a pattern that matches one.
    #[error("{path}: no such file or folder")]
    NotFound { path: PathBuf },
    /// The folder holds no file of a kind that is read (`endings`), nor do the folders in it.
    #[error("{path}: no file ending in {}", endings.join(", "))]
    EmptyFolder { path: PathBuf, endings: Vec<String> },
    /// The pattern is well formed and matches no file.
    #[error("{pattern}: matches no file")]
    NoMatch { pattern: String },
    /// The pattern is not a glob pattern; `at` counts characters.
    #[error("{pattern}: not a pattern, at character {at}: {reason}")]
    BadPattern { pattern: String, at: usize, reason: String },
    /// The operating system refused to read it.
    #[error("{path}: {reason}")]
    Unreadable { path: PathBuf, reason: String },
    /// A file of no bytes.
    #[error("{path}: empty file")]
    EmptyFile { path: PathBuf },
    /// More bytes, after decompression, than are read.
    #[error("{path}: more than {limit} bytes")]
    FileTooLarge { path: PathBuf, limit: u64 },
    /// It begins as a gzip stream and is not one, or stops early.
    #[error("{path}: broken gzip stream: {reason}")]
    Gzip { path: PathBuf, reason: String },
    /// It does not begin with a GDSII header.
    #[error("{path}: not a GDSII file")]
    NotGds { path: PathBuf },
    /// The file stops inside a record or before the end of the library; `offset` counts decompressed bytes.
    #[error("{path}: ends at byte {offset}, before the end of the library")]
    Truncated { path: PathBuf, offset: u64 },
    /// A record that GDSII does not have or does not allow there.
    #[error("{path}: {reason}")]
    Malformed { path: PathBuf, reason: String },
    /// The database unit is zero, negative or not a number.
    #[error("{path}: a database unit of {meters} m")]
    BadUnit { path: PathBuf, meters: f64 },
    /// A library without cells.
    #[error("{path}: no cells")]
    NoCells { path: PathBuf },
    /// Two cells of one name.
    #[error("{path}: two cells are called `{cell}`")]
    DuplicateCell { path: PathBuf, cell: String },
    /// `cell` places a cell that the file does not have.
    #[error("{path}: cell `{cell}` places `{missing}`, which the file does not have")]
    MissingCell { path: PathBuf, cell: String, missing: String },
    /// Cells that contain themselves, in order; the last places the first.
    #[error("{path}: cells contain themselves: {}", cells.join(" > "))]
    CellCycle { path: PathBuf, cells: Vec<String> },
    /// Cells nested deeper than is followed.
    #[error("{path}: cells nested {depth} deep, more than {limit}")]
    TooDeep { path: PathBuf, depth: usize, limit: usize },
    /// The asked top cell is not there; `tops` are the cells that no other places.
    #[error("{path}: no cell `{cell}`; top cells: {}", tops.join(", "))]
    NoSuchCell { path: PathBuf, cell: String, tops: Vec<String> },
    /// An array of no or a negative number of columns or rows.
    #[error("{path}: cell `{cell}` has an array of {columns} × {rows}")]
    BadArray { path: PathBuf, cell: String, columns: i16, rows: i16 },
    /// A placement with a magnification that is not positive or an angle that is not a number.
    #[error("{path}: cell `{cell}` places `{placed}` with magnification {magnification} and angle {angle}")]
    BadPlacement { path: PathBuf, cell: String, placed: String, magnification: f64, angle: f64 },
    /// A placement with absolute magnification or angle, which is not followed.
    #[error("{path}: cell `{cell}` places `{placed}` with an absolute magnification or angle")]
    AbsolutePlacement { path: PathBuf, cell: String, placed: String },
    /// A path type other than 0, 1, 2 and 4.
    #[error("{path}: cell `{cell}` has a path of type {path_type}")]
    BadPathType { path: PathBuf, cell: String, path_type: i16 },
    /// A flattened coordinate outside 32 bits.
    #[error("{path}: cell `{cell}` reaches beyond 32-bit coordinates")]
    OutOfRange { path: PathBuf, cell: String },
    /// Flattening would make more polygons or vertices than are kept.
    #[error("{path}: {polygons} flat polygons of {points} vertices, more than {polygon_limit} of {point_limit}")]
    TooManyPolygons { path: PathBuf, polygons: u64, points: u64, polygon_limit: u64, point_limit: u64 },
    /// Nothing to draw: no polygon on a wanted layer (on any layer, where `wanted` is empty). `present` counts flat
    /// polygons.
    #[error("{path}: no polygon on {}; there are {}", list(wanted), counts(present))]
    NoPolygons { path: PathBuf, wanted: Vec<LayerKey>, present: Vec<(LayerKey, u64)> },
    /// Pixels per micrometer that are not positive and finite.
    #[error("a resolution of {value} px/µm")]
    BadResolution { value: f64 },
    /// A picture of more bytes (width · height · layers) than are drawn.
    #[error("{name}: a picture of {width} × {height} px in {layers} layers, more than {limit} bytes")]
    PictureTooLarge { name: String, width: u64, height: u64, layers: usize, limit: u64 },
    /// A picture with a side shorter than `needed` pixels.
    #[error("{name}: {width} × {height} px, but {needed} px are needed")]
    PictureTooSmall { name: String, width: usize, height: usize, needed: usize },
    /// Not a PNG or JPEG image, or a broken one.
    #[error("{path}: {reason}")]
    BadImage { path: PathBuf, reason: String },
    /// A picture has no layer of the wanted name; `present` are those it has.
    #[error("{picture}: no layer `{layer}`; there are {}", present.join(", "))]
    NoSuchLayer { picture: String, layer: String, present: Vec<String> },
    /// A file of a known kind that is not read; `help` is how to make it into one that is.
    #[error("{path}: {what}, which is not read")]
    Unsupported { path: PathBuf, what: String, help: String },
    /// A file that is to be trained on and validated on.
    #[error("{path}: both to train on and to validate")]
    BothSides { path: PathBuf },
    /// A picture of another number of layers or colors than the dataset has channels.
    #[error("{picture}: {found} channels ({}), and the dataset has {wanted}", layers.join(", "))]
    Channels { picture: String, found: usize, wanted: usize, layers: Vec<String> },
    /// Pictures have no drawn corners.
    #[error("{picture}: a picture from a file has no drawn corners")]
    NoCorners { picture: String },
    /// All pairs of pictures have pictures in common, so that none can be kept back.
    #[error("all {pairs} pairs have pictures in common")]
    OneGroup { pairs: usize },
    /// A list of pairs with a line that is none.
    #[error("{path}: line {line}: {reason}")]
    BadList { path: PathBuf, line: usize, reason: String },
    /// A file of pictures that lie over each other, without one of its name on the other side.
    #[error("{path}: no file of this name on the other side")]
    NoPartner { path: PathBuf },
    /// Two files of one name on one side.
    #[error("{path}: of the same name as {other}")]
    SameName { path: PathBuf, other: PathBuf },
    /// A setting outside what it may be.
    #[error("{setting} = {value}, not in {low}..={high}")]
    BadSetting { setting: &'static str, value: f64, low: f64, high: f64 },
    /// A split without pictures: `pictures` in all, of which the part `train` is for training.
    #[error("no picture is left for {split}: {pictures} in all, {train} of them for training")]
    NothingToTrainOn { split: String, pictures: usize, train: f64 },
}

impl DataError {
    /// What to do about it, where that depends on the file.
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Unsupported { help, .. } => Some(help.clone()),
            Self::Channels { found, .. } => {
                Some(format!("set  channels = {found}, or 1 for grey; `layers` of gds(…) chooses among the layers"))
            }
            Self::NoCorners { .. } => Some("find corners in the grey values:  corners = picture".into()),
            Self::OneGroup { .. } => {
                Some("train on all:  train = 1.0, or name lists to validate on:  validation = …".into())
            }
            Self::BothSides { .. } => Some("leave it out of one of the two".into()),
            _ => None,
        }
    }
}

impl From<rord_files::FileError> for DataError {
    fn from(error: rord_files::FileError) -> Self {
        match error.source.kind() {
            std::io::ErrorKind::NotFound => Self::NotFound { path: error.path },
            _ => Self::Unreadable { reason: rord_files::plain(&error.source), path: error.path },
        }
    }
}

fn list(keys: &[LayerKey]) -> String {
    if keys.is_empty() {
        "any layer".into()
    } else {
        keys.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    }
}

fn counts(present: &[(LayerKey, u64)]) -> String {
    if present.is_empty() {
        return "none".into();
    }
    present.iter().map(|(key, count)| format!("{key} ({count})")).collect::<Vec<_>>().join(", ")
}
