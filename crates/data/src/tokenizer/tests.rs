use serde_json::json;

use super::*;

/// Words `w0` to `w9` with [CLS] and [SEP] around; the file pads to 128 and truncates at 4, which is to be ignored.
pub fn small_tokenizer_json() -> serde_json::Value {
    let mut vocab = serde_json::Map::new();
    for (id, token) in ["[PAD]", "[UNK]", "[CLS]", "[SEP]"].into_iter().enumerate() {
        vocab.insert(token.into(), id.into());
    }
    for word in 0..10 {
        vocab.insert(format!("w{word}"), (4 + word).into());
    }
    let special = |id: u32, content: &str| {
        json!({"id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false,
            "normalized": false, "special": true})
    };
    json!({
        "version": "1.0",
        "truncation": {"max_length": 4, "strategy": "LongestFirst", "stride": 0, "direction": "Right"},
        "padding": {"strategy": {"Fixed": 128}, "direction": "Right", "pad_to_multiple_of": null, "pad_id": 0,
            "pad_type_id": 0, "pad_token": "[PAD]"},
        "added_tokens": [special(0, "[PAD]"), special(1, "[UNK]"), special(2, "[CLS]"), special(3, "[SEP]")],
        "normalizer": null,
        "pre_tokenizer": {"type": "Whitespace"},
        "post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]},
        "decoder": null,
        "model": {"type": "WordLevel", "vocab": vocab, "unk_token": "[UNK]"},
    })
}

pub fn small_tokenizer() -> Tokenizer {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("tokenizer.json"), small_tokenizer_json().to_string()).unwrap();
    Tokenizer::load(folder.path(), 14).unwrap()
}

#[test]
fn padding_and_truncation_of_the_file_are_off() {
    assert_eq!(small_tokenizer().encode("w0 w1 w2 w3 w4").unwrap(), [2, 4, 5, 6, 7, 8, 3]);
}

#[test]
fn a_cut_text_keeps_its_special_tokens() {
    let tokenizer = small_tokenizer();
    assert_eq!(tokenizer.encode_within("w0 w1 w2 w3 w4", 4).unwrap(), (vec![2, 4, 5, 3], true));
    assert_eq!(tokenizer.encode_within("w0 w1", 4).unwrap(), (vec![2, 4, 5, 3], false));
    assert_eq!(tokenizer.encode_within("", 4).unwrap(), (vec![2, 3], false));
}

#[test]
fn a_tokenizer_of_another_model_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("tokenizer.json"), small_tokenizer_json().to_string()).unwrap();
    let error = Tokenizer::load(folder.path(), 13).unwrap_err();
    assert!(error.message().contains("token id 13") && error.message().contains("ends at 12"), "{error}");
}

