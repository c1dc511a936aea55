//! Temporary use of the model as it was at another step.

use super::{Session, Snapshot};
use spartui_facts::error::{Error, Result};
use spartui_method::{self as method, Patch};
use spartui_model::{Head, Model, guarded};

/// A version of a session's model: the base model, or the adapted one at some step.
#[derive(Debug)]
pub struct Version {
    patches: Vec<Patch>,
    head: Head,
}

impl Session {
    /// The current adapted model, independent of further training.
    #[must_use]
    pub fn version_now(&self) -> Version {
        Version { patches: self.method.patches(), head: self.head.head.copy() }
    }

    /// The base model, with the initial head. Where every parameter trains, it is taken from `start`, a snapshot from
    /// before the first step, if there is one.
    ///
    /// # Errors
    /// One sentence why the base model is not kept.
    pub fn base_version(&self, start: Option<&Snapshot>) -> std::result::Result<Version, String> {
        let kind = self.recipe.method.kind;
        let patches = match (method::definition(kind).keeps_base(&self.recipe.method), start) {
            (true, _) => Vec::new(),
            (false, Some(start)) => self.method.patches_of(&start.method, start.step)?,
            (false, None) => {
                return Err(format!(
                    "method.kind \"{}\" changes every parameter, and the base model is not kept in memory; a larger \
                     history.budget_mb keeps it",
                    kind.name()
                ));
            }
        };
        Ok(Version { patches, head: self.head.start.copy() })
    }

    /// The adapted model of a snapshot of this session, or of one with the same recipe, model and data.
    ///
    /// # Errors
    /// Refuses a snapshot that does not fit.
    pub fn version_of(&mut self, snapshot: &Snapshot) -> Result<Version> {
        let refuse = |why: String| Error::refused(format!("the state of step {} does not fit: {why}", snapshot.step));
        let head = self.head.of_state(&snapshot.head).map_err(refuse)?;
        let now = self.method.patches();
        now.iter().for_each(Patch::revert);
        let patches = self.method.patches_of(&snapshot.method, snapshot.step);
        now.iter().for_each(Patch::apply);
        Ok(Version { patches: patches.map_err(refuse)?, head })
    }

    /// Runs `work` with the model of a version. Afterwards the session's model is restored to the bit, even if `work`
    /// fails.
    ///
    /// # Errors
    /// Those of `work`, and what libtorch throws in it.
    pub fn with_version<T>(&mut self, version: &Version, work: impl FnOnce(&Model, &Head) -> Result<T>) -> Result<T> {
        let now = self.method.patches();
        now.iter().for_each(Patch::revert);
        version.patches.iter().for_each(Patch::apply);
        let done = guarded(|| work(&self.model, &version.head));
        version.patches.iter().for_each(Patch::revert);
        now.iter().for_each(Patch::apply);
        done
    }
}
