//! A student of skip alone as a folder of Model2Vec's.
//!
//! Model2Vec's vector of a text is the mean of its tokens' rows, scaled to length 1, as the student's is. Two things
//! differ there: unknown tokens are left out of the mean, and a text without tokens has the vector zero.

use std::path::Path;

use half::f16;
use limbeck_data::files::{self, write_json};
use limbeck_encoder::Precision;
use limbeck_onnx::int8::{largest, quantised_rows, row_scale};
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use serde_json::json;

use super::tokenizer::TokenizerFiles;
use super::{refuse_lexical, refuse_student, write_tokenizer};
use crate::error::{Error, Result};
use crate::fold::parts;
use crate::folder::StudentFolder;

/// The format's name in errors.
const FORMAT: &str = "model2vec";

/// The card of an export; a student's own card takes its place.
const CARD: &str = "---\nlibrary_name: model2vec\ntags:\n- model2vec\n- static-embeddings\n---\n\n\
                    A static sentence encoder distilled by limbeck.\n";

/// Writes the student as Model2Vec saves its models: `config.json`, `model.safetensors`, `tokenizer.json`, and a
/// `modules.json` by which sentence-transformers opens the same files.
///
/// In f32 the vectors there are within 1e-5 of the student's, but for texts with unknown tokens, texts without tokens
/// and, where the student has a limit, longer texts, of which Model2Vec estimates the length. In f16 and int8 the table
/// is divided by one factor, which changes no direction; int8 has no scales for rows, as in Model2Vec's own files.
///
/// # Errors
/// A student with heads or convolutions, or with a lexical half; a folder that holds a student, whose own files would
/// be overwritten; a file that can't be written.
pub fn write_model2vec(student: &StudentFolder, precision: Precision, to: &Path) -> Result<()> {
    refuse_lexical(student, FORMAT)?;
    let config = &student.model.config;
    if config.has_features() {
        return Err(Error::NotStatic { format: FORMAT });
    }
    refuse_student(to)?;
    std::fs::create_dir_all(to).map_err(limbeck_data::Error::io("create the folder", to))?;
    let (rows, width) = (student.tokenizer.vocabulary(), config.dimension);
    let folded = parts(&student.model, &student.tokenizer, String::new())?;
    let mut table = folded.skip_table.unwrap_or_default();
    // The last row stands for a text without tokens, which Model2Vec has no row for.
    table.truncate(rows * width);
    let (dtype, name, bytes) = stored(&table, precision);
    // Ids that no token has would be too many rows for Model2Vec, if it weren't told where each id's row is.
    let has_gaps = (0..rows as u32).any(|id| student.tokenizer.token(id).is_none());
    let mapping: Vec<u8> = if has_gaps { (0..rows as i64).flat_map(i64::to_le_bytes).collect() } else { Vec::new() };
    let path = to.join("model.safetensors");
    let tensors = TensorView::new(dtype, vec![rows, width], &bytes).and_then(|table| {
        let mapping = has_gaps.then(|| TensorView::new(Dtype::I64, vec![rows], &mapping)).transpose()?;
        let tensors = mapping.map(|mapping| ("mapping", mapping)).into_iter().chain([("embeddings", table)]);
        safetensors::serialize(tensors, None)
    });
    files::write_bytes(&path, &tensors.map_err(|error| Error::folder(&path, error))?)?;
    write_tokenizer(&TokenizerFiles::plain(&student.tokenizer, config.max_tokens)?, to)?;
    write_modules(to)?;
    let described = json!({
        "model_type": "model2vec",
        "architectures": ["StaticModel"],
        "normalize": true,
        "max_length": config.max_tokens,
        "hidden_dim": width,
        "embedding_dtype": name,
        "limbeck": {"origin": student.origin},
    });
    Ok(write_json(&to.join("config.json"), &described)?)
}

/// The table's values in this precision, with their types in safetensors and in NumPy.
fn stored(table: &[f32], precision: Precision) -> (Dtype, &'static str, Vec<u8>) {
    match precision {
        Precision::F32 => (Dtype::F32, "float32", bytemuck::cast_slice(table).to_vec()),
        Precision::F16 => {
            let greatest = largest(table).max(f32::MIN_POSITIVE);
            let halves = table.iter().flat_map(|value| f16::from_f32(value / greatest).to_le_bytes());
            (Dtype::F16, "float16", halves.collect())
        }
        Precision::Int8 => {
            let scale = Some(row_scale(table)).filter(|&scale| scale > 0.0).unwrap_or(1.0);
            let whole = quantised_rows(table, table.len().max(1), &[scale]);
            (Dtype::I8, "int8", bytemuck::cast_vec(whole))
        }
    }
}

