use std::fs;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::{NewRows, adapter_contents};
use super::*;
use spartui_run::tensors::parse_tensors;

fn parameters() -> Vec<(String, Vec<usize>)> {
    [("bert.query.weight", vec![3, 4]), ("bert.query.bias", vec![3]), ("bert.cube", vec![2, 3, 2])]
        .map(|(name, shape)| (name.to_owned(), shape))
        .into()
}

fn encoder() -> Adapter {
    Adapter {
        base: "/models/small".into(),
        base_config: json!({"model_type": "bert", "hidden_size": 2, "num_labels": 5, "vocab_size": 14}),
        labels: vec!["a".into(), "naïve\u{1b}".into(), "c".into()],
        parameters: parameters(),
        deltas: vec![
            ParameterDelta {
                name: "bert.query.weight".into(),
                indices: vec![0, 5, 11],
                deltas: vec![0.5, -1.0, 1e-30],
            },
            ParameterDelta { name: "bert.cube".into(), indices: vec![7], deltas: vec![2.0] },
        ],
        head: vec![
            HeadDelta {
                parameter: "classifier.weight".into(),
                init_key: "head".into(),
                shape: vec![3, 2],
                init: vec![0.1, 0.2, 0.3, 0.4, 0.5, 0.6],
                deltas: vec![0.0, 1.0, 2.0, 3.0, 4.0, 5.0],
            },
            HeadDelta {
                parameter: "classifier.bias".into(),
                init_key: "head_bias".into(),
                shape: vec![3],
                init: vec![0.0; 3],
                deltas: vec![0.5; 3],
            },
        ],
        new_tokens: NewTokens::default(),
    }
}

fn decoder() -> Adapter {
    let mut adapter = encoder();
    adapter.head.truncate(1);
    adapter.head[0].parameter = "score.weight".into();
    adapter.parameters.push(("score.weight".into(), vec![3, 2]));
    adapter
}

fn part(parameter: &str, init_key: &str, shape: &[usize]) -> HeadDelta {
    let scalars = shape.iter().product();
    let (parameter, init_key) = (parameter.into(), init_key.into());
    HeadDelta { parameter, init_key, shape: shape.into(), init: vec![0.25; scalars], deltas: vec![-1.5; scalars] }
}

/// With an inner layer in the head, whose extents have nothing to do with the labels.
fn roberta() -> Adapter {
    let mut adapter = encoder();
    adapter.head = vec![
        part("classifier.dense.weight", "head_inner", &[2, 2]),
        part("classifier.dense.bias", "head_inner_bias", &[2]),
        part("classifier.out_proj.weight", "head", &[3, 2]),
        part("classifier.out_proj.bias", "head_bias", &[3]),
    ];
    adapter
}

fn distilbert() -> Adapter {
    let mut adapter = encoder();
    adapter.head = vec![
        part("pre_classifier.weight", "head_inner", &[2, 2]),
        part("pre_classifier.bias", "head_inner_bias", &[2]),
        part("classifier.weight", "head", &[3, 2]),
        part("classifier.bias", "head_bias", &[3]),
    ];
    adapter
}

/// Of a language model that does not tie its head.
fn causal() -> Adapter {
    let mut adapter = Adapter { head: vec![], labels: vec![], ..encoder() };
    adapter.parameters.push((LM_HEAD.into(), vec![3, 2]));
    adapter.deltas.push(ParameterDelta { name: LM_HEAD.into(), indices: vec![1], deltas: vec![0.5] });
    adapter
}

