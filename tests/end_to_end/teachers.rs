//! Teachers as people bring them: prompts, and ONNX files of recipes.

use crate::support::{Project, sentences};

const PROMPTS: &str = r#"{"prompts": {"query": "music ", "passage": "river "}}"#;

fn with_prompts() -> Project {
    let project = Project::new(200);
    project.write("teacher/config_sentence_transformers.json", PROMPTS);
    project
}

#[test]
fn a_prompt_is_the_text_that_it_names() {
    let project = with_prompts();
    project.write("one.txt", "the dog sees the cat\n");
    let encode = |options: &str| project.succeed(&format!("encode --model teacher --input one.txt {options}"));
    let by_name = encode("--prompt passage");
    project.write("river.txt", "river the dog sees the cat\n");
    let by_text = project.succeed("encode --model teacher --input river.txt --prefix= ").vectors();
    assert_eq!(by_name.vectors(), by_text);
    assert!(!by_name.stderr.contains("prompts"), "{}", by_name.stderr);
    let without = encode("");
    without.told(&["query (\"music \"), passage (\"river \")", "--prompt"]);
    assert_ne!(without.vectors(), by_text);
    project.fail("encode --model teacher --input one.txt --prompt title").told(&["`title`", "passage", "hint:"]);
    project.refuse("encode --model teacher --input one.txt --prompt query --prefix x").told(&["--prefix"]);
}

#[test]
fn a_recipe_chooses_a_prompt_which_the_student_remembers() {
    let project = with_prompts();
    project.write_recipe("prompt.toml", ("source = \"teacher\"", "source = \"teacher\"\nprompt = \"query\""), "");
    let run = project.succeed("run prompt.toml --to distil");
    assert!(!run.stderr.contains("prompts"), "{}", run.stderr);
    let cache = project.json("runs/prompt/cache/train/cache.json");
    assert_eq!(cache["fingerprint"]["prefix"], "music ");
    assert_eq!(project.json("runs/prompt/student/config.json")["origin"]["prompts"], "music ");
    project.write_recipe(
        "both.toml",
        ("source = \"teacher\"", "source = \"teacher\"\nprompt = \"q\"\nprefix = \"x\""),
        "",
    );
    project.fail("run both.toml").told(&["prefix", "prompt", "hint:"]);
}

#[test]
fn a_source_has_the_prompt_of_its_role() {
    let project = with_prompts();
    let lines = project.text("text.txt");
    let (queries, documents) = lines.split_at(lines[..lines.len() / 2].rfind('\n').unwrap() + 1);
    project.write("queries.txt", queries);
    project.write("documents.txt", format!("{documents}\n\n"));
    let source = |role: &str, uri: &str| format!("[[text.source]]\nuri = \"{uri}\"\nrole = \"{role}\"\n");
    let both = source("query", "queries.txt") + &source("document", "documents.txt");
    project.write_recipe("roles.toml", ("[[text.source]]\nuri = \"text.txt\"\n", &both), "");
    let run = project.succeed("run roles.toml --to distil");
    assert!(run.says("text", "documents.txt: 2 blank texts"), "{}", run.stderr);
    let cache = project.json("runs/roles/cache/train/cache.json");
    assert_eq!(cache["fingerprint"]["prefix"], r#"[["query","music "],["document","river "]]"#);
    let origin = &project.json("runs/roles/student/config.json")["origin"];
    assert_eq!(origin["prompts"], serde_json::json!({"query": "music ", "document": "river "}));

    let other = source("title", "queries.txt");
    project.write_recipe("other.toml", ("[[text.source]]\nuri = \"text.txt\"\n", &other), "");
    project.fail("run other.toml").told(&["`title`", "query", "hint:"]);
}

#[test]
fn another_source_of_the_same_role_is_appended_and_sources_of_several_prompts_are_embedded_anew() {
    let project = with_prompts();
    let lines = sentences(500);
    project.write("one.txt", lines[..300].join("\n"));
    project.write("two.txt", lines[300..400].join("\n"));
    let source = |role: &str, uri: &str| format!("[[text.source]]\nuri = \"{uri}\"\nrole = \"{role}\"\n");
    let write = |sources: String| {
        project.write_recipe("roles.toml", ("[[text.source]]\nuri = \"text.txt\"\n", &sources), "");
    };
    let run = "run roles.toml --to embed";
    write(source("document", "one.txt"));
    project.succeed(run);
    write(source("document", "one.txt") + &source("document", "two.txt"));
    project.succeed(run).told(&["texts are new; 2"]);

    write(source("document", "one.txt") + &source("query", "two.txt"));
    assert!(!project.succeed(run).stderr.contains("are new"));
    project.write("two.txt", lines[300..].join("\n"));
    project.succeed(run).told(&["cache/train is made anew: its sources have several prompts"]);
}

#[test]
fn a_recipe_takes_an_onnx_file_as_its_teacher() {
    let project = Project::new(400);
    project.succeed("export-teacher --model teacher --to model/onnx/model.onnx");
    std::fs::rename(project.path("model/onnx/tokenizer.json"), project.path("model/tokenizer.json")).unwrap();
    for source in ["model", "model/onnx/model.onnx"] {
        project.write_recipe("onnx.toml", ("source = \"teacher\"", &format!("source = \"{source}\"")), "");
        project.succeed("run onnx.toml");
        let models = project.json("runs/onnx/summary.json")["models"].as_array().unwrap().clone();
        assert_eq!((models[0]["name"].as_str(), models[0]["role"].as_str()), (Some("teacher"), Some("teacher")));
        let again = project.succeed("run onnx.toml");
        assert!(again.says("embed", "skipped") && again.says("export-teacher", "skipped"), "{}", again.stderr);
    }
    let folder = project.succeed("run tiny.toml --to embed");
    assert!(folder.says("embed", "train"), "{}", folder.stderr);
    let shard = "cache/train/shard-00000.parquet";
    assert_eq!(project.read(format!("runs/onnx/{shard}")), project.read(format!("runs/tiny/{shard}")));

    let train = "\n[train_teacher]\nsimcse = { epochs = 1 }\n";
    project.write_recipe("train.toml", ("source = \"teacher\"", "source = \"model\""), train);
    project.fail("run train.toml").told(&["ONNX file"]);
}

#[test]
fn a_folder_with_several_onnx_files_names_them() {
    let project = Project::new(10);
    project.succeed("export-teacher --model teacher --to model/onnx/model_fp16.onnx");
    project.succeed("export-teacher --model teacher --to model/onnx/model_quantized.onnx");
    project.write("one.txt", "the dog\n");
    project.fail("encode --model model --input one.txt").told(&["model_fp16.onnx", "model_quantized.onnx"]);
    std::fs::remove_file(project.path("model/onnx/model_fp16.onnx")).unwrap();
    project.succeed("encode --model model --input one.txt");
}
