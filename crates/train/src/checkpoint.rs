//! Conversion of snapshots to and from the files of a checkpoint.

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

/// Version of the layout of `state.json` and of the random numbers: since format 3 they come from
/// [`spartui_facts::random`].
const FORMAT: u32 = 3;
/// The format with the same layout and other random numbers.
const FORMAT_WITH_OLD_DRAWS: u32 = 2;
/// Part of the largest checkpoint that does not grow with the model, in bytes.
const SMALL: u64 = 64 << 20;

/// The tensors of a part of a site.
const PART: [&str; 5] = ["indices", "delta", "first", "second", "written"];
/// Prefix of the names of the head's tensors.
const HEAD: &str = "head.";

/// The contents of `state.json`.
#[derive(Debug, Serialize, Deserialize)]
struct StateFile {
    format: u32,
    step: u64,
    branch: u32,
    journal: usize,
    settings: BTreeMap<String, Value>,
    progress: Progress,
    parts: Vec<PartEntry>,
    /// Missing in checkpoints of earlier versions.
    #[serde(default)]
    labels: Vec<String>,
    #[serde(default)]
    identity: Option<Identity>,
}

/// The contents of a checkpoint.
#[derive(Debug)]
pub struct Held {
    /// The snapshot.
    pub snapshot: Snapshot,
    /// The identity of the run's model and data, if it is known.
    pub identity: Option<Identity>,
    format: u32,
}

impl Held {
    /// Makes sure that this program draws the head and the factors that the run began with. Drawn weights of the model are
    /// refused when a checkpoint is read, by whatever reads it.
    ///
    /// # Errors
    /// Refuses a run of an earlier version, which drew other numbers; the error names what was drawn.
    pub fn check_draws(&self) -> Result<()> {
        let recipe = &self.snapshot.recipe;
        let drawn = [
            (recipe.task.kind == TaskKind::SequenceClassification && recipe.task.head_init == HeadInit::Random)
                .then_some("the classification head"),
            (recipe.method.kind == MethodKind::Lora && recipe.method.adapter.as_os_str().is_empty())
                .then_some("LoRA's first factors"),
        ];
        let drawn: Vec<&str> = drawn.into_iter().flatten().collect();
        if self.format != FORMAT_WITH_OLD_DRAWS || drawn.is_empty() {
            return Ok(());
        }
        Err(Error::refused(format!(
            "the run is of an earlier version of the program, which drew {} with other numbers; resume or replay it with that \
             version (evaluate, predict and export read it)",
            drawn.join(" and ")
        )))
    }
}

/// One part of a site in `state.json`; its tensors are in the checkpoint's tensor file.
#[derive(Debug, Serialize, Deserialize)]
struct PartEntry {
    site: String,
    part: usize,
    born: Option<u64>,
}