fn listing(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn refusal(folder: &Path) -> String {
    let error = Adapter::read(folder, &parameters()).unwrap_err();
    assert!(matches!(error, Error::Refused(_)) && !error.message().contains('\n'), "{error}");
    error.message().to_owned()
}

#[test]
fn what_is_written_is_read() {
    for adapter in [encoder(), decoder(), roberta(), distilbert(), causal()] {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("adapter");
        fs::write(root.path().join("tokenizer.json"), "{}").unwrap();
        let bytes = adapter.write(&folder, Some(root.path())).unwrap();
        let mut files = vec!["config.json", "head_init.safetensors", "sparse_deltas.safetensors", "tokenizer.json"];
        files.retain(|file| *file != "head_init.safetensors" || !adapter.head.is_empty());
        assert_eq!(listing(&folder), files);
        assert_eq!(
            bytes,
            listing(&folder).iter().map(|name| fs::metadata(folder.join(name)).unwrap().len()).sum::<u64>()
        );
        let read = Adapter::read(&folder, &adapter.parameters).unwrap();
        let config = edited(&adapter.base_config, &adapter.base, &adapter.labels, adapter.check().unwrap()).unwrap();
        assert_eq!(read, Adapter { base_config: config, ..adapter });
    }
}

#[test]
fn the_files_are_those_of_the_reference() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("adapter");
    encoder().write(&folder, None).unwrap();
    let tensors = parse_tensors(&fs::read(folder.join(DELTAS)).unwrap()).unwrap();
    let find = |name: &str| tensors.iter().find(|tensor| tensor.name == name).unwrap();
    assert_eq!(tensors.len(), 10);
    assert_eq!(find("indices.bert.query.weight").shape, [3, 2]);
    assert_eq!(find("indices.bert.query.weight").as_int32().unwrap(), [0, 0, 1, 1, 2, 3]);
    assert_eq!(find("indices.bert.cube").as_int32().unwrap(), [1, 0, 1]);
    assert_eq!(
        (find("indices.bert.query.bias").shape.as_slice(), find("deltas.bert.query.bias").shape.as_slice()),
        (&[0, 1][..], &[0][..])
    );
    assert_eq!(find("indices.classifier.weight").as_int32().unwrap(), [0, 0, 0, 1, 1, 0, 1, 1, 2, 0, 2, 1]);
    assert_eq!(find("deltas.classifier.weight").as_float32().unwrap(), [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
    let config = fs::read_to_string(folder.join(CONFIG)).unwrap();
    insta::assert_snapshot!(config, @r#"
    {
      "model_type": "bert",
      "hidden_size": 2,
      "num_labels": 3,
      "vocab_size": 14,
      "sparta_pretrained_model": "/models/small",
      "problem_type": "single_label_classification",
      "id2label": {
        "0": "a",
        "1": "naïve\u001b",
        "2": "c"
      },
      "label2id": {
        "a": 0,
        "naïve\u001b": 1,
        "c": 2
      },
      "sparta_extension": "encoder"
    }
    "#);
    let contents = adapter_contents(&folder).unwrap();
    assert_eq!((contents.labels, contents.base), (encoder().labels, encoder().base));
    assert!(contents.scalars.contains(&("bert.query.weight".into(), 3)));
}

fn names(folder: &Path) -> Vec<String> {
    let tensors = parse_tensors(&fs::read(folder.join(DELTAS)).unwrap()).unwrap();
    tensors.into_iter().filter_map(|tensor| Some(tensor.name.strip_prefix("deltas.")?.to_owned())).collect()
}

#[test]
fn a_language_model_has_its_head_among_its_parameters_and_a_classifier_has_none() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("adapter");
    let mut was_a_classifier = causal();
    was_a_classifier.base_config["problem_type"] = json!("single_label_classification");
    was_a_classifier.write(&folder, None).unwrap();
    assert!(names(&folder).contains(&LM_HEAD.to_owned()));
    assert_eq!(Adapter::read(&folder, &causal().parameters).unwrap().deltas, causal().deltas);
    let mut classifier = decoder();
    classifier.parameters.push((LM_HEAD.into(), vec![3, 2]));
    classifier.write(&folder, None).unwrap();
    assert!(!names(&folder).contains(&LM_HEAD.to_owned()));
    assert_eq!(Adapter::read(&folder, &classifier.parameters).unwrap().deltas, classifier.deltas);
}

#[test]
fn a_head_of_no_family_is_not_written() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("adapter");
    let mut inner_only = roberta();
    inner_only.head.truncate(2);
    let mut other_labels = roberta();
    other_labels.head[3] = part("classifier.out_proj.bias", "head_bias", &[2]);
    let mut other_key = decoder();
    other_key.head[0].init_key = "head_inner".into();
    for adapter in [inner_only, other_labels, other_key] {
        assert!(adapter.write(&folder, None).unwrap_err().message().ends_with("please report this"));
    }
    assert!(!folder.exists());
}

#[test]
fn adapters_of_the_reference_are_read() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/sparta_adapter");
    let expected: serde_json::Value = serde_json::from_slice(&fs::read(golden.join("golden.json")).unwrap()).unwrap();
    let model = parse_tensors(&fs::read(golden.join("model/model.safetensors")).unwrap()).unwrap();
    let parameters: Vec<(String, Vec<usize>)> = model.into_iter().map(|tensor| (tensor.name, tensor.shape)).collect();
    for task in ["classification", "causal"] {
        let read = Adapter::read(&golden.join(task), &parameters).unwrap();
        assert_eq!(read.base, Path::new("tests/golden/sparta_adapter/model"));
        let mut found = read.deltas;
        if task == "classification" {
            assert_eq!(json!(read.labels), expected["labels"]);
            let [head] = &read.head[..] else { panic!("{:?}", read.head) };
            assert_eq!(
                (head.parameter.as_str(), head.shape.as_slice(), head.init.len()),
                ("score.weight", &[3, 32][..], 96)
            );
            found.push(ParameterDelta {
                name: "score.weight".into(),
                indices: (0..96).collect(),
                deltas: head.deltas.clone(),
            });
        } else {
            assert!(read.head.is_empty() && read.labels.is_empty());
        }
        let expected = expected["deltas"][task].as_object().unwrap();
        assert_eq!(found.len(), expected.len());
        for delta in found {
            compare(&delta, &expected[&delta.name]);
        }
    }
}

