//! Fuzzers over the readers: whatever they are given, they take it or refuse it in one line, and never panic.
//!
//! The numbers are drawn from one seed, so that what fails once fails again.

use std::ops::Range;
use std::path::Path;

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config as Settings, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};
use spartui::adapters::Adapter;
use spartui::data::{Arguments, ChatTemplate, Tokenizer, prepare, read_for_prediction};
use spartui::error::{Error, Result};
use spartui::interface::theme::{Depth, Themes};
use spartui::model::{Config, Model};
use spartui::recipe::{Data, Recipe, TaskKind};

use crate::adapters::{parameters, write_keyed};
use crate::folder::{Folder, golden, lines, put};
use crate::rows::FORMATS;
use crate::tokenizers::VOCABULARY;

/// Runs a property on so many inputs of a strategy; where `SPARTUI_FUZZ_SECONDS` is set, on ever more until that time is
/// over.
pub fn fuzz<S: Strategy>(cases: u32, strategy: &S, property: impl Fn(S::Value)) {
    let settings = Settings { cases, failure_persistence: None, max_shrink_iters: 200, ..Settings::default() };
    let seconds = std::env::var("SPARTUI_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(0);
    let begun = std::time::Instant::now();
    for round in 0_u64.. {
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&round.to_le_bytes());
        let seeded = match round {
            0 => TestRng::deterministic_rng(RngAlgorithm::ChaCha),
            _ => TestRng::from_seed(RngAlgorithm::ChaCha, &seed),
        };
        let outcome = TestRunner::new_with_rng(settings.clone(), seeded).run(strategy, |input| {
            property(input);
            Ok(())
        });
        if let Err(error) = outcome {
            panic!("round {round}: {error}");
        }
        if begun.elapsed().as_secs() >= seconds {
            break;
        }
    }
}

/// A refusal is one line; a failure is none that a damaged input may cause.
pub fn in_one_line<T>(outcome: Result<T>) -> Option<T> {
    match outcome {
        Ok(value) => Some(value),
        Err(Error::Refused(why)) => {
            assert!(!why.trim().is_empty() && !why.chars().any(char::is_control), "{why:?}");
            None
        }
        Err(Error::Failed(why)) => panic!("it failed: {why}"),
    }
}

/// Damage to a file of bytes.
#[derive(Debug, Clone)]
pub enum Damage {
    Flip(Index, u8),
    Cut(Index),
    Insert(Index, Vec<u8>),
    Repeat(Index, Index),
    Zero(Index, usize),
}

pub fn damage() -> impl Strategy<Value = Vec<Damage>> {
    let one = prop_oneof![
        6 => (any::<Index>(), 1_u8..).prop_map(|(at, bits)| Damage::Flip(at, bits)),
        1 => any::<Index>().prop_map(Damage::Cut),
        2 => (any::<Index>(), prop::collection::vec(any::<u8>(), 1..9)).prop_map(|(at, bytes)| Damage::Insert(at, bytes)),
        1 => (any::<Index>(), any::<Index>()).prop_map(|(from, to)| Damage::Repeat(from, to)),
        1 => (any::<Index>(), 1_usize..40).prop_map(|(at, count)| Damage::Zero(at, count)),
    ];
    prop::collection::vec(one, 1..5)
}

/// Damages the bytes within a range of them.
pub fn damaged(bytes: &[u8], within: Range<usize>, damages: &[Damage]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for damage in damages {
        let end = within.end.min(bytes.len());
        if end <= within.start {
            break;
        }
        let place = |at: &Index| within.start + at.index(end - within.start);
        match damage {
            Damage::Flip(at, bits) => bytes[place(at)] ^= bits,
            Damage::Cut(at) => bytes.truncate(place(at)),
            Damage::Insert(at, new) => _ = bytes.splice(place(at)..place(at), new.iter().copied()),
            Damage::Repeat(from, to) => {
                let (from, to) = (place(from), place(to));
                let part = bytes[from.min(to)..from.max(to)].to_vec();
                _ = bytes.splice(to..to, part);
            }
            Damage::Zero(at, count) => {
                let at = place(at);
                bytes[at..(at + count).min(end)].fill(0);
            }
        }
    }
    bytes
}

