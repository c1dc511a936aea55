//! The branches as a tree: in which order they stand, and the lines that join them.

use crate::protocol::Branch;

/// A branch with the lines before its name.
#[derive(Debug, Clone, PartialEq)]
pub struct Grown<'a> {
    /// The branch.
    pub branch: &'a Branch,
    /// The lines: `│ ├ `.
    pub lines: String,
}

/// The branches, each below the one that it came from, in the order in which they began.
#[must_use]
pub fn grown(listed: &[Branch]) -> Vec<Grown<'_>> {
    let is_known = |id: u32| listed.iter().any(|branch| branch.id == id);
    // What is told may be wrong: a branch that comes from none that is known stands at the root.
    let is_root = |branch: &&Branch| branch.parent.is_none_or(|parent| parent == branch.id || !is_known(parent));
    let mut order = Vec::new();
    for root in listed.iter().filter(is_root) {
        add(listed, root, "", "", &mut order);
    }
    // What hangs in a circle hangs on no root.
    for branch in listed {
        if !order.iter().any(|grown: &Grown| std::ptr::eq(grown.branch, branch)) {
            order.push(Grown { branch, lines: String::new() });
        }
    }
    order
}

fn add<'a>(listed: &'a [Branch], branch: &'a Branch, before: &str, own: &str, order: &mut Vec<Grown<'a>>) {
    if order.iter().any(|grown| grown.branch.id == branch.id) {
        return;
    }
    order.push(Grown { branch, lines: format!("{before}{own}") });
    let children: Vec<&Branch> =
        listed.iter().filter(|child| child.parent == Some(branch.id) && child.id != branch.id).collect();
    // The lines of a branch go on below it as long as one of its own generation follows.
    let below = match own {
        "" => String::new(),
        "├ " => format!("{before}│ "),
        _ => format!("{before}  "),
    };
    for (at, child) in children.iter().enumerate() {
        let own = if at + 1 == children.len() { "└ " } else { "├ " };
        add(listed, child, &below, own, order);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn branch(id: u32, parent: Option<u32>) -> Branch {
        Branch { id, parent, from: 0, tip: 0, best: None, pinned: false, current: false }
    }

    fn shown(listed: &[Branch]) -> Vec<String> {
        grown(listed).iter().map(|grown| format!("{}{}", grown.lines, grown.branch.id)).collect()
    }

    #[test]
    fn children_stand_below_their_parents() {
        let listed = [branch(0, None), branch(1, Some(0)), branch(2, Some(0)), branch(3, Some(1)), branch(4, Some(1))];
        assert_eq!(shown(&listed), ["0", "├ 1", "│ ├ 3", "│ └ 4", "└ 2"]);
    }

    #[test]
    fn each_is_there_once_whatever_was_told() {
        let listed = [branch(0, Some(1)), branch(1, Some(0)), branch(2, Some(2)), branch(3, Some(9)), branch(3, None)];
        let mut ids: Vec<u32> = grown(&listed).iter().map(|grown| grown.branch.id).collect();
        ids.sort_unstable();
        assert_eq!(ids, [0, 1, 2, 3, 3]);
    }
}
