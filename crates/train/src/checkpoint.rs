//! A snapshot as a checkpoint's files hold it, and back.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::snapshot::CARRIED;
use super::{Progress, Session, Snapshot};
use spartui_facts::error::{Error, Result};
use spartui_facts::recipe::{FIELDS, HeadInit, Init, MethodKind, Recipe, TaskKind, Value};
use spartui_method::{self as method, Dense, Part, State};
use spartui_run::{Checkpoint, Dtype, Identity, NamedTensor};

/// Of the layout of `state.json`, and of what the program draws: with format 3 what is drawn comes from
/// [`spartui_facts::random`].
const FORMAT: u32 = 3;
/// The same layout, with other numbers drawn.
const DRAWN_OTHERWISE: u32 = 2;
/// Bytes that a state may take beside what grows with the model.
const SMALL: u64 = 64 << 20;

/// What a part of a site is made of.
const PART: [&str; 5] = ["indices", "delta", "first", "second", "written"];
/// What the names of the head's tensors begin with.
const HEAD: &str = "head.";

/// `state.json`, as far as it tells of the snapshot.
#[derive(Debug, Serialize, Deserialize)]
struct Told {
    format: u32,
    step: u64,
    branch: u32,
    journal: usize,
    settings: BTreeMap<String, Value>,
    progress: Progress,
    parts: Vec<PartTold>,
    /// Missing in those of earlier versions.
    #[serde(default)]
    labels: Vec<String>,
    #[serde(default)]
    identity: Option<Identity>,
}

/// What a checkpoint holds.
#[derive(Debug)]
pub struct Held {
    /// The snapshot.
    pub snapshot: Snapshot,
    /// What the run belongs to, where that is known.
    pub identity: Option<Identity>,
    format: u32,
}