fn compare(found: &ParameterDelta, expected: &serde_json::Value) {
    let close = |field: &str, found: f64| {
        let expected = expected[field].as_f64().unwrap();
        assert!((found - expected).abs() <= 1e-9 * expected.abs().max(1.0), "{field}: {found}, not {expected}");
    };
    let scalars =
        || found.indices.iter().zip(&found.deltas).map(|(&index, &delta)| (f64::from(index), f64::from(delta)));
    assert_eq!(json!(found.indices.len()), expected["count"]);
    assert_eq!(json!(found.indices[..6]), expected["indices"]);
    for (at, value) in found.deltas[..6].iter().enumerate() {
        assert!((f64::from(*value) - expected["values"][at].as_f64().unwrap()).abs() < 1e-9);
    }
    close("sum_of_indices", scalars().map(|(index, _)| index).sum());
    close("sum_of_values", scalars().map(|(_, delta)| delta).sum());
    close("sum_of_products", scalars().map(|(index, delta)| index * delta).sum());
}

fn with_new_tokens() -> Adapter {
    let rows = NewRows {
        parameter: "bert.embeddings.word_embeddings.weight".into(),
        shape: [2, 3],
        init: vec![0.5, 1.0, 1.5, -2.0, 2.5, 3.0],
    };
    let tokens = vec![("<sep>".into(), 12), ("<q>".into(), 13)];
    Adapter { new_tokens: NewTokens { tokens, rows: vec![rows] }, ..encoder() }
}

#[test]
fn new_tokens_come_back_and_the_tokenizer_beside_them_has_them() {
    let root = tempfile::tempdir().unwrap();
    let (base, folder) = (root.path().join("base"), root.path().join("adapter"));
    fs::create_dir(&base).unwrap();
    for (name, content) in [
        (
            "tokenizer.json",
            json!({"added_tokens": [{"id": 0, "content": "<s>", "special": true}], "model": {"type": "BPE"}}),
        ),
        (
            "tokenizer_config.json",
            json!({"added_tokens_decoder": {"0": {"content": "<s>"}, "11": {"content": "<img>", "special": false}}, "eos_token": "<s>"}),
        ),
        ("special_tokens_map.json", json!({"additional_special_tokens": ["<x>"]})),
    ] {
        fs::write(base.join(name), content.to_string()).unwrap();
    }
    let adapter = with_new_tokens();
    adapter.write(&folder, Some(&base)).unwrap();
    assert_eq!(NewTokens::of_adapter(&folder).unwrap(), adapter.new_tokens);
    let read = |name: &str| -> Value { serde_json::from_slice(&fs::read(folder.join(name)).unwrap()).unwrap() };
    let added = read("tokenizer.json")["added_tokens"].clone();
    assert_eq!(added.as_array().unwrap().len(), 4);
    // A token that only the other file lists is written before the new ones, so that these keep their ids.
    assert_eq!(
        (&added[1]["id"], &added[1]["content"], &added[1]["special"]),
        (&json!(11), &json!("<img>"), &json!(false))
    );
    assert_eq!(
        (&added[2]["id"], &added[2]["content"], &added[3]["special"]),
        (&json!(12), &json!("<sep>"), &json!(true))
    );
    let config = read("tokenizer_config.json");
    assert_eq!(config["added_tokens_decoder"]["13"]["content"], "<q>");
    assert_eq!(config["additional_special_tokens"], json!(["<sep>", "<q>"]));
    assert_eq!(read("special_tokens_map.json")["additional_special_tokens"], json!(["<x>", "<sep>", "<q>"]));
    // Without a list of them, as peft-sparta writes it, they are those of the tokenizer from the first new row on.
    let mut config = read(CONFIG);
    config.as_object_mut().unwrap().remove("spartui_new_tokens");
    fs::write(folder.join(CONFIG), config.to_string()).unwrap();
    assert_eq!(NewTokens::of_adapter(&folder).unwrap(), adapter.new_tokens);
    fs::remove_file(folder.join("tokenizer.json")).unwrap();
    let why = NewTokens::of_adapter(&folder).unwrap_err();
    assert!(why.message().contains("copy the tokenizer that it was trained with there"), "{why}");
}

