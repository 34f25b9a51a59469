use std::fs;

use super::super::{
    COLLECTION_FILE, CollectionUnit, CollectionUnits, DocumentColumns, HELD_OUT_FILE, OwnQuery, TRAIN_FILE, TextSource,
    read_collection, read_own_queries,
};
use super::tests::{Room, plan};
use super::*;

use CollectionUnit::{Document, Mixture, Passage, Sentence, Span, Title};

const ALL: [CollectionUnit; 6] = [Document, Passage, Sentence, Title, Span, Mixture];

fn units(path: impl Into<std::path::PathBuf>, wanted: &[CollectionUnit]) -> TextSource {
    TextSource { collection: Some(CollectionUnits::new(wanted.iter().copied())), ..TextSource::new(path) }
}

/// A corpus of documents of three sentences, each second one with a title.
fn corpus(range: std::ops::Range<usize>) -> String {
    let line = |n: usize| {
        let title = if n.is_multiple_of(2) { format!("On number {n}") } else { String::new() };
        let text = format!("First of {n}, the beginning. Now comes the second of {n}! And {n} ends with the third.");
        format!("{{\"_id\": \"d{n}\", \"title\": \"{title}\", \"text\": \"{text}\"}}\n")
    };
    range.map(line).collect()
}

fn collection(room: &Room) -> Vec<crate::text::Document> {
    let path = room.path("out").join(COLLECTION_FILE);
    read_collection(&path, &DocumentColumns::default(), None).unwrap().collect::<Result<_>>().unwrap()
}

fn queries(room: &Room) -> Vec<OwnQuery> {
    read_own_queries(&room.path("out").join(OWN_QUERIES_FILE)).unwrap()
}

#[test]
fn a_document_gives_the_texts_of_its_units_in_their_order() {
    let room = Room::new();
    let path =
        room.put("c.jsonl", "{\"id\": 1, \"title\": \"A title\", \"text\": \"One two three. Four five six.\"}\n");
    let mut source = units(path, &[Title, Sentence, Passage, Document]);
    source.collection.as_mut().unwrap().passage_words = 3;
    let summary = room.prepare(&plan(vec![source])).unwrap();
    let rows = room.rows(TRAIN_FILE);
    // The passages are the sentences once more.
    assert_eq!(rows.texts, ["A title One two three. Four five six.", "One two three.", "Four five six.", "A title"]);
    assert!(rows.groups.iter().all(|group| *group == hash(&rows.texts[0])));
    let counts = "1 document, 6 texts (2 duplicate): 4 to train on, 0 held out, in all 1 document, 2 passages, 1 title";
    assert_eq!(summary.to_string(), counts);
    // The places of document, passage, sentence and title.
    assert_eq!(rows.sources, Some(vec![0, 1, 1, 3]));
}

#[test]
fn a_document_with_a_sentence_to_exclude_is_left_out_whole_and_counted_for_its_source() {
    let room = Room::new();
    let path = room.put("c.jsonl", &corpus(0..4));
    let exclude = vec![room.put("tests.txt", "And 2 ends with the third\n")];
    let summary = room.prepare(&TextPlan { exclude, ..plan(vec![units(path, &[Document, Sentence])]) }).unwrap();
    assert_eq!((summary.documents.read, summary.documents.excluded, summary.sources[0].excluded), (4, 1, 1));
    assert!(room.rows(TRAIN_FILE).texts.iter().all(|text| !text.contains("number 2") && !text.contains(" of 2")));
    assert!(summary.to_string().starts_with("4 documents (1 excluded), "), "{summary}");
}

#[test]
fn the_documents_themselves_are_kept_once_in_order() {
    let room = Room::new();
    let text =
        "{\"text\": \"Two.\", \"title\": \"T\"}\n{\"text\": \" \"}\n{\"text\": \"T Two.\"}\n{\"text\": \"Three\"}\n";
    let (a, b) = (room.put("a.jsonl", text), room.put("b.txt", "Three\nFour\n"));
    let summary = room.prepare(&plan(vec![units(a, &[Sentence]), units(b, &[Document])])).unwrap();
    let found = collection(&room);
    let parts: Vec<_> = found.iter().map(|it| [&it.id, &it.title, &it.text].map(String::as_str)).collect();
    assert_eq!(parts, [["0", "T", "Two."], ["3", "", "Three"], ["5", "", "Four"]]);
    assert_eq!(found[0].whole(), "T Two.");
    let documents = &summary.documents;
    assert_eq!((documents.read, documents.blank, documents.duplicate), (6, 1, 2));
    room.prepare(&plan(vec![TextSource::new(room.path("b.txt"))])).unwrap();
    assert!(!room.path("out").join(COLLECTION_FILE).exists());
}

