//! The scalars that join and leave the trainable set, for selections other than the random order of the seed.

use tch::Tensor;

use super::super::dynamic::{Candidates, replaced};
use super::{Adapted, Sparta};
use spartui_facts::recipe::{self, OnShrink, Selection as By};
use spartui_sparse::rank::{self, First};
use spartui_sparse::{Change, Delta, Resized, Selection, threads};

/// Bytes of dense gradients that are held at a time, unless one site alone has more.
pub const AT_A_TIME: u64 = 256 << 20;

/// The change of a site, chosen by its gradient, after which `count` scalars train.
#[derive(Debug)]
pub struct Scored {
    count: u64,
    change: Change,
}

impl Sparta {
    /// The sites whose gradients must be measured before `counts` scalars of each can train, in rounds of up to
    /// [`AT_A_TIME`] bytes.
    pub(super) fn rounds_to_measure(&self, by: By, counts: &[u64]) -> Vec<Vec<usize>> {
        if by != By::Gradient {
            return Vec::new();
        }
        let mut rounds: Vec<Vec<usize>> = Vec::new();
        let mut room = 0;
        for (at, (site, &count)) in self.sites.iter().zip(counts).enumerate().take(self.tapped) {
            // A site whose number of trainable scalars stays needs no choice.
            if site.delta.count() == count {
                continue;
            }
            let bytes = 4 * site.delta.scalars();
            match rounds.last_mut() {
                Some(round) if bytes <= room => round.push(at),
                _ => {
                    rounds.push(vec![at]);
                    room = AT_A_TIME;
                }
            }
            room = room.saturating_sub(bytes);
        }
        rounds
    }

    /// Chooses the scalars of a site by its gradient.
    pub(super) fn score_site(&mut self, settings: &recipe::Method, site: usize, gradient: &Tensor) {
        let counts = self.scope.resolve(settings).and_then(|settings| self.counts(&settings));
        let (Ok(counts), Some(adapted)) = (counts, self.sites.get_mut(site)) else { return };
        if let Some(&count) = counts.get(site) {
            adapted.scored = Some(Scored { count, change: adapted.delta.to_count_by_score(count, gradient) });
        }
    }

    /// Makes `counts` scalars of each site train.
    pub(super) fn resize(
        &mut self,
        settings: &recipe::Method,
        counts: &[u64],
        step: u64,
        betas: [f64; 2],
    ) -> Result<Resized, String> {
        let revert = settings.on_shrink == OnShrink::Revert;
        // Rows of tokens train from the start to the end.
        let sites = self.sites.iter_mut().zip(counts).filter(|(site, _)| !site.trains_rows());
        let deltas = sites.map(|(site, &count)| (&mut site.delta, count));
        let done = match settings.selection {
            By::Random => Delta::resize_together(deltas, step, revert, betas),
            By::Smallest => alter_all(
                deltas.map(|(delta, count)| SiteChange::by_value(delta, count, First::Smallest)),
                step,
                revert,
                betas,
            ),
            By::Largest => alter_all(
                deltas.map(|(delta, count)| SiteChange::by_value(delta, count, First::Largest)),
                step,
                revert,
                betas,
            ),
            By::Dynamic => {
                let seed = settings.seed;
                let due = self.sites.iter_mut().zip(counts).filter(|(site, _)| !site.trains_rows());
                let due = due.map(|(site, &count)| {
                    let order = Selection::new(seed, &site.name, site.delta.scalars());
                    let change =
                        site.delta.to_count_by_delta(count, |missing, known| order.first_without(missing, known));
                    SiteChange { delta: &mut site.delta, source: ChangeSource::Given(change), done: Resized::default() }
                });
                alter_all(due, step, revert, betas)
            }
            By::Gradient => {
                let missing = |(site, count): (&Adapted, &u64)| {
                    site.delta.count() != *count && site.scored.as_ref().is_none_or(|scored| scored.count != *count)
                };
                if self.sites.iter().zip(counts).any(missing) {
                    return Err("method.selection = \"gradient\" chooses by gradients that were not computed; please \
                                report this"
                        .into());
                }
                let due = self.sites.iter_mut().zip(counts).map(|(site, &count)| {
                    let scored = site.scored.take().filter(|_| site.delta.count() != count);
                    let change = scored.map(|scored| scored.change).unwrap_or_default();
                    SiteChange { delta: &mut site.delta, source: ChangeSource::Given(change), done: Resized::default() }
                });
                alter_all(due, step, revert, betas)
            }
        };
        Ok(done.iter().fold(Resized::default(), |sum, site| Resized {
            joined: sum.joined + site.joined,
            left: sum.left + site.left,
        }))
    }

