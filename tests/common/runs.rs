//! Whole runs through the engine, and what they leave.

use std::path::{Path, PathBuf};

use serde_json::Value;
use spartui::engine::{Engine, Launch, Mission};
use spartui::protocol::{Command, Event, Summary};
use spartui::recipe::Recipe;

/// A run that has ended.
pub struct Ran {
    pub events: Vec<Event>,
    /// None where it failed.
    pub summary: Option<Summary>,
    /// Why it failed.
    pub fault: String,
}

impl Ran {
    pub fn summary(&self) -> &Summary {
        self.summary.as_ref().unwrap_or_else(|| panic!("it failed: {}", self.fault))
    }
}

/// Runs a mission to its end; `script` hears every event and says what to ask for then.
pub fn drive(mission: impl Into<Mission>, mut script: impl FnMut(&Event) -> Vec<Command>) -> Ran {
    let engine = Engine::start_attended(mission);
    let mut ran = Ran { events: Vec::new(), summary: None, fault: String::new() };
    for event in &engine.events {
        for command in script(&event) {
            // One that comes when the run has ended is not heard.
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

pub fn launch(folder: &Path, name: &str, overrides: &[&str]) -> Launch {
    let overrides: Vec<String> = overrides.iter().map(|&assignment| assignment.to_owned()).collect();
    let recipe = Recipe::load(&folder.join("recipe.toml"), &overrides).unwrap();
    Launch { recipe, runs: folder.join("runs"), name: Some(name.into()), overwrite: false, remarks: Vec::new() }
}

/// A folder with a small classifier or a small language model, rows, and a recipe of 300 steps.
pub fn workshop(causal: bool) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let more = "[schedule]\nwarmup_steps = 5\n[train]\nepochs = 100\nbatch_size = 8\nevaluate_every = 10\ncheckpoint_every = 7\n\
                [history]\nevery = 5\n";
    if causal {
        let model = folder.path().join("model");
        std::fs::create_dir(&model).unwrap();
        for entry in std::fs::read_dir(super::golden("sparta_adapter/model")).unwrap() {
            let entry = entry.unwrap();
            std::fs::copy(entry.path(), model.join(entry.file_name())).unwrap();
        }
        super::small_recipe(folder.path(), &model, &format!("{more}[task]\nkind = \"causal-lm\"\n"));
        let words = ["the", "rain", "sun", "cat"];
        let row = |row: usize| {
            let text: Vec<&str> = (0..3 + row % 5).map(|at| words[(row * 7 + at * 3) % 4]).collect();
            format!("{{\"text\": \"{}\"}}\n", text.join(" "))
        };
        std::fs::write(folder.path().join("train.jsonl"), (0..24).map(row).collect::<String>()).unwrap();
        std::fs::write(folder.path().join("validation.jsonl"), (0..8).map(row).collect::<String>()).unwrap();
    } else {
        let model = super::small_model(folder.path());
        super::small_recipe(folder.path(), &model, more);
    }
    folder
}

/// The result of a run, file by file, and what it says of the validation rows.
pub fn result(run: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files: Vec<(PathBuf, Vec<u8>)> = std::fs::read_dir(run.join("adapter"))
        .unwrap_or_else(|error| panic!("{}: {error}", run.display()))
        .map(|entry| {
            let entry = entry.unwrap();
            (entry.file_name().into(), std::fs::read(entry.path()).unwrap())
        })
        .collect();
    assert!(files.len() > 1);
    let said = "predictions.jsonl";
    files.push((said.into(), std::fs::read(run.join(said)).unwrap_or_else(|error| panic!("{said}: {error}"))));
    files.sort();
    files
}

/// The lines of its metrics, without how long each took.
pub fn course(run: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    let lines = text.lines().map(|line| {
        let mut line: Value = serde_json::from_str(line).unwrap();
        line.as_object_mut().unwrap().remove("seconds");
        line.to_string()
    });
    lines.collect()
}

/// The lines of its journal, without when each was written and who asked.
pub fn journal(run: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(run.join("journal.jsonl")).unwrap();
    let lines = text.lines().map(|line| {
        let mut line: Value = serde_json::from_str(line).unwrap();
        line.as_object_mut().unwrap().remove("time");
        line.to_string()
    });
    lines.collect()
}
