//! A recipe from text to a measured student.

use serde_json::Value;

use crate::shared::FINISHED;
use crate::support::Project;

/// The models in the summary of the finished run.
fn models() -> Vec<Value> {
    FINISHED.json("runs/tiny/summary.json")["models"].as_array().unwrap().clone()
}

/// A figure of the model `name` in the summary, by its JSON pointer.
fn figure(name: &str, pointer: &str) -> f64 {
    let model = models().into_iter().find(|model| model["name"] == name).unwrap_or_else(|| panic!("no {name}"));
    model.pointer(pointer).and_then(Value::as_f64).unwrap_or_else(|| panic!("no {pointer} in {model}"))
}

const ONE_SPACE: &str = "/extra/one_space_neighbours_at_10";

#[test]
fn a_summary_has_teacher_students_and_baselines() {
    let roles: Vec<String> = models().iter().map(|model| model["role"].as_str().unwrap().into()).collect();
    assert_eq!(roles, ["teacher", "student", "student", "baseline", "baseline"]);
}

#[test]
fn every_model_of_a_summary_has_speed_scores_and_fidelity() {
    for model in models() {
        assert!(model["sentences_per_second"].as_f64().unwrap() > 0.0, "{model}");
        assert!(model["scores"]["pairs"]["spearman"].is_f64(), "{model}");
        assert!(model["fidelity"]["neighbours_at_10"].as_f64().unwrap() > 0.0, "{model}");
    }
}

#[test]
fn student_and_trained_baseline_are_nearer_to_the_teacher_than_the_untrained_one() {
    let fidelity = |name: &str| figure(name, "/fidelity/cosine");
    let (student, trained) = (fidelity("student"), fidelity("static, trained"));
    let untrained = fidelity("static, untrained");
    assert!(student > untrained && trained > untrained, "{student} {trained} {untrained}");
}

#[test]
fn int8_costs_a_student_little_fidelity() {
    let [f32, int8] = ["student", "student int8"].map(|name| figure(name, "/fidelity/cosine"));
    assert!((f32 - int8).abs() < 0.01, "{f32} {int8}");
}

#[test]
fn a_bag_of_words_does_not_see_the_order_of_words() {
    assert_eq!(figure("static, trained", "/extra/word_order"), 0.0);
    assert_ne!(figure("student", "/extra/word_order"), 0.0);
}

#[test]
fn a_students_queries_find_neighbours_in_the_index_of_its_teacher() {
    let share = figure("student", ONE_SPACE);
    assert!(share > 0.1, "{share}");
    assert!(models()[0].pointer(ONE_SPACE).is_none(), "a teacher has no other space");
}

#[test]
fn the_similarities_of_held_out_pairs_are_counted_for_every_model() {
    let held_out = FINISHED.json("runs/tiny/held-out.json");
    for model in ["teacher", "student", "student int8", "static, trained"] {
        let counts = held_out["similarities"][model].as_array().unwrap();
        assert_eq!(counts.iter().filter_map(Value::as_u64).sum::<u64>(), held_out["pairs"].as_u64().unwrap());
    }
}

#[test]
fn neighbours_of_held_out_sentences_are_kept_by_teacher_and_student() {
    let held_out = FINISHED.json("runs/tiny/held-out.json");
    assert_eq!(held_out["neighbours"][0]["by"].as_object().unwrap().len(), 2, "{held_out}");
}

#[test]
fn a_second_run_skips_every_stage_and_changes_no_file_of_the_student() {
    let project = FINISHED.copy();
    let again = project.succeed("run tiny.toml");
    assert_eq!(again.skipped(), 10, "{}", again.stderr);
    assert!(project.files("runs/tiny/student") == FINISHED.files("runs/tiny/student"));
}

#[test]
fn a_text_file_written_again_is_read_again_and_nothing_else_runs() {
    let project = FINISHED.copy();
    let text = project.read("text.txt");
    std::fs::remove_file(project.path("text.txt")).unwrap();
    project.write("text.txt", text);
    let outcome = project.succeed("run tiny.toml");
    assert!(!outcome.says("text", "skipped") && outcome.says("embed", "skipped"), "{}", outcome.stderr);
    assert_eq!(outcome.skipped(), 9, "{}", outcome.stderr);
}

