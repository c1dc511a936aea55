//! The memory of this process by owner.

mod device;

use std::path::{Path, PathBuf};

use sysinfo::{ProcessRefreshKind, ProcessesToUpdate, System};

use crate::allocator;
use spartui_facts::protocol::Memory;
use spartui_model::Parameter;
use spartui_train::{Prediction, Session, Surroundings};

/// Measures the process. Created before the model is loaded, so that it knows the program's own memory.
#[derive(Debug)]
pub struct Probe {
    system: System,
    /// The measurement before the model was loaded.
    at_start: Mapped,
    /// The measurement after loading, and the bytes accounted for then.
    at_load: Option<(Mapped, u64)>,
    on_devices: device::Probe,
    /// The predicted working memory.
    expected: u64,
    /// The predicted peak; 0 without a prediction.
    most: u64,
    /// The step from which free pages may be released again.
    release_from: u64,
    peak: u64,
}

/// The least number of steps between releases of free pages: faulting them in again costs a fifth of a step.
const RELEASE_EVERY: u64 = 32;

/// Resident bytes by their backing.
#[derive(Debug, Clone, Copy, Default)]
struct Mapped {
    /// Pages of the model's files, including those that training has changed.
    weights: u64,
    /// Pages of programs, libraries and other files.
    files: u64,
    /// Anonymous pages.
    anonymous: u64,
}

impl Default for Probe {
    fn default() -> Self {
        Self::new()
    }
}

impl Probe {
    /// Takes the first measurement.
    #[must_use]
    pub fn new() -> Self {
        let at_start = mapped(&[]).unwrap_or_default();
        let mut system = System::new();
        system.refresh_memory();
        Self {
            system,
            at_start,
            at_load: None,
            on_devices: device::Probe::new(),
            expected: 0,
            most: 0,
            release_from: 0,
            peak: 0,
        }
    }

    /// A probe for another run on the same model, which was loaded when this probe measured it.
    #[must_use]
    pub fn beside(&self) -> Self {
        let mut system = System::new();
        system.refresh_memory();
        Self {
            system,
            at_start: self.at_start,
            at_load: self.at_load,
            on_devices: self.on_devices.clone(),
            expected: 0,
            most: 0,
            release_from: 0,
            peak: 0,
        }
    }

    /// Takes the measurement between loading and the first step: earlier growth is tokenizer and rows, later growth
    /// the working memory of the steps.
    pub fn loaded(&mut self, session: &Session) {
        // Memory used only while reading rows is not data.
        allocator::release();
        let own = state_bytes(session) + copied_weights(session);
        self.at_load = mapped(session.model.files()).map(|mapped| (mapped, own));
        self.on_devices.loaded(session);
    }

    /// The memory besides model and training state after loading; for a prediction.
    pub fn surroundings(&mut self, session: &Session) -> Surroundings {
        let Memory { program, data, limit, .. } = self.measure(session, 0);
        let before = self.at_start.files + self.at_start.anonymous;
        Surroundings { program: if session.model.device == tch::Device::Cpu { before } else { program }, data, limit }
    }

    /// As [`Probe::surroundings`], for rows and tokenizer without a model.
    #[must_use]
    pub fn surroundings_of_rows(&self) -> Surroundings {
        allocator::release();
        let data = mapped(&[]).unwrap_or_default().anonymous.saturating_sub(self.at_start.anonymous);
        Surroundings { program: self.at_start.files + self.at_start.anonymous, data, limit: self.system.total_memory() }
    }

    /// Sets the predicted working memory, for systems that do not report it.
    pub fn expect(&mut self, predicted: &Prediction) {
        self.expected = predicted.by_owner().activations;
        self.most = predicted.total();
    }

    /// The largest resident size seen.
    #[must_use]
    pub fn peak(&self) -> u64 {
        self.peak
    }

    /// Measures the process by owner: on the model's device, if the driver reports it; `snapshots` are the bytes of
    /// those in the machine's memory.
    pub fn measure(&mut self, session: &Session, snapshots: u64) -> Memory {
        if let Some(memory) = self.on_devices.measure(session) {
            self.peak = self.peak.max(memory.total);
            return memory;
        }
        let [mut deltas, moments, mut data] = session.accounted();
        let mut activations = if session.step > 0 { self.expected } else { 0 };
        deltas += snapshots;
        let (weights, program, total) = match (mapped(session.model.files()), &self.at_load) {
            (Some(now), Some((loaded, accounted))) => {
                let since = |now: u64, before: u64| now.saturating_sub(before);
                data = since(loaded.anonymous, self.at_start.anonymous + accounted);
                activations =
                    since(now.anonymous + accounted, loaded.anonymous + deltas + moments + copied_weights(session));
                let total = now.weights + now.files + now.anonymous;
                (now.weights + copied_weights(session), now.files + self.at_start.anonymous, total)
            }
            _ => (weight_bytes(session), 0, self.resident()),
        };
        self.peak = self.peak.max(total).max(high_water_mark());
        self.release_where_above(total, session.step);
        let owned = weights + deltas + moments + activations + data + program;
        Memory {
            step: session.step,
            weights,
            deltas,
            moments,
            activations,
            data,
            program,
            other: total.saturating_sub(owned),
            total,
            limit: self.system.total_memory(),
            peak: 0,
        }
    }

