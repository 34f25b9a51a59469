//! A model of limbeck's behind OpenAI's `POST /v1/embeddings`.
//!
//! ```text
//! connection ──► routes: key, bounds, body ──► request ──► queue ──► one thread: rounds of texts ──► Encoder
//!     ◄────────────────────────── response: JSON or base64, written into one buffer ◄── vectors ◄──┘
//! ```
//!
//! [`Server::bind`] opens the address, [`Server::run`] answers until it is told to stop. Requests that arrive while the
//! model is busy are encoded together in its next round; nothing waits for more requests to come. What a client may
//! ask for is bounded ([`Limits`]), so that memory is too.
//!
//! ```no_run
//! use std::sync::Arc;
//!
//! use limbeck_encoder::Student;
//! use limbeck_serve::{Host, Limits, Server, Settings};
//!
//! struct Forever;
//!
//! impl Host for Forever {
//!     fn should_stop(&self) -> bool {
//!         false
//!     }
//!
//!     fn note(&self, line: &str) {
//!         eprintln!("{line}");
//!     }
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let settings = Settings {
//!     address: "127.0.0.1:8080".parse()?,
//!     names: vec!["student".into()],
//!     key: None,
//!     limits: Limits::default(),
//! };
//! let server = Server::bind(Arc::new(Student::load("student.limbeck")?), settings)?;
//! println!("http://{}/v1", server.address()?);
//! server.run(&Forever)?;
//! # Ok(())
//! # }
//! ```

mod batch;
mod body;
mod error;
mod gate;
mod host;
mod input;
mod key;
mod metrics;
mod model;
mod refusal;
mod request;
mod response;
mod routes;
mod server;
mod settings;

pub use error::{Error, Result};
pub use host::Host;
pub use key::Key;
pub use server::Server;
pub use settings::{Limits, Settings};
