//! Files that are packed as a whole.

use std::io::Read;
use std::path::Path;

use flate2::read::MultiGzDecoder;

use super::quote::{one_line, place};
use crate::error::{Error, Result};

/// The most bytes that a file is unpacked to: what is packed may be a thousand times as large, by mistake or by malice.
const MOST: u64 = 16 << 30;

/// How a file is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packing {
    /// `.gz`
    Gzip,
    /// `.zst`
    Zstd,
}

/// Extensions of packed files.
pub(super) const PACKINGS: [(&str, Packing); 2] = [("gz", Packing::Gzip), ("zst", Packing::Zstd)];

impl Packing {
    /// Unpacks a file of which these are the bytes.
    ///
    /// # Errors
    /// Refuses what is damaged or not packed so, and what is too large unpacked.
    pub fn unpack(self, path: &Path, bytes: &[u8]) -> Result<Vec<u8>> {
        self.unpack_within(path, bytes, MOST)
    }

    fn unpack_within(self, path: &Path, bytes: &[u8], most: u64) -> Result<Vec<u8>> {
        let kind = match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        };
        let damaged = |error: std::io::Error| {
            let why = one_line(&error.to_string());
            Error::refused(format!("{} cannot be unpacked as {kind} ({why}); pack the file again", place(path)))
        };
        let mut unpacked = Vec::new();
        match self {
            Self::Gzip => MultiGzDecoder::new(bytes).take(most + 1).read_to_end(&mut unpacked).map_err(damaged)?,
            Self::Zstd => {
                let decoder = zstd::stream::read::Decoder::with_buffer(bytes).map_err(damaged)?;
                decoder.take(most + 1).read_to_end(&mut unpacked).map_err(damaged)?
            }
        };
        if unpacked.len() as u64 > most {
            let most = most >> 30;
            return Err(Error::refused(format!(
                "{} is larger than {most} GiB when it is unpacked; unpack it, and take a part of it",
                place(path)
            )));
        }
        Ok(unpacked)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn several_parts_are_one_file() {
        let twice = [gzip(b"one\n"), gzip(b"two\n")].concat();
        assert_eq!(Packing::Gzip.unpack(Path::new("a.csv.gz"), &twice).unwrap(), b"one\ntwo\n");
        let twice = [&b"one\n"[..], b"two\n"].map(|part| zstd::encode_all(part, 3).unwrap()).concat();
        assert_eq!(Packing::Zstd.unpack(Path::new("a.csv.zst"), &twice).unwrap(), b"one\ntwo\n");
    }

    #[test]
    fn what_is_damaged_or_endless_is_refused() {
        let (path, large) = (Path::new("a.csv.gz"), vec![b'x'; 1 << 20]);
        let packed = gzip(&large);
        for bytes in [&packed[..packed.len() / 2], b"text,label\n", b""] {
            for packing in [Packing::Gzip, Packing::Zstd] {
                let error = packing.unpack(path, bytes).map(|bytes| bytes.len());
                let empty = bytes.is_empty() && packing == Packing::Zstd;
                assert!(empty || error.unwrap_err().message().contains("a.csv.gz cannot be unpacked as"));
            }
        }
        let error = Packing::Gzip.unpack_within(path, &packed, 1 << 19).unwrap_err();
        assert!(error.message().contains("larger than"), "{error}");
    }
}
