//! A thread that writes checkpoints one after the other, so that training does not wait for the disk.

use std::fs::File;
use std::path::PathBuf;
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, unbounded};

use super::checkpoint::{Checkpoint, Found, Keep, Moment, Written, checkpoints, write_checkpoint};
use spartui_facts::error::{Error, Result};

/// A checkpoint to write.
pub struct Job {
    /// The moment of the checkpoint.
    pub moment: Moment,
    /// Makes its contents on the writing thread.
    pub contents: Box<dyn FnOnce() -> Checkpoint + Send>,
    /// Which other checkpoints are kept.
    pub keep: Keep,
    /// Whether it must be written even if a newer one waits.
    pub needed: Need,
    /// A file that must be on the disk before the checkpoint: the metrics must not end before it.
    pub before: Option<File>,
}

/// Whether a checkpoint must be written even if a newer one waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// No: a newer checkpoint replaces it.
    No,
    /// Unless the newer one is that of a better state of the same branch.
    Best,
    /// Always.
    Yes,
}

/// The result of a job.
#[derive(Debug)]
pub struct Outcome {
    /// The moment of the checkpoint.
    pub moment: Moment,
    /// The checkpoint that was written, or the error.
    pub written: Result<Written>,
    /// All checkpoints that exist now.
    pub present: Vec<Found>,
}

/// The thread that writes checkpoints.
#[derive(Debug)]
pub struct Writer {
    jobs: Option<Sender<Job>>,
    outcomes: Receiver<Outcome>,
    thread: Option<JoinHandle<()>>,
    busy: bool,
    waiting: Vec<Job>,
}

impl std::fmt::Debug for Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Job").field("moment", &self.moment).finish_non_exhaustive()
    }
}

impl Writer {
    /// Starts a thread that writes into this folder of checkpoints.
    #[must_use]
    pub fn start(folder: PathBuf) -> Self {
        let (jobs, received) = unbounded::<Job>();
        let (results, outcomes) = unbounded();
        let thread = std::thread::spawn(move || {
            for job in received {
                let Job { moment, contents, keep, before, .. } = job;
                let work = || {
                    // A disk that fails here fails also when the checkpoint itself is written.
                    if let Some(file) = before {
                        let _ = file.sync_data();
                    }
                    write_checkpoint(&folder, moment, &contents(), &keep)
                };
                let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
                let written = result.unwrap_or_else(|_| {
                    Err(Error::failed("a checkpoint could not be made; please report this and check the memory"))
                });
                let present = checkpoints(&folder).unwrap_or_default();
                if results.send(Outcome { moment, written, present }).is_err() {
                    return;
                }
            }
        });
        Self { jobs: Some(jobs), outcomes, thread: Some(thread), busy: false, waiting: Vec::new() }
    }

    /// Queues a checkpoint. Of those that wait, only the newest and those that are needed are written; one of the same
    /// moment is written once.
    pub fn offer(&mut self, mut job: Job) {
        if let Some(same) = self.waiting.iter().find(|other| other.moment == job.moment) {
            job.needed = job.needed.max(same.needed);
        }
        let is_superseded = |other: &Job| match other.needed {
            Need::No => true,
            Need::Best => job.needed == Need::Best && job.moment.branch == other.moment.branch,
            Need::Yes => false,
        };
        self.waiting.retain(|other| other.moment != job.moment && !is_superseded(other));
        self.waiting.push(job);
        self.hand_over();
    }

    /// Whether a checkpoint of this moment waits to be written.
    #[must_use]
    pub fn is_waiting(&self, moment: Moment) -> bool {
        self.waiting.iter().any(|job| job.moment == moment)
    }

    /// Sends the next job to the thread, unless it is busy.
    fn hand_over(&mut self) {
        if !self.busy && !self.waiting.is_empty() {
            let job = self.waiting.remove(0);
            self.busy = self.jobs.as_ref().is_some_and(|jobs| jobs.send(job).is_ok());
        }
    }

    /// The results since the last call.
    pub fn poll(&mut self) -> Vec<Outcome> {
        let mut done = Vec::new();
        while let Ok(outcome) = self.outcomes.try_recv() {
            self.busy = false;
            done.push(outcome);
            self.hand_over();
        }
        done
    }

    /// Waits until all jobs are done, and gives their results.
    pub fn wait(&mut self) -> Vec<Outcome> {
        let mut done = Vec::new();
        while self.busy {
            let Ok(outcome) = self.outcomes.recv() else { break };
            self.busy = false;
            done.push(outcome);
            self.hand_over();
        }
        done
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // Waiting checkpoints are written even if the run ends in a panic.
        self.wait();
        self.jobs = None;
        // Errors of the thread were reported as results.
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    fn job(step: u64, needed: Need, gate: Option<Receiver<()>>) -> Job {
        let contents = Box::new(move || {
            if let Some(gate) = gate {
                gate.recv().unwrap();
            }
            Checkpoint { tensors: Vec::new(), state: serde_json::json!({"step": step}) }
        });
        let keep = Keep { newest: 9, also: Vec::new() };
        Job { moment: Moment { step, ..Moment::default() }, contents, keep, needed, before: None }
    }

    #[test]
    fn one_at_a_time_the_newest_of_those_that_wait_and_what_is_needed() {
        let root = tempfile::tempdir().unwrap();
        let mut writer = Writer::start(root.path().join("checkpoints"));
        let (open, gate): (Sender<()>, _) = channel();
        writer.offer(job(1, Need::No, Some(gate)));
        for (step, needed) in [
            (2, Need::No),
            (3, Need::Yes),
            (4, Need::Best),
            (5, Need::No),
            (6, Need::Best),
            (6, Need::No),
            (7, Need::No),
        ] {
            writer.offer(job(step, needed, None));
        }
        assert!(writer.poll().is_empty());
        open.send(()).unwrap();
        let steps: Vec<u64> = writer.wait().iter().map(|outcome| outcome.moment.step).collect();
        assert_eq!(steps, [1, 3, 6, 7]);
    }

    #[test]
    fn a_failure_is_reported_and_the_next_one_is_tried() {
        let root = tempfile::tempdir().unwrap();
        let mut writer = Writer::start(root.path().join("none/checkpoints"));
        writer.offer(job(1, Need::No, None));
        assert!(writer.wait()[0].written.is_err());
        let panics = Job { contents: Box::new(|| panic!("no")), ..job(2, Need::No, None) };
        writer.offer(panics);
        assert!(writer.wait()[0].written.is_err());
        std::fs::create_dir(root.path().join("none")).unwrap();
        writer.offer(job(3, Need::No, None));
        assert!(writer.wait()[0].written.is_ok());
    }
}
