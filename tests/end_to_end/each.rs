//! `encode --each` and `embed --each`: a file of vectors for each file or row group.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch, StringArray};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Float32Type, Int64Type};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::properties::WriterProperties;

use crate::support::{Outcome, Project, sentences, static_model, tiny_teacher};

const ENCODE: &str = "encode --model static --input in --to out --each";

/// The static model, and `count` files of `rows` texts in the folder `in`.
fn with_files(count: usize, rows: usize) -> Project {
    let project = Project::empty();
    static_model(&project.path("static"), 2);
    let texts = sentences(count * rows);
    for (at, texts) in texts.chunks(rows).enumerate() {
        project.write(format!("in/{at:03}.txt"), texts.join("\n") + "\n");
    }
    project
}

/// Writes a Parquet file with the columns `id` and `text` in row groups of `group` rows.
fn write_parquet(project: &Project, name: &str, texts: &[String], group: usize) {
    let ids: ArrayRef = Arc::new(Int64Array::from_iter_values(0..texts.len() as i64));
    let texts: ArrayRef = Arc::new(StringArray::from_iter_values(texts));
    let batch = RecordBatch::try_from_iter([("id", ids), ("text", texts)]).unwrap();
    let properties = WriterProperties::builder().set_max_row_group_row_count(Some(group)).build();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    project.write(name, bytes);
}

fn read_parquet(project: &Project, name: &str) -> RecordBatch {
    let file = std::fs::File::open(project.path(name)).unwrap();
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
    let schema = builder.schema().clone();
    let batches: Vec<RecordBatch> = builder.build().unwrap().map(Result::unwrap).collect();
    concat_batches(&schema, &batches).unwrap()
}

fn columns(batch: &RecordBatch) -> Vec<String> {
    batch.schema().fields().iter().map(|field| field.name().clone()).collect()
}

/// How many files the program says that it has written, kept, and left to other processes.
fn counts(outcome: &Outcome) -> [usize; 3] {
    let line = outcome.stderr.lines().find(|line| line.contains("vectors written, ")).expect(&outcome.stderr);
    let before = |word: &str| {
        let (before, _) = line.split_once(word)?;
        before.trim_end().rsplit(' ').next()?.parse::<usize>().ok()
    };
    [before(" file").unwrap(), before(" kept").unwrap(), before(" written by other").unwrap_or(0)]
}

#[test]
fn each_file_of_a_folder_has_a_file_with_its_texts_and_vectors() {
    let project = with_files(2, 3);
    project.write("in/deep/more.jsonl", "{\"text\": \"the dog\"}\n");
    project.succeed(ENCODE);
    let names: Vec<PathBuf> = project.files("out").into_keys().collect();
    assert_eq!(names, ["000.txt.parquet", "001.txt.parquet", "deep/more.jsonl.parquet"].map(PathBuf::from));
    let lines = project.succeed("encode --model static --input in/001.txt").vectors();
    let written = read_parquet(&project, "out/001.txt.parquet");
    assert_eq!(columns(&written), ["text", "embedding"]);
    let vectors = written.column(1).as_fixed_size_list().values().as_primitive::<Float32Type>().values().to_vec();
    assert_eq!(vectors, lines.concat());
    let texts: Vec<_> = written.column(0).as_string::<i32>().iter().flatten().map(str::to_owned).collect();
    assert_eq!(texts, sentences(6)[3..]);
}

#[test]
fn kept_columns_stand_beside_the_vectors_with_their_types() {
    let project = with_files(0, 1);
    write_parquet(&project, "in/a.parquet", &sentences(5), 100);
    project.succeed(&format!("{ENCODE} --keep id"));
    let written = read_parquet(&project, "out/a.parquet");
    assert_eq!(columns(&written), ["id", "embedding"]);
    assert_eq!(written.column(0).as_primitive::<Int64Type>().values()[..], [0, 1, 2, 3, 4]);
}

#[test]
fn a_star_keeps_all_columns() {
    let project = with_files(0, 1);
    write_parquet(&project, "in/a.parquet", &sentences(5), 100);
    project.succeed(&format!("{ENCODE} --keep *"));
    assert_eq!(columns(&read_parquet(&project, "out/a.parquet")), ["id", "text", "embedding"]);
}