#[test]
fn missing_and_broken_files_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    assert!(Tokenizer::load(folder.path(), 14).unwrap_err().message().contains("cannot read the tokenizer"));
    for broken in ["", "{", "[]", "{\"version\": \"1.0\"}", "\u{0}\u{1}"] {
        std::fs::write(folder.path().join("tokenizer.json"), broken).unwrap();
        let error = Tokenizer::load(folder.path(), 14).unwrap_err();
        assert!(error.message().contains("is not a tokenizer"), "{error}");
    }
    let mut decoder = small_tokenizer_json();
    decoder["decoder"] = json!({"type": "Replace"});
    std::fs::write(folder.path().join("tokenizer.json"), decoder.to_string()).unwrap();
    assert!(Tokenizer::load(folder.path(), 14).unwrap_err().message().contains("is not a tokenizer"));
    let mut missing = small_tokenizer_json();
    missing["post_processor"] = json!({"type": "TemplateProcessing", "special_tokens": {},
        "single": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
        "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}]});
    std::fs::write(folder.path().join("tokenizer.json"), missing.to_string()).unwrap();
    assert!(Tokenizer::load(folder.path(), 14).unwrap_err().message().contains("is not a tokenizer"));
    let mut template = small_tokenizer_json();
    template["post_processor"]["sep"][1] = 99.into();
    std::fs::write(folder.path().join("tokenizer.json"), template.to_string()).unwrap();
    assert!(Tokenizer::load(folder.path(), 14).unwrap_err().message().contains("token id 99"));
}

#[test]
fn added_tokens_beyond_the_model_are_refused_with_their_text() {
    let folder = tempfile::tempdir().unwrap();
    let mut file = small_tokenizer_json();
    let mut image = file["added_tokens"][0].clone();
    (image["id"], image["content"]) = (14.into(), "<image>".into());
    file["added_tokens"].as_array_mut().unwrap().push(image);
    std::fs::write(folder.path().join("tokenizer.json"), file.to_string()).unwrap();
    let tokenizer = Tokenizer::load(folder.path(), 14).unwrap();
    assert_eq!(tokenizer.encode("w0").unwrap(), [2, 4, 3]);
    assert!(tokenizer.encode("w0 <image>").unwrap_err().message().contains("id 14"));
}

#[test]
fn pairs_have_types_and_the_longer_text_gives_first() {
    let tokenizer = small_tokenizer();
    assert_eq!(tokenizer.special_tokens_of_pair(), 3);
    let (ids, types) = tokenizer.encode_pair("w0 w1", "w2").unwrap();
    assert_eq!((ids, types), (vec![2, 4, 5, 3, 6, 3], vec![0, 0, 0, 0, 1, 1]));
    let cut = |first: &str, second: &str, most| tokenizer.encode_pair_within(first, second, most).unwrap();
    assert_eq!(cut("w0 w1 w2 w3", "w4", 6), (vec![2, 4, 5, 3, 8, 3], vec![0, 0, 0, 0, 1, 1], true));
    assert_eq!(cut("w0 w1 w2", "w4 w5", 6), (vec![2, 4, 5, 3, 8, 3], vec![0, 0, 0, 0, 1, 1], true));
    assert_eq!(cut("w0 w1", "w4 w5", 6).0, [2, 4, 3, 8, 9, 3]);
    assert!(!cut("w0 w1", "w4 w5", 7).2);
}

#[test]
fn offsets_are_bytes_and_added_tokens_have_none() {
    let found = small_tokenizer().encode_with_offsets("\u{e9} w1", true).unwrap();
    assert_eq!(found, OffsetTokens { ids: vec![2, 1, 5, 3], spans: vec![0..0, 0..2, 3..5, 0..0] });
    let bare = small_tokenizer().encode_with_offsets("w1 [SEP]", false).unwrap();
    assert_eq!(bare, OffsetTokens { ids: vec![5, 3], spans: vec![0..2, 3..8] });
}

#[test]
fn tokens_become_text_again() {
    let tokenizer = small_tokenizer();
    assert_eq!(tokenizer.decode(&[2, 4, 5, 3]).unwrap(), "w0 w1");
    assert_eq!((tokenizer.token_text(4).as_str(), tokenizer.token_text(99).as_str()), (" w0", "<99>"));
    assert_eq!(tokenizer.end_token(), None);
    assert!(tokenizer.end_tokens().is_empty());
}

fn golden(name: &str) -> serde_json::Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden").join(name);
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// The small byte-level tokenizer of the chat goldens, without the other files of a model.
fn chat_tokenizer() -> Tokenizer {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/chat");
    Tokenizer::load(&folder, 400).unwrap()
}

#[test]
fn ids_and_texts_are_those_of_transformers() {
    let tokenizer = chat_tokenizer();
    for case in golden("chat/tokens.json")["texts"].as_array().unwrap() {
        let ids = tokenizer.encode(case["text"].as_str().unwrap()).unwrap();
        assert_eq!(json!(ids), case["ids"]);
        assert_eq!(json!(tokenizer.decode(&ids).unwrap()), case["decoded"]);
    }
}

#[test]
fn pairs_are_those_of_transformers_at_every_length() {
    let bert = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/bert-a");
    let bert = Tokenizer::load(&bert, 1000).unwrap();
    let goldens = golden("chat/tokens.json");
    let mut compared = 0;
    for (tokenizer, name) in [(chat_tokenizer(), "pairs"), (bert, "bert_pairs")] {
        for pair in goldens[name].as_array().unwrap() {
            let (first, second) = (pair["first"].as_str().unwrap(), pair["second"].as_str().unwrap());
            for case in pair["cut"].as_array().unwrap() {
                let most = usize::try_from(case["max_length"].as_u64().unwrap()).unwrap();
                let (ids, types, _) = tokenizer.encode_pair_within(first, second, most).unwrap();
                assert_eq!((json!(ids), json!(types)), (case["ids"].clone(), case["types"].clone()), "{pair} {most}");
                compared += 1;
            }
        }
    }
    assert!(compared > 40, "{compared}");
}

#[test]
fn pieces_of_a_text_keep_their_spaces() {
    let tokenizer = chat_tokenizer();
    let ids = tokenizer.encode("<|user|> the capital of\nFrance 漢").unwrap();
    let pieces: Vec<String> = ids.iter().map(|&id| tokenizer.token_text(id)).collect();
    assert_eq!(pieces[..2], ["<s>", "<|user|>"]);
    assert!(pieces.concat().starts_with("<s><|user|> the capital of\nFrance "), "{pieces:?}");
    assert!(pieces.iter().all(|piece| !piece.is_empty() && !piece.contains('\u{fffd}')), "{pieces:?}");
}

/// The tokenizer of the chat goldens with only these of its added tokens, and files beside it.
fn with_files(kept: &serde_json::Value, files: &serde_json::Value) -> Tokenizer {
    let folder = tempfile::tempdir().unwrap();
    let mut own = golden("chat/tokenizer.json");
    own["added_tokens"].as_array_mut().unwrap().retain(|token| kept.as_array().unwrap().contains(&token["content"]));
    std::fs::write(folder.path().join("tokenizer.json"), own.to_string()).unwrap();
    for (name, contents) in files.as_object().unwrap() {
        std::fs::write(folder.path().join(name), contents.to_string()).unwrap();
    }
    let tokenizer = Tokenizer::load(folder.path(), 400).unwrap();
    let names: serde_json::Map<_, _> =
        special_tokens(folder.path()).unwrap().into_iter().map(|(name, token)| (name, token.into())).collect();
    assert_eq!(serde_json::Value::from(names), golden_case(files)["names"], "{files}");
    tokenizer
}

fn golden_case(files: &serde_json::Value) -> serde_json::Value {
    let cases = golden("chat/added.json");
    cases["cases"].as_array().unwrap().iter().find(|case| case["files"] == *files).unwrap().clone()
}

#[test]
fn tokens_that_other_files_add_are_those_of_transformers() {
    let cases = golden("chat/added.json");
    for case in cases["cases"].as_array().unwrap() {
        let tokenizer = with_files(&case["kept"], &case["files"]);
        for text in case["texts"].as_array().unwrap() {
            let ids = tokenizer.encode(text["text"].as_str().unwrap()).unwrap();
            assert_eq!(json!(ids), text["ids"], "{} {}", case["name"], text["text"]);
            assert_eq!(json!(tokenizer.decode(&ids).unwrap()), text["decoded"], "{} {}", case["name"], text["text"]);
        }
        assert_eq!(json!(tokenizer.end_token()), case["end"], "{}", case["name"]);
    }
    assert_eq!(cases["cases"].as_array().unwrap().len(), 10);
}

#[test]
fn lists_of_added_tokens_that_are_none_are_refused() {
    let refusal = |name: &str, contents: serde_json::Value| {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("tokenizer.json"), small_tokenizer_json().to_string()).unwrap();
        std::fs::write(folder.path().join(name), contents.to_string()).unwrap();
        Tokenizer::load(folder.path(), 14).unwrap_err().message().to_owned()
    };
    let config = |listed| refusal("tokenizer_config.json", json!({"added_tokens_decoder": listed}));
    assert!(config(json!([])).contains("has an added_tokens_decoder that is not an object"));
    assert!(config(json!({"x": {"content": "a"}})).contains("has no token of the id \"x\" in added_tokens_decoder"));
    assert!(config(json!({"3": {}})).contains("has no token of the id \"3\""));
    assert!(refusal("added_tokens.json", json!([1])).contains("is not a list of tokens with their ids"));
    assert!(refusal("added_tokens.json", json!({"a": -1})).contains("gives \"a\" no id"));
}
