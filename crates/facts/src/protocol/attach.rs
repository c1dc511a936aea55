//! The messages on a run's socket: the same commands and events as between threads, and a few about the connection.
//!
//! One JSON object per line. The engine's process speaks first: its first line is [`ServerMessage::Hello`], and it
//! continues when the other side has answered with [`Request::Hello`].

use serde::{Deserialize, Serialize};

use super::{Command, CommandId, Event};

/// Version of the messages below; both sides must have the same.
pub const VERSION: u32 = 1;

/// Identifies an interface connected to a run; 0 is the first.
pub type ClientId = u32;

/// Number of command identifiers per client.
const IDS: CommandId = 1_000_000;

/// The first command identifier of a client: those of two clients are always distinct.
#[must_use]
pub fn first_command_id(client: ClientId) -> CommandId {
    CommandId::from(client) * IDS + 1
}

/// A message from an interface to the engine's process.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "attach", rename_all = "snake_case")]
pub enum Request {
    /// The first line.
    Hello {
        /// [`VERSION`] as the interface knows it.
        version: u32,
        /// The purpose of the connection.
        purpose: Purpose,
        /// Where it runs, for display: `pts/3`.
        from: String,
    },
    /// Steer from now on; the previous client becomes a watcher.
    TakeOver,
    /// As between threads.
    #[serde(untagged)]
    Command(Command),
}

/// The purpose of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// To steer if no client does, else to watch.
    Steer,
    /// To watch.
    Watch,
    /// To get the status of the run: one [`ServerMessage::Standing`], and nothing else.
    Ask,
}

/// A message from the engine's process to an interface.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "attach", rename_all = "snake_case")]
pub enum ServerMessage {
    /// The first line.
    Hello {
        /// [`VERSION`] as the engine knows it.
        version: u32,
        /// Version of the program.
        program: String,
        /// The identifier of this interface.
        client: ClientId,
        /// Seconds since the engine started.
        seconds: f64,
    },
    /// What follows happened this many seconds after the engine started.
    Clock {
        /// The seconds.
        seconds: f64,
    },
    /// All earlier events have been sent; what follows happens now.
    Live,
    /// The connected interfaces.
    Audience(Audience),
    /// The last message before the engine's process closes the connection.
    Refused {
        /// One sentence with the reason and a remedy.
        why: String,
    },
    /// The answer to [`Purpose::Ask`].
    Standing(Standing),
    /// The connection has ended. Never sent: created on this side.
    #[serde(skip)]
    Lost {
        /// One sentence.
        why: String,
        /// Whether the run goes on.
        alive: bool,
    },
    /// As between threads.
    #[serde(untagged)]
    Event(Event),
}

/// The interfaces connected to a run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Audience {
    /// All of them, in the order of their connection.
    pub clients: Vec<Client>,
    /// The one whose commands are accepted.
    pub steering: Option<ClientId>,
}

/// A connected interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Client {
    /// Its identifier.
    pub id: ClientId,
    /// Where it runs, for display.
    pub from: String,
}

impl Audience {
    /// Where the steering interface runs.
    #[must_use]
    pub fn steered_from(&self) -> Option<&str> {
        self.clients.iter().find(|client| Some(client.id) == self.steering).map(|client| client.from.as_str())
    }
}

/// The current status of a run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Standing {
    /// Optimizer steps done.
    pub step: u64,
    /// Whether training is paused.
    pub paused: bool,
    /// Number of connected interfaces.
    pub watching: usize,
    /// Where the steering interface runs.
    pub steered_from: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{CommandStatus, Step};

    fn back<T: Serialize + serde::de::DeserializeOwned>(value: &T) -> (String, T) {
        let line = serde_json::to_string(value).unwrap();
        let read = serde_json::from_str(&line).unwrap();
        (line, read)
    }

    #[test]
    fn commands_and_events_cross_as_they_are() {
        let (line, read) = back(&Request::Command(Command::Pause));
        assert_eq!((line.as_str(), read), (r#"{"command":"pause"}"#, Request::Command(Command::Pause)));
        let told = ServerMessage::Event(Event::CommandStatus { id: 7, status: CommandStatus::Applied { step: 3 } });
        let (line, read) = back(&told);
        assert_eq!(line, r#"{"event":"command_status","id":7,"status":{"status":"applied","step":3}}"#);
        assert_eq!(read, told);
        let (line, _) = back(&Request::Hello { version: 1, purpose: Purpose::Watch, from: "pts/3".into() });
        assert_eq!(line, r#"{"attach":"hello","version":1,"purpose":"watch","from":"pts/3"}"#);
        let audience = ServerMessage::Audience(Audience {
            clients: vec![Client { id: 2, from: "pts/3".into() }],
            steering: Some(2),
        });
        assert_eq!(back(&audience).1, audience);
        for wrong in ["{}", "[]", "7", "{\"attach\":\"fly\"}", "{\"command\":\"fly\"}", "{\"attach\":\"lost\"}"] {
            assert!(
                serde_json::from_str::<Request>(wrong).is_err()
                    && serde_json::from_str::<ServerMessage>(wrong).is_err()
            );
        }
    }

    #[test]
    fn a_loss_that_is_no_number_crosses_as_such() {
        let step = Step {
            step: 3,
            epoch: 0.1,
            loss: f64::NAN,
            learning_rate: 1e-3,
            grad_norm: f64::INFINITY,
            examples: 1,
            tokens: 2,
            seconds: 0.5,
            trainable: 9,
            sparsity: 0.9,
            branch: 0,
        };
        let ServerMessage::Event(Event::Step(read)) = back(&ServerMessage::Event(Event::Step(step))).1 else {
            panic!("no step")
        };
        assert!(read.loss.is_nan() && read.grad_norm.is_nan() && read.step == 3);
    }
}
