//! Sparse adapters in the formats of the Python package PEFT: `SHiRA` and Super-Tuning.
//!
//! PEFT loads as many scalars for each layer as its settings say: `r (in + out)` for `SHiRA`, a share of the weight for
//! Super-Tuning. A layer with fewer deltas is filled up with zeros at positions without a delta. When such an adapter is
//! read, zeros are left out.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use serde_json::{Map, Value, json};

use super::adapter::refuse_part as refuse;
use super::adapter::{Adapter, AdapterFiles, ParameterDelta, family, put_adapter};
use super::adapter_reading::Contents;
use super::lora::{FACTORS, PREFIX, SETTINGS, module, own_config, saved_module, split_head, target_modules};
use super::merged::trained_config;
use super::new_tokens::NewTokens;
use spartui_facts::error::{Error, Result};
use spartui_facts::family::Family;
use spartui_facts::quote::{one_line, quoted};
use spartui_run::files::read_bounded;
use spartui_run::tensors::{Dtype, NamedTensor, parse_tensors};

const CONFIG_LIMIT: u64 = 16 << 20;
/// Largest file of an adapter, in bytes: a device or an endless file must not fill the memory.
const TENSORS_LIMIT: u64 = 64 << 30;

/// A sparse format of PEFT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PeftFormat {
    /// arXiv 2406.13175; rows and columns of the scalars.
    Shira,
    /// arXiv 2607.09287; flat positions of the scalars.
    Supertuning,
}

impl PeftFormat {
    const ALL: [Self; 2] = [Self::Shira, Self::Supertuning];

    fn peft_type(self) -> &'static str {
        match self {
            Self::Shira => "SHIRA",
            Self::Supertuning => "SUPERTUNING",
        }
    }

    /// The ends of the names of values and positions.
    fn ends(self) -> [&'static str; 2] {
        match self {
            Self::Shira => [".shira_weight", ".shira_indices"],
            Self::Supertuning => [".supertuning_values", ".supertuning_indices"],
        }
    }

    /// The format of a folder's `adapter_config.json`; none where it is another one.
    pub(super) fn of(folder: &Path) -> Option<Self> {
        let bytes = read_bounded(&folder.join(SETTINGS), CONFIG_LIMIT).ok()?;
        let json: Value = serde_json::from_slice(&bytes).ok()?;
        let kind = json.get("peft_type")?.as_str()?;
        Self::ALL.into_iter().find(|format| format.peft_type() == kind)
    }
}

/// How many scalars each layer has.
enum Filling {
    /// `SHiRA`'s r.
    Rank(usize),
    /// Super-Tuning's sparsity.
    Sparsity(f64),
}

impl Filling {
    /// The smallest filling that has room for the deltas of all these weights, `[rows, columns]`.
    ///
    /// # Errors
    /// One sentence where there is none.
    #[expect(clippy::cast_precision_loss, reason = "scalars are below 2^53")]
    fn of(format: PeftFormat, weights: &[(&str, [usize; 2], usize)]) -> std::result::Result<Self, String> {
        match format {
            PeftFormat::Shira => {
                let rank = weights.iter().map(|(_, [rows, columns], count)| count.div_ceil(rows + columns)).max();
                let rank = rank.unwrap_or(1).max(1);
                match weights.iter().find(|(_, [rows, columns], _)| rank * (rows + columns) > rows * columns) {
                    None => Ok(Self::Rank(rank)),
                    Some((name, ..)) => Err(format!(
                        "PEFT's SHiRA has r (in + out) scalars in every layer, and the r that the run needs is {rank}, more than {} has \
                         room for; use --format super or sparta",
                        one_line(name)
                    )),
                }
            }
            PeftFormat::Supertuning => {
                let share = |[rows, columns]: [usize; 2], count: usize| count as f64 / (rows * columns) as f64;
                let dense = weights.iter().map(|(_, shape, count)| share(*shape, *count)).fold(0.0, f64::max);
                // PEFT rounds down; a share that is a little larger has room for all.
                let smallest = weights.iter().map(|(_, [rows, columns], _)| rows * columns).min().unwrap_or(1);
                let mut sparsity = (1.0 - dense).max(0.0);
                let fits = |sparsity: f64| {
                    weights.iter().all(|(_, [rows, columns], count)| {
                        let room = Self::Sparsity(sparsity).room([*rows, *columns]);
                        room >= *count && room > 0
                    })
                };
                while !fits(sparsity) && sparsity > 0.0 {
                    sparsity = (sparsity - 0.5 / smallest as f64).max(0.0);
                }
                Ok(Self::Sparsity(sparsity))
            }
        }
    }

