//! The rules of the architecture that the compiler does not hold: imports run down the layers of `src/` and the modules of
//! `src/interface/`, and no more than two files of the interface import each other in a circle.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use syn::visit::Visit;

/// What the interface must not know: whatever has tensors.
const UNKNOWN_TO_THE_INTERFACE: &[&str] = &["engine", "train", "method", "model", "sparse", "cuda", "libtorch"];

/// The path of a module or an item, from the root of the crate.
type ModulePath = Vec<String>;

/// A module that has a file of its own.
#[derive(Default)]
struct Module {
    /// Every path in it that leads to this crate, as the crate's root sees it.
    names: BTreeSet<ModulePath>,
    /// What it re-exports: each name with what it stands for.
    exports: BTreeMap<String, ModulePath>,
}

/// Reads the paths of a file.
struct Reader<'a> {
    module: &'a ModulePath,
    children: BTreeSet<String>,
    read: Module,
}

impl Reader<'_> {
    /// The path as the crate's root sees it; none if it leads to another crate.
    fn seen_from_root(&self, path: &[String]) -> Option<ModulePath> {
        let above = path.iter().take_while(|part| *part == "super").count();
        let (base, rest) = match path.first()?.as_str() {
            "crate" => (&[][..], &path[1..]),
            "self" => (&self.module[..], &path[1..]),
            "super" => (&self.module[..self.module.len().checked_sub(above)?], &path[above..]),
            first if self.children.contains(first) => (&self.module[..], path),
            _ => return None,
        };
        Some(base.iter().chain(rest).cloned().collect())
    }

    fn tree(&mut self, before: &[String], tree: &syn::UseTree, is_public: bool) {
        let with = |name: &syn::Ident| [before, &[name.to_string()]].concat();
        match tree {
            syn::UseTree::Path(path) => self.tree(&with(&path.ident), &path.tree, is_public),
            syn::UseTree::Group(group) => group.items.iter().for_each(|tree| self.tree(before, tree, is_public)),
            syn::UseTree::Glob(_) => self.add(before, None, is_public),
            syn::UseTree::Name(name) if name.ident == "self" => self.add(before, None, is_public),
            syn::UseTree::Name(name) => self.add(&with(&name.ident), Some(&name.ident), is_public),
            syn::UseTree::Rename(rename) => self.add(&with(&rename.ident), Some(&rename.rename), is_public),
        }
    }

    fn add(&mut self, path: &[String], name: Option<&syn::Ident>, is_public: bool) {
        let Some(path) = self.seen_from_root(path) else { return };
        if let Some(name) = name.filter(|_| is_public) {
            self.read.exports.insert(name.to_string(), path.clone());
        }
        self.read.names.insert(path);
    }
}

impl Visit<'_> for Reader<'_> {
    fn visit_item_mod(&mut self, item: &syn::ItemMod) {
        // What tests import is their own affair.
        if item.ident != "tests" {
            syn::visit::visit_item_mod(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &syn::ItemUse) {
        self.tree(&[], &item.tree, !matches!(item.vis, syn::Visibility::Inherited));
    }

    fn visit_path(&mut self, path: &syn::Path) {
        let parts: Vec<String> = path.segments.iter().map(|part| part.ident.to_string()).collect();
        if parts.len() > 1 {
            self.add(&parts, None, false);
        }
        syn::visit::visit_path(self, path);
    }
}

/// All modules with a file of their own, by their paths.
fn modules() -> BTreeMap<ModulePath, Module> {
    let mut modules = BTreeMap::new();
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &Vec::new(), &mut modules);
    modules
}

fn walk(folder: &Path, above: &ModulePath, modules: &mut BTreeMap<ModulePath, Module>) {
    for entry in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
        let name = entry.file_stem().expect("a name").to_string_lossy().into_owned();
        let module: ModulePath = above.iter().cloned().chain([name.clone()]).collect();
        if entry.is_dir() {
            walk(&entry, &module, modules);
        } else if entry.extension().is_some_and(|extension| extension == "rs")
            && !["main", "lib", "tests"].contains(&name.as_str())
        {
            modules.insert(module.clone(), read(&entry, &module));
        }
    }
}

fn read(file: &Path, module: &ModulePath) -> Module {
    let text = fs::read_to_string(file).expect("readable");
    let parsed = syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let children = parsed.items.iter().filter_map(|item| match item {
        syn::Item::Mod(item) if item.content.is_none() && item.ident != "tests" => Some(item.ident.to_string()),
        _ => None,
    });
    let mut reader = Reader { module, children: children.collect(), read: Module::default() };
    reader.visit_file(&parsed);
    reader.read
}

/// The module that a path ends in, re-exports followed to where the item is.
fn home(path: &ModulePath, modules: &BTreeMap<ModulePath, Module>) -> Option<ModulePath> {
    let mut path = path.clone();
    for _ in 0..10 {
        let length = (1..=path.len()).rev().find(|length| modules.contains_key(&path[..*length]))?;
        let module = &modules[&path[..length]];
        match path.get(length).and_then(|name| module.exports.get(name)) {
            Some(target) => path = target.iter().chain(&path[length + 1..]).cloned().collect(),
            None => return Some(path[..length].to_vec()),
        }
    }
    panic!("{} is re-exported in a circle", path.join("::"));
}

