//! The widest vectors that the processor has, for loops that the compiler vectorises by itself.

/// What is to be done. `run` is to be `#[inline(always)]`, and so is what it calls: then all of it is compiled once for each
/// kind of processor. The results are the same on all of them, since no operation is left out or merged with another.
pub trait Work {
    /// What comes of it.
    type Output;

    /// Does it.
    fn run(self) -> Self::Output;
}

/// Does it with the widest vectors that the processor has.
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
