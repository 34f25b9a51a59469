//! A teacher behind an API, against a server on loopback.

use std::path::Path;
use std::process::Stdio;

use crate::support::api_server::{Answer, ApiServer, Request};
use crate::support::{Outcome, Project};

const KEY_ENV: &str = "LIMBECK_TEST_KEY";
const KEY: &str = "sk-0123456789-secret";

/// A project whose recipe `api.toml` names the teacher at `server`, with `more` in `[teacher.api]`.
fn project(server: &ApiServer, sentences: usize, more: &str) -> Project {
    let project = Project::new(sentences);
    let api = format!(
        "[teacher.api]\nurl = \"{}\"\nmodel = \"m\"\nkey_env = \"{KEY_ENV}\"\ntokenizer = \"teacher/tokenizer.json\"\n\
         {more}\n",
        server.url
    );
    project.write_recipe("api.toml", ("[teacher]\nsource = \"teacher\"\n", &api), "");
    project
}

fn run(project: &Project, line: &str) -> Outcome {
    let outcome = Outcome::new(line, &project.program(line).env(KEY_ENV, KEY).output().unwrap());
    assert!(!outcome.stdout.contains(KEY) && !outcome.stderr.contains(KEY), "{line} shows the key");
    outcome
}

#[track_caller]
fn succeed(project: &Project, line: &str) -> Outcome {
    let outcome = run(project, line);
    assert_eq!(outcome.code, Some(0), "limbeck {line}: {}", outcome.stderr);
    outcome
}

/// The files of the folders `one` and `other` are the same, but for what was spent and hidden ones.
#[track_caller]
fn assert_same(project: &Project, one: &str, other: &str) {
    let [one, other] = [one, other].map(|name| {
        let mut files = project.files(name);
        files.retain(|path, _| !path.to_string_lossy().starts_with('.') && path != Path::new("api-usage.json"));
        files
    });
    assert!(!one.is_empty() && one == other, "{:?} and {:?} differ", one.keys(), other.keys());
}

fn asked(requests: &[Request]) -> usize {
    requests.iter().map(|request| request.texts().len()).sum()
}

#[test]
fn a_recipe_with_a_teacher_behind_an_api_runs_to_its_end_and_keeps_the_key_to_itself() {
    let server = ApiServer::new();
    let project = project(&server, 1_500, "");
    let outcome = succeed(&project, "run api.toml");
    outcome
        .told(&["evaluate: the teacher behind the API is left out", "bench: the teacher behind the API is left out"]);
    for (name, bytes) in project.files("runs") {
        assert!(!String::from_utf8_lossy(&bytes).contains(KEY), "{} holds the key", name.display());
    }
    let rows = project.json("runs/api/evaluation.json");
    let names: Vec<&str> = rows.as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["student", "student int8", "static, untrained", "static, trained"]);
    assert!(project.text("runs/api/student/README.md").contains(&format!("m at {}", server.url)));
    let before = server.requests().len();
    assert_eq!(succeed(&project, "run api.toml").skipped(), outcome_stages(&project));
    assert_eq!(server.requests().len(), before, "what is up to date is not paid for again");
}

/// How many stages the finished run has.
fn outcome_stages(project: &Project) -> usize {
    project.json("runs/api/summary.json")["stages"].as_array().unwrap().len()
}

#[test]
fn a_run_that_a_cap_has_stopped_goes_on_with_a_higher_one_to_the_same_bytes() {
    let server = ApiServer::new();
    let project = project(&server, 5_000, "");
    let line = |runs: &str, cap: u64| {
        format!("run api.toml --to distil --runs {runs} --set teacher.api.max_total_tokens={cap}")
    };
    succeed(&project, &line("calm", 1_000_000));
    let spent = project.json("calm/api/api-usage.json").as_object().unwrap().values().next().unwrap().clone();
    let all = spent["tokens"].as_u64().unwrap();
    assert_eq!(spent["estimated"], 0);
    let stopped = run(&project, &line("capped", all * 2 / 3));
    assert_eq!(stopped.code, Some(1), "{}", stopped.stderr);
    stopped.told(&["the cap max_total_tokens = ", "is reached", "hint: finished shards are kept: raise the cap"]);
    let before = asked(&server.requests());
    let resumed = succeed(&project, &line("capped", 1_000_000));
    assert!(resumed.says("embed", " kept"), "{}", resumed.stderr);
    assert!(asked(&server.requests()) - before < 5_000 - 2_000, "finished shards are not asked for again");
    for name in ["cache/train", "cache/held-out", "student"] {
        assert_same(&project, &format!("calm/api/{name}"), &format!("capped/api/{name}"));
    }
}

