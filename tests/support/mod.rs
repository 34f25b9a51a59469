//! What the test programs share: a project in a temporary folder, and the tiny models in it.

#![allow(dead_code, unused_imports, reason = "each test program uses a part of this")]

pub(crate) mod api_server;
mod project;
mod tiny;

pub(crate) use project::{Outcome, Project, TEST_CACHE};
pub(crate) use tiny::{sentences, static_model, tiny_teacher};
