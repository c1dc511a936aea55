//! The one table of the recipe's fields.
//!
//! The launch form, `--set`, validation, live editing, `--help` and docs/recipe.md all read this table;
//! defaults are not repeated here, they come from [`super::Recipe::default`].

use super::reading::{check_template_argument, delimiter, encoding};
use super::{AUTO, Alignment, OptimizerKind, RACE, Scaling, Value, method, suggestions};

/// One field of the recipe.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// Dotted name, such as `method.sparsity`.
    pub name: &'static str,
    /// Its meaning, in one sentence without a full stop.
    pub help: &'static str,
    /// The values that it takes.
    pub kind: Kind,
    /// Whether it can be changed while the run trains.
    pub live: bool,
}

/// The values that a field takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// Path of a file or folder, relative to the recipe's own folder.
    Path,
    /// A path, or a model's name on the hub.
    PathOrName,
    /// A path, or a share of another file: from 0 (none of it) to below 1.
    PathOrShare,
    /// Any text.
    Text,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// `true` or `false`.
    Flag,
    /// A whole number within these bounds, both included.
    Integer(i64, i64),
    /// A number within these bounds, both included.
    Number(f64, f64),
    /// A number within these bounds, both included, or [`AUTO`].
    NumberOrAuto(f64, f64),
    /// A number within these bounds, both included, [`AUTO`] or [`RACE`].
    Rate(f64, f64),
    /// A number above 0 up to this bound.
    Positive(f64),
    /// A whole number of steps, or a share of the run's steps below 1; if this is true, also [`AUTO`].
    Steps(bool),
    /// Two numbers, each within these bounds, the upper one excluded.
    Pair(f64, f64),
    /// A list of words.
    Words,
    /// A number within these bounds for each of several names, the lower one excluded.
    NumberByName(f64, f64),
    /// Any value for each of several names.
    ValueByName,
    /// The separator of the fields of a line, or [`AUTO`].
    Delimiter,
    /// The name of a character encoding, or [`AUTO`].
    Encoding,
}

/// In place of a group's density: the group has none of its own.
pub const EVEN: &str = "even";

pub(super) const ANY: i64 = i64::MAX;

/// Most characters of a name or a value in a message.
const SHOWN: usize = 200;

pub(super) const fn field(name: &'static str, kind: Kind, help: &'static str) -> Field {
    Field { name, help, kind, live: false }
}

pub(super) const fn live(name: &'static str, kind: Kind, help: &'static str) -> Field {
    Field { name, help, kind, live: true }
}

/// Every field, in the order of the documents.
pub const FIELDS: &[Field] =
    &joined::<{ BEFORE.len() + method::FIELDS.len() + AFTER.len() }>(&[BEFORE, method::FIELDS, AFTER]);

/// Joins the lists.
pub(super) const fn joined<const ALL: usize>(lists: &[&[Field]]) -> [Field; ALL] {
    let mut all = [lists[0][0]; ALL];
    let (mut list, mut at, mut next) = (0, 0, 0);
    while list < lists.len() {
        while at < lists[list].len() {
            all[next] = lists[list][at];
            (at, next) = (at + 1, next + 1);
        }
        (list, at) = (list + 1, 0);
    }
    all
}

