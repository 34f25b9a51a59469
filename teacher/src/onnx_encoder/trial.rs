//! Tries a model of another exporter when it is opened, so that what it can't do is known before an hour of embedding.

use limbeck_encoder::TokenBatch;

use super::OnnxEncoder;
use crate::embed::Teacher;
use crate::{Error, Result};

/// The longest text of the trial in tokens: a longer one would take seconds, and memory by the square.
const LONGEST: usize = 2048;
/// The least cosine between a text's vectors alone and beside another text. Int8 moves with the batch a little.
const SAME: f32 = 0.98;

impl OnnxEncoder {
    /// Runs one text, the vocabulary's last token, a text of the cut length, and two texts. Adapts the encoder to what
    /// the model can't do, and notes it.
    ///
    /// # Errors
    /// The model fails on a single short text, or has no vector for an id of the tokenizer.
    pub(super) fn try_out(&mut self) -> Result<()> {
        let one = self.tokenise(&["a"])?;
        self.run_rows(&one, &[0])?;
        self.try_last_token(&one)?;
        self.try_longest()?;
        match self.model.signature.rows {
            None => self.try_two(),
            Some(_) => Ok(()),
        }
    }

    /// Runs two texts of unlike lengths alone and together.
    fn try_two(&mut self) -> Result<()> {
        let batch = self.tokenise(&["a", "a b c d e f g"])?;
        let alone = [self.run_rows(&batch, &[0])?, self.run_rows(&batch, &[1])?];
        let problem = match self.run_rows(&batch, &[0, 1]) {
            Err(Error::OnnxRun { .. }) => "fails on two texts at once",
            Err(Error::OnnxSignature { .. }) => "gives one vector for two texts",
            Err(other) => return Err(other),
            Ok(both) => {
                let width = alone[0].len();
                let cosine = |(a, b): (&Vec<f32>, &[f32])| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
                match alone.iter().zip(both.chunks_exact(width)).map(cosine).all(|cosine| cosine > SAME) {
                    true => return Ok(()),
                    false => "gives a text another vector beside a second text",
                }
            }
        };
        self.model.signature.rows = Some(1);
        let path = self.model.path.display();
        self.notes.push(format!("{path} {problem}; texts go through it one by one, which takes longer"));
        Ok(())
    }

    /// Runs a text with the largest id that the tokenizer has.
    fn try_last_token(&self, one: &TokenBatch) -> Result<()> {
        let Some(last) = self.tokenizer.largest_id() else { return Ok(()) };
        let row: Vec<u32> = one.row(0).iter().copied().chain([last]).collect();
        let with_last: TokenBatch = [&row[..]].into_iter().collect();
        match self.run_rows(&with_last, &[0]) {
            Err(Error::OnnxRun { path, source, .. }) => {
                let token = self.tokenizer.token(last).unwrap_or_default();
                Err(Error::OnnxVocabulary { path, id: last, token, source })
            }
            other => other.map(|_| ()),
        }
    }

    /// Runs a text of the cut length; a shorter one where the model fails on it.
    fn try_longest(&mut self) -> Result<()> {
        let cut = self.max_tokens.unwrap_or(usize::MAX).min(LONGEST);
        let long = self.tokenise(&["a ".repeat(cut).as_str()])?;
        let runs = |encoder: &Self, length: usize| -> Result<Option<Error>> {
            let row = &long.row(0)[..length.min(long.row_len(0))];
            let text: TokenBatch = [row].into_iter().collect();
            match encoder.run_rows(&text, &[0]) {
                Ok(_) => Ok(None),
                Err(error @ Error::OnnxRun { .. }) => Ok(Some(error)),
                Err(other) => Err(other),
            }
        };
        if runs(self, cut)?.is_none() {
            return Ok(());
        }
        // The longest that runs: `least` does, `most` doesn't.
        let (mut least, mut most) = (2, cut);
        while most - least > 1 {
            let middle = least.midpoint(most);
            match runs(self, middle)? {
                None => least = middle,
                Some(_) => most = middle,
            }
        }
        if let Some(error) = runs(self, least)? {
            return Err(error);
        }
        self.max_tokens = Some(least);
        let path = self.model.path.display();
        self.notes.push(format!("{path} fails on texts of more than {least} tokens; longer ones are cut there"));
        Ok(())
    }

    fn run_rows(&self, tokens: &TokenBatch, rows: &[usize]) -> Result<Vec<f32>> {
        self.sessions.first(|state| self.model.vectors(state, tokens, rows))
    }
}