#[test]
fn a_document_of_a_title_only_is_that_title() {
    let room = Room::new();
    let path = room.put("c.jsonl", "{\"title\": \"Only a title\", \"text\": \"\"}\n{\"text\": \"Only a text\"}\n");
    let summary = room.prepare(&plan(vec![units(path, &ALL)])).unwrap();
    let texts = room.rows(TRAIN_FILE).texts;
    assert_eq!(texts[..2], ["Only a title", "Only a text"]);
    assert_eq!(summary.units.by_unit[&Document], 2);
    assert!(!summary.units.by_unit.contains_key(&Title));
}

#[test]
fn all_texts_of_a_document_are_on_one_side() {
    let room = Room::new();
    let path = room.put("c.jsonl", &corpus(0..200));
    let summary = room.prepare(&TextPlan { hold_out: 0.2, ..plan(vec![units(path, &ALL)]) }).unwrap();
    let (train, held_out) = (room.rows(TRAIN_FILE), room.rows(HELD_OUT_FILE));
    assert!(train.groups.iter().all(|group| !held_out.groups.contains(group)));
    let wholes = |rows: &super::super::TextBatch| rows.texts.iter().filter(|text| text.contains("third")).count();
    assert!(wholes(&held_out) > 40 && wholes(&train) > 200);
    assert_eq!(summary.units.by_unit.values().sum::<u64>(), summary.train + summary.held_out);
    assert_eq!((summary.units.by_unit[&Sentence], summary.units.by_unit[&Title]), (600, 100));
    let spans = summary.units.by_unit[&Span];
    assert!((500..=600).contains(&spans), "{spans}");
}

#[test]
fn appended_documents_append_texts() {
    let room = Room::new();
    let rows_of = |range| {
        let path = room.put("c.jsonl", &corpus(range));
        room.prepare(&TextPlan { hold_out: 0.1, own_queries: 30, ..plan(vec![units(path, &ALL)]) }).unwrap();
        (room.rows(TRAIN_FILE), room.rows(HELD_OUT_FILE), queries(&room), collection(&room))
    };
    let (train, held_out, own, documents) = rows_of(0..260);
    let (more_train, more_held_out, more_own, more_documents) = rows_of(0..310);
    assert!(more_train.texts.len() > train.texts.len() + 300);
    assert_eq!(more_train.texts[..train.texts.len()], train.texts);
    assert_eq!(more_train.groups[..train.groups.len()], train.groups);
    assert_eq!(more_held_out.texts[..held_out.texts.len()], held_out.texts);
    assert_eq!((own.len(), own), (30, more_own));
    assert_eq!(more_documents[..260], documents);
}

#[test]
fn spans_depend_on_their_document_and_the_seed() {
    let room = Room::new();
    let spans_of = |range, seed| {
        let path = room.put("c.jsonl", &corpus(range));
        room.prepare(&TextPlan { seed, ..plan(vec![units(path, &[Span])]) }).unwrap();
        room.rows(TRAIN_FILE).texts
    };
    let all = spans_of(0..20, 0);
    assert!(all.ends_with(&spans_of(10..20, 0)));
    assert_ne!(spans_of(0..20, 1), all);
    assert!(all.iter().all(|span| (2..=40).contains(&span.split(' ').count())));
}

#[test]
fn mixtures_depend_on_their_document_and_those_before_it() {
    let room = Room::new();
    let mixtures_of = |range, mixtures| {
        let path = room.put("c.jsonl", &corpus(range));
        let mut source = units(path, &[Mixture]);
        source.collection.as_mut().unwrap().mixtures = mixtures;
        room.prepare(&plan(vec![source])).unwrap();
        room.rows(TRAIN_FILE).texts
    };
    let all = mixtures_of(0..20, 1.0);
    assert!(all.starts_with(&mixtures_of(0..10, 1.0)));
    assert!(mixtures_of(0..20, 3.0).len() > 2 * all.len());
    assert!(all.iter().all(|text| (2..=12).contains(&text.split(' ').count())));
}

#[test]
fn own_queries_are_no_texts_but_stand_in_longer_ones() {
    let room = Room::new();
    let path = room.put("c.jsonl", &(corpus(0..64) + &corpus(64..80).replace("On number 64", "On number 2")));
    let sources = vec![units(path, &ALL), TextSource::new(room.put("more.txt", &numbered_titles()))];
    let summary = room.prepare(&TextPlan { own_queries: 40, ..plan(sources) }).unwrap();
    let (own, texts) = (queries(&room), room.rows(TRAIN_FILE).texts);
    assert_eq!((own.len(), summary.queries), (40, 40));
    for query in &own {
        let document = collection(&room).into_iter().find(|document| document.id == query.id).unwrap();
        match document.title.as_str() {
            "" => assert!(document.text.contains(&query.text) && query.text.split(' ').count() >= 4),
            title => assert_eq!(title, query.text),
        }
        assert!(!texts.contains(&query.text), "{}", query.text);
        assert!(texts.contains(&document.whole().into_owned()));
    }
    assert!(own.iter().any(|query| query.text.starts_with("On number")));
    // The titles stand in both sources.
    assert!(summary.own_query > 40, "{}", summary.own_query);
    assert!(summary.to_string().contains(&format!("({} own queries, ", summary.own_query)), "{summary}");
    assert!(summary.to_string().ends_with("; 40 queries of its own documents"), "{summary}");
    room.prepare(&plan(vec![TextSource::new(room.path("more.txt"))])).unwrap();
    assert!(!room.path("out").join(OWN_QUERIES_FILE).exists());
}

