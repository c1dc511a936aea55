//! Runs auto-vectorized loops with the widest vectors of the processor.

/// A computation that is compiled once for each set of vector instructions. For that `run`, and all that it calls, must
/// be `#[inline(always)]`. The results are the same on all processors, since no operations are fused.
pub trait Work {
    /// Its result.
    type Output;

    /// Runs the computation.
    fn run(self) -> Self::Output;
}

/// Runs a computation with the widest vectors of the processor.
pub fn run<W: Work>(work: W) -> W::Output {
    #[cfg(target_arch = "x86_64")]
    {
        let has_avx512 = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl");
        if has_avx512 {
            // SAFETY: the processor has these features.
            #[allow(unsafe_code)]
            return unsafe { avx512(work) };
        } else if is_x86_feature_detected!("avx2") {
            // SAFETY: the processor has this feature.
            #[allow(unsafe_code)]
            return unsafe { avx2(work) };
        }
    }
    work.run()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn avx512<W: Work>(work: W) -> W::Output {
    work.run()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn avx2<W: Work>(work: W) -> W::Output {
    work.run()
}
