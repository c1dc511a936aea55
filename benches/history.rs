//! What snapshots and checkpoints cost, as a share of the training time at the recipe's defaults, on the demo.

use std::path::Path;
use std::time::Instant;

use spartui::recipe::Recipe;
use spartui::run::{Keep, Moment, write_checkpoint};
use spartui::train::{History, Session, Why, to_checkpoint};

const STEPS: u64 = 20;

#[expect(clippy::cast_precision_loss, reason = "sizes and steps are below 2^53")]
fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut recipe = Recipe::load(&root.join("examples/support/recipe.toml"), &[]).expect("the demo's recipe");
    recipe.model.path = root.join("models/all-MiniLM-L6-v2");
    let mut session = Session::load(recipe, &mut |_, _| {}).expect("the demo's model: run `make setup`");
    session.train_step().expect("a step");
    let mut history = History::new(session.recipe.history.budget_mb * 1_000_000, session.recipe.history.every);
    let mut times = [Vec::new(), Vec::new(), Vec::new(), Vec::new()];
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut bytes = 0;
    for _ in 0..STEPS {
        let begun = Instant::now();
        session.train_step().expect("a step");
        times[0].push(begun.elapsed().as_secs_f64());
        let begun = Instant::now();
        let snapshot = history.keep(session.snapshot(0), Why::Regular);
        times[1].push(begun.elapsed().as_secs_f64());
        let begun = Instant::now();
        let contents = to_checkpoint(&snapshot, None);
        times[2].push(begun.elapsed().as_secs_f64());
        let begun = Instant::now();
        let (moment, keep) =
            (Moment { step: snapshot.step, ..Moment::default() }, Keep { newest: 3, also: Vec::new() });
        let checkpoints = folder.path().join("checkpoints");
        bytes = write_checkpoint(&checkpoints, moment, &contents, &keep).expect("a checkpoint").bytes;
        times[3].push(begun.elapsed().as_secs_f64());
    }
    let [step, snapshot, contents, written] = times.map(|mut times| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    });
    let (every, checkpoint_every) =
        (session.recipe.history.every as f64, session.recipe.train.checkpoint_every.of(session.total_steps()) as f64);
    let model: u64 = session.model.parameters.iter().map(|parameter| 4 * parameter.tensor.numel() as u64).sum();
    println!("a step {:.1} ms; {} scalars train", step * 1e3, session.trainable());
    println!(
        "a snapshot {:.2} ms, every {every} steps: {:.3} % of the training time; {:.2} MB each in memory",
        snapshot * 1e3,
        100.0 * snapshot / (every * step),
        history.bytes() as f64 / 1e6 / history.iter().count() as f64,
    );
    println!(
        "a checkpoint {:.1} ms on another thread, every {checkpoint_every} steps: {:.3} % of the training time if it shared \
         a core; {:.2} MB, {:.1} % of the model's {:.0} MB",
        (contents + written) * 1e3,
        100.0 * (contents + written) / (checkpoint_every * step),
        bytes as f64 / 1e6,
        100.0 * bytes as f64 / model as f64,
        model as f64 / 1e6,
    );
}
