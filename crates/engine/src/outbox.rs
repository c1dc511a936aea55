//! Outgoing events.

use std::collections::VecDeque;

use crossbeam_channel::{Sender, TrySendError};

use spartui_facts::protocol::Event;

/// Sends events without blocking or dropping any: events that do not fit the channel are queued here.
#[derive(Debug)]
pub struct Outbox {
    channel: Sender<Event>,
    waiting: VecDeque<Event>,
}

impl Outbox {
    /// An outbox for this channel.
    #[must_use]
    pub fn new(channel: Sender<Event>) -> Self {
        Self { channel, waiting: VecDeque::new() }
    }

    /// The channel, for events sent from other threads, which may be lost.
    #[must_use]
    pub fn channel(&self) -> Sender<Event> {
        self.channel.clone()
    }

    /// Sends an event after all queued ones. Without a receiver, events are dropped.
    pub fn send(&mut self, event: Event) {
        self.waiting.push_back(event);
        while let Some(event) = self.waiting.pop_front() {
            match self.channel.try_send(event) {
                Ok(()) => {}
                Err(TrySendError::Full(event)) => {
                    self.waiting.push_front(event);
                    return;
                }
                Err(TrySendError::Disconnected(_)) => self.waiting.clear(),
            }
        }
    }

    /// Blocks until all is sent or the receiver is gone; for the end of the run.
    pub fn flush(&mut self) {
        while let Some(event) = self.waiting.pop_front() {
            if self.channel.send(event).is_err() {
                self.waiting.clear();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paused(step: u64) -> Event {
        Event::Paused { step }
    }

    #[test]
    fn a_full_channel_neither_blocks_nor_drops_nor_reorders() {
        let (sender, receiver) = crossbeam_channel::bounded(2);
        let mut outbox = Outbox::new(sender);
        (0..10).for_each(|step| outbox.send(paused(step)));
        let mut heard: Vec<Event> = receiver.try_iter().collect();
        outbox.send(paused(10));
        heard.extend(receiver.try_iter());
        let reader = std::thread::spawn(move || receiver.iter().collect::<Vec<_>>());
        outbox.flush();
        drop(outbox);
        heard.extend(reader.join().unwrap());
        assert_eq!(heard, (0..=10).map(paused).collect::<Vec<_>>());
    }

    #[test]
    fn sending_continues_without_a_receiver() {
        let (sender, receiver) = crossbeam_channel::bounded(1);
        drop(receiver);
        let mut outbox = Outbox::new(sender);
        (0..3).for_each(|step| outbox.send(paused(step)));
        outbox.flush();
    }
}
