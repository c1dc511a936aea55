//! What the interface costs, and how soon it answers: the real program in a pseudo-terminal, on the demo's model.
//!
//! `cargo bench --bench interface` takes about three minutes; with a word it does that part alone: `latency`,
//! `throughput` or `idle`.

#![expect(clippy::cast_precision_loss, reason = "counts are small")]

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, unbounded};
use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

const SIZE: PtySize = PtySize { rows: 40, cols: 120, pixel_width: 0, pixel_height: 0 };
/// Keys pressed for the latency.
const PRESSES: usize = 300;
/// Steps of a run for the throughput, and those at its beginning that are left out.
const STEPS: (usize, usize) = (100, 20);
/// Pairs of runs for the throughput, in each of which the one that comes first changes.
const PAIRS: usize = 6;
/// How long nothing happens.
const IDLE: Duration = Duration::from_secs(20);

/// The program in a terminal that somebody reads.
struct Shown {
    child: Box<dyn Child + Send + Sync>,
    keys: Box<dyn Write + Send>,
    /// When something came, and whether the screen showed each of the asked words then.
    frames: Receiver<(Instant, Vec<bool>)>,
    bytes: Arc<AtomicUsize>,
    _pty: Box<dyn MasterPty + Send>,
}

impl Shown {
    /// Starts it; `words` are looked for after each piece of output, and without any the output is only read.
    fn start(folder: &Path, arguments: &[&str], words: &'static [&'static str]) -> Self {
        let pair = native_pty_system().openpty(SIZE).expect("a terminal");
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_spartui"));
        command.args(arguments);
        command.cwd(folder);
        command.env("TERM", "xterm-256color");
        command.env_remove("OMP_NUM_THREADS");
        let child = pair.slave.spawn_command(command).expect("the program");
        drop(pair.slave);
        let mut output = pair.master.try_clone_reader().expect("its output");
        let bytes = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&bytes);
        let (sender, frames) = unbounded();
        std::thread::spawn(move || {
            let mut parser = vt100::Parser::new(SIZE.rows, SIZE.cols, 0);
            let mut buffer = vec![0; 1 << 16];
            while let Ok(count @ 1..) = output.read(&mut buffer) {
                counted.fetch_add(count, Ordering::SeqCst);
                if words.is_empty() {
                    continue;
                }
                parser.process(&buffer[..count]);
                let text = parser.screen().contents();
                let found = words.iter().map(|word| text.contains(word)).collect();
                if sender.send((Instant::now(), found)).is_err() {
                    return;
                }
            }
        });
        let keys = pair.master.take_writer().expect("a keyboard");
        Self { child, keys, frames, bytes, _pty: pair.master }
    }

    fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).expect("pressed");
        self.keys.flush().expect("pressed");
    }

    /// When the word was there, or no longer.
    fn waits(&self, word: usize, there: bool) -> Instant {
        let deadline = Instant::now() + Duration::from_mins(2);
        loop {
            let (at, found) = self.frames.recv_deadline(deadline).expect("the screen shows it in two minutes");
            if found[word] == there {
                return at;
            }
        }
    }

    /// Aborts the run and waits for its end.
    fn abort(mut self) {
        self.press("q");
        std::thread::sleep(Duration::from_millis(200));
        self.press("a");
        self.child.wait().expect("its end");
    }

    /// The processes: the interface, and the one that trains for it.
    fn processes(&self) -> Vec<String> {
        let interface = self.child.process_id().expect("a process").to_string();
        let children = std::fs::read_to_string(format!("/proc/{interface}/task/{interface}/children"));
        let children = children.unwrap_or_default();
        let trains = children.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        [vec![interface], trains].concat()
    }
}

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let wants = |part: &str| wanted.is_empty() || wanted.iter().any(|word| word == part);
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/all-MiniLM-L6-v2");
    if !model.join("config.json").exists() {
        println!("the demo's model is missing; `make setup` fetches it");
        return;
    }
    if wants("latency") {
        latency(&model);
    }
    if wants("throughput") {
        throughput(&model);
    }
    if wants("idle") {
        idle(&model);
    }
}