#[test]
fn a_killed_run_goes_on_to_the_same_bytes() {
    let server = ApiServer::new();
    let project = project(&server, 5_000, "");
    succeed(&project, "run api.toml --to embed --runs calm");
    let line = "run api.toml --to embed --runs killed";
    let mut child =
        project.program(line).env(KEY_ENV, KEY).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    project.wait_for(&mut child, "killed/api/cache/train/shard-00000.parquet", 0);
    child.kill().unwrap();
    child.wait().unwrap();
    succeed(&project, line);
    for name in ["cache/train", "cache/held-out"] {
        assert_same(&project, &format!("calm/api/{name}"), &format!("killed/api/{name}"));
    }
}

#[test]
fn a_dry_run_says_what_the_teacher_would_be_asked_for_and_asks_nothing() {
    let server = ApiServer::new();
    let project = project(&server, 3_000, "price = 2.0\n");
    let planned = succeed(&project, "run api.toml --dry-run").stdout;
    assert!(server.requests().is_empty() && !project.has("runs/api/text"));
    succeed(&project, "run api.toml --to embed");
    let requests = server.requests();
    // One text is asked for first, to see that the teacher answers.
    let said = format!("m at {}: {} texts, about ", server.url, asked(&requests) - 1);
    assert!(
        planned.contains(&said) && planned.contains(&format!("{} requests, cost 0.", requests.len() - 1)),
        "{planned}"
    );
}

#[test]
fn the_teacher_s_own_figures_are_measured_where_the_recipe_asks_for_them() {
    let server = ApiServer::new();
    let project = project(&server, 1_500, "measure = true\n");
    succeed(&project, "run api.toml");
    let teacher = &project.json("runs/api/evaluation.json")[0];
    assert_eq!((&teacher["name"], &teacher["engine"]), (&"teacher".into(), &"api".into()));
    assert_eq!(teacher["scores"]["pairs"]["pairs"], 200);
    assert!(teacher["fidelity"]["cosine"].as_f64().unwrap() > 0.999);
}

#[test]
fn a_refused_key_is_an_error_that_does_not_show_it() {
    let server = ApiServer::answering(|_, request| {
        Answer::error(401, &format!("wrong key {}", request.authorization.as_deref().unwrap_or_default()))
    });
    let project = project(&server, 1_500, "");
    let outcome = run(&project, "run api.toml");
    assert_eq!(outcome.code, Some(1));
    outcome.told(&["the server answers 401: wrong key Bearer [key]", "hint: ", "key_env"]);
}

#[test]
fn embed_takes_an_api_as_options() {
    let server = ApiServer::new();
    let project = Project::new(300);
    let api = format!(
        "embed --api-url {} --api-model m --api-key-env {KEY_ENV} --input text.txt --to cache --storage f32 \
         --student-tokenizer teacher/tokenizer.json",
        server.url
    );
    let planned = succeed(&project, &format!("{api} --dry-run")).stdout;
    assert!(server.requests().is_empty() && !project.has("cache"));
    succeed(&project, &api);
    assert!(planned.contains(&format!(": {} texts, about ", asked(&server.requests()) - 1)), "{planned}");
    succeed(
        &project,
        "distil --cache cache --tokenizer teacher/tokenizer.json --to student --set distil.epochs=1 \
                       --set student.embedding=16",
    );
    assert!(project.has("student/config.json"));
    for file in project.files("cache").values() {
        assert!(!String::from_utf8_lossy(file).contains(KEY));
    }
}

#[test]
fn embed_refuses_what_has_no_effect_beside_an_api() {
    let project = Project::new(20);
    let api = "embed --api-url http://127.0.0.1:1/v1 --api-model m --input text.txt --to cache";
    project.refuse(&format!("{api} --pooler mean")).told(&["--pooler"]);
    project.refuse(&format!("{api} --api-batch 0")).told(&["batch is 0"]);
    assert_eq!(project.run(&format!("{api} --teacher teacher")).code, Some(2));
    assert_eq!(project.run("embed --input text.txt --to cache").code, Some(2));
    assert_eq!(project.run("embed --teacher teacher --input text.txt --to cache --dry-run").code, Some(2));
}
