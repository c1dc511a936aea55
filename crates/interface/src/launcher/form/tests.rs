use super::*;
use spartui_data::SampledColumn;
use spartui_facts::protocol::{Planned, PlannedData, PlannedRows};

fn sample(columns: &[(&str, usize)]) -> Sample {
    let columns = columns.iter().map(|(name, values)| SampledColumn {
        name: (*name).into(),
        filled: 40,
        characters: 400 / *values as u64,
        nested: false,
        values: Some((0..*values).map(|value| (value.to_string(), 1)).collect()),
    });
    Sample { columns: columns.collect(), count: 40, whole: true, ..Sample::default() }
}

fn type_text(form: &mut Form, text: &str) {
    form.type_in();
    if let Some(typed) = &mut form.typed {
        text.chars().for_each(|c| typed.insert(c));
    }
}

#[test]
fn every_field_has_one_line_whatever_the_task() {
    let mut form = Form::new();
    for task in ["sequence-classification", "causal-lm"] {
        form.select("task.kind");
        form.set(form.field().unwrap(), Value::String(task.into())).unwrap();
        let slots = form.slots();
        for (at, field) in FIELDS.iter().enumerate() {
            let is_of_another = form.is_of_another_method(field) && form.slot != Slot::Field(at);
            let lines = slots.iter().filter(|slot| **slot == Slot::Field(at)).count();
            assert_eq!(lines, usize::from(!is_of_another), "{}", field.name);
        }
        let shown = FIELDS.iter().filter(|field| !form.is_of_another_method(field)).count();
        assert_eq!(slots.len(), shown + 2);
    }
}

#[test]
fn an_invalid_value_stays_to_be_corrected() {
    let mut form = Form::new();
    form.select("method.sparsity");
    type_text(&mut form, "7");
    assert!(!form.apply_typed());
    assert!(form.problem.as_ref().unwrap().contains("method.sparsity takes a number from 0 to 1"));
    type_text(&mut form, "0.995");
    assert!(form.apply_typed() && form.problem.is_none());
    assert_eq!(form.recipe.method.sparsity, 0.995);
    form.slot = Slot::Name;
    type_text(&mut form, "a/b");
    assert!(!form.apply_typed() && form.problem.as_ref().unwrap().contains("the run's name"));
}

#[test]
fn edits_are_taken_back_one_by_one() {
    let mut form = Form::new();
    let before = form.recipe.clone();
    form.select("train.epochs");
    assert!(form.turn(1) && form.turn(1));
    assert_eq!(form.recipe.train.epochs, 3.0);
    form.select("data.train");
    type_text(&mut form, "rows.csv");
    form.apply_typed();
    form.reset();
    assert!(form.recipe.data.train.as_os_str().is_empty());
    for _ in 0..4 {
        assert!(form.undo());
    }
    assert!(!form.undo() && form.recipe == before && !form.is_changed());
}

#[test]
fn a_header_suggests_columns_that_the_user_has_not_set() {
    let mut form = Form::new();
    form.sample = Some(("rows.csv".into(), None));
    let said = form.sampled(Path::new("rows.csv"), Ok(sample(&[("review", 40), ("mood", 3)])));
    assert_eq!(said.as_deref(), Some("from the header: data.text = review, data.label = mood"));
    assert_eq!((form.recipe.data.text.as_str(), form.recipe.data.label.as_str()), ("review", "mood"));
    assert_eq!(form.sampled(Path::new("other.csv"), Err("late".into())), None);
    form.sample = Some(("rows.csv".into(), None));
    assert_eq!(form.sampled(Path::new("rows.csv"), Ok(sample(&[("review", 40), ("mood", 3)]))), None);
    form.sample = Some(("chat.jsonl".into(), None));
    let said = form.sampled(Path::new("chat.jsonl"), Ok(sample(&[("messages", 40)])));
    assert_eq!(said.as_deref(), Some("from the header: task.kind = causal-lm"));
}

#[test]
fn a_warm_up_longer_than_the_run_is_remarked_on() {
    let mut form = Form::new();
    let id = form.plan.begin();
    let train = PlannedRows { rows: 120, ..PlannedRows::default() };
    form.plan.receive(id, Some(Planned::Data(PlannedData { train, ..PlannedData::default() })));
    assert_eq!(form.steps(), Some(5));
    assert!(form.remarks().is_empty(), "{:?}", form.remarks());
    form.recipe.schedule.warmup_steps = Steps::Count(100);
    assert!(form.remarks()[0].contains("the warm-up of 100 steps"));
    form.recipe.schedule.warmup_steps = Steps::Count(2);
    assert!(form.remarks().is_empty());
    let steps = |form: &Form, name| form.chosen(Field::find(name).unwrap());
    assert_eq!(steps(&form, "train.evaluate_every"), Some(Value::Integer(1)));
    assert_eq!(steps(&form, "schedule.warmup_steps"), None);
}

#[test]
fn a_rate_far_from_the_rule_is_remarked_on() {
    let mut form = Form::new();
    let id = form.plan.begin();
    let sparsity = Sparsity {
        step: 0,
        parameters: 1_001_000,
        trainable: 11_000,
        head: 1000,
        retired: 0,
        sparsity: 0.989,
        groups: Vec::new(),
        remark: None,
    };
    form.plan.receive(id, Some(Planned::Sparsity(sparsity)));
    form.recipe.optimizer.learning_rate = LearningRate::At(3.0);
    assert!(
        form.remarks()[0].contains("is 750 times the 0.004 of the rule (sparta, 1 % trains)"),
        "{:?}",
        form.remarks()
    );
    form.recipe.optimizer.learning_rate = LearningRate::At(1e-3);
    assert!(form.remarks().is_empty());
}

#[test]
fn a_field_is_found_by_a_part_of_its_name_or_help() {
    let mut form = Form::new();
    form.find = Some(Typed { text: "clip norm".into(), cursor: 9, fresh: false });
    assert_eq!(form.slots(), [slot_of("optimizer.max_grad_norm")]);
}
