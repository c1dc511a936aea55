//! The state of a run after the interface has left it: it is read from the run's folder, never assumed.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use spartui_facts::protocol::Command;
use spartui_facts::quote::place;
use spartui_run::{RunFolder, State};

/// How long a run that was asked to end is waited for, before it is reported as still ending.
const PATIENCE: Duration = Duration::from_secs(1);

/// A run after the interface has left it.
#[derive(Debug, Clone, PartialEq)]
pub struct DetachedRun {
    /// Its state; none if its folder cannot be read.
    state: Option<State>,
    /// The command that asked it to end, if there was one.
    asked: Option<Command>,
    /// The name or path that the user can give to other commands.
    name: String,
    folder: String,
}

impl DetachedRun {
    /// Reads the state of the run in a folder. A run that was `asked` to end is waited for, for a moment.
    #[must_use]
    pub fn read(folder: &Path, asked: Option<&Command>) -> Self {
        let begun = Instant::now();
        let state = loop {
            let state = RunFolder::open(folder).and_then(|run| run.status()).ok().map(|status| status.state);
            if state != Some(State::Running) || asked.is_none() || begun.elapsed() >= PATIENCE {
                break state;
            }
            thread::sleep(Duration::from_millis(20));
        };
        let name = folder.file_name().unwrap_or(folder.as_os_str());
        let is_here = folder == Path::new("runs").join(name);
        let name = if is_here { Path::new(name) } else { folder };
        Self { state, asked: asked.cloned(), name: place(name), folder: place(folder) }
    }

    /// Whether the run was aborted or failed, or its process is gone.
    #[must_use]
    pub fn is_failed(&self) -> bool {
        matches!(self.state, Some(State::Aborted | State::Failed | State::Interrupted) | None)
    }

    /// Whether the run trains and was not asked to end.
    #[must_use]
    pub fn is_running(&self) -> bool {
        (self.state, &self.asked) == (Some(State::Running), &None)
    }

    /// The state in one sentence.
    #[must_use]
    pub fn sentence(&self) -> String {
        let Self { name, folder, .. } = self;
        match (self.state, &self.asked) {
            (Some(State::Running), None) => {
                format!("detached; the run goes on, and `spartui attach {name}` reconnects")
            }
            (Some(State::Running), Some(Command::Abort)) => {
                format!("detached; the run is being aborted; what it has written stays in {folder}")
            }
            (Some(State::Running), Some(Command::Terminate)) => {
                format!("detached; the run is ending and writes a checkpoint; `spartui resume {name}` resumes it afterwards")
            }
            (Some(State::Running), Some(_)) => {
                "detached; the run is stopping and writes checkpoint and adapter; `spartui runs` shows when it has ended"
                    .into()
            }
            (Some(State::Aborted), _) => format!("the run was aborted; what it had written is in {folder}"),
            (Some(State::Interrupted), _) => {
                format!("the run is not running: its process was killed; `spartui resume {name}` resumes it")
            }
            (Some(state), _) if state.can_resume() => {
                format!("the run has ended ({state}); `spartui resume {name}` resumes it")
            }
            (Some(state), _) => format!("the run has ended ({state})"),
            (None, _) => format!("the state of the run cannot be read from {folder}; `spartui runs` lists the runs"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use spartui_facts::recipe::Recipe;

    #[test]
    fn what_is_said_follows_from_the_folder() {
        let root = tempfile::tempdir().unwrap();
        let run = RunFolder::create(root.path(), Some("first"), &Recipe::default(), "").unwrap();
        let path = run.path().to_owned();
        let read = |asked: Option<&Command>| {
            let left = DetachedRun::read(&path, asked);
            (left.is_failed(), left.sentence())
        };
        let (bad, sentence) = read(None);
        assert!(!bad && sentence.contains("goes on") && sentence.contains("spartui attach"), "{sentence}");
        for (asked, word) in
            [(Command::Stop, "is stopping"), (Command::Abort, "is being aborted"), (Command::Terminate, "is ending")]
        {
            let (bad, sentence) = read(Some(&asked));
            assert!(!bad && sentence.contains(word) && !sentence.contains("goes on"), "{sentence}");
        }
        for (state, is_bad, word) in [
            (State::Completed, false, "completed"),
            (State::Stopped, false, "spartui resume"),
            (State::Aborted, true, "was aborted"),
            (State::Failed, true, "failed"),
        ] {
            run.end(state, 1, None, None).unwrap();
            for asked in [None, Some(Command::Abort)] {
                let (bad, sentence) = read(asked.as_ref());
                assert!(bad == is_bad && sentence.contains(word) && !sentence.contains("goes on"), "{sentence}");
            }
        }
        run.set_resumed(5, None).unwrap();
        drop(run);
        let (bad, sentence) = read(None);
        assert!(bad && sentence.contains("was killed") && sentence.contains("spartui resume"), "{sentence}");
        std::fs::remove_dir_all(&path).unwrap();
        assert!(read(None).0);
    }
}
