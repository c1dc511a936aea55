//! Takes commands to the lanes at once, wherever the race is: also in the middle of a lane's evaluation.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, unbounded};

use crate::protocol::{Command, CommandId};
use crate::recipe::Value;

/// What the race itself is to do.
#[derive(Debug)]
pub enum Order {
    /// A lane was asked something.
    Look,
    /// As [`Command::Clone`].
    Clone {
        /// Names the command.
        id: CommandId,
        /// The lane.
        lane: u32,
        /// What differs.
        set: Vec<(String, Value)>,
    },
}

/// The ways to the lanes.
#[derive(Debug, Clone)]
pub struct Router {
    lanes: Arc<Mutex<Vec<Sender<Command>>>>,
    /// Whether all lanes were asked to end.
    ends: Arc<AtomicBool>,
    orders: Receiver<Order>,
}

impl Router {
    /// Begins to pass on `commands`, after those that came `before`.
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

    /// A way to another lane.
    pub fn add(&self) -> Receiver<Command> {
        let (way, commands) = unbounded();
        self.ways(|lanes| lanes.push(way));
        commands
    }

    /// Asks one lane, or all of them. A lane that has ended hears nothing any more.
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

    /// Whether the whole race was asked to end, and not one lane alone.
    pub fn ends(&self) -> bool {
        self.ends.load(Ordering::SeqCst)
    }

    /// The next order, if there is one.
    pub fn next(&self) -> Option<Order> {
        self.orders.try_recv().ok()
    }

    /// The next order, if one comes within this time.
    pub fn wait(&self, time: Duration) -> Option<Order> {
        match self.orders.recv_timeout(time) {
            Ok(order) => Some(order),
            Err(error) => {
                if error.is_disconnected() {
                    // Nobody can ask any more; the lanes that stand still go on by themselves.
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
