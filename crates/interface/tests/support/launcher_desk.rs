//! A user in front of the launcher, and a disk that only pretends.

#![allow(dead_code, reason = "each test uses its part")]
#![expect(clippy::cast_precision_loss, reason = "the numbers are made up, and small")]

use std::path::PathBuf;
use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use spartui_data::{Sample, SampledColumn};
use spartui_facts::protocol::{
    Evaluation, Group, Memory, ModelSummary, Planned, PlannedData, PlannedMemory, PlannedRate, PlannedRows,
    PlannedTime, Sparsity,
};
use spartui_facts::recipe::Recipe;
use spartui_interface::jobs::{Done, Entry, FoundModel, FoundRecipe, Job, KnownRun, Spark};
use spartui_interface::launcher::{Launcher, Place};
use spartui_interface::theme::{Depth, Themes};
use spartui_interface::{Effect, Input, Look, Screen};
use spartui_run::{ListedRun, State};

/// The launcher with someone in front of it.
pub struct Desk {
    pub launcher: Launcher,
    pub effects: Vec<Effect>,
    seconds: f64,
}

impl Desk {
    pub fn new(size: (u16, u16), theme: &str) -> Self {
        let place = Place {
            folder: "/home/ada/tickets".into(),
            runs: "runs".into(),
            program: "/usr/bin/spartui".into(),
            cache: None,
            home: Some("/home/ada".into()),
            zone: 3600,
        };
        let look = Look::new(Themes::load(None, Depth::True), Some(theme));
        let mut desk = Self { launcher: Launcher::new(look, place), effects: Vec::new(), seconds: 0.0 };
        desk.input(Input::Resize(size.0, size.1));
        desk.effects = desk.launcher.begin();
        desk
    }

    pub fn input(&mut self, input: Input) {
        self.effects.extend(self.launcher.update(input));
    }

    pub fn done(&mut self, done: Done) {
        self.input(Input::Done(Box::new(done)));
    }

    pub fn pass(&mut self, seconds: f64) {
        self.seconds += seconds;
        self.input(Input::Tick(Duration::from_secs_f64(self.seconds)));
    }

    /// Presses keys, one after another, by their names; what is no name is typed.
    pub fn press(&mut self, keys: &str) {
        for key in keys.split(' ') {
            let code = match key {
                "Enter" => KeyCode::Enter,
                "Esc" => KeyCode::Esc,
                "Tab" => KeyCode::Tab,
                "Space" => KeyCode::Char(' '),
                "Up" => KeyCode::Up,
                "Down" => KeyCode::Down,
                "Left" => KeyCode::Left,
                "Right" => KeyCode::Right,
                "PageDown" => KeyCode::PageDown,
                "Backspace" => KeyCode::Backspace,
                "Ctrl-C" => {
                    self.input(Input::Key(KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL)));
                    continue;
                }
                text => {
                    for c in text.chars() {
                        self.input(Input::Key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE)));
                    }
                    continue;
                }
            };
            self.input(Input::Key(KeyEvent::new(code, KeyModifiers::NONE)));
        }
    }

    /// What was asked for since the last time.
    pub fn asked(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    /// The jobs that were asked for since the last time.
    pub fn jobs(&mut self) -> Vec<Job> {
        let job = |effect| match effect {
            Effect::Job(job) => Some(job),
            _ => None,
        };
        self.asked().into_iter().filter_map(job).collect()
    }

    /// The name of the newest plan that was asked for.
    pub fn plan_id(&self) -> u64 {
        self.launcher.form.plan.id
    }

    pub fn tell_plan(&mut self, parts: Vec<Planned>) {
        let id = self.plan_id();
        for part in parts {
            self.done(Done::Planned(id, Some(Box::new(part))));
        }
    }

    /// A form with a model and rows, of which all is known.
    pub fn planned(size: (u16, u16), theme: &str) -> Self {
        let mut desk = Self::new(size, theme);
        desk.done(Done::Runs(Ok(runs())));
        desk.press("n Enter");
        desk.done(Done::Models(models()));
        desk.press("Enter");
        desk.done(Done::Listed("/home/ada/tickets".into(), Ok(files())));
        desk.done(Done::Sampled("tickets.csv".into(), Box::new(Ok(sample()))));
        desk.press("Enter");
        desk.done(Done::Sampled("tickets.csv".into(), Box::new(Ok(sample()))));
        desk.tell_plan(plan());
        let id = desk.plan_id();
        desk.done(Done::Planned(id, None));
        desk.pass(30.0);
        desk
    }

    /// The screen.
    pub fn frame(&self) -> Buffer {
        let (columns, rows) = self.launcher.env.size;
        let mut terminal = Terminal::new(TestBackend::new(columns, rows)).expect("a terminal");
        terminal.draw(|frame| self.launcher.draw(frame)).expect("drawn");
        terminal.backend().buffer().clone()
    }

    /// The screen's text.
    pub fn text(&self) -> String {
        let frame = self.frame();
        let width = usize::from(frame.area.width.max(1));
        let lines = frame.content().chunks(width).map(|row| {
            let line: String = row.iter().map(ratatui::buffer::Cell::symbol).collect();
            line.trim_end().to_owned()
        });
        lines.collect::<Vec<_>>().join("\n")
    }
}

