//! Runs of a small model with injected faults.

#[path = "../../run/tests/support/faults.rs"]
mod faults;
pub mod hooks;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use super::{Engine, Launch, Mission, Resume};
use faults::Faults;
use hooks::hook;
use spartui_facts::protocol::{Command, Ending, Event, Level, Step, Summary};
use spartui_facts::recipe::{Recipe, Value};
use spartui_run::read_newest_valid;
use spartui_train::Session;

const STORAGE_FULL: i32 = 28;
const READ_ONLY: i32 = 30;
const LARGEST: u64 = 1 << 30;

pub(super) struct Ran {
    pub events: Vec<Event>,
    pub summary: Option<Summary>,
    pub fault: String,
}

impl Ran {
    fn notes(&self) -> Vec<&str> {
        let notes = self.events.iter().filter_map(|event| match event {
            Event::Note { message, .. } => Some(message.as_str()),
            _ => None,
        });
        notes.collect()
    }

    fn warning(&self) -> &str {
        let warning = |event: &&Event| matches!(event, Event::Note { level: Level::Warning, .. });
        match self.events.iter().find(warning) {
            Some(Event::Note { message, .. }) => message,
            _ => panic!("no warning; {}", self.fault),
        }
    }

    fn steps(&self) -> Vec<Step> {
        self.events.iter().filter_map(|event| if let Event::Step(step) = event { Some(*step) } else { None }).collect()
    }
}

pub(super) fn drive(
    mission: impl Into<Mission>,
    attended: bool,
    mut script: impl FnMut(&Event) -> Vec<Command>,
) -> Ran {
    let engine = Engine::launch(mission.into(), attended);
    let mut ran = Ran { events: Vec::new(), summary: None, fault: String::new() };
    for event in &engine.events {
        for command in script(&event) {
            let _ = engine.commands.send(command);
        }
        match &event {
            Event::Finished(summary) => ran.summary = Some((**summary).clone()),
            Event::Fault { message, .. } => ran.fault.clone_from(message),
            _ => {}
        }
        ran.events.push(event);
    }
    engine.join();
    ran
}

pub(super) fn quiet(mission: impl Into<Mission>) -> Ran {
    drive(mission, false, |_| Vec::new())
}

/// A folder with a small model, and a recipe of 24 steps.
pub(super) fn workshop() -> (tempfile::TempDir, Recipe) {
    let folder = tempfile::tempdir().unwrap();
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/bert-a");
    let model = folder.path().join("model");
    std::fs::create_dir(&model).unwrap();
    for file in ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"] {
        std::fs::copy(golden.join(file), model.join(file)).unwrap();
    }
    let row = |row: usize| {
        format!("{{\"text\": \"the parcel is late {row}\", \"label\": \"{}\"}}\n", ["a", "b", "c"][row % 3])
    };
    std::fs::write(folder.path().join("train.jsonl"), (0..24).map(row).collect::<String>()).unwrap();
    let text = "[model]\npath = \"model\"\n[data]\ntrain = \"train.jsonl\"\nvalidation = 0.4\nmax_length = 32\n[method]\n\
                sparsity = 0.9\n[optimizer]\nlearning_rate = 1e-3\n[schedule]\nwarmup_steps = 5\n[train]\nepochs = 12\n\
                batch_size = 10\nevaluate_every = 5\ncheckpoint_every = 4\n[history]\nevery = 3\n";
    let recipe = Recipe::parse(text, folder.path(), &[]).unwrap();
    (folder, recipe)
}

pub(super) fn launch(folder: &Path, name: &str, recipe: &Recipe) -> Launch {
    Launch {
        recipe: recipe.clone(),
        runs: folder.join("runs"),
        name: Some(name.into()),
        overwrite: false,
        remarks: Vec::new(),
    }
}

pub(super) fn resume(folder: &Path, name: &str) -> Resume {
    Resume { runs: folder.join("runs"), run: name.into(), ..Resume::default() }
}

pub(super) fn result(run: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let entries = std::fs::read_dir(run.join("adapter")).unwrap().map(|entry| entry.unwrap());
    let mut files: Vec<_> =
        entries.map(|entry| (entry.file_name().into(), std::fs::read(entry.path()).unwrap())).collect();
    files.sort();
    files
}