#[test]
fn new_tokens_with_ids_that_are_not_those_of_the_rows_and_other_base_models_are_refused() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("adapter");
    let mut adapter = with_new_tokens();
    adapter.parameters.push(("bert.embeddings.word_embeddings.weight".into(), vec![14, 3]));
    adapter.write(&folder, None).unwrap();
    let written: Value = serde_json::from_slice(&fs::read(folder.join(CONFIG)).unwrap()).unwrap();
    for (tokens, expected) in [
        (json!({"<sep>": 12, "<q>": 12}), "an id twice"),
        (json!({"<sep>": -1, "<q>": 13}), "beyond its vocab_size 14"),
        (json!({"<sep>": 12, "<q>": 1_i64 << 62}), "beyond its vocab_size 14"),
        (json!({"<sep>": 10, "<q>": 11}), "2 rows of new tokens belong to the last 2"),
        (json!({"<q>": 13}), "2 rows of new tokens belong to the last 2"),
        (json!({"<sep>": 12.5, "<q>": 13}), "no list of texts with their ids"),
        (json!({" ": 12, "<q>": 13}), "no list of texts with their ids"),
    ] {
        let mut config = written.clone();
        config["spartui_new_tokens"] = tokens;
        fs::write(folder.join(CONFIG), config.to_string()).unwrap();
        let message = refusal(&folder);
        assert!(message.contains(expected), "{message}");
    }
    fs::write(folder.join(CONFIG), written.to_string()).unwrap();
    let file = json!({"added_tokens": [{"id": 13, "content": "<sep>"}, {"id": 12, "content": "<q>"}]});
    fs::write(folder.join("tokenizer.json"), file.to_string()).unwrap();
    assert!(refusal(&folder).contains("with the id 12 is not so in tokenizer.json"));
    fs::remove_file(folder.join("tokenizer.json")).unwrap();
    let mut parameters = adapter.parameters.clone();
    assert!(Adapter::read(&folder, &parameters).is_ok());
    let words = parameters.iter_mut().find(|(name, _)| name.ends_with("word_embeddings.weight")).unwrap();
    words.1[0] += 7;
    let why = Adapter::read(&folder, &parameters).unwrap_err();
    assert!(why.message().contains("embeddings of 12 rows, and the base model has 19"), "{why}");
}

#[test]
fn damaged_rows_of_new_tokens_and_pickled_ones_are_refused() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("adapter");
    with_new_tokens().write(&folder, None).unwrap();
    let rows = folder.join("new_embeddings_init.safetensors");
    let whole = fs::read(&rows).unwrap();
    let tensor = |key: &str, shape: Vec<usize>, values: &[f32]| {
        let tensor = NamedTensor::float32(key, shape, values);
        write_tensors(&rows, [(key, &tensor)]).unwrap();
    };
    let refused = |expected: &str| {
        let message = refusal(&folder);
        assert!(message.contains(expected), "{message}");
    };
    fs::write(&rows, &whole[..whole.len() - 3]).unwrap();
    refused("it is damaged");
    tensor("other", vec![2, 3], &[0.0; 6]);
    refused("it has no new_embeddings");
    tensor("new_embeddings", vec![6], &[0.0; 6]);
    refused("no matrix of float32 numbers");
    tensor("new_embeddings", vec![1, 2], &[0.0, f32::NAN]);
    refused("values that are no numbers");
    fs::remove_file(&rows).unwrap();
    fs::write(folder.join("new_embeddings_init.pt"), "").unwrap();
    refused("pickle file");
}

