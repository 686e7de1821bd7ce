//! A program that the kernel's verifier refuses: told, with the log kept, and nothing left attached.
use crate::site::{run, sh};
use anyhow::{Context, Result, ensure};
use convoy_agent::host::counting::{self, Error};
use std::{fs, ops::Range};

#[test]
fn a_refused_program_leaves_its_log_and_nothing_else() {
    run("a_refused_program_leaves_its_log_and_nothing_else", |site| {
        let mut object = counting::OBJECT.to_vec();
        let code = section(&object, "sockops")?;
        // r0 = r9, which nobody has written yet.
        object[code][..8].copy_from_slice(&[0xbf, 0x90, 0, 0, 0, 0, 0, 0]);
        let refused = counting::open_object(&site.settings, &object).err().context("it was not refused")?;
        let Error::Verifier { program, log, .. } = &refused else { anyhow::bail!("{refused:?}") };
        ensure!(*program == "observe" && log.starts_with(&site.settings.state), "{refused:?}");
        ensure!(refused.to_string().contains("please report it"), "{refused}");
        let said = fs::read_to_string(log)?;
        ensure!(said.contains("R9 !read_ok"), "the log says {said:?}");
        let attached = sh(&format!("bpftool cgroup show {}", site.settings.cgroup.display()))?;
        ensure!(!attached.contains("observe"), "{attached}");
        // What it left half-made is replaced by a program that is taken.
        ensure!(!site.open()?.adopted(), "pins of a refused program were adopted");
        Ok(())
    });
}

/// Returns where an ELF file's section of that name is; 64 bits, little-endian.
fn section(elf: &[u8], name: &str) -> Result<Range<usize>> {
    let number = |at: usize, bytes: usize| -> Result<usize> {
        let mut wide = [0; 8];
        wide[..bytes].copy_from_slice(elf.get(at..at + bytes).context("cut short")?);
        Ok(usize::try_from(u64::from_le_bytes(wide))?)
    };
    let (headers, size, count) = (number(0x28, 8)?, number(0x3a, 2)?, number(0x3c, 2)?);
    let names = number(headers + number(0x3e, 2)? * size + 0x18, 8)?;
    for header in (0..count).map(|n| headers + n * size) {
        let at = names + number(header, 4)?;
        if elf.get(at..).is_some_and(|rest| rest.split(|byte| *byte == 0).next() == Some(name.as_bytes())) {
            let start = number(header + 0x18, 8)?;
            return Ok(start..start + number(header + 0x20, 8)?);
        }
    }
    anyhow::bail!("no section {name}")
}