pub(super) fn losses(run: &Path) -> Vec<(u64, u64)> {
    let readings = spartui_run::Metrics::read(&run.join("metrics.jsonl")).unwrap();
    assert_eq!(readings.damaged, 0);
    readings.steps.iter().map(|step| (step.step, step.loss.to_bits())).collect()
}

/// Every write, rename and sync fails, one in each run: a run that could not start leaves nothing, one that has
/// started ends with the same result or reports that it could not be written; then it is resumed.
#[test]
fn every_write_fails_in_turn() {
    let (folder, recipe) = workshop();
    let runs = folder.path().join("runs");
    let faults = Faults::at(&runs, 0..0, STORAGE_FULL);
    quiet(launch(folder.path(), "whole", &recipe));
    let operations = faults.changes().len();
    drop(faults);
    let (expected, course) = (result(&runs.join("whole")), losses(&runs.join("whole")));
    let mut sentences = Vec::new();
    for number in 0..operations {
        let name = format!("n{number}");
        let faults = Faults::at(&runs, number..number + 1, STORAGE_FULL);
        let ran = quiet(launch(folder.path(), &name, &recipe));
        drop(faults);
        let run = runs.join(&name);
        match &ran.summary {
            Some(_) => {
                assert_eq!(result(&run), expected, "operation {number}");
                assert_eq!(losses(&run), course, "operation {number}");
                sentences.extend(ran.notes().first().map(|note| (*note).to_owned()));
            }
            None if !run.exists() => sentences.push(ran.fault.clone()),
            None => {
                assert!(ran.fault.contains("No space left"), "operation {number}: {}", ran.fault);
                sentences.push(ran.fault.clone());
                let again = quiet(resume(folder.path(), &name));
                assert!(again.summary.is_some(), "operation {number}: {}", again.fault);
                assert_eq!((result(&run), losses(&run)), (expected.clone(), course.clone()), "operation {number}");
            }
        }
        let newest = read_newest_valid(&run.join("checkpoints"), LARGEST).unwrap();
        assert!(newest.damaged.is_empty(), "operation {number}: {:?}", newest.damaged);
    }
    assert!(operations > 60, "{operations} operations");
    println!("{operations} operations failed in turn; what was said:");
    let plain =
        |text: &String| text.replace(&*folder.path().to_string_lossy(), "").replace(|c: char| c.is_ascii_digit(), "");
    let told: std::collections::BTreeSet<String> = sentences.iter().map(plain).collect();
    for sentence in told {
        println!("  {sentence}");
    }
    let remedies = ["free some space", "use another folder"];
    let is_sentence =
        |text: &String| text.contains("No space left on device") && remedies.iter().any(|remedy| text.contains(remedy));
    assert!(sentences.iter().all(is_sentence), "{sentences:#?}");
}

/// The disk is full, or read-only, from the tenth step on and for a while.
#[test]
fn a_disk_that_is_full_for_a_while_costs_nothing() {
    let (folder, recipe) = workshop();
    let runs = folder.path().join("runs");
    quiet(launch(folder.path(), "whole", &recipe));
    for (name, code, says) in
        [("full", STORAGE_FULL, "No space left"), ("readonly", READ_ONLY, "Read-only file system")]
    {
        let run = runs.join(name);
        let faults = Arc::new(Mutex::new(None));
        let mine = Arc::clone(&faults);
        let root = run.clone();
        hook(&run, move |session: &mut Session| {
            let mut faults = mine.lock().unwrap();
            match session.step {
                10 if faults.is_none() => *faults = Some(Faults::at(&root, 0..usize::MAX, code)),
                18 => *faults = None,
                _ => {}
            }
        });
        let ran = quiet(launch(folder.path(), name, &recipe));
        assert!(ran.summary.is_some(), "{}", ran.fault);
        let notes = ran.notes();
        println!("{}", notes.join("\n").replace(&*folder.path().to_string_lossy(), ""));
        assert!(notes[0].contains(says) && notes[0].ends_with("training goes on, and it is tried again"), "{notes:?}");
        assert!(notes.iter().any(|note| note.contains("can be written again")), "{notes:?}");
        assert_eq!((result(&run), losses(&run)), (result(&runs.join("whole")), losses(&runs.join("whole"))));
    }
}

