//! Models by name: the shared cache, downloads from a hub on this machine, and what is said when they fail.

#[path = "support/hub_server.rs"]
mod hub_server;

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hub_server::{COMMIT, Fault, File, HubServer};
use spartui::error::{Error, Result};
use spartui::hub::{Hub, is_hub_name};
use tempfile::TempDir;

const WEIGHTS: usize = 900_000;

fn small(text: &str) -> File {
    File::small(text)
}

fn large(size: usize, seed: usize) -> File {
    File::large((0..size).map(|at| (at * 31 + at / 251 + seed).to_le_bytes()[0]).collect())
}

fn model() -> Vec<(&'static str, File)> {
    vec![
        ("config.json", small("{}")),
        ("tokenizer.json", small("{\"a\": 1}")),
        ("tokenizer_config.json", small("{\"b\": 1}")),
        ("model.safetensors", large(WEIGHTS, 1)),
        ("pytorch_model.bin", large(10, 2)),
        ("README.md", small("read me")),
    ]
}

fn sharded(index: &str) -> Vec<(&'static str, File)> {
    let mut files = model();
    files.retain(|(name, _)| *name != "model.safetensors");
    files.push(("model.safetensors.index.json", small(index)));
    files.push(("model-00001-of-00002.safetensors", large(200_000, 3)));
    files.push(("model-00002-of-00002.safetensors", large(100_000, 4)));
    files
}

const INDEX: &str =
    r#"{"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}"#;

/// A server, and someone with an empty cache.
struct Desk {
    server: HubServer,
    folder: TempDir,
    hub: Hub,
}

impl Desk {
    fn new(files: Vec<(&str, File)>) -> Self {
        Self::at(HubServer::new(files))
    }

    fn at(server: HubServer) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let hub = hub(&folder.path().join("hub"), &server.endpoint);
        Self { server, folder, hub }
    }

    fn resolve(&self, name: &str) -> Result<PathBuf> {
        self.hub.resolve(Path::new(name), &mut |_, _| {})
    }

    fn repository(&self) -> PathBuf {
        self.hub.cache.join("models--owner--model")
    }

    fn blob(&self, name: &str) -> PathBuf {
        self.repository().join("blobs").join(self.server.file(name).etag())
    }

    fn partial(&self, name: &str) -> PathBuf {
        self.repository().join("blobs").join(format!("{}.incomplete", self.server.file(name).etag()))
    }

    fn is_as_served(&self, snapshot: &Path, name: &str) -> bool {
        fs::read(snapshot.join(name)).unwrap() == self.server.file(name).bytes
    }
}

fn hub(cache: &Path, endpoint: &str) -> Hub {
    Hub {
        cache: cache.to_owned(),
        endpoint: endpoint.to_owned(),
        token: None,
        offline: false,
        timeout: Duration::from_secs(5),
        pause: Duration::from_millis(1),
    }
}

fn refused<T: std::fmt::Debug>(result: Result<T>, parts: &[&str]) {
    assert!(matches!(result, Err(Error::Refused(_))), "{result:?}");
    says(result, parts);
}

fn failed<T: std::fmt::Debug>(result: Result<T>, parts: &[&str]) {
    assert!(matches!(result, Err(Error::Failed(_))), "{result:?}");
    says(result, parts);
}

fn says<T: std::fmt::Debug>(result: Result<T>, parts: &[&str]) {
    let error = result.unwrap_err();
    for part in parts {
        assert!(error.message().contains(part), "no \"{part}\" in: {error}");
    }
    assert!(!error.message().contains("s3cret"), "{error}");
    assert!(!error.message().chars().any(char::is_control), "{error:?}");
}

