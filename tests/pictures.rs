//! Draws the README's pictures from frames of real runs, and records a tour: `make pictures`.

#![cfg(unix)]

#[path = "support/cockpit.rs"]
mod cockpit;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cockpit::Cockpit;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};

use spartui::engine::{Engine, Launch, Race};
use spartui::interface::svg::{Ground, svg};
use spartui::interface::theme::{Depth, Themes};
use spartui::interface::{Input, Look, RaceScreen, Screen, State};
use spartui::protocol::{Command, Event};
use spartui::recipe::{Recipe, Value};

#[test]
#[ignore = "trains the demo for a minute; `make pictures` runs it"]
fn cockpit_of_a_run() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut recipe = Recipe::load(&root.join("examples/support/recipe.toml"), &[]).unwrap();
    recipe.model.path = root.join("models/all-MiniLM-L6-v2");
    let runs = tempfile::tempdir().unwrap();
    let engine = Engine::start(Launch {
        recipe,
        runs: runs.path().join("runs"),
        name: Some("demo".into()),
        overwrite: false,
        remarks: Vec::new(),
    });
    let mut state = State::new(Look::new(Themes::load(None, Depth::True), Some("dark")), (120, 40));
    let began = Instant::now();
    for event in &engine.events {
        let step = if let Event::Step(step) = &event { step.step } else { 0 };
        let set = |field: &str, value: f64| Command::Set { id: step, field: field.into(), value: Value::Float(value) };
        match step {
            110 => engine.commands.send(set("method.sparsity", 0.995)).unwrap(),
            150 => engine.commands.send(set("optimizer.learning_rate", 1e-3)).unwrap(),
            _ => {}
        }
        state.update(Input::Tick(began.elapsed()));
        state.update(Input::Engine(Box::new(event)));
        if step == 215 {
            break;
        }
    }
    engine.commands.send(Command::Abort).unwrap();
    let mut buffer = Buffer::empty(Rect::new(0, 0, 120, 40));
    state.draw_into(&mut buffer);
    std::fs::create_dir_all(root.join("docs")).unwrap();
    std::fs::write(root.join("docs/cockpit.svg"), svg(&buffer, Ground::DARK)).unwrap();
    engine.join();
}

#[test]
#[ignore = "trains six lanes of the demo for two minutes; `make pictures` runs it"]
fn lanes_of_a_race() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut recipe =
        Recipe::load(&root.join("examples/support/recipe.toml"), &["train.evaluate_every=25".into()]).unwrap();
    recipe.model.path = root.join("models/all-MiniLM-L6-v2");
    let runs = tempfile::tempdir().unwrap();
    let launch = Launch {
        recipe,
        runs: runs.path().join("runs"),
        name: Some("rates".into()),
        overwrite: false,
        remarks: Vec::new(),
    };
    let lane = |rate: f64, sparsity: f64| {
        let number = |field: &str, value: f64| (field.to_owned(), Value::Float(value));
        vec![number("optimizer.learning_rate", rate), number("method.sparsity", sparsity)]
    };
    let lanes = [0.99, 0.999].into_iter().flat_map(|sparsity| [1e-3, 3e-3, 1e-2].map(|rate| lane(rate, sparsity)));
    let engine = Engine::start(Race { launch, lanes: lanes.collect(), halve_every: None });
    let mut screen = RaceScreen::new(Look::new(Themes::load(None, Depth::True), Some("dark")));
    screen.update(Input::Resize(SIZE.0, SIZE.1));
    let began = Instant::now();
    for event in &engine.events {
        let is_last = match &event {
            Event::Lane { told, .. } => matches!(**told, Event::Step(step) if step.step == 130),
            _ => false,
        };
        screen.update(Input::Tick(began.elapsed()));
        screen.update(Input::Engine(Box::new(event)));
        if is_last {
            break;
        }
    }
    engine.commands.send(Command::Abort).unwrap();
    let mut buffer = Buffer::empty(Rect::new(0, 0, SIZE.0, SIZE.1));
    screen.draw_into(&mut buffer);
    std::fs::write(root.join("docs/race.svg"), svg(&buffer, Ground::DARK)).unwrap();
    engine.join();
}

/// Columns and rows of the pictures.
const SIZE: (u16, u16) = (120, 40);

/// What a terminal got, and when.
struct Recording {
    began: Instant,
    /// Bytes that had been written after so many seconds.
    marks: Vec<(f64, usize)>,
}

impl Recording {
    fn look(&mut self, cockpit: &Cockpit) {
        let length = cockpit.written.lock().unwrap().len();
        if self.marks.last().is_none_or(|(_, known)| *known < length) {
            self.marks.push((self.began.elapsed().as_secs_f64(), length));
        }
    }

    /// Waits until the screen shows this.
    fn shows(&mut self, cockpit: &Cockpit, holds: impl Fn(&str) -> bool) {
        let begun = Instant::now();
        while !holds(&cockpit.text()) {
            assert!(begun.elapsed() < Duration::from_secs(180), "waited in vain:\n{}", cockpit.text());
            self.rest(cockpit, 0.03);
        }
    }