    /// Number of scalars of a weight, as PEFT computes it.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "scalars are below 2^53"
    )]
    fn room(&self, [rows, columns]: [usize; 2]) -> usize {
        match self {
            Self::Rank(rank) => rank * (rows + columns),
            Self::Sparsity(sparsity) => ((rows * columns) as f64 * (1.0 - sparsity)) as usize,
        }
    }
}

/// Whether a matrix holds embeddings, which PEFT's sparse adapters do not adapt.
fn is_embedding(name: &str) -> bool {
    let module = name.trim_end_matches(".weight").rsplit('.').next().unwrap_or(name);
    module.contains("embed") || ["wte", "wpe"].contains(&module)
}

impl Adapter {
    /// Writes the adapter's folder in a sparse format of PEFT, with the tokenizer's files; an earlier adapter is replaced.
    /// `modules` holds the names of the weights of all the model's layers. Returns the size of the folder in bytes.
    ///
    /// # Errors
    /// Refuses deltas of other parameters than linear layers, more of them than the format has room for, and a family
    /// whose layers PEFT does not adapt; else as [`Adapter::write`].
    pub fn write_peft(
        &self,
        format: PeftFormat,
        folder: &Path,
        modules: &[&str],
        tokenizer_folder: Option<&Path>,
    ) -> Result<u64> {
        self.check()?;
        if let Some((token, _)) = self.new_tokens.tokens.first() {
            return Err(Error::refused(format!(
                "the run adds the token {} to the model, and PEFT's sparse adapters have no place for its row; use --format sparta \
                 or merged",
                quoted(token)
            )));
        }
        if family(&self.base_config).and_then(Family::decoder).is_some_and(|decoder| decoder.transposed) {
            return Err(Error::refused(
                "PEFT's sparse adapters are for layers of class Linear, and this family has Conv1D; use --format sparta or merged",
            ));
        }
        let mut weights = Vec::new();
        for (name, shape, delta) in self.below_head() {
            let Some(delta) = delta.filter(|delta| !delta.indices.is_empty()) else { continue };
            let matrix = <[usize; 2]>::try_from(shape).ok().filter(|_| !is_embedding(name));
            let Some([rows, columns]) = matrix else {
                return Err(Error::refused(format!(
                    "{} trains, which is no weight of a linear layer and has no place in PEFT's sparse adapters; use --format sparta \
                     or merged",
                    one_line(name)
                )));
            };
            weights.push((name, [rows, columns], delta));
        }
        let counts: Vec<(&str, [usize; 2], usize)> =
            weights.iter().map(|(name, shape, delta)| (*name, *shape, delta.indices.len())).collect();
        let filling = Filling::of(format, &counts).map_err(Error::refused)?;
        let mut tensors: Vec<NamedTensor> = Vec::new();
        for (name, shape, delta) in &weights {
            tensors.extend(layer(format, name, *shape, &filled(delta, filling.room(*shape))));
        }
        tensors.extend(self.head.iter().map(|part| {
            let trained: Vec<f32> = part.init.iter().zip(&part.deltas).map(|(init, delta)| init + delta).collect();
            NamedTensor::float32(format!("{PREFIX}{}", part.parameter), part.shape.clone(), &trained)
        }));
        let adapted: Vec<&str> = weights.iter().map(|(name, ..)| module(name)).collect();
        let settings = self.peft_settings(format, &filling, &adapted, modules);
        let config = trained_config(self.base_config.as_object().unwrap_or(&Map::new()), &self.labels);
        let files =
            AdapterFiles { names: [SETTINGS, FACTORS], tensors: &tensors, settings: &settings, config: &config };
        put_adapter(folder, &files, tokenizer_folder)
    }

