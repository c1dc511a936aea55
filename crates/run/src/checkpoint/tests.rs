use std::os::unix::fs::PermissionsExt;

use proptest::prelude::*;
use serde_json::json;

use super::*;

const LARGEST: u64 = 1 << 20;

type Damage<'a> = Box<dyn Fn() + 'a>;

fn checkpoint(step: u64) -> Checkpoint {
    let tensors = vec![
        NamedTensor::float32("a.delta", vec![2, 3], &[0.5, -1.0, 2.0, 3.0, f32::MIN_POSITIVE, 5.0]),
        NamedTensor::int32("a.indices", vec![3], &[1, 2, 7]),
        NamedTensor::float32("empty", vec![0], &[]),
    ];
    Checkpoint { tensors, state: json!({"step": step, "parts": []}) }
}

fn at(step: u64) -> Moment {
    Moment { step, ..Moment::default() }
}

fn write(folder: &Path, step: u64, checkpoint: &Checkpoint, newest: usize) -> Result<Written> {
    write_checkpoint(folder, at(step), checkpoint, &Keep { newest, also: Vec::new() })
}

fn sorted(mut checkpoint: Checkpoint) -> Checkpoint {
    checkpoint.tensors.sort_by(|a, b| a.name.cmp(&b.name));
    checkpoint
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn what_is_written_is_read() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("checkpoints");
    assert_eq!(read_newest_valid(&folder, LARGEST).unwrap(), Newest { checkpoint: None, damaged: vec![] });
    let written = write(&folder, 100, &checkpoint(100), 3).unwrap();
    assert_eq!(written.path, folder.join("step-00000100"));
    assert_eq!(names(&written.path), ["manifest.json", "state.json", "state.safetensors"]);
    for name in names(&written.path) {
        assert_eq!(fs::metadata(written.path.join(&name)).unwrap().permissions().mode() & 0o777, 0o644, "{name}");
    }
    let (found, read) = read_newest_valid(&folder, LARGEST).unwrap().checkpoint.unwrap();
    assert_eq!((found.moment.step, sorted(read.clone())), (100, sorted(checkpoint(100))));
    let delta = read.tensors.iter().find(|tensor| tensor.name == "a.delta").unwrap();
    assert_eq!(delta.as_float32().unwrap()[4].to_bits(), f32::MIN_POSITIVE.to_bits());
}

#[test]
fn older_ones_go_and_the_one_just_written_stays_even_with_fewer_steps() {
    let root = tempfile::tempdir().unwrap();
    for step in [100, 200, 300, 400] {
        write(root.path(), step, &checkpoint(step), 3).unwrap();
    }
    assert_eq!(names(root.path()), ["step-00000200", "step-00000300", "step-00000400"]);
    let rewound = Moment { step: 50, branch: 0, journal: 1 };
    write_checkpoint(root.path(), rewound, &checkpoint(50), &Keep { newest: 2, also: Vec::new() }).unwrap();
    assert_eq!(names(root.path()), ["step-00000050", "step-00000400"]);
    assert_eq!(read_newest_valid(root.path(), LARGEST).unwrap().checkpoint.unwrap().0.moment.step, 50);
    let later = Moment { step: 400, branch: 0, journal: 2 };
    write_checkpoint(root.path(), later, &checkpoint(401), &Keep { newest: 2, also: Vec::new() }).unwrap();
    let (found, read) = read_newest_valid(root.path(), LARGEST).unwrap().checkpoint.unwrap();
    assert_eq!((found.moment.step, read.state), (400, checkpoint(401).state));
}

#[test]
fn what_shall_stay_stays_beside_the_newest() {
    let root = tempfile::tempdir().unwrap();
    let keep = Keep { newest: 1, also: vec![(0, 100), (2, 100)] };
    for (branch, step) in [(0, 100), (2, 100), (1, 100), (1, 200), (1, 300)] {
        let moment = Moment { branch, step, journal: 5 };
        write_checkpoint(root.path(), moment, &checkpoint(step), &keep).unwrap();
    }
    assert_eq!(names(root.path()), ["step-00000100", "step-00000100-branch-2", "step-00000300-branch-1"]);
    let newest = read_newest_valid(root.path(), LARGEST).unwrap().checkpoint.unwrap().0;
    assert_eq!(newest.moment, Moment { branch: 1, step: 300, journal: 5 });
}

#[test]
fn what_is_too_large_is_not_read_and_a_link_is_no_checkpoint() {
    let root = tempfile::tempdir().unwrap();
    let path = write(root.path(), 1, &checkpoint(1), 3).unwrap().path;
    let found = &checkpoints(root.path()).unwrap()[0];
    assert!(read_checkpoint(found, 100).unwrap_err().message().contains("more than a state of this model"));
    std::os::unix::fs::symlink(&path, root.path().join("step-00000002")).unwrap();
    assert_eq!(checkpoints(root.path()).unwrap().len(), 1);
}

