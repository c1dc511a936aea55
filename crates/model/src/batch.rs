//! The input of a model: a batch of token ids.

use tch::{Device, Tensor};

/// A batch of right-padded rows.
#[derive(Debug)]
pub struct Batch {
    /// Token ids, `[rows, width]`, `i64`.
    pub ids: Tensor,
    /// Number of tokens of each row; positions past it are padding, whatever their ids.
    pub lengths: Vec<usize>,
    /// Token types, `[rows, width]`, `i64`; none where all are 0.
    pub token_types: Option<Tensor>,
}

impl Batch {
    /// A batch from right-padded ids, row by row, and the length of each row.
    #[must_use]
    pub fn new(ids: &[i64], lengths: &[usize], device: Device) -> Self {
        Self { ids: rectangle(ids, lengths.len(), device), lengths: lengths.to_vec(), token_types: None }
    }

    /// The same rows with these token types, row by row as the ids; none where all are 0.
    #[must_use]
    pub fn with_token_types(self, types: &[i64]) -> Self {
        let device = self.ids.device();
        let types = types.iter().any(|&kind| kind != 0).then(|| rectangle(types, self.lengths.len(), device));
        Self { token_types: types, ..self }
    }

    /// Positions of a row, padding included.
    #[must_use]
    pub fn width(&self) -> i64 {
        self.ids.size()[1]
    }

    /// Whether a position is a token, `[rows, 1, 1, width]`, boolean; none where no row is padded.
    pub(super) fn mask(&self) -> Option<Tensor> {
        let width = usize::try_from(self.width()).unwrap_or(0);
        self.lengths.iter().any(|&length| length < width).then(|| {
            let lengths: Vec<i64> = self.lengths.iter().map(|&length| length.cast_signed() as i64).collect();
            let lengths = Tensor::from_slice(&lengths).view([-1, 1, 1, 1]).to_device(self.ids.device());
            Tensor::arange(self.width(), (tch::Kind::Int64, self.ids.device())).less_tensor(&lengths)
        })
    }

    /// The position in each row at which a classifier on a decoder reads, `[rows]`: the last token that is not
    /// `padding`, as in transformers, or the first token where all are; the last token where no padding token is known.
    pub(super) fn read_at(&self, padding: Option<i64>) -> Tensor {
        let lengths: Vec<i64> = self.lengths.iter().map(|&length| length.cast_signed() as i64).collect();
        let lengths = Tensor::from_slice(&lengths).to_device(self.ids.device());
        let Some(padding) = padding else { return (lengths - 1).clamp_min(0) };
        let positions = Tensor::arange(self.width(), (tch::Kind::Int64, self.ids.device()));
        let counts = self.ids.ne(padding).logical_and(&positions.less_tensor(&lengths.unsqueeze(1)));
        (counts.to_kind(tch::Kind::Int64) * positions).amax([1], false)
    }

    /// Index of each row's last token among all positions of the batch, `[rows]`.
    pub(super) fn last_tokens(&self) -> Tensor {
        let width = self.width();
        let last = self
            .lengths
            .iter()
            .enumerate()
            .map(|(row, &length)| row.cast_signed() as i64 * width + length.saturating_sub(1).cast_signed() as i64);
        Tensor::from_slice(&last.collect::<Vec<i64>>()).to_device(self.ids.device())
    }
}

fn rectangle(values: &[i64], rows: usize, device: Device) -> Tensor {
    let width = values.len() / rows.max(1);
    Tensor::from_slice(values).view([rows.cast_signed() as i64, width.cast_signed() as i64]).to_device(device)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_classifier_reads_the_last_token_that_is_no_padding() {
        let ids = [5, 6, 0, 9, 5, 0, 7, 0, 0, 0, 9, 9, 3, 9, 9, 9];
        let batch = Batch::new(&ids, &[3, 3, 2, 1], Device::Cpu);
        let read = |padding| Vec::<i64>::try_from(batch.read_at(padding)).unwrap();
        assert_eq!(read(None), [2, 2, 1, 0]);
        // Padding tokens are skipped at the end of a row, not inside it; a row of padding alone is read at its first
        // token.
        assert_eq!(read(Some(0)), [1, 2, 0, 0]);
        // Positions past a row's length are padding whatever their ids.
        assert_eq!(read(Some(7)), [2, 1, 1, 0]);
        assert_eq!(read(Some(-1)), [2, 2, 1, 0]);
    }
}
