//! Where a row's contents are, for commands that read rows without a recipe of their own.

use std::path::Path;

use spartui_data::{Example, name_columns_of};
use spartui_facts::error::{Error, Result};
use spartui_facts::recipe::{self, Data, DataFormat, Recipe, TaskKind};
use spartui_model::Model;

/// Each is what the run's recipe says where the run is known, and else the default of a recipe.
#[derive(Debug, clap::Args)]
pub struct Columns {
    /// Column of the text; without it that of the run, else "text".
    #[arg(long, value_name = "NAME")]
    text: Option<String>,
    /// Column of the second text of a pair; without it that of the run.
    #[arg(long, value_name = "NAME")]
    text_pair: Option<String>,
    /// minijinja template over the row that makes the text; without it that of the run.
    #[arg(long, value_name = "TEMPLATE")]
    template: Option<String>,
    /// Longest text in tokens; longer ones are cut. 0: what the model can take.
    #[arg(long, default_value_t = 0, value_name = "N")]
    max_length: usize,
    /// What stands between the fields of csv and tsv, as data.delimiter of a recipe.
    #[arg(long, default_value = "auto", value_name = "CHARACTER", value_parser = delimiter)]
    delimiter: String,
    /// How the file writes its characters, as data.encoding of a recipe.
    #[arg(long, default_value = "auto", value_name = "NAME", value_parser = encoding)]
    encoding: String,
}

fn delimiter(text: &str) -> std::result::Result<String, String> {
    recipe::delimiter(text).map(|_| text.to_owned())
}

fn encoding(text: &str) -> std::result::Result<String, String> {
    recipe::encoding(text).map(|_| text.to_owned())
}

/// Columns that only rows with answers have.
#[derive(Debug, clap::Args)]
pub struct Answers {
    /// Column of the label; without it that of the run, else "label".
    #[arg(long, value_name = "NAME")]
    label: Option<String>,
    /// Column of the prompt, for a language model; without it that of the run, else "prompt".
    #[arg(long, value_name = "NAME")]
    prompt: Option<String>,
    /// Column of the completion; without it that of the run, else "completion".
    #[arg(long, value_name = "NAME")]
    completion: Option<String>,
    /// Column of a conversation; without it that of the run, else "messages".
    #[arg(long, value_name = "NAME")]
    messages: Option<String>,
}

impl Columns {
    /// The same as a recipe says it; `recipe` is that of the run, where it is known.
    ///
    /// # Errors
    /// Refuses a length that the model cannot take.
    pub fn data(&self, model: &Model, recipe: Option<&Recipe>) -> Result<Data> {
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
        let known = recipe.map_or_else(Data::default, |recipe| recipe.data.clone());
        let given = [&self.text, &self.text_pair, &self.template].into_iter().any(Option::is_some);
        Ok(Data {
            text: or(self.text.as_ref(), known.text),
            text_pair: or(self.text_pair.as_ref(), known.text_pair),
            template: or(self.template.as_ref(), known.template),
            max_length,
            // This file need not be written as the run's was.
            delimiter: self.delimiter.clone(),
            encoding: self.encoding.clone(),
            format: if given { DataFormat::Auto } else { known.format },
            ..known
        })
    }
}

impl Columns {
    /// Columns that nobody has named, neither here nor in a run's recipe, and of which the file has none: those that its header
    /// suggests. What was guessed is told on standard error. `answers` are wanted where rows are to be measured on.
    ///
    /// # Errors
    /// Refuses a column of a name that no recipe takes.
    pub fn guess(&self, data: &mut Data, file: &Path, task: TaskKind, answers: Option<&Answers>) -> Result<()> {
        let given = |field: &str| match field {
            "data.text" => self.text.is_some(),
            "data.label" => answers.is_none_or(|answers| answers.label.is_some()),
            "data.messages" => answers.is_none_or(|answers| answers.messages.is_some()),
            _ => true,
        };
        let said = name_columns_of(file, data, task, &given)?;
        if let Some(said) = said {
            eprintln!("{said}");
        }
        Ok(())
    }
}

/// Says on standard error how many rows are longer than those that the run took, which are read whole here.
pub fn tell_long_rows(examples: &[Example], run: Option<&Recipe>, model: &Model) {
    let Some(longest) = run.map(|recipe| recipe.data.max_length) else { return };
    let long = examples.iter().filter(|example| example.tokens.len() > longest).count();
    if long > 0 {
        eprintln!(
            "{long} of {} rows are longer than the {longest} tokens of the run's data.max_length: they are read up to the model's \
             {} tokens",
            examples.len(),
            model.config.max_positions
        );
    }
}

impl Answers {
    /// `data` with the columns of the answers.
    #[must_use]
    pub fn add_to(&self, data: Data) -> Data {
        let given = [&self.prompt, &self.completion, &self.messages].into_iter().any(Option::is_some);
        Data {
            label: or(self.label.as_ref(), data.label),
            prompt: or(self.prompt.as_ref(), data.prompt),
            completion: or(self.completion.as_ref(), data.completion),
            messages: or(self.messages.as_ref(), data.messages),
            format: if given { DataFormat::Auto } else { data.format },
            ..data
        }
    }
}

fn or(given: Option<&String>, known: String) -> String {
    given.cloned().unwrap_or(known)
}
