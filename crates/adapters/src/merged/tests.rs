use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use half::bf16;
use safetensors::Dtype;

use super::full::write_in_shards;
use super::*;
use crate::NewTokens;
use crate::adapter::{HeadDelta, LM_HEAD, ParameterDelta};
use spartui_run::{Dtype as Kind, tensors};

/// Tensors by name: type, shape and bytes.
type Tensors = BTreeMap<String, (Dtype, Vec<usize>, Vec<u8>)>;

fn floats(values: &[f32], dtype: Dtype) -> Vec<u8> {
    match dtype {
        Dtype::BF16 => values.iter().flat_map(|&value| bf16::from_f32(value).to_le_bytes()).collect(),
        Dtype::F32 => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
        _ => panic!("{dtype}"),
    }
}

/// A tensor that counts up in quarters from `start`.
fn ramp(start: u8, shape: &[usize], dtype: Dtype) -> (Dtype, Vec<usize>, Vec<u8>) {
    let scalars: usize = shape.iter().product();
    let values: Vec<f32> =
        (0..scalars).map(|at| f32::from(start) + f32::from(u8::try_from(at % 64).unwrap()) / 4.0).collect();
    (dtype, shape.to_vec(), floats(&values, dtype))
}

fn save(path: &Path, tensors: &Tensors) {
    let views = tensors.iter().map(|(name, (dtype, shape, bytes))| {
        (name, safetensors::tensor::TensorView::new(*dtype, shape.clone(), bytes).unwrap())
    });
    safetensors::serialize_to_file(views, Some([("format".into(), "pt".into())].into()), path).unwrap();
}

fn load(path: &Path) -> Tensors {
    let bytes = fs::read(path).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    file.iter()
        .map(|(name, view)| (name.to_owned(), (view.dtype(), view.shape().to_vec(), view.data().to_vec())))
        .collect()
}

fn load_all(folder: &Path) -> Tensors {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    names.filter(|path| path.extension().is_some_and(|end| end == "safetensors")).flat_map(|path| load(&path)).collect()
}

fn json_of(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

const EMBEDDINGS: &str = "model.embed_tokens.weight";
const V_PROJ: &str = "model.layers.0.self_attn.v_proj.weight";
const NORM: &str = "model.norm.weight";

fn decoder_tensors() -> Tensors {
    [
        (EMBEDDINGS, ramp(1, &[6, 4], Dtype::BF16)),
        (V_PROJ, ramp(2, &[2, 4], Dtype::BF16)),
        (NORM, ramp(3, &[4], Dtype::BF16)),
        (LM_HEAD, ramp(4, &[6, 4], Dtype::BF16)),
    ]
    .map(|(name, tensor)| (name.to_owned(), tensor))
    .into()
}

/// A folder with `model`, a base of these tensors.
fn base_of(model_type: &str, tensors: &Tensors) -> (tempfile::TempDir, PathBuf, PathBuf) {
    let root = tempfile::tempdir().unwrap();
    let [base, output] = ["model", "merged"].map(|name| root.path().join(name));
    fs::create_dir(&base).unwrap();
    save(&base.join("model.safetensors"), tensors);
    let config = json!({"architectures": ["Base"], "model_type": model_type, "rms_norm_eps": 0.25, "pad_token_id": 7, "num_labels": 5});
    fs::write(base.join("config.json"), config.to_string()).unwrap();
    for file in ["tokenizer.json", "generation_config.json", "chat_template.jinja"] {
        fs::write(base.join(file), format!("{file} \u{0}\r\n")).unwrap();
    }
    fs::write(base.join("README.md"), "").unwrap();
    (root, base, output)
}

/// In two files with an index.
fn in_two_files(base: &Path) {
    let mut first = load(&base.join("model.safetensors"));
    let second = first.split_off(NORM);
    let names = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];
    let mut map = BTreeMap::new();
    for (name, tensors) in names.into_iter().zip([first, second]) {
        save(&base.join(name), &tensors);
        map.extend(tensors.into_keys().map(|tensor| (tensor, name)));
    }
    let index = json!({"metadata": {"total_size": 1, "total_parameters": 1}, "weight_map": map});
    fs::write(base.join("model.safetensors.index.json"), index.to_string()).unwrap();
    fs::remove_file(base.join("model.safetensors")).unwrap();
}

