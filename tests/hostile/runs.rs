//! Run folders that came from elsewhere: journals, metrics, checkpoints, and links that lead out.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use serde_json::{Value, json};
use spartui::engine::{Engine, Launch, Mission, Replay, Resume};
use spartui::error::Result;
use spartui::protocol::{Command, Event};
use spartui::recipe::Recipe;
use spartui::run::{Journal, Metrics, checkpoints, read_checkpoint, read_newest_valid};
use spartui::train::{Session, Tree, from_checkpoint, largest_checkpoint};

use crate::folder::{Folder, golden, lines, put};
use crate::fuzz::{damage, damaged, damaged_json, fuzz, in_one_line, json_damage};

const LARGEST: u64 = 1 << 26;

/// Changes, rewinds and all else that a journal may hold.
const JOURNAL: &str = r#"{"step":2,"field":"method.sparsity","from":0.9,"to":0.95,"id":1,"time":1.5}
{"step":3,"kind":"evaluate","id":2,"time":1.5}
{"step":4,"kind":"rewind","to":2,"branch":1,"id":3,"time":1.5}
{"step":4,"kind":"undo","to":2,"branch":2,"id":4,"time":1.5}
{"step":5,"kind":"pin","branch":0,"at":4,"pinned":true,"id":5,"time":1.5}
{"step":5,"kind":"switch_branch","branch":0,"id":6,"time":1.5}
{"step":4,"kind":"stop","id":0,"time":1.5}
{"step":4,"kind":"resume","id":0,"time":1.5}
"#;

/// The healthy folder with a run that was ended at its fourth step.
fn with_run() -> (Folder, PathBuf) {
    let folder = Folder::healthy();
    let overrides = ["train.epochs=100".into(), "train.batch_size=9".into(), "train.checkpoint_every=2".into()];
    let recipe = Recipe::load(&folder.at("recipe.toml"), &[&overrides[..], &["train.max_steps=0".into()]].concat());
    let launch = Launch {
        recipe: recipe.unwrap(),
        runs: folder.at("runs"),
        name: Some("run".into()),
        overwrite: false,
        remarks: Vec::new(),
    };
    let engine = Engine::start(launch);
    for event in &engine.events {
        if matches!(event, Event::Step(step) if step.step == 4) {
            let _ = engine.commands.send(Command::Terminate);
        }
    }
    engine.join();
    let run = folder.at("runs/run");
    (folder, run)
}

/// What became of it: none, or why it was refused.
fn resumed(folder: &Folder) -> Option<(String, bool)> {
    refused(Resume { runs: folder.at("runs"), run: "run".into(), ..Resume::default() })
}

/// Why it was refused or failed; none if it came to its end.
fn refused(mission: impl Into<Mission>) -> Option<(String, bool)> {
    let engine = Engine::start(mission);
    let mut end = None;
    for event in &engine.events {
        match event {
            Event::Fault { message, refused } => end = Some((message, refused)),
            Event::Finished(_) => end = None,
            _ => {}
        }
    }
    engine.join();
    end
}

#[test]
fn journals_and_metrics() {
    let folder = Folder::healthy();
    let metrics = "{\"step\":1,\"epoch\":0.1,\"loss\":1.5,\"learning_rate\":0.1,\"grad_norm\":null,\"examples\":8,\"tokens\":9,\
                   \"seconds\":0.1,\"trainable\":5,\"sparsity\":0.9,\"branch\":0}\n{\"step\":1,\"eval_loss\":1.5,\"accuracy\":\
                   0.5,\"examples\":8,\"seconds\":0.1,\"branch\":0}\n";
    fuzz(3000, &damage(), |damages| {
        folder.write("journal.jsonl", damaged(JOURNAL.as_bytes(), 0..JOURNAL.len(), &damages));
        if let Some(entries) = in_one_line(Journal::read(&folder.at("journal.jsonl"))) {
            let _ = Tree::of_journal(&entries, 5);
        }
        folder.write("metrics.jsonl", damaged(metrics.as_bytes(), 0..metrics.len(), &damages));
        in_one_line(Metrics::read(&folder.at("metrics.jsonl")));
    });
    let healthy: Vec<Value> = JOURNAL.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    fuzz(3000, &json_damage(), |damages| {
        let entries = damaged_json(&Value::Array(healthy.clone()), &damages);
        folder.write("journal.jsonl", lines(entries.as_array().into_iter().flatten().cloned()));
        if let Some(entries) = in_one_line(Journal::read(&folder.at("journal.jsonl")))
            && let Ok(tree) = Tree::of_journal(&entries, 5)
        {
            assert!(tree.report().len() <= entries.len() + 1);
            let _ = (
                tree.lineage(tree.here()),
                tree.just_after(3),
                tree.changes_to_undo().map(|changes| tree.before_change(changes)),
            );
        }
    });
}

