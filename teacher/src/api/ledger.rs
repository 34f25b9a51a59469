//! [`Ledger`]: what an API was paid for so far, and the caps on it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use limbeck_data::files;
use serde::{Deserialize, Serialize};

use super::error::ApiError;
use super::settings::ApiSettings;
use crate::Result;

/// Characters of a token where nothing better is known.
pub(super) const CHARACTERS: f64 = 4.0;

/// The rate of what was spent is mixed with the usual one of so many characters: a few short texts tell little.
const USUAL: f64 = 1_000.0;

/// What was spent on one model, all starts together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spending {
    /// Answered requests.
    pub requests: u64,
    /// Characters of the texts in them.
    pub characters: u64,
    /// Tokens, by the server's count, and estimated where it gives none.
    pub tokens: u64,
    /// How many of these tokens are estimated, at four characters each.
    pub estimated: u64,
}

/// The spending on a model, kept in a file, and its caps.
pub(super) struct Ledger {
    file: Option<PathBuf>,
    model: String,
    most_tokens: Option<u64>,
    most_cost: Option<(f64, f64)>,
    state: Mutex<State>,
}

struct State {
    spent: Spending,
    /// Estimated tokens of the requests that are under way.
    reserved: u64,
}

/// Spending by model.
type Record = BTreeMap<String, Spending>;

fn read(file: &Path) -> Result<Record> {
    let Some(bytes) = files::read_if_present(file)? else { return Ok(Record::new()) };
    Ok(serde_json::from_slice(&bytes).map_err(|source| ApiError::Ledger { path: file.to_owned(), source })?)
}

impl Spending {
    /// What was spent on the model of `settings` by the record in `file`; nothing where there is no file.
    ///
    /// # Errors
    /// The file can't be read or is no record.
    pub fn read(file: &Path, settings: &ApiSettings) -> Result<Self> {
        Ok(read(file)?.get(&settings.name()).copied().unwrap_or_default())
    }

    /// The tokens of so many characters, at the rate of what was spent so far; at first, at four characters each.
    pub fn estimate(&self, characters: u64) -> u64 {
        let counted = self.characters as f64 + USUAL;
        let rate = (self.tokens as f64 + USUAL / CHARACTERS) / counted;
        (characters as f64 * rate).ceil() as u64
    }
}

impl Ledger {
    /// The ledger in `file`; without a file, the spending of this process alone.
    pub(super) fn open(file: Option<&Path>, settings: &ApiSettings) -> Result<Self> {
        let spent = file.map(|file| Spending::read(file, settings)).transpose()?.unwrap_or_default();
        Ok(Self {
            file: file.map(Path::to_owned),
            model: settings.name(),
            most_tokens: settings.max_total_tokens,
            most_cost: settings.max_cost.zip(settings.price),
            state: Mutex::new(State { spent, reserved: 0 }),
        })
    }

    pub(super) fn spent(&self) -> Spending {
        self.lock().spent
    }

    /// An error where `texts` more texts of so many characters would pass a cap.
    pub(super) fn check(&self, texts: u64, characters: u64) -> Result<()> {
        let state = self.lock();
        self.check_state(&state, texts, state.spent.estimate(characters))
    }

    /// As [`Ledger::check`], and reserves these tokens until [`Ledger::settle`]. Returns how many.
    pub(super) fn reserve(&self, texts: u64, characters: u64) -> Result<u64> {
        let mut state = self.lock();
        let next = state.spent.estimate(characters);
        self.check_state(&state, texts, next)?;
        state.reserved += next;
        Ok(next)
    }

    /// Gives back what was reserved for a request that failed.
    pub(super) fn release(&self, reserved: u64) {
        self.lock().reserved -= reserved;
    }

    /// Enters an answered request in place of what was reserved for it; `tokens` is the server's count.
    pub(super) fn settle(&self, reserved: u64, characters: u64, tokens: Option<u64>) -> Result<()> {
        let mut state = self.lock();
        state.reserved -= reserved;
        let estimated = (characters as f64 / CHARACTERS).ceil() as u64;
        let spent = &mut state.spent;
        spent.requests += 1;
        spent.characters += characters;
        spent.tokens += tokens.unwrap_or(estimated);
        spent.estimated += if tokens.is_none() { estimated } else { 0 };
        let spent = *spent;
        let Some(file) = &self.file else { return Ok(()) };
        // Other models of the same run stay in the record.
        let mut record = read(file)?;
        record.insert(self.model.clone(), spent);
        let text = serde_json::to_string_pretty(&record).unwrap_or_default() + "\n";
        Ok(files::write_bytes(file, text.as_bytes())?)
    }