/// The fields before the table `[method]`.
#[rustfmt::skip]
const BEFORE: &[Field] = &[
    field("model.path", Kind::PathOrName, "folder of the model in Hugging Face layout, or its name on the hub such as owner/name"),
    field("model.dtype", Kind::Choice(&["auto", "float32", "bfloat16", "float16"]), "data type of the weights in memory; auto: as stored"),
    field("model.device", Kind::Text, "auto, cpu, cuda, cuda:N or mps; a device that is named but missing is an error"),
    field("model.init", Kind::Choice(&["pretrained", "random"]), "pretrained: the weights in the model's files; random: new weights, initialized as config.json says, with method.seed"),
    field("model.new_tokens", Kind::Words, "special tokens that are added to the tokenizer and the model, such as <sep>; their rows of the embeddings are drawn as config.json's initializer_range says, with method.seed"),

    field("task.kind", Kind::Choice(&["sequence-classification", "causal-lm"]), "what the model learns to do"),
    field("task.labels", Kind::Words, "labels in the order of the logits; empty: those of the training rows, sorted"),
    field("task.head_init", Kind::Choice(&["random", "from_pretrained"]), "how the classification head is initialized; from_pretrained: with rows of the language-model head, or with the stored classification head"),
    field("task.response_classes", Kind::Words, "for head_init from_pretrained: a word for each label, whose first token gives the row of the language-model head; empty: the labels"),

    field("data.train", Kind::Path, "training rows: jsonl, ndjson, json, csv, tsv or parquet, by extension; also packed, as in rows.jsonl.gz or rows.csv.zst"),
    field("data.validation", Kind::PathOrShare, "validation rows: a file, or a share of the training rows such as 0.1; 0: none, and nothing is evaluated"),
    field("data.delimiter", Kind::Delimiter, "separator of the fields in csv and tsv; auto: a comma (tsv: a tab), or the semicolon, tab or bar that the header has instead"),
    field("data.encoding", Kind::Encoding, "character encoding of a file, such as utf-8, utf-16, windows-1252 or gbk; auto: by its byte order mark, else utf-8, or windows-1252 if it is not valid utf-8"),
    field("data.format", Kind::Choice(&["auto", "text", "completion", "messages"]), "what causal-lm trains on; auto: by the columns of the first row"),
    field("data.text", Kind::Text, "column of the text"),
    field("data.text_pair", Kind::Text, "column of the second text of a pair; empty: no pairs"),
    field("data.label", Kind::Text, "column of the label"),
    field("data.prompt", Kind::Text, "column of the prompt, a text or a list of messages; the loss leaves its tokens out"),
    field("data.completion", Kind::Text, "column of the completion, a text or a list of messages; the loss is over its tokens"),
    field("data.messages", Kind::Text, "column of a conversation; the loss is over the assistant's turns; if the column is missing, conversations (ShareGPT) is used"),
    field("data.template", Kind::Text, "minijinja template that makes the text from a row; empty: the text column"),
    field("data.template_arguments", Kind::ValueByName, "arguments of the model's chat template besides the messages, such as { enable_thinking = false }; a row's own tools, documents and chat_template_kwargs override them"),
    field("data.append_end", Kind::Flag, "append the model's end token to a text or a completion, so that the model learns to stop"),
    field("data.max_length", Kind::Integer(1, 1 << 20), "longest example in tokens"),
    field("data.too_long", Kind::Choice(&["drop", "truncate"]), "what happens to examples longer than max_length"),
    field("data.shuffle", Kind::Flag, "shuffle the training rows; false: the order of the file, without grouping by length"),
    field("data.group_by_length", Kind::Flag, "make batches of examples of similar length, which need little padding"),
    field("data.bad_rows", Kind::Choice(&["report", "fail"]), "report: skip invalid rows and report them; fail: refuse the file"),
];

/// The fields after the table `[method]`.
#[rustfmt::skip]
const AFTER: &[Field] = &[
    live("optimizer.kind", Kind::Choice(&OptimizerKind::NAMES), "optimizer; adam_atan2: Adam with an arc tangent in place of the quotient, so that it needs no epsilon and the scale of the gradients does not matter"),
    live("optimizer.learning_rate", Kind::Rate(0.0, 10.0), "rate at the schedule's peak; auto: the one for the method and the share of the weights that trains; race: the best of several around that one, which train for a few steps before the first step; the launch turns it into a number"),
    live("optimizer.head_learning_rate", Kind::NumberOrAuto(0.0, 10.0), "rate of a classification head at the schedule's peak; auto: learning_rate, or a rate of its own if that is auto at the launch"),
    field("optimizer.betas", Kind::Pair(0.0, 1.0), "decay rates of the first and second moment"),
    field("optimizer.epsilon", Kind::Number(0.0, 1.0), "adamw: added to the divisor, which prevents a division by zero"),
    live("optimizer.weight_decay", Kind::Number(0.0, 1.0), "decoupled weight decay of the deltas (method full: of the weights); the head is exempt"),
    live("optimizer.max_grad_norm", Kind::Number(0.0, 1e9), "clip the gradient to this norm; 0: off"),

    field("optimizer.scaling", Kind::Choice(&Scaling::NAMES), "parameterization by whose exponents the learning rates of embeddings with all vectors, of the weights of blocks, and of heads follow the model's width; none: one rate for all"),
    field("optimizer.alignment", Kind::Choice(&Alignment::NAMES), "assumption of optimizer.scaling: whether updates are aligned with the activations"),
    field("optimizer.base_width", Kind::Integer(1, 1 << 20), "for optimizer.scaling: width of the model at which the learning rate was tuned"),

    field("schedule.kind", Kind::Choice(&["constant", "linear", "cosine"]), "how the learning rate falls after the warm-up"),
    field("schedule.warmup_steps", Kind::Steps(false), "steps over which the learning rate rises from 0: a number, or a share of the run such as 0.1; the launch turns it into a number"),
    field("schedule.min_learning_rate", Kind::Number(0.0, 10.0), "learning rate at the end of the schedule"),

    field("train.epochs", Kind::Positive(1e6), "passes over the training rows; 0.5 is half an epoch"),
    field("train.max_steps", Kind::Integer(0, ANY), "maximum number of optimizer steps; 0: no limit"),
    field("train.batch_size", Kind::Integer(1, 1 << 20), "examples per optimizer step"),
    field("train.micro_batch_size", Kind::Integer(0, 1 << 20), "examples per forward and backward pass, whose gradients are accumulated; 0: the whole batch"),
    live("train.evaluate_every", Kind::Steps(true), "steps between evaluations: a number, a share of the run such as 0.1, or auto: a tenth of the run and at most 100; 0: at the end only; the launch turns it into a number"),
    live("train.checkpoint_every", Kind::Steps(true), "steps between checkpoints, as train.evaluate_every; 0: at the end only"),
    live("train.keep_checkpoints", Kind::Integer(1, 1_000_000), "newest checkpoints that are kept"),
    field("train.recompute", Kind::Choice(&["none", "blocks"]), "blocks: recompute the activations of each block in the backward pass instead of keeping them (gradient checkpointing)"),
    field("train.early_stopping_patience", Kind::Integer(0, 1_000_000), "stop after this many evaluations without a better accuracy (causal-lm: a lower loss); 0: never"),
    field("train.keep", Kind::Choice(&["last", "best"]), "state that the adapter (method.kind \"full\": the model) holds at the end, also after early stopping: the last one, or that of the best evaluation"),
    field("train.on_nonfinite", Kind::Choice(&["pause", "skip", "lower_rate"]), "if loss or gradient is not finite: rewind to the last good state and pause (headless: end), skip the batch, or rewind and continue at half the learning rate"),
    field("train.seed", Kind::Integer(0, ANY), "seed of the order of the rows"),

    field("history.every", Kind::Integer(0, ANY), "steps between snapshots in memory, to which a rewind is immediate; 0: snapshots only at changes by hand and at checkpoints"),
    field("history.budget_mb", Kind::Integer(0, 1 << 20), "most megabytes for all snapshots in memory; older ones are thinned out"),
];

