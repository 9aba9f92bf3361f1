//! What can be wrong with the bytes of an OASIS file: facts, to which the reader adds cell and byte.

/// Why reading stopped.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub(super) enum Fault {
    #[error("the file ends")]
    EndOfData,
    #[error("a number of more than 64 bits")]
    NumberTooLarge,
    #[error("a real number of type {0}: there are types 0 to 7")]
    RealType(u64),
    #[error("a real number over zero")]
    OverZero,
    #[error("layer or datatype {0}: those up to 4294967295 are read")]
    LayerNumber(u64),
    #[error("coordinate {0}: those of 32 bits are read, -2147483648 to 2147483647")]
    Coordinate(i64),
    #[error("a point list of type {0}: there are types 0 to 5")]
    PointListType(u64),
    #[error("a repetition of type {0}: there are types 0 to 11")]
    RepetitionType(u64),
    #[error("a repetition of {0} copies along one line: up to 4294967295 are read")]
    TooManyCopies(u64),
    #[error("type {0}: there are types 0 to 25")]
    TrapezoidType(u64),
    #[error("an interval of type {0}: there are types 0 to 4")]
    IntervalType(u64),
    #[error("version `{0}` of OASIS: there is 1.0")]
    Version(String),
    #[error("a property value of type {0}: there are types 0 to 15")]
    PropertyType(u64),
    #[error("a record of type {0}: there are types 0 to 34")]
    RecordType(u8),
    #[error("outside a cell")]
    OutsideCell,
    #[error("no START record at the beginning")]
    NoStart,
    #[error("a second START record")]
    SecondStart,
    #[error("{0} is left to the records before, none of which gives it")]
    Undefined(&'static str),
    #[error("a magnification of {0}")]
    Magnification(f64),
    #[error("an angle of {0} degrees")]
    Angle(f64),
    #[error("a grid unit of {0} to the micrometer")]
    Unit(f64),
    #[error("cell number {number} has two names, `{first}` and `{second}`")]
    TwoNames { number: u64, first: String, second: String },
    #[error("no CELLNAME record gives the name of cell number {0}")]
    NoName(u64),
    #[error("a second definition of cell `{0}`")]
    SecondDefinition(String),
    #[error("a compressed block of type {0}: only type 0 exists, deflate")]
    BlockType(u64),
    #[error("a compressed block of {length} bytes, with {left} bytes left in the file")]
    BlockBeyondEnd { length: u64, left: u64 },
    #[error("a compressed block that is not deflate data")]
    NotDeflated,
    #[error("a compressed block whose data stops before its end")]
    BlockCut,
    #[error("a compressed block within another one")]
    BlockInBlock,
    #[error("compressed blocks grow beyond {0} bytes")]
    InflatesBeyond(u64),
    #[error("more than {0} points of shapes and copies, the most for a file of its size")]
    TooManyPoints(u64),
    #[error("the file ends without an END record")]
    NoEnd,
}

impl Fault {
    /// True of a compressed block itself, not of a record in it.
    pub fn is_of_block(&self) -> bool {
        matches!(self, Self::NotDeflated | Self::BlockCut | Self::InflatesBeyond(_))
    }

    /// True of what the format allows and this reader does not take.
    pub fn is_beyond(&self) -> bool {
        matches!(
            self,
            Self::LayerNumber(_)
                | Self::Coordinate(_)
                | Self::TooManyCopies(_)
                | Self::Version(_)
                | Self::InflatesBeyond(_)
                | Self::TooManyPoints(_)
        )
    }
}
