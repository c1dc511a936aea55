//! The one loop: what comes in, what is drawn, what goes out.

use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, TryRecvError, at, never, select, unbounded};
use crossterm::event::Event as TerminalEvent;
use ratatui::Terminal;
use ratatui::backend::Backend;

use super::Outcome;
use super::jobs::Jobs;
use super::screen::Screen;
use super::update::{Effect, Input};
use crate::protocol::{News, Request};

/// The least time between two frames after input.
const AFTER_INPUT: Duration = Duration::from_millis(16);

/// The least time between two frames when only data came.
const AFTER_DATA: Duration = Duration::from_millis(33);

/// As [`AFTER_DATA`], over SSH.
const AFTER_DATA_REMOTE: Duration = Duration::from_millis(100);

/// As [`AFTER_DATA`], on a line that would need longer than that for a frame.
const AFTER_DATA_SLOW: Duration = Duration::from_millis(1000);

/// Bits a second below which a line is slow. Terminals that have no speed say 38,400.
const SLOW: u32 = 38_400;

/// How often the time on the screen moves.
const TICK: Duration = Duration::from_secs(1);

/// The most events that are taken in before the screen gets its turn.
const BATCH: usize = 10_000;

/// Where input comes from and commands go to. What there is none of is [`crossbeam_channel::never`].
#[derive(Debug)]
pub struct Sources {
    /// Keys, mouse, new sizes. Disconnected means that the terminal is gone.
    pub input: Receiver<TerminalEvent>,
    /// What the engine tells.
    pub news: Receiver<News>,
    /// What the engine is asked. Sending must never block, so the channel is unbounded.
    pub requests: Sender<Request>,
    /// SIGINT, SIGTERM, SIGHUP.
    pub signals: Receiver<i32>,
    /// Whether the terminal is at the end of a network connection.
    pub remote: bool,
    /// Time since the engine began.
    pub elapsed: Duration,
}

/// Whether this process runs at the end of an SSH connection.
#[must_use]
pub fn is_remote() -> bool {
    ["SSH_CONNECTION", "SSH_TTY"].iter().any(|name| std::env::var_os(name).is_some())
}

/// Whether the terminal is at the end of a slow line, by its own word.
fn is_slow() -> bool {
    rustix::termios::tcgetattr(std::io::stdin()).is_ok_and(|terminal| (1..SLOW).contains(&terminal.output_speed()))
}

impl Sources {
    /// Of a screen that shows no run: there are keys and signals only.
    #[must_use]
    pub fn without_engine(input: Receiver<TerminalEvent>, signals: Receiver<i32>) -> Self {
        let (requests, _) = unbounded();
        Self { input, news: never(), requests, signals, remote: is_remote(), elapsed: Duration::ZERO }
    }
}

/// Shows a screen until the user leaves it, or the terminal goes. A terminal that cannot be written to is gone: a run
/// goes on without an interface then, so there is no way to fail.
pub fn run<B: Backend, S: Screen>(terminal: &mut Terminal<B>, screen: &mut S, mut sources: Sources) -> Outcome {
    let now = Instant::now();
    let began = now.checked_sub(sources.elapsed).unwrap_or(now);
    let mut pacer = Pacer::new(now, sources.remote);
    let mut jobs = Jobs::default();
    let mut effects = Vec::new();
    if let Ok(size) = terminal.size() {
        effects.extend(screen.update(Input::Resize(size.width, size.height)));
    }
    effects.extend(screen.begin());
    loop {
        for effect in effects {
            match effect {
                Effect::Quit(outcome) => return outcome,
                // The engine may have ended a moment ago; its last event tells then.
                Effect::Send(command) => drop(sources.requests.send(Request::Command(command))),
                Effect::TakeOver => drop(sources.requests.send(Request::TakeOver)),
                Effect::Job(job) => jobs.begin(job),
                Effect::Redraw => {}
            }
        }
        if pacer.due(Instant::now()) {
            pacer.drawn(Instant::now());
            if terminal.draw(|frame| screen.draw(frame)).is_err() {
                return Outcome::Detached;
            }
        }
        let alarm = pacer.next(screen.animated()).map_or_else(never, at);
        let mut inputs = Vec::new();
        select! {
            recv(sources.input) -> event => inputs.push(event.map_or(Some(Input::Hangup), Input::from_terminal)),
            recv(sources.news) -> news => inputs.push(Some(news.map_or(Input::EngineGone, Input::from_engine))),
            recv(sources.signals) -> signal => match signal {
                Ok(signal) => inputs.push(Some(Input::Signal(signal))),
                Err(_) => sources.signals = never(),
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
        match input {
            Input::Engine(_) | Input::News(_) | Input::EngineGone => pacer.data(),
            _ => pacer.input(),
        }
        effects.extend(screen.update(input));
    }
    // What had happened earlier was taken in at its own time; the screen shows the present.
    effects.extend(screen.update(Input::Tick(now)));
    if effects.contains(&Effect::Redraw) {
        // `Terminal::clear` would ask the terminal where its cursor is, on the standard output that leads elsewhere, and
        // wait for an answer; a new size clears too. A terminal that cannot be cleared fails at the next frame too.
        let _ = terminal.size().and_then(|size| terminal.resize(size.into()));
    }
    effects
}

/// Says when the next frame is due: never while nothing changes.
#[derive(Debug)]
struct Pacer {
    last_frame: Instant,
    last_tick: Instant,
    after_data: Duration,
    /// How long after the last frame the next one is due; none while the terminal shows the screen as it is.
    wait: Option<Duration>,
}

impl Pacer {
    fn new(now: Instant, remote: bool) -> Self {
        let after_data = match remote {
            _ if is_slow() => AFTER_DATA_SLOW,
            true => AFTER_DATA_REMOTE,
            false => AFTER_DATA,
        };
        Self { last_frame: now, last_tick: now, after_data, wait: Some(Duration::ZERO) }
    }

    fn input(&mut self) {
        self.wait = Some(self.wait.map_or(AFTER_INPUT, |wait| wait.min(AFTER_INPUT)));
    }

    fn data(&mut self) {
        self.wait = Some(self.wait.map_or(self.after_data, |wait| wait.min(self.after_data)));
    }

    fn tick(&mut self, now: Instant) {
        if now.duration_since(self.last_tick) >= TICK {
            self.last_tick = now;
            self.data();
        }
    }

    fn due(&self, now: Instant) -> bool {
        self.wait.is_some_and(|wait| now >= self.last_frame + wait)
    }

    fn drawn(&mut self, now: Instant) {
        self.last_frame = now;
        self.wait = None;
    }

    /// When the loop must wake up even if nothing comes in.
    fn next(&self, animated: bool) -> Option<Instant> {
        let frame = self.wait.map(|wait| self.last_frame + wait);
        let tick = animated.then_some(self.last_tick + TICK);
        frame.into_iter().chain(tick).min()
    }
}

#[cfg(test)]
mod tests;
