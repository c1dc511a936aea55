//! The panels of the cockpit.

/// A panel of the cockpit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Panel {
    /// The loss over the steps.
    Loss,
    /// What trains, by group.
    Sparsity,
    /// Live-editable fields.
    Settings,
    /// Memory by owner.
    Memory,
    /// Evaluations.
    Validation,
    /// What happened.
    Log,
    /// Everything else that is measured.
    Charts,
    /// How machine and device are doing.
    Device,
    /// Groups by layers.
    Map,
}

impl Panel {
    /// All, in the order in which the focus moves.
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

    /// The panel this many places further, round and round.
    #[must_use]
    pub fn moved(self, by: isize) -> Self {
        let count = Self::ALL.len();
        Self::ALL[(self as usize).wrapping_add_signed(by + count.cast_signed()) % count]
    }
}
