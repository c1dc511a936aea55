use half::bf16;
use proptest::prelude::*;

#[cfg(target_arch = "x86_64")]
use super::kernel::{Avx2, Avx512, Avx512Bf16};
use super::kernel::{Kernel, Portable};
use super::sampled::compute;
use super::*;
use crate::threads;

type Implementation = fn(&[&Product<'_>], usize) -> Vec<Vec<Tensor>>;

/// All kernels that this processor can run, for a dtype.
fn implementations(kind: Kind) -> Vec<Implementation> {
    fn of<K: Kernel>(detect: fn() -> Option<K>, implementation: Implementation) -> Option<Implementation> {
        detect().map(|_| implementation)
    }
    let half = kind == Kind::BFloat16;
    let mut found: Vec<Option<Implementation>> = vec![Some(if half {
        |products, threads| compute(Portable::<bf16>::new(), products, threads)
    } else {
        |products, threads| compute(Portable::<f32>::new(), products, threads)
    })];
    #[cfg(target_arch = "x86_64")]
    if half {
        found.push(of(Avx2::<bf16>::detect, |products, threads| {
            compute(Avx2::<bf16>::detect().unwrap(), products, threads)
        }));
        found.push(of(Avx512Bf16::detect, |products, threads| {
            compute(Avx512Bf16::detect().unwrap(), products, threads)
        }));
    } else {
        found.push(of(Avx2::<f32>::detect, |products, threads| {
            compute(Avx2::<f32>::detect().unwrap(), products, threads)
        }));
        found.push(of(Avx512::detect, |products, threads| compute(Avx512::detect().unwrap(), products, threads)));
    }
    found.into_iter().flatten().collect()
}

struct Case {
    inputs: Vec<Tensor>,
    output_gradients: Vec<Tensor>,
    /// For each product, the position of its input and the indices of its cohorts.
    products: Vec<(usize, Vec<Tensor>)>,
}

impl Case {
    /// Products of two inputs, the first of which is shared; cohorts of different densities, some empty.
    fn random(tokens: i64, widths: [i64; 2], heights: [i64; 3], share: f64, kind: Kind) -> Self {
        let randn = |width: i64| Tensor::randn([tokens, width], (Kind::Float, Device::Cpu)).to_kind(kind);
        let chosen = |width: i64, height: i64, share: f64| {
            Tensor::rand([width * height], (Kind::Float, Device::Cpu)).less(share).nonzero().view(-1)
        };
        let cohorts = |(at, height): (usize, i64)| {
            let input = usize::from(at == 2);
            (input, [share, 0.0, share * 0.1].map(|share| chosen(widths[input], height, share)).into())
        };
        Self {
            inputs: widths.map(randn).into(),
            output_gradients: heights.map(randn).into(),
            products: heights.into_iter().enumerate().map(cohorts).collect(),
        }
    }

    fn products(&self) -> Vec<Product<'_>> {
        let product = |at: usize| Product {
            input: &self.inputs[self.products[at].0],
            output_gradient: &self.output_gradients[at],
            indices: self.products[at].1.iter().collect(),
        };
        (0..self.products.len()).map(product).collect()
    }
}

fn exact(product: &Product<'_>, indices: &Tensor) -> Tensor {
    let rows = |tensor: &Tensor| tensor.reshape([-1, tensor.size().pop().unwrap()]).to_kind(Kind::Double);
    let dense = rows(product.output_gradient).transpose(0, 1).matmul(&rows(product.input));
    dense.reshape(-1).index_select(0, indices)
}

fn worst_error(products: &[Product<'_>], gradients: &[Vec<Tensor>]) -> f64 {
    assert_eq!(products.len(), gradients.len());
    let mut worst: f64 = 0.0;
    for (product, gradients) in products.iter().zip(gradients) {
        assert_eq!(product.indices.len(), gradients.len());
        for (indices, gradient) in product.indices.iter().zip(gradients) {
            let expected = exact(product, indices);
            assert_eq!((gradient.size(), gradient.kind()), (expected.size(), Kind::Float));
            if expected.numel() > 0 {
                worst = worst.max((gradient.to_kind(Kind::Double) - expected).abs().max().double_value(&[]));
            }
        }
    }
    worst
}

fn check_all_implementations(case: &Case, kind: Kind, bound: f64) -> Result<(), TestCaseError> {
    let products = case.products();
    let refs: Vec<_> = products.iter().collect();
    for compute in implementations(kind) {
        let alone = compute(&refs, 1);
        let worst = worst_error(&products, &alone);
        prop_assert!(worst < bound, "{worst}");
        for threads in [2, 3, 7] {
            prop_assert_eq!(&compute(&refs, threads), &alone);
        }
        for (product, gradients) in refs.iter().zip(&alone) {
            prop_assert_eq!(&compute(&[product], 2)[0], gradients);
        }
    }
    let dense = |product: &Product<'_>| dense_then_gather(product.input, product.output_gradient, &product.indices);
    let worst = worst_error(&products, &products.iter().map(dense).collect::<Vec<_>>());
    prop_assert!(worst < bound, "{worst}");
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn every_way_agrees_with_the_dense_product_in_float64(
        tokens in 1_i64..70, widths in [1_i64..40, 1_i64..80], heights in [1_i64..40, 1_i64..70, 1_i64..200],
        share in 0.0..1.0, half: bool,
    ) {
        let kind = if half { Kind::BFloat16 } else { Kind::Float };
        check_all_implementations(&Case::random(tokens, widths, heights, share, kind), kind, 1e-5 * f64::sqrt(70.0))?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]
    #[test]
    fn several_tiles_and_blocks_make_no_difference(
        tokens in 1_i64..1200, widths in [700_i64..1600, 1_i64..900], heights in [1_i64..300, 1_i64..100, 1_i64..300],
        share in prop::sample::select(vec![1e-4, 1e-3, 0.01, 0.2]), half: bool,
    ) {
        let kind = if half { Kind::BFloat16 } else { Kind::Float };
        check_all_implementations(&Case::random(tokens, widths, heights, share, kind), kind, 1e-5 * f64::sqrt(1200.0))?;
    }
}

fn every(scalars: i64, step: i64) -> Tensor {
    Tensor::arange_start_step(0, scalars, step, (Kind::Int64, Device::Cpu))
}

#[test]
fn cohorts_come_back_apart_and_the_dense_way_works_in_blocks() {
    let x = Tensor::randn([2, 5, 4096], (Kind::Float, Device::Cpu));
    let dy = Tensor::randn([2, 5, 2048], (Kind::Float, Device::Cpu));
    let cohorts = [every(4096 * 2048, 7919), every(4096 * 2048, 15)];
    let product = Product { input: &x, output_gradient: &dy, indices: cohorts.iter().collect() };
    let dense = dense_then_gather(&x, &dy, &product.indices);
    assert!(worst_error(std::slice::from_ref(&product), &[dense]) < 1e-4);
    let sampled = sampled(&x, &dy, cohorts.iter());
    assert!(worst_error(&[product], &[sampled]) < 1e-4);
}

#[test]
fn layouts_and_dtypes_are_brought_into_line() {
    let odd = |kind: Kind| Tensor::randn([9, 3, 50], (Kind::Float, Device::Cpu)).to_kind(kind).transpose(0, 1);
    let indices = every(2500, 7);
    let kinds = [Kind::Float, Kind::BFloat16, Kind::Half, Kind::Double];
    for (input, output_gradient) in kinds.iter().flat_map(|one| kinds.map(|other| (odd(*one), odd(other)))) {
        let products =
            [0, 1].map(|_| Product { input: &input, output_gradient: &output_gradient, indices: vec![&indices] });
        let gradients = sampled_together(&products);
        assert!(worst_error(&products, &gradients) < 1e-4);
    }
}

#[test]
fn a_single_scalar_and_none_at_all() {
    let (x, dy) = (Tensor::ones([3, 4], (Kind::Float, Device::Cpu)), Tensor::ones([3, 5], (Kind::Float, Device::Cpu)));
    let (last, none) = (Tensor::from_slice(&[19_i64]), Tensor::from_slice(&[0_i64; 0]));
    let gradients = sampled(&x, &dy, [&last, &none].into_iter());
    assert_eq!(gradients, [Tensor::from_slice(&[3_f32]), Tensor::from_slice(&[0_f32; 0])]);
    assert!(sampled_together(&[]).is_empty());
    let no_tokens = sampled(&x.narrow(0, 0, 0), &dy.narrow(0, 0, 0), [&last].into_iter());
    assert_eq!(no_tokens, [Tensor::from_slice(&[0_f32])]);
}

#[test]
fn values_that_are_not_finite_reach_only_their_own_scalars() {
    for kind in [Kind::Float, Kind::BFloat16] {
        let x = Tensor::ones([40, 33], (Kind::Float, Device::Cpu)).to_kind(kind);
        let _ = x.get(39).get(32).fill_(f64::NAN);
        let dy = Tensor::ones([40, 2], (Kind::Float, Device::Cpu)).to_kind(kind);
        let all = every(66, 1);
        let product = Product { input: &x, output_gradient: &dy, indices: vec![&all] };
        for compute in implementations(kind) {
            let spoilt = compute(&[&product], 1)[0][0].isnan().nonzero().view(-1);
            assert_eq!(spoilt, Tensor::from_slice(&[32_i64, 65]));
        }
    }
}

#[test]
fn a_panic_on_a_thread_reaches_the_caller() {
    let mut items = [1, 2, 3, 4];
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        threads::each(&mut items, 2, |item| assert!(*item != 3, "three"));
    }));
    assert!(outcome.is_err());
    threads::each(&mut items, 2, |item| *item *= 2);
    assert_eq!(items, [2, 4, 6, 8]);
}
