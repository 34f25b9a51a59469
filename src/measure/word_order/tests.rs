use limbeck_training::random::Random;

use super::reorder::segments;
use super::*;
use crate::measure::test_support::{FakeEncoder, bag, bag_of_bigrams, silent, word_vector};

fn sorted_words(text: &str) -> Vec<&str> {
    let mut words: Vec<&str> = text.split_whitespace().collect();
    words.sort_unstable();
    words
}

/// Sentences of 5 to 14 words out of a vocabulary of 40.
fn sentences(count: usize) -> Vec<String> {
    let mut random = Random::new(11, &[]);
    (0..count)
        .map(|_| {
            let words: Vec<String> = (0..5 + random.below(10)).map(|_| format!("w{}", random.below(40))).collect();
            words.join(" ")
        })
        .collect()
}

fn refs(texts: &[String]) -> Vec<&str> {
    texts.iter().map(String::as_str).collect()
}

fn score_of(
    student: impl Fn(&str) -> Vec<f32> + Send + Sync,
    teacher: impl Fn(&str) -> Vec<f32> + Send + Sync,
) -> WordOrder {
    let sentences = sentences(300);
    let pairs = pairs(&refs(&sentences), 1);
    let (student, teacher) = (FakeEncoder::new(student), FakeEncoder::new(teacher));
    let similarities = |encoder| similarities(&NamedModel::new("fake", encoder), &pairs, silent()).unwrap();
    score(&pairs, &similarities(&student), &similarities(&teacher)).unwrap()
}

#[test]
fn each_kind_reorders_as_its_name_says() {
    let pairs = pairs(&["The cat  sat on the\tmat."], 5);
    assert_eq!(pairs.iter().map(|pair| pair.kind).collect::<Vec<_>>(), Reordering::VARIANTS);
    assert!(pairs.iter().all(|pair| pair.sentence == "The cat sat on the mat."));
    assert!(pairs.iter().all(|pair| sorted_words(&pair.reordered) == sorted_words(&pair.sentence)));
    assert_eq!(pairs[1].reordered, "on the mat. The cat sat");
    assert_eq!(pairs[2].reordered, "mat. the on sat cat The");
    let moved = pairs[0].reordered.split(' ').zip(pairs[0].sentence.split(' ')).filter(|(a, b)| a != b).count();
    assert_eq!(moved, 2);
}

#[test]
fn chinese_is_cut_into_characters_and_latin_words_stay_whole() {
    let pairs = pairs(&["我的iPhone 12坏了，怎么办？"], 5);
    assert_eq!(pairs[2].kind, Reordering::Reversed);
    assert_eq!(pairs[2].reordered, "办？么怎了，坏12 iPhone的我");
    assert_eq!(pairs[2].sentence, "我的iPhone 12坏了，怎么办？");
    assert_eq!(segments("“你 好”吗 3.5%"), ["“你", "好”", "吗", "3.5%"]);
    assert_eq!(segments("  ，。 "), ["，。"]);
}

#[test]
fn short_sentences_and_those_without_another_order_give_nothing() {
    assert!(pairs(&["only four words here", "", "   ", "你好吗"], 1).is_empty());
    assert!(pairs(&["no No NO no no no"], 1).is_empty());
    // Reversed, the sentence is the same.
    let kinds: Vec<Reordering> = pairs(&["a b c b a"], 1).iter().map(|pair| pair.kind).collect();
    assert!(kinds.contains(&Reordering::Halves) && !kinds.contains(&Reordering::Reversed));
}

#[test]
fn a_pair_depends_on_its_sentence_and_the_seed_alone() {
    let sentences = sentences(20);
    let all = pairs(&refs(&sentences), 1);
    let alone = pairs(&refs(&sentences[7..8]), 1);
    assert!(alone.iter().all(|pair| all.contains(pair)));
    assert_ne!(all, pairs(&refs(&sentences), 2));
}

#[test]
fn a_bag_of_words_scores_zero_in_spite_of_rounding() {
    let score = score_of(bag, bag_of_bigrams);
    assert_eq!(score.average, 0.0);
    assert!(score.kinds.iter().all(|kind| kind.spearman == 0.0 && kind.student_mean > 0.999_999));
    assert!(score.kinds.iter().all(|kind| kind.teacher_mean < 0.99));
}

#[test]
fn the_teacher_itself_scores_one() {
    assert!((score_of(bag_of_bigrams, bag_of_bigrams).average - 1.0).abs() < 1e-9);
}