#[test]
fn values_that_are_not_finite_are_never_exported() {
    for value in [f32::NAN, f32::INFINITY] {
        let root = tempfile::tempdir().unwrap();
        let mut adapter = encoder();
        adapter.deltas[0].deltas[1] = value;
        let error = adapter.write(&root.path().join("adapter"), None).unwrap_err();
        assert!(error.message().starts_with("bert.query.weight has the value"), "{error}");
        let mut adapter = encoder();
        adapter.head[1].deltas[0] = value;
        assert!(adapter.write(&root.path().join("adapter"), None).is_err());
        assert!(listing(root.path()).is_empty());
    }
}

#[test]
fn an_earlier_adapter_is_replaced_and_nothing_else() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("deep/adapter");
    encoder().write(&folder, None).unwrap();
    let mut second = encoder();
    second.deltas[1].deltas[0] = 7.0;
    fs::create_dir(root.path().join("deep/.adapter.new")).unwrap();
    second.write(&folder, None).unwrap();
    assert_eq!(Adapter::read(&folder, &parameters()).unwrap().deltas, second.deltas);
    assert_eq!(listing(&root.path().join("deep")), ["adapter"]);
    fs::write(folder.join("thesis.tex"), "").unwrap();
    let error = second.write(&folder, None).unwrap_err();
    assert!(error.message().contains("holds \"thesis.tex\", which is no part of an adapter"), "{error}");
    let model = root.path().join("model");
    fs::create_dir(&model).unwrap();
    fs::write(model.join(CONFIG), "{}").unwrap();
    assert!(second.write(&model, None).is_err());
    fs::write(root.path().join("file"), "").unwrap();
    assert!(second.write(&root.path().join("file"), None).is_err());
    assert!(second.write(&root.path().join("file/adapter"), None).is_err());
}

#[test]
fn an_adapter_that_does_not_fit_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("adapter");
    encoder().write(&folder, None).unwrap();
    for (name, shape, expected) in [
        ("bert.query.weight", vec![2, 4], "has no position [2, 3]"),
        ("bert.query.weight", vec![12], "do not fit each other or its shape"),
        ("bert.other", vec![3], "there are no indices of \"bert.other\""),
    ] {
        let error = Adapter::read(&folder, &[(name.into(), shape)]).unwrap_err();
        assert!(error.message().contains(expected), "{error}");
    }
    fs::remove_file(folder.join(DELTAS)).unwrap();
    assert!(refusal(&folder).contains("sparse_deltas.safetensors"));
    fs::write(folder.join("sparse_deltas.pt"), "").unwrap();
    assert!(refusal(&folder).contains("pickle"));
    assert!(refusal(root.path()).contains("config.json"));
}

/// The deltas' file with one tensor changed.
fn with(folder: &Path, file: &str, change: impl Fn(&mut NamedTensor)) {
    let mut tensors = parse_tensors(&fs::read(folder.join(file)).unwrap()).unwrap();
    tensors.iter_mut().for_each(change);
    fs::remove_file(folder.join(file)).unwrap();
    write_tensors(&folder.join(file), tensors.iter().map(|tensor| (tensor.name.as_str(), tensor))).unwrap();
}

#[test]
fn hostile_tensors_are_refused() {
    type Change = fn(&mut NamedTensor);
    let changes: [(&str, &str, Change, &str); 9] = [
        (
            DELTAS,
            "indices.bert.query.weight",
            |t| *t = NamedTensor::int32(&t.name, vec![3, 2], &[0, 0, -1, 1, 2, 3]),
            "no position [-1, 1]",
        ),
        (
            DELTAS,
            "indices.bert.query.weight",
            |t| *t = NamedTensor::int32(&t.name, vec![3, 2], &[0, 0, 0, 0, 2, 3]),
            "two deltas for the position 0",
        ),
        (
            DELTAS,
            "indices.bert.query.weight",
            |t| *t = NamedTensor::int32(&t.name, vec![2, 2], &[0, 0, 1, 1]),
            "do not fit each other",
        ),
        (DELTAS, "indices.bert.query.weight", |t| *t = NamedTensor::int32(&t.name, vec![6], &[0; 6]), "no matrix"),
        (
            DELTAS,
            "indices.bert.query.weight",
            |t| *t = NamedTensor::float32(&t.name, vec![3, 2], &[0.0; 6]),
            "no integers",
        ),
        (
            DELTAS,
            "deltas.bert.query.weight",
            |t| *t = NamedTensor::float32(&t.name, vec![3], &[0.0, f32::NAN, 0.0]),
            "has the value NaN",
        ),
        (
            DELTAS,
            "deltas.classifier.bias",
            |t| *t = NamedTensor::float32(&t.name, vec![2], &[0.0; 2]),
            "do not fit each other",
        ),
        (HEAD, "head", |t| *t = NamedTensor::float32(&t.name, vec![2, 3], &[0.0; 6]), "there are 3 labels"),
        (HEAD, "head_bias", |t| *t = NamedTensor::int32(&t.name, vec![3], &[0; 3]), "not float32"),
    ];
    for (file, name, change, expected) in changes {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("adapter");
        encoder().write(&folder, None).unwrap();
        with(&folder, file, |tensor| {
            if tensor.name == name {
                change(tensor);
            }
        });
        assert!(refusal(&folder).contains(expected), "{expected}: {}", refusal(&folder));
    }
}