impl Field {
    /// Finds the field with this dotted name; `method.density.value` is found as `method.density`.
    ///
    /// # Errors
    /// One sentence with the most similar known name.
    pub fn find(name: &str) -> Result<&'static Self, String> {
        let known = |field: &&Self| {
            field.name == name
                || (matches!(field.kind, Kind::NumberByName(..) | Kind::ValueByName)
                    && name.strip_prefix(field.name).is_some_and(|rest| rest.starts_with('.')))
        };
        FIELDS
            .iter()
            .find(known)
            .ok_or_else(|| format!("the recipe has no field \"{}\"; {}", shown(name), suggestions::suggest_field(name)))
    }

    /// Checks a value for the field of this dotted name and converts it to the form in which it is stored: whole
    /// numbers become floats if the field is a number.
    ///
    /// # Errors
    /// One sentence that names the field, what it takes and what it got.
    pub fn check(&self, name: &str, value: Value) -> Result<Value, String> {
        let refuse = |value: &Value| {
            let hint = suggestions::suggest_value(self, value).map(|hint| format!("; {hint}")).unwrap_or_default();
            Err(format!("{} takes {}, not {}{hint}", shown(name), self.kind.describe(), shown(&value.to_string())))
        };
        match (self.kind, value) {
            (Kind::Path | Kind::PathOrName | Kind::Text | Kind::PathOrShare, Value::String(text)) => {
                Ok(Value::String(text))
            }
            (Kind::PathOrShare, value) => match number(&value) {
                Some(share) if (0.0..1.0).contains(&share) => Ok(Value::Float(share)),
                _ => refuse(&value),
            },
            (Kind::Delimiter, Value::String(word)) if delimiter(&word).is_ok() => Ok(Value::String(word)),
            (Kind::Encoding, Value::String(word)) if encoding(&word).is_ok() => Ok(Value::String(word)),
            (Kind::Choice(words), Value::String(word)) if words.contains(&word.as_str()) => Ok(Value::String(word)),
            (Kind::Flag, Value::Boolean(flag)) => Ok(Value::Boolean(flag)),
            (Kind::Integer(low, high), Value::Integer(number)) if (low..=high).contains(&number) => {
                Ok(Value::Integer(number))
            }
            (Kind::NumberOrAuto(..) | Kind::Rate(..) | Kind::Steps(true), Value::String(word)) if word == AUTO => {
                Ok(Value::String(word))
            }
            (Kind::Rate(..), Value::String(word)) if word == RACE => Ok(Value::String(word)),
            (Kind::Number(low, high) | Kind::NumberOrAuto(low, high) | Kind::Rate(low, high), value) => {
                match number(&value) {
                    Some(number) if (low..=high).contains(&number) => Ok(Value::Float(number)),
                    _ => refuse(&value),
                }
            }
            (Kind::Positive(high), value) => match number(&value) {
                Some(number) if number > 0.0 && number <= high => Ok(Value::Float(number)),
                _ => refuse(&value),
            },
            (Kind::Steps(_), Value::Integer(count)) if count >= 0 => Ok(Value::Integer(count)),
            (Kind::Steps(_), Value::Float(0.0)) => Ok(Value::Integer(0)),
            (Kind::Steps(_), Value::Float(share)) if share > 0.0 && share < 1.0 => Ok(Value::Float(share)),
            (Kind::Pair(low, high), Value::Array(items)) => {
                let numbers: Vec<f64> = items.iter().filter_map(number).filter(|n| (low..high).contains(n)).collect();
                if items.len() == 2 && numbers.len() == 2 {
                    Ok(Value::Array(numbers.into_iter().map(Value::Float).collect()))
                } else {
                    refuse(&Value::Array(items))
                }
            }
            (Kind::Words, Value::Array(items)) if items.iter().all(Value::is_str) => Ok(Value::Array(items)),
            (Kind::NumberByName(..), Value::Table(table)) if name == self.name => {
                let checked = table.into_iter().map(|(key, value)| {
                    let value = self.check(&format!("{name}.{key}"), value)?;
                    Ok((key, value))
                });
                Ok(Value::Table(checked.collect::<Result<_, String>>()?))
            }
            (Kind::NumberByName(..), Value::String(word)) if name != self.name && word == EVEN => {
                Ok(Value::String(word))
            }
            (Kind::ValueByName, value) if name != self.name => {
                let argument = name.strip_prefix(self.name).map_or(name, |rest| rest.trim_start_matches('.'));
                check_template_argument(argument, &value, false).map_err(|why| format!("{} {why}", shown(name)))?;
                Ok(value)
            }
            (Kind::ValueByName, Value::Table(table)) => {
                let checked = table.into_iter().map(|(key, value)| {
                    let value = self.check(&format!("{name}.{key}"), value)?;
                    Ok((key, value))
                });
                Ok(Value::Table(checked.collect::<Result<_, String>>()?))
            }
            (Kind::NumberByName(low, high), value) if name != self.name => match number(&value) {
                Some(number) if number > low && number <= high => Ok(Value::Float(number)),
                _ => refuse(&value),
            },
            (_, value) => refuse(&value),
        }
    }
}

