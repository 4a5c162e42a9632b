//! Metrics of the process, under the names that Prometheus's clients give them
//! (<https://prometheus.io/docs/instrumenting/writing_clientlibs/#process-metrics>). Linux tells them in `/proc`; elsewhere there are none.

use std::fs;

/// Ticks of a second in `/proc`, on every architecture (`USER_HZ`, see proc(5)).
const TICKS: f64 = 100.0;

/// What the kernel says of the process: names and values.
pub(crate) fn values() -> Vec<(&'static str, f64)> {
    let mut values = Vec::with_capacity(6);
    if let Some(status) = read("status") {
        let kib = |name: &str| field(&status, name).map(|value| value * 1024.0);
        values.extend(kib("VmRSS:").map(|bytes| ("process_resident_memory_bytes", bytes)));
        values.extend(field(&status, "Threads:").map(|threads| ("process_threads", threads)));
    }
    if let Some(stat) = read("stat") {
        values.extend(cpu_seconds(&stat).map(|seconds| ("process_cpu_seconds_total", seconds)));
        values.extend(started(&stat).map(|time| ("process_start_time_seconds", time)));
    }
    if let Ok(descriptors) = fs::read_dir("/proc/self/fd") {
        // One of them is that of the folder itself.
        values.push(("process_open_fds", number(descriptors.count().saturating_sub(1))));
    }
    if let Some(limits) = read("limits") {
        let most = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
        let most = most.and_then(|rest| rest.split_whitespace().next()?.parse().ok());
        values.extend(most.map(|most: f64| ("process_max_fds", most)));
    }
    values
}

fn read(name: &str) -> Option<String> {
    fs::read_to_string(format!("/proc/self/{name}")).ok()
}

/// The number behind a name in `/proc/self/status`.
fn field(status: &str, name: &str) -> Option<f64> {
    status.lines().find_map(|line| line.strip_prefix(name))?.split_whitespace().next()?.parse().ok()
}

/// The fields of `/proc/self/stat` from the third on. The second is the program's name, which may hold blanks and brackets.
fn fields(stat: &str) -> impl Iterator<Item = &str> {
    stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace()
}

/// User and system time: fields 14 and 15.
fn cpu_seconds(stat: &str) -> Option<f64> {
    let mut times = fields(stat).skip(11);
    let (user, system): (f64, f64) = (times.next()?.parse().ok()?, times.next()?.parse().ok()?);
    Some((user + system) / TICKS)
}

/// Field 22 counts from the start of the machine.
fn started(stat: &str) -> Option<f64> {
    let ticks: f64 = fields(stat).nth(19)?.parse().ok()?;
    let machine = fs::read_to_string("/proc/stat").ok()?;
    Some(field(&machine, "btime ")? + ticks / TICKS)
}

fn number(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::NAN, f64::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAT: &str = "4242 (a (b) c) S 1 4242 4242 0 -1 4194560 9 0 0 0 1250 250 0 0 20 0 7 0 3000 1 2 3";

    #[test]
    fn the_kernels_lines_are_read_whatever_the_program_is_called() {
        assert_eq!(cpu_seconds(STAT), Some(15.0));
        assert_eq!(fields(STAT).nth(19), Some("3000"));
        assert_eq!(field("Name:\tx\nVmRSS:\t  2048 kB\nThreads:\t7\n", "VmRSS:"), Some(2048.0));
        assert_eq!(cpu_seconds("nonsense"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_has_all_of_them() {
        let names: Vec<_> = values().into_iter().filter(|(_, value)| *value > 0.0).map(|(name, _)| name).collect();
        for name in [
            "process_resident_memory_bytes",
            "process_open_fds",
            "process_max_fds",
            "process_threads",
            "process_start_time_seconds",
        ] {
            assert!(names.contains(&name), "{name}: {names:?}");
        }
    }
}