fn numbered_titles() -> String {
    (0..80).map(|n| format!("On number {n}\n")).collect()
}

#[test]
fn a_second_text_is_never_an_own_query() {
    let room = Room::new();
    let path = room.put("c.jsonl", &corpus(0..8));
    let wanted = TextPlan { own_queries: 8, ..plan(vec![units(path, &[Document])]) };
    room.prepare(&wanted).unwrap();
    let query = queries(&room)[0].text.clone();
    let summary = prepare_augmented(&wanted, &room.path("out"), &|_| Some(query.clone()), Monitor::silent()).unwrap();
    assert_eq!((summary.train, summary.augmented), (8, 0));
}

#[test]
fn a_whole_document_may_be_longer_than_a_text() {
    let room = Room::new();
    let long = "A long word. ".repeat(2000);
    let path = room.put("c.jsonl", &format!("{{\"text\": \"{long}\"}}\n{{\"text\": \"{}\"}}\n", "x".repeat(20_000)));
    let summary = room.prepare(&plan(vec![units(&path, &[Document, Sentence])])).unwrap();
    assert_eq!(summary.units.by_unit[&Document], 2);
    assert_eq!((summary.too_long, summary.units.by_unit[&Sentence]), (1, 1));
}

#[test]
fn collections_and_other_text_stand_beside_one_another() {
    let room = Room::new();
    let (lines, path) = (room.put("a.txt", "One line.\nAnd another.\n"), room.put("c.jsonl", &corpus(0..2)));
    let mut source = units(path, &[Document, Title]);
    source.limit = Some(2);
    let summary = room.prepare(&plan(vec![TextSource::new(&lines), source, TextSource::new(lines)])).unwrap();
    assert_eq!((summary.train, summary.not_drawn, summary.duplicate), (4, 1, 2));
    let rows = room.rows(TRAIN_FILE);
    assert!(rows.sources.unwrap().iter().all(|source| *source < 3));
    assert_eq!(collection(&room).len(), 2);
}

#[test]
fn labelled_documents_of_a_collection_are_whole() {
    let room = Room::new();
    ["a", "b"].iter().for_each(|label| drop(room.put(&format!("in/{label}/1.txt"), &format!("Of {label}. More."))));
    let source = TextSource { label: true, ..units(room.path("in"), &[Sentence]) };
    room.prepare(&plan(vec![source])).unwrap();
    let documents: Vec<_> = room.documents().into_iter().map(|document| (document.label, document.text)).collect();
    assert_eq!(documents, [("a".into(), "Of a. More.".into()), ("b".into(), "Of b. More.".into())]);
    assert_eq!(collection(&room)[1].id, "b/1.txt");
}

#[test]
fn the_same_collection_gives_the_same_bytes() {
    let room = Room::new();
    let path = room.put("c.jsonl", &corpus(0..500));
    let wanted = TextPlan { own_queries: 20, hold_out: 0.1, ..plan(vec![units(path, &ALL)]) };
    let files = [TRAIN_FILE, HELD_OUT_FILE, COLLECTION_FILE, OWN_QUERIES_FILE];
    let bytes = || {
        room.prepare(&wanted).unwrap();
        files.map(|name| fs::read(room.path("out").join(name)).unwrap())
    };
    assert_eq!(bytes(), bytes());
}

#[test]
fn units_beside_what_they_replace_are_refused() {
    let room = Room::new();
    let path = room.put("c.jsonl", &corpus(0..2));
    let told = |wanted: &TextPlan| room.prepare(wanted).unwrap_err().to_string();
    let source = TextSource { split: true, ..units(&path, &[Document]) };
    assert!(told(&plan(vec![source])).starts_with("`units` is named: "));
    let none = TextPlan { own_queries: 5, ..plan(vec![TextSource::new(&path)]) };
    assert!(told(&none).starts_with("`own_queries` is 5: "));
    let mut source = units(&path, &[Span]);
    source.collection.as_mut().unwrap().spans = 0.0;
    assert!(told(&plan(vec![source.clone()])).starts_with("`spans` is 0: "));
    source.collection = Some(CollectionUnits { mixtures: 101.0, ..CollectionUnits::new([Mixture]) });
    assert!(told(&plan(vec![source.clone()])).starts_with("`mixtures` is 101: "));
    source.collection = Some(CollectionUnits::new([]));
    assert!(told(&plan(vec![source])).starts_with("`units` is empty: "));
}
