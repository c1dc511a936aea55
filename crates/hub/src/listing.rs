//! The files of a model on the hub, and which of them are needed.

use std::io::Read;

use serde::Deserialize;
use ureq::http::HeaderMap;

use super::cache::is_commit;
use super::client::{Answer, Client};
use super::snapshot::{CONFIG, INDEX, TOKENIZER, WEIGHTS};
use super::trouble::with_retries;
use spartui_facts::error::{Error, Result};
use spartui_facts::quote::quoted;

/// Files to download if the model has them, besides its weights.
const WANTED: [&str; 10] = [
    CONFIG,
    "generation_config.json",
    TOKENIZER,
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "chat_template.jinja",
];
/// The most bytes read of a listing: one with a hundred thousand files is smaller.
const LONGEST_LISTING: u64 = 64 << 20;
const LONGEST_ETAG: usize = 128;

/// The files of a model at a commit.
pub(super) struct Listing {
    pub commit: String,
    siblings: Vec<Sibling>,
}

/// A file that can be downloaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RemoteFile {
    pub name: String,
    pub size: u64,
    /// The name of its blob; for a large file, its SHA-256.
    pub etag: String,
}

#[derive(Deserialize)]
struct Revision {
    sha: String,
    siblings: Vec<Sibling>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Sibling {
    rfilename: String,
    size: Option<u64>,
    blob_id: Option<String>,
    lfs: Option<Large>,
}

#[derive(Deserialize)]
struct Large {
    sha256: Option<String>,
    size: Option<u64>,
}

/// Requests the listing.
pub(super) fn ask(client: &Client) -> Result<Listing> {
    let text = with_retries(client.pause(), || {
        let mut text = String::new();
        let body = client.listing()?.into_body();
        let read = body.into_reader().take(LONGEST_LISTING).read_to_string(&mut text);
        read.map_err(|error| client.broken_off(error)).map(|_| text)
    })?;
    let revision: Option<Revision> = serde_json::from_str(&text).ok();
    let revision = revision.filter(|revision| is_commit(&revision.sha)).ok_or_else(|| not_understood(client))?;
    Ok(Listing { commit: revision.sha, siblings: revision.siblings })
}

impl Listing {
    /// All needed files except the weights.
    pub fn side_files(&self, client: &Client) -> Result<Vec<RemoteFile>> {
        let there = WANTED.iter().filter(|name| self.has(name));
        there.map(|name| self.file(client, name)).collect()
    }

    /// The needed files that the model lacks.
    pub fn absent(&self) -> impl Iterator<Item = &'static str> {
        WANTED.into_iter().filter(|name| !self.has(name))
    }

    /// The single file of weights, or the index of several.
    pub fn weights(&self, client: &Client) -> Result<RemoteFile> {
        let (name, page) = (client.name(), client.endpoint().page(client.name()));
        if !self.has(CONFIG) {
            return Err(Error::refused(format!(
                "{name} has no config.json; choose a model in Hugging Face layout ({page})"
            )));
        }
        match [WEIGHTS, INDEX].into_iter().find(|name| self.has(name)) {
            Some(weights) => self.file(client, weights),
            None => Err(Error::refused(format!(
                "{name} has no model.safetensors{}; choose a model or a revision with weights in safetensors files ({page})",
                self.pickled().map_or(String::new(), |file| format!(
                    ", and {} is not read because such files can run programs",
                    quoted(file)
                ))
            ))),
        }
    }

    /// A file by name, with the hub's data about it.
    pub fn file(&self, client: &Client, name: &str) -> Result<RemoteFile> {
        let sibling = self.siblings.iter().find(|sibling| sibling.rfilename == name).ok_or_else(|| {
            Error::refused(format!(
                "{} lacks {}, which its index names; use another revision",
                client.name(),
                quoted(name)
            ))
        })?;
        let known = match (sibling.etag(), sibling.size()) {
            (Some(etag), Some(size)) => (etag.to_owned(), size),
            // Some mirrors list names only.
            _ => with_retries(client.pause(), || from_headers(client, &self.commit, name))?,
        };
        let (etag, size) = known;
        if !is_etag(&etag) {
            return Err(not_understood(client));
        }
        Ok(RemoteFile { name: name.to_owned(), size, etag })
    }

    fn has(&self, name: &str) -> bool {
        self.siblings.iter().any(|sibling| sibling.rfilename == name)
    }

    fn pickled(&self) -> Option<&str> {
        let mut names = self.siblings.iter().map(|sibling| sibling.rfilename.as_str());
        names.find(|name| [".bin", ".pt", ".pth", ".pkl"].iter().any(|end| name.ends_with(end)))
    }
}

impl Sibling {
    fn etag(&self) -> Option<&str> {
        match &self.lfs {
            Some(large) => large.sha256.as_deref(),
            None => self.blob_id.as_deref(),
        }
    }

    fn size(&self) -> Option<u64> {
        self.lfs.as_ref().and_then(|large| large.size).or(self.size)
    }
}

fn from_headers(client: &Client, commit: &str, name: &str) -> Answer<(String, u64)> {
    let response = client.headers(commit, name)?;
    let headers = response.headers();
    let etag = header(headers, "x-linked-etag").or_else(|| header(headers, "etag"));
    let length = || header(headers, "content-length").filter(|_| response.status().is_success());
    let size = header(headers, "x-linked-size").or_else(length).and_then(|text| text.parse().ok());
    let etag = etag.map(|etag| etag.trim_start_matches("W/").trim_matches('"').to_owned());
    Ok(etag.zip(size).ok_or_else(|| not_understood(client))?)
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// Whether it is safe as a file name.
fn is_etag(text: &str) -> bool {
    (1..=LONGEST_ETAG).contains(&text.len())
        && !text.starts_with('.')
        && text.chars().all(|character| character.is_ascii_alphanumeric() || matches!(character, '-' | '_' | '.'))
}

fn not_understood(client: &Client) -> Error {
    Error::failed(format!("{} does not answer as a hub does; check HF_ENDPOINT", client.server()))
}
