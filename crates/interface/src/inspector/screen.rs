//! The inspector as a screen.

use crossterm::event::MouseEvent;

use super::{Dialog, Focus, Inspector, LOOK_AGAIN, act, answers, draw, effects, mouse};
use crate::frame::{Effect, Env, Input, Outcome, Screen};
use crate::jobs::Done;
use crate::jobs::curves::Ask;
use crate::keys::{Action, Context};
use crate::pen::Pen;
use crate::widgets::footer::Hint;

impl Screen for Inspector {
    fn env(&self) -> &Env {
        &self.env
    }

    fn env_mut(&mut self) -> &mut Env {
        &mut self.env
    }

    fn all_contexts(&self) -> &'static [Context] {
        &[
            Context::Curves,
            Context::Screen,
            Context::CurvesChart,
            Context::CurvesCursor,
            Context::CurvesList,
            Context::CurvesTyping,
            Context::Text,
            Context::CurvesTable,
            Context::CurvesExport,
            Context::Help,
            Context::Palette,
            Context::Themes,
            Context::Always,
        ]
    }

    fn contexts_below(&self) -> Vec<Context> {
        let mut contexts = match (self.layer, &self.typing) {
            (Some(Dialog::Differences), _) => vec![Context::CurvesTable],
            (Some(Dialog::Export), _) => vec![Context::CurvesExport],
            (None, Some(_)) => vec![Context::CurvesTyping, Context::Text],
            (None, None) => {
                let mut contexts = match self.focus {
                    Focus::Chart if self.cursor.is_some() => vec![Context::CurvesCursor, Context::CurvesChart],
                    Focus::Chart => vec![Context::CurvesChart],
                    Focus::Runs | Focus::Metrics => vec![Context::CurvesList],
                };
                contexts.extend([Context::Curves, Context::Screen]);
                contexts
            }
        };
        contexts.push(Context::Always);
        contexts
    }

    fn act(&mut self, action: Action) -> Vec<Effect> {
        act::act(self, action)
    }

    fn go_to(&mut self, context: Context, action: Action) -> Vec<Effect> {
        act::elsewhere(self, context, action)
    }

    fn type_character(&mut self, c: char) -> Vec<Effect> {
        act::type_character(self, c);
        Vec::new()
    }

    fn mouse(&mut self, event: MouseEvent, wheel: isize) -> Vec<Effect> {
        mouse::mouse(self, event, wheel)
    }

    fn receive(&mut self, input: Input) -> Vec<Effect> {
        match input {
            Input::Done(done) => match *done {
                Done::Curves(answer) => return effects(answers::receive(self, *answer)),
                Done::Broken(why) => self.refuse(why),
                _ => {}
            },
            Input::Signal(_) | Input::Hangup => return vec![Effect::Quit(Outcome::Detached)],
            _ => {}
        }
        Vec::new()
    }

    /// Checks periodically whether the runs have new metrics.
    fn changed(&mut self, input: &Input) -> Vec<Effect> {
        let Input::Tick(now) = input else { return Vec::new() };
        if now.saturating_sub(self.looked) < LOOK_AGAIN {
            return Vec::new();
        }
        self.looked = *now;
        effects(answers::look_again(self))
    }

    fn restore_invariants(&mut self) {
        self.settle_colours();
    }

    fn paint(&self, pen: &mut Pen) {
        draw::whole(pen, self);
    }

    fn own_hints(&self) -> Vec<Hint> {
        draw::hints(self)
    }

    fn begin(&mut self) -> Vec<Effect> {
        let mut asks = vec![Ask::List(self.runs_dir.clone())];
        for run in self.runs.iter_mut().filter(|run| run.shown) {
            asks.extend(run.ask());
        }
        effects(asks)
    }

    fn moves(&self) -> bool {
        self.runs.iter().any(|run| run.shown && run.is_live())
    }
}
