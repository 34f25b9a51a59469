//! The GPU against the CPU. `LIMBECK_DEVICE` names the device, such as cuda, and `LIMBECK_GPU_RUNTIME` the ONNX Runtime
//! of that device (a path or URI). Without the first there is nothing to test, and the tests say so. docs/gpu.md has
//! the command.

use crate::support::Project;

/// The device to test, and the option that names its ONNX Runtime.
fn device() -> Option<(String, String)> {
    let Ok(device) = std::env::var("LIMBECK_DEVICE") else {
        eprintln!("skipped: LIMBECK_DEVICE names no device");
        return None;
    };
    let runtime = std::env::var("LIMBECK_GPU_RUNTIME").map(|uri| format!("--runtime {uri}")).unwrap_or_default();
    Some((device, runtime))
}

/// The least cosine between the vectors of two outputs.
fn least_cosine(left: &[Vec<f32>], right: &[Vec<f32>]) -> f32 {
    assert_eq!(left.len(), right.len());
    let cosine = |(a, b): (&Vec<f32>, &Vec<f32>)| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
    left.iter().zip(right).map(cosine).fold(1.0, f32::min)
}

#[test]
fn a_teacher_on_the_gpu_gives_the_vectors_of_the_cpu() {
    let Some((device, runtime)) = device() else { return };
    let project = Project::new(500);
    let encode =
        |options: &str| project.succeed(&format!("encode --model teacher --input text.txt {options}")).vectors();
    let cosine = least_cosine(&encode(&runtime), &encode(&format!("{runtime} --device {device}")));
    assert!(cosine > 0.9999, "{cosine}");
    project.succeed(&format!("embed --teacher teacher --input text.txt --to cache {runtime} --device {device}"));
    assert!(project.has("cache/cache.json"));
}

#[test]
fn a_teacher_trained_on_the_gpu_is_that_of_the_cpu() {
    let Some((device, runtime)) = device() else { return };
    let project = Project::new(300);
    let train = "train-teacher --teacher teacher --input text.txt --set train_teacher.simcse.epochs=1 \
                 --set train_teacher.bert.dropout=0.0 --set train_teacher.bert.attention_dropout=0.0";
    project.succeed(&format!("{train} --to by-cpu"));
    project.succeed(&format!("{train} --to by-gpu --device {device}"));
    let encode = |model: &str| project.succeed(&format!("encode --model {model} --input text.txt {runtime}")).vectors();
    let cosine = least_cosine(&encode("by-cpu"), &encode("by-gpu"));
    assert!(cosine > 0.999, "{cosine}");
}