fn adapter(names: &[(&str, &[usize])], head: &[(&str, &str, &[usize])]) -> Adapter {
    let part = |(parameter, init_key, shape): &(&str, &str, &[usize])| {
        let scalars = shape.iter().product();
        let (parameter, init_key) = ((*parameter).to_owned(), (*init_key).to_owned());
        HeadDelta { parameter, init_key, shape: shape.to_vec(), init: vec![1.5; scalars], deltas: vec![0.25; scalars] }
    };
    Adapter {
        base: "somewhere/else".into(),
        base_config: json!({}),
        labels: if head.is_empty() { vec![] } else { vec!["no".into(), "yes".into()] },
        parameters: names.iter().map(|(name, shape)| ((*name).to_owned(), shape.to_vec())).collect(),
        deltas: vec![
            ParameterDelta { name: names[0].0.into(), indices: vec![0, 23], deltas: vec![2.0, -1.0] },
            ParameterDelta { name: names[1].0.into(), indices: vec![3, 4, 7], deltas: vec![0.5, 1e-9, 0.125] },
        ],
        head: head.iter().map(part).collect(),
        new_tokens: NewTokens::default(),
    }
}

fn classifier() -> Adapter {
    adapter(&[(EMBEDDINGS, &[6, 4]), (V_PROJ, &[2, 4]), (NORM, &[4])], &[("score.weight", "head", &[2, 4])])
}

fn causal() -> Adapter {
    adapter(&[(EMBEDDINGS, &[6, 4]), (V_PROJ, &[2, 4]), (NORM, &[4]), (LM_HEAD, &[6, 4])], &[])
}

/// What these deltas make of a tensor, one scalar after the other.
fn added(tensor: &mut (Dtype, Vec<usize>, Vec<u8>), delta: &ParameterDelta) {
    let size = tensor.0.bitsize() / 8;
    for (&index, &value) in delta.indices.iter().zip(&delta.deltas) {
        let scalar = &mut tensor.2[index as usize * size..][..size];
        let sum = value
            + match scalar {
                [a, b] => bf16::from_le_bytes([*a, *b]).to_f32(),
                _ => f32::from_le_bytes(scalar.try_into().unwrap()),
            };
        scalar.copy_from_slice(&floats(&[sum], tensor.0));
    }
}

fn merge(base: &Path, adapter: &Adapter, output: &Path) -> Result<u64> {
    write_merged(base, adapter, &[], output, &mut |_| ())
}

#[test]
fn a_classifier_is_the_base_model_below_its_head() {
    let (_root, base, output) = base_of("llama", &decoder_tensors());
    let mut shares = Vec::new();
    let bytes = write_merged(&base, &classifier(), &[], &output, &mut |share| shares.push(share)).unwrap();
    let sizes = fs::read_dir(&output).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len());
    assert_eq!(bytes, sizes.sum::<u64>());
    assert!(shares.is_sorted() && shares.last() == Some(&1.0), "{shares:?}");

    let mut expected = decoder_tensors();
    expected.remove(LM_HEAD);
    for delta in classifier().deltas {
        added(expected.get_mut(&delta.name).unwrap(), &delta);
    }
    expected.insert("score.weight".into(), (Dtype::BF16, vec![2, 4], floats(&[1.75; 8], Dtype::BF16)));
    assert_eq!(load(&output.join("model.safetensors")), expected);
    assert_ne!(expected[EMBEDDINGS], decoder_tensors()[EMBEDDINGS]);

    insta::assert_snapshot!(fs::read_to_string(output.join("config.json")).unwrap(), @r#"
    {
      "architectures": [
        "LlamaForSequenceClassification"
      ],
      "model_type": "llama",
      "rms_norm_eps": 0.25,
      "pad_token_id": 7,
      "num_labels": 2,
      "problem_type": "single_label_classification",
      "id2label": {
        "0": "no",
        "1": "yes"
      },
      "label2id": {
        "no": 0,
        "yes": 1
      }
    }
    "#);
    for file in ["tokenizer.json", "generation_config.json", "chat_template.jinja"] {
        assert_eq!(fs::read(output.join(file)).unwrap(), fs::read(base.join(file)).unwrap());
    }
    assert!(!output.join("README.md").exists());
}