/// Damage to a JSON document: another value at some place of it, or none.
pub fn json_damage() -> impl Strategy<Value = Vec<(Index, Option<Value>)>> {
    let values = vec![
        None,
        Some(json!(null)),
        Some(json!(-1)),
        Some(json!(0)),
        Some(json!(0.5)),
        Some(json!(7)),
        Some(json!(1e12)),
        Some(json!(1e300)),
        Some(json!(u64::MAX)),
        Some(json!(true)),
        Some(json!("")),
        Some(json!("\u{1b}[2J\n\u{202e}x")),
        Some(json!("é".repeat(5000))),
        Some(json!([])),
        Some(json!([1, "a", null, [[]]])),
        Some(json!({})),
        Some(json!({"type": "default", "factor": -1, "\u{7}": []})),
    ];
    prop::collection::vec((any::<Index>(), prop::sample::select(values)), 1..4)
}

/// JSON pointers of everything in a document.
fn places(value: &Value, prefix: &str, found: &mut Vec<String>) {
    let mut step = |key: &str, inner: &Value| {
        let place = format!("{prefix}/{}", key.replace('~', "~0").replace('/', "~1"));
        places(inner, &place, found);
        found.push(place);
    };
    match value {
        Value::Object(map) => map.iter().for_each(|(key, inner)| step(key, inner)),
        Value::Array(list) => list.iter().take(20).enumerate().for_each(|(at, inner)| step(&at.to_string(), inner)),
        _ => {}
    }
}

pub fn damaged_json(json: &Value, damages: &[(Index, Option<Value>)]) -> Value {
    let mut json = json.clone();
    for (place, value) in damages {
        let mut all = Vec::new();
        places(&json, "", &mut all);
        if !all.is_empty() {
            let place: &String = place.get(&all);
            put(&mut json, place, value.clone());
        }
    }
    json
}

fn golden_configs() -> Vec<Value> {
    let families = std::fs::read_dir(golden("families")).unwrap().map(|entry| entry.unwrap().path());
    let mut folders: Vec<_> =
        families.chain(["bert-a", "bert-b", "bert-c", "sparta_adapter/model"].map(golden)).collect();
    folders.retain(|folder| folder.join("config.json").exists());
    folders.sort();
    let read = |folder: &std::path::PathBuf| std::fs::read(folder.join("config.json")).unwrap();
    let configs: Vec<Value> = folders.iter().map(|folder| serde_json::from_slice(&read(folder)).unwrap()).collect();
    assert!(configs.len() > 15);
    configs
}

#[test]
fn configs() {
    let configs = golden_configs();
    fuzz(20_000, &(any::<Index>(), json_damage()), |(config, damages)| {
        let Value::Object(json) = damaged_json(config.get(&configs), &damages) else { return };
        in_one_line(Config::parse(json).map_err(Error::refused));
    });
}

fn header_of(bytes: &[u8]) -> Range<usize> {
    0..8 + usize::try_from(u64::from_le_bytes(bytes[..8].try_into().unwrap())).unwrap()
}

#[test]
fn safetensors() {
    let folder = Folder::healthy();
    let healthy = folder.read("lm/model.safetensors");
    let within = prop::sample::select(vec![0..8, header_of(&healthy), 0..healthy.len()]);
    fuzz(1500, &(within, damage()), |(within, damages)| {
        folder.write("lm/model.safetensors", damaged(&healthy, within, &damages));
        in_one_line(Model::load(&folder.at("lm"), "auto", "cpu", TaskKind::CausalLm));
    });
}

