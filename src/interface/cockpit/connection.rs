//! Who else is at this run, and whether this interface still is.

pub mod act;

use std::time::Duration;

use crate::protocol::{Audience, ClientId};

/// The connection to the engine's process.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Connection {
    /// This interface's name among those that are connected.
    pub client: ClientId,
    /// All that are connected; nobody, as long as that is not known.
    pub audience: Audience,
    /// Whether this interface began the run: then a signal that ends the interface ends the run.
    pub owner: bool,
    /// The time since the engine began of what is told at present, while that lies in the past.
    pub past: Option<Duration>,
    /// Whether all that had happened before this interface came is told.
    pub live: bool,
    /// Why the connection has ended, while the run goes on.
    pub lost: Option<String>,
}

impl Connection {
    /// Whether the engine obeys this interface.
    #[must_use]
    pub fn steers(&self) -> bool {
        self.audience.clients.is_empty() || self.audience.steering == Some(self.client)
    }

    /// Why this interface cannot change anything; none where it can.
    #[must_use]
    pub fn hindrance(&self) -> Option<&'static str> {
        if self.lost.is_some() {
            Some("the connection to the run is lost")
        } else if self.steers() {
            None
        } else {
            Some("watching")
        }
    }

    /// Number of the other interfaces.
    #[must_use]
    pub fn others(&self) -> usize {
        self.audience.clients.iter().filter(|client| client.id != self.client).count()
    }
}
