//! The trait of all screens, and what the frame does for each: keys, overlays, notices, sizes and themes.

use std::time::Duration;

use crossterm::event::{KeyEvent, MouseEvent, MouseEventKind};
use ratatui::Frame;
use ratatui::buffer::Buffer;

use super::input::{Effect, Input};
use super::overlay::{Answer, Scope, Settable};
use super::{Env, Overlay, Severity};
use crate::keys::{Action, Context, Press};
use crate::pen::Pen;
use crate::widgets::footer::Hint;

/// A screen. What all screens have in common is implemented once, in the two methods that no screen overrides:
/// [`Screen::update`] and [`Screen::draw`]. A screen touches neither disk nor network; it requests effects instead.
pub trait Screen {
    /// The fields that every screen has.
    fn env(&self) -> &Env;

    /// As [`Screen::env`], mutable.
    fn env_mut(&mut self) -> &mut Env;

    /// All its contexts, in the order of its help for those that are not active.
    fn all_contexts(&self) -> &'static [Context];

    /// The active contexts without those of an overlay, the nearest first.
    fn contexts_below(&self) -> Vec<Context>;

    /// The fields that can be set from the palette.
    fn fields(&self) -> Vec<Settable> {
        Vec::new()
    }

    /// Sets a field by name.
    fn set(&mut self, _field: &str, _value: &str) -> Vec<Effect> {
        Vec::new()
    }

    /// Runs an action of an active context.
    fn act(&mut self, action: Action) -> Vec<Effect>;

    /// Runs an action chosen by name whose context is not active: focuses its context, and runs it unless it needs
    /// confirmation.
    fn go_to(&mut self, context: Context, action: Action) -> Vec<Effect>;

    /// Handles a typed character that is bound to no key.
    fn type_character(&mut self, _c: char) -> Vec<Effect> {
        Vec::new()
    }

    /// Handles pasted text.
    fn paste(&mut self, text: &str) -> Vec<Effect> {
        text.chars().filter(|c| !c.is_control()).flat_map(|c| self.type_character(c)).collect()
    }

    /// Handles the mouse: the wheel by this many notches (down is 1), or a button.
    fn mouse(&mut self, event: MouseEvent, wheel: isize) -> Vec<Effect>;

    /// Handles an external input: an event of the engine, the result of a job, a signal.
    fn receive(&mut self, input: Input) -> Vec<Effect>;

    /// Handles a change of time, size or background, which [`Screen::env`] has already.
    fn changed(&mut self, _input: &Input) -> Vec<Effect> {
        Vec::new()
    }

    /// The screen that covers this one, if there is one.
    fn inner(&self) -> Option<&dyn Screen> {
        None
    }

    /// Offers an input to the covering screen; returns its effects, and the input if this screen is to handle it.
    fn offer(&mut self, input: Input) -> (Vec<Effect>, Option<Input>) {
        (Vec::new(), Some(input))
    }

    /// Restores invariants after an input.
    fn restore_invariants(&mut self) {}

    /// Draws the screen itself on a painted background.
    fn paint(&self, pen: &mut Pen);

    /// Its key hints, each with its place: a click there presses the key.
    fn own_hints(&self) -> Vec<Hint>;

    /// The effects to run when it is opened, before any input.
    fn begin(&mut self) -> Vec<Effect> {
        Vec::new()
    }

    /// Whether something on it changes without input.
    fn moves(&self) -> bool {
        false
    }

    /// While past events are replayed, their time.
    fn past(&self) -> Option<Duration> {
        None
    }

    /// The active contexts, the nearest first.
    fn contexts(&self) -> Vec<Context> {
        self.env().overlay.as_ref().map_or_else(|| self.contexts_below(), Overlay::contexts)
    }

    /// Handles an input.
    fn update(&mut self, input: Input) -> Vec<Effect> {
        let (mut effects, input) = self.offer(input);
        if let Some(input) = input {
            effects.extend(answer(self, input));
        }
        self.restore_invariants();
        effects
    }

    /// Draws the screen without changing its state.
    fn draw(&self, frame: &mut Frame) {
        self.draw_into(frame.buffer_mut());
    }

    /// Draws into a buffer of any size.
    fn draw_into(&self, buffer: &mut Buffer) {
        if let Some(inner) = self.inner() {
            inner.draw_into(buffer);
            self.env().look.paint_over(buffer, |pen| self.paint_over_inner(pen));
            return;
        }
        let env = self.env();
        env.look.paint(buffer, |pen| {
            self.paint(pen);
            if let Some(overlay) = &env.overlay {
                let below = self.contexts_below();
                overlay.draw(pen, &env.look, &scope(self, &below));
            }
        });
    }

