//! Replacing whole parameters, as PEFT adapters with `modules_to_save` do.

use tch::Tensor;

use super::config::Architecture;
use super::loader::drawn_rows;
use super::tie::LM_HEAD;
use super::whole::Body;
use super::{Model, Parameter, Stage};
use spartui_facts::recipe::TaskKind;

impl Model {
    /// The padding token that a classifier on a decoder skips at the end of a row. `Some(None)` where config.json names
    /// no padding token; `None` where the model is no such classifier.
    #[must_use]
    pub fn padding_token(&self) -> Option<Option<i64>> {
        match &self.config.architecture {
            Architecture::Decoder(decoder) if self.task == TaskKind::SequenceClassification => Some(decoder.padding),
            _ => None,
        }
    }

    /// Whether the model has a parameter of this name; a tied language-model head counts too.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.parameters.iter().any(|parameter| parameter.name == name)
            || (name == LM_HEAD && matches!(&self.body, Body::Decoder(decoder) if decoder.language_head().is_some()))
    }

    /// Replaces the values of a parameter, cast to the dtype of the model. Replacing word embeddings or language-model
    /// head unties the two, as in PEFT.
    ///
    /// # Errors
    /// One sentence: the model has no such parameter, or it has another shape.
    pub fn replace(&mut self, name: &str, values: &Tensor) -> Result<(), String> {
        let words = self.config.family.words;
        if name == LM_HEAD || name.ends_with(words) {
            self.untie();
        }
        let parameter = self.parameters.iter().find(|parameter| parameter.name == name);
        let parameter = parameter.ok_or_else(|| format!("this model has no {}", name.escape_debug()))?;
        if parameter.tensor.size() != values.size() {
            return Err(format!(
                "{name} has the shape {:?}, not {:?} as in this model",
                values.size(),
                parameter.tensor.size()
            ));
        }
        tch::no_grad(|| parameter.tensor.shallow_clone().copy_(values));
        Ok(())
    }

    /// The matrices with rows for the tokens that were added, by their places among the parameters: the word embeddings,
    /// and the language-model head where it is another one; none where no rows were added.
    #[must_use]
    pub fn matrices_with_added_rows(&self) -> Vec<usize> {
        let both = [self.words_parameter(), self.language_parameter()];
        let mut places: Vec<usize> = both.into_iter().flatten().filter(|_| self.added.count > 0).collect();
        places.dedup();
        places
    }

    /// The rows that were added to the matrix at this place among the parameters, as they were before training.
    pub fn rows_before_training(&self, place: usize) -> Tensor {
        let parameter = &self.parameters[place];
        let of = (parameter.tensor.kind(), parameter.tensor.device());
        drawn_rows(&parameter.name, self.config.hidden_size, self.added, &self.config, of)
    }

    /// Replaces the values of the rows that were added to the matrix at this place among the parameters.
    pub fn set_added_rows(&self, place: usize, values: &Tensor) {
        let matrix = &self.parameters[place].tensor;
        let count = i64::from(self.added.count);
        tch::no_grad(|| matrix.narrow(0, matrix.size()[0] - count, count).copy_(values));
    }

    fn untie(&mut self) {
        let Body::Decoder(decoder) = &mut self.body else { return };
        if let Some(tensor) = decoder.untie() {
            let name = LM_HEAD.to_owned();
            self.parameters.push(Parameter { stored: name.clone(), name, tensor, stage: Stage::Output });
        }
    }
}
