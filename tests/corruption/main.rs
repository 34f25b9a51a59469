//! Damaged files: every reader gives an error that names the file, or finite vectors; none panics, hangs or takes
//! absurd memory. A file with a checksum is refused whatever changed in it.
//!
//! Mutations are drawn from seeds: a failure names its case, and the same case damages the file the same way again.

mod isolated;
mod mutation;
mod readers;
#[path = "../support/mod.rs"]
mod support;

use isolated::{Damage, Verdict};
use mutation::Content;

use readers as read;

#[test]
fn damaged_folded_students_are_refused() {
    Damage::to("student.limbeck", Content::Binary).cases(3_000).check(Verdict::Refused, read::folded_student);
}

#[test]
fn damaged_shards_of_a_cache_are_refused() {
    Damage::to("cache/shard-00000.parquet", Content::Binary).cases(2_000).check(Verdict::Refused, read::cache);
}

#[test]
fn damaged_token_vectors_of_a_cache_are_refused() {
    Damage::to("cache/tokens.parquet", Content::Binary).cases(1_000).check(Verdict::Refused, read::cache);
}

#[test]
fn a_damaged_tokenizer_of_a_cache_is_refused() {
    Damage::to("cache/tokenizer.json", Content::Text).cases(1_000).check(Verdict::Refused, read::cache);
}

#[test]
fn a_damaged_cache_index_is_refused_or_leaves_a_readable_cache() {
    Damage::to("cache/cache.json", Content::Text).cases(3_000).check(Verdict::Sound, read::cache);
}

#[test]
fn slices_of_damaged_shards_are_refused_or_finite() {
    // A slice is read without the hash of its shard.
    Damage::to("cache/shard-00000.parquet", Content::Binary).cases(3_000).check(Verdict::Sound, read::cache_slices);
}

#[test]
fn damaged_external_parquet_is_refused_or_finite() {
    Damage::to("vectors.parquet", Content::Binary).cases(3_000).check(Verdict::Sound, read::external_cache);
}

#[test]
fn damaged_weights_of_a_student_are_refused_or_give_finite_vectors() {
    Damage::to("student/model.safetensors", Content::Safetensors).cases(1_500).check(Verdict::Sound, read::student);
}

#[test]
fn a_damaged_config_of_a_student_is_refused_or_gives_finite_vectors() {
    Damage::to("student/config.json", Content::Text).cases(1_500).check(Verdict::Sound, read::student);
}

#[test]
fn damaged_weights_of_a_sentence_transformers_export_are_refused_or_give_finite_vectors() {
    Damage::to("modules/model.safetensors", Content::Safetensors).cases(1_000).check(Verdict::Sound, read::student);
}

#[test]
fn a_damaged_config_of_a_sentence_transformers_export_is_refused_or_gives_finite_vectors() {
    Damage::to("modules/config.json", Content::Text).cases(500).check(Verdict::Sound, read::student);
}

#[test]
fn a_damaged_module_list_of_a_sentence_transformers_export_is_refused_or_gives_finite_vectors() {
    Damage::to("modules/modules.json", Content::Text).cases(500).check(Verdict::Sound, read::student);
}

#[test]
fn damaged_weights_of_a_static_model_are_refused_or_give_finite_vectors() {
    Damage::to("static/model.safetensors", Content::Safetensors).cases(1_000).check(Verdict::Sound, read::static_model);
}

#[test]
fn damaged_weights_of_a_teacher_are_refused_or_give_finite_vectors() {
    Damage::to("teacher/model.safetensors", Content::Safetensors).cases(1_500).check(Verdict::Sound, read::teacher);
}

#[test]
fn a_damaged_config_of_a_teacher_is_refused_or_gives_finite_vectors() {
    Damage::to("teacher/config.json", Content::Text).cases(1_500).check(Verdict::Sound, read::teacher);
}

#[test]
fn damaged_onnx_models_are_refused_or_give_finite_vectors() {
    Damage::to("onnx/model.onnx", Content::Binary).cases(400).check(Verdict::Sound, read::onnx);
}

#[test]
fn damaged_onnx_models_of_another_maker_are_refused_or_give_finite_vectors() {
    Damage::to("golden/tokens.onnx", Content::Binary).cases(800).check(Verdict::Sound, read::onnx);
}

#[test]
fn a_damaged_tokenizer_is_refused_or_makes_known_ids() {
    Damage::to("teacher/tokenizer.json", Content::Text).cases(2_000).check(Verdict::Sound, read::tokenizer);
}

#[test]
fn a_damaged_recipe_is_refused_or_planned() {
    Damage::to("every-key.toml", Content::Text).cases(3_000).check(Verdict::Sound, read::recipe);
}

#[test]
fn damaged_text_is_refused_or_read() {
    for name in ["texts.txt", "texts.jsonl", "texts.tsv", "texts.csv"] {
        Damage::to(name, Content::Text).cases(800).check(Verdict::Sound, read::texts_of);
    }
}

#[test]
fn damaged_compressed_text_is_refused_or_read() {
    Damage::to("texts.txt.gz", Content::Binary).cases(1_000).check(Verdict::Sound, read::texts_of);
}

#[test]
fn damaged_parquet_text_is_refused_or_read() {
    Damage::to("prepared.parquet", Content::Binary).cases(2_000).check(Verdict::Sound, read::prepared_text);
}

#[test]
fn damaged_graded_pairs_are_refused_or_finite() {
    for name in ["pairs.tsv", "pairs.csv", "pairs.jsonl"] {
        Damage::to(name, Content::Text).cases(800).check(Verdict::Sound, read::graded_pairs);
    }
}

#[test]
fn damaged_labelled_texts_are_refused_or_read() {
    Damage::to("labelled/train.tsv", Content::Text).cases(800).check(Verdict::Sound, read::labelled);
}

#[test]
fn damaged_examples_are_refused_or_read() {
    for name in ["triples.tsv", "triples.csv", "triples.jsonl"] {
        Damage::to(name, Content::Text).cases(800).check(Verdict::Sound, read::examples);
    }
}

#[test]
fn damaged_checkpoints_are_refused_or_read() {
    Damage::to("broken-off/checkpoint.safetensors", Content::Safetensors)
        .cases(2_000)
        .check(Verdict::Sound, read::checkpoint);
}
