//! The launcher as a screen.

use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};

use super::{Dialog, Launcher, View, act, done, draw, place, typed, value};
use crate::frame::overlay::Settable;
use crate::frame::{Effect, Env, Input, Outcome, Screen, Severity};
use crate::keys::{Action, Context};
use crate::pen::Pen;
use crate::typed::Typed;
use crate::widgets::footer::Hint;
use spartui_facts::recipe::{FIELDS, Field};

impl Screen for Launcher {
    fn env(&self) -> &Env {
        &self.env
    }

    fn env_mut(&mut self) -> &mut Env {
        &mut self.env
    }

    fn all_contexts(&self) -> &'static [Context] {
        &[
            Context::Home,
            Context::Form,
            Context::Screen,
            Context::Typing,
            Context::Text,
            Context::Pick,
            Context::Facts,
            Context::Delete,
            Context::Start,
            Context::Help,
            Context::Palette,
            Context::Themes,
            Context::Always,
        ]
    }

    fn contexts_below(&self) -> Vec<Context> {
        let mut contexts = match self.layers.last() {
            Some(Dialog::Pick(_)) => vec![Context::Pick, Context::Text],
            Some(Dialog::Delete(_)) => vec![Context::Delete],
            Some(Dialog::Ask(..) | Dialog::Race(_) | Dialog::More(_)) => vec![Context::Typing, Context::Text],
            Some(Dialog::Facts) => vec![Context::Facts],
            Some(Dialog::Start(_)) => vec![Context::Start],
            None if self.is_typing() => vec![Context::Typing, Context::Text],
            None if self.view == View::Home => vec![Context::Home, Context::Screen],
            None => vec![Context::Form, Context::Screen],
        };
        contexts.push(Context::Always);
        contexts
    }

    /// In the form, every field of the recipe can be set by name.
    fn fields(&self) -> Vec<Settable> {
        if self.view == View::Home {
            return Vec::new();
        }
        let values = self.form.recipe.values();
        let field = |field: &'static Field| {
            let value = value::shown(values.get(field.name)?);
            Some(Settable { name: field.name.to_owned(), value, help: field.help })
        };
        FIELDS.iter().filter_map(field).collect()
    }

    fn set(&mut self, name: &str, text: &str) -> Vec<Effect> {
        let Ok(field) = Field::find(name) else { return Vec::new() };
        self.form.select(field.name);
        self.form.type_in();
        if let Some(typed) = self.form.typed.as_mut().filter(|_| !text.is_empty()) {
            *typed = Typed { cursor: text.chars().count(), text: text.to_owned(), fresh: false };
            return act::act(self, Action::Apply);
        }
        Vec::new()
    }

    fn act(&mut self, action: Action) -> Vec<Effect> {
        act::act(self, action)
    }

    fn go_to(&mut self, context: Context, action: Action) -> Vec<Effect> {
        let view = match context {
            Context::Home => View::Home,
            Context::Form => View::Form,
            _ => {
                self.say(Severity::Info, "available only in its own dialog");
                return Vec::new();
            }
        };
        self.layers.clear();
        self.view = view;
        if action == Action::FormStart {
            self.say(Severity::Info, "this is the run that would start");
            return self.replan();
        }
        act::act(self, action)
    }

    fn type_character(&mut self, c: char) -> Vec<Effect> {
        typed::typed(self, c)
    }

    fn paste(&mut self, text: &str) -> Vec<Effect> {
        typed::paste(self, text)
    }

    fn mouse(&mut self, event: MouseEvent, wheel: isize) -> Vec<Effect> {
        if wheel != 0 {
            return act::walk(self, wheel);
        }
        if event.kind != MouseEventKind::Down(MouseButton::Left) {
            return Vec::new();
        }
        match place::row_at(self, (event.column, event.row)) {
            Some(row) => act::click(self, row),
            None => Vec::new(),
        }
    }

    fn receive(&mut self, input: Input) -> Vec<Effect> {
        match input {
            Input::Signal(signal_hook::consts::SIGINT) => act::act(self, Action::Interrupt),
            Input::Signal(_) | Input::Hangup => vec![Effect::Quit(Outcome::Detached)],
            Input::Done(done) => done::done(self, *done),
            // No engine is connected to this screen.
            _ => Vec::new(),
        }
    }

    fn paint(&self, pen: &mut Pen) {
        draw::whole(pen, self);
    }

    fn own_hints(&self) -> Vec<Hint> {
        place::arrange(self).map_or_else(Vec::new, |places| draw::hints(&places, self))
    }

    fn begin(&mut self) -> Vec<Effect> {
        let mut effects = vec![self.watch()];
        if self.view == View::Form {
            effects.extend(self.replan());
        }
        effects
    }
}
