//! Memory by owner against what the system says of the process; alone in its program, since it measures all of it.

#![cfg(target_os = "linux")]

mod common;

use spartui::engine::{Engine, Launch};
use spartui::protocol::{Ending, Event, Memory};

#[test]
fn memory_by_owner_adds_up_to_what_the_process_uses() {
    let runs = tempfile::tempdir().unwrap();
    let recipe = common::demo(&["train.max_steps=20", "train.evaluate_every=0", "data.validation=0.05"]);
    let engine = Engine::start(Launch {
        recipe,
        runs: runs.path().join("runs"),
        name: Some("memory".into()),
        overwrite: false,
        remarks: Vec::new(),
    });
    let mut seen: Vec<(Memory, u64)> = Vec::new();
    let mut predicted = None;
    for event in &engine.events {
        match event {
            Event::Ready(ready) => predicted = ready.predicted,
            Event::Memory(memory) => seen.push((memory, resident())),
            Event::Fault { message, .. } => panic!("{message}"),
            Event::Finished(summary) => assert_eq!(summary.ending, Ending::Completed),
            _ => {}
        }
    }
    // The last report comes when the model is about to be dropped; the one before it, in the middle of the run.
    let (last, resident) = seen[seen.len() - 2];
    let Memory { weights, deltas, moments, activations, data, program, total, .. } = last;
    let owned = weights + deltas + moments + activations + data + program;
    assert!(owned.abs_diff(total) * 10 < total, "{owned} of {total}: {last:?}");
    assert!(total.abs_diff(resident) * 10 < resident, "{total}, but the process uses {resident}");
    let predicted = predicted.expect("a prediction before the first step");
    assert_eq!(predicted.moments, moments);
    // With the snapshots in memory, of which this run is too short to take as many as are predicted.
    assert!(predicted.deltas >= deltas, "{deltas}, predicted {}", predicted.deltas);
    assert!(
        predicted.weights >= weights && predicted.activations > 0 && predicted.total > predicted.weights,
        "{predicted:?}"
    );
    assert!([weights, deltas, moments, activations, data, program].into_iter().all(|bytes| bytes > 0), "{last:?}");
}

/// Resident size of this process, from another file than the one that the engine reads.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}
