//! Runs that outlive their terminal, and interfaces that come and go: the real program in pseudo-terminals.

#![cfg(unix)]

#[path = "support/cockpit.rs"]
mod cockpit;
mod common;

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use cockpit::{Cockpit, has_ended, wait};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_spartui");

/// A run in a folder of its own; its process is ended when this is dropped.
struct Run {
    root: tempfile::TempDir,
}

impl Run {
    /// The recipe of a run whose steps take about a millisecond.
    fn prepare(more: &str) -> Self {
        let root = tempfile::tempdir().unwrap();
        let model = common::small_model(root.path());
        let train =
            format!("[train]\nepochs = 1000000\nbatch_size = 8\nevaluate_every = 0\ncheckpoint_every = 0\n{more}");
        common::small_recipe(root.path(), &model, &train);
        Self { root }
    }

    fn begin(&self) -> Cockpit {
        let cockpit = Cockpit::start(self.root.path(), &["train", "recipe.toml", "--run", "one"]);
        cockpit.shows("● training");
        cockpit
    }

    /// Begun without a terminal.
    fn begin_headless(&self) {
        let mut command = self.command(&["train", "recipe.toml", "--run", "one", "--headless"]);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::spawn(move || child.wait());
        wait("the socket", || self.folder().join("attach.sock").exists());
    }

    fn attach(&self, more: &[&str]) -> Cockpit {
        Cockpit::start(self.root.path(), &[&["attach", "one"], more].concat())
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command.args(arguments).current_dir(self.root.path());
        command
    }

    /// Exit status and what was printed.
    fn output(&self, arguments: &[&str]) -> (i32, String) {
        let output = self.command(arguments).stdin(Stdio::null()).output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.code().unwrap(), String::from_utf8(text).unwrap())
    }

    fn folder(&self) -> PathBuf {
        self.root.path().join("runs/one")
    }

    fn status(&self) -> Value {
        common::json(&self.folder().join("status.json"))
    }

    fn engine(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.status()["pid"].as_u64().unwrap()).unwrap()).unwrap()
    }

    fn listed(&self) -> Value {
        let (status, text) = self.output(&["runs", "--json"]);
        assert_eq!(status, 0);
        serde_json::from_str::<Value>(&text).unwrap()[0].clone()
    }

    fn step(&self) -> u64 {
        self.listed()["steps"].as_u64().unwrap_or(0)
    }

    fn goes_on(&self) {
        let before = self.step();
        wait("further steps", || self.step() > before + 10);
    }

    /// Steps in the metrics; each of them must be there once and in order.
    fn steps_recorded(&self) -> u64 {
        let steps: Vec<u64> = lines(&self.folder().join("metrics.jsonl"))
            .into_iter()
            .filter(|line| line["grad_norm"].is_number())
            .map(|line| line["step"].as_u64().unwrap())
            .collect();
        assert!(steps.iter().copied().eq(1..=steps.len() as u64), "every step is there, once");
        steps.len() as u64
    }

    /// Changes of settings in the journal.
    fn changes(&self) -> Vec<Value> {
        lines(&self.folder().join("journal.jsonl")).into_iter().filter(|line| line["field"].is_string()).collect()
    }

    fn ends(&self, state: &str) {
        wait("its end", || self.status()["state"] == state);
        let engine = self.engine();
        wait("the end of its process", || has_ended(engine.as_raw_nonzero().get().cast_unsigned()));
        assert!(!self.folder().join("attach.sock").exists(), "the socket is left behind");
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        if self.folder().join("status.json").exists() && self.status()["state"] == "running" {
            let _ = kill_process(self.engine(), Signal::KILL);
        }
    }
}