    fn rest(&mut self, cockpit: &Cockpit, seconds: f64) {
        let until = Instant::now() + Duration::from_secs_f64(seconds);
        while Instant::now() < until {
            std::thread::sleep(Duration::from_millis(20));
            self.look(cockpit);
        }
    }

    /// An asciicast, version 2; a pause is never longer than `longest` seconds.
    fn cast(&self, written: &[u8], longest: f64) -> String {
        let header = serde_json::json!({ "version": 2, "width": SIZE.0, "height": SIZE.1, "title": "spartui" });
        let mut cast = format!("{header}\n");
        let (mut from, mut at, mut before) = (0, 0.0, 0.0);
        for (seconds, to) in &self.marks {
            // A character is not cut in two.
            let end = (*to..written.len()).find(|end| written[*end] & 0xc0 != 0x80).unwrap_or(written.len());
            at += (seconds - before).min(longest);
            before = *seconds;
            let text = String::from_utf8_lossy(&written[from..end]);
            cast.push_str(&format!("{}\n", serde_json::json!([(at * 1e3).round() / 1e3, "o", text])));
            from = end;
        }
        cast
    }
}

/// The screen as cells of a buffer.
fn buffer_of(screen: &vt100::Screen) -> Buffer {
    let (rows, columns) = screen.size();
    let mut buffer = Buffer::empty(Rect::new(0, 0, columns, rows));
    let colour = |colour| match colour {
        vt100::Color::Default => Color::Reset,
        vt100::Color::Idx(index) => Color::Indexed(index),
        vt100::Color::Rgb(red, green, blue) => Color::Rgb(red, green, blue),
    };
    for (row, column) in (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column))) {
        let Some(shown) = screen.cell(row, column).filter(|cell| !cell.is_wide_continuation()) else { continue };
        let mut style = Style::new().fg(colour(shown.fgcolor())).bg(colour(shown.bgcolor()));
        for (has, modifier) in [
            (shown.bold(), Modifier::BOLD),
            (shown.dim(), Modifier::DIM),
            (shown.italic(), Modifier::ITALIC),
            (shown.underline(), Modifier::UNDERLINED),
            (shown.inverse(), Modifier::REVERSED),
        ] {
            style = if has { style.add_modifier(modifier) } else { style };
        }
        let symbol = if shown.has_contents() { shown.contents() } else { " " };
        buffer[(column, row)].set_symbol(symbol).set_style(style);
    }
    buffer
}

/// The whole way of a new user, in a pseudo-terminal: pictures of the screens, and a recording.
#[test]
#[ignore = "trains for some minutes; `make pictures` runs it"]
fn tour() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("models")).unwrap();
    let model = "models/all-MiniLM-L6-v2";
    std::os::unix::fs::symlink(root.join(model), folder.path().join(model)).unwrap();
    std::fs::copy(root.join("examples/support/train.jsonl"), folder.path().join("support.jsonl")).unwrap();
    let mut cockpit = Cockpit::start_in(folder.path(), &[], &[("COLORTERM", "truecolor")]);
    cockpit.resize(SIZE.0, SIZE.1);
    let mut recording = Recording { began: Instant::now(), marks: Vec::new() };
    let picture = |cockpit: &Cockpit, name: &str| {
        let drawn = svg(&buffer_of(cockpit.screen.lock().unwrap().screen()), Ground::DARK);
        std::fs::write(root.join("docs").join(name), drawn).unwrap();
    };
    let go = |recording: &mut Recording, cockpit: &mut Cockpit, keys: &str, then: &str| {
        recording.rest(cockpit, 0.8);
        cockpit.press(keys);
        recording.shows(cockpit, |text| text.contains(then));
    };
    recording.shows(&cockpit, |text| text.contains("No runs in"));
    go(&mut recording, &mut cockpit, "n", "choose one: Enter");
    go(&mut recording, &mut cockpit, "\r", model);
    go(&mut recording, &mut cockpit, "\r", "rows, 2 columns");
    go(&mut recording, &mut cockpit, "\r", "timed");
    // One epoch would be over before all is shown.
    for key in ["/", "e", "p", "o", "c"] {
        recording.rest(&cockpit, 0.15);
        cockpit.press(key);
    }
    go(&mut recording, &mut cockpit, "\r", "›train.epochs");
    go(&mut recording, &mut cockpit, "4", "4");
    go(&mut recording, &mut cockpit, "\r", "180 steps");
    recording.rest(&cockpit, 3.0);
    picture(&cockpit, "form.svg");
    go(&mut recording, &mut cockpit, "s", "● training");
    let after = |step: u64| {
        move |text: &str| {
            let shown =
                text.split("step ").skip(1).filter_map(|rest| rest.split('/').next()?.trim().parse::<u64>().ok());
            shown.max().is_some_and(|shown| shown >= step)
        }
    };
    recording.shows(&cockpit, after(20));
    go(&mut recording, &mut cockpit, ":", "what to do");
    recording.rest(&cockpit, 0.8);
    picture(&cockpit, "palette.svg");
    go(&mut recording, &mut cockpit, "\x1b", "● training");
    go(&mut recording, &mut cockpit, "]", "Enter");
    recording.rest(&cockpit, 1.5);
    go(&mut recording, &mut cockpit, "\r", "method.sparsity");
    go(&mut recording, &mut cockpit, "p", "base");
    for letter in "where is my parcel?".chars() {
        recording.rest(&cockpit, 0.05);
        cockpit.press(&letter.to_string());
    }
    cockpit.press("\r");
    recording.shows(&cockpit, |text| text.matches('%').count() > 6);
    recording.rest(&cockpit, 2.0);
    picture(&cockpit, "playground.svg");
    // The first one may only break an answer off.
    for _ in 0..2 {
        cockpit.press("\x1b");
        recording.rest(&cockpit, 1.0);
    }
    recording.shows(&cockpit, |text| text.contains("all steps taken"));
    go(&mut recording, &mut cockpit, "q", "1 run in ./runs");
    recording.rest(&cockpit, 1.0);
    picture(&cockpit, "launcher.svg");
    go(&mut recording, &mut cockpit, "\r", "support");
    recording.rest(&cockpit, 2.0);
    picture(&cockpit, "curves.svg");
    go(&mut recording, &mut cockpit, "q", "1 run in ./runs");
    cockpit.press("q");
    let written = Arc::clone(&cockpit.written);
    assert_eq!(cockpit.ends(), 0);
    let cast = recording.cast(&written.lock().unwrap(), 1.0);
    std::fs::write(root.join("docs/tour.cast"), cast).unwrap();
}