#[test]
fn a_model_near_the_teacher_scores_high_and_the_score_is_the_mean_of_the_kinds() {
    let near = |text: &str| {
        let noise = word_vector(text, 16);
        bag_of_bigrams(text).iter().zip(noise).map(|(value, noise)| value + noise).collect()
    };
    let score = score_of(near, bag_of_bigrams);
    assert!(score.average > 0.4 && score.average < 0.99, "{}", score.average);
    let kinds: f64 = score.kinds.iter().map(|kind| kind.spearman).sum();
    assert!((score.average - kinds / 4.0).abs() < 1e-12);
}

#[test]
fn each_text_is_encoded_once() {
    let pairs = pairs(&["one two three four five six seven"], 1);
    let encoder = FakeEncoder::new(bag);
    let similarities = similarities(&NamedModel::new("bag", &encoder), &pairs, silent()).unwrap();
    assert_eq!((similarities.len(), encoder.calls()), (4, vec![5]));
}

#[test]
fn too_few_pairs_of_a_kind_are_an_error() {
    let pairs = pairs(&["one two three four five six seven"], 1);
    let error = score(&pairs, &[0.5; 4], &[0.5; 4]).unwrap_err();
    assert_eq!(error.to_string(), "pairs with words swapped, for word order: 1 found, at least 10 needed");
}

#[test]
fn a_list_of_another_length_is_an_error() {
    let pairs = pairs(&["one two three four five six seven"], 1);
    assert!(matches!(score(&pairs, &[0.5; 3], &[0.5; 4]), Err(Error::Lengths { left: 4, right: 3, .. })));
}

#[test]
fn pairs_come_back_from_a_file_as_they_were() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pairs.tsv");
    let written = pairs(&["The cat sat on the mat.", "我的iPhone 12坏了，怎么办？"], 5);
    write(&path, &written).unwrap();
    assert_eq!(read(&path).unwrap(), written);
}

#[test]
fn tabs_and_line_breaks_become_blanks_in_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pairs.tsv");
    let mut written = pairs(&["The cat sat on the mat."], 5);
    written[0].sentence = "a\tb\nc".into();
    write(&path, &written).unwrap();
    assert_eq!(read(&path).unwrap()[0].sentence, "a b c");
}

#[test]
fn an_error_names_the_bad_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pairs.tsv");
    let error_of = |text: &[u8]| {
        std::fs::write(&path, text).unwrap();
        let error = read(&path).unwrap_err().to_string();
        error.strip_prefix(&format!("{}, ", path.display())).unwrap().to_owned()
    };
    assert!(error_of(b"").starts_with("line 1: expected the header"));
    assert_eq!(error_of(b"kind\tsentence\treordered\nhalves\ta b\n"), "line 2: expected 3 columns, found 2");
    assert!(error_of(b"kind\tsentence\treordered\nhalf\ta\tb\n").starts_with("line 2: unknown kind \"half\""));
    assert_eq!(
        error_of(b"kind\tsentence\treordered\nhalves\ta\tb\nhalves\t\xff\tb\n"),
        "line 3: the text is not UTF-8"
    );
    assert!(read(&folder.path().join("none.tsv")).unwrap_err().to_string().contains("none.tsv"));
}

#[test]
fn a_share_of_texts_is_reordered_and_always_in_the_same_way() {
    let texts: Vec<String> = (0..2_000).map(|n| format!("the dog number {n} sees the cat")).collect();
    let orders: Vec<Option<String>> = texts.iter().map(|text| another_order(text, 0.25, 3)).collect();
    let given = orders.iter().flatten().count();
    assert!((400..600).contains(&given), "{given} of 2,000");
    for (text, order) in texts.iter().zip(&orders) {
        let Some(order) = order else { continue };
        let sorted = |text: &str| {
            let mut words: Vec<String> = text.split(' ').map(str::to_owned).collect();
            words.sort();
            words
        };
        assert!(order != text && sorted(order) == sorted(text), "{text}: {order}");
        assert_eq!(another_order(text, 0.25, 3).as_ref(), Some(order));
    }
    let none = ["four words are few", "no no no no no no", ""];
    assert!(none.iter().all(|text| another_order(text, 1.0, 3).is_none()));
    assert!(texts.iter().all(|text| another_order(text, 0.0, 3).is_none()));
}
