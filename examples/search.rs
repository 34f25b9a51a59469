//! Semantic search over the lines of a file: embed them once, then the query, and take the largest cosines.
//!
//! ```sh
//! cargo run --release --example search -- student.int8.limbeck texts.txt "somebody makes music"
//! ```

use std::error::Error;

use limbeck_encoder::Student;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [student, file, query] = arguments.as_slice() else {
        return Err("search STUDENT.limbeck TEXTS.txt QUERY".into());
    };
    let text = std::fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let student = Student::load(student)?;
    let documents = student.encode(&lines)?;
    let query = student.encode(&[query])?;
    // Vectors have length 1, so a scalar product is a cosine.
    let cosine = |row: &[f32]| -> f32 { row.iter().zip(query.row(0)).map(|(a, b)| a * b).sum() };
    let mut ranked: Vec<(f32, &str)> = documents.iter().map(cosine).zip(lines).collect();
    ranked.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    for (cosine, line) in ranked.into_iter().take(5) {
        println!("{cosine:.3}  {line}");
    }
    Ok(())
}
