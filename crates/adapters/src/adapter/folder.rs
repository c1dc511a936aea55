//! Folders of adapters and models: written atomically, and never in place of unrelated files.

use std::fs;
use std::io;
use std::path::Path;

use serde_json::Value;

use super::{AN_ADAPTER, CONFIG};
use spartui_facts::error::{Error, Result};
use spartui_facts::quote::{one_line, place, quoted};
use spartui_run::TOKENIZER;
use spartui_run::files::{
    failed, need_space, parent, recover_swap, remove, sibling, size_of_folder, swap_in, sync_folder, write_synced,
};
use spartui_run::follow_links;
use spartui_run::tensors::{NamedTensor, write_tensors};

/// Folder of additional chat templates.
const TEMPLATES: &str = "additional_chat_templates";

/// Largest file that is copied as a licence, in bytes.
const LICENCE_LIMIT: u64 = 4 << 20;

/// Whether a file of a model's folder holds licence terms, by its name.
fn is_licence(name: &str) -> bool {
    let upper = name.to_ascii_uppercase();
    ["LICENSE", "LICENCE", "NOTICE", "COPYING", "USE_POLICY"]
        .iter()
        .any(|start| upper.strip_prefix(start).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '-', '_'])))
}

/// Copies the licences and additional chat templates of a model.
pub(crate) fn copy_licences_and_templates(source: &Path, target: &Path) -> io::Result<()> {
    let mut names: Vec<String> = names_in(source)?.into_iter().filter(|name| is_licence(name)).collect();
    names.retain(|name| fs::metadata(source.join(name)).is_ok_and(|file| file.len() <= LICENCE_LIMIT));
    copy_files(source, names.iter().map(String::as_str), target)?;
    let templates = source.join(TEMPLATES);
    if !templates.is_dir() {
        return Ok(());
    }
    let mut names = names_in(&templates)?;
    names.retain(|name| Path::new(name).extension().is_some_and(|extension| extension == "jinja"));
    let target = target.join(TEMPLATES);
    fs::create_dir(&target)?;
    copy_files(&templates, names.iter().map(String::as_str), &target)?;
    sync_folder(&target)
}

fn names_in(folder: &Path) -> io::Result<Vec<String>> {
    let entries = fs::read_dir(folder)?.flatten();
    Ok(entries.filter_map(|entry| entry.file_name().into_string().ok()).collect())
}

/// Fills a new folder, syncs it to the disk, and replaces an earlier folder by it. Returns its size in bytes.
///
/// `what` names the contents for messages, as in "an adapter"; `bytes` is their approximate size.
pub(crate) fn put_folder(folder: &Path, what: &str, bytes: u64, fill: impl FnOnce(&Path) -> Result<()>) -> Result<u64> {
    let what = format!("write {what} to");
    let failed = failed(&what, folder);
    // A symbolic link to a folder is kept.
    let folder = &follow_links(folder).map_err(&failed)?;
    fs::create_dir_all(parent(folder)).map_err(&failed)?;
    need_space(parent(folder), bytes)?;
    let (new, old) = (sibling(folder, "new"), sibling(folder, "old"));
    recover_swap(&new, folder, &old).map_err(&failed)?;
    let write = || -> Result<u64> {
        fs::create_dir(&new).map_err(&failed)?;
        fill(&new)?;
        sync_folder(&new).and_then(|()| swap_in(&new, folder, &old)).map_err(&failed)?;
        size_of_folder(folder).map_err(&failed)
    };
    write().inspect_err(|_| {
        // An error of this cleanup is ignored in favour of the first error.
        let _ = remove(&new);
    })
}

/// The files of an adapter beside the tokenizer's.
pub(crate) struct AdapterFiles<'a> {
    /// Names of the files of settings and of tensors.
    pub names: [&'a str; 2],
    /// The tensors.
    pub tensors: &'a [NamedTensor],
    /// The settings.
    pub settings: &'a Value,
    /// config.json: the base model's, edited.
    pub config: &'a Value,
}

