//! What the comparison screen shows of folders of runs, frame by frame.

#[path = "support/runs_folder.rs"]
mod runs_folder;

use std::path::Path;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use proptest::prelude::*;
use ratatui::buffer::{Buffer, Cell};
use ratatui::layout::Rect;
use spartui_facts::recipe::Value;
use spartui_interface::jobs::comparison::{Ask, carry_out};
use spartui_interface::jobs::{Done, Job};
use spartui_interface::theme::{Depth, Themes};
use spartui_interface::{ComparisonScreen, Effect, Input, Look, Outcome, Screen};
use spartui_run::{LabelRow, PredictedRows, Predictions};

use runs_folder::{run, steps};

/// A comparison with someone in front of it, and a disk that answers at once.
struct Desk {
    screen: ComparisonScreen,
    size: (u16, u16),
    left: bool,
}

impl Desk {
    fn new(runs: &Path, size: (u16, u16), theme: &str) -> Self {
        let look = Look::new(Themes::load(None, Depth::True), Some(theme));
        let names = ["sparta-1", "sparta-2", "sparta-3", "head-1", "sparser-1", "older", "other-rows"];
        let candidates = names.iter().map(|name| runs.join(name)).collect();
        let screen = ComparisonScreen::new(runs.to_owned(), candidates, Some(runs.join("sparta-2")), look);
        let mut desk = Self { screen, size, left: false };
        let effects = desk.screen.begin();
        desk.answer(effects);
        desk.input(Input::Resize(size.0, size.1));
        desk
    }

    fn input(&mut self, input: Input) {
        let effects = self.screen.update(input);
        self.answer(effects);
    }

    /// Does what is asked, but writes no file.
    fn answer(&mut self, mut effects: Vec<Effect>) {
        while let Some(effect) = effects.pop() {
            match effect {
                Effect::Job(Job::Compare(ask)) if !matches!(*ask, Ask::Write { .. }) => {
                    let done = Done::Compared(Box::new(carry_out(*ask)));
                    effects.extend(self.screen.update(Input::Done(Box::new(done))));
                }
                Effect::Quit(outcome) => {
                    assert_eq!(outcome, Outcome::Left);
                    self.left = true;
                }
                _ => {}
            }
        }
    }

    fn press(&mut self, keys: &str) {
        for key in keys.split(' ') {
            let code = match key {
                "Esc" => KeyCode::Esc,
                "Tab" => KeyCode::Tab,
                "Space" => KeyCode::Char(' '),
                "Up" => KeyCode::Up,
                "Down" => KeyCode::Down,
                text => KeyCode::Char(text.chars().next().unwrap()),
            };
            self.input(Input::Key(KeyEvent::new(code, KeyModifiers::NONE)));
        }
    }

    fn text(&self) -> String {
        let mut buffer = Buffer::empty(Rect::new(0, 0, self.size.0, self.size.1));
        self.screen.draw_into(&mut buffer);
        let rows = buffer.content().chunks(usize::from(self.size.0.max(1)));
        let lines = rows.map(|row| row.iter().map(Cell::symbol).collect::<String>().trim_end().to_owned());
        lines.collect::<Vec<_>>().join("\n")
    }
}

/// Rows that a run has right: all but those that `wrong` says.
fn predictions(folder: &Path, rows: &str, wrong: impl Fn(usize) -> bool) {
    let row = |line: usize| LabelRow { line, label: 1, predicted: usize::from(!wrong(line)), logprob: -0.5 };
    let predicted = PredictedRows::Labels { names: vec!["a".into(), "b".into()], rows: (0..90).map(row).collect() };
    let predictions = Predictions { step: 200, branch: 0, rows_hash: rows.into(), rows: predicted };
    predictions.write(&folder.join("predictions.jsonl")).unwrap();
}

fn folder() -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    let runs = root.path();
    let seed = |seed: i64| ("train.seed", Value::Integer(seed));
    let kind = |kind: &str| ("method.kind", Value::String(kind.into()));
    for (at, name) in ["sparta-1", "sparta-2", "sparta-3"].into_iter().enumerate() {
        let number = i64::try_from(at).unwrap() + 1;
        let floor = 0.2 + 0.05 * f64::from(u8::try_from(at).unwrap());
        let path = run(runs, name, 10 + at as u64, &[seed(number)], &steps(1, 200, 0, floor), "");
        predictions(&path, "same", move |row| row % (5 + at) == 0);
    }
    let path = run(runs, "head-1", 20, &[kind("head"), seed(1)], &steps(1, 200, 0, 1.5), "");
    predictions(&path, "same", |row| row % 2 == 0);
    let sparser = [("method.sparsity", Value::Float(0.999)), seed(2)];
    let path = run(runs, "sparser-1", 21, &sparser, &steps(1, 200, 0, 0.4), "");
    predictions(&path, "same", |row| row % 6 == 1);
    run(runs, "older", 22, &[("method.sparsity", Value::Float(0.95)), seed(1)], &steps(1, 200, 0, 0.3), "");
    let others = [("data.train", Value::String("/elsewhere.jsonl".into())), seed(1)];
    let path = run(runs, "other-rows", 23, &others, &steps(1, 200, 0, 0.3), "");
    predictions(&path, "others", |_| false);
    root
}

