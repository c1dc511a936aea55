//! What crosses a run's socket: the same commands and events as between threads, and a few words about the connection.
//!
//! One JSON object a line. The engine's process speaks first: its first line is [`News::Hello`], and it goes on when
//! the other side has answered with [`Request::Hello`].

use serde::{Deserialize, Serialize};

use super::{Command, CommandId, Event};

/// Of the words below; both sides must have the same.
pub const VERSION: u32 = 1;

/// Names one of the interfaces that are connected to a run; 0 is the first.
pub type ClientId = u32;

/// Command ids that each client has for itself.
const IDS: CommandId = 1_000_000;

/// The first id of a client's commands: those of two clients never meet.
#[must_use]
pub fn first_command_id(client: ClientId) -> CommandId {
    CommandId::from(client) * IDS + 1
}

/// What an interface tells the engine's process.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "attach", rename_all = "snake_case")]
pub enum Request {
    /// The first line.
    Hello {
        /// [`VERSION`] as the interface knows it.
        version: u32,
        /// What it has come for.
        purpose: Purpose,
        /// Where it is, for people: `pts/3`.
        from: String,
    },
    /// Steer from now on; who steered so far watches.
    TakeOver,
    /// As between threads.
    #[serde(untagged)]
    Command(Command),
}

/// What an interface has come for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// To steer, where nobody does, and else to watch.
    Steer,
    /// To watch.
    Watch,
    /// To ask how the run stands: one [`News::Standing`], and that is all.
    Ask,
}

/// What the engine's process tells an interface.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "attach", rename_all = "snake_case")]
pub enum News {
    /// The first line.
    Hello {
        /// [`VERSION`] as the engine knows it.
        version: u32,
        /// Version of the program.
        program: String,
        /// The name that this interface has got.
        client: ClientId,
        /// Seconds since the engine began.
        seconds: f64,
    },
    /// What follows happened so many seconds after the engine began.
    Clock {
        /// The seconds.
        seconds: f64,
    },
    /// All that had happened before is told; what follows happens now.
    Live,
    /// Who is connected.
    Audience(Audience),
    /// The last words before the engine's process closes the connection.
    Refused {
        /// One sentence with the reason and the remedy.
        why: String,
    },
    /// Answer to [`Purpose::Ask`].
    Standing(Standing),
    /// The connection has ended. Never sent: this side of it says so.
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

/// Who is connected to a run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Audience {
    /// All of them, in the order in which they came.
    pub clients: Vec<Client>,
    /// The one whose commands are obeyed.
    pub steering: Option<ClientId>,
}

/// An interface that is connected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Client {
    /// Its name among the others.
    pub id: ClientId,
    /// Where it is, for people.
    pub from: String,
}

impl Audience {
    /// Where the interface is that steers.
    #[must_use]
    pub fn steered_from(&self) -> Option<&str> {
        self.clients.iter().find(|client| Some(client.id) == self.steering).map(|client| client.from.as_str())
    }
}

/// How a run stands at this moment.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Standing {
    /// Optimizer steps taken.
    pub step: u64,
    /// Whether training stands still.
    pub paused: bool,
    /// Interfaces that are connected.
    pub watching: usize,
    /// Where the one is that steers.
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
        let told = News::Event(Event::CommandStatus { id: 7, status: CommandStatus::Applied { step: 3 } });
        let (line, read) = back(&told);
        assert_eq!(line, r#"{"event":"command_status","id":7,"status":{"status":"applied","step":3}}"#);
        assert_eq!(read, told);
        let (line, _) = back(&Request::Hello { version: 1, purpose: Purpose::Watch, from: "pts/3".into() });
        assert_eq!(line, r#"{"attach":"hello","version":1,"purpose":"watch","from":"pts/3"}"#);
        let audience =
            News::Audience(Audience { clients: vec![Client { id: 2, from: "pts/3".into() }], steering: Some(2) });
        assert_eq!(back(&audience).1, audience);
        for wrong in ["{}", "[]", "7", "{\"attach\":\"fly\"}", "{\"command\":\"fly\"}", "{\"attach\":\"lost\"}"] {
            assert!(serde_json::from_str::<Request>(wrong).is_err() && serde_json::from_str::<News>(wrong).is_err());
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
        let News::Event(Event::Step(read)) = back(&News::Event(Event::Step(step))).1 else { panic!("no step") };
        assert!(read.loss.is_nan() && read.grad_norm.is_nan() && read.step == 3);
    }
}
