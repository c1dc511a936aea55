//! The events of a race as lines.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use super::{Printer, scored};
use spartui_facts::protocol::{Evaluation, Event, Lane, Race, Summary};

/// Shortest time between two progress lines, of all lanes together.
const EVERY: Duration = Duration::from_secs(2);

/// The lanes of a race, as known from its events.
#[derive(Debug, Default)]
pub struct Lanes {
    lanes: Vec<Shown>,
    printed: Option<Instant>,
}

#[derive(Debug)]
struct Shown {
    about: Lane,
    printer: Printer,
    best: Option<Evaluation>,
    trainable: u64,
    summary: Option<Summary>,
}

impl Lanes {
    /// The line for an event of a race.
    pub fn line(&mut self, event: &Event) -> Option<String> {
        match event {
            Event::Race(race) => Some(self.introduce(race)),
            Event::Halved { step, kept, stopped } => {
                let names =
                    |lanes: &[u32]| lanes.iter().map(|lane| (lane + 1).to_string()).collect::<Vec<_>>().join(", ");
                Some(format!("step {step:>6}  lanes {} continue, {} are stopped", names(kept), names(stopped)))
            }
            Event::Lane { lane, told } => self.of_lane(*lane, told),
            _ => None,
        }
    }

    fn introduce(&mut self, race: &Race) -> String {
        let known = self.lanes.len();
        for about in race.lanes.iter().skip(known) {
            self.lanes.push(Shown {
                about: about.clone(),
                printer: Printer::new(false),
                best: None,
                trainable: 0,
                summary: None,
            });
        }
        let mut text = format!("{}: {} lanes", race.name, race.lanes.len());
        for (number, lane) in (1..).zip(&race.lanes).skip(known) {
            let _ = write!(text, "\nlane {number:>2}: {}", lane.label());
        }
        text
    }

    fn of_lane(&mut self, number: u32, event: &Event) -> Option<String> {
        let lane = self.lanes.get_mut(number as usize)?;
        match event {
            Event::Ready(ready) => {
                lane.printer.total_steps = ready.total_steps;
                return None;
            }
            Event::Sparsity(sparsity) => {
                lane.trainable = sparsity.trainable;
                return None;
            }
            Event::Evaluated(scores) if lane.best.is_none_or(|best| scores.is_better_than(&best)) => {
                lane.best = Some(*scores);
            }
            Event::Step(_) if self.printed.is_some_and(|at| at.elapsed() < EVERY) => return None,
            Event::Step(_) => {
                lane.printer.printed = None;
                self.printed = Some(Instant::now());
            }
            Event::Finished(summary) => lane.summary = Some((**summary).clone()),
            Event::Fault { message, .. } => return Some(format!("lane {:>2}  failed: {message}", number + 1)),
            Event::Loading { .. } | Event::Example(_) => return None,
            _ => {}
        }
        lane.printer.line(event).map(|line| format!("lane {:>2}  {line}", number + 1))
    }

    /// The lanes as lines, the best first; none if there is no race.
    pub fn standing(&self) -> Option<String> {
        if self.lanes.is_empty() {
            return None;
        }
        let mut order: Vec<(usize, &Shown)> = self.lanes.iter().enumerate().collect();
        order.sort_by(|(_, one), (_, other)| {
            let before = |one: &Shown, other: &Shown| match (one.best, other.best) {
                (Some(one), Some(other)) => one.is_better_than(&other),
                (one, other) => one.is_some() && other.is_none(),
            };
            before(other, one).cmp(&before(one, other))
        });
        let mut text = String::new();
        for (number, lane) in order {
            let best = lane
                .best
                .map_or_else(|| "not evaluated".to_owned(), |best| format!("{} at step {}", scored(&best), best.step));
            let _ = writeln!(
                text,
                "lane {:>2}  {}: best {best}; {} trainable; {}",
                number + 1,
                lane.about.label(),
                lane.trainable,
                lane.about.folder.display()
            );
        }
        Some(text)
    }
}
