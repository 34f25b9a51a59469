//! Prints a text's vector as a JSON array; for two texts or more, prints each text's cosine to the first text instead.
//!
//! ```sh
//! cargo run --release -p limbeck-encoder --example encode -- student.limbeck "A man plays a guitar." "He makes music."
//! ```

use std::error::Error;

use limbeck_encoder::Student;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [path, texts @ ..] = arguments.as_slice() else {
        return Err("encode STUDENT.limbeck TEXT [TEXT…]".into());
    };
    let student = Student::load(path)?;
    let vectors = student.encode(texts)?;
    if let [_] = texts {
        println!("{}", serde_json::to_string(vectors.row(0))?);
        return Ok(());
    }
    for (text, vector) in texts.iter().zip(vectors.iter()) {
        let cosine: f32 = vectors.row(0).iter().zip(vector).map(|(a, b)| a * b).sum();
        println!("{cosine:.3}  {text}");
    }
    Ok(())
}
