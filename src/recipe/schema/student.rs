//! `[student]`.

use limbeck_student::config::{ARCHITECTURE, AttentionConfig, ConvolutionConfig, StudentConfig};
use limbeck_student::lexical::MAX_DIMENSION;
use limbeck_student::vocabulary::Vocabulary;
use serde::{Deserialize, Serialize};

use super::problem::{Check, problem};
use super::vocabulary::{DEFAULT_EXTENDED_SIZE, DEFAULT_MIN_COUNT, DEFAULT_SIZE, VocabularyKind, VocabularySource};

/// A training method of a student; each is a stage of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, strum::EnumString, strum::IntoStaticStr)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Method {
    /// Distillation from cached vectors.
    Distil,
    /// SimCSE.
    Simcse,
    /// AM-softmax with every sentence a class.
    AmSoftmax,
}

impl Method {
    /// Its name in recipes, which is that of its stage.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// `[student]`: the student's shape, and how it learns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StudentSection {
    /// The width of the embedding table, at most the teacher's; the default ends there too.
    pub embedding: usize,
    /// Max-pooled convolutions.
    pub convolutions: Vec<ConvolutionConfig>,
    /// `attention.heads = 0` leaves attention out.
    pub attention: AttentionConfig,
    /// Whether the mean of the token embeddings is added to the output.
    pub skip: bool,
    /// The longest input in tokens; unlimited by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<usize>,
    /// A URI or path of a student's folder, or of a run's, to go on from in place of the static start. Shape and
    /// vocabulary come with it: the keys here stay at their defaults or say the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// A URI or path of a tokenizer.json; the teacher's by default. A cache made elsewhere needs one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokenizer: Option<String>,
    /// `teacher`; `corpus` (the teacher's tokens that the training text uses); `extended` (the teacher's tokens and the
    /// most frequent words of the text); or `trained` on the training text.
    #[serde(skip_serializing_if = "super::is_default")]
    pub vocabulary: VocabularySource,
    /// With `corpus`: how often a token must occur in the text to stay; 2 by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vocabulary_min_count: Option<u64>,
    /// With `trained` and `extended`: the most tokens; 16,000 and 60,000 by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vocabulary_size: Option<usize>,
    /// With `trained`: `wordpiece` or `unigram`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vocabulary_kind: Option<VocabularyKind>,
    /// The numbers of a lexical half, fitted on the documents' words, beside the vector; 0: none.
    #[serde(skip_serializing_if = "super::is_default")]
    pub lexical: usize,
    /// The training methods in order: `distil`, `simcse`, `am-softmax`, each at most once.
    #[serde(skip_serializing_if = "is_distil_alone")]
    pub methods: Vec<Method>,
}

fn is_distil_alone(methods: &[Method]) -> bool {
    methods == [Method::Distil]
}

impl Default for StudentSection {
    fn default() -> Self {
        Self {
            embedding: 256,
            convolutions: Vec::new(),
            attention: AttentionConfig::default(),
            skip: true,
            max_tokens: None,
            from: None,
            tokenizer: None,
            vocabulary: VocabularySource::Teacher,
            vocabulary_min_count: None,
            vocabulary_size: None,
            vocabulary_kind: None,
            lexical: 0,
            methods: vec![Method::Distil],
        }
    }
}

impl StudentSection {
    /// The width of the embedding for a teacher of this width; the default never exceeds it.
    pub fn width(&self, teacher: usize) -> usize {
        let is_default = self.embedding == Self::default().embedding;
        if is_default { self.embedding.min(teacher) } else { self.embedding }
    }

    /// The student's shape for a teacher of this width and a table of so many rows.
    pub fn config(&self, vocabulary: usize, dimension: usize) -> StudentConfig {
        StudentConfig {
            architecture: ARCHITECTURE.into(),
            vocabulary,
            embedding: self.width(dimension),
            dimension,
            convolutions: self.convolutions.clone(),
            attention: (self.attention.heads > 0).then_some(self.attention),
            skip: self.skip,
            max_tokens: self.max_tokens,
        }
    }

