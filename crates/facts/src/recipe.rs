//! A recipe: all settings of a run, in one TOML file.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::Path;

use serde::{Deserialize, Serialize};

mod asked;
mod fields;
mod hub_name;
mod method;
mod rate;
mod reading;
mod remarks;
mod scaling;
mod steps;
mod suggestions;
mod tables;
mod vary;

pub use fields::number;
pub use fields::{EVEN, FIELDS, Field, Kind};
pub use hub_name::{HubName, is_hub_name};
pub use method::{
    AdaMix, AdaMixVariant, Distance, Dst, Ether, EtherPlus, FineGates, Ia3, Id3, Loretta, LorettaStart, LorettaVariant,
    Lorta, Melora, Method, MethodKind, OnShrink, Orientation, Rounding, Sara, Selection, Side, Sparta, Variant, Vera,
};
pub use rate::{AUTO, LanguageBasis, LearningRate, RACE, SuggestedRate, two_digits};
pub use reading::{TextEncoding, check_template_argument, delimiter, encoding, reserved_by_chat};
pub use scaling::{Alignment, ClassFactors, Scaling};
pub use steps::Steps;
pub use tables::{
    BadRows, Data, DataFormat, HeadInit, History, Init, KeepState, Model, OnNonfinite, Optimizer, OptimizerKind,
    Recompute, Schedule, ScheduleKind, Task, TaskKind, TemplateArguments, TooLong, Train, Validation,
};
pub use toml::Value;
pub use vary::{LANES_SEED, Lane, MOST_LANES, lanes};

use crate::error::{Error, Result};

/// All settings of a run. [`FIELDS`] says what each field means.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "each field is documented in the table of fields")]
pub struct Recipe {
    pub model: Model,
    pub task: Task,
    pub data: Data,
    pub method: Method,
    pub optimizer: Optimizer,
    pub schedule: Schedule,
    pub train: Train,
    pub history: History,
    /// The values that were asked for, by the name of the field, where the launch chose a number that stands in the
    /// field.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub asked: BTreeMap<String, Value>,
}

impl Recipe {
    /// Reads a recipe file for a new run, applies `field=value` overrides, and makes its paths absolute: those of the
    /// file are relative to the file's folder, those of the overrides to the working folder. If it is the recipe of a
    /// run, the numbers that were chosen at its launch are replaced by the values that were asked for.
    ///
    /// # Errors
    /// Refuses a file that cannot be read, an unknown field, and a value that its field does not take.
    pub fn load(path: &Path, overrides: &[String]) -> Result<Self> {
        Self::read(path, |text, folder| Self::parse(text, folder, overrides))
    }

    /// As [`Recipe::load`], for the run to which the recipe belongs: the numbers that were chosen at its launch stay.
    ///
    /// # Errors
    /// As [`Recipe::load`].
    pub fn load_run(path: &Path) -> Result<Self> {
        Self::read(path, Self::parse_run)
    }

    fn read(path: &Path, parse: impl FnOnce(&str, &Path) -> Result<Self>) -> Result<Self> {
        let text = read_text(path).map_err(|error| {
            Error::refused(format!("cannot read the recipe {}: {error}; give the path of a TOML file", path.display()))
        })?;
        parse(&text, path.parent().unwrap_or(Path::new("")))
            .map_err(|error| Error::refused(format!("{}: {}", path.display(), error.message())))
    }

    /// As [`Recipe::load`], from the text of a recipe and the folder that its paths are relative to.
    ///
    /// # Errors
    /// As [`Recipe::load`].
    pub fn parse(text: &str, folder: &Path, overrides: &[String]) -> Result<Self> {
        let mut recipe = Self::parse_run(text, folder)?;
        recipe.restore_asked();
        let here = std::env::current_dir().unwrap_or_default();
        for assignment in overrides {
            let (name, value) = parse_assignment(assignment).map_err(Error::refused)?;
            recipe.set(&name, from_folder(&name, value, &here)).map_err(Error::refused)?;
        }
        Ok(recipe)
    }

