//! How much trains, and which scalars: settings, live changes, and what is repeated of them.

mod common;

use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;

use common::methods::{Watched, deltas_by_site};
use common::runs::{course, drive, journal, launch, result, workshop};
use proptest::prelude::*;
use spartui::data;
use spartui::engine::{Replay, Resume};
use spartui::protocol::{Command, CommandStatus, Event};
use spartui::recipe::{Recipe, Recompute, Value};
use spartui::run::{RunFolder, resolve_match};
use spartui::sparse::Saved;
use spartui::train::{Session, Trained, forward_backward, from_checkpoint, to_checkpoint, to_tensors};
use tch::{Kind, Tensor};

fn recipe(folder: &Path, overrides: &[&str]) -> Recipe {
    let overrides: Vec<String> = overrides.iter().map(|&assignment| assignment.to_owned()).collect();
    Recipe::load(&folder.join("recipe.toml"), &overrides).unwrap()
}

fn session(folder: &Path, overrides: &[&str]) -> Session {
    Session::load(recipe(folder, overrides), &mut |_, _| {}).unwrap()
}

/// What to ask for when a step is reached, once.
fn at_steps(mut asked: Vec<(u64, Command)>) -> impl FnMut(&Event) -> Vec<Command> {
    move |event| match event {
        Event::Step(step) => {
            let due = asked.iter().position(|(at, _)| *at <= step.step);
            due.map(|at| asked.remove(at).1).into_iter().collect()
        }
        _ => Vec::new(),
    }
}

fn set(id: u64, field: &str, value: impl Into<Value>) -> Command {
    Command::Set { id, field: field.into(), value: value.into() }
}

#[test]
fn sparsity_count_and_run_take_each_others_place() {
    let mut recipe = Recipe::default();
    let count = |recipe: &Recipe| (recipe.method.trainable, recipe.method.match_run.clone());
    recipe.set("method.trainable", Value::Integer(5000)).unwrap();
    recipe.set("method.match", "first".into()).unwrap();
    assert_eq!(count(&recipe), (0, "first".into()));
    recipe.set("method.trainable", Value::Integer(700)).unwrap();
    assert_eq!(count(&recipe), (700, String::new()));
    recipe.set("method.match", "".into()).unwrap();
    assert_eq!(count(&recipe), (700, String::new()));
    recipe.set("method.sparsity", Value::Float(0.9)).unwrap();
    assert_eq!(count(&recipe), (0, String::new()));
    let parse = |text: &str, overrides: &[String]| Recipe::parse(text, Path::new(""), overrides);
    // In whatever order a file has them.
    let text = "[method]\ntrainable = 900\nsparsity = 0.5\n";
    assert_eq!(count(&parse(text, &[]).unwrap()).0, 900);
    assert_eq!(count(&parse(text, &["method.sparsity=0.6".into()]).unwrap()).0, 0);
    assert_eq!(count(&parse("[method]\nmatch = \"first\"\nsparsity = 0.5\n", &[]).unwrap()).1, "first");
    let why = parse("[method]\nmatch = \"first\"\ntrainable = 5\n", &[]).unwrap_err();
    assert!(why.message().contains("give one of them"), "{why}");
    assert!(parse("[method]\ntrainable = -1\n", &[]).is_err());
}

