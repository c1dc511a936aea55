//! Races of a small model: every lane is compared with the same recipe trained alone.

use std::path::{Path, PathBuf};

use crate::tests::{Ran, drive, launch, losses, quiet, result, resume, workshop};
use crate::{Race, Replay};
use spartui_facts::protocol::{Command, Ending, Event};
use spartui_facts::recipe::{MethodKind, Recipe, Value};
use spartui_run::{Journal, RunFolder, State, read_race};

type Varied = Vec<(String, Value)>;

fn varied(fields: &[(&str, Value)]) -> Varied {
    fields.iter().map(|(field, value)| ((*field).to_owned(), value.clone())).collect()
}

fn race(folder: &Path, name: &str, recipe: &Recipe, lanes: Vec<Varied>, halve_every: Option<u64>) -> Race {
    Race { launch: launch(folder, name, recipe), lanes, halve_every }
}

fn lane(folder: &Path, name: &str, number: usize) -> PathBuf {
    folder.join("runs").join(name).join("lanes").join(format!("lane-{number}"))
}

/// The run folder of the same recipe trained alone.
fn alone(folder: &Path, name: &str, recipe: &Recipe, varied: &Varied) -> PathBuf {
    let mut recipe = recipe.clone();
    for (field, value) in varied {
        recipe.set(field, value.clone()).unwrap();
    }
    let ran = quiet(launch(folder, name, &recipe));
    assert!(ran.summary.is_some(), "{}", ran.fault);
    folder.join("runs").join(name)
}

fn steps_of(ran: &Ran, number: u32) -> Vec<u64> {
    let step = |event: &Event| match event {
        Event::Lane { lane, told } if *lane == number => match **told {
            Event::Step(step) => Some(step.step),
            _ => None,
        },
        _ => None,
    };
    ran.events.iter().filter_map(step).collect()
}

fn three(folder: &Path) -> (Race, Recipe, Vec<Varied>) {
    let (_, recipe) = (folder, Recipe::load(&folder.join("recipe.toml"), &[]).unwrap());
    let lanes = vec![
        varied(&[("method.sparsity", Value::Float(0.8))]),
        varied(&[("method.sparsity", Value::Float(0.95)), ("optimizer.learning_rate", Value::Float(1e-2))]),
        varied(&[("method.kind", Value::String("head".into()))]),
    ];
    (race(folder, "race", &recipe, lanes.clone(), None), recipe, lanes)
}

fn shop() -> tempfile::TempDir {
    let (folder, recipe) = workshop();
    std::fs::write(folder.path().join("recipe.toml"), recipe.to_toml()).unwrap();
    folder
}

#[test]
fn every_lane_ends_with_the_bytes_that_it_gets_alone() {
    let (folder, recipe) = workshop();
    let lanes = vec![
        varied(&[("method.sparsity", Value::Float(0.8))]),
        varied(&[("method.sparsity", Value::Float(0.95)), ("optimizer.learning_rate", Value::Float(1e-2))]),
        varied(&[("method.kind", Value::String("head".into()))]),
        varied(&[("train.batch_size", Value::Integer(7)), ("method.seed", Value::Integer(5))]),
        varied(&[
            ("method.kind", Value::String("lora".into())),
            ("method.variant", Value::String("dora".into())),
            ("method.dropout", Value::Float(0.2)),
        ]),
        varied(&[("method.kind", Value::String("lora".into())), ("method.rank", Value::Integer(3))]),
        varied(&[("method.selection", Value::String("gradient".into()))]),
        varied(&[("method.selection", Value::String("dynamic".into())), ("method.regrow_every", Value::Integer(4))]),
        varied(&[("method.selection", Value::String("smallest".into())), ("method.trainable", Value::Integer(900))]),
        varied(&[("train.max_steps", Value::Integer(11)), ("schedule.kind", Value::String("constant".into()))]),
    ];
    let ran = quiet(race(folder.path(), "race", &recipe, lanes.clone(), None));
    let summary = ran.summary.as_ref().unwrap_or_else(|| panic!("{}", ran.fault));
    assert_eq!(summary.ending, Ending::Completed);
    assert_eq!(summary.folder, folder.path().join("runs/race"));
    for (number, lane_varied) in lanes.iter().enumerate() {
        let alone = alone(folder.path(), &format!("alone-{number}"), &recipe, lane_varied);
        let lane = lane(folder.path(), "race", number + 1);
        assert!(result(&lane) == result(&alone), "lane {}", number + 1);
        assert_eq!(losses(&lane), losses(&alone), "lane {}", number + 1);
        assert_eq!(RunFolder::open(&lane).unwrap().status().unwrap().state, State::Completed);
        let of_lane = steps_of(&ran, u32::try_from(number).unwrap());
        assert!(of_lane.iter().copied().eq(1..=losses(&alone).len() as u64), "lane {}: {of_lane:?}", number + 1);
    }
    let known = read_race(&summary.folder).unwrap().unwrap();
    assert_eq!(known.lanes.iter().map(|lane| lane.varied.clone()).collect::<Vec<_>>(), lanes);
}

