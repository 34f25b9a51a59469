//! Numbers for people: three digits and a prefix, groups of thousands, percent.

use humansize::{DECIMAL, FormatSizeOptions, format_size};
use indicatif::HumanCount;

/// Bytes in decimal units: `90.3 MB`.
pub(crate) fn size(bytes: u64) -> String {
    let digits = usize::from(bytes >= 1_000);
    format_size(bytes, FormatSizeOptions::from(DECIMAL).decimal_places(digits).decimal_zeroes(digits))
}

/// A count with the same prefixes: `22.7 M`.
pub(crate) fn count(number: u64) -> String {
    size(number).trim_end_matches('B').trim_end().to_owned()
}

/// Sentences a second.
pub(crate) fn speed(per_second: f64) -> String {
    if per_second < 100.0 { format!("{per_second:.1}") } else { thousands(per_second) }
}

/// A ratio.
pub(crate) fn times(factor: f64) -> String {
    if factor < 10.0 { format!("{factor:.1}") } else { thousands(factor) }
}

/// A share of 0 to 1 in percent.
pub(crate) fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

/// The whole number nearest to `number`, which is not negative, with a comma after each three digits.
pub(crate) fn thousands(number: f64) -> String {
    HumanCount(number.round() as u64).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_has_one_decimal_from_a_thousand_on() {
        assert_eq!([count(950), count(999_900), count(22_713_216)], ["950", "999.9 k", "22.7 M"]);
    }

    #[test]
    fn a_size_has_decimal_units() {
        assert_eq!([size(12), size(1_500), size(5_000_000_000)], ["12 B", "1.5 kB", "5.0 GB"]);
    }

    #[test]
    fn speeds_and_ratios_lose_their_decimal_where_they_are_large() {
        assert_eq!([speed(7.25), speed(212.4), speed(1_234_567.0)], ["7.2", "212", "1,234,567"]);
        assert_eq!([times(0.95), times(581.4)], ["0.9", "581"]);
    }
}
