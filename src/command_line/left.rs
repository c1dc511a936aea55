//! What is true of a run that the interface has left: it is asked of the run's folder, and never supposed.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use spartui_facts::protocol::Command;
use spartui_facts::quote::place;
use spartui_run::{RunFolder, State};

/// How long a run that was asked to end may take to, before it is told that it is ending.
const PATIENCE: Duration = Duration::from_secs(1);

/// How a run stands that the interface has left.
#[derive(Debug, Clone, PartialEq)]
pub struct Left {
    /// What its folder says; nothing where that cannot be read.
    state: Option<State>,
    /// How it was asked to end, if it was.
    asked: Option<Command>,
    /// What a user calls it.
    name: String,
    folder: String,
}

impl Left {
    /// Looks at the folder of the run. One that was `asked` to end is waited for, for a moment.
    #[must_use]
    pub fn look(folder: &Path, asked: Option<&Command>) -> Self {
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

    /// Whether it was broken off, or its process is gone.
    #[must_use]
    pub fn is_bad(&self) -> bool {
        matches!(self.state, Some(State::Aborted | State::Failed | State::Interrupted) | None)
    }

    /// Whether it trains, and nobody has asked it to end.
    #[must_use]
    pub fn goes_on(&self) -> bool {
        (self.state, &self.asked) == (Some(State::Running), &None)
    }

    /// One sentence about it.
    #[must_use]
    pub fn sentence(&self) -> String {
        let Self { name, folder, .. } = self;
        match (self.state, &self.asked) {
            (Some(State::Running), None) => {
                format!("detached; the run goes on, and `spartui attach {name}` comes back to it")
            }
            (Some(State::Running), Some(Command::Abort)) => {
                format!("detached; the run is being aborted, and {folder} keeps what it had written")
            }
            (Some(State::Running), Some(Command::Terminate)) => {
                format!("detached; the run is ending and writes a checkpoint; `spartui resume {name}` resumes it then")
            }
            (Some(State::Running), Some(_)) => {
                "detached; the run is stopping and writes checkpoint and adapter; `spartui runs` shows when it has"
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
            (None, _) => format!("what became of the run cannot be read in {folder}; `spartui runs` lists the runs"),
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
        let said = |asked: Option<&Command>| {
            let left = Left::look(&path, asked);
            (left.is_bad(), left.sentence())
        };
        let (bad, sentence) = said(None);
        assert!(!bad && sentence.contains("goes on") && sentence.contains("spartui attach"), "{sentence}");
        for (asked, word) in
            [(Command::Stop, "is stopping"), (Command::Abort, "is being aborted"), (Command::Terminate, "is ending")]
        {
            let (bad, sentence) = said(Some(&asked));
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
                let (bad, sentence) = said(asked.as_ref());
                assert!(bad == is_bad && sentence.contains(word) && !sentence.contains("goes on"), "{sentence}");
            }
        }
        run.set_resumed(5, None).unwrap();
        drop(run);
        let (bad, sentence) = said(None);
        assert!(bad && sentence.contains("was killed") && sentence.contains("spartui resume"), "{sentence}");
        std::fs::remove_dir_all(&path).unwrap();
        assert!(said(None).0);
    }
}
