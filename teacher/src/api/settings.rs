//! [`ApiSettings`]: an embedding model behind an API, and how it is asked.

use limbeck_data::assets::is_loopback;
use serde::{Deserialize, Serialize};

use super::error::ApiError;

/// The most texts of a request.
const MOST_TEXTS: usize = 2_048;
/// The most requests at a time.
const MOST_CONCURRENCY: usize = 64;
/// The longest time for a request, in seconds.
const MOST_SECONDS: u64 = 3_600;

/// An embedding model behind an API that answers as OpenAI's, and how it is asked.
#[derive(Debug, Clone, PartialEq)]
pub struct ApiSettings {
    /// The address up to `/v1`, http or https; `/embeddings` is added to it.
    pub url: String,
    /// The model's name there.
    pub model: String,
    /// The name of the environment variable that holds the key; `None` where the server wants no key.
    pub key_env: Option<String>,
    /// The width of the vectors, for models that let it be chosen; the model's own by default.
    pub dimensions: Option<usize>,
    /// Text put before every text.
    pub prefix: String,
    /// Texts of a request.
    pub batch: usize,
    /// Requests at a time.
    pub concurrency: usize,
    /// How the server is asked to write vectors; either form is read, whatever was asked for.
    pub encoding: ApiEncoding,
    /// Seconds after which a request without an answer counts as failed.
    pub timeout: u64,
    /// At most this many tokens are spent, all starts together.
    pub max_total_tokens: Option<u64>,
    /// At most this much is spent, in the currency of `price`, all starts together.
    pub max_cost: Option<f64>,
    /// The price of a million tokens.
    pub price: Option<f64>,
}

impl Default for ApiSettings {
    fn default() -> Self {
        Self {
            url: String::new(),
            model: String::new(),
            key_env: None,
            dimensions: None,
            prefix: String::new(),
            batch: 128,
            concurrency: 4,
            encoding: ApiEncoding::Base64,
            timeout: 120,
            max_total_tokens: None,
            max_cost: None,
            price: None,
        }
    }
}

/// How vectors are written in an answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ApiEncoding {
    /// The bytes of little-endian f32 in base64: a quarter of the size, and exact.
    #[default]
    Base64,
    /// A JSON list of numbers.
    Float,
}

impl ApiEncoding {
    /// Its name in recipes and requests.
    pub fn name(self) -> &'static str {
        match self {
            Self::Base64 => "base64",
            Self::Float => "float",
        }
    }
}

impl ApiSettings {
    /// Refuses settings that can't be.
    ///
    /// # Errors
    /// Names the first such setting, its value and what is allowed.
    pub fn check(&self) -> Result<(), ApiError> {
        self.check_url()?;
        let refuse = |key, value: String, allowed: &str| Err(ApiError::Setting { key, value, allowed: allowed.into() });
        if self.model.trim().is_empty() {
            return refuse("model", format!("{:?}", self.model), "name a model that the server has");
        }
        if self.key_env.as_ref().is_some_and(|name| name.is_empty() || name.contains(['=', '\0'])) {
            // Whoever writes the key itself here must not find it in a log.
            return refuse(
                "key_env",
                "no name of a variable".into(),
                "name an environment variable that holds the key",
            );
        }
        if self.dimensions == Some(0) {
            return refuse("dimensions", "0".into(), "leave it out for the model's own width");
        }
        if !(1..=MOST_TEXTS).contains(&self.batch) {
            return refuse("batch", self.batch.to_string(), &format!("1 to {MOST_TEXTS} texts are possible"));
        }
        if !(1..=MOST_CONCURRENCY).contains(&self.concurrency) {
            let allowed = format!("1 to {MOST_CONCURRENCY} requests at a time are possible");
            return refuse("concurrency", self.concurrency.to_string(), &allowed);
        }
        if !(1..=MOST_SECONDS).contains(&self.timeout) {
            return refuse("timeout", self.timeout.to_string(), &format!("1 to {MOST_SECONDS} seconds are possible"));
        }
        if self.max_total_tokens == Some(0) {
            return refuse("max_total_tokens", "0".into(), "leave it out for no cap");
        }
        for (key, value) in [("price", self.price), ("max_cost", self.max_cost)] {
            if let Some(value) = value.filter(|value| !(value.is_finite() && *value > 0.0)) {
                return refuse(key, value.to_string(), "a number above 0 is expected; leave it out for none");
            }
        }
        match (self.max_cost, self.price) {
            (Some(cost), None) => refuse("max_cost", cost.to_string(), "it needs price, that of a million tokens"),
            _ => Ok(()),
        }
    }