impl Held {
    /// Makes sure that this program can repeat the run from its first step, as far as what is drawn goes.
    ///
    /// # Errors
    /// Refuses a run of an earlier version, which drew other numbers, and names what it drew.
    pub fn check_repeatable(&self) -> Result<()> {
        let recipe = &self.snapshot.recipe;
        let drawn = [
            (recipe.model.init == Init::Random).then_some("the model's weights"),
            (recipe.task.kind == TaskKind::SequenceClassification && recipe.task.head_init == HeadInit::Random)
                .then_some("the classification head"),
            (recipe.method.kind == MethodKind::Lora).then_some("LoRA's first factors"),
        ];
        let drawn: Vec<&str> = drawn.into_iter().flatten().collect();
        if self.format != DRAWN_OTHERWISE || drawn.is_empty() {
            return Ok(());
        }
        Err(Error::refused(format!(
            "the run is of an earlier version of the program, which drew {} otherwise: it can go on, but only that version \
             repeats it",
            drawn.join(" and ")
        )))
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct PartTold {
    site: String,
    part: usize,
    born: Option<u64>,
}

/// A snapshot and what its run belongs to, as plain numbers.
#[must_use]
pub fn to_checkpoint(snapshot: &Snapshot, identity: Option<&Identity>) -> Checkpoint {
    let dense = snapshot.head.iter().chain(&snapshot.method.tensors);
    let mut tensors: Vec<NamedTensor> =
        dense.map(|dense| NamedTensor::float32(&dense.name, shape(dense), &dense.values)).collect();
    let mut parts = Vec::new();
    for (site, of_site) in &snapshot.method.sites {
        for (at, part) in of_site.iter().enumerate() {
            tensors.extend(part_tensors(site, at, part));
            parts.push(PartTold { site: site.clone(), part: at, born: part.born });
        }
    }
    let live = FIELDS.iter().filter(|field| field.live || CARRIED.contains(&field.name));
    let told = Told {
        format: FORMAT,
        step: snapshot.step,
        branch: snapshot.branch,
        journal: snapshot.journal,
        settings: live.filter_map(|field| Some((field.name.to_owned(), snapshot.recipe.get(field.name)?))).collect(),
        progress: snapshot.progress.clone(),
        parts,
        labels: snapshot.labels.to_vec(),
        identity: identity.cloned(),
    };
    // Numbers and names are JSON.
    Checkpoint { tensors, state: serde_json::to_value(told).unwrap_or_else(|error| json!(error.to_string())) }
}

fn key(site: &str, at: usize, what: &str) -> String {
    format!("{site}.{at}.{what}")
}

fn part_tensors(site: &str, at: usize, part: &Part) -> Vec<NamedTensor> {
    let len = vec![part.indices.len()];
    let indices: Vec<i32> = part.indices.iter().map(|&index| i32::try_from(index).unwrap_or(i32::MAX)).collect();
    let floats = |what: &str, values: &[f32]| NamedTensor::float32(key(site, at, what), len.clone(), values);
    let mut tensors =
        vec![NamedTensor::int32(key(site, at, "indices"), len.clone(), &indices), floats("delta", &part.delta)];
    if part.born.is_some() {
        tensors.extend([floats("first", &part.first), floats("second", &part.second)]);
    }
    if !part.written.is_empty() {
        let bytes = part.written.iter().flat_map(|bits| bits.to_le_bytes()).collect();
        let name = key(site, at, "written");
        tensors.push(NamedTensor { name, dtype: Dtype::Bfloat16, shape: len, bytes });
    }
    tensors
}

/// Bytes that a checkpoint of this session may have; more is none of its own.
#[must_use]
pub fn largest_checkpoint(session: &Session) -> u64 {
    largest_of(session.parameters())
}

/// As [`largest_checkpoint`], of a model with so many parameters.
pub(super) fn largest_of(parameters: u64) -> u64 {
    SMALL + 32 * parameters
}

/// What a checkpoint holds, for a session whose recipe is the run's.
///
/// # Errors
/// Refuses a checkpoint that does not fit the session; [`Session::restore`] checks its scalars.
pub fn from_checkpoint(checkpoint: &Checkpoint, session: &Session) -> Result<Held> {
    held(checkpoint, &session.recipe)
}

/// What a checkpoint of a run with this recipe holds. Its scalars are not checked.
pub(super) fn held(checkpoint: &Checkpoint, recipe: &Recipe) -> Result<Held> {
    let refuse = |why: String| Error::refused(format!("the checkpoint cannot be used: {why}"));
    let told: Told = serde_json::from_value(checkpoint.state.clone())
        .map_err(|error| refuse(format!("state.json: {}", spartui_facts::quote::one_line(&error.to_string()))))?;
    if ![DRAWN_OTHERWISE, FORMAT].contains(&told.format) {
        return Err(refuse(format!("it is of format {}, and {FORMAT} is understood", told.format)));
    }
    // The rest of what was drawn is in the checkpoint.
    if told.format == DRAWN_OTHERWISE && recipe.model.init == Init::Random {
        return Err(refuse(
            "an earlier version of the program drew the model's weights, with other numbers than this one".into(),
        ));
    }
    let mut recipe = recipe.clone();
    for (field, value) in told.settings {
        let may_change = FIELDS.iter().any(|known| known.name == field && known.live) || CARRIED.contains(&&*field);
        if !may_change {
            return Err(refuse(format!("it changes {}", spartui_facts::quote::quoted(&field))));
        }
        recipe.set(&field, value).map_err(refuse)?;
    }
    let tensors: BTreeMap<&str, &NamedTensor> =
        checkpoint.tensors.iter().map(|tensor| (tensor.name.as_str(), tensor)).collect();
    let mut sites: Vec<(String, Vec<Part>)> = Vec::new();
    for part in &told.parts {
        if sites.last().is_none_or(|(site, _)| *site != part.site) {
            sites.push((part.site.clone(), Vec::new()));
        }
        let read = read_part(part, &tensors).ok_or_else(|| {
            refuse(format!("the part {} of {} is incomplete", part.part, spartui_facts::quote::quoted(&part.site)))
        })?;
        sites.last_mut().into_iter().for_each(|(_, parts)| parts.push(read.clone()));
    }
    let Dealt { method, head } = deal(checkpoint, &told.parts, recipe.method.kind).map_err(refuse)?;
    let Told { format, step, branch, journal, progress, identity, labels, .. } = told;
    let method = State { sites, tensors: method };
    let labels = Arc::new(labels);
    let snapshot = Snapshot { step, branch, journal, recipe, progress, method, head, labels };
    Ok(Held { snapshot, identity, format })
}

/// The tensors of a checkpoint but those of parts, by whom they belong to.
#[derive(Default)]
struct Dealt {
    method: Vec<Dense>,
    head: Vec<Dense>,
}

/// Gives each tensor to whom its name says.
///
/// # Errors
/// What nobody reads: training would go on without it.
fn deal(checkpoint: &Checkpoint, parts: &[PartTold], kind: MethodKind) -> std::result::Result<Dealt, String> {
    let of_parts: BTreeSet<String> =
        parts.iter().flat_map(|part| PART.map(|what| key(&part.site, part.part, what))).collect();
    let prefixes = method::definition(kind).prefixes();
    let mut dealt = Dealt::default();
    for tensor in &checkpoint.tensors {
        let name = tensor.name.as_str();
        if prefixes.iter().any(|prefix| name.starts_with(prefix)) {
            dealt.method.extend(to_dense(tensor));
        } else if name.starts_with(HEAD) {
            dealt.head.extend(to_dense(tensor));
        } else if !of_parts.contains(name) {
            return Err(format!(
                "it holds {}, of which method.kind \"{}\" knows nothing; resume the run with the version that wrote it",
                spartui_facts::quote::quoted(name),
                kind.name()
            ));
        }
    }
    Ok(dealt)
}

fn read_part(told: &PartTold, tensors: &BTreeMap<&str, &NamedTensor>) -> Option<Part> {
    let get = |what: &str| tensors.get(key(&told.site, told.part, what).as_str()).copied();
    let moments = |what: &str| if told.born.is_some() { get(what)?.as_float32() } else { Some(Vec::new()) };
    let bits = |tensor: &NamedTensor| {
        (tensor.dtype == Dtype::Bfloat16)
            .then(|| tensor.bytes.as_chunks().0.iter().map(|&bits| i16::from_le_bytes(bits)).collect())
    };
    Some(Part {
        born: told.born,
        indices: Arc::new(get("indices")?.as_int32()?.into_iter().map(i64::from).collect()),
        delta: get("delta")?.as_float32()?,
        first: moments("first")?,
        second: moments("second")?,
        written: get("written").map_or(Some(Vec::new()), bits)?,
    })
}

fn shape(dense: &Dense) -> Vec<usize> {
    dense.shape.iter().map(|&extent| usize::try_from(extent).unwrap_or(0)).collect()
}

fn to_dense(tensor: &NamedTensor) -> Option<Dense> {
    let shape = tensor.shape.iter().map(|&extent| i64::try_from(extent).ok()).collect::<Option<_>>()?;
    Some(Dense { name: tensor.name.clone(), shape, values: tensor.as_float32()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tensor_that_nobody_reads_is_refused_by_its_name() {
        let tensor = |name: &str| NamedTensor::float32(name, vec![1], &[0.0]);
        let names = ["lora.w.A.value", "head.score.weight.value", "w.0.delta", "w.0.written"];
        let mut checkpoint =
            Checkpoint { tensors: names.into_iter().map(tensor).collect(), state: serde_json::Value::Null };
        let parts = [PartTold { site: "w".into(), part: 0, born: Some(0) }];
        let dealt = deal(&checkpoint, &parts, MethodKind::Lora).unwrap();
        assert_eq!((dealt.method[0].name.as_str(), dealt.method.len(), dealt.head.len()), (names[0], 1, 1));
        for (name, kind) in [
            ("gates.w", MethodKind::Lora),
            ("w.1.delta", MethodKind::Lora),
            ("w.0.third", MethodKind::Lora),
            ("lora.w.A.value", MethodKind::Head),
        ] {
            checkpoint.tensors[0] = tensor(name);
            let why = deal(&checkpoint, &parts, kind).map(|_| ()).unwrap_err();
            assert!(why.contains(&format!("it holds \"{name}\", of which method.kind \"{}\"", kind.name())), "{why}");
        }
    }
}
