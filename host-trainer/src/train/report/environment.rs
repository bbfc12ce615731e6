//! What a run ran on.

use std::time::SystemTime;

use candle_core::Device;

/// Names and values, for people to read.
pub(super) fn environment(device: &Device) -> Vec<(&'static str, String)> {
    let mut all = vec![
        ("Program", format!("{} {}", env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))),
        ("Written", humantime::format_rfc3339_seconds(SystemTime::now()).to_string()),
        ("System", format!("{} on {}", std::env::consts::OS, std::env::consts::ARCH)),
        ("Device", format!("{:?}", device.location()).to_lowercase()),
        ("Threads", rayon::current_num_threads().to_string()),
    ];
    let read = |path: &str, field: &str| {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        text.lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(name, _)| name.trim() == field)
            .map(|(_, value)| value.trim().to_owned())
    };
    // Where there is no /proc, these lines are missing.
    all.extend(read("/proc/cpuinfo", "model name").map(|name| ("Processor", name)));
    all.extend(read("/proc/meminfo", "MemTotal").map(|size| ("Memory", size)));
    all.extend(read("/proc/self/status", "VmHWM").map(|size| ("Memory used at most", size)));
    all
}
