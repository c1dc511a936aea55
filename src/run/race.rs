//! What a race's folder says of its lanes.

use std::path::Path;

use super::files::{failed, read_bounded, replace};
use crate::data::{one_line, place};
use crate::error::{Error, Result};
use crate::protocol::Race;

const FILE: &str = "race.json";
const LARGEST: u64 = 1 << 20;

/// Notes in a race's folder who is in it.
///
/// # Errors
/// Fails where the folder cannot be written.
pub fn write_race(race: &Race) -> Result<()> {
    let path = race.folder.join(FILE);
    let text = serde_json::to_vec_pretty(race).map_err(std::io::Error::from);
    text.and_then(|text| replace(&path, &text)).map_err(failed("write who races to", &path))
}

/// Who is in the race of a folder; none where the folder is that of a single run. Where the lanes lie is taken from where the
/// folder is now, since it may have been moved.
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
    Ok(Some(race))
}

/// The race that a run is a lane of, if it is one.
#[must_use]
pub fn race_of(run: &Path) -> Option<&Path> {
    let race = run.parent()?.parent()?;
    (run.parent()? == lanes_of(race) && race.join(FILE).is_file()).then_some(race)
}

/// Where the lanes of a race lie.
#[must_use]
pub fn lanes_of(race: &Path) -> std::path::PathBuf {
    race.join("lanes")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Lane;
    use crate::recipe::Value;

    #[test]
    fn what_is_written_is_read_where_it_lies_and_leads_nowhere_else() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(read_race(root.path()).unwrap(), None);
        let lane = |name: &str| Lane {
            name: name.into(),
            folder: lanes_of(root.path()).join(name),
            varied: vec![("method.sparsity".into(), Value::Float(0.5))],
            origin: None,
        };
        let mut race = Race {
            name: "r".into(),
            folder: root.path().to_owned(),
            lanes: vec![lane("lane-1"), lane("lane-2")],
            halve_every: Some(10),
        };
        write_race(&race).unwrap();
        assert_eq!(read_race(root.path()).unwrap().as_ref(), Some(&race));
        assert_eq!(race_of(&race.lanes[0].folder), Some(root.path()));
        assert_eq!((race_of(root.path()), race_of(&root.path().join("other/lane-1"))), (None, None));
        race.lanes[1].name = "../../elsewhere".into();
        write_race(&race).unwrap();
        assert!(read_race(root.path()).unwrap_err().message().contains("damaged"));
        std::fs::write(root.path().join(FILE), "{").unwrap();
        assert!(read_race(root.path()).is_err());
    }
}
