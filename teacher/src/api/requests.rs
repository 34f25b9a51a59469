//! How texts are cut into requests, and what they take: an estimate that sends nothing.

use std::ops::Range;

use super::ledger::{Spending, cost};
use super::settings::ApiSettings;

/// The most characters of a request. Servers limit the tokens of one (OpenAI: 300,000), and in some scripts every
/// character is a token.
const MOST_CHARACTERS: usize = 200_000;

/// The rows of each request: at most `batch` texts, and as many as [`MOST_CHARACTERS`] hold, but at least one.
pub(super) fn plan(texts: &[String], batch: usize) -> Vec<Range<usize>> {
    let mut plan: Vec<Range<usize>> = Vec::new();
    let mut characters = 0;
    for (row, text) in texts.iter().enumerate() {
        let own = text.chars().count();
        match plan.last_mut() {
            Some(rows) if rows.len() < batch && characters + own <= MOST_CHARACTERS => {
                rows.end += 1;
                characters += own;
            }
            _ => {
                plan.push(row..row + 1);
                characters = own;
            }
        }
    }
    plan
}

/// What texts would take.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ApiEstimate {
    /// How many texts.
    pub texts: u64,
    /// Their characters, prefixes included.
    pub characters: u64,
    /// How many requests, if the server refuses none.
    pub requests: u64,
}

impl ApiEstimate {
    /// Adds the texts of a shard, or others that are sent together.
    pub fn add(&mut self, texts: &[impl AsRef<str>], settings: &ApiSettings) {
        let sent: Vec<String> = texts.iter().map(|text| format!("{}{}", settings.prefix, text.as_ref())).collect();
        self.texts += sent.len() as u64;
        self.characters += sent.iter().map(|text| text.chars().count() as u64).sum::<u64>();
        self.requests += plan(&sent, settings.batch).len() as u64;
    }

    /// The estimate in one line, beside what was spent already.
    pub fn line(&self, settings: &ApiSettings, spent: &Spending) -> String {
        let tokens = spent.estimate(self.characters);
        let cost_of =
            |tokens| settings.price.map_or(String::new(), |price| format!(", cost {:.4}", cost(tokens, price)));
        let so_far = match spent.requests {
            0 => String::new(),
            _ => format!("; spent so far: {} tokens{}", spent.tokens, cost_of(spent.tokens)),
        };
        let Self { texts, requests, .. } = self;
        let (name, cost) = (settings.name(), cost_of(tokens));
        format!("{name}: {texts} texts, about {tokens} tokens, {requests} requests{cost}{so_far}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> ApiSettings {
        let settings = ApiSettings { url: "http://a/v1".into(), model: "m".into(), ..ApiSettings::default() };
        ApiSettings { prefix: "q: ".into(), batch: 2, ..settings }
    }

    #[test]
    fn a_request_holds_at_most_so_many_texts() {
        let texts = ["a", "b", "c", "d", "e"].map(String::from);
        assert_eq!(plan(&texts, 2), [0..2, 2..4, 4..5]);
        assert!(plan(&[], 2).is_empty());
    }

    #[test]
    fn a_request_of_long_texts_holds_fewer_but_at_least_one() {
        let long = "é".repeat(MOST_CHARACTERS / 2);
        let texts = [long.clone(), long.clone(), long.clone(), "x".repeat(MOST_CHARACTERS + 1), long];
        assert_eq!(plan(&texts, 100), [0..2, 2..3, 3..4, 4..5]);
    }

    #[test]
    fn an_estimate_counts_texts_tokens_requests_and_cost() {
        let mut estimate = ApiEstimate::default();
        estimate.add(&["abcde", "fg", "h"], &settings());
        estimate.add(&["ijk"], &settings());
        assert_eq!(estimate, ApiEstimate { texts: 4, characters: 23, requests: 3 });
        let line = estimate.line(&settings(), &Spending::default());
        assert_eq!(line, "m at http://a/v1: 4 texts, about 6 tokens, 3 requests");
        let spent = Spending { requests: 1, characters: 10, tokens: 10, estimated: 0 };
        let priced = ApiSettings { price: Some(1000.0), ..settings() };
        assert_eq!(
            estimate.line(&priced, &spent),
            "m at http://a/v1: 4 texts, about 6 tokens, 3 requests, cost 0.0060; spent so far: 10 tokens, cost 0.0100"
        );
    }
}
