//! A user in front of the inspector, and a disk that answers at once.

#![allow(dead_code, reason = "each test uses its part")]

use std::path::{Path, PathBuf};

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::buffer::{Buffer, Cell};
use ratatui::layout::Rect;
use spartui_interface::jobs::curves::{Ask, carry_out};
use spartui_interface::jobs::{Done, Job};
use spartui_interface::theme::{Depth, Themes};
use spartui_interface::{Effect, Input, Inspector, Look, Outcome, Screen};

/// An inspector with someone in front of it, and a disk that answers at once.
pub struct Desk {
    pub inspector: Inspector,
    pub size: (u16, u16),
    pub left: bool,
}

impl Desk {
    pub fn new(runs: &Path, selected: &[&str], size: (u16, u16), theme: &str) -> Self {
        let look = Look::new(Themes::load(None, Depth::True), Some(theme));
        let selected = selected.iter().map(|run| runs.join(run)).collect();
        let mut desk = Self { inspector: Inspector::new(runs.to_owned(), selected, look), size, left: false };
        let effects = desk.inspector.begin();
        desk.answer(effects);
        desk.input(Input::Resize(size.0, size.1));
        desk
    }

    pub fn input(&mut self, input: Input) {
        let effects = self.inspector.update(input);
        self.answer(effects);
    }

    /// Does what is asked, but writes no file.
    pub fn answer(&mut self, mut effects: Vec<Effect>) {
        while let Some(effect) = effects.pop() {
            match effect {
                Effect::Job(Job::Curves(ask)) if !matches!(*ask, Ask::Export(_)) => {
                    let done = Done::Curves(Box::new(carry_out(*ask)));
                    effects.extend(self.inspector.update(Input::Done(Box::new(done))));
                }
                Effect::Quit(outcome) => {
                    assert_eq!(outcome, Outcome::Left);
                    self.left = true;
                }
                _ => {}
            }
        }
    }

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
                "Home" => KeyCode::Home,
                "End" => KeyCode::End,
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

    pub fn frame(&self) -> Buffer {
        let mut buffer = Buffer::empty(Rect::new(0, 0, self.size.0, self.size.1));
        self.inspector.draw_into(&mut buffer);
        buffer
    }

    pub fn text(&self) -> String {
        let frame = self.frame();
        let rows = frame.content().chunks(usize::from(self.size.0.max(1)));
        let lines = rows.map(|row| row.iter().map(Cell::symbol).collect::<String>().trim_end().to_owned());
        lines.collect::<Vec<_>>().join("\n")
    }

    /// What it asks to be written, written into a folder: the name of the file.
    pub fn write(&mut self, keys: &str, folder: &Path) -> PathBuf {
        let (last, before) = (keys.len() - 1, &keys[..keys.len() - 1]);
        self.press(before);
        let c = keys.as_bytes()[last] as char;
        let effects = self.inspector.update(Input::Key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE)));
        let [Effect::Job(Job::Curves(ask))] = &effects[..] else { panic!("nothing is written: {effects:?}") };
        let Ask::Export(export) = &**ask else { panic!("{ask:?}") };
        folder.join(export.write(folder).expect("written"))
    }
}