fn names(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_folder_is_itself() {
    let desk = Desk::new(model());
    let folder = desk.folder.path();
    assert_eq!(desk.resolve(folder.to_str().unwrap()).unwrap(), folder);
    // Cargo runs tests in the package's folder.
    assert!(is_hub_name("crates/hub"));
    assert_eq!(desk.resolve("crates/hub").unwrap(), Path::new("crates/hub"));
    assert!(desk.server.asked().0.is_empty());
}

#[test]
fn what_is_no_model() {
    let desk = Desk::new(model());
    let file = desk.folder.path().join("model.safetensors");
    fs::write(&file, "").unwrap();
    refused(desk.resolve(file.to_str().unwrap()), &["is a file", "give the folder"]);
    refused(desk.resolve("/no/such/folder"), &["\"/no/such/folder\"", "neither a folder nor"]);
    refused(desk.resolve("no\u{1b}[2Jname"), &["neither a folder nor"]);
    assert!(desk.server.asked().0.is_empty());
}

#[test]
fn a_download_fills_the_shared_cache() {
    let desk = Desk::new(model());
    let mut told: Vec<(String, Option<f32>)> = Vec::new();
    let name = Path::new("owner/model");
    let snapshot = desk.hub.resolve(name, &mut |what, part| told.push((what.to_owned(), part))).unwrap();

    let repository = desk.repository();
    assert_eq!(snapshot, repository.join("snapshots").join(COMMIT));
    let wanted = ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"];
    assert_eq!(names(&snapshot), wanted);
    for name in wanted {
        assert!(desk.is_as_served(&snapshot, name), "{name}");
        let target = Path::new("../../blobs").join(desk.server.file(name).etag());
        assert_eq!(fs::read_link(snapshot.join(name)).unwrap(), target);
    }
    assert_eq!(fs::read_to_string(repository.join("refs/main")).unwrap(), COMMIT);
    assert_eq!(names(&repository.join("blobs")).len(), wanted.len());
    assert!(repository.join(".no_exist").join(COMMIT).join("vocab.txt").exists());
    let (hub, store) = desk.server.asked();
    assert!(hub.iter().all(|request| !request.path.contains(".bin") && !request.path.contains("README")), "{hub:?}");
    assert_eq!(store.len(), 1);

    let texts: Vec<&str> = told.iter().map(|(text, _)| text.as_str()).collect();
    assert!(texts[0].starts_with("asking 127.0.0.1 for owner/model"), "{texts:?}");
    assert!(texts[1..].iter().all(|text| *text == "downloading owner/model (1 MB)"), "{texts:?}");
    let parts: Vec<f32> = told[1..].iter().map(|(_, part)| part.unwrap()).collect();
    assert!(parts.is_sorted() && parts.last() == Some(&1.0), "{parts:?}");
}

#[test]
fn a_complete_snapshot_needs_no_network() {
    let mut desk = Desk::new(model());
    let snapshot = desk.resolve("owner/model").unwrap();
    desk.server.asked();
    assert_eq!(desk.resolve("owner/model").unwrap(), snapshot);
    assert_eq!(desk.resolve(&format!("owner/model@{COMMIT}")).unwrap(), snapshot);
    assert!(desk.server.asked().0.is_empty());
    desk.hub.offline = true;
    desk.hub.endpoint = "nowhere".into();
    assert_eq!(desk.resolve("owner/model").unwrap(), snapshot);
}

#[test]
fn a_model_without_a_tokenizer_is_asked_for_once() {
    let mut files = model();
    files.retain(|(name, _)| *name != "tokenizer.json");
    let desk = Desk::new(files);
    let snapshot = desk.resolve("owner/model").unwrap();
    desk.server.asked();
    assert_eq!(desk.resolve("owner/model").unwrap(), snapshot);
    assert!(desk.server.asked().0.is_empty());
}

#[test]
fn a_cache_that_python_wrote() {
    let folder = tempfile::tempdir().unwrap();
    let repository = folder.path().join("models--owner--model");
    let snapshot = repository.join("snapshots").join(COMMIT);
    for part in ["refs", "blobs", "trees"] {
        fs::create_dir_all(repository.join(part)).unwrap();
    }
    fs::create_dir_all(&snapshot).unwrap();
    fs::write(repository.join("refs/main"), COMMIT).unwrap();
    let put = |name: &str, etag: &str| {
        fs::write(repository.join("blobs").join(etag), name).unwrap();
        symlink(format!("../../blobs/{etag}"), snapshot.join(name)).unwrap();
    };
    let mut offline = hub(folder.path(), "http://127.0.0.1:1");
    let name = Path::new("owner/model");
    put("config.json", "c0");
    put("tokenizer.json", "c1");
    refused(
        Hub { offline: true, ..offline.clone() }.resolve(name, &mut |_, _| {}),
        &["owner/model", "HF_HUB_OFFLINE", "whole model"],
    );
    put("model.safetensors", "c2");
    assert_eq!(offline.resolve(name, &mut |_, _| {}).unwrap(), snapshot);

    // Without the tokenizer it may still be all that the model has: the hub would know.
    fs::remove_file(snapshot.join("tokenizer.json")).unwrap();
    assert_eq!(offline.resolve(name, &mut |_, _| {}).unwrap(), snapshot);
    offline.offline = true;
    assert_eq!(offline.resolve(name, &mut |_, _| {}).unwrap(), snapshot);

    // A link to a blob that is gone is no file.
    fs::remove_file(repository.join("blobs/c2")).unwrap();
    refused(offline.resolve(name, &mut |_, _| {}), &["HF_HUB_OFFLINE"]);
}

#[test]
fn a_cache_that_lies_about_the_commit() {
    let folder = tempfile::tempdir().unwrap();
    let repository = folder.path().join("models--owner--model");
    fs::create_dir_all(repository.join("refs")).unwrap();
    fs::create_dir_all(repository.join("snapshots")).unwrap();
    fs::create_dir(folder.path().join("elsewhere")).unwrap();
    for name in ["config.json", "tokenizer.json", "model.safetensors"] {
        fs::write(folder.path().join("elsewhere").join(name), "").unwrap();
    }
    fs::write(repository.join("refs/main"), "../../elsewhere").unwrap();
    let hub = Hub { offline: true, ..hub(folder.path(), "http://127.0.0.1:1") };
    refused(hub.resolve(Path::new("owner/model"), &mut |_, _| {}), &["whole model"]);
}

#[test]
fn offline_without_the_model() {
    let mut desk = Desk::new(model());
    desk.hub.offline = true;
    refused(desk.resolve("owner/model"), &["owner/model", "HF_HUB_OFFLINE", "unset it"]);
    assert!(desk.server.asked().0.is_empty());
}

#[test]
fn shards() {
    let desk = Desk::new(sharded(INDEX));
    let mut parts = Vec::new();
    let snapshot = desk.hub.resolve(Path::new("owner/model"), &mut |_, part| parts.extend(part)).unwrap();
    for name in ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", "model.safetensors.index.json"]
    {
        assert!(desk.is_as_served(&snapshot, name), "{name}");
    }
    assert!(parts.is_sorted() && parts.last() == Some(&1.0), "{parts:?}");
    desk.server.asked();
    desk.resolve("owner/model").unwrap();
    assert!(desk.server.asked().0.is_empty());

    // One shard lost: only that one is fetched.
    fs::remove_file(desk.blob("model-00002-of-00002.safetensors")).unwrap();
    desk.resolve("owner/model").unwrap();
    assert_eq!(desk.server.asked().1.len(), 1);
    assert!(desk.is_as_served(&snapshot, "model-00002-of-00002.safetensors"));
}

#[test]
fn shards_in_a_folder_of_their_own() {
    let mut files = model();
    files.retain(|(name, _)| *name != "model.safetensors");
    files.push(("model.safetensors.index.json", small(r#"{"weight_map": {"a": "parts/one.safetensors"}}"#)));
    files.push(("parts/one.safetensors", large(1000, 5)));
    let desk = Desk::new(files);
    let snapshot = desk.resolve("owner/model").unwrap();
    assert!(desk.is_as_served(&snapshot, "parts/one.safetensors"));
    let target = fs::read_link(snapshot.join("parts/one.safetensors")).unwrap();
    assert!(target.starts_with("../../../blobs"), "{target:?}");
}

#[test]
fn an_index_that_leads_astray() {
    for name in ["../../../../evil.safetensors", "/tmp/evil.safetensors", "evil.bin"] {
        let mut files = sharded(&format!(r#"{{"weight_map": {{"a": "{name}"}}}}"#));
        files.push((name, large(10, 6)));
        let desk = Desk::new(files);
        refused(desk.resolve("owner/model"), &["model.safetensors.index.json", "no safetensors file of this folder"]);
        assert!(desk.server.asked().1.is_empty());
        assert_eq!(names(desk.folder.path()), ["hub"]);
    }
    let desk = Desk::new(sharded(r#"{"weight_map": {"a": "model-00003-of-00003.safetensors"}}"#));
    refused(desk.resolve("owner/model"), &["lacks \"model-00003-of-00003.safetensors\""]);
}

#[test]
fn no_safetensors() {
    let mut files = model();
    files.retain(|(name, _)| *name != "model.safetensors");
    let desk = Desk::new(files);
    refused(desk.resolve("owner/model"), &["no model.safetensors", "\"pytorch_model.bin\"", "can run programs"]);
    assert!(desk.server.asked().1.is_empty());
    let desk = Desk::new(vec![("README.md", small("x"))]);
    refused(desk.resolve("owner/model"), &["no config.json"]);
}

#[test]
fn revisions() {
    let desk = Desk::new(model());
    for (revision, asked) in [("v1.0", "/v1.0?"), ("refs/pr/1", "/refs%2Fpr%2F1?"), ("0123456", "/0123456?")] {
        let snapshot = desk.resolve(&format!("owner/model@{revision}")).unwrap();
        assert_eq!(snapshot.file_name().unwrap(), COMMIT);
        assert_eq!(fs::read_to_string(desk.repository().join("refs").join(revision)).unwrap(), COMMIT);
        let (hub, _) = desk.server.asked();
        assert!(hub[0].path.contains(asked), "{}", hub[0].path);
    }
    let fresh = Desk::new(model());
    fresh.resolve(&format!("owner/model@{COMMIT}")).unwrap();
    assert!(!fresh.repository().join("refs").exists());
    fresh.server.plan("/revision/", 1, Fault::Status(404, "RevisionNotFound"));
    refused(fresh.resolve("owner/model@v9"), &["no revision v9", "/owner/model"]);
}

#[test]
fn the_token_is_shown_to_the_hub_alone() {
    let mut desk = Desk::new(model());
    desk.hub.token = Some("hf_secret".into());
    desk.resolve("owner/model").unwrap();
    let (hub, store) = desk.server.asked();
    assert!(hub.iter().all(|request| request.headers["authorization"] == "Bearer hf_secret"));
    assert_eq!(store.len(), 1);
    assert!(store.iter().all(|request| !request.headers.contains_key("authorization")));

    let desk = Desk::new(model());
    desk.resolve("owner/model").unwrap();
    assert!(desk.server.asked().0.iter().all(|request| !request.headers.contains_key("authorization")));
}

#[test]
fn a_token_that_is_none() {
    let mut desk = Desk::new(model());
    desk.hub.token = Some("hf\nsecret".into());
    let result = desk.resolve("owner/model");
    assert!(!format!("{result:?}").contains("secret"));
    refused(result, &["HF_TOKEN"]);
}

#[test]
fn a_cut_connection_goes_on_where_it_was_cut() {
    let desk = Desk::new(model());
    let etag = desk.server.file("model.safetensors").etag();
    let cut = 234_567;
    desk.server.plan("signature", 1, Fault::Cut(cut));
    let snapshot = desk.resolve("owner/model").unwrap();
    assert!(desk.is_as_served(&snapshot, "model.safetensors"));
    let (_, store) = desk.server.asked();
    assert_eq!(store.len(), 2);
    assert!(store[0].path.contains(etag) && !store[0].headers.contains_key("range"));
    assert_eq!(store[1].headers["range"], format!("bytes={cut}-"));
    assert_eq!(store[1].sent, WEIGHTS - cut);
}

#[test]
fn a_later_run_goes_on_where_an_earlier_one_ended() {
    let desk = Desk::new(model());
    let cut = 600_000;
    desk.server.plan("signature", 1, Fault::Cut(cut));
    desk.server.plan("signature", 100, Fault::Status(503, ""));
    failed(desk.resolve("owner/model"), &["127.0.0.1", "503", "start again"]);
    assert_eq!(fs::metadata(desk.partial("model.safetensors")).unwrap().len(), cut as u64);
    assert!(!desk.repository().join("refs/main").exists());

    desk.server.forget_plans();
    desk.server.asked();
    let mut parts = Vec::new();
    let snapshot = desk.hub.resolve(Path::new("owner/model"), &mut |_, part| parts.extend(part)).unwrap();
    assert!(desk.is_as_served(&snapshot, "model.safetensors"));
    assert!(!desk.partial("model.safetensors").exists());
    let (hub, store) = desk.server.asked();
    assert_eq!(hub.len(), 2, "the listing and the address of the weights: {hub:?}");
    assert_eq!(store.len(), 1);
    assert_eq!(store[0].headers["range"], format!("bytes={cut}-"));
    assert_eq!(store[0].sent, WEIGHTS - cut);
    assert!(parts.is_sorted() && parts.last() == Some(&1.0), "{parts:?}");
}

#[test]
fn a_server_that_knows_no_ranges() {
    let desk = Desk::new(model());
    desk.server.plan("signature", 1, Fault::Cut(300_000));
    desk.server.plan("signature", 1, Fault::RangeIgnored(WEIGHTS));
    let snapshot = desk.resolve("owner/model").unwrap();
    assert!(desk.is_as_served(&snapshot, "model.safetensors"));

    // One that also never comes to the end must not be asked for ever.
    let desk = Desk::new(model());
    desk.server.plan("signature", 100, Fault::RangeIgnored(300_000));
    failed(desk.resolve("owner/model"), &["the connection to 127.0.0.1 failed"]);
    assert_eq!(desk.server.asked().1.len(), 5);
}

#[test]
fn a_partial_file_that_is_too_long_or_spoilt() {
    let desk = Desk::new(model());
    let partial = desk.partial("model.safetensors");
    fs::create_dir_all(partial.parent().unwrap()).unwrap();
    fs::write(&partial, vec![7; WEIGHTS + 1]).unwrap();
    let snapshot = desk.resolve("owner/model").unwrap();
    assert!(desk.is_as_served(&snapshot, "model.safetensors"));

    fs::remove_dir_all(&snapshot).unwrap();
    fs::remove_file(desk.blob("model.safetensors")).unwrap();
    fs::write(&partial, vec![7; 1000]).unwrap();
    failed(desk.resolve("owner/model"), &["model.safetensors was damaged", "start again"]);
    let snapshot = desk.resolve("owner/model").unwrap();
    assert!(desk.is_as_served(&snapshot, "model.safetensors"));
}

#[test]
fn a_wrong_checksum() {
    let desk = Desk::new(model());
    desk.server.plan("signature", 1, Fault::Flip);
    failed(desk.resolve("owner/model"), &["model.safetensors was damaged", "SHA-256", "thrown away"]);
    assert!(!desk.partial("model.safetensors").exists() && !desk.blob("model.safetensors").exists());
    let snapshot = desk.resolve("owner/model").unwrap();
    assert!(desk.is_as_served(&snapshot, "model.safetensors"));
}

#[test]
fn a_wrong_size() {
    let desk = Desk::new(model());
    desk.server.plan("/config.json", 1, Fault::Extra);
    desk.resolve("owner/model").unwrap();
    let desk = Desk::new(model());
    desk.server.plan("/config.json", 100, Fault::Extra);
    failed(desk.resolve("owner/model"), &["config.json of owner/model", "2 bytes"]);
    assert!(!desk.blob("config.json").exists());

    // A blob that another program spoilt is fetched anew.
    let desk = Desk::new(model());
    let snapshot = desk.resolve("owner/model").unwrap();
    fs::write(desk.blob("model.safetensors"), "short").unwrap();
    fs::remove_file(snapshot.join("model.safetensors")).unwrap();
    desk.resolve("owner/model").unwrap();
    assert!(desk.is_as_served(&snapshot, "model.safetensors"));
}

#[test]
fn what_the_hub_refuses() {
    let page = "/owner/model";
    for (token, status, code, parts) in [
        (false, 401, "RepoNotFound", &["no folder owner/model", "check the spelling", "HF_TOKEN"][..]),
        (true, 401, "", &["does not accept your token", "/settings/tokens"]),
        (false, 401, "GatedRepo", &["gated", "accept its conditions", page, "HF_TOKEN"]),
        (true, 403, "GatedRepo", &["gated", "account of your token", page]),
        (true, 403, "", &["may not read owner/model"]),
        (false, 403, "", &["HF_TOKEN"]),
        (false, 404, "", &["no folder owner/model", "check the spelling"]),
        (true, 404, "RepoNotFound", &["no folder owner/model", "your token may see"]),
    ] {
        for path in ["/api/", "/resolve/"] {
            let mut desk = Desk::new(model());
            desk.hub.token = token.then(|| "hf_x".into());
            desk.server.plan(path, 100, Fault::Status(status, code));
            refused(desk.resolve("owner/model"), parts);
            assert_eq!(desk.server.asked().0.iter().filter(|request| request.path.contains(path)).count(), 1);
        }
    }
}

#[test]
fn what_passes_is_tried_again() {
    for status in [429, 500, 502, 503] {
        let desk = Desk::new(model());
        desk.server.plan("/api/", 2, Fault::Status(status, ""));
        desk.server.plan("/tokenizer.json", 2, Fault::Status(status, ""));
        // An address that has expired.
        desk.server.plan("signature", 2, Fault::Status(403, ""));
        desk.resolve("owner/model").unwrap();
    }
    let desk = Desk::new(model());
    desk.server.plan("/api/", 100, Fault::Status(500, ""));
    failed(desk.resolve("owner/model"), &["127.0.0.1 is in trouble (status 500)", "later"]);
    assert_eq!(desk.server.asked().0.len(), 5);
    desk.server.forget_plans();
    desk.server.plan("/api/", 100, Fault::Status(429, ""));
    failed(desk.resolve("owner/model"), &["asked too often", "HF_TOKEN"]);
}

#[test]
fn silence_and_patience() {
    let mut desk = Desk::new(model());
    desk.hub.timeout = Duration::from_millis(300);
    desk.server.plan("signature", 1, Fault::Stall(300_000));
    desk.server.plan("signature", 1, Fault::Slow(Duration::from_millis(100)));
    let snapshot = desk.resolve("owner/model").unwrap();
    assert!(desk.is_as_served(&snapshot, "model.safetensors"));

    let mut desk = Desk::new(model());
    desk.hub.timeout = Duration::from_millis(50);
    desk.server.plan("/api/", 100, Fault::Stall(1));
    let start = Instant::now();
    failed(desk.resolve("owner/model"), &["127.0.0.1 was silent", "start again"]);
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
}

#[test]
fn no_network() {
    let mut desk = Desk::new(model());
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    desk.hub.endpoint = format!("http://{free}");
    failed(desk.resolve("owner/model"), &["the connection to 127.0.0.1 failed", "check the network"]);
    desk.hub.endpoint = "http://no-such-host.invalid".into();
    failed(desk.resolve("owner/model"), &["no-such-host.invalid", "check the network"]);
    desk.hub.endpoint = "huggingface.co".into();
    refused(desk.resolve("owner/model"), &["HF_ENDPOINT", "\"huggingface.co\""]);
}

#[test]
fn a_server_that_is_no_hub() {
    let desk = Desk::new(model());
    desk.server.plan("/api/", 1, Fault::Cut(0));
    desk.server.plan("/api/", 1, Fault::Flip);
    failed(desk.resolve("owner/model"), &["does not answer as a hub does", "HF_ENDPOINT"]);
    for location in ["", "ftp://x/y", "file:///etc/passwd", "/api/models/owner/model/revision/main"] {
        let desk = Desk::new(model());
        desk.server.plan("/api/", 100, Fault::Redirect(location));
        failed(desk.resolve("owner/model"), &["no usable web address", "HF_ENDPOINT"]);
    }
}

#[test]
fn a_model_that_was_renamed() {
    let desk = Desk::new(model());
    desk.server.plan("/revision/main", 1, Fault::Redirect("/api/models/owner/model/revision/main?blobs=true&moved=1"));
    desk.resolve("owner/model").unwrap();
}

#[test]
fn a_mirror_that_lists_names_only() {
    let desk = Desk::at(HubServer::with_names_only(model()));
    let snapshot = desk.resolve("owner/model").unwrap();
    for name in ["config.json", "model.safetensors"] {
        assert!(desk.is_as_served(&snapshot, name), "{name}");
        assert_eq!(fs::canonicalize(snapshot.join(name)).unwrap(), fs::canonicalize(desk.blob(name)).unwrap());
    }
    let (hub, store) = desk.server.asked();
    assert_eq!(hub.iter().filter(|request| request.method == "HEAD").count(), 4);
    assert_eq!(store.len(), 1);
}

#[test]
fn two_programs_at_once() {
    let desk = Desk::new(model());
    let locks = desk.hub.cache.join(".locks/models--owner--model");
    fs::create_dir_all(&locks).unwrap();
    let etag = desk.server.file("model.safetensors").etag();
    let other = fs::File::create(locks.join(format!("{etag}.lock"))).unwrap();
    other.lock().unwrap();
    let mut waited = 0;
    let snapshot = desk.hub.resolve(Path::new("owner/model"), &mut |what, _| {
        if what.contains("waiting for another program") {
            waited += 1;
            // The other program is done.
            fs::write(desk.blob("model.safetensors"), &desk.server.file("model.safetensors").bytes).unwrap();
            other.unlock().unwrap();
        }
    });
    assert!(desk.is_as_served(&snapshot.unwrap(), "model.safetensors"));
    assert_eq!(waited, 1);
    assert!(desk.server.asked().1.is_empty());
}

#[test]
fn a_disk_that_cannot_take_it() {
    let mut desk = Desk::new(model());
    let file = desk.folder.path().join("file");
    fs::write(&file, "").unwrap();
    desk.hub.cache = file;
    failed(desk.resolve("owner/model"), &["cannot write", "HF_HUB_CACHE"]);
}