    fn peft_settings(&self, format: PeftFormat, filling: &Filling, adapted: &[&str], modules: &[&str]) -> Value {
        let all: Vec<&str> = modules.iter().map(|name| module(name)).collect();
        let mut heads: Vec<&str> = self.head.iter().map(|part| saved_module(&part.parameter)).collect();
        heads.dedup();
        let mut settings = json!({
            "auto_mapping": null,
            "base_model_name_or_path": self.base.to_string_lossy(),
            "inference_mode": true,
            "init_weights": true,
            "modules_to_save": if heads.is_empty() { Value::Null } else { json!(heads) },
            "peft_type": format.peft_type(),
            "revision": null,
            "target_modules": target_modules(adapted, &all),
            "task_type": if self.head.is_empty() { "CAUSAL_LM" } else { "SEQ_CLS" },
        });
        match filling {
            Filling::Rank(rank) => {
                settings["r"] = json!(rank);
                settings["mask_type"] = json!("random");
                settings["random_seed"] = json!(0);
                settings["fan_in_fan_out"] = json!(false);
            }
            Filling::Sparsity(sparsity) => {
                settings["sparsity"] = json!(sparsity);
                settings["select_top"] = json!(true);
                settings["save_precomputed_indices"] = json!(true);
            }
        }
        settings
    }
}

/// Positions and values of a weight, filled up with zeros to `room` scalars.
fn filled(delta: &ParameterDelta, room: usize) -> Vec<(u32, f32)> {
    let taken: HashSet<u32> = delta.indices.iter().copied().collect();
    let missing = room.saturating_sub(taken.len());
    let free = (0..u32::MAX).filter(|index| !taken.contains(index)).take(missing).map(|index| (index, 0.0));
    let mut all: Vec<(u32, f32)> =
        delta.indices.iter().copied().zip(delta.deltas.iter().copied()).chain(free).collect();
    all.sort_unstable_by_key(|(index, _)| *index);
    all
}

/// The tensors of one layer.
fn layer(format: PeftFormat, name: &str, [_, columns]: [usize; 2], scalars: &[(u32, f32)]) -> [NamedTensor; 2] {
    let [of_values, of_indices] = format.ends().map(|end| format!("{PREFIX}{}{end}", module(name)));
    let values: Vec<f32> = scalars.iter().map(|(_, value)| *value).collect();
    let narrow = |number: usize| i32::try_from(number).unwrap_or(i32::MAX);
    let (shape, indices): (Vec<usize>, Vec<i32>) = match format {
        PeftFormat::Shira => {
            let rows = scalars.iter().map(|(index, _)| narrow(*index as usize / columns.max(1)));
            let along = scalars.iter().map(|(index, _)| narrow(*index as usize % columns.max(1)));
            (vec![2, scalars.len()], rows.chain(along).collect())
        }
        PeftFormat::Supertuning => {
            (vec![scalars.len()], scalars.iter().map(|(index, _)| narrow(*index as usize)).collect())
        }
    };
    [NamedTensor::float32(of_values, vec![values.len()], &values), NamedTensor::int32(of_indices, shape, &indices)]
}

/// The contents of such a folder before they are checked against a model.
struct Read {
    base: String,
    filling: Filling,
    /// Values and positions by the name of the weight.
    layers: BTreeMap<String, [Option<NamedTensor>; 2]>,
    rest: BTreeMap<String, NamedTensor>,
}