#[test]
fn every_row_keeps_its_place_blank_ones_too() {
    let project = with_files(0, 1);
    let texts = ["the dog", "", "the dog"].map(String::from);
    write_parquet(&project, "in/a.parquet", &texts, 100);
    project.succeed(&format!("{ENCODE} --keep id"));
    assert_eq!(read_parquet(&project, "out/a.parquet").num_rows(), 3);
}

#[test]
fn bits_are_written_as_bytes() {
    let project = with_files(1, 3);
    project.succeed(&format!("{ENCODE} --precision binary"));
    let written = read_parquet(&project, "out/000.txt.parquet");
    let DataType::FixedSizeList(item, 1) = written.column(1).data_type() else { panic!("no byte a vector") };
    assert_eq!(item.data_type(), &DataType::UInt8);
}

#[test]
fn each_row_group_of_a_parquet_file_has_a_file() {
    let project = with_files(0, 1);
    let texts = sentences(10);
    write_parquet(&project, "big.parquet", &texts, 4);
    project.succeed("encode --model static --input big.parquet --to out --each --keep id");
    let names: Vec<PathBuf> = project.files("out").into_keys().collect();
    assert_eq!(names, [0, 1, 2].map(|group| PathBuf::from(format!("big-{group:05}.parquet"))));
    let ids = read_parquet(&project, "out/big-00001.parquet");
    assert_eq!(ids.column(0).as_primitive::<Int64Type>().values()[..], [4, 5, 6, 7]);
}

#[test]
fn what_is_done_is_kept_though_its_files_were_touched() {
    let project = with_files(3, 3);
    project.succeed(ENCODE);
    let before = project.files("out");
    for name in project.files("in").into_keys() {
        let path = Path::new("in").join(name);
        project.write(&path, project.read(&path));
    }
    assert_eq!(counts(&project.succeed(ENCODE)), [0, 3, 0]);
    assert_eq!(project.files("out"), before);
}

#[test]
fn a_file_whose_content_has_changed_is_done_again() {
    let project = with_files(3, 3);
    project.succeed(ENCODE);
    // As long as before.
    project.write("in/001.txt", project.text("in/001.txt").replacen("the", "The", 1));
    assert_eq!(counts(&project.succeed(ENCODE)), [1, 2, 0]);
    let written = read_parquet(&project, "out/001.txt.parquet");
    assert!(written.column(0).as_string::<i32>().value(0).starts_with("The"));
}

#[test]
fn another_model_or_setting_has_all_files_done_again() {
    let project = with_files(2, 3);
    project.succeed(ENCODE);
    assert_eq!(counts(&project.succeed(&format!("{ENCODE} --dimension 4"))), [2, 0, 0]);
    static_model(&project.path("static"), 3);
    assert_eq!(counts(&project.succeed(&format!("{ENCODE} --dimension 4"))), [2, 0, 0]);
    assert_eq!(counts(&project.succeed(&format!("{ENCODE} --dimension 4"))), [0, 2, 0]);
}

#[test]
fn a_damaged_file_of_vectors_is_made_anew() {
    let project = with_files(2, 3);
    project.succeed(ENCODE);
    let before = project.files("out");
    project.halve("out/001.txt.parquet");
    project.succeed(ENCODE).told(&["001.txt.parquet is damaged"]);
    assert_eq!(project.files("out"), before);
}

#[test]
fn shards_share_the_files_among_them() {
    let project = with_files(5, 3);
    assert_eq!(counts(&project.succeed(&format!("{ENCODE} --shard 0/2"))), [3, 0, 0]);
    assert_eq!(counts(&project.succeed(&format!("{ENCODE} --shard 1/2"))), [2, 0, 0]);
    assert_eq!(counts(&project.succeed(ENCODE)), [0, 5, 0]);
}

#[test]
fn the_bytes_do_not_depend_on_threads() {
    let project = with_files(1, 3_000);
    project.succeed(&format!("{ENCODE} --threads 1"));
    project.succeed("encode --model static --input in --to two --each --threads 2");
    assert!(project.files("out") == project.files("two"));
}