#[test]
fn a_count_is_met_to_the_scalar_and_follows_live_changes() {
    let folder = workshop(false);
    let mut session = session(folder.path(), &["method.trainable=1000"]);
    assert_eq!(session.trainable(), 1000);
    assert!((session.recipe.method.sparsity - session.sparsity()).abs() < 1e-6);
    assert!(session.recipe.method.sparsity.to_string().len() <= 10, "{}", session.recipe.method.sparsity);
    let head = session.head.head.parameters();
    session.train_step().unwrap();
    let preview = session.preview("method.trainable", Value::Integer(777)).unwrap();
    assert_eq!((preview.trainable, preview.leaving), ((1000, 777), 223));
    session.set("method.trainable", Value::Integer(777)).unwrap();
    assert_eq!(session.trainable(), 777);
    // The derived sparsity means the same count.
    let sparsity = session.setting("method.sparsity").unwrap();
    session.set("method.sparsity", sparsity).unwrap();
    assert_eq!((session.trainable(), session.recipe.method.trainable), (777, 0));
    let low = session.set("method.trainable", Value::Integer(head.cast_signed())).unwrap_err();
    assert!(low.contains("method.trainable") && low.contains(&format!("take {} or more", head + 1)), "{low}");
    let high = session.set("method.trainable", Value::Integer(1 << 40)).unwrap_err();
    assert!(high.contains("too high"), "{high}");
    assert_eq!(session.trainable(), 777);
    session.train_step().unwrap();
}

#[test]
fn a_run_steered_by_counts_is_repeated_byte_for_byte() {
    let folder = workshop(false);
    let runs = folder.path().join("runs");
    let settings = ["method.trainable=900", "train.epochs=20"];
    let script = at_steps(vec![
        (9, set(1, "method.trainable", 400)),
        (17, set(2, "method.sparsity", 0.95)),
        (24, set(3, "method.trainable", 1200)),
        (31, Command::Rewind { id: 4, step: 12 }),
        (40, set(5, "method.trainable", 0)),
        (44, Command::Terminate),
    ]);
    let ran = drive(launch(folder.path(), "whole", &settings), script);
    let applied = |id: u64| {
        ran.events.iter().any(|event| {
            matches!(event, Event::CommandStatus { id: of, status: CommandStatus::Applied { .. } } if *of == id)
        })
    };
    assert!((1..=5).all(applied));
    // The interface hears of what followed.
    let told =
        |field: &str| ran.events.iter().any(|event| matches!(event, Event::Setting { field: of, .. } if of == field));
    assert!(told("method.sparsity") && told("method.trainable"));
    let resume = Resume { runs: runs.clone(), run: "whole".into(), ..Resume::default() };
    drive(resume, |_| Vec::new()).summary();
    let replay = Replay { runs: runs.clone(), run: "whole".into(), name: Some("again".into()), ..Replay::default() };
    drive(replay, |_| Vec::new()).summary();
    assert_eq!(course(&runs.join("again")), course(&runs.join("whole")));
    assert_eq!(journal(&runs.join("again")), journal(&runs.join("whole")));
    assert_eq!(result(&runs.join("again")), result(&runs.join("whole")));
}

#[test]
fn a_run_as_large_as_another_needs_that_no_more() {
    let folder = workshop(false);
    let runs = folder.path().join("runs");
    drive(launch(folder.path(), "first", &["method.trainable=1234", "train.epochs=2"]), |_| Vec::new()).summary();
    let why = Session::load(recipe(folder.path(), &["method.match=first"]), &mut |_, _| {}).unwrap_err();
    assert!(why.message().contains("looked up where a run is launched"), "{why}");
    let mut second = launch(folder.path(), "second", &["method.match=first", "train.epochs=2"]);
    resolve_match(&mut second.recipe, &runs).unwrap();
    let ran = drive(second, |_| Vec::new());
    let steps: Vec<u64> = ran
        .events
        .iter()
        .filter_map(|event| if let Event::Step(step) = event { Some(step.trainable) } else { None })
        .collect();
    assert!(!steps.is_empty() && steps.iter().all(|count| *count == 1234));
    std::fs::remove_dir_all(runs.join("first")).unwrap();
    let written = RunFolder::open(&runs.join("second")).unwrap();
    assert_eq!((written.recipe().method.trainable, written.recipe().method.match_run.as_str()), (1234, ""));
}

const ALL: [&str; 5] = ["random", "smallest", "largest", "gradient", "dynamic"];