pub fn run(name: &str, state: Option<State>, started: f64) -> KnownRun {
    let mut spark = Spark::default();
    let steps = 120;
    for step in 1..=steps {
        spark.push(step, 2.5 / (1.0 + step as f64 / 20.0) + ((step * 7) % 11) as f64 * 0.02);
    }
    KnownRun {
        run: ListedRun {
            name: name.into(),
            folder: PathBuf::from("/home/ada/tickets/runs").join(name),
            state,
            steps: Some(steps),
            total_steps: Some(if state == Some(State::Completed) { steps } else { 400 }),
            best_accuracy: Some(0.915),
            best: None,
            method: Some("sparta".into()),
            model: Some("all-MiniLM-L6-v2".into()),
            started: Some(started),
            problem: (state == Some(State::Failed)).then(|| "the loss is not a number at step 121".into()),
            tags: Vec::new(),
            note: String::new(),
            lanes: Vec::new(),
            out: false,
        },
        sparsity: Some(0.995),
        loss: Some(0.4321),
        best: Some(Evaluation {
            step: 100,
            eval_loss: 0.39,
            accuracy: 0.915,
            mcc: Some(0.9),
            examples: 300,
            seconds: 1.0,
            branch: 0,
        }),
        spark,
        lanes: Vec::new(),
        varied: None,
    }
}

pub fn runs() -> Vec<KnownRun> {
    let mut damaged = run("half-copied", None, 0.0);
    damaged.run.problem = Some("status.json cannot be read: No such file or directory".into());
    (damaged.spark, damaged.best, damaged.loss, damaged.sparsity) = (Spark::default(), None, None, None);
    (damaged.run.steps, damaged.run.total_steps, damaged.run.best_accuracy) = (None, None, None);
    vec![
        run("tickets-4", Some(State::Completed), 1_764_000_400.0),
        run("tickets-3", Some(State::Running), 1_764_000_300.0),
        run("tickets-2", Some(State::Interrupted), 1_764_000_200.0),
        run("tickets", Some(State::Failed), 1_764_000_100.0),
        damaged,
    ]
}

pub fn models() -> Vec<FoundModel> {
    let model = |name: &str, family: &str, bytes, cached| FoundModel {
        name: name.into(),
        family: family.into(),
        bytes,
        cached,
    };
    vec![
        model("models/all-MiniLM-L6-v2", "bert", 90_868_376, false),
        model("models/tiny-llama", "llama", 1_200_000, false),
        model("meta/small-llm", "llama", 2_471_645_608, true),
    ]
}

pub fn files() -> Vec<Entry> {
    let entry = |name: &str, folder, bytes| Entry { name: name.into(), folder, bytes, family: None };
    vec![
        entry("tickets.csv", false, 15_300),
        entry("validation.jsonl", false, 2_048),
        entry("archive", true, 4096),
        entry("models", true, 4096),
    ]
}

