//! The encoder against transformers, on the golden files of `tests/golden`.

mod common;

use std::path::Path;

use common::{batch, floats, golden, head, integers, json, worst};
use spartui::model::{Batch, Model};
use spartui::recipe::TaskKind;
use tch::{Device, Kind, Tensor};

#[test]
fn logits_of_small_random_models_are_transformers() {
    for name in ["bert-a", "bert-b", "bert-c"] {
        let facts = json(&golden(name).join("golden.json"));
        let head = head(&facts["head"], Kind::Float);
        let load = |dtype| Model::load(&golden(name), dtype, "cpu", TaskKind::SequenceClassification).unwrap();
        let (exactly, roughly) = (load("float32"), load("bfloat16"));
        let (mut ours, mut theirs) = (0.0, 0.0);
        for case in facts["batches"].as_array().unwrap() {
            let exact = floats(&case["logits_float64"]);
            let error = worst(&exactly.logits(&batch(case), &head), &exact);
            assert!(error < 1e-4, "{name} {}: {error}", case["name"]);
            let square = |found: Tensor| (found.to_kind(Kind::Double) - &exact).square().mean(Kind::Double);
            ours += square(roughly.logits(&batch(case), &head)).double_value(&[]);
            theirs += square(floats(&case["logits_bfloat16"])).double_value(&[]);
        }
        // Over all batches, since in a single one either may be lucky.
        assert!(ours.sqrt() <= 1.5 * theirs.sqrt(), "{name}: {} times as far", (ours / theirs).sqrt());
    }
}

#[test]
fn a_padded_batch_gives_what_its_rows_give_alone() {
    let facts = json(&golden("bert-a").join("golden.json"));
    let head = head(&facts["head"], Kind::Float);
    let model = Model::load(&golden("bert-a"), "float32", "cpu", TaskKind::SequenceClassification).unwrap();
    let case = &facts["batches"][0];
    let together = model.logits(&batch(case), &head);
    for (row, (ids, length)) in case["input_ids"].as_array().unwrap().iter().zip(integers(&case["lengths"])).enumerate()
    {
        let length = usize::try_from(length).unwrap();
        let alone = model.logits(&Batch::new(&integers(ids)[..length], &[length], Device::Cpu), &head);
        assert!(worst(&alone.get(0), &together.get(row.cast_signed() as i64)) < 1e-5);
    }
}

#[test]
fn minilm_reads_and_judges_texts_as_transformers_does() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/all-MiniLM-L6-v2");
    assert!(folder.join("config.json").exists(), "the demo's model is missing: run `make setup`");
    let facts = json(&golden("minilm.json"));
    let head = head(&facts["head"], Kind::Float);
    let model = Model::load(&folder, "float32", "cpu", TaskKind::SequenceClassification).unwrap();
    let tokenizer = spartui::data::Tokenizer::load(&folder, 30522).unwrap();
    for case in facts["texts"].as_array().unwrap() {
        let ids = integers(&case["input_ids"]);
        let tokens = tokenizer.encode(case["text"].as_str().unwrap()).unwrap();
        assert_eq!(tokens.into_iter().map(i64::from).collect::<Vec<_>>(), ids, "{}", case["text"]);
        let logits = model.logits(&Batch::new(&ids, &[ids.len()], Device::Cpu), &head).get(0);
        let error = worst(&logits, &floats(&case["logits_float64"]));
        assert!(error < 1e-4, "{error}: {}", case["text"]);
    }
}