/// As the test before, on a small file system of its own that is really full.
#[test]
fn a_small_file_system_that_is_full_for_a_while_costs_nothing() {
    let (folder, recipe) = workshop();
    let small = folder.path().join("small");
    std::fs::create_dir(&small).unwrap();
    let mount =
        |arguments: &[&str]| std::process::Command::new(arguments[0]).args(&arguments[1..]).arg(&small).output();
    match mount(&["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs"]) {
        Ok(done) if done.status.success() => {}
        _ => {
            println!("skipped: this user cannot mount a file system");
            return;
        }
    }
    quiet(launch(folder.path(), "whole", &recipe));
    let filler = small.join("filler");
    hook(&small.join("run"), move |session: &mut Session| match session.step {
        10 => {
            while std::fs::File::options()
                .create(true)
                .append(true)
                .open(&filler)
                .is_ok_and(|mut file| std::io::Write::write_all(&mut file, &[1; 512]).is_ok())
            {}
        }
        18 => _ = std::fs::remove_file(&filler),
        _ => {}
    });
    let ran = quiet(Launch {
        recipe: recipe.clone(),
        runs: small.clone(),
        name: Some("run".into()),
        overwrite: false,
        remarks: Vec::new(),
    });
    let whole = folder.path().join("runs/whole");
    let (notes, same) = (
        ran.notes().join("\n"),
        std::panic::catch_unwind(|| {
            (result(&small.join("run")), losses(&small.join("run"))) == (result(&whole), losses(&whole))
        }),
    );
    let _ = mount(&["umount"]);
    println!("{}", notes.replace(&*folder.path().to_string_lossy(), ""));
    assert!(ran.summary.is_some() && same.unwrap_or(false), "{}", ran.fault);
    assert!(notes.contains("free some space") && notes.contains("can be written again"), "{notes}");
}

#[test]
fn a_vanished_run_folder_is_reported_and_the_result_is_still_written() {
    let (folder, recipe) = workshop();
    let runs = folder.path().join("runs");
    quiet(launch(folder.path(), "whole", &recipe));
    let run = runs.join("gone");
    let root = run.clone();
    hook(&run, move |session: &mut Session| {
        if session.step == 9 {
            // A checkpoint may be in the middle of being written there.
            while root.exists() {
                let _ = std::fs::remove_dir_all(&root);
            }
        }
    });
    let ran = quiet(launch(folder.path(), "gone", &recipe));
    println!("{}", ran.warning().replace(&*folder.path().to_string_lossy(), ""));
    assert!(ran.warning().contains("No such file") && ran.warning().contains("training goes on"), "{}", ran.warning());
    assert_eq!(result(&run), result(&runs.join("whole")));
}

#[test]
fn a_damaged_checkpoint_is_named_and_the_one_before_is_resumed() {
    let (folder, recipe) = workshop();
    let runs = folder.path().join("runs");
    quiet(launch(folder.path(), "whole", &recipe));
    for (name, damage) in [("cut", -1_i64), ("flipped", 40)] {
        let run = runs.join(name);
        let end = |event: &Event| match event {
            Event::Step(step) if step.step == 14 => vec![Command::Terminate],
            _ => Vec::new(),
        };
        let ran = drive(launch(folder.path(), name, &recipe), true, end);
        assert_eq!(ran.summary.unwrap().ending, Ending::Terminated);
        let newest = read_newest_valid(&run.join("checkpoints"), LARGEST).unwrap().checkpoint.unwrap().0;
        let victim = newest.path.join("state.safetensors");
        let mut bytes = std::fs::read(&victim).unwrap();
        match usize::try_from(damage) {
            Ok(back) => {
                let at = bytes.len() - back;
                bytes[at] ^= 1;
            }
            Err(_) => bytes.truncate(bytes.len() / 2),
        }
        std::fs::write(&victim, bytes).unwrap();
        let again = quiet(resume(folder.path(), name));
        println!("{}", again.warning().replace(&*folder.path().to_string_lossy(), ""));
        assert!(again.warning().contains("is damaged: state.safetensors"), "{}", again.warning());
        assert_eq!((result(&run), losses(&run)), (result(&runs.join("whole")), losses(&runs.join("whole"))));
    }
}

