//! The sampled product on an NVIDIA device by a custom kernel; `device.cu` describes the algorithm.

use std::ffi::CStr;

use tch::{Device, Kind, Tensor};

use super::Product;
use spartui_cuda::{self as cuda, Argument, Launch, Program, Properties};

static PROGRAM: Program = Program::new(include_str!("device.cu"));

/// Threads of a block, and scalars of each thread; the same as in `device.cu`.
const THREADS: u32 = 512;
const ITEMS: i64 = 16;
/// Mean number of scalars of a block's rows: a little below the number that its threads compute in one pass.
const SCALARS: i64 = THREADS as i64 * ITEMS * 15 / 16;
/// Bytes of a unit of a column.
const UNIT: i64 = 16;
/// Most columns of a weight: a column index has 16 bits, and one value means none.
const MOST_COLUMNS: i64 = u16::MAX as i64 - 1;
/// Most rows of a block: with more, two units of each column would seldom fit into shared memory.
const MOST_ROWS: i64 = 4096;
/// Most scalars in the partial sums of all groups of tokens.
const MOST_SUMS: i64 = 1 << 24;

/// Compiles the kernel for a device, which takes a moment, once.
///
/// # Errors
/// One sentence why it cannot be.
pub fn prepare(device: usize) -> Result<(), String> {
    PROGRAM.prepare(device)
}

/// Density above which the dense product and a gather are faster, measured on an H100 at 4096 tokens and four shapes:
/// in half precision the tensor cores compute all scalars in the time that the kernel takes for a few in a thousand.
pub fn dense_above(kind: Kind) -> f64 {
    if kind == Kind::Float { 0.03 } else { 0.003 }
}

/// Whether the kernel can compute a product.
pub fn can(product: &Product<'_>) -> bool {
    let Device::Cuda(device) = product.input.device() else { return false };
    let kind = product.input.kind();
    kernels(kind).is_some()
        && product.output_gradient.kind() == kind
        && product.width() <= MOST_COLUMNS
        && PROGRAM.prepare(device).is_ok()
}

/// The gradients of a product, one tensor for each cohort; none if a launch fails.
#[must_use]
pub fn sampled(product: &Product<'_>) -> Option<Vec<Tensor>> {
    let Device::Cuda(device) = product.input.device() else { return None };
    let properties = cuda::properties(device).ok()?;
    let kernels = kernels(product.input.kind())?;
    let rows = |tensor: &Tensor, width: i64| tensor.reshape([-1, width]).contiguous();
    let (width, height) = (product.width(), product.height());
    let (x, dy) = (rows(product.input, width), rows(product.output_gradient, height));
    let cohorts = product.indices.iter().map(|indices| {
        let count = indices.numel().cast_signed() as i64;
        let size = Size { count, tokens: x.size()[0], width, height };
        let zeros = || Tensor::zeros([count], (Kind::Float, x.device()));
        if count == 0 || size.tokens == 0 {
            return Ok(zeros());
        }
        launch(kernels, device, [&x, &dy, indices], size, &size.cut(&properties, x.kind()))
    });
    cohorts.collect::<Result<_, String>>().ok()
}

/// The kernels of a dtype: with one unit of a column at a time, and with two.
fn kernels(kind: Kind) -> Option<[&'static CStr; 2]> {
    match kind {
        Kind::Float => Some([c"float32_1", c"float32_2"]),
        Kind::BFloat16 => Some([c"bfloat16_1", c"bfloat16_2"]),
        Kind::Half => Some([c"float16_1", c"float16_2"]),
        _ => None,
    }
}

/// The size of a product: `count` scalars of a weight of shape `[height, width]`.
#[derive(Clone, Copy)]
struct Size {
    count: i64,
    tokens: i64,
    width: i64,
    height: i64,
}

/// The division of a product into blocks.
#[derive(Debug, PartialEq, Eq)]
struct Cut {
    /// Rows of the weight of each block.
    rows: i64,
    /// Columns that a block holds in shared memory at a time, and units of each column.
    columns: i64,
    units: i64,
    /// Tokens of each block, and the number of groups of tokens.
    group: i64,
    groups: i64,
}

