//! Downloads a snapshot file by file, continuing earlier attempts.

mod partial;

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use ureq::http::header::CONTENT_RANGE;
use ureq::http::{HeaderMap, StatusCode};

use super::Progress;
use super::cache::{Repository, unwritable};
use super::client::{Answer, Client};
use super::listing::{Listing, RemoteFile};
use super::meter::Meter;
use super::snapshot::{INDEX, shards};
use super::trouble::{RequestError, with_retries};
use partial::Partial;
use spartui_facts::error::{Error, Result};
use spartui_facts::quote::{one_line, place};

/// Disk space left free for other programs.
const SLACK: u64 = 32 << 20;

/// Downloads the files of a commit that the cache lacks; returns the snapshot's folder.
///
/// The weights are downloaded last and the reference is written after them, so that a snapshot with weights is
/// complete.
pub(super) fn snapshot(
    client: &Client,
    repository: &Repository,
    listing: &Listing,
    progress: Progress,
) -> Result<PathBuf> {
    let weights = listing.weights(client)?;
    let mut files = listing.side_files(client)?;
    if weights.name == INDEX {
        let what = format!("downloading the index of {}", client.name());
        fetch(client, repository, &listing.commit, &weights, &mut Meter::new(what, None, progress))?;
        let names = shards(&repository.snapshot(&listing.commit).join(INDEX))?;
        files.extend(names.iter().map(|name| listing.file(client, name)).collect::<Result<Vec<_>>>()?);
    } else {
        files.push(weights);
    }
    need_space(repository, &files)?;
    let total = files.iter().map(|file| file.size).sum();
    let what = format!("downloading {} ({})", client.name(), megabytes(total));
    let mut meter = Meter::new(what, Some(total), progress);
    for file in &files {
        fetch(client, repository, &listing.commit, file, &mut meter)?;
    }
    listing.absent().try_for_each(|name| repository.note_absent(&listing.commit, name))?;
    repository.write_reference(&client.name().revision, &listing.commit)?;
    Ok(repository.snapshot(&listing.commit))
}

/// Downloads one file into cache and snapshot.
fn fetch(client: &Client, repository: &Repository, commit: &str, file: &RemoteFile, meter: &mut Meter) -> Result<()> {
    if has_size(&repository.snapshot(commit).join(&file.name), file.size) {
        meter.finish(file.size);
        return Ok(());
    }
    let waiting = format!("waiting for another program that downloads {}", client.name());
    repository.blobs()?;
    let lock = repository.lock(&file.etag, || meter.wait(&waiting))?;
    if !has_size(&repository.blob(&file.etag), file.size) {
        let mut partial = Partial::open(repository.partial(&file.etag), file, |position| meter.at(position))?;
        with_retries(client.pause(), || go_on(client, commit, file, &mut partial, meter))?;
        partial.finish(&repository.blob(&file.etag))?;
    }
    drop(lock);
    repository.link(commit, &file.name, &file.etag)?;
    meter.finish(file.size);
    Ok(())
}

/// Requests the missing part of a file until it is complete.
fn go_on(client: &Client, commit: &str, file: &RemoteFile, partial: &mut Partial, meter: &mut Meter) -> Answer<()> {
    meter.at(partial.held());
    if partial.is_whole() {
        return Ok(());
    }
    let start = partial.held();
    let response = client.file(commit, &file.name, start)?;
    let begin = beginning(response.status(), response.headers());
    if begin != Some(start) {
        partial.restart()?;
        if begin != Some(0) {
            return Err(RequestError::passing(wrong_size(client, file)));
        }
    }
    let before = partial.furthest();
    let mut body = response.into_body().into_reader();
    let taken = partial.append(&mut body, client, |position| meter.at(position));
    let more = partial.furthest() > before;
    taken.map_err(|trouble| if more { trouble.after_gain() } else { trouble })?;
    let ends = !matches!(body.read(&mut [0]), Ok(1..));
    if partial.is_whole() && ends {
        return Ok(());
    }
    if !ends {
        partial.restart()?;
    }
    Err(RequestError::passing(wrong_size(client, file)))
}

/// The position in the file at which the body of a response begins.
fn beginning(status: StatusCode, headers: &HeaderMap) -> Option<u64> {
    if status != StatusCode::PARTIAL_CONTENT {
        return Some(0);
    }
    let range = headers.get(CONTENT_RANGE)?.to_str().ok()?;
    range.strip_prefix("bytes ")?.split_once('-')?.0.parse().ok()
}

fn wrong_size(client: &Client, file: &RemoteFile) -> Error {
    Error::failed(format!(
        "{} of {} does not come with the {} bytes that {} says it has; start again later",
        one_line(&file.name),
        client.name(),
        file.size,
        client.server()
    ))
}

fn has_size(path: &Path, size: u64) -> bool {
    fs::metadata(path).is_ok_and(|metadata| metadata.is_file() && metadata.len() == size)
}

/// Checked now rather than failing after an hour.
fn need_space(repository: &Repository, files: &[RemoteFile]) -> Result<()> {
    let folder = repository.blobs()?;
    let missing = |file: &&RemoteFile| !has_size(&repository.blob(&file.etag), file.size);
    let held = |file: &RemoteFile| fs::metadata(repository.partial(&file.etag)).map_or(0, |metadata| metadata.len());
    let needed: u64 = files.iter().filter(missing).map(|file| file.size.saturating_sub(held(file))).sum();
    // If the file system does not report its space, it fails when it is full.
    let Ok(stat) = rustix::fs::statvfs(&folder) else { return Ok(()) };
    let free = stat.f_bavail.saturating_mul(stat.f_frsize);
    if needed == 0 || free >= needed.saturating_add(SLACK) {
        return Ok(());
    }
    Err(Error::failed(format!(
        "{}: the model needs {} more and {} are free; free some space, or set HF_HUB_CACHE to a folder on another disk",
        place(&folder),
        megabytes(needed),
        megabytes(free)
    )))
}

fn megabytes(bytes: u64) -> String {
    format!("{} MB", bytes.div_ceil(1_000_000))
}

fn disk(path: &Path) -> impl Fn(std::io::Error) -> Error + '_ {
    move |error| unwritable(path, &error)
}