#[test]
fn a_language_model_keeps_all_that_was_stored() {
    let mut tensors = decoder_tensors();
    tensors.insert("model.rotary_emb.inv_freq".into(), (Dtype::I64, vec![1], vec![9; 8]));
    let (_root, base, output) = base_of("llama", &tensors);
    merge(&base, &causal(), &output).unwrap();
    for delta in causal().deltas {
        added(tensors.get_mut(&delta.name).unwrap(), &delta);
    }
    assert_eq!(load(&output.join("model.safetensors")), tensors);
    let config = json_of(&output.join("config.json"));
    assert_eq!(config["architectures"], json!(["LlamaForCausalLM"]));
    assert_eq!((&config["num_labels"], config.get("id2label")), (&json!(5), None));
}

#[test]
fn a_repeated_head_stays_the_embeddings() {
    let mut tensors = decoder_tensors();
    tensors.insert(LM_HEAD.into(), tensors[EMBEDDINGS].clone());
    let (_root, base, output) = base_of("gemma", &tensors);
    let mut tied = causal();
    tied.parameters.pop();
    merge(&base, &tied, &output).unwrap();
    let merged = load(&output.join("model.safetensors"));
    assert_eq!(merged[LM_HEAD], merged[EMBEDDINGS]);
    assert_ne!(merged[LM_HEAD], tensors[LM_HEAD]);
}

#[test]
fn embeddings_that_were_stored_as_the_tied_head_are_named_after_themselves() {
    let mut tensors = decoder_tensors();
    let words = tensors.remove(EMBEDDINGS).unwrap();
    tensors.insert(LM_HEAD.into(), words.clone());
    let (_root, base, output) = base_of("gemma", &tensors);
    let mut tied = causal();
    tied.parameters.pop();
    tied.deltas.retain(|delta| delta.name != EMBEDDINGS);
    merge(&base, &tied, &output).unwrap();
    let merged = load(&output.join("model.safetensors"));
    assert_eq!((merged.get(EMBEDDINGS), merged.get(LM_HEAD)), (Some(&words), None));
    merge(&base, &classifier_without_embedding_deltas(), &output).unwrap();
    assert_eq!(load(&output.join("model.safetensors")).get(EMBEDDINGS), Some(&words));
}

fn classifier_without_embedding_deltas() -> Adapter {
    let mut adapter = classifier();
    adapter.deltas.retain(|delta| delta.name != EMBEDDINGS);
    adapter
}

#[test]
fn a_head_of_its_own_is_written_down_where_the_base_says_otherwise() {
    for (model_type, said, written) in
        [("gemma", None, json!(false)), ("llama", Some(true), json!(false)), ("llama", None, json!(null))]
    {
        let (_root, base, output) = base_of(model_type, &decoder_tensors());
        if let Some(said) = said {
            let mut config = json_of(&base.join("config.json"));
            config["tie_word_embeddings"] = json!(said);
            fs::write(base.join("config.json"), config.to_string()).unwrap();
        }
        merge(&base, &causal(), &output).unwrap();
        assert_eq!(json_of(&output.join("config.json"))["tie_word_embeddings"], written, "{model_type} {said:?}");
    }
}

