//! Safetensors files and their index.

use serde_json::{Map, Value, json};
use spartui::error::Result;
use spartui::model::Model;
use spartui::recipe::TaskKind;

use crate::case::{Case, Reader, Spoil, case, program as run};
use crate::folder::{Folder, cut, folder_for, pipe_for, remove, start, tensors, write};

const FILE: &str = "model/model.safetensors";
const INDEX: &str = "model/model.safetensors.index.json";
const SHARD: &str = "model/model-00001-of-00001.safetensors";
const WORDS: &str = "bert.embeddings.word_embeddings.weight";

pub fn cases() -> Vec<Case<Reader>> {
    [files(), headers(), indexes()].into_iter().flatten().collect()
}

fn model(folder: &Folder) -> Result<()> {
    Model::load(&folder.at("model"), "auto", "cpu", TaskKind::SequenceClassification).map(|_| ())
}

fn with_length(length: u64, rest: &[u8]) -> Vec<u8> {
    [&length.to_le_bytes()[..], rest].concat()
}

fn files() -> Vec<Case<Reader>> {
    let contents = [
        ("an empty file", Vec::new()),
        ("four bytes", b"abcd".to_vec()),
        ("zeros", vec![0; 64]),
        ("a header of 2^64 - 1 bytes", with_length(u64::MAX, b"{}")),
        ("a header of 2^62 bytes", with_length(1 << 62, b"{}")),
        ("a header of 99 megabytes", with_length(99_000_000, b"{}")),
        ("a header that is no JSON", with_length(8, b"abcdefgh")),
        ("a header that is a list", with_length(8, b"[1,2,3] ")),
        ("a header of brackets", with_length(100_000, "[".repeat(100_000).as_bytes())),
        ("a pickle", b"PK\x03\x04archive/data.pkl".to_vec()),
        ("a pointer of Git LFS", b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n".to_vec()),
    ];
    let of_bytes =
        contents.into_iter().map(|(what, bytes)| case(what, write(FILE, bytes), model as Reader, "model.safetensors"));
    let others: [(&str, Spoil); 6] = [
        ("half a file", cut(FILE, 50)),
        ("a header that ends early", cut(FILE, 2)),
        ("a file that ends a little early", cut(FILE, 99)),
        ("no file", remove(FILE)),
        ("a folder", folder_for(FILE)),
        ("a pipe", pipe_for(FILE)),
    ];
    of_bytes.chain(others.map(|(what, spoil)| case(what, spoil, model as Reader, "model.safetensors"))).collect()
}

fn header(what: &str, says: &str, change: impl Fn(&mut Map<String, Value>) + Send + Sync + 'static) -> Case<Reader> {
    case(what, tensors(FILE, move |header, _| change(header)), model as Reader, says)
}

fn headers() -> Vec<Case<Reader>> {
    let file = "model.safetensors";
    let words = "word_embeddings";
    vec![
        header("tensors that overlap", file, |header| header[WORDS]["data_offsets"] = json!([0, 11520])),
        header("offsets the wrong way round", file, |header| header[WORDS]["data_offsets"] = json!([100, 0])),
        header("an offset beyond the file", file, |header| header[WORDS]["data_offsets"] = json!([0, 1_u64 << 63])),
        header("a negative offset", file, |header| header[WORDS]["data_offsets"] = json!([-4, 0])),
        header("an unknown type", file, |header| header[WORDS]["dtype"] = json!("F99\u{1b}[2J")),
        header("integers of 32 bits", words, |header| header[WORDS]["dtype"] = json!("I32")),
        header("bytes", words, |header| {
            header[WORDS] = json!({"dtype": "U8", "shape": [90, 128], "data_offsets": header[WORDS]["data_offsets"]});
        }),
        header("integers of 64 bits", words, |header| {
            header[WORDS] = json!({"dtype": "I64", "shape": [90, 16], "data_offsets": header[WORDS]["data_offsets"]});
        }),
        header("a missing tensor", words, |header| {
            let tensor = header.shift_remove(WORDS).unwrap();
            header.insert("\u{1b}[2J".into(), tensor);
        }),
        header("a shape the other way round", words, |header| header[WORDS]["shape"] = json!([32, 90])),
        header("a flat shape", words, |header| header[WORDS]["shape"] = json!([2880])),
        header("a shape that overflows", file, |header| header[WORDS]["shape"] = json!([1_u64 << 62, 1_u64 << 62])),
        header("a negative shape", file, |header| header[WORDS]["shape"] = json!([-90, -32])),
        header("nothing times 2^63", file, |header| {
            header.insert("a\u{1b}".into(), json!({"dtype": "F32", "shape": [0, 1_u64 << 63], "data_offsets": [0, 0]}));
        }),
        header("a shape of 1000 extents", file, |header| {
            header.insert("a".into(), json!({"dtype": "F32", "shape": vec![0; 1000], "data_offsets": [0, 0]}));
        }),
        header("a name of 50,000 escapes", file, |header| {
            header.insert("\u{1b}".repeat(50_000), json!({"dtype": "F32", "shape": [3], "data_offsets": [0, 0]}));
        }),
        case("right shape, wrong type", tensors(FILE, integers), model, words),
    ]
}

/// Word embeddings of the right shape in integers of 64 bits.
fn integers(header: &mut Map<String, Value>, data: &mut Vec<u8>) {
    let end = data.len();
    header.insert("old".into(), header[WORDS].clone());
    header.insert(WORDS.into(), json!({"dtype": "I64", "shape": [90, 32], "data_offsets": [end, end + 8 * 90 * 32]}));
    data.resize(end + 8 * 90 * 32, 0);
}

fn index(contents: impl Into<Vec<u8>>) -> Spoil {
    let contents = contents.into();
    Box::new(move |folder| {
        std::fs::rename(folder.at(FILE), folder.at(SHARD)).unwrap();
        std::fs::create_dir(folder.at("model/sub")).unwrap();
        std::fs::copy(folder.at(SHARD), folder.at("outside.safetensors")).unwrap();
        folder.write(INDEX, &contents);
    })
}

fn shard(name: &Value) -> Spoil {
    index(json!({"weight_map": {WORDS: name}}).to_string())
}

fn indexes() -> Vec<Case<Reader>> {
    let at_fault = "index.json";
    let outside = ["../outside.safetensors", "/etc/passwd", "./x", "sub/../../outside.safetensors", "..", "", "/"];
    let mut cases: Vec<Case<Reader>> = outside
        .into_iter()
        .map(|name| case(format!("a shard named {name:?}"), shard(&json!(name)), model as Reader, at_fault))
        .collect();
    for odd in [json!(7), json!(null), json!(["x"]), json!({"a": "b"}), json!("x".repeat(5000))] {
        let name = format!("a shard named by {}", odd.to_string().chars().take(20).collect::<String>());
        cases.push(case(name, shard(&odd), model, at_fault));
    }
    for (name, says) in [
        ("model-00002-of-00002.safetensors", "model-00002"),
        ("\u{1b}[2J.safetensors", "[2J.safetensors"),
        ("a\0b", "model/a"),
        ("..\\x", "model/..\\x"),
        ("config.json", "model/config.json"),
        ("sub", "model/sub"),
    ] {
        cases.push(case(format!("a shard named {name:?} that is none"), shard(&json!(name)), model, says));
    }
    for (what, contents) in [
        ("no JSON", "{"),
        ("a list", "[]"),
        ("no map", "{}"),
        ("a list for a map", "{\"weight_map\": []}"),
        ("an empty map", "{\"weight_map\": {}}"),
    ] {
        cases.push(case(format!("an index: {what}"), index(contents), model, at_fault));
    }
    cases.push(case("a shard that lacks the tensor", Box::new(lacking), model, "word_embeddings"));
    cases
}

/// The index sends every tensor to a file that lacks the words.
fn lacking(folder: &Folder) {
    tensors(FILE, |header, _| {
        let words = header.shift_remove(WORDS).unwrap();
        header.insert("other".into(), words);
    })(folder);
    shard(&json!("model-00001-of-00001.safetensors"))(folder);
}

pub fn program() -> Vec<Case<Vec<String>>> {
    let inspect = "inspect model";
    let file = "model.safetensors";
    let no_number = |_: &mut Map<String, Value>, data: &mut Vec<u8>| data.fill(0xff);
    let predict = "predict --model model --input train.jsonl --output -";
    vec![
        run("an empty file", write(FILE, ""), inspect, file),
        run("half a file", cut(FILE, 50), "train recipe.toml", file),
        run("a huge header", write(FILE, with_length(u64::MAX, b"{}")), inspect, file),
        run("a folder for weights", folder_for(FILE), inspect, file),
        run("a pipe for weights", pipe_for(FILE), inspect, file),
        run(
            "nothing times 2^63",
            tensors(FILE, |header, _| {
                header.insert("a".into(), json!({"dtype": "F32", "shape": [0, 1_u64 << 63], "data_offsets": [0, 0]}));
            }),
            inspect,
            file,
        ),
        run(
            "a missing tensor",
            tensors(FILE, |header, _| {
                let words = header.shift_remove(WORDS).unwrap();
                header.insert("other".into(), words);
            }),
            predict,
            "word_embeddings",
        ),
        run(
            "a wrong shape",
            tensors(FILE, |header, _| header[WORDS]["shape"] = json!([32, 90])),
            predict,
            "word_embeddings",
        ),
        run("integers for weights", tensors(FILE, integers), "train recipe.toml", "word_embeddings"),
        run("a shard outside the folder", shard(&json!("../outside.safetensors")), inspect, "index.json"),
        run("a shard anywhere on the machine", shard(&json!("/etc/passwd")), predict, "index.json"),
        run("a shard with escapes in its name", shard(&json!("\u{1b}[2J\n")), inspect, "model/"),
        run("a shard that is not there", shard(&json!("b.safetensors")), "train recipe.toml", "b.safetensors"),
        run("an index without files", index("{\"weight_map\": {}}"), inspect, "index.json"),
        run("weights that are no numbers, predicted with", tensors(FILE, no_number), predict, "model"),
        run(
            "weights that are no numbers, evaluated with",
            tensors(FILE, no_number),
            "evaluate --model model --data known.jsonl",
            "model",
        ),
        run(
            "weights that are no numbers, generated with",
            tensors("lm/model.safetensors", no_number),
            "generate --model lm --prompt the",
            "not a number",
        ),
        run(
            "an infinite bias",
            tensors(FILE, |header, data| {
                let at = start(header, "classifier.bias");
                data[at..at + 4].copy_from_slice(&f32::INFINITY.to_le_bytes());
            }),
            predict,
            "model",
        ),
    ]
}
