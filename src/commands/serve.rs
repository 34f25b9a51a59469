//! `limbeck serve`: a model behind OpenAI's API.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use clap::builder::RangedI64ValueParser;
use limbeck_data::Monitor;
use limbeck_encoder::Precision;
use limbeck_serve::{Host, Key, Limits, Server, Settings};

use super::common::{ModelArguments, RunArguments, is_teacher, open_all, precision, refuse_teacher_options};
use crate::error::{Error, Result};

#[derive(Args)]
#[command(
    after_help = "Examples:\n  limbeck serve --model runs/quickstart/exports/student.int8.limbeck --name student\n  \
                        curl http://127.0.0.1:8080/v1/embeddings -H 'Content-Type: application/json' -d '{\"model\": \
                        \"student\", \"input\": \"A man plays a guitar.\"}'"
)]
pub(super) struct Arguments {
    /// A student, a teacher, a Model2Vec folder, or the URI of one
    #[arg(long, value_name = "M")]
    model: String,

    /// The address to listen on; port 0 takes a free one
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:8080")]
    address: SocketAddr,

    /// The name that clients ask for; given again, one more. By default that of the file or folder
    #[arg(long = "name", value_name = "NAME")]
    names: Vec<String>,

    /// A file that holds the key which clients have to send; anyone is answered without one
    #[arg(long, value_name = "FILE", conflicts_with = "key_env")]
    key_file: Option<PathBuf>,

    /// The environment variable that holds that key
    #[arg(long, value_name = "VARIABLE")]
    key_env: Option<String>,

    /// Texts of a request
    #[arg(long, value_name = "N", default_value_t = 2_048, value_parser = up_to(1_000_000))]
    max_texts: u32,

    /// MiB of a request's body
    #[arg(long, value_name = "MIB", default_value_t = 16, value_parser = up_to(1_024))]
    max_body: u32,

    /// Requests at a time
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = up_to(100_000))]
    max_requests: u32,

    /// Seconds that a request waits for its vectors
    #[arg(long, value_name = "S", default_value_t = 60, value_parser = up_to(3_600))]
    timeout: u32,

    /// Seconds that a client may take to send a head or a body, or to take a part of the answer
    #[arg(long, value_name = "S", default_value_t = 30, value_parser = up_to(3_600))]
    client_timeout: u32,

    /// Text put before every text by a teacher; its own by default
    #[arg(long, value_name = "TEXT")]
    prefix: Option<String>,

    /// A teacher's prompt of that name is put before every text, such as query
    #[arg(long, value_name = "NAME", conflicts_with = "prefix")]
    prompt: Option<String>,

    /// Precision that the model computes in: f32, f16 (a student's tables only) or int8; f32 by default
    #[arg(long, value_name = "PRECISION", value_parser = precision)]
    precision: Option<Precision>,

    #[command(flatten)]
    run: RunArguments,
}

/// Parses a number from 1 to `most`.
fn up_to(most: i64) -> RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(1..=most)
}

pub(super) fn run(arguments: &Arguments, monitor: Monitor) -> Result<()> {
    let key = key(arguments)?;
    let run = ModelArguments { run: arguments.run.clone(), precision: arguments.precision };
    let options = run.options(arguments.prefix.as_deref(), arguments.prompt.as_deref());
    let mut opened = open_all(std::slice::from_ref(&arguments.model), &run, &options, monitor)?;
    let Some(model) = opened.pop() else { return Ok(()) };
    if !is_teacher(&model) {
        refuse_teacher_options(&run)?;
        if arguments.prompt.is_some() || arguments.prefix.is_some() {
            return Err(Error::Usage(
                "--prompt and --prefix are for a teacher; clients send a student its texts".into(),
            ));
        }
    }
    let info = model.encoder.info();
    let names = match &arguments.names[..] {
        [] => vec![name_of(&arguments.model)],
        names => names.to_vec(),
    };
    let limits = Limits {
        body_bytes: (arguments.max_body as usize) << 20,
        texts: arguments.max_texts as usize,
        requests: arguments.max_requests as usize,
        timeout: Duration::from_secs(arguments.timeout.into()),
        client_timeout: Duration::from_secs(arguments.client_timeout.into()),
    };
    let is_open = key.is_none() && !arguments.address.ip().is_loopback();
    let said = format!("{}: {} numbers, {} {}", names.join(", "), info.dimension, info.engine, info.precision);
    let settings = Settings { address: arguments.address, names, key, limits };
    let server = Server::bind(Arc::from(model.encoder), settings)?;
    if is_open {
        monitor.note("anyone who reaches this address can use the model: --key-file or --key-env asks for a key");
    }
    monitor.note(&format!("{said}; Ctrl-C stops"));
    say!("http://{}/v1", server.address()?);
    server.run(&Command(monitor))?;
    Ok(())
}

/// The key that clients have to send, where there is one. It never stands on the command line, which others can see.
fn key(arguments: &Arguments) -> Result<Option<Key>> {
    let of_file = arguments.key_file.as_deref().map(Key::of_file);
    let key = of_file.or_else(|| arguments.key_env.as_deref().map(Key::of_variable));
    Ok(key.transpose()?)
}

/// What a model is called where nobody says: a hub's name, or that of the file or folder.
fn name_of(model: &str) -> String {
    if let Some(hub) = model.strip_prefix("hf:") {
        return hub.split('@').next().unwrap_or(hub).to_owned();
    }
    let name = Path::new(model).file_name().map_or(model.into(), |name| name.to_string_lossy());
    let extensions = [".limbeck", ".onnx"];
    extensions.iter().find_map(|extension| name.strip_suffix(extension)).unwrap_or(&name).to_owned()
}

/// The command around the service.
struct Command<'a>(Monitor<'a>);

impl Host for Command<'_> {
    fn should_stop(&self) -> bool {
        self.0.interrupt.is_set()
    }

    fn note(&self, line: &str) {
        self.0.note(line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_called_as_its_file_its_folder_or_its_place_on_the_hub() {
        for (model, name) in [
            ("runs/a/exports/student.int8.limbeck", "student.int8"),
            ("runs/a/student/", "student"),
            ("model.onnx", "model"),
            ("hf:owner/name@main", "owner/name"),
        ] {
            assert_eq!(name_of(model), name);
        }
    }
}