/// Reads the tensors of a folder by layer.
fn read_layers(folder: &Path, format: PeftFormat) -> Result<Read> {
    let bytes = read_bounded(&folder.join(SETTINGS), CONFIG_LIMIT)
        .map_err(|error| refuse(folder, SETTINGS, &error.to_string()))?;
    let json: Value = serde_json::from_slice(&bytes)
        .map_err(|error| refuse(folder, SETTINGS, &format!("it is not JSON: {error}")))?;
    let number = |name: &str| json.get(name).and_then(Value::as_f64).filter(|number| number.is_finite());
    let filling = match format {
        PeftFormat::Shira => json
            .get("r")
            .and_then(Value::as_u64)
            .filter(|rank| (1..=1 << 24).contains(rank))
            .and_then(|rank| Some(Filling::Rank(usize::try_from(rank).ok()?))),
        PeftFormat::Supertuning => number("sparsity").filter(|share| (0.0..1.0).contains(share)).map(Filling::Sparsity),
    };
    let filling = filling.ok_or_else(|| {
        let wanted =
            if format == PeftFormat::Shira { "r, a whole number above 0" } else { "sparsity, from 0 to below 1" };
        refuse(folder, SETTINGS, &format!("it has no {wanted}"))
    })?;
    let is_set = |name: &str| !matches!(json.get(name), None | Some(Value::Null | Value::Bool(false)));
    for unread in ["fan_in_fan_out", "trainable_token_indices"] {
        if is_set(unread) {
            return Err(refuse(folder, SETTINGS, &format!("it has {unread}, which is not read by this version")));
        }
    }
    if format == PeftFormat::Supertuning && is_set("r") {
        return Err(refuse(
            folder,
            SETTINGS,
            "it has a low-rank part beside the sparse one, which is not read by this version",
        ));
    }
    let bytes = read_bounded(&folder.join(FACTORS), TENSORS_LIMIT)
        .map_err(|error| refuse(folder, FACTORS, &error.to_string()))?;
    let tensors = parse_tensors(&bytes).map_err(|why| refuse(folder, FACTORS, &format!("it is damaged ({why})")))?;
    let (mut layers, mut rest) = (BTreeMap::<String, [Option<NamedTensor>; 2]>::new(), BTreeMap::new());
    for tensor in tensors {
        let shown = quoted(&tensor.name);
        let name = tensor
            .name
            .strip_prefix(PREFIX)
            .ok_or_else(|| refuse(folder, FACTORS, &format!("it holds {shown}, no part of an adapter")))?;
        let [of_values, of_indices] = format.ends();
        let place = [of_values, of_indices].into_iter().position(|end| name.ends_with(end));
        match place {
            Some(place) => {
                let end = if place == 0 { of_values } else { of_indices };
                let weight = format!("{}.weight", name.strip_suffix(end).unwrap_or(name));
                layers.entry(weight).or_default()[place] = Some(tensor);
            }
            None if name.contains(".shira_") || name.contains(".supertuning_") => {
                return Err(refuse(folder, FACTORS, &format!("it holds {shown}, which is not read by this version")));
            }
            None => _ = rest.insert(name.to_owned(), tensor),
        }
    }
    if layers.is_empty() {
        return Err(refuse(folder, FACTORS, "it holds no deltas"));
    }
    let base = json.get("base_model_name_or_path").and_then(Value::as_str).unwrap_or("unknown").to_owned();
    Ok(Read { base, filling, layers, rest })
}

/// The summary of such a folder, read without the base model.
pub(super) fn contents(folder: &Path, format: PeftFormat) -> Result<Contents> {
    let Read { base, layers, rest, .. } = read_layers(folder, format)?;
    let (_, labels) = own_config(folder)?;
    let (head, _) = split_head(rest).map_err(|why| refuse(folder, FACTORS, &why))?;
    // Without the zeros that a layer is filled up with.
    let count = |values: &Option<NamedTensor>| {
        let numbers = values.as_ref().and_then(NamedTensor::as_float32).unwrap_or_default();
        numbers.into_iter().filter(|number| *number != 0.0).count()
    };
    let scalars = layers.iter().map(|(name, [values, _])| (name.clone(), count(values))).collect();
    Ok(Contents { base: base.into(), labels, classifies: !head.is_empty(), scalars })
}

/// Reads an adapter for a model with these parameters; also returns the names of layers that the model does not have.
pub(super) fn read(
    folder: &Path,
    format: PeftFormat,
    parameters: &[(String, Vec<usize>)],
) -> Result<(Adapter, Vec<String>)> {
    let Read { base, filling, layers, rest } = read_layers(folder, format)?;
    let refuse = |why: &str| refuse(folder, FACTORS, why);
    let (head, saved) = split_head(rest).map_err(|why| refuse(&why))?;
    if let Some(saved) = saved.first() {
        return Err(refuse(&format!(
            "it has other values for the whole of {}, which is not read by this version",
            quoted(&saved.name)
        )));
    }
    let (mut deltas, mut unknown) = (Vec::new(), Vec::new());
    for (name, [values, indices]) in layers {
        let Some((_, shape)) = parameters.iter().find(|(known, _)| *known == name) else {
            unknown.push(name);
            continue;
        };
        let (Some(values), Some(indices)) = (values, indices) else {
            return Err(refuse(&format!("of {} it has only one of values and positions", quoted(&name))));
        };
        if let [rows, columns] = *shape.as_slice() {
            let (room, found) = (filling.room([rows, columns]), values.shape.iter().product::<usize>());
            if room != found {
                return Err(refuse(&format!(
                    "{} has {found} values, and its settings say {room} for a weight of the shape {shape:?}; it was made for another \
                     model, or is damaged",
                    quoted(&name)
                )));
            }
        }
        deltas.push(delta(format, name, shape, &values, &indices).map_err(|why| refuse(&why))?);
    }
    deltas.retain(|delta| !delta.indices.is_empty());
    let (base_config, labels) = own_config(folder)?;
    let rows = head.last().and_then(|part| part.shape.first().copied()).unwrap_or(0);
    let labels = if labels.len() == rows { labels } else { (0..rows).map(|row| format!("LABEL_{row}")).collect() };
    let adapter = Adapter {
        base: base.into(),
        base_config,
        labels,
        parameters: parameters.to_vec(),
        deltas,
        head,
        new_tokens: NewTokens::default(),
    };
    Ok((adapter, unknown))
}

