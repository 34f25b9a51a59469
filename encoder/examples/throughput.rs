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
    let makes: [Make; 4] = [
        ("static", |numbers, parts| parts.skip_table = Some(numbers.many(parts.vocabulary * DIMENSION))),
        ("one head", |numbers, parts| parts.attention = Some(numbers.attention(parts.vocabulary, 1))),
        ("eight heads", |numbers, parts| parts.attention = Some(numbers.attention(parts.vocabulary, 8))),
        ("max-pooled", |numbers, parts| {
            let filters = 256;
            parts.skip_table = Some(numbers.many(parts.vocabulary * DIMENSION));
            parts.max_pooled = Some(MaxPooled {
                convolutions: [1, 3, 5].map(|width| numbers.convolution(parts.vocabulary, width, filters)).into(),
                weight: numbers.many(DIMENSION * 3 * filters),
                bias: numbers.many(DIMENSION),
            });
        }),
    ];
    let mut students = Vec::new();
    let only = rest.get(1).map_or("", String::as_str);
    for (name, fill) in makes {
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
        fill(&mut numbers, &mut parts);
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

/// A name, and what fills in its tables.
type Make = (&'static str, fn(&mut Numbers, &mut Parts));

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

    fn attention(&mut self, vocabulary: usize, heads: usize) -> Attention {
        Attention {
            width_of_embedding: D,
            embeddings: self.many(vocabulary * D),
            score: self.convolution(vocabulary, 5, 64),
            score_weight: self.many(heads * 64),
            score_bias: self.many(heads),
            heads: self.many(DIMENSION * heads * D),
            skip: Some(self.many(DIMENSION * D)),
        }
    }
}