    /// Draws over the covering screen.
    fn paint_over_inner(&self, _pen: &mut Pen) {}

    /// The key hints on what is shown.
    fn hints(&self) -> Vec<Hint> {
        self.inner().map_or_else(|| self.own_hints(), Screen::hints)
    }

    /// Whether something on what is shown changes without input, so that ticks are needed.
    fn animated(&self) -> bool {
        self.env().notice.is_some() || self.moves() || self.inner().is_some_and(Screen::animated)
    }
}

fn scope<'a, S: Screen + ?Sized>(screen: &S, below: &'a [Context]) -> Scope<'a> {
    Scope { size: screen.env().size, contexts: screen.all_contexts(), active: below, fields: screen.fields() }
}

fn answer<S: Screen + ?Sized>(screen: &mut S, input: Input) -> Vec<Effect> {
    match input {
        Input::Key(event) => key(screen, event),
        Input::Mouse(event) => mouse(screen, event),
        Input::Paste(text) => match &mut screen.env_mut().overlay {
            Some(overlay) => {
                text.chars().filter(|c| !c.is_control()).for_each(|c| overlay.insert(c));
                Vec::new()
            }
            None => screen.paste(&text),
        },
        Input::Resize(columns, rows) => {
            screen.env_mut().size = (columns, rows);
            screen.changed(&input)
        }
        Input::Background { light } => {
            screen.env_mut().look.fit(light);
            screen.changed(&input)
        }
        Input::Tick(now) => {
            let env = screen.env_mut();
            env.now = now;
            if env.notice.as_ref().is_some_and(|notice| notice.is_over(now)) {
                env.notice = None;
            }
            screen.changed(&input)
        }
        input => screen.receive(input),
    }
}

fn key<S: Screen + ?Sized>(screen: &mut S, event: KeyEvent) -> Vec<Effect> {
    let below = screen.contexts_below();
    if screen.env().overlay.is_some() {
        let answer = over(screen, &below, |env, scope| Overlay::key(&mut env.overlay, &mut env.look, scope, event));
        return match answer {
            Answer::Nothing => Vec::new(),
            Answer::Do(context, action) if below.contains(&context) => act(screen, action),
            Answer::Do(context, action) => {
                in_common(screen.env_mut(), action).unwrap_or_else(|| screen.go_to(context, action))
            }
            Answer::Set(field, value) => screen.set(&field, &value),
        };
    }
    if let Some(action) = screen.env().look.keys.action(&below, event) {
        return act(screen, action);
    }
    Press::typed(event).map_or_else(Vec::new, |c| screen.type_character(c))
}

/// Runs something of the overlay that needs the scope of the screen.
fn over<S: Screen + ?Sized, T>(screen: &mut S, below: &[Context], does: impl FnOnce(&mut Env, &Scope) -> T) -> T {
    let (size, contexts, fields) = (screen.env().size, screen.all_contexts(), screen.fields());
    does(screen.env_mut(), &Scope { size, contexts, active: below, fields })
}

/// Runs an action of an active context.
fn act<S: Screen + ?Sized>(screen: &mut S, action: Action) -> Vec<Effect> {
    in_common(screen.env_mut(), action).unwrap_or_else(|| screen.act(action))
}

/// Runs an action that all screens share; none if it is the screen's own.
fn in_common(env: &mut Env, action: Action) -> Option<Vec<Effect>> {
    if let Some(overlay) = Overlay::opened_by(action, &env.look) {
        env.overlay = Some(overlay);
        return Some(Vec::new());
    }
    match action {
        Action::Redraw => return Some(vec![Effect::Redraw]),
        Action::Suspend => match env.look.suspend() {
            Ok(effect) => return Some(vec![effect]),
            Err(why) => env.say(Severity::Warning, why),
        },
        Action::NextTheme => {
            let said = env.look.choose_next();
            env.say(Severity::Info, said);
        }
        _ => return None,
    }
    Some(Vec::new())
}

fn mouse<S: Screen + ?Sized>(screen: &mut S, event: MouseEvent) -> Vec<Effect> {
    let wheel = match event.kind {
        MouseEventKind::ScrollDown => 1,
        MouseEventKind::ScrollUp => -1,
        _ => 0,
    };
    if screen.env().overlay.is_none() {
        return screen.mouse(event, wheel);
    }
    if wheel != 0 {
        let below = screen.contexts_below();
        over(screen, &below, |env, scope| Overlay::scroll(&mut env.overlay, &mut env.look, scope, wheel));
    }
    Vec::new()
}