fn demo<'a>(model: &'a Path, more: &[&'a str]) -> Vec<&'a str> {
    [&["demo", "--model", model.to_str().expect("a name"), "--run", "bench"], more].concat()
}

/// From a key to the frame that shows what it did, while training takes every core.
fn latency(model: &Path) {
    let folder = tempfile::tempdir().expect("a folder");
    let mut shown =
        Shown::start(folder.path(), &demo(model, &["--set", "train.epochs=1000"]), &["examples/s", "anywhere"]);
    shown.waits(0, true);
    std::thread::sleep(Duration::from_secs(2));
    let mut times = Vec::new();
    for press in 0..PRESSES {
        // Not in step with frames or training.
        std::thread::sleep(Duration::from_micros(30_000 + (press as u64 * 7919) % 50_000));
        while shown.frames.try_recv().is_ok() {}
        let opens = press % 2 == 0;
        let begun = Instant::now();
        shown.press(if opens { "?" } else { "q" });
        times.push(shown.waits(1, opens).duration_since(begun).as_secs_f64() * 1000.0);
    }
    shown.abort();
    times.sort_by(f64::total_cmp);
    let at = |share: usize| times[(times.len() - 1) * share / 100];
    println!(
        "key to frame, {} cores in training, {PRESSES} keys: median {:.1} ms, 95th percentile {:.1} ms, 99th {:.1} ms, \
         worst {:.1} ms",
        std::thread::available_parallelism().map_or(0, usize::from),
        at(50),
        at(95),
        at(99),
        at(100)
    );
}

/// Seconds of a step, the median of them, and the processor time that the interface took of each second.
fn one_run(model: &Path, interface: bool) -> (f64, f64) {
    let folder = tempfile::tempdir().expect("a folder");
    let steps = format!("train.max_steps={}", STEPS.0);
    let settings = ["--set", &steps, "--set", "train.evaluate_every=0", "--set", "train.checkpoint_every=0"];
    let arguments = demo(model, &settings);
    let metrics = folder.path().join("runs/bench/metrics.jsonl");
    let mut share = 0.0;
    if interface {
        let mut shown = Shown::start(folder.path(), &arguments, &["finished"]);
        let process = shown.child.process_id().expect("a process").to_string();
        while seconds(&metrics).len() < STEPS.1 {
            std::thread::sleep(Duration::from_millis(250));
        }
        let (begun, before) = (Instant::now(), ticks(&process));
        while seconds(&metrics).len() < STEPS.0 {
            std::thread::sleep(Duration::from_millis(250));
        }
        share = (ticks(&process) - before) as f64 / 100.0 / begun.elapsed().as_secs_f64();
        shown.waits(0, true);
        shown.press("q");
        shown.child.wait().expect("its end");
    } else {
        let mut command = Command::new(env!("CARGO_BIN_EXE_spartui"));
        command.args(&arguments).arg("--headless").current_dir(folder.path()).env_remove("OMP_NUM_THREADS");
        command.output().expect("a run");
    }
    let mut seconds = seconds(&metrics);
    seconds.drain(..STEPS.1.min(seconds.len()));
    (median(&mut seconds), share)
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

fn seconds(metrics: &PathBuf) -> Vec<f64> {
    let text = std::fs::read_to_string(metrics).unwrap_or_default();
    text.lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter_map(|line| line["loss"].as_f64().and(line["seconds"].as_f64()))
        .collect()
}

/// A step with an interface and without one, in turn.
fn throughput(model: &Path) {
    let (mut ratios, mut shares) = (Vec::new(), Vec::new());
    for pair in 0..PAIRS {
        let mut medians = [0.0, 0.0];
        for interface in [pair % 2 == 0, pair % 2 != 0] {
            let (seconds, share) = one_run(model, interface);
            medians[usize::from(interface)] = seconds;
            if interface {
                shares.push(share);
            }
        }
        let [without, with] = medians;
        println!("  {:.2} ms a step with interface, {:.2} ms headless", with * 1e3, without * 1e3);
        ratios.push(with / without);
    }
    let median = median(&mut ratios);
    let percent = |ratio: f64| (ratio - 1.0) * 100.0;
    println!(
        "with an interface a step takes {:+.2} % (median of {PAIRS} pairs, {:+.2} to {:+.2} %); the interface takes {:.2} % of \
         one core",
        percent(median),
        percent(ratios[0]),
        percent(ratios[PAIRS - 1]),
        shares.iter().sum::<f64>() / PAIRS as f64 * 100.0,
    );
}

/// Processor time of a process so far, in ticks of the clock, of which a second has 100.
fn ticks(process: &str) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    [11, 12].iter().filter_map(|&index| fields.get(index)?.parse::<u64>().ok()).sum()
}

/// Processor time and output while a run that has ended, and one that is paused, are on the screen.
fn idle(model: &Path) {
    let folder = tempfile::tempdir().expect("a folder");
    let mut ended = Shown::start(folder.path(), &demo(model, &["--set", "train.max_steps=3"]), &["finished"]);
    ended.waits(0, true);
    at_rest("a run that has ended", &ended);
    ended.press("q");
    ended.child.wait().expect("its end");

    let folder = tempfile::tempdir().expect("a folder");
    let mut paused = Shown::start(folder.path(), &demo(model, &[]), &["examples/s", "paused"]);
    paused.waits(0, true);
    paused.press(" ");
    paused.waits(1, true);
    at_rest("a paused run", &paused);
    paused.abort();
}

fn at_rest(what: &str, shown: &Shown) {
    // What was last said goes away after fifteen seconds.
    std::thread::sleep(Duration::from_secs(17));
    let now = || shown.processes().iter().map(|process| ticks(process)).collect::<Vec<_>>();
    let (before, bytes) = (now(), shown.bytes.load(Ordering::SeqCst));
    std::thread::sleep(IDLE);
    let used: Vec<String> =
        now().iter().zip(&before).map(|(now, before)| format!("{} ms", (now - before) * 10)).collect();
    println!(
        "{what}, {} s: {} bytes drawn, processor time {} (interface, engine)",
        IDLE.as_secs(),
        shown.bytes.load(Ordering::SeqCst) - bytes,
        used.join(", ")
    );
}