#[test]
fn every_kind_that_shares_the_model_races_with_the_others() {
    let (folder, mut recipe) = workshop();
    recipe.set("train.max_steps", Value::Integer(9)).unwrap();
    let with = |kind: MethodKind, more: &[(&str, Value)]| {
        varied(&[&[("method.kind", Value::String(kind.name().into()))], more].concat())
    };
    let words = |words: &[&str]| Value::Array(words.iter().map(|&word| word.into()).collect());
    let lanes: Vec<Varied> = MethodKind::ALL
        .into_iter()
        .filter(|kind| *kind != MethodKind::Full)
        .map(|kind| match kind {
            MethodKind::Lorta => with(kind, &[("method.targets", words(&["q_proj", "o_proj"]))]),
            MethodKind::Adamix => with(kind, &[("method.targets", words(&["down_proj"]))]),
            MethodKind::Ether => with(kind, &[("method.ether.blocks", Value::Integer(4))]),
            MethodKind::EtherPlus => with(kind, &[("method.ether_plus.blocks", Value::Integer(4))]),
            MethodKind::Sara => with(kind, &[("method.sara.nuclear", Value::Float(0.01))]),
            kind => with(kind, &[]),
        })
        .chain([with(
            MethodKind::Sparta,
            &[
                ("method.targets", words(&["v_proj", "bias", "norm"])),
                ("method.sparta.trainable_tokens", words(&["7"])),
                ("method.sparta.dropout", Value::Float(0.2)),
            ],
        )])
        .collect();
    assert!(lanes.len() >= 18);
    let ran = quiet(race(folder.path(), "race", &recipe, lanes.clone(), None));
    assert!(ran.summary.is_some(), "{}", ran.fault);
    for (number, lane_varied) in lanes.iter().enumerate() {
        let alone = alone(folder.path(), &format!("alone-{number}"), &recipe, lane_varied);
        let lane = lane(folder.path(), "race", number + 1);
        assert!(result(&lane) == result(&alone), "{lane_varied:?}");
        assert_eq!(losses(&lane), losses(&alone), "{lane_varied:?}");
    }
}

