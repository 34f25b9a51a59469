//! `join`: two teachers' caches as one.

use serde_json::Value;

use super::support::{bytes_of, fail, project, run, succeed, text, tiny_teacher};

#[test]
fn two_teachers_caches_join_into_one_to_distil_from() {
    let (_keep, folder) = project(900);
    tiny_teacher(&folder.join("other"), 2);
    let embed = |teacher: &str, to: &str| {
        let tokens = ["--student-tokenizer", "teacher/tokenizer.json"];
        let embed = ["embed", "--teacher", teacher, "--input", "text.txt", "--to", to, "--storage", "f32"];
        succeed(&folder, &[&embed[..], &tokens].concat());
    };
    embed("teacher", "one");
    embed("other", "two");
    let join = |more: &[&str], to: &str| {
        let join = ["join", "--cache", "one", "--cache", "two", "--storage", "f32", "--to", to];
        succeed(&folder, &[&join[..], more].concat())
    };
    join(&["--weights", "1,2"], "both");
    let inspected = succeed(&folder, &["inspect", "both"]);
    for line in
        ["rows        900", "dimension   32", "complete    true", "tokens      ", "weights [1.0, 2.0], centre 0.5"]
    {
        assert!(inspected.contains(line), "{inspected}");
    }
    let made = bytes_of(&folder.join("both"));
    join(&["--weights", "1,2"], "both");
    join(&["--like", "both"], "alike");
    assert!(made == bytes_of(&folder.join("both")) && made == bytes_of(&folder.join("alike")));
    join(&["--weights", "1,3"], "otherwise");
    assert!(made != bytes_of(&folder.join("otherwise")));

    let recipe = "[cache]\npath = \"both\"\n[student]\nembedding = 16\ntokenizer = \"both/tokenizer.json\"\n[distil]\nepochs = 2\nbatch = 64\n\
                  [evaluate]\nsts = [\"pairs.tsv\"]\n[bench]\nrounds = 1\nseconds = 0.05\n";
    std::fs::write(folder.join("both.toml"), recipe).unwrap();
    let table = succeed(&folder, &["run", "both.toml"]);
    assert!(table.contains("static-trained"), "{table}");
    let log = std::fs::read_to_string(folder.join("runs/both/metrics.jsonl")).unwrap();
    let fidelity: Vec<f64> = log
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).unwrap()["fidelity_cosine"].as_f64())
        .collect();
    // The start is the joined vectors of the tokens, and training goes on from there.
    assert!(fidelity[0] > 0.3 && fidelity.last().unwrap() > &(fidelity[0] + 0.2), "{fidelity:?}");
}

#[test]
fn what_cannot_be_joined_is_said() {
    let (_keep, folder) = project(100);
    let embed =
        |input: &str, to: &str| succeed(&folder, &["embed", "--teacher", "teacher", "--input", input, "--to", to]);
    embed("text.txt", "one");
    std::fs::write(folder.join("others.txt"), (0..1_500).map(|n| format!("the dog {n}\n")).collect::<String>())
        .unwrap();
    embed("others.txt", "others");
    let error = fail(&folder, &["join", "--cache", "one", "--cache", "others", "--to", "both"]);
    assert!(error.contains("others: from about row 0 on its texts are others than those of one"), "{error}");
    let error = fail(&folder, &["join", "--cache", "one", "--cache", "one", "--like", "one", "--to", "both"]);
    assert!(error.contains("join.safetensors") && error.contains("no joined cache"), "{error}");
    for (arguments, what) in [
        (&["--to", "both"][..], "two or more"),
        (&["--cache", "one", "--weights", "1,2,3", "--to", "both"], "--weights has 3 numbers for 2 caches"),
        (&["--cache", "one", "--to", "one"], "lie in one another"),
        (&["--cache", "one", "--to", "one/deeper"], "lie in one another"),
        (&["--cache", "one", "--to", "new/../one"], "lie in one another"),
        (&["--cache", "one", "--weights", "1,0", "--to", "both"], "--weights is 0e0"),
    ] {
        let refused = run(&folder, &[&["join", "--cache", "one"], arguments].concat());
        let error = text(&refused.stderr);
        assert!(refused.status.code() == Some(2) && error.contains(what), "{error}");
    }
}
