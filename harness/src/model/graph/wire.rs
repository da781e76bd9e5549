//! Owns the protobuf wire format, read in place: a field is a view into the file's bytes, so no file can make the reader
//! allocate. It also writes fields. It knows nothing of ONNX.

/// The value of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// An integer, a boolean or an enumeration.
    Varint(u64),
    /// A string, bytes, a message or packed numbers.
    Bytes(&'a [u8]),
    /// A number of fixed width, which ONNX uses for floats only.
    Fixed,
}

/// What is wrong with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// It ends in the middle of a field.
    Truncated,
    /// A number or a tag is not of a form that protobuf has.
    BadTag,
}

/// The fields of a message, in the order of the bytes.
#[derive(Clone, Copy, Debug)]
pub struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    /// The fields of the message that is `bytes`.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    fn varint(&mut self) -> Result<u64, Malformed> {
        let mut value = 0;
        for shift in (0..70).step_by(7) {
            let (&byte, rest) = self.rest.split_first().ok_or(Malformed::Truncated)?;
            self.rest = rest;
            value |= u64::from(byte & 0x7F).checked_shl(shift).unwrap_or(0);
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Malformed::BadTag)
    }

    fn take(&mut self, count: u64) -> Result<&'a [u8], Malformed> {
        let count = usize::try_from(count).map_err(|_| Malformed::Truncated)?;
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(Malformed::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    fn field(&mut self) -> Result<(u64, Value<'a>), Malformed> {
        let key = self.varint()?;
        let value = match key & 7 {
            0 => Value::Varint(self.varint()?),
            1 => self.take(8).map(|_| Value::Fixed)?,
            2 => {
                let length = self.varint()?;
                Value::Bytes(self.take(length)?)
            }
            5 => self.take(4).map(|_| Value::Fixed)?,
            _ => return Err(Malformed::BadTag),
        };
        Ok((key >> 3, value))
    }
}

/// A field with the bytes that it takes, its tag included.
pub type WholeField<'a> = (u64, Value<'a>, &'a [u8]);

impl<'a> Fields<'a> {
    /// The fields with the bytes that each takes, for whoever copies most of a message.
    pub fn whole(mut self) -> impl Iterator<Item = Result<WholeField<'a>, Malformed>> {
        std::iter::from_fn(move || {
            let before = self.rest;
            let field = self.next()?;
            let taken = &before[..before.len() - self.rest.len()];
            Some(field.map(|(number, value)| (number, value, taken)))
        })
    }
}

/// A field that holds an integer.
#[must_use]
pub fn integer(number: u64, value: u64) -> Vec<u8> {
    let mut field = Vec::new();
    put_varint(&mut field, number << 3);
    put_varint(&mut field, value);
    field
}

/// A field that holds bytes: a string, a message or packed numbers.
#[must_use]
pub fn bytes(number: u64, content: &[u8]) -> Vec<u8> {
    let mut field = Vec::with_capacity(content.len() + 16);
    put_bytes(&mut field, number, content);
    field
}

/// Appends a field that holds bytes.
pub fn put_bytes(out: &mut Vec<u8>, number: u64, content: &[u8]) {
    put_varint(out, number << 3 | 2);
    put_varint(out, content.len() as u64);
    out.extend_from_slice(content);
}

fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u64, Value<'a>), Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.rest = &[];
        }
        Some(field)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_field_is_read() {
        let check = |bytes: &[u8], expected: &[Result<(u64, Value<'_>), Malformed>]| {
            assert_eq!(Fields::new(bytes).collect::<Vec<_>>(), expected, "{bytes:02X?}");
        };
        check(&[], &[]);
        check(&[0x08, 0x96, 0x01], &[Ok((1, Value::Varint(150)))]);
        check(
            &[0x12, 2, b'h', b'i', 0x18, 1],
            &[Ok((2, Value::Bytes(b"hi"))), Ok((3, Value::Varint(1)))],
        );
        check(
            &[0x0D, 0, 0, 0, 0, 0x10, 7],
            &[Ok((1, Value::Fixed)), Ok((2, Value::Varint(7)))],
        );
        check(&[0x08], &[Err(Malformed::Truncated)]);
        check(&[0x12, 3, b'h', b'i'], &[Err(Malformed::Truncated)]);
        check(
            &[0x12, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F],
            &[Err(Malformed::Truncated)],
        );
        check(&[0x0B], &[Err(Malformed::BadTag)]);
        check(&[0xFF; 12], &[Err(Malformed::BadTag)]);
    }

    #[test]
    fn what_is_written_is_read_again() {
        let check = |message: &[u8], expected: &[(u64, Value<'_>)]| {
            let found = Fields::new(message).collect::<Result<Vec<_>, _>>().unwrap();
            assert_eq!(found, expected, "{message:02X?}");
            let whole = Fields::new(message).whole().collect::<Result<Vec<_>, _>>().unwrap();
            let again: Vec<u8> = whole.iter().flat_map(|(_, _, bytes)| bytes.iter().copied()).collect();
            assert_eq!(again, message);
        };
        check(&integer(1, 0), &[(1, Value::Varint(0))]);
        check(&integer(25, u64::MAX), &[(25, Value::Varint(u64::MAX))]);
        check(&bytes(16, &[7; 300]), &[(16, Value::Bytes(&[7; 300]))]);
        let message = [bytes(3, b"hi"), vec![0x0D, 1, 2, 3, 4], integer(2, 128)].concat();
        check(
            &message,
            &[(3, Value::Bytes(b"hi")), (1, Value::Fixed), (2, Value::Varint(128))],
        );
        let cut = Fields::new(&message[..6]).whole().collect::<Vec<_>>();
        assert_eq!(cut.last(), Some(&Err(Malformed::Truncated)));
    }
}
