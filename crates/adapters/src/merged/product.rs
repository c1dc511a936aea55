//! Changes to whole parameters: adding low-rank products, and replacing values.

use safetensors::Dtype;

use super::values::{read, write};
use spartui_method::{Dense, Factors};

/// A change to a parameter of the model.
#[derive(Debug)]
pub enum Change {
    /// Adds a low-rank product.
    Product(Product),
    /// Replaces the values; the tensor has the parameter's name and shape.
    Values(Dense),
}

impl Change {
    /// Name of the parameter.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Product(product) => &product.name,
            Self::Values(values) => &values.name,
        }
    }

    /// Whether the change fits a parameter of this shape.
    pub(super) fn fits(&self, shape: &[usize]) -> bool {
        match self {
            Self::Product(product) => shape == product.shape(),
            Self::Values(values) => {
                let own = values.shape.iter().map(|&extent| usize::try_from(extent).unwrap_or(usize::MAX));
                own.eq(shape.iter().copied()) && values.values.len() == shape.iter().product::<usize>()
            }
        }
    }

    /// Applies the change to a range of the parameter's bytes, which begins at scalar `first`.
    ///
    /// # Errors
    /// The index of a scalar that overflows its dtype.
    pub(super) fn apply(&self, bytes: &mut [u8], dtype: Dtype, first: usize) -> Result<(), usize> {
        match self {
            Self::Product(product) => product.add(bytes, dtype, first),
            Self::Values(values) => {
                let scalars = bytes.chunks_exact_mut(dtype.bitsize() / 8).zip(values.values.iter().skip(first));
                for (at, (scalar, value)) in (first..).zip(scalars) {
                    write(scalar, dtype, *value);
                    if !read(scalar, dtype).is_finite() {
                        return Err(at);
                    }
                }
                Ok(())
            }
        }
    }
}

/// A low-rank product to add to a weight, with an optional factor for each output.
#[derive(Debug)]
pub struct Product {
    /// Name of the weight.
    pub name: String,
    /// `[rows, rank]` and `[rank, columns]`, as the weight is stored.
    left: Vec<f32>,
    right: Vec<f32>,
    rank: usize,
    columns: usize,
    scale: f32,
    /// Factor of the sum of weight and product, for each output of the layer.
    by_output: Option<Vec<f32>>,
    transposed: bool,
}

impl Product {
    /// The product of a layer, whose weight may be stored transposed; `by_output` is the factor of the sum of weight
    /// and product for each output.
    #[must_use]
    pub fn new(name: &str, transposed: bool, factors: &Factors, by_output: Option<Vec<f32>>) -> Self {
        let rank = factors.rank.max(1);
        let (left, right) = if transposed {
            (turned(&factors.down, rank), turned(&factors.up, factors.up.len() / rank))
        } else {
            (factors.up.clone(), factors.down.clone())
        };
        #[expect(clippy::cast_possible_truncation, reason = "the sum is made in f32")]
        let scale = factors.scale as f32;
        Self { name: name.to_owned(), columns: right.len() / rank, left, right, rank, scale, by_output, transposed }
    }

    /// The weight's shape.
    fn shape(&self) -> [usize; 2] {
        [self.left.len() / self.rank, self.columns]
    }

    /// Adds the product to a range of the weight's bytes, which begins at scalar `first`.
    ///
    /// # Errors
    /// The index of a scalar that overflows its dtype.
    fn add(&self, bytes: &mut [u8], dtype: Dtype, first: usize) -> Result<(), usize> {
        let size = dtype.bitsize() / 8;
        let (mut at, end) = (first, first + bytes.len() / size);
        let mut sums = vec![0.0; self.columns];
        while at < end {
            let (row, from) = (at / self.columns, at % self.columns);
            let to = self.columns.min(from + end - at);
            let sums = &mut sums[from..to];
            sums.fill(0.0);
            for (of_rank, left) in self.left[row * self.rank..][..self.rank].iter().enumerate() {
                let right = &self.right[of_rank * self.columns..][from..to];
                sums.iter_mut().zip(right).for_each(|(sum, right)| *sum += left * right);
            }
            for (column, sum) in (from..to).zip(sums) {
                let scalar = &mut bytes[(at - first) * size..][..size];
                let original = read(scalar, dtype);
                let factor = self.by_output.as_ref().map_or(1.0, |all| all[if self.transposed { column } else { row }]);
                write(scalar, dtype, factor * (original + self.scale * *sum));
                if original.is_finite() && !read(scalar, dtype).is_finite() {
                    return Err(at);
                }
                at += 1;
            }
        }
        Ok(())
    }
}

/// Transposes a row-major matrix with this number of rows.
fn turned(values: &[f32], rows: usize) -> Vec<f32> {
    let columns = values.len() / rows.max(1);
    (0..values.len()).map(|at| values[at % rows * columns + at / rows]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn factors() -> Factors {
        // B A = [[1, 2, 3], [3, 6, 9]] with a rank of 2 whose second part adds [[0, 0, 1], [0, 0, 0]].
        Factors {
            rank: 2,
            down: vec![1.0, 2.0, 3.0, 0.0, 0.0, 1.0],
            up: vec![1.0, 1.0, 3.0, 0.0],
            magnitude: None,
            scale: 0.5,
        }
    }

    fn added(product: &Product, scalars: usize, part: usize) -> Vec<f32> {
        let mut bytes: Vec<u8> = [1.0_f32].repeat(scalars).iter().flat_map(|one| one.to_le_bytes()).collect();
        for (number, bytes) in bytes.chunks_mut(part * 4).enumerate() {
            product.add(bytes, Dtype::F32, number * part).unwrap();
        }
        bytes.as_chunks().0.iter().map(|&scalar| f32::from_le_bytes(scalar)).collect()
    }

    #[test]
    fn other_values_take_the_place_of_the_stored_ones_wherever_the_bytes_begin() {
        let change =
            Change::Values(Dense { name: "w".into(), shape: vec![2, 3], values: vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0] });
        assert!(change.fits(&[2, 3]) && !change.fits(&[3, 2]) && !change.fits(&[6]));
        let mut bytes = [0_u8; 6 * 2];
        for (number, bytes) in bytes.chunks_mut(4).enumerate() {
            change.apply(bytes, Dtype::BF16, number * 2).unwrap();
        }
        let values = bytes.chunks(2).map(|scalar| read(scalar, Dtype::BF16));
        assert_eq!(values.collect::<Vec<_>>(), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        let large = Change::Values(Dense { name: "w".into(), shape: vec![2], values: vec![1.0, 1e6] });
        assert_eq!(large.apply(&mut [0; 4], Dtype::F16, 0), Err(1));
    }

    #[test]
    fn a_product_is_added_wherever_the_bytes_begin_and_either_way_round() {
        for part in 1..=6 {
            let plain = Product::new("w", false, &factors(), Some(vec![1.0, 2.0]));
            assert_eq!(plain.shape(), [2, 3]);
            assert_eq!(added(&plain, 6, part), [1.5, 2.0, 3.0, 5.0, 8.0, 11.0]);
            let turned = Product::new("w", true, &factors(), Some(vec![1.0, 2.0]));
            assert_eq!(turned.shape(), [3, 2]);
            assert_eq!(added(&turned, 6, part), [1.5, 5.0, 2.0, 8.0, 3.0, 11.0]);
        }
    }
}