/// The deltas of one weight, without zeros.
fn delta(
    format: PeftFormat,
    name: String,
    shape: &[usize],
    values: &NamedTensor,
    indices: &NamedTensor,
) -> std::result::Result<ParameterDelta, String> {
    let shown = quoted(&name);
    let [rows, columns] = *shape else { return Err(format!("{shown} is no matrix in the model")) };
    let numbers =
        values.as_float32().ok_or_else(|| format!("the values of {shown} are {:?}, not float32", values.dtype))?;
    if let Some(value) = numbers.iter().find(|value| !value.is_finite()) {
        return Err(format!("{shown} has the value {value}"));
    }
    let expected: &[usize] = if format == PeftFormat::Shira { &[2, numbers.len()] } else { &[numbers.len()] };
    if values.shape.len() != 1 || indices.shape != expected {
        return Err(format!(
            "values {:?} and positions {:?} of {shown} do not fit each other",
            values.shape, indices.shape
        ));
    }
    // PEFT on Windows writes positions as float32.
    #[expect(clippy::cast_possible_truncation, reason = "checked against the extents below")]
    let whole = |at: f32| if at.fract() == 0.0 { at as i64 } else { -1 };
    let positions: Vec<i64> = match indices.dtype {
        Dtype::Int32 => indices.as_int32().unwrap_or_default().into_iter().map(i64::from).collect(),
        Dtype::Float32 => indices.as_float32().unwrap_or_default().into_iter().map(whole).collect(),
        Dtype::Int64 => indices.bytes.as_chunks().0.iter().map(|&bytes| i64::from_le_bytes(bytes)).collect(),
        dtype => return Err(format!("the positions of {shown} are {dtype:?}, no integers")),
    };
    let inside = |at: i64, extent: usize| usize::try_from(at).ok().filter(|at| *at < extent);
    let flat = |number: usize| match format {
        PeftFormat::Shira => {
            let (row, column) = (positions[number], positions[numbers.len() + number]);
            Some(inside(row, rows)? * columns + inside(column, columns)?)
        }
        PeftFormat::Supertuning => inside(positions[number], rows * columns),
    };
    let mut sum: BTreeMap<u32, f32> = BTreeMap::new();
    for (number, value) in numbers.iter().enumerate() {
        let at = flat(number).and_then(|at| u32::try_from(at).ok());
        let at = at.ok_or_else(|| format!("{shown} has a position outside of its shape {shape:?}"))?;
        if sum.insert(at, *value).is_some() {
            return Err(format!("{shown} has two deltas for the position {at}"));
        }
    }
    sum.retain(|_, value| *value != 0.0);
    let (indices, deltas) = sum.into_iter().unzip();
    Ok(ParameterDelta { name, indices, deltas })
}

#[cfg(test)]
mod tests {
    use super::*;
    use spartui_run::tensors::write_tensors;

    const V: &str = "model.layers.0.self_attn.v_proj.weight";
    const O: &str = "model.layers.0.self_attn.o_proj.weight";

    fn parameters() -> Vec<(String, Vec<usize>)> {
        vec![(V.into(), vec![4, 12]), (O.into(), vec![12, 4]), ("model.norm.weight".into(), vec![12])]
    }

    fn adapter() -> Adapter {
        let delta = |name: &str, indices: &[u32], deltas: &[f32]| ParameterDelta {
            name: name.into(),
            indices: indices.to_vec(),
            deltas: deltas.to_vec(),
        };
        Adapter {
            base: "models/base".into(),
            base_config: json!({"model_type": "llama"}),
            labels: Vec::new(),
            parameters: parameters(),
            deltas: vec![delta(V, &[0, 7, 47], &[0.5, -1.0, 2.0]), delta(O, &[3], &[1.5])],
            head: Vec::new(),
            new_tokens: NewTokens::default(),
        }
    }

