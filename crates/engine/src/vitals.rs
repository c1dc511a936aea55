//! Samples machine and device on a thread of their own.

use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TrySendError, unbounded};
use sysinfo::{ProcessRefreshKind, ProcessesToUpdate, System};

use spartui_cuda as cuda;
use spartui_facts::protocol::{Event, Gpu, Host, Vitals};

/// Time between two samples.
const EVERY: Duration = Duration::from_secs(2);

/// A thread that samples until it is dropped. Its last sample is sent before it ends.
#[derive(Debug)]
pub struct Sampler {
    /// Whether training is paused, so that no samples are needed.
    pauses: Option<Sender<bool>>,
    thread: Option<JoinHandle<()>>,
}

impl Sampler {
    /// Samples for a run in this folder, whose model may be on an NVIDIA device. A sample that does not fit the
    /// channel is dropped.
    #[must_use]
    pub fn start(events: Sender<Event>, folder: PathBuf, device: Option<usize>) -> Self {
        let (pauses, asked) = unbounded();
        let run = move || sample(&events, &asked, &mut Probe::new(folder, device));
        // If no thread can be started there are no samples, and nothing else is missing.
        let thread = std::thread::Builder::new().name("vitals".into()).spawn(run).ok();
        Self { pauses: Some(pauses), thread }
    }

    /// Pauses or resumes sampling.
    pub fn pause(&self, paused: bool) {
        // A thread that has ended does not sample.
        let _ = self.pauses.as_ref().map(|pauses| pauses.send(paused));
    }
}

impl Drop for Sampler {
    fn drop(&mut self) {
        self.pauses = None;
        // The thread holds nothing that a panic could leave inconsistent.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn sample(events: &Sender<Event>, asked: &Receiver<bool>, probe: &mut Probe) {
    let mut paused = false;
    loop {
        if let Err(TrySendError::Disconnected(_)) = events.try_send(Event::Vitals(Box::new(probe.sample()))) {
            return;
        }
        loop {
            let message = if paused {
                asked.recv().map_err(|_| RecvTimeoutError::Disconnected)
            } else {
                asked.recv_timeout(EVERY)
            };
            match message {
                Ok(now) => paused = now,
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }
}

struct Probe {
    system: System,
    folder: PathBuf,
    device: Option<usize>,
    is_first: bool,
}

impl Probe {
    fn new(folder: PathBuf, device: Option<usize>) -> Self {
        Self { system: System::new(), folder, device, is_first: true }
    }

    fn sample(&mut self) -> Vitals {
        let gpu = self.device.and_then(cuda::vitals).map(|vitals| Gpu {
            name: vitals.name,
            memory_used: vitals.memory.map(|(used, _)| used),
            memory_total: vitals.memory.map(|(_, total)| total),
            busy: vitals.busy,
            memory_busy: vitals.memory_busy,
            power: vitals.power,
            power_limit: vitals.power_limit,
            temperature: vitals.temperature,
            clock: vitals.clock,
            clock_limit: vitals.clock_limit,
        });
        Vitals { host: self.host(), gpu }
    }

    fn host(&mut self) -> Host {
        let system = &mut self.system;
        system.refresh_memory();
        system.refresh_cpu_usage();
        let pid = sysinfo::get_current_pid().ok();
        let what = ProcessRefreshKind::nothing().with_memory().with_cpu();
        if let Some(pid) = pid {
            system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), false, what);
        }
        let process = pid.and_then(|pid| system.process(pid));
        let is_first = std::mem::take(&mut self.is_first);
        let share = |percent: f32| (!is_first && percent.is_finite()).then(|| f64::from(percent) / 100.0);
        let disk = space(&self.folder);
        Host {
            cpu: share(system.global_cpu_usage()),
            cores: system.cpus().len(),
            process_cores: process.and_then(|process| share(process.cpu_usage())),
            memory_used: system.used_memory(),
            memory_total: system.total_memory(),
            swap_used: system.used_swap(),
            resident: process.map(sysinfo::Process::memory),
            disk_free: disk.map(|(free, _)| free),
            disk_total: disk.map(|(_, total)| total),
        }
    }
}

/// Free and total bytes of the file system with this folder.
fn space(folder: &Path) -> Option<(u64, u64)> {
    let found = rustix::fs::statvfs(folder).ok()?;
    Some((found.f_bavail.saturating_mul(found.f_frsize), found.f_blocks.saturating_mul(found.f_frsize)))
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn a_machine_reports_its_load() {
        let folder = tempfile::tempdir().unwrap();
        let mut probe = Probe::new(folder.path().to_owned(), None);
        let first = probe.sample();
        assert_eq!((first.host.cpu, first.gpu), (None, None));
        std::thread::sleep(Duration::from_millis(300));
        let Host { cpu, cores, memory_used, memory_total, resident, disk_free, disk_total, .. } = probe.sample().host;
        assert!(cpu.is_some_and(|share| (0.0..=1.01).contains(&share)) && cores > 0, "{cpu:?} of {cores}");
        assert!(memory_used > 0 && memory_used < memory_total);
        assert!(resident.is_some_and(|resident| resident > 1 << 20 && resident < memory_total));
        assert!(disk_free.is_some() && disk_free <= disk_total);
        assert_eq!(space(Path::new("/no/such/folder")), None);
    }

    #[test]
    fn it_ends_at_once_and_sends_nothing_while_paused() {
        let (events, received) = unbounded();
        let sampler = Sampler::start(events, std::env::temp_dir(), None);
        sampler.pause(true);
        assert!(matches!(received.recv_timeout(Duration::from_secs(20)), Ok(Event::Vitals(_))));
        assert!(received.recv_timeout(EVERY + Duration::from_millis(300)).is_err());
        let began = Instant::now();
        drop(sampler);
        assert!(began.elapsed() < Duration::from_secs(1));
        assert!(received.recv().is_err(), "the channel is closed with it");
    }
}
