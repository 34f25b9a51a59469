//! Bodies: read up to a bound and within a time.

use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody as _};
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_LENGTH, EXPECT};
use tokio::time::timeout;

use crate::gate::Place;
use crate::refusal::Refusal;

/// The longest refused body that is read and thrown away. A client that is answered before its body is read may see a
/// broken connection in place of the answer.
const MOST_DISCARDED: u64 = 64 << 20;

/// The next part of the body; trailers are passed over.
async fn next(body: &mut Body) -> Option<Result<Bytes, axum::Error>> {
    loop {
        let frame = std::future::poll_fn(|context| std::pin::Pin::new(&mut *body).poll_frame(context)).await?;
        match frame.map(|frame| frame.into_data()) {
            Ok(Ok(bytes)) => return Some(Ok(bytes)),
            Ok(Err(_)) => {}
            Err(error) => return Some(Err(error)),
        }
    }
}

/// The length that the client announces.
fn announced(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// The body, of at most `most` bytes, which has to come within `time`.
///
/// # Errors
/// 413 for a longer one, 408 for a later one, 400 for one that breaks off, 429 where the server holds too much.
pub(crate) async fn read(
    mut body: Body,
    headers: &HeaderMap,
    most: usize,
    time: Duration,
    place: &mut Place,
) -> Result<Vec<u8>, Refusal> {
    let reading = async {
        if announced(headers).is_some_and(|length| length > most as u64) {
            return Err(Refusal::body(most));
        }
        let mut all = Vec::new();
        while let Some(part) = next(&mut body).await {
            let part = part.map_err(|_| Refusal::broken_body())?;
            if all.len() + part.len() > most {
                return Err(Refusal::body(most));
            }
            place.add_bytes(part.len())?;
            all.extend_from_slice(&part);
        }
        Ok(all)
    };
    match timeout(time, reading).await {
        Ok(Ok(all)) => Ok(all),
        Ok(Err(refusal)) => {
            discard(body, headers, time).await;
            Err(refusal)
        }
        Err(_) => Err(Refusal::slow_body()),
    }
}

/// Reads what is left of a refused body, as far as that is little.
pub(crate) async fn discard(mut body: Body, headers: &HeaderMap, time: Duration) {
    // A client that waits to be asked for its body gets the refusal in place of the question.
    if headers.contains_key(EXPECT) || announced(headers).is_some_and(|length| length > MOST_DISCARDED) {
        return;
    }
    let reading = async {
        let mut read = 0;
        while let Some(Ok(part)) = next(&mut body).await {
            read += part.len() as u64;
            if read > MOST_DISCARDED {
                return;
            }
        }
    };
    // What does not come in time isn't waited for.
    let _ = timeout(time, reading).await;
}