    /// As [`Recipe::load_run`], from the text of a recipe and the folder that its paths are relative to.
    ///
    /// # Errors
    /// As [`Recipe::load`].
    pub fn parse_run(text: &str, folder: &Path) -> Result<Self> {
        let mut table: toml::Table = toml::from_str(text).map_err(|error| {
            let line = error.span().map_or(1, |span| 1 + text[..span.start.min(text.len())].matches('\n').count());
            let literal = error.span().and_then(|span| text.get(span)).unwrap_or_default();
            if is_too_large(literal) {
                return Error::refused(format!("line {line}: {literal} is too large; numbers go up to {}", i64::MAX));
            }
            Error::refused(format!("line {line}: {}; fix the TOML", error.message().replace('\n', ", ")))
        })?;
        let mut recipe = Self::default();
        let asked = table.remove(asked::TABLE).as_ref().map(asked::read).transpose().map_err(Error::refused)?;
        let mut fields = flatten(&table);
        // A recipe with every field written out has a sparsity and a count; the count is set last, since it takes
        // precedence.
        fields.sort_by_key(|(name, _)| [TRAINABLE, MATCH].contains(&name.as_str()));
        refuse_two_counts(&fields)?;
        for (name, value) in fields {
            recipe.set(&name, from_folder(&name, value, folder)).map_err(Error::refused)?;
        }
        recipe.asked = asked.unwrap_or_default();
        Ok(recipe)
    }

    /// Sets the field of this dotted name. The number of trainable parameters follows from one of three fields: setting
    /// `method.sparsity`, `method.trainable` or `method.match` resets the other ones.
    ///
    /// # Errors
    /// One sentence that names the field and what it takes; the recipe is unchanged then.
    pub fn set(&mut self, name: &str, value: Value) -> std::result::Result<(), String> {
        let value = Field::find(name)?.check(name, value)?;
        let mut table = self.to_table();
        match value {
            Value::String(word) if word == EVEN && is_group(name)? => remove(&mut table, name),
            value => *entry(&mut table, name)? = value,
        }
        *self = table.try_into().map_err(|error: toml::de::Error| format!("{name}: {}", error.message()))?;
        self.asked.remove(name);
        let method = &mut self.method;
        match name {
            SPARSITY => (method.trainable, method.match_run) = (0, String::new()),
            TRAINABLE if method.trainable > 0 => method.match_run.clear(),
            MATCH if !method.match_run.is_empty() => method.trainable = 0,
            _ => {}
        }
        Ok(())
    }

    /// The value of the field of this dotted name, if the recipe has one.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Value> {
        let mut value = Value::Table(self.to_table());
        for part in name.splitn(3, '.') {
            value = value.as_table_mut()?.remove(part)?;
        }
        Some(value)
    }

    /// The values of all fields by their dotted names; faster than [`Recipe::get`] for each.
    #[must_use]
    pub fn values(&self) -> BTreeMap<&'static str, Value> {
        let table = self.to_table();
        let value = |name: &str| {
            let mut parts = name.split('.');
            let section = table.get(parts.next()?)?;
            parts.try_fold(section, |table, key| table.get(key)).cloned()
        };
        FIELDS.iter().filter_map(|field| Some((field.name, value(field.name)?))).collect()
    }

    /// The whole recipe as TOML, every field written out.
    #[must_use]
    pub fn to_toml(&self) -> String {
        toml::to_string(&self.to_table()).unwrap_or_else(|error| unreachable!("a TOML table is TOML: {error}"))
    }

    fn to_table(&self) -> toml::Table {
        toml::Table::try_from(self).unwrap_or_else(|error| unreachable!("a recipe is a TOML table: {error}"))
    }
}

/// The largest text file of settings, in bytes: a device or an endless file must not fill the memory.
const LARGEST_TEXT: u64 = 16 << 20;

/// The text of a file of settings, such as a recipe.
///
/// # Errors
/// Where it cannot be read, is larger than 16 MiB, or is no UTF-8.
pub fn read_text(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    std::fs::File::open(path)?.take(LARGEST_TEXT + 1).read_to_string(&mut text)?;
    if text.len() as u64 > LARGEST_TEXT {
        return Err(std::io::Error::new(std::io::ErrorKind::FileTooLarge, "it has more than 16 MiB"));
    }
    Ok(text)
}

/// Whether the name is that of a single group's density.
fn is_group(name: &str) -> std::result::Result<bool, String> {
    let field = Field::find(name)?;
    Ok(field.name != name && matches!(field.kind, Kind::NumberByName(..)))
}

/// The fields that a recipe file and its overrides give; all others have their defaults.
///
/// # Errors
/// As [`Recipe::load`].
pub fn named_fields(path: &Path, overrides: &[String]) -> Result<BTreeSet<String>> {
    let text = read_text(path)
        .map_err(|error| Error::refused(format!("cannot read the recipe {}: {error}", path.display())))?;
    let table: toml::Table = toml::from_str(&text)
        .map_err(|error| Error::refused(format!("{}: {}; fix the TOML", path.display(), error.message())))?;
    let given = overrides.iter().map(|assignment| parse_assignment(assignment).map(|(name, _)| name));
    let given = given.collect::<std::result::Result<Vec<String>, String>>().map_err(Error::refused)?;
    Ok(flatten(&table).into_iter().map(|(name, _)| name).chain(given).collect())
}

