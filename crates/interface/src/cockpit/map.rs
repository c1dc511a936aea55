//! Measure and cursor of the map of groups by layers.

use spartui_facts::protocol::{Group, Layer};

/// The quantity that the map shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Measure {
    /// Share of the scalars that train.
    #[default]
    Density,
    /// Root mean square of the deltas.
    Update,
    /// Share of the deltas that survive the cast.
    Surviving,
}

/// The map.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Map {
    /// The quantity shown.
    pub measure: Measure,
    /// The group under the cursor.
    pub group: usize,
    /// The layer under it.
    pub layer: usize,
}

impl Measure {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Density => "density",
            Self::Update => "size of the update",
            Self::Surviving => "kept by the cast",
        }
    }

    /// The next measure, cyclic.
    #[must_use]
    pub fn next(self) -> Self {
        match self {
            Self::Density => Self::Update,
            Self::Update => Self::Surviving,
            Self::Surviving => Self::Density,
        }
    }

    /// Its value for a layer; none if undefined.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a share is rounded anyway")]
    pub fn of(self, layer: &Layer) -> Option<f64> {
        let value = match self {
            Self::Density => (layer.parameters > 0).then(|| layer.trainable as f64 / layer.parameters as f64),
            Self::Update => Some(layer.delta_rms),
            Self::Surviving => layer.surviving,
        };
        value.filter(|value| value.is_finite())
    }
}

impl Map {
    /// Moves the cursor within the groups and layers.
    pub fn walk(&mut self, (down, right): (isize, isize), groups: &[Group]) {
        let layers = groups.iter().map(|group| group.layers.len()).max().unwrap_or(0);
        let shown = groups.iter().filter(|group| group.is_in_layers()).count();
        self.group = self.group.saturating_add_signed(down).min(shown.saturating_sub(1));
        self.layer = self.layer.saturating_add_signed(right).min(layers.saturating_sub(1));
    }
}