#[test]
fn licences_and_further_chat_templates_go_along_and_may_be_replaced() {
    let (_root, base, output) = base_of("llama", &decoder_tensors());
    let kept = ["LICENSE", "LICENSE.txt", "Notice", "USE_POLICY.md", "additional_chat_templates/tools.jinja"];
    fs::create_dir(base.join("additional_chat_templates")).unwrap();
    for file in kept {
        fs::write(base.join(file), format!("{file}\r\n")).unwrap();
    }
    for file in ["licensed.py", "additional_chat_templates/other.txt"] {
        fs::write(base.join(file), "").unwrap();
    }
    for _ in 0..2 {
        merge(&base, &causal(), &output).unwrap();
        for file in kept {
            assert_eq!(fs::read(output.join(file)).unwrap(), fs::read(base.join(file)).unwrap(), "{file}");
        }
        assert!(!output.join("licensed.py").exists() && !output.join("additional_chat_templates/other.txt").exists());
    }
}

#[test]
fn the_files_are_those_of_the_base_model() {
    let (root, base, output) = base_of("llama", &decoder_tensors());
    let whole = root.path().join("whole");
    for adapter in [classifier(), causal()] {
        merge(&base, &adapter, &whole).unwrap();
        let (_root, base, _) = base_of("llama", &decoder_tensors());
        in_two_files(&base);
        merge(&base, &adapter, &output).unwrap();
        assert!(!output.join("model.safetensors").exists());
        assert_eq!(load_all(&output), load_all(&whole));
        let index = json_of(&output.join("model.safetensors.index.json"));
        let map: BTreeMap<String, String> = serde_json::from_value(index["weight_map"].clone()).unwrap();
        let (mut bytes, mut scalars, mut found) = (0, 0, 0);
        for (name, file) in &map {
            let (dtype, _, data) = &load(&output.join(file))[name];
            bytes += data.len();
            scalars += data.len() * 8 / dtype.bitsize();
            found += 1;
        }
        assert_eq!(found, load_all(&whole).len());
        assert_eq!(index["metadata"], json!({"total_size": bytes, "total_parameters": scalars}));
    }
}

#[test]
fn a_file_that_only_held_the_language_models_head_is_left_out_or_holds_the_head() {
    let (_root, base, output) = base_of("llama", &decoder_tensors());
    in_two_files(&base);
    let [first, second] = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];
    let mut tensors = load(&base.join(second));
    tensors.extend(load(&base.join(first)));
    let head = BTreeMap::from([(LM_HEAD.to_owned(), tensors.remove(LM_HEAD).unwrap())]);
    save(&base.join(first), &head);
    save(&base.join(second), &tensors);
    merge(&base, &classifier(), &output).unwrap();
    assert!(!output.join(first).exists() && output.join(second).exists());
    save(&base.join(first), &tensors);
    save(&base.join(second), &head);
    merge(&base, &classifier(), &output).unwrap();
    assert_eq!(load(&output.join(second)).into_keys().collect::<Vec<_>>(), ["score.weight"]);
}

#[test]
fn stored_names_become_the_full_ones_of_the_class() {
    let words = "bert.embeddings.word_embeddings.weight";
    let scale = "bert.embeddings.LayerNorm.weight";
    let head: &[(&str, &str, &[usize])] =
        &[("classifier.weight", "head", &[2, 4]), ("classifier.bias", "head_bias", &[2])];
    let adapter = adapter(&[(words, &[6, 4]), (scale, &[8])], head);
    let ramps = [ramp(1, &[6, 4], Dtype::F32), ramp(2, &[8], Dtype::F32)];
    let stored = [
        ["embeddings.word_embeddings.weight", "embeddings.LayerNorm.weight"],
        ["embeddings.word_embeddings.weight", "embeddings.LayerNorm.gamma"],
        [words, "bert.embeddings.LayerNorm.gamma"],
        [words, scale],
    ];
    for names in stored {
        let mut tensors: Tensors = names.map(str::to_owned).into_iter().zip(ramps.clone()).collect();
        tensors.insert("cls.predictions.bias".into(), ramp(1, &[6], Dtype::F32));
        tensors.insert("embeddings.position_ids".into(), (Dtype::I64, vec![1, 1], vec![0; 8]));
        let (_root, base, output) = base_of("bert", &tensors);
        merge(&base, &adapter, &output).unwrap();
        let mut expected: Tensors = [words, scale].map(str::to_owned).into_iter().zip(ramps.clone()).collect();
        for delta in &adapter.deltas {
            added(expected.get_mut(&delta.name).unwrap(), delta);
        }
        expected.insert("classifier.weight".into(), (Dtype::F32, vec![2, 4], floats(&[1.75; 8], Dtype::F32)));
        expected.insert("classifier.bias".into(), (Dtype::F32, vec![2], floats(&[1.75; 2], Dtype::F32)));
        assert_eq!(load(&output.join("model.safetensors")), expected);
    }
}

