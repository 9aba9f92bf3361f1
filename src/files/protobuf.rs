//! Messages in the wire format of Protocol Buffers: fields one after another, each a number with a type and its content; what is a
//! message itself has its length before it.
//!
//! Source: protobuf.dev, Encoding.

/// A message that is being written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message(Vec<u8>);

impl Message {
    /// What was written.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    fn varint(&mut self, mut n: u64) {
        while n >= 0x80 {
            self.0.push((n as u8 & 0x7f) | 0x80);
            n >>= 7;
        }
        self.0.push(n as u8);
    }

    /// A field's number and type: 0 a number of as many bytes as it takes, 1 eight bytes, 2 a length and bytes, 5 four bytes.
    fn key(&mut self, field: u64, wire: u64) {
        self.varint(field << 3 | wire);
    }

    /// A whole number; a negative one as its two's complement.
    pub fn int(mut self, field: u64, n: i64) -> Self {
        self.key(field, 0);
        self.varint(n.cast_unsigned());
        self
    }

    /// A number in four bytes.
    pub fn float(mut self, field: u64, x: f32) -> Self {
        self.key(field, 5);
        self.0.extend(x.to_le_bytes());
        self
    }

    /// A number in eight bytes.
    pub fn double(mut self, field: u64, x: f64) -> Self {
        self.key(field, 1);
        self.0.extend(x.to_le_bytes());
        self
    }

    /// Bytes.
    pub fn bytes(mut self, field: u64, bytes: &[u8]) -> Self {
        self.key(field, 2);
        self.varint(bytes.len() as u64);
        self.0.extend(bytes);
        self
    }

    /// A text.
    pub fn text(self, field: u64, text: &str) -> Self {
        self.bytes(field, text.as_bytes())
    }

    /// A message in this one.
    pub fn message(self, field: u64, message: Message) -> Self {
        self.bytes(field, &message.0)
    }

    /// A field for each of some.
    pub fn each<T>(self, all: impl IntoIterator<Item = T>, f: impl Fn(Self, T) -> Self) -> Self {
        all.into_iter().fold(self, f)
    }
}