/// What a run shows beside its curves: map, device, branches, alerts; and how two runs differ.
#[test]
#[ignore = "trains for some minutes; `make pictures` runs it"]
fn panels() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = tempfile::tempdir().unwrap();
    let model = root.join("models/all-MiniLM-L6-v2");
    let model = model.to_str().unwrap();
    let truecolor = [("COLORTERM", "truecolor")];
    let start = |arguments: &[&str]| {
        let cockpit = Cockpit::start_in(folder.path(), arguments, &truecolor);
        cockpit.resize(SIZE.0, SIZE.1);
        cockpit
    };
    let picture = |cockpit: &Cockpit, name: &str| {
        std::thread::sleep(Duration::from_millis(1500));
        let drawn = svg(&buffer_of(cockpit.screen.lock().unwrap().screen()), Ground::DARK);
        std::fs::write(root.join("docs").join(name), drawn).unwrap();
    };
    let after = |cockpit: &Cockpit, step: u64| {
        cockpit.waits("a step", |text| {
            let shown =
                text.split("step ").skip(1).filter_map(|rest| rest.split('/').next()?.trim().parse::<u64>().ok());
            shown.max().is_some_and(|shown| shown >= step)
        });
    };
    let go = |cockpit: &mut Cockpit, keys: &[&str], then: &str| {
        for key in keys {
            cockpit.press(key);
            std::thread::sleep(Duration::from_millis(150));
        }
        cockpit.shows(then);
    };
    let mut cockpit = start(&["demo", "--model", model, "--run", "support", "--set", "train.batch_size=8"]);
    after(&cockpit, 80);
    go(&mut cockpit, &["]"], "Enter");
    go(&mut cockpit, &["\r"], "0.99 → 0.995");
    after(&cockpit, 140);
    go(&mut cockpit, &["="], "Enter");
    go(&mut cockpit, &["\r"], "learning_rate");
    after(&cockpit, 210);
    go(&mut cockpit, &["9", "m"], "9 map");
    picture(&cockpit, "map.svg");
    go(&mut cockpit, &["m", "8", "m"], "8 device");
    picture(&cockpit, "device.svg");
    go(&mut cockpit, &["m", "1", "c", "g", "9", "0", "\r", "r"], "on branch 1");
    after(&cockpit, 150);
    go(&mut cockpit, &["b"], "kept state");
    picture(&cockpit, "branches.svg");
    go(&mut cockpit, &["\x1b", ":"], "what to do");
    go(&mut cockpit, &["set rate", "\r", "0.4", "\r"], "Enter applies");
    go(&mut cockpit, &["\r"], "acknowledges");
    picture(&cockpit, "alerts.svg");
    go(&mut cockpit, &["q"], "bort");
    cockpit.press("a");
    cockpit.shows("aborted");
    cockpit.press("q");
    cockpit.ends();
    let more = [
        "--set",
        "method.sparsity=0.995",
        "--set",
        "optimizer.learning_rate=1e-3",
        "--set",
        "train.max_steps=100",
        "--set",
        "train.batch_size=8",
    ];
    let mut cockpit = start(&[&["demo", "--model", model, "--run", "support-2"][..], &more].concat());
    cockpit.shows("all steps taken");
    cockpit.press("q");
    cockpit.ends();
    let mut cockpit = start(&["curves", "support", "support-2"]);
    go(&mut cockpit, &["d"], "optimizer.learning_rate");
    picture(&cockpit, "differences.svg");
    // Right behind it, q would be one key with Esc.
    cockpit.press("\x1b");
    std::thread::sleep(Duration::from_millis(500));
    cockpit.press("q");
    cockpit.ends();
}
