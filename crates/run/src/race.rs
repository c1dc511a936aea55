//! What a race's folder says of its lanes.

use std::path::{Path, PathBuf};

use super::files::{failed, read_bounded, replace};
use super::{RunFolder, State};
use spartui_facts::error::{Error, Result};
use spartui_facts::protocol::Race;
use spartui_facts::quote::{one_line, place};

const FILE: &str = "race.json";
const LARGEST: u64 = 1 << 20;
/// How the name of every lane begins.
pub const LANE: &str = "lane-";

/// Notes in a race's folder who is in it.
///
/// # Errors
/// Fails where the folder cannot be written.
pub fn write_race(race: &Race) -> Result<()> {
    let path = race.folder.join(FILE);
    let text = serde_json::to_vec_pretty(race).map_err(std::io::Error::from);
    text.and_then(|text| replace(&path, &text)).map_err(failed("write who races to", &path))
}

/// Who is in the race of a folder; none where the folder is that of a single run. Its name and where the lanes lie are taken
/// from where the folder is now, since it may have been moved.
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

/// Whether a lane goes on when its race does. What was stopped together with the whole race does, what was stopped by itself
/// does not; a race that came to its end had stopped what it had stopped for good.
#[must_use]
pub fn lane_goes_on(race: State, lane: State, out: bool) -> bool {
    lane.can_go_on() && !out && (lane != State::Stopped || race != State::Completed)
}

/// The runs that a name stands for: the lanes of a race, and any other run itself.
///
/// # Errors
/// Refuses a race whose note of its lanes is damaged, and lanes that are no run folders.
pub fn runs_of(run: RunFolder) -> Result<Vec<RunFolder>> {
    match read_race(run.path())? {
        Some(race) => race.lanes.iter().map(|lane| RunFolder::open(&lane.folder)).collect(),
        None => Ok(vec![run]),
    }
}

/// The folders that a folder stands for: those of the lanes of a race, and any other itself.
#[must_use]
pub fn folders_of(folder: &Path) -> Vec<PathBuf> {
    match read_race(folder) {
        Ok(Some(race)) => race.lanes.into_iter().map(|lane| lane.folder).collect(),
        _ => vec![folder.to_owned()],
    }
}

/// Refuses a race where a single run is wanted; `before` is what a user writes before the name of a run there.
///
/// # Errors
/// Names a lane.
pub fn refuse_race(run: &RunFolder, before: &str) -> Result<()> {
    let Some(race) = read_race(run.path())? else { return Ok(()) };
    let lane = race.lanes.first().map_or_else(|| lanes_of(run.path()), |lane| lane.folder.clone());
    Err(Error::refused(format!(
        "{} is a race, of which each lane is a run; name one, such as `{before}{}`",
        run.name(),
        place(&lane)
    )))
}

/// The name of a run for people: that of a lane says which race it is of. It follows from the path alone.
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

/// The race that a run is a lane of, if it is one.
#[must_use]
pub fn race_of(run: &Path) -> Option<&Path> {
    let race = run.parent()?.parent()?;
    (run.parent()? == lanes_of(race) && race.join(FILE).is_file()).then_some(race)
}

/// Where the lanes of a race lie.
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
        for (race, lane, out, goes_on) in [
            (State::Stopped, State::Stopped, false, true),
            (State::Stopped, State::Stopped, true, false),
            (State::Completed, State::Stopped, false, false),
            (State::Completed, State::Failed, false, true),
            (State::Interrupted, State::Interrupted, false, true),
            (State::Interrupted, State::Completed, false, false),
            (State::Interrupted, State::StoppedEarly, false, false),
            (State::Aborted, State::Aborted, false, true),
        ] {
            assert_eq!(lane_goes_on(race, lane, out), goes_on, "{race} {lane} {out}");
        }
    }
}