    fn check_url(&self) -> Result<(), ApiError> {
        let refuse = |value: &str, allowed: &str| {
            Err(ApiError::Setting { key: "url", value: format!("{value:?}"), allowed: allowed.into() })
        };
        let rest = self.url.strip_prefix("https://").or_else(|| self.url.strip_prefix("http://"));
        let Some(rest) = rest else {
            return refuse(&self.url, "it begins with https:// or http://, as in https://api.openai.com/v1");
        };
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        if host.contains('@') {
            // What stands before the @ may be a password.
            return refuse("http(s)://…@…", "it must hold no user or password; name the key's variable by key_env");
        }
        if host.is_empty() || rest.contains(char::is_whitespace) {
            return refuse(&self.url, "a host is expected after ://, and no blank");
        }
        if rest.contains(['?', '#']) {
            return refuse("an address with ? or #", "give the address up to /v1, without what follows a ? or a #");
        }
        if self.base().ends_with("/embeddings") {
            return refuse(&self.url, "give the address up to /v1; /embeddings is added");
        }
        Ok(())
    }

    /// The address without a slash at its end.
    fn base(&self) -> &str {
        self.url.trim_end_matches('/')
    }

    /// The address that requests go to.
    pub fn endpoint(&self) -> String {
        format!("{}/embeddings", self.base())
    }

    /// The model and its address, as errors, cards and caches name the teacher.
    pub fn name(&self) -> String {
        format!("{} at {}", self.model, self.base())
    }

    /// Whether the server runs on this machine: no proxy stands between.
    pub(super) fn is_local(&self) -> bool {
        is_loopback(&self.url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(url: &str) -> ApiSettings {
        ApiSettings { url: url.into(), model: "m".into(), ..ApiSettings::default() }
    }

    #[test]
    fn an_address_up_to_v1_is_completed_with_or_without_a_slash() {
        for url in ["https://api.example.org/v1", "https://api.example.org/v1/"] {
            settings(url).check().unwrap();
            assert_eq!(settings(url).endpoint(), "https://api.example.org/v1/embeddings");
        }
    }

    #[test]
    fn addresses_that_cannot_be_are_refused() {
        for url in ["", "api.example.org/v1", "ftp://x/v1", "https://", "https://a/v1?x=1", "https://a/v1/embeddings"] {
            assert!(matches!(settings(url).check(), Err(ApiError::Setting { key: "url", .. })), "{url}");
        }
    }

    #[test]
    fn a_password_in_an_address_is_refused_and_not_shown() {
        let error = settings("https://me:secret@a/v1").check().unwrap_err().to_string();
        assert!(!error.contains("secret"), "{error}");
    }

    #[test]
    fn a_cap_on_cost_needs_a_price() {
        let capped = ApiSettings { max_cost: Some(1.0), ..settings("http://a/v1") };
        assert!(capped.check().unwrap_err().to_string().contains("needs price"));
        assert!(ApiSettings { price: Some(0.02), ..capped }.check().is_ok());
    }

    #[test]
    fn values_out_of_range_are_refused_by_name() {
        let of = |change: fn(&mut ApiSettings)| {
            let mut settings = settings("http://a/v1");
            change(&mut settings);
            match settings.check() {
                Err(ApiError::Setting { key, .. }) => key,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(of(|s| s.model = " ".into()), "model");
        assert_eq!(of(|s| s.batch = 0), "batch");
        assert_eq!(of(|s| s.batch = 2_049), "batch");
        assert_eq!(of(|s| s.concurrency = 0), "concurrency");
        assert_eq!(of(|s| s.timeout = 0), "timeout");
        assert_eq!(of(|s| s.dimensions = Some(0)), "dimensions");
        assert_eq!(of(|s| s.max_total_tokens = Some(0)), "max_total_tokens");
        assert_eq!(of(|s| s.price = Some(f64::NAN)), "price");
        assert_eq!(of(|s| s.key_env = Some("a=b".into())), "key_env");
    }

    #[test]
    fn a_server_on_this_machine_is_known() {
        for url in ["http://localhost:8080/v1", "http://127.0.0.1:1/v1", "http://[::1]:80/v1"] {
            assert!(settings(url).is_local(), "{url}");
        }
        assert!(!settings("https://localhost.example.org/v1").is_local());
    }
}
