//! The service over HTTP, in this process, on loopback.

mod answers;
mod bounds;
mod clients;
mod stopping;
mod support;
