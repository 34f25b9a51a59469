//! [`Place`]: where in a file something stands.

use std::fmt;

/// A place in a file, as errors name it: `line 3`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// What `number` counts: `line`, the `element` of a JSON array, or the `row` of a Parquet file.
    pub unit: &'static str,
    /// The number, from 1.
    pub number: u64,
}

impl Place {
    /// The line of this number.
    pub(crate) fn line(number: u64) -> Self {
        Self { unit: "line", number }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.unit, self.number)
    }
}
