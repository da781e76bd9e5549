//! Owns what of JSON a line may hold, the same in every language: PROTOCOL.md, "What JSON a line may hold". It must not know what a
//! message means.

use serde_json::{Number, Value};

/// The largest whole number, which every language holds exactly: 2^53 - 1.
pub const MAX_WHOLE: u64 = (1 << 53) - 1;

/// How deep arrays and objects may lie in each other; the line's own object is the first.
pub const MAX_DEPTH: usize = 64;

/// A line as a value; of members with the same name the last counts, and a number is whole by its value, however it is written.
///
/// # Errors
/// Why it is no JSON that a line may hold.
pub fn parse_line(line: &[u8]) -> Result<Value, String> {
    let mut value = serde_json::from_slice(line).map_err(|source| source.to_string())?;
    settle(&mut value, 0)?;
    Ok(value)
}

/// Makes whole numbers integers, and refuses what lies too deep. It goes no deeper than serde's own limit.
fn settle(value: &mut Value, depth: usize) -> Result<(), String> {
    if depth == MAX_DEPTH && (value.is_array() || value.is_object()) {
        return Err(format!("arrays and objects lie more than {MAX_DEPTH} deep"));
    }
    match value {
        Value::Number(number) => {
            if let Some(whole) = whole(number) {
                *number = whole;
            }
            Ok(())
        }
        Value::Array(elements) => elements.iter_mut().try_for_each(|element| settle(element, depth + 1)),
        Value::Object(members) => members.values_mut().try_for_each(|member| settle(member, depth + 1)),
        Value::Null | Value::Bool(_) | Value::String(_) => Ok(()),
    }
}

/// A whole number that is written with a point or an exponent, or is -0, as an integer.
fn whole(number: &Number) -> Option<Number> {
    if !number.is_f64() {
        return None;
    }
    let float = number.as_f64()?;
    if float.fract() != 0.0 {
        return None;
    }
    // Text, since it has no rounding and no sign of 0: "-0" is 0, and what does not fit stays as it is.
    let whole: i64 = format!("{float:.0}").parse().ok()?;
    (whole.unsigned_abs() <= MAX_WHOLE).then(|| Number::from(whole))
}
