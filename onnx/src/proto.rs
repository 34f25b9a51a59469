//! The wire format of protocol buffers, as far as ONNX needs it.
//!
//! A message is a sequence of fields. A field is a key (field number and wire type) and a value: a varint, four bytes,
//! or a length and as many bytes (<https://protobuf.dev/programming-guides/encoding/>). [`Message`] holds encoded
//! fields. For a value that is too large for memory, [`Message::length_of`] encodes the key and the length, and the
//! caller writes the bytes.

/// The encoded fields of a message.
#[derive(Debug, Clone, Default)]
pub(crate) struct Message(Vec<u8>);

/// Wire types.
const VARINT: u64 = 0;
const LENGTH: u64 = 2;
const FOUR_BYTES: u64 = 5;

impl Message {
    /// Adds an integer or an enum. The format encodes negative numbers in ten bytes.
    pub(crate) fn int(mut self, field: u32, value: i64) -> Self {
        self.key(field, VARINT);
        self.varint(value as u64);
        self
    }

    pub(crate) fn float(mut self, field: u32, value: f32) -> Self {
        self.key(field, FOUR_BYTES);
        self.0.extend_from_slice(&value.to_le_bytes());
        self
    }

    pub(crate) fn text(self, field: u32, value: &str) -> Self {
        self.bytes(field, value.as_bytes())
    }

    pub(crate) fn message(self, field: u32, value: &Self) -> Self {
        self.bytes(field, &value.0)
    }

    /// Adds each of `values` as a field of its own. Readers accept that for packed lists and for others.
    pub(crate) fn ints(self, field: u32, values: &[i64]) -> Self {
        values.iter().fold(self, |message, &value| message.int(field, value))
    }

    fn bytes(mut self, field: u32, value: &[u8]) -> Self {
        self = self.length_of(field, value.len() as u64);
        self.0.extend_from_slice(value);
        self
    }

    /// Begins a field of `length` bytes, which the caller writes after this message.
    pub(crate) fn length_of(mut self, field: u32, length: u64) -> Self {
        self.key(field, LENGTH);
        self.varint(length);
        self
    }

    /// Adds the fields of `other`.
    pub(crate) fn then(mut self, other: &Self) -> Self {
        self.0.extend_from_slice(&other.0);
        self
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub(crate) fn len(&self) -> u64 {
        self.0.len() as u64
    }

    fn key(&mut self, field: u32, wire_type: u64) {
        self.varint(u64::from(field) << 3 | wire_type);
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples are from the format's documentation.
    #[test]
    fn fields_are_encoded_as_in_the_documentation() {
        assert_eq!(Message::default().int(1, 150).as_bytes(), [0x08, 0x96, 0x01]);
        assert_eq!(Message::default().text(2, "testing").as_bytes(), b"\x12\x07testing");
        let inner = Message::default().int(1, 150);
        assert_eq!(Message::default().message(3, &inner).as_bytes(), [0x1a, 0x03, 0x08, 0x96, 0x01]);
        assert_eq!(Message::default().int(1, -2).len(), 11);
        assert_eq!(Message::default().float(2, 1.0).as_bytes(), [0x15, 0, 0, 0x80, 0x3f]);
    }
}
