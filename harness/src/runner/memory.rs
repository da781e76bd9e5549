//! Owns how much memory a process has held at most. Only Linux tells it of another process; elsewhere it is not known.

use std::fs;
use std::path::{Path, PathBuf};

/// The most MiB that process `pid` or any that it has started had resident by itself, rounded up: a runner may be a launcher of the one
/// that works. `None` where the system does not tell, or it has ended.
pub fn peak_mib_of_tree(pid: u32) -> Option<u64> {
    processes_of(pid).iter().filter_map(|folder| peak_mib(folder)).max()
}

/// The most MiB that this process had resident, rounded up; `None` where the system does not tell.
pub fn own_peak_mib() -> Option<u64> {
    peak_mib(Path::new("/proc/self"))
}

fn peak_mib(process: &Path) -> Option<u64> {
    read_peak(&fs::read_to_string(process.join("status")).ok()?)
}

/// The folders of a process and of all that come from it.
fn processes_of(pid: u32) -> Vec<PathBuf> {
    let mut found = vec![folder_of(pid)];
    let mut next = 0;
    while let Some(process) = found.get(next) {
        // A process that has ended meanwhile has no children that are known.
        let threads = fs::read_dir(process.join("task")).into_iter().flatten().flatten();
        let children: Vec<PathBuf> = threads
            .filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok())
            .flat_map(|pids| {
                let pids: Vec<u32> = pids.split_whitespace().filter_map(|pid| pid.parse().ok()).collect();
                pids
            })
            .map(folder_of)
            .collect();
        found.extend(children.into_iter().filter(|child| child.is_dir()));
        next += 1;
    }
    found
}

fn folder_of(pid: u32) -> PathBuf {
    Path::new("/proc").join(pid.to_string())
}

fn read_peak(status: &str) -> Option<u64> {
    let value = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = value.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib.div_ceil(1024))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(status: &str, expected: Option<u64>) {
        assert_eq!(read_peak(status), expected, "{status:?}");
    }

    #[test]
    fn the_peak_is_read_in_mib() {
        check(
            "Name:\tnode\nVmPeak:\t 99999 kB\nVmHWM:\t    2049 kB\nVmRSS:\t 1 kB\n",
            Some(3),
        );
        check("VmHWM:\t1024 kB", Some(1));
        check("VmHWM:\tmany kB", None);
        check("VmHWM:\t1024", None);
        check("Name:\tzombie\n", None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_holds_something() {
        assert!(own_peak_mib().unwrap() > 0);
        assert!(peak_mib_of_tree(std::process::id()) >= own_peak_mib());
        assert_eq!(peak_mib_of_tree(u32::MAX), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_a_launcher_starts_counts() {
        let mut launcher = std::process::Command::new("sh")
            .args(["-c", "sleep 60 & echo $!; wait"])
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut said = std::io::BufReader::new(launcher.stdout.take().unwrap());
        std::io::BufRead::read_line(&mut said, &mut line).unwrap();
        let worker: u32 = line.trim().parse().unwrap();
        let found = processes_of(launcher.id());
        let ended = std::process::Command::new("kill").arg(worker.to_string()).status();
        launcher.wait().unwrap();
        assert!(ended.unwrap().success());
        assert_eq!(found, [folder_of(launcher.id()), folder_of(worker)]);
    }
}
