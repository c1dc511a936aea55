//! Streaming reads and writes of safetensors files: a model need not fit into memory.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};
use serde_json::{Map, Value, json};

use spartui_facts::error::{Error, Result};
use spartui_run::files::{failed, open_regular};

/// Largest header in bytes, as in the safetensors library.
const HEADER_LIMIT: u64 = 100_000_000;
/// Bytes of the header's length, which precedes it.
const PREFIX: usize = 8;
const BUFFER: usize = 1 << 20;

/// An open safetensors file with its parsed header.
#[derive(Debug)]
pub(crate) struct Shard {
    pub path: PathBuf,
    /// The header's `__metadata__`.
    pub metadata: HashMap<String, String>,
    /// In the order of the file.
    pub tensors: Vec<(String, TensorInfo)>,
    file: File,
    data: u64,
}

impl Shard {
    /// Opens a file and checks that its header fits it.
    pub fn open(path: &Path) -> io::Result<Self> {
        let mut file = open_regular(path)?;
        let size = file.metadata()?.len();
        let mut length = [0; PREFIX];
        file.read_exact(&mut length)?;
        let length = u64::from_le_bytes(length);
        let data = length.saturating_add(PREFIX as u64);
        if length > HEADER_LIMIT || data > size {
            return Err(broken("its header does not fit into it"));
        }
        let mut header = Vec::new();
        (&mut file).take(length).read_to_end(&mut header)?;
        let header: Metadata = serde_json::from_slice(&header).map_err(|error| broken(&error.to_string()))?;
        if data + header.data_len() as u64 != size {
            return Err(broken("it is cut short, or longer than its header says"));
        }
        let tensors = header
            .offset_keys()
            .into_iter()
            .filter_map(|name| header.info(&name).cloned().map(|info| (name, info)))
            .collect();
        let metadata = header.metadata().clone().unwrap_or_default();
        Ok(Self { path: path.to_owned(), metadata, tensors, file, data })
    }

    /// Offset of a tensor's bytes in the file, and their length.
    pub fn range(&self, info: &TensorInfo) -> (u64, usize) {
        let (start, end) = info.data_offsets;
        (self.data + start as u64, end - start)
    }

    /// Fills the buffer from this offset on.
    pub fn read_at(&self, place: u64, buffer: &mut [u8]) -> io::Result<()> {
        let mut file = &self.file;
        file.seek(SeekFrom::Start(place))?;
        file.read_exact(buffer)
    }
}

fn broken(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("it is no safetensors file ({why})"))
}

/// Name, dtype and shape of a tensor to write.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Outline {
    pub name: String,
    pub dtype: Dtype,
    pub shape: Vec<usize>,
}

impl Outline {
    /// Number of scalars.
    pub fn scalars(&self) -> usize {
        self.shape.iter().product()
    }

    /// Bytes of all scalars.
    pub fn bytes(&self) -> usize {
        self.scalars() * self.dtype.bitsize() / 8
    }
}

/// Sort key with which each tensor begins at a multiple of its elements' size, as in the safetensors library.
pub(crate) fn alignment(outline: &Outline) -> Reverse<Dtype> {
    Reverse(outline.dtype)
}

/// Writes a file with these tensors in this order and syncs it to the disk. `fill` writes the bytes of the tensor with
/// the given position.
pub(crate) fn write_shard(
    path: &Path,
    metadata: &BTreeMap<String, String>,
    tensors: &[Outline],
    mut fill: impl FnMut(usize, &mut dyn Write) -> Result<()>,
) -> Result<()> {
    let failed = failed("write", path);
    let header = header(metadata, tensors);
    let mut written =
        Counted { inner: BufWriter::with_capacity(BUFFER, File::create(path).map_err(&failed)?), bytes: 0 };
    let start = |to: &mut dyn Write| {
        to.write_all(&(header.len() as u64).to_le_bytes())?;
        to.write_all(&header)
    };
    start(&mut written).map_err(&failed)?;
    for (number, tensor) in tensors.iter().enumerate() {
        let before = written.bytes;
        fill(number, &mut written)?;
        if written.bytes - before != tensor.bytes() as u64 {
            return Err(Error::failed(format!(
                "{} bytes of {} came, not {}; please report this",
                written.bytes - before,
                tensor.name,
                tensor.bytes()
            )));
        }
    }
    let whole = written.inner.into_inner().map_err(|error| failed(error.into_error()))?;
    whole.sync_all().map_err(&failed)
}

fn header(metadata: &BTreeMap<String, String>, tensors: &[Outline]) -> Vec<u8> {
    let mut entries = Map::new();
    if !metadata.is_empty() {
        entries.insert("__metadata__".into(), json!(metadata));
    }
    let mut offset = 0;
    for tensor in tensors {
        let end = offset + tensor.bytes();
        let entry = json!({ "dtype": tensor.dtype, "shape": tensor.shape, "data_offsets": [offset, end] });
        entries.insert(tensor.name.clone(), entry);
        offset = end;
    }
    let mut bytes = Value::Object(entries).to_string().into_bytes();
    // The tensors begin at a multiple of the largest element's size.
    bytes.resize(bytes.len().next_multiple_of(PREFIX), b' ');
    bytes
}

struct Counted<W> {
    inner: W,
    bytes: u64,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
