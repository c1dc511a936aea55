//! How a run stands, for those who look at its folder from outside.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use super::files::{read_bounded, replace};
use spartui_facts::protocol::{Ending, Evaluation, Holds};
use spartui_facts::quote::one_line;

const FILE: &str = "status.json";
/// Held locked by the process that trains: the system lets go of it however that process ends.
const LOCK: &str = ".lock";
const LIMIT: u64 = 1 << 20;

/// How a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It trains, or is paused.
    Running,
    /// All steps were taken.
    Completed,
    /// It was stopped by hand.
    Stopped,
    /// It was stopped because the validation metric no longer improved.
    StoppedEarly,
    /// It was broken off by hand.
    Aborted,
    /// It was ended by a signal.
    Terminated,
    /// It failed.
    Failed,
    /// Its process ended without saying so. Never written; this is what a `running` without a process means.
    Interrupted,
}

impl State {
    /// Whether the run ended before its time, so that it can be resumed.
    #[must_use]
    pub fn can_go_on(self) -> bool {
        matches!(self, Self::Interrupted | Self::Terminated | Self::Failed | Self::Stopped | Self::Aborted)
    }
}

impl From<Ending> for State {
    fn from(ending: Ending) -> Self {
        match ending {
            Ending::Completed => Self::Completed,
            Ending::Stopped => Self::Stopped,
            Ending::Aborted => Self::Aborted,
            Ending::Terminated => Self::Terminated,
            Ending::StoppedEarly => Self::StoppedEarly,
        }
    }
}

impl std::fmt::Display for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Running => f.pad("running"),
            Self::Completed => Ending::Completed.fmt(f),
            Self::Stopped => Ending::Stopped.fmt(f),
            Self::StoppedEarly => Ending::StoppedEarly.fmt(f),
            Self::Aborted => Ending::Aborted.fmt(f),
            Self::Terminated => Ending::Terminated.fmt(f),
            Self::Failed => f.pad("failed"),
            Self::Interrupted => f.pad("interrupted"),
        }
    }
}

/// `status.json`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// How it stands.
    pub state: State,
    /// The process that trains or trained it.
    pub pid: u32,
    /// Seconds since the Unix epoch when it began.
    pub started: f64,
    /// Seconds since the Unix epoch when it ended.
    #[serde(default)]
    pub ended: Option<f64>,
    /// Steps taken; known once it has ended.
    #[serde(default)]
    pub steps: Option<u64>,
    /// Steps that it is to take.
    #[serde(default)]
    pub total_steps: Option<u64>,
    /// The accuracy of the best evaluation; known once it has ended.
    #[serde(default)]
    pub best_accuracy: Option<f64>,
    /// The best evaluation, on whichever branch; known once it has ended.
    #[serde(default)]
    pub best: Option<Evaluation>,
    /// Which state its adapter, or its model, holds; known once it has ended.
    #[serde(default)]
    pub holds: Option<Holds>,
    /// Largest resident size of its processes, or of what they used of the device; known once it has ended.
    #[serde(default)]
    pub peak_memory: Option<u64>,
    /// Threads that it computes with, on the CPU: the bytes of a run depend on their number.
    #[serde(default)]
    pub threads: Option<usize>,
    /// Why it failed.
    #[serde(default)]
    pub message: Option<String>,
}

impl Status {
    /// Of a run that this process begins now.
    #[must_use]
    pub fn begun() -> Self {
        Self {
            state: State::Running,
            pid: std::process::id(),
            started: now(),
            ended: None,
            steps: None,
            total_steps: None,
            best_accuracy: None,
            best: None,
            holds: None,
            peak_memory: None,
            threads: None,
            message: None,
        }
    }

    pub(super) fn write(&self, folder: &Path) -> std::io::Result<()> {
        let mut text = serde_json::to_vec_pretty(self)?;
        text.push(b'\n');
        replace(&folder.join(FILE), &text)
    }

    /// The status in a run folder, a dead process taken into account; or what is wrong with it.
    pub(super) fn read(folder: &Path) -> Result<Self, String> {
        let bytes =
            read_bounded(&folder.join(FILE), LIMIT).map_err(|error| format!("{FILE} cannot be read: {error}"))?;
        let mut status: Self = serde_json::from_slice(&bytes)
            .map_err(|error| format!("{FILE} is broken: {}", one_line(&error.to_string())))?;
        if status.state == State::Running && !is_held(folder, status.pid) {
            status.state = State::Interrupted;
        }
        Ok(status)
    }
}

/// Claims a run folder for this process, for as long as the file lives. `None`: another one has it.
pub(super) fn claim(folder: &Path) -> std::io::Result<Option<File>> {
    let file = File::options().create(true).write(true).truncate(false).open(folder.join(LOCK))?;
    // Those who only look hold the lock for an instant, too.
    for _ in 0..50 {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(10)),
            // A file system without locks: the process id has to do.
            Ok(()) | Err(TryLockError::Error(_)) => return Ok(Some(file)),
        }
    }
    Ok(None)
}

fn is_held(folder: &Path, pid: u32) -> bool {
    let Ok(file) = File::open(folder.join(LOCK)) else { return false };
    match file.try_lock_shared() {
        Ok(()) => false,
        Err(TryLockError::WouldBlock) => true,
        Err(TryLockError::Error(_)) => Path::new("/proc").join(pid.to_string()).exists(),
    }
}

/// Seconds since the Unix epoch.
#[must_use]
pub fn now() -> f64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0.0, |time| time.as_secs_f64())
}
