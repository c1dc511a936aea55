//! Fuzzy matching of a query against names.

/// The least average score of a scattered letter.
const LEAST: u32 = 6;

/// The score of a query against a text, higher is better; none without a match. Each word of the query must be in the
/// text, best as a substring, else as letters in order; case is ignored.
#[must_use]
pub fn score(query: &str, text: &str) -> Option<u32> {
    let text: Vec<char> = text.to_lowercase().chars().collect();
    query.split_whitespace().map(|word| word_score(&word.to_lowercase().chars().collect::<Vec<_>>(), &text)).sum()
}

fn word_score(word: &[char], text: &[char]) -> Option<u32> {
    let whole = text.windows(word.len().max(1)).enumerate().filter(|(_, window)| *window == word);
    let best = whole
        .map(|(at, _)| {
            if at == 0 {
                400
            } else if begins_word(text, at) {
                300
            } else {
                200
            }
        })
        .max();
    best.or_else(|| scattered(word, text))
}

/// The letters in order, with gaps: those at the beginning of a word score most.
fn scattered(word: &[char], text: &[char]) -> Option<u32> {
    let mut at = 0;
    let mut score = 0;
    let mut initials = 0;
    for letter in word {
        let after =
            |holds: &dyn Fn(usize) -> bool| (at..text.len()).find(|&place| text[place] == *letter && holds(place));
        let initial = after(&|place| begins_word(text, place));
        let place = after(&|place| place == at && at > 0).or(initial).or_else(|| after(&|_| true))?;
        initials += usize::from(initial == Some(place));
        score += if initial == Some(place) {
            12
        } else if place == at {
            8
        } else {
            1
        };
        at = place + 1;
    }
    if initials == word.len() {
        // `zi` for zoom-in is as good as a substring.
        return Some(score.max(250));
    }
    // Letters that merely occur somewhere would match everything.
    let least = LEAST * u32::try_from(word.len()).unwrap_or(u32::MAX / LEAST);
    (score >= least).then_some(score)
}

fn begins_word(text: &[char], at: usize) -> bool {
    at == 0 || text.get(at - 1).is_some_and(|before| !before.is_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_in_order_fit_and_others_do_not() {
        assert!(score("lrd", "learning-rate-down").is_some());
        assert!(score("rate down", "learning-rate-down").is_some());
        assert!(score("evl", "evaluate").is_some() && score("maxmise", "maximise").is_some());
        assert_eq!(score("dlr", "learning-rate-down"), None);
        assert_eq!(score("pin", "set optimizer.max_grad_norm"), None);
        assert_eq!(score("zzz", "zoom-in"), None);
        assert_eq!(score("", "anything"), Some(0));
        assert!(score("漢", "漢字").is_some());
    }

    #[test]
    fn the_nearer_it_stands_to_the_name_the_better() {
        let order = |query: &str, better: &str, worse: &str| assert!(score(query, better) > score(query, worse));
        order("pin", "pin", "undo-steps-pinned");
        order("in", "zoom-in", "pinned");
        order("zi", "zoom-in", "resizing");
        order("Quit", "quit", "q-u-i-t");
    }
}
