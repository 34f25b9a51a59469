//! [`Pooler`]: how the vectors of a text's tokens become one vector.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// How token vectors become a text's vector. A model has to be used with the pooler that it was trained with: another
/// pooler costs ten points of STS and more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pooler {
    /// The first token's last state through a dense layer and tanh (BERT's `pooler.dense`).
    Cls,
    /// The first token's last state as it is.
    ClsBeforePooler,
    /// The mean of the last states of all tokens.
    #[default]
    Mean,
    /// The mean over all tokens of the mean of the embeddings and the last layer's states.
    FirstLast,
    /// The mean over all tokens of the mean of the last two layers' states.
    LastTwo,
    /// The largest value of each dimension over the last states of all tokens.
    Max,
    /// The sum of the last states of all tokens, divided by the square root of their number.
    MeanSqrtLen,
    /// The mean of the last states of all tokens, the nth token counted n times.
    WeightedMean,
    /// The last state of the last token.
    LastToken,
}

impl Pooler {
    /// All poolers, in the order of the documentation.
    pub const ALL: [Self; 9] = [
        Self::Cls,
        Self::ClsBeforePooler,
        Self::Mean,
        Self::FirstLast,
        Self::LastTwo,
        Self::Max,
        Self::MeanSqrtLen,
        Self::WeightedMean,
        Self::LastToken,
    ];

    /// The poolers that a teacher can be trained with: all that weigh states.
    pub const TRAINABLE: [Self; 8] = [
        Self::Cls,
        Self::ClsBeforePooler,
        Self::Mean,
        Self::FirstLast,
        Self::LastTwo,
        Self::MeanSqrtLen,
        Self::WeightedMean,
        Self::LastToken,
    ];

    /// The name in recipes, config files and model metadata.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cls => "cls",
            Self::ClsBeforePooler => "cls-before-pooler",
            Self::Mean => "mean",
            Self::FirstLast => "first-last",
            Self::LastTwo => "last-two",
            Self::Max => "max",
            Self::MeanSqrtLen => "mean-sqrt-len",
            Self::WeightedMean => "weighted-mean",
            Self::LastToken => "last-token",
        }
    }
}

impl fmt::Display for Pooler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Pooler {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|pooler| pooler.name() == name).ok_or_else(|| Error::UnknownPooler {
            name: name.to_owned(),
            hint: format!("the poolers are {}", Self::ALL.map(Self::name).join(", ")),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_the_same_in_text_and_in_serde() {
        for pooler in Pooler::ALL {
            assert_eq!(pooler.to_string().parse::<Pooler>().unwrap(), pooler);
            assert_eq!(serde_json::to_string(&pooler).unwrap(), format!("\"{pooler}\""));
        }
    }

    #[test]
    fn an_unknown_name_is_told_the_known_ones() {
        let error = "largest".parse::<Pooler>().unwrap_err();
        assert_eq!(error.to_string(), "there is no pooler `largest`");
        assert!(error.hint().unwrap().contains("first-last"));
    }
}
