//! The one loop: what comes in, what is drawn, what goes out.

use std::io;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, TryRecvError, at, never, select, unbounded};
use crossterm::event::{Event as TerminalEvent, MouseButton, MouseEventKind};
use ratatui::Terminal;
use ratatui::backend::Backend;
use signal_hook::consts::{SIGCONT, SIGTSTP};

mod pacer;

pub use super::terminal::Line;

use super::frame::{Effect, Input, Outcome, Screen};
use super::input::InputThread;
use super::jobs::Jobs;
use super::terminal::{Suspension, Who};
use super::widgets::footer;
use pacer::Pacer;

use crate::protocol::{News, Request};

/// The most events that are taken in before the screen gets its turn.
const BATCH: usize = 10_000;

/// Where input comes from and commands go to. What there is none of is [`crossbeam_channel::never`].
#[derive(Debug)]
pub struct Sources {
    /// Keys, mouse, new sizes. Disconnected means that the terminal is gone.
    pub input: Receiver<TerminalEvent>,
    /// Whether the terminal's background is light, once it has said so.
    pub background: Receiver<bool>,
    /// What the engine tells.
    pub news: Receiver<News>,
    /// What the engine is asked. Sending must never block, so the channel is unbounded.
    pub requests: Sender<Request>,
    /// SIGINT, SIGTERM, SIGHUP; SIGTSTP and SIGCONT, where the terminal can be left.
    pub signals: Receiver<i32>,
    /// Leaves the terminal to the shell; none where there is no terminal.
    pub suspension: Option<Suspension>,
    /// Whether the terminal is at the end of a network connection.
    pub remote: bool,
    /// What leads to the terminal.
    pub line: Line,
    /// Time since the engine began.
    pub elapsed: Duration,
}

/// Whether this process runs at the end of an SSH connection.
#[must_use]
pub fn is_remote() -> bool {
    ["SSH_CONNECTION", "SSH_TTY"].iter().any(|name| std::env::var_os(name).is_some())
}

impl Sources {
    /// Of a screen that shows no run: there are keys and signals only.
    #[must_use]
    pub fn without_engine(
        thread: &InputThread,
        signals: Receiver<i32>,
        suspension: Option<Suspension>,
        line: Line,
    ) -> Self {
        let (requests, _) = unbounded();
        let (input, background) = (thread.events(), thread.background());
        Self {
            input,
            background,
            news: never(),
            requests,
            signals,
            suspension,
            remote: is_remote(),
            line,
            elapsed: Duration::ZERO,
        }
    }
}

/// Shows a screen until the user leaves it, or the terminal goes. A terminal that cannot be written to is gone: a run
/// goes on without an interface then, so there is no way to fail.
pub fn run<B: Backend, S: Screen>(terminal: &mut Terminal<B>, screen: &mut S, mut sources: Sources) -> Outcome {
    let now = Instant::now();
    let began = now.checked_sub(sources.elapsed).unwrap_or(now);
    let mut pacer = Pacer::new(now, sources.remote, sources.line.clone());
    let mut jobs = Jobs::default();
    let mut effects = Vec::new();
    if let Ok(size) = terminal.size() {
        effects.extend(screen.update(Input::Resize(size.width, size.height)));
    }
    effects.extend(screen.begin());
    let mut stop = None;
    loop {
        for effect in effects {
            match effect {
                Effect::Quit(outcome) => return outcome,
                // The engine may have ended a moment ago; its last event tells then.
                Effect::Send(command) => drop(sources.requests.send(Request::Command(command))),
                Effect::TakeOver => drop(sources.requests.send(Request::TakeOver)),
                Effect::Job(job) => jobs.begin(job),
                Effect::Redraw => {}
                Effect::Suspend => stop = Some(Who::Job),
            }
        }
        if let Some(who) = stop.take() {
            let Ok(size) = left_to_shell(terminal, sources.suspension.as_ref(), who) else { return Outcome::Detached };
            pacer.input();
            if let Some(size) = size {
                effects = screen.update(size);
                continue;
            }
        }
        if pacer.due(Instant::now()) {
            let drawing = Instant::now();
            if terminal.draw(|frame| screen.draw(frame)).is_err() {
                return Outcome::Detached;
            }
            pacer.drawn(drawing);
        }
        let alarm = pacer.next(screen.animated()).map_or_else(never, at);
        let mut inputs = Vec::new();
        select! {
            recv(sources.input) -> event => inputs.push(event.map_or(Some(Input::Hangup), Input::from_terminal)),
            recv(sources.news) -> news => inputs.push(Some(news.map_or(Input::EngineGone, Input::from_engine))),
            recv(sources.signals) -> signal => match signal {
                Ok(SIGTSTP) => stop = Some(Who::Process),
                Ok(SIGCONT) => {
                    let Ok(size) = taken_again(terminal, sources.suspension.as_ref()) else { return Outcome::Detached };
                    inputs.push(size);
                }
                Ok(signal) => inputs.push(Some(Input::Signal(signal))),
                Err(_) => sources.signals = never(),
            },
            recv(sources.background) -> light => match light {
                Ok(light) => inputs.push(Some(Input::Background { light })),
                Err(_) => sources.background = never(),
            },
            recv(jobs.done()) -> done => inputs.push(done.ok().map(Input::from_job)),
            recv(alarm) -> _ => pacer.tick(Instant::now()),
        }
        drain(&mut sources, &mut inputs);
        effects = take_in(terminal, screen, &mut pacer, inputs.into_iter().flatten(), began.elapsed());
    }
}