#[test]
fn indexes_never_lead_out_of_the_folder() {
    let folder = Folder::healthy();
    let lm = folder.at("lm");
    std::fs::rename(lm.join("model.safetensors"), lm.join("a.safetensors")).unwrap();
    std::fs::copy(lm.join("a.safetensors"), folder.at("a.safetensors")).unwrap();
    let parts = ["..", ".", "/", "a.safetensors", "lm", "", "\u{1b}", "\0", "sub"];
    let names = prop::collection::vec(prop::collection::vec(prop::sample::select(parts.to_vec()), 1..5), 1..3);
    fuzz(1500, &names, |names| {
        let map: serde_json::Map<String, Value> =
            names.iter().enumerate().map(|(at, parts)| (at.to_string(), json!(parts.join("/")))).collect();
        folder.write("lm/model.safetensors.index.json", json!({"weight_map": map}).to_string());
        if let Some(model) = in_one_line(Model::load(&lm, "auto", "cpu", TaskKind::CausalLm)) {
            let inside = lm.canonicalize().unwrap();
            assert!(model.files().iter().all(|file| file.canonicalize().unwrap().starts_with(&inside)), "{names:?}");
        }
    });
}

/// Rows in each text format, and the golden files of Parquet.
fn healthy_rows() -> Vec<(&'static str, Vec<u8>)> {
    let rows = [("late parcel", "a"), ("a \"quoted\", text\u{e9}", "b"), ("where is it", "a")];
    let objects: Vec<Value> = rows.iter().map(|(text, label)| json!({"text": text, "label": label})).collect();
    let table = |separator: &str, quote: &str| {
        let row = |(text, label): &(&str, &str)| {
            format!("{quote}{}{quote}{separator}{label}\n", text.replace('"', &format!("{quote}{quote}")))
        };
        format!("text{separator}label\n{}", rows.iter().map(row).collect::<String>()).into_bytes()
    };
    let mut files = vec![
        (FORMATS[0], lines(objects.clone()).into_bytes()),
        (FORMATS[1], serde_json::to_vec_pretty(&objects).unwrap()),
        (FORMATS[2], table(",", "\"")),
        (FORMATS[3], table("\t", "")),
    ];
    for name in ["none", "snappy", "zstd", "gzip", "lz4", "v2", "pandas", "narrow"] {
        files.push((FORMATS[4], std::fs::read(golden("data").join(format!("{name}.parquet"))).unwrap()));
    }
    files
}

#[test]
fn rows() {
    let folder = Folder::healthy();
    let tokenizer = Tokenizer::load(&folder.at("model"), VOCABULARY).unwrap();
    let data = Data { max_length: 32, ..Data::default() };
    let files = healthy_rows();
    fuzz(4000, &(any::<Index>(), any::<bool>(), damage()), |(file, at_the_end, damages)| {
        let (format, bytes) = file.get(&files);
        // The last kilobyte of a Parquet file says where everything is.
        let start = if at_the_end { bytes.len().saturating_sub(1000) } else { 0 };
        let path = folder.at(&format!("rows.{format}"));
        folder.write(&format!("rows.{format}"), damaged(bytes, start..bytes.len(), &damages));
        in_one_line(read_for_prediction(&path, &data, TaskKind::SequenceClassification, &tokenizer));
    });
}

/// Uses a tokenizer in every way.
fn use_tokenizer(tokenizer: &Tokenizer) {
    let texts = ["", "late parcel", "the rain and \u{1f600} \u{0}é", "[SEP] <s> the </s>"];
    for text in texts {
        if let Some(ids) = in_one_line(tokenizer.encode(text)) {
            in_one_line(tokenizer.decode(&ids));
            for &id in &ids {
                _ = tokenizer.token_text(id);
            }
        }
        in_one_line(tokenizer.encode_within(text, 3));
        in_one_line(tokenizer.encode_pair_within(text, "where", 4));
        if let Some(found) = in_one_line(tokenizer.encode_with_offsets(text, true)) {
            assert_eq!(found.ids.len(), found.spans.len());
        }
    }
}

#[test]
fn tokenizers() {
    let folder = Folder::healthy();
    let kinds = ["bert-a", "sparta_adapter/model"].map(|name| golden(name).join("tokenizer.json"));
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/tiny-llama/model/tokenizer.json");
    let files: Vec<Value> = kinds
        .iter()
        .chain([&own])
        .filter_map(|path| serde_json::from_slice(&std::fs::read(path).ok()?).ok())
        .map(small)
        .collect();
    assert!(files.len() >= 2);
    fuzz(3000, &(any::<Index>(), json_damage()), |(file, damages)| {
        folder.write("model/tokenizer.json", damaged_json(file.get(&files), &damages).to_string());
        if let Some(tokenizer) = in_one_line(Tokenizer::load(&folder.at("model"), 6000)) {
            use_tokenizer(&tokenizer);
        }
    });
}