#[test]
fn a_lane_that_was_steered_and_one_that_was_cloned_replay_to_their_bytes() {
    let folder = shop();
    let (race, ..) = three(folder.path());
    let mut asked = 0;
    let ran = drive(race, false, |event| {
        let Event::Lane { lane: 0, told } = event else { return Vec::new() };
        let Event::Step(step) = **told else { return Vec::new() };
        let set = |field: &str, value: f64| Command::Set { id: 7, field: field.into(), value: Value::Float(value) };
        let command = match (step.step, asked) {
            (4.., 0) => Command::Lane { lane: 0, asked: Box::new(set("method.sparsity", 0.9)) },
            (8.., 1) => {
                Command::Clone { id: 8, lane: 0, set: vec![("optimizer.learning_rate".into(), Value::Float(5e-3))] }
            }
            (9.., 2) => Command::Lane { lane: 1, asked: Box::new(Command::Rewind { id: 9, step: 2 }) },
            _ => return Vec::new(),
        };
        asked += 1;
        vec![command]
    });
    assert!(ran.summary.is_some(), "{}", ran.fault);
    assert_eq!(asked, 3, "the race was over too soon");
    for number in 1..=4 {
        let run = lane(folder.path(), "race", number);
        let name = format!("again-{number}");
        let replay = Replay {
            runs: folder.path().join("runs"),
            run: run.clone(),
            name: Some(name.clone()),
            allow_changed: Vec::new(),
        };
        let again = quiet(replay);
        assert!(again.summary.is_some(), "lane {number}: {}", again.fault);
        let again = folder.path().join("runs").join(name);
        assert!(result(&again) == result(&run), "lane {number}");
        assert_eq!(losses(&again), losses(&run), "lane {number}");
    }
    let entries = Journal::read(&lane(folder.path(), "race", 4).join("journal.jsonl")).unwrap();
    assert_eq!(entries.len(), 2, "{entries:?}");
    let known = read_race(&folder.path().join("runs/race")).unwrap().unwrap();
    assert_eq!(known.lanes[3].origin.map(|origin| origin.lane), Some(0));
    assert_ne!(result(&lane(folder.path(), "race", 4)), result(&lane(folder.path(), "race", 1)));
}

#[test]
fn the_worse_half_is_stopped_and_resumable() {
    let folder = shop();
    let (_, recipe, _) = three(folder.path());
    let rates = [1e-5, 1e-3, 1e-2, 3e-3, 1e-4];
    let lanes: Vec<Varied> =
        rates.iter().map(|rate| varied(&[("optimizer.learning_rate", Value::Float(*rate))])).collect();
    let ran = quiet(race(folder.path(), "race", &recipe, lanes.clone(), Some(10)));
    assert!(ran.summary.is_some(), "{}", ran.fault);
    let halved: Vec<(u64, usize, usize)> = ran
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Halved { step, kept, stopped } => Some((*step, kept.len(), stopped.len())),
            _ => None,
        })
        .collect();
    assert_eq!(halved, [(10, 3, 2), (20, 2, 1)]);
    for (number, lane_varied) in lanes.iter().enumerate() {
        let run = lane(folder.path(), "race", number + 1);
        let alone = alone(folder.path(), &format!("alone-{number}"), &recipe, lane_varied);
        let state = RunFolder::open(&run).unwrap().status().unwrap().state;
        if state == State::Stopped {
            let again = quiet(resume(folder.path(), run.to_str().unwrap()));
            assert!(again.summary.is_some(), "{}", again.fault);
        }
        assert!(result(&run) == result(&alone), "lane {}", number + 1);
    }
    let states: Vec<State> = (1..=5)
        .map(|number| RunFolder::open(&lane(folder.path(), "race", number)).unwrap().status().unwrap().state)
        .collect();
    assert!(states.iter().all(|state| *state == State::Completed), "{states:?}");
}

#[test]
fn all_lanes_pause_go_on_end_together_and_are_resumed_together() {
    let folder = shop();
    let (race, recipe, lanes) = three(folder.path());
    let (mut paused, mut ended) = (0, false);
    let ran = drive(race, true, |event| match event {
        Event::Race(_) => vec![Command::Pause],
        Event::Lane { told, .. } => match **told {
            Event::Paused { .. } => {
                paused += 1;
                if paused == 3 { vec![Command::Resume] } else { Vec::new() }
            }
            Event::Step(step) if step.step == 3 && !ended => {
                ended = true;
                vec![Command::Terminate]
            }
            _ => Vec::new(),
        },
        _ => Vec::new(),
    });
    assert_eq!(paused, 3);
    assert_eq!(ran.summary.unwrap_or_else(|| panic!("{}", ran.fault)).ending, Ending::Terminated);
    for number in 1..=3 {
        let run = lane(folder.path(), "race", number);
        assert_eq!(RunFolder::open(&run).unwrap().status().unwrap().state, State::Terminated);
        assert!(run.join("checkpoints").read_dir().unwrap().count() > 0);
    }
    // The whole race is resumed, with the same result as without interruption.
    let again = quiet(resume(folder.path(), "race"));
    assert_eq!(again.summary.unwrap_or_else(|| panic!("{}", again.fault)).ending, Ending::Completed);
    for (number, lane_varied) in lanes.iter().enumerate() {
        let alone = alone(folder.path(), &format!("alone-{number}"), &recipe, lane_varied);
        let run = lane(folder.path(), "race", number + 1);
        assert!(result(&run) == result(&alone) && losses(&run) == losses(&alone), "lane {}", number + 1);
    }
    let over = quiet(resume(folder.path(), "race"));
    assert!(over.fault.contains("every lane") && over.fault.contains("lane-1"), "{}", over.fault);
}

