//! Which scalars join and leave, for the selections that are no order drawn with the seed.

use tch::Tensor;

use super::super::dynamic::{Candidates, replaced};
use super::{Adapted, Sparta};
use spartui_facts::recipe::{self, OnShrink, Selection as By};
use spartui_sparse::rank::{self, First};
use spartui_sparse::{Change, Delta, Resized, Selection, threads};

/// Bytes of gradients that are held at a time to choose by, unless one site alone has more.
pub const AT_A_TIME: u64 = 256 << 20;

/// What was heard of a site that is to have so many scalars that train.
#[derive(Debug)]
pub struct Heard {
    count: u64,
    change: Change,
}

impl Sparta {
    /// Sites that must be heard before so many scalars of each can train.
    pub(super) fn to_be_heard(&self, by: By, counts: &[u64]) -> Vec<Vec<usize>> {
        if by != By::Gradient {
            return Vec::new();
        }
        let mut rounds: Vec<Vec<usize>> = Vec::new();
        let mut room = 0;
        for (at, (site, &count)) in self.sites.iter().zip(counts).enumerate() {
            // A site of which as many train as before has nothing to choose.
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
    pub(super) fn heard(&mut self, settings: &recipe::Method, site: usize, gradient: &Tensor) {
        let counts = self.scope.resolve(settings).and_then(|settings| self.scope.counts(&settings));
        let (Ok(counts), Some(adapted)) = (counts, self.sites.get_mut(site)) else { return };
        if let Some(&count) = counts.get(site) {
            adapted.heard = Some(Heard { count, change: adapted.delta.to_count_by_score(count, gradient) });
        }
    }

    /// Makes so many scalars of each site train.
    pub(super) fn resize(
        &mut self,
        settings: &recipe::Method,
        counts: &[u64],
        step: u64,
        betas: [f64; 2],
    ) -> Result<Resized, String> {
        let revert = settings.on_shrink == OnShrink::Revert;
        let deltas = self.sites.iter_mut().map(|site| &mut site.delta).zip(counts.iter().copied());
        let done = match settings.selection {
            By::Random => Delta::resize_together(deltas, step, revert, betas),
            By::Smallest => alter_all(
                deltas.map(|(delta, count)| Due::by_value(delta, count, First::Smallest)),
                step,
                revert,
                betas,
            ),
            By::Largest => {
                alter_all(deltas.map(|(delta, count)| Due::by_value(delta, count, First::Largest)), step, revert, betas)
            }
            By::Dynamic => {
                let seed = settings.seed;
                let due = self.sites.iter_mut().zip(counts).map(|(site, &count)| {
                    let order = Selection::new(seed, &site.name, site.delta.scalars());
                    let change =
                        site.delta.to_count_by_delta(count, |missing, known| order.first_without(missing, known));
                    Due { delta: &mut site.delta, way: Way::Known(change), done: Resized::default() }
                });
                alter_all(due, step, revert, betas)
            }
            By::Gradient => {
                let missing = |(site, count): (&Adapted, &u64)| {
                    site.delta.count() != *count && site.heard.as_ref().is_none_or(|heard| heard.count != *count)
                };
                if self.sites.iter().zip(counts).any(missing) {
                    return Err("method.selection = \"gradient\" chooses by gradients that were not computed; please \
                                report this"
                        .into());
                }
                let due = self.sites.iter_mut().zip(counts).map(|(site, &count)| {
                    let heard = site.heard.take().filter(|_| site.delta.count() != count);
                    let change = heard.map(|heard| heard.change).unwrap_or_default();
                    Due { delta: &mut site.delta, way: Way::Known(change), done: Resized::default() }
                });
                alter_all(due, step, revert, betas)
            }
        };
        Ok(done.iter().fold(Resized::default(), |sum, site| Resized {
            joined: sum.joined + site.joined,
            left: sum.left + site.left,
        }))
    }

    /// Draws new candidates for every site, after so many steps.
    pub(super) fn draw_candidates(&mut self, step: u64) {
        let (by, seed, share) = (self.settings.selection, self.settings.seed, self.settings.regrow_share);
        for site in &mut self.sites {
            site.candidates =
                (by == By::Dynamic).then(|| Candidates::draw(seed, &site.name, &site.delta, share, step)).flatten();
        }
    }

    /// Drops scalars for better ones, if this is the step for that.
    pub(super) fn regrow(&mut self, step: u64, of: u64, betas: [f64; 2]) {
        let settings = &self.settings;
        if settings.selection != By::Dynamic || !step.is_multiple_of(settings.regrow_every) {
            return;
        }
        // Scalars that joined since have had less time than the others.
        let born = step.saturating_sub(settings.regrow_every);
        let revert = settings.on_drop == OnShrink::Revert;
        let share = settings.regrow_share;
        let due = self.sites.iter_mut().map(|site| {
            let count = usize::try_from(replaced(share, site.delta.count(), step, of)).unwrap_or(usize::MAX);
            let change = site.candidates.as_ref().map(|candidates| candidates.replace(&site.delta, count, born));
            Due { delta: &mut site.delta, way: Way::Known(change.unwrap_or_default()), done: Resized::default() }
        });
        alter_all(due, step, revert, betas);
        self.draw_candidates(step);
    }
}

impl Candidates {
    /// So many of the scalars with the smallest deltas, of those that train since `born` or longer, leave for those with the
    /// largest sums; fewer where there are not so many of both.
    fn replace(&self, delta: &Delta, count: usize, born: u64) -> Change {
        let count = count.min(self.indices.numel());
        let leaving = delta.smallest(count, born);
        let sums: Vec<f32> = Vec::try_from(self.sum.to_device(tch::Device::Cpu)).unwrap_or_default();
        let indices: Vec<i64> = Vec::try_from(self.indices.to_device(tch::Device::Cpu)).unwrap_or_default();
        let keyed = sums.into_iter().map(|sum| First::Largest.key(sum)).zip(indices).collect();
        Change { joining: rank::first_among(keyed, leaving.len()), leaving }
    }
}

/// A site whose scalars are to change.
struct Due<'a> {
    delta: &'a mut Delta,
    way: Way,
    done: Resized,
}

/// Where the change comes from.
enum Way {
    /// It was found out.
    Known(Change),
    /// It is to be found out from the weight.
    ByValue(u64, First),
}

impl<'a> Due<'a> {
    fn by_value(delta: &'a mut Delta, count: u64, first: First) -> Self {
        Self { delta, way: Way::ByValue(count, first), done: Resized::default() }
    }
}

fn alter_all<'a>(due: impl Iterator<Item = Due<'a>>, step: u64, revert: bool, betas: [f64; 2]) -> Vec<Resized> {
    let mut due: Vec<Due<'_>> = due.collect();
    threads::each(&mut due, threads::count(), |Due { delta, way, done }| {
        let change = match way {
            Way::Known(change) => std::mem::take(change),
            Way::ByValue(count, first) => delta.to_count_by_value(*count, *first),
        };
        *done = delta.alter(&change, step, revert, betas);
    });
    due.into_iter().map(|due| due.done).collect()
}