#[test]
fn four_processes_on_one_folder_share_the_work() {
    let project = with_files(60, 20);
    project.succeed("encode --model static --input in --to calm --each");
    let start = || project.program(ENCODE).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let processes: Vec<_> = (0..4).map(|_| start()).collect();
    let ended = processes.into_iter().map(|process| Outcome::new(ENCODE, &process.wait_with_output().unwrap()));
    let counts: Vec<[usize; 3]> = ended
        .map(|outcome| {
            assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
            counts(&outcome)
        })
        .collect();
    assert_eq!(counts.iter().map(|[written, ..]| written).sum::<usize>(), 60, "{counts:?}");
    assert!(counts.iter().all(|counts| counts.iter().sum::<usize>() == 60), "{counts:?}");
    assert!(project.files("out") == project.files("calm"));
}

#[test]
fn processes_killed_at_random_moments_leave_the_bytes_of_an_undisturbed_one_and_nothing_else() {
    let project = with_files(60, 50);
    project.succeed("encode --model static --input in --to calm --each");
    let mut random = fastrand::Rng::with_seed(1);
    let mut killed = 0;
    for _ in 0..12 {
        let mut processes = [project.start(ENCODE), project.start(ENCODE)];
        for process in &mut processes {
            std::thread::sleep(std::time::Duration::from_millis(random.u64(5..60)));
            killed += usize::from(process.try_wait().unwrap().is_none());
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }
    assert!(killed > 0, "all processes ended before they could be killed");
    project.succeed(ENCODE);
    assert!(project.files("out") == project.files("calm"), "{:?}", project.files("out").into_keys());
}

#[test]
fn the_next_process_removes_the_temporary_file_of_a_killed_one() {
    let project = with_files(1, 3);
    project.succeed(ENCODE);
    project.write("out/.limbeck-000.txt.parquet.tmp", "half");
    project.succeed(ENCODE);
    assert_eq!(project.files("out").len(), 1);
}

#[cfg(unix)]
#[test]
fn an_interrupted_process_keeps_finished_files_and_says_how_to_go_on() {
    let project = with_files(400, 50);
    let mut child = project.program(ENCODE).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    project.wait_for(&mut child, "out/000.txt.parquet", 0);
    Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    let outcome = Outcome::new(ENCODE, &child.wait_with_output().unwrap());
    assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
    outcome.told(&["hint: the finished files are kept; go on with: ", "--each"]);
    let files = project.files("out");
    assert!(files.keys().all(|name| !name.to_string_lossy().starts_with('.')), "{:?}", files.keys());
    let [written, kept, _] = counts(&project.succeed(ENCODE));
    assert!(kept > 0 && written + kept == 400);
}

#[test]
fn files_that_would_have_one_place_are_refused() {
    let project = with_files(1, 3);
    write_parquet(&project, "in/000.txt.parquet", &sentences(3), 10);
    project.refuse(ENCODE).told(&["in/000.txt ", "in/000.txt.parquet", "rename one"]);
}

#[test]
fn a_parquet_file_of_another_make_is_not_written_over() {
    let project = with_files(0, 1);
    write_parquet(&project, "in/a.parquet", &sentences(3), 10);
    write_parquet(&project, "out/a.parquet", &sentences(2), 10);
    let before = project.read("out/a.parquet");
    project.fail(ENCODE).told(&["out/a.parquet", "hint: "]);
    assert!(project.read("out/a.parquet") == before);
}

#[test]
fn a_folder_of_vectors_within_the_input_is_refused() {
    let project = with_files(1, 3);
    project.refuse("encode --model static --input in --to in/vectors --each").told(&["--to in/vectors"]);
}

#[test]
fn options_that_each_cannot_follow_are_refused() {
    let project = with_files(1, 3);
    project.refuse("encode --model static --input in --each").told(&["--to"]);
    project.refuse("encode --model static --each --to out").told(&["--input"]);
    project.refuse(&format!("{ENCODE} --format npy")).told(&["--format"]);
    project.refuse("encode --model static --input in --keep id");
}

#[test]
fn a_kept_column_that_is_missing_is_named() {
    let project = with_files(0, 1);
    write_parquet(&project, "in/a.parquet", &sentences(3), 10);
    project.fail(&format!("{ENCODE} --keep url")).told(&["in/a.parquet", "`url`", "hint: its columns are: id, text"]);
}

#[test]
fn columns_of_one_name_are_refused() {
    let project = with_files(0, 1);
    write_parquet(&project, "in/a.parquet", &sentences(3), 10);
    project.refuse(&format!("{ENCODE} --keep id,id")).told(&["a.parquet", "`id`", "--keep"]);
}

#[test]
fn a_teachers_vectors_of_each_file_lack_blank_and_duplicate_texts() {
    let project = Project::empty();
    tiny_teacher(&project.path("teacher"), 1);
    let texts = ["the dog", "", "the cat", "the dog"].map(String::from);
    write_parquet(&project, "in/a.parquet", &texts, 10);
    let embed = "embed --teacher teacher --input in --to out --each --keep id";
    project.succeed(embed).told(&["1 file with 2 vectors written, 0 kept; 2 blank or duplicate texts left out"]);
    let written = read_parquet(&project, "out/a.parquet");
    assert_eq!(columns(&written), ["id", "text", "embedding"]);
    assert_eq!(written.column(0).as_primitive::<Int64Type>().values()[..], [0, 2]);
    assert_eq!(counts(&project.succeed(embed)), [0, 1, 0]);
}

#[test]
fn a_student_is_distilled_from_the_files_of_embed_each() {
    let project = Project::empty();
    tiny_teacher(&project.path("teacher"), 1);
    project.write("in/a.txt", sentences(200).join("\n"));
    project.write("in/b.txt", sentences(400)[200..].join("\n"));
    project.succeed("embed --teacher teacher --input in --to out --each");
    let student = "--to student --set distil.epochs=1 --set student.embedding=16";
    project.succeed(&format!("distil --cache out --tokenizer teacher/tokenizer.json {student}"));
    assert!(project.has("student/model.safetensors"));
}

#[test]
fn an_adopted_folder_is_checked_and_distilled_from() {
    let project = Project::empty();
    tiny_teacher(&project.path("teacher"), 1);
    project.write("in/a.txt", sentences(200).join("\n"));
    project.write("in/b.txt", sentences(300)[150..].join("\n"));
    project.succeed("embed --teacher teacher --input in --to out --each");
    project.succeed("cache adopt out").told(&["2 files with 350 rows, 50 duplicates among them", "2 files are new"]);
    let student = "--to student --set distil.epochs=1 --set student.embedding=16";
    project.succeed(&format!("distil --cache out --tokenizer teacher/tokenizer.json {student}"));
    project.halve("out/a.txt.parquet");
    project.fail("inspect out").told(&["a.txt.parquet", "hint: "]);
}

#[test]
fn a_folder_without_parquet_is_not_adopted() {
    let project = Project::empty();
    project.write("out/a.txt", "a\n");
    project.fail("cache adopt out").told(&["out"]);
}

#[test]
fn a_part_of_a_cache_reads_its_own_files_alone() {
    let project = Project::empty();
    tiny_teacher(&project.path("teacher"), 1);
    project.write("in/a.txt", sentences(200).join("\n"));
    project.write("in/b.txt", sentences(300)[150..].join("\n"));
    let embed = |shard: &str| format!("embed --teacher teacher --input in --to cache --shard {shard}");
    project.succeed(&embed("0/2")).told(&["200 sentences"]);
    // As large as before, and no text: only the part that owns it can tell.
    let text = project.read("in/a.txt");
    project.write("in/a.txt", vec![0xff; text.len()]);
    project.succeed(&embed("1/2")).told(&["150 sentences"]);
    project.fail(&embed("0/2")).told(&["in/a.txt"]);
    project.write("in/a.txt", text);
    project.succeed(&embed("0/2")).told(&["0 shards written, 1 kept"]);
    let inspected = project.succeed("inspect cache").stdout;
    assert!(
        ["rows        350", "complete    true", "duplicates  50"].iter().all(|fact| inspected.contains(fact)),
        "{inspected}"
    );
    let student = "--to student --set distil.epochs=1 --set student.embedding=16";
    project.succeed(&format!("distil --cache cache {student}"));
}
