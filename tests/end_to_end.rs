//! The program through its binary. ONNX Runtime is fetched through the product, into a cache that the tests share.

mod end_to_end {
    mod bad_input;
    mod bases;
    mod careful;
    mod encoding;
    mod exporting;
    mod joining;
    mod methods;
    mod reporting;
    mod results;
    mod resuming;
    mod running;
    mod support;
    mod training;
    mod vocabulary;
}
