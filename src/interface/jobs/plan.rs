//! What a run would be, found out by a process of its own: the screen neither waits for it nor shares its memory, and it
//! can be ended at any moment.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crossbeam_channel::{RecvTimeoutError, unbounded};

use super::job::{Desk, Done, PlanOf};
use super::recipes::located;
use crate::error::how_it_ended;
use crate::protocol::Planned;

/// How long a recipe must stay as it is before its plan is begun.
const SETTLED: Duration = Duration::from_millis(350);
/// How long a line is waited for before it is asked whether a newer plan is wanted.
const BETWEEN: Duration = Duration::from_millis(50);

/// Makes a plan, and tells each part as it comes, unless a newer one is wanted.
pub(super) fn plan(of: &PlanOf, desk: &Desk) {
    if !desk.pause(SETTLED) {
        return;
    }
    let refused = |message: String| desk.tell(Done::Planned(of.id, Some(Box::new(Planned::Refused { message }))));
    match begin(of) {
        Ok((child, file)) => {
            follow(of, child, desk);
            drop(file);
        }
        Err(why) => {
            refused(why);
        }
    }
    desk.tell(Done::Planned(of.id, None));
}

fn begin(of: &PlanOf) -> Result<(Child, tempfile::NamedTempFile), String> {
    let recipe = located(&of.folder, &of.recipe)?;
    let fail = |error: std::io::Error| format!("the plan cannot be made: {error}");
    let mut file = tempfile::Builder::new().prefix("spartui-plan-").suffix(".toml").tempfile().map_err(fail)?;
    file.write_all(recipe.to_toml().as_bytes()).map_err(fail)?;
    let child = Command::new(&of.program)
        // To look at a model's name must not download it.
        .args([
            Path::new("--runs-dir"),
            &of.runs,
            Path::new("plan"),
            file.path(),
            Path::new("--json"),
            Path::new("--no-download"),
        ])
        .current_dir(&of.folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(fail)?;
    Ok((child, file))
}

fn follow(of: &PlanOf, mut child: Child, desk: &Desk) {
    let (lines, heard) = unbounded();
    if let Some(output) = child.stdout.take() {
        let reader = move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if lines.send(line).is_err() {
                    return;
                }
            }
        };
        // Without a thread nothing is heard, and the end of the process tells.
        let _ = std::thread::Builder::new().name("plan".into()).spawn(reader);
    }
    let mut told = false;
    loop {
        match heard.recv_timeout(BETWEEN) {
            Ok(line) => {
                if let Ok(part) = serde_json::from_str::<Planned>(&line) {
                    told |= matches!(part, Planned::Refused { .. } | Planned::Later { .. } | Planned::Time(_));
                    desk.tell(Done::Planned(of.id, Some(Box::new(part))));
                }
            }
            Err(RecvTimeoutError::Timeout) if desk.pause(Duration::ZERO) => {}
            Err(RecvTimeoutError::Timeout) => {
                // It ends by this or has ended by itself.
                let _ = child.kill();
                let _ = child.wait();
                return;
            }
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    let ended = child.wait();
    if !told {
        let how = ended.map_or_else(|error| format!("cannot be waited for: {error}"), how_it_ended);
        let message = format!("the process that plans {how}");
        desk.tell(Done::Planned(of.id, Some(Box::new(Planned::Refused { message }))));
    }
}
