//! The numbers of a file of tensors, as bytes: of which type they are, in which order their bytes lie, and as f32.

use half::{bf16, f16};
use safetensors::Dtype;

/// A type of numbers that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Number {
    /// False and true, as 0 and 1 in a byte each.
    Bool,
    /// Whole numbers without a sign.
    Unsigned(u8),
    /// Whole numbers with a sign.
    Signed(u8),
    /// IEEE 754, of as many bytes.
    Float(u8),
    /// The upper two bytes of an f32.
    Bf16,
}

impl Number {
    /// The type of a tensor in a safetensors file; `None` where it is not read.
    pub fn of_safetensors(dtype: Dtype) -> Option<Self> {
        Some(match dtype {
            Dtype::BOOL => Self::Bool,
            Dtype::U8 => Self::Unsigned(1),
            Dtype::U16 => Self::Unsigned(2),
            Dtype::U32 => Self::Unsigned(4),
            Dtype::U64 => Self::Unsigned(8),
            Dtype::I8 => Self::Signed(1),
            Dtype::I16 => Self::Signed(2),
            Dtype::I32 => Self::Signed(4),
            Dtype::I64 => Self::Signed(8),
            Dtype::F16 => Self::Float(2),
            Dtype::BF16 => Self::Bf16,
            Dtype::F32 => Self::Float(4),
            Dtype::F64 => Self::Float(8),
            _ => return None,
        })
    }

    /// The type that NumPy writes as `<f4`, and whether its high byte comes first; `None` where it is not read.
    pub fn of_numpy(descr: &str) -> Option<(Self, bool)> {
        let (order, rest) = descr.split_at_checked(1)?;
        let big = match order {
            "<" | "|" => false,
            ">" => true,
            "=" => cfg!(target_endian = "big"),
            _ => return None,
        };
        let number = match rest {
            "b1" => Self::Bool,
            "u1" => Self::Unsigned(1),
            "u2" => Self::Unsigned(2),
            "u4" => Self::Unsigned(4),
            "u8" => Self::Unsigned(8),
            "i1" => Self::Signed(1),
            "i2" => Self::Signed(2),
            "i4" => Self::Signed(4),
            "i8" => Self::Signed(8),
            "f2" => Self::Float(2),
            "f4" => Self::Float(4),
            "f8" => Self::Float(8),
            _ => return None,
        };
        Some((number, big && number.bytes() > 1))
    }

    /// Bytes of one number.
    pub fn bytes(self) -> usize {
        match self {
            Self::Bool => 1,
            Self::Bf16 => 2,
            Self::Unsigned(bytes) | Self::Signed(bytes) | Self::Float(bytes) => usize::from(bytes),
        }
    }

    /// Its name, as `U8`.
    pub fn name(self) -> String {
        match self {
            Self::Bool => "BOOL".into(),
            Self::Bf16 => "BF16".into(),
            Self::Unsigned(bytes) => format!("U{}", 8 * u32::from(bytes)),
            Self::Signed(bytes) => format!("I{}", 8 * u32::from(bytes)),
            Self::Float(bytes) => format!("F{}", 8 * u32::from(bytes)),
        }
    }

    /// What an image's numbers are divided by to lie in 0 to 1, where their type says that.
    pub fn full(self) -> Option<f32> {
        match self {
            Self::Unsigned(1) => Some(255.0),
            Self::Unsigned(2) => Some(65535.0),
            _ => None,
        }
    }

    /// Adds the numbers that `bytes` hold to `out`, the nearest f32 of each. What is left of a number at the end is not
    /// read.
    pub fn decode(self, bytes: &[u8], big: bool, out: &mut Vec<f32>) {
        match self {
            Self::Bool => out.extend(bytes.iter().map(|b| f32::from(u8::from(*b != 0)))),
            Self::Unsigned(1) => out.extend(bytes.iter().map(|b| f32::from(*b))),
            Self::Signed(1) => out.extend(bytes.iter().map(|b| f32::from(*b as i8))),
            Self::Unsigned(2) => each(bytes, big, out, |b| f32::from(u16::from_le_bytes(b))),
            Self::Unsigned(4) => each(bytes, big, out, |b| u32::from_le_bytes(b) as f32),
            Self::Unsigned(_) => each(bytes, big, out, |b| u64::from_le_bytes(b) as f32),
            Self::Signed(2) => each(bytes, big, out, |b| f32::from(i16::from_le_bytes(b))),
            Self::Signed(4) => each(bytes, big, out, |b| i32::from_le_bytes(b) as f32),
            Self::Signed(_) => each(bytes, big, out, |b| i64::from_le_bytes(b) as f32),
            Self::Bf16 => each(bytes, big, out, |b| bf16::from_le_bytes(b).to_f32()),
            Self::Float(2) => each(bytes, big, out, |b| f16::from_le_bytes(b).to_f32()),
            Self::Float(4) => each(bytes, big, out, f32::from_le_bytes),
            Self::Float(_) => each(bytes, big, out, |b| f64::from_le_bytes(b) as f32),
        }
    }
}

fn each<const N: usize>(bytes: &[u8], big: bool, out: &mut Vec<f32>, number: impl Fn([u8; N]) -> f32) {
    let (numbers, _) = bytes.as_chunks::<N>();
    match big {
        false => out.extend(numbers.iter().map(|b| number(*b))),
        true => out.extend(numbers.iter().map(|b| {
            let mut turned = *b;
            turned.reverse();
            number(turned)
        })),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_every_type_are_read_in_both_orders() {
        let of = |descr: &str, bytes: &[u8]| {
            let (number, big) = Number::of_numpy(descr).unwrap();
            let mut out = Vec::new();
            number.decode(bytes, big, &mut out);
            out
        };
        assert_eq!(of("|b1", &[0, 1, 7]), [0.0, 1.0, 1.0]);
        assert_eq!((of("|u1", &[255]), of("|i1", &[255])), (vec![255.0], vec![-1.0]));
        assert_eq!((of("<u2", &[1, 2]), of(">u2", &[1, 2])), (vec![513.0], vec![258.0]));
        assert_eq!((of("<i2", &[255, 255]), of(">i4", &[255, 255, 255, 254])), (vec![-1.0], vec![-2.0]));
        assert_eq!((of("<i8", &(-5i64).to_le_bytes()), of(">u8", &5u64.to_be_bytes())), (vec![-5.0], vec![5.0]));
        assert_eq!((of("<f2", &[0, 0x3c]), of(">f2", &[0xc0, 0])), (vec![1.0], vec![-2.0]));
        assert_eq!((of("<f4", &0.1f32.to_le_bytes()), of(">f8", &0.1f64.to_be_bytes())), (vec![0.1], vec![0.1]));
        assert_eq!(of("<f4", &[0; 7]), [0.0]);
        for not_read in ["<c8", "|O", "<M8", "|S5", "<U3", "", "é", "<f16", "<f", "f4"] {
            assert_eq!(Number::of_numpy(not_read), None, "{not_read}");
        }
    }
}
