//! Writing a fully fine-tuned model.

use std::collections::{HashMap, HashSet};
use std::io::Write;
use std::ops::Range;
use std::path::Path;

use serde_json::{Map, Value};

use super::folder::{BaseFiles, TRAINED, index_bytes, metadata, put_model, refuse_to_replace_others};
use super::shard::{Outline, alignment, write_shard};
use super::source::{INDEX, SINGLE};
use spartui_facts::error::{Error, Result};
use spartui_facts::quote::one_line;
use spartui_run::files::{failed, write_synced};
use spartui_run::tensors::Dtype;

/// Largest file of weights in bytes, as in transformers.
const SHARD: usize = 5_000_000_000;

/// Writes a complete model folder of these tensors, in one or more files; `bytes` returns the values of the tensor at
/// this position in `tensors`, row-major and little-endian. `config` becomes config.json, and the files of the
/// tokenizer come from `base`. Returns the folder's size in bytes.
///
/// # Errors
/// Refuses to replace a folder that holds anything but an earlier export; fails where `bytes` does, or where the folder
/// cannot be written. An earlier export is left unchanged then.
pub fn write_model(
    folder: &Path,
    base: Option<BaseFiles<'_>>,
    config: &Value,
    tensors: &[(String, Dtype, Vec<usize>)],
    bytes: &mut dyn FnMut(usize) -> std::io::Result<Vec<u8>>,
) -> Result<u64> {
    write_in_shards(folder, base, config, tensors, bytes, SHARD)
}

pub(super) fn write_in_shards(
    folder: &Path,
    base: Option<BaseFiles<'_>>,
    config: &Value,
    tensors: &[(String, Dtype, Vec<usize>)],
    bytes: &mut dyn FnMut(usize) -> std::io::Result<Vec<u8>>,
    limit: usize,
) -> Result<u64> {
    check_names(tensors)?;
    refuse_to_replace_others(folder, base.map(|base| base.folder))?;
    let files = divide(tensors, limit);
    let total: usize = files.iter().flat_map(|file| &file.outlines).map(Outline::bytes).sum();
    put_model(folder, config, base, total as u64, |new| {
        for file in &files {
            let path = new.join(&file.name);
            let mut fill = |number: usize, to: &mut dyn Write| {
                let all = bytes(file.positions[number]).map_err(failed("write", &path))?;
                to.write_all(&all).map_err(failed("write", &path))
            };
            write_shard(&path, &metadata(HashMap::new(), TRAINED), &file.outlines, &mut fill)?;
        }
        if files.len() == 1 {
            return Ok(());
        }
        let listed = files.iter().map(|file| (file.name.as_str(), file.outlines.iter()));
        let path = new.join(INDEX);
        write_synced(&path, &index_bytes(&Map::new(), listed)).map_err(failed("write", &path))
    })
}

fn check_names(tensors: &[(String, Dtype, Vec<usize>)]) -> Result<()> {
    let mut names = HashSet::new();
    match tensors.iter().find(|(name, ..)| !names.insert(name)) {
        None => Ok(()),
        Some((twice, ..)) => {
            Err(Error::failed(format!("the tensor {} is there twice; please report this", one_line(twice))))
        }
    }
}

/// A planned file of weights.
struct Planned {
    name: String,
    outlines: Vec<Outline>,
    /// The position of each tensor in the list of all tensors.
    positions: Vec<usize>,
}

/// Assigns tensors to files. A tensor is never divided.
fn divide(tensors: &[(String, Dtype, Vec<usize>)], limit: usize) -> Vec<Planned> {
    let outlines: Vec<Outline> = tensors.iter().map(outline).collect();
    let ranges = ranges(&outlines, limit);
    let count = ranges.len();
    let planned = |(at, range): (usize, Range<usize>)| {
        let name = match count {
            1 => SINGLE.to_owned(),
            _ => format!("model-{:05}-of-{count:05}.safetensors", at + 1),
        };
        let mut positions: Vec<usize> = range.collect();
        positions.sort_by_key(|&position| alignment(&outlines[position]));
        Planned { name, outlines: positions.iter().map(|&position| outlines[position].clone()).collect(), positions }
    };
    ranges.into_iter().enumerate().map(planned).collect()
}

fn ranges(outlines: &[Outline], limit: usize) -> Vec<Range<usize>> {
    let mut starts = vec![0];
    let mut bytes = 0;
    for (position, outline) in outlines.iter().enumerate() {
        if bytes > 0 && bytes + outline.bytes() > limit {
            starts.push(position);
            bytes = 0;
        }
        bytes += outline.bytes();
    }
    let ends = starts.iter().skip(1).copied().chain([outlines.len()]);
    starts.iter().copied().zip(ends).map(|(start, end)| start..end).collect()
}

fn outline((name, dtype, shape): &(String, Dtype, Vec<usize>)) -> Outline {
    let dtype = match dtype {
        Dtype::Float32 => safetensors::Dtype::F32,
        Dtype::Bfloat16 => safetensors::Dtype::BF16,
        Dtype::Float16 => safetensors::Dtype::F16,
        Dtype::Int32 => safetensors::Dtype::I32,
        Dtype::Int64 => safetensors::Dtype::I64,
        Dtype::Uint32 => safetensors::Dtype::U32,
    };
    Outline { name: name.clone(), dtype, shape: shape.clone() }
}