/// Sets the embeddings of a batch's tokens to NaN for one step.
fn poison(run: &Path, at: u64) {
    let mut saved = None;
    hook(run, move |session: &mut Session| {
        let weight = session.model.parameters.iter().find(|parameter| parameter.name.contains("word_embeddings"));
        let mut weight = weight.unwrap().tensor.shallow_clone();
        if session.step == at && saved.is_none() {
            saved = Some(weight.copy());
            let _ = tch::no_grad(|| weight.fill_(f64::NAN));
        } else if let Some(before) = saved.as_ref().filter(|_| weight.isfinite().all().int64_value(&[]) == 0) {
            tch::no_grad(|| weight.copy_(before));
        }
    });
}

#[test]
fn non_finite_values_are_never_applied_nor_exported() {
    let (folder, mut recipe) = workshop();
    let runs = folder.path().join("runs");
    let finite = |run: &Path| {
        let bytes = std::fs::read(run.join("adapter/sparse_deltas.safetensors")).unwrap();
        let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        file.iter()
            .filter(|(name, _)| name.starts_with("deltas."))
            .all(|(_, view)| view.data().as_chunks().0.iter().all(|&bytes| f32::from_le_bytes(bytes).is_finite()))
    };
    recipe.set("train.on_nonfinite", Value::String("skip".into())).unwrap();
    poison(&runs.join("skip"), 7);
    let ran = quiet(launch(folder.path(), "skip", &recipe));
    println!("{}", ran.warning());
    let steps = ran.steps();
    assert!(steps.len() == 24 && steps[7].loss.is_nan() && steps.iter().filter(|step| step.loss.is_nan()).count() == 1);
    assert!(finite(&runs.join("skip")));
    let log = std::fs::read_to_string(runs.join("skip/log.txt")).unwrap();
    assert!(log.contains("its batch: lines ") && log.contains(" of train.jsonl"), "{log}");

    recipe.set("train.on_nonfinite", Value::String("lower_rate".into())).unwrap();
    poison(&runs.join("lower"), 7);
    let ran = quiet(launch(folder.path(), "lower", &recipe));
    println!("{}", ran.warning());
    assert!(ran.warning().contains("went back to step 6 and goes on at the rate 5e-4 instead of 1e-3"));
    assert!(ran.steps().iter().all(|step| step.loss.is_finite()) && ran.summary.is_some());
    let replayed = quiet(super::Replay {
        runs: runs.clone(),
        run: "lower".into(),
        name: Some("again".into()),
        ..super::Replay::default()
    });
    assert!(replayed.summary.is_some(), "{}", replayed.fault);
    assert_eq!(result(&runs.join("again")), result(&runs.join("lower")), "although nothing was poisoned");

    recipe.set("train.on_nonfinite", Value::String("pause".into())).unwrap();
    poison(&runs.join("pause"), 7);
    let mut paused = None;
    let ran = drive(launch(folder.path(), "pause", &recipe), true, |event| match event {
        Event::Paused { step } => {
            paused = Some(*step);
            vec![Command::Resume]
        }
        _ => Vec::new(),
    });
    println!("{}", ran.warning());
    assert_eq!((paused, ran.summary.is_some()), (Some(6), true), "{}", ran.fault);

    poison(&runs.join("alone"), 7);
    let ran = quiet(launch(folder.path(), "alone", &recipe));
    println!("{}", ran.fault);
    assert!(
        ran.fault.contains("went back to step 6") && ran.fault.contains("spartui resume alone --set"),
        "{}",
        ran.fault
    );
    let mut again = resume(folder.path(), "alone");
    again.set = vec!["optimizer.learning_rate=5e-4".into()];
    let ran = quiet(again);
    assert!(ran.summary.is_some() && ran.steps()[0].step == 7, "{}", ran.fault);
}

