//! [`Architecture`]: BERT and the models that differ from it in a few points.

use std::fmt;

/// The `model_type` of a `config.json`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Architecture {
    /// BERT (Devlin et al. 2019).
    Bert,
    /// DistilBERT (Sanh et al. 2019): no token types, names of its own.
    DistilBert,
    /// RoBERTa (Liu et al. 2019): positions count from behind the id of the padding.
    Roberta,
    /// XLM-RoBERTa (Conneau et al. 2020): RoBERTa, multilingual.
    XlmRoberta,
    /// CamemBERT (Martin et al. 2020): RoBERTa, French.
    Camembert,
    /// MPNet (Song et al. 2020): no token types, and a bias on attention scores by distance.
    Mpnet,
}

impl Architecture {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Bert, Self::DistilBert, Self::Roberta, Self::XlmRoberta, Self::Camembert, Self::Mpnet];

    /// The `model_type`.
    pub fn model_type(self) -> &'static str {
        match self {
            Self::Bert => "bert",
            Self::DistilBert => "distilbert",
            Self::Roberta => "roberta",
            Self::XlmRoberta => "xlm-roberta",
            Self::Camembert => "camembert",
            Self::Mpnet => "mpnet",
        }
    }

    /// The architecture of that `model_type`.
    pub fn named(model_type: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|architecture| architecture.model_type() == model_type)
    }

    /// The name that its authors gave it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bert => "BERT",
            Self::DistilBert => "DistilBERT",
            Self::Roberta => "RoBERTa",
            Self::XlmRoberta => "XLM-RoBERTa",
            Self::Camembert => "CamemBERT",
            Self::Mpnet => "MPNet",
        }
    }

    /// The id behind which positions are counted, given the `pad_token_id` of a config.json: that of the padding,
    /// where the architecture counts from there. MPNet counts from behind 1, whatever its config.json says.
    pub(crate) fn position_padding(self, pad_token_id: Option<u32>) -> Option<u32> {
        match self {
            Self::Bert | Self::DistilBert => None,
            Self::Mpnet => Some(1),
            Self::Roberta | Self::XlmRoberta | Self::Camembert => Some(pad_token_id.unwrap_or(1)),
        }
    }

    /// The class of the model in transformers.
    pub(crate) fn class(self) -> &'static str {
        match self {
            Self::Bert => "BertModel",
            Self::DistilBert => "DistilBertModel",
            Self::Roberta => "RobertaModel",
            Self::XlmRoberta => "XLMRobertaModel",
            Self::Camembert => "CamembertModel",
            Self::Mpnet => "MPNetModel",
        }
    }

    /// Whether dropout follows the dense layer of an attention block; DistilBERT has none there.
    pub(crate) fn drops_attention_output(self) -> bool {
        self != Self::DistilBert
    }
}

impl fmt::Display for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
