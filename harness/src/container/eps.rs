//! Owns eps as a container states it: a short decimal number, and the binary64 that every language makes of it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Error, ErrorCode, Result};

/// The largest exponent.
const MAX_EXPONENT: u8 = 12;

/// No log-prob of the reader may differ from the writer's by more than this: `mantissa / 10^exponent` nats, below 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Eps {
    mantissa: u8,
    exponent: u8,
}

impl Eps {
    /// For a graph whose logits are the same bits everywhere.
    pub const ZERO: Self = Self {
        mantissa: 0,
        exponent: 0,
    };

    /// The eps of these two fields, or `None` where a container may not have them: each eps has one form, and is below 1.
    #[must_use]
    pub fn from_fields(mantissa: u8, exponent: u8) -> Option<Self> {
        let eps = Self { mantissa, exponent };
        let one_form = if mantissa == 0 {
            exponent == 0
        } else {
            exponent == 0 || !mantissa.is_multiple_of(10)
        };
        (one_form && exponent <= MAX_EXPONENT && eps.value() < 1.0).then_some(eps)
    }

    /// The mantissa and the exponent.
    #[must_use]
    pub const fn fields(self) -> [u8; 2] {
        [self.mantissa, self.exponent]
    }

    /// The eps in nats.
    #[must_use]
    pub fn value(self) -> f64 {
        f64::from(self.mantissa) / 10f64.powi(i32::from(self.exponent))
    }
}

impl fmt::Display for Eps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.mantissa, self.exponent) {
            (mantissa, 0) => write!(f, "{mantissa}"),
            (mantissa, exponent) => write!(f, "{mantissa}e-{exponent}"),
        }
    }
}

impl FromStr for Eps {
    type Err = Error;

    /// Reads decimal digits with or without a point and an exponent: `0`, `5e-5`, `0.00005`.
    fn from_str(text: &str) -> Result<Self> {
        parse(text).ok_or_else(|| {
            Error::new(ErrorCode::Usage, format!("{text:?} is no eps")).with_hint(format!(
                "give 0, or a number such as 5e-5 or 0.02, below 1, of at most 255 units of its last decimal place, which is at most \
                 the {MAX_EXPONENT}th"
            ))
        })
    }
}

fn parse(text: &str) -> Option<Eps> {
    let (digits, exponent) = match text.split_once(['e', 'E']) {
        Some((digits, exponent)) => (digits, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let digits = [whole, fraction].concat();
    if digits.is_empty() || digits.len() > 64 || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let significant = digits.trim_start_matches('0').trim_end_matches('0');
    if significant.is_empty() {
        return Some(Eps::ZERO);
    }
    let trailing = digits.len() - digits.trim_end_matches('0').len();
    let places = i32::try_from(fraction.len()).ok()? - i32::try_from(trailing).ok()?;
    let exponent = places.checked_sub(exponent)?;
    Eps::from_fields(significant.parse().ok()?, u8::try_from(exponent).ok()?)
}

impl TryFrom<String> for Eps {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<Eps> for String {
    fn from(eps: Eps) -> Self {
        eps.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<(&str, f64)>) {
        let eps: Option<Eps> = text.parse().ok();
        let shown = eps.map(|eps| (eps.to_string(), eps.value()));
        assert_eq!(shown, expected.map(|(text, value)| (text.to_owned(), value)), "{text}");
        if let Some(eps) = eps {
            assert_eq!(eps.to_string().parse(), Ok(eps));
            let [mantissa, exponent] = eps.fields();
            assert_eq!(Eps::from_fields(mantissa, exponent), Some(eps));
        }
    }

    #[test]
    fn texts_of_eps() {
        for zero in ["0", "0.0", "0e-5", "00"] {
            check(zero, Some(("0", 0.0)));
        }
        for text in ["5e-5", "5E-5", "0.00005", "50e-6", "0.5e-4", "05.0e-5"] {
            check(text, Some(("5e-5", 5e-5)));
        }
        check("2e-2", Some(("2e-2", 2e-2)));
        check("0.9", Some(("9e-1", 0.9)));
        check("255e-12", Some(("255e-12", 255e-12)));
        check("1e-12", Some(("1e-12", 1e-12)));
        for bad in [
            "",
            ".",
            "e-5",
            "-1e-5",
            "+1e-5",
            "1",
            "10e-1",
            "256e-5",
            "1e-13",
            "1e5",
            "nan",
            "1e-99999999999",
            "1e-5 ",
            "1e--5",
        ] {
            check(bad, None);
        }
    }

    #[test]
    fn every_eps_has_one_form() {
        for mantissa in 0..=255 {
            for exponent in 0..=255 {
                if let Some(eps) = Eps::from_fields(mantissa, exponent) {
                    assert!(eps.value() < 1.0 && exponent <= MAX_EXPONENT);
                    assert_eq!(eps.to_string().parse(), Ok(eps));
                    assert_eq!(eps.value(), eps.to_string().parse::<f64>().unwrap());
                }
            }
        }
        assert_eq!(Eps::from_fields(0, 1), None);
        assert_eq!(Eps::from_fields(50, 3), None);
        assert_eq!(Eps::from_fields(1, 0), None);
        assert_eq!(Eps::from_fields(1, 13), None);
    }
}
