//! What goes into a model.

use tch::{Device, Tensor};

/// Right-padded rows.
#[derive(Debug)]
pub struct Batch {
    /// Token ids, `[rows, width]`, `i64`.
    pub ids: Tensor,
    /// Tokens of each row; what lies behind them is padding, whatever its id.
    pub lengths: Vec<usize>,
    /// Token types, as `ids`; none where all are 0.
    pub token_types: Option<Tensor>,
}

impl Batch {
    /// From right-padded ids, row by row, and the length of each row.
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

    /// Place of each row's last token among all positions, `[rows]`.
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
