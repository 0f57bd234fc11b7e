//! The rooms that are mutated, each cut out of the product as a crate of its own.
//!
//! Owns which files and which tests belong together. Must not know what a mutant is. The invariant
//! that would break first: a cut-out has the product's files under the product's paths, unchanged.
//!
//! Each mutant has its own compilation and link. Those of the product are long; the walls between
//! the rooms let each room compile alone: the same sources, tests and versions of libraries, in one
//! crate with one link.

use anyhow::{Context as _, Result, bail, ensure};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// A room and its tests.
struct Room {
    name: &'static str,
    /// The root of the crate. `base` has `api` and `facts`, which are not mutated there.
    root: &'static str,
    /// Files and folders under `src`.
    sources: &'static [&'static str],
    /// Modules of `tests`.
    suites: &'static [&'static str],
}

const BASE: Room = Room {
    name: "base",
    root: "pub mod api;\npub mod facts;\n",
    sources: &["api", "facts"],
    suites: &[],
};

/// In the order in which they are judged.
const ROOMS: [Room; 4] = [
    Room {
        name: "facts",
        root: "pub use base::api;\npub mod facts;\n",
        sources: &["facts"],
        suites: &["facts"],
    },
    Room {
        name: "signers",
        root: "pub mod cloud {\n    pub mod modelarts {\n        pub mod derived;\n        pub mod sign;\n    }\n    \
               pub mod pai {\n        pub mod sign;\n    }\n}\npub mod registry {\n    pub mod swr_login;\n}\n",
        sources: &[
            "cloud/modelarts/derived.rs",
            "cloud/modelarts/sign.rs",
            "cloud/modelarts/sign",
            "cloud/pai/sign.rs",
            "cloud/pai/sign",
            "registry/swr_login.rs",
        ],
        suites: &["vectors"],
    },
    Room {
        name: "admission",
        root: "pub use base::{api, facts};\npub mod admission;\n",
        sources: &["admission"],
        suites: &["verdict", "mutation"],
    },
    Room {
        name: "plan",
        root: "pub use base::{api, facts};\npub mod plan;\n",
        sources: &["plan"],
        suites: &["plan", "plan_histories"],
    },
];

/// The integration tests as a module of the crate: one compilation, one link.
const SUITE: &str = "
#[cfg(test)]
extern crate self as imageref;
#[cfg(test)]
#[path = \"../tests/suite.rs\"]
mod suite;
";

/// A library that only derived code names.
const DERIVED: &str = "schemars";

/// A room as a crate.
pub(super) struct Cut {
    /// The room's name.
    pub(super) room: &'static str,
    /// The crate's folder.
    pub(super) folder: PathBuf,
}

impl Cut {
    /// Cuts these rooms out; all of them if there is no name.
    pub(super) fn all(product: &Path, state: &Path, wanted: &[String]) -> Result<Vec<Self>> {
        let known: Vec<_> = ROOMS.iter().map(|room| room.name).collect();
        if let Some(odd) = wanted.iter().find(|name| !known.contains(&name.as_str())) {
            bail!("there is no room {odd}; there are {}", known.join(", "));
        }
        let product = product.canonicalize()?;
        BASE.cut(&product, state)?;
        let asked = |room: &&Room| wanted.is_empty() || wanted.iter().any(|name| name == room.name);
        let cut = |room: &Room| {
            Ok(Self {
                room: room.name,
                folder: room.cut(&product, state)?,
            })
        };
        ROOMS.iter().filter(asked).map(cut).collect()
    }
}

impl Room {
    fn cut(&self, product: &Path, state: &Path) -> Result<PathBuf> {
        let folder = state.join("rooms").join(self.name);
        // What a run that was broken off left of a mutant goes with it.
        for part in ["src", "tests"] {
            if folder.join(part).exists() {
                std::fs::remove_dir_all(folder.join(part))?;
            }
        }
        for source in self.sources {
            let path = Path::new("src").join(source);
            copy(&product.join(&path), &folder.join(&path), &unchanged)?;
        }
        let mut root = self.root.to_owned();
        if !self.suites.is_empty() {
            root += SUITE;
            link(&product.join("docs"), &folder.join("docs"))?;
            link(
                &product.join("tests/fixtures"),
                &folder.join("tests/fixtures"),
            )?;
        }
        std::fs::write(folder.join("src/lib.rs"), root)?;
        let mut suite = String::new();
        for name in self.suites {
            // Writing to a String does not fail.
            let _ = writeln!(suite, "mod {name};");
            let path = Path::new("tests").join(name);
            for path in [path.with_extension("rs"), path] {
                copy(&product.join(&path), &folder.join(&path), &one_lower)?;
            }
        }
        if !suite.is_empty() {
            std::fs::write(folder.join("tests/suite.rs"), suite)?;
        }
        let lock = Path::new("Cargo.lock");
        copy(&product.join(lock), &folder.join(lock), &unchanged)?;
        let manifest = std::fs::read_to_string(product.join("Cargo.toml"))?;
        let words = texts(&folder.join("src"))? + &texts(&folder.join("tests"))?;
        let manifest = self.manifest(&manifest, &words);
        std::fs::write(folder.join("Cargo.toml"), manifest?)?;
        Ok(folder)
    }

