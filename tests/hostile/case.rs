//! One broken input, and what must come of it.

use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use spartui::error::{Error, Result};

use crate::folder::Folder;

/// Breaks something in a healthy folder.
pub type Spoil = Box<dyn Fn(&Folder) + Send + Sync>;
/// Reads what was broken, as the program would.
pub type Reader = fn(&Folder) -> Result<()>;

/// A broken input for one reader; the refusal must hold the words `says`.
pub struct Case<By> {
    name: String,
    spoil: Spoil,
    by: By,
    says: String,
}

pub fn case<By>(name: impl Into<String>, spoil: Spoil, by: By, says: impl Into<String>) -> Case<By> {
    Case { name: name.into(), spoil, by, says: says.into() }
}

/// A case for the program, with its arguments.
pub fn program(name: &str, spoil: Spoil, arguments: &str, says: &str) -> Case<Vec<String>> {
    case(name, spoil, words(arguments), says)
}

/// A case for `train` with one field of the recipe set.
pub fn setting(recipe: &str, assignment: &str, says: &str) -> Case<Vec<String>> {
    let arguments = ["train", recipe, "--set", assignment].map(str::to_owned).into();
    case(format!("--set {}", assignment.escape_debug()), Box::new(|_| {}), arguments, says)
}

pub fn words(arguments: &str) -> Vec<String> {
    arguments.split(' ').map(str::to_owned).collect()
}

/// Longest that one run of the program may take. All of these end within a second on a machine that is not busy.
const LIMIT: Duration = Duration::from_secs(60);
/// Runs at the same time.
const WORKERS: usize = 2;
/// Longest sentence in characters, without the path of the folder.
const LONGEST: usize = 600;

pub struct Outcome {
    pub status: Option<i32>,
    pub printed: String,
    pub error: String,
}

pub fn run(folder: &Folder, arguments: &[String]) -> Outcome {
    let streams = tempfile::tempdir().unwrap();
    let [out, err] = ["out", "err"].map(|name| streams.path().join(name));
    let to = |path| Stdio::from(std::fs::File::create(path).unwrap());
    let mut child = Command::new(env!("CARGO_BIN_EXE_spartui"))
        .args(arguments)
        .current_dir(folder.path())
        .env("HF_HOME", folder.at("hub"))
        .env("HF_HUB_OFFLINE", "1")
        .env("OMP_NUM_THREADS", "1")
        .env_remove("SPARTUI_RUNS")
        .stdin(Stdio::null())
        .stdout(to(&out))
        .stderr(to(&err))
        .spawn()
        .unwrap();
    let begun = Instant::now();
    let status = loop {
        match child.try_wait().unwrap() {
            Some(status) => break status.code(),
            None if begun.elapsed() > LIMIT => {
                child.kill().unwrap();
                child.wait().unwrap();
                panic!("{arguments:?} does not end");
            }
            None => std::thread::sleep(Duration::from_millis(5)),
        }
    };
    let text = |path| String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned();
    Outcome { status, printed: text(&out), error: text(&err) }
}

/// What is wrong with a refusal.
fn faults(sentence: &str, says: &str) -> Vec<&'static str> {
    let checks = [
        (sentence.trim().is_empty(), "it is empty"),
        (sentence.chars().any(char::is_control), "it holds control characters or more than one line"),
        (sentence.contains("panicked") || sentence.contains("the computation failed"), "it tells of a panic"),
        (sentence.chars().count() > LONGEST, "it is too long"),
        (!sentence.contains(says), "it does not name the culprit"),
    ];
    checks.into_iter().filter_map(|(wrong, what)| wrong.then_some(what)).collect()
}

/// Each case must be refused by its reader, within this process.
pub fn reader_refuses(cases: &[Case<Reader>]) {
    let mut failures = Vec::new();
    for Case { name, spoil, by, says } in cases {
        let folder = Folder::healthy();
        spoil(&folder);
        let found = match spartui::model::guarded(|| by(&folder)) {
            Ok(()) => vec!["it is not refused".to_owned()],
            Err(Error::Failed(why)) => vec![format!("it fails instead of being refused: {why}")],
            Err(Error::Refused(sentence)) => {
                let short = sentence.replace(&*folder.path().to_string_lossy(), "");
                faults(&short, says).into_iter().map(|fault| format!("{fault}: {short:?}")).collect()
            }
        };
        failures.extend(found.into_iter().map(|fault| format!("{name}: {fault}")));
    }
    assert!(failures.is_empty(), "{} of {} cases:\n{}", failures.len(), cases.len(), failures.join("\n"));
}

/// Each case must be refused by the program.
pub fn program_refuses(cases: Vec<Case<Vec<String>>>) {
    let count = cases.len();
    let (waiting, failures) = (Mutex::new(cases), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                while let Some(case) = { waiting.lock().unwrap().pop() } {
                    let found = faults_of_run(&case);
                    failures.lock().unwrap().extend(found.into_iter().map(|fault| format!("{}: {fault}", case.name)));
                }
            });
        }
    });
    let failures = failures.into_inner().unwrap();
    assert!(failures.is_empty(), "{} of {count} cases:\n{}", failures.len(), failures.join("\n"));
}

fn faults_of_run(case: &Case<Vec<String>>) -> Vec<String> {
    let folder = Folder::healthy();
    (case.spoil)(&folder);
    let before = folder.entries();
    let Outcome { status, printed, error } = run(&folder, &case.by);
    let short = error.replace(&*folder.path().to_string_lossy(), "");
    let mut found = Vec::new();
    if status != Some(2) {
        found.push(format!("the exit status is {status:?}: {short}"));
    }
    match short.strip_prefix("spartui: ").and_then(|rest| rest.strip_suffix('\n')) {
        Some(sentence) => {
            found.extend(faults(sentence, &case.says).into_iter().map(|fault| format!("{fault}: {sentence:?}")));
        }
        None => found.push(format!("standard error is not one sentence of the program: {short:?}")),
    }
    // A run says what it is about to do ("reading the model ..."), and that is all it may have said.
    if printed.lines().any(|line| case.by[0] != "train" || !line.ends_with("...")) {
        found.push(format!("something was printed: {printed:?}"));
    }
    if folder.entries() != before {
        found.push(format!("it left something behind: {:?}", folder.entries()));
    }
    found
}
