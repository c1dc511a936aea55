//! tokenizer.json and the files beside it.

use serde_json::{Value, json};
use spartui::data::{Tokenizer, read_for_prediction};
use spartui::error::Result;
use spartui::recipe::{Data, TaskKind};

use crate::case::{Case, Reader, case, program as run};
use crate::folder::{Folder, folder_for, remove, set, write};

const FILE: &str = "model/tokenizer.json";
/// Rows of the embeddings of the model that the tokenizer belongs to.
pub const VOCABULARY: usize = 90;

pub fn cases() -> Vec<Case<Reader>> {
    [contents(), fields(), beside()].into_iter().flatten().collect()
}

/// Loads the tokenizer and uses it, alone and for a pair.
fn tokenizer(folder: &Folder) -> Result<()> {
    let tokenizer = Tokenizer::load(&folder.at("model"), VOCABULARY)?;
    let rows = folder.at("train.jsonl");
    for text_pair in ["", "label"] {
        let data = Data { text_pair: text_pair.into(), max_length: 32, ..Data::default() };
        read_for_prediction(&rows, &data, TaskKind::SequenceClassification, &tokenizer)?;
    }
    Ok(())
}

fn contents() -> Vec<Case<Reader>> {
    let contents: [(&str, Vec<u8>); 7] = [
        ("cut off", b"{".into()),
        ("an empty object", b"{}".into()),
        ("empty", Vec::new()),
        ("null", b"null".into()),
        ("a list", b"[]".into()),
        ("a binary file", b"\x80\x02\xff".repeat(30)),
        ("nesting", "[".repeat(100_000).into()),
    ];
    let mut cases: Vec<Case<Reader>> = contents
        .into_iter()
        .map(|(what, bytes)| case(what, write(FILE, bytes), tokenizer as Reader, "tokenizer.json"))
        .collect();
    cases.push(case("no file", remove(FILE), tokenizer, "tokenizer.json"));
    cases.push(case("a folder", folder_for(FILE), tokenizer, "tokenizer.json"));
    cases
}

fn field(what: &str, pointer: &str, value: Value) -> Case<Reader> {
    case(what, set(FILE, pointer, value), tokenizer as Reader, "tokenizer.json")
}

fn fields() -> Vec<Case<Reader>> {
    let split =
        |regex: &str| json!({"type": "Split", "pattern": {"Regex": regex}, "behavior": "Isolated", "invert": false});
    let bpe = |merges: Value| json!({"type": "BPE", "vocab": {"a": 0, "b": 1}, "merges": merges});
    let mut cases = vec![
        field("an id beyond the model's", "/model/vocab/beyond", json!(VOCABULARY)),
        field("the largest id", "/model/vocab/beyond", json!(u32::MAX)),
        field("an id that is too large for one", "/model/vocab/beyond", json!(1_u64 << 32)),
        field("a negative id", "/model/vocab/beyond", json!(-1)),
        field("an id that is a text", "/model/vocab/beyond", json!("1\u{1b}[2J")),
        field("an unknown kind of model", "/model/type", json!("Evil\u{1b}[2J")),
        field("no model", "/model", Value::Null),
        field("a list of words", "/model/vocab", json!([["a", 1.0]])),
        field("a broken pattern for words", "/pre_tokenizer", split("(((")),
        field(
            "a broken pattern for letters",
            "/normalizer",
            json!({"type": "Replace", "pattern": {"Regex": "["}, "content": "x"}),
        ),
        field(
            "a character map of zeros",
            "/normalizer",
            json!({"type": "Precompiled", "precompiled_charsmap": "AAAA"}),
        ),
        field("a character map of nothing", "/normalizer", json!({"type": "Precompiled", "precompiled_charsmap": ""})),
        field("merges of words that are not there", "/model", bpe(json!(["a b"]))),
        field("merges of three", "/model", bpe(json!(["a b", "c d e"]))),
        field(
            "an unknown word that is not there",
            "/model",
            json!({"type": "Unigram", "unk_id": 77, "vocab": [["a", -1.0]]}),
        ),
        field(
            "special tokens beyond the model's",
            "/post_processor",
            json!({"type": "BertProcessing", "sep": ["[SEP]", 999], "cls": ["[CLS]", 2]}),
        ),
        field("an unknown kind of decoder", "/decoder", json!({"type": "Nope"})),
        field("odd truncation", "/truncation", json!("yes")),
        field("odd padding", "/padding", json!(7)),
    ];
    let sequence = |id: &str| json!({"Sequence": {"id": id, "type_id": 0}});
    let special = json!({"SpecialToken": {"id": "[X]", "type_id": 0}});
    let template = |single: &Value, pair: &Value, special_tokens: Value| json!({"type": "TemplateProcessing", "single": single, "pair": pair, "special_tokens": special_tokens});
    let (one, two) = (json!([special, sequence("A")]), json!([special, sequence("A"), sequence("B")]));
    let (plain, pair) = (json!([sequence("A")]), json!([sequence("A"), sequence("B")]));
    let beyond = json!({"[X]": {"id": "[X]", "ids": [4000], "tokens": ["[X]"]}});
    cases.extend([
        field("a special token that is not there", "/post_processor", template(&one, &pair, json!({}))),
        field("a special token that is not there, in pairs", "/post_processor", template(&plain, &two, json!({}))),
        field("a special token beyond the model's", "/post_processor", template(&one, &pair, beyond)),
        field("a sequence that is not there", "/post_processor", template(&json!([sequence("C")]), &pair, json!({}))),
    ]);
    cases
}

