//! Routes commands to the lanes at once, whatever the race is doing: even during a lane's evaluation.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, unbounded};

use spartui_facts::protocol::{Command, CommandId};
use spartui_facts::recipe::Value;

/// An order to the race itself.
#[derive(Debug)]
pub enum Order {
    /// A lane has received a command.
    Look,
    /// As [`Command::Clone`].
    Clone {
        /// The identifier of the command.
        id: CommandId,
        /// The lane.
        lane: u32,
        /// The settings that differ.
        set: Vec<(String, Value)>,
    },
}

/// The command channels of the lanes.
#[derive(Debug, Clone)]
pub struct Router {
    lanes: Arc<Mutex<Vec<Sender<Command>>>>,
    /// Whether all lanes were asked to end.
    ends: Arc<AtomicBool>,
    orders: Receiver<Order>,
}

impl Router {
    /// Starts forwarding `commands`, after those received `before`.
    #[must_use]
    pub fn start(before: Vec<Command>, commands: Receiver<Command>) -> Self {
        let (give, orders) = unbounded();
        let router = Self { lanes: Arc::default(), ends: Arc::default(), orders };
        let ways = router.clone();
        thread::spawn(move || {
            for command in before.into_iter().chain(commands) {
                let order = match command {
                    Command::Clone { id, lane, set } => Order::Clone { id, lane, set },
                    command => {
                        ways.pass_on(command);
                        Order::Look
                    }
                };
                if give.send(order).is_err() {
                    return;
                }
            }
        });
        router
    }

    /// Adds the channel of another lane.
    pub fn add(&self) -> Receiver<Command> {
        let (way, commands) = unbounded();
        self.ways(|lanes| lanes.push(way));
        commands
    }

    /// Sends a command to one lane or to all. A lane that has ended receives nothing.
    pub fn pass_on(&self, command: Command) {
        self.ways(|lanes| match command {
            Command::Lane { lane, asked } => {
                if let Some(way) = lanes.get(lane as usize) {
                    let _ = way.send(*asked);
                }
            }
            command => {
                if matches!(command, Command::Stop | Command::Abort | Command::Terminate) {
                    self.ends.store(true, Ordering::SeqCst);
                }
                for way in lanes.iter() {
                    drop(way.send(command.clone()));
                }
            }
        });
    }

    /// Whether the whole race was asked to end, rather than a single lane.
    pub fn ends(&self) -> bool {
        self.ends.load(Ordering::SeqCst)
    }

    /// The next order, if there is one.
    pub fn next(&self) -> Option<Order> {
        self.orders.try_recv().ok()
    }

    /// The next order, if one arrives within this time.
    pub fn wait(&self, time: Duration) -> Option<Order> {
        match self.orders.recv_timeout(time) {
            Ok(order) => Some(order),
            Err(error) => {
                if error.is_disconnected() {
                    // No sender is left; paused lanes go on by themselves.
                    self.pass_on(Command::Resume);
                    thread::sleep(time);
                }
                None
            }
        }
    }

    fn ways<T>(&self, with: impl FnOnce(&mut Vec<Sender<Command>>) -> T) -> T {
        with(&mut self.lanes.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
