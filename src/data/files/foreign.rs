//! What files are that are not read, by their first bytes, and how to make them into what is.

use std::path::Path;

use crate::DataError;

/// What is converted into what, and by which command; `{}` stands for the file.
struct Foreign {
    /// Where the bytes lie.
    at: usize,
    bytes: &'static [u8],
    what: &'static str,
    help: &'static str,
}

const fn at(at: usize, bytes: &'static [u8], what: &'static str, help: &'static str) -> Foreign {
    Foreign { at, bytes, what, help }
}

const PICTURE: &str = "convert it:  magick \"{}\" picture.png";

/// In the order in which they are tried.
const FOREIGN: &[Foreign] = &[
    at(0, b"BZh", "a bzip2 file", "unpack it:  bunzip2 --keep \"{}\""),
    at(0, b"\xfd7zXZ\0", "an xz file", "unpack it:  unxz --keep \"{}\""),
    at(0, b"\x28\xb5\x2f\xfd", "a Zstandard file", "unpack it:  unzstd \"{}\""),
    at(0, b"\x04\x22\x4d\x18", "an LZ4 file", "unpack it:  unlz4 \"{}\""),
    at(0, b"\x1f\x8b", "a gzip file", "unpack it:  gunzip --keep \"{}\""),
    at(0, b"\x1f\x9d", "a compress file", "unpack it:  uncompress --keep \"{}\""),
    at(0, b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", "unpack it:  7z x \"{}\""),
    at(0, b"Rar!\x1a\x07", "a RAR archive", "unpack it:  unrar x \"{}\""),
    at(257, b"ustar", "a tar archive", "unpack it:  tar -xf \"{}\""),
    at(0, b"\x89HDF\r\n\x1a\n", "an HDF5 file", "write its arrays with numpy.savez or safetensors.numpy.save_file"),
    at(0, b"\x93NUMPY", "a single NumPy array", "save arrays under names:  numpy.savez(\"data.npz\", image = …)"),
    at(0, b"\0\0\0\x0cjP  \r\n", "a JPEG 2000 picture", PICTURE),
    at(0, b"\xff\x4f\xff\x51", "a JPEG 2000 picture", PICTURE),
    at(0, b"\0\0\0\x0cJXL ", "a JPEG XL picture", "convert it:  djxl \"{}\" picture.png"),
    at(0, b"\xff\x0a", "a JPEG XL picture", "convert it:  djxl \"{}\" picture.png"),
    at(4, b"ftypavi", "an AVIF picture", PICTURE),
    at(4, b"ftyphe", "an HEIC picture", PICTURE),
    at(4, b"ftypmif1", "an HEIF picture", PICTURE),
    at(0, b"GIF8", "a GIF picture", PICTURE),
    at(0, b"8BPS", "a Photoshop picture", "convert it:  magick \"{}[0]\" picture.png"),
    at(0, b"v/1\x01", "an OpenEXR picture", "convert it:  magick \"{}\" picture.tif"),
    at(0, b"#?RADIANCE", "a Radiance picture", "convert it:  magick \"{}\" picture.tif"),
    at(0, b"%PDF", "a PDF document", "convert it:  pdftoppm -png -r 300 \"{}\" page"),
    at(0, b"%!PS", "a PostScript document", "convert it:  magick -density 300 \"{}\" picture.png"),
    at(0, b"AT&TFORM", "a DjVu document", "convert it:  ddjvu -format=tiff \"{}\" picture.tif"),
    at(0, b"SIMPLE  =", "a FITS picture", "convert it:  magick \"{}\" picture.tif"),
    at(128, b"DICM", "a DICOM picture", "convert it:  magick \"{}\" picture.tif"),
    at(0, b"qoif", "a QOI picture", PICTURE),
    at(0, b"DDS ", "a DDS picture", PICTURE),
    at(0, b"\0\0\x01\0", "an icon", PICTURE),
    at(0, b"PF\n", "a portable float map", "convert it:  magick \"{}\" picture.tif"),
    at(0, b"Pf\n", "a portable float map", "convert it:  magick \"{}\" picture.tif"),
    at(0, b"<svg", "an SVG drawing", "convert it:  rsvg-convert \"{}\" -o picture.png"),
    at(0, b"%SEMI-OASIS\r\n", "an OASIS layout", "layouts are read by  gds(…)"),
    at(0, b"\0\x06\0\x02", "a GDSII layout", "layouts are read by  gds(…)"),
    at(0, b"PK\x03\x04", "a zip archive", "unpack it:  unzip \"{}\""),
];

/// What a file is whose first bytes are `head`, where that is known and nothing that rord reads in this place.
/// `read` are the beginnings that are read.
pub fn foreign(path: &Path, head: &[u8], read: &[&[u8]]) -> Option<DataError> {
    let is = |f: &&Foreign| head.get(f.at..).is_some_and(|rest| rest.starts_with(f.bytes)) && !read.contains(&f.bytes);
    let found = FOREIGN.iter().find(is)?;
    let help = found.help.replace("{}", &path.display().to_string());
    Some(DataError::Unsupported { path: path.to_path_buf(), what: found.what.into(), help })
}
