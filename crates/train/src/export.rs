//! Export of a session: adapters and complete models as plain numbers.

use std::path::Path;

use serde_json::{Map, Value};
use tch::{Kind, Tensor};

use super::Session;
use spartui_adapters::{
    Adapter, AnyAdapter, BaseFiles, HeadDelta, LoraAdapter, LoraSettings, NewRows, NewTokens, OwnAdapter,
    ParameterDelta, Targets, head_parts, trained_config, untie, write_model,
};
use spartui_facts::error::{Error, Result};
use spartui_facts::recipe::{Recipe, Variant};
use spartui_method::{Factors, Learned, OwnTensors};
use spartui_model::{Head, Model, dtype_name};
use spartui_run::Dtype;
use spartui_sparse::Saved;

/// The session's adapter; none where every parameter trains, for which [`whole_model`] writes a complete model.
#[must_use]
pub fn exported(session: &Session) -> Option<AnyAdapter> {
    ExportContext::of(session).exported(&session.method.export())
}

/// Writes the current model as a complete folder, with the base model's tokenizer. Returns its size in bytes.
///
/// # Errors
/// Fails for a value that is not finite, and where the folder cannot be written.
pub fn whole_model(session: &Session, folder: &Path) -> Result<u64> {
    let base = session.model.parameters.iter().map(|parameter| (parameter.name.clone(), parameter.tensor.detach()));
    write_whole(&ExportContext::of(session), base.collect(), &session.folder, folder)
}

/// The inputs of an export beside [`Learned`], from a session or from a stored state.
pub(super) struct ExportContext<'a> {
    pub recipe: &'a Recipe,
    pub model: &'a Model,
    pub labels: &'a [String],
    /// The trained head, and the head before training.
    pub head: &'a Head,
    pub start: &'a Head,
}

impl<'a> ExportContext<'a> {
    fn of(session: &'a Session) -> Self {
        Self {
            recipe: &session.recipe,
            model: &session.model,
            labels: &session.data.labels,
            head: &session.head.head,
            start: &session.head.start,
        }
    }

    pub fn exported(&self, learned: &Learned) -> Option<AnyAdapter> {
        Some(match learned {
            Learned::Sparse(deltas) => AnyAdapter::Sparse(self.sparse(deltas)),
            Learned::LowRank(factors) => AnyAdapter::LowRank(self.low_rank(factors)),
            Learned::Own(own) => AnyAdapter::Own(self.own(own)),
            Learned::Whole => return None,
        })
    }

    fn base_config(&self) -> Value {
        Value::Object(self.model.config.json.clone())
    }

    fn head(&self) -> Vec<HeadDelta> {
        let parts = head_parts(self.head.kind.names()).unwrap_or_default().iter();
        let tensors = self.head.kind.names().iter().zip(&self.head.tensors).zip(&self.start.tensors);
        let deltas = tensors.filter_map(|((name, value), start)| {
            let part = parts.clone().find(|part| part.parameter == *name)?;
            Some(HeadDelta {
                parameter: part.parameter.into(),
                init_key: part.init_key.into(),
                shape: shape(value),
                init: floats(start),
                deltas: floats(&(value - start)),
            })
        });
        deltas.collect()
    }

    /// An adapter of sparse deltas.
    fn sparse(&self, deltas: &[(String, Vec<Saved>)]) -> Adapter {
        let parameters = self.model.parameters.iter();
        Adapter {
            base: self.recipe.model.path.clone(),
            base_config: self.base_config(),
            labels: self.labels.to_vec(),
            parameters: parameters.map(|parameter| (parameter.name.clone(), shape(&parameter.tensor))).collect(),
            deltas: deltas.iter().map(|(name, parts)| merged(name, parts)).collect(),
            head: self.head(),
            new_tokens: self.new_tokens(),
        }
    }

    /// The tokens that the recipe added to the model.
    fn new_tokens(&self) -> NewTokens {
        let model = self.model;
        let rows = model.matrices_with_added_rows().into_iter().map(|place| {
            let init = model.rows_before_training(place);
            let [count, width] = [0, 1].map(|axis| usize::try_from(init.size()[axis]).unwrap_or(0));
            NewRows { parameter: model.parameters[place].name.clone(), shape: [count, width], init: floats(&init) }
        });
        NewTokens {
            tokens: model.new_tokens.iter().map(|token| (token.text.clone(), token.id)).collect(),
            rows: rows.collect(),
        }
    }

    /// An adapter of low-rank products.
    fn low_rank(&self, factors: &[(usize, Factors)]) -> LoraAdapter {
        let settings = &self.recipe.method;
        // Of methods without such a field, the products are those of a plain LoRA.
        let given = |field: &str| settings.uses_field(field);
        let layers = factors.iter().map(|(site, factors)| (self.model.sites[*site].name.clone(), factors.clone()));
        LoraAdapter {
            base: self.recipe.model.path.clone(),
            base_config: self.base_config(),
            labels: self.labels.to_vec(),
            settings: LoraSettings {
                rank: factors.first().map_or(settings.rank, |(_, factors)| factors.rank),
                // That of the products, which other methods than LoRA make too.
                alpha: if given("alpha") {
                    settings.alpha
                } else {
                    factors.first().map_or(0.0, |(_, factors)| alpha_of(factors))
                },
                dropout: if given("dropout") { settings.dropout } else { 0.0 },
                by_root: given("variant") && settings.variant == Variant::Rslora,
                magnitudes: given("variant") && settings.variant == Variant::Dora,
            },
            layers: layers.collect(),
            head: self.head_as_it_is(),
            saved: Vec::new(),
            targets: Targets::default(),
        }
    }

