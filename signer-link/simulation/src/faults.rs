//! Faults planted on purpose: each breaks the production code in one place, and the simulation must find it.
//!
//! The sources are copied below `target`, one fault is put in, the simulation is built there and run. So it
//! also shows that the whole of the copy, without a fault, passes.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, bail, ensure};
use serde::Deserialize;

/// So many seeds are tried: a fault that needs more is not found.
const SEEDS: u64 = 4_000;
/// So many seeds must pass without a fault.
const UNBROKEN: u64 = 500;
const FAULTS: &str = include_str!("../faults.toml");

/// One fault: `from` becomes `to`, in one file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// For people, and for the command line.
    pub name: String,
    /// What is broken by it.
    pub what: String,
    /// Where, from the root of the repository.
    pub file: PathBuf,
    /// What stands there exactly once.
    pub from: String,
    /// What stands there instead.
    pub to: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Faults {
    fault: Vec<Fault>,
}

/// How a fault was found.
#[derive(Clone, Debug)]
pub struct Found {
    /// Seeds up to the one that shows it.
    pub seeds: u64,
    /// What did not hold, in the words of the run.
    pub violation: String,
}

/// All faults.
pub fn all() -> anyhow::Result<Vec<Fault>> {
    let faults: Faults = toml::from_str(FAULTS).context("faults.toml")?;
    Ok(faults.fault)
}

impl Fault {
    /// The file with the fault in it.
    pub fn plant(&self, text: &str) -> anyhow::Result<String> {
        let places = text.matches(&self.from).count();
        ensure!(
            places == 1,
            "{}: the text to be replaced stands {places} times in {}, not once; mend faults.toml",
            self.name,
            self.file.display()
        );
        Ok(text.replacen(&self.from, &self.to, 1))
    }
}

/// Plants the faults of these names (all without names, or `some` that change every day), and prints what was found.
/// Whether all were.
pub fn plant(names: &[String], some: Option<usize>) -> anyhow::Result<bool> {
    let chosen = choose(all()?, names, some)?;
    let copy = Copy::make()?;
    for fault in &chosen {
        fault.plant(&copy.read(fault)?)?;
    }
    copy.build("no fault")?;
    let begun = Instant::now();
    if let Some(found) = copy.run(UNBROKEN)? {
        bail!("without a fault the copy fails: {}", found.violation);
    }
    println!(
        "without a fault: {UNBROKEN} seeds pass in {} s",
        begun.elapsed().as_secs()
    );
    println!("{:<28} {:>5}  found by", "fault", "seeds");
    let mut all_found = true;
    for fault in &chosen {
        let path = copy.tree.join(&fault.file);
        let text = copy.read(fault)?;
        fs::write(&path, fault.plant(&text)?)?;
        let found = copy.build(&fault.name).and_then(|()| copy.run(SEEDS));
        // The next one begins with good sources, whatever came of this one.
        fs::write(&path, &text)?;
        match found? {
            Some(found) => println!("{:<28} {:>5}  {}", fault.name, found.seeds, found.violation),
            None => {
                all_found = false;
                println!(
                    "{:<28}  NOT FOUND in {SEEDS} seeds: {}",
                    fault.name, fault.what
                );
            }
        }
    }
    Ok(all_found)
}

fn choose(faults: Vec<Fault>, names: &[String], some: Option<usize>) -> anyhow::Result<Vec<Fault>> {
    if let Some(some) = some {
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        let count = faults.len();
        let first = usize::try_from(seconds / 86_400)? * some % count;
        return Ok(faults
            .into_iter()
            .cycle()
            .skip(first)
            .take(some.min(count))
            .collect());
    }
    for name in names {
        ensure!(
            faults.iter().any(|fault| fault.name == *name),
            "there is no fault {name:?} in faults.toml"
        );
    }
    let wanted = |fault: &Fault| names.is_empty() || names.contains(&fault.name);
    Ok(faults.into_iter().filter(wanted).collect())
}

/// A copy of the sources with a place to build.
struct Copy {
    tree: PathBuf,
    build: PathBuf,
}

impl Copy {
    fn make() -> anyhow::Result<Self> {
        let here = std::env::current_dir()?;
        let is_root = |folder: &&Path| folder.join("signer-link/simulation/faults.toml").exists();
        let root = here.ancestors().find(is_root).with_context(|| {
            let here = here.display();
            format!("{here} is not in a checkout of Avouch, whose sources are to be broken")
        })?;
        let mut sources = Vec::new();
        find_sources(root, &mut sources)?;
        let tree = root.join("target/simulation/sources");
        let mut wanted = BTreeSet::new();
        for source in sources {
            let content = fs::read(&source)?;
            let to = tree.join(source.strip_prefix(root)?);
            // Only what has changed, so that only that is built anew.
            if fs::read(&to).ok().as_ref() != Some(&content) {
                if let Some(folder) = to.parent() {
                    fs::create_dir_all(folder)?;
                }
                fs::write(&to, content)?;
            }
            wanted.insert(to);
        }
        remove_others(&tree, &wanted)?;
        Ok(Self {
            build: root.join("target/simulation/build"),
            tree,
        })
    }

    fn read(&self, fault: &Fault) -> anyhow::Result<String> {
        let path = self.tree.join(&fault.file);
        fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))
    }

    fn build(&self, what: &str) -> anyhow::Result<()> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let built = Command::new(cargo)
            .args(["build", "--locked", "--release", "--package", "simulation"])
            .current_dir(&self.tree)
            .env("CARGO_TARGET_DIR", &self.build)
            .env("CARGO_INCREMENTAL", "1")
            // It is built more often than it is run.
            .env("CARGO_PROFILE_RELEASE_DEBUG", "false")
            .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "2")
            .stdin(Stdio::null())
            .output()
            .context("cargo cannot be started")?;
        ensure!(
            built.status.success(),
            "with {what} the copy cannot be built:\n{}",
            String::from_utf8_lossy(&built.stderr)
        );
        Ok(())
    }

    fn run(&self, seeds: u64) -> anyhow::Result<Option<Found>> {
        let output = Command::new(self.build.join("release/simulation"))
            .args(["--from", "1", "--seeds", &seeds.to_string()])
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .output()
            .context("the copy's simulation cannot be started")?;
        let text = String::from_utf8_lossy(&output.stdout);
        if output.status.success() {
            return Ok(None);
        }
        let failed = text.lines().find_map(|line| {
            let (seed, violation) = line.strip_prefix("seed ")?.split_once(" fails. ")?;
            Some(Found {
                seeds: seed.parse().ok()?,
                violation: violation.chars().take(100).collect(),
            })
        });
        failed
            .map(Some)
            .with_context(|| format!("the copy's simulation does not say what failed:\n{text}"))
    }
}

/// All files but those that builds and runs leave behind.
fn find_sources(folder: &Path, sources: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let kind = entry.file_type()?;
        if name.as_encoded_bytes().starts_with(b".") || name == "target" || name == "avouch-data" {
            continue;
        }
        if kind.is_dir() {
            find_sources(&entry.path(), sources)?;
        } else if kind.is_file() {
            sources.push(entry.path());
        }
    }
    Ok(())
}

fn remove_others(folder: &Path, wanted: &BTreeSet<PathBuf>) -> anyhow::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            remove_others(&path, wanted)?;
        } else if !wanted.contains(&path) {
            fs::remove_file(&path)?;
        }
    }
    Ok(())
}
