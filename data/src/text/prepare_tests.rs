use std::fs;
use std::path::PathBuf;

use super::super::{
    DOCUMENTS_FILE, DocumentCounts, HELD_OUT_FILE, LabelledDocument, PreparedText, SourceCounts, TRAIN_FILE, TextBatch,
    TextSource, TextUnit, read_documents,
};
use super::*;
use crate::Error;
use crate::Interrupt;
use crate::progress::Silent;

pub(super) struct Room(tempfile::TempDir);

impl Room {
    pub(super) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(super) fn put(&self, name: &str, content: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    pub(super) fn prepare(&self, plan: &TextPlan) -> Result<TextSummary> {
        prepare(plan, &self.path("out"), Monitor::silent())
    }

    pub(super) fn rows(&self, name: &str) -> TextBatch {
        PreparedText::open(&self.path("out").join(name)).unwrap().read(0, usize::MAX).unwrap()
    }

    pub(super) fn documents(&self) -> Vec<LabelledDocument> {
        read_documents(&self.path("out").join(DOCUMENTS_FILE)).unwrap().collect::<Result<_>>().unwrap()
    }
}

pub(super) fn plan(sources: Vec<TextSource>) -> TextPlan {
    TextPlan { sources, hold_out: 0.0, ..TextPlan::default() }
}

fn numbered(range: std::ops::Range<usize>) -> String {
    range.map(|n| format!("this is text number {n}\n")).collect()
}

#[test]
fn each_text_is_kept_once_and_the_others_counted_by_reason() {
    let room = Room::new();
    let text = room.put("a.txt", "Keep me\n\n  \nab\nA man plays.\n Keep me \nvery long indeed\nand me\n");
    let exclude = vec![room.put("sts.tsv", "sentence1\tsentence2\tscore\na man plays\tx\t1\n")];
    let summary = room.prepare(&TextPlan { exclude, max_chars: 12, ..plan(vec![TextSource::new(&text)]) }).unwrap();
    let expected = TextSummary {
        read: 8,
        blank: 2,
        too_short: 1,
        too_long: 1,
        excluded: 1,
        duplicate: 1,
        train: 2,
        sources: vec![SourceCounts {
            path: text,
            read: 8,
            blank: 2,
            too_long: 1,
            excluded: 1,
            ..SourceCounts::default()
        }],
        ..TextSummary::default()
    };
    assert_eq!(summary, expected);
    let rows = room.rows(TRAIN_FILE);
    assert_eq!(rows.texts, ["Keep me", "and me"]);
    assert_eq!(rows.ids, [0, 1]);
    assert_eq!(rows.labels, [None, None]);
    assert_eq!(rows.groups[0], hash("Keep me"));
    assert_eq!(room.rows(HELD_OUT_FILE), TextBatch::default());
}

#[test]
fn duplicates_are_found_across_sources() {
    let room = Room::new();
    let (a, b) = (room.put("a.txt", "one one\ntwo two\n"), room.put("b.txt", "two two\nthree\n"));
    let summary = room.prepare(&plan(vec![TextSource::new(a), TextSource::new(b)])).unwrap();
    assert_eq!((summary.duplicate, summary.train), (1, 3));
}

#[test]
fn documents_keep_their_label_and_all_their_sentences_on_one_side() {
    let room = Room::new();
    for n in 0..40 {
        let label = ["sport", "tech"][n % 2];
        room.put(&format!("in/{label}/{n:02}.txt"), &format!("Title {n}\nFirst of {n}. Second of {n}! Said in all."));
    }
    room.put("in/tech/99.txt", "Title 1\nFirst of 1. Second of 1! Said in all.\n");
    let source = TextSource { unit: TextUnit::File, split: true, label: true, ..TextSource::new(room.path("in")) };
    let summary = room.prepare(&TextPlan { hold_out: 0.3, ..plan(vec![source]) }).unwrap();
    assert_eq!(summary.documents, DocumentCounts { read: 41, duplicate: 1, ..DocumentCounts::default() });
    assert_eq!((summary.read, summary.duplicate), (160, 39));
    assert_eq!(summary.train + summary.held_out, 121);

    let (train, held_out) = (room.rows(TRAIN_FILE), room.rows(HELD_OUT_FILE));
    assert!(train.groups.iter().all(|group| !held_out.groups.contains(group)));
    assert_eq!(train.labels[0].as_deref(), Some("sport"));
    let documents = room.documents();
    assert_eq!(documents.len(), 40);
    let outs = documents.iter().filter(|document| document.held_out);
    assert!((4..20).contains(&outs.clone().count()));
    assert!(outs.clone().all(|document| held_out.groups.contains(&document.group)));
    assert!(documents[0].text.contains("Second of 0! Said"));
}

#[test]
fn documents_without_labels_leave_no_file_of_an_earlier_plan() {
    let room = Room::new();
    room.put("in/a/1.txt", "One document.");
    let source = TextSource { unit: TextUnit::File, label: true, ..TextSource::new(room.path("in")) };
    room.prepare(&plan(vec![source.clone()])).unwrap();
    assert_eq!(room.documents()[0].label, "a");
    room.prepare(&plan(vec![TextSource { label: false, ..source }])).unwrap();
    assert!(!room.path("out").join(DOCUMENTS_FILE).exists());
}

#[test]
fn a_limit_draws_evenly_and_keeps_the_order() {
    let room = Room::new();
    let text = room.put("a.txt", &numbered(0..10_000));
    let limited = |seed| TextPlan { limit: Some(500), seed, ..plan(vec![TextSource::new(&text)]) };
    let summary = room.prepare(&limited(1)).unwrap();
    assert_eq!((summary.train, summary.not_drawn), (500, 9500));
    let first = room.rows(TRAIN_FILE).texts;
    let numbers: Vec<usize> = first.iter().map(|text| text.rsplit_once(' ').unwrap().1.parse().unwrap()).collect();
    assert!(numbers.is_sorted());
    assert!((200..300).contains(&numbers.iter().filter(|n| **n < 5000).count()));
    room.prepare(&limited(2)).unwrap();
    assert_ne!(room.rows(TRAIN_FILE).texts, first);
    room.prepare(&limited(1)).unwrap();
    assert_eq!(room.rows(TRAIN_FILE).texts, first);
}

#[test]
fn a_source_may_have_a_limit_of_its_own_below_the_whole_one() {
    let room = Room::new();
    let (a, b) = (room.put("a.txt", &numbered(0..1000)), room.put("b.txt", &numbered(1000..2000)));
    let sources = vec![TextSource { limit: Some(100), ..TextSource::new(a) }, TextSource::new(b)];
    let of_a = |room: &Room| room.rows(TRAIN_FILE).texts.iter().filter(|text| text.len() < 24).count();
    room.prepare(&plan(sources.clone())).unwrap();
    assert_eq!((of_a(&room), room.rows(TRAIN_FILE).texts.len()), (100, 1100));
    let summary = room.prepare(&TextPlan { limit: Some(550), ..plan(sources) }).unwrap();
    assert_eq!((summary.train, summary.not_drawn), (550, 1450));
    assert!((20..100).contains(&of_a(&room)));
}

#[test]
fn the_held_out_texts_are_the_same_in_every_plan() {
    let room = Room::new();
    let text = room.put("a.txt", &numbered(0..2000));
    let with = |limit, seed| TextPlan { hold_out: 0.1, limit, seed, ..plan(vec![TextSource::new(&text)]) };
    room.prepare(&with(None, 0)).unwrap();
    let all = room.rows(HELD_OUT_FILE).texts;
    assert!((150..250).contains(&all.len()));
    room.prepare(&with(Some(700), 3)).unwrap();
    let some = room.rows(HELD_OUT_FILE).texts;
    assert!(!some.is_empty() && some.iter().all(|text| all.contains(text)));
}

#[test]
fn the_same_plan_gives_the_same_bytes() {
    let room = Room::new();
    let text = room.put("a.txt", &numbered(0..40_000));
    let plan = TextPlan { hold_out: 0.1, limit: Some(20_000), ..plan(vec![TextSource::new(text)]) };
    room.prepare(&plan).unwrap();
    let bytes = |name| fs::read(room.path("out").join(name)).unwrap();
    let before = (bytes(TRAIN_FILE), bytes(HELD_OUT_FILE));
    room.prepare(&plan).unwrap();
    assert_eq!((bytes(TRAIN_FILE), bytes(HELD_OUT_FILE)), before);
}

#[test]
fn any_range_of_rows_can_be_read() {
    let room = Room::new();
    let text = room.put("a.txt", &numbered(0..40_000));
    room.prepare(&plan(vec![TextSource::new(text)])).unwrap();
    let prepared = PreparedText::open(&room.path("out").join(TRAIN_FILE)).unwrap();
    assert_eq!(prepared.rows(), 40_000);
    for (first, count) in [(0, 10), (16_383, 2), (16_384, 16_384), (20_000, 20_000), (39_999, 5), (40_000, 1), (7, 0)] {
        let rows = prepared.read(first, count).unwrap();
        let ids: Vec<u64> = (first..(first + count).min(40_000)).map(|id| id as u64).collect();
        assert_eq!(rows.ids, ids);
        assert!(rows.texts.iter().zip(&ids).all(|(text, id)| *text == format!("this is text number {id}")));
    }
    let batches: Vec<_> = prepared.batches(9000).unwrap().collect::<Result<_>>().unwrap();
    assert_eq!(
        batches.iter().flat_map(|batch| &batch.ids).copied().collect::<Vec<_>>(),
        (0..40_000).collect::<Vec<_>>()
    );
    assert_eq!(prepared.sha256().unwrap().len(), 64);
}

#[test]
fn bad_text_leaves_the_earlier_files_in_place() {
    let room = Room::new();
    let text = room.put("in/a.txt", "some text\n");
    room.prepare(&plan(vec![TextSource::new(&text)])).unwrap();
    fs::write(room.path("in/b.txt"), b"more\nbad \xff\n").unwrap();
    let sources = vec![TextSource::new(room.path("in"))];
    let error = room.prepare(&plan(sources.clone())).unwrap_err();
    assert!(error.to_string().ends_with("b.txt, line 2, byte 5: not valid UTF-8"), "{error}");
    let documents = TextSource { unit: TextUnit::File, ..sources[0].clone() };
    let error = room.prepare(&plan(vec![documents])).unwrap_err();
    assert!(error.to_string().ends_with("b.txt, byte 10: not valid UTF-8"), "{error}");
    assert_eq!(room.rows(TRAIN_FILE).texts, ["some text"]);
    assert_eq!(fs::read_dir(room.path("out")).unwrap().count(), 2);
}

#[test]
fn nothing_left_is_an_error_with_the_counts() {
    let room = Room::new();
    let text = room.put("a.txt", "\n\nab\n");
    let error = room.prepare(&plan(vec![TextSource::new(text)])).unwrap_err();
    let counts = "3 texts (2 blank, 1 too short): 0 to train on, 0 held out";
    assert_eq!(error.to_string(), format!("no text is left to train on: {counts}"));
}

#[test]
fn only_text_files_are_documents() {
    let room = Room::new();
    let source = TextSource { unit: TextUnit::File, ..TextSource::new(room.put("a.csv", "text\nx\n")) };
    assert!(
        room.prepare(&plan(vec![source]))
            .unwrap_err()
            .to_string()
            .ends_with("a.csv: only .txt, .md, .markdown and .text files can be documents")
    );
}

#[test]
fn an_interruption_stops_it() {
    let room = Room::new();
    let text = room.put("a.txt", &numbered(0..10));
    let interrupt = Interrupt::new();
    interrupt.set();
    let stopped = prepare(&plan(vec![TextSource::new(text)]), &room.path("out"), Monitor::new(&Silent, &interrupt));
    assert!(matches!(stopped, Err(Error::Interrupted(_))));
    assert!(!room.path("out").join(TRAIN_FILE).exists());
}

#[test]
fn a_truncated_or_foreign_file_is_named() {
    let room = Room::new();
    let text = room.put("a.txt", &numbered(0..100));
    room.prepare(&plan(vec![TextSource { unit: TextUnit::File, label: true, ..TextSource::new(text) }])).unwrap();
    let path = room.path("out").join(DOCUMENTS_FILE);
    let error = PreparedText::open(&path).unwrap_err();
    assert!(error.to_string().ends_with("documents.parquet: the column `id` holds nothing, not what `prepare` writes"));
    let train = room.path("out").join(TRAIN_FILE);
    let bytes = fs::read(&train).unwrap();
    fs::write(&train, &bytes[..bytes.len() - 30]).unwrap();
    assert!(PreparedText::open(&train).unwrap_err().to_string().ends_with("train.parquet"));
}

#[test]
fn a_second_text_follows_its_own_and_is_never_held_out() {
    let room = Room::new();
    let text = room.put("a.txt", &numbered(0..400));
    let plan = TextPlan { hold_out: 0.25, limit: Some(300), ..plan(vec![TextSource::new(text)]) };
    let augment = |text: &str| text.ends_with('7').then(|| format!("{text}, again"));
    let summary = prepare_augmented(&plan, &room.path("out"), &augment, Monitor::silent()).unwrap();
    let (train, held_out) = (room.rows(TRAIN_FILE), room.rows(HELD_OUT_FILE));
    assert_eq!(summary.train + summary.held_out, 300);
    assert_eq!(train.texts.len() as u64, summary.train + summary.augmented);
    assert_eq!(held_out.texts.len() as u64, summary.held_out);
    assert!(summary.augmented > 0 && held_out.texts.iter().all(|text| !text.ends_with("again")));
    for (at, text) in train.texts.iter().enumerate() {
        let again = train.texts.get(at + 1).filter(|next| **next == format!("{text}, again"));
        assert_eq!(again.is_some(), text.ends_with('7'), "{text}");
        assert!(again.is_none() || train.groups[at] == train.groups[at + 1]);
    }
    assert!(summary.to_string().contains(&format!("({} more made of them)", summary.augmented)), "{summary}");
}

#[test]
fn a_second_text_that_is_excluded_or_held_out_is_left_out() {
    let room = Room::new();
    let text = room.put("a.txt", &numbered(0..400));
    let excluded = room.put("no.txt", &numbered(400..420));
    let plan = TextPlan { hold_out: 0.25, exclude: vec![excluded], ..plan(vec![TextSource::new(text)]) };
    // The second text of each is another text of the file, or an excluded text.
    let of = |n: usize| numbered(n..n + 1).trim().to_owned();
    let texts: Vec<String> = (0..420).map(of).collect();
    for step in [7, 413] {
        let augment = |text: &str| {
            let at = texts.iter().position(|other| other == text)?;
            Some(texts[(at + step) % 420].clone())
        };
        prepare_augmented(&plan, &room.path("out"), &augment, Monitor::silent()).unwrap();
        let (train, held_out) = (room.rows(TRAIN_FILE).texts, room.rows(HELD_OUT_FILE).texts);
        assert!(train.iter().all(|text| !held_out.contains(text) && !texts[400..].contains(text)));
        assert!(train.len() > 450 && held_out.len() > 20, "{} {}", train.len(), held_out.len());
    }
}

#[test]
fn a_line_of_any_length_is_counted_past_max_chars() {
    let room = Room::new();
    let long = "x".repeat(3 << 20);
    let text = room.put("a.txt", &format!("one one\n{long}\ntwo two\n"));
    let csv = room.put("b.csv", &format!("text\n\"{long}\"\nthree\n"));
    let sources = vec![TextSource::new(text), TextSource::new(csv)];
    let summary = room.prepare(&plan(sources.clone())).unwrap();
    assert_eq!(summary.to_string(), "5 texts (2 too long): 3 to train on, 0 held out");
    assert_eq!(summary.sources[1].too_long, 1);
    let whole = room.prepare(&TextPlan { max_chars: 4 << 20, ..plan(sources) }).unwrap();
    assert_eq!((whole.too_long, whole.duplicate, whole.train), (0, 1, 4));
    assert_eq!(room.rows(TRAIN_FILE).texts[1], long);
}

#[test]
fn what_a_source_leaves_out_is_told_in_a_line_of_its_own() {
    let room = Room::new();
    room.put("in/a.txt", "one one\n\n \nfar too long a text\n");
    room.put("in/b.md", "two two\n");
    ["x.pdf", "y.pdf", "z.doc", "config.json"].iter().for_each(|name| drop(room.put(&format!("in/{name}"), "{}")));
    let plain = room.put("plain.txt", "three\n");
    let sources = vec![TextSource::new(room.path("in/")), TextSource::new(plain)];
    let summary = room.prepare(&TextPlan { max_chars: 10, ..plan(sources) }).unwrap();
    let notes: Vec<_> = summary.source_notes().collect();
    let left_out = "4 files that hold no text are left out (.pdf 2, .doc 1, .json 1)";
    let folder = room.path("in/");
    assert_eq!(notes, [format!("{}: {left_out}; 2 blank texts; 1 text longer than max_chars", folder.display())]);
    assert_eq!(summary.sources.iter().map(|source| source.read).collect::<Vec<_>>(), [5, 1]);
    assert_eq!(summary.to_string(), "6 texts (2 blank, 1 too long): 3 to train on, 0 held out");
}

#[test]
fn the_source_of_each_text_is_kept_where_there_are_several() {
    let room = Room::new();
    let (a, b) = (room.put("a.txt", &numbered(0..3000)), room.put("b.txt", &numbered(2990..3010)));
    let several = TextPlan { hold_out: 0.1, ..plan(vec![TextSource::new(&a), TextSource::new(b)]) };
    room.prepare(&several).unwrap();
    for file in [TRAIN_FILE, HELD_OUT_FILE] {
        let rows = room.rows(file);
        let sources = rows.sources.unwrap();
        assert_eq!(sources.len(), rows.texts.len());
        for (text, source) in rows.texts.iter().zip(&sources) {
            let number: usize = text.rsplit_once(' ').unwrap().1.parse().unwrap();
            assert_eq!(*source, u16::from(number >= 3000), "{text}");
        }
    }
    let prepared = PreparedText::open(&room.path("out").join(TRAIN_FILE)).unwrap();
    let batch = prepared.batches(100).unwrap().next().unwrap().unwrap();
    assert_eq!(batch.sources, Some(vec![0; 100]));

    room.prepare(&plan(vec![TextSource::new(a)])).unwrap();
    assert_eq!(room.rows(TRAIN_FILE).sources, None);
    let file = fs::File::open(room.path("out").join(TRAIN_FILE)).unwrap();
    let builder = parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
    let names: Vec<_> = builder.schema().fields().iter().map(|field| field.name().clone()).collect();
    assert_eq!(names, ["id", "text", "group", "label"]);
}

#[test]
fn a_byte_order_mark_within_a_document_is_dropped() {
    let room = Room::new();
    let text = room.put("a.md", "\u{feff}one\n\u{feff}two \u{feff}three\n");
    for encoding in [None, Some("windows-1252")] {
        let source =
            TextSource { unit: TextUnit::File, encoding: encoding.map(str::to_owned), ..TextSource::new(&text) };
        room.prepare(&plan(vec![source])).unwrap();
        let expected = if encoding.is_none() { "one\ntwo \u{feff}three" } else { "one\ntwo ï»¿three" };
        assert_eq!(room.rows(TRAIN_FILE).texts, [expected]);
    }
}

#[test]
fn the_texts_of_known_pairs_are_excluded_by_their_own_names() {
    let room = Room::new();
    let text = room.put("a.txt", "one one\ntwo two\nthree\nfour four\nfive\n");
    let sick = room.put("sick/x.json", "[{\"sentence_A\": \"One one\", \"sentence_B\": \"Two two!\"}]");
    room.put("sick/y.csv", "question1,question2\nthree,four-four\n");
    let exclude = vec![sick.parent().unwrap().to_owned()];
    room.prepare(&TextPlan { exclude, ..plan(vec![TextSource::new(text)]) }).unwrap();
    assert_eq!(room.rows(TRAIN_FILE).texts, ["five"]);
}
