//! `race.json` in the folder of a race: its lanes.

use std::path::{Path, PathBuf};

use super::files::{failed, read_bounded, replace};
use super::{RunFolder, State};
use spartui_facts::error::{Error, Result};
use spartui_facts::protocol::Race;
use spartui_facts::quote::{one_line, place};

const FILE: &str = "race.json";
const LARGEST: u64 = 1 << 20;
/// Prefix of the name of every lane.
pub const LANE: &str = "lane-";

/// Writes the lanes of a race into its folder.
///
/// # Errors
/// Fails where the folder cannot be written.
pub fn write_race(race: &Race) -> Result<()> {
    let path = race.folder.join(FILE);
    let text = serde_json::to_vec_pretty(race).map_err(std::io::Error::from);
    text.and_then(|text| replace(&path, &text)).map_err(failed("write the lanes of the race to", &path))
}

/// The race in a folder; none if the folder is that of a single run. Its name and the folders of its lanes follow from
/// the folder's path, since it may have been moved.
///
/// # Errors
/// Refuses a file that cannot be understood.
pub fn read_race(folder: &Path) -> Result<Option<Race>> {
    let path = folder.join(FILE);
    if !path.is_file() {
        return Ok(None);
    }
    let refuse = |why: String| Error::refused(format!("{} is damaged: {}; restore it", place(&path), one_line(&why)));
    let bytes = read_bounded(&path, LARGEST).map_err(|error| refuse(error.to_string()))?;
    let mut race: Race = serde_json::from_slice(&bytes).map_err(|error| refuse(error.to_string()))?;
    for lane in &mut race.lanes {
        super::check_name(&lane.name).map_err(&refuse)?;
        lane.folder = lanes_of(folder).join(&lane.name);
    }
    folder.clone_into(&mut race.folder);
    if let Some(name) = folder.file_name() {
        race.name = name.to_string_lossy().into_owned();
    }
    Ok(Some(race))
}

/// Whether a lane continues when its race is resumed. A lane that was stopped together with the race does; a lane that
/// was stopped by itself (`out`) does not, nor does a stopped lane of a race that was completed.
#[must_use]
pub fn lane_can_resume(race: State, lane: State, out: bool) -> bool {
    lane.can_resume() && !out && (lane != State::Stopped || race != State::Completed)
}

/// The lanes of a race, or the run itself if it is no race.
///
/// # Errors
/// Refuses a race whose `race.json` is damaged, and lanes that are no run folders.
pub fn runs_of(run: RunFolder) -> Result<Vec<RunFolder>> {
    match read_race(run.path())? {
        Some(race) => race.lanes.iter().map(|lane| RunFolder::open(&lane.folder)).collect(),
        None => Ok(vec![run]),
    }
}

/// The folders of the lanes of a race, or the folder itself if it is no race.
#[must_use]
pub fn folders_of(folder: &Path) -> Vec<PathBuf> {
    match read_race(folder) {
        Ok(Some(race)) => race.lanes.into_iter().map(|lane| lane.folder).collect(),
        _ => vec![folder.to_owned()],
    }
}

/// Refuses a race where a single run is needed; `before` is the option or command that precedes the name of the run,
/// for the message.
///
/// # Errors
/// One sentence that names a lane to give instead.
pub fn refuse_race(run: &RunFolder, before: &str) -> Result<()> {
    let Some(race) = read_race(run.path())? else { return Ok(()) };
    let lane = race.lanes.first().map_or_else(|| lanes_of(run.path()), |lane| lane.folder.clone());
    Err(Error::refused(format!(
        "{} is a race, whose lanes are runs; name one of them, such as `{before}{}`",
        run.name(),
        place(&lane)
    )))
}

/// The displayed name of a run: `RACE/lane-2` for a lane, else the name of the folder. It follows from the path alone.
#[must_use]
pub fn full_name(run: &Path) -> String {
    let name = |path: &Path| path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    let own = name(run);
    let race = run.parent().and_then(Path::parent).filter(|race| run.parent() == Some(&lanes_of(race)));
    match race.filter(|race| race.file_name().is_some() && own.starts_with(LANE)) {
        Some(race) => format!("{}/{own}", name(race)),
        None => own,
    }
}

/// The folder of the race of which a run is a lane, if it is one.
#[must_use]
pub fn race_of(run: &Path) -> Option<&Path> {
    let race = run.parent()?.parent()?;
    (run.parent()? == lanes_of(race) && race.join(FILE).is_file()).then_some(race)
}

/// The folder with the lanes of a race.
#[must_use]
pub fn lanes_of(race: &Path) -> PathBuf {
    race.join("lanes")
}

#[cfg(test)]
mod tests {
    use super::*;
    use spartui_facts::protocol::Lane;
    use spartui_facts::recipe::Value;

    #[test]
    fn what_is_written_is_read_where_it_lies_and_leads_nowhere_else() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(read_race(root.path()).unwrap(), None);
        let lane = |name: &str| Lane {
            name: name.into(),
            folder: lanes_of(root.path()).join(name),
            varied: vec![("method.sparsity".into(), Value::Float(0.5))],
            origin: None,
            out: name == "lane-2",
        };
        let race_name = root.path().file_name().unwrap().to_string_lossy().into_owned();
        let mut race = Race {
            name: race_name.clone(),
            folder: root.path().to_owned(),
            lanes: vec![lane("lane-1"), lane("lane-2")],
            halve_every: Some(10),
        };
        write_race(&race).unwrap();
        assert_eq!(read_race(root.path()).unwrap().as_ref(), Some(&race));
        assert_eq!(race_of(&race.lanes[0].folder), Some(root.path()));
        assert_eq!(full_name(&race.lanes[0].folder), format!("{race_name}/lane-1"));
        assert_eq!(full_name(root.path()), race_name);
        assert_eq!(folders_of(root.path()), [race.lanes[0].folder.clone(), race.lanes[1].folder.clone()]);
        assert_eq!(folders_of(&race.lanes[0].folder), [race.lanes[0].folder.clone()]);
        assert_eq!((race_of(root.path()), race_of(&root.path().join("other/lane-1"))), (None, None));
        race.lanes[1].name = "../../elsewhere".into();
        write_race(&race).unwrap();
        assert!(read_race(root.path()).unwrap_err().message().contains("damaged"));
        std::fs::write(root.path().join(FILE), "{").unwrap();
        assert!(read_race(root.path()).is_err());
    }

    #[test]
    fn lanes_that_were_stopped_by_themselves_stay_out() {
        for (race, lane, out, resumes) in [
            (State::Stopped, State::Stopped, false, true),
            (State::Stopped, State::Stopped, true, false),
            (State::Completed, State::Stopped, false, false),
            (State::Completed, State::Failed, false, true),
            (State::Interrupted, State::Interrupted, false, true),
            (State::Interrupted, State::Completed, false, false),
            (State::Interrupted, State::StoppedEarly, false, false),
            (State::Aborted, State::Aborted, false, true),
        ] {
            assert_eq!(lane_can_resume(race, lane, out), resumes, "{race} {lane} {out}");
        }
    }
}
