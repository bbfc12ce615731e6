//! The table, in text or as JSON.

use core::fmt::Write;

use blockspan_kernels::Isa;

/// One measured kernel.
pub struct Measurement {
    /// What was measured.
    pub kernel: String,
    /// Seconds of one call.
    pub seconds: f64,
    /// Elements that a vector function went over; for products multiply-adds.
    pub work: f64,
    /// Shortest time the machine's limit allows, and which limit it is.
    pub limit: Option<(f64, &'static str)>,
}

/// Prints rows as they come.
pub struct LimitsReport {
    json: bool,
    isa: Isa,
    rows: Vec<String>,
}

impl LimitsReport {
    pub fn new(json: bool) -> Self {
        if !json {
            println!("{}", cpu());
        }
        Self { json, isa: Isa::Scalar, rows: Vec::new() }
    }

    /// The rows from here on are of this instruction set.
    pub fn machine(&mut self, isa: Isa) {
        self.isa = isa;
    }

    /// A heading with the limits that were measured.
    pub fn heading(&self, text: &str) {
        if !self.json {
            println!("\n{}: {text}", self.isa);
            println!("{:<58} {:>10} {:>10} {:>7}  limit", "kernel", "time/µs", "work/ns", "share");
        }
    }

    pub fn row(&mut self, row: &Measurement) {
        let Measurement { kernel, seconds, work, limit } = row;
        let rate = work / seconds / 1e9;
        if !self.json {
            let (share, name) = match limit {
                Some((limit, name)) => (format!("{:.0} %", 100.0 * limit / seconds), *name),
                None => ("-".into(), ""),
            };
            println!("{kernel:<58} {:>10.2} {rate:>10.2} {share:>7}  {name}", seconds * 1e6);
            return;
        }
        let mut json = format!(
            r#"{{"isa":"{}","kernel":"{kernel}","microseconds":{:.3},"work_per_nanosecond":{rate:.3}"#,
            self.isa,
            seconds * 1e6
        );
        if let Some((limit, name)) = limit {
            let _ = write!(json, r#","limit":"{name}","share_of_limit":{:.4}"#, limit / seconds);
        }
        self.rows.push(json + "}");
    }

    pub fn end(&self) {
        if self.json {
            println!("{{\"cpu\":\"{}\",\"kernels\":[\n{}\n]}}", cpu(), self.rows.join(",\n"));
        }
    }
}

/// The CPU's name, as the operating system names it.
fn cpu() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |name: &str| {
        let line = text.lines().find(|line| line.starts_with(name))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    match (field("model name"), field("cpu family"), field("model\t")) {
        (Some(name), Some(family), Some(model)) => format!("{name} (family {family}, model {model})"),
        _ => format!("unknown CPU, {}", std::env::consts::ARCH),
    }
}
