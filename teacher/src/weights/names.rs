//! The names of tensors: each architecture's own, and BERT's, by which the rest of this crate asks for them.

use crate::Architecture;

/// What stands before a name in a checkpoint of a whole task, such as a classifier.
const PREFIXES: [&str; 4] = ["bert.", "distilbert.", "roberta.", "mpnet."];

/// A layer's parts whose names differ from BERT's, each with BERT's.
type PartNames = [(&'static str, &'static str)];

const DISTILBERT: &PartNames = &[
    ("attention.q_lin", "attention.self.query"),
    ("attention.k_lin", "attention.self.key"),
    ("attention.v_lin", "attention.self.value"),
    ("attention.out_lin", "attention.output.dense"),
    ("sa_layer_norm", "attention.output.LayerNorm"),
    ("ffn.lin1", "intermediate.dense"),
    ("ffn.lin2", "output.dense"),
    ("output_layer_norm", "output.LayerNorm"),
];

const MPNET: &PartNames = &[
    ("attention.attn.q", "attention.self.query"),
    ("attention.attn.k", "attention.self.key"),
    ("attention.attn.v", "attention.self.value"),
    ("attention.attn.o", "attention.output.dense"),
    ("attention.LayerNorm", "attention.output.LayerNorm"),
];

/// How an architecture names its layers and their parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LayerNames {
    Bert,
    DistilBert,
    Mpnet,
}

impl From<Architecture> for LayerNames {
    fn from(architecture: Architecture) -> Self {
        match architecture {
            Architecture::DistilBert => Self::DistilBert,
            Architecture::Mpnet => Self::Mpnet,
            _ => Self::Bert,
        }
    }
}

impl LayerNames {
    /// The way of naming that the name of one tensor shows.
    fn shown_by(name: &str) -> Self {
        match name {
            _ if name.starts_with("transformer.layer.") => Self::DistilBert,
            _ if name.contains(".attention.attn.") || name.ends_with("relative_attention_bias.weight") => Self::Mpnet,
            _ => Self::Bert,
        }
    }

    /// The way of naming of a checkpoint with these names.
    pub(super) fn of<'a>(names: impl Iterator<Item = &'a str>) -> Self {
        let mut shown = names.map(|name| Self::shown_by(without_prefix(name)));
        shown.find(|names| *names != Self::Bert).unwrap_or(Self::Bert)
    }

    /// The layers' common prefix, and the parts.
    fn layers(self) -> (&'static str, &'static PartNames) {
        match self {
            Self::Bert => ("encoder.layer.", &[]),
            Self::DistilBert => ("transformer.layer.", DISTILBERT),
            Self::Mpnet => ("encoder.layer.", MPNET),
        }
    }

    /// BERT's name of the tensor `name` of a checkpoint: `encoder.layer.0.output.LayerNorm.weight` for
    /// `bert.encoder.layer.0.output.LayerNorm.gamma` or for `distilbert.transformer.layer.0.output_layer_norm.weight`.
    pub(super) fn bert_name(self, name: &str) -> String {
        let name = without_prefix(name);
        let (layers, parts) = self.layers();
        let named = renamed(name, layers, |part| Some(parts.iter().find(|(own, _)| *own == part)?.1));
        let named = named.unwrap_or_else(|| name.to_owned());
        named.replace("LayerNorm.gamma", "LayerNorm.weight").replace("LayerNorm.beta", "LayerNorm.bias")
    }

    /// The architecture's own name of the tensor that BERT calls `name`.
    pub(crate) fn own_name(self, name: &str) -> String {
        let (layers, parts) = self.layers();
        let own = |part: &str| Some(parts.iter().find(|(_, usual)| *usual == part)?.0);
        match renamed(name, LayerNames::Bert.layers().0, own) {
            Some(name) => name.replacen(LayerNames::Bert.layers().0, layers, 1),
            None => name.to_owned(),
        }
    }
}

fn without_prefix(name: &str) -> &str {
    PREFIXES.iter().find_map(|prefix| name.strip_prefix(prefix)).unwrap_or(name)
}

/// `encoder.layer.{index}.{other part}.{kind}` for `{layers}{index}.{part}.{kind}`; none where `name` is no such name,
/// and the same part where `other` knows none.
fn renamed<'a>(name: &'a str, layers: &str, other: impl Fn(&'a str) -> Option<&'a str>) -> Option<String> {
    let (index, rest) = name.strip_prefix(layers)?.split_once('.')?;
    let (part, kind) = rest.rsplit_once('.')?;
    Some(format!("encoder.layer.{index}.{}.{kind}", other(part).unwrap_or(part)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_architectures_names_are_berts_and_back() {
        for (names, own, bert) in [
            (
                LayerNames::Bert,
                "encoder.layer.3.attention.self.query.bias",
                "encoder.layer.3.attention.self.query.bias",
            ),
            (
                LayerNames::DistilBert,
                "transformer.layer.11.ffn.lin1.weight",
                "encoder.layer.11.intermediate.dense.weight",
            ),
            (
                LayerNames::DistilBert,
                "transformer.layer.0.sa_layer_norm.bias",
                "encoder.layer.0.attention.output.LayerNorm.bias",
            ),
            (LayerNames::DistilBert, "embeddings.LayerNorm.weight", "embeddings.LayerNorm.weight"),
            (
                LayerNames::Mpnet,
                "encoder.layer.1.attention.attn.o.weight",
                "encoder.layer.1.attention.output.dense.weight",
            ),
            (
                LayerNames::Mpnet,
                "encoder.layer.1.attention.LayerNorm.bias",
                "encoder.layer.1.attention.output.LayerNorm.bias",
            ),
            (LayerNames::Mpnet, "encoder.layer.1.output.LayerNorm.bias", "encoder.layer.1.output.LayerNorm.bias"),
            (LayerNames::Mpnet, "encoder.relative_attention_bias.weight", "encoder.relative_attention_bias.weight"),
        ] {
            assert_eq!(names.bert_name(own), bert);
            assert_eq!(names.own_name(bert), own);
        }
    }

    #[test]
    fn a_checkpoints_names_show_how_it_names_layers() {
        for (names, shown) in [
            (
                ["distilbert.embeddings.LayerNorm.bias", "distilbert.transformer.layer.0.ffn.lin1.bias"],
                LayerNames::DistilBert,
            ),
            (["encoder.layer.0.attention.LayerNorm.bias", "encoder.layer.0.attention.attn.q.bias"], LayerNames::Mpnet),
            (["roberta.encoder.layer.0.output.dense.bias", "lm_head.bias"], LayerNames::Bert),
        ] {
            assert_eq!(LayerNames::of(names.into_iter()), shown);
        }
    }

    #[test]
    fn a_prefix_and_tensorflows_names_are_taken_away() {
        for (name, bert) in [
            ("roberta.embeddings.word_embeddings.weight", "embeddings.word_embeddings.weight"),
            ("bert.encoder.layer.0.output.LayerNorm.gamma", "encoder.layer.0.output.LayerNorm.weight"),
            ("bert.embeddings.LayerNorm.beta", "embeddings.LayerNorm.bias"),
            ("classifier.weight", "classifier.weight"),
        ] {
            assert_eq!(LayerNames::Bert.bert_name(name), bert);
        }
    }
}
