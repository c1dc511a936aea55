use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::backend::TestBackend;

use super::*;
use crate::cockpit::State;
use crate::frame::Look;
use crate::theme::{Depth, Themes};
use spartui_facts::protocol::{Command, Event};

struct Stage {
    keys: Sender<TerminalEvent>,
    events: Sender<ServerMessage>,
    commands: Receiver<Request>,
    signals: Sender<i32>,
    sources: Sources,
}

fn stage() -> Stage {
    let (keys, input) = unbounded();
    let (events, engine) = unbounded();
    let (command, commands) = unbounded();
    let (signals, signal) = unbounded();
    let sources = Sources {
        suspension: None,
        input,
        background: crossbeam_channel::never(),
        news: engine,
        requests: command,
        signals: signal,
        remote: false,
        line: Line::default(),
        elapsed: Duration::ZERO,
    };
    Stage { keys, events, commands, signals, sources }
}

fn play(sources: Sources) -> (Outcome, Terminal<TestBackend>) {
    play_as(sources, true)
}

fn play_as(sources: Sources, owner: bool) -> (Outcome, Terminal<TestBackend>) {
    let mut state = State::new(Look::new(Themes::load(None, Depth::True), None), (80, 24)).connected(0, owner);
    let mut terminal = Terminal::new(TestBackend::new(80, 24)).expect("a terminal");
    (run(&mut terminal, &mut state, sources), terminal)
}

fn press(c: char) -> TerminalEvent {
    TerminalEvent::Key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE))
}

#[test]
fn quitting_asks_and_waits_for_the_engine() {
    let stage = stage();
    let (keys, events, commands) = (stage.keys, stage.events, stage.commands);
    let engine = std::thread::spawn(move || {
        let command = commands.recv_timeout(Duration::from_secs(10)).expect("a command");
        let fault = Event::Fault { message: "told to abort".into(), refused: false };
        events.send(ServerMessage::Event(fault)).expect("listening");
        command
    });
    keys.send(press('q')).expect("listening");
    keys.send(press('a')).expect("listening");
    let (outcome, _) = play(stage.sources);
    assert_eq!(outcome, Outcome::Faulted { message: "told to abort".into(), refused: false });
    assert_eq!(engine.join().expect("no panic"), Request::Command(Command::Abort));
}

#[test]
fn a_hangup_detaches_at_once_and_asks_nothing_of_the_engine() {
    let stage = stage();
    stage.signals.send(signal_hook::consts::SIGHUP).expect("listening");
    assert_eq!(play(stage.sources).0, Outcome::Detached);
    assert!(stage.commands.try_recv().is_err());
}

#[test]
fn a_terminal_that_is_gone_detaches() {
    let stage = stage();
    drop(stage.keys);
    assert_eq!(play(stage.sources).0, Outcome::Detached);
}

#[test]
fn an_engine_that_vanishes_is_a_failure_that_stays_on_the_screen() {
    let stage = stage();
    drop(stage.events);
    let keys = stage.keys;
    let user = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(120));
        keys.send(press('q')).expect("listening");
        // The keyboard's sender outlives the program.
        std::thread::sleep(Duration::from_millis(500));
        drop(keys);
    });
    let (outcome, terminal) = play(stage.sources);
    assert!(matches!(outcome, Outcome::Faulted { refused: false, .. }));
    let shown: String = terminal.backend().buffer().content().iter().map(ratatui::buffer::Cell::symbol).collect();
    assert!(shown.contains("ended without saying why"));
    user.join().expect("no panic");
}

#[test]
fn a_termination_signal_asks_the_engine_for_a_checkpoint() {
    let stage = stage();
    stage.signals.send(signal_hook::consts::SIGTERM).expect("listening");
    let (commands, events) = (stage.commands, stage.events);
    let engine = std::thread::spawn(move || {
        let command = commands.recv_timeout(Duration::from_secs(10)).expect("a command");
        drop(events);
        command
    });
    assert!(matches!(play(stage.sources).0, Outcome::Faulted { .. }));
    assert_eq!(engine.join().expect("no panic"), Request::Command(Command::Terminate));
}