fn lines(path: &Path) -> Vec<Value> {
    std::fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// What `attach --json` tells of the steps, until it has caught up with this one.
fn steps_told(run: &Run, until: u64) -> Vec<u64> {
    let mut watcher =
        run.command(&["attach", "one", "--json"]).stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    let mut steps = Vec::new();
    for line in BufReader::new(watcher.stdout.take().unwrap()).lines() {
        let event: Value = serde_json::from_str(&line.unwrap()).unwrap();
        if event["event"] == "step" {
            steps.push(event["step"].as_u64().unwrap());
            if steps.last() >= Some(&until) {
                break;
            }
        }
    }
    watcher.kill().unwrap();
    watcher.wait().unwrap();
    steps
}

#[test]
fn a_run_outlives_its_terminal_and_is_steered_from_another_one() {
    let run = Run::prepare("");
    run.begin().hang_up();
    run.goes_on();

    let now = run.step();
    let told = steps_told(&run, now + 200);
    assert!(told.iter().copied().eq(1..=told.len() as u64) && told.len() as u64 >= now + 200, "no gap, no step twice");

    let begun = Instant::now();
    let mut attached = run.attach(&[]);
    attached.shows("● training");
    println!("attach, from the start of the program to the first frame: {} ms", begun.elapsed().as_millis());
    attached.press("]");
    attached.shows("Enter");
    attached.press("\r");
    attached.shows("method.sparsity 0.9 → 0.95");
    attached.press("q");
    attached.shows("detach");
    attached.press("s");
    attached.waits("the end", |text| text.contains("stopped after"));
    assert_eq!(attached.ends(), 0);
    run.ends("stopped");
    assert!(run.folder().join("adapter/sparse_deltas.safetensors").exists());
    let journal = run.changes();
    assert_eq!((journal.len(), &journal[0]["to"]), (1, &Value::from(0.95)));
    assert!(run.steps_recorded() > now + 200);
}

#[test]
fn an_interface_that_is_killed_takes_nothing_with_it() {
    let run = Run::prepare("");
    let mut cockpit = run.begin();
    kill_process(cockpit.process(), Signal::KILL).unwrap();
    cockpit.child.wait().unwrap();
    run.goes_on();
    wait("nobody to watch", || run.listed()["live"]["watching"] == 0);
    kill_process(run.engine(), Signal::TERM).unwrap();
    run.ends("terminated");
    run.steps_recorded();
}

#[test]
fn to_detach_leaves_the_run_as_it_is() {
    let run = Run::prepare("");
    let mut cockpit = run.begin();
    cockpit.press(" ");
    cockpit.shows("paused");
    cockpit.press("d");
    cockpit.waits("where it went", |text| text.contains("spartui attach one"));
    assert_eq!(cockpit.ends(), 0);
    let listed = run.listed();
    assert_eq!(
        (&listed["alive"], &listed["live"]["paused"], &listed["live"]["watching"]),
        (&true.into(), &true.into(), &0.into())
    );
    assert!(run.output(&["runs"]).1.contains("paused"));

    let mut attached = run.attach(&[]);
    attached.shows("paused");
    attached.press(" ");
    attached.shows("● training");
    run.goes_on();
    attached.press("d");
    assert_eq!(attached.ends(), 0);
    let again = run.attach(&[]);
    again.shows("● training");
    kill_process(run.engine(), Signal::TERM).unwrap();
    again.waits("the end", |text| text.contains("ended by a signal"));
    run.ends("terminated");
    assert!(run.folder().join("checkpoints").read_dir().unwrap().next().is_some());
    let mut again = again;
    again.press("q");
    assert_eq!(again.ends(), 0);
}

#[test]
fn several_watch_and_one_steers() {
    let run = Run::prepare("");
    let mut first = run.begin();
    let mut second = run.attach(&[]);
    let mut third = run.attach(&["--watch"]);
    second.shows("watching");
    third.shows("watching");
    first.shows("2 watching");
    second.press("]");
    second.shows("w takes control");
    assert!(run.changes().is_empty());
    second.press("w");
    second.shows("2 watching");
    first.shows("steers now");
    first.press("]");
    first.shows("watching; w takes control");
    second.press("]");
    second.shows("Enter");
    second.press("\r");
    first.shows("a ");
    second.shows("method.sparsity 0.9 → 0.95");
    assert_eq!(run.listed()["live"]["watching"], 3);
    second.press("d");
    assert_eq!(second.ends(), 0);
    third.shows("nobody steers");
    first.shows("nobody steers");
    run.goes_on();
    first.press("w");
    first.shows("1 watching");
    first.press("q");
    first.shows("detach");
    first.press("s");
    third.shows("● stopped");
    assert_eq!(first.ends(), 0);
    third.press("q");
    assert_eq!(third.ends(), 0);
    run.ends("stopped");
    assert_eq!(run.changes().len(), 1);
    run.steps_recorded();
}

#[test]
fn a_run_without_its_process_is_told_as_such() {
    let run = Run::prepare("");
    let mut cockpit = run.begin();
    let mut watcher = run.attach(&[]);
    watcher.shows("watching");
    kill_process(run.engine(), Signal::KILL).unwrap();
    for cockpit in [&cockpit, &watcher] {
        cockpit.shows("was killed");
        cockpit.shows("spartui resume one");
    }
    cockpit.press("q");
    watcher.press("q");
    assert_eq!((cockpit.ends(), watcher.ends()), (1, 1));
    let (status, said) = run.output(&["attach", "one"]);
    assert!(status == 2 && said.contains("`spartui resume one` continues it"), "{status} {said}");
    assert_eq!(run.listed()["alive"], false);
}

/// Talks to the run's socket as anybody could.
fn knock(run: &Run) -> UnixStream {
    let stream = UnixStream::connect(run.folder().join("attach.sock")).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream
}

fn heard(stream: &UnixStream) -> Vec<String> {
    BufReader::new(stream).lines().map_while(Result::ok).collect()
}

const HELLO: &str = "{\"attach\":\"hello\",\"version\":1,\"purpose\":\"steer\",\"from\":\"\\u001b[2Jevil\"}\n";

#[test]
fn whatever_clients_say_training_goes_on() {
    let run = Run::prepare("");
    run.begin_headless();
    let silent = knock(&run);
    for said in [
        &b"\x00\xff\xfegarbage\n"[..],
        b"{\"command\":\"abort\"}\n",
        b"{\"attach\":\"hello\",\"version\":99,\"purpose\":\"steer\",\"from\":\"\"}\n",
        &vec![b'x'; 200_000],
        b"half a li",
    ] {
        let mut stream = knock(&run);
        // The other side may have closed the connection already.
        let _ = stream.write_all(said);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let heard = heard(&stream);
        assert!(heard[0].starts_with("{\"attach\":\"hello\",\"version\":1,"), "{heard:?}");
        assert!(heard.iter().all(|line| !line.contains("\"event\"")), "{heard:?}");
    }
    let mut steering = knock(&run);
    steering.write_all(HELLO.as_bytes()).unwrap();
    let mut told = BufReader::new(steering.try_clone().unwrap()).lines().map_while(Result::ok);
    assert!(told.any(|line| line.contains("\"steering\":")), "it has a seat");
    let mut nested = "[".repeat(60_000);
    nested.push('\n');
    let mut watching = knock(&run);
    watching.write_all(HELLO.as_bytes()).unwrap();
    watching.write_all(b"{\"command\":\"abort\"}\n{\"command\":\"evaluate\",\"id\":777}\n").unwrap();
    let refusal = BufReader::new(&watching).lines().map_while(Result::ok).find(|line| line.contains("\"id\":777"));
    assert!(refusal.unwrap().contains("only watches the run"));
    steering.write_all(nested.as_bytes()).unwrap();
    let last = told.last().unwrap();
    assert!(last.contains("\"attach\":\"refused\"") && last.contains("no command"), "{last}");
    // Nobody reads what is told to these.
    let deaf: Vec<UnixStream> = (0..20).map(|_| knock(&run)).collect();
    for mut stream in &deaf {
        stream.write_all(HELLO.as_bytes()).unwrap();
    }
    run.goes_on();
    kill_process(run.engine(), Signal::TERM).unwrap();
    run.ends("terminated");
    run.steps_recorded();
    drop((silent, deaf));
}

/// Another user's client: run by [`another_user_is_refused`] in a process of its own.
#[test]
#[ignore = "needs another process to start it"]
fn another_users_client() {
    let Some(socket) = std::env::var_os("SPARTUI_TEST_SOCKET") else { return };
    match UnixStream::connect(socket) {
        Err(error) => println!("refused by its mode: {:?}", error.kind()),
        Ok(mut stream) => {
            let mut text = String::new();
            let _ = stream.read_to_string(&mut text);
            println!("heard: {text}");
        }
    }
}

#[test]
fn another_user_is_refused() {
    if !rustix::process::geteuid().is_root() {
        println!("skipped: only root can start a process of another user");
        return;
    }
    let run = Run::prepare("");
    std::fs::set_permissions(run.root.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    run.begin_headless();
    let socket = run.folder().join("attach.sock");
    assert_eq!(std::fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o600);
    let as_nobody = || {
        let client = Command::new(std::env::current_exe().unwrap())
            .args(["another_users_client", "--exact", "--ignored", "--nocapture"])
            .env("SPARTUI_TEST_SOCKET", &socket)
            .current_dir("/")
            .uid(65_534)
            .gid(65_534)
            .output();
        match client {
            Ok(output) => Some(String::from_utf8_lossy(&output.stdout).into_owned()),
            Err(error) => {
                println!("skipped: nobody cannot start this program where it lies: {error}");
                None
            }
        }
    };
    let Some(said) = as_nobody() else { return };
    assert!(said.contains("refused by its mode: PermissionDenied"), "{said}");
    // With the mode out of the way, who it is decides.
    std::fs::set_permissions(&socket, std::fs::Permissions::from_mode(0o666)).unwrap();
    let said = as_nobody().unwrap();
    assert!(said.contains("this run belongs to another user") && !said.contains("hello"), "{said}");
    run.goes_on();
}

/// Step and loss of each lane of the table, as the screen says.
fn measured(text: &str) -> Vec<(u64, f64)> {
    let of_lane = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let at = words.iter().position(|word| *word == "paused")?;
        Some((words.get(at.checked_sub(2)?)?.parse().ok()?, words.get(at - 1)?.parse().ok()?))
    };
    text.lines().filter(|line| line.contains('●')).filter_map(of_lane).collect()
}

#[test]
fn a_race_that_is_killed_does_not_go_on_and_one_that_was_stopped_is_resumed() {
    let run = Run::prepare("");
    let arguments = ["race", "recipe.toml", "--vary", "optimizer.learning_rate=1e-3,2e-3", "--run", "one"];
    let mut race = Cockpit::start(run.root.path(), &arguments);
    race.shows("2 lanes train");
    run.goes_on();
    kill_process(run.engine(), Signal::KILL).unwrap();
    race.shows("spartui resume one");
    race.press("q");
    race.waits("the shell", |text| !text.contains("standing"));
    let said = race.text();
    assert_eq!(race.ends(), 1);
    assert!(said.contains("spartui resume one") && !said.contains("goes on"), "{said}");
    assert_eq!((&run.listed()["state"], &run.listed()["alive"]), (&"interrupted".into(), &false.into()));

    let mut race = Cockpit::start(run.root.path(), &["resume", "one"]);
    race.shows("2 lanes train");
    race.press("q");
    race.shows("leave the race");
    race.press("s");
    race.waits("the end", |text| text.contains("stopped after"));
    assert_eq!(race.ends(), 0);
    run.ends("stopped");
    let (status, said) = run.output(&["inspect", "runs/one"]);
    assert!(status == 0 && said.contains("lane-2") && said.contains("learning_rate 0.002"), "{said}");
    let mut race = Cockpit::start(run.root.path(), &["resume", "one"]);
    race.shows("2 lanes train");
    run.goes_on();
    kill_process(run.engine(), Signal::TERM).unwrap();
    race.waits("the end", |text| text.contains("the race has ended (terminated)"));
    race.press("q");
    assert_eq!(race.ends(), 0);
}

#[test]
fn who_leaves_a_run_that_is_being_aborted_is_not_told_that_it_goes_on() {
    let run = Run::prepare("");
    let mut cockpit = run.begin();
    cockpit.press("qad");
    cockpit.waits("what became of it", |text| text.contains("abort") && !text.contains("sparsity"));
    let said = cockpit.text();
    cockpit.ends();
    assert!(!said.contains("goes on"), "{said}");
    run.ends("aborted");
}

#[test]
fn a_race_is_left_come_back_to_steered_cloned_and_resumed() {
    let run = Run::prepare("");
    let arguments = [
        "race",
        "recipe.toml",
        "--vary",
        "optimizer.learning_rate=1e-3,2e-3",
        "--run",
        "one",
        "--set",
        "train.max_steps=100000",
    ];
    let mut race = Cockpit::start(run.root.path(), &arguments);
    race.shows("2 lanes train");
    race.press("d");
    race.waits("where it went", |text| text.contains("spartui attach one"));
    assert_eq!(race.ends(), 0);
    assert!(run.output(&["runs"]).1.contains("race of 2"));

    let mut race = run.attach(&[]);
    race.shows("2 lanes train");
    race.press("\r");
    race.shows("of the race");
    race.press("]");
    race.shows("Enter");
    race.press("\r");
    race.shows("method.sparsity 0.9 → 0.95");
    race.press("q");
    race.shows("standing");
    race.press("c");
    race.shows("clone a lane");
    race.press("learning_rate=5e-3\r");
    race.shows("3 lanes train");
    race.press(" ");
    race.waits("three lanes that stand still", |text| text.matches("paused ").count() == 3);
    let standing = measured(&race.text());
    race.press("d");
    assert_eq!(race.ends(), 0);
    // Whoever comes back sees every lane as far as it was, those that were there before the clone too.
    let mut race = run.attach(&[]);
    race.waits("three lanes that stand still", |text| text.matches("paused ").count() == 3);
    assert_eq!(standing.len(), 3);
    race.waits("what they had measured", |text| measured(text) == standing);
    let listed = run.listed();
    assert_eq!((&listed["live"]["paused"], listed["lanes"].as_array().map(Vec::len)), (&true.into(), Some(3)));
    race.press(" ");
    race.waits("lanes that train", |text| text.matches("trains ").count() >= 3);
    let lane = |number: u32| run.folder().join(format!("lanes/lane-{number}"));
    wait("the change in a journal", || (1..=2).any(|number| !lines(&lane(number).join("journal.jsonl")).is_empty()));
    kill_process(run.engine(), Signal::TERM).unwrap();
    race.waits("the end", |text| text.contains("the race has ended"));
    race.press("q");
    assert_eq!(race.ends(), 0);
    run.ends("terminated");
    let state = |number: u32| common::json(&lane(number).join("status.json"))["state"].clone();
    assert!((1..=3).all(|number| state(number) == "terminated"));

    let taken = |number: u32| common::json(&lane(number).join("status.json"))["steps"].as_u64().unwrap();
    let bound = (1..=3).map(taken).max().unwrap() + 20;
    let (status, said) = run.output(&["resume", "one", "--headless", "--set", &format!("train.max_steps={bound}")]);
    assert_eq!(status, 0, "{said}");
    assert!((1..=3).all(|number| state(number) == "completed" && taken(number) == bound), "{said}");
}
