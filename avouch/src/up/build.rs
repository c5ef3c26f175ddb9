//! The daemons beside this executable; in a source checkout they are built first.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use crate::outcome::Failure;

/// The programs that `avouch` starts.
pub(crate) const PROGRAMS: [&str; 7] = [
    "signer-host",
    "signer",
    "issuer",
    "ocsp-presigner",
    "crl-builder",
    "ocsp-responder",
    "status-watch",
];

/// The folder they lie in.
#[derive(Clone, Debug)]
pub(crate) struct Programs {
    folder: PathBuf,
}

impl Programs {
    /// Those beside this executable, as they are.
    pub(crate) fn find() -> Result<Self> {
        let programs = Self {
            folder: own_folder()?,
        };
        let missing = programs.missing();
        if missing.is_empty() {
            return Ok(programs);
        }
        Err(Failure::new(format!(
            "{} missing in {}",
            missing.join(", "),
            programs.folder.display()
        ))
        .remedy("install all programs of Avouch in one folder; in a source checkout: `cargo build --release --workspace`")
        .into())
    }

    /// Those beside this executable, built first if one is missing.
    pub(crate) fn find_or_build() -> Result<Self> {
        Self::find().or_else(|_| Self::build_and_find())
    }

    /// Builds them when this executable belongs to a source checkout, then finds them.
    pub(crate) fn build_and_find() -> Result<Self> {
        let folder = own_folder()?;
        if let Some(checkout) = Checkout::of(&folder).or_else(|| Checkout::of_cargo_run(&folder)) {
            build(&checkout, Self { folder })?;
        }
        Self::find()
    }

    pub(crate) fn path(&self, program: &str) -> PathBuf {
        self.folder.join(program)
    }

    fn missing(&self) -> Vec<&'static str> {
        PROGRAMS
            .into_iter()
            .filter(|program| !self.path(program).is_file())
            .collect()
    }
}

fn build(checkout: &Checkout, programs: Programs) -> Result<()> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(&cargo);
    command
        .arg("build")
        .arg("--manifest-path")
        .arg(checkout.root.join("Cargo.toml"));
    command.arg("--target-dir").arg(&checkout.target);
    if checkout.profile == "release" {
        command.arg("--release");
    }
    // The whole workspace, so that dependencies keep the features of `cargo build --workspace` and are not
    // compiled once more.
    command.args(["--workspace", "--bins"]);
    // Cargo shows its progress on standard error; standard output stays ours.
    command.stdin(Stdio::null()).stdout(Stdio::null());
    if !programs.missing().is_empty() {
        eprintln!(
            "building {} (the first time takes some minutes) …",
            PROGRAMS.join(", ")
        );
    }
    let status = match command.status() {
        Ok(status) => status,
        Err(error) if programs.missing().is_empty() => {
            eprintln!("cargo cannot be started ({error}); the daemons are used as they are");
            return Ok(());
        }
        Err(error) => {
            return Err(error).with_context(|| {
                format!(
                    "{} cannot be started to build the daemons",
                    cargo.to_string_lossy()
                )
            });
        }
    };
    if status.success() {
        return Ok(());
    }
    Err(Failure::new("the daemons do not build; cargo's messages are above")
        .remedy("a C compiler is needed too (`apt-get install gcc`); --no-build uses what was built before")
        .into())
}

/// A workspace of Avouch whose target directory holds this executable.
#[derive(Debug, PartialEq)]
struct Checkout {
    root: PathBuf,
    target: PathBuf,
    profile: String,
}

impl Checkout {
    fn of(folder: &Path) -> Option<Self> {
        let profile = folder.file_name()?.to_str()?;
        if !matches!(profile, "release" | "debug") {
            return None;
        }
        let target = folder.parent()?;
        let root = target.parent()?;
        Self::found(root, target, profile)
    }

    /// With the target directory elsewhere (`CARGO_TARGET_DIR`), `cargo run` still tells where the package is.
    fn of_cargo_run(folder: &Path) -> Option<Self> {
        let package = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR")?);
        let is_avouch = package.file_name()? == "avouch";
        let profile = folder.file_name()?.to_str()?;
        is_avouch
            .then(|| Self::found(package.parent()?, folder.parent()?, profile))
            .flatten()
    }

    fn found(root: &Path, target: &Path, profile: &str) -> Option<Self> {
        let is_ours = root.join("Cargo.toml").is_file() && root.join("avouch/Cargo.toml").is_file();
        is_ours.then(|| Self {
            root: root.to_owned(),
            target: target.to_owned(),
            profile: profile.to_owned(),
        })
    }
}

fn own_folder() -> Result<PathBuf> {
    let executable = env::current_exe().context("this executable cannot be found")?;
    let executable = executable.canonicalize().unwrap_or(executable);
    Ok(executable
        .parent()
        .unwrap_or_else(|| Path::new("/"))
        .to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_target_directory_inside_the_workspace_is_built() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("target/release");
        std::fs::create_dir_all(&folder).unwrap();
        assert_eq!(Checkout::of(&folder), None);
        std::fs::write(dir.path().join("Cargo.toml"), "[workspace]").unwrap();
        assert_eq!(Checkout::of(&folder), None, "some other workspace");
        std::fs::create_dir(dir.path().join("avouch")).unwrap();
        std::fs::write(dir.path().join("avouch/Cargo.toml"), "").unwrap();
        let checkout = Checkout::of(&folder).unwrap();
        assert_eq!(
            (checkout.root.as_path(), checkout.profile.as_str()),
            (dir.path(), "release")
        );
        assert_eq!(Checkout::of(&dir.path().join("usr/bin")), None);
    }
}
