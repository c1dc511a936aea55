//! The connection to the run, and the other interfaces at it.

pub mod act;

use std::time::Duration;

use spartui_facts::protocol::{Audience, ClientId};

/// The connection to the engine's process.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Connection {
    /// This interface's identifier.
    pub client: ClientId,
    /// All connected interfaces; empty while unknown.
    pub audience: Audience,
    /// Whether this interface started the run: then a signal that ends the interface ends the run.
    pub owner: bool,
    /// While past events are replayed, their time since the engine started.
    pub past: Option<Duration>,
    /// Whether all events from before this connection have been replayed.
    pub live: bool,
    /// Why the connection was lost while the run goes on.
    pub lost: Option<String>,
}

impl Connection {
    /// Whether this interface steers the run.
    #[must_use]
    pub fn steers(&self) -> bool {
        self.audience.clients.is_empty() || self.audience.steering == Some(self.client)
    }

    /// Why this interface cannot change anything; none if it can.
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