    /// Draws new candidates for every site after `step` steps.
    pub(super) fn draw_candidates(&mut self, step: u64) {
        let (by, seed, share) = (self.settings.selection, self.settings.seed, self.settings.regrow_share);
        for site in self.sites.iter_mut().filter(|site| !site.trains_rows()) {
            site.candidates =
                (by == By::Dynamic).then(|| Candidates::draw(seed, &site.name, &site.delta, share, step)).flatten();
        }
    }

    /// Replaces scalars by candidates, if the step is a multiple of `regrow_every`.
    pub(super) fn regrow(&mut self, step: u64, of: u64, betas: [f64; 2]) {
        let settings = &self.settings;
        if settings.selection != By::Dynamic || !step.is_multiple_of(settings.regrow_every) {
            return;
        }
        // Scalars that joined since the last change have had less time to learn than the others.
        let born = step.saturating_sub(settings.regrow_every);
        let revert = settings.on_drop == OnShrink::Revert;
        let share = settings.regrow_share;
        let due = self.sites.iter_mut().map(|site| {
            let count = usize::try_from(replaced(share, site.delta.count(), step, of)).unwrap_or(usize::MAX);
            let change = site.candidates.as_ref().map(|candidates| candidates.replace(&site.delta, count, born));
            SiteChange {
                delta: &mut site.delta,
                source: ChangeSource::Given(change.unwrap_or_default()),
                done: Resized::default(),
            }
        });
        alter_all(due, step, revert, betas);
        self.draw_candidates(step);
    }
}

impl Candidates {
    /// Replaces up to `count` scalars with the smallest deltas, of those that train since step `born` or longer, by the
    /// candidates with the largest gradient sums.
    fn replace(&self, delta: &Delta, count: usize, born: u64) -> Change {
        let count = count.min(self.indices.numel());
        let leaving = delta.smallest(count, born);
        let sums: Vec<f32> = Vec::try_from(self.sum.to_device(tch::Device::Cpu)).unwrap_or_default();
        let indices: Vec<i64> = Vec::try_from(self.indices.to_device(tch::Device::Cpu)).unwrap_or_default();
        let keyed = sums.into_iter().map(|sum| First::Largest.key(sum)).zip(indices).collect();
        Change { joining: rank::first_among(keyed, leaving.len()), leaving }
    }
}

/// A pending change of one site's trainable scalars.
struct SiteChange<'a> {
    delta: &'a mut Delta,
    source: ChangeSource,
    done: Resized,
}

/// How the change is determined.
enum ChangeSource {
    /// It is known already.
    Given(Change),
    /// By the magnitudes of the weight: the number of trainable scalars, and which magnitudes rank first.
    ByValue(u64, First),
}

impl<'a> SiteChange<'a> {
    fn by_value(delta: &'a mut Delta, count: u64, first: First) -> Self {
        Self { delta, source: ChangeSource::ByValue(count, first), done: Resized::default() }
    }
}

fn alter_all<'a>(due: impl Iterator<Item = SiteChange<'a>>, step: u64, revert: bool, betas: [f64; 2]) -> Vec<Resized> {
    let mut due: Vec<SiteChange<'_>> = due.collect();
    threads::each(&mut due, threads::count(), |SiteChange { delta, source, done }| {
        let change = match source {
            ChangeSource::Given(change) => std::mem::take(change),
            ChangeSource::ByValue(count, first) => delta.to_count_by_value(*count, *first),
        };
        *done = delta.alter(&change, step, revert, betas);
    });
    due.into_iter().map(|due| due.done).collect()
}
