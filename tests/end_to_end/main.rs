//! The program through its binary. The program fetches ONNX Runtime into a cache that all tests share.

mod api;
mod bad_input;
mod bases;
mod browser;
mod careful;
mod collection_search;
mod collections;
mod each;
mod encoding;
mod exporting;
mod going_on;
mod gpu;
mod joining;
mod lexical;
mod methods;
mod reporting;
mod results;
mod resuming;
mod running;
mod searching;
mod serving;
mod shared;
mod snapshots;
#[path = "../support/mod.rs"]
mod support;
mod teachers;
mod training;
mod vocabulary;
