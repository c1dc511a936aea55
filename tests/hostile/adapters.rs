//! Adapters of both forms.

use serde_json::{Map, Value, json};
use spartui::adapters::{Adapter, adapter_contents};
use spartui::error::Result;
use spartui::model::Model;
use spartui::recipe::TaskKind;

use crate::case::{Case, Reader, Spoil, case, program as run};
use crate::folder::{Folder, cut, folder_for, pipe_for, remove, rename, set, start, tensors, unset, write};

const FILE: &str = "causal/sparse_deltas.safetensors";
const CLASSES: &str = "classes/sparse_deltas.safetensors";
const HEAD: &str = "classes/head_init.safetensors";
const DELTAS: &str = "deltas.model.layers.0.self_attn.v_proj.weight";
const INDICES: &str = "indices.model.layers.0.self_attn.v_proj.weight";
const KEYED: &str = "keyed/sparta_keyed.safetensors";
const METADATA: &str = "sparta_keyed";

pub fn cases() -> Vec<Case<Reader>> {
    [files(), deltas(), configs(), heads(), keyed()].into_iter().flatten().collect()
}

/// Name and shape of each parameter of the model that the adapters are for.
pub fn parameters(folder: &Folder, task: TaskKind) -> Vec<(String, Vec<usize>)> {
    let model = Model::load(&folder.at("lm"), "auto", "cpu", task).unwrap();
    let size = |size: i64| usize::try_from(size).unwrap();
    let parameters = model.parameters.iter();
    parameters
        .map(|parameter| (parameter.name.clone(), parameter.tensor.size().into_iter().map(size).collect()))
        .collect()
}

fn causal(folder: &Folder) -> Result<()> {
    Adapter::read(&folder.at("causal"), &parameters(folder, TaskKind::CausalLm)).map(|_| ())
}

fn classes(folder: &Folder) -> Result<()> {
    Adapter::read(&folder.at("classes"), &parameters(folder, TaskKind::SequenceClassification)).map(|_| ())
}

fn without_indices(folder: &Folder) -> Result<()> {
    Adapter::read(&folder.at("keyed"), &parameters(folder, TaskKind::CausalLm)).map(|_| ())
}

fn contents(folder: &Folder) -> Result<()> {
    adapter_contents(&folder.at("causal")).map(|_| ())
}

fn files() -> Vec<Case<Reader>> {
    let mut cases = Vec::new();
    for (file, says) in [(FILE, "sparse_deltas.safetensors"), ("causal/config.json", "config.json")] {
        let ways: [(&str, Spoil); 7] = [
            ("empty", write(file, "")),
            ("binary", write(file, [0xff; 40])),
            ("half of it", cut(file, 50)),
            ("all but its end", cut(file, 99)),
            ("missing", remove(file)),
            ("a folder", folder_for(file)),
            ("a pipe", pipe_for(file)),
        ];
        for (what, spoil) in ways {
            cases.push(case(format!("{says}: {what}"), spoil, causal as Reader, says));
        }
    }
    cases.extend([
        case("a pickle", rename(FILE, "causal/sparse_deltas.pt"), causal as Reader, "pickle"),
        case("a pickle for a head", rename(HEAD, "classes/head_init.pt"), classes, "pickle"),
        case("new tokens", write("causal/new_embeddings_init.safetensors", ""), causal, "new_embeddings_init"),
        case("a look at half of it", cut(FILE, 50), contents, "sparse_deltas.safetensors"),
    ]);
    cases
}

fn broken(
    what: &str,
    says: &str,
    change: impl Fn(&mut Map<String, Value>, &mut Vec<u8>) + Send + Sync + 'static,
) -> Case<Reader> {
    case(what, tensors(FILE, change), causal as Reader, says)
}

/// Writes over the beginning of a tensor.
fn over(
    name: &'static str,
    bytes: impl AsRef<[u8]> + Send + Sync + 'static,
) -> impl Fn(&mut Map<String, Value>, &mut Vec<u8>) + Send + Sync {
    move |header, data| {
        let (at, bytes) = (start(header, name), bytes.as_ref());
        data[at..at + bytes.len()].copy_from_slice(bytes);
    }
}

fn position(row: i32, column: i32) -> Vec<u8> {
    [row.to_le_bytes(), column.to_le_bytes()].concat()
}

fn renamed(from: &'static str) -> impl Fn(&mut Map<String, Value>, &mut Vec<u8>) + Send + Sync {
    move |header, _| {
        let tensor = header.shift_remove(from).unwrap();
        header.insert("other\u{1b}".into(), tensor);
    }
}

fn twice(header: &Map<String, Value>, data: &mut [u8]) {
    let at = start(header, INDICES);
    data.copy_within(at + 8..at + 16, at);
}

