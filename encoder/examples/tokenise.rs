//! Prints how many lines per second tokenizers tokenise on one thread.
//!
//! ```sh
//! cargo run --release -p limbeck-encoder --example tokenise -- LINES.txt TOKENIZER.json…
//! ```
//!
//! The tokenizers take turns; the figure is the median of five rounds.

use std::{error::Error, path::Path, time::Instant};

use limbeck_encoder::{Special, Tokenizer};

const ROUNDS: usize = 5;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [lines, paths @ ..] = arguments.as_slice() else { return Err("tokenise LINES.txt TOKENIZER.json…".into()) };
    let text = std::fs::read_to_string(lines)?;
    let texts: Vec<&str> = text.lines().take(20_000).collect();
    let tokenizers: Vec<Tokenizer> =
        paths.iter().map(|path| Tokenizer::from_file(Path::new(path))).collect::<Result<_, _>>()?;
    let mut rounds = vec![Vec::new(); paths.len()];
    let mut tokens = vec![0; paths.len()];
    for _ in 0..ROUNDS {
        for (at, tokenizer) in tokenizers.iter().enumerate() {
            let begun = Instant::now();
            let mut ids = Vec::new();
            tokens[at] = 0;
            for text in &texts {
                ids.clear();
                tokenizer.encode_into(text, Special::Without, None, &mut ids)?;
                tokens[at] += ids.len();
            }
            rounds[at].push(texts.len() as f64 / begun.elapsed().as_secs_f64());
        }
    }
    for ((path, tokenizer), (mut speeds, tokens)) in paths.iter().zip(&tokenizers).zip(rounds.into_iter().zip(tokens)) {
        speeds.sort_by(f64::total_cmp);
        let (speed, each) = (speeds[ROUNDS / 2], tokens as f64 / texts.len() as f64);
        println!("{speed:9.0} lines/s  {each:5.1} tokens a line  {:7} tokens  {path}", tokenizer.vocabulary());
    }
    Ok(())
}
