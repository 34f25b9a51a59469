//! Memory that a process counts as its own but no longer uses.

/// Takes what has been read of programs and libraries out of this process's memory. What is needed again is mapped again when it is touched, from the
/// system's cache of files: so of a long run's code the part that runs stays resident, and what only the start ran does not.
///
/// Pages that this process has written (relocated ones, those with a debugger's breakpoints) stay, as do files that are mapped to be shared, which
/// students' are. Does nothing where the system doesn't tell what is mapped (`/proc/self/smaps` of Linux).
pub fn release_code() {
    #[cfg(target_os = "linux")]
    for mapping in std::fs::read_to_string("/proc/self/smaps").iter().flat_map(|smaps| unwritten(smaps)) {
        release(mapping);
    }
}

/// The addresses of files' private mappings that can't be written and of which no page has been.
#[cfg(any(target_os = "linux", test))]
fn unwritten(smaps: &str) -> Vec<std::ops::Range<usize>> {
    let mut found = Vec::new();
    let mut mapping = None;
    for line in smaps.lines() {
        let mut fields = line.split_ascii_whitespace();
        match (fields.next(), fields.next()) {
            // `Anonymous:      0 kB`: pages that are this process's own, and are there; `Swap:`, which comes after it: those that are not.
            (Some("Anonymous:"), Some(own)) if own != "0" => mapping = None,
            (Some("Swap:"), Some("0")) => found.extend(mapping.take()),
            // `7f3a1c028000-7f3a1c1bd000 r-xp 00028000 fe:00 1234       /usr/lib/libc.so.6`
            (Some(addresses), Some("r-xp" | "r--p")) => {
                let is_file = fields.nth(3).is_some_and(|path| path.starts_with('/'));
                mapping = range(addresses).filter(|_| is_file);
            }
            (Some(name), _) if !name.ends_with(':') => mapping = None,
            _ => {}
        }
    }
    found
}

#[cfg(any(target_os = "linux", test))]
fn range(addresses: &str) -> Option<std::ops::Range<usize>> {
    let (start, end) = addresses.split_once('-')?;
    Some(usize::from_str_radix(start, 16).ok()?..usize::from_str_radix(end, 16).ok()?)
}

#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
fn release(mapping: std::ops::Range<usize>) {
    use rustix::mm::{Advice, madvise};
    // SAFETY: the mapping is a file's and private, can't be written, and none of its pages has been: each reads as the file does, which is what it
    // reads as when it is mapped again. Should it be gone by now, its addresses are unused (an error, which is passed over) or another's:
    // nothing in this process unmaps a file's code, which is in use. Of an advice that fails nothing comes but memory that stays.
    let _ =
        unsafe { madvise(std::ptr::with_exposed_provenance_mut(mapping.start), mapping.len(), Advice::LinuxDontNeed) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_what_is_shared_and_what_is_no_file_stays() {
        let smaps = "\
1000-2000 r--p 00000000 fe:00 7    /usr/bin/limbeck\nRss:    4 kB\nAnonymous:             0 kB\nSwap:    0 kB\nVmFlags: rd mr\n\
2000-3000 r-xp 00001000 fe:00 7    /usr/bin/limbeck\nRss:    4 kB\nAnonymous:             0 kB\nSwap:    0 kB\nVmFlags: rd ex mr\n\
3000-4000 r--p 00002000 fe:00 7    /usr/bin/limbeck\nRss:    4 kB\nAnonymous:             4 kB\nSwap:    0 kB\nVmFlags: rd mr\n\
4000-5000 rw-p 00003000 fe:00 7    /usr/bin/limbeck\nRss:    4 kB\nAnonymous:             0 kB\nSwap:    0 kB\n\
5000-6000 r--s 00000000 fe:00 8    /home/me/r-xp\nRss:    4 kB\nAnonymous:             0 kB\nSwap:    0 kB\n\
6000-7000 r--p 00000000 00:00 0 \nRss:    4 kB\nAnonymous:             0 kB\nSwap:    0 kB\n\
8000-9000 r--p 00002000 fe:00 7    /usr/lib/libc.so\nRss:    0 kB\nAnonymous:             0 kB\nSwap:    4 kB\n\
7000-8000 r-xp 00000000 00:00 0    [vdso]\nRss:    4 kB\nAnonymous:             0 kB\nSwap:    0 kB\n";
        assert_eq!(unwritten(smaps), [0x1000..0x2000, 0x2000..0x3000]);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn released_code_runs_on_and_less_of_it_is_resident() {
        let resident = || {
            let smaps = std::fs::read_to_string("/proc/self/smaps").unwrap();
            let mut sum = 0;
            let mut counts = false;
            for line in smaps.lines() {
                let fields: Vec<&str> = line.split_ascii_whitespace().collect();
                match fields.as_slice() {
                    ["Rss:", kib, ..] if counts => sum += kib.parse::<u64>().unwrap(),
                    [_, "r-xp", .., path] => counts = path.starts_with('/'),
                    [_, _, _, _, _, ..] => counts = false,
                    _ => {}
                }
            }
            sum
        };
        // Tests beside this one run code as well, so once is not always enough to see it.
        let lower = (0..100).any(|_| {
            let before = resident();
            release_code();
            resident() < before
        });
        assert!(lower);
    }
}