/// Each module with those that it imports from.
fn imports() -> BTreeMap<ModulePath, BTreeSet<ModulePath>> {
    let modules = modules();
    let of = |(module, read): (&ModulePath, &Module)| {
        let homes = read.names.iter().filter_map(|name| home(name, &modules));
        (module.clone(), homes.filter(|home| home != module).collect())
    };
    modules.iter().map(of).collect()
}

/// The modules that a file declares, in paragraphs from the top.
fn declared(file: &str) -> Vec<Vec<String>> {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(file)).expect("readable");
    let name = |line: &str| {
        Some(line.strip_prefix("pub ").unwrap_or(line).strip_prefix("mod ")?.strip_suffix(';')?.to_owned())
    };
    text.split("\n\n")
        .map(|paragraph| paragraph.lines().filter_map(name).collect())
        .filter(|names: &Vec<_>| !names.is_empty())
        .collect()
}

/// Imports of what follows `above` that run up in this order, or between what stands beside each other.
fn up(imports: &BTreeMap<ModulePath, BTreeSet<ModulePath>>, above: &[&str], order: &[Vec<String>]) -> Vec<String> {
    let place = |module: &ModulePath| {
        let (before, after) = module.split_at_checked(above.len())?;
        let name = after.first().filter(|_| before == above)?.clone();
        let place = order.iter().position(|known| known.contains(&name));
        Some((place.unwrap_or_else(|| panic!("{} has no place in the order", module.join("::"))), name))
    };
    let mut found = Vec::new();
    for (module, from) in imports {
        for other in from {
            if let (Some(importer), Some(imported)) = (place(module), place(other))
                && importer.1 != imported.1
                && importer.0 >= imported.0
            {
                found.push(format!("{} imports from {}", module.join("::"), other.join("::")));
            }
        }
    }
    found
}

#[test]
fn imports_run_down_the_layers() {
    assert_eq!(up(&imports(), &[], &declared("lib.rs")), Vec::<String>::new());
}

#[test]
fn imports_run_down_the_modules_of_the_interface() {
    assert_eq!(up(&imports(), &["interface"], &declared("interface.rs")), Vec::<String>::new());
}

#[test]
fn the_interface_knows_no_tensor() {
    let imports = imports();
    let knows =
        |module: &ModulePath| imports[module].iter().any(|from| UNKNOWN_TO_THE_INTERFACE.contains(&from[0].as_str()));
    let found: Vec<&ModulePath> = imports.keys().filter(|module| module[0] == "interface" && knows(module)).collect();
    assert_eq!(found, Vec::<&ModulePath>::new());
}

/// All modules that this one leads to.
fn reached<'a>(
    module: &'a ModulePath,
    imports: &'a BTreeMap<ModulePath, BTreeSet<ModulePath>>,
) -> BTreeSet<&'a ModulePath> {
    let mut reached = BTreeSet::new();
    let mut waiting = vec![module];
    while let Some(next) = waiting.pop() {
        waiting.extend(imports[next].iter().filter(|from| reached.insert(*from)));
    }
    reached
}

#[test]
fn no_more_than_two_files_of_the_interface_import_each_other_in_a_circle() {
    let imports = imports();
    let reached: BTreeMap<&ModulePath, BTreeSet<&ModulePath>> = imports
        .keys()
        .filter(|module| module[0] == "interface")
        .map(|module| (module, reached(module, &imports)))
        .collect();
    for (module, leads_to) in &reached {
        let circle: Vec<String> = leads_to
            .iter()
            .filter(|other| reached.get(**other).is_some_and(|back| back.contains(module)))
            .map(|other| other.join("::"))
            .collect();
        assert!(circle.len() <= 2, "these files import each other in a circle: {}", circle.join(", "));
    }
}

/// The test itself sees what it is to see.
#[test]
fn an_import_that_runs_up_is_found() {
    let path = |text: &str| text.split("::").map(str::to_owned).collect::<ModulePath>();
    let imports = BTreeMap::from([
        (path("sparse::delta"), BTreeSet::from([path("engine")])),
        (path("engine"), BTreeSet::from([path("sparse"), path("engine::socket")])),
        (path("hub"), BTreeSet::from([path("method")])),
    ]);
    let found = up(&imports, &[], &declared("lib.rs"));
    assert_eq!(found, ["hub imports from method", "sparse::delta imports from engine"]);
    let all = self::imports();
    let known = |module: &str, from: &str| all[&path(module)].contains(&path(from));
    // By a plain import, through a re-export, and by a path within the code.
    assert!(known("interface::cockpit::screen", "interface::cockpit::leaving"));
    assert!(known("interface::cockpit::screen", "interface::frame::screen"));
    assert!(known("interface::frame::look", "interface::ascii"));
}