#[test]
fn a_fault_that_halves_the_rate_halves_that_of_the_head_where_it_has_one() {
    let (folder, mut recipe) = workshop();
    let runs = folder.path().join("runs");
    recipe.set("train.on_nonfinite", Value::String("lower_rate".into())).unwrap();
    let mut lowered = |name: &str, head: Value| {
        recipe.set("optimizer.head_learning_rate", head).unwrap();
        poison(&runs.join(name), 7);
        let ran = quiet(launch(folder.path(), name, &recipe));
        let told = ran.events.iter().filter_map(|event| match event {
            Event::Setting { field, value } => Some((field.clone(), value.clone())),
            _ => None,
        });
        let mut last: BTreeMap<String, Value> = told.collect();
        ["optimizer.learning_rate", "optimizer.head_learning_rate"].map(|field| last.remove(field).unwrap())
    };
    assert_eq!(lowered("own", Value::Float(0.02)), [Value::Float(5e-4), Value::Float(0.01)]);
    let replayed = quiet(super::Replay {
        runs: runs.clone(),
        run: "own".into(),
        name: Some("again".into()),
        ..Default::default()
    });
    assert!(replayed.summary.is_some(), "{}", replayed.fault);
    assert_eq!(result(&runs.join("again")), result(&runs.join("own")));
    let auto = Value::String("auto".into());
    assert_eq!(lowered("shared", auto.clone()), [Value::Float(5e-4), auto]);
}

#[test]
fn out_of_memory_halves_the_micro_batch_and_keeps_the_batch() {
    let (folder, recipe) = workshop();
    let runs = folder.path().join("runs");
    hook(&runs.join("small"), |session: &mut Session| {
        session.limit_memory(if session.step >= 6 { 3 } else { usize::MAX });
    });
    quiet(launch(folder.path(), "whole", &recipe));
    let ran = quiet(launch(folder.path(), "small", &recipe));
    println!("{}", ran.warning());
    assert!(ran.warning().contains("5 examples are in memory at once instead of 10; an optimizer step still sees 10"));
    let (whole, small) = (losses(&runs.join("whole")), losses(&runs.join("small")));
    let near = |a: u64, b: u64| (f64::from_bits(a) - f64::from_bits(b)).abs() < 1e-5;
    assert_eq!(whole.len(), small.len());
    assert!(whole.iter().zip(&small).all(|(a, b)| a.0 == b.0 && near(a.1, b.1)));
    assert!(ran.steps().iter().all(|step| step.examples == 10 || step.examples == 4), "{:?}", ran.steps()[0]);

    hook(&runs.join("none"), |session: &mut Session| session.limit_memory(0));
    let ran = quiet(launch(folder.path(), "none", &recipe));
    println!("{}", ran.fault);
    assert!(ran.fault.contains("memory does not suffice for one example"), "{}", ran.fault);
}

#[test]
fn after_a_panic_in_the_engine_the_last_checkpoint_is_resumed() {
    let (folder, recipe) = workshop();
    let runs = folder.path().join("runs");
    quiet(launch(folder.path(), "whole", &recipe));
    let mut panicked = false;
    hook(&runs.join("panic"), move |session: &mut Session| {
        assert!(session.step != 15 || std::mem::replace(&mut panicked, true), "as a test wants it");
    });
    let ran = quiet(launch(folder.path(), "panic", &recipe));
    println!("{}", ran.fault);
    assert_eq!(ran.fault, "the computation failed: as a test wants it");
    let again = quiet(resume(folder.path(), "panic"));
    assert!(again.summary.is_some(), "{}", again.fault);
    // The newest checkpoint is that of step 12, or that of the evaluation at step 15 if it was the best.
    let first = again.steps()[0].step;
    assert!([13, 16].contains(&first), "it goes on at step {first}");
    let run = runs.join("panic");
    assert_eq!((result(&run), losses(&run)), (result(&runs.join("whole")), losses(&runs.join("whole"))));
}

#[test]
fn a_run_cancelled_while_loading_ends_at_once_and_leaves_nothing() {
    let (folder, recipe) = workshop();
    for command in [Command::Terminate, Command::Abort, Command::Stop] {
        let mut asked = Some(command);
        let ran = drive(launch(folder.path(), "early", &recipe), true, |event| match event {
            Event::Loading { .. } => asked.take().into_iter().collect(),
            _ => Vec::new(),
        });
        // The command may come too late for loading such a small model; then the run ends after it.
        assert!(ran.fault.contains("nothing was written") || ran.summary.is_some(), "{}", ran.fault);
        if ran.summary.is_none() {
            assert!(!folder.path().join("runs/early").exists());
        }
        let _ = std::fs::remove_dir_all(folder.path().join("runs"));
    }
}