    /// An adapter in the method's own format.
    fn own(&self, own: &OwnTensors) -> OwnAdapter {
        OwnAdapter {
            method: self.recipe.method.kind.name().to_owned(),
            base: self.recipe.model.path.clone(),
            base_config: self.base_config(),
            labels: self.labels.to_vec(),
            learned: own.clone(),
            head: self.head_as_it_is(),
        }
    }

    /// The head with its trained values as `init` and zero deltas.
    fn head_as_it_is(&self) -> Vec<HeadDelta> {
        let values = self.head.kind.names().iter().zip(&self.head.tensors);
        let mut head = self.head();
        for part in &mut head {
            if let Some((_, value)) = values.clone().find(|(name, _)| **name == part.parameter) {
                part.init = floats(value);
                part.deltas.fill(0.0);
            }
        }
        head
    }
}

/// The alpha with which PEFT scales a product of this rank so.
#[expect(clippy::cast_precision_loss, reason = "a rank is small")]
fn alpha_of(factors: &Factors) -> f64 {
    factors.scale * factors.rank as f64
}

/// Writes a complete model: these tensors and the head.
pub(super) fn write_whole(
    context: &ExportContext<'_>,
    base: Vec<(String, Tensor)>,
    base_folder: &Path,
    folder: &Path,
) -> Result<u64> {
    let model = context.model;
    let head = context.head.kind.names().iter().zip(&context.head.tensors);
    let head = head.map(|(name, tensor)| ((*name).to_owned(), tensor.detach().to_kind(model.kind)));
    let tensors: Vec<(String, Tensor)> = base.into_iter().chain(head).collect();
    if let Some((name, _)) = tensors.iter().find(|(_, tensor)| tensor.isfinite().all().int64_value(&[]) == 0) {
        return Err(Error::failed(format!(
            "{name} holds a value that is not finite and cannot be exported; train with a lower optimizer.learning_rate"
        )));
    }
    let outlines: Vec<(String, Dtype, Vec<usize>)> =
        tensors.iter().map(|(name, tensor)| (name.clone(), dtype(tensor.kind()), shape(tensor))).collect();
    let mut config = config_of_whole(&model.config.json, context.labels, model.kind);
    if model.parameters.iter().any(|parameter| parameter.name == "lm_head.weight") {
        untie(&mut config);
    }
    // The rows of new tokens are among the tensors already.
    let new_tokens = NewTokens { rows: Vec::new(), ..context.new_tokens() };
    let base = BaseFiles { folder: base_folder, new_tokens: &new_tokens };
    write_model(folder, Some(base), &config, &outlines, &mut |at| Ok(bytes(&tensors[at].1)))
}

/// The base model's config.json with the dtype of the weights, and a classifier's labels.
fn config_of_whole(base: &Map<String, Value>, labels: &[String], kind: Kind) -> Value {
    let mut config = base.clone();
    let old = config.contains_key("torch_dtype") && !config.contains_key("dtype");
    config.insert(if old { "torch_dtype" } else { "dtype" }.into(), dtype_name(kind).into());
    trained_config(&config, labels)
}

fn dtype(kind: Kind) -> Dtype {
    match kind {
        Kind::BFloat16 => Dtype::Bfloat16,
        Kind::Half => Dtype::Float16,
        _ => Dtype::Float32,
    }
}

/// A tensor's numbers, row-major and little-endian.
fn bytes(tensor: &Tensor) -> Vec<u8> {
    let tensor = tensor.to_device(tch::Device::Cpu).contiguous();
    let mut bytes = vec![0; tensor.numel() * tensor.kind().elt_size_in_bytes()];
    tensor.copy_data_u8(&mut bytes, tensor.numel());
    bytes
}

/// The parts of one site as one list, sorted by index.
fn merged(name: &str, parts: &[Saved]) -> ParameterDelta {
    let mut scalars: Vec<(i64, f32)> =
        parts.iter().flat_map(|part| part.indices.iter().copied().zip(part.delta.iter().copied())).collect();
    scalars.sort_unstable_by_key(|(index, _)| *index);
    ParameterDelta {
        name: name.to_owned(),
        indices: scalars.iter().map(|(index, _)| u32::try_from(*index).unwrap_or(u32::MAX)).collect(),
        deltas: scalars.into_iter().map(|(_, delta)| delta).collect(),
    }
}

fn shape(tensor: &Tensor) -> Vec<usize> {
    tensor.size().into_iter().map(|size| usize::try_from(size).unwrap_or(0)).collect()
}

fn floats(tensor: &Tensor) -> Vec<f32> {
    let flat = tensor.detach().to_device(tch::Device::Cpu).to_kind(Kind::Float).contiguous().view(-1);
    Vec::try_from(flat).unwrap_or_default()
}