impl Size {
    /// Chooses the division so that two blocks fit a multiprocessor, and all multiprocessors have work.
    fn cut(self, properties: &Properties, kind: Kind) -> Cut {
        let even = |number: i64| number + number % 2;
        let room = (i64::from(properties.shared_memory) / 2 - 1024) / UNIT;
        let rows = even((SCALARS * self.height / self.count).clamp(16, MOST_ROWS).min(self.height)).min(room / 4 * 2);
        let width = even(self.width);
        let units = if 2 * (width + rows) <= room { 2 } else { 1 };
        let columns = width.min((room / units - rows) / 2 * 2);
        let slab = units * UNIT / kind.elt_size_in_bytes().cast_signed() as i64;
        let blocks = 2 * i64::from(properties.multiprocessors);
        let wanted = blocks / divided(self.height, rows);
        let most = (self.tokens / (2 * slab)).min(MOST_SUMS / self.count);
        let group = divided(divided(self.tokens, wanted.min(most).max(1)), slab) * slab;
        Cut { rows, columns, units, group, groups: divided(self.tokens, group) }
    }
}

/// Quotient, rounded up.
fn divided(number: i64, by: i64) -> i64 {
    (number + by - 1) / by
}

fn launch(
    [one, two]: [&CStr; 2],
    device: usize,
    [x, dy, indices]: [&Tensor; 3],
    size: Size,
    cut: &Cut,
) -> Result<Tensor, String> {
    let room = |number: i64| Tensor::empty([number], (Kind::Float, x.device()));
    let wide = |number: i64| Argument::from(number.cast_unsigned());
    let narrow = |number: i64| u32::try_from(number).map_err(|error| error.to_string());
    let indices = indices.contiguous();
    let sums = room(cut.groups * size.count);
    let mut arguments = [x, dy, &indices, &sums].map(Argument::from).to_vec();
    arguments.extend([size.count, size.tokens, size.width, size.height].map(wide));
    for number in [cut.group, cut.rows, cut.columns] {
        arguments.push(narrow(number)?.into());
    }
    let grid = [narrow(divided(size.height, cut.rows))?, narrow(cut.groups)?];
    let shared = narrow(UNIT * cut.units * (cut.columns + cut.rows))?;
    let sampling = Launch { grid, block: THREADS, shared };
    let kernel = if cut.units == 1 { one } else { two };
    // SAFETY: the arguments are those of the kernel. Both operands are contiguous with these sizes, the sums have room
    // for each group's, and indices of a selection lie in the weight.
    #[allow(unsafe_code)]
    unsafe {
        PROGRAM.launch(kernel, device, sampling, &arguments)?;
    }
    if cut.groups == 1 {
        return Ok(sums);
    }
    let gradient = room(size.count);
    let arguments = [Argument::from(&sums), Argument::from(&gradient), wide(size.count), wide(cut.groups)];
    let adding = Launch { grid: [narrow(divided(size.count, THREADS.into()))?, 1], block: THREADS, shared: 0 };
    // SAFETY: as above; a thread for each scalar, and the rest of the last block does nothing.
    #[allow(unsafe_code)]
    unsafe {
        PROGRAM.launch(c"add_groups", device, adding, &arguments)?;
    }
    Ok(gradient)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOPPER: Properties = Properties { capability: (9, 0), multiprocessors: 132, shared_memory: 232_448 };

    proptest! {
        #[test]
        fn every_cut_covers_all_and_fits_the_device(
            tokens in 1_i64..20_000, width in 1_i64..=MOST_COLUMNS, height in 1_i64..100_000, share in 1e-6..=1.0_f64,
            narrow: bool,
        ) {
            #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "small")]
            let count = f64::ceil((width * height) as f64 * share) as i64;
            let size = Size { count, tokens, width, height };
            let Cut { rows, columns, units, group, groups } = size.cut(&HOPPER, if narrow { Kind::BFloat16 } else { Kind::Float });
            prop_assert!((1..=MOST_ROWS).contains(&rows) && rows % 2 == 0);
            prop_assert!(columns >= 1 && columns % 2 == 0 && units >= 1);
            prop_assert!(UNIT * units * (columns + rows) <= i64::from(HOPPER.shared_memory) / 2);
            prop_assert!(group * groups >= tokens && group * (groups - 1) < tokens);
            prop_assert!(groups == 1 || groups * count <= MOST_SUMS);
            prop_assert!(groups < 65_536);
        }
    }
}
