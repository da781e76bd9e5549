//! Owns how much memory a process has held at most. Only Linux tells it of another process; elsewhere it is not known.

use std::path::Path;

/// The most MiB that process `pid` (or this one) had resident, rounded up; `None` where the system does not tell, or it has ended.
pub fn peak_mib(pid: Option<u32>) -> Option<u64> {
    let process = pid.map_or_else(|| "self".to_owned(), |pid| pid.to_string());
    let status = std::fs::read_to_string(Path::new("/proc").join(process).join("status")).ok()?;
    read_peak(&status)
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
        assert!(peak_mib(None).unwrap() > 0);
        assert!(peak_mib(Some(std::process::id())).is_some());
        assert_eq!(peak_mib(Some(u32::MAX)), None);
    }
}
