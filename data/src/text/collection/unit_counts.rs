//! [`UnitCounts`]: how many texts each unit gave.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::units::CollectionUnit;

/// How many texts of each unit were written. Displayed: `5183 documents, 45012 sentences`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnitCounts {
    /// The texts of each unit that gave any.
    pub by_unit: BTreeMap<CollectionUnit, u64>,
}

impl UnitCounts {
    /// Counts a text.
    pub(in crate::text) fn count(&mut self, unit: CollectionUnit) {
        *self.by_unit.entry(unit).or_default() += 1;
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.by_unit.is_empty()
    }
}

impl fmt::Display for UnitCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, (unit, count)) in self.by_unit.iter().enumerate() {
            let (comma, plural) = (if place == 0 { "" } else { ", " }, if *count == 1 { "" } else { "s" });
            write!(f, "{comma}{count} {}{plural}", unit.name())?;
        }
        Ok(())
    }
}
