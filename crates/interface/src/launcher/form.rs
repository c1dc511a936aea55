//! The form of a new run, built from the table of fields.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::plan::PlanView;
use super::value;
use crate::text::safe_text;
use crate::typed::Typed;
use spartui_data::{Dialect, Sample, guess_columns};
use spartui_facts::family::Family;
use spartui_facts::protocol::Sparsity;
use spartui_facts::recipe::{FIELDS, Field, LearningRate, Recipe, Steps, SuggestedRate, TaskKind, Value};

/// The essential fields, in this order, before the others by section.
const ESSENTIAL: [&str; 13] = [
    "model.path",
    "data.train",
    "data.validation",
    "task.kind",
    "data.text",
    "data.label",
    "method.kind",
    "method.sparsity",
    "method.targets",
    "optimizer.learning_rate",
    "train.epochs",
    "train.batch_size",
    "data.max_length",
];

/// Families of encoders that are not run, and that a folder may hold nevertheless.
const OTHER_ENCODERS: [&str; 4] = ["xlm-roberta", "camembert", "mpnet", "electra"];

/// The most edits that can be undone.
const MOST_EDITS: usize = 200;

/// A selectable line of the form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Slot {
    /// A field of the recipe, by its index in the table.
    Field(usize),
    /// The name of the run.
    Name,
    /// The file of the recipe.
    File,
}

/// A line of the form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line {
    /// A heading.
    Heading(&'static str),
    /// A line with a value.
    Slot(Slot),
}

/// The form.
#[derive(Debug, Clone)]
pub struct Form {
    /// The recipe as edited; each field is valid by itself. Paths are as typed.
    pub recipe: Box<Recipe>,
    /// The recipe that the form was opened with: from a file, or that of a run.
    pub base: Option<Base>,
    /// Name of the run; empty for the default.
    pub name: String,
    /// File of the recipe; empty for the default.
    pub file: String,
    /// The selected line.
    pub slot: Slot,
    /// The text being typed into it.
    pub typed: Option<Typed>,
    /// Why the typed text is invalid.
    pub problem: Option<String>,
    /// The text of a search for a field.
    pub find: Option<Typed>,
    /// The plan of the run.
    pub plan: PlanView,
    /// The sample of the file of rows, by the file's name in the form; no result while it is being read.
    pub sample: Option<(PathBuf, Option<Result<Sample, String>>)>,
    /// The format options with which that file was read.
    pub dialect: Dialect,
    /// Fields set from a header rather than by the user.
    pub suggested: BTreeSet<&'static str>,
    /// The last text typed for the lanes of a race.
    pub race: String,
    /// Fields set by the user.
    given: BTreeSet<&'static str>,
    edits: Vec<Edit>,
}

/// The values of all fields by their names.
#[derive(Debug, Clone, PartialEq)]
pub struct Values {
    /// Current values.
    pub now: BTreeMap<&'static str, Value>,
    /// Default values.
    pub default: BTreeMap<&'static str, Value>,
}

/// The recipe that a form was opened with.
#[derive(Debug, Clone, PartialEq)]
pub struct Base {
    /// Its file, or the name of a run.
    pub name: String,
    /// Its file, if it can be trained as it is.
    pub file: Option<PathBuf>,
    /// The recipe.
    pub recipe: Box<Recipe>,
}

/// The state of the form before an edit.
#[derive(Debug, Clone)]
struct Edit {
    recipe: Box<Recipe>,
    name: String,
    file: String,
    slot: Slot,
    suggested: BTreeSet<&'static str>,
    given: BTreeSet<&'static str>,
}

impl Form {
    /// A form with every default.
    #[must_use]
    pub fn new() -> Self {
        Self {
            recipe: Box::default(),
            base: None,
            name: String::new(),
            file: String::new(),
            slot: slot_of("model.path"),
            typed: None,
            problem: None,
            find: None,
            plan: PlanView::default(),
            sample: None,
            dialect: Dialect::default(),
            suggested: BTreeSet::new(),
            race: String::new(),
            given: BTreeSet::new(),
            edits: Vec::new(),
        }
    }

    /// A form opened with a recipe.
    #[must_use]
    pub fn of(base: Base) -> Self {
        let given = FIELDS.iter().map(|field| field.name).collect();
        Self { recipe: base.recipe.clone(), base: Some(base), given, ..Self::new() }
    }