/// Takes all that waits, so that a burst of steps costs one frame.
fn drain(sources: &mut Sources, inputs: &mut Vec<Option<Input>>) {
    while let Ok(event) = sources.input.try_recv() {
        inputs.push(Input::from_terminal(event));
    }
    for _ in 0..BATCH {
        match sources.news.try_recv() {
            Ok(news) => inputs.push(Some(Input::from_engine(news))),
            Err(TryRecvError::Empty) => return,
            Err(TryRecvError::Disconnected) => {
                inputs.push(Some(Input::EngineGone));
                sources.news = never();
                return;
            }
        }
    }
}

/// Brings the screen up to date; the effects that are the loop's business.
fn take_in<B: Backend, S: Screen>(
    terminal: &mut Terminal<B>,
    screen: &mut S,
    pacer: &mut Pacer,
    inputs: impl Iterator<Item = Input>,
    now: Duration,
) -> Vec<Effect> {
    let mut effects = screen.update(Input::Tick(screen.past().unwrap_or(now)));
    for input in inputs {
        let input = clicked(screen, input);
        match input {
            Input::Engine(_) | Input::News(_) | Input::EngineGone => pacer.data(),
            _ => pacer.input(),
        }
        effects.extend(screen.update(input));
    }
    // What had happened earlier was taken in at its own time; the screen shows the present.
    effects.extend(screen.update(Input::Tick(now)));
    if effects.contains(&Effect::Redraw) {
        redraw(terminal);
    }
    effects
}

/// A click on a key that is named on the screen is that key.
fn clicked<S: Screen>(screen: &S, input: Input) -> Input {
    match input {
        Input::Mouse(mouse) if mouse.kind == MouseEventKind::Down(MouseButton::Left) => {
            footer::clicked(&screen.hints(), (mouse.column, mouse.row)).map_or(Input::Mouse(mouse), Input::Key)
        }
        input => input,
    }
}

/// Has the next frame write every cell; the size that the terminal has.
fn redraw<B: Backend>(terminal: &mut Terminal<B>) -> Option<Input> {
    // `Terminal::clear` would ask the terminal where its cursor is, on the standard output that leads elsewhere, and
    // wait for an answer; a new size clears too. A terminal that cannot be cleared fails at the next frame too.
    let size = terminal.size().ok()?;
    terminal.resize(size.into()).ok()?;
    Some(Input::Resize(size.width, size.height))
}

/// Leaves the terminal to the shell until the process goes on; the size that the terminal has then, which nobody told
/// a process that was stopped.
fn left_to_shell<B: Backend>(
    terminal: &mut Terminal<B>,
    suspension: Option<&Suspension>,
    who: Who,
) -> io::Result<Option<Input>> {
    let Some(suspension) = suspension else { return Ok(None) };
    suspension.suspend(who)?;
    Ok(redraw(terminal))
}

/// After somebody else stopped the process and let it go on: the shell has had the terminal meanwhile.
fn taken_again<B: Backend>(terminal: &mut Terminal<B>, suspension: Option<&Suspension>) -> io::Result<Option<Input>> {
    match suspension.filter(|suspension| suspension.continued()) {
        Some(suspension) => suspension.retake().map(|()| redraw(terminal)),
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests;