#[test]
fn a_tensor_larger_than_the_buffer_is_merged_at_its_seams() {
    let half = CHUNK / 2;
    let shape = [2 * half + 5];
    let tensors: Tensors = [(EMBEDDINGS.to_owned(), ramp(1, &shape, Dtype::BF16))].into();
    let (_root, base, output) = base_of("llama", &tensors);
    let seams = [0, half - 1, half, 2 * half - 1, 2 * half, 2 * half + 4].map(|at| u32::try_from(at).unwrap());
    let delta = ParameterDelta { name: EMBEDDINGS.into(), indices: seams.into(), deltas: vec![1.0; 6] };
    let adapter =
        Adapter { parameters: vec![(EMBEDDINGS.into(), shape.into())], deltas: vec![delta.clone()], ..causal() };
    merge(&base, &adapter, &output).unwrap();
    let mut expected = tensors;
    added(expected.get_mut(EMBEDDINGS).unwrap(), &delta);
    assert!(load(&output.join("model.safetensors")) == expected);
}

#[cfg(unix)]
#[test]
fn links_are_followed() {
    let (root, base, output) = base_of("llama", &decoder_tensors());
    let linked = root.path().join("snapshot");
    fs::create_dir(&linked).unwrap();
    for entry in fs::read_dir(&base).unwrap() {
        let name = entry.unwrap().file_name();
        std::os::unix::fs::symlink(Path::new("../model").join(&name), linked.join(&name)).unwrap();
    }
    merge(&linked, &classifier(), &output).unwrap();
    let entries: Vec<fs::DirEntry> = fs::read_dir(&output).unwrap().map(|entry| entry.unwrap()).collect();
    assert_eq!(entries.len(), 5);
    assert!(entries.iter().all(|entry| entry.file_type().unwrap().is_file()));
}

fn refusal(base: &Path, adapter: &Adapter, output: &Path) -> String {
    let error = merge(base, adapter, output).unwrap_err();
    assert!(matches!(error, Error::Refused(_)) && !error.message().contains('\n'), "{error}");
    error.message().to_owned()
}

#[test]
fn only_an_earlier_export_is_replaced() {
    let (root, base, output) = base_of("llama", &decoder_tensors());
    for _ in 0..2 {
        merge(&base, &classifier(), &output).unwrap();
    }
    assert!(refusal(&base, &classifier(), &base).contains("holds \"README.md\", which is no part of a model"));
    fs::remove_file(base.join("README.md")).unwrap();
    assert!(refusal(&base, &classifier(), &base).contains("is the base model"));
    let (_other_root, other, _) = base_of("llama", &decoder_tensors());
    fs::remove_file(other.join("README.md")).unwrap();
    assert!(refusal(&base, &classifier(), &other).contains("holds model.safetensors, which was not exported here"));
    fs::remove_file(other.join("model.safetensors")).unwrap();
    assert!(refusal(&base, &classifier(), &other).contains("holds a config.json, but no model"));
    assert!(refusal(&base, &classifier(), root.path()).contains("which is no part of a model"));
    assert!(refusal(&base, &classifier(), &base.join("config.json")).contains("cannot be read"));
}

