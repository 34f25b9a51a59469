//! Times steps of unsupervised SimCSE on a BERT folder, forward, backward and AdamW, on texts of one length.
//!
//! `cargo run --release -p limbeck-teacher --example simcse_step -- FOLDER [STEPS] [TEXTS] [TOKENS]`

use std::path::Path;
use std::time::Instant;

use candle_core::{DType, Device, Tensor, Var};
use limbeck_encoder::TokenBatch;
use limbeck_teacher::backprop::{Dropout, Gradients, Network, Parameters};
use limbeck_teacher::{Pooler, TeacherFolder};
use limbeck_training::losses::{Denominator, infonce};
use limbeck_training::optimiser::{AdamW, AdamWSettings};
use limbeck_training::random::Random;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let folder = arguments.first().ok_or("name a folder with a BERT")?;
    let number = |at: usize, default: usize| arguments.get(at).map_or(Ok(default), |text| text.parse());
    let (steps, texts, tokens) = (number(1, 5)?, number(2, 64)?, number(3, 32)?);

    let folder = TeacherFolder::open(Path::new(folder))?;
    let find = &mut |name: &str, shape: &[usize]| folder.weights.tensor(name, shape, DType::F32, &Device::Cpu);
    let parameters = Parameters::new(&folder.config, false, find)?;
    let pooler = Pooler::ClsBeforePooler;
    let network = Network { config: &folder.config, parameters: &parameters, pooler, head: false };
    let named = parameters.iter().map(|(name, variable)| (name.to_owned(), variable.clone()));
    let mut optimiser = AdamW::new(named.collect::<Vec<_>>(), AdamWSettings::default(), |_| true)?;

    let mut random = Random::new(1, &[]);
    let width = folder.config.hidden_size;
    for step in 1..=steps as u64 {
        let rows: Vec<Vec<u32>> =
            (0..texts).map(|_| (0..tokens).map(|_| random.below(folder.config.vocab_size) as u32).collect()).collect();
        let batch: TokenBatch = rows.iter().chain(&rows).map(Vec::as_slice).collect();
        let start = Instant::now();
        let tape = network.forward::<f32>(&batch, &mut Dropout::new(Random::new(2, &[step]), 0.1, 0.1))?;
        let forward = start.elapsed();
        let vectors = Var::from_tensor(&Tensor::from_slice(tape.vectors(), (2 * texts, width), &Device::Cpu)?)?;
        let (first, second) = (vectors.narrow(0, 0, texts)?, vectors.narrow(0, texts, texts)?);
        let loss = infonce(&first, &second, 0.05, Denominator::N)?;
        let store = loss.backward()?;
        let gradient: Vec<f32> = store.get(&vectors).ok_or("no gradient")?.flatten_all()?.to_vec1()?;
        let mut gradients = Gradients::new(&parameters, &|_| true);
        network.backward(&batch, tape, &gradient, &mut gradients)?;
        let backward = start.elapsed();
        let scale = (1.0 / gradients.norm()).min(1.0);
        let gradients = gradients.into_tensors()?;
        optimiser.update(|name, _| gradients.get(name), scale, 1e-5, step)?;
        let all = start.elapsed();
        let [forward, backward, all] = [forward, backward - forward, all].map(|time| time.as_secs_f64());
        println!(
            "{step}: {all:.3} s (forward {forward:.3}, backward {backward:.3}), loss {}",
            loss.to_scalar::<f32>()?
        );
    }
    Ok(())
}
