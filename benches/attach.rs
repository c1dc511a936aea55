//! How long it takes to come to a run that trains: from the connection to the first complete frame.

use std::time::Instant;

use crossbeam_channel::unbounded;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use spartui::engine::socket::{EventHub, Link, connect};
use spartui::interface::theme::{Depth, Themes};
use spartui::interface::{Input, Look, Screen, State};
use spartui::protocol::{Event, ModelSummary, Purpose, Ready, ServerMessage, Step};

const HISTORIES: [u64; 3] = [1_000, 10_000, 100_000];
const ROUNDS: usize = 7;

fn ready(folder: &std::path::Path) -> Ready {
    Ready {
        chat: false,
        run: "bench".into(),
        folder: folder.to_owned(),
        model: ModelSummary {
            name: "model".into(),
            family: "bert".into(),
            parameters: 22_717_836,
            layers: 6,
            hidden: 384,
            dtype: "float32".into(),
            device: "cpu".into(),
        },
        method: "sparta".into(),
        sparsity_bounds: (0.9, 0.9999),
        total_steps: 1_000_000,
        steps_per_epoch: 250,
        train_examples: 6000,
        validation_examples: 300,
        labels: Vec::new(),
        predicted: None,
        step: 0,
        seconds: 0.0,
        branch: 0,
    }
}

#[expect(clippy::cast_precision_loss, reason = "steps are far below 2^52")]
fn step(step: u64) -> Event {
    let at = step as f64;
    Event::Step(Step {
        step,
        epoch: at / 250.0,
        loss: 2.0 / at.sqrt() + (at * 0.7).sin() * 0.1,
        learning_rate: 5e-4 / at.sqrt(),
        grad_norm: 1.0 + (at * 0.3).cos() * 0.4,
        examples: 24,
        tokens: 612,
        seconds: 0.0461 + at.sin() * 1e-3,
        trainable: 227_178,
        sparsity: 0.99,
        branch: 0,
    })
}

/// Milliseconds until the history is drawn whole.
fn first_frame(run: &std::path::Path, steps: u64) -> f64 {
    let begun = Instant::now();
    let lost = || ServerMessage::Lost { why: String::new(), alive: false };
    let Link { client, news, requests, .. } = connect(run, Purpose::Watch, lost).expect("a run");
    let mut state = State::new(Look::new(Themes::load(None, Depth::True), None), (120, 40)).connected(client, false);
    for told in &news {
        state.update(Input::from_engine(told));
        if state.connection.live {
            break;
        }
    }
    let mut terminal = Terminal::new(TestBackend::new(120, 40)).expect("a terminal");
    terminal.draw(|frame| state.draw(frame)).expect("drawn");
    let time = begun.elapsed().as_secs_f64() * 1e3;
    assert_eq!(state.history.loss.raw().len() as u64, steps);
    drop(requests);
    time
}

fn main() {
    for steps in HISTORIES {
        let run = tempfile::tempdir().expect("a folder");
        let ((told, heard), (here, _events), (commands, _asked)) = (unbounded(), unbounded(), unbounded());
        let hub = EventHub::start(heard, here, commands, None);
        told.send(Event::Ready(Box::new(ready(run.path())))).expect("a hub");
        (1..=steps).for_each(|number| told.send(step(number)).expect("a hub"));
        let mut times: Vec<f64> = (0..ROUNDS).map(|_| first_frame(run.path(), steps)).collect();
        times.sort_by(f64::total_cmp);
        println!(
            "{steps:7} steps of history: first complete frame after {:7.1} ms (median of {ROUNDS}, {:.1} to {:.1})",
            times[ROUNDS / 2],
            times[0],
            times[ROUNDS - 1]
        );
        drop(told);
        hub.join();
    }
}