    /// Whether anything differs from the recipe that the form was opened with.
    #[must_use]
    pub fn is_changed(&self) -> bool {
        !self.edits.is_empty() || self.typed.is_some()
    }

    /// All lines, in order.
    #[must_use]
    pub fn lines(&self) -> Vec<Line> {
        let wanted = self.find.as_ref().map(|find| find.text.to_lowercase()).filter(|text| !text.is_empty());
        let shown = |slot: &Slot| match &wanted {
            None => true,
            Some(wanted) => matches(*slot, wanted),
        };
        // A search finds the fields of all methods.
        let is_hidden = |at: usize, field: &Field| {
            wanted.is_none() && self.slot != Slot::Field(at) && self.is_of_another_method(field)
        };
        let is_there = |slot: &Slot| match slot {
            Slot::Field(at) => FIELDS.get(*at).is_none_or(|field| !is_hidden(*at, field)),
            Slot::Name | Slot::File => true,
        };
        let essential = ESSENTIAL.iter().filter(|name| self.is_essential(name)).map(|name| slot_of(name));
        let essential: Vec<Slot> = essential.filter(is_there).collect();
        let mut lines = Vec::new();
        let mut add = |heading: &'static str, slots: Vec<Slot>| {
            let slots: Vec<Slot> = slots.into_iter().filter(&shown).collect();
            if !slots.is_empty() {
                lines.push(Line::Heading(heading));
                lines.extend(slots.into_iter().map(Line::Slot));
            }
        };
        add("essentials", essential.clone());
        add("run", vec![Slot::Name, Slot::File]);
        let mut section = "";
        for field in FIELDS {
            let next = section_of(field);
            if next != section {
                section = next;
                let others = FIELDS.iter().enumerate().filter(|(_, field)| section_of(field) == section);
                let others = others.filter(|(at, field)| !is_hidden(*at, field));
                let slots = others.map(|(at, _)| Slot::Field(at)).filter(|slot| !essential.contains(slot));
                add(section, slots.collect());
            }
        }
        lines
    }

    /// The selectable lines.
    #[must_use]
    pub fn slots(&self) -> Vec<Slot> {
        let slot = |line| match line {
            Line::Slot(slot) => Some(slot),
            Line::Heading(_) => None,
        };
        self.lines().into_iter().filter_map(slot).collect()
    }

    /// Whether the recipe's method does not use a field.
    fn is_of_another_method(&self, field: &Field) -> bool {
        field.name.strip_prefix("method.").is_some_and(|of_method| !self.recipe.method.uses_field(of_method))
    }

    fn is_essential(&self, name: &str) -> bool {
        self.recipe.task.kind == TaskKind::SequenceClassification || !["data.label"].contains(&name)
    }

    /// Moves the selection by this many lines.
    pub fn walk(&mut self, by: isize) {
        let slots = self.slots();
        let at = slots.iter().position(|slot| *slot == self.slot).unwrap_or(0);
        let next = at.saturating_add_signed(by).min(slots.len().saturating_sub(1));
        if let Some(slot) = slots.get(next) {
            self.slot = *slot;
        }
    }

    /// Selects the first line of the section this many further.
    pub fn walk_section(&mut self, by: isize) {
        let mut sections: Vec<Vec<Slot>> = Vec::new();
        for line in self.lines() {
            match (line, sections.last_mut()) {
                (Line::Slot(slot), Some(section)) => section.push(slot),
                _ => sections.push(Vec::new()),
            }
        }
        let here = sections.iter().position(|section| section.contains(&self.slot)).unwrap_or(0);
        let count = sections.len().max(1);
        let next = (here + count).wrapping_add_signed(by) % count;
        if let Some(slot) = sections.get(next).and_then(|section| section.first()) {
            self.slot = *slot;
        }
    }

    /// Selects the best match of the search: the field with this name, else one whose name begins with it or contains
    /// it.
    pub fn go_to_found(&mut self) {
        let wanted = self.find.as_ref().map(|find| find.text.trim().to_lowercase()).unwrap_or_default();
        let name = |slot: &Slot| match slot {
            Slot::Field(at) => FIELDS.get(*at).map_or("", |field| field.name),
            Slot::Name => "run name",
            Slot::File => "recipe file",
        };
        let slots = self.slots();
        let ranks: [&dyn Fn(&str) -> bool; 4] = [
            &|name| name == wanted,
            &|name| name.starts_with(&wanted) || name.split('.').next_back().is_some_and(|last| last == wanted),
            &|name| name.contains(&wanted),
            &|_| true,
        ];
        let best = ranks.iter().find_map(|rank| slots.iter().find(|slot| rank(name(slot))));
        if let Some(slot) = best {
            self.slot = *slot;
        }
    }

    /// Selects the line of a field.
    pub fn select(&mut self, name: &str) {
        self.find = None;
        self.slot = slot_of(name);
    }

    /// Index of the selected line in [`Form::lines`].
    #[must_use]
    pub fn line(&self) -> usize {
        self.lines().iter().position(|line| *line == Line::Slot(self.slot)).unwrap_or(0)
    }

    /// The selected field of the recipe.
    #[must_use]
    pub fn field(&self) -> Option<&'static Field> {
        match self.slot {
            Slot::Field(at) => FIELDS.get(at),
            Slot::Name | Slot::File => None,
        }
    }

    /// Current and default values of all fields.
    #[must_use]
    pub fn values(&self) -> Values {
        Values { now: self.recipe.values(), default: Recipe::default().values() }
    }

    /// The displayed value of a line; none if it is empty.
    #[must_use]
    pub fn shown(&self, slot: Slot, values: &Values) -> Option<String> {
        let text = match slot {
            Slot::Name => safe_text(&self.name),
            Slot::File => safe_text(&self.file),
            Slot::Field(at) => {
                let field = FIELDS.get(at)?;
                value::shown_of(field, values.now.get(field.name)?)
            }
        };
        (!text.is_empty()).then_some(text)
    }

    /// Whether a field is not at its default.
    #[must_use]
    pub fn differs(&self, slot: Slot, values: &Values) -> bool {
        match slot {
            Slot::Name => !self.name.is_empty(),
            Slot::File => !self.file.is_empty(),
            Slot::Field(at) => {
                FIELDS.get(at).is_some_and(|field| values.now.get(field.name) != values.default.get(field.name))
            }
        }
    }

    /// Begins to edit the selected line: replacing its text, or appending to it.
    pub fn type_in(&mut self) {
        let text = match self.slot {
            Slot::Name => self.name.clone(),
            Slot::File => self.file.clone(),
            Slot::Field(at) => {
                let value = FIELDS.get(at).and_then(|field| self.recipe.get(field.name));
                value.map(|value| value::typed(&value)).unwrap_or_default()
            }
        };
        self.typed = Some(Typed { cursor: text.chars().count(), fresh: !text.is_empty(), text });
        self.problem = None;
    }

    /// Validates the typed text.
    pub fn check_typed(&mut self) {
        let Some(typed) = &self.typed else { return };
        self.problem = match self.slot {
            Slot::Name if typed.text.is_empty() => None,
            Slot::Name => spartui_run::check_name(&typed.text).err(),
            Slot::File => None,
            Slot::Field(at) => FIELDS.get(at).and_then(|field| value::read(field, &typed.text).err()),
        };
    }

    /// Applies the typed text if it is valid; returns whether it was.
    pub fn apply_typed(&mut self) -> bool {
        self.check_typed();
        let (Some(typed), None) = (self.typed.clone(), &self.problem) else { return self.typed.is_none() };
        match self.slot {
            Slot::Name => self.edit(|form| form.name = typed.text),
            Slot::File => self.edit(|form| typed.text.trim().clone_into(&mut form.file)),
            Slot::Field(at) => {
                let Some(field) = FIELDS.get(at) else { return false };
                let taken = value::read(field, &typed.text).and_then(|value| self.set(field, value));
                if let Err(why) = taken {
                    self.problem = Some(why);
                    return false;
                }
            }
        }
        self.typed = None;
        true
    }

    /// Sets a field on behalf of the user.
    ///
    /// # Errors
    /// One sentence from the recipe's validation.
    pub fn set(&mut self, field: &'static Field, value: Value) -> Result<(), String> {
        let mut recipe = self.recipe.clone();
        recipe.set(field.name, value)?;
        if recipe == self.recipe {
            self.given.insert(field.name);
            self.suggested.remove(field.name);
            return Ok(());
        }
        self.edit(|form| {
            form.recipe = recipe;
            form.given.insert(field.name);
            form.suggested.remove(field.name);
        });
        Ok(())
    }

    /// Steps the selected field through its ladder or list; returns whether it has one.
    pub fn turn(&mut self, by: isize) -> bool {
        let Some(field) = self.field() else { return false };
        let now = self.chosen(field).or_else(|| self.recipe.get(field.name));
        let Some(next) = now.and_then(|now| value::turned(field, &now, by)) else { return false };
        self.set(field, next).is_ok()
    }

    /// The number resolved for a field that is `auto` or a share of the steps, if known.
    #[must_use]
    pub fn chosen(&self, field: &Field) -> Option<Value> {
        self.rate_of(field).map(Value::Float).or_else(|| self.steps_of(field))
    }

    fn steps_of(&self, field: &Field) -> Option<Value> {
        let asked = match field.name {
            "schedule.warmup_steps" => self.recipe.schedule.warmup_steps,
            "train.evaluate_every" => self.recipe.train.evaluate_every,
            "train.checkpoint_every" => self.recipe.train.checkpoint_every,
            _ => return None,
        };
        let steps = asked.of(self.steps()?);
        (!matches!(asked, Steps::Count(_))).then(|| Value::Integer(i64::try_from(steps).unwrap_or(i64::MAX)))
    }

    fn rate_of(&self, field: &Field) -> Option<f64> {
        let optimizer = &self.recipe.optimizer;
        let planned = self.plan.rate.fresh().filter(|_| optimizer.learning_rate == LearningRate::Auto)?;
        match field.name {
            "optimizer.learning_rate" => Some(planned.rate),
            "optimizer.head_learning_rate" => {
                // Without a rate of its own, the head uses that of all trainable parameters.
                let head = planned.head.unwrap_or(planned.rate);
                (optimizer.head_learning_rate == LearningRate::Auto).then_some(head)
            }
            _ => None,
        }
    }

    /// Resets the selected line to its default.
    pub fn reset(&mut self) {
        match self.slot {
            Slot::Name => self.edit(|form| form.name.clear()),
            Slot::File => self.edit(|form| form.file.clear()),
            Slot::Field(_) => {
                if let Some(field) = self.field()
                    && let Some(value) = Recipe::default().get(field.name)
                {
                    // The default is valid.
                    let _ = self.set(field, value);
                    self.given.remove(field.name);
                }
            }
        }
    }

    /// Undoes the last edit; returns whether there was one.
    pub fn undo(&mut self) -> bool {
        let Some(edit) = self.edits.pop() else { return false };
        let Edit { recipe, name, file, slot, suggested, given } = edit;
        (self.recipe, self.name, self.file, self.slot) = (recipe, name, file, slot);
        (self.suggested, self.given) = (suggested, given);
        (self.typed, self.problem) = (None, None);
        true
    }

    fn edit(&mut self, change: impl FnOnce(&mut Self)) {
        let before = Edit {
            recipe: self.recipe.clone(),
            name: self.name.clone(),
            file: self.file.clone(),
            slot: self.slot,
            suggested: self.suggested.clone(),
            given: self.given.clone(),
        };
        change(self);
        let same = self.recipe == before.recipe && self.name == before.name && self.file == before.file;
        if !same {
            if self.edits.len() == MOST_EDITS {
                self.edits.remove(0);
            }
            self.edits.push(before);
        }
    }

    /// Handles the sample of the file of rows: columns that the user has not set are taken from its header. Returns a
    /// message about them.
    pub fn sampled(&mut self, file: &Path, sample: Result<Sample, String>) -> Option<String> {
        if self.sample.as_ref().is_none_or(|(wanted, _)| wanted != file) {
            return None;
        }
        let said = sample.as_ref().ok().map(|sample| self.suggest(sample)).filter(|said| !said.is_empty());
        self.sample = Some((file.to_owned(), Some(sample)));
        Some(format!("from the header: {}", said?.join(", ")))
    }

    fn suggest(&mut self, sample: &Sample) -> Vec<String> {
        let given = &self.given;
        let found =
            guess_columns(sample, &self.recipe.data, self.recipe.task.kind, &|field: &str| given.contains(field));
        let mut said = Vec::new();
        for (name, text) in found {
            self.suggest_one(name, &text, &mut said);
        }
        said
    }

    fn suggest_one(&mut self, name: &'static str, text: &str, said: &mut Vec<String>) {
        if self.recipe.set(name, Value::String(text.to_owned())).is_ok() {
            self.suggested.insert(name);
            said.push(format!("{name} = {}", safe_text(text)));
        }
    }

    /// Adapts the task to a chosen model: causal-lm for a language model, unless the user has set it.
    pub fn chose_model(&mut self, family: &str) {
        let encoder = Family::named(family).map_or(OTHER_ENCODERS.contains(&family), |family| !family.is_decoder());
        if !encoder && !self.given.contains("task.kind") && self.recipe.data.train.as_os_str().is_empty() {
            self.suggest_one("task.kind", "causal-lm", &mut Vec::new());
        }
    }

    /// The sample of the rows, if there is one.
    #[must_use]
    pub fn rows(&self) -> Option<&Result<Sample, String>> {
        self.sample.as_ref()?.1.as_ref()
    }

    /// The first required field without a value.
    #[must_use]
    pub fn missing(&self) -> Option<&'static str> {
        if self.recipe.model.path.as_os_str().is_empty() {
            Some("model.path")
        } else if self.recipe.data.train.as_os_str().is_empty() {
            Some("data.train")
        } else {
            None
        }
    }

    /// Warnings, a sentence each.
    #[must_use]
    pub fn remarks(&self) -> Vec<String> {
        let mut remarks = self.recipe.remarks(self.steps().unwrap_or(0), self.suggested_rate().as_ref());
        if let Some(Ok(sample)) = self.rows() {
            let data = &self.recipe.data;
            let wanted: &[(&str, &String)] = match self.recipe.task.kind {
                TaskKind::SequenceClassification if data.template.is_empty() => {
                    &[("data.text", &data.text), ("data.label", &data.label)]
                }
                TaskKind::SequenceClassification => &[("data.label", &data.label)],
                TaskKind::CausalLm => &[],
            };
            for (field, column) in wanted {
                if !sample.columns.iter().any(|known| known.name == **column) {
                    let names: Vec<&str> = sample.columns.iter().map(|column| column.name.as_str()).take(8).collect();
                    remarks.push(format!("{field}: there is no column \"{column}\"; there are {}", names.join(", ")));
                }
            }
        }
        remarks
    }

    /// Steps of the run, if the number of rows is known.
    #[must_use]
    pub fn steps(&self) -> Option<u64> {
        let rows = self.plan.data.fresh()?.train.rows as u64;
        let train = &self.recipe.train;
        Some(train.total_steps(rows.div_ceil(train.batch_size.max(1) as u64)))
    }

    /// The suggested learning rate, if the number of trainable parameters is known.
    fn suggested_rate(&self) -> Option<SuggestedRate> {
        // For a language model the rule needs its loss on the rows, which the plan measures.
        if self.recipe.task.kind == TaskKind::CausalLm {
            return None;
        }
        let Sparsity { trainable, parameters, head, .. } = *self.plan.sparsity.fresh()?;
        Some(self.recipe.method.learning_rate(trainable.saturating_sub(head), parameters.saturating_sub(head), None))
    }
}

impl Default for Form {
    fn default() -> Self {
        Self::new()
    }
}

/// The section of a field: its name up to the dot.
fn section_of(field: &'static Field) -> &'static str {
    field.name.split('.').next().unwrap_or_default()
}

/// The line of the field with this name.
#[must_use]
pub fn slot_of(name: &str) -> Slot {
    Slot::Field(FIELDS.iter().position(|field| field.name == name).unwrap_or(0))
}

fn matches(slot: Slot, wanted: &str) -> bool {
    let words = match slot {
        Slot::Name => "run name".to_owned(),
        Slot::File => "recipe file".to_owned(),
        Slot::Field(at) => FIELDS.get(at).map_or_else(String::new, |field| format!("{} {}", field.name, field.help)),
    };
    let words = words.to_lowercase();
    wanted.split_whitespace().all(|part| words.contains(part))
}

#[cfg(test)]
mod tests;
