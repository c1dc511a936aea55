//! The rules of the architecture that the compiler does not hold. Between crates Cargo does: they cannot import each other in a
//! circle. Here: imports run down the modules of the interface and of the plain facts, no more than two files of the interface import
//! each other in a circle, the crates without tensors stay without libtorch, and no crate names a dependency that it does not use.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use syn::visit::Visit;

/// The crates that are built and tested without libtorch.
const WITHOUT_TENSORS: &[&str] = &["compare", "data", "facts", "hub", "interface", "run"];

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
            "crate" => (&self.module[..1], &path[1..]),
            "self" => (&self.module[..], &path[1..]),
            "super" => (&self.module[..self.module.len().checked_sub(above)?], &path[above..]),
            first if self.children.contains(first) => (&self.module[..], path),
            first => {
                let of_crate = [first.strip_prefix("spartui_")?.to_owned()];
                return Some(of_crate.iter().chain(&path[1..]).cloned().collect());
            }
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

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The names of the crates below `crates/`.
fn crates() -> Vec<String> {
    let name =
        |entry: std::io::Result<fs::DirEntry>| entry.expect("an entry").file_name().to_string_lossy().into_owned();
    fs::read_dir(root().join("crates")).expect("a folder").map(name).collect()
}

/// All modules with a file of their own, by their paths: the crate's name comes first.
fn modules() -> BTreeMap<ModulePath, Module> {
    let mut modules = BTreeMap::new();
    for name in crates() {
        let source = root().join("crates").join(&name).join("src");
        let module = vec![name];
        modules.insert(module.clone(), read(&source.join("lib.rs"), &module));
        walk(&source, &module, &mut modules);
    }
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

/// The modules that a crate declares, in paragraphs from the top.
fn declared(name: &str) -> Vec<Vec<String>> {
    let text = fs::read_to_string(root().join("crates").join(name).join("src/lib.rs")).expect("readable");
    let module = |line: &str| {
        Some(line.strip_prefix("pub ").unwrap_or(line).strip_prefix("mod ")?.strip_suffix(';')?.to_owned())
    };
    text.split("\n\n")
        .map(|paragraph| paragraph.lines().filter_map(module).collect())
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
fn imports_run_down_the_modules_of_a_crate() {
    for name in ["facts", "interface"] {
        assert_eq!(up(&imports(), &[name], &declared(name)), Vec::<String>::new());
    }
}

/// What a crate depends on, without and with what only its tests need.
fn dependencies(name: &str) -> [Vec<String>; 2] {
    let text = fs::read_to_string(root().join("crates").join(name).join("Cargo.toml")).expect("readable");
    let manifest: toml::Table = text.parse().expect("TOML");
    let names = |table: &str| {
        let table = manifest.get(table).and_then(toml::Value::as_table);
        table.into_iter().flat_map(|table| table.keys().cloned()).collect::<Vec<_>>()
    };
    [names("dependencies"), [names("dependencies"), names("dev-dependencies")].concat()]
}

#[test]
fn crates_without_tensors_do_not_need_libtorch() {
    for name in WITHOUT_TENSORS {
        let [_, all] = dependencies(name);
        let allowed = |dependency: &str| match dependency.strip_prefix("spartui-") {
            Some(own) => WITHOUT_TENSORS.contains(&own),
            None => !["tch", "torch-sys"].contains(&dependency),
        };
        assert!(all.iter().all(|dependency| allowed(dependency)), "{name}: {all:?}");
    }
}

#[test]
fn no_crate_has_a_dependency_that_it_does_not_use() {
    for name in crates() {
        let folder = root().join("crates").join(&name);
        let source = text_of(&folder.join("src"));
        let [needed, all] = dependencies(&name);
        let tests = source.clone() + &text_of(&folder.join("tests"));
        for (dependencies, text) in [(needed, &source), (all, &tests)] {
            // torch-sys is there for the build script alone.
            for dependency in dependencies.iter().filter(|dependency| *dependency != "torch-sys") {
                let found = text.contains(&dependency.replace('-', "_"));
                assert!(found, "crates/{name}/Cargo.toml names {dependency}, which nothing there uses");
            }
        }
    }
}

/// All Rust code below a folder.
fn text_of(folder: &Path) -> String {
    let entries = fs::read_dir(folder).into_iter().flatten().map(|entry| entry.expect("an entry").path());
    let text = |path: PathBuf| match path.extension() {
        _ if path.is_dir() => text_of(&path),
        Some(extension) if extension == "rs" => fs::read_to_string(&path).expect("readable"),
        _ => String::new(),
    };
    entries.map(text).collect()
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
        (path("interface::widgets::list"), BTreeSet::from([path("interface::race")])),
        (path("interface::race"), BTreeSet::from([path("interface::widgets"), path("interface::race::act")])),
        (path("interface::inspector"), BTreeSet::from([path("interface::launcher"), path("facts::recipe")])),
    ]);
    let found = up(&imports, &["interface"], &declared("interface"));
    let expected = [
        "interface::inspector imports from interface::launcher",
        "interface::widgets::list imports from interface::race",
    ];
    assert_eq!(found, expected);
    let all = self::imports();
    let known = |module: &str, from: &str| all[&path(module)].contains(&path(from));
    // By a plain import, through a re-export, and by a path within the code.
    assert!(known("interface::cockpit::screen", "interface::cockpit::leaving"));
    assert!(known("interface::cockpit::screen", "interface::frame::screen"));
    assert!(known("interface::frame::look", "interface::ascii"));
    // From another crate.
    assert!(known("interface::cockpit::pending", "facts::recipe::fields"));
}