#[test]
fn a_termination_signal_ends_no_run_that_this_interface_did_not_begin() {
    let stage = stage();
    stage.signals.send(signal_hook::consts::SIGTERM).expect("listening");
    assert_eq!(play_as(stage.sources, false).0, Outcome::Left);
    assert!(stage.commands.try_recv().is_err());
}

#[test]
fn a_lost_connection_can_be_made_again() {
    let stage = stage();
    stage.events.send(ServerMessage::Lost { why: "the connection broke".into(), alive: true }).expect("listening");
    let keys = stage.keys;
    let user = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(120));
        keys.send(press('r')).expect("listening");
        keys
    });
    let (outcome, terminal) = play(stage.sources);
    assert_eq!(outcome, Outcome::Reconnect);
    let shown: String = terminal.backend().buffer().content().iter().map(ratatui::buffer::Cell::symbol).collect();
    assert!(shown.contains("the connection broke") && shown.contains("reconnect"));
    user.join().expect("no panic");
}

/// A terminal that counts its frames.
struct Counted {
    inner: TestBackend,
    frames: std::sync::Arc<std::sync::atomic::AtomicUsize>,
}

impl Backend for Counted {
    type Error = <TestBackend as Backend>::Error;

    fn draw<'a, I>(&mut self, content: I) -> Result<(), Self::Error>
    where
        I: Iterator<Item = (u16, u16, &'a ratatui::buffer::Cell)>,
    {
        self.frames.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        self.inner.draw(content)
    }

    fn hide_cursor(&mut self) -> Result<(), Self::Error> {
        self.inner.hide_cursor()
    }

    fn show_cursor(&mut self) -> Result<(), Self::Error> {
        self.inner.show_cursor()
    }

    fn get_cursor_position(&mut self) -> Result<ratatui::layout::Position, Self::Error> {
        self.inner.get_cursor_position()
    }

    fn set_cursor_position<P: Into<ratatui::layout::Position>>(&mut self, position: P) -> Result<(), Self::Error> {
        self.inner.set_cursor_position(position)
    }

    fn clear(&mut self) -> Result<(), Self::Error> {
        self.inner.clear()
    }

    fn clear_region(&mut self, region: ratatui::backend::ClearType) -> Result<(), Self::Error> {
        self.inner.clear_region(region)
    }

    fn size(&self) -> Result<ratatui::layout::Size, Self::Error> {
        self.inner.size()
    }

    fn window_size(&mut self) -> Result<ratatui::backend::WindowSize, Self::Error> {
        self.inner.window_size()
    }

    fn flush(&mut self) -> Result<(), Self::Error> {
        self.inner.flush()
    }
}

/// Number of frames in the second half of three idle seconds after these events.
fn frames_at_rest(events: Vec<Event>) -> usize {
    let stage = stage();
    for event in events {
        stage.events.send(ServerMessage::Event(event)).expect("listening");
    }
    let frames = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let count = std::sync::Arc::clone(&frames);
    let (signals, keys, events) = (stage.signals, stage.keys, stage.events);
    let user = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(600));
        let before = count.load(std::sync::atomic::Ordering::SeqCst);
        std::thread::sleep(Duration::from_millis(2400));
        let frames = count.load(std::sync::atomic::Ordering::SeqCst) - before;
        signals.send(signal_hook::consts::SIGHUP).expect("listening");
        drop((keys, events));
        (frames, before)
    });
    let mut cockpit = State::new(Look::new(Themes::load(None, Depth::True), None), (80, 24)).connected(0, true);
    let mut terminal = Terminal::new(Counted { inner: TestBackend::new(80, 24), frames }).expect("a terminal");
    run(&mut terminal, &mut cockpit, stage.sources);
    let (frames, before) = user.join().expect("no panic");
    assert!(before > 0, "what happened was drawn");
    frames
}

#[test]
fn an_idle_run_is_not_drawn_again() {
    assert!(frames_at_rest(vec![Event::Loading { what: "the model".into(), fraction: None }]) >= 2, "a clock moves");
    assert_eq!(frames_at_rest(vec![Event::Paused { step: 3 }]), 0);
    let fault = Event::Fault { message: "no memory".into(), refused: false };
    assert_eq!(frames_at_rest(vec![fault]), 0);
}
