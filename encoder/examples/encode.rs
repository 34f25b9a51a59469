//! Texts to vectors, a JSON array of numbers a line; of two texts and more, the cosine of each to the first instead.
//!
//! ```sh
//! cargo run --release -p limbeck-encoder --example encode -- student.limbeck "A man plays a guitar." "Someone makes music."
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