/// What trains, by site: sorted positions.
fn selected(session: &Session) -> BTreeMap<usize, Vec<i64>> {
    let of_site = |parts: Vec<Saved>| {
        let mut all: Vec<i64> =
            parts.into_iter().filter(|part| part.born.is_some()).flat_map(|part| part.indices).collect();
        all.sort_unstable();
        all
    };
    let sites = deltas_by_site(session).into_iter().map(|(site, parts)| (site, of_site(parts)));
    sites.filter(|(_, scalars)| !scalars.is_empty()).collect()
}

fn numbers(tensor: &Tensor) -> Vec<f32> {
    Vec::try_from(tensor.detach().to_kind(Kind::Float).contiguous().view(-1)).unwrap()
}

/// All weights of the model, as bits.
fn weights(session: &Session) -> Vec<Vec<u32>> {
    let bits = |tensor: &Tensor| numbers(tensor).into_iter().map(f32::to_bits).collect();
    session.model.parameters.iter().map(|parameter| bits(&parameter.tensor)).collect()
}

/// The first `count` by magnitude, ties by position, found by sorting.
fn ranked(numbers: &[f32], largest: bool, count: usize) -> Vec<i64> {
    let mut all: Vec<(f32, i64)> = numbers.iter().map(|number| number.abs()).zip(0..).collect();
    all.sort_by(|a, b| {
        let by_size = a.0.partial_cmp(&b.0).unwrap();
        (if largest { by_size.reverse() } else { by_size }).then(a.1.cmp(&b.1))
    });
    let mut first: Vec<i64> = all.into_iter().take(count).map(|(_, at)| at).collect();
    first.sort_unstable();
    first
}

fn choose(how: &str) -> String {
    format!("method.selection={how}")
}

#[test]
fn by_magnitude_those_train_that_sorting_names_and_the_same_ones_again_after_every_change() {
    for dtype in ["float32", "bfloat16"] {
        for largest in [false, true] {
            let folder = workshop(false);
            let how = choose(if largest { "largest" } else { "smallest" });
            let settings =
                [&how, "method.targets=[\"all-linear\"]", &format!("model.dtype={dtype}"), "method.trainable=2000"];
            let settings: Vec<&str> = settings.iter().map(|text| text as &str).collect();
            let mut session = session(folder.path(), &settings);
            let (start, before) =
                (session.model.sites.iter().map(|site| numbers(&site.weight)).collect::<Vec<_>>(), weights(&session));
            let check = |session: &Session, trainable: u64| {
                assert_eq!(session.trainable(), trainable);
                for (site, scalars) in selected(session) {
                    assert_eq!(
                        scalars,
                        ranked(&start[site], largest, scalars.len()),
                        "{}",
                        session.model.sites[site].name
                    );
                }
            };
            check(&session, 2000);
            assert_eq!(weights(&session), before, "to choose changes no weight, nor its sign");
            let first = selected(&session);
            for (trainable, shrink) in [(900, "retire"), (3000, "retire"), (1500, "revert"), (2000, "retire")] {
                session.train_step().unwrap();
                session.set("method.on_shrink", shrink.into()).unwrap();
                session.set("method.trainable", Value::Integer(trainable)).unwrap();
                check(&session, trainable.cast_unsigned());
            }
            assert_eq!(selected(&session), first);
            session.leave();
            assert_eq!(weights(&session), before);
            session.enter();
        }
    }
}