fn deltas() -> Vec<Case<Reader>> {
    let name = "v_proj";
    let count = |header: &Map<String, Value>| header[DELTAS]["shape"][0].as_u64().unwrap();
    vec![
        broken("no deltas", name, renamed(DELTAS)),
        broken("no indices", name, renamed(INDICES)),
        broken("a delta that is no number", name, over(DELTAS, f32::NAN.to_le_bytes())),
        broken("an infinite delta", name, over(DELTAS, f32::INFINITY.to_le_bytes())),
        broken("a row beyond the matrix", name, over(INDICES, position(1_000_000, 0))),
        broken("a column beyond the matrix", name, over(INDICES, position(0, 32))),
        broken("a negative position", name, over(INDICES, position(-1, 0))),
        broken("a position twice", "two deltas", |header, data| twice(header, data)),
        broken("indices that are fractions", name, |header, _| header[INDICES]["dtype"] = json!("F32")),
        broken("deltas that are integers", name, |header, _| header[DELTAS]["dtype"] = json!("I32")),
        broken("deltas of half the width", name, move |header, _| {
            header[DELTAS]["dtype"] = json!("BF16");
            header[DELTAS]["shape"] = json!([2 * count(header)]);
        }),
        broken("flat indices", name, move |header, _| header[INDICES]["shape"] = json!([2 * count(header)])),
        broken("indices of one dimension", name, move |header, _| {
            header[INDICES]["shape"] = json!([2 * count(header), 1]);
        }),
        broken("a type that is not known", "sparse_deltas", |header, _| {
            header.insert("z".into(), json!({"dtype": "F64", "shape": [0], "data_offsets": [0, 0]}));
        }),
        broken("another kind of matrix", "norm", |header, _| {
            header["deltas.model.norm.weight"]["shape"] = json!([0, 1_u64 << 63]);
        }),
    ]
}

fn configs() -> Vec<Case<Reader>> {
    let file = "causal/config.json";
    let of_classes = "classes/config.json";
    vec![
        case("no base model", unset(file, "/sparta_pretrained_model"), causal as Reader, "sparta_pretrained_model"),
        case(
            "an unknown extension",
            set(file, "/sparta_extension", json!("evil\u{1b}[2J")),
            causal,
            "sparta_extension",
        ),
        case("an extension that is a number", set(file, "/sparta_extension", json!(7)), causal, "sparta_extension"),
        case("too few labels", set(of_classes, "/id2label", json!({"0": "a"})), classes, "head_init"),
        case(
            "labels that are numbers",
            set(of_classes, "/id2label", json!({"0": 1, "1": 2, "2": 3})),
            classes,
            "id2label",
        ),
        case(
            "labels with a gap",
            set(of_classes, "/id2label", json!({"0": "a", "1": "b", "7": "c"})),
            classes,
            "id2label",
        ),
        case("no labels, which means two", unset(of_classes, "/id2label"), classes, "there are 2 labels"),
        case("an encoder's head", set(of_classes, "/sparta_extension", json!("encoder")), classes, "classes"),
    ]
}

fn heads() -> Vec<Case<Reader>> {
    let head = |what, spoil| case(what, spoil, classes as Reader, "classes");
    vec![
        head("no head", remove(HEAD)),
        head("half a head", cut(HEAD, 50)),
        head("a head by another name", tensors(HEAD, renamed("head"))),
        head("a head the other way round", tensors(HEAD, |header, _| header["head"]["shape"] = json!([32, 3]))),
        head("a head that is no number", tensors(HEAD, over("head", f32::NAN.to_le_bytes()))),
        head("a head's delta that is no number", tensors(CLASSES, over("deltas.score.weight", f32::NAN.to_le_bytes()))),
    ]
}

/// Writes an adapter without indices, and spoils it.
fn spoilt_keyed(spoil: Spoil) -> Spoil {
    Box::new(move |folder| {
        write_keyed(folder);
        spoil(folder);
    })
}

pub fn write_keyed(folder: &Folder) {
    let parameters = parameters(folder, TaskKind::CausalLm);
    let (name, shape) = parameters.iter().find(|(name, _)| name.ends_with("layers.0.self_attn.v_proj.weight")).unwrap();
    let scalars = shape.iter().product::<usize>() as u64;
    let indices = spartui::sparse::Selection::new(7, name, scalars).indices(0..9);
    let delta = spartui::adapters::ParameterDelta {
        name: name.clone(),
        indices: indices.into_iter().map(|index| u32::try_from(index).unwrap()).collect(),
        deltas: vec![0.5; 9],
    };
    let read = Adapter::read(&folder.at("causal"), &parameters).unwrap();
    let adapter = Adapter { deltas: vec![delta], ..read };
    adapter.to_keyed(7).unwrap().write(&folder.at("keyed"), None).unwrap();
}

