//! A state that can be compared.

/// A state, and whether the changes made right at its step are part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Its branch.
    pub branch: u32,
    /// Its step.
    pub step: u64,
    /// Whether it is the tip of its branch, changes and all.
    pub tip: bool,
}