/// From then on a key may step the current value, so it has to be known.
#[test]
fn current_settings_are_sent_before_the_run_is_ready() {
    let (folder, mut recipe) = workshop();
    recipe.method.density.insert("value".into(), 0.2);
    let ran = quiet(launch(folder.path(), "told", &recipe));
    let ready = ran.events.iter().position(|event| matches!(event, Event::Ready(_))).unwrap();
    let told: Vec<&str> = ran.events[..ready]
        .iter()
        .filter_map(|event| if let Event::Setting { field, .. } = event { Some(field.as_str()) } else { None })
        .collect();
    for field in ["method.sparsity", "optimizer.learning_rate", "train.evaluate_every", "method.density.value"] {
        assert!(told.contains(&field), "{field} is not among {told:?}");
    }
}

#[test]
fn a_change_at_the_step_of_a_checkpoint_does_not_have_it_written_again() {
    let (folder, mut recipe) = workshop();
    recipe.set("train.evaluate_every", Value::Integer(4)).unwrap();
    recipe.set("train.max_steps", Value::Integer(6)).unwrap();
    let (give, given) = std::sync::mpsc::channel::<crossbeam_channel::Sender<Command>>();
    // It arrives during step 4, so the evaluation after it, which is the best one and writes its state, sees it.
    hook(&folder.path().join("runs/a"), move |session: &mut Session| {
        if session.step == 3 {
            let set = Command::Set { id: 1, field: "method.sparsity".into(), value: Value::Float(0.95) };
            given.recv().unwrap().send(set).unwrap();
        }
    });
    let engine = Engine::launch(launch(folder.path(), "a", &recipe).into(), true);
    give.send(engine.commands.clone()).unwrap();
    let events: Vec<Event> = engine.events.iter().collect();
    engine.join();
    let changed = events.iter().any(|event| matches!(event, Event::Intervention(change) if change.step == 4));
    assert!(changed, "{events:?}");
    let log = std::fs::read_to_string(folder.path().join("runs/a/log.txt")).unwrap();
    let written = log.lines().filter(|line| line.contains("step-00000004 written")).count();
    assert_eq!(written, 1, "{log}");
}

#[test]
fn pauses_do_not_count_as_training_time() {
    let (folder, recipe) = workshop();
    let pause = std::time::Duration::from_secs(3);
    let mut stood_still = 0.0;
    let begun = std::time::Instant::now();
    let ran = drive(launch(folder.path(), "a", &recipe), true, |event| match event {
        Event::Ready(_) => vec![Command::Pause],
        Event::Paused { .. } => {
            std::thread::sleep(pause);
            vec![Command::Resume]
        }
        Event::Resumed { stood, .. } => {
            stood_still = *stood;
            Vec::new()
        }
        _ => Vec::new(),
    });
    let all = begun.elapsed().as_secs_f64();
    let seconds = ran.summary.unwrap().seconds;
    assert!(stood_still >= pause.as_secs_f64() && seconds <= all - stood_still, "{seconds} of {all}, {stood_still}");
}

#[test]
fn settings_that_a_method_does_not_use_are_not_sent() {
    let (folder, mut recipe) = workshop();
    recipe.set("train.max_steps", Value::Integer(1)).unwrap();
    let mut told = |kind: &str| {
        recipe.set("method.kind", Value::String(kind.into())).unwrap();
        let ran = quiet(launch(folder.path(), kind, &recipe));
        let settings = ran.events.iter().filter_map(|event| match event {
            Event::Setting { field, .. } => Some(field.clone()),
            _ => None,
        });
        settings.collect::<std::collections::BTreeSet<String>>()
    };
    assert!(told("sparta").contains("method.sparsity"));
    let of_head = told("head");
    assert!(of_head.contains("optimizer.learning_rate"), "{of_head:?}");
    assert!(!of_head.iter().any(|field| field.starts_with("method.")), "{of_head:?}");
}