/// Changes what the header says beside the values.
fn said(change: fn(&mut Value)) -> Spoil {
    tensors(KEYED, move |header, _| {
        let mut metadata: Value = serde_json::from_str(header["__metadata__"][METADATA].as_str().unwrap()).unwrap();
        change(&mut metadata);
        header["__metadata__"][METADATA] = json!(metadata.to_string());
    })
}

fn keyed() -> Vec<Case<Reader>> {
    let ways: [(&str, Spoil); 13] = [
        ("empty", write(KEYED, "")),
        ("half of it", cut(KEYED, 50)),
        ("all but its end", cut(KEYED, 99)),
        ("a pipe", pipe_for(KEYED)),
        ("no header of its own", tensors(KEYED, |header, _| _ = header.shift_remove("__metadata__"))),
        ("a header that is no JSON", tensors(KEYED, |header, _| header["__metadata__"][METADATA] = json!("{\u{1b}"))),
        ("another seed", said(|metadata| metadata["seed"] = json!(8))),
        ("another version", said(|metadata| metadata["version"] = json!(u32::MAX))),
        ("more values than scalars", said(|metadata| counts(metadata)["count"] = json!(1_u64 << 60))),
        ("more scalars than the matrix has", said(|metadata| counts(metadata)["scalars"] = json!(u64::MAX))),
        ("a negative count", said(|metadata| counts(metadata)["count"] = json!(-1))),
        ("no parameters", said(|metadata| metadata["parameters"] = json!({}))),
        ("a damaged value", tensors(KEYED, |_, data| data[0] ^= 1)),
    ];
    let spoilt = |(what, spoil)| {
        case(
            format!("without indices: {what}"),
            spoilt_keyed(spoil),
            without_indices as Reader,
            "sparta_keyed.safetensors",
        )
    };
    ways.into_iter().map(spoilt).collect()
}

fn counts(metadata: &mut Value) -> &mut Value {
    &mut metadata["parameters"]["model.layers.0.self_attn.v_proj.weight"]
}

pub fn program() -> Vec<Case<Vec<String>>> {
    let generate = "generate --model lm --adapter causal --prompt the";
    let predict = "predict --model lm --adapter classes --input train.jsonl --output -";
    let nan = f32::NAN.to_le_bytes();
    vec![
        run("no deltas", tensors(FILE, renamed(DELTAS)), generate, "v_proj"),
        run("a delta that is no number", tensors(FILE, over(DELTAS, nan)), generate, "v_proj"),
        run("a position beyond the matrix", tensors(FILE, over(INDICES, position(1_000_000, 0))), generate, "v_proj"),
        run("a position twice", tensors(FILE, |header, data| twice(header, data)), generate, "v_proj"),
        run(
            "no base model, and names with escapes, to look at",
            Box::new(|folder| {
                tensors(FILE, renamed(DELTAS))(folder);
                set("causal/config.json", "/sparta_pretrained_model", json!(5))(folder);
            }),
            "inspect causal",
            "sparta_pretrained_model",
        ),
        run("half a file of deltas", cut(FILE, 50), "inspect causal", "sparse_deltas"),
        run("a pickle", rename(FILE, "causal/sparse_deltas.pt"), generate, "pickle"),
        run("no adapter", remove("causal/config.json"), generate, "config.json"),
        run(
            "the head of another width",
            tensors(HEAD, |header, _| header["head"]["shape"] = json!([3, 4, 8])),
            predict,
            "score.weight",
        ),
        run("a head that is no number", tensors(HEAD, over("head", nan)), predict, "head_init"),
        run("labels that do not fit", set("classes/config.json", "/id2label", json!({"0": "a"})), predict, "head_init"),
        run(
            "an adapter for another model",
            crate::folder::nothing(),
            "predict --model model --adapter classes --input train.jsonl --output -",
            "classes",
        ),
        run(
            "an adapter for another task",
            crate::folder::nothing(),
            "generate --model lm --adapter classes --prompt the",
            "classes",
        ),
        run(
            "a model for an adapter",
            crate::folder::nothing(),
            "generate --model lm --adapter lm --prompt the",
            "lm/config.json",
        ),
        run("a pipe", pipe_for(FILE), generate, "sparse_deltas"),
        run(
            "damaged values without indices",
            spoilt_keyed(tensors(KEYED, |_, data| data[0] ^= 1)),
            "generate --model lm --adapter keyed --prompt the",
            "sparta_keyed",
        ),
    ]
}
