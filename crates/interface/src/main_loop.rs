//! The main loop: it reads inputs, draws frames and carries out effects.

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

use spartui_facts::protocol::{Request, ServerMessage};

/// The most events handled before the next frame.
const BATCH: usize = 10_000;

/// The sources of input and the destinations of commands. Missing ones are [`crossbeam_channel::never`].
#[derive(Debug)]
pub struct Sources {
    /// Keys, mouse, resizes. Disconnected means that the terminal is gone.
    pub input: Receiver<TerminalEvent>,
    /// Whether the terminal's background is light, once it is reported.
    pub background: Receiver<bool>,
    /// Messages from the engine.
    pub news: Receiver<ServerMessage>,
    /// Requests to the engine. Sending must never block, so the channel is unbounded.
    pub requests: Sender<Request>,
    /// SIGINT, SIGTERM, SIGHUP; also SIGTSTP and SIGCONT if the program can be suspended.
    pub signals: Receiver<i32>,
    /// Suspends the program to the shell; none without a terminal.
    pub suspension: Option<Suspension>,
    /// Whether the terminal is remote.
    pub remote: bool,
    /// The connection to the terminal.
    pub line: Line,
    /// Time since the engine started.
    pub elapsed: Duration,
}

/// Whether this process runs in an SSH session.
#[must_use]
pub fn is_remote() -> bool {
    ["SSH_CONNECTION", "SSH_TTY"].iter().any(|name| std::env::var_os(name).is_some())
}

impl Sources {
    /// The sources of a screen without a run: keys and signals only.
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

/// Shows a screen until the user quits it or the terminal is gone. A terminal that cannot be written to counts as
/// gone: a run then goes on without an interface, so this function cannot fail.
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
                // The engine may have just ended; then its last event reports that.
                Effect::Send(command) => drop(sources.requests.send(Request::Command(command))),
                Effect::TakeOver => drop(sources.requests.send(Request::TakeOver)),
                Effect::Job(job) => jobs.begin(job),
                Effect::Redraw => {}
                Effect::Suspend => stop = Some(Who::Job),
            }
        }
        if let Some(who) = stop.take() {
            let Ok(size) = suspend_to_shell(terminal, sources.suspension.as_ref(), who) else {
                return Outcome::Detached;
            };
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
                    let Ok(size) = retake_terminal(terminal, sources.suspension.as_ref()) else { return Outcome::Detached };
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
        effects = process_inputs(terminal, screen, &mut pacer, inputs.into_iter().flatten(), began.elapsed());
    }
}

/// Receives everything that is waiting, so that a burst of steps costs one frame.
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

/// Passes inputs to the screen; returns the effects for the loop to carry out.
fn process_inputs<B: Backend, S: Screen>(
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
            Input::Engine(_) | Input::ServerMessage(_) | Input::EngineGone => pacer.data(),
            _ => pacer.input(),
        }
        effects.extend(screen.update(input));
    }
    // Past events were handled at their own time; the screen shows the present.
    effects.extend(screen.update(Input::Tick(now)));
    if effects.contains(&Effect::Redraw) {
        redraw(terminal);
    }
    effects
}

/// Turns a click on a key hint into that key.
fn clicked<S: Screen>(screen: &S, input: Input) -> Input {
    match input {
        Input::Mouse(mouse) if mouse.kind == MouseEventKind::Down(MouseButton::Left) => {
            footer::clicked(&screen.hints(), (mouse.column, mouse.row)).map_or(Input::Mouse(mouse), Input::Key)
        }
        input => input,
    }
}

/// Makes the next frame write every cell; returns the terminal's size.
fn redraw<B: Backend>(terminal: &mut Terminal<B>) -> Option<Input> {
    // `Terminal::clear` would query the cursor position on the redirected standard output and wait for an answer; a
    // resize clears too. A terminal that cannot be cleared fails at the next frame too.
    let size = terminal.size().ok()?;
    terminal.resize(size.into()).ok()?;
    Some(Input::Resize(size.width, size.height))
}

/// Suspends the program to the shell until it is continued; returns the terminal's size then, since a stopped process
/// receives no resize.
fn suspend_to_shell<B: Backend>(
    terminal: &mut Terminal<B>,
    suspension: Option<&Suspension>,
    who: Who,
) -> io::Result<Option<Input>> {
    let Some(suspension) = suspension else { return Ok(None) };
    suspension.suspend(who)?;
    Ok(redraw(terminal))
}

/// Takes the terminal again after another process stopped and continued this one: the shell has used it meanwhile.
fn retake_terminal<B: Backend>(
    terminal: &mut Terminal<B>,
    suspension: Option<&Suspension>,
) -> io::Result<Option<Input>> {
    match suspension.filter(|suspension| suspension.continued()) {
        Some(suspension) => suspension.retake().map(|()| redraw(terminal)),
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests;
