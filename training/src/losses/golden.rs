//! Compares a loss and its gradients with `tests/golden/losses.json` (PyTorch, f64).

use candle_core::{Device, Result, Tensor, Var};
use serde_json::Value;

fn file() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/losses.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// One entry of the golden file.
pub(super) fn entry(name: &str) -> Value {
    file()[name].clone()
}

fn tensor(value: &Value) -> Tensor {
    let rows: Vec<Vec<f64>> = serde_json::from_value(value.clone()).unwrap();
    Tensor::new(rows, &Device::Cpu).unwrap()
}

/// Runs `loss` on the named inputs and compares it and every gradient to 1e-4 of the largest golden value.
pub(super) fn check(name: &str, inputs: &[&str], loss: impl Fn(&[Tensor]) -> Result<Tensor>) {
    let golden = file();
    let entry = &golden[name];
    let variables: Vec<Var> = inputs
        .iter()
        .map(|input| {
            let value = if entry[input].is_array() { &entry[input] } else { &golden["inputs"][input] };
            Var::from_tensor(&tensor(value)).unwrap()
        })
        .collect();
    let tensors: Vec<Tensor> = variables.iter().map(|v| v.as_tensor().clone()).collect();
    let got = loss(&tensors).unwrap();
    let want = entry["loss"].as_f64().unwrap();
    assert!((got.to_scalar::<f64>().unwrap() - want).abs() <= 1e-7 * want.abs(), "{name}: {got} instead of {want}");
    let gradients = got.backward().unwrap();
    for (input, variable) in inputs.iter().zip(&variables) {
        // The teacher's vectors are a fixed target: PyTorch was asked for no gradient of theirs.
        if *input == "teacher" {
            continue;
        }
        let want = &entry[format!("grad_{input}")];
        assert!(want.is_array(), "{name}: no golden gradient of {input}");
        let want: Vec<f64> = tensor(want).flatten_all().unwrap().to_vec1().unwrap();
        let got: Vec<f64> = gradients.get(variable).unwrap().flatten_all().unwrap().to_vec1().unwrap();
        let largest = want.iter().fold(0f64, |a, b| a.max(b.abs()));
        let off = want.iter().zip(&got).fold(0f64, |a, (w, g)| a.max((w - g).abs()));
        assert!(off <= 1e-4 * largest, "{name}: gradient of {input} is off by {off} of {largest}");
    }
}