#[test]
fn three_sizes_in_three_themes() {
    let folder = folder();
    for (name, size, theme) in
        [("common", (80, 24), "dark"), ("large", (120, 40), "light"), ("huge", (200, 60), "monochrome")]
    {
        let mut desk = Desk::new(folder.path(), size, theme);
        desk.press("Down");
        insta::assert_snapshot!(format!("comparison_{name}"), desk.text());
    }
}

#[test]
fn runs_are_marked_and_settings_sorted_and_tested_against() {
    let folder = folder();
    let mut desk = Desk::new(folder.path(), (200, 60), "dark");
    // At first what has the rows of the run that it was opened from.
    assert!(desk.text().contains("6 of 7 runs · 4 settings"), "{}", desk.text());
    assert!(desk.text().contains("○ other-rows"));
    let row = |desk: &Desk, what: &str| desk.text().lines().position(|line| line.contains(what)).unwrap();
    assert!(row(&desk, "sparta, sparsity 0.99 ") < row(&desk, "head"));
    desk.press("o o o");
    assert!(desk.text().contains("by best accuracy, largest first"), "{}", desk.text());
    desk.press("r");
    assert!(row(&desk, "head") < row(&desk, "sparta, sparsity 0.99 "));
    desk.press("O O O O O O O O O O O O O O O O");
    desk.press("Down Down a");
    let text = desk.text();
    assert!(text.contains("▸ ") && text.contains("all others are tested against it"), "{text}");
    // The older run has no predictions: against it, there are no tests.
    desk.press("Tab Down Space");
    assert!(desk.text().contains("5 of 7 runs"), "{}", desk.text());
    desk.press("A");
    assert!(desk.text().contains("7 of 7 runs"), "{}", desk.text());
    desk.press("A");
    assert!(desk.text().contains("1 of 7 runs"), "{}", desk.text());
    desk.press("Space");
    assert!(desk.text().contains("no run is marked"), "{}", desk.text());
    desk.press("e");
    assert!(desk.text().contains("there is nothing to write"));
    desk.press("Esc");
    assert!(desk.left);
}

#[test]
fn it_is_written_as_the_command_writes_it() {
    let folder = folder();
    let mut desk = Desk::new(folder.path(), (100, 30), "dark");
    desk.press("e");
    insta::assert_snapshot!("comparison_write", desk.text());
    let effects = desk.screen.update(Input::Key(KeyEvent::new(KeyCode::Char('m'), KeyModifiers::NONE)));
    let [Effect::Job(Job::Compare(ask))] = &effects[..] else { panic!("nothing is written: {effects:?}") };
    let Ask::Write { format, comparison } = &**ask else { panic!("{ask:?}") };
    let text = format.write(comparison).unwrap();
    assert!(text.starts_with("| setting | runs | best accuracy |"), "{text}");
    assert!(text.contains("older has no predictions.jsonl"), "{text}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10))]
    #[test]
    fn whatever_is_pressed_it_draws(
        presses in prop::collection::vec((0_usize..16, 0_u16..220, 0_u16..70), 1..16),
        size in (1_u16..210, 1_u16..70),
    ) {
        let folder = folder();
        let mut desk = Desk::new(folder.path(), size, "dark");
        let keys = ["Tab", "Space", "Up", "Down", "o", "O", "r", "a", "A", "e", "u", "j", "?", "T", "c"];
        for (at, column, row) in presses {
            match keys.get(at) {
                Some(key) => desk.press(key),
                None => {
                    let kind = MouseEventKind::Down(MouseButton::Left);
                    desk.input(Input::Mouse(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE }));
                    let kind = MouseEventKind::ScrollDown;
                    desk.input(Input::Mouse(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE }));
                }
            }
            let text = desk.text();
            prop_assert!(size.0 < 60 || size.1 < 20 || text.contains("spartui"), "{}", text);
        }
    }
}
