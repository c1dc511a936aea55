//! The branches as a tree: their order, and the lines that connect them.

use spartui_facts::protocol::Branch;

/// A branch with its tree lines.
#[derive(Debug, Clone, PartialEq)]
pub struct TreeRow<'a> {
    /// The branch.
    pub branch: &'a Branch,
    /// The lines: `│ ├ `.
    pub lines: String,
}

/// The branches, each below its parent, in the order in which they began.
#[must_use]
pub fn tree_rows(listed: &[Branch]) -> Vec<TreeRow<'_>> {
    let is_known = |id: u32| listed.iter().any(|branch| branch.id == id);
    // The list may be wrong: a branch with an unknown parent becomes a root.
    let is_root = |branch: &&Branch| branch.parent.is_none_or(|parent| parent == branch.id || !is_known(parent));
    let mut order = Vec::new();
    for root in listed.iter().filter(is_root) {
        add(listed, root, "", "", &mut order);
    }
    // Branches in a cycle have no root.
    for branch in listed {
        if !order.iter().any(|row: &TreeRow| std::ptr::eq(row.branch, branch)) {
            order.push(TreeRow { branch, lines: String::new() });
        }
    }
    order
}

fn add<'a>(listed: &'a [Branch], branch: &'a Branch, before: &str, own: &str, order: &mut Vec<TreeRow<'a>>) {
    if order.iter().any(|row| row.branch.id == branch.id) {
        return;
    }
    order.push(TreeRow { branch, lines: format!("{before}{own}") });
    let children: Vec<&Branch> =
        listed.iter().filter(|child| child.parent == Some(branch.id) && child.id != branch.id).collect();
    // A branch's line continues below it while a sibling follows.
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
        tree_rows(listed).iter().map(|row| format!("{}{}", row.lines, row.branch.id)).collect()
    }

    #[test]
    fn children_stand_below_their_parents() {
        let listed = [branch(0, None), branch(1, Some(0)), branch(2, Some(0)), branch(3, Some(1)), branch(4, Some(1))];
        assert_eq!(shown(&listed), ["0", "├ 1", "│ ├ 3", "│ └ 4", "└ 2"]);
    }

    #[test]
    fn each_branch_appears_once_even_in_a_wrong_list() {
        let listed = [branch(0, Some(1)), branch(1, Some(0)), branch(2, Some(2)), branch(3, Some(9)), branch(3, None)];
        let mut ids: Vec<u32> = tree_rows(&listed).iter().map(|row| row.branch.id).collect();
        ids.sort_unstable();
        assert_eq!(ids, [0, 1, 2, 3, 3]);
    }
}