/// The whole gradient of each site on the first batches, by libtorch's own backward pass.
fn dense(folder: &Path, settings: &[&str], batches: usize) -> Vec<Vec<f32>> {
    let mut session = session(folder, &[settings, &["method.selection=random"]].concat());
    let model = Rc::clone(&session.model);
    let mut watched = Watched::new(&model);
    let examples = &session.data.train.examples;
    let lengths: Vec<usize> = examples.iter().map(|example| example.tokens.len()).collect();
    for rows in data::epoch_batches(&lengths, &data::Order::of(&session.recipe), 0).into_iter().take(batches) {
        let batch = data::collate(rows.iter().map(|&row| &examples[row]));
        let (inputs, targets) = to_tensors(&model, &batch);
        let mut trained = Trained { head: &mut session.head, collector: &mut watched };
        let weight = 1.0 / f64::from(u32::try_from(rows.len()).unwrap());
        forward_backward(&model, &mut trained, &inputs, &targets, weight, Recompute::None);
    }
    let of_site = |site: &spartui::model::Site| {
        let place = model.parameters.iter().position(|parameter| parameter.name == site.name).unwrap();
        numbers(watched.parameters[place].as_ref().unwrap())
    };
    model.sites.iter().map(of_site).collect()
}

#[test]
fn by_gradient_those_train_that_a_dense_backward_pass_names() {
    for batches in [1, 3] {
        let folder = workshop(false);
        let how = [choose("gradient"), format!("method.gradient_batches={batches}")];
        let settings =
            [&how[0], &how[1], "method.targets=[\"all-linear\"]", "method.trainable=1000"].map(|text| text as &str);
        let mut session = session(folder.path(), &settings);
        let gradients = dense(folder.path(), &settings, batches);
        let check = |session: &Session, trainable: u64| {
            assert_eq!(session.trainable(), trainable);
            for (site, scalars) in selected(session) {
                // In another order of operations two sums may change places: whoever is chosen is as large as the last one.
                let magnitudes: Vec<f32> = gradients[site].iter().map(|gradient| gradient.abs()).collect();
                let of = |at: &i64| magnitudes[usize::try_from(*at).unwrap()];
                let expected = ranked(&magnitudes, true, scalars.len());
                let least = expected.iter().map(&of).fold(f32::INFINITY, f32::min);
                assert!(scalars.iter().all(|at| of(at) >= least * 0.9999 - 1e-9));
                let same = scalars.iter().filter(|at| expected.binary_search(at).is_ok()).count();
                assert!(same + 2 >= scalars.len(), "{same} of {}", scalars.len());
            }
        };
        check(&session, 1000);
        let first = selected(&session);
        let before = weights(&session);
        for trainable in [300, 1700, 1000] {
            session.train_step().unwrap();
            session.set("method.trainable", Value::Integer(trainable)).unwrap();
            // They are those of the base model and of the head that training started from.
            check(&session, trainable.cast_unsigned());
        }
        assert_eq!(selected(&session), first, "a count names one set");
        session.leave();
        assert_eq!(weights(&session), before);
    }
}

#[test]
fn only_what_is_to_train_is_looked_at() {
    let folder = workshop(false);
    let mut session = session(folder.path(), &[&choose("gradient"), "method.trainable=500"]);
    let asked = |session: &mut Session, trainable: u64| {
        let mut settings = session.recipe.method.clone();
        settings.trainable = trainable;
        session.method.sites_to_measure(&settings).unwrap().concat()
    };
    let groups = ["attention.self.value", "attention.output.dense"];
    let sites = asked(&mut session, 700);
    assert!(!sites.is_empty());
    for site in &sites {
        let site = &session.model.sites[*site];
        assert!(groups.iter().any(|group| site.name.contains(group)), "{}", site.name);
    }
    assert!(asked(&mut session, 500).is_empty(), "as many as before: nothing to choose");
    let head = session.head.head.parameters();
    session.set("method.trainable", Value::Integer((head + 1).cast_signed())).unwrap();
    assert_eq!(session.method.trainable(), 1);
    assert_eq!(session.method.adapted().iter().filter(|adapted| **adapted).count(), 1, "an empty site has no gradient");
    assert_eq!(asked(&mut session, head + 2).len(), 1);
    session.train_step().unwrap();
}