    /// The manifest of the crate: of the product's dependencies those that its texts name.
    fn manifest(&self, product: &str, words: &str) -> Result<String> {
        let named = |line: &&str| {
            let name = line.split([' ', '.', '=']).next().unwrap_or_default();
            name == DERIVED || words.contains(&(name.replace('-', "_") + "::"))
        };
        let used = |name: &str| -> Result<String> {
            let lines: Vec<_> = section(product, name)?.filter(named).collect();
            Ok(lines.join("\n"))
        };
        let everywhere: Vec<_> = section(product, "workspace.dependencies")?.collect();
        let name = self.name;
        let (library, base) = match name {
            "base" => ("base", ""),
            _ => ("imageref", "base = { path = \"../base\" }"),
        };
        Ok(format!(
            "[workspace]\n\n[workspace.dependencies]\n{}\n\n\
             [package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\nautotests = false\n\n\
             [lib]\nname = \"{library}\"\ndoctest = false\n\n\
             [dependencies]\n{}\n{base}\n\n[dev-dependencies]\n{}\n\n[profile.dev]\ndebug = 0\n",
            everywhere.join("\n"),
            used("dependencies")?,
            used("dev-dependencies")?,
        ))
    }
}

/// The lines of a section of a manifest.
fn section<'a>(manifest: &'a str, name: &str) -> Result<impl Iterator<Item = &'a str>> {
    let head = format!("[{name}]");
    let mut lines = manifest.lines();
    ensure!(
        lines.any(|line| line == head),
        "the product's manifest has no {head}"
    );
    Ok(lines
        .take_while(|line| !line.starts_with('['))
        .filter(|line| !line.is_empty() && !line.starts_with('#')))
}

/// All files of a folder, as one text.
fn texts(folder: &Path) -> Result<String> {
    let mut all = String::new();
    if !folder.is_dir() {
        return Ok(all);
    }
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_symlink() {
            continue;
        }
        all += &if path.is_dir() {
            texts(&path)?
        } else {
            std::fs::read_to_string(&path)?
        };
    }
    Ok(all)
}

/// A file, or a folder with all that is in it.
fn copy(from: &Path, to: &Path, change: &dyn Fn(String) -> String) -> Result<()> {
    let reason = || format!("copying {}", from.display());
    if from.is_dir() {
        for entry in std::fs::read_dir(from).with_context(reason)? {
            let name = entry?.file_name();
            copy(&from.join(&name), &to.join(&name), change)?;
        }
        return Ok(());
    }
    let text = std::fs::read_to_string(from).with_context(reason)?;
    std::fs::create_dir_all(to.parent().with_context(reason)?)?;
    std::fs::write(to, change(text)).with_context(reason)
}

fn unchanged(text: String) -> String {
    text
}

/// What is the root of the tests' crate in the product is a module here.
#[expect(clippy::needless_pass_by_value, reason = "as `unchanged`")]
fn one_lower(text: String) -> String {
    text.replace("crate::", "crate::suite::")
}

fn link(to: &Path, at: &Path) -> Result<()> {
    if !at.is_symlink() {
        std::fs::create_dir_all(at.parent().unwrap_or(at))?;
        std::os::unix::fs::symlink(to, at).with_context(|| format!("linking {}", at.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRODUCT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

    #[test]
    fn a_room_is_the_products_files_and_the_dependencies_that_they_name() {
        let state = tempfile::tempdir().unwrap();
        let cuts = Cut::all(Path::new(PRODUCT), state.path(), &["facts".into()]).unwrap();
        assert_eq!(cuts.len(), 1);
        let folder = &cuts[0].folder;
        for file in ["src/facts/text.rs", "tests/facts/properties.rs"] {
            let read = |root: &Path| std::fs::read_to_string(root.join(file)).unwrap();
            assert_eq!(read(folder), read(Path::new(PRODUCT)));
        }
        let manifest = std::fs::read_to_string(folder.join("Cargo.toml")).unwrap();
        let has = |name: &str| manifest.contains(&format!("\n{name}"));
        assert!(has("jiff.workspace") && has("proptest = "), "{manifest}");
        assert!(!has("reqwest = ") && !has("cluster = "), "{manifest}");
    }

    #[test]
    fn what_is_left_of_a_mutant_goes_with_the_next_run() {
        let state = tempfile::tempdir().unwrap();
        let wanted = ["signers".to_owned()];
        let cuts = Cut::all(Path::new(PRODUCT), state.path(), &wanted).unwrap();
        let file = cuts[0].folder.join("src/cloud/pai/sign.rs");
        let sound = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, "a mutant").unwrap();
        Cut::all(Path::new(PRODUCT), state.path(), &wanted).unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), sound);
        let error = Cut::all(Path::new(PRODUCT), state.path(), &["sky".into()]);
        assert!(error.err().unwrap().to_string().contains("facts, signers"));
    }
}