#[test]
fn indices_of_64_bits_in_any_order_are_accepted() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("adapter");
    encoder().write(&folder, None).unwrap();
    with(&folder, DELTAS, |tensor| match tensor.name.as_str() {
        "indices.bert.query.weight" => {
            tensor.dtype = spartui_run::tensors::Dtype::Int64;
            tensor.bytes = [2_i64, 3, 1, 1, 0, 0].iter().flat_map(|at| at.to_le_bytes()).collect();
        }
        "deltas.bert.query.weight" => *tensor = NamedTensor::float32(&tensor.name, vec![3], &[1e-30, -1.0, 0.5]),
        _ => {}
    });
    assert_eq!(Adapter::read(&folder, &parameters()).unwrap().deltas, encoder().deltas);
}

#[test]
fn hostile_configurations_are_refused() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("adapter");
    encoder().write(&folder, None).unwrap();
    let good: serde_json::Value = serde_json::from_slice(&fs::read(folder.join(CONFIG)).unwrap()).unwrap();
    for (field, value, expected) in [
        ("sparta_pretrained_model", json!(5), "no sparta_pretrained_model"),
        ("id2label", json!({"0": "a", "2": "b"}), "no text for 1"),
        ("id2label", json!(["a", "b", "c"]), "id2label is no object"),
        ("id2label", json!({"0": "a", "1": "b"}), "there are 2 labels"),
        ("sparta_extension", json!("x\u{1b}[2J"), "unknown sparta_extension"),
        ("sparta_extension", json!(null), "there are no indices of \"score.weight\""),
    ] {
        let mut config = good.clone();
        config[field] = value;
        fs::write(folder.join(CONFIG), config.to_string()).unwrap();
        assert!(refusal(&folder).contains(expected), "{expected}: {}", refusal(&folder));
    }
    for text in ["", "[]", "null", "{"] {
        fs::write(folder.join(CONFIG), text).unwrap();
        refusal(&folder);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn no_damage_makes_it_panic(file in 0_usize..3, at: prop::sample::Index, byte: u8, cut: bool) {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("adapter");
        encoder().write(&folder, None).unwrap();
        let victim = folder.join([DELTAS, HEAD, CONFIG][file]);
        let mut bytes = fs::read(&victim).unwrap();
        let at = at.index(bytes.len());
        if cut { bytes.truncate(at) } else { bytes[at] = byte }
        fs::write(&victim, bytes).unwrap();
        if let Ok(read) = Adapter::read(&folder, &parameters()) {
            prop_assert!(read.deltas.iter().all(|delta| delta.deltas.iter().all(|value| value.is_finite())));
        }
        let _ = adapter_contents(&folder);
    }

    #[test]
    fn positions_survive_any_shape(extents in prop::collection::vec(1_usize..6, 1..4), picks in prop::collection::btree_set(0_u32..100, 0..20)) {
        let size: usize = extents.iter().product();
        let indices: Vec<u32> = picks.into_iter().filter(|&at| (at as usize) < size).collect();
        let mut adapter = encoder();
        adapter.parameters = vec![("p".into(), extents)];
        let deltas = vec![1.0; indices.len()];
        adapter.deltas = if indices.is_empty() { vec![] } else { vec![ParameterDelta { name: "p".into(), indices, deltas }] };
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("adapter");
        adapter.write(&folder, None).unwrap();
        prop_assert_eq!(Adapter::read(&folder, &adapter.parameters).unwrap().deltas, adapter.deltas);
    }
}
