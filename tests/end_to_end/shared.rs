//! Projects that take a while to make, made once for all tests that read them. A test that changes one takes a copy.

use std::sync::LazyLock;

use crate::support::{Project, static_model, tiny_teacher};

/// 1,500 sentences, the finished run of `tiny.toml` and what it printed, a second run of one epoch, and the report of
/// both.
pub(crate) static FINISHED: LazyLock<Project> = LazyLock::new(|| {
    Project::shared("finished", 1_500, |project| {
        project.write("printed.txt", project.succeed("run tiny.toml").stdout);
        project.succeed("run tiny.toml --set name=other --set distil.epochs=1");
        project.succeed("report runs/tiny runs/other --to both.html");
    })
});

/// 400 sentences, their `cache`, a `student` of one epoch, and models made from it and from the teacher.
pub(crate) static MODELS: LazyLock<Project> = LazyLock::new(|| {
    Project::shared("models", 400, |project| {
        project.succeed("embed --teacher teacher --input text.txt --to cache");
        project.succeed("distil --cache cache --to student --set distil.epochs=1 --set student.embedding=16");
        project.succeed("export --model student --format folded --precision int8 --to out/s.limbeck");
        project.succeed("export --model student --format safetensors --to copy");
        project.succeed("export-teacher --model teacher --quantize int8 --to onnx/model.onnx");
        static_model(&project.path("static"), 2);
        tiny_teacher(&project.path("other-teacher"), 2);
    })
});
