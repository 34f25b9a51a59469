use super::*;
use crate::measure::sts::StsScore;
use crate::summary::test_support::{model, searched};

fn recipe(text: &str) -> Recipe {
    let text = format!(
        "name = \"mine\"\n[teacher]\nsource = \"hf:owner/teacher\"\n[[text.source]]\nuri = \"my.txt\"\n\
         [[text.source]]\nuri = \"hf:owner/data/file.txt\"\n[[text.source]]\nuri = \"hf:owner/data/more.txt\"\n{text}"
    );
    toml::from_str(&text).unwrap()
}

fn summary() -> Summary {
    let mut student = model("student", ModelRole::Student);
    student.scores.insert("STSB: \"test\"".into(), StsScore { spearman: 78.618, pearson: 78.0, pairs: 1_379 });
    student.sentences_per_second = Some(277_131.0);
    student.extra.insert(extra::WORD_ORDER.into(), 0.29.into());
    let mut control = model("static, trained", ModelRole::Baseline);
    control.scores.insert("STSB: \"test\"".into(), StsScore { spearman: 77.34, pearson: 77.0, pairs: 1_379 });
    let mut teacher = model("teacher", ModelRole::Teacher);
    teacher.sentences_per_second = Some(1_000.0);
    Summary { name: "mine".into(), models: vec![teacher, student, control], ..Summary::default() }
}

fn front(card: &str) -> &str {
    card.strip_prefix("---\n").unwrap().split_once("\n---\n").unwrap().0
}

/// The table rows of a model.
fn rows<'a>(card: &'a str, model: &str) -> Vec<&'a str> {
    card.lines().filter(|line| line.starts_with(&format!("| {model} |"))).collect()
}

#[test]
fn a_card_has_all_its_sections() {
    let card = card(&summary(), &recipe("[card]\nlicense = \"mit\"\nlanguage = [\"en\"]\n"));
    let (text, _) = card.split_once("## Recipe").unwrap();
    insta::assert_snapshot!(text.replace(std::env::consts::ARCH, "ARCH").replace(std::env::consts::OS, "OS"));
}

#[test]
fn the_front_matter_says_what_the_hub_reads() {
    let card = card(&summary(), &recipe("[card]\nlicense = \"mit\"\nlanguage = [\"en\", \"de\"]\n"));
    let front = front(&card);
    for line in [
        "license: \"mit\"",
        "language:\n- \"en\"\n- \"de\"",
        "base_model: \"owner/teacher\"",
        "datasets:\n- \"owner/data\"\ntags:",
        "library_name: limbeck",
        "- name: \"mine\"",
        "      type: \"STSB: \\\"test\\\"\"",
        "    - type: cosine_spearman\n      value: 78.62",
    ] {
        assert!(front.contains(line), "{line} is not in\n{front}");
    }
}

#[test]
fn unknown_facts_are_left_out_or_said_to_be_unknown() {
    let recipe = recipe("[card.licenses]\n\"hf:owner/teacher\" = \"apache-2.0\"\n");
    let mut summary = summary();
    summary.models.iter_mut().for_each(|model| {
        model.scores.clear();
        model.extra.clear();
    });
    let card = card(&summary, &recipe);
    let front = front(&card);
    assert!(!front.contains("license") && !front.contains("language") && !front.contains("model-index"), "{front}");
    assert!(card.contains("- teacher: `hf:owner/teacher` (apache-2.0)"), "{card}");
    assert!(card.contains("- text: `my.txt` (licence unknown)"), "{card}");
    assert!(card.contains("word order was not measured") && card.contains("names no language"), "{card}");
}

#[test]
fn the_control_stands_beside_the_student() {
    let card = card(&summary(), &recipe(""));
    assert!(rows(&card, "student")[0].contains("78.62"), "{card}");
    assert!(rows(&card, "static, trained")[0].contains("77.34"), "{card}");
}

#[test]
fn speeds_are_given_with_their_threads() {
    let card = card(&summary(), &recipe(""));
    let speed = rows(&card, "student")[1];
    assert!(speed.contains("277,131 | 277 |") && speed.contains("| 2 |"), "{speed}");
}

#[test]
fn word_order_is_given_with_its_scale() {
    let card = card(&summary(), &recipe(""));
    assert!(card.contains("a Spearman of 0.29 with the teacher's (1 is the teacher, 0 a bag of words)"), "{card}");
}

#[test]
fn a_control_that_sees_order_is_given_with_its_word_order() {
    let mut of_pieces = summary();
    of_pieces.models[2].extra.insert(extra::WORD_ORDER.into(), 0.43.into());
    let card = card(&of_pieces, &recipe(""));
    assert!(card.contains("the static control has 0.43"), "{card}");
}

#[test]
fn a_student_with_heads_needs_its_module_and_one_without_needs_none() {
    let with = card(&summary(), &recipe(""));
    assert!(with.contains("trust_remote_code=True") && with.contains("within 5 tokens"), "{with}");
    let without = card(&summary(), &recipe("[student.attention]\nheads = 0\n"));
    assert!(!without.contains("trust_remote_code") && without.contains("a bag of words"), "{without}");
}

#[test]
fn a_student_that_was_not_distilled_claims_no_space_of_a_teacher() {
    let card = card(&summary(), &recipe("[student]\nmethods = [\"am-softmax\", \"simcse\"]\n"));
    assert!(card.contains("by AM-softmax and SimCSE") && card.contains("a space of their own"), "{card}");
    assert!(!card.contains("distillation") && !card.contains("the teacher's errors"), "{card}");
}

#[test]
fn search_stands_in_the_front_matter_and_beside_bm25() {
    let mut found = summary();
    found.models[1] = searched(found.models[1].clone(), &[("scifact", 64.7)]);
    let card = card(&found, &recipe(""));
    let front = front(&card);
    for line in ["      type: retrieval", "      name: \"scifact\"", "    - type: ndcg_at_10\n      value: 64.70"] {
        assert!(front.contains(line), "{line} is not in\n{front}");
    }
    assert!(card.contains("| scifact | 64.70 | 74.70 | 45.00 |"), "{card}");
    assert!(rows(&card, "BM25")[0].contains("| 45.00 |"), "{card}");
}
