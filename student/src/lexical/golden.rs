//! Golden values that NumPy computed: `tests/golden/lexical.json` holds made-up documents and the inner products of
//! their halves, by the exact singular value decomposition.

use limbeck_data::Monitor;
use serde_json::Value;

use super::fit;

#[test]
fn inner_products_of_documents_are_those_of_the_exact_decomposition() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/lexical.json");
    let golden: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let texts = |key: &str| golden[key].as_array().unwrap().clone();
    let documents: Vec<String> = texts("documents").iter().map(|text| text.as_str().unwrap().to_owned()).collect();
    let dimension = golden["dimension"].as_u64().unwrap() as usize;
    let half = fit(|| Ok(documents.iter().cloned().map(Ok)), dimension, Monitor::silent()).unwrap().half;
    assert_eq!(half.dimension(), dimension);
    let halves: Vec<Vec<f32>> = (documents.iter())
        .map(|document| {
            let mut out = vec![0.0; dimension];
            half.encode_into(document, &mut out);
            out
        })
        .collect();
    for (row, expected) in halves.iter().zip(texts("inner_products")) {
        for (other, expected) in halves.iter().zip(expected.as_array().unwrap()) {
            let found: f64 = row.iter().zip(other).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum();
            let expected = expected.as_f64().unwrap();
            assert!((found - expected).abs() < 1e-4, "{found} against {expected}");
        }
    }
}
