//! [`TextSources`]: where the texts of an embed job come from.

use limbeck_encoder::TokenBatch;

use super::cut_texts::CutTexts;
use super::teacher::Teacher;
use crate::Result;

/// The sources of a job's texts. The default says nothing of them: all are counted together, with the teacher's own
/// prefix before each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TextSources {
    /// The sources.
    pub sources: Vec<EmbedSource>,
    /// The place of each text's source among them; empty where all texts are of the first.
    pub of_text: Vec<u16>,
}

/// One source of texts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EmbedSource {
    /// Its name, for people.
    pub name: String,
    /// Put before its texts in place of the teacher's own prefix. A teacher of texts has to have none here.
    pub prefix: Option<String>,
}

impl TextSources {
    /// How many sources are counted.
    pub(super) fn count(&self) -> usize {
        self.sources.len().max(1)
    }

    /// The place of the source of the text `row`.
    fn of(&self, row: usize) -> usize {
        let source = self.of_text.get(row).copied().unwrap_or_default();
        usize::from(source).min(self.count() - 1)
    }

    /// The tokens of `texts`, whose rows among the texts of the job are `job_rows`, each after its source's prefix; and
    /// for each source how many of its texts the teacher cuts.
    pub(super) fn tokenise(
        &self,
        teacher: &dyn Teacher,
        texts: &[&str],
        job_rows: &[usize],
    ) -> Result<(TokenBatch, Vec<CutTexts>)> {
        let mut cut = vec![CutTexts::default(); self.count()];
        let mut rows: Vec<(usize, usize)> = vec![(0, 0); texts.len()];
        let mut batches = Vec::with_capacity(self.count());
        for (source, cut) in cut.iter_mut().enumerate() {
            let own = (0..texts.len()).filter(|&row| self.of(job_rows[row]) == source);
            let mut own_texts = Vec::new();
            for row in own {
                rows[row] = (source, own_texts.len());
                own_texts.push(texts[row]);
            }
            let prefix = self.sources.get(source).and_then(|source| source.prefix.as_deref());
            let prefix = prefix.unwrap_or_else(|| teacher.prefix());
            let tokens = teacher.tokenise_after(prefix, &own_texts)?;
            *cut = CutTexts::count(teacher, prefix, &own_texts, &tokens)?;
            batches.push(tokens);
        }
        if let [_] = &batches[..] {
            return Ok((batches.remove(0), cut));
        }
        Ok((rows.into_iter().map(|(source, row)| batches[source].row(row)).collect(), cut))
    }
}
