//! Owns what of JSON a line may hold, the same in every language: PROTOCOL.md, "What JSON a line may hold". It must not know what a
//! message means.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// The largest whole number of an id or a parameter, which every language holds exactly: 2^53 - 1.
pub const MAX_WHOLE: u64 = (1 << 53) - 1;

/// How deep arrays and objects may lie in each other; the line's own object is the first.
pub const MAX_DEPTH: usize = 64;

/// A line as a value; a number is whole by its value, however it is written.
///
/// # Errors
/// Why it is no JSON that a line may hold.
pub fn parse_line(line: &[u8]) -> Result<Value, String> {
    let mut reader = serde_json::Deserializer::from_slice(line);
    let value = Inside(0)
        .deserialize(&mut reader)
        .map_err(|source| source.to_string())?;
    reader.end().map_err(|source| source.to_string())?;
    Ok(value)
}

/// Reads what lies so many arrays and objects deep. `Value` itself would take the last of members with the same name.
#[derive(Clone, Copy)]
struct Inside(usize);

impl Inside {
    fn deeper<E: Error>(self) -> Result<Self, E> {
        if self.0 == MAX_DEPTH {
            return Err(E::custom(format!("arrays and objects lie more than {MAX_DEPTH} deep")));
        }
        Ok(Self(self.0 + 1))
    }
}

impl<'de> DeserializeSeed<'de> for Inside {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Value, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Inside {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(whole(value).map_or_else(|| Value::from(value), Value::Number))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let inside = self.deeper()?;
        let mut found = Vec::new();
        while let Some(element) = elements.next_element_seed(inside)? {
            found.push(element);
        }
        Ok(Value::Array(found))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let inside = self.deeper()?;
        let mut found = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            let value = members.next_value_seed(inside)?;
            if found.insert(name, value).is_some() {
                return Err(A::Error::custom("an object has two members with the same name"));
            }
        }
        Ok(Value::Object(found))
    }
}

/// A whole number that is written with a point or an exponent, or is -0, as an integer.
fn whole(float: f64) -> Option<Number> {
    if float.fract() != 0.0 {
        return None;
    }
    // Text, since it has no rounding and no sign of 0: "-0" is 0, and what does not fit stays as it is.
    let whole: i64 = format!("{float:.0}").parse().ok()?;
    (whole.unsigned_abs() <= MAX_WHOLE).then(|| Number::from(whole))
}