/// Writes the folder of an adapter with the tokenizer's files; an earlier adapter is replaced. Returns its size in
/// bytes.
pub(crate) fn put_adapter(folder: &Path, files: &AdapterFiles<'_>, tokenizer_folder: Option<&Path>) -> Result<u64> {
    let AdapterFiles { names: [settings, tensors], .. } = *files;
    refuse_to_replace_others(folder, AN_ADAPTER, &[settings], &[tensors])?;
    let bytes = files.tensors.iter().map(|tensor| tensor.bytes.len() as u64).sum();
    put_folder(folder, AN_ADAPTER, bytes, |new| {
        let write = || {
            write_tensors(&new.join(tensors), files.tensors.iter().map(|tensor| (tensor.name.as_str(), tensor)))?;
            write_synced(&new.join(settings), &serde_json::to_vec_pretty(files.settings)?)?;
            write_synced(&new.join(CONFIG), &serde_json::to_vec_pretty(files.config)?)?;
            tokenizer_folder.map_or(Ok(()), |source| copy_files(source, TOKENIZER, new))
        };
        write().map_err(failed("write the adapter to", folder))
    })
}

/// Copies those of these files that exist. Symbolic links are followed.
pub(crate) fn copy_files<'a>(source: &Path, names: impl IntoIterator<Item = &'a str>, target: &Path) -> io::Result<()> {
    names
        .into_iter()
        .filter(|name| source.join(name).is_file())
        .try_for_each(|name| write_synced(&target.join(name), &fs::read(source.join(name))?))
}

/// The names of a folder's entries; none where the folder does not exist. Refuses an entry that is not `known`, since
/// the user may have given any folder. `what` names what will be written there, as in "an adapter".
pub(crate) fn only_known_entries(folder: &Path, what: &str, known: impl Fn(&str) -> bool) -> Result<Vec<String>> {
    let refuse = |why: &str| refuse_folder(folder, what, why);
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(refuse(&format!("cannot be read: {error}"))),
    };
    let names: Vec<String> = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    // macOS leaves .DS_Store in every folder that was opened.
    let is_copied_beside = |name: &str| name == ".DS_Store" || name == TEMPLATES || is_licence(name);
    match names.iter().find(|name| !is_copied_beside(name) && !TOKENIZER.contains(&name.as_str()) && !known(name)) {
        None => Ok(names),
        Some(name) => Err(refuse(&format!("holds {}, which is no part of {what}", quoted(name)))),
    }
}

/// The error that a folder is not replaced, with advice.
pub(crate) fn refuse_folder(folder: &Path, what: &str, why: &str) -> Error {
    let noun = what.split_once(' ').map_or(what, |(_, noun)| noun);
    Error::refused(format!("{} {why}; name a new folder for the {noun}", place(folder)))
}

/// The error that a file of an adapter's folder is refused, with the reason.
pub(crate) fn refuse_part(folder: &Path, file: &str, why: &str) -> Error {
    Error::refused(format!(
        "{}: {}; give the folder of an adapter that was made for this model, or export it again",
        place(&folder.join(file)),
        one_line(why)
    ))
}

/// Refuses to write an adapter over a folder that holds anything but config.json and files named in `marks` and
/// `others`. A folder with config.json must hold one of `marks`, else it is a model's folder.
pub(crate) fn refuse_to_replace_others(folder: &Path, what: &str, marks: &[&str], others: &[&str]) -> Result<()> {
    let is_ours = |name: &str| name == CONFIG || marks.contains(&name) || others.contains(&name);
    let names = only_known_entries(folder, what, is_ours)?;
    let has = |wanted: &str| names.iter().any(|name| name == wanted);
    if has(CONFIG) && !marks.iter().any(|mark| has(mark)) {
        return Err(refuse_folder(folder, what, "holds a config.json, but no adapter of this kind"));
    }
    Ok(())
}