#[test]
fn leftovers_of_a_crash_are_swept() {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), 100, &checkpoint(100), 3).unwrap();
    fs::rename(root.path().join("step-00000100"), root.path().join("old-00000100")).unwrap();
    fs::create_dir(root.path().join("tmp-00000100")).unwrap();
    assert_eq!(read_newest_valid(root.path(), LARGEST).unwrap().checkpoint.unwrap().0.moment.step, 100);
    write(root.path(), 200, &checkpoint(200), 3).unwrap();
    assert_eq!(names(root.path()), ["step-00000100", "step-00000200"]);
}

#[test]
fn damage_is_named_and_the_one_before_is_used() {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), 100, &checkpoint(100), 3).unwrap();
    let newest = write(root.path(), 200, &checkpoint(200), 3).unwrap().path;
    let tensors = newest.join(TENSORS);
    let whole = fs::read(&tensors).unwrap();
    let mut zeroed = whole.clone();
    let end = zeroed.len();
    zeroed[end - 12..].fill(0);
    let damages: [(Damage<'_>, &str); 6] = [
        (Box::new(|| fs::write(&tensors, &zeroed).unwrap()), "checksum"),
        (Box::new(|| fs::write(&tensors, &whole[..whole.len() - 1]).unwrap()), "bytes instead of"),
        (Box::new(|| fs::remove_file(&tensors).unwrap()), "state.safetensors: "),
        (Box::new(|| fs::create_dir(&tensors).unwrap()), "regular file"),
        (Box::new(|| fs::write(newest.join("manifest.json"), "{").unwrap()), "manifest.json is broken"),
        (Box::new(|| fs::remove_file(newest.join("manifest.json")).unwrap()), "manifest.json: "),
    ];
    for (damage, expected) in damages {
        damage();
        let read = read_newest_valid(root.path(), LARGEST).unwrap();
        assert!(read.damaged.len() == 1 && read.damaged[0].contains(expected), "{expected}: {:?}", read.damaged);
        assert_eq!(read.checkpoint.unwrap().0.moment.step, 100, "{expected}");
        let error = read_checkpoint(&checkpoints(root.path()).unwrap()[0], LARGEST).unwrap_err();
        assert!(error.message().contains(expected), "{error}");
    }
}

#[test]
fn a_manifest_cannot_lead_out_of_its_folder() {
    let root = tempfile::tempdir().unwrap();
    let path = write(root.path(), 1, &checkpoint(1), 3).unwrap().path;
    let manifest = fs::read_to_string(path.join("manifest.json")).unwrap();
    for name in ["../../etc/passwd", "/etc/passwd", "..", "a\\\\b"] {
        fs::write(path.join("manifest.json"), manifest.replace(STATE, name)).unwrap();
        let error = read_checkpoint(&checkpoints(root.path()).unwrap()[0], LARGEST).unwrap_err();
        assert!(error.message().contains("not in the folder"), "{error}");
    }
}

#[test]
fn a_failed_write_leaves_the_earlier_ones() {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), 1, &checkpoint(1), 1).unwrap();
    let mut twice = checkpoint(2);
    twice.tensors[0].shape = vec![7];
    assert!(write(root.path(), 2, &twice, 1).unwrap_err().message().contains("a.delta has 24 bytes"));
    assert_eq!(names(root.path()), ["step-00000001"]);
    fs::write(root.path().join("file"), "").unwrap();
    let error = write(&root.path().join("file"), 2, &checkpoint(2), 1).unwrap_err();
    assert!(matches!(error, Error::Failed(_)), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_flipped_byte_is_found(file in 0_usize..3, at: prop::sample::Index, flip in 1_u8..) {
        let root = tempfile::tempdir().unwrap();
        let path = write(root.path(), 1, &checkpoint(1), 3).unwrap().path;
        let victim = path.join(["manifest.json", STATE, TENSORS][file]);
        let mut bytes = fs::read(&victim).unwrap();
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        fs::write(&victim, &bytes).unwrap();
        // A manifest may survive a flip in its white space; what is then read must be what was written.
        if let Some((_, read)) = read_newest_valid(root.path(), LARGEST).unwrap().checkpoint {
            prop_assert!(file == 0);
            prop_assert_eq!(sorted(read), sorted(checkpoint(1)));
        }
    }

    #[test]
    fn no_manifest_makes_it_panic(text in "[{}\":,0-9a-z\n ]{0,80}", bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let root = tempfile::tempdir().unwrap();
        let path = write(root.path(), 1, &checkpoint(1), 3).unwrap().path;
        for text in [text.as_bytes(), &bytes] {
            fs::write(path.join("manifest.json"), text).unwrap();
            prop_assert!(read_newest_valid(root.path(), LARGEST).unwrap().checkpoint.is_none());
        }
        prop_assert!(parse_tensors(&bytes).is_err());
    }
}
