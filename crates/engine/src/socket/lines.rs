//! Reads lines from an untrusted peer.

use std::io::{self, BufRead, BufReader, Read};

/// Reads lines up to a maximum length, holding at most one line and a buffer in memory.
#[derive(Debug)]
pub struct Lines<R> {
    from: BufReader<R>,
    line: Vec<u8>,
    longest: u64,
}

impl<R: Read> Lines<R> {
    /// A reader of lines; `longest` is in bytes without the line end.
    pub fn new(from: R, longest: u64) -> Self {
        Self { from: BufReader::with_capacity(1 << 16, from), line: Vec::new(), longest }
    }

    /// The next line without its end. A last line without an end was cut off, and is ignored.
    ///
    /// # Errors
    /// If the reader fails, or a line is too long: then nothing more can be read.
    pub fn next(&mut self) -> io::Result<Option<&[u8]>> {
        self.line.clear();
        let most = self.longest.saturating_add(1);
        Read::by_ref(&mut self.from).take(most).read_until(b'\n', &mut self.line)?;
        if self.line.pop_if(|last| *last == b'\n').is_some() {
            return Ok(Some(&self.line));
        }
        if self.line.len() as u64 > self.longest {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a line is too long"));
        }
        Ok(None)
    }

    /// The reader.
    pub fn inner(&self) -> &R {
        self.from.get_ref()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Returns the bytes in pieces of these sizes, cyclic.
    struct Pieces<'a>(&'a [u8], std::iter::Cycle<std::slice::Iter<'a, usize>>);

    impl Read for Pieces<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let count = self.1.next().map_or(1, |size| *size).min(self.0.len()).min(buffer.len());
            let (now, later) = self.0.split_at(count);
            buffer[..count].copy_from_slice(now);
            self.0 = later;
            Ok(count)
        }
    }

    fn all(bytes: &[u8], sizes: &[usize], longest: u64) -> (Vec<Vec<u8>>, bool) {
        let mut lines = Lines::new(Pieces(bytes, sizes.iter().cycle()), longest);
        let mut read = Vec::new();
        loop {
            match lines.next() {
                Ok(Some(line)) => read.push(line.to_vec()),
                Ok(None) => return (read, false),
                Err(_) => return (read, true),
            }
        }
    }

    #[test]
    fn a_cut_off_line_is_ignored_and_a_long_one_is_an_error() {
        assert_eq!(all(b"ab\n\ncd", &[3], 2), (vec![b"ab".to_vec(), Vec::new()], false));
        assert_eq!(all(b"ab\nabc\nd\n", &[3], 2), (vec![b"ab".to_vec()], true));
        assert_eq!(all(&[b'x'; 1000], &[100], 10), (Vec::new(), true));
    }

    proptest! {
        #[test]
        fn pieces_of_any_size_give_the_same_lines(
            bytes in prop::collection::vec(prop_oneof![4 => any::<u8>(), 1 => Just(b'\n')], 0..400),
            sizes in prop::collection::vec(1usize..50, 1..20),
            longest in 0u64..60,
        ) {
            let (read, failed) = all(&bytes, &sizes, longest);
            let whole = bytes.split_inclusive(|byte| *byte == b'\n');
            let fits = |line: &&[u8]| line.strip_suffix(b"\n").is_some_and(|line| line.len() as u64 <= longest);
            let expected: Vec<Vec<u8>> = whole.clone().take_while(fits).map(|line| line[..line.len() - 1].to_vec()).collect();
            let next = whole.clone().nth(expected.len());
            prop_assert_eq!(failed, next.is_some_and(|line| line.strip_suffix(b"\n").unwrap_or(line).len() as u64 > longest));
            prop_assert_eq!(read, expected);
        }
    }
}