/// Converts a snapshot, with the identity of its run, to a checkpoint.
#[must_use]
pub fn to_checkpoint(snapshot: &Snapshot, identity: Option<&Identity>) -> Checkpoint {
    let dense = snapshot.head.iter().chain(&snapshot.method.tensors);
    let mut tensors: Vec<NamedTensor> =
        dense.map(|dense| NamedTensor::float32(&dense.name, shape(dense), &dense.values)).collect();
    let mut parts = Vec::new();
    for (site, of_site) in &snapshot.method.sites {
        for (at, part) in of_site.iter().enumerate() {
            tensors.extend(part_tensors(site, at, part));
            parts.push(PartEntry { site: site.clone(), part: at, born: part.born });
        }
    }
    let live = FIELDS.iter().filter(|field| field.live || CARRIED.contains(&field.name));
    let state = StateFile {
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
    Checkpoint { tensors, state: serde_json::to_value(state).unwrap_or_else(|error| json!(error.to_string())) }
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

/// Most bytes of a checkpoint of this session; a larger file is not one.
#[must_use]
pub fn largest_checkpoint(session: &Session) -> u64 {
    largest_of(session.parameters())
}

/// As [`largest_checkpoint`], for a model with `parameters` parameters.
pub(super) fn largest_of(parameters: u64) -> u64 {
    SMALL + 32 * parameters
}

/// The contents of a checkpoint, for a session whose recipe is the run's.
///
/// # Errors
/// Refuses a checkpoint that does not fit the session; [`Session::restore`] checks its scalars.
pub fn from_checkpoint(checkpoint: &Checkpoint, session: &Session) -> Result<Held> {
    held(checkpoint, &session.recipe)
}

/// The contents of a checkpoint of a run with this recipe. The scalars are not checked.
pub(super) fn held(checkpoint: &Checkpoint, recipe: &Recipe) -> Result<Held> {
    let refuse = |why: String| Error::refused(format!("the checkpoint cannot be used: {why}"));
    let state: StateFile = serde_json::from_value(checkpoint.state.clone())
        .map_err(|error| refuse(format!("state.json: {}", spartui_facts::quote::one_line(&error.to_string()))))?;
    if ![FORMAT_WITH_OLD_DRAWS, FORMAT].contains(&state.format) {
        return Err(refuse(format!("it is of format {}, and {FORMAT} is understood", state.format)));
    }
    // The base is drawn anew at each load.
    if state.format == FORMAT_WITH_OLD_DRAWS && recipe.model.init == Init::Random {
        return Err(refuse(
            "an earlier version of the program drew the model's weights with other numbers; use that version".into(),
        ));
    }
    let mut recipe = recipe.clone();
    for (field, value) in state.settings {
        let may_change = FIELDS.iter().any(|known| known.name == field && known.live) || CARRIED.contains(&&*field);
        if !may_change {
            return Err(refuse(format!("it changes {}", spartui_facts::quote::quoted(&field))));
        }
        recipe.set(&field, value).map_err(refuse)?;
    }
    let tensors: BTreeMap<&str, &NamedTensor> =
        checkpoint.tensors.iter().map(|tensor| (tensor.name.as_str(), tensor)).collect();
    let mut sites: Vec<(String, Vec<Part>)> = Vec::new();
    for part in &state.parts {
        if sites.last().is_none_or(|(site, _)| *site != part.site) {
            sites.push((part.site.clone(), Vec::new()));
        }
        let read = read_part(part, &tensors).ok_or_else(|| {
            refuse(format!("the part {} of {} is incomplete", part.part, spartui_facts::quote::quoted(&part.site)))
        })?;
        sites.last_mut().into_iter().for_each(|(_, parts)| parts.push(read.clone()));
    }
    let TensorsByOwner { method, head } =
        split_by_owner(checkpoint, &state.parts, recipe.method.kind).map_err(refuse)?;
    let StateFile { format, step, branch, journal, progress, identity, labels, .. } = state;
    let method = State { sites, tensors: method };
    let labels = Arc::new(labels);
    let snapshot = Snapshot { step, branch, journal, recipe, progress, method, head, labels };
    Ok(Held { snapshot, identity, format })
}

/// The dense tensors of a checkpoint by owner; those of parts are not included.
#[derive(Default)]
struct TensorsByOwner {
    method: Vec<Dense>,
    head: Vec<Dense>,
}

/// Splits the dense tensors of a checkpoint by owner, which follows from the prefix of the name.
///
/// # Errors
/// A tensor without an owner: training would resume without it.
fn split_by_owner(
    checkpoint: &Checkpoint,
    parts: &[PartEntry],
    kind: MethodKind,
) -> std::result::Result<TensorsByOwner, String> {
    let of_parts: BTreeSet<String> =
        parts.iter().flat_map(|part| PART.map(|what| key(&part.site, part.part, what))).collect();
    let prefixes = method::definition(kind).prefixes();
    let mut owned = TensorsByOwner::default();
    for tensor in &checkpoint.tensors {
        let name = tensor.name.as_str();
        if prefixes.iter().any(|prefix| name.starts_with(prefix)) {
            owned.method.extend(to_dense(tensor));
        } else if name.starts_with(HEAD) {
            owned.head.extend(to_dense(tensor));
        } else if !of_parts.contains(name) {
            return Err(format!(
                "it holds {}, of which method.kind \"{}\" knows nothing; resume the run with the version that wrote it",
                spartui_facts::quote::quoted(name),
                kind.name()
            ));
        }
    }
    Ok(owned)
}

fn read_part(part: &PartEntry, tensors: &BTreeMap<&str, &NamedTensor>) -> Option<Part> {
    let get = |what: &str| tensors.get(key(&part.site, part.part, what).as_str()).copied();
    let moments = |what: &str| if part.born.is_some() { get(what)?.as_float32() } else { Some(Vec::new()) };
    let bits = |tensor: &NamedTensor| {
        (tensor.dtype == Dtype::Bfloat16)
            .then(|| tensor.bytes.as_chunks().0.iter().map(|&bits| i16::from_le_bytes(bits)).collect())
    };
    Some(Part {
        born: part.born,
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
        let parts = [PartEntry { site: "w".into(), part: 0, born: Some(0) }];
        let owned = split_by_owner(&checkpoint, &parts, MethodKind::Lora).unwrap();
        assert_eq!((owned.method[0].name.as_str(), owned.method.len(), owned.head.len()), (names[0], 1, 1));
        for (name, kind) in [
            ("gates.w", MethodKind::Lora),
            ("w.1.delta", MethodKind::Lora),
            ("w.0.third", MethodKind::Lora),
            ("lora.w.A.value", MethodKind::Head),
        ] {
            checkpoint.tensors[0] = tensor(name);
            let why = split_by_owner(&checkpoint, &parts, kind).map(|_| ()).unwrap_err();
            assert!(why.contains(&format!("it holds \"{name}\", of which method.kind \"{}\"", kind.name())), "{why}");
        }
    }
}
