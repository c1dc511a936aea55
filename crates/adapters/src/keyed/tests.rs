use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::adapter::HeadDelta;
use crate::{NewTokens, adapter_contents};

const SEED: u64 = 10605;

/// A classifier's adapter, whose values are their positions and some of them zero.
fn adapter() -> Adapter {
    let parameters: Vec<(String, Vec<usize>)> = [
        ("model.embed_tokens.weight", vec![40, 6]),
        ("model.layers.0.self_attn.v_proj.weight", vec![12, 6]),
        ("model.layers.0.self_attn.o_proj.weight", vec![6, 12]),
        ("model.norm.weight", vec![6]),
    ]
    .map(|(name, shape)| (name.to_owned(), shape))
    .into();
    let delta = |(name, shape): &(String, Vec<usize>), count: usize| {
        let indices = selected(SEED, name, scalars(shape), count);
        #[expect(clippy::cast_precision_loss, reason = "small")]
        let deltas = indices.iter().map(|&index| if index % 5 == 0 { 0.0 } else { index as f32 / 7.0 }).collect();
        ParameterDelta { name: name.clone(), indices, deltas }
    };
    let head = HeadDelta {
        parameter: "score.weight".into(),
        init_key: "head".into(),
        shape: vec![2, 6],
        init: vec![0.25; 12],
        deltas: vec![-0.5; 12],
    };
    Adapter {
        base: "/models/small".into(),
        base_config: json!({"model_type": "llama", "rms_norm_eps": 1e-6, "vocab_size": 40}),
        labels: vec!["no".into(), "yes".into()],
        deltas: vec![delta(&parameters[1], 30), delta(&parameters[2], 72)],
        parameters,
        head: vec![head],
        new_tokens: NewTokens::default(),
    }
}

fn causal() -> Adapter {
    Adapter { labels: vec![], head: vec![], ..adapter() }
}

fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let read = |entry: std::io::Result<fs::DirEntry>| {
        let entry = entry.unwrap();
        (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap())
    };
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(read).collect();
    files.sort();
    files
}

#[test]
fn it_expands_to_the_very_bytes_of_the_other_form() {
    for adapter in [adapter(), causal()] {
        let root = tempfile::tempdir().unwrap();
        let [listed, keyed, expanded] = ["listed", "keyed", "expanded"].map(|name| root.path().join(name));
        adapter.write(&listed, None).unwrap();
        let bytes = adapter.to_keyed(SEED).unwrap().write(&keyed, None).unwrap();
        assert_eq!(bytes, files(&keyed).iter().map(|(_, bytes)| bytes.len() as u64).sum::<u64>());
        assert!(keyed.join(KEYED).exists() && !keyed.join("sparse_deltas.safetensors").exists());
        let read = Adapter::read(&keyed, &adapter.parameters).unwrap();
        assert_eq!(read, Adapter::read(&listed, &adapter.parameters).unwrap());
        read.write(&expanded, None).unwrap();
        assert_eq!(files(&expanded), files(&listed));
        assert_eq!(adapter_contents(&keyed).unwrap(), adapter_contents(&listed).unwrap());
    }
}

#[test]
fn one_form_takes_the_place_of_the_other() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("adapter");
    let adapter = adapter();
    for _ in 0..2 {
        adapter.write(&folder, None).unwrap();
        assert!(!folder.join(KEYED).exists());
        adapter.to_keyed(SEED).unwrap().write(&folder, None).unwrap();
        assert!(!folder.join("sparse_deltas.safetensors").exists());
    }
}

#[test]
fn only_what_the_selection_takes_first_has_this_form() {
    let good = adapter();
    assert!(good.to_keyed(SEED).is_some());
    assert!(good.to_keyed(SEED + 1).is_none());
    let mut retired = good.clone();
    let [.., kept, _] = retired.deltas[0].indices[..] else { panic!() };
    *retired.deltas[0].indices.last_mut().unwrap() =
        (kept + 1..72).find(|at| !good.deltas[0].indices.contains(at)).unwrap();
    assert!(retired.to_keyed(SEED).is_none());
    let mut dropped = good.clone();
    dropped.deltas[0].indices.remove(3);
    dropped.deltas[0].deltas.remove(3);
    assert!(dropped.to_keyed(SEED).is_none());
}