/// A text from a recipe for a message: on one line, and cut if it is long.
fn shown(text: &str) -> String {
    let printable = |c: char| if c.is_control() { c.escape_debug().to_string() } else { c.to_string() };
    let more = if text.chars().nth(SHOWN).is_some() { "…" } else { "" };
    text.chars().take(SHOWN).map(printable).chain([more.to_owned()]).collect()
}

impl Kind {
    /// The values, as the rest of a sentence after "takes".
    #[must_use]
    pub fn describe(&self) -> String {
        let bound = |high: i64| if high == ANY { String::from("up") } else { format!("to {high}") };
        match self {
            Self::Path => "a path in quotes".into(),
            Self::PathOrName => "a path or a name such as \"owner/name\" in quotes".into(),
            Self::PathOrShare => "a path in quotes, a share below 1 such as 0.1, or 0 for none".into(),
            Self::Text => "a text in quotes".into(),
            Self::Choice(words) => format!("one of \"{}\"", words.join("\", \"")),
            Self::Flag => "true or false".into(),
            Self::Integer(low, high) => format!("a whole number from {low} {}", bound(*high)),
            Self::Number(low, high) => format!("a number from {low} to {high}"),
            Self::NumberOrAuto(low, high) => format!("a number from {low} to {high}, or \"{AUTO}\""),
            Self::Rate(low, high) => format!("a number from {low} to {high}, \"{AUTO}\" or \"{RACE}\""),
            Self::Positive(high) => format!("a number above 0, to {high}"),
            Self::Steps(auto) => {
                let or_auto = if *auto { format!(", or \"{AUTO}\"") } else { String::new() };
                format!("a whole number of steps, or a share of the run below 1 such as 0.1{or_auto}")
            }
            Self::Pair(low, high) => format!("two numbers from {low} to below {high}, such as [0.9, 0.99]"),
            Self::Delimiter => format!("one character such as \";\", or \"tab\", or \"{AUTO}\""),
            Self::Encoding => format!("the name of an encoding such as \"windows-1252\", or \"{AUTO}\""),
            Self::Words => "a list of strings, such as [\"a\", \"b\"]".into(),
            Self::ValueByName => "a table of names and values, such as { enable_thinking = false }".into(),
            Self::NumberByName(low, high) => {
                format!("a number above {low}, to {high}, or \"{EVEN}\", for a group's name")
            }
        }
    }
}

/// A value as a float, if it is a number.
#[expect(clippy::cast_precision_loss, reason = "a recipe's whole numbers are far below 2^53")]
#[must_use]
pub fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Float(number) => Some(*number),
        Value::Integer(number) => Some(*number as f64),
        _ => None,
    }
}