#[test]
fn a_dynamic_selection_keeps_its_count_and_gives_newcomers_their_first_step() {
    let folder = workshop(false);
    let settings = [
        &choose("dynamic"),
        "method.trainable=600",
        "method.regrow_every=4",
        "method.regrow_share=0.3",
        "optimizer.weight_decay=0.1",
        "optimizer.learning_rate=0.001",
        "schedule.kind=constant",
        "schedule.warmup_steps=0",
        "train.max_steps=60",
        "train.epochs=100",
    ];
    let settings = settings.map(|text| text as &str);
    let mut session = session(folder.path(), &settings);
    let start = weights(&session);
    let (mut replaced, mut known) = (Vec::new(), selected(&session));
    let places: BTreeMap<usize, usize> = session
        .model
        .sites
        .iter()
        .enumerate()
        .map(|(at, site)| (at, session.model.parameters.iter().position(|one| one.name == site.name).unwrap()))
        .collect();
    for step in 1..=60 {
        let old: BTreeMap<(usize, i64), f32> = deltas_by_site(&session)
            .into_iter()
            .flat_map(|(site, parts)| {
                parts.into_iter().flat_map(move |part| {
                    part.indices.into_iter().zip(part.delta).map(|(at, delta)| ((site, at), delta)).collect::<Vec<_>>()
                })
            })
            .collect();
        let taken = session.train_step().unwrap();
        assert_eq!((taken.trainable, session.trainable()), (600, 600), "step {step}");
        let now = selected(&session);
        let count =
            |sets: &BTreeMap<usize, Vec<i64>>| sets.iter().map(|(site, set)| (*site, set.len())).collect::<Vec<_>>();
        assert_eq!(count(&now), count(&known), "each site keeps its own");
        let newcomers: usize =
            now.iter().map(|(site, set)| set.iter().filter(|at| !known[site].contains(at)).count()).sum();
        if step % 4 == 0 {
            replaced.push(newcomers);
        } else {
            assert_eq!(newcomers, 0);
        }
        for (site, parts) in deltas_by_site(&session) {
            for part in parts {
                let born = part.born.unwrap();
                assert!(born == 0 || born.is_multiple_of(4));
                let fresh = |at: &i64| born == step && !known[&site].contains(at);
                for (place, at) in part.indices.iter().enumerate() {
                    if fresh(at) {
                        assert_eq!((part.delta[place], part.first[place], part.second[place]), (0.0, 0.0, 0.0));
                    } else if born + 1 == step {
                        // The first update of a newcomer has the size of the rate, however late it comes.
                        let moved = (part.delta[place] - old[&(site, *at)]).abs();
                        assert!((moved - 1e-3).abs() < 1e-5 || part.first[place].abs() < 1e-6, "{moved}");
                    }
                }
            }
        }
        known = now;
        // Neither decay nor a delta that was dropped is left in what does not train.
        let end = weights(&session);
        for (site, place) in &places {
            let training = known.get(site).map_or(&[][..], Vec::as_slice);
            for (at, (before, after)) in (0_i64..).zip(start[*place].iter().zip(&end[*place])) {
                assert!(before == after || training.binary_search(&at).is_ok());
            }
        }
    }
    assert!(replaced[0] > 100 && replaced.is_sorted_by(|a, b| a >= b), "{replaced:?}");
    assert_eq!(replaced.last(), Some(&0), "none joins at the end: no late spike");
    let at = session.method.groups().iter().map(|group| group.trainable).sum::<u64>() + session.head.head.parameters();
    assert_eq!(at, 600);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn any_steering_keeps_counts_to_the_scalar_and_states_come_back_to_the_bit(
        how in 0_usize..5, walk in prop::collection::vec((60_u64..4000, any::<bool>(), 0_usize..4), 1..6),
        share in 0.0..=1.0, retire: bool, back in 0_usize..6,
    ) {
        let folder = workshop(false);
        let drop = if retire { "method.on_drop=retire" } else { "method.on_drop=revert" };
        let (how, share) = (choose(ALL[how]), format!("method.regrow_share={share}"));
        let settings = [&how, &share, drop, "method.trainable=1000", "method.regrow_every=2", "optimizer.weight_decay=0.05"];
        let mut session = session(folder.path(), &settings.map(|text| text as &str));
        let head = session.head.head.parameters();
        let start = weights(&session);
        let mut kept = vec![(session.snapshot(0), weights(&session), session.trainable())];
        let go = |session: &mut Session, (count, revert, steps): (u64, bool, usize)| {
            session.set("method.on_shrink", if revert { "revert" } else { "retire" }.into()).unwrap();
            let wanted = count.max(head + 1);
            session.set("method.trainable", Value::Integer(wanted.cast_signed())).unwrap();
            for _ in 0..steps {
                assert_eq!(session.trainable(), wanted);
                assert_eq!(session.train_step().unwrap().trainable, wanted);
            }
            assert_eq!(session.trainable(), wanted);
            let training: usize = selected(session).values().map(Vec::len).sum();
            assert_eq!(training as u64 + head, wanted);
        };
        for change in &walk {
            go(&mut session, *change);
            kept.push((session.snapshot(0), weights(&session), session.trainable()));
        }
        let end = weights(&session);
        // Back to some moment, through the files of a checkpoint, and the same way again.
        let back = back.min(walk.len());
        let (snapshot, then, trainable) = &kept[back];
        let checkpoint = to_checkpoint(snapshot, None);
        let held = from_checkpoint(&checkpoint, &session).unwrap();
        session.restore(&held.snapshot).unwrap();
        prop_assert_eq!(&weights(&session), then);
        prop_assert_eq!(session.trainable(), *trainable);
        for change in &walk[back..] {
            go(&mut session, *change);
        }
        prop_assert_eq!(&weights(&session), &end);
        session.leave();
        prop_assert_eq!(&weights(&session), &start);
        session.enter();
        prop_assert_eq!(&weights(&session), &end);
    }
}