    /// Refuses what can't be; the shape is checked for the default width.
    pub fn check(&self) -> Check {
        let methods = &self.methods;
        let has_twice = methods.iter().enumerate().any(|(at, method)| methods[..at].contains(method));
        if methods.is_empty() || has_twice {
            return problem("student.methods must name each method once", "methods = [\"distil\"] is the default");
        }
        if self.lexical > MAX_DIMENSION {
            let hint = format!("0 (none) to {MAX_DIMENSION} are possible; 256 is a good number");
            return problem(format!("student.lexical is {}", self.lexical), &hint);
        }
        if let Some(key) = self.vocabulary_key().filter(|_| self.from.is_some()) {
            let hint = "the vocabulary comes with the student that student.from names";
            return problem(format!("{key} stands beside student.from"), hint);
        }
        Ok(self.config(2, self.embedding).check()?)
    }

    /// The first key that chooses a vocabulary.
    fn vocabulary_key(&self) -> Option<&'static str> {
        let chosen = [
            ("student.tokenizer", self.tokenizer.is_some()),
            ("student.vocabulary", self.vocabulary != VocabularySource::Teacher),
        ];
        chosen.into_iter().find(|(_, is_chosen)| *is_chosen).map(|(key, _)| key)
    }

    /// The keys of the shape with their values, for people.
    fn shape_values(&self) -> [(&'static str, String); 5] {
        [
            ("embedding", self.embedding.to_string()),
            ("convolutions", format!("{:?}", self.convolutions)),
            ("attention", format!("{:?}", self.attention)),
            ("skip", self.skip.to_string()),
            ("max_tokens", self.max_tokens.map_or("none".into(), |tokens| tokens.to_string())),
        ]
    }

    /// The section with the shape of the student `config`.
    pub fn with_shape_of(&self, config: &StudentConfig) -> Self {
        Self {
            embedding: config.embedding,
            convolutions: config.convolutions.clone(),
            attention: config.attention.unwrap_or(AttentionConfig { heads: 0, ..AttentionConfig::default() }),
            skip: config.skip,
            max_tokens: config.max_tokens,
            ..self.clone()
        }
    }

    /// Refuses the first key that contradicts the student `config`, which `from` names; a key at its default says
    /// nothing.
    pub fn check_beside(&self, config: &StudentConfig) -> Check {
        let (own, default) = (self.shape_values(), Self::default().shape_values());
        let has_no_heads = self.attention.heads == 0 && config.attention.is_none();
        for (((key, own), (_, default)), (_, given)) in
            own.into_iter().zip(default).zip(self.with_shape_of(config).shape_values())
        {
            if own != default && own != given && !(key == "attention" && has_no_heads) {
                let what = format!("student.{key} is {own}, in the student that student.from names it is {given}");
                return problem(what, "the shape comes with that student: leave the key out");
            }
        }
        Ok(())
    }

    /// The section without its methods and its lexical half: a training stage reads the method before it, and what
    /// comes later doesn't concern it. A student to go on from is known by its files, wherever they lie.
    pub fn shape(&self) -> Self {
        Self { methods: vec![Method::Distil], from: None, lexical: 0, ..self.clone() }
    }

    /// The student's own vocabulary, if it has one.
    ///
    /// # Errors
    /// Keys that say nothing beside the others.
    pub fn own_vocabulary(&self) -> Check<Option<Vocabulary>> {
        let hint = "vocabulary is \"teacher\", \"corpus\", \"extended\" or \"trained\"";
        let trained = self.vocabulary == VocabularySource::Trained;
        if !trained && self.vocabulary_kind.is_some() {
            return problem("student.vocabulary_kind is for student.vocabulary = \"trained\"", hint);
        }
        if !trained && self.vocabulary != VocabularySource::Extended && self.vocabulary_size.is_some() {
            return problem("student.vocabulary_size is for student.vocabulary = \"trained\" or \"extended\"", hint);
        }
        if self.vocabulary != VocabularySource::Corpus && self.vocabulary_min_count.is_some() {
            return problem("student.vocabulary_min_count is for student.vocabulary = \"corpus\"", hint);
        }
        let size = self.vocabulary_size.unwrap_or(if trained { DEFAULT_SIZE } else { DEFAULT_EXTENDED_SIZE });
        let vocabulary = match (self.vocabulary, self.vocabulary_kind.unwrap_or_default()) {
            (VocabularySource::Teacher, _) => None,
            (VocabularySource::Corpus, _) => {
                Some(Vocabulary::Corpus { min_count: self.vocabulary_min_count.unwrap_or(DEFAULT_MIN_COUNT) })
            }
            (VocabularySource::Extended, _) => Some(Vocabulary::Extended { size }),
            (VocabularySource::Trained, VocabularyKind::WordPiece) => Some(Vocabulary::WordPiece { size }),
            (VocabularySource::Trained, VocabularyKind::Unigram) => Some(Vocabulary::Unigram { size }),
        };
        vocabulary.iter().try_for_each(Vocabulary::check)?;
        Ok(vocabulary)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(text: &str) -> StudentSection {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn a_lexical_half_changes_no_training_and_its_width_is_checked() {
        let with_half = section("lexical = 256");
        assert_eq!(with_half.shape(), StudentSection::default().shape());
        assert!(with_half.check().is_ok());
        assert!(section("lexical = 1025").check().unwrap_err().what.contains("1025"));
        assert!(!serde_json::to_string(&StudentSection::default()).unwrap().contains("lexical"));
    }

    #[test]
    fn keys_without_an_effect_are_refused() {
        for text in [
            "vocabulary_size = 300",
            "vocabulary = \"corpus\"\nvocabulary_kind = \"unigram\"",
            "vocabulary_min_count = 3",
            "vocabulary = \"extended\"\nvocabulary_kind = \"wordpiece\"",
        ] {
            assert!(section(text).own_vocabulary().is_err(), "{text}");
        }
        let own = |text: &str| section(text).own_vocabulary().unwrap();
        assert_eq!(own(""), None);
        assert_eq!(own("vocabulary = \"corpus\""), Some(Vocabulary::Corpus { min_count: 2 }));
        assert_eq!(own("vocabulary = \"extended\""), Some(Vocabulary::Extended { size: 60_000 }));
        assert_eq!(own("vocabulary = \"trained\""), Some(Vocabulary::WordPiece { size: 16_000 }));
        let text = "vocabulary = \"trained\"\nvocabulary_kind = \"unigram\"\nvocabulary_size = 500";
        assert_eq!(own(text), Some(Vocabulary::Unigram { size: 500 }));
    }

    #[test]
    fn a_vocabulary_beside_a_student_to_go_on_from_is_refused() {
        for (text, key) in
            [("tokenizer = \"k\"", "student.tokenizer"), ("vocabulary = \"corpus\"", "student.vocabulary")]
        {
            let refused = section(&format!("from = \"general\"\n{text}")).check().unwrap_err();
            assert_eq!(refused.what, format!("{key} stands beside student.from"));
        }
        assert!(section("from = \"general\"").check().is_ok());
    }

    #[test]
    fn a_key_that_contradicts_the_student_to_go_on_from_is_named() {
        let given = section("embedding = 64\nattention = { heads = 0 }\nmax_tokens = 9").config(10, 128);
        for text in ["", "embedding = 64", "attention = { heads = 0, width = 3 }", "max_tokens = 9\nskip = true"] {
            assert!(section(text).check_beside(&given).is_ok(), "{text}");
        }
        for (text, key) in [
            ("embedding = 32", "student.embedding is 32, in the student that student.from names it is 64"),
            ("attention = { heads = 4 }", "student.attention is"),
            ("convolutions = [{ width = 3, filters = 8 }]", "student.convolutions is"),
            ("skip = false", "student.skip is false"),
            ("max_tokens = 8", "student.max_tokens is 8"),
        ] {
            let refused = section(text).check_beside(&given).unwrap_err();
            assert!(refused.what.starts_with(key), "{refused:?}");
        }
        assert_eq!(section("").with_shape_of(&given).config(10, 128), given);
    }

    #[test]
    fn a_default_vocabulary_is_not_written() {
        let written = serde_json::to_string(&StudentSection::default()).unwrap();
        assert!(!written.contains("vocabulary"), "{written}");
    }
}