#[test]
fn checkpoints_whose_bytes_are_damaged() {
    let (folder, run) = with_run();
    let newest = checkpoints(&run.join("checkpoints")).unwrap().remove(0);
    let files = ["manifest.json", "state.json", "state.safetensors"];
    let healthy = files.map(|file| std::fs::read(newest.path.join(file)).unwrap());
    let inside = newest.path.strip_prefix(folder.path()).unwrap().to_owned();
    fuzz(600, &(0..3_usize, damage()), |(file, damages)| {
        let name = inside.join(files[file]);
        let bytes = damaged(&healthy[file], 0..healthy[file].len(), &damages);
        folder.write(&name.to_string_lossy(), &bytes);
        in_one_line(read_newest_valid(&run.join("checkpoints"), LARGEST));
        folder.write(&name.to_string_lossy(), &healthy[file]);
    });
}

/// A checkpoint that says what it likes, with the checksums that belong to it.
fn forge(path: &Path, state: &Value) {
    let text = state.to_string();
    std::fs::write(path.join("state.json"), &text).unwrap();
    let mut manifest: Value = serde_json::from_slice(&std::fs::read(path.join("manifest.json")).unwrap()).unwrap();
    put(&mut manifest, "/files/state.json/size", Some(json!(text.len())));
    put(&mut manifest, "/files/state.json/blake3", Some(json!(blake3::hash(text.as_bytes()).to_hex().to_string())));
    std::fs::write(path.join("manifest.json"), manifest.to_string()).unwrap();
}

#[test]
fn checkpoints_that_lie() {
    let (_folder, run) = with_run();
    let newest = checkpoints(&run.join("checkpoints")).unwrap().remove(0);
    let healthy = read_checkpoint(&newest, LARGEST).unwrap();
    let recipe = Recipe::load(&run.join("recipe.toml"), &[]).unwrap();
    let session = std::cell::RefCell::new(Session::load(recipe, &mut |_, _| {}).unwrap());
    fuzz(600, &json_damage(), |damages| {
        let mut checkpoint = healthy.clone();
        checkpoint.state = damaged_json(&healthy.state, &damages);
        try_it(&session, &checkpoint);
    });
    fuzz(600, &(any::<prop::sample::Index>(), damage()), |(tensor, damages)| {
        let mut checkpoint = healthy.clone();
        let at = tensor.index(checkpoint.tensors.len());
        let victim = &mut checkpoint.tensors[at];
        let length = victim.bytes.len();
        let mut bytes = damaged(&victim.bytes, 0..length, &damages);
        bytes.resize(length, 0xff);
        victim.bytes = bytes;
        try_it(&session, &checkpoint);
    });
}

/// What was taken must be possible to train on.
fn try_it(session: &std::cell::RefCell<Session>, checkpoint: &spartui::run::Checkpoint) {
    let mut session = session.borrow_mut();
    assert!(largest_checkpoint(&session) > 0);
    let Some(held) = in_one_line(from_checkpoint(checkpoint, &session)) else { return };
    let restored: Result<()> = session.restore(&held.snapshot);
    if in_one_line(restored).is_some() && session.step < session.total_steps() {
        let _ = session.attempt_step().unwrap();
    }
}

