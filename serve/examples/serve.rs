//! Serves a folded student on loopback until the process is ended.
//!
//! ```sh
//! cargo run --release -p limbeck-serve --example serve -- student.limbeck 8080
//! ```

use std::error::Error;
use std::sync::Arc;

use limbeck_encoder::Student;
use limbeck_serve::{Host, Limits, Server, Settings};

/// Never stops, and writes notes to stderr.
struct Process;

impl Host for Process {
    fn should_stop(&self) -> bool {
        false
    }

    fn note(&self, line: &str) {
        eprintln!("{line}");
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [path, port] = arguments.as_slice() else { return Err("serve STUDENT.limbeck PORT".into()) };
    let address = ([127, 0, 0, 1], port.parse()?).into();
    let settings = Settings { address, names: vec!["student".into()], key: None, limits: Limits::default() };
    let server = Server::bind(Arc::new(Student::load(path)?), settings)?;
    println!("http://{}/v1", server.address()?);
    Ok(server.run(&Process)?)
}
