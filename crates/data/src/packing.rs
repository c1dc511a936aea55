//! Compressed files.

use std::io::{ErrorKind, Read};
use std::path::Path;

use flate2::bufread::GzDecoder;

use spartui_facts::error::{Error, Result};
use spartui_facts::quote::{one_line, place};

/// The largest decompressed size in bytes: a compressed file may expand a thousandfold, by mistake or by malice.
const MOST: u64 = 16 << 30;

/// The compression of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packing {
    /// `.gz`
    Gzip,
    /// `.zst`
    Zstd,
}

/// File name extensions of compressed files.
pub(super) const PACKINGS: [(&str, Packing); 2] = [("gz", Packing::Gzip), ("zst", Packing::Zstd)];

impl Packing {
    /// Decompresses a file with these bytes.
    ///
    /// # Errors
    /// Refuses a damaged file, another format, and one that is too large.
    pub fn unpack(self, path: &Path, bytes: &[u8]) -> Result<Vec<u8>> {
        self.unpack_within(path, bytes, MOST)
    }

    fn unpack_within(self, path: &Path, bytes: &[u8], most: u64) -> Result<Vec<u8>> {
        let kind = match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        };
        let damaged = |error: std::io::Error| {
            let why = match error.kind() {
                _ if bytes.is_empty() => "it is empty".to_owned(),
                _ if !self.begins(bytes) => "it is not packed so".to_owned(),
                ErrorKind::UnexpectedEof => "it ends too early, as a file does that was cut off".to_owned(),
                _ => one_line(&error.to_string()),
            };
            Error::refused(format!("{} cannot be unpacked as {kind} ({why}); pack the file again", place(path)))
        };
        let mut unpacked = Vec::new();
        let mut rest = bytes;
        while unpacked.len() as u64 <= most && !self.is_end(rest, bytes) {
            if rest.len() < bytes.len() && !self.begins(rest) {
                return Err(Error::refused(format!(
                    "{} holds something that is not {kind} behind its first {} bytes; remove it, or pack the file again",
                    place(path),
                    bytes.len() - rest.len()
                )));
            }
            let room = most + 1 - unpacked.len() as u64;
            rest = self.unpack_part(rest, room, &mut unpacked).map_err(damaged)?;
        }
        if unpacked.len() as u64 > most {
            let most = most >> 30;
            return Err(Error::refused(format!(
                "{} is larger than {most} GiB when it is unpacked; unpack it, and take a part of it",
                place(path)
            )));
        }
        Ok(unpacked)
    }

    /// Decompresses the first of the file's members; returns the rest of the bytes.
    fn unpack_part<'a>(self, bytes: &'a [u8], most: u64, unpacked: &mut Vec<u8>) -> std::io::Result<&'a [u8]> {
        match self {
            Self::Gzip => {
                let mut decoder = GzDecoder::new(bytes);
                decoder.by_ref().take(most).read_to_end(unpacked)?;
                Ok(decoder.into_inner())
            }
            Self::Zstd => {
                let mut decoder = zstd::stream::read::Decoder::with_buffer(bytes)?.single_frame();
                decoder.by_ref().take(most).read_to_end(unpacked)?;
                Ok(decoder.finish())
            }
        }
    }

    /// Whether bytes begin as a member does.
    fn begins(self, bytes: &[u8]) -> bool {
        match (self, bytes) {
            (Self::Gzip, bytes) => bytes.starts_with(b"\x1f\x8b"),
            // A frame, or a skippable frame.
            (Self::Zstd, [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..]) => true,
            (Self::Zstd, _) => false,
        }
    }

    /// Whether nothing follows the decompressed members: for gzip, zero padding, as on tapes, is ignored.
    fn is_end(self, rest: &[u8], all: &[u8]) -> bool {
        match self {
            Self::Gzip => rest.len() < all.len() && rest.iter().all(|&byte| byte == 0),
            Self::Zstd => rest.is_empty(),
        }
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
    fn what_is_wrong_is_named() {
        let packed = gzip(&[b'x'; 1 << 12]);
        let frame = zstd::encode_all(&[b'x'; 1 << 12][..], 3).unwrap();
        let why = |packing: Packing, bytes: &[u8]| {
            packing.unpack(Path::new("a.csv.gz"), bytes).unwrap_err().message().to_owned()
        };
        for (packing, packed) in [(Packing::Gzip, &packed), (Packing::Zstd, &frame)] {
            let junk = why(packing, &[packed, &b"text,label\n"[..]].concat());
            assert!(junk.contains(&format!("behind its first {} bytes", packed.len())), "{junk}");
            for length in [packed.len() / 2, packed.len() - 1] {
                let cut = why(packing, &packed[..length]);
                assert!(cut.contains("it ends too early, as a file does that was cut off"), "{cut}");
            }
            let cut = why(packing, &[packed, &packed[..packed.len() - 3]].concat());
            assert!(cut.contains("cut off"), "{cut}");
            assert!(why(packing, b"text,label\n").contains("it is not packed so"));
        }
        let padded = [&packed[..], &[0; 512]].concat();
        assert_eq!(Packing::Gzip.unpack(Path::new("a.csv.gz"), &padded).unwrap().len(), 1 << 12);
        let skipped = [b"\x50\x2a\x4d\x18\x03\0\0\0abc", &frame[..]].concat();
        assert_eq!(Packing::Zstd.unpack(Path::new("a.csv.zst"), &skipped).unwrap().len(), 1 << 12);
    }

    #[test]
    fn damaged_or_huge_files_are_refused() {
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