    /// Releases free pages if more is resident than predicted: batches of many lengths leave free fragments that no
    /// later tensor fits.
    fn release_where_above(&mut self, total: u64, step: u64) {
        if self.most > 0 && total > self.most && step >= self.release_from {
            allocator::release();
            self.release_from = step + RELEASE_EVERY;
        }
    }

    fn resident(&mut self) -> u64 {
        let Ok(pid) = sysinfo::get_current_pid() else { return 0 };
        let what = ProcessRefreshKind::nothing().with_memory();
        self.system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), false, what);
        self.system.process(pid).map_or(0, sysinfo::Process::memory)
    }
}

/// Bytes of deltas, indices, moments and head.
fn state_bytes(session: &Session) -> u64 {
    let [deltas, moments, ..] = session.accounted();
    deltas + moments
}

fn weight_bytes(session: &Session) -> u64 {
    let tensors = session.model.parameters.iter();
    tensors.map(|Parameter { tensor, .. }| (tensor.numel() * tensor.kind().elt_size_in_bytes()) as u64).sum()
}

/// Bytes of weights that were converted or moved, and are therefore not mapped from a file.
fn copied_weights(session: &Session) -> u64 {
    match session.model.device {
        tch::Device::Cpu if session.model.is_mapped() => session.model.large_page_bytes(),
        tch::Device::Cpu => weight_bytes(session),
        _ => 0,
    }
}

/// The largest resident size of this process so far; 0 if the system does not report it.
#[must_use]
pub fn high_water_mark() -> u64 {
    of_status("VmHWM:")
}

/// The resident size of this process; 0 if the system does not report it.
#[must_use]
pub fn resident_size() -> u64 {
    of_status("VmRSS:")
}

/// Memory of this machine.
#[must_use]
pub fn machine_memory() -> u64 {
    let mut system = System::new();
    system.refresh_memory();
    system.total_memory()
}

fn of_status(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok()).map_or(0, |kib| kib * 1024)
}

/// Reads Linux's report on each mapping; none on other systems.
fn mapped(weights: &[PathBuf]) -> Option<Mapped> {
    let text = std::fs::read_to_string("/proc/self/smaps").ok()?;
    let weights: Vec<PathBuf> = weights.iter().filter_map(|path| path.canonicalize().ok()).collect();
    let mut mapped = Mapped::default();
    let mut owner = Owner::Anonymous;
    for line in text.lines() {
        if let Some(size) = line.strip_prefix("Rss:") {
            let bytes = size.trim().trim_end_matches(" kB").parse::<u64>().unwrap_or(0) * 1024;
            match owner {
                Owner::Weights => mapped.weights += bytes,
                Owner::File => mapped.files += bytes,
                Owner::Anonymous => mapped.anonymous += bytes,
            }
        } else if let Some(path) = mapping(line) {
            owner = match path {
                path if weights.iter().any(|file| file == Path::new(path)) => Owner::Weights,
                path if path.starts_with('/') => Owner::File,
                _ => Owner::Anonymous,
            };
        }
    }
    Some(mapped)
}

#[derive(Clone, Copy)]
enum Owner {
    Weights,
    File,
    Anonymous,
}

/// The path in the header line of a mapping (`from-to rights offset device inode path`), empty if it has none.
fn mapping(line: &str) -> Option<&str> {
    let (range, rest) = line.split_once(' ')?;
    let (from, to) = range.split_once('-')?;
    let hexadecimal = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    (hexadecimal(from) && hexadecimal(to)).then(|| {
        let path = rest.splitn(4, ' ').nth(3).and_then(|rest| rest.trim_start().split_once(' ').map(|(_, path)| path));
        path.unwrap_or("").trim_start()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_lines_are_recognised() {
        let line = "7f2c-7f2d rw-p 00000000 08:02 173521     /usr/lib/with space.so";
        assert_eq!(mapping(line), Some("/usr/lib/with space.so"));
        assert_eq!(mapping("7f2c-7f2d rw-p 00000000 00:00 0 "), Some(""));
        assert_eq!(mapping("Rss:                 884 kB"), None);
        assert_eq!(mapping("VmFlags: rd wr mr"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_parts_are_the_resident_size() {
        let mapped = mapped(&[]).unwrap();
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        let resident = resident.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024;
        let sum = mapped.files + mapped.anonymous;
        assert!(sum.abs_diff(resident) < resident / 5, "{sum} of {resident}");
    }
}
