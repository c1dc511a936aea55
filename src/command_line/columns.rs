//! The columns of a row, for commands that read rows without a recipe of their own.

use std::path::Path;

use spartui_data::{Example, name_columns_of};
use spartui_facts::error::{Error, Result};
use spartui_facts::recipe::{self, Data, DataFormat, Recipe, TaskKind};
use spartui_model::Model;

/// Columns and format of the rows; the defaults are those of the run's recipe, if the run is known, else those of any
/// recipe.
#[derive(Debug, clap::Args)]
pub struct Columns {
    /// Column of the text; default: that of the run, else "text".
    #[arg(long, value_name = "NAME")]
    text: Option<String>,
    /// Column of the second text of a pair; default: that of the run.
    #[arg(long, value_name = "NAME")]
    text_pair: Option<String>,
    /// minijinja template that makes the text from a row; default: that of the run.
    #[arg(long, value_name = "TEMPLATE")]
    template: Option<String>,
    /// Longest text in tokens; longer ones are truncated. 0: the most that the model allows.
    #[arg(long, default_value_t = 0, value_name = "N")]
    max_length: usize,
    /// Separator of the fields in csv and tsv, as data.delimiter of a recipe.
    #[arg(long, default_value = "auto", value_name = "CHARACTER", value_parser = delimiter)]
    delimiter: String,
    /// Character encoding of the file, as data.encoding of a recipe.
    #[arg(long, default_value = "auto", value_name = "NAME", value_parser = encoding)]
    encoding: String,
}

fn delimiter(text: &str) -> std::result::Result<String, String> {
    recipe::delimiter(text).map(|_| text.to_owned())
}

fn encoding(text: &str) -> std::result::Result<String, String> {
    recipe::encoding(text).map(|_| text.to_owned())
}

/// Columns with the answers, which only rows for an evaluation have.
#[derive(Debug, clap::Args)]
pub struct Answers {
    /// Column of the label; default: that of the run, else "label".
    #[arg(long, value_name = "NAME")]
    label: Option<String>,
    /// Column of the prompt, for a language model; default: that of the run, else "prompt".
    #[arg(long, value_name = "NAME")]
    prompt: Option<String>,
    /// Column of the completion; default: that of the run, else "completion".
    #[arg(long, value_name = "NAME")]
    completion: Option<String>,
    /// Column of a conversation; default: that of the run, else "messages".
    #[arg(long, value_name = "NAME")]
    messages: Option<String>,
}

impl Columns {
    /// The options as the table `[data]` of a recipe; `recipe` is that of the run, if known.
    ///
    /// # Errors
    /// Refuses a length above the model's number of positions.
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
            // This file may be written in another way than that of the run.
            delimiter: self.delimiter.clone(),
            encoding: self.encoding.clone(),
            format: if given { DataFormat::Auto } else { known.format },
            ..known
        })
    }
}

impl Columns {
    /// Guesses the columns that were not given and that the file does not have, from its header; the guess is printed
    /// on standard error. `answers` are needed for an evaluation.
    ///
    /// # Errors
    /// Refuses a column with a name that a recipe cannot have.
    pub fn guess(&self, data: &mut Data, file: &Path, task: TaskKind, answers: Option<&Answers>) -> Result<()> {
        let given = |field: &str| match field {
            "data.text" => self.text.is_some(),
            "data.label" => answers.is_none_or(|answers| answers.label.is_some()),
            "data.messages" => answers.is_none_or(|answers| answers.messages.is_some()),
            _ => true,
        };
        let guess = name_columns_of(file, data, task, &given)?;
        if let Some(guess) = guess {
            eprintln!("{guess}");
        }
        Ok(())
    }
}

/// Prints on standard error how many rows are longer than the `data.max_length` of the run; they are read in full here.
pub fn note_long_rows(examples: &[Example], run: Option<&Recipe>, model: &Model) {
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
    /// Adds the columns of the answers to `data`.
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
