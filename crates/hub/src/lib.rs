//! Models by name: `owner/name` in the cache that all Hugging Face tools share, or downloaded into it.
//!
//! The cache has the layout of the Python package `huggingface_hub`, so that a download by either program serves both:
//! `models--owner--name/` with `refs/<revision>` (a commit), `snapshots/<commit>/<file>` (relative links) and
//! `blobs/<etag>`. Locks and the names of partial downloads are shared as well.
//!
//! The crate `hf-hub` 0.5 is not used: it supports neither `HF_HUB_CACHE` nor `HF_TOKEN` nor offline use, sets no
//! timeout, appends to a partial file without checking whether the server honoured the range, verifies no checksum,
//! and updates the reference to a commit before all of its files are there. What remains is a small HTTP client, for
//! which `ureq` is enough. Certificates are verified by the system, so that a company's own authority works.

mod cache;
mod client;
mod download;
mod endpoint;
mod environment;
mod listing;
mod meter;
mod snapshot;
mod trouble;

use std::path::{Path, PathBuf};
use std::time::Duration;

use cache::Repository;
use client::Client;
use snapshot::Holding;
use spartui_facts::error::{Error, Result};
use spartui_facts::quote::{place, quoted};
use spartui_facts::recipe::HubName;

pub use spartui_facts::recipe::is_hub_name;

/// Called with the current activity, as a text that stays the same while it lasts, and the share that is done, 0 to 1.
type Progress<'a> = &'a mut dyn FnMut(&str, Option<f32>);

/// The settings of the hub and its cache.
#[derive(Clone, PartialEq, Eq)]
pub struct Hub {
    /// The folder of `models--owner--name`.
    pub cache: PathBuf,
    /// The hub's address, without a trailing slash.
    pub endpoint: String,
    /// Sent to the endpoint's host and to no other.
    pub token: Option<String>,
    /// Whether only the cache may be used.
    pub offline: bool,
    /// The timeout for the hub's answers.
    pub timeout: Duration,
    /// The pause before the second attempt; doubled with each further one.
    pub pause: Duration,
}

/// The folder of a model: `path` itself if it is a folder, otherwise the snapshot of the model that it names
/// (`owner/name` or `owner/name@revision`, a branch, tag or commit) in the Hugging Face cache, downloaded if
/// necessary.
///
/// A complete snapshot in the cache is used without asking the hub whether the branch has changed since, so that
/// training starts quickly and with the same files as before. To get a newer one, name its commit or tag.
///
/// `progress` gets the current activity, and the share that is done, 0 to 1.
///
/// # Errors
/// Refuses a path that is neither a folder nor a model on the hub, a model without safetensors files, and, with
/// `HF_HUB_OFFLINE`, a model that is not in the cache. Fails if the network, the hub or the disk fails; a partial
/// download is kept, and the next attempt continues it.
pub fn resolve(path: &Path, progress: &mut dyn FnMut(&str, Option<f32>)) -> Result<PathBuf> {
    if path.is_dir() {
        return Ok(path.to_path_buf());
    }
    Hub::from_environment()?.resolve(path, progress)
}

impl Hub {
    /// [`resolve`] with these settings.
    ///
    /// # Errors
    /// As [`resolve`].
    pub fn resolve(&self, path: &Path, progress: &mut dyn FnMut(&str, Option<f32>)) -> Result<PathBuf> {
        if path.is_dir() { Ok(path.to_path_buf()) } else { self.find(&named(path)?, progress) }
    }

    fn find(&self, name: &HubName, progress: Progress) -> Result<PathBuf> {
        let repository = Repository::new(&self.cache, name);
        let (holding, folder) = snapshot::held(&repository, &name.revision)?;
        match holding {
            Holding::Complete => return Ok(folder),
            Holding::Usable if self.offline => return Ok(folder),
            _ if self.offline => return Err(self.not_cached(name)),
            _ => {}
        }
        let client = Client::new(self, name)?;
        progress(&format!("asking {} for {name}", client.server()), None);
        match listing::ask(&client) {
            Ok(listing) => download::snapshot(&client, &repository, &listing, progress),
            Err(_) if holding == Holding::Usable => Ok(folder),
            Err(error) => Err(error),
        }
    }

    fn not_cached(&self, name: &HubName) -> Error {
        Error::refused(format!(
            "there is no folder {name}, the cache {} does not hold the whole model, and HF_HUB_OFFLINE is set; unset it to \
             download the model, or give a folder",
            place(&self.cache)
        ))
    }
}

fn named(path: &Path) -> Result<HubName> {
    let shown = path.to_string_lossy();
    if path.exists() {
        return Err(Error::refused(format!("the model {} is a file; give the folder that holds it", quoted(&shown))));
    }
    path.to_str().and_then(HubName::parse).ok_or_else(|| {
        Error::refused(format!(
            "the model {} is neither a folder nor a name on the hub; give a folder in Hugging Face layout, or owner/name",
            quoted(&shown)
        ))
    })
}