/// The file of values with its header's JSON changed.
fn with_header(folder: &Path, change: impl Fn(&mut Value)) {
    let path = folder.join(KEYED);
    let bytes = fs::read(&path).unwrap();
    let (length, rest) = bytes.split_first_chunk::<8>().unwrap();
    let (header, data) = rest.split_at(usize::try_from(u64::from_le_bytes(*length)).unwrap());
    let mut header: Value = serde_json::from_slice(header).unwrap();
    let mut own: Value = serde_json::from_str(header["__metadata__"]["sparta_keyed"].as_str().unwrap()).unwrap();
    change(&mut own);
    header["__metadata__"]["sparta_keyed"] = own.to_string().into();
    let header = header.to_string().into_bytes();
    let length = (header.len() as u64).to_le_bytes();
    fs::write(path, [length.as_slice(), &header, data].concat()).unwrap();
}

#[test]
fn damage_is_refused() {
    type Change = fn(&mut Value, &str);
    let v_proj = "model.layers.0.self_attn.v_proj.weight";
    let cases: [(Change, &str); 9] = [
        (|own, _| own["seed"] = json!(1), "another checksum"),
        (|own, _| own["seed"] = json!(-1), "its header is damaged"),
        (|own, _| own["version"] = json!(2), "of version 2 of this format"),
        (|own, name| own["parameters"][name]["count"] = json!(29), "not 29 of F32"),
        (|own, name| own["parameters"][name]["count"] = json!(0), "another checksum"),
        (|own, name| own["parameters"][name]["count"] = json!(73), "73 of 72 scalars"),
        (|own, name| own["parameters"][name]["scalars"] = json!(71), "do not fit its shape"),
        (|own, _| own["parameters"]["model.other.weight"] = json!({"scalars": 9, "count": 1}), "has no parameter"),
        (|own, name| _ = own["parameters"].as_object_mut().unwrap().remove(name), "there is nothing about"),
    ];
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("adapter");
    let adapter = adapter();
    for (change, expected) in cases {
        adapter.to_keyed(SEED).unwrap().write(&folder, None).unwrap();
        with_header(&folder, |own| change(own, v_proj));
        let error = Adapter::read(&folder, &adapter.parameters).unwrap_err();
        assert!(matches!(error, spartui_facts::error::Error::Refused(_)), "{error}");
        assert!(error.message().contains(expected) && !error.message().contains('\n'), "{expected}: {error}");
    }
    adapter.to_keyed(SEED).unwrap().write(&folder, None).unwrap();
    let mut other = adapter.parameters.clone();
    other[1].1 = vec![6, 6];
    assert!(Adapter::read(&folder, &other).unwrap_err().message().contains("do not fit its shape [6, 6]"));
}

/// A folder that one test damages again and again, and its file of values.
static WRITTEN: LazyLock<(tempfile::TempDir, Vec<u8>)> = LazyLock::new(|| {
    let root = tempfile::tempdir().unwrap();
    adapter().to_keyed(SEED).unwrap().write(&root.path().join("adapter"), None).unwrap();
    let bytes = fs::read(root.path().join("adapter").join(KEYED)).unwrap();
    (root, bytes)
});

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn what_is_read_is_what_was_written(at: prop::sample::Index, byte: u8, cut: bool) {
        let (root, whole) = &*WRITTEN;
        let mut bytes = whole.clone();
        let at = at.index(bytes.len());
        if cut { bytes.truncate(at) } else { bytes[at] = byte }
        fs::write(root.path().join("adapter").join(KEYED), bytes).unwrap();
        if let Ok(read) = Adapter::read(&root.path().join("adapter"), &adapter().parameters) {
            prop_assert_eq!((read.deltas, read.head), (adapter().deltas, adapter().head));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_counts_and_shapes(extents in prop::collection::vec(1_usize..9, 1..4), share in 0.0..=1.0, seed: u64) {
        let size = scalars(&extents);
        #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small")]
        let count = (size as f64 * share) as usize;
        let indices = selected(seed, "p", size, count);
        let delta = ParameterDelta { name: "p".into(), deltas: vec![1.5; indices.len()], indices };
        let parameters = vec![("p".to_owned(), extents)];
        let adapter = Adapter { parameters, deltas: vec![delta], ..causal() };
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("adapter");
        adapter.to_keyed(seed).unwrap().write(&folder, None).unwrap();
        let read = Adapter::read(&folder, &adapter.parameters).unwrap();
        prop_assert_eq!(read.deltas.first(), adapter.deltas.first().filter(|delta| !delta.indices.is_empty()));
    }
}