#[test]
fn a_race_that_was_stopped_goes_on_without_the_lane_that_was_stopped_by_itself() {
    let folder = shop();
    let (race, recipe, lanes) = three(folder.path());
    let mut asked = 0;
    let ran = drive(race, false, |event| {
        let Event::Lane { told, .. } = event else { return Vec::new() };
        match (told.as_ref(), asked) {
            (Event::Step(step), 0) if step.step == 2 => {
                asked = 1;
                vec![Command::Lane { lane: 1, asked: Box::new(Command::Stop) }]
            }
            (Event::Finished(_), 1) => {
                asked = 2;
                vec![Command::Stop]
            }
            _ => Vec::new(),
        }
    });
    let summary = ran.summary.unwrap_or_else(|| panic!("{}", ran.fault));
    assert_eq!((asked, summary.ending), (2, Ending::Stopped));
    let known = read_race(&folder.path().join("runs/race")).unwrap().unwrap();
    assert_eq!(known.lanes.iter().map(|lane| lane.out).collect::<Vec<_>>(), [false, true, false]);
    let stopped_at = losses(&lane(folder.path(), "race", 2)).len();
    let again = quiet(resume(folder.path(), "race"));
    assert_eq!(again.summary.as_ref().unwrap_or_else(|| panic!("{}", again.fault)).ending, Ending::Completed);
    // It reports its earlier end again, and takes no further step.
    let told_again = again.events.iter().find_map(|event| match event {
        Event::Lane { lane: 1, told } => match told.as_ref() {
            Event::Finished(summary) => Some((summary.ending, summary.steps)),
            _ => None,
        },
        _ => None,
    });
    assert_eq!(told_again, Some((Ending::Stopped, stopped_at as u64)));
    assert_eq!(losses(&lane(folder.path(), "race", 2)).len(), stopped_at);
    for number in [1, 3] {
        let alone = alone(folder.path(), &format!("alone-{number}"), &recipe, &lanes[number - 1]);
        let run = lane(folder.path(), "race", number);
        assert!(result(&run) == result(&alone) && losses(&run) == losses(&alone), "lane {number}");
    }
    let over = quiet(resume(folder.path(), "race"));
    assert!(over.fault.contains("every lane"), "{}", over.fault);
}

#[test]
fn lanes_that_cannot_share_the_model_are_refused_and_leave_nothing() {
    let folder = shop();
    let (_, recipe, _) = three(folder.path());
    let full = |kind: &str| varied(&[("method.kind", Value::String(kind.into()))]);
    for (lanes, halve, why) in [
        (vec![full("sparta"), full("full")], None, "cannot share"),
        (
            vec![varied(&[("data.max_length", Value::Integer(16))]), varied(&[("data.max_length", Value::Integer(8))])],
            None,
            "data.max_length",
        ),
        (
            vec![varied(&[("train.seed", Value::Integer(1))]), varied(&[("train.seed", Value::Integer(2))])],
            None,
            "train.seed",
        ),
        (vec![full("sparta")], Some(7), "train.evaluate_every"),
        (vec![varied(&[("method.sparsity", Value::Float(0.0))])], None, "sparsity"),
        (Vec::new(), None, "without lanes"),
    ] {
        let ran = quiet(race(folder.path(), "race", &recipe, lanes, halve));
        assert!(ran.summary.is_none() && ran.fault.contains(why), "{}", ran.fault);
        assert!(!folder.path().join("runs/race").exists());
    }
}
