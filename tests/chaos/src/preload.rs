//! What processes believe of the world around them: the wall clock, and where names lead.
//!
//! Owns the table that `preload/world.c` reads, and the building of that library. Must not know whom
//! it is for. The invariant that would break first: numbers are written whole, at places that never
//! move, so that a process never reads half of one.

use anyhow::{Context as _, Result, ensure};
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/preload/world.c");

/// `struct table` in the source: the clock's offset, then so many names with their states.
const NAMES: usize = 8;
const OFFSET: usize = 8;
const NAME: usize = 120;
const ENTRY: usize = NAME + 8;

/// Where a name leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leads {
    /// To this machine.
    Here = 1,
    /// Nowhere: there is no such name.
    Nowhere = 2,
    /// Whoever asks waits for 10 s and is told to try again.
    Unanswered = 3,
}

/// What the processes that were given its variables believe. Linux only.
#[derive(Debug)]
pub(crate) struct Preload {
    library: PathBuf,
    path: PathBuf,
    table: File,
    names: Vec<String>,
}

impl Preload {
    /// The true time, and these names lead to this machine. `label` is unique in the folder.
    ///
    /// # Errors
    /// If the library is not compiled, or the table not written.
    pub(crate) fn new(folder: &Path, label: &str, names: &[&str]) -> Result<Self> {
        ensure!(names.len() <= NAMES, "the table has room for {NAMES} names");
        let library = folder.join("world.so");
        if !library.exists() {
            compile(&library)?;
        }
        let path = folder.join(format!("{label}.world"));
        let table = File::create(&path).with_context(|| format!("creating {}", path.display()))?;
        table.set_len(place(NAMES)?)?;
        let preload = Self {
            library,
            path,
            table,
            names: names.iter().map(|name| (*name).to_owned()).collect(),
        };
        for (number, name) in names.iter().enumerate() {
            // One zero byte is left at its end.
            ensure!(name.len() < NAME, "{name} is too long");
            let name_at = place(number)?;
            preload.table.write_all_at(name.as_bytes(), name_at)?;
            preload.lead(name, Leads::Here)?;
        }
        Ok(preload)
    }

    /// The variables of a process that is to believe it.
    pub(crate) fn env(&self) -> [(String, String); 2] {
        let text = |path: &Path| path.display().to_string();
        [
            ("LD_PRELOAD".into(), text(&self.library)),
            ("CHAOS_WORLD".into(), text(&self.path)),
        ]
    }

    /// From now on the wall clock is so many seconds ahead; less than none for behind.
    ///
    /// # Errors
    /// If the table is not written.
    pub(crate) fn set_clock(&self, ahead_s: i64) -> Result<()> {
        Ok(self.table.write_all_at(&ahead_s.to_ne_bytes(), 0)?)
    }

    /// From now on a name leads there.
    ///
    /// # Errors
    /// If it is none of the names, or the table is not written.
    pub(crate) fn lead(&self, name: &str, to: Leads) -> Result<()> {
        let number = self.names.iter().position(|known| known == name);
        let number = number.with_context(|| format!("{name} is not in the table"))?;
        let at = place(number)? + u64::try_from(NAME)?;
        let state = to as i64;
        Ok(self.table.write_all_at(&state.to_ne_bytes(), at)?)
    }
}

/// Where the entry of a name begins.
fn place(number: usize) -> Result<u64> {
    Ok(u64::try_from(OFFSET + ENTRY * number)?)
}

fn compile(library: &Path) -> Result<()> {
    let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".into());
    let output = Command::new(&compiler)
        .args(["-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-o"])
        .arg(library)
        .args([SOURCE, "-ldl"])
        .output()
        .with_context(|| format!("{compiler} is needed"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{compiler}: {said}");
    Ok(())
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;
    use std::io::{BufRead as _, BufReader, Write as _};
    use std::process::Stdio;
    use std::time::{SystemTime, UNIX_EPOCH};

    const HOUR: i64 = 3600;

    fn now() -> i64 {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        now.as_secs().try_into().unwrap()
    }

    #[test]
    fn the_clock_of_a_running_process_jumps_and_comes_back() {
        let folder = tempfile::tempdir().unwrap();
        let preload = Preload::new(folder.path(), "one", &[]).unwrap();
        // A shell that tells the time whenever it is asked.
        let mut shell = Command::new("bash")
            .args(["-c", "while read -r _; do printf '%(%s)T\\n' -1; done"])
            .envs(preload.env())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut asks = shell.stdin.take().unwrap();
        let mut says = BufReader::new(shell.stdout.take().unwrap());
        for ahead in [0, HOUR, -HOUR, 0] {
            preload.set_clock(ahead).unwrap();
            let before = now();
            asks.write_all(b"\n").unwrap();
            let mut line = String::new();
            says.read_line(&mut line).unwrap();
            let told = line.trim().parse::<i64>().unwrap() - ahead;
            assert!((before..=now()).contains(&told), "{ahead}: {told}");
        }
        drop(asks);
        assert!(shell.wait().unwrap().success());
    }

    #[test]
    fn a_name_leads_here_or_nowhere_and_other_names_are_as_they_are() {
        let folder = tempfile::tempdir().unwrap();
        let names = ["first.chaos.example", "second.chaos.example"];
        let preload = Preload::new(folder.path(), "one", &names).unwrap();
        let found = |name: &str| {
            let mut asked = Command::new("getent");
            let output = asked.args(["ahostsv4", name]).envs(preload.env()).output();
            let text = String::from_utf8(output.unwrap().stdout).unwrap();
            text.split_whitespace().next().map(str::to_owned)
        };
        let here = Some("127.0.0.1".to_owned());
        assert_eq!(
            (found(names[0]), found(names[1])),
            (here.clone(), here.clone())
        );
        preload.lead(names[1], Leads::Nowhere).unwrap();
        assert_eq!((found(names[0]), found(names[1])), (here.clone(), None));
        preload.lead(names[1], Leads::Here).unwrap();
        assert_eq!(found("SECOND.chaos.example"), here);
        assert_eq!(found("127.0.0.9"), Some("127.0.0.9".into()));
        assert!(preload.lead("third.chaos.example", Leads::Here).is_err());
    }

    #[test]
    fn a_process_without_a_table_or_with_another_sees_the_world_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let preload = Preload::new(folder.path(), "one", &[]).unwrap();
        preload.set_clock(HOUR).unwrap();
        let is_ahead = |table: &Path, seconds: i64| {
            let mut asked = Command::new("date");
            let asked = asked.arg("+%s").envs(preload.env());
            let before = now();
            let output = asked.env("CHAOS_WORLD", table).output().unwrap();
            assert!(output.status.success());
            let text = String::from_utf8(output.stdout).unwrap();
            let told = text.trim().parse::<i64>().unwrap() - seconds;
            (before..=now()).contains(&told)
        };
        let short = folder.path().join("short");
        std::fs::write(&short, HOUR.to_ne_bytes()).unwrap();
        assert!(is_ahead(&short, 0));
        assert!(is_ahead(Path::new("/does/not/exist"), 0));
        assert!(is_ahead(&preload.path, HOUR));
    }
}