/// Without most of a large vocabulary, among which the damage would seldom meet anything else.
fn small(mut tokenizer: Value) -> Value {
    if let Some(merges) = tokenizer["model"]["merges"].as_array_mut() {
        merges.truncate(20);
    }
    tokenizer
}

#[test]
fn tokenizers_for_conversations() {
    let folder = Folder::healthy();
    let healthy = folder.json("lm/tokenizer.json");
    let recipe = Recipe::load(&folder.at("chat.toml"), &[]).unwrap();
    fuzz(500, &json_damage(), |damages| {
        folder.write("lm/tokenizer.json", damaged_json(&healthy, &damages).to_string());
        let tokenizer = in_one_line(Tokenizer::load(&folder.at("lm"), 43));
        tokenizer.and_then(|tokenizer| in_one_line(prepare(&recipe, &tokenizer, &mut |_, _| {})));
    });
}

#[test]
fn files_beside_the_tokenizer() {
    let folder = Folder::healthy();
    let files = ["lm/tokenizer_config.json", "lm/generation_config.json", "lm/config.json"];
    let healthy = files.map(|file| folder.json(file));
    fuzz(600, &(0..3_usize, json_damage()), |(file, damages)| {
        folder.write(files[file], damaged_json(&healthy[file], &damages).to_string());
        in_one_line(Tokenizer::load(&folder.at("lm"), 43));
        in_one_line(ChatTemplate::load(&folder.at("lm")));
    });
}

#[test]
fn adapters() {
    let folder = Folder::healthy();
    write_keyed(&folder);
    let (causal, classes) =
        (parameters(&folder, TaskKind::CausalLm), parameters(&folder, TaskKind::SequenceClassification));
    let files = [
        "causal/sparse_deltas.safetensors",
        "classes/sparse_deltas.safetensors",
        "classes/head_init.safetensors",
        "keyed/sparta_keyed.safetensors",
    ];
    let healthy = files.map(|file| folder.read(file));
    fuzz(1200, &(0..files.len(), any::<bool>(), damage()), |(file, in_header, damages)| {
        let bytes = &healthy[file];
        let within = if in_header { header_of(bytes) } else { 0..bytes.len() };
        folder.write(files[file], damaged(bytes, within, &damages));
        let (name, _) = files[file].split_once('/').unwrap();
        in_one_line(Adapter::read(&folder.at(name), if name == "classes" { &classes } else { &causal }));
        folder.write(files[file], bytes);
    });
    let config = folder.json("classes/config.json");
    fuzz(600, &json_damage(), |damages| {
        folder.write("classes/config.json", damaged_json(&config, &damages).to_string());
        in_one_line(Adapter::read(&folder.at("classes"), &classes));
    });
}

#[test]
fn recipes() {
    let text = Recipe::default().to_toml();
    fuzz(3000, &damage(), |damages| {
        let text = String::from_utf8_lossy(&damaged(text.as_bytes(), 0..text.len(), &damages)).into_owned();
        in_one_line(Recipe::parse(&text, Path::new("/tmp"), &[]));
    });
    let values = [
        "nan",
        "-inf",
        "1e999",
        "''",
        "[]",
        "{}",
        "[[[]]]",
        "'''\n'''",
        "-1",
        "18446744073709551616",
        "\u{1b}",
        "{a.b=1}",
    ];
    let fields = spartui::recipe::FIELDS.iter().map(|field| field.name).collect::<Vec<_>>();
    fuzz(2000, &(prop::sample::select(fields), prop::sample::select(values.to_vec())), |(field, value)| {
        in_one_line(Recipe::parse("", Path::new("/tmp"), &[format!("{field}={value}")]));
    });
}

#[test]
fn themes() {
    let folder = Folder::healthy();
    let texts = ["dark", "light", "monochrome", "colour-blind"].map(|name| {
        std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("themes").join(name).with_extension("toml")).unwrap()
    });
    fuzz(1500, &(0..texts.len(), damage()), |(theme, damages)| {
        folder.write("themes/mine.toml", damaged(&texts[theme], 0..texts[theme].len(), &damages));
        let themes = Themes::load(Some(&folder.at("themes")), Depth::True);
        assert!(themes.position("dark").is_some());
    });
}