    #[test]
    fn what_was_written_is_read_without_the_filling() {
        let folder = tempfile::tempdir().unwrap();
        let names = [V, O];
        for format in PeftFormat::ALL {
            let path = folder.path().join(format.peft_type());
            adapter().write_peft(format, &path, &names, None).unwrap();
            assert_eq!(PeftFormat::of(&path), Some(format));
            let (read, unknown) = Adapter::read_noting(&path, &parameters()).unwrap();
            assert_eq!(
                (read.deltas, unknown),
                (vec![adapter().deltas[1].clone(), adapter().deltas[0].clone()], vec![])
            );
            let tensors = parse_tensors(&std::fs::read(path.join(FACTORS)).unwrap()).unwrap();
            // As many as PEFT will expect: 1 (4 + 12), or the share of the fullest weight.
            let held = if format == PeftFormat::Shira { 16 } else { 3 };
            let values = tensors.iter().filter(|tensor| tensor.dtype == Dtype::Float32);
            assert!(values.clone().count() == 2 && values.clone().all(|values| values.shape == [held]), "{tensors:?}");
        }
        let mut of_norm = adapter();
        of_norm.deltas[0] = ParameterDelta { name: "model.norm.weight".into(), indices: vec![1], deltas: vec![1.0] };
        let why = of_norm.write_peft(PeftFormat::Shira, &folder.path().join("n"), &names, None).unwrap_err();
        assert!(why.message().contains("no weight of a linear layer"), "{why}");
        let mut dense = adapter();
        // Four times 5 + 12 is more than there are.
        dense.parameters[0].1 = vec![5, 12];
        dense.deltas[0].indices = (0..60).collect();
        dense.deltas[0].deltas = vec![1.0; 60];
        let why = dense.write_peft(PeftFormat::Shira, &folder.path().join("d"), &names, None).unwrap_err();
        assert!(why.message().contains("--format super or sparta"), "{why}");
        dense.write_peft(PeftFormat::Supertuning, &folder.path().join("d"), &names, None).unwrap();
    }

    #[test]
    fn a_damaged_adapter_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        for format in PeftFormat::ALL {
            let path = folder.path().join(format.peft_type());
            let write = || adapter().write_peft(format, &path, &[V, O], None).unwrap();
            let refused = |why: &str| {
                let error = Adapter::read_noting(&path, &parameters()).unwrap_err();
                assert!(error.message().contains(why) && !error.message().contains('\n'), "{format:?}: {error}");
            };
            let [_, of_indices] = format.ends();
            let tensors = |change: &dyn Fn(&mut Vec<NamedTensor>)| {
                write();
                let file = path.join(FACTORS);
                let mut all = parse_tensors(&std::fs::read(&file).unwrap()).unwrap();
                change(&mut all);
                write_tensors(&file, all.iter().map(|tensor| (tensor.name.as_str(), tensor))).unwrap();
            };
            let indices = |change: &'static dyn Fn(&mut NamedTensor)| {
                tensors(&move |all| all.iter_mut().filter(|one| one.name.ends_with(of_indices)).for_each(change));
            };
            indices(&|one| one.dtype = Dtype::Float32);
            refused("outside of its shape");
            indices(&|one| one.bytes.fill(0));
            refused("two deltas for the position 0");
            indices(&|one| one.bytes.fill(0xff));
            refused("outside of its shape");
            indices(&|one| one.shape = vec![one.shape.iter().product(), 1]);
            refused("do not fit each other");
            tensors(&Vec::clear);
            refused("it holds no deltas");
            tensors(&|all| all.retain(|one| !one.name.ends_with(of_indices)));
            refused("only one of values and positions");
            for (key, value) in
                [("r", json!(0)), ("r", json!(-3)), ("r", json!(2)), ("sparsity", json!(2.0)), ("sparsity", json!(0.5))]
            {
                write();
                let file = path.join(SETTINGS);
                let mut settings: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
                if settings.get(key).is_none() {
                    continue;
                }
                settings[key] = value;
                std::fs::write(&file, settings.to_string()).unwrap();
                refused("");
            }
            write();
            let others = [(V.to_owned(), vec![4, 10]), (O.to_owned(), vec![12, 4])];
            assert!(Adapter::read_noting(&path, &others).is_err(), "it is another model's");
        }
    }
}
