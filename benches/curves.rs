//! What curves cost: a frame of five runs with ten million steps each, the bytes of a point, and the reading of a
//! million lines of metrics.

#![expect(clippy::cast_precision_loss, reason = "counts are below 2^53")]

use std::path::{Path, PathBuf};
use std::time::Instant;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use spartui::interface::jobs::curves::{Answer, Ask, carry_out};
use spartui::interface::jobs::{Done, Job};
use spartui::interface::theme::{Depth, Themes};
use spartui::interface::{Effect, Input, Inspector, Look, Screen};
use spartui::protocol::Step;
use spartui::run::{Metrics, Piece, Reading, Tail};
use spartui::series::Curve;

const RUNS: usize = 5;
const STEPS: u64 = 10_000_000;
const LINES: u64 = 1_000_000;
const FRAMES: usize = 300;

fn step(number: u64, seed: u64) -> Step {
    let mixed = (number ^ seed).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
    let noise = mixed as f64 / f64::from(1u32 << 24);
    let progress = number as f64 / STEPS as f64;
    Step {
        step: number,
        epoch: progress * 30.0,
        loss: 2.0 * (-3.0 * progress).exp() + 0.4 + 0.3 * noise + seed as f64 / 10.0,
        learning_rate: 5e-4 * (1.0 - progress),
        grad_norm: 1.0 + noise,
        examples: 24,
        tokens: 600,
        seconds: 0.05 + 0.01 * noise,
        trainable: 227_178,
        sparsity: 0.99,
        branch: 0,
    }
}

/// An inspector of runs of which so much is told, without any file.
fn inspector(runs: usize) -> (Inspector, Vec<PathBuf>) {
    let folders: Vec<PathBuf> = (0..runs).map(|run| PathBuf::from(format!("runs/{run}"))).collect();
    let look = Look::new(Themes::load(None, Depth::True), Some("dark"));
    let mut inspector = Inspector::new("runs".into(), folders.clone(), look);
    inspector.update(Input::Resize(200, 60));
    (inspector, folders)
}

fn press(inspector: &mut Inspector, key: char) {
    inspector.update(Input::Key(KeyEvent::new(KeyCode::Char(key), KeyModifiers::NONE)));
}

/// Median and 99th percentile of a frame in milliseconds.
fn frame(inspector: &mut Inspector) -> (f64, f64) {
    let mut terminal = Terminal::new(TestBackend::new(200, 60)).expect("a terminal");
    let mut times: Vec<f64> = (0..FRAMES)
        .map(|_| {
            let begun = Instant::now();
            terminal.draw(|frame| inspector.draw(frame)).expect("drawn");
            begun.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    times.sort_by(f64::total_cmp);
    (times[FRAMES / 2], times[FRAMES * 99 / 100])
}

fn frames() {
    let (mut inspector, folders) = inspector(RUNS);
    let begun = Instant::now();
    for (seed, folder) in folders.iter().enumerate() {
        for from in (1..=STEPS).step_by(50_000) {
            let readings = (from..from + 50_000).map(|number| Reading::Step(step(number, seed as u64))).collect();
            let piece = Ok(Piece { readings, ..Piece::default() });
            let tail = Tail::of_run(folder);
            let answer = Answer::Tail { folder: folder.clone(), from: tail.clone(), tail, piece };
            inspector.update(Input::Done(Box::new(Done::Curves(Box::new(answer)))));
        }
    }
    let per_step = begun.elapsed().as_secs_f64() / (RUNS as f64 * STEPS as f64);
    println!("taking in a step of seven metrics: {:.0} ns", per_step * 1e9);
    let told = |what: &str, inspector: &mut Inspector| {
        let (median, slowest) = frame(inspector);
        println!("{what}: median {median:.2} ms, 99 of 100 under {slowest:.2} ms");
    };
    told("four charts of five runs of ten million steps, 200x60", &mut inspector);
    press(&mut inspector, 'm');
    told("one chart of five runs of ten million steps, 200x60", &mut inspector);
    press(&mut inspector, 'c');
    told("the same with a cursor", &mut inspector);
    (0..8).for_each(|_| press(&mut inspector, 'z'));
    told("the same, zoomed in 256 times", &mut inspector);
    press(&mut inspector, 'f');
    press(&mut inspector, 'x');
    told("over epochs", &mut inspector);
    let begun = Instant::now();
    press(&mut inspector, '.');
    println!("smoothing all of it with another weight: {:.0} ms", begun.elapsed().as_secs_f64() * 1e3);
}

fn bytes() {
    let mut curve = Curve::new(0.9);
    let begun = Instant::now();
    (1..=STEPS).for_each(|number| {
        curve.push(number, step(number, 1).loss);
    });
    let push = begun.elapsed().as_secs_f64() / STEPS as f64;
    let mut uneven = Curve::new(0.9);
    (1..=STEPS / 10).for_each(|number| {
        uneven.push(number * 10 + number * number % 7, if number % 2 == 0 { f64::NAN } else { 1.0 });
    });
    println!(
        "a point takes {:.2} bytes, smoothing and all; {:.2} where steps are uneven and every other point is a gap; a push \
         {:.0} ns",
        curve.bytes() as f64 / curve.raw().len() as f64,
        uneven.bytes() as f64 / uneven.raw().len() as f64,
        push * 1e9,
    );
}

fn reading(folder: &Path) {
    let mut metrics = Metrics::open(&folder.join("metrics.jsonl")).expect("a file");
    (1..=LINES).for_each(|number| metrics.step(&step(number, 3)).expect("written"));
    metrics.flush().expect("written");
    let size = std::fs::metadata(folder.join("metrics.jsonl")).expect("a file").len();
    let look = Look::new(Themes::load(None, Depth::True), Some("dark"));
    let mut inspector = Inspector::new(folder.to_owned(), vec![folder.to_owned()], look);
    let begun = Instant::now();
    let mut longest = 0.0f64;
    let mut first = None;
    let mut asked = vec![Ask::Tail { folder: folder.to_owned(), tail: Tail::of_run(folder) }];
    while let Some(ask) = asked.pop() {
        let done = Done::Curves(Box::new(carry_out(ask)));
        let taking = Instant::now();
        let effects = inspector.update(Input::Done(Box::new(done)));
        longest = longest.max(taking.elapsed().as_secs_f64());
        first.get_or_insert_with(|| begun.elapsed().as_secs_f64());
        asked.extend(effects.into_iter().filter_map(|effect| match effect {
            Effect::Job(Job::Curves(ask)) => Some(*ask),
            _ => None,
        }));
    }
    println!(
        "a million lines of metrics ({} MB) are read in {:.2} s beside the screen; the first curve is there after {:.0} ms, and \
         the screen waits {:.1} ms at the most",
        size / 1_000_000,
        begun.elapsed().as_secs_f64(),
        first.unwrap_or_default() * 1e3,
        longest * 1e3,
    );
}

fn main() {
    bytes();
    let folder = tempfile::tempdir().expect("a temporary folder");
    reading(folder.path());
    frames();
}
