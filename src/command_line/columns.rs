//! Where a row's contents are, for commands that read rows without a recipe.

use crate::error::{Error, Result};
use crate::model::Model;
use crate::recipe::{Data, DataFormat};

#[derive(Debug, clap::Args)]
pub struct Columns {
    /// Column of the text.
    #[arg(long, default_value = "text", value_name = "NAME")]
    text: String,
    /// Column of the second text of a pair.
    #[arg(long, default_value = "", value_name = "NAME", hide_default_value = true)]
    text_pair: String,
    /// minijinja template over the row that makes the text.
    #[arg(long, default_value = "", value_name = "TEMPLATE", hide_default_value = true)]
    template: String,
    /// Longest text in tokens; longer ones are cut. 0: what the model can take.
    #[arg(long, default_value_t = 0, value_name = "N")]
    max_length: usize,
}

/// Columns that only rows with answers have.
#[derive(Debug, clap::Args)]
pub struct Answers {
    /// Column of the label.
    #[arg(long, default_value = "label", value_name = "NAME")]
    label: String,
    /// Column of the prompt, for a language model.
    #[arg(long, default_value = "prompt", value_name = "NAME")]
    prompt: String,
    /// Column of the completion.
    #[arg(long, default_value = "completion", value_name = "NAME")]
    completion: String,
    /// Column of a conversation.
    #[arg(long, default_value = "messages", value_name = "NAME")]
    messages: String,
}

impl Columns {
    /// The same as a recipe says it.
    ///
    /// # Errors
    /// Refuses a length that the model cannot take.
    pub fn data(&self, model: &Model) -> Result<Data> {
        let most = usize::try_from(model.config.max_positions).unwrap_or(usize::MAX);
        let max_length = match self.max_length {
            0 => most,
            length if length <= most => length,
            length => {
                return Err(Error::refused(format!(
                    "--max-length {length} is more than the model's {most} positions; take {most} or less"
                )));
            }
        };
        Ok(Data {
            text: self.text.clone(),
            text_pair: self.text_pair.clone(),
            template: self.template.clone(),
            max_length,
            format: DataFormat::Auto,
            ..Data::default()
        })
    }
}

impl Answers {
    /// `data` with the columns of the answers.
    #[must_use]
    pub fn add_to(&self, data: Data) -> Data {
        Data {
            label: self.label.clone(),
            prompt: self.prompt.clone(),
            completion: self.completion.clone(),
            messages: self.messages.clone(),
            ..data
        }
    }
}