const SPARSITY: &str = "method.sparsity";
const TRAINABLE: &str = "method.trainable";
const MATCH: &str = "method.match";

/// Refuses a file with both `method.trainable` and `method.match`.
fn refuse_two_counts(fields: &[(String, Value)]) -> Result<()> {
    let count =
        fields.iter().any(|(name, value)| name == TRAINABLE && value.as_integer().is_some_and(|count| count > 0));
    let run = fields.iter().any(|(name, value)| name == MATCH && value.as_str().is_some_and(|run| !run.is_empty()));
    if count && run {
        return Err(Error::refused(format!(
            "{TRAINABLE} and {MATCH} both say how many parameters train; give one of them"
        )));
    }
    Ok(())
}

/// Parses one `field=value` of the command line. Anything but a TOML value is a text, so that `--set data.label=intent`
/// needs no quotes.
///
/// # Errors
/// One sentence, if there is no `=`.
pub fn parse_assignment(assignment: &str) -> std::result::Result<(String, Value), String> {
    let (name, text) = assignment
        .split_once('=')
        .ok_or_else(|| format!("--set takes field=value, not \"{}\"", assignment.escape_debug()))?;
    Ok((name.trim().to_owned(), parse_value(text)))
}

/// Parses a value as a user types it: TOML, and anything else is a text.
#[must_use]
pub fn parse_value(text: &str) -> Value {
    let text = text.trim();
    toml::from_str::<toml::Table>(&format!("value = {text}"))
        .ok()
        .filter(|table| table.len() == 1)
        .and_then(|mut table| table.remove("value"))
        .unwrap_or_else(|| Value::String(text.to_owned()))
}

/// Whether this is a whole number with more digits than an `i64` has.
fn is_too_large(literal: &str) -> bool {
    let digits = literal.strip_prefix(['-', '+']).unwrap_or(literal).replace('_', "");
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) && digits.parse::<i64>().is_err()
}

/// The values of a recipe by their dotted names; a field that takes a table is one value.
fn flatten(table: &toml::Table) -> Vec<(String, Value)> {
    fn walk(prefix: &str, table: &toml::Table, leaves: &mut Vec<(String, Value)>) {
        for (key, value) in table {
            let name = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
            match value {
                Value::Table(inner) if !FIELDS.iter().any(|field| field.name == name) => walk(&name, inner, leaves),
                value => leaves.push((name, value.clone())),
            }
        }
    }
    let mut leaves = Vec::new();
    walk("", table, &mut leaves);
    leaves
}

/// The value at a dotted name; the part after the second dot is one key, since groups have dots in their names.
fn entry<'a>(table: &'a mut toml::Table, name: &str) -> std::result::Result<&'a mut Value, String> {
    let mut parts = name.splitn(3, '.');
    let (Some(section), Some(key)) = (parts.next(), parts.next()) else {
        return Err(format!("the recipe has no field \"{}\"", name.escape_debug()));
    };
    let section = table.entry(section).or_insert_with(|| Value::Table(toml::Table::new()));
    let value =
        section.as_table_mut().ok_or("the recipe's sections are tables")?.entry(key).or_insert(Value::Boolean(false));
    match parts.next() {
        None => Ok(value),
        Some(inner) => {
            let inner_table = value.as_table_mut().ok_or_else(|| format!("{key} is not a table"))?;
            Ok(inner_table.entry(inner).or_insert(Value::Boolean(false)))
        }
    }
}

fn remove(table: &mut toml::Table, name: &str) {
    let mut parts = name.splitn(3, '.');
    let (Some(section), Some(key), Some(inner)) = (parts.next(), parts.next(), parts.next()) else { return };
    let map = table.get_mut(section).and_then(|section| section.get_mut(key)).and_then(Value::as_table_mut);
    map.and_then(|map| map.remove(inner));
}

fn from_folder(name: &str, value: Value, folder: &Path) -> Value {
    let kind = Field::find(name).map(|field| field.kind);
    let is_path = matches!(kind, Ok(Kind::Path | Kind::PathOrShare | Kind::PathOrName));
    let is_name = |text: &str| kind == Ok(Kind::PathOrName) && is_hub_name(text) && !folder.join(text).exists();
    match value {
        Value::String(text) if is_path && !text.is_empty() && !is_name(&text) => {
            let path = folder.join(text);
            let path = std::path::absolute(&path).unwrap_or(path);
            Value::String(path.to_string_lossy().into_owned())
        }
        value => value,
    }
}
