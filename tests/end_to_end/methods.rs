//! The methods by which a student learns, alone and one after another.

use std::sync::LazyLock;

use crate::shared::MODELS;
use crate::support::Project;

const MORE: &str = r#"
[train_student]
dev = ["pairs.tsv"]
simcse = { batch = 64, checkpoint_every = 5, evaluate_every = 5 }

[am_softmax]
epochs = 2
batch = 64
views = 3
sampled_classes = 300
checkpoint_every = 5
evaluate_every = 10
"#;

/// The recipe `all.toml` of three methods, run up to its exports.
static METHODS: LazyLock<Project> = LazyLock::new(|| {
    Project::shared("methods", 900, |project| {
        let methods = "[student]\nmethods = [\"simcse\", \"am-softmax\", \"distil\"]\n";
        project.write_recipe("all.toml", ("[student]\n", methods), MORE);
        project.succeed("run all.toml --to export-student");
    })
});

const PLAN: &str = "run all.toml --to distil --dry-run";

#[test]
fn the_student_of_every_method_is_kept() {
    for student in ["methods/simcse", "methods/am-softmax", "student"] {
        let files = METHODS.files(format!("runs/all/{student}"));
        assert_eq!(files.len(), 3, "{student}: {:?}", files.keys());
    }
}

#[test]
fn a_method_begins_at_the_best_student_of_the_method_before_it() {
    let scores = |stage: &str| -> Vec<f64> {
        let log = METHODS.metrics("runs/all/metrics.jsonl", stage);
        log.iter().filter_map(|line| line["dev_spearman"].as_f64()).collect()
    };
    let best = scores("simcse").into_iter().fold(-100.0, f64::max);
    assert!((scores("am-softmax")[0] - best).abs() < 1e-9);
}

#[test]
fn am_softmax_lowers_its_loss() {
    let log = METHODS.metrics("runs/all/metrics.jsonl", "am-softmax");
    let losses: Vec<f64> = log.iter().filter_map(|line| line["loss"].as_f64()).collect();
    assert!(losses[losses.len() - 1] < losses[0], "{losses:?}");
}

#[test]
fn finished_methods_are_skipped() {
    let plan = METHODS.succeed(PLAN);
    for stage in ["simcse", "am-softmax", "distil"] {
        assert!(plan.planned(stage).starts_with("skip"), "{}", plan.stdout);
    }
}

#[test]
fn a_changed_method_runs_again_with_every_method_after_it_and_none_before_it() {
    let plan = METHODS.succeed(&format!("{PLAN} --set am_softmax.margin=0.2"));
    let [simcse, changed, distil] = ["simcse", "am-softmax", "distil"].map(|stage| plan.planned(stage));
    assert!(simcse.starts_with("skip"), "{}", plan.stdout);
    assert!(changed.starts_with("run") && changed.contains("am_softmax.margin"), "{}", plan.stdout);
    assert!(distil.starts_with("run") && distil.contains("am-softmax"), "{}", plan.stdout);
}

#[test]
fn from_a_method_on_the_methods_before_it_are_skipped() {
    let plan = METHODS.succeed(&format!("{PLAN} --from distil"));
    assert!(plan.planned("am-softmax").starts_with("skip"), "{}", plan.stdout);
    assert!(plan.planned("distil").starts_with("run"), "{}", plan.stdout);
}

#[test]
fn a_stage_that_the_recipe_does_not_have_is_named() {
    METHODS.fail("run tiny.toml --from simcse --dry-run").told(&["simcse"]);
}

#[test]
fn killed_methods_end_in_the_bytes_of_undisturbed_ones() {
    let project = Project::new(1_500);
    let methods = "[student]\nmethods = [\"distil\", \"am-softmax\"]\n";
    let loss = "[distil.losses.am_softmax]\nweight = 0.01\nsampled_classes = 200\n";
    project.write_recipe("both.toml", ("[student]\n", methods), &(MORE.replace("epochs = 2", "epochs = 20") + loss));
    project.succeed("run both.toml --runs calm --to am-softmax");
    project.succeed("run both.toml --runs killed --to embed");
    let run = "run both.toml --runs killed --to am-softmax";
    let milliseconds = [350, 500, 700, 450, 600, 800, 550, 650];
    let killed = milliseconds.into_iter().filter(|&milliseconds| project.kill_after(run, milliseconds)).count();
    assert!(killed > 1, "the trainings ended before they could be killed");
    project.succeed(run);
    for name in ["student", "methods"] {
        let files = |runs: &str| project.files(format!("{runs}/both/{name}"));
        assert!(files("calm") == files("killed"), "{name} differs");
    }
}

/// A student by AM-softmax from text and one from a cache, distilled on from its folder and from its export.
static CLASSES: LazyLock<Project> = LazyLock::new(|| {
    Project::shared("classes", 900, |project| {
        project.succeed("embed --teacher teacher --input text.txt --to cache");
        let distil = "distil --cache cache --set distil.batch=64";
        project.succeed(&format!("{distil} --to start --set distil.epochs=0 --set student.embedding=16"));
        let learn = "am-softmax --student start --set am_softmax.batch=64 --set am_softmax.views=3";
        let from_text = "--input text.txt --dev pairs.tsv --set am_softmax.limit=500";
        project.succeed(&format!("{learn} --to from-text {from_text}"));
        project.succeed(&format!("{learn} --to from-cache --cache cache --set am_softmax.centres=teacher"));
        project.succeed("export --model from-cache --format sentence-transformers --to exported");
        for student in ["from-cache", "exported"] {
            project.succeed(&format!("{distil} --student {student} --to on-{student} --set distil.epochs=1"));
        }
    })
});

/// The fidelity at which the distillation to `name` began.
fn first_fidelity(name: &str) -> f64 {
    CLASSES.metrics(format!("{name}/metrics.jsonl"), "distil")[0]["fidelity_cosine"].as_f64().unwrap()
}

#[test]
fn am_softmax_takes_every_sentence_of_a_text_or_cache_as_a_class() {
    for (student, classes) in [("from-text", 500), ("from-cache", 855)] {
        let found = CLASSES.json(format!("{student}/config.json"))["origin"]["classes"].as_u64().unwrap();
        assert!(found.abs_diff(classes) < 30, "{student}: {found} classes");
    }
}

#[test]
fn am_softmax_leaves_a_student_and_its_log_and_no_checkpoint() {
    for student in ["from-text", "from-cache"] {
        let files = CLASSES.files(student);
        assert_eq!(files.len(), 4, "{:?}", files.keys());
    }
}

#[test]
fn distillation_goes_on_from_a_student() {
    assert_ne!(first_fidelity("start"), first_fidelity("on-from-cache"));
}

#[test]
fn distillation_goes_on_from_a_sentence_transformers_export_as_from_the_student() {
    // The export has an end token in its tokenizer.
    assert_eq!(first_fidelity("on-exported"), first_fidelity("on-from-cache"));
}

#[test]
fn class_centres_of_a_teacher_without_a_cache_are_refused() {
    let outcome =
        MODELS.copy().fail("am-softmax --student student --input text.txt --to x --set am_softmax.centres=teacher");
    outcome.told(&["am_softmax.centres", "teacher", "cache"]);
}
