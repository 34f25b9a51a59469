//! [`Transfer`]: one file over HTTP, taken up where it broke off.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;

use ureq::Body;
use ureq::http::Response;

use super::http::{ATTEMPTS, Client, HttpFailure, PAUSE, Query, header};
use crate::error::{Error, Result};
use crate::files::remove;
use crate::progress::Bar;

/// The file at a URL.
pub(super) struct Transfer<'t> {
    pub client: &'t Client<'t>,
    pub url: &'t str,
    /// What the user calls it.
    pub name: &'t str,
    /// Its size in bytes; `None`: the server tells it with the bytes.
    pub size: Option<u64>,
}

/// The bar of a file, and how much of the file it shows. A download that begins anew does not move it back.
struct Meter<'m> {
    bar: Box<dyn Bar + 'm>,
    shown: u64,
}

impl Meter<'_> {
    fn show(&mut self, bytes: u64) {
        self.bar.add(bytes.saturating_sub(self.shown));
        self.shown = self.shown.max(bytes);
    }
}

impl Transfer<'_> {
    /// Fetches the file to the path `part`, after what lies there of it already. `failed` makes the error of a request.
    pub(super) fn save(&self, part: &Path, failed: &dyn Fn(HttpFailure) -> Error) -> Result<()> {
        let monitor = self.client.monitor;
        let mut meter = Meter { bar: monitor.stage(&format!("fetching {}", self.name), self.size, "bytes"), shown: 0 };
        let mut pause = PAUSE;
        for attempt in 1.. {
            match self.attempt(part, &mut meter)? {
                Ok(()) => return Ok(()),
                Err(failure) if attempt == ATTEMPTS || !may_pass(&failure) => return Err(failed(failure)),
                Err(_) => {
                    monitor.note(&format!("fetching {} broke off; taking it up again", self.name));
                    self.client.wait(pause).map_err(failed)?;
                    pause *= 2;
                }
            }
        }
        Ok(())
    }

    /// One request. The outer error is this machine's, the inner one the network's.
    fn attempt(&self, part: &Path, meter: &mut Meter) -> Result<std::result::Result<(), HttpFailure>> {
        let mut there = fs::metadata(part).map_or(0, |part| part.len());
        if self.size.is_some_and(|size| there > size) {
            remove(part)?;
            there = 0;
        }
        if there > 0 && self.size == Some(there) {
            return Ok(Ok(()));
        }
        let range = (there > 0).then(|| format!("bytes={there}-"));
        let response = match self.client.send(&Query { range, ..Query::get(self.url) }) {
            Ok(response) => response,
            Err(failure) => return Ok(Err(failure)),
        };
        let (begins, total) = match response.status().as_u16() {
            200 => (0, response.body().content_length()),
            206 => match content_range(&response) {
                Some((begins, total)) if begins == there => (begins, total),
                _ => return Ok(Err(HttpFailure::Header("Content-Range"))),
            },
            416 if there > 0 => {
                remove(part)?;
                return Ok(Err(HttpFailure::Body(io::ErrorKind::InvalidData.into())));
            }
            status => return Ok(Err(HttpFailure::Status(status))),
        };
        let mut options = File::options();
        let options = if begins > 0 { options.append(true) } else { options.write(true).create(true).truncate(true) };
        let mut file = options.open(part).map_err(Error::io("write", part))?;
        let expected = self.size.or(total);
        meter.show(begins);
        self.copy(response, (&mut file, part), (begins, expected), meter)
    }

    fn copy(
        &self,
        response: Response<Body>,
        (file, part): (&mut File, &Path),
        (mut there, expected): (u64, Option<u64>),
        meter: &mut Meter,
    ) -> Result<std::result::Result<(), HttpFailure>> {
        let mut reader = response.into_body().into_reader();
        let mut buffer = vec![0; 1 << 16];
        loop {
            self.client.monitor.check()?;
            let read = match reader.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) => return Ok(Err(HttpFailure::Body(error))),
            };
            there += read as u64;
            if let Some(expected) = expected.filter(|&expected| there > expected) {
                remove(part)?;
                return Ok(Err(HttpFailure::TooLong(expected)));
            }
            file.write_all(&buffer[..read]).map_err(Error::io("write", part))?;
            meter.show(there);
        }
        if expected.is_some_and(|expected| there < expected) {
            return Ok(Err(HttpFailure::Body(io::ErrorKind::UnexpectedEof.into())));
        }
        Ok(Ok(()))
    }
}

/// The first byte and the size of the whole file, of `bytes 5-9/10`; the size may be unknown: `*`.
fn content_range(response: &Response<Body>) -> Option<(u64, Option<u64>)> {
    let (range, total) = header(response, "content-range")?.strip_prefix("bytes ")?.split_once('/')?;
    let (first, _) = range.split_once('-')?;
    Some((first.trim().parse().ok()?, total.trim().parse().ok()))
}

/// Whether another attempt may succeed.
fn may_pass(failure: &HttpFailure) -> bool {
    matches!(failure, HttpFailure::Network(_) | HttpFailure::Body(_))
}