#[test]
fn chat_templates() {
    let fragments = [
        "{% for m in messages %}",
        "{% endfor %}",
        "{% if m %}",
        "{% if m.role == 'user' %}",
        "{% else %}",
        "{% endif %}",
        "{{ m.content }}",
        "{{ m['role'] | upper }}",
        "{{ messages[0] }}",
        "{{ messages[::-1] }}",
        "{{ messages[99] }}",
        "{% set x = m %}",
        "{% set ns = namespace(a=1) %}",
        "{% set ns.a = ns.a ~ 'é' %}",
        "{{ ns.a }}",
        "{{ x }}",
        "{% macro f(a, b=1) %}",
        "{% endmacro %}",
        "{{ f(1) }}",
        "{{ f(f) }}",
        "{% generation %}",
        "{% endgeneration %}",
        "{{ m | tojson(indent=2) }}",
        "{{ m.content.split(' ')[7] }}",
        "{{ 'é'[1:] }}",
        "{{ m.content[-3:2] }}",
        "{{ -x }}",
        "{{ raise_exception('\u{1b}no') }}",
        "{{ strftime_now('%d %b %Y') }}",
        "{{ strftime_now('%') }}",
        "{{ 1 / 0 }}",
        "{% break %}",
        "{% continue %}",
        "{{ loop.index0 // 0 }}",
        "{{ loop.previtem.x.y }}",
        "{# ",
        " #}",
        "{% raw %}",
        "{% endraw %}",
        "{{",
        "}}",
        "{%",
        "%}",
        "{%- ",
        " -%}",
        "text\n",
        "\u{1b}",
        "{{ range(9) | list | join(m) }}",
        "{% filter upper %}",
        "{% endfilter %}",
        "{{ 'x' * 9 }}",
        "{{ 'a' ~ none }}",
        "{{ 9 ** 9 ** 9 }}",
        "{{ tools.x }}",
        "{{ m.content.strip().startswith('x', 7) }}",
        "{% call f() %}",
        "{% endcall %}",
        "{{ caller() }}",
        "{{ loop(m) }}",
    ];
    let folder = Folder::healthy();
    let sources = prop::collection::vec(prop::sample::select(fragments.to_vec()), 1..9);
    let messages = json!([{"role": "user", "content": "the rain é"}, {"role": "assistant", "content": "the sun"}]);
    fuzz(4000, &sources, |parts| {
        folder.write("lm/chat_template.jinja", parts.concat());
        if let Some(Some(template)) = in_one_line(ChatTemplate::load(&folder.at("lm"))) {
            in_one_line(template.render(&messages, true).map_err(Error::refused));
            if let Some((text, spans)) =
                in_one_line(template.render_with_spans(&messages, &Arguments::default(), 0).map_err(Error::refused))
            {
                assert!(spans.into_iter().all(|span| text.get(span).is_some()));
            }
        }
    });
}

/// Each link of a chain is a step down for the library that reads it.
#[test]
fn chat_templates_with_long_chains() {
    let folder = Folder::healthy();
    let expression = |link: &str, end: &str| format!("{{{{ {}{end} }}}}", link.repeat(250_000 / link.len()));
    let chains = [
        expression("-", "1"),
        expression("1+", "1"),
        expression("not ", "1"),
        expression("1 and ", "1"),
        expression("1 if 0 else ", "1"),
        format!("{{{{ a{} }}}}", ".a".repeat(120_000)),
        format!("{{{{ 'a'{} }}}}", "|upper".repeat(40_000)),
        format!("{{% if 0 %}}{}{{% endif %}}", "{% elif 0 %}".repeat(20_000)),
    ];
    for chain in chains {
        folder.write("lm/chat_template.jinja", chain);
        if let Some(Some(template)) = in_one_line(ChatTemplate::load(&folder.at("lm"))) {
            in_one_line(template.render(&json!([{"role": "user", "content": "the"}]), true).map_err(Error::refused));
        }
    }
}
