//! Folders of adapters and models: whole or not there, and never in the place of anything else.

use std::fs;
use std::io;
use std::path::Path;

use crate::data::{place, quoted};
use crate::error::{Error, Result};
use crate::run::files::{
    failed, need_space, parent, remove, settle, sibling, size_of_folder, swap_in, sync_folder, write_synced,
};

/// Copied from the model, byte for byte, where they are there.
pub(in crate::run) const TOKENIZER: [&str; 12] = [
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "tokenizer.model",
    "spiece.model",
    "sentencepiece.bpe.model",
    "chat_template.jinja",
    "chat_template.json",
];

/// Fills a new folder and puts it in the place of an earlier one, with everything on the disk before. Gives its size.
///
/// `what` is what the folder is to hold, and `bytes` about how much of it.
pub(in crate::run) fn put_folder(
    folder: &Path,
    what: &str,
    bytes: u64,
    fill: impl FnOnce(&Path) -> Result<()>,
) -> Result<u64> {
    let what = format!("write {what} to");
    let failed = failed(&what, folder);
    fs::create_dir_all(parent(folder)).map_err(&failed)?;
    need_space(parent(folder), bytes)?;
    let (new, old) = (sibling(folder, "new"), sibling(folder, "old"));
    settle(&new, folder, &old).map_err(&failed)?;
    let write = || -> Result<u64> {
        fs::create_dir(&new).map_err(&failed)?;
        fill(&new)?;
        sync_folder(&new).and_then(|()| swap_in(&new, folder, &old)).map_err(&failed)?;
        size_of_folder(folder).map_err(&failed)
    };
    write().inspect_err(|_| {
        // The error that led here is the one to tell.
        let _ = remove(&new);
    })
}

/// Copies those of these files that are there. What a link points to is copied, not the link.
pub(in crate::run) fn copy_files<'a>(
    source: &Path,
    names: impl IntoIterator<Item = &'a str>,
    target: &Path,
) -> io::Result<()> {
    names
        .into_iter()
        .filter(|name| source.join(name).is_file())
        .try_for_each(|name| write_synced(&target.join(name), &fs::read(source.join(name))?))
}

/// The names of a folder's entries, none where there is no folder; refuses a name that is not `known`, since a user
/// may have named any folder. `what` is what is to be written there, as in "an adapter".
pub(in crate::run) fn only_known_entries(
    folder: &Path,
    what: &str,
    known: impl Fn(&str) -> bool,
) -> Result<Vec<String>> {
    let refuse = |why: &str| refuse_folder(folder, what, why);
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(refuse(&format!("cannot be read: {error}"))),
    };
    let names: Vec<String> = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    // What macOS leaves in every folder that was looked at.
    match names.iter().find(|name| *name != ".DS_Store" && !TOKENIZER.contains(&name.as_str()) && !known(name)) {
        None => Ok(names),
        Some(name) => Err(refuse(&format!("holds {}, which is no part of {what}", quoted(name)))),
    }
}

/// That a folder is not replaced, and what to do.
pub(in crate::run) fn refuse_folder(folder: &Path, what: &str, why: &str) -> Error {
    let noun = what.split_once(' ').map_or(what, |(_, noun)| noun);
    Error::refused(format!("{} {why}; name a new folder for the {noun}", place(folder)))
}