#[test]
fn every_selection_is_ended_gone_on_with_steered_rewound_and_repeated_byte_for_byte() {
    for (at, how) in ALL.into_iter().enumerate() {
        let folder = workshop(at % 2 == 1);
        let runs = folder.path().join("runs");
        let settings = [
            &choose(how),
            "method.sparsity=0.97",
            "method.regrow_every=3",
            "method.gradient_batches=2",
            "train.micro_batch_size=3",
            "train.epochs=15",
        ];
        let settings = settings.map(|text| text as &str);
        let asked = || {
            vec![
                (7, set(1, "method.sparsity", 0.99)),
                (14, set(2, "method.sparsity", 0.95)),
                (20, Command::Rewind { id: 3, step: 9 }),
                (25, set(4, "method.sparsity", 0.97)),
            ]
        };
        drive(launch(folder.path(), "whole", &settings), at_steps(asked())).summary();
        let replay =
            Replay { runs: runs.clone(), run: "whole".into(), name: Some("again".into()), ..Replay::default() };
        drive(replay, |_| Vec::new()).summary();
        assert_eq!(course(&runs.join("again")), course(&runs.join("whole")), "{how}");
        assert_eq!(journal(&runs.join("again")), journal(&runs.join("whole")));
        assert_eq!(result(&runs.join("again")), result(&runs.join("whole")));
        // Ended in the middle of a window between two changes, and gone on with.
        drive(launch(folder.path(), "straight", &settings), |_| Vec::new()).summary();
        drive(launch(folder.path(), "parts", &settings), at_steps(vec![(16, Command::Terminate)])).summary();
        let resume = Resume { runs: runs.clone(), run: "parts".into(), ..Resume::default() };
        drive(resume, |_| Vec::new()).summary();
        assert_eq!(course(&runs.join("parts")), course(&runs.join("straight")), "{how}");
        assert_eq!(result(&runs.join("parts")), result(&runs.join("straight")));
    }
}
