//! Sentences a second of folded students of random numbers, tokenizing included.
//!
//! ```sh
//! cargo run --release -p limbeck-encoder --example throughput -- TOKENIZER.json LINES.txt [SECONDS [MAKE]]
//! ```
//!
//! The tables are as large as a real student's, and all rows are drawn from the whole of them, so caches are used as in earnest. The
//! machine's speed wavers, so the makes take turns, and each one's median over the rounds is printed.

use std::{error::Error, path::Path, time::Instant};

use limbeck_encoder::{
    Special, Student, Tokenizer,
    folded::{Attention, Convolution, MaxPooled, Parts, Precision, write},
};

const DIMENSION: usize = 384;
const D: usize = 256;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [tokenizer_path, lines, rest @ ..] = arguments.as_slice() else {
        return Err("throughput TOKENIZER.json LINES.txt [SECONDS [MAKE]]".into());
    };
    let seconds: f64 = rest.first().map_or(Ok(1.0), |seconds| seconds.parse())?;
    let text = std::fs::read_to_string(lines)?;
    let texts: Vec<&str> = text.lines().take(20_000).collect();
    let tokenizer = Tokenizer::from_file(Path::new(tokenizer_path))?;
    let tokens = tokenizer.encode_batch(&texts, Special::Without, None)?;
    println!("{} sentences, {:.1} tokens each", texts.len(), tokens.ids().len() as f64 / texts.len() as f64);

    let mut numbers = Numbers(1);
    let folder = std::env::temp_dir();
    let heads = |count, values, score| Some(Heads { count, values, score });
    // The family's sizes, and what is beside them: all heads over the whole embedding, and nothing but max-pooling.
    let makes = [
        Make { name: "static", filters: &[], heads: None },
        Make { name: "xs", filters: &[], heads: heads(4, Some(32), (3, 32)) },
        Make { name: "s", filters: &[], heads: heads(8, Some(32), (5, 64)) },
        Make { name: "m", filters: &[], heads: heads(16, Some(32), (5, 96)) },
        Make { name: "l", filters: &[], heads: heads(16, Some(64), (5, 128)) },
        Make { name: "whole heads", filters: &[], heads: heads(8, None, (5, 64)) },
        Make { name: "max-pooled", filters: &[(1, 256), (3, 256), (5, 256)], heads: None },
    ];
    let mut students = Vec::new();
    let only = rest.get(1).map_or("", String::as_str);
    for make in makes {
        let name = make.name;
        let wanted = |precision: &Precision| format!("{name} {}", precision.name()).contains(only);
        let precisions: Vec<_> = [Precision::Int8, Precision::F32].into_iter().filter(wanted).collect();
        if precisions.is_empty() {
            continue;
        }
        let vocabulary = tokenizer.vocabulary() + 1;
        let mut parts = Parts {
            vocabulary,
            dimension: DIMENSION,
            tokenizer: tokenizer.json().to_vec(),
            empty_token: vocabulary as u32 - 1,
            ..Parts::default()
        };
        make.fill(&mut numbers, &mut parts);
        for precision in precisions {
            let path = folder.join(format!("limbeck-throughput-{}.folded", std::process::id()));
            let bytes = write(&path, &parts, precision)?;
            let start = Instant::now();
            let student = Student::open(&path)?;
            let opened = start.elapsed();
            std::fs::remove_file(&path)?;
            println!(
                "{name} {}: {:.1} MB, opened in {:.0} ms",
                precision.name(),
                bytes as f64 / 1e6,
                opened.as_secs_f64() * 1e3
            );
            students.push((name, precision, student, Vec::new()));
        }
    }

    let mut tokenizing = Vec::new();
    for _ in 0..5 {
        tokenizing.push(rate(seconds, texts.len(), || {
            let mut ids = Vec::new();
            for text in &texts {
                ids.clear();
                tokenizer.encode_into(text, Special::Without, None, &mut ids)?;
            }
            Ok(())
        })?);
        for (_, _, student, rates) in &mut students {
            let whole = rate(seconds, texts.len(), || student.encode(&texts).map(drop))?;
            let tokens = rate(seconds, texts.len(), || student.encode_tokens(&tokens).map(drop))?;
            rates.push((whole, tokens));
        }
    }
    println!("tokenizing alone: {:.0} a second", median(tokenizing));
    for (name, precision, _, rates) in students {
        let (whole, tokens): (Vec<f64>, Vec<f64>) = rates.into_iter().unzip();
        let name = format!("{name} {}", precision.name());
        println!("{name:18} {:9.0} a second, {:9.0} from ids", median(whole), median(tokens));
    }
    Ok(())
}

/// How many texts a second `work`, which does `count` of them, gets through.
fn rate(
    seconds: f64,
    count: usize,
    mut work: impl FnMut() -> limbeck_encoder::Result<()>,
) -> limbeck_encoder::Result<f64> {
    let start = Instant::now();
    let mut done = 0;
    while start.elapsed().as_secs_f64() < seconds {
        work()?;
        done += count;
    }
    Ok(done as f64 / start.elapsed().as_secs_f64())
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

/// Numbers between −1 and 1.
struct Numbers(u64);

impl Numbers {
    fn many(&mut self, count: usize) -> Vec<f32> {
        let mut next = || {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 40) as f32 / (1u64 << 23) as f32 - 1.0
        };
        (0..count).map(|_| next()).collect()
    }

    fn convolution(&mut self, vocabulary: usize, width: usize, filters: usize) -> Convolution {
        Convolution { width, filters, table: self.many(vocabulary * width * filters), bias: self.many(filters) }
    }
}

/// Heads of a student: how many, the width of each one's own values (none: the whole embedding), and the width and filters of
/// their score's convolution.
struct Heads {
    count: usize,
    values: Option<usize>,
    score: (usize, usize),
}

/// A student's shape.
struct Make {
    name: &'static str,
    /// Width and filters of max-pooled convolutions.
    filters: &'static [(usize, usize)],
    heads: Option<Heads>,
}

impl Make {
    fn fill(&self, numbers: &mut Numbers, parts: &mut Parts) {
        let vocabulary = parts.vocabulary;
        if let Some(Heads { count, values, score: (width, filters) }) = self.heads {
            let attended = values.unwrap_or(D);
            parts.attention = Some(Attention {
                width_of_embedding: attended,
                embeddings: numbers.many(vocabulary * attended * if values.is_some() { count } else { 1 }),
                own_values: values.is_some(),
                score: numbers.convolution(vocabulary, width, filters),
                score_weight: numbers.many(count * filters),
                score_bias: numbers.many(count),
                heads: numbers.many(DIMENSION * count * attended),
                skip: values.is_none().then(|| numbers.many(DIMENSION * D)),
            });
        }
        if !self.filters.is_empty() {
            let filters: usize = self.filters.iter().map(|&(_, filters)| filters).sum();
            let convolution = |&(width, filters)| numbers.convolution(vocabulary, width, filters);
            parts.max_pooled = Some(MaxPooled {
                convolutions: self.filters.iter().map(convolution).collect(),
                weight: numbers.many(DIMENSION * filters),
                bias: numbers.many(DIMENSION),
            });
        }
        if parts.attention.as_ref().is_none_or(|attention| attention.own_values) {
            parts.skip_table = Some(numbers.many(vocabulary * DIMENSION));
        }
    }
}
