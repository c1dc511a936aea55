//! A session as adapter and as checkpoint: plain numbers for the run folder to write.

use std::collections::BTreeMap;

use serde_json::json;
use tch::{Kind, Tensor};

use super::Session;
use crate::run::{Adapter, Checkpoint, HeadDelta, NamedTensor, ParameterDelta};
use crate::sparse::Saved;

/// What the session learned, as an adapter.
#[must_use]
pub fn adapter(session: &Session) -> Adapter {
    let model = &session.model;
    let deltas =
        session.method.save().into_iter().map(|(site, parts)| merged(&model.sites[site].name, parts)).collect();
    let head = &session.head;
    let parameters = model.parameters.iter().map(|(name, tensor)| (name.clone(), shape(tensor))).collect();
    Adapter {
        base: session.recipe.model.path.clone(),
        base_config: serde_json::Value::Object(model.config.json.clone()),
        labels: session.data.labels.clone(),
        parameters,
        deltas,
        head: vec![
            HeadDelta {
                parameter: "classifier.weight".into(),
                init_key: "head".into(),
                shape: shape(&head.head.weight),
                init: floats(&head.start.weight),
                deltas: floats(&(&head.head.weight - &head.start.weight)),
            },
            HeadDelta {
                parameter: "classifier.bias".into(),
                init_key: "head_bias".into(),
                shape: shape(&head.head.bias),
                init: floats(&head.start.bias),
                deltas: floats(&(&head.head.bias - &head.start.bias)),
            },
        ],
    }
}

/// All that a later session needs to go on beside recipe and journal.
#[must_use]
pub fn checkpoint(session: &Session) -> Checkpoint {
    let mut tensors: Vec<NamedTensor> = session
        .head
        .named_tensors()
        .iter()
        .map(|(name, tensor)| NamedTensor::float32(*name, shape(tensor), &floats(tensor)))
        .collect();
    let mut parts = Vec::new();
    for (site, saved) in session.method.save() {
        let name = &session.model.sites[site].name;
        for (at, part) in saved.into_iter().enumerate() {
            let key = |what: &str| format!("{name}.{at}.{what}");
            let len = vec![part.indices.len()];
            let indices: Vec<i32> =
                part.indices.iter().map(|&index| i32::try_from(index).unwrap_or(i32::MAX)).collect();
            tensors.push(NamedTensor::int32(key("indices"), len.clone(), &indices));
            tensors.push(NamedTensor::float32(key("delta"), len.clone(), &part.delta));
            if part.born.is_some() {
                tensors.push(NamedTensor::float32(key("first"), len.clone(), &part.first));
                tensors.push(NamedTensor::float32(key("second"), len, &part.second));
            }
            parts.push(json!({ "site": name, "part": at, "born": part.born }));
        }
    }
    let live: BTreeMap<&str, _> = crate::recipe::FIELDS
        .iter()
        .filter(|field| field.live)
        .filter_map(|field| Some((field.name, session.recipe.get(field.name)?)))
        .collect();
    let state = json!({ "step": session.step, "settings": live, "labels": session.data.labels, "parts": parts });
    Checkpoint { tensors, state }
}

/// The parts of one site as one list, sorted by index.
fn merged(name: &str, parts: Vec<Saved>) -> ParameterDelta {
    let mut scalars: Vec<(i64, f32)> =
        parts.into_iter().flat_map(|part| part.indices.into_iter().zip(part.delta)).collect();
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