#[test]
fn a_plan_names_the_setting_that_changed_and_skips_the_stages_before_it() {
    let plan = FINISHED.succeed("run tiny.toml --set distil.epochs=1 --dry-run");
    let distil = plan.planned("distil");
    assert!(distil.starts_with("run") && distil.contains("distil.epochs"), "{}", plan.stdout);
    assert!(plan.planned("embed").starts_with("skip"), "{}", plan.stdout);
}

#[test]
fn from_a_stage_on_every_stage_is_planned_to_run() {
    let plan = FINISHED.succeed("run tiny.toml --from evaluate --dry-run");
    assert!(plan.planned("distil").starts_with("skip"), "{}", plan.stdout);
    assert!(
        ["evaluate", "bench", "report"].iter().all(|stage| plan.planned(stage).starts_with("run")),
        "{}",
        plan.stdout
    );
}

#[test]
fn a_limit_that_no_sentence_meets_trains_nothing_again_but_the_report_tells_of_it() {
    let outcome = FINISHED.copy().succeed("run tiny.toml --set text.max_chars=9000");
    assert!(outcome.says("distil", "skipped") && outcome.says("report", "text.max_chars"), "{}", outcome.stderr);
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_others() {
    let project = Project::new(800);
    let weights = |runs: &str, seed: u32| {
        project.succeed(&format!("run tiny.toml --runs {runs} --to distil --set distil.seed={seed}"));
        project.read(format!("{runs}/tiny/student/model.safetensors"))
    };
    let first = weights("one", 1);
    assert!(first == weights("two", 1));
    assert!(first != weights("three", 2));
}

#[test]
fn vectors_in_a_parquet_file_serve_as_the_teacher() {
    let project = Project::new(1_500);
    project.succeed("encode --model teacher --input text.txt --to vectors.parquet");
    let recipe = "[cache]\npath = \"vectors.parquet\"\n\
                  [student]\nembedding = 16\ntokenizer = \"teacher/tokenizer.json\"\n\
                  [distil]\nepochs = 2\nbatch = 64\n[bench]\nrounds = 1\nseconds = 0.05\n";
    project.write("external.toml", recipe);
    let table = project.succeed("run external.toml").stdout;
    assert!(!table.contains("teacher "), "{table}");
    let start = &project.json_lines("runs/external/metrics.jsonl")[0];
    // The start by least squares is a good static model before the first step.
    assert!(start["fidelity_cosine"].as_f64().unwrap() > 0.8, "{start}");
}

#[test]
fn an_unknown_key_is_named_with_its_line_and_the_nearest_known_one() {
    let project = Project::new(10);
    project.write("wrong.toml", "[distil]\nepoch = 3\n");
    project.fail("run wrong.toml").told(&["wrong.toml", "line 2", "hint: ", "`epochs`"]);
}

const COMMANDS: [&str; 25] = [
    "run",
    "collection",
    "search",
    "exclusion",
    "cache",
    "shorten",
    "fetch",
    "train-teacher",
    "export-teacher",
    "vocabulary",
    "embed",
    "join",
    "distil",
    "simcse",
    "am-softmax",
    "export",
    "encode",
    "evaluate",
    "word-order",
    "bench",
    "report",
    "table",
    "inspect",
    "completions",
    "man",
];

#[test]
fn every_command_is_in_the_list_and_has_help_with_an_example() {
    let project = Project::empty();
    let list = project.succeed("--help").stdout;
    for command in COMMANDS {
        let help = project.succeed(&format!("{command} --help")).stdout;
        // A long description goes on in the next line of the list.
        let about = list.lines().find_map(|line| line.trim_start().strip_prefix(&format!("{command} ")));
        let about = about.unwrap_or_else(|| panic!("{command} is not in the list")).trim();
        assert!(!about.is_empty() && help.starts_with(about), "{about}\n{help}");
        assert!(help.contains(&format!("limbeck {command} ")) && help.contains("Example"), "{help}");
    }
}

#[test]
fn an_unknown_command_is_refused() {
    Project::empty().refuse("distill");
}

#[test]
fn no_threads_at_all_are_refused() {
    Project::empty().refuse("encode --model x --threads 0");
}