    fn check_state(&self, state: &State, texts: u64, next: u64) -> Result<()> {
        let tokens = state.spent.tokens;
        let total = tokens.saturating_add(state.reserved).saturating_add(next);
        if let Some(most) = self.most_tokens.filter(|&most| total > most) {
            let (cap, spent) = (format!("max_total_tokens = {most}"), format!("{tokens} tokens are spent"));
            return Err(ApiError::Cap { cap, spent, texts, next }.into());
        }
        if let Some((most, price)) = self.most_cost.filter(|&(most, price)| cost(total, price) > most) {
            let cap = format!("max_cost = {most}");
            let spent = format!("{tokens} tokens for {:.4} are spent", cost(tokens, price));
            return Err(ApiError::Cap { cap, spent, texts, next }.into());
        }
        Ok(())
    }

    /// A panic elsewhere leaves whole numbers behind.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The cost of `tokens` at a price for a million.
pub fn cost(tokens: u64, price: f64) -> f64 {
    tokens as f64 * price / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(tokens: Option<u64>, cost: Option<f64>) -> ApiSettings {
        let settings = ApiSettings { url: "http://a/v1".into(), model: "m".into(), ..ApiSettings::default() };
        ApiSettings { max_total_tokens: tokens, max_cost: cost, price: cost.map(|_| 2.0), ..settings }
    }

    #[test]
    fn spending_is_kept_over_starts_for_each_model() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("usage.json");
        for _ in 0..2 {
            let ledger = Ledger::open(Some(&file), &settings(None, None)).unwrap();
            let reserved = ledger.reserve(1, 40).unwrap();
            ledger.settle(reserved, 40, Some(7)).unwrap();
        }
        let expected = Spending { requests: 2, characters: 80, tokens: 14, estimated: 0 };
        assert_eq!(Spending::read(&file, &settings(None, None)).unwrap(), expected);
        let other = ApiSettings { model: "n".into(), ..settings(None, None) };
        assert_eq!(Spending::read(&file, &other).unwrap(), Spending::default());
    }

    #[test]
    fn tokens_are_estimated_at_four_characters_until_the_server_has_counted() {
        let ledger = Ledger::open(None, &settings(None, None)).unwrap();
        assert_eq!(ledger.reserve(1, 41).unwrap(), 11);
        ledger.settle(11, 41, None).unwrap();
        assert_eq!(ledger.spent(), Spending { requests: 1, characters: 41, tokens: 11, estimated: 11 });
        // 261 tokens of 1,041 characters.
        assert_eq!(ledger.spent().estimate(400), 101);
        let counted = Spending { requests: 1, characters: 100, tokens: 50, estimated: 0 };
        // 300 tokens of 1,100 characters.
        assert_eq!(counted.estimate(400), 110);
    }

    #[test]
    fn a_cap_on_tokens_counts_what_is_under_way() {
        let ledger = Ledger::open(None, &settings(Some(20), None)).unwrap();
        let reserved = ledger.reserve(1, 40).unwrap();
        assert!(ledger.check(1, 40).is_ok());
        let error = ledger.reserve(3, 44).unwrap_err();
        let said = "the cap max_total_tokens = 20 is reached: 0 tokens are spent, and the next 3 texts take about 11 \
                    tokens";
        assert_eq!(error.to_string(), said);
        ledger.release(reserved);
        assert!(ledger.reserve(3, 44).is_ok());
    }

    #[test]
    fn a_cap_on_cost_is_kept_by_the_price_of_a_million_tokens() {
        // 2 a million: 0.00004 are 20 tokens.
        let ledger = Ledger::open(None, &settings(None, Some(0.00004))).unwrap();
        assert!(ledger.check(1, 80).is_ok());
        assert!(ledger.check(1, 84).unwrap_err().to_string().contains("max_cost = 0.00004"));
    }

    #[test]
    fn a_broken_record_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("usage.json");
        std::fs::write(&file, "{").unwrap();
        let error = Ledger::open(Some(&file), &settings(None, None)).err().unwrap().to_string();
        assert!(error.contains("usage.json"), "{error}");
    }
}