/// The files by which sentence-transformers opens the folder.
fn write_modules(to: &Path) -> Result<()> {
    let module = |index: usize, class: &str, path: &str| {
        json!({
            "idx": index, "name": index.to_string(), "path": path,
            "type": format!("sentence_transformers.models.{class}"),
        })
    };
    let normalise = to.join("1_Normalize");
    std::fs::create_dir_all(&normalise).map_err(limbeck_data::Error::io("create the folder", &normalise))?;
    let card = to.join("README.md");
    if !card.exists() {
        files::write_bytes(&card, CARD.as_bytes())?;
    }
    let modules = json!([module(0, "StaticEmbedding", "."), module(1, "Normalize", "1_Normalize")]);
    Ok(write_json(&to.join("modules.json"), &modules)?)
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};
    use limbeck_encoder::{Encoder, Student};

    use super::*;
    use crate::config::{ARCHITECTURE, ConvolutionConfig, StudentConfig};
    use crate::dense::DenseParameters;
    use crate::encoder::CandleStudent;
    use crate::model::TextCnn;
    use crate::static_folder::{self, StaticEncoder, StaticFolder};
    use crate::test_support::{WORDS, word_tokenizer};

    fn student(convolutions: Vec<ConvolutionConfig>) -> StudentFolder {
        let config = StudentConfig {
            architecture: ARCHITECTURE.into(),
            vocabulary: WORDS.len() + 1,
            embedding: 6,
            dimension: 10,
            convolutions,
            attention: None,
            skip: true,
            max_tokens: None,
        };
        let dense = DenseParameters::random(&config, 1, DType::F32, &Device::Cpu).unwrap();
        let table = (0..config.vocabulary * config.embedding).map(|i| (i as f32).sin()).collect();
        let model = TextCnn::new(config, table, dense, Device::Cpu).unwrap();
        StudentFolder { model, tokenizer: word_tokenizer(), lexical: None, origin: json!({"teacher": "test"}) }
    }

    /// The cosines of the student's vectors and those of the folder that is written of it.
    fn cosines(precision: Precision, texts: &[&str]) -> Vec<f32> {
        let folder = tempfile::tempdir().unwrap();
        let to = folder.path().join("model2vec");
        // The second time over the first.
        for _ in 0..2 {
            write_model2vec(&student(vec![]), precision, &to).unwrap();
        }
        let file = folder.path().join("folded");
        static_folder::write_folded(StaticFolder::open(&to).unwrap(), Precision::F32, &file).unwrap();
        let found = StaticEncoder::new(Student::load(&file).unwrap()).encode(texts).unwrap();
        let expected = CandleStudent::new(student(vec![])).encode(texts).unwrap();
        let pairs = found.iter().zip(expected.iter());
        pairs.map(|(a, b)| a.iter().zip(b).map(|(a, b)| a * b).sum()).collect()
    }

    #[test]
    fn a_folder_of_model2vec_has_the_students_vectors() {
        let texts = ["a dog", "the cat sees the old river", "new", "house"];
        for (precision, least) in [(Precision::F32, 0.999_999), (Precision::F16, 0.999_99), (Precision::Int8, 0.999)] {
            let cosines = cosines(precision, &texts);
            assert!(cosines.iter().all(|&cosine| cosine > least), "{precision:?}: {cosines:?}");
        }
        // An unknown token is left out, and a text without tokens has no direction.
        let others = cosines(Precision::F32, &["a zebra", ""]);
        assert!(others[0] < 0.999 && others[1] == 0.0, "{others:?}");
    }

    #[test]
    fn a_student_with_convolutions_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let with = student(vec![ConvolutionConfig { width: 3, filters: 4 }]);
        let error = write_model2vec(&with, Precision::F32, &folder.path().join("x")).unwrap_err();
        assert!(error.to_string().contains("model2vec") && error.hint().is_some(), "{error}");
    }
}