#[test]
fn a_merge_that_fails_leaves_the_earlier_one() {
    let (root, base, output) = base_of("llama", &decoder_tensors());
    merge(&base, &classifier(), &output).unwrap();
    let before = load_all(&output);
    let mut broken = classifier();
    broken.deltas[0].deltas[0] = 3.4e38;
    broken.deltas[0].indices[0] = 1;
    let mut huge = decoder_tensors();
    huge.insert(EMBEDDINGS.into(), (Dtype::BF16, vec![6, 4], floats(&[3e38; 24], Dtype::BF16)));
    save(&base.join("model.safetensors"), &huge);
    let error = merge(&base, &broken, &output).unwrap_err();
    assert!(error.message().starts_with("number 1 of model.embed_tokens.weight leaves the range of BF16"), "{error}");
    assert_eq!(load_all(&output), before);
    let mut entries: Vec<_> = fs::read_dir(root.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    entries.sort();
    assert_eq!(entries, ["merged", "model"]);
}

#[test]
fn a_base_model_that_does_not_fit_is_refused() {
    type Change = fn(&mut Tensors);
    let changes: [(Change, &str); 4] = [
        (|t| _ = t.remove(NORM), "there is no tensor \"model.norm.weight\""),
        (|t| _ = t.insert(NORM.into(), ramp(1, &[5], Dtype::BF16)), "has the shape [5], but the adapter is for [4]"),
        (|t| _ = t.insert("norm.weight".into(), ramp(1, &[4], Dtype::BF16)), "is there twice"),
        (|t| _ = t.insert(V_PROJ.into(), (Dtype::I8, vec![2, 4], vec![0; 8])), "is of type I8"),
    ];
    for (change, expected) in changes {
        let mut tensors = decoder_tensors();
        change(&mut tensors);
        let (_root, base, output) = base_of("llama", &tensors);
        let message = refusal(&base, &classifier(), &output);
        assert!(message.contains(expected), "{expected}: {message}");
        assert!(!output.exists());
    }
    for model_type in ["bert", "unheard-of\u{1b}"] {
        let (_root, base, output) = base_of(model_type, &decoder_tensors());
        let message = refusal(&base, &classifier(), &output);
        assert!(message.contains("is not one of model_type") && !message.contains('\u{1b}'), "{message}");
    }
}

#[test]
fn hostile_folders_are_refused() {
    let (_root, base, output) = base_of("llama", &decoder_tensors());
    let whole = fs::read(base.join("model.safetensors")).unwrap();
    for broken in [&whole[..0], &whole[..7], &whole[..100], &whole[..whole.len() - 1], &[0xff; 64]] {
        fs::write(base.join("model.safetensors"), broken).unwrap();
        refusal(&base, &classifier(), &output);
    }
    fs::remove_file(base.join("model.safetensors")).unwrap();
    refusal(&base, &classifier(), &output);
    for name in ["../model/x.safetensors", "/etc/passwd", "a/b.safetensors", "..", ""] {
        let index = json!({"weight_map": {"a": name}});
        fs::write(base.join("model.safetensors.index.json"), index.to_string()).unwrap();
        assert!(refusal(&base, &classifier(), &output).contains("is no plain name"), "{name}");
    }
    for index in
        ["", "[]", "{}", r#"{"weight_map": {"a": 5}}"#, r#"{"weight_map": {}}"#, r#"{"weight_map": {"a": "b"}}"#]
    {
        fs::write(base.join("model.safetensors.index.json"), index).unwrap();
        refusal(&base, &classifier(), &output);
    }
    fs::write(base.join("config.json"), "[").unwrap();
    refusal(&base, &classifier(), &output);
    assert!(!output.exists());
}

/// Three tensors of 16, 8 and 6 bytes.
fn trained() -> Vec<(tensors::NamedTensor, Vec<usize>)> {
    let tensor = |name: &str, dtype, shape: &[usize], bytes| {
        (tensors::NamedTensor { name: name.into(), dtype, shape: shape.into(), bytes }, shape.to_vec())
    };
    vec![
        tensor("a", Kind::Float32, &[2, 2], (0..16).collect()),
        tensor("b", Kind::Bfloat16, &[4], (16..24).collect()),
        tensor("c", Kind::Float16, &[3], (24..30).collect()),
    ]
}

fn write_trained(folder: &Path, base: Option<&Path>, limit: Option<usize>) -> Result<u64> {
    let trained = trained();
    let tensors: Vec<(String, Kind, Vec<usize>)> =
        trained.iter().map(|(tensor, shape)| (tensor.name.clone(), tensor.dtype, shape.clone())).collect();
    let mut bytes = |at: usize| Ok(trained[at].0.bytes.clone());
    let config = json!({"model_type": "llama"});
    let new_tokens = NewTokens::default();
    let base = base.map(|folder| BaseFiles { folder, new_tokens: &new_tokens });
    match limit {
        None => write_model(folder, base, &config, &tensors, &mut bytes),
        Some(limit) => write_in_shards(folder, base, &config, &tensors, &mut bytes, limit),
    }
}

fn expect_trained(folder: &Path) {
    let expected = [Dtype::F32, Dtype::BF16, Dtype::F16].into_iter().zip(trained());
    let expected: Tensors =
        expected.map(|(dtype, (tensor, shape))| (tensor.name, (dtype, shape, tensor.bytes))).collect();
    assert_eq!(load_all(folder), expected);
}

#[test]
fn a_model_that_was_trained_whole_is_written_in_one_file_or_several() {
    let (root, base, folder) = base_of("llama", &decoder_tensors());
    write_trained(&folder, Some(&base), None).unwrap();
    expect_trained(&folder);
    assert!(folder.join("model.safetensors").exists() && !folder.join(INDEX).exists());
    assert_eq!(fs::read(folder.join("tokenizer.json")).unwrap(), fs::read(base.join("tokenizer.json")).unwrap());
    for (limit, files) in [(24, ["1", "1", "2"]), (16, ["1", "2", "2"]), (1, ["1", "2", "3"])] {
        let bytes = write_trained(&folder, None, Some(limit)).unwrap();
        expect_trained(&folder);
        let index = json_of(&folder.join(INDEX));
        assert_eq!(index["metadata"], json!({"total_size": 30}));
        let count = files[2];
        for (name, number) in ["a", "b", "c"].into_iter().zip(files) {
            assert_eq!(index["weight_map"][name], format!("model-0000{number}-of-0000{count}.safetensors"));
        }
        let sizes = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len());
        assert_eq!(bytes, sizes.sum::<u64>());
    }
    assert!(matches!(write_trained(&base, None, None), Err(Error::Refused(_))));
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 2);
}

#[test]
fn a_tensor_of_the_wrong_size_or_none_at_all_leaves_nothing_behind() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("model");
    let tensors = [("a".to_owned(), Kind::Float32, vec![2])];
    let calls = RefCell::new(0);
    let write = |answer: &dyn Fn() -> io::Result<Vec<u8>>, tensors: &[(String, Kind, Vec<usize>)]| {
        write_model(&folder, None, &json!({}), tensors, &mut |_| {
            *calls.borrow_mut() += 1;
            answer()
        })
    };
    assert!(write(&|| Ok(vec![0; 7]), &tensors).unwrap_err().message().contains("7 bytes of a came, not 8"));
    assert!(write(&|| Err(io::Error::other("no more")), &tensors).unwrap_err().message().contains("no more"));
    let twice = [tensors[0].clone(), tensors[0].clone()];
    assert!(write(&|| Ok(vec![0; 8]), &twice).unwrap_err().message().contains("the tensor a is there twice"));
    assert_eq!((*calls.borrow(), fs::read_dir(root.path()).unwrap().count()), (2, 0));
}