#[test]
fn a_run_goes_on_from_a_forged_checkpoint_only_if_it_fits() {
    let (folder, run) = with_run();
    let newest = checkpoints(&run.join("checkpoints")).unwrap().remove(0);
    let state: Value = serde_json::from_slice(&std::fs::read(newest.path.join("state.json")).unwrap()).unwrap();
    for (pointer, value, says) in [
        ("/format", json!(1), "format 1"),
        ("/journal", json!(7), "journal is shorter"),
        ("/branch", json!(3), "different branches"),
        ("/step", json!(u64::MAX), "steps are too many"),
        ("/settings/model.path", json!("/etc/passwd"), "it changes \"model.path\""),
        ("/settings/method.sparsity", json!(0.5), "is too low"),
        ("/settings/method.sparsity", json!(0.95), "that the settings ask for"),
        ("/settings/method.sparsity", json!("x"), "takes a number"),
        ("/parts/0/site", json!("\u{1b}[2J"), "incomplete"),
        ("/parts", json!([]), "knows nothing"),
        ("/progress", json!([]), "state.json"),
    ] {
        let mut forged = state.clone();
        put(&mut forged, pointer, Some(value));
        forge(&newest.path, &forged);
        let Some((why, refused)) = resumed(&folder) else { panic!("{pointer} is not refused") };
        assert!(refused && why.contains(says) && !why.chars().any(char::is_control), "{pointer}: {why}");
    }
    forge(&newest.path, &state);
    assert_eq!(resumed(&folder), None, "what is healthy is not refused");
}

/// Earlier versions drew other numbers, and wrote format 2.
#[test]
fn a_run_of_an_earlier_version_is_refused_where_something_was_drawn() {
    let (folder, run) = with_run();
    let newest = checkpoints(&run.join("checkpoints")).unwrap().remove(0);
    let mut state: Value = serde_json::from_slice(&std::fs::read(newest.path.join("state.json")).unwrap()).unwrap();
    assert_eq!(state["format"], 3);
    put(&mut state, "/format", Some(json!(2)));
    forge(&newest.path, &state);
    let replay = Replay { runs: folder.at("runs"), run: "run".into(), name: Some("again".into()), ..Replay::default() };
    for refusal in [refused(replay), resumed(&folder)] {
        let (why, is_refused) = refusal.expect("a refusal");
        assert!(is_refused && why.contains("drew the classification head with other numbers"), "{why}");
    }
    assert!(!folder.at("runs/again").exists());

    let mut recipe = Recipe::load(&run.join("recipe.toml"), &[]).unwrap();
    let mut session = Session::load(recipe.clone(), &mut |_, _| {}).unwrap();
    let checkpoint = read_checkpoint(&newest, LARGEST).unwrap();
    let check = |session: &Session| from_checkpoint(&checkpoint, session).and_then(|held| held.check_draws());
    assert!(check(&session).is_err());
    for (field, value, says) in [
        ("task.head_init", "from_pretrained", None),
        ("method.kind", "full", None),
        ("method.kind", "lora", Some("drew LoRA's first factors")),
        ("model.init", "random", Some("drew the model's weights")),
    ] {
        recipe.set(field, spartui::recipe::Value::String(value.into())).unwrap();
        session.recipe = recipe.clone();
        let found = check(&session).err().map(|error| error.message().to_owned());
        assert_eq!(found.is_some(), says.is_some(), "{field}: {found:?}");
        assert!(found.unwrap_or_default().contains(says.unwrap_or_default()), "{field}");
    }
}

#[test]
fn no_path_in_a_run_leads_out_of_its_folder() {
    for name in [
        "metrics.jsonl",
        "journal.jsonl",
        "log.txt",
        "status.json",
        ".lock",
        "checkpoints",
        "checkpoints/step-00000099",
    ] {
        let (folder, run) = with_run();
        folder.write("outside/precious", "precious");
        let link = run.join(name);
        let _ = std::fs::remove_file(&link).or_else(|_| std::fs::remove_dir_all(&link));
        symlink(folder.at("outside/precious"), &link).unwrap();
        let Some((why, refused)) = resumed(&folder) else { panic!("{name} is not refused") };
        assert!(refused, "{why}");
        assert_eq!(folder.read("outside/precious"), b"precious", "{name}");
    }
    let (folder, run) = with_run();
    std::fs::remove_file(run.join("metrics.jsonl")).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(run.join("metrics.jsonl")).status().unwrap().success());
    let (why, refused) = resumed(&folder).unwrap();
    assert!(refused && why.contains("no regular file"), "{why}");
    assert!(golden("bert-a").exists());
}
