//! What can be wrong with data: facts without advice, as `tiles/a.gds: no cells`.

use std::borrow::Cow;
use std::path::PathBuf;

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
    /// Something in it that its format does not have.
    #[error("{path}: {reason}")]
    Malformed { path: PathBuf, reason: String },
    /// A layout that cannot be read.
    #[error(transparent)]
    Layout(#[from] rord_layouts::ReadError),
    /// A layout whose hierarchy cannot be drawn.
    #[error("{path}: {error}")]
    Hierarchy { path: PathBuf, error: rord_layouts::HierarchyError },
    /// The file is another one than when its drawing began.
    #[error("{path}: has changed since the run began")]
    Changed { path: PathBuf },
    /// The file of names of layers has none.
    #[error("{path}: {reason}")]
    BadNames { path: PathBuf, reason: String },
    /// The list of layers cannot be read.
    #[error("{reason}")]
    BadLayers { reason: String },
    /// A name in the list of layers that the file does not give to any.
    #[error("{path}: {reason}")]
    NoSuchName { path: PathBuf, reason: String },
    /// A window that is not from the left to the right and from below to above.
    #[error("a window from ({}, {}) to ({}, {}) µm", window[0], window[1], window[2], window[3])]
    BadWindow { window: [f64; 4] },
    /// Drawn tiles can be written nowhere.
    #[error("{place}; {} MB are needed", needed.div_ceil(1 << 20))]
    NoPlace { place: crate::store::NoPlace, needed: u64 },
    /// Files that cannot be used, of `files` and `fit` in all.
    #[error("{} of {} files cannot be used", files.len(), files.len() + fit)]
    Unfit { fit: usize, files: Vec<crate::loaded::UnfitFile> },
    /// No cell matches the asked top; `tops` are the cells that no other places.
    #[error("{path}: no cell `{cell}`; top cells: {}", some(tops))]
    NoSuchCell { path: PathBuf, cell: String, tops: Vec<String> },
    /// Nothing to draw: no polygon on a wanted layer (on any layer, where `wanted` is empty). `present` counts flat
    /// polygons; `read` is what the reader let pass or left out.
    #[error("{path}: no polygon on {}{}{}", list(wanted), counts(present), also(read))]
    NoPolygons { path: PathBuf, wanted: Vec<String>, present: Vec<(String, u64)>, read: Vec<String> },
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

impl From<rord_files::FileError> for DataError {
    fn from(error: rord_files::FileError) -> Self {
        match error.source.kind() {
            std::io::ErrorKind::NotFound => Self::NotFound { path: error.path },
            _ => Self::Unreadable { reason: rord_files::plain(&error.source), path: error.path },
        }
    }
}

fn list(layers: &[String]) -> String {
    if layers.is_empty() { "any layer".into() } else { layers.join(", ") }
}

/// The first of many names.
fn some(names: &[String]) -> String {
    const MOST: usize = 8;
    let more = names.len().saturating_sub(MOST);
    let first = names.iter().take(MOST).cloned().collect::<Vec<_>>().join(", ");
    if more == 0 { first } else { format!("{first} and {more} more") }
}

impl DataError {
    /// What helps, in a few words.
    pub fn help(&self) -> Cow<'static, str> {
        match self {
            Self::Unsupported { help, .. } => help.clone().into(),
            Self::Unfit { files, .. } => {
                let line = |file: &crate::loaded::UnfitFile| format!("{}\n  {}\n", file.error, file.error.help());
                let lines: String = files.iter().map(line).collect();
                format!("{lines}mend these files, leave them out of the pattern, or pass them over:  unfit = skip")
                    .into()
            }
            Self::Channels { found, .. } => {
                format!("set  channels = {found}, or 1 for grey; `layers` of gds(…) chooses among the layers").into()
            }
            other => other.plain_help().into(),
        }
    }

    fn plain_help(&self) -> &'static str {
        use rord_layouts::ReadError as R;
        match self {
            Self::NoCorners { .. } => "find corners in the grey values:  corners = picture",
            Self::OneGroup { .. } => "train on all:  train = 1.0, or name lists to validate on:  validation = …",
            Self::BothSides { .. } => "leave it out of one of the two",
            Self::BadList { .. } => "a line is  a.png, b.png, h11, …, h33",
            Self::NoPartner { .. } | Self::SameName { .. } => "each picture needs one of its name in the other folder",
            Self::NotFound { .. } => "check the path; paths start in the folder in which rord-run is started",
            Self::EmptyFolder { .. } | Self::NoMatch { .. } => "check the folder and the ending of the files",
            Self::Unreadable { .. } | Self::Layout(R::Unreadable { .. }) => "check the file's permissions",
            Self::EmptyFile { .. } | Self::Layout(R::EmptyFile { .. }) => "fetch or export it again",
            Self::NoPolygons { present, .. } if present.is_empty() => "leave the file out, or draw another cell of it",
            Self::NoSuchName { .. } => "write its number, or give a file of names:  names = \"….lyp\"",
            Self::NoPolygons { .. } | Self::NoSuchLayer { .. } => "choose among the layers that are there",
            Self::PictureTooSmall { .. } => "use a smaller patch or zoom, or a higher resolution",
            Self::PictureTooLarge { .. } | Self::FileTooLarge { .. } | Self::Layout(R::FileTooLarge { .. }) => {
                "lower the resolution, or draw fewer layers or a window"
            }
            Self::NoSuchCell { .. } => "leave `top` out to draw all cells that no other places",
            Self::Layout(R::NotLayout { .. }) => "unpack or convert it to GDSII or OASIS, or leave it out",
            Self::Layout(_) | Self::Hierarchy { .. } | Self::Malformed { .. } | Self::BadImage { .. } => {
                "fetch or export it again, or leave it out"
            }
            Self::Changed { .. } => "start the run again",
            Self::NoPlace { .. } => "free space, or let RORD_CACHE name a folder that has it",
            _ => "check the settings of the data",
        }
    }
}

/// What the reader said, where there is anything.
fn also(read: &[String]) -> String {
    if read.is_empty() { String::new() } else { format!("; the file has {}", read.join(", ")) }
}

fn counts(present: &[(String, u64)]) -> String {
    if present.is_empty() {
        return String::new();
    }
    let each: Vec<String> = present.iter().map(|(key, count)| format!("{key} ({count})")).collect();
    format!("; there are {}", each.join(", "))
}