pub fn sample() -> Sample {
    let rows: Vec<Vec<String>> = [
        ("where is my parcel 4711", "delivery"),
        ("I want my money back for order 12", "refund"),
        ("I cannot sign in to my account", "login"),
        ("漢字 and \x1b[2J control", "login"),
    ]
    .into_iter()
    .map(|(text, label)| vec![text.to_owned(), label.to_owned()])
    .collect();
    let labels = [("delivery", 140), ("refund", 90), ("login", 70)];
    Sample {
        columns: vec![
            SampledColumn { name: "review".into(), filled: 300, characters: 9_000, nested: false, values: None },
            SampledColumn {
                name: "category".into(),
                filled: 300,
                characters: 2_000,
                nested: false,
                values: Some(labels.iter().map(|(label, count)| ((*label).to_owned(), *count)).collect()),
            },
        ],
        rows,
        count: 300,
        whole: true,
        bad: 1,
        first_bad: Some((17, "has 3 fields where the header has 2".into())),
        read_as: None,
    }
}

pub fn plan() -> Vec<Planned> {
    let rows = |rows, longest| PlannedRows {
        rows,
        tokens: rows * 14,
        learned: 0,
        median: 14,
        longest,
        lengths: vec![1, 4, 12, 30, 22, 9, 3, 1],
        left_out: None,
        read_as: None,
    };
    let group = |name: &str, trainable| Group {
        name: name.into(),
        parameters: 884_736,
        trainable,
        targeted: trainable > 0,
        whole: false,
        density: None,
        by_layer: vec![trainable / 6; 6],
        layers: Vec::new(),
        surviving: None,
        delta_rms: 0.0,
    };
    let memory = Memory {
        step: 0,
        weights: 90_900_000,
        deltas: 40_100_000,
        moments: 1_800_000,
        activations: 160_000_000,
        data: 2_000_000,
        program: 60_000_000,
        other: 0,
        total: 354_800_000,
        limit: 16_400_000_000,
        peak: 0,
    };
    vec![
        Planned::Data(PlannedData {
            train: rows(270, 31),
            validation: rows(30, 24),
            labels: vec![("delivery".into(), 126, 14), ("login".into(), 63, 7), ("refund".into(), 81, 9)],
            findings: Vec::new(),
        }),
        Planned::Model(ModelSummary {
            name: "all-MiniLM-L6-v2".into(),
            family: "bert".into(),
            parameters: 22_714_371,
            layers: 6,
            hidden: 384,
            dtype: "float32".into(),
            device: "cpu".into(),
        }),
        Planned::Sparsity(Sparsity {
            step: 0,
            parameters: 22_714_371,
            trainable: 227_143,
            head: 149_000,
            retired: 0,
            sparsity: 0.99,
            groups: vec![group("query", 0), group("value", 113_000), group("attention.output", 113_000)],
            remark: None,
        }),
        Planned::Rate(PlannedRate { rate: 5e-3, basis: "sparta, 1 % trains".into(), head: Some(0.02) }),
        Planned::Memory(PlannedMemory { memory, parts: vec![("weights".into(), 90_900_000)], warning: None }),
        Planned::Time(PlannedTime {
            step_ms: 182.4,
            measured: 12,
            total_steps: 12,
            steps_per_epoch: 12,
            evaluation_seconds: 0.8,
            evaluations: 1,
            seconds: 3.0,
        }),
    ]
}

pub fn recipes() -> Vec<FoundRecipe> {
    let mut recipe = Recipe::default();
    recipe.model.path = "/home/ada/tickets/models/all-MiniLM-L6-v2".into();
    recipe.data.train = "/home/ada/tickets/tickets.csv".into();
    recipe.train.epochs = 6.0;
    vec![
        FoundRecipe { path: "runs/recipes/tickets.toml".into(), recipe: Ok(Box::new(recipe)) },
        FoundRecipe {
            path: "broken.toml".into(),
            recipe: Err("broken.toml: line 2: expected a value; fix the TOML".into()),
        },
    ]
}
