//! The status of a run, as a file in its folder that other processes can read.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use super::files::{read_bounded, replace};
use spartui_facts::protocol::{Ending, Evaluation, Holds};
use spartui_facts::quote::one_line;

const FILE: &str = "status.json";
/// Locked by the process that trains; the system releases the lock however that process ends.
const LOCK: &str = ".lock";
const LIMIT: u64 = 1 << 20;

/// The state of a run.
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
    /// It was aborted by hand.
    Aborted,
    /// It was ended by a signal.
    Terminated,
    /// It failed.
    Failed,
    /// Its process ended without writing a status. Never written: a `running` whose process is gone is read as this.
    Interrupted,
}

impl State {
    /// Whether the run ended before its last step, so that it can be resumed.
    #[must_use]
    pub fn can_resume(self) -> bool {
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
    /// The state.
    pub state: State,
    /// Identifier of the process that trains or trained the run.
    pub pid: u32,
    /// Start of the run, in seconds since the Unix epoch.
    pub started: f64,
    /// End of the run, in seconds since the Unix epoch.
    #[serde(default)]
    pub ended: Option<f64>,
    /// Optimizer steps taken; known once the run has ended.
    #[serde(default)]
    pub steps: Option<u64>,
    /// Optimizer steps of the whole run.
    #[serde(default)]
    pub total_steps: Option<u64>,
    /// Accuracy of the best evaluation; known once the run has ended.
    #[serde(default)]
    pub best_accuracy: Option<f64>,
    /// The best evaluation on any branch; known once the run has ended.
    #[serde(default)]
    pub best: Option<Evaluation>,
    /// Which state the adapter, or the model, holds; known once the run has ended.
    #[serde(default)]
    pub holds: Option<Holds>,
    /// Peak memory in bytes: resident memory of the process, or memory of the device; known once the run has ended.
    #[serde(default)]
    pub peak_memory: Option<u64>,
    /// Number of CPU threads, on which the exact results of a run depend.
    #[serde(default)]
    pub threads: Option<usize>,
    /// Why it failed.
    #[serde(default)]
    pub message: Option<String>,
}

impl Status {
    /// The status of a run that this process starts now.
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

    /// Reads the status in a run folder; the error says what is wrong with the file.
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

/// Locks a run folder for this process, for as long as the file is open; none if another process holds the lock.
pub(super) fn claim(folder: &Path) -> std::io::Result<Option<File>> {
    let file = File::options().create(true).write(true).truncate(false).open(folder.join(LOCK))?;
    // A process that reads the status holds the lock for an instant, too.
    for _ in 0..50 {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(10)),
            // On a file system without locks, `is_held` looks for the process instead.
            Ok(()) | Err(TryLockError::Error(_)) => return Ok(Some(file)),
        }
    }
    Ok(None)
}

/// Whether the process that trains the run is alive.
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
