//! The comparison as a screen.

use crossterm::event::MouseEvent;

use super::{ComparisonScreen, act, draw, effects, mouse};
use crate::frame::{Effect, Env, Input, Outcome, Screen};
use crate::jobs::Done;
use crate::jobs::comparison::Ask;
use crate::keys::{Action, Context};
use crate::pen::Pen;
use crate::text;
use crate::widgets::footer::Hint;

impl Screen for ComparisonScreen {
    fn env(&self) -> &Env {
        &self.env
    }

    fn env_mut(&mut self) -> &mut Env {
        &mut self.env
    }

    fn all_contexts(&self) -> &'static [Context] {
        &[
            Context::Compare,
            Context::Screen,
            Context::CompareWrite,
            Context::Text,
            Context::Help,
            Context::Palette,
            Context::Themes,
            Context::Always,
        ]
    }

    fn contexts_below(&self) -> Vec<Context> {
        if self.writing {
            vec![Context::CompareWrite, Context::Always]
        } else {
            vec![Context::Compare, Context::Screen, Context::Always]
        }
    }

    fn act(&mut self, action: Action) -> Vec<Effect> {
        act::act(self, action)
    }

    fn go_to(&mut self, _context: Context, action: Action) -> Vec<Effect> {
        act::act(self, action)
    }

    fn mouse(&mut self, event: MouseEvent, wheel: isize) -> Vec<Effect> {
        mouse::mouse(self, event, wheel)
    }

    fn receive(&mut self, input: Input) -> Vec<Effect> {
        match input {
            Input::Done(done) => match *done {
                Done::Compared(answer) => return act::receive(self, *answer),
                Done::Broken(why) => {
                    self.waits = false;
                    self.refuse(text::safe_text(&why));
                }
                _ => {}
            },
            Input::Signal(_) | Input::Hangup => return vec![Effect::Quit(Outcome::Detached)],
            _ => {}
        }
        Vec::new()
    }

    /// Keeps the selections within their lists.
    fn restore_invariants(&mut self) {
        self.row = self.row.min(self.settings().len().saturating_sub(1));
        self.run_row = self.run_row.min(self.listed().len().saturating_sub(1));
    }

    fn paint(&self, pen: &mut Pen) {
        draw::whole(pen, self);
    }

    fn own_hints(&self) -> Vec<Hint> {
        draw::hints(self)
    }

    fn begin(&mut self) -> Vec<Effect> {
        effects(vec![Ask::Runs {
            folder: self.runs_dir.clone(),
            candidates: self.candidates.clone(),
            like: self.against.clone(),
        }])
    }
}
