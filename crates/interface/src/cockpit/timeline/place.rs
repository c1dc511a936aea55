//! A state that can be compared.

/// A state, and whether it includes the changes made at its very step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Its branch.
    pub branch: u32,
    /// Its step.
    pub step: u64,
    /// Whether it is the tip of its branch, with all changes.
    pub tip: bool,
}
