//! What can keep the service from starting or end it. What a client is told stands in `refusal.rs`.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use miette::Diagnostic;

/// The result of everything fallible in this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// What can keep the service from starting or end it. No message holds the key.
#[derive(Debug, thiserror::Error, Diagnostic)]
#[non_exhaustive]
pub enum Error {
    /// The address can't be listened on.
    #[error("cannot listen on {address}")]
    #[diagnostic(help("another program may use this port; port 0 takes a free one"))]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The system's error.
        source: io::Error,
    },
    /// Threads or timers can't be started.
    #[error("cannot start the service's threads")]
    Threads {
        /// The system's error.
        source: io::Error,
    },
    /// A setting that can't be.
    #[error("{name} is {value}: {allowed}")]
    Setting {
        /// The setting.
        name: &'static str,
        /// Its value.
        value: String,
        /// What is allowed.
        allowed: &'static str,
    },
    /// A file that should hold the key can't be read.
    #[error("cannot read the key in {}", path.display())]
    #[diagnostic(help("put the key alone into the file: openssl rand -hex 24 > {}", path.display()))]
    KeyFile {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// What should be a key is none.
    #[error("the key in {place} {problem}")]
    #[diagnostic(help("a key is one line of visible ASCII characters; openssl rand -hex 24 makes one"))]
    Key {
        /// The file or the variable.
        place: String,
        /// What is wrong.
        problem: &'static str,
    },
}