fn beside() -> Vec<Case<Reader>> {
    let config = "model/tokenizer_config.json";
    let generation = "model/generation_config.json";
    vec![
        case("tokenizer_config.json is no JSON", write(config, "{"), tokenizer as Reader, "tokenizer_config.json"),
        case("tokenizer_config.json is binary", write(config, b"\xff\xfe"), tokenizer, "tokenizer_config.json"),
        case("tokenizer_config.json is a folder", folder_for(config), tokenizer, "tokenizer_config.json"),
        case("generation_config.json is no JSON", write(generation, "nope"), tokenizer, "generation_config.json"),
        case(
            "generation_config.json is nested",
            write(generation, "[".repeat(99_999)),
            tokenizer,
            "generation_config.json",
        ),
    ]
}

pub fn program() -> Vec<Case<Vec<String>>> {
    let predict = "predict --model model --input train.jsonl --output -";
    let train = "train recipe.toml";
    let named = "tokenizer.json";
    let charsmap = json!({"type": "Precompiled", "precompiled_charsmap": "AAAA"});
    let types = json!({
        "type": "TemplateProcessing",
        "single": [{"Sequence": {"id": "A", "type_id": 0}}],
        "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 7}}],
        "special_tokens": {},
    });
    let template = json!({
        "type": "TemplateProcessing",
        "single": [{"SpecialToken": {"id": "[X]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
        "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}],
        "special_tokens": {},
    });
    vec![
        run("no tokenizer", remove(FILE), predict, named),
        run("a tokenizer that is no JSON", write(FILE, "{"), train, named),
        run("a word beyond the model's", set(FILE, "/model/vocab/beyond", json!(90)), predict, named),
        run("no words", set(FILE, "/model/vocab", json!({})), predict, "token"),
        run(
            "another model's tokenizer",
            Box::new(|folder| {
                std::fs::copy(folder.at(FILE), folder.at("lm/tokenizer.json")).unwrap();
            }),
            "generate --model lm --prompt the",
            named,
        ),
        run("a broken character map", set(FILE, "/normalizer", charsmap), predict, named),
        run("a special token that is not there", set(FILE, "/post_processor", template), train, named),
        run(
            "a broken tokenizer_config.json",
            write("model/tokenizer_config.json", "{"),
            predict,
            "tokenizer_config.json",
        ),
        run(
            "a broken generation_config.json",
            write("lm/generation_config.json", "{"),
            "generate --model lm --prompt the",
            "generation_config.json",
        ),
        run(
            "token types that the model lacks",
            set(FILE, "/post_processor", types.clone()),
            &format!("{predict} --text-pair label"),
            "token type",
        ),
        run(
            "token types that the model lacks, learned",
            set(FILE, "/post_processor", types),
            &format!("{train} --set data.text_pair=label"),
            "token type",
        ),
    ]
}
