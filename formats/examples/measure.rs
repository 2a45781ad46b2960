//! Develops a file, and prints how long that took and the process's peak of memory: a figure for the record, no test.

use formats::{FileType, develop};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("a path")?;
    let bytes = std::fs::read(&path)?;
    let file_type = FileType::sniff(&bytes).ok_or("a known type")?;
    let started = std::time::Instant::now();
    let told = match develop(file_type, &bytes) {
        Ok(kept) => {
            let renditions: Vec<_> = kept.renditions.iter().map(|r| (r.width, r.height, r.bytes.len())).collect();
            if let Some(to) = std::env::args().nth(2) {
                std::fs::write(&to, &kept.bytes)?;
                for rendition in &kept.renditions {
                    std::fs::write(format!("{to}.{}", rendition.name), &rendition.bytes)?;
                }
            }
            format!("{}x{} {} -> {} bytes, {renditions:?}", kept.width, kept.height, bytes.len(), kept.bytes.len())
        }
        Err((code, detail)) => format!("{code}: {detail}"),
    };
    let took = started.elapsed();
    let status = std::fs::read_to_string("/proc/self/status")?;
    let peak = status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or_default();
    writeln!(std::io::stdout(), "{path}: {took:.2?}, {peak}; {told}")?;
    Ok(())
}

use std::io::Write;
