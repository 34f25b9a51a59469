//! `join`: the caches of two teachers as one.

use std::sync::LazyLock;

use crate::support::{Project, tiny_teacher};

const JOIN: &str = "join --cache one --cache two --storage f32";

/// The caches `one` and `two` of two teachers, and `both`, joined from them with the weights 1 and 2.
static JOINED: LazyLock<Project> = LazyLock::new(|| {
    Project::shared("joined", 900, |project| {
        tiny_teacher(&project.path("other"), 2);
        for (teacher, to) in [("teacher", "one"), ("other", "two")] {
            let tokens = "--student-tokenizer teacher/tokenizer.json";
            project.succeed(&format!("embed --teacher {teacher} --input text.txt --to {to} --storage f32 {tokens}"));
        }
        project.succeed(&format!("{JOIN} --weights 1,2 --to both"));
    })
});

#[test]
fn a_joined_cache_holds_every_row_and_says_how_it_was_joined() {
    let inspected = JOINED.succeed("inspect both").stdout;
    for fact in ["rows        900", "dimension   32", "complete    true", "tokens      ", "[1.0, 2.0]", "0.5"] {
        assert!(inspected.contains(fact), "{fact} is missing in {inspected}");
    }
}

#[test]
fn the_same_join_gives_the_same_bytes() {
    let project = JOINED.copy();
    project.succeed(&format!("{JOIN} --weights 1,2 --to both"));
    assert!(project.files("both") == JOINED.files("both"));
}

#[test]
fn a_join_like_another_gives_the_same_bytes() {
    let project = JOINED.copy();
    project.succeed(&format!("{JOIN} --like both --to alike"));
    assert!(project.files("alike") == JOINED.files("both"));
}

#[test]
fn other_weights_give_other_vectors() {
    let project = JOINED.copy();
    project.succeed(&format!("{JOIN} --weights 1,3 --to otherwise"));
    assert!(project.files("otherwise") != JOINED.files("both"));
}

#[test]
fn a_student_distilled_from_a_joined_cache_starts_from_its_tokens_and_comes_nearer() {
    let project = JOINED.copy();
    let recipe = "[cache]\npath = \"both\"\n[student]\nembedding = 16\ntokenizer = \"both/tokenizer.json\"\n\
                  [distil]\nepochs = 2\nbatch = 64\n[evaluate]\nsts = [\"pairs.tsv\"]\n\
                  [bench]\nrounds = 1\nseconds = 0.05\n";
    project.write("both.toml", recipe);
    let table = project.succeed("run both.toml").stdout;
    assert!(table.contains("static-trained"), "{table}");
    let log = project.json_lines("runs/both/metrics.jsonl");
    let fidelity: Vec<f64> = log.iter().filter_map(|line| line["fidelity_cosine"].as_f64()).collect();
    assert!(fidelity[0] > 0.3 && fidelity.last().unwrap() > &(fidelity[0] + 0.2), "{fidelity:?}");
}

#[test]
fn caches_of_other_texts_are_not_joined_and_the_first_row_that_differs_is_named() {
    let project = Project::new(100);
    project.write("others.txt", (0..1_500).map(|number| format!("the dog {number}\n")).collect::<String>());
    project.succeed("embed --teacher teacher --input text.txt --to one");
    project.succeed("embed --teacher teacher --input others.txt --to others");
    project.fail("join --cache one --cache others --to both").told(&["others", "row 0", "one"]);
}

#[test]
fn a_join_like_a_cache_that_was_not_joined_fails() {
    JOINED.copy().fail("join --cache one --cache two --like one --to x").told(&["one/join.safetensors"]);
}

#[test]
fn a_single_cache_is_not_joined() {
    JOINED.refuse("join --cache one --to x").told(&["two"]);
}

#[test]
fn weights_that_do_not_fit_the_caches_are_refused() {
    JOINED.refuse("join --cache one --cache two --weights 1,2,3 --to x").told(&["--weights", "3", "2"]);
    JOINED.refuse("join --cache one --cache two --weights 1,0 --to x").told(&["--weights", "0e0"]);
}

#[test]
fn a_join_into_one_of_its_caches_is_refused() {
    let project = JOINED.copy();
    for to in ["one", "one/deeper", "new/../one"] {
        project.refuse(&format!("join --cache one --cache two --to {to}")).told(&["one"]);
    }
    assert!(project.files("one") == JOINED.files("one"));
}
