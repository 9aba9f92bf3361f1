//! Numbers, strings and displacements as OASIS writes them: seven bits a byte, the lowest first.

use super::fault::Fault;
use super::source::Source;

/// A displacement or a position, wider than a layout's coordinates.
pub(super) type Vector = [i64; 2];

/// `a + b`, or the fault of leaving 64 bits.
pub(super) fn plus(a: i64, b: i64) -> Result<i64, Fault> {
    a.checked_add(b).ok_or(Fault::NumberTooLarge)
}

/// `n · direction`, of the eight directions: east, north, west, south, northeast, northwest, southwest, southeast.
fn along(direction: u64, n: i64) -> Vector {
    match direction & 7 {
        0 => [n, 0],
        1 => [0, n],
        2 => [-n, 0],
        3 => [0, -n],
        4 => [n, n],
        5 => [-n, n],
        6 => [-n, -n],
        _ => [n, -n],
    }
}

impl Source<'_> {
    /// An unsigned integer.
    #[inline]
    pub fn unsigned(&mut self) -> Result<u64, Fault> {
        let first = self.byte()?;
        if first < 0x80 {
            return Ok(u64::from(first));
        }
        let mut value = u64::from(first & 0x7f);
        let mut shift = 7;
        loop {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            // Zeros may follow without end; they change nothing.
            if bits != 0 {
                if shift > 63 || (bits << shift) >> shift != bits {
                    return Err(Fault::NumberTooLarge);
                }
                value |= bits << shift;
            }
            if byte < 0x80 {
                return Ok(value);
            }
            shift = (shift + 7).min(70);
        }
    }

    /// A signed integer, or a 1-delta: the sign is the lowest bit.
    #[inline]
    pub fn signed(&mut self) -> Result<i64, Fault> {
        let bits = self.unsigned()?;
        let size = (bits >> 1) as i64;
        Ok(if bits & 1 == 1 { -size } else { size })
    }

    /// An unsigned integer that is a length or a distance.
    #[inline]
    pub fn length(&mut self) -> Result<i64, Fault> {
        i64::try_from(self.unsigned()?).map_err(|_| Fault::NumberTooLarge)
    }

    /// An unsigned integer that is a layer or a datatype.
    #[inline]
    pub fn layer(&mut self) -> Result<u32, Fault> {
        let number = self.unsigned()?;
        u32::try_from(number).map_err(|_| Fault::LayerNumber(number))
    }

    /// A real number of any of the eight types.
    pub fn real(&mut self) -> Result<f64, Fault> {
        let kind = self.unsigned()?;
        self.real_of(kind)
    }

    /// A real number whose type is read already.
    pub fn real_of(&mut self, kind: u64) -> Result<f64, Fault> {
        let sign = if kind & 1 == 1 { -1.0 } else { 1.0 };
        Ok(match kind {
            0 | 1 => sign * self.unsigned()? as f64,
            2 | 3 => match self.unsigned()? {
                0 => return Err(Fault::OverZero),
                n => sign / n as f64,
            },
            4 | 5 => match (self.unsigned()?, self.unsigned()?) {
                (_, 0) => return Err(Fault::OverZero),
                (a, b) => sign * a as f64 / b as f64,
            },
            6 => f64::from(f32::from_le_bytes(self.bytes()?)),
            7 => f64::from_le_bytes(self.bytes()?),
            _ => return Err(Fault::RealType(kind)),
        })
    }

    /// The next `N` bytes.
    pub fn bytes<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let mut bytes = [0; N];
        for byte in &mut bytes {
            *byte = self.byte()?;
        }
        Ok(bytes)
    }

    /// A string of any kind (a, b or n): its bytes. Memory grows with what is there, not with the length that is
    /// stated.
    pub fn string(&mut self) -> Result<Vec<u8>, Fault> {
        let length = self.unsigned()?;
        let mut bytes = Vec::new();
        for _ in 0..length {
            bytes.push(self.byte()?);
            self.holds(bytes.len() / 8)?;
        }
        Ok(bytes)
    }

    /// Passes over a string.
    pub fn skip_string(&mut self) -> Result<(), Fault> {
        for _ in 0..self.unsigned()? {
            self.byte()?;
        }
        Ok(())
    }

    /// A 2-delta: along an axis.
    pub fn delta2(&mut self) -> Result<Vector, Fault> {
        let bits = self.unsigned()?;
        Ok(along(bits & 3, (bits >> 2) as i64))
    }

    /// A 3-delta: along an axis or a diagonal.
    pub fn delta3(&mut self) -> Result<Vector, Fault> {
        let bits = self.unsigned()?;
        Ok(along(bits, (bits >> 3) as i64))
    }

    /// A g-delta: along an axis or a diagonal in one number, or anywhere in two.
    pub fn delta(&mut self) -> Result<Vector, Fault> {
        let bits = self.unsigned()?;
        if bits & 1 == 0 {
            return Ok(along(bits >> 1, (bits >> 4) as i64));
        }
        let x = (bits >> 2) as i64;
        Ok([if bits & 2 == 2 { -x } else { x }, self.signed()?])
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::super::limits::Limits;
    use super::*;

    fn of(bytes: &[u8]) -> Source<'_> {
        Source::new(bytes, 0, Limits::of(0))
    }

    #[test]
    fn integers_are_those_of_the_standard() {
        for (bytes, value) in [
            (&[0x00][..], 0u64),
            (&[0x7f], 127),
            (&[0x80, 0x01], 128),
            (&[0xff, 0x7f], 16383),
            (&[0x80, 0x80, 0x01], 16384),
            (&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], u64::MAX),
            (&[0x85, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00], 5),
        ] {
            assert_eq!(of(bytes).unsigned(), Ok(value));
        }
        let beyond = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02];
        assert_eq!(of(&beyond).unsigned(), Err(Fault::NumberTooLarge));
        assert_eq!(of(&[0x80]).unsigned(), Err(Fault::EndOfData));
        for (bytes, value) in
            [(&[0x00][..], 0i64), (&[0x02], 1), (&[0x03], -1), (&[0xfe, 0x01], 127), (&[0x81, 0x01], -64)]
        {
            assert_eq!(of(bytes).signed(), Ok(value));
        }
    }

    #[test]
    fn reals_have_eight_types() {
        let seven = [&[7][..], &1.25f64.to_le_bytes()].concat();
        let six = [&[6][..], &(-0.5f32).to_le_bytes()].concat();
        for (bytes, value) in [
            (&[0, 5][..], 5.0),
            (&[1, 5], -5.0),
            (&[2, 4], 0.25),
            (&[3, 4], -0.25),
            (&[4, 3, 4], 0.75),
            (&[5, 0x81, 0x01, 2], -64.5),
            (&six, -0.5),
            (&seven, 1.25),
        ] {
            assert_eq!(of(bytes).real(), Ok(value));
        }
        assert_eq!(of(&[2, 0]).real(), Err(Fault::OverZero));
        assert_eq!(of(&[4, 1, 0]).real(), Err(Fault::OverZero));
        assert_eq!(of(&[8, 1]).real(), Err(Fault::RealType(8)));
    }

    #[test]
    fn displacements_have_three_forms() {
        let directions = [[9, 0], [0, 9], [-9, 0], [0, -9], [9, 9], [-9, 9], [-9, -9], [9, -9]];
        for (direction, expected) in directions.into_iter().enumerate() {
            let direction = direction as u8;
            if direction < 4 {
                assert_eq!(of(&[9 << 2 | direction]).delta2(), Ok(expected));
            }
            assert_eq!(of(&[9 << 3 | direction]).delta3(), Ok(expected));
            assert_eq!(of(&[0x80 | (9 << 4 | direction << 1) & 0x7f, 9 >> 3]).delta(), Ok(expected));
        }
        assert_eq!(of(&[7 << 2 | 3, 0x0b]).delta(), Ok([-7, -5]));
        assert_eq!(of(&[7 << 2 | 1, 0x0a]).delta(), Ok([7, 5]));
    }

    #[test]
    fn a_string_ends_with_its_data_however_long_it_claims_to_be() {
        assert_eq!(of(&[3, b'a', b'b', b'c', b'd']).string(), Ok(b"abc".to_vec()));
        let claims = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, b'a'];
        assert_eq!(of(&claims).string(), Err(Fault::EndOfData));
        assert_eq!(of(&claims).skip_string(), Err(Fault::EndOfData));
    }
}
