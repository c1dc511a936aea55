//! Handles the answers of the inspector's jobs.

use super::{AT_FIRST, Inspector, Run};
use crate::jobs::curves::{Answer, Ask};
use crate::text;
use spartui_run::{ListedRun, Piece, Tail};

/// Handles an answer; returns the next jobs.
pub fn receive(inspector: &mut Inspector, answer: Answer) -> Vec<Ask> {
    match answer {
        Answer::List(Ok(listed)) => list(inspector, listed),
        Answer::List(Err(why)) => {
            inspector.problem = Some(text::safe_text(&why));
            Vec::new()
        }
        Answer::Run(folder, about) => {
            let Some(run) = find(inspector, &folder) else { return Vec::new() };
            run.state = about.state.or(run.state);
            let stale = about.journal.as_ref().is_ok_and(|journal| run.course.journal(journal));
            run.problem = about.recipe.as_ref().err().or(about.journal.as_ref().err()).map(|why| text::safe_text(why));
            run.about = Some(about);
            if !stale {
                return Vec::new();
            }
            run.course.restart();
            (run.tail, run.reading) = (Tail::of_run(&run.folder), true);
            vec![Ask::Tail { folder: run.folder.clone(), tail: run.tail.clone() }]
        }
        // An answer requested before a restart of the reading is obsolete.
        Answer::Tail { folder, from, .. } if find(inspector, &folder).is_none_or(|run| run.tail != from) => Vec::new(),
        Answer::Tail { folder, tail, piece, .. } => match piece {
            Ok(piece) => grow(inspector, &folder, tail, &piece),
            Err(why) => {
                if let Some(run) = find(inspector, &folder) {
                    (run.reading, run.share) = (false, 1.0);
                    run.problem = Some(text::safe_text(&why));
                }
                Vec::new()
            }
        },
        Answer::Export(Ok(name)) => {
            inspector.say(format!("wrote {name} in the working folder"));
            Vec::new()
        }
        Answer::Export(Err(why)) => {
            inspector.refuse(text::safe_text(&why));
            Vec::new()
        }
    }
}

fn find<'a>(inspector: &'a mut Inspector, folder: &std::path::Path) -> Option<&'a mut Run> {
    inspector.runs.iter_mut().find(|run| run.folder == folder)
}

/// Updates the runs of the folder, and shows the newest ones if none was selected.
fn list(inspector: &mut Inspector, listed: Vec<ListedRun>) -> Vec<Ask> {
    let weight = inspector.view.smoothing();
    for (order, listed) in listed.into_iter().enumerate() {
        let known = inspector.runs.iter().position(|run| run.folder == listed.folder);
        let at = known.unwrap_or_else(|| {
            inspector.runs.push(Run::new(listed.folder.clone(), weight));
            inspector.runs.len() - 1
        });
        let run = &mut inspector.runs[at];
        (run.order, run.state) = (order, listed.state);
        run.problem = listed.problem.map(|why| text::safe_text(&why));
        if inspector.choosing && order < AT_FIRST {
            run.shown = true;
        }
    }
    inspector.choosing = false;
    let shown = inspector.runs.iter_mut().filter(|run| run.shown);
    shown.flat_map(Run::ask).collect()
}

/// Adds a piece of metrics.
fn grow(inspector: &mut Inspector, folder: &std::path::Path, tail: Tail, piece: &Piece) -> Vec<Ask> {
    let Some(run) = find(inspector, folder) else { return Vec::new() };
    run.tail = tail;
    if piece.restarted {
        run.course.restart();
    }
    let unknown = run.course.add_readings(&piece.readings);
    run.course.damaged += piece.damaged;
    run.share = if piece.more { piece.at as f64 / piece.of.max(1) as f64 } else { 1.0 };
    run.reading = piece.more;
    let mut asks = Vec::new();
    // The parent of a branch is in the journal, which is written before the branch's first step.
    if unknown {
        asks.push(Ask::Run(run.folder.clone()));
    }
    if piece.more {
        asks.push(Ask::Tail { folder: run.folder.clone(), tail: run.tail.clone() });
    }
    asks
}

/// The jobs that read new metrics of runs in training.
pub fn look_again(inspector: &mut Inspector) -> Vec<Ask> {
    let live = inspector.runs.iter_mut().filter(|run| run.shown && run.is_live() && !run.reading);
    let mut asks = Vec::new();
    for run in live {
        run.reading = true;
        asks.push(Ask::Tail { folder: run.folder.clone(), tail: run.tail.clone() });
        // Whether it still trains, and what was changed by hand.
        asks.push(Ask::Run(run.folder.clone()));
    }
    asks
}
