//! The panels of the cockpit.

/// A panel of the cockpit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Panel {
    /// The loss over the steps.
    Loss,
    /// Trainable scalars by group.
    Sparsity,
    /// Live fields.
    Settings,
    /// Memory by owner.
    Memory,
    /// Evaluations.
    Validation,
    /// The log.
    Log,
    /// The other metrics.
    Charts,
    /// Load of machine and device.
    Device,
    /// Groups by layers.
    Map,
}

impl Panel {
    /// All panels, in the order of the focus.
    pub const ALL: [Self; 9] = [
        Self::Loss,
        Self::Sparsity,
        Self::Settings,
        Self::Memory,
        Self::Validation,
        Self::Log,
        Self::Charts,
        Self::Device,
        Self::Map,
    ];

    /// Its title.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Loss => "loss",
            Self::Sparsity => "sparsity",
            Self::Settings => "settings",
            Self::Memory => "memory",
            Self::Validation => "validation",
            Self::Log => "log",
            Self::Charts => "charts",
            Self::Device => "device",
            Self::Map => "map",
        }
    }

    /// The panel this many places further, cyclic.
    #[must_use]
    pub fn moved(self, by: isize) -> Self {
        let count = Self::ALL.len();
        Self::ALL[(self as usize).wrapping_add_signed(by + count.cast_signed()) % count]
    }
}
