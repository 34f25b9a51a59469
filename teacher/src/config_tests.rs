use super::*;

const BERT: &str = r#"{"model_type": "bert", "vocab_size": 100, "hidden_size": 32, "num_hidden_layers": 2,
    "num_attention_heads": 4, "intermediate_size": 64, "hidden_act": "gelu"}"#;
const DISTILBERT: &str = r#"{"model_type": "distilbert", "vocab_size": 100, "dim": 32, "n_layers": 2, "n_heads": 4,
    "hidden_dim": 64, "activation": "relu"}"#;

fn parse(json: &str) -> Result<BertConfig> {
    BertConfig::from_json(json, Path::new("m/config.json"))
}

/// BERT's keys under another `model_type`, with more keys.
fn other(model_type: &str, more: &str) -> Result<BertConfig> {
    parse(&BERT.replace(r#""bert""#, &format!(r#""{model_type}"{more}"#)))
}

#[test]
fn keys_that_are_left_out_have_huggingfaces_defaults() {
    let config = parse(BERT).unwrap();
    assert_eq!((config.positions(), config.type_vocab_size), (512, 2));
    assert_eq!((config.layer_norm_eps, config.head_size()), (1e-12, 8));
}

#[test]
fn distilberts_own_keys_are_read() {
    let config = parse(DISTILBERT).unwrap();
    let sizes = [config.hidden_size, config.num_hidden_layers, config.num_attention_heads, config.intermediate_size];
    assert_eq!((sizes, config.hidden_act), ([32, 2, 4, 64], Activation::Relu));
    assert_eq!((config.positions(), config.type_vocab_size, config.layer_norm_eps), (512, 0, 1e-12));
    let error = parse(&DISTILBERT.replace("relu", "silu")).unwrap_err();
    assert!(error.to_string().contains("the activation `silu`"), "{error}");
}

#[test]
fn rows_before_the_first_position_are_no_positions() {
    for (model_type, more, positions) in [
        ("bert", r#", "max_position_embeddings": 514, "pad_token_id": 1"#, 514),
        ("roberta", r#", "max_position_embeddings": 514, "pad_token_id": 1"#, 512),
        ("xlm-roberta", r#", "max_position_embeddings": 514"#, 512),
        ("camembert", r#", "max_position_embeddings": 514, "pad_token_id": 4"#, 509),
        ("mpnet", r#", "max_position_embeddings": 514, "pad_token_id": 4"#, 512),
    ] {
        assert_eq!(other(model_type, more).unwrap().positions(), positions, "{model_type}");
    }
    let error = other("roberta", r#", "max_position_embeddings": 2"#).unwrap_err();
    assert!(error.to_string().contains("no position is behind the pad_token_id 1"), "{error}");
}

#[test]
fn the_paddings_own_id_inside_a_text_is_not_counted() {
    let config = other("roberta", "").unwrap();
    assert_eq!(config.position_ids(&[0, 7, 1, 8, 2]).collect::<Vec<_>>(), [2, 3, 1, 4, 5]);
    let config = parse(BERT).unwrap();
    assert_eq!(config.position_ids(&[0, 7, 1, 8, 2]).collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
}

#[test]
fn an_unsupported_setting_is_named() {
    for (from, to, what) in [
        (r#""bert""#, r#""modernbert""#, "model_type `modernbert`"),
        (r#""model_type": "bert", "#, "", "no model_type"),
        (r#""gelu""#, r#""silu""#, "hidden_act `silu`"),
        (r#""hidden_act""#, r#""position_embedding_type": "relative_key", "hidden_act""#, "`relative_key`"),
        (r#""num_attention_heads": 4"#, r#""num_attention_heads": 5"#, "5 attention heads"),
        (r#""num_attention_heads": 4"#, r#""num_attention_heads": 0"#, "0 attention heads"),
        (r#""vocab_size": 100"#, r#""vocab_size": 0"#, "vocab_size is 0"),
        (r#""hidden_act""#, r#""layer_norm_eps": -1000, "hidden_act""#, "layer_norm_eps is -1000"),
        (r#""hidden_act""#, r#""type_vocab_size": 0, "hidden_act""#, "type_vocab_size is 0"),
        (r#""bert""#, r#""mpnet", "relative_attention_num_buckets": 8"#, "relative_attention_num_buckets is 8"),
    ] {
        let error = parse(&BERT.replace(from, to)).unwrap_err();
        assert!(error.to_string().contains(what), "{error}");
        assert!(error.to_string().starts_with("m/config.json: "), "{error}");
        assert!(error.hint().is_some());
    }
}

#[test]
fn a_missing_size_is_an_error_of_the_json() {
    for (json, key) in [(BERT, "hidden_size"), (DISTILBERT, "dim")] {
        let error = parse(&json.replace(&format!(r#""{key}": 32,"#), "")).unwrap_err();
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert!(source.contains(key), "{source}");
    }
}

#[test]
fn mpnet_and_fixed_positions_are_not_trained() {
    let fixed = parse(&DISTILBERT.replace("{", r#"{"sinusoidal_pos_embds": true, "#)).unwrap();
    for (config, what) in [(other("mpnet", "").unwrap(), "`mpnet`"), (fixed, "sinusoidal_pos_embds")] {
        let error = config.check_trainable(Path::new("m/config.json")).unwrap_err();
        assert!(error.to_string().contains(what) && error.hint().is_some(), "{error}");
    }
    assert!(other("roberta", "").unwrap().check_trainable(Path::new("m")).is_ok());
}
