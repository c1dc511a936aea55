//! Plans a run in a separate process: the screen neither waits for it nor shares its memory, and can end it at any
//! moment.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crossbeam_channel::{RecvTimeoutError, unbounded};

use super::job::{Done, JobContext, PlanOf};
use super::recipes::located;
use spartui_facts::error::how_it_ended;
use spartui_facts::protocol::Planned;

/// How long a recipe must be unchanged before its plan is started.
const SETTLED: Duration = Duration::from_millis(350);
/// How long to wait for a line before checking for a newer request.
const BETWEEN: Duration = Duration::from_millis(50);

/// Plans a run and sends each part as it arrives, until there is a newer request.
pub(super) fn plan(of: &PlanOf, context: &JobContext) {
    if !context.pause(SETTLED) {
        return;
    }
    let refused = |message: String| context.report(Done::Planned(of.id, Some(Box::new(Planned::Refused { message }))));
    match begin(of) {
        Ok((child, file)) => {
            follow(of, child, context);
            drop(file);
        }
        Err(why) => {
            refused(why);
        }
    }
    context.report(Done::Planned(of.id, None));
}

fn begin(of: &PlanOf) -> Result<(Child, tempfile::NamedTempFile), String> {
    let recipe = located(&of.folder, &of.recipe)?;
    let fail = |error: std::io::Error| format!("the plan cannot be made: {error}");
    let mut file = tempfile::Builder::new().prefix("spartui-plan-").suffix(".toml").tempfile().map_err(fail)?;
    file.write_all(recipe.to_toml().as_bytes()).map_err(fail)?;
    let child = Command::new(&of.program)
        // Planning must not download a model.
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

fn follow(of: &PlanOf, mut child: Child, context: &JobContext) {
    let (lines, received) = unbounded();
    if let Some(output) = child.stdout.take() {
        let reader = move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if lines.send(line).is_err() {
                    return;
                }
            }
        };
        // Without a thread nothing is read, and the end of the process reports the failure.
        let _ = std::thread::Builder::new().name("plan".into()).spawn(reader);
    }
    let mut reported = false;
    loop {
        match received.recv_timeout(BETWEEN) {
            Ok(line) => {
                if let Ok(part) = serde_json::from_str::<Planned>(&line) {
                    reported |= matches!(part, Planned::Refused { .. } | Planned::Later { .. } | Planned::Time(_));
                    context.report(Done::Planned(of.id, Some(Box::new(part))));
                }
            }
            Err(RecvTimeoutError::Timeout) if context.pause(Duration::ZERO) => {}
            Err(RecvTimeoutError::Timeout) => {
                // The process ends here or has ended by itself.
                let _ = child.kill();
                let _ = child.wait();
                return;
            }
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    let ended = child.wait();
    if !reported {
        let how = ended.map_or_else(|error| format!("cannot be waited for: {error}"), how_it_ended);
        let message = format!("the process that plans {how}");
        context.report(Done::Planned(of.id, Some(Box::new(Planned::Refused { message }))));
    }
}
